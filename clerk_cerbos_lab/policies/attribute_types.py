"""The types that the policies compare attributes with, for ``lab.problems`` and for reading records.

It sees comparisons in which each side is an attribute, a constant, a literal, or a variable that is just
one of these. It may miss others: it is a hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from clerk_cerbos_lab.attribute_names import name_of
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, CelError, Literal
from clerk_cerbos_lab.policies.paths import ELEMENT, path_of
from clerk_cerbos_lab.policies.policy_set import expressions
from clerk_cerbos_lab.policies.terms import EQUALITIES, ORDERS
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.paths import Path
    from clerk_cerbos_lab.policies.policy_set import Environment

Side: TypeAlias = "tuple[str, str] | str | None"
"""An attribute (``("P", name)`` or ``("R", name)``), a type in words, or neither."""


def compared_types(policies: Sequence[Mapping[str, Any]], side: str = "P") -> dict[str, str]:
    """The JSON types that the policies compare attributes with.

    Types propagate through comparisons: with ``R.attr.amount <= 5000`` and ``P.attr.limit >=
    R.attr.amount``, the limit is compared with a number.

    Args:
        policies: as dicts in the form of Cerbos's policy files.
        side: ``P`` for attributes of the principal, ``R`` for those of the resource.

    Returns:
        Attribute name to type in words, such as ``{"limit": "a number"}``, without attributes that
        are compared with several types or with no known type.
    """
    types: dict[tuple[str, str], set[str]] = {}
    pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
    for left, right in _comparisons(policies):
        for one, other in ((left, right), (right, left)):
            if isinstance(one, tuple) and isinstance(other, str):
                types.setdefault(one, set()).add(other)
        if isinstance(left, tuple) and isinstance(right, tuple):
            pairs.append((left, right))
    changed = True
    while changed:
        changed = False
        for one, other in pairs:
            both = types.get(one, set()) | types.get(other, set())
            for name in (one, other):
                if both and types.get(name) != both:
                    types[name] = set(both)
                    changed = True
    return {
        name: next(iter(known)) for (whose, name), known in types.items() if whose == side and len(known) == 1
    }


def _comparisons(policies: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Side, Side]]:
    try:
        for environment, texts in expressions(policies):
            for text in texts:
                for node in cel.walk(cel.parse(text)):
                    if isinstance(node, Call) and node.function in EQUALITIES | ORDERS:
                        left, right = (_side(side, environment) for side in node.arguments)
                        yield left, right
    except CelError:  # the rest is not read, so one hint is lost
        return


def _side(node: Node, environment: Environment) -> Side:
    if isinstance(node, Literal):
        return json_type(node.value)
    path = path_of(node, environment, {})
    if path is None:
        return None
    if path[0] == "C":
        return _of_constant(path, environment)
    whole = len(path) > 2 and path[0] in {"P", "R"} and path[1] == "attr" and ELEMENT not in path
    return (path[0], name_of(path[2:])) if whole else None


def _of_constant(path: Path, environment: Environment) -> str | None:
    value: object = dict(environment.constants)
    for step in path[1:]:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return json_type(value)
