"""Replaces ids in a text as whole words, in time linear in the text however many ids there are.

An id is replaced wherever it is a separate word, in each form in which a page may contain it (plain, or
escaped for HTML, JSON, YAML or a URL). A longer id takes precedence over a shorter one inside it, and a word
that merely contains an id is not replaced. In addition to known ids, everything that looks like an id is
replaced: user ids of Clerk and Okta, e-mail addresses, UUIDs, ``provider|id`` of Auth0, ARNs of people and
roles.

Encoded data (data URLs, long runs of base64) is not changed. Neither is an id that is an ordinary word, such
as ``manager`` or ``id``, or a short number that is not quoted. In a text these nearly always mean something
else, and replacing them would both spoil the text and reveal who is behind the pseudonym. If a whole value or
label is such an id, the caller replaces it.
"""

from __future__ import annotations

import builtins
import json
import keyword
import re
import unicodedata
from functools import cache
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Span = tuple[int, int, str | None]
"""Start, end, and the id at that place; None for a span that must not be changed."""

LONG: Final = 8
"""A number with at least this many digits counts as an id anywhere; a shorter one only in quotes."""

ENOUGH: Final = 4
"""Letters and digits that Cerbos's form of an id (``_`` for everything else) needs to identify somebody."""

_VARIANTS_NEED: Final = re.compile(r"[^0-9A-Za-z_.-]")

_HTML_NEEDS: Final = re.compile("[&<>\"']")

_JSON_NEEDS: Final = re.compile(r"[\"\\]")

_QUOTE: Final = re.compile("&(?:quot|#34|#39|#x27);")

_PLAIN_WORD: Final = re.compile(r"[^\W\d]+(?:[-_ ][^\W\d]+)*", re.ASCII)

_OPAQUE: Final = re.compile(
    r"data:[\w.+/-]*+(?:;[\w.=+-]+)*;base64,[A-Za-z0-9+/=_-]*|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{128,}+={0,2}",
    re.ASCII,
)

_LOCAL: Final = r"[^\s@<>\"(),;:&=?/\\\[\]{}|`*#$]"

_DOMAIN: Final = r"[^\s@<>\"'(),;:&=?/\\\[\]{}|`*#$]"

_ADDRESS: Final = re.compile(rf"(?<!{_LOCAL}){_LOCAL}++@{_DOMAIN}+\.[^\W\d_]{{2,}}")

_SHAPES: Final = (
    re.compile(r"(?<![^\W_])user_[0-9A-Za-z]{20,}"),
    re.compile(
        r"(?<![^\W_])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?![^\W_])"
    ),
    re.compile(r"(?<![^\W_])00u[0-9A-Za-z]{17}(?![^\W_])"),
    re.compile(r"(?<![^\W_])arn:[\w-]+:(?:iam|sts):[\w-]*:\d*:[\w+=,.@/|-]*\w"),
    re.compile(
        r"(?<![\w-])(?:ad|adfs|apple|auth0|email|facebook|github|google-apps|google-oauth2|linkedin|oauth2|oidc|"
        r"okta|samlp|sms|twitter|waad|windowslive)\|[^\s\"'`<>,;(){}\[\]]*[^\W_]"
    ),
)
"""Patterns of ids, known or not; each matches only at the start of a run of characters."""


