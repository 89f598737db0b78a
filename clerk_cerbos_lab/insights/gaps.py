"""Gaps: amounts that nobody, or too few people, may approve; read from exact lines without a request."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.axes import Axis, take
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.values import MISSING, OTHER, SELF, key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions

COLUMNS: Final = ("lower", "lower_closed", "upper", "upper_closed", "gap", "approvers", "who", "exact")

OF_PRINCIPAL: Final = "principal."
"""Before the name of a principal's attribute, where an axis has the same name."""

NOBODY: Final = "nobody"
OWN: Final = "nobody for their own"

_NOTHING: Final = frozenset[int]()


@dataclass(frozen=True, slots=True)
class _Span:
    """Amounts between two edges that the same people may approve.

    Attributes:
        first: the position of its lower edge among the edges.
        last: the position of its upper edge.
        gap: what is missing; empty if nothing is.
        count: how many people may approve.
        who: their rows, if there is a gap.
    """

    first: int
    last: int
    gap: str
    count: int
    who: frozenset[int]


def gaps(
    decisions: Decisions,
    axis: str,
    *,
    by: str | Sequence[str] = (),
    at_least: int = 1,
    action: str | None = None,
    names: bool = False,
) -> pd.DataFrame:
    """Amounts with too few approvers; ``Decisions.gaps`` documents it."""
    if isinstance(at_least, bool) or not isinstance(at_least, int) or at_least < 1:
        msg = f"at_least must be a number of people, 1 or more, not {at_least!r}"
        raise InputError(msg)
    chosen = decisions if action is None else decisions.sel(action=action)
    if len(chosen.actions) != 1:
        msg = f"gaps are of one action: give action=, one of {', '.join(chosen.actions)}"
        raise InputError(msg)
    grouped = [by] if isinstance(by, str) else list(by)
    bands = chosen.bands(axis)
    across, own, members = _sides(chosen, axis, grouped)
    relation = "" if own is None else own.name
    allowed = np.asarray(bands.columns["effect"]) == "ALLOW"
    dims = [dim for dim in chosen.dims if dim != axis]
    codes = {dim: code[allowed] for dim, code in zip(dims, bands.codes, strict=True)}
    who = codes["principal"]
    edges = _Edges({name: np.asarray(bands.columns[name])[allowed] for name in COLUMNS[:4]})
    exact = bool(np.all(bands.columns["exact"]))
    disclosure = chosen.shown(names=names)
    labels = [
        disclosure.principal(identity, name)
        for identity, name in zip(chosen.principals["id"], chosen.names, strict=True)
    ]
    found: dict[str, list[Any]] = {name: [] for name in (*grouped, *COLUMNS)}
    for cell in itertools.product(*(range(len(one.values)) for one in across)):
        at = np.ones(len(who), dtype=np.bool_)
        for one, place in zip(across, cell, strict=True):
            at &= codes[one.name] == place
        for group, inside in members:
            here = at & inside[who]
            others, selves = here, None
            if own is not None:
                others = here & (codes[relation] == own.values.index(OTHER))
                selves = here & (codes[relation] == own.values.index(SELF))
            values = {one.name: one.values[place] for one, place in zip(across, cell, strict=True)}
            values.update(group)
            for span in _joined(_spans(edges, who, others, selves, at_least)):
                for name in grouped:
                    found[name].append(values[name])
                for name, value in edges.ends(span.first, span.last).items():
                    found[name].append(value)
                found["gap"].append(span.gap)
                found["approvers"].append(span.count)
                found["who"].append(tuple(labels[row] for row in sorted(span.who)))
                found["exact"].append(exact)
    columns = {name: _column(found[name]) for name in grouped}
    made = pd.DataFrame({**columns, **{name: found[name] for name in COLUMNS}})
    types = {"lower": np.float64, "upper": np.float64, "lower_closed": bool, "upper_closed": bool}
    made = made.astype({**types, "approvers": np.int64, "exact": bool, "gap": "str"})
    made.attrs["units"] = dict(chosen.question.units)
    return made


