"""Build the documentation, `make docs`: a site in `site-docs/` that needs no network."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

START = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>clerk-cerbos-lab</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"></head>
<body><a href="docs/index.html">clerk-cerbos-lab</a></body></html>
"""


def build(output: Path) -> int:
    """Build the site and return Sphinx's exit code; a warning, such as of a broken link, is an error."""
    with tempfile.TemporaryDirectory(prefix="clerk-cerbos-lab-") as read:
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E"]
        done = subprocess.run([*command, "-c", ROOT / "docs", "-d", read, ROOT, output], check=False)
    if done.returncode == 0:
        (output / "index.html").write_text(START, encoding="utf-8")
        (output / ".nojekyll").touch()
    return done.returncode


if __name__ == "__main__":
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site-docs"
    ended = build(site)
    if not ended:
        print(f"wrote {site / 'index.html'}")
    sys.exit(ended)
