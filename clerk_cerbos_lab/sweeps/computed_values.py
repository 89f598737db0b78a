"""Values that only the PDP can compute, such as ``P.attr.limit * 1.5``, are requested from it.

A temporary policy has the same variables and constants as the policy that compares with the value, and
the expression of the value as the output of a rule. It runs in a separate PDP, so that no decision
ever comes from it.
"""

from __future__ import annotations

import itertools
import math
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.attribute_names import nested, overlap
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.policies.conditions import source
from clerk_cerbos_lab.sweeps.temporary_policies import ERRORS, Expressions
from clerk_cerbos_lab.values import OTHER_ID, RESOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.pdp.snapshots import Snapshot
    from clerk_cerbos_lab.policies.analysis import Comparison

REQUEST: Final = 10
"""The fixed cost of a request, expressed as a number of resources."""

FREE: Final = 20_000
"""Resources that may be asked about for computed values whatever that saves: about a second."""


def computed_values(  # noqa: PLR0917 - what a request depends on
    snapshot: Snapshot,
    comparisons: Sequence[Comparison],
    documents: Sequence[Mapping[str, Any]],
    people: Sequence[Principal],
    sent: Mapping[str, Sequence[object]],
    aux_data: messages.AuxData | None,
    *,
    cells: int,
) -> list[list[list[object] | None]] | None:
    """Let a PDP compute the other side of comparisons, for each principal.

    Args:
        snapshot: has the configuration.
        comparisons: the comparisons.
        documents: all policies, for what they export.
        people: the principals.
        sent: each resource attribute that is sent, with its values.
        aux_data: sent with each request.
        cells: how many questions the sweep needs per principal if nothing is computed.

    Returns:
        For each principal and comparison the possible values, one for each combination of the
        attributes it reads, none for an error; None if that is not certain. None instead of everything
        if it would take more than a second and more than half of what it can save, or if the
        temporary policy does not compile.
    """
    reads = {name for comparison in comparisons for name in comparison.reads}
    read = sorted(name for name in sent if any(overlap(name, other) for other in reads))
    combinations = math.prod(len(sent[name]) for name in read)
    texts = Expressions((one.environment, source(one.other)) for one in comparisons)
    cost = len(texts.requests) * (combinations + REQUEST)
    if (len(people) * cost > FREE and 2 * cost > cells) or combinations > limits.RESOURCES_PER_REQUEST:
        return None
    resources = []
    for values in itertools.product(*(sent[name] for name in read)):
        attributes = dict(zip(read, values, strict=True))
        resources.append((str(attributes.pop(RESOURCE_ID, sent[RESOURCE_ID][0])), nested(attributes)))
    pdp = texts.start(snapshot, documents)
    if pdp is None:
        return None
    entries = [
        messages.Entries(
            resources, kind=kind, actions=actions, policy_version="default", scope="", other=OTHER_ID
        )
        for kind, actions in texts.requests
    ]
    who = [messages.principal_message(person, policy_version="", scope="") for person in people]
    batches = (
        (message, one.for_principal(person.id))
        for person, message in zip(people, who, strict=True)
        for one in entries
    )
    found = []
    with pdp, pdp.asking(), closing(pdp.outputs(batches, aux_data)) as answers:
        for _ in people:
            outputs_of: dict[str, list[tuple[Any, str]]] = {}
            for _ in entries:
                for name, value, error in next(answers):
                    outputs_of.setdefault(name, []).append((value, error))
            values_of = {name: _values(outputs, len(resources)) for name, outputs in outputs_of.items()}
            actions = (texts.action(one.environment, source(one.other)) for one in comparisons)
            found.append([values_of.get(action) for action in actions])
    return found


def _values(outputs: list[tuple[Any, str]], expected: int) -> list[object] | None:
    """The values in the outputs of one expression; None if they may be incomplete."""
    if len(outputs) != expected:  # one per resource, or some were lost
        return None
    values: list[object] = []
    for value, error in outputs:
        if error and not ERRORS.search(error):
            return None
        if not error:
            values += [value, _written_numbers(value)]
    return values


def _written_numbers(value: object) -> list[object]:
    """The numbers in the strings of a value, including field names: JSON has no integers above 2⁵³."""
    if isinstance(value, str):
        try:
            return [float(value)]
        except ValueError:
            return []
    if isinstance(value, dict):
        return [*_written_numbers(list(value)), *_written_numbers(list(value.values()))]
    return [number for item in value for number in _written_numbers(item)] if isinstance(value, list) else []
