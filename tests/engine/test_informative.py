import numpy as np
import pytest

from ktnas.engine.informative import informative, known_devices
from ktnas.space import load_space

SPACE = load_space("nasbench201")


@pytest.fixture
def no_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("KTNAS_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("space", ["nasbench201", "fbnet", "transnas_micro"])
def test_different_architectures_the_first_ones_first(no_tables, space):
    loaded = load_space(space)
    chosen = informative(loaded, 12, "cifar10", seed=0)
    assert loaded.valid(chosen).all()
    assert len(set(loaded.identities(chosen).tolist())) == 12
    np.testing.assert_array_equal(informative(loaded, 5, "cifar10", seed=0), chosen[:5])


def test_nothing_is_known_without_tables(no_tables):
    assert known_devices(SPACE) == ()


def test_published_tables_are_known(data_dir, monkeypatch):
    monkeypatch.setenv("KTNAS_DATA", str(data_dir))
    [known] = known_devices(SPACE)
    assert known.space.name == "nasbench201"
    assert len(known.devices) == 28
    assert known.latency.shape == (15625, 28)
    assert known_devices(load_space("darts")) == ()
