"""In a kernel that runs for a report: frames of principals are shown with only what may be shared.

Text can't tell which column a value stands in, so the frames themselves are shown without what is personal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.identity.handed_over import _DONE

if TYPE_CHECKING:
    import pandas as pd

NOT_SHOWN: Final = "not shown"

# -- frames -----------------------------------------------------------------------------------


def load_ipython_extension(shell: Any) -> None:
    """Show frames of principals with only what may be shared; IPython calls this at the kernel's start."""
    html, plain = (shell.display_formatter.formatters[mime] for mime in ("text/html", "text/plain"))
    html.for_type_by_name("pandas", "DataFrame", lambda frame: disclosed(frame)._repr_html_())  # type: ignore[operator]
    plain.for_type_by_name("pandas", "DataFrame", _write_frame)
    plain.for_type_by_name("pandas", "Series", _write_column)


def _write_frame(frame: pd.DataFrame, printer: Any, _: bool) -> None:  # noqa: FBT001 - as IPython calls it
    printer.text(repr(disclosed(frame)))


def _write_column(column: pd.Series[Any], printer: Any, _: bool) -> None:  # noqa: FBT001 - as IPython calls it
    name = column.name if column.name is not None else "index"  # a number for each row or column: no value
    told = disclosed(column.to_frame(name))
    printer.text(repr(told.iloc[:, 0].rename(column.name)))  # type: ignore[call-overload]


def disclosed(shown: pd.DataFrame) -> pd.DataFrame:
    """A frame of principals without what is not known to be shareable, and with pseudonyms in place of ids.

    Any other frame comes back as it is, but for columns that hold nothing but ids which were handed over.
    """
    import pandas as pd  # noqa: PLC0415 - a kernel may never use it

    from clerk_cerbos_lab.identity.principals import RESERVED, SHAREABLE, shareable_columns  # noqa: PLC0415

    frame = shown.copy()
    ids = {text for told in _DONE.values() for what, text in told if what == "id"}
    named = {*shown.columns, *shown.index.names}
    principals = SHAREABLE in shown.attrs or set(RESERVED) <= named or _holds_ids(shown, ids)
    known = {*RESERVED, *shareable_columns(shown), None, "index"}
    for place, name in enumerate(shown.columns):
        told = _told(shown.iloc[:, place].tolist(), ids, hide=principals and name not in known)
        if told is not None:
            frame.isetitem(place, told)
    levels, changed = [], False
    for level, of_level in enumerate(shown.index.names):
        values = shown.index.get_level_values(level).tolist()
        told = _told(values, ids, hide=principals and of_level not in known)
        levels.append(values if told is None else told)
        changed = changed or told is not None
    if changed:
        made = pd.MultiIndex.from_arrays(levels) if len(levels) > 1 else pd.Index(levels[0])
        frame.index = made.set_names(shown.index.names)
    return frame


def _holds_ids(frame: pd.DataFrame, ids: set[str]) -> bool:
    """Whether a column or level called ``id`` holds ids of principals: a selection of columns, say."""
    if "id" in frame.index.names:
        return ids.issuperset(frame.index.get_level_values("id"))
    return list(frame.columns).count("id") == 1 and ids.issuperset(frame["id"])


def _told(values: list[Any], ids: set[str], *, hide: bool) -> list[Any] | None:
    """What stands in place of values, all of them or where they are nothing but ids; None where they stay."""
    from clerk_cerbos_lab.identity.pseudonyms import pseudonym  # noqa: PLC0415

    if hide:
        return [NOT_SHOWN] * len(values)
    texts = [value for value in values if isinstance(value, str)]
    if not texts or not ids.issuperset(texts):
        return None
    return [pseudonym(value) if isinstance(value, str) else value for value in values]
