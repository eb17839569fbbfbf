"""The public face of Network, and the settings of the library."""

import gc
import itertools
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import reference
import sigmax
from helpers import TOLERANCE, assert_close, random_data, randomize, reference_parameters

SIZES = (6, 7, 5, 3)


@pytest.fixture
def network(dtype, rng):
    return randomize(sigmax.Network(SIZES, dtype=dtype, seed=4), rng)


@pytest.fixture
def data(dtype, rng):
    X, labels, soft = random_data(rng, 19, SIZES)
    return X.astype(dtype), labels, soft.astype(dtype)


def run_python(code, **environment):
    """Runs code in a new interpreter with the environment changed; None removes a variable."""
    env = {k: v for k, v in {**os.environ, **environment}.items() if v is not None}
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=600
    )


# ---- what a network is ---------------------------------------------------------------------------


def test_sizes_and_counts(network, dtype):
    assert network.sizes == SIZES
    assert network.dtype == np.dtype(dtype)
    assert network.n_parameters == 6 * 7 + 7 * 5 + 5 * 3 + 7 + 5 + 3
    assert network.instruction_set in sigmax.instruction_sets()


@pytest.mark.parametrize("sizes", [[4, 3], (4, 3), np.array([4, 3]), [np.int32(4), np.uint8(3)]])
def test_sizes_of_any_integer_kind(sizes):
    assert sigmax.Network(sizes, seed=0).sizes == (4, 3)


def test_float32_is_the_default():
    assert sigmax.Network([2, 2]).dtype == np.float32


@pytest.mark.parametrize("spelling", ["float64", np.float64, np.dtype("f8"), float, "d"])
def test_dtype_in_any_spelling(spelling):
    assert sigmax.Network([2, 2], dtype=spelling).dtype == np.float64


def test_shapes_of_the_views(network, dtype):
    assert len(network.weights) == len(network.biases) == 3
    assert [W.shape for W in network.weights] == [(7, 6), (5, 7), (3, 5)]
    assert [b.shape for b in network.biases] == [(7,), (5,), (3,)]
    assert network.parameters.shape == (network.n_parameters,)
    for view in (*network.weights, *network.biases, network.parameters):
        assert view.dtype == dtype
        assert view.flags.writeable and view.flags.c_contiguous


def test_views_are_the_parameters_themselves(network):
    flat = [*network.weights, *network.biases]
    np.testing.assert_array_equal(np.concatenate([v.ravel() for v in flat]), network.parameters)
    network.weights[1][2, 3] = 42.0
    network.biases[2][0] = -7.0
    assert network.parameters[7 * 6 + 2 * 7 + 3] == 42.0
    assert network.parameters[-3] == -7.0
    assert all(np.shares_memory(view, network.parameters) for view in flat)


def test_writing_a_view_changes_what_is_predicted(network, data):
    X, _, _ = data
    network.parameters[:] = 0
    np.testing.assert_allclose(network.predict_proba(X), 1 / 3, rtol=1e-6)
    network.biases[-1][1] = 100.0
    np.testing.assert_array_equal(network.predict(X), np.ones(len(X)))


def test_views_can_be_updated_in_place(network):
    # `a[l] -= b` also assigns to a[l], which a plain tuple refuses after the subtraction is done.
    before = network.parameters.copy()
    for l in range(3):  # noqa: E741
        network.weights[l] -= 1.0
        network.biases[l] += 2.0
    np.testing.assert_array_equal(network.weights[1].ravel(), before[42:77] - 1.0)
    np.testing.assert_array_equal(network.parameters[-15:], before[-15:] + 2.0)


def test_the_arena_is_aligned(dtype):
    for seed in range(5):
        parameters = sigmax.Network([3, 2, 2], dtype=dtype, seed=seed).parameters
        assert parameters.ctypes.data % 64 == 0


