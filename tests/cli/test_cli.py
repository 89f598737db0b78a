"""The command line, run the way a user does."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from warnings import catch_warnings

import pandas as pd
import pytest
from older import older_binary
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.cli.arguments import AUX_DATA, axis_argument, fixed_argument
from clerk_cerbos_lab.cli.doctor import _providers
from clerk_cerbos_lab.cli.main import main
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, SELF

ROOT = Path(__file__).parents[2]
USERS = "data/clerk_users.json"


COMMAND = [sys.executable, "-c", "from clerk_cerbos_lab.cli.main import main; main()"]


@dataclass(frozen=True)
class Done:
    """A command's output and exit code."""

    returncode: int
    stdout: str
    stderr: str


def inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("CLERK_", "CERBOS_"))}


def run(*arguments: str, **environment: str) -> Done:
    """Run a command at the root of the project, in this process, which has pandas loaded already."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        chdir(ROOT),
        patch.dict(os.environ, {**inherited(), **environment}, clear=True),
        patch.object(sys, "argv", ["clerk-cerbos-lab", *arguments]),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        catch_warnings(action="default"),  # as in a new process
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Done(int(ended.value.code or 0), stdout.getvalue(), stderr.getvalue())


def run_in_a_process(*arguments: str, **environment: str) -> Done:
    """Run a command as a shell does."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**inherited(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_doctor_finds_the_pdp_and_never_shows_a_key() -> None:
    done = run_in_a_process("doctor", CLERK_SECRET_KEY="sk_test_not_a_real_one")
    assert done.returncode == 0
    assert "✓ PDP " in done.stdout
    assert "CLERK_SECRET_KEY is set (test" in done.stdout
    assert "not_a_real_one" not in done.stdout + done.stderr


