"""Asks every request of a Cerbos decision log again, each with its recorded list of actions."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.decisions import EFFECTS
from clerk_cerbos_lab.decisions.log_replay import LogReplay
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.insights.replay_rows import knows
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.progress import progress

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

NAMES: Final = {"EFFECT_ALLOW": "ALLOW", "EFFECT_DENY": "DENY"}


@dataclass(slots=True)
class _Question:
    """What was asked about one principal, with the same list of actions.

    Attributes:
        principal: as it is sent.
        entries: the different resources.
        places: the position of each, by its text.
    """

    principal: Any
    entries: list[messages.Entry]
    places: dict[str, int]


def replay_log(pdp: PDP, path: str | os.PathLike[str], /) -> LogReplay:
    """What would be decided now of everything in a decision log.

    >>> lab.replay_log(pdp, "decisions.log").changed

    Cerbos writes the log with ``audit: {enabled: true, backend: file, decisionLogsEnabled: true}``: one JSON
    object per line, with the whole request. Each is asked again as it was, with its list of actions; equal
    requests once.

    Args:
        pdp: with the policies of now, or of a draft.
        path: of the log.

    Returns:
        ``LogReplay``. What can't be asked again is counted in its notes: plans, requests with a JWT that
        policies could read (a log has its claims, not the token), and entries without a result.

    Raises:
        InputError: if there is no such file, it has no decisions, or a line is no entry of a decision log.
        PolicyError: if the policies do not compile.
        PDPError: if the PDP refuses a request.
    """
    if not isinstance(pdp, PDP):
        msg = f"the first argument must be a PDP, such as lab.PDP('policies'), not a {type(pdp).__name__}"
        raise InputError(msg)
    skipped: dict[str, int] = {}
    questions: dict[tuple[str, tuple[str, ...]], _Question] = {}
    rows: list[tuple[Any, ...]] = []
    at: list[tuple[tuple[str, tuple[str, ...]], int, int]] = []
    people: dict[str, tuple[str, ...]] = {}
    with pdp.asking():
        reads_token = _reads_token(pdp)
        for number, time, given, answer in _entries(Path(path), skipped):
            if reads_token and given.get("auxData"):
                _count(skipped, "with a JWT, of which a log has no token")
                continue
            actions = tuple(given.get("actions") or ())
            principal, entry = _sent(given, actions, number)
            key = (json.dumps(given["principal"], sort_keys=True), actions)
            question = questions.setdefault(key, _Question(principal, [], {}))
            text = json.dumps(given["resource"], sort_keys=True)
            place = question.places.setdefault(text, len(question.entries))
            if place == len(question.entries):
                question.entries.append(entry)
            people.setdefault(principal.id, tuple(principal.roles))
            for column, action in enumerate(actions):
                told = (answer.get("actions") or {}).get(action) or {}
                effect = NAMES.get(str(told.get("effect")))
                if effect is None:
                    _count(skipped, "without an effect")
                    continue
                who, what = principal, entry.resource
                rows.append(
                    (
                        time,
                        who.id,
                        tuple(who.roles),
                        what.kind,
                        what.id,
                        action,
                        effect,
                        told.get("policy", ""),
                    )
                )
                at.append((key, place, column))
        if not rows:
            msg = f"'{path}' has no decisions to ask again{_but(skipped)}"
            raise InputError(msg)
        answers = _ask(pdp, questions)
        named = pdp.index.names if knows(pdp) else None
        clock = knows(pdp) and any(pdp.index.analysis(kind).clock for kind in {row[3] for row in rows})
    columns = ["time", "principal", "roles", "kind", "resource", "action", "recorded", "policy"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    frame.insert(7, "now", [str(EFFECTS[int(answers[key][place, column])]) for key, place, column in at])
    notes = [
        f"{count:,} entries {why} were not asked again."
        if count > 1
        else f"1 entry {why} was not asked again."
        for why, count in skipped.items()
    ]
    if clock:
        notes.append("The policies read the clock: these are the decisions of now, not of the recorded time.")
    return LogReplay(
        rows=frame,
        principals=pd.DataFrame({"id": list(people), "roles": list(people.values())}),
        notes=tuple(notes),
        asked=sum(answer.size for answer in answers.values()),
        named=(named.people, named.words) if named else (frozenset(), frozenset()),
    )


def _entries(
    path: Path, skipped: dict[str, int]
) -> Iterator[tuple[int, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each recorded request: its line, its time, the input and the output."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                entry = _entry(line, number, path.name)
                if entry.get("log.kind") == "access" or "checkResources" not in entry:
                    _count(skipped, "of another kind (plans, access)")
                    continue
                inputs = entry["checkResources"].get("inputs") or ()
                outputs = entry["checkResources"].get("outputs") or ()
                if len(inputs) != len(outputs):
                    _count(skipped, "without a result")
                    continue
                for given, answer in zip(inputs, outputs, strict=True):
                    yield number, str(entry.get("timestamp")), given, answer
    except FileNotFoundError:
        msg = f"there is no file '{path}'"
        raise InputError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"'{path.name}' can't be read: {error}"
        raise InputError(msg) from None


def _entry(line: str, number: int, name: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        msg = f"line {number} of '{name}' is not JSON ({error.msg}): a decision log has one object per line"
        raise InputError(msg) from None
    if not isinstance(entry, dict) or not {"callId", "log.kind", "checkResources"} & entry.keys():
        msg = f"line {number} of '{name}' is no entry of Cerbos's decision log"
        raise InputError(msg)
    return entry


def _sent(given: Mapping[str, Any], actions: tuple[str, ...], number: int) -> tuple[Any, messages.Entry]:
    try:
        return messages.recorded(given["principal"], given["resource"], actions)
    except (KeyError, ValueError) as error:
        msg = f"line {number} has a request that can't be sent again: {error}"
        raise InputError(msg) from None


def _ask(
    pdp: PDP, questions: Mapping[tuple[str, tuple[str, ...]], _Question]
) -> dict[tuple[str, tuple[str, ...]], Any]:
    """``allowed[resource, action]`` for each question."""
    size = limits.RESOURCES_PER_REQUEST
    batches = [
        (key, one.principal, one.entries[start : start + size])
        for key, one in questions.items()
        for start in range(0, len(one.entries), size)
    ]
    found: dict[tuple[str, tuple[str, ...]], list[Any]] = {}
    total = sum(len(entries) * len(key[1]) for key, _, entries in batches)
    with (
        progress(total, "decisions") as advance,
        closing(pdp.check((who, some) for _, who, some in batches)) as answers,
    ):
        for (key, _, _), answer in zip(batches, answers, strict=True):
            found.setdefault(key, []).append(answer)
            advance(answer.size)
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _reads_token(pdp: PDP) -> bool:
    """Whether policies may read a JWT; True if that is not known."""
    if not knows(pdp):
        return True
    return any("aux" in json.dumps(document) for document in pdp.index.documents)


def _count(skipped: dict[str, int], why: str) -> None:
    skipped[why] = skipped.get(why, 0) + 1


def _but(skipped: Mapping[str, int]) -> str:
    return f": only {', '.join(f'{count:,} {why}' for why, count in skipped.items())}" if skipped else ""
