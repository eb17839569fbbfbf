"""exp, sigmoid, softmax and the cost, held to the bounds that csrc/engine/activation.h states.

The judge is the same formula in a wider type: float64 for float32, long double for float64 (skipped
where long double is no wider than double).
"""

import numpy as np
import pytest
import sigmax
from helpers import assert_close, central_differences
from sigmax._sigmax import ffi, lib

EXP_ULPS = 2.0
SIGMOID_ULPS = 2.5
SIGMOID_PRIME_ULPS = 3.5  # of a: sigma' is a (1 - a), and 1 - a rounds where a is near 1

STRIDE = 4099  # a prime; 2^32 / 4099 is about 10^6
WIDTHS = (1, 2, 3, 10, 26, 31, 32, 33, 40, 100, 1000, 1023, 1024, 1025, 3000)

each_set = pytest.mark.usefixtures("instruction_set")


def engine(function, z):
    """One of lib.sigmax_exp, _sigmoid, _sigmoid_prime on z, which need not be finite."""
    z = np.ascontiguousarray(z)
    out = np.empty_like(z)
    status = function(z.itemsize, ffi.from_buffer(z), ffi.from_buffer(out), z.size)
    assert status == lib.SIGMAX_OK
    return out


def wider(dtype):
    """A type that judges dtype: at least eleven bits more."""
    if np.dtype(dtype) == np.float32:
        return np.float64
    if np.finfo(np.longdouble).eps >= 2e-19:
        pytest.skip("long double is no wider than double here")
    return np.longdouble


def ulp_of(expected, dtype):
    """The unit in the last place of expected (wide), as dtype counts it.

    Below the normal range it is the smallest subnormal; beyond the largest number, that one's ulp.
    """
    info = np.finfo(dtype)
    exponent = np.frexp(expected)[1] - 1
    exponent = np.where(expected == 0, info.minexp, np.clip(exponent, info.minexp, info.maxexp - 1))
    return np.ldexp(expected.dtype.type(1), exponent - info.nmant)


def errors(got, expected, ulp):
    """|got - expected| / ulp; infinity counts as the power of two after the largest number."""
    beyond = np.ldexp(expected.dtype.type(1), np.finfo(got.dtype).maxexp)
    return np.abs(np.minimum(got.astype(beyond.dtype), beyond) - np.minimum(expected, beyond)) / ulp


def assert_within(error, bound, z):
    worst = error.argmax()  # a NaN, where there is one
    assert error[worst] <= bound, f"{error[worst]:.4f} ulp at z = {float(z[worst]).hex()}"


def judged(z):
    """e^z, sigmoid(z), sigmoid'(z) in the wider type, each with its ulp: that of a for sigmoid'."""
    wide = z.astype(wider(z.dtype))
    with np.errstate(over="ignore", under="ignore"):
        e = np.exp(-np.abs(wide))
        exp = np.exp(wide)
        sigmoid = np.where(wide < 0, e, 1) / (1 + e)
        sigmoid_prime = e / (1 + e) ** 2
    ulp = ulp_of(sigmoid, z.dtype)
    return (exp, ulp_of(exp, z.dtype)), (sigmoid, ulp), (sigmoid_prime, ulp)


def assert_elementwise_bounds(z, expected):
    exp, sigmoid, sigmoid_prime = expected
    with np.errstate(under="ignore"):
        assert_within(errors(engine(lib.sigmax_exp, z), *exp), EXP_ULPS, z)
        assert_within(errors(engine(lib.sigmax_sigmoid, z), *sigmoid), SIGMOID_ULPS, z)
        got = engine(lib.sigmax_sigmoid_prime, z)
        assert_within(errors(got, *sigmoid_prime), SIGMOID_PRIME_ULPS, z)


