"""Writes the example program of a header's opening comment into a C file, as it stands there.

python extract_example.py ../../csrc/sigmax_api.h example.c
"""

import sys
from pathlib import Path

PREFIX = " *     "  # what stands before each line of the program within the comment


def example(header: str) -> str:
    """The lines of the opening comment from the first #include to the } that closes main."""
    opening_comment = header[: header.index("*/")]
    code = [
        line.removeprefix(PREFIX) if line.startswith(PREFIX) else ""
        for line in opening_comment.splitlines()
    ]
    begin = next(i for i, line in enumerate(code) if line.startswith("#include"))
    end = next(i for i, line in enumerate(code) if i > begin and line == "}")
    return "\n".join(code[begin : end + 1]) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(example(source.read_text(encoding="utf-8")), encoding="utf-8")
