"""Past records and who could have decided each of them, perhaps before and after a change of policies.

``insights/replay.py`` makes these values and ``display/replay_text.py`` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.disclosure import Disclosure

if TYPE_CHECKING:
    import numpy.typing as npt

BEFORE: Final = 1
"""In a state: whether the policies before the change allow it."""

AFTER: Final = 2

CHANGES: Final = {
    "now nobody": "somebody could, now nobody may",
    "now somebody": "nobody could, now somebody may",
    "others": "some may no longer, others may instead",
    "fewer": "fewer people may",
    "more": "more people may",
    "": "the same people may",
}
"""What a change does to a record: the value in ``Replay.frame`` and its meaning."""


@dataclass(frozen=True, slots=True, eq=False)
class Money:
    """An amount for each record, as a whole number of the smallest unit that any of them needs.

    Attributes:
        minor: for each record.
        decimals: how many decimals the unit has: 2 for cents.
        currency: such as ``USD``; empty if the records have no currency.
    """

    minor: npt.NDArray[np.int64]
    decimals: int
    currency: str

    def exact(self, minor: int) -> Decimal:
        """A sum as a decimal."""
        return Decimal(int(minor)).scaleb(-self.decimals)

    def column(self, minor: npt.NDArray[np.int64]) -> Any:
        """Sums as a column of decimals."""
        values = [self.exact(int(one)) for one in minor]
        return pd.Series(values, dtype=pd.ArrowDtype(pa.decimal128(38, self.decimals))).array


class States(Protocol):
    """What each principal may do with one record; ``insights`` implements it."""

    def of_record(self, record: int) -> npt.NDArray[np.intp]:
        """The state of each principal: 1 allowed before, 2 allowed after, 3 both."""
        ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Replay:
    """Who could have decided each past record. As the last line of a notebook cell it is shown.

    Attributes:
        kind: the resource kind.
        action: the action.
        principals: the principals frame.
        names: the label of each principal.
        labels: the label of each record.
        amount: the name of the column with the amounts.
        money: the amounts.
        approvers: ``[state, record]``: how many principals; see ``States``.
        handled: ``[state, principal]``: how many records.
        handled_money: ``[state, principal]``: their amounts.
        month: for each record, a position in ``months``; None if no date was given.
        months: ascending.
        changed: whether there are policies before and after; otherwise only those before.
        notes: sentences about what was assumed and what could not be told.
        asked: how many different questions were asked.
    """

    kind: str
    action: str
    principals: pd.DataFrame
    names: tuple[str, ...]
    labels: Any
    amount: str
    money: Money
    approvers: npt.NDArray[np.int32]
    handled: npt.NDArray[np.int64]
    handled_money: npt.NDArray[np.int64]
    month: npt.NDArray[np.intp] | None
    months: tuple[str, ...]
    changed: bool
    notes: tuple[str, ...]
    asked: int
    states: States = field(repr=False)
    read: frozenset[str] | None = field(default=None, repr=False)
    named: tuple[frozenset[str], frozenset[str]] = field(default=(frozenset(), frozenset()), repr=False)
    weights: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many records each row stands for."""
        return np.ones(len(self.money.minor), dtype=np.int64) if self.weights is None else self.weights

    @property
    def before(self) -> npt.NDArray[np.int32]:
        """How many people may decide each record, by the policies before the change."""
        return sum(self.approvers[BEFORE::2])  # type: ignore[return-value]

    @property
    def after(self) -> npt.NDArray[np.int32]:
        """The same, by the policies after the change; equal to ``before`` without a change."""
        return sum(self.approvers[AFTER:]) if self.changed else self.before  # type: ignore[return-value]

    @property
    def change(self) -> npt.NDArray[np.object_]:
        """For each record a key of ``CHANGES``."""
        if not self.changed:
            return np.full(self.approvers.shape[1], "", dtype=object)
        lost, gained, both = self.approvers[1:]
        told = [
            ((lost + both > 0) & (gained + both == 0), "now nobody"),
            ((lost + both == 0) & (gained + both > 0), "now somebody"),
            ((lost > 0) & (gained > 0), "others"),
            (lost > 0, "fewer"),
            (gained > 0, "more"),
        ]
        return np.select([one for one, _ in told], [name for _, name in told], default="").astype(object)

    def frame(self) -> pd.DataFrame:
        """One row per record.

        Returns:
            Columns ``record`` (its label), the amount under its own name (decimal), ``month`` if dates were
            given, and ``approvers``: how many people may take the action. With a change
            ``approvers_before``, ``approvers_after``, ``gained``, ``lost`` (people) and ``change``: ``now
            nobody``, ``now somebody``, ``others``, ``fewer``, ``more``, or empty if the same people may.
            Records that were grouped in a database have a column ``records``: how many a row stands for.
        """
        columns: dict[str, Any] = {"record": self.labels, self.amount: self.money.column(self.money.minor)}
        if self.weights is not None:
            columns["records"] = self.weights
        if self.month is not None:
            columns["month"] = pd.array(np.array(self.months, dtype=object)[self.month], dtype="str")
        if not self.changed:
            return pd.DataFrame({**columns, "approvers": self.before})
        return pd.DataFrame(
            {
                **columns,
                "approvers_before": self.before,
                "approvers_after": self.after,
                "gained": self.approvers[AFTER],
                "lost": self.approvers[BEFORE],
                "change": pd.array(self.change, dtype="str"),
            }
        )

    def people(self, *, names: bool = False) -> pd.DataFrame:
        """One row per principal.

        Args:
            names: ids in place of pseudonyms.

        Returns:
            Columns ``principal``, ``roles``, ``records`` that they may take the action on, and ``money``: the
            sum of their amounts (decimal). With a change, ``records_before``, ``money_before``,
            ``records_after``, ``money_after``, ``records_gained``, ``money_gained``, ``records_lost``,
            ``money_lost``.
        """
        shown = self.shown(names=names)
        labels = [
            shown.principal(one, name) for one, name in zip(self.principals["id"], self.names, strict=True)
        ]
        columns: dict[str, Any] = {"principal": labels, "roles": list(self.principals["roles"])}
        parts: dict[str, tuple[int, ...]] = {"": (BEFORE,)}
        if self.changed:
            both = BEFORE | AFTER
            parts = {
                "_before": (BEFORE, both),
                "_after": (AFTER, both),
                "_gained": (AFTER,),
                "_lost": (BEFORE,),
            }
        for end, states in parts.items():
            columns[f"records{end}"] = sum(self.handled[one] for one in states)
            columns[f"money{end}"] = self.money.column(
                np.sum([self.handled_money[one] for one in states], axis=0)
            )
        return pd.DataFrame(columns)

    def by_month(self) -> pd.DataFrame:
        """One row per month, or a single one without dates.

        Returns:
            Columns ``month``, ``records``, ``money`` (decimal), ``nobody`` and ``nobody_money``: records that
            nobody may take the action on. With a change, ``nobody_after``, ``nobody_after_money``, ``moved``
            and ``moved_money``: records that other people may take the action on than before.
        """
        month = np.zeros(len(self.money.minor), dtype=np.intp) if self.month is None else self.month
        parts = {"records": np.ones(len(month), dtype=np.bool_), "nobody": self.before == 0}
        if self.changed:
            parts |= {"nobody_after": self.after == 0, "moved": self.change != ""}
        columns: dict[str, Any] = {"month": list(self.months) if self.month is not None else ["all"]}
        length = len(columns["month"])
        for name, rows in parts.items():
            counts, money = np.zeros(length, dtype=np.int64), np.zeros(length, dtype=np.int64)
            np.add.at(counts, month[rows], self.counts[rows])
            np.add.at(money, month[rows], self.money.minor[rows])
            columns[name] = counts
            columns["money" if name == "records" else f"{name}_money"] = self.money.column(money)
        return pd.DataFrame(columns)

    @property
    def nobody(self) -> pd.DataFrame:
        """The rows of ``frame`` that nobody may take the action on: before the change, if there is one."""
        return self.frame().iloc[np.flatnonzero(self.before == 0)].reset_index(drop=True)

    @property
    def moved(self) -> pd.DataFrame:
        """The rows of ``frame`` whose approvers the change alters, the largest amount first."""
        rows = np.flatnonzero(self.change != "")
        order = rows[np.argsort(-self.money.minor[rows], kind="stable")]
        return self.frame().iloc[order].reset_index(drop=True)

    def who(self, record: object, *, names: bool = False) -> pd.DataFrame:
        """Who may take the action on one record.

        Args:
            record: its label.
            names: ids in place of pseudonyms.

        Returns:
            One row per principal who may, with ``principal`` and ``roles``; with a change also ``before`` and
            ``after``, for everybody who may in one of them.

        Raises:
            InputError: if there is no such record, or several.
        """
        found = np.flatnonzero(np.asarray(self.labels, dtype=object) == record)
        if len(found) != 1:
            some = list(map(str, self.labels[:1000]))
            none = f"no record '{record}'{did_you_mean(str(record), some)}"
            msg = f"{len(found)} records are called '{record}'" if len(found) else none
            raise InputError(msg)
        states = self.states.of_record(int(found[0]))
        at = np.flatnonzero(states)
        shown = self.shown(names=names)
        ids = self.principals["id"].tolist()
        columns: dict[str, Any] = {
            "principal": [shown.principal(ids[row], self.names[row]) for row in at],
            "roles": [self.principals["roles"].iloc[row] for row in at],
        }
        if self.changed:
            columns |= {"before": states[at] & BEFORE > 0, "after": states[at] & AFTER > 0}
        return pd.DataFrame(columns)

    def shown(self, *, names: bool = False) -> Disclosure:
        """How the principals are shown: by pseudonyms, or by their ids (``names``)."""
        return Disclosure(
            self.principals,
            names=names,
            read=self.read,
            policies=lambda: self.named,
            words=(self.kind, self.action, self.amount),
        )

    def total(self, rows: npt.NDArray[np.bool_]) -> tuple[int, Decimal]:
        """How many records these are, and the sum of their amounts."""
        return int(self.counts[rows].sum()), self.money.exact(int(self.money.minor[rows].sum()))

    def to_dict(self) -> dict[str, Any]:
        """The totals as data, with people by pseudonyms; amounts are text such as ``"1204311.22"``."""
        return drawn_by("replay as data")(self)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return str(drawn_by("replay text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("replay html")(self))
