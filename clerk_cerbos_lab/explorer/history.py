"""What can be undone in an explorer: one history, of what Python and of what the browser changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clerk_cerbos_lab import limits


@dataclass(frozen=True, slots=True)
class Moment:
    """How an explorer was.

    Attributes:
        state: what was chosen in its controls.
        look: how the matrix was shown.
    """

    state: dict[str, Any]
    look: dict[str, Any]


class History:
    """Moments before the present one, and those that were undone."""

    def __init__(self) -> None:
        self._past: list[Moment] = []
        self._future: list[Moment] = []

    @property
    def previous(self) -> Moment | None:
        """What undoing goes back to."""
        return self._past[-1] if self._past else None

    @property
    def next(self) -> Moment | None:
        """What redoing goes on to."""
        return self._future[-1] if self._future else None

    def remember(self, moment: Moment) -> None:
        """Keep how it was before a change; what was undone can't be redone any more."""
        self._past = [*self._past[-limits.UNDO_STEPS + 1 :], moment]
        self._future = []

    def forget(self) -> None:
        """The change before which the last moment was kept did not come about."""
        self._past.pop()

    def undone(self, now: Moment) -> None:
        """The last change was undone; ``now`` is how it was until then."""
        self._past.pop()
        self._future.append(now)

    def redone(self, now: Moment) -> None:
        """The change that was undone last was made again; ``now`` is how it was until then."""
        self._future.pop()
        self._past.append(now)

    def offered(self) -> dict[str, bool]:
        """Whether there is anything to undo and to redo."""
        return {"undo": bool(self._past), "redo": bool(self._future)}
