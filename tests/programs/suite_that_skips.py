"""A test that is skipped, for the reason in the variable REASON, and one that passes."""

import os

import pytest


def test_skipped():
    pytest.skip(os.environ["REASON"])


def test_good():
    pass
