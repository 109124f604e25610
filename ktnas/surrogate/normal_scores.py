"""Values by their places among others, as if those were standard normal."""

import numpy as np
from scipy.special import ndtri

from ktnas.arrays import FloatArray


def normal_scores(values: FloatArray, among: FloatArray) -> FloatArray:
    """Scores (N,) of values (N,) by their places among sorted ones (M,); finite wherever they stand."""
    below, up_to = (np.searchsorted(among, values, side=side) for side in ("left", "right"))
    return np.asarray(ndtri((below + up_to + 1) / (2 * len(among) + 2)))
