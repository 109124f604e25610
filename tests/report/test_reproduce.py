import shlex

import pytest

from ktnas.cli.composition import compose as compose_command
from ktnas.cli.composition import hydra_session
from ktnas.engine.config import plain_config
from ktnas.presets import compose
from ktnas.record.ledger import read_ledger
from ktnas.report.reproduce import hydra_text, reproduction, search_command


@pytest.mark.parametrize(
    ("algorithm", "benchmark", "overrides"),
    [
        ("ktnas", "nasbench_graph", {}),
        (
            "nsga2",
            "nasbench201",
            {"budget": 7, "device": ["pixel3", "fpga"], "limits.latency": {"pixel3": 5}},
        ),
        ("ktnas", "transnas_micro", {"transfer": "random", "transfer.n": 3, "objectives": ["error"]}),
        ("random", "nasbench_graph", {"until": {"citeseer": 2.5}, "source": "runs/with space, comma"}),
        ("ktnas", "function", {"benchmark.functions": {"mine": "module:score"}, "space": "darts"}),
        ("mtnas", "nasbench_graph", {"variation.mutation_rate": 0.25, "timeout": 1.5, "target": ["cs"]}),
    ],
)
def test_the_command_composes_to_the_same_configuration(algorithm, benchmark, overrides):
    config = plain_config(compose(algorithm, benchmark, overrides))
    ktnas, search, *words = shlex.split(search_command(config))

    assert (ktnas, search) == ("ktnas", "search")
    with hydra_session():
        assert plain_config(compose_command(words).config) == config


def test_only_what_differs_is_said():
    assert search_command(plain_config(compose())) == "ktnas search"
    config = plain_config(compose("random", overrides={"seed": 4}))
    assert search_command(config, source="[]") == "ktnas search algorithm=random seed=4 'source=[]'"


def test_what_presets_do_not_give_is_no_command():
    config = plain_config(compose())
    for changes in (
        {"algorithm": "mine"},
        {"benchmark": {"name": "mine"}},
        {"transfer": {"name": "mine"}},
        {"screen": {"name": "surrogate"}},
        {"benchmark": "nasbench_graph"},
    ):
        assert search_command(config | changes) is None


def test_else_the_configuration_file_is_taken(write_run, evaluations):
    rows = evaluations("cifar100", "target", 2)
    run = write_run("a run", rows, changes={"transfer": {"name": "mine"}})
    assert reproduction(read_ledger(run)) == (
        f"mkdir again && cp '{run}/config.yaml' again/\nktnas search resume=again"
    )
    script = {"benchmark": {"name": "function", "functions": {"mine": "__main__:score"}}}
    run = write_run("script", rows, changes=script)
    assert "run the script again" in reproduction(read_ledger(run))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0.5, "0.5"),
        ("runs/a.b-c", "runs/a.b-c"),
        ("null", "'null'"),
        ("1", "'1'"),
        ("it's", r"'it\'s'"),
        (["a", 1], "[a,1]"),
        ({"a": {"b": None}}, "{a:{b:null}}"),
    ],
)
def test_values_as_hydra_reads_them(value, text):
    assert hydra_text(value) == text
