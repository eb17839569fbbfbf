"""The six optimisers of sigmax_train: PyTorch's formulas, their state, and what they refuse."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import reference_training
import sigmax
import torch_training
from c_training import Core, Data, train_reference
from helpers import assert_close, flatten, random_data, random_parameters
from reference_optimizers import OPTIMIZERS
from reference_training import Training
from sigmax._sigmax import ffi, lib

pytestmark = pytest.mark.usefixtures("instruction_set")

SIZES = (17, 33, 9, 5)
ROWS = 41

# Rates at which a few updates move the parameters by about a tenth.
NUMBERS = {
    "sgd": Training("sgd", 0.5, l1=1e-4),  # with l1 it is not fused into BP3 and BP4
    "momentum": Training("momentum", 0.2),
    "nesterov": Training("nesterov", 0.2),
    "rmsprop": Training("rmsprop", 0.01),
    "adam": Training("adam", 0.02),
    "adamw": Training("adamw", 0.02, weight_decay=0.3),
}
STATE = {"momentum": "v", "nesterov": "v", "rmsprop": "v", "adam": "mv", "adamw": "mv"}

# Where g is next to 0, g / sqrt(v) is about +-1 whatever the size of g, and float32 knows little of
# such a g. An epsilon above the rounding errors of g makes the comparison one of formulas.
SMOOTH_EPSILON = {"float32": 1e-3, "float64": 1e-8}
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}  # of the largest step


def problem(rng, dtype, sizes=SIZES, rows=ROWS):
    """Parameters, X and labels, all of them exact in the precision."""
    weights, biases = random_parameters(rng, sizes)
    X, labels, _ = random_data(rng, rows, sizes)
    rounded = [[a.astype(dtype).astype(np.float64) for a in group] for group in (weights, biases)]
    return *rounded, X.astype(dtype), labels


# ---- PyTorch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", torch_training.CASES)
def test_fifty_updates_as_recorded_of_pytorch(case):
    weights, biases, X, labels, sample_weight = torch_training.problem()
    core = Core(
        torch_training.SIZES, "float64", flatten(weights, biases), torch_training.CASES[case]
    )
    weighted = torch_training.weights_of_rows(case, sample_weight)
    data = Data("float64", X, labels, weighted)
    core.train(data, torch_training.BATCH_SIZE, epochs=torch_training.EPOCHS)
    expected, expected_cost = torch_training.recorded()[case]
    assert core.progress.step == 50
    np.testing.assert_allclose(core.parameters, expected, rtol=0, atol=1e-9)
    assert core.progress.cost == pytest.approx(expected_cost, rel=1e-9)


@pytest.mark.parametrize("case", torch_training.CASES)
def test_float32_follows_pytorch(case):
    weights, biases, X, labels, sample_weight = torch_training.problem()
    start = flatten(weights, biases)
    core = Core(torch_training.SIZES, "float32", start, torch_training.CASES[case])
    data = Data("float32", X, labels, torch_training.weights_of_rows(case, sample_weight))
    core.train(data, torch_training.BATCH_SIZE, epochs=torch_training.EPOCHS)
    expected, expected_cost = torch_training.recorded()[case]
    assert_close(core.parameters - start, expected - start, 1e-3, case)
    assert core.progress.cost == pytest.approx(expected_cost, rel=1e-4)


@pytest.mark.filterwarnings("ignore::sigmax.TrainingWarning")  # fifty updates are few
@pytest.mark.parametrize("case", torch_training.CASES)
def test_fit_gives_what_pytorch_gives(case):
    weights, biases, X, labels, sample_weight = torch_training.problem()
    options = asdict(torch_training.CASES[case])
    # What belongs to the network, and what has to be left out where it does nothing.
    network = sigmax.Network(torch_training.SIZES, dtype="float64", seed=options.pop("seed"))
    network.parameters[:] = flatten(weights, biases)
    if options["optimizer"] != "adamw":
        del options["weight_decay"]
    if options["optimizer"] == "sgd":
        del options["momentum"]
    options["clip_norm"] = options["clip_norm"] or None
    history = network.fit(
        X,
        labels,
        sample_weight=torch_training.weights_of_rows(case, sample_weight),
        epochs=torch_training.EPOCHS,
        batch_size=torch_training.BATCH_SIZE,
        shuffle=False,
        **options,
    )
    expected, expected_cost = torch_training.recorded()[case]
    np.testing.assert_allclose(network.parameters, expected, rtol=0, atol=1e-9)
    assert history.cost[-1] * torch_training.ROWS == pytest.approx(expected_cost, rel=1e-9)


# ---- the reference -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 16, 41, 100])
def test_parameters_and_state_after_two_epochs(rng, dtype, name, batch_size):
    weights, biases, X, labels = problem(rng, dtype)
    order = rng.permutation(ROWS)
    numbers = replace(NUMBERS[name], epsilon=SMOOTH_EPSILON[dtype])
    start = flatten(weights, biases)
    core = Core(SIZES, dtype, start, numbers)
    core.train(Data(dtype, X, labels), batch_size, order, epochs=2)
    expected = train_reference(weights, biases, X, labels, numbers, batch_size, order, epochs=2)

    # 82 updates on single rows feed the rounding of each into the next.
    tolerance = TOLERANCE[dtype] * (20 if batch_size == 1 else 1)
    step = flatten(expected.weights, expected.biases) - start
    assert np.abs(step).max() > 0.02
    assert_close(core.parameters - start, step, tolerance, "the step")
    arrays = core.state.reshape(len(expected.state), start.size) if core.state.size else []
    for array, wanted, letter in zip(arrays, expected.state, STATE.get(name, ""), strict=True):
        assert_close(array, wanted, tolerance, letter)
    assert core.progress.step == expected.step
    assert core.progress.cost == pytest.approx(expected.cost, rel=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_update_of_many_blocks_of_parameters(rng, dtype, name):
    # 23,370 parameters; the first bias lies within a block of the pass over them.
    sizes = (150, 130, 28, 6)
    weights, biases, X, labels = problem(rng, dtype, sizes, rows=12)
    numbers = replace(NUMBERS[name], epsilon=SMOOTH_EPSILON[dtype], l1=1e-3, l2=0.1, clip_norm=0.3)
    start = flatten(weights, biases)
    core = Core(sizes, dtype, start, numbers).train(Data(dtype, X, labels), 12)
    expected = train_reference(weights, biases, X, labels, numbers, 12)
    step = flatten(expected.weights, expected.biases) - start
    assert_close(core.parameters - start, step, TOLERANCE[dtype], "the step", least_size=1e-2)
    for got, wanted in zip(core.state.reshape(-1, start.size), expected.state, strict=True):
        assert_close(got, wanted, TOLERANCE[dtype])


def test_the_steps_of_late_updates_lose_their_correction(rng, dtype):
    # Adam's t comes from progress->step: at t = 10^6 both bias corrections are 1.
    weights, biases, X, labels = problem(rng, dtype)
    start = flatten(weights, biases)
    numbers = replace(NUMBERS["adam"], epsilon=SMOOTH_EPSILON[dtype])
    core = Core(SIZES, dtype, start, numbers)
    core.progress.step = 10**6 - 1
    core.train(Data(dtype, X, labels), ROWS)
    gradient = reference_training.weighted_backprop(
        weights,
        biases,
        X.astype(np.float64),
        np.eye(SIZES[-1])[labels],
        np.ones(ROWS),
        reference_training.no_masks(weights),
    )
    g = flatten(gradient.nabla_w, gradient.nabla_b)
    step = -0.02 * 0.1 * g / (np.sqrt(0.001 * g**2) + numbers.epsilon)
    assert core.progress.step == 10**6
    assert_close(core.parameters - start, step, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_without_momentum_it_is_gradient_descent(rng, dtype, name):
    weights, biases, X, labels = problem(rng, dtype)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    plain = Core(SIZES, dtype, start, Training("sgd", 0.3, l2=0.01)).train(data, 8)
    core = Core(SIZES, dtype, start, Training(name, 0.3, l2=0.01, momentum=0.0)).train(data, 8)
    assert_close(core.parameters - start, plain.parameters - start, TOLERANCE[dtype])


def test_without_decay_adamw_is_adam(rng, dtype):
    weights, biases, X, labels = problem(rng, dtype)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    adam = Core(SIZES, dtype, start, Training("adam", 0.01)).train(data, 8, epochs=3)
    adamw = Core(SIZES, dtype, start, Training("adamw", 0.01)).train(data, 8, epochs=3)
    assert adam.parameters.tobytes() == adamw.parameters.tobytes()


def test_fused_and_separate_updates_of_sgd_agree(rng, dtype):
    # A clip_norm that clips nothing is enough for a gradient of its own.
    weights, biases, X, labels = problem(rng, dtype)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    numbers = Training("sgd", 0.4, l2=0.02)
    fused = Core(SIZES, dtype, start, numbers).train(data, 8)
    separate = Core(SIZES, dtype, start, replace(numbers, clip_norm=1e6)).train(data, 8)
    assert_close(separate.parameters - start, fused.parameters - start, TOLERANCE[dtype] / 10)


# ---- state ---------------------------------------------------------------------------------------


def test_state_count(rng):
    weights, biases, *_ = problem(rng, "float64")
    core = Core(SIZES, "float64", flatten(weights, biases), NUMBERS["sgd"])
    n = core.parameters.size
    counts = [lib.sigmax_state_count(core.handle, i) for i in range(6)]
    assert counts == [0, n, n, n, 2 * n, 2 * n]
    assert lib.sigmax_state_count(core.handle, 6) == np.iinfo(np.uintp).max
    assert lib.sigmax_state_count(core.handle, -1) == np.iinfo(np.uintp).max


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_carries_over_a_copy(rng, dtype, name):
    # Parameters, state and step are all there is: elsewhere they go on to the same bits.
    weights, biases, X, labels = problem(rng, dtype)
    numbers = replace(NUMBERS[name], dropout=0.3, seed=9)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    whole = Core(SIZES, dtype, start, numbers).train(data, 8, epochs=4)
    first = Core(SIZES, dtype, start, numbers).train(data, 8, epochs=2)
    second = Core(SIZES, dtype, first.parameters, numbers)
    second.state[:] = first.state
    second.progress.step = first.progress.step
    second.train(data, 8, epochs=2)
    assert second.snapshot() == whole.snapshot()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_lies_beside_the_arrays_is_not_touched(rng, dtype, name):
    weights, biases, X, labels = problem(rng, dtype)
    core = Core(SIZES, dtype, flatten(weights, biases), NUMBERS[name])
    margins = []
    for which in ("parameters", "state"):
        array = getattr(core, which)
        wide = np.full(array.size + 128, np.nan, dtype)
        wide[64 : 64 + array.size] = array
        setattr(core, which, wide[64 : 64 + array.size])
        margins += [wide[:64], wide[64 + array.size :]]
    if core.state.size:
        core.struct.state = ffi.cast("void *", core.state.ctypes.data)
    core.train(Data(dtype, X, labels), 8)
    assert np.isfinite(core.parameters).all() and np.isfinite(core.state).all()
    assert all(np.isnan(margin).all() for margin in margins)


# ---- divergence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_a_state_that_overflows_is_divergence(rng, name, chunk):
    # g is about 1e25 and g^2 more than float32 holds: v becomes infinite, while cost, g and, since
    # g / sqrt(v) is 0, the parameters stay finite.
    sizes, offending = (3, 4), 4
    X, labels, _ = random_data(rng, 24, sizes)
    X[4 * offending] = 1e25
    weights, biases = random_parameters(rng, sizes)
    start = flatten(weights, biases)
    core, before = (Core(sizes, "float32", start, NUMBERS[name]) for _ in range(2))
    data = Data("float32", X, labels)
    assert before.call(data, 4, None, offending) == lib.SIGMAX_OK
    status = lib.SIGMAX_OK
    while status == lib.SIGMAX_OK and core.progress.position < 24:
        status = core.call(data, 4, None, chunk)
    assert status == lib.SIGMAX_DIVERGED
    assert core.progress.batch == core.progress.step == offending
    assert core.snapshot() == before.snapshot()
    assert np.abs(before.parameters - start).max() > 1e-3 and (before.state != 0).any()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_divergence_goes_back_to_before_the_batch(rng, dtype, name, chunk):
    weights, biases, X, labels = problem(rng, dtype)
    offending = 3
    X[8 * offending + 5, 2] = np.inf
    numbers = replace(NUMBERS[name], dropout=0.25, clip_norm=1.0)
    start, data = flatten(weights, biases), Data(dtype, X, labels)
    core, before = (Core(SIZES, dtype, start, numbers) for _ in range(2))
    assert before.call(data, 8, None, offending) == lib.SIGMAX_OK
    status = lib.SIGMAX_OK
    while status == lib.SIGMAX_OK and core.progress.position < ROWS:
        status = core.call(data, 8, None, chunk)
    assert status == lib.SIGMAX_DIVERGED
    assert core.progress.batch == offending
    assert core.snapshot() == before.snapshot()


# ---- refusals, which change nothing --------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
NEGATIVE = (-1e-300, -1.0, INF, -INF, NAN)
NO_SHARE = (*NEGATIVE, 1.0, 1.5)
USED_BY_ALL = {
    "learning_rate": (0.0, *NEGATIVE),
    "l2": NEGATIVE,
    "l1": NEGATIVE,
    "clip_norm": NEGATIVE,
    "dropout": NO_SHARE,
    "label_smoothing": NO_SHARE,
}
USED_BY_SOME = {
    "momentum": (NO_SHARE, {"momentum", "nesterov"}),
    "rho": (NO_SHARE, {"rmsprop"}),
    "beta1": (NO_SHARE, {"adam", "adamw"}),
    "beta2": (NO_SHARE, {"adam", "adamw"}),
    "epsilon": (NEGATIVE, {"rmsprop", "adam", "adamw"}),
    "weight_decay": (NEGATIVE, {"adamw"}),
}


@pytest.fixture
def ready(rng, dtype, request):
    """A Core of the optimiser and its data."""
    weights, biases, X, labels = problem(rng, dtype)
    core = Core(SIZES, dtype, flatten(weights, biases), NUMBERS[request.param])
    return core, Data(dtype, X, labels)


def assert_refused(core, data, what):
    before = core.snapshot()
    assert core.call(data, 8) == lib.SIGMAX_BAD_ARGUMENT, what
    assert core.snapshot() == before, what


every_optimizer = pytest.mark.parametrize("ready", OPTIMIZERS, indirect=True)


@every_optimizer
def test_numbers_out_of_range(ready):
    core, data = ready
    used = USED_BY_ALL | {
        name: values
        for name, (values, users) in USED_BY_SOME.items()
        if core.training.optimizer in users
    }
    for name, values in used.items():
        kept = getattr(core.struct, name)
        for value in values:
            setattr(core.struct, name, value)
            assert_refused(core, data, f"{name} = {value}")
        setattr(core.struct, name, kept)
    assert core.call(data, 8) == lib.SIGMAX_OK


@every_optimizer
def test_what_the_optimizer_does_not_use_is_not_looked_at(ready):
    core, data = ready
    for name, (_, users) in USED_BY_SOME.items():
        if core.training.optimizer not in users:
            setattr(core.struct, name, NAN)
    assert core.call(data, 8) == lib.SIGMAX_OK
    assert np.isfinite(core.parameters).all()


@pytest.mark.parametrize("ready", ["sgd"], indirect=True)
@pytest.mark.parametrize("optimizer", [-1, 6, 2**31 - 1, -(2**31)])
def test_unknown_optimizer(ready, optimizer):
    core, data = ready
    core.struct.optimizer = optimizer
    assert_refused(core, data, optimizer)


@pytest.mark.parametrize("ready", list(STATE), indirect=True)
def test_a_state_that_is_missing(ready):
    core, data = ready
    core.struct.state = ffi.NULL
    assert_refused(core, data, "state NULL")
