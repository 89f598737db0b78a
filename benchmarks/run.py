"""Measures the kit and writes benchmarks/results.md: `make bench`.

What is compared is compared in one run, in turns, as a ratio of medians: absolute figures differ from
machine to machine. Nothing here is a test.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from cerbos.engine.v1 import engine_pb2
from cerbos.request.v1 import request_pb2
from cerbos.sdk.grpc.client import AsyncCerbosClient, CerbosClient
from google.protobuf.struct_pb2 import Value

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7
PEOPLE = 100
AMOUNTS = 1_000
CHECKS = PEOPLE * AMOUNTS
BATCH = 500
IN_FLIGHT = 4

Entry = request_pb2.CheckResourcesRequest.ResourceEntry


def people() -> pd.DataFrame:
    """A hundred managers who differ by their id."""
    return pd.DataFrame(
        {
            "id": [f"user_{i}" for i in range(PEOPLE)],
            "roles": [("manager",)] * PEOPLE,
            "region": ["south"] * PEOPLE,
        }
    )


def entries() -> list[Entry]:
    """The same thousand questions as the sweep's, in the SDK's form."""
    text = {"region": "south", "owner": "somebody-else", "status": "OPEN"}
    fixed = {name: Value(string_value=value) for name, value in text.items()}
    return [
        Entry(
            actions=["approve"],
            resource=engine_pb2.Resource(
                kind="expense", id="resource", attr={**fixed, "amount": Value(number_value=amount)}
            ),
        )
        for amount in range(AMOUNTS)
    ]


def bare_principals() -> list[engine_pb2.Principal]:
    """The same people in the SDK's form."""
    attr = {"region": Value(string_value="south")}
    return [engine_pb2.Principal(id=f"user_{i}", roles=["manager"], attr=attr) for i in range(PEOPLE)]


async def bare_loop(address: str) -> int:
    """A careful user's code for the asyncio SDK: batches of 500, four in flight."""
    questions, who = entries(), bare_principals()
    gate = asyncio.Semaphore(IN_FLIGHT)
    async with AsyncCerbosClient(address) as client:

        async def ask(principal: engine_pb2.Principal, start: int) -> int:
            async with gate:
                response = await client.check_resources(principal, questions[start : start + BATCH])
            return sum(result.actions["approve"] == 1 for result in response.results)

        parts = [ask(principal, start) for principal in who for start in range(0, AMOUNTS, BATCH)]
        return sum(await asyncio.gather(*parts))


def one_at_a_time(address: str, checks: int) -> int:
    """A user's first attempt: `is_allowed` in a loop."""
    questions, who = entries(), bare_principals()
    with CerbosClient(address) as client:
        return sum(
            client.is_allowed("approve", who[i % PEOPLE], questions[i % AMOUNTS].resource)
            for i in range(checks)
        )


def sweep(pdp: lab.PDP) -> lab.Decisions:
    """The kit's own way."""
    return lab.sweep(
        pdp,
        people(),
        "expense",
        actions="approve",
        amount=range(AMOUNTS),
        region="south",
        owner=lab.OTHER,
        status="OPEN",
        method="every-cell",
    )


def seconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rates() -> list[str]:
    """Decisions per second of the three ways, in turns."""
    ours, bare, single = [], [], []
    singles = 2_000
    with lab.PDP(ROOT / "policies") as pdp:
        expected = asyncio.run(bare_loop(pdp.address))
        if sweep(pdp).counts()["ALLOW"] != expected:
            sys.exit("the sweep and the bare loop do not agree")
        for number in range(ROUNDS):
            turns: list[Callable[[], None]] = [
                lambda: bare.append(CHECKS / seconds(lambda: asyncio.run(bare_loop(pdp.address)))),
                lambda: ours.append(CHECKS / seconds(lambda: sweep(pdp))),
            ]
            for turn in turns if number % 2 else reversed(turns):
                turn()
            single.append(singles / seconds(lambda: one_at_a_time(pdp.address, singles)))
    mine, base, alone = (statistics.median(found) for found in (ours, bare, single))
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    return [
        f"| every-cell sweep, {CHECKS:,} checks | {mine:,.0f} decisions/s | {ratio:.2f} × the bare loop |",
        f"| bare asyncio SDK, batches of {BATCH}, {IN_FLIGHT} in flight | {base:,.0f} decisions/s | 1 |",
        f"| `is_allowed`, one at a time | {alone:,.0f} decisions/s | {alone / base:.3f} |",
    ]


