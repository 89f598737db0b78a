"""The people of a provider's list, read page by page or from a file: each once, in order, or an error."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import UsersError
from clerk_cerbos_lab.identity.kinds import mistaken, provider_of, words_for
from clerk_cerbos_lab.identity.people import Joined, Person, is_text, person_of
from clerk_cerbos_lab.identity.shapes import SHAPES
from clerk_cerbos_lab.values import json_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clerk_cerbos_lab.errors import ProviderError
    from clerk_cerbos_lab.identity.mapping import Mapping


@dataclass(slots=True)
class Reader:
    """Reads the users of one provider, by a mapping.

    Attributes:
        mapping: for this provider.
        where: what messages call the list.
        states: why a user can't sign in.
        lists: the lists that are made from the user object itself.
        joined: the lists that are not in the user object, by user id.
    """

    mapping: Mapping
    where: str
    states: Callable[[dict[str, Any]], tuple[tuple[str, str], ...]]
    lists: Callable[[dict[str, Any]], dict[str, list[str]]] = lambda _: {}
    joined: Joined = field(default_factory=dict)

    def read(self, entry: Any, position: int) -> Person:
        """The person in an entry.

        Raises:
            UsersError: for an entry that is not a user of this provider, or has no id.
        """
        shape = self.mapping.shape
        if not isinstance(entry, dict):
            msg = f"{self.where}: user {position} is {json_type(entry)}, not an object"
            raise UsersError(msg)
        words = mistaken(entry, self.mapping.provider)
        if words:
            msg = f"{self.where}: user {position} is not one of {shape.title}; it looks like {words}"
            raise UsersError(msg)
        own = entry.get(shape.id)
        if not isinstance(own, str) or not own or not is_text(own):
            rule = f"a non-empty string in {shape.title}'s users"
            msg = f"{self.where}: user {position} has no '{shape.id}' ({rule})"
            raise UsersError(msg)
        lists = {**self.lists(entry), **self.joined.get(own, {})}
        added = lists.get("organization_roles", []) if self.mapping.organization_roles else []
        wanted = {name: lists[name] for name in self.mapping.joined() if name in lists}
        return person_of(entry, self.mapping, joined=wanted, added_roles=added, states=self.states(entry))


@dataclass(slots=True)
class Listed:
    """The people of a list that is loaded page by page.

    Attributes:
        reader: of the entries.
        error: what to raise for a list that does not go on.
        people: so far, by id.
    """

    reader: Reader
    error: type[ProviderError]
    people: dict[str, Person] = field(default_factory=dict)

    def add(self, page: Any, *, overlap: bool = False) -> int:
        """Add a page; returns how many of its people are new.

        A page that overlaps the one before may have nobody new.

        Raises:
            ProviderError: if the page is no list of users, or has only people who were listed before.
        """
        title = self.reader.mapping.shape.title
        if not isinstance(page, list):
            msg = f"{title}'s user list was not an array; is the API address right?"
            raise self.error(msg)
        before = len(self.people)
        problem = None
        for position, entry in enumerate(page, start=before):
            try:
                person = self.reader.read(entry, position)
            except UsersError as error:
                problem = str(error)
                break
            self.people.setdefault(person.id, person)
        if problem:
            raise self.error(problem)
        if page and len(self.people) == before and not overlap:
            msg = f"{title}'s user list repeats itself after {before:,} users; nothing is kept"
            raise self.error(msg)
        return len(self.people) - before

    def check_members(self, what: str) -> None:
        """Refuse a list that leaves out somebody who was seen in a group, role or organization before.

        Okta and WorkOS don't say how many users there are, so this is the only count to compare with.
        """
        absent = len(self.reader.joined.keys() - self.people.keys())
        if absent:
            title = self.reader.mapping.shape.title
            many = "1 member" if absent == 1 else f"{absent:,} members"
            msg = (
                f"{title} listed {len(self.people):,} users, without {many} of its {what}: the list is "
                "incomplete, nothing is kept; try again"
            )
            raise self.error(msg)


def once(people: Iterable[Person]) -> list[Person]:
    """The people of a file, each once: the first of several with the same id, with a note."""
    first: dict[str, Person] = {}
    copies: dict[str, list[bool]] = {}
    for person in people:
        known = first.setdefault(person.id, person)
        if known is not person:
            copies.setdefault(person.id, []).append(known == person)
    for own, same in copies.items():
        times = "twice" if len(same) == 1 else f"{len(same) + 1} times"
        words = "identical" if all(same) else "not identical: the first one is used"
        note = f"occurs {times} in the file, {words}"
        first[own] = replace(first[own], odd=(*first[own].odd, note))
    return list(first.values())


def recognised(entry: Any, where: str) -> str:
    """The provider of a file, by its first entry.

    Raises:
        UsersError: if it is no provider's; says what it looks like.
    """
    found = provider_of(entry)
    if found is None:
        titles = ", ".join(shape.title for shape in SHAPES.values())
        msg = f"{where}: looks like {words_for(entry)}, not like users of {titles}"
        raise UsersError(msg)
    return found
