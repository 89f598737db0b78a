"""Decisions as text: a table for a terminal, and the sentences shown with every table.

The same bytes in every run.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.explanations import broken_counts
from clerk_cerbos_lab.display.headline import heading, headline
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

FEW: Final = 6
"""Values and actions that the question names; of more it says how many."""

LISTED: Final = "lab.problems lists them"
"""Where a reader of a notebook finds the data problems."""

WARNING: Final = "Real ids and attributes are shown here: share this with care."
"""Shown in everything that can be shared and does not call principals by pseudonyms."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The part of the matrix that is shown: the first rows, and columns with equal neighbours merged.

    Attributes:
        down: the dimensions down the side.
        across: the dimension across the top.
        rows: the labels of each row shown, one per dimension.
        columns: the label of each column shown.
        allowed: ``allowed[row, column]`` of the rows and columns shown.
        broken: the same for what is denied because of broken data; all False if that is not known.
        total_rows: how many rows there are.
        total_columns: how many values the dimension across the top has.
        shown_columns: how many of those values the shown columns stand for.
        merged: whether a column may stand for several neighbours that are equal in every row.
    """

    down: tuple[str, ...]
    across: str
    rows: list[list[str]]
    columns: list[str]
    allowed: npt.NDArray[np.bool_]
    broken: npt.NDArray[np.bool_]
    total_rows: int
    total_columns: int
    shown_columns: int
    merged: bool


def labels(decisions: Decisions, shown: Disclosure, dim: str, count: int | None = None) -> list[str]:
    """The labels of a dimension's values; the first ``count``."""
    if dim == "principal":
        names = decisions.names[:count]
        ids = decisions.principals["id"].head(len(names))
        return [shown.principal(one, name) for one, name in zip(ids, names, strict=True)]
    if dim == "action":
        return [shown.text(action) for action in decisions.actions[:count]]
    return [shown.value(value) for value in decisions.values(dim)[:count]]


