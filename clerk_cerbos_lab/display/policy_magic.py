"""``%%policy expense.yaml``: a cell with the text of a policy, which becomes part of a draft.

``import clerk_cerbos_lab`` registers it where IPython runs; ``%load_ext clerk_cerbos_lab`` does too.
"""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from clerk_cerbos_lab.errors import LabError
    from clerk_cerbos_lab.pdp.client import PDP
    from clerk_cerbos_lab.pdp.editing import Draft
    from clerk_cerbos_lab.pdp.policy_diff import PolicyDiff


class _Arguments(argparse.ArgumentParser):
    """The arguments of the magic; a mistake raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        _refuse(f"{message}; write %%policy expense.yaml, perhaps with --pdp NAME, --draft NAME or --new")


def register(shell: Any) -> None:
    """Make ``%%policy`` and ``%policy`` known to an IPython shell."""

    def policy(line: str, cell: str | None = None) -> PolicyDiff | None:
        from clerk_cerbos_lab.errors import LabError  # noqa: PLC0415 - loaded when the magic is used

        try:
            return run(shell, line, cell)
        except LabError as error:
            raise _without_traceback(error) from None

    policy.__doc__ = run.__doc__
    shell.register_magic_function(policy, "line_cell", "policy")


def run(shell: Any, line: str, cell: str | None) -> PolicyDiff | None:
    """Write the cell into a draft of the policies, as the text of a file, and compile it.

    ``%%policy expense.yaml [--pdp NAME] [--draft NAME] [--new]`` takes all of the file's text. The policies
    themselves stay as they are until ``draft.save()``. ``%policy expense.yaml`` puts such a cell, with the
    present text, below.

    - ``--pdp NAME``: the variable with the PDP; default: ``pdp``, or the only one that there is.
    - ``--draft NAME``: the variable to bind the draft to; default: ``draft``. A draft of the same policies
      that it holds already is continued.
    - ``--new``: begin a new draft.

    Returns what differs from the original. Errors are shown at their lines in the file.
    """
    parser = _Arguments(prog="%%policy", add_help=False)
    parser.add_argument("file")
    parser.add_argument("--pdp")
    parser.add_argument("--draft", default="draft")
    parser.add_argument("--new", action="store_true")
    try:
        words = shlex.split(line)
    except ValueError as error:
        _refuse(f"{line!r}: {error}")
    given = parser.parse_args(words)
    if not given.draft.isidentifier():
        _refuse(f"'{given.draft}' can't be the name of a variable")
    draft = _draft(shell.user_ns, given.draft, given.pdp, new=given.new)
    name = _inside(draft, given.file)
    if cell is None:
        options = shlex.join(words)
        shell.set_next_input(f"%%policy {options}\n{draft.text(name)}", replace=False)
        return None
    shell.user_ns[given.draft] = draft
    draft.write(name, _as_in_file(draft, name, cell))
    return draft.diff()


def _draft(names: dict[str, Any], name: str, pdp_name: str | None, *, new: bool) -> Draft:
    """The draft to continue, or a new one."""
    from clerk_cerbos_lab.pdp.editing import Draft  # noqa: PLC0415 - as above

    known = names.get(name)
    if new or not isinstance(known, Draft) or not known.pdp.is_open or not known.is_current:
        return Draft(_pdp(names, pdp_name))
    if pdp_name is None:
        return known
    pdp = _pdp(names, pdp_name)
    return known if known.is_of(pdp) else Draft(pdp)


def _pdp(names: dict[str, Any], name: str | None) -> PDP:
    """The PDP that is meant.

    Raises:
        UsageError: if there is none, or several might be.
    """
    from clerk_cerbos_lab.pdp.client import PDP  # noqa: PLC0415 - as above

    found = {
        one: value
        for one, value in names.items()
        if isinstance(value, PDP) and value.is_open and not one.startswith("_")
    }
    if name is not None:
        if name not in found:
            there = f"there are: {', '.join(found)}" if found else "there are none"
            _refuse(f"'{name}' is not a variable with a running PDP; {there}")
        return found[name]
    if "pdp" in found:
        return found["pdp"]
    if len({id(one) for one in found.values()}) != 1:
        several = f"several variables have a PDP ({', '.join(found)}): say which, with --pdp NAME"
        _refuse(several if found else "there is no PDP yet: pdp = lab.PDP('policies')")
    return next(iter(found.values()))


def _inside(draft: Draft, file: str) -> str:
    """The path of a file inside the folder, also if it was given with the folder."""
    shown = f"{draft.shown_folder.rstrip('/')}/"
    inside = file.removeprefix(shown)
    return inside if file not in draft.files and inside in draft.files else file


def _as_in_file(draft: Draft, name: str, cell: str) -> str:
    """The cell's text with the line ends of the file, so that only lines that were edited differ."""
    text = cell if cell.endswith("\n") else f"{cell}\n"
    if name not in draft.files:
        return text
    before = draft.text(name)
    if "\r\n" in before and before.count("\r\n") == before.count("\n"):
        text = text.replace("\n", "\r\n")
    return text if before.endswith("\n") else text.rstrip("\r\n")


def _without_traceback(error: LabError) -> LabError:
    """The same error, which IPython shows without the lines of this module."""
    vars(error)["_render_traceback_"] = lambda: [f"{type(error).__name__}: {error}"]
    return error


def _refuse(message: str) -> NoReturn:
    from IPython.core.error import UsageError  # noqa: PLC0415 - only inside IPython

    raise UsageError(message)
