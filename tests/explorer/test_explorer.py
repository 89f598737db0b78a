"""The explorer shows the same as a sweep of every cell, and asks nothing twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import HEAD, resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display.headline import headline
from clerk_cerbos_lab.errors import InputError, PolicyError
from clerk_cerbos_lab.explorer.answers import boxes
from clerk_cerbos_lab.pdp.server import ADMIN

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).parents[2]
PRINCIPALS = lab.load_principals(ROOT / "data" / "clerk_users.json")
SOME = PRINCIPALS.iloc[[2, 7, 9, 10, 15, 20, 33, 50]]


def by_call(explorer: lab.Explorer, principals: pd.DataFrame) -> lab.Decisions:
    """The decisions of the call that an explorer shows, with every cell asked."""
    names = {"lab": lab, "pdp": explorer.pdp, "principals": principals}
    text = explorer.call.removesuffix(")") + ", method='every-cell')"
    found: lab.Decisions = eval(text, names)
    return found


def question(explorer: lab.Explorer) -> dict[str, Any]:
    """The keywords of the call, without the PDP."""
    state = {name: value for name, value in explorer.state.items() if name not in {"look", "constants"}}
    amount = state.pop("amount")
    alone = {n: v[0] if len(v) == 1 and n != "actions" else v for n, v in state.items()}
    return {**alone, "amount": lab.amounts(amount["low"], amount["high"], step=amount["step"])}


def shown(explorer: lab.Explorer) -> Any:
    """Every cell that the explorer shows, in the order of the sweep's."""
    payload = explorer._payload
    return payload.small[np.ix_(*payload.maps)]


def check(explorer: lab.Explorer, principals: pd.DataFrame) -> None:
    """Compare the explorer's view with every cell."""
    swept = by_call(explorer, principals)
    names = [dim["name"] for dim in explorer._payload.header["dims"]]
    varying = [name for name in names if name in swept.dims]  # one value alone is no axis of a sweep
    cells = shown(explorer)
    alone = tuple(i for i, name in enumerate(names) if name not in swept.dims)
    assert all(cells.shape[i] == 1 for i in alone)
    wanted = np.transpose(swept.allowed(), [swept.dims.index(name) for name in varying])
    assert np.array_equal(cells.squeeze(alone), wanted)
    alone_swept = explorer.decisions
    assert swept.counts() == explorer.counts() == alone_swept.counts()
    told = alone_swept if explorer._known.axis is not None else swept  # at every amount, or at those asked
    assert explorer._payload.header["headline"] == [list(line) for line in headline(told, told.shown())]


@pytest.fixture(scope="module")
def unchanged(pdp: lab.PDP) -> lab.Explorer:
    """Return an explorer for tests of what changes nothing: to start one takes half a second."""
    return lab.explore(pdp, SOME, "expense")


def test_an_explorer_says_whose_region_a_column_shows(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, lab.load_principals("data/clerk_users.json"), "expense")
    titles = {dim["name"]: dim.get("title") for dim in explorer._payload.header["dims"]}
    assert titles["region"] == "expense region"
    assert titles["principal"] == "person"
    assert titles["amount"] is None


def test_an_explorer_starts_where_something_is_allowed(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "expense")
    assert explorer.state["actions"] == ["approve"]
    assert explorer.state["status"] == ["OPEN"]
    assert explorer.state["owner"] == [lab.OTHER]
    assert explorer.counts()["ALLOW"] > 0
    check(explorer, SOME)


def test_controls_are_made_of_the_policies_and_the_principals(pdp: lab.PDP) -> None:
    options = lab.explore(pdp, PRINCIPALS, "expense").options
    assert options["actions"] == ["approve", "create", "delete", "update", "view"]
    assert set(options["status"]) == {"DRAFT", "OPEN", "APPROVED", "REJECTED", "PAID", lab.MISSING}
    assert {lab.SELF, lab.OTHER, lab.MISSING} < set(options["owner"])
    assert {"northeast", "south", "midwest", "west"} < set(options["region"])
    assert {5_000, 10_000, 50_000, 7_500} < set(options["amount"])


