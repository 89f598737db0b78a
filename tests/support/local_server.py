"""What the local servers of all providers share: faults, the record of requests, starting and stopping.

with running(backend, faults=[Fault(2, 429, {"Retry-After": "1"})]) as server:
httpx.get(f"{server.origin}/users")
assert [request.path for request in server.requests] == ["/users"]
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

Json = dict[str, Any]
Items = Sequence[tuple[str, str]]  # the parameters of a query, in order

MALFORMED = b'[{"id": "user_'  # a body for Fault


class Fault(NamedTuple):
    """What goes wrong, once, at the nth request (the first is 1); a plain tuple does as well.

    `answer`: the status, headers and body given here; without a body, an error in the provider's shape.
    `hang`: no response until the client gives up. `cut`: the connection closes during the correct response.
    At a request with a cursor, `stick`: the first page comes again, `repeat`: the page starts with the entry
    that the cursor names, which the client already has, and `still`: the page is right, but its cursor is the
    one that was sent. `join`: before the answer, somebody is added.
    """

    nth: int
    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    does: Literal["answer", "hang", "cut", "stick", "repeat", "still", "join"] = "answer"


@dataclass(frozen=True)
class Recorded:
    """One request: `status` is 0 if none was sent, `time` is `time.monotonic()` at arrival."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(repr=False)  # without the authorization
    status: int
    time: float
    authorized: bool = False
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Asked:
    """A request as a backend sees it; the path is still quoted."""

    method: str
    path: str
    items: Items
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    origin: str = ""

    def text(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return next((value for key, value in self.items if key == name), None)


class Backend(Protocol):
    """What a provider's server answers."""

    def answer(self, asked: Asked, does: str) -> Response:
        """Answer a request."""
        ...

    def failure(self, fault: Fault) -> Response:
        """Return an error in the provider's shape."""
        ...

    def join(self) -> None:
        """Add somebody."""
        ...


@dataclass
class LocalServer:
    """A running server: its address, and the requests since the last reset, in order."""

    origin: str
    backend: Backend
    requests: list[Recorded]
    faults: dict[int, Fault]

    def reset(self, faults: Iterable[tuple[Any, ...]] = (), backend: Backend | None = None) -> None:
        """Forget the requests, and prepare other faults, perhaps another backend."""
        self.backend = backend or self.backend
        self.requests.clear()
        self.faults.clear()
        self.faults.update({fault.nth: fault for fault in (Fault(*fault) for fault in faults)})


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(json.dumps(value), status, dict(headers or {}), media_type="application/json")


class Cut(Response):
    """Half of another response, after which the connection closes."""

    def __init__(self, whole: Response) -> None:
        """Announce the length of the complete body."""
        super().__init__(whole.body, whole.status_code, dict(whole.headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half; uvicorn closes a connection with an incomplete response."""
        del scope, receive
        half = bytes(self.body)[: len(self.body) // 2]
        start: Message = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": half, "more_body": True})


def application(local: LocalServer, stop: threading.Event) -> Starlette:
    """Return the application: it numbers, answers and records requests."""

    async def hang(request: Request) -> Response:
        # Polled, because another thread sets `stop`.
        while not stop.is_set() and not await request.is_disconnected():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return Response(status_code=503)

    def answer(request: Request, body: bytes, fault: Fault | None) -> Response:
        if fault is not None and fault.does == "answer":
            if fault.body is None:
                response = local.backend.failure(fault)
            else:
                response = Response(fault.body, fault.status, media_type="application/json")
            response.headers.update(fault.headers)
            return response
        if fault is not None and fault.does == "join":
            local.backend.join()
        items = request.query_params.multi_items()
        path = request.scope["raw_path"].split(b"?")[0].decode()
        origin = f"{request.url.scheme}://{request.url.netloc}"
        asked = Asked(request.method, path, items, request.headers, body, origin)
        return local.backend.answer(asked, fault.does if fault else "")

    async def handle(request: Request) -> Response:
        at = time.monotonic()
        body = await request.body()
        fault = local.faults.get(len(local.requests) + 1)
        hangs = fault is not None and fault.does == "hang"
        response = Response() if hangs else answer(request, body, fault)
        headers = {name: text for name, text in request.headers.items() if name != "authorization"}
        query = tuple(request.query_params.multi_items())
        status = 0 if hangs else response.status_code
        known = "authorization" in request.headers
        path = request.url.path
        local.requests.append(Recorded(request.method, path, query, headers, status, at, known, body))
        if hangs:
            return await hang(request)
        return Cut(response) if fault is not None and fault.does == "cut" else response

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", handle, methods=methods)])


@contextmanager
def running(backend: Backend, faults: Iterable[tuple[Any, ...]] = ()) -> Iterator[LocalServer]:
    """Run a server on a free port of 127.0.0.1 for as long as the block lasts."""
    stop = threading.Event()
    # Named TCP: only then does asyncio disable the delay that costs small responses 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    local = LocalServer(f"http://127.0.0.1:{listener.getsockname()[1]}", backend, [], {})
    local.reset(faults)
    app = application(local, stop)
    config = uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield local
    finally:
        stop.set()
        server.should_exit = True
        thread.join()
        listener.close()
