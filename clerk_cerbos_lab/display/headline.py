"""The headline of decisions: people and money first, in sentences."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from clerk_cerbos_lab.decisions.headcounts import headcounts, may_at_all
from clerk_cerbos_lab.formatting import number_label
from clerk_cerbos_lab.identity.quality import cannot_sign_in
from clerk_cerbos_lab.values import MISSING, OTHER, SELF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.headcounts import Headcounts, Outcome, Span
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.disclosure import Disclosure

    Place = tuple[int, ...]

LINES: Final = 8
"""Sentences about combinations, at most; with more, there is one for each action."""

LIMITS: Final = 4
"""Different limits named in a sentence, at most."""

MEANINGS: Final = ((SELF, "the person themselves"), (OTHER, "somebody else"), (MISSING, "missing"))
"""What the placeholders among the values of an axis mean."""


class Line(NamedTuple):
    """A sentence.

    Attributes:
        where: the combinations that it is about, as in ``expense region northeast, owner somebody else``;
            empty: all.
        what: ``28 of 96 people may approve up to 5,000 USD; 68 nothing.``
    """

    where: str
    what: str

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return text if self.where else text[:1].upper() + text[1:]


def headline(decisions: Decisions, shown: Disclosure) -> list[Line]:
    """How many people may do what, up to which amount, and above which nobody may.

    ``up to 5,000`` means every amount over 0 up to 5,000, and no greater one.
    """
    if not decisions.names:
        return [Line("", "there are no people.")]
    return _Words(decisions, shown, headcounts(decisions)).lines()


def value_words(shown: Disclosure, value: Any) -> str:
    """A value of an axis in words: ``SELF`` is the person themselves."""
    return next((words for one, words in MEANINGS if value is one), None) or shown.value(value)


def heading(decisions: Decisions, dim: str) -> str:
    """The heading of a dimension: ``expense region`` is not the region of a person."""
    if dim == "principal":
        return "person"
    axis = next((axis for axis in decisions.axes if axis.name == dim), None)
    return decisions.question.heading(dim) if axis is None else axis_heading(decisions.question, axis)


def axis_heading(question: Question, axis: Axis) -> str:
    """The heading of an axis: that of an attribute of the resource that is no number says so."""
    name = question.heading(axis.name)
    return name if axis.numeric else f"{question.kind} {name}"


class _Words:
    """The sentences about some decisions."""

    def __init__(self, decisions: Decisions, shown: Disclosure, counts: Headcounts) -> None:
        self._decisions, self._shown, self._counts = decisions, shown, counts
        axis = counts.axis
        self._axis = "" if axis is None else axis.name
        self._unit = decisions.question.units.get(self._axis, "")
        self._from_zero = axis is not None and min(axis.values) >= 0
        self._only = "" if axis is not None else self._single_numbers()
        self._people = "people" if decisions.principals["id"].is_unique else "profiles"
        if axis is not None and not counts.exact:
            self._checked = f"the {len(axis.values):,} checked values of {self._axis}"

    def lines(self) -> list[Line]:
        """At most ``LINES`` sentences, and those about what nobody may."""
        found = self._combined() if self._counts.outcomes else []
        if not 0 < len(found) <= LINES:
            found = [Line("", self._anywhere(place)) for place in range(len(self._counts.reach))]
        if len(found) > LINES:
            rest = f"{len(found) - LINES + 1} more actions are in the table."
            found = [*found[: LINES - 1], Line("", rest)]
        return [*found, *self._nobody_above(), *self._signed_out()]

    def _single_numbers(self) -> str:
        """`` at amount 5,000 USD``: the numeric axes that have one value each."""
        units, text = self._decisions.question.units, self._shown.text
        told = [
            f"{text(axis.name)} {number_label(axis.values[0])} {units.get(axis.name, '')}".rstrip()
            for axis in self._decisions.axes
            if axis.numeric and len(axis.values) == 1
        ]
        return f" at {' and '.join(told)}" if told else ""

    def _signed_out(self) -> Iterator[Line]:
        """How many of those who may can't sign in."""
        people = self._decisions.principals
        states = cannot_sign_in(people.attrs.get("problems", ()))
        ids = people["id"].tolist() if states else []
        places = np.array([place for place, one in enumerate(ids) if one in states], dtype=np.intp)
        if len(places):
            places = places[may_at_all(self._decisions.of(places))]
            why = sorted({states[ids[place]] for place in places.tolist()})
            if why:
                yield Line("", f"{len(places):,} of those who may can't sign in ({', '.join(why)}).")

    # -- by combination -----------------------------------------------------------------------------------

    def _combined(self) -> list[Line]:
        """A sentence for each group of combinations with equal outcomes; those in which nobody may last."""
        groups: dict[tuple[int, tuple[Outcome, ...]], list[Place]] = {}
        for place, outcomes in self._counts.outcomes.items():
            groups.setdefault((place[0], outcomes), []).append(place)
        some: list[Line] = []
        nobody: list[Line] = []
        for (action, outcomes), places in groups.items():
            what = self._sentence(self._shown.text(self._decisions.actions[action]), outcomes)
            lines = [Line(self._where(values), what) for values in self._products(places)]
            (some if any(one.spans for one in outcomes) else nobody).extend(lines)
        return some + nobody

    @staticmethod
    def _products(places: Sequence[Place]) -> Iterator[list[list[int]]]:
        """Combinations as values for each dimension: in one part if every combination of these is there."""
        values = [sorted(set(column)) for column in zip(*places, strict=True)]
        if math.prod(map(len, values)) == len(places):
            yield values
        else:
            yield from ([[one] for one in place] for place in places)

    def _where(self, values: Sequence[Sequence[int]]) -> str:
        parts = []
        for dim, chosen in itertools.islice(zip(self._counts.dims, values, strict=True), 1, None):
            every = self._decisions.values(dim)
            if len(chosen) < len(every):
                said = " or ".join(value_words(self._shown, every[one]) for one in chosen)
                parts.append(f"{self._shown.text(dim)} {said}")
        return f"{self._shown.text(self._decisions.kind)} {', '.join(parts)}" if parts else ""

    def _sentence(self, action: str, outcomes: Sequence[Outcome]) -> str:
        may = [one for one in outcomes if one.spans]
        idle = self._counts.people - sum(one.people for one in may)
        if not may:
            return f"nobody may {action}{self._at_all(all(one.exact for one in outcomes))}."
        named = may if len(may) <= LIMITS else sorted(may, key=lambda one: -one.people)[: LIMITS - 1]
        parts = [(one.people, " and ".join(map(self._span, one.spans))) for one in may if one in named]
        rest = [one for one in may if one not in named]
        if rest:
            parts.append((sum(one.people for one in rest), self._other(rest)))
        (first, words), *others = parts
        texts = [f"{self._of_all(first)} may {action} {words}".rstrip()]
        texts += [f"{people:,} {words}" for people, words in others]
        if idle:
            known = all(one.exact for one in outcomes if not one.spans)
            no = "may not" if not self._axis else "nothing" if known else f"at none of {self._checked}"
            texts.append(f"{idle:,} {no}")
        return f"{'; '.join(texts)}."

    def _other(self, rest: Sequence[Outcome]) -> str:
        """Limits that few people have: named if there are two, else how many there are, and the highest."""
        if len(rest) == 2 and all(len(one.spans) == 1 for one in rest):
            return " or ".join(self._span(one.spans[0]) for one in rest)
        top = max(_end(one.spans[-1]) for one in rest)
        known = all(one.exact for one in rest) and top[0] < math.inf
        most = f" of at most {self._amount(top[0])}" if known else ""
        return f"with {len(rest)} other limits{most}"

    def _of_all(self, people: int) -> str:
        if people == self._counts.people:
            return f"all {people:,} {self._people}" if people > 1 else "the only person"
        return f"{people:,} of {self._counts.people:,} {self._people}"

    def _at_all(self, exact: bool) -> str:  # noqa: FBT001 - of one sentence
        if not self._axis:
            return self._only
        return f", at any {self._axis}" if exact else f" at any of {self._checked}"

    def _amount(self, number: float) -> str:
        return f"{number_label(number)} {self._unit}".rstrip()

    def _span(self, span: Span) -> str:
        """``up to 5,000 USD``; without an axis of several numbers ``at amount 5,000 USD``, or nothing."""
        low, high = span.lower, span.upper
        if not self._axis:
            return self._only.lstrip()
        if not span.exact:
            one = "the checked value" if low == high else f"the checked values {number_label(low)} to"
            return f"at {one} {self._amount(high)}"
        if low == high:
            return f"exactly {self._amount(low)}"
        end = f"{'up to' if span.upper_closed else 'below'} {self._amount(high)}" if high < math.inf else ""
        if low == -math.inf or (self._from_zero and low <= 0 < high):
            over = " over 0" if low == 0 and not span.lower_closed else ""
            return end or f"any {self._axis}{over}"
        return f"{'from' if span.lower_closed else 'over'} {self._amount(low)} {end}".rstrip()

    # -- by action ----------------------------------------------------------------------------------------

    def _anywhere(self, place: int) -> str:
        """What may be done by an action in at least one combination of the values of the other axes."""
        reach = self._counts.reach[place]
        action = self._shown.text(self._decisions.actions[place])
        others = [dim for dim in self._counts.dims[1:] if len(self._decisions.values(dim)) > 1]
        many = math.prod(len(self._decisions.values(dim)) for dim in others)
        named = self._shown.text(", ".join(others[:-1]) + " and " * (len(others) > 1) + "".join(others[-1:]))
        of = f"of the {many:,} {'combinations' if len(others) > 1 else 'values'} of {named}" if others else ""
        if reach.top is None:
            return f"nobody may {action}{self._at_all(self._counts.exact)}{f' in any {of}' if of else ''}."
        rest = self._counts.people - reach.people
        idle = f"; {rest:,} {'in none' if of else 'may not'}" if rest else ""
        where = f" in at least one {of}" if of else ""
        return f"{self._of_all(reach.people)} may {action}{self._only}{where}{idle}."

    def _nobody_above(self) -> Iterator[Line]:
        """Above which amount nobody may, if it is known."""
        if not self._axis or not self._counts.exact:
            return
        ends: dict[tuple[float, bool], list[str]] = {}
        for action, reach in zip(self._decisions.actions, self._counts.reach, strict=True):
            if reach.top is not None and reach.top.upper < math.inf:
                ends.setdefault(_end(reach.top), []).append(self._shown.text(action))
        if len(ends) > LIMITS:
            return
        for (number, closed), actions in ends.items():
            limit = f"more than {self._amount(number)}" if closed else f"{self._amount(number)} or more"
            yield Line("", f"nobody may {' or '.join(actions)} {limit}.")


def _end(span: Span) -> tuple[float, bool]:
    return span.upper, span.upper_closed
