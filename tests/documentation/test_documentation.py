"""The examples of README, docs/ and the docstrings do what they say."""

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
    if "import threadpoolctl" in test.docstring:
        pytest.importorskip("threadpoolctl")
    test.globs |= {"sigmax": sigmax, "np": np}
    runner, written = Runner(Checker(), optionflags=FLAGS), []
    with contextlib.suppress(OwnData):
        runner.run(test, out=written.append)
    assert not written, "".join(written)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# what the networks and models of a page's examples must reach
ACCURACY = {"README.md": {"network": 0.95}, "training.md": {"network": 0.95, "model": 0.98}}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if not page.is_file():
        pytest.skip("the tests stand alone")
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert blocks or page.name not in ACCURACY
    if any("SigmaxClassifier" in block for block in blocks):
        pytest.importorskip("sklearn")
    if any("import skops" in block for block in blocks):
        pytest.importorskip("skops")
    if any(".plot(" in block for block in blocks):
        pytest.importorskip("matplotlib").use("Agg")
    for block in blocks:
        exec(block, names)
    for name, least in ACCURACY.get(page.name, {}).items():
        model = names[name]
        accuracy = getattr(model, "accuracy", None) or model.score
        assert accuracy(names["X"], names["y"]) > least, name
