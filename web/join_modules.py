"""Joins sigmax.mjs and the files that it imports into one: ``python web/join_modules.py out.mjs``.

For pages, which have one file more easily than nine. Every import here has the form
``import { a, b } from "./file.mjs";``, every name is exported where it is declared, or by
``export { a, b };`` in sigmax.mjs, and no name is declared twice: another form, or such a name,
is an error.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ENTRY = Path(__file__).resolve().parent / "sigmax.mjs"

IMPORT = re.compile(r'^import \{[\w\s,]+\} from "(\.{1,2}/[\w/.]+\.mjs)";\n', re.MULTILINE)
UNKNOWN = re.compile(r"^(import|export (?!\{|(async )?(const|function|class) ))", re.MULTILINE)
DECLARATION = re.compile(r"^(?:export )?(?:async )?(?:const|function|class) (\w+)", re.MULTILINE)


def modules(entry: Path = ENTRY) -> list[Path]:
    """Return the files, each after those that it imports."""
    found: list[Path] = []

    def visit(path: Path) -> None:
        for name in IMPORT.findall(path.read_text(encoding="utf-8")):
            imported = (path.parent / name).resolve()
            if imported not in found:
                visit(imported)
        if path not in found:
            found.append(path)

    visit(entry)
    return found


def joined(entry: Path = ENTRY) -> str:
    """Return the text of one module that exports what sigmax.mjs exports."""
    texts, declared = [], set()
    for path in modules(entry):
        text = IMPORT.sub("", path.read_text(encoding="utf-8"))
        if UNKNOWN.search(text):
            raise SystemExit(f"{path}: an import or export of another form than described above")
        for name in DECLARATION.findall(text):
            if name in declared:
                raise SystemExit(f"{path}: {name} is declared in another file, too")
            declared.add(name)
        if path != entry:
            text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
        texts.append(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")
    return "\n".join(texts)


def main() -> None:
    """Write the one file."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(joined(), encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
