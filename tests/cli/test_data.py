"""``ktnas data`` and what follows it, on the command line."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ktnas.cli.main import main
from ktnas.space import load_space

SEARCH = ["search", "algorithm=random", "budget=6", "source_budget=6"]


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Directory that benchmarks are imported into."""
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path / "kept"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "kept" / "benchmarks"


@pytest.fixture
def table(tmp_path):
    space = load_space("transnas_micro")
    texts = space.format(space.architectures()[:40])
    rows = [f"{text},{50 + i},{40 + i % 7},{1 + i % 5}" for i, text in enumerate(texts)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["arch,photos,sketches,phone", *rows, ""]))
    return path


def run(*arguments):
    assert main(list(map(str, arguments))) == 0


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.err


def import_table(table, *more):
    run("data", "import", table, "--as", "mine", "--space", "transnas_micro", "--device", "phone", *more)


def test_import_tells_what_was_read_and_what_is_next(table, kept, capsys):
    import_table(table)

    printed = capsys.readouterr().out
    for words in (f"Imported mine into {kept / 'mine'}", "40 architectures", "photos_score", "phone"):
        assert words in printed
    assert "Next: ktnas search benchmark=mine\n" in printed


def test_search_of_an_imported_benchmark(table, tmp_path, capsys):
    import_table(table)
    run(*SEARCH, "benchmark=mine", "hydra.run.dir=run")

    printed = capsys.readouterr().out
    assert "Pareto set of sketches on phone" in printed
    config = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert config.benchmark.scores == "imported:mine/scores_{task}.csv.gz"

    run("search", "resume=run")


def test_sweep_over_an_imported_benchmark(table, tmp_path):
    import_table(table)
    run(
        *SEARCH, "-m", "benchmark=mine", "target=[photos],[sketches]", "source=[]", "objectives=[error]",
        "hydra.sweep.dir=sweep",
    )  # fmt: skip
    assert len(list((tmp_path / "sweep").glob("*/summary.json"))) == 2


def test_settings_of_an_imported_benchmark_can_be_changed(table, capsys):
    import_table(table)
    run(*SEARCH, "benchmark=mine", "benchmark.unit=%", "target=photos", "source=[]", "hydra.run.dir=run")

    assert "best error 1" in capsys.readouterr().out


def test_imported_benchmarks_are_in_the_help_and_in_messages(table, capsys):
    import_table(table)
    run("search", "--help")

    printed = capsys.readouterr().out
    assert "  mine                   Imported from a CSV file" in printed
    assert "tasks: photos, sketches" in printed
    assert "Did you mean mine?" in refused(capsys, "search", "benchmark=minne")


def test_removed_benchmark_is_gone(table, capsys):
    import_table(table)
    run(*SEARCH, "benchmark=mine", "hydra.run.dir=run")
    run("data", "remove", "mine")

    assert "Unknown benchmark 'mine'" in refused(capsys, *SEARCH, "benchmark=mine")
    assert "ktnas data import FILE --as mine" in refused(capsys, "search", "resume=run")
    assert "Unknown imported benchmark" in refused(capsys, "data", "remove", "mine")


def test_damaged_definition_does_not_stop_other_searches(table, kept):
    import_table(table)
    (kept / "mine" / "benchmark.yaml").write_text("{")

    run("search", "--cfg", "job")


def test_list_describe_verify(table, kept, capsys):
    run("data", "list")
    assert f"Nothing was imported into {kept}" in capsys.readouterr().out
    run("data", "verify")

    import_table(table)
    capsys.readouterr()
    run("data", "list")
    printed = capsys.readouterr().out
    assert all(words in printed for words in ("mine", "a CSV file", "transnas_micro", "40"))
    run("data", "describe", "mine")
    printed = capsys.readouterr().out
    for words in ("mine.csv", "sha256", "photos, sketches", "scores_photos.csv.gz", str(kept / "mine")):
        assert words in printed
    run("data", "verify", "mine")
    assert "mine: 3 tables as imported" in capsys.readouterr().out

    (kept / "mine" / "latency.csv.gz").write_bytes(b"")
    message = refused(capsys, "data", "verify")
    assert "latency.csv.gz has changed since it was imported" in message
    (kept / "mine" / "provenance.json").unlink()
    assert "is damaged or gone" in refused(capsys, "data", "verify", "mine")
    assert "Unknown imported benchmark 'minne'" in refused(capsys, "data", "verify", "minne")
    run("data", "list")
    assert "damaged" in capsys.readouterr().out


def test_import_refuses_a_taken_name_unless_forced(table, capsys):
    import_table(table)
    message = refused(capsys, "data", "import", table, "--as", "mine", "--space", "transnas_micro")
    assert "--force" in message
    import_table(table, "--force", "--task", "photos")
    assert "sketches" not in capsys.readouterr().out


def test_latencies_alone_serve_another_benchmark(table, tmp_path, capsys):
    import_table(table, "--task", "photos")
    run("data", "import", table, "--as", "slow", "--space", "transnas_micro", "--task", "photos")
    run(
        *SEARCH, "benchmark=slow", "benchmark.latency=imported:mine/latency.csv.gz",
        "target=photos", "source=[]", "device=phone", "hydra.run.dir=run",
    )  # fmt: skip
    assert "photos on phone" in capsys.readouterr().out


def test_samples_of_published_files(data_dir, capsys):
    formats = data_dir / "formats"
    devices = [formats / f"help_nasbench201_{name}.pt" for name in ("pixel3", "str_arch2idx")]
    run("data", "import", formats / "zc_nasbench201.json.gz", *devices, "--as", "published")
    run(*SEARCH, "benchmark=published", "hydra.run.dir=run")

    printed = capsys.readouterr().out
    assert "15,625 architectures" in printed
    assert "Pareto set of cifar100 on pixel3" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.csv", "--as", "x"), "There is no file missing.csv"),
        (("mine.csv", "--as", "x"), "--space NAME"),
        (("mine.csv", "--as", "../x", "--space", "transnas_micro"), "is no name for a benchmark"),
        (("mine.csv", "--as", "x", "--space", "transnas_micro", "--format", "cvs"), "Did you mean csv"),
        (("mine.csv", "--as", "x", "--space", "nasbench201"), "Cannot read"),
    ],
)
def test_mistakes_write_nothing(table, tmp_path, capsys, arguments, said):
    assert said in refused(capsys, "data", "import", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_read_only_directory_is_said(table, kept, capsys):
    kept.mkdir(parents=True)
    Path(kept).chmod(0o555)
    message = refused(capsys, "data", "import", table, "--as", "mine", "--space", "transnas_micro")
    assert "cannot be written. Set KTNAS_DATA" in message
