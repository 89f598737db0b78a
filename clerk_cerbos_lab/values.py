"""The values an attribute can have, and the three that stand for something else.

``MISSING`` leaves an attribute out of a request. ``SELF`` and ``OTHER`` stand for an id: the
principal's own, and one that belongs to nobody in the sweep.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Self, TypeGuard

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.errors import InputError


def json_type(value: object) -> str:
    """The JSON type in words: ``a string``, ``null``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    names: dict[type, str] = {str: "a string", list: "a list", dict: "a map"}
    return names.get(type(value), f"a {type(value).__name__}")


class _Missing(float):
    """The one value of an attribute that is not there.

    It is a NaN, so that pandas counts it as missing (``isna``, ``fillna``, ``dropna``) and a
    column of numbers with holes stays a column of numbers. It is not ``None``: ``None`` is sent
    to the PDP as null.
    """

    def __new__(cls) -> Self:
        return float.__new__(cls, "nan")

    def __repr__(self) -> str:
        return "MISSING"

    __str__ = __repr__

    def __reduce__(self) -> str:
        return "MISSING"  # pickle, copy and deepcopy give back the one object

    def __copy__(self) -> _Missing:
        return self

    def __deepcopy__(self, memo: object) -> _Missing:
        return self


MISSING: Final = _Missing()
"""An attribute that is left out of the request; pandas counts it as missing. Not null."""


class Relation(StrEnum):
    """An id in relation to the principal of the request."""

    SELF = "SELF"
    OTHER = "OTHER"

    def __repr__(self) -> str:
        return f"lab.{self.value}"


SELF: Final = Relation.SELF
"""The principal's own id."""

OTHER: Final = Relation.OTHER
"""An id that no principal of the sweep has."""

OTHER_ID: Final = "somebody-else"
"""What ``OTHER`` stands for; a sweep refuses principals of that id."""

RESOURCE_ID: Final = "resource_id"
"""How the resource's own id is called among its attributes: an axis, a fixed value, a control."""


def amounts(start: float | Decimal, stop: float | Decimal, *, step: float | Decimal) -> list[int | float]:
    """Amounts from ``start`` to ``stop``, both included, without the drift of adding floats.

    Args:
        start: the first amount, in the unit the policies use (the sample ones: dollars).
        stop: the last amount; it is included when a whole number of steps leads there.
        step: the distance between two neighbours, above 0.

    Returns:
        ``start, start + step, …``: ints where start and step are whole, else the doubles nearest to
        the decimal amounts (``amounts(0, 1, step=0.1)[3] == 0.3``).

    Raises:
        InputError: when a number is not finite, the step is not above 0, stop lies below start,
            or there would be more than 10,000,000 amounts.
    """
    try:
        first, last, width = (Decimal(str(number)) for number in (start, stop, step))
        count = int((last - first) / width)
    except (ArithmeticError, ValueError):
        msg = f"amounts({start}, {stop}, step={step}): needs three finite numbers and a step > 0"
        raise InputError(msg) from None
    if not 0 < width < math.inf or last < first:
        msg = f"amounts({start}, {stop}, step={step}): needs start <= stop and a finite step > 0"
        raise InputError(msg)
    if count > limits.AMOUNTS:
        msg = f"amounts({start}, {stop}, step={step}) would be {count + 1:,}; 10,000,000 at most"
        raise InputError(msg)
    if all(number == number.to_integral_value() for number in (first, width)):
        start, step = int(first), int(width)
        return [start + i * step for i in range(count + 1)]
    return [float(first + i * width) for i in range(count + 1)]


