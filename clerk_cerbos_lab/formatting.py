"""How values are displayed: numbers with all their digits, ambiguous strings in quotes."""

from __future__ import annotations

import json
import math

from clerk_cerbos_lab.values import MISSING, Relation


def label(value: object) -> str:
    """A value as a table header shows it: ``5,000``, ``south``, ``null``, ``MISSING``.

    Numbers keep every digit. A string that could be read as something else is quoted.
    """
    if isinstance(value, Relation):
        return value.value
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if value is MISSING:
        return "MISSING"
    if isinstance(value, (int, float)):
        return number_label(value)
    if isinstance(value, str):
        odd = value.strip() != value or not value.isprintable() or value[:1] in {"", "[", "{", '"'}
        quoted = odd or value in _AMBIGUOUS or _reads_as_number(value)
        return json.dumps(value, ensure_ascii=not value.isprintable()) if quoted else value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


_AMBIGUOUS = {"null", "true", "false", "MISSING", "SELF", "OTHER"}


def _reads_as_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def number_label(value: float) -> str:
    """A number with thousands separators and all its digits: ``5,000``, ``0.1``, ``-∞``."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if float(value).is_integer() and abs(value) < 1e16:
        return f"{int(value):,}"
    text = repr(float(value))
    whole, dot, rest = text.partition(".")
    return f"{int(whole):,}{dot}{rest}" if "e" not in text and abs(value) >= 1000 else text
