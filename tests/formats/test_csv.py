"""Reading .csv files: what is found out about them, and mistakes named by line and column."""

import numpy as np
import pytest
from sigmax._formats.csv_file import CsvOptions
from sigmax._formats.dataset import read

IRIS = "length,width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n6.2,2.9,virginica\n"


@pytest.fixture
def write(tmp_path):
    """Write bytes or text into a file of that name; return its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_csv_with_header_and_text_labels(write, delimiter, line_end):
    text = IRIS.replace(",", delimiter).replace("\n", line_end)
    dataset = read(write("iris.csv", text))
    np.testing.assert_array_equal(dataset.X, np.float32([[5.1, 3.5], [4.9, 3.0], [6.2, 2.9]]))
    assert dataset.X.dtype == np.float32
    assert dataset.labels.tolist() == ["setosa", "setosa", "virginica"]
    assert dataset.found == "header, labels in column 'species'"


def test_csv_without_header(write):
    dataset = read(write("a.csv", "1,2,0\n3,4,1\n"), dtype="float64")
    assert dataset.X.dtype == np.float64
    assert dataset.X.tolist() == [[1, 2], [3, 4]]
    assert dataset.labels.tolist() == ["0", "1"]
    assert dataset.found == "no header, labels in column 2"


@pytest.mark.parametrize("column", ["kind", "0", "-3"])
def test_csv_label_column_by_name_and_position(write, column):
    path = write("a.csv", "kind,a,b\nx,1,2\ny,3,4\n")
    dataset = read(path, csv=CsvOptions(column))
    assert dataset.labels.tolist() == ["x", "y"]
    assert dataset.X.tolist() == [[1, 2], [3, 4]]


def test_csv_without_labels(write):
    dataset = read(write("a.csv", "a,b\n1,2\n"), csv=CsvOptions(None), labelled=False)
    assert dataset.labels is None
    assert dataset.X.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("label", "weight"),
    [("kind", "count"), ("-1", "count"), ("0", "2"), ("0", "-2"), ("-1", "-2")],
)
def test_csv_with_weights(write, label, weight):
    text = "kind,a,count,b\nx,1,2.5,3\ny,4,0,6\n"
    if label == "-1":  # the last column, or the last but for the weights
        text = "a,b,kind,count\n1,3,x,2.5\n4,6,y,0\n"
        if weight == "-2":
            text = "a,b,count,kind\n1,3,2.5,x\n4,6,0,y\n"
    dataset = read(write("a.csv", text), csv=CsvOptions(label, weight_column=weight))
    assert dataset.labels.tolist() == ["x", "y"]
    assert dataset.weights.tolist() == [2.5, 0]
    assert dataset.weights.dtype == np.float64
    assert dataset.X.tolist() == [[1, 3], [4, 6]]
    assert "weights in column 'count'" in dataset.found


@pytest.mark.parametrize("ignore", [("id", "note"), ("0", "-1"), ("-5", "4")])
@pytest.mark.parametrize(("label", "weight"), [("-1", None), ("kind", None), ("3", "2")])
def test_csv_with_columns_to_ignore(write, ignore, label, weight):
    path = write("a.csv", "id,a,b,kind,note\n7,1,2,x,good\n8,3,4,y,\n")
    dataset = read(path, csv=CsvOptions(label, weight_column=weight, ignore=ignore))
    assert dataset.labels.tolist() == ["x", "y"]
    assert dataset.X.tolist() == ([[1, 2], [3, 4]] if weight is None else [[1], [3]])


def test_csv_without_labels_but_with_a_column_to_ignore(write):
    path = write("a.csv", "1,2,x\n3,4,y\n")
    dataset = read(path, csv=CsvOptions(None, ignore=("2",)), labelled=False)
    assert dataset.X.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="2 features besides the ignored column 2, where the m"):
        read(path, csv=CsvOptions(None, ignore=("2",)), labelled=False, n_features=3)


def test_a_column_of_row_numbers_is_pointed_out(write):
    path = write("a.csv", "Id,a,kind\n1,5,x\n2,6,y\n")
    assert "column 'Id' is a feature (unless --ignore-column 0)" in read(path).found
    assert "a feature" not in read(path, csv=CsvOptions(ignore=("0",))).found


def test_csv_with_the_weights_in_the_last_column(write):
    text = "1,2,x,3\n4,5,y,6\n"
    dataset = read(write("a.csv", text), csv=CsvOptions(weight_column="-1"))
    assert dataset.labels.tolist() == ["x", "y"]
    assert dataset.weights.tolist() == [3, 6]
    assert dataset.X.tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize("missing", ["", "?", "NA", "n/a", " nan ", "NaN", "null", "None", "-"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_csv_with_missing_values(write, missing, dtype):
    text = f"a,b,kind\n1,{missing},x\n{missing},-4.5,y\n"
    options = CsvOptions(missing=True)
    dataset = read(write("a.csv", text), csv=options, dtype=dtype)
    np.testing.assert_array_equal(dataset.X, np.array([[1, np.nan], [np.nan, -4.5]], dtype))
    with pytest.raises(ValueError, match="line 2, column 'b'"):
        read(write("a.csv", text), csv=CsvOptions(), dtype=dtype)


def test_csv_with_more_missing_values_than_are_remembered(write):
    rows = [f"{i}.5,{'?' if i % 7 == 0 else i},x" for i in range(9000)]
    dataset = read(write("a.csv", "\n".join(rows)), csv=CsvOptions(missing=True))
    assert np.flatnonzero(np.isnan(dataset.X[:, 1])).tolist() == list(range(0, 9000, 7))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b,k\n1,inf,x\n", {"missing": True}, "line 2, column 'b': inf where"),
        ("a,b,k\n1,1e39,x\n", {"missing": True}, "line 2, column 'b': inf where"),
        (
            "a,b,k\n1,oops,x\n",
            {"missing": True},
            "line 2, column 'b': 'oops' is not a number .if it is the label",
        ),
        ("a,b,k\n1,2,\n", {"missing": True}, "line 2, column 'k': the label is empty"),
        ("a,w,k\n1,2,x\n1,,y\n", {"weight_column": "w"}, "line 3, column 'w': the weight ''"),
        ("a,w,k\n1,inf,x\n", {"weight_column": "1"}, "line 2, column 'w': the weight 'inf'"),
        ("a,w,k\n1,2,x\n", {"weight_column": "v"}, "no column 'v' in its first row: a, w, k"),
        ("a,w,k\n1,2,x\n", {"weight_column": "3"}, "no column 3: positions go from 0 to 2"),
        ("w,k\n1,x\n", {"weight_column": "w"}, "2 columns only"),
        ("a,b,k\n1,2,x\n", {"ignore": ("c",)}, "no column 'c' in its first row: a, b, k"),
        ("a,b,k\n1,2,x\n", {"ignore": ("b",), "weight_column": "b"}, "column 1 holds the weights"),
        ("a,b,k\n1,2,x\n", {"ignore": ("k",), "label_column": "k"}, "the labels are in a column"),
        ("a,b,k\n1,2,x\n", {"ignore": ("a", "b")}, "3 columns only"),
        ("a,b,k\n1,2,x\n3,red,y\n", {}, r"'red' is not a number \(if it is the label, give --l"),
        ("a,b,k\n1;2;x\n", {}, "1 field, where"),
        ("a;b;k\n1,5;2;x\n", {}, r"'1,5' is not a number \(a decimal point is expected"),
        ("a,b,k\n1,2,x\n3,,y\n", {}, r"'' is not a number \(a model trained with --nan mean"),
    ],
)
def test_csv_mistakes_in_weights_and_missing_values(write, text, options, message):
    path = write("a.csv", text)
    with pytest.raises(ValueError, match=message):
        read(path, csv=CsvOptions(**options))


@pytest.mark.parametrize(
    ("text", "n_rows"),
    [
        ("1,2,yes\n3,4,no\n", 2),  # a text label makes no header
        ("1,2,3,kind\n4,5,6,no\n7,8,9,no\n", 2),  # numbers of columns, and no class
        ("1,2,3,yes\n4,5,6,no\n7,8,9,yes\n", 3),
        ("1,2,3,yes\n4,5,6,no\n", 2),  # too few rows for a class to occur twice
        ("1,2,4,kind\n4,5,6,no\n7,8,9,no\n", 3),
        ("0,1,label\n3,4,7\n5,6,8\n", 2),  # text over a number does
        ("a,b,c\n3,4,7\n", 1),
        ("0,1,2,label\n3,4,7,x\n5,6,8,y\n", 2),  # as pandas names columns without a name
        ("0,1,2,3\n3,4,7,8\n", 1),
        (",0,1,2,label\n0,3,4,7,x\n1,5,6,8,y\n", 2),  # behind its index
        ("label,0,1,2\nx,3,4,7\n", 1),
        ("0,1,2,7\n3,4,7,8\n", 2),  # a row of data all the same
        ("0,1,x\n3,4,y\n", 2),
    ],
)
def test_csv_header_detection(write, text, n_rows):
    label = "0" if text.startswith("label") else "-1"
    assert len(read(write("a.csv", text), csv=CsvOptions(label)).X) == n_rows


def test_csv_header_of_positions_without_labels(write):
    dataset = read(write("a.csv", "0,1,2\n3,4,7\n"), csv=CsvOptions(None), labelled=False)
    assert (dataset.X.tolist(), dataset.found) == ([[3, 4, 7]], "header")


def test_csv_header_can_be_forced(write):
    path = write("a.csv", "1,2,3\n4,5,6\n7,8,9\n")
    assert len(read(path, csv=CsvOptions(header=True)).X) == 2
    assert len(read(path, csv=CsvOptions(header=False)).X) == 3
    with pytest.raises(ValueError, match=r"line 1, column 0: 'length' is not a number.*--header"):
        read(write("b.csv", IRIS), csv=CsvOptions(header=False))


def test_csv_quotes_byte_order_mark_blank_lines_and_spaces(write):
    text = '\ufeff"a, x", b ,c\n\n1, 2 ,"yes, sir"\n\n3,4," no"\n'
    dataset = read(write("a.csv", text))
    assert dataset.X.tolist() == [[1, 2], [3, 4]]
    assert dataset.labels.tolist() == ["yes, sir", "no"]


def test_csv_wider_than_what_is_sniffed(write, rng):
    X = rng.integers(0, 1000, (3, 90_000))
    text = "".join(",".join(map(str, row)) + ",1\n" for row in X.tolist())
    assert len(text) > 3 * (1 << 18)
    np.testing.assert_array_equal(read(write("a.csv", text)).X, X.astype(np.float32))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "the file is empty"),
        ("\n\n", {}, "the file is empty"),
        ("a,b,c\n", {}, "no rows of data"),
        ("a,b\n1,x\n2,y\n3\n", {}, "line 4: 1 field, where the first row has 2"),
        ("a,b\n1,x\n2,y,z\n", {}, "line 3: 3 fields, where the first row has 2"),
        ("a,b,c\n1,2,x\n1,oops,y\n", {}, "line 3, column 'b': 'oops' is not a number"),
        ("a,b,c\n1,,x\n", {}, "line 2, column 'b': '' is not a number .*fills missing values"),
        ("a,b,c\n1,2,x\n1,nan,y\n", {}, "line 3, column 'b': nan where a finite float32"),
        ("a,b,c\n1,2,x\n1,1e39,y\n", {}, "line 3, column 'b': inf where a finite float32"),
        ("a,b,c\n1,2,x\n1,2,\n", {}, "line 3, column 'c': the label is empty"),
        ("k,a,b\nx,1,2\ny,3,?\n", {"label_column": "k"}, r"line 3, column 'b': '\?' is not"),
        ("a,b,c\n1,2,x\n", {"label_column": "d"}, "no column 'd' in its first row: a, b, c"),
        ("a,b,c\n1,2,x\n", {"label_column": "3"}, "no column 3: positions go from 0 to 2"),
        ("a,b,c\n1,2,x\n", {"label_column": "-4"}, "no column -4"),
        ("a b\n1 x\n", {}, "one column only .*--delimiter"),
        (b"a,b\n1,\xe9\n", {}, "not UTF-8 text .byte 0xe9"),
    ],
)
def test_csv_mistakes_name_line_and_column(write, text, options, message):
    path = write("a.csv", text)
    with pytest.raises(ValueError, match=message) as caught:
        read(path, csv=CsvOptions(**options))
    assert str(path) in str(caught.value)


def test_csv_overflow_of_a_sum_is_no_mistake(write):
    text = "1.5e308,1.5e308,x\n1,2,y\n"
    assert read(write("a.csv", text), dtype="float64").X[0, 0] == 1.5e308


def test_csv_feature_count_is_checked_before_parsing(write):
    path = write("iris.csv", IRIS)
    with pytest.raises(ValueError, match=r"3 columns, where the model takes 2; .*--label-column"):
        read(path, csv=CsvOptions(None), n_features=2, labelled=False)
    with pytest.raises(ValueError, match=r"2 features besides the label in column 'species', wh"):
        read(path, n_features=5)