def test_values_come_from_policies_first_then_from_people_with_counts(pdp: lab.PDP) -> None:
    offered = lab.explore(pdp, PRINCIPALS, "expense")._offered()
    region, department = (
        next(choice for choice in offered["choices"] if choice["name"] == name)
        for name in ("region", "department")
    )
    held = PRINCIPALS["region"].map(lambda value: value if isinstance(value, str) else None).value_counts()
    labelled = dict(zip(region["labels"], region["people"], strict=True))
    texts = {str(value): int(count) for value, count in held.items()}
    shown = {text if text == text.strip() else f'"{text}"': count for text, count in texts.items()}
    assert labelled == shown | {"MISSING": None}
    assert [region["labels"][i] for i in region["unusual"]] == ['"south "', "South", "nothwest"]
    read = dict(zip(offered["actions"], department["read"], strict=True))
    assert not read["approve"]
    assert any(read.values())


def test_values_of_the_policies_stand_before_those_of_people(tmp_path: Path) -> None:
    conditions = ["R.attr.place == P.attr.place", 'R.attr.place in ["harbour", "airport"]']
    folder = write(tmp_path, thing=resource_policy(*map(rule, conditions)))
    who = users(5).assign(place=["city", "city", "airport", "hill", "city"])
    with lab.PDP(folder) as pdp:
        (choice,) = lab.explore(pdp, who, "thing", names=True)._offered()["choices"]
    assert choice["labels"] == ["harbour", "airport", "city", "hill", "MISSING"]
    assert choice["people"] == [None, 1, 3, 1, None]


@pytest.mark.parametrize(
    ("text", "value"),
    [("east", "east"), (" 7 ", 7), ("true", True), ('"7"', "7"), ("MISSING", lab.MISSING), ("null", None)],
)
def test_what_is_typed_is_read_as_on_the_command_line(pdp: lab.PDP, text: str, value: object) -> None:
    explorer = lab.explore(pdp, SOME, "expense", region="south", amount=[1, 2])
    explorer._add("region", text)
    assert explorer.state["region"] == ["south", value]
    explorer._add("region", text)
    assert explorer.state["region"] == ["south", value]


def test_every_state_shows_what_a_sweep_of_every_cell_says(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "expense", amount=lab.amounts(0, 60_000, step=4_000))
    for patch in (
        {"region": ["south", "west", lab.MISSING]},
        {"owner": [lab.SELF, lab.OTHER]},
        {"amount": {"low": 4_999.99, "high": 5_000.01, "step": 0.01}},
        {"actions": ["view", "approve"], "status": ["OPEN", "PAID"]},
        {"amount": {"low": -100, "high": 200_000, "step": 12_345.67}},
        {"region": ["elsewhere"], "owner": [lab.OTHER]},
    ):
        explorer.state = patch
        check(explorer, SOME)


@settings(max_examples=10)
@given(data=st.data())
def test_any_walk_through_the_controls_agrees_with_the_pdp(pdp: lab.PDP, data: st.DataObject) -> None:
    explorer = lab.explore(pdp, SOME.iloc[:4], "expense", amount=[0, 5_000, 10_000])
    options = explorer.options
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(["actions", "region", "owner", "status", "department"]))
        values = data.draw(
            st.lists(st.sampled_from(options[name][:5]), min_size=1, max_size=2, unique_by=repr)
        )
        explorer.state = {name: values}
    check(explorer, SOME.iloc[:4])


def test_nothing_is_asked_twice_and_amounts_ask_nothing(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "expense", region=["south"])
    start = explorer.asked
    explorer.state = {"amount": {"low": 0, "high": 1_000_000, "step": 250_000}}
    assert explorer.asked == start
    explorer.state = {"region": ["south", "west"]}
    more = explorer.asked
    assert more > start
    explorer.state = {"region": ["west"]}
    explorer.undo()
    explorer.undo()
    explorer.redo()
    explorer.state = {"region": ["west", "south"]}
    assert explorer.asked == more


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 10_000))
def test_what_is_missing_is_covered_exactly_once(shape: list[int], seed: int) -> None:
    missing = np.random.default_rng(seed).random(shape) < 0.5
    covered = np.zeros(shape, dtype=np.intp)
    for product in boxes(missing):
        covered[np.ix_(*product)] += 1
    assert np.array_equal(covered, missing.astype(np.intp))


