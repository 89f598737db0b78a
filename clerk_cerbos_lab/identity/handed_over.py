"""The ids that a notebook read while it ran for a report: they are handed over, so that no page shows one.

``clerk-cerbos-lab report`` names a private file in an environment variable of the kernel. What is read there
as a principal's id is written to it, and the report replaces it wherever it stands in the pages.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

VARIABLE: Final = "CLERK_CERBOS_LAB_REPORT_IDS"
"""The path of the file; set while a notebook runs for a report that is to name nobody."""

_DONE: Final[dict[str, set[tuple[str, str]]]] = {}


def active() -> bool:
    """Whether this runs for a report that is to name nobody."""
    return VARIABLE in os.environ


def hand_over(ids: Iterable[str], words: Iterable[str] = ()) -> None:
    """Tell the report which ids there are, and which words mean something else; nothing without a report."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    done = _DONE.setdefault(path, set())
    told = {("id", one) for one in ids} | {("word", one) for one in words}
    new = sorted(told - done)
    if new:
        done.update(new)
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - O_APPEND: workers may write, too
            file.write("".join(f"{json.dumps(one)}\n" for one in new))


def handed_over(path: Path) -> tuple[set[str], set[str]]:
    """The ids and the words that a notebook has handed over."""
    found: dict[str, set[str]] = {"id": set(), "word": set()}
    for line in path.read_text("utf-8").splitlines():
        what, text = json.loads(line)
        found[what].add(text)
    return found["id"], found["word"]
