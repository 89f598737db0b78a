"""People with attributes of their own, sweeps of them compared with every cell, and random conditions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from small_policies import resource_policy, rule, write

import clerk_cerbos_lab as lab


def people(**columns: Any) -> pd.DataFrame:
    """Return a principals frame of users with these attributes."""
    count = len(next(iter(columns.values())))
    frame = {"id": [f"u{i}" for i in range(count)], "roles": [("user",)] * count}
    return pd.DataFrame({**frame, **columns}, dtype=object)


def swept_by(
    pdp: lab.PDP, who: pd.DataFrame, kind: Any = "thing", **more: Any
) -> tuple[lab.Decisions, lab.Decisions]:
    """Return the decisions of a sweep, and those of every cell, which are the same."""
    found = lab.sweep(pdp, who, kind, **more)
    every = lab.sweep(pdp, who, kind, **more, method="every-cell")
    assert found.provenance.method == "auto", found.provenance.notes
    assert np.array_equal(found.allowed(), every.allowed())
    assert found.counts() == every.counts()
    return found, every


def conditions_of(atoms: st.SearchStrategy[str], most: int = 5) -> st.SearchStrategy[str]:
    """Return conditions that combine these."""
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds("({} && {})".format, inner, inner),
            st.builds("({} || {})".format, inner, inner),
            st.builds("!({})".format, inner),
        ),
        max_leaves=most,
    )


def any_policy(folder: Path) -> Iterator[lab.PDP]:
    """A PDP on a policy for a test to replace."""
    with lab.PDP(write(folder, thing=resource_policy(rule()))) as running:
        yield running
