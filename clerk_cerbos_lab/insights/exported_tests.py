"""Decisions as a native Cerbos test suite: a case for each situation, and both sides of each boundary."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import yaml

from clerk_cerbos_lab.attribute_names import nested
from clerk_cerbos_lab.decisions.alike import alike
from clerk_cerbos_lab.decisions.change_groups import CENT, inside
from clerk_cerbos_lab.decisions.changes import INTERVAL, numeric_axis
from clerk_cerbos_lab.errors import InputError, PDPError
from clerk_cerbos_lab.files import whole_file
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.identity.principals import read_principals
from clerk_cerbos_lab.pdp.compiler import passed_tests
from clerk_cerbos_lab.pdp.engines import find_engine
from clerk_cerbos_lab.pdp.instrumented import Instrumented
from clerk_cerbos_lab.values import MISSING, OTHER_ID, json_number, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clerk_cerbos_lab.decisions.changes import Changes
    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.decisions.intervals import Intervals
    from clerk_cerbos_lab.identity.disclosure import Disclosure
    from clerk_cerbos_lab.identity.principals import Principal

MOST_CASES: Final = 20_000
"""Cases in a suite: more would take Cerbos longer than anybody waits."""

WHOLE: Final = 1e9
"""Below it, a number that is a cent more is rounded to cents."""

NEW_SUFFIXES: Final = ("_test.yaml", "_test.yml")

SCHEMA: Final = (
    "# yaml-language-server: $schema=https://api.cerbos.dev/latest/cerbos/policy/v1/TestSuite.schema.json\n"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One decision of a suite.

    Attributes:
        row: of the principal.
        action: the action.
        values: of the axes, by name.
        allowed: the effect.
    """

    row: int
    action: str
    values: Mapping[str, Any]
    allowed: bool


@dataclass(frozen=True, slots=True)
class ExportedTests:
    """A suite that was written.

    Attributes:
        path: of the file.
        cases: how many decisions it pins.
        principals: how many people are in it.
        checked: whether ``cerbos compile`` ran it, on the policies that decided.
        notes: sentences about what it does not cover.
    """

    path: Path
    cases: int
    principals: int
    checked: bool
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        many = "1 case" if self.cases == 1 else f"{self.cases:,} cases"
        who = "1 person" if self.principals == 1 else f"{self.principals:,} people"
        passed = (
            "cerbos compile passes" if self.checked else "not run: there is no Cerbos here, or no policies"
        )
        return " ".join([f"{self.path}: {many} of {who}; {passed}.", *self.notes])


# -- which cases ----------------------------------------------------------------------------------


def write_tests(decisions: Decisions, path: str | os.PathLike[str], *, names: bool = False) -> ExportedTests:
    """Write a suite that pins decisions; ``Decisions.to_tests`` documents it."""
    axis = numeric_axis(decisions, None)
    told = f"{decisions.kind}: {', '.join(decisions.actions)}"
    return _written(decisions, _cases_of(decisions, axis), path, told, names=names)


def write_change(changes: Changes, path: str | os.PathLike[str], *, names: bool = False) -> ExportedTests:
    """Write a suite that pins what a change does; ``Changes.to_tests`` documents it."""
    after = changes.after
    place = {name: row for row, name in enumerate(after.names)}
    cases: dict[tuple[Any, ...], Case] = {}
    for group in changes.groups:
        who = group.witness.principal
        if who not in place:  # somebody who left
            continue
        amounts: list[float | None] = [None]
        if changes.along is not None and group.interval is not None:
            amounts = list(_around(group.interval))
        for amount in amounts:
            values = dict(group.witness.values)
            if amount is not None and changes.along is not None:
                values[changes.along] = amount
            allowed = _effect(after, place[who], group.action, values, changes.along)
            case = Case(place[who], group.action, values, allowed)
            cases[_key(case)] = case
    if not cases:
        msg = "nothing changes for anybody who is still there, so there is nothing to pin"
        raise InputError(msg)
    return _written(after, cases.values(), path, f"{after.kind}: what the change does", names=names)


