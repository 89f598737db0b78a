"""The comparison as a table with marks, and as a page."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared import people
from small_policies import resource_policy, rule

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.display.changes_payload import changes_payload

Write = Callable[..., Path]
CONDITION = "R.attr.amount <= P.attr.limit && R.attr.team == 'a'"
EDITED = "R.attr.amount < 7 || R.attr.team == 'b' && R.attr.amount > P.attr.limit"


@pytest.fixture
def compared(write: Write) -> Iterator[tuple[lab.Changes, lab.PDP]]:
    """Some who stay, one who left and one who joined, under edited policies."""
    who = people(limit=[5, 50, 7, 1]).assign(id=["ann", "bob", "cyd", "dee"])
    asked: dict[str, Any] = {"amount": [0, 6, 20, 100], "team": ["a", "b"]}
    with lab.PDP(write(thing=resource_policy(rule(CONDITION)))) as pdp:
        before = lab.sweep(pdp, who.iloc[[0, 1, 3]], "thing", **asked)
        write(thing=resource_policy(rule(EDITED)))
        after = lab.sweep(pdp, who.iloc[[2, 1, 3]], "thing", **asked)
        yield lab.compare(before, after), pdp


def test_every_cell_of_the_table_is_that_of_both_answers(compared: tuple[lab.Changes, lab.PDP]) -> None:
    changes, _ = compared
    both = changes.before, changes.after
    made = changes_payload(changes, (both[0].shown(), both[1].shown()))
    assert made.past is not None
    for decisions, cells in zip(both, (made.past, made.small), strict=True):
        for p, name in enumerate(changes.everybody):
            for t, team in enumerate(["a", "b"]):
                for k, amount in enumerate([0, 6, 20, 100]):
                    found = cells[tuple(int(of[i]) for of, i in zip(made.maps, (p, 0, k, t), strict=True))]
                    there = name in decisions.names
                    wanted = there and decisions.effect(principal=name, amount=amount, team=team) == "ALLOW"
                    assert bool(found) == wanted, (name, team, amount)
    assert made.segments is not None
    assert made.header["changed"]
    assert [dim.get("title") for dim in made.header["dims"]] == ["person", None, None, "thing team"]
    data = made.to_bytes()
    (length,) = struct.unpack("<I", data[:4])
    assert len(data) == 4 + length + 2 * -(-made.small.size // 8)
    assert made.header["allow"] == int(np.sum(changes.after.allowed()))
    assert json.loads(data[4 : 4 + length])["dims"][0]["labels"] != list(changes.everybody)


def test_a_selected_cell_is_explained_before_and_after(compared: tuple[lab.Changes, lab.PDP]) -> None:
    changes, _ = compared
    matrix: Any = changes.show(only_changed=True)
    assert matrix.state["effect"] == "changed"
    sent: list[dict[str, Any]] = []
    matrix.widget.send = sent.append
    bob = changes.everybody.index("bob")
    place = {"index": [bob, 0, 2, 0], "segment": None}
    matrix._on_message(None, {"kind": "why", "request": 1, "place": place}, None)
    assert sent[0]["people"] == ["Before:", "After:"]
    texts = sent[0]["nodes"]["texts"]
    assert any(text.startswith("ALLOW by rule-001") for text in texts)
    assert any(text.startswith("DENY: no rule allows it") for text in texts)
    assert "bob" not in json.dumps(sent)


def test_an_open_comparison_is_drawn_again_after_an_edit(
    compared: tuple[lab.Changes, lab.PDP], write: Write
) -> None:
    changes, pdp = compared
    matrix: Any = changes.show()
    first = matrix.widget.payload
    write(thing=resource_policy(rule(CONDITION)))
    assert matrix._draw(pdp)
    assert matrix.widget.payload != first
    assert matrix._now.verdict == "more and less"  # ann left, cyd joined
    write(thing=resource_policy(rule(EDITED)))
    assert not matrix._draw(pdp)
    assert matrix.widget.payload == first


def test_a_page_holds_the_plan_the_table_and_the_difference_and_names_nobody(
    compared: tuple[lab.Changes, lab.PDP], tmp_path: Path
) -> None:
    changes, _ = compared
    changes.to_html(tmp_path / "change.html")
    page = (tmp_path / "change.html").read_text(encoding="utf-8")
    assert "More and less: " in page
    assert "ccl-diff-more" in page
    assert "P.attr.limit &amp;&amp;" in page
    assert not any(name in page for name in ("ann", "bob", "cyd") if f">{name}" in page)
    changes.to_html(tmp_path / "named.html", names=True)
    assert "bob" in (tmp_path / "named.html").read_text(encoding="utf-8")


def test_a_view_that_does_not_exist_is_refused(compared: tuple[lab.Changes, lab.PDP]) -> None:
    show: Any = compared[0].show
    with pytest.raises(lab.InputError, match="no view"):
        show(view="matrx")
    assert "Changes" not in repr(show(view="thresholds"))


def test_real_names_come_with_a_warning(compared: tuple[lab.Changes, lab.PDP]) -> None:
    changes, _ = compared
    for names, warning in ((True, plain_text.WARNING), (False, None)):
        shown: Any = changes.show(names=names)
        assert shown._payload.header["warning"] == warning
        assert ("ann" in shown._payload.header["dims"][0]["labels"]) == names
