"""The principals of a sweep: one row per person in a DataFrame, one frozen object in a request.

Any source that can produce this frame can be swept: Clerk, a directory, a spreadsheet, a person
invented in a notebook cell. Column contract:

- ``id``: the principal's id, a non-empty string;
- ``roles``: a tuple of role names, at least one, no duplicates;
- every other column: an attribute of that name. Missing (``lab.MISSING``, NaN, ``pd.NA``,
  ``NaT``) means that the attribute is left out of the request; ``None`` in a column of dtype
  object is sent as null.

``attrs`` holds plain data (JSON). It survives a copy, a filter, a pickle and Parquet. It is lost where
pandas can't tell which frame's to keep (a merge, a concat of different frames):

- ``shareable``: the columns that are known to hold nothing personal: those from public metadata,
  those set by ``lab.vary``, and those named with ``lab.shareable``. Nothing else is shown without
  ``names=True``.
- ``without_null``: the columns that contain no null. Parquet does not distinguish null from missing:
  in a frame read from a file, ``None`` means missing in these columns and is refused in the
  others.
- ``mapping`` and ``problems``: see ``lab.to_principals``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import pandas as pd

from clerk_cerbos_lab.attribute_names import steps_of, value_at
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.values import MISSING, Relation, clean, key, text, uses_self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

RESERVED = ("id", "roles")

SHAREABLE: Final = "shareable"

WITHOUT_NULL: Final = "without_null"


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal as it is sent in a request.

    Attributes:
        id: ``principal.id`` in the policies.
        roles: the role names, at least one.
        attr: attribute name to value; a missing attribute has no key.
    """

    id: str
    roles: tuple[str, ...]
    attr: Mapping[str, Any]


