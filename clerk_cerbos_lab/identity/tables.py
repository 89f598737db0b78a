"""Principals from a table: a CSV, Parquet or Excel file, a DataFrame, or an export of SCIM users."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.fields import TYPES, is_empty, items_of, type_of, value_of
from clerk_cerbos_lab.identity.principals import (
    RESERVED,
    SHAREABLE,
    WITHOUT_NULL,
    checked_roles,
    has_null,
    read_principals,
)
from clerk_cerbos_lab.identity.quality import ABSENT, MISTYPED, Report, _against_others, _row, is_missing
from clerk_cerbos_lab.values import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clerk_cerbos_lab.identity.quality import Row

ACTIVE: Final = "active"
"""The column that says whether somebody may sign in."""

SCIM: Final = "urn:ietf:params:scim:schemas:core:2.0:User"

ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def principals_from_table(
    table: pd.DataFrame | str | os.PathLike[str],
    /,
    *,
    id: str = "id",  # noqa: A002 - as the column of a principals frame is called
    roles: str | None = "roles",
    separator: str = ";",
    default_roles: Sequence[str] = ("user",),
    types: Mapping[str, str] | None = None,
    attributes: Sequence[str] | Mapping[str, str] | None = None,
    required: Sequence[str] = (),
) -> pd.DataFrame:
    """Principals from a table, one row per person.

    >>> lab.principals_from_table("people.csv", id="employee_id", roles="job", types={"limit": "number"})

    In a CSV file everything is text: ``NA`` is a text, and an empty field is a missing attribute. A column is
    read as numbers if every field is one (``007`` and ``1e5`` are texts), as booleans if every field is
    ``true`` or ``false``, else as text; ``types`` says otherwise.

    Args:
        table: a DataFrame, or the path of a ``.csv``, ``.parquet``, ``.xlsx`` or ``.json`` file; JSON is an
            export of SCIM 2.0 users.
        id: the column of the ids.
        roles: the column of the roles: a list, or a text with ``separator`` between them; None for none.
        separator: between the items of a list that is written as text.
        default_roles: the roles of whoever has none.
        types: by column, ``text``, ``number``, ``boolean``, ``list``, or ``json`` (``"5000"`` is a text, 5000
            a number, ``null`` is null). A field that is something else stays text, and ``lab.problems``
            reports it.
        attributes: the columns to keep, or a dict of attribute name and column; default: all others.
        required: attributes that everybody must have, as in ``lab.Mapping``.

    Returns:
        A principals frame. ``attrs["mapping"]`` says what was read from which column, as which type; all
        attributes count as personal until ``lab.shareable`` declares otherwise.

    Raises:
        InputError: for a file that can't be read or has another form, a column that does not exist, a missing
            or repeated id, or an unknown type; names row and column, but no value.
    """
    frame = read_table(table)
    for name, what in ((id, "the ids"), *([(roles, "the roles")] if roles else [])):
        if name not in frame.columns:
            _absent(name, what, frame)
    wanted = _wanted(frame, attributes, {id, roles, ACTIVE})
    declared = _declared(frame, types)
    default = checked_roles(tuple(default_roles), "default_roles")
    ids = _ids(frame[id])
    report = Report()
    columns: dict[str, list[Any]] = {"id": list(ids), "roles": []}
    given = frame[roles].tolist() if roles else [None] * len(frame)
    for own, value in zip(ids, given, strict=True):
        found, why = _roles(value, separator)
        columns["roles"].append(found or default)
        if why:
            report.append(_row(own, "no role", "roles", f"{why}: treated as {', '.join(default)}"))
    read_as: dict[str, str] = {}
    for name, column in wanted.items():
        type_ = read_as[name] = declared.get(column) or type_of(frame[column])
        columns[name] = [value_of(value, type_, separator) for value in frame[column].tolist()]
        for own, value in zip(ids, columns[name], strict=True):
            if column in declared and isinstance(value, str) and type_ not in {"text", "json"}:
                report.append(_row(own, MISTYPED, name, f"a text, where the table is said to have {type_}s"))
    made = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    read_principals(made)
    report.extend(_row(own, "inactive", "", "the directory says so") for own in _inactive(frame, ids))
    report.extend(_required(made, required))
    known = {(line["principal"], line["attribute"]) for line in report}
    report.extend(
        line
        for line in _against_others(made, personal=set())
        if (line["principal"], line["attribute"]) not in known
    )
    order = {own: row for row, own in enumerate(ids)}
    report.sort(key=lambda line: order[line["principal"]])
    made.attrs["mapping"] = {
        "table": "a DataFrame" if isinstance(table, pd.DataFrame) else Path(table).name,
        "id": id,
        "roles": roles,
        "default_roles": list(default),
        "attributes": {name: f"{column} ({read_as[name]})" for name, column in wanted.items()},
        "required": list(required),
    }
    made.attrs["problems"] = report
    made.attrs[SHAREABLE] = []
    made.attrs[WITHOUT_NULL] = [name for name in wanted if not any(map(has_null, made[name]))]
    return made


def _absent(name: str, what: str, frame: pd.DataFrame) -> NoReturn:
    names = list(map(str, frame.columns))
    msg = (
        f"the table has no column '{name}' ({what}){did_you_mean(str(name), names)}; its columns are {names}"
    )
    raise InputError(msg)


def _wanted(
    frame: pd.DataFrame, attributes: Sequence[str] | Mapping[str, str] | None, taken: set[str | None]
) -> dict[str, str]:
    """By attribute, its column."""
    if attributes is None:
        return {str(name): name for name in frame.columns if name not in taken and name not in RESERVED}
    if isinstance(attributes, str):
        msg = f"attributes must be a list of columns or a dict, not the text '{attributes}'"
        raise InputError(msg)
    wanted = dict(attributes) if isinstance(attributes, Mapping) else {name: name for name in attributes}
    for name, column in wanted.items():
        if name in RESERVED:
            msg = f"attributes can't set '{name}': that is a column of every principals frame"
            raise InputError(msg)
        if column not in frame.columns:
            _absent(column, f"for the attribute '{name}'", frame)
    return wanted


def _declared(frame: pd.DataFrame, types: Mapping[str, str] | None) -> dict[str, str]:
    for column, type_ in (types or {}).items():
        if type_ not in TYPES:
            msg = f"types['{column}'] must be one of {', '.join(TYPES)}, not {type_!r}"
            raise InputError(msg)
        if column not in frame.columns:
            _absent(column, "in types", frame)
    return dict(types or {})


def _ids(series: pd.Series[Any]) -> list[str]:
    found: dict[str, int] = {}
    for row, value in enumerate(series.tolist(), 1):
        if is_empty(value):
            msg = f"row {row} has no id (column '{series.name}')"
            raise InputError(msg)
        own = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(own, str):
            msg = f"row {row}: an id must be a text, not a {type(value).__name__} (column '{series.name}')"
            raise InputError(msg)
        first = found.setdefault(own, row)
        if first != row:
            msg = f"rows {first} and {row} have the same id (column '{series.name}'): keep one of them"
            raise InputError(msg)
    return list(found)


def _roles(value: object, separator: str) -> tuple[tuple[str, ...], str]:
    """The roles in a field, and why there are none."""
    if is_empty(value):
        return (), "no role"
    items = items_of(value, separator)
    if items is None or not all(isinstance(item, str) for item in items):
        return (), "the roles are neither a text nor a list of texts"
    named = tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    return named, "" if named else "no role"


def _required(made: pd.DataFrame, names: Sequence[str]) -> Iterator[Row]:
    for name in names:
        values = made[name].tolist() if name in made else [MISSING] * len(made)
        for own, value in zip(made["id"], values, strict=True):
            if is_missing(value):
                yield _row(own, ABSENT, name, "the mapping requires it")


def _inactive(frame: pd.DataFrame, ids: Sequence[str]) -> Iterator[str]:
    if ACTIVE in frame.columns:
        for own, active in zip(ids, frame[ACTIVE].tolist(), strict=True):
            if active is False or (isinstance(active, str) and active.lower() == "false"):
                yield own


# -- files ----------------------------------------------------------------------------------------


def read_table(table: object) -> pd.DataFrame:
    """A table as a frame; see ``principals_from_table`` for its forms.

    Raises:
        InputError: if it is another form, or can't be read.
    """
    if isinstance(table, pd.DataFrame):
        frame = table.reset_index(drop=True)
    elif isinstance(table, (str, os.PathLike)):
        frame = _read_file(Path(table))
    else:
        msg = f"a table is a DataFrame or the path of a file, not a {type(table).__name__}"
        raise InputError(msg)
    if not frame.columns.is_unique:
        msg = "the table has several columns with the same name"
        raise InputError(msg)
    if frame.empty:
        msg = "the table has no rows"
        raise InputError(msg)
    return frame


def _read_file(path: Path) -> pd.DataFrame:
    readers: dict[str, Callable[[Path], Any]] = {
        ".csv": read_csv,
        ".parquet": pd.read_parquet,
        ".xlsx": _read_excel,
        ".json": _read_scim,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        msg = f"'{path.name}': a table is a {', '.join(readers)} file"
        raise InputError(msg)
    try:
        return pd.DataFrame(reader(path))
    except FileNotFoundError:
        msg = f"there is no file '{path}'"
        raise InputError(msg) from None
    except ImportError as error:
        msg = f"'{path.name}' can't be read: {error}"
        raise InputError(msg) from None
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"'{path.name}' can't be read: {str(error).splitlines()[0]}"
        raise InputError(msg) from None


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file in UTF-8, every field a text."""
    with path.open("rb") as file:
        names = csv.open_csv(file).schema.names
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[]
    )
    parse = csv.ParseOptions(newlines_in_values=True)
    return pd.DataFrame(csv.read_csv(path, convert_options=options, parse_options=parse).to_pandas())


