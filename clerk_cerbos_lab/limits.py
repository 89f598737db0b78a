"""Limits that users can reach, each with its reason. An error or a note says when one is reached."""

from typing import Final

SWEEP_QUESTIONS: Final = 1_000_000_000
"""Questions per action in one sweep: hours of requests and a gigabyte of answers."""

AMOUNTS: Final = 10_000_000
"""Amounts that ``lab.amounts`` returns at most: with more, the step is almost always a mistake."""

EXPANDED_CELLS: Final = 200_000_000
"""Cells expanded together to compare them or to make an array: 200 MB as booleans."""

RESOURCES_PER_REQUEST: Final = 500
"""Resources, and also actions, in one request: the highest limit that Cerbos can be configured with."""

SHOWN_PRINCIPALS: Final = 100_000
"""Principals sent to a browser: about as many rows as it can sort and search without a delay."""

LONG_TABLE_ROWS: Final = 100_000
"""Rows of a long table: as many as DataTables can sort without a delay."""

LONG_TABLE_FIRST_ROWS: Final = 20
"""Rows of a long table that are readable without JavaScript."""

STORED_CHARACTERS: Final = 150_000
"""Characters of data in one notebook output, so that the notebook stays below 250 kB."""

TABLE_ROWS: Final = 40
"""Rows of a table in a terminal: about one screen."""

TABLE_COLUMNS: Final = 14
"""Columns of a table without JavaScript: as many as fit the width of a page."""

TABLE_CELLS: Final = 160
"""Cells of an HTML table without JavaScript: each has its own style, and is stored with every output."""

TABLE_FEWEST_ROWS: Final = 10
"""Rows that an HTML table always shows, however many columns it has."""

STRIP_LINES: Final = 60
"""Lines in a picture of thresholds: two screens."""

TOTALS_LINES: Final = 60
"""Lines in a page's table of totals: two screens."""

RANGE_COLUMNS: Final = 5_000
"""Amounts in an explorer's range; each is a column."""

CONTROL_VALUES: Final = 200
"""Values that one explorer control offers: nobody would look through more."""

GROUPED_ROWS: Final = 50_000
"""Rows that a matrix groups at first: with more, each change of the view would take a noticeable time."""

UNDO_STEPS: Final = 500
"""Changes that an explorer can undo."""

CELL_SECONDS: Final = 300
"""Seconds that one notebook cell may take while a report is made."""
