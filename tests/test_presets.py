import pytest

from ktnas import presets
from ktnas.cli import composition
from ktnas.engine import schema
from ktnas.errors import UserError
from ktnas.registry import PLUGINS, build

PARTS = [part for part in schema.PARTS if part != "benchmark"]


def from_command_line(*overrides):
    with composition.hydra_session():
        return composition.compose(overrides).config


@pytest.mark.parametrize("algorithm", presets.group_options("algorithm"))
def test_algorithm_is_the_same_with_and_without_hydra(algorithm):
    composed = presets.compose(algorithm)

    assert composed == from_command_line(f"algorithm={algorithm}")
    assert composed.algorithm == algorithm
    assert presets.describe_option("algorithm", algorithm)


@pytest.mark.parametrize("benchmark", presets.group_options("benchmark"))
def test_benchmark_is_the_same_with_and_without_hydra(benchmark):
    assert presets.compose(benchmark=benchmark) == from_command_line(f"benchmark={benchmark}")


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group in PARTS for name in presets.group_options(group)]
)
def test_every_part_builds_and_spells_out_its_parameters(group, name):
    option = presets.load_option(group, name)

    assert option["name"] == name
    if name in PLUGINS[group]:
        part = build(group, option)
        assert {key: getattr(part, key) for key in option if key != "name"} == {
            key: tuple(value) if isinstance(getattr(part, key), tuple) else value
            for key, value in option.items()
            if key != "name"
        }


@pytest.mark.parametrize("group", PARTS)
def test_every_registered_part_has_a_preset(group):
    assert set(PLUGINS[group]) <= set(presets.group_options(group))


@pytest.mark.parametrize(
    ("overrides", "arguments"),
    [
        ({"budget": 7, "seed": 3}, ["budget=7", "seed=3"]),
        ({"transfer": "random"}, ["transfer=random"]),
        ({"transfer": {"name": "elite", "n": 2}}, ["transfer=elite", "transfer.n=2"]),
        ({"transfer.n": 2}, ["transfer.n=2"]),
        ({"transfer": {"n": 2}}, ["transfer.n=2"]),
        ({"variation": {"offspring": 3}}, ["variation.offspring=3"]),
        ({"limits.latency": 4}, ["limits.latency=4"]),
        ({"until": {"citeseer": 25.5}}, ["until={citeseer: 25.5}"]),
        ({"until": {"citeseer": 25.5}}, ["until.citeseer=25.5"]),
        ({"objectives": "error"}, ["objectives=error"]),
        ({"objectives": ["error"]}, ["objectives=[error]"]),
        ({"target": ["cora"], "source": []}, ["target=[cora]", "source=[]"]),
        ({"target": "cora"}, ["target=cora"]),
    ],
)
def test_overrides_are_the_same_with_and_without_hydra(overrides, arguments):
    assert presets.compose(overrides=overrides) == from_command_line(*arguments)


def test_choice_of_a_part_overrules_the_algorithm_whatever_the_order():
    for arguments in (["algorithm=ktnas", "transfer=random"], ["transfer=random", "algorithm=ktnas"]):
        config = from_command_line(*arguments)
        assert config.transfer["name"] == "random"
        assert config.algorithm == "ktnas"


def test_benchmark_changes_are_laid_over_its_preset():
    composed = presets.compose(benchmark={"name": "table", "scores": "mine.csv", "unit": {"a": "%"}})

    assert composed.benchmark["scores"] == "mine.csv"
    assert composed.benchmark["metrics"] == {"score": "{task}"}
    assert composed == from_command_line(
        "benchmark=table", "benchmark.scores=mine.csv", "benchmark.unit={a: '%'}"
    )


def test_benchmark_may_be_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nspace: transnas_micro\nscores: mine.csv\n")

    assert presets.compose(benchmark=str(path)).benchmark == {
        "name": "mine",
        "space": "transnas_micro",
        "scores": "mine.csv",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"algorithm": "ktnsa"}, "Unknown algorithm 'ktnsa'. Did you mean ktnas"),
        ({"benchmark": "nasbench"}, "Unknown benchmark 'nasbench'. Did you mean nasbench"),
        ({"benchmark": "missing.yaml"}, "no file missing.yaml"),
        ({"overrides": {"transfer": "rnak"}}, "Unknown transfer 'rnak'. Did you mean rank"),
        ({"overrides": {"transfer": 3}}, "transfer=3: expected a name"),
        ({"overrides": {"bugdet": 3}}, "Unknown key 'bugdet'. Did you mean budget"),
        ({"overrides": {"limits.latncy": 3}}, "Unknown key 'limits.latncy'. Did you mean limits.latency"),
        (
            {"overrides": {"limits": {"latncy": 3}}},
            "Unknown key 'limits.latncy'. Did you mean limits.latency",
        ),
        ({"overrides": {"budget": "many"}}, "budget=many: expected a whole number"),
        ({"overrides": {"budget": 1.5}}, "budget=1.5: expected a whole number"),
        ({"overrides": {"budget": None}}, "budget=null: a value is required"),
        ({"overrides": {"until": {"cora": "low"}}}, "until.cora=low: expected a number"),
        ({"overrides": {"limits": 3}}, "limits is a group of settings"),
        ({"overrides": {"budget": "${bugdet}"}}, "budget: Interpolation key 'bugdet' not found"),
    ],
)
def test_mistakes_are_named(arguments, said):
    with pytest.raises(UserError) as caught:
        presets.compose(**arguments)

    assert said in str(caught.value)


def test_unknown_group_is_named():
    with pytest.raises(UserError, match="Unknown group of presets 'transfr'"):
        presets.group_options("transfr")
