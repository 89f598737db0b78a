"""The parts of a page around its matrix: people per amount, data problems, where it comes from."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.headcounts import headcounts, may_at_all
from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.display.headline import heading, value_words
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.identity import taken
from clerk_cerbos_lab.identity.quality import ABSENT, UNUSUAL, cannot_sign_in, is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.headcounts import Headcounts, Outcome, Span
    from clerk_cerbos_lab.identity.disclosure import Disclosure

    _Members = Callable[[Outcome, int], bool]
    """Whether the people of an outcome may in a column."""

MOST_COLUMNS: Final = 40
"""Columns of the table of people per amount: with more it would be no overview."""

MOST_CELLS: Final = 20_000_000
"""Cells that are looked through for people who are denied because of broken data."""


@dataclass(frozen=True, slots=True)
class PeopleTable:
    """How many people may, for each combination and amount.

    Attributes:
        heads: the headings of the row headers.
        axis: the heading of the columns.
        columns: amounts in words.
        rows: the row headers, and the people of each column.
        exact: whether the columns are exact.
        at_zero: whether only amounts over 0 are shown, since nobody may at 0 or less.
    """

    heads: list[str]
    axis: str
    columns: list[str]
    rows: list[tuple[list[str], list[int]]]
    exact: bool
    at_zero: bool = False


def people_table(decisions: Decisions, shown: Disclosure) -> PeopleTable | None:
    """The table; None without a numeric axis, or if it would be too large to be an overview."""
    counts = headcounts(decisions)
    if counts.axis is None or not counts.outcomes:
        return None
    columns, members = _exact_columns(counts) if counts.exact else _checked_columns(counts)
    if len(columns) > MOST_COLUMNS:
        return None
    wide = [at for at, dim in enumerate(counts.dims) if len(decisions.values(dim)) > 1]
    rows = []
    for place, outcomes in counts.outcomes.items():
        heads = []
        for at in wide:
            value = decisions.values(counts.dims[at])[place[at]]
            heads.append(value_words(shown, value) if at else shown.text(value))
        rows.append(
            (heads, [sum(o.people for o in outcomes if members(o, at)) for at in range(len(columns))])
        )
    heads = [heading(decisions, counts.dims[at]) for at in wide]
    positive = counts.exact and min(counts.axis.values) >= 0 and columns[0] == "up to 0"
    if positive and not any(cells[0] for _, cells in rows):
        columns = [columns[1].removeprefix("over 0 ").strip(), *columns[2:]]
        rows = [(own, cells[1:]) for own, cells in rows]
        return PeopleTable(heads, heading(decisions, counts.axis.name), columns, rows, True, True)  # noqa: FBT003
    return PeopleTable(heads, heading(decisions, counts.axis.name), columns, rows, counts.exact)


def _exact_columns(counts: Headcounts) -> tuple[list[str], _Members]:
    """The intervals between all ends: a cut lies just before its number (0) or just after it (1)."""
    spans = {span for outcomes in counts.outcomes.values() for one in outcomes for span in one.spans}
    starts = {span: (span.lower, 0 if span.lower_closed else 1) for span in spans}
    ends = {span: (span.upper, 1 if span.upper_closed else 0) for span in spans}
    cuts = sorted({cut for cut in (*starts.values(), *ends.values()) if math.isfinite(cut[0])})
    edges = [(-math.inf, 1), *cuts, (math.inf, 0)]
    places = {edge: at for at, edge in enumerate(edges)}

    def members(outcome: Outcome, column: int) -> bool:
        return any(places[starts[one]] <= column < places[ends[one]] for one in outcome.spans)

    return [_between(low, high) for low, high in itertools.pairwise(edges)], members


def _between(low: tuple[float, int], high: tuple[float, int]) -> str:
    """``over 0 up to 5,000``."""
    if low[0] == high[0]:
        return f"exactly {number_label(low[0])}"
    start = f"{'over' if low[1] else 'from'} {number_label(low[0])}" if math.isfinite(low[0]) else ""
    end = f"{'up to' if high[1] else 'below'} {number_label(high[0])}" if math.isfinite(high[0]) else ""
    return " ".join(part for part in (start, end) if part) or "any"


def _checked_columns(counts: Headcounts) -> tuple[list[str], _Members]:
    """The checked values, neighbours that are equal for everybody together."""
    values = sorted(map(float, counts.axis.values)) if counts.axis else []
    every = {one.spans for outcomes in counts.outcomes.values() for one in outcomes}

    def inside(spans: tuple[Span, ...], value: float) -> bool:
        return any(_holds(span, value) for span in spans)

    looks = [tuple(inside(spans, value) for spans in every) for value in values]
    firsts = [at for at in range(len(values)) if at == 0 or looks[at] != looks[at - 1]]
    lasts = [*(at - 1 for at in firsts[1:]), len(values) - 1]
    columns = [
        number_label(values[first]) + (f" to {number_label(values[last])}" if last > first else "")
        for first, last in zip(firsts, lasts, strict=True)
    ]
    return columns, lambda outcome, column: inside(outcome.spans, values[firsts[column]])


def _holds(span: Span, value: float) -> bool:
    above = span.lower < value or (span.lower_closed and span.lower == value)
    return above and (value < span.upper or (span.upper_closed and span.upper == value))


# -- data problems ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """A line about somebody's data: who, what is wrong, details, and what it does, or an aside on that."""

    who: str
    what: str
    detail: str
    effect: str
    aside: str = ""

    @property
    def mark(self) -> str:
        """The mark of the effect: ⊘ for somebody who can't sign in, and is allowed."""
        return "⊘" if self.effect == ALLOWED else "⚠"


