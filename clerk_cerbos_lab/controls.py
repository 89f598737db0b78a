"""What can be turned in an explorer: read off the policies, their schemas and the principals, not made up.

Each attribute of the resource that the policies read becomes a control, with the values that they compare it
with: literals, constants, the principals' own attributes, what a schema lists.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.analysis import ORDERS, RESOURCE_ID, analyse
from clerk_cerbos_lab.constants import constants_of
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.library import Audience, Library
from clerk_cerbos_lab.points import candidates_from, value_of
from clerk_cerbos_lab.values import MISSING, OTHER, SELF, key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clerk_cerbos_lab.analysis import Use
    from clerk_cerbos_lab.pdp import PDP
    from clerk_cerbos_lab.principals import People

MOST_VALUES: Final = 200
"""Values that one control offers; there is a note when there were more."""

STEPS: Final = 120
"""About how many amounts a range has at first."""

RESERVED: Final = frozenset({"actions", "constants", "look", "principal", "action", "effect"})
"""Names that a state, or a frame of decisions, has for something else."""

SCHEMAS: Final = "_schemas"
"""The folder in which Cerbos's disk store looks for schemas."""


@dataclass(slots=True)
class Choice:
    """An attribute with values to choose from.

    Attributes:
        name: of the attribute.
        values: offered, no two the same for the PDP; ``MISSING`` last.
        of_principal: whether it is compared with an attribute of the principal.
        given: whether the caller gave the values; then all of them are chosen at first.
    """

    name: str
    values: list[Any]
    of_principal: bool = False
    given: bool = False

    def with_more(self, values: Iterable[Any]) -> list[Any]:
        """Its values, and of these those that it has not."""
        self.add(values)
        return self.values

    def add(self, values: Iterable[Any]) -> None:
        """Offer more values."""
        known = {key(value) for value in self.values}
        new = list({key(value): value for value in values if key(value) not in known}.values())
        at = len(self.values) - (1 if self.values[-1:] == [MISSING] else 0)
        self.values[at:at] = new


@dataclass(slots=True)
class Range:
    """The numeric attribute whose amounts stand across the top.

    Attributes:
        name: of the attribute.
        ticks: the numbers that the policies compare it with, ascending.
        low, high, step: the amounts at first.
    """

    name: str
    ticks: list[float]
    low: float
    high: float
    step: float


@dataclass(slots=True)
class Controls:
    """Everything that can be turned.

    Attributes:
        actions: offered.
        choices: by attribute.
        range: the numeric attribute, if there is one.
        constants: the policies' own numbers that can be moved, by name; of equal names none.
        notes: sentences on what could not be read.
    """

    actions: tuple[str, ...]
    choices: dict[str, Choice] = field(default_factory=dict)
    range: Range | None = None
    constants: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def controls_of(
    pdp: PDP, people: People, kind: str, actions: tuple[str, ...], given: Mapping[str, Sequence[Any]]
) -> Controls:
    """Read the controls off the policies.

    Args:
        pdp: tells its policies.
        people: the principals.
        kind: the resource kind.
        actions: to offer.
        given: values by attribute that the caller wants to start with.

    Raises:
        InputError: when nothing is known that could be turned.
    """
    made = Controls(actions, constants=_constants(pdp))
    uses = _uses(pdp, kind, actions, made)
    numeric: dict[str, list[float]] = {}
    lowest: dict[str, float] = {}
    for name in dict.fromkeys([*uses, *given]):
        if name in RESERVED:
            made.notes.append(
                f"The attribute {name} can't be turned here: the explorer's state has that name."
            )
            continue
        choice, ticks, rules = _control(name, uses.get(name), people, kind)
        choice.add(_of_schema(pdp, kind, name))
        if ticks:
            numeric[name] = ticks
            lowest[name] = min([0.0, *rules])
        if name in given:
            choice.given = True
            choice.values = Choice(name, list(given[name])).with_more(choice.values)
            if name not in numeric and _all_numbers(given[name]) and len(given[name]) > 1:
                numeric[name] = []
        if MISSING not in choice.values:
            choice.values.append(MISSING)
        if len(choice.values) > MOST_VALUES:
            made.notes.append(
                f"{name}: the first {MOST_VALUES} of {len(choice.values):,} values are offered."
            )
            choice.values = choice.values[:MOST_VALUES]
        made.choices[name] = choice
    if numeric:
        _put_across(made, numeric, lowest, given)
    if not made.choices and made.range is None and len(actions) < 2:
        msg = f"nothing can be turned: the policies of '{kind}' read no attribute; give some, region=[…]"
        raise InputError(msg)
    return made


def _constants(pdp: PDP) -> dict[str, float]:
    """The numeric constants of policies that can be copied, each name that stands once."""
    if pdp.own_policies is None:
        return {}
    known = constants_of(pdp.documents())
    names = [constant.name for constant in known]
    return {
        constant.name: _plain(constant.value)
        for constant in known
        if names.count(constant.name) == 1
        and isinstance(constant.value, (int, float))
        and not isinstance(constant.value, bool)
    }


