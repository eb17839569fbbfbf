"""Makes the page: one HTML file that needs nothing else, no server, no network, no font.

    python web/build_page.py docs/derivation.html --engine web/build/sigmax.wasm

puts together the derivation (LaTeX in HTML, which becomes MathML here), the lines of C and of the
reference that `twins` cuts out of the sources, the style, the scripts of web/page/scripts joined
into one, the engine and the digits. --engine may also be a page made before: its engine is taken
over, so that a change of the text or of a twin needs no compiler for WebAssembly. Needs
latex2mathml, minify-html and zopfli.
"""

import argparse
import base64
import hashlib
import html
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import minify_html
import zopfli.gzip
from join_modules import joined
from latex2mathml.converter import convert
from twins import ROOT, Twin, all_twins, cut_reference

WEB = Path(__file__).resolve().parent
PAGE = WEB / "page"
DIGITS = ROOT / "python" / "sigmax" / "_command" / "digits.npz"
LARGEST = 200_000  # bytes


class PageError(ValueError):
    """The page cannot be made from these files."""


# ---- mathematics ---------------------------------------------------------------------------------


def mathml(latex: str, *, block: bool) -> str:
    """Return a formula in LaTeX as MathML, in as few characters as it needs."""
    tag = re.search(r"\\tag\{(.*?)\}", latex)
    source = re.sub(r"\\tag\{.*?\}", "", latex).strip()
    markup = convert(source, display="block" if block else "inline")
    tree = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"| display="inline"', "", markup))
    tidy(tree)
    markup = ElementTree.tostring(tree, encoding="unicode").replace(" />", "/>")
    markup = re.sub(r'(<math|<mtd|<mo) (\w+)="(\w+)">', r"\1 \2=\3>", markup)
    if not block:
        return markup
    label = f'<span class="tag">{tag[1]}</span>' if tag else ""
    return f"<div class=formula>{markup}{label}</div>"


# An <mi> of several letters is upright, so these are italic by themselves.
ITALIC = {ord("a") + i: 0x1D44E + i for i in range(26) if i != 7} | {
    ord("A") + i: 0x1D434 + i for i in range(26)
}


SANS_SERIF = {ord("A") + i: 0x1D5A0 + i for i in range(26)}


def tidy(element: ElementTree.Element) -> None:
    """Remove groups of one, and spaces around signs in indices; a prime joins its letter."""
    for i, child in enumerate(element):
        tidy(child)
        if child.get("mathvariant") == "sans-serif":  # an attribute that browsers give up
            child.text = (child.text or "").translate(SANS_SERIF)
            del child.attrib["mathvariant"]
        if child.tag == "mo" and child.get("stretchy") == "false":
            child.tag = "mi"  # what never stretches, in fewer characters
        if child.tag in ("mo", "mi"):  # what parentheses have without being told
            for name in ("stretchy", "fence", "form"):
                child.attrib.pop(name, None)
        if child.tag == "mrow" and len(child) == 1:
            element[i] = child[0]
    if element.tag == "math" and len(element) == 1 and element[0].tag == "mrow":
        element[:] = list(element[0])
    if element.tag in ("msub", "msup", "msubsup"):
        for script in element[1:]:
            for sign in script.iter("mo"):
                sign.tag = "mi"
                sign.attrib.clear()
            if script.tag == "mrow" and all(part.tag in ("mi", "mn") for part in script):
                letters = "".join(part.text or "" for part in script).translate(ITALIC)
                script.clear()
                script.tag, script.text = "mi", letters
        if element.tag == "msup" and element[1].text in ("\N{PRIME}", "\N{DOUBLE PRIME}"):
            element.tag, element[1].tag = "mrow", "mo"


def with_mathematics(text: str) -> str:
    r"""Replace \[...\] and \(...\) by MathML."""
    text = re.sub(r"\\\[(.*?)\\\]", lambda m: mathml(m[1], block=True), text, flags=re.DOTALL)
    return re.sub(r"\\\((.*?)\\\)", lambda m: mathml(m[1], block=False), text, flags=re.DOTALL)


# ---- twins ---------------------------------------------------------------------------------------


def figure_of(twin: Twin, name: str) -> str:
    """Return the figure of some lines of source: what they are, where they stand, the lines."""
    where = f"<b>{twin.file}:{twin.line}</b>"
    code = f"<pre>{html.escape(twin.text, quote=False)}</pre></figure>"
    if twin.file.endswith(".py"):
        return f"<figure class=py><figcaption>NumPy, {where}</figcaption>{code}"
    says = f"{html.escape(twin.says)}: <i>{twin.function}</i> in {where}"
    return f"<figure class=c id=c-{name}><figcaption>{says}</figcaption>{code}"


def numbers_of(name: str) -> str:
    """Return the place that the scripts fill with the numbers of one equation."""
    return f"<div class=numbers id=numbers-{name}></div>"


def widget(name: str) -> str:
    """Return the place that main.mjs fills with a widget, which is of no use without scripts."""
    if not (PAGE / "widgets" / f"{name}.html").is_file():
        raise PageError(f"web/page/widgets has no {name}.html")
    return f"<div data-widget={name}></div>"


def all_widgets() -> str:
    """Return what main.mjs calls WIDGETS: the HTML of each widget, by its name."""
    found = {
        path.stem: unquoted(path.read_text(encoding="utf-8").rstrip())
        for path in sorted((PAGE / "widgets").glob("*.html"))
    }
    return f"const WIDGETS = {json.dumps(found, ensure_ascii=False)};\n"


