"""The values an attribute can have, and three placeholders.

``MISSING`` leaves an attribute out of a request. ``SELF`` is replaced by the principal's own id,
``OTHER`` by an id that nobody in the sweep has.
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


def number_written(text: str) -> float | None:
    """The finite number that a text such as ``"12,000"`` is; None if it is none."""
    try:
        number = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


class _Missing(float):
    """The value of an attribute that is not there; there is only one instance.

    It is a NaN, so that pandas treats it as missing (``isna``, ``fillna``, ``dropna``) and a
    column of numbers with gaps stays numeric. It is not ``None``: ``None`` is sent to the PDP
    as null.
    """

    def __new__(cls) -> Self:
        return float.__new__(cls, "nan")

    def __repr__(self) -> str:
        return "MISSING"

    __str__ = __repr__

    def __reduce__(self) -> str:
        return "MISSING"  # pickle, copy and deepcopy return the same object

    def __copy__(self) -> _Missing:
        return self

    def __deepcopy__(self, memo: object) -> _Missing:
        return self


MISSING: Final = _Missing()
"""An attribute that is left out of the request; pandas treats it as missing. Not null."""


class Relation(StrEnum):
    """An id, given by its relation to the principal of the request."""

    SELF = "SELF"
    OTHER = "OTHER"

    def __repr__(self) -> str:
        return f"lab.{self.value}"


SELF: Final = Relation.SELF
"""The principal's own id."""

OTHER: Final = Relation.OTHER
"""An id that no principal in the sweep has."""

WORDS: Final = {"SELF": SELF, "OTHER": OTHER, "MISSING": MISSING}
"""How the placeholders are typed."""

OTHER_ID: Final = "somebody-else"
"""The id sent for ``OTHER``; a sweep refuses principals with this id."""

RESOURCE_ID: Final = "resource_id"
"""The name of the resource's own id where it is treated as an attribute: axis, fixed value or control."""


def amounts(start: float | Decimal, stop: float | Decimal, *, step: float | Decimal) -> list[int | float]:
    """Amounts from ``start`` to ``stop``, both included, without accumulated floating-point error.

    Args:
        start: the first amount, in the unit the policies use (dollars in the sample policies).
        stop: the last amount; included if it is a whole number of steps from ``start``.
        step: the difference between neighbouring amounts, above 0.

    Returns:
        ``start, start + step, …``: ints if start and step are whole numbers, else the doubles nearest
        to the decimal amounts (``amounts(0, 1, step=0.1)[3] == 0.3``).

    Raises:
        InputError: if a number is not finite, the step is not above 0, stop is below start,
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
        msg = f"amounts({start}, {stop}, step={step}) would be {count + 1:,} amounts; 10,000,000 at most"
        raise InputError(msg)
    if all(number == number.to_integral_value() for number in (first, width)):
        start, step = int(first), int(width)
        return [start + i * step for i in range(count + 1)]
    return [float(first + i * width) for i in range(count + 1)]


def clean(value: object, where: str) -> Any:  # noqa: C901 - one branch per JSON type
    """Convert a value to one that Cerbos can receive, or raise; nothing is changed silently.

    NumPy scalars become Python values; bool, number, string, null, list and nested map are
    unchanged, and so are ``SELF``, ``OTHER`` and ``MISSING``. Numbers are doubles on the wire: an int
    that a double can't represent exactly (above 2⁵³) is refused. A ``Decimal`` such as 5000.10
    becomes the nearest double, as in any JSON request to the PDP.

    Args:
        value: the caller's value.
        where: what the error message calls it, for example ``attribute 'amount'``.

    Raises:
        InputError: for a value that CEL has no type for, NaN, infinity, or a number that a double
            can't represent.
    """
    if value is MISSING or isinstance(value, Relation):
        return value
    if isinstance(value, (np.datetime64, np.timedelta64)):
        msg = (
            f"{where}: a {type(value).__name__} can't be sent to Cerbos; send a string, such as .isoformat()"
        )
        raise InputError(msg)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return text(str.__str__(value), where) if isinstance(value, str) else value
    if isinstance(value, int):
        value = int(value)
        if not _is_double(value):
            msg = f"{where}: this integer can't be represented exactly: Cerbos numbers are doubles"
            raise InputError(msg)
        return value
    if isinstance(value, (float, Decimal)):
        number = math.nan if isinstance(value, Decimal) and value.is_nan() else float(value)
        if not math.isfinite(number):
            msg = f"{where}: not a finite number; use lab.MISSING to leave the attribute out"
            raise InputError(msg)
        return number
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                msg = f"{where}: the keys of a map must be strings, not {type(key).__name__}"
                raise InputError(msg)
        return {
            text(key, where): clean(item, f"{where}[{key!r}]")
            for key, item in value.items()
            if item is not MISSING
        }
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_item(item, f"{where}[{i}]") for i, item in enumerate(value)]
    hint = "; use .isoformat()" if hasattr(value, "isoformat") else ""
    msg = (
        f"{where}: a {type(value).__name__} can't be sent to Cerbos{hint}; it accepts bool, number, "
        "string, None (null), list and dict"
    )
    raise InputError(msg)


def _is_double(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def text(value: str, where: str) -> str:
    """The string itself if it is valid Unicode; a request can't contain anything else."""
    try:
        value.encode()
    except UnicodeEncodeError:
        msg = f"{where}: the string contains a lone surrogate, which is not valid Unicode"
        raise InputError(msg) from None
    return value


