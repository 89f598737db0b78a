"""Why one decision is ALLOW or DENY: what the PDP did and saw, in one sentence and as a tree."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.decisions import EFFECTS
from clerk_cerbos_lab.decisions.explanation import Cause, Explanation
from clerk_cerbos_lab.decisions.explanations import filled, label_of, number_of, value_of
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.asked_copies import ask_copies
from clerk_cerbos_lab.insights.cause_of_deny import causes_of, sentence_of
from clerk_cerbos_lab.insights.shared_causes import of_all
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import Request, hidden_aux_data
from clerk_cerbos_lab.values import RESOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import ExplainedRule
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.insights.slots import Slots

NO_POLICIES = (
    "The PDP does not disclose its policies, so only the policy that decided is known. Give lab.PDP the user "
    "of its Admin API, or a folder."
)

ASSUMED = (
    "The PDP does not report its configuration; this explanation is by its policies and Cerbos's default "
    "configuration, without schemas."
)

MADE_FOR = "the stored explanations were made with names={names}: explain again, or show them so"

DIFFERS = (
    "The instrumented copy of the policies gives {copy} here, and the PDP gave {original}. This is an error "
    "of clerk-cerbos-lab, or something outside the policies has changed, such as the time: do not rely on "
    "this explanation."
)

CONFUSED = (
    "By its conditions this is {copy}, and the PDP gave {original}: a condition about this kind consists of "
    "the same expressions as another, in other blocks (all, any, none), and Cerbos 0.55 can use one of them "
    "for both. Write the expressions differently in one of them."
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
    allowed = bool(one.allowed().item())
    return why_one(one, one.axes, decisions.shown(names=names), allowed=allowed, aux_data=aux_data)


def why_one(
    one: Decisions,
    axes: Sequence[Axis],
    disclosure: Disclosure,
    *,
    allowed: bool,
    aux_data: object = None,
) -> Explanation:
    """Why one action of one principal has its effect, at the single value of each axis.

    Raises:
        LabError: as ``Decisions.why``.
    """
    source = one.source
    if source is None and one.explanations is not None:
        found, request = _stored(one, axes, disclosure)
    elif isinstance(source, Instrumented):
        request = request_of(one, axes, aux_data)
        (found,) = explain(source, [(request, allowed)], disclosure, required_of(one))
    elif isinstance(source, PDP):
        request = request_of(one, axes, aux_data)
        found = _matched_only(source, request, allowed=allowed)
    else:
        raise InputError(unknown_pdp(source))
    (row,) = one.principals["id"]
    values = {axis.name: axis.values[0] for axis in axes}
    values |= {name: value for name, value in one.fixed.items() if name != "resource_id"}
    return dataclasses.replace(
        found,
        principal=disclosure.principal(row, one.names[0]),
        roles=tuple(map(disclosure.text, request.principal.roles)),
        kind=disclosure.text(one.kind),
        action=disclosure.text(one.actions[0]),
        attributes={disclosure.text(name): disclosure.value(value) for name, value in values.items()},
        policy=disclosure.text(found.policy),
    )


def why_asked(
    one: Decisions, request: Request, disclosure: Disclosure, changed: Mapping[str, str]
) -> Explanation:
    """Why the PDP answers another request as it does; it is asked now.

    Args:
        one: the decision that the request was made from.
        request: the request.
        disclosure: what may be shown.
        changed: attributes of the principal that it has changed, with their values as they are shown.

    Raises:
        InputError: if the decisions do not know their PDP.
        PDPError: if a copy does not start.
    """
    source = one.source
    if isinstance(source, Instrumented):
        (allowed,) = source.check([request])
        (found,) = explain(source, [(request, allowed)], disclosure, required_of(one))
    elif isinstance(source, PDP):
        found = _matched_only(source, request)
    else:
        raise InputError(unknown_pdp(source))
    (row,) = one.principals["id"]
    values = {disclosure.text(name): disclosure.value(value) for name, value in request.attributes.items()}
    return dataclasses.replace(
        found,
        principal=disclosure.principal(row, one.names[0]),
        roles=tuple(map(disclosure.text, request.principal.roles)),
        kind=disclosure.text(one.kind),
        action=disclosure.text(one.actions[0]),
        attributes={**values, **changed},
        policy=disclosure.text(found.policy),
    )


def _stored(one: Decisions, axes: Sequence[Axis], disclosure: Disclosure) -> tuple[Explanation, Request]:
    """The explanation that ``explain`` has stored, with the values of this person and these values."""
    known = one.explanations
    if known is None or known.names != disclosure.names:
        msg = MADE_FOR.format(names=not disclosure.names)
        raise InputError(msg)
    request = request_of(one, axes, stored=True)
    number = known.cells[one.actions[0]].at(
        int(one.index[0][0]),
        [int(own[0]) for own in one.index[2:]],
        [axis.values[0] if axis.numeric else None for axis in axes],
    )
    if number is None:
        msg = "this decision is not among those that were explained"
        raise InputError(msg)
    values = {**request.attributes, RESOURCE_ID: request.resource_id}

    def value(slot: str) -> Any:
        return value_of(known.slots[number_of(slot)], request.principal, values)

    return filled(
        known.templates[number],
        lambda slot: label_of(known.slots[number_of(slot)], value(slot), disclosure),
        lambda slot: disclosure.hidden(value(slot)),
    ), request


def unknown_pdp(source: object) -> str:
    """Why decisions with this source can't be explained."""
    if isinstance(source, PDP):
        return f"{NO_POLICIES} The causes of decisions need the policies."
    return (
        "these decisions do not know their PDP, because they were copied or loaded from a pickle: sweep "
        "again, or explain them where they were made"
    )


