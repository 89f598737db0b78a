"""A Cerbos server process that we start on a private socket and end with this process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.pdp.engines import IMAGE
from clerk_cerbos_lab.pdp.interrupts import interrupt_held_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clerk_cerbos_lab.pdp.engines import Engine

ADMIN = ("cerbos", "cerbosAdmin")  # Cerbos's default; only this user can reach the socket

# The same password, hashed by bcrypt at its lowest cost: Cerbos's default cost takes 65 ms per request.
_ADMIN_HASH = "JDJiJDA0JFJTTHA1azB2R1ZBcmprZlZNNjhQVnVVU01vbkouYlA3cHF5QlEyd1VqVndJdUtJeGFzaFRp"

_WATCHDOG = 'read -r _; kill -9 "$1"; rm -rf "$2"; shift 2; [ $# -eq 0 ] || "$@"'

QUIET = "celErrorLogLevel"

_SOCKET_PATH_LIMIT = 100  # sun_path holds 104 bytes on macOS, 108 on Linux


class Server:
    """A running Cerbos server: started by the constructor, ended by ``stop`` or with this process.

    Args:
        engine: the program.
        folder: the policies.
        config: Cerbos's configuration.
        quiet: whether expressions that fail are kept out of the log; older versions do not know how.

    Attributes:
        address: the address for gRPC clients.
        http: the address for HTTP clients: the path of a socket, or a host and a port.
    """

    def __init__(
        self, engine: Engine, folder: Path, config: Mapping[str, Any], *, quiet: bool = True
    ) -> None:
        self.private = _private_folder()
        self.http: str | tuple[str, int]
        self._log = self.private / "log"
        container = f"clerk-cerbos-lab-{uuid.uuid4().hex[:12]}"
        if engine.kind == "container":
            port, self.http = _free_port(), ("127.0.0.1", _free_port())
            self.address = f"127.0.0.1:{port}"
            inside = _server_config(config, "0.0.0.0:3593", "0.0.0.0:3592", "/policies")
            command = [
                *(engine.command, "run", "--rm", f"--name={container}"),
                *(f"--publish=127.0.0.1:{port}:3593", f"--publish=127.0.0.1:{self.http[1]}:3592"),
                *(f"--volume={folder}:/policies:ro", f"--volume={self.private}:/lab:ro"),
                *(IMAGE, "server", "--config=/lab/config.json"),
            ]
            clean_up = [engine.command, "rm", "--force", container]
        else:
            self.address = f"unix:{self.private / 'grpc'}"
            self.http = str(self.private / "http")
            inside = _server_config(config, self.address, f"unix:{self.http}", str(folder))
            command = [engine.command, "server", f"--config={self.private / 'config.json'}"]
            clean_up = []
        if quiet:
            inside = _merge(inside, {"engine": {QUIET: "none"}})
        try:
            text = json.dumps(inside).replace("$", "$$")  # Cerbos would treat $NAME as a variable
        except (TypeError, ValueError) as error:
            self.private.rmdir()
            msg = f"config= contains something that can't be written as JSON: {error}"
            raise InputError(msg) from None
        (self.private / "config.json").write_text(text, encoding="utf-8")
        if engine.kind == "container":  # a different user inside the container must be able to read the file
            self.private.chmod(0o755)
        with interrupt_held_back(), self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    [*command, "--log-level=warn"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the notebook, not for the PDP
                )
            except OSError as error:
                shutil.rmtree(self.private, ignore_errors=True)
                msg = f"could not start {engine.command}: {error.strerror}"
                raise PDPError(msg) from None
            try:
                watchdog = subprocess.Popen(  # noqa: S603
                    ["/bin/sh", "-c", _WATCHDOG, "watchdog", *self._victims(), *clean_up],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                self._process.kill()
                self._process.wait()
                shutil.rmtree(self.private, ignore_errors=True)
                msg = f"could not start /bin/sh, which ends the PDP when this process ends: {error.strerror}"
                raise PDPError(msg) from None
            self._stop = weakref.finalize(
                self, _end, self._process, watchdog, self.private, clean_up, os.getpid()
            )
        _close_in_forks(watchdog.stdin)

    def _victims(self) -> Iterator[str]:
        yield str(self._process.pid)
        yield str(self.private)

    @property
    def pid(self) -> int:
        """The process id of the server; for a container, that of the container client."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def wait_until_listening(self, seconds: float) -> None:
        """Return as soon as something listens at the address.

        Raises:
            PDPError: if the process ends first, or the time is up.
        """
        end = time.monotonic() + seconds
        while not _listens(self.address):
            if not self.running:
                killed = self._process.returncode < 0
                how = f"was killed by signal {-self._process.returncode}" if killed else "ended immediately"
                msg = f"the Cerbos server {how}: {self.last_words()}"
                raise PDPError(msg)
            if time.monotonic() > end:
                msg = f"the Cerbos server was not ready in {seconds:g} s: {self.last_words()}"
                raise PDPError(msg)
            time.sleep(0.004)

    def last_words(self) -> str:
        """The last error in the server's log, or the last line it printed."""
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        said = [line for line in text.splitlines() if not line.startswith('{"log.level":"warn"')]
        lines = [line for line in said if not line.startswith("{")]
        return " ".join(" ".join(lines).split()) or (said[-1] if said else "it printed nothing")

    def log_size(self) -> int:
        """How many bytes the server's log has."""
        return self._log.stat().st_size

    def log_since(self, size: int) -> str:
        """What the server has logged since its log had this size."""
        return self._log.read_bytes()[size:].decode("utf-8", "replace")

    def stop(self) -> None:
        """End the server and remove its folder; can be called repeatedly."""
        self._stop()


