"""`clerk-cerbos-lab serve`: an explorer or a notebook as an application, on this machine alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import nbformat
import psutil
import pytest
from browser import SLOW, Visit, axe, visit, write_notebook

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.cli import serving
from clerk_cerbos_lab.errors import InputError, PolicyError, UsersError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

COMMAND = [sys.executable, "-m", "clerk_cerbos_lab", "serve"]
USERS, POLICIES = str(lab.sample.users), str(lab.sample.policies)
ID = json.loads(lab.sample.users.read_text("utf-8"))[0]["id"]

# A visitor who does not use the page but talks to the kernel: is the code run?
RUN_CODE = """([kernel, code]) => new Promise((done, failed) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + `/api/kernels/${kernel}/channels`);
    const send = (type, content) => socket.send(JSON.stringify({
        channel: "shell", content, metadata: {}, parent_header: {}, buffers: [],
        header: {msg_id: type, msg_type: type, session: "visitor", username: "", version: "5.3", date: ""},
    }));
    socket.onopen = () => {
        send("execute_request", {code, silent: false, store_history: false, user_expressions: {}});
        send("kernel_info_request", {});
    };
    socket.onmessage = async event => {
        const text = typeof event.data === "string" ? event.data : await event.data.text();
        if (text.includes("kernel_info_reply")) { socket.close(); done(true); }
    };
    socket.onerror = () => failed(new Error("the kernel can't be reached"));
})"""


class Application:
    """A running `serve`: its link, its process, and the processes that it started."""

    def __init__(self, process: subprocess.Popen[str], link: str) -> None:
        self.process = process
        self.link = link
        self.base = link.split("?", maxsplit=1)[0]

    def started(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if one.is_running()]

    def kernels(self) -> list[psutil.Process]:
        return [one for one in self.started() if "ipykernel_launcher" in " ".join(one.cmdline())]


@contextmanager
def served(*arguments: str) -> Iterator[Application]:
    """Run the command, wait for its link, and end it."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))},
    )
    try:
        assert process.stdout
        first = process.stdout.readline()
        found = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/\?token=\w+)\n", first)
        assert found, first
        assert process.stdout.readline() == "Ctrl-C ends it\n"
        yield Application(process, found[1])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def wait_until(done: object, what: str) -> None:
    assert callable(done)
    end = time.monotonic() + SLOW / 1000
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def explorer() -> Iterator[Application]:
    with served("--explore", "expense", "--users", USERS, "--policies", POLICIES) as application:
        yield application


@pytest.fixture(scope="module")
def tab(chromium: Browser, explorer: Application) -> Iterator[Visit]:
    """Return a page with the explorer, drawn; it reaches nothing else."""
    with visit(chromium, explorer.base, explorer.base.replace("http", "ws")) as seen:
        seen.page.goto(explorer.link)
        seen.page.wait_for_selector("[role=grid]")
        yield seen


def test_an_explorer_is_drawn_without_a_request_to_any_other_host_or_an_error(tab: Visit) -> None:
    assert tab.page.title() == "expense"
    assert "of 96 people may" in tab.page.inner_text("main")
    assert (tab.requests, tab.errors) == ([], [])


def test_its_controls_ask_the_pdp(tab: Visit) -> None:
    call = tab.page.locator("code.ccl-call")
    assert "'approve'" in call.inner_text()
    tab.page.get_by_role("checkbox", name="view", exact=True).check()
    tab.page.wait_for_function("() => document.querySelector('code.ccl-call').innerText.includes(\"'view'\")")
    assert (tab.requests, tab.errors) == ([], [])


def test_people_are_pseudonyms_and_no_path_or_code_of_the_machine_is_in_the_page(tab: Visit) -> None:
    content = tab.page.content()
    assert lab.pseudonym(ID) in content
    assert "user_" not in content
    assert "pickle" not in content
    assert POLICIES not in content


def test_it_follows_the_browser_into_the_dark_and_fits_a_phone(tab: Visit) -> None:
    background = "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    light = tab.page.evaluate(background)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    assert min(light) > 240
    assert max(tab.page.evaluate(background)) < 60
    assert axe(tab.page, "main > *") == []
    tab.page.emulate_media(color_scheme="light")
    tab.page.set_viewport_size({"width": 390, "height": 844})
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_a_visitor_can_run_no_code(tab: Visit, tmp_path: Path) -> None:
    kernel = json.loads(tab.page.locator("#jupyter-config-data").text_content() or "")["kernelId"]
    mark = tmp_path / "ran"
    assert tab.page.evaluate(RUN_CODE, [kernel, f"open({str(mark)!r}, 'w')"])
    assert not mark.exists()


