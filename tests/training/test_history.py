"""History: its series, its frame and its picture, and what is said where a package is missing."""

import sys

import numpy as np
import processes
import pytest
import sigmax
from helpers import random_data

SIZES = (4, 5, 3)


@pytest.fixture
def data(rng):
    X, y, _ = random_data(rng, 40, SIZES)
    return X, y


@pytest.fixture
def history(data):
    X, y = data
    return sigmax.Network(SIZES, seed=3).fit(
        X, y, epochs=4, X_val=X, y_val=y, early_stopping="cost", schedule="cosine"
    )


def test_every_series_has_a_value_per_epoch(history):
    for name in ("cost", "accuracy", "val_cost", "val_accuracy", "seconds", "learning_rate"):
        values = getattr(history, name)
        assert len(values) == 4 and all(type(value) is float for value in values), name
    assert history.epochs == 4
    assert repr(history).startswith("History(epochs=4, cost=") and "val_accuracy=0." in repr(
        history
    )


def test_histories_compare_and_print_when_empty():
    assert sigmax.History() == sigmax.History()
    assert repr(sigmax.History()) == "History(epochs=0)"
    assert sigmax.History(cost=[1.0]) != sigmax.History()


def test_to_frame(history, data):
    pandas = pytest.importorskip("pandas")
    frame = history.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.name == "epoch" and list(frame.index) == [0, 1, 2, 3]
    assert list(frame) == [
        "cost", "accuracy", "val_cost", "val_accuracy", "seconds", "learning_rate"
    ]  # fmt: skip
    for name in frame:
        assert frame[name].tolist() == getattr(history, name)
    without = sigmax.Network(SIZES, seed=3).fit(*data, epochs=2).to_frame()
    assert list(without) == ["cost", "accuracy", "seconds", "learning_rate"]
    assert len(sigmax.History().to_frame()) == 0


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_plot_draws_every_series(history, pyplot, tmp_path):
    figure = history.plot()
    cost, accuracy = figure.axes
    for axis, names in ((cost, ("cost", "val_cost")), (accuracy, ("accuracy", "val_accuracy"))):
        assert axis.get_xlabel() == "epoch" and axis.get_ylabel()
        drawn = [list(line.get_ydata()) for line in axis.lines[:2]]
        assert drawn == [getattr(history, name) for name in names]
        assert axis.lines[2].get_xdata()[0] == history.best_epoch
        assert [t.get_text() for t in axis.get_legend().get_texts()] == [
            "training", "validation", "best, kept"
        ]  # fmt: skip
    figure.savefig(tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 5000


def test_plot_draws_into_given_axes(history, data, pyplot):
    figure, axes = pyplot.subplots(2, 1)
    assert history.plot(axes) is figure
    assert len(axes[0].lines) == 3
    plain = sigmax.Network(SIZES, seed=3).fit(*data, epochs=2).plot()
    assert [len(axis.lines) for axis in plain.axes] == [1, 1]
    sigmax.History().plot()  # nothing to see, and no error
    for wrong in (axes[0], axes[:1]):
        with pytest.raises(TypeError, match=r"(?s)axes is .* expected two matplotlib Axes"):
            history.plot(wrong)


def test_plot_counts_epochs_in_whole_numbers(data, pyplot):
    figure = sigmax.Network(SIZES, seed=3).fit(*data, epochs=1).plot()
    figure.canvas.draw()
    for axis in figure.axes:
        assert [tick for tick in axis.get_xticks() if -0.05 < tick < 0.05] == [0.0]
        assert all(tick == round(tick) for tick in axis.get_xticks())


@pytest.mark.parametrize(
    ("method", "package", "extra"),
    [("plot", "matplotlib", "plot"), ("to_frame", "pandas", "pandas")],
)
def test_a_missing_package_is_asked_for_by_name(history, monkeypatch, method, package, extra):
    for name in list(sys.modules):
        if name.split(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails from now on
    with pytest.raises(ImportError, match=rf"needs {package}.*sigmax\[{extra}\]"):
        getattr(history, method)()


def test_training_imports_none_of_the_extras():
    assert processes.run("programs/extras_of_a_fit.py").split() == []


def test_history_is_plain_data(history):
    from dataclasses import asdict

    kept = asdict(history)
    assert sigmax.History(**kept) == history
    assert np.isfinite(kept["cost"]).all()
    assert all(isinstance(v, list) or v is None or isinstance(v, int | str) for v in kept.values())
