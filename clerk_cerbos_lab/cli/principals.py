"""The options of commands that ask about principals, and the principals that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

Policies = Annotated[Path, typer.Option(help="Folder of Cerbos policies.", metavar="FOLDER")]

Source = Annotated[
    Path | None,
    typer.Argument(
        help="JSON file of Clerk users; without it, Clerk's API is asked with CLERK_SECRET_KEY.",
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
    typer.Option(help="File of organization memberships, whose roles are added.", metavar="FILE"),
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
    source: Path | None, memberships: Path | None, profile: Sequence[str] | None
) -> pd.DataFrame:
    """The principals in a file of Clerk users, or of Clerk's API."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415

    fields = {}
    for text in profile or ():
        name, found, path = text.partition("=")
        if not found or not name or not path:
            msg = f"--profile takes NAME=PATH, such as email=primary_email_address, not '{text}'"
            raise InputError(msg)
        fields[name] = path
    mapping = lab.Mapping(profile=fields, organization_roles=memberships is not None)
    return lab.load_principals(source, mapping=mapping, memberships=memberships)
