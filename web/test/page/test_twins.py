"""The lines of source that the page shows: word for word, where it says."""

import shutil
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "web"))
import twins


@pytest.mark.parametrize("name", twins.all_twins())
def test_a_twin_stands_in_its_file_at_its_line(name):
    twin = twins.all_twins()[name]
    lines = (ROOT / twin.file).read_text().splitlines()[twin.line - 1 :]
    shown = twin.text.splitlines()
    assert [line.strip() for line in lines[: len(shown)]] == [line.strip() for line in shown]


def test_a_line_that_moves_to_another_function_is_missed(tmp_path):
    row = {"file": "csrc/engine/matmul_delta.h", "function": "store_delta"}
    line = "for (size_t j = 0; j < n; j++) out[j] = sum[j] * (a[j] * (1 - q * a[j]));"
    assert twins.cut_c(**row, first=line).text == line
    with pytest.raises(twins.TwinError, match=r"delta_tile\(\) .* should hold this line once"):
        twins.cut_c(row["file"], "delta_tile", line)
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc", ignore=shutil.ignore_patterns("*.so"))
    path = tmp_path / row["file"]
    path.write_text(path.read_text().replace("sum[j] * (a[j]", "sum[j] * 1 * (a[j]"))
    with pytest.raises(twins.TwinError, match="0 times"):
        twins.all_twins(root=tmp_path)


def test_a_function_that_is_renamed_is_missed():
    with pytest.raises(twins.TwinError, match=r"should define bp9\(\) once, but does so 0 times"):
        twins.cut_c("csrc/engine/backward.h", "bp9")
    with pytest.raises(twins.TwinError, match=r"no function bp9\(\)"):
        twins.cut_reference("bp9")


@pytest.mark.parametrize("length", [*range(30), 1000])
def test_bytes_are_embedded_and_found_again(open_page, length):
    build_page = pytest.importorskip("build_page")
    content = bytes((37 * i + length) % 256 for i in range(length))
    reader = open_page()
    found = reader.page.evaluate(
        """(text) => {
            const holder = document.createElement("p");
            holder.id = "holder";
            holder.textContent = text;
            document.body.append(holder);
            return [...embedded.bytesOf("holder")];
        }""",
        build_page.embedded(content),
    )
    assert bytes(found) == content


def test_the_page_is_the_one_that_its_sources_make():
    """All but the engine, which needs a compiler for WebAssembly; .ci/run makes that, too."""
    pytest.importorskip("latex2mathml")
    pytest.importorskip("minify_html")
    pytest.importorskip("zopfli")
    import build_page

    committed = ROOT / "docs" / "derivation.html"
    made = build_page.page(build_page.engine_of(committed))
    assert made == committed.read_text(encoding="utf-8"), (
        "the page is not that of its sources: "
        "python web/build_page.py docs/derivation.html --engine docs/derivation.html"
    )
    assert len(made.encode()) <= 200_000
