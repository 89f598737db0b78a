"""The same invented people from Clerk, Auth0, Okta, WorkOS and a table get the same decisions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clerk_cerbos_lab as lab

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"

ATTRIBUTES = ("region", "department", "approval_limit")
TEXTS = {"region": "json", "approval_limit": "json"}
of = lab.Mapping.of

SOURCES = {
    "auth0": lambda: lab.load_principals(
        DATA / "auth0_users.json",
        mapping=of("auth0", metadata="*", profile={}),
        memberships=DATA / "auth0_roles.json",
    ),
    "okta": lambda: lab.load_principals(
        DATA / "okta_users.json",
        mapping=of("okta", metadata=ATTRIBUTES, shareable=ATTRIBUTES),
        memberships=DATA / "okta_groups.json",
    ),
    "workos": lambda: lab.load_principals(
        DATA / "workos_users.json",
        mapping=of("workos", roles=("organization_roles",), metadata="*", profile={}, types=TEXTS),
        memberships=DATA / "workos_organization_memberships.json",
    ),
    "workos-directory": lambda: lab.load_principals(
        DATA / "workos_directory_users.json",
        mapping=of("workos-directory", roles=("group_names",), shareable=ATTRIBUTES),
    ),
    "table": lambda: lab.principals_from_table(DATA / "people.csv", types=TEXTS),
}

CANT_SIGN_IN = {"banned", "locked", "blocked", "suspended", "locked out", "inactive"}


@pytest.fixture(scope="module")
def pdp() -> Iterator[lab.PDP]:
    """Return a PDP with the sample policies."""
    with lab.PDP(ROOT / "policies") as running:
        yield running


def sweep(pdp: lab.PDP, principals: pd.DataFrame) -> lab.Decisions:
    return lab.sweep(
        pdp,
        principals,
        "expense",
        actions=["view", "approve"],
        amount=lab.amounts(0, 60_000, step=500),
        region=["northeast", "south"],
        owner=[lab.SELF, lab.OTHER],
        status="OPEN",
    )


@pytest.fixture(scope="module")
def clerk() -> pd.DataFrame:
    """Return the principals of Clerk's sample."""
    return lab.load_principals(DATA / "clerk_users.json")


@pytest.fixture(scope="module")
def expected(pdp: lab.PDP, clerk: pd.DataFrame) -> lab.Decisions:
    """Return the decisions about them."""
    return sweep(pdp, clerk)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_the_same_decisions(name: str, pdp: lab.PDP, expected: lab.Decisions) -> None:
    found = sweep(pdp, SOURCES[name]())
    effects, wanted = (decisions.frame()["effect"].to_numpy() for decisions in (found, expected))
    assert len(effects) == 96 * 2 * 121 * 2 * 2
    assert np.array_equal(effects, wanted)
    assert 0 < (effects == "ALLOW").sum() < len(effects)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_the_same_roles_and_attributes(name: str, clerk: pd.DataFrame) -> None:
    found = SOURCES[name]()
    for column in ATTRIBUTES:
        pairs = zip(found[column], clerk[column], strict=True)
        assert all(a is b or (type(a) is type(b) and a == b) for a, b in pairs), column
    assert [set(roles) for roles in found["roles"]] == [set(roles) for roles in clerk["roles"]]


@pytest.mark.parametrize("name", SOURCES)
def test_people_who_can_not_sign_in_are_kept_and_reported(name: str, clerk: pd.DataFrame) -> None:
    if name == "workos":  # its users have no such state
        return
    found = SOURCES[name]()
    places = [[frame["id"].tolist().index(own) for own in stopped(frame)] for frame in (found, clerk)]
    assert places[0] == places[1] == [65, 68]


def stopped(frame: pd.DataFrame) -> list[str]:
    report = lab.problems(frame)
    return report[report["problem"].isin(CANT_SIGN_IN)]["principal"].tolist()
