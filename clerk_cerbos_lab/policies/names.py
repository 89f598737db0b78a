"""Names of actions, resource kinds and scopes, as Cerbos reads them.

An action or kind in a policy that contains a ``*`` is a pattern of the Go library gobwas/glob with ``:`` as
the separator; any other is literal, whatever else it contains. This follows Cerbos's source
(``util/globs_common.go``, ``namer/namer.go``) and is compared with the PDP in
``tests/policies/test_names.py``. Where gobwas/glob does not do what its documentation says (a ``*`` inside
braces before more text), a pattern matches more here, never less.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

ANYTHING: Final = frozenset({"*", "**"})
"""Patterns that match every name, and so say nothing about a particular one."""

_ODD: Final = re.compile(r"[?\[\]{}\\]")


@cache
def matches(pattern: str, name: str) -> bool:
    """Whether an action or kind in a policy, perhaps a pattern, matches this name."""
    if "*" not in pattern:
        return pattern == name
    if pattern.count("*") == 2 and "**" in pattern and not _ODD.search(pattern):
        return _fits_ends(pattern, name)  # gobwas/glob lets the two ends overlap: a**a matches a
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


def may_match(pattern: str, name: str) -> bool:
    """The same, for deciding what has to be read: True in doubt."""
    if "*" not in pattern:
        return pattern == name or bool(_ODD.search(pattern))
    return bool(_ODD.search(pattern)) or _fits_ends(pattern, name)


def _fits_ends(pattern: str, name: str) -> bool:
    return name.startswith(pattern.partition("*")[0]) and name.endswith(pattern.rpartition("*")[2])


def only_name(pattern: str) -> str | None:
    """The only name that an entry of a policy matches; None for a pattern that matches several, or none."""
    if "*" not in pattern:
        return pattern
    plain = re.sub(r"\\(.)", "", pattern, flags=re.DOTALL)
    if re.search(r"[*?\[{\\]", plain):
        return None
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


def scope_and_above(scope: str) -> list[str]:
    """A scope and its parents, nearest first: ``a.b``, ``a``, the empty scope (also written ``.``)."""
    parts = scope.split(".") if scope not in {"", "."} else []
    return [".".join(parts[:count]) for count in range(len(parts), -1, -1)]


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern as a regular expression; None for one that Cerbos can't read, which matches nothing."""
    rest = "**" if pattern == "*" else pattern
    parts: list[str] = []
    depth = 0
    while rest:
        first = rest[0]
        taken = 1
        if rest.startswith("**"):
            parts.append(".*")
            taken = 2
        elif first in "*?":
            parts.append("[^:]*" if first == "*" else "[^:]")
        elif first == "[":
            found = _CLASS.match(rest)
            if found is None or (found["low"] or "") > (found["high"] or ""):
                return None
            parts.append(_character_class(found))
            taken = found.end()
        elif first == "{":
            depth += 1
            parts.append("(?:")
        elif first in ",}" and depth:
            depth -= first == "}"
            parts.append("|" if first == "," else ")")
        elif first == "\\":
            parts.append(re.escape(rest[1:2]))
            taken = 2
        else:
            parts.append(re.escape(first))
        rest = rest[taken:]
    return re.compile("".join(parts) + ")" * depth, re.DOTALL)


_CLASS: Final = re.compile(
    r"\[(?P<negated>!?+)(?:(?P<low>.)-(?P<high>.)|(?P<set>(?!.-)(?:\\.|[^\]\\])+))\]", re.DOTALL
)
"""``[a-c]``, ``[!a-c]``, ``[abc]``, ``[!abc]``."""


def _character_class(found: re.Match[str]) -> str:
    negated = "^" if found["negated"] else ""
    if found["low"] is not None:
        return f"[{negated}{re.escape(found['low'])}-{re.escape(found['high'])}]"
    characters = re.sub(r"\\(.)", r"\1", found["set"], flags=re.DOTALL)
    return f"[{negated}{re.escape(characters)}]"
