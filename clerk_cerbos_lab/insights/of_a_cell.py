"""What a reader of a matrix asks about one of its cells: why, and what it would take to turn it around."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from clerk_cerbos_lab.decisions.axes import Axis
from clerk_cerbos_lab.decisions.situations import situations_in
from clerk_cerbos_lab.insights.counterfactuals import Cell, turned
from clerk_cerbos_lab.insights.why import why_asked, why_one

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clerk_cerbos_lab.decisions.counterfactual import Counterfactual, Counterfactuals
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.identity.disclosure import Disclosure

    Asks: TypeAlias = Callable[[], Explanation]


def why_at(
    decisions: Decisions,
    people: Sequence[int],
    places: Sequence[int],
    disclosure: Disclosure,
    *,
    amounts: Mapping[str, float],
    allowed: bool,
    aux_data: object = None,
) -> list[tuple[int, Explanation]]:
    """Why a cell of a matrix is what it is, or the same cell of several people.

    Args:
        decisions: that the matrix shows.
        people: the positions of the principals.
        places: of the cell, as positions on each dimension after the first.
        disclosure: what may be shown.
        amounts: by axis, an amount in the cell that need not be among the values of the axis.
        allowed: the effect of the cell, equal for all of them.
        aux_data: as in ``Decisions.why``.

    Returns:
        For each distinct situation, how many of these people are in it and the explanation of the first
        of them, the most frequent first.
    """
    action, *rest = places
    some = decisions.of(np.array(people, dtype=np.intp)).sel(action=decisions.actions[action])
    axes = _axes(decisions, rest, amounts)
    counts, firsts = _alike(some, rest, amounts)
    each = (some.of(np.array([first], dtype=np.intp)) for first in firsts)
    return [
        (count, why_one(one, axes, disclosure, allowed=allowed, aux_data=aux_data))
        for count, one in zip(counts, each, strict=True)
    ]


def _alike(
    some: Decisions, places: Sequence[int], amounts: Mapping[str, float]
) -> tuple[list[int], list[int]]:
    """How many people are in each situation in this cell, and the first of each."""
    if len(some.names) == 1:
        return [1], [0]
    between = [axis.name in amounts for axis in some.axes]
    at = [
        amounts[axis.name] if axis.name in amounts else int(own[place])
        for axis, own, place in zip(some.axes, some.index[2:], places, strict=True)
    ]
    counts, firsts = situations_in(some.cube, some.index[0], at, between)
    order = np.argsort(-counts, kind="stable")
    return counts[order].tolist(), firsts[order].tolist()


def _axes(decisions: Decisions, places: Sequence[int], amounts: Mapping[str, float]) -> list[Axis]:
    """Each axis with its value in a cell."""
    return [
        Axis(axis.name, (amounts[axis.name] if axis.name in amounts else axis.values[at],))
        for axis, at in zip(decisions.axes, places, strict=True)
    ]


def changes_at(
    decisions: Decisions,
    person: int,
    places: Sequence[int],
    disclosure: Disclosure,
    *,
    amounts: Mapping[str, float],
    allowed: bool,
    aux_data: object = None,
    on_asked: Callable[[int], object],
) -> tuple[Counterfactuals, list[Asks | None]]:
    """The smallest changes that turn a cell of a matrix around.

    Args:
        decisions: as in ``why_at``.
        person: the position of the principal.
        places: as in ``why_at``.
        disclosure: as in ``why_at``.
        amounts: as in ``why_at``.
        allowed: as in ``why_at``.
        aux_data: as in ``Decisions.why``.
        on_asked: called now and then with how many requests were answered.

    Returns:
        The changes, and for each a function that asks the changed request and explains its answer; None where
        the request contains what may not be shown.

    Raises:
        LabError: as ``Decisions.counterfactuals``.
    """
    action, *rest = places
    own = decisions.of(np.array([person], dtype=np.intp)).sel(action=decisions.actions[action])
    axes = tuple(_axes(decisions, rest, amounts))
    cell = Cell(decisions, own, axes, disclosure, allowed=allowed, aux_data=aux_data)
    found, requests = turned(cell, on_asked=on_asked)
    return found, [
        None if request is None else partial(why_asked, own, request, disclosure, _own(change))
        for change, request in zip(found.found, requests, strict=True)
    ]


def _own(found: Counterfactual) -> dict[str, str]:
    """The changed attributes of the principal; roles are shown with the principal anyway."""
    own = [change for change in found.changes if change.what.startswith("principal.")]
    return {change.what: change.label for change in own}
