"""The types of a resource's attributes, from the values that a question asks with."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.attribute_names import name_of, steps_of
from clerk_cerbos_lab.source_text import python_literal, typescript_key
from clerk_cerbos_lab.values import MISSING, Relation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def typescript_type(attributes: Mapping[str, Sequence[Any]]) -> str:
    """A type of TypeScript for attributes with these values, by name; names with dots lie inside maps."""
    return _object(_tree(attributes), "")


def python_type(attributes: Mapping[str, Sequence[Any]]) -> tuple[str, bool]:
    """A ``TypedDict`` for attributes with these values, and whether one of them can be missing."""
    tree = _tree(attributes)
    hints = {name: _hint(values) for name, values in tree.items()}
    optional = any(hint.startswith("NotRequired") for hint in hints.values())
    if not hints:
        return '\nclass ResourceAttributes(TypedDict):\n    """The policies are asked without any."""', False
    names = all(name.isidentifier() and not keyword.iskeyword(name) and name.isascii() for name in hints)
    if names:
        lines = [f"    {name}: {hint}" for name, hint in hints.items()]
        return "\n".join(["", "class ResourceAttributes(TypedDict):", *lines]), optional
    lines = [f"        {python_literal(name)}: {hint}," for name, hint in hints.items()]
    inside = "\n".join(["{", *lines, "    }"])
    return f'ResourceAttributes = TypedDict(\n    "ResourceAttributes",\n    {inside},\n)', optional


def _tree(attributes: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Values by the first key; a dict of the same where attributes lie inside a map."""
    tree: dict[str, Any] = {}
    for name in sorted(attributes, key=lambda name: len(steps_of(name))):
        first, *rest = steps_of(name)
        if not rest:
            tree[first] = list(attributes[name])
        elif isinstance(tree.get(first), list):  # a map that is given as a whole, too
            tree[first] = [{}]
        else:
            inside = tree.setdefault(first, {})
            inside[name] = (rest, attributes[name])
    return {
        name: _tree({name_of(tuple(rest)): some for rest, some in held.values()})
        if isinstance(held, dict)
        else held
        for name, held in tree.items()
    }


def _object(tree: Mapping[str, Any], margin: str) -> str:
    if not tree:
        return "Readonly<Record<string, never>>"
    lines = []
    for name, held in tree.items():
        if isinstance(held, dict):
            lines.append(f"{margin}  {typescript_key(name)}: {_object(held, margin + '  ')};")
            continue
        mark = "?" if any(value is MISSING for value in held) else ""
        lines.append(f"{margin}  {typescript_key(name)}{mark}: {_union(held, _typescript)};")
    return "\n".join(["{", *lines, f"{margin}}}"])


def _hint(held: Any) -> str:
    if isinstance(held, dict):
        return "Mapping[str, object]"
    union = _union(held, _python)
    return f"NotRequired[{union}]" if any(value is MISSING for value in held) else union


def _union(values: Sequence[Any], name: Any) -> str:
    kinds = dict.fromkeys(name(value) for value in values if value is not MISSING)
    return " | ".join(kinds) or name("")


def _typescript(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (str, Relation)):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "Value[]" if isinstance(value, list) else "{ [key: string]: Value }"


def _python(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (str, Relation)):
        return "str"
    if isinstance(value, (int, float)):
        return "float"
    return "list[object]" if isinstance(value, list) else "Mapping[str, object]"
