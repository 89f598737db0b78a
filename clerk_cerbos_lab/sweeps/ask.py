"""Asks a PDP about many principals and combinations of attribute values."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.attribute_names import is_plain, nested
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.values import OTHER_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import numpy.typing as npt
    from cerbos.engine.v1 import engine_pb2

    from clerk_cerbos_lab.decisions.question import Question
    from clerk_cerbos_lab.identity.principals import Principal
    from clerk_cerbos_lab.pdp.client import PDP


@dataclass(frozen=True, slots=True)
class Batch:
    """Some principals, to be asked about with every combination of some values of each axis.

    Attributes:
        people: the principals to ask about.
        values: for each axis, the values to ask.
        listed: the values are not combined but read as columns: the first of each, the second of each, …
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
        """The shape of the answer without actions: principals, then each axis (a single one if listed)."""
        lengths = [len(values) for values in self.values]
        return (len(self.people), *(lengths[:1] if self.listed else lengths))

    def resources(self) -> Iterator[tuple[Any, ...]]:
        """The attribute values of each resource asked about, in the order of the answer."""
        together = self.listed and self.values
        return zip(*self.values, strict=True) if together else itertools.product(*self.values)


def ask(
    pdp: PDP, question: Question, parts: Sequence[Batch], advance: Callable[[int], object]
) -> Generator[npt.NDArray[np.bool_]]:
    """Ask all parts as one stream of requests, with several in flight.

    The combinations are divided into chunks that fit into one request, and every principal of the part is
    asked about a chunk before the next: a chunk's messages are built once, and only one chunk is in memory.

    Args:
        pdp: the PDP to ask.
        question: what the requests have in common.
        parts: what to ask.
        advance: called with the number of new decisions.

    Yields:
        For each part in order ``allowed[principal, action, *axes]``.

    Raises:
        PDPError: if the PDP refuses or can't be restarted; what was yielded is incomplete.
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
        slice(start, min(start + limits.RESOURCES_PER_REQUEST, combinations))
        for start in range(0, combinations, limits.RESOURCES_PER_REQUEST)
    ]


def _batches(
    question: Question, parts: Sequence[Batch]
) -> Iterator[tuple[engine_pb2.Principal, Sequence[messages.Entry]]]:
    names = [axis.name for axis in question.axes]
    plain = all(map(is_plain, [*names, *question.fixed]))
    version, scope = question.principal
    for part in parts:
        products = part.resources()
        who = [messages.principal_message(p, policy_version=version, scope=scope) for p in part.people]
        for chunk in _chunks(part.combinations):
            resources = [
                resource({**question.fixed, **dict(zip(names, values, strict=True))}, plain=plain)
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


def resource(values: dict[str, Any], *, plain: bool) -> tuple[str, dict[str, Any]]:
    """Split a combination of values into resource id and attributes; ``plain`` if none is inside a map."""
    return values.pop("resource_id"), values if plain else nested(values)
