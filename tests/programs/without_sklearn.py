"""SigmaxClassifier where scikit-learn cannot be imported: ends with its ImportError."""

import sys

sys.modules["sklearn"] = None

import sigmax  # noqa: E402

sigmax.Network([2, 2])
print(sigmax.SigmaxClassifier)
