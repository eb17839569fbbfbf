"""Names of columns: kept where a data frame trained the network, and compared ever after."""

import copy
import pickle
import re

import numpy as np
import pytest
import sigmax
from helpers import randomize, what_it_holds
from sigmax import files
from sigmax._boundary.frames import column_names
from sigmax._data.columns import Columns, order
from sigmax._training import checkpoint_file

NAMES = ("length", "width", "height")
SIZES = (3, 4, 2)
OTHER_ORDER = [2, 0, 1]


class Frame:
    """A data frame of no library: names, and an array."""

    def __init__(self, X, names=NAMES):
        self.X, self.columns = np.asarray(X), list(names)

    def __array__(self, dtype=None, copy=None):
        return self.X if dtype is None else self.X.astype(dtype)


def in_other_order(X):
    return Frame(np.asarray(X)[:, OTHER_ORDER], [NAMES[i] for i in OTHER_ORDER])


def of_library(module, X, names=NAMES):
    if module == "none":
        return Frame(X, names)
    frames = pytest.importorskip(module)
    columns = {name: X[:, i] for i, name in enumerate(names)}
    return frames.table(columns) if module == "pyarrow" else frames.DataFrame(columns)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(30, 3))
    return X, (X[:, 0] - X[:, 2] > 0).astype(int)


@pytest.fixture
def network(dtype, rng, data):
    made = randomize(sigmax.Network(SIZES, dtype=dtype, seed=1), rng)
    made.fit(Frame(data[0]), data[1], epochs=1)
    return made


def unequal(network):
    """Make the columns matter, so that another order gives other answers."""
    network.weights[0][:] += np.arange(3)
    return network


# ---- the order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["none", "pandas", "polars", "pyarrow"])
def test_a_frame_in_another_order_is_put_right(network, data, module):
    X, y = data
    network = unequal(network)
    frame = of_library(module, X[:, OTHER_ORDER], [NAMES[i] for i in OTHER_ORDER])
    assert (network.predict_proba(X) != network.predict_proba(X[:, OTHER_ORDER])).any()
    for given in (frame, of_library(module, X)):
        np.testing.assert_array_equal(network.predict_proba(given), network.predict_proba(X))
        np.testing.assert_array_equal(network.predict(given), network.predict(X))
        assert network.cost(given, y) == network.cost(X, y)
        assert network.accuracy(given, y) == network.accuracy(X, y)
        assert network.gradient_check(given, y) == network.gradient_check(X, y)
        for ours, right in zip(network.activations(given), network.activations(X), strict=True):
            np.testing.assert_array_equal(ours, right)
        ours, right = network.backprop(given, y), network.backprop(X, y)
        np.testing.assert_array_equal(ours.nabla_w[0], right.nabla_w[0])
        other = (network.predict(X) + (np.arange(30) % 4 == 0)) % 2
        assert network.copy().calibrate(given, other) == network.copy().calibrate(X, other)


@pytest.mark.parametrize("module", ["none", "pandas", "polars", "pyarrow"])
def test_training_with_frames_is_training_with_arrays(data, module):
    X, y = data
    options = {"epochs": 3, "standardize": True}
    plain, named = sigmax.Network(SIZES, seed=3), sigmax.Network(SIZES, seed=3)
    other = of_library(module, X[:, OTHER_ORDER], [NAMES[i] for i in OTHER_ORDER])
    right = plain.fit(X, y, X_val=X, y_val=y, **options)
    ours = named.fit(of_library(module, X), y, X_val=other, y_val=y, **options)
    assert ours.val_cost == right.val_cost
    assert (plain.column_names, named.column_names) == (None, NAMES)
    plain.fit(X, y, epochs=2)
    named.fit(other, y, epochs=2)
    plain.partial_fit(X, y)
    named.partial_fit(other, y)
    assert what_it_holds(named) == what_it_holds(plain)


def test_partial_fit_and_streams_keep_names(data):
    X, y = data
    network = sigmax.Network(SIZES, seed=3)
    network.partial_fit(Frame(X), y)
    assert network.column_names == NAMES

    def blocks():
        yield Frame(X[:10]), y[:10]
        yield in_other_order(X[10:]), y[10:]

    plain, named = sigmax.Network(SIZES, seed=3), sigmax.Network(SIZES, seed=3)
    plain.fit(X, y, epochs=2, shuffle=False, standardize=True)
    named.fit(blocks, epochs=2, standardize=True)
    assert named.column_names == NAMES
    np.testing.assert_allclose(named.parameters, plain.parameters, rtol=1e-4, atol=1e-6)
    fresh = sigmax.Network(SIZES, seed=3)
    history = fresh.fit(blocks, epochs=2, X_val=in_other_order(X), y_val=y)
    Z = X[:, OTHER_ORDER]  # that of the validation data, which are known first
    right = sigmax.Network(SIZES, seed=3).fit(Z, y, shuffle=False, epochs=2, X_val=Z, y_val=y)
    assert history.val_cost == right.val_cost
    assert fresh.column_names == tuple(NAMES[i] for i in OTHER_ORDER)