def test_a_view_outlives_its_network(dtype):
    views, values = [], []
    for seed in range(20):
        network = sigmax.Network([50, 40, 10], dtype=dtype, seed=seed)
        views.append((network.weights[0], network.biases[1], network.parameters))
        values.append([view.copy() for view in views[-1]])
        del network
    gc.collect()
    rubbish = [np.full(50 * 40, 9.0, dtype) for _ in range(50)]  # would land in memory let go
    for kept, expected in zip(views, values, strict=True):
        for view, value in zip(kept, expected, strict=True):
            np.testing.assert_array_equal(view, value)
        for view in kept:
            view[...] = 3.0
        assert (kept[2] == 3.0).sum() == 50 * 40 + 40 * 10 + 40 + 10
    assert all((array == 9.0).all() for array in rubbish)


def test_repr_says_what_it_is(network, dtype):
    text = repr(network)
    assert text.startswith("Network(") and "\n" not in text
    assert "6, 7, 5, 3" in text and dtype in text


@pytest.mark.parametrize(
    "attribute",
    ["sizes", "dtype", "n_parameters", "parameters", "weights", "preparation", "temperature"],
)
def test_attributes_cannot_be_replaced(network, attribute):
    with pytest.raises(AttributeError):
        setattr(network, attribute, getattr(network, attribute))


# ---- initial parameters --------------------------------------------------------------------------


def is_standard_normal(sample):
    """Mean, variance and the shares beyond 1 and 2 within about five standard errors."""
    n = sample.size
    checks = [
        (sample.mean(), 0.0, 1.0),
        ((sample**2).mean(), 1.0, 2**0.5),
        ((np.abs(sample) > 1).mean(), 0.31731, 0.4654),
        ((np.abs(sample) > 2).mean(), 0.04550, 0.2084),
    ]
    return all(abs(got - expected) < 5 * sigma / n**0.5 for got, expected, sigma in checks)


def test_lecun_is_normal_of_variance_one_over_inputs(dtype):
    network = sigmax.Network([400, 300, 10], dtype=dtype, seed=3)  # the default
    for W in network.weights:
        assert is_standard_normal(W.astype(np.float64).ravel() * W.shape[1] ** 0.5)
    assert all((b == 0).all() for b in network.biases)
    same = sigmax.Network([400, 300, 10], dtype=dtype, seed=3, init="lecun")
    np.testing.assert_array_equal(network.parameters, same.parameters)


def test_glorot_is_uniform_within_its_limits(dtype):
    network = sigmax.Network([400, 300, 10], dtype=dtype, seed=3, init="glorot")
    for W in network.weights:
        share = W.astype(np.float64).ravel() / (6 / sum(W.shape)) ** 0.5
        assert np.abs(share).max() <= 1 + 1e-7
        assert np.abs(share).max() > 0.99
        counts, _ = np.histogram(share, bins=10, range=(-1, 1))
        expected = share.size / 10
        assert ((counts - expected) ** 2 / expected).sum() < 35  # chi-square, 9 degrees: p < 1e-4
    assert all((b == 0).all() for b in network.biases)


def test_large_is_standard_normal_biases_too(dtype):
    network = sigmax.Network([100, 900, 800], dtype=dtype, seed=3, init="large")
    for sample in (*network.weights, *network.biases):
        assert is_standard_normal(sample.astype(np.float64).ravel())


def test_initial_weights_are_not_correlated():
    W = sigmax.Network([500, 400, 2], dtype="float64", seed=5).weights[0] * 500**0.5
    for a, b in ((W[:, :-1], W[:, 1:]), (W[:-1], W[1:]), (W[:, :-2], W[:, 2:])):
        assert abs((a * b).mean()) < 5 / a.size**0.5
    assert np.unique(W).size == W.size


def test_neighbouring_seeds_are_not_correlated():
    nets = [sigmax.Network([300, 300, 2], dtype="float64", seed=s) for s in (0, 1, 2, 2**63)]
    for a, b in itertools.combinations([net.weights[0].ravel() for net in nets], 2):
        assert abs((a * b).mean() * 300) < 5 / a.size**0.5


def test_seeds(dtype):
    def parameters(seed):
        return sigmax.Network([5, 4, 2], dtype=dtype, seed=seed).parameters

    for seed in (0, 1, 2**64 - 1, np.int64(7)):
        np.testing.assert_array_equal(parameters(seed), parameters(seed))
    assert (parameters(0) != parameters(1)).any()
    assert (parameters(None) != parameters(None)).any()


