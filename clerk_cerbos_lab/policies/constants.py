"""The constants of policies: the numbers that ``lab.what_if`` can move."""

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
        value: as the policy has it.
        where: the policy in words.
    """

    name: str
    value: Any
    where: str


def constants_of(documents: Sequence[Mapping[str, Any]]) -> list[Constant]:
    """The constants that policies define, local and exported ones, in the order of the policies."""
    return [
        Constant(name, value, where)
        for document in documents
        for where, held in holders_of(document)
        for name, value in held.items()
    ]


def holders_of(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The dicts of a policy that hold constants, to be read or changed."""
    where = str(document.get("metadata", {}).get("sourceFile") or "a policy")
    exported = document.get("exportConstants")
    if exported and exported.get("definitions"):
        yield where, exported["definitions"]
    for form in ("resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles"):
        local = ((document.get(form) or {}).get("constants") or {}).get("local")
        if local:
            yield where, local
