"""Ensembles that fold into one network, beside single networks and beside forests.

``python bench/fold.py --output bench/FOLD.md`` trains every contender on every table, on the same
rows, three splits each, and writes that page: accuracy and log-loss on held-out rows, and seconds
of `fit`. The digits and the breast cancer come with scikit-learn; ``--tables FOLDER`` adds each
.csv file of a folder (the class in the last column, a header or none, such as UCI's letter and
pendigits), ``--mnist FILE`` MNIST, with networks of 100 neurons. ``--splits 1 --data digits`` is a
first look.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sigmax
from record import versions
from sigmax import SigmaxClassifier
from sigmax._bench.tables import machine, table
from sigmax._bench.workloads import load_mnist
from sigmax._formats.csv_file import CsvOptions
from sigmax._formats.dataset import read
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

EPOCHS = 60
OURS = {
    "learning_rate_init": 0.01,
    "batch_size": 64,
    "max_iter": EPOCHS,
    "early_stopping": True,
    "n_iter_no_change": 15,
    "standardize": True,
    "alpha": 1e-4,
}
LONGER = {"max_iter": 5 * EPOCHS, "n_iter_no_change": 5 * EPOCHS}


class Rows(NamedTuple):
    """A table, divided."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


class Result(NamedTuple):
    """What one contender reached on one split; honest is its own estimate of its accuracy."""

    accuracy: float
    log_loss: float
    seconds: float
    honest: float


# ---- tables --------------------------------------------------------------------------------------


