"""Many checks as one stream: several requests in flight, answers in order, one restart allowed."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import grpc

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.pdp import interrupts, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from cerbos.engine.v1 import engine_pb2

IN_FLIGHT: Final = 4
"""Requests in flight at the same time: more were no faster on two cores (see ``make bench``)."""

T = TypeVar("T")

_LIMIT = re.compile(r"number of (resources|actions).*exceeds configured limit \((\d+)\)")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request in flight, and the connection it was sent over."""

    request: messages.CheckRequest
    future: Any
    check: Any


class Sender(Protocol):
    """The PDP that a stream asks."""

    address: str

    @property
    def timeout(self) -> float:
        """Seconds that one request may take."""

    def _send(self, request: messages.CheckRequest, aux_data: messages.AuxData | None) -> Sent: ...

    def is_connected(self, sent: Sent) -> bool:
        """Whether a request was sent over the connection that is still in use."""

    def revive(self) -> bool:
        """Restart a lost server; False if the server is not ours."""


class Stream:
    """Asks a PDP in batches.

    Args:
        pdp: sends each request.
    """

    def __init__(self, pdp: Sender) -> None:
        self._pdp = pdp
        self._batch = limits.RESOURCES_PER_REQUEST

    def ask(
        self,
        batches: Iterable[tuple[engine_pb2.Principal, Sequence[messages.Entry]]],
        aux_data: messages.AuxData | None,
        read: Callable[[messages.CheckRequest, messages.CheckResponse], T],
        join: Callable[[Sequence[T]], T],
        *,
        meta: bool = False,
    ) -> Generator[T]:
        """Ask batches with several requests in flight.

        Args:
            batches: a principal and resources each.
            aux_data: sent with every request.
            read: converts a response to an answer.
            join: joins the answers of a batch that needed several requests.
            meta: ask for the policies that decided, too.

        Raises:
            PDPError: if the PDP refuses a request or can't be restarted.
        """
        operation = _Operation(self._pdp, read, join, aux_data, self)
        pending: deque[list[Sent]] = deque()
        try:
            for principal, entries in batches:
                requests = self.requests(principal, entries, meta=meta)
                with interrupts.interrupt_held_back():
                    pending.append([self._pdp._send(request, aux_data) for request in requests])  # noqa: SLF001 - see Sender
                if len(pending) >= IN_FLIGHT:
                    yield operation.answer(pending[0])
                    _drop(pending)
            while pending:
                yield operation.answer(pending[0])
                _drop(pending)
        finally:  # an error or an interrupt leaves no request running
            with interrupts.interrupt_held_back():
                for sent in pending:
                    for one in sent:
                        one.future.cancel()

    def requests(
        self,
        principal: engine_pb2.Principal,
        entries: Sequence[messages.Entry],
        *,
        meta: bool = False,
    ) -> Iterator[messages.CheckRequest]:
        """The requests of a batch, each with as many resources as the PDP accepts."""
        for start in range(0, len(entries), self._batch):
            yield messages.CheckRequest(
                request_id="clerk-cerbos-lab",
                principal=principal,
                resources=entries[start : start + self._batch],
                include_meta=meta,
            )

    def limit(self, resources: int) -> None:
        """Send this many resources per request from now on: Cerbos's default is 50."""
        self._batch = resources


class _Operation:
    """Receives the answers of one operation, during which a lost server may be restarted once."""

    def __init__(
        self,
        pdp: Sender,
        read: Callable[[messages.CheckRequest, messages.CheckResponse], Any],
        join: Callable[[Sequence[Any]], Any],
        aux_data: messages.AuxData | None,
        stream: Stream,
    ) -> None:
        self._pdp = pdp
        self._read = read
        self._join = join
        self._aux_data = aux_data
        self._stream = stream
        self._restarts_left = 1

    def answer(self, sent: Sequence[Sent]) -> Any:
        """The answer of a batch."""
        parts = [self._receive(one) for one in sent]
        return parts[0] if len(parts) == 1 else self._join(parts)

    def _again(self, request: messages.CheckRequest) -> Any:
        return self._receive(self._pdp._send(request, self._aux_data))  # noqa: SLF001 - see Sender

    def _receive(self, sent: Sent) -> Any:
        try:
            with interrupts.interrupt_held_back():
                response = sent.future.result()
        except (grpc.FutureCancelledError, grpc.RpcError) as error:
            if not self._pdp.is_connected(sent):  # it was lost with the previous connection
                return self._again(sent.request)
            if not isinstance(error, grpc.RpcError):
                msg = f"the connection to the PDP at {self._pdp.address} was closed during a request"
                raise PDPError(msg) from None
            limit = _LIMIT.search(words_of(error))
            if limit and limit[1] == "resources" and int(limit[2]) < len(sent.request.resources):
                self._stream.limit(int(limit[2]))
                entries = list(sent.request.resources)
                parts = self._stream.requests(sent.request.principal, entries, meta=sent.request.include_meta)
                return self.answer([self._pdp._send(part, self._aux_data) for part in parts])  # noqa: SLF001 - see Sender
            if error.code() is grpc.StatusCode.UNAVAILABLE and self._revived():
                return self._again(sent.request)
            raise PDPError(_refusal(self._pdp, error)) from None
        return self._read(sent.request, response)

    def _revived(self) -> bool:
        if self._restarts_left == 0:
            msg = "the PDP was lost again after one restart; no partial result is kept"
            raise PDPError(msg)
        if not self._pdp.revive():
            return False
        self._restarts_left -= 1
        return True


def _drop(pending: deque[list[Sent]]) -> None:
    """Drop an answered call: an interrupt inside gRPC's clean-up would be swallowed."""
    with interrupts.interrupt_held_back():
        pending.popleft()


def _refusal(pdp: Sender, error: grpc.RpcError) -> str:
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the PDP did not respond within {pdp.timeout:g} s"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"the PDP at {pdp.address} does not respond: {words_of(error)}"
    return f"the PDP refused a request ({code.name}): {words_of(error)}"


def words_of(error: grpc.RpcError) -> str:
    """The server's message, without the stack trace that Cerbos appends to internal errors."""
    details = str(error.details() or error.code().name)
    return details.partition("\ngoroutine ")[0].strip()
