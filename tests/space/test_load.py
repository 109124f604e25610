import numpy as np
import pytest
import yaml

from ktnas.errors import UserError
from ktnas.space import list_spaces, load_space

CELL = {
    "name": "tiny",
    "family": "edge_cell",
    "description": "Three nodes",
    "paper": "none",
    "nodes": 3,
    "operations": ["zero", "pass", "conv"],
    "zero": "zero",
    "identity": "pass",
    "text": "<{edge_0_1}|{edge_0_2}|{edge_1_2}>",
}


@pytest.fixture
def write(tmp_path):
    def write(content, name="tiny.yaml"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def test_names():
    assert list_spaces() == sorted(list_spaces())
    assert {"nasbench201", "nasbench_graph", "transnas_micro"} <= set(list_spaces())


def test_a_space_is_loaded_once():
    assert load_space("nasbench201") is load_space("nasbench201")


@pytest.mark.parametrize("name", list_spaces())
def test_a_space_is_named_like_its_file(name):
    space = load_space(name)
    assert space.name == name
    assert space.description
    assert space.paper


def test_a_new_edge_cell_is_a_yaml_file(write):
    space = load_space(write(CELL))
    assert space.size == 27
    assert space.parse(["<conv|pass|zero>"]).tolist() == [[2, 1, 0]]
    assert space.to_networkx(np.array([2, 1, 2])).number_of_nodes() == 5
    assert len(np.unique(space.keys(space.enumerate()))) < 27
    sample = space.sample(50, np.random.default_rng(0))
    assert space.valid(space.mutate(sample, np.random.default_rng(1))).all()


def test_a_changed_file_is_read_again(write):
    assert load_space(write(CELL)).size == 27
    assert load_space(str(write(CELL | {"operations": ["zero", "pass", "conv", "pool"]}))).size == 64


def test_a_node_cell_with_several_inputs(write):
    inputs = "".join(f"{{input_{node}_{slot}}}" for node in (1, 2, 3) for slot in (1, 2))
    text = inputs + " {operation_1} {operation_2} {operation_3}"
    cell = CELL | {"family": "node_cell", "inputs_per_node": 2, "text": text, "distinct": "canonical"}
    space = load_space(write(cell))
    genotype = space.parse(["000112 conv pass conv"])
    assert genotype.tolist() == [[0, 0, 0, 1, 1, 2, 2, 1, 2]]
    graph = space.to_networkx(genotype[0], pruned=True)
    names = dict(graph.nodes(data="operation"))
    assert sorted((names[a], names[b]) for a, b in graph.edges()) == [
        ("conv", "conv"),
        ("conv", "conv"),
        ("conv", "output"),
        ("input", "conv"),
        ("input", "conv"),
        ("input", "conv"),
    ]
    swapped = genotype[:, [0, 1, 3, 2, 5, 4, 6, 7, 8]].copy()
    swapped[0, 2:4] = genotype[0, 3], genotype[0, 2]
    assert (space.representative(swapped) == space.representative(genotype)).all()


def test_a_space_without_zero_and_identity(write):
    cell = {key: value for key, value in CELL.items() if key not in ("zero", "identity")}
    space = load_space(write(cell))
    assert len(np.unique(space.keys(space.enumerate()))) == 27


def test_beyond_enumeration_a_genotype_stands_for_itself(write):
    nodes = 9
    text = "".join(f"{{edge_{i}_{j}}}" for j in range(nodes) for i in range(j))
    cell = CELL | {"nodes": nodes, "text": text, "symbols": list("012"), "distinct": "canonical"}
    space = load_space(write(cell))
    assert space.size == 3**36
    assert space.n_architectures is None
    sample = space.sample(20, np.random.default_rng(0))
    np.testing.assert_array_equal(space.representative(sample), sample)
    mutants = space.mutate(sample, np.random.default_rng(0))
    assert (space.identities(mutants) != space.identities(sample)).all()
    with pytest.raises(ValueError, match="too many to enumerate"):
        space.enumerate()


def test_a_space_of_one_choice_cannot_change(write):
    cell = CELL | {"operations": ["conv"], "zero": None, "identity": None}
    space = load_space(write(cell))
    only = space.sample(3, np.random.default_rng(0))
    np.testing.assert_array_equal(space.mutate(only, np.random.default_rng(0)), only)
    assert len(space.neighbours(only)) == 0


def test_a_mutant_of_a_lonely_architecture_is_itself(write):
    cell = CELL | {"operations": ["zero", "conv"], "distinct": "canonical", "nodes": 2, "text": "{edge_0_1}"}
    space = load_space(write(cell | {"identity": None, "allow_empty": False}))
    assert space.architectures().tolist() == [[1]]
    assert space.mutate(np.array([[1]]), np.random.default_rng(0)).tolist() == [[1]]


def test_braces_and_symbols_in_texts(write):
    cell = CELL | {"text": "{{{edge_0_1}%s{edge_1_2}{edge_0_2}}}", "symbols": ["z.", "p*", "100%"]}
    space = load_space(write(cell))
    texts = space.format(space.enumerate())
    assert texts[5] == "{z.%s100%p*}"
    np.testing.assert_array_equal(space.parse(texts), space.enumerate())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": None}, "Unknown family 'None'"),
        ({"family": "edge_sell"}, "Unknown family 'edge_sell'. Did you mean edge_cell"),
        ({"node": 3}, "Unknown key 'node'. Did you mean nodes"),
        ({"nodes": "four"}, "nodes: Value 'four'"),
        ({"nodes": 1}, "nodes: 1 must be 2 or more"),
        ({"nodes": None}, "nodes: "),
        ({"operations": "conv"}, "operations: "),
        ({"operations": []}, "operations: "),
        ({"operations": ["zero", "pass"], "allow_empty": False}, "operations: .* neither zero nor identity"),
        ({"operations": ["a", "a"]}, "operations: .* different names"),
        ({"operations": [["a"], "b"]}, "operations: "),
        ({"zero": "nothing"}, "zero: 'nothing'.*Valid: conv, pass, zero"),
        ({"identity": "skip"}, "identity: 'skip'"),
        ({"symbols": ["0", "1"]}, "symbols: .* must be 3 different texts"),
        ({"distinct": "graph"}, "distinct: 'graph'.*canonical, genotype"),
        ({"allow_empty": "perhaps"}, "allow_empty: "),
        ({"text": "{edge_0_1}{edge_0_2}"}, "text: .* each variable once: edge_0_1, edge_0_2, edge_1_2"),
        ({"text": "{edge_0_1}{edge_0_2}{edge_1_2}{edge_1_2}"}, "text: "),
        ({"text": "{edge_0_1"}, "text: "),
        ({"text": ""}, "text: "),
        ({"text": "${oc.env:HOME}"}, "text: "),
        ({"paper": "${nowhere}"}, "paper"),
    ],
)
def test_a_wrong_value_is_named(write, change, message):
    with pytest.raises(UserError, match=f"tiny.yaml: .*{message}"):
        load_space(write(CELL | change))


@pytest.mark.parametrize("key", ["name", "family", "nodes", "operations", "text", "paper", "description"])
def test_a_missing_key_is_named(write, key):
    with pytest.raises(UserError, match=f"tiny.yaml: key '{key}' is missing"):
        load_space(write({name: value for name, value in CELL.items() if name != key}))


@pytest.mark.parametrize(
    "content", ["", "- a\n- b\n", "just text", "a: [1", "a: 1\na: 2", "\x00", "!!python/name:os.system {}"]
)
def test_what_is_no_space_is_refused(write, content):
    with pytest.raises(UserError, match=r"tiny\.yaml: "):
        load_space(write(content))


def test_unknown_names_and_files():
    with pytest.raises(UserError, match=r"Unknown space 'nasbench_201'\. Did you mean nasbench201"):
        load_space("nasbench_201")
    with pytest.raises(UserError, match=r"no space file 'nowhere\.yaml'"):
        load_space("nowhere.yaml")
