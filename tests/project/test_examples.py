"""The Python of the documentation's pages runs: each page from its top, in a folder with the sample."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PYTHON = r"(?:^<!-- (not run): [^\n]* -->\n)?^```python\n(.*?)^```"


def blocks(path: Path) -> list[str]:
    """Return the Python of a page, without what a remark takes out, which must only compile."""
    found = re.findall(PYTHON, path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for remark, source in found:
        if remark:
            compile(source, path.name, "exec")
    return [source for remark, source in found if not remark]


PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if blocks(path)]

FEW = 8
"""People in the examples: enough for each kind of decision, and quick."""


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return the names that the pages take from each other; the current folder is one with the sample."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "data").symlink_to(lab.sample.data)
    shutil.copytree(lab.sample.policies, folder / "policies")
    (folder / "lib").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "for-the-examples-of-the-documentation")
        principals = lab.load_principals("data/clerk_users.json").head(FEW)
        with lab.PDP("policies") as pdp, lab.what_if(pdp, cross_region_manager_limit=7_500) as moved:
            decisions = lab.sweep(
                pdp,
                principals,
                "expense",
                actions=["view", "approve"],
                amount=lab.amounts(0, 60_000, step=500),
                region=["northeast", "south"],
                owner=[lab.SELF, lab.OTHER],
                status="OPEN",
            )
            yield {
                "lab": lab,
                "principals": principals,
                "pdp": pdp,
                "decisions": decisions,
                "changes": lab.compare(decisions, moved),
                "mapping": lab.Mapping(),
                "grades": pd.DataFrame({"id": principals["id"], "grade": 7}),
            }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore:.*:clerk_cerbos_lab.LabWarning")  # some examples show what warns
def test_the_python_of_a_page_runs(path: Path, names: dict[str, Any]) -> None:
    users = names["principals"]
    manager = next(
        user for user, roles in zip(users["id"], users["roles"], strict=True) if roles == ("manager",)
    )
    held = dict(names)
    for number, block in enumerate(blocks(path), start=1):
        source = block.replace("user_…", manager)
        exec(compile(source, f"{path.name}, block {number}", "exec"), held)
    for name, value in held.items():
        if isinstance(value, (lab.PDP, lab.Draft, lab.Tune)) and value is not names.get(name):
            value.close()


def test_most_pages_have_examples() -> None:
    assert len(PAGES) >= 8
    texts = [path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")]
    assert sum(text.count("<!-- not run: ") for text in texts) <= 2
