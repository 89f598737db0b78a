"""People as any provider describes them, and the principals frame that a mapping makes of them."""

from __future__ import annotations

import dataclasses
import itertools
import re
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.identity.fields import value_of
from clerk_cerbos_lab.identity.principals import RESERVED, SHAREABLE, WITHOUT_NULL, has_null
from clerk_cerbos_lab.identity.quality import (
    ABSENT,
    MISTYPED,
    Report,
    _against_others,
    _attribute_names,
    _holders,
    _row,
)
from clerk_cerbos_lab.values import MISSING, clean, json_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Mapping as Dict

    from clerk_cerbos_lab.identity.mapping import Mapping
    from clerk_cerbos_lab.identity.quality import Row

TWICE: Final = "role twice"

Joined = dict[str, dict[str, list[str]]]
"""By user id, the lists that are not in the user object, by name."""

SEPARATOR: Final = ";"
"""Between the items of an attribute that is declared a list and kept as text."""


@dataclass(frozen=True, slots=True)
class Person:
    """The part of a user that a mapping reads; the rest is dropped while reading.

    Attributes:
        id: the provider's id of the user.
        metadata: the provider's map of attributes.
        fields: the other values that the mapping reads, by path; a path that the user does not have
            has no key.
        added_roles: roles in organizations, if the mapping adds them.
        states: why the user can't sign in, as a problem and its explanation.
        odd: in words, whatever did not match the provider's API description.
    """

    id: str
    metadata: Dict[str, Any] = field(default_factory=dict, repr=False)
    fields: Dict[str, Any] = field(default_factory=dict, repr=False)
    added_roles: tuple[str, ...] = field(default=(), repr=False)
    states: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    odd: tuple[str, ...] = field(default=(), repr=False)


def person_of(
    entry: Dict[str, Any],
    mapping: Mapping,
    *,
    joined: Dict[str, Sequence[str]] | None = None,
    added_roles: Sequence[str] = (),
    states: Sequence[tuple[str, str]] = (),
) -> Person:
    """The part of a provider's user object that a mapping reads.

    Args:
        entry: the decoded JSON object; it must have the provider's id.
        mapping: for this provider.
        joined: the lists that are not in the object, such as ``groups``, by name; one that is empty counts as
            absent.
        added_roles: roles in organizations.
        states: why the user can't sign in.
    """
    shape = mapping.shape
    odd = []
    metadata = entry.get(shape.metadata)
    if not isinstance(metadata, dict):
        if metadata is not None:
            odd.append(f"{shape.metadata} is {json_type(metadata)}, not a map: treated as empty")
        metadata = {}
    kept = {sys.intern(key): value for key, value in metadata.items() if is_text(key)}
    if len(kept) < len(metadata):
        odd.append(f"{shape.metadata} has a key with a lone surrogate, which is not valid Unicode: left out")
    if mapping.metadata != "*":
        wanted = {*mapping.metadata, *_first_steps(mapping)}
        kept = {key: value for key, value in kept.items() if key in wanted}
    fields = {}
    for path in mapping.paths():
        found, value = at(entry, path)
        if found:
            fields[path] = value
    for name, values in (joined or {}).items():
        fields.pop(name, None)
        if values:
            fields[name] = list(values)
    return Person(entry[shape.id], kept, fields, tuple(added_roles), tuple(states), tuple(odd))


def _first_steps(mapping: Mapping) -> Iterator[str]:
    """The keys of the metadata at which its paths into the metadata start."""
    inside = f"{mapping.shape.metadata}."
    for path in (*mapping.roles, *mapping.profile.values()):
        if path.startswith(inside):
            yield path.removeprefix(inside).split(".")[0]


def at(entry: Any, path: str) -> tuple[bool, Any]:
    """Whether a dotted path exists, and its value; a number is a place in a list."""
    value = entry
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value


