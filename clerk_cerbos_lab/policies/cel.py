"""The only module that uses a CEL parser: turns the text of a condition into a small syntax tree.

Nothing is evaluated here. The tree shows what a policy reads; only the PDP decides. The syntax, in
``cel.lark``, is what Cerbos accepts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from math import isinf
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lark import Lark, Token, Tree


class CelError(Exception):
    """A text that the parser can't read with certainty; the message says why."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a string, a boolean or null. Integers are Python ints, doubles floats.

    Attributes:
        value: as a Python value.
        span: where it starts and ends in the text that was parsed, a minus sign included.
    """

    value: Any
    span: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)


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
            name of a function, or the name of a method after a dot: ``.exists``. ``.?`` is the selection
            of a field that may be missing, with its name as the second argument; ``[?]`` the same with
            an index; ``?`` an element that may be absent; ``{}`` a message with the values of its fields.
        arguments: the operands in source order.
        text: the source of the whole call.
        start: where it starts in the text that was parsed.
    """

    function: str
    arguments: tuple[Node, ...]
    text: str
    start: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Odd:
    """A literal that only the PDP evaluates: bytes."""

    text: str


Node: TypeAlias = Literal | Name | Field | Call | Odd

_RESERVED: Final = {
    *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"),
    *("namespace", "package", "return", "var", "void", "while"),
}

_LARGEST_INTEGER: Final = 2**63  # with a minus sign, which is an operator here

_LARGEST_UNSIGNED: Final = 2**64 - 1

_ESCAPE: Final = re.compile(
    r"\\(?:[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<letter>.))"
)

_ESCAPED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@cache
def parse(text: str) -> Node:
    """The syntax tree of a CEL expression.

    Raises:
        CelError: if Cerbos would not accept the text, or it contains one of two things that are not read: the
            name ``.x`` where ``x`` is also a macro's variable, and a field whose name contains a NUL.
    """
    from lark.exceptions import LarkError  # noqa: PLC0415 - takes 0.1 s, needed only for an analysis

    try:
        tree = _parser().parse(text)
    except LarkError:
        msg = f"the parser does not accept `{_shown(text)}`"
        raise CelError(msg) from None
    return _Builder(text).node(tree)


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


@cache
def _parser() -> Lark:
    from lark import Lark  # noqa: PLC0415 - as above

    return Lark.open(
        "cel.lark",
        rel_to=__file__,
        start="expression",
        parser="lalr",
        lexer="basic",  # in CEL the place of a word does not matter: `in` is never a field
        propagate_positions=True,
        maybe_placeholders=False,
    )