def test_undo_redo_and_reset_go_through_the_states(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "expense", region=["south"])
    states = [explorer.state]
    for patch in ({"region": ["west"]}, {"actions": ["view"]}, {"amount": {"high": 20_000}}):
        explorer.state = patch
        states.append(explorer.state)
    for before in reversed(states[:-1]):
        explorer.undo()
        assert explorer.state == before
    explorer.undo()  # nothing is left
    for after in states[1:]:
        explorer.redo()
        assert explorer.state == after
    explorer.reset()
    assert explorer.state == states[0]


def test_what_an_axis_is_not_only_compared_with_is_asked_value_by_value(tmp_path: Path) -> None:
    policy = resource_policy(rule("R.attr.amount * 2.0 <= 100.0 && R.attr.region == 'south'"))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        people = users(3)
        explorer = lab.explore(pdp, people, "thing", amount=[0, 25, 50, 75], region=["south", "west"])
        check(explorer, people)
        start = explorer.asked
        explorer.state = {"amount": {"low": 0, "high": 100, "step": 50}}
        assert explorer.asked > start  # 100 was not asked
        check(explorer, people)
        asked = explorer.asked
        explorer.undo()
        assert explorer.asked == asked


def test_without_a_numeric_attribute_the_longest_list_stands_across(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "document")
    check(explorer, SOME)
    explorer.state = {"actions": explorer.options["actions"], "owner": [lab.SELF, lab.OTHER, lab.MISSING]}
    check(explorer, SOME)
    assert explorer._payload.header["columns"] == ["action"]


def test_names_that_are_no_python_names_stand_in_attr(tmp_path: Path) -> None:
    policy = resource_policy(rule('R.attr["a-b"] == "x\'y" && R.attr["method"] == "z" && R.attr.amount < 5'))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        explorer = lab.explore(pdp, users(2), "thing")
        assert "attr={" in explorer.call
        check(explorer, users(2))
        assert explorer.counts()["ALLOW"] > 0


def test_a_schema_tells_more_values(tmp_path: Path) -> None:
    policy = resource_policy(rule("R.attr.status == 'OPEN' && R.attr.urgent")).replace(
        "  rules:", "  schemas:\n    resourceSchema:\n      ref: cerbos:///thing.json\n  rules:"
    )
    folder = write(tmp_path / "p", thing=policy)
    (folder / "_schemas").mkdir()
    schema = {
        "type": "object",
        "properties": {"status": {"enum": ["OPEN", "HELD"]}, "urgent": {"type": "boolean"}},
    }
    (folder / "_schemas" / "thing.json").write_text(json.dumps(schema))
    with lab.PDP(folder) as pdp:
        explorer = lab.explore(pdp, users(1), "thing")
        assert explorer.options["status"] == ["OPEN", "HELD", lab.MISSING]
        assert explorer.options["urgent"] == [True, False, lab.MISSING]
        check(explorer, users(1))


