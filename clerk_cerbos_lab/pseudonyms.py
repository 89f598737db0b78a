"""Pseudonyms: stable names for principals that do not say who they are.

A pseudonym is a keyed hash of the principal's id (HMAC-SHA256, RFC 2104), so that the same person is
called the same in every notebook and page of a project, and nobody can go back from the pseudonym to the
id without the project's key, not even who has a list of all ids. The key is never shown or written into
a page.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import warnings
from contextlib import suppress
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import reporting
from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.masking import Masker
from clerk_cerbos_lab.policy_names import PolicyNames
from clerk_cerbos_lab.principals import RESERVED, shareable_columns
from clerk_cerbos_lab.values import Relation, label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

KEY_FILE: Final = "pseudonyms.key"
VARIABLE: Final = "CLERK_CERBOS_LAB_PSEUDONYM_KEY"
PREFIX: Final = "p-"
SHORT_TEXT: Final = 200
"""Characters up to which a text that was shown is kept, to be shown again."""
SHORTEST: Final = 16  # characters of a key

FOLDER: Final = ".clerk-cerbos-lab"
"""At the root of a project: what is made at first use and belongs into no repository. It ignores itself."""

_ROOT_MARKS: Final = (".git", "pyproject.toml", KEY_FILE, f"{FOLDER}/{KEY_FILE}")
_LETTERS: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghjkmnpqrstvwxyz")


def pseudonym(identity: str) -> str:
    """The name that a principal has in what the kit shows: ``p-`` and ten letters and digits.

    The key is the environment's ``CLERK_CERBOS_LAB_PSEUDONYM_KEY``, else the file ``pseudonyms.key`` at
    the root of the project (the nearest folder above that holds ``.git``, ``pyproject.toml`` or a key,
    else this one), else the one in ``.clerk-cerbos-lab/`` there, a folder that git ignores. That one is
    made when a key is first needed; where it can't be written, a warning says that the pseudonyms hold
    for this process only.

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
    """The text with a pseudonym for each thing in it that has the form of an id (see ``masking``)."""
    return _NOBODY_KNOWN(text)


_NOBODY_KNOWN: Final = Masker((), pseudonym)


@cache
def _key(given: str | None, folder: Path) -> bytes:
    if given is not None:
        return _checked(given, VARIABLE)
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
    """A new key in a file that only its owner reads; another process's where that was first."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _write_once(folder / ".gitignore", "# Made by clerk-cerbos-lab; stays on this machine.\n*\n", 0o644)
    about = "# The key of this project's pseudonyms. Who has it can test guesses of ids."
    _write_once(folder / KEY_FILE, f"{about}\n{secrets.token_hex(32)}\n", 0o600)
    return _read(folder / KEY_FILE)


def _write_once(path: Path, text: str, mode: int) -> None:
    """Write a file whole, unless it is there."""
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
        msg = f"the key of the pseudonyms in {where} has {len(key)} characters; it needs {SHORTEST} or more"
        raise InputError(msg)
    return key.encode()


class Shown:
    """How the principals of some decisions are called, and which of their attributes are shown.

    An attribute is shown where policies read it and the frame says that it holds nothing personal (see
    ``lab.shareable``); where that is not known it is hidden.

    Args:
        people: the principals frame.
        names: show ids and every attribute as they are; in a report without ``--names`` nothing does.
        read: the attributes that policies read, None where that is not known.
        policies: whom the policies name, and their other words; called when a text is to be shown.
        words: other names that texts use: of the kind, the actions, the axes.
        ids: of others who may stand in its texts.
    """

    def __init__(
        self,
        people: pd.DataFrame,
        *,
        names: bool,
        read: frozenset[str] | None = None,
        policies: Callable[[], PolicyNames] = PolicyNames,
        words: Iterable[str] = (),
        ids: frozenset[str] = frozenset(),
    ) -> None:
        self.names = names and not reporting.active()
        known = shareable_columns(people)
        self.by_id = self.names or "id" in known
        """Whether principals are called by their ids."""
        self._people = people
        self._policies = policies
        self._words = words
        self._others = ids
        columns = [str(name) for name in people.columns if name not in RESERVED]
        wanted = [name for name in columns if self.names or read is None or name in read]
        self.attributes = [name for name in wanted if self.names or name in known]
        self.withheld = [name for name in wanted if name not in self.attributes]
        """Attributes that policies read, and of which nobody says that they may be shown."""
        self._hidden = {name for name in columns if name not in self.attributes}
        self._texts: dict[str, str] = {}

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids that are not to be shown."""
        if self.names:
            return frozenset()
        own = () if self.by_id else self._people["id"]
        return frozenset([*own, *self._policies().people]) | self._others

    @cached_property
    def _mask(self) -> Masker:
        roles = {role for some in set(map(tuple, self._people["roles"])) for role in some}
        if not roles.isdisjoint(self.ids):  # a role that only its namesake has is no word, but a name
            pairs = zip(self._people["id"], self._people["roles"], strict=True)
            roles = {role for own, some in pairs for role in some if role != own}
        columns = map(str, self._people.columns)
        return masker(self.ids, frozenset([*roles, *columns, *self._words, *self._policies().words]))

    @property
    def note(self) -> str:
        """Which attributes are not shown, and what would show them; empty where there is none."""
        if not self.withheld:
            return ""
        quoted = ", ".join(json.dumps(name, ensure_ascii=False) for name in self.withheld)
        names = self.text(", ".join(self.withheld))
        return (
            f"Not shown, because they may be personal: the principals' {names}. "
            f"lab.shareable(principals, {self.text(quoted)}) says that they are not; "
            "names=True shows everything."
        )

    def principal(self, identity: str, name: str) -> str:
        """The label of a row: an id, perhaps with what tells it from others of the same id."""
        if self.names:
            return name
        rest = name[len(identity) :]
        if any(f" {attribute}=" in rest for attribute in self._hidden):
            rest = f" {pseudonym(rest)}"
        return (identity if self.by_id else pseudonym(identity)) + (self.text(rest) if rest else "")

    def value(self, value: Any) -> str:
        """The label of a value; ids in it as pseudonyms."""
        return label(self.hidden(value))

    def hidden(self, value: Any) -> Any:
        """The value itself, with pseudonyms in place of ids, however deep."""
        if self.names or isinstance(value, Relation):
            return value
        if isinstance(value, (list, tuple, np.ndarray)):
            return [self.hidden(one) for one in value]
        if isinstance(value, dict):
            return {self.hidden(name): self.hidden(one) for name, one in value.items()}
        if not isinstance(value, str):
            return value
        return pseudonym(value) if value in self.ids else self.text(value)

    def text(self, text: str) -> str:
        """A text that may name principals, such as a policy: a pseudonym for each id in it."""
        if self.names:
            return text
        if len(text) > SHORT_TEXT:
            return self._mask(text)
        if text not in self._texts:  # the same values stand in many rows
            self._texts[text] = self._mask(text)
        return self._texts[text]

    def file(self, name: str) -> str:
        """The name of a file."""
        return name if self.names else self._mask.file(name)


@lru_cache(maxsize=8)
def masker(ids: frozenset[str], words: frozenset[str]) -> Masker:
    """What puts pseudonyms in place of these ids, but for those that are words (see ``masking``)."""
    return Masker(ids, pseudonym, words=words)
