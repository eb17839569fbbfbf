"""Frames, arrays of objects and masked arrays: numbers, or an error that names the entry."""

import datetime
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import sigmax

Y = [0, 1, 0, 1]
TABLE = {"a": [1, 2, 3, 4], "b": [0.5, None, 1.5, 2.0], "c": [True, False, True, False]}
VALUES = np.array([[1, 0.5, 1], [2, np.nan, 0], [3, 1.5, 1], [4, 2.0, 0]])
FILLED = np.array([[1, 0.5, 1], [2, 4 / 3, 0], [3, 1.5, 1], [4, 2.0, 0]])


def frame_of(kind, table):
    """A data frame of a library, of one of its kinds of columns."""
    if kind in ("polars", "pyarrow"):
        module = pytest.importorskip(kind)
        return module.DataFrame(table) if kind == "polars" else module.table(table)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table)
    if kind == "arrow":
        pytest.importorskip("pyarrow")
        return frame.convert_dtypes(dtype_backend="pyarrow")
    return {
        "numbers": lambda: frame,
        "nullable": frame.convert_dtypes,
        "objects": lambda: frame.astype(object),
        "category": lambda: frame.astype({"a": "category"}),
    }[kind]()


KINDS = ["numbers", "nullable", "arrow", "objects", "category", "polars", "pyarrow"]


def network(dtype="float64"):
    return sigmax.Network([3, 4, 2], dtype=dtype, seed=0)


def classifier(**options):
    pytest.importorskip("sklearn")
    return sigmax.SigmaxClassifier((4,), max_iter=3, random_state=0, **options)


quiet = pytest.mark.filterwarnings("ignore:training has not converged", "ignore:X does not have")


# ---- numbers -------------------------------------------------------------------------------------


@quiet
@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_numbers_with_missing_ones(kind):
    frame = frame_of(kind, TABLE)
    made, plain = network(), network()
    made.fit(frame, Y, epochs=2, nan="mean")
    plain.fit(VALUES, Y, epochs=2, nan="mean")
    np.testing.assert_array_equal(made.parameters, plain.parameters)
    np.testing.assert_array_equal(made.predict_proba(frame), plain.predict_proba(FILLED))
    with pytest.raises(ValueError, match="X, row 1, column 'b': nan"):
        network().fit(frame, Y)


@quiet
@pytest.mark.parametrize("kind", KINDS)
def test_the_classifier_takes_them_alike(kind):
    frame = frame_of(kind, TABLE)
    ours = classifier(nan="mean").fit(frame, Y)
    assert ours.feature_names_in_.tolist() == list("abc")
    plain = classifier(nan="mean").fit(VALUES, Y)
    np.testing.assert_array_equal(ours.predict_proba(frame), plain.predict_proba(VALUES))
    with pytest.raises(ValueError, match=r"X, row 1, column 'b': nan.*nan='mean'"):
        classifier().fit(frame, Y)


@quiet
@pytest.mark.parametrize(
    "make",
    [
        lambda X: X.astype(object),
        lambda X: np.array([[Decimal(v) for v in row] for row in X.tolist()], object),
        lambda X: np.array([[int(2 * v) if v == 1 else v for v in row] for row in X], object) / 1,
        lambda X: [[np.float32(v) if v > 1 else v for v in row] for row in X.tolist()],
    ],
    ids=["floats", "decimals", "divided", "list"],
)
def test_objects_that_are_numbers(make):
    X = np.array([[0.5, 1.5], [1.25, 0.25], [3.0, 2.0], [0.125, 0.75]])
    given = make(X)
    numbers = np.array(given, float)
    made = sigmax.Network([2, 2], dtype="float64", seed=0)
    np.testing.assert_array_equal(made.predict_proba(given), made.predict_proba(numbers))
    made.fit(given, np.array(Y, object), epochs=1)
    ours, plain = classifier().fit(given, Y), classifier().fit(numbers, Y)
    np.testing.assert_array_equal(ours.predict_proba(given), plain.predict_proba(numbers))


