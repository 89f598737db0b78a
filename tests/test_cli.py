"""The command line, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from clerk_cerbos_lab.arguments import axis_argument, fixed_argument
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, SELF

ROOT = Path(__file__).parents[1]
USERS = "data/clerk_users.json"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CLERK_", "CERBOS_"))}
    return subprocess.run(
        [sys.executable, "-c", "from clerk_cerbos_lab.cli import main; main()", *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_doctor_finds_the_pdp_and_never_shows_a_key() -> None:
    done = run("doctor", CLERK_SECRET_KEY="sk_test_not_a_real_one")
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
    done = run(
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


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sweep", "expense", "--users", USERS, "--action", "aprove"], 2, "did you mean 'approve'"),
        (["sweep", "expens", "--users", USERS], 2, "did you mean 'expense'"),
        (["sweep", "expense", "--users", USERS, "--axis", "amount"], 2, "NAME=START:STOP:STEP"),
        (["sweep", "expense", "--users", USERS, "--role", "boss"], 2, "nobody has the role boss"),
        (["sweep", "expense", "--users", "nowhere.json"], 2, "nowhere.json"),
        (["sweep", "expense", "--users", USERS, "--policies", "docs"], 2, "holds no policy"),
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
    done = run("sweep", "expense", "--users", USERS, "--policies", str(tmp_path))
    assert done.returncode == 3
    assert "broken.yaml:2:" in done.stderr


@pytest.mark.parametrize("command", ["doctor", "users", "sweep", "report"])
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
