"""A folder of policies on disk: its files, their digest, and whether they have changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    """The policy folder as an absolute path.

    Raises:
        InputError: if it is not a folder, or contains no policy file.
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
        msg = f"the folder {policies} contains no policy (.yaml, .yml or .json, not counting tests)"
        raise InputError(msg)
    return folder


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """The files that Cerbos's disk store reads: no tests, no test data, no hidden files.

    Yields:
        The path, and the path inside the folder with ``/`` between its parts. As strings: every question
        looks at all of these files, and a ``Path`` for each takes longer than to ask the file system.
    """
    top = os.fspath(folder)
    for parent, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "testdata")
        inside = "" if parent == top else Path(parent).relative_to(folder).as_posix() + "/"
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - see above
            if suffix.lower() in SUFFIXES and not name.startswith(".") and not stem.lower().endswith("_test"):
                yield os.path.join(parent, name), inside + name  # noqa: PTH118 - see above


def signature(folder: Path) -> Signature:
    """A value that changes whenever a policy file is written; cheap enough to compare before each use."""
    rows = []
    for path, name in _files(folder):
        try:
            stat = os.stat(path)  # noqa: PTH116 - see _files
        except OSError:  # deleted meanwhile, or a broken link
            continue
        rows.append(
            (name, stat.st_ctime_ns, stat.st_size, stat.st_ino)
        )  # copying a file never preserves its ctime
    return tuple(rows)


def contents(folder: Path) -> dict[str, bytes]:
    """The policy files, as path inside the folder to content."""
    found = {}
    for path, name in _files(folder):
        with contextlib.suppress(OSError):  # deleted meanwhile, or a broken link
            found[name] = Path(path).read_bytes()
    return found


def texts(folder: Path) -> dict[str, str]:
    """The same as text; bytes that are not UTF-8 are replaced."""
    return {name: content.decode("utf-8", "replace") for name, content in contents(folder).items()}


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 of the names and bytes of policy files."""
    total = hashlib.sha256()
    for name, content in files.items():
        total.update(os.fsencode(name) + f"\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of the policy files, without tests and test data."""
    return digest_of(contents(folder))


def _no_policy(path: Path, name: str) -> str:
    """What to do about a file with this top-level field, if the file is not a policy."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # deleted meanwhile
        return ""
    if re.search(rf"""\b({"|".join(POLICY_KEYS)})["']?\s*:""", text):
        return ""
    if name in CONFIGURATION_KEYS:
        return (
            ": this is Cerbos's configuration, not a policy; move it out of the policy folder, and pass "
            "what your policies need of it as lab.PDP(…, config={…})"
        )
    return (
        f": this is not a policy, which has one of {', '.join(POLICY_KEYS)}; if it is not meant to be one, "
        "move it out of the policy folder"
    )
