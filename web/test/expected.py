"""What the Python package computes, for the tests in Node: ``python expected.py folder``.

For each case of fits.json the folder gets case-N.npz: data, and every result before and after two
calls of fit; model-N.npz, the model file; and facts.json. Run it with SIGMAX_ISA=baseline.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from pathlib import Path

import numpy as np
import sigmax
from sigmax import files
from sigmax._training.options import _LEARNING_RATES, DEFAULTS, FitOptions

HERE = Path(__file__).resolve().parent


def snake(name: str) -> str:
    """The name of an option in Python."""
    return {"rate": "learning_rate"}.get(name) or re.sub("([A-Z])", r"_\1", name).lower()


def results(network: sigmax.Network, X: np.ndarray, y: np.ndarray) -> dict[str, object]:
    """What a network makes of the rows, by the names that the tests use."""
    backward = network.backprop(X, y)
    layers = {
        "weightedInputs": network.weighted_inputs(X),
        "activations": network.activations(X)[1:],
        "deltas": backward.deltas,
        "nablaWeights": backward.nabla_w,
        "nablaBiases": backward.nabla_b,
        "weights": network.weights,
        "biases": network.biases,
    }
    found = {
        f"{name}{i}": array.copy()  # what is a view changes later
        for name, arrays in layers.items()
        for i, array in enumerate(arrays)
    }
    return found | {
        "parameters": network.parameters.copy(),
        "proba": network.predict_proba(X),
        "labels": network.predict(X),
        "cost": network.cost(X, y),
        "accuracy": network.accuracy(X, y),
        "backpropCost": backward.cost,
    }


def write_case(folder: Path, number: int, case: dict) -> None:
    """Trains as the case says."""
    rng = np.random.default_rng(number)
    sizes, dtype = case["sizes"], case.get("dtype", "float32")
    X = rng.normal(size=(case["rows"], sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], case["rows"])
    seed = int(case.get("seed", 0))
    network = sigmax.Network(sizes, dtype=dtype, seed=seed, init=case.get("init", "lecun"))
    arrays: dict[str, object] = {"X": X, "y": y}
    arrays |= {f"before/{name}": value for name, value in results(network, X, y).items()}
    step = network.copy()
    step.partial_fit(X, y, batch_size=len(X), shuffle=False, learning_rate=0.25, l2=0.01)
    arrays["step"] = step.parameters
    options = {snake(name): value for name, value in case["fit"].items()}
    for call in range(2):
        history = network.fit(X, y, **options)
        arrays[f"history{call}/cost"], arrays[f"history{call}/accuracy"] = (
            history.cost,
            history.accuracy,
        )
    arrays |= {f"after/{name}": value for name, value in results(network, X, y).items()}
    np.savez_compressed(folder / f"case-{number}.npz", **arrays)
    network.save(folder / f"model-{number}.npz")


def write_prepared(folder: Path) -> None:
    """A model file with everything that one can hold, and what the model makes of data with NaN."""
    rng = np.random.default_rng(50)
    X, y = rng.normal(3, 5, (60, 4)), rng.integers(0, 3, 60)
    X[rng.random(X.shape) < 0.1] = np.nan
    network = sigmax.Network([4, 6, 3], seed=9)
    network.fit(X, y, epochs=2, standardize=True, nan="mean")
    network.calibrate(X, y)
    names = ["Äpfel", "b", "\N{GRINNING FACE}"]
    files.save(folder / "prepared.npz", network, class_names=names, class_kind="str")
    arrays = {"X": X, "y": y, "proba": network.predict_proba(X), "z": network.weighted_inputs(X)[0]}
    network.fit(X, y, epochs=1)
    np.savez(folder / "prepared-results.npz", **arrays, parameters=network.parameters)


class Frame:
    """Columns with names, as the package takes data frames: it needs these two."""

    def __init__(self, names: list[str], values: np.ndarray) -> None:
        self.columns = names
        self.values = values

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype)


def write_named(folder: Path) -> None:
    """A model file of version 2: it was fitted on columns that have names."""
    rng = np.random.default_rng(52)
    X, y = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 2, 40)
    network = sigmax.Network([3, 4, 2], seed=3)
    network.fit(Frame(["Länge", "b", "c"], X), y, epochs=1)
    network.save(folder / "named.npz")
    np.savez(folder / "named-results.npz", X=X, proba=network.predict_proba(X))


def write_equations(folder: Path) -> None:
    """The equations by themselves."""
    rng = np.random.default_rng(51)
    arrays = {}
    for dtype in ("float32", "float64"):
        z = rng.normal(0, 4, (6, 5)).astype(dtype)
        y = np.eye(5, dtype=dtype)[rng.integers(0, 5, 6)]
        arrays |= {
            f"{dtype}/z": z,
            f"{dtype}/y": y,
            f"{dtype}/sigmoid": sigmax.sigmoid(z),
            f"{dtype}/sigmoidPrime": sigmax.sigmoid_prime(z),
            f"{dtype}/softmax": sigmax.softmax(z),
            f"{dtype}/softmaxJacobian": sigmax.softmax_jacobian(z[0]),
            f"{dtype}/crossEntropy": sigmax.cross_entropy(z, y),
            f"{dtype}/outputDelta": sigmax.output_delta(z, y),
        }
    np.savez(folder / "equations.npz", **arrays)


def write_kinds(folder: Path) -> None:
    """Arrays of every type, in both orders, stored and packed."""
    arrays = {
        "f4": np.array([1.5, -2.5], "<f4"),
        "f8": np.array(0.1),
        "bool": np.array([True, False]),
        **{
            f"{kind}{size}": np.arange(3, dtype=f"<{kind}{size}")
            for kind in "iu"
            for size in (1, 2, 4, 8)
        },
        "text": np.array(["ab", "c\0d", ""]),
        "fortran": np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
        "empty": np.empty((0, 3)),
    }
    np.savez(folder / "kinds.npz", **arrays)
    np.savez_compressed(folder / "kinds-packed.npz", **arrays)


def main() -> None:
    """Write everything."""
    folder = Path(sys.argv[1])
    for number, case in enumerate(json.loads((HERE / "fits.json").read_text())):
        write_case(folder, number, case)
    write_prepared(folder)
    write_named(folder)
    write_equations(folder)
    write_kinds(folder)
    facts = {
        "exact": platform.machine().lower() in ("x86_64", "amd64"),  # elsewhere baseline is another
        "version": sigmax.__version__,
        "defaults": {n: v for n, v in DEFAULTS.items() if isinstance(v, int | float | str | None)},
        "rates": _LEARNING_RATES,
        "decay": FitOptions(optimizer="adamw").decay,
    }
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
