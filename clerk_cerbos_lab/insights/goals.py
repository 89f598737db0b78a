"""The smallest or largest value of a limit that reaches a goal, found exactly and proven by the PDP.

Why it is exact. The limit is only compared with values of the request, of people and of policies; if it is
used in any other way, this is refused. The outcome of a comparison depends only on how the limit is ordered
with the other side. So the decision about a request can change only where the limit passes one of these
values. A goal about *every* amount of an axis can in addition change where the limit passes a number that
the policies compare the axis with, or an end of the goal's range: between two of all these numbers the
segments of each line are the same, in the same order, whatever the limit. So one value in each stretch
between two of these numbers, and each of the numbers, stand for all. If the text of the policies shows that
raising the limit only allows more (or only less), the first value that reaches the goal is found by
bisection, else every one is tried. In the end the PDP is asked about the value and about the one just before
it, with the spot checks of a full sweep.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.decisions.changes import numeric_axis
from clerk_cerbos_lab.decisions.goal import Goal, GoalValue
from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.insights.goal_values import (
    candidates,
    numbers_in_question,
    numbers_in_records,
    step_of,
)
from clerk_cerbos_lab.insights.tuning import Tuning
from clerk_cerbos_lab.policies.limit_uses import raising
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.policies.addresses import Limit

MOST: Final = 2_000
"""Values that are tried one after the other; bisection needs few of any number."""


def smallest(
    pdp: PDP,
    decisions: Decisions,
    limit: str,
    /,
    *,
    at_least: int | None = None,
    by: str | Sequence[str] = (),
    up_to: float | None = None,
    above: float = 0,
    along: str | None = None,
    action: str | None = None,
    goal: Callable[[Any], object] | None = None,
    records: Any = None,
    replay: Mapping[str, Any] | None = None,
    step: float | None = None,
) -> GoalValue:
    """The smallest value of a limit that reaches a goal, such as two approvers in every region up to 20,000.

    >>> lab.smallest(pdp, decisions, "regional_manager_limit", at_least=2, by="region", up_to=20_000)
    >>> lab.smallest(pdp, decisions, "finance_limit", at_least=1, records="data/expenses.csv",
    ...              replay={"status": "OPEN"})

    It is exact: the goal is reached at the value, and not at the one before it; the PDP is asked about both.

    Args:
        pdp: a PDP that was started here.
        decisions: the question and the people; what they answer does not matter.
        limit: a number in the policies, by its address or a constant's name, as in ``lab.what_if``.
        at_least: how many people must be allowed to take the action: for every amount above ``above``, up to
            and including ``up_to``, in each group of ``by`` (as in ``Decisions.gaps``); with records, for
            each of them.
        by: axes or attributes of principals, as in ``Decisions.gaps``.
        up_to: the highest amount; default: there is none.
        above: amounts above this one count.
        along: the numeric axis, if there are several.
        action: the action, if the decisions have several.
        goal: instead of ``at_least``, a function of ``Decisions`` (or of ``Replay`` with records) that
            returns whether the goal is reached. It may read the effects at the amounts that were swept.
        records: past records, as ``lab.replay`` takes them.
        replay: further arguments of ``lab.replay`` about them.
        step: the distance between values; default: 0.01, or 1 for an integer in an expression.

    Returns:
        ``GoalValue``. If no value reaches the goal, or each down to the lowest, its value is None and its
        ``reason`` says so.

    Raises:
        InputError: for something that is no number in the policies, one that is not only compared, or a goal
            that does not fit the decisions.
        PolicyError: if the policies do not compile.
        PDPError: if the PDP refuses, or the goal is reached just before the value that was found.
    """
    wanted = goal_of(decisions, at_least, by, up_to, above, along, action, goal, records)
    return _of_decisions(pdp, decisions, limit, wanted, records, replay, step, largest=False)


def largest(
    pdp: PDP,
    decisions: Decisions,
    limit: str,
    /,
    *,
    at_least: int | None = None,
    by: str | Sequence[str] = (),
    up_to: float | None = None,
    above: float = 0,
    along: str | None = None,
    action: str | None = None,
    goal: Callable[[Any], object] | None = None,
    records: Any = None,
    replay: Mapping[str, Any] | None = None,
    step: float | None = None,
) -> GoalValue:
    """The largest value of a limit that reaches a goal, for one that takes away more the higher it is.

    >>> lab.largest(pdp, decisions, "V.is_positive: amount > 0", at_least=2, by="region", above=50, up_to=500)

    Arguments, result and errors are those of ``lab.smallest``.
    """
    wanted = goal_of(decisions, at_least, by, up_to, above, along, action, goal, records)
    return _of_decisions(pdp, decisions, limit, wanted, records, replay, step, largest=True)


def goal_of(  # noqa: PLR0917 - what a goal is made of
    decisions: Decisions,
    at_least: int | None,
    by: str | Sequence[str],
    up_to: float | None,
    above: float,
    along: str | None,
    action: str | None,
    test: Callable[[Any], object] | None,
    records: Any,
) -> Goal:
    """A goal from the arguments of ``lab.smallest``; raises as it does."""
    if (at_least is None) == (test is None):
        msg = "say what to reach: at_least=2 people, or goal= with a function; not both"
        raise InputError(msg)
    if at_least is not None and (isinstance(at_least, bool) or not isinstance(at_least, int) or at_least < 1):
        msg = f"at_least must be a number of people, 1 or more, not {at_least!r}"
        raise InputError(msg)
    if records is not None or test is not None:
        if by != () or up_to is not None:
            msg = "by= and up_to= belong to at_least= without records="
            raise InputError(msg)
        return Goal(at_least, test=test, of_records=records is not None)
    axis = numeric_axis(decisions, along)
    if axis is None:
        msg = "at_least= needs decisions along a numeric axis, such as amount=[…]"
        raise InputError(msg)
    if up_to is not None and not up_to > above:
        msg = f"up_to={up_to:,} must be above {above:,} (above=)"
        raise InputError(msg)
    return Goal(at_least, by, up_to, above, axis, action)


def _of_decisions(  # noqa: PLR0917 - as above
    pdp: PDP,
    decisions: Decisions,
    address: str,
    goal: Goal,
    records: Any,
    replayed: Mapping[str, Any] | None,
    step: float | None,
    *,
    largest: bool,
) -> GoalValue:
    tuning = Tuning(pdp, decisions, records=records, replayed=replayed)
    try:
        return value_for(tuning, address, goal, step, {}, largest=largest)
    finally:
        tuning.close()


def value_for(
    tuning: Tuning,
    address: str,
    goal: Goal,
    step: float | None,
    others: Mapping[str, Any],
    *,
    largest: bool,
) -> GoalValue:
    """The smallest or largest value of a limit that reaches a goal; see ``smallest``.

    Args:
        tuning: the answers for each value.
        address: of the limit.
        goal: the goal.
        step: the distance between values.
        others: the values of other limits, by address.
        largest: search the largest.
    """
    limit = tuning.limit(address)
    width = step_of(limit, step)
    search = _Search(tuning, limit, goal, {n: v for n, v in others.items() if n != limit.address})
    order = candidates(_numbers(search, limit), width, largest=largest)
    if limit.spot.expression and limit.spot.expression[slice(*limit.spot.span)].strip()[-1:] in {"u", "U"}:
        order = [value for value in order if value >= 0]
    sign = raising(limit, tuning.pdp.index, tuning.before.kind, tuning.before.actions)
    monotone = bool(sign) and goal.test is None and not tuning.pdp.strict
    place = _first(search, order, sign=(-sign if largest else sign) if monotone else 0)
    found: dict[str, Any] = {"value": None, "beside": None, "missing": ""}
    if place is None:
        found["reason"] = "no value reaches it" + (f": {search.missing(order[-1])}" if order else "")
    elif place == 0:
        end = f"from {order[0]:,f} upwards" if largest else f"up to {order[0]:,f}"
        found["reason"] = f"every value {end} reaches it"
    else:
        beside = order[place] + (width if largest else -width)
        search.prove(order[place], reached=True)
        search.prove(beside, reached=False)
        found |= {"value": search.plain(order[place]), "beside": search.plain(beside)}
        found["missing"] = search.missing(beside)
    asked = sorted((search.plain(value), not told) for value, told in search.told.items())
    return GoalValue(
        address=limit.address,
        now=search.plain(Decimal(repr(limit.value))),
        step=float(width),
        largest=largest,
        monotone=monotone,
        asked=tuple(asked),
        goal=str(drawn_by("goal text")(goal, tuning.before)),
        **found,
    )


def _numbers(search: _Search, limit: Limit) -> set[float]:
    """The numbers at which the goal can change, and the ends of its range."""
    tuning, goal = search.tuning, search.goal
    index = tuning.moved(search.others).index if search.others else tuning.pdp.index
    limit = index.limits[tuning.movable.index(limit)]  # the same place with the other values
    if goal.of_records:
        found = numbers_in_records(limit, index, tuning.before, tuning.records, tuning.replayed)
    else:
        found = numbers_in_question(limit, index, tuning.before, goal.along)
    if not found:
        msg = f"'{limit.address}' can't change these decisions: nothing that it is compared with is sent"
        raise InputError(msg)
    if goal.along is not None:
        found |= {float(end) for end in (goal.above, goal.up_to) if end is not None}
    return found


def _first(search: _Search, order: Sequence[Decimal], sign: int) -> int | None:
    """The first value that reaches the goal.

    Args:
        search: asks about a value.
        order: the values.
        sign: 1 if each later one allows more, -1 if less, 0 if that is not known.
    """
    if sign < 0:
        return 0 if order and not search.missing(order[0]) else None
    if sign == 0:
        if len(order) > MOST:
            msg = f"{len(order):,} values would have to be tried, {MOST:,} at most: give fewer amounts"
            raise InputError(msg)
        with progress(len(order), "values") as advance:
            reached = []
            for value in order:
                reached.append(not search.missing(value))
                advance(1)
        return reached.index(True) if any(reached) else None
    if not order or search.missing(order[-1]):
        return None
    low, high = -1, len(order) - 1
    with progress(len(order).bit_length(), "values") as advance:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if search.missing(order[middle]) else (low, middle)
            advance(1)
    return high


class _Search:
    """Asks whether values of a limit reach a goal, each once."""

    def __init__(self, tuning: Tuning, limit: Limit, goal: Goal, others: Mapping[str, Any]) -> None:
        self.tuning, self.goal, self.others = tuning, goal, others
        self._limit = limit
        self._whole = limit.constant is None and isinstance(limit.value, int)
        self.told: dict[Decimal, str] = {}

    def plain(self, value: Decimal) -> float:
        """A value as the policies hold it."""
        return int(value) if self._whole or value == value.to_integral_value() else float(value)

    def _values(self, value: Decimal) -> dict[str, Any]:
        return {**self.others, self._limit.address: self.plain(value)}

    def missing(self, value: Decimal) -> str:
        """What is missing at a value; empty if it reaches the goal."""
        if value not in self.told:
            values = self._values(value)
            answer: Any = (
                self.tuning.replay(values) if self.goal.of_records else self.tuning.decisions(values)
            )
            self.told[value] = self.goal.missing(answer)
        return self.told[value]

    def prove(self, value: Decimal, *, reached: bool) -> None:
        """Ask the PDP about a value with all spot checks.

        Raises:
            PDPError: if it answers otherwise than expected.
        """
        told = self.missing(value)
        if not self.goal.of_records:
            told = self.goal.missing(self.tuning.asked_fully(self._values(value)))
        if (not told) != reached:
            msg = (
                f"'{self._limit.address}': the goal is {'not ' if reached else ''}reached at {value:,f}, "
                "other than the text of the policies shows: they use the limit in another way"
            )
            raise PDPError(msg)
