"""The command `new`: a project of one's own."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE: Final = (
    "Examples:  clerk-cerbos-lab new limits && cd limits && pytest   ·   "
    "clerk-cerbos-lab new approvals --app nextjs"
)

_NAMES: Final = {
    "gitignore": ".gitignore",
    "env.example": ".env.example",
    "check.yml": ".github/workflows/check.yml",
}
"""Files that a package can't hold under the name that they have in a project."""


def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not exist, or be empty.")],
    app: Annotated[
        Literal["nextjs"] | None,
        typer.Option(
            help="nextjs: an application with users in Clerk, Cerbos beside it, and an expense page."
        ),
    ] = None,
) -> None:
    """Start a project of your own: policies with their tests, sample users, a notebook, a CI step."""
    make_project(folder, write_application if app else None)
    typer.echo(f"made {folder}: README.md says what is in it")
    steps = ("pip install -r requirements.txt", "clerk-cerbos-lab setup", "pytest")
    if app:
        steps = ("npm install", "docker compose up -d", "npm run dev")
    for step in (f"cd {folder}", *steps):
        typer.echo(f"  {step}")


def make_project(folder: Path, write: Callable[[Path, str], None] | None = None) -> None:
    """Write a project: everything, or nothing.

    Args:
        folder: to make.
        write: writes the files into a new folder, for a project of this name; None: a project of notebooks.

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
            (write or _write)(fresh, target.name)
            fresh.replace(target)  # takes the place of an empty folder, too
    except OSError as error:
        msg = f"can't make {folder}: {error.strerror or error}; nothing was written"
        raise InputError(msg) from None


def _write(folder: Path, name: str) -> None:
    version = importlib.metadata.version("clerk-cerbos-lab")
    _write_starter("notebook_project", folder, name=name, version=version)
    copies = {
        folder / "policies" / path.relative_to(sample.policies): path for path in _files(sample.policies)
    }
    for target, path in (copies | {folder / "data" / "users.json": sample.users}).items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def write_application(folder: Path, name: str) -> None:
    """Write the Next.js application, with the code that ``lab.to_code`` makes."""
    import clerk_cerbos_lab as lab  # noqa: PLC0415 - a command loads only what it needs
    from clerk_cerbos_lab.decisions.axes import Axis  # noqa: PLC0415
    from clerk_cerbos_lab.decisions.question import Question  # noqa: PLC0415
    from clerk_cerbos_lab.pdp.engines import IMAGE  # noqa: PLC0415

    package = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:100]  # as npm allows it
    _write_starter("nextjs", folder, name=package or "approvals", image=IMAGE)
    axes = tuple(Axis(name, (value,)) for name, value in (("amount", 1), ("region", ""), ("owner", "")))
    question = Question("expense", ("view", "approve"), axes, {"status": "OPEN"})
    lab.to_code("nextjs", mapping=lab.Mapping(), question=question).write(folder / "lib")
    (folder / "logs").mkdir()
    (folder / "logs" / ".gitkeep").touch()


def _write_starter(starter: str, folder: Path, **values: str) -> None:
    """Write the files of a starter, those that end in ``.j2`` with these values."""
    import jinja2  # noqa: PLC0415

    with as_file(files("clerk_cerbos_lab") / "starters" / starter) as source:
        for path in _files(source):
            own = path.relative_to(source).as_posix()
            target = folder / _NAMES.get(own, own.removesuffix(".j2"))
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text("utf-8")
            if own.endswith(".j2"):
                template = jinja2.Template(text, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
                text = template.render(**values)
            target.write_text(text, encoding="utf-8")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
