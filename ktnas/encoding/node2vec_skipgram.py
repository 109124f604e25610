"""Skip-gram with negative sampling on counted pairs of words: exact, so nothing is drawn but the start."""

import numpy as np

from ktnas.arrays import FloatArray, IntArray, Rng

STEPS = 300
LEARNING_RATE = 0.02
DECAY = (0.9, 0.99)
NOISE_POWER = 0.75


def pair_counts(sentences: IntArray, n_words: int, window: int) -> FloatArray:
    """Expected number of times (n_words, n_words) that skip-gram sees two words together; symmetric.

    word2vec draws the reach of each window uniformly up to ``window``: a pair at distance d counts with
    probability 1 - (d - 1) / ``window``.

    Args:
        sentences: (W, L) words, negative where there is none.
        n_words: words are below it.
        window: greatest distance.
    """
    counts = np.zeros(n_words * n_words)
    for distance in range(1, min(window, sentences.shape[1] - 1) + 1):
        first, second = sentences[:, :-distance], sentences[:, distance:]
        both = (first >= 0) & (second >= 0)
        pairs = np.bincount(first[both] * n_words + second[both], minlength=len(counts))
        counts += (1 - (distance - 1) / window) * pairs
    square = counts.reshape(n_words, n_words)
    return np.asarray(square + square.T)


def skip_gram(counts: FloatArray, width: int, negatives: int, rng: Rng) -> FloatArray:
    """Embeddings (n_words, width) of words, centred; zero for a word that was never seen.

    Minimises the expectation of the loss of Mikolov et al. (2013), equation 4, over all pairs and negative
    words (Levy and Goldberg 2014, equation 4), by Adam on its full gradient: the few words of a space make
    one matrix, where a corpus needs single pairs.
    """
    seen = counts.sum(axis=1) > 0
    together = counts[np.ix_(seen, seen)] / max(float(counts.sum()), 1.0)
    share = together.sum(axis=1)
    noise = share**NOISE_POWER
    apart = negatives * np.outer(share, noise / max(float(noise.sum()), 1e-300))

    n_seen = len(share)
    both = (rng.random((2, n_seen, width)) - 0.5) / width
    slope, square = np.zeros((2, *both.shape))
    for step in range(1, STEPS + 1):
        chance = 1 / (1 + np.exp(-(both[0] @ both[1].T)))
        pull = apart * chance - together * (1 - chance)
        gradient = np.stack([pull @ both[1], pull.T @ both[0]])
        slope += (1 - DECAY[0]) * (gradient - slope)
        square += (1 - DECAY[1]) * (gradient**2 - square)
        deviation = np.sqrt(square / (1 - DECAY[1] ** step)) + 1e-10
        both -= LEARNING_RATE * slope / (1 - DECAY[0] ** step) / deviation

    embeddings = np.zeros((len(counts), width))
    if n_seen:
        embeddings[seen] = both[0] - both[0].mean(axis=0)
    return embeddings
