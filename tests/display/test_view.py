"""A notebook's table is the same in every run, escapes its data, and mentions what it omits."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from html_table import Table
from made_decisions import made
from small_policies import up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display import plain_text, static_html

EVIL = "<script>alert('x')</script>"
KINDS = [True, 1, "1", None, lab.MISSING, lab.SELF, "SELF", [1, "a"], {"a": None}, 2.5]


def html(decisions: lab.Decisions) -> str:
    """The part that reads without scripts, under the principals' ids."""
    return static_html.html(decisions, decisions.shown(names=True))


@pytest.fixture
def some() -> lab.Decisions:
    cube = np.array([[[[True, False], [True, True]]], [[[False, False], [False, True]]]])
    axes: dict[str, Any] = {"amount": [5000, 10_000], "region": ["south", "west"]}
    return made(cube, axes, names=["ann", "bob"], actions=["approve"])


def test_two_sweeps_of_the_same_question_show_the_same_bytes(small: lab.PDP) -> None:
    def bundle() -> dict[str, Any]:
        swept = lab.sweep(small, users(3), "thing", actions="approve", amount=range(90, 130))
        return swept._repr_mimebundle_(include=None, exclude=None)

    first, second = bundle(), bundle()
    live = "application/vnd.jupyter.widget-view+json"
    assert set(first) == set(second) == {"text/plain", "text/html", live}
    assert first.pop(live)["model_id"] != second.pop(live)["model_id"]  # the one part that nbval leaves out
    assert first == second
    assert " at 0x" not in "".join(first.values())


def test_a_table_shows_every_decision_in_words(some: lab.Decisions) -> None:
    table = Table(html(some))
    assert table.rows[1:] == [
        ["person", "thing region", "5,000", "10,000"],
        ["ann", "south", "✓ ALLOW", "✓ ALLOW"],
        ["west", "✗ DENY", "✓ ALLOW"],
        ["bob", "south", "✗ DENY", "✗ DENY"],
        ["west", "✗ DENY", "✓ ALLOW"],
    ]
    assert table.tags <= {"div", "table", "caption", "strong", "br", "thead", "tbody", "tr", "th", "td", "p"}


def test_the_text_names_question_counts_and_provenance(some: lab.Decisions) -> None:
    none = "1 at none of the 2 checked values of amount."
    assert plain_text.text_of(some, some.shown(names=True)).splitlines() == [
        f"thing region south: 1 of 2 people may approve at the checked values 5,000 to 10,000; {none}",
        "thing region west: all 2 people may approve at the checked value 10,000.",
        "",
        "person  thing region  amount 5,000  10,000",
        "ann     south                    ✓       ✓",
        "ann     west                     ✗       ✓",
        "bob     south                    ✗       ✗",
        "bob     west                     ✗       ✓",
        "",
        "thing: who may approve; 2 people; amount 5,000 or 10,000; region south or west",
        "8 decisions: 4 ALLOW (50.0%), 4 DENY (✓ ALLOW, ✗ DENY)",
        "Cerbos 0.55.0, policies 0123456789ab, lenient evaluation; every-cell: made for a test",
    ]
    assert str(some.show(names=True)) == plain_text.text_of(some, some.shown(names=True))
    assert str(some.show()) == str(some) == plain_text.text_of(some, some.shown())
    assert "ann" not in str(some)


def test_every_label_is_escaped_wherever_it_stands() -> None:
    axes: dict[str, Any] = {EVIL: [EVIL, "a"], "n": [1, 2], f"{EVIL}2": [{EVIL: EVIL}, [EVIL]]}
    some = made(
        np.ones((2, 2, 2, 2, 2), bool),
        axes,
        names=[EVIL, "bob"],
        actions=[EVIL, "view"],
        kind=EVIL,
        fixed={EVIL + "3": EVIL},
    )
    for shown in (some, some.sel(n=1), some.sel(principal=EVIL, action=EVIL), some.sel(**{EVIL: EVIL})):
        text = html(shown)
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        Table(text)
    across = made(np.ones((1, 1, 2), bool), {"'\"><b>": [EVIL, "'\" onmouseover='x"]})
    assert "<script" not in html(across)
    assert Table(html(across)).tags.isdisjoint({"b", "script"})


