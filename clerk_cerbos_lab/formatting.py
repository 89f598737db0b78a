"""How values are written for a reader: numbers with all their digits, odd-looking texts quoted."""

from __future__ import annotations

import json
import math

from clerk_cerbos_lab.values import MISSING, Relation


def label(value: object) -> str:
    """How a value is written in a table header: ``5,000``, ``south``, ``null``, ``MISSING``.

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
        quoted = odd or value in _LOOKS_ODD or _reads_as_number(value)
        return json.dumps(value, ensure_ascii=not value.isprintable()) if quoted else value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


_LOOKS_ODD = {"null", "true", "false", "MISSING", "SELF", "OTHER"}


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
