"""The values of a limit at which a goal can begin or cease to be reached."""

from __future__ import annotations

import itertools
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.attribute_names import name_of
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.kept_records import KeptRecords
from clerk_cerbos_lab.insights.records import read_frame
from clerk_cerbos_lab.insights.sql_table import SqlTable, different_values
from clerk_cerbos_lab.policies.limit_uses import comparisons_of
from clerk_cerbos_lab.policies.paths import ELEMENT, attribute_steps
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.sweeps.breakpoints import breakpoints_from, value_of
from clerk_cerbos_lab.values import RESOURCE_ID, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.policies.addresses import Limit
    from clerk_cerbos_lab.policies.analysis import Comparison
    from clerk_cerbos_lab.policies.index import PolicyIndex

CENT: Final = Decimal("0.01")

FORM: Final = frozenset(
    {"action", "amount", "attr", "cents", "columns", "currency", "date", "nulls", "policy_version", "record"}
    | {"scope", "timezone", "unknown_owners"}
)
"""Arguments of ``lab.replay`` that are not attributes."""

DIGITS: Final = 60
"""More than any double and its neighbours need."""


def step_of(limit: Limit, step: float | None) -> Decimal:
    """The distance between two values that a limit can have: the given one, a cent, or 1 for an integer.

    Raises:
        InputError: if the limit is not a number, or the step is none or does not fit its type.
    """
    if not is_number(limit.value):
        msg = f"'{limit.address}' is not a number: there is no smallest or largest"
        raise InputError(msg)
    integer = limit.constant is None and isinstance(limit.value, int)
    if step is None:
        return Decimal(1) if integer else CENT
    made = Decimal(str(step)) if is_number(step) else Decimal(0)
    if not made.is_finite() or made <= 0 or (integer and made % 1):
        msg = f"step must be a positive {'whole ' if integer else ''}number, not {step!r}"
        raise InputError(msg)
    return made


def numbers_in_question(
    limit: Limit, index: PolicyIndex, decisions: Decisions, along: str | None
) -> set[float]:
    """The numbers at which a limit can change a decision.

    Args:
        limit: the limit.
        index: of the policies.
        decisions: the question and the people.
        along: the numeric axis of which every number counts; None for only those that were swept.

    Raises:
        InputError: if the limit or the axis is used in another way than in comparisons.
    """
    comparisons = comparisons_of(limit, index, decisions.kind, decisions.actions)
    found: set[float] = set()
    if along is not None and any(attribute_of(one) == along for one in comparisons):
        comparisons = [one for one in comparisons if attribute_of(one) != along]
        found = numbers_of_axis(along, index, decisions)
    return found | _values(comparisons, decisions, _sent(decisions))


def numbers_of_axis(along: str, index: PolicyIndex, decisions: Decisions) -> set[float]:
    """Every number that the policies compare a numeric axis with, for these people.

    Args:
        along: the name of the axis.
        index: of the policies.
        decisions: the question and the people.

    Raises:
        InputError: if the policies do anything else with it.
    """
    return _values(_use_of(along, index, decisions), decisions, _sent(decisions))


def _sent(decisions: Decisions) -> dict[str, list[Any]]:
    """The values of each resource attribute."""
    sent: dict[str, list[Any]] = {RESOURCE_ID: ["resource"]}
    sent |= {name: [value] for name, value in decisions.fixed.items()}
    return sent | {axis.name: list(axis.values) for axis in decisions.axes}


def numbers_in_records(
    limit: Limit, index: PolicyIndex, decisions: Decisions, records: Any, form: Mapping[str, Any]
) -> set[float]:
    """The same for past records, with the arguments of ``lab.replay`` about them."""
    action = (str(form.get("action", decisions.actions[0])),)
    comparisons = comparisons_of(limit, index, decisions.kind, action)
    fixed = {**{name: value for name, value in form.items() if name not in FORM}, **(form.get("attr") or {})}
    columns = dict(form.get("columns") or {})
    amount = form.get("amount", "amount")
    sent: dict[str, list[Any]] = {RESOURCE_ID: []}
    for name in {attribute_of(one) for one in comparisons} - {""}:
        column = columns.get(name, name)
        if name in fixed:
            sent[name] = [fixed[name]]
            continue
        cents = bool(form.get("cents")) and name == amount
        values: Iterable[Any] | None
        if isinstance(records, SqlTable):
            values = different_values(records, column) if column in records.columns else None
        else:
            frame = records.frame if isinstance(records, KeptRecords) else read_frame(records)
            values = dict.fromkeys(frame[column].dropna().array) if column in frame.columns else None
        if values is not None:
            sent[name] = list(_numbers(values, cents=cents))
    return _values(comparisons, decisions, sent)


