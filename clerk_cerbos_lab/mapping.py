"""From Clerk users to Cerbos principals, by a mapping that is data."""

from __future__ import annotations

import dataclasses
import math
import unicodedata
import warnings
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.principals import (
    RESERVED,
    SHAREABLE,
    WITHOUT_NULL,
    check_frame,
    checked_roles,
    has_null,
)
from clerk_cerbos_lab.users import User, json_type
from clerk_cerbos_lab.values import MISSING, clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.pdp import PDP

Row = dict[str, str]
"""One line of the report: ``principal``, ``problem``, ``attribute``, ``detail``."""

COLUMNS: Final = ["principal", "problem", "attribute", "detail"]
MISTYPED: Final = "mistyped attribute"
TWICE: Final = "role twice"
_METADATA: Final = "public_metadata."


_FORMS: Final = {"public_metadata.role": str, "public_metadata.roles": list}
"""The form of the roles by the default paths; by any other both are as good."""


class Report(list[Row]):
    """The problems found while users became principals; a frame carries it in ``attrs``."""

    def __deepcopy__(self, memo: object) -> Report:
        return self  # pandas copies attrs with every selection; nothing ever changes a report


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a Clerk user becomes a Cerbos principal. Data: print it, change it, pass it on.

    Paths are dotted and start at Clerk's ``User``: ``public_metadata.role``, ``username``,
    ``private_metadata.level``; ``primary_email_address`` is the address that Clerk means by it.

    Attributes:
        roles: paths of a role name or a list of them; the first that a user has counts.
        default_roles: the roles of a user who has none.
        metadata: ``"*"`` for every key of the public metadata but the roles', or the keys to take;
            each becomes an attribute of the same name.
        profile: attribute name to path, for anything else. Profile fields are personal: nothing of
            them is loaded unless it is named here.
        organization_roles: whether organization roles such as ``org:admin`` join the roles.

    Raises:
        InputError: when a part is not of this form.

    Warns:
        LabWarning: when a path starts at ``unsafe_metadata``, which the user can write.
    """

    roles: tuple[str, ...] = ("public_metadata.role", "public_metadata.roles")
    default_roles: tuple[str, ...] = ("user",)
    metadata: Literal["*"] | tuple[str, ...] = "*"
    profile: dict[str, str] = field(default_factory=dict)
    organization_roles: bool = False

    def __post_init__(self) -> None:
        for name in ("roles", "default_roles", "metadata"):
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
                msg = f"Mapping.profile can't fill '{attribute}': the principals frame has that column"
                raise InputError(msg)
        unsafe = [p for p in (*self.roles, *self.profile.values()) if p.startswith("unsafe_metadata")]
        if unsafe:
            warnings.warn(
                f"the mapping reads {', '.join(unsafe)}: users can write their own unsafe_metadata, so "
                "a decision that rests on it is theirs to make",
                LabWarning,
                stacklevel=3,
            )

    def paths(self) -> tuple[str, ...]:
        """What a user must keep beside the public metadata."""
        wanted = [*self.roles, *self.profile.values()]
        return tuple(dict.fromkeys(path for path in wanted if not path.startswith(_METADATA)))

    def rows(self) -> list[tuple[str, str]]:
        """What becomes of a user, one line a part."""
        taken = "every other key of public_metadata" if self.metadata == "*" else ""
        taken = taken or ", ".join(f"public_metadata.{key}" for key in self.metadata) or "none"
        organizations = "joined, as org:admin" if self.organization_roles else "left out"
        return [
            ("id", "id"),
            ("roles", f"{', else '.join(self.roles)}, else {list(self.default_roles)}"),
            ("organization roles", organizations),
            ("attributes", taken),
            *((f"attribute {name}", path) for name, path in self.profile.items()),
        ]

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  ←  {what}" for name, what in rows)

    def _repr_html_(self) -> str:
        style = "text-align:left;padding:3px 12px 3px 0;vertical-align:top"
        rows = "".join(
            f'<tr><th scope="row" style="{style}">{escape(name)}</th>'
            f'<td style="{style}">← <code>{escape(what)}</code></td></tr>'
            for name, what in self.rows()
        )
        return f'<table style="border-collapse:collapse">{rows}</table>'


def to_principals(users: Sequence[User], mapping: Mapping | None = None) -> pd.DataFrame:
    """Turn users into a principals frame, by the mapping.

    Args:
        users: as ``lab.load_users`` gives them, loaded with the same mapping.
        mapping: default: ``Mapping()``.

    Returns:
        A DataFrame with ``id``, ``roles`` and a column of dtype object for each attribute, in the
        order they are first met; ``lab.MISSING`` where a user does not have it. ``attrs`` hold the
        mapping, the report that ``lab.problems`` shows, and which columns may be shared: those of public
        metadata, none that ``profile`` fills (see ``lab.shareable``).
    """
    plan = mapping or Mapping()
    if isinstance(users, str) or not all(isinstance(user, User) for user in users):
        msg = "to_principals takes a list of lab.User, as lab.load_users gives it"
        raise InputError(msg)
    report = Report()
    rows: list[dict[str, Any]] = []
    for user in users:
        row = {"id": user.id, "roles": _roles(user, plan, report)}
        row |= dict(_attributes(user, plan, report))
        report.extend(_line(user, "not as Clerk describes a user", "", note) for note in user.odd)
        report.extend(_line(user, flag, "", "Clerk gives this user no session") for flag in _flags(user))
        rows.append(row)
    names = dict.fromkeys([*RESERVED, *(name for row in rows for name in row)])
    frame = pd.DataFrame(
        {name: pd.Series([row.get(name, MISSING) for row in rows], dtype=object) for name in names}
    )
    report.extend(_against_others(frame, personal=set(plan.profile)))
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
            detail = f"{path} names other roles than the path before it, which counts"
            report.append(_line(user, "two sources of roles", "roles", detail))
    if found is None:
        found = plan.default_roles
        if any(_value(user, path) is not MISSING for path in plan.roles):
            detail = f"no usable role: taken as {list(found)}"
        else:
            detail = f"no role in the metadata: taken as {list(found)}"
        report.append(_line(user, "no role", "roles", detail))
    both = [role for role in user.organization_roles if role in found]
    if both:
        detail = f"{', '.join(both)} also from an organization: taken once"
        report.append(_line(user, TWICE, "roles", detail))
    return tuple(dict.fromkeys((*found, *user.organization_roles)))


def _role_names(user: User, path: str, value: object, report: Report) -> tuple[str, ...] | None:
    """The role names at a path, or None where there is none that Cerbos would take."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        detail = f"{path} is {json_type(value)}, not a role name or a list of them"
        report.append(_line(user, "mistyped role", "roles", detail))
        return None
    if not isinstance(value, _FORMS.get(path, object)):
        detail = f"{path} is {json_type(value)}; read as such, but others may read it otherwise"
        report.append(_line(user, "role in the other form", "roles", detail))
    blank = [name for name in names if not name.strip()]
    if blank or not names:
        detail = f"{path} is empty" if not names else f"{path} holds an empty role name: left out"
        report.append(_line(user, "empty role", "roles", detail))
        names = [name for name in names if name.strip()]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        detail = f"{path} names {', '.join(twice)} more than once: taken once"
        report.append(_line(user, TWICE, "roles", detail))
    return tuple(dict.fromkeys(names)) or None


