"""A PDP at an address, over TLS, of the playground, or in a container; and how one is found."""

import datetime
import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from cerbos.response.v1 import response_pb2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from small_policies import USER, resource_policy, rule, up_to, users
from tracebacks import shown

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.identity.principals import one_principal
from clerk_cerbos_lab.pdp import engines, messages, server

Write = Callable[..., Path]
ADMIN = ("cerbos", "cerbosAdmin")
GRID = lab.amounts(0, 200, step=0.5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cerbos(folder: Path, *settings: str) -> Iterator[tuple[str, str]]:
    """Run a server as another team would, with Cerbos's own limits; its gRPC and HTTP addresses."""
    addresses = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    options = [
        f"server.grpcListenAddr={addresses[0]}",
        f"server.httpListenAddr={addresses[1]}",
        "storage.driver=disk",
        f"storage.disk.directory={folder}",
        "telemetry.disabled=true",
        *settings,
    ]
    command = [str(engines.installed_binary()), "server", *(f"--set={option}" for option in options)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        for address in addresses:
            host, port = address.split(":")
            with socket.socket() as probe:
                while probe.connect_ex((host, int(port))):
                    assert process.poll() is None
                    assert time.monotonic() < end
                    time.sleep(0.01)
        yield addresses
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def plain(small: lab.PDP) -> Iterator[tuple[str, str]]:
    assert small._folder
    with cerbos(small._folder) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def with_admin(small: lab.PDP) -> Iterator[str]:
    assert small._folder
    quick = f"server.adminAPI.adminCredentials.passwordHash={server._ADMIN_HASH}"  # bcrypt at its lowest cost
    with cerbos(small._folder, "server.adminAPI.enabled=true", quick) as (address, _):
        yield address


def ask(pdp: lab.PDP, people: int = 2) -> lab.Decisions:
    return lab.sweep(pdp, users(people), "thing", actions="approve", amount=GRID)


# -- at an address ----------------------------------------------------------------------------


def test_the_socket_of_another_pdp_is_an_address(small: lab.PDP) -> None:
    with lab.PDP(address=small.address, admin=ADMIN) as other:
        assert np.array_equal(ask(other).allowed(), ask(small).allowed())
        assert (other.strict, other.digest) == (None, None)
        assert other.engine == "at an address"
        assert repr(other) == f"PDP(Cerbos {small.version} at {small.address})"
        assert other.policies.equals(small.policies)
    assert small.is_allowed("approve", USER, "thing", {"amount": 1})


def test_a_server_with_cerbos_default_limits_answers_like_the_embedded_one(
    small: lab.PDP, plain: tuple[str, str]
) -> None:
    with lab.PDP(address=plain[0]) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 100})
        with pytest.warns(lab.LabWarning, match="'thing' and .'approve'. could not be checked for spelling"):
            decisions = ask(pdp)
        assert np.array_equal(decisions.allowed(), ask(small).allowed())
        assert decisions.provenance.evaluation == "unknown"
        assert not decisions.provenance.names_checked
        assert "names not checked for spelling" in decisions.provenance.caption()


def test_a_server_without_the_admin_api_says_so_and_still_sweeps(plain: tuple[str, str]) -> None:
    with lab.PDP(address=plain[0]) as pdp:
        assert pdp.actions("thing") is None
        with pytest.raises(lab.PDPError, match=r"admin=\(user, password\) or set CERBOS_USERNAME and CERB"):
            _ = pdp.policies
        with pytest.raises(lab.InputError, match="name the actions"):
            lab.sweep(pdp, users(), "thing", amount=GRID)
    with (
        lab.PDP(address=plain[0], admin=ADMIN) as pdp,
        pytest.raises(lab.PDPError, match=r"not enabled \(server.adminAPI.enabled\)"),
    ):
        _ = pdp.policies


