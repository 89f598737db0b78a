"""Decisions with the explanations of all their situations: a pickle or a page then needs no PDP."""

from __future__ import annotations

from dataclasses import replace
from operator import is_
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from clerk_cerbos_lab.decisions.explanations import SLOT, ExplainedCells, Explanations, templates_of
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.data_quality import repairs_allow
from clerk_cerbos_lab.insights.finer_situations import FinerSituations
from clerk_cerbos_lab.insights.slots import Slots
from clerk_cerbos_lab.insights.why import explain_with_misfits, required_of, unknown_pdp
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import hidden_aux_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.explanation import Explanation
    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.insights.finer_situations import Kind, Point
    from clerk_cerbos_lab.insights.seen_conditions import Misfit
    from clerk_cerbos_lab.pdp.messages import Request

MOST: Final = 50_000
"""Situations of one action that are explained: about as many as can be asked in some minutes."""


def explain_all(decisions: Decisions, *, aux_data: Any = None, names: bool = False) -> Decisions:
    """A copy of decisions with all explanations; ``Decisions.explain`` documents it."""
    source = decisions.source
    if not isinstance(source, Instrumented):
        raise InputError(unknown_pdp(source))
    if any(SLOT.search(str(one)) for one in source.index.documents):
        msg = "the policies contain private characters of Unicode that explanations use themselves"
        raise InputError(msg)
    jwt = hidden_aux_data(aux_data)
    if decisions.provenance.aux_data and jwt is None:
        msg = "these decisions were made with a JWT, which they do not keep: give it again as aux_data="
        raise InputError(msg)
    disclosure = decisions.shown(names=names)
    slots = Slots(decisions.question)
    templates: dict[str, int] = {}
    made: list[Explanation] = []
    cells = {}
    people = read_principals(decisions.principals)
    for place, action in enumerate(decisions.actions):
        question = replace(decisions.question, actions=(action,), aux_data=jwt)
        of_action = _Action(decisions, place, question, people, disclosure, slots)
        cells[action] = of_action.explained(templates, made)
    found = Explanations(tuple(made), tuple(slots.paths), cells, names, repairs_allow(decisions))
    explained = decisions.with_explanations(found)
    _check(explained)
    return explained


def _check(explained: Decisions) -> None:
    """Compare the effect of every explanation with the decision that has it.

    Raises:
        PDPError: if one differs.
    """
    known = explained.explanations
    if known is None:
        return
    allowed = np.array([one.effect == "ALLOW" for one in known.templates])
    for action in explained.actions:
        for places, templates in templates_of(known.cells[action], explained.index, explained.axes):
            one = explained.of(np.array(places[:1], dtype=np.intp)).sel(action=action)
            if not np.array_equal(one.allowed()[0, 0], allowed[templates]):
                msg = (
                    f"some explanations of '{action}' have another effect than the decisions: the policies "
                    "depend on something outside the request, such as the time, or this is an error of "
                    "clerk-cerbos-lab. decisions.why(…) explains one decision"
                )
                raise PDPError(msg)


Found: TypeAlias = "tuple[Explanation, list[Misfit]]"


