"""Conditions that Cerbos 0.55 takes for the same one although they differ.

It tells conditions apart by their expressions, in their order, and not by the blocks around them. Of rules
with the same effect, outputs, variables and constants it keeps one condition, the one that it loads first:
where one has ``none`` of an expression and one the expression itself, one gets the condition of the other.

Within a policy it also keeps the result for the other actions of a request. Between policies, of any kinds,
versions and scopes, it is settled when the PDP loads them, and not always in the same order.
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
            for own, texts, shape in _conditions(policy, rule, sets) if policy.about(rule, kind) else ():
                every = (*own, *texts)
                if every and shapes.setdefault(every, shape) != shape:
                    return True
    return False


def kinds_confused_with(policies: Sequence[PolicyRules], kind: str) -> tuple[str, ...]:
    """The kinds in other policies with a condition that Cerbos can take for one about a kind.

    Returns:
        As the policies name them, perhaps the kind itself (in another version or scope) or a pattern; sorted.
    """
    sets = {(one.name, role.name): role for one in policies for role in one.derived_roles}
    known: dict[tuple[object, ...], list[tuple[Shape, PolicyRules, Rule]]] = {}
    for policy in policies:
        for rule in policy.rules:
            outputs = tuple(sorted((name, one.text) for name, one in rule.outputs.items()))
            effect = "DENY" if policy.parental_consent and rule.condition is not None else rule.effect
            for own, texts, shape in _conditions(policy, rule, sets):
                key = (policy.type, effect, outputs, own, texts)
                if own or texts:
                    known.setdefault(key, []).append((shape, policy, rule))
    return tuple(
        sorted(
            {
                other.resource
                for alike in known.values()
                for shape, policy, rule in alike
                if policy.about(rule, kind)
                for unlike, elsewhere, other in alike
                if elsewhere is not policy and unlike != shape
            }
        )
    )


def _conditions(
    policy: PolicyRules, rule: Rule, sets: dict[tuple[str, str], DerivedRole]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Shape]]:
    """The expressions of each derived role's condition and of a rule's, and the shape of both."""
    texts, shape = _read(rule.condition)
    if policy.parental_consent and rule.effect == "ALLOW" and texts:
        shape = ("none", shape)  # it is a DENY rule with the opposite condition
    if rule.roles or not rule.derived_roles:
        yield (), texts, shape
    for name in rule.derived_roles:
        for one in policy.imported:
            if (one, name) in sets:
                own, around = _read(sets[one, name].condition)
                yield own, texts, (around, shape)


def _read(condition: Expression | None) -> tuple[tuple[str, ...], Shape]:
    if condition is None:
        return (), ()
    if condition.form not in BLOCKS:
        return (condition.text,), condition.text
    parts = [_read(part) for part in condition.parts]
    if len(parts) == 1 and condition.form != "none":
        return parts[0]
    return tuple(text for own, _ in parts for text in own), (condition.form, *(shape for _, shape in parts))