def _value(user: User, path: str) -> Any:
    """The value at a path of a user, or MISSING."""
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
                f"public_metadata.{name} is no attribute: the frame has that column; name it anew with "
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
            detail = f"{json_type(value)} that Cerbos can't hold: left out"
            report.append(_line(user, "can't be sent", name, detail))
            continue
        yield name, sendable


# -- against the others -----------------------------------------------------------------------

USUAL: Final = 0.8
"""A type is usual for an attribute when at least this share of its holders has it."""

HELD: Final = 0.5
"""An attribute is expected of everybody when at least this share of all has it."""

FEW: Final = 12
"""Up to so many common values an attribute is taken for a choice among them."""


def _holders(frame: pd.DataFrame, name: str) -> list[tuple[str, Any]]:
    pairs = zip(frame["id"].tolist(), frame[name].tolist(), strict=True)
    return [(own, value) for own, value in pairs if not is_missing(value)]


def is_missing(value: object) -> bool:
    """Whether a principals frame says by the value that there is none; pandas has more than one way."""
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
                detail = f"{json_type(value)}, where {count} of the {len(holders)} who have it hold {usual}"
                yield _row(own, MISTYPED, name, detail)


def _odd_values(frame: pd.DataFrame, personal: set[str]) -> Iterator[Row]:
    """Values that stand alone where everybody else chooses among a few."""
    columns = {name: _holders(frame, name) for name in _attribute_names(frame) if name not in personal}
    pairs = zip(frame["id"].tolist(), frame["roles"].tolist(), strict=True)
    columns["roles"] = [(own, role) for own, roles in pairs for role in roles]
    for name, holders in columns.items():
        texts = [(own, value) for own, value in holders if isinstance(value, str)]
        counts = Counter(value for _, value in texts)
        common = sorted(value for value, count in counts.items() if count > 1)
        if not common or len(common) > FEW or len(counts) - len(common) > len(common) + 2:
            continue
        for own, value in texts:
            if counts[value] == 1:
                twin = any(_folded(c) == _folded(value) for c in common)
                but = "; but for case or spaces it is one of theirs" if twin else ""
                detail = f"nobody else has this value, the others share {len(common)}{but}"
                yield _row(own, "unusual value", name, detail)


