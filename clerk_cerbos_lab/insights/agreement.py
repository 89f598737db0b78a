"""Holds the copy of the policies that explains decisions against the policies themselves.

The copy has outputs that the policies do not have, and must decide the same. Each explanation compares its
own request; this compares many made-up ones, about everything that a folder of policies can be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import nested, overlap
from clerk_cerbos_lab.identity.principals import Principal
from clerk_cerbos_lab.pdp.instrumented import instrumented_of
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.policies.names import only_name
from clerk_cerbos_lab.values import MISSING, OTHER, SELF

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.random import Generator

    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.policies.index import PolicyIndex

PER_POLICY: Final = 60
"""Requests made up for each resource policy."""

OTHERS: Final[Sequence[Any]] = (True, False, None, [], {}, MISSING, MISSING)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared.

    Attributes:
        asked: how many requests were made up.
        differing: for each that the copy decides otherwise, kind and action.
        confused: the same where Cerbos took conditions for one another, which the copy keeps apart.
    """

    asked: int
    differing: tuple[str, ...]
    confused: tuple[str, ...] = ()


def agreement(pdp: PDP) -> Agreement | None:
    """Ask a PDP and the copy of its policies the same made-up questions; None for a PDP at an address.

    Raises:
        PDPError: if the copy does not start, or the PDP refuses a request.
    """
    source = instrumented_of(pdp)
    if source is None or source.assumed:
        return None
    with pdp.asking():
        requests = list(_made_up(source.index, np.random.default_rng(int((pdp.digest or "0")[:8], 16))))
        batches = (request.batch(request.kind, [request.action]) for request in requests)
        allowed = [bool(answer.item()) for answer in pdp.check(batches)]
    copied = [flow.report.allowed for flow in source.flows(requests)]
    differing: dict[bool, list[str]] = {False: [], True: []}
    for request, one, other in zip(requests, allowed, copied, strict=True):
        if one != other:
            known = source.index.may_confuse(request.kind)
            differing[known].append(f"{request.kind}, {request.action}")
    return Agreement(len(requests), tuple(differing[False]), tuple(differing[True]))


def _made_up(index: PolicyIndex, random: Generator) -> Iterator[Request]:
    """Requests about each resource policy, with values that the policies compare with."""
    literals = index.literals
    pool = [*sorted(literals.numbers), *sorted(literals.texts), *(n + 1 for n in sorted(literals.numbers))]
    roles = sorted(_roles(index)) or ["user"]
    for policy in index.rules:
        if policy.type != "resource":
            continue
        found = index.analysis(policy.name)
        actions = sorted(filter(None, {only_name(one) for rule in policy.rules for one in rule.actions}))
        for _ in range(PER_POLICY):
            some = random.choice(
                roles, size=min(len(roles), 1 + int(random.integers(2))), replace=False
            ).tolist()
            own = _values(found.principal_attributes or (), [*pool, *OTHERS], random)
            yield Request(
                principal=Principal(
                    f"somebody-{random.integers(10)}",
                    tuple(some),
                    {name: value for name, value in nested(own).items() if value is not MISSING},
                ),
                action=str(random.choice(actions or ["any"])),
                kind=policy.name,
                resource_id="resource",
                attributes=nested(_values(found.uses, [*pool, *OTHERS, SELF, OTHER], random)),
                resource=(policy.version, policy.scope),
                who=(policy.version, policy.scope),
            )


def _roles(index: PolicyIndex) -> set[str]:
    roles = {role for policy in index.rules for rule in policy.rules for role in rule.roles}
    roles |= {role for policy in index.rules for one in policy.derived_roles for role in one.parent_roles}
    return {role for role in roles if role and "*" not in role}


def _values(names: Collection[str], pool: Sequence[Any], random: Generator) -> dict[str, Any]:
    """A value for each attribute that has none around it and none inside it."""
    made: dict[str, Any] = {}
    for name in sorted(names, key=len, reverse=True):
        if not any(overlap(name, other) for other in made):
            made[name] = pool[int(random.integers(len(pool)))]
    return made
