"""Attributes of the same people from a second source, such as an HR table."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from clerk_cerbos_lab.errors import InputError, LabWarning, did_you_mean
from clerk_cerbos_lab.identity.fields import type_of, value_of
from clerk_cerbos_lab.identity.principals import (
    RESERVED,
    SHAREABLE,
    WITHOUT_NULL,
    check_frame,
    has_null,
    read_principals,
    shareable_columns,
)
from clerk_cerbos_lab.identity.quality import Report, _row, is_missing
from clerk_cerbos_lab.identity.tables import read_table
from clerk_cerbos_lab.values import MISSING, json_type, key

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

CONFLICT = "conflict"

ALONE = "no partner"


def merge_principals(
    principals: pd.DataFrame,
    table: pd.DataFrame | str | os.PathLike[str],
    /,
    *,
    on: str | tuple[str, str] = "id",
    attributes: Sequence[str] | Mapping[str, str] | None = None,
    types: Mapping[str, str] | None = None,
    separator: str = ";",
    prefer: Literal["principals", "table"] = "principals",
) -> pd.DataFrame:
    """Add attributes from another source to principals: a table, or another principals frame.

    >>> everybody = lab.merge_principals(principals, "hr.csv", on=("email", "mail"))
    >>> lab.problems(everybody)

    Args:
        principals: a principals frame.
        table: a DataFrame, perhaps another principals frame, or a file as for ``lab.principals_from_table``.
        on: the key in both: ``id`` or an attribute, or the name in the principals and that in the table.
            Texts are compared exactly.
        attributes: the columns to add, or a dict of attribute name and column; default: all but the key,
            ``id`` and ``roles``.
        types: as in ``lab.principals_from_table``.
        separator: between the items of a list that is written as text.
        prefer: whose value stays where both have one and they differ.

    Returns:
        The principals in their order, with the attributes added. ``lab.problems`` has a line for everybody
        without a partner and for each attribute in conflict (which types they are, never the values). A
        warning says how many rows of the table have no principal. Added attributes count as personal until
        ``lab.shareable`` declares otherwise.

    Raises:
        InputError: for a column that does not exist, an attribute named ``id`` or ``roles``, or a key that is
            missing or repeated in the table.
    """
    check_frame(principals)
    if prefer not in {"principals", "table"}:
        msg = f"prefer must be 'principals' or 'table', not {prefer!r}"
        raise InputError(msg)
    other = read_table(table)
    names = (on, on) if isinstance(on, str) else on
    if not isinstance(names, tuple) or len(names) != 2 or not all(isinstance(name, str) for name in names):
        msg = "on= must be the name of a column, or two: that of the principals and that of the table"
        raise InputError(msg)
    left, right = names
    for name, frame, what in ((left, principals, "principals"), (right, other, "table")):
        if name not in frame.columns:
            near = did_you_mean(str(name), list(map(str, frame.columns)))
            msg = f"the {what} have no column '{name}' to join on{near}".replace("table have", "table has")
            raise InputError(msg)
    wanted = _wanted(other, attributes, right)
    read = _columns(other, wanted, dict(types or {}), separator)
    place = _places(other[right])
    rows = [place.get(_key(value), -1) for value in principals[left].tolist()]
    report = Report(principals.attrs.get("problems") or ())
    merged = principals.copy()
    ids = principals["id"].tolist()
    for name, values in read.items():
        own = principals[name].tolist() if name in principals.columns else [MISSING] * len(principals)
        joined = []
        for identity, mine, row in zip(ids, own, rows, strict=True):
            theirs = values[row] if row >= 0 else MISSING
            differ = not is_missing(mine) and not is_missing(theirs) and key(mine) != key(theirs)
            if differ:
                both = f"{json_type(mine)} and {json_type(theirs)}"
                told = f"the two sources differ: {both}; that of the {prefer} is used"
                report.append(_row(identity, CONFLICT, name, told))
            first, second = (mine, theirs) if prefer == "principals" else (theirs, mine)
            joined.append(second if is_missing(first) else first)
        merged[name] = pd.Series(joined, dtype=object, index=merged.index)
    report.extend(
        _row(identity, ALONE, "", f"no row of the table has this {left}")
        for identity, row in zip(ids, rows, strict=True)
        if row < 0
    )
    left_over = len(other) - len({row for row in rows if row >= 0})
    if left_over:
        many = "1 row" if left_over == 1 else f"{left_over:,} rows"
        warnings.warn(f"{many} of the table belong to nobody among the principals", LabWarning, stacklevel=2)
    order = {own: row for row, own in reversed(list(enumerate(ids)))}
    report.sort(key=lambda line: order.get(line["principal"], len(order)))
    merged.attrs["problems"] = report
    merged.attrs[SHAREABLE] = [name for name in principals.attrs.get(SHAREABLE, ()) if name not in read]
    shared = shareable_columns(other) & set(wanted.values())
    merged.attrs[SHAREABLE] += [
        name
        for name, column in wanted.items()
        if column in shared and (name not in principals.columns or name in shareable_columns(principals))
    ]
    merged.attrs[WITHOUT_NULL] = [
        str(name) for name in merged.columns if name not in RESERVED and not any(map(has_null, merged[name]))
    ]
    read_principals(merged)
    return merged


def _wanted(
    other: pd.DataFrame, attributes: Sequence[str] | Mapping[str, str] | None, right: str
) -> dict[str, str]:
    """By attribute, the column of the table."""
    if attributes is None:
        return {str(name): name for name in other.columns if name != right and name not in RESERVED}
    wanted = dict(attributes) if isinstance(attributes, Mapping) else {name: name for name in attributes}
    for name, column in wanted.items():
        if name in RESERVED:
            msg = f"attributes can't set '{name}': that is a column of every principals frame"
            raise InputError(msg)
        if column not in other.columns:
            near = did_you_mean(str(column), list(map(str, other.columns)))
            msg = f"the table has no column '{column}'{near}"
            raise InputError(msg)
    return wanted


def _columns(
    other: pd.DataFrame, wanted: Mapping[str, str], types: Mapping[str, str], separator: str
) -> dict[str, list[Any]]:
    """The values of each attribute, as they are sent."""
    found = {}
    for name, column in wanted.items():
        type_ = types.get(column) or type_of(other[column])
        found[name] = [value_of(value, type_, separator) for value in other[column].tolist()]
    return found


def _places(series: pd.Series[Any]) -> dict[str, int]:
    """The row of each key in the table."""
    found: dict[str, int] = {}
    for row, value in enumerate(series.tolist()):
        if value is None or is_missing(value) or value == "":
            msg = f"row {row + 1} of the table has no '{series.name}' to join on"
            raise InputError(msg)
        own = _key(value)
        if not own:
            kind = json_type(value)
            msg = f"row {row + 1} of the table has {kind} as '{series.name}', not a text or a number"
            raise InputError(msg)
        first = found.setdefault(own, row)
        if first != row:
            msg = (
                f"rows {first + 1} and {row + 1} of the table have the same '{series.name}': keep one of them"
            )
            raise InputError(msg)
    return found


def _key(value: object) -> str:
    """A key for texts and numbers; a missing one, or a list, is none."""
    plain = isinstance(value, (str, int, float)) and not isinstance(value, bool) and not is_missing(value)
    return key(value) if plain else ""
