"""The long table: decisions as rows that can be sorted, filtered and paged without a kernel, using itables.

A column is sent as one number per row, plus the list of texts that the numbers stand for, in sorted
order. So ``10,000`` comes after ``9,000``, a column of mixed values has an order too,
and 100,000 rows stay small. Every text is escaped before itables gets it, and a written page
runs no script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display import plain_text, static_html
from clerk_cerbos_lab.display.datatables import ALLOW, DENY, codes_of, options_of
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.templates import render, static_text
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions.decisions import Decisions
    from clerk_cerbos_lab.identity.disclosure import Disclosure

_COLOURS: Final = {ALLOW: static_html.ALLOW, DENY: static_html.DENY}

_CELL: Final = "padding:3px 9px;border:1px solid rgba(128,128,128,.28)"

_HEAD: Final = f"{_CELL};font-weight:600;background:rgba(128,128,128,.12)"

_WIDGET: Final = "application/vnd.jupyter.widget-view+json"

_POLICY: Final = (
    "default-src 'none'; script-src 'sha256-{}' blob: 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)
"""The content security policy of a page: it sends no requests and runs no script but its own.

itables is a script of its own (``blob:``), and makes functions of the options it gets (``'unsafe-eval'``).
"""


class LongTable:
    """Decisions as rows that can be sorted, searched and paged without a kernel.

    Args:
        decisions: the decisions whose rows are shown, the first 100,000 at most.
        names: show real ids and all values; otherwise ids and e-mail addresses become pseudonyms.
    """

    def __init__(self, decisions: Decisions, *, names: bool = False) -> None:
        self._decisions = decisions
        self._shown = decisions.shown(names=names)

    def frame(self) -> pd.DataFrame:
        """The rows that are shown.

        Returns:
            A DataFrame with the columns ``principal``, ``action``, one for each axis, and ``effect``; one
            row per decision, the last axis varying fastest, the first 100,000 at most. Each column is an
            ordered categorical of the texts in the table (``5,000``, ``"5"``, ``null``, ``MISSING``,
            ``✓ ALLOW``), in the order in which the table sorts: numbers by size, then everything else.
        """
        return _frame(self._decisions, self._shown, limits.LONG_TABLE_ROWS)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page that works offline, with the whole table and itables in it.

        Args:
            path: the file; an existing file is replaced once the page is complete.

        Raises:
            InputError: if the folder does not exist, or itables is not installed.
        """
        from clerk_cerbos_lab.files import whole_file  # noqa: PLC0415 - decisions make long tables

        page = self._page()
        with whole_file(path) as fresh:
            fresh.write_text(page, encoding="utf-8")

    def __repr__(self) -> str:
        lines = [list(self._head.columns), *self._head.to_numpy().tolist()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(
                text.rjust(width) if number else text.ljust(width)
                for text, width, number in zip(line, widths, self._numeric, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join(
            [
                *table,
                *self._summary,
                *filter(None, [self._left_out(limits.LONG_TABLE_FIRST_ROWS)]),
                *self._notes,
            ]
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """The widget, if itables is installed; text and HTML are the same bytes in every run."""
        bundle: dict[str, object] = {"text/plain": repr(self), "text/html": self._html()}
        if self._widget is not None:
            bundle[_WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        return bundle

    # -- texts --------------------------------------------------------------------------------

    @cached_property
    def _head(self) -> pd.DataFrame:
        return _frame(self._decisions, self._shown, limits.LONG_TABLE_FIRST_ROWS)

    @cached_property
    def _numeric(self) -> list[bool]:
        """Whether each column holds only numbers."""
        return [False, False, *(axis.numeric for axis in self._decisions.axes), False]

    @cached_property
    def _summary(self) -> list[str]:
        """The warning, the question and the counts, shown wherever the table is."""
        warning = [plain_text.WARNING] if self._shown.names else []
        return [
            *warning,
            plain_text.question(self._decisions, self._shown),
            plain_text.counts_line(self._decisions),
        ]

    def _left_out(self, rows: int) -> str:
        """The note on rows beyond this many, and how to see them; empty if there are none."""
        total = len(self._decisions)
        if total <= rows:
            return ""
        return (
            f"Shown: the first {rows:,} of {total:,} rows. To see others, select with decisions.sel(…); "
            "decisions.to_csv(path) writes all of them."
        )

    @property
    def _notes(self) -> list[str]:
        """What a reader must know to read the table correctly, and where it comes from."""
        return [*plain_text.notes(self._decisions, self._shown), f"{self._decisions.provenance.caption()}."]

    def _html(self) -> str:
        """A table that reads without scripts or style sheets; every value is escaped."""
        left_out = self._left_out(limits.LONG_TABLE_FIRST_ROWS)
        notes = [note for note in (left_out, *self._notes) if note]
        return render("long_table/output.html.j2", table=self._first_rows(said=self._summary), notes=notes)

    def _first_rows(self, caption: str = "", said: Sequence[str] = ()) -> str:
        """The first rows as an HTML table, under a caption or sentences in bold."""
        sides = ["right" if number else "left" for number in self._numeric]
        return render(
            "first_rows.html.j2",
            caption=caption,
            said=said,
            columns=list(zip(self._head.columns, sides, strict=True)),
            rows=[
                (list(zip(texts, sides[:-1], strict=True)), effect)
                for *texts, effect in self._head.to_numpy().tolist()
            ],
            head=_HEAD,
            cell=_CELL,
            colours=_COLOURS,
        )

    @cached_property
    def _widget(self) -> Any:
        """An ``ITable``, or None if itables is not installed."""
        try:
            from itables.widget import ITable  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            return None
        frame = self.frame()
        said = "\n".join(filter(None, [*self._summary, self._left_out(limits.LONG_TABLE_ROWS)]))
        options = options_of(frame, self._numeric)
        # As DataTables texts, since the ITable of itables 2.9 loses its caption.
        options["layout"]["top2Start"] = {"div": {"className": "ccl-said", "text": said}}
        options["layout"]["bottom2Start"] = {
            "div": {"className": "ccl-notes", "text": "\n".join(self._notes)}
        }
        return ITable(codes_of(frame), css=static_text("long_table/table.css"), **options)

    def _page(self) -> str:
        try:
            from itables.javascript import get_itables_extension_arguments  # noqa: PLC0415
            from itables.options import dt_bundle  # noqa: PLC0415
        except ImportError as error:
            msg = f"a page of rows needs {error.name}: pip install 'clerk-cerbos-lab[notebooks]'"
            raise InputError(msg) from error
        frame = self.frame()
        own = options_of(frame, self._numeric)
        arguments, _ = get_itables_extension_arguments(codes_of(frame), table_id="ccl-table", **own)
        options = {**arguments, "classes": own["classes"].split(), "style": {"width": "100%"}}
        bundle, script = Path(dt_bundle), static_text("long_table/page.js")
        styles = ["report.css", "long_table/table.css", "long_table/page.css"]
        first = limits.LONG_TABLE_FIRST_ROWS
        few = f"The first {first} of {len(frame):,} rows. With scripts enabled, all of them are here."
        *warning, question, counts = self._summary
        return render(
            "long_table/page.html.j2",
            title=f"Decisions about {self._shown.text(self._decisions.kind)}",
            warnings=[text for text in (*warning, self._left_out(limits.LONG_TABLE_ROWS)) if text],
            question=question,
            counts=counts,
            notes=self._notes,
            table=self._first_rows(few if len(frame) > first else ""),
            style="\n".join([bundle.with_suffix(".css").read_text("utf-8"), *map(static_text, styles)]),
            policy=_POLICY.format(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()),
            script=script,
            itables=_packed(bundle.read_text("utf-8")),
            options=_packed(json.dumps(options, sort_keys=True)),
        )


# -- rows -------------------------------------------------------------------------------------


def _frame(decisions: Decisions, shown: Disclosure, most: int) -> pd.DataFrame:
    """The first rows; each column is an ordered categorical."""
    count = min(len(decisions), most)
    first = _beginning(decisions, count)
    places = np.unravel_index(np.arange(count), first.shape) if count else [np.arange(0)] * len(first.dims)
    columns = [
        _column(first.values(dim), _texts(first, shown, dim), place)
        for dim, place in zip(first.dims, places, strict=True)
    ]
    denied = (~first.allowed()).ravel()[:count].astype(np.intp)
    columns.append(_column((ALLOW, DENY), (ALLOW, DENY), denied))
    heads = [label(shown.text(name)) for name in (*first.dims, "effect")]
    return pd.DataFrame(dict(enumerate(columns))).set_axis(heads, axis=1)


def _beginning(decisions: Decisions, count: int) -> Decisions:
    """A part of the decisions that starts with their first ``count`` rows and has under twice as many."""
    sizes, left = list(decisions.shape), count
    for place, n in enumerate(decisions.shape):
        below = int(np.prod(decisions.shape[place + 1 :], dtype=np.int64))
        sizes[place] = min(n, -(-left // max(1, below)))
        if sizes[place] > 1:
            break
    index = [places[:n] for places, n in zip(decisions._index, sizes, strict=True)]  # noqa: SLF001
    axes = [replace(axis, values=axis.values[:n]) for axis, n in zip(decisions.axes, sizes[2:], strict=True)]
    names, actions = decisions.names[: sizes[0]], decisions.actions[: sizes[1]]
    return decisions._part(index, names, actions, tuple(axes))  # noqa: SLF001


def _texts(decisions: Decisions, shown: Disclosure, dim: str) -> list[str]:
    """The labels of a dimension's values, each on one line."""
    return [text if text.isprintable() else label(text) for text in plain_text.labels(decisions, shown, dim)]


def _column(values: Sequence[Any], texts: Sequence[str], places: npt.NDArray[np.intp]) -> pd.Categorical[Any]:
    """The texts at these places, ordered with numbers first, then alphabetically."""
    order = sorted(
        zip(map(_size, values), texts, strict=True), key=lambda pair: (pair[0], pair[1].casefold())
    )
    unique = list(dict.fromkeys(text for _, text in order))
    codes = {text: code for code, text in enumerate(unique)}
    column = np.array([codes[text] for text in texts], dtype=np.intp)[places]
    return pd.Categorical.from_codes(column, categories=pd.Index(unique, dtype=object), ordered=True)


def _size(value: Any) -> float:
    """The value of a number; infinity for anything else."""
    number = is_number(value)
    return float(value) if number else float("inf")


def _packed(text: str) -> str:
    """The compressed text, in characters without a meaning in HTML."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()
