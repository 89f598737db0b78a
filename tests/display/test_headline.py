"""The headline is exact: what it says about people and amounts is counted again, one decision at a time."""

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_decisions import made, mapped

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.cube import ClassCube
from clerk_cerbos_lab.decisions.headcounts import COMBINATIONS, headcounts, may_at_all
from clerk_cerbos_lab.decisions.intervals import Segmented, Segments
from clerk_cerbos_lab.display.headline import LIMITS, LINES, Line, headline
from clerk_cerbos_lab.display.page_parts import people_table

AMOUNTS = [0.0, 50.0, 100.0, 200.0, 500.0]
PROBES = [-1.0, 0.0, 0.5, 50.0, 50.5, 99.5, 100.0, 150.0, 200.0, 300.0, 500.0, 501.0, 1e9]


@st.composite
def exact(draw: st.DrawFn) -> lab.Decisions:
    """Decisions that are known at every amount."""
    cuts = sorted(draw(st.sets(st.sampled_from([0.0, 50.0, 100.0, 200.0]), max_size=4)))
    sides = [draw(st.integers(0, 1)) for _ in cuts]
    people, actions, regions = draw(st.integers(1, 9)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    kinds = draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    allowed = random.random((kinds, actions, len(cuts) + 1, regions)) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    segments = Segments(
        2, np.array(cuts), np.array(sides, dtype=np.int8), np.arange(len(cuts) + 1, dtype=np.intp)
    )
    answer = Segmented(segments, allowed, segments.of(AMOUNTS))
    plain = made(
        np.zeros((people, actions, len(AMOUNTS), regions)),
        {"amount": AMOUNTS, "region": [lab.SELF, lab.OTHER, "south"][:regions]},
        actions=["approve", "view"][:actions],
        units=draw(st.sampled_from([{}, {"amount": "USD"}])),
    )
    cube = ClassCube(random.integers(0, kinds, people).astype(np.intp), answer)
    return plain.with_cube(cube, plain.question, plain.provenance)


def at(decisions: lab.Decisions, amount: float, person: int, action: int, region: int) -> bool:
    """One decision, from the segments themselves."""
    cube = decisions.cube
    assert isinstance(cube, ClassCube)
    assert isinstance(cube.answer, Segmented)
    segment = int(cube.answer.segments.of([amount])[0])
    return bool(cube.answer.allowed[cube.codes[person], action, segment, region])


def holds(words: str) -> Callable[[float], bool]:
    """What a reader takes an amount's words for."""
    words = words.replace(" USD", "")
    if words.startswith("any amount"):
        return (lambda x: x > 0) if words.endswith("over 0") else (lambda _: True)
    tests: list[Callable[[float], bool]] = []
    for word, number in re.findall(r"(up to|below|over|from|exactly) ([\d,.]+)", words):
        n = float(number.replace(",", ""))
        tests.append(
            {
                "up to": lambda x, n=n: x <= n,
                "below": lambda x, n=n: x < n,
                "over": lambda x, n=n: x > n,
                "from": lambda x, n=n: x >= n,
                "exactly": lambda x, n=n: x == n,
            }[word]
        )
    assert tests, words
    return lambda x: all(test(x) for test in tests)


def parts_of(sentence: str, action: str) -> list[tuple[int, str]]:
    """The clauses of a sentence: how many people, and what they may."""
    body = sentence.removesuffix(".")
    if body.startswith("nobody"):
        return []
    found = []
    for clause in body.split("; "):
        who = rf"(?:all )?([\d,]+)(?: of [\d,]+)?(?: people may {action})?|the only person may {action}"
        match = re.fullmatch(f"(?:{who}) (.+)", clause)
        assert match, clause
        found.append((int((match[1] or "1").replace(",", "")), match[2]))
    return found


def check_clauses(line: Line, parts: list[tuple[int, str]], allowed: dict[float, int]) -> None:
    """What a sentence says about every amount over 0, compared with the people counted there."""
    summed = re.findall(r"other limits of at most ([\d,]+)|(?:up to|below) ([\d,]+)[^;]* or ", line.what)
    summed += re.findall(r" or (?:\S+ [\d,]+ )?(?:up to|below|exactly)() ([\d,]+)", line.what)
    most = max((float("".join(some).replace(",", "")) for some in summed), default=-math.inf)
    if " other limits" in line.what and not summed:
        return
    named = [
        (count, words.split(" and "))
        for count, words in parts
        if "limits" not in words and " or " not in words
    ]
    for probe, counted in allowed.items():
        if probe > 0 and probe > most:
            said = sum(
                n for n, words in named if any(one != "nothing" and holds(one)(probe) for one in words)
            )
            assert said == counted, (line, probe)


@settings(max_examples=150, deadline=None)
@given(exact())
def test_every_sentence_holds_at_every_amount(decisions: lab.Decisions) -> None:
    people, regions = len(decisions.names), ["the person themselves", "somebody else", "south"]
    lines = headline(decisions, decisions.shown())
    told = [line for line in lines if not re.search(" more than | or more", line.what)]
    seen: list[tuple[int, int]] = []
    assert len(told) <= LINES
    for line in told:
        action = next(i for i, name in enumerate(decisions.actions) if f" may {name}" in line.what)
        where = line.where.removeprefix("thing region ").split(" or ") if line.where else regions
        parts = parts_of(line.what, decisions.actions[action])
        assert sum(count for count, _ in parts) in {0, people}
        for region in (i for i in range(decisions.shape[3]) if regions[i] in where):
            seen.append((action, region))
            allowed = {
                probe: sum(at(decisions, probe, one, action, region) for one in range(people))
                for probe in PROBES
            }
            if parts:
                check_clauses(line, parts, allowed)
            else:
                assert not any(allowed.values())
    assert sorted(seen) == list(itertools.product(range(decisions.shape[1]), range(decisions.shape[3])))


@settings(max_examples=80, deadline=None)
@given(exact())
def test_above_what_nobody_may_nobody_may(decisions: lab.Decisions) -> None:
    for line in headline(decisions, decisions.shown()):
        more = re.search(r"more than ([\d,]+)", line.what)
        from_there = re.search(r"([\d,]+)(?: USD)? or more", line.what)
        actions = [i for i, name in enumerate(decisions.actions) if name in line.what]
        for probe in PROBES if more or from_there else ():
            above = probe > float(more[1]) if more else probe >= float(from_there[1])  # type: ignore[index]
            cells = itertools.product(range(len(decisions.names)), actions, range(decisions.shape[3]))
            assert not above or not any(at(decisions, probe, *cell) for cell in cells)


@settings(max_examples=80, deadline=None)
@given(exact())
def test_the_table_of_people_holds_at_every_amount(decisions: lab.Decisions) -> None:
    table = people_table(decisions, decisions.shown())
    assert table is not None
    assert table.exact
    places = list(itertools.product(range(decisions.shape[1]), range(decisions.shape[3])))
    for probe in PROBES:
        if table.at_zero and probe <= 0:  # then "up to 5,000" is over 0
            each = itertools.product(range(len(decisions.names)), *map(range, decisions.shape[1:4:2]))
            assert not any(at(decisions, probe, *cell) for cell in each)
            continue
        inside = [i for i, words in enumerate(table.columns) if words == "any" or holds(words)(probe)]
        assert len(inside) == 1, (table.columns, probe)
        for (action, region), (_, counts) in zip(places, table.rows, strict=True):
            wanted = sum(at(decisions, probe, one, action, region) for one in range(len(decisions.names)))
            assert counts[inside[0]] == wanted


@settings(max_examples=80, deadline=None)
@given(mapped())
def test_counts_of_a_grid_are_those_of_its_cells(cells: Any) -> None:
    people, _, amounts, regions = cells.shape
    decisions = made(
        cells, {"amount": [10.0 * i for i in range(amounts)], "region": [f"r{i}" for i in range(regions)]}
    )
    allowed = decisions.allowed()
    counts = headcounts(decisions)
    assert np.array_equal(may_at_all(decisions), allowed.reshape(people, -1).any(axis=1))
    for action, reach in enumerate(counts.reach):
        assert reach.people == int(allowed[:, action].reshape(people, -1).any(axis=1).sum())
    for place, outcomes in counts.outcomes.items():
        assert sum(one.people for one in outcomes) == people
        if counts.axis is not None and counts.axis.name == "amount":
            line = allowed[:, place[0], :, place[1]]
            for i in range(amounts):
                said = sum(o.people for o in outcomes if any(s.lower <= 10 * i <= s.upper for s in o.spans))
                assert said == int(line[:, i].sum())
            assert not counts.exact
            assert all(
                "checked" in str(line) for line in headline(decisions, decisions.shown()) if line.where
            )
    table = people_table(decisions, decisions.shown())
    if table is not None:
        assert not table.exact


def test_a_table_of_people_leaves_out_zero_and_less_where_nobody_may(pdp: lab.PDP) -> None:
    people = lab.load_principals("data/clerk_users.json")
    asked: dict[str, Any] = {"actions": ["approve"], "region": "south", "status": "OPEN", "owner": lab.OTHER}
    swept = lab.sweep(pdp, people, "expense", amount=lab.amounts(0, 20_000, step=5_000), **asked)
    table = people_table(swept, swept.shown())
    assert table is not None
    assert table.at_zero
    assert table.columns[:2] == ["up to 5,000", "over 5,000 up to 10,000"]
    below = lab.sweep(pdp, people, "expense", amount=[-1, 5_000], **asked)
    table = people_table(below, below.shown())
    assert table is not None
    assert not table.at_zero
    assert table.columns[:2] == ["up to 0", "over 0 up to 5,000"]


def test_without_a_numeric_axis_it_says_how_many_may() -> None:
    some = made([[[1, 1]], [[1, 0]], [[0, 0]]], {"region": ["south", "west"]}, actions=["approve"])
    assert [str(line) for line in headline(some, some.shown())] == [
        "thing region south: 2 of 3 people may approve; 1 may not.",
        "thing region west: 1 of 3 people may approve; 2 may not.",
    ]


def test_many_limits_are_summed_up_and_many_combinations_told_by_action() -> None:
    steps = np.arange(10)[:, None, None] >= np.arange(10)[None, None, :]
    some = made(steps, {"amount": [float(i) for i in range(10)]}, actions=["approve"])
    (line,) = headline(some, some.shown())
    assert line.what.count("checked") == LIMITS - 1
    assert f"with {10 - LIMITS + 1} other limits" in line.what
    wide = made(np.ones((2, 1, COMBINATIONS + 1)), {"region": [f"r{i}" for i in range(COMBINATIONS + 1)]})
    assert [str(line) for line in headline(wide, wide.shown())] == [
        f"All 2 people may act0 in at least one of the {COMBINATIONS + 1} values of region."
    ]


def test_who_may_but_cannot_sign_in_is_counted() -> None:
    some = made([[[1]], [[1]], [[0]]], {"region": ["south"]}, actions=["approve"])
    line = {"attribute": "", "detail": "Clerk does not let this user sign in"}
    some._principals.attrs["problems"] = [
        {"principal": "u1", "problem": "banned", **line},
        {"principal": "u2", "problem": "locked", **line},
    ]
    assert str(headline(some, some.shown())[-1]) == "1 of those who may can't sign in (banned)."


def test_no_people_are_told_so() -> None:
    some = made(np.ones((2, 1, 1)), {"region": ["south"]}).head(0)
    assert [str(line) for line in headline(some, some.shown())] == ["There are no people."]
