"""Why one decision is ALLOW or DENY: what the PDP did and saw, in one sentence and as a tree."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.decisions import EFFECTS
from clerk_cerbos_lab.decisions.explanation import (
    Cause,
    Explanation,
)
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.cause_of_deny import Evidence, cause_of, sentence_of
from clerk_cerbos_lab.insights.explained_rules import ExplainedRules
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import Request, hidden_aux_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import ExplainedRule
    from clerk_cerbos_lab.identity.disclosure import Disclosure

NO_POLICIES = (
    "The PDP does not disclose its policies, so only the policy that decided is known. Give lab.PDP the user "
    "of its Admin API, or a folder."
)

ASSUMED = (
    "The PDP does not report its configuration; this explanation is by its policies and Cerbos's default "
    "configuration, without schemas."
)

DIFFERS = (
    "The instrumented copy of the policies gives {copy} here, and the PDP gave {original}. This is an error "
    "of clerk-cerbos-lab, or something outside the policies has changed, such as the time: do not rely on "
    "this explanation."
)


def why(
    decisions: Decisions, *, aux_data: object = None, names: bool = False, **labels: object
) -> Explanation:
    """Why one decision is what it is; ``Decisions.why`` documents it."""
    one = decisions.sel(**labels)
    if len(one) != 1:
        wide = [f"{dim} ({n})" for dim, n in zip(one.dims, one.shape, strict=True) if n > 1]
        msg = f"{len(one):,} decisions are left; choose a value for: {', '.join(wide)}"
        raise InputError(msg)
    disclosure = decisions.shown(names=names)
    request = request_of(one, aux_data)
    allowed = bool(one.allowed().item())
    source = decisions.source
    if isinstance(source, Instrumented):
        found = explain(source, request, disclosure, allowed=allowed, required=required_of(one))
    elif isinstance(source, PDP):
        found = _matched_only(source, request, allowed=allowed)
    else:
        msg = (
            "these decisions do not know their PDP, because they were copied or loaded from a pickle: sweep "
            "again, or explain them where they were made"
        )
        raise InputError(msg)
    (row,) = one.principals["id"]
    return dataclasses.replace(
        found,
        principal=disclosure.principal(row, one.names[0]),
        roles=tuple(map(disclosure.text, request.principal.roles)),
        kind=disclosure.text(one.kind),
        action=disclosure.text(one.actions[0]),
        attributes={
            **{disclosure.text(axis.name): disclosure.value(axis.values[0]) for axis in one.axes},
            **{
                disclosure.text(name): disclosure.value(value)
                for name, value in one.fixed.items()
                if name != "resource_id"
            },
        },
        policy=disclosure.text(found.policy),
    )


def request_of(one: Decisions, aux_data: Any = None) -> Request:
    """The request behind a single decision.

    Raises:
        InputError: if a JWT was sent with it and is not given.
    """
    jwt = hidden_aux_data(aux_data)
    if one.provenance.aux_data and jwt is None:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    values: dict[str, Any] = {**one.fixed, **{axis.name: axis.values[0] for axis in one.axes}}
    return Request(
        principal=read_principals(one.principals)[0],
        action=one.actions[0],
        kind=one.kind,
        resource_id=str(values.pop("resource_id")),
        attributes=values,
        resource=one.question.resource,
        who=one.question.principal,
        aux_data=jwt,
    )


def required_of(decisions: Decisions) -> frozenset[str]:
    """The attributes that the mapping requires of every principal."""
    return frozenset((decisions.principals.attrs.get("mapping") or {}).get("required", ()))


def _matched_only(pdp: PDP, request: Request, *, allowed: bool) -> Explanation:
    with pdp.asking():
        ((report,),) = pdp.reports([request.batch(request.kind, [request.action])], request.aux_data)
    effect, now = str(EFFECTS[int(allowed)]), str(EFFECTS[int(report.allowed)])
    decided = f"{effect} by the policy {report.policy}" if report.policy else f"{effect}: no policy matched"
    notes = [NO_POLICIES]
    if now != effect:
        decided = f"{effect}"
        notes.append(f"The PDP now gives {now}: its policies have changed.")
    cause = None if allowed else Cause("not known")
    return _explanation(effect, f"{decided}.", cause, report.policy, report.scope, (), notes)


def _explanation(  # noqa: PLR0917 - what an explanation consists of
    effect: str,
    sentence: str,
    cause: Cause | None,
    policy: str,
    scope: str,
    rules: Sequence[ExplainedRule],
    notes: Sequence[str],
) -> Explanation:
    return Explanation(
        effect=effect,
        sentence=sentence,
        cause=cause,
        principal="",
        roles=(),
        kind="",
        action="",
        attributes={},
        policy=policy,
        scope=scope,
        rules=tuple(rules),
        notes=tuple(notes),
    )


def explain(
    source: Instrumented,
    request: Request,
    disclosure: Disclosure,
    *,
    allowed: bool,
    required: frozenset[str] = frozenset(),
) -> Explanation:
    """Explain one request by instrumented copies of the policies.

    Args:
        source: the copies.
        request: what was asked.
        disclosure: what may be shown.
        allowed: the effect that the original gave.
        required: the attributes that every principal must have.

    Returns:
        The explanation without what the caller knows: the labels of principal, action and attributes.
    """
    flow = source.flow(request)
    notes = [ASSUMED] if source.assumed else []
    if flow.report.allowed != allowed:
        notes.append(DIFFERS.format(copy=EFFECTS[int(flow.report.allowed)], original=EFFECTS[int(allowed)]))
    try:
        policies = source.reached(request)
    except InputError as error:
        evidence = Evidence(source, request, flow, (), {}, required, str(error))
        cause = None if allowed else cause_of(evidence)
        sentence = sentence_of(evidence, cause, disclosure, allowed=allowed)
        return _explanation(str(EFFECTS[int(allowed)]), sentence, cause, "", "", (), notes)
    told = ExplainedRules(source, request, flow, policies, disclosure)
    evidence = Evidence(source, request, flow, told.rules, told.misfits, required)
    cause = None if allowed else cause_of(evidence)
    return _explanation(
        str(EFFECTS[int(allowed)]),
        sentence_of(evidence, cause, disclosure, allowed=allowed),
        cause,
        flow.report.policy,
        flow.report.scope,
        told.rules,
        [*notes, *told.notes],
    )
