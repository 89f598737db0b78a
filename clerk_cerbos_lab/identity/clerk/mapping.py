"""Maps Clerk users to Cerbos principals, by a mapping that is data."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.identity.clerk.users import User
from clerk_cerbos_lab.identity.principals import RESERVED, SHAREABLE, WITHOUT_NULL, checked_roles, has_null
from clerk_cerbos_lab.identity.quality import (
    ABSENT,
    Report,
    _against_others,
    _attribute_names,
    _holders,
    _row,
)
from clerk_cerbos_lab.templates import render
from clerk_cerbos_lab.values import MISSING, clean, json_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.identity.quality import Row

TWICE: Final = "role twice"

_METADATA: Final = "public_metadata."

_FORMS: Final = {"public_metadata.role": str, "public_metadata.roles": list}
"""The type expected at the default role paths; at any other path both types are fine."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a Clerk user becomes a Cerbos principal. It is data: print it, change it, pass it on.

    Paths are dotted and start at Clerk's ``User``: ``public_metadata.role``, ``username``,
    ``private_metadata.level``; ``primary_email_address`` is the address itself.

    Attributes:
        roles: paths of a role name or a list of them; the first that a user has is used.
        default_roles: the roles of a user who has none.
        metadata: ``"*"`` for every key of the public metadata except those of the roles, or the keys to
            use; each becomes an attribute of the same name.
        profile: attribute name to path, for anything else. Profile fields are personal: only those
            named here are loaded.
        organization_roles: whether organization roles such as ``org:admin`` are added to the roles.
        required: attributes that everybody must have: ``lab.problems`` reports who has not, and a DENY
            because one is missing counts as broken data (see ``Decisions.causes``).

    Raises:
        InputError: if a value does not have this form.

    Warns:
        LabWarning: if a path starts at ``unsafe_metadata``, which users can write themselves.
    """

    roles: tuple[str, ...] = ("public_metadata.role", "public_metadata.roles")
    default_roles: tuple[str, ...] = ("user",)
    metadata: Literal["*"] | tuple[str, ...] = "*"
    profile: dict[str, str] = field(default_factory=dict)
    organization_roles: bool = False
    required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("roles", "default_roles", "metadata", "required"):
            value = getattr(self, name)
            if name == "metadata" and value == "*":
                continue
            sequence = isinstance(value, (tuple, list))
            if not sequence or not all(isinstance(v, str) and v for v in value):
                msg = f"Mapping.{name} must be a tuple of non-empty strings, not {value!r}"
                raise InputError(msg)
            object.__setattr__(self, name, tuple(value))
        checked_roles(self.default_roles, "Mapping.default_roles")
        if not isinstance(self.profile, dict):
            msg = f"Mapping.profile must be a dict of attribute names and paths, not {self.profile!r}"
            raise InputError(msg)
        for attribute, path in self.profile.items():
            if not (isinstance(path, str) and path and attribute and isinstance(attribute, str)):
                msg = f"Mapping.profile maps attribute names to paths, not {attribute!r} to {path!r}"
                raise InputError(msg)
            if attribute in RESERVED:
                msg = f"Mapping.profile can't set '{attribute}': that is a column of every principals frame"
                raise InputError(msg)
        unsafe = [p for p in (*self.roles, *self.profile.values()) if p.startswith("unsafe_metadata")]
        if unsafe:
            warnings.warn(
                f"the mapping reads {', '.join(unsafe)}: users can write their own unsafe_metadata, so "
                "they can influence any decision that uses it",
                LabWarning,
                stacklevel=3,
            )

    def paths(self) -> tuple[str, ...]:
        """The paths to keep for each user in addition to the public metadata."""
        wanted = [*self.roles, *self.profile.values()]
        return tuple(dict.fromkeys(path for path in wanted if not path.startswith(_METADATA)))

    def rows(self) -> list[tuple[str, str]]:
        """What each part of a principal is made from, one row per part."""
        taken = "every other key of public_metadata" if self.metadata == "*" else ""
        taken = taken or ", ".join(f"public_metadata.{key}" for key in self.metadata) or "none"
        organizations = "added, such as org:admin" if self.organization_roles else "left out"
        return [
            ("id", "id"),
            ("roles", f"{', else '.join(self.roles)}, else {list(self.default_roles)}"),
            ("organization roles", organizations),
            ("attributes", taken),
            *((f"attribute {name}", path) for name, path in self.profile.items()),
            *([("required", ", ".join(self.required))] if self.required else []),
        ]

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  ←  {what}" for name, what in rows)

    def _repr_html_(self) -> str:
        cell = "text-align:left;padding:3px 12px 3px 0;vertical-align:top"
        return render("mapping.html.j2", rows=self.rows(), cell=cell)


def to_principals(users: Sequence[User], mapping: Mapping | None = None) -> pd.DataFrame:
    """Turn users into a principals frame, by the mapping.

    Args:
        users: as returned by ``lab.load_users``, loaded with the same mapping.
        mapping: default: ``Mapping()``.

    Returns:
        A DataFrame with ``id``, ``roles`` and a column of dtype object for each attribute, in the
        order in which they first occur; ``lab.MISSING`` where a user does not have it. ``attrs`` holds
        the mapping, the report that ``lab.problems`` shows, and which columns may be shared: those from
        public metadata, but none set by ``profile`` (see ``lab.shareable``).
    """
    plan = mapping or Mapping()
    if isinstance(users, str) or not all(isinstance(user, User) for user in users):
        msg = "to_principals needs a list of lab.User, as returned by lab.load_users"
        raise InputError(msg)
    report = Report()
    rows: list[dict[str, Any]] = []
    for user in users:
        row = {"id": user.id, "roles": _roles(user, plan, report)}
        row |= dict(_attributes(user, plan, report))
        report.extend(_line(user, "not as Clerk describes a user", "", note) for note in user.odd)
        report.extend(_line(user, flag, "", "Clerk does not let this user sign in") for flag in _flags(user))
        rows.append(row)
    names = dict.fromkeys([*RESERVED, *(name for row in rows for name in row)])
    frame = pd.DataFrame(
        {name: pd.Series([row.get(name, MISSING) for row in rows], dtype=object) for name in names}
    )
    report.extend(_required(frame, plan.required))
    report.extend(
        line
        for line in _against_others(frame, personal=set(plan.profile))
        if line["problem"] != ABSENT or line["attribute"] not in plan.required
    )
    nobody = [name for name in plan.profile if users and not _holders(frame, name)]
    if nobody:
        paths = ", ".join(f"{name} ({plan.profile[name]})" for name in nobody)
        warnings.warn(
            f"no user has {paths}: is the path right, and were the users loaded with this mapping?",
            LabWarning,
            stacklevel=2,
        )
    order = {own: i for i, own in enumerate(frame["id"])}
    report.sort(key=lambda line: order[line["principal"]])
    frame.attrs["mapping"] = dataclasses.asdict(plan)
    frame.attrs["problems"] = report
    attributes = _attribute_names(frame)
    frame.attrs[SHAREABLE] = [name for name in attributes if name not in plan.profile]
    frame.attrs[WITHOUT_NULL] = [name for name in attributes if not any(map(has_null, frame[name]))]
    return frame


def _required(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[Row]:
    """A line for each principal without an attribute that the mapping requires."""
    for name in names:
        present = {own for own, _ in _holders(frame, name)} if name in frame else set()
        for own in frame["id"].tolist():
            if own not in present:
                yield _row(own, ABSENT, name, "the mapping requires it")


def _flags(user: User) -> Iterator[str]:
    if user.banned:
        yield "banned"
    if user.locked:
        yield "locked"


def _line(user: User, problem: str, attribute: str, detail: str) -> Row:
    return {"principal": user.id, "problem": problem, "attribute": attribute, "detail": detail}


def _roles(user: User, plan: Mapping, report: Report) -> tuple[str, ...]:
    found: tuple[str, ...] | None = None
    for path in plan.roles:
        value = _value(user, path)
        if value is MISSING:
            continue
        roles = _role_names(user, path, value, report)
        if roles is None:
            continue
        if found is None:
            found = roles
        elif set(roles) != set(found):
            detail = f"{path} has other roles than the path before it, which is used"
            report.append(_line(user, "two sources of roles", "roles", detail))
    if found is None:
        found = plan.default_roles
        if any(_value(user, path) is not MISSING for path in plan.roles):
            detail = f"no usable role: treated as {list(found)}"
        else:
            detail = f"no role in the metadata: treated as {list(found)}"
        report.append(_line(user, "no role", "roles", detail))
    both = [role for role in user.organization_roles if role in found]
    if both:
        detail = f"{', '.join(both)} also from an organization: used once"
        report.append(_line(user, TWICE, "roles", detail))
    return tuple(dict.fromkeys((*found, *user.organization_roles)))


def _role_names(user: User, path: str, value: object, report: Report) -> tuple[str, ...] | None:
    """The role names at a path, or None if there are none that Cerbos would accept."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        detail = f"{path} is {json_type(value)}, not a role name or a list of them"
        report.append(_line(user, "mistyped role", "roles", detail))
        return None
    if not isinstance(value, _FORMS.get(path, object)):
        detail = f"{path} is {json_type(value)}; accepted here, but other code may expect the other type"
        report.append(_line(user, "role in the other form", "roles", detail))
    blank = [name for name in names if not name.strip()]
    if blank or not names:
        detail = f"{path} is empty" if not names else f"{path} contains an empty role name: left out"
        report.append(_line(user, "empty role", "roles", detail))
        names = [name for name in names if name.strip()]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        detail = f"{path} lists {', '.join(twice)} more than once: used once"
        report.append(_line(user, TWICE, "roles", detail))
    return tuple(dict.fromkeys(names)) or None


