"""The report: notebooks become pages that open anywhere."""

import base64
import datetime
import random
import re
import time
from pathlib import Path

import nbformat
import pytest

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.report import execution, pages
from clerk_cerbos_lab.report.build import write_report

IDS = [f"auth0|{i:06}" for i in range(10_000)]
ROOT = Path(__file__).parents[2]


def notebook(path: Path, *sources: str, tags: tuple[str, ...] = ()) -> Path:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_markdown_cell("# Does it run?\n\n**Yes**, as `a_test` shows.")]
    made.cells += [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    nbformat.write(made, path)
    return path


def test_a_report_is_an_index_and_a_page_for_each_notebook(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    notebook(folder / "00_first.ipynb", "print(1 + 1)")
    notebook(folder / "01_second.ipynb", "2 + 2")
    index = write_report(folder, ROOT / "policies", tmp_path / "site")
    assert index == tmp_path / "site" / "index.html"
    assert sorted(p.name for p in (tmp_path / "site").iterdir()) == [
        pages.MARKER,
        "00_first.html",
        "01_second.html",
        "index.html",
    ]
    text = index.read_text("utf-8")
    assert "Does it run?" in text
    assert "Yes, as a_test shows." in text
    assert re.search(r"SHA-256 [0-9a-f]{64}", text)


def test_a_page_asks_no_other_host_for_anything(tmp_path: Path) -> None:
    made = execution.run_notebook(
        notebook(tmp_path / "a.ipynb", "import pandas as pd\npd.DataFrame({'a': [1]})")
    )
    page = execution.to_page(made, "a")
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    index = pages.write_site(tmp_path / "site", [page], {"PDP": "<b>"}, now=now)
    for path in index.parent.glob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", text)
        assert "<script" not in text
        assert "&lt;b&gt;" in text


def test_a_failing_notebook_names_its_cell_and_leaves_the_old_site(tmp_path: Path) -> None:
    folder, site = tmp_path / "notebooks", tmp_path / "site"
    folder.mkdir()
    site.mkdir()
    (site / "index.html").write_text("the old one")
    (site / pages.MARKER).touch()
    notebook(folder / "00_broken.ipynb", "x = 1", "assert x == 2, 'x is 1'")
    with pytest.raises(execution.ReportError, match=r"00_broken.ipynb, code cell 2: AssertionError: x is 1"):
        write_report(folder, ROOT / "policies", site)
    assert (site / "index.html").read_text() == "the old one"


def test_a_cell_that_is_meant_to_raise_does(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "1 / 0", tags=("nbval-raises-exception",))
    made = execution.run_notebook(path)
    assert made.cells[1].outputs[0].ename == "ZeroDivisionError"
    assert made.cells[1].metadata.tags == ["nbval-raises-exception"]


def test_running_a_notebook_leaves_its_file_alone(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "1")
    before = path.read_bytes()
    execution.run_notebook(path)
    assert path.read_bytes() == before


def test_a_folder_that_is_no_report_is_never_replaced(tmp_path: Path) -> None:
    folder, precious = tmp_path / "notebooks", tmp_path / "precious"
    folder.mkdir()
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    notebook(folder / "00_first.ipynb", "1")
    for output in (precious, folder, tmp_path, precious / "thesis.txt"):
        with pytest.raises(InputError, match="not an earlier report"):
            write_report(folder, ROOT / "policies", output)
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_a_large_picture_costs_next_to_nothing_and_time_grows_with_the_length(tmp_path: Path) -> None:
    def seconds(size: int, what: str) -> float:
        made = nbformat.v4.new_notebook()
        data = base64.b64encode(random.Random(1).randbytes(size)).decode()
        content = {
            "image/png": data,
            "text/html": f'<img src="data:image/png;base64,{data}">',
            "text/plain": "word and more " * (size // 14),
        }[what]
        output = nbformat.v4.new_output("display_data", {what: content})
        made.cells = [nbformat.v4.new_code_cell("show()", outputs=[output])]
        best = []
        for _ in range(2):
            start = time.process_time()
            execution.to_page(made, "a", ids=IDS)
            best.append(time.process_time() - start)
        return min(best)

    none = seconds(10, "image/png")
    assert seconds(1_000_000, "image/png") - none < 0.5
    assert seconds(1_000_000, "text/html") - none < 0.5
    assert seconds(800_000, "text/plain") < 16 * max(seconds(100_000, "text/plain"), 0.05)


def test_pages_stand_in_the_order_of_the_notebooks_however_long_each_takes(tmp_path: Path) -> None:
    for name, wait in (("00_slow", 1.5), ("01_quick", 0), ("02_last", 0)):
        folder = tmp_path / "notebooks"
        folder.mkdir(exist_ok=True)
        notebook(folder / f"{name}.ipynb", f"import time; time.sleep({wait})")
    text = write_report(folder, ROOT / "policies", tmp_path / "site").read_text("utf-8")
    assert re.findall(r'ccl-card" href="(\w+)\.html', text) == ["00_slow", "01_quick", "02_last"]


def test_with_names_a_report_shows_what_the_notebooks_show(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    notebook(folder / "a.ipynb", "import pandas as pd", "pd.DataFrame({'id': ['sally'], 'pay': [77]})")
    write_report(folder, ROOT / "policies", tmp_path / "site", names=True)
    text = (tmp_path / "site" / "a.html").read_text("utf-8")
    assert text.count("sally") == 2
    assert "Real ids and attributes are shown" in text
