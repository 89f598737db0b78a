"""The secret key is sent only to Clerk; no message or log shows it, or the users."""

import json
import logging
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from clerk_server import KEY, MALFORMED, Fault, serve
from pydantic import SecretStr
from tracebacks import shown

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.clerk.api import secret_key_kind
from clerk_cerbos_lab.identity.keys import hide

DATA = Path(__file__).parents[2] / "data"

Json = dict[str, Any]
USERS: list[Json] = json.loads((DATA / "clerk_users.json").read_text("utf-8"))
EMAIL = USERS[0]["email_addresses"][0]["email_address"]
PERSONAL = [EMAIL, USERS[0]["first_name"], USERS[0]["last_name"], "E-10000", USERS[0]["image_url"]]
SECRET = "sk_test_3Vv4_Lantern_Harbour_Meadow"
NOBODY = "https://nobody.invalid/v1"


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLERK_SECRET_KEY", raising=False)
    monkeypatch.delenv("CLERK_API_URL", raising=False)


# --- what is a key ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [SECRET, f" {SECRET}\n", SecretStr(SECRET), SecretStr(f"{SECRET}\n")])
def test_a_key_may_be_surrounded_by_spaces(key: str | SecretStr) -> None:
    with serve(USERS, key=SECRET) as clerk:
        assert len(lab.load_users(key=key, api_url=clerk.url)) == 96
        assert len(lab.load_principals(key=key, api_url=clerk.url)) == 96


def test_the_key_and_the_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(USERS, key=SECRET) as clerk:
        monkeypatch.setenv("CLERK_SECRET_KEY", f"{SECRET}\n")
        monkeypatch.setenv("CLERK_API_URL", clerk.url.removesuffix("/v1"))
        assert len(lab.load_principals()) == 96


def test_no_key_where_nobody_can_answer_is_an_error_that_says_where_keys_are() -> None:
    with pytest.raises(lab.KeyMissingError, match="set CLERK_SECRET_KEY"):
        lab.load_users(api_url=NOBODY)


@pytest.mark.parametrize("key", ["", " ", SecretStr(""), SecretStr("\n")])
def test_an_empty_key_counts_as_no_key(key: str | SecretStr) -> None:
    with pytest.raises(lab.KeyMissingError, match="no Clerk secret key"):
        lab.load_users(key=key, api_url=NOBODY)


@pytest.mark.parametrize(
    "key",
    [
        "pk_test_Meadow",
        "sk_",
        "Bearer sk_test_Meadow",
        "sk_test_Mea\ndow",
        "sk_test_Mea dow",
        "sk_test_Méadow",
    ],
)
@pytest.mark.parametrize("kind", [str, SecretStr])
def test_something_other_than_a_secret_key_is_neither_sent_nor_shown(key: str, kind: type) -> None:
    with pytest.raises(lab.KeyMissingError, match="not a Clerk secret key") as caught:
        lab.load_principals(key=kind(key), api_url=NOBODY)
    assert key[3:] == "" or key[3:] not in shown(caught.value)
    assert ("publishable" in str(caught.value)) == key.startswith("pk_")


@pytest.mark.parametrize(
    ("held", "kind"),
    [(None, None), ("", None), ("sk_test_a", "test"), ("sk_live_a\n", "live"), ("pk_live_a", "wrong")],
)
def test_the_kind_of_key_can_be_reported_without_the_key(
    held: str | None, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if held is not None:
        monkeypatch.setenv("CLERK_SECRET_KEY", held)
    assert secret_key_kind() == kind


def test_a_hidden_key_shows_nothing() -> None:
    hidden = hide(SECRET)
    assert hidden is not None
    assert SECRET not in f"{hidden} {hidden!r}"
    assert hide(None) is None


def test_in_a_terminal_there_is_a_prompt_for_the_key_that_does_not_echo() -> None:
    ours, theirs = pty.openpty()
    with serve(USERS, key=SECRET) as clerk:
        program = f"import clerk_cerbos_lab as lab; print(len(lab.load_users(api_url={clerk.url!r})))"
        run = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=DATA.parent,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert run.stderr is not None
        asked = run.stderr.read(len("Clerk secret key (sk_…): ".encode()))
        echoes = termios.tcgetattr(theirs)[3] & termios.ECHO
        os.write(ours, f"{SECRET}\n".encode())
        out, err = run.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert asked.decode() == "Clerk secret key (sk_…): "
    assert not echoes
    assert (out, err.strip()) == (b"96\n", b"")


# --- where it is sent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://api.clerk.com/v1",
        "http://10.0.0.7/v1",
        "http://localhost.example.com/v1",
        "http://127.0.0.1.example.com",
        "HTTP://example.com",
    ],
)
def test_a_key_is_never_sent_unencrypted_to_another_machine(address: str) -> None:
    with pytest.raises(lab.InputError, match="must be https") as caught:
        lab.load_users(key=SECRET, api_url=address)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *("api.clerk.com", "ftp://api.clerk.com", "https://", "https:///v1", "https://api.clerk.com:port/v1"),
        *(
            "http://[::1",
            "https://x/v1?y=1",
            "https://x/v1#y",
            "http://127.0.0.1@x.com",
        ),
    ],
)
def test_an_invalid_address_is_an_error_that_shows_a_valid_one(address: str) -> None:
    with pytest.raises(lab.InputError, match=r"must look like https://api\.clerk\.com/v1"):
        lab.load_users(key=SECRET, api_url=address)


