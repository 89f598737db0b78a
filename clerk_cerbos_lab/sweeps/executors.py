"""Asks on other machines or in other processes, where each worker has its own PDP."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.sweeps.ask import Batch, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.snapshots import Snapshot

ENTRIES_PER_TASK: Final = 20_000
"""Resources per task of an executor: about a second of work."""

TASKS_WAITING: Final = 8
"""Tasks submitted to an executor and not yet collected; an interrupt has to wait for them."""

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
    parts: Sequence[Batch],
    advance: Callable[[int], object],
) -> Generator[npt.NDArray[np.bool_]]:
    """The same as ``ask``, with an executor whose workers each start their own PDP.

    Args:
        executor: any executor in the style of ``concurrent.futures``, or a Dask client.
        snapshot: the policies, because a worker on another machine can't read them from here.
        question: as in ``ask``.
        parts: as in ``ask``.
        advance: as in ``ask``.

    Yields, raises: as ``ask``; a worker's error is raised here.
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
                while done < finished.pieces[-1].number:  # the pieces of a part are consecutive
                    yield collected.pop(done)
                    done += 1
        for number in range(done, len(parts)):
            yield collected.pop(number)
    finally:
        for _, call in waiting:
            call.cancel()
        for _, call in waiting:  # let tasks that can't be cancelled finish before the interrupt is raised
            _wait(call)


def _wait(call: Any) -> None:
    if not call.cancelled():
        with suppress(BaseException):  # the error or interrupt being raised is the one to report
            call.exception()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a part, and the place of its answer in the part's answer."""

    number: int
    part: Batch
    place: tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    pieces: list[_Piece]


def _split(number: int, part: Batch) -> Iterator[_Piece]:
    """Split a part into pieces of about ``ENTRIES_PER_TASK`` resources: by people, then by longest axis."""
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
            yield _Piece(number, Batch(people, tuple(values)), tuple(place))


def _bundles(pieces: Iterator[_Piece]) -> Iterator[_Task]:
    """Combine pieces into tasks of about ``ENTRIES_PER_TASK`` resources."""
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


def _ask_here(snapshot: Snapshot, question: Question, parts: Sequence[Batch]) -> list[npt.NDArray[np.bool_]]:
    """Answer a task on a worker, with a PDP that the worker's thread keeps for the next task."""
    held: tuple[Snapshot, PDP] | None = getattr(_own, "held", None)
    if held is None or held[0] != snapshot:
        if held is not None:
            held[1].close()
        _own.held = held = (snapshot, snapshot.start())
    with held[1].asking():
        return list(ask(held[1], question, parts, lambda _: None))


def check_executor(executor: object) -> None:
    """Raise ``InputError`` if this is not an executor."""
    if not callable(getattr(executor, "submit", None)):
        msg = f"executor= needs an executor with a submit method, not a {type(executor).__name__}"
        raise InputError(msg)
