"""A draft of policies beside the original: edited, compiled, compared, and saved when its author says so."""

from __future__ import annotations

import builtins
import sys
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import InputError, PDPError, PolicyError, did_you_mean
from clerk_cerbos_lab.files import write_all
from clerk_cerbos_lab.pdp.drafts import check_pdp, checked_values
from clerk_cerbos_lab.pdp.policy_diff import PolicyDiff, counts, policy_diff
from clerk_cerbos_lab.pdp.snapshots import snapshot_of
from clerk_cerbos_lab.policies import disk
from clerk_cerbos_lab.policies.moves import moved_files, moves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from clerk_cerbos_lab.pdp.client import PDP

STILL = "The draft has this text, but its PDP still uses the last text that compiled."


def draft(pdp: PDP, /) -> Draft:
    """Make a draft of a PDP's policies: a copy to edit, with a PDP of its own. The original stays as it is.

    >>> draft = lab.draft(pdp)
    >>> draft.edit({"manager-approves-in-any-region: amount <= 5000": 7_500})
    >>> lab.compare(decisions, draft.pdp)
    >>> draft.diff()
    >>> draft.save()

    Args:
        pdp: a PDP that was started here; its current policies are copied.

    Raises:
        InputError: if it is no PDP.
        PDPError: for a PDP at an address, whose policies can't be copied.
        PolicyError: if the policies do not compile.
    """
    check_pdp(pdp)
    return Draft(pdp)


