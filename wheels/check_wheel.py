"""Checks wheels of sigmax and describes them: ``python wheels/check_wheel.py WHEEL...``.

Sizes, tags, symbol versions, foreign libraries, the instructions outside the engines made for
them, and what importing it does to a process. Exits with 1 if it rejects a wheel. For a wheel of
another system, it checks only what can be read from the file.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from instructions import misplaced_instructions
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename
from shared_object import SharedObject

MOST_BYTES = {"the compiled module, packed": 200_000, "the wheel": 520_000, "installed": 2_000_000}
MOST_IMPORT_SECONDS = 0.020
MOST_OF_NUMPY = 0.5  # of NumPy's own import, if that is more: on a slow machine
IMPORTS = 15  # at most, until one is fast enough: a busy machine slows some

REQUIREMENTS = {"numpy", "cffi", "tqdm"}
SYSTEM_LIBRARIES = re.compile(r"(libc|libm|libpthread|ld-linux[\w-]*)\.so\.\d+$|libc\.(musl|so)")
BINARY = re.compile(r"\.(so|pyd|dll|dylib|a|o)(\.|$)")
PROBE = Path(__file__).with_name("import_probe.py")


def check_tags(wheel: Path, members: list[str], metadata: str) -> list[str]:
    """File name, tags inside and the module's suffix agree, and are as expected."""
    _, _, _, tags = parse_wheel_filename(wheel.name)
    complaints = []
    inside = set(HeaderParser().parsestr(metadata).get_all("Tag", []))
    if inside != {str(tag) for tag in tags}:
        complaints.append(f"the name says {sorted(map(str, tags))}, WHEEL says {sorted(inside)}")
    abis = {tag.abi for tag in tags}
    interpreters = {tag.interpreter for tag in tags}
    modules = [m for m in members if re.fullmatch(r"sigmax/_sigmax\..*(so|pyd)", m)]
    if len(modules) != 1:
        complaints.append(f"one compiled module is expected, found {modules}")
        return complaints
    suffix = modules[0].removeprefix("sigmax/_sigmax")
    if abis == {"abi3"}:
        if interpreters != {"cp311"}:
            complaints.append(f"the floor is cp311, not {sorted(interpreters)}")
        if suffix not in (".abi3.so", ".pyd"):
            complaints.append(f"an abi3 wheel must hold _sigmax.abi3.so or .pyd, not {modules[0]}")
    elif not (len(abis) == 1 and re.fullmatch(r"cp3\d+t", next(iter(abis)))):
        complaints.append(f"abi3, or a free-threaded one, is expected, not {sorted(abis)}")
    elif next(iter(abis)).removeprefix("cp").removesuffix("t") not in suffix:
        complaints.append(f"{modules[0]} is not for {sorted(abis)}")
    return complaints


def check_contents(members: list[str], metadata: str) -> list[str]:
    """The wheel holds the package, its metadata, and no foreign library."""
    complaints = []
    for name in members:
        if not re.match(r"sigmax/|sigmax-[^/]+\.dist-info/", name):
            complaints.append(f"{name} is neither in the package nor in its metadata")
        elif BINARY.search(name) and not name.startswith("sigmax/_sigmax."):
            complaints.append(f"{name} is a library that does not belong here")
    needs = HeaderParser().parsestr(metadata).get_all("Requires-Dist", [])
    always = {re.split(r"[^\w.-]", n)[0] for n in needs if "extra ==" not in n}
    if always != REQUIREMENTS:
        complaints.append(f"it requires {sorted(always)}, expected {sorted(REQUIREMENTS)}")
    return complaints


def check_sizes(wheel: Path, members: list[zipfile.ZipInfo]) -> list[str]:
    """The compiled module as it lies in the wheel, the wheel, and what it becomes on a disk."""
    modules = [i for i in members if re.fullmatch(r"sigmax/_sigmax\..*(so|pyd)", i.filename)]
    sizes = {
        "the compiled module, packed": sum(i.compress_size for i in modules),
        "the wheel": wheel.stat().st_size,
        "installed": sum(i.file_size for i in members),
    }
    print(f"  size             {', '.join(f'{name} {size:,}' for name, size in sizes.items())}")
    return [
        f"{name}: {size:,} bytes, above {MOST_BYTES[name]:,}"
        for name, size in sizes.items()
        if size > MOST_BYTES[name]
    ]


