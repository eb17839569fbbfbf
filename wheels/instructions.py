"""Whether the instructions of a compiled module lie in the engines that were made for them."""

import re
from collections import Counter

from shared_object import SharedObject

# VEX and EVEX encodings need AVX. All of their names begin with v, or k for those on mask
# registers; verr and verw are old instructions.
AVX = re.compile(r"(?:v(?!er[rw]\b)|k(?:mov|or|and|xor|not|shift|test|add|unpck))\w*\s|.*%[yz]mm\d")
# 512 bits, the upper sixteen registers and the masks came with AVX-512.
AVX512 = re.compile(r".*(?:%zmm\d|%[xy]mm(?:1[6-9]|2\d|3[01])|%k[0-7]\b)")

EXPECTED = {"x64": ["baseline", "v3", "v4"], "AArch64": ["baseline"]}
FEWEST = 1000  # of its own kind in the two engines of a set: else the compiler did not vectorise


def misplaced_instructions(module: SharedObject) -> list[str]:
    """Complaints about the engines of a module, which may be stripped.

    The engines of each instruction set lie in a section of its own, `build_native.section_script`.
    So AVX may stand in the sections of v3 and v4 alone, and AVX-512 in that of v4.
    """
    expected = EXPECTED.get(module.machine, [])
    engines = module.engines()
    found = Counter(engine.instruction_set for engine in engines)
    print("  engines          " + ", ".join(f"{n} x {s}" for s, n in found.items()))
    if found != Counter(dict.fromkeys(expected, 2)):
        return [f"two engines each of {expected} are expected, found {dict(found)}"]
    sections = module.code_sections()
    own = {name: sections.get(f".text.{name}", range(0)) for name in expected}
    complaints = [
        f"functions of an engine for {engine.instruction_set} lie outside its section"
        for engine in engines
        if not all(function in own[engine.instruction_set] for function in engine.functions)
    ]
    if complaints or module.machine != "x64":
        return complaints
    count = Counter[str]()
    for address, instruction in module.instructions():
        if not AVX.match(instruction):
            continue
        needed = "v4" if AVX512.match(instruction) else "v3"
        count[needed] += 1
        allowed = address in own["v4"] or (needed == "v3" and address in own["v3"])
        if not allowed and len(complaints) < 5:
            complaints.append(f"outside the engines of {needed}: {address:#x} {instruction}")
    for name in ("v3", "v4"):
        if count[name] < FEWEST:
            complaints.append(f"only {count[name]} instructions of {name}, fewer than {FEWEST}")
    return complaints
