"""Every mistake on the command line: exit code 2, one clear message, nothing written."""

import os
import subprocess
import sys

import pytest

from ktnas.cli.main import main

SMALL = ["algorithm=random", "budget=6", "source=[]"]

CASES = {
    # unknown names, with the nearest valid ones
    "task": (["target=[citeser]"], ["'citeser'", "Did you mean citeseer"]),
    "source task": (["source=[coar]"], ["'coar'", "Did you mean cora"]),
    "device": (["device=gpuu"], ["'gpuu'", "Did you mean gpu"]),
    "second device": (["device=[gpu,tpu]"], ["'tpu'", "gpu"]),
    "objective": (["objectives=[error,latncy]"], ["'latncy'", "Did you mean latency"]),
    "algorithm": (["algorithm=ktnsa"], ["algorithm 'ktnsa'", "Did you mean ktnas"]),
    "benchmark": (
        ["benchmark=nasbench_grahp"],
        ["benchmark 'nasbench_grahp'", "Did you mean nasbench_graph"],
    ),
    "space": (["space=nasbench_grpah"], ["'nasbench_grpah'", "nasbench_graph"]),
    "part": (["transfer=rnak"], ["transfer 'rnak'", "Did you mean rank"]),
    "key": (["bugdet=50"], ["key 'bugdet'", "Did you mean budget"]),
    "nested key": (["limits.latncy=50"], ["key 'limits.latncy'", "Did you mean limits.latency"]),
    "added key": (["+bugdet=50"], ["key 'bugdet'", "Did you mean budget"]),
    "key of a part": (["transfer=rank", "transfer.toop=0.1"], ["'toop'", "Did you mean top"]),
    "key of the benchmark": (["benchmark.scorse=x.csv"], ["'scorse'", "Did you mean scores"]),
    "key of Hydra": (["hydra.run.dri=x"], ["key 'hydra.run.dri'", "Did you mean hydra.run.dir"]),
    "launcher": (["-m", "seed=0,1", "hydra/launcher=jobilb"], ["hydra/launcher 'jobilb'", "basic"]),
    "task to stop at": (["until.citeser=20"], ["until.citeser", "citeseer"]),
    # values of the wrong type
    "text for a number": (["budget=many"], ["budget=many", "a whole number"]),
    "fraction for a count": (["budget=1.5"], ["budget=1.5", "a whole number"]),
    "nothing for a count": (["budget="], ["budget=", "a whole number"]),
    "null for a count": (["budget=null"], ["budget=null", "required"]),
    "list for a count": (["budget=[1,2]"], ["budget"]),
    "text for a limit": (
        ["limits.latency=fast"],
        ["limits.latency=fast", "a finite number", "device to number"],
    ),
    "value for a group": (["limits=3"], ["limits", "limits.NAME"]),
    "number for a part": (["transfer=3"], ["transfer=3", "rank"]),
    "mapping for a part": (["transfer={name: rank}"], ["transfer", "rank", "transfer.KEY"]),
    "text for a setting of a part": (["transfer=rank", "transfer.n=few"], ["transfer.n", "few"]),
    "number for the objectives": (["objectives=3"], ["objectives"]),
    "number for the targets": (["target=3"], ["target=3", "[a,b]"]),
    "mapping for the targets": (["target={a: b}"], ["target"]),
    # values out of range
    "no budget": (["budget=0"], ["budget=0", "1"]),
    "negative budget": (["budget=-5"], ["budget=-5"]),
    "budget beyond the space": (["budget=30000"], ["budget=30000", "26"]),
    "no source budget": (["source=[cora]", "source_budget=0"], ["source_budget=0"]),
    "no target": (["target=[]"], ["target"]),
    "no objective": (["objectives=[]"], ["objectives"]),
    "objective twice": (["objectives=[error,error]"], ["error"]),
    "no workers": (["workers=0"], ["workers=0"]),
    "no population": (["population=0"], ["population=0"]),
    "probability above 1": (["variation.crossover=1.5"], ["variation.crossover=1.5"]),
    # sources
    "source that is a target": (["source=[citeseer]", "target=[citeseer]"], ["citeseer", "source", "target"]),
    "source run that does not exist": (["source=runs/missing"], ["runs/missing"]),
    # form
    "several values without -m": (["seed=0,1,2"], ["seed=0,1,2", "-m", "[0,1,2]"]),
    "no value": (["budget"], ["'budget'", "key=value"]),
    "no key": (["=3"], ["'=3'", "key=value"]),
    "open bracket": (["target=[citeseer"], ["target=[citeseer", "[a,b]"]),
    "deletion": (["~budget=3"], ["~budget=3", "budget=VALUE"]),
    "interpolation": (["budget=${bugdet}"], ["budget", "bugdet"]),
    "flag": (["--budget", "50"], ["--budget", "budget=VALUE"]),
    "kind of configuration": (["--cfg", "all_of_it"], ["--cfg", "all_of_it", "job"]),
    "directory of presets": (["--config-dir", "missing"], ["--config-dir", "missing"]),
    # runs to go on with
    "resume of nothing": (["resume=runs/missing"], ["runs/missing"]),
    "resume of a sweep": (["-m", "seed=0,1", "resume=runs/missing"], ["resume", "hydra.sweep.dir"]),
    # sweeps are checked as a whole before the first search starts
    "one search of a sweep": (["-m", "target=[citeseer],[citeser]"], ["'citeser'", "Did you mean citeseer"]),
    "one value of a sweep": (["-m", "budget=6,many"], ["budget=many", "a whole number"]),
}


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(arguments, capsys):
    """The message with which ``ktnas search ARGUMENTS`` is refused."""
    assert main(["search", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("error: ") == 1
    assert "Traceback" not in printed.err
    return printed.err


@pytest.mark.parametrize("case", CASES)
def test_mistake_is_named_and_nothing_is_written(case, capsys, directory):
    arguments, said = CASES[case]

    message = refused(arguments, capsys)

    assert [words for words in said if words not in message] == []
    assert list(directory.iterdir()) == []


def test_mistake_shows_no_traceback_to_a_person(directory):
    command = [sys.executable, "-m", "ktnas", "search", "bugdet=50"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: Unknown key 'bugdet'. Did you mean budget")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("arch;score\n", ["scores.csv", "arch"]),
        ("arch,score\n|nor_conv_3x3~0|+|none~0|none~1|,1\n", ["scores.csv", "line 2"]),
        ("arch,score\n64-41414-1_02_333,1\n64-41414-1_02_333,2\n", ["scores.csv", "line 3"]),
        ("arch,score\n64-41414-1_02_333,nan\n64-41414-1_02_332,inf\n", ["scores.csv", "score"]),
        ("arch,score\n64-41414-1_02_333,1\n64-41414-1_02_332,high\n", ["scores.csv", "line 3", "high"]),
    ],
    ids=["missing column", "unparsable", "duplicate", "nothing finite", "not a number"],
)
def test_table_with_a_mistake_names_the_place(rows, said, capsys, directory):
    (directory / "scores.csv").write_text(rows)
    table = ["benchmark=table", "space=transnas_micro", "benchmark.scores=scores.csv", "target=[score]"]

    message = refused([*SMALL, *table, "objectives=[error]", "budget=1"], capsys)

    assert [words for words in said if words not in message] == []
    assert [path.name for path in directory.iterdir()] == ["scores.csv"]


def test_table_that_does_not_exist(capsys):
    table = ["benchmark=table", "space=transnas_micro", "benchmark.scores=missing.csv", "target=[score]"]
    assert "missing.csv" in refused([*SMALL, *table, "objectives=[error]"], capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is writable for root")
def test_unwritable_run_directory(capsys, directory):
    directory.chmod(0o500)
    try:
        assert "run" in refused([*SMALL, "hydra.run.dir=run"], capsys)
    finally:
        directory.chmod(0o700)


def test_run_directory_that_is_a_file(capsys, directory):
    (directory / "run").write_text("mine")

    assert "run" in refused([*SMALL, "hydra.run.dir=run"], capsys)
    assert (directory / "run").read_text() == "mine"


def test_ledger_of_another_configuration(capsys, directory):
    assert main(["search", *SMALL, "hydra.run.dir=run"]) == 0
    capsys.readouterr()
    before = (directory / "run" / "summary.json").read_bytes()

    message = refused([*SMALL, "seed=1", "hydra.run.dir=run"], capsys)

    assert all(words in message for words in ("seed", "0", "1", "run"))
    assert (directory / "run" / "summary.json").read_bytes() == before


def test_source_run_of_another_space(capsys, directory, data_dir):
    assert main(["search", *SMALL, "hydra.run.dir=run"]) == 0
    capsys.readouterr()

    message = refused(["benchmark=nasbench201", "source=run", "target=[cifar10]"], capsys)

    assert "nasbench_graph" in message
    assert "nasbench201" in message
