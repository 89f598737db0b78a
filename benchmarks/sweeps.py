"""Measures the sweep that asks each different question once: part of `make bench`.

Writes benchmarks/sweeps.md and benchmarks/sweeps.svg: growing users and amounts against what a user of
the SDK would write, one question at a time and in batches of 500, all in one run.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from cerbos.engine.v1 import engine_pb2
from cerbos.request.v1 import request_pb2
from cerbos.sdk.grpc.client import AsyncCerbosClient, CerbosClient
from google.protobuf.struct_pb2 import Value

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.pdp import messages
from clerk_cerbos_lab.pdp.client import PDP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
ACTIONS = ["view", "approve", "delete"]
REGIONS = ["south", "northeast", "midwest", "west"]
OWNERS = [lab.SELF, lab.OTHER]
GROWING_USERS = 5
BATCH = 500
IN_FLIGHT = 4
SAMPLE = lab.load_principals(ROOT / "data" / "clerk_users.json")

Entry = request_pb2.CheckResourcesRequest.ResourceEntry
Row = tuple[str, ...]


def repeated(count: int) -> pd.DataFrame:
    """The sample profiles repeated under new ids."""
    times = -(-count // len(SAMPLE))
    people = pd.concat([SAMPLE.drop(columns="id")] * times, ignore_index=True).head(count)
    people.insert(0, "id", [f"user_{i}" for i in range(count)])
    return people


def grid(steps: int) -> list[int | float]:
    """This many steps from 0 to 60,000."""
    return lab.amounts(0, 60_000, step=60_000 / steps)


def sweep(
    pdp: lab.PDP,
    people: pd.DataFrame,
    amounts: list[Any],
    method: Literal["auto", "every-cell"] = "auto",
    **more: Any,
) -> lab.Decisions:
    """The kit's own way."""
    given = {"actions": ACTIONS, "region": REGIONS, "owner": OWNERS, **more}
    return lab.sweep(pdp, people, "expense", amount=amounts, status="OPEN", method=method, **given)


def seconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# -- the same with the SDK --------------------------------------------------------------------


def bare_questions(people: int, amounts: int) -> Iterator[tuple[engine_pb2.Principal, list[Entry]]]:
    """Some of the same questions, in the SDK's form."""
    for row in SAMPLE.head(people).to_dict("records"):
        attr = {
            str(name): messages.to_value(value)
            for name, value in row.items()
            if name not in {"id", "roles"} and not (isinstance(value, float) and value != value)  # noqa: PLR0124
        }
        who = engine_pb2.Principal(id=row["id"], roles=row["roles"], attr=attr)
        combinations = itertools.product(range(amounts), REGIONS, [row["id"], "somebody-else"])
        while chunk := list(itertools.islice(combinations, BATCH)):
            yield (
                who,
                [
                    Entry(
                        actions=ACTIONS,
                        resource=engine_pb2.Resource(
                            kind="expense",
                            id="resource",
                            attr={
                                "amount": Value(number_value=amount * 60),
                                "region": Value(string_value=region),
                                "owner": Value(string_value=owner),
                                "status": Value(string_value="OPEN"),
                            },
                        ),
                    )
                    for amount, region, owner in chunk
                ],
            )


async def bare_loop(address: str) -> None:
    """Batches of 500, four in flight, with the questions made on the fly."""
    gate = asyncio.Semaphore(IN_FLIGHT)
    async with AsyncCerbosClient(address) as client:

        async def ask(who: engine_pb2.Principal, entries: list[Entry]) -> int:
            async with gate:
                response = await client.check_resources(who, entries)
            return sum(result.actions[action] == 1 for result in response.results for action in ACTIONS)

        await asyncio.gather(*(ask(who, entries) for who, entries in bare_questions(8, 1_001)))


def one_at_a_time(address: str, checks: int) -> None:
    """`is_allowed` in a loop."""
    with CerbosClient(address) as client:
        some = itertools.cycle(
            (who, entry.resource, action)
            for who, entries in bare_questions(8, 20)
            for entry in entries
            for action in ACTIONS
        )
        for who, resource, action in itertools.islice(some, checks):
            client.is_allowed(action, who, resource)


async def send(address: str, requests: list[request_pb2.CheckResourcesRequest]) -> None:
    """Send prepared requests, four in flight."""
    gate = asyncio.Semaphore(IN_FLIGHT)
    async with AsyncCerbosClient(address) as client:

        async def one(request: request_pb2.CheckResourcesRequest) -> None:
            async with gate:
                await client.check_resources(request.principal, list(request.resources))

        await asyncio.gather(*(one(request) for request in requests))


