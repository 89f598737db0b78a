"""Other values for what policies compare with: their types, how CEL writes them, and the files with them."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.policies import cel
from clerk_cerbos_lab.policies.addresses import limit_at
from clerk_cerbos_lab.policies.cel import CelError, Literal
from clerk_cerbos_lab.policies.edits import (
    NotInPlaceError,
    moved_expression,
    moved_value,
    number_text,
)
from clerk_cerbos_lab.policies.movable import movable
from clerk_cerbos_lab.values import is_number, json_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from clerk_cerbos_lab.policies.addresses import Limit

    Move: TypeAlias = tuple[Limit, Any]


def moves_of(limits: Sequence[Limit], wanted: Mapping[str, Any]) -> list[Move]:
    """The limits that addresses mean, with their new values.

    Raises:
        InputError: for an address that means none or several, two that mean the same, or another type.
    """
    found: list[tuple[str, Limit, Any]] = []
    for address, value in wanted.items():
        limit = limit_at(limits, address)
        for other, known, _ in found:
            if _overlap(limit, known):
                msg = f"'{other}' and '{address}' are the same value: leave one out"
                raise InputError(msg)
        found.append((address, limit, checked_value(limit, value)))
    return [(limit, value) for _, limit, value in found]


def _overlap(one: Limit, other: Limit) -> bool:
    a, b = one.spot, other.spot
    if a.document != b.document:
        return False
    if a.expression is None or b.expression is None:
        shorter = min(len(a.path), len(b.path))
        return a.path[:shorter] == b.path[:shorter]
    return a == b


def moved_files(
    files: Mapping[str, bytes], documents: Sequence[Mapping[str, Any]], moves: Sequence[Move]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Policy files in which values have moved: only their bytes differ.

    Args:
        files: the policy files.
        documents: the policies in them, as the PDP read them.
        moves: limits and their new values.

    Returns:
        The changed files, and for each file that can't be edited in place why; that file is the policy
        as JSON instead, without comments and with other lines.

    Raises:
        InputError: for a value that CEL can't hold there.
    """
    changed: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    ordered = sorted(moves, key=lambda move: (move[0].spot.document, -move[0].spot.span[0]))
    for number in dict.fromkeys(limit.spot.document for limit, _ in ordered):
        own = [move for move in ordered if move[0].spot.document == number]
        file = own[0][0].spot.file
        try:
            changed[file] = _in_place(files, file, own)
        except NotInPlaceError as error:
            problems[file] = str(error)
            changed[file] = _as_json(documents[number], own)
    return changed, problems


def _in_place(files: Mapping[str, bytes], file: str, moves: Sequence[Move]) -> bytes:
    if file not in files:
        msg = "it is not among the files of the PDP"
        raise NotInPlaceError(msg)
    try:
        text = files[file].decode("utf-8")
    except UnicodeDecodeError:
        msg = "it is not UTF-8"
        raise NotInPlaceError(msg) from None
    expressions: dict[tuple[str | int, ...], str] = {}
    for limit, value in moves:
        spot = limit.spot
        if spot.expression is None:
            text = moved_value(text, spot.path, limit.value, value)
            continue
        expression = expressions.get(spot.path, spot.expression)
        literal = literal_for(limit, value)
        text = moved_expression(text, spot.path, expression, spot.span, literal)
        expressions[spot.path] = _with_literal(expression, limit, literal)
    return text.encode("utf-8")


def _with_literal(expression: str, limit: Limit, literal: str) -> str:
    start, end = limit.spot.span
    return expression[:start] + literal + expression[end:]


def moved_documents(documents: Sequence[Mapping[str, Any]], moves: Sequence[Move]) -> list[dict[str, Any]]:
    """The policies with other values, as the PDP would read them.

    Raises:
        InputError: for a value that CEL can't hold there.
    """
    return [
        _moved_document(document, own)
        if (own := [one for one in moves if one[0].spot.document == number])
        else dict(document)
        for number, document in enumerate(documents)
    ]