def check_frame(principals: pd.DataFrame) -> None:
    """Raise ``InputError`` if this is not a principals frame."""
    if not isinstance(principals, pd.DataFrame):
        msg = (
            f"principals must be a DataFrame, not a {type(principals).__name__}; "
            "lab.load_principals returns one, and so does pd.DataFrame([...])"
        )
        raise InputError(msg)
    names = list(principals.columns)
    for needed in RESERVED:
        if needed not in names:
            msg = f"principals has no column '{needed}'; its columns are {names}"
            raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The distinct values of a column.

    Attributes:
        codes: for each row, the position of its value in ``values``.
        values: the values as they are sent; ``MISSING`` if nothing is sent. Two of them may be the
            same for the PDP (two equal lists in the frame).
    """

    codes: npt.NDArray[np.intp]
    values: tuple[Any, ...]


class PrincipalTable(Sequence[Principal]):
    """The principals of a sweep, stored by column: a row becomes a ``Principal`` when it is accessed.

    Attributes:
        ids: one per row.
        id_set: the distinct ids.
        roles: tuples of role names.
        attributes: attribute name to column.
    """

    def __init__(self, ids: list[str], roles: Column, attributes: Mapping[str, Column]) -> None:
        self.ids = ids
        self.id_set = frozenset(ids)
        self.roles = roles
        self.attributes = attributes
        self._inside: dict[str, Column] = {}

    def column(self, name: str) -> Column | None:
        """An attribute, or what is inside maps, by name (see ``attribute_names``); None if there is none."""
        first, *rest = steps_of(name)
        whole = self.attributes.get(first)
        if whole is None or not rest:
            return whole
        if name not in self._inside:
            values = [value_at(value, tuple(rest)) for value in whole.values]
            numbers: dict[str, int] = {}
            codes = np.array([numbers.setdefault(key(v), len(numbers)) for v in values], dtype=np.intp)
            by_number = dict(zip(codes.tolist()[::-1], values[::-1], strict=True))
            self._inside[name] = Column(codes[whole.codes], tuple(by_number[i] for i in range(len(numbers))))
        return self._inside[name]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Principal: ...

    @overload
    def __getitem__(self, row: slice) -> list[Principal]: ...

    def __getitem__(self, row: int | slice) -> Principal | list[Principal]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        values = {name: column.values[column.codes[row]] for name, column in self.attributes.items()}
        return Principal(
            id=self.ids[row],
            roles=self.roles.values[self.roles.codes[row]],
            attr={name: value for name, value in values.items() if value is not MISSING},
        )


def read_principals(principals: pd.DataFrame) -> PrincipalTable:
    """Check a principals frame against its contract and read it by column.

    Raises:
        InputError: if a column is missing, there are no rows, or a value can't be sent; gives the
            row and the column, never the value of an attribute.
    """
    check_frame(principals)
    names = list(principals.columns)
    if not principals.columns.is_unique:
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        msg = f"principals has several columns with the same name: {twice}"
        raise InputError(msg)
    if principals.empty:
        msg = "there are no principals to ask about: the frame has no rows"
        raise InputError(msg)
    people = PrincipalTable(
        ids=_ids(principals["id"].tolist()),
        roles=_column(principals["roles"], _roles),
        attributes={
            name: _column(principals[name], partial(_attribute, _named(name), _nulls(principals, name)))
            for name in names
            if name not in RESERVED
        },
    )
    if "id" not in shareable_columns(principals):
        handed_over.hand_over(people.id_set)
    return people


def _nulls(principals: pd.DataFrame, name: str) -> str:
    """What ``None`` means in a column: ``null``, ``missing``, or ``unknown`` (in a frame from a file)."""
    roles = principals["roles"].tolist()
    if not roles or not all(isinstance(one, np.ndarray) for one in roles):  # Parquet returns tuples as arrays
        return "null"
    return "missing" if name in principals.attrs.get(WITHOUT_NULL, ()) else "unknown"


def _named(name: object) -> str:
    if not isinstance(name, str) or not name:
        msg = f"the column {name!r} can't name an attribute: it must be a non-empty string"
        raise InputError(msg)
    return text(name, "principals: a column's name")


def _column(series: pd.Series[Any], check: Callable[[object, int], Any]) -> Column:
    """Read a column, checking each distinct value once, at the first row that has it."""
    if series.dtype == np.float64 and series.size and np.isfinite(series).all() and (series != 0).all():
        numbers, found = pd.factorize(series.to_numpy())
        return Column(numbers.astype(np.intp), tuple(found.tolist()))  # all of them are sent as they are
    codes, different = _different(series)
    first = np.full(len(different), len(series), dtype=np.intp)
    np.minimum.at(first, codes, np.arange(len(series)))
    order = np.argsort(first)  # so that an error names the first wrong row
    values: list[Any] = [None] * len(different)
    for place in order:
        values[place] = check(different[place], int(first[place]))
    return Column(codes, tuple(values))


def _different(series: pd.Series[Any]) -> tuple[npt.NDArray[np.intp], list[object]]:
    """For each row the position of its value in the list of distinct values; and that list."""
    if series.dtype != object:
        codes, different = pd.factorize(series.array, use_na_sentinel=False)
        if not any(_hides(value) for value in different.tolist()):
            return codes.astype(np.intp), list(different.tolist())
    return _different_objects(series.tolist())


def _different_objects(values: list[object]) -> tuple[npt.NDArray[np.intp], list[object]]:
    """The same for objects: one that occurs in many rows is read once, and hashed where hashing is exact."""
    ids = list(map(id, values))
    objects = dict(zip(ids, values, strict=True))
    codes, found = _by_hash(list(objects.values())) or _one_by_one(list(objects.values()))
    place = dict(zip(objects, codes, strict=True))
    return np.fromiter(map(place.__getitem__, ids), dtype=np.intp, count=len(ids)), found


def _by_hash(values: list[object]) -> tuple[list[int], list[object]] | None:
    places: dict[tuple[type, object], int] = {}  # by type too: 1, 1.0 and True are equal
    try:
        codes = [places.setdefault(pair, len(places)) for pair in zip(map(type, values), values, strict=True)]
    except TypeError:  # a list or a map
        return None
    found = [value for _, value in places]
    return None if any(_hides(value) for value in found) else (codes, found)


def _hides(value: object) -> bool:
    """Whether a value may equal one that policies distinguish from it: 0.0 and -0.0, (1,) and (True,)."""
    if isinstance(value, tuple):
        return not all(type(item) is str for item in value) or bool({"SELF", "OTHER"} & set(value))
    return isinstance(value, float) and value == 0


def _one_by_one(values: list[object]) -> tuple[list[int], list[object]]:
    places: dict[object, int] = {}
    found: list[object] = []
    codes = []
    for value in values:
        place = places.setdefault(_exact(value), len(found))
        if place == len(found):
            found.append(value)
        codes.append(place)
    return codes, found


def _exact(value: object) -> object:
    """A hashable key that differs for any two values that could mean different things."""
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is float:
        return (kind, repr(value))
    if kind is int or kind is bool:
        return (kind, value)
    if kind is tuple and all(type(item) is str for item in value):  # type: ignore[attr-defined]
        return value
    return (kind, id(value))  # a list, a map, …: the frame keeps it alive


def _ids(values: list[object]) -> list[str]:
    if all(type(value) is str for value in values) and "" not in values:
        ids: list[str] = values  # type: ignore[assignment]
        try:
            "".join(ids).encode()
        except UnicodeEncodeError:
            pass  # reported below, with its row
        else:
            return ids
    return [_id(value, row) for row, value in enumerate(values)]


def _id(value: object, row: int) -> str:
    if not isinstance(value, str) or not value:
        msg = f"principals, row {row}: 'id' must be a non-empty string, not {_kind(value)}"
        raise InputError(msg)
    return text(value, f"principals, row {row}: 'id'")


def _roles(value: object, row: int) -> tuple[str, ...]:
    return checked_roles(value, f"principals, row {row}: 'roles'")


def checked_roles(value: object, where: str) -> tuple[str, ...]:
    """The roles of a principal in the form Cerbos accepts: at least one name, no duplicates.

    Args:
        value: a sequence of role names.
        where: what the error message calls it.

    Raises:
        InputError: if Cerbos would refuse them.
    """
    if isinstance(value, str) or not isinstance(value, (tuple, list, np.ndarray)):
        msg = f"{where} must be a tuple of role names such as ('manager',), not {_kind(value)}"
        raise InputError(msg)
    if len(value) == 0:
        msg = f"{where} is empty, and Cerbos refuses a principal without a role"
        raise InputError(msg)
    for role in value:
        if not isinstance(role, str) or not role:
            msg = f"{where} must hold non-empty strings, not {_kind(role)}"
            raise InputError(msg)
    roles = tuple(text(role, where) for role in value)
    for role, count in Counter(roles).items():
        if count > 1:
            msg = f"{where} lists '{role}' {count} times, and Cerbos refuses duplicate roles: keep one"
            raise InputError(msg)
    return roles


def _attribute(name: str, nulls: str, value: object, row: int) -> Any:
    if value is MISSING or (value is None and nulls == "null"):
        return value
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return MISSING
    where = f"principals, row {row}, column '{name}'"
    if nulls != "null" and has_null(value):
        if nulls == "unknown":
            msg = (
                f"{where}: a file does not distinguish null from missing; replace None by lab.MISSING, or, "
                "if it means null, turn the roles into tuples: frame['roles'] = frame['roles'].map(tuple)"
            )
            raise InputError(msg)
        value = _without_null(value)
    cleaned = value if value is MISSING else clean(value, where)
    if isinstance(cleaned, Relation) or uses_self(cleaned):
        msg = f"{where}: lab.SELF and lab.OTHER are for the resource; use the id itself"
        raise InputError(msg)
    return cleaned


def has_null(value: object) -> bool:
    """Whether a value is or contains null, at any depth."""
    if isinstance(value, dict):
        return any(map(has_null, value.values()))
    return value is None or (isinstance(value, (list, tuple, np.ndarray)) and any(map(has_null, value)))


def _without_null(value: object) -> object:
    """A value as it was before it was written to a file, which adds the keys of other rows' maps as null."""
    if value is None:
        return MISSING
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_without_null(item) for item in value]
    return value


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def labels(people: PrincipalTable) -> list[str]:
    """A name for each row: its id and, if several rows have that id, what differs between them.

    ``lab.vary`` keeps the id, so that rules about an id still apply; its rows are then distinguished
    as in ``user_1 region=south``.

    Raises:
        InputError: if two rows are identical.
    """
    if len(people.id_set) == len(people):
        return list(people.ids)
    by_id: dict[str, list[int]] = {}
    for row, person in enumerate(people):
        by_id.setdefault(person.id, []).append(row)
    names = [person.id for person in people]
    for rows in by_id.values():
        if len(rows) == 1:
            continue
        everything = [{"roles": list(people[row].roles), **people[row].attr} for row in rows]
        fields = dict.fromkeys(name for item in everything for name in item)
        differing = [
            name for name in fields if len({key(item.get(name, MISSING)) for item in everything}) > 1
        ]
        seen: dict[str, int] = {}
        for row, item in zip(rows, everything, strict=True):
            parts = [f"{name}={label(item.get(name, MISSING))}" for name in differing]
            names[row] = " ".join([people[row].id, *parts])
            if names[row] in seen:
                msg = (
                    f"principals, rows {seen[names[row]]} and {row} are the same principal with the "
                    "same roles and attributes; keep one"
                )
                raise InputError(msg)
            seen[names[row]] = row
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"two principals would both be labelled '{twice}' in a table: give one of them another id"
        raise InputError(msg)
    return names


