"""A copy of all policies at one moment, from which this or another process can start a PDP."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.errors import PDPError
from clerk_cerbos_lab.pdp.client import PDP
from clerk_cerbos_lab.pdp.fixed_time import at_time
from clerk_cerbos_lab.policies import disk

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMAS: Final = "_schemas/"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Policy files and the configuration to read them with.

    Attributes:
        files: path inside the folder to content.
        config: Cerbos's configuration as given to ``lab.PDP``, with the evaluation mode added.
        binary: the program to run, if one was given to ``lab.PDP``.
        now: the time for policies in JSON to see; None for the real time.
    """

    files: Mapping[str, bytes] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    binary: str | None = None
    now: str | None = None

    def of(self, files: Mapping[str, bytes], config: Mapping[str, Any] | None = None) -> Snapshot:
        """Other files, and perhaps another configuration, for the same version of Cerbos."""
        return replace(self, files=files, config=self.config if config is None else config)

    @property
    def schemas(self) -> dict[str, bytes]:
        """The files that are no policies."""
        return {name: text for name, text in self.files.items() if name.startswith(SCHEMAS)}

    def start(self, shown: str | None = None) -> PDP:
        """Start a PDP on these policies; its folder is removed with the object or the process.

        Args:
            shown: what to call the folder in errors; default: its path.
        """
        folder = Path(tempfile.mkdtemp(prefix="policies-"))
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            plain = self.now is None or name.startswith(SCHEMAS)
            path.write_bytes(content if plain else at_time(content, str(self.now)))
        try:
            pdp = PDP.of_folder(folder, config=self.config, binary=self.binary, shown=shown)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(pdp, shutil.rmtree, folder, ignore_errors=True)
        return pdp


_taken: weakref.WeakKeyDictionary[PDP, tuple[str, Snapshot]] = weakref.WeakKeyDictionary()


def snapshot_of(pdp: PDP) -> Snapshot | None:
    """The policies of a PDP that was started here; None for one at an address.

    Raises:
        PDPError: if the files were changed while they were read.
    """
    told = pdp.own_policies
    if told is None:
        return None
    folder, config, digest = told
    known = _taken.get(pdp)
    if known is not None and known[0] == digest:
        return known[1]
    files = disk.contents(folder)
    if disk.digest_of(files) != digest:
        msg = "the policy files were changed while they were read; ask again"
        raise PDPError(msg)
    _taken[pdp] = (digest, Snapshot(files, config, pdp.binary))
    return _taken[pdp][1]
