"""Ids in a text are replaced as whole words, in each form, and nothing else is; in linear time."""

from __future__ import annotations

import json
import time
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerk_cerbos_lab.identity.masking import Masker
from clerk_cerbos_lab.identity.pseudonyms import masked

if TYPE_CHECKING:
    from collections.abc import Callable


def mask(*ids: str, words: tuple[str, ...] = ()) -> Masker:
    """Return what puts an id in brackets."""
    return Masker(ids, lambda identity: f"⟦{identity}⟧", words=words)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sally", "⟦sally⟧"),
        ("Ask sally, or sally.", "Ask ⟦sally⟧, or ⟦sally⟧."),
        ("_sally_ and **sally**", "_⟦sally⟧_ and **⟦sally⟧**"),
        ("sally's", "⟦sally⟧'s"),
        ("sallying, psally, sally2, sally_limit, Sally", None),
        ("line\\nsally\\tsally", "line\\n⟦sally⟧\\t⟦sally⟧"),
        ("?who=%20sally%0A", "?who=%20⟦sally⟧%0A"),
        ("\x1b[31msally\x1b[0m", "\x1b[31m⟦sally⟧\x1b[0m"),
        ("&lt;sally&gt;&nbsp;sally", "&lt;⟦sally⟧&gt;&nbsp;⟦sally⟧"),
        ("data:image/png;base64,AAAA+sally+AAAA= sally", "data:image/png;base64,AAAA+sally+AAAA= ⟦sally⟧"),
        (f"{'QUJD' * 40}/sally/{'QUJD' * 40}", None),
    ],
)
def test_an_id_counts_as_a_whole_word(text: str, wanted: str | None) -> None:
    assert mask("sally")(text) == (wanted or text)


def test_a_combining_mark_belongs_to_its_word() -> None:
    assert mask("al")("a\u0308l al\u0308 al") == "a\u0308l al\u0308 ⟦al⟧"


def test_a_longer_id_takes_precedence_over_one_inside_it() -> None:
    both = mask("auth0|1", "auth0|12", "ann", "ann@example.com", "Ann Smith", "Smith", "a/b", "b")
    assert both("auth0|12 auth0|1") == "⟦auth0|12⟧ ⟦auth0|1⟧"
    assert both("ann@example.com ann") == "⟦ann@example.com⟧ ⟦ann⟧"
    assert both("Ann Smith, J. Smith") == "⟦Ann Smith⟧, J. ⟦Smith⟧"
    assert both("a/b b") == "⟦a/b⟧ ⟦b⟧"
    assert mask("ann")("ann@example.com") == "⟦ann@example.com⟧"


HARD = [
    "acct:1/bob",
    "auth0|5f7c",
    "o'brien",
    'the "boss"',
    "<b>&co",
    r"CORP\nancy",
    "Müller",
    "李雷",
    "a\tb",
    "🦊x",
]


@pytest.mark.parametrize("identity", HARD)
def test_each_form_of_an_id_is_found(identity: str) -> None:
    escaped = json.dumps(identity)[1:-1]
    forms = {identity, escape(identity), escaped, json.dumps(identity, ensure_ascii=False)[1:-1]}
    for form in forms | {repr(identity)[1:-1], quote(identity, safe="")}:
        assert mask(identity)(f'"{form}"') == f'"⟦{identity}⟧"', form


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("id", "the id of P.id"),
        ("manager", 'roles: ["manager"]'),
        ("the", "the policy"),
        ("print", "print(1)"),
        ("finance", "finance approves"),
        ("5000", "amount <= 5000, 5,000"),
    ],
)
def test_an_id_that_is_an_ordinary_word_or_a_short_number_is_not_replaced(identity: str, text: str) -> None:
    assert mask(identity, words=("finance",))(text) == text


def test_a_number_is_an_id_if_it_is_quoted_or_long() -> None:
    assert mask("5000")("P.id == \"5000\" || '5000'") == "P.id == \"⟦5000⟧\" || '⟦5000⟧'"
    assert mask("8675309123")("8675309123") == "⟦8675309123⟧"
    assert mask("auth0|5", words=("auth0|5",))("auth0|5") == "⟦auth0|5⟧"  # no word, whatever it is also