def _odd_numbers(frame: pd.DataFrame) -> Iterator[Row]:
    """Numbers below zero where (almost) nobody else has one."""
    for name in _attribute_names(frame):
        numbers = [(own, value) for own, value in _holders(frame, name) if json_type(value) == "a number"]
        below = [own for own, value in numbers if value < 0]
        if len(below) <= (1 - USUAL) * len(numbers):
            for own in below:
                detail = f"below 0, where {len(numbers) - len(below)} of the {len(numbers)} numbers are not"
                yield _row(own, "unusual value", name, detail)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _unlike_others(frame: pd.DataFrame) -> Iterator[Row]:
    for name in _attribute_names(frame):
        present = {own for own, _ in _holders(frame, name)}
        if len(present) < HELD * len(frame):
            continue
        for own in frame["id"].tolist():
            if own not in present:
                detail = f"{len(present)} of the {len(frame)} principals have it"
                yield _row(own, "missing attribute", name, detail)


def _unlike_policies(frame: pd.DataFrame, types: dict[str, str], lines: list[Row]) -> list[Row]:
    """Values of another type than the policies compare them with; known ones are told more of."""
    known = {(line["principal"], line["attribute"]): line for line in lines if line["problem"] == MISTYPED}
    found = []
    for name, wanted in types.items():
        for own, value in _holders(frame, name) if name in frame else ():
            if json_type(value) == wanted:
                continue
            if (own, name) in known:
                known[own, name]["detail"] += f"; policies compare it with {wanted}"
            else:
                detail = f"{json_type(value)}, and policies compare it with {wanted}"
                found.append(_row(own, MISTYPED, name, detail))
    return found


def _row(own: str, problem: str, attribute: str, detail: str) -> Row:
    return {"principal": own, "problem": problem, "attribute": attribute, "detail": detail}


def problems(principals: pd.DataFrame, pdp: PDP | None = None) -> pd.DataFrame:
    """What is odd about the principals: nothing of it was dropped or changed silently.

    A missing or mistyped attribute makes Cerbos answer a plain DENY, which looks like a rule's.

    Args:
        principals: a frame from ``lab.load_principals``, or a selection of its rows. Any other
            principals frame, such as one joined with people made up, is looked at afresh, without
            what only Clerk knows of a user, such as ``banned``, and without unusual texts.
        pdp: a PDP whose policies to hold the attributes against, too: an attribute that policies
            read and somebody does not have is then reported even where most do not have it
            (problem ``not set, but read``), one that no policy reads is marked in ``detail``, and a
            value of another type than the policies compare it with is a mistyped attribute, whatever
            the others have (as far as the text of the policies tells, see ``PDP.compared_types``).

    Returns:
        A DataFrame with the columns ``principal`` (id), ``problem``, ``attribute`` and ``detail``,
        in the order of the principals. No profile value stands in it.
    """
    check_frame(principals)
    ids = principals["id"].tolist()
    here = set(ids)
    report = principals.attrs.get("problems")
    if report is None:  # which columns are personal went with it: no value of any is shown
        report = list(_against_others(principals, personal=set(_attribute_names(principals))))
    lines = [dict(line) for line in report if line["principal"] in here]
    if pdp is not None:
        read = {name for row in pdp.policies["principal_attributes"] for name in row}
        for line in lines:
            if line["attribute"] in _attribute_names(principals) and line["attribute"] not in read:
                line["detail"] += "; no policy reads it"
        lines += _unlike_policies(principals, pdp.compared_types(), lines)
        reported = {(line["principal"], line["attribute"]) for line in lines}
        for name in sorted(read):
            held = {own for own, _ in _holders(principals, name)} if name in principals else set()
            lines += [
                _row(own, "not set, but read", name, "policies read it: a condition on it is not met")
                for own in dict.fromkeys(ids)
                if own not in held and (own, name) not in reported
            ]
    order = {own: i for i, own in enumerate(ids)}
    lines.sort(key=lambda line: order[line["principal"]])
    return pd.DataFrame(lines, columns=COLUMNS)
