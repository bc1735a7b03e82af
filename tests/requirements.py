"""Which requirements have passing tests: ``make requirements`` runs them and prints the list.

Tests name what they show with ``@pytest.mark.req("R20")``; the marks travel in the JUnit report.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

GROUPS = {
    "A Capture and validation": (1, 35),
    "B Ledger and lifecycle": (36, 55),
    "C Locations and counts": (56, 68),
    "D Orders and fulfillment": (69, 85),
    "E Returns and fraud": (86, 97),
    "F Warranty and repair": (98, 110),
    "G Recalls": (111, 122),
    "H Kits and sets": (123, 128),
    "I Channels and sync": (129, 144),
    "J Reconciliation": (145, 152),
    "K Caching and resilience": (153, 155),
    "L Compliance": (156, 168),
    "M Security and custody": (169, 175),
    "N Key figures": (176, 201),
    "O Serialization and import": (202, 208),
    "P Portal, mobile, labels": (209, 214),
    "Q Archive and scale": (215, 220),
    "R Named numbers": (221, 231),
}


def shown_by(report: Path) -> dict[str, list[tuple[str, bool]]]:
    """Return the tests of each requirement, and whether they passed."""
    found: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        passed = not any(case.find(name) is not None for name in ("failure", "error", "skipped"))
        name = f"{case.get('classname')}::{case.get('name')}"
        for tag in case.iter("property"):
            if tag.get("name") == "req":
                found[str(tag.get("value"))].append((name, passed))
    return found


def lines(found: dict[str, list[tuple[str, bool]]]) -> list[str]:
    """Write the report: for each group what is shown, what fails, and what has no test."""
    told = []
    for group, (first, last) in GROUPS.items():
        numbers = [f"R{number}" for number in range(first, last + 1)]
        shown = [each for each in numbers if each in found and all(ok for _, ok in found[each])]
        failing = [each for each in numbers if each in found and each not in shown]
        missing = [each for each in numbers if each not in found]
        told.append(f"{group}: {len(shown)} of {len(numbers)} shown")
        told += [f"  {each}: {len(found[each])} tests" for each in shown]
        told += [f"  {each}: FAILING" for each in failing]
        told += [f"  no test: {' '.join(missing)}"] if missing else []
    return told


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(shown_by(Path(sys.argv[1])))) + "\n")
