"""The published descriptions of Auth0's, Okta's and WorkOS's APIs, which are not part of this project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from openapi_schema_validator import OAS30Validator, OAS31Validator

Json = dict[str, Any]

FOLDER: Final = Path(__file__).parents[3] / "shared" / "identity"


@cache
def description(provider: str) -> Json:
    """Return a provider's description; without it, skip the test."""
    path = FOLDER / f"{provider}-users.openapi.json"
    if not path.exists():
        pytest.skip(f"{provider}'s published description is not part of this project and not beside it")
    loaded: Json = json.loads(path.read_text("utf-8"))
    return loaded


def errors(provider: str, schema: Json, value: object) -> list[str]:
    """Return how a value deviates from a schema of the description."""
    described = description(provider)
    components = {"components": {"schemas": described["components"]["schemas"]}}
    kind = OAS30Validator if described["openapi"].startswith("3.0") else OAS31Validator
    validator = kind({**schema, **components})
    return [
        f"{'/'.join(map(str, error.path))}: {error.message}"
        for error in validator.iter_errors(value)
        if "is valid under each of" not in error.message  # forms of Auth0's lists that have no required key
    ]


def parameters(provider: str, path: str) -> set[str]:
    """Return the names of an endpoint's query parameters."""
    described = description(provider)
    entries = described["paths"][path]["get"]["parameters"]
    found = [_resolved(described, entry) for entry in entries]
    return {entry["name"] for entry in found if entry["in"] == "query"}


def answer_schema(provider: str, method: str, path: str, status: int) -> Json | None:
    """Return the schema of a response; None if the description gives none."""
    described = description(provider)
    found = described["paths"][path][method]["responses"].get(str(status))
    content = _resolved(described, found).get("content", {}) if found else {}
    schema: Json | None = content.get("application/json", {}).get("schema")
    return schema


def _resolved(described: Json, value: Json) -> Json:
    if "$ref" not in value:
        return value
    found = described
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found
