"""The long table: decisions as rows that a reader sorts, filters and pages in the page itself, by itables.

A column is sent as a number a row, and once the texts that the numbers stand for, in the order in which a
reader wants them sorted: so ``10,000`` stands behind ``9,000``, a column of mixed values has an order too,
and 100,000 rows are small. Every text is escaped before itables gets it, and a page that is written lets
no script run but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from functools import cached_property
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from clerk_cerbos_lab import view
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.values import MISSING, label

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

    from clerk_cerbos_lab.decisions import Decisions
    from clerk_cerbos_lab.pseudonyms import Shown

MOST: Final = 100_000  # rows that a browser still sorts at once
ROWS: Final = 20  # of the table that is read without scripts
PAGE: Final = 25  # rows of a page of the table
LISTED: Final = 50  # values of a column that are offered in a list
SHORT: Final = 24  # characters that stand in one line

ALLOW: Final = "✓ ALLOW"
DENY: Final = "✗ DENY"
_COLOURS: Final = {ALLOW: view.ALLOW, DENY: view.DENY}
_CELL: Final = "padding:3px 9px;border:1px solid rgba(128,128,128,.28)"
_HEAD: Final = f"{_CELL};font-weight:600;background:rgba(128,128,128,.12)"

_STATIC: Final = files("clerk_cerbos_lab") / "static"
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_POLICY: Final = (
    "default-src 'none'; script-src 'sha256-{}' blob: 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)
"""What a page may do: ask nobody for anything, and run no script but its own, whatever it shows.

