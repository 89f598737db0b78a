"""Conditions that Cerbos 0.55 takes for the same one although they differ.

It tells conditions apart by their expressions, in their order, and not by the blocks around them. So of two
rules of a policy, one with ``none`` of an expression and one with the expression itself, one may get the
result of the other, and it keeps that result for the other actions of the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from clerk_cerbos_lab.policies.conditions import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.policies.conditions import Expression
    from clerk_cerbos_lab.policies.rules import DerivedRole, PolicyRules, Rule

Shape: TypeAlias = "str | tuple[object, ...]"
"""A condition with its blocks."""


def has_confused_conditions(policies: Sequence[PolicyRules], kind: str) -> bool:
    """Whether two conditions in a policy about a kind have the same expressions in different blocks."""
    sets = {(one.name, role.name): role for one in policies for role in one.derived_roles}
    for policy in policies:
        shapes: dict[tuple[str, ...], Shape] = {}
        for rule in policy.rules if policy.type != "derived roles" else ():
            for texts, shape in _conditions(policy, rule, sets) if policy.about(rule, kind) else ():
                if texts and shapes.setdefault(texts, shape) != shape:
                    return True
    return False


def _conditions(
    policy: PolicyRules, rule: Rule, sets: dict[tuple[str, str], DerivedRole]
) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """The expressions and the shape of a rule's condition, alone and after that of each derived role."""
    texts, shape = _read(rule.condition)
    if policy.parental_consent and rule.effect == "ALLOW" and texts:
        shape = ("none", shape)  # it is a DENY rule with the opposite condition
    if rule.roles or not rule.derived_roles:
        yield texts, shape
    for name in rule.derived_roles:
        for one in policy.imported:
            if (one, name) in sets:
                own, around = _read(sets[one, name].condition)
                yield (*own, *texts), (around, shape)


def _read(condition: Expression | None) -> tuple[tuple[str, ...], Shape]:
    if condition is None:
        return (), ()
    if condition.form not in BLOCKS:
        return (condition.text,), condition.text
    parts = [_read(part) for part in condition.parts]
    if len(parts) == 1 and condition.form != "none":
        return parts[0]
    return tuple(text for own, _ in parts for text in own), (condition.form, *(shape for _, shape in parts))
