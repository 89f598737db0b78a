"""Files of users of any size, in each provider's shape: the people of the sample repeated, with other ids.

    python tests/support/large_user_files.py auth0 50 users.json

writes 50 MB of Auth0's users.
"""

import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data"

Json = dict[str, Any]

FILES = {
    "clerk": "clerk_users",
    "auth0": "auth0_users",
    "okta": "okta_users",
    "workos": "workos_users",
    "workos-directory": "workos_directory_users",
}

LINES = {"auth0"}  # whose export is one user per line


def write(path: Path, provider: str, megabytes: int) -> int:
    """Write at least so many megabytes; return how many users that is."""
    loaded = json.loads((DATA / f"{FILES[provider]}.json").read_text("utf-8"))
    people: list[Json] = loaded["data"] if isinstance(loaded, dict) else loaded
    key = "user_id" if provider == "auth0" else "id"
    start, between, end = ("", "\n", "\n") if provider in LINES else ("[", ",", "]")
    if provider.startswith("workos"):
        start, end = '{"object":"list","data":[', '],"list_metadata":{"before":null,"after":null}}'
    count = written = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(start)
        while written < megabytes * 1_000_000:
            for person in people:
                text = json.dumps({**person, key: f"{person[key]}_{count}"}, ensure_ascii=False)
                written += file.write((between if count else "") + text)
                count += 1
        file.write(end)
    return count


if __name__ == "__main__":
    print(write(Path(sys.argv[3]), sys.argv[1], int(sys.argv[2])))  # noqa: T201 - a program
