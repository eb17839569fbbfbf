"""Reads a compiled module for Linux: its needs, its exports, its instructions."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from elftools.elf.constants import SH_FLAGS
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.relocation import RelocationSection

RELATIVE = {"x64": 8, "AArch64": 1027}  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE
ENGINE_H = Path(__file__).resolve().parents[1] / "csrc" / "engine.h"


def table_functions() -> int:
    """Return how many functions struct sigmax_engine has, behind its name."""
    declared = ENGINE_H.read_text(encoding="utf-8")
    table = declared[declared.index("struct sigmax_engine {") :].partition("\n};")[0]
    return len(re.findall(r"\(\*\w+\)\(", table))


class Engine(NamedTuple):
    """One constant table of an engine, found in the module's relocations."""

    instruction_set: str
    functions: list[int]  # addresses


class SharedObject:
    """An ELF module, stripped or not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self.elf = ELFFile(self._file)
        self.machine = self.elf.get_machine_arch()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "SharedObject":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _dynamic(self, tag: str, attribute: str) -> list[str]:
        section = self.elf.get_section_by_name(".dynamic")
        assert isinstance(section, DynamicSection), f"{self.path}: no dynamic section"
        return [getattr(t, attribute) for t in section.iter_tags() if t.entry.d_tag == tag]

    def needed(self) -> list[str]:
        """Names of the libraries that the loader must find."""
        return self._dynamic("DT_NEEDED", "needed")

    def run_paths(self) -> list[str]:
        """Return the library search paths in the module; a wheel that bundles nothing has none."""
        return self._dynamic("DT_RPATH", "rpath") + self._dynamic("DT_RUNPATH", "runpath")

    def symbol_versions(self) -> list[str]:
        """The versions of symbols that must be there, such as GLIBC_2.17, lowest first."""
        versions = set()
        for section in self.elf.iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for _, entries in section.iter_versions():
                    versions |= {entry.name for entry in entries}
        return sorted(versions, key=lambda v: [int(n) for n in re.findall(r"\d+", v)])

    def exported(self) -> dict[str, int]:
        """Symbols that other libraries can see, with their addresses."""
        symbols = self.elf.get_section_by_name(".dynsym").iter_symbols()
        return {
            s.name: s["st_value"] for s in symbols if s["st_shndx"] != "SHN_UNDEF" and s["st_value"]
        }

    def is_stripped(self) -> bool:
        """Whether the names of local functions are gone."""
        return self.elf.get_section_by_name(".symtab") is None

    def code_sections(self) -> dict[str, range]:
        """The addresses of every section that holds instructions, by name."""
        return {
            s.name: range(s["sh_addr"], s["sh_addr"] + s["sh_size"])
            for s in self.elf.iter_sections()
            if s["sh_flags"] & SH_FLAGS.SHF_EXECINSTR
        }

    def _text_at(self, address: int) -> str | None:
        """The C string at an address of the constants, or None where there is none."""
        section = self.elf.get_section_by_name(".rodata")
        start = address - section["sh_addr"]
        if not 0 <= start < section["sh_size"]:
            return None
        raw = section.data()[start : start + 32].split(b"\0")[0]
        return raw.decode() if re.fullmatch(rb"\w+", raw) else None

    def _pointers(self) -> Iterator[tuple[int, int]]:
        """(place, target) of every pointer that the loader adjusts, by place."""
        places = {}
        for section in self.elf.iter_sections():
            if isinstance(section, RelocationSection) and section.is_RELA():
                for entry in section.iter_relocations():
                    if entry["r_info_type"] == RELATIVE[self.machine]:
                        places[entry["r_offset"]] = entry["r_addend"]
        yield from sorted(places.items())

    def engines(self) -> list[Engine]:
        """The tables of the engines: a name, then as many functions as an engine has.

        Tables of tiles, which have no name, may lie before and behind them without a gap.
        """
        n_functions = table_functions()
        code = self.code_sections().values()
        found: list[Engine] = []
        current: Engine | None = None
        expected = 0
        for place, target in self._pointers():
            is_function = any(target in addresses for addresses in code)
            if is_function and current is not None and place == expected:
                if len(current.functions) < n_functions:
                    current.functions.append(target)
            else:
                name = self._text_at(target)
                current = Engine(name, []) if name else None
                if current is not None:
                    found.append(current)
            expected = place + 8
        return [e for e in found if len(e.functions) == n_functions]

    def instructions(self) -> Iterator[tuple[int, str]]:
        """(address, instruction in the AT&T syntax) of all code, from objdump."""
        if shutil.which("objdump") is None:
            raise SystemExit("objdump is needed: install binutils")
        command = ["objdump", "-d", "--no-show-raw-insn", str(self.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                address, colon, instruction = line.partition(":\t")
                if colon:
                    yield int(address, 16), instruction.rstrip()
        if process.returncode != 0:
            raise SystemExit(f"objdump failed on {self.path}")
