"""A PDP on a copy of policies whose values move: one server, of which the files are rewritten."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import LabWarning, PDPError
from clerk_cerbos_lab.pdp.drafts import check_pdp, files_with
from clerk_cerbos_lab.pdp.editing import put_files
from clerk_cerbos_lab.pdp.snapshots import snapshot_of
from clerk_cerbos_lab.policies import disk
from clerk_cerbos_lab.policies.index import index_of
from clerk_cerbos_lab.policies.moves import moved_documents, moves_of
from clerk_cerbos_lab.values import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.policies.addresses import Limit
    from clerk_cerbos_lab.policies.moves import Move


class MovedPolicies:
    """The policies of a PDP with other values, asked of one PDP that is never started again.

    Args:
        pdp: a PDP that was started here.

    Raises:
        InputError: if it is no PDP.
        PDPError: for a PDP at an address, whose policies can't be copied.

    Attributes:
        pdp: on the copy.
        limits: what can be moved in the policies, as they are in the original.
    """

    def __init__(self, pdp: PDP) -> None:
        check_pdp(pdp)
        with pdp.asking():
            snapshot = snapshot_of(pdp)
            if snapshot is None:
                msg = "limits are moved in a copy of the policies, which a PDP at an address does not provide"
                raise PDPError(msg)
            index = pdp.index
        self.limits = index.limits
        self._files = dict(snapshot.files)
        self._documents = index.documents
        self.pdp = snapshot.start(shown=f"{pdp.shown_folder} (moved)")

    def move(self, values: Mapping[str, Any]) -> PDP:
        """The PDP with these values; all others are those of the original.

        Where a number takes the place of a number of the same type, ``cerbos compile`` is left out.

        Args:
            values: new values, by address or constant.

        Raises:
            InputError: as ``lab.what_if``.
            PolicyError: if the policies do not compile; the PDP then has the values that it had.
            LabWarning (a warning): if a file can't be edited in place.
        """
        moves = moves_of(self.limits, values)
        files, problems = self._files_with(moves)
        for file, why in problems.items():
            text = f"in the copy, {file} is JSON, without comments and with other lines: {why}"
            warnings.warn(text, LabWarning, stacklevel=2)
        own = self.pdp.own_policies
        if own is None:  # as every PDP that is started here has them
            msg = "the PDP on the copy has no folder"
            raise PDPError(msg)
        folder = own[0]
        before = disk.contents(folder)
        if before != files:
            same_type = not problems and all(_same_type(limit, value) for limit, value in moves)
            self.pdp.replace_policies(
                lambda: put_files(folder, files), lambda: put_files(folder, before), compiled=same_type
            )
            if same_type:  # what the PDP would return as its policies
                texts = {name: content.decode("utf-8", "replace") for name, content in files.items()}
                index_of(moved_documents(self._documents, moves), texts, self.pdp.digest)
        return self.pdp

    def digest_with(self, values: Mapping[str, Any]) -> str:
        """The digest of the policies with these values, as the PDP would have after ``move``.

        Raises:
            InputError: as ``move``.
        """
        return disk.digest_of(self._files_with(moves_of(self.limits, values))[0])

    def _files_with(self, moves: Sequence[Move]) -> tuple[dict[str, bytes], dict[str, str]]:
        return files_with(self._files, self._documents, moves) if moves else (self._files, {})

    def close(self) -> None:
        """End the PDP; can be called repeatedly."""
        self.pdp.close()


def _same_type(limit: Limit, value: Any) -> bool:
    """Whether CEL sees a number of the same type: a constant is a double, a literal an int or a double."""
    if not (is_number(limit.value) and is_number(value)):
        return False
    return limit.constant is not None or isinstance(limit.value, float) or float(value).is_integer()
