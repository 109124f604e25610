"""The spaces that come with ktnas."""

import time

import numpy as np
import pandas as pd
import pytest
from nas_bench_graph.architecture import Arch, gnn_list

from ktnas.space import list_spaces, load_space
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
        with pytest.raises(ValueError, match="no operation left"):
            self.space.parse(["Arch([0, 1, 2, 3], ['skip', 'skip', 'skip', 'skip'])"])

    def test_keys_are_stable_across_versions(self):
        assert self.space.identities(self.space.parse([self.space.example]))[0] == 0x664725F3E7C773D7

    def test_nodes_pick_earlier_nodes_only(self):
        with pytest.raises(ValueError, match="Expected the form"):
            self.space.parse(["Arch([0, 2, 0, 0], ['gcn', 'gin', 'fc', 'cheb'])"])


def check_texts(space, path):
    texts = pd.read_csv(path, usecols=["arch"])["arch"].tolist()
    genotypes = space.parse(texts)
    assert len(texts) > 4000
    assert space.format(genotypes) == texts
    assert len(np.unique(space.identities(genotypes))) == len(texts)


def test_every_space_has_its_contract():
    tested = {contract.name for contract in SpaceContract.__subclasses__()}
    assert tested >= set(list_spaces())
