"""Compares two answers, or what two sets of policies answer to the same question about the same people."""

from __future__ import annotations

import contextlib
import dataclasses
import posixpath
import shutil
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pandas as pd

from clerk_cerbos_lab.decisions.change_groups import grouped
from clerk_cerbos_lab.decisions.changes import (
    GAINED,
    LOST,
    Changes,
    aligned,
    allowed_rows,
    changed_rows,
    numeric_axis,
    of_people,
)
from clerk_cerbos_lab.decisions.decisions import EFFECTS, Decisions
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.insights.compared_names import both_named
from clerk_cerbos_lab.insights.profiles import other_profiles
from clerk_cerbos_lab.insights.why import explain, required_of
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.pdp.messages import Request
from clerk_cerbos_lab.policies.attribute_types import compared_types
from clerk_cerbos_lab.sweeps.again import asked_again
from clerk_cerbos_lab.sweeps.name_checks import NOT_SENT, confused_elsewhere
from clerk_cerbos_lab.sweeps.sweep import sweep
from clerk_cerbos_lab.values import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clerk_cerbos_lab.decisions.changes import Group, Witness

Policies: TypeAlias = "Decisions | PDP | str | Path"

EXPLAINED: Final = 10
"""Groups whose witness is explained."""

REPLAYED: Final = 200
"""Groups whose witness is asked again; more would take longer than the comparison."""


def compare(
    before: Policies,
    after: Policies,
    principals: pd.DataFrame | None = None,
    kind: str | None = None,
    /,
    *,
    along: str | None = None,
    **question: Any,
) -> Changes:
    """Who gains and who loses what, for which amounts, if one answer takes the place of another.

    >>> lab.compare(decisions, lab.what_if(pdp, cross_region_manager_limit=7_500))
    >>> lab.compare("main:policies", "policies", principals, "expense", amount=[0, 60_000])

    Args:
        before: decisions, a PDP, a folder of policies, or a folder in a git revision (``"main:policies"``).
        after: the same. Policies beside decisions are asked the question of the decisions, about the same
            people.
        principals: the people, if neither is decisions.
        kind: the resource kind, if neither is decisions.
        along: the numeric axis to compare along, if there are several; default: the one with the most values.
        question: further arguments of ``lab.sweep``, if neither is decisions.

    Returns:
        ``Changes``. People are the same if their labels are; whoever is only in the second answer joined and
        gains what they may do there, and whoever is only in the first left. An action, kind, version or scope
        that only one side has is asked about on both, with a note. Along a numeric axis the
        intervals are exact wherever ``Decisions.thresholds`` is. Each group of people with the same change
        has a witness: a request that was asked again of both PDPs, unless there are more groups than a note
        says.

    Raises:
        InputError: for answers to different questions, for a name that neither side has, for something that
            is no folder and no revision, or if the decisions were made with a JWT, which they do not keep.
        PolicyError: if policies do not compile.
        PDPError: if a PDP refuses, or now decides a witness in another way than in the answers.
    """
    asked = {name: value for name, value in (("principals", principals), ("kind", kind)) if value is not None}
    known = next((one for one in (before, after) if isinstance(one, Decisions)), None)
    if known is not None and (asked or question):
        given = ", ".join([*asked, *question])
        msg = f"the question is that of the decisions: leave out {given}"
        raise InputError(msg)
    if known is None and (principals is None or kind is None):
        msg = "say whom and what to ask about: lab.compare(before, after, principals, kind, amount=…)"
        raise InputError(msg)
    with contextlib.ExitStack() as opened:
        sides = [
            given if isinstance(given, Decisions) else policies_at(given, opened) for given in (before, after)
        ]
        names = both_named(sides, known.kind if known else str(kind), question)
        if known is None:
            question = {**question, "actions": names.actions}
        one, other = (
            given if isinstance(given, Decisions) else _answer(given, known, principals, kind, question)
            for given in sides
        )
        same = not all(isinstance(given, Decisions) for given in sides)  # or both are asked about the same
        return changes_of(one, other, along, same_people=same, notes=names.notes)