def _value(user: User, path: str) -> Any:
    """A user's value at a path, or MISSING."""
    if not path.startswith(_METADATA):
        return user.fields.get(path, MISSING)
    value: Any = user.public_metadata
    for part in path.removeprefix(_METADATA).split("."):
        if not isinstance(value, dict) or part not in value:
            return MISSING
        value = value[part]
    return value


def _attributes(user: User, plan: Mapping, report: Report) -> Iterator[tuple[str, Any]]:
    role_keys = {path.removeprefix(_METADATA) for path in plan.roles if path.startswith(_METADATA)}
    given: dict[str, Any] = {}
    keys = user.public_metadata if plan.metadata == "*" else plan.metadata
    hidden = role_keys if plan.metadata == "*" else set()
    given |= {
        name: user.public_metadata[name]
        for name in keys
        if name in user.public_metadata and name not in hidden
    }
    for name in RESERVED:
        if name in given:
            detail = (
                f"public_metadata.{name} can't be an attribute: the frame has that column; rename it with "
                f"profile={{'other_name': 'public_metadata.{name}'}}"
            )
            report.append(_line(user, "name taken", name, detail))
            del given[name]
    for name, path in plan.profile.items():
        given[name] = _value(user, path)
    for name, value in given.items():
        if not name:
            detail = "an attribute of public_metadata has an empty name: left out"
            report.append(_line(user, "can't be sent", name, detail))
            continue
        try:
            sendable = value if value is MISSING else clean(value, name)
        except (InputError, RecursionError):
            detail = f"{json_type(value)} that can't be sent to Cerbos: left out"
            report.append(_line(user, "can't be sent", name, detail))
            continue
        yield name, sendable
