"""An open view follows an edit of its policies within a second, and says so, also if they do not compile."""

import asyncio
import pickle
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_policies import up_to, users

import clerk_cerbos_lab as lab

Write = Callable[..., Path]

ROOT = Path(__file__).parents[2]


def views(widget: Any, *, opened: bool) -> None:
    """Say what a browser says when a view is drawn or removed."""
    widget._handle_custom_msg({"kind": "view", "open": opened}, [])


async def until(widget: Any, name: str, act: Callable[[], object], seconds: float = 5.0) -> float:
    """Do something, and return how long it took until a trait changed."""
    changed = asyncio.Event()
    handler: Callable[[Any], None] = lambda _: changed.set()  # noqa: E731
    widget.observe(handler, name)
    await asyncio.sleep(0.3)  # some looks at which nothing has changed
    assert not changed.is_set()
    clock = time.perf_counter()
    act()
    await asyncio.wait_for(changed.wait(), seconds)
    took = time.perf_counter() - clock
    widget.unobserve(handler, name)
    return took


def run(scenario: Awaitable[None]) -> None:
    async def all_of_it() -> None:
        await scenario

    asyncio.run(all_of_it())


def decisions_of(pdp: lab.PDP, **more: Any) -> lab.Decisions:
    return lab.sweep(pdp, users(3), "thing", amount=[50, 150, 250], **more)


