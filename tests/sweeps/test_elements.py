"""Numbers in lists, such as a limit for each cost centre, matter by their order, as one number does."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compared import any_policy, conditions_of, people, swept_by
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab


@pytest.mark.parametrize(
    ("condition", "classes"),
    [
        ("P.attr.limits.exists(l, R.attr.amount <= l)", 2),
        ("P.attr.limits.all(l, l > R.attr.amount) && R.attr.amount < 5000", 6),
        ("P.attr.limits.exists_one(l, l == R.attr.amount || l < R.attr.most)", 6),
        ("V.mine.exists(l, R.attr.amount <= l) && size(P.attr.limits) == 2", 2),
        ("P.attr.limits.exists(l, R.attr.amount <= l) || R.attr.amount <= P.attr.more", 6),
        ("P.attr.org.limits.exists(l, R.attr.amount <= l)", 2),
    ],
)
def test_lists_of_numbers_that_are_ordered_alike_are_one_class(
    write: Callable[..., Path], condition: str, classes: int
) -> None:
    variables = "  variables: {local: {mine: P.attr.limits}}\n"
    policy = resource_policy(rule(condition)).replace("  rules:", f"{variables}  rules:")
    limits = [[100.0 + i, 300.0 + 2 * i] if i % 2 else [700.5 + 3 * i] for i in range(80)]
    who = people(limits=limits, more=[1000.0 + i for i in range(80)], org=[{"limits": own} for own in limits])
    with lab.PDP(write(thing=policy)) as pdp:
        found, _ = swept_by(pdp, who, amount=lab.amounts(0, 1200, step=13), most=250)
    assert found.provenance.classes <= classes
    assert found.thresholds("amount")["exact"].all()


def test_thresholds_are_those_of_ones_own_list(write: Callable[..., Path]) -> None:
    who = people(limits=[[10.0 * i, 7.0 * i] for i in range(1, 60)])
    rules = resource_policy(rule("P.attr.limits.all(l, R.attr.amount <= l)"))
    with lab.PDP(write(thing=rules)) as pdp:
        found = lab.sweep(pdp, who, "thing", amount=[0, 1000]).thresholds("amount")
    assert found[found.effect == "ALLOW"]["upper"].tolist() == [7.0 * i for i in range(1, 60)]


@pytest.fixture(scope="module")
def pdp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("elements"))


ATOMS = st.builds(
    "{}.{}({}, {})".format,
    st.sampled_from(["P.attr.a", "P.attr.b", "P.attr.o.l"]),
    st.sampled_from(["exists", "all", "exists_one"]),
    st.just("x"),
    conditions_of(
        st.sampled_from(
            [
                *(
                    "x < R.attr.amount",
                    "R.attr.amount <= x",
                    "x == R.attr.amount",
                    "x > 3.0",
                    "x != R.attr.fixed",
                ),
                *(
                    "R.attr.amount > 5",
                    "x < P.attr.c",
                    "x + 1.0 < R.attr.amount",
                    "x == R.attr.team",
                    "x in [1.0, 5.0]",
                ),
                *("x in R.attr.listed", "P.attr.b.exists(y, y < x)", "P.attr.b.exists(y, y < R.attr.amount)"),
            ]
        ),
        most=3,
    ),
)
OTHERS = st.sampled_from(
    ["R.attr.amount in P.attr.a", "size(P.attr.b) > 1", "R.attr.amount < P.attr.c", "P.attr.a == P.attr.b"]
)
NUMBERS = st.sampled_from([1, 2, 2.5, 3.0, 3, 5, 7, -0.0])
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.lists(NUMBERS, max_size=3),
    st.sampled_from([lab.MISSING, None, 3, "x", ["x"], [3, "x"], {"k": 1}, [1, 2, 3, 4, 5, 6, 7, 8, 9]]),
)


@settings(max_examples=12)
@given(
    st.lists(conditions_of(st.one_of(ATOMS, ATOMS, OTHERS), most=3), min_size=1, max_size=3),
    st.lists(st.tuples(VALUES, VALUES, NUMBERS), min_size=3, max_size=40),
)
def test_generated_loops_over_lists_of_numbers(
    pdp: lab.PDP, conditions: list[str], persons: list[tuple[Any, Any, Any]]
) -> None:
    folder = pdp.own_policies[0]  # type: ignore[index]
    rules = [rule(one, actions=[name]) for one, name in zip(conditions, "abc", strict=False)]
    write(folder, thing=resource_policy(*rules))
    a, b, c = (list(column) for column in zip(*persons, strict=True))
    who = people(a=a, b=b, c=c, o=[{} if one is lab.MISSING else {"l": one} for one in b])
    sent = {"amount": [0, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8], "team": ["x", "y"], "fixed": 3}
    swept_by(pdp, who, **sent, listed=[[1, 5, "x"]], actions=list("abc")[: len(rules)])
