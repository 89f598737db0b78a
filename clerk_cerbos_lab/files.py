"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files: all of them, or none. Modes are kept; of a link, the file it points to is written.

    Args:
        contents: path to content; the folder of each exists.

    Raises:
        OSError: if one can't be written, such as on a full disk; then every file is as it was.
    """
    targets = {path.resolve(): content for path, content in contents.items()}
    with ExitStack() as cleanup:
        fresh: dict[Path, Path] = {}
        before: dict[Path, Path | None] = {}
        for target, content in targets.items():
            fresh[target] = target.with_name(f".{target.name}.part")
            cleanup.callback(fresh[target].unlink, missing_ok=True)
            _write(fresh[target], content, target)
            before[target] = None
            if target.exists():
                kept = before[target] = target.with_name(f".{target.name}.before")
                cleanup.callback(kept.unlink, missing_ok=True)
                _write(kept, target.read_bytes(), target)
        done: list[Path] = []
        try:
            for target, part in fresh.items():
                part.replace(target)
                done.append(target)
        except BaseException:
            for target in done:
                old = before[target]
                with suppress(OSError):  # it is the first error that counts
                    target.unlink() if old is None else old.replace(target)
            raise


def _write(path: Path, content: bytes, like: Path) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a full disk may say so only now
    if like.exists():
        shutil.copymode(like, path)
