"""Policies in every form of CEL that Cerbos compiles are swept by classes, with the answers of every cell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab

FORMS = [
    "R.attr.?amount.orValue(0) <= 20",
    "R.attr[?'amount'].orValue(0) <= P.attr.?limit.orValue(10)",
    "R.attr.amount <= P.attr.?limit.orValue(10)",
    "R.attr.amount <= P.attr[?'limit'].value()",
    "R.attr.?amount.hasValue() && !P.attr.?limit.hasValue()",
    "R.attr.?amount == optional.of(20)",
    "P.attr.?limit == optional.none() || R.attr.amount == 15",
    "R.attr.tags.?brand.orValue('none') == P.attr.?home.?brand.orValue('acme')",
    "R.attr.amount == 15 && P.attr.home.?brand == optional.none()",
    "R.attr.amount == 15 && !has(P.attr.home.brand)",
    "R.attr.amount == 15 && P.attr.home.?brand.orValue('acme') == 'acme'",
    "R.attr.tags[?'brand'] == P.attr.home[?'brand']",
    "P.attr.limits[?1].orValue(12) >= R.attr.amount",
    "P.attr.limits[?R.attr.place].orValue(12) == R.attr.amount",
    "has(R.attr.?tags.brand)",
    "R.attr.?region.optMap(x, x == P.attr.region).orValue(false)",
    "R.attr.?amount.or(P.attr.?limit).orValue(0) > 12",
    "R.attr.amount in [10, ?P.attr.?limit,]",
    "R.attr.amount in [5, 10, 15,]",
    "{'south': 15, ?P.attr.?region.orValue('west'): P.attr.?limit,}[R.attr.region] >= R.attr.amount",
    "{'south': 15, 'west': 5,}[R.attr.region] >= R.attr.amount",
    "R.attr.`cost-centre` == P.attr.`cost-centre`",
    "has(R.attr.`cost-centre`) && R.attr.amount <= 15",
    "R.attr.?`cost-centre`.orValue(1) == P.attr.?`cost-centre`.orValue(1)",
    "R.attr.`region` == P.attr.region && R.attr.if == 1",
    r"R.attr.region == 'sou\x74h' && R.attr['\x61mount'] <= 15",
    r"R.attr.region in ['line\nbreak', '\101', r'back\slash', '''a'b''', 'nul\x00']",
    "R.attr.region == '''line\nbreak'''",
    "R.attr.region == '''line\r\nbreak'''",
    "string(R.attr.region) == string(b'south')",
    ".R.attr.amount <= .P.attr.limit",
    ".R.attr.region == P.attr.region && [15.0].exists(P, P == R.attr.amount)",
    "R.attr.amount <= 0x0F || R.attr.amount == 20u",
    "R.attr.amount == --15 || !!(R.attr.region == 'west')",
    "!!R.attr.flag",
    "--R.attr.flag == true || --R.attr.region == 'south'",
    "R.attr.amount <= .5e1 || R.attr.amount > 1.5E1",
    "R.attr.flag?.R.attr.amount <= 10:true // a comment",
    "R.attr.flag?[?R.attr.?amount] == [20]:true",
    "google.protobuf.Value{string_value: R.attr.region} == P.attr.region",
    "google.protobuf.Struct{fields: {'a': google.protobuf.Value{number_value: 15.0,}}}.a >= R.attr.amount",
    "cel.bind(most, P.attr.limit, R.attr.amount <= most)",
    "cel.bind(R, R.attr.amount, R == 15)",
    "cel.bind(x, R, x.attr.amount == 15)",
    "cel.bind(x, P, x.attr.limit == R.attr.amount)",
    "regex.extract(R.attr.region, 's(.+)').orValue('') == 'outh'",
    "P.?id.orValue('') == R.attr.owner",
    "R.attr.?owner.orValue('ann') == P.id",
    "V.?most.orValue(5) >= R.attr.amount",
    "V.most >= R.attr.amount && V.ours",
]

VARIABLES = """  variables:
    local:
      most: 'P.attr.?limit.orValue(7)'
      ours: 'R.attr.?region.orValue("south") == "south"'