def check_shared_object(path: Path) -> list[str]:
    """Libraries and symbol versions that a Linux module needs, and where its instructions are."""
    with SharedObject(path) as module:
        versions, libraries = module.symbol_versions(), module.needed()
        print(f"  needs            {', '.join(libraries)}")
        print(f"  symbol versions  {', '.join(versions) or 'none'}")
        complaints = [
            f"it needs {n}, which a system may lack"
            for n in libraries
            if not SYSTEM_LIBRARIES.match(n)
        ]
        complaints += [f"it looks for libraries in {p}" for p in module.run_paths()]
        if not module.is_stripped():
            complaints.append("the names of local functions were not stripped")
        return complaints + misplaced_instructions(module)


def import_report(folder: Path) -> dict[str, Any]:
    """Return the report of import_probe.py for one import."""
    command = [sys.executable, "-I", str(PROBE), str(folder)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    report: dict[str, Any] = json.loads(process.stdout)
    return report


def check_import(folder: Path) -> list[str]:
    """What ``import sigmax`` does; NumPy and cffi come from the Python that runs this script."""
    reports = [import_report(folder) for _ in range(2)][1:]  # the first one writes the byte code
    while (seconds := min(r["seconds"] for r in reports)) > MOST_IMPORT_SECONDS:
        if len(reports) == IMPORTS:
            break
        reports.append(import_report(folder))
    report = reports[0]
    numpy_seconds = min(r["numpy_seconds"] for r in reports)
    print(
        f"  import           {seconds * 1e3:.1f} ms of processor time beyond NumPy's "
        f"{numpy_seconds * 1e3:.1f} ms"
    )
    complaints = []
    if not Path(report["file"]).is_relative_to(folder):
        complaints.append(f"{report['file']} was imported, not the wheel's package")
    if seconds > max(MOST_IMPORT_SECONDS, MOST_OF_NUMPY * numpy_seconds):
        complaints.append(f"importing it takes {seconds * 1e3:.1f} ms beyond NumPy")
    if report["environment"]:
        complaints.append(f"importing it changes the environment: {report['environment']}")
    if report["threads"][0] != report["threads"][1]:
        complaints.append(f"importing it starts threads: {report['threads']}")
    if report["arithmetic"]:
        complaints.append(f"importing it changes the arithmetic: {report['arithmetic']}")
    for module in {"tqdm", "sklearn", "matplotlib", "pandas", "threadpoolctl"}:
        if module in report["modules"]:
            complaints.append(f"importing it imports {module}")
    return complaints


def can_run(wheel: Path) -> bool:
    """Whether this Python, on this machine, would install the wheel."""
    return not parse_wheel_filename(wheel.name)[3].isdisjoint(sys_tags())


def check_wheel(wheel: Path) -> list[str]:
    """Describe the wheel, and return what is wrong with it."""
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(wheel) as archive:
        folder = Path(name).resolve()
        members = [i.filename for i in archive.infolist() if not i.is_dir()]
        archive.extractall(folder)
        info = next(folder.glob("*.dist-info"))
        complaints = check_tags(wheel, members, (info / "WHEEL").read_text(encoding="utf-8"))
        complaints += check_contents(members, (info / "METADATA").read_text(encoding="utf-8"))
        print(wheel.name)
        complaints += check_sizes(wheel, archive.infolist())
        for module in folder.glob("sigmax/_sigmax*.so"):
            if module.read_bytes()[:4] == b"\x7fELF":
                complaints += check_shared_object(module)
        if can_run(wheel):
            complaints += check_import(folder)
        else:
            print(f"  not imported: no wheel for {platform.platform()}")
    return complaints


def main() -> int:
    """Check every wheel that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    refused = False
    for wheel in parser.parse_args().wheels:
        for complaint in check_wheel(wheel):
            refused = True
            print(f"  REFUSED: {complaint}")
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
