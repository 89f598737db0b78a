"""The constants of policies, which ``lab.what_if`` can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant of a policy.

    Attributes:
        name: of the constant.
        value: as written in the policy.
        where: the policy's file.
    """

    name: str
    value: Any
    where: str


def constants_of(documents: Sequence[Mapping[str, Any]]) -> list[Constant]:
    """The constants that policies define, local and exported, in the order of the policies."""
    return [
        Constant(name, value, where)
        for document in documents
        for where, held in holders_of(document)
        for name, value in held.items()
    ]


def holders_of(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each dict of a policy that contains constants, to be read or changed, after the policy's file."""
    where = str(document.get("metadata", {}).get("sourceFile") or "a policy")
    exported = document.get("exportConstants")
    if exported and exported.get("definitions"):
        yield where, exported["definitions"]
    for form in ("resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles"):
        local = ((document.get(form) or {}).get("constants") or {}).get("local")
        if local:
            yield where, local
