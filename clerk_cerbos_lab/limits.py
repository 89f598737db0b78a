"""Limits that users meet, each with its reason. Where one is reached, an error or a note says so."""

from typing import Final

SWEEP_QUESTIONS: Final = 1_000_000_000
"""Questions of a sweep for each action: hours of asking, a gigabyte of answers."""

AMOUNTS: Final = 10_000_000
"""Amounts that ``lab.amounts`` makes: more is nearly always a step that was meant to be larger."""

EXPANDED_CELLS: Final = 200_000_000
"""Cells expanded at once to find those that differ, or to make an array: 200 MB as booleans."""

RESOURCES_PER_REQUEST: Final = 500
"""Resources, and actions, in one request: the most that Cerbos lets its configuration allow."""

SHOWN_PRINCIPALS: Final = 100_000
"""Principals that a browser is given: about as many row heads as it still sorts and searches at once."""

LONG_TABLE_ROWS: Final = 100_000
"""Rows of a long table: as many as DataTables still sorts at once."""

LONG_TABLE_FIRST_ROWS: Final = 20
"""Rows of a long table that can be read without scripts."""

STORED_CHARACTERS: Final = 150_000
"""Characters of data that an output of a notebook may hold, so that the notebook stays below 250 kB."""

TABLE_ROWS: Final = 40
"""Rows of a table in a terminal: about a screen."""

TABLE_COLUMNS: Final = 14
"""Columns of a table without scripts: as many as a page is wide."""

TABLE_CELLS: Final = 160
"""Cells of a table of HTML without scripts: each carries its look, and is stored with every output."""

TABLE_FEWEST_ROWS: Final = 10
"""Rows that a table of HTML shows, however many columns it has."""

STRIP_LINES: Final = 60
"""Lines of a picture of thresholds: two screens."""

TOTALS_LINES: Final = 60
"""Lines of a page's table of totals: two screens."""

RANGE_COLUMNS: Final = 5_000
"""Amounts that an explorer's range may have; each is a column."""

CONTROL_VALUES: Final = 200
"""Values that one control of an explorer offers: more can't be looked through."""

UNDO_STEPS: Final = 500
"""Changes that an explorer can undo."""

CELL_SECONDS: Final = 300
"""Seconds that a cell of a notebook may take while a report is made."""
