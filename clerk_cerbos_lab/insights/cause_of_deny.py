"""The cause of a DENY, and the sentence that says it; what is said about data is asked of the PDP."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.attribute_names import with_value
from clerk_cerbos_lab.decisions.explanation import (
    APPLIED,
    BROKEN,
    CLOSEST,
    CONSENT,
    DENIED,
    ERRONEOUS,
    ERROR,
    FALSE,
    NO_POLICY,
    NO_RULE,
    NOT_HELD,
    NOT_KNOWN,
    REFUSED,
    ROLE,
    SCHEMA,
    SILENT,
    TRUE,
    Cause,
)
from clerk_cerbos_lab.values import number_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.explanation import Condition, ExplainedRule
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.pdp.instrumented import Flow, Instrumented
    from clerk_cerbos_lab.pdp.messages import Request

MOST_REPAIRS: Final = 64
"""Repaired requests to ask about for one decision."""

CONFUSED: Final = (
    "the conditions allow it, but Cerbos takes one condition for another with the same expressions"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one request.

    Attributes:
        source: can be asked more.
        request: what was asked.
        flow: what the policies did with it.
        rules: the rules that name the action, in the order that matters.
        misfits: by the position of the rule, the values that do not fit.
        required: attributes that every principal must have.
        nothing: why no policy answers; empty if one does.
        stopped: in strict evaluation, the positions of rules that were come to and have no outcome.
    """

    source: Instrumented
    request: Request
    flow: Flow
    rules: tuple[ExplainedRule, ...]
    misfits: Mapping[int, Sequence[Misfit]]
    required: frozenset[str]
    nothing: str = ""
    stopped: frozenset[int] = frozenset()

    @property
    def lacking(self) -> list[ExplainedRule]:
        """The ALLOW rules that could not apply as the request is, the closest to applying first."""
        allowing = [rule for rule in self.rules if rule.effect == "ALLOW" and rule.type != "role"]
        consented = [len(rule.scope) for rule in allowing if rule.needs_consent and rule.status == APPLIED]
        if consented:  # then only a rule of a parent scope is missing
            allowing = [rule for rule in allowing if len(rule.scope) < min(consented)]
        return [
            rule
            for rule in allowing
            if rule.status != APPLIED and (rule.to_change != () or rule.needed_roles)
        ]

    @property
    def closest(self) -> ExplainedRule | None:
        """The ALLOW rule that is closest to applying; None if one could apply as the request is."""
        return next(iter(self.lacking), None)

    @property
    def strict(self) -> bool:
        """Whether an error in a condition denies."""
        return bool((self.source.config.get("engine") or {}).get("strictEvaluation"))


def causes_of(evidence: Evidence) -> list[Cause]:
    """The causes of a DENY: the primary one first, then what else keeps it from being an ALLOW."""
    if evidence.flow.report.allowed and evidence.source.index.may_confuse(evidence.request.kind):
        return [Cause(NOT_KNOWN, detail=CONFUSED)]
    allowing = any(rule.effect == "ALLOW" and rule.type != "role" for rule in evidence.rules)
    found = list(_blocking(evidence))
    silent = [Cause(DENIED, rule.name) for rule in _silent_denials(evidence)] if found else []
    return [*found, *silent, *_lacking(evidence)] or [Cause(NOT_KNOWN if allowing else NO_RULE)]


def _silent_denials(evidence: Evidence) -> Iterator[ExplainedRule]:
    """The DENY rules that were not evaluated, because of another cause, but would apply."""
    closest = evidence.closest
    for rule in evidence.rules:
        would = (
            rule.effect == "DENY" and rule.status == SILENT and rule.to_change == () and not rule.needed_roles
        )
        before = closest is None or closest.needs_consent or len(rule.scope) >= len(closest.scope)
        if would and before and rule.type != "role":
            yield rule


