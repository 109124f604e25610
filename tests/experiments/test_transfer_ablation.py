import pandas as pd
import pytest

from experiments.transfer_ablation import HOSTS, TASKS, main, search_config, table

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.mark.parametrize(
    ("host", "method"), [(host, method) for host, own in HOSTS.items() for method in own]
)
def test_methods_differ_in_transfer_and_encoding_alone(host, method):
    reference = search_config(host, "none", "nasbench_graph")
    config = search_config(host, method, "nasbench_graph")

    assert (config.target, config.source) == (list(TASKS["nasbench_graph"]), [])
    for part in ("budget", "population", "initial", "variation", "surrogate", "screen", "survival"):
        assert getattr(config, part) == getattr(reference, part)


def test_settings_of_transfer_rank():
    settings = [
        search_config("ktnas_paper", name, "transnas_micro").transfer
        for name in (
            "rank on arch2vec",
            "rank on arch2vec r=10%",
            "rank on arch2vec m=1",
            "rank on arch2vec n=8",
        )
    ]

    assert [(own["top"], own["memory"], own["n"]) for own in settings] == [
        (0.2, 5, 4),
        (0.1, 5, 4),
        (0.2, 1, 4),
        (0.2, 5, 8),
    ]


def test_runs_and_resumes(tmp_path, capsys):
    arguments = ["--seeds", "2", "--budget", "12", "--hosts", "ktnas_paper", "--out", str(tmp_path)]
    arguments += ["--methods", "none,rank on cell", "--benchmarks", "nasbench201,transnas_micro"]
    main(arguments)
    rows = pd.read_csv(tmp_path / "transfer_ablation.csv")
    page = (tmp_path / "transfer_ablation.md").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("\n") == 8

    main(arguments)

    assert capsys.readouterr().err == ""
    assert (tmp_path / "transfer_ablation.md").read_text(encoding="utf-8") == page
    assert (rows[rows["setting"].str.endswith("nasbench201")]["value"] == 36).all()
    assert rows[~rows["setting"].str.endswith("nasbench201")]["value"].between(0, 13).all()


def test_table():
    rows = pd.DataFrame(
        {"setting": "ktnas, nasbench201", "method": ["none", "none", "elite", "elite"], "seed": [0, 1, 0, 1]}
        | {"value": [40.0, 42.0, 39.0, 45.0]}
    )

    lines = table(rows, "ktnas", ["nasbench201"]).splitlines()

    assert lines[2:] == ["| none | 41.00 ± 1.00 | – |", "| elite | 42.00 ± 3.00 | – |"]
