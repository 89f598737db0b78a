"""Groups of principals to whom the same rules can apply, with their classes and breakpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clerk_cerbos_lab.attribute_names import overlap, steps_of, value_at
from clerk_cerbos_lab.decisions.cells import OwnNumbers
from clerk_cerbos_lab.policies.analysis import CONTAINS
from clerk_cerbos_lab.policies.cel import Literal
from clerk_cerbos_lab.policies.paths import ELEMENT, attribute_steps
from clerk_cerbos_lab.sweeps import breakpoints, own_numbers, own_texts
from clerk_cerbos_lab.sweeps.breakpoints import Breakpoints, breakpoints_from, value_of
from clerk_cerbos_lab.sweeps.classes import classes_of
from clerk_cerbos_lab.sweeps.codes import dense_rows, first_of, length_of, members_of
from clerk_cerbos_lab.sweeps.own_numbers import ordering
from clerk_cerbos_lab.values import MISSING, is_text, key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
        contained: whether something is looked for in it.
        elements: whether its elements are compared, not the attribute itself.
        lists: whether a list or a map is among what is shared.
    """

    axes: set[str]
    shared: Breakpoints
    contained: bool
    elements: bool
    lists: bool


class _Part:
    """How the own values of some principals relate to one axis."""

    def __init__(
        self,
        table: PrincipalTable,
        axis: Axis,
        own: Mapping[str, bool],
        shared: Breakpoints,
        sent: Sent,
    ) -> None:
        attributes = list(own)
        elements = tuple(name for name, of_elements in own.items() if of_elements)
        self._axis = axis
        self._columns = [column for name in attributes if (column := table.column(name)) is not None]
        self._shared = shared
        self._grid = sent.grids.get(axis.name)
        numeric = self._grid is not None
        self._own = sent.own_numbers(table, attributes, elements) if numeric else None
        self._matches = () if numeric else tuple(sent.matches(table, name, axis) for name in attributes)

    def codes(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """A number for each of these principals, equal if their values relate to the axis in the same way."""
        self._rows = rows
        if self._own is None:
            return own_texts.kinds_of(frozenset(self._shared.texts), self._columns, rows)
        self._order = ordering(self._shared.numbers, self._own[rows])
        return self._order.codes

    def points(self, first: int) -> OwnPoints:
        """The points of the class that a principal, by their position, represents."""
        row = int(self._rows[first])
        if self._own is not None and self._grid is not None:
            number = int(self._order.codes[first])
            return own_numbers.points_of(self._order, number, row, self._grid, self._own)
        own = [own_texts.texts_of(column.values[column.codes[row]]) for column in self._columns]
        return own_texts.points_of(frozenset(self._shared.texts), self._axis, own, self._matches)


class Group:
    """Principals to whom the same rules can apply: their classes, and the breakpoints of each axis.

    Attributes:
        classes: the classes of these principals.
        people: for each class, its first principal.
        own: attributes that are compared with one axis and read in no other way, except in comparisons with
            what is the same for all; empty if they would not make classes fewer.
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
        self._compared = compared
        self._own_axes = self._own_attributes(compared)
        self.own = tuple(name for own in self._own_axes.values() for name in own)
        cuts = {
            name: one.shared if one.elements or analysis.compared_with.get(name) else None
            for name, one in compared.items()
            if not one.axes
        }
        terms = {
            term: sent.outcomes[term]
            for term in dict.fromkeys(analysis.terms)
            if {*term.names} & {*compared} and term in sent.outcomes
        }
        merged = {
            name: frozenset(
                {str, list} if axis not in sent.grids else {tuple} if compared[name].elements else {float}
            )
            for axis, own in self._own_axes.items()
            for name in own
        }
        texts = {
            name: compared[name].shared.texts
            for axis, own in self._own_axes.items()
            for name in own
            if axis in sent.grids  # a text and a number are never equal, and have no order
        }
        self.classes = classes_of(
            people, rows, analysis, question, sent, merged=merged, texts=texts, cuts=cuts, terms=terms
        )
        self.people = [people[int(row)] for row in self.classes.representatives]
        self.open_ends: dict[str, list[Comparison]] = {}
        self._found = {name: self._compared_values(name, line) for name, line in self.lines.items()}
        self._cut: dict[str, list[Breakpoints]] = {}
        self._own_points: list[dict[str, OwnPoints]] = []

    def _only_compared(self) -> dict[str, _Compared]:
        """The attributes that are only compared, with what they are compared with."""
        grids = self._sent.grids
        sent = self._sent.own
        # One value is the same for all, but along a line of numbers every number counts.
        axes = {axis.name for axis in self._question.axes if len(axis.values) > 1 or axis.name in grids}
        found = {}
        for name, comparisons in self.analysis.only_compared().items():
            if self._table.column(name) is None or any(concerned(some, sent) for some in comparisons):
                continue  # SELF is another value for each principal
            if any(concerned(some, axes) - some.reads for some in comparisons):
                continue  # an axis inside a map, or around it
            if any(name in term.names and term not in self._sent.outcomes for term in self.analysis.terms):
                continue  # too few values to compute the outcome of each
            shared = [some for some in comparisons if not some.reads & axes]
            each = [value_of(some, self._table[0], self._sent.values, self._question.kind) for some in shared]
            values = [value for some in each if isinstance(some, list) for value in some]
            of_axes = {axis for some in comparisons for axis in some.reads & axes}
            if all(isinstance(some, list) for some in each):
                contained = any(some.operator == CONTAINS for some in comparisons)
                lists = any(isinstance(value, (list, dict)) for value in values)
                elements = name in self.analysis.elements_compared
                if not elements or of_axes <= grids.keys():  # elements that are texts can be there twice
                    found[name] = _Compared(of_axes, breakpoints_from(values), contained, elements, lists)
        return found

    def _own_attributes(self, compared: dict[str, _Compared]) -> dict[str, tuple[str, ...]]:
        """By axis, the attributes that are compared with it and nothing else that differs."""
        found = {}
        for axis in self._question.axes:
            own = {name: one for name, one in compared.items() if one.axes == {axis.name}}
            line = self.lines.get(axis.name)
            if line is None or not own:
                continue
            if axis.name in self._sent.grids:
                of_numbers = tuple(name for name, one in own.items() if not one.contained)
                if of_numbers:
                    found[axis.name] = of_numbers
            elif self._may_be_own_texts(axis, line, own):
                found[axis.name] = tuple(own)
        return found

    def _may_be_own_texts(self, axis: Axis, line: Line, own: Mapping[str, _Compared]) -> bool:
        values = sum(len(column.values) for name in own if (column := self._table.column(name)))
        return (
            all(value is MISSING or is_text(value) for value in axis.values)
            and not line.scale.told_apart
            and not any(one.lists for one in own.values())
            and not line.scale.ordered
            and not any(comparison.converted for comparison in line.comparisons)
            and len(own) <= own_texts.MOST_ATTRIBUTES
            and values * len(axis.values) <= own_texts.LARGEST
        )

    def divide(self) -> None:
        """Divide classes by how their own values relate to the axis, or by value if that makes fewer classes.

        To be called once, when all breakpoints are known.
        """
        if not self.own:
            return
        shared = {name: self._breakpoints_of(name) for name in self._own_axes if name in self.lines}
        if len(shared) < len(self._own_axes):
            self._divide_by_value()
            return
        axes = {axis.name: axis for axis in self._question.axes}
        rows, codes = self.classes.rows, self.classes.codes
        by_value = np.column_stack([codes, *self._own_codes(rows)])
        new = np.empty(len(codes), dtype=np.intp)
        representatives: list[int] = []
        classes: list[int] = []
        points: list[dict[str, OwnPoints]] = []
        for number, members in enumerate(members_of(codes, len(self.classes))):
            parts = {
                name: _Part(
                    self._table,
                    axes[name],
                    {one: self._compared[one].elements for one in own},
                    self._shared_with(own, shared[name][number]),
                    self._sent,
                )
                for name, own in self._own_axes.items()
            }
            signs = [part.codes(rows[members]) for part in parts.values()]
            own = dense_rows(np.column_stack(signs))
            new[members] = own + len(representatives)
            for first in first_of(own).tolist():
                representatives.append(int(rows[members[first]]))
                classes.append(number)
                points.append({name: part.points(first) for name, part in parts.items()})
        fewer = len(classes) <= int(dense_rows(by_value).max())
        cells = len(rows) * math.prod(len(axis.values) for axis in self._question.axes)
        if not fewer or self._asked_at(classes, points) > cells:
            self._divide_by_value()
            return
        self._replace(new, np.array(representatives, dtype=np.intp), classes)
        self._own_points = points
        for name in self._own_axes:
            self._cut[name] = [
                Breakpoints(tuple(own.numbers.tolist()), ()) if isinstance(own, OwnNumbers) else base
                for own, base in zip((own[name] for own in points), self._breakpoints_of(name), strict=True)
            ]

    @property
    def limits(self) -> dict[str, str]:
        """Of the own attributes those whose numbers are only compared with an axis of numbers, and it."""
        terms = {name for term in self.analysis.terms for name in term.names}
        return {
            name: axis
            for axis, own in self._own_axes.items()
            for name in own
            if self.own
            and axis in self.lines
            and axis in self._sent.grids
            and name not in terms
            and not self._compared[name].elements
        }

    def _asked_at(self, classes: Sequence[int], points: Sequence[Mapping[str, OwnPoints]]) -> int:
        """How many questions finer classes take: along two lines of one's own, perhaps more than every cell.

        Args:
            classes: for each, the number of the class that it is a part of.
            points: for each, those of one's own.
        """
        before = self.points()
        others = [
            math.prod(
                len(held.asked)
                for axis, held in zip(self._question.axes, of_class, strict=True)
                if axis.name not in self._own_axes
            )
            for of_class in before
        ]
        own = (math.prod(len(one.asked) for one in some.values()) for some in points)
        return sum(others[number] * asked for number, asked in zip(classes, own, strict=True))

    def _shared_with(self, own: Sequence[str], shared: Breakpoints) -> Breakpoints:
        """What an axis and these attributes are compared with that is the same for a class."""
        every = [shared, *(self._compared[name].shared for name in own)]
        numbers = {number for one in every for number in one.numbers}
        texts = {text for one in every for text in one.texts}
        return Breakpoints(tuple(sorted(numbers)), tuple(sorted(texts)))

    def _divide_by_value(self) -> None:
        """Divide classes by own values, which are then breakpoints of their class."""
        rows = self.classes.rows
        codes = dense_rows(np.column_stack([self.classes.codes, *self._own_codes(rows)]))
        first = first_of(codes)
        self._replace(codes, rows[first], self.classes.codes[first].tolist())
        for name in self._own_axes:
            for number in range(len(self.people) if name in self.lines else 0):
                self._found[name][number].extend(self._own_values(number))
        self.own = ()
        self._cut.clear()

    def _own_codes(self, rows: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
        """The own attributes of these principals: for each a number, equal for equal values."""
        columns = [self._table.column(name) for name in self.own]
        return [column.codes[rows] for column in columns if column is not None]

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
            if self._own_points and axis.name in self._own_points[number]:
                return self._own_points[number][axis.name]
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
        return not self.analysis.whole and self.analysis.use_of(axis.name) is None

    def _lines(self) -> dict[str, Line]:
        """The axes that can be cut, longest first; axes they are compared with are asked value by value."""
        lines: dict[str, Line] = {}
        axes = {axis.name for axis in self._question.axes}
        held: dict[str, str] = {}  # axis → the axis that is compared with it
        for axis in sorted(self._question.axes, key=lambda axis: -len(axis.values)):
            use = self.analysis.use_of(axis.name)
            if use is None and not self.analysis.whole:
                continue
            otherwise = [*self.analysis.whole, *(use.otherwise if use else ())]
            unknown = axis.name in self._sent.grids
            terms = use.terms if use else ()
            otherwise += [term.where for term in terms if unknown or term not in self._sent.outcomes]
            if axis.name in held:
                otherwise.append(f"'{held[axis.name]}' is compared with it")
            if use is None or otherwise:
                self._reasons[axis.name] = otherwise
                continue
            reads = {other for comparison in use.comparisons for other in concerned(comparison, axes)}
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
        own_paths = {("P", "attr", *steps_of(name)) for name in self.own}
        own_paths |= {(*path, ELEMENT) for path in own_paths}
        for comparison in line.comparisons:
            if comparison.path in own_paths:  # see divide, but some lists are compared by value
                for own, person in zip(found, self.people, strict=True):
                    held = value_at(person.attr, attribute_steps(comparison.path))
                    if ELEMENT in comparison.path and isinstance(held, list) and length_of(held) is None:
                        own.append(held)
                continue
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
        """The own values of a class's first principal."""
        attributes = self.people[number].attr
        own = (value_at(attributes, steps_of(name)) for name in self.own)
        return [value for value in own if value is not MISSING]

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
        names = self.analysis.principal_attributes
        read = None if names is None else {steps_of(name)[0] for name in names}
        own = {steps_of(name) for name in self.own}
        return [
            value
            for name, value in person.attr.items()
            if type(value) in {int, float} and (read is None or name in read) and (name,) not in own
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


def concerned(comparison: Comparison, names: Iterable[str]) -> set[str]:
    """Which of these attributes the other side of a comparison reads, in part or with more around them."""
    return {name for name in names for other in comparison.reads if overlap(name, other)}


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
