"""The same seed gives the same bits: twice, in a new process, and with any number of threads."""

import hashlib
import json
from pathlib import Path
from statistics import NormalDist

import numpy as np
import processes
import pytest
import reference_random
import sigmax
from reference_random import PARAMETERS, philox
from sigmax._sigmax import ffi, lib

SIZES = (20, 17, 5)


def sha256(array):
    """The hash of an array's values, little-endian."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def permutation(seed, epoch, n):
    order = np.empty(n, np.uintp)
    lib.sigmax_permutation(seed, epoch, ffi.cast("size_t *", ffi.from_buffer(order)), n)
    return order


def problem(dtype, rows=600, sizes=SIZES):
    """Data that NumPy's version cannot change: a few cheap arithmetic sequences."""
    X = (np.arange(rows * sizes[0]) * 7919 % 10_007 / 5_003.5 - 1.0).reshape(rows, sizes[0])
    return X.astype(dtype), np.arange(rows) * 31 % sizes[-1]


def trained(dtype, seed=5, sizes=SIZES, rows=600, **options):
    network = sigmax.Network(sizes, dtype=dtype, seed=seed)
    history = network.fit(*problem(dtype, rows, sizes), **{"epochs": 3, **options})
    return network, history


# ---- what a seed stands for, on every platform ---------------------------------------------------

INITIAL = {
    ("float32", "lecun", 0): "a5ce3b1db5d1488413b6392d64cfe37077b1c8805384585a4f100d6d41ccd6a9",
    ("float32", "lecun", 1): "3fb397893b52bc24f2b0071cf306a8c788abb1c53a5f3069f8106faa94ee8a92",
    (
        "float32",
        "lecun",
        2**64 - 1,
    ): "0007e952d1c6d501db3f65358ef3ed0d4829ea9effa316d10550cc1841330852",
    ("float32", "glorot", 0): "0fb3eab96ce9fc7d3e10bf9dbe55cfd55081f0cafc7f11f602f6541872beabbe",
    ("float32", "large", 0): "f60d004e313de981abf3b1876118c140eb9a408717f9a3226f47679f89638541",
    ("float64", "lecun", 0): "7d61a2dd018ff440daced51171b10412d4b18a5f8b4d7056217b9edf896e368d",
    ("float64", "lecun", 1): "d231a8c136e13d0ee8ab606d7798594455e465146fec0c1dba0cbcd9fea1f00a",
    (
        "float64",
        "lecun",
        2**64 - 1,
    ): "b163b33c9e59bc4a62ab9b2cfa307ff29b7d4704b5eb27f26c6c9fd732e56267",
    ("float64", "glorot", 0): "53bb9b9a7d0ae73c920cd966ee7b041811d27f09211e84fa6b5bf8016821c452",
    ("float64", "large", 0): "6f4c2cb35f998f5ebd55dcc93cdf912c6fbb3bef49a1ef94672ef14a916e5f6f",
}

PERMUTATIONS = {
    (0, 0, 1000): "56acebdc376259251d4b793d58489036e63e523e62c3928079659262cd04a5ce",
    (0, 1, 1000): "99d6585c601137b784ba57ed21c240aeb7a1b92988fb4f536d4263ec0627f40f",
    (1, 0, 1000): "e9a9d74ffe07468ee50e6f61482c965c3948fdd543760cee8222bc1099d7eef8",
    (2**64 - 1, 2**40, 70_001): "3e4e2c8a8ce2e572cb09af8a277d4613177835364cd9e6f10ccf0d7e658fef25",
}


@pytest.mark.parametrize(("dtype", "init", "seed"), INITIAL)
def test_initial_parameters_on_every_platform(instruction_set, dtype, init, seed):
    network = sigmax.Network(SIZES, dtype=dtype, seed=seed, init=init)
    assert sha256(network.parameters) == INITIAL[dtype, init, seed]


@pytest.mark.parametrize(("seed", "epoch", "n"), PERMUTATIONS)
def test_permutation_on_every_platform(seed, epoch, n):
    order = permutation(seed, epoch, n)
    assert sha256(order.astype(np.uint64)) == PERMUTATIONS[seed, epoch, n]


# ---- the published generator, written a second time ----------------------------------------------
# That is reference_random.py; here it is held against the answers of its authors.


def test_philox_gives_the_published_answers():
    # The known answers of Random123, the authors' own implementation.
    ones = 2**32 - 1
    assert philox((0,) * 4, 0).tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    last = philox((ones,) * 4, 2**64 - 1).tolist()
    assert last == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_initial_weights_are_normal_deviates_of_the_generator(seed):
    # Python's NormalDist inverts the normal distribution by the same published algorithm, AS 241.
    network = sigmax.Network(SIZES, dtype="float64", seed=seed, init="large")
    bits = reference_random.random_bits(seed, PARAMETERS, 0, network.n_parameters)
    uniform = [((int(b) >> 11) + 0.5) * 2.0**-53 for b in bits]
    expected = [NormalDist().inv_cdf(p) for p in uniform]
    np.testing.assert_allclose(network.parameters, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("seed", "epoch"), [(0, 0), (5, 3), (2**64 - 1, 2**32 - 1), (5, 2**32), (0, 2**64 - 1)]
)
def test_permutation_is_the_shuffle_of_fisher_and_yates(seed, epoch):
    expected = reference_random.permutation(seed, epoch, 500)
    np.testing.assert_array_equal(permutation(seed, epoch, 500), expected)


# ---- permutations --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 65_537])
def test_permutation_holds_every_row_once(n):
    np.testing.assert_array_equal(np.sort(permutation(3, 1, n)), np.arange(n))


