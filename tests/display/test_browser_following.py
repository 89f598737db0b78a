"""What is on the screen of a real JupyterLab follows an edit in a cell, and of a file by another program."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from browser import LabServer, Visit, open_notebook, run_all, save, write_notebook
from small_policies import up_to

if TYPE_CHECKING:
    from pathlib import Path

SHOW = """
import clerk_cerbos_lab as lab
import pandas as pd
pdp = lab.PDP({folder!r})
people = pd.DataFrame({{"id": ["a", "b"], "roles": [("user",), ("user",)]}})
draft = lab.draft(pdp)
lab.sweep(draft.pdp, people, "thing", amount=lab.amounts(0, 300, step=50)).show()
"""


def folder_of(server: LabServer) -> Path:
    folder = server.folder / "small"
    folder.mkdir(exist_ok=True)
    (folder / "thing.yaml").write_text(up_to(100), encoding="utf-8")
    return folder


def test_a_matrix_follows_a_cell_that_edits_the_policy(lab_server: LabServer, lab_page: Visit) -> None:
    folder = folder_of(lab_server)
    cells = [SHOW.format(folder=str(folder)), f"%%policy thing.yaml\n{up_to(200)}"]
    write_notebook(lab_server.folder / "follow.ipynb", cells)
    open_notebook(lab_page.page, lab_server, "follow.ipynb")
    run_all(lab_page.page)
    first = lab_page.page.locator(".jp-OutputArea").first
    first.locator(".ccl-followed").get_by_text("showing new decisions. Run the cell again").wait_for()
    first.get_by_text("✓ 10 ALLOW").wait_for()
    assert lab_page.page.locator(".jp-OutputArea .ccl-diff").count() == 1
    save(lab_page.page)
    stored = json.loads((lab_server.folder / "follow.ipynb").read_text("utf-8"))["cells"][0]["outputs"][0]
    assert "Policies changed" not in json.dumps(stored)
    assert (folder / "thing.yaml").read_text() == up_to(100)
    assert lab_page.errors == []


def test_a_matrix_follows_a_file_and_shows_where_it_does_not_compile(
    lab_server: LabServer, lab_page: Visit
) -> None:
    folder = folder_of(lab_server)
    show = SHOW.format(folder=str(folder)).replace("draft = lab.draft(pdp)", "").replace("draft.pdp", "pdp")
    write_notebook(lab_server.folder / "file.ipynb", [show])
    open_notebook(lab_page.page, lab_server, "file.ipynb")
    run_all(lab_page.page)
    output = lab_page.page.locator(".jp-OutputArea").first
    output.get_by_text("✓ 6 ALLOW").wait_for()
    clock = time.perf_counter()
    (folder / "thing.yaml").write_text(up_to(200), encoding="utf-8")
    output.get_by_text("✓ 10 ALLOW").wait_for()
    assert time.perf_counter() - clock < 5  # a second, where nothing else runs
    (folder / "thing.yaml").write_text(up_to(200).replace("<= 200", "<= "), encoding="utf-8")
    output.locator(".ccl-old > .ccl-followed").get_by_text("thing.yaml:10").wait_for()
    (folder / "thing.yaml").write_text(up_to(100), encoding="utf-8")
    output.locator(".ccl-followed").wait_for(state="hidden")
    output.get_by_text("✓ 6 ALLOW").wait_for()
    assert lab_page.errors == []
