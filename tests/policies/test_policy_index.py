"""The policy index: what is known about policies is found out once, and says where it stands."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_policies import resource_policy, rule, up_to, users, write

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.policies import analysis
from clerk_cerbos_lab.policies.index import MOST_KEPT, PolicyIndex, index_of
from clerk_cerbos_lab.policies.lines import lines_of
from clerk_cerbos_lab.policies.policy_set import Audience

DATA = Path(__file__).parents[2] / "data" / "clerk_users.json"
POLICIES = Path(__file__).parents[2] / "policies"
NUMBERS = itertools.count(5_000_000)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder of policies that no other test has asked."""
    return write(tmp_path / "fresh", thing=up_to(next(NUMBERS)))


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Audience | None]]:
    """Every analysis that is made, by kind and audience."""
    made: list[tuple[str, Audience | None]] = []
    real = analysis.analyse

    def counted(policy_set: Any, kind: str, audience: Audience | None = None) -> Any:
        made.append((kind, audience))
        return real(policy_set, kind, audience)

    monkeypatch.setattr(analysis, "analyse", counted)
    return made


def test_a_sweep_analyses_once_per_audience_and_the_next_sweep_not_at_all(
    fresh: Path, analysed: list[Any]
) -> None:
    people = users(4)
    people["roles"] = [("user",), ("boss",), ("user",), ("boss", "user")]
    with lab.PDP(fresh) as pdp:
        lab.sweep(pdp, people, "thing", amount=[1, 2], method="auto")
        assert len(analysed) == len(set(analysed)) > 0
        del analysed[:]
        lab.sweep(pdp, people, "thing", amount=[3, 4, 5], region=["x"])
        assert analysed == []
    with lab.PDP(fresh) as other:  # the same policies, another PDP
        lab.sweep(other, people, "thing", amount=[6])
    assert analysed == []


def test_changed_policies_are_analysed_again_and_restored_ones_are_not(
    tmp_path: Path, analysed: list[Any]
) -> None:
    first, second = up_to(next(NUMBERS)), up_to(next(NUMBERS))
    folder = write(tmp_path / "edited", thing=first)
    with lab.PDP(folder) as pdp:
        for text, new in ((first, True), (second, True), (first, False), (second, False)):
            (folder / "thing.yaml").write_text(text)
            del analysed[:]
            lab.sweep(pdp, users(), "thing", amount=[1])
            assert bool(analysed) == new


def test_an_explorer_analyses_nothing_when_a_control_is_moved(analysed: list[Any]) -> None:
    people = lab.load_principals(DATA)
    with lab.PDP(POLICIES) as pdp:
        explorer = lab.explore(pdp, people, "expense")
        assert len(analysed) == len(set(analysed))
        explorer.state = {"region": ["south"]}
        explorer.state = {"constants": {"regional_manager_limit": 7_777}}
        del analysed[:]
        explorer.state = {"region": ["northeast", "west"]}
        explorer.state = {"amount": {"low": 0, "high": 90_000, "step": 100}}
        assert analysed == []


def test_a_pdp_at_an_address_keeps_its_index_while_its_policies_stay(
    fresh: Path, analysed: list[Any]
) -> None:
    with lab.PDP(fresh) as own, lab.PDP(address=own.address, admin=("cerbos", "cerbosAdmin")) as pdp:
        lab.sweep(pdp, users(), "thing", amount=[1, 2])
        del analysed[:]
        lab.sweep(pdp, users(), "thing", amount=[3])
        assert analysed == []
        assert pdp.index is pdp.index


def test_only_the_last_sets_of_policies_are_kept() -> None:
    def made(number: int) -> PolicyIndex:
        return index_of([{"resourcePolicy": {"resource": f"r{number}", "version": "default"}}])

    first = made(0)
    assert made(0) is first
    for number in range(1, MOST_KEPT + 1):
        made(number)
    assert made(0) is not first


def test_a_cached_refusal_is_raised_each_time(fresh: Path) -> None:
    with lab.PDP(fresh) as pdp:
        for _ in range(2):
            with pytest.raises(lab.InputError, match="no policy is about the resource kind 'thong'"):
                pdp.reached("thong")


def each_line(text: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(text.splitlines(), 1)


def test_lines_of_rules_variables_and_expressions_are_those_of_the_file() -> None:
    text = (POLICIES / "expense.yaml").read_text("utf-8")
    found = lines_of({"expense.yaml": text, "broken.yaml": "a: ["})
    names = {line.split("name:")[1].strip(): number for number, line in each_line(text) if " name: " in line}
    assert len(names) > 3
    for name, number in names.items():
        assert found.of_text("expense.yaml", name) == number
    rules = [number for number, line in each_line(text) if line.lstrip().startswith("- actions:")]
    told = [found.of("expense.yaml", "resourcePolicy", "rules", place) for place in range(len(rules))]
    assert told == rules
    assert found.of("expense.yaml", "nothing") is None
    assert found.of_text("broken.yaml", "a") is None


def test_json_and_block_scalars_have_lines_too() -> None:
    block = "a:\n  b: |\n    R.attr.x == 1\n  c: R.attr.y == 2\n"
    found = lines_of({"one.yaml": block, "two.json": '{\n "a": {\n  "b": "P.id"}}'})
    assert found.of_text("one.yaml", "R.attr.x == 1") == 3
    assert found.of_text("one.yaml", "R.attr.y == 2") == 4
    assert found.of_text("two.json", "P.id") == 3
    assert found.of("two.json", "a", "b") == 3


def test_a_note_names_the_line_of_the_expression(tmp_path: Path) -> None:
    text = resource_policy(rule("R.attr.amount * 2.0 <= 9.0"))
    (line,) = [number for number, one in each_line(text) if "R.attr.amount * 2.0" in one]
    with lab.PDP(write(tmp_path / "p", thing=text)) as pdp:
        swept = lab.sweep(pdp, users(), "thing", amount=range(10))
    (note,) = [note for note in swept.provenance.notes if "Every value" in note]
    assert f"`R.attr.amount * 2.0 <= 9.0` in thing.yaml, line {line}" in note
