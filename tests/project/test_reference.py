"""Each public name has a section of the reference, from its docstring, with an example that is run here."""

from __future__ import annotations

import doctest
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import clerk_cerbos_lab as lab

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(path for path in REFERENCE.glob("*.md") if path.stem != "index")
DIRECTIVE = r"^\.\. auto\w+:: clerk_cerbos_lab\.(\w+)$"
INNER = {
    f"{one}.{member}"
    for one, members in tomllib.loads((ROOT / "docs" / "inner_members.toml").read_text("utf-8")).items()
    for member in members
}
EXAMPLES = r"^```pycon\n(.*?)^```"


def sections() -> dict[str, str]:
    """Return the text of the section of each name."""
    texts = [part for path in PAGES for part in path.read_text("utf-8").split("\n## ")[1:]]
    found = {text.split("\n", 1)[0].strip(): text for text in texts}
    assert len(found) == len(texts), "a name has two sections"
    return found


SECTIONS = sections()


def examples(text: str) -> str:
    return "".join(re.findall(EXAMPLES, text, flags=re.MULTILINE | re.DOTALL))


def members(name: str) -> list[str]:
    """Return the public methods and properties of a class that are not for the kit's own packages alone."""
    thing = getattr(lab, name)
    if not inspect.isclass(thing) or issubclass(thing, Exception):
        return []
    own = [one for one, value in vars(thing).items() if callable(value) or isinstance(value, property)]
    return [one for one in own if not one.startswith("_") and f"{name}.{one}" not in INNER]


@pytest.mark.parametrize("name", lab.__all__)
def test_each_public_name_has_a_section_from_its_docstring_with_an_example(name: str) -> None:
    assert re.findall(DIRECTIVE, SECTIONS[name], flags=re.MULTILINE) == [name]
    assert ">>> " in examples(SECTIONS[name])


def test_no_section_is_about_a_name_that_is_not_public() -> None:
    assert set(SECTIONS) == set(lab.__all__)


@pytest.mark.parametrize("name", [one for one in lab.__all__ if members(one)])
def test_each_public_member_stands_in_an_example_of_its_page(name: str) -> None:
    page = next(path for path in PAGES if f"\n## {name}\n" in path.read_text("utf-8"))
    text = examples(page.read_text("utf-8"))
    assert [one for one in members(name) if not re.search(rf"\.{one}\b", text)] == []


def test_each_member_that_is_left_out_is_there() -> None:
    for one in INNER:
        name, member = one.split(".")
        assert hasattr(getattr(lab, name), member), one


@pytest.fixture(scope="module")
def names(pdp: lab.PDP) -> dict[str, Any]:
    """Return the names that the index of the reference makes, with the PDP of the other tests."""
    source = (REFERENCE / "index.md").read_text("utf-8").split("```python\n")[1].split("\n\nmanager")[0]
    made: dict[str, Any] = {}
    exec(source.replace("lab.PDP(lab.sample.policies)", "shared"), {"shared": pdp}, made)
    users = made["principals"]
    made["manager"] = next(
        users.loc[at, "id"] for at in users.index if users.loc[at, "roles"] == ("manager",)
    )
    return made


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_examples_of_a_page_print_what_it_says(
    path: Path, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("CLERK_SECRET_KEY", raising=False)
    parser = doctest.DocTestParser()
    test = parser.get_doctest(
        examples(path.read_text("utf-8")), names | {"folder": tmp_path}, path.stem, str(path), 0
    )
    said: list[str] = []
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=options, verbose=False)
    runner.run(test, out=said.append, clear_globs=False)
    _close(test.globs, but=names)
    assert runner.summarize(verbose=False).attempted > 2
    assert said == [], "".join(said)


def _close(made: dict[str, Any], *, but: dict[str, Any]) -> None:
    """Close what an example left open."""
    for name, value in made.items():
        if name not in but and isinstance(value, (lab.PDP, lab.Draft, lab.Tune)):
            value.close()


def test_an_example_that_prints_something_else_fails() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    said: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(test, out=said.append).failed == 1
    assert "Expected:" in "".join(said)
