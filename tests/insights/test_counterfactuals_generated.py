"""Whatever generated policies say, each counterfactual is confirmed by the PDP, and so is each part of it."""

import itertools
import os
import random
from pathlib import Path
from typing import Any

import generated_policies
import pytest

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.attribute_names import nested
from clerk_cerbos_lab.decisions.counterfactual import Counterfactual
from clerk_cerbos_lab.identity.quality import is_missing
from clerk_cerbos_lab.values import OTHER_ID, resolve

FIRST, LAST = map(int, os.environ.get("LAB_COUNTERFACTUALS_GENERATED", "0:5").split(":"))


@pytest.mark.parametrize("start", range(FIRST, LAST, 10))
def test_each_is_confirmed_and_so_is_each_part(start: int, tmp_path: Path) -> None:
    asked = generated_policies.batch(tmp_path / "policies", range(start, min(start + 10, LAST)))
    draw = random.Random(start)
    people = generated_policies.people()
    found = 0
    with lab.PDP(tmp_path / "policies", strict=start % 40 == 30) as pdp:
        for kind, given in asked.items():
            made = lab.sweep(pdp, people, kind, actions=["see", "do"], audit=0, **given)
            for cell in made.frame().sample(2, random_state=draw.randrange(1_000)).to_dict("records"):
                effect = cell.pop("effect")
                labels: dict[str, Any] = {
                    str(name): lab.MISSING if is_missing(one) else [one] for name, one in cell.items()
                }
                one = made.sel(**labels)
                result = made.counterfactuals(names=True, **labels)
                assert not [note for note in result.notes if "without any change" in note]
                for hit in draw.sample(result.found, k=min(6, len(result.found))):
                    assert hit.effect != effect
                    confirm(pdp, one, hit, effect)
                    found += 1
    assert found > 10


def confirm(pdp: lab.PDP, one: lab.Decisions, hit: Counterfactual, effect: str) -> None:
    """Ask the PDP about every part of the changes, in the way of a user."""
    (row,) = one.principals.to_dict("records")
    own = {str(name): value for name, value in row.items() if not is_missing(value)}
    axes = {axis.name: axis.values[0] for axis in one.axes}
    sent = {name: value for name, value in {**one.fixed, **axes}.items() if name != "resource_id"}
    resource = nested(sent)
    for count in range(len(hit.changes) + 1):
        for some in itertools.combinations(hit.changes, count):
            principal, attributes = dict(own), dict(resource)
            for change in some:
                if change.what == "role":
                    principal["roles"] = change.value
                elif change.what.startswith("principal."):
                    put(principal, change.what.removeprefix("principal.").split("."), change.value)
                else:
                    put(attributes, change.what.split("."), change.value)
            after = {
                name: resolve(value, own=str(own["id"]), other=OTHER_ID)
                for name, value in attributes.items()
                if value is not lab.MISSING
            }
            scope = one.question.scope
            allowed = pdp.is_allowed(one.actions[0], principal, one.kind, after, scope=scope)
            wanted = (effect == "DENY") == (count == len(hit.changes))
            assert allowed == wanted, (one.kind, own["id"], hit.sentence, [change.what for change in some])


def put(held: dict[str, Any], steps: list[str], value: Any) -> None:
    """Set or remove what is inside maps."""
    first, *inside = steps
    if inside:
        held[first] = dict(held[first]) if isinstance(held.get(first), dict) else {}
        put(held[first], inside, value)
    elif value is lab.MISSING:
        held.pop(first, None)
    else:
        held[first] = value