def is_text(text: str) -> bool:
    """Whether a string is valid Unicode; JSON can hold a lone surrogate, and Cerbos can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def principals_of(people: Sequence[Person], mapping: Mapping, *, stacklevel: int = 2) -> pd.DataFrame:
    """Turn people into a principals frame, by the mapping.

    Args:
        people: of the mapping's provider, read with the same mapping.
        mapping: how each becomes a principal.
        stacklevel: of warnings, as for ``warnings.warn``.

    Returns:
        A DataFrame with ``id``, ``roles`` and a column of dtype object for each attribute, in the
        order in which they first occur; ``lab.MISSING`` where a user does not have it. ``attrs`` holds
        the mapping, the report that ``lab.problems`` shows, and which columns may be shared: those that the
        mapping does not count as personal (see ``lab.shareable``).
    """
    report = Report()
    columns: dict[str, list[Any]] = {name: [] for name in RESERVED}
    same: dict[tuple[str, ...], tuple[str, ...]] = {}  # so that a large list holds equal roles once
    for number, person in enumerate(people):
        roles = _roles(person, mapping, report)
        row = {"id": person.id, "roles": same.setdefault(roles, roles)}
        row |= dict(_attributes(person, mapping, report))
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend(itertools.repeat(MISSING, number - len(column)))
            column.append(value)
        strange = f"not as {mapping.shape.title} describes a user"
        report.extend(_row(person.id, strange, "", note) for note in person.odd)
        report.extend(_row(person.id, problem, "", detail) for problem, detail in person.states)
    for column in columns.values():
        column.extend(itertools.repeat(MISSING, len(people) - len(column)))
    frame = pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in columns.items()})
    report.extend(_required(frame, mapping.required))
    attributes = _attribute_names(frame)
    personal = {name for name in attributes if mapping.is_personal(name)}
    known = {(line["principal"], line["attribute"]) for line in report if line["problem"] == MISTYPED}
    report.extend(
        line
        for line in _against_others(frame, personal=personal)
        if (line["problem"] != ABSENT or line["attribute"] not in mapping.required)
        and (line["problem"] != MISTYPED or (line["principal"], line["attribute"]) not in known)
    )
    nobody = [name for name in mapping.profile if people and not _holders(frame, name)]
    if nobody:
        paths = ", ".join(f"{name} ({mapping.profile[name]})" for name in nobody)
        warnings.warn(
            f"no user has {paths}: is the path right, and were the users loaded with this mapping?",
            LabWarning,
            stacklevel=stacklevel + 1,
        )
    order = {own: i for i, own in enumerate(frame["id"])}
    report.sort(key=lambda line: order[line["principal"]])
    frame.attrs["mapping"] = dataclasses.asdict(mapping)
    frame.attrs["problems"] = report
    frame.attrs[SHAREABLE] = [name for name in attributes if name not in personal]
    frame.attrs[WITHOUT_NULL] = [name for name in attributes if not any(map(has_null, frame[name]))]
    return frame


def _required(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Row]:
    """A line for each principal without an attribute that the mapping requires."""
    for name in names:
        present = {own for own, _ in _holders(frame, name)} if name in frame else set()
        for own in frame["id"].tolist():
            if own not in present:
                yield _row(own, ABSENT, name, "the mapping requires it")


def _roles(person: Person, mapping: Mapping, report: Report) -> tuple[str, ...]:
    found: tuple[str, ...] | None = None
    for path in mapping.roles:
        value = _value(person, path, mapping)
        if value is MISSING:
            continue
        roles = _role_names(person, path, value, mapping, report)
        if roles is None:
            continue
        if found is None:
            found = roles
        elif set(roles) != set(found):
            detail = f"{path} has other roles than the path before it, which is used"
            report.append(_row(person.id, "two sources of roles", "roles", detail))
    if found is None:
        found = mapping.default_roles
        if any(_value(person, path, mapping) is not MISSING for path in mapping.roles):
            detail = f"no usable role: treated as {', '.join(found)}"
        else:
            where = _places(mapping)
            detail = f"no role {where}: treated as {', '.join(found)}"
        if mapping.roles:
            report.append(_row(person.id, "no role", "roles", detail))
    both = [role for role in person.added_roles if role in found]
    if both:
        detail = f"{', '.join(both)} also from an organization: used once"
        report.append(_row(person.id, TWICE, "roles", detail))
    return tuple(dict.fromkeys((*found, *person.added_roles)))


def _places(mapping: Mapping) -> str:
    """Where a role was looked for."""
    if all(path.startswith(f"{mapping.shape.metadata}.") for path in mapping.roles):
        return "in the metadata"
    return f"at {' or '.join(mapping.roles)}"


def _role_names(
    person: Person, path: str, value: object, mapping: Mapping, report: Report
) -> tuple[str, ...] | None:
    """The role names at a path, or None if there are none that Cerbos would accept."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        detail = f"{path} is {json_type(value)}, not a role name or a list of them"
        report.append(_row(person.id, "mistyped role", "roles", detail))
        return None
    if not isinstance(value, mapping.shape.forms.get(path, object)):
        detail = f"{path} is {json_type(value)}; accepted here, but other code may expect the other type"
        report.append(_row(person.id, "role in the other form", "roles", detail))
    if isinstance(value, str) and re.search(r"[,;\[\]]", value):
        detail = f"{path} is a text that looks like a list of roles: used as the name of one role"
        report.append(_row(person.id, "role in the other form", "roles", detail))
    blank = [name for name in names if not name.strip()]
    if blank or not names:
        detail = f"{path} is empty" if not names else f"{path} contains an empty role name: left out"
        report.append(_row(person.id, "empty role", "roles", detail))
        names = [name for name in names if name.strip()]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        detail = f"{path} lists {', '.join(twice)} more than once: used once"
        report.append(_row(person.id, TWICE, "roles", detail))
    return tuple(dict.fromkeys(names)) or None


