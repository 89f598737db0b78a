"""The explanations of decisions as the browser holds them: templates, and what to fill in for a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.attribute_names import name_of
from clerk_cerbos_lab.decisions.boundaries import boundaries
from clerk_cerbos_lab.decisions.explanations import (
    QUOTED,
    is_broken,
    label_of,
    segments_of,
    slot_of,
    value_of,
)
from clerk_cerbos_lab.display.explanation_nodes import Nodes
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.policies.literals import literals_in
from clerk_cerbos_lab.values import OTHER_ID, RESOURCE_ID, SELF, is_number, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanations import ExplainedCells, Explanations, Path
    from clerk_cerbos_lab.identity.disclosure import Disclosure


def embedded(decisions: Decisions, shown: Disclosure) -> dict[str, Any] | None:
    """What the browser needs to explain every cell; None if the decisions hold no explanations to show so.

    Returns:
        ``texts``, ``nodes``, ``explanations`` (see ``explanation_nodes``); ``slots``, for each what it stands
        for (an axis with its labels, or codes and labels for each principal); ``cells``, by action;
        ``broken``: the explanations of what is denied because of broken data; ``breaks``: the rules that
        make boundaries.
    """
    known = decisions.explanations
    if known is None or known.names != shown.names:
        return None
    nodes = Nodes()
    numbers = [nodes.add(template) for template in known.templates]
    broken = [
        number for number, template in zip(numbers, known.templates, strict=True) if is_broken(template)
    ]
    people = read_principals(decisions.principals)
    labels = _Labels(shown)
    slots = [_slot(decisions, path, labels, people) for path in known.slots]
    public = _public(decisions, shown)
    cells = [_cells(decisions, known.cells[action], numbers, public) for action in decisions.actions]
    breaks = _breaks(decisions, known, cells)
    return {**nodes.to_dict(), "slots": slots, "cells": cells, "broken": broken, "breaks": breaks}


class _Labels:
    """Labels of values, each different one once."""

    def __init__(self, shown: Disclosure) -> None:
        self._shown = shown

    def coded(self, path: Path, values: Sequence[Any]) -> dict[str, Any]:
        places: dict[str, int] = {}
        codes = [places.setdefault(self.of(path, value), len(places)) for value in values]
        return {"labels": list(places), "codes": codes}

    def of(self, path: Path, value: Any) -> str:
        return label_of(path, value, self._shown)


def _slot(decisions: Decisions, path: Path, labels: _Labels, people: Sequence[Any]) -> dict[str, Any]:
    """What a slot stands for: a label for each principal, or for each value of an axis."""
    of = path[1:] if path[0] == QUOTED else path
    name = "" if of[0] == "P" else RESOURCE_ID if of == ("R", "id") else name_of(of[2:])
    axis = next((at for at, one in enumerate(decisions.axes) if one.name == name), None)
    if axis is None:
        return labels.coded(path, [value_of(path, person, decisions.fixed) for person in people])
    values = decisions.axes[axis].values
    if all(map(is_number, values)):
        return {"dim": axis + 2}
    made: dict[str, Any] = {"dim": axis + 2}
    made["labels"] = [
        None if value is SELF else labels.of(path, resolve(value, own="", other=OTHER_ID)) for value in values
    ]
    if None in made["labels"]:
        made["own"] = labels.coded(path, [person.id for person in people])
    return made


def _cells(
    decisions: Decisions, cells: ExplainedCells, numbers: Sequence[int], public: Sequence[set[float] | None]
) -> dict[str, Any]:
    """Which explanation each cell of an action has, by the positions that the browser knows.

    Args:
        decisions: the decisions.
        cells: of the action.
        numbers: of the templates.
        public: for each principal the numbers that may be shown; None for any. Where others cut an axis, only
            the point of each of its values is told.
    """
    principals, _, *places = decisions.index
    used: dict[tuple[int, tuple[int | None, ...]], int] = {}
    codes: dict[tuple[int, ...], int] = {}
    cuts: dict[int, int] = {}
    lines: dict[int, list[int]] = {at: [] for at in sorted(cells.lines)}
    kinds = []
    for principal, known in zip(principals.tolist(), public, strict=True):
        kind = int(cells.kinds[principal])
        points: list[int | None] = []
        for at, own in enumerate(cells.points[kind] if kind >= 0 else ()):
            line = int(cells.lines[at][principal]) if own is None else -1
            hidden = line >= 0 and known is not None and not known.issuperset(cells.cuts[line])
            if own is not None:
                points.append(codes.setdefault(tuple(own[places[at]].tolist()), len(codes)))
            elif hidden:
                of = segments_of(cells.cuts[line], decisions.axes[at].values)
                points.append(codes.setdefault(tuple(of.tolist()), len(codes)))
            else:
                points.append(None)
            if at in lines:
                lines[at].append(-1 if line < 0 or hidden else cuts.setdefault(line, len(cuts)))
        kinds.append(-1 if kind < 0 else used.setdefault((kind, tuple(points)), len(used)))
    tables = [cells.templates[kind] for kind, _ in used]
    flat = [[-1 if one < 0 else numbers[one] for one in table.ravel().tolist()] for table in tables]
    return {
        "kinds": kinds,
        "each": [
            {"points": list(points), "shape": list(table.shape), "table": own}
            for (_, points), table, own in zip(used, tables, flat, strict=True)
        ],
        "codes": [list(one) for one in codes],
        "lines": [lines.get(at) for at in range(len(places))],
        "cuts": [list(cells.cuts[one]) for one in cuts],
    }


def _public(decisions: Decisions, shown: Disclosure) -> list[set[float] | None]:
    """For each principal the numbers that a page may contain; None for any."""
    people = read_principals(decisions.principals)
    if shown.names:
        return [None] * len(people)
    common = set(literals_in(decisions.documents).numbers)
    common.update(float(value) for axis in decisions.axes if axis.numeric for value in axis.values)
    return [
        common | {float(value) for name in shown.attributes if is_number(value := person.attr.get(name))}
        for person in people
    ]


def _breaks(decisions: Decisions, known: Explanations, cells: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """What makes the boundaries along numeric axes, see ``decisions.boundaries``.

    Returns:
        For each: dimension, ``number`` or ``slot`` and which, the rule in words, and for each action the
        kinds in ``cells`` for whom it makes one.
    """
    slots = {
        slot_of(number): at
        for number, path in enumerate(known.slots)
        for at, axis in enumerate(decisions.axes)
        if axis.numeric and path[:2] == ("R", "attr") and name_of(path[2:]) == axis.name
    }
    places = {slot_of(number): number for number, path in enumerate(known.slots) if path[0] == "P"}
    principals = decisions.index[0]
    found: dict[tuple[Any, ...], list[set[int]]] = {}
    for place, action in enumerate(decisions.actions):
        shown: dict[int, set[int]] = {}  # a kind, and its numbers here
        of_principals = known.cells[action].kinds[principals].tolist()
        for kind, number in zip(of_principals, cells[place]["kinds"], strict=True):
            shown.setdefault(kind, set()).add(number)
        for one, kinds in boundaries(known, action, slots).items():
            words = f"{one.rule} · {one.name}" if one.name else one.rule
            if one.other in places:
                key: tuple[Any, ...] = (one.axis + 2, "slot", places[one.other], words)
            elif is_number(one.other):
                key = (one.axis + 2, "number", one.other, words)
            else:
                continue
            each = found.setdefault(key, [set() for _ in decisions.actions])
            each[place].update(number for kind in kinds for number in shown.get(kind, ()))
    return [
        [*key, [sorted(some) for some in each]]
        for key, each in sorted(found.items(), key=lambda item: repr(item[0]))
        if any(each)
    ]
