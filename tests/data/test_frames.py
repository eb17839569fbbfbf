"""What frames, arrays of objects and masked arrays hold: numbers, or an error that names the entry."""

import datetime
import re
from decimal import Decimal

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
    with pytest.raises(ValueError, match="X, row 1, column 'b': nan.*nan='mean'"):
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
    frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "colour": ["red", "blue", "red", "tan"]})
    with pytest.raises(TypeError, match="column 'colour'.*get_dummies"):
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
    with pytest.raises(TypeError, match="written as text: numpy.asarray.X, float. reads them"):
        network().fit(X, Y)
    network().fit(np.asarray(X, float), Y, epochs=1)
    mixed = X.copy()
    mixed[2, 1] = "x"
    place = "row 2, column 1: " if dtype != object else "row 0, column 0: "
    with pytest.raises(TypeError, match=f"X, {place}"):
        network().predict(mixed)


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
    network().predict(X.astype("int64"))


# ---- masked arrays -------------------------------------------------------------------------------

MASKED = np.ma.masked_array(np.where(np.isnan(VALUES), 1e9, VALUES), np.isnan(VALUES))


@quiet
@pytest.mark.parametrize("dtype", [float, np.float32, int, object])
def test_a_masked_entry_is_a_missing_one(dtype):
    masked = MASKED.astype(dtype)
    values = np.ma.getdata(masked).astype(float)
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
        with pytest.raises(ValueError, match="X, row 1, column 1: masked; .*nan='mean'"):
            call()


def test_masked_labels_and_weights_are_refused():
    X, y = np.ones((4, 3)), np.ma.masked_array(Y, [0, 0, 1, 0])
    weights = np.ma.masked_array(np.ones(4), [0, 1, 0, 0])
    for made in (lambda: network(), lambda: classifier()):
        with pytest.raises(ValueError, match="y, row 2: masked"):
            made().fit(X, y)
        with pytest.raises(ValueError, match="sample_weight, row 1: masked"):
            made().fit(X, Y, sample_weight=weights)


@quiet
def test_nothing_masked_is_an_array():
    X = np.ma.masked_array(FILLED, np.zeros((4, 3), bool))
    np.testing.assert_array_equal(network().predict_proba(X), network().predict_proba(FILLED))
    ours, plain = classifier().fit(X, np.ma.masked_array(Y)), classifier().fit(FILLED, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(FILLED))
