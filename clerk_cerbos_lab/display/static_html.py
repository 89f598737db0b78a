"""Decisions as a table of HTML that reads without scripts or style sheets.

The colours stand inline, so that they survive where style sheets are stripped, and each cell says in text
what its colour says. They are a pair that people with the common forms of colour blindness tell apart (blue
and vermilion of Okabe and Ito, 2008), each translucent, so that a dark page stays dark.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.display.plain_text import WARNING, _notes, counts_line, layout, question

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

ALLOW: Final = "background:rgba(0,114,178,.22)"

DENY: Final = "background:rgba(213,94,0,.16)"

CELL: Final = "padding:3px 9px;text-align:center;white-space:nowrap;border:1px solid rgba(128,128,128,.28)"

HEAD: Final = (
    "padding:3px 9px;border:1px solid rgba(128,128,128,.28);font-weight:600;white-space:nowrap;"
    "background:rgba(128,128,128,.12)"
)


def html(decisions: Decisions, shown: Disclosure) -> str:
    """A table that reads without scripts or style sheets; every value is escaped."""
    grid = layout(decisions, shown)
    spans = _row_spans(grid.rows)
    head = "".join(f'<th scope="col" style="{HEAD};text-align:left">{escape(d)}</th>' for d in grid.down)
    head += "".join(f'<th scope="col" style="{HEAD};text-align:right">{escape(c)}</th>' for c in grid.columns)
    over = (
        f'<tr><td colspan="{len(grid.down)}" style="border:0"></td>'
        f'<th scope="colgroup" colspan="{len(grid.columns)}" style="{HEAD};text-align:left">'
        f"{escape(grid.across)}</th></tr>"
    )
    body = []
    for r, (row, cells) in enumerate(zip(grid.rows, grid.allowed, strict=True)):
        heads = []
        for c, part in enumerate(row):
            span = spans[r][c]
            if span:
                scope = f'scope="row" rowspan="{span}"' if span > 1 else 'scope="row"'
                style = f"{HEAD};text-align:left;vertical-align:top"
                heads.append(f'<th {scope} style="{style}">{escape(part)}</th>')
        body.append(f"<tr>{''.join(heads)}{_cells(cells)}</tr>")
    what = escape(question(decisions, shown))
    foot = " ".join(escape(note) for note in _notes(decisions, shown, grid))
    warning = f'<p style="font-weight:600;margin:4px 0">{escape(WARNING)}</p>' if shown.names else ""
    return (
        '<div style="overflow-x:auto;max-width:100%">'
        '<table style="border-collapse:collapse;font-size:13px;margin:4px 0">'
        '<caption style="caption-side:top;text-align:left;padding:4px 0">'
        f"<strong>{what}</strong><br>{escape(counts_line(decisions))}</caption>"
        f"<thead>{over}<tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f'<p style="font-size:12px;opacity:.85;margin:4px 0">{foot}{" " if foot else ""}'
        f"{escape(decisions.provenance.caption())}.</p>{warning}</div>"
    )


def _cells(cells: Sequence[bool] | npt.NDArray[np.bool_]) -> str:
    return "".join(
        f'<td style="{CELL};{ALLOW if cell else DENY}" title="{"ALLOW" if cell else "DENY"}">'
        f"{'✓ ALLOW' if cell else '✗ DENY'}</td>"
        for cell in cells
    )


def _row_spans(rows: Sequence[Sequence[str]]) -> list[list[int]]:
    """For each head cell over how many rows it reaches; 0 where one above reaches here."""
    spans = [[1] * len(row) for row in rows]
    for r in range(len(rows) - 1, 0, -1):
        for c in range(len(rows[r]) - 1):  # the last head stands in every row
            if rows[r][: c + 1] == rows[r - 1][: c + 1]:
                spans[r - 1][c] += spans[r][c]
                spans[r][c] = 0
    return spans
