"""A sweep equals the same questions asked one at a time, by the kit and by Cerbos's own client."""

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from cerbos.effect.v1 import effect_pb2
from cerbos.engine.v1 import engine_pb2
from cerbos.sdk.grpc.client import CerbosClient
from compared import any_policy, conditions_of
from google.protobuf import json_format, struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from small_policies import resource_policy, rule, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.pdp.messages import Entry
from clerk_cerbos_lab.values import key, uses_self

KINDS: list[Any] = [
    *(True, False, 0, 1, -7, 2.5, 1e15, 0.1, -0.25),
    *("", "south", "Zürich ☃ 人", "5", "true", "u0", "MISSING", "somebody-else"),
    *(None, lab.MISSING, lab.SELF, lab.OTHER),
    *([[]], [1, "a", None], [True, [2.5, "x"]], [lab.SELF, "u1"], [[lab.OTHER]]),
    *({}, {"a": {"b": 1}}, {"a": {"b": [lab.SELF, 2]}}, {"a": None, "owner": lab.OTHER}),
]
AMOUNTS = [-1, 0, 1, 2.5, 1e15]
PEOPLE = pd.DataFrame(
    [
        {"id": "u0", "roles": ("user",), "value": 1, "list": [1, "a", None], "region": "south"},
        {"id": "u1", "roles": ("user", "boss"), "value": "Zürich ☃ 人", "list": lab.MISSING, "region": None},
        {"id": "u2", "roles": ("boss",), "value": {"a": {"b": 1.0}}, "list": [], "region": lab.MISSING},
        {"id": "u3", "roles": ("stranger",), "value": None, "list": [True, [2.5, "x"]], "region": "5"},
    ],
    dtype=object,
)
EVERYTHING = resource_policy(
    rule("R.attr.value == P.attr.value || R.attr.value == P.attr.list", actions=["same"]),
    rule("R.attr.value <= R.attr.amount", actions=["order"]),
    rule("size(R.attr.value) > R.attr.amount", actions=["order"], roles=["boss"]),
    rule("R.attr.value == P.id || P.id in R.attr.value || P.id in R.attr.value.a.b", actions=["own"]),
    rule("R.attr.value == null && R.attr.amount > 0", actions=["none"], roles=["*"]),
    rule("!has(R.attr.value) && R.attr.amount < 2", actions=["none"], roles=["*"]),
    rule("R.attr.value", actions=["none"], roles=["user"]),
    rule("R.attr.value.owner != P.id && R.id == 'thing 1'", actions=["other"], roles=["*"]),
    rule("R.attr.value != P.id && R.attr.fixed.who[1] == P.id", actions=["other"], roles=["*"]),
    rule("R.attr.value == 'south' && P.attr.region == 'south'", actions=["*"], effect="DENY", roles=["*"]),
)
ACTIONS = ("same", "order", "own", "none", "other")
FIXED = {"who": [0, lab.SELF], "gone": lab.MISSING}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    with lab.PDP(write(tmp_path_factory.mktemp("everything"), thing=EVERYTHING)) as running:
        yield running


def plain(value: Any, own: str) -> Any:
    """Return the value as plain JSON, without the kit's code."""
    if value is lab.SELF:
        return own
    if value is lab.OTHER:
        return "somebody-else"
    if isinstance(value, list):
        return [plain(item, own) for item in value]
    if isinstance(value, dict):
        return {name: plain(item, own) for name, item in value.items() if item is not lab.MISSING}
    return value


def is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def attributes(given: Mapping[str, Any], own: str) -> dict[str, struct_pb2.Value]:
    struct = json_format.ParseDict(plain(dict(given), own), struct_pb2.Struct())
    return dict(struct.fields)


