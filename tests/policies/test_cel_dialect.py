"""What the parser reads is what Cerbos compiles, and it reads what Cerbos evaluates."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from probe import values
from small_policies import resource_policy, rule, write

from clerk_cerbos_lab.pdp.compiler import compile_problems
from clerk_cerbos_lab.pdp.engines import find_engine
from clerk_cerbos_lab.policies.analysis import analyse
from clerk_cerbos_lab.policies.cel import Call, CelError, Field, Literal, Name, Node, Odd, parse
from clerk_cerbos_lab.policies.policy_set import PolicySet

READ = [
    # optional values
    ("R.attr.?a.orValue(1) == 1", "==(.orValue(.?(R.attr, 'a'), 1), 1)"),
    ("R.attr[?'a'].orValue(1) == 1", "==(.orValue(.?(R.attr, 'a'), 1), 1)"),
    ("R.attr. ? a.hasValue()", ".hasValue(.?(R.attr, 'a'))"),
    ("R.attr.?a.?b.hasValue()", ".hasValue(.?(.?(R.attr, 'a'), 'b'))"),
    ("R.attr.?a.b.hasValue()", ".hasValue(.?(R.attr, 'a').b)"),
    ("R.attr.l[?0].hasValue()", ".hasValue([?](R.attr.l, 0))"),
    ("R.attr.l[?R.attr.i].hasValue()", ".hasValue([?](R.attr.l, R.attr.i))"),
    ("R.attr.?a[?0].hasValue()", ".hasValue([?](.?(R.attr, 'a'), 0))"),
    ("R.attr.?a == optional.of(1)", "==(.?(R.attr, 'a'), .of(optional, 1))"),
    ("has(R.attr.?a.b)", "has(.?(R.attr, 'a').b)"),
    ("R.attr.?a.or(R.attr.?b).orValue(1) == 1", "==(.orValue(.or(.?(R.attr, 'a'), .?(R.attr, 'b')), 1), 1)"),
    ("R.attr.?a.optMap(x, x == 1).orValue(false)", ".orValue(.optMap(.?(R.attr, 'a'), x, ==(x, 1)), False)"),
    ("P.?attr.hasValue()", ".hasValue(.?(P, 'attr'))"),
    ("[?R.attr.?a] == []", "==(list(?(.?(R.attr, 'a'))), list())"),
    ("[1, ?R.attr.?a, 3] == []", "==(list(1, ?(.?(R.attr, 'a')), 3), list())"),
    ("{?'k': R.attr.?a} == {}", "==(map(?('k'), .?(R.attr, 'a')), map())"),
    ("google.protobuf.Duration{?seconds: R.attr.?a} == R.attr.a", "==({}(.?(R.attr, 'a')), R.attr.a)"),
    # trailing commas
    ("[1, 2,] == []", "==(list(1, 2), list())"),
    ("[,] == []", "==(list(), list())"),
    ("{'a': 1,} == {}", "==(map('a', 1), map())"),
    ("{,} == {}", "==(map(), map())"),
    ("google.protobuf.Duration{seconds: 1,} == R.attr.a", "==({}(1), R.attr.a)"),
    ("google.protobuf.Duration{,} == R.attr.a", "==({}(), R.attr.a)"),
    # fields
    ("R.attr.`b-c` == 1", "==(R.attr.b-c, 1)"),
    ("R.attr.`b.c/d e` == 1", "==(R.attr.b.c/d e, 1)"),
    ("R.attr.`b` == 1", "==(R.attr.b, 1)"),
    ("R.attr.`in` == 1", "==(R.attr.in, 1)"),
    ("has(R.attr.`b-c`)", "has(R.attr.b-c)"),
    ("R.attr.?`b-c`.hasValue()", ".hasValue(.?(R.attr, 'b-c'))"),
    ("R.attr.if == 1", "==(R.attr.if, 1)"),
    ("R.attr.namespace == 1", "==(R.attr.namespace, 1)"),
    ("has(R.attr.package)", "has(R.attr.package)"),
    ("R.attr['b-c'] == 1", "==(R.attr.b-c, 1)"),
    ("R.attr['\\x61'] == 1", "==(R.attr.a, 1)"),
    ("R.attr[('a')] == 1", "==(R.attr.a, 1)"),
    ("R.attr['a' + ''] == 1", "==([](R.attr, +('a', '')), 1)"),
    ("R . attr . a == 1", "==(R.attr.a, 1)"),
    ("R.attr['é'] == 1", "==(R.attr.é, 1)"),
    # names
    (".R.attr.a == 1", "==(R.attr.a, 1)"),
    (". R.attr.a == 1", "==(R.attr.a, 1)"),
    (".size(R.attr.a) == 1", "==(size(R.attr.a), 1)"),
    ("has(.R.attr.a)", "has(R.attr.a)"),
    (".google.protobuf.Duration{seconds: 1} == R.attr.a", "==({}(1), R.attr.a)"),
    ("google.protobuf.Value{string_value: R.attr.a} == 'a'", "==({}(R.attr.a), 'a')"),
    (
        "google.protobuf.NullValue.NULL_VALUE == R.attr.a",
        "==(google.protobuf.NullValue.NULL_VALUE, R.attr.a)",
    ),
    ("[1].exists(R, R == 1)", ".exists(list(1), R, ==(R, 1))"),
    ("[1].exists(trueish, trueish == 1)", ".exists(list(1), trueish, ==(trueish, 1))"),
    ("[1].exists(inside, inside in[1])", ".exists(list(1), inside, in(inside, list(1)))"),
    ("1in[1]", "in(1, list(1))"),
    # choices
    ("R.attr.a?true:false", "?:(R.attr.a, True, False)"),
    ("R.attr.a?.5 == 1.0:true", "?:(R.attr.a, ==(0.5, 1.0), True)"),
    ("R.attr.a?[?R.attr.?a] == []:true", "?:(R.attr.a, ==(list(?(.?(R.attr, 'a'))), list()), True)"),
    ("R.attr.a?.R.attr.b:true", "?:(R.attr.a, R.attr.b, True)"),
    ("R.attr.a ? true : R.attr.b ? false : true", "?:(R.attr.a, True, ?:(R.attr.b, False, True))"),
    ("R.attr.a || R.attr.b ? true : false", "?:(||(R.attr.a, R.attr.b), True, False)"),
    ("{R.attr.a ? 1 : 2 : 3} == {}", "==(map(?:(R.attr.a, 1, 2), 3), map())"),
    # operators
    ("!!R.attr.a", "R.attr.a"),
    ("!!!R.attr.a", "!(R.attr.a)"),
    ("--R.attr.a == 1", "==(R.attr.a, 1)"),
    ("-R.attr.a == 1", "==(neg(R.attr.a), 1)"),
    ("R.attr.a--1 == 0", "==(-(R.attr.a, -1), 0)"),
    ("R.attr.a -1 == 0", "==(-(R.attr.a, 1), 0)"),
    ("- - 5 == R.attr.a", "==(5, R.attr.a)"),
    ("-(5) == R.attr.a", "==(-5, R.attr.a)"),
    ("R.attr.a < 1 == true", "==(<(R.attr.a, 1), True)"),
    ("R.attr.a in [1] in [true]", "in(in(R.attr.a, list(1)), list(True))"),
    ("R.attr.a + 1 - 2 * 3 / 4 % 5 == 1", "==(-(+(R.attr.a, 1), %(/(*(2, 3), 4), 5)), 1)"),
    # numbers
    ("0x1F == 1", "==(31, 1)"),
    ("-0x1f == 1", "==(-31, 1)"),
    ("0x1Fu == 1u", "==(31, 1)"),
    ("5U == 5u", "==(5, 5)"),
    ("1e3 == 1.0", "==(1000.0, 1.0)"),
    (".5 == 1.0", "==(0.5, 1.0)"),
    ("1.5E-3 == 1.0", "==(0.0015, 1.0)"),
    ("007 == 7", "==(7, 7)"),
    ("-9223372036854775808 == 1", "==(-9223372036854775808, 1)"),
    ("18446744073709551615u == 1u", "==(18446744073709551615, 1)"),
    # comments and white space
    ("true // c", "True"),
    ("true // c\n && false", "&&(True, False)"),
    ("// c\ntrue", "True"),
    ("'//x' == ''", "==('//x', '')"),
    ("true // c\r&& false", "True"),
    ("R.attr.a ==\t1\x0c", "==(R.attr.a, 1)"),
    # strings
    ("'\\r\\n\\t\\a\\b\\f\\v\\\\\\?\\`\\'' == ''", "==(\"\\r\\n\\t\\x07\\x08\\x0c\\x0b\\\\?`'\", '')"),
    ("'\\x41\\X41\\u0041\\U0001F600\\101' == ''", "==('AAA😀A', '')"),
    ("'''a'b\"''' == ''", "==('a\\'b\"', '')"),
    ("''''a''' == ''", "==(\"'a\", '')"),
    ("'''a\nb''' == ''", "==('a\\nb', '')"),
    ("'''a\r\nb\rc''' == ''", "==('a\\nb\\nc', '')"),
    ("'''\\'''' == ''", "==(\"'\", '')"),
    ("'''''' == ''", "==('', '')"),
    ("r'\\d\\' == ''", "==('\\\\d\\\\', '')"),
    ("R'''a\\'b''' == ''", "==(\"a\\\\'b\", '')"),
    ('"\\"" == ""', "==('\"', '')"),
    ("'é😀\u2028' == ''", "==('é😀\\u2028', '')"),
    ("'\\x00' == ''", "==('\\x00', '')"),
    ("b'a' == b''", "==(b'a', b'')"),
    ("br'\\d' == B'''\\xff'''", "==(br'\\d', B'''\\xff''')"),
]
"""Expressions that Cerbos compiles, with what is read."""

REFUSED = [
    "",
    "R.attr.a ==",
    "R.attr.a == 1;",
    "R.attr.a = 1",
    "R.attr.a and R.attr.b",
    "R.attr.a == 1 == ",
    "size([1],) == 1",
    "[1,,2] == []",
    "[1].exists(x, x == 1,)",
    "`R`.attr.a == 1",
    "R.attr.`` == 1",
    "R.attr.`é` == 1",
    "R.attr.`a`() == 1",
    "R.attr.?a() == 1",
    "R.attr.in == 1",
    "R.attr.true == 1",
    "R.attr.?null == 1",
    "R.attr.é == 1",
    "R.attr.1a == 1",
    "R.attr.l.0 == 1",
    "[1].exists(if, if == 1)",
    "!-R.attr.a",
    "-!R.attr.a",
    "R.attr.a ? R.attr.b ? true : false : true",
    "'a' 'b' == ''",
    r"'\z' == ''",
    r"'\0' == ''",
    r"'\400' == ''",
    r"'\x4' == ''",
    r"'\' == ''",
    r"'\ud800' == ''",
    r"'\U00110000' == ''",
    "'a\nb' == ''",
    "r'a\rb' == ''",
    r"r'a\'b' == ''",
    "'''a'''' == ''",
    r"rb'\d' == b''",
    "0X1F == 1",
    "1. == 1.0",
    "1_000 == 1",
    "1u2 == 1",
    "9223372036854775809 == 1",
    "18446744073709551616u == 1u",
    "1e400 == 1.0",
    "R.attr.a /* no comment */ == 1",
    "R.attr.a ==\u00a01",
    "R.attr.a == 1\v",
    "\ufeffR.attr.a == 1",
    "R.attr.a @ 1",
]
"""Texts that neither Cerbos nor the parser accepts."""

GAPS = [
    "[1].exists(R, .R.attr.a == R)",
    "[1].all(.x, true)",
    r"R.attr['\x00a'] == 1",
    "R.attr.?`a`[?'\x00'].hasValue()",
]
"""What Cerbos compiles and the parser refuses; then every cell is asked."""

LITERALS = [
    r"'\r\n\t\a\b\f\v\\\?\`\''",
    r"'\x41\X41\u0041\U0001F600\101\x00\xe9\351'",
    "'''a'b\"c'''",
    "''''a'''",
    "'''a\nb\r\nc\rd'''",
    "r'''a\nb\r\nc\rd'''",
    r"'''\''''",
    "''''''",
    "''",
    r"r'\d\'",
    r'R"\"',
    r"R'''a\'b'''",
    "'é😀\u2028\x00'",
    "0x1F",
    "-0x1f",
    "0x1Fu",
    "007",
    "1.5E-3",
    ".5",
    "- -5",
    "---5",
    "true",
    "null",
]
"""Literals whose value Cerbos can say."""

IMPOSSIBLE = [
    "has(R.attr.?a)",
    "has(R.attr['a'])",
    "has(R)",
    "R['attr'].a == 1",
    "1 < R.attr.a < 3",
    "R.attr{a: 1} == 1",
    "[1].all(x.y, true)",
    "9223372036854775808 == 1",
    "-5u == 1",
    r"b'\u0041' == b''",
    "unknown == 1",
]
"""What Cerbos refuses for its types or names, not its syntax: the parser may read it, no PDP ever has it."""


def shape(node: Node) -> str:
    """Return a tree as text."""
    match node:
        case Call():
            return f"{node.function}({', '.join(map(shape, node.arguments))})"
        case Field():
            return f"{shape(node.operand)}.{node.name}"
        case Literal():
            return repr(node.value)
        case Name():
            return node.name
        case Odd():
            return node.text


def is_read(text: str) -> bool:
    """Return whether the parser accepts a text."""
    try:
        parse(text)
    except CelError:
        return False
    return True


def compiled(folder: Path, texts: Sequence[str]) -> list[bool]:
    """Return for each expression whether Cerbos compiles it."""
    policies = {
        f"p{i}": resource_policy(rule("@"), kind=f"kind{i}").replace('"@"', json.dumps(text))
        for i, text in enumerate(texts)
    }
    write(folder, **policies)
    problems = compile_problems(find_engine().compile_command(folder), folder)
    wrong = {problem.file for problem in problems}
    assert wrong <= {f"{name}.yaml" for name in policies}
    return [f"p{i}.yaml" not in wrong for i in range(len(texts))]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_every_form_of_the_dialect_has_its_tree(text: str, expected: str) -> None:
    assert shape(parse(text)) == expected


def test_cerbos_compiles_what_the_parser_reads_and_nothing_that_it_refuses(tmp_path: Path) -> None:
    texts = [*(text for text, _ in READ), *REFUSED, *GAPS, *IMPOSSIBLE]
    by_cerbos = dict(zip(texts, compiled(tmp_path / "policies", texts), strict=True))
    assert [text for text, _ in READ if not (by_cerbos[text] and is_read(text))] == []
    assert [text for text in REFUSED if by_cerbos[text] or is_read(text)] == []
    assert [text for text in GAPS if not by_cerbos[text] or is_read(text)] == []
    assert [text for text in IMPOSSIBLE if by_cerbos[text]] == []


def test_literals_have_the_values_that_cerbos_gives_them(tmp_path: Path) -> None:
    (by_cerbos,) = values(tmp_path / "policies", LITERALS, [{}])
    read = [node.value if isinstance(node := parse(text), Literal) else node for text in LITERALS]
    assert read == by_cerbos


def test_two_signs_are_none_even_where_one_would_be_an_error(tmp_path: Path) -> None:
    pairs = [("!!R.attr.a", "R.attr.a"), ("--R.attr.a", "R.attr.a"), ("!!!R.attr.a", "!R.attr.a")]
    assert [parse(text) == parse(same) or shape(parse(text)) == shape(parse(same)) for text, same in pairs]
    texts = [text for pair in pairs for text in pair]
    for found in values(tmp_path / "policies", texts, [{"a": value} for value in ("x", 5, True, None)]):
        assert found[::2] == found[1::2]


NESTED: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: "(" * n + "R.attr.a" + ")" * n + " == 1",
    "sums": lambda n: "+".join(["R.attr.a"] * n) + " == 1",
    "fields": lambda n: "R.attr.a" + ".b" * n + " == 1",
    "optional fields": lambda n: "R.attr.a" + ".?b" * (n - 1) + " == optional.none()",
    "comparisons": lambda n: "R.attr.a" + " == true" * n,
    "lists": lambda n: "[" * n + "1" + "]" * n + " == []",
    "macros": lambda n: "R.attr.l.exists(x, x == 1 || " * n + "true" + ")" * n,
    "choices": lambda n: "R.attr.a ? true : " * n + "false",
}


@pytest.mark.parametrize("depth", [100, 300])
def test_what_cerbos_compiles_however_deep_is_understood(tmp_path: Path, depth: int) -> None:
    texts = [make(depth) for make in NESTED.values()]
    texts += [" || ".join(["R.attr.a == 1"] * depth), "!" * depth + "R.attr.a"]
    understood = compiled(tmp_path / "policies", texts)
    assert understood == ([True] * len(texts) if depth < 250 else [False] * len(NESTED) + [True] * 2)
    for text in (text for text, one in zip(texts, understood, strict=True) if one):
        policy = {"resource": "thing", "rules": [{"condition": {"match": {"expr": text}}}]}
        found = analyse(PolicySet([{"resourcePolicy": policy}]), "thing")
        assert found.unreadable is None
