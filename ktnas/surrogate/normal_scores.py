"""Values by their places, as if they, or others, were standard normal."""

import numpy as np
from scipy.special import ndtri

from ktnas.arrays import FloatArray


def normal_scores(values: FloatArray) -> FloatArray:
    """Normal deviates (N,) of the places of ``values`` (N,); what is tied shares its place."""
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def scores_among(values: FloatArray, among: FloatArray) -> FloatArray:
    """Scores (N,) of values (N,) by their places among sorted ones (M,); finite wherever they stand."""
    below, up_to = (np.searchsorted(among, values, side=side) for side in ("left", "right"))
    return np.asarray(ndtri((below + up_to + 1) / (2 * len(among) + 2)))
