"""``lab.problems(…, kind=…)`` says first what changes decisions, as the PDP confirms, and accuses nobody."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from explained import a_rule, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.insights import gains

DATA = Path(__file__).parents[2] / "data"
ADDED = ["changes_decisions", "needs", "allowed_if_repaired", "example"]

CONDITION = "R.attr.amount <= P.attr.limit && P.attr.region == R.attr.region"

BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("limit", {"limit": "5,000.5", "region": "south"}),
    "null": ("limit", {"limit": None, "region": "south"}),
    "true": ("limit", {"limit": True, "region": "south"}),
    "list": ("region", {"limit": 500, "region": ["south", "west"]}),
    "absent": ("region", {"limit": 500}),
    "spelling": ("region", {"limit": 500, "region": "South "}),
    "negative": ("limit", {"limit": -500, "region": "west"}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return policies that read ``limit`` and ``region``, and name the role ``admin``."""
    limited = a_rule("limited", CONDITION)
    everything = a_rule("everything", roles=["admin"], actions=["approve", "delete"])
    other = thing(a_rule("other", "P.attr.shoe > 3"), resource="other")
    return write(tmp_path / "policies", thing=thing(limited, everything), other=other)


def frame(*more: dict[str, Any]) -> pd.DataFrame:
    """Healthy and broken people; only one of them is an admin."""
    rows: list[dict[str, Any]] = [
        {"id": f"h{i}", "limit": 1000 + 10 * i, "region": ["south", "west"][i % 2], "shoe": i}
        for i in range(30)
    ]
    rows += [{"id": name, **values} for name, (_, values) in BROKEN.items()]
    rows += [{"id": "chief", "roles": ("admin",), "limit": 1, "region": "south"}, *more]
    filled = [
        {"roles": ("user",), "limit": lab.MISSING, "region": lab.MISSING, "shoe": "none", **row}
        for row in rows
    ]
    people = lab.shareable(pd.DataFrame(filled, dtype=object), "limit", "region", "shoe")
    people.attrs["problems"] = list(found_in(people))
    return people


def found_in(people: pd.DataFrame) -> list[dict[str, str]]:
    """The report that a source of principals attaches to its frame, which may look at shareable texts."""
    from clerk_cerbos_lab.identity.quality import _against_others  # noqa: PLC0415

    return list(_against_others(people, personal=set()))


def test_broken_profiles_are_named_and_no_healthy_person_is(folder: Path) -> None:
    with lab.PDP(folder) as pdp:
        found = lab.problems(frame(), pdp, kind="thing")
    assert found.columns.tolist() == ["principal", "problem", "attribute", "detail", *ADDED]
    first = found[found["changes_decisions"]]
    assert set(zip(first["principal"], first["attribute"], strict=True)) == {
        (name, attribute) for name, (attribute, _) in BROKEN.items()
    }
    assert set(first["allowed_if_repaired"]) == {("approve",)}
    needs = dict(zip(first["principal"], first["needs"], strict=True))
    assert needs["text"] == "a number"
    assert needs["list"] == "a string"
    assert needs["spelling"] == "the value as others spell it"
    assert set(found["principal"]) <= {*BROKEN}
    assert "chief" not in set(found["principal"])
    assert "shoe" not in set(found["attribute"])


def test_what_changes_decisions_comes_first_and_what_is_unusual_last(folder: Path) -> None:
    odd = {"id": "odd", "limit": 500, "region": "mars"}
    dull = {"id": "dull", "roles": ("clerk",), "limit": "5", "region": "south"}
    with lab.PDP(folder) as pdp:
        found = lab.problems(frame(odd, dull), pdp, kind="thing")
    assert found["changes_decisions"].is_monotonic_decreasing
    rest = found[~found["changes_decisions"]]
    assert list(zip(rest["principal"], rest["problem"], strict=True)) == [
        ("dull", "mistyped attribute"),
        ("odd", "unusual value"),
        ("dull", "unusual value"),
    ]