def vary(principals: pd.DataFrame, **attributes: Sequence[object]) -> pd.DataFrame:
    """What-if people: each principal once for every combination of the given values.

    Args:
        principals: a principals frame.
        attributes: ``name=[value, …]``, an attribute or ``roles`` (then a list of tuples). An
            attribute that no principal has yet is added. ``lab.MISSING`` removes the attribute.

    Returns:
        A principals frame with ``len(principals)`` times the number of combinations as rows; the
        first name varies slowest. The ids stay the same, so that rules about an id still apply: a
        sweep labels rows with the same id by what differs between them.

    Raises:
        InputError: if a value is not a list or is empty, ``id`` is varied, or ``roles`` can't be sent.
    """
    check_frame(principals)
    if "id" in attributes:
        msg = "lab.vary can't vary 'id': a principal with another id is another principal"
        raise InputError(msg)
    for name, values in attributes.items():
        if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__len__"):
            msg = f"lab.vary: {name} needs a list of values, not {_kind(values)}"
            raise InputError(msg)
        if len(values) == 0:
            msg = f"lab.vary: {name} has no values"
            raise InputError(msg)
    for position, roles in enumerate(attributes.get("roles", ())):
        checked_roles(roles, f"lab.vary: roles[{position}]")
    combinations = list(itertools.product(*attributes.values()))
    rows = principals.iloc[np.arange(len(principals)).repeat(len(combinations))].reset_index(drop=True)
    for position, name in enumerate(attributes):
        column = [combination[position] for combination in combinations] * len(principals)
        rows[name] = pd.Series(column, index=rows.index, dtype=object)
    known = [name for name in rows.attrs.get(SHAREABLE, ()) if name not in attributes]
    rows.attrs[SHAREABLE] = [*known, *(name for name in attributes if name not in RESERVED)]
    whole = [name for name in rows.attrs.get(WITHOUT_NULL, ()) if name not in attributes]
    new = [name for name, values in attributes.items() if not any(map(has_null, values))]
    rows.attrs[WITHOUT_NULL] = [*whole, *(name for name in new if name not in RESERVED)]
    if "problems" in rows.attrs:  # a problem with a value that was replaced no longer exists
        report = rows.attrs["problems"]
        rows.attrs["problems"] = type(report)(line for line in report if line["attribute"] not in attributes)
    return rows