class Draft:
    """A copy of policies to edit; ``lab.draft`` makes one. Only ``save`` writes to the original.

    Attributes:
        pdp: a PDP on the draft, with the configuration of the original's: the same object after each edit.
            Close it, or use the draft in a ``with`` block.
        error: why the newest text does not compile; None if it does. The PDP then uses the last that did.
    """

    def __init__(self, pdp: PDP) -> None:
        with pdp.asking():
            snapshot, told = snapshot_of(pdp), pdp.own_policies
        if snapshot is None or told is None:
            msg = "a draft is a copy of the policies, which a PDP at an address does not provide"
            raise PDPError(msg)
        self._folder: Path = told[0]
        self._shown = pdp.shown_folder
        self._original: dict[str, bytes] = dict(snapshot.files)
        self._files = dict(self._original)
        self._history: list[dict[str, bytes]] = []
        self.error: PolicyError | None = None
        self.pdp = snapshot.start(shown=f"{self._shown} (draft)")
        started = self.pdp.own_policies
        if started is None:  # as every PDP that is started here has them
            msg = "the PDP of the draft has no folder"
            raise PDPError(msg)
        self._own = started[0]

    # -- reading --------------------------------------------------------------------------------

    @property
    def files(self) -> tuple[str, ...]:
        """The policy files of the draft, by their paths inside the folder."""
        return tuple(self._files)

    @property
    def changed(self) -> tuple[str, ...]:
        """The files that differ from the original."""
        return tuple(name for name, text in self._files.items() if self._original.get(name) != text)

    def text(self, name: str) -> str:
        """The text of a file, with its line ends as they are.

        Raises:
            InputError: if there is no such file, or it is not UTF-8.
        """
        if name not in self._files:
            msg = f"no policy file '{name}' in {self._shown}{did_you_mean(name, self._files)}"
            raise InputError(msg)
        try:
            return self._files[name].decode("utf-8")
        except UnicodeDecodeError:
            msg = f"{name} is not UTF-8"
            raise InputError(msg) from None

    def diff(self) -> PolicyDiff:
        """What differs from the original, as a unified diff: a text that a notebook shows with colours."""
        return policy_diff(self._original, self._files)

    @property
    def shown_folder(self) -> str:
        """The folder of the original, as it was given."""
        return self._shown

    @property
    def is_current(self) -> bool:
        """Whether there is something to save, or the original is still what was copied."""
        return bool(self.changed) or disk.contents(self._folder) == self._original

    def is_of(self, pdp: PDP) -> bool:
        """Whether it is a draft of a PDP's policies, or that PDP is its own."""
        told = pdp.own_policies
        return pdp is self.pdp or (told is not None and told[0] == self._folder)

    # -- editing --------------------------------------------------------------------------------

    def edit(self, values: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Give values another value: only their bytes change.

        Args:
            values: new values by address or by constant, as in ``lab.what_if``.
            more: the same as keywords, for constants.

        Raises:
            InputError: as ``lab.what_if``, and if a value can't be changed in place (see ``write``).
            PolicyError: if the draft does not compile.
        """
        wanted = checked_values(values, more)
        if self.error is not None:
            raise self.error
        index = self.pdp.index
        changed, problems = moved_files(self._files, index.documents, moves_of(index.limits, wanted))
        for file, why in problems.items():
            msg = f"{file} can't be edited in place: {why}; change its text with draft.write"
            raise InputError(msg)
        self._take({**self._files, **changed})

    def write(self, name: str, text: str) -> None:
        """Give a policy file another text, or add a file.

        Args:
            name: its path inside the folder, such as ``expense.yaml``.
            text: all of it; written as UTF-8, with the line ends as given.

        Raises:
            InputError: for a name that is no policy file's.
            PolicyError: if the draft does not compile. The draft keeps the text, but its PDP still uses the
                last that compiled.
        """
        if not isinstance(text, str):
            msg = f"the text of {name} must be a string, not a {type(text).__name__}"
            raise InputError(msg)
        self._take({**self._files, _checked_name(name): text.encode("utf-8")})

    def undo(self) -> None:
        """Take back the last edit, also one that was saved (in the draft; ``save`` writes it again).

        Raises:
            InputError: if there is none.
            PolicyError: as ``write``.
        """
        if not self._history:
            msg = "nothing was edited, so there is nothing to undo"
            raise InputError(msg)
        self._take(self._history[-1], undo=True)

    def _take(self, files: dict[str, bytes], *, undo: bool = False) -> None:
        """Make these the files of the draft, and of its PDP if they compile."""
        folder = self._own
        before, error = disk.contents(folder), None
        try:
            self.pdp.replace_policies(lambda: put_files(folder, files), lambda: put_files(folder, before))
        except PolicyError as found:
            error = PolicyError(found.folder, found.problems, STILL)
        except OSError as found:
            msg = f"the draft could not be written: {found.strerror or found}; it is as it was"
            raise InputError(msg) from None
        if undo:
            self._history.pop()
        else:
            self._history.append(self._files)
        self._files = files
        self.error = self.pdp.held_back = error
        if error is not None:
            raise error

    # -- saving ---------------------------------------------------------------------------------

    def save(
        self, *, overwrite: bool = False, confirm: Callable[[str], bool] | None = None
    ) -> tuple[str, ...]:
        """Write what was edited to the original files, after asking.

        Args:
            overwrite: do not ask.
            confirm: asked in place of the keyboard; gets the question, returns whether to write.

        Returns:
            The files that were written; none if nothing differs, or if the answer was no.

        Raises:
            InputError: if the original has changed since the draft was made or saved, if nobody can be asked,
                or if a file can't be written. The original files are then all as they were.
            PolicyError: if the draft does not compile.
        """
        if self.error is not None:
            raise PolicyError(self.error.folder, self.error.problems, "Nothing was saved.")
        changed = {name: self._files[name] for name in self.changed}
        if not changed:
            return ()
        self._check_original()
        if not overwrite and not self._asked(list(changed), confirm):
            return ()
        self._check_original()  # it took a while to answer
        try:
            for name in changed:
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_all({self._folder / name: content for name, content in changed.items()})
        except OSError as error:
            msg = f"the draft could not be saved: {error.strerror or error}; the policies are as they were"
            raise InputError(msg) from None
        self._original = dict(self._files)
        return tuple(changed)

    def _check_original(self) -> None:
        now = disk.contents(self._folder)
        if now == self._original:
            return
        before = self._original
        differ = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
        msg = (
            f"{', '.join(differ)} in {self._shown} changed since this draft was made: nothing was saved. "
            "Make a new draft with lab.draft(pdp) and edit that"
        )
        raise InputError(msg)

    def _asked(self, names: list[str], confirm: Callable[[str], bool] | None) -> bool:
        more, less = counts(self.diff())
        question = f"Write {', '.join(names)} in {self._shown} (lines: +{more} \u2212{less})?"
        if confirm is not None:
            return bool(confirm(question))
        nobody = "draft.save() asks before it overwrites, and nobody can answer here: pass overwrite=True"
        if not _somebody_there():
            raise InputError(nobody)
        try:
            answer = builtins.input(f"{question} [y/N] ")
        except (EOFError, NotImplementedError):  # a notebook that is run without anybody watching
            raise InputError(nobody) from None
        return answer.strip().lower() in {"y", "yes"}

    # -- lifecycle ------------------------------------------------------------------------------

    def close(self) -> None:
        """End the PDP of the draft; can be called repeatedly."""
        self.pdp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        more, less = counts(self.diff())
        edited = f"{', '.join(self.changed)} edited (+{more} \u2212{less})" if self.changed else "not edited"
        state = "compiles" if self.error is None else f"does not compile: {self.error.problems[0].place}"
        return f"Draft(policies '{self._shown}', {edited}, {state})"


def _somebody_there() -> bool:
    """Whether this runs in a terminal or in a notebook's kernel, which asks in the notebook."""
    ipython = sys.modules.get("IPython")  # a kernel has always imported it
    if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
        return True
    return sys.stdin is not None and sys.stdin.isatty()


def _checked_name(name: Any) -> str:
    """The path of a policy file inside its folder.

    Raises:
        InputError: if Cerbos would not read it, or it would lie elsewhere.
    """
    if not isinstance(name, str):
        msg = f"the name of a policy file must be a string, not a {type(name).__name__}"
        raise InputError(msg)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        msg = f"the name of a policy file is its path inside the folder, such as expense.yaml, not {name!r}"
        raise InputError(msg)
    hidden = any(part.startswith(".") or part == "testdata" for part in path.parts)
    if path.suffix.lower() not in disk.SUFFIXES or hidden or path.stem.lower().endswith("_test"):
        msg = (
            f"{name} is no policy file: Cerbos reads .yaml, .yml and .json that are neither hidden nor tests"
        )
        raise InputError(msg)
    return path.as_posix()


def put_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make these the policy files of a folder."""
    now = disk.contents(folder)
    fresh = {folder / name: content for name, content in files.items() if now.get(name) != content}
    for path in fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_all(fresh)
    for name in now.keys() - files.keys():
        with suppress(OSError):
            (folder / name).unlink()
