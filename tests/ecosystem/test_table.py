"""docs/ecosystem.md names the packages that are tried, and the types that are to be trusted."""

import re
from pathlib import Path

import pytest
from source_tree import ROOT
from trusted import TRUSTED

PAGE = ROOT / "docs" / "ecosystem.md"
if not PAGE.is_file():
    pytest.skip("the tests stand alone", allow_module_level=True)


def test_the_table_has_the_packages_of_the_requirements():
    lines = Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").splitlines()
    required = [re.match(r"[\w-]+", line).group() for line in lines if not line.startswith("#")]
    section = PAGE.read_text(encoding="utf-8").split("## Packages")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([\w-]+) \| (\d+(?:\.\d+)+) \|", section, re.M)
    assert [name for name, _ in rows] == required


def test_the_list_of_trusted_types():
    block = re.search(r"^TRUSTED = \[\n(.*?)^\]", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert re.findall(r'"([\w.]+)"', block.group(1)) == TRUSTED
