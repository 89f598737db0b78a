"""Node, as the set-up found it, and what esbuild makes of js/ for a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
JS = ROOT / "js"
NODE = Path(sys.prefix) / "node"


def node(*arguments: str | Path, told: str | None = None) -> str:
    """Run Node in js/, and return what it writes; where it fails, so does the test."""
    assert (JS / "node_modules").is_dir(), "the tools of js/ are not installed: make test, or set-up-js"
    done = subprocess.run(
        [NODE, *arguments], cwd=JS, input=told, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bundle(entry: str) -> str:
    """Bundle an entry of js/, as the module is bundled that the package holds."""
    return node("build.js", entry)