def _end(
    process: subprocess.Popen[bytes],
    watchdog: subprocess.Popen[bytes],
    private: Path,
    clean_up: Sequence[str],
    owner: int,
) -> None:
    if os.getpid() != owner:
        return  # a fork must not end its parent's server
    shutil.rmtree(private, ignore_errors=True)  # first, in case we are killed during the next steps
    process.terminate()  # before the watchdog ends: if we are killed in between, no orphan is left
    watchdog.kill()  # before waiting for the server: until then its pid can't be reused
    watchdog.wait()
    if watchdog.stdin:
        watchdog.stdin.close()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if clean_up:
        subprocess.run(clean_up, capture_output=True, timeout=30, check=False)  # noqa: S603
    shutil.rmtree(private, ignore_errors=True)


def _close_in_forks(pipe: IO[bytes] | None) -> None:
    """Close the pipe in forks: one that lives on would keep it open, and so keep the server alive."""
    if pipe is None:
        return
    held = weakref.ref(pipe)

    def close() -> None:
        stream = held()
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    os.register_at_fork(after_in_child=close)


def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="cerbos-")
    odd = re.fullmatch(r"[\w./-]+", folder, flags=re.ASCII) is None  # gRPC parses it as part of a URL
    if odd or len(folder) + len("/grpc") > _SOCKET_PATH_LIMIT:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="cerbos-", dir="/tmp")
    return Path(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(address: str) -> bool:
    kind, target = (
        (socket.AF_UNIX, address.removeprefix("unix:"))
        if address.startswith("unix:")
        else (socket.AF_INET, (address.rpartition(":")[0], int(address.rpartition(":")[2])))
    )
    with socket.socket(kind) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(target) == 0


def _server_config(extra: Mapping[str, Any], grpc: str, http: str, policies: str) -> dict[str, Any]:
    ours = {
        "server": {
            "grpcListenAddr": grpc,
            "httpListenAddr": http,
            "metricsEnabled": True,  # says when changed policies are taken in
            "requestLimits": {
                "maxResourcesPerRequest": limits.RESOURCES_PER_REQUEST,
                "maxActionsPerResource": limits.RESOURCES_PER_REQUEST,
            },
            "adminAPI": {
                "enabled": True,
                "adminCredentials": {"username": ADMIN[0], "passwordHash": _ADMIN_HASH},
            },
            "advanced": {"grpc": {"maxRecvMsgSizeBytes": 256 * 2**20}},
        },
        "storage": {
            "driver": "disk",
            # Not watched: while Cerbos 0.55 reloads a change by itself, it briefly denies what it allows
            # (12 of 1,020,000 questions). Instead, the PDP is told to reload between questions.
            "disk": {"directory": policies, "watchForChanges": False},
        },
        "telemetry": {"disabled": True},
    }
    return _merge(extra, ours)


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = _merge(below or {}, value) if both else value
    return merged
