"""The question is kept with its answer: it can be read, written as a call, asked again; it has units."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st
from made_decisions import Mapped, made, mapped
from small_policies import up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions import cube
from clerk_cerbos_lab.display.payload import payload
from clerk_cerbos_lab.display.threshold_strips import svg, table

DATA = Path(__file__).parents[2] / "data" / "clerk_users.json"
CALLS = [
    {"amount": lab.amounts(0, 60_000, step=500), "region": ["south", "west"], "status": "OPEN"},
    {"amount": [0, 0.1, 0.2, 0.3, 0.4], "owner": [lab.SELF, lab.OTHER], "region": lab.MISSING},
    {"amount": [5_000, 10_000, 50_000], "attr": {"class": "a", "kind": [1, None, True]}},
    {"amount": [1e-7, 2e-7, 3.5], "tags": [["a", "b"]], "attr": {"scope": 3, "more": {"deep": [1, "x"]}}},
    {"amount": 7, "resource_id": ["a", "b"], "region": ["south"]},
]


@pytest.mark.parametrize("given_attributes", CALLS)
def test_the_call_makes_the_same_decisions(pdp: lab.PDP, given_attributes: dict[str, object]) -> None:
    principals = lab.load_principals(DATA).head(6)
    decisions = lab.sweep(pdp, principals, "expense", actions=["approve", "view"], **given_attributes)  # type: ignore[arg-type]
    again = eval(decisions.call, {"lab": lab, "pdp": pdp, "principals": principals})
    assert again.question == decisions.question
    assert again.call == decisions.call
    assert (again.allowed() == decisions.allowed()).all()
    part = decisions.sel(action="view", principal=list(decisions.names[:2]))
    assert part.question.actions == ("view",)
    assert "actions=['view']" in part.call


def test_evenly_spaced_amounts_are_written_as_a_person_would(pdp: lab.PDP) -> None:
    principals = lab.load_principals(DATA).head(2)
    amounts = lab.amounts(0, 60_000, step=500)
    decisions = lab.sweep(
        pdp, principals, "expense", actions="approve", amount=amounts, status="OPEN", units={"amount": "USD"}
    )
    assert decisions.call == (
        "lab.sweep(pdp, principals, 'expense', actions=['approve'], amount=lab.amounts(0, 60_000, step=500), "
        "status='OPEN', units={'amount': 'USD'})"
    )


def test_the_question_contains_versions_and_scopes_but_no_token(tmp_path: Path) -> None:
    text = up_to(10).replace('version: "default"', 'version: "v2"').replace("version: default", "version: v2")
    parts = ({"alg": "none"}, {"sub": "secret"})
    token = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    config = {"auxData": {"jwt": {"disableVerification": True}}}
    with lab.PDP(write(tmp_path / "p", thing=text), config=config) as pdp:
        decisions = lab.sweep(pdp, users(), "thing", amount=[1], policy_version="v2", aux_data=f"{token}.")
    assert decisions.question.policy_version == "v2"
    assert decisions.question.aux_data is None
    assert token not in repr(decisions.question) + decisions.call
    assert decisions.call.endswith("policy_version='v2', aux_data=aux_data)")


# -- units --------------------------------------------------------------------------------------


def test_units_are_shown_in_heads_strips_pages_files_and_thresholds(pdp: lab.PDP, tmp_path: Path) -> None:
    people = lab.load_principals(DATA).head(5)
    decisions = lab.sweep(
        pdp, people, "expense", actions="approve", amount=[0, 9_000], region=["south", "west"], status="OPEN",
        units={"amount": "USD"},
    )  # fmt: skip
    assert "amount (USD) 0" in repr(decisions)
    matrix = decisions.show()
    assert "amount (USD)" in matrix._repr_mimebundle_()["text/html"]
    made_of = payload(decisions, decisions.shown())
    titles = {dim["name"]: dim.get("title") for dim in made_of.header["dims"]}
    assert titles == {
        "principal": "person",
        "action": None,
        "amount": "amount (USD)",
        "region": "expense region",
    }
    assert "amount (USD)" in svg(made_of)
    assert "effect" in table(made_of)
    decisions.to_html(tmp_path / "page.html")
    assert "amount (USD)" in (tmp_path / "page.html").read_text("utf-8")
    assert decisions.thresholds("amount").attrs["units"] == {"amount": "USD"}
    assert list(decisions.frame().columns) == ["principal", "action", "amount", "region", "effect"]


def test_units_of_attributes_that_are_not_asked_about_are_refused(pdp: lab.PDP) -> None:
    people = lab.load_principals(DATA).head(2)
    with pytest.raises(lab.InputError, match="no attribute 'amout' is asked about; did you mean 'amount'"):
        lab.sweep(pdp, people, "expense", amount=[1], units={"amout": "USD"})
    with pytest.raises(lab.InputError, match="units must be a dict"):
        lab.sweep(pdp, people, "expense", amount=[1], units="USD")  # type: ignore[arg-type]


def test_an_explorer_shows_units_too(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, lab.load_principals(DATA).head(3), "expense", units={"amount": "USD"})
    assert "units={'amount': 'USD'}" in explorer.call
    assert explorer.decisions.question.units == {"amount": "USD"}
    assert "amount (USD)" in explorer._repr_mimebundle_()["text/html"]
    with pytest.raises(lab.InputError, match="no attribute 'colour'"):
        lab.explore(pdp, lab.load_principals(DATA).head(3), "expense", units={"colour": "nm"})


# -- arrays -------------------------------------------------------------------------------------


def test_a_slice_as_an_xarray_has_the_labels_and_effects_of_the_decisions(pdp: lab.PDP) -> None:
    people = lab.load_principals(DATA).head(4)
    decisions = lab.sweep(
        pdp, people, "expense", amount=[0, 7_000, 60_000], region=["south", lab.MISSING], status="OPEN",
        units={"amount": "USD"},
    ).sel(action=["approve", "view"])  # fmt: skip
    array = decisions.to_xarray()
    assert isinstance(array, xarray.DataArray)
    assert array.dims == decisions.dims
    assert (array.values == decisions.allowed()).all()
    assert array.sel(action="approve").amount.values.tolist() == [0, 7_000, 60_000]
    assert array.attrs["units"] == {"amount": "USD"}
    assert json.dumps({name: str(value) for name, value in array.attrs.items()})


def test_too_many_decisions_for_an_array_are_refused() -> None:
    wide = made(np.zeros((1, 1, 1), bool), {"amount": [1]})
    assert wide.to_xarray().size == 1
    many = Mapped(np.zeros((1, 1, 1), bool), (np.zeros(300_000, int), np.zeros(1_000, int), np.zeros(1, int)))
    with pytest.raises(lab.InputError, match="300,000,000 decisions; select 200,000,000 at most"):
        made(many, {"amount": [1]}).to_xarray()


# -- cubes that are extended and compared -----------------------------------------------------------


@given(cells=mapped(), dim=st.integers(0, 3), cut=st.integers(0, 5))
def test_two_parts_of_a_cube_joined_again_are_the_whole(cells: Mapped, dim: int, cut: int) -> None:
    whole = cube.SweptCube(cells)
    every = [np.arange(n) for n in whole.shape]
    at = min(cut, whole.shape[dim])
    parts = []
    for chosen in (every[dim][:at], every[dim][at:]):
        index = [chosen if d == dim else own for d, own in enumerate(every)]
        codes, representatives = whole.classes(index[0])
        index[0] = index[0][representatives]
        parts.append(cube.ClassCube(codes, whole.take(index)))
    joined = cube.extended(parts[0], parts[1], dim)
    assert joined.shape == whole.shape
    assert (joined.take(every) == whole.take(every)).all()
    back = [own[::-1] for own in every]
    assert (joined.take(back) == whole.take(back)).all()
    assert joined.count(every) == whole.count(every)
    codes, representatives = joined.classes(every[0])
    assert (joined.take([representatives[codes], *every[1:]]) == whole.take(every)).all()
    assert cube.compared(joined, whole, every) == cube.Change(0, 0)


def test_exact_lines_of_parts_are_the_lines_of_the_whole(pdp: lab.PDP) -> None:
    people = lab.load_principals(DATA).head(12)
    asked: dict[str, Any] = {"actions": ["approve", "view"], "amount": [0, 7_000], "status": "OPEN"}
    regions = ["south", "west", "northeast"]
    whole = lab.sweep(pdp, people, "expense", region=regions, **asked)
    every = [np.arange(n) for n in whole.shape]
    by_region = [
        lab.sweep(pdp, people, "expense", region=some, **asked) for some in (regions[:2], regions[2:])
    ]
    by_people = [
        lab.sweep(pdp, some, "expense", region=regions, **asked) for some in (people[:5], people[5:])
    ]
    amount, region = whole.dims.index("amount"), whole.dims.index("region")
    wanted = whole.cube.intervals(amount, every)
    assert wanted is not None
    for parts, dim in ((by_region, region), (by_people, 0)):
        joined = cube.extended(parts[0].cube, parts[1].cube, dim)
        found = joined.intervals(amount, every)
        assert found is not None
        for one, other in zip(found.codes, wanted.codes, strict=True):
            assert (one == other).all()
        for name, column in wanted.columns.items():
            assert (np.asarray(found.columns[name]) == np.asarray(column)).all(), name
        assert joined.intervals(region, every) is None


def test_a_moved_limit_is_counted_as_gained_and_lost(tmp_path: Path) -> None:
    cubes = []
    for limit in (5, 8):
        with lab.PDP(write(tmp_path / str(limit), thing=up_to(limit))) as pdp:
            cubes.append(lab.sweep(pdp, users(3), "thing", actions=["approve"], amount=range(11)).cube)
    every = [np.arange(n) for n in cubes[0].shape]
    assert cube.compared(cubes[1], cubes[0], every) == cube.Change(gained=9, lost=0)
    assert cube.compared(cubes[0], cubes[1], every) == cube.Change(gained=0, lost=9)
