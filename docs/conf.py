"""How Sphinx builds the documentation: `make docs`. It needs no network, and neither do the pages."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_INNER = tomllib.loads(Path(__file__).with_name("inner_members.toml").read_text("utf-8"))
INNER = {f"{one}.{member}" for one, members in _INNER.items() for member in members}

project = "clerk-cerbos-lab"
release = importlib.metadata.version("clerk-cerbos-lab")
root_doc = "docs/index"  # the sources are the repository, so that a link is the same here and on GitHub
include_patterns = [
    "docs/**.md",
    "notebooks/*.ipynb",
    "benchmarks/*.md",
    "data/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = [".*", "js", "tests", "site*", "clerk_cerbos_lab", "policies", "setup"]
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
suppress_warnings = ["misc.highlighting_failure"]  # Mermaid: GitHub draws it, here it is its text

nb_execution_mode = "off"  # the stored outputs are shown; `make notebooks` runs them
nb_merge_streams = True
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),  # without a kernel, nothing
    ("html", "text/html", 0),
]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
napoleon_use_ivar = True
napoleon_numpy_docstring = False
add_module_names = False

html_theme = "furo"
html_title = "clerk-cerbos-lab"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_js_files = ["docs.js"]
html_show_search_summary = False  # it fetches each page, which a browser refuses for files
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

PICTURE = re.compile(
    r'<picture>\s*<source[^>]*srcset="(?P<dark>[^"]+)">\s*'
    r'<img alt="(?P<alt>[^"]+)" src="(?P<light>[^"]+)">\s*</picture>'
)
"""As GitHub needs it; Furo has two classes instead."""

IMAGES = r"![\g<alt>](\g<light>){.only-light}" + "\n" + r"![\g<alt>](\g<dark>){.only-dark}" + "\n"


def skip_inner(_app: Sphinx, _what: str, _name: str, member: Any, *_: Any) -> bool | None:
    """Leave out members that only the kit's own packages use."""
    function = getattr(member, "fget", None) or getattr(member, "func", None) or member
    return True if getattr(function, "__qualname__", "") in INNER else None


def links_to_the_repository(app: Sphinx, docname: str, source: list[str]) -> None:
    """A link to a file that is no page, such as a policy, is written as its name: the site holds no copy."""
    if docname.startswith("notebooks/"):
        return
    here = Path(app.srcdir, docname).parent

    def kept(found: re.Match[str]) -> str:
        target = found[2].partition("#")[0]
        if not target or re.match(r"\w+:", target) or not (here / target).exists():
            return found[0]  # an address, an anchor, or a broken link, of which Sphinx warns
        inside = (here / target).resolve().relative_to(Path(app.srcdir).resolve())
        is_page = inside.with_suffix("").as_posix() in app.env.found_docs
        return found[0] if is_page or inside.suffix == ".png" else found[1]

    source[0] = PICTURE.sub(IMAGES, source[0])
    source[0] = re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", kept, source[0])


def not_our_mapping(*given: Any) -> tuple[str | None, str | None]:
    """``Mapping[…]`` in a signature is Python's; ours has no brackets."""
    signature, returned = given[-2:]
    return _qualified(signature), _qualified(returned)


def _qualified(text: str | None) -> str | None:
    return text and re.sub(r"\bMapping\[", "collections.abc.Mapping[", text)


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("autodoc-skip-member", skip_inner)
    app.connect("autodoc-process-signature", not_our_mapping)
    app.connect("source-read", links_to_the_repository)
