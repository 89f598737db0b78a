"""The query with which a database groups records by what the policies can tell apart.

No condition is evaluated in SQL: numbers are compared with numbers, which means the same in DuckDB,
PostgreSQL and Cerbos. A column of which that is not certain is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.insights.sql_table import SqlTable

MOST_GROUPS: Final = 2_000_000

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

FIRST_YEAR: Final = 1970

LAST_YEAR: Final = 2070
"""Of years between them PostgreSQL looks a month up in a list, which takes a fraction of the time."""

FEW_TEXTS: Final = 4
"""With more, a text is looked for among all of them before it is compared with each."""


_YEARS: Final = range(FIRST_YEAR, LAST_YEAR + 1)


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


class Query:
    """The columns of a query that groups a table.

    Attributes:
        keys: what is grouped by.
        values: what is computed of each group: a function and its argument.
        picked: values of one row of each group, if rows have places.
        rows_have_places: whether PostgreSQL can tell a row by its place, which is compared in no time.
        any_year: whether there are dates outside the years of which PostgreSQL looks months up in a list.
    """

    def __init__(self, table: SqlTable, sa: Any, source: Any) -> None:
        self._sa = sa
        self._table = table
        self._source = source
        self._dialect = table.engine.dialect.name
        self.keys: dict[str, Any] = {}
        self.values: dict[str, tuple[str, Any]] = {}
        self.picked: dict[str, Any] = {}
        self.rows_have_places = False
        self.any_year = False
        self._codes: list[tuple[Any, int]] = []

    def column(self, name: str) -> Any:
        """A column of the table, or of the sample; REAL as doubles, which every driver reads as they are."""
        held = self._source.c[name]
        return self._sa.cast(held, self._sa.Double) if isinstance(held.type, self._sa.REAL) else held

    def read_all(
        self, cuts: Mapping[str, Cut], currency: str | None, date: str | None, timezone: str | None
    ) -> None:
        """Group by everything that is read."""
        for name, cut in cuts.items():
            self._read(name, cut)
        if currency in self._table.columns:
            self.keys["currency"] = self._bytes(currency or "")
        if date is not None:
            self.keys["month"] = self.month(date, timezone)
        if self._codes:
            self.keys["codes"] = self._packed()

    def groups(self, amount: Any) -> Any:
        """The query: for each group its keys, its values, how many rows, how many amounts, and their sum."""
        sa = self._sa
        keys, names = list(self.keys.values()), [name for name, _ in self.values.values()]
        values = [value for _, value in self.values.values()]
        if self.rows_have_places:
            names.append("min")
            values.append(sa.literal_column("ctid"))
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
            self._pick(name, number)
            return
        if isinstance(column.type, sa.String):
            self._text(name, cut)
            return
        if not isinstance(column.type, (sa.Integer, sa.Numeric, sa.Float)):
            self._refuse(name, "it is not known to compare as Cerbos compares it")
        self._pick(name, column)
        exact = not isinstance(column.type, sa.Float)
        if isinstance(column.type, sa.Integer):
            self.values[name + LEAST] = ("min", column)
            self.values[name + MOST] = ("max", column)
        if cut.numbers is None:
            self.keys[name] = column
            return
        null, ends = (column.is_(None), sa.literal_column("0")), self._ends(column, cut)
        scale = _scale(sa, column.type, cents=cut.cents)
        if (
            exact
            and scale is not None
            and self._dialect == "postgresql"
            and not isinstance(column.type, sa.Integer)
        ):
            most = 10 ** (MOST_DIGITS + scale)  # NaN is larger than everything
            ends = [_units(sa, -most, scale), *ends, _units(sa, most + 1, scale)]
            told = sa.literal_column(f"CAST(ARRAY[{', '.join(map(str, ends))}] AS NUMERIC[])")
            place = sa.func.width_bucket(column, told)
            self._key(name, sa.case(null, else_=sa.literal_column("1") + place), 2 + len(ends))
            return
        infinite = []
        if not isinstance(column.type, sa.Integer) and not (exact and self._dialect == "duckdb"):
            limit = _double(sa, LARGEST) if isinstance(column.type, sa.Float) else _units(sa, 10**MOST_DIGITS)
            large = sa.or_(column > limit, column < -limit)  # NaN is larger than everything in both databases
            infinite = [(large, sa.literal_column("1"))]
        place = self._place_of(column, ends, doubles=scale is None)
        code = sa.case(null, *infinite, else_=sa.literal_column("2") + place)
        self._key(name, code, 3 + len(ends))

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

    def _place_of(self, column: Any, ends: Sequence[Any], *, doubles: bool) -> Any:
        """How many of the ends a value has reached or, every second one of doubles, passed."""
        if doubles:
            if not isinstance(column.type, self._sa.Float):  # a decimal of any scale is sent as its double
                column = self._sa.cast(column, self._sa.Double)
            tests = [column <= end if n % 2 else column < end for n, end in enumerate(ends)]
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

    def _pick(self, name: str, column: Any) -> None:
        """Pick one of the values of each group."""
        if self.rows_have_places:
            self.picked[name] = column
        else:
            self.values[name] = ("any_value" if self._dialect == "duckdb" else "min"), column

    def _text(self, name: str, cut: Cut) -> None:
        sa, column, held = self._sa, self.column(name), self._bytes(name)
        if cut.texts is None:
            self.keys[name] = held
            self._pick(name, held)
            return
        self._pick(name, column if self._dialect == "duckdb" else held)
        known = [self._literal(text) for text in sorted(cut.texts)]
        if self._dialect == "postgresql" and len(known) <= MOST_LISTED:
            listed = [(held == one, _number(sa, n + 2)) for n, one in enumerate(known)]
            if len(known) > FEW_TEXTS:
                listed = [(held.in_(known), sa.case(*listed))]
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

    def month(self, name: str, timezone: str | None) -> Any:
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
        if self._dialect == "postgresql" and not self.any_year:
            type_ = "TIMESTAMP" if isinstance(column.type, sa.DateTime) else "DATE"
            starts = (f"'{year}-{month:02}-01'" for year in _YEARS for month in range(1, 13))
            told = sa.literal_column(f"CAST(ARRAY[{', '.join(starts)}] AS {type_}[])")
            return sa.func.width_bucket(at, told) + _number(sa, FIRST_YEAR * 12 - 1)
        if self._dialect == "postgresql":  # as doubles, which is faster than the decimals of EXTRACT
            year, month = sa.func.date_part("year", at), sa.func.date_part("month", at)
            return sa.cast(year * twelve + month, sa.Integer) - one
        return sa.extract("year", at) * twelve + sa.extract("month", at) - one

    def outside(self, month: int | None) -> bool:
        """Whether a month stands for all that is before or after the years of the list."""
        if self._dialect != "postgresql" or self.any_year or month is None:
            return False
        return not FIRST_YEAR * 12 <= month < LAST_YEAR * 12

    def sampled(self, percent: float) -> Any:
        """About this share of the table, in blocks of rows; all of a view."""
        sa = self._sa
        if self._table.table.name in sa.inspect(self._table.engine).get_view_names(self._table.table.schema):
            return self._table.table
        share = f"{min(100.0, percent):.9f}"
        told = sa.literal_column(f"{share} PERCENT" if self._dialect == "duckdb" else share)
        return sa.tablesample(self._table.table, sa.func.system(told))

    def plain(self, name: str, values: Sequence[Any]) -> pd.Series[Any]:
        """The values of a column as Python has them."""
        sa, type_ = self._sa, self.column(name).type
        found = list(values)
        if isinstance(type_, sa.String):
            found = [one if one is None or isinstance(one, str) else bytes(one).decode() for one in found]
        elif isinstance(type_, sa.Boolean):
            found = [None if one is None else bool(one) for one in found]
        return pd.Series(found, dtype=object, name=name)


def _units(sa: Any, units: int, scale: int = 0) -> Any:
    """A decimal in SQL."""
    sign, digits, _ = Decimal(units).as_tuple()
    return sa.literal_column(f"{Decimal((sign, digits, -scale)):f}")  # of all digits, as scaleb is not


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
