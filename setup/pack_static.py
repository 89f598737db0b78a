"""Write static/matrix.b64 anew after a change of static/matrix: `make static`. A test says when to."""

from __future__ import annotations

from pathlib import Path

from clerk_cerbos_lab.display import assets

TARGET = Path(__file__).resolve().parent.parent / "clerk_cerbos_lab" / "static" / "matrix.b64"


def main() -> None:
    """Join, deflate, write."""
    TARGET.write_text(assets.pack(assets.module()) + "\n", encoding="ascii")
    print(f"wrote {TARGET.name}, {TARGET.stat().st_size:,} bytes of {len(assets.module()):,}")


if __name__ == "__main__":
    main()
