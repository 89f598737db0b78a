"""`clerk-cerbos-lab new`: a project of one's own, whose tests pass at once, or nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.cli.starting import make_project
from clerk_cerbos_lab.errors import InputError

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_its_files_are_these_and_its_policies_and_users_those_of_the_sample(tmp_path: Path) -> None:
    make_project(tmp_path / "limits")
    made = files(tmp_path / "limits")
    own = {name for name in made if not name.startswith("policies/")}
    assert own == {
        ".github/workflows/check.yml",
        ".gitignore",
        "README.md",
        "data/users.json",
        "notebooks/01_who_may_approve.ipynb",
        "pyproject.toml",
        "requirements.txt",
        "tests/test_policies.py",
    }
    assert made - own == {f"policies/{name}" for name in files(lab.sample.policies)}
    assert (tmp_path / "limits/data/users.json").read_bytes() == lab.sample.users.read_bytes()
    assert "pseudonyms.key" in (tmp_path / "limits/.gitignore").read_text("utf-8").splitlines()
    assert (tmp_path / "limits/README.md").read_text("utf-8").startswith("# limits: who may approve what")
    assert [path.name for path in tmp_path.iterdir()] == ["limits"]


def test_its_tests_pass_at_once(tmp_path: Path) -> None:
    make_project(tmp_path / "limits")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=tmp_path / "limits", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_a_policy_whose_tests_fail_fails_its_tests(tmp_path: Path) -> None:
    make_project(tmp_path / "limits")
    policy = tmp_path / "limits/policies/limits.yaml"
    text = policy.read_text("utf-8")
    assert "50000" in text
    policy.write_text(text.replace("50000", "40000"), encoding="utf-8")
    command = [sys.executable, "-m", "clerk_cerbos_lab", "compile", "policies"]
    done = subprocess.run(command, cwd=tmp_path / "limits", capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "FAILED" in done.stdout + done.stderr


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        make_project(tmp_path / "mine")
    assert files(tmp_path) == {"mine/notes.txt"}


def test_an_empty_folder_is_filled_and_a_file_or_a_missing_parent_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_project(tmp_path / "empty")
    assert "README.md" in files(tmp_path / "empty")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="not an empty folder"):
        make_project(tmp_path / "file")
    with pytest.raises(InputError, match=r"the folder .* does not exist"):
        make_project(tmp_path / "absent" / "limits")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(InputError, match="No space left on device; nothing was written"):
        make_project(tmp_path / "limits")
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_in_this_checkout() -> None:
    assert lab.sample.policies == ROOT / "policies"
    for path in (
        lab.sample.users,
        lab.sample.memberships,
        lab.sample.expenses,
        *lab.sample.notebooks.glob("0*"),
    ):
        assert path.is_file()
