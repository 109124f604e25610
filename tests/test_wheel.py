"""The wheel carries all it needs: built, installed elsewhere, run from a directory of no importance."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", directory, ROOT)
    (built,) = directory.glob("ktnas-*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    directory = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--no-index", "--no-compile", "--target", directory, wheel)
    return directory


@pytest.fixture
def installed(site, tmp_path):
    """Runs the installed command in an empty directory."""
    environment = os.environ | {"PYTHONPATH": str(site)}

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_wheel_holds_the_package_and_its_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"ktnas"}
    for kind in ("spaces", "conf"):
        expected = {f"ktnas/data/{path.relative_to(ROOT)}" for path in (ROOT / kind).rglob("*.yaml")}
        assert expected == {name for name in names if name.startswith(f"ktnas/data/{kind}/")}


def test_installed_command_finds_its_spaces(installed, site):
    listed = installed(site / "bin" / "ktnas", "space", "list")

    assert all(path.stem in listed for path in (ROOT / "spaces").glob("*.yaml"))


def test_installed_package_is_the_one_that_runs(installed, site):
    where = "import ktnas, ktnas.resources as r; print(ktnas.__file__, r.resource_dir('conf'))"
    package, conf = installed(sys.executable, "-c", where).split()

    assert Path(package).is_relative_to(site)
    assert Path(conf) == site / "ktnas" / "data" / "conf"


def test_installed_search_runs_anywhere(installed, site, tmp_path):
    installed(
        site / "bin" / "ktnas", "search", "algorithm=nsga2", "budget=8", "source=[]", "hydra.run.dir=run"
    )

    assert (tmp_path / "run" / "evaluations.csv").is_file()
