"""The types that a column of a table, or an attribute that is kept as text, can be declared to have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.identity.quality import is_missing
from clerk_cerbos_lab.values import MISSING

if TYPE_CHECKING:
    import pandas as pd

TYPES: Final = ("text", "number", "boolean", "list", "json")

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?")

_BOOLEANS: Final = {"true": True, "false": False}


def items_of(value: object, separator: str) -> list[Any] | None:
    """The items of a list, a JSON list, or a text with a separator."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return list(value)
    if not isinstance(value, str):
        return None
    if value.lstrip().startswith("["):
        try:
            found = json.loads(value)
        except json.JSONDecodeError:
            found = None
        if isinstance(found, list):
            return found
    return [item.strip() for item in value.split(separator)]


def type_of(series: pd.Series[Any]) -> str:
    """The type that every field of a text column has; values of a DataFrame stay what they are."""
    fields = [value for value in series.tolist() if isinstance(value, str) and value != ""]
    if not fields or any(not isinstance(v, str) and not is_missing(v) for v in series.tolist()):
        return "text"
    if all(_NUMBER.fullmatch(field) for field in fields):
        return "number"
    return "boolean" if all(field.lower() in _BOOLEANS for field in fields) else "text"


def value_of(value: object, type_: str, separator: str) -> Any:
    """A field as it is sent; a text that is not of the type stays a text."""
    if is_empty(value):
        return MISSING
    if type_ == "list":
        return value if (items := items_of(value, separator)) is None else items
    if type_ == "json":
        return _json(value)
    if not isinstance(value, str):
        return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
    if type_ == "number" and _NUMBER.fullmatch(value):
        return int(value) if "." not in value else float(value)
    return _BOOLEANS.get(value.lower(), value) if type_ == "boolean" else value


def is_empty(value: object) -> bool:
    """Whether a field holds nothing: null, a missing value or an empty text."""
    return value is None or is_missing(value) or (isinstance(value, str) and not value)


def _json(value: object) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (json.JSONDecodeError, RecursionError):
        return value
