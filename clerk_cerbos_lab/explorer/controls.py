"""The controls of an explorer, read from the policies, their schemas and the principals.

Each resource attribute that the policies read becomes a control, with the values that they compare it
with: literals, constants, the principals' own attributes, and values listed in a schema.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.attribute_names import is_inside, name_of, overlap, steps_of
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.explorer.state import checked_range
from clerk_cerbos_lab.identity.quality import unusual_texts
from clerk_cerbos_lab.policies.analysis import Use
from clerk_cerbos_lab.policies.paths import ELEMENT
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.policies.terms import ORDERS
from clerk_cerbos_lab.sweeps.breakpoints import breakpoints_from, value_of
from clerk_cerbos_lab.values import MISSING, OTHER, RESOURCE_ID, SELF, amounts, is_number, key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.pdp.client import PDP

STEPS: Final = 120
"""About how many amounts a range has initially."""

RESERVED: Final = frozenset({"principal", "action", "effect"})
"""Names with another meaning in a frame of decisions."""

SCHEMAS: Final = "_schemas"
"""The folder in which Cerbos's disk store looks for schemas."""


@dataclass(slots=True)
class Choice:
    """An attribute with values to choose from.

    Attributes:
        name: the attribute.
        values: the offered values, no two the same for the PDP.
        of_principal: whether the policies compare it with an attribute of the principal.
        given: the values that the caller gave, which are selected initially; empty for none.
        people: how many principals have a value, by its key, if the policies compare it with theirs.
        read_by: the actions whose rules read it; None if that is not known.
    """

    name: str
    values: list[Any]
    of_principal: bool = False
    given: list[Any] = field(default_factory=list)
    people: dict[Any, int] = field(default_factory=dict)
    read_by: frozenset[str] | None = None

    def unusual(self) -> list[int]:
        """The positions of values that only one principal has, where the others share a few."""
        held = {value: self.people[key(value)] for value in self.values if self._is_held_text(value)}
        odd = unusual_texts(held)
        return [i for i, value in enumerate(self.values) if isinstance(value, str) and value in odd]

    def _is_held_text(self, value: object) -> bool:
        return isinstance(value, str) and key(value) in self.people

    def add(self, values: Iterable[Any]) -> None:
        """Offer more values after the present ones, so that each value keeps its position."""
        known = {key(value) for value in self.values}
        self.values += {key(value): value for value in values if key(value) not in known}.values()


@dataclass(slots=True)
class Range:
    """The numeric attribute whose amounts are across the top.

    Attributes:
        name: the attribute.
        ticks: the numbers that the policies compare it with, ascending.
        start: the initial amounts, as a state holds them (see ``state``).
    """

    name: str
    ticks: list[float]
    start: dict[str, Any]


@dataclass(slots=True)
class Controls:
    """All controls of an explorer.

    Attributes:
        actions: the offered actions; not every version and scope needs to know all of them.
        choices: by attribute; includes ``resource_id`` if ids vary.
        range: the numeric attribute, if there is one.
        constants: the policies' numeric constants that can be changed, by name; ambiguous names are left out.
        variants: ``policy_version`` and ``scope``, if there are several to choose from, one at a time.
        notes: sentences about what could not be read.
    """

    actions: tuple[str, ...]
    choices: dict[str, Choice] = field(default_factory=dict)
    range: Range | None = None
    constants: dict[str, float] = field(default_factory=dict)
    variants: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def chosen_variants(self, pair: tuple[str, str]) -> dict[str, str]:
        """A version and scope as a state holds them; they are offered from now on."""
        chosen = dict(zip(("policy_version", "scope"), pair, strict=True))
        for name, offered in self.variants.items():
            if chosen[name] not in offered:
                offered.append(chosen[name])
        return {name: chosen[name] for name in self.variants}

    def check_any(self, kind: str) -> None:
        """Raise ``InputError`` if there are no controls."""
        if not (self.choices or self.range or self.variants or len(self.actions) > 1):
            msg = f"no controls: the policies of '{kind}' read no attributes; give some, such as region=[…]"
            raise InputError(msg)


