"""The policy index: everything the kit knows about a set of policies, computed once.

There is one index for each state of the policies (``index_of``), cached by their digest: nothing is parsed
or analysed twice, not even through another PDP on the same policies.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.policies import analysis, compared, reach
from clerk_cerbos_lab.policies.attribute_types import compared_types
from clerk_cerbos_lab.policies.cel import CelError
from clerk_cerbos_lab.policies.confused_conditions import has_confused_conditions, kinds_confused_with
from clerk_cerbos_lab.policies.constants import constants_of
from clerk_cerbos_lab.policies.lines import lines_of
from clerk_cerbos_lab.policies.literals import literals_in
from clerk_cerbos_lab.policies.movable import limits_of
from clerk_cerbos_lab.policies.people_named import names_in
from clerk_cerbos_lab.policies.policy_set import PolicySet, relevant
from clerk_cerbos_lab.policies.rules import rules_of
from clerk_cerbos_lab.values import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from clerk_cerbos_lab.policies.addresses import Limit
    from clerk_cerbos_lab.policies.analysis import Analysis
    from clerk_cerbos_lab.policies.compared import Compared
    from clerk_cerbos_lab.policies.constants import Constant
    from clerk_cerbos_lab.policies.lines import Lines
    from clerk_cerbos_lab.policies.literals import Literals
    from clerk_cerbos_lab.policies.people_named import PolicyNames
    from clerk_cerbos_lab.policies.policy_set import Audience
    from clerk_cerbos_lab.policies.reach import Policy, Reached, Target
    from clerk_cerbos_lab.policies.rules import PolicyRules

T = TypeVar("T")

SHARED: Final = frozenset({"derivedRoles", "exportVariables", "exportConstants"})
"""Policies that are only imported by others; a request reaches them in no other way."""

MOST_KEPT: Final = 16
"""Sets of policies kept in the cache: those of one notebook, including what-if copies."""


class PolicyIndex:
    """What is known about a set of policies; each part is computed when it is first needed.

    Args:
        documents: the policies as dicts in the form of Cerbos's policy files.
        files: their files as text, by the path in ``sourceFile``; empty if they are not available.

    Attributes:
        documents: as given.
    """

    def __init__(self, documents: Sequence[dict[str, Any]], files: Mapping[str, str]) -> None:
        self.documents = tuple(documents)
        self._files = files
        self._found: dict[Hashable, Any] = {}
        self._lock = threading.RLock()

    def _once(self, key: Hashable, find: Callable[[], T]) -> T:
        """The cached value of a key, computed once; an ``InputError`` is cached too."""
        with self._lock:
            if key not in self._found:
                try:
                    self._found[key] = find()
                except InputError as error:
                    self._found[key] = error
            found = self._found[key]
        if isinstance(found, InputError):
            raise InputError(str(found))
        result: T = found
        return result

    @cached_property
    def lines(self) -> Lines:
        """The line of each rule, role, variable, constant and expression."""
        return lines_of(self._files)

    @cached_property
    def policy_set(self) -> PolicySet:
        """The policies, and what they export to each other."""
        return PolicySet(self.documents, self.lines)

    @cached_property
    def rows(self) -> tuple[Policy, ...]:
        """The policies that can answer a request, with the kinds and actions of their rules."""
        return reach.rows_of(self.documents)

    @cached_property
    def rules(self) -> tuple[PolicyRules, ...]:
        """The rules and derived roles of each policy, with their conditions as trees."""
        return rules_of(self.documents, self.policy_set)

    @cached_property
    def names(self) -> PolicyNames:
        """The people that the policies name, and the other names in them."""
        return names_in(self.documents)

    @cached_property
    def constants(self) -> tuple[Constant, ...]:
        """The constants that policies define, in the order of the policies."""
        return tuple(constants_of(self.documents))

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """Every value that the policies compare with, and every constant, with their addresses."""
        return limits_of(self.documents, self._files)

    @cached_property
    def attribute_types(self) -> Mapping[str, str]:
        """The types that principal attributes are compared with: attribute to JSON type in words."""
        return compared_types(self.documents)

    def resource_types_of(self, kind: str) -> Mapping[str, str]:
        """The types that resource attributes are compared with, without the policies of other kinds."""

        def find() -> Mapping[str, str]:
            own = [
                one
                for one in self.documents
                if canonical((one.get("resourcePolicy") or {}).get("resource", kind)) == canonical(kind)
            ]
            return compared_types(own, "R")

        return self._once(("resource types", kind), find)

    @cached_property
    def literals(self) -> Literals:
        """Every number, text and word in the policies, found without understanding them."""
        return literals_in(self.documents)

    @cached_property
    def outputs(self) -> str:
        """The outputs of all rules as JSON: Cerbos inspects them too, but they decide nothing."""
        rules = (rule for one in self.documents for rule in one.get("resourcePolicy", {}).get("rules", ()))
        return json.dumps([rule.get("output") for rule in rules])

    @cached_property
    def has_schemas(self) -> bool:
        """Whether a resource policy refers to a schema."""
        return any(document.get("resourcePolicy", {}).get("schemas") for document in self.documents)

    def analysis(self, kind: str, audience: Audience | None = None) -> Analysis:
        """What the policies that can affect a kind read (see ``analysis.analyse``)."""
        return self._once(
            ("analysis", kind, audience), lambda: analysis.analyse(self.policy_set, kind, audience)
        )

    def compared(self, kind: str, audience: Audience) -> Compared:
        """What the policies compare attributes with: values to try (see ``compared.compared``)."""
        return self._once(
            ("compared", kind, audience), lambda: compared.compared(self.policy_set, kind, audience)
        )

    def analysis_of_reached(self, reached: Reached, audience: Audience | None = None) -> Analysis:
        """The same, only for the policies that a request reaches."""
        ids = frozenset(id(policy.document) for policy in reached.policies)
        if self._about(reached.kind) <= ids:
            return self.analysis(reached.kind, audience)

        def find() -> Analysis:
            documents = [one for one in self.documents if id(one) in ids or SHARED & set(one)]
            return analysis.analyse(PolicySet(documents, self.lines), reached.kind, audience)

        return self._once(("analysis", ids, reached.kind, audience), find)

    def _about(self, kind: str) -> frozenset[int]:
        """The policies that can affect a kind, in any version and scope; empty if they can't be read."""
        try:
            every = [policy for policy, *_ in [*self.policy_set.of_kind(kind), *self.policy_set.about(kind)]]
        except (CelError, KeyError, TypeError):
            return frozenset()
        return frozenset(map(id, every))

    def reads_runtime(self, kind: str) -> bool:
        """Whether anything that can affect a kind reads ``runtime``; True in doubt.

        Raises:
            CelError: if policies could not be understood.
        """
        try:
            return self.policy_set.reads_runtime(kind)
        except (KeyError, TypeError) as error:
            msg = f"an unknown form of policy ({error})"
            raise CelError(msg) from None

    def has_confused_conditions(self, kind: str) -> bool:
        """Whether Cerbos may take two conditions about a kind for one, so that actions affect each other."""
        return self._once(("confused", kind), lambda: has_confused_conditions(self.rules, kind))

    def kinds_confused_with(self, kind: str) -> tuple[str, ...]:
        """The kinds in other policies with a condition that Cerbos can take for one about a kind."""
        return self._once(("confused with", kind), lambda: kinds_confused_with(self.rules, kind))

    def may_confuse(self, kind: str) -> bool:
        """Whether Cerbos may take a condition about a kind for another, in its policy or elsewhere."""
        return self.has_confused_conditions(kind) or bool(self.kinds_confused_with(kind))

    def constants_seen(self, kind: str) -> frozenset[str] | None:
        """The constants visible to expressions about a kind; None if the policies can't be read."""

        def find() -> frozenset[str] | None:
            try:
                every = relevant(self.policy_set, kind, None)
                return frozenset(name for environment, _ in every for name in environment.constants)
            except (CelError, KeyError, TypeError):
                return None

        return self._once(("constants", kind), find)

    def reached(self, target: Target, *, lenient: bool | None) -> Reached:
        """The policies that a request can reach (see ``reach.reach``).

        Raises:
            InputError: if there are none.
        """
        return self._once(
            ("reached", target, lenient), lambda: reach.reach(self.rows, target, lenient=lenient)
        )

    def doubts(self, reached: Reached, actions: Sequence[str]) -> list[str]:
        """Names that may be misspelt (see ``reach.doubts``)."""
        return reach.doubts(self.rows, reached, actions)


_KEPT: OrderedDict[str, PolicyIndex] = OrderedDict()


def kept_index(digest: str | None) -> PolicyIndex | None:
    """The index of policies with this digest, if it is kept."""
    return None if digest is None else _KEPT.get(digest)


def index_of(
    documents: Sequence[dict[str, Any]], files: Mapping[str, str] | None = None, digest: str | None = None
) -> PolicyIndex:
    """The index of these policies; the same object for the same policies.

    Args:
        documents: the policies as dicts in the form of Cerbos's policy files.
        files: their files as text, by path, if available.
        digest: of the files; None if the PDP does not report it, then the digest of the documents is used.
    """
    if digest is None:
        text = json.dumps(documents, sort_keys=True, ensure_ascii=False, default=str)
        digest = f"documents {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    found = _KEPT.pop(digest, None) or PolicyIndex(documents, files or {})
    _KEPT[digest] = found  # the newest last
    while len(_KEPT) > MOST_KEPT:
        _KEPT.popitem(last=False)
    return found