class _Builder:
    """Builds the nodes of one expression from the parser's tree: bottom up, because it may be deep."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._global: set[str] = set()  # names with a leading dot
        self._may_be_bound: set[str] = set()

    def node(self, tree: Tree[Token]) -> Node:
        built: dict[int, Node] = {}
        for part in tree.iter_subtrees():
            below = [child if isinstance(child, str) else built[id(child)] for child in part.children]
            built[id(part)] = self._node(part, below)
        shadowed = self._global & self._may_be_bound
        if shadowed:
            msg = f"`{_shown(self._text)}` has both .{min(shadowed)} and a variable {min(shadowed)}"
            raise CelError(msg)
        return built[id(tree)]

    def _node(  # noqa: C901, PLR0911 - one branch per form
        self, tree: Tree[Token], below: Sequence[Any]
    ) -> Node:
        """A node, from the tokens and nodes in it."""
        rule = str(tree.data)
        match rule, below:
            case "literal", [token]:
                return self._literal(token)
            case "name" | "global_name", [name]:
                return self._name(str(name), everywhere=rule == "global_name")
            case "select", [operand, name]:
                return Field(operand, self._field_name(name))
            case "index", [operand, Literal(str(name))]:
                return Field(operand, self._field_name(name))
            case "optional_select", [operand, name]:
                return self._call(".?", tree, operand, Literal(self._field_name(name)))
            case "optional_index", [operand, Literal(str(name))]:
                return self._call(".?", tree, operand, Literal(self._field_name(name)))
            case "operation", [left, operator, right]:
                return self._call(str(operator), tree, left, right)
            case "negation", [*operators, operand]:
                return self._negation(tree, operators, operand)
            case "call", [name, *arguments]:
                return self._call(str(name), tree, *arguments)
            case "method", [operand, name, *arguments]:
                self._may_be_bound.update(part.name for part in arguments if isinstance(part, Name))
                return self._call(f".{name}", tree, operand, *arguments)
            case "message", [_, *fields]:
                return self._call("{}", tree, *(part for part in fields if not isinstance(part, str)))
        return self._call(_FUNCTIONS[rule], tree, *below)

    def _call(self, function: str, tree: Tree[Token], *arguments: Node) -> Call:
        start, end = tree.meta.start_pos, tree.meta.end_pos
        return Call(function, arguments, self._text[start:end], start)

    def _name(self, name: str, *, everywhere: bool) -> Name:
        if name in _RESERVED:
            msg = f"`{_shown(self._text)}` uses the reserved word {name}"
            raise CelError(msg)
        if everywhere:
            self._global.add(name)
        return Name(name)

    def _field_name(self, name: str) -> str:
        if "\0" in name:  # see paths.ELEMENT
            msg = f"`{_shown(self._text)}` has a field whose name contains a NUL"
            raise CelError(msg)
        return name.strip("`") if getattr(name, "type", None) == "QUOTED" else str(name)

    def _negation(self, tree: Tree[Token], operators: Sequence[str], operand: Node) -> Node:
        """``!!x`` is ``x`` in CEL, whatever it is, and so is ``--x``."""
        if len(operators) % 2 == 0:
            return operand
        if operators[0] == "!":
            return self._call("!", tree, operand)
        if isinstance(operand, Literal) and type(operand.value) in {int, float}:
            return Literal(-operand.value, (tree.meta.start_pos, operand.span[1]))
        return self._call("neg", tree, operand)

    def _literal(self, token: Token) -> Literal | Odd:
        kind, text = token.type, str(token)
        start = token.start_pos or 0
        span = (start, start + len(text))
        if kind == "STRING":
            return Literal(self._string(text), span)
        if kind == "BYTES":
            return Odd(text)
        if kind in {"INTEGER", "UNSIGNED"}:
            digits = text.rstrip("uU")
            whole = int(digits, 16) if digits.startswith("0x") else int(digits)
            if whole > (_LARGEST_INTEGER if kind == "INTEGER" else _LARGEST_UNSIGNED):
                msg = f"the number {text} is too large"
                raise CelError(msg)
            return Literal(whole, span)
        if kind == "DOUBLE":
            if isinf(float(text)):
                msg = f"the number {text} is too large"
                raise CelError(msg)
            return Literal(float(text), span)
        return Literal({"TRUE": True, "FALSE": False, "NULL": None}[kind], span)

    def _string(self, text: str) -> str:
        bare = re.sub("\r\n?", "\n", text)
        raw = bare[0] in "rR"
        bare = bare[1:] if raw else bare
        quotes = 3 if bare[:3] in {'"""', "'''"} and len(bare) >= 6 else 1
        content = bare[quotes:-quotes]
        return content if raw else _ESCAPE.sub(self._character, content)

    def _character(self, escape: re.Match[str]) -> str:
        if letter := escape["letter"]:
            return _ESCAPED.get(letter, letter)
        hexadecimal = escape["x"] or escape["u"] or escape["U"]
        code = int(hexadecimal, 16) if hexadecimal else int(escape["octal"], 8)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            msg = f"`{_shown(self._text)}` contains {escape[0]}, which is no character"
            raise CelError(msg)
        return chr(code)


_FUNCTIONS: Final = {
    "choice": "?:",
    "disjunction": "||",
    "conjunction": "&&",
    "optional_index": "[?]",
    "index": "[]",
    "list": "list",
    "map": "map",
    "optional": "?",
}
