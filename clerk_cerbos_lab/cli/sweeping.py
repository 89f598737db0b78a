"""The command ``sweep``: the decision matrix, as a text, a page or a file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final

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
    with_roles,
)
from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.provenance import Provenance

EXAMPLES: Final = (
    "Examples:  clerk-cerbos-lab sweep expense --users data/clerk_users.json --action approve,view "
    "--axis amount=0:60000:5000 --axis region=northeast,south --attr owner=OTHER --attr status=OPEN   ·   "
    "add --role manager to ask about managers only, --csv or --parquet to keep every decision   ·   "
    "--policy-version staging --scope acme.hr asks the policies of that version and scope"
)


def sweep(
    kind: Annotated[str, typer.Argument(help="Resource kind, such as expense.")],
    source: Source = None,
    *,
    file: UsersFile = None,
    memberships: Memberships = None,
    provider: ProviderName = None,
    mapping: MappingFile = None,
    policies: Annotated[
        Path | None,
        typer.Option(help="Folder of Cerbos policies; default: policies.", metavar="FOLDER"),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="A running PDP instead, HOST:PORT of its gRPC API.", metavar="HOST:PORT"),
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(help="One or more actions: approve,view; can be repeated. Default: all."),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            help="An attribute that varies: NAME=START:STOP:STEP, NAME=a,b,c or NAME=JSON list. "
            "SELF, OTHER and MISSING have their special meaning.",
            metavar="NAME=VALUES",
        ),
    ] = None,
    attr: Annotated[
        list[str] | None,
        typer.Option(help="An attribute that is fixed: NAME=VALUE, as JSON or text.", metavar="NAME=VALUE"),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="Only principals with one of these roles: manager,finance; can be repeated."),
    ] = None,
    resource_id: Annotated[
        list[str] | None,
        typer.Option(help="The resource's id; can be repeated.", metavar="ID"),
    ] = None,
    policy_version: Annotated[
        str,
        typer.Option(
            help="Version of the policies to ask; default: the PDP's.", metavar="VERSION", show_default=False
        ),
    ] = "",
    scope: Annotated[
        str,
        typer.Option(
            help="Scope of the policies to ask, such as acme.hr.", metavar="SCOPE", show_default=False
        ),
    ] = "",
    principal_policy_version: Annotated[
        str | None,
        typer.Option(help="Sent with the principal; default: as --policy-version.", metavar="VERSION"),
    ] = None,
    principal_scope: Annotated[
        str | None, typer.Option(help="Sent with the principal; default: as --scope.", metavar="SCOPE")
    ] = None,
    aux_data: Annotated[
        Path | None,
        typer.Option(
            help='File that holds a JWT for the conditions, or {"token": …, "key_set_id": …}; '
            "default: the environment's CLERK_CERBOS_LAB_AUX_DATA. It is never shown.",
            metavar="FILE",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Evaluate strictly.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every decision as CSV.", metavar="FILE")] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write every decision as Parquet.", metavar="FILE")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write one offline page to share, with reasons and pseudonyms.", metavar="FILE"),
    ] = None,
    note: Annotated[
        str | None, typer.Option(help="On that page: who sends it, and what for.", metavar="TEXT")
    ] = None,
) -> None:
    """Sweep attributes through the PDP: shows the decision matrix, and can write it as a page or a file."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415
    from clerk_cerbos_lab.display import plain_text as view  # noqa: PLC0415

    attributes = arguments.attributes_of(axis, attr)
    token = arguments.aux_data_argument(aux_data)
    actions = arguments.names_argument("--action", action)
    principals = principals_of(one_file(source, file), memberships, None, provider, mapping)
    principals = with_roles(principals, arguments.names_argument("--role", role))
    if address and (policies or strict):
        msg = "--policies and --strict are for a PDP started here; one at an address has its own"
        raise InputError(msg)
    if note and not html:
        msg = "--note is for the page: give --html FILE, too"
        raise InputError(msg)
    for path in filter(None, (csv, parquet, html)):
        if not path.absolute().parent.is_dir():
            msg = f"can't write {path}: the folder does not exist"
            raise InputError(msg)
    with lab.PDP(address=address) if address else lab.PDP(policies or "policies", strict=strict) as pdp:
        decisions = lab.sweep(
            pdp,
            principals,
            kind,
            actions=actions,
            attr=attributes,
            resource_id=_resource_id(resource_id),
            policy_version=policy_version,
            scope=scope,
            principal_policy_version=principal_policy_version,
            principal_scope=principal_scope,
            aux_data=token,
        )
    typer.echo(view.text_of(decisions, decisions.shown(names=True)))  # your own terminal: ids
    _say_what_was_sent(decisions.provenance)
    if csv:
        decisions.to_csv(csv)
        typer.echo(f"wrote {len(decisions):,} decisions to {csv}")
    if parquet:
        decisions.to_parquet(parquet)
        typer.echo(f"wrote {len(decisions):,} decisions to {parquet}")
    if html:
        _write_page(decisions, html, note, token)


def _write_page(decisions: Decisions, path: Path, note: str | None, token: Any) -> None:
    """Say what a page discloses, and write it, with reasons if the policies are known."""
    from clerk_cerbos_lab.display import disclosed  # noqa: PLC0415

    try:
        decisions = decisions.explain(aux_data=token)
    except InputError as error:
        typer.echo(f"the page gives no reasons: {error}")
    typer.echo(disclosed.in_a_line(decisions))
    decisions.to_html(path, note=note)
    typer.echo(f"wrote {path}")


def _say_what_was_sent(about: Provenance) -> None:
    """Print the version and scope of the policies that answered, and that a JWT was sent, never the JWT."""
    asked = {
        "policy version": about.policy_version,
        "scope": about.scope,
        "policy version of the principal": about.principal_policy_version,
        "scope of the principal": about.principal_scope,
    }
    sent = [f"{name} '{value}'" for name, value in asked.items() if value] + ["a JWT"] * about.aux_data
    if sent:
        typer.echo(f"sent with each request: {', '.join(sent)}")


def _resource_id(given: Sequence[str] | None) -> str | list[str]:
    """One fixed id, or an axis of several."""
    ids = list(given or ["resource"])
    return ids if len(ids) > 1 else ids[0]
