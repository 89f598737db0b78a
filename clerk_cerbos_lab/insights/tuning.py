"""What policies with moved limits decide, who gains and loses by it, and which past records would move.

Each answer is kept by its values, so that going back asks nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.compare import changes_of
from clerk_cerbos_lab.insights.kept_order import KeptOrder
from clerk_cerbos_lab.insights.kept_records import KeptRecords
from clerk_cerbos_lab.insights.replay import replay
from clerk_cerbos_lab.insights.sql_table import SqlTable
from clerk_cerbos_lab.pdp.drafts import check_pdp
from clerk_cerbos_lab.pdp.moved import MovedPolicies
from clerk_cerbos_lab.policies.addresses import limit_at
from clerk_cerbos_lab.policies.limit_uses import matters
from clerk_cerbos_lab.policies.moves import moves_of
from clerk_cerbos_lab.sweeps.again import asked_again

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.replay import Replay
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.policies.addresses import Limit
    from clerk_cerbos_lab.policies.moves import Move

MOST_KEPT: Final = 100
"""Combinations of values whose answers are kept."""

MOST_TRIED: Final = 8
"""Of these, in which is looked for the effects of other values."""

MOST_ASKED: Final = 0.25
"""If a limit passes another number for a larger share of the people, everybody is asked about."""

FEW_CHECKS: Final = 16
"""Spot checks of a step; the comparison that follows asks its witnesses of both PDPs."""


@dataclass(slots=True)
class _Answer:
    """What is known about one combination of values."""

    decisions: Decisions
    moved: dict[str, Any]
    quick: Changes | None = None
    changes: Changes | None = None
    replay: Replay | None = None


class Tuning:
    """The answers of a PDP with its limits at other values.

    Args:
        pdp: a PDP that was started here; edits of its policies are followed.
        decisions: the question and the people; if the PDP has other policies by now, it is asked again.
        records: past records, as ``lab.replay`` takes them; None for none.
        replayed: further arguments of ``lab.replay``.

    Raises:
        InputError, PolicyError, PDPError: as ``lab.sweep`` and ``lab.what_if``.

    Attributes:
        before: what the policies decide as they are.
        limits: the limits that can matter to the question, in the order of the policies, each once.
        records: as given; those of a frame or a file are read once.
        replayed: as given.
    """

    def __init__(
        self,
        pdp: PDP,
        decisions: Decisions,
        *,
        records: Any = None,
        replayed: Mapping[str, Any] | None = None,
    ) -> None:
        check_pdp(pdp)
        if replayed and records is None:
            msg = "replay= says how to read records=, which is not given"
            raise InputError(msg)
        self.pdp = pdp
        read = records is None or isinstance(records, SqlTable)
        self.records = records if read else KeptRecords(records)
        self.replayed = dict(replayed or {})
        self._moved: MovedPolicies | None = None
        current = pdp.digest == decisions.provenance.policy_digest
        self._read(decisions if current else asked_again(decisions, pdp))

    def _read(self, before: Decisions) -> None:
        self.before = before
        if self._moved is not None:
            self._moved.close()
        self._moved = MovedPolicies(self.pdp)
        index, seen = self.pdp.index, set()
        self.limits: tuple[Limit, ...] = ()
        for limit in index.limits:
            if limit.spot not in seen and matters(limit, index, before.kind, before.actions):
                seen.add(limit.spot)
                self.limits += (limit,)
        self._kept: dict[str, _Answer] = {self._key({}): _Answer(before, {})}
        self._order = KeptOrder(index, before)
        self._read_last: tuple[str, Changes] | None = None

    @staticmethod
    def _key(moved: Mapping[str, Any]) -> str:
        return json.dumps(moved, sort_keys=True)

    @property
    def movable(self) -> tuple[Limit, ...]:
        """Every limit of the policies, also those that can't matter to the question."""
        return self.pdp.index.limits

    def follow(self) -> bool:
        """Start anew if the policies of the PDP were edited; returns whether they were."""
        if self.pdp.digest == self.before.provenance.policy_digest:
            return False
        self._read(asked_again(self.before, self.pdp))
        return True

    def limit(self, address: str) -> Limit:
        """The limit that a reader means; raises as ``lab.what_if``."""
        return limit_at(self.movable, address)

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that differ from the policies, by address.

        Raises:
            InputError: as ``lab.what_if``.
        """
        return {limit.address: value for limit, value in self.moves(values) if value != limit.value}

    def moves(self, values: Mapping[str, Any]) -> list[Move]:
        """The limits that addresses mean, with their new values; raises as ``lab.what_if``."""
        return moves_of(self.movable, values)

    def _answer(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], _Answer]:
        self.follow()
        moved = self.checked(values)
        key = self._key(moved)
        if key not in self._kept:
            decisions = asked_again(self.before, self.moved(moved), audit=FEW_CHECKS)
            self._kept[key] = _Answer(decisions, moved)
            for old in [one for one in self._kept if one != self._key({})][:-MOST_KEPT]:
                del self._kept[old]
        return moved, self._kept[key]

    def moved(self, values: Mapping[str, Any]) -> PDP:
        """The PDP with these values, until the next ones are asked about."""
        if self._moved is None or not self._moved.pdp.is_open:
            msg = "this is closed; make another with lab.tune(...)"
            raise InputError(msg)
        return self._moved.move(values)

    def decisions(self, values: Mapping[str, Any]) -> Decisions:
        """What is decided with these values.

        Args:
            values: by address or constant; the others are those of the policies.

        Raises:
            InputError, PolicyError, PDPError: as ``lab.what_if`` and ``lab.sweep``.
        """
        return self._answer(values)[1].decisions

    def asked_fully(self, values: Mapping[str, Any]) -> Decisions:
        """The same with all spot checks of a sweep; not kept."""
        return asked_again(self.before, self.moved(values))

    def quick_changes(self, values: Mapping[str, Any]) -> Changes:
        """Who gains and loses what; no witness is asked again, so that it keeps up with a slider.

        Where a limit passes no other number since an answer that is kept, nothing is asked.
        """
        self.follow()
        moved = self.checked(values)
        key = self._key(moved)
        if key not in self._kept:
            if self._read_last is None or self._read_last[0] != key:
                read = self._read_from_kept(moved)
                self._read_last = None if read is None else (key, self._quick(read))
            if self._read_last is not None:
                return self._read_last[1]
        _, answer = self._answer(values)
        if answer.quick is None:
            answer.quick = self._quick(answer.decisions)
        return answer.changes or answer.quick

    def _quick(self, decisions: Decisions) -> Changes:
        return changes_of(self.before, decisions, ask=False, same_people=True)

    def _read_from_kept(self, moved: dict[str, Any]) -> Decisions | None:
        """What is decided with moved limits, if an answer that is kept tells it for most people."""
        if self._moved is None or not self._moved.pdp.is_open:
            return None
        (as_they_are, *others) = self._kept.values()
        kept = [*others[: -MOST_TRIED - 1 : -1], as_they_are]
        moves = [self._order.between(one.decisions, one.moved, moved) for one in kept]
        best = min(
            (move for move in moves if move is not None), key=lambda move: len(move.passed), default=None
        )
        if best is None or len(best.passed) > len(self.before.names) * MOST_ASKED:
            return None

        def ask(some: Decisions) -> Decisions:
            return asked_again(some, self.moved(moved), audit=FEW_CHECKS)

        return self._order.read(best, self._moved.digest_with(moved), ask)

    def changes(self, values: Mapping[str, Any]) -> Changes:
        """Who gains and loses what, with every witness asked again of both PDPs.

        Raises:
            PolicyError: if the policies do not compile with these values.
        """
        moved, answer = self._answer(values)
        if answer.changes is None:
            self.moved(moved).check_policies()
            answer.changes = changes_of(self.before, answer.decisions, same_people=True)
        return answer.changes

    def is_known(self, values: Mapping[str, Any]) -> bool:
        """Whether changes and replay of these values are kept, so that they ask nothing."""
        answer = self._kept.get(self._key(self.checked(values)))
        if answer is None or answer.changes is None:
            return False
        return self.records is None or answer.replay is not None

    def replay(self, values: Mapping[str, Any]) -> Replay | None:
        """The past records against the policies with these values; None without records."""
        if self.records is None:
            return None
        moved, answer = self._answer(values)
        if answer.replay is None:
            against = self.moved(moved) if moved else None
            about = {"action": self.before.actions[0], **self.replayed}
            answer.replay = replay(
                self.pdp, self.before.principals, self.records, self.before.kind, against=against, **about
            )
        return answer.replay

    def close(self) -> None:
        """End the PDP on the copy; can be called repeatedly."""
        if self._moved is not None:
            self._moved.close()
