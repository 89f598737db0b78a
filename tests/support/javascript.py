"""Node from the set-up, and bundles of js/ for tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
JS = ROOT / "js"
NODE = Path(sys.prefix) / "node"


def node(*arguments: str | Path, told: str | None = None) -> str:
    """Run Node in js/ and return its output; if it fails, so does the test."""
    assert (JS / "node_modules").is_dir(), "the tools of js/ are not installed: make test, or set-up-js"
    done = subprocess.run(
        [NODE, *arguments], cwd=JS, input=told, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bundle(entry: str) -> str:
    """Bundle an entry of js/ in the same way as the package's module."""
    return node("build.js", entry)
