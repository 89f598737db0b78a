"""The policies compile, and their own tests in policies/tests pass."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_the_policies_compile_and_pass_their_tests() -> None:
    command = [sys.executable, "-m", "clerk_cerbos_lab", "compile", "policies"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
