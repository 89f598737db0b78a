"""Points of an axis: values between which no policy can tell a difference, asked about once.

For one class of principals, the values that a policy compares the axis with (the candidates) cut a
line of numbers, or of texts, into points and the gaps between them.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.analysis import ELEMENT, ORDERS, RESOURCE_ID, Comparison, path_of
from clerk_cerbos_lab.cel import Call, Literal
from clerk_cerbos_lab.pdp import OTHER_ID
from clerk_cerbos_lab.values import MISSING, Relation, resolve, texts_in, uses_self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.analysis import Path, Use
    from clerk_cerbos_lab.cel import Node
    from clerk_cerbos_lab.decisions import Axis
    from clerk_cerbos_lab.library import Environment
    from clerk_cerbos_lab.principals import Principal
    from clerk_cerbos_lab.questions import Question


class _Computed:
    """Marks a value that only the PDP can compute."""


COMPUTED: Final = _Computed()


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a class's answers can depend on, along one axis.

    Attributes:
        numbers: ascending, finite, no two the same.
        texts: ascending, no two the same.
    """

    numbers: tuple[float, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The values of an axis that are asked, and which of them stands for each value.

    Attributes:
        asked: positions on the axis, ascending.
        of: for each value of the axis, the position in ``asked`` of the one that stands for it.
    """

    asked: npt.NDArray[np.intp]
    of: npt.NDArray[Any]


class Scale:
    """The values of an axis, sorted by kind: numbers and texts, which can be cut, and all others.

    Args:
        axis: the axis.
        ordered: whether it is compared for order, not only for equality.
        converted: whether it stands in ``double(…)`` somewhere: then a text is not compared as one.
    """

    def __init__(self, axis: Axis, *, ordered: bool, converted: bool) -> None:
        self.axis = axis
        self.ordered = ordered
        count = len(axis.values)
        if set(map(type, axis.values)) <= {int, float}:
            self._numbers, self._texts, self._others = list(range(count)), [], []
        else:
            self._numbers = [i for i, value in enumerate(axis.values) if _is_number(value)]
            self._texts = [i for i, v in enumerate(axis.values) if _is_text(v) and not converted]
            plain = {*self._numbers, *self._texts}
            self._others = [i for i in range(count) if i not in plain]
        self._values = np.array([axis.values[i] for i in self._numbers], dtype=np.float64)
        self._known: dict[Candidates, Points] = {}
        self._shared: dict[bytes, Points] = {}

    def points(self, candidates: Candidates) -> Points:
        """The points that these candidates leave; the same object for the same points."""
        found = self._known.get(candidates)
        if found is None:
            codes = self._codes(candidates)
            first = np.full(int(codes.max()) + 1, -1, dtype=np.intp)
            first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of several, the first value stays
            asked = np.sort(first[first >= 0])
            rank = np.empty(len(first), dtype=np.intp)
            rank[codes[asked]] = np.arange(len(asked))
            made = small(rank[codes])
            found = self._shared.setdefault(made.tobytes(), Points(asked, made))
            self._known[candidates] = found
        return found

    def _codes(self, candidates: Candidates) -> npt.NDArray[np.int64]:
        """A number for each value of the axis; two that share it can't be told apart."""
        codes = np.empty(len(self.axis.values), dtype=np.int64)
        codes[self._numbers] = self._number_codes(candidates)
        base = 2 * len(candidates.numbers) + 1
        texts = [str(self.axis.values[i]) for i in self._texts]
        codes[self._texts] = base + self._text_codes(texts, candidates)
        base += 2 * len(candidates.texts) + 1
        codes[self._others] = base + np.arange(len(self._others))
        return codes

    def _number_codes(self, candidates: Candidates) -> npt.NDArray[np.int64]:
        cuts = np.array(candidates.numbers, dtype=np.float64)
        left, right = np.searchsorted(cuts, self._values), np.searchsorted(cuts, self._values, "right")
        codes: npt.NDArray[np.int64] = (left + right).astype(np.int64)  # odd: at a candidate; even: in a gap
        return codes if self.ordered else np.where(codes % 2 == 1, codes, 0)

    def _text_codes(self, texts: Sequence[str], candidates: Candidates) -> npt.NDArray[np.int64]:
        cuts = candidates.texts
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
    """What is sent of the resource, looked at once for all principals.

    Attributes:
        values: by attribute, fixed ones too, with ``resource_id``.
        own: the attributes that ``SELF`` stands for somewhere.
        texts: every text in the values.
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
        self._scales: dict[tuple[str, bool, bool], Scale] = {}
        self._all: dict[tuple[str, bool], Points] = {}

    def line(self, axis: Axis, use: Use) -> Line:
        """An axis that is only used in comparisons."""
        ordered = any(c.operator in ORDERS for c in use.comparisons)
        converted = any(c.converted for c in use.comparisons)
        key = (axis.name, ordered, converted)
        if key not in self._scales:
            self._scales[key] = Scale(axis, ordered=ordered, converted=converted)
        return Line(use.comparisons, self._scales[key])

    def whole(self, axis: Axis, *, read: bool) -> Points:
        """The points of an axis that is not cut: each value, or the first where no policy reads it."""
        key = (axis.name, read)
        if key not in self._all:
            self._all[key] = every_value(axis) if read else one_point(axis)
        return self._all[key]


def one_point(axis: Axis) -> Points:
    """The first value stands for all."""
    return Points(np.zeros(1, dtype=np.intp), np.zeros(len(axis.values), dtype=np.uint8))


def every_value(axis: Axis) -> Points:
    """Each value stands for itself."""
    count = len(axis.values)
    return Points(np.arange(count, dtype=np.intp), small(np.arange(count)))


def small(codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers in the smallest unsigned type that holds them."""
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value is not MISSING


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Relation)


