"""The response of Cerbos's InspectPolicies as a frame with one row per policy, and functions on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from cerbos.response.v1 import response_pb2

from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS: Final = [
    "policy",
    "type",
    "name",
    "version",
    "scope",
    "file",
    "actions",
    "derived_roles",
    "variables",
    "constants",
    "principal_attributes",
    "resource_attributes",
]

_VERSIONED: Final = ("resource", "principal", "role")  # the others have no version: my.vips is just a name

_FORMS: Final = (
    ("resourcePolicy", "resource", "resource"),
    ("principalPolicy", "principal", "principal"),
    ("rolePolicy", "role", "role"),
)

_ATTRIBUTE: Final = response_pb2.InspectPoliciesResponse.Attribute


def _keys(documents: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str, str]]:
    """Name, version and scope of each versioned policy, by the key that InspectPolicies uses.

    A name may contain dots and slashes, so the key alone does not show where the name ends.
    """
    found = {}
    for document in documents:
        for form, kind, field in _FORMS:
            body = document.get(form)
            if body is not None:
                version, scope = body.get("version") or "default", body.get("scope", "")
                end = f".v{canonical(version)}" + (f"/{scope}" if scope else "")
                for name in (body[field], canonical(body[field])):
                    found[f"{kind}.{name}{end}"] = (name, version, scope)
    return found


def _parts(kind: str, rest: str) -> tuple[str, str, str]:
    """The same from the key alone: the last ``.v`` starts the version, and a ``/`` after it the scope."""
    if kind not in _VERSIONED:
        return rest, "", ""
    name, _, end = rest.rpartition(".v")
    version, _, scope = end.partition("/")
    return name, version, scope


def _row(
    policy: str,
    result: response_pb2.InspectPoliciesResponse.Result,
    known: Mapping[str, tuple[str, str, str]],
) -> list[object]:
    kind, _, rest = policy.partition(".")
    name, version, scope = known.get(policy) or _parts(kind, rest)
    attributes = [
        tuple(sorted(a.name for a in result.attributes if a.kind == wanted))
        for wanted in (_ATTRIBUTE.KIND_PRINCIPAL_ATTRIBUTE, _ATTRIBUTE.KIND_RESOURCE_ATTRIBUTE)
    ]
    return [
        policy,
        kind,
        name,
        version,
        scope,
        result.policy_id,
        tuple(sorted(result.actions)),
        tuple(sorted(role.name for role in result.derived_roles)),
        tuple(sorted(variable.name for variable in result.variables)),
        {c.name: messages.from_value(c.value) for c in sorted(result.constants, key=_by_name)},
        *attributes,
    ]


def _by_name(constant: response_pb2.InspectPoliciesResponse.Constant) -> str:
    return constant.name


def frame(
    answer: response_pb2.InspectPoliciesResponse, documents: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """The response as a DataFrame (columns: see ``PDP.policies``), sorted by ``policy``.

    Args:
        answer: the response of InspectPolicies.
        documents: the policies themselves; empty if the PDP does not disclose them.
    """
    known = _keys(documents)
    rows = [_row(name, answer.results[name], known) for name in sorted(answer.results)]
    return pd.DataFrame(rows, columns=COLUMNS)


def of_kind(known: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows of the resource policies of a kind."""
    return known[(known["type"] == "resource") & (known["name"] == canonical(kind))]


def attributes(known: pd.DataFrame, column: str) -> frozenset[str]:
    """The names in a column of tuples of names."""
    return frozenset(name for names in known[column] for name in names)
