"""The options of commands that ask about principals, and the principals that they name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from clerk_cerbos_lab.identity.mapping import Mapping

Policies = Annotated[Path, typer.Option(help="Folder of Cerbos policies.", metavar="FOLDER")]

Source = Annotated[
    Path | None,
    typer.Argument(
        help="JSON file of users of Clerk, Auth0, Okta or WorkOS; without it, the API is asked, Clerk's with "
        "CLERK_SECRET_KEY.",
        metavar="[FILE]",
        show_default=False,
    ),
]

UsersFile = Annotated[
    Path | None,
    typer.Option("--users", help="The same file as an option.", metavar="FILE", show_default=False),
]

Memberships = Annotated[
    Path | None,
    typer.Option(
        help="File of organization memberships, or of Auth0's roles or Okta's groups with their users.",
        metavar="FILE",
    ),
]

ProviderName = Annotated[
    str | None,
    typer.Option(
        "--provider",
        help="clerk, auth0, okta, workos or workos-directory; default: the mapping's, else recognised.",
        metavar="NAME",
        show_default=False,
    ),
]

MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", help="The mapping, a file of lab.Mapping.to_json().", metavar="FILE"),
]


def one_file(argument: Path | None, option: Path | None) -> Path | None:
    """The file of users, from the argument or the option."""
    if argument is not None and option is not None:
        msg = f"the file of users is given twice: {argument} and --users {option}"
        raise InputError(msg)
    return option if argument is None else argument


def with_roles(principals: pd.DataFrame, roles: Sequence[str] | None) -> pd.DataFrame:
    """The principals with one of the roles; everybody if no role is named."""
    if not roles:
        return principals
    held = sorted({name for own in principals["roles"] for name in own})
    unknown = sorted(set(roles) - set(held))
    if unknown:
        msg = f"nobody has the role {', '.join(unknown)}; available: {', '.join(held)}"
        raise InputError(msg)
    return principals[[bool(set(roles) & set(own)) for own in principals["roles"]]]


def principals_of(
    source: Path | None,
    memberships: Path | None,
    profile: Sequence[str] | None,
    provider: str | None = None,
    mapping: Path | None = None,
) -> pd.DataFrame:
    """The principals in a file of users, or of a provider's API."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415

    name: Any = provider  # checked by what takes it
    plan = lab.Mapping.from_json(mapping) if mapping else None
    fields = _fields(profile)
    if fields:
        plan = plan or lab.Mapping(provider=name or "clerk")
        plan = dataclasses.replace(plan, profile={**plan.profile, **fields})
    if memberships is not None and (plan.provider if plan else name) in {None, "clerk"}:
        plan = _with_organizations(source, plan)
    return lab.load_principals(source, provider=name, mapping=plan, memberships=memberships)


def _fields(profile: Sequence[str] | None) -> dict[str, str]:
    """The attributes and paths of --profile."""
    fields = {}
    for text in profile or ():
        name, found, path = text.partition("=")
        if not found or not name or not path:
            msg = f"--profile takes NAME=PATH, such as email=primary_email_address, not '{text}'"
            raise InputError(msg)
        fields[name] = path
    return fields


def _with_organizations(source: Path | None, plan: Mapping | None) -> Mapping | None:
    """Clerk's mapping with organization roles; others say themselves what they read of the second file."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415
    from clerk_cerbos_lab.identity.load import provider_in  # noqa: PLC0415

    if plan is None and source is not None and provider_in(source) != "clerk":
        return None
    return dataclasses.replace(plan or lab.Mapping(), organization_roles=True)
