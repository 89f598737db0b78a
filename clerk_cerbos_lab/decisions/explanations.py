"""The explanations of all decisions, as data: one template for each situation, and which cell has which.

A template is an explanation in which a *slot*, one private character, stands for each value that may differ
between the people and cells that share it. It contains nobody's own values.
"""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from clerk_cerbos_lab.attribute_names import name_of, value_at
from clerk_cerbos_lab.decisions.explanation import BROKEN
from clerk_cerbos_lab.values import MISSING, OTHER_ID, RESOURCE_ID, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.identity.principals import Principal

FIRST_SLOT: Final = 0xF0000

MOST_SLOTS: Final = 4_096

SLOT: Final = re.compile(f"[{chr(FIRST_SLOT)}-{chr(FIRST_SLOT + MOST_SLOTS - 1)}]")
"""A slot in a text; the same characters as in js/src/view/explained.js."""

Path = tuple[str, ...]

QUOTED: Final = "quoted"
"""Before the path of a slot that stands for a text in quotation marks, whatever the text is."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedCells:
    """Which template each cell of an action has.

    Attributes:
        kinds: for each principal of the cube, the number of their kind; -1 if they are not explained.
        points: for each kind and axis, the point of each value of the axis; None for an axis that is cut.
        lines: for each axis that is cut, by its position: for each principal, the number of their cuts.
        cuts: ascending numbers; the points of an axis are a gap, a cut, a gap, …
        templates: for each kind, the number of a template at each combination of points.
    """

    kinds: npt.NDArray[np.intp]
    points: tuple[tuple[npt.NDArray[np.intp] | None, ...], ...]
    lines: Mapping[int, npt.NDArray[np.intp]]
    cuts: tuple[tuple[float, ...], ...]
    templates: tuple[npt.NDArray[np.intp], ...]

    def at(self, principal: int, places: Sequence[int], numbers: Sequence[float | None]) -> int | None:
        """The template of a cell; None if there is none.

        Args:
            principal: its position in the cube.
            places: the position on each axis of the cube.
            numbers: for each axis the number, if it is one.
        """
        kind = int(self.kinds[principal])
        if kind < 0:
            return None
        at = []
        for axis, (codes, place, number) in enumerate(zip(self.points[kind], places, numbers, strict=True)):
            if codes is not None:
                at.append(int(codes[place]))
            elif number is None:
                return None
            else:
                cuts = self.cuts[int(self.lines[axis][principal])]
                at.append(bisect_left(cuts, number) + bisect_right(cuts, number))
        found = int(self.templates[kind][tuple(at)])
        return None if found < 0 else found

    def expanded(
        self, principal: int, index: Sequence[npt.NDArray[np.intp]], values: Sequence[npt.NDArray[np.float64]]
    ) -> npt.NDArray[np.intp]:
        """The templates of all cells of a principal; -1 where there is none.

        Args:
            principal: their position in the cube.
            index: for each axis, positions in the cube.
            values: for each numeric axis, its numbers at these positions.
        """
        kind = int(self.kinds[principal])
        if kind < 0:
            return np.full([len(places) for places in index], -1, dtype=np.intp)
        at = []
        for axis, (codes, places) in enumerate(zip(self.points[kind], index, strict=True)):
            if codes is not None:
                at.append(codes[places])
                continue
            at.append(segments_of(self.cuts[int(self.lines[axis][principal])], values[axis]))
        found: npt.NDArray[np.intp] = self.templates[kind][np.ix_(*at)]
        return found

    def same(self, principal: int) -> tuple[int, ...]:
        """Equal for principals with the same template in every cell."""
        return int(self.kinds[principal]), *(int(line[principal]) for line in self.lines.values())


@dataclass(frozen=True, slots=True, eq=False)
class Explanations:
    """The explanations of decisions.

    Attributes:
        templates: the different explanations, without the labels of principal, action and attributes.
        slots: for each slot, in order, the path of what it stands for, such as ``("R", "attr", "amount")``.
        cells: by action.
        names: whether they were made to show ids and every attribute.
        repairs: by principal and attribute, which actions would be allowed for some resource were the value
            repaired, and what is needed; None if that could not be asked.
    """

    templates: tuple[Explanation, ...]
    slots: tuple[Path, ...]
    cells: Mapping[str, ExplainedCells]
    names: bool
    repairs: Mapping[tuple[str, str], tuple[tuple[str, ...], str]] | None = None


def segments_of(cuts: Sequence[float], numbers: Any) -> npt.NDArray[np.intp]:
    """The points of an axis that is cut, for these numbers."""
    ascending, wanted = np.array(cuts, dtype=np.float64), np.array(numbers, dtype=np.float64)
    left = np.searchsorted(ascending, wanted)
    return (left + np.searchsorted(ascending, wanted, "right")).astype(np.intp)


def templates_of(
    cells: ExplainedCells, index: Sequence[npt.NDArray[np.intp]], axes: Sequence[Axis]
) -> Iterator[tuple[list[int], npt.NDArray[np.intp]]]:
    """For principals with equal templates, their positions and the template at each combination of the axes.

    Args:
        cells: of an action.
        index: of the decisions, as positions in the cube.
        axes: of the decisions.
    """
    principals, _, *places = index
    numbers = [np.array(axis.values if axis.numeric else (), dtype=np.float64) for axis in axes]
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, principal in enumerate(principals.tolist()):
        alike.setdefault(cells.same(principal), []).append(place)
    for some in alike.values():
        yield some, cells.expanded(int(principals[some[0]]), places, numbers)


def broken_cells(
    known: Explanations,
    actions: Sequence[str],
    index: Sequence[npt.NDArray[np.intp]],
    axes: Sequence[Axis],
) -> npt.NDArray[np.bool_]:
    """Which decisions are denied because of broken data: ``[principal, action, *axes]``."""
    broken = np.array([*(is_broken(one) for one in known.templates), False])
    found = np.zeros([len(own) for own in index], dtype=np.bool_)
    for place, action in enumerate(actions):
        for people, templates in templates_of(known.cells[action], index, axes):
            found[people, place] = broken[templates]
    return found


def is_broken(explanation: Explanation) -> bool:
    """Whether an explanation is of a decision that is denied because of broken data."""
    return explanation.cause is not None and explanation.cause.kind == BROKEN


def broken_counts(
    known: Explanations,
    actions: Sequence[str],
    index: Sequence[npt.NDArray[np.intp]],
    axes: Sequence[Axis],
) -> tuple[int, int]:
    """How many principals are denied something because of broken data, and how many decisions that are."""
    broken = np.array([*(is_broken(one) for one in known.templates), False])
    people: set[int] = set()
    count = 0
    for action in actions:
        for places, templates in templates_of(known.cells[action], index, axes):
            found = int(broken[templates].sum())
            count += found * len(places)
            people.update(places if found else ())
    return len(people), count


def slot_of(number: int) -> str:
    """The character of a slot."""
    return chr(FIRST_SLOT + number)


def number_of(slot: str) -> int:
    """The number of a slot."""
    return ord(slot) - FIRST_SLOT


def value_of(path: Path, person: Principal, values: Mapping[str, Any]) -> Any:
    """What a slot stands for.

    Args:
        path: of the slot.
        person: the principal.
        values: of the resource's attributes, with ``resource_id``.
    """
    if path[0] == QUOTED:
        path = path[1:]
    if path == ("P", "id"):
        return person.id
    if path[:2] == ("P", "attr"):
        return value_at(dict(person.attr), path[2:])
    name = RESOURCE_ID if path == ("R", "id") else name_of(path[2:])
    return resolve(values.get(name, MISSING), own=person.id, other=OTHER_ID)


def label_of(path: Path, value: Any, shown: Disclosure) -> str:
    """What a slot stands for, in words.

    Args:
        path: of the slot.
        value: what it stands for.
        shown: what may be shown.
    """
    return f'"{shown.hidden(value)}"' if path[0] == QUOTED else shown.value(value)


def filled(part: _T, text: Callable[[str], str], value: Callable[[str], Any]) -> _T:
    """A part of a template with its slots filled in.

    Args:
        part: an explanation or anything in it.
        text: what a slot stands for, in words.
        value: the same as a value.
    """
    if isinstance(part, str):
        return SLOT.sub(lambda found: text(found[0]), part)  # type: ignore[return-value]
    if isinstance(part, tuple):
        return tuple(filled(one, text, value) for one in part)  # type: ignore[return-value]
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    changed = {}
    for field in dataclasses.fields(part):
        own = getattr(part, field.name)
        is_value = field.name == "value" and isinstance(own, str) and SLOT.fullmatch(own)
        changed[field.name] = value(own) if is_value else filled(own, text, value)
    return dataclasses.replace(part, **changed)
