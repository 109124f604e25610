import pytest

from ktnas.cli.main import main
from ktnas.record.description import Objective, RunDescription
from ktnas.record.evaluation import Evaluation
from ktnas.record.ledger import Ledger
from ktnas.report import page

RUN = RunDescription(
    (Objective("error", "error"), Objective("latency", "latency_ms_gpu", "gpu")),
    {"citeseer": "target"},
    ("gpu",),
    config={"space": "nasbench_graph", "algorithm": "mine", "seed": 0, "budget": 5},
)
ARCHITECTURE = "Arch([0, 0, 1, 2], ['gcn', 'skip', 'gat', 'fc'])"


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run that was killed after one evaluation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_plotly", lambda: "/* plotly */")
    with Ledger.open(tmp_path / "run", {}, RUN) as ledger:
        metrics = {"error": 3.0, "latency_ms_gpu": 1.0}
        ledger.record([Evaluation(0, 0, "citeseer", "target", ARCHITECTURE, "0" * 16, "ok", metrics)])
    return tmp_path / "run"


def test_into_the_run_directory(run_dir, capsys):
    assert main(["report", "run"]) == 0
    assert capsys.readouterr().out == "run/report.html\n"
    assert "<svg" in (run_dir / "report.html").read_text().replace("\\u003c", "<")


def test_into_a_file(run_dir, capsys, tmp_path):
    assert main(["report", str(run_dir), "--out", "pages/mine.html"]) == 0
    assert capsys.readouterr().out == "pages/mine.html\n"
    assert (tmp_path / "pages" / "mine.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "nothing does not exist"),
        (["empty"], "empty holds no run"),
        (["run", "--out", "/proc/no/page.html"], "Cannot write /proc/no/page.html"),
    ],
)
def test_mistakes(run_dir, capsys, tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    assert main(["report", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {said}")
