"""Drive pages and JupyterLab in this machine's Chromium; the fixtures are in browser_fixtures.py."""

# nbformat says that it is typed, yet what makes its cells is not.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import nbformat
import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page, Route, ViewportSize, WebSocketRoute

START = 180.0
"""Seconds within which a server must answer."""

VIEWPORT: Final[ViewportSize] = {"width": 1280, "height": 900}

SLOW = 180_000.0
"""Milliseconds that anything may take on a busy machine: a kernel to start, a cell to run, a click to act."""

# What a page reads without a network.
LOCAL = ("file:", "data:", "blob:", "about:")

THEMES = "@jupyterlab/apputils-extension:themes"

# Lab asks nobody for news, and writes a notebook when a test says so, never by itself.
OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}

PANEL = "window.jupyterapp?.shell?.currentWidget"
SHOWN = f"() => {PANEL}?.context?.isReady && {PANEL}.content?.widgets?.length > 0"
IDLE = f"() => {PANEL}?.sessionContext?.session?.kernel?.status === 'idle'"

# What `evaluate` is given has all the time in the world: this gives up after a while.
COMMAND = """async ([name, options, limit]) => {
    let timer;
    const late = new Promise((_, refuse) => {
        timer = setTimeout(() => refuse(new Error(`${name} took longer than ${limit} ms`)), limit);
    });
    try {
        await Promise.race([window.jupyterapp.commands.execute(name, options), late]);
    } finally {
        clearTimeout(timer);
    }
}"""

START_ALL = """() => {
    window.allRan = false;
    const done = () => { window.allRan = true; };
    window.jupyterapp.commands.execute('notebook:run-all-cells').then(done);
}"""

CLOSE_WIDGETS = f"""async () => {{
    const {{session}} = {PANEL}.sessionContext;
    await session.kernel.requestExecute({{code: "import ipywidgets; ipywidgets.Widget.close_all()"}}).done;
}}"""

CODE_CELLS = f"""() => {PANEL}.content.widgets
    .map(cell => cell.model)
    .filter(model => model.type === 'code' && model.sharedModel.getSource().trim())
    .map(model => [model.sharedModel.getSource(), model.executionCount, model.outputs.toJSON()])"""

AXE = """async selector => (await window.axe.run(selector, {resultTypes: ['violations']})).violations
    .filter(rule => ['serious', 'critical'].includes(rule.impact))
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(' ')} (${rule.help})`))"""


OF_LAB = {"Disposed", "Cannot read properties of null (reading 'kernel')"}
"""What Lab itself complains of when a notebook is closed while its kernel starts or ends."""


@dataclass
class Visit:
    """A page, its blocked requests, and its errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def forget(self) -> None:
        """Forget what was seen so far."""
        for seen in (self.requests, self.errors, self.warnings):
            seen.clear()

    def refuse(self, route: Route) -> None:
        self.requests.append(route.request.url)
        route.abort()

    def refuse_socket(self, socket: WebSocketRoute) -> None:
        self.requests.append(socket.url)
        socket.close()

    def fail(self, error: str) -> None:
        """Note an error that the page did not catch."""
        if error not in OF_LAB:
            self.errors.append(error)

    def hear(self, message: ConsoleMessage) -> None:
        """Note what the page says, but not that JupyterLab asked its server for a session that has ended."""
        if message.text.startswith("Failed to load resource") and "/api/" in message.location["url"]:
            return
        heard = {"error": self.errors, "warning": self.warnings}.get(message.type)
        if heard is not None:
            heard.append(message.text)


@dataclass(frozen=True)
class LabServer:
    """A JupyterLab that runs on this machine and shows `folder`."""

    url: str
    token: str = field(repr=False)
    folder: Path
    shared: set[str] = field(default_factory=set)
    """Kernels that several tests share."""

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask the server itself, and raise if it refuses."""
        headers = {"Authorization": f"token {self.token}"}
        # A proxy of this machine does not know its 127.0.0.1.
        answer = httpx.request(method, self.url + path, headers=headers, trust_env=False, **more)
        return answer.raise_for_status()

    @contextmanager
    def kernel(self) -> Iterator[str]:
        """Run a kernel that several tests share: it takes seconds to start and to import pandas."""
        started: str = self.ask("POST", "api/kernels", json={"name": "python3"}).json()["id"]
        self.shared.add(started)
        try:
            yield started
        finally:
            self.shared.remove(started)
            self.ask("DELETE", f"api/kernels/{started}")

    def join(self, path: str, kernel: str) -> None:
        """Let a notebook run in an existing kernel."""
        session = {"path": path, "name": path, "type": "notebook", "kernel": {"id": kernel}}
        self.ask("POST", "api/sessions", json=session)

    def tidy(self) -> None:
        """End every kernel of one test and forget the theme: the next test finds what this one found."""
        for session in self.ask("GET", "api/sessions").json():
            if session["kernel"]["id"] not in self.shared:
                self.ask("DELETE", f"api/sessions/{session['id']}")
        self.ask("PUT", f"lab/api/settings/{THEMES}", json={"raw": "{}"})