def _cases_of(decisions: Decisions, axis: str | None) -> Iterator[Case]:
    """One case for each situation; along an exact line, both sides of each boundary instead."""
    axes = decisions.axes
    along = next((i for i, one in enumerate(axes) if one.name == axis), None)
    seen: dict[tuple[int, int, tuple[int, ...]], None] = {}
    for group in alike(decisions.cube, decisions.index):
        rest = np.delete(group.places, along, axis=1) if along is not None else group.places
        for places in np.unique(rest, axis=0).tolist():
            for action in group.actions.tolist():
                seen.setdefault((group.example, action, tuple(places)))
                if len(seen) > MOST_CASES:
                    _too_many()
    if along is None:
        for row, action, places in seen:
            values = {one.name: one.values[at] for one, at in zip(axes, places, strict=True)}
            yield Case(row, decisions.actions[action], values, _allowed(decisions, row, action, places))
        return
    others = [one for i, one in enumerate(axes) if i != along]
    rows = np.array(sorted({row for row, _, _ in seen}), dtype=np.intp)
    lines = list(_lines(decisions.of(rows).flips(axes[along].name)))
    pinned = _pinned(lines)
    for row, action, places in seen:
        values = {one.name: one.values[at] for one, at in zip(others, places, strict=True)}
        for amount, allowed in pinned[int(np.searchsorted(rows, row)), action, *places].items():
            yield Case(row, decisions.actions[action], {**values, axes[along].name: amount}, allowed)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An interval of equal effect on one line.

    Attributes:
        line: positions of the principal, the action and the values of the other axes.
        interval: lower, lower_closed, upper, upper_closed.
        allowed: the effect.
        exact: whether its ends are exact, not those of a grid.
    """

    line: tuple[int, ...]
    interval: tuple[float, bool, float, bool]
    allowed: bool
    exact: bool

    @property
    def whole(self) -> bool:
        """Whether it is the whole line, so that nothing says which number matters."""
        return self.exact and math.isinf(self.interval[0]) and math.isinf(self.interval[2])


def _lines(found: Intervals) -> Iterator[_Stretch]:
    columns = found.columns
    ends = zip(*(columns[name] for name in INTERVAL), strict=True)
    lines = zip(*(code.tolist() for code in found.codes), strict=True)
    allow, exact = np.asarray(columns["effect"]) == "ALLOW", np.asarray(columns["exact"])
    for line, interval, one, known in zip(lines, ends, allow.tolist(), exact.tolist(), strict=True):
        yield _Stretch(line, interval, one, known)


def _pinned(lines: Sequence[_Stretch]) -> dict[tuple[int, ...], dict[float, bool]]:
    """For each line, the numbers to pin and whether they are allowed.

    A line with one effect has no boundary to pin. Its number is one that has the other effect on as many as
    possible of the same principal's other lines, or of anybody's, for the same action: at a number that is
    denied to everybody anyway, an edit that allows too much would not be seen.
    """
    own: dict[tuple[int, ...], list[_Stretch]] = {}
    for one in lines:
        if one.exact and not one.whole:
            for group in (one.line[:2], one.line[1:2]):
                own.setdefault((*group, one.allowed), []).append(one)
    telling = {group: _in_most(some) for group, some in own.items()}
    pinned: dict[tuple[int, ...], dict[float, bool]] = {}
    for one in lines:
        numbers = pinned.setdefault(one.line, {})
        lower, lower_closed, upper, upper_closed = one.interval
        if one.whole:
            groups = [(*group, not one.allowed) for group in (one.line[:2], one.line[1:2])]
            number = next((telling[group] for group in groups if group in telling), inside(one.interval))
            numbers[number] = one.allowed
        elif one.exact:
            numbers |= dict.fromkeys(_ends(one.interval), one.allowed)
        else:  # between the swept amounts nothing is known
            numbers |= {float(x): True for x, y in ((lower, lower_closed), (upper, upper_closed)) if y}
    return pinned


def _in_most(some: Sequence[_Stretch]) -> float:
    """The number at an end of an interval that lies in the most of them; the largest of several."""
    numbers = np.array(sorted({number for one in some for number in _ends(one.interval)}))
    lower, lower_closed, upper, upper_closed = map(
        np.array, zip(*(one.interval for one in some), strict=True)
    )
    begun, ended = np.zeros(len(numbers), dtype=np.intp), np.zeros(len(numbers), dtype=np.intp)
    for closed in (True, False):
        first, last = np.sort(lower[lower_closed == closed]), np.sort(upper[upper_closed == closed])
        begun += np.searchsorted(first, numbers, "right" if closed else "left")
        ended += np.searchsorted(last, numbers, "left" if closed else "right")
    held = begun - ended
    return float(numbers[np.flatnonzero(held == held.max())[-1]])


def _ends(interval: tuple[float, bool, float, bool]) -> list[float]:
    """The numbers in an interval that are nearest to its ends, to the cent; one if it has no end."""
    lower, lower_closed, upper, upper_closed = interval
    if math.isinf(lower) and math.isinf(upper):
        return [inside(interval)]
    found = []
    if math.isfinite(lower):
        found.append(float(lower) if lower_closed else _beyond(lower, upper, CENT))
    if math.isfinite(upper):
        found.append(float(upper) if upper_closed else _beyond(upper, lower, -CENT))
    return found


def _beyond(end: float, other: float, step: float) -> float:
    """A number a cent from an end, or what lies nearest to it before the other end."""
    near = round(end + step, 2) if abs(end) < WHOLE else end + step
    if min(end, other) < near < max(end, other):
        return near
    middle = end + (other - end) / 2 if math.isfinite(other) else end
    return middle if middle not in {end, other} else math.nextafter(end, other)


def _around(interval: tuple[float, bool, float, bool]) -> Iterator[float]:
    """Both sides of each end of an interval."""
    lower, lower_closed, upper, upper_closed = interval
    yield from _ends(interval)
    if math.isfinite(lower):
        yield _beyond(lower, -math.inf, -CENT) if lower_closed else float(lower)
    if math.isfinite(upper):
        yield _beyond(upper, math.inf, CENT) if upper_closed else float(upper)


def _allowed(decisions: Decisions, row: int, action: int, places: Sequence[int]) -> bool:
    at = [decisions.index[0][[row]], decisions.index[1][[action]]]
    at += [own[[place]] for own, place in zip(decisions.index[2:], places, strict=True)]
    return bool(decisions.cube.take(at).item())


def _effect(
    decisions: Decisions, row: int, action: str, values: Mapping[str, Any], along: str | None
) -> bool:
    """The effect at values of the axes; along a line, at any number."""
    place = decisions.actions.index(action)
    others = [axis for axis in decisions.axes if axis.name != along]
    places = [axis.values.index(values[axis.name]) for axis in others]
    if along is None:
        return _allowed(decisions, row, place, places)
    found = decisions.of(np.array([row])).flips(along)
    at = np.ones(len(found.codes[0]), dtype=np.bool_)
    for code, wanted in zip(found.codes, (0, place, *places), strict=True):
        at &= code == wanted
    columns = {name: np.asarray(column)[at] for name, column in found.columns.items()}
    amount = float(values[along])
    above = (columns["lower"] < amount) | (
        (columns["lower"] == amount) & columns["lower_closed"].astype(bool)
    )
    return bool(columns["effect"][np.flatnonzero(above)[-1]] == "ALLOW")


def _key(case: Case) -> tuple[Any, ...]:
    return case.row, case.action, tuple((name, label(value)) for name, value in case.values.items())


def _too_many() -> None:
    msg = f"more than {MOST_CASES:,} cases: choose fewer people, actions or values with .sel(…)"
    raise InputError(msg)


# -- the file -------------------------------------------------------------------------------------


def _written(
    decisions: Decisions, found: Iterable[Case], path: str | os.PathLike[str], told: str, *, names: bool
) -> ExportedTests:
    target = Path(path)
    if not target.name.endswith(NEW_SUFFIXES):
        msg = f"Cerbos runs suites whose file name ends in _test.yaml; '{target.name}' does not"
        raise InputError(msg)
    if decisions.provenance.aux_data:
        msg = "these decisions were made with a JWT, which they do not keep, so a suite can't send it"
        raise InputError(msg)
    shown = decisions.shown(names=names)
    if shown.withheld:
        needed = ", ".join(map(repr, shown.withheld))
        msg = (
            f"the suite would need attributes that may be personal: {needed}. Declare that they are not, "
            f"lab.shareable(principals, {needed}), or write them with names=True"
        )
        raise InputError(msg)
    cases = sorted(found, key=lambda case: (case.row, case.action))
    if len(cases) > MOST_CASES:
        _too_many()
    suite, notes = _suite(decisions, cases, told, shown)
    text = SCHEMA + "---\n" + yaml.safe_dump(suite, sort_keys=False, allow_unicode=True, width=120)
    checked = _check(decisions, text, len(cases), names=names)
    with whole_file(target) as fresh:
        fresh.write_text(text, encoding="utf-8")
    return ExportedTests(target, len(cases), len({case.row for case in cases}), checked, tuple(notes))


def _suite(
    decisions: Decisions, cases: Sequence[Case], told: str, shown: Disclosure
) -> tuple[dict[str, Any], list[str]]:
    """The suite as data, and what must be said about it."""
    rows = sorted({case.row for case in cases})
    people = read_principals(decisions.principals.iloc[rows])
    who = {
        row: (shown.principal(people.ids[i], decisions.names[row]), people[i]) for i, row in enumerate(rows)
    }
    alias = {row: people.ids[i] if shown.by_id else who[row][0].split(" ")[0] for i, row in enumerate(rows)}
    principals = {name: _principal(decisions, one, alias[row], shown) for row, (name, one) in who.items()}
    resources: dict[str, dict[str, Any]] = {}
    known: dict[str, str] = {}
    tests: dict[tuple[int, str], list[tuple[str, bool]]] = {}
    for case in cases:
        made = _resource(decisions, case, alias[case.row], shown)
        sign = repr(made)
        if sign not in known:
            known[sign] = _name(decisions, case, shown, resources)
            resources[known[sign]] = made
        tests.setdefault((case.row, case.action), []).append((known[sign], case.allowed))
    options, notes = _options(decisions)
    suite = {
        "name": shown.text(told),
        "description": (
            f"Made from decisions of Cerbos {decisions.provenance.pdp_version}"
            f" by the policies {(decisions.provenance.policy_digest or 'unknown')[:12]}."
        ),
        **({"options": options} if options else {}),
        "principals": principals,
        "resources": resources,
        "tests": [
            _test(who[row][0], shown.text(action), list(dict(pairs).items()))
            for (row, action), pairs in tests.items()
        ],
    }
    return suite, notes


def _principal(decisions: Decisions, one: Principal, alias: str, shown: Disclosure) -> dict[str, Any]:
    version, scope = decisions.question.principal
    read = decisions.read
    attr = {
        name: _plain(shown.hidden(value)) for name, value in one.attr.items() if read is None or name in read
    }
    return {
        "id": alias,
        **({"policyVersion": version} if version else {}),
        **({"scope": scope} if scope else {}),
        "roles": [shown.text(role) for role in one.roles],
        **({"attr": attr} if attr else {}),
    }


def _resource(decisions: Decisions, case: Case, alias: str, shown: Disclosure) -> dict[str, Any]:
    version, scope = decisions.question.resource
    values = {**decisions.fixed, **case.values}
    own = str(values.pop("resource_id", "resource"))
    sent = {
        name: resolve(value, own=alias, other=OTHER_ID)
        for name, value in values.items()
        if value is not MISSING
    }
    attr = {
        name: _plain(value if value == alias else shown.hidden(value)) for name, value in nested(sent).items()
    }
    return {
        "id": shown.text(own),
        "kind": decisions.kind,
        **({"policyVersion": version} if version else {}),
        **({"scope": scope} if scope else {}),
        **({"attr": attr} if attr else {}),
    }


def _plain(value: Any) -> Any:
    """A value as YAML writes it: whole numbers without decimals, texts that are no subclass."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return json_number(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value]


