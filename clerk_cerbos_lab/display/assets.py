"""What is the same in Lab, in a stored notebook and in a page: one module of JavaScript, how it is carried.

``static/matrix.js`` is bundled from ``js/src`` by ``make static``, not here: who installs this package builds
nothing. A live output gets it as text. A stored one holds it deflated, as ``static/matrix.b64``, which is
made together with it: two builds of zlib may deflate to different bytes, and a notebook is compared byte by
byte.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Final

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.templates import STATIC, render, static_text

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN: Final = 110_000
"""Bytes up to which data is stored as it is: the same in every build of zlib."""


@cache
def module() -> str:
    """The ES module, with its style sheet in it."""
    return (STATIC / "matrix.js").read_text("utf-8")


@cache
def packed_module() -> str:
    """The same, deflated, as base64."""
    return (STATIC / "matrix.b64").read_text("ascii").strip()


def _data(payloads: Sequence[bytes], *, small: bool) -> tuple[list[str], bool]:
    plain = small and sum(map(len, payloads)) <= PLAIN
    texts = payloads if plain else [zlib.compress(payload, 9) for payload in payloads]
    return [base64.b64encode(text).decode() for text in texts], not plain


def stored(static: str, payload: bytes, state: dict[str, object]) -> str:
    """HTML for a notebook's output: a table that reads without scripts, and what brings it to life.

    Args:
        static: the table, as HTML.
        payload: of ``Payload.to_bytes``.
        state: how it is shown at first.

    Returns:
        The same text for the same arguments; without its live part where that would be too large for a
        notebook, and then it says so.
    """
    (data,), deflated = _data([payload], small=True)
    if len(data) > limits.STORED_CHARACTERS:
        note = (
            "Too large to stay interactive in a stored notebook: run the cell, or write a page with .to_html."
        )
        return render("stored.html.j2", static=static, note=note, script="")
    start = json.dumps(state, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    name = hashlib.sha256(f"{static}\0{start}\0{data}".encode()).hexdigest()[:12]
    script = Template(static_text("stored.js")).substitute(
        code=packed_module(), name=name, data=data, deflated=str(deflated).lower(), state=start
    )
    return render("stored.html.j2", static=static, name=name, script=script)


def page_script(name: str, payloads: Sequence[bytes], state: dict[str, object]) -> str:
    """The script of a page of its own, which may hold several payloads: scenarios to slide through."""
    texts, deflated = _data(payloads, small=False)
    start = json.dumps(state, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    call = f'await {_inside("revive")}("{name}",{json.dumps(texts)},{str(deflated).lower()},{start});'
    return f"\n{module()}\n{call}\n"


def _inside(export: str) -> str:
    """What the module itself calls something that it exports: the page's script goes on inside of it."""
    found = re.search(rf"[{{,]([$\w]+) as {export}[,}}]", module())
    if found is None:
        msg = f"static/matrix.js exports no {export}: run 'make static'"
        raise RuntimeError(msg)
    return found[1]
