"""Pseudonyms: stable names for principals that do not reveal who they are.

A pseudonym is a keyed hash of the principal's id (HMAC-SHA256, RFC 2104). The same person has the same
pseudonym in every notebook and page of a project. Without the project's key nobody can get from the
pseudonym back to the id, not even somebody with a list of all ids. The key is never shown or written
into a page.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import warnings
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.identity.masking import Masker

KEY_FILE: Final = "pseudonyms.key"

VARIABLE: Final = "CLERK_CERBOS_LAB_PSEUDONYM_KEY"

PREFIX: Final = "p-"

SHORTEST: Final = 16  # characters of a key

FOLDER: Final = ".clerk-cerbos-lab"
"""At the root of a project: files created on first use that must not be committed. Git ignores it."""

_ROOT_MARKS: Final = (".git", "pyproject.toml", KEY_FILE, f"{FOLDER}/{KEY_FILE}")

_LETTERS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghjkmnpqrstvwxyz")


def pseudonym(identity: str) -> str:
    """The name of a principal in the kit's output: ``p-`` and ten letters and digits.

    The key is the environment variable ``CLERK_CERBOS_LAB_PSEUDONYM_KEY``, else the file
    ``pseudonyms.key`` at the root of the project (the nearest folder, from the current one upwards, that
    contains ``.git``, ``pyproject.toml`` or a key; else the current folder), else the same file in
    ``.clerk-cerbos-lab/`` there, a folder that Git ignores. The latter is created when a key is first
    needed. If it can't be written, a warning says that the pseudonyms are valid for this process only.

    Args:
        identity: the principal's id.

    Returns:
        Fifty bits of the HMAC-SHA256 of the id, in letters of Crockford's base 32.

    Raises:
        InputError: if the key is shorter than 16 characters.
    """
    return _of(_key(os.environ.get(VARIABLE), os.getcwd()), identity)  # noqa: PTH109 - as a cache key


@lru_cache(maxsize=1 << 16)  # a view that follows a slider names the same people again and again
def _of(key: bytes, identity: str) -> str:
    digest = hmac.digest(key, identity.encode(), "sha256")
    return PREFIX + base64.b32encode(digest[:7]).decode().lower()[:10].translate(_LETTERS)


def masked(text: str) -> str:
    """The text with everything that looks like an id replaced by a pseudonym (see ``masking``)."""
    return _MASK_BY_SHAPE(text)


_MASK_BY_SHAPE: Final = Masker((), pseudonym)


@cache
def _key(given: str | None, current: str) -> bytes:
    if given is not None:
        return _checked(given, VARIABLE)
    folder = Path(current)
    root = next((p for p in (folder, *folder.parents) if any((p / m).exists() for m in _ROOT_MARKS)), folder)
    path = next((p for p in (root / KEY_FILE, root / FOLDER / KEY_FILE) if p.exists()), None)
    try:
        return _read(path) if path else _made(root / FOLDER)
    except OSError as error:
        where = f"{FOLDER}/{KEY_FILE}"
        warnings.warn(
            f"pseudonyms hold for this process only: no key can be kept in {where} ({error.strerror})",
            LabWarning,
            stacklevel=4,
        )
        return secrets.token_bytes(32)


def _made(folder: Path) -> bytes:
    """A new key in a file that only its owner can read, or the key of another process that was faster."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _write_once(folder / ".gitignore", "# Created by clerk-cerbos-lab; stays on this machine.\n*\n", 0o644)
    about = "# The key of this project's pseudonyms. Anybody who has it can check guesses of ids."
    _write_once(folder / KEY_FILE, f"{about}\n{secrets.token_hex(32)}\n", 0o600)
    return _read(folder / KEY_FILE)


def _write_once(path: Path, text: str, mode: int) -> None:
    """Write a complete file, unless it exists already."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return _checked(next((line for line in lines if line and not line.startswith("#")), ""), KEY_FILE)


def _checked(key: str, where: str) -> bytes:
    if len(key) < SHORTEST:
        msg = f"the pseudonym key in {where} has {len(key)} characters; it needs at least {SHORTEST}"
        raise InputError(msg)
    return key.encode()
