"""The handwritten digits of the package, which `sigmax demo` learns.

They are the 1,797 images of the test part of "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49), which is licensed under CC BY 4.0; digits.txt says more.
"""

from __future__ import annotations

import io
from importlib import resources

import numpy as np
from numpy.typing import NDArray


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the handwritten digits of the package: X (1797, 64) in 0..1, y (1797,) in 0..9.

    A row is an image of 8 by 8 pixels, its counts of 0 to 16 divided by 16. Source: "Optical
    Recognition of Handwritten Digits", UCI, CC BY 4.0, https://doi.org/10.24432/C50P49.

    Examples
    --------
    >>> X, y = load_digits()
    >>> X.shape, X.dtype, int(y[0])
    ((1797, 64), dtype('float32'), 0)
    """
    packed = resources.files(__package__).joinpath("digits.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        pixels, labels = arrays["pixels"], arrays["labels"]
    X = np.empty(pixels.T.shape, np.float32)
    X[np.argsort(labels, kind="stable")] = pixels.T  # like images lie together there: digits.txt
    X /= 16
    return X, labels.astype(np.int64)
