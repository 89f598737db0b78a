"""Attributes as the command line writes them: ``amount=0:60000:500``, ``region=north,south``."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, OTHER, SELF, amounts

_WORDS = {"SELF": SELF, "OTHER": OTHER, "MISSING": MISSING}


def axis_argument(text: str) -> tuple[str, list[Any]]:
    """``NAME=START:STOP:STEP``, ``NAME=a,b,c`` or ``NAME=[JSON, …]`` as name and values.

    Raises:
        InputError: for any other form.
    """
    name, value = _split(text, "NAME=START:STOP:STEP, NAME=a,b,c or NAME=[…]")
    if value.startswith("["):
        parsed = _json(value)
        if not isinstance(parsed, list):
            msg = f"{name}: {value} is not a JSON list"
            raise InputError(msg)
        return name, [_word(item) for item in parsed]
    numbers = _range(value)
    if numbers:
        return name, list(amounts(*numbers[:2], step=numbers[2]))
    return name, [_value(part) for part in value.split(",")]


def fixed_argument(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` as name and value; a JSON list becomes an axis of one value.

    Raises:
        InputError: for any other form.
    """
    name, value = _split(text, "NAME=VALUE")
    parsed = _value(value)
    return name, [parsed] if isinstance(parsed, list) else parsed


def _split(text: str, form: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name or not value:
        msg = f"'{text}' is not of the form {form}"
        raise InputError(msg)
    return name, value


def _range(text: str) -> tuple[Decimal, Decimal, Decimal] | None:
    parts = text.split(":")
    if len(parts) != 3 or not any(part[:1].isdigit() for part in parts):
        return None
    try:
        first, last, step = (Decimal(part) for part in parts)
    except InvalidOperation:
        msg = f"{text} is not START:STOP:STEP with plain numbers; a text with colons goes into a JSON list"
        raise InputError(msg) from None
    return first, last, step


def _value(text: str) -> Any:
    """JSON where it is JSON, else text; the three words have their meaning."""
    if text in _WORDS:
        return _WORDS[text]
    parsed = _json(text)
    return text if parsed is MISSING else parsed


def _word(value: object) -> object:
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return MISSING
