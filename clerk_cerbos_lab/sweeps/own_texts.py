"""Principals whose texts are compared with one axis for equality only, such as a team or a list of teams.

What the policies can tell of a text on the axis is which shared text it is, if any, and which of the person's
own attributes it equals or is contained in. Principals who are equal in everything else, whose texts are the
same shared ones and coincide with each other in the same ways, share a class. One of them is asked about one
text of every kind. docs/architecture.md has the argument.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from clerk_cerbos_lab.decisions.cells import Matches, OwnTexts
from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of
from clerk_cerbos_lab.values import MISSING, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.identity.principals import Column

LARGEST: Final = 50_000_000
"""Values of attributes times values of the axis; what is larger is compared by value, without a table."""

MOST_ATTRIBUTES: Final = 6
"""Attributes that are compared with one axis; of more, the kinds of texts are too many."""

ANOTHER: Final = "a text that nothing is compared with"


def texts_of(value: object) -> frozenset[str]:
    """The texts that a value matches: itself, those in a list, or the keys of a map."""
    if is_text(value):
        return frozenset({str(value)})
    return (
        frozenset(str(item) for item in value if is_text(item))
        if isinstance(value, (list, dict))
        else frozenset()
    )


def matches_of(column: Column, axis: Axis) -> Matches:
    """Which values of an axis each value of an attribute matches."""
    place = {str(value): i for i, value in enumerate(axis.values) if is_text(value)}
    of_value = np.zeros((len(column.values), len(axis.values)), dtype=np.bool_)
    for number, value in enumerate(column.values):
        at = [place[text] for text in texts_of(value) if text in place]
        of_value[number, at] = True
    return Matches(column.codes, of_value)


def kinds_of(
    shared: frozenset[str], columns: Sequence[Column], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """A number for each of these principals, equal if they have the same kinds of texts.

    Args:
        shared: the texts that are the same for all.
        columns: the attributes that are compared with the axis.
        rows: the principals.
    """
    values = np.column_stack([column.codes[rows] for column in columns])
    codes = dense_rows(values)
    signs = []
    for row in values[first_of(codes)].tolist():
        own = [texts_of(column.values[code]) for column, code in zip(columns, row, strict=True)]
        signs.append((tuple(texts & shared for texts in own), frozenset(_patterns(own, shared))))
    numbers = {sign: number for number, sign in enumerate(dict.fromkeys(signs))}
    found: npt.NDArray[np.intp] = np.array([numbers[sign] for sign in signs], dtype=np.intp)[codes]
    return found


def points_of(
    shared: frozenset[str], axis: Axis, own: Sequence[frozenset[str]], matches: Sequence[Matches]
) -> OwnTexts:
    """What to ask a representative about, so that the effect of every kind of text is known.

    Args:
        shared: the texts that are the same for all.
        axis: the axis.
        own: the texts that each attribute of the representative matches.
        matches: of each attribute, for all principals.
    """
    values = [str(value) for value in axis.values if is_text(value)]
    number = {text: i for i, text in enumerate(sorted(shared & set(values)), 1)}
    absent = len(number) + 1  # the kind of a text that is missing
    literals = np.array(
        [number.get(str(value), 0) if is_text(value) else absent for value in axis.values], dtype=np.intp
    )
    samples: dict[int, object] = {_kind(place, text, own): text for text, place in number.items()}
    if len(values) < len(axis.values):
        samples[_number(absent, (False,) * len(own))] = MISSING
    patterns = _patterns(own, shared)
    on_axis = set(values)
    for pattern, texts in patterns.items():
        samples[_number(0, pattern)] = min(texts, key=lambda text: (text not in on_axis, text))
    taken = shared.union(*own)
    free = next((text for text in values if text not in taken), None)
    while free is None or free in taken:
        free = f"{free or ''}{ANOTHER}"
    samples[0] = free
    codes = np.zeros((absent + 1) * 2 ** len(own), dtype=np.intp)
    codes[list(samples)] = np.arange(len(samples))
    return OwnTexts(tuple(samples.values()), codes, literals, tuple(matches))


def _patterns(own: Sequence[frozenset[str]], shared: frozenset[str]) -> dict[tuple[bool, ...], list[str]]:
    """The texts that are not shared, by which of the attributes they match."""
    found: dict[tuple[bool, ...], list[str]] = {}
    for text in sorted(set(itertools.chain.from_iterable(own)) - shared):
        found.setdefault(tuple(text in texts for texts in own), []).append(text)
    return found


def _kind(literal: int, text: str, own: Sequence[frozenset[str]]) -> int:
    return _number(literal, tuple(text in texts for texts in own))


def _number(literal: int, pattern: Sequence[bool]) -> int:
    """The number of a kind of text, as ``OwnTexts.kinds`` counts."""
    kind = literal
    for matched in pattern:
        kind = 2 * kind + matched
    return kind