def find_chromium() -> str:
    """Return where Chromium is. Without one a test is skipped, except in CI: there it fails."""
    for name in ("chromium", "google-chrome", "chromium-browser"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail("no Chromium on this machine, and in CI no browser test is skipped")
    pytest.skip("no Chromium on this machine")


@contextmanager
def visit(browser: Browser, *allowed: str) -> Iterator[Visit]:
    """Open an empty page that may only reach addresses that start with `allowed`."""
    others = re.compile(f"^(?!{'|'.join(map(re.escape, (*LOCAL, *allowed)))})")
    # A service worker would ask behind the back of the routes.
    context = browser.new_context(service_workers="block", viewport=VIEWPORT)
    try:
        context.set_default_timeout(SLOW)
        seen = Visit(context.new_page())
        context.route(others, seen.refuse)
        context.route_web_socket(others, seen.refuse_socket)
        context.on("console", seen.hear)
        context.on("weberror", lambda error: seen.fail(str(error.error)))
        yield seen
    finally:
        context.close()


def lab_environment(home: Path) -> dict[str, str]:
    """Return this environment without the user's own Jupyter settings."""
    of_jupyter = ("JUPYTER", "IPYTHON", "JPY_")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(of_jupyter)}
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",  # kernels are still found where this Python has its own
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    theirs = {name: str(home / place) for name, place in places.items()}
    return mine | theirs | {"JUPYTER_TOKEN": secrets.token_hex(16)}


def lab_command(folder: Path) -> list[str]:
    root = ["--allow-root"] if os.geteuid() == 0 else []
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", *root),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"),
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",  # window.jupyterapp: its commands say when they are done
    ]


def answering(process: subprocess.Popen[bytes], home: Path, token: str) -> LabServer:
    """Wait until the server answers; if it does not, fail with its output."""
    about = home / "runtime" / f"jpserver-{process.pid}.json"
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        try:
            server = LabServer(json.loads(about.read_text("utf-8"))["url"], token, home / "work")
            server.ask("GET", "api/status")
        except (FileNotFoundError, ValueError, httpx.TransportError):  # not written, half written, no answer
            time.sleep(0.05)
        else:
            return server
    said = (home / "lab.log").read_text("utf-8", errors="replace")
    pytest.fail(f"JupyterLab did not start (exit code {process.poll()}):\n{said}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and all processes that it started."""
    # Each kernel leads a group of its own, so the server's group does not hold it.
    started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in psutil.wait_procs(started, timeout=5)[1]:
        left.kill()


@contextmanager
def run_lab(home: Path) -> Iterator[LabServer]:
    """Run JupyterLab on a free port of 127.0.0.1; all that it writes goes into `home`."""
    overrides = home / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps(OVERRIDES), encoding="utf-8")
    (home / "work").mkdir()
    environment = lab_environment(home)
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            lab_command(home / "work"),
            cwd=home / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C reaches the tests, which end the server
        )
        try:
            yield answering(process, home, environment["JUPYTER_TOKEN"])
        finally:
            stop(process)


