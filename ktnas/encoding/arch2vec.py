"""arch2vec: vectors learned from unlabelled architectures of the space."""

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
from rich.console import Console

from ktnas.arrays import FloatArray, IntArray
from ktnas.encoding.arch2vec_model import Arch2VecSettings, GraphArrays, Weights, embed, weight_shapes
from ktnas.encoding.arch2vec_training import train
from ktnas.encoding.base import Encoding
from ktnas.encoding.cache import cache_dir, load_arrays, save_arrays
from ktnas.space.base import SearchSpace
from ktnas.space.graph import GraphBatch

FORMAT = 1
CHUNK = 2048
DECIMALS = 10
ACCURACY = "held_out_accuracy"


@dataclass
class Arch2Vec(Arch2VecSettings, Encoding):
    """Latent means of a variational graph isomorphism autoencoder, averaged over the nodes.

    After Yan, Zheng, Ao, Zeng, Zhang, "Does unsupervised architecture representation learning help neural
    architecture search?" (NeurIPS 2020): adjacency made symmetric and one-hot operations of the graph as
    written; graph isomorphism layers; linear heads for mean and log deviation; the inner product of node
    latents for edges and a linear layer with softmax for operations. Ours: the heads read every layer instead
    of the last (ten times fewer epochs to the same accuracy), no batch normalisation and no dropout.

    ``fit`` trains once per space, settings and seed, some seconds on one core, and keeps the weights in the
    cache directory (``KTNAS_CACHE``, else the user's); afterwards torch is not even imported. Vectors are the
    same bit for bit from fresh and from cached weights; weights trained on another kind of processor may
    differ slightly.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._weights: Weights = {}
        self._accuracy: dict[str, float] = {}

    @property
    def reconstruction(self) -> dict[str, float]:
        """Shares of ``operations`` and ``edges`` decoded rightly from held-out architectures, once fitted."""
        return dict(self._accuracy)

    def fit(self, space: SearchSpace, seed: int) -> Self:
        """Train on ``samples`` architectures of ``space``, or load what was learned from them before."""
        super().fit(space, seed)
        rng = np.random.default_rng(seed)
        graphs = space.graphs(rng.permutation(np.unique(space.sample(self.samples, rng), axis=0)))
        path = cache_dir() / "arch2vec" / f"{space.name}-{self._fingerprint(graphs, seed)}.npz"
        shapes = weight_shapes(self, len(graphs.vocabulary))
        arrays = load_arrays(path, shapes | {ACCURACY: (2,)})
        if arrays is None:
            with Console(stderr=True).status(f"Training arch2vec on {space.name} (once) …"):
                weights, accuracy = train(GraphArrays.of(graphs, np.float32), self, seed)
            shares = np.array([accuracy["operations"], accuracy["edges"]], dtype=np.float32)
            arrays = weights | {ACCURACY: shares}
            save_arrays(path, arrays)
        self._weights = {name: arrays[name] for name in shapes}
        self._accuracy = dict(zip(("operations", "edges"), arrays[ACCURACY].tolist(), strict=True))
        return self

    def transform(self, genotypes: IntArray) -> FloatArray:
        """Vectors (N, dim) float64, rounded to ``DECIMALS`` places lest a row depend on its batch."""
        genotypes = self.checked(genotypes)
        weights = {name: weight.astype(np.float64) for name, weight in self._weights.items()}
        vectors = np.empty((len(genotypes), self.dim))
        for start in range(0, len(genotypes), CHUNK):
            rows = slice(start, start + CHUNK)
            graphs = GraphArrays.of(self.space.graphs(genotypes[rows]), np.float64)
            vectors[rows] = embed(weights, graphs)
        return vectors.round(DECIMALS)

    def _fingerprint(self, graphs: GraphBatch, seed: int) -> str:
        """Hash of all that decides the weights; the sampled graphs stand for the definition of the space."""
        settings = json.dumps([FORMAT, seed, asdict(self), graphs.vocabulary, graphs.operations.shape])
        digest = blake2b(settings.encode(), digest_size=8)
        digest.update(graphs.operations.tobytes())
        digest.update(graphs.adjacency.tobytes())
        return digest.hexdigest()
