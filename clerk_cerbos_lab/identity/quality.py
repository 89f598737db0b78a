"""Data problems in profiles: attributes that are missing, mistyped or unlike everybody else's."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.identity.principals import RESERVED
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Row = dict[str, str]
"""One line of the report: ``principal``, ``problem``, ``attribute``, ``detail``."""

COLUMNS: Final = ["principal", "problem", "attribute", "detail"]

MISTYPED: Final = "mistyped attribute"

ABSENT: Final = "missing attribute"

UNUSUAL: Final = "unusual value"

SIGNED_OUT: Final = frozenset(
    {
        *("banned", "locked", "blocked", "suspended", "inactive"),
        *("deprovisioned", "locked out", "password expired", "provisioned", "recovery", "staged"),
    }
)
"""Problems for which a provider does not let somebody sign in, as it calls them."""


def cannot_sign_in(report: Iterable[Row]) -> dict[str, str]:
    """The problem, such as ``banned``, of each principal who can't sign in, by id."""
    return {line["principal"]: line["problem"] for line in report if line["problem"] in SIGNED_OUT}


class Report(list[Row]):
    """The problems found when users were mapped to principals; a frame carries it in ``attrs``."""

    def __deepcopy__(self, memo: object) -> Report:
        return self  # pandas copies attrs with every selection, and a report is never changed


# -- compared with the other principals -------------------------------------------------------


USUAL: Final = 0.8
"""A type is usual for an attribute if at least this share of the principals with the attribute has it."""

HELD: Final = 0.5
"""Everybody is expected to have an attribute if at least this share of all principals has it."""

FEW: Final = 12
"""An attribute with at most this many common values is treated as a choice between them."""


def _holders(frame: pd.DataFrame, name: str) -> list[tuple[str, Any]]:
    pairs = zip(frame["id"].tolist(), frame[name].tolist(), strict=True)
    return [(own, value) for own, value in pairs if not is_missing(value)]


def is_missing(value: object) -> bool:
    """Whether the value marks an attribute as missing; pandas has more than one such value."""
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _attribute_names(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if name not in RESERVED]


def _against_others(frame: pd.DataFrame, personal: set[str]) -> Iterator[Row]:
    yield from _odd_types(frame)
    yield from _odd_values(frame, personal)
    yield from _odd_numbers(frame)
    yield from _unlike_others(frame)


def _odd_types(frame: pd.DataFrame) -> Iterator[Row]:
    for name in _attribute_names(frame):
        holders = _holders(frame, name)
        types = Counter(json_type(value) for _, value in holders)
        usual, count = types.most_common(1)[0] if types else ("", 0)
        if count < USUAL * len(holders) or count == len(holders):
            continue
        for own, value in holders:
            if json_type(value) != usual:
                detail = f"{json_type(value)}, where {count} of the {len(holders)} who have it have {usual}"
                yield _row(own, MISTYPED, name, detail)


def _odd_values(frame: pd.DataFrame, personal: set[str]) -> Iterator[Row]:
    """Values that nobody else has, where everybody else has one of a few."""
    columns = {name: _holders(frame, name) for name in _attribute_names(frame) if name not in personal}
    pairs = zip(frame["id"].tolist(), frame["roles"].tolist(), strict=True)
    columns["roles"] = [(own, role) for own, roles in pairs for role in roles]
    for name, holders in columns.items():
        texts = [(own, value) for own, value in holders if isinstance(value, str)]
        counts = Counter(value for _, value in texts)
        unusual = unusual_texts(counts)
        common = sorted(value for value in counts if value not in unusual)
        for own, value in texts:
            if value in unusual:
                twin = any(folded(c) == folded(value) for c in common)
                but = "; apart from case and spaces it is one of them" if twin else ""
                detail = f"nobody else has this value; the others share {len(common)} values{but}"
                yield _row(own, UNUSUAL, name, detail)


def unusual_texts(counts: Mapping[str, int]) -> set[str]:
    """The texts that one principal has, where everybody else shares a few; empty if that is not so.

    Args:
        counts: how many principals have each text.
    """
    common = sum(count > 1 for count in counts.values())
    if not common or common > FEW or len(counts) - common > common + 2:
        return set()
    return {text for text, count in counts.items() if count == 1}


def _odd_numbers(frame: pd.DataFrame) -> Iterator[Row]:
    """Numbers below zero where (almost) nobody else has one."""
    for name in _attribute_names(frame):
        numbers = [(own, value) for own, value in _holders(frame, name) if json_type(value) == "a number"]
        below = [own for own, value in numbers if value < 0]
        if len(below) <= (1 - USUAL) * len(numbers):
            for own in below:
                detail = f"below 0, which {len(numbers) - len(below)} of the {len(numbers)} numbers are not"
                yield _row(own, UNUSUAL, name, detail)


def folded(text: str) -> str:
    """A text without what is easily mistyped: case, the width of letters, spaces around it."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _unlike_others(frame: pd.DataFrame) -> Iterator[Row]:
    for name in _attribute_names(frame):
        present = {own for own, _ in _holders(frame, name)}
        if len(present) < HELD * len(frame):
            continue
        for own in frame["id"].tolist():
            if own not in present:
                detail = f"{len(present)} of the {len(frame)} principals have it"
                yield _row(own, ABSENT, name, detail)


def _row(own: str, problem: str, attribute: str, detail: str) -> Row:
    return {"principal": own, "problem": problem, "attribute": attribute, "detail": detail}
