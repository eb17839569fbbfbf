"""The types in a fitted classifier that a reader of its skops file must trust.

docs/ecosystem.md shows the same list: `test_table.py` compares them.
"""

TRUSTED = [
    "sigmax.classifier.SigmaxClassifier",
    "sigmax.network.Network",
]
