"""Bad arguments other than data: options, sizes, dtypes, seeds; and those of the functions."""

import sys

import numpy as np
import processes
import pytest
import sigmax
from bad_input import LOOKS, refused
from helpers import random_data, randomize

SIZES = (4, 5, 3)
ROWS = 12
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=2), rng)


@pytest.fixture
def data(dtype, rng):
    X, labels, soft = random_data(rng, ROWS, SIZES)
    return X.astype(dtype), labels, soft.astype(dtype)


# ---- options of fit ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", NAN),
        ("learning_rate", INF),
        ("learning_rate", -INF),
        ("learning_rate", -0.5),
        ("learning_rate", "fast"),
        ("learning_rate", 1j),
        ("learning_rate", [0.5]),
        ("l2", NAN),
        ("l2", INF),
        ("l2", -1e-9),
        ("l2", None),
        ("epochs", -1),
        ("epochs", 1.5),
        ("epochs", NAN),
        ("epochs", None),
        ("epochs", "3"),
        ("batch_size", 0),
        ("batch_size", -1),
        ("batch_size", 2.5),
        ("batch_size", None),
        ("batch_size", True),
        ("shuffle", "no"),
        ("progress", "no"),
    ],
)
def test_bad_option_of_fit(network, data, name, value):
    X, y, _ = data
    calls = {"fit": lambda: network.fit(X, y, **{"epochs": 1, name: value})}
    refused(network, calls, (TypeError, ValueError), name, str(value))


def test_unknown_option_of_fit(network, data):
    X, y, _ = data
    calls = {"fit": lambda: network.fit(X, y, epochs=1, learning_rte=0.5)}
    refused(network, calls, TypeError, "learning_rte")


def test_options_of_fit_are_named(network, data):
    X, y, _ = data
    refused(network, {"fit": lambda: network.fit(X, y, 1)}, TypeError, "positional")


def test_parameters_that_are_not_finite_at_the_start(network, data):
    X, y, _ = data
    network.weights[1][2, 3] = NAN
    before = network.parameters.tobytes()
    with pytest.raises(ValueError, match="parameter"):
        network.fit(X, y, epochs=1)
    assert network.parameters.tobytes() == before


# ---- networks that cannot be ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([], ("sizes",)),
        ([5], ("sizes",)),
        ([0, 2], ("sizes", "0")),
        ([4, 0, 2], ("sizes", "0")),
        ([4, 0], ("sizes", "0")),
        ([4, -3, 2], ("sizes", "-3")),
        ([4, 1], ("sizes", "1", "2")),
        ([4, 3, 1], ("sizes", "1", "2")),
        ([4, 2.5, 2], ("sizes", "2.5")),
        ([4.0, 2.0], ("sizes", "4.0")),
        ([4, True, 2], ("sizes", "True")),
        ([4, "5", 2], ("sizes", "5")),
        ([4, None], ("sizes", "None")),
        ([[4, 2]], ("sizes",)),
        (7, ("sizes", "7")),
        (None, ("sizes",)),
        ("42", ("sizes",)),
    ],
    ids=str,
)
def test_bad_sizes(sizes, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        sigmax.Network(sizes)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    "sizes",
    [
        [2**40, 2**40],
        [2**40, 30, 10],
        [2, 2**62],
        [2**63, 2],
        [2**64, 2],
        [2**64 + 1, 2],
        [10**30, 2],
        [2**32, 2**32, 2],
        [2, 2**31, 2**33],
    ],
    ids=str,
)
def test_sizes_too_large(sizes, dtype):
    with pytest.raises((ValueError, MemoryError)):
        sigmax.Network(sizes, dtype=dtype)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on memory")
def test_sizes_beyond_the_memory_that_is_allowed():
    assert processes.run("programs/limited_memory.py") == "(1,)\n"


@pytest.mark.parametrize(
    "dtype", ["float16", "int32", "complex64", "longdouble", "O", "nonsense", 7, ">f4", ">f8"]
)
def test_bad_dtype(dtype):
    if np.dtype(np.longdouble) == np.float64 and dtype == "longdouble":
        pytest.skip("longdouble is float64 here")
    with pytest.raises((TypeError, ValueError), match="dtype"):
        sigmax.Network([2, 2], dtype=dtype)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", NAN, [1], True])
def test_bad_seed(seed):
    with pytest.raises((TypeError, ValueError), match="seed") as caught:
        sigmax.Network([2, 2], seed=seed)
    assert str(seed) in str(caught.value)


