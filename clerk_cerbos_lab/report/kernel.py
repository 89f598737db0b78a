"""Loaded in kernels that run for a report: frames of principals show only what may be shared.

Once a frame is text, a value's column is unknown, so personal columns are hidden in the frames themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.identity.handed_over import _DONE

if TYPE_CHECKING:
    import pandas as pd

NOT_SHOWN: Final = "not shown"

# -- frames -----------------------------------------------------------------------------------


def load_ipython_extension(shell: Any) -> None:
    """Show only what may be shared in frames of principals; IPython calls this when the kernel starts."""
    html, plain = (shell.display_formatter.formatters[mime] for mime in ("text/html", "text/plain"))
    html.for_type_by_name("pandas", "DataFrame", lambda frame: disclosed(frame)._repr_html_())  # type: ignore[operator]
    plain.for_type_by_name("pandas", "DataFrame", _write_frame)
    plain.for_type_by_name("pandas", "Series", _write_column)


def _write_frame(frame: pd.DataFrame, printer: Any, _: bool) -> None:  # noqa: FBT001 - as IPython calls it
    printer.text(repr(disclosed(frame)))


def _write_column(column: pd.Series[Any], printer: Any, _: bool) -> None:  # noqa: FBT001 - as IPython calls it
    name = column.name if column.name is not None else "index"  # a number for each row or column, not a value
    shown = disclosed(column.to_frame(name))
    printer.text(repr(shown.iloc[:, 0].rename(column.name)))  # type: ignore[call-overload]


def disclosed(shown: pd.DataFrame) -> pd.DataFrame:
    """A frame of principals without what is not known to be shareable, and with pseudonyms in place of ids.

    Other frames are returned unchanged, except for columns that contain only ids that were handed over.
    """
    import pandas as pd  # noqa: PLC0415 - a kernel may never use it

    from clerk_cerbos_lab.identity.principals import RESERVED, SHAREABLE, shareable_columns  # noqa: PLC0415

    frame = shown.copy()
    ids = {text for pairs in _DONE.values() for what, text in pairs if what == "id"}
    named = {*shown.columns, *shown.index.names}
    principals = SHAREABLE in shown.attrs or set(RESERVED) <= named or _holds_ids(shown, ids)
    known = {*RESERVED, *shareable_columns(shown), None, "index"}
    for place, name in enumerate(shown.columns):
        masked = _masked(shown.iloc[:, place].tolist(), ids, hide=principals and name not in known)
        if masked is not None:
            frame.isetitem(place, masked)
    levels, changed = [], False
    for level, of_level in enumerate(shown.index.names):
        values = shown.index.get_level_values(level).tolist()
        masked = _masked(values, ids, hide=principals and of_level not in known)
        levels.append(values if masked is None else masked)
        changed = changed or masked is not None
    if changed:
        made = pd.MultiIndex.from_arrays(levels) if len(levels) > 1 else pd.Index(levels[0])
        frame.index = made.set_names(shown.index.names)
    return frame


def _holds_ids(frame: pd.DataFrame, ids: set[str]) -> bool:
    """Whether a column or level ``id`` holds ids of principals, for example in a selection of columns."""
    if "id" in frame.index.names:
        return ids.issuperset(frame.index.get_level_values("id"))
    return list(frame.columns).count("id") == 1 and ids.issuperset(frame["id"])


def _masked(values: list[Any], ids: set[str], *, hide: bool) -> list[Any] | None:
    """Values hidden completely, or with pseudonyms if all texts are ids; None if the values stay."""
    from clerk_cerbos_lab.identity.pseudonyms import pseudonym  # noqa: PLC0415

    if hide:
        return [NOT_SHOWN] * len(values)
    texts = [value for value in values if isinstance(value, str)]
    if not texts or not ids.issuperset(texts):
        return None
    return [pseudonym(value) if isinstance(value, str) else value for value in values]