def shareable(principals: pd.DataFrame, /, *columns: str) -> pd.DataFrame:
    """Declare that columns hold nothing personal, so that shared output may show them.

    Otherwise only columns from public metadata or from ``lab.vary`` are shown: the kit can't know what
    a column contains that was joined, computed or typed in.

    Args:
        principals: a principals frame.
        columns: names of attributes; ``"id"`` if the ids do not identify people (names of groups, for
            example): then they are shown instead of pseudonyms.

    Returns:
        A copy with these columns added to those declared before, in its ``attrs``. Copies, selections of
        rows, pickles and Parquet keep that; a merge or concat with another frame does not.

    Raises:
        InputError: if a column does not exist, or no column is given.
    """
    check_frame(principals)
    if not columns:
        msg = "lab.shareable: name the columns that hold nothing personal"
        raise InputError(msg)
    for name in columns:
        if name not in principals.columns or name == "roles":
            near = did_you_mean(str(name), [str(one) for one in principals.columns if one != "roles"])
            what = "roles are always shown" if name == "roles" else f"no column '{name}'{near}"
            msg = f"lab.shareable: {what}"
            raise InputError(msg)
    declared = principals.copy()
    declared.attrs[SHAREABLE] = list(dict.fromkeys([*principals.attrs.get(SHAREABLE, ()), *columns]))
    return declared


def shareable_columns(principals: pd.DataFrame) -> frozenset[str]:
    """The columns that are known to hold nothing personal."""
    declared = principals.attrs.get(SHAREABLE)
    return frozenset(map(str, declared)) if isinstance(declared, (list, tuple)) else frozenset()


def one_principal(row: Mapping[Any, Any] | pd.Series[Any]) -> Principal:
    """One principal from a row of a frame or a dict with ``id``, ``roles`` and attributes."""
    return read_principals(pd.DataFrame([dict(row)], dtype=object))[0]
