"""A database table of records, grouped in the database by what the policies can tell apart.

The policies compare an amount with certain numbers. All amounts between two of them are alike, so the
database groups its rows by those gaps, by the bytes of texts, and by whatever else is read. A group is asked
about by one of its own rows, and the decision stands for all. No condition is evaluated in SQL: numbers are
compared with numbers, which means the same in DuckDB, PostgreSQL and Cerbos. A column of which that is not
certain is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.replay import Money
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.insights.records import MOST_MINOR, NO_DATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import sqlalchemy as sa

GROUPED: Final = ("duckdb", "postgresql")
"""Databases whose comparisons are known to mean what Cerbos's mean."""

MOST_GROUPS: Final = 2_000_000

MOST_CUTS: Final = 400
"""Numbers that a column is compared with in SQL; with more, each of its values is a group."""

EXACT: Final = 2**53
"""Whole numbers up to it are doubles."""

LARGEST: Final = 1.7e308
"""Doubles beyond it, and infinity and NaN, are a group of their own, which is then refused."""

MOST_DIGITS: Final = 30
"""Digits of a number that a decimal is compared with."""

LEAST: Final = ", least"

MOST: Final = ", most"

MOST_CODES: Final = 2**62
"""Combinations of codes that are one number."""

MOST_LISTED: Final = 64
"""Texts that get a number of their own; with more, they are compared as texts."""

SETTINGS: Final = """
SET LOCAL jit = off;
SET LOCAL work_mem = '64MB';
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0
"""
"""Of the kit's own transaction in PostgreSQL; nothing else is changed."""

SAMPLE: Final = 256
"""Rows that are read as they are, to be asked in addition."""

BLOCKS: Final = 40_000
"""Rows that these are drawn from."""


@dataclass(frozen=True, slots=True, eq=False)
class SqlTable:
    """A table or view of records in a database, for ``lab.replay``. Make one with ``lab.sql_table``.

    Attributes:
        engine: of SQLAlchemy.
        table: with its columns.
    """

    engine: sa.Engine
    table: sa.Table

    @property
    def name(self) -> str:
        """With the schema, if it was given."""
        return str(self.table)

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.table.columns]

    def is_number(self, column: str) -> bool:
        """Whether a column has numbers."""
        import sqlalchemy as sa  # noqa: PLC0415 - an extra

        return isinstance(self.table.c[column].type, (sa.Integer, sa.Numeric, sa.Float))


@dataclass(frozen=True, slots=True)
class Cut:
    """How the values of a column are grouped.

    Attributes:
        numbers: the column is compared with these, ascending; None: each value is a group.
        texts: only these texts are told apart from each other and from all others; None: each is.
        cents: its values are whole cents of what is sent.
    """

    numbers: tuple[float, ...] | None = None
    texts: frozenset[str] | None = None
    cents: bool = False


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


