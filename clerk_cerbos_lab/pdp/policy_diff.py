"""The difference between two states of policy files, as a unified diff."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class PolicyDiff(str):
    """A unified diff, as ``git apply`` takes it, coloured in a notebook; empty if nothing differs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self) or "no changes"

    def _repr_html_(self) -> str:
        return render("policy_diff.html.j2", lines=self.splitlines())


def policy_diff(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> PolicyDiff:
    """The difference between two states of a folder of policies.

    Args:
        before: path inside the folder to content.
        after: the same.
    """
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return PolicyDiff("".join(line for name in changed for line in _of_file(before, after, name)))


def counts(diff: str) -> tuple[int, int]:
    """How many lines a diff adds and removes."""
    lines = [line for line in diff.splitlines() if not line.startswith(("+++ ", "--- "))]
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)


def _of_file(before: Mapping[str, bytes], after: Mapping[str, bytes], name: str) -> Iterator[str]:
    one = f"a/{name}" if name in before else "/dev/null"
    other = f"b/{name}" if name in after else "/dev/null"
    old, new = (_lines(files.get(name, b"")) for files in (before, after))
    for line in difflib.unified_diff(old, new, one, other):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(content: bytes) -> list[str]:
    """Lines with their ends: only a line feed ends one, as in git."""
    text = content.decode("utf-8", "replace")
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [line for line in text.split("\n")[-1:] if line]
