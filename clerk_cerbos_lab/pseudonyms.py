"""Pseudonyms: stable names for principals that do not say who they are.

A pseudonym is a keyed hash of the principal's id (HMAC-SHA256, RFC 2104), so that the same person is
called the same in every notebook and page of a project, and nobody can go back from the pseudonym to the
id without the project's key, not even who has a list of all ids. The key is never shown or written into
a page.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.values import Relation, label

if TYPE_CHECKING:
    import pandas as pd

KEY_FILE: Final = "pseudonyms.key"
VARIABLE: Final = "CLERK_CERBOS_LAB_PSEUDONYM_KEY"
_WORD: Final = re.compile(r"[^\s\"'`,;:()\[\]{}<>]+")
PREFIX: Final = "p-"
SHORTEST: Final = 16  # characters of a key

_ROOT_MARKS: Final = (".git", "pyproject.toml", KEY_FILE)
_LETTERS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghjkmnpqrstvwxyz")
_PERSONAL: Final = re.compile(r"user_[0-9A-Za-z]{20,}|[^\s@<>\"'(),;:&]+@[^\s@<>\"'(),;:&]+\.[^\W\d_]{2,}")
"""A Clerk user id or an e-mail address, wherever it stands in a text."""


def pseudonym(identity: str) -> str:
    """The name that a principal has in what the kit shows: ``p-`` and ten letters and digits.

    The key is the environment's ``CLERK_CERBOS_LAB_PSEUDONYM_KEY``, else the file ``pseudonyms.key`` at
    the root of the project (the nearest folder above that holds ``.git``, ``pyproject.toml`` or such a
    file, else this one). It is made when it is first needed; where it can't be written, a warning says
    that the pseudonyms hold for this process only.

    Args:
        identity: the principal's id.

    Returns:
        Fifty bits of the HMAC-SHA256 of the id, in letters of Crockford's base 32.

    Raises:
        InputError: when the key is shorter than 16 characters.
    """
    digest = hmac.digest(_key(os.environ.get(VARIABLE), Path.cwd()), identity.encode(), "sha256")
    return PREFIX + base64.b32encode(digest[:7]).decode().lower()[:10].translate(_LETTERS)


def masked(text: str) -> str:
    """The text with each Clerk user id and e-mail address in it replaced by its pseudonym."""
    return _PERSONAL.sub(lambda found: pseudonym(found[0]), text)


@cache
def _key(given: str | None, folder: Path) -> bytes:
    if given is not None:
        return _checked(given, VARIABLE)
    root = next((p for p in (folder, *folder.parents) if any((p / m).exists() for m in _ROOT_MARKS)), folder)
    path = root / KEY_FILE
    try:
        return _read(path) if path.exists() else _made(path)
    except OSError as error:
        warnings.warn(
            f"pseudonyms hold for this process only: no key can be kept in {KEY_FILE} ({error.strerror})",
            LabWarning,
            stacklevel=4,
        )
        return secrets.token_bytes(32)


def _made(path: Path) -> bytes:
    """A new key in a file that only its owner reads; another process's where that was first."""
    about = "# The key of this project's pseudonyms. Who has it can test guesses of ids."
    text = f"{about}\n{secrets.token_hex(32)}\n"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except FileExistsError:
        pass
    return _read(path)


def _read(path: Path) -> bytes:
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return _checked(next((line for line in lines if line and not line.startswith("#")), ""), KEY_FILE)


def _checked(key: str, where: str) -> bytes:
    if len(key) < SHORTEST:
        msg = f"the key of the pseudonyms in {where} has {len(key)} characters; it needs {SHORTEST} or more"
        raise InputError(msg)
    return key.encode()


class Shown:
    """How the principals of some decisions are called, and which of their attributes are shown.

    Args:
        people: the principals frame.
        names: show ids and every attribute as they are.
        read: the attributes that policies read, None where that is not known; without ``names`` only these
            are shown, and of these none that the mapping took from a profile field.
    """

    def __init__(self, people: pd.DataFrame, *, names: bool, read: frozenset[str] | None = None) -> None:
        mapping = people.attrs.get("mapping") or {}
        self.names = names
        self._personal = set() if names else set(mapping.get("profile") or ())
        self._ids = set() if names else set(people["id"])
        columns = [str(name) for name in people.columns if name not in {"id", "roles"}]
        self.attributes = [
            name
            for name in columns
            if names or (name not in self._personal and (read is None or name in read))
        ]
        self._hidden = {name for name in columns if name not in self.attributes}

    def principal(self, identity: str, name: str) -> str:
        """The label of a row: an id, perhaps with what tells it from others of the same id."""
        if self.names:
            return name
        rest = name[len(identity) :]
        if any(f" {attribute}=" in rest for attribute in self._hidden):
            rest = f" {pseudonym(rest)}"
        return pseudonym(identity) + masked(rest)

    def value(self, value: Any) -> str:
        """The label of a value; ids and e-mail addresses in it as pseudonyms."""
        if self.names or not isinstance(value, (str, list, dict)):
            return label(value)
        return label(self._hide(value))

    def hidden(self, value: Any) -> Any:
        """The value itself, with pseudonyms in place of ids and e-mail addresses."""
        if self.names or not isinstance(value, (str, list, dict)) or isinstance(value, Relation):
            return value
        return self._hide(value)

    def _hide(self, value: Any) -> Any:
        """The value with each id in it, however deep, as a pseudonym."""
        if isinstance(value, list):
            return [self._hide(one) for one in value]
        if isinstance(value, dict):
            return {self._hide(name): self._hide(one) for name, one in value.items()}
        plain = isinstance(value, str) and not isinstance(value, Relation)
        return self.text(value) if plain else value

    def text(self, text: str) -> str:
        """A text that may name principals, such as a policy: each id that stands in it as a word."""
        if self.names:
            return text
        if text in self._ids:
            return pseudonym(text)
        return masked(_WORD.sub(lambda word: pseudonym(word[0]) if word[0] in self._ids else word[0], text))
