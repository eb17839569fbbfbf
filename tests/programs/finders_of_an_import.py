"""Prints, as JSON, whether an import leaves sys.meta_path alone, and loads threadpoolctl."""

import json
import sys

import numpy  # noqa: F401

before = list(sys.meta_path)

import sigmax  # noqa: E402, F401

print(json.dumps([sys.meta_path == before, "threadpoolctl" in sys.modules]))
