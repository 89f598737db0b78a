"""Which rule makes a boundary: what became of rules on both sides of a number at which an effect flips."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clerk_cerbos_lab.decisions.explanation import APPLIED, FALSE, SILENT, TRUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.explanation import Condition, ExplainedRule, Explanation
    from clerk_cerbos_lab.decisions.explanations import Explanations


@dataclass(frozen=True, slots=True)
class Boundary:
    """A comparison of which the outcome changes at a number, and with it the rule and the effect.

    Attributes:
        axis: the position of the axis.
        other: what the axis is compared with: a number, or a slot for a number of a person's own.
        rule: the name of the rule.
        name: what the other side is called; empty for a literal.
    """

    axis: int
    other: Any
    rule: str
    name: str


def boundaries(known: Explanations, action: str, slots: dict[str, int]) -> dict[Boundary, set[int]]:
    """What makes the boundaries of an action along axes that are cut; nothing where that is not known.

    Args:
        known: the explanations.
        action: the action.
        slots: for each numeric axis the slot of its value, and its position.

    Returns:
        For each boundary, the numbers of the kinds for whom it is one.
    """
    found: dict[Boundary, set[int]] = {}
    made: dict[tuple[int, int, int], list[Boundary]] = {}
    cells = known.cells[action]
    for kind, (points, table) in enumerate(zip(cells.points, cells.templates, strict=True)):
        for axis, codes in enumerate(points):
            for pair in _neighbours(table, axis) if codes is None else ():
                one, other = (known.templates[number] for number in pair)
                if one.effect == other.effect:
                    continue
                if (*pair, axis) not in made:
                    made[*pair, axis] = list(_between(one, other, axis, slots))
                for boundary in made[*pair, axis]:
                    found.setdefault(boundary, set()).add(kind)
    return found


def _neighbours(table: npt.NDArray[np.intp], axis: int) -> set[tuple[int, int]]:
    """The different templates that are next to each other along an axis."""
    pairs: set[tuple[int, int]] = set()
    for line in np.unique(np.moveaxis(table, axis, -1).reshape(-1, table.shape[axis]), axis=0):
        there = line[line >= 0].tolist()  # a gap between two neighbouring doubles has none
        pairs.update((one, other) for one, other in itertools.pairwise(there) if one != other)
    return pairs


def _between(one: Explanation, other: Explanation, axis: int, slots: dict[str, int]) -> Iterator[Boundary]:
    """The comparisons that make one explanation's effect the other's.

    Where another rule would still allow the request, only DENY rules make it a DENY.
    """
    allowing, denying = (one, other) if one.effect == "ALLOW" else (other, one)
    before, after = _by_key(allowing.rules), _by_key(denying.rules)
    still = any(_would_allow(rule) for rule in denying.rules)
    for key in before.keys() & after.keys():
        allowed, denied = before[key], after[key]
        applied, unmet = (allowed, denied) if allowed.effect == "ALLOW" else (denied, allowed)
        if still and allowed.effect == "ALLOW" and allowed.type != "role":
            continue
        if applied.status == APPLIED and unmet.status != APPLIED:
            yield from _changed(applied, unmet, axis, slots)


def _would_allow(rule: ExplainedRule) -> bool:
    """Whether an ALLOW rule applied, or was only not evaluated."""
    silent = rule.status == SILENT and rule.to_change == () and not rule.needed_roles
    return rule.effect == "ALLOW" and rule.type != "role" and (rule.status == APPLIED or silent)


def _by_key(rules: Sequence[ExplainedRule]) -> dict[tuple[Any, ...], ExplainedRule]:
    """The rules by what tells them apart, without those that nothing does."""
    keys = [(rule.policy, rule.name, rule.effect, rule.line) for rule in rules]
    counts = Counter(keys)
    return {key: rule for key, rule in zip(keys, rules, strict=True) if counts[key] == 1}


def _changed(
    applied: ExplainedRule, unmet: ExplainedRule, axis: int, slots: dict[str, int]
) -> Iterator[Boundary]:
    """The comparisons with an axis that are all that one side of a rule lacks, or part of it."""
    lacking = None if unmet.to_change is None else {atom.source for atom in unmet.to_change}
    for there, here in zip(_atoms(applied), _atoms(unmet), strict=False):
        same = there.source == here.source and {there.outcome, here.outcome} == {TRUE, FALSE}
        if same and (lacking is None or here.source in lacking):
            for one, other in (here.values, here.values[::-1]) if len(here.values) == 2 else ():
                if slots.get(one.label) == axis:
                    called = "" if other.name == other.source else other.name
                    yield Boundary(axis, other.value, applied.name, called)


def _atoms(rule: ExplainedRule) -> list[Condition]:
    """The atoms of a rule and its derived roles, in an order that does not depend on outcomes."""
    conditions = [role.condition for role in rule.roles] + [rule.condition]
    return [
        part
        for condition in conditions
        if condition is not None
        for part in condition.walk()
        if part.form == "atom"
    ]
