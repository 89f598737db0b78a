"""Past records, such as expenses, from a file or a DataFrame: values as they are sent, and exact money."""

from __future__ import annotations

import datetime
import zoneinfo
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from clerk_cerbos_lab.decisions.replay import Money
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.principals import Column
from clerk_cerbos_lab.identity.tables import read_csv
from clerk_cerbos_lab.values import clean, key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

NO_DATE: Final = "no date"

EXACT: Final = 2**50
"""Whole numbers below it, divided by a power of ten and multiplied by it again, are the same."""

_PLAIN: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"

MOST_MINOR: Final = 2**62
"""Sums of money are 64-bit whole numbers of the smallest unit."""


def read_frame(records: object) -> pd.DataFrame:
    """The records as a frame: text columns for a CSV file, in which ``NA`` and empty fields stay text.

    Args:
        records: a DataFrame, or the path of a CSV or Parquet file.

    Raises:
        InputError: if it is something else, or the file can't be read.
    """
    if isinstance(records, pd.DataFrame):
        frame = records
    elif isinstance(records, (str, Path)):
        frame = _read_file(Path(records))
    else:
        msg = (
            f"records must be a DataFrame, the path of a .csv or .parquet file, or a table "
            f"(lab.sql_table(…)), not a {type(records).__name__}"
        )
        raise InputError(msg)
    if not frame.columns.is_unique or not all(isinstance(name, str) for name in frame.columns):
        msg = "the columns of the records must be different strings"
        raise InputError(msg)
    if frame.empty:
        msg = "there are no records"
        raise InputError(msg)
    return frame.reset_index(drop=True)


def _read_file(path: Path) -> pd.DataFrame:
    if path.suffix.lower() not in {".csv", ".parquet"}:
        log = path.suffix.lower() in {".log", ".jsonl", ".ndjson"}
        hint = "; a decision log of Cerbos is for lab.replay_log" if log else ""
        msg = f"'{path.name}': records are read from .csv and .parquet files, or from a DataFrame{hint}"
        raise InputError(msg)
    try:
        if path.suffix.lower() == ".parquet":
            return pd.DataFrame(pd.read_parquet(path))
        return read_csv(path)
    except FileNotFoundError:
        msg = f"there is no file '{path}'"
        raise InputError(msg) from None
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"'{path.name}' can't be read: {error}"
        raise InputError(msg) from None


def column_of(frame: pd.DataFrame, name: str, what: str) -> pd.Series[Any]:
    """A column of the records.

    Raises:
        InputError: if there is none of this name.
    """
    if name not in frame.columns:
        absent(name, frame.columns.tolist(), f" ({what})")
    return frame[name]


def absent(name: str, known: Sequence[str], what: str = "") -> NoReturn:
    """Raise ``InputError``: the records have no such column."""
    near = did_you_mean(name, list(known))
    msg = f"the records have no column '{name}'{what}{near}; their columns are {list(known)}"
    if len(known) == 1 and (found := next((one for one in ";\t|" if one in known[0]), None)):
        how = f"pandas.read_csv(…, sep={found!r}, dtype=str)"
        msg += f". The columns of this file seem to be separated by {found!r}: give {how}"
    raise InputError(msg)


def values_of(series: pd.Series[Any], *, number: bool, nulls: Any) -> Column:
    """A column as it is sent.

    Args:
        series: the column.
        number: whether the policies compare it with numbers: then texts are read as numbers.
        nulls: what is sent where a value is missing: None or ``MISSING``.

    Raises:
        InputError: for a value that can't be sent, with its row.
    """
    if number and (quick := _quickly(series)) is not None:
        numbers, different = pd.factorize(quick[0])
        return Column(numbers.astype(np.intp), tuple(different.tolist()))
    codes, given = _different(series)
    _check_offsets(series, given)
    sent = _each(series, codes, given, _number if number else clean)
    if (codes < 0).any():
        sent.append(nulls)
    found: dict[str, int] = {}
    places = np.array([found.setdefault(key(value), len(found)) for value in sent], dtype=np.intp)
    values = dict(zip(places[::-1].tolist(), reversed(sent), strict=True))
    return Column(places[codes], tuple(values[place] for place in range(len(found))))


