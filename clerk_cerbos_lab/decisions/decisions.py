"""Decisions: the effects of a sweep as labelled data, expanded only where they are read."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions import files
from clerk_cerbos_lab.decisions.axes import Axis, level, take
from clerk_cerbos_lab.decisions.cube import segmented
from clerk_cerbos_lab.decisions.explanations import broken_cells
from clerk_cerbos_lab.decisions.intervals import COLUMNS, intervals, joined
from clerk_cerbos_lab.decisions.situations import situations_of
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

    from clerk_cerbos_lab.decisions.counterfactual import Counterfactuals
    from clerk_cerbos_lab.decisions.cube import Cube
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.decisions.explanations import Explanations
    from clerk_cerbos_lab.decisions.intervals import Intervals, Segmented
    from clerk_cerbos_lab.decisions.provenance import Provenance
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.decisions.views import LongTableView, MatrixView

EFFECTS: Final = np.array(["DENY", "ALLOW"], dtype=object)

CHUNK: Final = 500_000  # rows per frame when a file is written


class Decisions:
    """The effect of each action of each principal at each combination of the axes.

    Returned by ``lab.sweep``. Decisions never change: ``.sel`` returns new ones.

    Attributes:
        cube: the effects (see ``decisions.cube``).
        question: what was asked, without a JWT; it can be put to another PDP, or about other people.
        kind: the resource kind.
        names: the principals' labels: the id and, if several rows have that id, what differs.
        actions: the action names.
        axes: the attributes that vary.
        fixed: the attributes that do not vary, with ``resource_id`` if that is fixed.
        provenance: where the decisions come from and how they were verified.
        policies: the policy files by path, as text; None for a PDP at an address.
        read: the principal attributes that the policies read; None if the PDP does not report them.
        documents: the policies as the PDP returned them; empty if it does not.
        source: what ``why`` asks; None in a copy or a pickle, which holds only the decisions.
        explanations: of all these decisions, after ``explain``; else None.
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
        source: Any = None,
        explanations: Explanations | None = None,
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
        self.source = source
        self.explanations = explanations

    # -- size and counts ----------------------------------------------------------------------

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions: ``principal``, ``action``, then the axes."""
        return ("principal", "action", *(axis.name for axis in self.axes))

    @property
    def index(self) -> tuple[npt.NDArray[np.intp], ...]:
        """For each dimension, the positions in the cube that these decisions have."""
        return self._index

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
                ``slice(low, high)`` with both ends included. Put a value that is itself a list
                inside a list. ``principal`` and ``action`` are dimensions too; a principal can be
                given by the pseudonym that tables show.

        Returns:
            ``Decisions`` in the order of the labels given.

        Raises:
            InputError: for a dimension or a value that does not exist; gives the nearest.
        """
        index = list(self._index)
        names, actions, axes = self.names, self.actions, list(self.axes)
        for dim, wanted in labels.items():
            if dim not in self.dims:
                what = "fixed, not an axis" if dim in self.fixed else "not a dimension of these decisions"
                msg = f"'{dim}' is {what}{did_you_mean(dim, self.dims)}"
                raise InputError(msg)
            place = self.dims.index(dim)
            given = self._from_pseudonyms(wanted) if dim == "principal" else wanted
            if dim == "principal" and type(given) is str and given in self._rows:
                chosen = np.array([self._rows[given]], dtype=np.intp)
            else:
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

    @cached_property
    def _rows(self) -> dict[str, int]:
        """The position of each principal's label."""
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def _names(self) -> Any:
        """The principals' labels as an array for a column."""
        return pd.array(self.names, dtype="str")

    def labels(self, dim: str) -> Any:
        """The labels of a dimension as an array for a column."""
        return self._names if dim == "principal" else Axis(dim, self.values(dim)).array()

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle keeps: not what is found again quickly, and nothing that runs."""
        kept = {
            name: value for name, value in vars(self).items() if name not in {"_rows", "_names", "_classes"}
        }
        return {**kept, "source": None}

    def _from_pseudonyms(self, wanted: object) -> object:
        """Replace pseudonyms by the principals' labels; return anything else unchanged."""
        given = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(given, (list, tuple)) or not any(str(one).startswith(PREFIX) for one in given):
            return wanted
        rows: dict[object, list[str]] = {}  # after lab.vary a person has several
        disclosure = self.shown()
        for identity, name in zip(self.principals["id"], self.names, strict=True):
            for called in {disclosure.principal(identity, name), pseudonym(identity)}:
                rows.setdefault(called, []).append(name)
        return [name for one in given for name in ([one] if one in self.names else rows.get(one, [one]))]

    def different(self) -> Decisions:
        """The decisions of one principal per class: everybody has the same effects as one of them."""
        return self.of(self.classes()[1])

    def classes(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Classes of equal effects.

        Returns:
            ``codes``: for each principal the number of its class; ``representatives``: for each class the
            position of its first member.
        """
        return self._classes

    @cached_property
    def _classes(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
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
            source=self.source,
            explanations=self.explanations,
        )

    def with_explanations(self, explanations: Explanations) -> Decisions:
        """The same decisions with their explanations."""
        made = self._part(list(self._index), self.names, self.actions, self.axes)
        made.explanations = explanations
        return made

    def with_cube(
        self, cube: Cube, question: Question, provenance: Provenance, *, same_policies: bool = True
    ) -> Decisions:
        """Decisions about the same principals with another cube; by other policies, nothing explains them."""
        return Decisions(
            cube=cube,
            question=question,
            principals=self._principals,
            names=self.names,
            provenance=provenance,
            policies=self.policies if same_policies else None,
            read=self.read,
            documents=self.documents,
            source=self.source if same_policies else None,
        )

    @property
    def call(self) -> str:
        """The ``lab.sweep(…)`` call that makes these decisions from ``pdp`` and ``principals``.

        If a JWT was sent, the call has a variable ``aux_data`` in its place. If principals were selected with
        ``.sel``, ``principals`` means those.
        """
        return self.question.call(aux_data=self.provenance.aux_data)

    def effect(self, **labels: object) -> str:
        """One decision: ``"ALLOW"`` or ``"DENY"``.

        Args:
            labels: a value for each dimension that has more than one.

        Raises:
            InputError: for a value that does not exist, or if more than one decision is left.
        """
        one = self.sel(**labels)
        if len(one) != 1:
            wide = [f"{dim} ({n})" for dim, n in zip(one.dims, one.shape, strict=True) if n > 1]
            msg = f"{len(one):,} decisions are left; choose a value for: {', '.join(wide)}"
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

    def situations(self) -> pd.DataFrame:
        """One row per distinct situation: requests that the policies cannot tell apart count as one.

        Every decision is the PDP's answer in one of these situations, so whoever reviews this table has seen
        everything that the policies can do with these principals and values.

        Returns:
            A DataFrame with the columns ``principals`` (how many are in the situation at some of the values),
            ``cells`` (how many combinations of a principal and values it stands for), one for each action
            (``"ALLOW"`` or ``"DENY"``), and one example: ``principal`` and each axis. The situation with the
            most cells comes first.

        Raises:
            InputError: if an axis or action has the name of one of the other columns.
        """
        taken = [*self.actions, *(axis.name for axis in self.axes)]
        columns = ["principals", "cells", *self.actions, "principal", *(axis.name for axis in self.axes)]
        if len(set(columns)) != len(columns):
            twice = sorted({name for name in taken if columns.count(name) > 1})
            msg = f"the table of situations would have several columns {twice}: rename the axis"
            raise InputError(msg)
        found = situations_of(self.cube, self._index)
        order = np.argsort(-found.cells, kind="stable")
        places = found.places[order]
        table: dict[str, Any] = {"principals": found.principals[order], "cells": found.cells[order]}
        effects = pd.array(EFFECTS, dtype="str")
        for number, action in enumerate(self.actions):
            table[action] = effects.take(found.allowed[order, number].astype(np.intp))
        for place, dim in enumerate(["principal", *(axis.name for axis in self.axes)]):
            table[dim] = take(self.labels(dim), places[:, place])
        return pd.DataFrame(table)

    def frame(self) -> pd.DataFrame:
        """One row per decision.

        Returns:
            A DataFrame with the columns ``principal``, ``action``, one for each axis under the
            attribute's name, and ``effect`` (``"ALLOW"`` or ``"DENY"``); the last axis varies
            fastest.
        """
        arrays = {dim: self.labels(dim) for dim in self.dims}
        return pd.concat(list(self.frames(arrays)), ignore_index=True)

    def frames(self, arrays: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
        """The frame in parts of about ``CHUNK`` rows, at least one principal each.

        Args:
            arrays: column name to values, for each dimension in order.
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
            rows: the dimensions down the side; default: ``principal`` and all others that have more
                than one value and are not in ``columns``.
            columns: the dimensions across the top; default: the longest numeric axis, else the
                last axis, else ``action``.

        Returns:
            A DataFrame with one level of index or columns for each dimension named. It contains every
            decision once: a dimension with several values must be named on one side. If a side has
            several levels, a level whose values are not all text, all numbers or all booleans has
            them as tables show them (``null``, ``MISSING``, ``"5"``), because pandas would treat
            some of them as equal.

        Raises:
            InputError: for a name that is not a dimension, or one left out or given twice.
        """
        down, across = self.sides(rows, columns)
        values = EFFECTS[self.table(down, across).astype(np.int8)]
        return pd.DataFrame(values, index=self._labels(down), columns=self._labels(across))

    def table(self, down: Sequence[str], across: Sequence[str]) -> npt.NDArray[np.bool_]:
        """``allowed[row, column]``, with the dimensions of each side flattened, the last fastest."""
        return self._flattened(self.allowed(), down, across)

    def broken(self, down: Sequence[str], across: Sequence[str]) -> npt.NDArray[np.bool_] | None:
        """As ``table``, which decisions are denied because of broken data; None if that is not known."""
        known = self.explanations
        if known is None:
            return None
        cells = broken_cells(known, self.actions, self._index, self.axes)
        return self._flattened(cells, down, across)

    def _flattened(
        self, cells: npt.NDArray[np.bool_], down: Sequence[str], across: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        order = [*down, *across]
        rest = [dim for dim in self.dims if dim not in order]
        cube = np.transpose(cells, [self.dims.index(dim) for dim in [*order, *rest]])
        sizes = [self.shape[self.dims.index(dim)] for dim in down]
        return cube.reshape(int(np.prod(sizes, dtype=np.int64)), -1)

    def sides(
        self,
        rows: str | Sequence[str] | None = None,
        columns: str | Sequence[str] | None = None,
    ) -> tuple[list[str], list[str]]:
        """The dimensions down the side and across the top; arguments and errors as in ``matrix``."""
        across = _names(columns) or [self._default_column()]
        wide = [dim for dim, n in zip(self.dims, self.shape, strict=True) if n > 1]
        down = _names(rows)
        if down is None:
            down = [dim for dim in self.dims if dim not in across and dim in {*wide, "principal"}]
            if not down:
                down = [dim for dim in self.dims if dim not in across][:1]
        for dim in [*down, *across]:
            if dim not in self.dims:
                msg = f"'{dim}' is not a dimension{did_you_mean(dim, self.dims)}"
                raise InputError(msg)
        if len({*down, *across}) != len(down) + len(across):
            msg = f"a dimension is given twice: rows {down}, columns {across}"
            raise InputError(msg)
        left = [dim for dim in wide if dim not in {*down, *across}]
        if left:
            msg = f"{left} have several values: name them in rows or columns, or choose one with .sel"
            raise InputError(msg)
        return down, across

    def _default_column(self) -> str:
        numeric = [axis for axis in self.axes if axis.numeric]
        if numeric:
            return max(numeric, key=lambda axis: len(axis.values)).name
        return self.axes[-1].name if self.axes else "action"

    def _labels(self, dims: Sequence[str]) -> pd.Index[Any]:
        if len(dims) == 1:
            array = self.labels(dims[0])
            one: pd.Index[Any] = pd.Index(array, name=dims[0], tupleize_cols=False)
            return one
        levels = [level(self.values(dim)) for dim in dims]
        return pd.MultiIndex.from_product(levels, names=list(dims))

    def thresholds(self, axis: str, *, action: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Where the effect flips along a numeric axis.

        The sweep has asked every number that the policies compare the axis with, one number in each gap
        between them, both ends of the line, and at each boundary the next double and the next cent on either
        side (unless another such number lies in between). So the grid makes no difference, and this method
        sends no request.

        Args:
            axis: a numeric axis.
            action: one or several actions; default: all.

        Returns:
            One row per interval: ``principal``, ``action``, the other axes, ``lower``,
            ``lower_closed``, ``upper``, ``upper_closed``, ``effect``, ``exact`` (bool) and
            ``boundary``. The intervals of one combination cover the whole line in order, and
            neighbours differ in effect; a boundary belongs to the interval that is closed there.
            ``boundary`` is ``exact``. On an axis that is asked value by value (``provenance.notes``
            says why), and after a sweep of every cell, only the grid is known. Then ``exact`` is
            False, and the effect flips somewhere between two neighbouring amounts, which ``boundary``
            names (``between 4,950 and 5,000``); that gap counts as DENY, and a band that begins and
            ends in it is not seen. The effects of the first and last amount continue to -∞ and ∞, and
            ``boundary`` says that this was not asked. If that is so for some people or actions, the rows of
            the others are exact. For fewer people or values: ``decisions.sel(…).thresholds(…)``.

        Raises:
            InputError: if the axis does not exist or is not numeric.
        """
        chosen = self if action is None else self.sel(action=action)
        flips = chosen.bands(axis)
        taken = {dim for dim in chosen.dims if dim != axis} & set(COLUMNS)
        if taken:
            msg = (
                f"the table of thresholds has its own columns {sorted(taken)}: an axis can't have such a name"
            )
            raise InputError(msg)
        others = [dim for dim in chosen.dims if dim != axis]
        columns: dict[str, Any] = {
            dim: take(self._names if dim == "principal" else Axis(dim, chosen.values(dim)).array(), codes)
            for dim, codes in zip(others, flips.codes, strict=True)
        }
        table = pd.DataFrame({**columns, **flips.columns})
        table.attrs["units"] = dict(self.question.units)
        return table

    def bands(self, axis: str) -> Intervals:
        """What ``flips`` has, after a check of the axis.

        Raises:
            InputError: if the axis does not exist or is not numeric.
        """
        found = next((a for a in self.axes if a.name == axis), None)
        if found is None or not found.numeric:
            what = (
                "not a numeric axis"
                if found
                else "fixed, not an axis"
                if axis in self.fixed
                else "not an axis"
            )
            known = [a.name for a in self.axes if a.numeric]
            msg = f"'{axis}' is {what} of these decisions{did_you_mean(axis, known)}"
            raise InputError(msg)
        return self.flips(axis)

    def to_xarray(self) -> Any:
        """These decisions as an ``xarray.DataArray`` of booleans, True for ALLOW.

        For a part of them, choose it first: ``decisions.sel(…).to_xarray()``.

        Returns:
            An array with the dimensions of the decisions and their labels as coordinates (as objects unless
            the values are all text, all numbers or all booleans); ``attrs`` holds kind, fixed attributes,
            units and the provenance's caption.

        Raises:
            InputError: if xarray is not installed, or there are more than 200 million decisions.
        """
        if len(self) > limits.EXPANDED_CELLS:
            msg = f"{len(self):,} decisions; select {limits.EXPANDED_CELLS:,} at most with .sel(…)"
            raise InputError(msg)
        about = {
            "kind": self.kind,
            "fixed": {name: label(value) for name, value in self.fixed.items()},
            "units": dict(self.question.units),
            "provenance": self.provenance.caption(),
        }
        return files.data_array(self.allowed(), {dim: self.labels(dim) for dim in self.dims}, about)

    def intervals(self, axis: str) -> Intervals | None:
        """The intervals of ``thresholds`` as arrays; None if only the grid is known."""
        return self.cube.intervals(self.dims.index(axis), self._index)

    def segmented(self, axis: str) -> Segmented | None:
        """A numeric axis cut wherever an effect flips; None if only its grid is known."""
        dim = self.dims.index(axis)
        return segmented(self.cube, dim, self._index, self.values(axis))

    def flips(self, axis: str) -> Intervals:
        """The intervals of ``thresholds`` as arrays: exact for people and actions whose lines are known."""
        found = self.intervals(axis)
        if found is not None:
            return found
        if len(self.actions) > 1:
            each = [self.sel(action=action).flips(axis) for action in self.actions]
            return joined([(np.array([place]), one) for place, one in enumerate(each)], 1)
        known = self.cube.known(self.dims.index(axis), self._index)
        if known.all() or not known.any():
            return self._on_the_grid(self.axes[self.dims.index(axis) - 2])
        parts = [np.flatnonzero(known), np.flatnonzero(~known)]
        return joined([(rows, self.of(rows).flips(axis)) for rows in parts], 0)

    def _on_the_grid(self, axis: Axis) -> Intervals:
        order = np.argsort(np.array(axis.values), kind="stable")
        cube = np.moveaxis(self.allowed(), self.dims.index(axis.name), -1)[..., order]
        return intervals(cube, [float(axis.values[i]) for i in order])

    # -- files --------------------------------------------------------------------------------

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the long frame as CSV, in UTF-8.

        A column whose values have one plain type (text, numbers, booleans) is written unchanged.
        Any other column is called ``<name> (JSON)`` and has each value as JSON (``null``,
        ``"5000"``, ``["a"]``), or an empty cell if the attribute is missing.
        """
        files.write_csv(path, self.frames(self._columns(" (JSON)")))

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the long frame as Parquet, in parts, with the provenance in the file's metadata.

        Columns are as in ``to_csv``, but a column of JSON keeps its name and is listed in the metadata:
        the key ``clerk_cerbos_lab`` has ``provenance``, ``kind``, ``fixed``, ``units``, ``json_columns``.
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
        labels = {dim: self.labels(dim) for dim in self.dims[:2]}
        return files.columns_of(labels, self.axes, suffix)

    # -- showing ------------------------------------------------------------------------------

    def shown(self, *, names: bool = False, ids: frozenset[str] = frozenset()) -> Disclosure:
        """How the principals are shown: by pseudonyms, or by their ids (``names``).

        Args:
            names: show ids and every attribute.
            ids: ids of other people that must not be shown either.
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
        """The names in the policies, including files that the PDP does not report, such as disabled ones."""
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
        causes: bool = False,
        follow: bool = True,
    ) -> MatrixView:
        """The decisions as an interactive table to sort, search, filter, and inspect cell by cell.

        Args:
            rows: as in ``matrix``.
            columns: as in ``matrix``.
            view: one cell per decision, or for each row its bands along a numeric axis.
            names: show principals by their ids, with every attribute. By default they are shown by
                pseudonyms (``lab.pseudonym``), with the attributes that policies read and that are known
                to hold nothing personal (see ``lab.shareable``).
            causes: explain all decisions first (see ``explain``), and mark what is denied because of broken
                data. By default nothing is asked until a cell is selected.
            follow: while the table is open in a notebook, and the policies that decided are edited, show what
                they decide now, with a note. These decisions never change.

        Returns:
            A ``Matrix``; as the last line of a notebook cell it is shown. ``.selected`` is the selected cell.

        Raises:
            InputError: as in ``matrix``; for ``view="thresholds"`` without a numeric axis across the top.
        """
        shown = self.explain(names=names) if causes else self
        made: MatrixView = drawn_by("show")(
            shown, rows=rows, columns=columns, view=view, names=names, follow=follow
        )
        return made

    def long_table(self, *, names: bool = False) -> LongTableView:
        """The decisions as rows to sort, search and page through; ``.to_html(path)`` writes them as a page.

        Args:
            names: as in ``show``.
        """
        made: LongTableView = drawn_by("long_table")(self, names=names)
        return made

    def why(self, *, aux_data: Any = None, names: bool = False, **labels: object) -> Explanation:
        """Why one decision is ALLOW or DENY: which rules applied, and what each part of a condition saw.

        Everything in the answer was computed by Cerbos, on copies of the policies in which rules report what
        became of them. The copies are started by the first call, which takes about half a second. What can't
        be asked there is said in the answer.

        Args:
            aux_data: the JWT, if the decisions were made with one; they do not keep it.
            names: show ids and every attribute, as in ``show``.
            labels: a value for each dimension that has more than one, as in ``effect``.

        Returns:
            An ``Explanation``: one sentence first, then the rules that name the action. It shows itself as
            text and in a notebook; ``.to_dict()`` is the same as data. For a PDP at an address that does not
            disclose its policies it has only the policy that decided.

        Raises:
            InputError: for a value that does not exist, if more than one decision is left, or for decisions
                from a pickle.
            PDPError: if the copies do not start.
        """
        made: Explanation = drawn_by("why")(self, aux_data=aux_data, names=names, **labels)
        return made

    def explain(self, *, aux_data: Any = None, names: bool = False) -> Decisions:
        """A copy of these decisions with the explanations of all of them.

        A pickle of it, a stored notebook and a page (``to_html``) then say why without a PDP, and tables mark
        what is denied because of broken data. Each distinct situation is explained once: what an
        explanation shows for a person and a cell is filled in from that person and cell. A value that Cerbos
        computed from them is left out; ``why`` has it.

        Args:
            aux_data: as in ``why``.
            names: whether the explanations may have ids and attributes that may be personal; they can then be
                shown only with ``names=True``.

        Raises:
            InputError: for decisions from a pickle, of a PDP that does not disclose its policies, or if there
                are too many situations.
            PDPError: if the copies of the policies do not start.
        """
        made: Decisions = drawn_by("explain")(self, aux_data=aux_data, names=names)
        return made

    def causes(self, *, aux_data: Any = None, names: bool = False) -> pd.DataFrame:
        """Why each DENY is one: one row per distinct situation and action, or more where its causes differ.

        Args:
            aux_data: as in ``why``.
            names: whether the texts may have ids and attributes that may be personal.

        Returns:
            A DataFrame with the columns ``action``, ``principals`` and ``cells`` (as in ``situations``),
            ``cause`` (the first of these that is true: ``schema rejection``, ``no policy``, ``denied by a
            rule``, ``broken data``, ``refused by a role policy``, ``error in strict evaluation``,
            ``condition not met``, ``no consent of a parent scope``, ``role not held``, ``no rule for the
            action``), ``rule`` (which denied, or is closest to allowing), ``detail`` (the atoms, attributes
            or roles), ``attributes`` (for broken data: a tuple such as ``("principal.approval_limit",)``),
            ``also`` (further causes, as text), and one example: ``principal`` and each axis. A value is
            *broken* if the PDP allows the request with the value repaired: it has another type than what it
            is compared with, or differs from it only in case or spaces (a role likewise from one that a rule
            names), or is missing although the mapping requires it. ``cause``, ``rule`` and
            ``attributes`` hold for every decision that the row counts; where it depends on their numbers
            which rule is closest, ``rule`` names all that may be (``low or high``), that of the example
            first. ``detail`` and ``also`` have the values of the example.

        Raises:
            InputError: for decisions from a pickle, of a PDP that does not disclose its policies, or if an
                axis has the name of another column.
            PDPError: if the copies do not start, or decisions differ that the policies can't tell apart.
        """
        made: pd.DataFrame = drawn_by("causes")(self, aux_data=aux_data, names=names)
        return made

    def counterfactuals(
        self,
        *,
        vary: Mapping[str, Any] | Sequence[str] | None = None,
        most: int = 2,
        aux_data: Any = None,
        names: bool = False,
        **labels: object,
    ) -> Counterfactuals:
        """The smallest changes that turn one decision around: from DENY to ALLOW, or from ALLOW to DENY.

        Nothing is changed: each changed request is only asked. Values to try are those of the axes and those
        that the policies compare with; for a number these are the exact breakpoints, and the result has the
        nearest number beyond, to the cent and on the axis. The PDP gives the other effect for each result,
        and the present one if any part of it is undone.

        Args:
            vary: what may vary: names, or a dict of names with a range ``(low, high)`` (one of them may be
                None), a list of values, or None for the values above. A name is an attribute of the
                resource (``amount``), ``principal.region``, or ``role``: roles that the policies know
                replace the only role, or are added. By default everything that the policies read may vary.
            most: how many things may be changed at once: 1, 2 or 3.
            aux_data: as in ``why``.
            names: as in ``why``.
            labels: a value for each dimension that has more than one, as in ``effect``.

        Returns:
            ``Counterfactuals``, the fewest changes first: text and HTML with one sentence each, ``.frame()``
            as a table, ``.to_dict()`` as data. They say what was varied and what could not be tried. What is
            not listed can still be possible with other values or more changes. A private value, such as one
            that only the principal's own attributes contain, is not shown.

        Raises:
            InputError: as in ``why``; for an unknown name in ``vary``, or a range of what has no numbers.
            PDPError: if the PDP has been closed and a copy does not start.
        """
        made: Counterfactuals = drawn_by("counterfactuals")(
            self, vary=vary, most=most, aux_data=aux_data, names=names, **labels
        )
        return made

    def gaps(
        self,
        axis: str,
        *,
        by: str | Sequence[str] = (),
        at_least: int = 1,
        action: str | None = None,
        names: bool = False,
    ) -> pd.DataFrame:
        """Amounts that nobody, or too few people, may approve, for each region or department.

        It is read from the exact lines of ``thresholds``, so it sends no request.

        Args:
            axis: a numeric axis.
            by: an axis, such as the region of an expense, or an attribute of the principals, such as the
                department they are in; or several. If both have the name, it is the axis, and
                ``principal.region`` is the attribute. People without the attribute are in no group.
            at_least: how many people must be allowed to.
            action: the action, if the decisions have several.
            names: name people by their ids; by default by pseudonyms, which ``.sel`` accepts too.

        Returns:
            One row per gap: a column for each name in ``by``, then ``lower``, ``lower_closed``, ``upper``,
            ``upper_closed``, ``gap`` (``nobody``; ``fewer than 2``; ``nobody for their own`` or ``fewer than
            2 for their own``), ``approvers`` (how many people), ``who`` (a tuple of their labels) and
            ``exact`` (as in ``thresholds``). The people of a row are the same at each of its amounts. Gaps
            *for their own* are only known if an axis has the two values ``SELF`` and ``OTHER``: there are
            enough people for what belongs to others, but one of them may not approve what is their own.

        Raises:
            InputError: as in ``thresholds``; for an unknown name in ``by``; if there are several actions, or
                an axis with several values is neither named nor that of ``SELF`` and ``OTHER``.
        """
        made: pd.DataFrame = drawn_by("gaps")(
            self, axis, by=by, at_least=at_least, action=action, names=names
        )
        return made

    def to_tests(self, path: str | os.PathLike[str], *, names: bool = False) -> Any:
        """Write a native Cerbos test suite that pins these decisions, for ``cerbos compile`` and a CI.

        There is one case for each situation that the policies can tell apart. Along the numeric axis (of
        several, the one with the most values), a case on both sides of each boundary takes their place. A
        principal is one of those who are alike. Before the file is written, ``cerbos compile`` runs it on the
        policies that decided, if they are at hand.

        Args:
            path: of the file, ending in ``_test.yaml``; it is written completely or not at all.
            names: write people by their ids; by default by pseudonyms.

        Returns:
            What was written: ``path``, ``cases``, ``principals``, ``checked`` and ``notes``.

        Raises:
            InputError: for another file name; if attributes are needed that may be personal and ``names`` is
                not set; for decisions made with a JWT; for more than 20,000 cases; or if a case has another
                effect in ``cerbos compile``, as for policies that name people who are pseudonyms.
            PDPError: if ``cerbos compile`` can't run.
        """
        return drawn_by("to_tests")(self, path, names=names)

    def discloses(self, *, names: bool = False) -> pd.DataFrame:
        """What a page of these decisions (``to_html``) would disclose to whoever gets it.

        Args:
            names: as in ``to_html``.

        Returns:
            A DataFrame with the columns ``what`` (people, roles, attributes, attributes left out, values
            asked about, policy texts, data problems, reasons, source), ``count``, and ``disclosed``: what of
            it is in the page.
        """
        made: pd.DataFrame = drawn_by("discloses")(self, names=names)
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
        note: str | None = None,
    ) -> None:
        """Write one offline page: who may do what in sentences, people per amount, thresholds, the matrix.

        It needs no kernel, is readable without JavaScript, and ends with data problems and where everything
        comes from. If the decisions are explained (``.explain()``), the page says why, too. What it would
        disclose, ``discloses`` says beforehand.

        Args:
            path: of the file; it is written completely or not at all.
            scenarios: other decisions with the same dimensions, by name, for a what-if slider.
            scenario: the name of these decisions among the scenarios.
            rows: as in ``matrix``.
            columns: as in ``matrix``.
            names: show principals by their ids, with every attribute, and a warning in the page. By
                default pseudonyms, with the attributes that ``show`` shows.
            title: default: the kind and the actions.
            note: who sends the page, and anything its readers should know; shown as it is.

        Raises:
            InputError: as in ``matrix``; for a missing folder or a scenario with other dimensions.
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
            note=note,
        )

    def __repr__(self) -> str:
        return str(drawn_by("__repr__")(self, self.shown()))

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What a notebook shows: a live table, one that is readable without JavaScript, and plain text."""
        return self.show()._repr_mimebundle_()


def _names(given: str | Sequence[str] | None) -> list[str] | None:
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


def _positions(dim: str, values: Sequence[Any], wanted: object) -> npt.NDArray[np.intp]:
    places = {key(value): i for i, value in enumerate(values)}
    if isinstance(wanted, slice):
        if wanted.step is not None or not all(is_number(value) for value in values):
            msg = f"{dim}: a slice needs a numeric axis, and can't have a step"
            raise InputError(msg)
        low = -np.inf if wanted.start is None else wanted.start
        high = np.inf if wanted.stop is None else wanted.stop
        found = [i for i, value in enumerate(values) if low <= value <= high]
        if not found:
            msg = f"{dim}: there is no value between {low} and {high}"
            raise InputError(msg)
        return np.array(found, dtype=np.intp)
    many = isinstance(wanted, (list, tuple, range, np.ndarray, pd.Series, pd.Index))
    asked = list(wanted) if many else [wanted]  # type: ignore[call-overload]
    if not asked:
        msg = f"{dim}: the selection is empty"
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
        msg = f"{dim}: a value is selected twice"
        raise InputError(msg)
    return np.array(chosen, dtype=np.intp)
