"""Guards of a sweep against a wrong analysis, and of a display against a wrong answer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_policies import resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.cells import Block, CompressedEffects, Points
from clerk_cerbos_lab.decisions.cube import SweptCube, segmented
from clerk_cerbos_lab.decisions.lines import LineBlock, Lines
from clerk_cerbos_lab.pdp.drafts import files_with
from clerk_cerbos_lab.pdp.snapshots import Snapshot
from clerk_cerbos_lab.policies.analysis import Analysis
from clerk_cerbos_lab.policies.index import PolicyIndex
from clerk_cerbos_lab.policies.movable import limits_of
from clerk_cerbos_lab.policies.moves import moves_of

VARIABLES = '{most: "P.attr.limit * 1.5", more: "P.attr.other * 2.0"}'
PERSON = {"id": "u0", "roles": ["user"]}


@pytest.mark.parametrize("forgotten", ["amount", "limit"])
def test_an_attribute_that_cerbos_reports_and_the_analysis_misses_means_asking_every_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    real = PolicyIndex.analysis

    def blind(self: PolicyIndex, *given: object) -> Analysis:
        found = real(self, *given)  # type: ignore[arg-type]
        uses = {name: use for name, use in found.uses.items() if name != forgotten}
        return replace(
            found, uses=uses, principal_attributes=(found.principal_attributes or set()) - {forgotten}
        )

    monkeypatch.setattr(PolicyIndex, "analysis", blind)
    people = users(3, limit=7.0)
    people["limit"] = [3.0, 5.0, 7.0]
    with lab.PDP(write(tmp_path / "p", thing=resource_policy(rule("R.attr.amount <= P.attr.limit")))) as pdp:
        swept = lab.sweep(pdp, people, "thing", amount=range(9), audit=0)
        every = lab.sweep(pdp, people, "thing", amount=range(9), method="every-cell")
    assert swept.provenance.asked == len(swept)
    assert f"does not find: {forgotten}" in swept.provenance.notes[-1]
    assert (swept.allowed() == every.allowed()).all()


def test_a_cube_whose_lines_contradict_its_cells_is_drawn_from_its_cells() -> None:
    values = [1.0, 5.0, 6.0]
    block = LineBlock(np.array([0]), np.array([[5.0]]), (), np.array([[[True, True, False]]]))
    lines = {2: Lines((block,), np.array([0]), np.array([0]))}
    index = [np.array([0]), np.array([0]), np.arange(3)]

    def drawn(effects: list[bool]) -> object:
        only, every = np.zeros(1, dtype=np.intp), np.arange(3)
        block = Block((Points(every, every),), np.array([[effects]]))
        cells = CompressedEffects((1, 1, 3), only, (block,), only, only)
        return segmented(SweptCube(cells, lines), 2, index, values)

    assert drawn([True, True, False]) is not None
    assert drawn([True, False, False]) is None
    assert drawn([True, True, True]) is None


def test_a_copy_of_policies_keeps_their_schemas(tmp_path: Path) -> None:
    text = up_to(100).replace("  rules:", "  constants: {local: {limit: 5}}\n  rules:")
    text = text.replace(
        "resourcePolicy:", "resourcePolicy:\n  schemas: {resourceSchema: {ref: 'cerbos:///thing.json'}}"
    )
    folder = write(tmp_path / "p", thing=text)
    schema = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 50}}}
    (folder / "_schemas").mkdir()
    (folder / "_schemas" / "thing.json").write_text(json.dumps(schema))
    config = {"schema": {"enforcement": "reject"}}
    with lab.PDP(folder, config=config) as pdp, lab.what_if(pdp, limit=6) as moved:
        for asked in (pdp, moved):
            effects = [asked.is_allowed("approve", PERSON, "thing", {"amount": x}) for x in (40, 60)]
            assert effects == [True, False]


def test_a_copy_of_policies_whose_files_are_not_known_keeps_their_schemas() -> None:
    document = {"resourcePolicy": {"resource": "thing", "constants": {"local": {"limit": 5}}}}
    files = {"_schemas/thing.json": b"{}", "thing.yaml": b"..."}
    moves = moves_of(limits_of([document], {}), {"limit": 6})
    made, problems = files_with(files, [document], moves)
    assert "does not say which policy is in which file" in problems["a policy"]
    assert made["_schemas/thing.json"] == b"{}"
    assert json.loads(made["0000.json"])["resourcePolicy"]["constants"]["local"] == {"limit": 6}
    assert "thing.yaml" not in made


def test_values_are_computed_leniently_even_for_a_strict_pdp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[Any] = []

    def noted(self: Snapshot, files: Any, config: Any = None) -> Snapshot:
        configs.append(config)
        return Snapshot(files, config or self.config)

    monkeypatch.setattr(Snapshot, "of", noted)
    policy = resource_policy(
        rule("R.attr.amount <= V.most", actions=["one"]), rule("R.attr.amount <= V.more", actions=["two"])
    ).replace("  rules:", f"  variables: {{local: {VARIABLES}}}\n  rules:")
    people = users(3)
    people["limit"], people["other"] = [10.0, 20.0, 30.0], [1.0, lab.MISSING, 2.0]
    with lab.PDP(write(tmp_path / "p", thing=policy), strict=True) as pdp:
        swept = lab.sweep(pdp, people, "thing", amount=range(60))
        every = lab.sweep(pdp, people, "thing", amount=range(60), method="every-cell")
    assert ["strictEvaluation" in config["engine"] for config in configs] == [False]
    found = swept.thresholds("amount", action="one")
    assert found["exact"].all()
    assert set(found["upper"]) >= {15.0, 45.0}
    assert (swept.allowed() == every.allowed()).all()
