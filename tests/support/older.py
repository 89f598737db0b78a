"""An older version of Cerbos, whose answers are compared with those of the installed one."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = "0.51.0"


def older_binary() -> Path:
    """Return the older binary, installed if it is not; skip where none is pinned."""
    binary = ROOT / ".venv" / "older-pdp" / "cerbos"
    if not binary.exists():
        if (sys.platform, platform.machine()) != ("linux", "x86_64") and not os.environ.get("CI"):
            pytest.skip("no older Cerbos binary is pinned for this machine")
        subprocess.run([sys.executable, ROOT / "setup" / "install.py", "--older"], check=True)
    return binary
