"""How a reader names a value in a policy: ``manager-approves: amount <= 5000``, or a constant's name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clerk_cerbos_lab.policies.edits import Path


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the value of a limit stands.

    Attributes:
        document: the position of its policy among the documents.
        file: the policy's file.
        path: of the constant or the expression in the file.
        expression: as the PDP read it; None for a constant.
        span: of the literal in the expression.
    """

    document: int
    file: str
    path: Path
    expression: str | None = None
    span: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Limit:
    """A value that a rule, a derived role or a variable compares with, or a constant.

    Attributes:
        address: what to write to move it, such as ``manager-approves: amount <= 5000``; each only once.
        owner: the name of the rule or derived role; of a variable ``V.name``; empty for a constant that
            nothing compares with.
        attribute: what is compared, such as ``amount`` or ``P.attr.level``; empty if nothing is.
        operator: ``<=``, ``in``, or the name of the function or method that has the value.
        value: a number, a text, or a list of them; a constant may be anything that JSON holds.
        constant: the constant's name, with dots inside a map; None for a literal.
        text: the comparison as in the policy.
        file: of the value.
        line: of the value; None if unknown.
        spot: where it stands.
        readers: other rules, derived roles and variables that read it through a variable.
    """

    address: str
    owner: str
    attribute: str
    operator: str
    value: Any
    constant: str | None
    text: str
    file: str
    line: int | None
    spot: Spot
    readers: tuple[str, ...] = ()


def short(text: str) -> str:
    """A comparison as a reader writes it: ``amount <= 5000``."""
    return re.sub(r"(?<![\w.])(?:request\.resource|resource|R)\.attr\.(?=\w)", "", text)


def shown_value(value: Any) -> str:
    """A value as it would stand in a policy; a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


_BETTER: Final[tuple[Callable[[Limit], str], ...]] = (
    lambda limit: f"{limit.spot.file}: {limit.address}",
    lambda limit: f"{limit.address} ({shown_value(limit.value)})",
    lambda limit: f"{limit.address} ({limit.constant})" if limit.constant else limit.address,
    lambda limit: f"{limit.address} (line {limit.line})",
    lambda limit: f"{limit.address} (from character {limit.spot.span[0] + 1})",
)
"""Addresses that say more, for limits whose address is also that of another."""


def with_addresses(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """The limits with addresses of which each occurs once: with what tells it from others if needed."""
    made = list(limits)
    for better in _BETTER:
        groups: dict[str, list[int]] = {}
        for i, limit in enumerate(made):
            groups.setdefault(limit.address, []).append(i)
        for same in groups.values():
            told = [better(made[i]) for i in same]
            if len(set(told)) > 1:
                for i, address in zip(same, told, strict=True):
                    made[i] = replace(made[i], address=address)
    return tuple(made)


def limit_at(limits: Sequence[Limit], address: str) -> Limit:
    """The limit that a reader means.

    Args:
        limits: those that there are.
        address: as in ``Limit.address``; the comparison may be written with or without ``R.attr.``, with or
            without spaces; ``rule: attribute``, the comparison alone or a constant's name are enough
            if only one limit has them.

    Raises:
        InputError: if none or several match; lists them.
    """
    wanted = _normal(address)
    for spelled in (_exact, _named, _by_owner, _through_variables, _by_comparison):
        found = {limit.spot: limit for limit in reversed(limits) if wanted in spelled(limit)}
        if len(found) == 1:
            return next(iter(found.values()))
        if found and spelled is _named:
            told = " or ".join(f"'{limit.file}: {limit.constant}'" for limit in reversed(found.values()))
            msg = f"several policies define a constant '{address}': write {told}"
            raise InputError(msg)
        if found:
            several = "\n".join(f"  {limit.address}  ({place(limit)})" for limit in reversed(found.values()))
            msg = f"'{address}' may mean several; write one of these:\n{several}"
            raise InputError(msg)
    if re.fullmatch(r"[\w.]+", address):
        names = {limit.constant for limit in limits if limit.constant}
        msg = f"no policy defines a constant '{address}'{did_you_mean(address, names)}"
        raise InputError(msg)
    near = did_you_mean(address, [limit.address for limit in limits])
    msg = f"nothing in the policies compares as in '{address}'{near}"
    raise InputError(msg)


def place(limit: Limit) -> str:
    """``expense.yaml:12``."""
    return limit.file if limit.line is None else f"{limit.file}:{limit.line}"


def _exact(limit: Limit) -> set[str]:
    return {_normal(limit.address)}


def _named(limit: Limit) -> set[str]:
    if limit.constant is None:
        return set()
    return {
        _normal(name) for name in (limit.constant, f"C.{limit.constant}", f"{limit.file}: {limit.constant}")
    }


def _parts(limit: Limit) -> list[str]:
    """The ways to write the comparison alone, or only what is compared."""
    bare = limit.attribute.removeprefix("P.attr.")
    return [short(limit.text), limit.address.partition(": ")[2] or limit.text, limit.attribute, bare]


def _by_owner(limit: Limit) -> set[str]:
    own = [limit.owner, limit.owner.removeprefix("V.")]
    told = {_normal(f"{owner}: {part}") for owner in own for part in _parts(limit) if owner and part}
    return told | {_normal(f"{limit.spot.file}: {owner}: {part}") for owner in own for part in _parts(limit)}


def _through_variables(limit: Limit) -> set[str]:
    return {_normal(f"{owner}: {part}") for owner in limit.readers for part in _parts(limit) if part}


def _by_comparison(limit: Limit) -> set[str]:
    return {_normal(part) for part in _parts(limit) if part and limit.owner}


def _normal(address: str) -> str:
    """An address without what readers write differently."""
    same = short(address).translate({ord("≤"): "<=", ord("≥"): ">=", ord("≠"): "!="})
    same = re.sub(r"(?<=\d)[_,](?=\d{3}(?!\d))", "", same)
    same = same.replace("request.principal.", "P.").replace("'", '"')
    return re.sub(r"\s+", "", same)
