"""Parses command-line values: ``amount=0:60000:500``, ``region=north,south``, ``approve,view``."""

from __future__ import annotations

import json
import os
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, WORDS, amounts, typed_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

AUX_DATA: Final = "CLERK_CERBOS_LAB_AUX_DATA"
"""The environment variable that holds a JWT for the conditions."""


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
    return name, [typed_value(part) for part in value.split(",")]


def fixed_argument(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` as name and value; a JSON list becomes an axis of one value.

    Raises:
        InputError: for any other form.
    """
    name, value = _split(text, "NAME=VALUE")
    parsed = typed_value(value)
    return name, [parsed] if isinstance(parsed, list) else parsed


def attributes_of(
    axes: Sequence[str] | None, fixed: Sequence[str] | None, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The attributes in the options ``--axis`` and ``--attr``, after those that are given already.

    Raises:
        InputError: if an attribute is given twice.
    """
    attributes = dict(given or {})
    for name, value in [*map(axis_argument, axes or ()), *map(fixed_argument, fixed or ())]:
        if name in attributes:
            msg = f"the attribute '{name}' is given twice"
            raise InputError(msg)
        attributes[name] = value
    return attributes


def names_argument(option: str, texts: Sequence[str] | None) -> list[str] | None:
    """Names from an option that may be repeated, each time with one name, ``a,b``, or a JSON list.

    Args:
        option: the option's name, for the error message.
        texts: the text after each option; None or empty if it is not given.

    Returns:
        The names in order; None if the option is not given.

    Raises:
        InputError: for an empty name, or a JSON list of something else.
    """
    names: list[str] = []
    for text in texts or ():
        parsed = _json(text) if text.startswith("[") else MISSING
        parts = parsed if isinstance(parsed, list) else [part.strip() for part in text.split(",")]
        if not parts or not all(isinstance(part, str) and part for part in parts):
            msg = f"{option} '{text}' has an empty name: it takes a name, a,b or a JSON list of names"
            raise InputError(msg)
        names += parts
    return names or None


def aux_data_argument(path: Path | None) -> str | dict[str, str] | None:
    """The JWT in a file, or else in the environment; no error message contains it.

    Args:
        path: a file that holds a JWT, or ``{"token": …, "key_set_id": …}`` as JSON.

    Raises:
        InputError: if the file can't be read, or holds neither.
    """
    held = os.environ.get(AUX_DATA)
    where = AUX_DATA
    if path is not None:
        where = "the file of --aux-data"
        try:
            held = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            msg = (  # the argument is not repeated: it may be the JWT itself
                f"{where} can't be read ({why}). It must be a file with the JWT, not the JWT: others on "
                f"this machine can read command lines. Or set {AUX_DATA}"
            )
            raise InputError(msg) from None
    if held is None:
        return None
    token = held.strip()
    parsed = _json(token) if token.startswith("{") else MISSING
    if isinstance(parsed, dict) and all(isinstance(part, str) for part in parsed.values()):
        return parsed
    if not token or token.startswith("{") or any(part.isspace() for part in token):
        msg = f'{where} holds neither a JWT nor {{"token": …, "key_set_id": …}}'
        raise InputError(msg)
    return token


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


def _word(value: object) -> object:
    return WORDS.get(value, value) if isinstance(value, str) else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return MISSING
