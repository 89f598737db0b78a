"""How many people may do what, and up to which amount: counted from the decisions, without a request."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.intervals import Intervals

COMBINATIONS: Final = 24
"""With more combinations than this, only each action is counted: nobody would read the others."""


class Span(NamedTuple):
    """Numbers at which somebody is allowed.

    Attributes:
        lower, lower_closed, upper, upper_closed: its ends.
        exact: whether every number in it is; else only the checked ones are known, and both ends are such.
    """

    lower: float
    lower_closed: bool
    upper: float
    upper_closed: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What some people may do in one combination of an action and values of the axes.

    Attributes:
        people: how many they are.
        spans: at which numbers, in order; empty: at none. Without a numeric axis ``ANYWHERE`` or empty.
        exact: whether that is known for every number, and not only for the checked ones.
    """

    people: int
    spans: tuple[Span, ...]
    exact: bool


ANYWHERE: Final = (Span(-math.inf, False, math.inf, False, True),)  # noqa: FBT003 - ends of an interval


@dataclass(frozen=True, slots=True)
class Reach:
    """What anybody may do by an action, in any combination of the axes' values.

    Attributes:
        people: how many may do it in at least one combination.
        top: the span with the highest end; None if nobody may.
    """

    people: int
    top: Span | None


@dataclass(frozen=True, slots=True)
class Headcounts:
    """How many people may do what.

    Attributes:
        axis: the numeric axis along which amounts are told: the longest one; None if none has several values.
        dims: the other dimensions, without the principals: ``action``, then axes.
        people: how many principals there are.
        outcomes: by the position on each of ``dims``, those who may least first; empty if there are more than
            ``COMBINATIONS``.
        reach: for each action.
        exact: whether everything is known at every number of ``axis``, and not only at its values.
    """

    axis: Axis | None
    dims: tuple[str, ...]
    people: int
    outcomes: dict[tuple[int, ...], tuple[Outcome, ...]]
    reach: tuple[Reach, ...]
    exact: bool


def headcounts(decisions: Decisions) -> Headcounts:
    """Count the people of decisions by what they may do."""
    axis, dims, sizes = _sides(decisions)
    codes, representatives = decisions.classes()
    weights = np.bincount(codes, minlength=len(representatives))
    lines = _lines(decisions.of(representatives), axis, sizes)
    few = math.prod(sizes) <= COMBINATIONS
    return Headcounts(
        axis=axis,
        dims=dims,
        people=len(decisions.names),
        outcomes=_outcomes(lines, weights, sizes) if few else {},
        reach=tuple(_reach(lines, weights, sizes, action) for action in range(sizes[0])),
        exact=not len(lines.inexact),
    )


