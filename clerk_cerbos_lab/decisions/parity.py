"""The principals that an application sent, beside those that the mapping makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.identity.disclosure import Disclosure
from clerk_cerbos_lab.values import MISSING, json_type

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parity:
    """Where an application sent another principal than the mapping makes. The last line of a cell is shown.

    The kinds of difference: ``missing`` (not sent), ``extra`` (not in the directory), ``null`` (sent as null
    in place of missing), ``other type`` (a limit as text), ``other value``, ``other roles``, ``stale roles``
    (the same person was also sent with the directory's roles), ``not in the directory`` (the person).

    Attributes:
        rows: see ``frame``, with ids and values.
        principals: of the directory.
        sent: the ids of the people in what was sent, in order.
        requests: how many principals were sent.
        notes: sentences about what was not compared.
    """

    rows: pd.DataFrame = field(repr=False)
    principals: pd.DataFrame = field(repr=False)
    sent: tuple[str, ...] = field(repr=False)
    requests: int
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every principal that was sent is the one that the mapping makes."""
        return self.rows.empty

    def __len__(self) -> int:
        return len(self.rows)

    def frame(self, *, names: bool = False) -> pd.DataFrame:
        """One row per person, attribute and value that was sent and differs.

        Args:
            names: ids and values in place of pseudonyms and types.

        Returns:
            Columns ``principal``; ``attribute`` (``roles`` for the roles, empty for a person who is not in
            the directory); ``kind``; ``directory`` and ``sent`` (the values, empty if there is none; only the
            type, such as ``a string``, if they may be personal); ``requests`` (how many sent it); ``agreed``
            (how many of the same person sent what the directory has); ``first`` and ``last`` (UTC; NaT
            without a log).
        """
        shown = self.shown(names=names)
        found = self.rows.copy()
        found["principal"] = [shown.principal(own, own) for own in found["principal"]]
        for column in ("directory", "sent"):
            places = zip(found["attribute"], found["kind"], found[column], strict=True)
            found[column] = [_told(shown, *place) for place in places]
        return found

    def shown(self, *, names: bool = False) -> Disclosure:
        """How the principals are shown: by pseudonyms, or by their ids (``names``)."""
        words = [str(name) for name in self.rows["attribute"].unique()]
        return Disclosure(self.principals, names=names, words=words, ids=frozenset(self.sent))

    def __repr__(self) -> str:
        return str(drawn_by("parity text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("parity html")(self))


def _told(shown: Disclosure, attribute: str, kind: str, value: Any) -> str:
    """A value as it may be shown: itself, or only its type."""
    if value is MISSING:
        return ""
    if kind in {"other roles", "stale roles"}:
        return ", ".join(shown.text(role) for role in value)
    if shown.names or attribute in shown.attributes:
        return shown.value(value)
    return json_type(value)
