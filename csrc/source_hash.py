"""A hash of the C sources, by which a stale build is recognised.

The build compiles it into the module; the package in a checkout compares it when it is imported.
Nothing else is imported here, because that comparison is part of ``import sigmax``.
"""

import zlib
from pathlib import Path

CSRC = Path(__file__).parent
GENERATED = "_sigmax.c"


def source_files(csrc: Path = CSRC) -> list[Path]:
    """Everything that a build depends on: the C sources and the list of flags, in a fixed order."""
    patterns = ("*.[ch]", "*/*.[ch]", "build_native.py", "source_hash.py")
    return sorted(p for pattern in patterns for p in csrc.glob(pattern) if p.name != GENERATED)


def source_hash(csrc: Path = CSRC) -> int:
    """CRC-32 (ISO 3309) over paths below csrc/ and contents of `source_files`.

    Line ends are normalised: a checkout on Windows may have others.
    """
    crc = 0
    for path in source_files(csrc):
        crc = zlib.crc32(path.relative_to(csrc).as_posix().encode(), crc)
        crc = zlib.crc32(path.read_bytes().replace(b"\r\n", b"\n"), crc)
    return crc
