"""Why a cell of the explorer is what it is: by the policies, constants and values of the controls."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from explained import a_rule, thing
from small_policies import write

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PRINCIPALS = lab.load_principals(ROOT / "data" / "clerk_users.json")
SOME = PRINCIPALS.iloc[[2, 7, 9, 10]]
JWT = {"auxData": {"jwt": {"disableVerification": True}}}
TOKEN = "eyJhbGciOiJub25lIn0.eyJjbGVhcmVkIjp0cnVlfQ."  # says: cleared


class Talk:
    """Asks what the browser asks about the cells of an explorer, and hears the answers."""

    def __init__(self, explorer: lab.Explorer) -> None:
        self.explorer = explorer
        self.heard: list[dict[str, Any]] = []
        explorer.widget.send = self.heard.append

    def ask(self, kind: str, index: dict[str, int], **more: Any) -> dict[str, Any]:
        header = self.explorer._payload.header
        place = {
            "index": [index.get(dim["name"], 0) for dim in header["dims"]],
            "number": header["number"],
            "segment": None,
        }
        if "amount" in more:
            place["amount"] = more["amount"]
        question = {"kind": kind, "request": 7, "place": {**place, **more.pop("place", {})}, **more}
        self.explorer.widget._handle_custom_msg(question, [])
        answer = self.heard[-1]
        assert answer["request"] == 7
        return answer


def sentence(answer: dict[str, Any]) -> str:
    nodes = answer["nodes"]
    return str(nodes["texts"][nodes["explanations"][0][0]])


@pytest.fixture(scope="module")
def explorer() -> Iterator[lab.Explorer]:
    with lab.PDP(ROOT / "policies") as pdp:
        yield lab.explore(
            pdp, SOME, "expense", region=["south", "west"], amount=lab.amounts(0, 20_000, step=5_000)
        )


def test_every_cell_is_explained_as_in_the_decisions_of_the_state(explorer: lab.Explorer) -> None:
    talk = Talk(explorer)
    explorer.state = {"region": ["south"]}
    explorer.state = {"region": ["south", "west"]}  # answered by two sweeps
    decisions = explorer.decisions
    for who, region, amount in itertools.product(range(4), (0, 1), (0, 5_000, 10_000)):
        answer = talk.ask("why", {"principal": who, "region": region}, amount=amount)
        why = decisions.why(principal=decisions.names[who], region=["south", "west"][region], amount=amount)
        assert sentence(answer) == why.sentence


def test_an_amount_between_those_of_the_grid_is_explained(explorer: lab.Explorer) -> None:
    talk = Talk(explorer)
    explorer.reset()
    who = next(i for i, roles in enumerate(SOME["roles"]) if "manager" in roles)
    answer = talk.ask("why", {"principal": who}, amount=12_345)
    assert "12,345" in sentence(answer)


def test_moved_constants_are_those_of_the_explanation(explorer: lab.Explorer) -> None:
    talk = Talk(explorer)
    explorer.reset()
    who = next(i for i, roles in enumerate(SOME["roles"]) if "manager" in roles)
    told = []
    for limit in (5_000, 1_000, 2_000, 5_000):
        explorer.state = {"constants": {"cross_region_manager_limit": limit}}
        told.append(str(talk.ask("why", {"principal": who}, amount=4_000)["nodes"]["texts"]))
    assert "cross_region_manager_limit 1,000" in told[1]
    assert "cross_region_manager_limit 2,000" in told[2]
    assert "1,000" not in told[0]
    assert told[3] == told[0]
    variants = [one for (constants, _), one in explorer._answers._held.items() if constants]
    running = [one.last.source for one in variants if one.last is not None and one.last.source._running]
    assert running == []  # what explained a variant has ended with the next question
    explorer.reset()


def test_a_group_has_its_different_causes(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("limited", "R.attr.amount <= P.attr.limit")))
    people = pd.DataFrame(
        {"id": ["u0", "u1", "u2", "u3"], "roles": [("user",)] * 3 + [("guest",)], "limit": [10, 10, "20", 10]}
    )
    with lab.PDP(folder) as pdp:
        made = lab.explore(pdp, lab.shareable(people, "limit"), "thing", amount=[5, 15])
        answer = Talk(made).ask("why", {}, amount=15, people=[0, 1, 2, 3])
    assert answer["people"][0].startswith("2 principals, such as p-")
    assert len(answer["people"]) == 3


def test_what_it_would_take_is_asked_with_the_values_of_the_controls(explorer: lab.Explorer) -> None:
    talk = Talk(explorer)
    explorer.state = {"region": ["south", "west"]}
    decisions = explorer.decisions
    cell: dict[str, Any] = {"principal": decisions.names[1], "region": "west", "amount": 15_000}
    answer = talk.ask("changes", {"principal": 1, "region": 1}, amount=15_000)
    expected = decisions.counterfactuals(**cell)
    assert sorted(words for words, _ in answer["changes"]) == sorted(one.sentence for one in expected.found)
    assert all(can for _, can in answer["changes"])
    for number, (words, _) in enumerate(answer["changes"]):
        changed = talk.ask("changed", {"principal": 1, "region": 1}, amount=15_000, number=number)
        assert sentence(changed).startswith(f"{words.split()[0]} by ")
        assert changed["cell"].startswith(words)
        assert decisions.names[1] not in str(changed)


def test_a_cell_of_a_forgotten_answer_is_not_explained_as_another(explorer: lab.Explorer) -> None:
    answer = Talk(explorer).ask("why", {}, amount=5_000, place={"number": -1})
    assert answer["error"] == "the controls have changed since: select the cell again"


def test_the_jwt_of_the_explorer_is_sent(tmp_path: Path) -> None:
    rule = a_rule("cleared", "request.aux_data.jwt.cleared == true && R.attr.amount <= 10")
    with lab.PDP(write(tmp_path / "policies", thing=thing(rule)), config=JWT) as pdp:
        people = pd.DataFrame({"id": ["u0"], "roles": [("user",)]})
        made = lab.explore(pdp, people, "thing", amount=[5, 15], aux_data=TOKEN)
        talk = Talk(made)
        assert sentence(talk.ask("why", {}, amount=5)) == "ALLOW by cleared."
        answer = talk.ask("changes", {}, amount=15)
        assert ["ALLOW if amount were ≤ 10 (15 now)", True] in answer["changes"]
        assert sentence(talk.ask("changed", {}, amount=15, number=0)) == "ALLOW by cleared."
