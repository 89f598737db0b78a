"""Groups of principals to whom the same rules can apply, with their classes and breakpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clerk_cerbos_lab.policies.cel import Literal
from clerk_cerbos_lab.sweeps import breakpoints
from clerk_cerbos_lab.sweeps.breakpoints import Breakpoints, breakpoints_from, value_of
from clerk_cerbos_lab.sweeps.classes import classes_of, members_of
from clerk_cerbos_lab.sweeps.own_numbers import ordering, own_numbers, own_points
from clerk_cerbos_lab.values import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.cells import OwnPoints, Points
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Principal, PrincipalTable
    from clerk_cerbos_lab.policies.analysis import Analysis, Comparison
    from clerk_cerbos_lab.sweeps.axis_points import Line, Sent
    from clerk_cerbos_lab.sweeps.planned_values import Planned


@dataclass(frozen=True, slots=True)
class _Compared:
    """What an attribute of principals is compared with, if it is read in no other way.

    Attributes:
        axes: the axes.
        shared: everything else, which is the same for all principals.
    """

    axes: set[str]
    shared: Breakpoints


class Group:
    """Principals to whom the same rules can apply: their classes, and the breakpoints of each axis.

    Attributes:
        classes: the classes of these principals.
        people: for each class, its first principal.
        own: attributes of which only the order matters, as they are compared with one axis and read in no
            other way, except in comparisons with what is the same for all; empty if that would not make
            classes fewer.
        analysis: what the rules read.
        lines: the axes that are asked at points only.
        open_ends: by axis, comparisons whose other side only the PDP can compute.
    """

    def __init__(
        self,
        people: PrincipalTable,
        rows: npt.NDArray[np.intp],
        question: Question,
        analysis: Analysis,
        sent: Sent,
    ) -> None:
        self.analysis = analysis
        self._table = people
        self._question = question
        self._sent = sent
        self._reasons: dict[str, list[str]] = {}
        self.lines = self._lines()
        compared = self._only_compared()
        self._line_of_own, self._of_own = self._own(compared)
        self.own = tuple(self._of_own)
        cuts = {name: one.shared for name, one in compared.items() if not one.axes}
        self.classes = classes_of(people, rows, analysis, question, sent, own=self.own, cuts=cuts)
        self.people = [people[int(row)] for row in self.classes.representatives]
        self.open_ends: dict[str, list[Comparison]] = {}
        self._found = {name: self._compared_values(name, line) for name, line in self.lines.items()}
        self._cut: dict[str, list[Breakpoints]] = {}
        self._own_points: list[OwnPoints] = []

    def _only_compared(self) -> dict[str, _Compared]:
        """The attributes that are only compared, with what they are compared with."""
        # One value is the same for all, but along a line of numbers every number counts.
        axes = {axis.name for axis in self._question.axes if len(axis.values) > 1 or axis.numeric}
        found = {}
        for name, comparisons in self.analysis.only_compared().items():
            if name not in self._table.attributes or any(some.reads & self._sent.own for some in comparisons):
                continue  # SELF is another value for each principal
            shared = [some for some in comparisons if not some.reads & axes]
            each = [value_of(some, self._table[0], self._sent.values, self._question.kind) for some in shared]
            values = [value for some in each if isinstance(some, list) for value in some]
            of_axes = {axis for some in comparisons for axis in some.reads & axes}
            if all(isinstance(some, list) for some in each):
                found[name] = _Compared(of_axes, breakpoints_from(values))
        return found

    def _own(self, compared: dict[str, _Compared]) -> tuple[str, dict[str, _Compared]]:
        """The axis with which own numbers are compared, and the attributes that contain them."""
        numeric = [axis for axis in self._question.axes if axis.numeric]
        if len(numeric) != 1 or numeric[0].name not in self.lines:  # lines along another would differ as well
            return "", {}
        axis = numeric[0].name
        return axis, {name: one for name, one in compared.items() if one.axes == {axis}}

    def divide(self, before: int) -> None:
        """Divide classes by the order of own numbers, or by the numbers where that makes fewer classes.

        To be called once, when all breakpoints are known.

        Args:
            before: how many columns of own numbers other groups have.
        """
        if not self.own:
            return
        name = self._line_of_own
        rows, codes = self.classes.rows, self.classes.codes
        own = own_numbers(self._table, self.own)[rows]
        shared = self._breakpoints_of(name) if name in self.lines else None
        by_order, by_value = [], []
        more = {number for one in self._of_own.values() for number in one.shared.numbers}
        for number, members in enumerate(members_of(codes, len(self.classes))):
            by_value.append(len(np.unique(own[members], axis=0)))
            if shared is not None:
                fixed = sorted({*shared[number].numbers, *more})
                by_order.append((members, ordering(fixed, own[members])))
        orders = [len(order.representatives) for _, order in by_order]
        if shared is None or sum(orders) >= sum(by_value):
            self._divide_by_value(own)
            return
        new = np.empty(len(codes), dtype=np.intp)
        representatives: list[int] = []
        classes: list[int] = []
        grid = np.array(next(axis.values for axis in self._question.axes if axis.name == name), np.float64)
        for number, (members, order) in enumerate(by_order):
            new[members] = order.codes + len(representatives)
            representatives += rows[members[order.representatives]].tolist()
            classes += [number] * len(order.representatives)
            for numbers, columns in zip(order.numbers, order.columns, strict=True):
                self._own_points.append(
                    own_points(numbers, np.where(columns < 0, -1, columns + before), grid)
                )
        self._replace(new, np.array(representatives, dtype=np.intp), classes)
        self._cut[name] = [
            Breakpoints(tuple(points.numbers.tolist()), shared[number].texts)
            for points, number in zip(self._own_points, classes, strict=True)
        ]

    def _divide_by_value(self, own: npt.NDArray[np.float64]) -> None:
        """Divide classes by own numbers, each of which is then a breakpoint of its class."""
        columns = [self.classes.codes, *(pd.factorize(column, use_na_sentinel=False)[0] for column in own.T)]
        codes = pd.factorize(pd.MultiIndex.from_arrays(columns))[0]
        first = np.unique(codes, return_index=True)[1]
        classes = self.classes.codes[first].tolist()
        self._replace(codes.astype(np.intp), self.classes.rows[first], classes)
        for name in self.lines:
            if name == self._line_of_own:
                for number, at in enumerate(first.tolist()):
                    self._found[name][number].extend(x for x in own[at].tolist() if math.isfinite(x))
        self._cut.clear()
        self.own = ()

    def _replace(
        self, codes: npt.NDArray[np.intp], representatives: npt.NDArray[np.intp], classes: Sequence[int]
    ) -> None:
        """Take finer classes in place of these: for each, the number of the class that it is a part of."""
        self.classes = replace(self.classes, codes=codes, representatives=representatives)
        self.people = [self._table[int(row)] for row in representatives]
        self._found = {name: [list(found[i]) for i in classes] for name, found in self._found.items()}
        self._cut = {name: [cut[i] for i in classes] for name, cut in self._cut.items()}

    def points(self) -> list[tuple[Points | OwnPoints, ...]]:
        """For each class, the points of each axis."""
        fixed: dict[str, Points] = {}
        for axis in self._question.axes:
            if axis.name not in self.lines:
                fixed[axis.name] = self._sent.whole(axis, read=not self._unread(axis))
        found = {name: self._breakpoints_of(name) for name in self.lines}

        def of(axis: Axis, number: int) -> Points | OwnPoints:
            if axis.name in fixed:
                return fixed[axis.name]
            if self._own_points and axis.name == self._line_of_own:
                return self._own_points[number]
            return self.lines[axis.name].scale.points(found[axis.name][number])

        classes = range(len(self.people))
        return [tuple(of(axis, number) for axis in self._question.axes) for number in classes]

    def breakpoints_of(self, axis: Axis) -> Sequence[Breakpoints] | None:
        """For each class, what an axis is compared with; None if it is asked value by value."""
        if axis.name in self.lines:
            return self._breakpoints_of(axis.name)
        return [Breakpoints((), ())] * len(self.people) if self._unread(axis) else None

    def _breakpoints_of(self, name: str) -> list[Breakpoints]:
        if name not in self._cut:
            self._cut[name] = shared_breakpoints(self._found[name])
        return self._cut[name]

    def _unread(self, axis: Axis) -> bool:
        return not self.analysis.whole and axis.name not in self.analysis.uses

    def _lines(self) -> dict[str, Line]:
        """The axes that can be cut, longest first; axes they are compared with are asked value by value."""
        lines: dict[str, Line] = {}
        held: dict[str, str] = {}  # axis → the axis that is compared with it
        for axis in sorted(self._question.axes, key=lambda axis: -len(axis.values)):
            use = self.analysis.uses.get(axis.name)
            if use is None and not self.analysis.whole:
                continue
            otherwise = [*self.analysis.whole, *(use.otherwise if use else ())]
            if axis.name in held:
                otherwise.append(f"'{held[axis.name]}' is compared with it")
            if use is None or otherwise:
                self._reasons[axis.name] = otherwise
                continue
            reads = {name for comparison in use.comparisons for name in comparison.reads}
            both = reads & set(lines)
            if both:
                self._reasons[axis.name] = [f"it is compared with '{min(both)}'"]
                continue
            line = self._sent.line(axis, use)
            if any(comparison.reads for comparison in use.comparisons):
                held.update(dict.fromkeys(reads, axis.name))
            lines[axis.name] = line
        return lines

    def _compared_values(self, name: str, line: Line) -> list[list[object]]:
        """For each class, what a line is compared with, as far as that is known without a PDP."""
        found: list[list[object]] = [[] for _ in self.people]
        for comparison in line.comparisons:
            if comparison.path in {("P", "attr", attribute) for attribute in self.own}:
                continue  # see divide
            each = self._values(comparison)
            if each is None:
                self.open_ends.setdefault(name, []).append(comparison)
                continue
            for own, values in zip(found, each, strict=True):
                own.extend(values)
        if line.scale.ordered:
            for own, person in zip(found, self.people, strict=True):
                own.extend(self._numbers(person))
        return found

    def add_planned(self, planned: Planned) -> None:
        """Add to every class the breakpoints that the plan of one class has and its own breakpoints lack."""
        for number, values_by_name in planned.items():
            for name in self.lines:
                own = breakpoints.breakpoints_from([*self._found[name][number], *self._own_values(number)])
                other = breakpoints.breakpoints_from(values_by_name.get(name, ()))
                new = [*(set(other.numbers) - set(own.numbers)), *(set(other.texts) - set(own.texts))]
                for values in self._found[name] if new else ():
                    values.extend(new)

    def _own_values(self, number: int) -> list[object]:
        """The own numbers of a class's first principal, which Cerbos's plan for them contains."""
        attributes = self.people[number].attr
        return [attributes[name] for name in self.own if name in attributes]

    def _values(self, comparison: Comparison) -> list[list[object]] | None:
        """For each class, the possible values of the other side; None if only the PDP can compute them."""
        some = self.people[:1] if self._only_of_resource(comparison) else self.people
        each: list[list[object]] = []
        for person in some:
            values = breakpoints.value_of(comparison, person, self._sent.values, self._question.kind)
            if not isinstance(values, list):
                return None
            each.append(values)
        return each * len(self.people) if len(some) < len(self.people) else each

    def _numbers(self, person: Principal) -> list[object]:
        """The numbers in the attributes that are read: breakpoints, whatever they are compared with."""
        read = self.analysis.principal_attributes
        return [
            value
            for name, value in person.attr.items()
            if type(value) in {int, float} and (read is None or name in read) and name not in self.own
        ]

    def _only_of_resource(self, comparison: Comparison) -> bool:
        """Whether the other side is the same for all principals: a literal, a constant."""
        if comparison.path is not None:
            return comparison.path[0] == "C"
        return isinstance(comparison.other, Literal)

    def add_computed(self, computed: Sequence[Sequence[list[object] | None]] | None) -> None:
        """Add what the PDP computed: for each class, the values of each open comparison in order.

        An axis whose comparison could not be computed for a class is asked value by value.
        """
        place = 0
        for name, comparisons in self.open_ends.items():
            for comparison in comparisons:
                values = [of_class[place] for of_class in computed] if computed is not None else [None]
                place += 1
                if any(value is None for value in values):
                    file = comparison.environment.file
                    text = f"what it is compared with in {file} can't be computed in advance"
                    self._reasons.setdefault(name, []).append(text)
                    self.lines.pop(name, None)
                    continue
                for own, value in zip(self._found[name], values, strict=True):
                    own.extend(value or ())

    def reasons(self, axis: Axis) -> Sequence[str]:
        """Why an axis is asked value by value, in words; empty if it is not."""
        return () if axis.name in self.lines else self._reasons.get(axis.name, ())


def shared_breakpoints(each_class: Sequence[Sequence[object]]) -> list[Breakpoints]:
    """The breakpoints of each class; classes with the same breakpoints share one object."""
    known: dict[tuple[object, ...], Breakpoints] = {}
    made = []
    for values in each_class:
        wire = tuple(hashable(value) for value in values)
        if wire not in known:
            known[wire] = breakpoints.breakpoints_from(values)
        made.append(known[wire])
    return made


def hashable(value: object) -> object:
    """A hashable key that differs for values with different breakpoints."""
    scalar = value is None or isinstance(value, (bool, int, float, str))
    return (type(value), value) if scalar else key(value)
