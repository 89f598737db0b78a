"""What an explanation names is right: changing exactly that changes the effect on the PDP."""

import dataclasses
import itertools
import os
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import generated_policies
import pandas as pd
import pytest
from cause_oracle import BLOCKING, Copies, NotFound, errors, repairs
from explained import a_rule, person, policy, thing
from small_policies import USER, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.explanation import APPLIED, CLOSEST, ERRONEOUS, NOT_KNOWN, Explanation
from clerk_cerbos_lab.identity.quality import is_missing
from clerk_cerbos_lab.insights.why import explain, request_of
from clerk_cerbos_lab.pdp.messages import Request

ATOMS = 6

OUTCOMES = {"true": 1, "false": 0, "error": "text"}


def an_expression(draw: random.Random, depth: int) -> str:
    """An expression over atoms, each of which is decided by one attribute."""
    if depth == 0 or draw.random() < 0.3:
        atom = draw.randrange(ATOMS)
        return draw.choice([f"R.attr.x{atom} > 0", f"R.attr.x{atom} >= C.one", f"V.v{atom}"])
    form = draw.choice(["&&", "||", "!", "?:"])
    one, two, three = (an_expression(draw, depth - 1) for _ in range(3))
    return {
        "!": f"!({one})",
        "?:": f"(({one}) ? ({two}) : ({three}))",
    }.get(form, f"(({one}) {form} ({two}))")


def a_match(draw: random.Random, depth: int) -> dict[str, Any]:
    """A match block over such expressions."""
    if depth == 0 or draw.random() < 0.2:
        return {"expr": an_expression(draw, 1)}
    form = draw.choice(["all", "any", "none"])
    return {form: {"of": [a_match(draw, depth - 1) for _ in range(draw.randint(1, 3))]}}


def policies(draw: random.Random) -> dict[str, str]:
    """Policies with three rules, one of them for a derived role."""
    definition = {"name": "some", "parentRoles": ["user"], "condition": {"match": a_match(draw, 1)}}
    constants = {"local": {"one": 1}}
    variables = {"local": {f"v{i}": f"R.attr.x{i} == 1" for i in range(ATOMS)}}
    names = {"constants": constants, "variables": variables}
    rules = [
        a_rule("first", a_match(draw, 2)),
        a_rule("second", an_expression(draw, 2)),
        a_rule("derived", a_match(draw, 1), derivedRoles=["some"]),
    ]
    return {
        "roles": policy("derivedRoles", name="roles", definitions=[definition], **names),
        "thing": thing(*rules, importDerivedRoles=["roles"], **names),
    }


