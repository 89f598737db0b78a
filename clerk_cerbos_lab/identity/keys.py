"""Keys of providers' APIs, from an argument, the environment or a prompt; nothing shows them."""

from __future__ import annotations

import getpass
import os
import re
import sys

from pydantic import SecretStr

from clerk_cerbos_lab.errors import KeyMissingError


def hide(key: str | SecretStr | None) -> SecretStr | None:
    """The key, stripped and wrapped so that no traceback or log shows it."""
    if key is None:
        return None
    return SecretStr((key if isinstance(key, str) else key.get_secret_value()).strip())


def secret(given: SecretStr | None, variable: str, prompt: str, missing: str) -> SecretStr:
    """The key that was given, else that of the environment, else one that is asked for.

    Raises:
        KeyMissingError: with this message, if there is none.
    """
    if given is None and os.environ.get(variable):
        given = hide(os.environ[variable])
    if given is None and _somebody_can_answer():
        try:
            given = hide(getpass.getpass(prompt))
        except (EOFError, OSError, RuntimeError):
            given = None
    if given is None or not given.get_secret_value():
        raise KeyMissingError(missing)
    return given


def is_plain(key: SecretStr, pattern: str = r"[\x21-\x7e]+") -> bool:
    """Whether a key has the form that a header can hold."""
    return re.fullmatch(pattern, key.get_secret_value()) is not None


def _somebody_can_answer() -> bool:
    """Whether this runs in a terminal, or in a notebook whose front end can ask for input."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()
