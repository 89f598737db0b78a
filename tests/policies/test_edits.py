"""An edit changes the bytes of one value: comments, quotes, blocks, anchors and line ends stay."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerk_cerbos_lab.policies.edits import (
    NotInPlaceError,
    PolicyText,
    _first_right,
    moved_expression,
    moved_value,
)
from clerk_cerbos_lab.policies.movable import limits_of
from clerk_cerbos_lab.policies.moves import moved_files, moves_of

POLICIES = Path(__file__).parents[2] / "policies"

EXPR = ("rules", 0, "expr")


@pytest.mark.parametrize(
    ("text", "expression", "old", "new", "expected"),
    [
        ("- expr: a <= 5000 # 5000\n", "a <= 5000", "5000", "7500", "- expr: a <= 7500 # 5000\n"),
        ("- expr: 'a == ''x'''\n", "a == 'x'", "'x'", "'it'", "- expr: 'a == ''it'''\n"),
        ('- {expr: "a == \\"x\\""}\n', 'a == "x"', '"x"', '"y"', '- {expr: "a == \\"y\\""}\n'),
        ("- expr: |\n    a <= 5 &&\n    b <= 5\n", "a <= 5 &&\nb <= 5\n", "5\n", "6\n", None),
        ("- expr: >-\n    a <= 5 &&\n    b <= 5\n", "a <= 5 && b <= 5", "5", "6", None),
        ("- expr: a <= 5\n    && b <= 5\n", "a <= 5 && b <= 5", "5", "6", None),
        ("- expr: &e a <= 5\n", "a <= 5", "5", "6", "- expr: &e a <= 6\n"),
        ("- expr: !!str a <= 5\n", "a <= 5", "5", "6", "- expr: !!str a <= 6\n"),
        ("- expr: a == 'x'\n", "a == 'x'", "'x'", "'y: #z'", "- expr: \"a == 'y: #z'\"\n"),
        ("- expr: \u20ac <= 5 #\U0001f600\n", "\u20ac <= 5", "5", "6", "- expr: \u20ac <= 6 #\U0001f600\n"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_literal_moves_and_nothing_else(
    text: str, expression: str, old: str, new: str, *, expected: str | None, ending: str
) -> None:
    """Without an expected text, it is the one in which the last occurrence is replaced."""
    whole = f"# head\nrules:\n{text}other: 5\n".replace("\n", ending)
    start = expression.rindex(old)
    span = (start, start + len(old.rstrip("\n")))
    made = moved_expression(whole, EXPR, expression, span, new.rstrip("\n"))
    if expected is None:
        at = text.rindex(old)
        expected = text[:at] + new + text[at + len(old) :]
    assert made == f"# head\nrules:\n{expected}other: 5\n".replace("\n", ending)


def test_of_equal_literals_the_right_one_moves() -> None:
    text = "rules:\n- expr: '5 < a && 5 < b && 5 < c'\n"
    made = moved_expression(text, EXPR, "5 < a && 5 < b && 5 < c", (9, 10), "6")
    assert made == "rules:\n- expr: '5 < a && 6 < b && 5 < c'\n"


def test_digits_of_an_escape_are_not_taken_for_the_literal() -> None:
    text = 'rules:\n- expr: "\\x65 <= 5 && b <= 5"\n'
    made = moved_expression(text, EXPR, "e <= 5 && b <= 5", (5, 6), "6")
    assert made == 'rules:\n- expr: "\\x65 <= 6 && b <= 5"\n'


def test_an_attempt_that_changes_anything_else_does_not_count() -> None:
    source = PolicyText("x: 5\ny: 5\n")
    attempts = [((3, 9), "6\ny: 7"), ((3, 4), "6")]
    assert _first_right(source, ("x",), attempts, 6) == "x: 6\ny: 5\n"
    with pytest.raises(NotInPlaceError, match="line 1 can't be changed alone"):
        _first_right(source, ("x",), attempts[:1], 6)


def test_json_with_tabs_keeps_its_bytes() -> None:
    text = '{\n\t"rules": [\n\t\t{"expr": "a == \\"x\\" && b <= 5"}\n\t]\n}'
    made = moved_expression(text, EXPR, 'a == "x" && b <= 5', (17, 18), "7")
    assert made == text.replace("b <= 5", "b <= 7")


def test_names_in_the_other_spelling_and_merges_are_found() -> None:
    assert moved_value("export_constants: {x: 5}\n", ("exportConstants", "x"), 5.0, 6) == (
        "export_constants: {x: 6}\n"
    )
    with pytest.raises(NotInPlaceError, match="counts elsewhere too, through an anchor"):
        moved_value("a: &a {x: 5}\nb: {<<: *a}\n", ("b", "x"), 5.0, 6)


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("x: 5000  # dollars\n", 5000.0, 7500, "x: 7500  # dollars\n"),
        ("x: 5000.0\n", 5000.0, 7500, "x: 7500.0\n"),
        ("x: 5_000\n", 5000.0, 7500.5, "x: 7500.5\n"),
        ("x: 0x10\n", 16.0, -1, "x: -1\n"),
        ("x: 5\n", 5.0, 1e21, "x: 1.0e+21\n"),
        ("x: south\n", "south", "north west", "x: north west\n"),
        ("x: south\n", "south", "yes", 'x: "yes"\n'),
        ("x: south\n", "south", "a: b", 'x: "a: b"\n'),
        ("x: 'south'\n", "south", "it's", "x: 'it''s'\n"),
        ('x: "south"\n', "south", "\u20ac\n", 'x: "\u20ac\\n"\n'),
        ("x: yes\n", "yes", "no", 'x: "no"\n'),
        ("x: true\n", True, False, "x: false\n"),
        ("x: |-\n  a\n  b\ny: 1\n", "a\nb", "c", 'x: "c"\ny: 1\n'),
        ("x: [a, 'b']  # few\n", ["a", "b"], ["a", "c", "b"], "x: [a, c, 'b']  # few\n"),
        ("x: [a, b]\n", ["a", "b"], ["a", "z"], "x: [a, z]\n"),
        ("x: [a, b]\n", ["a", "b"], [], "x: []\n"),
        ("x: []\n", [], ["a", 1], 'x: ["a", 1]\n'),
        ("x:\n- a # one\n- b # two\n", ["a", "b"], ["a"], "x:\n- a # one\n"),
        (
            "x:\n  - a # one\n  - b\ny: 1\n",
            ["a", "b"],
            ["a", "b", "c"],
            "x:\n  - a # one\n  - b\n  - c\ny: 1\n",
        ),
        ("x:\n  - a", ["a"], ["a", "b"], "x:\n  - a\n  - b"),
        ("x:\r\n  - a\r\n", ["a"], ["b", "a"], "x:\r\n  - b\r\n  - a\r\n"),
        ("x: {s: 1, n: 2}\n", {"n": 2.0, "s": 1.0}, {"n": 2.0, "s": 3}, "x: {s: 3, n: 2}\n"),
        ('{"x": 5, "y": 5}', 5.0, 6, '{"x": 6, "y": 5}'),
        ("x: 5\n", 5.0, 5, "x: 5\n"),
    ],
)
def test_a_constant_moves_and_nothing_else(text: str, old: object, new: object, expected: str) -> None:
    assert moved_value(text, ("x",), old, new) == expected


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("x: &l 5\ny: *l\n", 5.0, 6),  # y would move as well
        ("x: 5\n", 6.0, 7),  # not what the PDP read
        ("x: {a: 1}\n", {"a": 1.0}, {"b": 1.0}),
        ("x: 5\n---\ny: 5\n", 5.0, 6),
        ("y: 5\n", 5.0, 6),
        ("x: [", 5.0, 6),
    ],
)
def test_what_can_not_be_moved_alone_is_refused(text: str, old: object, new: object) -> None:
    with pytest.raises(NotInPlaceError):
        moved_value(text, ("x",), old, new)


@given(
    style=st.sampled_from(["plain", "single", "double", "literal", "folded", "json"]),
    numbers=st.lists(st.sampled_from([5, 50, 500, -5]), min_size=1, max_size=6),
    which=st.integers(0, 5),
    new=st.integers(-9, 9999),
)
def test_in_every_style_only_the_bytes_of_the_literal_change(
    style: str, numbers: list[int], which: int, new: int
) -> None:
    parts = [f"a{5 if i % 2 else ''} <= {number}" for i, number in enumerate(numbers)]
    expression, which = " && ".join(parts), which % len(numbers)
    spans = [match.span(1) for match in re.finditer(r"<= (-?\d+)", expression)]
    written = {
        "plain": f"rules:\n- expr: {expression} # 5\n",
        "single": f"rules:\n- expr: '{expression}' # 5\n",
        "double": f'rules:\n- expr: "{expression}" # 5\n',
        "literal": "rules:\n- expr: |-\n    " + expression + "\n# 5\n",
        "folded": "rules:\n- expr: >-\n    " + expression.replace(" && ", "\n    && ") + "\n# 5\n",
        "json": json.dumps({"rules": [{"expr": expression}]}, indent=2),
    }[style]
    made = moved_expression(written, EXPR, expression, spans[which], str(new))
    at = [match.span(1) for match in re.finditer(r"<= (-?\d+)", written)][which]
    assert made == written[: at[0]] + str(new) + written[at[1] :]


def test_an_edit_of_the_sample_is_one_line() -> None:
    text = (POLICIES / "limits.yaml").read_bytes()
    document = {
        "metadata": {"sourceFile": "limits.yaml"},
        "exportConstants": {
            "name": "expense_limits",
            "definitions": {
                "cross_region_manager_limit": 5000.0,
                "finance_limit": 50000.0,
                "regional_manager_limit": 10000.0,
            },
        },
    }
    limits = limits_of([document], {"limits.yaml": text.decode()})
    moves = moves_of(limits, {"finance_limit": 60_000, "regional_manager_limit": 1})
    changed, problems = moved_files({"limits.yaml": text}, [document], moves)
    assert problems == {}
    assert changed["limits.yaml"] == text.replace(b": 50000", b": 60000").replace(b": 10000", b": 1")
