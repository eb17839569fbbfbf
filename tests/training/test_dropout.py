"""Dropout: the masks on every platform, and training with them against the reference."""

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
import reference_random
import reference_training
from c_training import Core, Data, as_rows, to_sparse, train_reference
from helpers import assert_close, central_differences, flatten, random_data, random_parameters
from reference_optimizers import OPTIMIZERS
from reference_training import Training
from sigmax._sigmax import ffi, lib

SIZES = (17, 70, 33, 5)  # a group of 64 neurons and more, half a group, and no mask on the output
ROWS = 41
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}


def mask(seed, step, layer, row, p, n):
    keep = np.full(n + 1, 77, np.uint8)  # one too many, which has to stay as it is
    lib.sigmax_dropout_mask(seed, step, layer, row, p, ffi.from_buffer("uint8_t[]", keep), n)
    assert keep[n] == 77
    return keep[:n]


def problem(rng, dtype, sizes=SIZES, rows=ROWS):
    weights, biases = random_parameters(rng, sizes)
    X, labels, _ = random_data(rng, rows, sizes)
    rounded = [[a.astype(dtype).astype(np.float64) for a in group] for group in (weights, biases)]
    return *rounded, X.astype(dtype), labels


# ---- the masks -----------------------------------------------------------------------------------

PLACES = [  # seed, step, layer, row
    (0, 0, 1, 0),
    (1, 0, 1, 0),
    (0, 1, 1, 0),
    (0, 0, 2, 0),
    (0, 0, 1, 1),
    (2**64 - 1, 2**32 - 1, 3, 65_535),
    (7, 2**32, 1, 0),
    (7, 2**63 + 12_345, 9, 100_000),
]

MASKS = {  # seed, step, layer, p: rows 0 ... 19 of 300 neurons
    (0, 0, 1, 0.5): "a19fa9f9a92ee8921f48fb0409be28acf2fb758fc217a3078983909bfd94ca30",
    (0, 1, 1, 0.5): "5ed02a1dfe68a2a9569c5f9bc981d07c722dcf440ea995fe9e6374c2d2258136",
    (1, 0, 2, 0.2): "b661299a03031cc6ef6ba99ab2806f3099ca203a8aa38eb15f82645d0ef94d6f",
    (
        2**64 - 1,
        2**40 + 3,
        3,
        0.75,
    ): "619c1e7f91c1cdd0844ae54f01411f1c0fedbb4a8fbf1ada4854f61457dac9c4",
}


@pytest.mark.parametrize("n", [1, 15, 16, 17, 63, 64, 65, 128, 255, 256, 257, 1000])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1 / 3, 0.999])
def test_mask_is_that_of_the_published_generator(n, p):
    for place in PLACES:
        expected = reference_random.dropout_mask(*place, p, n)
        np.testing.assert_array_equal(mask(*place, p, n), expected, err_msg=str(place))


@pytest.mark.parametrize("key", MASKS)
def test_mask_on_every_platform(key):
    seed, step, layer, p = key
    masks = b"".join(mask(seed, step, layer, row, p, 300).tobytes() for row in range(20))
    assert hashlib.sha256(masks).hexdigest() == MASKS[key]


def test_all_stay_and_none_stays():
    for place in PLACES:
        assert mask(*place, 0.0, 5000).all()
        assert not mask(*place, 1.0, 5000).any()


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.9])
def test_share_of_those_left_out(p):
    # 640,000 draws: within five standard deviations.
    left_out = 1.0 - np.mean(
        [mask(3, step, 1, row, p, 1000) for step in range(8) for row in range(80)]
    )
    assert left_out == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / 640_000))


def test_every_neuron_is_left_out_as_often(n_masks=20_000, n=130):
    # A binomial count for each neuron; five standard deviations.
    counts = sum(mask(5, step, 2, 3, 0.3, n).astype(int) for step in range(n_masks))
    deviation = np.abs(counts - 0.7 * n_masks) / math.sqrt(0.21 * n_masks)
    assert deviation.max() < 5


def test_masks_are_independent():
    # Each place differs from PLACES[0] in one thing; two fair masks agree on half their neurons.
    n = 20_000
    for i, place in enumerate(PLACES):
        for other in PLACES[:i]:
            agree = np.mean(mask(*place, 0.5, n) == mask(*other, 0.5, n))
            assert agree == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(n)), (place, other)
    lagged = mask(0, 0, 1, 0, 0.5, n).astype(float) - 0.5
    for lag in (1, 16, 64):
        assert abs(np.mean(lagged[lag:] * lagged[:-lag]) / 0.25) < 5 / math.sqrt(n)