def controls_of(
    pdp: PDP,
    people: PrincipalTable,
    kind: str,
    actions: tuple[str, ...],
    given: Mapping[str, Sequence[Any]],
    *,
    hidden: frozenset[str] = frozenset(),
) -> Controls:
    """Read the controls from the policies.

    Args:
        pdp: the PDP whose policies are read.
        people: the principals.
        kind: the resource kind.
        actions: the actions to offer.
        given: by attribute, the values that the caller wants to start with.
        hidden: principal attributes whose values are not offered, because they may be personal; the note
            below the decisions names them (``Disclosure.note``).
    """
    made = Controls(actions, constants=_constants(pdp, kind))
    uses = {
        name: use
        for name, use in _uses(pdp, kind, actions, made).items()
        if name in given or not any(overlap(name, other) for other in given)
    }
    numeric: dict[str, list[float]] = {}
    lowest: dict[str, float] = {}
    for name in dict.fromkeys([*uses, *given]):
        if name in RESERVED:
            made.notes.append(
                f"The attribute {name} has no control: every table of decisions has a column {name}."
            )
            continue
        found, theirs, ticks, rules = _control(name, uses.get(name), people, kind, hidden, made.notes)
        wanted = list(given.get(name, ()))
        choice = replace(found, values=list(wanted), given=wanted, read_by=_read_by(pdp, kind, actions, name))
        choice.add([*found.values, *_of_schema(pdp, kind, name), *theirs])
        if all(map(is_number, wanted)) and (ticks or len(wanted) > 1):
            numeric[name] = ticks
            lowest[name] = min([0.0, *rules])
        if len(choice.values) > limits.CONTROL_VALUES:
            made.notes.append(
                f"{name}: the first {limits.CONTROL_VALUES} of {len(choice.values):,} values are offered."
            )
            choice.values = choice.values[: max(limits.CONTROL_VALUES, len(wanted))]
        choice.add([MISSING])
        made.choices[name] = choice
    if numeric:
        _put_across(made, numeric, lowest, given)
    return made


def _constants(pdp: PDP, kind: str) -> dict[str, float]:
    """The numeric constants of policies that can be copied, if their name is unique."""
    if pdp.own_policies is None:
        return {}
    try:
        index = pdp.index
    except PDPError:  # reported where the attributes are read
        return {}
    known, seen = index.constants, index.constants_seen(kind)
    names = [constant.name for constant in known]
    return {
        constant.name: _plain(constant.value)
        for constant in sorted(known, key=lambda constant: constant.name)
        if names.count(constant.name) == 1
        and (seen is None or constant.name in seen)
        and isinstance(constant.value, (int, float))
        and not isinstance(constant.value, bool)
    }


def _put_across(
    made: Controls,
    numeric: Mapping[str, list[float]],
    lowest: Mapping[str, float],
    given: Mapping[str, Sequence[Any]],
) -> None:
    """Turn the numeric attribute with the most values into a range; the others stay choices."""
    across = max(numeric, key=lambda name: (len(given.get(name, ())), len(numeric[name])))
    made.range = _range(across, numeric[across], lowest[across], given.get(across))
    del made.choices[across]
    for name in set(numeric) - {across}:
        numbers = [_plain(tick) for tick in numeric[name]]
        if not made.choices[name].given:
            made.choices[name].values = [*_around(numbers), MISSING]


def _around(numbers: list[Any]) -> list[Any]:
    """A number below the compared ones, each of them, one between each two, and one above."""
    low, high = numbers[0], numbers[-1]
    between = [(a + b) / 2 for a, b in itertools.pairwise(numbers)]
    return sorted(
        map(_plain, {low / 2 if low > 0 else low - 1, *numbers, *between, high * 2 if high > 0 else high + 1})
    )


def _uses(pdp: PDP, kind: str, actions: tuple[str, ...], made: Controls) -> dict[str, Use]:
    try:
        found = pdp.index.analysis(kind, Audience(actions, None))
    except PDPError as error:
        made.notes.append(
            f"The PDP does not show its policies ({error}): only given attributes have controls."
        )
        return {}
    if found.unreadable:
        made.notes.append(
            f"The policies can't be read completely ({found.unreadable}): their values are not offered."
        )
        _, read = pdp.resource_attributes(kind)
        return {name: Use() for name in sorted(read)}
    names = [name for name in sorted(found.uses) if name != RESOURCE_ID]
    inner = [name for name in names if not any(is_inside(other, name) for other in names if other != name)]
    return {name: found.uses[name] for name in inner}