def test_no_seed_keeps_the_one_it_took(dtype):
    network = sigmax.Network([5, 4, 2], dtype=dtype)
    again = sigmax.Network([5, 4, 2], dtype=dtype, seed=network.seed)
    np.testing.assert_array_equal(network.parameters, again.parameters)


# ---- use -----------------------------------------------------------------------------------------


def test_predictions_agree_with_the_reference(network, data, dtype):
    X, labels, soft = data
    activations, z_L = reference.forward(*reference_parameters(network), X.astype(np.float64))
    proba = network.predict_proba(X)
    assert proba.dtype == dtype and proba.shape == (19, 3)
    assert_close(proba, activations[-1], TOLERANCE[dtype])
    predicted = network.predict(X)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(predicted, activations[-1].argmax(axis=1))
    assert network.accuracy(X, labels) == (predicted == labels).mean()
    assert network.accuracy(X, soft) == (predicted == soft.argmax(axis=1)).mean()
    rows = reference.one_hot(labels, 3)
    expected = reference.cross_entropy(z_L, rows).mean()
    assert network.cost(X, labels) == pytest.approx(expected, rel=TOLERANCE[dtype])
    assert network.cost(X, rows) == pytest.approx(expected, rel=TOLERANCE[dtype])


def test_activations_end_in_the_probabilities(network, data):
    X, _, _ = data
    activations = network.activations(X)
    assert [a.shape for a in activations] == [(19, n) for n in SIZES]
    np.testing.assert_array_equal(activations[-1], network.predict_proba(X))


@pytest.mark.parametrize("rows", [1, 2, 7, 19, 200])
def test_weighted_inputs(network, rng, dtype, rows):
    X = rng.normal(0.0, 1.0, (rows, SIZES[0])).astype(dtype)
    z, activations = network.weighted_inputs(X), network.activations(X)
    assert [(z_l.shape, z_l.dtype) for z_l in z] == [((rows, n), network.dtype) for n in SIZES[1:]]
    expected, _ = reference.forward(*reference_parameters(network), X.astype(np.float64))
    for z_l, a, W, b in zip(z, expected[:-1], *reference_parameters(network), strict=True):
        assert_close(z_l, a @ W.T + b, TOLERANCE[dtype])
    # the activations are taken of them, to the bit
    for z_l, a in zip(z[:-1], activations[1:-1], strict=True):
        np.testing.assert_array_equal(sigmax.sigmoid(z_l), a)
    np.testing.assert_array_equal(sigmax.softmax(z[-1]), activations[-1])


def test_weighted_inputs_of_a_prepared_and_calibrated_network(rng):
    X, y = rng.normal(3.0, 5.0, (60, 4)), rng.integers(0, 3, 60)
    network = sigmax.Network([4, 6, 3], seed=9)
    network.fit(X, y, epochs=2, standardize=True)
    before = network.weighted_inputs(X)
    prepared = network.preparation.apply(X, network.dtype)
    expected = prepared @ network.weights[0].T + network.biases[0]
    assert_close(before[0], expected, TOLERANCE["float32"])
    network.calibrate(X, y)
    assert network.temperature != 1.0
    for z, again in zip(before, network.weighted_inputs(X), strict=True):
        np.testing.assert_array_equal(z, again)


def test_weighted_inputs_may_be_nan(dtype):
    network = sigmax.Network([2, 3, 2], dtype=dtype, seed=0)
    network.weights[0][1, 0] = np.nan
    z = network.weighted_inputs([[1.0, 2.0]])
    np.testing.assert_array_equal(np.isnan(z[0]), [[False, True, False]])
    assert np.isnan(z[1]).all()


def test_a_row_alone_and_among_many(network, data, dtype):
    # Blocks of rows may use other kernels than a row alone: equal but for the last places.
    X, _, _ = data
    together = network.predict_proba(X)
    alone = np.concatenate([network.predict_proba(X[i : i + 1]) for i in range(len(X))])
    assert_close(alone, together, 8 * np.finfo(dtype).eps)


