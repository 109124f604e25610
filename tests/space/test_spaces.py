"""The spaces that come with ktnas."""

import time

import numpy as np
import pandas as pd
import pytest
from nas_bench_graph.architecture import Arch, gnn_list

from ktnas.space import TextError, list_spaces, load_space
from tests.space.contract import SpaceContract


class TestNasBench201(SpaceContract):
    name = "nasbench201"

    def test_known_text(self):
        text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
        assert self.space.parse([text]).tolist() == [[3, 0, 1, 4, 2, 0]]

    def test_known_graph(self):
        genotype = self.space.parse(
            ["|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|none~2|"]
        )
        graph = self.space.to_networkx(genotype[0], pruned=True)
        names = dict(graph.nodes(data="operation"))
        assert sorted((names[a], names[b]) for a, b in graph.edges()) == [
            ("avg_pool_3x3", "output"),
            ("input", "nor_conv_3x3"),
            ("nor_conv_3x3", "avg_pool_3x3"),
        ]

    def test_swapping_interchangeable_nodes_keeps_the_key(self):
        genotypes = self.draw(0, 500)
        genotypes[:, 2] = self.space.operations.index("none")  # 1→2: the nodes 1 and 2 are parallel
        swapped = genotypes[:, [1, 0, 2, 3, 5, 4]]
        np.testing.assert_array_equal(self.space.keys(swapped), self.space.keys(genotypes))
        different = (swapped != genotypes).any(axis=1)
        assert (self.space.identities(swapped) != self.space.identities(genotypes))[different].all()

    def test_every_text_is_read_and_keyed_within_a_second(self):
        texts = self.space.format(self.space.enumerate())
        start = time.perf_counter()
        keys = self.space.keys(self.space.parse(texts))
        assert time.perf_counter() - start < 1.0
        assert len(keys) == 15_625

    def test_keys_are_stable_across_versions(self):
        genotype = self.space.parse([self.space.example])
        assert self.space.keys(genotype)[0] == 0x2941276A7D0B1F49
        assert self.space.identities(genotype)[0] == 0xE5EE912B27D2CBB8

    def test_texts_of_the_tables(self, data_dir):
        check_texts(self.space, data_dir / "nasbench201_accuracy.csv.gz")
        check_texts(self.space, data_dir / "nasbench201_latency_ms.csv.gz")


class TestTransnasMicro(SpaceContract):
    name = "transnas_micro"

    def test_known_text(self):
        assert self.space.parse(["64-41414-2_01_203"]).tolist() == [[2, 0, 1, 2, 0, 3]]

    def test_its_graphs_are_those_of_nasbench201(self):
        genotypes = self.draw(0)
        np.testing.assert_array_equal(self.space.keys(genotypes), load_space("nasbench201").keys(genotypes))

    def test_texts_of_the_table(self, data_dir):
        check_texts(self.space, data_dir / "transnas_micro_score.csv.gz")


class TestNasBenchGraph(SpaceContract):
    name = "nasbench_graph"

    def test_known_text(self):
        for text in (
            "Arch([0, 1, 2, 1], ['gcn', 'gin', 'fc', 'cheb'])",
            'Arch( [0,1,2,1], ["gcn","gin","fc","cheb"] )',
        ):
            assert self.space.parse([text]).tolist() == [[0, 1, 2, 1, 1, 2, 7, 3]]

    def test_operations_are_in_the_order_of_the_package(self):
        assert list(self.space.operations) == gnn_list

    def test_architectures_are_exactly_those_of_the_package(self):
        genotypes = self.space.enumerate()
        assert self.space.size == 157_464
        assert self.space.size - len(genotypes) == 24  # all skips, on each of 24 wirings
        theirs = np.array(
            [
                Arch(row[:4], [gnn_list[operation] for operation in row[4:]]).valid_hash()
                for row in genotypes.tolist()
            ]
        )
        ours = self.space.identities(genotypes)
        assert len(np.unique(ours)) == len(np.unique(theirs)) == 26_206
        assert len(set(zip(ours.tolist(), theirs.tolist(), strict=True))) == 26_206
        assert len(self.space.architectures()) == 26_206

    def test_a_representative_is_the_smallest_genotype(self):
        genotypes = self.space.parse(["Arch([0, 1, 2, 3], ['skip', 'gcn', 'skip', 'gat'])"])
        text = self.space.format(self.space.representative(genotypes))
        identities = self.space.identities(self.space.enumerate())
        first = self.space.enumerate()[identities == self.space.identities(genotypes)][0]
        assert text == self.space.format(first[None])

    def test_samples_are_uniform_over_architectures(self):
        sample = self.space.sample(200_000, np.random.default_rng(0))
        _, counts = np.unique(sample, axis=0, return_counts=True)
        assert len(counts) > 26_150
        assert counts.max() < 40  # of which 7.6 are expected; skip-heavy classes have hundreds of genotypes

    def test_no_operation_is_no_architecture(self):
        skips = np.array([[0, 0, 0, 0, 8, 8, 8, 8], [0, 1, 2, 3, 8, 8, 8, 8], [0, 1, 2, 3, 8, 8, 8, 0]])
        assert self.space.valid(skips).tolist() == [False, False, True]
        with pytest.raises(ValueError, match="must have an operation left"):
            self.space.parse(["Arch([0, 1, 2, 3], ['skip', 'skip', 'skip', 'skip'])"])

    def test_keys_are_stable_across_versions(self):
        assert self.space.identities(self.space.parse([self.space.example]))[0] == 0x664725F3E7C773D7

    def test_nodes_pick_earlier_nodes_only(self):
        with pytest.raises(ValueError, match="Expected the form"):
            self.space.parse(["Arch([0, 2, 0, 0], ['gcn', 'gin', 'fc', 'cheb'])"])


