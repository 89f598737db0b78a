"""Files of users as providers export them, read one user at a time, so that a large file needs little memory.

JSON is decoded by Python's own decoder, in pieces: ijson's fast backend turns a lone surrogate into ``?`` and
keeps the last of two equal keys, both without an error, and it gives no line.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import sys
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, cast

from clerk_cerbos_lab.errors import UsersError
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterator

PIECE: Final = 1 << 20
"""Bytes that are read at a time."""

LISTS: Final = ("data", "users")
"""The keys under which a page of a list holds its entries: Clerk and WorkOS, Auth0."""

IDS: Final = ("id", "user_id")
"""An object with one of these is an entry, not a page."""

HELD: Final = ("data",)
"""The keys of a page of roles, groups or memberships, which have lists of users themselves."""

NAMES: Final = (*IDS, "name", "profile", "members")
"""The same as ``IDS`` for roles, groups, organizations and memberships."""

_JSON: Final = frozenset('[{"-0123456789tfnNI')
"""What JSON can begin with, or what looks like it."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity')

_GZIP: Final = b"\x1f\x8b"

_OTHER: Final = {
    b"PK\x03\x04": "is a zip archive or an Excel file: unpack it; lab.principals_from_table reads a table",
    b"\xff\xfe": "is UTF-16 or UTF-32, not UTF-8: save it as UTF-8",
    b"\xfe\xff": "is UTF-16 or UTF-32, not UTF-8: save it as UTF-8",
    b"PAR1": "is a Parquet file, not JSON: lab.principals_from_table reads one",
}
"""What a file is, by its first bytes."""

_TABLE: Final = (".csv", ".tsv", ".txt")


