"""optimizer="lbfgs": as SciPy's L-BFGS-B on the reference's objective, wherever the rows are."""

import itertools
import sys

import numpy as np
import processes
import pytest
import reference_training
import sigmax
from helpers import assert_close, random_data, reference_parameters
from reference import one_hot
from sigmax._training import full_batch, lbfgs
from sigmax._training.options import FitOptions
from sigmax._training.run import Run
from sigmax._training.training_data import assemble
from sigmax._training.training_state import TrainingState
from sigmax.errors import PYTHON

SIZES = (5, 7, 3)
ROWS = 200


@pytest.fixture
def data(rng):
    X, y, soft = random_data(rng, ROWS, SIZES)
    return X, y, soft


def network(dtype="float64"):
    return sigmax.Network(SIZES, dtype=dtype, seed=5)


def reference_minimum(
    made, X, y, weights, *, l2=0.0, label_smoothing=0.0, epochs, max_evaluations=15000
):
    """SciPy on the reference's objective and gradient: the parameters after so many iterations."""
    optimize = pytest.importorskip("scipy.optimize")
    targets = reference_training.smoothed(y, label_smoothing)

    def objective(w):
        W, b = reference_training.unflatten(w, SIZES)
        masks = reference_training.no_masks(W)
        value = reference_training.objective(W, b, X, targets, weights, masks, l2)
        g = reference_training.weighted_backprop(W, b, X, targets, weights, masks)
        nabla_w = [g_w + l2 * w for g_w, w in zip(g.nabla_w, W, strict=True)]
        return value, reference_training.flatten(nabla_w, g.nabla_b)

    start = reference_training.flatten(*reference_parameters(made))
    limits = {"maxiter": epochs, "maxfun": max_evaluations}
    return optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=limits)


