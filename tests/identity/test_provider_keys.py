"""Keys of Auth0, Okta and WorkOS are sent only to them; no message or log shows one, or a person."""

import json
import logging
from collections.abc import Iterator
from traceback import format_exception
from typing import Any

import auth0_server
import pytest
from local_server import MALFORMED, Fault, LocalServer
from provider_cases import CASES, PEOPLE, compressed, sample, served
from pydantic import SecretStr
from tracebacks import shown

import clerk_cerbos_lab as lab

Json = dict[str, Any]

NAMES = [name for name in CASES if name != "clerk"]

VARIABLES = {
    "auth0": ("AUTH0_DOMAIN", "AUTH0_MGMT_TOKEN"),
    "okta": ("OKTA_ORG_URL", "OKTA_API_TOKEN"),
    "workos": ("WORKOS_API_URL", "WORKOS_API_KEY"),
    "workos-directory": ("WORKOS_API_URL", "WORKOS_API_KEY"),
}

EMAIL = sample("auth0_users")[0]["email"]


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {
        *(name for pair in VARIABLES.values() for name in pair),
        "AUTH0_CLIENT_ID",
        "AUTH0_CLIENT_SECRET",
    }:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> str:
    """Return each source in turn."""
    name: str = request.param
    return name


@pytest.fixture
def server(case: str) -> Iterator[LocalServer]:
    """Return its server."""
    with served(case) as running:
        yield running


def test_address_and_key_come_from_the_environment(
    case: str, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, key = VARIABLES[CASES[case].provider]
    monkeypatch.setenv(address, server.origin)
    monkeypatch.setenv(key, f"{CASES[case].key}\n")
    plan = lab.Mapping(provider=CASES[case].provider, **CASES[case].mapping)  # type: ignore[arg-type]
    assert len(lab.load_principals(mapping=plan)) == PEOPLE


@pytest.mark.parametrize("kind", [str, SecretStr])
def test_a_key_may_be_given_wrapped_or_with_spaces_around_it(
    case: str, server: LocalServer, kind: type
) -> None:
    plan = lab.Mapping(provider=CASES[case].provider, **CASES[case].mapping)  # type: ignore[arg-type]
    key = kind(f" {CASES[case].key}\n")
    assert len(lab.load_principals(mapping=plan, key=key, api_url=server.origin)) == PEOPLE


@pytest.mark.parametrize("provider", VARIABLES)
def test_without_a_key_the_error_says_which_variables_to_set(provider: str) -> None:
    with pytest.raises(lab.KeyMissingError) as caught:
        lab.load_principals(provider=provider)  # type: ignore[arg-type] # one of them
    assert VARIABLES[provider][0] in str(caught.value) or VARIABLES[provider][1] in str(caught.value)
    with pytest.raises(lab.KeyMissingError, match=f"set {VARIABLES[provider][1]}"):
        lab.load_principals(provider=provider, api_url="https://nobody.invalid")  # type: ignore[arg-type]


@pytest.mark.parametrize("provider", ["auth0", "okta", "workos"])
def test_a_key_of_another_provider_than_clerk_is_a_hint(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLERK_SECRET_KEY", raising=False)
    monkeypatch.setenv(VARIABLES[provider][1], "sk_Meadow")
    with pytest.raises(lab.KeyMissingError, match=f"did you mean provider='{provider}'"):
        lab.load_principals()


@pytest.mark.parametrize("provider", VARIABLES)
@pytest.mark.parametrize("key", ["sk_Mea dow", "sk_Méadow", "Bearer sk_Meadow\nx"])
def test_something_other_than_a_key_is_neither_sent_nor_shown(provider: str, key: str) -> None:
    with pytest.raises(lab.KeyMissingError, match="that is not") as caught:
        lab.load_principals(provider=provider, key=key, api_url="https://nobody.invalid")  # type: ignore[arg-type]
    assert key not in shown(caught.value)


@pytest.mark.parametrize("address", ["http://example.com", "http://10.0.0.7", "http://localhost.example.com"])
@pytest.mark.parametrize("provider", VARIABLES)
def test_a_key_is_never_sent_unencrypted_to_another_machine(provider: str, address: str) -> None:
    with pytest.raises(lab.InputError, match="must be https"):
        lab.load_principals(provider=provider, key="sk_Meadow", api_url=address)  # type: ignore[arg-type]


BODY = json.dumps({"message": EMAIL, "errorCode": EMAIL, "code": EMAIL, "errorSummary": EMAIL}).encode()


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(2, status, body=BODY) for status in (302, 400, 401, 403, 404, 422, 500)),
        *(Fault(2, body=MALFORMED + EMAIL.encode()), Fault(2, body=json.dumps(EMAIL).encode())),
        Fault(2, body=json.dumps([{"email": EMAIL}]).encode()),
        Fault(
            2, body=json.dumps({"users": [{"email": EMAIL}], "data": [{"email": EMAIL}], "total": 1}).encode()
        ),
    ],
)
def test_no_failure_shows_the_key_or_a_person(
    case: str, fault: Fault, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.reset([fault._replace(nth=nth) for nth in range(2, 12)])
    with compressed(monkeypatch, case, seconds=30), pytest.raises(lab.ProviderError) as caught:
        CASES[case].load(server)
    assert CASES[case].key not in shown(caught.value)
    told = "\n".join([*format_exception(caught.value), repr(caught.value), str(vars(caught.value))])
    assert EMAIL not in told


def test_debug_logs_contain_neither_the_key_nor_a_person(
    case: str, server: LocalServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("httpx", "httpcore", "httpx_retries"):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.DEBUG)
    server.reset([Fault(1, 503), Fault(3, does="cut")])
    with compressed(monkeypatch, case, seconds=30):
        CASES[case].load(server)
    assert CASES[case].key not in caplog.text
    assert CASES[case].ids.format(1) not in caplog.text


def test_an_unknown_filter_is_reported_and_nothing_is_sent(case: str, server: LocalServer) -> None:
    with pytest.raises(lab.InputError, match="no filter 'quiery'"):
        CASES[case].load(server, filters={"quiery": EMAIL})
    assert server.requests == []


# --- Auth0's own --------------------------------------------------------------------------------


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """Return an Auth0 server with client credentials in the environment."""
    with served("auth0") as running:
        monkeypatch.setenv("AUTH0_DOMAIN", running.origin)
        monkeypatch.setenv("AUTH0_CLIENT_ID", auth0_server.CLIENT[0])
        monkeypatch.setenv("AUTH0_CLIENT_SECRET", auth0_server.CLIENT[1])
        yield running


def test_client_credentials_are_exchanged_for_a_token(tenant: LocalServer) -> None:
    assert len(lab.load_principals(mapping=lab.Mapping.of("auth0", metadata=(), profile={}))) == PEOPLE
    first, *others = tenant.requests
    assert (first.method, first.path, first.authorized) == ("POST", "/oauth/token", False)
    assert json.loads(first.body)["audience"] == f"{tenant.origin}/api/v2/"
    assert all(request.authorized for request in others)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(1, 401), "is it still valid"),
        (Fault(1, 403), "does not allow"),
        (Fault(1, body=b"{}"), "had no access_token"),
        (Fault(1, body=b"[]"), "had no access_token"),
        (Fault(1, body=MALFORMED), "was not JSON"),
    ],
)
def test_a_refused_exchange_is_one_error_without_the_secret(
    fault: Fault, words: str, tenant: LocalServer
) -> None:
    tenant.reset([fault])
    with pytest.raises(lab.ProviderError, match=words) as caught:
        lab.load_principals(provider="auth0")
    assert auth0_server.CLIENT[1] not in shown(caught.value)
    assert len(tenant.requests) == 1


