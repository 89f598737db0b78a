"""Where along a numeric axis somebody is denied because of broken data, if that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from clerk_cerbos_lab.decisions.explanations import is_broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanations import ExplainedCells
    from clerk_cerbos_lab.identity.disclosure import Disclosure


@dataclass(frozen=True, slots=True)
class Stretch:
    """Numbers from one end to the other; where only some numbers are known, those among them."""

    lower: float
    lower_closed: bool
    upper: float
    upper_closed: bool


Find: TypeAlias = "Callable[[int, Sequence[int]], tuple[Stretch, ...]]"
"""Finds the stretches of a principal at positions on the other dimensions (that of the axis is ignored)."""


def finder(decisions: Decisions, shown: Disclosure, axis: str) -> Find | None:
    """What finds the stretches along an axis; None if no stretch is known.

    Where decisions hold no explanations, or not to be shown so, none is known.
    """
    known = decisions.explanations
    if known is None or known.names != shown.names:
        return None
    broken = {number for number, one in enumerate(known.templates) if is_broken(one)}
    if not broken:
        return None
    along = decisions.dims.index(axis) - 2
    principals, _, *index = decisions.index
    found: dict[tuple[object, ...], tuple[Stretch, ...]] = {}

    def find(person: int, places: Sequence[int]) -> tuple[Stretch, ...]:
        action, *rest = places
        cells, principal = known.cells[decisions.actions[action]], int(principals[person])
        others = [0 if at == along else place for at, place in enumerate(rest)]
        mark = (action, *others, *cells.same(principal))
        if mark in found:
            return found[mark]

        def at(number: float, place: int) -> bool:
            chosen = [place if i == along else other for i, other in enumerate(others)]
            numbers = [
                number if i == along else (one.values[j] if one.numeric else None)
                for i, (one, j) in enumerate(zip(decisions.axes, chosen, strict=True))
            ]
            cube = [int(own[j]) for own, j in zip(index, chosen, strict=True)]
            return cells.at(principal, cube, numbers) in broken

        if _is_cut(cells, principal, along):
            cuts = cells.cuts[int(cells.lines[along][principal])]
            parts = [(stretch, at(inside, 0)) for stretch, inside in _parts(cuts)]
        else:
            values = decisions.axes[along].values
            order = sorted(range(len(values)), key=lambda place: values[place])
            parts = [(Stretch(values[i], True, values[i], True), at(values[i], i)) for i in order]  # noqa: FBT003
        found[mark] = tuple(_joined(parts))
        return found[mark]

    return find


def _is_cut(cells: ExplainedCells, principal: int, along: int) -> bool:
    kind = int(cells.kinds[principal])
    return kind >= 0 and cells.points[kind][along] is None


def _parts(cuts: Sequence[float]) -> Iterator[tuple[Stretch, float]]:
    """The gaps between cuts, and the cuts, in order, each with a number in it."""
    below = -math.inf
    for cut in cuts:
        inside = math.nextafter(cut, -math.inf)
        if inside > below:
            yield Stretch(below, False, cut, False), inside  # noqa: FBT003
        yield Stretch(cut, True, cut, True), cut  # noqa: FBT003
        below = cut
    yield Stretch(below, False, math.inf, False), math.nextafter(below, math.inf) if cuts else 0.0  # noqa: FBT003


def _joined(parts: Sequence[tuple[Stretch, bool]]) -> Iterator[Stretch]:
    """The broken parts; those that follow each other are one."""
    first: Stretch | None = None
    last: Stretch | None = None
    for part, broken in parts:
        if broken:
            first, last = first or part, part
        elif first is not None and last is not None:
            yield Stretch(first.lower, first.lower_closed, last.upper, last.upper_closed)
            first = None
    if first is not None and last is not None:
        yield Stretch(first.lower, first.lower_closed, last.upper, last.upper_closed)
