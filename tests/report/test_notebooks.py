"""Notebooks are executed, small, and answer one question each; nbval compares their outputs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    found = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def test_the_notebooks_are_these() -> None:
    names = ["00_tour", "01_users_to_principals", "02_founding_question", "03_sweeps", "04_exact_thresholds"]
    names += ["05_why", "06_coverage_and_gaps", "07_move_the_limit", "08_from_exploration_to_tests"]
    names += ["09_other_identity_sources", "10_into_the_application"]
    assert [path.stem for path in NOTEBOOKS] == names


@each_notebook
def test_it_was_run_from_top_to_bottom(path: Path) -> None:
    counts = [cell["execution_count"] for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_it_is_no_longer_than_a_reader_has_time_for(path: Path) -> None:
    code = ["".join(cell["source"]) for cell in cells(path, "code")]
    assert len(code) <= 20
    assert all(len(source.splitlines()) <= 8 for source in code)
    assert not any(re.search(r"^\s*(def|class) ", source, flags=re.MULTILINE) for source in code)
    assert path.stat().st_size <= 250_000


@each_notebook
def test_it_asks_one_question_and_ends_in_its_answer(path: Path) -> None:
    first = "".join(cells(path, "markdown")[0]["source"])
    assert re.match(r"# .*\?", first)
    assert len(first.splitlines()) >= 3
    assert "assert " in "".join(cells(path, "code")[-1]["source"])


@each_notebook
def test_no_output_is_left_uncompared(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "nbval-ignore-output" not in text.lower().replace("_", "-")
    assert "nbval-skip" not in text.lower().replace("_", "-")


@each_notebook
def test_its_outputs_hold_no_address_in_memory_and_no_widget_state(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"0x[0-9a-f]{6,}", text)
    assert "application/vnd.jupyter.widget" not in text
    assert all(output.get("name") != "stderr" for cell in cells(path, "code") for output in cell["outputs"])


@each_notebook
def test_no_dollar_sign_in_the_prose_turns_amounts_into_mathematics(path: Path) -> None:
    assert all("$" not in "".join(cell["source"]) for cell in cells(path, "markdown"))
