"""The path of a value in a request that an expression reads, such as ``R.attr.amount``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from clerk_cerbos_lab.attribute_names import name_of
from clerk_cerbos_lab.policies.cel import CelError, Field, Literal, Name, Node
from clerk_cerbos_lab.values import RESOURCE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerk_cerbos_lab.policies.policy_set import Environment

Path: TypeAlias = tuple[str, ...]

ELEMENT: Final = "\0element"
"""In a path: any element of a list, or any key of a map. No expression can contain this name."""

ROOTS: Final = {"P", "R", "C", "V", "G", "request", "constants", "variables", "globals", "runtime"}
"""The names at which a path can begin."""

_SHORT: Final = {"constants": "C", "variables": "V", "globals": "G"}

# -- paths ------------------------------------------------------------------------------------


Bound: TypeAlias = "Mapping[str, Path | None]"


def path_of(  # noqa: PLR0911 - one return per form
    node: Node, environment: Environment, bound: Bound
) -> Path | None:
    """The path of a value, such as ``("R", "attr", "amount")``; None if the node is not a plain path.

    Long names become short ones, a variable that is a plain path becomes that path, and a macro's
    variable becomes an element of the macro's operand.
    """
    if isinstance(node, Name):
        if node.name in bound:
            return bound[node.name]
        return (_SHORT.get(node.name, node.name),) if node.name in ROOTS else None
    if not isinstance(node, Field):
        return None
    above = path_of(node.operand, environment, bound)
    if above is None:
        return None
    if above == ("V",):
        if node.name not in environment.variables:
            msg = f"the variable '{node.name}' is not defined in {environment.file}"
            raise CelError(msg)
        return path_of(environment.variables[node.name], environment, {})
    if above == ("request",):
        short = {"principal": "P", "resource": "R"}.get(node.name)
        return (short,) if short else ("request", node.name)
    return (*above, node.name)


def _variable(node: Node, bound: Bound) -> str | None:
    """The name in ``V.name`` or ``variables.name``."""
    if isinstance(node, Field) and isinstance(node.operand, Name) and node.operand.name not in bound:
        return node.name if node.operand.name in {"V", "variables"} else None
    return None


def _resource_attribute(path: Path) -> str | None:
    """The attribute in a path below ``R``; None for the whole resource, empty for what never varies.

    The path can go on with an element of a list or a key of a map.
    """
    if path == ("R", "id"):
        return RESOURCE_ID
    if path[:2] == ("R", "attr") and (steps := attribute_steps(path)):
        return name_of(steps)
    if len(path) >= 2 and path[1] in {"kind", "scope", "policyVersion", "policy_version"}:
        return ""
    return None


def attribute_steps(path: Path) -> tuple[str, ...]:
    """The keys in a path below ``attr``, up to the first that is not known."""
    below = path[2:]
    return below[: below.index(ELEMENT)] if ELEMENT in below else below


def written(node: Node) -> str:
    """The source of a node, approximately, for a message."""
    if isinstance(node, Field):
        return f"{written(node.operand)}.{node.name}"
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Literal):
        return repr(node.value)
    return " ".join(node.text.split())
