"""Build the documentation, `make docs`: a site in `site-docs/` that needs no network."""

from __future__ import annotations

import shutil
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
    """Build the site and return Sphinx's exit code; a warning, such as of a broken link, is an error.

    The earlier site is replaced as a whole; it stays if the build fails.
    """
    if output.is_dir() and any(output.iterdir()) and not (output / "objects.inv").is_file():
        sys.exit(f"{output} is not an earlier site, and would be replaced: name another folder")
    with tempfile.TemporaryDirectory(prefix="clerk-cerbos-lab-") as scratch:
        made = Path(scratch, "site", "html")  # myst-nb writes beside it
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E"]
        places = map(str, ("-c", ROOT / "docs", "-d", Path(scratch, "read"), ROOT, made))
        done = subprocess.run([*command, *places], check=False)
        if done.returncode == 0:
            (made / "index.html").write_text(START, encoding="utf-8")
            (made / ".nojekyll").touch()
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(made, output)
    return done.returncode


if __name__ == "__main__":
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site-docs"
    ended = build(site)
    if not ended:
        print(f"wrote {site / 'index.html'}")
    sys.exit(ended)
