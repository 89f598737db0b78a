"""A replay of past records: how many, for how much money, had nobody, and which would move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clerk_cerbos_lab.decisions.replay import CHANGES
from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from decimal import Decimal

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.replay import Replay

SHOWN: Final = 10
"""Records that are shown; ``frame()`` has all."""

VERSION: Final = 1
"""The version of the form of ``Replay.to_dict``."""


def text_of(replay: Replay) -> str:
    """The replay as lines of text."""
    lines = [headline(replay), *sentences(replay)]
    table = _by_month(replay)
    if len(table) > 1:
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines.append("")
        lines += [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
    return "\n".join([*lines, *(["", *replay.notes] if replay.notes else [])])


def html_of(replay: Replay) -> str:
    """The replay as HTML."""
    months = _by_month(replay)
    moved = _largest(replay)
    return render(
        "replay.html.j2",
        headline=headline(replay),
        sentences=sentences(replay),
        months=months if len(months) > 1 else [],
        moved=moved,
        rest=max(0, int(np.count_nonzero(replay.change != "")) - SHOWN),
        notes=replay.notes,
    )


def data_of(replay: Replay) -> dict[str, Any]:
    """The totals as data, with people by pseudonyms; amounts as text."""
    records, money = replay.total(np.ones(len(replay.money.minor), dtype=np.bool_))
    none, none_money = replay.total(replay.before == 0)
    return {
        "version": VERSION,
        "kind": replay.kind,
        "action": replay.action,
        "currency": replay.money.currency,
        "records": records,
        "money": str(money),
        "nobody": none,
        "nobody_money": str(none_money),
        "changes": {
            name: {"records": count, "money": str(amount)}
            for name, (count, amount) in _changes(replay).items()
        },
        "people": [
            {name: str(value) if "money" in str(name) else value for name, value in row.items()}
            for row in replay.people().to_dict("records")
        ],
        "notes": list(replay.notes),
    }


def headline(replay: Replay) -> str:
    """What would move: "Of 2,400 records (4,915,202.13 USD) 312 would move (1,204,311.22 USD)."."""
    everything = replay.total(np.ones(len(replay.money.minor), dtype=np.bool_))
    said = f"{_records(everything[0])} of {replay.kind}, {_money(replay, everything[1])}"
    if not replay.changed:
        return f"{said}: {_nobody(replay, replay.before == 0, 'could')} {replay.action}."
    moved, money = replay.total(replay.change != "")
    if not moved:
        return f"{said}: none would move. The same people may {replay.action} each."
    return f"{said}: {moved:,} would move, {_money(replay, money)}."


def sentences(replay: Replay) -> list[str]:
    """Which would move how, and which have nobody."""
    if not replay.changed:
        return []
    told = [
        f"{_records(count)}, {_money(replay, money)}: {CHANGES[name]}."
        for name, (count, money) in _changes(replay).items()
        if name
    ]
    if (replay.before == 0).tolist() == (replay.after == 0).tolist():
        return [*told, f"Before and after: {_nobody(replay, replay.after == 0, 'may')} {replay.action}."]
    before, after = (
        _nobody(replay, each == 0, tense) for each, tense in ((replay.before, "could"), (replay.after, "may"))
    )
    return [*told, f"Before: {before} {replay.action}. After: {after} {replay.action}."]


def _changes(replay: Replay) -> dict[str, tuple[int, Decimal]]:
    found = {name: replay.total(replay.change == name) for name in CHANGES}
    return {name: each for name, each in found.items() if each[0]} if replay.changed else {}


def _nobody(replay: Replay, rows: npt.NDArray[np.bool_], tense: str) -> str:
    count, money = replay.total(rows)
    if not count:
        return f"for each there is somebody who {tense}"
    return f"for {count:,}, {_money(replay, money)}, there is nobody who {tense}"


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _money(replay: Replay, amount: Decimal) -> str:
    return f"{amount:,f} {replay.money.currency}".rstrip()


def _by_month(replay: Replay) -> list[list[str]]:
    """The table by month, with its header; only the header without dates."""
    if replay.month is None:
        return []
    table = replay.by_month()
    heads = {
        "month": "month",
        "records": "records",
        "money": "money",
        "nobody": "nobody",
        "nobody_money": "money",
    }
    if replay.changed:
        heads |= {
            "nobody_after": "nobody after",
            "nobody_after_money": "money",
            "moved": "would move",
            "moved_money": "money",
        }
    rows = [
        [
            value if name == "month" else f"{value:,}" if "money" not in name else f"{value:,f}"
            for name, value in zip(heads, row, strict=True)
        ]
        for row in table[list(heads)].itertuples(index=False)
    ]
    return [list(heads.values()), *rows]


def _largest(replay: Replay) -> list[tuple[str, str, str]]:
    """The largest records that would move: label, amount, and what changes."""
    if not replay.changed:
        return []
    shown = replay.shown()
    rows = np.flatnonzero(replay.change != "")
    rows = rows[np.argsort(-replay.money.minor[rows], kind="stable")][:SHOWN]
    return [
        (
            shown.value(replay.labels[int(row)]),
            _money(replay, replay.money.exact(int(replay.money.minor[row]))),
            f"{CHANGES[replay.change[row]]} ({replay.before[row]:,} → {replay.after[row]:,})",
        )
        for row in rows
    ]
