"""The command `new`: a project of one's own."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.samples import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE: Final = "Example:  clerk-cerbos-lab new limits && cd limits && pytest"

_NAMES: Final = {"gitignore": ".gitignore", "check.yml": ".github/workflows/check.yml"}
"""Files that a package can't hold under the name that they have in a project."""


def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not exist, or be empty.")],
) -> None:
    """Start a project of your own: policies with their tests, sample users, a notebook, a CI step."""
    make_project(folder)
    typer.echo(f"made {folder}: README.md says what is in it")
    for step in (f"cd {folder}", "pip install -r requirements.txt", "clerk-cerbos-lab setup", "pytest"):
        typer.echo(f"  {step}")


def make_project(folder: Path) -> None:
    """Write a project of notebooks: everything, or nothing.

    Raises:
        InputError: if the folder has something in it, or can't be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} exists and is not an empty folder: name another one"
        raise InputError(msg)
    target = folder.absolute()
    if not target.parent.is_dir():
        msg = f"can't make {folder}: the folder {target.parent} does not exist"
        raise InputError(msg)
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as made:
            fresh = Path(made) / target.name
            fresh.mkdir()
            _write(fresh, target.name)
            fresh.replace(target)  # takes the place of an empty folder, too
    except OSError as error:
        msg = f"can't make {folder}: {error.strerror or error}; nothing was written"
        raise InputError(msg) from None


def _write(folder: Path, name: str) -> None:
    import jinja2  # noqa: PLC0415 - a command loads only what it needs

    version = importlib.metadata.version("clerk-cerbos-lab")
    with as_file(files("clerk_cerbos_lab") / "starters" / "notebook_project") as starter:
        for path in _files(starter):
            own = path.relative_to(starter).as_posix()
            target = folder / _NAMES.get(own, own.removesuffix(".j2"))
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text("utf-8")
            if own.endswith(".j2"):
                template = jinja2.Template(text, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
                text = template.render(name=name, version=version)
            target.write_text(text, encoding="utf-8")
    copies = {
        folder / "policies" / path.relative_to(sample.policies): path for path in _files(sample.policies)
    }
    for target, path in (copies | {folder / "data" / "users.json": sample.users}).items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
