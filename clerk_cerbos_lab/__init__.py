"""Who may approve what, up to which amount, and what happens if we move the limit.

>>> import clerk_cerbos_lab as lab
>>> principals = lab.load_principals("data/clerk_users.json")
>>> pdp = lab.PDP("policies")
>>> decisions = lab.sweep(pdp, principals, "expense", actions=["approve"],
...                       amount=lab.amounts(0, 60_000, step=50), status="OPEN")

Nothing is loaded before it is used: the public names stand in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
