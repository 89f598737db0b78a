"""Cerbos evaluates simple conditions by the rules that the analysis assumes, in each version at hand."""

import itertools
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from atoms import both, chosen, compared, either, negated, present, present_in, satisfied
from older import VERSION as OLDER
from older import older_binary
from probe import ERROR, Conditions

import clerk_cerbos_lab as lab

VALUES: list[Any] = [
    lab.MISSING,
    None,
    *(True, False),
    *(0, 1, -1, 2, -0.0, 0.5, 2**53, 2**53 + 1, -1e300, math.inf, -math.inf, math.nan),
    *("", "1", "a", "b", "A", "ab", "true", "é", "e\u0301", "\uffff", "😀"),
    *([], [1], ["a"], [1.0, "a", None], [["a"]], [True], ["é"]),
    *({}, {"a": 1}, {"a": None}, {"a": {"b": 1.0}}, {"1": 2, "é": 3}),
]

FEW: list[Any] = [lab.MISSING, None, True, False, 0, 1, math.nan, "a", [], {}]

SCALARS: dict[str, Any] = {
    "1": 1,
    "1.0": 1.0,
    "1u": 1,
    "-1": -1,
    "9007199254740993": 2**53 + 1,
    "'a'": "a",
    "'\uffff'": "\uffff",
    "true": True,
    "P.attr.one": 1,
    "P.attr.text": "é",
    "P.attr.nothing": None,
    "P.attr.missing": lab.MISSING,
}

COLLECTIONS: dict[str, Any] = {
    "[1, 'a', null]": [1, "a", None],
    "[1.0, true, ['a']]": [1.0, True, ["a"]],
    "{}": {},
    "{'a': 1, 'é': 2}": {"a": 1, "é": 2},
    "P.attr.list": [1, "é"],
    "P.attr.map": {"a": 1},
    "P.attr.empty": [],
}

ATTRIBUTES = {"one": 1, "text": "é", "nothing": None, "list": [1, "é"], "map": {"a": 1}, "empty": []}

OPERATORS = ["==", "!=", "<", "<=", ">", ">="]

INSTALLED = "0.55.0"

NAN = {OLDER: ERROR, INSTALLED: False}
"""The outcome where NaN is ordered; no sweep sends it."""

MISSING_IN_NOTHING = {OLDER: ERROR, INSTALLED: False}
"""The outcome of ``R.attr.x in []`` if ``x`` is not sent; with an attribute that is ``[]`` it is an error."""

Compare = Callable[[str, Any, Any], object]

Rule = Callable[[Any, Any], object]
"""The outcome of a condition for the values of ``R.attr.x`` and ``R.attr.y``."""


def comparisons(compare: Compare) -> dict[str, Rule]:
    """Return comparisons of two attributes with the rules for their outcomes."""
    return {f"R.attr.x {operator} R.attr.y": partial(compare, operator) for operator in [*OPERATORS, "in"]}


def about_one(compare: Compare, missing_in_nothing: object) -> dict[str, Callable[[Any], object]]:
    """Return conditions about one attribute."""

    def to(operator: str, other: object) -> Callable[[Any], object]:
        return lambda x: compare(operator, x, other)

    low = to("<", 1)
    return {
        **{
            f"R.attr.x {operator} {text}": to(operator, value)
            for operator, (text, value) in itertools.product(OPERATORS, SCALARS.items())
        },
        **{f"R.attr.x in {text}": to("in", value) for text, value in COLLECTIONS.items()},
        **{f"R.attr.x == {text}": to("==", value) for text, value in COLLECTIONS.items()},
        "R.attr.x in []": lambda x: missing_in_nothing if x is lab.MISSING else False,
        "'a' in R.attr.x": partial(compare, "in", "a"),
        "1 in R.attr.x": partial(compare, "in", 1),
        "has(R.attr.x)": present,
        "has(R.attr.x.a)": lambda x: present_in(x, "a"),
        "has(R.attr)": present,  # nothing else is sent
        "has(P.attr.nothing) && !has(P.attr.missing)": lambda _: True,
        "has(V.low)": lambda x: low(x) is not ERROR,
        "V.low": low,
        "R.attr.x": lambda x: either(x, x),
        "!R.attr.x": negated,
        "R.attr.x ? true : true": lambda x: chosen(x, then=True, otherwise=True),
        "R.policyVersion == ''": lambda _: True,
    }


