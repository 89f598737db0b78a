"""Numbers in place of values: codes, equal where values are, and what they group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

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


MOST_ELEMENTS: Final = 8
"""Elements of a list that are told apart by their order; longer lists are compared by value."""


def length_of(value: object) -> int | None:
    """The length of a list of finite numbers that is not too long; None for anything else."""
    if not isinstance(value, list) or len(value) > MOST_ELEMENTS:
        return None
    return len(value) if all(is_number(item) and math.isfinite(item) for item in value) else None


def numbers_in_lists(column: Column) -> npt.NDArray[np.float64]:
    """``[value, element]``: the numbers in each list as the PDP compares them, NaN where there is none.

    Ascending: ``exists``, ``all`` and ``exists_one`` do not depend on the order of a list.
    """
    lengths = [length_of(value) for value in column.values]
    found = np.full((len(lengths), max((length or 0 for length in lengths), default=0)), math.nan)
    for row, (value, length) in enumerate(zip(column.values, lengths, strict=True)):
        if length:
            found[row, :length] = np.sort(np.array(value, dtype=np.float64)) + 0.0  # -0.0 compares like 0.0
    return found


def numbers_in(column: Column) -> npt.NDArray[np.float64]:
    """Each value of a column as the PDP compares it, NaN for what is not a finite number."""
    if set(map(type, column.values)) <= {int, float}:
        found = np.array(column.values, dtype=np.float64)
    else:
        numbers = (float(value) if is_number(value) else math.nan for value in column.values)
        found = np.fromiter(numbers, dtype=np.float64, count=len(column.values))
    return np.where(np.isfinite(found), found + 0.0, math.nan)  # -0.0 compares like 0.0