def _quickly(series: pd.Series[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], int] | None:
    """Numbers with at most 15 digits: as doubles, and as whole numbers of a unit with so many decimals.

    None if any value is something else, which is then read one by one.
    """
    if isinstance(series.dtype, pd.StringDtype):
        texts = pa.chunked_array([pa.array(series)]) if series.hasnans else pa.array(series)
        plain = pc.all(pc.match_substring_regex(texts, _PLAIN), skip_nulls=False).as_py()
        if not plain:
            return None
        after = pc.max(pc.utf8_length(pc.replace_substring_regex(texts, r"^[^.]*\.?", ""))).as_py()
        doubles = np.asarray(texts.cast(pa.float64())) + 0.0  # -0.0 is 0.0
        decimals = int(after)
    elif series.dtype.kind in "iu" and isinstance(series.dtype, np.dtype):
        doubles, decimals = series.to_numpy().astype(np.float64), 0
    elif series.dtype == np.float64:
        doubles = series.to_numpy() + 0.0
        every = range(7)
        fits = (d for d in every if np.array_equal(np.round(doubles * 10**d) / 10**d, doubles))
        decimals = next(fits, -1)
    else:
        return None
    if decimals < 0 or decimals > len("000000") or not (np.abs(doubles) * 10**decimals < EXACT).all():
        return None
    return doubles, np.round(doubles * 10**decimals).astype(np.int64), decimals


def _each(
    series: pd.Series[Any],
    codes: npt.NDArray[np.intp],
    different: list[Any],
    read: Callable[[Any, str], Any],
) -> list[Any]:
    """What each different value means; the row is only looked for in case of an error."""
    found = []
    for code, value in enumerate(different):
        try:
            found.append(read(_plain(value), ""))
        except InputError:
            read(_plain(value), f"row {int(np.argmax(codes == code)) + 1} of column '{series.name}'")
            raise
    return found


def _different(series: pd.Series[Any]) -> tuple[npt.NDArray[np.intp], list[Any]]:
    try:
        codes, different = pd.factorize(series)
    except TypeError:  # lists or maps
        numbers: dict[str, int] = {}
        some: list[Any] = []
        codes = np.empty(len(series), dtype=np.intp)
        for row, value in enumerate(series.tolist()):
            plain = _plain(value)
            sign = key(clean(plain, f"row {row + 1} of column '{series.name}'"))
            codes[row] = numbers.setdefault(sign, len(numbers))
            if codes[row] == len(some):
                some.append(plain)
        return codes, some
    return codes.astype(np.intp), list(different.tolist())


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, (datetime.date, pd.Timestamp)) else value


def _check_offsets(series: pd.Series[Any], different: Sequence[object]) -> None:
    """Raise ``InputError`` for times that are to be sent and do not say where they are."""
    for value in different:
        if isinstance(value, datetime.datetime) and value.tzinfo is None:
            msg = (
                f"the column '{series.name}' has times without an offset from UTC, such as "
                f"{value.isoformat()}, which no policy reads as times: give them one, such as with "
                ".dt.tz_localize('UTC')"
            )
            raise InputError(msg)


def _number(value: object, where: str) -> Any:
    """A number as it is sent: the double nearest to a decimal with at most 15 digits."""
    exact = decimal_of(value, where)
    if exact == exact.to_integral_value():
        return clean(int(exact), where)
    sent = float(exact)
    if Decimal(repr(sent)) != exact:
        msg = f"{where}: {exact} has more digits than a number that is sent to Cerbos can have"
        raise InputError(msg)
    return sent