def changed(values: dict[str, Any], atoms: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The requests in which exactly these atoms have another outcome."""
    values_for = {"true": [0], "false": [1], "error": [0, 1]}
    each = []
    for source, outcome in atoms:
        name = "x" + source.split("x" if ".x" in source else ".v")[1][0]
        each.append([(name, value) for value in values_for[outcome]])
    return [{**values, **dict(one)} for one in itertools.product(*each)]


CHANGED = range(*map(int, os.environ.get("LAB_CHANGED", "0:5").split(":")))


@pytest.mark.parametrize("seed", CHANGED)
def test_changing_exactly_the_atoms_of_the_closest_rule_allows(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    folder = write(tmp_path / "policies", **policies(draw))
    checked = 0
    with lab.PDP(folder) as pdp:
        for _ in range(12):
            values = {f"x{i}": draw.choice(list(OUTCOMES.values())) for i in range(ATOMS)}
            made = lab.sweep(pdp, person(), "thing", actions=["approve"], audit=0, attr=values)
            request = request_of(made)
            allowed = pdp.is_allowed("approve", USER, "thing", values)
            (found,) = explain(made.source, [(request, allowed)], made.shown())
            assert not any("instrumented copy" in note for note in found.notes)
            if found.cause is None or found.cause.kind != CLOSEST or "differently" in "".join(found.notes):
                continue
            (rule,) = [one for one in found.rules if one.name == found.cause.rule]
            if rule.to_change is None:
                continue
            atoms = [(one.source, one.outcome) for one in rule.to_change]
            assert atoms
            ways = changed(values, atoms)
            effects = [
                pdp.is_allowed("approve", {"id": "u0", "roles": ("user",)}, "thing", way) for way in ways
            ]
            assert any(effects), (found, values, ways)
            checked += 1
        made.source.close()
    assert checked or seed  # the first seed is known to have some


FIRST, LAST = map(int, os.environ.get("LAB_EXPLAINED", "0:10").split(":"))


@dataclasses.dataclass
class Case:
    """A DENY, with the changed copies of which one has to allow, and those that must not."""

    request: Request
    found: Explanation
    right: list[tuple[str, tuple[str, ...]]]
    wrong: list[tuple[str, tuple[str, ...]]]


def a_case(copies: Copies, request: Request, found: Explanation, *, reads_runtime: bool) -> Case | None:
    """The copies that show whether a cause is right; None if it can't be put into the text of policies."""
    case = Case(request, found, [], [])
    assert found.cause is not None
    if found.cause.kind == ERRONEOUS:
        right, wrong = errors(found)
        if reads_runtime:  # the conditions of derived roles that no rule names may fail, too
            return None
        case.right.append((copies.add(found.kind, right), ()))
        if len(request.principal.roles) == 1:  # else another role may be allowed
            case.wrong.append((copies.add(found.kind, wrong), ()))
        return case
    try:
        for edits, roles in repairs(found):
            case.right.append((copies.add(found.kind, [edit for _, edit in edits]), roles))
            # With several roles or scopes, what one of them allows is allowed although another one denies it.
            single = len(request.principal.roles) == 1 and not roles
            single = single and len({rule.scope for rule in found.rules}) == 1
            # What is wrong with the closest rule itself is put right with it.
            single = single and all(found.cause.rule != one.rule for one in found.also)
            if single and edits[0][0] in BLOCKING and len(edits) > 1:
                case.wrong.append((copies.add(found.kind, [edit for _, edit in edits[1:]]), roles))
    except NotFound:
        return None
    return case


def allows(pdp: lab.PDP, case: Case, copy: str, roles: tuple[str, ...]) -> bool:
    """Whether the request is allowed by a copy, for a principal with further roles."""
    own = case.request.principal
    who = dataclasses.replace(own, roles=tuple(dict.fromkeys((*own.roles, *roles))))
    asked = dataclasses.replace(case.request, kind=copy, principal=who)
    with pdp.asking(), closing(pdp.check([asked.batch(copy, [asked.action])])) as answers:
        return bool(next(answers).item())


@pytest.mark.parametrize("start", range(FIRST, LAST, 10))
def test_every_cell_of_generated_policies_is_explained_as_it_was_decided(start: int, tmp_path: Path) -> None:
    """Every DENY has a cause: with that put right in a copy of the policies, the PDP allows the request."""
    asked = generated_policies.batch(tmp_path / "policies", range(start, start + 10))
    draw = random.Random(start)
    strict = start % 40 == 30
    copies = Copies(tmp_path / "policies")
    cases, unread = [], 0
    with lab.PDP(tmp_path / "policies", strict=strict) as pdp:
        for kind, given in asked.items():
            who = generated_policies.people()
            made = lab.sweep(pdp, who, kind, actions=["see", "do"], audit=0, **given)
            cells = made.frame().sample(8, random_state=draw.randrange(1_000)).to_dict("records")
            confused = pdp.index.may_confuse(kind)
            for cell in cells:
                effect = cell.pop("effect")
                labels: dict[str, Any] = {
                    str(name): lab.MISSING if is_missing(one) else [one] for name, one in cell.items()
                }
                found = made.why(**labels, names=True)
                assert found.effect == effect
                notes = [note for note in found.notes if not (confused and "differently" in note)]
                assert notes == [], (kind, cell, found)
                applied = [rule for rule in found.rules if rule.status == APPLIED and rule.effect == effect]
                assert applied or effect == "DENY"
                assert (found.cause is None) == (effect == "ALLOW")
                if found.cause is None or confused:
                    continue
                assert found.cause.kind != NOT_KNOWN, (kind, cell, found)
                runtime = pdp.index.reads_runtime(kind)
                case = a_case(copies, request_of(made.sel(**labels)), found, reads_runtime=runtime)
                unread += case is None
                cases += [case] if case else []
        made.source.close()
    copies.write(tmp_path / "copies")
    with lab.PDP(tmp_path / "copies", strict=strict) as pdp:
        for case in cases:
            assert any(allows(pdp, case, *one) for one in case.right), (case.found, case.right)
            assert not any(allows(pdp, case, *one) for one in case.wrong), (case.found, case.wrong)
    assert len(cases) > 2 * unread, (len(cases), unread)


def test_changing_what_is_named_allows_on_the_sample_policies(pdp: lab.PDP) -> None:
    """For one false atom between two numbers or texts: the request with the other side's value is allowed."""
    rows = [
        {"id": "m", "roles": ("manager",), "region": "south", "approval_limit": 11_000},
        {"id": "f", "roles": ("finance",), "region": "west", "approval_limit": lab.MISSING},
    ]
    who = lab.shareable(pd.DataFrame(rows, dtype=object), "region", "approval_limit")
    amounts = [5_000, 5_001, 10_500, 12_000, 60_000]
    axes: dict[str, Any] = {"amount": amounts, "region": ["south", "west"], "status": ["OPEN", "PAID"]}
    made = lab.sweep(pdp, who, "expense", actions=["approve"], owner="x", **axes)
    checked = 0
    for row in made.frame().itertuples():
        found = made.why(principal=row.principal, amount=row.amount, region=row.region, status=row.status)
        if found.cause is None:
            continue
        assert found.cause.kind == CLOSEST
        (rule,) = [one for one in found.rules if one.name == found.cause.rule]
        request = {"amount": row.amount, "region": row.region, "status": row.status, "owner": "x"}
        person_row = dict(rows[0 if row.principal == "m" else 1])
        assert rule.to_change
        for atom in rule.to_change:
            left, right = atom.values
            if left.source.startswith("R."):
                request[left.name] = right.value
            else:
                person_row[left.name] = right.value
        clean = {name: value for name, value in person_row.items() if value is not lab.MISSING}
        assert pdp.is_allowed("approve", clean, "expense", request), found
        checked += 1
    assert checked > 20
    made.source.close()
