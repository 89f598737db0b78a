"""Bundle js/src into static/matrix.js, and pack that as static/matrix.b64: `make static`."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import zopfli.zlib

ROOT = Path(__file__).resolve().parent.parent
NODE = ROOT / ".venv" / "node"
STATIC = ROOT / "clerk_cerbos_lab" / "static"
BUNDLE = STATIC / "matrix.js"
PACKED = STATIC / "matrix.b64"


def main() -> None:
    """Bundle, compress as much as possible, and write."""
    subprocess.run([NODE, ROOT / "js" / "build.js", ROOT / "js" / "src" / "entry.js", BUNDLE], check=True)
    deflated = zopfli.zlib.compress(BUNDLE.read_bytes(), numiterations=50)
    PACKED.write_text(base64.b64encode(deflated).decode() + "\n", encoding="ascii")
    for path in (BUNDLE, PACKED):
        print(f"wrote {path.name}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
