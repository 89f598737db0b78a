"""Coverage as a Cobertura file, which CI services read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from clerk_cerbos_lab import files
from clerk_cerbos_lab.decisions.coverage import IMPOSSIBLE

if TYPE_CHECKING:
    import os

    from clerk_cerbos_lab.decisions.coverage import Coverage, CoveredPart

_DOCTYPE: Final = '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">'

_BRANCHES: Final = frozenset({"atom", "variable"})


def write_cobertura(coverage: Coverage, path: str | os.PathLike[str]) -> None:
    """Write the file; ``Coverage.to_cobertura`` documents it."""
    root = _tree(coverage)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    with files.whole_file(path) as target:
        target.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{_DOCTYPE}\n{text}\n', encoding="utf-8")


def _tree(coverage: Coverage) -> ET.Element:
    by_file: dict[str, dict[int, list[CoveredPart]]] = {}
    for one in coverage.parts:
        if one.status != IMPOSSIBLE or one.seen:
            by_file.setdefault(one.file, {}).setdefault(one.line or 1, []).append(one)
    every = [parts for lines in by_file.values() for parts in lines.values()]
    root = ET.Element("coverage", _rates(every, totals=True))
    root.set("version", "clerk-cerbos-lab")
    root.set("timestamp", str(int(coverage.made * 1000)))
    sources = ET.SubElement(root, "sources")
    ET.SubElement(sources, "source").text = "."
    packages = ET.SubElement(root, "packages")
    package = ET.SubElement(packages, "package", {"name": "policies", **_rates(every)})
    classes = ET.SubElement(package, "classes")
    for file, lines in by_file.items():
        about = {"name": file, "filename": file, **_rates(list(lines.values()))}
        one_class = ET.SubElement(classes, "class", about)
        ET.SubElement(one_class, "methods")
        table = ET.SubElement(one_class, "lines")
        for number, parts in sorted(lines.items()):
            _line(table, number, parts)
    return root


def _line(table: ET.Element, number: int, parts: list[CoveredPart]) -> None:
    line = ET.SubElement(table, "line", {"number": str(number), "hits": str(_hits(parts))})
    branches = [one for one in parts if one.part in _BRANCHES and one.wanted]
    line.set("branch", "true" if branches else "false")
    if not branches:
        return
    seen, wanted = _branches([parts])
    line.set("condition-coverage", f"{100 * seen // wanted}% ({seen}/{wanted})")
    conditions = ET.SubElement(line, "conditions")
    for place, one in enumerate(branches):
        share = f"{100 * len(one.seen) // len(one.wanted)}%"
        ET.SubElement(conditions, "condition", {"number": str(place), "type": "jump", "coverage": share})


def _hits(parts: list[CoveredPart]) -> int:
    """How often a line was evaluated: for a rule, how often it applied."""
    wanted = [one for one in parts if one.part in {"rule", "derived role"}]
    if wanted:
        return sum(one.cells.true for one in wanted)
    return max(
        one.cells.true + one.cells.false + one.cells.error + one.cells.value + one.cells.unknown
        for one in parts
    )


def _branches(lines: list[list[CoveredPart]]) -> tuple[int, int]:
    some = [one for parts in lines for one in parts if one.part in _BRANCHES]
    return sum(len(one.seen) for one in some), sum(len(one.wanted) for one in some)


def _rates(lines: list[list[CoveredPart]], *, totals: bool = False) -> dict[str, str]:
    covered = sum(_hits(parts) > 0 for parts in lines)
    seen, wanted = _branches(lines)
    made = {"line-rate": _rate(covered, len(lines)), "branch-rate": _rate(seen, wanted)}
    if totals:
        made |= {
            "lines-covered": str(covered),
            "lines-valid": str(len(lines)),
            "branches-covered": str(seen),
            "branches-valid": str(wanted),
        }
    return {**made, "complexity": "0"}


def _rate(some: int, many: int) -> str:
    return f"{some / many if many else 1:.4f}"
