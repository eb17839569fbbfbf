"""Makes the page: one HTML file that needs nothing else, no server, no network, no font.

    python web/build_page.py docs/derivation.html --engine web/build/sigmax.wasm

puts together the derivation (LaTeX in HTML, which becomes MathML here), the lines of C and of the reference that
`twins` cuts out of the sources, the style, the scripts of web/page/scripts joined into one, the engine and the
digits. --engine may also be a page made before: its engine is taken over, so that a change of the text or of a
twin needs no compiler for WebAssembly. Needs latex2mathml.
"""

import argparse
import base64
import hashlib
import html
import re
from pathlib import Path

from twins import ROOT, Twin, all_twins, cut_reference

WEB = Path(__file__).resolve().parent
PAGE = WEB / "page"
DIGITS = ROOT / "python" / "sigmax" / "_command" / "digits.npz"
LARGEST = 400_000  # bytes


class PageError(ValueError):
    """The page cannot be made from these files."""


# ---- mathematics -------------------------------------------------------------------------------------------------


def mathml(latex: str, *, block: bool) -> str:
    """Return a formula in LaTeX as MathML, in as few characters as it needs."""
    from latex2mathml.converter import convert

    tag = re.search(r"\\tag\{(.*?)\}", latex)
    source = re.sub(r"\\tag\{.*?\}|\\Bigl|\\Bigr", "", latex).strip()
    markup = html.unescape(convert(source, display="block" if block else "inline"))
    markup = markup.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    markup = markup.replace(' display="inline"', "").replace(" />", "/>")
    markup = re.sub(r"<mrow>(<m[ion]>[^<]*</m[ion]>)</mrow>", r"\1", markup)
    markup = re.sub(r"<(mo|mi|mn)([^>]*)>([<&])</\1>", lambda m: _escaped(*m.groups()), markup)
    markup = re.sub(r"^(<math[^>]*>)<mrow>(.*)</mrow></math>$", r"\1\2</math>", markup)
    if not block:
        return markup
    label = f'<span class="tag">{tag[1]}</span>' if tag else ""
    return f'<div class="formula">{markup}{label}</div>'


def _escaped(name: str, attributes: str, character: str) -> str:
    return f"<{name}{attributes}>{html.escape(character)}</{name}>"


def with_mathematics(text: str) -> str:
    r"""Replace \[...\] and \(...\) by MathML."""
    text = re.sub(r"\\\[(.*?)\\\]", lambda m: mathml(m[1], block=True), text, flags=re.DOTALL)
    return re.sub(r"\\\((.*?)\\\)", lambda m: mathml(m[1], block=False), text, flags=re.DOTALL)


# ---- twins -------------------------------------------------------------------------------------------------------


def figure_of(twin: Twin, name: str) -> str:
    """Return the figure of some lines of source: what they are, where they stand, the lines."""
    reference = twin.file.endswith(".py")
    says = f"{html.escape(twin.says)}: " if twin.says else "In NumPy, the reference: "
    where = f"{twin.file}:{twin.line}"
    language = "reference" if reference else "c"
    return (
        f'<figure class="twin {language}" id="{"reference" if reference else "twin"}-{name}">'
        f"<figcaption>{says}<code>{twin.function}</code> in "
        f'<span class="where">{where}</span></figcaption>'
        '<pre class="code"><code>'
        f"{html.escape(twin.text, quote=False)}</code></pre></figure>"
    )


def numbers_of(name: str) -> str:
    """Return the place that the scripts fill with the numbers of one equation."""
    return f'<div class="numbers" id="numbers-{name}"></div>'


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
        return (PAGE / "widgets" / f"{name}.html").read_text(encoding="utf-8").rstrip()

    text = re.sub(r"\{\{(twin|reference|numbers|widget) ([\w-]+)\}\}", replacement, text)
    if unused := twins.keys() - shown:
        raise PageError(f"twins that the derivation does not show: {', '.join(sorted(unused))}")
    return text


# ---- scripts -----------------------------------------------------------------------------------------------------

IMPORT = re.compile(r'^import \{([^}]*)\} from "(.+?)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async function|function|const|class) (\w+)(.*))", re.MULTILINE)
EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)


