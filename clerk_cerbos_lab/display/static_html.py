"""Decisions as an HTML table that reads without scripts or style sheets.

Colours are inline, so that they survive where style sheets are stripped, and each cell also says in text
what its colour means. People with the common forms of colour blindness can tell the two colours apart (blue
and vermilion of Okabe and Ito, 2008). Both are translucent, so that a dark page stays dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display.headline import headline
from clerk_cerbos_lab.display.plain_text import WARNING, counts_line, layout, mark, notes_on, question
from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

ALLOW: Final = "background:#0072b238"
DENY: Final = "background:#d55e0029"
BROKEN: Final = "background:#8a3fd12e"
CELL: Final = "padding:3px 9px;text-align:center;white-space:nowrap;border:1px solid #80808047"
HEAD: Final = (
    "padding:3px 9px;border:1px solid #80808047;font-weight:600;white-space:nowrap;background:#8080801f"
)


def html(decisions: Decisions, shown: Disclosure) -> str:
    """A table that reads without scripts or style sheets; every value is escaped."""
    grid = layout(decisions, shown, cells=limits.TABLE_CELLS)
    spans = _row_spans(grid.rows)
    rows = [
        (list(zip(heads, of_row, strict=True)), [mark(*cell) for cell in zip(*cells, strict=True)])
        for heads, of_row, *cells in zip(grid.rows, spans, grid.allowed, grid.broken, strict=True)
    ]
    return render(
        "table.html.j2",
        question=question(decisions, shown),
        headline=headline(decisions, shown),
        counts=counts_line(decisions),
        down=grid.down,
        across=grid.across,
        columns=grid.columns,
        rows=rows,
        notes=notes_on(decisions, shown, grid),
        caption=decisions.provenance.caption(),
        warning=WARNING if shown.names else None,
        head=HEAD,
        cell=CELL,
        colours={"✓": ALLOW, "✗": DENY, "?": BROKEN},
        legend="? DENY: because of broken data" if decisions.explanations is not None else "",
    )


def _row_spans(rows: Sequence[Sequence[str]]) -> list[list[int]]:
    """How many rows each header cell spans; 0 if one above spans this row."""
    spans = [[1] * len(row) for row in rows]
    for r in range(len(rows) - 1, 0, -1):
        for c in range(len(rows[r]) - 1):  # the last header is repeated in every row
            if rows[r][: c + 1] == rows[r - 1][: c + 1]:
                spans[r - 1][c] += spans[r][c]
                spans[r][c] = 0
    return spans
