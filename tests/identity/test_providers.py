"""Every source gives all its people, once each and in order, or one clear error, whatever goes wrong."""

from collections.abc import Iterator

import pytest
from local_server import MALFORMED, Fault, LocalServer
from provider_cases import CASES, FINANCE, MANAGERS, PEOPLE, compressed, served

import clerk_cerbos_lab as lab

PLACES = [(name, nth) for name, case in CASES.items() for nth in range(1, case.requests + 1)]

ROLES = [
    {role for role, held in (("manager", MANAGERS), ("finance", FINANCE)) if number in held} or {"user"}
    for number in range(PEOPLE)
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, LocalServer]]:
    """Return the servers that run so far; each is started when it is first needed."""
    running: dict[str, LocalServer] = {}
    opened = []
    for name in CASES:
        context = served(name)
        running[name] = context.__enter__()
        opened.append(context)
    yield running
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLERK_SECRET_KEY", "CLERK_API_URL", "AUTH0_DOMAIN", "AUTH0_MGMT_TOKEN", "AUTH0_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AUTH0_CLIENT_SECRET", "OKTA_ORG_URL", "OKTA_API_TOKEN", "WORKOS_API_KEY", "WORKOS_API_URL"):
        monkeypatch.delenv(name, raising=False)


def check(name: str, server: LocalServer, *, joined: bool = False) -> None:
    """Load, and compare with everybody."""
    frame = CASES[name].load(server)
    ids = frame["id"].tolist()
    if joined:
        ids = [own for own in ids if "joined" not in own]
        assert len(frame) - len(ids) <= 1
    assert ids == CASES[name].everybody()
    assert [set(roles) for roles in frame["roles"]][:PEOPLE] == ROLES


