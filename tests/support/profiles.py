"""Users with profiles that are broken in each way a profile has been seen to be, as JSON of Clerk's API."""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data"

SAMPLE: list[dict[str, Any]] = json.loads((DATA / "clerk_users.json").read_text("utf-8"))

METADATA: list[str] = [
    "{}",
    '{"role": "manager"}',
    '{"role": "manager", "region": "south", "approval_limit": 7500}',
    '{"role": "manager", "region": "south", "approval_limit": "7500"}',
    '{"role": "manager", "region": "south", "approval_limit": 7500.5}',
    '{"role": "manager", "region": "south", "approval_limit": null}',
    '{"role": "manager", "region": "south", "approval_limit": true}',
    '{"role": "manager", "region": "south", "approval_limit": [7500]}',
    '{"role": "manager", "region": "south", "approval_limit": {"amount": 7500}}',
    '{"role": "manager", "region": "south", "approval_limit": 1e400}',
    '{"role": "manager", "region": "south", "approval_limit": -0.0}',
    '{"role": "manager", "region": "south", "approval_limit": 1e22}',
    '{"role": "manager", "region": ["south", "west"]}',
    '{"role": "manager", "region": null}',
    '{"role": "manager", "region": ""}',
    '{"role": "manager", "region": "South "}',
    '{"role": "manager", "region": "s\\u00fcd \\ud83d\\ude00"}',
    '{"role": "manager", "region": "\\ud800"}',
    '{"role": "manager", "regions": ["a", "\\udfff"]}',
    '{"role": "manager", "\\ud800": "key"}',
    '{"role": "manager", "nested": {"a": {"b": [1, {"c": "\\ud800"}]}}}',
    '{"role": "manager", "nested": {"a": {"b": [1, {"c": null}]}}}',
    '{"role": "manager", "": "empty name", "id": "admin", "roles": "x"}',
    '{"role": "manager", "__proto__": {"region": "south"}, "constructor": "x", "toString": 1}',
    '{"role": "manager", "a.b": 1, "hasOwnProperty": true, "length": 3}',
    '{"role": ["manager", "finance"]}',
    '{"roles": ["manager", "finance"]}',
    '{"roles": "manager"}',
    '{"role": "manager", "roles": ["finance"]}',
    '{"role": "", "roles": ["finance"]}',
    '{"role": "  ", "roles": ["finance"]}',
    '{"role": "\\u001c\\u0085\\u3000"}',
    '{"role": "\\ufeff"}',
    '{"role": "\\u200b"}',
    '{"role": null}',
    '{"role": 7}',
    '{"role": true, "roles": ["finance"]}',
    '{"role": {"name": "manager"}}',
    '{"roles": []}',
    '{"roles": [""]}',
    '{"roles": ["", " ", "manager"]}',
    '{"roles": ["manager", 7]}',
    '{"roles": ["manager", null]}',
    '{"roles": ["manager", "manager", "finance"]}',
    '{"roles": [["manager"]]}',
    '{"role": " manager "}',
    '{"role": "admin", "limit": "7500", "tags": "a; b;c", "flag": "TRUE", "data": "{\\"x\\": [1]}"}',
    '{"role": "admin", "limit": "7500.50", "tags": "[1, \\"a\\"]", "flag": "yes", "data": "{"}',
    '{"role": "admin", "limit": "07500", "tags": "", "flag": "false", "data": ""}',
    '{"role": "admin", "limit": "1e3", "tags": " [1", "flag": true, "data": 5}',
    '{"role": "admin", "limit": " 7500", "tags": ["x"], "flag": null, "data": null}',
    '{"role": "admin", "limit": 7500, "tags": "\\u001cx\\u0085;\\ufeffy", "flag": "True", "data": "null"}',
    "null",
    '["manager"]',
    '"manager"',
    "7",
]

ABSENT = len(METADATA)
"""The number of the user who has no metadata at all."""


def broken() -> list[dict[str, Any]]:
    """A user for each of them, by the format of Clerk's API, and one without the field."""
    users = []
    for number, metadata in enumerate([*METADATA, None]):
        user = {**SAMPLE[number % len(SAMPLE)], "id": f"user_broken{number}"}
        if metadata is None:
            del user["public_metadata"]
        else:
            user["public_metadata"] = json.loads(metadata)
        if number % 3 == 0:
            user["username"] = None
        if number % 4 == 0:
            user["primary_email_address_id"] = None
        users.append(user)
    return users
