"""Neural networks with sigmoid hidden layers and softmax output, trained by backpropagation in C.

Examples
--------
>>> import sigmax
>>> network = sigmax.Network([784, 30, 10], seed=0)
>>> history = network.fit(X, y, epochs=10)
>>> network.predict(X)
"""

from typing import TYPE_CHECKING, Any

from sigmax._boundary.build import instruction_sets, version, warn_if_stale
from sigmax._boundary.threadpoolctl import register_if_loaded, register_threadpoolctl
from sigmax._boundary.threads import get_num_threads, num_threads, set_num_threads
from sigmax._data.preparation import Preparation
from sigmax._model.calibration import Calibration
from sigmax._model.gradient import Backprop
from sigmax._training.history import History
from sigmax._training.options import FitOptions
from sigmax.config import show_config
from sigmax.equations import (
    cross_entropy,
    output_delta,
    sigmoid,
    sigmoid_prime,
    softmax,
    softmax_jacobian,
)
from sigmax.errors import DivergedError, FileFormatError, OptionError, SigmaxError, TrainingWarning
from sigmax.network import Network

if TYPE_CHECKING:
    from sigmax._ensemble.bagging import Bagged, bag
    from sigmax._ensemble.folding import fold
    from sigmax.classifier import SigmaxClassifier as SigmaxClassifier

__all__ = [
    "Backprop",
    "Bagged",
    "Calibration",
    "DivergedError",
    "FileFormatError",
    "FitOptions",
    "History",
    "Network",
    "OptionError",
    "Preparation",
    "SigmaxError",
    "TrainingWarning",
    "bag",
    "cross_entropy",
    "fold",
    "get_num_threads",
    "instruction_sets",
    "num_threads",
    "output_delta",
    "register_threadpoolctl",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "sigmoid_prime",
    "softmax",
    "softmax_jacobian",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "SigmaxClassifier", "__version__"})


def __getattr__(name: str) -> Any:
    # the version stands in pyproject.toml alone, and looking it up takes longer than the import
    if name == "__version__":
        return version()
    # at the first use, since few programs need them
    if name == "fold":
        from sigmax._ensemble.folding import fold

        return fold
    if name in ("Bagged", "bag"):
        from sigmax._ensemble import bagging

        return getattr(bagging, name)
    # not in __all__, since it imports scikit-learn, which need not be there
    if name == "SigmaxClassifier":
        from sigmax.classifier import SigmaxClassifier

        return SigmaxClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# What an import does beyond defining: it warns of a stale build, and registers the worker pool
# where threadpoolctl is loaded.
warn_if_stale()
register_if_loaded()
