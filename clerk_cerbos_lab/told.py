"""What Cerbos's InspectPolicies tells, as a frame of one row a policy, and what can be read off it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from cerbos.response.v1 import response_pb2

from clerk_cerbos_lab import messages
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.library import sanitized
from clerk_cerbos_lab.policies import covers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
_VERSIONED: Final = ("resource", "principal", "role")  # the others have no version: my.vips is a name
_ATTRIBUTE: Final = response_pb2.InspectPoliciesResponse.Attribute


def _row(policy: str, result: response_pb2.InspectPoliciesResponse.Result) -> list[object]:
    kind, _, rest = policy.partition(".")
    named, _, scope = rest.partition("/")
    name, _, version = named.rpartition(".v") if kind in _VERSIONED else (named, "", "")
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


def frame(answer: response_pb2.InspectPoliciesResponse) -> pd.DataFrame:
    """The answer as a DataFrame (columns: see ``PDP.policies``), sorted by ``policy``."""
    rows = [_row(name, answer.results[name]) for name in sorted(answer.results)]
    return pd.DataFrame(rows, columns=COLUMNS)


def of_kind(known: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows of the resource policies of a kind."""
    return known[(known["type"] == "resource") & (known["name"] == sanitized(kind))]


def attributes(known: pd.DataFrame, column: str) -> frozenset[str]:
    """The names in a column of tuples of names."""
    return frozenset(name for names in known[column] for name in names)


def actions_elsewhere(known: pd.DataFrame) -> tuple[str, ...]:
    """The actions that principal and role policies name, of whatever kind."""
    return tuple(sorted(attributes(known[known["type"].isin(["principal", "role"])], "actions")))


def kinds_elsewhere(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """The resource kinds that principal and role policies are about."""
    bodies = [document.get("principalPolicy") or document.get("rolePolicy") or {} for document in documents]
    return {rule["resource"] for body in bodies for rule in body.get("rules", ())}


def actions_of(
    known: pd.DataFrame,
    kind: str,
    *,
    version: str | None,
    scope: str,
    looks_above: Callable[[str, Iterable[str]], bool],
    named: set[str] | None,
) -> tuple[str, ...]:
    """The actions that the policies of a kind name.

    Args:
        known: the frame of all policies.
        kind: the resource kind.
        version: the policy version that a request means; None when the PDP alone knows.
        scope: of the resource.
        looks_above: whether a scope that no policy has may mean one further up, among these.
        named: the kinds, perhaps as patterns, that principal and role policies are about, which
            InspectPolicies does not tell; None where that is not known.

    Raises:
        InputError: when no policy is about this kind, or not in this version or scope.
    """
    about = of_kind(known, kind)
    elsewhere = actions_elsewhere(known)
    if about.empty and elsewhere and (named is None or any(covers(pattern, kind) for pattern in named)):
        return elsewhere
    if about.empty:
        kinds = set(known.loc[known["type"] == "resource", "name"])
        msg = f"no policy is about the resource kind '{kind}'{did_you_mean(kind, kinds)}"
        raise InputError(msg)
    if version is not None:
        versions = set(about["version"])
        about = about[about["version"] == version]
        if about.empty:
            msg = f"'{kind}' has no policy version '{version}'{did_you_mean(version, versions)}"
            raise InputError(msg)
    scopes = set(about["scope"])
    if scope and scope not in scopes and not looks_above(scope, scopes):
        msg = f"'{kind}' has no policy in the scope '{scope}'{did_you_mean(scope, scopes - {''})}"
        raise InputError(msg)
    return tuple(sorted(attributes(about, "actions")))
