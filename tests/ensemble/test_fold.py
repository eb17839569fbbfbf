"""`sigmax.fold`: one network for several, as docs/folding.md derives it."""

import re
from pathlib import Path

import numpy as np
import pytest
import reference
import sigmax
from helpers import randomize, reference_parameters
from sigmax import Network, Preparation, fold

SHAPES = [[], [5], [5, 7], [3, 4, 6]]


def members(hidden, dtype="float64", n=4, n_in=6, n_out=3):
    """Networks with random parameters, biases included."""
    rng = np.random.default_rng(len(hidden))
    sizes = [n_in, *hidden, n_out]
    return [randomize(Network(sizes, dtype=dtype, seed=m), rng) for m in range(n)]


def rows(n=50, n_in=6):
    return np.random.default_rng(1).normal(size=(n, n_in))


def z_of(network, X):
    """z_L of the reference, in float64, at the network's temperature."""
    p = network.preparation
    prepared = X if p is None else p.apply(X, np.float64)
    return reference.forward(*reference_parameters(network), prepared)[1] / network.temperature


def softmax(z):
    return sigmax.softmax(z)


@pytest.mark.parametrize("hidden", SHAPES)
@pytest.mark.parametrize("weights", [None, [1, 2, 3, 4], [1e300, 2e300, 1e300, 1e300]])
def test_the_mean_of_z(hidden, weights):
    networks, X = members(hidden), rows()
    v = np.ones(4) if weights is None else np.array(weights) / max(weights)
    mean = np.average([z_of(network, X) for network in networks], axis=0, weights=v)
    folded = fold(networks, weights)
    assert np.abs(z_of(folded, X) - mean).max() < 1e-12
    assert np.abs(folded.predict_proba(X) - softmax(mean)).max() < 1e-12


@pytest.mark.parametrize("hidden", SHAPES)
def test_the_geometric_mean_of_the_outputs(hidden):
    networks, X = members(hidden), rows()
    product = np.prod([network.predict_proba(X) ** 0.25 for network in networks], axis=0)
    expected = product / product.sum(axis=1, keepdims=True)
    assert np.abs(fold(networks).predict_proba(X) - expected).max() < 1e-14


@pytest.mark.parametrize("hidden", SHAPES)
def test_layers_side_by_side(hidden):
    networks = members(hidden, n=3)
    folded = fold(networks)
    assert folded.sizes == (6, *(3 * n for n in hidden), 3)
    n_zeros = sum(int((W == 0).sum()) for W in folded.weights)
    wide = [
        np.array(network.weights[layer]) for layer in range(1, len(hidden)) for network in networks
    ]
    assert n_zeros == 2 * sum(W.size for W in wide)
    if hidden:
        assert np.array_equal(folded.weights[0], np.vstack([n.weights[0] for n in networks]))


def test_float32_to_rounding():
    networks, X = members([5, 7], "float32"), rows().astype(np.float32)
    folded = fold(networks)
    assert folded.dtype == np.float32
    mean = np.mean([z_of(network, X.astype(np.float64)) for network in networks], axis=0)
    assert np.abs(folded.predict_proba(X) - softmax(mean)).max() < 1e-6


def test_members_of_different_widths():
    networks = [
        randomize(Network([6, n, 2 * n, 3], dtype="float64", seed=n), np.random.default_rng(n))
        for n in (2, 5, 3)
    ]
    X = rows()
    folded = fold(networks)
    assert folded.sizes == (6, 10, 20, 3)
    assert np.abs(z_of(folded, X) - np.mean([z_of(n, X) for n in networks], axis=0)).max() < 1e-12


@pytest.mark.parametrize("hidden", [[], [5]])
def test_temperatures_go_into_the_last_layer(hidden):
    networks, X = members(hidden), rows()
    for network, temperature in zip(networks, (0.5, 1.0, 2.0, 3.0), strict=True):
        network._model.temperature = temperature
    folded = fold(networks)
    assert folded.temperature == 1.0
    mean = np.mean([z_of(network, X) for network in networks], axis=0)
    assert np.abs(z_of(folded, X) - mean).max() < 1e-12
    assert np.abs(folded.predict_proba(X) - softmax(mean)).max() < 1e-12


def test_one_network_is_itself():
    (network,) = members([5, 7], n=1)
    folded = fold([network])
    assert np.array_equal(folded.parameters, network.parameters)
    assert not np.shares_memory(folded.parameters, network.parameters)


