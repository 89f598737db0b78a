"""Axes: the attributes that vary, with their values as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clerk_cerbos_lab.formatting import label
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Axis:
    """An attribute that varies.

    Attributes:
        name: the attribute's name (or ``resource_id``).
        values: its values in the order given; no two are the same for the PDP.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def numeric(self) -> bool:
        """Whether every value is a number."""
        return all(is_number(value) for value in self.values)

    def array(self) -> Any:
        """The values as an array for a column: text, numbers, booleans, or objects."""
        if all(isinstance(value, str) for value in self.values):
            return pd.array([str(value) for value in self.values], dtype="str")
        if self.numeric or all(isinstance(value, bool) for value in self.values):
            return np.array(self.values)
        array = np.empty(len(self.values), dtype=object)
        array[:] = self.values
        return array

    @property
    def plain(self) -> bool:
        """Whether a file can store the values unchanged: all text, all numbers, or all booleans."""
        return bool(self.array().dtype != object)


def take(array: Any, places: npt.NDArray[np.intp]) -> Any:
    """The values at these positions; objects stay objects, or pandas would make null a missing string."""
    taken = array.take(places)
    return pd.Series(taken, dtype=object) if array.dtype == object else taken


def level(values: tuple[Any, ...]) -> list[Hashable]:
    """Values for one of several index levels; as labels if pandas would treat two of them as equal."""
    plain = Axis("", values).plain
    return [str(v) if isinstance(v, str) else v for v in values] if plain else [label(v) for v in values]