def child(code: str) -> str:
    """The output of a fresh Python process."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "tests"
    )
    return done.stdout.strip()


def import_time() -> str:
    """A fresh interpreter's import."""
    code = "import time; t = time.perf_counter(); import clerk_cerbos_lab; print(time.perf_counter() - t)"
    own = statistics.median(float(child(code)) for _ in range(ROUNDS))
    code = "import time; t = time.perf_counter(); import pandas; print(time.perf_counter() - t)"
    other = statistics.median(float(child(code)) for _ in range(ROUNDS))
    return f"| `import clerk_cerbos_lab` | {own:.3f} s | {own / other:.2f} × `import pandas` |"


def cold_start() -> str:
    """From nothing to an answering PDP."""

    def start() -> None:
        lab.PDP(ROOT / "policies").close()

    own = statistics.median(seconds(start) for _ in range(ROUNDS))
    return f"| PDP ready, and closed, from a cold start | {own:.2f} s | |"


def loading() -> str:
    """10,000 users from the local Clerk server, with one 429 and one 503 on the way."""
    code = """
import time, json, pathlib, copy
from clerk_server import KEY, Fault, serve
import clerk_cerbos_lab as lab
base = json.loads(pathlib.Path("../data/clerk_users.json").read_text())
users = [
    dict(base[i % len(base)], id=f"user_{i:027d}", created_at=1_700_000_000_000 + i) for i in range(10_000)
]
faults = [Fault(4, 429, {"Retry-After": "1"}), Fault(9, 503)]
with serve(users, faults=faults) as clerk:
    start = time.perf_counter()
    loaded = lab.load_users(key=KEY, api_url=clerk.url)
    took = time.perf_counter() - start
assert [user.id for user in loaded] == [user["id"] for user in users]
print(took)
"""
    took = statistics.median(float(child(code)) for _ in range(3))
    what = "10,000 Clerk users, one 429 (1 s asked for) and one 503"
    return f"| {what} | {took:.2f} s | {took - 1:.2f} s beyond the wait |"


def memory() -> list[str]:
    """Peak memory of a process that asks a million decisions, in two shapes."""
    code = """
import resource, pandas as pd, clerk_cerbos_lab as lab
people = pd.DataFrame({{"id": [f"user_{{i}}" for i in range({people})], "roles": [("manager",)] * {people}}})
with lab.PDP("../policies") as pdp:
    decisions = lab.sweep(pdp, people, "expense", actions="approve", amount=range({amounts}),
                          region="south", owner=[lab.SELF, lab.OTHER], status="OPEN", method="every-cell")
{more}
assert len(decisions) == 1_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    rows = []
    for persons, number, more, what in (
        (1_000, 500, "", "1,000 principals × 500 amounts × 2"),
        (1, 500_000, "", "1 principal × 500,000 amounts × 2"),
        (1_000, 500, "frame = decisions.frame()", "the same as a frame of 1,000,000 rows"),
    ):
        peak = int(child(code.format(people=persons, amounts=number, more=more))) / 1024
        rows.append(f"| memory for 1,000,000 every-cell decisions: {what} | {peak:,.0f} MB peak | |")
    return rows


def main() -> None:
    """Measure everything and write the table."""
    os.environ["TQDM_DISABLE"] = "1"
    rows = []
    for measure in (rates, import_time, cold_start, loading, memory):
        found = measure()
        for row in [found] if isinstance(found, str) else found:
            print(row, flush=True)
            rows.append(row)
    with lab.PDP(ROOT / "policies") as pdp:
        cerbos = pdp.version
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    versions = f"Python {platform.python_version()}, Cerbos {cerbos}"
    text = "\n".join(
        [
            "# Measured by `make bench`",
            "",
            f"{machine}, {versions}. Medians; ratios are within the same run.",
            "",
            "| what | figure | compared |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
    (ROOT / "benchmarks" / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