def test_a_fold_of_folds():
    networks, X = members([5, 7], n=3), rows()
    nested = fold([fold(networks[:2]), networks[2]], [2, 1])
    assert np.abs(nested.predict_proba(X) - fold(networks).predict_proba(X)).max() < 1e-14


def test_a_fold_never_costs_more_than_its_members_on_average():
    networks, X = members([5]), rows(200)
    y = np.random.default_rng(2).integers(0, 3, 200)
    costs = [network.cost(X, y) for network in networks]
    assert fold(networks).cost(X, y) < np.mean(costs) - 0.01  # they differ, so it is strict


def test_seed_and_epochs():
    networks = members([5], n=2)
    networks[1].fit(rows(), np.arange(50) % 3, epochs=3)
    folded = fold(networks)
    assert (folded.seed, folded.epochs_trained) == (0, 3)


# ---- preparations --------------------------------------------------------------------------------


def prepared(network, mean=None, scale=None, fill=None):
    network._model.preparation = Preparation(mean, scale, fill)
    return network


def test_the_same_preparation_is_kept():
    mean, scale = np.arange(6.0), np.arange(1.0, 7.0)
    networks = [prepared(n, mean, scale, mean) for n in members([5], "float32")]
    folded = fold(networks)
    assert np.array_equal(folded.preparation.mean, mean)
    X = np.where(rows() > 1, np.nan, rows())
    expected = np.prod([n.predict_proba(X).astype(np.float64) for n in networks], axis=0) ** 0.25
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.abs(folded.predict_proba(X) - expected).max() < 1e-6


@pytest.mark.parametrize("hidden", SHAPES)
@pytest.mark.parametrize("some_without", [False, True])
def test_float64_absorbs_another_mean_and_scale(hidden, some_without):
    rng = np.random.default_rng(3)
    networks = members(hidden)
    for m, network in enumerate(networks):
        if m or not some_without:
            prepared(network, rng.normal(size=6), rng.uniform(0.5, 2.0, 6))
    X = rows()
    mean = np.mean([z_of(network, X) for network in networks], axis=0)
    folded = fold(networks)
    assert np.abs(z_of(folded, X) - mean).max() < 1e-12
    assert np.abs(folded.predict_proba(X) - softmax(mean)).max() < 1e-12


def test_float32_members_of_other_preparations():
    networks = [
        prepared(n, np.full(6, float(m)), np.ones(6)) for m, n in enumerate(members([5], "float32"))
    ]
    with pytest.raises(
        ValueError, match=r"networks\[1\] standardizes X otherwise .*dtype='float64'"
    ):
        fold(networks)
    folded, X = fold(networks, dtype="float64"), rows()  # the remedy
    mean = np.mean([z_of(network, X) for network in networks], axis=0)
    assert np.abs(z_of(folded, X) - mean).max() < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "fills", [(None, np.ones(6)), (np.ones(6), None), (np.zeros(6), np.ones(6))]
)
def test_other_fills_are_refused(dtype, fills):
    networks = members([5], dtype, n=2)
    for network, fill in zip(networks, fills, strict=True):
        if fill is not None:
            prepared(network, fill=fill)
    with pytest.raises(ValueError, match=r"networks\[1\] fills missing values in otherwise"):
        fold(networks)


def test_names_of_columns_must_agree():
    networks = members([5], n=3)
    names = tuple("abcdef")
    for network in networks[1:]:
        network._model.column_names = names
    assert fold(networks).column_names == names
    networks[2]._model.column_names = tuple("abdcef")
    message = r"networks\[2\] has the name 'd' for column 2 of X, and networks\[1\] 'c'"
    with pytest.raises(ValueError, match=message):
        fold(networks)


def test_mixed_dtypes_give_float64():
    networks = [*members([5], "float32", n=2), *members([5], "float64", n=2)]
    folded, X = fold(networks), rows()
    assert folded.dtype == np.float64
    mean = np.mean([z_of(network, X) for network in networks], axis=0)
    assert np.abs(z_of(folded, X) - mean).max() < 1e-12


# ---- a network as any other ----------------------------------------------------------------------


def test_it_saves_loads_calibrates_and_trains(tmp_path):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    y[:30] = 1 - y[:30]  # so that a temperature is the best
    networks = [Network([4, 6, 6, 2], seed=m) for m in range(3)]
    for network in networks:
        network.fit(X, y, epochs=30, optimizer="adam", learning_rate=0.01)
    folded = fold(networks)
    folded.calibrate(X, y)
    folded.save(tmp_path / "fold.npz")
    loaded = Network.load(tmp_path / "fold.npz")
    assert np.array_equal(loaded.predict_proba(X), folded.predict_proba(X))
    before = folded.cost(X, y)
    folded.fit(X, y, epochs=5, optimizer="adam", learning_rate=0.01)
    assert folded.cost(X, y) < before
    assert folded.weights[1][0, -1] != 0  # what was no weight before is one now