def test_an_example_is_denied_now_and_allowed_with_the_repair(folder: Path) -> None:
    repaired = {"text": 5000.5, "null": 1290, "true": 1290, "list": "south", "absent": "south"}
    repaired |= {"spelling": "south", "negative": 500}
    people = frame()
    with lab.PDP(folder) as pdp:
        found = lab.problems(people, pdp, kind="thing").set_index("principal")
        for name, (attribute, values) in BROKEN.items():
            example = found.loc[name, "example"]
            told = re.fullmatch(r"approve thing, amount (.+), region (.+)", str(example))
            assert told, example
            amount = 1 if "profile" in told[1] else float(told[1].replace(",", ""))
            after = {"id": name, "roles": ("user",), **values, attribute: repaired[name]}
            request = {"amount": amount, "region": after["region"]}
            assert pdp.is_allowed("approve", after, "thing", request), name
            before = {"id": name, "roles": ("user",), **values}
            assert not pdp.is_allowed("approve", before, "thing", request), name


def test_the_report_holds_no_value_of_a_profile(folder: Path) -> None:
    with lab.PDP(folder) as pdp:
        found = lab.problems(frame(), pdp, kind="thing")
    text = found.drop(columns="principal").to_csv()
    assert not [value for value in ("south", "west", "South", "500", "1,29") if value in text]


def test_a_misspelt_role_is_repaired_and_one_that_only_one_person_has_is_none(folder: Path) -> None:
    people = frame({"id": "boss", "roles": ("Admin ",), "limit": 1, "region": "south"})
    with lab.PDP(folder) as pdp:
        found = lab.problems(people, pdp, kind="thing").set_index("principal").loc["boss"]
    assert found["attribute"] == "roles"
    assert found["allowed_if_repaired"] == ("approve", "delete")
    assert found["needs"] == "a role as the policies spell it"


def test_a_text_that_policies_compare_with_another_spelling_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("legal", 'P.attr.unit == "legal"')))
    rows = [{"id": f"u{i}", "roles": ("user",), "unit": f"unit {i}"} for i in range(5)]
    people = pd.DataFrame([*rows, {"id": "x", "roles": ("user",), "unit": "LEGAL"}], dtype=object)
    with lab.PDP(folder) as pdp:
        found = lab.problems(people, pdp, kind="thing")
    assert found[["principal", "problem", "changes_decisions"]].to_numpy().tolist() == [
        ["x", "unusual value", True]
    ]


def test_the_sample_says_who_is_denied_what(pdp: lab.PDP) -> None:
    people = lab.load_principals(DATA / "clerk_users.json")
    found = lab.problems(people, pdp, kind="expense")
    first = found[found["changes_decisions"]]
    assert first[["problem", "attribute"]].to_numpy().tolist() == [
        ["mistyped attribute", "approval_limit"],
        ["mistyped attribute", "approval_limit"],
        ["missing attribute", "region"],
        ["mistyped attribute", "region"],
        ["missing attribute", "department"],
        ["unusual value", "roles"],
        ["unusual value", "region"],
        ["unusual value", "region"],
    ]
    assert first["allowed_if_repaired"].tolist()[4] == ("view",)


def test_it_makes_no_difference_how_many_repairs_are_asked_about_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = ["7,000", "many", "-1", "12.5", "70"]
    healthy = [{"id": f"more{i}", "limit": 2000 + i, "region": "south"} for i in range(30)]
    broken = [{"id": f"odd{i}", "limit": text, "region": "south"} for i, text in enumerate(odd)]
    people = frame(*healthy, *broken)
    said = []
    with lab.PDP(folder) as pdp:
        for most in (1000, 1):
            monkeypatch.setattr(gains, "MOST_NUMBERS", most)
            said.append(lab.problems(people, pdp, kind="thing").drop(columns="example"))
    together, alone = said
    pd.testing.assert_frame_equal(together, alone)
    assert together["changes_decisions"].sum() >= len(odd)


def test_a_kind_needs_a_pdp_that_knows_it(pdp: lab.PDP) -> None:
    people = frame()
    with pytest.raises(lab.InputError, match="needs a PDP"):
        lab.problems(people, kind="expense")
    with pytest.raises(lab.InputError, match="did you mean 'expense'"):
        lab.problems(people, pdp, kind="expence")


def test_without_problems_the_table_is_empty(folder: Path) -> None:
    people = pd.DataFrame({"id": ["a"], "roles": [("user",)], "limit": [5], "region": ["south"]})
    with lab.PDP(folder) as pdp:
        assert lab.problems(people, pdp, kind="thing").empty