def test_none_is_a_missing_number():
    X = [[1, None, 1.0]] * 4
    with pytest.raises(ValueError, match="X, row 0, column 1: nan"):
        network().fit(X, Y)
    X[2] = [1, 2, 3]
    network().fit(X, Y, nan="mean", epochs=1)


def test_an_integer_too_large_for_a_float():
    X = np.array([[1, 2, 3], [4, 10**400, 6]], object)
    with pytest.raises(ValueError, match="X, row 1, column 1: an integer too large"):
        network().predict(X)


# ---- text and the like ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_text_is_named(kind):
    frame = frame_of(kind, {**TABLE, "c": [None, "red", "blue", "red"]})
    words = "X, row 1, column 'c': 'red' is text; .*OneHotEncoder or pandas.get_dummies"
    with pytest.raises(TypeError, match=words):
        network().fit(frame, Y, nan="mean")
    with pytest.raises(ValueError, match=words):
        classifier(nan="mean").fit(frame, Y)


@quiet
def test_what_the_error_says_makes_numbers_of_text():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"size": [1.0, 2.0, 3.0, 4.0], "colour": ["red", "blue", "red", "tan"]}
    )
    with pytest.raises(TypeError, match=r"column 'colour'.*get_dummies"):
        sigmax.Network([2, 2], seed=0).fit(frame, Y)
    numbers = pandas.get_dummies(frame)
    made = sigmax.Network([4, 2], seed=0)
    made.fit(numbers, Y, epochs=1)
    assert made.column_names == ("size", "colour_blue", "colour_red", "colour_tan")
    classifier().fit(numbers, Y)
    encoder = pytest.importorskip("sklearn.preprocessing").OneHotEncoder()
    classifier().fit(encoder.fit_transform(frame[["colour"]]), Y)


@pytest.mark.parametrize("dtype", [object, "U3", "S3"])
def test_numbers_written_as_text(dtype):
    X = np.array([["1.5", "2", "3"]] * 4, dtype)
    with pytest.raises(TypeError, match=r"written as text: numpy.asarray.X, float. reads them"):
        network().fit(X, Y)
    network().fit(np.asarray(X, float), Y, epochs=1)
    mixed = X.copy()
    mixed[2, 1] = "x"
    with pytest.raises(TypeError, match="X, row 2, column 1: "):
        network().predict(mixed)


@quiet
@pytest.mark.parametrize("look", ["frame", "objects", "text"])
def test_the_entry_that_is_no_number_is_named_and_the_remedy_works(look):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": np.arange(60) / 60, "c": ["1.5"] * 59 + ["?"]})
    column = "'c'"
    if look != "frame":
        X, column = np.array(X, object if look == "objects" else str), "1"
    y = np.arange(60) % 2
    words = rf"X, row 59, column {column}: '\?' is text; expected .*: (pandas\.to_numeric\S+ .*\))"
    with pytest.raises(TypeError, match=words) as caught:
        sigmax.Network([2, 2]).fit(X, y)
    with pytest.raises(ValueError, match=words):
        classifier().fit(X, y)
    call = re.search(words, str(caught.value))[1].partition(" makes")[0]
    numbers = eval(call, {"X": X, "pandas": pandas})
    if look == "frame":
        X = X.assign(c=numbers)
    else:
        X = np.column_stack([np.asarray(X[:, 0], float), numbers])
    sigmax.Network([2, 2]).fit(X, y, nan="mean", epochs=1)
    classifier(nan="mean").fit(X, y)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Decimal("sNaN"), r"Decimal\('sNaN'\)"),
        (Fraction(10**400), "a Fraction too large for float64"),
    ],
    ids=["signalling", "fraction"],
)
def test_numbers_that_are_no_float64(value, words):
    X = np.ones((4, 3), object)
    X[2, 1] = value
    with pytest.raises(ValueError, match=f"X, row 2, column 1: {words}"):
        network().predict(X)


STRINGS = [getattr(np.dtypes, "StringDType", lambda: "U3")()]  # which NumPy 2 has