# ---- refusals ------------------------------------------------------------------------------------


def test_other_sizes_are_refused_with_the_reason():
    base = Network([4, 5, 3], seed=0)
    for sizes, what in (
        ([5, 5, 3], "5 inputs"),
        ([4, 5, 2], "2 classes"),
        ([4, 5, 5, 3], "3 layers"),
        ([4, 3], "1 layers"),
    ):
        with pytest.raises(ValueError, match=rf"networks\[1\] has {what} .*expected"):
            fold([base, Network(sizes, seed=0)])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2, 3], r"weights has shape \(3,\); expected one for each network, \(2,\)"),
        ([1, 0], r"weights\[1\] is 0.0; expected a finite number > 0"),
        ([1, -1], r"weights\[1\] is -1.0"),
        ([np.nan, 1], r"weights\[0\] is nan"),
        ([1, np.inf], r"weights\[1\] is inf"),
        ([1e-300, 1e300], r"weights\[0\] is 1e-300, which vanishes beside 1e\+300"),
        ([[1, 1]], r"weights has shape \(1, 2\)"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        fold(members([5], n=2), weights)


def test_other_things_than_networks():
    network = Network([4, 3], seed=0)
    with pytest.raises(
        TypeError, match=re.escape("expected a sequence of networks, [network, ...]")
    ):
        fold(network)
    with pytest.raises(TypeError, match=r"networks\[1\] is str; expected a sigmax.Network"):
        fold([network, "model.npz"])
    with pytest.raises(ValueError, match="networks is empty"):
        fold([])
    with pytest.raises(ValueError, match="dtype is 'float16'"):
        fold([network], dtype="float16")


def test_a_parameter_that_is_not_finite():
    networks = members([5], n=2)
    networks[1].weights[0][2, 1] = np.nan
    with pytest.raises(ValueError, match=r"weights\[0\]\[2, 1\] is nan; networks\[1\]"):
        fold(networks)


def test_a_result_that_is_not_finite():
    networks = members([5], "float32", n=2)
    networks[1].weights[1][0, 0] = 1e38
    networks[1]._model.temperature = 1e-5
    with pytest.raises(ValueError, match=r"weights\[1\]\[0, 5\] is inf; the fold"):
        fold(networks)
    assert np.isfinite(fold(networks, dtype="float64").parameters).all()


def test_what_the_derivation_says():
    """The page's layers, written with NumPy from its equations, are those of `fold`."""
    page = (Path(__file__).parents[2] / "docs" / "folding.md").read_text(encoding="utf-8")
    for equation in (
        "W_L = ((v^1 / T^1) W^1_L, ..., (v^k / T^k) W^k_L),   b_L = Σ_m (v^m / T^m) b^m_L.",
        "W_1 = (W^1_1 ; ... ; W^k_1)",
        "W_l = diag(W^1_l, ..., W^k_l)",
        "b_l = (b^1_l, ..., b^k_l)",
        "W = Σ_m (v^m / T^m) W^m, b = Σ_m (v^m / T^m) b^m",
    ):
        assert equation in page
    networks = members([2, 3], n=2)
    networks[0]._model.temperature = 2.0
    v, T = np.array([0.25, 0.75]), np.array([2.0, 1.0])
    (A1, A2, A3), (B1, B2, B3) = (network.weights for network in networks)
    (a1, a2, a3), (b1, b2, b3) = (network.biases for network in networks)
    folded = fold(networks, [1, 3])
    between = np.block([[A2, np.zeros((3, 2))], [np.zeros((3, 2)), B2]])
    last = np.hstack([v[0] / T[0] * A3, v[1] / T[1] * B3])
    for ours, theirs in zip(folded.weights, [np.vstack([A1, B1]), between, last], strict=True):
        assert np.allclose(ours, theirs, rtol=1e-15, atol=0)
    bias = v[0] / T[0] * a3 + v[1] / T[1] * b3
    for ours, theirs in zip(
        folded.biases, [np.hstack([a1, b1]), np.hstack([a2, b2]), bias], strict=True
    ):
        assert np.allclose(ours, theirs, rtol=1e-15, atol=0)
