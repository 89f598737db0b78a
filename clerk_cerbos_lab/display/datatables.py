"""Options that make DataTables, the library behind itables, sort, search and colour a long table."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from clerk_cerbos_lab.templates import static_text

if TYPE_CHECKING:
    from collections.abc import Sequence

ALLOW: Final = "✓ ALLOW"
DENY: Final = "✗ DENY"

PAGE: Final = 25  # rows per page

LISTED: Final = 50  # columns with up to this many values offer a list of them

SHORT: Final = 24  # texts up to this many characters stay on one line

_RENDER: Final = """(() => {
  const texts = %s;
  return (code, type) => (type === "sort" || type === "type" ? code : texts[code]);
})()"""

_COLOUR: Final = f"""function (cell) {{
  cell.classList.add(cell.textContent === "{ALLOW}" ? "ccl-allow" : "ccl-deny");
}}"""


def options_of(frame: pd.DataFrame, numeric: Sequence[bool]) -> dict[str, Any]:
    """All options for itables and DataTables, since a user's own itables settings may differ."""
    from itables import JavascriptCode, JavascriptFunction  # noqa: PLC0415

    columns: list[dict[str, Any]] = []
    for place, (number, (_, column)) in enumerate(zip(numeric, frame.items(), strict=True)):
        texts = column.cat.categories.tolist()
        columns.append(
            {
                "targets": place,
                "type": "num",  # the codes are numbers; itables itself would sort them as texts
                "render": JavascriptCode(_RENDER % json.dumps([escape(text) for text in texts])),
                "className": _classes(texts, number=number),
                "columnControl": [{"target": "thead:1", "content": _filters(texts, number=number)}],
            }
        )
    columns[-1]["createdCell"] = JavascriptFunction(_COLOUR)
    return {
        "columnDefs": columns,
        "drawCallback": JavascriptFunction(
            static_text("long_table/drawn.js")
        ),  # itables 2.9 loses an initComplete
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
        "text_in_header_can_be_selected": False,  # a click anywhere on a header sorts
        "allow_html": False,
        "maxBytes": 0,  # no row is dropped silently
        "maxRows": 0,
        "maxColumns": 0,
        "showIndex": False,
        "show_dtypes": False,
        "show_df_type": False,
        "footer": False,
        "column_filters": False,  # the filters of itables 2.9 execute column names
    }


def _filters(texts: Sequence[str], *, number: bool) -> list[Any]:
    """The filters below a column header: a comparison, and a list of the values if there are few."""
    if number:
        return ["searchNumber"]
    inexact = [] if _words(texts) else ["contains", "notContains"]
    comparison = {"extend": "searchText", "excludeLogic": inexact}
    if len(texts) > LISTED:
        return [comparison]
    options = [{"label": escape(text), "value": text} for text in texts]  # the label is HTML
    return [comparison, [{"extend": "searchList", "options": options}]]


def _words(texts: Sequence[str]) -> bool:
    """Whether texts can be searched by words: DataTables gives quotes and ``!`` a special meaning."""
    return not any(re.search('["\u201c\u201d!]', text) for text in texts)


def _classes(texts: Sequence[str], *, number: bool) -> str:
    """The classes of a column: only numbers are right-aligned, and short texts stay on one line."""
    short = max(map(len, texts), default=0) <= SHORT
    return " ".join(name for name, so in (("dt-left", not number), ("ccl-short", short)) if so)


def codes_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The number of each cell's text in the order of its column."""
    codes = pd.DataFrame({place: column.cat.codes for place, (_, column) in enumerate(frame.items())})
    return codes.set_axis(frame.columns, axis=1)