def test_a_server_with_the_admin_api_has_its_names_checked(
    small: lab.PDP, with_admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab.PDP(address=with_admin, admin=("cerbos", SecretStr("cerbosAdmin"))) as pdp:
        assert ask(pdp).provenance.names_checked
        assert np.array_equal(ask(pdp).allowed(), ask(small).allowed())
        with pytest.raises(lab.InputError, match="did you mean 'approve'"):
            lab.sweep(pdp, users(), "thing", actions="aprove", amount=GRID)
    monkeypatch.setenv("CERBOS_USERNAME", ADMIN[0])
    monkeypatch.setenv("CERBOS_PASSWORD", ADMIN[1])
    with lab.PDP(address=with_admin) as pdp:
        assert pdp.actions("thing") == ("approve",)


def test_a_wrong_password_is_named_and_never_shown(with_admin: str) -> None:
    with lab.PDP(address=with_admin, admin=("cerbos", "open-sesame")) as pdp:
        with pytest.raises(lab.PDPError, match="refused the user or password") as refused:
            _ = pdp.policies
        assert "open-sesame" not in shown(refused.value)


def test_more_actions_than_a_server_accepts_are_asked_one_by_one_if_it_does_not_disclose_its_policies(
    plain: tuple[str, str],
) -> None:
    actions = [f"a{i}" for i in range(51)]
    with lab.PDP(address=plain[0]) as pdp, pytest.warns(lab.LabWarning):
        swept = lab.sweep(pdp, users(), "thing", actions=actions, amount=[1])
    assert swept.counts() == {"ALLOW": 0, "DENY": 51}
    note = "Each action is asked in a separate request: the PDP does not disclose its policies."
    assert note in swept.provenance.notes


def test_more_actions_than_a_server_accepts_in_one_request_are_one_error_with_its_limit(
    plain: tuple[str, str],
) -> None:
    actions = [f"a{i}" for i in range(51)]
    entries = messages.Entries(
        [("r", {})], kind="thing", actions=actions, policy_version="", scope="", other="other"
    )
    who = messages.principal_message(one_principal(USER), policy_version="", scope="")
    with (
        lab.PDP(address=plain[0]) as pdp,
        pytest.raises(lab.PDPError, match=r"number of actions.*limit \(50\)"),
    ):
        list(pdp.check([(who, entries.for_principal("u0"))]))


def test_a_server_that_goes_away_is_one_error(small: lab.PDP) -> None:
    assert small._folder
    with cerbos(small._folder) as (address, _):
        pdp = lab.PDP(address=address)
    with pdp, pytest.raises(lab.PDPError, match="does not respond"):
        pdp.is_allowed("approve", USER, "thing")


def test_an_address_that_does_not_respond_is_named_and_the_port_explained() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(lab.PDPError, match=f"no Cerbos PDP responds at {nowhere}: ") as refused:
        lab.PDP(address=nowhere)
    assert "HTTP" not in str(refused.value)
    with pytest.raises(lab.PDPError, match="3592 is Cerbos's HTTP port; its gRPC port is 3593"):
        lab.PDP(address="127.0.0.1:3592", timeout=2)
    with pytest.raises(lab.PDPError, match="no Cerbos PDP responds at unix:/nowhere/grpc"):
        lab.PDP(address="unix:/nowhere/grpc")


@pytest.mark.parametrize("url", ["http://localhost:3592", "https://demo.example/"])
def test_a_url_is_not_an_address(url: str) -> None:
    with pytest.raises(lab.InputError, match="is a URL; use the gRPC address as host:port"):
        lab.PDP(address=url)


def test_cerbos_address_is_used_before_a_folder_and_says_so(
    small: lab.PDP, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    monkeypatch.setenv("CERBOS_ADDRESS", small.address)
    with lab.PDP() as pdp:
        assert pdp.address == small.address
    with pytest.warns(lab.LabWarning, match=f"CERBOS_ADDRESS is set: .*{small.address}") as seen:
        pdp = lab.PDP(write(thing=up_to(900)))
    assert seen[0].filename == __file__
    with pdp:
        assert not pdp.is_allowed("approve", USER, "thing", {"amount": 900})
    with pytest.raises(lab.PDPError, match=r"no Cerbos PDP responds at 127\.0\.0\.1:1:"):
        lab.PDP(address="127.0.0.1:1", timeout=2)


# -- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a self-signed certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def test_tls_takes_the_path_of_a_certificate(small: lab.PDP, certificate: tuple[Path, Path]) -> None:
    assert small._folder
    settings = [f"server.tls.cert={certificate[0]}", f"server.tls.key={certificate[1]}"]
    with cerbos(small._folder, *settings) as (address, _):
        with lab.PDP(address=address, tls=str(certificate[0])) as pdp:
            assert pdp.is_allowed("approve", USER, "thing", {"amount": 1})
        with pytest.raises(lab.PDPError, match="no Cerbos PDP responds"):
            lab.PDP(address=address, timeout=2)
        with pytest.raises(lab.PDPError, match=r"no Cerbos PDP responds|can't connect"):
            lab.PDP(address=address, tls=True, timeout=2)
        with pytest.raises(lab.PDPError, match=r"can't connect.*nowhere\.pem"):
            lab.PDP(address=address, tls="nowhere.pem")


@pytest.mark.parametrize("tls", ["the system's", "a path"])
def test_a_playground_instance_is_named_in_each_request(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    seen: list[dict[str, Any]] = []

    def server_info(_: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(dict(context.invocation_metadata()))
        return response_pb2.ServerInfoResponse(version="9.9.9").SerializeToString()

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(server_info)
    service = grpc.method_handlers_generic_handler("cerbos.svc.v1.CerbosService", {"ServerInfo": handler})
    cert, key = (path.read_bytes() for path in certificate)
    server = grpc.server(ThreadPoolExecutor(1), handlers=[service])
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, cert)]))
    server.start()
    try:
        given = str(certificate[0]) if tls == "a path" else True
        with lab.PDP(address=f"localhost:{port}", tls=given, playground_instance="abc-123") as pdp:
            assert pdp.version == "9.9.9"
    finally:
        server.stop(None)
    assert [each["playground-instance"] for each in seen] == ["abc-123"]


