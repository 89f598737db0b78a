"""Decisions from Cerbos's decision log, and what would be decided now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.identity.disclosure import Disclosure

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LogReplay:
    """What a decision log says, and what would be decided now. As the last line of a cell it is shown.

    Attributes:
        rows: see ``frame``, with ids.
        principals: the people in the log: ``id`` and ``roles``.
        notes: sentences about what could not be asked again.
        asked: how many different decisions were asked.
    """

    rows: pd.DataFrame = field(repr=False)
    principals: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]
    asked: int
    named: tuple[frozenset[str], frozenset[str]] = field(default=(frozenset(), frozenset()), repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def frame(self, *, names: bool = False) -> pd.DataFrame:
        """One row per decision in the log.

        Args:
            names: ids in place of pseudonyms.

        Returns:
            Columns ``time`` (UTC), ``principal``, ``roles``, ``kind``, ``resource`` (its id), ``action``,
            ``recorded`` and ``now`` (``ALLOW`` or ``DENY``), and ``policy`` (which decided then).
        """
        shown = self.shown(names=names)
        found = self.rows.copy()
        hidden = {one: shown.principal(one, one) for one in found["principal"].unique()}
        found["principal"] = found["principal"].map(hidden)
        for name in ("resource", "policy"):
            texts = {one: shown.text(one) for one in found[name].unique()}
            found[name] = found[name].map(texts)
        return found

    @property
    def changed(self) -> pd.DataFrame:
        """The rows of ``frame`` that would be decided otherwise now."""
        found = self.frame()
        return found[found["recorded"] != found["now"]].reset_index(drop=True)

    def shown(self, *, names: bool = False) -> Disclosure:
        """How the principals are shown: by pseudonyms, or by their ids (``names``)."""
        words = [*self.rows["kind"].unique(), *self.rows["action"].unique()]
        return Disclosure(self.principals, names=names, policies=lambda: self.named, words=words)

    def __repr__(self) -> str:
        return str(drawn_by("log replay text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("log replay html")(self))
