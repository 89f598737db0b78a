"""A PDP ends with its owner, however that ends, and is restarted if it is killed itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_policies import USER, up_to, users

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.cli.doctor import examine
from clerk_cerbos_lab.pdp import messages

Write = Callable[..., Path]

OWNER = """
import os, signal, sys, time
import clerk_cerbos_lab as lab
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as in a terminal; nohup ignores it
def ask():
    return pdp.is_allowed("approve", {"id": "u0", "roles": ("user",)}, "thing", {"amount": 1})
pdp = lab.PDP(sys.argv[1])
print(pdp._server.pid, pdp._server.private, ask(), flush=True)
"""


def pid_of(pdp: lab.PDP) -> int:
    assert pdp._server is not None
    return pdp._server.pid


@dataclass
class Owner:
    """A Python process with its own PDP."""

    process: subprocess.Popen[str]
    pid: int
    folder: Path

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def server_is_there(self) -> bool:
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def assert_nothing_is_left(self) -> None:
        end = time.monotonic() + 60
        while self.server_is_there() or self.folder.exists():
            assert time.monotonic() < end, "the server or its folder outlived the owner"
            time.sleep(0.02)


@contextmanager
def owner(folder: Path, then: str) -> Iterator[Owner]:
    """Start a Python process that starts a PDP, asks it, and then does something."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER + then, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        pid, private, allowed = process.stdout.readline().split()
        assert allowed == "True"
        yield Owner(process, int(pid), Path(private))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(write: Write) -> Path:
    return write(thing=up_to(100))


# -- the owner ends ---------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_server_outlives_an_owner_that_is_killed(folder: Path, sent: signal.Signals) -> None:
    with owner(folder, "time.sleep(600)") as one:
        assert one.server_is_there()
        one.process.send_signal(sent)
        one.process.wait(60)
        one.assert_nothing_is_left()


@pytest.mark.parametrize("then", ["", "raise SystemExit(3)", "1 / 0", "os._exit(0)"])
def test_no_server_outlives_an_owner_that_ends_without_closing_it(folder: Path, then: str) -> None:
    with owner(folder, then) as one:
        _, errors = one.process.communicate(timeout=120)
        one.assert_nothing_is_left()
    assert ("ZeroDivisionError" in errors) == (then == "1 / 0")


def test_no_server_outlives_its_owner_while_a_fork_of_the_owner_lives_on(folder: Path) -> None:
    fork = "child = os.fork()\nif child:\n    print(child, flush=True)\ntime.sleep(600)"
    with owner(folder, fork) as one:
        child = psutil.Process(int(one.line()))
        try:
            one.process.kill()
            one.process.wait(60)
            assert child.is_running()
            one.assert_nothing_is_left()
            assert child.is_running()
        finally:
            child.kill()


def test_a_fork_that_ends_leaves_the_server_to_its_owner(folder: Path) -> None:
    fork = (
        "child = os.fork()\n"
        "if not child: pdp.close(); sys.exit()\n"
        "os.waitpid(child, 0)\nprint(os.path.exists(sys.argv[1]), ask(), flush=True)\ninput()"
    )
    with owner(folder, fork) as one:
        assert one.line() == "True True"
        assert one.server_is_there()


def test_a_ctrl_c_is_for_the_notebook_and_not_for_the_server(folder: Path) -> None:
    then = (
        "try:\n    print('waiting', flush=True); time.sleep(600)\n"
        "except KeyboardInterrupt:\n    print(pdp._server.pid, ask(), flush=True)\ntime.sleep(600)"
    )
    with owner(folder, then) as one:
        assert one.line() == "waiting"
        os.killpg(one.process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
        assert one.line() == f"{one.pid} True"


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 3, 5, 8])
def test_no_server_outlives_an_owner_that_is_killed_while_it_closes(folder: Path, milliseconds: int) -> None:
    with owner(folder, "print('closing', flush=True); pdp.close(); time.sleep(600)") as one:
        assert one.line() == "closing"
        time.sleep(milliseconds / 1000)
        one.process.kill()
        end = time.monotonic() + 60
        while one.server_is_there():
            assert time.monotonic() < end
            time.sleep(0.02)


