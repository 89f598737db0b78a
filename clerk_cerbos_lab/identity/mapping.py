"""The mapping of users to principals, as data: the same for every provider."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from clerk_cerbos_lab.errors import InputError, LabWarning, did_you_mean
from clerk_cerbos_lab.identity.fields import TYPES
from clerk_cerbos_lab.identity.principals import RESERVED, checked_roles
from clerk_cerbos_lab.identity.shapes import PROVIDERS, SHAPES, Provider, Shape
from clerk_cerbos_lab.templates import render

VERSION: Final = 1
"""The version of a mapping that is stored as JSON."""


class _Default:
    """Stands for the provider's own default until the mapping knows its provider."""

    def __repr__(self) -> str:
        return "the provider's default"


_DEFAULT: Final[Any] = _Default()


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a user becomes a Cerbos principal. It is data: print it, change it, store it, pass it on.

    >>> lab.Mapping.of("okta", profile={"department": "profile.department"}, shareable=("department",))

    Paths are dotted and start in the provider's own user object, as its API lists it: Clerk's
    ``public_metadata.role``, Auth0's ``app_metadata.role``, Okta's ``profile.department``, WorkOS's
    ``metadata.limit``. A number is a place in a list (``identities.0.provider``). Some lists are not in that
    object, but can be read like a path: ``assigned_roles`` (Auth0), ``organization_roles`` (Auth0, WorkOS),
    ``groups`` and ``all_groups`` (Okta), ``group_names`` (WorkOS directory users); for Clerk,
    ``primary_email_address`` is the address itself.

    Attributes:
        roles: paths of a role name or a list of them; the first that a user has is used.
        default_roles: the roles of a user who has none.
        metadata: ``"*"`` for every key of the provider's map of attributes except those of the roles, or the
            keys to use; each becomes an attribute of the same name. The map is Clerk's ``public_metadata``,
            Auth0's ``app_metadata``, Okta's ``profile``, WorkOS's ``metadata`` and a directory user's
            ``custom_attributes``.
        profile: attribute name to path, for anything else. Profile fields are personal: only those
            named here are loaded.
        organization_roles: whether roles in organizations (Clerk's ``org:admin``, Auth0's, WorkOS's) are
            added to the roles.
        required: attributes that everybody must have: ``lab.problems`` reports who has not, and a DENY
            because one is missing counts as broken data (see ``Decisions.causes``).
        provider: ``clerk``, ``auth0``, ``okta``, ``workos`` or ``workos-directory``. What is not given is as
            Cerbos's starter app for this provider maps it.
        types: attribute name to ``number``, ``boolean``, ``list`` or ``json``, for what the provider keeps as
            text, as WorkOS does; see ``lab.principals_from_table``. Other values stay what they are.
        shareable: attributes that hold nothing personal, although they come from ``profile`` or from a map
            that holds personal fields; see ``lab.shareable``.

    Raises:
        InputError: if a value does not have this form.

    Warns:
        LabWarning: if a path starts where users can write: ``unsafe_metadata`` (Clerk), ``user_metadata``
            (Auth0).
    """

    roles: tuple[str, ...] = _DEFAULT
    default_roles: tuple[str, ...] = ("user",)
    metadata: Literal["*"] | tuple[str, ...] = _DEFAULT
    profile: dict[str, str] = _DEFAULT
    organization_roles: bool = False
    required: tuple[str, ...] = ()
    provider: Provider = "clerk"
    types: dict[str, str] = dataclasses.field(default_factory=dict)
    shareable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.provider not in SHAPES:
            near = did_you_mean(str(self.provider), PROVIDERS)
            msg = f"Mapping.provider: no provider {self.provider!r}{near}"
            raise InputError(msg)
        shape = self.shape
        for name, value in (("roles", shape.roles), ("metadata", shape.take), ("profile", shape.profile)):
            if getattr(self, name) is _DEFAULT:
                object.__setattr__(self, name, dict(value) if isinstance(value, dict) else value)
        for name in ("roles", "default_roles", "metadata", "required", "shareable"):
            self._check_texts(name)
        checked_roles(self.default_roles, "Mapping.default_roles")
        self._check_profile()
        self._check_types()
        if not isinstance(self.organization_roles, bool):
            msg = f"Mapping.organization_roles must be True or False, not {self.organization_roles!r}"
            raise InputError(msg)
        if self.organization_roles and not shape.organization_roles:
            msg = f"Mapping.organization_roles: {shape.title} has no list of roles in organizations"
            raise InputError(msg)
        self._check_paths()

    @classmethod
    def of(cls, provider: Provider, /, **parts: Any) -> Self:
        """The mapping of a provider's Cerbos starter app, with parts replaced.

        Raises:
            InputError: if there is no such provider or part, or a part does not have its form.
        """
        names = [part.name for part in dataclasses.fields(cls) if part.name != "provider"]
        for name in parts:
            if name not in names:
                msg = f"Mapping.of: a mapping has no part '{name}'{did_you_mean(name, names)}"
                raise InputError(msg)
        return cls(provider=provider, **parts)

    @property
    def shape(self) -> Shape:
        """Where the provider keeps things."""
        return SHAPES[self.provider]

    def _check_texts(self, name: str) -> None:
        value = getattr(self, name)
        if name == "metadata" and value == "*":
            return
        sequence = isinstance(value, (tuple, list))
        if not sequence or not all(isinstance(v, str) and v for v in value):
            msg = f"Mapping.{name} must be a tuple of non-empty strings, not {value!r}"
            raise InputError(msg)
        object.__setattr__(self, name, tuple(value))

    def _check_profile(self) -> None:
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

    def _check_types(self) -> None:
        if not isinstance(self.types, dict) or not all(isinstance(name, str) for name in self.types):
            msg = f"Mapping.types must be a dict of attribute names and types, not {self.types!r}"
            raise InputError(msg)
        for name, type_ in self.types.items():
            if type_ not in TYPES:
                msg = f"Mapping.types['{name}'] must be one of {', '.join(TYPES)}, not {type_!r}"
                raise InputError(msg)

    def _check_paths(self) -> None:
        """Refuse paths of another provider's users, and warn of what users can write."""
        shape = self.shape
        given = [("roles", path) for path in self.roles]
        given += [("profile", path) for path in self.profile.values()]
        for part, path in given:
            first = path.split(".")[0]
            others = [other.title for other in SHAPES.values() if first in other.maps]
            if others and first not in shape.maps:
                msg = (
                    f"Mapping.{part}: {path} is a path of a user of {others[0]}, not of {shape.title}; "
                    f"lab.Mapping.of('{self.provider}') starts from the defaults for {shape.title}"
                )
                raise InputError(msg)
        unsafe = [path for _, path in given if shape.is_writable(path)]
        if unsafe:
            warnings.warn(
                f"the mapping reads {', '.join(unsafe)}: users can write their own {shape.writable[0]}, so "
                "they can influence any decision that uses it",
                LabWarning,
                stacklevel=4,
            )

    # -- what it reads ----------------------------------------------------------------------------

    def paths(self) -> tuple[str, ...]:
        """The paths to keep for each user in addition to the map of attributes."""
        wanted = [*self.roles, *self.profile.values()]
        inside = f"{self.shape.metadata}."
        return tuple(dict.fromkeys(path for path in wanted if not path.startswith(inside)))

    def joined(self) -> tuple[str, ...]:
        """The lists it reads that are not in the user object, such as ``groups``."""
        named = [path for path in self.paths() if path in self.shape.joined]
        return tuple(named)

    def lists(self) -> tuple[str, ...]:
        """The lists that it needs: those that it reads, and roles in organizations if it adds them."""
        added = ("organization_roles",) if self.organization_roles else ()
        return tuple(dict.fromkeys((*self.joined(), *added)))

    def first_steps(self) -> tuple[str, ...]:
        """The keys of the user object at which what it reads starts."""
        paths = [path for path in (*self.roles, *self.profile.values()) if path not in self.shape.joined]
        steps = [self.shape.metadata] if self.metadata else []
        return tuple(dict.fromkeys([*steps, *(path.split(".")[0] for path in paths)]))

    def is_personal(self, attribute: str) -> bool:
        """Whether an attribute may hold something personal: then it is shown only if asked for."""
        if attribute in self.shareable:
            return False
        return attribute in self.profile or self.shape.personal_metadata

    # -- shown ------------------------------------------------------------------------------------

    def rows(self) -> list[tuple[str, str]]:
        """What each part of a principal is made from, one row per part."""
        shape = self.shape
        personal = " (personal)" if shape.personal_metadata else ""
        taken = f"every other key of {shape.metadata}{personal}" if self.metadata == "*" else ""
        taken = taken or ", ".join(map(self._taken, self.metadata)) or "none"
        default = str(list(self.default_roles))
        found = ", else ".join(map(self._told, self.roles))
        rows = [
            ("provider", shape.title),
            ("id", shape.id),
            ("roles", f"{found}, else {default}" if found else f"{default} for everybody"),
        ]
        if shape.organization_roles and "organization_roles" not in self.roles:
            example = ", such as org:admin" if self.provider == "clerk" else ""
            rows.append(("organization roles", f"added{example}" if self.organization_roles else "left out"))
        rows.append(("attributes", taken))
        for name, path in self.profile.items():
            personal = " (personal)" if self.is_personal(name) else ""
            rows.append((f"attribute {name}", f"{self._told(path)}{personal}"))
        if self.types:
            rows.append(("types", ", ".join(f"{name}: {type_}" for name, type_ in self.types.items())))
        if self.shareable:
            rows.append(("not personal", ", ".join(self.shareable)))
        return [*rows, *([("required", ", ".join(self.required))] if self.required else [])]

    def _taken(self, key: str) -> str:
        return f"{self.shape.metadata}.{key}" + (" (personal)" if self.is_personal(key) else "")

    def _told(self, path: str) -> str:
        if path in self.shape.joined:
            return f"{path} ({self.shape.joined[path]})"
        return f"{path} (users can write it)" if self.shape.is_writable(path) else path

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  ←  {what}" for name, what in rows)

    def _repr_html_(self) -> str:
        cell = "text-align:left;padding:3px 12px 3px 0;vertical-align:top"
        return render("mapping.html.j2", rows=self.rows(), cell=cell)

    # -- stored -----------------------------------------------------------------------------------

    def to_json(self) -> str:
        """The mapping as JSON, with the version of this form; ``from_json`` reads it."""
        parts = {"version": VERSION, "provider": self.provider} | dataclasses.asdict(self)
        return json.dumps(parts, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """A mapping from its JSON, or from a file of it (a ``Path``).

        Parts left out are the provider's default.

        Raises:
            InputError: if it can't be read or is not a mapping in this form; names every part that is wrong.
        """
        where = str(source) if isinstance(source, os.PathLike) else "the stored mapping"
        try:
            text = Path(source).read_bytes() if isinstance(source, os.PathLike) else source
            stored = _Stored.model_validate_json(text)
        except OSError as error:
            msg = f"{where}: can't be read ({error.strerror})"
            raise InputError(msg) from None
        except ValidationError as error:
            msg = f"{where}: {'; '.join(map(_wrong, error.errors(include_url=False)))}"
            raise InputError(msg) from None
        parts = {name: getattr(stored, name) for name in stored.model_fields_set if name != "version"}
        return cls(**parts)


class _Stored(BaseModel):
    """A mapping as it is stored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1]
    provider: Provider
    roles: tuple[str, ...] = ()
    default_roles: tuple[str, ...] = ()
    metadata: Literal["*"] | tuple[str, ...] = ()
    profile: dict[str, str] = {}
    organization_roles: bool = False
    required: tuple[str, ...] = ()
    types: dict[str, str] = {}
    shareable: tuple[str, ...] = ()


def _wrong(error: Any) -> str:
    """One deviation from the stored form, in words."""
    place = [str(part) for part in error["loc"] if not str(part).startswith(("literal[", "tuple["))]
    where = ".".join(place)
    if error["type"] == "extra_forbidden":
        names = [name for name in _Stored.model_fields if name != "version"]
        return f"a mapping has no part '{where}'{did_you_mean(where, names)}"
    if where == "version":
        return f"its version is not {VERSION}, the one that this release reads"
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def mapping_of(given: Mapping | None, provider: Provider | None) -> Mapping:
    """The given mapping, or the default of the provider.

    Raises:
        InputError: if the mapping is for another provider, or is none.
    """
    if given is None:
        return Mapping(provider=provider or "clerk")
    if not isinstance(given, Mapping):
        msg = f"mapping must be a lab.Mapping, not a {type(given).__name__}; lab.Mapping.from_json reads one"
        raise InputError(msg)
    if provider is not None and given.provider != provider:
        asked = SHAPES[provider].title
        msg = (
            f"the mapping is for users of {given.shape.title}, and these are users of {asked}: "
            f"start from lab.Mapping.of('{provider}')"
        )
        raise InputError(msg)
    return given
