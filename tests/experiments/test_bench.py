from experiments.bench import Stopwatch, main
from ktnas.engine.progress import ProgressEvent


def test_runs(tmp_path, capsys):
    main(["--repeats", "1", "--budget", "6", "--genotypes", "2000", "--out", str(tmp_path)])

    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    for words in (
        "ktnas ÷ Optuna TPE",
        "transfer rank, 20 candidates",
        "cell features, 15,625",
        "2,000 genotypes of DARTS mutated and rid of duplicates",
        "commits per s",
    ):
        assert words in page
    assert "cores" in page
    assert page in capsys.readouterr().out


def test_stopwatch_leaves_the_source_out():
    def event(role):
        return ProgressEvent(task=role, role=role, done=1, budget=2, best_error=1.0)

    watch = Stopwatch()
    watch.start({"source": 1, "target": 1})
    watch.update(event("source"))
    began = watch.began
    watch.update(event("target"))

    assert watch.began == began < watch.ended
