"""Names of attributes, also of those inside maps: ``money.amount`` is ``R.attr.money.amount`` in a policy.

A name is a path of dots, as in CEL. A part that contains a dot itself is written as CEL writes it:
``["net.amount"]`` is ``R.attr["net.amount"]``, and ``money["net.amount"]`` lies inside a map.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_QUOTED: Final = r'\["(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"\]'

_PART: Final = re.compile(rf"(?:^|\.)(?P<plain>[^.\[\]]+)|(?P<quoted>{_QUOTED})")

_WHOLE: Final = re.compile(rf"(?:[^.\[\]]+|{_QUOTED})(?:\.[^.\[\]]+|{_QUOTED})*")


@cache
def steps_of(name: str) -> tuple[str, ...]:
    """The keys that lead to an attribute: ``("money", "amount")``. A name that is no path is one key."""
    if not _WHOLE.fullmatch(name):
        return (name,)
    return tuple(
        part["plain"] if part["plain"] is not None else str(json.loads(part["quoted"][1:-1]))
        for part in _PART.finditer(name)
    )


@cache
def name_of(steps: tuple[str, ...]) -> str:
    """The name of the attribute that these keys lead to; ``steps_of`` is its reverse."""
    if len(steps) == 1 and steps_of(steps[0]) == steps:
        return steps[0]
    written = ""
    for step in steps:
        if re.search(r"[.\[\]]", step) or not step:
            written += f"[{json.dumps(step, ensure_ascii=False)}]"
        else:
            written += f".{step}" if written else step
    return written


def overlap(one: str, other: str) -> bool:
    """Whether one of two attributes is, or is inside, the other."""
    a, b = steps_of(one), steps_of(other)
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def is_inside(name: str, other: str) -> bool:
    """Whether an attribute is inside another, or is that other."""
    inner, outer = steps_of(name), steps_of(other)
    return inner[: len(outer)] == outer


def is_plain(name: str) -> bool:
    """Whether an attribute is sent under its own name, not inside a map."""
    return steps_of(name) == (name,)


def check_apart(axes: Iterable[str], fixed: Mapping[str, Any]) -> None:
    """Raise ``InputError`` if an attribute is given twice: by itself, and inside a map that is also given."""
    given = [*axes, *fixed]
    for name in given:
        for other in given:
            if other == name or not is_inside(name, other):
                continue
            inside = steps_of(name)[len(steps_of(other)) :]
            if other not in fixed or value_at(fixed[other], inside) is not MISSING:
                msg = f"'{name}' is inside '{other}', which is given as well; give only one of them"
                raise InputError(msg)
    nested(dict.fromkeys(given) | dict(fixed))


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name as the attributes to send: ``{"money.amount": 5}`` becomes ``{"money": {"amount": 5}}``.

    A map that is given as well (``{"money": {"currency": "USD"}}``) is completed. ``MISSING`` leaves a key
    out, not the map around it.

    Raises:
        InputError: if a value in the way is not a map.
    """
    made: dict[str, Any] = {}
    for name, value in sorted(values.items(), key=lambda item: len(steps_of(item[0]))):
        *above, last = steps_of(name)
        held = made
        for depth, step in enumerate(above):
            inside = held.get(step, {})
            if not isinstance(inside, dict):
                where = name_of(tuple(above[: depth + 1]))
                what = "missing" if inside is MISSING else json_type(inside)
                msg = f"'{name}' is inside '{where}', which is {what} here, not a map"
                raise InputError(msg)
            held[step] = held = dict(inside)
        if value is not MISSING or not above:
            held[last] = value
    return made


def with_value(values: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    """A copy of attributes in which one, perhaps inside maps, has this value; ``MISSING`` leaves it out."""
    first, *inside = steps_of(name)
    made = dict(values)
    if inside:
        around = made.get(first)
        value = with_value(around if isinstance(around, dict) else {}, name_of(tuple(inside)), value)
    made[first] = value
    return {key: held for key, held in made.items() if held is not MISSING}


def value_at(value: object, steps: tuple[str, ...]) -> Any:
    """The value that these keys lead to inside a value; ``MISSING`` if there is none."""
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return MISSING
        value = value[step]
    return value