def test_a_stream_that_changes_its_columns(data):
    X, y = data
    blocks = [(Frame(X), y), (Frame(X, ("length", "breadth", "height")), y)]
    network = sigmax.Network(SIZES, seed=3)
    with pytest.raises(ValueError, match=r"X of block 1 has column 'breadth' where .* 'width'"):
        network.fit(lambda: blocks, epochs=1)


def test_arrays_and_frames_without_names_are_taken_as_they_come(network, data):
    pandas = pytest.importorskip("pandas")
    X, _ = data
    numbered = pandas.DataFrame(X[:, OTHER_ORDER])
    expected = network.predict_proba(X[:, OTHER_ORDER])
    for given in (X[:, OTHER_ORDER], X[:, OTHER_ORDER].tolist(), numbered):
        np.testing.assert_array_equal(network.predict_proba(given), expected)


def test_names_of_several_types_are_refused_as_scikit_learn_does(network, data):
    pandas = pytest.importorskip("pandas")
    mixed = pandas.DataFrame(data[0], columns=["length", 1, "height"])
    with pytest.raises(TypeError, match=r"'length' and 1; .*X\.columns\.astype\(str\)"):
        network.predict(mixed)
    mixed.columns = mixed.columns.astype(str)  # which the error says
    sigmax.Network(SIZES).fit(mixed, data[1], epochs=1)


