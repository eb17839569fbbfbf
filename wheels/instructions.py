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

    The linker keeps the order of the objects: everything else first, then the engines from the
    least capable to the most. So no AVX may stand before the last function of a baseline engine,
    and no AVX-512 before the last function of a v3 engine.
    """
    expected = EXPECTED.get(module.machine, [])
    engines = module.engines()
    found = Counter(engine.instruction_set for engine in engines)
    print("  engines          " + ", ".join(f"{n} x {s}" for s, n in found.items()))
    if found != Counter(dict.fromkeys(expected, 2)):
        return [f"two engines each of {expected} are expected, found {dict(found)}"]
    if module.machine != "x64":
        return []
    order = [engine.instruction_set for engine in engines]
    if order != sorted(order, key=expected.index):
        return [f"the engines lie in the order {order}, so their instructions cannot be told apart"]
    end = {
        name: max(f for e in engines if e.instruction_set == name for f in e.functions)
        for name in expected
    }
    complaints: list[str] = []
    count = Counter[str]()
    for address, instruction in module.instructions():
        if not AVX.match(instruction):
            continue
        needed = "v4" if AVX512.match(instruction) else "v3"
        count[needed] += 1
        if address <= end["v3" if needed == "v4" else "baseline"] and len(complaints) < 5:
            complaints.append(f"outside the engines of {needed}: {address:#x} {instruction}")
    for name in ("v3", "v4"):
        if count[name] < FEWEST:
            complaints.append(f"only {count[name]} instructions of {name}, fewer than {FEWEST}")
    return complaints
