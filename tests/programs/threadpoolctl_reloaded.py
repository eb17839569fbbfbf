"""Prints the loaders of threadpoolctl, and whether its source can be read, as JSON."""

import importlib
import inspect
import json

import sigmax  # noqa: F401  (before threadpoolctl)
import threadpoolctl

importlib.reload(threadpoolctl)
loaders = threadpoolctl.__loader__, threadpoolctl.__spec__.loader
names = [type(loader).__name__ for loader in loaders]
print(json.dumps([*names, "def register" in inspect.getsource(threadpoolctl)]))