# -- measures ---------------------------------------------------------------------------------


def growing(pdp: lab.PDP) -> tuple[list[Row], list[tuple[int, float]], float, float]:
    """Growing users, growing amounts."""
    bare = statistics.median(
        8 * 1_001 * 8 * 3 / seconds(lambda: asyncio.run(bare_loop(pdp.address))) for _ in range(3)
    )
    single = statistics.median(1_500 / seconds(lambda: one_at_a_time(pdp.address, 1_500)) for _ in range(3))
    rows: list[Row] = []
    points = []
    sizes = [(10 ** (2 + n), 1_000) for n in range(GROWING_USERS)]
    sizes += [(10_000, steps) for steps in (100, 10_000, 100_000)]
    for count, steps in sizes:
        people, amounts = repeated(count), grid(steps)
        took = [seconds(lambda: sweep(pdp, people, amounts)) for _ in range(ROUNDS if count < 10**6 else 2)]  # noqa: B023
        own = statistics.median(took)
        swept = sweep(pdp, people, amounts)
        decisions = len(swept)
        asked = swept.provenance.asked + swept.provenance.audited
        points.append((decisions, own))
        rows.append(
            (
                f"{count:,}",
                f"{len(amounts):,}",
                f"{decisions:,}",
                f"{asked:,}",
                f"{own:.2f} s",
                f"{decisions / own / bare:,.0f} ×",
                f"{decisions / own / single:,.0f} ×",
            )
        )
        print(rows[-1], flush=True)
    return rows, points, bare, single


def ratios(pdp: lab.PDP) -> list[Row]:
    """Ratios that must not grow, measured in turns."""

    def compared(one: Callable[[], Any], other: Callable[[], Any]) -> float:
        found = []
        for number in range(2 * ROUNDS):
            first, second = (one, other) if number % 2 else (other, one)
            took = {first: seconds(first), second: seconds(second)}
            found.append(took[one] / took[other])
        return statistics.median(found)

    people, more = repeated(10_000), repeated(100_000)
    coarse, fine = grid(1_000), grid(10_000)
    finer = compared(lambda: sweep(pdp, people, fine), lambda: sweep(pdp, people, coarse))
    users = compared(lambda: sweep(pdp, more, coarse), lambda: sweep(pdp, people, coarse))
    requests = recorded(lambda: sweep(pdp, people, coarse))
    beyond = compared(lambda: sweep(pdp, people, coarse), lambda: asyncio.run(send(pdp.address, requests)))
    limits = people.assign(approval_limit=[1_000.5 + 7 * i for i in range(10_000)])
    own = compared(lambda: sweep(pdp, limits.head(1_000), fine), lambda: sweep(pdp, people.head(1_000), fine))
    different = limits.head(300)
    distinct = compared(
        lambda: sweep(pdp, different, [1, 7_000, 20_000, 55_000]),
        lambda: sweep(pdp, different, [1, 7_000, 20_000, 55_000], "every-cell"),
    )
    return [
        ("10,001 amounts compared with 1,001, 10,000 users", f"{finer:.2f} ×"),
        ("100,000 users compared with 10,000, the same profiles", f"{users:.2f} ×"),
        (
            f"the whole sweep compared with its {len(requests)} requests sent by a bare asyncio client",
            f"{beyond:.2f} ×",
        ),
        ("1,000 users, each with a limit of their own, compared with the shared profiles", f"{own:.2f} ×"),
        ("every user different, hardly an amount to merge, compared with every cell", f"{distinct:.2f} ×"),
        (
            "policies in which nothing can be merged, compared with every cell",
            f"{nothing_to_merge(compared):.2f} ×",
        ),
    ]


def recorded(work: Callable[[], Any]) -> list[request_pb2.CheckResourcesRequest]:
    """The requests that a sweep sends."""
    sent: list[request_pb2.CheckResourcesRequest] = []
    send_it = PDP._send  # noqa: SLF001 - what is measured

    def noting(self: PDP, request: request_pb2.CheckResourcesRequest, aux_data: Any) -> Any:
        sent.append(request)
        return send_it(self, request, aux_data)

    PDP._send = noting  # type: ignore[method-assign] # noqa: SLF001
    try:
        work()
    finally:
        PDP._send = send_it  # type: ignore[method-assign] # noqa: SLF001
    return sent


