"""The sample project: an invented company, its expense policies, users, past expenses and notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent

_INSTALLED: Final = _PACKAGE / "sample"  # the wheel has copies there; a checkout has the folders themselves


@dataclass(frozen=True, slots=True)
class Sample:
    """Where the files of the sample project are; nobody in them exists.

    >>> pdp = lab.PDP(lab.sample.policies)
    >>> principals = lab.load_principals(lab.sample.users)

    Attributes:
        policies: the folder of Cerbos policies, with their tests.
        data: the folder of everything else.
        users: 96 users, as Clerk's API lists them.
        memberships: their organization memberships, as Clerk's API lists them.
        expenses: past expenses: a CSV file of records to replay.
        notebooks: the folder of notebooks, which are run on these files.
    """

    policies: Path
    data: Path
    users: Path
    memberships: Path
    expenses: Path
    notebooks: Path


def _sample(root: Path) -> Sample:
    data = root / "data"
    return Sample(
        policies=root / "policies",
        data=data,
        users=data / "clerk_users.json",
        memberships=data / "clerk_organization_memberships.json",
        expenses=data / "expenses.csv",
        notebooks=root / "notebooks",
    )


sample: Final = _sample(_INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent)
