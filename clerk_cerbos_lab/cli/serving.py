"""The command `serve`: an explorer or a notebook as an application, for people without notebooks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clerk_cerbos_lab.cli.principals import MappingFile, Memberships, ProviderName, principals_of
from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE: Final = (
    "Examples:  clerk-cerbos-lab serve --explore expense --users data/clerk_users.json --policies policies   "
    "·   clerk-cerbos-lab serve notebooks/02_founding_question.ipynb"
)

LOOPBACK: Final = "127.0.0.1"

REACHABLE: Final = (
    "--host {host}: whoever reaches this machine and has the link sees what is served, over HTTP without "
    "encryption, and each visitor takes the memory of a kernel and a PDP; put a proxy with TLS before it"
)


def serve(
    notebook: Annotated[
        Path | None, typer.Argument(help="A notebook, run anew for each visitor.", metavar="[NOTEBOOK]")
    ] = None,
    *,
    explore: Annotated[
        str | None, typer.Option(help="Or an explorer of this resource kind.", metavar="KIND")
    ] = None,
    users: Annotated[
        Path | None, typer.Option(help="With --explore: JSON file of users.", metavar="FILE")
    ] = None,
    memberships: Memberships = None,
    provider: ProviderName = None,
    mapping: MappingFile = None,
    policies: Annotated[
        Path | None,
        typer.Option(
            help="With --explore: folder of Cerbos policies; default: policies.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Show ids and attributes instead of pseudonyms.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="The address to listen at; 0.0.0.0 is every address of this machine.")
    ] = LOOPBACK,
    port: Annotated[
        int, typer.Option(help="The port; if it is taken, one near it.", min=1, max=65535)
    ] = 8866,
    idle: Annotated[
        float,
        typer.Option(help="Minutes after which the kernel and PDP of an idle visitor end.", min=0.05),
    ] = 30.0,
) -> None:
    """Open an explorer or a notebook as an application, for people without notebooks; Ctrl-C ends it.

    Nobody can edit policies or run code there, and whoever opens it needs the link that is printed. People
    are called by pseudonyms, and attributes that may be personal are hidden, unless --names is given.
    """
    _check(notebook, explore, [users, memberships, provider, mapping, policies])
    try:
        from clerk_cerbos_lab.report import serving  # noqa: PLC0415 - a command loads only what it needs
    except ModuleNotFoundError as error:
        needed = str(error.name).partition(".")[0]
        msg = f"serve needs {needed}: pip install 'clerk-cerbos-lab[notebooks,serve]'"
        raise InputError(msg) from None
    if host not in {LOOPBACK, "localhost", "::1"}:
        typer.echo(f"warning: {REACHABLE.format(host=host)}", err=True)
    people: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="clerk-cerbos-lab-") as private:
        if explore is not None:
            principals = principals_of(users, memberships, None, provider, mapping)
            people = set(principals["id"])
            notebook = _explorer(
                Path(private), explore, policies or Path("policies"), principals, names=names
            )
        assert notebook is not None  # noqa: S101 - see _check
        serving.serve(notebook, host=host, port=port, idle=idle, names=names, say=_say, ids=people)


def _say(link: str) -> None:
    typer.echo(f"open {link}\nCtrl-C ends it")


def _check(notebook: Path | None, explore: str | None, of_explore: list[Path | str | None]) -> None:
    if (notebook is None) == (explore is None):
        msg = "name a notebook, or --explore KIND with --users FILE and --policies FOLDER; not both"
        raise InputError(msg)
    if notebook is None:
        return
    if any(of_explore):
        msg = "--users and what goes with it, and --policies, are for --explore; a notebook names its own"
        raise InputError(msg)
    if notebook.suffix != ".ipynb" or not notebook.is_file():
        msg = f"{notebook} is not a notebook (.ipynb)"
        raise InputError(msg)


def _explorer(folder: Path, kind: str, policies: Path, principals: pd.DataFrame, *, names: bool) -> Path:
    """Write a notebook that explores a kind; the principals, loaded once for all visitors, lie beside it.

    Raises:
        InputError, PolicyError, PDPError: if an explorer can't be made of this, before anybody visits.
    """
    import nbformat  # noqa: PLC0415

    import clerk_cerbos_lab as lab  # noqa: PLC0415

    with lab.PDP(policies) as pdp:
        lab.explore(pdp, principals, kind)
    principals.to_pickle(folder / "principals.pickle")
    source = (
        f"import os\nos.chdir({str(Path.cwd())!r})  # the project, which has the key of the pseudonyms\n"
        "import pandas as pd\n"
        "import clerk_cerbos_lab as lab\n"
        f"principals = pd.read_pickle({str(folder / 'principals.pickle')!r})\n"
        f"pdp = lab.PDP({str(policies.absolute())!r})\n"
        f"lab.explore(pdp, principals, {kind!r}, names={names})"
    )
    heading = nbformat.v4.new_markdown_cell(f"# Who may do what: {kind}")
    made: Any = nbformat.v4.new_notebook(cells=[heading, nbformat.v4.new_code_cell(source)])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / f"{_file_name(kind)}.ipynb"
    nbformat.write(made, path)
    return path


def _file_name(kind: str) -> str:
    return "".join(one if one.isalnum() or one in "-_" else "_" for one in kind) or "explorer"