def _as_json(document: Mapping[str, Any], moves: Sequence[Move]) -> bytes:
    """The policy as JSON, with the new values."""
    made = _moved_document({name: part for name, part in document.items() if name != "metadata"}, moves)
    return json.dumps(made, ensure_ascii=False, indent=1).encode()  # JSON is valid YAML


def _moved_document(document: Mapping[str, Any], moves: Sequence[Move]) -> dict[str, Any]:
    made = copy.deepcopy(dict(document))
    for limit, value in sorted(moves, key=lambda move: -move[0].spot.span[0]):
        holder: Any = made
        for step in limit.spot.path[:-1]:
            holder = holder[step]
        last = limit.spot.path[-1]
        if limit.spot.expression is not None:
            holder[last] = _with_literal(holder[last], limit, literal_for(limit, value))
        else:
            holder[last] = float(value) if is_number(value) else value  # as Cerbos returns it
    return made


# -- new values -----------------------------------------------------------------------------------


def checked_value(limit: Limit, value: Any) -> Any:
    """A new value, if it is of the type of the old one.

    Raises:
        InputError: if it is of another type.
    """
    what = f"the constant '{limit.constant}'" if limit.constant else f"'{limit.address}'"
    if json_type(value) != json_type(limit.value):
        msg = f"{what} is {json_type(limit.value)}, not {json_type(value)}"
        raise InputError(msg)
    if limit.constant is None and isinstance(value, list):
        types = {json_type(item) for item in limit.value}
        for item in value:
            if not movable(item) or (types and json_type(item) not in types):
                held = " or ".join(sorted(types)) or "numbers or texts"
                msg = f"{what} is a list whose items are {held}, not {json_type(item)}"
                raise InputError(msg)
    return value


def literal_for(limit: Limit, value: Any) -> str:
    """CEL source of a new value for a literal, written like the old one.

    Raises:
        InputError: for a number that CEL can't hold there.
    """
    start, end = limit.spot.span
    before = (limit.spot.expression or "")[start:end]
    if not isinstance(value, list):
        return _cel_literal(value, before, limit.address)
    parts = [part for part in getattr(cel.parse(before), "arguments", ()) if isinstance(part, Literal)]
    kept = {json.dumps(part.value): before[slice(*part.span)] for part in parts}
    style = next(iter(kept.values()), "")
    fresh = [kept.get(json.dumps(one)) or _cel_literal(one, style, limit.address) for one in value]
    return f"[{', '.join(fresh)}]"


def _cel_literal(value: float | str, before: str, address: str) -> str:
    written = _cel_text(value, before) if isinstance(value, str) else _cel_number(value, before)
    try:
        read = cel.parse(written)
    except CelError:
        read = None
    unsigned = re.search(r"[uU]$", before) and not isinstance(value, str)
    if not isinstance(read, Literal) or read.value != value or (unsigned and written.startswith("-")):
        msg = f"'{address}': {value!r} can't be written in place of {before}"
        raise InputError(msg)
    return written


def _cel_text(value: str, before: str) -> str:
    quote = "'" if before.lstrip("rR").startswith("'") else '"'
    inner = json.dumps(value, ensure_ascii=False)[1:-1]
    if quote == "'":
        inner = inner.replace('\\"', '"').replace("'", "\\'")
    return f"{quote}{inner}{quote}"


def _cel_number(value: float, before: str) -> str:
    """An integer stays one while the value is whole, a double one always."""
    written = number_text(value)
    if re.search(r"[uU]$", before):
        return f"{written}u"
    double = re.fullmatch(r"\s*-?\s*(?:[0-9]*\.[0-9]+|[0-9]+(?=[eE])).*", before) is not None
    return f"{written}.0" if double and re.fullmatch(r"-?\d+", written) else written
