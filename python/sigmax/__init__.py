"""Neural networks with sigmoid hidden layers and softmax output, trained by backpropagation in C.

Examples
--------
>>> import sigmax
>>> network = sigmax.Network([784, 30, 10], seed=0)
>>> history = network.fit(X, y, epochs=10)
>>> network.predict(X)
"""

from typing import TYPE_CHECKING, Any

from sigmax._errors import DivergedError, FileFormatError, SigmaxError, TrainingWarning
from sigmax._instruction_sets import instruction_sets
from sigmax.calibration import Calibration
from sigmax.config import (
    get_num_threads,
    num_threads,
    set_num_threads,
    show_config,
)
from sigmax.functions import (
    cross_entropy,
    output_delta,
    sigmoid,
    sigmoid_prime,
    softmax,
    softmax_jacobian,
)
from sigmax.gradient import Backprop
from sigmax.history import History
from sigmax.network import Network
from sigmax.options import FitOptions
from sigmax.preparation import Preparation

if TYPE_CHECKING:
    from sigmax.classifier import SigmaxClassifier as SigmaxClassifier

__all__ = [
    "Backprop",
    "Calibration",
    "DivergedError",
    "FileFormatError",
    "FitOptions",
    "History",
    "Network",
    "Preparation",
    "SigmaxError",
    "TrainingWarning",
    "cross_entropy",
    "get_num_threads",
    "instruction_sets",
    "num_threads",
    "output_delta",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "sigmoid_prime",
    "softmax",
    "softmax_jacobian",
]


def __dir__() -> list[str]:
    return [*globals(), "SigmaxClassifier", "__version__"]


def __getattr__(name: str) -> Any:
    # the version stands in pyproject.toml alone, and looking it up takes longer than the import
    if name == "__version__":
        from sigmax.config import version

        return version()
    # not in __all__, since it imports scikit-learn, which need not be there
    if name == "SigmaxClassifier":
        from sigmax.classifier import SigmaxClassifier

        return SigmaxClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
