"""A PDP starts on a folder, answers by it over a private socket, and says what it knows."""

import base64
import gc
import hashlib
import hmac
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
from cerbos.engine.v1 import engine_pb2
from cerbos.sdk.grpc.client import CerbosClient
from google.protobuf.struct_pb2 import Value
from small_policies import HEAD, USER, resource_policy, rule, up_to

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import Principal

Write = Callable[..., Path]


def folder_of(pdp: lab.PDP) -> Path:
    return Path(pdp.address.removeprefix("unix:")).parent


def pid_of(pdp: lab.PDP) -> int:
    assert pdp._server is not None
    return pdp._server.pid


# -- starting and ending ----------------------------------------------------------------------


def test_a_pdp_uses_the_policies_in_its_folder(small: lab.PDP) -> None:
    assert small.is_allowed("approve", USER, "thing", {"amount": 100})
    assert not small.is_allowed("approve", USER, "thing", {"amount": 100.01})
    assert small.version.startswith("0.")
    assert small.engine == "embedded, the binary that set-up installed"


def test_only_this_user_can_enter_its_folder(small: lab.PDP) -> None:
    assert stat.S_IMODE(folder_of(small).stat().st_mode) == 0o700


def test_it_listens_on_sockets_in_that_folder_and_opens_no_port(small: lab.PDP) -> None:
    server = psutil.Process(pid_of(small))
    assert server.net_connections("inet") == []
    heard = {c.laddr for c in server.net_connections("unix") if c.status == "NONE" and c.laddr}
    assert {str(Path(str(path)).parent) for path in heard} == {str(folder_of(small))}


def test_closing_ends_the_server_and_removes_its_folder_and_can_be_repeated(write: Write) -> None:
    pdp = lab.PDP(write(thing=up_to(100)))
    pid, folder = pid_of(pdp), folder_of(pdp)
    assert psutil.pid_exists(pid)
    pdp.close()
    pdp.close()
    assert not psutil.pid_exists(pid)
    assert not folder.exists()
    assert repr(pdp) == "PDP(closed)"


def test_a_closed_pdp_refuses_every_question(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        pid = pid_of(pdp)
    assert not psutil.pid_exists(pid)
    for ask in (
        lambda: pdp.is_allowed("approve", USER, "thing"),
        lambda: pdp.policies,
        lambda: pdp.digest,
        lambda: pdp.actions("thing"),
        pdp.refresh,
    ):
        with pytest.raises(lab.PDPError, match="this PDP is closed"):
            ask()


def test_an_error_inside_a_with_block_ends_the_server_too(write: Write) -> None:
    def fail() -> None:
        with lab.PDP(write(thing=up_to(100))) as pdp:
            pids.append(pid_of(pdp))
            raise KeyError

    pids: list[int] = []
    with pytest.raises(KeyError):
        fail()
    assert not psutil.pid_exists(pids[0])


def test_two_pdps_side_by_side_each_use_their_own_folder(tmp_path: Path, small: lab.PDP) -> None:
    (tmp_path / "thing.yaml").write_text(up_to(500))
    with lab.PDP(tmp_path) as other:
        assert other.is_allowed("approve", USER, "thing", {"amount": 300})
        assert not small.is_allowed("approve", USER, "thing", {"amount": 300})
    assert small.is_allowed("approve", USER, "thing", {"amount": 1})


def test_any_cerbos_client_can_use_its_address(small: lab.PDP) -> None:
    with CerbosClient(small.address) as client:
        thing = engine_pb2.Resource(id="1", kind="thing", attr={"amount": Value(number_value=7)})
        assert client.is_allowed("approve", engine_pb2.Principal(id="u0", roles=["user"]), thing)


def test_a_temporary_folder_too_deep_for_a_socket_is_no_obstacle(
    small: lab.PDP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with lab.PDP(write(thing=up_to(100))) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 1})
    assert list(deep.iterdir()) == []


def test_policies_that_do_not_compile_are_reported_before_any_request(write: Write) -> None:
    before = len(psutil.Process().children())
    with pytest.raises(lab.PolicyError, match=r"thing\.yaml:10:27: Invalid expression"):
        lab.PDP(write(thing=resource_policy(rule("R.attr.amount <=== 1"))))
    assert len(psutil.Process().children()) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "nowhere", "does not exist"),
        (lambda path: path / "a.yaml", "is a file"),
        (lambda path: path / "empty", "contains no policy"),
        (lambda path: path / "tests_only", "contains no policy"),
    ],
)
def test_a_folder_without_policies_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    (tmp_path / "a.yaml").write_text(up_to(1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "tests_only" / "testdata").mkdir(parents=True)
    (tmp_path / "tests_only" / "thing_test.yaml").write_text("name: x")
    (tmp_path / "tests_only" / "testdata" / "principals.yaml").write_text("principals: {}")
    with pytest.raises(lab.InputError, match=message):
        lab.PDP(make(tmp_path))


def test_contradictory_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match="needs a folder of policies, or an address"):
        lab.PDP()
    with pytest.raises(lab.InputError, match=", not both"):
        lab.PDP(tmp_path, address="localhost:3593")
    with pytest.raises(lab.InputError, match="need address="):
        lab.PDP(tmp_path, tls=True)
    with pytest.raises(lab.InputError, match="need address="):
        lab.PDP(tmp_path, playground_instance="abc")
    with pytest.raises(lab.InputError, match="one at an address has its own"):
        lab.PDP(address="localhost:3593", strict=True)
    with pytest.raises(lab.InputError, match="one at an address has its own"):
        lab.PDP(address="localhost:3593", config={"engine": {}})