# -- found on this machine --------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on PATH, with no binary installed by set-up."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(engines, "installed_binary", lambda: tmp_path / "not-installed")
    return folder


def test_if_no_pdp_is_found_the_four_ways_are_listed(bare: Path, write: Write) -> None:
    with pytest.raises(lab.PDPError) as nothing:
        lab.PDP(write(thing=up_to(1)))
    for way in ("CERBOS_ADDRESS", "`clerk-cerbos-lab setup`", "`cerbos` on PATH", "docker or podman"):
        assert way in str(nothing.value)


def test_cerbos_on_path_is_used_if_nothing_is_installed(bare: Path, write: Write) -> None:
    (bare / "cerbos").symlink_to(Path(sys.prefix, "bin", "cerbos").resolve())
    with lab.PDP(write(thing=up_to(1))) as pdp:
        assert pdp.engine == "embedded, cerbos on PATH"
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 1})


DOCKER = """#!{python}
import json, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + chr(10))
verb, given = sys.argv[1], sys.argv[2:]
if verb == "info":
    sys.exit({info})
if verb == "rm":
    (here / given[-1]).unlink(missing_ok=True)
    sys.exit()
at = next(i for i, one in enumerate(given) if not one.startswith("--"))
options = [one.lstrip("-").partition("=")[::2] for one in given[:at]]
mounts = {{one.split(":")[1]: one.split(":")[0] for name, one in options if name == "volume"}}
def outside(text):
    for inside, real in mounts.items():
        text = text.replace(inside, real)
    return text
command = given[at + 1 :]
if command[0] == "server":
    named = dict(options)
    (here / named["name"]).touch()
    config = json.loads(pathlib.Path(mounts["/lab"], "config.json").read_text())
    config["storage"]["disk"]["directory"] = mounts["/policies"]
    published = [one.rpartition(":")[::2] for name, one in options if name == "publish"]
    ports = {{inside: address for address, inside in published}}
    for name in ("grpcListenAddr", "httpListenAddr"):
        config["server"][name] = ports[config["server"][name].rpartition(":")[2]]
    (here / "config.json").write_text(json.dumps(config))
    command = ["server", "--config=" + str(here / "config.json"), *command[2:]]
    time.sleep({delay})
os.execv({cerbos!r}, ["cerbos", *map(outside, command)])
"""


