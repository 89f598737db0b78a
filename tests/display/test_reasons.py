"""What Python answers when the browser asks why a cell is what it is."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from explained import a_rule, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display import reasons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Decisions]:
    rules = thing(a_rule("limited", "R.attr.amount <= P.attr.limit"))
    people = pd.DataFrame(
        {"id": ["u0", "u1", "u2", "u3"], "roles": [("user",)] * 3 + [("guest",)], "limit": [10, 10, "20", 10]}
    )
    folder = write(tmp_path_factory.mktemp("p") / "policies", thing=rules)
    made = swept(folder, lab.shareable(people, "limit"), amount=[5, 10, 15])
    yield made
    made.source.close()


def told(decisions: lab.Decisions, question: Mapping[str, Any]) -> dict[str, Any]:
    matrix: Any = decisions.show()
    return reasons.told(decisions, matrix._payload, matrix._shown, question)


def sentences(answer: Mapping[str, Any]) -> list[str]:
    nodes = answer["nodes"]
    return [nodes["texts"][one[0]] for one in nodes["explanations"]]


def test_a_cell_is_explained(decisions: lab.Decisions) -> None:
    answer = told(decisions, {"place": {"index": [0, 0, 2], "segment": None}})
    assert sentences(answer) == ["DENY: no rule allows it. Closest: limited: amount 15 ≤ limit 10 is false."]
    assert "people" not in answer


def test_an_amount_in_an_interval_is_explained(decisions: lab.Decisions) -> None:
    matrix: Any = decisions.show()
    segments = matrix._payload.segments
    assert segments is not None
    last = len(segments.map) - 1
    answer = told(decisions, {"place": {"index": [0, 0, 0], "segment": [last, last]}, "amount": 12.5})
    assert "amount 12.5 ≤ limit 10" in sentences(answer)[0]


def test_a_group_is_told_by_cause_the_most_frequent_first(decisions: lab.Decisions) -> None:
    question = {"place": {"index": [0, 0, 2], "segment": None}, "people": [0, 1, 2, 3]}
    answer = told(decisions, question)
    assert answer["people"][0].startswith("2 principals, such as p-")
    assert len(answer["people"]) == len(sentences(answer)) == 3
    assert any("data is broken" in one for one in sentences(answer))


def test_a_group_in_an_interval_is_counted_at_the_amount_in_it(tmp_path: Path) -> None:
    """At every amount of the axis all are alike; at this one, another rule is closest for two of them."""
    closed = "R.attr.open && R.attr.amount <= P.attr."
    rules = thing(a_rule("small", f"{closed}limit"), a_rule("large", f"{closed}most"))
    people = pd.DataFrame(
        {"id": ["u0", "u1", "u2"], "roles": [("user",)] * 3, "limit": [10] * 3, "most": [100, 1_000, 2_000]}
    )
    folder = write(tmp_path / "policies", thing=rules)
    made = swept(folder, lab.shareable(people, "limit", "most"), amount=[5, 10, 15], open=False)
    for amount, expected in ((500, {"large": 2, "small": 1}), (50, {"large": 3}), (5_000, {"small": 3})):
        place: dict[str, Any] = {"index": [0, 0, 0], "segment": [0, 0]}
        answer = told(made, {"place": place, "people": [0, 1, 2], "amount": amount})
        closest = [one.partition("Closest: ")[2].partition(":")[0] for one in sentences(answer)]
        alone = Counter(
            sentences(told(made, {"place": {**place, "index": [who, 0, 0]}, "amount": amount}))[0]
            .partition("Closest: ")[2]
            .partition(":")[0]
            for who in range(3)
        )
        assert alone == expected
        assert closest == list(expected)
        assert answer["people"][0].startswith(f"{max(expected.values())} principals")
    made.source.close()


def test_an_error_is_answered_in_words(decisions: lab.Decisions) -> None:
    copied = pickle.loads(pickle.dumps(decisions))
    answer = told(copied, {"place": {"index": [0, 0, 2], "segment": None}})
    assert "do not know their PDP" in answer["error"]


def test_an_unexpected_error_is_answered_too(
    decisions: lab.Decisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> Any:
        msg = "no such thing"
        raise KeyError(msg)

    monkeypatch.setattr(reasons, "drawn_by", broken)
    answer = told(decisions, {"place": {"index": [0, 0, 2], "segment": None}})
    assert answer["error"] == "KeyError: 'no such thing'"


class Talk:
    """A matrix as its browser talks to it: what is asked, and all that is answered."""

    def __init__(self, decisions: lab.Decisions) -> None:
        matrix: Any = decisions.show()
        self.widget = matrix.widget
        self.heard: list[dict[str, Any]] = []
        self.widget.send = self.heard.append

    def ask(self, kind: str, index: list[int], **more: Any) -> dict[str, Any]:
        place = {"index": index, "segment": None}
        self.widget._handle_custom_msg({"kind": kind, "request": 3, "place": place, **more}, [])
        assert all(one["request"] == 3 for one in self.heard)
        return self.heard[-1]


def test_what_would_turn_a_cell_around_is_offered_and_asked(decisions: lab.Decisions) -> None:
    talk = Talk(decisions)
    answer = talk.ask("changes", [0, 0, 2])
    assert answer["changes"] == [
        ["ALLOW if amount were ≤ 10 (15 now)", True],
        ["ALLOW if the principal's limit were ≥ 15 (10 now)", True],
    ]
    assert "Varied: amount" in answer["about"]
    for number, asked in enumerate(("amount 10", "amount 15; principal.limit ≥ 15")):
        changed = talk.ask("changed", [0, 0, 2], number=number)
        assert sentences(changed) == ["ALLOW by limited."]
        assert changed["cell"].startswith(answer["changes"][number][0])
        assert changed["cell"].endswith(asked)
    assert "u0" not in str(talk.heard)


def test_what_would_take_an_allow_away_is_asked(decisions: lab.Decisions) -> None:
    talk = Talk(decisions)
    assert talk.ask("changes", [0, 0, 0])["changes"][0] == ["DENY if amount were > 10 (5 now)", True]
    (said,) = sentences(talk.ask("changed", [0, 0, 0], number=0))
    assert said.startswith("DENY: no rule allows it. Closest: limited: amount 10.01 ≤ limit 10")


def test_a_change_that_may_be_personal_is_not_asked(tmp_path: Path) -> None:
    rules = thing(a_rule("own", "R.attr.team == P.attr.team"))
    people = pd.DataFrame({"id": ["u0"], "roles": [("user",)], "team": ["secret-team"]})
    made = swept(write(tmp_path / "policies", thing=rules), people, team=["blue", "green"])
    talk = Talk(made)
    answer = talk.ask("changes", [0, 0, 0])
    asked = [can for _, can in answer["changes"]]
    assert False in asked
    assert any("only with names=True" in line for line in answer["lines"])
    for number, can in enumerate(asked):
        changed = talk.ask("changed", [0, 0, 0], number=number)
        assert ("error" in changed) == (not can)
    assert "secret" not in str(talk.heard)
    made.source.close()


def test_a_long_search_says_how_far_it_is(decisions: lab.Decisions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasons, "SECONDS_BETWEEN", 0)
    talk = Talk(decisions)
    talk.ask("changes", [0, 0, 1])
    counts = [one["asked"] for one in talk.heard if "asked" in one]
    assert counts
    assert counts == sorted(counts)
    assert "changes" in talk.heard[-1]


def test_the_caption_counts_people_first(decisions: lab.Decisions) -> None:
    explained = decisions.explain()
    line = "1 person is denied because of broken data: ✗ 5 decisions by rules, ? 3 by broken data."
    assert line in str(explained)
    assert line in explained.show()._repr_mimebundle_()["text/html"]
    assert "broken data" not in str(decisions)
    assert line in str(decisions.show(causes=True))
