"""Where the files of a benchmark lie on this machine."""

import os
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from ktnas.errors import UserError
from ktnas.resources import PACKAGE

PACKAGE_PREFIX = "package:"
IMPORTED_PREFIX = "imported:"
IMPORTS = "benchmarks"
DEVICES = "devices"
DEFINITION = "benchmark.yaml"


def data_dir() -> Path:
    """Directory of benchmark files.

    The environment variable ``KTNAS_DATA``; failing that, ``../shared/data`` beside a source checkout, where
    it exists; failing that, the user's data directory.
    """
    given = os.environ.get("KTNAS_DATA")
    if given:
        return Path(given).expanduser()
    checkout = PACKAGE.parent
    shared = checkout.parent / "shared" / "data"
    if (checkout / "pyproject.toml").is_file() and shared.is_dir():
        return shared
    return Path(platformdirs.user_data_dir("ktnas"))


def imports_dir() -> Path:
    """Directory that benchmarks are imported into: in ``KTNAS_DATA`` where it is set, else the user's own."""
    return _writable_dir() / IMPORTS


def devices_dir() -> Path:
    """Directory of measured devices: in ``KTNAS_DATA`` where it is set, else the user's own."""
    return _writable_dir() / DEVICES


def _writable_dir() -> Path:
    given = os.environ.get("KTNAS_DATA")
    return Path(given).expanduser() if given else Path(platformdirs.user_data_dir("ktnas"))


def imported_benchmarks() -> dict[str, Path]:
    """Directory of each imported benchmark by name, sorted.

    They are looked for in ``imports_dir()`` and then in the user's data directory: what was imported before
    ``KTNAS_DATA`` was set is still there.
    """
    places = dict.fromkeys((Path(platformdirs.user_data_dir("ktnas")) / IMPORTS, imports_dir()))
    found = {path.parent.name: path.parent for place in places for path in place.glob(f"*/{DEFINITION}")}
    return {name: found[name] for name in sorted(found) if not name.startswith(".")}


def locate(name: str, homepage: str = "") -> Path:
    """Path of the file ``name``: an absolute path, relative to the working directory or to ``data_dir()``.

    ``package:module/path`` is a file inside an installed Python package, which is not imported;
    ``imported:NAME/file`` is a file of a benchmark imported as NAME.

    Raises:
        UserError: no such file; says where it was looked for and, with ``homepage``, who publishes it.
    """
    if name.startswith(PACKAGE_PREFIX):
        return _in_package(name.removeprefix(PACKAGE_PREFIX))
    if name.startswith(IMPORTED_PREFIX):
        return _in_import(name.removeprefix(IMPORTED_PREFIX))
    given = Path(name).expanduser()
    places = [given] if given.is_absolute() else [Path.cwd() / given, data_dir() / given]
    for place in places:
        if place.is_file():
            return place
    if any(place.is_dir() for place in places):
        raise UserError(f"'{name}' is a directory, expected a file.")
    looked = " and ".join(str(place.parent) for place in places)
    hint = "" if given.is_absolute() else " Put it there, or set KTNAS_DATA to the directory that has it."
    source = f" Its authors publish it at {homepage}" if homepage else ""
    raise UserError(f"There is no file '{given.name}' in {looked}.{hint}{source}")


def _in_package(name: str) -> Path:
    module, _, inside = name.partition("/")
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"The Python package '{module}' is not installed; it holds the file '{inside}'. "
            f"Install it: pip install {module.replace('_', '-')}"
        )
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.is_file():
        raise UserError(f"The installed Python package '{module}' has no file '{inside}'.")
    return path


def _in_import(name: str) -> Path:
    benchmark, _, inside = name.partition("/")
    directory = imported_benchmarks().get(benchmark)
    if directory is None:
        raise UserError(
            f"No benchmark was imported as '{benchmark}' into {imports_dir()}. "
            f"Import it: ktnas data import FILE --as {benchmark}"
        )
    path = directory / inside
    if not path.is_file():
        raise UserError(f"{path} is gone. Import the benchmark again, or: ktnas data verify {benchmark}")
    return path
