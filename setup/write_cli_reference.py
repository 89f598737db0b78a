"""Write docs/command-line.md from the commands' own help; a test fails if it is out of date."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from clerk_cerbos_lab.cli import main as cli

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs" / "command-line.md"

TOP = """# Command line

<!-- Written from the commands' own help by `make docs`; do not edit. -->

`clerk-cerbos-lab COMMAND --help` says the same in a terminal. Users come from a file (`--users FILE`, or the
first argument); without one, the API of `--provider` is asked, or Clerk's. A JWT comes from a file or the
environment, never from the command line, which other users of the machine can read.

| exit code | meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(cli.app)
    parts = [TOP + "\n".join(_codes())]
    parts += [_command(name, command) for name, command in sorted(group.commands.items())]
    return "\n\n".join(parts) + "\n"


def _codes() -> Iterator[str]:
    """The exit codes, as the module of the commands states them."""
    text = " ".join((inspect.getdoc(cli) or "").split("Exit codes: ")[1].split())
    for part in text.removesuffix(".").split("; "):
        code, _, meaning = part.partition(" ")
        yield f"| {code} | {_cell(meaning)} |"


def _command(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=f"clerk-cerbos-lab {name}")
    usage = re.sub(r"\s+", " ", command.get_usage(context).removeprefix("Usage: "))
    lines = [f"## {name}", "", "```text", usage, "```", "", inspect.cleandoc(command.help or ""), ""]
    lines += ["| argument or option | |", "|---|---|"]
    lines += [row for param in command.params for row in _row(param, context)]
    for example in re.split(r"\s+·\s+", re.sub(r"^Examples?:\s+", "", command.epilog or "")):
        lines += _example(example)
    return "\n".join(lines).rstrip()


def _row(param: Any, context: typer.Context) -> Iterator[str]:
    record = param.get_help_record(context)
    if record is None:
        return
    names = record[0]
    yield f"| `{_cell(names)}` | {_cell(record[1])} |"


def _example(text: str) -> list[str]:
    """A command in a block of its own, a remark as a sentence."""
    if text.startswith(("clerk-cerbos-lab", "CLERK_")):
        return ["", "```sh", text, "```"]
    before, found, command = text.partition("clerk-cerbos-lab")
    return ["", before.strip(), *(["", "```sh", found + command, "```"] if found else [])] if text else []


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
