"""Tests that are skipped all at once, for the reason in the variable REASON."""

import os

import pytest

pytest.skip(os.environ["REASON"], allow_module_level=True)
