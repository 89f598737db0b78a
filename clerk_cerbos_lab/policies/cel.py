"""The only module that uses the CEL parser: turns the text of a condition into a small syntax tree.

Nothing is evaluated here. The tree shows what a policy reads; only the PDP decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lark import Token, Tree


class CelError(Exception):
    """A text that the parser can't read with certainty; the message says why."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a string without escapes, a boolean or null. Integers are Python ints, doubles floats."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name, such as ``R`` or a macro's variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """``operand.name``, or ``operand["name"]``, which means the same for maps."""

    operand: Node
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator, a function, or a method with the operand as its first argument.

    Attributes:
        function: an operator as in CEL (``<=``, ``&&``, ``in``, ``?:``, ``[]``, ``list``, ``map``), the
            name of a function, or the name of a method after a dot: ``.exists``.
        arguments: the operands in source order.
        text: the source of the whole call.
    """

    function: str
    arguments: tuple[Node, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Odd:
    """A literal that only the PDP evaluates: bytes, or a string with escapes."""

    text: str


Node: TypeAlias = Literal | Name | Field | Call | Odd

_RELATIONS: Final = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}


@cache
def parse(text: str) -> Node:
    """The syntax tree of a CEL expression.

    Raises:
        CelError: if the parser does not accept the text. cel-python's grammar lacks what was added to
            CEL after the specification it follows: optional selection (``a.?b``), quoted fields, and a
            comma after the last element.
    """
    from celpy.celparser import CELParseError, CELParser  # noqa: PLC0415 - takes 0.2 s, needed only for an analysis
    from lark.exceptions import LarkError  # noqa: PLC0415

    if "\0" in text:
        msg = f"`{_shown(text)}` contains a character that no policy file can contain"
        raise CelError(msg)
    try:
        tree = CELParser().parse(text)
    except (CELParseError, LarkError, RecursionError):
        msg = f"the parser does not accept `{_shown(text)}`"
        raise CelError(msg) from None
    try:
        return _node(tree, text)
    except RecursionError:
        msg = f"`{_shown(text)}` is nested too deeply"
        raise CelError(msg) from None


def walk(node: Node) -> Iterator[Node]:
    """The node and all its descendants."""
    yield node
    if isinstance(node, Field):
        yield from walk(node.operand)
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from walk(argument)


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 80 else f"{flat[:77]}…"


def _source(tree: Tree[Token], text: str) -> str:
    return text[tree.meta.start_pos : tree.meta.end_pos]


def _node(tree: Tree[Token], text: str) -> Node:  # noqa: C901, PLR0911, PLR0912 - one branch per grammar rule
    rule, parts = str(tree.data), tree.children
    below = [part for part in parts if not isinstance(part, str)]
    if rule == "expr" and len(below) == 3:
        return _call("?:", below, tree, text)
    if rule in {"conditionalor", "conditionaland"} and len(below) == 2:
        return _call("||" if rule == "conditionalor" else "&&", _chain(tree), tree, text)
    if rule in {"relation", "addition", "multiplication"} and len(below) == 2:
        operator, right = below
        function = _RELATIONS[str(operator.data)]
        return Call(function, (_node(operator.children[0], text), _node(right, text)), _source(tree, text))  # type: ignore[arg-type]
    if rule == "unary" and len(below) == 2:
        return _unary(below, tree, text)
    if rule == "paren_expr" or (len(below) == 1 and len(parts) == 1 and rule not in _OWN_FORMS):
        return _node(below[0], text)
    if rule == "literal":
        return _literal(parts[0])  # type: ignore[arg-type]
    if rule == "ident":
        return Name(str(parts[0]))
    if rule == "member_dot":
        return Field(_node(below[0], text), str(parts[1]))
    if rule == "member_dot_arg":
        arguments = [_node(below[0], text), *_list(below[1:], text)]
        return Call(f".{parts[1]}", tuple(arguments), _source(tree, text))
    if rule == "ident_arg":
        return Call(str(parts[0]), tuple(_list(below, text)), _source(tree, text))
    if rule == "member_index":
        operand, index = (_node(part, text) for part in below)
        if isinstance(index, Literal) and isinstance(index.value, str):
            return Field(operand, index.value)
        return Call("[]", (operand, index), _source(tree, text))
    if rule == "list_lit":
        return Call("list", tuple(_list(below, text)), _source(tree, text))
    if rule == "map_lit":
        return Call("map", tuple(_list(below, text)), _source(tree, text))
    msg = f"`{_shown(_source(tree, text) or text)}` has a form that the analysis does not know"
    raise CelError(msg)


_OWN_FORMS: Final = {"list_lit", "map_lit", "ident_arg", "member_object", "dot_ident", "dot_ident_arg"}


def _chain(tree: Any) -> list[Any]:
    """The operands of ``a || b || c``, which the grammar nests to the left, perhaps hundreds deep."""
    operands = []
    rule = tree.data
    while tree.data == rule and len(tree.children) == 2:
        operands.append(tree.children[1])
        tree = tree.children[0]
    return [tree, *reversed(operands)]


def _call(function: str, below: list[Any], tree: Tree[Token], text: str) -> Call:
    return Call(function, tuple(_node(part, text) for part in below), _source(tree, text))


def _list(below: list[Any], text: str) -> list[Node]:
    """The elements of an ``exprlist`` or ``mapinits``, if there is one."""
    return [_node(part, text) for part in below[0].children] if below else []


def _unary(below: list[Any], tree: Tree[Token], text: str) -> Node:
    operator, operand = str(below[0].data), _node(below[1], text)
    number = isinstance(operand, Literal) and type(operand.value) in {int, float}
    if operator == "unary_neg" and number:
        return Literal(-operand.value)  # type: ignore[union-attr]
    return Call("!" if operator == "unary_not" else "neg", (operand,), _source(tree, text))


def _literal(token: Token) -> Literal | Odd:  # noqa: PLR0911 - one return per kind
    kind, text = token.type, str(token)
    if kind == "INT_LIT":
        return Literal(_whole(text))
    if kind == "UINT_LIT":
        return Literal(_whole(text[:-1]))
    if kind == "FLOAT_LIT":
        return Literal(float(text))
    if kind == "BOOL_LIT":
        return Literal(text == "true")
    if kind == "NULL_LIT":
        return Literal(None)
    raw = re.match(r"[bB]?[rR]", text) is not None
    if raw and re.search(r"""\\["']""", text):  # CEL ends a raw string there, cel-python may not
        msg = f"the raw string {_shown(text)} contains a backslash before a quote"
        raise CelError(msg)
    if kind == "BYTES_LIT" or "\n" in text or "\r" in text or ("\\" in text and not raw):
        return Odd(text)
    bare = text.lstrip("rR")
    quotes = 3 if bare[:3] in {'"""', "'''"} and len(bare) >= 6 else 1
    return Literal(bare[quotes:-quotes])


def _whole(text: str) -> int:
    return int(text, 16) if "x" in text.lower() else int(text)
