"""Coverage as text: the figures, then each policy with counts in the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.decisions.coverage import (
    COVERED,
    IMPOSSIBLE,
    NOBODY,
    NOT_REACHED,
    PARTLY,
    STATUSES,
    CoveredPart,
    Outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_cerbos_lab.decisions.coverage import Coverage

MARKS: Final = {COVERED: "✓", PARTLY: "◐", NOT_REACHED: "✗", NOBODY: "○", IMPOSSIBLE: "∅"}
"""The sign of a status; each is also told by a word."""

_WIDTH: Final = 25


def text_of(coverage: Coverage) -> str:
    """The coverage as text for a terminal."""
    lines = [headline(coverage), *coverage.notes, ""]
    if not coverage.files:
        lines += [
            f"{margin([one]):<{_WIDTH}} {place(one)}  {one.rule}: {one.text}{_note(one)}"
            for one in coverage.parts
        ]
    for file, rows in by_line(coverage):
        lines += [f"{file}", f"{'people: true / false':>{_WIDTH}}"]
        for number, line, parts in rows:
            notes = "; ".join(dict.fromkeys(one.note for one in parts if one.note))
            lines.append(
                f"{margin(parts):>{_WIDTH}} {number:>4} {line}{f'   ← {notes}' if notes else ''}".rstrip()
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def headline(coverage: Coverage) -> str:
    """What was covered, in one sentence."""
    counts = status_counts(coverage)
    told = ", ".join(f"{many} {status}" for status, many in counts.items())
    return (
        f"{coverage.title}: {coverage.percent:.1f} % covered, {coverage.seen} of {coverage.wanted} outcomes, "
        f"by {coverage.people:,} {coverage.unit} ({coverage.cells:,} decisions). Rules, derived roles, "
        f"variables and atoms: {told}."
    )


def status_counts(coverage: Coverage) -> dict[str, int]:
    """How many parts have each status."""
    counts = {status: sum(one.status == status for one in coverage.parts) for status in STATUSES}
    return {status: many for status, many in counts.items() if many}


def by_line(coverage: Coverage) -> Iterator[tuple[str, list[tuple[int, str, list[CoveredPart]]]]]:
    """Each policy file: its lines, with the parts that begin there."""
    for file, text in coverage.files.items():
        parts: dict[int, list[CoveredPart]] = {}
        for one in coverage.parts:
            if one.file == file:
                parts.setdefault(one.line or 1, []).append(one)
        yield file, [(i, line, parts.get(i, [])) for i, line in enumerate(text.splitlines(), 1)]


def margin(parts: list[CoveredPart]) -> str:
    """The counts of the parts of a line: in people, true and false, with errors if there are any."""
    return "  ".join(f"{MARKS[one.status]} {counts(one.people)}" for one in parts)


def counts(outcomes: Outcomes) -> str:
    """Counts in a few characters: ``28/96``, with errors ``28/96/2?``, and other values ``28=``."""
    if outcomes.value and not (outcomes.true or outcomes.false):
        told = f"{outcomes.value:,}="
        return told + (f"/{outcomes.error:,}?" if outcomes.error else "")
    told = f"{outcomes.true:,}/{outcomes.false:,}"
    return told + (f"/{outcomes.error:,}?" if outcomes.error else "")


def place(part: CoveredPart) -> str:
    """File and line."""
    return part.file if part.line is None else f"{part.file}:{part.line}"


def sentence(part: CoveredPart, unit: str = "people") -> str:
    """A part in words, for whoever does not see its mark."""
    told = part.people
    each = {
        "true": told.true,
        "false": told.false,
        "an error": told.error,
        "another value": told.value,
        "not known": told.unknown,
    }
    some = ", ".join(f"{what} for {many:,}" for what, many in each.items() if many)
    some = some or "never evaluated"
    name = part.rule if part.part in {"rule", "derived role", "variable"} else part.text
    note = f" ({part.note})" if part.note else ""
    return f"{part.part} {name}: {part.status}{note}; {some} {unit if any(each.values()) else ''}".rstrip()


def _note(part: CoveredPart) -> str:
    return f"   ← {part.note}" if part.note else ""
