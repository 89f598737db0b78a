"""Have a Cerbos server take in changed policy files, and know when it has.

``ReloadStore(wait=True)`` returns when the store has looked at the files. The rules are compiled afterwards,
in the background, from files that are read again. Until that begins, a check gets the old rules; and if a
file no longer compiles by then, the old rules stay for good (Cerbos 0.51 and 0.55, in
``storage.NotifySubscribers`` and ``ruletable.Manager.reload``). The count of compilations among the server's
metrics shows that it has begun, and from then on a check waits for its end.
"""

from __future__ import annotations

import http.client
import re
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerk_cerbos_lab.pdp.server import Server

KEPT_OLD: Final = "maintaining last valid state"

_PATIENCE: Final = 5.0  # seconds until it begins to compile, which takes a millisecond on an idle machine

_COUNT: Final = re.compile(
    rb'^cerbos_dev_compiler_compile_duration\w*_count\{[^}]*status="(\w+)"[^}]*\} (\S+)$', re.MULTILINE
)


def reload(server: Server, ask_store: Callable[[], object], ask_check: Callable[[], object]) -> bool:
    """Reload the store of a server, and wait until the rules are those in the files.

    Args:
        server: the server.
        ask_store: has it reload its store.
        ask_check: asks it any CheckResources question.

    Returns:
        Whether it uses them now. If not, only a new server will.
    """
    try:
        before, said = _compilations(server.http), server.log_size()
        ask_store()
        ask_check()  # which takes as long as the compilation, if that has begun
        end = time.monotonic() + _PATIENCE
        while (now := _compilations(server.http)) == before:
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        ask_check()
    except (OSError, http.client.HTTPException):
        return False
    return now[1] == before[1] and KEPT_OLD not in server.log_since(said)


def _compilations(address: str | tuple[str, int]) -> tuple[int, int]:
    """How many policies the server has compiled since it was started, and how many failed to.

    Raises:
        OSError: if it doesn't answer.
        HTTPException: if it doesn't say.
    """
    connection = http.client.HTTPConnection("localhost", timeout=10)
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as connection.sock:
        connection.sock.settimeout(10)
        connection.sock.connect(address)
        connection.request("GET", "/_cerbos/metrics")
        response = connection.getresponse()
        text = response.read()
    if response.status != http.client.OK:
        raise http.client.HTTPException
    counts = {status: int(float(count)) for status, count in _COUNT.findall(text)}
    return sum(counts.values()), sum(count for status, count in counts.items() if status != b"success")
