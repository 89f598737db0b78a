"""A condition as a tree: blocks, logical operators and variables down to atoms and their operands.

Nothing is evaluated here. The tree names the expressions whose values explain an effect; only the PDP has
their values.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name, Node, Odd
from clerk_cerbos_lab.policies.paths import ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.policies.lines import Lines
    from clerk_cerbos_lab.policies.policy_set import PolicySet

_RESERVED: Final = {
    *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let"),
    *("loop", "namespace", "null", "package", "return", "true", "var", "void", "while"),
}

RELATIONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
"""Operators between two operands."""

BLOCKS: Final = frozenset({"all", "any", "none"})
"""The forms of a match block."""

_LOGICAL: Final = {"&&": "and", "||": "or", "!": "not", "?:": "if"}

_MACROS: Final = {
    *(".all", ".exists", ".exists_one", ".existsOne", ".filter", ".map", ".sortBy"),
    *(".transformList", ".transformMap", ".transformMapEntry", ".bind"),
}
"""Methods whose first arguments may be new names."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A value that an atom reads.

    Attributes:
        text: its CEL source.
        name: what it is called: the last part of its path, or its source.
        path: its path, such as ``("R", "attr", "amount")``; empty if it is computed from others or a literal.
        literal: whether it is a literal, whose value is ``value``.
        value: of a literal.
        parts: for a variable or a computed operand, what it is computed from.
    """

    text: str
    name: str
    path: tuple[str, ...] = ()
    literal: bool = False
    value: Any = None
    parts: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A part of a condition, or all of it.

    Attributes:
        form: ``all``, ``any`` and ``none`` for match blocks; ``and``, ``or``, ``not``, ``if`` for logical
            operators; ``variable`` for a variable used as a condition, ``atom`` for anything else, and
            ``unread`` for text that can't be read and is asked as a whole.
        text: the CEL source; empty for a match block.
        match: the match block; None for an expression.
        parts: what it consists of; for a variable its own expression.
        operands: the operands of an atom, in source order.
        operator: of an atom between two operands, such as ``<=``; else empty.
        place: the policy's file, and the line if known.
        why: for ``unread``: why it can't be read.
    """

    form: str
    text: str
    match: Mapping[str, Any] | None = None
    parts: tuple[Expression, ...] = ()
    operands: tuple[Operand, ...] = ()
    operator: str = ""
    place: tuple[str, int | None] = ("", None)
    why: str = ""

    def walk(self) -> Iterator[Expression]:
        """This expression and everything below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """The names visible to the expressions of one policy, whether or not all of them can be read.

    Attributes:
        file: the policy's file.
        variables: name to CEL source.
        constants: name to value.
        lines: line numbers in the policy files.
    """

    file: str
    variables: Mapping[str, str]
    constants: Mapping[str, Any]
    lines: Lines

    def place_of(self, text: str, *path: str | int) -> tuple[str, int | None]:
        """The file and the line of an expression, at this path of the file if given."""
        line = self.lines.of(self.file, *path) if path else None
        return self.file, self.lines.of_text(self.file, text) if line is None else line

    def variable(self, name: str) -> Node | None:
        """A variable's expression; None if there is none that can be read."""
        try:
            return cel.parse(self.variables[name]) if name in self.variables else None
        except CelError:
            return None


def visible_in(policy_set: PolicySet, policy: Mapping[str, Any], body: Mapping[str, Any]) -> Visible:
    """The names visible to the expressions of a policy."""
    variables, constants = policy_set.definitions(policy, body)
    file = str(policy.get("metadata", {}).get("sourceFile") or "a policy")
    return Visible(file, variables, constants, policy_set.lines)


def read_condition(condition: Mapping[str, Any], visible: Visible, *path: str | int) -> Expression | None:
    """The tree of a rule's or derived role's condition; None if it has none.

    Args:
        condition: as in a policy file.
        visible: the names visible to it.
        path: where it is in the file, such as ``("resourcePolicy", "rules", 0, "condition")``.
    """
    if not condition:
        return None
    match = condition.get("match")
    if set(condition) != {"match"} or not isinstance(match, dict):
        return Expression("unread", "", place=(visible.file, None), why="an unknown form of condition")
    return _match(match, visible, (*path, "match") if path else ())


def read_expression(text: str, visible: Visible, *path: str | int) -> Expression:
    """The tree of a CEL expression."""
    place = visible.place_of(text, *path)
    try:
        return _expression(cel.parse(text), visible, place, (), text)
    except CelError as error:
        return Expression("unread", text, place=place, why=str(error))


def _match(match: Mapping[str, Any], visible: Visible, path: tuple[str | int, ...]) -> Expression:
    place = (visible.file, visible.lines.of(visible.file, *path) if path else None)
    form = next(iter(match), "")
    if len(match) != 1 or form not in {"expr", *BLOCKS}:
        return Expression("unread", "", match, place=place, why="an unknown form of condition")
    if form == "expr":
        return read_expression(match["expr"], visible, *((*path, "expr") if path else ()))
    parts = tuple(
        _match(part, visible, (*path, form, "of", i) if path else ())
        for i, part in enumerate(match[form].get("of", ()))
    )
    return Expression(form, "", match, parts, place=place)