def joined_scripts(main: Path) -> str:
    """Return a module and all that it imports as one script: each file once, after those that it needs.

    Each file becomes a function that returns what it exports, so that the names within files cannot clash. Imports
    are `import { a, b as c } from "./file.mjs";`, exports stand before a declaration or in a list in braces.

    Raises
    ------
    PageError
        A file imports or exports in another form, or two files import each other.
    """
    scripts: dict[Path, str] = {}
    exported: dict[Path, list[str]] = {}
    under_way: list[Path] = []

    def take(path: Path) -> None:
        if path in under_way:
            raise PageError(f"{path.name} imports itself, by way of others")
        if path in scripts:
            return
        under_way.append(path)
        source = path.read_text(encoding="utf-8")
        for names, needed in IMPORT.findall(source):
            other = (path.parent / needed).resolve()
            take(other)
            if unknown := {name.split()[0] for name in listed(names)} - set(exported[other]):
                raise PageError(f"{path.name} imports {unknown} of {needed}, which does not export that")
        under_way.pop()
        exported[path] = exports_of(source)
        body = IMPORT.sub(lambda match: import_of(path, *match.groups()), source)
        body = EXPORT_LIST.sub("", EXPORT.sub("", body))
        if left := re.search(r"^(import|export)\b.*", body, re.MULTILINE):
            raise PageError(f"{path.name}: not a form of import or export that is joined: {left[0]}")
        scripts[path] = (
            f"const {variable(path)} = (() => {{\n{without_comments(body)}\nreturn {{ {', '.join(exported[path])} }};\n}})();"
        )

    take(main.resolve())
    return "\n".join(scripts.values())


def exports_of(source: str) -> list[str]:
    """Return the names that a script exports; `export const A = 1, B = 2;` on one line are two."""
    names = [name for group in EXPORT_LIST.findall(source) for name in listed(group)]
    for first, rest in EXPORT.findall(source):
        names += [first, *re.findall(r", (\w+) = ", rest if rest.startswith(" = ") else "")]
    return names


def listed(names: str) -> list[str]:
    """Return the names of a list in braces."""
    return [name.strip() for name in names.split(",") if name.strip()]


def variable(path: Path) -> str:
    """Return the name of what a file exports."""
    return "module_" + re.sub(r"\W", "_", path.stem)


def import_of(path: Path, names: str, needed: str) -> str:
    """Return the line that takes the place of an import."""
    taken = ", ".join(name.replace(" as ", ": ") for name in listed(names))
    return f"const {{ {taken} }} = {variable(path.parent / needed)};\n"


def without_comments(source: str) -> str:
    """Return a script without comments that fill whole lines, empty lines and, if it has no template, indentation."""
    source = re.sub(r"^\s*/\*.*?\*/\s*?\n", "", source, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("//")]
    return "\n".join(line.strip() for line in lines)


# ---- the page ----------------------------------------------------------------------------------------------------


def without_layout(style: str) -> str:
    """Return a style sheet without comments, indentation and the ends of lines."""
    return re.sub(r"/\*.*?\*/|\n\s*", "", style, flags=re.DOTALL)


def policy(style: str, *scripts: str) -> str:
    """Return the Content-Security-Policy: this style, these scripts, WebAssembly, and nothing else."""

    def sha(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; style-src {sha(style)}; "
        f"script-src {' '.join(map(sha, scripts))} 'wasm-unsafe-eval'; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(content: bytes) -> str:
    """Return bytes as text for a <script>: base 85, which takes 5 characters where base64 takes 5.33."""
    text = base64.b85encode(content).decode()
    if "<!--" in text:  # the one thing that could end or change the element; it holds no slash
        raise PageError("the text of embedded bytes has <!-- in it: change the bytes")
    return text


def zipped(content: bytes) -> bytes:
    """Return bytes in gzip's form, by the slow search of zopfli: the same bytes each time."""
    import zopfli.gzip

    return zopfli.gzip.compress(content)


def engine_of(path: Path) -> str:
    """Return the engine as the page embeds it: of a .wasm file, or the one in a page made before."""
    if path.suffix == ".wasm":
        return embedded(zipped(path.read_bytes()))
    found = re.search(r'id="engine">([^\n]+)</script>', path.read_text(encoding="utf-8"))
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
    text = "\n".join((PAGE / name).read_text(encoding="utf-8") for name in ("derivation.html", "experiments.html"))
    style = without_layout((PAGE / "style.css").read_text(encoding="utf-8"))
    loader = without_comments((PAGE / "scripts" / "loader.js").read_text(encoding="utf-8"))
    script = joined_scripts(PAGE / "scripts" / "main.mjs")
    parts = {
        "policy": policy(style, loader, script),
        "style": style,
        "network": (PAGE / "widgets" / "network.html").read_text(encoding="utf-8").rstrip(),
        "derivation": with_directives(with_mathematics(text), all_twins()),
        "version": project_version(),
        "engine": engine,
        "digits": embedded(DIGITS.read_bytes()),
        "scripts": embedded(zipped(script.encode())),
        "loader": loader,
    }
    skeleton = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], skeleton)


def main() -> None:
    """Make the page from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--engine", type=Path, required=True, help="a .wasm file, or a page made before")
    arguments = parser.parse_args()
    made = page(engine_of(arguments.engine)).encode()
    if len(made) > LARGEST:
        raise PageError(f"the page has {len(made):,} bytes; at most {LARGEST:,} are wanted")
    arguments.out.write_bytes(made)
    print(f"{arguments.out}: {len(made):,} bytes")


if __name__ == "__main__":
    main()
