"""The command ``new``: a project to start from."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.templates import STATIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

EXAMPLE: Final = "Example:  clerk-cerbos-lab new approvals --app nextjs"

RENAMED: Final = {"env.example": ".env.example", "gitignore": ".gitignore"}
"""Names that start with a dot, which tools that pack and copy files like to leave out."""


def new(
    folder: Annotated[Path, typer.Argument(help="Folder to create.", metavar="DIR")],
    app: Annotated[
        Literal["nextjs"],
        typer.Option(help="nextjs: an application with Clerk, Cerbos beside it, and an expense page."),
    ],
) -> None:
    """Write a complete application: users in Clerk, rules in Cerbos, every check on the server."""
    written = write_application(folder)
    typer.echo(f"wrote {written} files of a {app} application to {folder}; its README.md says how to start")


def write_application(folder: Path) -> int:
    """Write the starter: all files, or none.

    Returns:
        How many files it has.

    Raises:
        InputError: if the folder exists and is not empty, or the folder around it does not exist.
    """
    target = folder.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        msg = f"{folder} exists and is not an empty folder; nothing was written"
        raise InputError(msg)
    if not target.parent.is_dir():
        msg = f"can't create {folder}: the folder around it does not exist"
        raise InputError(msg)
    files = application(_package_name(target.name))
    with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as around:
        made = Path(around) / "made"
        for name, text in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if target.exists():  # an empty folder, which may be a mount or a link
            shutil.copytree(made, target, dirs_exist_ok=True)
        else:
            made.replace(target)
    return len(files)


def application(name: str) -> dict[str, str]:
    """The text of each file of the starter, by path.

    Args:
        name: of the npm package.
    """
    import clerk_cerbos_lab as lab  # noqa: PLC0415
    from clerk_cerbos_lab.decisions.axes import Axis  # noqa: PLC0415
    from clerk_cerbos_lab.decisions.question import Question  # noqa: PLC0415
    from clerk_cerbos_lab.pdp.engines import IMAGE  # noqa: PLC0415
    from clerk_cerbos_lab.source_text import render_source  # noqa: PLC0415

    files = {}
    for path in _paths(STATIC / "nextjs", ""):
        target = RENAMED.get(path, path.removesuffix(".j2"))
        if path.endswith(".j2"):
            files[target] = render_source(f"../nextjs/{path}", name=name, image=IMAGE)
        else:
            files[target] = (STATIC / "nextjs" / path).read_text("utf-8")
    axes = tuple(Axis(name, (value,)) for name, value in (("amount", 1), ("region", ""), ("owner", "")))
    question = Question("expense", ("view", "approve"), axes, {"status": "OPEN"})
    code = lab.to_code("nextjs", mapping=lab.Mapping(), question=question)
    files |= {f"lib/{one}": code[one] for one in code}
    files["logs/.gitkeep"] = ""
    return dict(sorted(files.items()))


def _paths(folder: Traversable, above: str) -> Iterator[str]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _paths(one, f"{above}{one.name}/")
        else:
            yield f"{above}{one.name}"


def _package_name(folder: str) -> str:
    """The folder's name as npm allows it."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.lower()).strip("-")[:100]
    return name or "approvals"
