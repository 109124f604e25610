import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ktnas.surrogate.warp import GapWarp

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)
ERRORS = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=1, max_size=20).map(np.array)


@given(ERRORS, st.floats(-20, 10))
@EXAMPLES
def test_warp_round_trip(errors, warped):
    warp = GapWarp.of(errors)
    np.testing.assert_allclose(warp.inverse(warp.forward(errors)), errors, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(warp.forward(warp.inverse(np.array([warped]))), [warped], rtol=1e-6, atol=1e-6)


@given(ERRORS)
@EXAMPLES
def test_warp_rises_from_zero_at_the_best(errors):
    warp = GapWarp.of(errors)
    spread = np.ptp(errors) + 1
    grid = np.linspace(errors.min() - spread, errors.max() + spread, 50)
    assert warp.forward(errors.min()) == 0
    assert (np.diff(warp.forward(grid)) > 0).all()
    assert (np.diff(warp.inverse(warp.forward(grid))) > 0).all()


@given(SEEDS, st.floats(0.01, 100), st.floats(-100, 100))
@EXAMPLES
def test_warp_does_not_depend_on_unit_or_level(seed, scale, level):
    errors = np.random.default_rng(seed).normal(size=12)
    moved = scale * errors + level
    np.testing.assert_allclose(
        GapWarp.of(moved).forward(moved), GapWarp.of(errors).forward(errors), rtol=1e-6, atol=1e-6
    )


def test_warp_inverse_stays_finite():
    assert np.isfinite(GapWarp(1.0, 2.0).inverse(np.array([-1e6, 0.0, 1e6]))).all()