def fake_docker(folder: Path, *, info: int = 0, delay: float = 0) -> None:
    """Write a docker that runs the real binary, with the paths and ports a container would have."""
    program = folder / "docker"
    cerbos = str(Path(sys.prefix, "bin", "cerbos").resolve())
    program.write_text(DOCKER.format(python=sys.executable, cerbos=cerbos, info=info, delay=delay))
    program.chmod(0o755)


def calls(folder: Path) -> Sequence[list[str]]:
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def containers(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("clerk-cerbos-lab-*")]


def test_a_container_engine_runs_the_pinned_image_and_is_cleaned_up(bare: Path, write: Write) -> None:
    fake_docker(bare)
    folder = write(thing=up_to(100))
    with lab.PDP(folder) as pdp:
        assert pdp.engine == "embedded, the official image in docker"
        assert ask(pdp).counts() == {"ALLOW": 402, "DENY": 400}
        write(thing=up_to(50))
        assert not pdp.is_allowed("approve", USER, "thing", {"amount": 51})
        write(thing=up_to(50).replace("<=", "<=="))
        with pytest.raises(lab.PolicyError, match=r"thing\.yaml:10:27"):
            pdp.is_allowed("approve", USER, "thing", {"amount": 51})
        write(thing=up_to(60))
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 51})
        assert len(containers(bare)) == 1
        started = next(call for call in calls(bare) if "server" in call)
        assert engines.IMAGE in started
        assert f"--volume={folder}:/policies:ro" in started
        published = [one for one in started if one.startswith("--publish")]
        assert [one.startswith("--publish=127.0.0.1:") for one in published] == [True, True]
        private = pdp._server.private if pdp._server else Path()
    assert containers(bare) == []
    assert not private.exists()


def test_a_container_that_is_killed_is_replaced(bare: Path, write: Write) -> None:
    fake_docker(bare)
    with lab.PDP(write(thing=up_to(100))) as pdp:
        assert pdp._server
        psutil.Process(pdp._server.pid).kill()
        assert ask(pdp).counts() == {"ALLOW": 402, "DENY": 400}
        assert len(containers(bare)) == 1


def test_a_port_that_listens_before_the_pdp_behind_it_is_waited_for(
    bare: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container engine's proxy accepts connections as soon as the container exists."""
    fake_docker(bare, delay=0.5)
    monkeypatch.setattr(server, "_listens", lambda address: True)
    with lab.PDP(write(thing=up_to(100))) as pdp:
        assert pdp.is_allowed("approve", USER, "thing", {"amount": 1})


def test_a_container_engine_that_does_not_run_is_not_used(bare: Path, write: Write) -> None:
    fake_docker(bare, info=1)
    with pytest.raises(lab.PDPError, match="no Cerbos PDP was found"):
        lab.PDP(write(thing=up_to(1)))


def test_policies_that_a_container_cannot_compile_are_shown_in_place(bare: Path, write: Write) -> None:
    fake_docker(bare)
    with pytest.raises(lab.PolicyError, match=r"thing\.yaml:10:\d+"):
        lab.PDP(write(thing=resource_policy(rule("R.attr.amount <=== 1"))))
    assert containers(bare) == []
