"""Numbers, strings and words in policies, found without parsing: the audit must not rely on the analysis."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Literals:
    """The numbers, strings and words in the policies, found without parsing expressions.

    Attributes:
        numbers: every number.
        texts: every string, and every quoted part of one.
        words: every word.
    """

    numbers: frozenset[float]
    texts: frozenset[str]
    words: frozenset[str]


_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")

_QUOTED: Final = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")


def literals_in(documents: Sequence[Mapping[str, Any]]) -> Literals:
    """Read policies as if they were ordinary text.

    Args:
        documents: as dicts in the form of Cerbos's policy files.
    """
    numbers: set[float] = set()
    texts: set[str] = set()
    words: set[str] = set()
    for leaf in leaves_of(
        [{name: part for name, part in one.items() if name != "metadata"} for one in documents]
    ):
        if isinstance(leaf, str):
            texts.add(leaf)
            texts.update(first or second for first, second in _QUOTED.findall(leaf))
            words.update(re.findall(r"\w+", leaf))
            numbers.update(float(number) for number in _NUMBER.findall(leaf))
        elif isinstance(leaf, (int, float)) and not isinstance(leaf, bool):
            numbers.add(float(leaf))
    return Literals(frozenset(n for n in numbers if math.isfinite(n)), frozenset(texts), frozenset(words))


def leaves_of(value: Any) -> Iterator[Any]:
    """Everything in a value that is not a container: strings, numbers, field names."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from leaves_of(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves_of(part)
    else:
        yield value