def logic(compare: Compare) -> dict[str, Rule]:
    """Return combinations, of attributes used as booleans and of comparisons."""

    def one(value: Any) -> object:
        return compare("==", value, 1)

    def low(value: Any) -> object:
        return compare("<", value, 1)

    return {
        "R.attr.x && R.attr.y": both,
        "R.attr.x || R.attr.y": either,
        "R.attr.x ? R.attr.y : true": lambda x, y: chosen(x, then=either(y, y), otherwise=True),
        "R.attr.x ? false : R.attr.y": lambda x, y: chosen(x, then=False, otherwise=either(y, y)),
        "R.attr.x < 1 && R.attr.y == 1": lambda x, y: both(low(x), one(y)),
        "R.attr.x < 1 || R.attr.y == 1": lambda x, y: either(low(x), one(y)),
        "!(R.attr.x < 1) && R.attr.y == 1 || R.attr.y": lambda x, y: either(both(negated(low(x)), one(y)), y),
        "R.attr.x < 1 ? R.attr.y == 1 : R.attr.y < 1": lambda x, y: chosen(low(x), one(y), low(y)),
    }


def blocks(compare: Compare) -> list[tuple[Mapping[str, Any], Rule]]:
    """Return match blocks: an expression that fails is not satisfied, whatever is around it."""

    def plain(form: str) -> Rule:
        return lambda x, y: satisfied(form, [compare("<", x, 1), compare("==", y, 1)])

    def nested(around: str, form: str) -> Rule:
        return lambda x, y: satisfied(around, [plain(form)(x, y), x])

    found: list[tuple[Mapping[str, Any], Rule]] = []
    for form in ("all", "any", "none"):
        block: Mapping[str, Any] = {form: {"of": [{"expr": "R.attr.x < 1"}, {"expr": "R.attr.y == 1"}]}}
        found.append((block, plain(form)))
        found += [
            ({around: {"of": [block, {"expr": "R.attr.x"}]}}, nested(around, form))
            for around in ("all", "none")
        ]
    return found


@pytest.fixture(scope="module", params=[INSTALLED, OLDER])
def version(request: pytest.FixtureRequest) -> str:
    """Return each version, installed."""
    if request.param == OLDER:
        older_binary()
    return str(request.param)


def test_conditions_have_the_outcomes_that_the_analysis_assumes(tmp_path: Path, version: str) -> None:
    compare = partial(compared, nan=NAN[version])
    one: list[tuple[Any, Rule]] = [
        (text, partial(_of_first, rule))
        for text, rule in about_one(compare, MISSING_IN_NOTHING[version]).items()
    ]
    parts: list[tuple[list[tuple[Any, Rule]], list[tuple[Any, Any]]]] = [
        ([*comparisons(compare).items()], [*itertools.product(VALUES, VALUES)]),
        (one, [(x, lab.MISSING) for x in VALUES]),
        ([*logic(compare).items(), *blocks(compare)], [*itertools.product(FEW, FEW)]),
    ]
    every = [condition for rules, _ in parts for condition, _ in rules]
    binary = older_binary() if version == OLDER else None
    conditions = Conditions(tmp_path / "policies", every, binary, {"low": "R.attr.x < 1"})
    wrong = []
    with conditions.pdp as pdp:
        assert pdp.version == version
        start = 0
        for rules, pairs in parts:
            asked = range(start, start + len(rules))
            start += len(rules)
            found = conditions.outcomes(asked, [{"x": x, "y": y} for x, y in pairs], **ATTRIBUTES)
            wrong += [
                f"{text} with x = {x!r}, y = {y!r}: {outcome}, expected {rule(x, y)}"
                for (x, y), row in zip(pairs, found, strict=True)
                for (text, rule), outcome in zip(rules, row, strict=True)
                if rule(x, y) is not outcome
            ]
    assert wrong == []


def _of_first(rule: Callable[[Any], object], x: Any, _: Any) -> object:
    return rule(x)
