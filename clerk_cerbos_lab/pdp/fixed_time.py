"""Policies at a fixed time: ``now()`` becomes a literal, because a running PDP can't be given the time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLAIN: Final = frozenset(["metadata", "description", "name", "constants", "exportConstants"])
"""Parts of a policy without expressions."""

_NOW: Final = re.compile(
    r"""
    [rR]?[bB]?[rR]?(?:\"{3}.*?\"{3}|'{3}.*?'{3})  # the strings of CEL, in which nothing is replaced
    | \b[bB]?[rR][bB]?(?:"[^"]*"|'[^']*')
    | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
    | (?P<now>(?<![\w.])now\s*\(\s*\))
    """,
    re.VERBOSE | re.DOTALL,
)


def can_be_fixed(documents: Iterable[Mapping[str, Any]]) -> bool:
    """Whether policies read the time only by ``now()``; ``timeSince`` reads it, too."""
    return not any("timeSince" in json.dumps(one, ensure_ascii=False) for one in documents)


def at_time(policy: bytes, now: str) -> bytes:
    """A policy as JSON with the time instead of ``now()``.

    Args:
        policy: a policy file in JSON.
        now: the time in UTC, such as ``2024-01-02T03:04:05Z``.
    """
    return json.dumps(_fixed(json.loads(policy), f'timestamp("{now}")'), ensure_ascii=False).encode()


def _fixed(value: Any, literal: str) -> Any:
    if isinstance(value, str):
        return _NOW.sub(lambda found: literal if found["now"] else found[0], value)
    if isinstance(value, list):
        return [_fixed(one, literal) for one in value]
    if isinstance(value, dict):
        return {name: one if name in _PLAIN else _fixed(one, literal) for name, one in value.items()}
    return value
