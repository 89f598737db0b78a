"""Copies of policies in which values have moved: what if the limit were different?"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from clerk_cerbos_lab.errors import InputError, LabWarning, PDPError
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.snapshots import SCHEMAS, snapshot_of
from clerk_cerbos_lab.policies.moves import moved_files, moves_of
from clerk_cerbos_lab.values import MISSING, clean, json_type, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.policies.moves import Move


def what_if(pdp: PDP, values: Mapping[str, object] | None = None, /, **more: object) -> PDP:
    """A PDP on a copy of the policies in which some values are others; the originals are unchanged.

    >>> moved = lab.what_if(pdp, cross_region_manager_limit=7_500)
    >>> lab.sweep(moved, principals, "expense", amount=[5_000, 7_500], ...)
    >>> lab.what_if(pdp, {"manager-approves-in-any-region: amount <= 5000": 7_500})

    In the copy only the bytes of these values differ: files keep their names, lines and comments.

    Args:
        pdp: a PDP that was started here; its current policies are copied.
        values: new values, of the same type as the old ones, by the name of a constant, or by what compares
            with them, as ``lab.movable`` lists it. A constant moves for every rule that reads it.
        more: the same as keywords, for constants; each name only once.

    Returns:
        Another PDP with the same configuration; close it, or use it in a ``with`` block.

    Raises:
        InputError: for a name or comparison that is nowhere or in several places, a value given twice or of
            another type, or values that are not a mapping.
        PDPError: for a PDP at an address, whose policies can't be copied.
        PolicyError: if the policies do not compile.
        LabWarning (a warning): if a file can't be edited in place: its copy is JSON, with other lines.
    """
    check_pdp(pdp)
    wanted = checked_values(values, more)
    with pdp.asking():
        snapshot = snapshot_of(pdp)
        if snapshot is None:
            msg = "what_if starts a PDP on a copy of the policies, which a PDP at an address does not provide"
            raise PDPError(msg)
        index = pdp.index
    files, problems = files_with(snapshot.files, index.documents, moves_of(index.limits, wanted))
    for file, why in problems.items():
        text = f"in the copy, {file} is JSON, without comments and with other lines: {why}"
        warnings.warn(text, LabWarning, stacklevel=2)
    return snapshot.of(files).start()


def movable(pdp: PDP, /) -> pd.DataFrame:
    """Every number, text and list that the policies compare with, and every constant: what can be moved.

    Args:
        pdp: a PDP that discloses its policies.

    Returns:
        A DataFrame with one row per comparison. Its index, ``address``, is what ``lab.what_if`` and a draft's
        ``edit`` take, such as ``manager-approves-in-any-region: amount <= 5000``. Columns: ``rule`` (the name
        of the rule or derived role; ``V.name`` for a variable; empty for a constant that nothing compares
        with), ``attribute`` (``amount``, ``P.attr.level``), ``operator`` (``<=``, ``in``, or the name of a
        function), ``value``, ``constant`` (its name; None for a literal), ``file`` and ``line`` of the value.

    Raises:
        PDPError: if the PDP does not disclose its policies.
    """
    check_pdp(pdp)
    limits = pdp.index.limits
    columns: dict[str, list[Any]] = {
        "rule": [limit.owner for limit in limits],
        "attribute": [limit.attribute for limit in limits],
        "operator": [limit.operator for limit in limits],
        "value": [limit.value for limit in limits],
        "constant": [limit.constant for limit in limits],
        "file": [limit.file for limit in limits],
        "line": [limit.line for limit in limits],
    }
    index = pd.Index([limit.address for limit in limits], name="address", dtype=object)
    made = pd.DataFrame({name: pd.Series(held, index, dtype=object) for name, held in columns.items()})
    return made.astype({"line": "Int64"})


def check_pdp(pdp: object) -> None:
    """Refuse anything that is no PDP.

    Raises:
        InputError: if it is none.
    """
    if not isinstance(pdp, PDP):
        msg = f"the first argument must be a PDP, such as lab.PDP('policies'), not a {type(pdp).__name__}"
        raise InputError(msg)


def files_with(
    files: Mapping[str, bytes], documents: Sequence[dict[str, Any]], moves: Sequence[Move]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Policy files in which values have moved, and for each that had to become JSON why.

    A PDP that does not say from which of the files a policy is gets every policy as JSON.
    """
    sources = [str(document.get("metadata", {}).get("sourceFile")) for document in documents]
    own = all(sources.count(source) == 1 and source in files for source in sources)
    if own:
        changed, problems = moved_files(files, documents, moves)
        return {**files, **changed}, problems
    made = {name: text for name, text in files.items() if name.startswith(SCHEMAS)}
    for number, document in enumerate(documents):
        some = [move for move in moves if move[0].spot.document == number]
        moved, _ = moved_files({}, documents, some)
        plain = {name: part for name, part in document.items() if name != "metadata"}
        whole = json.dumps(plain, ensure_ascii=False, indent=1).encode()
        made[f"{number:04}.json"] = next(iter(moved.values()), whole)
    why = "the PDP does not say which policy is in which file"
    return made, dict.fromkeys(dict.fromkeys(limit.file for limit, _ in moves), why)


def checked_values(constants: object, more: Mapping[str, object]) -> dict[str, Any]:
    """The values by name or address, from the dict and the keywords.

    Raises:
        InputError: for something else than a dict of names and values, or a name that is given twice.
    """
    given = {} if constants is None else constants
    if not isinstance(given, Mapping):
        msg = (
            "pass constants as keywords, limit=7_500, or as a dict, {'limit': 7_500}, "
            f"not as {json_type(given)}"
        )
        raise InputError(msg)
    twice = sorted(set(given) & set(more))
    if twice:
        msg = f"given twice, as a keyword and in the dict: {twice}"
        raise InputError(msg)
    wanted: dict[str, Any] = {}
    for name, value in {**given, **more}.items():
        if not isinstance(name, str):
            msg = f"the name of a constant must be a string, not {json_type(name)}: {name!r}"
            raise InputError(msg)
        wanted[name] = clean(value, f"constant '{name}'")
        if value is MISSING or resolve(wanted[name], own="", other="") != wanted[name]:
            msg = (
                f"constant '{name}': lab.MISSING, lab.SELF and lab.OTHER are for resource attributes; "
                "a constant needs a value"
            )
            raise InputError(msg)
    return wanted