def test_doctor_fails_where_the_policies_do_not_compile(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("apiVersion: api.cerbos.dev/v1\nresourcePolicy: [\n")
    done = run("doctor", "--policies", str(tmp_path))
    assert done.returncode == 1
    assert "broken.yaml:2:" in done.stdout


def test_users_shows_counts_and_the_report_but_no_attribute() -> None:
    done = run("users", USERS)
    assert done.returncode == 0
    assert "96 users became principals" in done.stdout
    assert "mistyped attribute" in done.stdout
    assert "7500" not in done.stdout


def test_users_writes_the_principals_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "principals.csv"
    done = run("users", USERS, "--profile", "username=username", "--csv", str(target))
    assert done.returncode == 0
    frame = pd.read_csv(target)
    assert len(frame) == 96
    assert "username" in frame.columns
    assert "quokka" not in done.stdout


def test_sweep_prints_a_matrix_and_writes_every_decision(tmp_path: Path) -> None:
    csv, parquet = tmp_path / "d.csv", tmp_path / "d.parquet"
    done = run_in_a_process(
        *("sweep", "expense", "--users", USERS, "--action", "approve", "--role", "finance"),
        *("--axis", "amount=0:60000:20000", "--axis", "region=northeast,south"),
        *("--attr", "owner=OTHER", "--attr", "status=OPEN", "--csv", str(csv), "--parquet", str(parquet)),
    )
    assert done.returncode == 0
    assert "✓" in done.stdout
    frame = pd.read_csv(csv)
    assert list(frame.columns) == ["principal", "action", "amount", "region", "effect"]
    assert len(frame) == len(pd.read_parquet(parquet)) == frame["principal"].nunique() * 8
    assert set(frame.loc[frame["amount"] == 40_000, "effect"]) == {"ALLOW"}


def test_why_explains_one_decision_as_text_or_as_json() -> None:
    who = "user_eJciKgN7tyjYakAeazTiAYAAoo3"
    asked = ["why", "expense", USERS, "--principal", who, "--action", "approve", "--attr", "amount=12000"]
    asked += ["--attr", "region=west", "--attr", "owner=OTHER", "--attr", "status=OPEN"]
    told = "Closest: manager-approves-in-own-region: amount 12,000 ≤ regional_manager_limit 10,000 is false."
    done = run(*asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"DENY: no rule allows it. {told}\n")
    assert who in done.stdout
    data = json.loads(run(*asked, "--json").stdout)
    assert data["effect"] == "DENY"
    assert data["rules"][0]["name"] == "manager-approves-in-own-region"
    wrong = run(*asked[:3], "--principal", "nobody", "--action", "approve")
    assert (wrong.returncode, wrong.stderr) == (2, "error: none of the 96 principals has the id 'nobody'\n")


def test_coverage_says_what_is_missing_and_ends_with_a_code_for_ci(tmp_path: Path) -> None:
    done = run("coverage", "--suites", "--fail-under", "100", "--cobertura", str(tmp_path / "c.xml"))
    assert done.returncode == 0, done.stderr
    assert "3 test suites: 100.0 % covered" in done.stdout
    assert (tmp_path / "c.xml").read_text("utf-8").startswith("<?xml")
    some = tmp_path / "users.json"
    some.write_text(json.dumps(json.loads((ROOT / USERS).read_text("utf-8"))[:5]), encoding="utf-8")
    asked = ["coverage", str(some), "--kind", "expense", "--action", "approve", "--axis", "status=OPEN"]
    done = run(*asked, "--fail-under", "80")
    assert done.returncode == 1
    assert "◐ expense.yaml:22  variable is_open: partly covered (never false)" in done.stdout
    assert "is less than 80 %" in done.stderr
    assert run(*asked, "--fail-under", "30", "--text").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suites", "--kind", "expense"], "takes no users"),
        ([], "name a kind"),
        ([USERS, "--kind", "expense", "--axis", "a=1,2", "--axis", "a=3,4"], "'a' is given twice"),
        (["--suites-in", "data"], "no test suite"),
    ],
)
def test_coverage_refuses_what_it_can_not_cover(arguments: list[str], words: str) -> None:
    done = run("coverage", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_gaps_are_printed_as_exact_intervals_and_can_fail(tmp_path: Path) -> None:
    asked = ["gaps", "expense", USERS, "--action", "approve", "--along", "amount=0:60000:1000"]
    axes = ["--axis", "region=south,west", "--axis", "owner=SELF,OTHER", "--attr", "status=OPEN"]
    found = run(*asked, *axes, "--by", "region", "--csv", str(tmp_path / "gaps.csv"))
    assert found.returncode == 0, found.stderr
    only = "user_u2oGEepVJN5OdtPvemq8efi0njK"
    assert found.stdout.splitlines()[:5] == [
        "region south: amount ≤ 0: nobody",
        f"region south: amount > 50,000 and ≤ 100,000: nobody for their own (only {only})",
        "region south: amount > 100,000: nobody",
        "region west: amount ≤ 0: nobody",
        "region west: amount > 50,000: nobody",
    ]
    assert pd.read_csv(tmp_path / "gaps.csv")["upper"].tolist()[:2] == [0, 100_000]
    assert run(*asked, *axes, "--by", "region", "--fail").returncode == 1
    asked[-1] = "amount=1:50000:1"
    assert run(*asked, *axes, "--by", "region", "--fail").returncode == 0
    missing = run(*asked, *axes)
    assert (missing.returncode, "name them in by=" in missing.stderr) == (2, True)


def test_several_actions_stand_in_one_option_or_in_several(tmp_path: Path) -> None:
    frames = []
    for number, actions in enumerate(
        (
            ["--action", "approve,view"],
            ["--action", "approve", "--action", "view"],
            ["--action", "approve, view"],
            ["--action", '["approve", "view"]'],
        )
    ):
        csv = tmp_path / f"{number}.csv"
        done = run("sweep", "expense", USERS, *actions, "--role", "finance,manager", "--csv", str(csv))
        assert done.returncode == 0, done.stderr
        frames.append(pd.read_csv(csv))
    assert set(frames[0]["action"]) == {"approve", "view"}
    assert all(frame.equals(frames[0]) for frame in frames)


@pytest.mark.parametrize("arguments", [["users"], ["sweep", "expense", "--action", "view"]])
def test_both_commands_take_the_file_of_users_in_the_same_two_ways(arguments: list[str]) -> None:
    by_place, by_option = run(*arguments, USERS), run(*arguments, "--users", USERS)
    assert by_place.returncode == 0, by_place.stderr
    assert by_place.stdout == by_option.stdout
    twice = run(*arguments, USERS, "--users", "other.json")
    assert twice.returncode == 2
    assert "the file of users is given twice" in twice.stderr


TOKEN = "eyJhbGciOiJub25lIn0.eyJjbGVhcmVkIjp0cnVlfQ."  # says: cleared


def staged(folder: Path) -> Path:
    """Policies whose versions and scopes answer differently."""
    plain = resource_policy(rule("R.attr.amount <= 10"))
    staging = resource_policy(rule("R.attr.amount <= 20 && R.id == 'second'"), version="staging")
    below = resource_policy(rule("R.attr.amount <= 30", effect="DENY"), scope="acme")
    return write(folder, plain=plain, staging=staging, below=below)


def test_a_sweep_asks_the_version_and_scope_that_are_named(tmp_path: Path) -> None:
    people = tmp_path / "users.json"
    people.write_text('[{"id": "user_1", "public_metadata": {}}]')
    start = [
        "sweep",
        "thing",
        str(people),
        "--policies",
        str(staged(tmp_path / "p")),
        "--axis",
        "amount=5,15",
    ]
    csv = ["--csv", str(tmp_path / "d.csv")]

    def effects(*more: str) -> list[str]:
        done = run(*start, *csv, *more)
        assert done.returncode == 0, done.stderr
        asked = [option for option in more if option.startswith(("--policy", "--scope", "--principal"))]
        assert ("sent with each request" in done.stdout) == bool(asked)
        return pd.read_csv(tmp_path / "d.csv")["effect"].tolist()

    assert effects() == ["ALLOW", "DENY"]
    assert effects("--scope", "acme") == ["DENY", "DENY"]
    assert effects("--policy-version", "staging") == ["DENY", "DENY"]
    assert effects("--policy-version", "staging", "--resource-id", "second") == ["ALLOW", "ALLOW"]
    both = effects("--policy-version", "staging", "--resource-id", "first", "--resource-id", "second")
    assert both == ["DENY", "ALLOW", "DENY", "ALLOW"]
    assert effects("--principal-policy-version", "staging", "--principal-scope", "") == ["ALLOW", "DENY"]
    wrong = run(*start, "--policy-version", "stagin")
    assert wrong.returncode == 2
    assert "did you mean 'staging'" in wrong.stderr


def test_a_jwt_comes_from_a_file_or_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    people = tmp_path / "users.json"
    people.write_text('[{"id": "user_1", "public_metadata": {}}]')
    policy = resource_policy(rule("request.aux_data.jwt.cleared == true"))
    csv = tmp_path / "d.csv"
    config = {"auxData": {"jwt": {"disableVerification": True}}}
    with lab.PDP(write(tmp_path / "p", thing=policy), config=config) as pdp:
        start = ["sweep", "thing", str(people), "--address", pdp.address, "--action", "approve"]

        def effect(*more: str, **environment: str) -> str:
            done = run(*start, "--csv", str(csv), *more, **environment)
            assert done.returncode == 0, done.stderr
            assert TOKEN not in done.stdout + done.stderr + csv.read_text()
            assert ("a JWT" in done.stdout) == bool(more or environment)
            return str(pd.read_csv(csv)["effect"].item())

        held = tmp_path / "token"
        held.write_text(f"{TOKEN}\n")
        as_json = tmp_path / "token.json"
        as_json.write_text(json.dumps({"token": TOKEN}))
        assert effect() == "DENY"
        assert effect("--aux-data", str(held)) == "ALLOW"
        assert effect("--aux-data", str(as_json)) == "ALLOW"
        assert effect(**{AUX_DATA: TOKEN}) == "ALLOW"
    wrong = tmp_path / "wrong"
    for text in ("", f"{TOKEN} {TOKEN}", '{"token": 5}', f'{{"token": "{TOKEN}"'):
        wrong.write_text(text)
        done = run("sweep", "thing", str(people), "--aux-data", str(wrong))
        assert done.returncode == 2
        assert "holds neither a JWT" in done.stderr
        assert TOKEN not in done.stdout + done.stderr
    done = run("sweep", "thing", str(people), "--aux-data", TOKEN)
    assert done.returncode == 2
    assert "must be a file with the JWT" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sweep", "expense", USERS, "--action", "approve,,view"], 2, "has an empty name"),
        (["sweep", "expense", USERS, "--action", "approve,aprove"], 2, "did you mean 'approve'"),
        (["sweep", "expense", USERS, "--action", "[1]"], 2, "has an empty name"),
        (["sweep", "expense", USERS, "--role", "finance,boss"], 2, "nobody has the role boss"),
        (["sweep", "expense", USERS, "--scope", "acme"], 2, "'acme'"),
        (["sweep", "expense", "--users", USERS, "--action", "aprove"], 2, "did you mean 'approve'"),
        (["sweep", "expens", "--users", USERS], 2, "did you mean 'expense'"),
        (["sweep", "expense", "--users", USERS, "--axis", "amount"], 2, "NAME=START:STOP:STEP"),
        (["sweep", "expense", "--users", USERS, "--role", "boss"], 2, "nobody has the role boss"),
        (["sweep", "expense", "--users", "nowhere.json"], 2, "nowhere.json"),
        (["sweep", "expense", "--users", USERS, "--policies", "docs"], 2, "contains no policy"),
        (["sweep", "expense", "--users", USERS, "--address", "127.0.0.1:1"], 4, "127.0.0.1:1"),
        (["users"], 4, "CLERK_SECRET_KEY"),
        (["users", USERS, "--profile", "email"], 2, "NAME=PATH"),
        (["users", USERS, "--csv", "no/such/folder.csv"], 2, "no/such"),
        (["report", "--notebooks", "data"], 2, "no notebook"),
    ],
)
def test_a_wrong_call_is_one_clear_error_and_a_code(arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_policies_that_do_not_compile_end_with_code_3(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("apiVersion: api.cerbos.dev/v1\nresourcePolicy: [\n")
    done = run_in_a_process("sweep", "expense", "--users", USERS, "--policies", str(tmp_path))
    assert done.returncode == 3
    assert "broken.yaml:2:" in done.stderr


def test_sweep_writes_a_page_and_says_what_it_discloses(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    asked = ["sweep", "expense", USERS, "--action", "approve", "--axis", "amount=0:60000:5000"]
    asked += ["--attr", "region=south", "--attr", "owner=OTHER", "--attr", "status=OPEN"]
    done = run(*asked, "--html", str(page), "--note", "From finance")
    assert done.returncode == 0, done.stderr
    assert "the page discloses people (96): pseudonyms instead of their ids; roles (" in done.stdout
    assert "policy texts (" in done.stdout
    assert done.stdout.index("discloses") < done.stdout.index(f"wrote {page}")
    written = page.read_text(encoding="utf-8")
    assert "From finance" in written
    assert "user_" not in written
    assert run(*asked, "--note", "to nobody").returncode == 2
    nowhere = run(*asked, "--html", str(tmp_path / "nowhere" / "page.html"))
    assert "the folder does not exist" in nowhere.stderr


def test_compare_prints_a_plan_and_fails_on_what_it_is_told(tmp_path: Path) -> None:
    before = write(tmp_path / "before", expense=resource_policy(rule("R.attr.amount <= 100"), kind="expense"))
    more = [rule("R.attr.amount <= 250", roles=["manager"]), rule("R.attr.amount <= 100")]
    after = write(tmp_path / "after", expense=resource_policy(*more, kind="expense"))
    asked = [
        "compare",
        str(before),
        str(after),
        "--users",
        USERS,
        "--kind",
        "expense",
        "--axis",
        "amount=0:300:50",
    ]
    done = run(*asked, "--fail-on", "lost")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Only more: ")
    assert "+ 34 people gain approve for amount ≤ 250\n" in done.stdout  # managers who are no users
    assert "user_" not in done.stdout
    failed = run(*asked, "--fail-on", "gained", "--format", "json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["verdict"] == "only more"
    failed = run(*asked, "--fail-on", "any", "--format", "markdown")
    assert failed.returncode == 1
    assert failed.stdout.startswith("**Only more: ")
    page = run(*asked, "--format", "html")
    assert "<details" in page.stdout
    assert page.stderr.startswith("the page discloses people (96): pseudonyms instead of their ids; ")
    done = run("compare", str(before), "nowhere", *asked[3:])
    assert done.returncode == 2
    assert "is no folder of policies" in done.stderr


def test_compare_cannot_pass_a_gate_that_asks_too_little(tmp_path: Path) -> None:
    changed = shutil.copytree("policies", tmp_path / "changed")
    limits = changed / "limits.yaml"
    limits.write_text(limits.read_text().replace("manager_limit: 5000", "manager_limit: 4000"))
    asked = ("compare", "policies", str(changed), "--users", USERS, "--kind", "expense")
    done = run(*asked, "--fail-on", "lost")
    assert done.returncode == 2
    assert "Nobody may approve" in done.stdout
    assert "not sent: amount, department, owner, region, status" in done.stdout
    assert "--fail-on lost can't be told" in done.stderr
    same = ("compare", "policies", "policies", *asked[3:])
    assert run(*same, "--fail-on", "any").returncode == 0
    axes = ("--axis", "amount=0:60000:5000", "--axis", "region=northeast,south")
    done = run(*asked, *axes, "--attr", "owner=OTHER", "--attr", "status=OPEN", "--fail-on", "lost")
    assert done.returncode == 1
    assert re.search(r"--fail-on lost: \d+ of 96 people lose, nobody gains", done.stderr)


def test_compare_takes_another_version_of_cerbos_and_strict_evaluation(tmp_path: Path) -> None:
    """A missing attribute is an error, which in strict evaluation denies everything."""
    denying = rule("R.attr.blocked == true", effect="DENY")
    rules = resource_policy(rule("R.attr.amount <= 100"), denying, kind="expense")
    folder = str(write(tmp_path / "policies", expense=rules))
    asked = ["compare", folder, folder, "--users", USERS, "--kind", "expense", "--axis", "amount=0:300:50"]
    done = run(*asked, "--strict", "after", "--fail-on", "lost")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("Only less: ")
    assert run(*asked, "--strict", "both", "--fail-on", "any").returncode == 0
    done = run(*asked, "--before-binary", str(older_binary()), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "0.51.0" in done.stdout
    done = run(*asked, "--after-binary", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert "nothing' is none" in done.stderr


COMMANDS = ["doctor", "users", "principals", "sweep", "why", "compare", "coverage", "gaps", "report"]


def test_users_of_another_provider_become_principals(tmp_path: Path) -> None:
    okta = ("principals", "data/okta_users.json", "--memberships", "data/okta_groups.json")
    done = run(*okta)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("96 users became principals")
    assert "locked out" in done.stdout
    mapping = tmp_path / "mapping.json"
    mapping.write_text(lab.Mapping.of("okta", profile={"region": "profile.region"}).to_json(), "utf-8")
    done = run(*okta, "--mapping", str(mapping), "--profile", "department=profile.department")
    assert done.returncode == 0, done.stderr
    assert "department" in done.stdout
    done = run(
        "sweep", "expense", *okta[1:], "--mapping", str(mapping), "--action", "view", "--attr", "amount=5"
    )
    assert done.returncode == 0, done.stderr
    for arguments, code, words in (
        (okta[:2], 2, "pass memberships="),
        ((*okta, "--provider", "auth0"), 2, "provider='okta'"),
        ((*okta, "--provider", "octa"), 2, "did you mean 'okta'"),
        (("principals", "--provider", "okta"), 4, "OKTA_ORG_URL"),
        ((*okta, "--mapping", "data/people.csv"), 2, "data/people.csv: Invalid JSON"),
    ):
        done = run(*arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "- Other sources"),
        ({"OKTA_ORG_URL": "https://x.okta.com"}, "set OKTA_API_TOKEN, too"),
        ({"OKTA_ORG_URL": "https://x.okta.com", "OKTA_API_TOKEN": "00secret"}, "✓ Okta key"),
        ({"AUTH0_DOMAIN": "x", "AUTH0_CLIENT_ID": "y", "AUTH0_CLIENT_SECRET": "00secret"}, "✓ Auth0 key"),
        ({"AUTH0_MGMT_TOKEN": "00secret"}, "set AUTH0_DOMAIN, too"),
        ({"WORKOS_API_KEY": "00secret"}, "✓ WorkOS key"),
    ],
)
def test_the_doctor_knows_the_variables_of_every_provider(environment: dict[str, str], words: str) -> None:
    with patch.dict(os.environ, environment):
        found = [f"{one.mark} {one.what} {one.found} {one.advice}" for one in _providers()]
    assert any(words in line for line in found)
    assert not any("00secret" in line for line in found)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_text_has_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout


def test_axes_are_ranges_lists_and_json() -> None:
    assert axis_argument("amount=0:1:0.5") == ("amount", [0.0, 0.5, 1.0])
    assert axis_argument("amount=5000,10000") == ("amount", [5000, 10000])
    assert axis_argument("region=south,SELF") == ("region", ["south", SELF])
    assert axis_argument('x=[1, "1", null, [2], "MISSING"]') == ("x", [1, "1", None, [2], MISSING])
    assert axis_argument("time=a:b:c") == ("time", ["a:b:c"])


def test_fixed_values_are_json_or_text() -> None:
    assert fixed_argument("status=OPEN") == ("status", "OPEN")
    assert fixed_argument('status="5"') == ("status", "5")
    assert fixed_argument("n=5") == ("n", 5)
    assert fixed_argument("tags=[1, 2]") == ("tags", [[1, 2]])
    with pytest.raises(InputError, match="NAME=VALUE"):
        fixed_argument("status")
