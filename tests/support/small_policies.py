"""Small Cerbos policies as text, and a folder of them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

HEAD = "apiVersion: api.cerbos.dev/v1\n"


def rule(
    condition: str | None = None,
    *,
    actions: Sequence[str] = ("approve",),
    roles: Sequence[str] = ("user",),
    effect: str = "ALLOW",
) -> str:
    """Return one rule of a resource policy."""
    match = f"\n      condition: {{match: {{expr: {json.dumps(condition)}}}}}" if condition else ""
    return f"""
    - actions: {json.dumps(list(actions))}
      roles: {json.dumps(list(roles))}
      effect: EFFECT_{effect}{match}"""


def resource_policy(*rules: str, kind: str = "thing", version: str = "default", scope: str = "") -> str:
    """Return a resource policy with these rules."""
    return f"""{HEAD}resourcePolicy:
  resource: "{kind}"
  version: "{version}"
  scope: "{scope}"
  rules:{"".join(rules)}
"""


def up_to(limit: float, **names: str) -> str:
    """Return a policy under which a user approves a thing up to this amount."""
    return resource_policy(rule(f"R.attr.amount <= {limit}"), **names)


def write(folder: Path, **files: str) -> Path:
    """Write policies into a folder, each under ``<name>.yaml``, and return the folder."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def users(count: int = 1, **attributes: object) -> pd.DataFrame:
    """Return a principals frame with this many users who have the same attributes."""
    rows = [{"id": f"u{i}", "roles": ("user",), **attributes} for i in range(count)]
    return pd.DataFrame(rows, dtype=object)


USER = {"id": "u0", "roles": ("user",)}