def _name(decisions: Decisions, case: Case, shown: Disclosure, taken: Mapping[str, Any]) -> str:
    """A name that says what differs: ``amount 5,000, region south``."""
    parts = [f"{name} {shown.value(value)}" for name, value in case.values.items()]
    name = ", ".join(parts)[:120] or decisions.kind
    number = 2
    made = name
    while made in taken:
        made, number = f"{name} ({number})", number + 1
    return made


def _test(who: str, action: str, pairs: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    allowed = [name for name, one in pairs if one]
    denied = [name for name, one in pairs if not one]
    expected = [
        {"principal": who, "resources": some, "actions": {action: effect}}
        for some, effect in ((allowed, "EFFECT_ALLOW"), (denied, "EFFECT_DENY"))
        if some
    ]
    return {
        "name": f"{who}: {action}",
        "input": {"principals": [who], "resources": [name for name, _ in pairs], "actions": [action]},
        "expected": expected,
    }


def _options(decisions: Decisions) -> tuple[dict[str, Any], list[str]]:
    """The options without which the suite would decide otherwise, and what none can give."""
    source = decisions.source
    engine = dict(source.config.get("engine") or {}) if isinstance(source, Instrumented) else {}
    options: dict[str, Any] = {}
    for name in ("globals", "lenientScopeSearch", "defaultPolicyVersion"):
        if engine.get(name):
            options[name] = engine[name]
    if isinstance(source, Instrumented) and source.index.analysis(decisions.kind).clock:
        options["now"] = decisions.provenance.started.strftime("%Y-%m-%dT%H:%M:%SZ")
    notes = []
    if decisions.provenance.evaluation == "strict":
        notes.append("Run it with cerbos compile --strict-evaluation, as these decisions were made.")
    return options, notes


def _check(decisions: Decisions, text: str, cases: int, *, names: bool) -> bool:
    """Run the suite on the policies that decided.

    Raises:
        InputError: if a case fails.
    """
    source = decisions.source
    if not isinstance(source, Instrumented) or source.assumed or decisions.policies is None:
        return False
    try:
        engine = find_engine(source.binary)
    except PDPError:
        return False
    strict = decisions.provenance.evaluation == "strict"
    with tempfile.TemporaryDirectory(prefix="suite-") as made:
        folder = Path(made)
        for name, content in decisions.policies.items():
            if "testdata/" in name or Path(name).stem.endswith("_test"):
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        (folder / "exported_test.yaml").write_text(text, encoding="utf-8")
        passed = passed_tests(engine.test_command(folder, strict=strict))
    if passed != cases:
        hint = (
            "" if names else " If the policies name people, who are pseudonyms in the suite, use names=True."
        )
        msg = (
            f"only {passed:,} of {cases:,} cases pass in cerbos compile, so the suite was not written.{hint}"
        )
        raise InputError(msg)
    return True
