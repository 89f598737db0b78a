"""Which parts of a condition would have to change for it to be met, given what the PDP saw.

The outcomes are the PDP's; only the structure of the condition is read here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from clerk_cerbos_lab.decisions.explanation import ERROR, FALSE, SILENT, TRUE, UNKNOWN
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.decisions.explanation import Condition, ExplainedRule, Role, SeenValue

Changes: TypeAlias = "Mapping[str, tuple[Condition, str]]"
"""Atoms by their source, each with the outcome that it would have to have."""

NOT_TRUE: Final = "not true"
"""What a part of a ``none`` block has to be: false, or an error in lenient evaluation."""

_OPPOSITE: Final = {TRUE: FALSE, FALSE: TRUE}

_NEVER_VARY: Final = ("C.", "constants.", "G.", "globals.")


def changes_of_rule(
    roles: Sequence[Role], condition: Condition | None, *, held: bool | None
) -> tuple[tuple[Condition, ...] | None, tuple[str, ...]]:
    """The fewest atoms that would have to change for a rule to apply.

    Args:
        roles: that the rule names.
        condition: of the rule.
        held: whether one of the roles is held.

    Returns:
        The atoms, each once; None if no change of an attribute is enough, or an outcome is not known. And the
        roles of which one is needed besides, if no change of an attribute gives one that the rule names.
    """
    if held or not roles:
        return _atoms(_way(None, condition)), ()
    if any(role.parent_held for role in roles if role.derived):
        ways = [_way(role.condition, condition) for role in roles if _could_be_held(role)]
        return _atoms(_fewest(ways)), ()
    each = [(_way(role.condition, condition), role) for role in roles]
    fewest = _fewest([way for way, _ in each])
    near = [role for way, role in each if fewest is None or (way is not None and way.keys() == fewest.keys())]
    needed = [name for role in near for name in (role.parent_roles if role.derived else (role.name,))]
    return _atoms(fewest), tuple(dict.fromkeys(needed))


def _way(of_role: Condition | None, condition: Condition | None) -> Changes | None:
    """The fewest changes after which both are true."""
    needed = [one for one in (of_role, condition) if one is not None]
    way = _together([(one, TRUE) for one in needed])
    return way if way is not None and all(_after(one, way) == TRUE for one in needed) else None


def _atoms(way: Changes | None) -> tuple[Condition, ...] | None:
    return None if way is None else tuple(atom for atom, _ in way.values())


def _could_be_held(role: Role) -> bool:
    """Whether a change of its condition can give a derived role."""
    return bool(role.derived and role.parent_held and role.condition and role.condition.outcome != TRUE)


def _changes(condition: Condition, wanted: str) -> Changes | None:  # noqa: PLR0911 - one return per form
    """The fewest atoms that would have to change for a condition to have an outcome; None if impossible."""
    if condition.outcome == wanted or (wanted == NOT_TRUE and condition.outcome in {FALSE, ERROR}):
        return {}
    form, parts = condition.form, condition.parts
    if form == "variable":
        return _changes(parts[0], wanted)
    if form == "not":
        return _changes(parts[0], _OPPOSITE.get(wanted, TRUE))
    if form == "if":
        test, then, otherwise = parts
        return _fewest(
            [_together([(test, TRUE), (then, wanted)]), _together([(test, FALSE), (otherwise, wanted)])]
        )
    below = NOT_TRUE if form in {"all", "any"} else wanted  # in a match block an error is not met
    if form in {"and", "all"}:
        return _every(parts, TRUE) if wanted == TRUE else _one(parts, below)
    if form in {"or", "any"}:
        return _one(parts, TRUE) if wanted == TRUE else _every(parts, below)
    if form == "none":
        return _every(parts, NOT_TRUE) if wanted == TRUE else _one(parts, TRUE)
    if condition.outcome == UNKNOWN or (form == "atom" and not any(map(_varies, condition.values))):
        return None
    return {condition.source: (condition, FALSE if wanted == NOT_TRUE else wanted)}


def _varies(value: SeenValue) -> bool:
    """Whether a value comes from the request: a literal or a constant can't change."""
    if value.parts:
        return any(map(_varies, value.parts))
    return value.source != value.name and not value.source.startswith(_NEVER_VARY)


def _every(parts: Sequence[Condition], wanted: str) -> Changes | None:
    return _together([(part, wanted) for part in parts])


def _one(parts: Sequence[Condition], wanted: str) -> Changes | None:
    return _fewest([_changes(part, wanted) for part in parts])


def _together(wanted: Sequence[tuple[Condition, str]]) -> Changes | None:
    """The changes of several conditions; None if two of them contradict each other."""
    found: dict[str, tuple[Condition, str]] = {}
    for part, outcome in wanted:
        some = _changes(part, outcome)
        if some is None or any(
            source in found and found[source][1] != to for source, (_, to) in some.items()
        ):
            return None
        found.update(some)
    return found


def _fewest(ways: Sequence[Changes | None]) -> Changes | None:
    return min((way for way in ways if way is not None), key=len, default=None)


def _after(condition: Condition, changed: Changes) -> str:  # noqa: PLR0911 - one return per form
    """The outcome of a condition after these atoms have changed, wherever they occur in it."""
    parts = [_after(part, changed) for part in condition.parts]
    form = condition.form
    if form in {"and", "all"}:
        return _combined(parts, decisive=FALSE, block=form == "all")
    if form in {"or", "any"}:
        return _combined(parts, decisive=TRUE, block=form == "any")
    if form == "none":
        return FALSE if TRUE in parts else TRUE
    if form == "not":
        return _OPPOSITE.get(parts[0], parts[0])
    if form == "if":
        return {TRUE: parts[1], FALSE: parts[2]}.get(parts[0], parts[0])
    if form == "variable":
        return parts[0]
    return changed[condition.source][1] if condition.source in changed else condition.outcome


def _combined(parts: Sequence[str], *, decisive: str, block: bool) -> str:
    told = [FALSE if block and part == ERROR else part for part in parts]
    if decisive in told:
        return decisive
    return next((part for part in told if part in {ERROR, UNKNOWN}), _OPPOSITE[decisive])


def distance(rule: ExplainedRule) -> tuple[bool, bool, bool, int, float]:
    """How far a rule is from applying.

    Returns:
        Whether it only was not evaluated, whether a role is missing, whether a derived role is not held, how
        many atoms would have to change, and by how much if they compare numbers.
    """
    to_change = rule.to_change
    needs_role = bool(rule.needed_roles)
    silent = rule.status == SILENT and to_change == () and not needs_role
    if to_change is None:
        return (silent, needs_role, not rule.held, _FAR, math.inf)
    return (silent, needs_role, not rule.held, len(to_change), sum(map(_gap, to_change)))


_FAR: Final = 1_000


def _gap(atom: Condition) -> float:
    """The difference of the two numbers that an atom compares; infinite for anything else."""
    numbers = [value.value for value in atom.values if is_number(value.value)]
    return abs(numbers[0] - numbers[1]) if len(numbers) == len(atom.values) == 2 else math.inf
