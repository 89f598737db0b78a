"""From wherever Clerk users are to a principals frame, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_cerbos_lab.clerk import hide, load_users
from clerk_cerbos_lab.mapping import Mapping, to_principals

if TYPE_CHECKING:
    import os

    import pandas as pd
    from pydantic import SecretStr

    from clerk_cerbos_lab.clerk import Filter


def load_principals(
    source: str | os.PathLike[str] | None = None,
    *,
    mapping: Mapping | None = None,
    memberships: str | os.PathLike[str] | None = None,
    filters: dict[str, Filter] | None = None,
    key: str | SecretStr | None = None,
    api_url: str | None = None,
    budget: float = 300.0,
) -> pd.DataFrame:
    """Load Clerk users and map each to a Cerbos principal.

    Args:
        source: a JSON file of Clerk users; None asks Clerk's live API with ``CLERK_SECRET_KEY``.
        mapping: how a user becomes a principal; default: ``Mapping()``.
        memberships: with a file, the file of organization memberships.
        filters: with the API, Clerk's own filters.
        key: with the API, the secret key, where it is not in ``CLERK_SECRET_KEY``.
        api_url: with the API, its address.
        budget: seconds that the whole load may take.

    Returns:
        A DataFrame with ``id``, ``roles`` (tuple of str) and one column an attribute
        (``lab.MISSING`` where a user does not have it), one row a user. ``lab.problems`` tells what
        is odd about them.

    Raises:
        UsersError, KeyMissingError, ClerkError: as ``lab.load_users``.
    """
    key = hide(key)
    plan = mapping or Mapping()
    users = load_users(
        source,
        mapping=plan,
        memberships=memberships,
        filters=filters,
        key=key,
        api_url=api_url,
        budget=budget,
    )
    return to_principals(users, plan)
