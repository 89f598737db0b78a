"""Make docs/matrix.png, the picture in README: `make picture`. Needs Chromium on PATH."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

import clerk_cerbos_lab as lab

ROOT = Path(__file__).resolve().parent.parent
PAGE = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:18px;background:#fff;color:#1b1f24;
font-family:'DejaVu Sans',sans-serif">{table}</body>"""


def decisions() -> lab.Decisions:
    """The founding question, for one person of each group."""
    groups = pd.DataFrame({"id": ["a-manager", "a-finance", "an-employee"]})
    groups["roles"] = [("manager",), ("finance",), ("employee",)]
    groups = lab.vary(groups, region=["northeast", "south"])
    with lab.PDP("policies") as pdp:
        return lab.sweep(
            pdp,
            groups,
            "expense",
            actions="approve",
            amount=[5_000, 5_000.01, 10_000, 10_000.01, 50_000, 50_000.01],
            region=["northeast", "south"],
            owner=lab.OTHER,
            status="OPEN",
        )


def main() -> None:
    """Write the page, let Chromium take the picture."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("picture: needs Chromium on PATH")
    target = ROOT / "docs" / "matrix.png"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch, "page.html")
        page.write_text(PAGE.format(table=decisions()._repr_mimebundle_()["text/html"]), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        size = ["--window-size=920,400", "--force-device-scale-factor=2"]
        profile = f"--user-data-dir={scratch}/profile"
        subprocess.run(
            [browser, *options, *size, profile, f"--screenshot={target}", page.as_uri()],
            check=True,
            capture_output=True,
        )
    print(f"wrote {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