def changes_of(
    before: Decisions,
    after: Decisions,
    along: str | None = None,
    *,
    ask: bool = True,
    same_people: bool = False,
    notes: Sequence[str] = (),
) -> Changes:
    """Compare two answers to the same question.

    Args:
        before: the first answer.
        after: the second.
        along: as in ``compare``.
        ask: ask the witnesses again.
        same_people: everybody is known to have the same profile in both.
        notes: to begin with.
    """
    after = aligned(before, after)
    axis = numeric_axis(before, along)
    then, now = set(before.names), set(after.names)
    both = [name for name in before.names if name in now]
    joined = [name for name in after.names if name not in then]
    left = [name for name in before.names if name not in now]
    tables = [changed_rows(of_people(before, both), of_people(after, both), axis)] if both else []
    tables += [allowed_rows(of_people(after, joined), axis, GAINED)] if joined else []
    tables += [allowed_rows(of_people(before, left), axis, LOST)] if left else []
    rows = pd.concat(tables, ignore_index=True)
    groups = grouped(rows, before, axis)
    notes = list(notes)
    if joined or left:
        notes.append(
            f"{len(joined):,} joined and {len(left):,} left: what they may do, or might, is gained or lost."
        )
    if not same_people:
        notes += other_profiles(before, after, both)
    if not rows["exact"].all():
        notes.append(
            f"Some changes are known only at the swept amounts of {axis}: the notes of the decisions say why."
        )
    sources = [one.source for one in (before, after) if isinstance(one.source, Instrumented)]
    notes += dict.fromkeys(note for one in sources for note in confused_elsewhere(one, before.kind))
    asked, missing = _replayed(before, after, groups) if ask else (groups, [])
    changes = Changes(before, after, axis, tuple(asked), rows, (*notes, *missing))
    return dataclasses.replace(changes, notes=(*changes.notes, *not_asked(changes)))


def not_asked(changes: Changes) -> list[str]:
    """Which actions nobody is allowed, and what was not sent, which can be why."""
    if not changes.never_allowed:
        return []
    told = dict.fromkeys(note for one in (changes.before, changes.after) for note in one.provenance.notes)
    missing = [note for note in told if note.startswith(NOT_SENT)]
    types = compared_types((*changes.before.documents, *changes.after.documents), "R")
    sent = {name: (value,) for name, value in changes.before.fixed.items()}
    sent |= {axis.name: axis.values for axis in changes.before.axes}
    missing += [
        f"The policies compare {name} with numbers, but it was sent as text, such as {label(values[0])!r}."
        for name, values in sent.items()
        if types.get(name) == "a number" and values and all(map(is_text, values))
    ]
    never = ", ".join(changes.never_allowed)
    first = f"Nobody may {never}, before or after, so no change could show there."
    return [first, *missing] if missing else []


def compared_again(changes: Changes, pdp: PDP) -> Changes:
    """The first answer of a comparison compared with what a PDP answers now."""
    names = both_named([changes.before, pdp], changes.before.kind, {})
    after = asked_again(changes.after, pdp, named_elsewhere=True)
    return changes_of(changes.before, after, changes.along, notes=names.notes)


# -- asking both ----------------------------------------------------------------------------------


def _answer(
    pdp: PDP,
    known: Decisions | None,
    principals: pd.DataFrame | None,
    kind: str | None,
    question: dict[str, Any],
) -> Decisions:
    if known is None:
        return sweep(pdp, principals, kind, **question)  # type: ignore[arg-type]
    return asked_again(known, pdp, named_elsewhere=True)


def policies_at(given: PDP | str | Path, opened: contextlib.ExitStack, **options: Any) -> PDP:
    """A PDP on policies; one that is started here ends with the comparison, the explanations' own do not.

    Args:
        given: a PDP, a folder, or a folder in a revision.
        opened: ends what is started here.
        options: of ``lab.PDP``, for one that is started here.
    """
    if isinstance(given, PDP):
        return given
    text = str(given)
    if Path(text).is_dir():
        return opened.enter_context(PDP(text, **options))
    revision, colon, folder = text.partition(":")
    if not colon:
        msg = f"'{text}' is no folder of policies, and no folder in a git revision, such as 'main:policies'"
        raise InputError(msg)
    return opened.enter_context(PDP(_at_revision(revision, folder, opened), **options))


