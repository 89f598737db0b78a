"""Who a principal is stays with the project: what is shown, stored or shared names nobody unless asked to."""

from __future__ import annotations

import base64
import hmac
import json
import re
import subprocess
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_decisions import made

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.display import plain_text
from clerk_cerbos_lab.errors import InputError, LabWarning
from clerk_cerbos_lab.identity.pseudonyms import FOLDER, KEY_FILE, VARIABLE, masked, pseudonym

KEY = "a key of these tests"
ANN = "user_2abcDEFghiJKLmnoPQRstuVWXyz"
BOB = "user_3zyxWVUtsrQPOnmlKJIhgfEDCba"
SHAPE = re.compile(r"p-[0-9a-hjkmnp-tv-z]{10}")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, no key in the environment."""
    monkeypatch.delenv(VARIABLE)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- the key ----------------------------------------------------------------------------------------


def test_a_pseudonym_is_the_same_in_every_process_with_the_same_key() -> None:
    number = int.from_bytes(hmac.digest(KEY.encode(), ANN.encode(), "sha256"), "big") >> (256 - 50)
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    assert pseudonym(ANN) == "p-" + "".join(letters[number >> shift & 31] for shift in range(45, -1, -5))
    assert pseudonym(ANN) == "p-298k44tkzd"


def test_a_different_key_gives_different_pseudonyms(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pseudonym(ANN)
    monkeypatch.setenv(VARIABLE, "another key than that")
    assert pseudonym(ANN) != before


@given(st.text())
def test_a_pseudonym_has_one_format_and_reveals_nothing_about_the_id(identity: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, KEY)
        assert SHAPE.fullmatch(pseudonym(identity))
        assert len(identity) < 3 or identity not in pseudonym(identity)


def test_a_hundred_thousand_principals_have_different_pseudonyms() -> None:
    assert len({pseudonym(f"user_{i}") for i in range(100_000)}) == 100_000


def test_a_key_is_created_once_for_its_owner_only_and_found_from_a_subfolder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pseudonym(ANN)
    path = project / FOLDER / KEY_FILE
    assert not (project / KEY_FILE).exists()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text("utf-8").splitlines()[-1]) == 64
    (project / "deep" / "below").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "below")
    assert pseudonym(ANN) == first
    assert list((project / "deep").rglob(KEY_FILE)) == []


def test_git_ignores_a_key_created_by_the_kit(project: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    pseudonym(ANN)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True)
    assert (project / FOLDER / KEY_FILE).exists()
    assert listed.stdout.split() == ["pyproject.toml"]


def test_without_a_project_the_key_is_found_from_a_subfolder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.chdir(tmp_path)
    first = pseudonym(ANN)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert pseudonym(ANN) == first


def test_the_environment_takes_precedence_over_a_key_file_of_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    with_variable = pseudonym(ANN)
    (project / KEY_FILE).write_text(f"# about\n\n{KEY}\n", encoding="utf-8")
    monkeypatch.delenv(VARIABLE)
    assert pseudonym(ANN) == with_variable
    monkeypatch.setenv(VARIABLE, "a third key, longer than the others")
    assert pseudonym(ANN) != with_variable


def test_if_no_key_can_be_stored_a_warning_says_how_long_pseudonyms_are_valid(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        "clerk_cerbos_lab.identity.pseudonyms.os.open", refuse
    )  # root may write into any folder
    with pytest.warns(LabWarning, match=r"for this process only.*Permission denied"):
        first = pseudonym(ANN)
    assert pseudonym(ANN) == first  # the second time without a warning
    assert list(project.rglob(KEY_FILE)) == []


@pytest.mark.parametrize("text", ["", "short", "# nothing but a comment\n", "fifteen letters"])
def test_a_key_that_is_too_short_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (project / KEY_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="it needs at least 16"):
        pseudonym(ANN)
    monkeypatch.setenv(VARIABLE, "fifteen letters")
    with pytest.raises(InputError, match=VARIABLE):
        pseudonym(ANN)


# -- texts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identity", [ANN, "ann@example.com", "ann.b+c@mail.example.co.uk", "änn@bücher.example", "ann@почта.рф"]
)
def test_an_id_or_address_in_a_text_is_replaced_by_its_pseudonym(identity: str) -> None:
    assert masked(f"asked by {identity}, twice") == f"asked by {pseudonym(identity)}, twice"
    assert identity not in masked(json.dumps({"to": [identity]}, ensure_ascii=False))


@pytest.mark.parametrize(
    "text", ["user_id", "user_short", "@home", "5 @ 7", "a@b", "P.attr.email == R.attr.email"]
)
def test_what_is_not_an_id_is_not_replaced(text: str) -> None:
    assert masked(text) == text


# -- everything that is stored or shared -------------------------------------------------------


def representations(decisions: lab.Decisions, tmp_path: Path, *, names: bool) -> str:
    """All text that a notebook stores or a page holds, compressed parts opened."""
    texts = []
    for which in ("matrix", "thresholds"):
        made_of_it = decisions.show(view=which, names=names)
        shown = made_of_it._repr_mimebundle_()
        texts += [shown["text/plain"], shown["text/html"], made_of_it.svg, str(made_of_it.widget.get_state())]
    decisions.to_html(tmp_path / "page.html", names=names, scenarios={"again": decisions})
    texts.append((tmp_path / "page.html").read_text("utf-8"))
    for text in list(texts):
        for data in re.findall(r'"([A-Za-z0-9+/]{40,}={0,2})"', text):
            raw = base64.b64decode(data)
            with suppress(zlib.error):
                raw = zlib.decompress(raw)
            texts.append(raw.decode("utf-8", "replace"))
    return "\n".join(texts)


def secrets_of(people: Any) -> list[str]:
    return [*people["id"], *people["email"], *people["first_name"], "Salary-123"]


@pytest.fixture
def decisions() -> lab.Decisions:
    """Two people of whom a policy reads the region and the manager, with profile fields and more."""
    plain = made(
        np.array([[[[1, 0], [1, 1]]], [[[0, 0], [1, 0]]]]),
        {"amount": [10, 20], "owner": [ANN, [BOB, {"by": "cyd"}]]},
        names=[ANN, BOB],
        fixed={"resource_id": "resource", "approver": BOB, "contact": "desk@example.com"},
        read=frozenset({"region", "manager", "email"}),
        policies={f"{ANN}.yaml": f"principalPolicy: {{principal: {ANN}}} # ask ann@example.com"},
    )
    managers: Any = [BOB, ["cyd", BOB]]
    people = plain._principals.assign(
        region=["south", "west"],
        manager=managers,
        email=["ann@example.com", "bob@example.com"],
        first_name=["Ann-Sophie", "Robert"],
        salary=["Salary-123", "Salary-123"],
    )
    people["roles"] = [("user", "of desk@example.com"), ("user",)]
    people.attrs["mapping"] = {"profile": {"email": "email", "first_name": "first_name"}}
    people.attrs["shareable"] = ["region", "manager"]
    people.attrs["problems"] = [{"principal": ANN, "attribute": "region", "problem": "white space"}]
    plain._principals = people
    return plain


def test_nothing_stored_or_shared_names_anybody(decisions: lab.Decisions, tmp_path: Path) -> None:
    text = representations(decisions, tmp_path, names=False)
    assert [
        secret for secret in [*secrets_of(decisions.principals), "desk@example.com"] if secret in text
    ] == []
    assert pseudonym(ANN) in text
    assert "white space: region" in text
    assert "south" in text
    assert KEY not in text
    assert plain_text.WARNING not in text


def test_names_are_shown_with_a_warning_on_request(decisions: lab.Decisions, tmp_path: Path) -> None:
    text = representations(decisions, tmp_path, names=True)
    assert [secret for secret in secrets_of(decisions.principals) if secret not in text] == []
    assert pseudonym(ANN) not in text
    assert text.count(plain_text.WARNING) >= 4


def test_ids_of_principals_in_values_become_pseudonyms_at_any_depth(decisions: lab.Decisions) -> None:
    shown = decisions.shown()
    assert shown.value(ANN) == pseudonym(ANN)
    assert shown.value([BOB, {"by": [ANN]}]) == f'["{pseudonym(BOB)}", {{"by": ["{pseudonym(ANN)}"]}}]'
    assert shown.value(lab.SELF) == "SELF"
    assert shown.value(5_000) == "5,000"


def test_a_personal_attribute_that_distinguishes_two_rows_of_one_id_is_not_shown() -> None:
    ids = ["ann", "ann"]
    people = made(np.ones((2, 1)), {}, names=["ann email=a@example.com", "ann email=b@example.com"])
    people._principals = people._principals.assign(
        id=ids, email=["a@example.com", "b@example.com"], pay=["much", "more"]
    )
    people._principals.attrs["mapping"] = {"profile": {"email": "email"}}
    shown = people.shown()
    labels = plain_text.labels(people, shown, "principal")
    assert len(set(labels)) == 2
    assert all(re.fullmatch(rf"{pseudonym('ann')} {SHAPE.pattern}", label) for label in labels)


def test_an_attribute_that_no_policy_reads_is_not_shown_in_the_name_of_a_row() -> None:
    two = made(np.ones((2, 1)), {}, names=["ann pay=much", "ann pay=more"], read=frozenset({"region"}))
    two._principals = two._principals.assign(id=["ann", "ann"], pay=["much", "more"])
    assert not [
        label
        for label in plain_text.labels(two, two.shown(), "principal")
        if "much" in label or "more" in label
    ]


def test_the_sample_is_shown_without_any_of_its_names(pdp: lab.PDP, tmp_path: Path) -> None:
    people = lab.load_principals("data/clerk_users.json")
    users = json.loads(Path("data/clerk_users.json").read_text("utf-8"))
    names = {
        text
        for user in users
        for text in (user["first_name"], user["last_name"], user["username"])
        if text and len(text) > 6
    }
    addresses = {address["email_address"] for user in users for address in user.get("email_addresses", ())}
    swept = lab.sweep(
        pdp,
        people,
        "expense",
        amount=[10, 20_000],
        owner=list(people["id"][:2]),
        region="south",
        status="OPEN",
    )
    text = representations(swept, tmp_path, names=False)
    assert [one for one in [*people["id"], *names, *addresses] if one in text] == []