def assert_as_asked_one_at_a_time(pdp: lab.PDP, decisions: lab.Decisions, people: pd.DataFrame) -> None:
    """Compare every cell with Cerbos's own client, and one action in turn with the kit's."""
    asked = {person.id: person for person in read_principals(people)}
    rows: list[dict[str, Any]] = people.to_dict("records")  # type: ignore[assignment]
    names = [axis.name for axis in decisions.axes]
    combinations = list(itertools.product(*(axis.values for axis in decisions.axes)))
    effects = decisions.allowed().reshape(len(rows), len(decisions.actions), len(combinations))
    with CerbosClient(pdp.address) as client:
        for i, person in enumerate(rows):
            own = person["id"]
            more = {
                name: value
                for name, value in person.items()
                if name not in {"id", "roles"} and not is_nan(value)  # to_dict makes a NaN of MISSING
            }
            principal = engine_pb2.Principal(id=own, roles=person["roles"], attr=attributes(more, own))
            for n, values in enumerate(combinations):
                attr = {**decisions.fixed, **dict(zip(names, values, strict=True))}
                at = attr.pop("resource_id")
                what = engine_pb2.Resource(id=at, kind=decisions.kind, attr=attributes(attr, own))
                entry = Entry(actions=decisions.actions, resource=what)
                answer = client.check_resources(principal, [entry]).results[0]
                wanted = dict(zip(decisions.actions, effects[i, :, n].tolist(), strict=True))
                theirs = {
                    action: effect == effect_pb2.EFFECT_ALLOW for action, effect in answer.actions.items()
                }
                assert theirs == wanted, (person, attr)
                action = decisions.actions[n % len(decisions.actions)]
                one = pdp.is_allowed(action, asked[own], decisions.kind, attr, resource_id=at)
                assert one is wanted[action], (person, action, attr)


def test_a_sweep_equals_one_question_at_a_time_on_every_cell_and_type(everything: lab.PDP) -> None:
    methods: tuple[Literal["auto", "every-cell"], ...] = ("auto", "every-cell")
    decisions, every = (
        lab.sweep(
            everything,
            PEOPLE,
            "thing",
            actions=ACTIONS,
            value=KINDS,
            amount=AMOUNTS,
            fixed=FIXED,
            resource_id=["thing 1", "thing 2"],
            method=method,
        )
        for method in methods
    )
    assert decisions.shape == (4, 5, len(KINDS), 5, 2)
    assert len(decisions) >= 5_000
    for action in ACTIONS:  # no action is a foregone conclusion
        assert min(decisions.sel(action=action).counts().values()) > 20
    assert np.array_equal(decisions.allowed(), every.allowed())
    assert_as_asked_one_at_a_time(everything, decisions, PEOPLE)


def test_more_combinations_than_fit_into_a_request_keep_their_order(everything: lab.PDP) -> None:
    amounts = [float(n) for n in np.random.default_rng(7).permutation(1_201)]
    decisions = lab.sweep(
        everything, users(3), "thing", actions=["order"], value=600, amount=amounts, method="every-cell"
    )
    assert decisions.values("amount") == tuple(amounts)
    expected = np.array([amount >= 600 for amount in amounts])
    assert np.array_equal(decisions.allowed(), np.broadcast_to(expected, (3, 1, 1_201)))


def test_the_order_of_principals_actions_and_axes_is_the_order_given(everything: lab.PDP) -> None:
    people = PEOPLE.iloc[[2, 0, 3]]
    decisions = lab.sweep(
        everything,
        people,
        "thing",
        actions=["own", "same"],
        attr={"value": [lab.OTHER, "u0", lab.SELF]},
        amount=[3, 1],
        resource_id=["b", "a"],
    )
    assert decisions.dims == ("principal", "action", "value", "amount", "resource_id")
    assert decisions.names == ("u2", "u0", "u3")
    assert decisions.actions == ("own", "same")
    own = decisions.sel(action="own", amount=1, resource_id="a").matrix(columns="value")
    assert own.to_numpy().tolist() == [
        ["DENY", "DENY", "DENY"],  # a boss does not have the role user
        ["DENY", "ALLOW", "ALLOW"],
        ["DENY", "DENY", "DENY"],
    ]


def test_versions_and_scopes_of_resource_and_principal_choose_the_policies(tmp_path: Path) -> None:
    principal = """apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: u0
  version: "{version}"
  scope: "{scope}"
  rules: [{{resource: thing, actions: [{{action: approve, effect: EFFECT_DENY}}]}}]
"""
    folder = write(
        tmp_path,
        base=resource_policy(rule("R.attr.amount <= 10")),
        v2=resource_policy(rule("R.attr.amount <= 20"), version="v2"),
        acme=resource_policy(rule("R.attr.amount <= 30"), scope="acme"),
        denied=principal.format(version="v3", scope=""),
        scoped_base=principal.format(version="v4", scope="").replace("DENY", "ALLOW"),
        scoped=principal.format(version="v4", scope="acme"),
    )
    chosen: list[dict[str, str]] = [
        {},
        {"policy_version": "v2"},
        {"scope": "acme"},
        {"principal_policy_version": "v3"},
        {"policy_version": "v2", "principal_policy_version": "default"},
        {"principal_policy_version": "v4", "principal_scope": "acme"},
        {"scope": "acme", "principal_scope": ""},
    ]
    with lab.PDP(folder) as pdp, CerbosClient(pdp.address) as client:
        for names in chosen:
            decisions = lab.sweep(pdp, users(1), "thing", actions="approve", amount=range(1, 41), **names)  # type: ignore[arg-type]
            version, scope = names.get("policy_version", ""), names.get("scope", "")
            who = engine_pb2.Principal(
                id="u0",
                roles=["user"],
                policy_version=names.get("principal_policy_version", version),
                scope=names.get("principal_scope", scope),
            )
            what = [
                engine_pb2.Resource(
                    id="resource",
                    kind="thing",
                    policy_version=version,
                    scope=scope,
                    attr=attributes({"amount": n}, ""),
                )
                for n in range(1, 41)
            ]
            expected = [client.is_allowed("approve", who, each) for each in what]
            assert decisions.allowed().ravel().tolist() == expected, names
            for name, value in names.items():
                assert getattr(decisions.provenance, name) == value


