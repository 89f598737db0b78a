"""One door to progress bars: shown only for work of over a second, gone when it is done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress(total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """A bar that appears after a second and leaves nothing behind.

    Args:
        total: how much there is to do, None where that is not known.
        unit: of what, such as ``"decisions"``.

    Yields:
        A function to call with how much more is done. ``TQDM_DISABLE=1`` hides every bar.
    """
    with tqdm(total=total, unit=f" {unit}", delay=1, leave=False, unit_scale=True) as bar:
        yield bar.update