@pytest.mark.parametrize(
    "identity",
    [
        "user_2abcDEFghiJKLmnoPQRstuVWXyz",
        "00u1a2b3c4D5E6F7g8h9",
        "3f2b8c1e-5d7a-4f6b-9c3d-2e1f0a9b8c7d",
        "arn:aws:iam::123456789012:user/division/johndoe",
        "arn:aws-us-gov:sts::123456789012:assumed-role/admin/john",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "google-oauth2|103547991597142817347",
        "samlp|acme|ann@example.com",
        "o'brien@example.com",
        "ann.b+c@mail.example.co.uk",
        "änn@bücher.example",
    ],
)
def test_anything_that_looks_like_an_id_is_replaced_even_if_unknown(identity: str) -> None:
    for text in ("{}", "({}).", '"{}"', "by {}, twice: {}", "<td>{}</td>", "`{}`"):
        shown = mask()(text.replace("{}", identity))
        assert shown == text.replace("{}", f"⟦{identity}⟧")
    assert mask()(f"'{identity.replace(chr(39), '')}'") == f"'⟦{identity.replace(chr(39), '')}⟧'"


@pytest.mark.parametrize(
    "text",
    ["a || b", "x|y", "| id | role |", "@home 5 @ 7", "0123-4567", "arn:aws:s3:::bucket", "user_id", "a@b"],
)
def test_what_does_not_look_like_an_id_is_not_replaced(text: str) -> None:
    assert mask()(text) == text


def test_html_keeps_element_names_and_loses_ids_in_text_attributes_and_scripts() -> None:
    html = (
        '<div class="sally" title="sally &amp; co"><style>.sally{}</style><script>f("sally")</script>'
        "<!-- sally --><sally>sally</sally>sally"
    )
    assert mask("sally").html(html) == (
        '<div class="sally" title="⟦sally⟧ &amp; co"><style>.sally{}</style><script>f("⟦sally⟧")</script>'
        "<!-- ⟦sally⟧ --><sally>⟦sally⟧</sally>⟦sally⟧"
    )


def test_colours_that_split_an_id_do_not_hide_it() -> None:
    cut = "\x1b[31mauth0|\x1b[32m5f7c\x1b[0m"
    assert mask("auth0|5f7c").terminal(cut) == "⟦auth0|5f7c⟧"
    assert mask("sally").terminal("\x1b[31msally\x1b[0m") == "\x1b[31m⟦sally⟧\x1b[0m"


def test_in_the_name_of_a_file_an_underscore_ends_a_word() -> None:
    assert mask("sally").file("teams/principal_sally.yaml") == "teams/principal_⟦sally⟧.yaml"


@given(st.lists(st.text(min_size=1), max_size=8), st.text(), st.text())
def test_an_id_between_spaces_is_always_found_and_nothing_is_lost(
    ids: list[str], before: str, after: str
) -> None:
    some = mask(*ids)
    for identity in ids:
        text = some(f"{before} {identity} {after}")
        if identity in some.left or identity.isdecimal() or not identity.strip():
            continue
        assert "⟦" in text
    assert mask()(before).translate({ord("⟦"): None, ord("⟧"): None}) == before.translate(
        {ord("⟦"): None, ord("⟧"): None}
    )


LONG: dict[str, Callable[[int], str]] = {
    "a run of letters": lambda n: "A" * n,
    "a run with one at the end": lambda n: "A" * n + "@",
    "addresses": lambda n: "a@" * (n // 2),
    "dots": lambda n: "x." * (n // 2),
    "quotes": lambda n: "a'" * (n // 2),
    "words": lambda n: "ab " * (n // 3),
    "ids": lambda n: "auth0|000123 " * (n // 13),
    "providers": lambda n: "auth0|" * (n // 6),
    "data": lambda n: "data:a;a" * (n // 8),
    "escapes": lambda n: "\\n" * (n // 2),
    "underscores": lambda n: "_" * n,
    "a word and underscores": lambda n: "a" + "_" * n + " a",
    "tags": lambda n: "<a" * (n // 2),
    "comments": lambda n: "<!--" * (n // 4),
    "attributes": lambda n: f"<a {'b=' * (n // 2)}>",
}


@pytest.mark.parametrize("what", LONG)
def test_time_grows_with_the_text_not_with_its_square_nor_with_the_ids(what: str) -> None:
    many = Masker([*(f"auth0|{i:06}" for i in range(2_000)), "a", "sally"], str.upper)

    def seconds(size: int) -> float:
        text = LONG[what](size)
        best = []
        for _ in range(3):
            start = time.process_time()
            many.html(text)
            many(text)
            masked(text)
            best.append(time.process_time() - start)
        return min(best)

    seconds(1_000)
    assert seconds(160_000) < 16 * max(seconds(20_000), 0.002)
