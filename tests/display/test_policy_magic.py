"""A cell that begins with ``%%policy expense.yaml`` is a draft of it, in a notebook and in IPython alone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from small_policies import up_to
from traitlets.config import Config

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.errors import PolicyError

Write = Callable[..., Path]
Run = Callable[[str], Any]


@pytest.fixture
def shell() -> Iterator[Any]:
    config = Config()
    config.HistoryManager.enabled = False
    make: Any = InteractiveShell  # which has no types
    made = make(config=config)
    made.run_cell("import clerk_cerbos_lab as lab\n%load_ext clerk_cerbos_lab").raise_error()
    yield made
    for value in list(made.user_ns.values()):
        if isinstance(value, (lab.PDP, lab.Draft)):
            value.close()


@pytest.fixture
def run(shell: Any, write: Write) -> Run:
    """Return a function that runs a cell, after one that starts a PDP."""
    folder = write(thing=up_to(100))

    def run_cell(code: str) -> Any:
        done = shell.run_cell(code)
        done.raise_error()
        return done.result

    run_cell(f"pdp = lab.PDP({str(folder)!r})")
    return run_cell


def test_a_cell_becomes_a_draft_with_a_pdp(run: Run, shell: Any) -> None:
    diff = run(f"%%policy thing.yaml\n{up_to(200)}")
    draft = shell.user_ns["draft"]
    assert isinstance(draft, lab.Draft)
    assert diff == draft.diff()
    assert [line[:1] for line in str(diff).splitlines()[2:]] == ["@", " ", " ", " ", "-", "+"]
    allowed = "is_allowed('approve', {'id': 'u', 'roles': ('user',)}, 'thing', {'amount': 150})"
    assert run(f"[pdp.{allowed}, draft.pdp.{allowed}]") == [False, True]
    run(f"%%policy thing.yaml\n{up_to(300)}")
    assert shell.user_ns["draft"] is draft
    run("draft.save(overwrite=True)")
    assert run(f"[pdp.{allowed}, draft.pdp.{allowed}]") == [True, True]
    assert Path(run("pdp.own_policies")[0], "thing.yaml").read_text() == up_to(300)


def test_an_error_is_shown_at_the_line_of_the_file(
    run: Run, shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = up_to(200).replace("amount <= 200", "amount <=")
    with pytest.raises(PolicyError) as caught:
        run(f"%%policy thing.yaml\n{broken}")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("thing.yaml", 10)
    assert "amount <=" in broken.splitlines()[problem.line - 1]
    draft = shell.user_ns["draft"]
    assert draft.text("thing.yaml") == broken
    assert draft.error is caught.value
    shown = capsys.readouterr().out
    assert "thing.yaml:10" in shown
    assert "> 10 |" in shown
    assert "policy_magic" not in shown  # no traceback through the kit
    assert "Traceback" not in shown


def test_without_a_change_nothing_differs_whatever_the_line_ends(run: Run, write: Write) -> None:
    folder = write()
    (folder / "thing.yaml").write_bytes(up_to(100).replace("\n", "\r\n").rstrip().encode())
    assert run(f"%%policy thing.yaml\n{up_to(100)}") == ""
    assert run(f"%%policy {folder}/thing.yaml\n{up_to(100)}") == ""


def test_a_line_puts_the_text_of_a_policy_into_a_cell(
    run: Run, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: list[str] = []
    monkeypatch.setattr(shell, "set_next_input", lambda text, replace: cells.append(text))
    run("%policy thing.yaml --draft other")
    assert cells == [f"%%policy thing.yaml --draft other\n{up_to(100)}"]
    assert "other" not in shell.user_ns


def test_the_pdp_is_found_or_named(run: Run, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("first, second = pdp, lab.PDP(pdp.own_policies[0])\ndel pdp")
    cell = f"\n{up_to(200)}"
    for line, words in {
        "%%policy thing.yaml": "several variables have a PDP (first, second)",
        "%%policy thing.yaml --pdp third": "is not a variable with a running PDP; there are: first, second",
        "%%policy": "the following arguments are required: file",
        "%%policy thing.yaml --draft 5": "'5' can't be the name of a variable",
        "%%policy 'thing.yaml": "No closing quotation",
    }.items():
        shell.run_cell(line + cell)
        shown = capsys.readouterr()
        assert words in shown.err + shown.out
        assert "draft" not in shell.user_ns
    run("%%policy thing.yaml --pdp second --draft moved" + cell)
    moved = shell.user_ns["moved"]
    run("del first\n")
    run("%%policy thing.yaml --draft moved" + cell)
    assert shell.user_ns["moved"] is moved
    run("%%policy thing.yaml --draft moved --pdp second --new" + cell)
    assert shell.user_ns["moved"] is not moved
    moved.close()
    run("second.close()")
    shell.run_cell("%%policy thing.yaml --new" + cell)
    assert "there is no PDP yet" in "".join(capsys.readouterr())


def test_a_draft_without_edits_gives_way_when_the_original_changed(
    run: Run, shell: Any, write: Write
) -> None:
    run(f"%%policy thing.yaml\n{up_to(200)}")
    draft = shell.user_ns["draft"]
    draft.undo()
    write(thing=up_to(50))
    run(f"%%policy thing.yaml\n{up_to(60)}")
    assert shell.user_ns["draft"] is not draft
    assert "-" in run("draft.diff()")
    draft.close()


def test_importing_the_kit_in_ipython_is_enough(write: Write, tmp_path: Path) -> None:
    folder = write(thing=up_to(100))
    script = tmp_path / "cells.ipy"
    script.write_text(
        f"import clerk_cerbos_lab as lab\npdp = lab.PDP({str(folder)!r})\n"
        f"get_ipython().run_cell_magic('policy', 'thing.yaml', {up_to(200)!r})\nprint(repr(draft))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)],
        capture_output=True,
        text=True,
        env=None,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "thing.yaml edited (+1 \u22121), compiles" in done.stdout
