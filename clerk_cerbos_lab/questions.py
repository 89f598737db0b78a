"""Asking a PDP about many principals and combinations of attribute values, here or on other machines."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from clerk_cerbos_lab import messages
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.pdp import OTHER_ID, PDP
from clerk_cerbos_lab.process import MAX_PER_REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from cerbos.engine.v1 import engine_pb2
    from cerbos.request.v1 import request_pb2

    from clerk_cerbos_lab.decisions import Axis
    from clerk_cerbos_lab.principals import Principal
    from clerk_cerbos_lab.snapshots import Snapshot

ENTRIES_PER_TASK: Final = 20_000
"""Resources that one task of an executor asks about: about a second of work."""

TASKS_WAITING: Final = 8
"""Tasks handed to an executor and not yet collected: what an interrupt still has to wait for."""


@dataclass(frozen=True, slots=True)
class Question:
    """What all questions of a sweep have in common.

    Attributes:
        kind: the resource kind.
        actions: asked about.
        axes: the attributes that vary.
        fixed: the others, with ``resource_id`` where that is no axis.
        resource: policy version and scope of the resource.
        principal: policy version and scope sent with the principal.
        aux_data: a JWT for the conditions; shown nowhere.
        separately: ask each action by itself: where policies read ``runtime``, the PDP's answer for an action
            can depend on which actions precede it in the request.
    """

    kind: str
    actions: tuple[str, ...]
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Any]
    resource: tuple[str, str]
    principal: tuple[str, str]
    aux_data: request_pb2.AuxData | None = field(repr=False)
    separately: bool = False

    @property
    def together(self) -> list[slice]:
        """The positions of the actions that one resource of a request holds."""
        count = len(self.actions)
        return [slice(i, i + 1) for i in range(count)] if self.separately else [slice(0, count)]


@dataclass(frozen=True, slots=True)
class Part:
    """Some principals, each asked about each combination of some values of each axis.

    Attributes:
        people: whom to ask about.
        values: for each axis, the values asked.
        listed: the values are no axes to combine but columns: the first of each, the second of each, …
    """

    people: Sequence[Principal]
    values: tuple[Sequence[Any], ...]
    listed: bool = False

    @property
    def combinations(self) -> int:
        """How many resources each principal is asked about."""
        return int(np.prod(self.shape[1:], dtype=np.int64))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the answer, without the actions: principals, then each axis (one of all where listed)."""
        lengths = [len(values) for values in self.values]
        return (len(self.people), *(lengths[:1] if self.listed else lengths))

    def resources(self) -> Iterator[tuple[Any, ...]]:
        """The values of each resource asked about, in the order of the answer."""
        together = self.listed and self.values
        return zip(*self.values, strict=True) if together else itertools.product(*self.values)


def ask(
    pdp: PDP, question: Question, parts: Sequence[Part], advance: Callable[[int], object]
) -> Generator[npt.NDArray[np.bool_]]:
    """Ask all parts as one stream of requests, several in flight.

    Goes through the combinations in chunks of one request, and asks every principal of the part about
    a chunk before the next: a chunk's messages are built once, and no more than one is held.

    Args:
        pdp: whom to ask.
        question: what they have in common.
        parts: what is asked.
        advance: called with the number of decisions that are new.

    Yields:
        For each part in order ``allowed[principal, action, *axes]``.

    Raises:
        PDPError: when the PDP refuses or is lost for good; what was yielded is not the whole.
    """
    answers = pdp.check(_batches(question, parts), question.aux_data)
    count = len(question.actions)
    with closing(answers):
        for part in parts:
            allowed = np.zeros((len(part.people), count, part.combinations), dtype=np.bool_)
            for chunk in _chunks(part.combinations):
                for actions, row in itertools.product(question.together, range(len(part.people))):
                    answer = next(answers)
                    allowed[row, actions, chunk] = answer.T
                    advance(answer.size)
            yield allowed.reshape((len(part.people), count, *part.shape[1:]))


def _chunks(combinations: int) -> list[slice]:
    return [
        slice(start, min(start + MAX_PER_REQUEST, combinations))
        for start in range(0, combinations, MAX_PER_REQUEST)
    ]


def _batches(
    question: Question, parts: Sequence[Part]
) -> Iterator[tuple[engine_pb2.Principal, Sequence[messages.Entry]]]:
    names = [axis.name for axis in question.axes]
    version, scope = question.principal
    for part in parts:
        products = part.resources()
        who = [messages.principal_message(p, policy_version=version, scope=scope) for p in part.people]
        for chunk in _chunks(part.combinations):
            resources = [
                resource({**question.fixed, **dict(zip(names, values, strict=True))})
                for values in itertools.islice(products, chunk.stop - chunk.start)
            ]
            for actions in question.together:
                entries = messages.Entries(
                    resources,
                    kind=question.kind,
                    actions=question.actions[actions],
                    policy_version=question.resource[0],
                    scope=question.resource[1],
                    other=OTHER_ID,
                )
                for person, message in zip(part.people, who, strict=True):
                    yield message, entries.for_principal(person.id)