def _numbers(values: Iterable[Any], *, cents: bool) -> Iterable[float]:
    """The numbers among the values of a column, which are texts in a CSV file."""
    for value in values:
        try:
            number = Decimal(str(value))
        except ArithmeticError:
            continue
        if number.is_finite():
            yield float(number / 100 if cents else number)


def _use_of(along: str, index: PolicyIndex, decisions: Decisions) -> list[Comparison]:
    """Everything that the policies compare an axis with."""
    found = index.analysis(decisions.kind, Audience(tuple(decisions.actions), None))
    use = found.uses.get(along)
    otherwise = [] if use is None else [*use.otherwise, *(term.where for term in use.terms)]
    if found.unreadable or otherwise or found.whole:
        why = found.unreadable or "; ".join([*otherwise, *found.whole])
        msg = (
            f"the policies do more with {along} than compare it ({why}): give goal= and the amounts to sweep"
        )
        raise InputError(msg)
    return [] if use is None else list(use.comparisons)


def attribute_of(comparison: Comparison) -> str:
    """The resource attribute on the other side of a comparison with a limit; empty for anything else."""
    path = comparison.path or ()
    return name_of(attribute_steps(path)) if path[:2] == ("R", "attr") and len(path) > 2 else ""


def _values(
    comparisons: Sequence[Comparison], decisions: Decisions, sent: Mapping[str, Sequence[Any]]
) -> set[float]:
    found: set[float] = set()
    people = read_principals(decisions.principals)
    for one in comparisons:
        path = one.path or ()
        for row in _different(people, path):
            values = value_of(one, people[row], sent, decisions.kind)
            if not isinstance(values, list) or ELEMENT in path:
                msg = f"only the PDP can compute what is compared: {one.environment.file}"
                raise InputError(msg)
            found.update(breakpoints_from(values).numbers)
    return found


def _different(people: PrincipalTable, path: Sequence[str]) -> Iterable[int]:
    """Rows of principals among whom there is every value of a path."""
    if path[:2] == ("P", "attr") and len(path) > 2:
        column = people.attributes.get(path[2])
        return range(1) if column is None else np.unique(column.codes, return_index=True)[1].tolist()
    return range(len(people) if path[:1] == ("P",) or RESOURCE_ID in path else 1)


def candidates(numbers: Iterable[float], step: Decimal, *, largest: bool) -> list[Decimal]:
    """The multiples of a step that are first, in the direction of the search, in a stretch without change.

    Args:
        numbers: where something can change; a stretch is one of them, or lies between two of them.
        step: the distance between values.
        largest: search downwards.

    Returns:
        From the first stretch to the last; the first value lies before all numbers.
    """
    exact = sorted({Decimal(repr(float(number))) for number in numbers}, reverse=largest)
    if not exact:
        return []
    with localcontext(prec=DIGITS):
        found = [_beside(exact[0], step, above=largest)]
        for number, following in itertools.zip_longest(exact, exact[1:]):
            if number % step == 0:
                found.append(number)
            after = _beside(number, step, above=not largest)
            if following is None or (after > following if largest else after < following):
                found.append(after)
    if any(float(one) == float(other) for one, other in itertools.pairwise(found)):
        msg = f"step={step} is too small for numbers such as {float(max(exact, key=abs)):,}"
        raise InputError(msg)
    return found


def _beside(number: Decimal, step: Decimal, *, above: bool) -> Decimal:
    """The next multiple of a step above or below a number."""
    if above:
        return ((number / step).to_integral_value(ROUND_FLOOR) + 1) * step
    return ((number / step).to_integral_value(ROUND_CEILING) - 1) * step