# -- candidates -------------------------------------------------------------------------------


def candidates_from(values: Iterable[object]) -> Candidates:
    """Every number and text in these values, at any depth."""
    numbers: set[float] = set()
    texts: set[str] = set()
    _collect(values, numbers, texts)
    return Candidates(tuple(sorted(numbers)), tuple(sorted(texts)))


def _collect(value: object, numbers: set[float], texts: set[str]) -> None:
    if isinstance(value, str):
        texts.add(str(value))
    elif _is_number(value):
        number = float(value)  # type: ignore[arg-type]
        if np.isfinite(number):
            numbers.add(number + 0.0)  # -0.0 compares as 0.0
    elif isinstance(value, dict):
        _collect(list(value.items()), numbers, texts)
    elif isinstance(value, (list, tuple, set)) or hasattr(value, "__next__"):
        for item in value:  # type: ignore[attr-defined]
            _collect(item, numbers, texts)


def value_of(
    comparison: Comparison, person: Principal, sent: Mapping[str, Sequence[object]], kind: str
) -> list[object] | _Computed:
    """What the other side of a comparison can be, for a principal.

    Args:
        comparison: of which the other side is wanted.
        person: the principal.
        sent: each attribute of the resource that is sent, with its values; ``resource_id`` too.
        kind: of the resource.

    Returns:
        The values, perhaps more than there are (all elements of a list); none for what is absent, which
        is an error whatever it is compared with; ``COMPUTED`` when only the PDP can tell.
    """
    if comparison.path is not None:
        return _at(comparison.path, comparison.environment, person, sent, kind)
    return _plain(comparison.other, comparison.environment, person, sent, kind)


def _plain(
    node: Node,
    environment: Environment,
    person: Principal,
    sent: Mapping[str, Sequence[object]],
    kind: str,
) -> list[object] | _Computed:
    if isinstance(node, Literal):
        return [float(node.value) if type(node.value) is int else node.value]
    path = path_of(node, environment, {})
    if path is not None:
        return _at(path, environment, person, sent, kind)
    if isinstance(node, Call) and node.function == "list":
        parts = [_plain(part, environment, person, sent, kind) for part in node.arguments]
        if not any(isinstance(part, _Computed) for part in parts):
            return [item for part in parts for item in part]  # type: ignore[union-attr]
    return COMPUTED


def _at(
    path: Path,
    environment: Environment,
    person: Principal,
    sent: Mapping[str, Sequence[object]],
    kind: str,
) -> list[object] | _Computed:
    root, *rest = path
    start: list[object]
    if root == "C":
        start = [dict(environment.constants)]
    elif root == "P" and rest[:1] == ["attr"]:
        start, rest = [dict(person.attr)], rest[1:]
    elif root == "P" and rest[:1] == ["id"]:
        start, rest = [person.id], rest[1:]
    elif root == "P" and rest[:1] == ["roles"]:
        start, rest = [list(person.roles)], rest[1:]
    elif root == "R" and rest[:1] == ["attr"] and len(rest) > 1:
        values = [value for value in sent.get(rest[1], ()) if value is not MISSING]
        start, rest = [resolve(value, own=person.id, other=OTHER_ID) for value in values], rest[2:]
    elif root == "R" and rest[:1] == ["id"]:
        start, rest = list(sent[RESOURCE_ID]), rest[1:]
    elif root == "R" and rest[:1] == ["kind"]:
        start, rest = [kind], rest[1:]
    else:
        return COMPUTED
    for step in rest:
        start = list(_step(start, step))
    return start


def _step(values: Iterable[object], step: str) -> Iterable[object]:
    for value in values:
        if step == ELEMENT:
            if isinstance(value, (list, dict)):
                yield from value
        elif isinstance(value, dict) and step in value:
            yield value[step]
