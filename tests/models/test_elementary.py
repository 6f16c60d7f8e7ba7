"""Elementary functions: near numpy's, and the same bits each time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.elementary import dot, exponential, signed_log, total

EXTREMES = [0.0, -0.0, 1e-38, 1e-7, 1.0, -1.0, 1e20, -1e20, 3e38, -3e38]


def test_the_signed_log_is_within_3e_5_and_odd():
    x = np.concatenate((np.linspace(-50, 50, 5001), EXTREMES)).astype(np.float32)
    found = x.copy()
    signed_log(found)
    expected = np.sign(x) * np.log1p(np.abs(x.astype(np.float64)))
    assert np.abs(found - expected).max() < 3e-5
    assert (found[:2500] == -found[5000:2500:-1]).all()


def test_the_signed_log_keeps_the_order():
    x = np.sort(np.concatenate((np.linspace(-40, 40, 4001), EXTREMES)).astype(np.float32))
    signed_log(x)
    assert (np.diff(x) >= -1e-7).all()


def test_the_exponential_is_within_the_error_that_it_states():
    x = np.linspace(-87, 88, 100_001).astype(np.float32)
    found = x.copy()
    exponential(found)
    expected = np.exp(x.astype(np.float64))
    assert (np.abs(found / expected - 1) < 3e-7 + 8e-8 * np.abs(x)).all()


def test_the_exponential_stays_finite_and_above_zero_beyond_its_range():
    found = np.array([-1e30, -200.0, -87.0, 88.0, 200.0, 1e30], np.float32)
    exponential(found)
    assert np.isfinite(found).all()
    assert found[0] == found[1] == found[2] == pytest.approx(1.6e-38, rel=0.1)
    assert found[3] == found[4] == found[5] == pytest.approx(1.65e38, rel=0.1)


def test_the_exponential_of_0_is_1_and_an_empty_vector_stays_empty():
    one = np.zeros(1, np.float32)
    exponential(one)
    assert one[0] == 1.0
    exponential(one[:0])
    signed_log(one[:0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_value_does_not_depend_on_its_place_in_the_vector(n, seed):
    # The compiler takes whole groups of values side by side, and the rest one by one.
    x = np.random.default_rng(seed).normal(0, 20, n).astype(np.float32)
    for function in (signed_log, exponential):
        together = x.copy()
        function(together)
        for q in range(n):
            alone = x[q : q + 1].copy()
            function(alone)
            assert alone.tobytes() == together[q : q + 1].tobytes()


@pytest.mark.parametrize("length", [0, 8, 16, 64, 256])
def test_a_dot_product_is_numpys_within_rounding_and_the_same_each_time(length):
    random = np.random.default_rng(length)
    a, b = random.normal(size=(2, length)).astype(np.float32)
    expected = float(a.astype(np.float64) @ b.astype(np.float64))
    assert dot(a, b) == pytest.approx(expected, abs=1e-6 * max(length, 1))
    assert dot(a, b) == dot(b, a) == dot(a.copy(), b.copy())


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 250, 1001])
def test_a_total_is_numpys_within_rounding_and_the_same_each_time(length):
    x = np.random.default_rng(length).normal(size=length).astype(np.float32)
    expected = float(x.astype(np.float64).sum())
    assert total(x) == pytest.approx(expected, abs=1e-6 * max(length, 1))
    assert total(x) == total(x.copy())


def test_eight_sums_stand_side_by_side_in_a_fixed_order():
    # 1e8 + 1 is 1e8 in float32: where the ones are lost shows in which order they are added.
    x = np.zeros(16, np.float32)
    x[0], x[8], x[1], x[9] = 1e8, 1.0, 1.0, 1.0
    assert total(x) == dot(x, np.ones(16, np.float32)) == np.float32(1e8)
    x[8] = -1e8
    assert total(x) == 2.0
