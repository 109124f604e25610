import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from experiments.common import Job, command_line, config_hash, options, run_jobs
from ktnas.presets import compose

ROOT = Path(__file__).parents[2]


def jobs(*seeds, method="a", config="c1"):
    return [Job("setting, one", method, seed, config, partial(dict, total=seed + 0.1)) for seed in seeds]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "runs.csv"


def progress(capsys):
    return capsys.readouterr().err.splitlines()


def test_every_job_is_one_row(path, capsys):
    rows = run_jobs(path, jobs(3, 1, 2))

    assert rows["seed"].tolist() == [3, 1, 2]
    assert rows["total"].tolist() == [3.1, 1.1, 2.1]
    assert list(rows) == ["setting", "method", "seed", "config", "ktnas", "code", "seconds", "total"]
    assert pd.read_csv(path).shape == (3, 8)
    assert len(progress(capsys)) == 3


def test_finished_jobs_are_skipped(path, capsys):
    run_jobs(path, jobs(1, 2))
    before = path.read_text()
    progress(capsys)

    assert run_jobs(path, jobs(2))["total"].tolist() == [2.1]
    assert path.read_text() == before
    assert run_jobs(path, jobs(1, 2, 3))["total"].tolist() == [1.1, 2.1, 3.1]
    assert path.read_text().startswith(before)
    assert len(progress(capsys)) == 1


def test_processes_change_nothing(path, tmp_path):
    alone, together = run_jobs(path, jobs(1, 2, 3)), run_jobs(tmp_path / "b.csv", jobs(1, 2, 3), workers=2)

    pd.testing.assert_frame_equal(alone.drop(columns="seconds"), together.drop(columns="seconds"))


def test_row_cut_off_by_a_kill_is_run_again(path):
    whole = run_jobs(path, jobs(1, 2))
    path.write_text(path.read_text()[:-4])

    again = run_jobs(path, jobs(1, 2))

    pd.testing.assert_frame_equal(whole.drop(columns="seconds"), again.drop(columns="seconds"))
    assert len(pd.read_csv(path)) == 2


def test_rows_of_another_configuration_are_not_mixed(path):
    run_jobs(path, [*jobs(1, 2), *jobs(1, method="b")])
    before = path.read_text()

    with pytest.raises(SystemExit, match=r"holds 2 runs .* --replace"):
        run_jobs(path, jobs(1, config="c2"))
    assert path.read_text() == before


def test_other_configurations_that_change_nothing_keep_their_runs(path, capsys):
    before = run_jobs(path, [*jobs(1, 2, 3, 4), *jobs(1, method="b")])
    progress(capsys)

    after = run_jobs(path, [*jobs(1, 2, 3, 4, config="c2"), *jobs(1, method="b")], replace=True)

    assert after["config"].tolist() == ["c2"] * 4 + ["c1"]
    pd.testing.assert_frame_equal(after.drop(columns="config"), before.drop(columns="config"))
    assert len(progress(capsys)) == 2


def test_other_configurations_that_change_numbers_lose_their_runs(path, capsys):
    def changed(*seeds):
        return [
            replace(job, measure=partial(dict, total=job.seed + 0.2)) for job in jobs(*seeds, config="c2")
        ]

    run_jobs(path, [*jobs(1, 2, 3, 4), *jobs(1, method="b")])
    progress(capsys)

    after = run_jobs(path, changed(2, 3, 5), replace=True)

    assert after["total"].tolist() == [2.2, 3.2, 5.2]
    assert len(progress(capsys)) == 3
    kept = pd.read_csv(path)
    assert set(zip(kept["method"], kept["config"], strict=True)) == {("a", "c2"), ("b", "c1")}


def test_runs_of_other_configurations_without_a_like_are_dropped(path):
    run_jobs(path, jobs(1, 2))

    other = Job("setting, one", "a", 3, "c2", partial(dict, share=1.0))

    assert run_jobs(path, [other], replace=True)["share"].tolist() == [1.0]
    assert pd.read_csv(path)["seed"].tolist() == [3]


def test_other_columns_are_refused(path):
    run_jobs(path, jobs(1))

    with pytest.raises(SystemExit, match="other columns"):
        run_jobs(path, [Job("setting, one", "a", 2, "c1", partial(dict, share=1.0))])


def test_config_hash_is_of_what_decides_the_numbers():
    def hashed(**overrides):
        return config_hash(compose("random", overrides=overrides))

    assert hashed() == hashed(seed=7, workers=2)
    assert len({hashed(), hashed(budget=7), hashed(population=7), hashed(benchmark="nasbench201")}) == 4
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1, "seed": 3})


def test_options(capsys):
    parser = options("one", "What it does.", ["a", "b"])

    assert parser.parse_args([]).methods == ["a", "b"]
    assert parser.parse_args(["--methods", "b"]).methods == ["b"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--methods", "a,c"])
    assert "unknown: c; valid: a, b" in capsys.readouterr().err


def test_command_line_can_be_typed_again():
    assert command_line("one", ["--out", "my results"]) == "python -m experiments.one --out 'my results'"


@pytest.mark.slow
def test_worker_processes_find_what_a_command_sends_them(tmp_path):
    small = ["--methods", "random", "--seeds", "1", "--pairs", "cora:citeseer,citeseer:cora"]
    small += ["--source-budget", "20", "--workers", "2", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.disagreeing_tasks", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "disagreeing_tasks.csv")) == 2
