"""The causes of every DENY of a sweep: one row per situation and action."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab.decisions.axes import Axis, take
from clerk_cerbos_lab.decisions.explanations import segments_of
from clerk_cerbos_lab.decisions.situations import situation_at
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.finer_situations import FinerSituations
from clerk_cerbos_lab.insights.shared_causes import causes_with_misfits
from clerk_cerbos_lab.insights.slots import Slots
from clerk_cerbos_lab.insights.why import required_of, unknown_pdp
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import hidden_aux_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Cause
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.insights.finer_situations import Kind
    from clerk_cerbos_lab.insights.seen_conditions import Misfit

COLUMNS: Final = ("action", "principals", "cells", "cause", "rule", "detail", "attributes", "also")

_AT_ONCE: Final = 100_000
"""Principals that are counted together."""


def causes(decisions: Decisions, *, aux_data: Any = None, names: bool = False) -> pd.DataFrame:
    """Why each DENY is one; ``Decisions.causes`` documents it."""
    source = decisions.source
    if not isinstance(source, Instrumented):
        raise InputError(unknown_pdp(source))
    axes = [axis.name for axis in decisions.axes]
    twice = sorted({name for name in axes if name in {*COLUMNS, "principal"}})
    if twice:
        msg = f"the table of causes would have several columns {twice}: rename the axis"
        raise InputError(msg)
    jwt = hidden_aux_data(aux_data)
    if decisions.provenance.aux_data and jwt is None:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    people = read_principals(decisions.principals)
    rows: list[_Row] = []
    for place, action in enumerate(decisions.actions):
        question = replace(decisions.question, actions=(action,), aux_data=jwt)
        of_action = list(_Action(decisions, place, question, people, names=names).rows())
        rows += sorted(of_action, key=lambda row: -row.cells)
        _check(decisions, action, of_action)
    table: dict[str, Any] = {
        "action": [decisions.actions[row.action] for row in rows],
        "principals": np.array([row.principals for row in rows], dtype=np.intp),
        "cells": np.array([row.cells for row in rows], dtype=np.intp),
        "cause": [row.causes[0].kind for row in rows],
        "rule": [row.causes[0].rule for row in rows],
        "detail": [row.causes[0].detail for row in rows],
        "attributes": [row.causes[0].attributes for row in rows],
        "also": ["; ".join(map(_in_words, row.causes[1:])) for row in rows],
    }
    places = np.array([row.places for row in rows], dtype=np.intp).reshape(len(rows), len(axes) + 1)
    for at, dim in enumerate(["principal", *axes]):
        table[dim] = take(Axis(dim, decisions.values(dim)).array(), places[:, at])
    return pd.DataFrame(table)


def _check(decisions: Decisions, action: str, rows: Sequence[_Row]) -> None:
    """Compare how many cells the rows of an action count with how many decisions are DENY.

    Raises:
        PDPError: if these differ.
    """
    if sum(row.cells for row in rows) != decisions.sel(action=action).counts()["DENY"]:
        msg = (
            f"some decisions about '{action}' are ALLOW and DENY in one situation: the policies depend on "
            "something outside the request, such as the time, or this is an error of clerk-cerbos-lab. "
            "decisions.why(…) explains one decision"
        )
        raise PDPError(msg)


def _in_words(cause: Cause) -> str:
    return ": ".join(filter(None, (cause.kind, cause.rule, cause.detail)))


@dataclass(slots=True)
class _Row:
    """Cells of an action with the same cause.

    Attributes:
        action: its position.
        causes: of the example, of which the kind, rule and attributes of the first are those of all cells.
        places: of the example: the principal, then the position on each axis.
        principals: how many have some of the cells.
        cells: how many there are.
    """

    action: int
    causes: list[Cause]
    places: tuple[int, ...]
    principals: int = 0
    cells: int = 0


@dataclass(slots=True)
class _Situation:
    """A combination of points at which members of a kind have cells.

    Attributes:
        key: equal for situations with equal explanations.
        at: the positions of the points among those of the kind.
        places: an example: a member, then the position on each axis.
    """

    key: tuple[object, ...]
    at: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(slots=True)
class _Counts:
    """How many values of each axis are at each point, and of which members."""

    kind: Kind
    members: npt.NDArray[np.intp]
    each: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def of(self, at: Sequence[int]) -> npt.NDArray[np.int64]:
        """For each member, how many cells are at these points."""
        found = np.ones(len(self.members), np.int64)
        for counts, point in zip(self.each, at, strict=True):
            found = found * counts[:, point]
        return found


class _Action:
    """The rows of one action."""

    def __init__(
        self, decisions: Decisions, place: int, question: Question, people: PrincipalTable, *, names: bool
    ) -> None:
        self._decisions = decisions
        self._place = place
        self._axes = question.axes
        self._numbers = [
            np.array(axis.values, dtype=np.float64) if axis.numeric else None for axis in question.axes
        ]
        self._slots = Slots(question)
        self._disclosure = decisions.shown(names=names)
        self._required = required_of(decisions)
        self._finer = FinerSituations(decisions, question, people)

    def rows(self) -> Iterator[_Row]:
        """The rows, in the order in which they are found."""
        rows: dict[tuple[object, ...], _Row] = {}
        waiting = list(self._finer.kinds())
        while waiting:
            situations = [list(self._situations(kind)) for kind in waiting]
            found = self._asked([one for some in situations for one in some])
            again: list[Kind] = []
            for kind, own in zip(waiting, situations, strict=True):
                finer = list(self._finer.divided(kind, (one for at in own for one in found[at.key][1])))
                again += finer
                if not finer:
                    self._add(rows, kind, [(one, found[one.key][0]) for one in own])
            waiting = again
        yield from rows.values()

    def _add(
        self,
        rows: dict[tuple[object, ...], _Row],
        kind: Kind,
        situations: list[tuple[_Situation, list[Cause]]],
    ) -> None:
        """Count the cells of a kind."""
        together: dict[tuple[object, ...], list[_Situation]] = {}
        for one, told in situations:
            key = self._row_of(one, told[0])
            together.setdefault(key, []).append(one)
            rows.setdefault(key, _Row(self._place, told, one.places))
        for counts in self._counts(kind):
            for key, some in together.items():
                cells = sum((counts.of(one.at) for one in some), np.zeros(len(counts.members), np.int64))
                rows[key].cells += int(cells.sum())
                rows[key].principals += int(np.count_nonzero(cells))

    def _row_of(self, one: _Situation, cause: Cause) -> tuple[object, ...]:
        """Equal for situations that the decisions do not tell apart, with the same cause."""
        index = self._decisions.index
        principal, *places = one.places
        at = [int(own[place]) for own, place in zip(index[2:], places, strict=True)]
        among = situation_at(self._decisions.cube, int(index[0][principal]), at)
        return (one.key if among is None else among), cause.kind, cause.rule, cause.attributes

    def _counts(self, kind: Kind) -> Iterator[_Counts]:
        """How many values are at each point, for some of the members after others."""
        for start in range(0, len(kind.members), _AT_ONCE):
            members = kind.members[start : start + _AT_ONCE]
            counts = _Counts(kind, members)
            for at, places in enumerate(kind.places):
                if places is None:
                    cuts = self._finer.every_cuts(kind, at, members)
                    counts.each.append(_in_segments(cuts, np.sort(self._line(at))))
                else:
                    counts.each.append(np.bincount(places, minlength=len(kind.points[at]))[None, :])
            yield counts

    def _line(self, at: int) -> npt.NDArray[np.float64]:
        found = self._numbers[at]
        assert found is not None, "only numeric axes are cut"  # noqa: S101
        return found

    def _situations(self, kind: Kind) -> Iterator[_Situation]:
        """The situations of a kind in which a member has a cell, if they are DENY."""
        every = list(self._counts(kind))
        there = [[i for i, point in enumerate(of_axis) if point is not None] for of_axis in kind.points]
        for (key, _), at in zip(kind.situations(), itertools.product(*there), strict=True):
            for counts in every:
                has = np.flatnonzero(counts.of(at))
                if len(has):
                    places = self._example(kind, int(counts.members[has[0]]), at)
                    if not self._allowed(places):
                        yield _Situation(key, at, places)
                    break

    def _example(self, kind: Kind, member: int, at: tuple[int, ...]) -> tuple[int, ...]:
        """A cell of a member at these points."""
        found = [member]
        for axis, point in enumerate(at):
            codes = kind.places[axis]
            if codes is None:
                codes = segments_of(self._finer.cuts_of(kind, axis, member), self._line(axis))
            found.append(int(np.argmax(codes == point)))
        return tuple(found)

    def _allowed(self, places: tuple[int, ...]) -> bool:
        index = self._decisions.index
        cell = [own[[place]] for own, place in zip(index[2:], places[1:], strict=True)]
        one = [index[0][[places[0]]], index[1][[self._place]], *cell]
        return bool(self._decisions.cube.take(one).item())

    def _asked(
        self, situations: list[_Situation]
    ) -> dict[tuple[object, ...], tuple[list[Cause], list[Misfit]]]:
        """The causes of each situation, and the values that do not fit."""
        asked: dict[tuple[object, ...], _Situation] = {}
        for one in situations:
            asked.setdefault(one.key, one)
        requests = [
            self._finer.request(
                one.places[0],
                [axis.values[at] for axis, at in zip(self._axes, one.places[1:], strict=True)],
            )
            for one in asked.values()
        ]
        source = self._decisions.source
        found = causes_with_misfits(source, requests, self._disclosure, self._required, self._slots)
        return dict(zip(asked, found, strict=True))


def _in_segments(cuts: npt.NDArray[np.float64], numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """``[row, segment]``: how many of these ascending numbers are in each gap and at each cut."""
    ends = [np.searchsorted(numbers, cuts, side) for side in ("left", "right")]
    before = np.stack(ends, axis=-1).reshape(len(cuts), -1)
    every = np.pad(before, [(0, 0), (1, 1)])
    every[:, -1] = len(numbers)
    return np.diff(every, axis=1).astype(np.int64)
