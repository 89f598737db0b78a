"""Records that are read once, however often they are replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.insights.records import read_frame
from clerk_cerbos_lab.insights.replay_source import Source, of_frame

if TYPE_CHECKING:
    import pandas as pd

    from clerk_cerbos_lab.insights.replay_rows import Form, Reads


class KeptRecords:
    """A DataFrame or a file of records, and what was read of it last.

    Args:
        records: as ``lab.replay`` takes them, but no table in a database.
    """

    def __init__(self, records: object) -> None:
        self._records = records
        self._frame: pd.DataFrame | None = None
        self._last: tuple[Reads, Form, Source] | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """The records; raises as ``lab.replay``."""
        if self._frame is None:
            self._frame = read_frame(self._records)
        return self._frame

    def source(self, reads: Reads, form: Form) -> Source:
        """The records as a replay takes them; raises as ``lab.replay``."""
        if self._last is None or self._last[:2] != (reads, form):
            self._last = (reads, form, of_frame(self.frame, reads, form))
        return self._last[2]