# -- what it knows ----------------------------------------------------------------------------

NAMES = {
    "a": up_to(1, kind="leave:request/annual"),
    "b": up_to(1, kind="expense.view", version="v2"),
    "c": up_to(1, kind="expense.view"),
    "d": up_to(1, kind="expense.view", scope="acme"),
    "e": resource_policy(rule(actions=["edit"]), kind="expense.view", scope="acme.vienna"),
    "f": f"{HEAD}derivedRoles:\n  name: my.vips\n  definitions: [{{name: vip, parentRoles: [user]}}]\n",
    "g": f"{HEAD}exportConstants:\n  name: my.values\n  definitions: {{low: 1, half: 0.5, word: x}}\n",
}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    for name, text in NAMES.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_policies_report_kind_name_version_and_scope_despite_dots_in_them(named: Path) -> None:
    with lab.PDP(named) as pdp:
        known = pdp.policies.set_index("file")[["type", "name", "version", "scope"]]
        (constants,) = pdp.policies.query("file == 'g.yaml'")["constants"]
    assert known.apply(tuple, axis=1).to_dict() == {
        "a.yaml": ("resource", "leave_request_annual", "default", ""),
        "b.yaml": ("resource", "expense.view", "v2", ""),
        "c.yaml": ("resource", "expense.view", "default", ""),
        "d.yaml": ("resource", "expense.view", "default", "acme"),
        "e.yaml": ("resource", "expense.view", "default", "acme.vienna"),
        "f.yaml": ("derived_roles", "my.vips", "", ""),
        "g.yaml": ("export_constants", "my.values", "", ""),
    }
    assert constants == {"low": 1, "half": 0.5, "word": "x"}
    assert isinstance(constants["low"], int)


def test_actions_are_those_of_the_kind_in_a_version_and_scope(named: Path) -> None:
    with lab.PDP(named) as pdp:
        assert pdp.actions("leave:request/annual") == ("approve",)
        assert pdp.actions("expense.view", policy_version="v2") == ("approve",)
        assert pdp.actions("expense.view", scope="acme.vienna") == ("approve", "edit")
        with pytest.raises(lab.InputError, match=r"kind 'expens\.view'; did you mean 'expense\.view'"):
            pdp.actions("expens.view")
        with pytest.raises(lab.InputError, match="policy version 'v3'; there are: default, v2"):
            pdp.actions("expense.view", policy_version="v3")
        with pytest.raises(lab.InputError, match=r"scope 'acne'; did you mean 'acme'\? There are: acme, a"):
            pdp.actions("expense.view", scope="acne")


def test_a_scope_without_a_policy_is_refused_unless_cerbos_looks_further_up(write: Write) -> None:
    folder = write(base=up_to(5), acme=up_to(10, scope="acme"))
    with lab.PDP(folder) as pdp:
        for question in (
            lambda: pdp.is_allowed("approve", USER, "thing", {"amount": 1}, scope="acme.west"),
            lambda: pdp.actions("thing", scope="acme.west"),
        ):
            with pytest.raises(lab.InputError, match=r"'thing' has no policy in the scope 'acme.west'"):
                question()
    with lab.PDP(folder, config={"engine": {"lenientScopeSearch": True}}) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 10}, scope="acme.west")
        assert pdp.actions("thing", scope="acme.west") == ("approve",)


def test_policies_report_which_attributes_the_sample_policies_read(pdp: lab.PDP) -> None:
    expense = pdp.policies.set_index("policy").loc["resource.expense.vdefault"]
    assert expense["actions"] == ("approve", "create", "delete", "update", "view")
    assert set(expense["resource_attributes"]) >= {"amount", "owner", "status"}
    assert "approval_limit" in expense["principal_attributes"]


# -- asking -----------------------------------------------------------------------------------


def test_a_principal_may_be_a_dict_a_row_of_a_frame_or_a_principal(small: lab.PDP) -> None:
    row = pd.DataFrame([{**USER, "region": lab.MISSING}]).iloc[0]
    for person in (USER, row, Principal("u0", ("user",), {})):
        assert small.is_allowed("approve", person, "thing", {"amount": 1})