"""

PEOPLE = pd.DataFrame(
    [
        {"id": "ann", "limit": 15, "region": "south", "home": {"brand": "acme"}, "cost-centre": 1},
        {"id": "ben", "limit": 20, "region": "west", "home": {}, "limits": [1, 20], "cost-centre": 2},
        {"id": "cai", "region": "south", "home": {"brand": "none"}, "limits": [15]},
        {"id": "dee", "limit": 15, "region": "south", "home": {"brand": "acme"}, "cost-centre": 1},
        {"id": "eve", "limit": "15", "limits": {"1": 2}, "home": 5},
        {"id": "gil", "limit": 10, "region": "south"},
        {"id": "hal", "limit": 10, "region": "south", "home": {}},
        {"id": "fay", "limit": 10, "region": "south", "home": {"brand": 5}, "limits": 3},
    ],
    dtype=object,
)
PEOPLE["roles"] = pd.Series([("user",)] * len(PEOPLE), dtype=object)

AXES: dict[str, Any] = {
    "amount": [5, 7, 7.5, 10, 12, 14.5, 15, 16, 20, 21, lab.MISSING],
    "region": ["south", "west", "line\nbreak", "A", "back\\slash", "a'b", "nul\0", lab.MISSING],
    "tags": [{"brand": "acme"}, {"brand": "none"}, {}, "text", lab.MISSING],
}

MORE: dict[str, Any] = {
    "if": 1,
    "place": 1,
    "flag": [True, False],
    "owner": [lab.SELF, lab.OTHER],
    "cost-centre": [1, 2],
}


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    """Return a PDP with one kind for each form."""
    policies = {
        f"p{i}": resource_policy(rule("@"), kind=f"kind{i}")
        .replace('"@"', json.dumps(text))
        .replace("  rules:", f"{VARIABLES if 'V.' in text else ''}  rules:")
        for i, text in enumerate(FORMS)
    }
    with lab.PDP(write(tmp_path_factory.mktemp("forms") / "policies", **policies)) as pdp:
        yield pdp


@pytest.mark.parametrize("text", FORMS)
def test_it_has_the_answers_of_every_cell_and_asks_fewer(forms: lab.PDP, text: str) -> None:
    read = [name for name in (*AXES, *MORE) if name in text or (name == "region" and "V." in text)]
    given = {name: values for name, values in AXES.items() if name in read} or dict(AXES)
    given |= {"amount": AXES["amount"], "unread": [1, 2]} | {
        name: MORE[name] for name in read if name in MORE
    }
    asked: dict[str, Any] = {"actions": ["approve"], "attr": given}
    kind = f"kind{FORMS.index(text)}"
    every = lab.sweep(forms, PEOPLE, kind, method="every-cell", **asked)
    swept = lab.sweep(forms, PEOPLE, kind, audit=0, **asked)
    assert np.array_equal(swept.allowed(), every.allowed())
    assert not any(note.startswith("Every cell") for note in swept.provenance.notes)
    assert swept.provenance.asked < every.provenance.asked
    assert 0 < every.counts()["ALLOW"] < len(every)


OF_ONE_SIDE = [
    "P.attr.home.?brand == optional.none()",
    "P.attr.home[?'brand'].orValue('1x').startsWith('1')",
    "size([?P.attr.home.?brand, 'x']) == 2",
    r".P.attr.text.endsWith('\x31') || P.attr.`te-xt`.endsWith('''1''')",
    "P.attr.text in ['1x', '2x',] || !!(P.attr.text in ['11x'])",
    "google.protobuf.Value{string_value: P.attr.text} == '1x' || P.attr.text.matches(r'^2\\d?x')",
    "P.attr.text.?brand == optional.none()",
    r"R.attr.text.endsWith('1\x78') || R.attr.text.?brand == optional.none()",
    ".R.attr.text.matches('''^1''') && !!has(R.attr.text)",
    "cel.bind(text, R.attr.text, text.startsWith('1')) || P.attr.text == '1x'",
]
"""Conditions whose outcome is computed for each value, if there are many."""


def test_conditions_about_many_values_of_one_side_have_the_answers_of_every_cell(tmp_path: Path) -> None:
    homes = [{"brand": f"{i}x"} for i in range(30)] + [
        {},
        {"brand": 1},
        5,
        "text",
        None,
        lab.MISSING,
        {"other": 1},
    ]
    people = pd.DataFrame({"id": [f"u{i}" for i in range(70)]}, dtype=object)
    people["roles"] = pd.Series([("user",)] * 70, dtype=object)
    people["home"] = pd.Series([homes[i % len(homes)] for i in range(70)], dtype=object)
    people["text"] = pd.Series([f"{i}x" for i in range(66)] + [1, None, lab.MISSING, {}], dtype=object)
    people["te-xt"] = pd.Series([f"{i}x{i}" for i in range(70)], dtype=object)
    texts = [*(f"{i}x" for i in range(55)), 5, None, True, ["1x"], {"brand": "1x"}, lab.MISSING]
    policies = {
        f"p{i}": resource_policy(rule("@"), kind=f"kind{i}").replace('"@"', json.dumps(text))
        for i, text in enumerate(OF_ONE_SIDE)
    }
    with lab.PDP(write(tmp_path / "policies", **policies)) as pdp:
        for number, condition in enumerate(OF_ONE_SIDE):
            asked: dict[str, Any] = {"actions": ["approve"], "attr": {"text": texts}}
            every = lab.sweep(pdp, people, f"kind{number}", method="every-cell", **asked)
            swept = lab.sweep(pdp, people, f"kind{number}", audit=0, **asked)
            assert (swept.allowed() == every.allowed()).all(), condition
            assert swept.provenance.asked < every.provenance.asked
            assert 0 < every.counts()["ALLOW"] < len(every), condition
