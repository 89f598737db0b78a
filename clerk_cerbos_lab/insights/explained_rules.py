"""The rules that name an action, with what the PDP did with each and saw in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.decisions.explanation import (
    APPLIED,
    FALSE,
    NOT_HELD,
    SILENT,
    TRUE,
    UNMET,
    ExplainedRule,
    Role,
)
from clerk_cerbos_lab.insights.closest import changes_of_rule, distance
from clerk_cerbos_lab.insights.seen_conditions import ConditionReader
from clerk_cerbos_lab.pdp.probes import derived_role_probe, probes_of, roles_probe, rule_probes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.explanation import Condition
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.pdp.instrumented import Flow, Instrumented
    from clerk_cerbos_lab.pdp.messages import Request
    from clerk_cerbos_lab.pdp.probes import Probe
    from clerk_cerbos_lab.policies.rules import DerivedRole, PolicyRules, Rule


class ExplainedRules:
    """The rules that name the action, with what became of them.

    Args:
        source: the instrumented copies of the policies.
        request: what was asked.
        flow: what the policies did with it.
        policies: those that can answer it.
        disclosure: what may be shown.

    Attributes:
        rules: in the order that matters.
        misfits: by the position of the rule, the values that do not fit.
        notes: what could not be asked, or differs.
    """

    def __init__(
        self,
        source: Instrumented,
        request: Request,
        flow: Flow,
        policies: Sequence[PolicyRules],
        disclosure: Disclosure,
    ) -> None:
        self._flow = flow
        self._shown = disclosure
        self._roles = {(one.name, role.name): (one, role) for one in policies for role in one.derived_roles}
        naming = [
            (one, rule)
            for one in policies
            for rule in one.rules
            if one.about(rule, request.kind) and rule.names_action(request.action)
        ]
        facts = source.facts(request.kind)
        wanted: dict[int, list[Probe]] = {}
        for one, rule in naming:
            wanted.setdefault(one.number, []).extend(rule_probes(rule))
        for one in policies:
            if one.derived_roles:
                wanted[one.number] = list(probes_of(one))
        self._seen = facts.ask(request, wanted)
        self._reader = ConditionReader(self._seen, disclosure)
        self.misfits: dict[int, list[Misfit]] = {}
        self.notes: list[str] = [
            f"Conditions in {disclosure.file(file)} can't be asked in parts." for file in facts.left_out
        ]
        made = [self._explained(one, rule) for one, rule in naming]
        made += [
            self._refusal(one, request.action)
            for one in policies
            if one.type == "role" and not any(policy is one for policy, _ in naming)
        ]
        order = sorted(range(len(made)), key=lambda i: (_rank(made[i]), *_far(made[i]), i))
        self.misfits = {place: self.misfits.get(i, []) for place, i in enumerate(order)}
        self.rules = tuple(made[i] for i in order)

    def _explained(self, policy: PolicyRules, rule: Rule) -> ExplainedRule:
        misfits: list[Misfit] = []
        number = policy.number
        roles = (
            *(
                Role(self._shown.text(name), derived=False, held=self._held(number, (name,)))
                for name in rule.roles
            ),
            *(self._derived(policy, name, misfits) for name in rule.derived_roles),
        )
        condition = None if rule.condition is None else self._reader.read(number, rule.condition, misfits)
        held = self._holds(policy, rule)
        status = self._status(policy, rule, condition, roles, held=held)
        if status in {APPLIED, UNMET}:
            held = True
        to_change = changes_of_rule(roles, condition, held=held)
        self.misfits[len(self.misfits)] = misfits
        outputs = tuple(
            (when, self._reader.output(number, expression))
            for when, expression in rule.outputs.items()
            if (when == "ruleActivated" and status == APPLIED)
            or (when != "ruleActivated" and status == UNMET)
        )
        return ExplainedRule(
            name=self._shown.text(rule.name),
            effect=rule.effect,
            policy=self._shown.text(_policy_name(policy)),
            type=policy.type,
            scope=policy.scope,
            version=policy.version,
            status=status,
            held=held,
            roles=roles,
            condition=condition,
            outputs=outputs,
            file=self._shown.file(policy.visible.file),
            line=rule.line,
            to_change=to_change,
        )

    def _holds(self, policy: PolicyRules, rule: Rule) -> bool | None:
        """Whether a role that the rule names is held; None if that could not be asked."""
        if policy.type != "resource":
            return True
        seen = self._seen.get((policy.number, roles_probe(rule.roles, rule.derived_roles)))
        return None if seen is None else seen.value is True

    def _status(
        self,
        policy: PolicyRules,
        rule: Rule,
        condition: Condition | None,
        roles: Sequence[Role],
        *,
        held: bool | None,
    ) -> str:
        """What became of a rule; a note if its condition is something else when it is asked alone."""
        outcome = TRUE if condition is None else condition.outcome
        applied, unmet = rule.key in self._flow.applied, rule.key in self._flow.unmet
        if not applied and not unmet:
            return NOT_HELD if held is False else SILENT
        conditional = condition is not None or any(role.condition is not None for role in roles)
        if policy.parental_consent and rule.effect == "ALLOW" and conditional:
            # Where consent is required, Cerbos reads it as a DENY rule with the opposite condition.
            applied = not applied
        status = APPLIED if applied else UNMET
        if status == UNMET and held is False:  # the condition of its derived role is part of it
            return NOT_HELD
        if (status, outcome) in {(APPLIED, FALSE), (UNMET, TRUE)}:
            name, became = self._shown.text(rule.name), "applied" if status == APPLIED else "did not apply"
            self.notes.append(
                f"The condition of {name} is {outcome} when it is asked alone, but the rule {became}: Cerbos "
                "evaluated it differently there."
            )
        return status

    def _refusal(self, policy: PolicyRules, action: str) -> ExplainedRule:
        """A role policy that does not list the action."""
        refuses = self._flow.report.policy == _policy_name(policy) and not self._flow.report.allowed
        self.misfits[len(self.misfits)] = []
        return ExplainedRule(
            name=self._shown.text(f"the role policy {policy.name}, which does not list {action}"),
            effect="DENY",
            policy=self._shown.text(_policy_name(policy)),
            type="role",
            scope=policy.scope,
            version=policy.version,
            status=APPLIED if refuses else SILENT,
            held=True,
            roles=(Role(self._shown.text(policy.name), derived=False, held=True),),
            condition=None,
            outputs=(),
            file=self._shown.file(policy.visible.file),
            line=None,
        )

    def _plain_role(self, number: int, name: str) -> Role:
        return Role(self._shown.text(name), derived=False, held=self._held(number, (name,)))

    def _held(self, number: int, roles: tuple[str, ...]) -> bool | None:
        """Whether a principal has one of these roles, by the roles it names."""
        seen = self._seen.get((number, roles_probe(roles, ())))
        return None if seen is None else seen.value is True

    def _derived(self, policy: PolicyRules, name: str, misfits: list[Misfit]) -> Role:
        seen = self._seen.get((policy.number, derived_role_probe(name)))
        held = None if seen is None else seen.value is True
        found: tuple[PolicyRules, DerivedRole] | None = next(
            (self._roles[one, name] for one in policy.imported if (one, name) in self._roles), None
        )
        if found is None:
            return Role(self._shown.text(name), derived=True, held=held)
        where, role = found
        condition = (
            None if role.condition is None else self._reader.read(where.number, role.condition, misfits)
        )
        return Role(
            name=self._shown.text(name),
            derived=True,
            held=held,
            parent_roles=tuple(map(self._shown.text, role.parent_roles)),
            parent_held=self._held(where.number, role.parent_roles),
            condition=condition,
            file=self._shown.file(where.visible.file),
            line=role.line,
        )


def _policy_name(policy: PolicyRules) -> str:
    """The policy as Cerbos calls it."""
    scope = f"/{policy.scope}" if policy.scope else ""
    return f"{policy.type}.{policy.name}.v{policy.version}{scope}"


def _rank(rule: ExplainedRule) -> int:
    """The order that matters: DENY rules that applied, ALLOW rules that applied, then the rest."""
    if rule.status == APPLIED:
        return 0 if rule.effect == "DENY" else 1
    return 2 if rule.effect == "ALLOW" else 3


def _far(rule: ExplainedRule) -> tuple[bool, bool, bool, int, float]:
    return (False, False, False, 0, 0.0) if rule.status == APPLIED else distance(rule)