# -- the server is killed ---------------------------------------------------------------------

GRID = lab.amounts(0, 200, step=0.1)  # 15 requests
PEOPLE = users(3)


def ask(pdp: lab.PDP) -> lab.Decisions:
    return lab.sweep(pdp, PEOPLE, "thing", amount=GRID, method="every-cell")


def at_answer(patch: pytest.MonkeyPatch, *hooks: tuple[int, Callable[[], object]]) -> None:
    """Do something each time this many answers of the PDP have been read."""
    read = messages.effects
    count = 0

    def reading(*given: object, **more: object) -> object:
        nonlocal count
        count += 1
        for when, hook in hooks:
            if count == when:
                hook()
        return read(*given, **more)  # type: ignore[arg-type]

    patch.setattr(messages, "effects", reading)


def kill(pdp: lab.PDP) -> None:
    """Kill the server, and wait until the kernel has done so."""
    os.kill(pid_of(pdp), signal.SIGKILL)
    os.waitid(os.P_PID, pid_of(pdp), os.WEXITED | os.WNOWAIT)


@pytest.fixture
def own(folder: Path) -> Iterator[lab.PDP]:
    with lab.PDP(folder) as running:
        yield running


def test_a_server_killed_between_two_questions_is_started_again(own: lab.PDP) -> None:
    questions: list[Callable[[], object]] = [
        lambda: own.is_allowed("approve", USER, "thing", {"amount": 1}),
        lambda: own.actions("thing"),
        lambda: len(own.policies),
        lambda: own.digest,
        lambda: ask(own).counts(),
    ]
    for question in questions:
        undisturbed, pid, address = question(), pid_of(own), own.address
        kill(own)
        assert question() == undisturbed
        assert pid_of(own) != pid
        assert not Path(address.removeprefix("unix:")).parent.exists()


def test_a_server_killed_a_moment_ago_is_started_again(own: lab.PDP) -> None:
    questions: list[Callable[[], object]] = [lambda: len(own.policies), lambda: allowed(own, 1)]
    for question in questions:
        undisturbed = question()
        os.kill(pid_of(own), signal.SIGKILL)  # it may still seem alive when the question starts
        assert question() == undisturbed


def test_a_server_killed_just_before_it_reads_an_edit_is_started_again_on_the_edit(
    own: lab.PDP, write: Write
) -> None:
    for limit in (200, 300, 400):
        write(thing=up_to(limit))
        os.kill(pid_of(own), signal.SIGKILL)
        assert own.is_allowed("approve", USER, "thing", {"amount": limit})


