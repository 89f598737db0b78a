"""Numbers in place of values: codes, equal where values are, and what they group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    import numpy.typing as npt

    from clerk_cerbos_lab.identity.principals import Column


def first_of(codes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """For each code, in order, the position of the first that has it."""
    first = np.full(int(codes.max(initial=-1)) + 1, len(codes), dtype=np.intp)
    np.minimum.at(first, codes, np.arange(len(codes), dtype=np.intp))
    return first


def dense_rows(columns: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """A number for each row, equal for equal rows, by first appearance."""
    codes = np.zeros(len(columns), dtype=np.int64)
    for column in columns.T:
        more, different = pd.factorize(column)
        codes = pd.factorize(codes * max(len(different), 1) + more)[0].astype(np.int64)
    return codes.astype(np.intp)


def members_of(codes: npt.NDArray[np.intp], count: int) -> list[npt.NDArray[np.intp]]:
    """For each class, the positions of its members, ascending."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.searchsorted(codes[order], np.arange(1, count)))


def numbers_in(column: Column) -> npt.NDArray[np.float64]:
    """Each value of a column as the PDP compares it, NaN for what is not a finite number."""
    if set(map(type, column.values)) <= {int, float}:
        found = np.array(column.values, dtype=np.float64)
    else:
        numbers = (float(value) if is_number(value) else math.nan for value in column.values)
        found = np.fromiter(numbers, dtype=np.float64, count=len(column.values))
    return np.where(np.isfinite(found), found + 0.0, math.nan)  # -0.0 compares like 0.0
