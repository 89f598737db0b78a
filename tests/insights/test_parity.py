"""Principals that an application sent are compared with the directory's, person by person, without names."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_policies import up_to, write

import clerk_cerbos_lab as lab

Json = dict[str, Any]


def directory() -> pd.DataFrame:
    people = pd.DataFrame(
        {
            "id": ["user_a", "user_b", "user_c"],
            "roles": [("manager",), ("user",), ("finance", "manager")],
            "limit": [7500, lab.MISSING, 5000.5],
            "email": ["a@example.com", lab.MISSING, None],
        },
        dtype=object,
    )
    return lab.shareable(people, "limit")


def right() -> list[Json]:
    """What an application without a fault sends."""
    return [
        {"id": "user_a", "roles": ["manager"], "attr": {"limit": 7500.0, "email": "a@example.com"}},
        {"id": "user_b", "roles": ["user"], "attr": {}},
        {"id": "user_c", "roles": ["manager", "finance"], "attr": {"limit": 5000.5, "email": None}},
    ]


def rows(found: Any) -> list[tuple[Any, ...]]:
    frame = found.frame(names=True)
    columns = ["principal", "attribute", "kind", "directory", "sent", "requests", "agreed"]
    return list(frame[columns].itertuples(index=False, name=None))


def test_what_is_the_same_is_the_same() -> None:
    found = lab.same_principal(directory(), right())
    assert found.same
    assert len(found) == 0
    assert repr(found) == "3 requests of 3 people: all were sent as the mapping makes them."
    assert "all were sent" in found._repr_html_()


def test_a_frame_is_compared_as_what_would_be_sent_of_it() -> None:
    assert lab.same_principal(directory(), directory()).same
    token = lab.claims_to_principal({"sub": "user_a", "metadata": {"role": "manager", "limit": "7500"}})
    found = lab.same_principal(directory(), token)
    assert [(row[1], row[2]) for row in rows(found)] == [("limit", "other type"), ("email", "missing")]
    assert repr(found).startswith("1 request of 1 person: 0 were sent as the mapping makes them, 1 was not.")


def test_people_who_were_not_sent_are_counted() -> None:
    found = lab.same_principal(directory(), right()[:1])
    assert found.same
    assert repr(found).splitlines()[1] == "2 of 3 people in the directory were not sent."


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"limit": "7500"}, ("limit", "other type", "7,500", '"7500"', 1, 0)),
        ({"limit": 5000}, ("limit", "other value", "7,500", "5,000", 1, 0)),
        ({"limit": None}, ("limit", "other type", "7,500", "null", 1, 0)),
        ({"limit": [7500]}, ("limit", "other type", "7,500", "[7500]", 1, 0)),
        ({"limit": True}, ("limit", "other type", "7,500", "true", 1, 0)),
        ({"limit": lab.MISSING}, ("limit", "missing", "7,500", "", 1, 0)),
        ({"extra": 1}, ("extra", "extra", "", "1", 1, 0)),
        ({"extra": None}, ("extra", "null", "", "null", 1, 0)),
        ({"roles": "x"}, ("roles", "extra", "", "x", 1, 0)),
    ],
    ids=str,
)
def test_each_difference_of_an_attribute_has_its_kind(change: Json, row: tuple[Any, ...]) -> None:
    sent = right()
    attr = {**sent[0]["attr"], **change}
    sent[0]["attr"] = {name: value for name, value in attr.items() if value is not lab.MISSING}
    assert rows(lab.same_principal(directory(), sent)) == [("user_a", *row)]


def test_roles_that_never_agree_are_other_and_those_that_agree_at_times_are_stale() -> None:
    other = {**right()[0], "roles": ["user"]}
    assert rows(lab.same_principal(directory(), [other, other])) == [
        ("user_a", "roles", "other roles", "manager", "user", 2, 0)
    ]
    found = lab.same_principal(directory(), [other, *right(), *right()])
    assert rows(found) == [("user_a", "roles", "stale roles", "manager", "user", 1, 2)]
    assert "a token that is not refreshed?" in repr(found)


def test_roles_are_a_set() -> None:
    twice = {**right()[2], "roles": ["finance", "manager", "finance"]}
    assert lab.same_principal(directory(), [twice]).same


def test_somebody_who_is_not_in_the_directory_is_one_row() -> None:
    found = lab.same_principal(
        directory(), [*right(), {"id": "user_z", "roles": ["admin"], "attr": {"x": 1}}]
    )
    assert rows(found) == [("user_z", "", "not in the directory", "", "", 1, 0)]
    assert repr(found).splitlines()[1] == "1 person not in the directory."


def test_nothing_that_is_shown_names_a_person_or_shows_what_may_be_personal() -> None:
    sent = [
        {"id": "user_a", "roles": ["user"], "attr": {"limit": "7500", "email": "other@example.com"}},
        {"id": "user_z", "roles": ["user"], "attr": {}},
    ]
    found = lab.same_principal(directory(), sent)
    frame = found.frame()
    for text in (repr(found), found._repr_html_(), frame.to_csv()):
        for secret in ("user_a", "user_z", "@example.com"):
            assert secret not in text
    email = frame[frame["attribute"] == "email"].iloc[0]
    assert (email["directory"], email["sent"]) == ("a string", "a string")
    limit = frame[frame["attribute"] == "limit"].iloc[0]
    assert (limit["directory"], limit["sent"]) == ("7,500", '"7500"')
    assert frame["principal"].str.startswith("p-").all()
    assert "limit: a string for a number; 1 person." in repr(found)


def test_a_decision_log_is_read_with_its_times(tmp_path: Path) -> None:
    file = tmp_path / "decisions.log"
    log = {"enabled": True, "backend": "file", "accessLogsEnabled": True, "decisionLogsEnabled": True}
    config = {"audit": {**log, "file": {"path": str(file)}}}
    people = directory()
    wrong = people.assign(limit=pd.Series(["7500", lab.MISSING, 5000.5], dtype=object))
    with lab.PDP(write(tmp_path / "p", thing=up_to(60)), config=config) as pdp:
        for frame in (people, wrong, people):
            lab.sweep(pdp, frame, "thing", actions="approve", amount=[1], method="every-cell", audit=0)
    found = lab.same_principal(people, file)
    assert [row[:5] for row in rows(found)] == [("user_a", "limit", "other type", "7,500", '"7500"')]
    shown = found.frame()
    assert (shown["agreed"] > shown["requests"]).all()
    assert shown["first"].notna().all()
    assert (shown["first"] <= shown["last"]).all()
    assert str(shown["last"].dt.tz) == "UTC"
    assert "lines of the log are about something else" in repr(found)


def test_plans_of_a_log_have_principals_too(tmp_path: Path) -> None:
    file = tmp_path / "decisions.log"
    entry = {
        "callId": "1",
        "timestamp": "2026-11-27T10:00:00.123456789Z",
        "planResources": {"input": {"principal": {"id": "user_a", "roles": ["user"]}}},
    }
    file.write_text(json.dumps(entry) + "\n")
    kinds = {row[2] for row in rows(lab.same_principal(directory(), file))}
    assert kinds == {"other roles", "missing"}


@pytest.mark.parametrize("form", ["list", "lines", "pretty"])
def test_a_file_of_principals_is_read(tmp_path: Path, form: str) -> None:
    file = tmp_path / "sent.json"
    texts = {
        "list": json.dumps(right()),
        "lines": "\n".join(map(json.dumps, right())) + "\n\n",
        "pretty": "\n" + json.dumps(right(), indent=2),
    }
    file.write_text(texts[form])
    assert lab.same_principal(directory(), file).requests == 3
    assert lab.same_principal(directory(), str(file)).same


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no principals in what was sent"),
        ("[]", "no principals in what was sent"),
        ("{", "line 1: not JSON"),
        ("[{]", "not JSON"),
        ('{"id": "a", "roles": ["x"]}\nx', "line 2: not JSON"),
        ("7", "line 1: the principal is not an object"),
        ('[{"roles": ["x"]}]', "principal 0: the principal has no 'id'"),
        ('[{"id": 7, "roles": ["x"]}]', "has no 'id'"),
        ('[{"id": "a"}]', "has no list 'roles'"),
        ('[{"id": "a", "roles": "secret"}]', "has no list 'roles'"),
        ('[{"id": "a", "roles": [7]}]', "has no list 'roles'"),
        ('[{"id": "a", "roles": ["x"], "attr": ["secret"]}]', "an 'attr' that is not a map"),
        ('[{"id": "a", "roles": ["x"], "attr": {"n": 1e400}}]', "an attribute that can't be sent"),
        ('{"callId": "1", "checkResources": {"inputs": [{}]}}', "line 1: the principal is not an object"),
    ],
)
def test_what_is_no_list_of_principals_is_one_clear_error(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "sent.json"
    file.write_text(text)
    with pytest.raises(lab.InputError, match=says) as raised:
        lab.same_principal(directory(), file)
    assert "secret" not in str(raised.value)


def test_what_can_not_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match="there is no file"):
        lab.same_principal(directory(), tmp_path / "nowhere")
    with pytest.raises(lab.InputError, match="can't be read"):
        lab.same_principal(directory(), tmp_path)
    (tmp_path / "latin").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(lab.InputError, match="not UTF-8"):
        lab.same_principal(directory(), tmp_path / "latin")
    with pytest.raises(lab.InputError, match="a file or a list of principals, not a map"):
        lab.same_principal(directory(), right()[0])  # type: ignore[arg-type]
    with pytest.raises(lab.InputError, match="several rows with one id"):
        lab.same_principal(lab.vary(directory(), limit=[1, 2]), right())
