"""The command ``gaps``: amounts that nobody, or too few people, may approve."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any, Final

import typer

from clerk_cerbos_lab.cli import arguments
from clerk_cerbos_lab.cli.principals import (
    MappingFile,
    Memberships,
    ProviderName,
    Source,
    UsersFile,
    one_file,
    principals_of,
)
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.formatting import label, number_label

EXAMPLE: Final = (
    "Example:  clerk-cerbos-lab gaps expense --users data/clerk_users.json --action approve "
    "--along amount=0:60000:1000 --by region --axis region=northeast,south --axis owner=SELF,OTHER "
    "--attr status=OPEN   ·   add --at-least 2 for what only one person may approve"
)


def gaps(
    kind: Annotated[str, typer.Argument(help="Resource kind, such as expense.")],
    source: Source = None,
    *,
    action: Annotated[str, typer.Option(help="The action.", metavar="ACTION")],
    along: Annotated[
        str, typer.Option(help="The numeric attribute: NAME=START:STOP:STEP.", metavar="NAME=VALUES")
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="An axis, or an attribute of the principals (principal.NAME if an axis has the same name); "
            "can be repeated.",
            metavar="NAME",
        ),
    ] = None,
    at_least: Annotated[int, typer.Option(help="How many people must be allowed to.", metavar="N")] = 1,
    file: UsersFile = None,
    memberships: Memberships = None,
    provider: ProviderName = None,
    mapping: MappingFile = None,
    policies: Annotated[
        Path | None, typer.Option(help="Folder of Cerbos policies; default: policies.", metavar="FOLDER")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="A running PDP instead, HOST:PORT of its gRPC API.", metavar="HOST:PORT"),
    ] = None,
    axis: Annotated[
        list[str] | None, typer.Option(help="As in sweep: NAME=a,b,c.", metavar="NAME=VALUES")
    ] = None,
    attr: Annotated[list[str] | None, typer.Option(help="As in sweep.", metavar="NAME=VALUE")] = None,
    policy_version: Annotated[str, typer.Option(help="Version of the policies.", metavar="VERSION")] = "",
    scope: Annotated[str, typer.Option(help="Scope of the policies.", metavar="SCOPE")] = "",
    aux_data: Annotated[
        Path | None,
        typer.Option(help="File that holds a JWT for the conditions, as in sweep.", metavar="FILE"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Evaluate strictly.")] = False,
    fail: Annotated[
        bool,
        typer.Option("--fail", help="Exit with 1 if there is a gap between the first and the last amount."),
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the gaps as CSV.", metavar="FILE")] = None,
) -> None:
    """Find the amounts that nobody, or too few people, may approve: exact intervals, whatever the step."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415

    name, amounts = arguments.axis_argument(along)
    attributes = arguments.attributes_of(axis, attr, {name: amounts})
    if address and (policies or strict):
        msg = "--policies and --strict are for a PDP started here; one at an address has its own"
        raise InputError(msg)
    if csv and not csv.absolute().parent.is_dir():
        msg = f"can't write {csv}: the folder does not exist"
        raise InputError(msg)
    principals = principals_of(one_file(source, file), memberships, None, provider, mapping)
    with lab.PDP(address=address) if address else lab.PDP(policies or "policies", strict=strict) as pdp:
        decisions = lab.sweep(
            pdp,
            principals,
            kind,
            actions=[action],
            attr=attributes,
            policy_version=policy_version,
            scope=scope,
            aux_data=arguments.aux_data_argument(aux_data),
        )
    found = decisions.gaps(name, by=by or (), at_least=at_least, names=True)  # your own terminal: ids
    for row in found.to_dict("records"):
        where = ", ".join(f"{one} {label(row[one])}" for one in by or ())
        who = f" (only {', '.join(row['who'])})" if row["who"] else ""
        known = "" if row["exact"] else "; known at the given amounts only"
        typer.echo(f"{where}{': ' if where else ''}{name} {_interval(row)}: {row['gap']}{who}{known}")
    if not len(found):
        typer.echo("no gap")
    if csv:
        found.assign(who=[", ".join(who) for who in found["who"]]).to_csv(csv, index=False)
        typer.echo(f"wrote {len(found):,} gaps to {csv}")
    if fail and ((found["upper"] > min(amounts)) & (found["lower"] < max(amounts))).any():
        raise typer.Exit(1)


def _interval(row: dict[Any, Any]) -> str:
    """An interval in words: ``≤ 0``, ``> 50,000 and ≤ 100,000``."""
    ends = []
    if row["lower"] == row["upper"]:
        return f"= {number_label(row['lower'])}"
    if row["lower"] != float("-inf"):
        ends.append(f"{'≥' if row['lower_closed'] else '>'} {number_label(row['lower'])}")
    if row["upper"] != float("inf"):
        ends.append(f"{'≤' if row['upper_closed'] else '<'} {number_label(row['upper'])}")
    return " and ".join(ends) or "(any)"