def nothing_to_merge(compared: Callable[[Callable[[], Any], Callable[[], Any]], float]) -> float:
    """A policy that uses ids and amounts in ways that no analysis can follow."""
    policy = """apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: thing
  version: default
  rules:
    - actions: [do]
      roles: ["*"]
      effect: EFFECT_ALLOW
      condition: {match: {expr: 'size(P.id) > 6 && size(string(R.attr.amount)) < 4'}}
"""
    people = pd.DataFrame({"id": [f"user_{i}" for i in range(300)], "roles": [("user",)] * 300})
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "thing.yaml").write_text(policy, encoding="utf-8")
        with lab.PDP(folder) as pdp:
            return compared(
                lambda: lab.sweep(pdp, people, "thing", amount=range(100)),
                lambda: lab.sweep(pdp, people, "thing", amount=range(100), method="every-cell"),
            )


def thresholds(pdp: lab.PDP) -> list[Row]:
    """Exact thresholds of a thousand users."""
    rows: list[Row] = []
    people = repeated(1_000)
    for what, some in (
        ("the sample profiles repeated", people),
        (
            "each with their own limit",
            people.assign(approval_limit=[1_000.5 + 7 * i for i in range(1_000)]),
        ),
    ):
        swept = sweep(pdp, some, [0])
        took = statistics.median(
            seconds(partial(swept.thresholds, "amount", action="approve")) for _ in range(3)
        )
        found = swept.thresholds("amount", action="approve")
        rows.append(
            (f"1,000 users × 4 regions × 2 owners, {what}", f"{len(found):,} intervals", f"{took:.2f} s")
        )
    return rows


DIFFERENT = """apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: thing
  version: default
  rules:
    - {actions: [limit], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {expr: R.attr.amount <= P.attr.limit && R.attr.region == P.attr.region}}}
    - {actions: [team], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {expr: R.attr.team in P.attr.teams}}}
    - {actions: [centre], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {expr: R.attr.centre == P.attr.centre}}}
    - {actions: [mail], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {expr: 'P.attr.mail.endsWith("@acme.example") && R.attr.amount < 500'}}}
    - {actions: [limits], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {expr: "P.attr.limits.exists(l, R.attr.amount <= l)"}}}
    - {actions: [nested], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {expr: R.attr.money.amount <= P.attr.org.limit}}}
"""


def everybody_different(bare: float) -> list[Row]:
    """People of whom no two are alike."""

    def frame(count: int, **columns: Any) -> pd.DataFrame:
        ids = [f"user_{i}" for i in range(count)]
        return pd.DataFrame({"id": ids, "roles": [("user",)] * count, **columns})

    def limits(count: int) -> pd.DataFrame:
        regions = [("north", "south", "east", "west")[i % 4] for i in range(count)]
        return frame(count, limit=np.arange(count) * 0.37 + 1, region=regions)

    amounts, regions = lab.amounts(0, 250_000, step=250), ["north", "south", "east", "west"]
    teams, centres = [f"t{i}" for i in range(500)], [f"c{i}" for i in range(5_000)]
    lists = pd.Series([[teams[i * k % 500] for k in range(1, 9)] for i in range(1, 1_001)], dtype=object)
    mails = [f"u{i}@{'acme' if i % 3 else 'other'}.example" for i in range(1_000)]
    own = pd.Series([[i * 7.5, i * 11.0, i * 13.0] for i in range(1, 1_001)], dtype=object)
    maps = pd.Series([{"limit": i * 97.5, "site": f"s{i}"} for i in range(1_000)], dtype=object)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "thing.yaml").write_text(DIFFERENT, encoding="utf-8")
        with lab.PDP(folder) as pdp:
            for what, people, action, given in (
                (
                    "1,000 users, each with a limit",
                    limits(1_000),
                    "limit",
                    {"amount": amounts, "region": regions},
                ),
                (
                    "1,000,000 users, each with a limit",
                    limits(1_000_000),
                    "limit",
                    {"amount": amounts, "region": regions},
                ),
                (
                    "1,000 users, each with a list of 8 teams, 500 teams",
                    frame(1_000, teams=lists),
                    "team",
                    {"team": teams},
                ),
                (
                    "1,000 users, each with a cost centre, 5,000 centres",
                    frame(1_000, centre=centres[::5]),
                    "centre",
                    {"centre": centres},
                ),
                (
                    "1,000 users, each with an address, a function of it",
                    frame(1_000, mail=mails),
                    "mail",
                    {"amount": amounts},
                ),
                (
                    "1,000 users, each with a list of 3 limits",
                    frame(1_000, limits=own),
                    "limits",
                    {"amount": amounts},
                ),
                (
                    "1,000 users, each with a limit inside a map",
                    frame(1_000, org=maps),
                    "nested",
                    {"attr": {"money.amount": amounts}},
                ),
            ):
                ask = partial(lab.sweep, pdp, people, "thing", actions=action, **given)
                took = statistics.median(seconds(ask) for _ in range(3))
                found = ask()
                made = found.provenance
                asked = made.asked + made.audited + made.asked_along_axes
                rate = len(found) / took / bare
                rows.append((what, f"{len(found):,}", f"{asked:,}", f"{took:.2f} s", f"{rate:,.0f} ×"))
                if len(people) == 1_000_000:
                    took = statistics.median(seconds(partial(found.thresholds, "amount")) for _ in range(3))
                    intervals = f"{len(found.thresholds('amount')):,} intervals"
                    rows.append(("their exact thresholds", intervals, "0", f"{took:.2f} s", ""))
    return rows


