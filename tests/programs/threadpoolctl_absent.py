"""Prints, as JSON, what the error says when threadpoolctl cannot be found."""

import json
import sys

import sigmax  # noqa: F401  (before threadpoolctl)


class Hides:
    def find_spec(self, name, path=None, target=None):
        if name == "threadpoolctl":
            raise ModuleNotFoundError(name)


sys.meta_path.insert(1, Hides())
try:
    import threadpoolctl  # noqa: F401
except ModuleNotFoundError as error:
    print(json.dumps(str(error)))
