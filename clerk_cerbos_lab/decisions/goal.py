"""A goal for decisions or past records, and the value of a limit that reaches it.

``insights/goals.py`` makes these values and ``display/goal_text.py`` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.decisions import Decisions
from clerk_cerbos_lab.decisions.views import drawn_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clerk_cerbos_lab.decisions.replay import Replay


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value shall reach.

    Attributes:
        at_least: how many people; None if ``test`` decides.
        by: as in ``Decisions.gaps``.
        up_to: the highest amount; None for every amount above ``above``.
        above: the amounts above this one count.
        along: the numeric axis.
        action: the action.
        test: a function of ``Decisions``, or of ``Replay`` if there are records.
        of_records: whether the goal is about records.
    """

    at_least: int | None = None
    by: str | Sequence[str] = ()
    up_to: float | None = None
    above: float = 0
    along: str | None = None
    action: str | None = None
    test: Callable[[Any], object] | None = None
    of_records: bool = False

    def missing(self, answer: Decisions | Replay) -> str:
        """What is missing, in words; empty if the goal is reached."""
        if self.test is not None:
            return "" if self.test(answer) else "the goal is not reached"
        if not isinstance(answer, Decisions):
            few = answer.after < (self.at_least or 1)
            count, money = answer.total(few)
            records = "1 record has" if count == 1 else f"{count:,} records have"
            told = f"{records} too few people, {money:,f} {answer.money.currency}".rstrip()
            return told if few.any() else ""
        gaps = answer.gaps(str(self.along), by=self.by, at_least=self.at_least or 1, action=self.action)
        top = np.inf if self.up_to is None else self.up_to
        inside = (gaps["upper"] > self.above) & (
            (gaps["lower"] < top) | ((gaps["lower"] == top) & gaps["lower_closed"])
        )
        gaps = gaps[inside]
        return str(drawn_by("gap text")(gaps.iloc[0], str(self.along))) if len(gaps) else ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GoalValue:
    """The smallest or largest value of a limit that reaches a goal. As the last line of a cell it is shown.

    Attributes:
        address: of the limit.
        now: its value in the policies.
        value: the value that was found; None if there is none.
        beside: the next value in the other direction, at which the goal is not reached; None without a value.
        missing: what is missing there, in words.
        step: the distance between values.
        largest: whether the largest was searched.
        monotone: whether the policies show that a higher value only allows more, or only less; if not, each
            value at which something can change was tried.
        asked: the values that were asked about, ascending, and whether they reach the goal.
        goal: the goal in words.
        reason: why there is no value; empty if there is one.
    """

    address: str
    now: float
    value: float | None
    beside: float | None
    missing: str
    step: float
    largest: bool
    monotone: bool
    asked: tuple[tuple[float, bool], ...]
    goal: str
    reason: str = field(default="")

    @property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """The first and last value of each run of values that reach the goal, among those asked about."""
        found: list[tuple[float, float]] = []
        before = False
        for value, reached in self.asked:
            if reached:
                found[-1:] = [(found[-1][0], value)] if before else [*found[-1:], (value, value)]
            before = reached
        return tuple(found)

    def frame(self) -> pd.DataFrame:
        """One row per value that was asked about: ``value`` and ``reached``, ascending."""
        return pd.DataFrame(self.asked, columns=["value", "reached"])

    def __repr__(self) -> str:
        return str(drawn_by("goal value text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("goal value html")(self))
