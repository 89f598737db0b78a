"""What is odd about the sample's principals is told, and the report goes where the frame goes."""

import copy
import json
import pickle
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.users import parse_users

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "clerk_users.json"

Json = dict[str, Any]
USERS: list[Json] = json.loads(SAMPLE.read_text("utf-8"))
BROKEN: dict[int, Any] = runpy.run_path(str(ROOT / "data" / "make_sample.py"))["broken_profiles"]("")
MISSING = lab.MISSING


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    """Return the principals of the sample users; no test changes them."""
    return lab.load_principals(SAMPLE)


def told(frame: pd.DataFrame, pdp: lab.PDP | None = None) -> list[tuple[str, str, str]]:
    """Return who has which problem with what."""
    report = lab.problems(frame, pdp)
    assert report.columns.tolist() == ["principal", "problem", "attribute", "detail"]
    return list(zip(report["principal"], report["problem"], report["attribute"], strict=True))


# --- the broken profiles of the sample ----------------------------------------------------------

NO_ROLE = ("no role", "roles")
UNUSUAL, MISTYPED, LACKING = "unusual value", "mistyped attribute", "missing attribute"
EXPECTED: dict[str, list[tuple[str, str]]] = {
    "no role, yet an approval limit": [NO_ROLE],
    "roles with a duplicate": [("role twice", "roles")],
    "role is an empty string": [("empty role", "roles"), NO_ROLE],
    "role is only spaces": [("empty role", "roles"), NO_ROLE],
    "role is a number": [("mistyped role", "roles"), NO_ROLE],
    "role is null": [("mistyped role", "roles"), NO_ROLE],
    "role is a list": [("role in the other form", "roles")],
    "roles is an empty list": [("empty role", "roles"), NO_ROLE],
    "role in another case": [(UNUSUAL, "roles")],
    "role and roles disagree": [("two sources of roles", "roles")],
    "approval_limit is a string": [(MISTYPED, "approval_limit")],
    "approval_limit is null": [(MISTYPED, "approval_limit")],
    "approval_limit is negative": [(UNUSUAL, "approval_limit")],
    "approval_limit is a boolean": [(MISTYPED, "approval_limit")],
    "no region": [(LACKING, "region")],
    "region is a list": [(MISTYPED, "region")],
    "region ends in a space": [(UNUSUAL, "region")],
    "region in another case": [(UNUSUAL, "region")],
    "region is unknown": [(UNUSUAL, "region")],
    "no department": [(LACKING, "department")],
    "public_metadata is empty": [NO_ROLE, (LACKING, "region"), (LACKING, "department")],
    "banned": [("banned", "")],
    "locked": [("locked", "")],
    "metadata key id names somebody else": [("name taken", "id")],
    "a role in unsafe_metadata only": [NO_ROLE],
    # Nothing of these three is loaded unless the mapping names it, so that it can't be odd.
    "admin by their own word": [],
    "no name, no username, no e-mail": [],
    "markup in a name": [],
}


ODD_REGIONS = ("region ends in a space", "region in another case", "region is unknown")


def test_the_kinds_of_broken_profiles_are_those_of_the_sample() -> None:
    assert sorted(EXPECTED) == sorted(profile.kind for profile in BROKEN.values())
    assert len(EXPECTED) == 28


@pytest.mark.parametrize("place", BROKEN, ids=lambda place: BROKEN[place].kind)
def test_a_broken_profile_keeps_its_row_and_values_and_is_reported(place: int, sample: pd.DataFrame) -> None:
    own = USERS[place]["id"]
    assert sample["id"].tolist()[place] == own
    assert [found[1:] for found in told(sample) if found[0] == own] == EXPECTED[BROKEN[place].kind]
    for name in ("region", "department", "approval_limit"):
        value = sample[name].tolist()[place]
        public = BROKEN[place].public
        assert (
            value is MISSING
            if name not in public
            else (type(value), value) == (type(public[name]), public[name])
        )


def test_of_the_other_users_only_those_without_a_role_are_reported(sample: pd.DataFrame) -> None:
    broken = {USERS[place]["id"] for place in BROKEN}
    others = {own: problem for own, problem, _ in told(sample) if own not in broken}
    assert set(others.values()) == {"no role"}
    assert len(others) == 4


def test_the_report_is_in_the_order_of_the_principals(sample: pd.DataFrame) -> None:
    order = [own for own, _, _ in told(sample)]
    assert order == sorted(order, key=sample["id"].tolist().index)


def test_a_user_without_the_named_profile_is_reported_and_markup_stays_text() -> None:
    mapping = lab.Mapping(profile={"email": "primary_email_address", "name": "first_name"})
    frame = lab.load_principals(SAMPLE, mapping=mapping)
    assert (USERS[80]["id"], LACKING, "email") in told(frame)
    assert frame["name"].tolist()[83] == "<b>Bo</b>"
    details = " ".join(lab.problems(frame)["detail"])
    assert "@" not in details
    assert "Bo" not in details


