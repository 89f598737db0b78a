"""The command `setup`: brings the PDP."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated, Final

import typer

EXAMPLE: Final = (
    "Examples:  clerk-cerbos-lab setup   ·   on a machine without a way to npm's registry:  "
    "clerk-cerbos-lab setup --from cerbos-cerbos-linux-x64-0.55.0.tgz"
)


def setup(
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="The tarball that `npm pack @cerbos/cerbos-linux-x64@0.55.0` makes, or the binary itself, "
            "instead of fetching it.",
            metavar="FILE",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Install it anew, even if it is there.")] = False,
) -> None:
    """Install the pinned Cerbos PDP in your user's data folder, where it is found from anywhere.

    It comes from npm, with npm's own configuration, and is checked against its pinned hash.
    """
    from rich.console import Console  # noqa: PLC0415 - a command loads only what it needs

    from clerk_cerbos_lab.pdp.installing import install, installed_by_setup, pinned_binary  # noqa: PLC0415

    version = pinned_binary().version
    there = installed_by_setup()
    if os.access(there, os.X_OK) and not again and source is None:
        typer.echo(f"Cerbos {version} is set up: {there}")
        return
    with Console(stderr=True).status(f"setting up Cerbos {version}"):
        path = install(source, say=typer.echo)
    typer.echo(f"Cerbos {version} is set up: {path}")
    typer.echo("`clerk-cerbos-lab doctor` checks it with your policies")
