"""One mapping serves every provider; it is data that is printed, changed, stored and checked."""

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.people import person_of, principals_of
from clerk_cerbos_lab.identity.shapes import PROVIDERS, SHAPES

Json = dict[str, Any]

USERS: dict[str, Json] = {
    "clerk": {"id": "c", "public_metadata": {"role": "manager", "region": "south"}, "username": "amy"},
    "auth0": {
        "user_id": "auth0|1",
        "email": "amy@example.com",
        "identities": [{"provider": "google-oauth2"}],
        "app_metadata": {"role": "manager", "region": "south", "limits": {"expense": 5000}},
        "user_metadata": {"role": "admin"},
    },
    "okta": {"id": "00u1", "profile": {"department": "sales", "email": "amy@example.com", "grade": 7}},
    "workos": {"id": "user_1", "email": "amy@example.com", "metadata": {"limit": "5000", "open": "yes"}},
    "workos-directory": {
        "id": "directory_user_1",
        "role": {"slug": "manager"},
        "custom_attributes": {"department": "sales"},
    },
}


def made(mapping: lab.Mapping, **joined: list[str]) -> pd.DataFrame:
    """Return the principal that the mapping makes of the provider's user."""
    person = person_of(USERS[mapping.provider], mapping, joined=joined)
    return principals_of([person], mapping)


def of(provider: str, **parts: Any) -> lab.Mapping:
    return lab.Mapping.of(provider, **parts)  # type: ignore[arg-type] # any text, to see what is refused


@pytest.mark.filterwarnings("ignore:no user has")
@pytest.mark.parametrize(
    ("provider", "joined", "roles", "attributes"),
    [
        ("clerk", {}, ("manager",), {"region": "south"}),
        (
            "auth0",
            {"assigned_roles": ["manager", "finance"]},
            ("manager", "finance"),
            {"email": "amy@example.com", "provider": "google-oauth2"},
        ),
        ("okta", {"groups": ["Managers"]}, ("Managers",), {}),
        (
            "workos",
            {"organization_roles": ["admin"]},
            ("user",),
            {"metadata": {"limit": "5000", "open": "yes"}},
        ),
        ("workos-directory", {"group_names": ["Sales"]}, ("manager",), {"department": "sales"}),
    ],
)
def test_the_default_is_that_of_the_providers_starter_app(
    provider: str, joined: Json, roles: tuple[str, ...], attributes: Json
) -> None:
    frame = made(of(provider), **joined)
    assert frame["id"].tolist() == [USERS[provider][SHAPES[provider].id]]
    assert frame["roles"].tolist() == [roles]
    assert attributes.items() <= frame.iloc[0].to_dict().items()


def test_paths_start_in_the_providers_own_user() -> None:
    auth0 = of(
        "auth0",
        roles=("app_metadata.role",),
        metadata=("region",),
        profile={"limit": "app_metadata.limits.expense"},
    )
    assert made(auth0).drop(columns="id").to_dict("records") == [
        {"roles": ("manager",), "region": "south", "limit": 5000}
    ]
    okta = of("okta", metadata=("grade",), profile={"department": "profile.department", "all": "groups"})
    assert made(okta, groups=["A", "B"]).drop(columns="id").to_dict("records") == [
        {"roles": ("A", "B"), "grade": 7, "department": "sales", "all": ["A", "B"]}
    ]


def test_what_a_provider_keeps_as_text_gets_the_declared_type_or_a_report() -> None:
    mapping = of("workos", metadata="*", profile={}, types={"limit": "number", "open": "boolean"})
    frame = made(mapping)
    assert (frame["limit"].tolist(), frame["open"].tolist()) == ([5000], ["yes"])
    report = lab.problems(frame)
    assert report[["problem", "attribute", "detail"]].values.tolist() == [
        ["mistyped attribute", "open", "a text, where the mapping declares a boolean"]
    ]