def _blocking(evidence: Evidence) -> Iterator[Cause]:
    """What denies whatever a rule would allow, and broken data."""
    report = evidence.flow.report
    enforced = (evidence.source.config.get("schema") or {}).get("enforcement") == "reject"
    if report.refusals and enforced and not evidence.flow.applied:
        told = "; ".join(f"{owner}{path}: {message}" for owner, path, message in report.refusals)
        paths = tuple(f"{owner}{path.replace('/', '.')}" for owner, path, _ in report.refusals)
        yield Cause(SCHEMA, detail=told, attributes=paths)
    if evidence.nothing:
        yield Cause(NO_POLICY, detail=evidence.nothing)
    for rule in evidence.rules:
        if rule.effect == "DENY" and rule.status == APPLIED and rule.type != "role":
            yield Cause(DENIED, rule.name)
    broken = _broken(evidence)
    if broken:
        told = "; ".join(dict.fromkeys(misfit.sentence for misfit in broken))
        yield Cause(BROKEN, detail=told, attributes=tuple(dict.fromkeys(one.path for one in broken)))
    if report.policy.startswith("role."):
        refusing = next((rule for rule in evidence.rules if rule.policy == report.policy), None)
        yield Cause(REFUSED, report.policy if refusing is None else refusing.name, _unmet(refusing))
    if evidence.strict:
        came_to = [rule for place, rule in enumerate(evidence.rules) if place in evidence.stopped]
        failed = _failed(came_to) or _failed(evidence.rules)
        yield from [] if failed is None else [Cause(ERRONEOUS, failed[0].name, failed[1])]


def _lacking(evidence: Evidence) -> Iterator[Cause]:
    """What keeps the request from being allowed by a rule."""
    closest = evidence.closest
    if closest is None:
        consented = [rule for rule in evidence.rules if rule.needs_consent and rule.status == APPLIED]
        yield from (Cause(CONSENT, rule.name) for rule in consented[:1])
        return
    unmet = _unmet(closest)
    if closest.needed_roles:
        needed = ", ".join(closest.needed_roles)
        yield Cause(ROLE, closest.name, f"{needed}; {unmet}" if unmet else needed)
    else:
        yield Cause(CLOSEST, closest.name, unmet)


def _unmet(rule: ExplainedRule | None) -> str:
    """What keeps a rule from applying."""
    if rule is None:
        return ""
    if rule.to_change is None:
        return "" if rule.condition is None else _first_false(rule.condition)
    return " and ".join(dict.fromkeys(map(_said, rule.to_change)))


def _said(condition: Condition) -> str:
    if condition.outcome == ERROR:
        return condition.error or f"{condition.sentence} can't be evaluated"
    return f"{condition.sentence} is {condition.outcome}"


def _first_false(condition: Condition) -> str:
    atoms = [part for part in condition.walk() if not part.parts and part.outcome != "true"]
    return _said(atoms[0]) if atoms else ""


def _failed(rules: Sequence[ExplainedRule]) -> tuple[ExplainedRule, str] | None:
    """The rule whose condition has an error, which denies in strict evaluation."""
    for rule in rules:
        conditions = [
            role.condition for role in rule.roles if role.parent_held and role.condition is not None
        ]
        if rule.held and rule.condition:
            conditions.append(rule.condition)
        for condition in conditions if rule.status in {SILENT, NOT_HELD} else ():
            error = next(_errors(condition), None)
            if error is not None:
                return rule, _said(error)
    return None


def _errors(condition: Condition) -> Iterator[Condition]:
    """The errors that reach the whole of a condition; in a block, those of parts that are evaluated."""
    if condition.form in {"all", "any", "none"}:
        decisive = FALSE if condition.form == "all" else TRUE
        for part in condition.parts:
            yield from _errors(part)
            if part.outcome == decisive:
                return
    elif condition.outcome == ERROR:
        yield next((part for part in condition.walk() if not part.parts and part.outcome == ERROR), condition)


# -- broken data ----------------------------------------------------------------------------------