def with_directives(text: str, twins: dict[str, Twin]) -> str:
    """Replace {{twin x}}, {{reference f}}, {{numbers x}} and {{widget x}}.

    Raises
    ------
    PageError
        A twin is not in the table, or one in the table is nowhere shown.
    """
    shown = set()

    def replacement(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind == "twin":
            if name not in twins:
                raise PageError(f"twins.toml has no twin {name}")
            shown.add(name)
            return figure_of(twins[name], name)
        if kind == "reference":
            return figure_of(cut_reference(name), name)
        if kind == "numbers":
            return numbers_of(name)
        return widget(name)

    text = re.sub(r"\{\{(twin|reference|numbers|widget) ([\w-]+)\}\}", replacement, text)
    if unused := twins.keys() - shown:
        raise PageError(f"twins that the derivation does not show: {', '.join(sorted(unused))}")
    return text


# ---- the page ------------------------------------------------------------------------------------


def unquoted(markup: str) -> str:
    """Return HTML without the quotes that its attributes do not need."""
    return re.sub(r"""(?<= )([\w-]+)="([^\s"'=<>`/{}]+)"(?=[ >])""", r"\1=\2", markup)


COMMENT = re.compile(r"^\s*(/\*.*?\*/|//.*?)\n", re.DOTALL | re.MULTILINE)


def minified(source: str, tag: str) -> str:
    """Return a script or a style sheet in fewer characters, without comments on own lines."""
    source = COMMENT.sub("", source)
    start = "<script type=module>" if tag == "script" else f"<{tag}>"
    markup = minify_html.minify(f"{start}{source}</{tag}>", minify_js=True, minify_css=True)
    return markup.removeprefix(start).removesuffix(f"</{tag}>")


def policy(style: str, *scripts: str) -> str:
    """Return the Content-Security-Policy: this style, these scripts, WebAssembly, no more."""

    def sha(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; style-src {sha(style)}; "
        f"script-src {' '.join(map(sha, scripts))} 'wasm-unsafe-eval'; "
        "base-uri 'none'; form-action 'none'"
    )


# Printable ASCII but <, without which nothing in a <script> can end or change it.
DIGITS_91 = [chr(code) for code in range(33, 126) if chr(code) != "<"][:91]


def embedded(content: bytes) -> str:
    """Return bytes as text for a <script>: 2 characters for 13 bits, since 91 * 91 > 2**13.

    That is 1.23 characters for a byte, where base64 takes 1.33. At most 5 bits at the end are one
    character; more are filled up with zeros. loader.js does the reverse.
    """
    bits = "".join(f"{byte:08b}" for byte in content)
    rest = len(bits) % 13
    end = DIGITS_91[int(bits[-rest:], 2)] if 0 < rest <= 5 else ""
    bits = bits[:-rest] if end else bits + "0" * (-rest % 13)
    groups = (int(bits[i : i + 13], 2) for i in range(0, len(bits), 13))
    return "".join(DIGITS_91[group // 91] + DIGITS_91[group % 91] for group in groups) + end


def zipped(content: bytes) -> bytes:
    """Return bytes in gzip's form, by the slow search of zopfli: the same bytes each time."""
    return zopfli.gzip.compress(content)


def engine_of(path: Path) -> str:
    """Return the engine as the page embeds it: of a .wasm file or of a page made before."""
    if path.suffix == ".wasm":
        return embedded(zipped(path.read_bytes()))
    found = re.search(r'id="?engine"?[^>]*>([^\n]+?)</script>', path.read_text(encoding="utf-8"))
    if found is None:
        raise PageError(f"{path} holds no engine")
    return found[1]


def project_version() -> str:
    """Return the version of pyproject.toml."""
    found = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    if found is None:
        raise PageError("pyproject.toml has no version")
    return found[1]


def page(engine: str) -> str:
    """Return the whole page.

    Raises
    ------
    PageError, TwinError
        Its parts do not fit together.
    """
    text = "\n".join(
        unquoted((PAGE / name).read_text(encoding="utf-8"))
        for name in ("derivation.html", "experiments.html")
    )
    style = (PAGE / "style.css").read_text(encoding="utf-8")
    loader = minified((PAGE / "scripts" / "loader.js").read_text(encoding="utf-8"), "script")
    script = all_widgets() + joined(PAGE / "scripts" / "main.mjs")
    script, style = minified(script, "script"), minified(style, "style")
    parts = {
        "policy": policy(style, loader, script),
        "style": style,
        "network": widget("network"),
        "derivation": with_directives(with_mathematics(text), all_twins()),
        "version": project_version(),
        "engine": engine,
        "digits": embedded(DIGITS.read_bytes()),
        "scripts": embedded(zipped(script.encode())),
        "loader": loader,
    }
    skeleton = unquoted((PAGE / "page.html").read_text(encoding="utf-8"))
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], skeleton)


def main() -> None:
    """Make the page from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--engine", type=Path, required=True, help="a .wasm file, or a page made before"
    )
    arguments = parser.parse_args()
    made = page(engine_of(arguments.engine)).encode()
    if len(made) > LARGEST:
        raise PageError(f"the page has {len(made):,} bytes; at most {LARGEST:,} are wanted")
    arguments.out.write_bytes(made)
    print(f"{arguments.out}: {len(made):,} bytes")


if __name__ == "__main__":
    main()
