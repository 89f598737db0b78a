"""Edits of a policy's text that change the bytes of one value, and no others.

A parser of YAML says where a value is, and what an edit made of the text: each edit is read again, and counts
only if the value is the new one and everything else is as it was.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is in a policy, such as ``("resourcePolicy", "rules", 0, "condition", "match", "expr")``."""

_PLAIN_TEXT: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.@/-]*(?: [A-Za-z0-9_.@/-]+)*")

_NOT_TEXTS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""Words that some parser of YAML reads as something else."""

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)+")
"""An anchor or a tag, which is part of a node but not of its value."""


LEFT_OUT: Final = "left out"


class NotInPlaceError(Exception):
    """A value whose bytes alone can't be changed; the message says why."""


class PolicyText:
    """A policy file as text, and where its values are.

    Args:
        text: of the file; JSON is YAML too.

    Raises:
        NotInPlaceError: if it can't be read as one YAML document.
    """

    def __init__(self, text: str) -> None:
        import yaml  # noqa: PLC0415 - needed only for an edit

        self.text = text
        try:
            # A tab between tokens is no space in YAML, but is in JSON, where no string has one.
            spaced = text.replace("\t", " ") if text.lstrip().startswith("{") else text
            self._root = yaml.compose(spaced, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or type(error).__name__
            msg = f"it can't be read as YAML: {problem}"
            raise NotInPlaceError(msg) from None

    def node(self, path: Sequence[str | int]) -> Any:
        """The node at a path, through anchors and merges.

        Raises:
            NotInPlaceError: if there is none.
        """
        node = self._root
        for step in path:
            node = _below(node, step)
            if node is None:
                msg = f"there is no {'.'.join(map(str, path))} in it"
                raise NotInPlaceError(msg)
        return node

    def span(self, node: Any) -> tuple[int, int]:
        """Where the source of a node starts and ends, without an anchor, a tag and what follows it."""
        start, end = node.start_mark.index, node.end_mark.index
        properties = _PROPERTIES.match(self.text, start, end)
        start = properties.end() if properties else start
        return start, start + len(self.text[start:end].rstrip())

    def without(self, node: Any) -> list[tuple[Path, str, Any]]:
        """Everything in the file but the value of a node: paths, tags, names and values."""
        return list(_leaves(self._root, (), node))

    def line(self, position: int) -> int:
        """The line of a position, counted from 1."""
        return self.text.count("\n", 0, position) + 1


def moved_expression(text: str, path: Path, expression: str, span: tuple[int, int], literal: str) -> str:
    """The text of a policy in which one literal of an expression is another.

    Args:
        text: of the policy.
        path: of the expression.
        expression: as the PDP read it.
        span: where the literal is in the expression.
        literal: CEL source of the new one.

    Raises:
        NotInPlaceError: if no change of these bytes alone does it.
    """
    source = PolicyText(text)
    node = source.node(path)
    if node.id != "scalar" or node.value != expression:
        msg = f"the expression `{expression.strip()}` does not stand in it as the PDP read it"
        raise NotInPlaceError(msg)
    start, end = span
    wanted = expression[:start] + literal + expression[end:]
    whole = source.span(node)
    attempts = [
        (place, _written(literal, node.style)) for place in _occurrences(source, node, expression, span)
    ]
    attempts += [(whole, json.dumps(wanted, ensure_ascii=False))]
    return _first_right(source, path, attempts, wanted)


def place_in_source(source: PolicyText, path: Path, expression: str, span: tuple[int, int]) -> int:
    """Where a literal of an expression probably is, for its line; the edit itself looks closely."""
    node = source.node(path)
    return next(iter(_occurrences(source, node, expression, span)), source.span(node))[0]


def moved_value(text: str, path: Path, old: Any, new: Any) -> str:
    """The text of a policy in which a constant has another value.

    Args:
        text: of the policy.
        path: of the constant, or of something inside it.
        old: its value as the PDP read it.
        new: its new value, of the same JSON type.

    Raises:
        NotInPlaceError: if no change of these bytes alone does it.
    """
    if _equal(old, new):
        return text
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            msg = "entries of a map are added or removed"
            raise NotInPlaceError(msg)
        for name in old:
            text = moved_value(text, (*path, name), old[name], new[name])
        return text
    if isinstance(old, list) and isinstance(new, list):
        if len(old) == len(new):
            for place, (one, other) in enumerate(zip(old, new, strict=True)):
                text = moved_value(text, (*path, place), one, other)
            return text
        return _moved_list(text, path, old, new)
    source = PolicyText(text)
    node = source.node(path)
    if node.id != "scalar" or not _reads_as(node, old):
        msg = f"{'.'.join(map(str, path))} does not stand in it as the PDP read it"
        raise NotInPlaceError(msg)
    start, end = source.span(node)
    written = _scalars(new, node.style, source.text[start:end])
    return _first_right(source, path, [((start, end), one) for one in written], new)


# -- attempts, each read again --------------------------------------------------------------------


def _first_right(
    source: PolicyText, path: Path, attempts: Iterable[tuple[tuple[int, int], str]], wanted: Any
) -> str:
    """The first text in which the node has the wanted value, and everything else is as it was."""
    node = source.node(path)
    rest = source.without(node)
    if [tag for _, tag, _ in rest].count(LEFT_OUT) > 1:
        msg = f"line {source.line(source.span(node)[0])} counts elsewhere too, through an anchor"
        raise NotInPlaceError(msg)
    for (start, end), written in attempts:
        made = source.text[:start] + written + source.text[end:]
        try:
            changed = PolicyText(made)
            moved = changed.node(path)
        except NotInPlaceError:
            continue
        if _reads_as(moved, wanted) and changed.without(moved) == rest:
            return made
    msg = f"the bytes of line {source.line(source.span(node)[0])} can't be changed alone"
    raise NotInPlaceError(msg)


def _leaves(node: Any, path: Path, left_out: Any) -> Iterator[tuple[Path, str, Any]]:
    if node is None:
        return
    if node is left_out:  # also where it stands again through an anchor
        yield path, LEFT_OUT, None
    elif node.id == "scalar":
        yield path, str(node.tag), node.value
    elif node.id == "mapping":
        yield path, str(node.tag), len(node.value)
        for place, (name, value) in enumerate(node.value):
            yield (*path, place), "name", getattr(name, "value", None)
            yield from _leaves(value, (*path, place), left_out)
    else:
        yield path, str(node.tag), len(node.value)
        for place, value in enumerate(node.value):
            yield from _leaves(value, (*path, place), left_out)


def _occurrences(
    source: PolicyText, node: Any, expression: str, span: tuple[int, int]
) -> list[tuple[int, int]]:
    """Where the source of a literal stands in a scalar, written as YAML's style asks; the likeliest first."""
    start, end = source.span(node)
    parts = re.split(r"\s+", expression[span[0] : span[1]])
    pattern = r"\s+".join(re.escape(_written(part, node.style)) for part in parts)
    found = [match.span() for match in re.compile(pattern).finditer(source.text, start, end)]
    before = len(re.findall(re.escape(expression[span[0] : span[1]]), expression[: span[0]]))
    return sorted(found, key=lambda place: abs(found.index(place) - before))


def _written(text: str, style: str | None) -> str:
    """A part of a scalar as its style asks."""
    if style == "'":
        return text.replace("'", "''")
    if style == '"':
        return json.dumps(text, ensure_ascii=False)[1:-1]
    return text


# -- values ---------------------------------------------------------------------------------------


def _below(node: Any, step: str | int) -> Any:
    """What a node has under a key or at a position; None if it has nothing there."""
    if node is None or node.id == "scalar":
        return None
    if node.id == "sequence":
        there = isinstance(step, int) and step < len(node.value)
        return node.value[step] if there else None
    entries = [(name.value, value) for name, value in node.value if name.id == "scalar"]
    for spelling in (str(step), re.sub(r"(?<!^)([A-Z])", r"_\1", str(step)).lower()):  # Cerbos takes both
        for name, value in entries:
            if name == spelling:
                return value
    for name, value in entries:
        if name == "<<":
            for merged in value.value if value.id == "sequence" else [value]:
                found = _below(merged, step)
                if found is not None:
                    return found
    return None


def _reads_as(node: Any, value: Any) -> bool:
    """Whether a node is this value in Cerbos, which reads ``yes`` and ``2026-01-01`` as texts."""
    if isinstance(value, list):
        items = node.value if node.id == "sequence" else None
        return items is not None and len(items) == len(value) and all(map(_reads_as, items, value))
    return bool(node.id == "scalar" and _scalar_reads_as(str(node.tag).rpartition(":")[2], node.value, value))


def _scalar_reads_as(kind: str, text: str, value: Any) -> bool:
    if isinstance(value, str):
        return kind in {"str", "bool", "timestamp"} and text == value and text not in {"true", "false"}
    if isinstance(value, bool):
        return kind == "bool" and text.lower() == str(value).lower()
    if isinstance(value, (int, float)):
        try:
            return kind in {"int", "float"} and _number(text) == value
        except ValueError:
            return False
    return value is None and kind == "null"


def _number(text: str) -> float:
    bare = text.replace("_", "")
    if re.fullmatch(r"[-+]?0[0-7]+", bare):
        return int(bare, 8)
    return int(bare, 0) if re.fullmatch(r"[-+]?(?:0[xob])?[0-9a-fA-F]+", bare) else float(bare)


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other if isinstance(one, bool) else bool(one == other)


def number_text(value: float) -> str:
    """A number as JSON, YAML and CEL all read it; a whole number without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    written = repr(value)
    return re.sub(r"^(-?\d+)e", r"\1.0e", written)


def _scalars(value: Any, style: str | None, before: str) -> Iterator[str]:
    """A value as YAML, in the style of the one it replaces, and if that is not possible in another."""
    if isinstance(value, bool):
        yield json.dumps(value)
    elif isinstance(value, (int, float)):
        yield f"{number_text(value)}.0" if _with_point(value, before) else number_text(value)
    elif isinstance(value, str):
        if style == "'" and value.isprintable():
            yield f"'{_written(value, style)}'"
        elif not style and _PLAIN_TEXT.fullmatch(value) and value.lower() not in _NOT_TEXTS:
            yield value
        yield json.dumps(value, ensure_ascii=False)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _with_point(value: float, before: str) -> bool:
    """Whether a whole number keeps the point that the number before it had."""
    return (
        "." in before and "e" not in before.lower() and re.fullmatch(r"-?\d+", number_text(value)) is not None
    )


# -- lists ----------------------------------------------------------------------------------------


def _moved_list(text: str, path: Path, old: list[Any], new: list[Any]) -> str:
    """The text in which a list has more or fewer items; those that stay keep their bytes."""
    source = PolicyText(text)
    node = source.node(path)
    if not _reads_as(node, old):
        msg = f"{'.'.join(map(str, path))} does not stand in it as the PDP read it"
        raise NotInPlaceError(msg)
    spans = [source.span(item) for item in node.value]
    style = node.value[0].style if node.value else '"'
    head, tail = shared_ends(old, new)
    fresh = [next(_scalars(value, style, "")) for value in new[head : len(new) - tail]]
    if node.flow_style or not new:
        kept = [text[start:end] for start, end in spans]
        written = ", ".join([*kept[:head], *fresh, *kept[len(kept) - tail :]])
        attempt = (source.span(node), f"[{written}]")
    else:
        attempt = _lines_of_items(text, spans, fresh, (head, tail))
    return _first_right(source, path, [attempt], new)


def shared_ends(old: Sequence[Any], new: Sequence[Any]) -> tuple[int, int]:
    """How many items two lists have in common at their start, and after that at their end."""
    most = min(len(old), len(new))
    head = next((i for i in range(most) if old[i] != new[i]), most)
    tail = next((i for i in range(most - head) if old[-1 - i] != new[-1 - i]), most - head)
    return head, tail


def _lines_of_items(
    text: str, spans: Sequence[tuple[int, int]], fresh: Sequence[str], shared: tuple[int, int]
) -> tuple[tuple[int, int], str]:
    """Where the lines of the items are that change, and what to put in their place."""
    head, tail = shared
    starts = [text.rfind("\n", 0, start) + 1 for start, _ in spans]
    ends = [text.find("\n", end) + 1 or len(text) for _, end in spans]
    mark, ending = text[starts[0] : spans[0][0]], "\r\n" if "\r\n" in text else "\n"
    lines = "".join(f"{mark}{item}{ending}" for item in fresh)
    first = starts[head] if head < len(spans) else ends[-1]
    last = ends[len(spans) - tail - 1] if len(spans) - tail > head else first
    if not text[:first].endswith("\n"):  # the file ends without one
        lines = ending + lines.removesuffix(ending)
    return (first, last), lines
