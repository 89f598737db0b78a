"""Source of applications: Jinja templates in ``static/app/``, with literals of TypeScript and Python."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.templates import static_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import jinja2

_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def render_source(template: str, **values: Any) -> str:
    """Render a template from ``static/app/``; every text in it passes through a filter that quotes it."""
    text = _environment().get_template(template).render(**values)
    return re.sub(r"\n{3,}(?=[^\n])", _blank(template), text).strip("\n") + "\n"


def _blank(template: str) -> Callable[[re.Match[str]], str]:
    """No more empty lines than the language has between two definitions."""
    most = 2 if ".py." in template else 1
    return lambda found: "\n" * min(len(found[0]), most + 1)


def typescript_text(value: object) -> str:
    """A JSON value as an expression of TypeScript; what can't be seen is escaped."""
    return _quoted(value, lambda code: f"\\u{{{code:x}}}")


def typescript_key(name: str) -> str:
    """A property's name in a literal."""
    return name if _NAME.fullmatch(name) and name != "__proto__" else _key(name)


def _key(name: str) -> str:
    return f"[{typescript_text(name)}]" if name == "__proto__" else typescript_text(name)


def python_literal(value: object) -> str:
    """A text as an expression of Python, in double quotes."""
    return _quoted(value, lambda code: f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


def python_tuple(values: Sequence[str]) -> str:
    """Texts as a tuple of Python."""
    inside = ", ".join(map(python_literal, values))
    return f"({inside},)" if len(values) == 1 else f"({inside})"


def _quoted(value: object, escape: Callable[[int], str]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "".join(one if one == " " or one.isprintable() else escape(ord(one)) for one in text)


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - takes 0.1 s

    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: static_text(f"app/{name}")),
        autoescape=False,  # noqa: S701 - source, not HTML; the filters quote each text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ts": typescript_text,
        "ts_key": typescript_key,
        "py": python_literal,
        "py_tuple": python_tuple,
    }
    return made
