"""Cerbos's test suites, read as ``cerbos compile`` reads them: principals, resources, groups and options.

Nothing is run here. A suite becomes a list of tests, each about one principal and one resource.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from clerk_cerbos_lab.errors import InputError, did_you_mean
from clerk_cerbos_lab.policies.disk import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Check: TypeAlias = Callable[[str, Mapping[str, Any]], dict[str, Any]]

TESTDATA: Final = "testdata"

_FIXTURES: Final = {
    "principals": ("principals",),
    "resources": ("resources",),
    "auxData": ("auxdata", "auxData", "aux_data"),
}

_GROUPS: Final = {"principals": "principalGroups", "resources": "resourceGroups"}


@dataclass(frozen=True, slots=True, eq=False)
class SuiteTest:
    """A test: one principal, one resource, some actions.

    Attributes:
        suite: the suite's file, as a path inside the folder.
        principal: as in the suite: ``id``, ``roles``, ``attr``, ``policyVersion``, ``scope``.
        resource: as in the suite: ``id``, ``kind``, ``attr``, ``policyVersion``, ``scope``.
        actions: asked about.
        expected: the effect of each action, True for ALLOW.
        claims: of the JWT; None for none.
        options: as in the suite, such as ``lenientScopeSearch``.
    """

    suite: str
    principal: Mapping[str, Any]
    resource: Mapping[str, Any]
    actions: tuple[str, ...]
    expected: Mapping[str, bool]
    claims: Mapping[str, Any] | None
    options: Mapping[str, Any]


@dataclass(slots=True)
class Suites:
    """The suites of a folder.

    Attributes:
        tests: of all suites, without skipped ones.
        files: that were read.
        notes: what could not be read, and what is skipped.
    """

    tests: list[SuiteTest] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_suites(folder: str | os.PathLike[str], check: Check) -> Suites:
    """Read every suite below a folder.

    Args:
        folder: of policies, or of suites.
        check: given a form (``suite``, ``principals``, ``resources``, ``auxData``) and a document, returns
            the document in its normal form, or raises ``ValueError`` with the reason.

    Raises:
        InputError: if there is no suite.
    """
    root = Path(folder)
    made = Suites()
    for path in _suite_files(root):
        name = path.relative_to(root).as_posix()
        made.files.append(name)
        try:
            suite = check("suite", _document(path))
            if suite.get("skip"):
                made.notes.append(f"{name} is skipped, as it says.")
                continue
            made.tests += _Suite(name, suite, _fixtures(path.parent / TESTDATA, check), made.notes).tests()
        except (ValueError, OSError) as error:
            made.notes.append(f"{name} can't be read: {error}.")
    if not made.files:
        msg = f"there is no test suite (a file whose name ends in _test.yaml, .yml or .json) in {folder}"
        raise InputError(msg)
    return made


def _suite_files(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != TESTDATA)
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in SUFFIXES and path.stem.endswith("_test"):
                yield path


def _document(path: Path) -> Mapping[str, Any]:
    """The first document of a file.

    Raises:
        ValueError: if it is not YAML, or not a map.
    """
    import yaml  # noqa: PLC0415 - needed only for suites

    class Loader(yaml.CSafeLoader):
        """Reads words such as ``on`` and dates as text, as Cerbos does."""

    resolvers = yaml.CSafeLoader.yaml_implicit_resolvers
    Loader.yaml_implicit_resolvers = {
        first: [
            (tag, pattern)
            for tag, pattern in some
            if not tag.endswith(":timestamp") and (first in "tTfF" or not tag.endswith(":bool"))
        ]
        for first, some in resolvers.items()
    }
    try:
        every = yaml.load_all(path.read_text("utf-8"), Loader=Loader)
        documents = [one for one in every if one is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" on line {mark.line + 1}" if mark is not None else ""
        msg = f"it is not YAML{place}"
        raise ValueError(msg) from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        msg = "it is not one map"
        raise ValueError(msg)
    return documents[0]


def _fixtures(folder: Path, check: Check) -> dict[str, Any]:
    """What the files beside a suite define: principals, resources, aux data, and groups."""
    found: dict[str, Any] = {}
    for form, stems in _FIXTURES.items():
        paths = (folder / f"{stem}{suffix}" for stem in stems for suffix in sorted(SUFFIXES))
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            continue
        try:
            found |= check(form, _document(path))
        except ValueError as error:
            msg = f"{TESTDATA}/{path.name}: {error}"
            raise ValueError(msg) from None
    return found


class _Suite:
    """Reads the tests of one suite."""

    def __init__(
        self, file: str, suite: Mapping[str, Any], shared: Mapping[str, Any], notes: list[str]
    ) -> None:
        self._file = file
        self._suite = suite
        self._shared = shared
        self._notes = notes

    def tests(self) -> list[SuiteTest]:
        """Every test that is not skipped."""
        found: list[SuiteTest] = []
        names = [table.get("name", "") for table in self._suite.get("tests", ())]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"it has several tests named '{twice[0]}'"
            raise ValueError(msg)
        for table in self._suite.get("tests", ()):
            if table.get("skip"):
                self._notes.append(f"{self._file}: '{table.get('name', '')}' is skipped, as it says.")
            else:
                found += self._of_table(table)
        return found

    def _of_table(self, table: Mapping[str, Any]) -> Iterator[SuiteTest]:
        given = table.get("input", {})
        actions = tuple(given.get("actions", ()))
        if not actions or not table.get("expected"):
            msg = f"its test '{table.get('name', '')}' has no {'expected' if actions else 'actions'}"
            raise ValueError(msg)
        expected: dict[tuple[str, str], Mapping[str, Any]] = {}
        for one in table.get("expected", ()):
            who = self._named("principals", one, single="principal")
            what = self._named("resources", one, single="resource")
            expected |= {(p, r): one.get("actions", {}) for p in who for r in what}
        aux = given.get("auxData")
        jwt = None if not aux else self._look("auxData", aux).get("jwt", {})
        asked = {
            (principal, resource)
            for principal in self._named("principals", given)
            for resource in self._named("resources", given)
        }
        strange = sorted(expected.keys() - asked)
        if strange:
            msg = f"its test '{table.get('name', '')}' expects something of {' and '.join(strange[0])}, "
            msg += "which are not in its input"
            raise ValueError(msg)
        options = table["options"] if "options" in table else self._suite.get("options", {})
        for principal in self._named("principals", given):
            for resource in self._named("resources", given):
                effects = expected.get((principal, resource), {})
                yield SuiteTest(
                    self._file,
                    self._look("principals", principal),
                    self._look("resources", resource),
                    actions,
                    {action: effects.get(action) == "EFFECT_ALLOW" for action in actions},
                    jwt,
                    options,
                )

    def _named(self, form: str, given: Mapping[str, Any], single: str = "") -> list[str]:
        """The names in a list, and in the groups of another."""
        names = [given[single]] if given.get(single) else []
        names += given.get(form, ())
        for group in given.get(_GROUPS[form], ()):
            names += self._look(_GROUPS[form], group).get(form, ())
        return list(dict.fromkeys(names))

    def _look(self, form: str, name: str) -> Mapping[str, Any]:
        own, shared = self._suite.get(form, {}), self._shared.get(form, {})
        for some in (own, shared):
            if name in some:
                found: Mapping[str, Any] = some[name]
                return found
        msg = f"it names '{name}', which is not among its {form}{did_you_mean(name, [*own, *shared])}"
        raise ValueError(msg)
