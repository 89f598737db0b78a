"""What no value at all can reach: by the structure of the policies, and what the PDP computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.insights.coverage_counts import ERROR, FALSE, TRUE, VALUE
from clerk_cerbos_lab.insights.coverage_parts import ATOM, DERIVED_ROLE, RULE, names_used
from clerk_cerbos_lab.pdp.probes import probe_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clerk_cerbos_lab.insights.coverage_counts import Counts
    from clerk_cerbos_lab.insights.coverage_parts import Part, Parts
    from clerk_cerbos_lab.pdp.probes import Probe
    from clerk_cerbos_lab.policies.conditions import Expression
    from clerk_cerbos_lab.policies.index import PolicyIndex
    from clerk_cerbos_lab.policies.rules import PolicyRules, Rule

NAMES: Final = {TRUE: "true", FALSE: "false", ERROR: "an error", VALUE: "the same value"}

_ANYTHING: Final = frozenset({TRUE, FALSE, ERROR})


class Limits:
    """Which outcomes are impossible.

    Args:
        index: of the policies.
        parts: of some of them.
        counts: what the PDP computed.
    """

    def __init__(self, index: PolicyIndex, parts: Parts, counts: Counts) -> None:
        self._index = index
        self._parts = parts
        self._constants = counts.constants
        self._never: dict[int, str] = {}  # rules and derived roles that are never evaluated, with the reason
        for policy in parts.policies:
            self._read(policy)

    def _read(self, policy: PolicyRules) -> None:
        always: list[Rule] = []
        for rule in policy.rules:
            part = self._parts.of_rule.get(rule.key)
            if part is None:
                continue
            before = next((one for one in always if self._covers(policy, one, rule)), None)
            if before is not None:
                self._never[part] = f"{before.name} always denies before it"
            elif not rule.roles and rule.derived_roles and not any(self._can_be_held(policy, rule)):
                self._never[part] = "its derived roles can never be held"
            possible = {TRUE} if rule.condition is None else self.possible(policy.number, rule.condition)
            if rule.effect == "DENY" and policy.type == "resource" and possible == {TRUE}:
                always.append(rule)
        named = {
            name
            for one in self._index.rules
            if policy.name in one.imported
            for rule in one.rules
            for name in rule.derived_roles
        }
        here = {
            name
            for one in self._parts.policies
            if policy.name in one.imported
            for rule in one.rules
            for name in rule.derived_roles
        }
        for role in policy.derived_roles:
            if role.name not in here:
                why = "only rules about other kinds name it" if role.name in named else "no rule names it"
                self._never[self._parts.of_role[policy.number, role.number]] = why

    def _can_be_held(self, policy: PolicyRules, rule: Rule) -> Iterator[bool]:
        for where in self._parts.policies:
            for role in where.derived_roles:
                if where.name in policy.imported and role.name in rule.derived_roles:
                    yield role.condition is None or TRUE in self.possible(where.number, role.condition)

    def _covers(self, policy: PolicyRules, denying: Rule, rule: Rule) -> bool:
        """Whether a rule that always denies does so for every action and role of a later one."""
        if not ("*" in denying.actions or set(rule.actions) <= set(denying.actions)):
            return False
        parents = {
            name
            for where in self._index.rules
            if where.type == "derived roles" and where.name in policy.imported
            for role in where.derived_roles
            if role.name in rule.derived_roles
            for name in role.parent_roles
        }
        return "*" in denying.roles or {*rule.roles, *parents} <= set(denying.roles)

    def possible(self, number: int, expression: Expression) -> frozenset[int] | set[int]:
        """The outcomes that an expression can have, or more."""
        if expression.match is None:
            known = self._constants.get((number, probe_of(expression)))
            if known is not None:
                return {known}
        form = expression.form
        each = [self.possible(number, part) for part in expression.parts]
        if not each or form not in {"all", "any", "none", "and", "or", "not", "variable"}:
            return _ANYTHING
        if form == "variable":
            return each[0]
        if form == "not":
            return {{TRUE: FALSE, FALSE: TRUE}.get(one, one) for one in each[0]}
        met = all if form in {"all", "and"} else any
        unmet = any if form in {"all", "and"} else all
        if form == "none":
            can = {TRUE} if all(some - {TRUE} for some in each) else set()
            return can | ({FALSE} if any(TRUE in some for some in each) else set())
        can = {TRUE} if met(TRUE in some for some in each) else set()
        can |= {FALSE} if unmet(FALSE in some for some in each) else set()
        return can | ({ERROR} if any(ERROR in some for some in each) else set())

    def of(  # noqa: PLR0911 - one return per reason
        self, place: int
    ) -> tuple[frozenset[int] | set[int], str]:
        """The outcomes that a part can have, and why not all of them; none if it is never evaluated."""
        part = self._parts.every[place]
        if place in self._never:
            return set(), self._never[place]
        contexts = self._contexts(place, part)
        if part.part not in {RULE, DERIVED_ROLE}:
            reasons = [self._never.get(one) for one in contexts]
            if not contexts:
                return set(), self._unused(part)
            if all(reasons):
                return set(), str(reasons[0])
            found = {outcome for one in self._environments(place) for outcome in self._of_probe(*one, part)}
            if len(found) == 1:
                return found, f"it is always {NAMES.get(min(found), 'the same')}"
            missing = [NAMES[one] for one in (TRUE, FALSE) if one not in found and part.part == ATOM]
            return found, f"it can never be {missing[0]}" if missing else ""
        if part.expression is None:
            return _ANYTHING, ""
        found = set(self.possible(part.number, part.expression))
        return found, "" if TRUE in found else "its condition can never be true"

    def _of_probe(self, number: int, probe: Probe, part: Part) -> frozenset[int] | set[int]:
        known = self._constants.get((number, probe))
        if known is not None:
            return {known}
        expression = part.expression
        if expression is None or (not part.boolean and expression.form == "atom"):
            return _ANYTHING
        return self.possible(number, expression)

    def _environments(self, place: int) -> list[tuple[int, Probe]]:
        return [
            (one.number, one.probe)
            for some in self._parts.watched.values()
            for one in some
            if one.part == place
        ]

    def _contexts(self, place: int, part: Part) -> list[int]:
        """The rules and derived roles in which a part is evaluated."""
        if part.part in {RULE, DERIVED_ROLE}:
            return []
        return [
            self._parts.of_rule[key] if what == RULE else self._parts.of_role[key]
            for (what, key), some in self._parts.watched.items()
            if any(one.part == place for one in some)
        ]

    def _unused(self, part: Part) -> str:
        outputs = (
            text.text for one in self._index.rules for rule in one.rules for text in rule.outputs.values()
        )
        if any(part.rule in names_used(text) for text in outputs):
            return "only outputs use it"
        chosen = {one.number for one in self._parts.policies}
        others: Mapping[int, PolicyRules] = {one.number: one for one in self._index.rules}
        elsewhere = any(
            part.rule in one.visible.variables for number, one in others.items() if number not in chosen
        )
        return "no condition of this kind uses it" if elsewhere else "no condition uses it"