def test_edited_policies_answer_the_next_change(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    shutil.copytree(ROOT / "policies", folder)
    limits = folder / "limits.yaml"
    with lab.PDP(folder) as pdp:
        explorer = lab.explore(pdp, SOME, "expense", region=["south"])
        before = explorer.counts()
        limits.write_text(
            limits.read_text().replace("cross_region_manager_limit: 5000", "cross_region_manager_limit: 9000")
        )
        explorer.state = {"region": ["south", "west"]}
        explorer.state = {"region": ["south"]}
        assert explorer.counts() != before
        check(explorer, SOME)
        good = limits.read_text()
        limits.write_text("nonsense")
        state = explorer.state
        with pytest.raises(PolicyError):
            explorer.state = {"region": ["midwest"]}
        assert explorer.state == state
        limits.write_text(good)
        explorer.state = {"region": ["midwest"]}
        check(explorer, SOME)


def test_people_come_before_decisions_and_an_only_amount_is_named(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, PRINCIPALS, "expense", units={"amount": "USD"})
    explorer.state = {"region": ["northeast"], "amount": {"low": 0, "high": 60_000}}
    first, *_, last = repr(explorer).splitlines()
    assert first.startswith("28 of 96 people may approve up to 5,000 USD; ")
    assert last.startswith("Cerbos ")
    explorer.state = {"amount": [5_000]}
    may = by_call(explorer, PRINCIPALS).counts()["ALLOW"]
    assert explorer._payload.header["headline"][0] == [
        "",
        f"{may} of 96 people may approve at amount 5,000 USD; {96 - may} may not.",
    ]
    check(explorer, PRINCIPALS)


def test_moved_limits_say_how_many_people_gain_and_lose(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, PRINCIPALS, "expense", region=["south", "west"])
    assert explorer._report()["moved"] == []
    edges = [1_000, 5_000, 10_000, 50_000, 90_000]
    beside = [number for edge in edges for number in (edge, edge + 0.01)]
    explorer.state = {
        "amount": beside,
        "constants": {"cross_region_manager_limit": 1_000, "finance_limit": 90_000},
    }
    now, then = (
        lab.sweep(one, PRINCIPALS, "expense", method="every-cell", **{**question(explorer), "amount": beside})
        for one in (lab.what_if(pdp, explorer.state["constants"]), pdp)
    )
    people = len(PRINCIPALS)
    gained, lost = (
        int((one.allowed() & ~other.allowed()).reshape(people, -1).any(axis=1).sum())
        for one, other in ((now, then), (then, now))
    )
    first, *groups, last = explorer._report()["moved"]
    assert first == f"Moved limits: {gained} of 96 people gain, {lost} lose."
    assert min(gained, lost) > 1
    assert explorer.change is not None
    told = f"{explorer.change['gained']:,} gained, {explorer.change['lost']:,} lost"
    assert last == f"Of {2 * people * len(beside):,} decisions: {told}."
    assert any(" people lose approve for 1,000 < amount ≤ 5,000 " in line for line in groups)
    assert repr(explorer).count(first) == 1
    assert first in explorer._repr_mimebundle_()["text/html"]
    explorer.state = {"constants": {"finance_limit": 50_000}}  # as it is
    assert explorer._report()["moved"] == []


def test_a_constant_that_is_moved_is_answered_by_a_pdp_on_a_copy(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "expense", region=["south", "west"])
    before, asked = explorer.counts(), explorer.asked
    explorer.state = {"constants": {"cross_region_manager_limit": 7_500}}
    assert explorer.counts()["ALLOW"] > before["ALLOW"]
    assert "lab.what_if(pdp, cross_region_manager_limit=7_500)" in explorer.call
    check(explorer, SOME)
    tried = explorer.asked
    assert tried > asked
    assert explorer.change == {"gained": explorer.counts()["ALLOW"] - before["ALLOW"], "lost": 0}
    explorer.state = {"constants": {"cross_region_manager_limit": 1_000, "finance_limit": 90_000}}
    now, then = (
        by_call(explorer, SOME).allowed(),
        lab.sweep(pdp, SOME, "expense", **question(explorer)).allowed(),
    )
    assert explorer.change == {"gained": int((now & ~then).sum()), "lost": int((then & ~now).sum())}
    assert min(explorer.change.values()) > 0
    marked, past = explorer._payload, explorer._payload.past
    assert past is not None
    assert marked.header["changed"]
    before_and_after = past[np.ix_(*marked.maps)], shown(explorer)
    lost = int((before_and_after[0] & ~before_and_after[1]).sum())
    assert explorer.change == {
        "gained": int((before_and_after[1] & ~before_and_after[0]).sum()),
        "lost": lost,
    }
    assert {5_000, 1_000} <= set(marked.header["exact"]["cuts"])
    explorer.undo()
    tried = explorer.asked
    explorer.state = {"constants": {}}
    assert explorer.counts() == before
    assert explorer.change is None
    assert explorer._payload.past is None
    explorer.undo()
    assert explorer.asked == tried
    explorer.state = {"constants": {"cross_region_manager_limit": 5_000}}  # the policies' own value
    assert explorer.state["constants"] == {}
    for limit in range(1_000, 10_000, 1_000):  # more than are kept
        explorer.state = {"constants": {"cross_region_manager_limit": limit, "finance_limit": 1}}
    check(explorer, SOME)


def test_what_if_changes_a_constant_and_nothing_else(pdp: lab.PDP) -> None:
    question: dict[str, Any] = {
        "amount": [4_999, 5_000, 6_000, 10_000, 50_000],
        "region": ["south", "west"],
        "owner": [lab.SELF, lab.OTHER],
        "status": ["OPEN", "PAID"],
    }
    with lab.what_if(pdp) as same, lab.what_if(pdp, cross_region_manager_limit=6_000) as moved:
        as_it_is, copied, changed = (
            lab.sweep(one, PRINCIPALS, "expense", attr=question) for one in (pdp, same, moved)
        )
    assert np.array_equal(as_it_is.allowed(), copied.allowed())
    gained = changed.allowed() & ~as_it_is.allowed()
    assert not (as_it_is.allowed() & ~changed.allowed()).any()
    amounts = np.flatnonzero(gained.any(axis=(0, 1, 3, 4, 5)))
    assert [question["amount"][i] for i in amounts] == [6_000]
    documents = lab.explore(pdp, SOME, "document", owner=[lab.SELF]).counts()
    assert documents["ALLOW"] > 0


def test_a_constant_whose_name_python_keeps_for_itself_is_moved_too(tmp_path: Path) -> None:
    constants = "  constants: {local: {class: 5, limit: 5, __debug__: 5, global: 5}}\n"
    condition = "R.attr.amount <= C.class && R.attr.amount <= C.limit && R.attr.amount <= C.__debug__"
    policy = resource_policy(rule(condition)).replace("  rules:", f"{constants}  rules:")
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        explorer = lab.explore(pdp, users(2), "thing")
        moved = {"class": 7_000, "limit": 8_000, "__debug__": 9_000}
        explorer.state = {"constants": moved}
        assert "lab.what_if(pdp, {'class': 7_000, '__debug__': 9_000}, limit=8_000)" in explorer.call
        check(explorer, users(2))
        with lab.what_if(pdp, moved) as other:
            swept = lab.sweep(other, users(1), "thing", amount=[5, 6, 7_000, 7_001])
            assert swept.allowed().ravel().tolist() == [True, True, True, False]


def test_an_attribute_whose_name_python_would_normalize_stands_in_attr(tmp_path: Path) -> None:
    policy = resource_policy(rule('R.attr["\ufb01_limit"] == "x" && R.attr["__debug__"] == "y"'))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        explorer = lab.explore(pdp, users(1), "thing")
        assert explorer.counts() == {"ALLOW": 1, "DENY": 0}
        check(explorer, users(1))


@pytest.mark.parametrize(
    ("arguments", "keywords", "words"),
    [
        ([{"50000": 1}], {}, "no policy defines a constant '50000'"),
        ([{5: 1}], {}, "the name of a constant must be a string, not a number: 5"),
        ([[("finance_limit", 1)]], {}, "or as a dict, {'limit': 7_500}, not as a list"),
        (["finance_limit"], {}, "not as a string"),
        ([{"finance_limit": 1}], {"finance_limit": 2}, r"given twice.*\['finance_limit'\]"),
        ([{"finance_limit": lab.MISSING}], {}, "'finance_limit': lab.MISSING"),
        ([], {"finance_limit": lab.SELF}, "'finance_limit': lab.MISSING, lab.SELF"),
        ([], {"finance_limit": float("nan")}, "not a finite number"),
    ],
)
def test_what_if_takes_a_dict_or_keywords_and_says_what_else_is_wrong(
    pdp: lab.PDP, arguments: list[Any], keywords: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        lab.what_if(pdp, *arguments, **keywords)


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"finance_limt": 1}, "did you mean 'finance_limit'"),
        ({"finance_limit": "1"}, "is a number, not a string"),
    ],
)
def test_what_is_no_constant_can_not_be_moved(
    pdp: lab.PDP, unchanged: lab.Explorer, constants: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        lab.what_if(pdp, **constants)
    with pytest.raises(InputError, match=words.replace("a string", "'1'")):
        unchanged.state = {"constants": constants}
    assert unchanged.state["constants"] == {}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"regoin": ["south"]}, "did you mean 'region'"),
        ({"actions": ["aprove"]}, "did you mean 'approve'"),
        ({"region": []}, "needs at least one value"),
        ({"region": ["south", "south"]}, "duplicate value"),
        ({"amount": {"step": 0}}, "and step > 0"),
        ({"amount": {"low": 10, "high": 5}}, "from 10 to 5 .* needs low <= high"),
        ({"amount": {"high": 1e300, "step": 1e299}}, "which doubles hold exactly"),
        ({"amount": {"low": "0"}}, "is a number, not '0'"),
        ({"amount": 5}, "a dict of low, high and step, or a list"),
        ({"constants": 5}, "a dict of names and numbers"),
        ({"look": {"view": "nope"}}, "'view' can't be 'nope'"),
        ({"amount": {"step": 0.01}}, "use a larger step"),
        ({"amount": {"steps": 1}}, "no 'steps'"),
        ({"look": {"sorted": "label"}}, "no 'sorted'"),
    ],
)
def test_an_invalid_choice_is_a_clear_error_and_changes_nothing(
    unchanged: lab.Explorer, patch: dict[str, Any], words: str
) -> None:
    before = unchanged.state
    with pytest.raises(InputError, match=words):
        unchanged.state = patch
    assert unchanged.state == before


