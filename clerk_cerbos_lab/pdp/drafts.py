"""Copies of policies with other values for some constants: what if the limit were different?"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import InputError, PDPError, did_you_mean
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.snapshots import Snapshot, snapshot_of
from clerk_cerbos_lab.policies.constants import constants_of, holders_of
from clerk_cerbos_lab.values import MISSING, clean, json_type, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerk_cerbos_lab.policies.constants import Constant

SCHEMAS: Final = "_schemas/"


def what_if(pdp: PDP, constants: Mapping[str, object] | None = None, /, **more: object) -> PDP:
    """A PDP on a copy of the policies in which constants have other values; the originals are unchanged.

    >>> moved = lab.what_if(pdp, cross_region_manager_limit=7_500)
    >>> lab.sweep(moved, principals, "expense", amount=[5_000, 7_500], ...)
    >>> lab.what_if(pdp, {"class": 2})  # a name that is a Python keyword

    Args:
        pdp: a PDP that was started here; its current policies are copied.
        constants: new values by name, of the same type as the old ones.
        more: the same as keywords; each name only once.

    Returns:
        Another PDP with the same configuration; close it, or use it in a ``with`` block.

    Raises:
        InputError: for a name that no policy or several policies define, a name given twice, a value
            of another type, or constants that are not a mapping.
        PDPError: for a PDP at an address, whose policies can't be copied.
        PolicyError: if the policies do not compile.
    """
    if not isinstance(pdp, PDP):
        msg = f"the first argument must be a PDP, such as lab.PDP('policies'), not a {type(pdp).__name__}"
        raise InputError(msg)
    wanted = _wanted(constants, more)
    with pdp.asking():
        snapshot = snapshot_of(pdp)
        if snapshot is None:
            msg = "what_if starts a PDP on a copy of the policies, which a PDP at an address does not provide"
            raise PDPError(msg)
        documents = copy.deepcopy(pdp.index.documents)
    _check(wanted, constants_of(documents))
    files = _with_constants(snapshot.files, documents, wanted)
    return Snapshot(files, snapshot.config).start()


def _with_constants(
    files: Mapping[str, bytes], documents: Sequence[dict[str, Any]], wanted: Mapping[str, Any]
) -> dict[str, bytes]:
    """Policy files in which constants have other values; a file without any of them is unchanged."""
    sources = [str(document.get("metadata", {}).get("sourceFile")) for document in documents]
    own = all(sources.count(source) == 1 and source in files for source in sources)
    made = {name: text for name, text in files.items() if own or name.startswith(SCHEMAS)}
    for number, (source, document) in enumerate(zip(sources, documents, strict=True)):
        moved = [held for _, held in holders_of(document) if wanted.keys() & held.keys()]
        for held in moved:
            held.update({name: value for name, value in wanted.items() if name in held})
        document.pop("metadata", None)  # added by Cerbos: source file and hash
        if moved or not own:
            text = json.dumps(document, ensure_ascii=False, indent=1)
            made[source if own else f"{number:04}.json"] = text.encode()  # JSON is valid YAML
    return made


def _wanted(constants: object, more: Mapping[str, object]) -> dict[str, Any]:
    """The values by name, from the dict and the keywords."""
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


def _check(wanted: Mapping[str, Any], known: Sequence[Constant]) -> None:
    for name, value in wanted.items():
        found = [constant for constant in known if constant.name == name]
        if not found:
            near = did_you_mean(name, {constant.name for constant in known})
            msg = f"no policy defines a constant '{name}'{near}"
            raise InputError(msg)
        if len(found) > 1:
            places = ", ".join(constant.where for constant in found)
            msg = f"several policies define a constant '{name}' ({places}): rename one of them"
            raise InputError(msg)
        if json_type(value) != json_type(found[0].value):
            msg = f"the constant '{name}' is {json_type(found[0].value)}, not {json_type(value)}"
            raise InputError(msg)