@pytest.mark.parametrize("init", ["he", "", "LECUN!", None, 3, ["lecun"]])
def test_bad_init(init):
    with pytest.raises((TypeError, ValueError), match="init") as caught:
        sigmax.Network([2, 2], init=init)
    assert all(name in str(caught.value) for name in ("lecun", "glorot", "large"))


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", NAN, True, 2**31])
def test_bad_number_of_threads(n):
    kept = sigmax.get_num_threads()
    with pytest.raises((TypeError, ValueError)) as caught:
        sigmax.set_num_threads(n)
    assert str(n) in str(caught.value)
    with pytest.raises((TypeError, ValueError)), sigmax.num_threads(n):
        pytest.fail("the block was entered")
    assert sigmax.get_num_threads() == kept


# ---- the functions -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_functions_of_z_that_is_not_finite(value):
    z = np.zeros((4, 3))
    z[2, 1] = value
    y = np.eye(4, 3)
    calls = {
        "softmax": lambda: sigmax.softmax(z),
        "cross_entropy": lambda: sigmax.cross_entropy(z, [0, 1, 2, 0]),
        "output_delta": lambda: sigmax.output_delta(z, y),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError) as caught:
            call()
        message = str(caught.value)
        for word in ("z", "row 2", "column 1", str(value)):
            assert word in message, f"{name}: {message}"
    with pytest.raises(ValueError, match="z"):
        sigmax.softmax_jacobian(z[2])


def test_sigmoid_takes_what_is_not_finite(dtype):
    z = np.array([-INF, INF, NAN], dtype)
    np.testing.assert_array_equal(sigmax.sigmoid(z), np.array([0, 1, NAN], dtype))
    np.testing.assert_array_equal(sigmax.sigmoid_prime(z), np.array([0, 0, NAN], dtype))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sigmax.softmax(np.zeros((2, 3, 4))), ("z", "(2, 3, 4)")),
        (lambda: sigmax.softmax(1.0), ("z",)),
        (lambda: sigmax.softmax_jacobian(np.zeros((2, 3))), ("z", "(2, 3)")),
        (lambda: sigmax.softmax(np.zeros(3, complex)), ("z", "complex")),
        (lambda: sigmax.sigmoid("0"), ("z",)),
        (lambda: sigmax.sigmoid(None), ("z",)),
        (lambda: sigmax.cross_entropy(np.zeros((2, 3)), [0]), ("z", "y", "2", "1")),
        (lambda: sigmax.cross_entropy(np.zeros((2, 3)), [0, 3]), ("y", "row 1", "3")),
        (lambda: sigmax.cross_entropy(np.zeros((2, 3)), [0, -1]), ("y", "row 1", "-1")),
        (lambda: sigmax.cross_entropy(np.zeros((2, 3)), np.zeros((2, 4))), ("y", "(2, 4)")),
        (lambda: sigmax.cross_entropy(np.zeros((2, 3)), [[1, 0, 0], [-1, 1, 1]]), ("y", "row 1")),
        (lambda: sigmax.output_delta(np.zeros((2, 3)), np.zeros((3, 3))), ("z", "y", "2", "3")),
        (lambda: sigmax.output_delta(np.zeros((2, 3)), np.full((2, 3), NAN)), ("y", "row 0")),
        (lambda: sigmax.output_delta(np.zeros((2, 3)), np.full((2, 3), -1.0)), ("y", "row 0")),
    ],
)
def test_functions_refuse(call, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_functions_of_nothing():
    assert sigmax.sigmoid(np.empty(0)).shape == (0,)
    assert sigmax.sigmoid_prime(np.empty((3, 0))).shape == (3, 0)
    assert sigmax.softmax(np.empty((0, 4))).shape == (0, 4)
    assert sigmax.cross_entropy(np.empty((0, 4)), np.empty(0, int)).shape == (0,)


@pytest.mark.parametrize("look", [name for name in LOOKS if name != "broadcast"])
def test_functions_of_z_that_only_looks_unusual(rng, look):
    z = rng.normal(0.0, 2.0, (6, 4))
    unusual = LOOKS[look](z)
    y = np.eye(4)[[0, 1, 2, 3, 0, 1]]
    np.testing.assert_array_equal(sigmax.sigmoid(unusual), sigmax.sigmoid(z))
    np.testing.assert_array_equal(sigmax.softmax(unusual), sigmax.softmax(z))
    np.testing.assert_array_equal(sigmax.cross_entropy(unusual, y), sigmax.cross_entropy(z, y))
    np.testing.assert_array_equal(sigmax.output_delta(unusual, y), sigmax.output_delta(z, y))


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_refusals_leak_nothing():
    grown = int(processes.run("programs/repeated_errors.py"))
    # What leaks does so each time. Anything else that grows, the system's tables of pages among it,
    # does so once or twice.
    assert grown < 1024, f"{grown} KiB more in every 50 rounds"


def test_text_labels_say_what_to_do():
    network = sigmax.Network([1, 3], seed=0)
    with pytest.raises(TypeError, match=r"row 0: 'a' is text.*from 0 to 2.*return_inverse"):
        network.fit(np.ones((2, 1)), ["a", "b"])