def test_a_budget_must_be_above_zero() -> None:
    with pytest.raises(lab.InputError, match="above 0 seconds, not 0"):
        lab.load_users(key=SECRET, api_url=NOBODY, budget=0)


# --- what is shown ------------------------------------------------------------------------------

BODY = json.dumps({"errors": [{"code": "bad", "message": EMAIL, "long_message": SECRET}]}).encode()
MISSHAPEN = json.dumps([{"id": "user_1"}, *PERSONAL]).encode()


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(2, status, body=BODY) for status in (302, 400, 401, 403, 404, 422, 500, 503)),
        Fault(2, 429, {"Retry-After": "600"}, body=BODY),
        Fault(2, 422, body=EMAIL.encode()),
        *(Fault(2, body=MALFORMED + EMAIL.encode()), Fault(2, body=json.dumps(EMAIL).encode())),
        *(Fault(1, body=json.dumps(EMAIL).encode()), Fault(2, does="hang")),
    ],
)
def test_no_failure_shows_the_key_or_a_person(fault: Fault) -> None:
    faults = [fault._replace(nth=nth) for nth in range(fault.nth, 9)]
    with serve(USERS, faults=faults, key=SECRET) as clerk, pytest.raises(lab.ClerkError) as caught:
        lab.load_principals(filters={"email_address": EMAIL}, key=SECRET, api_url=clerk.url, budget=0.5)
    text = shown(caught.value)
    assert SECRET not in text
    told = "\n".join([*format_exception(caught.value), repr(caught.value), str(vars(caught.value))])
    assert not [value for value in PERSONAL if value in told.replace(__file__, "")]


@pytest.mark.parametrize("body", [MISSHAPEN, json.dumps([{"email": EMAIL}]).encode()])
def test_an_entry_that_is_not_a_user_is_reported_by_position(body: bytes) -> None:
    with (
        serve(USERS, faults=[Fault(2, body=body)], key=SECRET) as clerk,
        pytest.raises(lab.UsersError, match=r"Clerk's user list: user [01] ") as caught,
    ):
        lab.load_users(key=SECRET, api_url=clerk.url)
    assert SECRET not in shown(caught.value)
    assert EMAIL not in str(caught.value)


def test_a_wrong_key_is_refused_by_clerk_and_not_shown() -> None:
    with serve(USERS) as clerk, pytest.raises(lab.ClerkError, match="refused the secret key") as caught:
        lab.load_principals(key=SECRET, api_url=clerk.url)
    assert (caught.value.status, caught.value.code) == (401, "clerk_key_invalid")
    assert SECRET not in shown(caught.value)


def test_debug_logs_contain_neither_the_key_nor_a_filter(caplog: pytest.LogCaptureFixture) -> None:
    names = ("httpx", "httpcore", "httpx_retries")
    caplog.set_level(logging.DEBUG)
    for name in names:
        caplog.set_level(logging.DEBUG, logger=name)
    faults = [Fault(1, 429, {"Retry-After": "Thu, 01 Jan 2026 00:00:00"}), Fault(3, does="cut")]
    with serve(USERS, faults=faults, key=SECRET) as clerk:
        lab.load_users(filters={"email_address": EMAIL}, key=SECRET, api_url=clerk.url)
    assert SECRET not in caplog.text
    assert EMAIL not in caplog.text
    assert EMAIL.replace("@", "%40") not in caplog.text
    assert [logging.getLogger(name).level for name in names] == [logging.DEBUG] * 3  # as they were


def test_api_options_are_refused_with_a_file_and_vice_versa() -> None:
    file = DATA / "clerk_users.json"
    for options in ({"key": KEY}, {"api_url": NOBODY}, {"filters": {"banned": True}}):
        with pytest.raises(lab.InputError, match="can't be used with a file"):
            lab.load_users(file, **options)
    with pytest.raises(lab.InputError, match="memberships= is for a file of users"):
        lab.load_users(key=KEY, api_url=NOBODY, memberships=DATA / "clerk_organization_memberships.json")