@pytest.mark.parametrize("targets", ["labels", "soft"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_it_is_scipys_on_the_references_objective(
    data, rng, targets, weighted, label_smoothing, monkeypatch
):
    monkeypatch.setattr(
        full_batch, "OPERATIONS", 1
    )  # blocks of 64 rows: the gradient is a sum of four
    X, labels, soft = data
    y = labels if targets == "labels" else soft
    weights = rng.uniform(0.0, 3.0, ROWS) if weighted else None
    s = np.ones(ROWS) if weights is None else weights / weights.mean()
    made = network()
    options = {"l2": 0.01, "label_smoothing": label_smoothing}
    rows = one_hot(labels, 3) if targets == "labels" else soft
    expected = reference_minimum(made, X, rows, s, epochs=8, **options)
    start = made.parameters.copy()
    history = made.fit(X, y, sample_weight=weights, optimizer="lbfgs", epochs=8, **options)
    assert history.epochs == 8 == expected.nit
    assert np.abs(made.parameters - start).max() > 0.05
    assert_close(made.parameters, expected.x, 1e-8)


@pytest.mark.parametrize("max_evaluations", range(1, 12))
def test_evaluations_are_limited_as_scipy_limits_them(data, max_evaluations):
    X, y, _ = data
    made = network()
    limit = {"max_evaluations": max_evaluations, "epochs": 99}
    expected = reference_minimum(made, X * 3, one_hot(y, 3), np.ones(ROWS), **limit)
    history = made.fit(X * 3, y, optimizer="lbfgs", **limit)
    assert history.epochs == expected.nit > 0
    assert history.stopped == "max_evaluations"
    assert_close(made.parameters, expected.x, 1e-8)


def test_a_line_search_that_has_begun_is_not_cut_off(data):
    X, y, _ = data
    made = network()
    made.fit(X * 3, y, optimizer="lbfgs", max_evaluations=1)
    assert made.epochs_trained == 1


def test_history_has_the_values_before_each_iteration(data):
    X, y, _ = data
    made = network()
    costs, accuracies = [made.cost(X, y)], [made.accuracy(X, y)]

    def note(network, epoch, history):
        costs.append(network.cost(X, y))
        accuracies.append(network.accuracy(X, y))

    history = made.fit(X, y, optimizer="lbfgs", epochs=9, callbacks=[note], X_val=X, y_val=y)
    assert history.cost == pytest.approx(costs[:-1], rel=1e-12)
    assert history.accuracy == pytest.approx(accuracies[:-1], rel=1e-12)
    assert history.val_cost == costs[1:]
    assert made.epochs_trained == 9
    assert all(b < a for a, b in itertools.pairwise(history.cost))


def test_it_converges_and_says_so(data, dtype):
    X, y, _ = data
    made = network(dtype)
    history = made.fit(X.astype(dtype), y, optimizer="lbfgs", epochs=5000, l2=0.005)
    assert history.stopped == "converged" and 3 < history.epochs < 500
    gradient = made.backprop(X, y)
    slopes = [g + 0.005 * w for g, w in zip(gradient.nabla_w, made.weights, strict=True)]
    assert max(np.abs(slope).max() for slope in (*slopes, *gradient.nabla_b)) < 2e-3


def test_all_kinds_of_rows_give_the_same(data, tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, _ = data
    X[np.abs(X) < 0.7] = 0
    mapped = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
    mapped[:] = X
    parameters = []
    for rows, labels in (
        (X, y),
        (X.astype(np.float64).tolist(), y),
        (mapped, y),
        (sparse.csr_array(X), y),
        (lambda: iter([(X[:70], y[:70]), (X[70:], y[70:])]), None),
    ):
        made = network()
        made.fit(rows, labels, optimizer="lbfgs", epochs=6)
        parameters.append(made.parameters)
    for other in parameters[1:]:
        assert_close(other, parameters[0], 1e-9)


def test_early_stopping_and_callbacks(data):
    X, y, _ = data
    made = network()
    history = made.fit(
        X[:100], y[:100], X_val=X[100:], y_val=y[100:], optimizer="lbfgs", epochs=500,
        early_stopping="cost", patience=3,
    )  # fmt: skip
    assert history.stopped == "early_stopping"
    assert history.best_epoch == int(np.argmin(history.val_cost)) == history.epochs - 4
    assert made.cost(X[100:], y[100:]) == min(history.val_cost)
    stopped = network().fit(X, y, optimizer="lbfgs", callbacks=[lambda n, epoch, h: epoch == 2])
    assert stopped.epochs == 3 and stopped.stopped == "callback"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_the_last_accepted_parameters(data, error, monkeypatch):
    X, y, _ = data
    made, plain = network(), network()
    calls = itertools.count()
    backprop = full_batch._Objective._backprop

    def interrupted(self, block):
        if next(calls) == 12:
            raise error
        return backprop(self, block)

    monkeypatch.setattr(full_batch._Objective, "_backprop", interrupted)
    with pytest.raises(error):
        made.fit(X, y, optimizer="lbfgs", epochs=99)
    assert 3 < made.epochs_trained < 12
    monkeypatch.undo()
    plain.fit(X, y, optimizer="lbfgs", epochs=made.epochs_trained)
    np.testing.assert_array_equal(made.parameters, plain.parameters)


def test_progress(data, capsys):
    X, y, _ = data
    network().fit(X, y, optimizer="lbfgs", epochs=4, progress=True)
    assert "100%" in capsys.readouterr().err


def test_divergence(data):
    X, y, _ = data
    made = network("float32")
    made.parameters[:] = 3e38
    before = made.parameters.copy()
    with pytest.raises(sigmax.DivergedError):
        made.fit(np.abs(X) * 10, y, optimizer="lbfgs", epochs=3)
    np.testing.assert_array_equal(made.parameters, before)


def test_it_needs_no_scipy(data, monkeypatch):
    X, y, _ = data
    with_scipy, without = network(), network()
    with_scipy.fit(X, y, optimizer="lbfgs", epochs=9)
    for name in list(sys.modules):
        if name.split(".")[0] == "scipy":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)  # importing it fails from now on
    without.fit(X, y, optimizer="lbfgs", epochs=9)
    np.testing.assert_array_equal(without.parameters, with_scipy.parameters)


@pytest.mark.filterwarnings("ignore:training stalled")  # gtol=1e-2 ends it as good as a guess
def test_it_ends_at_the_gradient_or_the_evaluations_that_are_asked_for(data):
    X, y, _ = data
    rough, fine, few = network(), network(), network()
    before = rough.fit(X, y, optimizer="lbfgs", l2=1e-2, epochs=3000, gtol=1e-2)
    after = fine.fit(X, y, optimizer="lbfgs", l2=1e-2, epochs=3000, gtol=1e-4)
    assert before.stopped == after.stopped == "converged"
    assert before.epochs < after.epochs
    for made, largest in (rough, 1e-2), (fine, 1e-4):
        at_end = made.backprop(X, y)
        slopes = [g + 1e-2 * w for g, w in zip(at_end.nabla_w, made.weights, strict=True)]
        found = max(abs(g).max() for g in (*slopes, *at_end.nabla_b))
        assert 0 < found <= largest
    assert few.fit(X, y, optimizer="lbfgs", max_evaluations=4).stopped == "max_evaluations"
    assert 0 < few.epochs_trained <= 4


def test_the_optimum_of_a_convex_problem_is_scipys(data):
    X, y, _ = data
    optimize = pytest.importorskip("scipy.optimize")
    made = sigmax.Network((5, 3), dtype="float64", seed=5)
    problem = objective_of(made, X, y, l2=0.01)
    start = made.parameters.copy()
    tight = {"gtol": 1e-9, "ftol": 0.0, "maxiter": 9999}
    theirs = optimize.minimize(problem, start, jac=True, method="L-BFGS-B", options=tight)
    method = lbfgs.Lbfgs(lbfgs.LbfgsState(start), gtol=1e-9, ftol=0.0)
    while not method.state.converged:
        method.tell(*problem(method.point))
    assert np.abs(problem(method.state.x)[1]).max() <= 1e-9
    assert problem(method.state.x)[0] == pytest.approx(theirs.fun, abs=1e-12)
    assert_close(method.state.x, theirs.x, 1e-6)
    # and by fit, which also ends where an iteration gains too little
    made.fit(X, y, optimizer="lbfgs", l2=0.01, gtol=0.0, epochs=9999)
    assert problem(made.parameters)[0] == pytest.approx(theirs.fun, abs=1e-9)


def objective_of(made, X, y, l2):
    """The function that fit minimises."""
    options = FitOptions(optimizer="lbfgs", l2=l2)
    data = assemble(made._model, X, y, options)
    run = Run(made._model, made, data, options, TrainingState(), PYTHON)
    objective = full_batch._Objective(run)

    def function(x):
        found = objective(np.asarray(x))
        return found.value, found.gradient

    return function


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.thorough), "float64"])
def test_the_same_bits_with_any_blas(dtype):
    variables = [
        {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Nehalem"},
    ]
    found = {
        processes.run("programs/hash_of_lbfgs.py", dtype, env=changed) for changed in variables
    }
    assert len(found) == 1, found