def sql_table(source: str | sa.Engine, name: str, /, *, schema: str | None = None) -> SqlTable:
    """A database table of records, for ``lab.replay``.

    >>> lab.sql_table("duckdb:///expenses.duckdb", "expenses")
    >>> lab.sql_table("postgresql+psycopg://localhost/finance", "expenses", schema="archive")

    In DuckDB and PostgreSQL the database groups the rows by what the policies can tell apart, so that ten
    million rows stay where they are. Of other databases the rows are read.

    Args:
        source: a database URL or an engine of SQLAlchemy.
        name: the table or view.
        schema: where it is, if not in the default one.

    Raises:
        InputError: if SQLAlchemy or the driver is not installed, the database can't be reached, or there is
            no such table. A password in a URL is not shown.
    """
    try:
        import sqlalchemy as sa  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "tables in a database need SQLAlchemy and DuckDB: pip install 'clerk-cerbos-lab[sql]'"
        raise InputError(msg) from None
    try:
        engine = sa.create_engine(source) if isinstance(source, str) else source
        if not isinstance(engine, sa.Engine):
            msg = f"the database must be a URL or an engine of SQLAlchemy, not a {type(source).__name__}"
            raise InputError(msg)
        known = sa.inspect(engine)
        names = [*known.get_table_names(schema), *known.get_view_names(schema)]
        if name not in names:
            msg = f"the database has no table '{name}'{did_you_mean(name, names)}"
            raise InputError(msg)
        return SqlTable(engine, sa.Table(name, sa.MetaData(), schema=schema, autoload_with=engine))
    except ImportError as error:
        msg = f"the driver of this database is not installed: {error}"
        raise InputError(msg) from None
    except (sa.exc.ArgumentError, sa.exc.SQLAlchemyError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        msg = f"the database can't be read: {cause}"
        raise InputError(msg) from None


def different_values(table: SqlTable, column: str) -> list[Any]:
    """The different values of a column, without NULL."""
    import sqlalchemy as sa  # noqa: PLC0415 - an extra

    held = table.table.c[column]
    with table.engine.connect() as connection:
        return list(connection.execute(sa.select(held).distinct().where(held.is_not(None))).scalars())


def rows_as_frame(table: SqlTable) -> pd.DataFrame:
    """All rows, with decimals as they are."""
    with table.engine.connect() as connection:
        return pd.read_sql_query(table.table.select(), connection, coerce_float=False)


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

    whole = _Query(table, sa, table.table)
    amount = whole.money(money)
    raw = list(cuts)
    with table.engine.connect() as connection:
        whole.read_all(cuts, currency, date, timezone)
        keys = list(whole.keys)
        if table.engine.dialect.name == "postgresql":
            connection.execute(sa.text(SETTINGS))
        rows = connection.execute(whole.groups(amount)).all()
        total = sum(row[-3] for row in rows)
        part = _Query(table, sa, whole.sampled(100 * BLOCKS / max(total, 1)))
        part.read_all(cuts, currency, date, timezone)
        own = [part.column(name) for name in raw]
        some = connection.execute(
            sa.select(*part.keys.values(), *own).order_by(sa.func.random()).limit(SAMPLE)
        ).all()
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
    picked = found.iloc[:, len(keys) : len(keys) + len(whole.values)]
    values = {name: picked.iloc[:, i] for i, name in enumerate(whole.values)}
    for name, column in values.items():
        far = name.endswith((LEAST, MOST)) and any(
            abs(int(one)) > EXACT for one in column if not pd.isna(one)
        )
        if far:
            held = name.removesuffix(LEAST).removesuffix(MOST)
            msg = f"the column '{held}' has integers that no double holds: Cerbos's numbers are doubles"
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


class _Query:
    """The columns of a query that groups a table."""

    def __init__(self, table: SqlTable, sa: Any, source: Any) -> None:
        self._sa = sa
        self._table = table
        self._source = source
        self._dialect = table.engine.dialect.name
        self.keys: dict[str, Any] = {}
        self.values: dict[str, tuple[str, Any]] = {}
        self._codes: list[tuple[Any, int]] = []

    def column(self, name: str) -> Any:
        """A column of the table, or of the sample."""
        return self._source.c[name]

    def read_all(
        self, cuts: Mapping[str, Cut], currency: str | None, date: str | None, timezone: str | None
    ) -> None:
        """Group by everything that is read."""
        for name, cut in cuts.items():
            self._read(name, cut)
        if currency in self._table.columns:
            self.keys["currency"] = self._bytes(currency or "")
        if date is not None:
            self.keys["month"] = self._month(date, timezone)
        if self._codes:
            self.keys["codes"] = self._packed()

    def groups(self, amount: Any) -> Any:
        """The query: for each group its keys, its values, how many rows, how many amounts, and their sum."""
        sa = self._sa
        keys, names = list(self.keys.values()), [name for name, _ in self.values.values()]
        values = [value for _, value in self.values.values()]
        if self._dialect == "postgresql":
            # Of what comes out of a subquery PostgreSQL assumes few different values, and groups in parallel
            # and by hashing. Of the expressions themselves it assumes millions, and sorts all rows.
            parts = [one.label(f"c{n}") for n, one in enumerate([*keys, *values, amount])]
            held = sa.select(*parts).offset(sa.literal_column("bigint '0'")).subquery()
            columns = list(held.c)
            keys, values, amount = columns[: len(keys)], columns[len(keys) : -1], columns[-1]
        picked = [getattr(sa.func, name)(value) for name, value in zip(names, values, strict=True)]
        sums = (sa.func.count(), sa.func.count(amount), sa.func.sum(amount))
        return sa.select(*keys, *picked, *sums).group_by(*keys).limit(MOST_GROUPS + 1)

    def _key(self, name: str, code: Any, size: int) -> None:
        """Group by a code from 0: in PostgreSQL all codes are one number, of which it groups fastest."""
        held = math.prod(of for _, of in self._codes)
        if self._dialect == "postgresql" and held * size < MOST_CODES:
            self._codes.append((code, size))
        else:
            self.keys[name] = code

    def _packed(self) -> Any:
        """All codes as one number."""
        sa = self._sa
        packed = sa.cast(self._codes[0][0], sa.BigInteger)
        for code, size in self._codes[1:]:
            packed = packed * sa.literal_column(str(size)) + code
        return packed

    def _refuse(self, name: str, why: str) -> None:
        msg = (
            f"the column '{name}' of '{self._table.name}' is {self.column(name).type}: {why}. Make a view "
            "with another type, or replay a DataFrame"
        )
        raise InputError(msg)

    def _bytes(self, name: str) -> Any:
        """A text by its bytes, or by the collation C: equal exactly if the texts are."""
        sa, column = self._sa, self.column(name)
        if not isinstance(column.type, sa.String):
            self._refuse(name, "it should be text")
        return sa.func.encode(column) if self._dialect == "duckdb" else sa.collate(column, "C")

    def _read(self, name: str, cut: Cut) -> None:
        """Group by a column, and pick one of its values for each group."""
        sa, column = self._sa, self.column(name)
        if isinstance(column.type, sa.Boolean):
            number = sa.cast(column, sa.Integer)
            self._key(name, sa.func.coalesce(number + sa.literal_column("1"), sa.literal_column("0")), 3)
            self.values[name] = ("min", number)
            return
        if isinstance(column.type, sa.String):
            self._text(name, cut)
            return
        if not isinstance(column.type, (sa.Integer, sa.Numeric, sa.Float)):
            self._refuse(name, "it is not known to compare as Cerbos compares it")
        self.values[name] = self._any(column)
        exact = not isinstance(column.type, sa.Float)
        if isinstance(column.type, sa.Integer):
            self.values[name + LEAST] = ("min", column)
            self.values[name + MOST] = ("max", column)
        if cut.numbers is None:
            self.keys[name] = column
            return
        most = _double(sa, LARGEST) if isinstance(column.type, sa.Float) else _units(sa, 10**MOST_DIGITS)
        infinite = []
        if not isinstance(column.type, sa.Integer) and not (exact and self._dialect == "duckdb"):
            large = sa.or_(column > most, column < -most)  # NaN is larger than everything in both databases
            infinite = [(large, sa.literal_column("1"))]
        null = (column.is_(None), sa.literal_column("0"))
        code = sa.case(null, *infinite, else_=sa.literal_column("2") + self._place_of(column, cut))
        self._key(name, code, 3 + len(self._ends(column, cut)))

    def _ends(self, column: Any, cut: Cut) -> list[Any]:
        """The numbers in SQL at which a code changes; of doubles each is the end of two codes.

        Decimals and whole numbers are compared as they are: with the first of them whose double, as it is
        sent, is not below a number, and with the first whose double is above it.
        """
        sa = self._sa
        scale = _scale(sa, column.type, cents=cut.cents)
        if scale is None:
            return [_double(sa, number) for number in cut.numbers or () for _ in range(2)]
        shown = 0 if cut.cents else scale
        ends = {end for number in cut.numbers or () for end in first_units(number, scale)}
        return [_units(sa, end, shown) for end in sorted(ends)]

    def _place_of(self, column: Any, cut: Cut) -> Any:
        """How many of the ends a value has reached or, every second one of doubles, passed."""
        sa, ends = self._sa, self._ends(column, cut)
        if isinstance(column.type, sa.Float):
            tests = [column <= end if n % 2 else column < end for n, end in enumerate(ends)]
        elif ends and self._dialect == "postgresql" and not isinstance(column.type, sa.Integer):
            told = ", ".join(str(end) for end in ends)
            return sa.func.width_bucket(column, sa.literal_column(f"CAST(ARRAY[{told}] AS NUMERIC[])"))
        else:
            tests = [column < end for end in ends]
        return self._place(tests, 0, len(tests))

    def _place(self, tests: Sequence[Any], first: int, last: int) -> Any:
        """How many of the tests are false, found by halves."""
        if first == last:
            return self._sa.literal_column(str(first))
        middle = (first + last) // 2
        below, above = self._place(tests, first, middle), self._place(tests, middle + 1, last)
        return self._sa.case((tests[middle], below), else_=above)

    def _any(self, column: Any) -> tuple[str, Any]:
        """How a value of a group is picked."""
        return ("any_value" if self._dialect == "duckdb" else "min"), column

    def _text(self, name: str, cut: Cut) -> None:
        sa, column, held = self._sa, self.column(name), self._bytes(name)
        if cut.texts is None:
            self.keys[name] = held
            self.values[name] = self._any(held) if self._dialect == "postgresql" else ("any_value", held)
            return
        self.values[name] = self._any(column if self._dialect == "duckdb" else held)
        known = [self._literal(text) for text in sorted(cut.texts)]
        if self._dialect == "postgresql" and len(known) <= MOST_LISTED:
            numbered = sa.case(*((held == one, _number(sa, n + 2)) for n, one in enumerate(known)))
            listed = [(held.in_(known), numbered)] if known else []
            code = sa.case((column.is_(None), _number(sa, 0)), *listed, else_=_number(sa, 1))
            self._key(name, code, len(known) + 2)
            return
        self.keys[name] = sa.case((held.in_(known), held)) if known else sa.null()
        self.keys[f"{name}, empty"] = column.is_(None)

    def _literal(self, text: str) -> Any:
        """A text as ``_bytes`` has it, as a constant."""
        if self._dialect != "duckdb":
            return self._sa.literal(text)
        return self._sa.literal_column(f"CAST(from_hex('{text.encode().hex()}') AS BLOB)")

    def money(self, name: str) -> Any:
        """The column of the amounts, whose sum is exact."""
        sa, column = self._sa, self.column(name)
        if isinstance(column.type, sa.Float) or not isinstance(column.type, (sa.Integer, sa.Numeric)):
            self._refuse(name, "amounts that are added are decimals or whole cents")
        return sa.cast(column, sa.Numeric(38, 0)) if isinstance(column.type, sa.Integer) else column

    def _month(self, name: str, timezone: str | None) -> Any:
        """The month as a number: twelve times the year, and the month from 0."""
        sa, column = self._sa, self.column(name)
        at = column
        if isinstance(column.type, sa.DateTime):
            if column.type.timezone:
                at = sa.func.timezone(timezone or "UTC", column)
            elif timezone is None:
                self._refuse(name, "a timestamp without time zone; give timezone= to say where it is")
        elif not isinstance(column.type, sa.Date):
            self._refuse(name, "it should be a date or a timestamp")
        twelve, one = sa.literal_column("12"), sa.literal_column("1")
        if self._dialect == "postgresql":  # as doubles, which is faster than the decimals of EXTRACT
            year, month = sa.func.date_part("year", at), sa.func.date_part("month", at)
            return sa.cast(year * twelve + month, sa.Integer) - one
        return sa.extract("year", at) * twelve + sa.extract("month", at) - one

    def sampled(self, percent: float) -> Any:
        """About this share of the table, in blocks of rows; all of a view."""
        sa = self._sa
        if self._table.table.name in sa.inspect(self._table.engine).get_view_names(self._table.table.schema):
            return self._table.table
        share = f"{min(100.0, percent):.9f}"
        told = sa.literal_column(f"{share} PERCENT" if self._dialect == "duckdb" else share)
        return sa.tablesample(self._table.table, sa.func.system(told))

    def plain(self, name: str, values: pd.Series[Any]) -> pd.Series[Any]:
        """The values of a column as Python has them."""
        sa, type_ = self._sa, self.column(name).type
        found: list[Any] = values.astype(object).where(values.notna(), None).tolist()
        if isinstance(type_, sa.String):
            found = [one if one is None or isinstance(one, str) else bytes(one).decode() for one in found]
        elif isinstance(type_, sa.Boolean):
            found = [None if one is None else bool(one) for one in found]
        return pd.Series(found, dtype=object, name=name)


def _sign(key: Sequence[Any]) -> tuple[str, ...]:
    """A group's key, equal to itself even with NaN."""
    return tuple(map(repr, key))


def _units(sa: Any, units: int, scale: int = 0) -> Any:
    """A decimal in SQL."""
    return sa.literal_column(f"{Decimal(units).scaleb(-scale):f}")


def _number(sa: Any, number: int) -> Any:
    return sa.literal_column(str(number))


def _double(sa: Any, number: float) -> Any:
    """A number in SQL that is exactly this double: its shortest decimal form."""
    return sa.literal_column(f"CAST('{number!r}' AS DOUBLE PRECISION)")


def _scale(sa: Any, type_: Any, *, cents: bool) -> int | None:
    """The decimals of what is sent for a column; None if it is compared as a double."""
    if isinstance(type_, sa.Integer):
        return 2 if cents else 0
    return None if isinstance(type_, sa.Float) else type_.scale


def first_units(number: float, scale: int) -> set[int]:
    """The first whole number of units whose double is not below a number, and the first that is above it.

    A unit is ``10 ** -scale``. Doubles are in the order of what they are nearest to, so all units before the
    first are below the number, and all after it are not. Of a number with too many digits there are none.
    """
    start = int(Decimal(number).scaleb(scale).to_integral_value(ROUND_FLOOR))
    if abs(start) >= 10**MOST_DIGITS:
        return set()
    found = set()
    for reached in (float.__ge__, float.__gt__):
        at = start
        while reached(float(Decimal(at - 1).scaleb(-scale)), number):
            at -= 1
        while not reached(float(Decimal(at).scaleb(-scale)), number):
            at += 1
        found.add(at)
    return found


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
