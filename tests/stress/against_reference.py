"""A network, data and options, all chosen at random, in C and in the plain NumPy reference."""

import pickle
import warnings
from dataclasses import dataclass, field

import numpy as np
import reference
import reference_random
import sigmax
from helpers import assert_close, random_data, randomize, reference_backprop, reference_parameters
from reference_optimizers import new_state
from reference_training import Trained, Training, train_epoch
from sigmax._training.epoch import dropout_seed

ADAPTIVE = ("rmsprop", "adam", "adamw")
RATES = {"sgd": 0.3, "momentum": 0.05, "nesterov": 0.05}

# As a share of the largest entry; training adds up what each of its updates was off by.
TOLERANCE = {"float64": 1e-11, "float32": 5e-5}
TRAINED = {"float64": 1e-7, "float32": 5e-3}
ROUNDINGS = 1000  # of at most 600 updates, each as large as a few errors of its parameters
LEAST_SIZE = 0.1  # of parameters that count as large


@dataclass(frozen=True)
class Case:
    """What is compared; terms are those of `fit` and of `reference_training.Training`."""

    sizes: tuple[int, ...] = (3, 4, 2)
    dtype: str = "float64"
    rows: int = 5
    batch_size: int = 2
    epochs: int = 1
    optimizer: str = "sgd"
    shuffle: bool = True
    soft: bool = False
    weighted: bool = False
    seed: int = 0
    threads: int = 1
    terms: dict = field(default_factory=dict)

    @property
    def comparable_terms(self):
        """terms, without l1 in float32 after many updates.

        Its slope sign(w) is a step: a weight that passes 0 meets it an update earlier or later by
        rounding alone, and what follows is another training.
        """
        n_updates = self.epochs * -(-self.rows // self.batch_size)
        left_out = {"l1"} if self.dtype == "float32" and n_updates > 40 else set()
        return {name: value for name, value in self.terms.items() if name not in left_out}


def random_case(rng):
    """Any case whose reference takes some milliseconds."""
    wide = rng.random() < 0.2
    hidden = rng.integers(1, 130 if wide else 20, rng.integers(0, 4))
    dtype = str(rng.choice(["float32", "float64"]))
    optimizers = [*RATES, *(ADAPTIVE if dtype == "float64" else ())]
    terms = {"l2": 0.01, "l1": 0.001, "clip_norm": 0.5, "label_smoothing": 0.1}
    if hidden.size:
        terms["dropout"] = 0.3
    return Case(
        sizes=(int(rng.integers(1, 40)), *map(int, hidden), int(rng.integers(2, 15))),
        dtype=dtype,
        rows=int(rng.integers(1, 300 if wide else 60)),
        batch_size=int(rng.integers(1, 70)),
        epochs=int(rng.integers(1, 3)),
        optimizer=str(rng.choice(optimizers)),
        shuffle=bool(rng.random() < 0.7),
        soft=bool(rng.random() < 0.3),
        weighted=bool(rng.random() < 0.3),
        seed=int(rng.integers(0, 2**63)),
        threads=int(rng.choice([1, 2, 3, 7])),
        terms={name: value for name, value in terms.items() if rng.random() < 0.3},
    )


def check(case):
    """Compare all that can be asked of a network, before and after its training."""
    rng = np.random.default_rng(case.seed)
    with sigmax.num_threads(case.threads):
        network = randomize(sigmax.Network(case.sizes, dtype=case.dtype, seed=case.seed), rng)
        X, labels, soft = random_data(rng, case.rows, case.sizes)
        X = X.astype(case.dtype)
        y = soft.astype(case.dtype) if case.soft else labels
        check_answers(network, X, y)
        check_training(case, network, X, y, rng)
        check_copies(network, X)


def check_answers(network, X, y):
    """Every pass through the network."""
    tolerance = TOLERANCE[network.dtype.name]
    expected = reference_backprop(network, X, y)
    activations, _ = reference.forward(*reference_parameters(network), X.astype(np.float64))
    assert_close(network.predict_proba(X), activations[-1], tolerance, "predict_proba")
    for found, wanted in zip(network.activations(X)[1:], activations[1:], strict=True):
        assert_close(found, wanted, tolerance, "activations")
    cost = network.cost(X, y)
    assert abs(cost - expected.cost) <= tolerance * max(1.0, expected.cost), (cost, expected.cost)
    found = network.backprop(X, y)
    for name in ("deltas", "nabla_b", "nabla_w"):
        for mine, wanted in zip(getattr(found, name), getattr(expected, name), strict=True):
            assert_close(mine, wanted, tolerance, name, least_size=1e-2)
    likeliest = activations[-1].max(axis=1)
    chosen = activations[-1][np.arange(len(X)), network.predict(X)]
    assert (chosen >= likeliest - tolerance).all(), "predict"


def check_training(case, network, X, y, rng):
    """`fit`, update by update in the reference."""
    weights = rng.exponential(1.0, case.rows) if case.weighted else None
    rate = RATES.get(case.optimizer, 1e-3)
    training = Training(
        optimizer=case.optimizer,
        learning_rate=rate,
        seed=dropout_seed(network._model, network.epochs_trained),
        weight_decay=0.01 if case.optimizer == "adamw" else 0.0,
        **case.comparable_terms,
    )
    start = reference_parameters(network)
    targets = y.astype(np.float64) if case.soft else reference.one_hot(y, case.sizes[-1])
    data = X.astype(np.float64), targets, None if weights is None else weights / weights.mean()
    expected_cost, expected = trained_by_reference(case, training, start, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sigmax.TrainingWarning)
        history = network.fit(
            X,
            y,
            sample_weight=weights,
            epochs=case.epochs,
            batch_size=case.batch_size,
            learning_rate=rate,
            optimizer=case.optimizer,
            shuffle=case.shuffle,
            **case.comparable_terms,
        )
    mine = history.cost, (*network.weights, *network.biases)
    try:
        require_the_same(*mine, expected_cost, expected, TRAINED[case.dtype])
    except AssertionError:
        # Every update rounds, and some trainings multiply each of these errors in all that follow.
        # How much, the reference tells when it begins a rounding error away.
        begin = [[rounded(a, case.dtype, rng) for a in arrays] for arrays in start]
        cost, parameters = trained_by_reference(case, training, begin, data)
        multiplied = max(map(distance, (cost, *parameters), (expected_cost, *expected)))
        if ROUNDINGS * multiplied < TRAINED[case.dtype]:
            raise
        require_the_same(*mine, expected_cost, expected, ROUNDINGS * multiplied)


def trained_by_reference(case, training, start, data):
    """(cost of each epoch, parameters) of the reference's training from these parameters."""
    X, targets, weights = data
    n_parameters = sum(array.size for arrays in start for array in arrays)
    now = Trained(*start, new_state(case.optimizer, n_parameters), 0, 0.0, 0.0)
    costs = []
    for epoch in range(case.epochs):
        order = reference_random.permutation(case.seed, epoch, case.rows) if case.shuffle else None
        now = train_epoch(now, X, targets, training, case.batch_size, order, weights)
        costs.append(now.cost / case.rows)
    return costs, (*now.weights, *now.biases)


def rounded(array, dtype, rng):
    """The array, each entry a rounding error away."""
    return array * (1 + np.finfo(dtype).eps * rng.uniform(-1, 1, array.shape))


def distance(found, wanted):
    """The largest difference, as a part of the largest entry."""
    return np.abs(np.subtract(found, wanted)).max() / max(np.abs(wanted).max(), LEAST_SIZE)


def require_the_same(cost, parameters, expected_cost, expected, tolerance):
    """Compare two trainings."""
    np.testing.assert_allclose(cost, expected_cost, rtol=tolerance, atol=tolerance)
    for found, wanted in zip(parameters, expected, strict=True):
        assert_close(found, wanted, tolerance, "trained parameters", least_size=LEAST_SIZE)


def check_copies(network, X):
    """The ways to another network that is the same."""
    answer = network.predict_proba(X).tobytes()
    for twin in (network.copy(), pickle.loads(pickle.dumps(network))):
        assert twin.predict_proba(X).tobytes() == answer
