"""Files that are written completely or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path to write to. It becomes the file at the end: a partial file never looks complete."""
    target = Path(path)
    if not target.absolute().parent.is_dir():
        msg = f"can't write {path}: its folder does not exist"
        raise InputError(msg)
    fresh = target.with_name(f".{target.name}.part")
    try:
        yield fresh
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