def test_linked_explorers_keep_in_step_until_that_is_ended(pdp: lab.PDP) -> None:
    one, two = (lab.explore(pdp, SOME, "expense", region=["south"]) for _ in range(2))
    end = one.link(two, "region", "amount")
    one.state = {"region": ["west"], "actions": ["view"]}
    assert two.state["region"] == ["west"]
    assert two.state["actions"] == ["approve"]
    two.state = {"amount": {"high": 30_000}, "region": ["nowhere"]}
    assert one.state["amount"] == two.state["amount"]
    assert one.state["region"] == ["nowhere"]
    end()
    one.state = {"region": ["south"]}
    assert two.state["region"] == ["nowhere"]
    with pytest.raises(InputError, match="no control 'regoin'"):
        one.link(two, "regoin")


def test_what_a_notebook_stores_is_the_same_in_every_run_and_names_nobody(pdp: lab.PDP) -> None:
    first, second = (lab.explore(pdp, SOME, "expense")._repr_mimebundle_() for _ in range(2))
    for kind in ("text/plain", "text/html"):
        assert first[kind] == second[kind]
        assert not any(identity in first[kind] for identity in SOME["id"])
    named = lab.explore(pdp, SOME, "expense", names=True)._repr_mimebundle_()
    assert SOME["id"].iloc[0] in named["text/html"]