def _read_excel(path: Path) -> pd.DataFrame:
    return pd.read_excel(path, dtype=object, keep_default_na=False, na_values=[])


def _read_scim(path: Path) -> pd.DataFrame:
    """The users of a SCIM 2.0 list response, or of a list of users."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError):
        msg = "it is not JSON, or deeper than anything a directory exports"
        raise ValueError(msg) from None
    listed = data.get("Resources") if isinstance(data, dict) else data
    users = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not users or not all(SCIM in (one.get("schemas") or ()) for one in users):
        msg = (
            f"JSON is read as an export of SCIM users, each with the schema {SCIM}; users of Clerk are for "
            "lab.load_principals"
        )
        raise ValueError(msg)
    total = data.get("totalResults") if isinstance(data, dict) else None
    if isinstance(total, int) and total != len(users):
        msg = f"it has {len(users):,} of {total:,} users: export all pages into one file"
        raise ValueError(msg)
    return pd.DataFrame([_scim_user(one) for one in users], dtype=object)


def _scim_user(user: dict[str, Any]) -> dict[str, Any]:
    """A user as a row: roles are the names of the groups, or the values of ``roles``."""
    named = user.get("roles") or user.get("groups") or ()
    roles = [one.get("display") or one.get("value") if isinstance(one, dict) else one for one in named]
    more = user.get(ENTERPRISE) or {}
    row = {
        "id": user.get("id") or user.get("userName"),
        "roles": [one for one in roles if one],
        "userName": user.get("userName"),
        "externalId": user.get("externalId"),
        ACTIVE: user.get("active", True),
        "title": user.get("title"),
        **{
            name: more.get(name)
            for name in ("employeeNumber", "costCenter", "organization", "division", "department")
        },
        "manager": (more.get("manager") or {}).get("value")
        if isinstance(more.get("manager"), dict)
        else more.get("manager"),
    }
    return {name: MISSING if value is None else value for name, value in row.items()}