itables is a script of its own (``blob:``), and makes functions of the options it gets (``'unsafe-eval'``).
"""


class LongTable:
    """Decisions as rows: sorted, searched and paged in the page itself.

    Args:
        decisions: whose rows are shown, the first 100,000 at most.
        names: show real ids and all values; else ids and e-mail addresses as pseudonyms.
    """

    def __init__(self, decisions: Decisions, *, names: bool = False) -> None:
        self._decisions = decisions
        self._shown = decisions.shown(names=names)

    def frame(self) -> pd.DataFrame:
        """What is shown.

        Returns:
            A DataFrame with the columns ``principal``, ``action``, one for each axis, and ``effect``; one
            row a decision, the last axis varying fastest, the first 100,000 at most. Each column is an
            ordered categorical of the texts in the table (``5,000``, ``"5"``, ``null``, ``MISSING``,
            ``✓ ALLOW``), in the order in which the table sorts: numbers by size, then all else.
        """
        return _frame(self._decisions, self._shown, MOST)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page that works offline: the whole table, and itables inside.

        Args:
            path: the file; what stands there is replaced when the page is whole.

        Raises:
            InputError: when the folder is not there, or itables is not installed.
        """
        from clerk_cerbos_lab.decisions import whole_file  # noqa: PLC0415 - decisions make long tables

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
        return "\n".join([*table, *self._said, *filter(None, [self._left_out(ROWS)]), *self._notes])

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """The widget, where itables is installed; text and HTML are the same bytes in every run."""
        bundle: dict[str, object] = {"text/plain": repr(self), "text/html": self._html()}
        if self._widget is not None:
            bundle[_WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        return bundle

    # -- what is said -------------------------------------------------------------------------

    @cached_property
    def _head(self) -> pd.DataFrame:
        return _frame(self._decisions, self._shown, ROWS)

    @cached_property
    def _numeric(self) -> list[bool]:
        """For each column whether it holds numbers only."""
        return [False, False, *(axis.numeric for axis in self._decisions.axes), False]

    @cached_property
    def _said(self) -> list[str]:
        """The warning, the question and the counts, which stand wherever the table stands."""
        warning = [view.WARNING] if self._shown.names else []
        return [*warning, view.question(self._decisions, self._shown), view.counts_line(self._decisions)]

    def _left_out(self, rows: int) -> str:
        """What a table of so many rows does not show, and how to see it; empty when it shows everything."""
        total = len(self._decisions)
        if total <= rows:
            return ""
        return (
            f"Shown: the first {rows:,} of {total:,} rows. To see others, choose with decisions.sel(…); "
            "decisions.to_csv(path) writes them all."
        )

    @property
    def _notes(self) -> list[str]:
        """What a reader must know to read the table right, and where it comes from."""
        return [*view.notes(self._decisions, self._shown), f"{self._decisions.provenance.caption()}."]

    def _html(self) -> str:
        """A table that reads without scripts or style sheets; every value is escaped."""
        caption = "<br>".join(f"<strong>{escape(text)}</strong>" for text in self._said)
        foot = " ".join(escape(note) for note in (self._left_out(ROWS), *self._notes) if note)
        return (
            f'<div data-ccl-rows style="overflow-x:auto;max-width:100%">{self._first_rows(caption)}'
            f'<p style="font-size:12px;opacity:.85;margin:4px 0">{foot}</p></div>'
        )

    def _first_rows(self, caption: str) -> str:
        """The first rows as an HTML table."""
        sides = ["right" if number else "left" for number in self._numeric]
        head = "".join(
            f'<th scope="col" style="{_HEAD};text-align:{side}">{escape(name)}</th>'
            for name, side in zip(self._head.columns, sides, strict=True)
        )
        body = []
        for *texts, effect in self._head.to_numpy().tolist():
            cells = "".join(
                f'<td style="{_CELL};text-align:{side}">{escape(text)}</td>'
                for text, side in zip(texts, sides[:-1], strict=True)
            )
            cells += f'<td style="{_CELL};white-space:nowrap;{_COLOURS[effect]}">{effect}</td>'
            body.append(f"<tr>{cells}</tr>")
        return (
            '<table style="border-collapse:collapse;font-size:13px;margin:4px 0;overflow-wrap:anywhere">'
            f'<caption style="caption-side:top;text-align:left;padding:4px 0">{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )

    # -- itables ------------------------------------------------------------------------------

    @cached_property
    def _widget(self) -> Any:
        """An ``ITable``, or None where itables is not installed."""
        try:
            from itables.widget import ITable  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            return None
        frame = self.frame()
        said = "\n".join(filter(None, [*self._said, self._left_out(MOST)]))
        options = _options(frame, self._numeric)
        # As texts of DataTables: the ITable of itables 2.9 loses its caption.
        options["layout"]["top2Start"] = {"div": {"className": "ccl-said", "text": said}}
        options["layout"]["bottom2Start"] = {
            "div": {"className": "ccl-notes", "text": "\n".join(self._notes)}
        }
        return ITable(_codes(frame), css=_read("long_table/table.css"), **options)

    def _page(self) -> str:
        try:
            import jinja2  # noqa: PLC0415
            from itables.javascript import get_itables_extension_arguments  # noqa: PLC0415
            from itables.options import dt_bundle  # noqa: PLC0415
        except ImportError as error:
            msg = f"a page of rows needs {error.name}: pip install 'clerk-cerbos-lab[notebooks]'"
            raise InputError(msg) from error
        frame = self.frame()
        told = _options(frame, self._numeric)
        arguments, _ = get_itables_extension_arguments(_codes(frame), table_id="ccl-table", **told)
        options = {**arguments, "classes": told["classes"].split(), "style": {"width": "100%"}}
        bundle, script = Path(dt_bundle), _read("long_table/page.js")
        styles = ["report.css", "long_table/table.css", "long_table/page.css"]
        few = f"The first {ROWS} of {len(frame):,} rows. Where scripts may run, all of them are here."
        *warning, question, counts = self._said
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        return environment.from_string(_read("long_table/page.html.j2")).render(
            title=f"Decisions about {self._shown.text(self._decisions.kind)}",
            warnings=[text for text in (*warning, self._left_out(MOST)) if text],
            question=question,
            counts=counts,
            notes=self._notes,
            table=self._first_rows(few if len(frame) > ROWS else ""),
            style="\n".join([bundle.with_suffix(".css").read_text("utf-8"), *map(_read, styles)]),
            policy=_POLICY.format(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()),
            script=script,
            itables=_packed(bundle.read_text("utf-8")),
            options=_packed(json.dumps(options, sort_keys=True)),
        )


# -- rows -------------------------------------------------------------------------------------


def _frame(decisions: Decisions, shown: Shown, most: int) -> pd.DataFrame:
    """The first rows, each column an ordered categorical."""
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
    """A part of the decisions that begins with the first rows of them, and has less than twice as many."""
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


def _texts(decisions: Decisions, shown: Shown, dim: str) -> list[str]:
    """How the values of a dimension are written, each in one line."""
    return [text if text.isprintable() else label(text) for text in view.labels(decisions, shown, dim)]


def _column(values: Sequence[Any], texts: Sequence[str], places: npt.NDArray[np.intp]) -> pd.Categorical[Any]:
    """The texts at these places, in the order of numbers, then of the alphabet."""
    order = sorted(
        zip(map(_size, values), texts, strict=True), key=lambda pair: (pair[0], pair[1].casefold())
    )
    unique = list(dict.fromkeys(text for _, text in order))
    codes = {text: code for code, text in enumerate(unique)}
    column = np.array([codes[text] for text in texts], dtype=np.intp)[places]
    return pd.Categorical.from_codes(column, categories=pd.Index(unique, dtype=object), ordered=True)


def _size(value: Any) -> float:
    """The value of a number, and infinity for all else."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and value is not MISSING
    return float(value) if number else float("inf")


# -- what itables is told ---------------------------------------------------------------------

_RENDER: Final = """(() => {
  const texts = %s;
  return (code, type) => (type === "sort" || type === "type" ? code : texts[code]);
})()"""
_COLOUR: Final = f"""function (cell) {{
  cell.classList.add(cell.textContent === "{ALLOW}" ? "ccl-allow" : "ccl-deny");
}}"""


def _options(frame: pd.DataFrame, numeric: Sequence[bool]) -> dict[str, Any]:
    """What itables and DataTables are told; all of it, since a user's own settings of itables may differ."""
    from itables import JavascriptCode, JavascriptFunction  # noqa: PLC0415

    columns: list[dict[str, Any]] = []
    for place, (number, (_, column)) in enumerate(zip(numeric, frame.items(), strict=True)):
        texts = column.cat.categories.tolist()
        columns.append(
            {
                "targets": place,
                "type": "num",  # the codes are; itables itself would sort them as texts
                "render": JavascriptCode(_RENDER % json.dumps([escape(text) for text in texts])),
                "className": _classes(texts, number=number),
                "columnControl": [{"target": "thead:1", "content": _filters(texts, number=number)}],
            }
        )
    columns[-1]["createdCell"] = JavascriptFunction(_COLOUR)
    return {
        "columnDefs": columns,
        "drawCallback": JavascriptFunction(_read("long_table/drawn.js")),  # itables 2.9 loses an initComplete
        "layout": {
            "topStart": "pageLength",
            "topEnd": "search",
            "bottomStart": "info",
            "bottomEnd": "paging",
        },
        "search": {"smart": all(_words(column.cat.categories.tolist()) for _, column in frame.items())},
        "language": {"entries": {"1": "row", "_": "rows"}, "search": "Search all columns:"},
        "pageLength": PAGE,
        "lengthMenu": [PAGE, 100, 500],
        "order": [],
        "autoWidth": False,
        "classes": "display compact",
        "style": "width:100%;caption-side:top",
        "text_in_header_can_be_selected": False,  # a click anywhere on a head sorts
        "allow_html": False,
        "maxBytes": 0,  # no row is left out in silence
        "maxRows": 0,
        "maxColumns": 0,
        "showIndex": False,
        "show_dtypes": False,
        "show_df_type": False,
        "footer": False,
        "column_filters": False,  # those of itables 2.9 run what stands in the name of a column
    }


def _filters(texts: Sequence[str], *, number: bool) -> list[Any]:
    """What stands below the head of a column: a comparison, and a list of its values if they are few."""
    if number:
        return ["searchNumber"]
    inexact = [] if _words(texts) else ["contains", "notContains"]
    comparison = {"extend": "searchText", "excludeLogic": inexact}
    if len(texts) > LISTED:
        return [comparison]
    options = [{"label": escape(text), "value": text} for text in texts]  # the label is HTML
    return [comparison, [{"extend": "searchList", "options": options}]]


def _words(texts: Sequence[str]) -> bool:
    """Whether a text can be searched for by its words: to DataTables quotes and ``!`` are signs."""
    return not any(re.search('["\u201c\u201d!]', text) for text in texts)


def _classes(texts: Sequence[str], *, number: bool) -> str:
    """How a column is set: only numbers to the right, and what is short in one line."""
    short = max(map(len, texts), default=0) <= SHORT
    return " ".join(name for name, so in (("dt-left", not number), ("ccl-short", short)) if so)


def _codes(frame: pd.DataFrame) -> pd.DataFrame:
    """For each cell the number of its text in the order of its column."""
    codes = pd.DataFrame({place: column.cat.codes for place, (_, column) in enumerate(frame.items())})
    return codes.set_axis(frame.columns, axis=1)


def _read(name: str) -> str:
    return (_STATIC / name).read_text("utf-8")


def _packed(text: str) -> str:
    """The text compressed, in letters that mean nothing to HTML."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()