class _Action:
    """The situations of one action."""

    def __init__(  # noqa: PLR0917 - what explanations are made of
        self,
        decisions: Decisions,
        place: int,
        question: Question,
        people: PrincipalTable,
        disclosure: Disclosure,
        slots: Slots,
    ) -> None:
        self._decisions = decisions
        self._place = place
        self._disclosure = disclosure
        self._slots = slots
        self._source: Instrumented = decisions.source
        self._required = required_of(decisions)
        self._finer = FinerSituations(decisions, question, people)

    def explained(self, templates: dict[str, int], made: list[Explanation]) -> ExplainedCells:
        """Explain every situation; equal explanations are kept once, in ``made``."""
        waiting, done = list(self._finer.kinds()), []
        numbers: dict[tuple[object, ...], int] = {}
        while waiting:
            found = self._asked(waiting)
            again: list[Kind] = []
            for kind in waiting:
                keys = [situation for situation, _ in kind.situations()]
                finer = list(self._finer.divided(kind, [misfit for one in keys for misfit in found[one][1]]))
                if finer:
                    again += finer
                    continue
                for situation in keys:
                    if situation not in numbers:
                        numbers[situation] = _kept(found[situation][0], templates, made)
                done.append((kind, [numbers[situation] for situation in keys]))
            waiting = again
        return self._cells(done)

    # -- asking -------------------------------------------------------------------------------------

    def _asked(self, kinds: Sequence[Kind]) -> dict[tuple[object, ...], Found]:
        """The explanation of each situation."""
        asked: dict[tuple[object, ...], tuple[int, tuple[Point, ...]]] = {}
        for kind in kinds:
            for situation, at in kind.situations():
                asked.setdefault(situation, (int(kind.members[0]), at))
                if len(asked) > MOST:
                    msg = (
                        f"there are more than {MOST:,} situations to explain; select fewer people or values "
                        "with .sel(…), or ask decisions.why(…) about one decision"
                    )
                    raise InputError(msg)
        cases = [self._case(who, at) for who, at in asked.values()]
        found = explain_with_misfits(self._source, cases, self._disclosure, self._required, self._slots)
        return dict(zip(asked, found, strict=True))

    def _case(self, who: int, at: Sequence[Point]) -> tuple[Request, bool | None]:
        """The request of a person at some points, and its effect in the decisions if it is among them."""
        decisions = self._decisions
        request = self._finer.request(who, [point.value for point in at])
        if any(point.place < 0 for point in at):
            return request, None
        index = decisions.index
        cell = [own[[point.place]] for own, point in zip(index[2:], at, strict=True)]
        taken = decisions.cube.take([index[0][[who]], index[1][[self._place]], *cell])
        return request, bool(taken.item())

    # -- the answer ---------------------------------------------------------------------------------

    def _cells(self, done: Sequence[tuple[Kind, Sequence[int]]]) -> ExplainedCells:
        """Which explanation each cell has, by positions in the cube."""
        index, shape = self._decisions.index, self._decisions.cube.shape
        kinds = np.full(shape[0], -1, dtype=np.intp)
        points, tables = [], []
        cuts: dict[tuple[float, ...], int] = {}
        lines: dict[int, npt.NDArray[np.intp]] = {}
        for number, (kind, numbers) in enumerate(done):
            kinds[index[0][kind.members]] = number
            table = np.full([len(one) for one in kind.points], -1, dtype=np.intp)
            there = [[i for i, point in enumerate(one) if point is not None] for one in kind.points]
            table[np.ix_(*there)] = np.reshape(numbers, [len(one) for one in there])
            tables.append(table)
            whole: list[npt.NDArray[np.intp] | None] = []
            for at, codes in enumerate(kind.places):
                if codes is None:
                    whole.append(None)
                    line = lines.setdefault(at, np.full(shape[0], -1, dtype=np.intp))
                    for member in kind.members.tolist():
                        own = self._finer.cuts_of(kind, at, member)
                        line[index[0][member]] = cuts.setdefault(own, len(cuts))
                else:
                    full = np.full(shape[at + 2], -1, dtype=np.intp)
                    full[index[at + 2]] = codes
                    whole.append(full)
            points.append(tuple(whole))
        return ExplainedCells(kinds, tuple(points), lines, tuple(cuts), tuple(tables))


def _kept(explanation: Explanation, templates: dict[str, int], made: list[Explanation]) -> int:
    """The number of a template; equal ones are kept once."""
    one = replace(explanation, rules=tuple(_slotted(rule) for rule in explanation.rules))
    parts = (one.effect, one.sentence, one.cause, one.policy, one.scope, one.rules, one.notes, one.also)
    number = templates.setdefault(repr(parts), len(made))
    if number == len(made):
        made.append(one)
    return number


_PLAIN: Final = frozenset({str, bool, int, float, type(None)})
"""What most parts of an explanation are made of: they have no parts."""


def _slotted(part: Any) -> Any:
    """A part of an explanation in which a value with a slot as its label is the slot."""
    if isinstance(part, tuple):
        every = tuple(map(_slotted, part))
        return part if all(map(is_, every, part)) else every
    if not hasattr(part, "__dataclass_fields__"):
        return part
    changed = {}
    for name in part.__dataclass_fields__:
        now = getattr(part, name)
        if type(now) not in _PLAIN and (one := _slotted(now)) is not now:
            changed[name] = one
    if SLOT.fullmatch(str(getattr(part, "label", ""))):
        changed["value"] = part.label
    return replace(part, **changed) if changed else part  # most parts have no slot