def _expression(
    node: Node, visible: Visible, place: tuple[str, int | None], seen: tuple[str, ...], text: str
) -> Expression:
    if isinstance(node, Call) and node.function in _LOGICAL:
        parts = tuple(_expression(one, visible, place, seen, _text(one)) for one in node.arguments)
        return Expression(_LOGICAL[node.function], text, None, parts, place=place)
    name = _variable(node)
    if name is not None and name in visible.variables and name not in seen:
        own = visible.variables[name]
        where, body = visible.place_of(own), visible.variable(name)
        if body is None:
            below = Expression("unread", own, place=where, why="the parser does not accept it")
        else:
            below = _expression(body, visible, where, (*seen, name), own)
        return Expression("variable", text, None, (below,), place=place)
    if isinstance(node, Call) and node.function in RELATIONS:
        operands = tuple(_operand(one, visible, seen) for one in node.arguments)
        return Expression("atom", text, None, (), operands, node.function, place)
    return Expression("atom", text, None, (), tuple(_leaves(node, visible, frozenset(), seen)), "", place)


def _operand(node: Node, visible: Visible, seen: tuple[str, ...]) -> Operand:
    if isinstance(node, Literal):
        return Operand(source(node), source(node), literal=True, value=node.value)
    if isinstance(node, Odd):
        return Operand(node.text, node.text)
    found = tuple(_leaves(node, visible, frozenset(), seen))
    if len(found) == 1 and found[0].text == source(node):
        return found[0]
    return Operand(_text(node), " ".join(_text(node).split()), parts=found)


def _leaves(node: Node, visible: Visible, bound: frozenset[str], seen: tuple[str, ...]) -> Iterator[Operand]:
    """The values in a request, constants and variables that a node reads, each once."""
    found: dict[str, Operand] = {}
    for one in _leaf_nodes(node, bound):
        path = _names(one)
        name = _variable(one)
        below: tuple[Operand, ...] = ()
        body = None if name is None or name in seen else visible.variable(name)
        if body is not None and name is not None:
            below = tuple(_leaves(body, visible, frozenset(), (*seen, name)))
        text = source(one)
        found.setdefault(text, Operand(text, path[-1], path, parts=below))
    yield from found.values()


def _leaf_nodes(node: Node, bound: frozenset[str]) -> Iterator[Node]:
    if isinstance(node, (Name, Field)):
        path = _names(node)
        if path and path[0] in ROOTS and path[0] not in bound:
            yield node
        elif not path and isinstance(node, Field):
            yield from _leaf_nodes(node.operand, bound)
    elif isinstance(node, Call):
        arguments = node.arguments
        if node.function in _MACROS and len(arguments) > 2:
            first = node.arguments[1]
            second = node.arguments[2]
            new = {one.name for one in (first, second) if isinstance(one, Name)}
            new = new if len(arguments) > 3 and node.function != ".bind" else {getattr(first, "name", "")}
            if node.function == ".bind":
                yield from _leaf_nodes(arguments[2], bound)
                yield from _leaf_nodes(arguments[3], bound | new)
                return
            yield from _leaf_nodes(arguments[0], bound)
            for one in arguments[1:]:
                yield from _leaf_nodes(one, bound | new)
            return
        for one in arguments:
            yield from _leaf_nodes(one, bound)


def _names(node: Node) -> tuple[str, ...]:
    """The names in ``R.attr.amount``; empty for anything else. Long names become short ones."""
    if isinstance(node, Name):
        return (_SHORT.get(node.name, node.name),)
    if not isinstance(node, Field):
        return ()
    above = _names(node.operand)
    if above == ("request",) and node.name in {"principal", "resource"}:
        return ("P",) if node.name == "principal" else ("R",)
    return (*above, node.name) if above else ()


def _text(node: Node) -> str:
    """The source of a node that stands alone."""
    return node.text if isinstance(node, Call) else source(node)


_SHORT: Final = {"constants": "C", "variables": "V", "globals": "G"}


def _variable(node: Node) -> str | None:
    path = _names(node)
    return path[1] if len(path) == 2 and path[0] == "V" else None


def source(node: Node) -> str:
    """A node as CEL source, with the same meaning wherever the same names are defined."""
    if isinstance(node, Field):
        above = source(node.operand)
        if re.fullmatch(r"[_a-zA-Z]\w*", node.name, flags=re.ASCII) and node.name not in _RESERVED:
            return f"{above}.{node.name}"
        return f"{above}[{json.dumps(node.name, ensure_ascii=False)}]"
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Literal):
        return json.dumps(node.value, ensure_ascii=False)
    return f"({node.text})" if isinstance(node, Call) else node.text


def reads(operands: Sequence[Operand]) -> Iterator[tuple[str, ...]]:
    """The paths of everything that operands read, through variables."""
    for one in operands:
        if one.path and not (one.path[0] == "V" and one.parts):
            yield one.path
        yield from reads(one.parts)