def test_the_first_argument_is_a_pdp() -> None:
    with pytest.raises(InputError, match="the first argument must be a PDP"):
        lab.explore("policies", SOME, "expense")  # type: ignore[arg-type]


def test_a_principal_is_found_by_the_pseudonym_that_tables_show(pdp: lab.PDP) -> None:
    swept = lab.sweep(pdp, SOME, "expense", actions="view", region="south", owner=lab.OTHER)
    identity = SOME["id"].iloc[3]
    assert swept.sel(principal=lab.pseudonym(identity)).names == (identity,)
    assert swept.sel(principal=[identity, lab.pseudonym(SOME["id"].iloc[1])]).names == (
        identity,
        SOME["id"].iloc[1],
    )
    with pytest.raises(InputError, match="no value p-nobody"):
        swept.sel(principal="p-nobody")


@pytest.mark.parametrize(
    "amounts",
    [
        [5_000, 10_000, 50_000],
        [0, 1, 10_000],
        [50_000, 5_000],
        [0.1, 0.2, 0.3],
        lab.amounts(0, 1, step=0.1),
        lab.amounts(0, 60_000, step=500),
        [0.5],
        12_000,
    ],
    ids=str,
)
def test_the_amounts_that_are_given_are_those_that_are_shown(pdp: lab.PDP, amounts: Any) -> None:
    explorer = lab.explore(pdp, SOME.iloc[:3], "expense", amount=amounts)
    given = amounts if isinstance(amounts, list) else [amounts]
    dims = {dim["name"]: dim for dim in explorer._payload.header["dims"]}
    assert dims["amount"]["numbers"] == given
    check(explorer, SOME.iloc[:3])
    explorer.state = {"region": ["west"]}
    assert {dim["name"]: dim for dim in explorer._payload.header["dims"]}["amount"]["numbers"] == given
    explorer.state = {"amount": {"high": max(given) + 1, "step": 1_000}}
    assert "values" not in explorer.state["amount"]
    check(explorer, SOME.iloc[:3])


