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
from clerk_cerbos_lab.insights.seen_conditions import ROLES, ConditionReader, Misfit
from clerk_cerbos_lab.insights.spelling import twin
from clerk_cerbos_lab.pdp.probes import derived_role_probe, derived_role_probes, roles_probe, rule_probes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from clerk_cerbos_lab.decisions.explanation import Condition
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.slots import Slots
    from clerk_cerbos_lab.pdp.instrumented import Flow
    from clerk_cerbos_lab.pdp.messages import Request
    from clerk_cerbos_lab.pdp.probes import Answer, Probe
    from clerk_cerbos_lab.policies.rules import DerivedRole, PolicyRules, Rule


def wanted_probes(request: Request, policies: Sequence[PolicyRules]) -> dict[int, list[Probe]]:
    """What has to be asked to explain a request, by the number of the policy."""
    wanted: dict[int, list[Probe]] = {}
    named: set[str] = set()
    for one, rule in _naming(request, policies):
        wanted.setdefault(one.number, []).extend(rule_probes(rule))
        named.update(rule.derived_roles)
    for one in policies:
        for role in one.derived_roles:
            if role.name in named:
                wanted.setdefault(one.number, []).extend(derived_role_probes(role))
    return wanted


def _naming(request: Request, policies: Sequence[PolicyRules]) -> list[tuple[PolicyRules, Rule]]:
    """The rules that name the action."""
    return [
        (one, rule)
        for one in policies
        for rule in one.rules
        if one.about(rule, request.kind) and rule.names_action(request.action)
    ]


class ExplainedRules:
    """The rules that name the action, with what became of them.

    Args:
        request: what was asked.
        flow: what the policies did with it.
        policies: those that can answer it.
        seen: what the PDP computed.
        disclosure: what may be shown.
        spelled: texts that are in the policies.
        slots: as in ``ConditionReader``.

    Attributes:
        rules: in the order that matters.
        misfits: by the position of the rule, the values that do not fit.
        stopped: in strict evaluation, the positions of rules that were come to and have no outcome.
        notes: what differs from what was expected.
    """

    def __init__(  # noqa: PLR0917 - what explanations are made of
        self,
        request: Request,
        flow: Flow,
        policies: Sequence[PolicyRules],
        seen: Answer,
        disclosure: Disclosure,
        spelled: Collection[str],
        slots: Slots | None = None,
    ) -> None:
        self._flow = flow
        self._own_roles = request.principal.roles
        self._spelled = spelled
        self._shown = disclosure
        self._roles = {(one.name, role.name): (one, role) for one in policies for role in one.derived_roles}
        self._seen = seen
        self._reader = ConditionReader(seen, disclosure, spelled, slots)
        self.notes: list[str] = []
        naming = _naming(request, policies)
        made = [(*self._explained(one, rule), self._stopped_at(rule)) for one, rule in naming]
        made += [
            (self._refusal(one, request.action), [], False)
            for one in policies
            if one.type == "role" and not any(policy is one for policy, _ in naming)
        ]
        made.sort(key=lambda one: (_rank(one[0]), *_far(one[0])))
        self.rules = tuple(rule for rule, *_ in made)
        self.misfits = {place: misfits for place, (_, misfits, _) in enumerate(made)}
        self.stopped = frozenset(place for place, (*_, stopped) in enumerate(made) if stopped)

    def _stopped_at(self, rule: Rule) -> bool:
        flow = self._flow
        return rule.key in flow.visited and rule.key not in {*flow.applied, *flow.unmet}

    def _explained(self, policy: PolicyRules, rule: Rule) -> tuple[ExplainedRule, list[Misfit]]:
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
        status = self._status(policy, rule, condition, held=held)
        if status in {APPLIED, UNMET}:
            held = True
        to_change, needed_roles = changes_of_rule(roles, condition, held=held)
        if needed_roles and rule.effect == "ALLOW":
            misfits[:0] = self._misspelled(policy, rule)
        outputs = tuple(
            (when, self._reader.output(number, expression))
            for when, expression in rule.outputs.items()
            if (when == "ruleActivated" and status == APPLIED)
            or (when != "ruleActivated" and status == UNMET)
        )
        explained = ExplainedRule(
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
            needed_roles=needed_roles,
            needs_consent=policy.parental_consent and rule.effect == "ALLOW",
        )
        return explained, misfits

    def _misspelled(self, policy: PolicyRules, rule: Rule) -> Iterator[Misfit]:
        """Roles that differ only in case or spaces from one with which the rule could apply."""
        derived = [
            found for name in rule.derived_roles if (found := self._definition(policy, name)) is not None
        ]
        named = [*rule.roles, *(parent for _, role in derived for parent in role.parent_roles)]
        meant = {
            role: known
            for role in self._own_roles
            if role not in self._spelled and (known := twin(role, named)) is not None
        }
        if meant:
            told = "; ".join(
                f'the role "{self._shown.text(role)}" differs only in case or spaces from '
                f'"{self._shown.text(known)}"'
                for role, known in meant.items()
            )
            roles = tuple(dict.fromkeys(meant.get(role, role) for role in self._own_roles))
            yield Misfit("principal", ROLES, "misspelled", self._own_roles, "", roles, told)

    def _definition(self, policy: PolicyRules, name: str) -> tuple[PolicyRules, DerivedRole] | None:
        """A derived role that a policy imports, with the policy that defines it; None if there is none."""
        return next((self._roles[one, name] for one in policy.imported if (one, name) in self._roles), None)

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
        *,
        held: bool | None,
    ) -> str:
        """What became of a rule; a note if its condition is something else when it is asked alone."""
        outcome = TRUE if condition is None else condition.outcome
        applied, unmet = rule.key in self._flow.applied, rule.key in self._flow.unmet
        if not applied and not unmet:
            return NOT_HELD if held is False else SILENT
        if policy.parental_consent and rule.effect == "ALLOW" and condition is not None:
            # Where consent is required, Cerbos reads it as a DENY rule with the opposite condition.
            applied = not applied and held is not False
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
        found = self._definition(policy, name)
        if found is None:
            return Role(self._shown.text(name), derived=True, held=held)
        where, role = found
        condition = (
            None if role.condition is None else self._reader.read(where.number, role.condition, misfits)
        )
        parent_held = self._held(where.number, role.parent_roles)
        if held is False and parent_held and (condition is None or condition.outcome == TRUE):
            note = (
                f"The derived role {self._shown.text(name)} is not held, although its condition is true when "
                "it is asked alone: does it read the derived roles themselves?"
            )
            self.notes += [note] if note not in self.notes else []
        return Role(
            name=self._shown.text(name),
            derived=True,
            held=held,
            parent_roles=tuple(map(self._shown.text, role.parent_roles)),
            parent_held=parent_held,
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
