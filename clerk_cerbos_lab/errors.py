"""Every error and warning the kit raises on purpose.

::

    LabError
    ├── InputError          an argument, frame or file that can't be used (also a ValueError)
    │   └── UsersError      a file of users that can't be read; names the file and the line
    ├── ProviderError       the API of Auth0, Okta or WorkOS refused, failed, or returned a partial list
    │   ├── ClerkError      the same for Clerk's
    │   └── KeyMissingError no key for one of these APIs, or something that is not one
    └── PDPError            the PDP was not found, did not start, or was lost
        └── PolicyError     the policies do not compile; has file, line, column and surrounding lines

    LabWarning              something the reader should know about what was done (a UserWarning)

No message contains a key, a profile field or the body of a response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz import process

from clerk_cerbos_lab.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class LabError(Exception):
    """The root of the tree: catch it to catch every error the kit raises on purpose."""


class InputError(LabError, ValueError):
    """An argument, frame or file can't be used."""


class UsersError(InputError):
    """A file of users can't be read. The message names the file and the line."""


class ProviderError(LabError):
    """The API of Auth0, Okta or WorkOS refused a request, kept failing, or returned an incomplete list.

    Attributes:
        status: the HTTP status, or None if there was no response.
        code: the provider's own error code, such as ``authentication_invalid``, or None.
        trace_id: the provider's id of the request, to quote to its support, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.trace_id = trace_id


class ClerkError(ProviderError):
    """The same for Clerk's API."""


class KeyMissingError(ProviderError):
    """A key of a provider is needed and was not found, or what was found is not one."""


class PDPError(LabError):
    """The PDP was not found, did not start, refused a request, or was lost."""


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing the Cerbos compiler objects to.

    Attributes:
        file: path relative to the policy folder.
        line: counted from 1; 0 if Cerbos gives no position.
        column: counted from 1; 0 if Cerbos gives no position.
        message: Cerbos's message; for a file that is not a policy, also what to do with it.
        context: the surrounding lines, numbered, with the line itself marked ``>``; may be empty.
    """

    file: str
    line: int
    column: int
    message: str
    context: str

    @property
    def place(self) -> str:
        """``file:line:column``, or only the file if the line is unknown."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class PolicyError(PDPError):
    """The policies do not compile.

    Attributes:
        problems: what Cerbos objects to, in Cerbos's order; at least one.
        note: what that means for the reader; may be empty.
    """

    def __init__(self, folder: str, problems: Sequence[PolicyProblem], note: str = "") -> None:
        self.folder = folder
        self.problems = tuple(problems)
        self.note = note
        many = f"{len(problems)} errors" if len(problems) > 1 else "1 error"
        parts = [f"the policies in {folder} do not compile ({many})"]
        for problem in self.problems:
            parts.append(f"{problem.place}: {problem.message}")
            if problem.context:
                parts.append(problem.context.rstrip("\n"))
        parts += [note] if note else []
        super().__init__("\n".join(parts))

    def _repr_html_(self) -> str:
        return render("policy_error.html.j2", folder=self.folder, problems=self.problems, note=self.note)


class LabWarning(UserWarning):
    """Something the reader of the notebook should know about what was done."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, and all known names (20 at most).

    >>> did_you_mean("aprove", ["approve", "view"])
    "; did you mean 'approve'? There are: approve, view"
    """
    names = sorted(known)
    if not names:
        return "; there are none"
    near = process.extractOne(name, names, score_cutoff=60)
    guess = f"; did you mean '{near[0]}'? There are: " if near else "; there are: "
    shown = ", ".join(names[:20])
    return f"{guess}{shown}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")
