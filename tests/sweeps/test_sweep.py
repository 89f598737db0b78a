"""A sweep checks what it is given, asks everything or nothing, and says what it did."""

import datetime
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr
from small_policies import resource_policy, rule, up_to, users
from tracebacks import shown

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.sweeps import sweep

Write = Callable[..., Path]
ONE = users(1)


def ask(pdp: lab.PDP, **attributes: Any) -> lab.Decisions:
    return lab.sweep(pdp, ONE, "thing", actions="approve", **attributes)


# -- what varies and what is fixed ------------------------------------------------------------


def test_scalars_are_fixed_and_sequences_are_axes_in_the_order_given(small: lab.PDP) -> None:
    decisions = lab.sweep(
        small,
        ONE,
        "thing",
        attr={"owner": [lab.SELF, lab.OTHER], "kind": "a"},
        amount=range(3),
        flag=True,
        ratio=np.array([0.5, 1.5]),
        region=pd.Series(["south", "west"]),
        tags=[["a", "b"]],
        text="abc",
        nothing=None,
        gone=lab.MISSING,
        limits={"low": 1},
    )
    assert decisions.dims == ("principal", "action", "owner", "amount", "ratio", "region", "tags")
    assert decisions.values("amount") == (0, 1, 2)
    assert decisions.values("ratio") == (0.5, 1.5)
    assert decisions.values("region") == ("south", "west")
    assert decisions.values("tags") == (["a", "b"],)
    assert decisions.fixed == {
        "kind": "a",
        "flag": True,
        "text": "abc",
        "nothing": None,
        "gone": lab.MISSING,
        "limits": {"low": 1},
        "resource_id": "resource",
    }
    assert decisions.shape == (1, 1, 2, 3, 2, 2, 1)


def test_the_actions_of_the_policies_are_the_default_and_patterns_are_left_out(write: Write) -> None:
    policy = resource_policy(rule(actions=["view", "edit"]), rule(actions=["print:*"]))
    with lab.PDP(write(thing=policy, star=resource_policy(rule(actions=["*"]), kind="star"))) as pdp:
        assert lab.sweep(pdp, ONE, "thing").actions == ("edit", "view")
        assert lab.sweep(pdp, ONE, "thing", actions=["print:draft", "view"]).counts()["ALLOW"] == 2
        with pytest.warns(lab.LabWarning, match="no policy names the action 'anything'"):
            assert lab.sweep(pdp, ONE, "star", actions=["anything"]).effect() == "ALLOW"
        with pytest.raises(lab.InputError, match="no action 'print' in"):
            lab.sweep(pdp, ONE, "thing", actions="print")
        with pytest.raises(lab.InputError, match="policies of 'star' have only patterns"):
            lab.sweep(pdp, ONE, "star")


def test_resource_ids_can_be_an_axis(write: Write) -> None:
    with lab.PDP(write(thing=resource_policy(rule("R.id == 'b'")))) as pdp:
        decisions = lab.sweep(pdp, ONE, "thing", amount=[1, 2], resource_id=["a", "b"])
        assert decisions.dims[-1] == "resource_id"
        assert decisions.sel(resource_id="b").counts() == {"ALLOW": 2, "DENY": 0}
        assert decisions.sel(resource_id="a").counts() == {"ALLOW": 0, "DENY": 2}
        assert "resource_id" not in decisions.fixed


def test_a_sweep_without_axes_is_one_decision_per_action(small: lab.PDP) -> None:
    assert ask(small, amount=100).effect() == "ALLOW"
    assert len(ask(small, amount=100)) == 1


@pytest.mark.parametrize("token", ["secret", SecretStr("secret"), {"token": "secret"}])
def test_a_token_is_used_and_never_stored(small: lab.PDP, token: Any) -> None:
    with pytest.raises(lab.PDPError) as refused:
        ask(small, amount=1, aux_data=token)
    assert "secret" not in shown(refused.value)
    with pytest.raises(lab.InputError, match="aux_data must be a JWT"):
        ask(small, amount=1, aux_data={"jwt": "secret"})