@pytest.mark.parametrize(
    ("mapping", "shareable"),
    [
        (of("workos", metadata="*", profile={"email": "email"}), ["limit", "open"]),
        (of("okta", metadata="*"), []),
        (of("okta", metadata=("grade", "email"), shareable=("grade",)), ["grade"]),
        (of("okta", profile={"department": "profile.department"}, shareable=("department",)), ["department"]),
    ],
)
def test_only_what_is_known_to_hold_nothing_personal_may_be_shown(
    mapping: lab.Mapping, shareable: list[str]
) -> None:
    frame = made(mapping, **{name: ["x"] for name in mapping.joined()})
    assert frame.attrs["shareable"] == shareable
    assert all(mapping.is_personal(name) == (name not in shareable) for name in frame.columns[2:])


def test_what_users_of_auth0_can_write_is_read_only_if_named_and_warns_at_the_callers_line() -> None:
    with pytest.warns(lab.LabWarning, match="user_metadata") as caught:
        mapping = lab.Mapping(provider="auth0", roles=("user_metadata.role",))
    assert caught[0].filename == __file__
    assert "users can write it" in repr(mapping)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of("auth0")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stored_mapping_is_the_same_mapping(provider: str, tmp_path: Path) -> None:
    mapping = of(provider, default_roles=("guest",), types={"limit": "number"}, required=("limit",))
    assert lab.Mapping.from_json(mapping.to_json()) == mapping
    (tmp_path / "mapping.json").write_text(mapping.to_json(), "utf-8")
    assert lab.Mapping.from_json(tmp_path / "mapping.json") == mapping
    assert dataclasses.replace(mapping, default_roles=("user",), types={}, required=()) == of(provider)
    assert lab.Mapping.from_json(json.dumps({"version": 1, "provider": provider})) == of(provider)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"provider": "oktaa"}, "did you mean 'okta'"),
        ({"provider": None}, r"Mapping\.provider"),
        ({"provider": "okta", "roles": ("public_metadata.role",)}, "a user of Clerk, not of Okta"),
        ({"provider": "auth0", "profile": {"x": "profile.department"}}, "a user of Okta, not of Auth0"),
        ({"profile": {"x": "app_metadata.x"}}, "a user of Auth0, not of Clerk"),
        ({"provider": "okta", "organization_roles": True}, "Okta has no list of roles in organizations"),
        ({"organization_roles": "yes"}, r"Mapping\.organization_roles"),
        ({"types": {"x": "int"}}, r"Mapping\.types\['x'\] must be one of text"),
        ({"types": ["x"]}, r"Mapping\.types"),
        ({"shareable": "x"}, r"Mapping\.shareable"),
    ],
)
def test_a_malformed_mapping_is_refused(parts: Json, words: str) -> None:
    with pytest.raises(lab.InputError, match=words):
        lab.Mapping(**parts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"provider": "okta"}', "version"),
        ('{"version": 2, "provider": "okta"}', "its version is not 1"),
        ('{"version": 1, "provider": "ping"}', "provider: Input should be 'clerk'"),
        ('{"version": 1, "provider": "okta", "role": []}', "no part 'role'; did you mean"),
        ('{"version": 1, "provider": "okta", "roles": "groups"}', "roles: Input should be a valid"),
        ('{"version": 1, "provider": "okta", "roles": [7], "types": 1}', r"roles\.0: .*; types: "),
        ('{"version": 1, "provider": "okta", "types": {"x": "int"}}', "must be one of text"),
    ],
)
def test_a_stored_mapping_in_another_form_is_refused_and_the_part_is_named(text: str, words: str) -> None:
    with pytest.raises(lab.InputError, match=words) as caught:
        lab.Mapping.from_json(text)
    assert "pydantic" not in str(caught.value)


def test_a_stored_mapping_that_can_not_be_read_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match=r"nowhere\.json: can't be read"):
        lab.Mapping.from_json(tmp_path / "nowhere.json")


def test_a_part_that_no_mapping_has_is_refused() -> None:
    with pytest.raises(lab.InputError, match="no part 'role'; did you mean"):
        of("okta", role=("groups",))


def test_a_mapping_for_another_provider_is_refused() -> None:
    with pytest.raises(lab.InputError, match=r"start from lab\.Mapping\.of\('clerk'\)"):
        lab.to_principals([], of("okta"))