def test_many_rows(network, rng, dtype):
    X = rng.normal(0.0, 1.0, (20_011, 6)).astype(dtype)
    activations, _ = reference.forward(*reference_parameters(network), X.astype(np.float64))
    assert_close(network.predict_proba(X), activations[-1], TOLERANCE[dtype])
    assert (network.predict(X) == activations[-1].argmax(axis=1)).mean() > 0.9999


def test_the_first_of_equal_outputs_is_predicted(dtype):
    network = sigmax.Network([2, 5], dtype=dtype, seed=0)
    network.parameters[:] = 0
    network.biases[0][:] = [0, 1, 0, 1, 1]
    np.testing.assert_array_equal(network.predict([[0.0, 0.0], [1.0, 2.0]]), [1, 1])
    assert network.accuracy([[0.0, 0.0]], [3]) == 0.0
    assert network.accuracy([[0.0, 0.0]], [[0.0, 0.5, 0.0, 0.5, 0.0]]) == 1.0


def test_zero_rows(network, dtype):
    nothing = np.empty((0, 6), dtype)
    proba = network.predict_proba(nothing)
    assert proba.shape == (0, 3) and proba.dtype == dtype
    predicted = network.predict(nothing)
    assert predicted.shape == (0,) and predicted.dtype == np.int64
    assert [a.shape for a in network.activations(nothing)] == [(0, n) for n in SIZES]
    assert [z.shape for z in network.weighted_inputs(nothing)] == [(0, n) for n in SIZES[1:]]