@pytest.mark.parametrize("dtype", STRINGS, ids=str)
def test_text_of_numpys_own_kind(dtype):
    X = np.array([["1", "2", "3"], ["4", "red", "6"]], dtype)
    with pytest.raises(TypeError, match="X, row 1, column 1: 'red' is text"):
        network().predict(X)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1}, "{'a': 1} is no number (dict)"),
        (1j, "1j is no number (complex)"),
        ([1, 2], "[1, 2] is no number (list)"),
        (datetime.date(2020, 1, 2), "datetime.date(2020, 1, 2) is no number (date)"),
        (b"red", "b'red' is text"),
    ],
    ids=str,
)
def test_other_objects_are_named(value, words):
    X = np.ones((4, 3), object)
    X[3, 1] = value
    with pytest.raises(TypeError, match=f"X, row 3, column 1: {re.escape(words)}"):
        network().predict(X)


def test_dates():
    X = np.zeros((4, 3), "M8[s]")
    with pytest.raises(TypeError, match=r"X has dtype datetime64.*X\.astype\('int64'\)"):
        network().predict(X)
    with pytest.raises(TypeError, match=r"X has dtype datetime64"):
        classifier().fit(X, Y)
    network().predict(X.astype("int64"))


DATES = {
    "datetime": datetime.datetime(2020, 1, 2),
    "date": datetime.date(2020, 1, 2),
    "time": datetime.time(1, 2),
    "timedelta": datetime.timedelta(1),
}


@quiet
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("what", DATES)
@pytest.mark.parametrize("kind", ["numbers", "polars", "pyarrow"])
def test_a_column_of_dates_is_named(kind, what, alone):
    table = {"a": [1.0, 2.0, 3.0, 4.0], "b": [DATES[what]] * 4}
    frame = frame_of(kind, {"b": table["b"]} if alone else table)
    made = sigmax.Network([2 - alone, 2])
    with pytest.raises(TypeError, match=r"X, (row 0, )?column 'b'.*expected real num") as caught:
        made.fit(frame, Y)
    with pytest.raises((TypeError, ValueError), match=r"X, (row 0, )?column 'b'"):
        classifier().fit(frame, Y)
    remedy = re.search(r"numbers: (\S+) makes", str(caught.value))
    if kind == "numbers" and what in ("date", "time"):  # objects to pandas
        assert remedy is None
        return
    numbers = eval(remedy[1], {"X": frame}).to_numpy()
    assert numbers.dtype.kind == "i"
    sigmax.Network([1, 2], dtype="float64").predict(numbers.reshape(-1, 1))


# ---- masked arrays -------------------------------------------------------------------------------

MASKED = np.ma.masked_array(np.where(np.isnan(VALUES), 1e9, VALUES), np.isnan(VALUES))


@quiet
@pytest.mark.parametrize("dtype", [float, np.float32, int, object])
def test_a_masked_entry_is_a_missing_one(dtype):
    masked = MASKED.astype(dtype)
    values = np.ma.getdata(masked).astype(np.float32 if dtype is np.float32 else float)
    values[1, 1] = np.nan
    made, plain = network(), network()
    made.fit(masked, Y, epochs=2, nan="mean", X_val=masked, y_val=Y)
    plain.fit(values, Y, epochs=2, nan="mean", X_val=values, y_val=Y)
    np.testing.assert_array_equal(made.parameters, plain.parameters)
    np.testing.assert_array_equal(made.predict_proba(masked), plain.predict_proba(values))
    made.partial_fit(masked, Y)
    made.fit(lambda: [(masked, Y)], epochs=1)
    ours, other = classifier(nan="mean").fit(masked, Y), classifier(nan="mean").fit(values, Y)
    expected = other.predict_proba(values)
    np.testing.assert_array_equal(ours.predict_proba(masked), expected)
    assert ours.score(masked, Y) == other.score(values, Y)


