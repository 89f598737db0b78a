"""Explanations that are stored for all cells are those that the PDP gives for each."""

from __future__ import annotations

import itertools
import pickle
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from explained import a_rule, person, policy, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.explanations import SLOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOT_STORED = "not stored"


def crowd(**columns: list[Any]) -> pd.DataFrame:
    """A principals frame whose attributes may be shown."""
    count = len(next(iter(columns.values())))
    roles = columns.pop("roles", [("user",)] * count)
    frame = pd.DataFrame({"id": [f"u{i}" for i in range(count)], "roles": roles, **columns}, dtype=object)
    return lab.shareable(frame, *columns) if columns else frame


def cells(decisions: lab.Decisions) -> Iterator[dict[str, Any]]:
    axes = [[[value] for value in axis.values] for axis in decisions.axes]
    for who, action, *values in itertools.product(decisions.names, decisions.actions, *axes):
        yield {
            "principal": who,
            "action": action,
            **{axis.name: one for axis, one in zip(decisions.axes, values, strict=True)},
        }


def by_name(rule: dict[str, Any]) -> str:
    return str(rule["name"])


def check(live: Any, stored: Any, path: str = "") -> list[str]:
    """Where the two differ; a computed value that is not stored is no difference."""
    if isinstance(live, dict) and isinstance(stored, dict):
        if stored.get("label") == NOT_STORED:
            return []
        if path == "":  # which of two rules is closer may differ between those who share an explanation
            live, stored = ({**one, "rules": sorted(one["rules"], key=by_name)} for one in (live, stored))
        return [line for name in live for line in check(live[name], stored[name], f"{path}.{name}")]
    if isinstance(live, (list, tuple)) and len(live) == len(stored):
        pairs = enumerate(zip(live, stored, strict=True))
        return [line for i, (one, other) in pairs for line in check(one, other, f"{path}[{i}]")]
    if NOT_STORED in str(stored):
        return []
    return [] if live == stored else [f"{path}: {live!r}, stored {stored!r}"]


def same(decisions: lab.Decisions) -> lab.Decisions:
    """Explain everything, forget the PDP, and compare every cell with the PDP's explanation."""
    stored: lab.Decisions = pickle.loads(pickle.dumps(decisions.explain()))
    assert stored.source is None
    for cell in cells(decisions):
        live, kept = decisions.why(**cell), stored.why(**cell)
        assert check(live.to_dict(), kept.to_dict()) == [], cell
        assert not SLOT.search(repr(kept))
    decisions.source.close()
    return stored


AMOUNTS = [-5, 0, 40, 50, 60, 75, 100, 120, 250]


def test_own_numbers_and_constants(tmp_path: Path) -> None:
    rules = thing(
        a_rule("small", "R.attr.amount > 0 && R.attr.amount <= 50"),
        a_rule(
            "own", {"all": {"of": [{"expr": "R.attr.amount > 0"}, {"expr": "R.attr.amount <= P.attr.limit"}]}}
        ),
        a_rule("boss", "R.attr.amount <= 200", roles=["boss"]),
    )
    who = crowd(
        limit=[100, 75, 40, 50, "100", "many", None, lab.MISSING, [100], 60],
        roles=[("user",)] * 8 + [("boss",), ("other",)],
    )
    stored = same(swept(write(tmp_path / "p", thing=rules), who, amount=AMOUNTS))
    known = stored.explanations
    assert known is not None
    assert len(known.templates) < len(stored) / 2
    marked = lab.Decisions.show(stored)._payload.header["why"]["broken"]  # type: ignore[attr-defined]
    assert marked


def test_limits_that_are_texts_are_shown_as_each_persons_own(tmp_path: Path) -> None:
    """People with the same explanation have texts that are numbers, and texts that are none."""
    rules = thing(
        a_rule("own", "R.attr.amount <= P.attr.limit"),
        a_rule("team", "R.attr.team in P.attr.teams"),
        a_rule("capped", "R.attr.amount <= 60 && P.attr.limit < 90"),
    )
    who = crowd(
        limit=["55", "56", "57.5", "many", "few", "", '"', "null", "x" * 90, "1e3", "100", "101"],
        teams=[["red"], ["red"], "red", "a b", "5", [], [], "blue", None, 5, 6, ["red"]],
    )
    stored = same(swept(write(tmp_path / "p", thing=rules), who, amount=AMOUNTS, team=["red", 5]))
    assert 'is the text "55"' in str(stored.why(principal=stored.names[0], amount=50, team=5))


