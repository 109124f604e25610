"""What every search space must do, whatever its family; the test class of a space inherits it."""

from contextlib import suppress
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktnas.errors import UserError
from ktnas.space import ENUMERATION_LIMIT, SearchSpace, TextError, load_space

SETTINGS = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.differing_executors]
)
SEEDS = st.integers(0, 2**32 - 1)


def isomorphic(space, a, b):
    first, second = (space.to_networkx(x, pruned=True) for x in (a, b))
    return nx.is_isomorphic(first, second, node_match=lambda x, y: x["operation"] == y["operation"])


class SpaceContract:
    name: str

    @property
    def space(self) -> SearchSpace:
        return load_space(self.name)

    @property
    def enumerable(self):
        return self.space.size <= ENUMERATION_LIMIT

    def twins(self, genotypes, rng):
        """Valid genotypes of the same architectures, written otherwise where the space allows it."""
        return genotypes

    def draw(self, seed, n=50):
        """Any genotypes, valid or not."""
        return np.random.default_rng(seed).integers(self.space.n_choices, size=(n, self.space.n_variables))

    @given(seed=SEEDS)
    @SETTINGS
    def test_texts_round_trip(self, seed):
        genotypes = self.draw(seed)
        genotypes = genotypes[self.space.valid(genotypes)]
        texts = self.space.format(genotypes)
        np.testing.assert_array_equal(self.space.parse(texts), genotypes)
        assert len(set(texts)) == len(np.unique(genotypes, axis=0))

    def test_example_is_a_text_of_the_space(self):
        example = self.space.example
        assert self.space.format(self.space.parse([example])) == [example]

    def test_white_space_around_punctuation_is_free(self):
        example = self.space.example
        spaced = "".join(f" {c}\t" if not (c.isalnum() or c == "_") else c for c in example) + "\n"
        np.testing.assert_array_equal(self.space.parse([spaced]), self.space.parse([example]))

    @given(text=st.text())
    @SETTINGS
    def test_any_text_is_read_or_refused(self, text):
        with pytest.raises(TextError, match=r"Expected the form|an architecture must"):
            self.space.parse([text])

    @given(seed=SEEDS, position=st.integers(0, 200), replacement=st.text(max_size=3), width=st.integers(0, 3))
    @SETTINGS
    def test_a_damaged_text_is_read_or_refused(self, seed, position, replacement, width):
        text = self.space.format(self.space.sample(1, np.random.default_rng(seed)))[0]
        damaged = text[:position] + replacement + text[position + width :]
        with suppress(TextError):
            assert self.space.valid(self.space.parse([damaged])).all()

    @pytest.mark.parametrize("text", [None, float("nan"), 7, b"bytes", "x" * 100_000, " " * 100_000])
    def test_what_is_no_text_is_refused_briefly(self, text):
        with pytest.raises(UserError, match=self.name) as refusal:
            self.space.parse([self.space.example, text])
        assert refusal.value.position == 1
        assert len(str(refusal.value)) < 600 + len(self.space.example)

    @given(seed=SEEDS)
    @SETTINGS
    def test_samples_are_valid_representatives(self, seed):
        sample = self.space.sample(40, np.random.default_rng(seed))
        assert sample.shape == (40, self.space.n_variables)
        assert sample.dtype == np.int64
        assert self.space.valid(sample).all()
        np.testing.assert_array_equal(self.space.representative(sample), sample)
        np.testing.assert_array_equal(self.space.sample(40, np.random.default_rng(seed)), sample)

    @given(seed=SEEDS, rate=st.sampled_from([None, 0.0, 0.3, 1.0]))
    @SETTINGS
    def test_mutants_are_other_valid_representatives(self, seed, rate):
        parents = self.space.sample(40, np.random.default_rng(seed))
        mutants = self.space.mutate(parents, np.random.default_rng(seed), rate)
        assert self.space.valid(mutants).all()
        assert (mutants != parents).any(axis=1).all()
        assert (self.space.identities(mutants) != self.space.identities(parents)).all()
        np.testing.assert_array_equal(self.space.representative(mutants), mutants)
        np.testing.assert_array_equal(self.space.mutate(parents, np.random.default_rng(seed), rate), mutants)
        unrestricted = self.space.distinct == "genotype" and self.space.valid(self.draw(0)).all()
        if unrestricted and rate in (0.0, 1.0):
            free = int((self.space.n_choices > 1).sum())
            assert ((mutants != parents).sum(axis=1) == (1 if rate == 0 else free)).all()

    def test_a_mutation_of_one_variable_is_possible(self):
        parents = self.space.sample(40, np.random.default_rng(0))
        mutants = self.space.mutate(parents, np.random.default_rng(0), 0.0)
        if self.space.distinct == "genotype" or not self.enumerable:
            assert ((mutants != parents).sum(axis=1) == 1).all()

    def test_mutation_reaches_every_neighbour(self):
        parent = self.space.sample(1, np.random.default_rng(3))
        mutants = self.space.mutate(np.repeat(parent, 5000, axis=0), np.random.default_rng(4), rate=0.0)
        np.testing.assert_array_equal(
            np.unique(mutants, axis=0), np.unique(self.space.neighbours(parent), axis=0)
        )

    @given(seed=SEEDS)
    @SETTINGS
    def test_children_are_valid_representatives(self, seed):
        rng = np.random.default_rng(seed)
        first, second = self.space.sample(40, rng), self.space.sample(40, rng)
        children = self.space.crossover(first, second, np.random.default_rng(seed))
        assert self.space.valid(children).all()
        np.testing.assert_array_equal(self.space.representative(children), children)
        np.testing.assert_array_equal(
            self.space.crossover(first, second, np.random.default_rng(seed)), children
        )
        np.testing.assert_array_equal(self.space.crossover(first, first, rng), first)
        if self.space.distinct == "genotype":
            assert ((children == first) | (children == second)).all()

    def test_crossover_mixes_most_pairs(self):
        rng = np.random.default_rng(0)
        first, second = self.space.sample(500, rng), self.space.sample(500, rng)
        children = self.space.crossover(first, second, rng)
        own = [self.space.identities(rows) for rows in (children, first, second)]
        assert ((own[0] != own[1]) & (own[0] != own[2])).mean() > 0.4

    def test_crossover_needs_pairs(self):
        sample = self.space.sample(3, np.random.default_rng(0))
        with pytest.raises(ValueError, match="pairs of rows, got 3 and 2"):
            self.space.crossover(sample, sample[:2], np.random.default_rng(0))

    def test_neighbours_are_the_other_architectures_one_change_away(self):
        origin = self.space.sample(1, np.random.default_rng(1))
        neighbours = self.space.neighbours(origin)
        assert self.space.valid(neighbours).all()
        identities = self.space.identities(neighbours)
        assert len(set(identities.tolist())) == len(neighbours)
        assert self.space.identities(origin)[0] not in identities
        if self.space.distinct == "genotype":
            assert 0 < len(neighbours) <= (self.space.n_choices - 1).sum()
            assert ((neighbours != origin).sum(axis=1) == 1).all()

    def test_neighbours_of_a_batch_are_those_of_each(self):
        origins = self.space.sample(4, np.random.default_rng(2))[[0, 1, 2, 3, 1]]
        each = [self.space.neighbours(origins[[row]]) for row in range(len(origins))]
        np.testing.assert_array_equal(self.space.neighbours(origins), np.vstack(each))
        assert self.space.neighbours(origins[:0]).shape == (0, self.space.n_variables)

    def test_enumeration_is_ordered_and_complete(self):
        if not self.enumerable:
            with pytest.raises(ValueError, match="too many to enumerate"):
                self.space.enumerate()
            return
        genotypes = self.space.enumerate()
        codes = np.ravel_multi_index(tuple(genotypes.T), tuple(self.space.n_choices))
        assert (np.diff(codes) > 0).all()
        assert self.space.valid(genotypes).all()
        drawn = self.draw(5, 2000)
        known = np.isin(np.ravel_multi_index(tuple(drawn.T), tuple(self.space.n_choices)), codes)
        np.testing.assert_array_equal(known, self.space.valid(drawn))

    def test_architectures_are_distinct_representatives(self):
        if not self.enumerable:
            with pytest.raises(ValueError, match="too many to enumerate"):
                self.space.architectures()
            return
        architectures = self.space.architectures()
        assert len(architectures) == self.space.n_architectures
        assert len(np.unique(self.space.identities(architectures))) == len(architectures)
        np.testing.assert_array_equal(self.space.representative(architectures), architectures)

    @given(seed=SEEDS)
    @SETTINGS
    def test_a_representative_is_the_same_architecture(self, seed):
        genotypes = self.draw(seed)
        genotypes = genotypes[self.space.valid(genotypes)]
        representatives = self.space.representative(genotypes)
        np.testing.assert_array_equal(
            self.space.identities(representatives), self.space.identities(genotypes)
        )
        np.testing.assert_array_equal(self.space.keys(representatives), self.space.keys(genotypes))

    def test_genotypes_out_of_range_are_refused(self):
        good = self.space.sample(1, np.random.default_rng(0))
        for bad in (good - self.space.n_choices, good + self.space.n_choices):
            assert not self.space.valid(bad).any()
            for method in (self.space.graphs, self.space.format, self.space.identities):
                with pytest.raises(ValueError, match="must lie in"):
                    method(bad)

    def test_shapes_and_types_are_checked(self):
        with pytest.raises(ValueError, match=r"shape \(N, "):
            self.space.graphs(np.zeros((2, self.space.n_variables + 1), dtype=np.int64))
        with pytest.raises(ValueError, match="integers"):
            self.space.keys(np.zeros((2, self.space.n_variables)))

    def test_an_empty_batch_stays_empty(self):
        rng = np.random.default_rng(0)
        empty = self.space.parse([])
        assert empty.shape == (0, self.space.n_variables)
        assert self.space.format(empty) == []
        for result in (
            self.space.sample(0, rng),
            self.space.mutate(empty, rng),
            self.space.crossover(empty, empty, rng),
            self.space.representative(empty),
            self.space.keys(empty),
            self.space.identities(empty),
            self.space.valid(empty),
        ):
            assert len(result) == 0

    @given(seed=SEEDS)
    @SETTINGS
    def test_graphs_are_well_formed(self, seed):
        genotypes = self.draw(seed)
        for batch in (self.space.graphs(genotypes), self.space.pruned(genotypes)):
            assert batch.vocabulary == self.space.vocabulary
            assert batch.vocabulary[: 2 + len(self.space.operations)] == (
                "input",
                "output",
                *self.space.operations,
            )
            assert (batch.operations[:, 0] == 0).all()
            assert (batch.operations[:, -1] == 1).all()
            assert not np.tril(batch.adjacency).any()
            gone = batch.operations < 0
            assert not batch.adjacency[gone].any()
            assert not batch.adjacency.transpose(0, 2, 1)[gone].any()
        inner = batch.operations[:, 1:-1]
        for operation in (self.space.zero, self.space.identity):
            assert operation is None or not (inner == batch.vocabulary.index(operation)).any()
        assert (batch.adjacency[:, 1:-1].any(axis=2) == (inner >= 0)).all()
        assert (batch.adjacency[:, :, 1:-1].any(axis=1) == (inner >= 0)).all()

    def test_networkx_graphs_are_those_of_the_batch(self):
        for genotype in self.space.sample(20, np.random.default_rng(6)):
            for pruned in (False, True):
                graph = self.space.to_networkx(genotype, pruned)
                batch = (self.space.pruned if pruned else self.space.graphs)(genotype[None])
                assert graph.number_of_edges() == batch.adjacency.sum()
                assert graph.number_of_nodes() == (batch.operations >= 0).sum()
                assert nx.is_directed_acyclic_graph(graph)
                assert all(
                    operation == batch.vocabulary[batch.operations[0, node]]
                    for node, operation in graph.nodes(data="operation")
                )

    def test_keys_are_equal_exactly_for_isomorphic_graphs(self):
        genotypes = self.draw(7, 600)
        genotypes = genotypes[self.space.valid(genotypes)]
        genotypes = np.concatenate([genotypes, self.twins(genotypes[:20], np.random.default_rng(8))])
        if not self.enumerable:
            sample = self.space.sample(100, np.random.default_rng(7))
            close = self.space.neighbours(sample[:1])
            genotypes = np.concatenate([sample, self.twins(sample, np.random.default_rng(8)), close])
        keys = self.space.keys(genotypes)
        content = np.sort(self.space.pruned(genotypes).operations, axis=1)
        similar = [(a, b) for a, b in combinations(range(len(keys)), 2) if (content[a] == content[b]).all()]
        same = [(a, b) for a, b in similar if keys[a] == keys[b]][:200]
        other = [(a, b) for a, b in similar if keys[a] != keys[b]][:200]
        assert len(same) > 5
        assert len(other) > 5
        assert all(isomorphic(self.space, genotypes[a], genotypes[b]) for a, b in same)
        assert not any(isomorphic(self.space, genotypes[a], genotypes[b]) for a, b in other)

    def test_keys_do_not_depend_on_the_batch(self):
        genotypes = self.draw(8, 20)
        alone = np.concatenate([self.space.keys(row[None]) for row in genotypes])
        np.testing.assert_array_equal(self.space.keys(genotypes), alone)

    def test_an_architecture_speaks_for_its_genotype(self, tmp_path):
        architecture = self.space.architecture(self.space.example)
        assert architecture.text == self.space.example
        assert repr(architecture) == f"<{self.name} {self.space.example}>"
        assert int(architecture.key, 16) == self.space.identities(architecture.genotype[None])[0]
        assert architecture == self.space.architecture(self.space.example)
        assert len({architecture, self.space.architecture(self.space.example)}) == 1
        assert set(architecture.graph(pruned=True)) <= set(architecture.graph())
        architecture.draw(tmp_path / "cell.png")
        assert (tmp_path / "cell.png").stat().st_size > 1000
