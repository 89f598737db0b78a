"""What output may reveal about principals: their names, and which of their attributes are shown."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.masking import Masker
from clerk_cerbos_lab.identity.principals import RESERVED, shareable_columns
from clerk_cerbos_lab.identity.pseudonyms import pseudonym
from clerk_cerbos_lab.values import Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

SHORT_TEXT: Final = 200
"""Longest text, in characters, whose masked form is cached."""

Named: TypeAlias = "tuple[frozenset[str], frozenset[str]]"
"""The ids of the principals that policies name, and the other names that policies use."""


class Disclosure:
    """How principals are named in output, and which of their attributes are shown.

    An attribute is shown if policies read it and the frame declares that it holds nothing personal (see
    ``lab.shareable``); otherwise it is hidden.

    Args:
        people: the principals frame.
        names: show ids and all attributes; ignored in a report without ``--names``.
        read: the attributes that policies read; None if unknown.
        policies: returns the ids that policies name, and their other names; called when a text is shown.
        words: other names that occur in texts: of the kind, the actions, the axes.
        ids: of other people who may occur in the texts.
    """

    def __init__(
        self,
        people: pd.DataFrame,
        *,
        names: bool,
        read: frozenset[str] | None = None,
        policies: Callable[[], Named] | None = None,
        words: Iterable[str] = (),
        ids: frozenset[str] = frozenset(),
    ) -> None:
        self.names = names and not handed_over.active()
        known = shareable_columns(people)
        self.by_id = self.names or "id" in known
        """Whether principals are shown by their ids."""
        self._people = people
        self._policies = policies or (lambda: (frozenset(), frozenset()))
        self._words = words
        self._others = ids
        columns = [str(name) for name in people.columns if name not in RESERVED]
        wanted = [name for name in columns if self.names or read is None or name in read]
        self.attributes = [name for name in wanted if self.names or name in known]
        self.withheld = [name for name in wanted if name not in self.attributes]
        """Attributes that policies read but that nobody has declared shareable."""
        self._hidden = {name for name in columns if name not in self.attributes}
        self._texts: dict[str, str] = {}
        self._files: dict[str, str] = {}

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids that must not be shown."""
        if self.names:
            return frozenset()
        own = () if self.by_id else self._people["id"]
        return frozenset([*own, *self._policies()[0]]) | self._others

    @cached_property
    def _mask(self) -> Masker:
        roles = {role for some in set(map(tuple, self._people["roles"])) for role in some}
        if not roles.isdisjoint(self.ids):  # a role held only by the person of that id is a name
            pairs = zip(self._people["id"], self._people["roles"], strict=True)
            roles = {role for own, some in pairs for role in some if role != own}
        columns = map(str, self._people.columns)
        return masker(self.ids, frozenset([*roles, *columns, *self._words, *self._policies()[1]]))

    @property
    def note(self) -> str:
        """Which attributes are not shown, and how to show them; empty if there are none."""
        if not self.withheld:
            return ""
        quoted = ", ".join(json.dumps(name, ensure_ascii=False) for name in self.withheld)
        names = self.text(", ".join(self.withheld))
        return (
            f"Not shown, because they may be personal: the principals' {names}. "
            f"lab.shareable(principals, {self.text(quoted)}) declares that they are not; "
            "names=True shows everything."
        )

    def principal(self, identity: str, name: str) -> str:
        """The label of a row: an id, and for one of several rows with that id also what differs."""
        if self.names:
            return name
        rest = name[len(identity) :]
        if any(f" {attribute}=" in rest for attribute in self._hidden):
            rest = f" {pseudonym(rest)}"
        return (identity if self.by_id else pseudonym(identity)) + (self.text(rest) if rest else "")

    def value(self, value: Any) -> str:
        """The label of a value, with pseudonyms in place of ids."""
        return label(self.hidden(value))

    def hidden(self, value: Any) -> Any:
        """The value itself, with pseudonyms in place of ids at any depth."""
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
        """A text that may name principals, such as a policy, with pseudonyms in place of ids."""
        if self.names:
            return text
        if len(text) > SHORT_TEXT:
            return self._mask(text)
        if text not in self._texts:  # the same values occur in many rows
            self._texts[text] = self._mask(text)
        return self._texts[text]

    def file(self, name: str) -> str:
        """A file name, with pseudonyms in place of ids."""
        if self.names:
            return name
        if name not in self._files:
            self._files[name] = self._mask.file(name)
        return self._files[name]


@lru_cache(maxsize=8)
def masker(ids: frozenset[str], words: frozenset[str]) -> Masker:
    """A function that replaces these ids by pseudonyms, except ids that are words (see ``masking``)."""
    return Masker(ids, pseudonym, words=words)
