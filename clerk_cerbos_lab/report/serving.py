"""Shows a notebook as an application, by Voilà: each visitor has a kernel, and can run no code in it.

This module alone knows Voilà. The template in ``static/served/`` is our own, because Voilà's fetches fonts
from other hosts; the server's Content-Security-Policy forbids the browser to ask any.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nbformat
from traitlets.config import Config
from voila.app import Voila
from voila.utils import get_data_dir

from clerk_cerbos_lab import limits
from clerk_cerbos_lab.display.plain_text import WARNING
from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.identity import handed_over
from clerk_cerbos_lab.identity.disclosure import masker
from clerk_cerbos_lab.report.execution import masked_notebook
from clerk_cerbos_lab.templates import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEMPLATE: Final = "clerk-cerbos-lab"

_SAME_HOST: Final = (
    "default-src 'self' data: blob:; "
    "script-src 'self' blob: data: 'unsafe-inline' 'unsafe-eval'; "  # as JupyterLab's widgets need it
    "style-src 'self' data: 'unsafe-inline'; frame-ancestors 'self'; form-action 'self'"
)


def serve(
    notebook: Path,
    *,
    host: str,
    port: int,
    idle: float,
    names: bool,
    say: Callable[[str], object],
    ids: Iterable[str] = (),
    words: Iterable[str] = (),
) -> None:
    """Serve a notebook until the process is interrupted or told to end; then its kernels and PDPs end, too.

    Args:
        notebook: the notebook; it is run anew for each visitor, and the file is not changed.
        host: the address to listen at.
        port: the port; if it is taken, one near it.
        idle: minutes without a message after which a kernel and its PDP end, even if the page is open.
        names: show ids and attributes as the notebook does.
        say: called with the link, once it works.
        ids: ids to replace besides those that the notebook reads.
        words: names with another meaning, which stay.

    Raises:
        InputError: if no port near ``port`` is free, or the address is not this machine's.
    """
    _check_host(host)
    with tempfile.TemporaryDirectory(prefix="clerk-cerbos-lab-") as private:
        read = Path(private, "ids.jsonl")
        read.touch(mode=0o600)
        os.environ.pop(handed_over.VARIABLE, None)
        os.environ["TQDM_DISABLE"] = "1"  # a progress bar would be in the page's way
        if not names:
            os.environ[handed_over.VARIABLE] = str(read)  # every kernel hands over what it reads
        own_files = get_data_dir()
        found = [str(STATIC / "served"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
        os.environ["JUPYTER_PATH"] = os.pathsep.join(found)
        config = _config(notebook, host=host, port=port, idle=idle, names=names)
        config.VoilaExporter.filters = {"shareable": _unchanged if names else _shareable(read, ids, words)}
        application = _Application(config=config, config_file_paths=[], say=say, own_files=own_files)
        application.initialize([])
        try:
            application.start()
        except SystemExit:
            msg = f"no port near {port} is free: name another one (--port)"
            raise InputError(msg) from None


def _check_host(host: str) -> None:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as tried:
            tried.bind(address)
    except OSError as error:
        msg = f"can't listen at {host}: {error.strerror or error}"
        raise InputError(msg) from None


class _Application(Voila):  # type: ignore[misc]  # Voilà is not typed
    """Voilà that says where it listens in our words, and finds its own files beside our template."""

    def __init__(self, *, say: Callable[[str], object], own_files: str, **more: Any) -> None:
        super().__init__(**more)
        self._say = say
        self._own_files = own_files

    @property
    def data_dir(self) -> str:
        """Where Voilà's themes are; Voilà itself would take the first folder, that of our template."""
        return self._own_files

    def launch_browser(self) -> None:
        """Say the link, in place of opening a browser: Voilà calls this as soon as it listens."""
        self._say(f"{self.connection_url}?token={self.identity_provider.token}")


def _config(notebook: Path, *, host: str, port: int, idle: float, names: bool) -> Config:
    """Voilà's configuration: our template, no way to change it from an address, nothing but the notebook."""
    config = Config()
    config.Voila.notebook_path = str(notebook.absolute())
    config.Voila.ip = host
    config.Voila.port = port
    config.Voila.auto_token = True
    config.Voila.open_browser = True  # see launch_browser
    config.Voila.log_level = "ERROR"
    config.Voila.tornado_settings = {
        "headers": {"Content-Security-Policy": _SAME_HOST},
        "allow_remote_access": not _is_loopback(host),  # on loopback, no other name may lead here
        "local_hostnames": ["localhost", host],
        "ws_ping_timeout": 30_000,  # its default is longer than the interval, which it says once
    }
    config.VoilaConfiguration.template = TEMPLATE
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.page_config_hook = _page_config
    config.VoilaConfiguration.resources = {"warning": WARNING if names else ""}
    if not names:
        config.VoilaConfiguration.prelaunch_hook = _masked
    config.VoilaExecutor.timeout = limits.CELL_SECONDS
    config.KernelManager.transport_encryption = "auto"  # other users of the machine read nothing
    config.MappingKernelManager.cull_idle_timeout = max(1, round(idle * 60))
    config.MappingKernelManager.cull_interval = max(1, min(60, round(idle * 15)))
    config.MappingKernelManager.cull_connected = True
    return config


def _page_config(page: dict[str, Any], **_: object) -> dict[str, Any]:
    """Without MathJax: our template has a stub of it."""
    return page | {"fullMathjaxUrl": "data:text/javascript,//"}


def _masked(_: object, *, notebook: Any, cwd: str) -> Any:  # noqa: ARG001 - as Voilà calls it
    """The notebook with a first cell that hides personal columns in frames of principals."""
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%load_ext clerk_cerbos_lab.report.kernel"))
    return notebook


def _unchanged(cell: Any) -> Any:
    return cell


def _shareable(read: Path, ids: Iterable[str], words: Iterable[str]) -> Callable[[Any], Any]:
    """A function that replaces ids in a cell that has run by their pseudonyms."""
    more_ids, more_words = frozenset(ids), frozenset(words)

    def masked(cell: Any) -> Any:
        own_ids, own_words = handed_over.handed_over(read)
        mask = masker(more_ids | own_ids, more_words | own_words)
        return masked_notebook(nbformat.v4.new_notebook(cells=[cell]), mask).cells[0]

    return masked


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