def resource(values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A combination as resource id and attributes."""
    return values.pop("resource_id"), values


# -- on other machines ------------------------------------------------------------------------


class Executor(Protocol):
    """What ``concurrent.futures`` and Dask's client have in common."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Start a call and return a future with ``result()`` and ``cancel()``."""
        ...


def ask_with(
    executor: Executor,
    snapshot: Snapshot,
    question: Question,
    parts: Sequence[Part],
    advance: Callable[[int], object],
) -> Generator[npt.NDArray[np.bool_]]:
    """The same as ``ask``, by an executor whose workers each start a PDP of their own.

    Args:
        executor: any executor in the style of ``concurrent.futures``; a Dask client.
        snapshot: the policies, which a worker on another machine can't read from here.
        question: as in ``ask``.
        parts: as in ``ask``.
        advance: as in ``ask``.

    Yields, raises: as ``ask``; an error of a worker is raised here.
    """
    tasks = (task for number, part in enumerate(parts) for task in _split(number, part))
    waiting: list[tuple[_Task, Any]] = []
    collected: dict[int, npt.NDArray[np.bool_]] = {}
    done = 0
    try:
        for task in itertools.chain(_bundles(tasks), [None]):
            if task is not None:
                call = executor.submit(_ask_here, snapshot, question, [piece.part for piece in task.pieces])
                waiting.append((task, call))
            while waiting and (task is None or len(waiting) >= TASKS_WAITING):
                finished, call = waiting.pop(0)
                for piece, answer in zip(finished.pieces, call.result(), strict=True):
                    part = parts[piece.number]
                    whole = collected.get(piece.number)
                    if whole is None:
                        shape = (len(part.people), len(question.actions), *part.shape[1:])
                        whole = collected[piece.number] = np.zeros(shape, dtype=np.bool_)
                    whole[piece.place] = answer
                    advance(answer.size)
                while done < finished.pieces[-1].number:  # the pieces of a part follow each other
                    yield collected.pop(done)
                    done += 1
        for number in range(done, len(parts)):
            yield collected.pop(number)
    finally:
        for _, call in waiting:
            call.cancel()
        for _, call in waiting:  # what could not be cancelled ends before anybody is told of an interrupt
            _wait(call)


def _wait(call: Any) -> None:
    if not call.cancelled():
        with suppress(BaseException):  # the error or interrupt under way is the one to tell
            call.exception()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a part, and where its answer belongs in the part's."""

    number: int
    part: Part
    place: tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    pieces: list[_Piece]


def _split(number: int, part: Part) -> Iterator[_Piece]:
    """A part in pieces of about ``ENTRIES_PER_TASK`` resources: by people, then along the longest axis."""
    if part.listed:
        yield _Piece(number, part, (slice(None),))
        return
    lengths = [len(values) for values in part.values]
    rows = max(1, ENTRIES_PER_TASK // part.combinations)
    longest = int(np.argmax(lengths)) if lengths else 0
    width = max(1, ENTRIES_PER_TASK * lengths[longest] // part.combinations) if lengths else 1
    for top in range(0, len(part.people), rows):
        people = part.people[top : top + rows]
        for left in range(0, lengths[longest] if lengths else 1, width):
            values = list(part.values)
            place = [slice(top, top + rows), slice(None), *(slice(None) for _ in values)]
            if lengths:
                values[longest] = values[longest][left : left + width]
                place[longest + 2] = slice(left, left + width)
            yield _Piece(number, Part(people, tuple(values)), tuple(place))


def _bundles(pieces: Iterator[_Piece]) -> Iterator[_Task]:
    """Pieces together in tasks of about ``ENTRIES_PER_TASK`` resources."""
    held: list[_Piece] = []
    size = 0
    for piece in pieces:
        more = len(piece.part.people) * piece.part.combinations
        if held and size + more > ENTRIES_PER_TASK:
            yield _Task(held)
            held, size = [], 0
        held.append(piece)
        size += more
    if held:
        yield _Task(held)


_own = threading.local()


def _ask_here(snapshot: Snapshot, question: Question, parts: Sequence[Part]) -> list[npt.NDArray[np.bool_]]:
    """Answer a task on a worker, by a PDP that the worker's thread keeps for the next."""
    held: tuple[Snapshot, PDP] | None = getattr(_own, "held", None)
    if held is None or held[0] != snapshot:
        if held is not None:
            held[1].close()
        _own.held = held = (snapshot, snapshot.start())
    with held[1].asking():
        return list(ask(held[1], question, parts, lambda _: None))


def check_executor(executor: object) -> None:
    """Raise ``InputError`` for what is no executor."""
    if not callable(getattr(executor, "submit", None)):
        msg = f"executor= needs an executor with a submit method, not a {type(executor).__name__}"
        raise InputError(msg)
