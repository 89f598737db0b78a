"""Decisions: the effects of a sweep as labelled data, expanded only where it is looked at."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions import files
from clerk_cerbos_lab.decisions.axes import Axis, level, take
from clerk_cerbos_lab.decisions.cube import segmented
from clerk_cerbos_lab.decisions.intervals import COLUMNS, intervals
from clerk_cerbos_lab.decisions.views import drawn_by
from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.identity.disclosure import Disclosure
from clerk_cerbos_lab.identity.pseudonyms import PREFIX, pseudonym
from clerk_cerbos_lab.policies.people_named import PolicyNames, names_in, names_in_files
from clerk_cerbos_lab.values import clean, is_number, key

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.cube import Cube
    from clerk_cerbos_lab.decisions.intervals import Intervals, Segmented
    from clerk_cerbos_lab.decisions.provenance import Provenance
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.decisions.views import LongTableView, MatrixView

EFFECTS: Final = np.array(["DENY", "ALLOW"], dtype=object)

CHUNK: Final = 500_000  # rows of a frame made at once when a file is written


class Decisions:
    """The effect of each action of each principal at each combination of the axes.

    Made by ``lab.sweep``. Nothing changes one: ``.sel`` gives another.

    Attributes:
        cube: the effects (see ``decisions.cube``).
        question: what was asked, without a JWT; it can be asked again, of another PDP or about other people.
        kind: the resource kind.
        names: the principals' labels: the id, and what differs where an id has several rows.
        actions: the action names.
        axes: the attributes that vary.
        fixed: the attributes that do not, with ``resource_id`` where that is fixed.
        provenance: where this comes from and how it was verified.
        policies: the policy files by path, as text; None for a PDP at an address.
        read: the principal attributes that the policies read; None where the PDP does not tell.
        documents: the policies as the PDP tells them; none where it does not.
    """

    def __init__(
        self,
        *,
        cube: Cube,
        question: Question,
        principals: pd.DataFrame,
        names: tuple[str, ...],
        provenance: Provenance,
        index: tuple[npt.NDArray[np.intp], ...] | None = None,
        policies: Mapping[str, str] | None = None,
        read: frozenset[str] | None = None,
        documents: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self.cube = cube
        self.question = question.without_aux_data()
        self._index = index or tuple(np.arange(n, dtype=np.intp) for n in cube.shape)
        self._principals = principals
        self.kind = question.kind
        self.names = names
        self.actions = question.actions
        self.axes = question.axes
        self.fixed = dict(question.fixed)
        self.provenance = provenance
        self.policies = policies
        self.read = read
        self.documents = documents

    # -- size and counts ----------------------------------------------------------------------

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions: ``principal``, ``action``, then the axes."""
        return ("principal", "action", *(axis.name for axis in self.axes))

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each dimension has."""
        return tuple(len(index) for index in self._index)

    def __len__(self) -> int:
        """The number of decisions."""
        return int(np.prod(self.shape, dtype=np.int64))

    def counts(self) -> dict[str, int]:
        """How many decisions are ALLOW and how many DENY: ``{"ALLOW": n, "DENY": m}``."""
        allow = self.cube.count(self._index)
        return {"ALLOW": allow, "DENY": len(self) - allow}

    @property
    def principals(self) -> pd.DataFrame:
        """The principals frame of the decisions, with their labels as its index."""
        rows = self._principals.iloc[self._index[0]]
        return rows.set_axis(pd.Index(self.names, name="principal"), axis=0)

    # -- selecting ----------------------------------------------------------------------------

    def sel(self, **labels: object) -> Decisions:
        """The decisions at these labels, with every dimension kept.

        Args:
            labels: for a dimension one value, a list of values, or (on a numeric axis) a
                ``slice(low, high)`` with both ends included. A value that is itself a list stands
                inside a list. ``principal`` and ``action`` are dimensions too; a
                principal may be named by the pseudonym that tables show.

        Returns:
            ``Decisions`` in the order of the labels asked for.

        Raises:
            InputError: for a dimension or a value that is not there; names the nearest.
        """
        index = list(self._index)
        names, actions, axes = self.names, self.actions, list(self.axes)
        for dim, wanted in labels.items():
            if dim not in self.dims:
                what = "fixed, not an axis" if dim in self.fixed else "no dimension of these decisions"
                msg = f"'{dim}' is {what}{did_you_mean(dim, self.dims)}"
                raise InputError(msg)
            place = self.dims.index(dim)
            given = self._from_pseudonyms(wanted) if dim == "principal" else wanted
            chosen = _positions(dim, self.values(dim), given)
            index[place] = index[place][chosen]
            if dim == "principal":
                names = tuple(names[i] for i in chosen)
            elif dim == "action":
                actions = tuple(actions[i] for i in chosen)
            else:
                axis = axes[place - 2]
                axes[place - 2] = Axis(axis.name, tuple(axis.values[i] for i in chosen))
        return self._part(index, names, actions, tuple(axes))

    def _from_pseudonyms(self, wanted: object) -> object:
        """Principals' labels where pseudonyms were given; everything else as it is."""
        given = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(given, (list, tuple)) or not any(str(one).startswith(PREFIX) for one in given):
            return wanted
        rows: dict[object, list[str]] = {}  # of lab.vary a person has several
        disclosure = self.shown()
        for identity, name in zip(self.principals["id"], self.names, strict=True):
            for called in {disclosure.principal(identity, name), pseudonym(identity)}:
                rows.setdefault(called, []).append(name)
        return [name for one in given for name in ([one] if one in self.names else rows.get(one, [one]))]

    def different(self) -> Decisions:
        """The decisions of principals who stand for all: everybody has the effects of one of them."""
        return self.of(self.classes()[1])

    def classes(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects.

        Returns:
            ``codes``: for each principal the number of its class; ``representatives``: for each class the
            position of its first principal.
        """
        return self.cube.classes(self._index[0])

    def head(self, count: int) -> Decisions:
        """The decisions of the first principals."""
        return self.of(np.arange(min(count, len(self.names)), dtype=np.intp))

    def of(self, places: npt.NDArray[np.intp]) -> Decisions:
        """The decisions of the principals at these positions."""
        index = [self._index[0][places], *self._index[1:]]
        return self._part(index, tuple(self.names[i] for i in places), self.actions, self.axes)

    def _part(
        self,
        index: Sequence[npt.NDArray[np.intp]],
        names: tuple[str, ...],
        actions: tuple[str, ...],
        axes: tuple[Axis, ...],
    ) -> Decisions:
        """The decisions at these positions, under these labels."""
        return Decisions(
            cube=self.cube,
            question=dataclasses.replace(self.question, actions=actions, axes=axes),
            principals=self._principals,
            names=names,
            provenance=self.provenance,
            index=tuple(index),
            policies=self.policies,
            read=self.read,
            documents=self.documents,
        )

    def with_cube(self, cube: Cube, question: Question, provenance: Provenance) -> Decisions:
        """Decisions of the same principals and policies by another cube."""
        return Decisions(
            cube=cube,
            question=question,
            principals=self._principals,
            names=self.names,
            provenance=provenance,
            policies=self.policies,
            read=self.read,
            documents=self.documents,
        )

    @property
    def call(self) -> str:
        """The ``lab.sweep(…)`` call that makes these decisions of ``pdp`` and ``principals``.

        Where a JWT was sent, it has a variable ``aux_data`` in its place. Principals that were chosen with
        ``.sel`` are those of ``principals``.
        """
        return self.question.call(aux_data=self.provenance.aux_data)

    def effect(self, **labels: object) -> str:
        """One decision: ``"ALLOW"`` or ``"DENY"``.

        Args:
            labels: a value for each dimension that has more than one.

        Raises:
            InputError: for a value that is not there, or when more than one decision is left.
        """
        one = self.sel(**labels)
        if len(one) != 1:
            wide = [f"{dim} ({n})" for dim, n in zip(one.dims, one.shape, strict=True) if n > 1]
            msg = f"{len(one):,} decisions are left; say which: {', '.join(wide)}"
            raise InputError(msg)
        return str(EFFECTS[int(one.allowed().item())])

    def values(self, dim: str) -> tuple[Any, ...]:
        """The labels of a dimension, in order."""
        if dim == "principal":
            return self.names
        if dim == "action":
            return self.actions
        return self.axes[self.dims.index(dim) - 2].values

    # -- expanding ----------------------------------------------------------------------------

    def allowed(self) -> npt.NDArray[np.bool_]:
        """The cube as an array of booleans, True for ALLOW, in the order of ``dims``."""
        return self.cube.take(self._index)

    def frame(self) -> pd.DataFrame:
        """One row a decision.

        Returns:
            A DataFrame with the columns ``principal``, ``action``, one for each axis under the
            attribute's name, and ``effect`` (``"ALLOW"`` or ``"DENY"``); the last axis varies
            fastest.
        """
        arrays = {dim: Axis(dim, self.values(dim)).array() for dim in self.dims}
        return pd.concat(list(self.frames(arrays)), ignore_index=True)

    def frames(self, arrays: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
        """The frame in parts of about ``CHUNK`` rows, at least one principal each.

        Args:
            arrays: for each dimension in order, under the name of its column, the values.
        """
        effects = pd.array(EFFECTS, dtype="str")
        each = max(1, len(self) // max(1, self.shape[0]))
        step = max(1, CHUNK // each)
        for start in range(0, self.shape[0], step):
            part = self._index[0][start : start + step]
            allowed = self.cube.take((part, *self._index[1:]))
            places = list(np.unravel_index(np.arange(allowed.size), allowed.shape))
            places[0] = places[0] + start
            columns = {
                name: take(array, place) for (name, array), place in zip(arrays.items(), places, strict=True)
            }
            yield pd.DataFrame({**columns, "effect": effects.take(allowed.ravel().astype(np.intp))})

    def matrix(
        self,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The decision matrix: a wide DataFrame of ``"ALLOW"`` and ``"DENY"``.

        Args:
            rows: the dimensions down the side; default: ``principal`` and all that have more than
                one value and stand in no column.
            columns: the dimensions across the top; default: the longest numeric axis, else the
                last axis, else ``action``.

        Returns:
            A DataFrame with one level of index or columns for each dimension named. Every decision
            stands in it once: a dimension with several values must be named on one side. Where
            one side has several levels, a level whose values are not all text, all numbers or all
            booleans holds them as written in a table (``null``, ``MISSING``, ``"5"``): pandas would
            take some of them for the same.

        Raises:
            InputError: for a name that is no dimension, or one left out or given twice.
        """
        down, across = self.sides(rows, columns)
        values = EFFECTS[self.table(down, across).astype(np.int8)]
        return pd.DataFrame(values, index=self._labels(down), columns=self._labels(across))

    def table(self, down: Sequence[str], across: Sequence[str]) -> npt.NDArray[np.bool_]:
        """``allowed[row, column]``, with the dimensions of each side flattened, the last fastest."""
        order = [*down, *across]
        rest = [dim for dim in self.dims if dim not in order]
        cube = np.transpose(self.allowed(), [self.dims.index(dim) for dim in [*order, *rest]])
        sizes = [self.shape[self.dims.index(dim)] for dim in down]
        return cube.reshape(int(np.prod(sizes, dtype=np.int64)), -1)

    def sides(
        self,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
    ) -> tuple[list[str], list[str]]:
        """The dimensions down the side and across the top; arguments and errors as ``matrix``."""
        across = _names(columns) or [self._default_column()]
        wide = [dim for dim, n in zip(self.dims, self.shape, strict=True) if n > 1]
        down = _names(rows)
        if down is None:
            down = [dim for dim in self.dims if dim not in across and dim in {*wide, "principal"}]
            if not down:
                down = [dim for dim in self.dims if dim not in across][:1]
        for dim in [*down, *across]:
            if dim not in self.dims:
                msg = f"'{dim}' is no dimension{did_you_mean(dim, self.dims)}"
                raise InputError(msg)
        if len({*down, *across}) != len(down) + len(across):
            msg = f"a dimension is given twice: rows {down}, columns {across}"
            raise InputError(msg)
        left = [dim for dim in wide if dim not in {*down, *across}]
        if left:
            msg = f"{left} have several values: name them in rows or columns, or choose with .sel"
            raise InputError(msg)
        return down, across

    def _default_column(self) -> str:
        numeric = [axis for axis in self.axes if axis.numeric]
        if numeric:
            return max(numeric, key=lambda axis: len(axis.values)).name
        return self.axes[-1].name if self.axes else "action"

    def _labels(self, dims: Sequence[str]) -> pd.Index[Any]:
        if len(dims) == 1:
            array = Axis(dims[0], self.values(dims[0])).array()
            one: pd.Index[Any] = pd.Index(array, name=dims[0], tupleize_cols=False)
            return one
        levels = [level(self.values(dim)) for dim in dims]
        return pd.MultiIndex.from_product(levels, names=list(dims))

    def thresholds(self, axis: str, *, action: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Where the effect flips along a numeric axis.

        The sweep has asked each number that the policies compare the axis with, one between two of them,
        both ends of the line, and beside each boundary the next double and the next cent on either side
        (where no other number lies between). So the grid makes no difference, and nothing is asked here.

        Args:
            axis: a numeric axis.
            action: one or several; default: all.

        Returns:
            One row an interval: ``principal``, ``action``, the other axes, ``lower``,
            ``lower_closed``, ``upper``, ``upper_closed``, ``effect``, ``exact`` (bool) and
            ``boundary``. The intervals of one combination cover the whole line in order, and
            neighbours differ in effect; a boundary belongs to the interval that is closed there.
            ``boundary`` is ``exact``. On an axis that is asked value by value (``provenance.notes``
            says why), and after a sweep of every cell, only the grid is known: ``exact`` is False, the
            effect flips somewhere between two neighbours, which ``boundary`` names (``between 4,950
            and 5,000``), and that gap counts as DENY; a band that begins and ends in it is not seen;
            below the first and above the last amount their effect carries on, and ``boundary`` says
            that it was not asked. For fewer people or values: ``decisions.sel(…).thresholds(…)``.

        Raises:
            InputError: when the axis is not there or not numeric.
        """
        chosen = self if action is None else self.sel(action=action)
        found = next((a for a in chosen.axes if a.name == axis), None)
        if found is None or not found.numeric:
            what = "not a numeric axis" if found else "fixed, no axis" if axis in chosen.fixed else "no axis"
            known = [a.name for a in chosen.axes if a.numeric]
            msg = f"'{axis}' is {what} of these decisions{did_you_mean(axis, known)}"
            raise InputError(msg)
        taken = {dim for dim in chosen.dims if dim != axis} & set(COLUMNS)
        if taken:
            msg = f"the table of thresholds has columns {sorted(taken)} of its own: no axis can be called so"
            raise InputError(msg)
        others = [dim for dim in chosen.dims if dim != axis]
        flips = chosen.intervals(axis) or chosen._on_the_grid(found)  # noqa: SLF001 - of the same class
        columns: dict[str, Any] = {
            dim: take(Axis(dim, chosen.values(dim)).array(), codes)
            for dim, codes in zip(others, flips.codes, strict=True)
        }
        table = pd.DataFrame({**columns, **flips.columns})
        table.attrs["units"] = dict(self.question.units)
        return table

    def to_xarray(self) -> Any:
        """These decisions as an ``xarray.DataArray`` of booleans, True for ALLOW.

        For a part of them, choose it first: ``decisions.sel(…).to_xarray()``.

        Returns:
            Its dimensions are those of the decisions, its coordinates their labels (values that are not all
            text, all numbers or all booleans as objects), ``attrs`` hold kind, fixed attributes, units and
            the provenance's caption.

        Raises:
            InputError: when xarray is not installed, or there are more than 200 million decisions.
        """
        if len(self) > limits.EXPANDED_CELLS:
            msg = f"{len(self):,} decisions; choose {limits.EXPANDED_CELLS:,} at most with .sel(…)"
            raise InputError(msg)
        about = {
            "kind": self.kind,
            "fixed": {name: label(value) for name, value in self.fixed.items()},
            "units": dict(self.question.units),
            "provenance": self.provenance.caption(),
        }
        return files.data_array(
            self.allowed(), {dim: Axis(dim, self.values(dim)).array() for dim in self.dims}, about
        )

    def intervals(self, axis: str) -> Intervals | None:
        """The intervals of ``thresholds`` as arrays; None where only the grid is known."""
        return self.cube.intervals(self.dims.index(axis), self._index)

    def segmented(self, axis: str) -> Segmented | None:
        """A numeric axis cut wherever an effect flips; None where only its grid is known."""
        dim = self.dims.index(axis)
        return segmented(self.cube, dim, self._index, self.values(axis))

    def _on_the_grid(self, axis: Axis) -> Intervals:
        order = np.argsort(np.array(axis.values), kind="stable")
        cube = np.moveaxis(self.allowed(), self.dims.index(axis.name), -1)[..., order]
        return intervals(cube, [float(axis.values[i]) for i in order])

    # -- files --------------------------------------------------------------------------------

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the long frame as CSV, in UTF-8.

        A column whose values are of one plain type (text, numbers, booleans) is written as such.
        Any other column holds each value as JSON (``null``, ``"5000"``, ``["a"]``), an empty cell
        where the attribute is missing, and the column is called ``<name> (JSON)``.
        """
        files.write_csv(path, self.frames(self._columns(" (JSON)")))

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the long frame as Parquet, in parts, with the provenance in the file's metadata.

        Columns as in ``to_csv``, but a column of JSON keeps its name and says so in the metadata:
        the key ``clerk_cerbos_lab`` holds ``provenance``, ``kind``, ``fixed``, ``units``, ``json_columns``.
        """
        about = {
            "provenance": self.provenance.to_dict(),
            "kind": self.kind,
            "fixed": {name: label(value) for name, value in self.fixed.items()},
            "units": dict(self.question.units),
            "json_columns": [axis.name for axis in self.axes if not axis.plain],
        }
        files.write_parquet(path, self.frames(self._columns("")), about)

    def _columns(self, suffix: str) -> dict[str, Any]:
        labels = {dim: Axis(dim, self.values(dim)).array() for dim in self.dims[:2]}
        return files.columns_of(labels, self.axes, suffix)

    # -- showing ------------------------------------------------------------------------------

    def shown(self, *, names: bool = False, ids: frozenset[str] = frozenset()) -> Disclosure:
        """How the principals are called: by pseudonyms, or by their ids (``names``).

        Args:
            names: show ids and every attribute.
            ids: others whose ids are not to be shown either.
        """
        others = (axis.name for axis in self.axes)
        return Disclosure(
            self._principals,
            names=names,
            read=self.read,
            policies=self._policy_names,
            ids=ids,
            words=(self.kind, *self.actions, *others, *self.fixed),
        )

    def _policy_names(self) -> PolicyNames:
        """Whom the policies name; also those in files that the PDP does not tell, such as disabled ones."""
        told = names_in(self.documents)
        texts = (self.policies or {}).values()
        rest = names_in_files(tuple(text for text in texts if not self.documents or "disabled" in text))
        return PolicyNames(told.people | rest.people, told.words | rest.words)

    def show(
        self,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        *,
        view: Literal["matrix", "thresholds"] = "matrix",
        names: bool = False,
    ) -> MatrixView:
        """The decisions as an interactive table: sorted, searched, filtered, a cell at a time.

        Args:
            rows: as ``matrix``.
            columns: as ``matrix``.
            view: a cell for each decision, or for each row its bands along a numeric axis.
            names: call principals by their ids and show every attribute. By default by pseudonyms
                (``lab.pseudonym``), with the attributes that policies read and that are known to hold
                nothing personal (see ``lab.shareable``).

        Returns:
            A ``Matrix``; the last line of a cell shows it. ``.selected`` is the cell that was chosen in it.

        Raises:
            InputError: as ``matrix``; for ``view="thresholds"`` without a numeric axis across the top.
        """
        made: MatrixView = drawn_by("show")(self, rows=rows, columns=columns, view=view, names=names)
        return made

    def long_table(self, *, names: bool = False) -> LongTableView:
        """Decisions as rows, to be sorted, searched and paged; ``.to_html(path)`` makes a page of it.

        Args:
            names: as ``show``.
        """
        made: LongTableView = drawn_by("long_table")(self, names=names)
        return made

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        scenarios: Mapping[str, Decisions] | None = None,
        scenario: str = "as it is",
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
        names: bool = False,
        title: str | None = None,
    ) -> None:
        """Write one offline page: the matrix alive without a kernel, totals without scripts, provenance.

        Args:
            path: of the file; it is written as a whole or not at all.
            scenarios: other decisions of the same dimensions, by name: a what-if slider goes through them.
            scenario: what these decisions are called beside the others.
            rows: as ``matrix``.
            columns: as ``matrix``.
            names: call principals by their ids, show every attribute, and warn of it in the page. By
                default pseudonyms, and of the attributes those that ``show`` shows.
            title: default: the kind and the actions.

        Raises:
            InputError: as ``matrix``; for a folder that is not there, or a scenario of other dimensions.
        """
        drawn_by("to_html")(
            self,
            path,
            scenarios=scenarios,
            scenario=scenario,
            rows=rows,
            columns=columns,
            names=names,
            title=title,
        )

    def __repr__(self) -> str:
        return str(drawn_by("__repr__")(self, self.shown()))

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What a notebook shows: a live table, one that reads without scripts, and plain text."""
        return self.show()._repr_mimebundle_()


def _names(given: str | Sequence[str] | None) -> list[str] | None:
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


def _positions(dim: str, values: Sequence[Any], wanted: object) -> npt.NDArray[np.intp]:
    places = {key(value): i for i, value in enumerate(values)}
    if isinstance(wanted, slice):
        if wanted.step is not None or not all(is_number(value) for value in values):
            msg = f"{dim}: a slice without a step chooses from a numeric axis"
            raise InputError(msg)
        low = -np.inf if wanted.start is None else wanted.start
        high = np.inf if wanted.stop is None else wanted.stop
        found = [i for i, value in enumerate(values) if low <= value <= high]
        if not found:
            msg = f"{dim}: no value between {low} and {high}"
            raise InputError(msg)
        return np.array(found, dtype=np.intp)
    many = isinstance(wanted, (list, tuple, range, np.ndarray, pd.Series, pd.Index))
    asked = list(wanted) if many else [wanted]  # type: ignore[call-overload]
    if not asked:
        msg = f"{dim}: an empty choice"
        raise InputError(msg)
    chosen = []
    for value in asked:
        wire = key(clean(value, dim))
        if wire not in places:
            shown = [label(v) for v in values]
            near = did_you_mean(label(value), shown)
            msg = f"{dim} has no value {label(clean(value, dim))}{near}"
            raise InputError(msg)
        chosen.append(places[wire])
    if len(set(chosen)) != len(chosen):
        msg = f"{dim}: a value is chosen twice"
        raise InputError(msg)
    return np.array(chosen, dtype=np.intp)
