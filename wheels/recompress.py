"""Packs wheels again, a few per cent smaller: ``python wheels/recompress.py WHEEL...``, in place.

Zopfli searches for the shortest deflate stream, where zlib accepts a good one; readers of a wheel
see no difference. Names, times, permissions and contents stay, so RECORD stays valid. Entries for
folders, which no installer needs, are left out.
"""

import argparse
import io
import os
import struct
import zipfile
from pathlib import Path

import zopfli.zlib

ITERATIONS = 30
UTF8_NAME = 1 << 11
ZLIB_HEADER, ZLIB_CHECKSUM = 2, 4  # bytes around the deflate stream


def packed(content: bytes) -> tuple[int, bytes]:
    """(method, bytes) of the shortest form of a file in an archive."""
    stream = zopfli.zlib.compress(content, numiterations=ITERATIONS, blocksplittingmax=0)
    deflated = stream[ZLIB_HEADER:-ZLIB_CHECKSUM]
    if len(deflated) < len(content):
        return zipfile.ZIP_DEFLATED, deflated
    return zipfile.ZIP_STORED, content


def recompressed(archive: zipfile.ZipFile) -> bytes:
    """The archive with the same files; zipfile itself takes no streams that are packed already."""
    files, directory = io.BytesIO(), io.BytesIO()
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        content = archive.read(member)
        method, data = packed(content)
        name = member.filename.encode()
        flags = 0 if name.isascii() else UTF8_NAME
        year, month, day, hour, minute, second = member.date_time
        time = hour << 11 | minute << 5 | second // 2
        date = (year - 1980) << 9 | month << 5 | day
        # From "version needed" to the lengths of name and extra field, both headers say the same.
        header = struct.pack(
            "<5H3L2H",
            20,
            flags,
            method,
            time,
            date,
            member.CRC,
            len(data),
            len(content),
            len(name),
            0,
        )
        made_by = member.create_system << 8 | 20
        directory.write(b"PK\1\2" + struct.pack("<H", made_by) + header)
        directory.write(struct.pack("<3H2L", 0, 0, 0, member.external_attr, files.tell()) + name)
        files.write(b"PK\3\4" + header + name + data)
    size, offset, n = directory.tell(), files.tell(), len(members)
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, n, n, size, offset, 0)
    return files.getvalue() + directory.getvalue() + end


def recompress(wheel: Path) -> None:
    """Rewrite the wheel after checking that its contents are the same; print both sizes."""
    before = wheel.stat().st_size
    with zipfile.ZipFile(wheel) as old:
        content = recompressed(old)
        with zipfile.ZipFile(io.BytesIO(content)) as new:
            for member in new.infolist():
                if new.read(member) != old.read(member.filename):  # zipfile checks the CRC
                    raise SystemExit(f"{wheel}: {member.filename} did not survive")
    fresh = wheel.with_suffix(".recompressed")
    fresh.write_bytes(content)
    os.replace(fresh, wheel)
    print(f"{wheel.name}: {before:,} bytes, now {len(content):,}")


def main() -> None:
    """Recompress every wheel that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    for wheel in parser.parse_args().wheels:
        recompress(wheel)


if __name__ == "__main__":
    main()
