"""What was explored as code of an application: identity to principal, and the question to Cerbos."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from clerk_cerbos_lab.decisions.decisions import Decisions
from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.files import write_all
from clerk_cerbos_lab.identity.mapping import Mapping
from clerk_cerbos_lab.identity.principals import RESERVED
from clerk_cerbos_lab.insights.app_sessions import auth0_action, python_session, session
from clerk_cerbos_lab.insights.app_types import python_type, typescript_type
from clerk_cerbos_lab.source_text import render_source
from clerk_cerbos_lab.values import RESOURCE_ID

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from collections.abc import Mapping as Dict

Target = Literal["nextjs", "python"]

TARGETS: Final[tuple[Target, ...]] = get_args(Target)

NPM: Final = ("@cerbos/grpc", "@cerbos/core", "@cerbos/api", "@bufbuild/protobuf")
"""Cerbos's client for Node, its types, and what it expects beside it."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class AppCode:
    """Source files for an application. As the last line of a cell it is shown; ``code[name]`` is one file.

    Attributes:
        target: ``nextjs`` or ``python``.
        files: the text of each file, by name.
        packages: what the application must install, as its package manager names it.
        notes: sentences about where the application differs from what was explored.
    """

    target: Target
    files: Dict[str, str]
    packages: tuple[str, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> str:
        if name not in self.files:
            msg = f"there is no file '{name}'{did_you_mean(name, self.files)}"
            raise InputError(msg)
        return self.files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def write(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write all files into a folder that exists, or none of them; files with these names are replaced.

        Returns:
            Their paths.

        Raises:
            InputError: if there is no such folder.
            OSError: if a file can't be written.
        """
        where = Path(folder)
        if not where.is_dir():
            msg = f"there is no folder '{folder}'"
            raise InputError(msg)
        write_all({where / name: text.encode() for name, text in self.files.items()})
        return [where / name for name in self.files]

    def __repr__(self) -> str:
        install = "npm install" if self.target == "nextjs" else "pip install"
        mark = "//" if self.target == "nextjs" else "#"
        parts = [f"{mark} --- {name}\n{text}" for name, text in self.files.items()]
        end = [f"{mark} {install} {' '.join(self.packages)}", *(f"{mark} {note}" for note in self.notes)]
        return "\n".join([*parts, *end])


def to_code(
    target: Target,
    /,
    *,
    mapping: Mapping | None = None,
    question: Question | Decisions | None = None,
    claims: Dict[str, str] | None = None,
) -> AppCode:
    """The mapping and the question as code of an application, typed, with current names of the SDKs.

    >>> lab.to_code("nextjs", mapping=mapping, question=decisions.question).write("lib")

    The code makes the same principal as the kit: a missing attribute is left out and null is sent as null,
    a role may be a text or a list, empty role names are dropped, whoever has none gets the default roles,
    and numbers stay what they are. JavaScript can't tell an integer above 2⁵³ from the nearest double, nor
    ``NaN`` in a text that the mapping declares JSON from any other text; the kit leaves such values out.

    Args:
        target: ``nextjs``: TypeScript for ``@cerbos/grpc`` and Next.js, with ``@clerk/nextjs`` (the user),
            ``@auth0/nextjs-auth0`` (claims of the session), ``@workos-inc/authkit-nextjs`` (user and
            memberships), or ``jose`` (a verified token of Okta). ``python``: for ``cerbos`` and the
            provider's own client, which reads the user.
        mapping: default: ``Mapping()``.
        question: of a sweep, or its decisions: the kind, the actions and the types of the attributes become
            ``check``; None writes the mapping alone.
        claims: for Auth0 and Okta in Next.js, where a token has what; as for ``lab.claims_to_principal``.

    Returns:
        ``AppCode`` with ``principal`` (the mapping), ``identity`` (the session or the user), ``check`` (the
        question), and for Auth0 ``action.js``, which puts the claims into the token.

    Raises:
        InputError: if there is no such target, or the provider's session has not what the mapping reads.
    """
    if target not in TARGETS:
        msg = f"to_code: no target {target!r}{did_you_mean(str(target), TARGETS)}"
        raise InputError(msg)
    plan = mapping if mapping is not None else Mapping()
    if not isinstance(plan, Mapping):
        msg = f"mapping must be a lab.Mapping, not a {type(mapping).__name__}"
        raise InputError(msg)
    asked = question.question if isinstance(question, Decisions) else question
    if asked is not None and not isinstance(asked, Question):
        msg = f"question must be a lab.Decisions or its question, not a {type(question).__name__}"
        raise InputError(msg)
    if target == "python" and claims is not None:
        msg = "claims= is for Next.js: in Python the provider's own client reads the user"
        raise InputError(msg)
    made = session(plan, claims) if target == "nextjs" else python_session(plan)
    end = "ts" if target == "nextjs" else "py"
    files = {
        f"principal.{end}": render_source(f"principal.{end}.j2", **_principal(plan)),
        f"identity.{end}": render_source(f"{plan.provider}.{end}.j2", **made.values),
    }
    if target == "nextjs" and plan.provider == "auth0":
        files["action.js"] = render_source("auth0_action.js.j2", action=auth0_action(plan, claims))
    if asked is not None:
        files[f"check.{end}"] = render_source(f"check.{end}.j2", **_check(asked, target))
    cerbos = NPM if target == "nextjs" else ("cerbos",)
    return AppCode(target, files, (*cerbos, *made.packages), made.notes)


def _principal(plan: Mapping) -> dict[str, Any]:
    """The values of the templates ``principal``."""
    inside = f"{plan.shape.metadata}."
    hidden = [path.removeprefix(inside) for path in plan.roles if path.startswith(inside)]
    take: Any = plan.metadata
    if take != "*":
        take = [key for key in plan.metadata if key not in RESERVED and key not in plan.profile]
    names = set(plan.profile) | (set(plan.types) if take == "*" else set(take))
    types = {name: kind for name, kind in plan.types.items() if kind != "text" and name in names}
    uses_at = bool(plan.roles or plan.profile)
    return {
        "title": plan.shape.title,
        "id": plan.shape.id,
        "metadata": plan.shape.metadata,
        "roles": list(plan.roles),
        "default_roles": list(plan.default_roles),
        "take": take,
        "left_out": list(dict.fromkeys(["", *RESERVED, *hidden])),
        "profile": plan.profile,
        "organization_roles": plan.organization_roles,
        "added_key": "organization_roles",
        "types": types,
        "used_types": set(types.values()),
        "has_attributes": bool(take or plan.profile),
        "uses_at": uses_at,
        "uses_own": uses_at or bool(take and take != "*"),
        "uses_strip": bool(plan.roles or plan.organization_roles or "list" in types.values()),
    }


def _check(question: Question, target: Target) -> dict[str, Any]:
    """The values of the templates ``check``."""
    values: dict[str, list[Any]] = {axis.name: list(axis.values) for axis in question.axes}
    values |= {name: [value] for name, value in question.fixed.items()}
    values.pop(RESOURCE_ID, None)
    version, scope = question.resource
    own_version, own_scope = question.principal
    if target == "nextjs":
        names = ("policyVersion", "scope")
        kind, optional = typescript_type(values), False
    else:
        names = ("policy_version", "scope")
        kind, optional = python_type(values)
    return {
        "kind": question.kind,
        "actions": list(question.actions),
        "attributes_type": kind,
        "optional": optional,
        "principal_fields": {n: v for n, v in zip(names, (own_version, own_scope), strict=True) if v},
        "resource_fields": {n: v for n, v in zip(names, (version, scope), strict=True) if v},
    }