# --- the report goes with the frame -------------------------------------------------------------


def test_the_report_survives_operations_of_pandas(sample: pd.DataFrame) -> None:
    everything = told(sample)
    assert told(sample.copy()) == told(copy.deepcopy(sample)) == told(pickle.loads(pickle.dumps(sample)))
    assert told(sample.copy()) == everything
    assert told(pd.concat([sample.iloc[:50], sample.iloc[50:]])) == everything
    assert (
        told(sample.assign(level=3).rename(columns={"level": "grade"}).reset_index(drop=True)) == everything
    )
    for part in (sample[sample["region"] == "south"], sample.query("department == 'sales'"), sample.head(30)):
        ids = set(part["id"])
        assert 0 < len(told(part)) == len([line for line in everything if line[0] in ids])


def test_a_frame_that_lost_its_report_is_examined_again(sample: pd.DataFrame) -> None:
    somebody = pd.DataFrame(
        [{"id": "user_new", "roles": ("manger",), "region": "south", "department": "sales"}]
    )
    joined = pd.concat([sample, somebody])
    assert joined.attrs == {}
    of_the_frame = {UNUSUAL, MISTYPED, LACKING}
    odd_texts = {USERS[place]["id"] for place in BROKEN if BROKEN[place].kind in ODD_REGIONS}
    expected = [line for line in told(sample) if line[1] in of_the_frame and line[0] not in odd_texts]
    assert told(joined) == [*expected, ("user_new", UNUSUAL, "roles")]


def test_changing_the_returned_report_does_not_change_the_stored_one(
    sample: pd.DataFrame, pdp: lab.PDP
) -> None:
    before = lab.problems(sample)
    changed = lab.problems(sample, pdp)
    changed.loc[:, "detail"] = ""
    pd.testing.assert_frame_equal(lab.problems(sample), before)


def test_a_pdp_adds_what_policies_read_and_somebody_lacks(sample: pd.DataFrame, pdp: lab.PDP) -> None:
    limit = sample["approval_limit"].tolist()
    lacking = {own for own, value in zip(sample["id"], limit, strict=True) if value is MISSING}
    added = [line for line in told(sample, pdp) if line not in told(sample)]
    assert added == [(own, "not set, but read", "approval_limit") for own in sample["id"] if own in lacking]
    told_before = [line for line in told(sample, pdp) if line[1] != "not set, but read"]
    assert told_before == told(sample)


def test_a_pdp_marks_what_no_policy_reads(pdp: lab.PDP) -> None:
    publics = [{"role": "user", "shoe": 7, "region": "south"}] * 5 + [{"role": "user", "shoe": "7"}]
    raw = [{"id": f"user_{n}", "public_metadata": public} for n, public in enumerate(publics)]
    frame = lab.to_principals(parse_users(raw, paths=(), where="here"))
    details = lab.problems(frame, pdp).set_index("attribute")["detail"]
    assert details["shoe"].endswith("; no policy reads it")
    assert not str(details["region"]).endswith("; no policy reads it")


@pytest.mark.parametrize("gap", [np.nan, pd.NA, pd.NaT, MISSING])
def test_every_missing_value_of_pandas_is_an_attribute_not_set(gap: object, pdp: lab.PDP) -> None:
    rows = [{"id": "a", "roles": ("manager",), "approval_limit": gap, "region": "south", "department": None}]
    assert told(pd.DataFrame(rows, dtype=object), pdp) == [("a", "not set, but read", "approval_limit")]


def test_a_what_if_person_is_reported_once(sample: pd.DataFrame, pdp: lab.PDP) -> None:
    varied = lab.vary(sample.head(3), region=["south", "west"])
    assert told(varied, pdp) == told(sample.head(3), pdp)


def test_well_formed_principals_fit_into_parquet_and_mixed_types_are_refused(
    sample: pd.DataFrame, tmp_path: Path
) -> None:
    whole = sample.drop(index=list(BROKEN))
    whole.to_parquet(tmp_path / "principals.parquet")
    back = pd.read_parquet(tmp_path / "principals.parquet")
    assert [tuple(roles) for roles in back["roles"]] == whole["roles"].tolist()
    for name in ("id", "region", "department", "approval_limit"):
        assert back[name].isna().tolist() == whole[name].isna().tolist()
        assert back[name].dropna().tolist() == whole[name].dropna().tolist()
    assert told(back) == told(whole)
    with pytest.raises(ValueError, match="approval_limit"):  # Parquet can't hold 5000 beside "5000"
        sample.to_parquet(tmp_path / "mixed.parquet")
