"""Bundle js/src into static/matrix.js and offline.js, and pack offline.js as matrix.b64: `make static`."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import zopfli.zlib

ROOT = Path(__file__).resolve().parent.parent
NODE = ROOT / ".venv" / "node"
STATIC = ROOT / "clerk_cerbos_lab" / "static"
BUNDLES = {"entry.js": STATIC / "matrix.js", "offline.js": STATIC / "offline.js"}
PACKED = STATIC / "matrix.b64"


def main() -> None:
    """Bundle, compress as much as possible, and write."""
    for entry, bundle in BUNDLES.items():
        subprocess.run([NODE, ROOT / "js" / "build.js", ROOT / "js" / "src" / entry, bundle], check=True)
    deflated = zopfli.zlib.compress(BUNDLES["offline.js"].read_bytes(), numiterations=50)
    PACKED.write_text(base64.b64encode(deflated).decode() + "\n", encoding="ascii")
    for path in (*BUNDLES.values(), PACKED):
        print(f"wrote {path.name}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
