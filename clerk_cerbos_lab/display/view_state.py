"""The state of a matrix that a reader can change: view, order, filters."""

from __future__ import annotations

import copy
from typing import Any, Final

from clerk_cerbos_lab.errors import InputError, did_you_mean

VIEWS: Final = ("matrix", "thresholds")

START: Final[dict[str, Any]] = {
    "view": "matrix",
    "exact": None,
    "search": "",
    "sort": "given",
    "descending": False,
    "grouped": False,
    "effect": "any",
    "problem": False,
    "filters": {},
    "scale": "linear",
}
"""The initial state; equal to START in js/src/model/state.js."""

_CHOICES: Final[dict[str, tuple[Any, ...]]] = {
    "view": VIEWS,
    "effect": ("any", "some", "none", "mixed", "all", "broken", "changed"),
    "scale": ("linear", "log"),
    "exact": (None, True, False),
    "descending": (True, False),
    "grouped": (True, False),
    "problem": (True, False),
}

_SORTS: Final = ("given", "label", "share", "threshold")


def checked_look(patch: object) -> dict[str, Any]:
    """A checked copy of a part of the state of a matrix (see ``Matrix.state``).

    Raises:
        InputError: for an unknown name, or a value that it can't have.
    """
    if not isinstance(patch, dict):
        msg = f"the state of a matrix is a dict, not {patch!r}"
        raise InputError(msg)
    for name, value in patch.items():
        if name not in START:
            msg = f"no '{name}' in the state of a matrix{did_you_mean(str(name), START)}"
            raise InputError(msg)
        allowed = _CHOICES.get(name)
        if allowed is not None and not any(value is one or value == one for one in allowed):
            msg = f"'{name}' can't be {value!r}; it is one of {', '.join(map(repr, allowed))}"
            raise InputError(msg)
        if name == "search" and not isinstance(value, str):
            msg = f"'search' is a text, not {value!r}"
            raise InputError(msg)
        if name == "sort" and value not in _SORTS and not str(value).startswith(("column:", "segment:")):
            msg = f"no sort {value!r}{did_you_mean(str(value), _SORTS)}"
            raise InputError(msg)
        lists = isinstance(value, dict) and all(isinstance(kept, list) for kept in value.values())
        if name == "filters" and not lists:
            msg = f"'filters' is a dict of lists of labels, not {value!r}"
            raise InputError(msg)
    return copy.deepcopy(patch)
