"""``decisions.gaps`` finds the exact amounts with too few approvers, as brute force does."""

import itertools
import math
import os
import random
from pathlib import Path
from typing import Any

import generated_policies
import numpy as np
import pandas as pd
import pytest
from explained import a_rule, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.quality import is_missing
from clerk_cerbos_lab.values import key


def named(*rows: dict[str, Any]) -> pd.DataFrame:
    """Principals who are shown by their ids."""
    frame = pd.DataFrame([{"roles": ("user",), **row} for row in rows], dtype=object)
    return lab.shareable(frame, *(name for name in frame.columns if name != "roles"))


def limited(folder: Path, *more: dict[str, Any]) -> Path:
    """A policy by which people approve up to their limit in their region."""
    condition = "R.attr.amount > 0 && R.attr.amount <= P.attr.limit && R.attr.region == P.attr.region"
    return write(folder / "policies", thing=thing(a_rule("limited", condition), *more))


NOT_OWN = a_rule("not-own", "R.attr.owner == P.id", effect="DENY", roles=["*"])

PEOPLE = [
    {"id": "ann", "limit": 100, "region": "south", "department": "sales"},
    {"id": "bob", "limit": 250.5, "region": "south", "department": "legal"},
    {"id": "cid", "limit": 70, "region": "west", "department": lab.MISSING},
]


def rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The table without what is the same in all of its rows."""
    assert table["exact"].all()
    return list(table.drop(columns="exact").itertuples(index=False, name=None))


def test_gaps_of_regions_are_exact_intervals_whatever_the_grid(tmp_path: Path) -> None:
    made = swept(limited(tmp_path), named(*PEOPLE), amount=[0, 1000], region=["south", "west", "north"])
    assert rows(made.gaps("amount", by="region")) == [
        ("south", -math.inf, False, 0, True, "nobody", 0, ()),
        ("south", 250.5, False, math.inf, False, "nobody", 0, ()),
        ("west", -math.inf, False, 0, True, "nobody", 0, ()),
        ("west", 70, False, math.inf, False, "nobody", 0, ()),
        ("north", -math.inf, False, math.inf, False, "nobody", 0, ()),
    ]


def test_too_few_approvers_are_named(tmp_path: Path) -> None:
    made = swept(limited(tmp_path), named(*PEOPLE), amount=[0, 1000], region="south")
    assert rows(made.gaps("amount", at_least=2)) == [
        (-math.inf, False, 0, True, "nobody", 0, ()),
        (100, False, 250.5, True, "fewer than 2", 1, ("bob",)),
        (250.5, False, math.inf, False, "nobody", 0, ()),
    ]


def test_people_who_may_not_approve_their_own_leave_a_gap_for_it(tmp_path: Path) -> None:
    owner = [lab.SELF, lab.OTHER]
    made = swept(
        limited(tmp_path, NOT_OWN), named(*PEOPLE), amount=[0, 1000], region=["south", "west"], owner=owner
    )
    assert rows(made.sel(region="south").gaps("amount")) == [
        (-math.inf, False, 0, True, "nobody", 0, ()),
        (100, False, 250.5, True, "nobody for their own", 1, ("bob",)),
        (250.5, False, math.inf, False, "nobody", 0, ()),
    ]
    assert rows(made.gaps("amount", by="region", at_least=2))[1] == (
        *("south", 0, False, 100, True, "fewer than 2 for their own", 2, ("ann", "bob")),
    )


def test_an_attribute_of_principals_groups_people(tmp_path: Path) -> None:
    made = swept(limited(tmp_path), named(*PEOPLE), amount=[0, 1000], region=["south", "west"])
    found = made.sel(region="south").gaps("amount", by="department")
    assert found["department"].tolist() == ["sales", "sales", "legal", "legal"]  # cid has none
    assert found["lower"].tolist() == [-math.inf, 100, -math.inf, 250.5]
    both = made.gaps("amount", by=["region", "principal.region"])
    whole = both[np.isinf(both["lower"]) & np.isinf(both["upper"])]
    assert list(zip(whole["region"], whole["principal.region"], strict=True)) == [
        ("south", "west"),
        ("west", "south"),
    ]


def test_people_are_named_by_pseudonyms_unless_names_are_wanted(tmp_path: Path) -> None:
    people = pd.DataFrame([{"roles": ("user",), **row} for row in PEOPLE], dtype=object)
    made = swept(limited(tmp_path), people, amount=[0, 1000], region="south")
    found = made.gaps("amount", at_least=2)["who"].tolist()
    assert found == [(), (lab.pseudonym("bob"),), ()]
    assert made.sel(principal=found[1][0]).names == ("bob",)
    assert made.gaps("amount", at_least=2, names=True)["who"].tolist() == [(), ("bob",), ()]


def test_what_is_not_chosen_is_refused(tmp_path: Path) -> None:
    view = a_rule("views", actions=["view"])
    axes: dict[str, Any] = {"amount": [0, 1000], "region": ["south", "west"]}
    made = swept(limited(tmp_path, view), named(*PEOPLE), actions=["approve", "view"], **axes)
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "give action=, one of approve, view"),
        ({"action": "approve"}, r"\['region'\] have several values"),
        ({"action": "approve", "by": "regoin"}, "did you mean 'region'"),
        ({"action": "approve", "by": "amount"}, "the axis of the gaps"),
        ({"action": "approve", "by": ["region", "region"]}, "given twice"),
        ({"action": "approve", "by": "region", "at_least": 0}, "1 or more"),
        ({"action": "aprove", "by": "region"}, "did you mean 'approve'"),
    ]
    for arguments, words in refused:
        with pytest.raises(lab.InputError, match=words):
            made.gaps("amount", **arguments)
    with pytest.raises(lab.InputError, match="not a numeric axis"):
        made.gaps("region", action="approve")


def test_where_only_the_grid_is_known_the_table_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", thing=thing(a_rule("odd", "R.attr.amount * 1.1 <= 100.0")))
    found = swept(folder, named(PEOPLE[0]), amount=[10, 90, 100]).gaps("amount")
    assert found[["lower", "upper", "exact"]].to_numpy().tolist() == [[90.0, math.inf, False]]


# -- brute force --------------------------------------------------------------------------------

FIRST, LAST = map(int, os.environ.get("LAB_GAPS", "0:10").split(":"))


def brute_force(
    made: lab.Decisions, *, owner: str, amount: float, at_least: int, cell: dict[str, Any]
) -> str:
    """What is missing at one amount, counted person by person."""
    labels = {name: lab.MISSING if is_missing(value) else [value] for name, value in cell.items()}

    def approvers(**more: Any) -> set[str]:
        one = made.sel(**labels, **more)
        at = one.thresholds("amount")
        inside = (at["lower"] < amount) & (amount < at["upper"])
        inside |= (at["lower"] == amount) & at["lower_closed"] | (at["upper"] == amount) & at["upper_closed"]
        return set(at[inside & (at["effect"] == "ALLOW")]["principal"])

    others = approvers(**({owner: lab.OTHER} if owner else {}))
    if len(others) < at_least:
        return f"fewer than {at_least}" if others else "nobody"
    if not owner:
        return ""
    themselves = approvers(**{owner: lab.SELF})
    for person in made.names:
        left = len(others - {person}) + (person in others and person in themselves)
        if left < at_least:
            return "nobody for their own" if at_least == 1 else f"fewer than {at_least} for their own"
    return ""


@pytest.mark.parametrize("start", range(FIRST, LAST, 10))
def test_gaps_of_generated_policies_are_those_of_brute_force(start: int, tmp_path: Path) -> None:
    asked = generated_policies.batch(tmp_path / "policies", range(start, start + 10))
    draw = random.Random(start)
    gaps = checked = 0
    with lab.PDP(tmp_path / "policies") as pdp:
        for kind, given in asked.items():
            owner = "owner" if draw.random() < 0.5 else ""
            given = {**given, **({"owner": [lab.OTHER, lab.SELF]} if owner else {})}  # noqa: PLW2901
            made = lab.sweep(pdp, generated_policies.people(), kind, actions=["see"], audit=0, **given)
            if made.intervals("amount") is None:
                continue
            at_least = draw.choice([1, 1, 2, 3])
            by = [axis.name for axis in made.axes if axis.name not in {"amount", owner}]
            table = made.gaps("amount", by=by, at_least=at_least)
            edges = made.thresholds("amount")["lower"].unique().tolist()
            numbers = sorted({one for edge in edges if math.isfinite(edge) for one in _around(edge)}) or [0.0]
            cells = list(itertools.product(*(made.values(name) for name in by)))
            for cell in draw.sample(cells, k=min(3, len(cells))):
                own = table
                for name, value in zip(by, cell, strict=True):
                    own = own[np.array([key(_plain(one)) == key(value) for one in own[name]], dtype=bool)]
                for amount in draw.sample(numbers, k=min(8, len(numbers))):
                    labels = dict(zip(by, cell, strict=True))
                    wanted = brute_force(made, owner=owner, amount=amount, at_least=at_least, cell=labels)
                    found = [row.gap for row in own.itertuples() if _inside(row, amount)]
                    assert found == ([wanted] if wanted else []), (kind, cell, amount)
                    gaps += bool(wanted)
                    checked += 1
    assert 0 < gaps < checked


def _plain(value: Any) -> Any:
    if is_missing(value):
        return lab.MISSING
    return value.item() if isinstance(value, np.generic) else value


def _around(number: float) -> list[float]:
    return [np.nextafter(number, -np.inf), number, np.nextafter(number, np.inf)]


def _inside(row: Any, amount: float) -> bool:
    above = row.lower < amount or (row.lower == amount and row.lower_closed)
    return bool(above and (amount < row.upper or (row.upper == amount and row.upper_closed)))