def test_nobody_gets_in_without_the_link_or_by_another_name_of_the_machine(explorer: Application) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.get(explorer.base).status_code == 302  # to a page that asks for the token
        answer = client.get(explorer.link, headers={"Host": "elsewhere.example"})
        assert answer.status_code == 403
        answer = client.get(f"{explorer.base}voila/files/expense.ipynb?{explorer.link.split('?')[1]}")
        assert answer.status_code == 403
        assert len(explorer.kernels()) <= 1


def test_a_notebook_is_masked_its_idle_kernel_and_pdp_end_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    sources = [
        f"import clerk_cerbos_lab as lab\nprincipals = lab.load_principals({USERS!r})",
        f"pdp = lab.PDP({POLICIES!r})\nprint(principals['id'].tolist()[:3])",
        "principals.head(2)",
    ]
    write_notebook(tmp_path / "own.ipynb", sources)
    with served(str(tmp_path / "own.ipynb"), "--idle", "0.05") as application:
        page = httpx.get(application.link, trust_env=False, timeout=SLOW / 1000, follow_redirects=True).text
        assert "user_" not in page
        assert lab.pseudonym(ID) in page
        assert "print(" not in page  # the sources are not shown
        wait_until(lambda: not application.started(), "the idle kernel and its PDP still run")

        httpx.get(application.link, trust_env=False, timeout=SLOW / 1000)
        started = application.started()
        application.process.send_signal(signal.SIGINT)
        assert application.process.wait(60) == 0
        wait_until(lambda: not any(one.is_running() for one in started), "something still runs")


def test_names_are_shown_on_request_with_a_warning(tmp_path: Path) -> None:
    write_notebook(tmp_path / "own.ipynb", [f"print({ID!r})"])
    with served(str(tmp_path / "own.ipynb"), "--names") as application:
        page = httpx.get(application.link, trust_env=False, timeout=SLOW / 1000).text
    assert ID in page
    assert "share this with care" in page


def serve(**given: object) -> None:
    usual = {"notebook": None, "explore": None, "users": None, "policies": None}
    serving.serve(**usual | given)  # type: ignore[arg-type]


def test_what_can_t_be_served_is_refused_before_anybody_visits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name a notebook, or --explore KIND"):
        serve()
    with pytest.raises(InputError, match=r"is not a notebook \(\.ipynb\)"):
        serve(notebook=tmp_path / "absent.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "own.ipynb")
    with pytest.raises(InputError, match="a notebook names its own"):
        serve(notebook=tmp_path / "own.ipynb", users=Path(USERS))
    with pytest.raises(InputError, match="did you mean 'expense'"):
        serve(explore="expence", users=Path(USERS), policies=Path(POLICIES))
    with pytest.raises(UsersError):
        serve(explore="expense", users=tmp_path / "absent.json", policies=Path(POLICIES))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "thing.yaml").write_text("nonsense: [", encoding="utf-8")
    with pytest.raises(PolicyError):
        serve(explore="expense", users=Path(USERS), policies=tmp_path / "policies")


def test_without_the_extra_the_error_names_it(tmp_path: Path) -> None:
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "own.ipynb")
    code = "import sys; sys.modules['voila'] = None; sys.argv = ['clerk-cerbos-lab', 'serve', 'own.ipynb']\n"
    code += "from clerk_cerbos_lab.cli.main import main\nmain()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    needed = "error: serve needs voila: pip install 'clerk-cerbos-lab[notebooks,serve]'"
    assert done.stderr.strip() == needed


def test_a_host_that_others_reach_gets_a_warning_and_one_that_is_not_ours_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "own.ipynb")
    with pytest.raises(InputError, match=r"can't listen at 192\.0\.2\.1: "):
        serve(notebook=tmp_path / "own.ipynb", host="192.0.2.1")
    said = capsys.readouterr().err
    assert said.startswith("warning: --host 192.0.2.1: whoever reaches this machine and has the link sees")
