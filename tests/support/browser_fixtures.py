"""A Chromium, a page without a network, a running JupyterLab, and a page to open it in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import SLOW, VIEWPORT, LabServer, Visit, close_notebooks, find_chromium, run_lab, visit
from playwright.sync_api import Browser, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

# The resolver knows this machine alone, and no proxy does its work: what slips past the routes of
# a page, such as a socket of a worker, gets no further.
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--no-proxy-server"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


expect.set_options(timeout=SLOW)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a headless Chromium.

    One for each module that asks, and not one for all: as long as Playwright runs, this thread
    counts as one with a running event loop, and `asyncio.run` in another test would refuse.
    """
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def offline_page(chromium: Browser) -> Iterator[Visit]:
    """Return an empty page whose network requests are all blocked."""
    with visit(chromium) as seen:
        yield seen


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """Return a JupyterLab with this Python's kernel, and its own settings, notebooks and kernels."""
    find_chromium()  # skips before a server is started that no test could use
    with run_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")
def lab_tab(chromium: Browser, lab_server: LabServer) -> Iterator[Visit]:
    """Return a page that reaches the JupyterLab and nothing else; loading Lab takes seconds."""
    sockets = lab_server.url.replace("http", "ws", 1)
    with visit(chromium, lab_server.url, sockets) as seen:
        yield seen


@pytest.fixture
def lab_page(lab_tab: Visit, lab_server: LabServer) -> Iterator[Visit]:
    """Return a page for a notebook in JupyterLab, without anything of an earlier test."""
    lab_tab.forget()
    lab_tab.page.set_viewport_size(VIEWPORT)
    yield lab_tab
    close_notebooks(lab_tab.page)
    lab_server.tidy()