def of_scikit_learn(load: Callable[..., Any]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def loaded() -> tuple[np.ndarray, np.ndarray]:
        X, y = load(return_X_y=True)
        return X.astype(np.float32), y

    return loaded


def of_file(path: Path) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def loaded() -> tuple[np.ndarray, np.ndarray]:
        found = read(str(path), None, csv=CsvOptions("-1", None, None, None, (), False))
        return found.X, np.unique(found.labels, return_inverse=True)[1]

    return loaded


def splits(X: np.ndarray, y: np.ndarray, n: int) -> Iterator[tuple[int, Rows]]:
    for seed in range(n):
        train, test = train_test_split(
            np.arange(len(X)), test_size=0.25, stratify=y, random_state=seed
        )
        yield seed, Rows(X[train], y[train], X[test], y[test])


# ---- contenders ----------------------------------------------------------------------------------


def contenders(width: int, threads: int) -> dict[str, Callable[[int], Any]]:
    """Return by name what makes an estimator for a seed."""

    def ours(**settings: Any) -> Callable[[int], Any]:
        return lambda seed: SigmaxClassifier(**{**OURS, **settings}, random_state=seed)

    one = {"hidden_layer_sizes": (width,)}
    found = {"one network": ours(**one)}
    found |= {f"{n} networks, folded": ours(**one, n_networks=n) for n in (3, 5, 9)}
    found["one network, 5 times as wide"] = ours(hidden_layer_sizes=(5 * width,))
    found["one network, 5 times the epochs"] = ours(**one, **LONGER)
    found["HistGradientBoosting"] = lambda seed: HistGradientBoostingClassifier(random_state=seed)
    found["RandomForest"] = lambda seed: RandomForestClassifier(
        300, random_state=seed, n_jobs=threads
    )
    return found


def measured(estimator: Any, rows: Rows) -> Result:
    start = time.perf_counter()
    estimator.fit(rows.X, rows.y)
    seconds = time.perf_counter() - start
    probabilities = estimator.predict_proba(rows.X_test).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Result(
        float(np.mean(estimator.classes_[probabilities.argmax(axis=1)] == rows.y_test)),
        log_loss(rows.y_test, probabilities, labels=estimator.classes_),
        seconds,
        getattr(estimator, "oof_score_", np.nan),
    )


def line(table_name: str, contender: str, results: list[Result]) -> list[str]:
    def spread(values: np.ndarray, form: str) -> str:
        deviation = f" ± {values.std(ddof=1):{form}}" if len(values) > 1 else ""
        return f"{values.mean():{form}}{deviation}"

    accuracy, cost, seconds, honest = np.array(results).T
    return [
        table_name,
        contender,
        spread(100 * accuracy, ".2f"),
        spread(cost, ".4f"),
        f"{np.median(seconds):.2f}",
        "" if np.isnan(honest).any() else spread(100 * honest, ".2f"),
    ]


HEADINGS = ["table", "contender", "accuracy, %", "log-loss", "s per fit", "its own estimate, %"]


def markdown(lines: list[list[str]], n_splits: int, threads: int) -> str:
    about = [
        "# Ensembles that fold into one network",
        "",
        "Accuracy and log-loss on held-out rows (a quarter of the table; MNIST: its test images), "
        f"mean and standard deviation of {n_splits} splits, and the median seconds of `fit` on "
        f"{threads} thread{'s' * (threads > 1)}. "
        "Its own estimate is `oof_score_`, from the training rows alone. A network is a "
        "`SigmaxClassifier` of one hidden layer of 256 neurons (MNIST: 100) with "
        + ", ".join(f"{name}={value!r}" for name, value in OURS.items())
        + "; the wide one has 5 times the neurons, the one with 5 times the epochs "
        + ", ".join(f"{name}={value!r}" for name, value in LONGER.items())
        + ". All contenders are limited to these threads. The forests have scikit-learn's "
        "defaults, but for 300 trees.",
        "",
        *(f"- {name}: {value}" for name, value in machine().items()),
        *(f"- {name} {version}" for name, version in versions().items()),
        f"- {time.strftime('%Y-%m-%d')}; `python bench/fold.py --output bench/FOLD.md`",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|" + " --- |" * len(HEADINGS),
        *("| " + " | ".join(cells) + " |" for cells in lines),
    ]
    return "\n".join(about) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--data", nargs="+", help="only these tables")
    parser.add_argument("--tables", metavar="FOLDER", help="a folder of further .csv files")
    parser.add_argument("--mnist", default=os.environ.get("SIGMAX_MNIST"), metavar="FILE_OR_FOLDER")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="a page to write, such as bench/FOLD.md")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    tables = {
        "digits": of_scikit_learn(load_digits),
        "breast cancer": of_scikit_learn(load_breast_cancer),
    }
    if arguments.tables:
        tables |= {
            path.stem: of_file(path) for path in sorted(Path(arguments.tables).glob("*.csv"))
        }
    known = [*tables, *["MNIST"] * bool(arguments.mnist)]
    for name in arguments.data or ():
        if name not in known:
            parser.error(f"--data {name!r}: expected some of {', '.join(known)}")
    sigmax.set_num_threads(arguments.threads)
    sigmax.register_threadpoolctl()
    with threadpool_limits(arguments.threads):  # of BLAS and OpenMP, too
        results = run_all(tables, arguments)
    lines = [line(*of, found) for of, found in results.items()]
    print(table(HEADINGS, lines))
    if arguments.output is not None:
        text = markdown(lines, arguments.splits, arguments.threads)
        arguments.output.write_text(text, encoding="utf-8")


def run_all(
    tables: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]], arguments: argparse.Namespace
) -> dict[tuple[str, str], list[Result]]:
    """Return the results by table and contender."""
    results: dict[tuple[str, str], list[Result]] = {}

    def run(name: str, width: int, seed: int, rows: Rows) -> None:
        for contender, make in contenders(width, arguments.threads).items():
            result = measured(make(seed), rows)
            results.setdefault((name, contender), []).append(result)
            print(f"{name}, split {seed}, {contender}: {result}", flush=True)

    for name, load in tables.items():
        if not arguments.data or name in arguments.data:
            for seed, rows in splits(*load(), arguments.splits):
                run(name, 256, seed, rows)
    if arguments.mnist and (not arguments.data or "MNIST" in arguments.data):
        images = load_mnist(arguments.mnist)
        rows = Rows(*(images[key] for key in ("x_train", "y_train", "x_test", "y_test")))
        for seed in range(arguments.splits):
            run("MNIST", 100, seed, rows)
    return results


if __name__ == "__main__":
    main()
