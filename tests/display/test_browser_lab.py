"""A notebook in a real JupyterLab, in a real browser: widgets reach Python, and themes reach widgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import (
    PANEL,
    LabServer,
    Visit,
    axe,
    command,
    finish_all,
    open_notebook,
    run_all,
    save,
    set_theme,
    start_all,
    wait_for_text,
    write_notebook,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator

IS_LIGHT = "document.body.dataset.jpThemeLight"
COLOUR = "element => getComputedStyle(element).color"

COUNTER = '''
import pathlib
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        const show = () => { button.textContent = `pressed ${model.get("presses")} times`; };
        button.className = "counter";
        button.style.color = "var(--jp-ui-font-color1)";
        button.addEventListener("click", () => {
          model.set("presses", model.get("presses") + 1);
          model.save_changes();
        });
        model.on("change:presses", show);
        show();
        el.append(button);
      },
    };
    """
    presses = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter.observe(lambda change: pathlib.Path("presses.txt").write_text(str(change.new)), "presses")
counter
'''


ROOT = Path(__file__).parents[2]

# Some seconds of real questions on the fastest machine.
SLOW_SWEEP = f"""
import clerk_cerbos_lab as lab
pdp = lab.PDP({str(ROOT / "policies")!r})
users = lab.load_principals({str(ROOT / "data" / "clerk_users.json")!r})
people = lab.vary(users, approval_limit=[1_000, 2_000])
print("begun")
decisions = lab.sweep(
    pdp, people, "expense", actions=["view", "approve"], amount=lab.amounts(0, 60_000, step=750),
    owner=[lab.SELF, lab.OTHER], region="south", status="OPEN", method="every-cell",
)
print(len(decisions))
"""


ASKS = """<!DOCTYPE html><html lang="en"><title>asks</title><img alt="" src="https://image.example/a.png">
<script>
  console.warn("careful");
  console.error("wrong");
  setTimeout(() => { throw new Error("thrown"); });
  const fetched = fetch("https://fetch.example/b").catch(() => {});
  const closed = new Promise(done => {
    new WebSocket("wss://socket.example/c").addEventListener("close", done);
  });
  const later = new Promise(done => setTimeout(done, 10));
  Promise.all([fetched, closed, later]).then(() => { document.title = "refused"; });
</script></html>"""


def run_counter(server: LabServer, seen: Visit, name: str) -> Locator:
    """Run a notebook with a counter in it, and return the counter's button."""
    write_notebook(server.folder / name, [COUNTER, "counter.presses + 41"])
    open_notebook(seen.page, server, name)
    run_all(seen.page)
    button = seen.page.locator(".jp-OutputArea button.counter")
    button.wait_for()
    return button


def test_a_press_in_the_browser_arrives_in_python(lab_server: LabServer, lab_page: Visit) -> None:
    button = run_counter(lab_server, lab_page, "press.ipynb")
    assert lab_page.page.locator(".jp-OutputArea").last.inner_text().split() == ["[2]:", "41"]
    button.click()
    button.get_by_text("pressed 1 times").wait_for()
    wait_for_text(lab_page.page, lab_server.folder / "presses.txt", "1")
    assert lab_page.errors == []
    assert lab_page.requests == []


def test_an_output_follows_lab_into_the_dark(lab_server: LabServer, lab_page: Visit) -> None:
    button = run_counter(lab_server, lab_page, "dark.ipynb")
    assert lab_page.page.evaluate(IS_LIGHT) == "true"
    light = button.evaluate(COLOUR)
    set_theme(lab_page.page, "JupyterLab Dark")
    assert lab_page.page.evaluate(IS_LIGHT) == "false"
    assert button.is_visible()
    assert button.evaluate(COLOUR) != light
    assert lab_page.errors == []


def test_a_saved_notebook_keeps_what_its_cells_showed(lab_server: LabServer, lab_page: Visit) -> None:
    run_counter(lab_server, lab_page, "saved.ipynb")
    path = lab_server.folder / "saved.ipynb"
    assert [cell["execution_count"] for cell in json.loads(path.read_text("utf-8"))["cells"]] == [None, None]
    save(lab_page.page)
    widget, number = json.loads(path.read_text("utf-8"))["cells"]
    assert "application/vnd.jupyter.widget-view+json" in widget["outputs"][0]["data"]
    assert number["outputs"][0]["data"] == {"text/plain": ["41"]}


def test_a_slow_sweep_shows_a_bar_that_is_gone_afterwards_and_in_no_file(
    lab_server: LabServer, lab_page: Visit
) -> None:
    write_notebook(lab_server.folder / "slow.ipynb", [SLOW_SWEEP])
    open_notebook(lab_page.page, lab_server, "slow.ipynb")
    start_all(lab_page.page)
    bar = lab_page.page.locator(".jp-OutputArea").get_by_role("progressbar")
    bar.get_by_text("of 62.2k decisions").wait_for()
    command(lab_page.page, "docmanager:save")  # in the middle of it, and changed again at once
    (cell,) = json.loads((lab_server.folder / "slow.ipynb").read_text("utf-8"))["cells"]
    assert [output.get("text") for output in cell["outputs"]] == [["begun\n"]]
    finish_all(lab_page.page)
    bar.wait_for(state="detached")
    save(lab_page.page)
    (cell,) = json.loads((lab_server.folder / "slow.ipynb").read_text("utf-8"))["cells"]
    assert [output["text"] for output in cell["outputs"]] == [["begun\n", "62208\n"]]
    shown = lab_page.page.locator(".jp-OutputArea").last
    assert shown.inner_text().split() == ["begun", "62208"]
    assert lab_page.errors == []


def test_a_cell_that_fails_fails_the_test(lab_server: LabServer, lab_page: Visit) -> None:
    write_notebook(lab_server.folder / "fails.ipynb", ["1", "1 / 0", "3"])
    open_notebook(lab_page.page, lab_server, "fails.ipynb")
    with pytest.raises(pytest.fail.Exception, match="ZeroDivisionError"):
        run_all(lab_page.page)


def test_a_page_gets_nothing_from_the_network_and_is_heard(offline_page: Visit, tmp_path: Path) -> None:
    path = tmp_path / "asks.html"
    path.write_text(ASKS, encoding="utf-8")
    offline_page.page.goto(path.as_uri())
    offline_page.page.wait_for_function("() => document.title === 'refused'")
    assert sorted(offline_page.requests) == [
        "https://fetch.example/b",
        "https://image.example/a.png",
        "wss://socket.example/c",
    ]
    assert {"wrong", "thrown"} <= set(offline_page.errors)
    assert offline_page.warnings == ["careful"]


def test_axe_finds_what_is_wrong_where_it_looks(offline_page: Visit) -> None:
    offline_page.page.set_content('<p id="right">Text</p><p id="wrong"><button></button></p>')
    assert axe(offline_page.page, "#right") == []
    (found,) = axe(offline_page.page, "#wrong")
    assert found.startswith("button-name: ")


NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
DIRTY = f"{PANEL}.context.model.dirty"
TOLD = f"""async () => {{
    const {{ kernel }} = {PANEL}.sessionContext.session;
    await Promise.all([kernel.info, kernel.spec]);
}}"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_that_was_only_opened_is_not_unsaved_and_saving_it_changes_no_byte(
    path: Path, lab_page: Visit, lab_server: LabServer
) -> None:
    page, copy = lab_page.page, lab_server.folder / path.name
    copy.write_bytes(path.read_bytes())
    open_notebook(page, lab_server, path.name)
    page.evaluate(TOLD)  # what the kernel says of itself has reached the notebook
    assert page.evaluate(DIRTY) is False
    save(page)
    assert copy.read_bytes() == path.read_bytes()
    assert page.evaluate(DIRTY) is False