@quiet
def test_a_masked_entry_is_refused_elsewhere():
    whole = FILLED
    trained = classifier().fit(whole, Y)
    for call in (
        lambda: network().fit(MASKED, Y),
        lambda: network().partial_fit(MASKED, Y),
        lambda: network().predict(MASKED),
        lambda: network().cost(MASKED, Y),
        lambda: classifier().fit(MASKED, Y),
        lambda: classifier().partial_fit(MASKED, Y, classes=[0, 1]),
        lambda: trained.predict(MASKED),
        lambda: trained.score(MASKED, Y),
    ):
        with pytest.raises(ValueError, match=r"X, row 1, column 1: masked; .*nan='mean'"):
            call()


def test_masked_labels_and_weights_are_refused():
    X, y = np.ones((4, 3)), np.ma.masked_array(Y, [0, 0, 1, 0])
    weights = np.ma.masked_array(np.ones(4), [0, 1, 0, 0])
    for made in (lambda: network(), lambda: classifier()):
        with pytest.raises(ValueError, match="y, row 2: masked"):
            made().fit(X, y)
        with pytest.raises(ValueError, match="sample_weight, row 1: masked"):
            made().fit(X, Y, sample_weight=weights)


def test_soft_labels_have_no_missing_ones():
    soft = np.ma.masked_array(np.eye(2)[Y], [[0, 0], [0, 1], [0, 0], [0, 0]])
    with pytest.raises(ValueError, match=r"y, row 1, column 1: masked; .* masked entries$"):
        network().fit(FILLED, soft)


def test_text_behind_a_mask_is_not_named():
    X = np.ma.masked_array([["x", "1", "2"], ["3", "red", "4"]], [[1, 0, 0], [0, 0, 0]])
    with pytest.raises(TypeError, match="X, row 1, column 1: 'red' is text"):
        network().fit(X, Y[:2], nan="mean")
    X[1, 1] = "5"
    with pytest.raises(TypeError, match="X, row 0, column 1: '1' is text"):
        classifier(nan="mean").fit(X, Y[:2])


@quiet
def test_lists_of_masked_arrays_keep_their_masks():
    made, plain = network(), network()
    with pytest.raises(ValueError, match="X, row 1, column 1: masked"):
        made.fit(list(MASKED), Y)
    made.fit(list(MASKED), Y, nan="mean", epochs=1)
    plain.fit(MASKED, Y, nan="mean", epochs=1)
    np.testing.assert_array_equal(made.parameters, plain.parameters)
    labels = list(np.ma.masked_array(Y, [0, 0, 1, 0]))
    weights = list(np.ma.masked_array(np.ones(4), [0, 1, 0, 0]))
    for made in (network(), classifier()):
        with pytest.raises(ValueError, match="y, row 2: masked"):
            made.fit(FILLED, labels)
        with pytest.raises(ValueError, match="sample_weight, row 1: masked"):
            made.fit(FILLED, Y, sample_weight=weights)


@quiet
def test_masks_count_in_all_that_the_classifier_is_given():
    weights = np.ma.masked_array(np.ones(4), [0, 1, 0, 0])
    with pytest.raises(ValueError, match="sample_weight_val, row 1: masked"):
        classifier().fit(FILLED, Y, X_val=FILLED, y_val=Y, sample_weight_val=weights)
    with pytest.raises(ValueError, match="y_val, row 1: masked"):
        y_val = np.ma.masked_array(Y, weights.mask)
        classifier().fit(FILLED, Y, X_val=FILLED, y_val=y_val)
    classes = np.ma.masked_array([0, 1, 2], [0, 0, 1])
    with pytest.raises(ValueError, match="classes, row 2: masked"):
        classifier().partial_fit(FILLED, Y, classes=classes)


@quiet
def test_nothing_masked_is_an_array():
    X = np.ma.masked_array(FILLED, np.zeros((4, 3), bool))
    np.testing.assert_array_equal(network().predict_proba(X), network().predict_proba(FILLED))
    ours, plain = classifier().fit(X, np.ma.masked_array(Y)), classifier().fit(FILLED, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(FILLED))
