"""Counterfactuals: the smallest changes that turn a DENY into an ALLOW, or would take an ALLOW away."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.attribute_names import steps_of
from clerk_cerbos_lab.decisions.call import fixed_text, python_text, sweep_text
from clerk_cerbos_lab.decisions.counterfactual import Changed, Counterfactual, Counterfactuals
from clerk_cerbos_lab.decisions.decisions import EFFECTS
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.insights.order_of_changes import order_of, without_other_ways
from clerk_cerbos_lab.insights.smallest_changes import Search, changed
from clerk_cerbos_lab.insights.what_may_vary import ELSE, ROLE, Sources, variables_of
from clerk_cerbos_lab.insights.why import ASSUMED, request_of, unknown_pdp
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.values import MISSING, RESOURCE_ID, is_number, key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.insights.smallest_changes import Hit, Interval
    from clerk_cerbos_lab.insights.what_may_vary import Variable
    from clerk_cerbos_lab.pdp.messages import Request

MOST: Final = 3
"""Things that can be changed at once, at most."""

WITHHELD: Final = "not shown"

CHANGED: Final = "The PDP now gives {now} without any change: its policies, or what they read, have changed."

ONLY_GIVEN: Final = (
    "The PDP does not disclose its policies: only values of the axes and those given in vary= were tried."
)

UNREAD: Final = "The policies can't be read completely ({why}): their values may not all have been tried."

LEFT_OUT: Final = "Too many combinations, not tried: {which}. Give fewer values in vary=."


def counterfactuals(
    decisions: Decisions,
    *,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    most: int = 2,
    aux_data: Any = None,
    names: bool = False,
    **labels: object,
) -> Counterfactuals:
    """The smallest changes; ``Decisions.counterfactuals`` documents it."""
    if isinstance(most, bool) or most not in range(1, MOST + 1):
        msg = f"most must be 1, 2 or {MOST}: how many things may be changed at once"
        raise InputError(msg)
    one = decisions.sel(**labels)
    if len(one) != 1:
        wide = [f"{dim} ({n})" for dim, n in zip(one.dims, one.shape, strict=True) if n > 1]
        msg = f"{len(one):,} decisions are left; choose a value for: {', '.join(wide)}"
        raise InputError(msg)
    person = decisions.sel(**{dim: labels[dim] for dim in ("principal", "action") if dim in labels})
    disclosure = decisions.shown(names=names)
    allowed = bool(one.allowed().item())
    cell = Cell(decisions, person, one.axes, disclosure, allowed=allowed, aux_data=aux_data)
    found, _ = turned(cell, vary=vary, most=most)
    return found


@dataclass(frozen=True, slots=True)
class Cell:
    """A decision to turn around.

    Attributes:
        decisions: that it belongs to.
        person: the decisions of its principal and action.
        axes: each with the value that it has in the decision.
        disclosure: what may be shown.
        allowed: its effect.
        aux_data: as in ``Decisions.why``.
    """

    decisions: Decisions
    person: Decisions
    axes: tuple[Axis, ...]
    disclosure: Disclosure
    allowed: bool
    aux_data: Any = field(default=None, repr=False)


def turned(
    cell: Cell,
    *,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    most: int = 2,
    on_asked: Callable[[int], object] = lambda _: None,
) -> tuple[Counterfactuals, list[Request | None]]:
    """The smallest changes of a decision, and the request after each.

    Args:
        cell: the decision.
        vary: as in ``Decisions.counterfactuals``.
        most: as in ``Decisions.counterfactuals``.
        on_asked: called now and then with how many requests were answered.

    Returns:
        The counterfactuals, and for each the changed request; None where it contains what may not be shown.

    Raises:
        LabError: as ``Decisions.counterfactuals``.
    """
    decisions, one, disclosure = cell.decisions, cell.person, cell.disclosure
    effect, other = str(EFFECTS[int(cell.allowed)]), str(EFFECTS[int(not cell.allowed)])
    source = decisions.source
    if not isinstance(source, (Instrumented, PDP)):
        raise InputError(unknown_pdp(source))
    request = request_of(one, cell.axes, cell.aux_data)
    index = source.index if isinstance(source, Instrumented) else None
    sources = Sources(
        request=request,
        index=index,
        axes=decisions.axes,
        shown=None if disclosure.names else frozenset(disclosure.attributes),
        breakpoints={axis.name: _flips(one, axis.name) for axis in decisions.axes if axis.numeric},
    )
    variables, unread = variables_of(sources, vary)
    notes = [ONLY_GIVEN] if index is None else []
    notes += [UNREAD.format(why=disclosure.text(unread))] if unread else []
    notes += [ASSUMED] if isinstance(source, Instrumented) and source.assumed else []
    with ExitStack() as asking:
        if isinstance(source, Instrumented):
            pdp = asking.enter_context(source.deciding())
        else:
            pdp = source
            asking.enter_context(pdp.asking())
        search = Search(pdp, request, variables, wanted=not cell.allowed, on_asked=on_asked)
        if search.turns([{}])[0]:
            notes.append(CHANGED.format(now=other))
            hits = []
        else:
            hits = without_other_ways(list(search.hits(most)), variables, request.principal.roles)
    if search.left_out:
        which = "; ".join(
            disclosure.text(" and ".join(variables[place].name for place in places))
            for places in search.left_out
        )
        notes.append(LEFT_OUT.format(which=which))
    writer = _Writer(decisions, one, request, variables, disclosure, effect=other)
    hits.sort(key=lambda hit: order_of(hit, variables))
    (row,) = one.principals["id"]
    found = Counterfactuals(
        effect=effect,
        principal=disclosure.principal(row, one.names[0]),
        roles=tuple(map(disclosure.text, request.principal.roles)),
        kind=disclosure.text(one.kind),
        action=disclosure.text(one.actions[0]),
        attributes={
            disclosure.text(name): disclosure.value(request.attributes[name])
            for name in [*(axis.name for axis in one.axes), *one.fixed]
            if name in request.attributes
        },
        found=tuple(map(writer.write, hits)),
        varied=tuple(disclosure.text(variable.name) for variable in variables),
        most=most,
        asked=search.asked,
        notes=tuple(notes),
    )
    requests = [
        None
        if any(change.value is None for change in made.changes)
        else changed(request, variables, hit.values)
        for made, hit in zip(found.found, hits, strict=True)
    ]
    return found, requests


def _flips(person: Decisions, axis: str) -> list[float]:
    """Numbers at which an effect of a principal flips, for any values of the other axes."""
    bands = person.bands(axis).columns
    return sorted({float(one) for name in ("lower", "upper") for one in bands[name] if math.isfinite(one)})


class _Writer:
    """Puts changes into words, as far as they may be shown."""

    def __init__(
        self,
        decisions: Decisions,
        one: Decisions,
        request: Request,
        variables: Sequence[Variable],
        disclosure: Disclosure,
        *,
        effect: str,
    ) -> None:
        self._decisions = decisions
        self._one = one
        self._request = request
        self._variables = variables
        self._shown = disclosure
        self._effect = effect

    def write(self, hit: Hit) -> Counterfactual:
        """A counterfactual."""
        changes: list[Changed] = []
        parts: list[str] = []
        for place in sorted(hit.values):
            change = self._change(hit, place)
            changes.append(change)
            parts.append(self._part(place, hit.values[place], change, first=len(parts) == 0))
        withheld = any(change.value is None for change in changes)
        call = "" if withheld else self._call(hit)
        return Counterfactual(tuple(changes), self._effect, f"{self._effect} if {' and '.join(parts)}", call)

    def _change(self, hit: Hit, place: int) -> Changed:
        variable, value, interval = self._variables[place], hit.values[place], hit.intervals.get(place)
        what = self._shown.text(variable.name)
        if variable.owner == ROLE:
            now = ", ".join(map(self._shown.text, variable.now))
            shown = tuple(map(self._shown.text, value))
            label = "something else" if shown == (ELSE,) else ", ".join(shown)
            return Changed(what, now, shown, label)
        now = self._now(variable)
        if not self._shown.names and self._is_private(variable, value, interval):
            return Changed(what, now, None, WITHHELD)
        if interval is None:
            label = {ELSE: "something else"}.get(value, "") if isinstance(value, str) else ""
            return Changed(what, now, self._shown.hidden(value), label or self._shown.value(value))
        return Changed(
            what,
            now,
            value,
            _bounds(interval, variable),
            hit.on_axis.get(place),
            interval.lower,
            interval.lower_closed,
            interval.upper,
            interval.upper_closed,
        )

    def _now(self, variable: Variable) -> str:
        if variable.now is MISSING:
            return "not set"
        if variable.owner == "P" and not self._is_shown(variable.attribute):
            return WITHHELD
        return self._shown.value(variable.now)

    def _is_shown(self, attribute: str) -> bool:
        return self._shown.names or steps_of(attribute)[0] in self._shown.attributes

    @staticmethod
    def _is_private(variable: Variable, value: Any, interval: Interval | None) -> bool:
        """Whether a value tells what may be personal; the numbers of an axis are in every matrix."""
        if interval is None:
            return variable.is_private(value) or (
                isinstance(value, list) and any(map(variable.is_private, value))
            )
        ends = [end for end in (value, interval.lower, interval.upper) if math.isfinite(end)]
        return not variable.grid and (variable.anything or any(map(variable.is_private, ends)))

    def _part(self, place: int, value: Any, change: Changed, *, first: bool) -> str:
        """One part of the sentence."""
        variable = self._variables[place]
        name = self._shown.text(variable.attribute)
        what = f"the principal's {name}" if variable.owner == "P" else name
        were = " were" if first else ""
        if variable.owner == ROLE:
            held, now = set(variable.now), f" ({change.now} now)"
            new, gone = sorted(set(value) - held), sorted(held - set(value))
            if new and not gone:
                return f"the role {self._shown.text(new[0])}{were} added{now}"
            if gone and not new:
                return f"the role {self._shown.text(gone[0])}{were} removed{now}"
            return f"role{were} {change.label}{now}"
        label = change.label
        if value is MISSING:
            label = "not set"
        elif change.value is None:
            label = "a value that may be personal"
        now = change.now if change.now == WITHHELD else f"{change.now} now"
        return f"{what}{were} {label} ({now})"

    # -- calls ----------------------------------------------------------------------------------------

    def _call(self, hit: Hit) -> str:
        """The ``decisions.why`` of the changed request if it was swept, else its ``lab.sweep``."""
        values = {**hit.values, **(hit.on_axis if hit.together else {})}
        on_axes = {axis.name: axis for axis in self._decisions.axes}
        only = [self._variables[place] for place in values]
        swept = all(
            one.owner == "R"
            and one.attribute in on_axes
            and key(value) in set(map(key, on_axes[one.attribute].values))
            for one, value in zip(only, values.values(), strict=True)
        )
        after = changed(self._request, self._variables, values)
        swept &= all(
            key(after.attributes[axis.name]) in set(map(key, axis.values))
            for axis in self._decisions.axes
            if axis.name != RESOURCE_ID
        )
        (row,) = self._one.principals["id"]
        who = self._shown.principal(row, self._one.names[0])
        if swept:
            cell: dict[str, Any] = {"principal": who, "action": self._one.actions[0]}
            cell |= {axis.name: after.attributes[axis.name] for axis in self._one.axes}
            wide = {dim for dim, n in zip(self._decisions.dims, self._decisions.shape, strict=True) if n > 1}
            texts = {name: self._python(value) for name, value in cell.items() if name in wide}
            if all(name.isidentifier() for name in texts):
                return f"decisions.why({', '.join(f'{name}={text}' for name, text in texts.items())})"
        question = self._one.question
        rest = {"policy_version": question.policy_version or None, "scope": question.scope or None}
        rest |= {
            "principal_policy_version": question.principal_policy_version,
            "principal_scope": question.principal_scope,
        }
        arguments = {name: repr(value) for name, value in rest.items() if value is not None}
        if self._one.provenance.aux_data:
            arguments["aux_data"] = "aux_data"
        attributes = {**after.attributes, "resource_id": after.resource_id}
        texts = {name: fixed_text(value, self._shown.hidden) for name, value in attributes.items()}
        asked = sweep_text("pdp", self._one.kind, self._one.actions, texts, arguments)
        varied = self._varied(after, only)
        if varied:
            asked = asked.replace("lab.sweep(pdp, principals,", f"lab.sweep(pdp, {varied},", 1)
        why = ", aux_data=aux_data" if self._one.provenance.aux_data else ""
        return f"{asked}.why(principal={who!r}{why})"

    def _python(self, value: Any) -> str:
        return fixed_text(value, self._shown.hidden)

    def _varied(self, after: Request, variables: Sequence[Variable]) -> str:
        """The ``lab.vary`` that makes the changed principal."""
        columns: dict[str, str] = {}
        for one in variables:
            if one.owner == ROLE:
                columns["roles"] = f"[{python_tuple(after.principal.roles)}]"
            elif one.owner == "P":
                name = steps_of(one.attribute)[0]
                value = self._shown.hidden(after.principal.attr.get(name, MISSING))
                columns[name] = f"[{python_text(value)}]"
        if not columns:
            return ""
        if all(name.isidentifier() for name in columns):
            return f"lab.vary(principals, {', '.join(f'{name}={text}' for name, text in columns.items())})"
        given = ", ".join(f"{name!r}: {text}" for name, text in columns.items())
        return f"lab.vary(principals, **{{{given}}})"


def python_tuple(values: tuple[str, ...]) -> str:
    """A tuple as Python source."""
    return f"({', '.join(map(repr, values))}{',' if len(values) == 1 else ''})"


def _bounds(interval: Interval, variable: Variable) -> str:
    """The interval as text: the bound that is nearer to the present value, and the other if it matters."""
    if interval.is_one:
        return number_label(interval.lower)
    lower = f"{'≥' if interval.lower_closed else '>'} {number_label(interval.lower)}"
    upper = f"{'≤' if interval.upper_closed else '<'} {number_label(interval.upper)}"
    has_lower, has_upper = math.isfinite(interval.lower), math.isfinite(interval.upper)
    now = variable.now
    if is_number(now) and now > interval.lower and has_upper:  # it would have to be less
        least = max(variable.grid[0] if variable.grid else min(0.0, now), variable.low)
        matters = has_lower and interval.lower > least
        return f"{lower} and {upper}" if matters else upper
    if is_number(now) and has_lower:
        most = min(variable.grid[-1] if variable.grid else math.inf, variable.high)
        matters = has_upper and interval.upper < most
        return f"{lower} and {upper}" if matters else lower
    ends = [*([lower] if has_lower else []), *([upper] if has_upper else [])]
    return " and ".join(ends) or "any number"