class UserFile:
    """The entries of a file: an array, pages of a list, arrays one after another, or one object per line.

    A file that is compressed with gzip is decompressed while reading. After a second, a bar counts the bytes.

    Args:
        path: of the file.
        what: what messages call the entries, such as ``Okta users``.
        paged: whether arrays may follow each other or lie in an array, one for each page.
        name: what messages call the file, if not by its path.
        lists: the keys under which a page holds its entries.
        ids: the keys that make an object an entry.
        bar: whether there is one; not if the entries are counted themselves.

    Iterating raises:
        UsersError: if the file can't be read, is not JSON (with line and column), or is a part of a list.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        what: str,
        *,
        paged: bool = True,
        name: str = "",
        lists: tuple[str, ...] = LISTS,
        ids: tuple[str, ...] = IDS,
        bar: bool = True,
    ) -> None:
        self._path = Path(path)
        self.name = name or str(path)
        self._what = what
        self._paged = paged
        self._lists = lists
        self._ids = ids
        self._bar = bar

    def __iter__(self) -> Iterator[Any]:
        try:
            with self._path.open("rb") as file:
                start = file.read(4)
                file.seek(0)
                for other, words in _OTHER.items():
                    if start.startswith(other):
                        self._refuse(f" {words}")
                size = self._path.stat().st_size
                with progress(size, "bytes") if self._bar else nullcontext(_ignore) as advance:
                    counted = cast("IO[bytes]", _Counted(file, advance))
                    if start.startswith(_GZIP):
                        with gzip.open(counted) as plain:
                            yield from self._entries(cast("IO[bytes]", plain))
                    else:
                        yield from self._entries(counted)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            self._refuse(": the compressed file is damaged or cut off")
        except OSError as error:
            self._refuse(f": can't be read ({error.strerror})")

    def _refuse(self, what: str) -> NoReturn:
        msg = f"{self.name}{what}"
        raise UsersError(msg) from None

    def _entries(self, file: IO[bytes]) -> Iterator[Any]:
        text = _Text(file, self.name)
        if not text.next():
            self._refuse(f": the file is empty; it should contain {self._what} as JSON")
        pages: list[dict[str, Any]] = []
        count = 0
        for entry in self._values(text, pages):
            count += 1
            yield entry
        self._check_whole(pages, count)

    def _values(self, text: _Text, pages: list[dict[str, Any]]) -> Iterator[Any]:
        first = text.next()
        lines = False
        while (char := text.next()) != "":
            if char == "[" and not lines:
                for entry in text.array(nested=self._paged):
                    whole = entry if self._paged and isinstance(entry, dict) else {}
                    name = self._list_of(whole)
                    yield from whole[name] if name else (entry,)
                    if name:
                        pages.append({key: value for key, value in whole.items() if key != name})
                if not self._paged and text.next():
                    text.fail("Extra data", text.at)
            elif char == "{" and not lines:
                lines = yield from self._object(text, pages)
            else:
                if first not in _JSON and self._path.suffix.lower() in _TABLE:
                    self._refuse(" is not JSON: lab.principals_from_table reads a table")
                value = text.value()
                if not lines and first not in "[{":
                    self._refuse(f": contains {json_type(value)}, not {self._what}")
                yield value

    def _object(self, text: _Text, pages: list[dict[str, Any]]) -> Generator[Any, None, bool]:
        """The entries of a page, or the object itself; returns whether it was an entry."""
        whole = text.value_at_hand()
        if whole is None:
            rest: dict[str, Any] = {}
            yield from text.page(rest, self._lists, self._ids)
        else:
            rest = whole
            name = self._list_of(whole)
            if name:
                yield from whole[name]
                rest = {key: value for key, value in whole.items() if key != name} | {"": name}
        if "" in rest:
            pages.append(rest)
            return False
        if not any(name in rest for name in self._ids):
            kind = f"{self._what}: an array, {{'data': […]}}, or one per line"
            self._refuse(f": contains a map, not {kind}")
        yield rest
        return True

    def _check_whole(self, pages: list[dict[str, Any]], count: int) -> None:
        for page in pages:
            total = page.get("total_count", page.get("total"))
            if isinstance(total, int) and total > count:
                self._refuse(f": contains {count:,} of {total:,} users: one page of several; load them all")
        last = pages[-1].get("list_metadata") if pages else None
        if isinstance(last, dict) and last.get("after"):
            self._refuse(f": contains {count:,} users and says that more follow; load all pages")

    def _list_of(self, whole: dict[str, Any]) -> str:
        """The key of the list in a page; empty for an entry."""
        if any(name in whole for name in self._ids):
            return ""
        return next((name for name in self._lists if isinstance(whole.get(name), list)), "")


def _ignore(_: int) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A file that says how many bytes are read."""

    file: IO[bytes]
    advance: Callable[[int], object]

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        piece = self.file.read(size)
        self.advance(len(piece))
        return piece