def _item(value: object, where: str) -> Any:
    if value is MISSING:
        msg = f"{where}: lab.MISSING can't be an item of a list; leave the item out"
        raise InputError(msg)
    return clean(value, where)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a clean value is a number: not a boolean, and not ``MISSING``, which is a NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value is not MISSING


def is_text(value: object) -> TypeGuard[str]:
    """Whether a clean value is a string, and not ``SELF`` or ``OTHER``, which are replaced by one."""
    return isinstance(value, str) and not isinstance(value, Relation)


def typed_value(text: str) -> Any:
    """What was typed: JSON if it is JSON, else text; ``SELF``, ``OTHER``, ``MISSING`` are placeholders."""
    if text in WORDS:
        return WORDS[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def key(value: object) -> str:
    """A string that is equal for two clean values exactly when the PDP can't tell them apart.

    The one exception: ``SELF`` has the same key as the string ``"SELF"``, and ``OTHER`` as
    ``"OTHER"``, because a table shows them alike.
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
    """A clean value as JSON, with ``SELF`` and ``OTHER`` as strings; None for ``MISSING``."""
    return None if value is MISSING else json.dumps(value, ensure_ascii=False)


def uses_self(value: object) -> bool:
    """Whether the value is or contains ``SELF``."""
    if isinstance(value, dict):
        return any(uses_self(item) for item in value.values())
    if isinstance(value, list):
        return any(uses_self(item) for item in value)
    return value is SELF


def resolve(value: object, *, own: str, other: str) -> object:
    """The value with ``SELF`` and ``OTHER`` replaced by ids."""
    if isinstance(value, dict):
        return {name: resolve(item, own=own, other=other) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, own=own, other=other) for item in value]
    if isinstance(value, Relation):
        return own if value is SELF else other
    return value


def texts_in(value: object, into: set[str]) -> None:
    """Collect every string in a value, including map keys, but not ``SELF`` and ``OTHER``."""
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
    """A resource kind as Cerbos compares it: in names of the old form, ``_`` replaces other characters."""
    return re.sub(r"[^\w.]+", "_", kind, flags=re.ASCII) if _OLD_NAME.fullmatch(kind) else kind


_OLD_NAME: Final = re.compile(r"[A-Za-z][\w@.\-/]*(:[A-Za-z][\w@.\-/]*)*", re.ASCII)


def json_number(value: float) -> int | float:
    """The shortest way to write a number that means the same."""
    whole = float(value).is_integer() and abs(value) < 2**53
    return int(value) if whole else float(value)
