"""Attributes inside maps, such as `R.attr.money.amount`, as axes and as what a principal is compared with."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compared import any_policy, conditions_of, people, swept_by
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab


def test_an_amount_inside_a_map_is_an_axis_with_exact_thresholds(write: Callable[..., Path]) -> None:
    condition = "R.attr.money.amount <= P.attr.org.limit && R.attr.money.currency == 'USD'"
    who = people(org=[{"limit": 100 + i, "team": f"t{i}"} for i in range(200)])
    asked = {"money": {"currency": "USD"}, "money.amount": lab.amounts(0, 400, step=7)}
    with lab.PDP(write(thing=resource_policy(rule(condition)))) as pdp:
        found, _ = swept_by(pdp, who, attr=asked)
    assert found.provenance.classes == 1
    assert found.dims == ("principal", "action", "money.amount")
    limits = found.thresholds("money.amount", action="approve").query("effect == 'ALLOW'")
    assert limits["upper"].tolist() == [100.0 + i for i in range(200)]
    assert limits["exact"].all()
    assert limits["upper_closed"].all()
    assert not found.provenance.notes


def test_each_text_inside_a_map_is_compared_with_those_of_each_person(write: Callable[..., Path]) -> None:
    condition = "R.attr.tags.brand in P.attr.org.brands || R.attr.tags.brand == P.attr.org.home.brand"
    brands = [f"b{i}" for i in range(60)]
    who = people(
        org=[{"brands": [brands[i], brands[-i]], "home": {"brand": brands[i // 2]}} for i in range(50)]
    )
    with lab.PDP(write(thing=resource_policy(rule(condition)))) as pdp:
        found, _ = swept_by(pdp, who, attr={"tags.brand": [*brands, lab.MISSING]})
    assert found.provenance.asked < 60


ODD: list[Any] = [
    lab.MISSING,
    None,
    7,
    "text",
    True,
    [],
    ["limit"],
    {},
    {"limit": None},
    {"limit": 7},
    {"limit": "7"},
    {"limit": {"usd": 7}},
    {"limit": [7]},
    {"limit": 8, "more": 1},
]


@pytest.mark.parametrize(
    "condition",
    [
        "has(P.attr.org.limit)",
        "!has(P.attr.org.limit)",
        "has(P.attr.org.limit.usd)",
        "has(P.attr.org) && !has(P.attr.org.limit)",
        "has(P.attr.org)",
        "P.attr.org.limit == R.attr.x.y",
        "P.attr.org.limit != 7",
        "P.attr.org == R.attr.x",
        "P.attr.org.limit.usd >= R.attr.x.y",
        "P.attr.org.limit >= R.attr.x.y || has(P.attr.org.limit)",
        "has(R.attr.x.y)",
        "!has(R.attr.x)",
        "has(R.attr.x) && R.attr.x.y == 7",
        '"y" in R.attr.x',
        "R.attr.x == {'y': 7}",
        "R.attr.x.y in [7, 'text'] || size(R.attr.x) == 2",
        "R.attr.x.y.z == 1",
        "R.attr.x.exists(k, k == 'y')",
        'R.attr["x"]["y"] == P.attr["org"]["limit"]',
    ],
)
def test_every_kind_of_value_in_the_way_counts(write: Callable[..., Path], condition: str) -> None:
    who = people(org=ODD)
    with lab.PDP(write(thing=resource_policy(rule(condition), rule("true", actions=["b"])))) as pdp:
        swept_by(pdp, who, attr={"x.y": [*ODD, 6, 8]})
        swept_by(pdp, who, attr={"x": {"w": 1}, "x.y": [lab.MISSING, 7, "text", None]})
        swept_by(pdp, who, attr={"x": [*ODD, {"y": 7}, {"y": 7, "z": 1}, {"y": {"z": 1}}]})


def test_a_name_with_a_dot_is_written_as_in_cel(write: Callable[..., Path]) -> None:
    who = people(**{"my.limit": [5, 6, 7]})
    condition = 'R.attr["net.amount"] <= P.attr["my.limit"]'
    with lab.PDP(write(thing=resource_policy(rule(condition)))) as pdp:
        found, _ = swept_by(pdp, who, attr={'["net.amount"]': range(10)})
        assert found.dims[2:] == ('["net.amount"]',)
        told = lab.sweep(pdp, who, "thing", attr={"net.amount": range(10)}).provenance.notes
    assert told[0].startswith("No policy reads net.amount")
    assert told[1] == 'Read by the policies of thing, but not sent: ["net.amount"].'


@pytest.mark.parametrize(
    ("attr", "message"),
    [
        ({"money": [{"amount": 1}], "money.amount": [1, 2]}, "'money.amount' is inside 'money'"),
        ({"money": {"amount": 1}, "money.amount": [1, 2]}, "'money.amount' is inside 'money'"),
        ({"money": 5, "money.amount": [1, 2]}, "'money', which is a number here, not a map"),
        ({"money": lab.MISSING, "money.amount": [1, 2]}, "'money', which is missing here, not a map"),
        ({"amount": 1, '["amount"]': 2}, "two spellings: 'amount'"),
    ],
)
def test_an_attribute_given_twice_is_refused(
    write: Callable[..., Path], attr: dict[str, Any], message: str
) -> None:
    with lab.PDP(write(thing=resource_policy(rule()))) as pdp, pytest.raises(lab.InputError, match=message):
        lab.sweep(pdp, people(x=[1]), "thing", attr=attr)


@pytest.fixture(scope="module")
def pdp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("nested"))


OPERANDS = [
    *(
        "R.attr.m.a",
        "R.attr.m.b.c",
        "R.attr.m",
        "R.attr.t",
        "P.attr.o.a",
        "P.attr.o.b.c",
        "P.attr.o",
        "P.attr.l",
    ),
]
ATOMS = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(OPERANDS),
        st.sampled_from(["==", "!=", "<", "<=", ">="]),
        st.sampled_from([*OPERANDS, "3"]),
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(OPERANDS),
        st.sampled_from(["==", "!="]),
        st.sampled_from(["'x'", "7"]),
    ),
    st.builds("has({})".format, st.sampled_from(OPERANDS)),
)
VALUES = st.sampled_from([lab.MISSING, None, 3, 4, 7, "x", "y", True, ["x"], {"c": 3}, {"c": "x"}])
MAPS = st.one_of(VALUES, st.fixed_dictionaries({"a": VALUES, "b": VALUES}))


@settings(max_examples=12)
@given(
    st.lists(conditions_of(ATOMS), min_size=1, max_size=3),
    st.lists(st.tuples(MAPS, VALUES), min_size=2, max_size=6),
    st.sampled_from(["m.a", "m"]),
)
def test_generated_conditions_on_what_is_inside_maps(
    pdp: lab.PDP,
    conditions: list[str],
    persons: list[tuple[Any, Any]],
    given_map: str,
) -> None:
    folder = pdp.own_policies[0]  # type: ignore[index]
    rules = [rule(one, actions=[name]) for one, name in zip(conditions, "abc", strict=False)]
    write(folder, thing=resource_policy(*rules))
    who = people(o=[_clean(o) for o, _ in persons], l=[value for _, value in persons])
    axes: dict[str, Any] = {"m.b.c": [lab.MISSING, 3, "x", 7], "t": ["x", 3, 5]}
    axes |= {"m.a": [lab.MISSING, 1, 3, 5, 7, 9, "x", "z"]} if given_map == "m.a" else {"m": {"a": 3}}
    swept_by(pdp, who, attr=axes, actions=["a", "b", "c"][: len(rules)])


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if item is not lab.MISSING}
    return value
