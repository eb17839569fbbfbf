"""The kept inputs of a fuzz target as one text file, a line of hexadecimal digits for each.

``corpus.py unpack FILE FOLDER`` writes each as a file, as libFuzzer wants them;
``corpus.py pack FOLDER FILE`` is the way back.
"""

import argparse
import hashlib
from pathlib import Path


def unpack(source: Path, folder: Path) -> None:
    for line in source.read_text(encoding="ascii").splitlines():
        data = bytes.fromhex(line)
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def pack(folder: Path, target: Path) -> None:
    inputs = sorted(path.read_bytes() for path in folder.iterdir())
    inputs.sort(key=len)
    target.write_text("".join(f"{data.hex()}\n" for data in inputs), encoding="ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["pack", "unpack"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    {"pack": pack, "unpack": unpack}[arguments.action](arguments.source, arguments.target)


if __name__ == "__main__":
    main()