@pytest.mark.parametrize("when", [1, 5, 12, 15])
def test_a_sweep_whose_server_is_killed_equals_an_undisturbed_one(
    own: lab.PDP, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    undisturbed, pid = ask(own), pid_of(own)
    at_answer(monkeypatch, (when, lambda: kill(own)))
    disturbed = ask(own)
    assert np.array_equal(disturbed.allowed(), undisturbed.allowed())
    assert disturbed.provenance.policy_digest == undisturbed.provenance.policy_digest
    assert pid_of(own) != pid or when > 5  # near the end there may be nothing left to ask


def test_a_sweep_whose_server_is_killed_at_any_moment_equals_an_undisturbed_one(own: lab.PDP) -> None:
    undisturbed = ask(own)
    for seconds in (0.0, 0.01, 0.03, 0.1, 0.2):
        with subprocess.Popen(["/bin/sh", "-c", f"sleep {seconds}; kill -9 {pid_of(own)}"]):
            assert np.array_equal(ask(own).allowed(), undisturbed.allowed())


def test_a_server_killed_again_and_again_is_one_clear_error_and_no_partial_result(
    own: lab.PDP, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_answer(patch, (3, lambda: kill(own)), (9, lambda: kill(own)))
        with pytest.raises(lab.PDPError, match="lost again after one restart") as lost:
            ask(own)
    assert type(lost.value) is lab.PDPError
    assert ask(own).counts() == {"ALLOW": 3003, "DENY": 3000}


# -- the policies are edited ------------------------------------------------------------------


def allowed(pdp: lab.PDP, amount: float) -> bool:
    return pdp.is_allowed("approve", USER, "thing", {"amount": amount})


def test_answers_and_digest_follow_an_edit_at_once(own: lab.PDP, write: Write, folder: Path) -> None:
    digests = {own.digest}
    for limit in (200, 300, 400, 250):
        write(thing=up_to(limit))
        assert (allowed(own, limit), allowed(own, limit + 1)) == (True, False)
        digests.add(own.digest)
    (folder / "thing.yaml").rename(folder / "renamed.yaml")
    assert allowed(own, 250)
    digests.add(own.digest)
    write(more=up_to(5, kind="other"))
    assert own.is_allowed("approve", USER, "other", {"amount": 5})
    digests.add(own.digest)
    assert len(digests) == 7
    (folder / "more.yaml").unlink()
    with pytest.raises(lab.InputError, match="no policy is about the resource kind 'other'"):
        own.actions("other")


def test_a_server_that_does_not_say_when_it_has_read_an_edit_is_replaced(
    own: lab.PDP, write: Write, tmp_path: Path
) -> None:
    before = pid_of(own)
    assert own._server is not None
    own._server.http = str(tmp_path / "nobody")
    write(thing=up_to(200))
    assert allowed(own, 150)
    assert pid_of(own) != before


def test_tests_and_notes_next_to_the_policies_do_not_change_the_digest(own: lab.PDP, folder: Path) -> None:
    digest, pid = own.digest, pid_of(own)
    (folder / "thing_test.yaml").write_text("not even yaml: [")
    (folder / "README.md").write_text("about")
    (folder / "testdata").mkdir()
    (folder / "testdata" / "principals.yaml").write_text("principals: {}")
    assert (own.digest, pid_of(own)) == (digest, pid)
    (folder / "thing.yaml").touch()
    assert (own.digest, allowed(own, 100)) == (digest, True)


def test_other_clients_get_answers_from_an_edit_after_a_refresh(own: lab.PDP, write: Write) -> None:
    with lab.PDP(address=own.address) as seen_by_others:
        write(thing=up_to(900))
        assert not allowed(seen_by_others, 900)
        own.refresh()
        assert allowed(seen_by_others, 900)


def test_cerbos_does_not_watch_the_folder_by_itself(own: lab.PDP) -> None:
    """While Cerbos reloads a change by itself, it briefly denies what it allows."""
    server = own._server
    assert server
    config = json.loads((server.private / "config.json").read_text("utf-8"))
    assert config["storage"]["disk"]["watchForChanges"] is False


def test_an_edit_that_keeps_size_and_times_is_seen(own: lab.PDP, folder: Path) -> None:
    thing = folder / "thing.yaml"
    before, times = thing.read_text(), thing.stat()
    assert allowed(own, 100)
    thing.write_text(before.replace("100", "099"))
    os.utime(thing, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not allowed(own, 100)


def test_a_broken_edit_raises_with_its_place_until_it_is_fixed(
    own: lab.PDP, write: Write, folder: Path
) -> None:
    digest = own.digest
    write(thing=up_to(200).replace("<=", "<=="))
    for question in (lambda: allowed(own, 1), lambda: ask(own), lambda: own.digest, lambda: own.policies):
        with pytest.raises(lab.PolicyError) as broken:
            question()
    (problem,) = broken.value.problems
    assert (problem.file, problem.line, problem.column) == ("thing.yaml", 10, 27)
    assert problem.message.startswith("Invalid expression")
    assert "> 10 |       condition: {match: {expr:" in problem.context
    assert str(folder) in str(broken.value)
    assert "thing.yaml:10:27" in broken.value._repr_html_()
    write(thing=up_to(200))
    assert allowed(own, 200)
    assert own.digest != digest


CONFIGURATION = "this is Cerbos's configuration, not a policy; move it out of the policy folder"
STRANGE = r"this is not a policy, which has one of resourcePolicy, .*move it out of the policy folder"


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("config.yaml", "---\nserver: {httpListenAddr: ':3592'}\nstorage: {driver: disk}\n", CONFIGURATION),
        ("conf.yml", "# ours\nengine:\n  defaultPolicyVersion: v1\n", CONFIGURATION),
        ("auxdata.yaml", '"auxData":\n  jwt: {disableVerification: true}\n', CONFIGURATION),
        ("config.json", '{"storage": {"driver": "disk"}, "audit": {"enabled": true}}', CONFIGURATION),
        ("docker-compose.yml", "services:\n  cerbos: {image: cerbos}\n", STRANGE),
        ("map.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {}\n", STRANGE),
        ("typo.yaml", "apiVersion: api.cerbos.dev/v1\nresourcePolcy: {resource: x}\n", STRANGE),
    ],
)
def test_a_file_that_is_not_a_policy_is_reported_with_what_to_do(
    own: lab.PDP, folder: Path, name: str, text: str, hint: str
) -> None:
    (folder / name).write_text(text)
    with pytest.raises(lab.PolicyError, match=hint) as found:
        allowed(own, 1)
    (problem,) = found.value.problems
    assert (problem.file, problem.line > 0) == (name, True)
    assert problem.message.startswith("unknown field")
    (finding,) = (one for one in examine(folder) if one.what == "PDP")
    assert (finding.mark, problem.message in finding.found) == ("✗", True)


@pytest.mark.parametrize("extra", ["server: {}", "storage: {}", "note: mine"])
def test_a_policy_with_an_unknown_part_is_still_called_a_policy(
    own: lab.PDP, folder: Path, extra: str
) -> None:
    (folder / "thing.yaml").write_text(f"{extra}\n{up_to(200)}")
    with pytest.raises(lab.PolicyError) as found:
        allowed(own, 1)
    assert found.value.problems[0].message == f'unknown field "{extra.partition(":")[0]}"'


def test_a_policy_that_lacks_what_it_imports_names_what_is_missing(own: lab.PDP, write: Write) -> None:
    write(thing=up_to(1).replace("  rules:", "  importDerivedRoles: [nowhere]\n  rules:"))
    with pytest.raises(lab.PolicyError, match="nowhere"):
        allowed(own, 1)


def test_a_folder_that_disappears_is_an_error_until_it_is_back(own: lab.PDP, folder: Path) -> None:
    away = folder.rename(folder.with_name("away"))
    with pytest.raises(lab.InputError, match="does not exist"):
        allowed(own, 1)
    folder.mkdir()
    with pytest.raises(lab.InputError, match="contains no policy"):
        allowed(own, 1)
    folder.rmdir()
    away.rename(folder)
    assert allowed(own, 1)


def test_policies_edited_in_the_middle_of_a_sweep_count_for_the_next_one(
    own: lab.PDP, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(own)
    with monkeypatch.context() as patch:
        at_answer(patch, (2, lambda: write(thing=up_to(150))))
        during = ask(own)
    after = ask(own)
    assert during.frame().equals(before.frame())
    assert during.provenance.policy_digest == before.provenance.policy_digest
    assert not after.frame().equals(before.frame())
    assert after.provenance.policy_digest == own.digest != before.provenance.policy_digest


def test_policies_edited_while_the_server_is_lost_make_the_sweep_an_error(
    own: lab.PDP, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit_and_kill() -> None:
        write(thing=up_to(150))
        kill(own)

    with monkeypatch.context() as patch:
        at_answer(patch, (3, edit_and_kill))
        with pytest.raises(lab.PDPError, match="lost and the policies have changed since"):
            ask(own)
    assert allowed(own, 150)
