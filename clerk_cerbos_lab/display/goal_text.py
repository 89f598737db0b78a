"""A value that reaches a goal, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.display.changes_text import interval_text
from clerk_cerbos_lab.formatting import label, number_label
from clerk_cerbos_lab.templates import render
from clerk_cerbos_lab.values import json_number

if TYPE_CHECKING:
    import pandas as pd

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.goal import Goal, GoalValue


def gap_text(gap: pd.Series[Any], along: str) -> str:
    """``region midwest: 1 of 2 people for 10,000 < amount ≤ 20,000``, from a row of ``Decisions.gaps``."""
    groups = [f"{name} {label(value)}" for name, value in gap.items() if name not in _COLUMNS]
    ends = (gap["lower"], gap["lower_closed"], gap["upper"], gap["upper_closed"])
    told = f"{gap['gap']} for {interval_text(ends, along)}"
    return f"{', '.join(groups)}: {told}" if groups else told


_COLUMNS = {"lower", "lower_closed", "upper", "upper_closed", "gap", "approvers", "who", "exact"}


def goal_text(goal: Goal, decisions: Decisions) -> str:
    """``at least 2 people may approve every amount up to 20,000, by region``."""
    if goal.test is not None:
        name = getattr(goal.test, "__name__", "<lambda>")
        return "the given function is true" if name == "<lambda>" else f"{name} is true"
    people = "somebody" if goal.at_least == 1 else f"at least {goal.at_least} people"
    action = goal.action or (decisions.actions[0] if len(decisions.actions) == 1 else "decide")
    if goal.of_records:
        return f"{people} may {action} each record"
    top = "" if goal.up_to is None else f" up to {number_label(goal.up_to)}"
    low = f" above {number_label(goal.above)}" if goal.above or not top else ""
    groups = [goal.by] if isinstance(goal.by, str) else list(goal.by)
    by = f", for each {' and '.join(groups)}" if groups else ""
    return f"{people} may {action} every {goal.along}{low}{top}{by}"


def text_of(found: GoalValue) -> str:
    """The value, and why it is the smallest or largest."""
    return "\n".join(lines_of(found))


def html_of(found: GoalValue) -> str:
    """The same as HTML."""
    headline, *lines = lines_of(found)
    return render("goal.html.j2", headline=headline, lines=lines)


def lines_of(found: GoalValue) -> list[str]:
    """The lines of the text: the value first."""
    which = "largest" if found.largest else "smallest"
    if found.value is None:
        lines = [f"No {which} value: {found.reason}.", f"{found.address}. Goal: {found.goal}."]
    else:
        now = number_label(json_number(found.now))
        lines = [
            f"{number_label(json_number(found.value))} is the {which} value (now {now}).",
            f"{found.address}. Goal: {found.goal}.",
        ]
        if found.beside is not None:
            lines.append(f"At {number_label(json_number(found.beside))} it is not reached: {found.missing}.")
    if not found.monotone:
        runs = [
            number_label(json_number(low))
            if low == high
            else f"{number_label(json_number(low))} to {number_label(json_number(high))}"
            for low, high in found.stretches
        ]
        tried = f"each of the {len(found.asked):,} values at which something can change was tried"
        told = f"it is reached from {', and from '.join(runs)}" if runs else "none reaches it"
        lines.append(f"That more is only more could not be read from the policies: {tried}; {told}.")
    return lines
