"""The examples of README and of the docstrings do what they say."""

import contextlib
import doctest
import importlib.util
import pkgutil
import re

import numpy as np
import pytest
import sigmax
from source_tree import ROOT

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = ["sigmax", *(m.name for m in pkgutil.walk_packages(sigmax.__path__, "sigmax."))]


class Checker(doctest.OutputChecker):
    """One that takes what is not shown for granted."""

    def check_output(self, want, got, optionflags):
        return not want or super().check_output(want, got, optionflags)


class OwnData(Exception):
    """An example uses data or a file of its reader."""


class Runner(doctest.DocTestRunner):
    """One that goes no further where an example needs what is not there."""

    def report_unexpected_exception(self, out, test, example, exc_info):
        if issubclass(exc_info[0], NameError | FileNotFoundError):
            raise OwnData
        super().report_unexpected_exception(out, test, example, exc_info)

    def report_failure(self, out, test, example, got):
        if re.search("^(NameError|FileNotFoundError): ", got, re.M):
            raise OwnData
        super().report_failure(out, test, example, got)


def examples():
    for name in MODULES:
        estimator = name.startswith(("sigmax._estimator", "sigmax.classifier"))
        if estimator and importlib.util.find_spec("sklearn") is None:
            continue
        for test in doctest.DocTestFinder().find(importlib.import_module(name)):
            for example in test.examples:
                if re.match(r"[\w.]+Error: ", example.want):  # shown by its last line alone
                    example.exc_msg = example.want
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("test", list(examples()))
def test_an_example_of_a_docstring(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "sklearn." in test.docstring:
        test.globs["sklearn"] = __import__("sklearn.datasets")
    test.globs |= {"sigmax": sigmax, "np": np}
    runner, written = Runner(Checker(), optionflags=FLAGS), []
    with contextlib.suppress(OwnData):
        runner.run(test, out=written.append)
    assert not written, "".join(written)


def test_the_examples_of_readme(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    readme = ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("the tests stand alone")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.S):
        exec(block, names)
    X, y = names["X"], names["y"]
    assert names["network"].accuracy(X, y) > 0.95
    assert names["model"].score(X, y) > 0.98
