"""The sample data: made by its script, in Clerk's shapes, about nobody, broken where it says."""

import csv
import json
import re
import runpy
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clerk_backend_api import models
from clerk_contract import errors

DATA = Path(__file__).parents[2] / "data"
FILES = (
    *("clerk_users.json", "clerk_organization_memberships.json", "expenses.csv", "people.csv"),
    *("auth0_users.json", "auth0_roles.json", "okta_users.json", "okta_groups.json"),
    *("workos_users.json", "workos_organization_memberships.json", "workos_directory_users.json"),
)
ROLES = {"employee", "manager", "finance", "admin"}
REGIONS = {"northeast", "south", "midwest", "west"}
DEPARTMENTS = {"engineering", "sales", "marketing", "operations", "finance"}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def script() -> Json:
    """Return the names that the script defines."""
    return runpy.run_path(str(DATA / "make_sample.py"))


@pytest.fixture(scope="module")
def users() -> list[Json]:
    """Return the sample users."""
    loaded: list[Json] = json.loads((DATA / "clerk_users.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def memberships() -> Json:
    """Return the sample memberships, as Clerk's answer holds them."""
    path = DATA / "clerk_organization_memberships.json"
    loaded: Json = json.loads(path.read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def expenses() -> list[dict[str, str]]:
    """Return the rows of the sample expenses."""
    with (DATA / "expenses.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def well_formed(users: list[Json], script: Json) -> list[Json]:
    """Return the users that the script does not break."""
    broken = script["broken_profiles"]("")
    return [user for place, user in enumerate(users) if place not in broken]


def roles_of(user: Json) -> list[str]:
    """Return the roles of a well-formed user, as the default mapping takes them."""
    public = user["public_metadata"]
    roles: list[str] = public.get("roles") or [public.get("role", "user")]
    return roles


@pytest.mark.parametrize("name", FILES)
def test_the_script_makes_the_committed_file_byte_for_byte(name: str, script: Json, tmp_path: Path) -> None:
    script["main"](tmp_path)
    assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_there_are_enough_users_memberships_and_expenses(
    users: list[Json], memberships: Json, expenses: list[dict[str, str]]
) -> None:
    assert len(users) == 96
    assert len({user["id"] for user in users}) == 96
    assert memberships["total_count"] == len(memberships["data"]) == 60
    assert len({membership["organization"]["id"] for membership in memberships["data"]}) == 3
    assert len(expenses) == 2400


def test_every_user_is_valid_under_clerks_schema(users: list[Json]) -> None:
    assert errors("list of User", users) == []


def test_every_membership_is_valid_under_clerks_schema(memberships: Json) -> None:
    assert errors("OrganizationMemberships", memberships) == []


def test_a_user_with_one_unknown_field_is_not_valid(users: list[Json]) -> None:
    (wrong,) = errors("User", {**users[0], "region": "south"})
    assert "region" in wrong


def test_the_official_sdk_parses_every_user_and_membership(users: list[Json], memberships: Json) -> None:
    for user in users:
        assert models.User.model_validate(user).public_metadata == user["public_metadata"]
    for membership in memberships["data"]:
        parsed = models.OrganizationMembership.model_validate(membership)
        assert parsed.role == membership["role"]


def test_users_and_memberships_come_newest_first(users: list[Json], memberships: Json) -> None:
    for rows in (users, memberships["data"]):
        times = [row["created_at"] for row in rows]
        assert times == sorted(times, reverse=True)
        assert all(1_000_000_000_000 < time < 2_000_000_000_000 for time in times)  # milliseconds


def test_every_membership_belongs_to_a_user_with_the_same_name(users: list[Json], memberships: Json) -> None:
    known = {user["id"]: user for user in users}
    for membership in memberships["data"]:
        shown = membership["public_user_data"]
        assert shown["first_name"] == known[shown["user_id"]]["first_name"]
    roles = Counter(membership["role"] for membership in memberships["data"])
    assert roles == {"org:admin": 6, "org:billing": 6, "org:member": 48}


def test_users_are_broken_in_many_distinct_ways_where_the_script_says(
    users: list[Json], script: Json
) -> None:
    broken = script["broken_profiles"](users[0]["id"])
    assert len(broken) == len({profile.kind for profile in broken.values()}) >= 12
    for position, profile in broken.items():
        user = users[position]
        assert user["public_metadata"] == profile.public
        assert {name: user[name] for name in profile.user} == profile.user


def test_the_readme_lists_every_broken_user(script: Json) -> None:
    readme = (DATA / "README.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| (\d+) \| (.+?) \|", readme, re.MULTILINE))
    broken = script["broken_profiles"]("")
    assert listed == {str(position): profile.kind for position, profile in broken.items()}


def test_all_other_users_have_known_roles_regions_departments_and_limits(
    well_formed: list[Json],
) -> None:
    for user in well_formed:
        public = user["public_metadata"]
        assert public.keys() <= {"role", "roles", "region", "department", "approval_limit"}
        assert not {"role", "roles"} <= public.keys()
        assert set(roles_of(user)) <= ROLES | {"user"}
        assert public["region"] in REGIONS
        assert public["department"] in DEPARTMENTS
        assert type(public.get("approval_limit", 1)) is int
        assert public.get("approval_limit", 1) > 0
        assert not user["banned"] | user["locked"]


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_every_region_has_managers_with_several_limits_and_two_people_in_finance(
    region: str, well_formed: list[Json]
) -> None:
    here = [user for user in well_formed if user["public_metadata"]["region"] == region]
    counts = Counter(role for user in here for role in roles_of(user))
    assert counts["manager"] >= 3
    assert counts["finance"] >= 2
    assert counts["employee"] >= 5
    limits = {user["public_metadata"].get("approval_limit") for user in here if "manager" in roles_of(user)}
    assert {None, 7500, 15000, 25000} <= limits


def test_the_primary_address_is_sometimes_not_the_first_one(users: list[Json]) -> None:
    firsts = [user for user in users if user["email_addresses"]]
    assert any(user["email_addresses"][0]["id"] != user["primary_email_address_id"] for user in firsts)


def test_names_come_in_many_scripts(users: list[Json]) -> None:
    text = " ".join(f"{user['first_name']} {user['last_name']}" for user in users)
    samples = {
        "diacritics": "[À-ž]",
        "apostrophe": "'",
        "Greek": "[\u0370-\u03ff]",
        "Cyrillic": "[\u0400-\u04ff]",
        "Hebrew": "[\u0590-\u05ff]",
        "Arabic": "[\u0600-\u06ff]",
        "Devanagari": "[\u0900-\u097f]",
        "Japanese": "[\u3040-\u30ff]",
        "Chinese": "[\u4e00-\u9fff]",
        "Korean": "[\uac00-\ud7af]",
        "emoji": "[\U0001f300-\U0001faff]",
    }
    assert [name for name, pattern in samples.items() if not re.search(pattern, text)] == []


@pytest.mark.parametrize("name", FILES)
def test_only_example_domains_and_fictional_telephone_numbers_occur(name: str) -> None:
    text = (DATA / name).read_text("utf-8")
    domains = set(re.findall(r"@([\w.-]+)", text)) | set(re.findall(r"https?://([\w.-]+)", text))
    assert domains <= {"example.com", "example.org", "img.example.com"}
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", found) for found in re.findall(r"\+\d+", text))


@pytest.mark.parametrize("name", [*FILES, "make_sample.py", "README.md"])
def test_nothing_looks_like_a_secret(name: str) -> None:
    text = (DATA / name).read_text("utf-8")
    pattern = r"\b(sk|pk|rk|whsec|ghp)_\w+|\beyJ[\w-]+\.|BEGIN [A-Z ]*KEY|AKIA[A-Z0-9]{16}|Bearer \S"
    assert re.search(pattern, text) is None


def test_amounts_are_the_cents_as_dollars_with_two_decimals(
    expenses: list[dict[str, str]],
) -> None:
    for row in expenses:
        assert re.fullmatch(r"\d+\.\d\d", row["amount"])
        assert row["amount"].replace(".", "").lstrip("0") == row["amount_cents"]
        assert 800 <= int(row["amount_cents"]) <= 12_000_000
        assert row["currency"] == "USD"


@pytest.mark.parametrize("dollars", [5_000, 10_000, 50_000])
def test_some_amounts_lie_at_a_limit_and_some_one_cent_above(
    dollars: int, expenses: list[dict[str, str]]
) -> None:
    cents = Counter(int(row["amount_cents"]) for row in expenses)
    assert cents[dollars * 100] >= 2
    assert cents[dollars * 100 + 1] >= 1


def test_amounts_are_skewed_with_a_long_tail(expenses: list[dict[str, str]]) -> None:
    dollars = sorted(float(row["amount"]) for row in expenses)
    median = dollars[len(dollars) // 2]
    assert median < 2_000 < sum(dollars) / len(dollars)
    assert dollars[-1] > 60_000


def test_every_expense_belongs_to_a_well_formed_employee_of_its_region_and_department(
    expenses: list[dict[str, str]], well_formed: list[Json]
) -> None:
    employees = {user["id"]: user for user in well_formed if "employee" in roles_of(user)}
    for row in expenses:
        public = employees[row["owner"]]["public_metadata"]
        assert (row["region"], row["department"]) == (public["region"], public["department"])
    assert {row["owner"] for row in expenses} == employees.keys()


def test_expenses_have_the_dates_that_their_status_needs(expenses: list[dict[str, str]]) -> None:
    first, last = date(2026, 4, 1), date(2026, 9, 30)
    statuses = Counter(row["status"] for row in expenses)
    assert statuses.keys() == {"DRAFT", "OPEN", "APPROVED", "REJECTED", "PAID"}
    for row in expenses:
        assert bool(row["submitted_at"]) == (row["status"] != "DRAFT")
        assert bool(row["decided_at"]) == (row["status"] in {"APPROVED", "REJECTED", "PAID"})
        days = [date.fromisoformat(row[name]) for name in ("submitted_at", "decided_at") if row[name]]
        assert days == sorted(days)
        assert all(first <= day <= last for day in days)


@pytest.mark.parametrize("name", FILES)
def test_lines_end_in_a_line_feed_alone(name: str) -> None:
    content = (DATA / name).read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
