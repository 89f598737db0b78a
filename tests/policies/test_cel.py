"""The parser's tree shows what an expression reads; text it can't read with certainty is refused."""

import pytest

from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name, Node, Odd, parse


def calls(node: Node) -> list[str]:
    """Return the functions of a tree, outermost first."""
    if isinstance(node, Call):
        return [node.function, *(name for argument in node.arguments for name in calls(argument))]
    return calls(node.operand) if isinstance(node, Field) else []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a || b && !c", ["||", "&&", "!"]),
        ("a < b == c", ["==", "<"]),
        ("a ? b : c ? d : e", ["?:", "?:"]),
        ("a - -1 - 1", ["-", "-"]),
        ("-a * 2 + b % 3 / c", ["+", "*", "neg", "/", "%"]),
        ("x in [1, 2] || y in {'a': 1}", ["||", "in", "list", "in", "map"]),
        ("P.attr.teams.exists(t, t.size() > 1)", [".exists", ">", ".size"]),
        ("has(R.attr.x) && size(R.attr.x) > 0", ["&&", "has", ">", "size"]),
        ("a[b].c(d)[0]", ["[]", ".c", "[]"]),
        ("((a)) // a comment\n&& b", ["&&"]),
        ("size(x)-1 < a -1", ["<", "-", "size", "-"]),
        (" || ".join(["a"] * 500), ["||"]),
    ],
)
def test_operators_nest_as_they_bind(text: str, expected: list[str]) -> None:
    assert calls(parse(text)) == expected


def test_a_field_is_the_same_with_a_dot_and_in_brackets() -> None:
    assert parse('R.attr["amount"]') == parse("R.attr.amount") == parse("(R.attr).amount")
    assert parse("R.attr.amount") == Field(Field(Name("R"), "attr"), "amount")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5000", 5000),
        ("5000u", 5000),
        ("-5", -5),
        ("- 5", -5),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-2.50", -2.5),
        ("true", True),
        ("null", None),
        ("'it is'", "it is"),
        ('"""a "b" c"""', 'a "b" c'),
        (r'r"^\d+$"', r"^\d+$"),
        (r'"a\nb"', "a\nb"),
        ("''", ""),
    ],
)
def test_literals_have_the_values_they_are_written_with(text: str, value: object) -> None:
    parsed = parse(text)
    assert parsed == Literal(value)
    assert isinstance(parsed, Literal)
    assert type(parsed.value) is type(value)


def test_bytes_are_left_to_the_pdp() -> None:
    assert parse('b"a"') == Odd('b"a"')


@pytest.mark.parametrize(
    "text",
    [
        "a <",
        r'r"a\"b" == "c"',
        "(" * 2000,
        "",
        "a\0b",
        "a['\\x00']",
        "l.exists(a, .a == 1)",
    ],
)
def test_text_that_it_cannot_read_with_certainty_is_refused(text: str) -> None:
    with pytest.raises(CelError):
        parse(text)


def test_the_text_of_a_call_is_its_source() -> None:
    found = parse("a && (R.attr.amount  <=\n P.attr.limit * 1.5)")
    assert isinstance(found, Call)
    comparison = found.arguments[1]
    assert isinstance(comparison, Call)
    assert comparison.text == "R.attr.amount  <=\n P.attr.limit * 1.5"
    assert isinstance(comparison.arguments[1], Call)
    assert comparison.arguments[1].text == "P.attr.limit * 1.5"