def test_the_export_file_is_fetched_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with served("auth0 export") as server, compressed(monkeypatch, "auth0 export", seconds=30) as waits:
        CASES["auth0 export"].load(server)
    fetched = [request for request in server.requests if request.path.startswith("/export/")]
    assert [request.authorized for request in fetched] == [False]
    assert waits == [2.0]  # as the job said


@pytest.mark.parametrize(
    ("nth", "body", "words"),
    [
        (8, b'{"id": "job_0000000000000000", "status": "failed"}', "export of the users failed"),
        (
            8,
            b'{"id": "job_0000000000000000", "status": "completed", "location": "http://x.test/y"}',
            "not at an https",
        ),
        (8, b'{"id": "job_0000000000000000", "status": "completed"}', "had no location"),
        (8, b'{"id": "job_0000000000000000"}', "had no status"),
        (10, b'{"user_id": "auth0|0000"}\n{"user_id": ', "export file, line 2"),
        (10, b"\x1f\x8bnonsense", "damaged or cut off"),
        (10, b"<Error><Code>AccessDenied</Code></Error>", "export file, line 1"),
        (10, b'{"user_id": "auth0|0000"}', "Auth0 listed 1 users but counts 8"),
        (10, b'{"user_id": "auth0|0000"}\n{"user_id": "auth0|0000"}', "repeats itself"),
    ],
)
def test_an_export_that_goes_wrong_is_one_clear_error(
    nth: int, body: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served("auth0 export") as server, compressed(monkeypatch, "auth0 export", seconds=30):
        server.reset([Fault(nth, body=body)])
        with pytest.raises(lab.ProviderError, match=words):
            CASES["auth0 export"].load(server)
