"""The ids that a notebook reads while it runs for a report, which keeps them out of its pages.

``clerk-cerbos-lab report`` puts the path of a private file into an environment variable of the kernel. The
kernel writes every principal id that it reads to this file, and the report replaces each one in the pages.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

VARIABLE: Final = "CLERK_CERBOS_LAB_REPORT_IDS"
"""Holds the path of the file; set while a notebook runs for a report without names."""

_DONE: Final[dict[str, set[tuple[str, str]]]] = {}


def active() -> bool:
    """Whether this runs for a report without names."""
    return VARIABLE in os.environ


def hand_over(ids: Iterable[str], words: Iterable[str] = ()) -> None:
    """Pass ids to the report, and words that are not ids; does nothing if no report is being made."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    done = _DONE.setdefault(path, set())
    entries = {("id", one) for one in ids} | {("word", one) for one in words}
    new = sorted(entries - done)
    if new:
        done.update(new)
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - O_APPEND: workers may write too
            file.write("".join(f"{json.dumps(one)}\n" for one in new))


def handed_over(path: Path) -> tuple[set[str], set[str]]:
    """The ids and the words that a notebook has handed over."""
    found: dict[str, set[str]] = {"id": set(), "word": set()}
    for line in path.read_text("utf-8").splitlines():
        what, text = json.loads(line)
        found[what].add(text)
    return found["id"], found["word"]