def _control(  # noqa: PLR0917 - what a control is made of
    name: str, use: Use | None, people: PrincipalTable, kind: str, hidden: frozenset[str], notes: list[str]
) -> tuple[Choice, list[Any], list[float], set[float]]:
    """The policies' values, the principals', the ordered numbers, and which of these the policies hold."""
    one = people[0]
    one = replace(one, attr={name: value for name, value in one.attr.items() if name not in hidden})
    choice, theirs = Choice(name, []), Choice(name, [])
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
            held = {} if set(path[2:3]) & hidden else _held(people, path[2:])
            values = [value for value, _ in held.values()]
            if comparison.operator not in ORDERS:
                theirs.add(value for value in _scalars(values) if value is not None)
                choice.people |= {known: count for known, (_, count) in held.items()}
        else:
            found = value_of(comparison, one, {}, kind)
            values = found if isinstance(found, list) else []
        if comparison.operator in ORDERS:
            numbers = breakpoints_from(values).numbers
            ticks.update(numbers)
            rules.update(() if path[:2] == ("P", "attr") else numbers)
        elif path[:2] != ("P", "attr"):
            choice.add(value for value in _scalars(values) if value is not None)
    otherwise = [*use.otherwise, *(term.where for term in use.terms)] if use else []
    if use is not None and not use.comparisons and otherwise:
        counted = [number for text in otherwise if _ARITHMETIC.search(text) for number in _numbers(text)]
        if counted:
            notes.append(
                f"{name}: the policies compute with it, so these amounts are a guess; give your own."
            )
            ticks.update(counted)
        else:
            choice.add([True, False])
    return choice, theirs.values, sorted(ticks), rules


_ARITHMETIC: Final = re.compile(r"[*+/%-]|\b(double|int|uint)\(")


def _numbers(text: str) -> list[float]:
    """The numbers in an expression."""
    return [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text)]


def _held(people: PrincipalTable, path: tuple[str, ...]) -> dict[Any, tuple[Any, int]]:
    """By key, each value of an attribute and how many principals have it, the most frequent first."""
    inside = tuple(itertools.takewhile(lambda step: step != ELEMENT, path))
    column = people.column(name_of(inside)) if inside else None
    if column is None:
        return {}
    values = column.values
    counts = np.bincount(column.codes, minlength=len(values))
    order = np.argsort(-counts, kind="stable").tolist()
    return {key(values[i]): (values[i], int(counts[i])) for i in order if values[i] is not MISSING}


def _read_by(pdp: PDP, kind: str, actions: tuple[str, ...], name: str) -> frozenset[str] | None:
    """The actions whose rules read an attribute, or something inside it; None if that can't be read."""
    found = set()
    for action in actions:
        try:
            analysis = pdp.index.analysis(kind, Audience((action,), None))
        except PDPError:
            return None
        if analysis.unreadable:
            return None
        if any(overlap(name, other) for other in analysis.uses):
            found.add(action)
    return frozenset(found)


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


def _range(name: str, ticks: list[float], low: float, given: Sequence[Any] | None) -> Range:
    """The given amounts, or else round amounts from ``low`` around the ticks."""
    if given:
        return Range(name, ticks, _given_amounts(name, list(given)))
    span = (max([*ticks, 1.0]) - low) * 1.2
    step = _round(span / STEPS)
    low = math.floor(low / step) * step
    high = low + math.ceil(span / step) * step
    return Range(name, ticks, {"low": _plain(low), "high": _plain(high), "step": _plain(step)})


def _given_amounts(name: str, given: list[Any]) -> dict[str, Any]:
    """The given amounts as even steps if possible, otherwise one by one."""
    low, high = min(given), max(given)
    exact = sorted(Decimal(str(value)) for value in given)
    step = min((b - a for a, b in itertools.pairwise(exact)), default=Decimal(1))
    width = _plain(float(step))
    if (
        len(given) > 1
        and (high - low) / width < limits.RANGE_COLUMNS
        and amounts(low, high, step=width) == given
    ):
        return checked_range(name, {"low": low, "high": high, "step": width}, {})
    return checked_range(name, given, {"step": width})


def _round(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= value * 0.999))


def _of_schema(pdp: PDP, kind: str, name: str) -> list[Any]:
    """The values that a resource schema lists for an attribute; empty without such a list."""
    own = pdp.own_policies
    if own is None:
        return []
    found: list[Any] = []
    for document in pdp.index.documents:
        policy = document.get("resourcePolicy") or {}
        ref = ((policy.get("schemas") or {}).get("resourceSchema") or {}).get("ref", "")
        if policy.get("resource") != kind or not ref.startswith("cerbos:///"):
            continue
        path = own[0] / SCHEMAS / ref.removeprefix("cerbos:///")
        try:
            about = json.loads(path.read_text("utf-8"))
            for step in steps_of(name):
                about = about.get("properties", {}).get(step, {})
        except (OSError, ValueError, AttributeError):  # if it matters, the PDP itself reports this
            continue
        found += _scalars(about.get("enum", []))
        if about.get("type") == "boolean":
            found += [True, False]
    return [value for value in found if value is not None]