@pytest.mark.parametrize("name", CASES)
def test_all_people_come_in_order_with_their_roles(
    name: str, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[name].reset()
    with compressed(monkeypatch, name, seconds=30):
        check(name, servers[name])
    assert len(servers[name].requests) == CASES[name].requests
    assert {request.status for request in servers[name].requests} == {200}


@pytest.mark.parametrize(
    ("name", "nth", "fault"),
    [
        *((name, nth, fault) for name, nth in PLACES for fault in ("429", "503", "cut", "hang")),
        *((name, 2, fault) for name in CASES for fault in ("500", "502", "504")),
    ],
)
def test_a_fault_that_passes_costs_nobody(
    name: str, nth: int, fault: str, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    if fault.isdigit():
        given = Fault(nth, int(fault), case.limited() if fault == "429" else {})
    else:
        given = Fault(nth, does=fault)  # type: ignore[arg-type] # one of them
    servers[name].reset([given])
    with compressed(monkeypatch, name, seconds=0.1 if fault == "hang" else 30) as waits:
        check(name, servers[name])
    if fault == "429":
        assert any(5 <= wait <= 7 for wait in waits)
    assert len(servers[name].requests) >= case.requests


@pytest.mark.parametrize(("name", "nth"), PLACES)
def test_somebody_who_joins_amid_loading_costs_nobody(
    name: str, nth: int, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[name].reset([Fault(nth, does="join")], CASES[name].backend())
    with compressed(monkeypatch, name, seconds=30):
        check(name, servers[name], joined=True)
    servers[name].reset(backend=CASES[name].backend())


# --- what can't be recovered from ---------------------------------------------------------------


def error_of(name: str, server: LocalServer, **options: object) -> lab.ProviderError:
    with pytest.raises(lab.ProviderError) as caught:
        CASES[name].load(server, **options)
    assert isinstance(caught.value, lab.ClerkError) == (name == "clerk")
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize(
    ("name", "nth", "body"),
    [
        *((name, nth, body) for name, nth in PLACES for body in (MALFORMED, b"{}")),
        *((name, 2, body) for name in CASES for body in (b"null", b"<html>", b"[" * 100_000)),
    ],
)
def test_a_response_of_another_form_is_one_clear_error(
    name: str, nth: int, body: bytes, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[name].reset([Fault(nth, body=body)])
    with compressed(monkeypatch, name, seconds=30):
        message = str(error_of(name, servers[name]))
    assert CASES[name].provider.split("-")[0] in message.lower()
    assert len(servers[name].requests) == nth


@pytest.mark.parametrize(("name", "nth"), [(name, nth) for name, nth in PLACES if nth in {1, 3}])
def test_a_request_that_never_succeeds_is_an_error_with_status_code_and_trace(
    name: str, nth: int, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[name].reset([Fault(n, 503) for n in range(nth, nth + 9)])
    with compressed(monkeypatch, name, seconds=30):
        error = error_of(name, servers[name])
    assert error.status == 503
    assert (error.code is None) == (error.trace_id is None) or name.startswith("workos")
    assert "did not recover in 9 tries" in str(error)
    assert len(servers[name].requests) == nth + 8


def paged(server: LocalServer) -> list[int]:
    """Return the requests that went on with a list, by their number."""
    names = ("page", "from", "after", "starting_after")
    found = []
    for number, request in enumerate(server.requests, start=1):
        cursor = [value for name, value in request.query if name in names]
        if cursor not in ([], ["0"]):
            found.append(number)
    return found


def outcome(name: str, server: LocalServer) -> str:
    """Return whether a load gives everybody, or is refused because of the list."""
    try:
        check(name, server)
    except lab.ProviderError as error:
        words = ("repeats itself", "stands still", "counts")
        return "refused" if any(word in str(error) for word in words) else str(error)
    return "everybody"


@pytest.mark.parametrize("fault", ["stick", "repeat", "still"])
@pytest.mark.parametrize("name", CASES)
def test_a_list_that_does_not_go_on_is_refused_and_an_entry_that_comes_twice_counts_once(
    name: str, fault: str, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    servers[name].reset()
    with compressed(monkeypatch, name, seconds=30):
        check(name, servers[name])
        places = paged(servers[name])
        assert places
        outcomes = set()
        for nth in places:
            servers[name].reset([Fault(nth, does=fault)])  # type: ignore[arg-type] # one of them
            outcomes.add(outcome(name, servers[name]))
    if fault in case.gaps:
        return
    if fault == "still":  # a page that is the last has no cursor
        assert "refused" in outcomes
        assert outcomes <= {"everybody", "refused"}
    else:
        assert outcomes == ({"everybody"} if fault == "repeat" else {"refused"})


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "refused the request"),
        (401, "is it still valid"),
        (403, "does not allow this key"),
        (404, "is the API address right"),
        (422, "refused the filters"),
        (307, "redirect, which is never followed"),
    ],
)
@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_reported_at_once_in_words(
    name: str,
    status: int,
    words: str,
    servers: dict[str, LocalServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers[name].reset([Fault(1, status, {"Location": servers[name].origin})])
    with compressed(monkeypatch, name, seconds=30):
        error = error_of(name, servers[name])
    assert (error.status, words in str(error), len(servers[name].requests)) == (status, True, 1)


@pytest.mark.parametrize("name", CASES)
def test_a_limit_that_is_lifted_after_the_budget_is_not_waited_for(
    name: str, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[name].reset(
        [Fault(2, 429, {key: str(int(value) + 900) for key, value in CASES[name].limited().items()})]
    )
    with compressed(monkeypatch, name, seconds=30) as waits:
        error = error_of(name, servers[name], budget=300)
    assert (error.status, waits, len(servers[name].requests)) == (429, [], 2)


@pytest.mark.parametrize("name", CASES)
def test_a_server_that_only_hangs_costs_no_more_than_the_budget(
    name: str, servers: dict[str, LocalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers[name].reset([Fault(nth, does="hang") for nth in range(1, 30)])
    with compressed(monkeypatch, name, seconds=0.05):
        assert "did not answer" in str(error_of(name, servers[name], budget=1))


def test_every_gap_has_a_reason() -> None:
    for case in CASES.values():
        assert set(case.gaps) <= {"stick", "repeat", "still", "count"}
        assert all(len(reason) > 20 for reason in case.gaps.values())


def test_there_are_at_least_forty_faults_for_each_provider() -> None:
    counts: dict[str, int] = {}
    for case in CASES.values():
        own = case.provider.split("-")[0]
        at_each = 4 + 1 + 2  # faults that pass, somebody who joins, other forms
        counts[own] = counts.get(own, 0) + case.requests * at_each + 12
    assert min(counts.values()) >= 40
