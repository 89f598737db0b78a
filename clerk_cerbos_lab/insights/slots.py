"""What differs between the people and cells that share an explanation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.attribute_names import is_inside, name_of, steps_of
from clerk_cerbos_lab.decisions.explanations import MOST_SLOTS, QUOTED, SLOT, slot_of
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.closest import distance
from clerk_cerbos_lab.values import RESOURCE_ID, Relation, uses_self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerk_cerbos_lab.decisions.explanation import Condition, ExplainedRule
    from clerk_cerbos_lab.decisions.question import Question

NOT_STORED: Final = "not stored"
"""In place of a computed value that differs between those who share an explanation."""

Path = tuple[str, ...]


class Slots:
    """Characters that stand for the values of a person and of a cell.

    Args:
        question: what is asked about each person.
    """

    def __init__(self, question: Question) -> None:
        self.paths: dict[Path, str] = {}
        held = {axis.name: axis.values for axis in question.axes}
        fixed = {name: value for name, value in question.fixed.items() if uses_self(value)}
        self._plain = {*held, *(name for name, value in fixed.items() if isinstance(value, Relation))}
        self._differing = {*held, *fixed}
        self.numeric = {("R", "attr", *steps_of(axis.name)) for axis in question.axes if axis.numeric}

    def of(self, path: Path) -> str | None:
        """The slot of a path; None if its value is the same for all, or can't be filled in."""
        of_principal = path == ("P", "id") or (path[:2] == ("P", "attr") and len(path) > 2)
        of_resource = _attribute(path) in self._plain
        return self._slot(path) if of_principal or of_resource else None

    def quoted(self, path: Path) -> str | None:
        """The slot of a path whose value is a text, which stands for the text in quotation marks."""
        return None if self.of(path) is None else self._slot((QUOTED, *path))

    def _slot(self, path: Path) -> str:
        if path not in self.paths and len(self.paths) == MOST_SLOTS:
            msg = f"the policies read more than {MOST_SLOTS:,} values that differ: explain fewer actions"
            raise InputError(msg)
        return self.paths.setdefault(path, slot_of(len(self.paths)))

    def differs(self, paths: Iterable[Path]) -> bool:
        """Whether any of these values may differ between people or cells."""
        return any(map(self._may_differ, paths))

    def _may_differ(self, path: Path) -> bool:
        if path[0] == "P":
            return path[1:2] != ("roles",)
        if path[0] == "R":
            name = _attribute(path)
            if name is None:  # the whole resource, or all its attributes
                return path[1:2] not in {("kind",), ("scope",), ("policyVersion",)} and bool(self._differing)
            return any(is_inside(one, name) or is_inside(name, one) for one in self._differing)
        return path[0] == "request" and path[1:2] != ("auxData",)


def _attribute(path: Path) -> str | None:
    if path == ("R", "id"):
        return RESOURCE_ID
    return name_of(path[2:]) if path[:2] == ("R", "attr") and len(path) > 2 else None


def slots_in(rule: ExplainedRule) -> list[Any]:
    """The slots in the values of the atoms that would have to change for a rule to apply."""
    atoms = rule.to_change or ()
    return [value.label for atom in atoms for value in atom.values if SLOT.search(value.label)]


def are_ordered(one: ExplainedRule, other: ExplainedRule, slots: Slots) -> bool:
    """Whether of two rules the same one is closer for everybody, if it is for one of them.

    How far a rule is from applying is how much the numbers in its atoms differ. That order is the same for
    all if no number in them differs between people and cells, or if both have one atom, which compares the
    same axis in the same direction with something that is no axis: how such numbers are ordered is part of
    what the people of a situation have in common.
    """
    if not _is_computed(one) and not _is_computed(other):
        endless = math.inf in {distance(one)[-1], distance(other)[-1]}  # not only numbers are compared
        if endless or not (slots_in(one) or slots_in(other)):
            return True
    ways = [_way(rule.to_change or (), slots) for rule in (one, other)]
    return ways[0] is not None and ways[0] == ways[1]


def _is_computed(rule: ExplainedRule) -> bool:
    """Whether a value in these atoms is computed from values that differ, and so not known here."""
    return any(value.label == NOT_STORED for atom in rule.to_change or () for value in atom.values)


def _way(atoms: tuple[Condition, ...], slots: Slots) -> tuple[str, str, str, int] | None:
    """Axis, operator, outcome and side of the only atom; None if it is not of that form."""
    if len(atoms) != 1 or len(atoms[0].values) != 2:
        return None
    axes = {slots.paths.get(path) for path in slots.numeric} - {None}
    sides = [place for place, value in enumerate(atoms[0].values) if value.label in axes]
    if len(sides) != 1:
        return None
    found = next((sign for sign in (" ≤ ", " ≥ ", " < ", " > ") if sign in atoms[0].sentence), None)
    return None if found is None else (atoms[0].values[sides[0]].label, found, atoms[0].outcome, sides[0])