def test_own_texts_ids_and_derived_roles(tmp_path: Path) -> None:
    roles = policy(
        "derivedRoles",
        name="some",
        definitions=[
            {
                "name": "colleague",
                "parentRoles": ["user"],
                "condition": {"match": {"expr": "P.attr.team == R.attr.team"}},
            }
        ],
    )
    rules = thing(
        a_rule("colleagues", derivedRoles=["colleague"]),
        a_rule("red", 'R.attr.team in P.attr.teams && R.attr.team != "green"'),
        a_rule("not-own", "R.attr.owner == P.id", effect="DENY"),
        importDerivedRoles=["some"],
    )
    who = crowd(
        team=["red", "blue", "green", "grey", lab.MISSING, ["red"], "white"],
        teams=[["red"], [], ["green", "blue"], "red", lab.MISSING, ["red", 5], ["pink"]],
    )
    asked: dict[str, Any] = {
        "team": ["red", "blue", "green", "none", 5, lab.MISSING],
        "owner": [lab.SELF, lab.OTHER, "u1"],
    }
    same(swept(write(tmp_path / "p", thing=rules, roles=roles), who, **asked))


def test_what_is_computed_is_left_out_and_what_is_read_in_terms_is_right(tmp_path: Path) -> None:
    rules = thing(
        a_rule("double", "R.attr.amount <= P.attr.limit * 2"),
        a_rule("mail", 'P.attr.mail.endsWith("@a.example")'),
        a_rule("many", "size(P.attr.mail) > 12"),
        variables={"local": {"limit": "P.attr.limit"}},
    )
    who = crowd(limit=[50, 20, 30, lab.MISSING], mail=["x@a.example", "long-name@b.example", 5, True])
    same(swept(write(tmp_path / "p", thing=rules), who, amount=AMOUNTS))


def test_which_rule_is_closest_may_differ_within_a_situation(tmp_path: Path) -> None:
    rules = thing(a_rule("low", "R.attr.amount <= 10"), a_rule("high", "R.attr.amount >= 1000"))
    stored = swept(write(tmp_path / "p", thing=rules), person(), amount=[20, 990]).explain()
    told = pickle.loads(pickle.dumps(stored)).why(amount=990)
    assert told.sentence == "DENY: no rule allows it. Closest: low or high."
    stored.source.close()


def test_a_part_of_explained_decisions_is_explained(tmp_path: Path) -> None:
    rules = thing(a_rule("own", "R.attr.amount <= P.attr.limit"))
    decisions = swept(write(tmp_path / "p", thing=rules), crowd(limit=[100, 75, 40]), amount=AMOUNTS)
    part = decisions.sel(principal=["u2", "u0"], amount=[250, 75, 50])
    stored = pickle.loads(pickle.dumps(part.explain().sel(principal="u0")))
    assert stored.why(amount=75).to_dict() == decisions.why(principal="u0", amount=75).to_dict()
    decisions.source.close()


def test_names_are_shown_only_by_explanations_that_were_made_to(tmp_path: Path) -> None:
    rules = thing(a_rule("own", "R.attr.owner == P.id"))
    decisions = swept(write(tmp_path / "p", thing=rules), crowd(limit=[1, 2]), owner=[lab.SELF, "u1"])
    named = pickle.loads(pickle.dumps(decisions.explain(names=True)))
    with pytest.raises(lab.InputError, match="made with names=True"):
        named.why(principal="u0", owner=[lab.SELF])
    assert "why" not in named.show()._payload.header
    assert "why" in named.show(names=True)._payload.header
    decisions.source.close()


def test_without_a_pdp_decisions_that_were_not_explained_say_so(tmp_path: Path) -> None:
    decisions = swept(write(tmp_path / "p", thing=thing(a_rule("any"))), person())
    copied = pickle.loads(pickle.dumps(decisions))
    with pytest.raises(lab.InputError, match="do not know their PDP"):
        copied.explain()
    decisions.source.close()
