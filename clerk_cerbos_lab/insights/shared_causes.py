"""Causes that are true of every cell that a request stands for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from clerk_cerbos_lab.decisions.explanation import CLOSEST, ROLE, Cause
from clerk_cerbos_lab.insights.asked_copies import ask_copies
from clerk_cerbos_lab.insights.cause_of_deny import Evidence, causes_of
from clerk_cerbos_lab.insights.closest import distance
from clerk_cerbos_lab.insights.slots import are_ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.decisions.explanation import ExplainedRule
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.insights.slots import Slots
    from clerk_cerbos_lab.pdp.instrumented import Instrumented
    from clerk_cerbos_lab.pdp.messages import Request


def causes_with_misfits(
    source: Instrumented,
    requests: Sequence[Request],
    disclosure: Disclosure,
    required: frozenset[str],
    slots: Slots,
) -> Iterator[tuple[list[Cause], list[Misfit]]]:
    """Why requests are denied, and the values that do not fit.

    Args:
        source: the instrumented copies.
        requests: about one kind, each of a cell that stands for others.
        disclosure: what may be shown.
        required: the attributes that every principal must have.
        slots: what differs between the cells that a request stands for.

    Yields:
        The causes, the primary one first. Where another rule may be closest in another cell, the first cause
        names all of these rules, that of the request first.
    """
    for asked in ask_copies(source, [(request, False) for request in requests], disclosure):
        told = asked.rules(None)
        evidence = asked.evidence(told, required)
        first, *also = causes_of(evidence)
        if _rivals(evidence, first):
            shared = asked.evidence(asked.rules(slots), required)
            closest = [] if shared.closest is None else [shared.closest]
            others = [rule for rule in _rivals(shared, first) if not are_ordered(rule, closest[0], slots)]
            named = dict.fromkeys((first.rule, *(rule.name for rule in (*closest, *others))))
            first = dataclasses.replace(first, rule=" or ".join(named))
        yield [first, *also], [misfit for some in told.misfits.values() for misfit in some]


def _rivals(evidence: Evidence, cause: Cause) -> list[ExplainedRule]:
    """The rules that only a comparison of numbers makes less close than the closest, if the cause is that."""
    closest = evidence.closest
    if cause.kind not in {CLOSEST, ROLE} or closest is None:
        return []
    far = distance(closest)[:-1]
    return [rule for rule in evidence.lacking if rule is not closest and distance(rule)[:-1] == far]


def of_all(evidence: Evidence, cause: Cause, sentence: str, slots: Slots) -> tuple[Cause, str]:
    """Cause and sentence that are true of everybody in a situation, if not the same rule is closest."""
    closest = evidence.closest
    others = _rivals(evidence, cause)
    if closest is not None:
        others = [rule for rule in others if not are_ordered(rule, closest, slots)]
    if closest is None or not others:
        return cause, sentence
    names = " or ".join(rule.name for rule in (closest, *others))
    return Cause(cause.kind, names), f"DENY: no rule allows it. Closest: {names}."
