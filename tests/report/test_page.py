import json
import re

import pandas as pd
import pytest

from ktnas.errors import UserError
from ktnas.record.description import Objective
from ktnas.record.ledger import read_ledger
from ktnas.record.view import FrontView
from ktnas.report import content
from ktnas.report import page as page_module
from ktnas.report.page import render, script_json, write_report


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No plotly, whose five megabytes would only slow these tests down, and boxes for drawings."""
    monkeypatch.setattr(page_module, "_plotly", lambda: "/* plotly */")
    monkeypatch.setattr(content, "drawings", lambda space, texts: dict.fromkeys(texts, "<svg/>"))


@pytest.fixture
def both(evaluations):
    """A source and a target that share their first architectures."""
    return [
        *evaluations("cifar10", "source", 12),
        *evaluations("cifar100", "target", 20, first=12, predicted=True),
    ]


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


def words(page):
    """What the page says, without markup, scripts and line breaks."""
    visible = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", visible)


def test_one_run_is_told_in_full(write_run, both):
    run = write_run("run", both, source=["cifar10"])
    page = render([run])
    said = words(page)

    record = read_ledger(run)
    (spec,) = [spec for spec in record.description.fronts() if spec.role == "target"]
    view = FrontView.of(spec, record.evaluations)
    on_front = [e for e, shown in zip(view.evaluations, view.front, strict=True) if shown]
    assert all(evaluation.architecture in said for evaluation in on_front)
    assert f"{min(e.metrics['error'] for e in on_front):.5g}" in said
    assert "cifar10 12/20, cifar100 20/20" in said
    assert "12 of 20 evaluations of cifar100 were of architectures that another task had evaluated" in said
    assert "5 of the 32 evaluations of run did not succeed" in said
    assert "ValueError: &lt;b&gt;no memory&lt;/b&gt; &amp; no hope" in page
    command = "algorithm=nsga2 benchmark=nasbench201 budget=20 device=[phone] source=[cifar10]"
    assert f"ktnas search {command}" in said.replace("&#39;", "")
    assert "How many evaluations the sources saved cannot be told from one run" in said
    assert re.search(r"ktnas 0\.\S+, python 3\.", said)


def test_figures_hold_every_evaluation_that_succeeded(write_run, both):
    data = data_of(render([write_run("run", both, source=["cifar10"])]))

    table = data["tables"]["0/cifar100"]
    succeeded = [e for e in both if e.task == "cifar100" and e.status == "ok"]
    assert table["architecture"] == [e.architecture for e in succeeded]
    others, front = (t for t in data["figures"]["c0f1"]["data"] if "meta" in t)
    assert sorted(others["customdata"] + front["customdata"]) == list(range(len(succeeded)))
    for trace in (others, front):
        for row, x, y in zip(trace["customdata"], trace["x"], trace["y"], strict=True):
            assert x == pytest.approx(succeeded[row].metrics["latency_ms_phone"])
            assert y == pytest.approx(succeeded[row].metrics["error"])
    assert front["x"] == sorted(front["x"])
    assert {table["key"][row] for row in front["customdata"]} == data["drawings"].keys()


def test_predicted_latencies_have_error_bars(write_run, both):
    page = render([write_run("run", both, source=["cifar10"])])
    data = data_of(page)

    assert "Diamonds are predicted, with their standard deviation" in words(page)
    table = data["tables"]["0/cifar100"]
    front = next(t for t in data["figures"]["c0f1"]["data"] if "error_x" in t)
    deviations = [table["metrics"]["latency_ms_phone_std"][row] for row in front["customdata"]]
    assert front["error_x"]["array"] == deviations
    assert front["marker"]["symbol"] == ["diamond" if value > 0 else "circle" for value in deviations]


def test_several_runs_lie_over_each_other(write_run, evaluations):
    alone = [
        write_run(f"alone{seed}", evaluations("cifar100", "target", 20, seed=seed), seed=seed)
        for seed in (1, 2)
    ]
    lent = write_run(
        "lent",
        [*evaluations("cifar10", "source", 8), *evaluations("cifar100", "target", 20, first=8, seed=3)],
        source="earlier",
        fingerprint={"source": {"run": "0123abcd"}},
    )
    page = render([*alone, lent])
    data, said = data_of(page), words(page)

    assert {t["name"] for t in data["figures"]["c0f1"]["data"]} - {"evaluated"} == {
        "nsga2 source=earlier",
        "nsga2 source=null",
    }
    assert sorted(data["tables"]) == ["0/cifar100", "1/cifar100", "2/cifar100"]
    assert "evaluations to error ≤" in said
    assert "taken over from the run earlier (digest of its rows: 0123abcd)" in said
    assert "Front of all runs together" in said
    assert set(data["figures"]) == {"c0f1", "c0error", "c0hypervolume"}


def test_a_run_of_one_objective(write_run, evaluations):
    run = write_run("run", evaluations("cifar100", "target", 20), objectives=(Objective("error", "error"),))
    data = data_of(render([run]))

    assert list(data["figures"]) == ["c0f0"]
    everything, best, line = data["figures"]["c0f0"]["data"]
    assert len(everything["x"]) == 17
    assert best["y"] == [min(everything["y"])]
    assert line["y"][-1] == min(everything["y"])


def test_runs_that_are_not_finished(write_run, evaluations):
    nothing = write_run("nothing", evaluations("cifar100", "target", 20)[3:4], finished=False)
    begun = write_run("begun", evaluations("cifar100", "target", 9), finished=False)
    for run, said in (
        (nothing, "Nothing has succeeded: there is no front"),
        (begun, "is not finished: it counts with its 9 evaluations"),
    ):
        page = words(render([run]))
        assert said in page
        assert f"ktnas search resume={run}" in page


def test_measured_fronts_are_shown(write_run, evaluations):
    run = write_run("run", evaluations("cifar100", "target", 9))
    row = {"task": "cifar100", "device": "phone", "architecture": "a|b", "measured_ms": 3.25}
    pd.DataFrame([row]).to_csv(run / "measured_fronts.csv", index=False)

    assert "Fronts measured afterwards" in (said := words(render([run])))
    assert "cifar100 phone a|b 3.25" in said
    (run / "measured_fronts.csv").write_bytes(b'"')
    with pytest.raises(UserError, match=r"measured_fronts\.csv cannot be read"):
        render([run])


def test_a_space_that_is_gone_costs_the_drawings_alone(write_run, evaluations):
    run = write_run("run", evaluations("cifar100", "target", 9), changes={"space": "gone.yaml"})
    page = render([run])

    assert "Architectures are not drawn: There is no space file" in words(page)
    assert data_of(page)["drawings"] == {}


def test_the_page_is_the_same_again_and_asks_for_nothing(write_run, evaluations):
    run = write_run("run", evaluations("cifar100", "target", 9))
    page = render([run])

    assert render([run]) == page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "default-src 'none'" in page


def test_where_it_is_written(write_run, evaluations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = write_run("first", evaluations("cifar100", "target", 9))
    assert write_report([first]).resolve() == first / "report.html"
    write_run("second", evaluations("cifar100", "target", 9, seed=1), seed=1)
    assert write_report([tmp_path]).resolve() == tmp_path / "report.html"
    assert write_report([tmp_path], tmp_path / "new" / "page.html").is_file()


def test_data_cannot_end_its_element():
    text = script_json({"a": "</script><!--", "b": float("nan")})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--", "b": None}