def _at_revision(revision: str, folder: str, opened: contextlib.ExitStack) -> Path:
    """The folder as it is in a git revision, in a temporary directory."""
    git = shutil.which("git")
    if git is None:
        msg = f"'{revision}:{folder}' needs git, which is not installed"
        raise InputError(msg)
    try:
        top, inside = (
            _git(git, "rev-parse", told).decode().removesuffix("\n")
            for told in ("--show-toplevel", "--show-prefix")
        )
        if folder in {".", ".."} or folder.startswith(("./", "../")):  # as in git: from the working directory
            folder = posixpath.normpath(inside + folder)
        tree = f"{revision}:{'' if folder == '.' else folder}"
        archived = _git(git, "-C", top, "archive", "--format=tar", "--end-of-options", tree)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        msg = f"git can't read '{revision}:{folder}': {said}"
        raise InputError(msg) from None
    made = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="revision-")))
    with tarfile.open(fileobj=BytesIO(archived)) as archive:
        try:
            archive.extractall(made, filter="data")
        except tarfile.FilterError as error:
            where = f"'{revision}:{folder}' has '{error.tarinfo.name}'"
            msg = f"{where}, which is a link to a place outside of the folder: compare folders instead"
            raise InputError(msg) from None
    return made


def _git(git: str, *arguments: str) -> bytes:
    """What git prints; raises ``CalledProcessError``."""
    return subprocess.run([git, *arguments], capture_output=True, check=True).stdout  # noqa: S603


# -- witnesses ------------------------------------------------------------------------------------


def _replayed(before: Decisions, after: Decisions, groups: Sequence[Group]) -> tuple[list[Group], list[str]]:
    """The groups with their witnesses asked of both PDPs, and why that was not possible."""
    told: list[Witness] = [group.witness for group in groups]
    notes = []
    if len(groups) > REPLAYED:
        which = f"{REPLAYED:,} largest of {len(groups):,} groups"
        notes.append(f"The requests of the {which} were asked again of both PDPs.")
    for decisions, when in ((before, "before"), (after, "after")):
        source = decisions.source
        if not isinstance(source, Instrumented) or source.assumed:
            notes.append(f"The requests could not be asked again of the PDP {when} the change.")
            continue
        there = set(decisions.names)
        at = [i for i, group in enumerate(groups[:REPLAYED]) if group.witness.principal in there]
        requests = list(_requests(decisions, [groups[i] for i in at]))  # people may have other attributes now
        effects = source.check(requests)
        for i, effect in zip(at, effects, strict=True):
            if effect != ((groups[i].change == GAINED) == (when == "after")):
                msg = (
                    f"the PDP {when} the change now decides otherwise than in its answer: {groups[i].action}"
                )
                raise PDPError(msg)
        cases = list(zip(requests, effects, strict=True))[:EXPLAINED]
        sentences = [
            one.sentence for one in explain(source, cases, decisions.shown(), required_of(decisions))
        ]
        sentences += [""] * (len(at) - len(sentences))
        for i, effect, sentence in zip(at, effects, sentences, strict=True):
            answer = {when: str(EFFECTS[int(effect)]), f"why_{when}": sentence}
            told[i] = dataclasses.replace(told[i], **answer)  # type: ignore[arg-type]
    return [dataclasses.replace(group, witness=one) for group, one in zip(groups, told, strict=True)], notes


def _requests(decisions: Decisions, groups: Sequence[Group]) -> Iterator[Request]:
    """The request of each witness."""
    if not groups:
        return
    place = {name: i for i, name in enumerate(decisions.names)}
    rows = list(dict.fromkeys(place[group.witness.principal] for group in groups))
    people = dict(zip(rows, read_principals(decisions.principals.iloc[rows]), strict=True))
    for group in groups:
        person = people[place[group.witness.principal]]
        values = {**decisions.fixed, **group.witness.values}
        yield Request(
            principal=person,
            action=group.action,
            kind=decisions.kind,
            resource_id=str(values.pop("resource_id", "resource")),
            attributes=values,
            resource=decisions.question.resource,
            who=decisions.question.principal,
        )
