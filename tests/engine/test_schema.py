import math

import pytest

from ktnas import presets
from ktnas.engine import schema
from ktnas.errors import UserError


def test_functions_reach_the_search_as_they_are_and_are_written_by_name(tmp_path):
    composed = presets.compose(benchmark={"name": "function", "functions": {"sine": math.sin}})
    schema.write_config(composed, tmp_path / "config.yaml")

    assert composed.benchmark["functions"] == {"sine": math.sin}
    assert schema.read_config(tmp_path / "config.yaml").benchmark["functions"] == {"sine": "math:sin"}


@pytest.mark.parametrize("algorithm", presets.group_options("algorithm"))
def test_written_configuration_reads_back(algorithm, tmp_path):
    overrides = {"until": {"cora": 9.5}, "limits.latency": 3, "timeout": 1.5, "device": ["gpu"]}
    composed = presets.compose(algorithm, overrides=overrides)
    schema.write_config(composed, tmp_path / "config.yaml")

    assert schema.read_config(tmp_path / "config.yaml") == composed


@pytest.mark.parametrize("text", ["- a list", "budget: many", "budgte: 3", "a: [", "\x00"])
def test_unreadable_configuration_is_a_users_mistake(text, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)

    with pytest.raises(UserError):
        schema.read_config(path)
