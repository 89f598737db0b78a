"""The jinja environment of all pages, with escaping on."""

from __future__ import annotations

from typing import Any, Final

import jinja2

from clerk_cerbos_lab.display.assets import static_text

_ENVIRONMENT: Final = jinja2.Environment(
    loader=jinja2.FunctionLoader(static_text),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """A template of ``static/`` with these values, escaped."""
    return _ENVIRONMENT.get_template(template).render(**values)
