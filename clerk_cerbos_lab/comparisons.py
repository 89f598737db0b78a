"""What types of value the policies compare principal attributes with: a hint for the report.

Reads the policies as text, so that it sees comparisons of two plain operands only (an attribute, a
constant, a literal) and may miss others. No decision rests on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.users import json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAME: Final = r"""(?:\.(\w+)|\[\s*["'](\w+)["']\s*\])"""
_OPERAND: Final = (
    r"""((?:P|R|request\.(?:principal|resource))\.attr(?:\.\w+|\[\s*["']\w+["']\s*\])(?![\w.(\[])"""
    r"""|(?:C|constants)\.\w+|"[^"\n]*"|'[^'\n]*'|-?\d+(?:\.\d+)?|true\b|false\b)"""
)
_COMPARISON: Final = re.compile(
    rf"(?<![\w.+*/%-]){_OPERAND}\s*(?:[<>]=?|[!=]=)\s*(?={_OPERAND}(?!\s*[\w.+*/%-]))"
)
_ATTRIBUTE: Final = re.compile(rf"(P|R|request\.principal|request\.resource)\.attr{_NAME}$")


def compared_types(texts: Iterable[str], constants: Mapping[str, Any]) -> dict[str, str]:
    """For principal attributes, the JSON type that the policies compare them with.

    A comparison passes its type on: where ``R.attr.amount <= 5000`` and ``P.attr.limit >=
    R.attr.amount``, the limit is compared with a number.

    Args:
        texts: the policy files.
        constants: the constants by name.

    Returns:
        Attribute name to type in words, such as ``{"limit": "a number"}``; an attribute that is
        compared with several types, or with none that is known, is not in it.
    """
    types: dict[str, set[str]] = {}
    pairs: list[tuple[str, str]] = []
    for left, right in _comparisons(texts):
        ends = [(_attribute(side), _type(side, constants)) for side in (left, right)]
        for (attribute, _), (_, known) in (ends, ends[::-1]):
            if attribute and known:
                types.setdefault(attribute, set()).add(known)
        if ends[0][0] and ends[1][0]:
            pairs.append((ends[0][0], ends[1][0]))
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
        name.removeprefix("P."): next(iter(known))
        for name, known in types.items()
        if name.startswith("P.") and len(known) == 1
    }


def _comparisons(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        for line in text.splitlines():
            if not line.lstrip().startswith("#"):
                yield from ((found[1], found[2]) for found in _COMPARISON.finditer(line))


def _attribute(operand: str) -> str | None:
    """``P.name`` or ``R.name``, or None for any other operand."""
    found = _ATTRIBUTE.match(operand)
    if not found:
        return None
    whose = "P" if found[1] in {"P", "request.principal"} else "R"
    return f"{whose}.{found[2] or found[3]}"


def _type(operand: str, constants: Mapping[str, Any]) -> str | None:
    if operand[0] in "\"'":
        return "a string"
    if operand in {"true", "false"}:
        return "a boolean"
    if operand[0] in "-0123456789":
        return "a number"
    head, _, name = operand.partition(".")
    if head in {"C", "constants"} and name in constants:
        return json_type(constants[name])
    return None