def test_a_sweep_says_where_its_decisions_come_from(small: lab.PDP) -> None:
    before = datetime.datetime.now(datetime.UTC)
    told = ask(small, amount=range(600)).provenance
    assert (told.asked, told.classes, told.method) == (3, 1, "auto")  # below, at and above 100
    assert 400 <= told.audited <= 512  # of 600, some drawn twice
    assert (told.evaluation, told.names_checked) == ("lenient", True)
    every = ask(small, amount=range(600), method="every-cell").provenance
    assert (every.asked, every.classes, every.audited, every.method) == (600, 1, 0, "every-cell")
    assert (told.pdp_version, told.engine, told.policy_digest) == (small.version, small.engine, small.digest)
    assert (told.mapping, told.aux_data) == (None, False)
    assert before <= told.started <= datetime.datetime.now(datetime.UTC)
    assert 0 < told.seconds < 60


# -- what is refused --------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"actions": "aprove"}, "no action 'aprove' in the policies of 'thing'; did you mean 'approve'"),
    ({"actions": []}, "actions is empty"),
    ({"actions": ["approve", "approve"]}, "given twice in actions"),
    ({"actions": [""]}, "an action must be a non-empty string"),
    ({"actions": [1]}, "an action must be a non-empty string"),
    ({"policy_version": "v9"}, "'thing' has no policy version 'v9'; there are: default"),
    ({"scope": "acme"}, "'thing' has no policy in the scope 'acme'; there are none"),
    ({"method": "every"}, "no method 'every'; did you mean 'every-cell'"),
    ({"amount": []}, "axis 'amount' has no values"),
    ({"amount": [1, 2, 1.0]}, "axis 'amount' has the value 1 twice, at 0 and 2"),
    ({"amount": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}, "twice, at 0 and 1"),
    ({"amount": {1, 2}}, "axis 'amount': a set has no order"),
    ({"amount": (n for n in (1, 2))}, "axis 'amount': give a list, not a generator"),
    ({"amount": pd.DataFrame({"a": [1]})}, "axis 'amount': give a list, not a DataFrame"),
    ({"principal": ["a"]}, "an axis can't be called 'principal'"),
    ({"action": ["a"]}, "an axis can't be called 'action'"),
    ({"attr": {"effect": ["a"]}}, "an axis can't be called 'effect'"),
    ({"attr": {"resource_id": "a"}}, "an attribute can't have that name"),
    ({"attr": {"": 1}}, "an attribute's name must be a non-empty string"),
    ({"attr": {1: 1}}, "an attribute's name must be a non-empty string"),
    ({"attr": {"amount": 1}, "amount": 2}, "given twice, as a keyword and in attr=: .'amount'"),
    ({"audit": -1}, "audit must be a number of combinations, 0 or more, or 'all', not -1"),
    ({"audit": True}, "audit must be a number of combinations"),
    ({"executor": 5}, "executor= needs an executor with a submit method, not a int"),
    ({"resource_id": ""}, "resource_id must be a non-empty string"),
    ({"resource_id": ["a", 1]}, "resource_id must be a non-empty string"),
    ({"amount": datetime.date(2026, 1, 1)}, r"attribute 'amount': a date can't be sent.*\.isoformat\(\)"),
    ({"amount": [1, datetime.datetime(2026, 1, 1)]}, r"axis 'amount'\[1\]: a datetime can't be sent"),  # noqa: DTZ001
    ({"amount": [{1}]}, r"axis 'amount'\[0\]: a set can't be sent"),
    ({"amount": b"5"}, "a bytes can't be sent"),
    ({"amount": [float("nan")]}, r"axis 'amount'\[0\]: not a finite number; use lab.MISSING"),
    ({"amount": float("inf")}, "not a finite number"),
    ({"amount": Decimal("NaN")}, "not a finite number"),
    ({"amount": [2**53, 2**53 + 1]}, r"axis 'amount'\[1\]: this integer can.t be represented exactly"),
    ({"amount": 10**400}, "this integer can't be represented exactly"),
    ({"amount": "\ud800"}, "a lone surrogate"),
    ({"amount": {"a": {1: 2}}}, r"attribute 'amount'\['a'\]: the keys of a map must be strings"),
    ({"amount": [[1, lab.MISSING]]}, r"lab.MISSING can't be an item of a list"),
    ({"amount": object()}, "a object can't be sent to Cerbos"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_values_that_cannot_be_sent_are_refused_with_their_place(
    small: lab.PDP, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(lab.InputError, match=message):
        lab.sweep(small, ONE, "thing", **given)


def test_an_unknown_kind_is_refused_with_the_nearest(small: lab.PDP) -> None:
    with pytest.raises(lab.InputError, match="resource kind 'thin'; did you mean 'thing'"):
        lab.sweep(small, ONE, "thin", amount=1)
    for kind in ("", None, 5):
        with pytest.raises(lab.InputError, match="must be a non-empty string"):
            lab.sweep(small, ONE, kind, amount=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (ONE.iloc[:0], "the frame has no rows"),
        (ONE.drop(columns="id"), "no column 'id'"),
        (ONE.drop(columns="roles"), "no column 'roles'"),
        (ONE.assign(roles=pd.Series([()])), "row 0: 'roles' is empty"),
        (ONE.assign(roles="user"), "row 0: 'roles' must be a tuple"),
        (ONE.assign(id=""), "row 0: 'id' must be a non-empty string"),
        (ONE.assign(born=pd.Timestamp("2000-01-01")), "row 0, column 'born': a Timestamp can't be sent"),
        (pd.concat([ONE, ONE]), "rows 0 and 1 are the same principal"),
        (ONE.assign(id="somebody-else"), "which lab.OTHER stands for"),
        (ONE.to_dict("records"), "principals must be a DataFrame, not a list"),
    ],
)
def test_a_frame_that_breaks_its_contract_is_refused(small: lab.PDP, frame: Any, message: str) -> None:
    with pytest.raises(lab.InputError, match=message):
        lab.sweep(small, frame, "thing", amount=1)


# -- all or nothing ---------------------------------------------------------------------------

GRID = lab.amounts(0, 10_000, step=1)


@pytest.fixture
def sent(small: lab.PDP, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that fills with the requests under way."""
    requests: list[Any] = []
    send = small._send

    def sending(request: messages.CheckRequest, aux_data: messages.AuxData | None) -> Any:
        requests.append(send(request, aux_data))
        return requests[-1]

    monkeypatch.setattr(small, "_send", sending)
    return requests


def assert_usable_and_idle(pdp: lab.PDP, sent: list[Any]) -> None:
    assert len(sent) < len(GRID) / 500
    end = time.monotonic() + 60
    while not all(request.future.done() for request in sent):
        assert time.monotonic() < end
    count = len(sent)
    time.sleep(0.05)
    assert len(sent) == count
    assert ask(pdp, amount=[100, 101]).counts() == {"ALLOW": 1, "DENY": 1}


def test_an_interrupt_between_two_answers_leaves_no_request_running(
    small: lab.PDP, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def progress(total: int, unit: str) -> Iterator[Callable[[int], None]]:
        def advance(done: int) -> None:
            if len(sent) > 5:
                raise KeyboardInterrupt

        yield advance

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "progress", progress)
        with pytest.raises(KeyboardInterrupt):
            ask(small, amount=GRID, method="every-cell")
    assert_usable_and_idle(small, sent)


def test_an_interrupt_inside_an_answer_leaves_no_request_running(
    small: lab.PDP, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(messages, "effects", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(small, amount=GRID)
    assert_usable_and_idle(small, sent)


def test_a_ctrl_c_at_any_moment_ends_the_sweep_and_leaves_the_pdp_usable(small: lab.PDP) -> None:
    gc.collect()  # Python swallows an interrupt in the weak references of what other tests have left behind
    grid = lab.amounts(0, 100_000, step=1)
    for seconds in np.random.default_rng(1).uniform(0.01, 0.4, 8):
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - on a busy machine it may come at once
            timer.start()
            ask(small, amount=grid, method="every-cell")
        timer.join()
        assert ask(small, amount=[100, 101]).counts() == {"ALLOW": 1, "DENY": 1}


def test_an_incomplete_answer_is_an_error(small: lab.PDP, monkeypatch: pytest.MonkeyPatch) -> None:
    read = messages.effects

    def cut(change: Callable[[Any], object]) -> None:
        def cutting(request: Any, response: Any) -> Any:
            change(response)
            return read(request, response)

        with monkeypatch.context() as patch:
            patch.setattr(messages, "effects", cutting)
            with pytest.raises(lab.PDPError, match="no decision of this request is used"):
                ask(small, amount=[1, 2, 3], method="every-cell")

    cut(lambda response: response.results.pop())
    cut(lambda response: response.results[1].actions.clear())
    cut(lambda response: response.results[2].actions.update({"approve": 3}))


def test_a_pdp_without_its_own_policies_is_asked_with_a_warning(small: lab.PDP) -> None:
    with (
        lab.PDP(address=small.address) as pdp,
        pytest.warns(lab.LabWarning, match="a wrong name leads to DENY") as seen,
    ):
        assert lab.sweep(pdp, ONE, "thinng", actions="aprove", amount=[1]).counts()["DENY"] == 1
    assert seen[0].filename == __file__


def test_a_policy_version_set_by_the_configuration_is_not_guessed(write: Write) -> None:
    folder = write(thing=up_to(5, version="v7"))
    with lab.PDP(folder, config={"engine": {"defaultPolicyVersion": "v7"}}) as pdp:
        assert ask(pdp, amount=[5, 6]).counts() == {"ALLOW": 1, "DENY": 1}


def test_an_action_that_only_a_principal_policy_names_can_be_asked(tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_text(up_to(5))
    (tmp_path / "ann.yaml").write_text(
        """apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: u0
  version: default
  rules: [{resource: thing, actions: [{action: export, effect: EFFECT_ALLOW}]}]
"""
    )
    with lab.PDP(tmp_path) as pdp:
        decisions = lab.sweep(pdp, users(2), "thing", actions="export", amount=[1])
        assert decisions.allowed().ravel().tolist() == [True, False]
        assert lab.sweep(pdp, users(1), "thing", amount=[1]).actions == ("approve",)


def test_a_policy_file_with_an_upper_case_suffix_is_followed_too(tmp_path: Path) -> None:
    (tmp_path / "thing.YAML").write_text(up_to(5))
    with lab.PDP(tmp_path) as pdp:
        before = pdp.digest
        (tmp_path / "thing.YAML").write_text(up_to(9))
        decisions = lab.sweep(pdp, users(1), "thing", amount=[9])
    assert decisions.counts()["ALLOW"] == 1
    assert decisions.provenance.policy_digest != before


def test_a_folder_with_a_dollar_sign_and_large_attributes_work(tmp_path: Path) -> None:
    folder = tmp_path / "a$HOME ${X} $$"
    folder.mkdir()
    (folder / "thing.yaml").write_text(up_to(1_000))
    with lab.PDP(folder) as pdp:
        decisions = lab.sweep(pdp, users(1), "thing", amount=range(1, 501), note="x" * 20_000)
    assert decisions.counts()["ALLOW"] == 500


def test_attributes_that_no_policy_reads_or_that_are_not_sent_are_reported(small: lab.PDP) -> None:
    decisions = lab.sweep(small, users(1), "thing", amout=[1, 2])
    assert decisions.provenance.notes == (
        "No policy reads amout (did you mean 'amount'?).",
        "Read by the policies of thing, but not sent: amount.",
    )
    assert "No policy reads amout (did you mean" in repr(decisions)
    assert "No policy reads amout (did you mean" in decisions._repr_mimebundle_()["text/html"]


def test_the_swept_frame_may_change_afterwards(small: lab.PDP) -> None:
    people = users(3)
    decisions = lab.sweep(small, people, "thing", amount=[1])
    shown, before = repr(decisions), decisions.principals
    people["roles"] = [("nobody",)] * 3
    people.loc[0, "id"] = "somebody"
    assert repr(decisions) == shown
    assert decisions.principals.equals(before)


@pytest.mark.parametrize("given", [lab.SELF, [lab.SELF, lab.OTHER]])
def test_a_resource_id_is_a_string_and_not_a_relation(small: lab.PDP, given: Any) -> None:
    with pytest.raises(lab.InputError, match="resource_id must be"):
        lab.sweep(small, users(1), "thing", amount=1, resource_id=given)


def test_a_principal_attribute_is_not_a_relation(small: lab.PDP) -> None:
    with pytest.raises(lab.InputError, match=r"lab.SELF and lab.OTHER are for the resource"):
        lab.sweep(small, lab.vary(users(1), boss=[lab.SELF]), "thing", amount=1)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[s]", "timedelta64[ns]"])
def test_dates_are_refused_and_not_sent_as_numbers(small: lab.PDP, kind: str) -> None:
    dates = np.array([1, 2]).astype(kind)
    for given in (dates, dates[0], pd.Series(dates)):
        with pytest.raises(lab.InputError, match="isoformat"):
            lab.sweep(small, users(1), "thing", amount=given)
