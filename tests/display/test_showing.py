"""Decisions are data: showing them sends no request and starts nothing, even after the PDP is closed."""

import pickle
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp.stream import Stream

DATA = Path(__file__).parents[2] / "data" / "clerk_users.json"
POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every request and process start from now on."""
    found: list[str] = []
    asked, admin, started = Stream.ask, lab.PDP._ask_admin, subprocess.Popen.__init__

    def ask(self: Any, *given: Any) -> Any:
        found.append("asked")
        return asked(self, *given)

    def ask_admin(self: Any, method: str, request: Any) -> Any:
        found.append(method)
        return admin(self, method, request)

    def start(self: Any, *given: Any, **more: Any) -> None:
        found.append(f"started {given[0] if given else more.get('args')}")
        started(self, *given, **more)

    monkeypatch.setattr(Stream, "ask", ask)
    monkeypatch.setattr(lab.PDP, "_ask_admin", ask_admin)
    monkeypatch.setattr(subprocess.Popen, "__init__", start)
    yield found
    monkeypatch.undo()


def show_everything(decisions: lab.Decisions, folder: Path) -> None:
    """Draw decisions in every possible way."""
    repr(decisions)
    decisions._repr_mimebundle_()
    for view in ("matrix", "thresholds"):
        matrix = decisions.show(view=view)
        matrix._repr_mimebundle_()
        repr(matrix)
        assert matrix.widget is not None
    decisions.show().to_svg(folder / "strips.svg")
    decisions.to_html(folder / "page.html")
    decisions.to_html(folder / "scenarios.html", scenarios={"again": decisions})
    decisions.long_table()._repr_mimebundle_()
    decisions.long_table().to_html(folder / "long.html")
    assert decisions.thresholds("amount")["exact"].all()
    decisions.counts()
    decisions.frame()
    decisions.matrix()
    decisions.to_csv(folder / "all.csv")
    decisions.to_parquet(folder / "all.parquet")
    decisions.to_xarray()
    assert decisions.call


def made(pdp: lab.PDP) -> lab.Decisions:
    policy_amounts = lab.amounts(0, 60_000, step=5_000)
    people = lab.load_principals(DATA).head(8)
    return lab.sweep(pdp, people, "expense", region=["south", "west"], amount=policy_amounts, status="OPEN")


def test_nothing_is_asked_or_started_to_show_decisions_of_an_open_pdp(
    pdp: lab.PDP, counted: list[str], tmp_path: Path
) -> None:
    decisions = made(pdp)
    assert counted
    counted.clear()
    show_everything(decisions, tmp_path)
    assert counted == []


def test_nothing_is_asked_or_started_after_close_or_an_edit_or_in_a_copy(
    counted: list[str], tmp_path: Path
) -> None:
    folder = write(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <= 5")))
    with lab.PDP(folder) as pdp:
        decisions = lab.sweep(pdp, users(3), "thing", actions=["approve"], amount=[1, 9], size=[1, 2])
        (folder / "thing.yaml").write_text("broken: [")
        counted.clear()
        show_everything(decisions, tmp_path)
    show_everything(decisions, tmp_path)
    show_everything(pickle.loads(pickle.dumps(decisions)), tmp_path)
    assert counted == []


def test_an_explorer_is_drawn_from_what_it_knows(counted: list[str]) -> None:
    with lab.PDP(POLICIES) as pdp:
        explorer = lab.explore(pdp, lab.load_principals(DATA).head(8), "expense")
        explorer.state = {"constants": {"regional_manager_limit": 7_000}}
        counted.clear()
        explorer._repr_mimebundle_()
        repr(explorer)
        explorer.state = {"amount": {"low": 0, "high": 9_000, "step": 100}}
        explorer.undo()
        explorer.redo()
        explorer._repr_mimebundle_()
        assert counted == []
    explorer._repr_mimebundle_()
    assert counted == []