# -- random grids and policies ----------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-3, 3, allow_nan=False).map(lambda x: round(x, 1) + 0.0),
    st.text(alphabet="ab u0é5", max_size=3),
    st.sampled_from([lab.SELF, lab.OTHER]),
)
values = st.one_of(
    scalars,
    st.just(lab.MISSING),
    st.lists(scalars, max_size=2),
    st.dictionaries(st.sampled_from("ab"), scalars | st.lists(scalars, max_size=2), max_size=2),
)
axes = st.lists(values, min_size=1, max_size=4, unique_by=key)
terms = st.sampled_from(["R.attr.a", "R.attr.b", "P.attr.c", "R.attr.a.b", "R.attr.b[0]"])
ids = st.sampled_from(["P.id", "R.id"])
numbers_and_texts = st.sampled_from(["1", "0.5", "'a'", "''", "'u0'"])
literals = st.sampled_from(["true", "null", "[]", "{}"])
atoms = st.one_of(
    st.builds(
        "{} {} {}".format, terms, st.sampled_from(["==", "!="]), terms | ids | numbers_and_texts | literals
    ),
    st.builds("{} {} {}".format, terms, st.sampled_from(["<", "<="]), terms | ids | numbers_and_texts),
    st.builds("{} in {}".format, terms | ids, terms),
    st.builds("size({}) > 0".format, terms | ids),
    st.sampled_from(["has(R.attr.a)", "!has(R.attr.b)", "has(P.attr.c)"]),
)
conditions = conditions_of(atoms, 4)
rules = st.lists(
    st.builds(
        rule,
        conditions,
        actions=st.sampled_from([["x"], ["y"], ["x", "y"], ["*"]]),
        roles=st.sampled_from([["user"], ["boss"], ["*"]]),
        effect=st.sampled_from(["ALLOW", "ALLOW", "DENY"]),
    ),
    min_size=1,
    max_size=4,
)
plain_values = values.filter(lambda value: not uses_self(value) and "OTHER" not in str(value))
people = st.lists(
    st.tuples(st.sampled_from([("user",), ("boss",), ("boss", "user")]), plain_values),
    min_size=1,
    max_size=3,
).map(
    lambda rows: pd.DataFrame(
        [{"id": f"u{i}", "roles": r, "c": c} for i, (r, c) in enumerate(rows)], dtype=object
    )
)


@settings(max_examples=20)
@given(who=people, value=axes, amount=axes, fixed=values)
def test_a_random_sweep_equals_one_question_at_a_time(
    everything: lab.PDP, who: pd.DataFrame, value: list[Any], amount: list[Any], fixed: Any
) -> None:
    attr = {"value": value, "amount": amount, "fixed": [fixed]}
    decisions = lab.sweep(everything, who, "thing", actions=ACTIONS[1:4], attr=attr)
    assert_as_asked_one_at_a_time(everything, decisions, who)


@settings(max_examples=12)
@given(who=people, a=axes, b=axes, policy=rules)
def test_a_sweep_under_a_random_policy_equals_one_question_at_a_time(
    random_policy: lab.PDP, who: pd.DataFrame, a: list[Any], b: list[Any], policy: list[str]
) -> None:
    folder = random_policy._folder
    assert folder
    write(folder, thing=resource_policy(rule("false", actions=["x", "y"]), *policy))
    decisions = lab.sweep(random_policy, who, "thing", actions=["x", "y"], a=a, b=b)
    assert_as_asked_one_at_a_time(random_policy, decisions, who)


@pytest.fixture(scope="module")
def random_policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    yield from any_policy(tmp_path_factory.mktemp("random"))
