"""Questions about one principal in one request: what is sent once for each takes most of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.limits import RESOURCES_PER_REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cerbos.engine.v1 import engine_pb2

    from clerk_cerbos_lab.pdp.messages import Entry, Request


def together(
    batches: Iterable[tuple[Request, engine_pb2.Principal, list[Entry]]],
) -> Iterator[tuple[engine_pb2.Principal, list[Entry]]]:
    """Batches of requests, in their order; those of one principal in a row are joined."""
    joined: list[Entry] = []
    first: tuple[Request, engine_pb2.Principal] | None = None
    for request, message, entries in batches:
        full = len(joined) + len(entries) > RESOURCES_PER_REQUEST
        if first is not None and (full or not _same(first[0], request)):
            yield first[1], joined
            first, joined = None, []
        first = (request, message) if first is None else first
        joined += entries
    if first is not None:
        yield first[1], joined


def _same(one: Request, other: Request) -> bool:
    # Being equal is not enough: 1 and True are.
    return one.who == other.who and one.principal is other.principal