def decimal_of(value: object, where: str) -> Decimal:
    """An amount exactly as it is written.

    Raises:
        InputError: if it is not a finite decimal number.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
            raise InvalidOperation  # noqa: TRY301 - the same error as for a text that is no number
        exact = Decimal(
            value if isinstance(value, (int, str)) else repr(value) if isinstance(value, float) else value
        )
        if not exact.is_finite() or (isinstance(value, str) and ("_" in value or value != value.strip())):
            raise InvalidOperation  # noqa: TRY301
    except InvalidOperation:
        given = "empty" if value == "" else f"{value!r}, which is not a number"
        msg = f"{where} is {given}: an amount is written as 1234.50"
        raise InputError(msg) from None
    return exact


def _cents(value: object, where: str) -> Decimal:
    exact = decimal_of(value, where)
    if exact != exact.to_integral_value():
        msg = f"{where}: {exact} is not a whole number of cents"
        raise InputError(msg)
    return exact.scaleb(-2)


def money_of(series: pd.Series[Any], currency: pd.Series[Any] | None, *, cents: bool) -> Money:
    """The amounts, for sums that are exact.

    Args:
        series: of the records.
        currency: of the records, if they have any.
        cents: whether the amounts are whole cents.

    Raises:
        InputError: for an amount that is missing or no number, for several currencies, or if a sum could
            be too large.
    """
    quick = _quickly(series)
    if quick is not None and not cents:
        _, minor, decimals = quick
        if int(np.abs(minor).max()) * len(minor) < MOST_MINOR:
            return Money(minor, decimals, _currency(currency))
    codes, different = _different(series)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0)) + 1
        none = f"{int((codes < 0).sum()):,} of {len(codes):,} records have no '{series.name}'"
        msg = f"{none}; the first is row {row}"
        raise InputError(msg)
    exact = _each(series, codes, different, _cents if cents else decimal_of)
    decimals = max(2 if cents else 0, *(-int(one.normalize().as_tuple().exponent) for one in exact))
    whole = [int(one.scaleb(decimals)) for one in exact]
    if max(map(abs, whole)) * len(codes) >= MOST_MINOR:
        largest = f"the largest is {max(exact, key=abs)}, and one has {decimals} decimals"
        msg = f"the amounts in '{series.name}' can't be added exactly: {largest}"
        raise InputError(msg)
    return Money(np.array(whole, dtype=np.int64)[codes], decimals, _currency(currency))


def _currency(series: pd.Series[Any] | None) -> str:
    if series is None:
        return ""
    counts = series.fillna("").astype(str).value_counts()
    if len(counts) > 1:
        told = ", ".join(f"{name or 'none'} {count:,}" for name, count in counts.items())
        msg = (
            f"the records are in {len(counts)} currencies ({told}), which can't be added: "
            f"replay those of one, such as records[records['{series.name}'] == '{counts.index[0]}']"
        )
        raise InputError(msg)
    return str(counts.index[0])


def months_of(series: pd.Series[Any], timezone: str | None) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The month of each record, such as ``2026-04``.

    Args:
        series: dates, or timestamps with an offset from UTC; empty ones are ``no date``.
        timezone: where months begin and end, and where timestamps without an offset are; default: UTC, and
            timestamps need an offset.

    Returns:
        For each record a position, and the months, ascending.

    Raises:
        InputError: for anything else than ISO 8601, a timestamp without an offset, or an unknown time zone.
    """
    try:
        zone = zoneinfo.ZoneInfo(timezone) if timezone else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        msg = f"no time zone '{timezone}'; it is a name such as 'America/New_York'"
        raise InputError(msg) from None
    codes, different = _different(series)
    labels = _each(series, codes, different, partial(_month, zone))
    every = np.array([*labels, NO_DATE], dtype=object)[codes]
    months = sorted(set(every.tolist()), key=lambda month: (month == NO_DATE, month))
    place = {month: n for n, month in enumerate(months)}
    return np.array([place[month] for month in every], dtype=np.intp), months


def _month(zone: datetime.tzinfo | None, value: object, where: str) -> str:
    if value == "":
        return NO_DATE
    try:
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY301, TRY004 - as for a text in another form
        if len(value) == len("2026-04-01"):
            return datetime.date.fromisoformat(value).strftime("%Y-%m")
        at = datetime.datetime.fromisoformat(value)
    except ValueError:
        msg = f"{where} is {value!r}: a date is written as 2026-04-01 or 2026-04-01T09:30:00Z"
        raise InputError(msg) from None
    if at.tzinfo is None:
        if zone is None:
            msg = (
                f"{where} is {value!r}, without an offset from UTC: give timezone=, such as "
                "'America/New_York', to say where it is"
            )
            raise InputError(msg)
        return at.strftime("%Y-%m")
    try:
        return at.astimezone(zone or datetime.UTC).strftime("%Y-%m")
    except OverflowError:
        msg = f"{where} is {value!r}, which is no date in {zone}"
        raise InputError(msg) from None