def memory() -> list[Row]:
    """Peak memory of a separate process."""
    code = """
import resource, sys
sys.path.insert(0, "benchmarks")
from sweeps import lab, grid, repeated, sweep
with lab.PDP("policies") as pdp:
    swept = sweep(pdp, repeated({users}), grid(1_000))
    swept.counts()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    rows: list[Row] = []
    for users in (10_000, 1_000_000):
        done = subprocess.run(
            [sys.executable, "-c", code.format(users=users)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        rows.append((f"{users:,} users × 1,001 amounts × 4 × 2 × 3", f"{float(done.stdout):,.0f} MB peak"))
    return rows


# -- writing ----------------------------------------------------------------------------------


def table(head: Row, rows: list[Row]) -> str:
    """Rows as Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(points: list[tuple[int, float]], bare: float, single: float) -> None:
    """Seconds over decisions, for the three ways."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "clerk-cerbos-lab"
    mpl.rcParams["font.family"] = "sans-serif"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, axes = plt.subplots(figsize=(7.2, 4.2), facecolor="white")
    ends = [min(points)[0], max(points)[0]]
    axes.loglog(ends, [n / single for n in ends], color="#9a4a00", ls=":", label="is_allowed, one at a time")
    axes.loglog(
        ends, [n / bare for n in ends], color="#555555", ls="--", label="bare asyncio SDK, batches of 500"
    )
    for some, marker, what in (
        (points[:GROWING_USERS], "o", "100 to 1,000,000 users"),
        ([points[2], *points[GROWING_USERS:]], "D", "101 to 100,001 amounts"),
    ):
        line = list(zip(*sorted(some), strict=True))
        axes.loglog(*line, color="#0072b2", marker=marker, ms=5, label=f"lab.sweep, {what} (measured)")
    for where, text in ((1, "1 s"), (3_600, "1 hour"), (86_400 * 30, "1 month")):
        axes.axhline(where, color="#cccccc", lw=0.8, zorder=0)
        axes.annotate(text, (ends[0], where), ha="left", va="bottom", fontsize=8, color="#666666")
    axes.set_xlabel("decisions")
    axes.set_ylabel("seconds")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.42), fontsize=9)
    figure.tight_layout()
    figure.savefig(ROOT / "benchmarks" / "sweeps.svg", metadata={"Date": None})


def main() -> None:
    """Measure, and write the table and the picture."""
    os.environ["TQDM_DISABLE"] = "1"
    used = memory()  # first: a child's peak is not below what its parent holds when it starts it
    with lab.PDP(ROOT / "policies") as pdp:
        sweep(pdp, SAMPLE, grid(10))  # the parser is loaded once per process
        rows, points, bare, single = growing(pdp)
        constant = ratios(pdp)
        exact = thresholds(pdp)
        different = everybody_different(bare)
        cerbos = pdp.version
    text = f"""# A sweep asks each different question once

Measured by `make bench`: 4 regions × 2 owners × 3 actions, the sample policies, {os.cpu_count()} cores,
Python {sys.version.split()[0]}, Cerbos {cerbos}. All in one run, medians. Users are the sample
profiles repeated under new ids. *Asked* includes the audit. The last two columns compare decisions per
second with those of the bare asyncio SDK in batches of {BATCH} ({bare:,.0f} per second in this run) and of
`is_allowed` one at a time ({single:,.0f} per second).

{table(("users", "amounts", "decisions", "asked", "time", "bare SDK", "is_allowed"), rows)}

![seconds over decisions](sweeps.svg)

The dashed and dotted lines extrapolate the measured rates.

{table(("what", "ratio of times"), constant)}

{table(("exact thresholds, each boundary asked on both sides", "rows", "time"), exact)}

{table(("everybody different, own policy", "decisions", "asked", "time", "bare SDK"), different)}

{table(("memory", "of the whole process"), used)}
"""
    (ROOT / "benchmarks" / "sweeps.md").write_text(text, encoding="utf-8")
    picture(points, bare, single)
    print(text)


if __name__ == "__main__":
    main()