class _Text:
    """The text of a file that is decoded piece by piece; what was read is dropped."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self.at = 0
        self._line, self._column = 1, 1  # of the first character of the text
        self._end = False
        self._json = json.JSONDecoder(object_pairs_hook=self._pairs, parse_constant=self._no_constant)

    # -- reading ----------------------------------------------------------------------------------

    def _more(self, size: int = PIECE) -> None:
        """Read on, or note that the file has ended."""
        piece = self._file.read(size)
        self._line, self._column = self._place(self.at)
        self._text = self._text[self.at :]
        self.at = 0
        self._end = not piece
        try:
            self._text += self._decoder.decode(piece, final=self._end)
        except UnicodeDecodeError as error:
            before = self._text.count("\n") + error.object[: error.start].count(b"\n")
            msg = f"{self._name}, line {self._line + before}: not UTF-8"
            raise UsersError(msg) from None

    def next(self) -> str:
        """The next character that is no space, where reading goes on; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if self._end:
                return ""
            self._more()

    def value(self) -> Any:
        """The value that starts here."""
        size = PIECE
        while True:
            try:
                value, stop = self._decoded()
            except json.JSONDecodeError as error:
                if self._end or not self._may_go_on(error):
                    self.fail(error.msg, error.pos)
            else:
                if stop < len(self._text) or self._end:
                    self.at = stop
                    return value
            self._more(size)
            size *= 2  # so that a long value is not decoded again for every piece

    def value_at_hand(self) -> Any:
        """The value that starts here, if it ends in the piece that was read; None otherwise."""
        if len(self._text) - self.at < PIECE and not self._end:
            self._more()
        try:
            value, stop = self._decoded()
        except json.JSONDecodeError as error:
            if self._end or not self._may_go_on(error):
                self.fail(error.msg, error.pos)
            return None
        self.at = stop
        return value

    def _decoded(self) -> tuple[Any, int]:
        try:
            return self._json.raw_decode(self._text, self.at)
        except RecursionError:
            msg = f"{self._name}: the JSON is nested too deeply"
        except (json.JSONDecodeError, UsersError):
            raise
        except ValueError:
            digits = f"{sys.get_int_max_str_digits():,}"
            msg = f"{self._name}: a number has more digits than Python can read ({digits})"
        raise UsersError(msg) from None

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Whether the error can be that the text ends too early; no name or escape is longer than that."""
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - 16

    def array(self, *, nested: bool) -> Iterator[Any]:
        """The items of the array that starts here; of arrays in it, if they are nested."""
        self.at += 1
        if self.next() == "]":
            self.at += 1
            return
        while True:
            if self.next() == "[" and nested:
                yield from self.array(nested=False)
            else:
                yield self.value()
            char = self.next()
            if char not in {",", "]"}:
                self.fail("Expecting ',' delimiter", self.at)
            self.at += 1
            if char == "]":
                return
            self.next()

    def page(self, rest: dict[str, Any], lists: tuple[str, ...], ids: tuple[str, ...]) -> Iterator[Any]:
        """The entries of the page that starts here; everything else goes into ``rest``, the key as ``""``."""
        self.at += 1
        while True:
            if self.next() != '"':
                self.fail("Expecting property name enclosed in double quotes", self.at)
            key = self.value()
            if self.next() != ":":
                self.fail("Expecting ':' delimiter", self.at)
            self.at += 1
            if self.next() == "[" and key in lists and "" not in rest and not any(n in rest for n in ids):
                yield from self.array(nested=False)
                rest[""] = key
            elif key in rest:
                self._twice(key, self.at)
            else:
                rest[key] = self.value()
            char = self.next()
            if char not in {",", "}"}:
                self.fail("Expecting ',' delimiter", self.at)
            self.at += 1
            if char == "}":
                return

    # -- errors -----------------------------------------------------------------------------------

    def _place(self, position: int) -> tuple[int, int]:
        """Line and column of a position in the text."""
        newlines = self._text.count("\n", 0, position)
        if not newlines:
            return self._line, self._column + position
        return self._line + newlines, position - self._text.rindex("\n", 0, position)

    def fail(self, words: str, position: int) -> NoReturn:
        """Say where the file is not JSON."""
        line, column = self._place(position)
        msg = f"{self._name}, line {line}, column {column}: not JSON: {words}"
        raise UsersError(msg) from None

    def _no_constant(self, constant: str) -> NoReturn:
        tokens = _TOKEN.finditer(self._text, self.at)
        line, _ = self._place(next((found.start() for found in tokens if found[0] == constant), self.at))
        msg = f"{self._name}, line {line}: {constant} is not JSON"
        raise UsersError(msg)

    def _pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        held = dict(items)
        if len(held) != len(items):
            self._twice(next(key for key, _ in items if sum(other == key for other, _ in items) > 1), self.at)
        return held

    def _twice(self, key: str, position: int) -> NoReturn:
        line, _ = self._place(position)
        msg = f"{self._name}, line {line}: an object has the key '{key}' twice, so one value would be lost"
        raise UsersError(msg) from None