def _value(person: Person, path: str, mapping: Mapping) -> Any:
    """A user's value at a path, or MISSING."""
    inside = f"{mapping.shape.metadata}."
    if not path.startswith(inside):
        return person.fields.get(path, MISSING)
    found, value = at(person.metadata, path.removeprefix(inside))
    return value if found else MISSING


def _attributes(person: Person, mapping: Mapping, report: Report) -> Iterator[tuple[str, Any]]:
    root = mapping.shape.metadata
    for name, value in _given(person, mapping, report).items():
        if not name:
            detail = f"an attribute of {root} has an empty name: left out"
            report.append(_row(person.id, "can't be sent", name, detail))
            continue
        typed = _typed(person, name, value, mapping, report)
        try:
            sendable = typed if typed is MISSING else clean(typed, name)
        except (InputError, RecursionError):
            detail = f"{json_type(value)} that can't be sent to Cerbos: left out"
            report.append(_row(person.id, "can't be sent", name, detail))
            continue
        yield name, sendable


def _given(person: Person, mapping: Mapping, report: Report) -> dict[str, Any]:
    """The values that the mapping takes, by attribute."""
    root = mapping.shape.metadata
    metadata = person.metadata
    given: dict[str, Any] = {}
    if mapping.metadata == "*":
        role_keys = {path.removeprefix(f"{root}.") for path in mapping.roles if path.startswith(f"{root}.")}
        given |= {name: value for name, value in metadata.items() if name not in role_keys}
    else:
        given |= {name: metadata[name] for name in mapping.metadata if name in metadata}
    for name in RESERVED:
        if name in given:
            detail = (
                f"{root}.{name} can't be an attribute: the frame has that column; rename it with "
                f"profile={{'other_name': '{root}.{name}'}}"
            )
            report.append(_row(person.id, "name taken", name, detail))
            del given[name]
    return given | {name: _value(person, path, mapping) for name, path in mapping.profile.items()}


def _typed(person: Person, name: str, value: Any, mapping: Mapping, report: Report) -> Any:
    """The value as its declared type, if it is a text that is one; otherwise unchanged."""
    declared = mapping.types.get(name)
    if declared is None or not isinstance(value, str) or not value:
        return value
    typed = value_of(value, declared, SEPARATOR)
    if isinstance(typed, str) and declared not in {"text", "json"}:
        detail = f"a text, where the mapping declares a {declared}"
        report.append(_row(person.id, MISTYPED, name, detail))
    return typed
