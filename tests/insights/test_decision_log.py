"""Cerbos's own decision log, asked again."""

import json
from pathlib import Path
from typing import Any

import pytest
from small_policies import resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab

LOGGED = {"enabled": True, "backend": "file", "accessLogsEnabled": True, "decisionLogsEnabled": True}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that Cerbos wrote: three users, two actions, two amounts, twice."""
    folder = tmp_path_factory.mktemp("log")
    file = folder / "decisions.log"
    policy = resource_policy(rule("R.attr.amount <= 50 && R.attr.owner != P.id"), rule(actions=["view"]))
    config: dict[str, Any] = {"audit": {**LOGGED, "file": {"path": str(file)}}}
    with lab.PDP(write(folder / "p", thing=policy), config=config) as pdp:
        for _ in range(2):
            lab.sweep(
                pdp,
                users(3, team="blue"),
                "thing",
                actions=["view", "approve"],
                amount=[50, 60],
                owner=[lab.SELF, lab.OTHER],
                method="every-cell",
            )
    return file


def test_the_same_policies_decide_the_same(log: Path) -> None:
    policy = resource_policy(rule("R.attr.amount <= 50 && R.attr.owner != P.id"), rule(actions=["view"]))
    with lab.PDP(write(log.parent / "same", thing=policy)) as pdp:
        found = lab.replay_log(pdp, log)
    assert len(found) == 2 * 3 * 2 * 2 * 2
    assert found.asked == 3 * 2 * 2 * 2  # equal requests once
    assert found.changed.empty
    assert "all would be decided the same now" in repr(found)
    assert sum(found.frame()["recorded"] == "ALLOW") == 2 * 3 * (4 + 1)


def test_what_would_be_decided_otherwise_is_told_without_names(log: Path) -> None:
    with lab.PDP(write(log.parent / "other", thing=up_to(60))) as pdp:
        found = lab.replay_log(pdp, log)
    changed = found.changed
    told = changed.groupby(["action", "recorded", "now"]).size().to_dict()
    assert told == {("view", "ALLOW", "DENY"): 24, ("approve", "DENY", "ALLOW"): 18}
    assert repr(found).splitlines()[1:3] == [
        "24 view of thing: ALLOW then, DENY now; 3 people.",
        "18 approve of thing: DENY then, ALLOW now; 3 people.",
    ]
    for text in (repr(found), found._repr_html_(), changed.to_csv()):
        assert "u0" not in text
    assert set(found.frame(names=True)["principal"]) == {"u0", "u1", "u2"}


def test_each_request_is_asked_with_its_recorded_list_of_actions(log: Path) -> None:
    """Where policies read ``runtime``, an action can depend on those before it in the request."""
    entries = [json.loads(line) for line in log.read_text().splitlines() if "checkResources" in line]
    assert {tuple(one["actions"]) for entry in entries for one in entry["checkResources"]["inputs"]} == {
        ("view", "approve")
    }


def test_what_can_not_be_asked_again_is_counted(log: Path, tmp_path: Path) -> None:
    lines = [line for line in log.read_text().splitlines() if "checkResources" in line][:2]
    first, second = (json.loads(line) for line in lines)
    first["checkResources"]["inputs"][0]["auxData"] = {"jwt": {"sub": "x"}}
    del second["checkResources"]["outputs"]
    plan = {"log.kind": "decision", "callId": "1", "planResources": {}}
    file = tmp_path / "some.log"
    file.write_text("\n".join(map(json.dumps, [first, second, plan])) + "\n")
    policy = resource_policy(rule('request.auxData.jwt.sub == "x"'))
    with lab.PDP(write(tmp_path / "p", thing=policy)) as pdp:
        found = lab.replay_log(pdp, file)
    inputs = len(first["checkResources"]["inputs"])
    assert len(found) == 2 * (inputs - 1)
    assert found.notes == (
        "1 entry with a JWT, of which a log has no token was not asked again.",
        "1 entry without a result was not asked again.",
        "1 entry of another kind (plans, access) was not asked again.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no decisions to ask again"),
        ("amount,owner\n", "line 1 of 'x.log' is not JSON"),
        ('{"a": 1}\n', "line 1 of 'x.log' is no entry"),
        ('{"callId": "1", "log.kind": "access"}\n', "no decisions to ask again: only 1 of another kind"),
        (
            '{"checkResources": {"inputs": [{"actions": ["x"]}], "outputs": [{}]}}\n',
            "line 1 has a request that can't",
        ),
    ],
)
def test_another_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.log").write_text(text)
    with lab.PDP(write(tmp_path / "p", thing=up_to(3))) as pdp:
        with pytest.raises(lab.InputError, match=message):
            lab.replay_log(pdp, tmp_path / "x.log")
        with pytest.raises(lab.InputError, match="there is no file"):
            lab.replay_log(pdp, tmp_path / "y.log")
        with pytest.raises(lab.InputError, match=r"for lab\.replay_log"):
            lab.replay(pdp, users(), tmp_path / "x.log", "thing")
