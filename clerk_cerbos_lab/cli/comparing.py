"""The command ``compare``: who gains and who loses what, between two sets of policies."""

from __future__ import annotations

import contextlib
import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - read by typer
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clerk_cerbos_lab.cli import arguments
from clerk_cerbos_lab.cli.principals import (
    MappingFile,
    Memberships,
    ProviderName,
    UsersFile,
    principals_of,
    with_roles,
)
from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.changes import Changes

EXAMPLE: Final = (
    "Example:  clerk-cerbos-lab compare main:policies policies --users data/clerk_users.json --kind expense "
    "--action approve --axis amount=0:60000:5000 --axis region=northeast,south --attr owner=OTHER "
    "--attr status=OPEN --fail-on lost   ·   exit code 1 if --fail-on is met, 2 after an error"
)

CHANGED: Final = 1
"""The exit code if what ``--fail-on`` names has happened, as ``diff`` has it; 2 is for errors."""


class Form(StrEnum):
    """How a comparison is printed."""

    PLAN = "plan"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class Side(StrEnum):
    """One side of a comparison, or both."""

    BEFORE = "before"
    AFTER = "after"
    BOTH = "both"


class Fail(StrEnum):
    """What makes a comparison fail."""

    GAINED = "gained"
    LOST = "lost"
    ANY = "any"


def compare(
    before: Annotated[str, typer.Argument(help="Folder of policies, or a revision: main:policies.")],
    after: Annotated[str, typer.Argument(help="The same, after the change.")],
    *,
    kind: Annotated[str, typer.Option(help="Resource kind, such as expense.", metavar="KIND")],
    file: UsersFile = None,
    memberships: Memberships = None,
    provider: ProviderName = None,
    mapping: MappingFile = None,
    action: Annotated[
        list[str] | None,
        typer.Option(help="One or more actions: approve,view; can be repeated. Default: all."),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="An attribute that varies, as in sweep.", metavar="NAME=VALUES"),
    ] = None,
    attr: Annotated[
        list[str] | None,
        typer.Option(help="An attribute that is fixed, as in sweep.", metavar="NAME=VALUE"),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="Only principals with one of these roles: manager,finance; can be repeated."),
    ] = None,
    fail_on: Annotated[
        Fail | None, typer.Option(help="Exit with code 1 if anybody gains, loses, or either.")
    ] = None,
    strict: Annotated[
        Side | None,
        typer.Option(help="Evaluate strictly before, after, or both: an error in a condition then denies."),
    ] = None,
    before_binary: Annotated[
        Path | None,
        typer.Option(help="Cerbos binary before, if not the installed one.", metavar="FILE"),
    ] = None,
    after_binary: Annotated[
        Path | None, typer.Option(help="Cerbos binary after: another version.", metavar="FILE")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to print the comparison.")] = Form.PLAN,
) -> None:
    """Compare two sets of policies: who gains and who loses what, over which exact amounts.

    The same policies can be compared under two versions of Cerbos, or in lenient and strict evaluation.
    Principals are called by pseudonyms, so that the output can be shared.
    """
    import clerk_cerbos_lab as lab  # noqa: PLC0415
    from clerk_cerbos_lab.display import changes_page, disclosed  # noqa: PLC0415
    from clerk_cerbos_lab.display.changes_text import who_changes  # noqa: PLC0415
    from clerk_cerbos_lab.insights.compare import not_asked, policies_at  # noqa: PLC0415

    attributes = arguments.attributes_of(axis, attr)
    principals = principals_of(file, memberships, None, provider, mapping)
    principals = with_roles(principals, arguments.names_argument("--role", role))
    with contextlib.ExitStack() as opened:
        found = lab.compare(
            policies_at(before, opened, binary=before_binary, strict=strict in {Side.BEFORE, Side.BOTH}),
            policies_at(after, opened, binary=after_binary, strict=strict in {Side.AFTER, Side.BOTH}),
            principals,
            kind,
            actions=arguments.names_argument("--action", action),
            attr=attributes,
        )
    if form is Form.JSON:
        typer.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False))
    elif form is Form.HTML:
        typer.echo(disclosed.in_a_line(found.after), err=True)
        typer.echo(changes_page.page_of(found))
    else:
        typer.echo(repr(found) if form is Form.PLAN else found.to_markdown())
    never = not_asked(found) if found.verdict == "equivalent" and not _is_same(found) else []
    if fail_on is not None and never:
        msg = f"--fail-on {fail_on} can't be told: {' '.join(never)} Name actions, or add --axis and --attr."
        raise InputError(msg)
    happened = {Fail.GAINED: bool(found.gained), Fail.LOST: bool(found.lost), None: False}
    if happened.get(fail_on, bool(found.gained or found.lost)):
        typer.echo(f"--fail-on {fail_on}: {who_changes(found)}", err=True)
        raise typer.Exit(CHANGED)


def _is_same(changes: Changes) -> bool:
    """Whether both sides are the same policies, Cerbos and mode of evaluation."""
    one, other = (
        (side.policy_digest, side.pdp_version, side.evaluation)
        for side in (changes.before.provenance, changes.after.provenance)
    )
    return one == other
