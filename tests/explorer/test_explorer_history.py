"""One undo history for an explorer: changes from Python and from the browser, in order."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.explorer.history import History, Moment

DATA = Path(__file__).parents[2] / "data" / "clerk_users.json"
SOME = lab.load_principals(DATA).head(6)
NUMBERS = itertools.count(1)


@pytest.fixture
def explorer(pdp: lab.PDP) -> lab.Explorer:
    """An explorer that a browser shows."""
    made = lab.explore(pdp, SOME, "expense", region=["south"])
    assert made.widget is not None
    return made


def turn(explorer: lab.Explorer, patch: dict[str, Any], *, keep: bool = True) -> None:
    """Do what the browser does when a control changes; without ``keep``, continue a drag."""
    widget = explorer.widget
    now = copy.deepcopy(widget.choice)
    with widget.hold_trait_notifications():
        if keep:
            entry = {"state": copy.deepcopy(widget.state), "choice": now["chosen"]}
            widget.kept = {"number": next(NUMBERS), "entries": [entry]}
        widget.choice = {"request": now["request"] + 1, "chosen": {**now["chosen"], **patch}}


def act(explorer: lab.Explorer, name: str) -> None:
    """Press a button of the history in the browser."""
    widget = explorer.widget
    now = {"state": copy.deepcopy(widget.state), "choice": copy.deepcopy(widget.choice["chosen"])}
    widget.act = {"name": name, "number": next(NUMBERS), "now": now}


def offers(explorer: lab.Explorer) -> tuple[bool, bool]:
    history = explorer.widget.answer["history"]
    return history["undo"], history["redo"]


def test_what_one_side_changed_the_other_takes_back(explorer: lab.Explorer) -> None:
    regions = explorer.options["region"]
    turn(explorer, {"region": [regions.index("west")]})
    explorer.state = {"region": ["midwest"]}
    assert offers(explorer) == (True, False)
    act(explorer, "undo")  # of Python's change, in the browser
    assert explorer.state["region"] == ["west"]
    explorer.undo()  # of the browser's change, in Python
    assert explorer.state["region"] == ["south"]
    assert offers(explorer) == (False, True)
    act(explorer, "redo")
    explorer.redo()
    assert explorer.state["region"] == ["midwest"]
    assert offers(explorer) == (True, False)


def test_a_drag_is_one_change_for_both(explorer: lab.Explorer) -> None:
    before = explorer.state
    for high, keep in ((50_000, True), (40_000, False), (30_000, False)):
        turn(explorer, {"amount": {**before["amount"], "high": high}}, keep=keep)
    assert explorer.state["amount"]["high"] == 30_000
    explorer.undo()
    assert explorer.state == before
    act(explorer, "redo")
    assert explorer.state["amount"]["high"] == 30_000


def test_how_the_matrix_is_shown_is_in_the_same_history(explorer: lab.Explorer) -> None:
    explorer.state = {"region": ["west"]}
    explorer.state = {"look": {"sort": "label"}}
    widget = explorer.widget
    with widget.hold_trait_notifications():
        entry = {"state": copy.deepcopy(widget.state), "choice": copy.deepcopy(widget.choice["chosen"])}
        widget.kept = {"number": next(NUMBERS), "entries": [entry]}
        widget.state = {**widget.state, "search": "manager"}
    assert explorer.state["look"]["search"] == "manager"
    explorer.undo()
    assert (explorer.state["look"]["search"], explorer.state["look"]["sort"]) == ("", "label")
    act(explorer, "undo")
    assert explorer.state["look"]["sort"] == "given"
    assert explorer.state["region"] == ["west"]
    explorer.undo()
    assert explorer.state["region"] == ["south"]
    assert offers(explorer) == (False, True)


def test_reset_in_the_browser_is_reset_in_python_and_can_be_undone(explorer: lab.Explorer) -> None:
    explorer.state = {"region": ["west"], "actions": ["view"]}
    act(explorer, "reset")
    assert explorer.state["region"] == ["south"]
    assert explorer.state["actions"] != ["view"]
    act(explorer, "undo")
    assert (explorer.state["region"], explorer.state["actions"]) == (["west"], ["view"])


def test_a_change_that_can_not_be_answered_leaves_no_step(explorer: lab.Explorer) -> None:
    amount = explorer.state["amount"]
    turn(explorer, {"amount": {**amount, "step": 0}})
    assert explorer.widget.answer["error"]
    assert offers(explorer) == (False, False)
    explorer.undo()
    assert explorer.state["amount"] == amount


def test_what_is_changed_after_an_undo_ends_what_could_be_redone(explorer: lab.Explorer) -> None:
    explorer.state = {"region": ["west"]}
    explorer.undo()
    turn(explorer, {"actions": [explorer.options["actions"].index("view")]})
    assert offers(explorer) == (True, False)
    explorer.redo()
    assert explorer.state["region"] == ["south"]


def test_the_oldest_moments_are_forgotten() -> None:
    history = History()
    for number in range(limits.UNDO_STEPS + 20):
        history.remember(Moment({"number": number}, {}))
    count = 0
    while (moment := history.previous) is not None:
        history.undone(moment)
        count += 1
    assert count == limits.UNDO_STEPS
