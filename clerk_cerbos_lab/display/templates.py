"""The jinja environment of all pages, with escaping on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.display.assets import static_text

if TYPE_CHECKING:
    import jinja2


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - 0.1 s that only what is drawn needs

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(static_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """A template of ``static/`` with these values, escaped."""
    return _environment().get_template(template).render(**values)