def test_permutations_differ_by_seed_and_epoch():
    orders = {permutation(seed, epoch, 50).tobytes() for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


def test_permutations_are_uniform():
    # Each of the 24 orders of four rows, 24,000 times in all: chi-square with 23 degrees of
    # freedom lies below 60 except once in 30,000 draws of a fair shuffle, and the seed is fixed.
    counts = {}
    for epoch in range(24_000):
        key = permutation(11, epoch, 4).tobytes()
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 24
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 60


def test_permutation_moves_rows_anywhere():
    # Where row 0 and row 99 of 100 come to lie, over 20,000 epochs: chi-square, 99 degrees.
    places = np.zeros((2, 100))
    for epoch in range(20_000):
        order = permutation(12, epoch, 100)
        places[0, np.flatnonzero(order == 0)] += 1
        places[1, np.flatnonzero(order == 99)] += 1
    assert (((places - 200) ** 2 / 200).sum(axis=1) < 165).all()


# ---- the same bits -------------------------------------------------------------------------------


def test_same_seed_same_bits(instruction_set, dtype):
    network, history = trained(dtype)
    again, same = trained(dtype)
    assert network.parameters.tobytes() == again.parameters.tobytes()
    assert history.cost == same.cost and history.accuracy == same.accuracy


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_same_seed_same_bits_in_a_new_process(dtype, optimizer):
    options = {"optimizer": optimizer, "dropout": 0.2, "learning_rate": 0.01}
    here, history = trained(dtype, **options)
    arguments = [Path(__file__).parent, dtype, json.dumps(options)]
    printed = processes.run("programs/hash_of_a_training.py", *arguments)
    assert printed.split() == [sha256(here.parameters), history.cost[-1].hex()]


def test_different_seeds_differ(dtype):
    assert len({trained(dtype, seed=seed)[0].parameters.tobytes() for seed in range(8)}) == 8


def test_the_seed_decides_the_order_too(dtype):
    first, second = (sigmax.Network(SIZES, dtype=dtype, seed=seed) for seed in (1, 2))
    second.parameters[:] = first.parameters
    X, y = problem(dtype)
    first.fit(X, y, epochs=1)
    second.fit(X, y, epochs=1)
    assert (first.parameters != second.parameters).any()


def test_neither_numpy_nor_python_seeds_matter(dtype):
    import random

    first, _ = trained(dtype)
    np.random.seed(99)
    random.seed(99)
    state = np.random.get_state()[1].copy()
    again, _ = trained(dtype)
    assert first.parameters.tobytes() == again.parameters.tobytes()
    np.testing.assert_array_equal(np.random.get_state()[1], state)


# ---- threads -------------------------------------------------------------------------------------

WIDE = (211, 257, 130, 10)  # large enough to be worth a second thread


@pytest.mark.parametrize("batch_size", [1, 64, 301, 600])
def test_training_with_any_number_of_threads(instruction_set, dtype, batch_size):
    def bits(threads):
        with sigmax.num_threads(threads):
            network, history = trained(dtype, sizes=WIDE, epochs=1, batch_size=batch_size, l2=1e-4)
        return network.parameters.tobytes(), history.cost, history.accuracy

    alone = bits(1)
    for threads in (2, 3, 7):
        assert bits(threads) == alone, f"{threads} threads"


ALL_TERMS = {"l2": 1e-3, "l1": 1e-4, "clip_norm": 1.0, "dropout": 0.3, "label_smoothing": 0.1}
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


@pytest.mark.thorough
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_any_number_of_threads(instruction_set, dtype, optimizer):
    def bits(threads):
        with sigmax.num_threads(threads):
            options = {"optimizer": optimizer, "epochs": 1, "batch_size": 64, **ALL_TERMS}
            network, history = trained(dtype, sizes=WIDE, **options)
        return network.parameters.tobytes(), history.cost, history.accuracy

    alone = bits(1)
    for threads in (2, 3, 7):
        assert bits(threads) == alone, f"{threads} threads"


@pytest.mark.thorough
def test_use_with_any_number_of_threads(instruction_set, dtype):
    network = sigmax.Network(WIDE, dtype=dtype, seed=3)
    X, y = problem(dtype, 3000, WIDE)

    def bits(threads):
        with sigmax.num_threads(threads):
            gradient = network.backprop(X, y)
            arrays = [
                network.predict_proba(X),
                network.predict(X),
                *network.activations(X),
                *network.weighted_inputs(X),
                *gradient.deltas,
                *gradient.nabla_b,
                *gradient.nabla_w,
            ]
            return [a.tobytes() for a in arrays], gradient.cost, network.cost(X, y)

    alone = bits(1)
    for threads in (2, 3, 7):
        assert bits(threads) == alone, f"{threads} threads"


def test_initial_parameters_with_any_number_of_threads(dtype):
    hashes = set()
    for threads in (1, 2, 3, 7):
        with sigmax.num_threads(threads):
            hashes.add(sha256(sigmax.Network([700, 600, 10], dtype=dtype, seed=1).parameters))
    assert len(hashes) == 1


def test_two_python_threads_at_once(dtype):
    from concurrent.futures import ThreadPoolExecutor

    alone = [trained(dtype, seed=s, sizes=WIDE, epochs=1)[0].parameters.tobytes() for s in range(4)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(trained, dtype, seed=s, sizes=WIDE, epochs=1) for s in range(4)]
        together = [job.result()[0].parameters.tobytes() for job in jobs]
    assert together == alone
