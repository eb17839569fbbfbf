"""The types in a fitted classifier that a reader of its skops file must trust.

docs/ecosystem.md shows the same list: `test_table.py` compares them.
"""

TRUSTED = [
    "sigmax._estimator.convergence.Convergence",
    "sigmax._estimator.convergence.Rules",
    "sigmax.classifier.SigmaxClassifier",
    "sigmax.network.Network",
]
