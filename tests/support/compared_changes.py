"""The rows of a comparison, held against the effects of every cell."""

import numpy as np
import pandas as pd

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.formatting import label


def assert_changes(changes: lab.Changes, before: lab.Decisions, after: lab.Decisions) -> None:
    """Compare the rows with the cells of both answers."""
    cells = before.frame().assign(now=after.frame()["effect"])
    found = changes.frame()
    keys = [name for name in found.columns if name in set(before.dims) - {"amount"}]
    for table in (cells, found):
        for name in keys:
            table[name] = [label(value) for value in table[name]]
    numbered = cells.reset_index(names="cell")
    rows = numbered.merge(found, on=keys)
    value = rows["amount"].astype(float)
    inside_it = (rows["lower"] < value) | (rows["lower_closed"] & (rows["lower"] == value))
    inside_it &= (rows["upper"] > value) | (rows["upper_closed"] & (rows["upper"] == value))
    held = rows[inside_it]
    assert held["cell"].is_unique
    told = pd.Series("same", index=cells.index)
    told[held["cell"].to_numpy()] = held["change"].to_numpy()
    wanted = np.where(
        cells["effect"] == cells["now"], "same", np.where(cells["now"] == "ALLOW", "gained", "lost")
    )
    assert told.tolist() == wanted.tolist()
