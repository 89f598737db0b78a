"""What differs between two answers to the same question: who gains and who loses what, for which amounts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.axes import take
from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.intervals import Intervals
    from clerk_cerbos_lab.decisions.views import MatrixView

GAINED: Final = "gained"
LOST: Final = "lost"

INTERVAL: Final = ("lower", "lower_closed", "upper", "upper_closed")

VERDICTS: Final = {
    (False, False): "equivalent",
    (True, False): "only more",
    (False, True): "only less",
    (True, True): "more and less",
}


@dataclass(frozen=True, slots=True)
class Witness:
    """A request whose effect differs, asked again of both PDPs.

    Attributes:
        principal: the label of the principal.
        values: by axis.
        before: ``ALLOW`` or ``DENY``; None if the PDP of the decisions is not at hand.
        after: the same.
        why_before: the explanation's sentence; empty if it was not asked for.
        why_after: the same.
    """

    principal: str
    values: Mapping[str, Any]
    before: str | None = None
    after: str | None = None
    why_before: str = ""
    why_after: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """People with the same change.

    Attributes:
        change: ``gained`` or ``lost``.
        action: the action.
        where: by axis, the values at which it changes; an axis is left out if it changes at all of them.
        interval: lower, lower_closed, upper, upper_closed along the numeric axis; None without one.
        principals: labels of the people.
        exact: whether the ends of the interval are exact, not those of a grid.
        witness: of one of them.
    """

    change: str
    action: str
    where: Mapping[str, tuple[Any, ...]]
    interval: tuple[float, bool, float, bool] | None
    principals: tuple[str, ...]
    exact: bool
    witness: Witness


@dataclass(frozen=True, eq=False)
class Changes:
    """Who gains and who loses what, between two answers to the same question.

    Attributes:
        before: the first answer.
        after: the second.
        along: the numeric axis whose intervals are compared; None if there is none.
        groups: people with the same change together; the largest first.
        rows: see ``frame``.
        notes: sentences about what could not be told.
    """

    before: Decisions
    after: Decisions
    along: str | None
    groups: tuple[Group, ...]
    rows: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def everybody(self) -> tuple[str, ...]:
        """The labels of the people of both answers: of the first, then of those who joined."""
        return tuple(dict.fromkeys([*self.before.names, *self.after.names]))

    @cached_property
    def never_allowed(self) -> tuple[str, ...]:
        """The actions that neither answer allows anybody at any of the values, so that no change can show."""
        changed = set(self.rows["action"].unique())
        return tuple(
            action
            for action in self.before.actions
            if action not in changed
            and not any(one.sel(action=action).counts()["ALLOW"] for one in (self.before, self.after))
        )

    @property
    def verdict(self) -> str:
        """``equivalent``, ``only more``, ``only less`` or ``more and less``, for these people and values."""
        return VERDICTS[bool(self.gained), bool(self.lost)]

    @cached_property
    def gained(self) -> tuple[str, ...]:
        """The labels of everybody who gains something, in the order of the decisions."""
        return self._who(GAINED)

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """The labels of everybody who loses something, in the order of the decisions."""
        return self._who(LOST)

    def _who(self, change: str) -> tuple[str, ...]:
        some = set(self.rows["principal"][self.rows["change"] == change].unique())
        return tuple(name for name in self.everybody if name in some)

    def frame(self) -> pd.DataFrame:
        """One row per person, action, combination and interval that changes.

        Returns:
            A DataFrame with the columns ``principal``, ``action``, the other axes, ``lower``,
            ``lower_closed``, ``upper``, ``upper_closed`` (along the numeric axis, as in
            ``Decisions.thresholds``; without one the four are left out), ``change`` (``gained``: ALLOW in
            the second answer only, or ``lost``), and ``exact`` (False where only the effects at a grid's
            amounts are known).
        """
        return self.rows.copy()

    def show(
        self,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        *,
        view: Literal["matrix", "thresholds"] = "matrix",
        only_changed: bool = False,
        names: bool = False,
        follow: bool = True,
    ) -> MatrixView:
        """The comparison as an interactive table: what is gained is marked ``+``, what is lost with a minus.

        Args:
            rows: as in ``Decisions.matrix``.
            columns: as in ``Decisions.matrix``.
            view: one cell per decision, or for each row its bands before and after on one line.
            only_changed: begin with the rows in which anything changes.
            names: as in ``Decisions.show``.
            follow: while the table is open in a notebook, and the policies of the second answer are edited,
                compare with what they decide now, with a note. This comparison never changes.

        Returns:
            The table; as the last line of a notebook cell it is shown. Selecting a cell explains it, before
            and after.

        Raises:
            InputError: as in ``Decisions.show``.
        """
        made: MatrixView = drawn_by("changes show")(
            self,
            rows=rows,
            columns=columns,
            view=view,
            only_changed=only_changed,
            names=names,
            follow=follow,
        )
        return made

    def to_dict(self) -> dict[str, Any]:
        """The same as data for a file or a program, with people by pseudonyms.

        Returns:
            A dict with ``version`` (of this form), ``verdict``, ``scope``, ``gained`` and ``lost`` (how many
            people), ``groups`` and ``notes``.
        """
        made: dict[str, Any] = drawn_by("changes as data")(self)
        return made

    def to_markdown(self) -> str:
        """The plan as Markdown, for a pull request; people by pseudonyms."""
        return str(drawn_by("changes markdown")(self))

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        names: bool = False,
        title: str | None = None,
    ) -> None:
        """Write one offline page: the plan, the table with what changes, and how the policies differ.

        Args:
            path: of the file.
            rows: as in ``show``.
            columns: as in ``show``.
            names: as in ``Decisions.show``; the page then says that it is not to be shared.
            title: of the page.

        Raises:
            InputError: as in ``show``.
            OSError: if the file can't be written; an existing one is left as it was.
        """
        drawn_by("changes page")(self, path, rows=rows, columns=columns, names=names, title=title)

    def to_tests(self, path: str | os.PathLike[str], *, names: bool = False) -> Any:
        """Write a native Cerbos test suite that pins what the change does, as the second answer has it.

        Each group has cases on both sides of each end of its interval. ``cerbos compile`` runs the suite on
        the policies of the second answer before it is written; on those before the change it fails.

        Args:
            path: of the file, ending in ``_test.yaml``.
            names: write people by their ids; by default by pseudonyms.

        Returns, and raises, what ``Decisions.to_tests`` does; ``InputError`` also if nothing changes.
        """
        return drawn_by("changes to tests")(self, path, names=names)

    def __repr__(self) -> str:
        return str(drawn_by("changes text")(self))

    def _repr_html_(self) -> str:
        return str(drawn_by("changes html")(self))


def aligned(before: Decisions, after: Decisions) -> Decisions:
    """The second answer with actions and values in the order of the first.

    Raises:
        InputError: if the two do not answer the same question.
    """
    if before.kind != after.kind:
        msg = f"the first answer is about '{before.kind}', the second about '{after.kind}'"
        raise InputError(msg)
    if set(before.dims) != set(after.dims):
        msg = f"the first answer has the axes {list(before.dims[2:])}, the second {list(after.dims[2:])}"
        raise InputError(msg)
    if before.dims != after.dims:
        msg = f"the axes are in another order: {list(before.dims[2:])} and {list(after.dims[2:])}"
        raise InputError(msg)
    for name in sorted({*before.fixed, *after.fixed}):
        one, other = (made.fixed.get(name, "not given") for made in (before, after))
        if key(one) != key(other):
            msg = f"'{name}' is {label(one)} in the first answer and {label(other)} in the second"
            raise InputError(msg)
    wanted: dict[str, list[Any]] = {}
    for dim in before.dims[1:]:
        mine, theirs = before.values(dim), after.values(dim)
        if list(map(key, mine)) == list(map(key, theirs)):
            continue
        known = set(map(key, theirs))
        missing = [label(value) for value in mine if key(value) not in known]
        if missing or len(mine) != len(theirs):
            msg = f"the answers are about different values of {dim}; compare those of both, with .sel"
            if dim == "action":
                msg += "; or lab.compare(before, pdp) asks a PDP about both"
            raise InputError(msg)
        wanted[dim] = list(mine)
    return after.sel(**wanted) if wanted else after


def of_people(decisions: Decisions, names: Sequence[str]) -> Decisions:
    """The decisions about these people, in this order."""
    if tuple(names) == decisions.names:
        return decisions
    place = {name: i for i, name in enumerate(decisions.names)}
    return decisions.of(np.array([place[name] for name in names], dtype=np.intp))


def allowed_rows(decisions: Decisions, along: str | None, change: str) -> pd.DataFrame:
    """Everything that people may do, as the rows of ``Changes.frame``: of those who joined or left."""
    if along is None:
        cells = decisions.frame()
        told = cells[cells["effect"] == "ALLOW"].drop(columns="effect")
        return told.assign(change=change, exact=True)
    found = decisions.thresholds(along)
    gap = ~found["lower_closed"] & ~found["upper_closed"]
    gap &= _next(found["lower"].to_numpy()) >= found["upper"]  # no number lies in it
    told = found[(found["effect"] == "ALLOW") & ~gap].drop(columns=["effect", "boundary"])
    columns = [name for name in told.columns if name != "exact"]
    return told.assign(change=change)[[*columns, "change", "exact"]]


def numeric_axis(decisions: Decisions, along: str | None) -> str | None:
    """The axis whose intervals are compared: the given one, or the numeric one with the most values.

    Raises:
        InputError: if the given one is not a numeric axis.
    """
    numeric = {axis.name: len(axis.values) for axis in decisions.axes if axis.numeric}
    if along is None:
        return max(numeric, key=lambda name: numeric[name]) if numeric else None
    if along not in numeric:
        msg = f"'{along}' is not a numeric axis of these decisions; there are: {', '.join(numeric) or 'none'}"
        raise InputError(msg)
    return along


def changed_rows(before: Decisions, after: Decisions, along: str | None) -> pd.DataFrame:
    """The rows of ``Changes.frame``; the answers must be aligned.

    Raises:
        InputError: if there are too many decisions to compare without a numeric axis.
    """
    if along is None:
        return _changed_cells(before, after)
    pairs = np.column_stack([one.classes()[0] for one in (before, after)])
    _, first, codes = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    line, columns = _changed_lines(before.of(first), after.of(first), along)
    others = [dim for dim in before.dims if dim != along]
    shape = [len(before.values(dim)) for dim in others]
    line, columns = _for_each(codes.ravel(), line, columns, int(np.prod(shape[1:])))
    places = np.unravel_index(line, shape)
    labels = {
        dim: take(before.labels(dim), place.astype(np.intp))
        for dim, place in zip(others, places, strict=True)
    }
    return pd.DataFrame({**labels, **columns})


def _for_each(
    codes: npt.NDArray[np.intp], line: npt.NDArray[np.int64], columns: dict[str, Any], each: int
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """The stretches of everybody, from those of one person of each class.

    Args:
        codes: for each person, the class.
        line: of each stretch of the classes, ascending.
        columns: of these stretches.
        each: lines of a person.
    """
    counts = np.bincount(line // each, minlength=int(codes.max(initial=-1)) + 1)
    starts = np.cumsum(counts) - counts
    many = counts[codes]
    person = np.repeat(np.arange(len(codes)), many)
    at = np.arange(len(person)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(starts[codes], many)
    return person * each + line[at] % each, {name: column.take(at) for name, column in columns.items()}


def _changed_lines(
    before: Decisions, after: Decisions, along: str
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """The stretches that change, and the line of each: the position among people and combinations."""
    one, other = before.flips(along), after.flips(along)
    shape = [len(before.values(dim)) for dim in before.dims if dim != along]
    line, columns = _overlaid(one, other, shape)
    if not columns["exact"].all() or not (one.columns["exact"].all() and other.columns["exact"].all()):
        known = np.ones(int(np.prod(shape)), dtype=np.bool_)
        for found in (one, other):
            known[np.ravel_multi_index(found.codes, tuple(shape))[~found.columns["exact"]]] = False
        line, columns = _with_grid(before, after, along, known, (line, columns))
    return line, columns


def _with_grid(
    before: Decisions,
    after: Decisions,
    along: str,
    known: npt.NDArray[np.bool_],
    overlaid: tuple[npt.NDArray[np.int64], dict[str, Any]],
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """The changed stretches; of lines that are not ``known``, runs of changed amounts of the grid."""
    line, columns = overlaid
    place = before.dims.index(along)
    order = np.argsort(np.array(before.values(along), dtype=np.float64), kind="stable")
    values = np.array(before.values(along), dtype=np.float64)[order]
    then, now = (
        np.moveaxis(one.allowed(), place, -1)[..., order].reshape(-1, len(order)) for one in (before, after)
    )
    state = np.where(then == now, 0, np.where(now, 1, -1))
    state[known] = 0
    row, first = np.nonzero((state != 0) & (np.diff(state, axis=1, prepend=0) != 0))
    _, last = np.nonzero((state != 0) & (np.diff(state, axis=1, append=0) != 0))
    kept = known[line]
    more = {
        "lower": values[first],
        "lower_closed": np.ones(len(row), dtype=np.bool_),
        "upper": values[last],
        "upper_closed": np.ones(len(row), dtype=np.bool_),
        "change": pd.array([LOST, GAINED], dtype="str").take((state[row, first] > 0).astype(np.intp)),
        "exact": np.zeros(len(row), dtype=np.bool_),
    }
    both = pd.concat([pd.DataFrame(columns)[kept], pd.DataFrame(more)], ignore_index=True)
    every = np.concatenate([line[kept], row])
    at = np.argsort(every, kind="stable")
    return every[at], {str(name): both[name].array[at] for name in both}


def _changed_cells(before: Decisions, after: Decisions) -> pd.DataFrame:
    if len(before) > limits.EXPANDED_CELLS:
        msg = f"{len(before):,} decisions; select {limits.EXPANDED_CELLS:,} at most with .sel(…)"
        raise InputError(msg)
    then, now = before.allowed(), after.allowed()
    places = np.argwhere(then != now)
    columns = {dim: take(before.labels(dim), places[:, n]) for n, dim in enumerate(before.dims)}
    gained = now[tuple(places.T)]
    change = pd.array([LOST, GAINED], dtype="str").take(gained.astype(np.intp))
    return pd.DataFrame({**columns, "change": change, "exact": np.ones(len(places), dtype=np.bool_)})


def _overlaid(
    before: Intervals, after: Intervals, shape: Sequence[int]
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """The stretches of each line on which two answers differ.

    Each interval begins at an edge: a number, or just above it. Along a line, the effect of an answer between
    two edges is that of its last interval that has begun.
    """
    parts = [before, after]
    line = np.concatenate([np.ravel_multi_index(part.codes, tuple(shape)) for part in parts]).astype(np.int64)
    lower = np.concatenate([part.columns["lower"] for part in parts])
    above = ~np.concatenate([part.columns["lower_closed"] for part in parts]) & np.isfinite(lower)
    source = np.repeat([0, 1], [len(part.columns["lower"]) for part in parts])
    allow = np.concatenate([np.asarray(part.columns["effect"] == "ALLOW") for part in parts])
    exact = np.concatenate([part.columns["exact"] for part in parts])
    order = np.lexsort((source, above, lower, line))
    line, lower, above, source, allow, exact = (
        column[order] for column in (line, lower, above, source, allow, exact)
    )
    held = [np.maximum.accumulate(np.where(source == n, np.arange(len(line)), -1)) for n in (0, 1)]
    last_of_edge = np.ones(len(line), dtype=np.bool_)
    last_of_edge[:-1] = (line[1:] != line[:-1]) | (lower[1:] != lower[:-1]) | (above[1:] != above[:-1])
    at = np.flatnonzero(last_of_edge)
    line, lower, above = line[at], lower[at], above[at]
    then, now = allow[held[0][at]], allow[held[1][at]]
    known = exact[held[0][at]] & exact[held[1][at]]
    state = np.where(then == now, 0, np.where(now, 1, -1))
    begins = np.ones(len(at), dtype=np.bool_)
    begins[1:] = (line[1:] != line[:-1]) | (state[1:] != state[:-1]) | (known[1:] != known[:-1])
    first = np.flatnonzero(begins)
    after_it = np.append(first[1:], len(at))
    ends = np.append(line[1:] != line[:-1], True)[after_it - 1]
    following = np.where(after_it < len(at), after_it, 0)
    upper = np.where(ends, math.inf, lower[following])
    upper_closed = ~ends & above[following]
    gap = above[first] & ~upper_closed  # of two neighbouring doubles: no number lies in it
    differs = (state[first] != 0) & ~(gap & (_next(lower[first]) >= upper))
    first, upper, upper_closed = first[differs], upper[differs], upper_closed[differs]
    return line[first], {
        "lower": lower[first],
        "lower_closed": ~above[first] & np.isfinite(lower[first]),
        "upper": upper,
        "upper_closed": upper_closed,
        "change": pd.array([LOST, GAINED], dtype="str").take((state[first] > 0).astype(np.intp)),
        "exact": known[first],
    }


def _next(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The next larger double of each; after the largest, infinity."""
    with np.errstate(over="ignore"):
        following: npt.NDArray[np.float64] = np.nextafter(numbers, math.inf)
    return following