def layout(
    decisions: Decisions, shown: Disclosure, *, cells: int = limits.TABLE_ROWS * limits.TABLE_COLUMNS
) -> Grid:
    """The rows and columns to show, about ``cells`` cells, and how many were left out."""
    down, (across, *_) = decisions.sides()
    values = decisions.values(across)
    by_principal = down[0] == "principal" and across != "principal"
    rows = int(np.prod([len(decisions.values(dim)) for dim in down], dtype=np.int64))
    each = rows // len(decisions.names) if by_principal else rows
    numeric = all(map(is_number, values))
    ascending = numeric and all(a < b for a, b in itertools.pairwise(values))
    merged = len(values) > limits.TABLE_COLUMNS and ascending
    every = decisions.different() if by_principal else decisions
    tables = [every.table(down, [across])]
    tables += [] if (marks := decisions.broken(down, [across])) is None else [marks]
    runs = _runs(np.vstack(tables)) if merged else [(i, i) for i in range(len(values))]
    drawn = runs[: limits.TABLE_COLUMNS]
    most = limits.TABLE_ROWS
    if cells is not None:
        most = max(limits.TABLE_FEWEST_ROWS, min(most, cells // len(drawn)))
    top = decisions.head(-(-most // each)) if by_principal else decisions
    allowed = top.table(down, [across])
    broken = np.zeros_like(allowed) if marks is None else marks[: len(allowed)]
    at = [first for first, _ in drawn]
    texts = labels(decisions, shown, across, drawn[-1][1] + 1)
    heads = itertools.product(*(labels(decisions, shown, dim, most) for dim in down))
    return Grid(
        down=tuple(heading(decisions, dim) for dim in down),
        across=heading(decisions, across),
        rows=[list(head) for head in itertools.islice(heads, most)],
        columns=[texts[i] if i == j else f"{texts[i]} to {texts[j]}" for i, j in drawn],
        allowed=allowed[:most, at],
        broken=broken[:most, at],
        total_rows=rows,
        total_columns=len(values),
        shown_columns=drawn[-1][1] + 1,
        merged=merged,
    )


def _runs(allowed: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last column of each run of columns that are equal in every row."""
    change = np.flatnonzero(np.any(allowed[:, 1:] != allowed[:, :-1], axis=0)) + 1
    firsts = [0, *change.tolist()]
    return list(zip(firsts, [*(i - 1 for i in firsts[1:]), allowed.shape[1] - 1], strict=True))


def counts_line(decisions: Decisions) -> str:
    """The numbers of ALLOW and DENY, in a sentence."""
    counts = decisions.counts()
    total = len(decisions)
    share = f" ({counts['ALLOW'] / total:.1%})" if total else ""
    return f"{total:,} decisions: {counts['ALLOW']:,} ALLOW{share}, {counts['DENY']:,} DENY"


def question(decisions: Decisions, shown: Disclosure) -> str:
    """The question in one line."""
    actions = labels(decisions, shown, "action")
    people = len(decisions.names)
    parts = [f"{shown.text(decisions.kind)}: who may {_listed(actions, 'or')}"]
    who = labels(decisions, shown, "principal", 1)[0] if people == 1 else f"{people:,} people"
    parts.append(who)
    for axis in decisions.axes:
        if axis.numeric and len(axis.values) > FEW:
            low, high = number_label(min(axis.values)), number_label(max(axis.values))
            values = f"{low} to {high} ({len(axis.values):,} values)"
        elif len(axis.values) > FEW:
            values = f"({len(axis.values):,} values)"
        else:
            values = _listed([shown.value(value) for value in axis.values], "or")
        parts.append(f"{decisions.question.heading(axis.name)} {values}")
    parts += [
        f"{name} {shown.value(value)}" for name, value in decisions.fixed.items() if name != "resource_id"
    ]
    return "; ".join(parts)


def _listed(texts: Sequence[str], last: str) -> str:
    """``view, create or approve``; of many the number."""
    if len(texts) > FEW:
        return f"do {len(texts):,} actions"
    return f" {last} ".join([part for part in (", ".join(texts[:-1]), texts[-1]) if part])


def _left_out(grid: Grid) -> str:
    """The note on omitted rows and columns; empty if the table shows everything."""
    parts = []
    if len(grid.rows) < grid.total_rows:
        parts.append(f"the first {len(grid.rows)} of {grid.total_rows:,} rows")
    if grid.shown_columns < grid.total_columns:
        parts.append(f"the first {grid.shown_columns:,} of {grid.total_columns:,} values of {grid.across}")
    return f"Shown: {' and '.join(parts)}; for all of them use .matrix() or .frame()." if parts else ""


def _merged(grid: Grid) -> str:
    what = f"values of {grid.across}" if grid.across.partition(" ")[0] != "amount" else "amounts"
    return f"Columns combine neighbouring {what} whose effects are equal in every row." if grid.merged else ""


def _data_problems(decisions: Decisions) -> str:
    """How many principals have a data problem, which may cause a DENY."""
    people = decisions.principals
    report = people.attrs.get("problems", ())
    if not len(report):
        return ""
    affected = {line["principal"] for line in report} & set(people["id"])
    if not affected:
        return ""
    who = f"{len(affected)} people have" if len(affected) > 1 else "1 person has"
    if decisions.explanations is not None:  # then it is known whom it costs something
        return f"{who} problems in their data, with or without an effect here; {LISTED}."
    return f"{who} data problems that may cause a DENY; {LISTED}."


def causes_line(decisions: Decisions) -> str:
    """How many people are denied something because of broken data; empty if that is not known."""
    known = decisions.explanations
    if known is None:
        return ""
    people, cells = broken_counts(known, decisions.actions, decisions.index, decisions.axes)
    by_rules = decisions.counts()["DENY"] - cells
    if not cells:
        return f"Nobody is denied because of broken data; ✗ {by_rules:,} decisions are denied by rules."
    who = f"{people:,} people are" if people > 1 else "1 person is"
    return (
        f"{who} denied because of broken data: ✗ {by_rules:,} decisions by rules, ? {cells:,} by broken data."
    )


def notes(decisions: Decisions, shown: Disclosure) -> list[str]:
    """What a reader must know about the decisions, in any display."""
    own = map(shown.text, decisions.provenance.notes)
    found = (causes_line(decisions), _data_problems(decisions), *own, shown.note)
    return [note for note in found if note]


def notes_on(decisions: Decisions, shown: Disclosure, grid: Grid) -> list[str]:
    """What a reader must know to read the table correctly."""
    return [note for note in (_merged(grid), _left_out(grid)) if note] + notes(decisions, shown)


def mark(allowed: bool, broken: bool) -> str:  # noqa: FBT001 - of one cell
    """The mark of a cell."""
    return "✓" if allowed else "?" if broken else "✗"


def text_of(decisions: Decisions, shown: Disclosure) -> str:
    """A table for a terminal: marks, counts, provenance."""
    grid = layout(decisions, shown)
    heads = [*grid.down, *(f"{grid.across} {grid.columns[0]}", *grid.columns[1:])]
    body = [
        [*row, *(mark(*cell) for cell in zip(*cells, strict=True))]
        for row, *cells in zip(grid.rows, grid.allowed, grid.broken, strict=True)
    ]
    widths = [max(len(line[i]) for line in [heads, *body]) for i in range(len(heads))]
    lines = []
    for line in [heads, *body]:
        left = [part.ljust(width) for part, width in zip(line, widths, strict=True)][: len(grid.down)]
        right = [part.rjust(width) for part, width in zip(line, widths, strict=True)][len(grid.down) :]
        lines.append("  ".join([*left, *right]).rstrip())
    broken = ", ? DENY because of broken data" if decisions.explanations is not None else ""
    first = map(str, headline(decisions, shown))
    head = [question(decisions, shown), f"{counts_line(decisions)} (✓ ALLOW, ✗ DENY{broken})"]
    notes = notes_on(decisions, shown, grid)
    return "\n".join([*first, "", *lines, "", *head, *notes, decisions.provenance.caption()])