# ---- other columns -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("length", "Width", "height"), ("column 'Width' where", "has column 'width'")),
        (("width", "length"), ("lacks column 'height'",)),
        (
            ("length", "width", "height", "id"),
            ("column 'id'", "[['length', 'width', 'height']] has"),
        ),
        (("length", "length", "height"), ("'length'", "'width'")),
        (("a", "b", "c"), ("'a', 'b', 'c'", "'length', 'width', 'height'")),
    ],
)
def test_other_columns_are_named(network, data, names, words):
    X = Frame(np.resize(data[0], (30, len(names))), names)
    before, y = what_it_holds(network), data[1]
    for call in (
        lambda: network.predict(X),
        lambda: network.predict_proba(X),
        lambda: network.activations(X),
        lambda: network.cost(X, y),
        lambda: network.backprop(X, y),
        lambda: network.gradient_check(X, y),
        lambda: network.calibrate(X, y),
        lambda: network.partial_fit(X, y),
        lambda: network.fit(X, y, epochs=1),
        lambda: network.fit(data[0], y, X_val=X, y_val=y, epochs=1),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        for word in words:
            assert word in str(caught.value)
    assert what_it_holds(network) == before


def remedy(caught):
    """The expression in an error such as "...: X[['a']] has no other"."""
    return re.search(r": (\S.*) has no other", str(caught.value))[1]


@pytest.mark.parametrize("module", ["pandas", "polars", "pyarrow"])
def test_what_the_error_says_leaves_a_column_out(network, data, module):
    X, y = data
    frame = of_library(module, np.hstack([X[:, :1], X]), ("id", *NAMES))
    with pytest.raises(ValueError, match="column 'id', which the network does not have") as caught:
        network.predict(frame)
    less = eval(remedy(caught), {"X": frame})
    np.testing.assert_array_equal(network.predict(less), network.predict(X))
    new = sigmax.Network(SIZES, seed=3)
    with pytest.raises(ValueError, match="X_val has column 'id'") as caught:
        new.fit(of_library(module, X), y, X_val=frame, y_val=y, epochs=1)
    X_val = eval(remedy(caught), {"X_val": frame})
    assert new.fit(of_library(module, X), y, X_val=X_val, y_val=y, epochs=1).val_cost


def test_a_remedy_with_many_names_is_left_out(data):
    names = [f"column number {i}" for i in range(30)]
    network = sigmax.Network([30, 2])
    network.fit(Frame(np.zeros((2, 30)), names), [0, 1], epochs=1)
    with pytest.raises(ValueError, match=r"expected its columns alone$"):
        network.predict(Frame(np.zeros((2, 31)), [*names, "id"]))


@pytest.mark.parametrize("module", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("name", ["column_names", "columns", "dtypes", "schema", "select"])
def test_a_column_may_be_called_as_what_frames_have(data, module, name):
    X, y = data
    network = sigmax.Network(SIZES)
    network.fit(of_library(module, X, (name, "b", "c")), y, epochs=1)
    assert network.column_names == (name, "b", "c")
    turned = of_library(module, X[:, OTHER_ORDER], ("c", name, "b"))
    np.testing.assert_array_equal(network.predict(turned), network.predict(X))


def test_a_frame_put_in_order_names_its_own_columns(network, data):
    X = data[0].copy()
    X[4, 2] = np.inf
    with pytest.raises(ValueError, match="X, row 4, column 'height': inf"):
        network.predict(in_other_order(X))


def test_names_of_a_frame_of_targets_do_not_matter(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    targets = pandas.DataFrame(np.eye(2)[y], columns=["no", 1])
    network, plain = sigmax.Network(SIZES, seed=3), sigmax.Network(SIZES, seed=3)
    network.fit(X, targets, epochs=1)
    plain.fit(X, np.eye(2)[y], epochs=1)
    np.testing.assert_array_equal(network.parameters, plain.parameters)
    mixed = pandas.DataFrame(X, columns=["a", 1, "b"])
    with pytest.raises(TypeError, match=r"the columns of X_val .*X_val\.columns\.astype"):
        network.fit(X, y, X_val=mixed, y_val=y, epochs=1)


def test_names_are_read_once(network, data):
    class Counting(Frame):
        reads = 0

        def __getattribute__(self, name):
            if name == "columns":
                Counting.reads += 1
            return super().__getattribute__(name)

    network.predict(Counting(data[0]))
    assert Counting.reads == 1


def test_a_refused_fit_leaves_no_names(data):
    X, y = data[0].copy(), data[1]
    X[4, 1] = np.nan
    network = sigmax.Network(SIZES, seed=3)
    with pytest.raises(ValueError, match="X, row 4, column 'width': nan"):
        network.fit(Frame(X), y)
    assert network.column_names is None
    with pytest.raises(ValueError, match="X, row 4, column 'width': nan"):
        network.fit(Frame(X), y, standardize=True)
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match="X, column 'width': no row"):
        network.fit(Frame(X), y, nan="mean")


def test_two_columns_of_one_name(data):
    X, y = data
    names = ("a", "a", "b")
    network = sigmax.Network(SIZES, seed=3)
    network.fit(Frame(X, names), y, epochs=1)
    np.testing.assert_array_equal(network.predict(Frame(X, names)), network.predict(X))
    with pytest.raises(ValueError, match=r"column 'a' more than once.*a name for each column"):
        network.predict(Frame(X, ("b", "a", "a")))


def test_many_other_names_are_not_all_listed():
    with pytest.raises(ValueError, match="'5' and 94 more, ") as caught:
        order([str(i) for i in range(100)], [])
    assert len(str(caught.value)) < 200


def test_what_is_no_frame():
    for value in (np.zeros((2, 2)), [[1, 2]], "text", 3, None, {"columns": 1}, type("T", (), {})):
        assert column_names(value) is None
        assert Columns(NAMES).order_of(value, column_names(value)) is None


# ---- copies --------------------------------------------------------------------------------------


def test_copies_pickles_and_files_keep_names(network, data, tmp_path):
    path = tmp_path / "model.npz"
    network.save(path)
    for twin in (
        network.copy(),
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
        sigmax.Network.load(path),
        files.load(path).network,
    ):
        assert twin.column_names == NAMES
        assert what_it_holds(twin) == what_it_holds(network)
        ours = twin.predict_proba(in_other_order(data[0]))
        np.testing.assert_array_equal(ours, network.predict_proba(data[0]))


def test_a_pickle_without_names_is_one_of_earlier_releases():
    state = sigmax.Network(SIZES, seed=1).__getstate__()
    assert "column_names" not in state
    twin = sigmax.Network.__new__(sigmax.Network)
    twin.__setstate__(state)
    assert twin.column_names is None


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("a", "b"), ValueError), ((1, 2, 3), TypeError), ("abc", TypeError), ({1: 2}, TypeError)],
    ids=str,
)
def test_a_pickle_with_wrong_names(names, kind):
    state = {**sigmax.Network(SIZES, seed=1).__getstate__(), "column_names": names}
    with pytest.raises(kind, match="column_names"):
        sigmax.Network.__new__(sigmax.Network).__setstate__(state)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_checkpoint_keeps_names(data, tmp_path, optimizer):
    X, y = data
    path = tmp_path / "run.npz"
    options = {"epochs": 4, "optimizer": optimizer, "standardize": True}
    whole = sigmax.Network(SIZES, seed=3)
    whole.fit(X, y, **options)

    def stop(network, epoch, history):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sigmax.Network(SIZES, seed=3).fit(Frame(X), y, checkpoint=path, callbacks=[stop], **options)
    assert checkpoint_file.load(path).model.column_names == NAMES
    renamed = Frame(X, ("length", "width", "depth"))
    with pytest.raises(ValueError, match="'depth' where the network has column 'height'"):
        sigmax.Network(SIZES).fit(renamed, y, resume=path, callbacks=[lambda *_: False])
    resumed = sigmax.Network(SIZES)
    resumed.fit(in_other_order(X), y, resume=path, callbacks=[lambda *_: False])
    assert what_it_holds(resumed) == what_it_holds(whole)
    assert resumed.column_names == NAMES


def test_a_checkpoint_of_a_stream_keeps_names(data, tmp_path):
    X, y = data
    path = tmp_path / "run.npz"
    network = sigmax.Network(SIZES, seed=3)
    network.fit(lambda: iter([(Frame(X), y)]), epochs=1, checkpoint=path)
    assert checkpoint_file.load(path).model.column_names == network.column_names == NAMES
