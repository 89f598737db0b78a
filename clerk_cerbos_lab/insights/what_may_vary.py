"""What may vary in a counterfactual: attributes, roles and owner, with the values that are worth trying."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.attribute_names import overlap, steps_of, value_at
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.identity.principals import checked_roles
from clerk_cerbos_lab.policies.compared import ID, RESOURCE_ID, ROLES, Compared
from clerk_cerbos_lab.policies.policy_set import Audience
from clerk_cerbos_lab.values import (
    MISSING,
    OTHER,
    SELF,
    Relation,
    canonical,
    clean,
    is_number,
    is_text,
    json_number,
    key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.pdp.messages import Request
    from clerk_cerbos_lab.policies.compared import Attribute, Group
    from clerk_cerbos_lab.policies.index import PolicyIndex

ROLE: Final = "role"
"""The name under which roles vary."""

ELSE: Final = "something-else"
"""A text that no policy compares anything with, and a role that none knows, for what excludes a value."""

CENT: Final = Decimal("0.01")

FEW_NUMBERS: Final = 12
"""Numbers of an axis of which each is tried."""

_SPREAD: Final = tuple(10.0**k for k in range(-1, 7))
"""Numbers to try where a number is computed with, so that no list of breakpoints is complete."""


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that may be changed in a request.

    Attributes:
        owner: ``R``, ``P``, or ``role``.
        attribute: its name (see ``attribute_names``); empty for roles.
        name: as results call it: ``amount``, ``principal.region``, ``role``.
        now: its value in the request; ``MISSING`` if it is not set; for roles a tuple.
        values: other values to try, without numbers if it has a line; for roles tuples.
        line: numbers to try, ascending, around those that the policies compare it with.
        grid: the numbers of its axis, ascending; empty if it is none.
        low: the least number to try.
        high: the greatest.
        private: keys of values and numbers that are only known from attributes that may be personal.
        anything: whether every value that is derived from a private one is private, too.
    """

    owner: str
    attribute: str
    name: str
    now: Any
    values: tuple[Any, ...] = ()
    line: tuple[float, ...] = ()
    grid: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    private: frozenset[str] = frozenset()
    anything: bool = False

    def is_private(self, value: Any) -> bool:
        """Whether a value may not be shown."""
        return key(value) in self.private