def write_notebook(path: Path, sources: Iterable[str]) -> None:
    """Write a notebook with these code cells, not run yet."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def open_notebook(page: Page, server: LabServer, path: str, *, kernel: bool = True) -> None:
    """Open a notebook of the server's folder, alone in Lab's simple mode, and wait for its kernel."""
    if page.evaluate("() => 'jupyterapp' in window"):  # Lab is there, with what an earlier test opened in it
        close_notebooks(page)
        set_theme(page, "JupyterLab Light")
        command(page, "docmanager:open", path=path)
    else:
        # No layout is restored in this mode: nothing that another test opened comes back.
        page.goto(f"{server.url}doc/tree/{quote(path)}?token={server.token}", wait_until="commit")
    page.wait_for_function(SHOWN, timeout=SLOW)
    if kernel:
        wait_until_idle(page)


def close_notebooks(page: Page) -> None:
    """Close what is open in Lab, without saving and without a question."""
    page.evaluate("() => [...(window.jupyterapp?.shell.widgets('main') ?? [])].forEach(one => one.dispose())")


def wait_until_idle(page: Page) -> None:
    page.wait_for_function(IDLE, timeout=SLOW)


def command(page: Page, name: str, **options: Any) -> None:
    """Run a command from Lab's menus by name, and wait until it is done."""
    page.evaluate(COMMAND, [name, options, SLOW])


def run_all(page: Page) -> None:
    """Run every cell, wait until the kernel is idle, and fail if a cell failed."""
    start_all(page)
    finish_all(page)


def start_all(page: Page) -> None:
    """Start running every cell without waiting."""
    page.evaluate(START_ALL)


def finish_all(page: Page) -> None:
    """Wait until the cells have run and the kernel is idle, and fail if a cell failed."""
    page.wait_for_function("() => window.allRan", timeout=SLOW)  # a kernel also says idle between two cells
    wait_until_idle(page)
    for source, count, outputs in page.evaluate(CODE_CELLS):
        for output in outputs:
            if output["output_type"] == "error":
                pytest.fail(f"a cell failed: {source}\n{output['ename']}: {output['evalue']}")
        if count is None:
            pytest.fail(f"a cell was not run: {source}")


def close_widgets(page: Page) -> None:
    """Close all widgets of the kernel, which the next notebook in it would otherwise load."""
    page.evaluate(CLOSE_WIDGETS)


def save(page: Page) -> None:
    """Write the notebook to its file."""
    command(page, "docmanager:save")
    page.wait_for_function(f"() => !{PANEL}.context.model.dirty", timeout=SLOW)


def wait_for_text(page: Page, path: Path, text: str) -> None:
    """Wait until a file that a kernel writes holds this text."""
    end = time.monotonic() + SLOW / 1_000
    while not (path.exists() and path.read_text("utf-8") == text):
        assert time.monotonic() < end, f"{path.name} does not hold {text!r}"
        page.wait_for_timeout(20)  # unlike time.sleep: what the page asks and says is heard meanwhile


def set_theme(page: Page, theme: str) -> None:
    """Switch to "JupyterLab Dark" or "JupyterLab Light", as the menu does; `tidy` switches back."""
    command(page, "apputils:change-theme", theme=theme)
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)


def open_tools(page: Page) -> None:
    """Open the lesser tools of every matrix on the page; they stay open."""
    for more in page.get_by_role("button", name="… More").all():
        if more.is_visible() and more.get_attribute("aria-expanded") == "false":
            more.click()


def axe(page: Page, selector: str) -> list[str]:
    """Return the serious and critical problems that axe-core finds within the selected elements."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found: list[str] = page.evaluate(AXE, selector)
    return found
