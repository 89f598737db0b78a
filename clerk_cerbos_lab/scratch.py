"""Values that only the PDP can compute, such as ``P.attr.limit * 1.5``: it is asked for them.

A scratch policy has the same variables and constants as the policy that compares with the value, and
the value's own expression as the output of a rule. A PDP of its own reads it, so that no decision
ever comes from there.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab import messages
from clerk_cerbos_lab.analysis import RESOURCE_ID
from clerk_cerbos_lab.cel import Call, Field, Literal, Name, Node
from clerk_cerbos_lab.errors import LabError
from clerk_cerbos_lab.pdp import OTHER_ID
from clerk_cerbos_lab.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cerbos.request.v1 import request_pb2

    from clerk_cerbos_lab.analysis import Comparison
    from clerk_cerbos_lab.principals import Principal

MOST: Final = 20_000
"""Requests for computed values; where there would be more, every value of the axis is asked instead."""

_ERRORS: Final = re.compile(
    r"no such (key|attribute|overload|field)|undefined field|(division|divide|modulus) by zero|"
    r"overflow|out of (bounds|range)|invalid (timestamp|duration)|cannot convert|strconv"
)
"""Errors of the expression itself, which is then an error whatever it is compared with."""


def computed_values(  # noqa: PLR0917 - what a request depends on
    snapshot: Snapshot,
    comparisons: Sequence[Comparison],
    documents: Sequence[Mapping[str, Any]],
    people: Sequence[Principal],
    sent: Mapping[str, Sequence[object]],
    aux_data: request_pb2.AuxData | None,
) -> list[list[list[object] | None]] | None:
    """Let a PDP compute the other sides of comparisons, for each principal.

    Args:
        snapshot: gives the configuration.
        comparisons: whose other side is wanted.
        documents: all policies, for what they export.
        people: the principals.
        sent: each attribute of the resource that is sent, with its values.
        aux_data: sent with each request.

    Returns:
        For each principal and comparison the values it can have, one for each combination of the
        attributes it reads, none where it is an error; None where that is not certain. None instead of
        all of it when there would be too many requests, or the scratch policy does not compile.
    """
    read = sorted({name for comparison in comparisons for name in comparison.reads} & set(sent))
    combinations = math.prod(len(sent[name]) for name in read)
    if combinations * len(people) > MOST:
        return None
    resources = []
    for values in itertools.product(*(sent[name] for name in read)):
        attributes = dict(zip(read, values, strict=True))
        resources.append((str(attributes.pop(RESOURCE_ID, sent[RESOURCE_ID][0])), attributes))
    actions = [f"e{number}" for number in range(len(comparisons))]
    files = _policies(comparisons, documents)
    kinds = sorted({_kind(comparison) for comparison in comparisons})
    try:
        pdp = Snapshot(files, {**snapshot.config, "engine": _lenient(snapshot.config)}).start()
    except LabError:
        return None
    with pdp:
        entries = [
            messages.Entries(
                resources, kind=kind, actions=actions, policy_version="", scope="", other=OTHER_ID
            )
            for kind in kinds
        ]
        found = []
        for person in people:
            message = messages.principal_message(person, policy_version="", scope="")
            told: list[list[object] | None] = [[] for _ in comparisons]
            for one_kind in entries:
                for name, value, error in pdp.outputs(message, one_kind.for_principal(person.id), aux_data):
                    _note(told, int(name.removeprefix("e")), value, error)
            found.append(told)
    return found


def _note(told: list[list[object] | None], number: int, value: object, error: str) -> None:
    held = told[number]
    if held is None:
        return
    if not error:
        held.append(value)
        if isinstance(value, str):  # an integer that JSON does not hold
            held.extend(_number(value))
    elif not _ERRORS.search(error):
        told[number] = None


def _number(value: str) -> list[object]:
    try:
        return [float(value)]
    except ValueError:
        return []


def _lenient(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without strict evaluation, by which one missing value would take all others with it."""
    return {**config.get("engine", {}), "strictEvaluation": False}


def _kind(comparison: Comparison) -> str:
    return f"scratch{id(comparison.environment)}"


def _policies(comparisons: Sequence[Comparison], documents: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """The scratch policies, and what they import, as files."""
    files: dict[str, Any] = {}
    for number, document in enumerate(documents):
        if {"exportVariables", "exportConstants"} & set(document):
            files[f"export{number}.json"] = {k: v for k, v in document.items() if k != "metadata"}
    for number, comparison in enumerate(comparisons):
        kind, policy = _kind(comparison), comparison.environment.policy
        if f"{kind}.json" not in files:
            body = next(value for name, value in policy.items() if name in _BODIES)
            files[f"{kind}.json"] = {
                "apiVersion": "api.cerbos.dev/v1",
                "variables": policy.get("variables", {}),
                "resourcePolicy": {
                    "resource": kind,
                    "version": "default",
                    "variables": body.get("variables", {}),
                    "constants": body.get("constants", {}),
                    "rules": [],
                },
            }
        files[f"{kind}.json"]["resourcePolicy"]["rules"].append(
            {
                "name": f"e{number}",
                "actions": [f"e{number}"],
                "roles": ["*"],
                "effect": "EFFECT_ALLOW",
                "output": {"when": {"ruleActivated": source(comparison.other)}},
            }
        )
    return {name: json.dumps(content).encode() for name, content in files.items()}


_BODIES: Final = {"resourcePolicy", "principalPolicy", "derivedRoles", "rolePolicy"}


def source(node: Node) -> str:
    """A node as CEL that means the same where the same names are known."""
    if isinstance(node, Field):
        above = source(node.operand)
        if re.fullmatch(r"[_a-zA-Z]\w*", node.name, flags=re.ASCII):
            return f"{above}.{node.name}"
        return f"{above}[{json.dumps(node.name, ensure_ascii=False)}]"
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Literal):
        return json.dumps(node.value, ensure_ascii=False)
    return f"({node.text})" if isinstance(node, Call) else node.text
