"""One name replaced in a script: SigmaxClassifier against scikit-learn's MLPClassifier.

``python bench/classifier.py`` trains both with the same parameters, activation="logistic" among
them, on the same rows, ten seeds each, and prints the mean accuracy on held-out rows and the median
time of `fit`. The exit status is 1 when a mean
accuracy is more than one standard deviation (of MLPClassifier's, over the seeds) below
MLPClassifier's, or a time is not as many times shorter as it should be: 4 in float32, 2 in float64.
Both run in this process, in turn, pinned to one core.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import warnings

# before NumPy loads its BLAS, which would start a thread per core
os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

import numpy as np
from sigmax import SigmaxClassifier
from sigmax._bench.tables import machine, table
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

DATA = {"digits": load_digits, "breast_cancer": load_breast_cancer}
# MLPClassifier's defaults but for these and the activation, which is relu there. With its default
# rate of 0.001, sgd has not left the beginning after max_iter epochs; the second line of sgd is
# such a script all the same.
SETTINGS = {
    "adam": {"solver": "adam"},
    "sgd, rate 0.1": {"solver": "sgd", "learning_rate_init": 0.1},
    "sgd": {"solver": "sgd"},
}
FASTER = {"float32": 4.0, "float64": 2.0}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def rows_of(name: str, dtype: str, seed: int) -> list[np.ndarray]:
    """Return X and y to train on and to test on: a quarter is held out, columns are scaled."""
    X, y = DATA[name](return_X_y=True)
    train, test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=seed
    )
    scaler = StandardScaler().fit(train)
    return [
        scaler.transform(train).astype(dtype),
        y_train,
        scaler.transform(test).astype(dtype),
        y_test,
    ]


def compare(
    name: str, settings: dict, dtype: str, seeds: list[int], clock
) -> dict[str, np.ndarray]:
    """Return for each classifier (seeds, 3): accuracy, seconds of fit, epochs."""
    results = {classifier.__name__: [] for classifier in (SigmaxClassifier, MLPClassifier)}
    for seed in seeds:
        X, y, X_test, y_test = rows_of(name, dtype, seed)
        both = [SigmaxClassifier, MLPClassifier]
        for classifier in both if seed % 2 else reversed(both):
            estimator = classifier(activation="logistic", random_state=seed, **settings)
            start = clock()
            estimator.fit(X, y)
            seconds = clock() - start
            results[classifier.__name__].append(
                (estimator.score(X_test, y_test), seconds, estimator.n_iter_)
            )
    return {name: np.array(rows) for name, rows in results.items()}


def row_of(
    label: list[str], results: dict[str, np.ndarray], faster: float
) -> tuple[list[str], bool]:
    """Return a row of the table, and whether it reaches its goals."""
    ours, theirs = results["SigmaxClassifier"], results["MLPClassifier"]
    (accuracy, _, epochs), (mlp_accuracy, _, mlp_epochs) = ours.mean(axis=0), theirs.mean(axis=0)
    seconds, mlp_seconds = np.median(ours[:, 1]), np.median(theirs[:, 1])
    spread, mlp_spread = ours[:, 0].std(ddof=1), theirs[:, 0].std(ddof=1)
    as_good = accuracy >= mlp_accuracy - mlp_spread
    times = float(np.median(theirs[:, 1] / ours[:, 1]))
    fast = times >= faster
    row = [
        *label,
        f"{100 * accuracy:.2f} ± {100 * spread:.2f}",
        f"{100 * mlp_accuracy:.2f} ± {100 * mlp_spread:.2f}",
        "yes" if as_good else "NO",
        f"{seconds:.3f} ({epochs:.0f})",
        f"{mlp_seconds:.3f} ({mlp_epochs:.0f})",
        f"{times:.1f} ({'≥' if fast else '<'} {faster:.0f})",
    ]
    return row, bool(as_good and fast)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--dtypes", nargs="+", choices=FASTER, default=list(FASTER))
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu on a machine that others use too"
    )
    arguments = parser.parse_args()
    if len(arguments.seeds) < 2:
        parser.error("--seeds: expected at least two, for a deviation")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows, passed = [], True
    for name, setting, dtype in itertools.product(
        arguments.data, arguments.settings, arguments.dtypes
    ):
        results = compare(name, SETTINGS[setting], dtype, arguments.seeds, CLOCKS[arguments.clock])
        row, as_it_should_be = row_of([name, setting, dtype], results, FASTER[dtype])
        rows.append(row)
        passed &= as_it_should_be
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{len(arguments.seeds)} seeds, {arguments.clock} clock, one core")
    heads = ["data", "solver", "dtype", "accuracy, %", "MLPClassifier", "as good"]
    heads += ["s per fit (epochs)", "MLPClassifier", "times faster"]
    print(table(heads, rows))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
