"""A sweep: ask the PDP about every principal, action and combination of attribute values."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import itertools
import math
import time
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.cells import DenseEffects
from clerk_cerbos_lab.decisions.cube import SweptCube, extended
from clerk_cerbos_lab.decisions.decisions import Decisions
from clerk_cerbos_lab.decisions.provenance import Provenance
from clerk_cerbos_lab.decisions.question import Question
from clerk_cerbos_lab.errors import InputError, LabWarning, PDPError, did_you_mean
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.principals import labels, read_principals
from clerk_cerbos_lab.identity.pseudonyms import pseudonym
from clerk_cerbos_lab.pdp import inspection, messages
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.instrumented import instrumented_of
from clerk_cerbos_lab.pdp.snapshots import snapshot_of
from clerk_cerbos_lab.policies.literals import literals_in
from clerk_cerbos_lab.progress import progress
from clerk_cerbos_lab.sweeps.ask import Batch, ask
from clerk_cerbos_lab.sweeps.attributes import checked_units, read_attributes
from clerk_cerbos_lab.sweeps.audit import Mismatch, differs, draw
from clerk_cerbos_lab.sweeps.exact_thresholds import LineQuestions
from clerk_cerbos_lab.sweeps.executors import ask_with, check_executor
from clerk_cerbos_lab.sweeps.name_checks import (
    NamedElsewhere,
    actions_asked,
    confused_elsewhere,
    missing_names,
    notes_on_names,
    separately,
    unnamed,
)
from clerk_cerbos_lab.sweeps.plan import parts_of, plan
from clerk_cerbos_lab.values import OTHER_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from typing import TypeAlias

    import numpy.typing as npt
    import pandas as pd
    from pydantic import SecretStr

    from clerk_cerbos_lab.decisions.cube import Cube
    from clerk_cerbos_lab.identity.principals import PrincipalTable
    from clerk_cerbos_lab.policies.literals import Literals
    from clerk_cerbos_lab.sweeps.exact_thresholds import Contradiction
    from clerk_cerbos_lab.sweeps.executors import Executor
    from clerk_cerbos_lab.sweeps.plan import Plan

    Ask: TypeAlias = Callable[[Sequence[Batch]], Generator[npt.NDArray[np.bool_]]]

EVERY: Final = "every cell is an answer of the PDP"
"""How a sweep that asked every cell was verified."""

ALL_AGREE: Final = "every cell was asked in addition, and all agree"

METHODS: Final = ("auto", "every-cell")

MANY: Final = 10_000
"""Questions of which it is worth planning each action alone, which may take fewer."""

MOST_PLANNED: Final = 3_000_000
"""Principals times actions that are planned: planning a million people takes a second."""


def sweep(
    pdp: PDP,
    principals: pd.DataFrame,
    kind: str,
    /,
    *,
    actions: Sequence[str] | str | None = None,
    attr: Mapping[str, object] | None = None,
    resource_id: str | Sequence[str] = "resource",
    policy_version: str = "",
    scope: str = "",
    principal_policy_version: str | None = None,
    principal_scope: str | None = None,
    aux_data: str | SecretStr | Mapping[str, str] | messages.AuxData | None = None,
    method: Literal["auto", "every-cell"] = "auto",
    audit: int | Literal["all"] = 512,
    executor: Executor | None = None,
    units: Mapping[str, str] | None = None,
    **attributes: object,
) -> Decisions:
    """Ask the PDP for the effect of every combination.

    Args:
        pdp: the PDP to ask.
        principals: a principals frame (see ``lab.load_principals``), one row per principal.
        kind: the resource kind, such as ``"expense"``.
        actions: one or several actions; default: all that the policies of the kind name.
        attributes: the resource's attributes. A scalar (bool, number, string, None, dict, ``SELF``,
            ``OTHER``, ``MISSING``) is fixed; a list, tuple, range, array or Series is an axis. A
            fixed list is an axis of one value: ``tags=[["a", "b"]]``.
        attr: the same as a dict, for names that are not Python names or are parameters of this function. A
            name with dots is an attribute inside a map, as in a policy: ``"money.amount"`` is
            ``R.attr.money.amount``; one that itself contains a dot is written ``'["net.amount"]'``.
            ``MISSING`` leaves the key out, not the map.
        resource_id: one fixed id, or an axis of ids.
        policy_version: of the resource, and of the principal unless given; empty: the PDP's default.
        scope: of the resource, and of the principal unless given.
        principal_policy_version: sent with the principal, if it differs. Even so, Cerbos 0.55 was seen
            to choose principal policies by the resource's version.
        principal_scope: sent with the principal, if it differs.
        aux_data: a JWT, or ``{"token": …, "key_set_id": …}``; kept in memory while the sweep runs, but not
            in the decisions.
        method: ``"auto"`` asks each distinct question once: about one of the principals whom the
            policies can't tell apart, and on an axis only at the values that the policies compare it
            with and at one in each gap between them. If the policies use an axis in any other way,
            each of its values is asked, and ``provenance.notes`` says which axis and why.
            ``"every-cell"`` asks about every cell.
        audit: with ``"auto"``: about how many additional combinations to ask and compare, drawn by a
            seed. If one differs, every cell is asked, with a warning. 0 for none, ``"all"`` for all.
        executor: an executor in the style of ``concurrent.futures``, or a Dask client: each worker
            asks its own PDP, which it starts on a copy of the policies.
        units: of attributes, such as ``{"amount": "USD"}``, shown with their names.

    Returns:
        ``Decisions`` with the axes in the order given: ``attr`` first, then the keywords, then
        ``resource_id`` if it is an axis.

    Raises:
        InputError: for an unknown kind or action, an empty or repeated axis value, a value that
            can't be sent, or a frame that breaks its contract.
        PolicyError: if the policies do not compile.
        LabWarning (a warning): if the audit found a cell with another effect; for an action or kind that
            no policy contains but a rule with ``*`` matches.
        PDPError: if the PDP refuses or can't be restarted. No partial result is returned. Changes of the
            policies during a sweep have no effect on it: all decisions are from the state that
            ``provenance.policy_digest`` identifies.
    """
    aux_data = messages.hidden_aux_data(aux_data)
    if method not in METHODS:
        msg = f"no method '{method}'{did_you_mean(str(method), METHODS)}"
        raise InputError(msg)
    if not isinstance(pdp, PDP):
        msg = f"the first argument must be a PDP, such as lab.PDP('policies'), not a {type(pdp).__name__}"
        raise InputError(msg)
    _check_audit(audit)
    if executor is not None:
        check_executor(executor)
    axes, fixed = read_attributes(attr, attributes, resource_id)
    people = read_principals(principals)
    names = labels(people)
    if OTHER_ID in people.ids:
        msg = f"a principal has the id '{OTHER_ID}', which lab.OTHER stands for"
        raise InputError(msg)
    started = datetime.datetime.now(datetime.UTC)
    clock = time.perf_counter()
    with pdp.asking():
        digest = pdp.digest
        where: dict[str, Any] = {"policy_version": policy_version, "scope": scope}
        asked = actions_asked(pdp, kind, actions, where)
        where |= {"principal_policy_version": principal_policy_version, "principal_scope": principal_scope}
        missing = unnamed(pdp, kind, asked, where) if isinstance(asked, NamedElsewhere) else {}
        named = [action for action in asked if action not in missing]
        doubts = pdp.check_names(kind, named, **where) if named else []
        checked = doubts is not None
        unchecked = (
            f"the PDP does not disclose its policies, so '{kind}' and {list(asked)} could not be checked for "
            "spelling: a wrong name leads to DENY"
        )
        for warning in [unchecked] if doubts is None else doubts:
            warnings.warn(warning, LabWarning, stacklevel=2)
        sent = [*(axis.name for axis in axes), *fixed]
        notes = notes_on_names(pdp, kind, tuple(named), sent, where) if checked and named else ()
        notes += tuple(f"{_sentence(why)}." for why in missing_names(missing.values()))
        alone = separately(pdp, kind) if len(asked) > 1 else None
        confused = confused_elsewhere(pdp, kind)
        question = Question(
            kind=kind,
            actions=tuple(asked),
            axes=axes,
            fixed=fixed,
            policy_version=policy_version,
            scope=scope,
            principal_policy_version=principal_policy_version,
            principal_scope=principal_scope,
            units=checked_units(units, [*(axis.name for axis in axes), *fixed]),
            aux_data=aux_data,
            separately=alone is not None,
        )
        answers = _Answers(pdp, people, question, executor)
        found = answers.every_cell() if method == "every-cell" else answers.auto(audit)
        read = inspection.attributes(pdp.inspected, "principal_attributes") if checked else None
        documents = _documents(pdp)
        source = instrumented_of(pdp) or pdp
    if found.warning:
        warnings.warn(found.warning, LabWarning, stacklevel=2)
    provenance = Provenance(
        pdp_version=pdp.version,
        engine=pdp.engine,
        policy_digest=digest,
        evaluation={True: "strict", False: "lenient", None: "unknown"}[pdp.strict],
        mapping=principals.attrs.get("mapping"),
        method=found.method,
        verified=found.verified,
        names_checked=checked,
        notes=(
            *notes,
            *filter(None, [alone]),
            *confused,
            *(f"{doubt}." for doubt in map(_sentence, doubts or ())),
            *found.notes,
        ),
        asked=found.asked,
        classes=found.classes,
        audited=found.audited,
        asked_along_axes=found.along,
        started=started,
        seconds=time.perf_counter() - clock,
        policy_version=policy_version,
        scope=scope,
        principal_policy_version=principal_policy_version,
        principal_scope=principal_scope,
        aux_data=aux_data is not None,
    )
    return Decisions(
        cube=found.cube,
        question=question,
        principals=principals.copy(),  # later changes to the caller's frame must not affect the decisions
        names=tuple(names),
        provenance=provenance,
        policies=answers.policies,
        read=read,
        documents=documents,
        source=source,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _documents(pdp: PDP) -> tuple[dict[str, Any], ...]:
    """The policies; the names in them are handed over to a report immediately."""
    try:
        index = pdp.index
    except PDPError:
        return ()
    if handed_over.active():
        named = index.names
        handed_over.hand_over(named.people, named.words)
    return index.documents


def _check_audit(audit: object) -> None:
    whole = isinstance(audit, int) and not isinstance(audit, bool) and audit >= 0
    if not whole and audit != "all":
        msg = f"audit must be a number of combinations, 0 or more, or 'all', not {audit!r}"
        raise InputError(msg)


@dataclass(frozen=True, slots=True)
class _Found:
    """The effects of a sweep, and how they were obtained."""

    cube: Cube
    method: str
    verified: str
    notes: tuple[str, ...]
    asked: int
    classes: int
    audited: int = 0
    along: int = 0
    warning: str | None = None


class _Answers:
    """Asks the questions of one sweep, here or with an executor."""

    def __init__(
        self, pdp: PDP, people: PrincipalTable, question: Question, executor: Executor | None
    ) -> None:
        self._pdp = pdp
        self._people = people
        self._question = question
        self._executor = executor
        self._snapshot = snapshot_of(pdp)
        if executor is not None and self._snapshot is None:
            msg = "executor= starts a PDP on each worker, which needs the policies: give lab.PDP a folder"
            raise InputError(msg)

    @property
    def policies(self) -> dict[str, str] | None:
        """The policy files as text, by path; None for a PDP at an address."""
        if self._snapshot is None:
            return None
        return {name: content.decode("utf-8", "replace") for name, content in self._snapshot.files.items()}

    def every_cell(self, notes: tuple[str, ...] = ()) -> _Found:
        """Ask about each cell."""
        lengths = [len(axis.values) for axis in self._question.axes]
        _check_size(len(self._people) * int(np.prod(lengths, dtype=np.int64)))
        part = Batch(self._people, tuple(axis.values for axis in self._question.axes))
        with self._progress([part]) as ask, closing(ask([part])) as answers:
            (effect,) = answers
        return _Found(
            SweptCube(DenseEffects(effect)), "every-cell", EVERY, notes, effect.size, len(self._people)
        )

    def auto(self, audit: int | Literal["all"]) -> _Found:
        """Ask each distinct question once, and some spot checks."""
        found = plan(self._pdp, self._people, self._question, self._snapshot)
        alone = self._action_by_action(found)
        if not alone:
            return self._asked(found, audit)
        each = [answers._asked(own, audit) for answers, own in alone]  # noqa: SLF001 - of the same class
        return _joined(each, self._question.actions)

    def _action_by_action(self, found: Plan) -> list[tuple[_Answers, Plan]]:
        """A plan for each action, if that takes much fewer questions than one for all of them."""
        question, people = self._question, self._people
        actions = len(question.actions)
        if actions == 1 or found.questions * actions < MANY or len(people) * actions > MOST_PLANNED:
            return []
        alone = []
        for action in question.actions:
            answers = copy.copy(self)
            answers._question = dataclasses.replace(question, actions=(action,))  # noqa: SLF001 - as above
            alone.append((answers, plan(self._pdp, people, answers._question, self._snapshot)))  # noqa: SLF001
        fewer = 2 * sum(own.questions for _, own in alone) < actions * found.questions
        return alone if fewer else []

    def _asked(self, found: Plan, audit: int | Literal["all"]) -> _Found:
        """Ask the questions of a plan."""
        people, question = self._people, self._question
        _check_size(found.questions)
        parts, cells = parts_of(people, question, found)
        total = int(np.prod(cells.shape, dtype=np.int64))
        asked = found.questions * len(question.actions)
        every = asked == total and not found.own  # then no cell has the answer of another
        if every and not any(some for each in found.breakpoints.values() for some in each):
            return dataclasses.replace(self.every_cell(found.notes), method="auto")
        drawn = []
        if audit not in {0, "all"} and not every:
            drawn = draw(people, question, cells, self._literals(), int(audit), self._seed())
        questions = LineQuestions(question, found, cells)
        first, grid = questions.batches(), len(parts)
        with self._progress([*parts, *first]) as ask:
            with closing(ask([*parts, *first])) as answers:  # so that an interrupt leaves no request running
                for block, answer in zip(cells.blocks, itertools.islice(answers, grid), strict=True):
                    block.effect[:] = answer
                contradiction = questions.take(list(answers))
            confirmations = [] if contradiction else questions.confirmations()
            with closing(ask(confirmations)) as answers:
                contradiction = contradiction or questions.confirm(list(answers))
            if contradiction is not None:
                return self._contradicted(contradiction, found)
            cube = SweptCube(cells, {place + 2: lines for place, lines in questions.lines().items()})
            along = sum(math.prod(part.shape) for part in [*first, *confirmations]) * len(question.actions)
            if audit == "all" and not every:
                return self._compared(found, cube, asked, along)
            wrong = differs(people, question, cells, drawn, ask) if drawn else None
        if wrong is not None:
            return self._fallen_back(wrong, found)
        audited = sum(len(places) for _, places in drawn) * len(question.actions)
        checks = f"; {audited:,} spot checks agree" if audited else "; no spot checks"
        verified = f"{total:,} decisions from {asked:,} distinct PDP checks{checks}"
        if every:
            verified = EVERY
        return _Found(cube, "auto", verified, found.notes, asked, len(found.people), audited, along)

    def _contradicted(self, found: Contradiction, plan: Plan) -> _Found:
        """Ask every cell after answers contradicted each other; thresholds are then those of the grid."""
        cause = self._cause(plan)

        def note(called: str) -> str:
            return f"Along {found.axis}, {found.what} have different effects for principal {called}. {cause}"

        every = self.every_cell()
        notes = (*plan.notes, f"{note(found.person.id)} So every cell was asked.")
        warning = f"{note(pseudonym(found.person.id))} Every cell was asked instead."
        return dataclasses.replace(every, notes=notes, warning=warning)

    def _compared(self, found: Plan, cube: SweptCube, asked: int, along: int) -> _Found:
        every = self.every_cell(found.notes)
        effect = every.cube.take([np.arange(n, dtype=np.intp) for n in cube.shape])
        index = [np.arange(n, dtype=np.intp) for n in cube.shape[1:]]
        for row in range(len(self._people)):
            differing = np.argwhere(effect[row] != cube.take([np.array([row]), *index])[0])
            if len(differing):
                action, *places = (int(i) for i in differing[0])
                return self._fallen_back(Mismatch(row, action, tuple(places)), found, every)
        verified = ALL_AGREE
        classes = len(found.people)
        return _Found(cube, "auto", verified, found.notes, asked, classes, effect.size, along)

    def _fallen_back(self, wrong: Mismatch, found: Plan, every: _Found | None = None) -> _Found:
        """Ask every cell after the audit found a cell with another answer than its representative."""
        question = self._question
        at = [
            f"{axis.name}={label(axis.values[i])}"
            for axis, i in zip(question.axes, wrong.places, strict=True)
        ]
        who = self._people.ids[wrong.principal]
        cause = self._cause(found)

        def note(called: str) -> str:
            cell = ", ".join([f"principal {called}", question.actions[wrong.action], *at])
            return f"The audit found a cell with an unexpected effect: {cell}. {cause}"

        every = every or self.every_cell()
        notes = (*found.notes, f"{note(who)} So every cell was asked.")
        warning = f"{note(pseudonym(who))} Every cell was asked instead."  # a notebook may store it
        return dataclasses.replace(every, notes=notes, warning=warning)

    def _cause(self, plan: Plan) -> str:
        """The likely cause of a wrong expectation."""
        if plan.clock:
            return "The policies read the clock, and time passed between two requests."
        if self._snapshot is None:
            return (
                "The policies of the PDP have changed meanwhile, or read something that it does not report."
            )
        return "The policies depend on something that the analysis of their text does not find."

    def _literals(self) -> Literals:
        """The literals in the policies; none if the PDP does not disclose them."""
        try:
            return self._pdp.index.literals
        except PDPError:
            return literals_in(())

    def _seed(self) -> int:
        return int((self._pdp.digest or "0")[:8], 16)

    @contextmanager
    def _progress(self, parts: Sequence[Batch]) -> Iterator[Ask]:
        total = sum(math.prod(part.shape) for part in parts) * len(self._question.actions)
        with progress(total, "decisions") as advance:

            def ask_these(some: Sequence[Batch]) -> Generator[npt.NDArray[np.bool_]]:
                if self._executor is None or self._snapshot is None:
                    return ask(self._pdp, self._question, some, advance)
                return ask_with(self._executor, self._snapshot, self._question, some, advance)

            yield ask_these


def _joined(each: Sequence[_Found], actions: Sequence[str]) -> _Found:
    """What was found for each action, as one."""
    cube: Cube = each[0].cube
    for more in each[1:]:
        cube = extended(cube, more.cube, 1)
    concerned: dict[str, list[str]] = {}
    for found, action in zip(each, actions, strict=True):
        for note in found.notes:
            concerned.setdefault(note, []).append(action)
    notes = [
        note if len(some) == len(actions) else f"For {', '.join(some)}: {note}"
        for note, some in concerned.items()
    ]
    asked, audited = sum(found.asked for found in each), sum(found.audited for found in each)
    verified = each[0].verified
    if verified not in {EVERY, ALL_AGREE} or any(found.verified != verified for found in each):
        total = math.prod(cube.shape)
        checks = f"; {audited:,} spot checks agree" if audited else "; no spot checks"
        verified = f"{total:,} decisions from {asked:,} distinct PDP checks{checks}"
    return _Found(
        cube=cube,
        method="auto" if any(found.method == "auto" for found in each) else "every-cell",
        verified=verified,
        notes=tuple(notes),
        asked=asked,
        classes=max(found.classes for found in each),
        audited=audited,
        along=sum(found.along for found in each),
        warning=" ".join(found.warning for found in each if found.warning) or None,
    )


def _check_size(questions: int) -> None:
    if questions > limits.SWEEP_QUESTIONS:
        msg = f"{questions:,} questions for each action; {limits.SWEEP_QUESTIONS:,} at most"
        raise InputError(msg)
