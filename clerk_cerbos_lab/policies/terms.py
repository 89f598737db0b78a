"""Terms: expressions that read attributes of the principal only, or one attribute of the resource only.

``P.attr.email.endsWith("@example.com")`` has the same outcome for all principals with the same address,
whatever the resource. What a condition can tell of the address is this outcome, if it reads it in no other
way. The PDP computes the outcome once for each different address (see ``sweeps.outcomes``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab.attribute_names import name_of
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, Field, Literal, Name, Odd
from clerk_cerbos_lab.policies.paths import ELEMENT, ROOTS, attribute_steps, path_of

if TYPE_CHECKING:
    from clerk_cerbos_lab.policies.cel import Node
    from clerk_cerbos_lab.policies.paths import Bound
    from clerk_cerbos_lab.policies.policy_set import Environment

EQUALITIES: Final = frozenset({"==", "!="})

ORDERS: Final = frozenset({"<", "<=", ">", ">="})

LOOPS: Final = frozenset({".all", ".exists", ".exists_one", ".existsOne", ".filter", ".map"})
"""Macros with one variable, which is an element of a list or a key of a map."""

_KNOWN_TYPE: Final = frozenset(
    {
        *EQUALITIES,
        *ORDERS,
        *("in", ".all", ".exists", ".exists_one", ".existsOne"),
        *(".startsWith", ".endsWith", ".contains", ".matches", "matches", ".inIPAddrRange"),
        *(".hasIntersection", "hasIntersection", ".isSubset", "isSubset"),
        *("size", ".size", ".lowerAscii", ".upperAscii", ".trim"),
    }
)
"""Functions whose result always has the same type, a boolean, an integer or a string.

An output shows such a result completely.
"""

CLOCK: Final = frozenset({"now", ".timeSince", "timeSince"})

_ELSEWHERE: Final = frozenset({"V", "variables", "request", "runtime"})
"""What is not there where a term's outcome is asked."""


@dataclass(frozen=True, slots=True)
class Term:
    """An expression that reads attributes of one side only.

    Attributes:
        side: ``P`` or ``R``.
        names: the attributes it reads (see ``attribute_names``), in order.
        text: its source.
        constants: those visible to it, as JSON; empty if it reads none.
        environment: of the policy; equal terms of several policies have the same outcomes.
        where: its place, in words.
    """

    side: str
    names: tuple[str, ...]
    text: str
    constants: str
    environment: Environment = field(compare=False, repr=False)
    where: str = field(compare=False)


def term_of(node: Node, environment: Environment, bound: Bound, where: str) -> Term | None:
    """The node as a term; None if it is none, or if its outcome can't be told from an output.

    Args:
        node: an expression in a policy.
        environment: of the policy.
        bound: the variables of macros around it.
        where: its place, in words.
    """
    if not isinstance(node, Call) or node.function not in _KNOWN_TYPE:
        return None
    if any(isinstance(part, Name) and part.name in bound for part in cel.walk(node)):
        return None
    read = _read(node, environment, {})
    sides = {side for side, _ in read or ()}
    if not read or len(sides) > 1:
        return None
    names = tuple(sorted(name for _, name in read))
    if sides == {"R"} and len(names) > 1:
        return None
    named = {part.name for part in cel.walk(node) if isinstance(part, Name)}
    constants = json.dumps(environment.constants, sort_keys=True) if named & {"C", "constants"} else ""
    return Term(sides.pop(), names, node.text, constants, environment, where)


def _read(  # noqa: C901, PLR0911 - one return per form
    node: Node, environment: Environment, bound: Bound
) -> set[tuple[str, str]] | None:
    """The attributes that a node reads; None if it reads anything else of a request, or may."""
    if isinstance(node, Literal | Odd):
        return set()
    if isinstance(node, Name | Field):
        if _root(node) in _ELSEWHERE - set(bound):
            return None
        path = path_of(node, environment, bound)
        if path is None:  # a type, a namespace, an element of something computed
            return _read(node.operand, environment, bound) if isinstance(node, Field) else set()
        if path[0] in {"C", "G"}:
            return set()
        steps = attribute_steps(path) if path[1:2] == ("attr",) else ()
        return {(path[0], name_of(steps))} if steps else None
    if node.function == "has":
        if len(node.arguments) != 1:
            return None
        path = path_of(node.arguments[0], environment, bound)
        if path is None or len(attribute_steps(path)) > 1:
            return None  # asked with other maps around the value
        return _read(node.arguments[0], environment, bound)
    if node.function in LOOPS:
        return _read_loop(node, environment, bound)
    if node.function in CLOCK or (len(node.arguments) > 2 and isinstance(node.arguments[1], Name)):
        return None  # the second may be a macro's variable
    return _union(node.arguments, environment, bound)


def _read_loop(node: Call, environment: Environment, bound: Bound) -> set[tuple[str, str]] | None:
    over, *rest = node.arguments
    if not rest or not isinstance(rest[0], Name) or rest[0].name in ROOTS:
        return None
    path = path_of(over, environment, bound)
    of_over = _read(over, environment, bound)
    if of_over is None:
        return None
    element = None if path is None else (*path, ELEMENT)
    of_body = _union(tuple(rest[1:]), environment, {**bound, rest[0].name: element})
    return None if of_body is None else of_over | of_body


def _union(nodes: tuple[Node, ...], environment: Environment, bound: Bound) -> set[tuple[str, str]] | None:
    found: set[tuple[str, str]] = set()
    for node in nodes:
        more = _read(node, environment, bound)
        if more is None:
            return None
        found |= more
    return found


def _root(node: Node) -> str | None:
    while isinstance(node, Field):
        node = node.operand
    return node.name if isinstance(node, Name) else None