def test_evil_names_of_a_real_sweep_are_escaped(tmp_path_factory: pytest.TempPathFactory) -> None:
    people = pd.DataFrame([{"id": EVIL, "roles": (EVIL,), EVIL: EVIL}], dtype=object)
    with lab.PDP(write(tmp_path_factory.mktemp("evil"), thing=up_to(5))) as pdp:
        swept = lab.sweep(pdp, people, "thing", actions="approve", attr={EVIL: [EVIL, 1]})
    assert "<script" not in html(swept)


def test_a_note_mentions_omitted_rows_and_equal_columns_are_merged() -> None:
    cube = np.zeros((60, 1, 1_000), bool)
    cube[:, 0, :500] = True
    some = made(cube, {"amount": range(1_000)})
    text, page = repr(some), html(some)
    for shown in (text, page):
        assert f"the first {limits.TABLE_ROWS} of 60 rows" in shown
        assert "0 to 499" in shown
        assert "500 to 999" in shown
        assert "equal in every row" in shown
        assert ".matrix() or .frame()" in shown
    assert len(Table(page).rows) == 42
    assert len(page) < 40_000


def test_a_wide_table_has_fewer_rows_because_every_output_stores_it() -> None:
    wide = made(np.arange(60 * 8).reshape(60, 1, 8) % 3 == 0, {"region": [f"r{i}" for i in range(8)]})
    assert f"the first {limits.TABLE_CELLS // 8} of 60 rows" in html(wide)
    assert f"the first {limits.TABLE_ROWS} of 60 rows" in repr(wide)
    assert len(Table(html(wide)).rows) == limits.TABLE_CELLS // 8 + 2
    widest = made(np.ones((60, 1, 14), bool), {"region": [f"r{i}" for i in range(14)]})
    assert f"the first {max(limits.TABLE_FEWEST_ROWS, limits.TABLE_CELLS // 14)} of 60 rows" in html(widest)


def test_a_note_mentions_omitted_columns() -> None:
    stripes = np.arange(30) % 2 == 0
    for name, values in (("amount", list(range(30))), ("region", [f"r{i}" for i in range(30)])):
        some = made(stripes.reshape(1, 1, 30), {name: values})
        heading = name if name == "amount" else f"thing {name}"
        assert f"the first 14 of 30 values of {heading}" in html(some)
        assert "rows" not in re.sub("rowspan|border|colgroup", "", html(some).split("Shown:")[1])
    assert "Shown" not in html(made(stripes[:14].reshape(1, 1, 14), {"amount": range(14)}))


def test_rows_tell_apart_whatever_the_pdp_tells_apart() -> None:
    some = made(np.ones((2, 1, len(KINDS), 2), bool), {"value": KINDS, "amount": [1, 2]})
    table = repr(some).split("\n\n")[1].splitlines()
    heads = [re.split(r"\s{2,}", line)[1] for line in table[1 : 1 + len(KINDS)]]
    assert heads == [
        "true",
        "1",
        '"1"',
        "null",
        "MISSING",
        "SELF",
        '"SELF"',
        '[1, "a"]',
        '{"a": null}',
        "2.5",
    ]


def test_columns_tell_apart_whatever_the_pdp_tells_apart() -> None:
    some = made(np.ones((1, 1, len(KINDS)), bool), {"value": KINDS})
    assert Table(html(some)).rows[1][1:] == [
        *("true", "1", '"1"', "null", "MISSING", "SELF", '"SELF"', '[1, "a"]', '{"a": null}', "2.5")
    ]


def test_rows_of_numbers_and_booleans_are_written_as_everywhere() -> None:
    axes: dict[str, Any] = {"flag": [True, False], "size": [1000, 2.5], "region": ["5"], "amount": [1, 2, 3]}
    rows = Table(html(made(np.ones((1, 1, 2, 2, 1, 3), bool), axes))).rows
    assert [row[:-3] for row in rows[2:]] == [["u0", "true", "1,000"], ["2.5"], ["false", "1,000"], ["2.5"]]


def test_one_row_of_one_dimension_shows_any_value() -> None:
    some = made(np.ones((1, 1, len(KINDS), 1), bool), {"value": KINDS, "amount": [1]})
    for dim in ("value", "amount", "action", "principal"):
        others = [name for name in some.dims if name != dim]
        assert some.matrix(rows=dim, columns=[n for n in others if n == "value"] or ["amount"]).size == len(
            KINDS
        )


def test_heads_of_rows_reach_over_the_rows_they_stand_for(some: lab.Decisions) -> None:
    assert html(some).count('rowspan="2"') == 2
    assert 'scope="col"' in html(some)
    assert 'scope="row"' in html(some)