class Masker:
    """Replaces ids in texts. Call it with a text.

    Args:
        ids: the known ids.
        replace: returns the replacement for an id.
        words: names with another meaning in the texts (roles, actions, attributes, …): an id that is one of
            them, or an ordinary word, is not replaced.
    """

    def __init__(
        self, ids: Iterable[str], replace: Callable[[str], str], *, words: Iterable[str] = ()
    ) -> None:
        self._replace = replace
        names = {word for word in words if _PLAIN_WORD.fullmatch(word)} | ordinary()
        ids = set(ids)
        self.left = frozenset(ids & names)
        """The ids that are words, and are therefore not replaced in a text."""
        self._known: dict[str, str] = {}
        for identity in sorted(ids - names):
            for form in _forms(identity):
                self._known.setdefault(form, identity)
        self._known.pop("", None)
        lengths: dict[str, set[int]] = {}
        for form in self._known:
            lengths.setdefault(_token().match(form)[0], set()).add(len(form))  # type: ignore[index]
        self._lengths = {first: sorted(some, reverse=True) for first, some in lengths.items()}
        self._signs = any(not _is_word(first[0]) for first in lengths)

    def __call__(self, text: str) -> str:
        """The text with each id in it replaced."""
        found: list[str] = []
        done = 0
        for start, end, identity in self._spans(text):
            if identity is not None:
                found += (text[done:start], self._replace(identity))
                done = end
        return "".join([*found, text[done:]]) if found else text

    def html(self, text: str) -> str:
        """The same for HTML or SVG: text, attributes that contain text and scripts, not element names."""
        parts, script, style, done = [], False, False, 0
        for tag in _TAG.finditer(text):
            between = text[done : tag.start()]
            parts.append(between if style or not between else self(between))
            done = tag.end()
            name = tag[1].lower()
            script = name == "script" or (script and name != "/script")
            style = not script and (name == "style" or (style and name != "/style"))
            inside = script and name != "script"
            parts.append(self(tag[0]) if inside or name == "!--" else _ATTRIBUTE.sub(self._attribute, tag[0]))
        return "".join([*parts, self(text[done:])])

    def _attribute(self, found: re.Match[str]) -> str:
        plain = found[1].lower() in _PLAIN_ATTRIBUTES
        return found[0] if plain else f"{found[1]}{found[2]}{self(found[3])}"

    def terminal(self, text: str) -> str:
        """The same for terminal output; colours are removed if one of them splits an id."""
        made, bare = self(text), self(_COLOURS.sub("", text))
        return made if _COLOURS.sub("", made) == bare else bare

    def file(self, name: str) -> str:
        """The same for a file name, in which an underscore ends a word: ``principal_ann.yaml``."""
        return "_".join(map(self, self(name).split("_")))

    def _spans(self, text: str) -> Iterator[Span]:
        """The spans to replace and the spans to keep, in order and without overlaps."""
        spans: list[Span] = [(*found.span(), None) for found in _OPAQUE.finditer(text)]
        whole = {(start, end) for start, end, _ in spans}
        spans += [span for span in self._known_in(text) if span[:2] not in whole or self._drop(spans, span)]
        spans += [(start, end, text[start:end]) for start, end in _shapes_in(text)]
        spans.sort(key=lambda span: (span[0], -span[1], span[2] is None))
        last: Span | None = None
        for span in spans:
            if last is None or span[0] >= last[1]:
                if last is not None:
                    yield last
                last = span
            elif span[1] > last[1] and span[2] is not None and last[2] is not None:
                both = text[last[0] : span[1]]  # overlapping ids are replaced together
                last = (last[0], span[1], self._known.get(both, both))
        if last is not None:
            yield last

    @staticmethod
    def _drop(spans: list[Span], span: Span) -> bool:
        """Remove a span that looked like encoded data because all of it is an id."""
        spans.remove((span[0], span[1], None))
        return True

    def _known_in(self, text: str) -> Iterator[Span]:
        if not self._lengths:
            return
        lengths, known = self._lengths, self._known
        behind = 0
        for token in (_token() if self._signs else _run()).finditer(text):
            start = token.start()
            if start < behind:
                continue
            places = [(start, token[0])] if token[0] in lengths else []
            if start and text[start - 1] in "\\%":
                places += _after_an_escape(text, start, token[0])
            for at, first in places:
                forms = ((text[at : at + length], at + length) for length in lengths.get(first, ()))
                end = next((end for form, end in forms if form in known and _alone(text, at, end)), None)
                if end is not None:
                    behind = end
                    yield at, end, known[text[at:end]]
                    break


def _shapes_in(text: str) -> Iterator[tuple[int, int]]:
    """The spans of everything that looks like an id."""
    for shape in _SHAPES:
        for found in shape.finditer(text):
            yield found.span()
    for found in _ADDRESS.finditer(text):
        start, end = found.span()
        quote_before = text.rfind("'", start, end) + 1
        if quote_before and text[end : end + 1] == "'":  # the address is in quotes
            start = quote_before
        while start < end and not _is_word(text[start]):
            start += 1
        yield start, end


def _alone(text: str, start: int, end: int) -> bool:
    """Whether the text after it (for a short number also before it) makes it a separate word."""
    if end - start < LONG and text[start:end].isdecimal():
        quotes = text[start - 1 : start] + text[end : end + 1]
        return quotes in {'""', "''", "“”", '"\\', "'\\"} or bool(_QUOTE.match(text, end))
    after = text[end : end + 1]
    if not after or not (_is_word(text[end - 1]) or text[end - 1] == "_"):
        return True
    if after == "_":
        while text[end : end + 1] == "_":
            end += 1
        after = text[end : end + 1]
    return not _is_word(after)


