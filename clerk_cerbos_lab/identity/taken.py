"""Where principals were taken from, and when."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import os

    import pandas as pd

TAKEN: Final = "taken"
"""The name in a frame's ``attrs``: a dict with ``from`` and ``when``, as texts."""


def with_source(principals: pd.DataFrame, provider: str, file: str | os.PathLike[str] | None) -> pd.DataFrame:
    """The same frame, which says that it was taken from a file, or just now from a provider's API.

    Of a file it says the name, not the folder, and when it was last written.
    """
    if file is None:
        where, when = f"{provider}'s API", datetime.datetime.now(datetime.UTC)
    else:
        path = Path(file)
        where = f"{provider} users in the file {path.name}"
        when = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    principals.attrs[TAKEN] = {"from": where, "when": f"{when:%Y-%m-%d %H:%M UTC}"}
    return principals


def said(principals: pd.DataFrame) -> str:
    """Where a frame was taken from and when, in words."""
    taken = principals.attrs.get(TAKEN)
    if not isinstance(taken, dict):
        return "a table made by hand or loaded without a note of its source"
    return f"{taken.get('from', 'unknown')}, as of {taken.get('when', 'an unknown time')}"
