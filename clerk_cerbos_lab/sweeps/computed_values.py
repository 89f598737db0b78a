"""Values that only the PDP can compute, such as ``P.attr.limit * 1.5``, are requested from it.

A temporary policy has the same variables and constants as the policy that compares with the value, and
the expression of the value as the output of a rule. It runs in a separate PDP, so that no decision
ever comes from it.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.errors import LabError
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.pdp.snapshots import Snapshot
from clerk_cerbos_lab.policies.conditions import source
from clerk_cerbos_lab.values import OTHER_ID, RESOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.policies.analysis import Comparison
    from clerk_cerbos_lab.policies.policy_set import Environment

REQUEST: Final = 10
"""The fixed cost of a request, expressed as a number of resources."""

FREE: Final = 20_000
"""Resources that may be asked about for computed values whatever that saves: about a second."""

_ERRORS: Final = re.compile(
    r"no such (key|attribute|overload|field)|undefined field|(division|divide|modulus) by zero|"
    r"overflow|out of (bounds|range)|invalid (timestamp|duration)|cannot convert|strconv"
)
"""Errors of the expression itself, which then fails whatever it is compared with."""


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
    read = sorted({name for comparison in comparisons for name in comparison.reads} & set(sent))
    combinations = math.prod(len(sent[name]) for name in read)
    texts = _Texts(comparisons)
    cost = len(texts.requests) * (combinations + REQUEST)
    if (len(people) * cost > FREE and 2 * cost > cells) or combinations > limits.RESOURCES_PER_REQUEST:
        return None
    resources = []
    for values in itertools.product(*(sent[name] for name in read)):
        attributes = dict(zip(read, values, strict=True))
        resources.append((str(attributes.pop(RESOURCE_ID, sent[RESOURCE_ID][0])), attributes))
    files = {name: json.dumps(content).encode() for name, content in texts.files(documents).items()}
    try:
        pdp = Snapshot(files, {**snapshot.config, "engine": _engine(snapshot.config)}).start()
    except LabError:
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
            found.append([values_of.get(texts.action(comparison)) for comparison in comparisons])
    return found


def _values(outputs: list[tuple[Any, str]], expected: int) -> list[object] | None:
    """The values in the outputs of one expression; None if they may be incomplete."""
    if len(outputs) != expected:  # one per resource, or some were lost
        return None
    values: list[object] = []
    for value, error in outputs:
        if error and not _ERRORS.search(error):
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


def _engine(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without strict evaluation, in which one missing value would suppress all others."""
    ours = {"defaultPolicyVersion", "defaultScope"}
    return {
        **{name: value for name, value in config.get("engine", {}).items() if name not in ours},
        "strictEvaluation": False,
    }


class _Texts:
    """The distinct expressions to compute, by the policy whose variables and constants they use."""

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        self._actions: dict[tuple[int, str], str] = {}
        self._environments: dict[int, Environment] = {}
        for comparison in comparisons:
            self._environments[id(comparison.environment)] = comparison.environment
            key = (id(comparison.environment), source(comparison.other))
            self._actions.setdefault(key, f"e{len(self._actions)}")
        self.requests: list[tuple[str, list[str]]] = []  # kind, and as many actions as fit into a request
        for number in self._environments:
            actions = [action for (own, _), action in self._actions.items() if own == number]
            self.requests += [
                (f"scratch{number}", actions[start : start + limits.RESOURCES_PER_REQUEST])
                for start in range(0, len(actions), limits.RESOURCES_PER_REQUEST)
            ]

    def action(self, comparison: Comparison) -> str:
        """The action whose rule has the other side as its output."""
        return self._actions[id(comparison.environment), source(comparison.other)]

    def files(self, documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The temporary policies, and what they import."""
        files: dict[str, Any] = {
            f"export{number}.json": {name: held for name, held in document.items() if name != "metadata"}
            for number, document in enumerate(documents)
            if {"exportVariables", "exportConstants"} & set(document)
        }
        for number, environment in self._environments.items():
            policy = environment.policy
            body = next(value for name, value in policy.items() if name in _BODIES)
            files[f"scratch{number}.json"] = {
                "apiVersion": "api.cerbos.dev/v1",
                "variables": policy.get("variables", {}),
                "resourcePolicy": {
                    "resource": f"scratch{number}",
                    "version": "default",
                    "variables": body.get("variables", {}),
                    "constants": body.get("constants", {}),
                    "rules": [
                        {
                            "name": action,
                            "actions": [action],
                            "roles": ["*"],
                            "effect": "EFFECT_ALLOW",
                            "output": {"when": {"ruleActivated": text}},
                        }
                        for (own, text), action in self._actions.items()
                        if own == number
                    ],
                },
            }
        return files


_BODIES: Final = {"resourcePolicy", "principalPolicy", "derivedRoles", "rolePolicy"}