def may_at_all(decisions: Decisions) -> npt.NDArray[np.bool_]:
    """For each principal, whether they may do anything of what was asked, at any number."""
    axis, _, sizes = _sides(decisions)
    codes, representatives = decisions.classes()
    some = np.zeros(len(representatives), dtype=np.bool_)
    some[_lines(decisions.of(representatives), axis, sizes).line // math.prod(sizes)] = True
    return some[codes]


def _sides(decisions: Decisions) -> tuple[Axis | None, tuple[str, ...], tuple[int, ...]]:
    """The axis along which amounts are told, the other dimensions, and how many values they have."""
    several = [axis for axis in decisions.axes if axis.numeric and len(axis.values) > 1]
    axis = max(several, key=lambda one: len(one.values), default=None)
    dims = tuple(dim for dim in decisions.dims[1:] if axis is None or dim != axis.name)
    return axis, dims, tuple(len(decisions.values(dim)) for dim in dims)


def _lines(different: Decisions, axis: Axis | None, sizes: tuple[int, ...]) -> _Lines:
    return _cells(different) if axis is None else _spans(different.flips(axis.name), axis, sizes)


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Where classes are allowed: one entry per span, and the lines that are not known exactly.

    Attributes:
        line: of each span, the number of its class and combination, ascending.
        span: of each, its position in ``kinds``.
        kinds: the different spans.
        inexact: the numbers of the lines of which only the checked values are known.
    """

    line: npt.NDArray[np.intp]
    span: npt.NDArray[np.intp]
    kinds: list[Span]
    inexact: npt.NDArray[np.intp]


def _cells(different: Decisions) -> _Lines:
    line = np.flatnonzero(different.allowed().ravel())
    return _Lines(line, np.zeros(len(line), dtype=np.intp), list(ANYWHERE), np.zeros(0, dtype=np.intp))


def _spans(found: Intervals, axis: Axis, sizes: tuple[int, ...]) -> _Lines:
    shape = (int(found.codes[0].max(initial=0)) + 1, *sizes)
    line = np.ravel_multi_index(found.codes, shape)
    exact = np.asarray(found.columns["exact"], dtype=np.bool_)
    inexact = np.unique(line[~exact])
    allowed = np.asarray(found.columns["effect"]) == "ALLOW"
    first, last = float(min(axis.values)), float(max(axis.values))
    lower, upper = (np.asarray(found.columns[name])[allowed] for name in ("lower", "upper"))
    closed = [np.asarray(found.columns[name])[allowed] for name in ("lower_closed", "upper_closed")]
    grid = ~exact[allowed]  # beyond the checked amounts nothing was asked
    table = np.column_stack(
        [
            np.where(grid, np.maximum(lower, first), lower),
            closed[0] | grid,
            np.where(grid, np.minimum(upper, last), upper),
            closed[1] | grid,
            ~grid,
        ]
    )
    kinds, of = np.unique(table, axis=0, return_inverse=True)
    order = np.argsort(line[allowed], kind="stable")
    spans = [Span(float(a), bool(b), float(c), bool(d), bool(e)) for a, b, c, d, e in kinds.tolist()]
    return _Lines(line[allowed][order], of.ravel()[order].astype(np.intp), spans, inexact)


def _outcomes(
    lines: _Lines, weights: npt.NDArray[np.intp], sizes: tuple[int, ...]
) -> dict[tuple[int, ...], tuple[Outcome, ...]]:
    """The outcomes of each combination, those who may least first."""
    each = math.prod(sizes)
    total = int(weights.sum())
    known, first, counts = np.unique(lines.line, return_index=True, return_counts=True)
    kinds: list[tuple[int, ...]] = [(one,) for one in range(len(lines.kinds))]
    numbers: dict[tuple[int, ...], int] = {}
    kind = lines.span[first] if len(first) else np.zeros(0, dtype=np.intp)
    for at in np.flatnonzero(counts > 1).tolist():
        own = tuple(lines.span[first[at] : first[at] + counts[at]].tolist())
        if own not in numbers:
            numbers[own] = len(kinds)
            kinds.append(own)
        kind[at] = numbers[own]
    pairs, inverse = np.unique(np.column_stack([known % each, kind]), axis=0, return_inverse=True)
    people = np.bincount(inverse.ravel(), weights=weights[known // each], minlength=len(pairs))
    found: list[list[Outcome]] = [[] for _ in range(each)]
    for (combination, number), count in zip(pairs.tolist(), people.astype(np.int64).tolist(), strict=True):
        spans = tuple(sorted(lines.kinds[one] for one in kinds[number]))
        found[combination].append(Outcome(count, spans, all(span.exact for span in spans)))
    outside = np.setdiff1d(lines.inexact, known)
    unknown = np.bincount(outside % each, weights=weights[outside // each], minlength=each)
    places = itertools.product(*map(range, sizes))
    made: dict[tuple[int, ...], tuple[Outcome, ...]] = {}
    for place, some, grid in zip(places, found, unknown.astype(np.int64).tolist(), strict=True):
        rest = total - sum(one.people for one in some)
        nothing = [Outcome(n, (), exact) for n, exact in ((grid, False), (rest - grid, True)) if n]
        made[place] = tuple(nothing + sorted(some, key=lambda one: _top(one.spans)))
    return made


def _top(spans: tuple[Span, ...]) -> tuple[float, bool]:
    return spans[-1].upper, spans[-1].upper_closed


def _reach(lines: _Lines, weights: npt.NDArray[np.intp], sizes: tuple[int, ...], action: int) -> Reach:
    each = math.prod(sizes)
    here = lines.line % each // math.prod(sizes[1:]) == action
    if not here.any():
        return Reach(0, None)
    top = max(
        (lines.kinds[one] for one in np.unique(lines.span[here]).tolist()), key=lambda one: _top((one,))
    )
    return Reach(int(weights[np.unique(lines.line[here] // each)].sum()), top)
