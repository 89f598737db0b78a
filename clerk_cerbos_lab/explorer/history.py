"""The undo history of an explorer: one history for changes made in Python and in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clerk_cerbos_lab import limits


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of an explorer at one moment.

    Attributes:
        state: the choice in its controls.
        look: the state of the matrix.
    """

    state: dict[str, Any]
    look: dict[str, Any]


class History:
    """The moments before the present one, and those that were undone."""

    def __init__(self) -> None:
        self._past: list[Moment] = []
        self._future: list[Moment] = []

    @property
    def previous(self) -> Moment | None:
        """The moment that undo returns to."""
        return self._past[-1] if self._past else None

    @property
    def next(self) -> Moment | None:
        """The moment that redo returns to."""
        return self._future[-1] if self._future else None

    def remember(self, moment: Moment) -> None:
        """Keep the moment before a change; undone changes can no longer be redone."""
        self._past = [*self._past[-limits.UNDO_STEPS + 1 :], moment]
        self._future = []

    def forget(self) -> None:
        """Drop the last moment, because the change after it failed."""
        self._past.pop()

    def undone(self, now: Moment) -> None:
        """The last change was undone; ``now`` is the moment before that."""
        self._past.pop()
        self._future.append(now)

    def redone(self, now: Moment) -> None:
        """The last undone change was redone; ``now`` is the moment before that."""
        self._future.pop()
        self._past.append(now)

    def offered(self) -> dict[str, bool]:
        """Whether there is anything to undo or redo."""
        return {"undo": bool(self._past), "redo": bool(self._future)}