def clean(value: object, where: str) -> Any:  # noqa: C901 - one branch a JSON type
    """The value as Cerbos can hold it, or an error; never a silent change.

    Numpy scalars become Python's; bool, number, string, null, list and nested map stay as they
    are; ``SELF``, ``OTHER`` and ``MISSING`` are kept. Numbers are doubles on the wire: an int that a
    double does not hold exactly (above 2⁵³) is refused. A ``Decimal`` such
    as 5000.10 becomes the nearest double, as it does in any JSON request to the PDP.

    Args:
        value: what the caller gave.
        where: names the place in the error, for example ``attribute 'amount'``.

    Raises:
        InputError: for a value that CEL has no type for, NaN, infinity, or a number a double
            can't hold.
    """
    if value is MISSING or isinstance(value, Relation):
        return value
    if isinstance(value, (np.datetime64, np.timedelta64)):
        msg = f"{where}: a {type(value).__name__} can't be sent to Cerbos; give a text, such as .isoformat()"
        raise InputError(msg)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return text(str.__str__(value), where) if isinstance(value, str) else value
    if isinstance(value, int):
        value = int(value)
        if not _is_double(value):
            msg = f"{where}: an integer that no double holds exactly, and Cerbos numbers are doubles"
            raise InputError(msg)
        return value
    if isinstance(value, (float, Decimal)):
        number = math.nan if isinstance(value, Decimal) and value.is_nan() else float(value)
        if not math.isfinite(number):
            msg = f"{where}: not a finite number; use lab.MISSING to leave it out"
            raise InputError(msg)
        return number
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                msg = f"{where}: a key of a map must be a string, not a {type(key).__name__}"
                raise InputError(msg)
        return {
            text(key, where): clean(item, f"{where}[{key!r}]")
            for key, item in value.items()
            if item is not MISSING
        }
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_item(item, f"{where}[{i}]") for i, item in enumerate(value)]
    hint = "; give .isoformat()" if hasattr(value, "isoformat") else ""
    msg = (
        f"{where}: a {type(value).__name__} can't be sent to Cerbos{hint}; it takes bool, number, "
        "string, None (null), list and dict"
    )
    raise InputError(msg)


def _is_double(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def text(value: str, where: str) -> str:
    """The text, when it is valid Unicode; a request can't hold anything else."""
    try:
        value.encode()
    except UnicodeEncodeError:
        msg = f"{where}: the text holds a lone surrogate, which is not valid Unicode"
        raise InputError(msg) from None
    return value


def _item(value: object, where: str) -> Any:
    if value is MISSING:
        msg = f"{where}: lab.MISSING can't stand inside a list; leave the item out"
        raise InputError(msg)
    return clean(value, where)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a clean value is a number: no truth value, and not ``MISSING``, which is a NaN for pandas."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value is not MISSING


def is_text(value: object) -> TypeGuard[str]:
    """Whether a clean value is a text, and not ``SELF`` or ``OTHER``, which stand for one."""
    return isinstance(value, str) and not isinstance(value, Relation)


def key(value: object) -> str:
    """A text that is equal for two clean values exactly when the PDP can't tell them apart.

    But for this: ``SELF`` counts as the text ``"SELF"``, and ``OTHER`` likewise, because no table
    could tell those apart.
    """
    if value is MISSING:
        return "MISSING"
    return json.dumps(_same(value), sort_keys=True, ensure_ascii=False)


def _same(value: object) -> object:
    if isinstance(value, dict):
        return {name: _same(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_same(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def to_json(value: object) -> str | None:
    """A clean value as JSON, with ``SELF`` and ``OTHER`` as texts; None for ``MISSING``."""
    return None if value is MISSING else json.dumps(value, ensure_ascii=False)


def uses_self(value: object) -> bool:
    """Whether ``SELF`` stands anywhere inside the value."""
    if isinstance(value, dict):
        return any(uses_self(item) for item in value.values())
    if isinstance(value, list):
        return any(uses_self(item) for item in value)
    return value is SELF


def resolve(value: object, *, own: str, other: str) -> object:
    """The value with ``SELF`` and ``OTHER`` replaced by the ids they stand for."""
    if isinstance(value, dict):
        return {name: resolve(item, own=own, other=other) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, own=own, other=other) for item in value]
    if isinstance(value, Relation):
        return own if value is SELF else other
    return value


def texts_in(value: object, into: set[str]) -> None:
    """Collect every text in a value, names of fields too; ``SELF`` and ``OTHER`` are not texts."""
    if isinstance(value, Relation):
        return
    if isinstance(value, str):
        into.add(value)
    elif isinstance(value, dict):
        into.update(value)
        for item in value.values():
            texts_in(item, into)
    elif isinstance(value, (list, tuple)):
        for item in value:
            texts_in(item, into)


def canonical(kind: str) -> str:
    """A resource kind as Cerbos compares it: in names of its old form, ``_`` for odd characters."""
    return re.sub(r"[^\w.]+", "_", kind, flags=re.ASCII) if _OLD_NAME.fullmatch(kind) else kind


_OLD_NAME: Final = re.compile(r"[A-Za-z][\w@.\-/]*(:[A-Za-z][\w@.\-/]*)*", re.ASCII)


def json_number(value: float) -> int | float:
    """The shortest way to write a number that means the same."""
    whole = float(value).is_integer() and abs(value) < 2**53
    return int(value) if whole else float(value)
