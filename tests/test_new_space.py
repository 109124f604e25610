"""A space of a known family is a YAML file alone: written here, then searched."""

import pytest
import yaml

import ktnas
from ktnas.errors import UserError
from ktnas.space import load_space

COMMON = {"name": "mine", "description": "mine", "paper": "none"}
CHAIN = COMMON | {
    "family": "chain",
    "positions": 5,
    "operations": ["none", "keep", "strided"],
    "symbols": ["", "k", "s"],
    "absent": "none",
    "shortest": 3,
    "require": [{"operations": ["strided"], "least": 1, "most": 2}],
    "text": "<{block_1}{block_2}{block_3}{block_4}{block_5}>",
}
STAGES = COMMON | {
    "family": "chain",
    "positions": 4,
    "factors": [{"name": "ks", "values": [3, 5]}, {"name": "e", "values": [2, 4]}],
    "absent": "none",
    "stages": 2,
    "depths": [1, 2],
    "settings": [{"name": "r", "values": [8, 16]}],
    "distinct": "canonical",
    "text": "{ks_1}{ks_2}{ks_3}{ks_4} {e_1}{e_2}{e_3}{e_4} {d_1}{d_2} {r}",
}
ADJACENCY = COMMON | {
    "family": "adjacency_cell",
    "nodes": 4,
    "max_edges": 4,
    "operations": ["conv", "pool"],
    "distinct": "canonical",
    "text": "{edge_0_1}{edge_0_2}{edge_1_2}{edge_0_3}{edge_1_3}{edge_2_3} {operation_1} {operation_2}",
}
NODES = COMMON | {
    "family": "node_cell",
    "cells": ["a", "b"],
    "cell_inputs": 2,
    "nodes": 2,
    "inputs_per_node": 2,
    "operation_per": "input",
    "operations": ["none", "conv", "pool"],
    "zero": "none",
    "distinct": "canonical",
    "text": " ".join(
        f"{{{cell}_operation_{node}_{slot}}}@{{{cell}_input_{node}_{slot}}}"
        for cell in "ab"
        for node in (1, 2)
        for slot in (1, 2)
    )
    + " {a_concat}",
}
EDGES = COMMON | {
    "family": "edge_cell",
    "nodes": 3,
    "operations": ["none", "skip", "conv"],
    "symbols": ["0", "1", "2"],
    "also": [{"text": "({edge_0_1}, {edge_0_2}, {edge_1_2})", "symbols": ["n", "s", "c"]}],
    "text": "{edge_0_1}-{edge_0_2}{edge_1_2}",
}


def write(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def length(text):
    return {"score": sum(map(ord, text)) % 97}


@pytest.mark.slow
@pytest.mark.parametrize("content", [CHAIN, STAGES, ADJACENCY, NODES, EDGES], ids=lambda c: c["family"])
def test_it_is_searched(tmp_path, content):
    benchmark = {"name": "function", "space": write(tmp_path, content), "functions": {"mine": length}}
    result = ktnas.search(benchmark, target="mine", objectives="error", budget=8)
    assert len(result.evaluations) == 8
    assert result.evaluations["architecture"].nunique() == 8
    assert result.evaluations["error"].notna().all()


def test_sizes_of_chains(tmp_path):
    chain = load_space(write(tmp_path, CHAIN))
    lengths = [sum(1 for g in chain.architectures() if (g > 0).sum() == n) for n in (3, 4, 5)]
    assert lengths == [3 + 3, 4 + 6, 5 + 10]
    stages = load_space(write(tmp_path, STAGES))
    assert stages.n_architectures == (4 + 16) ** 2 * 2


def test_another_form_is_read(tmp_path):
    space = load_space(write(tmp_path, EDGES))
    assert space.parse(["(c, s, n)"]).tolist() == space.parse(["2-10"]).tolist() == [[2, 1, 0]]
    with pytest.raises(UserError, match=r"Cannot read '\(c, s, x\)'"):
        space.parse(["(c, s, n)", "(c, s, x)"])


def test_zero_operations_do_not_count_in_a_cell_of_nodes(tmp_path):
    space = load_space(write(tmp_path, NODES))
    text = "conv@0 none@{0} conv@2 pool@1 conv@0 conv@1 conv@1 conv@2 [3]"
    texts = [text.replace("{0}", number) for number in "01"]
    assert len(set(space.keys(space.parse(texts)).tolist())) == 1
    with pytest.raises(UserError, match=r"a_concat must be \[3\]"):
        space.parse([texts[0].replace("[3]", "[2, 3]")])


@pytest.mark.parametrize(
    ("content", "change", "message"),
    [
        (CHAIN, {"positions": 0}, "positions: 0 must be 1 or more"),
        (CHAIN, {"absent": "skip"}, "operation of absent: 'skip'"),
        (CHAIN, {"absent": None}, "absent: must name"),
        (
            CHAIN,
            {"require": [{"operations": ["stride"]}]},
            "operation of require: 'stride'. Did you mean strided",
        ),
        (CHAIN, {"require": [{"operation": ["strided"]}]}, "require: "),
        (STAGES, {"operations": ["a"]}, "operations: with factors"),
        (STAGES, {"stages": 3}, "stages: 4 positions do not fall into 3"),
        (STAGES, {"depths": []}, "stages: stages and depths"),
        (STAGES, {"depths": [3]}, "depths: '3' must be a whole number from 0 to 2"),
        (STAGES, {"factors": "ks"}, "factors: "),
        (ADJACENCY, {"nodes": 1}, "nodes: 1 must be 2 or more"),
        (ADJACENCY, {"max_edges": 0}, "max_edges: 0 must be 1 or more"),
        (NODES, {"operation_per": "edge"}, "value of operation_per: 'edge'"),
        (NODES, {"output": "last"}, "value of output: 'last'"),
        (NODES, {"inputs_per_node": 3, "distinct_inputs": True}, "distinct_inputs: the first node"),
        (EDGES, {"also": [{"symbols": ["a", "b", "c"]}]}, "key 'text' is missing"),
        (EDGES, {"also": [{"text": "{edge_0_1}{edge_0_2}{edge_1_2}", "symbols": ["a"]}]}, "also: symbols"),
        (EDGES, {"also": [{"text": "{edge_0_1}"}]}, "text: .* each variable once"),
        (EDGES, {"network": {"name": 3}, "count": "many"}, "count: "),
    ],
)
def test_a_wrong_value_is_named(tmp_path, content, change, message):
    with pytest.raises(UserError, match=f"mine.yaml: .*{message}"):
        load_space(write(tmp_path, content | change))
