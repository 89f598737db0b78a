"""The records of a database table in groups that the policies can't tell apart.

The policies compare an amount with certain numbers. All amounts between two of them are alike, so the
database groups its rows by those gaps, by the bytes of texts, and by whatever else is read. A group is asked
about by one of its own rows, and the decision stands for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.replay import Money
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.records import MOST_MINOR, NO_DATE
from clerk_cerbos_lab.insights.sql_query import LEAST, MOST, MOST_GROUPS, Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import sqlalchemy as sa

    from clerk_cerbos_lab.insights.sql_query import Cut
    from clerk_cerbos_lab.insights.sql_table import SqlTable

MOST_CUTS: Final = 400
"""Numbers that a column is compared with in SQL; with more, each of its values is a group."""

EXACT: Final = 2**53
"""Whole numbers up to it are doubles."""

SETTINGS: Final = """
SET LOCAL jit = on;
SET LOCAL jit_above_cost = 400000;
SET LOCAL jit_inline_above_cost = 400000;
SET LOCAL jit_optimize_above_cost = 400000;
SET LOCAL enable_sort = off;
SET LOCAL work_mem = '64MB';
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0
"""
"""Of the kit's own transaction in PostgreSQL, which then groups by hashing; nothing else is changed."""

FETCHED: Final = 50_000
"""Rows of groups that are read at once."""

SAMPLE: Final = 256
"""Rows that are read as they are, to be asked in addition."""

BLOCKS: Final = 40_000
"""Rows that these are drawn from."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """The rows of a table in groups.

    Attributes:
        frame: one row per group, with a value of one of its rows in each column that is read.
        counts: how many rows.
        money: of these rows.
        month: for each group, a position in ``months``; None without a date.
        months: ascending.
        sample: some rows of the table, with the same columns.
        sampled: for each of these, the position of its group.
    """

    frame: pd.DataFrame
    counts: npt.NDArray[np.int64]
    money: Money
    month: npt.NDArray[np.intp] | None
    months: list[str]
    sample: pd.DataFrame
    sampled: npt.NDArray[np.intp]


def grouped(  # noqa: PLR0917 - what a replay reads of a table
    table: SqlTable,
    cuts: Mapping[str, Cut],
    money: str,
    currency: str | None,
    date: str | None,
    timezone: str | None,
    *,
    cents: bool,
) -> Grouped:
    """Let the database group the rows.

    Args:
        table: the table.
        cuts: by column that is read, how its values are grouped.
        money: the column of the amounts.
        currency: the column of the currency, if there is one.
        date: the column of the date.
        timezone: where months begin.
        cents: the amounts are whole cents.

    Raises:
        InputError: for a column whose comparisons are not known to mean the same, or values in a wrong form.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    whole = Query(table, sa, table.table)
    amount = whole.money(money)
    raw = list(cuts)
    with table.engine.connect() as connection:
        if table.engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")  # all queries see the same rows
            connection.execute(sa.text(SETTINGS))
            whole.rows_have_places = _have_places(table, connection)
        whole.read_all(cuts, currency, date, timezone)
        keys = list(whole.keys)
        rows = connection.execute(whole.groups(amount)).all()
        at = keys.index("month") if "month" in keys else None
        if at is not None and any(whole.outside(row[at]) for row in rows):
            whole.any_year = True
            whole.keys["month"] = whole.month(date or "", timezone)
            rows = connection.execute(whole.groups(amount)).all()
        total = sum(row[-3] for row in rows)
        picked = _at_places(whole, connection, [row[-4] for row in rows]) if whole.rows_have_places else []
        part = Query(table, sa, whole.sampled(100 * BLOCKS / max(total, 1)))
        part.any_year = whole.any_year
        part.read_all(cuts, currency, date, timezone)
        own = [part.column(name) for name in raw]
        some = _some(connection, [*part.keys.values(), *own])
    if not rows or not total:
        msg = f"there are no records in the table '{table.name}'"
        raise InputError(msg)
    if len(rows) > MOST_GROUPS:
        msg = f"more than {MOST_GROUPS:,} groups of records: the policies tell almost every value apart"
        raise InputError(msg)
    found = pd.DataFrame.from_records([tuple(row) for row in rows])
    key = found.iloc[:, : len(keys)]
    empty = int((found.iloc[:, -3] - found.iloc[:, -2]).sum())
    if empty:
        msg = f"{empty:,} of {total:,} records have no '{money}'"
        raise InputError(msg)
    month, months = _months(key.iloc[:, keys.index("month")]) if "month" in keys else (None, [])
    code = _one_currency(key.iloc[:, keys.index("currency")], found.iloc[:, -3]) if "currency" in keys else ""
    place = {_sign(row[: len(keys)]): i for i, row in enumerate(rows)}
    values = {name: [row[len(keys) + i] for row in rows] for i, name in enumerate(whole.values)}
    values |= {name: [row[i] for row in picked] for i, name in enumerate(whole.picked)}
    for name, each in values.items():
        held = name.removesuffix(LEAST).removesuffix(MOST)
        if held != name and any(abs(int(one)) > EXACT for one in each if one is not None):
            msg = f"the column '{held}' has integers that no double holds: Cerbos's numbers are doubles"
            raise InputError(msg)
        if any(isinstance(one, (float, Decimal)) and not math.isfinite(one) for one in each):
            msg = f"the column '{held}' has a value that is no finite number, such as NaN"
            raise InputError(msg)
    frame = pd.DataFrame({name: whole.plain(name, values[name]) for name in cuts})
    return Grouped(
        frame=frame,
        counts=found.iloc[:, -3].to_numpy(dtype=np.int64),
        money=_money(found.iloc[:, -1].tolist(), money, code, cents=cents),
        month=month,
        months=months,
        sample=pd.DataFrame(
            {name: _objects([row[len(keys) + i] for row in some]) for i, name in enumerate(raw)}
        ),
        sampled=np.array([place[_sign(row[: len(keys)])] for row in some], dtype=np.intp),
    )


