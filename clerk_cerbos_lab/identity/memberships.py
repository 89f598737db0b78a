"""The lists that are not in the user object, from the roles, groups and organizations that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import UsersError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clerk_cerbos_lab.errors import LabError
    from clerk_cerbos_lab.identity.people import Joined


@dataclass(frozen=True, slots=True)
class Holders:
    """What one role, group, organization or membership says.

    Attributes:
        lists: the lists in which its names stand.
        names: user id and name, in order.
    """

    lists: tuple[str, ...]
    names: Sequence[tuple[str, str]]


def joined(
    entries: Iterable[Any],
    holders: Callable[[Any], Holders | None],
    what: str,
    where: str,
    *,
    needed: Iterable[str] = (),
    error: type[LabError] = UsersError,
) -> Joined:
    """By user id, each list with every name once.

    Args:
        entries: decoded JSON.
        holders: reads one; None if it is something else.
        what: the entries should be.
        where: what messages call the source.
        needed: the lists that some entry must be about, if there is any.
        error: to raise for an entry that is something else, or a list that no entry is about.
    """
    found: Joined = {}
    absent = set(needed)
    at = -1
    for at, entry in enumerate(entries):
        one = holders(entry)
        if one is None:
            msg = f"{where} should contain {what}, and entry {at} is something else"
            raise error(msg)
        absent.difference_update(one.lists)
        for own, name in one.names:
            lists = found.setdefault(own, {})
            for list_ in one.lists:
                held = lists.setdefault(list_, [])
                if name not in held:
                    held.append(name)
    if at >= 0 and absent:
        msg = f"{where} should contain {what}, and has nothing for {', '.join(sorted(absent))}"
        raise error(msg)
    return found
