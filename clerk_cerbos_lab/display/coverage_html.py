"""Coverage as HTML: the policies' text with counts in the margin, without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.decisions.coverage import COVERED, STATUSES
from clerk_cerbos_lab.display import coverage_text as words
from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.coverage import Coverage, CoveredPart


def html_of(coverage: Coverage) -> str:
    """The coverage as HTML; every text is escaped, and every mark is also a word."""
    return render(
        "coverage.html.j2",
        coverage=coverage,
        headline=words.headline(coverage),
        files=list(words.by_line(coverage)),
        left={
            file: any(one.file == file and one.status != COVERED for one in coverage.parts)
            for file in coverage.files
        },
        worst=_worst,
        classes=dict(zip(STATUSES, ("yes", "part", "no", "nobody", "never"), strict=True)),
        words=words,
    )


def _worst(parts: list[CoveredPart]) -> str:
    """The status that colours a line."""
    order = (STATUSES[0], STATUSES[4], STATUSES[1], STATUSES[3], STATUSES[2])
    return max((one.status for one in parts), key=order.index, default="")