def test_self_other_and_missing_work_in_a_single_question(write: Write) -> None:
    policy = resource_policy(
        rule("R.attr.owner == P.id", actions=["own"]),
        rule("R.attr.owner != P.id", actions=["foreign"]),
        rule("!has(R.attr.owner)", actions=["absent"]),
        rule("R.attr.deep.ids[0] == P.id", actions=["deep"]),
    )
    with lab.PDP(write(thing=policy)) as pdp:
        for person in (USER, {**USER, "id": "somebody-else"}):
            assert pdp.is_allowed("own", person, "thing", {"owner": lab.SELF})
            assert not pdp.is_allowed("own", person, "thing", {"owner": lab.OTHER})
            assert pdp.is_allowed("foreign", person, "thing", {"owner": lab.OTHER})
            assert pdp.is_allowed("absent", person, "thing", {"owner": lab.MISSING})
            assert not pdp.is_allowed("absent", person, "thing", {"owner": None})
            assert pdp.is_allowed("deep", person, "thing", {"deep": {"ids": [lab.SELF]}})


def test_a_resource_id_a_version_and_a_scope_reach_the_policies(write: Write) -> None:
    folder = write(
        base=resource_policy(rule("R.id == 'seven'")),
        v2=resource_policy(rule(), version="v2"),
        acme=resource_policy(rule(), scope="acme"),
    )
    with lab.PDP(folder) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", resource_id="seven")
        assert not pdp.is_allowed("approve", USER, "thing")
        assert pdp.is_allowed("approve", USER, "thing", policy_version="v2")
        assert pdp.is_allowed("approve", USER, "thing", scope="acme")


def test_strict_evaluation_denies_where_a_condition_fails(write: Write) -> None:
    folder = write(thing=resource_policy(rule(), rule("R.attr.gone == 1")))
    with lab.PDP(folder) as lenient, lab.PDP(folder, strict=True) as strict:
        assert (lenient.strict, strict.strict) == (False, True)
        assert lenient.is_allowed("approve", USER, "thing")
        assert not strict.is_allowed("approve", USER, "thing")
        assert repr(strict).endswith("strict)")


def test_globals_reach_the_policies_and_the_kit_keeps_its_own_settings(write: Write) -> None:
    config = {
        "engine": {"globals": {"environment": "lab"}},
        "server": {"grpcListenAddr": "0.0.0.0:1", "requestLimits": {"maxResourcesPerRequest": 1}},
        "storage": {"driver": "git"},
    }
    with lab.PDP(write(thing=resource_policy(rule("G.environment == 'lab'"))), config=config) as pdp:
        assert pdp.is_allowed("approve", USER, "thing")
        assert pdp.address.startswith("unix:")
    assert config["storage"] == {"driver": "git"}


def test_a_token_reaches_the_policies(write: Write) -> None:
    config = {"auxData": {"jwt": {"disableVerification": True}}}
    policy = resource_policy(rule("request.aux_data.jwt.tenant == 'acme'"))
    with lab.PDP(write(thing=policy), config=config) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", aux_data={"token": token(tenant="acme")})
        assert not pdp.is_allowed("approve", USER, "thing", aux_data={"token": token(tenant="umbrella")})
        with pytest.raises(lab.PDPError, match="refused a request") as refused:
            pdp.is_allowed("approve", USER, "thing", aux_data={"token": "no-token-at-all"})
    assert "no-token-at-all" not in str(refused.value)


def token(**claims: str) -> str:
    def part(raw: bytes) -> bytes:
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (text + b"." + part(hmac.digest(os.urandom(32), text, hashlib.sha256))).decode()


def test_a_refusal_by_the_pdp_is_one_error_in_its_words(small: lab.PDP) -> None:
    with pytest.raises(lab.PDPError, match=r"the PDP refused a request.*resource.attr"):
        small.is_allowed("approve", USER, "thing", {"": 1})
    for action, kind, near in (("aprove", "thing", "approve"), ("approve", "thin", "thing")):
        with pytest.raises(lab.InputError, match=f"did you mean '{near}'"):
            small.is_allowed(action, USER, kind)
    with pytest.raises(lab.InputError, match="aux_data must be a JWT"):
        small.is_allowed("approve", USER, "thing", aux_data={"tok": "x"})
    with pytest.raises(lab.InputError, match="attribute 'amount': not a finite number"):
        small.is_allowed("approve", USER, "thing", {"amount": float("nan")})


def test_a_pdp_that_is_garbage_collected_ends_its_server(tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_text(up_to(100))
    running = lab.PDP(tmp_path)
    private = folder_of(running)
    assert private.exists()
    del running
    gc.collect()
    assert not private.exists()