class TestTransnasMacro(SpaceContract):
    name = "transnas_macro"

    def test_texts_of_the_table(self, data_dir):
        check_texts(self.space, data_dir / "transnas_macro_score.csv.gz", least=3256)
        assert self.space.n_architectures == 3256

    def test_a_shorter_chain_is_written_without_its_end(self):
        genotype = self.space.parse(["64-1234-basic"])
        assert genotype.tolist() == [[1, 2, 3, 4, 0, 0]]
        np.testing.assert_array_equal(self.space.parse(["(1, 2, 3, 4, 0, 0)"]), genotype)

    @pytest.mark.parametrize("digits", ["1111", "123", "2222", "1133111", "12.4"])
    def test_what_breaks_a_rule_is_refused(self, digits):
        with pytest.raises(TextError, match=r"an architecture must have|Expected the form"):
            self.space.parse([f"64-{digits}-basic"])


class TestNasBenchMacro(SpaceContract):
    name = "nasbench_macro"

    def test_known_text(self):
        genotype = self.space.parse(["01201201"])
        assert self.space.choices(genotype[0])["block_3"] == "2"
        assert self.space.n_architectures == 6561


class TestFBNet(SpaceContract):
    name = "fbnet"

    def test_texts_of_the_table(self, data_dir):
        check_texts(self.space, data_dir / "fbnet_latency_ms.csv.gz")

    def test_size(self):
        assert self.space.n_architectures == 9**22


class TestMobileNetV3(SpaceContract):
    name = "mobilenetv3"

    def twins(self, genotypes, rng):
        """Other choices for blocks beyond a stage's depth."""
        absent = np.tile(self.space.blocks(genotypes) == self.space.operations.index("none"), 2)
        other = rng.integers(3, size=absent.shape)
        blocks = np.where(absent, other, genotypes[:, : absent.shape[1]])
        return np.hstack([blocks, genotypes[:, absent.shape[1] :]])

    def test_texts_of_the_tables(self, data_dir):
        for part in ("train", "valid"):
            path = data_dir / f"mobilenetv3_mtlp_jr_{part}.csv"
            check_texts(self.space, path, arch="arch_config", least=1215)

    def test_size(self):
        per_stage = 9**2 + 9**3 + 9**4
        assert self.space.n_architectures == 5 * per_stage**5

    def test_absent_blocks_do_not_count(self):
        text = self.space.example.replace("'d': [3, 4, 2, 3, 4]", "'d': [2, 2, 2, 2, 2]")
        others = [
            text.replace("'ks': [3, 5, 7,", change) for change in ("'ks': [3, 5, 3,", "'ks': [3, 7, 7,")
        ]
        keys = self.space.identities(self.space.parse([text, *others]))
        assert len({text, *others}) == 3
        assert keys[0] == keys[1] != keys[2]


class TestNasBench101(SpaceContract):
    name = "nasbench101"

    def twins(self, genotypes, rng):
        """Other operations for nodes that do not count."""
        dead = self.space.pruned(genotypes).operations[:, 1:-1] < 0
        result = genotypes.copy()
        result[:, -5:] = np.where(dead, rng.integers(3, size=dead.shape), result[:, -5:])
        return result

    def test_texts_of_the_table(self, data_dir):
        check_texts(self.space, data_dir / "nasbench101_sample.csv.gz", least=500, distinct=292)

    def test_a_smaller_matrix_is_padded(self):
        text = "(0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 3, 1)"
        genotype = self.space.parse([text])
        graph = self.space.to_networkx(genotype[0], pruned=True)
        assert sorted(dict(graph.nodes(data="operation")).values()) == [
            "conv1x1-bn-relu",
            "conv3x3-bn-relu",
            "input",
            "output",
        ]
        assert graph.number_of_edges() == 4

    def test_the_benchmarks_own_form_is_read(self):
        rows = [
            "[0, 1, 1, 0, 0, 0, 0]",
            "[0, 0, 0, 0, 0, 0, 1]",
            "[0, 0, 0, 0, 0, 0, 1]",
            *["[0, 0, 0, 0, 0, 0, 0]"] * 4,
        ]
        names = "'conv3x3-bn-relu', 'conv1x1-bn-relu', 'maxpool3x3', 'maxpool3x3', 'maxpool3x3'"
        text = f"ModelSpec(matrix=[{', '.join(rows)}], ops=['input', {names}, 'output'])"
        smaller = "(0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 3, 1)"
        keys = self.space.keys(self.space.parse([text])), self.space.keys(self.space.parse([smaller]))
        assert keys[0] == keys[1]

    def test_ten_edges_are_too_many(self):
        edges = np.zeros((1, 26), dtype=np.int64)
        edges[0, :11] = 1
        edges[0, 18:21] = 1
        assert not self.space.valid(edges).any()
        with pytest.raises(TextError, match="at most 9 edges"):
            self.space.parse(self.space.format(edges))

    def test_no_path_is_no_architecture(self):
        with pytest.raises(TextError, match="a path from input to output"):
            self.space.parse(["(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1)"])


