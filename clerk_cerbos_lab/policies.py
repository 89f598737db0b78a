"""A folder of policies: its files, its digest, and what the Cerbos compiler says of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import InputError, PDPError, PolicyProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SUFFIXES = {".yaml", ".yml", ".json"}
POLICY_KEYS = (
    "resourcePolicy",
    "principalPolicy",
    "rolePolicy",
    "derivedRoles",
    "exportVariables",
    "exportConstants",
)
# The parts of Cerbos's own configuration, as its reference lists them.
CONFIGURATION_KEYS = frozenset(
    ["audit", "auxData", "compile", "engine", "hub", "schema", "server", "storage", "telemetry", "tracing"]
)
Signature = tuple[tuple[str, int, int, int], ...]


def policy_folder(policies: str | os.PathLike[str]) -> Path:
    """The folder as an absolute path.

    Raises:
        InputError: when it is not a folder, or holds no policy file.
    """
    if not isinstance(policies, (str, os.PathLike)):
        msg = f"policies must be the path of a folder, not a {type(policies).__name__}"
        raise InputError(msg)
    folder = Path(policies).expanduser().absolute()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        msg = f"policies must be a folder of Cerbos policies; {policies} {what}"
        raise InputError(msg)
    if next(_files(folder), None) is None:
        msg = f"the folder {policies} holds no policy (.yaml, .yml or .json, tests not counted)"
        raise InputError(msg)
    return folder


def _files(folder: Path) -> Iterator[Path]:
    """The files Cerbos's disk store reads: no tests, no test data, nothing hidden."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "testdata")
        for name in sorted(names):
            path = Path(parent, name)
            test = path.stem.lower().endswith("_test")
            if path.suffix.lower() in SUFFIXES and not name.startswith(".") and not test:
                yield path


def signature(folder: Path) -> Signature:
    """What changes when a policy file is written: cheap, so that each use can look."""
    rows = []
    for path in _files(folder):
        try:
            stat = path.stat()
        except OSError:  # gone meanwhile, or a link that leads nowhere
            continue
        name = path.relative_to(folder).as_posix()
        rows.append((name, stat.st_ctime_ns, stat.st_size, stat.st_ino))  # no copy keeps a ctime
    return tuple(rows)


def contents(folder: Path) -> dict[str, bytes]:
    """The policy files: path inside the folder to content."""
    found = {}
    for path in _files(folder):
        with contextlib.suppress(OSError):  # gone meanwhile, or a link that leads nowhere
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the names and bytes of policy files."""
    total = hashlib.sha256()
    for name, content in files.items():
        total.update(os.fsencode(name) + f"\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of the policy files, tests and test data left out."""
    return digest_of(contents(folder))


def compile_problems(command: Sequence[str], folder: Path) -> list[PolicyProblem]:
    """What ``cerbos compile`` objects to; empty when the policies compile. Runs no test.

    Args:
        command: the call, ending in the folder as that command sees it.
        folder: the same folder on this machine, to show lines that Cerbos leaves out.

    Raises:
        PDPError: when the compiler itself could not run or gave no report.
    """
    try:
        plain = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | {
            "NO_COLOR": "1"
        }
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=plain,  # Jupyter's kernels ask for colours, which are no JSON
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"could not run the Cerbos compiler: {type(error).__name__}"
        raise PDPError(msg) from None
    if done.returncode == 0:
        return []
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        lines = (done.stderr or done.stdout).strip().splitlines()
        msg = f"the Cerbos compiler failed: {lines[-1] if lines else 'no output'}"
        raise PDPError(msg) from None
    problems = list(_problems(report, folder))
    return problems or [PolicyProblem("", 0, 0, done.stderr.strip() or "does not compile", "")]


def _problems(report: Mapping[str, Any], folder: Path) -> Iterator[PolicyProblem]:
    sections = {**(report.get("lintErrors") or {}), **(report.get("compileErrors") or {})}
    for section, entries in sections.items():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield _problem(section, entry, folder)


def _problem(section: str, entry: Mapping[str, Any], folder: Path) -> PolicyProblem:
    details = {**(entry.get("error_details") or {}), **entry}
    position = details.get("position") or {}
    file = str(
        details.get("file")
        or details.get("importing_file")
        or details.get("missing_policy")
        or details.get("policy")
        or section
    )
    if "other_file" in details:
        message = f"{details.get('policy', 'this policy')} is also defined in {details['other_file']}"
    elif "missing_policy" in details:
        message = f"this policy is missing; needed by {', '.join(details.get('descendants') or ())}"
    else:
        message = str(
            details.get("description")
            or details.get("desc")
            or details.get("message")
            or details.get("error")
            or section.replace("_", " ")
        )
    if str(position.get("path", "")).count(".") == 1 and message.startswith("unknown field"):
        message += _no_policy(folder / file, str(position["path"]).removeprefix("$."))
    line, column = int(position.get("line", 0)), int(position.get("column", 0))
    context = str(details.get("context") or "") or _context(folder / file, line)
    return PolicyProblem(file, line, column, message, context)


def _no_policy(path: Path, name: str) -> str:
    """What to do about a file with this name at its top level, where the file is no policy at all."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # gone meanwhile
        return ""
    if re.search(rf"""\b({"|".join(POLICY_KEYS)})["']?\s*:""", text):
        return ""
    if name in CONFIGURATION_KEYS:
        return (
            ": this is Cerbos's configuration, not a policy; move it out of the folder of policies, and give "
            "what your policies need of it as lab.PDP(…, config={…})"
        )
    return (
        f": this is not a policy, which has one of {', '.join(POLICY_KEYS)}; if it is not meant as one, "
        "move it out of the folder of policies"
    )


def _context(path: Path, line: int, around: int = 3) -> str:
    """The lines around, in the form the compiler prints them."""
    if not line or not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = []
    for number in range(max(1, line - around), min(len(lines), line + around) + 1):
        mark = ">" if number == line else " "
        rows.append(f"{mark} {number:>3} | {lines[number - 1]}")
    return "\n".join(rows)
