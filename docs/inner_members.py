"""Members of public classes that only the kit's own packages use: not in the reference."""

from __future__ import annotations

from typing import Final

_BY_CLASS: Final = {
    "Decisions": "bands broken classes different flips frames head index intervals labels of segmented shown sides "
    "table with_cube with_explanations allowed",
    "PDP": "asking check check_names check_policies compared_types documents index is_connected is_still of_folder "
    "outputs outputs_of_each own_policies plans principal_attributes reached replace_policies reports "
    "resource_attributes revive shown_folder signature",
    "Draft": "is_current is_of shown_folder",
    "Replay": "shown",
    "LogReplay": "shown",
    "SqlTable": "is_number",
}

INNER: Final = frozenset(f"{one}.{name}" for one, names in _BY_CLASS.items() for name in names.split())