@cache
def ordinary() -> frozenset[str]:
    """Words of English, of Cerbos policies, of the kit, of HTML and of Python."""
    lines = (files("clerk_cerbos_lab") / "static" / "ordinary_words.txt").read_text("utf-8").splitlines()
    words = [word for line in lines if not line.startswith("#") for word in line.split()]
    return frozenset([*words, *keyword.kwlist, *(name for name in dir(builtins) if name.islower())])


def _forms(identity: str) -> set[str]:
    """The id in each form in which a page, a policy or a URL may contain it."""
    if not _VARIANTS_NEED.search(identity):
        return {identity}
    forms = {identity.strip(), quote(identity, safe=""), quote(identity)}
    keyed = canonical(identity)  # in the form that Cerbos gives the name of a principal policy
    if sum(map(str.isalnum, keyed)) >= ENOUGH:
        forms.add(keyed)
    if "|" in identity:
        forms.add(identity.replace("|", "\\|"))  # in a Markdown table
    if _HTML_NEEDS.search(identity):
        named = escape(identity)
        forms |= {named, escape(identity, quote=False), identity.replace("'", "''")}  # the last for YAML
        forms.add(named.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))
    if not identity.isascii() or not identity.isprintable() or _JSON_NEEDS.search(identity):
        escaped = json.dumps(identity)[1:-1]
        forms |= {escaped, json.dumps(identity, ensure_ascii=False)[1:-1], repr(identity)[1:-1]}
        forms.add(re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), escaped))
        forms.add(re.sub(r"\\u00([0-9a-f]{2})", r"\\x\1", escaped))
        forms.add(re.sub(r"\\u00([0-9a-f]{2})", lambda found: f"\\x{found[1].upper()}", escaped))
    plain = ordinary()
    return {identity, *(form for form in forms if form and form not in plain and not form.isdecimal())}


def _after_an_escape(text: str, start: int, word: str) -> Iterator[tuple[int, str]]:
    r"""Where else a word may begin: after ``\n``, ``\u00e4`` or ``%20``, whose letters are not part of it."""
    before = text[start - 1 : start] if start else ""
    skip = 0
    if before == "\\":
        skip = {"u": 5, "x": 3}.get(word[0], 1 if word[0] in "abfnrtv0" else 0)
    elif before == "%" and re.match("[0-9A-Fa-f]{2}", word):
        skip = 2
    if 0 < skip < len(word) and (inner := _run().match(text, start + skip)):
        yield start + skip, inner[0]


@cache
def _marks() -> str:
    """Combining marks, for a regex character class: a reader sees them as part of a letter."""
    points = (p for p in (*range(0x300, 0x1F000), *range(0xE0100, 0xE01F0)) if _is_mark(chr(p)))
    runs = (list(run) for _, run in groupby(enumerate(points), key=lambda pair: pair[1] - pair[0]))
    return "".join(f"\\U{run[0][1]:08x}-\\U{run[-1][1]:08x}" for run in runs)


_TAG: Final = re.compile(r"<(!--|!|\?|/?[A-Za-z][^\s<>/]*)[^<>]*>")

_ATTRIBUTE: Final = re.compile(r"""([\w:-]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'<>]+)""")

_PLAIN_ATTRIBUTES: Final = {
    *("class", "style", "type", "scope", "role", "rel", "xmlns", "lang"),
    *("d", "points", "transform", "viewbox"),  # coordinates of a picture, often many
}

_COLOUR: Final = r"\x1b\[[\d;]*[A-Za-z]"
"""A terminal escape sequence, whose letters are not a word."""

_COLOURS: Final = re.compile(_COLOUR)


@cache
def _run() -> re.Pattern[str]:
    """A word: letters, digits and marks, with underscores between them."""
    letter = rf"(?:[^\W_]|[{_marks()}])"
    return re.compile(rf"{_COLOUR}|{letter}++(?:_++{letter}++)*+")


@cache
def _token() -> re.Pattern[str]:
    """A word, or else any single character."""
    return re.compile(rf"{_run().pattern}|.", re.DOTALL)


def _is_word(character: str) -> bool:
    return character.isalnum() or (bool(character) and _is_mark(character))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"