def test_a_matrix_follows_an_edit_of_a_file(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        decisions = decisions_of(pdp)
        matrix = decisions.show()
        widget, before = matrix.widget, decisions.counts()
        first = widget.payload

        async def scenario() -> None:
            views(widget, opened=True)
            await until(widget, "payload", lambda: write(thing=up_to(200)))
            await asyncio.sleep(0)
            text = widget.followed["text"]
            assert text.startswith("Policies changed at ")
            assert text.endswith("showing new decisions. Run the cell again to keep them.")
            assert widget.followed["old"] is False
            assert widget.payload == decisions_of(pdp).show().widget.payload != first
            widget.place = {"index": [0, 0, 1], "segment": None, "time": 1}
            assert matrix.selected is not None
            assert matrix.selected["effect"] == "ALLOW"  # what is drawn, not what was
            await until(widget, "payload", lambda: write(thing=up_to(100)))
            assert widget.payload == first
            assert widget.followed == {"text": "", "old": False}

        run(scenario())
        assert decisions.counts() == before


def test_what_does_not_compile_keeps_the_old_matrix_and_says_where(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        widget = decisions_of(pdp).show().widget
        first = widget.payload

        async def scenario() -> None:
            views(widget, opened=True)
            await until(widget, "followed", lambda: write(thing=up_to(100).replace("<= 100", "<= ")))
            assert widget.followed["old"] is True
            assert "this is still what was before" in widget.followed["text"]
            assert "thing.yaml:10" in widget.followed["text"]
            assert widget.payload == first
            await until(widget, "payload", lambda: write(thing=up_to(200)))
            assert widget.followed["old"] is False

        run(scenario())


def test_a_matrix_of_a_draft_follows_its_edits(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp, lab.draft(pdp) as draft:
        widget, still = decisions_of(draft.pdp).show().widget, decisions_of(pdp).show().widget
        first = widget.payload

        def broken() -> None:
            with pytest.raises(lab.PolicyError):
                draft.write("thing.yaml", up_to(200).replace("<= 200", "<= "))

        async def scenario() -> None:
            views(widget, opened=True)
            views(still, opened=True)
            await until(widget, "payload", lambda: draft.edit({"rule-001: amount": 200}))
            drawn = widget.payload
            await until(widget, "followed", broken)
            assert widget.followed["old"] is True
            assert "thing.yaml:10" in widget.followed["text"]
            assert "still uses the last text that compiled" in widget.followed["text"]
            assert widget.payload == drawn
            await until(widget, "followed", draft.undo)
            assert widget.followed["old"] is False
            await until(widget, "payload", draft.undo)
            assert widget.payload == first
            assert still.followed == {}

        run(scenario())


def test_nobody_looks_when_no_view_is_open(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[lab.PDP] = []
    real: Any = lab.PDP.signature

    def noted(pdp: lab.PDP) -> object:
        looks.append(pdp)
        return real.fget(pdp)

    monkeypatch.setattr(lab.PDP, "signature", property(noted))
    with lab.PDP(write(thing=up_to(100))) as pdp:
        widget = decisions_of(pdp).show().widget

        async def scenario() -> None:
            looks.clear()
            await asyncio.sleep(0.5)
            assert looks == []
            views(widget, opened=True)
            views(widget, opened=True)
            await asyncio.sleep(0.7)
            assert 4 <= len(looks) <= 20
            views(widget, opened=False)
            await asyncio.sleep(0.3)
            views(widget, opened=False)
            await asyncio.sleep(0.3)
            looks.clear()
            await asyncio.sleep(0.5)
            assert looks == []
            views(widget, opened=True)
            await until(widget, "payload", lambda: write(thing=up_to(200)))
            pdp.close()
            await asyncio.sleep(0.3)
            looks.clear()
            await asyncio.sleep(0.5)
            assert looks == []

        run(scenario())


def test_an_edit_while_no_view_was_open_is_drawn_when_one_opens(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        widget = decisions_of(pdp).show().widget
        first = widget.payload
        write(thing=up_to(200))
        assert widget.payload == first

        async def scenario() -> None:
            views(widget, opened=True)
            assert widget.payload != first

        run(scenario())


def test_what_has_no_pdp_or_other_policies_does_not_follow(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        decisions = decisions_of(pdp)
        stored = pickle.loads(pickle.dumps(decisions)).show().widget
        kept = decisions.show(follow=False).widget
        write(thing=up_to(200))
        earlier = decisions.show().widget  # shown after the edit: somebody wants to see the old ones

        async def scenario() -> None:
            for widget in (stored, kept, earlier):
                views(widget, opened=True)
            write(thing=up_to(250))
            await asyncio.sleep(1)
            assert stored.payload == kept.payload == earlier.payload
            assert stored.followed == kept.followed == earlier.followed == {}

        run(scenario())


def test_decisions_of_a_jwt_say_that_they_can_not_follow(write: Write) -> None:
    token = "eyJhbGciOiJub25lIn0.e30."
    config = {"auxData": {"jwt": {"disableVerification": True}}}
    with lab.PDP(write(thing=up_to(100)), config=config) as pdp:
        widget = decisions_of(pdp, aux_data=token).show().widget

        async def scenario() -> None:
            views(widget, opened=True)
            await until(widget, "followed", lambda: write(thing=up_to(200)))
            assert widget.followed["old"] is True
            assert "made with a JWT" in widget.followed["text"]
            assert token not in widget.followed["text"]

        run(scenario())


def test_an_explorer_follows_an_edit(write: Write) -> None:
    with lab.PDP(write(thing=up_to(100))) as pdp:
        explorer = lab.explore(pdp, users(3), "thing", amount=[50, 150])
        widget, before = explorer.widget, explorer.counts()

        async def scenario() -> None:
            views(widget, opened=True)
            await until(widget, "payload", lambda: write(thing=up_to(200)))
            assert explorer.counts()["ALLOW"] > before["ALLOW"]
            assert widget.followed["text"].startswith("Policies changed at ")
            await until(widget, "followed", lambda: write(thing=up_to(100).replace("<= 100", "<= ")))
            assert widget.followed["old"] is True
            assert "thing.yaml:10" in widget.followed["text"]

        run(scenario())


def test_no_note_names_a_person(write: Write) -> None:
    named = up_to(100).replace("R.attr.amount <= 100", "P.id == 'u0' && ")
    with lab.PDP(write(thing=up_to(100))) as pdp:
        frame = users(3).assign(id=["anna@example.com", "b", "c"])
        widget = lab.sweep(pdp, frame, "thing", amount=[50, 150]).show().widget

        async def scenario() -> None:
            views(widget, opened=True)
            await until(widget, "followed", lambda: write(thing=named.replace("u0", "anna@example.com")))
            assert "thing.yaml:10" in widget.followed["text"]
            assert "anna" not in widget.followed["text"]

        run(scenario())


def test_a_thousand_people_are_drawn_anew_within_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    for path in (ROOT / "policies").glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    sample = lab.load_principals(ROOT / "data" / "clerk_users.json")
    copies = [sample.assign(id=sample["id"] + f"-{i}", approval_limit=100.0 * i) for i in range(11)]
    people = pd.concat(copies, ignore_index=True).head(1_000)
    assert len(people) == 1_000
    regions = ["northeast", "south", "midwest", "west"]
    with lab.PDP(folder) as pdp, lab.draft(pdp) as draft:
        decisions = lab.sweep(
            draft.pdp,
            people,
            "expense",
            actions="approve",
            owner=lab.OTHER,
            status="OPEN",
            department="sales",
            region=regions,
            amount=lab.amounts(0, 59_700, step=300),
        )
        assert decisions.shape[2:] == (4, 200)
        widget = decisions.show().widget
        took: list[float] = []

        def edit(limit: int) -> Callable[[], None]:
            return lambda: draft.edit(cross_region_manager_limit=limit)

        async def scenario() -> None:
            views(widget, opened=True)
            took.extend([await until(widget, "payload", edit(limit)) for limit in (7_500, 6_000, 9_000)])

        run(scenario())
    assert min(took) < 3, took  # about half a second where little else runs
