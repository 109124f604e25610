"""What every encoding promises. A test class inherits this and names its encoding."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import pytest
from omegaconf import OmegaConf

from ktnas.encoding.base import Encoding, FeatureStore
from ktnas.registry import build, resolve
from ktnas.resources import resource_dir
from ktnas.space import SearchSpace, load_space

SPACES = ("nasbench201", "transnas_micro", "nasbench_graph")


class EncodingContract:
    name: ClassVar[str]
    parameters: ClassVar[dict[str, Any]] = {}

    @classmethod
    def build(cls) -> Encoding:
        return build("encoding", {"name": cls.name, **cls.parameters})

    @pytest.fixture(scope="class", params=SPACES)
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        return load_space(request.param)

    @pytest.fixture(scope="class")
    def encoding(self, request: pytest.FixtureRequest, space: SearchSpace) -> Encoding:
        return request.cls.build().fit(space, seed=0)

    @pytest.fixture
    def genotypes(self, space: SearchSpace) -> np.ndarray:
        return space.sample(50, np.random.default_rng(0))

    def test_shape_and_dtype(self, encoding, genotypes):
        vectors = encoding.transform(genotypes)
        assert vectors.shape == (len(genotypes), encoding.dim)
        assert vectors.dtype == np.float64
        assert np.isfinite(vectors).all()

    def test_is_deterministic(self, encoding, space, genotypes):
        vectors = encoding.transform(genotypes)
        np.testing.assert_array_equal(encoding.transform(genotypes), vectors)
        np.testing.assert_array_equal(self.build().fit(space, seed=0).transform(genotypes), vectors)

    def test_rows_do_not_depend_on_the_batch(self, encoding, genotypes):
        vectors = encoding.transform(genotypes)
        order = np.random.default_rng(1).permutation(len(genotypes))
        np.testing.assert_allclose(encoding.transform(genotypes[order]), vectors[order], rtol=1e-9, atol=1e-9)
        alone = np.concatenate([encoding.transform(row[None]) for row in genotypes])
        np.testing.assert_allclose(alone, vectors, rtol=1e-9, atol=1e-9)

    def test_leaves_its_input_alone(self, encoding, genotypes):
        before = genotypes.copy()
        encoding.transform(genotypes)
        np.testing.assert_array_equal(genotypes, before)

    def test_tells_architectures_apart(self, encoding, space):
        genotypes = space.sample(200, np.random.default_rng(2))
        distinct = len(np.unique(space.keys(genotypes)))
        assert len(np.unique(encoding.transform(genotypes), axis=0)) >= 0.9 * distinct

    def test_groups_cover_the_columns_in_order(self, encoding):
        columns = [np.arange(encoding.dim)[group] for group in encoding.groups.values()]
        np.testing.assert_array_equal(np.concatenate(columns), np.arange(encoding.dim))

    def test_empty_batch(self, encoding, space):
        empty = np.empty((0, space.n_variables), dtype=np.int64)
        assert encoding.transform(empty).shape == (0, encoding.dim)

    def test_wrong_shape_says_what_was_expected(self, encoding, space, genotypes):
        with pytest.raises(ValueError, match=rf"\(N, {space.n_variables}\), got \({space.n_variables},\)"):
            encoding.transform(genotypes[0])
        with pytest.raises(ValueError, match="shape"):
            encoding.transform(genotypes[:, :-1])

    def test_wrong_values_are_rejected(self, encoding, genotypes):
        with pytest.raises(ValueError, match="integers"):
            encoding.transform(genotypes.astype(np.float64))
        with pytest.raises(ValueError, match="must lie in"):
            encoding.transform(genotypes + 100)

    def test_must_be_fitted_first(self, genotypes):
        with pytest.raises(RuntimeError, match="fit"):
            self.build().transform(genotypes)

    def test_feature_store_gives_the_same_vectors(self, encoding, genotypes):
        store = FeatureStore(encoding)
        store.get(genotypes[:10])
        np.testing.assert_allclose(store.get(genotypes), encoding.transform(genotypes), rtol=1e-9, atol=1e-9)

    def test_config_spells_out_every_parameter(self):
        config = OmegaConf.to_container(
            OmegaConf.load(resource_dir("conf") / "encoding" / f"{self.name}.yaml")
        )
        plugin = resolve("encoding", self.name)
        assert set(config) == {"name"} | {field.name for field in fields(plugin) if field.init}
        assert build("encoding", config) == plugin()
