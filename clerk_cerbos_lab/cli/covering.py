"""The command ``coverage``: what people or test suites exercise of the policies, with an exit code for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clerk_cerbos_lab.cli import arguments
from clerk_cerbos_lab.cli.principals import (
    MappingFile,
    Memberships,
    Policies,
    ProviderName,
    Source,
    UsersFile,
    one_file,
    principals_of,
)
from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from clerk_cerbos_lab.decisions.coverage import Coverage

EXAMPLE: Final = (
    "Examples:  clerk-cerbos-lab coverage --suites --fail-under 80 --cobertura coverage.xml   ·   "
    "clerk-cerbos-lab coverage --kind expense --users data/clerk_users.json --fail-under 80   ·   "
    "add --text for the policies with counts in the margin"
)


def coverage(
    source: Source = None,
    *,
    kind: Annotated[str | None, typer.Option(help="Resource kind, such as expense.", metavar="KIND")] = None,
    file: UsersFile = None,
    memberships: Memberships = None,
    provider: ProviderName = None,
    mapping: MappingFile = None,
    policies: Policies = Path("policies"),
    suites: Annotated[
        bool, typer.Option("--suites", help="Cover by Cerbos's test suites instead of users.")
    ] = False,
    suites_in: Annotated[
        Path | None, typer.Option(help="The same, with suites of another folder.", metavar="FOLDER")
    ] = None,
    action: Annotated[
        list[str] | None, typer.Option(help="One or more actions: approve,view. Default: all.")
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            help="Values of an attribute, as in sweep; default: those that the policies compare it with.",
            metavar="NAME=VALUES",
        ),
    ] = None,
    policy_version: Annotated[str, typer.Option(help="Version of the policies.", metavar="VERSION")] = "",
    scope: Annotated[str, typer.Option(help="Scope of the policies.", metavar="SCOPE")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Evaluate strictly (not with suites).")] = False,
    fail_under: Annotated[
        float | None,
        typer.Option(help="End with exit code 1 if less is covered.", metavar="PERCENT", min=0.0, max=100.0),
    ] = None,
    cobertura: Annotated[
        Path | None, typer.Option(help="Also write a Cobertura XML file.", metavar="FILE")
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Print the policies with counts in the margin.")
    ] = False,
) -> None:
    """Report which rules, derived roles and parts of conditions are exercised, and which are not.

    Covered by Clerk users at the values that the policies of a kind compare attributes with, or with --suites
    by Cerbos's own test suites. Exit code 1: less than --fail-under is covered.
    """
    import clerk_cerbos_lab as lab  # noqa: PLC0415

    by_suites = suites or suites_in is not None
    given = arguments.attributes_of(axis, None)
    about_users = [source, file, kind, memberships, action, given, policy_version, scope, strict]
    if by_suites and any(about_users):
        msg = "--suites takes no users, kind, values or --strict: suites have their own"
        raise InputError(msg)
    if not by_suites and kind is None:
        msg = "name a kind (--kind expense), or cover by test suites (--suites)"
        raise InputError(msg)
    with lab.PDP(policies, strict=strict) as pdp:
        if by_suites:
            found = lab.coverage(pdp, suites=True if suites_in is None else suites_in, names=True)
        else:
            people = principals_of(one_file(source, file), memberships, None, provider, mapping)
            found = lab.coverage(
                pdp,
                people,
                kind=kind,
                actions=arguments.names_argument("--action", action),
                attr=given,
                policy_version=policy_version,
                scope=scope,
                names=True,  # your own terminal and files: ids that policies name
            )
    typer.echo(repr(found) if text else _missing(found))
    if cobertura is not None:
        found.to_cobertura(cobertura)
        typer.echo(f"wrote {cobertura}")
    if fail_under is not None and found.percent < fail_under:
        typer.echo(f"{found.percent:.1f} % is less than {fail_under:g} %", err=True)
        raise typer.Exit(1)


def _missing(found: Coverage) -> str:
    """The figures, then what is not covered."""
    from clerk_cerbos_lab.decisions.coverage import COVERED  # noqa: PLC0415
    from clerk_cerbos_lab.display import coverage_text as words  # noqa: PLC0415

    lines = [words.headline(found), *found.notes]
    lines += [
        f"{words.MARKS[one.status]} {words.place(one)}  {words.sentence(one, found.unit)}"
        for one in found.parts
        if one.status != COVERED
    ]
    return "\n".join(lines)