@dataclass(slots=True)
class _Pool:
    """The values of a group of attributes; public values come first."""

    public: dict[str, Any] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)

    def add(self, values: Iterable[Any], *, private: bool = False) -> None:
        pool = self.private if private else self.public
        for value in _scalars(values):
            pool.setdefault(key(value), value)

    @property
    def values(self) -> list[Any]:
        """Every value once."""
        return list({**self.private, **self.public}.values())

    @property
    def hidden(self) -> frozenset[str]:
        """The keys of values that are only known from private attributes."""
        return frozenset(self.private.keys() - self.public.keys())


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from.

    Attributes:
        request: what was asked.
        index: of the policies; None if the PDP does not disclose them.
        axes: the axes of the decisions.
        shown: the principal attributes whose values may be shown; None for all.
        breakpoints: by axis, numbers at which an effect of this principal flips.
    """

    request: Request
    index: PolicyIndex | None
    axes: tuple[Axis, ...]
    shown: frozenset[str] | None
    breakpoints: Mapping[str, Sequence[float]]


def variables_of(
    sources: Sources, vary: Mapping[str, Any] | Sequence[str] | None
) -> tuple[list[Variable], str | None]:
    """What may vary.

    Args:
        sources: where values come from.
        vary: names, or by name a range ``(low, high)``, a list of values, or None for the default; None:
            everything that the policies read.

    Returns:
        The variables, and what could not be read in the policies, in words.

    Raises:
        InputError: for an unknown name, a range of something that is no number, or values that can't be sent.
    """
    request, index = sources.request, sources.index
    found = Compared()
    if index is not None:
        found = index.compared(request.kind, Audience((request.action,), None))
    axes = {axis.name: axis for axis in sources.axes}
    names = [name for owner, name in found.groups if owner == "R"]
    names = [name for name in names if not any(overlap(name, other) for other in names if other != name)]
    ordered = list(dict.fromkeys([*(name for name in axes if name in names), *names]))
    if index is None or found.unreadable:
        ordered = list(dict.fromkeys([*ordered, *axes, *request.attributes]))
    own = [name for owner, name in found.groups if owner == "P"]
    keys: dict[str, Attribute] = {}
    for name in ordered:
        if name != RESOURCE_ID[1] or name in request.attributes:
            keys[f"resource.{name}" if name == ROLE or name.startswith("principal.") else name] = ("R", name)
    keys[ROLE] = ROLES
    keys.update({f"principal.{name}": ("P", name) for name in own})
    wanted = dict.fromkeys(keys) if vary is None else _checked(vary, keys, request, axes)
    made = []
    for name, given in wanted.items():
        one = _variable(name, keys[name], found, sources, axes, given)
        if one.values or one.line:
            made.append(one)
    return made, found.unreadable


def _checked(
    vary: Mapping[str, Any] | Sequence[str],
    keys: dict[str, Attribute],
    request: Request,
    axes: Mapping[str, Axis],
) -> dict[str, Any]:
    """What the caller wants to vary; attributes that no policy reads are added to ``keys``."""
    given = vary if isinstance(vary, dict) else dict.fromkeys([vary] if isinstance(vary, str) else vary)
    known = [*keys, *axes, *request.attributes, *(f"principal.{name}" for name in request.principal.attr)]
    wanted: dict[str, Any] = {}
    for spelling, values in given.items():
        name = str(spelling)
        plain = name.removeprefix("resource.")
        if name not in keys and plain in keys and plain != ROLE:
            name = plain
        if name not in keys:
            inside = name.removeprefix("principal.")
            if inside != name and inside in request.principal.attr:
                keys[name] = ("P", inside)
            elif plain in axes or plain in request.attributes:
                keys[name] = ("R", plain)
            else:
                msg = f"vary: nothing is called '{name}'{did_you_mean(name, known)}"
                raise InputError(msg)
        wanted[name] = values
    return wanted


def _variable(  # noqa: PLR0917 - what a variable is made of
    name: str,
    attribute: Attribute,
    found: Compared,
    sources: Sources,
    axes: Mapping[str, Axis],
    given: Any,
) -> Variable:
    request = sources.request
    if attribute == ROLES:
        roles = _roles(found, sources, given)
        return Variable(ROLE, "", name, request.principal.roles, tuple(roles))
    owner, own = attribute
    held = request.attributes if owner == "R" else request.principal.attr
    now = current(held, own)
    axis = axes.get(own) if owner == "R" else None
    if given is not None and not isinstance(given, tuple):
        values = [clean(value, f"vary: {name}") for value in _listed(given, name)]
        return Variable(owner, own, name, now, tuple(value for value in values if key(value) != key(now)))
    group = found.groups.get(attribute)
    pool = _pool(group, attribute, sources, axes)
    numbers = [value for value in pool.values if is_number(value)]
    low, high = _range(given, name)
    axis_numbers = [value for value in axis.values if is_number(value)] if axis is not None else []
    computed = group is not None and group.computed
    line: tuple[float, ...] = ()
    if numbers and (is_number(now) or now is MISSING or axis_numbers) and not _only_equal(pool, now):
        some = [*map(float, numbers), *sources.breakpoints.get(own, ())] if owner == "R" else numbers
        line = _line(some, _SPREAD if computed else (), now, low, high)
    values = list(_others(pool, attribute, found, now, numeric=bool(line)))
    if given is not None and not line:
        msg = f"vary: {name} has no numbers, so it can't have a range; give a list of values"
        raise InputError(msg)
    if given is not None:
        values = []
    made = Variable(owner, own, name, now, tuple(values), line, tuple(sorted(map(float, axis_numbers))))
    return replace(
        made, low=low, high=high, private=pool.hidden, anything=computed and bool(pool.hidden) and bool(line)
    )


def current(held: Mapping[str, Any], name: str) -> Any:
    """The value of an attribute in a request, also inside a map; ``MISSING`` if it is not set."""
    if name in held:
        return held[name]
    first, *inside = steps_of(name)
    return value_at(held.get(first, MISSING), tuple(inside))


def _only_equal(pool: _Pool, now: Any) -> bool:
    """Whether a number stands among texts, so that it has no line."""
    return not is_number(now) and any(map(is_text, pool.public.values())) and now is not MISSING


def _range(given: Any, name: str) -> tuple[float, float]:
    if given is None:
        return -math.inf, math.inf
    if len(given) != 2 or not all(one is None or is_number(one) for one in given):
        msg = f"vary: {name} needs a range of two numbers, (low, high), or a list of values"
        raise InputError(msg)
    low, high = given
    if low is not None and high is not None and low > high:
        msg = f"vary: {name}: {low} is more than {high}"
        raise InputError(msg)
    return (-math.inf if low is None else float(low)), (math.inf if high is None else float(high))


def _listed(given: Any, name: str) -> list[Any]:
    if isinstance(given, (str, bytes, dict)) or not hasattr(given, "__iter__"):
        msg = f"vary: {name} needs a list of values or a range (low, high), not {given!r}"
        raise InputError(msg)
    return list(given)


# -- values -------------------------------------------------------------------------------------------


def _pool(group: Group | None, attribute: Attribute, sources: Sources, axes: Mapping[str, Axis]) -> _Pool:
    """What the attributes of a group are compared with, and their values in the request and on axes."""
    pool, request = _Pool(), sources.request
    if group is not None:
        pool.add(group.values)
    for owner, name in sorted(group.attributes if group is not None else {attribute}):
        if (owner, name) == ID and attribute[0] == "R":
            pool.add([SELF, OTHER])
        if owner == "R":
            pool.add(_few(axes.get(name)))
            pool.add([current(request.attributes, name)])
        elif owner == "P":
            hidden = sources.shown is not None and steps_of(name)[0] not in sources.shown
            pool.add([current(request.principal.attr, name)], private=hidden)
    if attribute[0] == "R":
        pool.add(_few(axes.get(attribute[1])))
    return pool


def _few(axis: Axis | None) -> list[Any]:
    """The values of an axis; not its numbers if there are many, of which breakpoints are tried instead."""
    values = [] if axis is None else list(axis.values)
    many = sum(map(is_number, values)) > FEW_NUMBERS
    return [value for value in values if not (many and is_number(value))]


def _others(pool: _Pool, attribute: Attribute, found: Compared, now: Any, *, numeric: bool) -> Iterator[Any]:
    """The values to try that are not on a line."""
    usable = [value for value in pool.values if not (numeric and is_number(value))]
    if attribute[0] == "P":
        usable = [value for value in usable if not isinstance(value, Relation)]
    if attribute in found.lists and (isinstance(now, list) or now is MISSING):
        yield from _lists(usable, now)
    else:
        if is_text(now) and not any(is_text(one) and one != now for one in usable):
            usable += [text for text in found.strings if text != now and not usable]
        if (is_text(now) or any(map(is_text, usable))) and OTHER not in usable:
            usable.append(ELSE)
        if isinstance(now, bool) or (not usable and not numeric):
            usable += [True, False]
        yield from {key(one): one for one in usable if key(one) != key(now)}.values()
    if attribute in found.presence and now is not MISSING:
        yield MISSING


def _lists(values: Sequence[Any], now: Any) -> Iterator[list[Any]]:
    """The list with one element more, or with one less."""
    held = [] if now is MISSING else list(now)
    keys = {key(one) for one in held}
    yield from ([*held, one] for one in values if key(one) not in keys and not isinstance(one, (list, dict)))
    yield from ([*held[:i], *held[i + 1 :]] for i in range(len(held)))


def _scalars(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _scalars(value)
        elif value is not MISSING and isinstance(value, (str, int, float, bool)):
            yield json_number(value) if is_number(value) and math.isfinite(value) else value


def _line(
    numbers: Iterable[float], more: Iterable[float], now: Any, low: float, high: float
) -> tuple[float, ...]:
    """Numbers, the next cents on both sides, one in each gap that is narrower than that, and more numbers."""
    exact = sorted({float(one) + 0.0 for one in numbers if math.isfinite(one)})
    exact += [end for end in (low, high) if math.isfinite(end)]
    points = set(exact)
    for one in exact:
        points |= {float(Decimal(repr(one)) + CENT), float(Decimal(repr(one)) - CENT)}
    ordered = sorted(exact)
    points |= {(a + b) / 2 for a, b in itertools.pairwise(ordered) if 0 < b - a < 0.03}
    return tuple(sorted(one for one in points | set(more) if low <= one <= high and one != now))


def nearest_on_grid(variable: Variable, lower: float, upper: float) -> list[float]:
    """The numbers of the axis from lower to upper, the nearest to the present value first; two at most."""
    grid = variable.grid
    first, last = bisect_left(grid, lower), bisect_left(grid, math.nextafter(upper, math.inf))
    inside = grid[first:last]
    if not inside:
        return []
    down = not is_number(variable.now) or variable.now > inside[-1]
    return [*reversed(inside[-2:])] if down else list(inside[:2])


# -- roles --------------------------------------------------------------------------------------------


def _roles(found: Compared, sources: Sources, given: Any) -> list[tuple[str, ...]]:
    """Other roles: replaced if there is only one, else added; then the other way; then one less."""
    held = sources.request.principal.roles
    if given is not None:
        names = _listed(given, ROLE)
        sets = [one for one in names if not isinstance(one, str)]
        made = [checked_roles(one, f"vary: {ROLE}") for one in sets]
        names = [one for one in names if isinstance(one, str)]
    else:
        made, names = [], list(_known_roles(found, sources))
        names += [ELSE] if sources.index is not None and len(held) == 1 else []
    new = [one for one in names if one not in held]
    replaced, added = [(one,) for one in new], [(*held, one) for one in new if one != ELSE]
    first, second = (replaced, added) if len(held) == 1 else (added, replaced)
    less = [held[:i] + held[i + 1 :] for i in range(len(held))] if len(held) > 1 and given is None else []
    return list(dict.fromkeys([*made, *first, *second, *less]))


def _known_roles(found: Compared, sources: Sources) -> Iterator[str]:
    """The roles that the policies of the kind know, in their order."""
    if sources.index is not None:
        names = roles_known(sources.index, sources.request.kind)
        group = found.groups.get(ROLES)
        names += [value for value in (group.values if group is not None else ()) if is_text(value)]
        yield from dict.fromkeys(name for name in names if name and "*" not in name)


def roles_known(index: PolicyIndex, kind: str) -> list[str]:
    """The roles that rules, derived roles and role policies name for a kind, without patterns."""
    names: list[str] = []
    imported: set[str] = set()
    for one in index.rules:
        if one.type == "resource" and canonical(one.name) == canonical(kind):
            imported.update(one.imported)
            names += [role for rule in one.rules for role in rule.roles]
        elif one.type == "role":
            names.append(one.name)
    for one in index.rules:
        if one.type == "derived roles" and one.name in imported:
            names += [role for derived in one.derived_roles for role in derived.parent_roles]
    return list(dict.fromkeys(name for name in names if name and "*" not in name))
