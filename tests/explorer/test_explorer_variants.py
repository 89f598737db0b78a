"""The explorer asks with the same version, scope, ids and JWT as a sweep, and with no other policy."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_policies import HEAD, resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.explorer.envelope import Envelope
from clerk_cerbos_lab.pdp.messages import hidden_aux_data
from clerk_cerbos_lab.pdp.server import ADMIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TOKEN = "eyJhbGciOiJub25lIn0.eyJjbGVhcmVkIjp0cnVlfQ."  # says: cleared
JWT = {"auxData": {"jwt": {"disableVerification": True}}}


def constants(policy: str, **values: float) -> str:
    return policy.replace("  rules:", f"  constants: {{local: {json.dumps(values)}}}\n  rules:")


def policies(folder: Path) -> Path:
    """Versions and scopes that all answer differently, and an attribute called `scope`."""
    cleared = "request.aux_data.jwt.cleared == true"
    plain = constants(
        resource_policy(
            rule("R.attr.amount <= C.limit"),
            rule("R.attr.scope == 'north' || R.attr.scope == P.attr.region", actions=["view"]),
            rule("R.id == 'special'", actions=["close"]),
            rule(cleared, actions=["seal"]),
        ),
        limit=100,
    )
    staging = constants(
        resource_policy(
            rule("R.attr.amount < C.staging_limit && R.attr.scope != 'north'"),
            rule("R.attr.policy_version == 'x'", actions=["publish"]),
            rule(actions=["view"]),
            version="staging",
        ),
        staging_limit=50,
    )
    parts = {
        "plain": plain,
        "acme": resource_policy(rule("R.attr.amount > 40", effect="DENY"), scope="acme"),
        "hr": resource_policy(
            rule("R.attr.amount > 10 && R.attr.amount < 20", effect="DENY"), scope="acme.hr"
        ),
        "emea": resource_policy(rule("R.attr.amount == 7", effect="DENY"), scope="emea"),
        "staging": staging,
        "staging_acme": resource_policy(
            rule("R.attr.amount * 2.0 > 60.0", effect="DENY"), version="staging", scope="acme"
        ),
        "named": HEAD
        + "principalPolicy: {principal: u1, version: default, rules: [{resource: thing, actions: "
        + "[{action: approve, effect: EFFECT_ALLOW, condition: {match: {expr: 'R.attr.amount == 77'}}}]}]}\n",
        "other": up_to(5, kind="other", version="ancient", scope="elsewhere"),
        "other_root": up_to(5, kind="other", version="ancient"),
    }
    return write(folder, **parts)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    with lab.PDP(policies(tmp_path_factory.mktemp("variants") / "p"), config=JWT) as pdp:
        yield pdp


PEOPLE = users(3, region="south")


def every_cell(explorer: lab.Explorer, **more: Any) -> lab.Decisions:
    """The answer of `lab.sweep` for the same state, every cell asked; the arguments are made here."""
    state = explorer.state
    attr = {}
    for name, value in state.items():
        if name in {"actions", "constants", "look", "policy_version", "scope", "resource_id"}:
            continue
        span = isinstance(value, dict)
        values = lab.amounts(value["low"], value["high"], step=value["step"]) if span else value
        attr[name.removeprefix("attr.")] = value.get("values", values) if span else value
    for name in ("policy_version", "scope", "resource_id"):
        if name in state:
            more[name] = state[name]
    return lab.sweep(
        explorer.pdp, PEOPLE, "thing", actions=state["actions"], attr=attr, method="every-cell", **more
    )


def shown(explorer: lab.Explorer) -> tuple[list[str], Any]:
    """The dimensions and cells that are shown."""
    payload = explorer._payload
    return [dim["name"] for dim in payload.header["dims"]], payload.small[np.ix_(*payload.maps)]


def check(explorer: lab.Explorer, **more: Any) -> None:
    """Compare the view, its call and its decisions with a sweep of every cell."""
    swept = every_cell(explorer, **more)
    dims, cells = shown(explorer)
    assert set(dims) == set(swept.dims)
    assert np.array_equal(cells, np.transpose(swept.allowed(), [swept.dims.index(dim) for dim in dims]))
    names = {"lab": lab, "pdp": explorer.pdp, "principals": PEOPLE, "aux_data": TOKEN}
    called = eval(explorer.call, names)
    assert swept.counts() == called.counts() == explorer.decisions.counts() == explorer.counts()


def test_every_version_and_scope_shows_what_a_sweep_of_every_cell_says(store: lab.PDP) -> None:
    explorer = lab.explore(
        store, PEOPLE, "thing", attr={"scope": ["north", "south"]}, amount=[1, 7, 15, 77, 150]
    )
    offered = explorer.options
    assert offered["policy_version"] == ["default", "staging"]
    assert offered["scope"] == ["", "acme", "acme.hr", "emea"]
    assert explorer.state["policy_version"] == "default"
    assert explorer.state["scope"] == ""
    seen = set()
    for version, scope in itertools.product(offered["policy_version"], offered["scope"]):
        try:
            lab.sweep(store, PEOPLE, "thing", actions="view", policy_version=version, scope=scope)
        except InputError:
            with pytest.raises(InputError, match=scope):
                explorer.state = {"policy_version": version, "scope": scope}
            continue
        explorer.state = {"policy_version": version, "scope": scope, "actions": ["approve", "view"]}
        check(explorer)
        explorer.state = {"amount": {"low": 0, "high": 120, "step": 0.5}}
        check(explorer)
        seen.add((version, scope, explorer.counts()["ALLOW"]))
    assert len({allow for _, _, allow in seen}) >= 6  # they differ


@pytest.mark.parametrize(
    "sent",
    [
        {"policy_version": "staging"},
        {"scope": "acme.hr"},
        {"policy_version": "staging", "scope": "acme"},
        {"policy_version": "default", "scope": "emea", "principal_scope": "acme"},
        {"principal_policy_version": "staging", "principal_scope": ""},
        {"resource_id": "special", "scope": "acme"},
        {"aux_data": TOKEN},
        {"aux_data": {"token": TOKEN}, "resource_id": "special"},
    ],
    ids=",".join,
)
def test_each_keyword_means_what_it_means_in_a_sweep(store: lab.PDP, sent: dict[str, Any]) -> None:
    explorer = lab.explore(store, PEOPLE, "thing", amount=[1, 7, 15, 60, 77, 150], **sent)
    explorer.state = {"actions": explorer.options["actions"]}
    check(explorer, **{name: value for name, value in sent.items() if name not in explorer.state})
    assert TOKEN not in repr(explorer) + explorer.call + json.dumps(explorer._repr_mimebundle_(), default=str)
    assert ("aux_data=aux_data" in explorer.call) == ("aux_data" in sent)
    if "resource_id" in sent:
        close = lab.explore(store, PEOPLE, "thing", actions=["close", "seal"], **sent)
        close.state = {"actions": ["close"]}
        assert close.counts() == {"ALLOW": 3, "DENY": 0}


def test_ids_can_vary_and_be_chosen(store: lab.PDP) -> None:
    explorer = lab.explore(store, PEOPLE, "thing", resource_id=["special", "plain"], amount=[1, 200])
    explorer.state = {"actions": ["close", "approve"]}
    check(explorer)
    explorer.state = {"resource_id": ["other", "special"], "scope": "acme"}
    check(explorer)
    assert explorer.options["resource_id"] == ["special", "plain", "other"]
    with pytest.raises(InputError, match="resource_id must be a non-empty string"):
        explorer.state = {"resource_id": [5]}


def test_a_choice_of_version_asks_only_what_is_new_and_is_undone(store: lab.PDP) -> None:
    explorer = lab.explore(store, PEOPLE, "thing", amount=[1, 60], scope="acme")
    before, start = explorer.state, explorer.asked
    explorer.state = {"policy_version": "staging"}
    asked = explorer.asked
    assert asked > start
    explorer.state = {"policy_version": "default"}
    explorer.undo()
    explorer.undo()
    assert explorer.state == before
    explorer.redo()
    explorer.redo()
    explorer.state = {"policy_version": "", "scope": "acme"}  # the default by its other name
    assert explorer.state == before
    assert explorer.asked == asked
    explorer.state = {"policy_version": "staging"}
    explorer.reset()
    assert explorer.state == before


def test_constants_move_in_every_version_and_scope(store: lab.PDP) -> None:
    explorer = lab.explore(store, PEOPLE, "thing", amount=[20, 45, 60, 120], actions=["approve"])
    moved = {"limit": 30, "staging_limit": 130}
    for version, scope in (("default", ""), ("default", "acme"), ("staging", ""), ("staging", "acme")):
        explorer.state = {"policy_version": version, "scope": scope, "constants": {}}
        before = every_cell(explorer).allowed()
        explorer.state = {"constants": moved}
        with lab.what_if(store, moved) as other:
            there = copy.copy(explorer)
            there.pdp = other
            after = every_cell(there).allowed()
        gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
        assert explorer.change == {"gained": gained, "lost": lost}
        assert explorer.counts()["ALLOW"] == int(after.sum())
        assert (
            eval(explorer.call, {"lab": lab, "pdp": store, "principals": PEOPLE}).counts()
            == explorer.counts()
        )


def test_choices_missing_in_another_version_change_with_a_note(store: lab.PDP) -> None:
    explorer = lab.explore(store, PEOPLE, "thing", amount=[1, 60], scope="emea")
    assert explorer.options["actions"] == ["approve", "close", "seal", "view"]
    explorer.state = {"actions": ["close"]}
    explorer.state = {"policy_version": "staging"}
    assert explorer.state["actions"] == ["approve"]
    assert explorer.options["actions"] == ["approve", "publish", "view"]
    notes = " ".join(explorer._payload.header["notes"])
    assert "no action 'close'" in notes
    assert ("no scope 'emea'" in notes) == (explorer.state["scope"] != "emea")
    check(explorer)
    explorer.undo()
    assert explorer.state["actions"] == ["close"]
    assert explorer.state["scope"] == "emea"
    assert not any("no action" in note for note in explorer._payload.header["notes"])
    check(explorer)
    with pytest.raises(InputError, match="no action 'publish'"):
        explorer.state = {"actions": ["publish"]}
    with pytest.raises(InputError, match="no action 'close'"):
        explorer.state = {"policy_version": "staging", "scope": "", "actions": ["close"]}
    assert explorer.state["policy_version"] == "default"


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"policy_version": "stagin"}, "did you mean 'staging'"),
        ({"scope": "acme.h"}, "did you mean 'acme.hr'"),
        ({"scope": ["acme"]}, "scope is one name, a string, not a list"),
        ({"policy_version": 5}, "policy_version is one name, a string, not a number"),
        ({"scope": None}, "scope is one name, a string, not null"),
    ],
)
def test_what_can_not_be_asked_is_a_clear_error_and_changes_nothing(
    store: lab.PDP, patch: dict[str, Any], words: str
) -> None:
    explorer = lab.explore(store, PEOPLE, "thing")
    before = explorer.state
    with pytest.raises(InputError, match=words):
        explorer.state = patch
    assert explorer.state == before


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"policy_version": "stagin"}, "did you mean 'staging'"),
        ({"scope": "acme.h"}, "did you mean 'acme.hr'"),
        ({"scope": 5}, "scope is one name, a string"),
        ({"principal_scope": 5}, "principal_scope is one name, a string"),
        ({"aux_data": 5}, "aux_data must be a JWT"),
        ({"aux_data": {"token": 5}}, "aux_data must be a JWT"),
        ({"resource_id": ""}, "resource_id must be a non-empty string"),
        ({"attr": {"amount": 1}, "amount": 2}, "given twice"),
        ({"actions": ["publish", "aprove"]}, "did you mean 'approve'"),
        ({"actions": ["publish"]}, "no action 'publish'"),
    ],
)
def test_what_can_not_be_sent_is_a_clear_error(store: lab.PDP, sent: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lab.explore(store, PEOPLE, "thing", **sent)


def test_attributes_named_like_a_part_of_the_state_have_controls_too(tmp_path: Path) -> None:
    names = ["scope", "policy_version", "actions", "constants", "look", "attr.scope", "request"]
    condition = " && ".join(f"R.attr[{name!r}] == 'yes'" for name in names)
    files = {
        "plain": resource_policy(rule(condition), rule(actions=["view"])),
        "below": resource_policy(rule(effect="DENY"), scope="acme"),
        "staging": resource_policy(rule(actions=["approve"]), version="staging"),
    }
    with lab.PDP(write(tmp_path / "p", **files)) as pdp:
        explorer = lab.explore(pdp, PEOPLE, "thing", actions="approve")
        keys = [*(f"attr.{name}" for name in names[:-2]), '["attr.scope"]', "request"]
        assert explorer.state | {key: ["yes"] for key in keys} == explorer.state
        check(explorer)
        assert explorer.counts()["ALLOW"] == 3
        for key in keys:
            explorer.state = {key: ["yes", "no", lab.MISSING]}
            check(explorer)
            explorer.undo()
        explorer.state = {"scope": "acme", "attr.scope": ["yes"]}
        assert explorer.counts()["ALLOW"] == 0
        check(explorer)
        widget = explorer.widget
        told = copy.deepcopy(widget.choice)
        place = explorer.options["attr.scope"].index("yes")
        assert told["chosen"]["attr.scope"] == [place]
        told["chosen"] |= {"scope": 0, "request": [explorer.options["request"].index("yes")]}
        widget.choice = {**told, "request": 5}
        assert widget.answer["request"] == 5
        assert widget.answer["error"] is None
        assert explorer.state["scope"] == ""
        assert explorer.counts()["ALLOW"] == 3


def test_without_several_versions_or_scopes_there_is_no_control(pdp: lab.PDP) -> None:
    explorer = lab.explore(pdp, lab.load_principals("data/clerk_users.json").iloc[:3], "expense")
    assert not {"policy_version", "scope"} & set(explorer.state)
    with pytest.raises(InputError, match="no control 'scope'"):
        explorer.state = {"scope": "acme"}


def test_scopes_alone_are_something_to_turn(tmp_path: Path) -> None:
    files = {"plain": resource_policy(rule()), "below": resource_policy(rule(effect="DENY"), scope="acme")}
    with lab.PDP(write(tmp_path / "p", **files)) as pdp:
        explorer = lab.explore(pdp, PEOPLE, "thing")
        assert explorer.counts()["ALLOW"] == 3
        explorer.state = {"scope": "acme"}
        assert explorer.counts()["ALLOW"] == 0
        check(explorer)


def test_scopes_of_principal_and_role_policies_are_offered_where_a_sweep_takes_them(tmp_path: Path) -> None:
    files = {
        "plain": up_to(10),
        "below": up_to(20, scope="acme"),
        "root": HEAD + "principalPolicy: {principal: u1, version: default, rules: []}\n",
        "named": HEAD
        + "principalPolicy: {principal: u1, version: default, scope: other, rules: [{resource: thing, "
        + "actions: [{action: approve, effect: EFFECT_ALLOW}]}]}\n",
    }
    with lab.PDP(write(tmp_path / "p", **files)) as pdp:
        explorer = lab.explore(pdp, PEOPLE, "thing", amount=[5, 15])
        for scope in ("", "acme", "other"):
            try:
                lab.sweep(pdp, PEOPLE, "thing", actions="approve", amount=5, scope=scope)
            except InputError:
                assert scope not in explorer.options["scope"]
                continue
            assert scope in explorer.options["scope"]
            explorer.state = {"scope": scope}
            check(explorer)


@pytest.mark.parametrize("engine", [{"defaultPolicyVersion": "staging"}, {"defaultScope": "acme"}])
def test_the_defaults_of_the_pdp_itself_are_what_is_asked_at_first(
    tmp_path: Path, engine: dict[str, str]
) -> None:
    with lab.PDP(policies(tmp_path / "p"), config={**JWT, "engine": engine}) as pdp:
        explorer = lab.explore(pdp, PEOPLE, "thing", amount=[1, 45, 60, 120], actions=["approve"])
        swept = lab.sweep(pdp, PEOPLE, "thing", amount=[1, 45, 60, 120], actions=["approve"])
        assert explorer.state["policy_version"] == engine.get("defaultPolicyVersion", "default")
        assert explorer.counts() == swept.counts()
        check(explorer)
        for version in explorer.options["policy_version"]:
            explorer.state = {"policy_version": version}
            check(explorer)


def test_a_pdp_at_an_address_is_asked_by_version_and_scope_too(store: lab.PDP) -> None:
    there = lab.PDP(address=store.address, admin=ADMIN)
    explorer = lab.explore(there, PEOPLE, "thing", amount=[1, 45, 60, 120])
    assert {"", "default", "staging"} == set(explorer.options["policy_version"])
    for version in ("", "staging"):
        explorer.state = {"policy_version": version, "actions": ["approve"]}
        check(explorer)
    silent = lab.PDP(address=store.address)  # tells nothing: no control, and a warning about spelling
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lab.LabWarning)
        explorer = lab.explore(
            silent,
            PEOPLE,
            "thing",
            amount=[1, 45, 60],
            actions="approve",
            policy_version="staging",
            scope="acme",
        )
        swept = lab.sweep(
            silent,
            PEOPLE,
            "thing",
            amount=[1, 45, 60],
            actions="approve",
            policy_version="staging",
            scope="acme",
        )
        assert explorer.counts() == swept.counts()
        assert "policy_version='staging', scope='acme'" in explorer.call


def test_an_edit_takes_a_version_away_and_gives_another(tmp_path: Path) -> None:
    folder = policies(tmp_path / "p")
    with lab.PDP(folder, config=JWT) as pdp:
        explorer = lab.explore(pdp, PEOPLE, "thing", amount=[1, 60], policy_version="default")
        explorer.state = {"policy_version": "staging", "actions": ["publish"]}
        for name in ("staging", "staging_acme"):
            (folder / f"{name}.yaml").unlink()
        write(folder, next=resource_policy(rule(actions=["archive"]), version="next"))
        explorer.state = {"amount": [1, 61]}
        assert explorer.state["policy_version"] == "default"
        assert explorer.options["policy_version"] == ["default", "next"]
        check(explorer)
        explorer.state = {"actions": ["view"]}
        explorer.state = {"policy_version": "next"}
        assert explorer.state["actions"] == ["archive"]
        check(explorer)


def test_linked_explorers_choose_the_same_version(store: lab.PDP) -> None:
    one, two = (lab.explore(store, PEOPLE, "thing", amount=[1, 60]) for _ in range(2))
    end = one.link(two)
    one.state = {"policy_version": "staging", "scope": "acme"}
    assert (two.state["policy_version"], two.state["scope"]) == ("staging", "acme")
    two.undo()
    assert one.state["policy_version"] == "default"
    end()


def test_a_jwt_is_not_copied_with_what_holds_it() -> None:
    envelope = Envelope(policy_version="staging", resource_id="x", aux_data=hidden_aux_data(TOKEN))
    assert TOKEN not in repr(envelope)
    assert TOKEN.encode() not in pickle.dumps(envelope)
    assert pickle.loads(pickle.dumps(envelope)) == Envelope(policy_version="staging", resource_id="x")


def test_the_title_says_which_policies_answer(store: lab.PDP) -> None:
    explorer = lab.explore(store, PEOPLE, "thing", amount=[1, 60])
    assert explorer._payload.header["title"].endswith("; amount 1 or 60")
    explorer.state = {"policy_version": "staging", "scope": "acme"}
    assert "policy version staging, scope acme" in explorer._payload.header["title"]
    assert "policy_version='staging', scope='acme'" in repr(explorer)