def test_a_longer_mask_begins_with_the_shorter_one():
    long = mask(8, 2, 1, 4, 0.4, 1000)
    for n in (0, 1, 64, 65, 500):
        np.testing.assert_array_equal(mask(8, 2, 1, 4, 0.4, n), long[:n])


# ---- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 8, 41])
def test_training_with_dropout(instruction_set, rng, dtype, name, batch_size):
    weights, biases, X, labels = problem(rng, dtype)
    rate = {"sgd": 0.5, "momentum": 0.2, "nesterov": 0.2}.get(name, 0.01)
    numbers = Training(name, rate, dropout=0.4, seed=2**63 + 5, epsilon=1e-3)
    start, order = flatten(weights, biases), rng.permutation(ROWS)
    core = Core(SIZES, dtype, start, numbers)
    core.train(Data(dtype, X, labels), batch_size, order, epochs=2)
    expected = train_reference(weights, biases, X, labels, numbers, batch_size, order, epochs=2)
    tolerance = TOLERANCE[dtype] * (20 if batch_size == 1 else 1)
    step = flatten(expected.weights, expected.biases) - start
    assert np.abs(step).max() > 0.01
    assert_close(core.parameters - start, step, tolerance)
    assert core.progress.cost == pytest.approx(expected.cost, rel=tolerance)
    assert core.progress.n_correct == expected.n_correct


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_layer_wider_than_a_piece_of_the_mask(instruction_set, rng, dtype, name):
    # Masks are made in pieces of some hundred neurons: each has to begin where the last ended.
    sizes, rows = (3, 777, 3), 6
    weights, biases, X, labels = problem(rng, dtype, sizes, rows)
    numbers = Training(name, 0.01, dropout=0.5, seed=12, epsilon=1e-3)
    start = flatten(weights, biases)
    core = Core(sizes, dtype, start, numbers).train(Data(dtype, X, labels), rows)
    expected = train_reference(weights, biases, X, labels, numbers, rows)
    step = flatten(expected.weights, expected.biases) - start
    assert_close(core.parameters - start, step, TOLERANCE[dtype])


def test_the_step_is_the_slope_of_the_cost_at_the_fixed_mask(instruction_set, rng):
    # Central differences of C's own cost: the weights of a thinned network are those that lead
    # from a neuron, times mask / (1 - p), so the cost of the whole network with such weights is it.
    sizes, rows, p, seed = (4, 9, 7, 3), 1, 0.4, 3
    weights, biases = random_parameters(rng, sizes)
    X, labels, _ = random_data(rng, rows, sizes)
    masks = [mask(seed, 0, layer, 0, p, n) / (1 - p) for layer, n in ((1, 9), (2, 7))]
    assert all(0 < m.sum() < m.size / (1 - p) for m in masks)
    start = flatten(weights, biases)
    data = Data("float64", X, labels)
    handle = Core(sizes, "float64", start, Training()).handle
    cost = ffi.new("double *")

    def thinned_cost():
        thinned = [weights[0], weights[1] * masks[0], weights[2] * masks[1]]
        parameters = flatten(thinned, biases)
        address = ffi.cast("void *", parameters.ctypes.data)
        assert lib.sigmax_cost(handle, address, 1.0, data.struct, cost, ffi.NULL) == lib.SIGMAX_OK
        return cost[0]

    numeric = central_differences(thinned_cost, [*weights, *biases])
    core = Core(sizes, "float64", start, Training("sgd", 1.0, dropout=p, seed=seed))
    core.train(data, 1)
    assert np.linalg.norm(numeric) > 1e-2
    assert_close(start - core.parameters, numeric, 1e-7)
    assert core.progress.cost == pytest.approx(thinned_cost(), rel=1e-12)


def test_the_comparison_would_notice_the_dropped_sigmoid(rng):
    # BP2 with a (1 - a) of the activation after the mask, a mistake easily made, is far off.
    weights, biases, X, labels = problem(rng, "float64")
    y = as_rows(labels, SIZES[-1])
    masks = reference_training.dropout_masks(SIZES, ROWS, 0.4, 1, 0)
    s = np.ones(ROWS)
    right = reference_training.weighted_backprop(weights, biases, X, y, s, masks)
    activations, _, _ = reference_training.thinned_forward(weights, biases, X, masks)
    a = activations[2]
    wrong = (right.deltas[2] @ weights[2]) * a * (1.0 - a)
    assert np.abs(wrong - right.deltas[1]).max() > 0.1 * np.abs(right.deltas[1]).max()