def _put_across(
    made: Controls,
    numeric: Mapping[str, list[float]],
    lowest: Mapping[str, float],
    given: Mapping[str, Sequence[Any]],
) -> None:
    """Make the numeric attribute with most to see a range; the others stay choices."""
    across = max(numeric, key=lambda name: (len(given.get(name, ())), len(numeric[name])))
    wanted = given.get(across)
    made.range = _range(
        across, numeric[across], lowest.get(across, 0.0), wanted if wanted and len(wanted) > 1 else None
    )
    del made.choices[across]
    for name in set(numeric) - {across}:
        numbers = [_plain(tick) for tick in numeric[name]]
        if not made.choices[name].given:
            made.choices[name].values = [*numbers, *([numbers[-1] + 1] if numbers else [0]), MISSING]


def _uses(pdp: PDP, kind: str, actions: tuple[str, ...], made: Controls) -> dict[str, Use]:
    try:
        found = analyse(Library(pdp.documents()), kind, Audience(actions, None))
    except PDPError as error:
        made.notes.append(f"The PDP does not tell its policies ({error}): only what was given can be turned.")
        return {}
    if found.unreadable:
        made.notes.append(
            f"The policies can't be read whole ({found.unreadable}): their values are not offered."
        )
        _, read = pdp.resource_attributes(kind)
        from clerk_cerbos_lab.analysis import Use  # noqa: PLC0415 - an empty one, for its name only

        return {name: Use() for name in sorted(read)}
    return {name: found.uses[name] for name in sorted(found.uses) if name != RESOURCE_ID}


def _control(name: str, use: Use | None, people: People, kind: str) -> tuple[Choice, list[float], set[float]]:
    """The values an attribute is compared with; those by order; of these, the policies' own."""
    choice = Choice(name, [])
    ticks: set[float] = set()
    rules: set[float] = set()
    for comparison in use.comparisons if use else ():
        path = comparison.path or ()
        if path[:2] == ("P", "id"):
            choice.add([SELF, OTHER])
            continue
        if path[:1] == ("R",):
            continue
        if path[:2] == ("P", "attr"):
            choice.of_principal = True
            column = people.attributes.get(path[2]) if len(path) > 2 else None
            values = [] if column is None else _frequent(column.codes, column.values)
        else:
            told = value_of(comparison, people[0], {}, kind)
            values = told if isinstance(told, list) else []
        if comparison.operator in ORDERS:
            numbers = candidates_from(values).numbers
            ticks.update(numbers)
            rules.update(() if path[:2] == ("P", "attr") else numbers)
        else:
            choice.add(value for value in _scalars(values) if value is not None)
    if use is not None and not use.comparisons:
        choice.add([True, False])
    return choice, sorted(ticks), rules


def _frequent(codes: Any, values: Sequence[Any]) -> list[Any]:
    """The values of a column, the most frequent first."""
    counts = np.bincount(codes, minlength=len(values))
    return [values[i] for i in np.argsort(-counts, kind="stable") if values[i] is not MISSING]


def _scalars(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            found += _scalars(value)
        elif value is None or isinstance(value, (bool, int, float, str)):
            found.append(_plain(value))
    return found


def _plain(value: Any) -> Any:
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def _all_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) and v is not MISSING for v in values)


def _range(name: str, ticks: list[float], low: float, given: Sequence[Any] | None) -> Range:
    """Amounts around the ticks, in round numbers from ``low``; or those that were given."""
    if given is not None:
        ordered = sorted(given)
        return Range(name, ticks, ordered[0], ordered[-1], min(np.diff(ordered).tolist()))
    span = (max([*ticks, 1.0]) - low) * 1.2
    step = _round(span / STEPS)
    low = math.floor(low / step) * step
    return Range(name, ticks, _plain(low), _plain(low + math.ceil(span / step) * step), _plain(step))


def _round(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= value * 0.999))


def _of_schema(pdp: PDP, kind: str, name: str) -> list[Any]:
    """The values that a resource schema lists for an attribute; none where there is no such list."""
    own = pdp.own_policies
    if own is None:
        return []
    found: list[Any] = []
    for document in pdp.documents():
        policy = document.get("resourcePolicy") or {}
        ref = ((policy.get("schemas") or {}).get("resourceSchema") or {}).get("ref", "")
        if policy.get("resource") != kind or not ref.startswith("cerbos:///"):
            continue
        path = own[0] / SCHEMAS / ref.removeprefix("cerbos:///")
        try:
            properties = json.loads(path.read_text("utf-8")).get("properties", {})
        except (OSError, ValueError, AttributeError):  # the PDP says so itself where it matters
            continue
        about = properties.get(name, {})
        found += _scalars(about.get("enum", []))
        if about.get("type") == "boolean":
            found += [True, False]
    return [value for value in found if value is not None]
