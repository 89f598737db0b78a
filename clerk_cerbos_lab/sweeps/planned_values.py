"""Values in Cerbos's own query plans, which supplement the analysis of the policies' text.

A plan (PlanResources) has the conditions that remain if the principal is known and the axes are not. It can
omit rules (a DENY of a principal policy, cerbos/cerbos#3387), so its values are only ever added to those
found in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from clerk_cerbos_lab.attribute_names import nested, overlap
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.values import MISSING, OTHER_ID, RESOURCE_ID, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cerbos.request.v1 import request_pb2

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.pdp.client import PDP

MOST: Final = 4
"""Classes for which plans are requested, spread over all: a plan costs as much as twenty checks."""

_LOGIC: Final = {"and", "or", "not"}

_ATTRIBUTE: Final = re.compile(r"^(?:R|request\.resource)\.attr\.(\w+(?:\.\w+)*)$")

Planned: TypeAlias = dict[int, dict[str, list[object]]]


def planned_values(pdp: PDP, people: Sequence[Principal], question: Question) -> Planned:
    """The literals that each attribute is compared with in the plans for some principals.

    Args:
        pdp: the PDP to ask.
        people: one per class; ``MOST`` of them are asked about.
        question: kind, actions, and the fixed attributes; the axes count as unknown.

    Returns:
        For the position of each person asked about: attribute name to literals, in no particular
        order and perhaps with duplicates. Whatever the PDP can't plan is missing.
    """
    chosen = range(0, len(people), -(-len(people) // MOST))
    requests = [_request(people[i], action, question) for i in chosen for action in question.actions]
    conditions = iter(pdp.plans(requests, question.aux_data))
    found: Planned = {}
    for i in chosen:
        found[i] = {}
        for _ in question.actions:
            for names, values in _comparisons(next(conditions)):
                for name in names:
                    found[i].setdefault(name, []).extend(values)
    return found


def _request(person: Principal, action: str, question: Question) -> request_pb2.PlanResourcesRequest:
    version, scope = question.principal
    axes = [axis.name for axis in question.axes]
    known = {
        name: resolve(value, own=person.id, other=OTHER_ID)
        for name, value in nested(question.fixed).items()
        if name != RESOURCE_ID and value is not MISSING and not any(overlap(name, axis) for axis in axes)
    }
    return messages.plan_request(
        messages.principal_message(person, policy_version=version, scope=scope),
        action,
        known,
        kind=question.kind,
        policy_version=question.resource[0],
        scope=question.resource[1],
    )


def _comparisons(operand: Mapping[str, Any]) -> Iterator[tuple[set[str], list[object]]]:
    """For each expression that does more than combine others: its attributes and literals."""
    expression = operand.get("expression", {})
    parts = expression.get("operands", ())
    if expression.get("operator") in _LOGIC:
        for part in parts:
            yield from _comparisons(part)
    elif expression:
        names: set[str] = set()
        values: list[object] = []
        _collect(operand, names, values)
        yield names, values


def _collect(operand: Mapping[str, Any], names: set[str], values: list[object]) -> None:
    if "value" in operand:
        values.append(operand["value"])
    names.update(_ATTRIBUTE.findall(operand.get("variable", "")))
    for part in operand.get("expression", {}).get("operands", ()):
        _collect(part, names, values)