def test_use_changes_nothing(network, data):
    X, labels, soft = data
    before = network.parameters.copy(), X.copy(), labels.copy(), soft.copy()
    for y in (labels, soft):
        network.cost(X, y), network.accuracy(X, y), network.backprop(X, y)
        network.gradient_check(X, y)
    network.activations(X), network.predict(X), network.predict_proba(X)
    network.weighted_inputs(X)
    for now, then in zip((network.parameters, X, labels, soft), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_results_belong_to_the_caller(network, data):
    X, labels, _ = data
    first, second = network.backprop(X, labels), network.backprop(X, labels)
    for array in (*first.deltas, *first.nabla_b, *first.nabla_w):
        array[...] = -1.0
    again = network.backprop(X, labels)
    for name in ("deltas", "nabla_b", "nabla_w"):
        for a, b in zip(getattr(second, name), getattr(again, name), strict=True):
            np.testing.assert_array_equal(a, b)
    proba = network.predict_proba(X)
    kept = proba.copy()
    network.predict_proba(-X)
    np.testing.assert_array_equal(proba, kept)


# ---- copies --------------------------------------------------------------------------------------


def copies(network):
    return [network.copy(), pickle.loads(pickle.dumps(network))]


def test_copies_are_equal_and_independent(network, data):
    X, _, _ = data
    before = network.parameters.copy()
    for other in copies(network):
        assert (other.sizes, other.dtype, other.seed) == (SIZES, network.dtype, network.seed)
        np.testing.assert_array_equal(other.parameters, before)
        np.testing.assert_array_equal(other.predict_proba(X), network.predict_proba(X))
        other.weights[0][:] = 1.0
        assert not np.shares_memory(other.parameters, network.parameters)
        np.testing.assert_array_equal(network.parameters, before)
        assert (other.predict_proba(X) != network.predict_proba(X)).any()


def test_copies_go_on_training_alike(network, data):
    X, labels, _ = data
    network.fit(X, labels, epochs=2, batch_size=4)
    others = copies(network)
    network.fit(X, labels, epochs=2, batch_size=4)
    for other in others:
        other.fit(X, labels, epochs=2, batch_size=4)
        np.testing.assert_array_equal(other.parameters, network.parameters)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_of_every_protocol(network, protocol):
    other = pickle.loads(pickle.dumps(network, protocol))
    assert other.parameters.tobytes() == network.parameters.tobytes()
    assert other.parameters.ctypes.data % 64 == 0
    assert other.parameters.flags.writeable


# ---- instruction sets and threads ----------------------------------------------------------------


def test_instruction_sets_begin_with_the_baseline():
    names = sigmax.instruction_sets()
    assert names[0] == "baseline" and len(set(names)) == len(names)


def test_the_most_capable_instruction_set_is_the_default(monkeypatch):
    monkeypatch.delenv("SIGMAX_ISA", raising=False)
    assert sigmax.Network([2, 2]).instruction_set == sigmax.instruction_sets()[-1]


def test_the_forced_instruction_set_is_used(instruction_set):
    assert sigmax.Network([2, 2]).instruction_set == instruction_set


@pytest.mark.parametrize("name", sigmax.instruction_sets())
def test_instruction_set_forced_in_a_new_process(name):
    done = run_python(
        "import sigmax; net = sigmax.Network([2, 2], seed=0);"
        "print(net.instruction_set, net.predict([[1.0, 2.0]]).shape)",
        SIGMAX_ISA=name,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name, "(1,)"]


@pytest.mark.parametrize("name", ["v9", "AVX2", "baseline,v3", " "])
def test_unknown_instruction_set(monkeypatch, name):
    monkeypatch.setenv("SIGMAX_ISA", name)
    with pytest.raises(ValueError, match="SIGMAX_ISA") as caught:
        sigmax.Network([2, 2])
    assert all(known in str(caught.value) for known in sigmax.instruction_sets())
    assert name.strip() in str(caught.value)


@pytest.fixture
def every_set(monkeypatch):
    """The sets that can be used when SIGMAX_WITHOUT and SIGMAX_ISA are not set."""
    monkeypatch.delenv("SIGMAX_WITHOUT", raising=False)
    monkeypatch.delenv("SIGMAX_ISA", raising=False)
    return sigmax.instruction_sets()


def test_sets_left_out(every_set, monkeypatch):
    # As C reads the list, so does Python: its own test is in tests/c/test_network.c.
    for i, name in list(enumerate(every_set))[1:]:
        for text in (name, f" {name} , no-such-set", f"no-such-set\t{name},,"):
            monkeypatch.setenv("SIGMAX_WITHOUT", text)
            assert sigmax.instruction_sets() == every_set[:i] + every_set[i + 1 :], text
            assert sigmax.Network([2, 2]).instruction_set != name
            monkeypatch.setenv("SIGMAX_ISA", name)
            with pytest.raises(ValueError, match="leaves out") as caught:
                sigmax.Network([2, 2])
            assert f"SIGMAX_ISA is {name!r}" in str(caught.value)
            assert f"SIGMAX_WITHOUT={text}" in str(caught.value)
            advised = str(caught.value).partition("set it to one of: ")[2].split(", ")
            for other in advised:
                monkeypatch.setenv("SIGMAX_ISA", other)
                assert sigmax.Network([2, 2]).instruction_set == other
            monkeypatch.delenv("SIGMAX_ISA")
    monkeypatch.setenv("SIGMAX_WITHOUT", ",".join(every_set[1:]))
    assert sigmax.instruction_sets() == ("baseline",)


@pytest.mark.parametrize("text", ["", " , ", "no-such-set", "baseline2", "v3-v4", "V4"])
def test_a_list_that_leaves_nothing_out(every_set, monkeypatch, text):
    monkeypatch.setenv("SIGMAX_WITHOUT", text)
    assert sigmax.instruction_sets() == every_set


def test_the_baseline_cannot_be_left_out(every_set, monkeypatch, tmp_path):
    network = sigmax.Network([2, 2], seed=1)
    network.save(tmp_path / "model.npz")
    monkeypatch.setenv("SIGMAX_WITHOUT", "baseline,no-such-set")
    assert sigmax.instruction_sets() == every_set
    for use in (
        lambda: sigmax.Network([2, 2]),
        lambda: sigmax.sigmoid([1.0]),
        lambda: sigmax.Network.load(tmp_path / "model.npz"),
    ):
        with pytest.raises(ValueError, match="SIGMAX_WITHOUT") as caught:
            use()
        assert not isinstance(caught.value, sigmax.FileFormatError)
        assert "'baseline,no-such-set'; baseline cannot be left out" in str(caught.value)
    network.predict([[1.0, 2.0]])  # which set it computes with was chosen before


def test_sets_left_out_in_a_new_process(every_set):
    for name in every_set[1:]:
        done = run_python("import sigmax; print(*sigmax.instruction_sets())", SIGMAX_WITHOUT=name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [other for other in every_set if other != name]


def test_threads_can_be_set_and_set_back():
    kept = sigmax.get_num_threads()
    assert kept >= 1
    try:
        sigmax.set_num_threads(3)
        assert sigmax.get_num_threads() == 3
        with sigmax.num_threads(5):
            assert sigmax.get_num_threads() == 5
            with sigmax.num_threads(1):
                assert sigmax.get_num_threads() == 1
            assert sigmax.get_num_threads() == 5
        assert sigmax.get_num_threads() == 3
        with pytest.raises(KeyError), sigmax.num_threads(2):
            raise KeyError("anything")
        assert sigmax.get_num_threads() == 3
    finally:
        sigmax.set_num_threads(kept)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SIGMAX_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"SIGMAX_NUM_THREADS": None, "OMP_NUM_THREADS": "5"}, 5),
        ({"SIGMAX_NUM_THREADS": None, "OMP_NUM_THREADS": "4,2"}, 4),
    ],
)
def test_threads_from_the_environment(environment, expected):
    done = run_python("import sigmax; print(sigmax.get_num_threads())", **environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == expected


@pytest.mark.parametrize("nonsense", ["", "many", "0", "-2", "1.5"])
def test_nonsense_in_the_environment_is_no_trap(nonsense):
    done = run_python(
        "import sigmax; print(sigmax.get_num_threads())",
        SIGMAX_NUM_THREADS=nonsense,
        OMP_NUM_THREADS=nonsense,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


def test_show_config_names_what_matters(capsys):
    sigmax.show_config()
    text = capsys.readouterr().out
    assert sigmax.__version__ in text
    assert all(name in text for name in sigmax.instruction_sets())


def test_import_is_light():
    done = run_python(
        "import sys, sigmax; print(*(m for m in ('tqdm', 'scipy', 'sklearn', 'matplotlib',"
        " 'pandas', 'importlib.metadata') if m in sys.modules))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_dir_has_what_is_looked_up_late():
    assert {"SigmaxClassifier", "__version__", "Network"} <= set(dir(sigmax))


@pytest.mark.parametrize(
    ("variables", "counts"),
    [
        *(({"SIGMAX_NUM_THREADS": text}, True) for text in ("3", "+3", " 3", "3 ", "03")),
        *(
            ({"SIGMAX_NUM_THREADS": text}, False)
            for text in ("x", "3.0", "3,2", "0", "-3", "+", "")
        ),
        *(({"OMP_NUM_THREADS": text}, True) for text in ("3", "3,2", "+3 ,x")),
        *(({"OMP_NUM_THREADS": text}, False) for text in ("x,3", ",3", "3.0")),
        ({"OMP_NUM_THREADS": "3", "SIGMAX_NUM_THREADS": "x"}, True),
    ],
)
def test_show_config_says_where_the_number_of_threads_is_from(
    monkeypatch, request, capsys, variables, counts
):
    request.addfinalizer(lambda: (monkeypatch.undo(), sigmax.set_num_threads(None)))
    for name in ("OMP_NUM_THREADS", "SIGMAX_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    sigmax.set_num_threads(None)
    others = sigmax.get_num_threads()
    if others == 3:
        pytest.skip("3 threads all the same")
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    sigmax.set_num_threads(None)
    sigmax.show_config()
    said = re.search("threads +(.*)", capsys.readouterr().out)[1]
    name, text = next(iter(variables.items()))
    assert sigmax.get_num_threads() == (3 if counts else others)
    assert said.startswith(f"3 ({name}={text}" if counts else f"{others} (affinity and quotas")
    assert said.count("is ignored") == sum(
        not counts or value == "x" for value in variables.values() if value
    )
