from dataclasses import dataclass

import numpy as np
import pytest

from ktnas.encoding.base import FeatureStore
from ktnas.encoding.onehot import OneHot
from ktnas.space import load_space


@dataclass
class CountingOneHot(OneHot):
    computed: int = 0

    def transform(self, genotypes):
        self.computed += len(genotypes)
        return super().transform(genotypes)


@pytest.fixture
def encoding() -> CountingOneHot:
    return CountingOneHot().fit(load_space("nasbench201"), seed=0)


def rows(n: int) -> np.ndarray:
    return load_space("nasbench201").enumerate()[:n]


def test_nothing_is_computed_twice(encoding):
    store = FeatureStore(encoding)
    store.get(np.concatenate([rows(30), rows(20)]))
    assert encoding.computed == 30
    vectors = store.get(rows(50)[::-1])
    assert encoding.computed == 50
    np.testing.assert_array_equal(vectors, encoding.transform(rows(50)[::-1]))


def test_keeps_no_more_than_its_limit(encoding):
    store = FeatureStore(encoding, limit=25)
    for start in range(0, 100, 10):
        batch = rows(100)[start : start + 10]
        np.testing.assert_array_equal(store.get(batch), OneHot().fit(encoding.space, 0).transform(batch))
        assert len(store) <= 25


def test_a_batch_beyond_the_limit_is_still_answered(encoding):
    store = FeatureStore(encoding, limit=5)
    assert store.get(rows(40)).shape == (40, 30)
    assert len(store) <= 5


def test_answers_are_copies(encoding):
    store = FeatureStore(encoding)
    store.get(rows(3))[:] = 7
    np.testing.assert_array_equal(store.get(rows(3)), encoding.transform(rows(3)))


def test_empty_batch(encoding):
    assert FeatureStore(encoding).get(rows(0)).shape == (0, 30)
