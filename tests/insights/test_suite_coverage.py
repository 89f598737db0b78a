"""Coverage of Cerbos's own test suites, files for CI, and what of people may be shown."""

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from explained import a_rule, policy, swept, thing
from small_policies import write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.coverage import COVERED, IMPOSSIBLE, NOBODY, NOT_REACHED, PARTLY, Coverage
from clerk_cerbos_lab.pdp.engines import find_engine

POLICIES = Path(__file__).parents[2] / "policies"

ANN = {"id": "ann", "roles": ["user"], "attr": {"limit": 10}}
BOB = {"id": "bob", "roles": ["user"]}
LOW = {"id": "r1", "kind": "thing", "attr": {"amount": 5}}
HIGH = {"id": "r2", "kind": "thing", "attr": {"amount": 50}}


def suite(*tests: dict[str, Any], **more: Any) -> str:
    """A suite that has its own principals and resources; JSON is valid YAML."""
    made = {"name": "suite", "principals": {"ann": ANN, "bob": BOB}, "resources": {"low": LOW, "high": HIGH}}
    return json.dumps({**made, **more, "tests": list(tests)})


def table(who: list[str], what: list[str], *allowed: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A test about the action ``approve`` that expects ALLOW for these pairs."""
    effects = dict.fromkeys(allowed, "EFFECT_ALLOW") or {(who[0], what[0]): "EFFECT_DENY"}
    expected = [
        {"principal": one, "resource": two, "actions": {"approve": effect}}
        for (one, two), effect in effects.items()
    ]
    return {
        "name": f"of {len(who)}, {json.dumps([what, allowed, sorted(more)])}",
        "input": {"principals": who, "resources": what, "actions": ["approve"]},
        "expected": expected,
        **more,
    }


def covered(folder: Path, tests: dict[str, str], **files: str) -> Coverage:
    """The coverage of suites, which ``cerbos compile`` accepts, too."""
    write(folder / "policies", **files)
    for name, text in tests.items():
        path = folder / "policies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with lab.PDP(folder / "policies") as pdp:
        return lab.coverage(pdp, suites=True)


def compiles(folder: Path) -> bool:
    """Whether every test has the effect that its suite expects, by Cerbos itself."""
    command = find_engine().compile_command(folder / "policies")
    command = [part for part in command if part != "--skip-tests"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def outcomes(found: Coverage) -> dict[str, tuple[str, int, int, int]]:
    """Status, true, false and errors of each part, in cells."""
    return {
        f"{one.part} {one.rule if one.part == 'rule' else one.text}": (
            one.status,
            one.cells.true,
            one.cells.false,
            one.cells.error,
        )
        for one in found.parts
    }


SECRET = "user_2secretsecretsecretsecret"

LIMITED = thing(a_rule("limited", "R.attr.amount <= P.attr.limit"))


def test_the_sample_suites_cover_the_sample_policies(pdp: lab.PDP) -> None:
    found = lab.coverage(pdp, suites=True)
    assert found.percent == 100.0
    assert not found.notes
    assert {one.status for one in found.parts} == {COVERED}
    assert set(found.files) == {path.name for path in POLICIES.glob("*.yaml")} - {"limits.yaml"}


def test_a_suite_counts_each_principal_with_each_resource(tmp_path: Path) -> None:
    tests = {"a_test.yaml": suite(table(["ann", "bob"], ["low", "high"], ("ann", "low")))}
    found = covered(tmp_path, tests, thing=LIMITED)
    assert outcomes(found) == {
        "rule limited": (COVERED, 1, 1, 2),
        "atom R.attr.amount <= P.attr.limit": (COVERED, 1, 1, 2),
    }
    assert (found.people, found.cells, found.notes) == (2, 4, ())
    assert compiles(tmp_path)


def test_groups_and_test_data_beside_the_suite_are_read(tmp_path: Path) -> None:
    fixtures = {
        "tests/testdata/principals.json": json.dumps(
            {
                "principals": {"ann": ANN, "bob": BOB},
                "principalGroups": {"all": {"principals": ["ann", "bob"]}},
            }
        ),
        "tests/testdata/resources.yml": json.dumps({"resources": {"low": LOW}}),
    }
    test = {
        "name": "groups",
        "input": {"principalGroups": ["all"], "resourceGroups": ["lows"], "actions": ["approve"]},
        "expected": [
            {"principal": "ann", "resourceGroups": ["lows"], "actions": {"approve": "EFFECT_ALLOW"}}
        ],
    }
    own = suite(test, principals={}, resources={}, resourceGroups={"lows": {"resources": ["low"]}})
    found = covered(tmp_path, {**fixtures, "tests/a_test.yml": own}, thing=LIMITED)
    assert outcomes(found)["rule limited"] == (PARTLY, 1, 0, 1) or outcomes(found)["rule limited"][1:] == (
        1,
        0,
        1,
    )
    assert not found.notes
    assert compiles(tmp_path)


def test_the_options_of_a_test_replace_those_of_its_suite(tmp_path: Path) -> None:
    files = {
        "thing": thing(a_rule("global", "G.on == true")),
        "scoped": thing(a_rule("scoped", "R.attr.amount == 5"), scope="acme"),
    }
    deep = {**LOW, "id": "r3", "scope": "acme.hr"}
    tests = suite(
        table(["ann"], ["low"], ("ann", "low")),
        table(["bob"], ["low"], options={"lenientScopeSearch": True}),
        table(["bob"], ["deep"], ("bob", "deep"), options={"lenientScopeSearch": True}),
        table(["ann"], ["deep"]),
        options={"globals": {"on": True}},
        resources={"low": LOW, "deep": deep},
    )
    found = covered(tmp_path, {"a_test.yaml": tests}, **files)
    assert outcomes(found) == {
        "rule global": (COVERED, 1, 0, 1),
        "atom G.on == true": (IMPOSSIBLE, 1, 0, 1),
        "rule scoped": (COVERED, 1, 0, 0),
        "atom R.attr.amount == 5": (PARTLY, 1, 0, 0),
    }
    assert not found.notes
    assert compiles(tmp_path)


def test_the_claims_of_a_token_reach_the_conditions(tmp_path: Path) -> None:
    files = {"thing": thing(a_rule("token", "request.aux_data.jwt.level > 3"))}
    with_token = table(["ann"], ["low"], ("ann", "low"))
    with_token["input"]["auxData"] = "good"
    tests = suite(with_token, table(["bob"], ["low"]), auxData={"good": {"jwt": {"level": 5}}})
    found = covered(tmp_path, {"a_test.yaml": tests}, **files)
    assert outcomes(found)["rule token"] == (COVERED, 1, 0, 1)
    assert not found.notes
    assert compiles(tmp_path)


def test_schemas_refuse_as_when_cerbos_runs_the_suite(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    files = {"thing": thing(a_rule("any"), schemas={"resourceSchema": {"ref": "cerbos:///thing.json"}})}
    bad = {"id": "r4", "kind": "thing", "attr": {"amount": "5"}}
    tests = suite(table(["ann"], ["low", "bad"], ("ann", "low")), resources={"low": LOW, "bad": bad})
    found = covered(tmp_path, {"_schemas/thing.json": json.dumps(schema), "a_test.yaml": tests}, **files)
    assert outcomes(found) == {"rule any": (COVERED, 1, 0, 0)}
    assert not found.notes
    assert compiles(tmp_path)


@pytest.mark.parametrize("now", ["2024-01-02T03:04:05.678Z", "2024-06-02T23:30:00-02:00"])
def test_a_suite_that_sets_the_time_is_counted_at_that_time(now: str, tmp_path: Path) -> None:
    """A string with ``now()`` in it stays as it is, and so does a constant."""
    rules = thing(
        a_rule("early", "V.current < timestamp('2024-03-01T00:00:00Z') && V.current.getHours() == 3"),
        a_rule("late", "now( ) >= timestamp('2024-03-01T00:00:00Z') && now().getHours() == 1"),
        a_rule("text", "C.text == 'now' + '()' && size('now()') == 5"),
        variables={"local": {"current": "now()"}},
        constants={"local": {"text": "now()"}},
    )
    early = now.startswith("2024-01")
    options = {"now": now}
    tests = suite(table(["ann"], ["low"], ("ann", "low"), options=options))
    found = covered(tmp_path, {"a_test.yaml": tests}, thing=rules)
    rows = {name: row for name, row in outcomes(found).items() if name.startswith("rule")}
    assert rows == {
        "rule early": (COVERED if early else rows["rule early"][0], int(early), int(not early), 0),
        "rule late": (rows["rule late"][0] if early else COVERED, int(not early), int(early), 0),
        "rule text": (COVERED, 1, 0, 0),
    }
    assert not found.notes
    assert compiles(tmp_path)


def test_time_since_at_a_set_time_is_not_counted_and_said(tmp_path: Path) -> None:
    rules = thing(a_rule("old", "timestamp('2020-01-01T00:00:00Z').timeSince() > duration('1h')"))
    tests = suite(table(["ann"], ["low"], ("ann", "low"), options={"now": "2024-01-02T03:04:05Z"}))
    found = covered(tmp_path, {"a_test.yaml": tests}, thing=rules)
    assert any("timeSince(): they are not counted" in note for note in found.notes)


def test_what_is_skipped_or_can_not_be_read_is_said(tmp_path: Path) -> None:
    clock = {"options": {"now": "2024-01-02T03:04:05Z"}}
    tests = {
        "a_test.yaml": suite(table(["ann"], ["low"], skip=True), table(["bob"], ["low"])),
        "b_test.yaml": suite(table(["carl"], ["low"])),
        "c_test.yaml": suite(skip=True),
        "d_test.yaml": "name: [",
        "e_test.yaml": suite(table(["ann"], ["low"]), surprise=True),
        "f_test.yaml": suite(table(["ann"], ["high"], **clock)),
        "g_test.yaml": suite({"name": "empty", "input": table(["ann"], ["low"])["input"]}),
        "h_test.yaml": suite({**table(["ann"], ["low"]), "expected": table(["bob"], ["low"])["expected"]}),
    }
    files = {
        "thing": thing(
            a_rule("limited", "R.attr.amount <= P.attr.limit && now() > timestamp('2020-01-01T00:00:00Z')")
        )
    }
    found = covered(tmp_path, tests, **files)
    notes = "\n".join(found.notes)
    assert "is skipped, as it says.\nb_test" in notes
    assert "b_test.yaml can't be read: it names 'carl', which is not among its principals" in notes
    assert "c_test.yaml is skipped" in notes
    assert "d_test.yaml can't be read: it is not YAML" in notes
    assert "e_test.yaml can't be read" in notes
    assert "surprise" in notes
    assert "g_test.yaml can't be read: its test 'empty' has no expected" in notes
    assert "h_test.yaml can't be read" in notes
    assert "not in its input" in notes
    assert "set the time" not in notes
    assert found.cells == 2


def test_unexpected_effects_are_counted(tmp_path: Path) -> None:
    found = covered(tmp_path, {"a_test.yaml": suite(table(["bob"], ["low"], ("bob", "low")))}, thing=LIMITED)
    assert found.notes == ("1 tests do not have the effect that their suite expects.",)
    assert not compiles(tmp_path)


def test_a_folder_without_suites_is_refused(tmp_path: Path) -> None:
    with pytest.raises(lab.InputError, match="no test suite"):
        covered(tmp_path, {}, thing=LIMITED)


# -- people, and values that policies compare -------------------------------------------------------


def test_people_are_swept_over_what_the_policies_compare(pdp: lab.PDP) -> None:
    rows = [
        {"id": "m", "roles": ("manager",), "region": "south", "department": "sales", "approval_limit": 7_000},
        {
            "id": "f",
            "roles": ("finance",),
            "region": "west",
            "department": "sales",
            "approval_limit": lab.MISSING,
        },
    ]
    found = lab.coverage(pdp, pd.DataFrame(rows, dtype=object), kind="expense")
    table = found.frame()
    nobody = table[table["status"] == NOBODY]
    assert set(nobody["rule"]) == {"admin-deletes-until-paid"}
    assert set(table[~table.index.isin(nobody.index)]["status"]) == {COVERED}
    one_action = lab.coverage(pdp, pd.DataFrame(rows, dtype=object), kind="expense", actions="view")
    table = one_action.frame()
    assert set(table[table["status"] == NOT_REACHED]["note"]) >= {"no request asks for its actions"}


def test_given_values_are_kept(pdp: lab.PDP) -> None:
    rows = [{"id": "m", "roles": ("manager",), "region": "south", "department": "sales"}]
    found = lab.coverage(
        pdp, pd.DataFrame(rows, dtype=object), kind="expense", actions="approve", attr={"status": "PAID"}
    )
    (open_one,) = [one for one in found.parts if (one.part, one.rule) == ("variable", "is_open")]
    assert (open_one.status, open_one.note) == (PARTLY, "never true")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "coverage needs decisions"),
        ({"kind": "expense"}, "coverage needs decisions"),
        ({"suites": True, "kind": "expense"}, "its own principals"),
    ],
)
def test_arguments_that_do_not_belong_together_are_refused(
    pdp: lab.PDP, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(lab.InputError, match=message):
        lab.coverage(pdp, **arguments)


# -- showing ----------------------------------------------------------------------------------------


@pytest.fixture
def small_coverage(tmp_path: Path) -> Coverage:
    """Return the coverage of a policy that names a person, with an escaped text."""
    files = {
        "thing": thing(
            a_rule("limited", "R.attr.amount <= P.attr.limit && R.attr.note != '<b>'"),
            a_rule("boss", f"P.id == '{SECRET}'"),
            a_rule("queen", roles=["queen"]),
            a_rule("never", "1 == 2"),
        ),
        "own": policy(
            "principalPolicy", principal="user_2secretsecretsecretsecret", version="default", rules=[]
        ),
    }
    ids = ["user_2secretsecretsecretsecret", "user_2otherotherotherotherot"]
    frame = pd.DataFrame([{"id": own, "roles": ("user",), "limit": 5} for own in ids], dtype=object)
    made = swept(write(tmp_path / "policies", **files), frame, amount=[1, 9], note="x")
    found = lab.coverage(made)
    made.source.close()
    return found


def test_no_id_is_in_any_form_of_the_result(small_coverage: Coverage, tmp_path: Path) -> None:
    small_coverage.to_cobertura(tmp_path / "coverage.xml")
    forms = [
        repr(small_coverage),
        small_coverage._repr_html_(),
        small_coverage.frame().to_csv(),
        str(small_coverage.parts),
        str(small_coverage.files),
        (tmp_path / "coverage.xml").read_text("utf-8"),
    ]
    for form in forms:
        assert "secretsecret" not in form
        assert "otherother" not in form
    assert "user_" not in forms[0]


def test_html_escapes_policies_and_says_each_mark_in_words(small_coverage: Coverage) -> None:
    html = small_coverage._repr_html_()
    assert "<b>'" not in html
    assert "&#39;&lt;b&gt;&#39;" in html
    assert 'aria-label="rule queen: nobody has the role (nobody has the role queen); never evaluated"' in html
    assert "prefers-color-scheme:dark" in html
    assert html == small_coverage._repr_html_()


def test_text_has_counts_in_the_margin(small_coverage: Coverage) -> None:
    text = repr(small_coverage)
    assert "2 people (4 decisions)" in text
    assert "∅" in text
    assert "nobody has the role queen" in text


DTD = {
    "coverage": (
        {"line-rate", "branch-rate", "lines-covered", "lines-valid", "branches-covered"}
        | {"branches-valid", "complexity", "version", "timestamp"},
        ["sources", "packages"],
    ),
    "sources": (set(), ["source"]),
    "source": (set(), []),
    "packages": (set(), ["package"]),
    "package": ({"name", "line-rate", "branch-rate", "complexity"}, ["classes"]),
    "classes": (set(), ["class"]),
    "class": ({"name", "filename", "line-rate", "branch-rate", "complexity"}, ["methods", "lines"]),
    "methods": (set(), ["method"]),
    "lines": (set(), ["line"]),
    "line": ({"number", "hits"}, ["conditions"]),
    "conditions": (set(), ["condition"]),
    "condition": ({"number", "type", "coverage"}, []),
}
"""Of each element, its required attributes and its children in order, as in coverage-04.dtd."""

OPTIONAL = {"line": {"branch", "condition-coverage"}}


def test_a_cobertura_file_is_valid(small_coverage: Coverage, tmp_path: Path) -> None:
    path = tmp_path / "coverage.xml"
    small_coverage.to_cobertura(path)
    root = ET.parse(path).getroot()
    assert root.tag == "coverage"
    for element in root.iter():
        required, children = DTD[element.tag]
        assert required <= set(element.attrib) <= required | OPTIONAL.get(element.tag, set()), element.tag
        places = [children.index(child.tag) for child in element]
        assert places == sorted(places)
    assert int(root.attrib["branches-covered"]) <= int(root.attrib["branches-valid"])
    lines = list(root.iter("line"))
    assert int(root.attrib["lines-valid"]) == len(lines)
    assert int(root.attrib["lines-covered"]) == sum(line.attrib["hits"] != "0" for line in lines)


def test_a_cobertura_line_has_the_hits_and_branches_of_its_parts(tmp_path: Path) -> None:
    text = """apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: thing
  version: default
  rules:
    - actions: [approve]
      name: one
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.a == 1 && R.attr.b == 1
"""
    made = swept(write(tmp_path / "policies", thing=text), a=[1, 2, 3], b=1)
    lab.coverage(made).to_cobertura(tmp_path / "c.xml")
    made.source.close()
    lines = {line.attrib["number"]: line.attrib for line in ET.parse(tmp_path / "c.xml").iter("line")}
    assert lines["6"] == {"number": "6", "hits": "1", "branch": "false"}
    assert lines["12"] == {
        "number": "12",
        "hits": "3",
        "branch": "true",
        "condition-coverage": "75% (3/4)",
    }