def test_after_an_edit_the_constants_are_the_new_ones(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    shutil.copytree(ROOT / "policies", folder)
    limits = folder / "limits.yaml"
    with lab.PDP(folder) as pdp:
        explorer = lab.explore(pdp, SOME, "expense", region=["south"])
        limits.write_text(limits.read_text().replace("manager_limit: 5000", "manager_limit: 7500"))
        explorer.state = {"constants": {"cross_region_manager_limit": 5_000}}
        assert explorer.state["constants"] == {"cross_region_manager_limit": 5_000}
        assert explorer.change is not None
        check(explorer, SOME)
        limits.write_text(limits.read_text().replace("cross_region_manager_limit", "far_limit"))
        with pytest.raises(PolicyError):
            explorer.state = {"region": ["west"]}
        rules = folder / "expense.yaml"
        rules.write_text(rules.read_text().replace("cross_region_manager_limit", "far_limit"))
        explorer.state = {"region": ["west"]}
        assert explorer.state["constants"] == {}
        assert "far_limit" in explorer.options["constants"]
        check(explorer, SOME)


def test_a_pdp_at_an_address_is_asked_again_for_everything_shown(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "p", thing=resource_policy(rule("R.attr.region == 'a' || R.attr.region == 'b'"))
    )
    with lab.PDP(folder) as own:
        there = lab.PDP(address=own.address, admin=ADMIN)
        explorer = lab.explore(there, users(4), "thing", region=["a", "b"])
        assert explorer.counts() == {"ALLOW": 8, "DENY": 0}
        write(folder, thing=resource_policy(rule("R.attr.region == 'c'")))
        own.refresh()
        explorer.state = {"region": ["a", "c"]}
        assert explorer.counts() == {"ALLOW": 4, "DENY": 4}
        check(explorer, users(4))


def test_no_pdp_is_left_running_after_constants_were_tried(pdp: lab.PDP) -> None:
    before = children()
    explorer = lab.explore(pdp, SOME, "expense", region=["south"])
    for limit in (1, 2, 3):
        explorer.state = {"constants": {"finance_limit": limit}}
    assert children() <= before  # what an earlier test left may end meanwhile


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def test_what_is_stored_of_an_explorer_names_nobody_in_its_call_either(tmp_path: Path) -> None:
    policy = resource_policy(
        rule("R.attr.mail == P.attr.email && R.attr.boss == P.attr.boss && R.attr.amount < 5")
    )
    unknown = users(3, email="ann@example.com", boss="user_2abcdefghijklmnopqrstuvwx")
    people = lab.shareable(unknown, "email", "boss")
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        explorer = lab.explore(pdp, people, "thing")
        assert "ann@example.com" in explorer.call
        check(explorer, people)
        stored = explorer._repr_mimebundle_()
        for text in (stored["text/plain"], stored["text/html"]):
            assert "ann@example.com" not in text
            assert "user_2abc" not in text
        hidden = lab.explore(pdp, unknown, "thing")
        assert hidden.options["mail"] == [lab.MISSING]
        (note,) = hidden._payload.header["notes"]
        assert 'lab.shareable(principals, "email", "boss")' in note
        assert "ann@example.com" in lab.explore(pdp, unknown, "thing", names=True).options["mail"]


def test_no_control_offers_what_the_first_principal_holds_inside_a_list(tmp_path: Path) -> None:
    policy = resource_policy(rule('R.attr.mail in [P.attr.salary, "desk"] && R.attr.amount < 5'))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        people = users(2, salary="a lot")
        assert lab.explore(pdp, people, "thing").options["mail"] == ["desk", lab.MISSING]
        said = lab.explore(pdp, lab.shareable(people, "salary"), "thing")
        assert "a lot" in said.options["mail"]


def test_a_value_keeps_its_position_when_others_join(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, SOME, "expense")
    before = explorer.options["status"]
    explorer.state = {"status": ["NEW", "OPEN"]}
    assert explorer.options["status"][: len(before)] == before


def test_what_was_selected_stays_what_it_was(pdp: lab.PDP) -> None:
    explorer = lab.explore(
        pdp, SOME, "expense", amount=lab.amounts(0, 60_000, step=500), region=["south", "west"]
    )
    widget = explorer.widget
    number = explorer._payload.header["number"]
    names = [dim["name"] for dim in explorer._payload.header["dims"]]
    index = [0] * len(names)
    index[names.index("region")], index[names.index("amount")] = 1, 100
    widget.place = {"index": index, "segment": None, "number": number, "amount": 50_000}
    told = explorer.selected
    assert told is not None
    assert (told["region"], told["amount"]) == ("west", 50_000)
    explorer.state = {"region": ["south"], "amount": {"step": 30_000}}
    assert explorer.selected == told
    widget.place = {
        "index": index,
        "segment": None,
        "number": number,
        "amount": 2_500,
    }  # seen before the change
    assert explorer.selected is not None
    assert (explorer.selected["region"], explorer.selected["amount"]) == ("west", 2_500)


def test_explorers_of_different_kinds_are_not_linked_and_stay_usable(pdp: lab.PDP) -> None:
    one, two = lab.explore(pdp, SOME, "expense"), lab.explore(pdp, SOME, "document")
    with pytest.raises(InputError, match="different kinds: 'expense' and 'document'"):
        one.link(two)
    one.state = {"region": ["west"]}
    check(one, SOME)


def test_an_attribute_that_policies_compute_with_is_offered_as_amounts(tmp_path: Path) -> None:
    policy = resource_policy(
        rule("R.attr.amount * 1.19 <= 1000.0 && (!R.attr.urgent || R.attr.discount < 0.15)")
    )
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        explorer = lab.explore(pdp, users(2), "thing")
        assert explorer.counts()["ALLOW"] > 0
        assert any("are a guess" in note for note in explorer._payload.header["notes"])
        assert {True, False} < set(explorer.options["urgent"])
        check(explorer, users(2))


def test_a_kind_that_no_policy_is_about_is_refused_beside_principal_policies(tmp_path: Path) -> None:
    named = HEAD + "principalPolicy: {principal: u0, version: default, rules: [{resource: thing, actions: "
    named += "[{action: approve, effect: EFFECT_ALLOW}]}]}\n"
    with lab.PDP(write(tmp_path / "p", named=named, other=resource_policy(rule(), kind="other"))) as pdp:
        assert lab.sweep(pdp, users(1), "thing", actions="approve").counts() == {"ALLOW": 1, "DENY": 0}
        with pytest.raises(InputError, match="no policy is about the resource kind 'thin'"):
            lab.sweep(pdp, users(1), "thin", actions="approve")


def test_broken_policies_are_reported_by_line_even_if_colours_are_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as Jupyter's kernels have it
    with pytest.raises(PolicyError, match=r"thing\.yaml"):
        lab.PDP(write(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <== 5"))))


def test_all_rows_of_a_varied_person_are_found_by_the_pseudonym(pdp: lab.PDP) -> None:
    people = lab.vary(SOME.iloc[:2], approval_limit=[1, 2])
    swept = lab.sweep(pdp, people, "expense", actions="view", region="south", owner=lab.OTHER)
    assert len(swept.sel(principal=lab.pseudonym(SOME["id"].iloc[0])).names) == 2
