"""Conditions are read as trees whose parts have sources that mean the same alone."""

import pytest

from clerk_cerbos_lab.policies.cel import Call, Node, parse, walk
from clerk_cerbos_lab.policies.conditions import Visible, read_condition, read_expression
from clerk_cerbos_lab.policies.lines import Lines


def bare(node: Node) -> object:
    """A node without its text."""
    return (node.function, *map(bare, node.arguments)) if isinstance(node, Call) else node


@pytest.mark.parametrize(
    "text",
    [
        "(a && true)",
        "(true && a)",
        "(a && false) || b",
        "b || (true && a) || c",
        "x && (a ? b : true)",
        '((a == true)) || f(")") || (b == "(")',
        "!(a || true)",
        "[(a || true)][0] ? (false || b) : (c && true)",
    ],
)
def test_the_source_of_each_part_reads_as_that_part(text: str) -> None:
    for node in walk(parse(text)):
        if isinstance(node, Call):
            assert bare(parse(node.text)) == bare(node), node.text


def visible(**variables: str) -> Visible:
    return Visible("thing.yaml", variables, {}, Lines())


def test_a_condition_is_a_tree_down_to_operands() -> None:
    match = {
        "all": {"of": [{"expr": "V.open && !(R.attr.a <= P.attr.b)"}, {"none": {"of": [{"expr": "C.x"}]}}]}
    }
    found = read_condition({"match": match}, visible(open='request.resource.attr.status == "OPEN"'))
    assert found is not None
    assert [part.form for part in found.walk()] == [
        *("all", "and", "variable", "atom", "not", "atom", "none", "atom")
    ]
    atoms = [part for part in found.walk() if part.form == "atom"]
    assert [[one.name for one in atom.operands] for atom in atoms] == [
        ["status", '"OPEN"'],
        ["a", "b"],
        ["x"],
    ]
    assert atoms[0].operands[0].path == ("R", "attr", "status")


def test_the_variables_of_macros_are_no_operands() -> None:
    mapped = "R.attr.list.map(x, x.size() > C.top, x + V.more) == R.attr.y"
    text = f"R.attr.tags.exists(t, t == P.attr.tag) && {mapped}"
    found = read_expression(text, visible(more="P.attr.n + 1.0"))
    read = [[leaf.text for leaf in part.operands] for part in found.walk() if part.form == "atom"]
    assert read[0] == ["R.attr.tags", "P.attr.tag"]
    assert [leaf.text for leaf in found.parts[1].operands[0].parts] == ["R.attr.list", "C.top", "V.more"]


def test_what_can_not_be_read_says_why() -> None:
    odd = "[1].exists(R, .R.attr.x > 2)"
    found = read_expression(odd, visible())
    assert (found.form, found.text) == ("unread", odd)
    assert "has both .R and a variable R" in found.why


def test_a_variable_that_can_not_be_read_is_asked_as_a_whole() -> None:
    found = read_expression("V.odd && R.attr.x", visible(odd="[1].exists(R, .R.attr.x)"))
    assert [part.form for part in found.walk()] == ["and", "variable", "unread", "atom"]