def _broken(evidence: Evidence) -> list[Misfit]:
    """The attributes whose repair gives ALLOW: of another type, misspelled, or missing although required."""
    per_attribute: dict[str, list[Misfit]] = {}
    for place in range(len(evidence.rules)):
        for misfit in evidence.misfits.get(place, ()):
            required = misfit.owner == "principal" and misfit.attribute in evidence.required
            if misfit.state in {"mistyped", "misspelled"} or required:
                per_attribute.setdefault(misfit.path, []).append(misfit)
    for count in range(1, len(per_attribute) + 1):
        ways: list[tuple[list[Misfit], Request]] = []
        for some in itertools.combinations(per_attribute.values(), count):
            each = [[(misfit, value) for misfit in one for value in _repaired(misfit)] for one in some]
            ways.extend(
                ([misfit for misfit, _ in chosen], _with(evidence.request, chosen))
                for chosen in itertools.product(*each)
            )
        ways = ways[:MOST_REPAIRS]
        allowed = evidence.source.check([request for _, request in ways])
        for (misfits, _), allow in zip(ways, allowed, strict=True):
            if allow:
                return misfits
    return []


def _repaired(misfit: Misfit) -> list[Any]:
    """Values that the attribute may have been meant to have: the same in another type, or what fits."""
    value, needs = misfit.value, misfit.needs
    if misfit.state == "misspelled":
        return [misfit.other]
    written = number_written(value) if needs == "a number" and isinstance(value, str) else None
    if written is not None:
        return [written]
    if isinstance(value, list) and needs in {"a string", "a number"} and len(value) == 1:
        return [value[0]]
    if needs == "a string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return [str(value)]
    if needs == "a list":
        return [[value], [misfit.other]]
    return [] if misfit.other is None else [misfit.other]


def _with(request: Request, values: Sequence[tuple[Misfit, Any]]) -> Request:
    """The request with other values of attributes."""
    own, resource = dict(request.principal.attr), dict(request.attributes)
    roles = request.principal.roles
    for misfit, value in values:
        if misfit.is_role:
            roles = value
        elif misfit.owner == "principal":
            own = with_value(own, misfit.attribute, value)
        elif misfit.attribute in resource:  # by its name, perhaps inside a map
            resource[misfit.attribute] = value
        else:
            resource = with_value(resource, misfit.attribute, value)
    principal = dataclasses.replace(request.principal, roles=roles, attr=own)
    return dataclasses.replace(request, principal=principal, attributes=resource)


# -- sentences ------------------------------------------------------------------------------------


def sentence_of(evidence: Evidence, cause: Cause | None, disclosure: Disclosure, *, allowed: bool) -> str:
    """The answer in one sentence."""
    applied = [rule for rule in evidence.rules if rule.status == APPLIED and rule.type != "role"]
    if allowed:
        by = " and ".join(_called(rule) for rule in applied if rule.effect == "ALLOW")
        return f"ALLOW by {by}." if by else "ALLOW."
    if cause is None:
        return "DENY."
    detail = cause.detail
    told = f": {detail}" if detail else ""
    if cause.kind == ROLE:
        held = " and ".join(map(disclosure.text, evidence.request.principal.roles))
        closest_rule = evidence.closest
        needed = () if closest_rule is None else closest_rule.needed_roles
        unmet = _unmet(closest_rule)
        told = f", which needs the role {' or '.join(needed)}, not {held}" + (
            f", and {unmet}" if unmet else ""
        )
    denying = " and ".join(_called(rule) for rule in applied if rule.effect == "DENY")
    closest = f" Closest: {cause.rule}{told}." if cause.rule else ""
    return {
        SCHEMA: f"DENY: a schema refuses the request: {disclosure.text(detail)}.",
        NO_POLICY: f"DENY: {disclosure.text(detail)}.",
        DENIED: f"DENY by {denying}.",
        BROKEN: f"DENY, but the data is broken: {detail}.",
        REFUSED: f"DENY: refused by {cause.rule}{told}.",
        ERRONEOUS: f"DENY: evaluation is strict, and {cause.rule} can't be evaluated{told}.",
        CONSENT: f"DENY: {cause.rule} allows it, but no rule of a parent scope does, as its scope requires.",
        NO_RULE: "DENY: no rule allows the action.",
        NOT_KNOWN: f"DENY; {detail or 'the cause is not known'}.",
    }.get(cause.kind, f"DENY: no rule allows it.{closest}")


def _called(rule: ExplainedRule) -> str:
    return f"{rule.name} of a principal policy" if rule.type == "principal" else rule.name
