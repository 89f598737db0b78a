"""The command ``why``: one decision, explained."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

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

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE: Final = (
    "Example:  clerk-cerbos-lab why expense --users data/clerk_users.json --principal user_… "
    "--action approve --attr amount=12000 --attr region=south --attr owner=OTHER --attr status=OPEN"
    "   ·   add --json for data"
)


def why(
    kind: Annotated[str, typer.Argument(help="Resource kind, such as expense.")],
    source: Source = None,
    *,
    principal: Annotated[str, typer.Option(help="The principal's id.", metavar="ID")],
    action: Annotated[str, typer.Option(help="The action.", metavar="ACTION")],
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
    attr: Annotated[
        list[str] | None,
        typer.Option(help="An attribute of the resource: NAME=VALUE, as JSON or text.", metavar="NAME=VALUE"),
    ] = None,
    resource_id: Annotated[str, typer.Option(help="The resource's id.", metavar="ID")] = "resource",
    policy_version: Annotated[str, typer.Option(help="Version of the policies.", metavar="VERSION")] = "",
    scope: Annotated[str, typer.Option(help="Scope of the policies.", metavar="SCOPE")] = "",
    aux_data: Annotated[
        Path | None,
        typer.Option(help="File that holds a JWT for the conditions, as in sweep.", metavar="FILE"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Evaluate strictly.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the explanation as JSON.")] = False,
) -> None:
    """Explain one decision: which rule allowed or denied it, and what each part of a condition saw."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415

    attributes = arguments.attributes_of(None, attr)
    if address and (policies or strict):
        msg = "--policies and --strict are for a PDP started here; one at an address has its own"
        raise InputError(msg)
    token = arguments.aux_data_argument(aux_data)
    people = principals_of(one_file(source, file), memberships, None, provider, mapping)
    who = _one_principal(people, principal)
    with lab.PDP(address=address) if address else lab.PDP(policies or "policies", strict=strict) as pdp:
        decisions = lab.sweep(
            pdp,
            who,
            kind,
            actions=[action],
            attr=attributes,
            resource_id=resource_id,
            policy_version=policy_version,
            scope=scope,
            aux_data=token,
            audit=0,
        )
        found = decisions.why(aux_data=token, names=True)  # your own terminal: ids
    typer.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False) if as_json else repr(found))


def _one_principal(principals: pd.DataFrame, identity: str) -> pd.DataFrame:
    """The row of a principal."""
    found = principals[principals["id"] == identity]
    if not len(found):
        msg = f"none of the {len(principals):,} principals has the id '{identity}'"
        raise InputError(msg)
    return found
