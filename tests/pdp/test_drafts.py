"""A draft never touches the original, until its author saves it: then all of it is written, or nothing."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_policies import USER, resource_policy, rule, up_to

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.errors import InputError, PDPError, PolicyError
from clerk_cerbos_lab.pdp.editing import STILL

Write = Callable[..., Path]

BROKEN = up_to(100).replace("<= 100", "<= ")


@pytest.fixture
def original(write: Write) -> Iterator[lab.PDP]:
    folder = write(thing=f"# up to a hundred\r\n{up_to(100)}", other=resource_policy(rule(), kind="other"))
    with lab.PDP(folder) as pdp:
        yield pdp


def content(pdp: lab.PDP) -> dict[str, bytes]:
    """Return every file in the folder of a PDP, hidden ones included."""
    told = pdp.own_policies
    assert told is not None
    return {path.name: path.read_bytes() for path in sorted(told[0].iterdir())}


def allows(pdp: lab.PDP, amount: float) -> bool:
    return pdp.is_allowed("approve", USER, "thing", {"amount": amount})


def test_an_edit_answers_in_the_draft_alone(original: lab.PDP) -> None:
    before = content(original)
    with lab.draft(original) as draft:
        pdp = draft.pdp
        assert draft.diff() == ""
        assert repr(draft.diff()) == "no changes"
        draft.edit({"rule-001: amount <= 100": 200})
        assert draft.pdp is pdp
        assert [allows(one, 150) for one in (original, pdp)] == [False, True]
        assert draft.changed == ("thing.yaml",)
        assert str(draft.diff()).splitlines()[:2] == ["--- a/thing.yaml", "+++ b/thing.yaml"]
        changed = [line for line in draft.diff().split("\n") if line.startswith(("- ", "+ "))]
        assert changed == [
            '-      condition: {match: {expr: "R.attr.amount <= 100"}}',
            '+      condition: {match: {expr: "R.attr.amount <= 200"}}',
        ]
        assert "ccl-diff-more" in draft.diff()._repr_html_()
        assert repr(draft).endswith("thing.yaml edited (+1 \u22121), compiles)")
    assert content(original) == before
    assert not allows(original, 150)


def test_saving_writes_exactly_what_was_edited(original: lab.PDP) -> None:
    before = content(original)
    os.chmod(original.own_policies[0] / "thing.yaml", 0o640)  # type: ignore[index]  # noqa: PTH101
    with lab.draft(original) as draft:
        draft.edit({"rule-001: amount <= 100": 200})
        assert draft.save(overwrite=True) == ("thing.yaml",)
        assert draft.save(overwrite=True) == ()
    after = content(original)
    assert after == {**before, "thing.yaml": before["thing.yaml"].replace(b"100", b"200")}
    assert b"# up to a hundred\r\n" in after["thing.yaml"]
    told = original.own_policies
    assert told is not None
    assert (told[0] / "thing.yaml").stat().st_mode & 0o777 == 0o640
    assert allows(original, 150)


def test_what_does_not_compile_leaves_the_last_good_pdp_in_force(original: lab.PDP) -> None:
    before = content(original)
    with lab.draft(original) as draft:
        draft.write("thing.yaml", up_to(200))
        with pytest.raises(PolicyError) as caught:
            draft.write("thing.yaml", BROKEN)
        (problem,) = caught.value.problems
        assert (problem.file, problem.line) == ("thing.yaml", 10)
        assert str(caught.value).startswith(f"the policies in {original.shown_folder} (draft) do not compile")
        assert STILL in str(caught.value)
        assert STILL in caught.value._repr_html_()
        assert allows(draft.pdp, 150)
        assert not allows(draft.pdp, 250)
        assert draft.text("thing.yaml") == BROKEN
        assert "does not compile: thing.yaml:10" in repr(draft)
        with pytest.raises(PolicyError, match="Nothing was saved"):
            draft.save(overwrite=True)
        with pytest.raises(PolicyError, match=r"thing\.yaml:10"):
            draft.edit({"rule-001: amount <= 200": 300})
        assert draft.pdp.held_back is draft.error is not None
        draft.undo()
        assert draft.error is draft.pdp.held_back is None
        assert draft.text("thing.yaml") == up_to(200)
        draft.undo()
        assert draft.changed == ()
        assert not allows(draft.pdp, 150)
        with pytest.raises(InputError, match="nothing to undo"):
            draft.undo()
    assert content(original) == before


def test_an_edit_is_in_force_before_the_next_one_is_written(write: Write) -> None:
    """The server reads the files in the background, after it has said that it has reloaded them."""
    others = {f"other_{number}": resource_policy(rule(), kind=f"other_{number}") for number in range(200)}
    folder = write(thing=up_to(100), **others)
    with lab.PDP(folder) as pdp, lab.draft(pdp) as draft:
        for limit in (200, 100) * 3:
            draft.write("thing.yaml", up_to(limit))
            with pytest.raises(PolicyError):
                draft.write("thing.yaml", BROKEN)
            assert allows(draft.pdp, 150) is (limit == 200)


def test_two_files_may_be_changed_one_after_the_other(original: lab.PDP) -> None:
    exported = "apiVersion: api.cerbos.dev/v1\nexportConstants: {name: shared, definitions: {top: 300}}\n"
    user = (
        up_to(100)
        .replace("<= 100", "<= C.top")
        .replace("  rules:", "  constants: {import: [shared]}\n  rules:")
    )
    with lab.draft(original) as draft:
        with pytest.raises(PolicyError):
            draft.write("thing.yaml", user)
        draft.write("shared/limits.yaml", exported)
        assert allows(draft.pdp, 300)
        draft.edit(top=400)
        assert allows(draft.pdp, 400)
        assert "--- /dev/null\n+++ b/shared/limits.yaml\n" in draft.diff()
        assert sorted(draft.save(overwrite=True)) == ["shared/limits.yaml", "thing.yaml"]
    assert allows(original, 400)


def test_of_two_drafts_the_second_is_refused(original: lab.PDP) -> None:
    with lab.draft(original) as one, lab.draft(original) as two:
        one.edit({"rule-001: amount <= 100": 200})
        two.edit({"rule-001: amount <= 100": 300})
        assert [allows(pdp, 250) for pdp in (original, one.pdp, two.pdp)] == [False, False, True]
        one.save(overwrite=True)
        after = content(original)
        with pytest.raises(InputError, match=r"thing\.yaml in .* changed since this draft was made: nothing"):
            two.save(overwrite=True)
        assert content(original) == after
        one.edit({"rule-001: amount <= 200": 250})  # its own save is no change of somebody else's
        assert one.save(overwrite=True) == ("thing.yaml",)


def test_a_change_during_the_question_is_noticed(original: lab.PDP) -> None:
    told = original.own_policies
    assert told is not None

    def confirm(_: str) -> bool:
        (told[0] / "other.yaml").unlink()
        return True

    with lab.draft(original) as draft:
        draft.edit({"rule-001: amount <= 100": 200})
        with pytest.raises(InputError, match=r"other\.yaml in .* changed"):
            draft.save(confirm=confirm)
    assert b"200" not in content(original)["thing.yaml"]


def test_it_asks_before_it_overwrites(original: lab.PDP, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(text: str) -> Callable[[str], str]:
        def typed(question: str) -> str:
            asked.append(question)
            return text

        return typed

    def declined(question: str) -> bool:
        asked.append(question)
        return False

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    before = content(original)
    with lab.draft(original) as draft:
        draft.edit({"rule-001: amount <= 100": 200})
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        with pytest.raises(InputError, match="nobody can answer here: pass overwrite=True"):
            draft.save()
        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr("builtins.input", answer("no"))
        assert draft.save() == ()
        assert draft.save(confirm=declined) == ()
        assert content(original) == before
        monkeypatch.setattr("builtins.input", answer("y"))
        assert draft.save() == ("thing.yaml",)
    question = f"Write thing.yaml in {original.shown_folder} (lines: +1 \u22121)?"
    assert asked == [f"{question} [y/N] ", question, f"{question} [y/N] "]


@pytest.mark.parametrize("when", ["write", "replace"])
def test_a_full_disk_leaves_the_original_as_it_was(
    original: lab.PDP, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    before = content(original)
    with lab.draft(original) as draft:
        draft.write("thing.yaml", up_to(200))
        draft.write("other.yaml", resource_policy(rule("R.attr.x"), kind="other"))
        calls: list[Any] = []
        name, real = ("fsync", os.fsync) if when == "write" else ("replace", Path.replace)

        def full(*arguments: Any) -> Any:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        monkeypatch.setattr(os if when == "write" else Path, name, full)
        with pytest.raises(
            InputError, match="No space left on device; the policies are as they were"
        ) as caught:
            draft.save(overwrite=True)
        assert caught.value.__cause__ is None
        assert content(original) == before
        monkeypatch.undo()
        assert sorted(draft.save(overwrite=True)) == ["other.yaml", "thing.yaml"]
    assert sorted(content(original)) == ["other.yaml", "thing.yaml"]


def test_a_full_disk_during_an_edit_leaves_the_draft_as_it_was(
    original: lab.PDP, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab.draft(original) as draft:

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device; it is as it was"):
            draft.write("thing.yaml", up_to(200))
        assert draft.changed == ()
        assert not allows(draft.pdp, 150)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../thing.yaml", "its path inside the folder"),
        ("/thing.yaml", "its path inside the folder"),
        ("thing.txt", "is no policy file"),
        (".thing.yaml", "is no policy file"),
        ("testdata/thing.yaml", "is no policy file"),
        ("thing_test.yaml", "is no policy file"),
        (5, "must be a string"),
    ],
)
def test_only_policy_files_can_be_written(original: lab.PDP, name: Any, words: str) -> None:
    with lab.draft(original) as draft:
        with pytest.raises(InputError, match=words):
            draft.write(name, up_to(1))
        assert draft.changed == ()


def test_what_can_not_be_edited_in_place_is_refused_in_a_draft(write: Write) -> None:
    text = resource_policy(rule("R.attr.amount <= C.one || R.attr.amount <= C.two"))
    text = text.replace("  rules:", "  constants: {local: {one: &l 5, two: *l}}\n  rules:")
    with lab.PDP(write(thing=text)) as pdp, lab.draft(pdp) as draft:
        with pytest.raises(InputError, match=r"can't be edited in place: .*change its text with draft.write"):
            draft.edit(two=9)
        with pytest.raises(InputError, match=r"no policy file 'thin\.yaml'.*did you mean 'thing\.yaml'"):
            draft.text("thin.yaml")


def test_a_link_in_the_folder_stays_one(write: Write, tmp_path: Path) -> None:
    folder = write()
    real = tmp_path / "elsewhere.yaml"
    real.write_text(up_to(100))
    (folder / "thing.yaml").symlink_to(real)
    with lab.PDP(folder) as pdp, lab.draft(pdp) as draft:
        draft.edit({"rule-001: amount": 200})
        draft.save(overwrite=True)
    assert (folder / "thing.yaml").is_symlink()
    assert real.read_text() == up_to(200)


def test_a_pdp_at_an_address_has_no_draft(small: lab.PDP) -> None:
    with (
        lab.PDP(address=small.address) as there,
        pytest.raises(PDPError, match="a draft is a copy of the policies"),
    ):
        lab.draft(there)
    with pytest.raises(InputError, match="must be a PDP"):
        lab.draft("policies")  # type: ignore[arg-type]
