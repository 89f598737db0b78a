"""The JavaScript modules of JupyterLab, stored notebooks and pages, and how each carries its own.

``make static`` bundles them from ``js/src``, so installing this package builds nothing. A live output gets
``static/matrix.js`` as text, a page ``static/offline.js``, which has no part that needs a kernel. A stored
output holds that deflated, as ``static/matrix.b64``, which is made together with it: two builds of zlib may
deflate to different bytes, and notebooks are compared byte by byte.
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
"""Data up to this many bytes is stored uncompressed: then it does not depend on the build of zlib."""


@cache
def module() -> str:
    """The ES module of live outputs, including its style sheet."""
    return (STATIC / "matrix.js").read_text("utf-8")


@cache
def offline_module() -> str:
    """The ES module of pages and stored outputs, including its style sheet."""
    return (STATIC / "offline.js").read_text("utf-8")


@cache
def packed_module() -> str:
    """The offline module deflated, as base64."""
    return (STATIC / "matrix.b64").read_text("ascii").strip()


def _data(payloads: Sequence[bytes], *, small: bool) -> tuple[list[str], bool]:
    plain = small and sum(map(len, payloads)) <= PLAIN
    texts = payloads if plain else [zlib.compress(payload, 9) for payload in payloads]
    return [base64.b64encode(text).decode() for text in texts], not plain


def fits(payload: bytes) -> bool:
    """Whether data can be stored in a notebook's output."""
    (data,), _ = _data([payload], small=True)
    return len(data) <= limits.STORED_CHARACTERS


def stored(static: str, payload: bytes, state: dict[str, object]) -> str:
    """HTML for a notebook's output: a table that reads without scripts, and what makes it interactive.

    Args:
        static: the table as HTML.
        payload: the result of ``Payload.to_bytes``.
        state: the initial state.

    Returns:
        The same text for the same arguments. If the live part would be too large for a notebook, it is left
        out, and the text says so.
    """
    (data,), deflated = _data([payload], small=True)
    if len(data) > limits.STORED_CHARACTERS:
        note = (
            "Too large to be interactive in a stored notebook: run the cell, or write a page with .to_html."
        )
        return render("stored.html.j2", static=static, note=note, script="")
    start = json.dumps(state, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    name = hashlib.sha256(f"{static}\0{start}\0{data}".encode()).hexdigest()[:12]
    script = Template(static_text("stored.js")).substitute(
        code=packed_module(), name=name, data=data, deflated=str(deflated).lower(), state=start
    )
    return render("stored.html.j2", static=static, name=name, script=script)


def page_script(name: str, payloads: Sequence[bytes], state: dict[str, object]) -> str:
    """The script of a standalone page, which may hold several payloads: scenarios selected by a slider."""
    texts, deflated = _data(payloads, small=False)
    start = json.dumps(state, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    call = f'await {_inside("revive")}("{name}",{json.dumps(texts)},{str(deflated).lower()},{start});'
    return f"\n{offline_module()}\n{call}\n"


def _inside(export: str) -> str:
    """The module's internal name of an export, which the page's script uses since it continues the module."""
    found = re.search(rf"[{{,]([$\w]+) as {export}[,}}]", offline_module())
    if found is None:
        msg = f"static/offline.js exports no {export}: run 'make static'"
        raise RuntimeError(msg)
    return found[1]
