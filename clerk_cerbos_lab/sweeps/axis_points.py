"""The points of an axis: which of its values are asked, and which values each of them represents."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clerk_cerbos_lab.decisions.cells import Points
from clerk_cerbos_lab.policies.terms import ORDERS
from clerk_cerbos_lab.sweeps import own_numbers, own_texts
from clerk_cerbos_lab.sweeps.codes import dense_rows
from clerk_cerbos_lab.values import is_number, is_text, texts_in, uses_self

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.axes import Axis
    from clerk_cerbos_lab.decisions.cells import Matches
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.policies.analysis import Comparison, Use
    from clerk_cerbos_lab.policies.terms import Term
    from clerk_cerbos_lab.sweeps.breakpoints import Breakpoints


class Scale:
    """The values of an axis by type: numbers and strings, which can be cut, and all others.

    Args:
        axis: the axis.
        ordered: whether it is compared for order, not only for equality.
        converted: whether it is inside ``double(…)`` somewhere: then a string is not compared as one.
        compared: whether it is compared with anything; if not, only outcomes tell values apart.
        outcomes: of terms, a number for each value; values with another number are told apart.
    """

    def __init__(
        self,
        axis: Axis,
        *,
        ordered: bool,
        converted: bool,
        compared: bool = True,
        outcomes: npt.NDArray[np.intp] | None = None,
    ) -> None:
        self.axis = axis
        self._compared = compared
        self._outcomes = outcomes
        self.ordered = ordered
        count = len(axis.values)
        if set(map(type, axis.values)) <= {int, float}:
            self._numbers, self._texts, self._others = list(range(count)), [], []
        else:
            self._numbers = [i for i, value in enumerate(axis.values) if is_number(value)]
            self._texts = [i for i, v in enumerate(axis.values) if is_text(v) and not converted]
            plain = {*self._numbers, *self._texts}
            self._others = [i for i in range(count) if i not in plain]
        self.told_apart = outcomes is not None
        self._values = np.array([axis.values[i] for i in self._numbers], dtype=np.float64)
        self._known: dict[Breakpoints, Points] = {}
        self._shared: dict[bytes, Points] = {}

    def points(self, breakpoints: Breakpoints) -> Points:
        """The points for these breakpoints; the same object for the same points."""
        found = self._known.get(breakpoints)
        if found is None:
            codes = self._codes(breakpoints)
            first = np.full(int(codes.max()) + 1, -1, dtype=np.intp)
            first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # the first of several values
            asked = np.sort(first[first >= 0])
            rank = np.empty(len(first), dtype=np.intp)
            rank[codes[asked]] = np.arange(len(asked))
            made = small(rank[codes])
            found = self._shared.setdefault(made.tobytes(), Points(asked, made))
            self._known[breakpoints] = found
        return found

    def _codes(self, breakpoints: Breakpoints) -> npt.NDArray[np.int64]:
        """A number for each value of the axis; values with the same number can't be told apart."""
        codes = np.empty(len(self.axis.values), dtype=np.int64)
        codes[self._numbers] = self._number_codes(breakpoints)
        base = 2 * len(breakpoints.numbers) + 1
        texts = [str(self.axis.values[i]) for i in self._texts]
        codes[self._texts] = base + self._text_codes(texts, breakpoints)
        base += 2 * len(breakpoints.texts) + 1
        codes[self._others] = base + np.arange(len(self._others))
        if self._outcomes is None:
            return codes
        if not self._compared:
            return self._outcomes.astype(np.int64)
        return dense_rows(np.column_stack([codes, self._outcomes])).astype(np.int64)

    def _number_codes(self, breakpoints: Breakpoints) -> npt.NDArray[np.int64]:
        cuts = np.array(breakpoints.numbers, dtype=np.float64)
        left, right = np.searchsorted(cuts, self._values), np.searchsorted(cuts, self._values, "right")
        codes: npt.NDArray[np.int64] = (left + right).astype(np.int64)  # odd: at a breakpoint; even: in a gap
        return codes if self.ordered else np.where(codes % 2 == 1, codes, 0)

    def _text_codes(self, texts: Sequence[str], breakpoints: Breakpoints) -> npt.NDArray[np.int64]:
        cuts = breakpoints.texts
        codes = [bisect.bisect_left(cuts, text) + bisect.bisect_right(cuts, text) for text in texts]
        found = np.array(codes, dtype=np.int64)
        return found if self.ordered else np.where(found % 2 == 1, found, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """An axis that is asked at points only.

    Attributes:
        comparisons: what the policies compare it with.
        scale: its values.
    """

    comparisons: Sequence[Comparison]
    scale: Scale


class Sent:
    """The resource as it is sent, read once for all principals.

    Attributes:
        values: by attribute, including fixed ones and ``resource_id``.
        own: the attributes with ``SELF`` among their values.
        texts: every string in the values.
        grids: by numeric axis, its values.
        outcomes: a number for each principal, or each value of the axis, by term whose outcomes are known.
    """

    def __init__(self, question: Question) -> None:
        self.values: dict[str, tuple[Any, ...]] = {
            **{name: (value,) for name, value in question.fixed.items()},
            **{axis.name: axis.values for axis in question.axes},
        }
        self.texts: set[str] = set()
        self.own: set[str] = set()
        for name, values in self.values.items():
            if not set(map(type, values)) <= {int, float}:
                texts_in(values, self.texts)
                if any(uses_self(value) for value in values):
                    self.own.add(name)
        self.grids = {
            axis.name: np.array(axis.values, dtype=np.float64) for axis in question.axes if axis.numeric
        }
        self.outcomes: dict[Term, npt.NDArray[np.intp]] = {}
        self._scales: dict[tuple[str, bool, bool, bool, tuple[Term, ...]], Scale] = {}
        self._all: dict[tuple[str, bool], Points] = {}
        self._numbers: dict[tuple[tuple[str, ...], tuple[str, ...]], npt.NDArray[np.float64]] = {}
        self._matches: dict[tuple[str, str], Matches] = {}

    def own_numbers(
        self, people: PrincipalTable, names: Sequence[str], elements: tuple[str, ...]
    ) -> npt.NDArray[np.float64]:
        """``[principal, column]``: these attributes, or their elements, NaN for no finite number."""
        key = (tuple(names), elements)
        if key not in self._numbers:
            self._numbers[key] = own_numbers.own_numbers(people, names, elements)
        return self._numbers[key]

    def matches(self, people: PrincipalTable, name: str, axis: Axis) -> Matches:
        """Which values of an axis an attribute matches."""
        column = people.column(name)
        if column is not None and (name, axis.name) not in self._matches:
            self._matches[name, axis.name] = own_texts.matches_of(column, axis)
        return self._matches[name, axis.name]

    def line(self, axis: Axis, use: Use) -> Line:
        """A line for an axis that is only used in comparisons, and in terms whose outcomes are known."""
        ordered = any(c.operator in ORDERS for c in use.comparisons)
        converted = any(c.converted for c in use.comparisons)
        terms, compared = tuple(dict.fromkeys(use.terms)), bool(use.comparisons)
        key = (axis.name, ordered, converted, compared, terms)
        if key not in self._scales:
            outcomes = dense_rows(np.column_stack([self.outcomes[term] for term in terms])) if terms else None
            self._scales[key] = Scale(
                axis, ordered=ordered, converted=converted, compared=compared, outcomes=outcomes
            )
        return Line(use.comparisons, self._scales[key])

    def whole(self, axis: Axis, *, read: bool) -> Points:
        """The points of an axis that is not cut: each value, or only the first if no policy reads it."""
        key = (axis.name, read)
        if key not in self._all:
            self._all[key] = every_value(axis) if read else one_point(axis)
        return self._all[key]


def one_point(axis: Axis) -> Points:
    """The first value represents all."""
    return Points(np.zeros(1, dtype=np.intp), np.zeros(len(axis.values), dtype=np.uint8))


def every_value(axis: Axis) -> Points:
    """Each value represents itself."""
    count = len(axis.values)
    return Points(np.arange(count, dtype=np.intp), small(np.arange(count)))


def small(codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers in the smallest unsigned type that fits."""
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))
