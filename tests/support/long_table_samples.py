"""Decisions for the long table: some plain, some in which every text tries to run as code."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from made_decisions import made

import clerk_cerbos_lab as lab

RUNS = "window.pwned = 1; alert(1)"
IMAGE = f'<img src=x onerror="{RUNS}">'
SCRIPT = f"<script>{RUNS}</script>"
HOSTILE = [
    *(SCRIPT, IMAGE, f"{IMAGE}&amp;", "</script>", "<!--<script>", '\'"><b onclick="x', "&lt;i&gt;", "R&D"),
    *(
        "let dt_args = {};",
        "___NaN___",
        "$&",
        "{{ 7 * 7 }}",
        "😀",
        "שלום",
        "a\u202eb",
        "a\nb",
        " ",
        "x" * 300,
    ),
]


def some(regions: Sequence[Any] = ("south", "R&D", None)) -> lab.Decisions:
    """Return 3 by 2 by 20 by n decisions with unordered amounts."""
    amounts = [5000, 10_000, 500, 0, 99.5, *range(1000, 4000, 200)]
    effects = np.random.default_rng(7).random((3, 2, len(amounts), len(regions))) < 0.5
    axes: dict[str, Any] = {"amount": amounts, "region": list(regions)}
    return made(effects, axes, names=["ann", "bob", "cyd"], actions=["view", "approve"], kind="expense")


def hostile() -> lab.Decisions:
    effects = np.random.default_rng(7).random((2, 2, len(HOSTILE), 1)) < 0.5
    axes: dict[str, Any] = {IMAGE: HOSTILE, SCRIPT: [5]}
    more: dict[str, Any] = {"kind": SCRIPT, "fixed": {IMAGE: SCRIPT}}
    return made(effects, axes, names=[SCRIPT, IMAGE], actions=[IMAGE, SCRIPT], **more)