def _some(connection: sa.Connection, read: Sequence[Any]) -> Sequence[Any]:
    """Some rows of these expressions; none if nothing is read."""
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    sample = sa.select(*read).order_by(sa.func.random()).limit(SAMPLE)
    return connection.execute(sample).all() if read else []


def _have_places(table: SqlTable, connection: sa.Connection) -> bool:
    """Whether PostgreSQL can tell a row of a table by its place; not in a view, or a table of several."""
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    name = table.engine.dialect.identifier_preparer.format_table(table.table)
    asked = sa.text(
        "SELECT relkind = 'r' AND NOT relhassubclass FROM pg_class WHERE oid = to_regclass(:name)"
    )
    return bool(connection.execute(asked, {"name": name}).scalar())


def _at_places(query: Query, connection: sa.Connection, places: Sequence[str]) -> list[Sequence[Any]]:
    """The values in the rows at these places, in order."""
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    found: dict[str, Sequence[Any]] = {}
    for start in range(0, len(places), FETCHED):
        wanted = sa.text("ctid = ANY(CAST(:places AS tid[]))")
        asked = sa.select(sa.literal_column("ctid"), *query.picked.values()).where(wanted)
        for place, *values in connection.execute(asked, {"places": list(places[start : start + FETCHED])}):
            found[place] = values
    return [found[place] for place in places]


def _sign(key: Sequence[Any]) -> tuple[str, ...]:
    """A group's key, equal to itself even with NaN."""
    return tuple(map(repr, key))


def _objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _months(column: pd.Series[Any]) -> tuple[npt.NDArray[np.intp], list[str]]:
    numbers = [None if pd.isna(one) else int(one) for one in column]
    labels = [NO_DATE if one is None else f"{one // 12:04}-{one % 12 + 1:02}" for one in numbers]
    months = sorted(set(labels), key=lambda month: (month == NO_DATE, month))
    place = {month: n for n, month in enumerate(months)}
    return np.array([place[month] for month in labels], dtype=np.intp), months


def _one_currency(column: pd.Series[Any], counts: pd.Series[Any]) -> str:
    records: dict[str, int] = {}
    for held, count in zip(column, counts, strict=True):
        name = "none" if held is None else held if isinstance(held, str) else bytes(held).decode()
        records[name] = records.get(name, 0) + int(count)
    if len(records) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(records.items()))
        msg = f"the records are in {len(records)} currencies ({told}), which can't be added"
        raise InputError(msg)
    return next(iter(records))


def _money(sums: Sequence[Any], name: str, currency: str, *, cents: bool) -> Money:
    exact = [Decimal(one).scaleb(-2) if cents else Decimal(one) for one in sums]
    if not all(one.is_finite() for one in exact):
        msg = f"some amounts in '{name}' are not finite numbers"
        raise InputError(msg)
    decimals = max(2 if cents else 0, *(-int(one.as_tuple().exponent) for one in exact))
    whole = [int(one.scaleb(decimals)) for one in exact]
    if sum(map(abs, whole)) >= MOST_MINOR:
        msg = f"the amounts in '{name}' are too large to be added exactly"
        raise InputError(msg)
    return Money(np.array(whole, dtype=np.int64), decimals, currency)
