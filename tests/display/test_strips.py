"""The picture of thresholds agrees with the table of thresholds, as well-formed SVG that runs nothing."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from explained import a_rule, swept, thing
from html_table import Table
from hypothesis import given
from hypothesis import strategies as st
from made_decisions import made
from small_policies import users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.decisions.explanations import is_broken
from clerk_cerbos_lab.display import broken_stretches, payload, threshold_strips
from clerk_cerbos_lab.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>pwned</script>", '"><svg onload="x">', "&amp;", "a\u202eb", "]]>", "😀"]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_CERBOS_LAB_PSEUDONYM_KEY", "a key of these tests")


class _Line(NamedTuple):
    effect: str
    lower: float
    lower_closed: bool
    upper: float
    upper_closed: bool


def of(decisions: lab.Decisions, *, names: bool = True) -> payload.Payload:
    return payload.payload(decisions, decisions.shown(names=names))


def texts(svg: str) -> list[str]:
    return [
        "".join(node.itertext())
        for node in ET.fromstring(svg).iter()
        if node.tag in {f"{SVG}text", f"{SVG}title"}
    ]


def test_bands_are_the_exact_thresholds_of_every_principal(pdp: lab.PDP) -> None:
    people = lab.load_principals("data/clerk_users.json").head(60)
    swept = lab.sweep(
        pdp,
        people,
        "expense",
        actions=["approve", "view"],
        amount=[0, 100],
        region="south",
        status="OPEN",
        owner=lab.OTHER,
    )
    wanted = {}
    for (name, action), lines in swept.thresholds("amount").groupby(["principal", "action"], sort=False):
        wanted[name, action] = tuple(
            threshold_strips.Band(
                line.effect == "ALLOW", line.lower, line.lower_closed, line.upper, line.upper_closed
            )
            for line in map(_Line._make, lines[list(_Line._fields)].itertuples(index=False))
        )
    data = of(swept)
    found = threshold_strips.strips(data)
    members: dict[Any, int] = {}
    for strip in found:
        members[strip.labels[0], strip.bands] = (
            1 if strip.who in swept.names else int(strip.who.split()[0].replace(",", ""))
        )
    counted: dict[Any, int] = {}
    for (_, action), bands in wanted.items():
        counted[action, bands] = counted.get((action, bands), 0) + 1
    assert members == counted
    for strip in found:
        if strip.who in swept.names:
            assert wanted[strip.who, strip.labels[0]] == strip.bands


@given(st.integers(0, 10_000), st.permutations([-7, 0, 0.5, 3, 9, 1000]))
def test_where_only_the_grid_is_known_allowed_bands_end_at_amounts_that_were_asked(
    seed: int, amounts: list[float]
) -> None:
    effects = np.random.default_rng(seed).random((3, 1, 6)) < 0.5
    decisions = made(effects, {"amount": amounts})
    order = np.argsort(amounts)
    numbers = np.array(amounts)[order]
    drawn = {strip.bands for strip in threshold_strips.strips(of(decisions))}
    for line in effects[:, 0, order]:
        allow = [
            (band.lower, band.upper)
            for bands in drawn
            for band in bands
            if band.allow and _is(bands, line, numbers)
        ]
        inside = [any(low <= x <= high for low, high in allow) for x in numbers]
        assert inside == line.tolist()


def _is(bands: tuple[threshold_strips.Band, ...], line: Any, numbers: Any) -> bool:
    """Whether bands cover this line of cells with its effects."""
    effects = [next(band.allow for band in bands if band.lower <= x <= band.upper) for x in numbers]
    return bool(effects == line.tolist())


def test_the_picture_and_the_table_tell_the_same_boundaries(small: lab.PDP) -> None:
    people = users(3)
    people["roles"] = [("user",), ("user",), ("nobody",)]
    swept = lab.sweep(small, people, "thing", actions=["approve"], amount=[0, 99, 200])
    shown = swept.show(view="thresholds")
    assert "≤ 100" in texts(shown.svg)
    (head, first, second) = Table(threshold_strips.table(of(swept))).rows
    assert head == ["who", "effect"]
    assert {first[-1], second[-1]} == {"✗ DENY at any amount", "✓ ALLOW up to 100; ✗ DENY otherwise"}
    assert {text for text in texts(shown.svg) if "DENY" in text} == {first[-1], second[-1]}
    assert "≤" not in repr(shown)
    assert "up to 100" in repr(shown)


def test_the_picture_is_well_formed_and_the_same_each_time() -> None:
    decisions = made(np.eye(6).reshape(6, 1, 6), {"amount": range(6)}, names=HOSTILE, kind=HOSTILE[0])
    one, two = threshold_strips.svg(of(decisions)), threshold_strips.svg(of(decisions))
    assert one == two
    root = ET.fromstring(one)
    assert root.tag == f"{SVG}svg"
    assert {node.tag for node in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "style", "text", "tspan", "g", "title", "rect", "line")
    }
    assert not [
        name for node in root.iter() for name in node.attrib if name.startswith("on") or "href" in name
    ]
    assert all(any(name in text for text in texts(one)) for name in HOSTILE)
    words = Table(threshold_strips.table(of(decisions)))
    assert {row[0].removesuffix(" user").strip() for row in words.rows[1:]} == set(HOSTILE)
    assert "script" not in words.tags


def test_a_picture_of_too_many_lines_says_how_many_there_are() -> None:
    many = 2 * limits.STRIP_LINES + 3
    decisions = made(np.tri(many, dtype=np.bool_).reshape(many, 1, many), {"amount": range(many)})
    assert f"The first {limits.STRIP_LINES} of {many} lines." in texts(threshold_strips.svg(of(decisions)))
    assert f"The first {limits.STRIP_LINES} of {many} lines." in threshold_strips.table(of(decisions))
    assert len(Table(threshold_strips.table(of(decisions))).rows) == limits.STRIP_LINES + 1


@pytest.mark.parametrize("amounts", [[0], [7], [-5], [1e-9, 1e12], [-1e12, -3]])
def test_any_range_of_amounts_has_an_axis(amounts: list[float]) -> None:
    picture = threshold_strips.svg(of(made(np.ones((1, 1, len(amounts))), {"amount": amounts})))
    places = [float(node.attrib["x"]) for node in ET.fromstring(picture).iter() if "x" in node.attrib]
    assert all(0 <= place <= threshold_strips.WIDTH for place in places)


def test_a_long_name_does_not_run_into_the_bands() -> None:
    decisions = made(np.ones((1, 1, 2)), {"amount": [1, 2]}, names=["x" * 5_000])
    assert all(len(text) < 90 for text in texts(threshold_strips.svg(of(decisions))))


def test_a_picture_is_written_as_a_file(tmp_path: Path) -> None:
    shown = made(np.ones((1, 1, 2)), {"amount": [1, 2]}).show(view="thresholds")
    shown.to_svg(tmp_path / "strips.svg")
    assert (tmp_path / "strips.svg").read_text("utf-8") == shown.svg


def test_thresholds_need_numbers_across_the_top() -> None:
    shown = made(np.ones((1, 1, 2)), {"region": ["south", "west"]}).show()
    with pytest.raises(
        InputError, match=r"thresholds need one numeric axis across the top, not \['region'\]"
    ):
        _ = shown.svg


def test_a_stretch_of_broken_data_is_where_each_decision_says_so(tmp_path: Path) -> None:
    own = a_rule("own", "R.attr.amount <= P.attr.limit && R.attr.amount != 15")
    folder = write(tmp_path / "policies", thing=thing(a_rule("small", "R.attr.amount <= 5"), own))
    frame = pd.DataFrame(
        {"id": list("abcde"), "roles": [("user",)] * 4 + [("guest",)], "limit": [10, "20", "7", True, "20"]}
    )
    people = lab.shareable(frame, "limit")
    plain = swept(folder, people, amount=[0, 30])
    explained = plain.explain()
    find = broken_stretches.finder(explained, explained.shown(), "amount")
    assert find is not None
    every = swept(folder, people, amount=[-1, 5, 5.5, 7, 7.5, 15, 20, 20.5, 40])
    for who, amount in itertools.product(range(5), every.values("amount")):
        inside = any(
            s.lower < amount < s.upper
            or (amount == s.lower and s.lower_closed)
            or (amount == s.upper and s.upper_closed)
            for s in find(who, [0, 0])
        )
        assert inside == is_broken(every.why(principal=every.names[who], amount=amount)), (who, amount)
    every.source.close()
    words = "✓ ALLOW up to 5; ? DENY because of broken data over 5, below 15 and over 15, up to 20; ✗ DENY"
    assert words in repr(explained.show(view="thresholds"))
    svg = explained.show(view="thresholds").svg
    assert "? denied because of broken data" in svg
    assert svg.count("ccl-s-broken") > 1
    unexplained = plain.show(view="thresholds").svg
    assert "broken data" not in unexplained
    assert '"ccl-s-broken"' not in unexplained
    plain.source.close()