ALLOWED: Final = "is allowed all the same while a session of theirs lasts, and once they are let in again"
ASK: Final = "the question box and each cell marked ? say which value"
NOT_SET: Final = "not required; with one, they may {} in more cases"
DENIED: Final = "is denied because of broken data"
WOULD: Final = "may not {} in some cases because of it; needed: {}"


def problems(decisions: Decisions, shown: Disclosure) -> tuple[list[Problem], str]:
    """The data problems of these people, those that change decisions first, and how many are left out."""
    people = decisions.principals
    labels = dict(zip(people["id"], plain_text.labels(decisions, shown, "principal"), strict=True))
    report = [line for line in people.attrs.get("problems", ()) if line["principal"] in labels]
    denied = _denied(decisions)
    out = cannot_sign_in(report)
    may = _may(decisions, set(out))
    repairs = None if decisions.explanations is None else decisions.explanations.repairs
    found = []
    places = {own: at for at, own in reversed(list(enumerate(people["id"].tolist())))}
    for line in report:
        own, name = line["principal"], line["attribute"]
        signed_out = out.get(own) == line["problem"]
        every, needs = (repairs or {}).get((own, name), ((), ""))
        actions = [action for action in every if action in decisions.actions]
        required = line["problem"] != ABSENT or own in denied
        if signed_out:
            effect = ALLOWED if own in may else ""
        elif actions and required:
            effect = WOULD.format(shown.text(_listed(actions)), needs)
        else:  # of several problems, those that are repaired explain it
            told = repairs is not None and any(one == own for one, _ in repairs)
            effect = DENIED if own in denied and not told else ""
        aside = NOT_SET.format(shown.text(_listed(actions))) if actions and not required else ""
        said = name and not (name == "roles" and "role" in line["problem"])
        what = f"{line['problem']}: {name}" if said else line["problem"]
        value = _value(people, places[own], line, shown)
        what, detail = shown.text(what) + value, shown.text(line.get("detail", ""))
        found.append(Problem(labels[own], what, detail, effect, aside))
    known = {line["principal"] for line in report}
    found += [Problem(labels[own], "broken data", ASK, DENIED) for own in denied if own not in known]
    found.sort(key=lambda one: (not one.effect, one.effect == ALLOWED, not one.aside))
    rest = len(found) - limits.TOTALS_LINES
    return found[: limits.TOTALS_LINES], f"{rest:,} more: see lab.problems." if rest > 0 else ""


def _value(people: pd.DataFrame, place: int, line: Mapping[str, str], shown: Disclosure) -> str:
    """The value that a line is about, to stand behind its attribute; empty if it may not be shown."""
    name = line["attribute"]
    if name == "roles" and line["problem"] == UNUSUAL:
        return f" {', '.join(map(shown.text, people[name].iloc[place]))}"
    if name not in shown.attributes or is_missing(people[name].iloc[place]):
        return ""
    value = people[name].iloc[place]
    label = shown.value(value)
    return f' "{label}"' if isinstance(value, str) and not label.startswith('"') else f" {label}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _denied(decisions: Decisions) -> list[str]:
    """The ids of those who are denied something because of broken data, as far as that is known."""
    if decisions.explanations is None or len(decisions) > MOST_CELLS:
        return []
    broken = decisions.broken(["principal"], [dim for dim in decisions.dims if dim != "principal"])
    if broken is None:
        return []
    ids = decisions.principals["id"].tolist()
    return list(dict.fromkeys(ids[at] for at in np.flatnonzero(broken.any(axis=1))))


def _may(decisions: Decisions, ids: set[str]) -> set[str]:
    """Those of these people who may do anything."""
    own = decisions.principals["id"]
    places = np.flatnonzero(own.isin(list(ids)))
    return set(own.iloc[places[may_at_all(decisions.of(places))]]) if len(places) else set()


# -- where it comes from ------------------------------------------------------------------------------------


def origin(decisions: Decisions, shown: Disclosure, note: str) -> list[str]:
    """Who sends it, where people and answers come from and when, and how reliable it is, in sentences."""
    source = decisions.provenance
    cases = math.prod(decisions.cube.shape)
    lines = [note] if note else []
    lines.append(f"People: {shown.text(taken.said(decisions.principals))}.")
    policies = (
        f"the policies whose digest begins with {source.policy_digest[:12]}"
        if source.policy_digest
        else "the policies of a PDP at an address, which are not known here"
    )
    lines.append(f"Answers: asked on {source.started:%Y-%m-%d %H:%M UTC}, of {policies}.")
    checks = f"; {source.audited:,} spot checks agree" if "agree" in source.verified else ""
    lines.append(
        f"Reliability: every answer by Cerbos {source.pdp_version}; {source.asked:,} distinct questions "
        f"cover all {cases:,} cases{checks}; none guessed."
    )
    return lines