def test_saturated_neurons_learn_nothing(instruction_set, dtype):
    # sigma(z) = 1 exactly, so sigma' = 0: the weights into the hidden layer must hardly move.
    sizes = (2, 40, 3)
    weights = [np.full((40, 2), 500.0), np.linspace(-1.0, 1.0, 120).reshape(3, 40)]
    biases = [np.zeros(40), np.zeros(3)]
    start = flatten(weights, biases)
    core = Core(sizes, dtype, start, Training("sgd", 1.0, dropout=1 / 3, seed=4))
    core.train(Data(dtype, np.ones((8, 2)), np.arange(8) % 3), 8)
    moved = np.abs(core.parameters - start.astype(dtype))
    assert moved[80:200].max() > 0.01
    assert moved[:80].max() <= 4 * np.finfo(dtype).eps * 500


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_without_dropout_the_seed_means_nothing(instruction_set, rng, dtype, name):
    weights, biases, X, labels = problem(rng, dtype)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    first = Core(SIZES, dtype, start, Training(name, 0.01, seed=1)).train(data, 8)
    second = Core(SIZES, dtype, start, Training(name, 0.01, seed=2)).train(data, 8)
    assert first.snapshot() == second.snapshot()


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_softmax_regression_has_nothing_to_drop(instruction_set, rng, dtype, name):
    sizes = (17, 5)
    weights, biases, X, labels = problem(rng, dtype, sizes)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    plain = Core(sizes, dtype, start, Training(name, 0.01)).train(data, 8)
    dropped = Core(sizes, dtype, start, Training(name, 0.01, dropout=0.5)).train(data, 8)
    assert dropped.snapshot() == plain.snapshot()


def test_seed_and_step_choose_the_masks(instruction_set, rng, dtype):
    weights, biases, X, labels = problem(rng, dtype)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    ends = set()
    for seed in (1, 2, 2**32 + 1):
        for step in (0, 1, 2**32):
            core = Core(SIZES, dtype, start, Training("sgd", 0.1, dropout=0.5, seed=seed))
            core.progress.step = step
            ends.add(core.train(data, ROWS).parameters.tobytes())
    assert len(ends) == 9


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_threads_and_any_chunks(instruction_set, rng, dtype, name):
    # Wide enough for the pool, with every term of the objective, dense and sparse.
    sizes, rows = (130, 211, 150, 7), 150
    weights, biases, X, labels = problem(rng, dtype, sizes, rows)
    X[rng.uniform(size=X.shape) < 0.8] = 0
    numbers = Training(
        name, 0.01, l2=0.01, l1=1e-3, clip_norm=0.5, dropout=0.3, label_smoothing=0.1, seed=6
    )
    s, order = rng.exponential(1.0, rows), rng.permutation(rows)
    ends = set()
    for threads, chunk in ((1, 100), (2, 1), (3, 2), (7, 3), (2, 100)):
        for inputs in (X, to_sparse(X)):
            lib.sigmax_set_num_threads(threads)
            try:
                core = Core(sizes, dtype, flatten(weights, biases), numbers)
                core.train(Data(dtype, inputs, labels, s), 64, order, epochs=2, chunk=chunk)
            finally:
                lib.sigmax_set_num_threads(0)
            ends.add(core.snapshot())
    assert len(ends) == 1


def test_prediction_needs_no_correction(instruction_set, rng, dtype):
    # The expected activation under dropout is that of the whole network.
    sizes = (6, 400, 3)
    weights, biases, X, labels = problem(rng, dtype, sizes, rows=1)
    numbers = replace(Training(), dropout=0.5)
    costs = []
    for step in range(300):
        core = Core(sizes, dtype, flatten(weights, biases), numbers)
        core.progress.step = step
        costs.append(core.train(Data(dtype, X, labels), 1).progress.cost)
    whole = train_reference(weights, biases, X, labels, Training(), 1).cost
    assert np.std(costs) > 1e-3
    assert np.mean(costs) == pytest.approx(whole, rel=0.2)