def _column(values: Sequence[Any]) -> Any:
    """Values, most of which are repeated, as a column."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(key(value), len(numbers)) for value in values], dtype=np.intp)
    first = {key(value): value for value in reversed(values)}
    return take(Axis("", tuple(first[name] for name in numbers)).array(), codes)


def _sides(
    decisions: Decisions, axis: str, grouped: Sequence[str]
) -> tuple[list[Axis], Axis | None, list[tuple[Mapping[str, Any], npt.NDArray[np.bool_]]]]:
    """The axes of the table, the axis of SELF and OTHER, and groups of principals.

    Raises:
        InputError: for an unknown or repeated name, or an axis with several values that is not named.
    """
    taken = [name for name in grouped if name in COLUMNS]
    if taken or len(set(grouped)) != len(grouped):
        msg = f"by={list(grouped)}: a name is given twice, or is a column of the table of gaps"
        raise InputError(msg)
    axes = {one.name: one for one in decisions.axes if one.name != axis}
    columns = [str(name) for name in decisions.principals.columns if name not in {"id", "roles"}]
    across, attributes = [], {}
    for name in grouped:
        attribute = name.removeprefix(OF_PRINCIPAL)
        if name in axes:
            across.append(axes.pop(name))
        elif attribute in columns:
            attributes[name] = attribute
        else:
            known = [*axes, *columns]
            what = "the axis of the gaps" if name == axis else "no axis and no attribute of the principals"
            msg = f"by='{name}': it is {what}{did_you_mean(name, known)}"
            raise InputError(msg)
    own = next((one for one in axes.values() if set(map(key, one.values)) == {key(SELF), key(OTHER)}), None)
    if own is not None:
        axes.pop(own.name)
    wide = [name for name, one in axes.items() if len(one.values) > 1]
    if wide:
        msg = f"{wide} have several values: name them in by=, or choose a value of each with .sel"
        raise InputError(msg)
    return across, own, list(_groups(decisions, attributes))


def _groups(
    decisions: Decisions, attributes: Mapping[str, str]
) -> Iterator[tuple[Mapping[str, Any], npt.NDArray[np.bool_]]]:
    """Values of attributes, and who has them; without any, everybody."""
    people = read_principals(decisions.principals)
    everybody = np.ones(len(people), dtype=np.bool_)
    if not attributes:
        yield {}, everybody
        return
    each = []
    for name, attribute in attributes.items():
        column = people.attributes[attribute]
        numbers: dict[str, int] = {}
        same = np.array([numbers.setdefault(key(value), len(numbers)) for value in column.values])
        values = dict(zip(same[::-1].tolist(), column.values[::-1], strict=True))
        each.append(
            [
                (name, values[code], same[column.codes] == code)
                for code in range(len(numbers))
                if values[code] is not MISSING
            ]
        )
    for some in itertools.product(*each):
        inside = np.logical_and.reduce([who for _, _, who in some])
        if len(some) == 1 or inside.any():
            yield {name: value for name, value, _ in some}, inside


class _Edges:
    """Every place at which an interval begins or ends, in order, and where each interval lies among them.

    An edge is a number and a side: 0 just before the number, 1 just after it.
    """

    def __init__(self, intervals: Mapping[str, npt.NDArray[Any]]) -> None:
        lower, upper = intervals["lower"], intervals["upper"]
        begin = np.column_stack([lower, np.where(intervals["lower_closed"], 0, 1)])
        end = np.column_stack([upper, np.where(intervals["upper_closed"], 1, 0)])
        ends = np.array([[-np.inf, 0.0], [np.inf, 1.0]])
        begin[np.isneginf(lower)], end[np.isposinf(upper)] = ends[0], ends[1]
        self._edges, places = np.unique(np.concatenate([begin, end, ends]), axis=0, return_inverse=True)
        places = places.reshape(-1).astype(np.intp)
        self.begin = places[: len(lower)]
        self.end = places[len(lower) : 2 * len(lower)]

    def ends(self, first: int, last: int) -> dict[str, Any]:
        """The interval between two edges."""
        (lower, after), (upper, behind) = self._edges[first].tolist(), self._edges[last].tolist()
        return {
            "lower": lower,
            "lower_closed": bool(after == 0 and np.isfinite(lower)),
            "upper": upper,
            "upper_closed": bool(behind == 1 and np.isfinite(upper)),
        }

    @property
    def last(self) -> int:
        """The position of the last edge, ∞."""
        return len(self._edges) - 1


def _spans(
    edges: _Edges,
    who: npt.NDArray[np.intp],
    others: npt.NDArray[np.bool_],
    selves: npt.NDArray[np.bool_] | None,
    at_least: int,
) -> Iterator[_Span]:
    """The line of one group in spans with the same approvers; people are listed only where there is a gap.

    Args:
        edges: of all intervals.
        who: the row of the principal of each interval.
        others: the intervals in which these people may approve what belongs to somebody else.
        selves: those in which they may approve their own; None if that was not asked.
        at_least: how many approvers are needed.
    """
    some = np.flatnonzero(others)
    cuts = np.unique(np.concatenate([[0, edges.last], edges.begin[some], edges.end[some]]))
    own = np.flatnonzero(selves) if selves is not None else some[:0]
    cuts = np.unique(np.concatenate([cuts, edges.begin[own], edges.end[own]]))
    steps = np.zeros(edges.last + 2, dtype=np.int64)
    np.add.at(steps, edges.begin[some], 1)
    np.add.at(steps, edges.end[some], -1)
    counts = np.cumsum(steps)[cuts[:-1]]
    for first, last, count in zip(cuts[:-1].tolist(), cuts[1:].tolist(), counts.tolist(), strict=True):
        if count > at_least or (count == at_least and selves is None):
            yield _Span(first, last, "", count, _NOTHING)
            continue
        people = frozenset(who[some[(edges.begin[some] <= first) & (edges.end[some] >= last)]].tolist())
        if count < at_least:
            gap = NOBODY if count == 0 else f"fewer than {at_least}"
        else:
            themselves = set(who[own[(edges.begin[own] <= first) & (edges.end[own] >= last)]].tolist())
            gap = "" if people <= themselves else _own(at_least)
        yield _Span(first, last, gap, count, people if gap else _NOTHING)


def _own(at_least: int) -> str:
    return OWN if at_least == 1 else f"fewer than {at_least} for their own"


def _joined(spans: Iterator[_Span]) -> Iterator[_Span]:
    """The spans with a gap, neighbours with the same people as one."""
    for (gap, _), group in itertools.groupby(spans, key=lambda span: (span.gap, span.who)):
        some = list(group)
        if gap:
            yield _Span(some[0].first, some[-1].last, gap, some[0].count, some[0].who)
