"""Files that are written as a whole or not at all."""

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
    """A path to write to that becomes the file when all is written: a partial file never looks whole."""
    target = Path(path)
    if not target.absolute().parent.is_dir():
        msg = f"can't write {path}: the folder is not there"
        raise InputError(msg)
    fresh = target.with_name(f".{target.name}.part")
    try:
        yield fresh
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
