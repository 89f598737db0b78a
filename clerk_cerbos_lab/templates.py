"""The HTML of everything that is displayed: Jinja templates in ``static/``, with escaping on."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import jinja2

STATIC: Final = files("clerk_cerbos_lab") / "static"


def static_text(name: str) -> str:
    """The text of a file in ``static/``, such as a style sheet."""
    return (STATIC / name).read_text("utf-8")


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - takes 0.1 s, needed only for drawing

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(static_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Render a template from ``static/`` with these values, escaped."""
    return _environment().get_template(template).render(**values)