def float32_patterns(start, stop, step=1):
    """The finite float32 values among the bit patterns start, start + step, ..."""
    z = np.arange(start, stop, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return z[np.isfinite(z)]


def float64_sample(n, seed):
    """n values: half spread over every exponent and both signs, half where e^z is not 0 nor inf."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 52, n // 2, dtype=np.uint64)
    bits |= rng.integers(0, 2, n // 2, dtype=np.uint64) << 63
    bits |= (np.arange(n // 2, dtype=np.uint64) % 2047) << 52
    return np.concatenate([bits.view(np.float64), rng.uniform(-750.0, 711.0, n - n // 2)])


def edges(dtype):
    """Where something changes: zeros, ends of ranges, limits of e^z; and their neighbours."""
    info = np.finfo(dtype)
    wide = wider(dtype)
    log_2 = np.log(wide(2))
    limits = [info.maxexp, info.minexp, info.minexp - info.nmant, info.minexp - info.nmant - 1]
    z = [0.0, info.smallest_subnormal, info.tiny, info.eps, 0.5, 1.0, info.max]
    z += [float(log_2 * limit) for limit in limits]
    z += [float(log_2 * (n + 0.5)) for n in range(-160, 130)]  # where n = round(z / ln 2) changes
    z = np.array(z + [-x for x in z], dtype)
    with np.errstate(over="ignore", under="ignore"):
        z = np.concatenate([z, np.nextafter(z, dtype(np.inf)), np.nextafter(z, dtype(-np.inf))])
    return z[np.isfinite(z)]


# ---- e^z and sigmoid -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def float32_sweep():
    z = np.concatenate([float32_patterns(0, 1 << 32, STRIDE), edges(np.float32)])
    return z, judged(z)


@pytest.fixture(scope="module")
def float64_sweep():
    z = np.concatenate([float64_sample(1_000_000, seed=1), edges(np.float64)])
    return z, judged(z)


@each_set
def test_float32_in_strides_over_all_bit_patterns(float32_sweep):
    assert_elementwise_bounds(*float32_sweep)


@each_set
def test_float64_in_every_exponent(float64_sweep):
    assert_elementwise_bounds(*float64_sweep)


@pytest.mark.slow
def test_every_float32(monkeypatch):
    block = 1 << 16  # what the second cache holds
    for start in range(0, 1 << 32, block):
        z = float32_patterns(start, start + block)
        if z.size == 0:  # the NaNs
            continue
        expected = judged(z)
        for name in sigmax.instruction_sets():
            monkeypatch.setenv("SIGMAX_ISA", name)
            assert_elementwise_bounds(z, expected)


@pytest.mark.slow
def test_float64_ten_million(monkeypatch):
    for seed in range(2, 102):
        z = float64_sample(100_000, seed)
        expected = judged(z)
        for name in sigmax.instruction_sets():
            monkeypatch.setenv("SIGMAX_ISA", name)
            assert_elementwise_bounds(z, expected)


@each_set
def test_limits(dtype):
    z = np.array([-np.inf, np.finfo(dtype).min, -0.0, 0.0, np.finfo(dtype).max, np.inf], dtype)
    np.testing.assert_array_equal(engine(lib.sigmax_exp, z), [0, 0, 1, 1, np.inf, np.inf])
    np.testing.assert_array_equal(engine(lib.sigmax_sigmoid, z), [0, 0, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(engine(lib.sigmax_sigmoid_prime, z), [0, 0, 0.25, 0.25, 0, 0])
    assert not np.signbit(engine(lib.sigmax_exp, z)).any()
    assert not np.signbit(engine(lib.sigmax_sigmoid, z)).any()


@each_set
@pytest.mark.parametrize("function", ["sigmax_exp", "sigmax_sigmoid", "sigmax_sigmoid_prime"])
def test_nan_stays(dtype, function):
    z = np.array([np.nan, 1.0, -np.nan, 2.0] * 9, dtype)
    np.testing.assert_array_equal(np.isnan(engine(getattr(lib, function), z)), np.isnan(z))


@each_set
def test_subnormal_results_are_kept(dtype):
    info = np.finfo(dtype)
    wide = wider(dtype)
    lowest, highest = np.log(wide(info.smallest_subnormal)), np.log(wide(info.tiny))
    z = np.linspace(float(lowest) + 0.1, float(highest) - 0.1, 4001).astype(dtype)
    exp, sigmoid, _ = judged(z)
    for function, expected in ((lib.sigmax_exp, exp), (lib.sigmax_sigmoid, sigmoid)):
        got = engine(function, z)
        assert (got > 0).all() and (got < info.tiny).all()
        assert_within(errors(got, *expected), 1.0, z)


def test_exp_of_minus_100_in_float32():
    z = np.float32([-100.0])
    assert engine(lib.sigmax_exp, z)[0] == pytest.approx(3.783506e-44, rel=1e-6)  # 27 * 2^-149
    assert sigmax.sigmoid(z)[0] == pytest.approx(3.783506e-44, rel=1e-6)


@each_set
@pytest.mark.parametrize("function", ["sigmax_exp", "sigmax_sigmoid", "sigmax_sigmoid_prime"])
def test_same_bits_in_arrays_of_any_length(rng, dtype, function):
    z = rng.normal(0.0, 20.0, 131).astype(dtype)
    whole = engine(getattr(lib, function), z)
    for length in range(1, 68):
        for start in (0, 1, 5, 64):
            part = slice(start, start + length)
            got = engine(getattr(lib, function), z[part])
            np.testing.assert_array_equal(got, whole[part], f"z[{start}:{start + length}]")


@each_set
def test_python_face_is_the_engine(rng, dtype):
    z = rng.normal(0.0, 5.0, (7, 11)).astype(dtype)
    for face, function in (
        (sigmax.sigmoid, lib.sigmax_sigmoid),
        (sigmax.sigmoid_prime, lib.sigmax_sigmoid_prime),
    ):
        got = face(z)
        assert got.dtype == dtype and got.shape == z.shape
        np.testing.assert_array_equal(got, engine(function, z))


# ---- softmax -------------------------------------------------------------------------------------


def softmax_of(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def relative_bound(z):
    """(max|z - m| + K + 4) eps for each row of z (n, K)."""
    spread = (z.max(axis=-1).astype(np.float64) - z.min(axis=-1)).astype(np.float64)
    return (spread + z.shape[-1] + 4) * np.finfo(z.dtype).eps


@each_set
@pytest.mark.parametrize("k", WIDTHS)
def test_softmax_bound(rng, dtype, k):
    wide = wider(dtype)
    z = rng.normal(0.0, 1.0, (70, k)).astype(dtype)
    z *= np.array([0.01, 1.0, 5.0, 30.0, 200.0], dtype)[np.arange(70) % 5, np.newaxis]
    with np.errstate(under="ignore"):
        expected = softmax_of(z.astype(wide))
        allowed = relative_bound(z)[:, np.newaxis] * expected
        allowed += 2 * np.finfo(dtype).smallest_subnormal
        error = np.abs(sigmax.softmax(z) - expected)
    assert (error <= allowed).all()


@each_set
@pytest.mark.parametrize("k", [1, 2, 3, 10, 33, 1025])
def test_softmax_of_a_row_alone_and_among_many(rng, dtype, k):
    z = rng.normal(0.0, 4.0, (130, k)).astype(dtype)
    together = sigmax.softmax(z)
    for row in (0, 1, 63, 64, 129):
        np.testing.assert_array_equal(sigmax.softmax(z[row : row + 1])[0], together[row])


@each_set
def test_softmax_of_extreme_entries(dtype):
    z = np.array([[1e30, -1e30, 0.0, 1e30], [-1e30, -1e30, -1e30, -1e30], [0.0, 1e30, 5.0, -3.0]])
    expected = [[0.5, 0.0, 0.0, 0.5], [0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]]
    np.testing.assert_array_equal(sigmax.softmax(z.astype(dtype)), expected)


@each_set
@pytest.mark.parametrize("value", [0.0, 7.5, -1e30])
def test_softmax_of_ten_thousand_equal_entries(dtype, value):
    got = sigmax.softmax(np.full((1, 10_000), value, dtype))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.full((1, 10_000), 1e-4, dtype))


@each_set
def test_softmax_keeps_subnormal_probabilities(dtype):
    depth = -100.0 if dtype == "float32" else -740.0
    got = sigmax.softmax(np.array([[0.0, depth]], dtype))[0, 1]
    assert 0 < got < np.finfo(dtype).tiny
    with np.errstate(under="ignore"):
        expected = np.exp(wider(dtype)(depth))
    assert abs(got - expected) <= np.finfo(dtype).smallest_subnormal


# ---- its Jacobian --------------------------------------------------------------------------------


@each_set
@pytest.mark.parametrize("k", [1, 2, 3, 10, 33, 100])
def test_jacobian_is_its_formula(rng, dtype, k):
    z = rng.normal(0.0, 3.0, k).astype(dtype)
    a = sigmax.softmax(z[np.newaxis])[0].astype(np.float64)
    got = sigmax.softmax_jacobian(z)
    assert got.shape == (k, k) and got.dtype == dtype
    eps = float(np.finfo(dtype).eps)
    diagonal = np.eye(k, dtype=bool)
    np.testing.assert_allclose(got[diagonal], a * (1 - a), rtol=2 * eps, atol=eps**2)
    np.testing.assert_allclose(got[~diagonal], -np.outer(a, a)[~diagonal], rtol=eps)
    np.testing.assert_array_equal(got, got.T)


@each_set
def test_jacobian_against_central_differences(rng):
    z = rng.normal(0.0, 2.0, 9)
    numeric = np.empty((9, 9))
    for j in range(9):
        numeric[j] = central_differences(lambda j=j: sigmax.softmax(z[np.newaxis])[0, j], [z])
    got = sigmax.softmax_jacobian(z)
    diagonal = np.eye(9, dtype=bool)
    assert_close(got[diagonal], numeric[diagonal], 1e-9, "diagonal")
    assert_close(got[~diagonal], numeric[~diagonal], 1e-9, "off the diagonal")
    assert (got[diagonal] > 0).all() and (got[~diagonal] < 0).all()


# ---- the cost ------------------------------------------------------------------------------------


def cross_entropy_of(z, y):
    """The cost of each row, as ln(1 + the sum without its largest term): nothing cancels."""
    below = z - z.max(axis=1, keepdims=True)
    e = np.exp(below)
    e[np.arange(len(z)), z.argmax(axis=1)] = 0
    return -(y * below).sum(axis=1) + y.sum(axis=1) * np.log1p(e.sum(axis=1))


@each_set
@pytest.mark.parametrize("k", WIDTHS)
def test_cost_bound(rng, dtype, k):
    wide = wider(dtype)
    z = rng.normal(0.0, 1.0, (70, k)).astype(dtype)
    z *= np.array([0.01, 1.0, 5.0, 30.0, 200.0], dtype)[np.arange(70) % 5, np.newaxis]
    labels = np.where(np.arange(70) % 2, z.argmax(axis=1), rng.integers(0, k, 70))
    one_hot = np.eye(k)[labels]
    soft = rng.exponential(1.0, (70, k)).astype(dtype)
    soft /= soft.sum(axis=1, keepdims=True)
    for y, rows in ((labels, one_hot), (one_hot.astype(dtype), one_hot), (soft, soft)):
        with np.errstate(under="ignore"):
            expected = cross_entropy_of(z.astype(wide), rows.astype(wide))
            allowed = relative_bound(z) * expected + 2 * np.finfo(dtype).smallest_subnormal
        got = sigmax.cross_entropy(z, y)
        assert got.dtype == np.float64 and got.shape == (70,)
        assert (np.abs(got - expected) <= allowed).all()


@each_set
def test_cost_of_float32_extremes_is_finite():
    largest = np.finfo(np.float32).max
    z = np.array([[largest, -largest], [-largest, largest], [largest, largest]], np.float32)
    expected = [2 * float(largest), 0.0, np.log(2.0)]
    np.testing.assert_allclose(sigmax.cross_entropy(z, [1, 1, 0]), expected, rtol=1e-15)
    rows = np.array([[0, 1], [0, 1], [1, 0]], np.float32)
    np.testing.assert_allclose(sigmax.cross_entropy(z, rows), expected, rtol=1e-15)


@each_set
def test_cost_of_float64_extremes_is_finite():
    quarter = np.finfo(np.float64).max / 4
    z = np.array([[quarter, -quarter, 0.0], [-quarter, quarter, quarter]])
    expected = [2 * quarter, np.log(2.0)]
    np.testing.assert_allclose(sigmax.cross_entropy(z, [1, 2]), expected, rtol=1e-15)
    rows = np.array([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])
    np.testing.assert_allclose(sigmax.cross_entropy(z, rows), expected, rtol=1e-15)


@each_set
def test_cost_does_not_cancel(rng, dtype):
    """The literal log-sum-exp minus z.y subtracts large numbers; the cost from m - z does not."""
    small = rng.integers(-32, 33, (50, 10)) / 8.0
    shift = 2.0**17 if dtype == "float32" else 2.0**45
    z = (small + shift).astype(dtype)  # exactly: the same differences, far from 0
    y = rng.integers(0, 10, 50)
    with np.errstate(under="ignore"):
        expected = sigmax.cross_entropy(small.astype(dtype), y)
    np.testing.assert_array_equal(sigmax.cross_entropy(z, y), expected)

    m = z.max(axis=1)
    log_sum_exp = m + np.log(np.exp(z - m[:, np.newaxis]).sum(axis=1))
    literal = log_sum_exp - z[np.arange(50), y]
    assert np.abs(literal / expected - 1).max() > 1e-3, "this z would not show the cancellation"


@each_set
def test_cost_of_a_certain_row_is_not_lost_beside_one(dtype):
    z = np.array([[0.0, -60.0, -61.0], [3.0, 3.0, -80.0]], dtype)
    expected = [np.log1p(np.exp(-60.0) + np.exp(-61.0)), np.log(2.0)]
    got = sigmax.cross_entropy(z, [0, 1])
    np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(dtype).eps)
