"""What the repository promises about itself."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp.engines import IMAGE

ROOT = Path(__file__).parents[2]

PINNED = ROOT / "clerk_cerbos_lab/pdp/pinned"

PUBLIC = [
    "Axis",
    "Changes",
    "ClerkError",
    "Counterfactuals",
    "Coverage",
    "Decisions",
    "Draft",
    "Explanation",
    "Explorer",
    "GoalValue",
    "InputError",
    "KeyMissingError",
    "LabError",
    "LabWarning",
    "LogReplay",
    "MISSING",
    "Mapping",
    "Matrix",
    "OTHER",
    "PDP",
    "PDPError",
    "Parity",
    "PolicyError",
    "PolicyProblem",
    "Provenance",
    "ProviderError",
    "Replay",
    "SELF",
    "SqlTable",
    "Tune",
    "User",
    "UsersError",
    "amounts",
    "claims_to_principal",
    "compare",
    "compare_people",
    "coverage",
    "draft",
    "explore",
    "largest",
    "load_principals",
    "load_users",
    "merge_principals",
    "movable",
    "principals_from_table",
    "problems",
    "pseudonym",
    "replay",
    "replay_log",
    "same_principal",
    "sample",
    "shareable",
    "smallest",
    "sql_table",
    "sweep",
    "to_code",
    "to_principals",
    "tune",
    "vary",
    "what_if",
]


def tracked() -> list[Path]:
    """Every file of the project, as git sees it; of a copy without git, every file."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        hidden = {".venv", "node_modules", "site", ".git"}
        return [p for p in ROOT.rglob("*") if p.is_file() and not hidden & set(p.relative_to(ROOT).parts)]
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_public_names_are_these_and_sorted() -> None:
    assert lab.__all__ == PUBLIC == sorted(PUBLIC)
    assert all(hasattr(lab, name) for name in PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_has_a_docstring(name: str) -> None:
    thing = getattr(lab, name)
    assert callable(thing) is False or (thing.__doc__ and thing.__doc__.strip())


def test_importing_the_package_starts_nothing_and_loads_no_jupyter() -> None:
    code = """
import socket, subprocess, sys, os
def refuse(*a, **k): raise AssertionError("import did something")
socket.socket.connect = subprocess.Popen.__init__ = os.fork = refuse
import clerk_cerbos_lab
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"IPython", "ipykernel", "ipywidgets", "jupyterlab", "pandas", "grpc", "httpx"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_using_the_package_loads_no_jupyter() -> None:
    code = """
import sys
import clerk_cerbos_lab as lab
for name in lab.__all__: getattr(lab, name)
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"IPython", "ipykernel", "ipywidgets", "jupyterlab"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_names_a_registry_a_mirror_or_a_path_of_a_machine() -> None:
    hosts = ["registry." + "npmjs", "pypi" + ".org", "python" + "hosted", "deb.debian" + ".org"]
    paths = ["/" + "work/", "/" + "root/", "/home/[a-z]", "/" + "Users/"]
    pattern = re.compile("|".join([*map(re.escape, hosts), *paths]).encode())
    binary = {".png"}
    found = [p.name for p in tracked() if p.suffix not in binary and pattern.search(p.read_bytes())]
    assert found == []


def test_no_file_holds_something_that_looks_like_a_clerk_key() -> None:
    pattern = re.compile(rb"sk_(test|live)_[A-Za-z0-9]{20,}")
    assert [p.name for p in tracked() if pattern.search(p.read_bytes())] == []


def test_every_pinned_package_has_a_hash() -> None:
    for name in ("setup/requirements.lock", "clerk_cerbos_lab/pdp/pinned/nodejs.lock"):
        entries = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text("utf-8").strip())
        assert len(entries) >= 2
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def test_the_pinned_pdp_has_its_integrity_and_no_address() -> None:
    lock = json.loads((PINNED / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert all("resolved" not in entry for entry in packages.values())


def test_the_container_image_is_the_release_that_setup_pins() -> None:
    pins = json.loads((PINNED / "package.json").read_text("utf-8"))["dependencies"]
    assert {IMAGE.rpartition(":")[2]} == set(pins.values())
