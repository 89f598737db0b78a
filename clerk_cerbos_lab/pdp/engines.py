"""The ways to run a Cerbos PDP here: the installed binary, one on PATH, a container engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.pdp.installing import installed_by_setup

IMAGE = "ghcr.io/cerbos/cerbos:0.55.0"  # the release that set-up pins


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to run Cerbos on this machine.

    Attributes:
        kind: ``"installed"`` (by set-up), ``"given"`` (by the caller), ``"path"`` or ``"container"``.
        command: the program, such as ``cerbos`` or ``docker``.
    """

    kind: str
    command: str

    def describe(self) -> str:
        """A description for ``doctor`` and provenance."""
        return {
            "installed": "embedded, the binary that set-up installed",
            "given": "embedded, a given binary",
            "path": "embedded, cerbos on PATH",
            "container": f"embedded, the official image in {Path(self.command).name}",
        }[self.kind]

    def compile_command(self, folder: Path) -> list[str]:
        """The command line that compiles a folder and reports as JSON, without running tests."""
        return self._compile(folder, ["--skip-tests", "--output=json"])

    def test_command(self, folder: Path, *, strict: bool) -> list[str]:
        """The command line that compiles a folder, runs its test suites, and reports as JSON."""
        return self._compile(folder, ["--output=json", *(["--strict-evaluation"] if strict else [])])

    def suite_command(self, folder: Path) -> list[str]:
        """The command line that compiles a folder and runs its test suites, for somebody who reads along."""
        return self._compile(folder, [])

    def _compile(self, folder: Path, options: list[str]) -> list[str]:
        if self.kind != "container":
            return [self.command, "compile", *options, str(folder)]
        mount = f"--volume={folder}:/policies:ro"
        return [self.command, "run", "--rm", mount, IMAGE, "compile", *options, "/policies"]


def installed_binary() -> Path:
    """The pinned binary: next to the environment's ``python``, else where `clerk-cerbos-lab setup` put it."""
    own = Path(sys.prefix, "bin", "cerbos")
    return own if os.access(own, os.X_OK) else installed_by_setup()


def find_engines() -> list[Engine]:
    """The available engines, in order of preference."""
    found = []
    own = installed_binary()
    if os.access(own, os.X_OK):
        found.append(Engine("installed", str(own)))
    on_path = shutil.which("cerbos")
    if on_path and not (found and Path(on_path).resolve() == own.resolve()):
        found.append(Engine("path", on_path))
    for name in ("docker", "podman"):
        program = shutil.which(name)
        if program and _container_engine_answers(program):
            found.append(Engine("container", program))
    return found


def find_engine(binary: str | None = None) -> Engine:
    """The engine to use.

    Args:
        binary: a program to use in place of what is found.

    Raises:
        InputError: if the given binary is no program.
        PDPError: if there is none; lists the four ways to get a PDP.
    """
    if binary is not None:
        if not (Path(binary).is_file() and os.access(binary, os.X_OK)):
            msg = f"binary= must be the path of a Cerbos program, and '{binary}' is none"
            raise InputError(msg)
        return Engine("given", str(Path(binary).absolute()))
    own = installed_binary()
    if os.access(own, os.X_OK):
        return Engine("installed", str(own))
    for engine in find_engines():
        return engine
    msg = (
        "no Cerbos PDP was found. Use one of these: (1) the pinned binary, which `clerk-cerbos-lab setup` "
        "installs; (2) an address, lab.PDP(address='host:3593') or CERBOS_ADDRESS; (3) `cerbos` on PATH; "
        "(4) a running container engine, docker or podman"
    )
    raise PDPError(msg)


def _container_engine_answers(program: str) -> bool:
    """Whether the engine runs; an installed client alone is not enough."""
    try:
        done = subprocess.run(  # noqa: S603 - the engine found on PATH
            [program, "info"], capture_output=True, timeout=15, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
