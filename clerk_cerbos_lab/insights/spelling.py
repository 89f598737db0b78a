"""Texts that differ from another only in case, in the width of letters, or in spaces around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.identity.quality import folded

if TYPE_CHECKING:
    from collections.abc import Collection


def twin(text: str, known: Collection[str]) -> str | None:
    """The known text that a text may have been meant to be; None if it is known itself, or like none."""
    if text in known:
        return None
    return next((one for one in known if folded(one) == folded(text)), None)