def request_of(
    one: Decisions,
    axes: Sequence[Axis] | None = None,
    aux_data: Any = None,
    *,
    stored: bool = False,
) -> Request:
    """The request of one principal and action, at the single value of each axis.

    Args:
        one: the decision.
        axes: other values of its axes.
        aux_data: a JWT.
        stored: whether it is only read, not asked.

    Raises:
        InputError: if a JWT was sent with it and is not given.
    """
    jwt = hidden_aux_data(aux_data)
    if one.provenance.aux_data and jwt is None and not stored:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    values: dict[str, Any] = {**one.fixed, **{axis.name: axis.values[0] for axis in axes or one.axes}}
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


def _matched_only(pdp: PDP, request: Request, *, allowed: bool | None = None) -> Explanation:
    with pdp.asking():
        ((report,),) = pdp.reports([request.batch(request.kind, [request.action])], request.aux_data)
    now = str(EFFECTS[int(report.allowed)])
    effect = now if allowed is None else str(EFFECTS[int(allowed)])
    decided = f"{effect} by the policy {report.policy}" if report.policy else f"{effect}: no policy matched"
    notes = [NO_POLICIES]
    if now != effect:
        decided = f"{effect}"
        notes.append(f"The PDP now gives {now}: its policies have changed.")
    cause = None if effect == EFFECTS[1] else Cause("not known")
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
    cases: Sequence[tuple[Request, bool | None]],
    disclosure: Disclosure,
    required: frozenset[str] = frozenset(),
) -> Iterator[Explanation]:
    """Explain requests about one kind by instrumented copies of the policies.

    Args:
        source: the copies.
        cases: what was asked, with the same JWT, and whether the original allowed it; None if
            that is not known.
        disclosure: what may be shown.
        required: the attributes that every principal must have.

    Yields:
        The explanations without what the caller knows: the labels of principal, action and attributes.
    """
    for explanation, _ in explain_with_misfits(source, cases, disclosure, required):
        yield explanation


def _differs(source: Instrumented, kind: str, copied: str, effect: str) -> str:
    return (CONFUSED if source.index.may_confuse(kind) else DIFFERS).format(copy=copied, original=effect)


def explain_with_misfits(
    source: Instrumented,
    cases: Sequence[tuple[Request, bool | None]],
    disclosure: Disclosure,
    required: frozenset[str] = frozenset(),
    slots: Slots | None = None,
) -> Iterator[tuple[Explanation, list[Misfit]]]:
    """As ``explain``, and the values that do not fit; with slots, explanations that several cells share."""
    for asked in ask_copies(source, cases, disclosure):
        allowed, flow, told = asked.allowed, asked.flow, asked.rules(slots)
        effect, copied = str(EFFECTS[int(allowed)]), str(EFFECTS[int(flow.report.allowed)])
        evidence = asked.evidence(told, required)
        cause, *also = [None] if allowed else causes_of(evidence)
        notes = [
            *([ASSUMED] if source.assumed else []),
            *([_differs(source, asked.request.kind, copied, effect)] if copied != effect else []),
            *asked.left_out,
            *told.notes,
        ]
        sentence = sentence_of(evidence, cause, disclosure, allowed=allowed)
        if slots is not None and cause is not None:
            cause, sentence = of_all(evidence, cause, sentence, slots)
        report = flow.report
        policy = disclosure.text(report.policy)
        made = _explanation(effect, sentence, cause, policy, report.scope, told.rules, notes)
        misfits = [misfit for some in told.misfits.values() for misfit in some]
        yield dataclasses.replace(made, also=tuple(one for one in also if one is not None)), misfits