class TestDarts(SpaceContract):
    name = "darts"

    def twins(self, genotypes, rng):
        """Another order of each node's inputs."""
        result = genotypes.copy()
        for inputs, operations in self.space._split(result):
            order = rng.random(inputs.shape).argsort(axis=2)
            inputs[:], operations[:] = (
                np.take_along_axis(part, order, axis=2) for part in (inputs, operations)
            )
        return result

    def test_texts_of_the_table(self, data_dir):
        texts = pd.read_csv(data_dir / "darts_nasbench301_sample.csv.gz", usecols=["arch"])["arch"].tolist()
        genotypes = self.space.parse(texts)
        assert len(np.unique(self.space.identities(genotypes))) == 1218
        np.testing.assert_array_equal(self.space.parse(self.space.format(genotypes)), genotypes)

    def test_lists_and_ranges_of_the_concatenation_are_read(self):
        text = self.space.example
        assert "normal_concat=range(2, 6)" in text
        np.testing.assert_array_equal(
            self.space.parse([text.replace("range(2, 6)", "[2, 3, 4, 5]")]), self.space.parse([text])
        )
        with pytest.raises(TextError, match=r"reduce_concat must be range\(2, 6\)"):
            self.space.parse([text.replace("reduce_concat=range(2, 6)", "reduce_concat=[4, 5]")])

    def test_nodes_may_change_places(self):
        cell = "((0, 0), (1, 1), (0, 3), (1, 4), (2, 1), (3, 2), (0, 5), (1, 6))"
        other = "((0, 3), (1, 4), (0, 0), (1, 1), (3, 1), (2, 2), (0, 5), (1, 6))"
        wrong = "((0, 3), (1, 4), (0, 0), (1, 1), (2, 1), (3, 2), (0, 5), (1, 6))"
        keys = self.space.keys(
            self.space.parse([f"({cell}, {cell})", f"({other}, {cell})", f"({wrong}, {cell})"])
        )
        assert keys[0] == keys[1]
        assert keys[0] != keys[2]

    def test_cells_do_not_change_places(self):
        cell = "((0, 0), (1, 1), (0, 3), (1, 4), (2, 1), (3, 2), (0, 5), (1, 6))"
        other = cell.replace("6", "5")
        keys = self.space.keys(self.space.parse([f"({cell}, {other})", f"({other}, {cell})"]))
        assert keys[0] != keys[1]

    def test_the_nodes_of_a_cell(self):
        nodes = self.space.cell_nodes(self.space.parse([self.space.example])[0])
        assert list(nodes) == ["normal", "reduce"]
        assert [len(node) for node in nodes["normal"]] == [2, 2, 2, 2]
        assert nodes["normal"][0] == [(1, "avg_pool_3x3"), (0, "dil_conv_3x3")]


class TestDartsEmtnas(SpaceContract):
    name = "darts_emtnas"
    published = (
        "Genotype(normal=[('Identity', 1), ('AVG', 1), ('MAX', 1), ('DW3', 1), ('DW3', 1), ('DC7', 2), "
        "('DC5', 0), ('MAX', 4), ('DW3', 0), ('DW7', 4)], normal_concat=[3, 5, 6], reduce=[('MAX', 1), "
        "('DC7', 1), "
        "('Identity', 0), ('DC5', 1), ('DW5', 0), ('AVG', 0), ('AVG', 4), ('MAX', 3), ('DC3', 3), "
        "('MAX', 0)], reduce_concat=[2, 5, 6])"
    )

    twins = TestDarts.twins

    def test_a_published_architecture(self):
        genotype = self.space.parse([self.published])
        assert self.space.format(genotype) == [self.published]

    def test_loose_ends_are_put_out(self):
        with pytest.raises(TextError, match=r"normal_concat must be \[3, 5, 6\]"):
            self.space.parse([self.published.replace("[3, 5, 6]", "[3, 5]")])


def check_texts(space, path, arch="arch", least=4000, distinct=None):
    texts = pd.read_csv(path, usecols=[arch])[arch].tolist()
    genotypes = space.parse(texts)
    assert len(texts) >= least
    assert space.format(genotypes) == texts
    assert len(np.unique(space.identities(genotypes))) == (distinct or len(texts))


def test_every_space_has_its_contract():
    tested = {contract.name for contract in SpaceContract.__subclasses__()}
    assert tested >= set(list_spaces())
