import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ktnas.encoding.arch2vec import Arch2Vec
from ktnas.encoding.arch2vec_model import GraphArrays, embed, encode
from ktnas.errors import UserError
from ktnas.space import GraphBatch, SearchSpace, load_space
from tests.encoding.contract import SPACES, EncodingContract

QUICK = {"samples": 200, "epochs": 2, "hidden": 16, "dim": 32}


class TestArch2VecContract(EncodingContract):
    name = "arch2vec"
    parameters = QUICK


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path))
    return tmp_path / "arch2vec"


@pytest.fixture
def genotypes() -> np.ndarray:
    return load_space("nasbench201").sample(40, np.random.default_rng(5))


def quick(seed: int = 0, **changes: float) -> Arch2Vec:
    return Arch2Vec(**{**QUICK, **changes}).fit(load_space("nasbench201"), seed)


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / norms


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_reconstructs_and_keeps_neighbours_close(name):
    space = load_space(name)
    encoding = Arch2Vec(samples=1500, epochs=15).fit(space, seed=0)
    assert encoding.dim == 128
    assert encoding.reconstruction["operations"] > 0.97
    assert encoding.reconstruction["edges"] > 0.93

    rng = np.random.default_rng(1)
    start = space.sample(500, rng)
    vectors = encoding.transform(start)
    near = cosine(vectors, encoding.transform(space.mutate(start, rng, rate=0.0)))
    far = cosine(vectors, encoding.transform(space.sample(500, rng)))
    np.testing.assert_allclose(cosine(vectors, vectors), 1.0)
    assert near.mean() > far.mean() + 0.1
    assert (near > far).mean() > 0.85


def test_cached_and_fresh_weights_give_the_same_bits(cache, genotypes, monkeypatch):
    fresh = quick()
    (file,) = cache.iterdir()
    written = file.stat().st_mtime_ns
    cached = quick()
    assert file.stat().st_mtime_ns == written
    np.testing.assert_array_equal(cached.transform(genotypes), fresh.transform(genotypes))
    assert cached.reconstruction == fresh.reconstruction
    file.unlink()
    np.testing.assert_array_equal(quick().transform(genotypes), fresh.transform(genotypes))


def test_training_leaves_torch_alone(cache):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    quick()
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_num_threads() == threads


def test_cached_weights_need_no_torch(cache):
    quick()
    script = (
        "import sys; from ktnas.encoding.arch2vec import Arch2Vec; from ktnas.space import load_space\n"
        f"space = load_space('nasbench201'); encoding = Arch2Vec(**{QUICK}).fit(space, 0)\n"
        "encoding.transform(space.enumerate()[:5]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_each_space_setting_and_seed_has_its_own_file(cache):
    quick()
    quick(seed=1)
    quick(epochs=1)
    Arch2Vec(**QUICK).fit(load_space("transnas_micro"), 0)
    Arch2Vec(**QUICK).fit(replace(load_space("nasbench201"), name="transnas_micro"), 0)
    assert len(list(cache.iterdir())) == 5


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "other arrays", "nan"])
def test_a_damaged_file_is_made_anew(cache, genotypes, damage):
    expected = quick().transform(genotypes)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "noise":
        file.write_bytes(content[:400] + bytes(200) + content[600:])
    elif damage == "other arrays":
        np.savez(file, mean=np.zeros(3))
    else:
        with np.load(file) as arrays:
            np.savez(file, **{name: np.full_like(arrays[name], np.nan) for name in arrays.files})
    with pytest.warns(RuntimeWarning, match="damaged"):
        again = quick()
    np.testing.assert_array_equal(again.transform(genotypes), expected)
    assert file.read_bytes() == content


def test_an_unwritable_cache_is_only_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("KTNAS_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="could not be written"):
        quick()


def test_no_temporary_file_is_left(cache):
    quick()
    assert [path.suffix for path in cache.iterdir()] == [".npz"]


def test_padding_does_not_change_the_embedding(cache, genotypes):
    encoding = quick()
    space: SearchSpace = encoding.space
    graphs = space.graphs(genotypes)
    n, nodes = graphs.operations.shape
    operations = np.full((n, nodes + 3), -1)
    adjacency = np.zeros((n, nodes + 3, nodes + 3), dtype=np.uint8)
    places = np.array([0, 2, 3, 4, 6, 7, 8, 10])
    operations[:, places] = graphs.operations
    adjacency[:, places[:, None], places] = graphs.adjacency
    padded = GraphArrays.of(GraphBatch(operations, adjacency, graphs.vocabulary), np.float64)
    np.testing.assert_allclose(embed(encoding._weights, padded), encoding.transform(genotypes), atol=1e-6)


def test_numpy_and_torch_encode_alike(cache, genotypes):
    encoding = quick()
    graphs = GraphArrays.of(encoding.space.graphs(genotypes), np.float32)
    tensors = GraphArrays(
        *(torch.from_numpy(array) for array in (graphs.operations, graphs.adjacency, graphs.present))
    )
    weights = {name: torch.from_numpy(weight) for name, weight in encoding._weights.items()}
    for mine, theirs in zip(encode(encoding._weights, graphs), encode(weights, tensors), strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["dim", "layers", "samples", "batch", "learning_rate"])
def test_parameters_must_be_positive(name):
    with pytest.raises(UserError, match=f"encoding.{name}=0"):
        Arch2Vec(**{name: 0})
