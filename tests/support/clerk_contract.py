"""The part of Clerk's API contract that the tests use, as schemas read from clerk_contract.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from openapi_schema_validator import OAS30Validator

Json = dict[str, Any]

# Clerk's complete description, which is not part of this project: used only if it is next to it.
PUBLISHED: Final = Path(__file__).parents[3] / "shared" / "clerk" / "bapi-2026-05-12.yml"

_PLAIN: Final = {"text": "string", "integer": "integer", "boolean": "boolean", "map": "object"}
_OBJECT: Final = "#/components/schemas/"


@cache
def contract() -> Json:
    """Return the contract as written in the file."""
    text = Path(__file__).with_name("clerk_contract.yaml").read_text("utf-8")
    loaded: Json = yaml.safe_load(text)
    return loaded


def schema(words: str) -> Json:
    """Return a type of the contract, such as ``list of User`` or ``text or null``, as an OpenAPI schema."""
    *kinds, last = words.split(" or ")
    kinds += [] if last == "null" else [last]
    nullable = {"nullable": True} if last == "null" else {}
    first = kinds[0]
    if len(kinds) > 1 or (nullable and first[0].isupper()):
        return {"type": "object", "oneOf": [{"$ref": _OBJECT + kind} for kind in kinds], **nullable}
    if first.startswith("list of "):
        return {"type": "array", "items": schema(first.removeprefix("list of ")), **nullable}
    if first.startswith("one of "):
        return {"type": "string", "enum": first.removeprefix("one of ").split(", "), **nullable}
    if first.startswith("like "):
        return {"type": "string", "pattern": first.removeprefix("like "), **nullable}
    return {"type": _PLAIN[first], **nullable} if first in _PLAIN else {"$ref": _OBJECT + first}


@cache
def objects() -> Json:
    """Return each object of the contract as a schema; an object without fields allows nothing."""
    described = {}
    for name, fields in contract()["objects"].items():
        described[name] = {
            "type": "object",
            "properties": {field.removesuffix("?"): schema(words) for field, words in fields.items()},
            "required": sorted(field for field in fields if not field.endswith("?")),
            **({} if name in contract()["open"] else {"additionalProperties": False}),
        }
    return {**{name: {"not": {}} for name in named(described)}, **described}


def named(value: object) -> set[str]:
    """Return the objects to which schemas refer."""
    if isinstance(value, list):
        return {name for item in value for name in named(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].removeprefix(_OBJECT)} if "$ref" in value else set()
    return own | {name for item in value.values() for name in named(item)}


def parameters(path: str) -> Json:
    """Return the query parameters of an endpoint, each with its schema."""
    found: Json = {}
    for group in contract()["endpoints"][path]["parameters"]:
        found |= contract()["parameters"][group]
    return {name: schema(words) if isinstance(words, str) else words for name, words in found.items()}


def errors(words: str, value: object) -> list[str]:
    """Return how a value deviates from a type of the contract."""
    validator = OAS30Validator({**schema(words), "components": {"schemas": objects()}})
    return [error.message for error in validator.iter_errors(value)]


# --- Clerk's own description ------------------------------------------------------------------


@cache
def published() -> Json:
    """Return Clerk's complete description."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    description: Json = yaml.load(PUBLISHED.read_text("utf-8"), Loader=loader)
    return description


def published_object(name: str) -> Json:
    """Return an object of Clerk's description in the form of ours."""
    plain: Json = _plain(published()["components"]["schemas"][name])
    return plain


def published_parameters(path: str) -> Json:
    """Return the query parameters of an endpoint by Clerk's description, in the form of ours."""
    entries = [_resolved(entry) for entry in published()["paths"][path]["get"]["parameters"]]
    return {entry["name"]: _plain(entry["schema"]) for entry in entries}


def published_answers(path: str) -> dict[int, Json]:
    """Return the responses of an endpoint by status, in the form of ours."""
    answers = {}
    for status, answer in published()["paths"][path]["get"]["responses"].items():
        answers[int(status)] = _plain(_resolved(answer)["content"]["application/json"]["schema"])
    return answers


def _resolved(value: Json) -> Json:
    found = published() if "$ref" in value else value
    for part in value.get("$ref", "").removeprefix("#/").split("/") if "$ref" in value else ():
        found = found[part]
    return found


_SAID_ONLY: Final = {"description", "example", "format", "deprecated", "discriminator", "title"}


def _plain(value: Any) -> Any:
    """Return a schema without explanations, and with a uniform way to refer to an object."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "properties" in value:
        fields = {name: _plain({**own, "default": None}) for name, own in value["properties"].items()}
        value = {**value, "properties": fields}
    kept = {
        name: item if name == "properties" else _plain(item)
        for name, item in value.items()
        if name not in _SAID_ONLY and not name.startswith("x-")
    }
    if kept.get("default", 0) is None:
        del kept["default"]
    if "required" in kept:
        kept["required"].sort()
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"]
    if kept.get("nullable") is False:
        del kept["nullable"]
    several = kept.pop("allOf", None) or kept.pop("oneOf", None)
    if several is None:
        return kept
    if len(several) == 1 and "nullable" not in kept:
        return several[0]
    return {"type": "object", "oneOf": several, "nullable": kept.get("nullable", False)}
