"""The documents name packages, files and commands that are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clerk_cerbos_lab"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = sorted(
    {
        path
        for pattern in ("*.md", "*/*.md", "docs/**/*.md")
        for path in ROOT.glob(pattern)
        if not any(part.startswith(".") or part == "site" for part in path.relative_to(ROOT).parts)
    }
)

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def packages() -> set[str]:
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def documented() -> dict[str, set[str]]:
    """Return what each package of the table in the architecture must not import."""
    rows = re.findall(r"^\| `(\w+)/` \|.*\|([^|]*)\|$", ARCHITECTURE.read_text("utf-8"), flags=re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", forbidden)) for name, forbidden in rows}


def contracted() -> dict[str, set[str]]:
    """Return the same as the contract of import-linter has it."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = next(one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    above: set[str] = set()
    found: dict[str, set[str]] = {}
    for layer in contract["layers"]:
        names = set(re.findall(r"\w+", layer))
        for name in names:
            siblings = names - {name} if "|" in layer else set()
            found[name] = above | siblings
        above |= names - {"__main__"}  # nothing imports it
    return {name: forbidden for name, forbidden in found.items() if name in packages()}


def test_the_architecture_has_a_row_for_each_package_and_for_no_other() -> None:
    assert set(documented()) == packages()


def test_what_a_package_must_not_import_is_what_the_contract_says() -> None:
    assert documented() == contracted()


@each_document
def test_a_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text)
    for target in (one or other for one, other in links):
        if re.match(r"\w+:", target):  # an address
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_a_test_that_is_named_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    for name in re.findall(r"`(tests/[\w/*]+\.(?:py|yaml))`", text):
        assert list(ROOT.glob(name)), name
    code = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in code, name


def test_each_make_target_that_contributing_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    parts = re.search(r"^LONG := (.+)$", makefile, flags=re.MULTILINE)
    assert parts
    targets = {*re.findall(r"^([a-z][\w-]*):", makefile, flags=re.MULTILINE), *parts[1].split()}
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", text, flags=re.MULTILINE))
    assert len(named) > 5
    assert named <= targets


def test_hooks_before_a_commit_are_programs_of_this_project_alone() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in config["repos"][0]["hooks"])
