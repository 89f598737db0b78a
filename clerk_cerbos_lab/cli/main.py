"""The command line; each command is a function here or in a module of its own.

Exit codes: 0 success; 1 doctor found a problem, a notebook failed, or what a check was told to fail on is so;
2 the input can't be used; 3 the policies do not compile; 4 the PDP or Clerk can't be reached or refused, or
there is no key.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clerk_cerbos_lab.cli import (
    comparing,
    covering,
    explaining,
    gaps,
    serving,
    setting_up,
    starting,
    sweeping,
)
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
from clerk_cerbos_lab.errors import InputError, LabError, PDPError, PolicyError, ProviderError, UsersError

if TYPE_CHECKING:
    import pandas as pd


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables could show what it should not
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Who may approve what, up to which amount: Clerk users swept through a real Cerbos PDP.",
)

CODES: Final = ((PolicyError, 3), (PDPError, 4), (UsersError, 2), (ProviderError, 4), (InputError, 2))


def main() -> None:
    """Run the command line; an error of the kit becomes one line and an exit code."""
    warnings.showwarning = _show_warning
    try:
        app()
    except OSError as error:
        about = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        typer.echo(f"error: {about}", err=True)
        sys.exit(2)
    except LabError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(next((code for kind, code in CODES if isinstance(error, kind)), 1))


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    typer.echo(f"warning: {message}", err=True)


app.command(epilog=setting_up.EXAMPLE)(setting_up.setup)
app.command(epilog=starting.EXAMPLE)(starting.new)


@app.command("compile", epilog="Example:  clerk-cerbos-lab compile policies")
def compile_policies(policies: Annotated[Path, typer.Argument(metavar="FOLDER")] = Path("policies")) -> None:
    """Compile the policies and run their test suites, by Cerbos's compiler, whose exit code this has."""
    import subprocess  # noqa: PLC0415 - a command loads only what it needs

    from clerk_cerbos_lab.pdp.engines import find_engine  # noqa: PLC0415

    if not policies.is_dir():
        msg = f"no folder {policies}"
        raise InputError(msg)
    command = find_engine().suite_command(policies.resolve())
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - the engine's own command


@app.command(epilog="Example:  clerk-cerbos-lab doctor --policies policies")
def doctor(policies: Policies = Path("policies")) -> None:
    """Report what was found, what is missing, and what to do about it. Exit code 1: there is a problem."""
    from clerk_cerbos_lab.cli.doctor import examine  # noqa: PLC0415 - a command loads only what it needs

    findings = examine(policies)
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.mark} {finding.what.ljust(width)}  {finding.found}")
        if finding.advice:
            typer.echo(f"  {' ' * width}  → {finding.advice}")
    if any(finding.mark == "✗" for finding in findings):
        raise typer.Exit(1)


@app.command(name="users", hidden=True, epilog="Example:  as principals, its other name")
@app.command(
    epilog="Examples:  clerk-cerbos-lab principals data/clerk_users.json   ·   "
    "clerk-cerbos-lab principals data/clerk_users.json --policies policies --rows   ·   "
    "clerk-cerbos-lab principals data/okta_users.json --memberships data/okta_groups.json   ·   "
    "OKTA_ORG_URL=… OKTA_API_TOKEN=… clerk-cerbos-lab principals --provider okta --csv principals.csv"
)
def principals(
    source: Source = None,
    *,
    file: UsersFile = None,
    memberships: Memberships = None,
    provider: ProviderName = None,
    mapping: MappingFile = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(help="A profile field as an attribute, NAME=PATH; personal.", metavar="NAME=PATH"),
    ] = None,
    policies: Annotated[
        Path | None, typer.Option(help="Also compare the attributes with these policies.", metavar="FOLDER")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Also show each principal.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write the principals to this file.", metavar="FILE")
    ] = None,
) -> None:
    """Load users of Clerk, Auth0, Okta or WorkOS, map them to principals, and report data problems.

    Shows ids, counts and the report. Attributes are shown only with --rows, and written only with --csv.
    """
    import clerk_cerbos_lab as lab  # noqa: PLC0415

    people = principals_of(one_file(source, file), memberships, profile, provider, mapping)
    typer.echo(f"{len(people):,} users became principals")
    _table(_role_counts(people), "Roles")
    _table(_attribute_counts(people), "Attributes")
    if rows:
        _table(people.map(_cell), "Principals")
    if policies:
        with lab.PDP(policies) as pdp:
            found = lab.problems(people, pdp)
    else:
        found = lab.problems(people)
    affected = found["principal"].nunique()
    _table(found, f"{len(found)} data problems of {affected} principals; no principal was dropped or changed")
    if csv:
        people.map(_file_cell).to_csv(csv, index=False)
        typer.echo(f"wrote {csv}")


app.command(epilog=sweeping.EXAMPLES)(sweeping.sweep)
app.command(epilog=explaining.EXAMPLE)(explaining.why)

app.command(epilog=comparing.EXAMPLE)(comparing.compare)
app.command(epilog=covering.EXAMPLE)(covering.coverage)
app.command(epilog=gaps.EXAMPLE)(gaps.gaps)
app.command(epilog=serving.EXAMPLE)(serving.serve)


@app.command(epilog="Example:  clerk-cerbos-lab report --output site")
def report(
    notebooks: Annotated[Path, typer.Option(help="Folder of notebooks.", metavar="FOLDER")] = Path(
        "notebooks"
    ),
    policies: Policies = Path("policies"),
    output: Annotated[Path, typer.Option(help="Folder to write to; replaced.", metavar="FOLDER")] = Path(
        "site"
    ),
    *,
    names: Annotated[
        bool, typer.Option("--names", help="Show ids and attributes as the notebooks do.")
    ] = False,
) -> None:
    """Run every notebook against the real PDP and write one offline page each, with an index.

    Every id that a notebook reads or a policy names becomes a pseudonym, and so does anything that looks like
    one, such as an e-mail address; attributes that may be personal are hidden. --names shows them all.
    """
    try:
        from clerk_cerbos_lab.report.build import write_report  # noqa: PLC0415
    except ModuleNotFoundError as error:
        msg = f"the report runs notebooks and needs {error.name}: pip install 'clerk-cerbos-lab[notebooks]'"
        raise InputError(msg) from None

    index = write_report(notebooks, policies, output, names=names)
    typer.echo(f"wrote {index}")


def _role_counts(principals: pd.DataFrame) -> pd.DataFrame:
    counts = principals["roles"].map(", ".join).value_counts()
    return counts.rename_axis("roles").rename("principals").reset_index()


def _attribute_counts(principals: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415

    from clerk_cerbos_lab.identity.quality import is_missing  # noqa: PLC0415

    names = [name for name in principals.columns if name not in {"id", "roles"}]
    held = [int((~principals[name].map(is_missing)).sum()) for name in names]
    return pd.DataFrame({"attribute": names, "principals who have it": held})


def _cell(value: object) -> str:
    from clerk_cerbos_lab.formatting import label  # noqa: PLC0415
    from clerk_cerbos_lab.values import MISSING  # noqa: PLC0415

    if value is MISSING:
        return ""
    return ", ".join(value) if isinstance(value, tuple) else label(value)


def _file_cell(value: object) -> str:
    """A text, or the JSON of anything else, so that readers of the file see 7500 as a number."""
    from clerk_cerbos_lab.values import MISSING  # noqa: PLC0415

    if value is MISSING:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(frame: pd.DataFrame, title: str) -> None:
    """Print a frame as a table, always completely."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left")
    for name in frame.columns:
        table.add_column(Text(str(name)), overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
