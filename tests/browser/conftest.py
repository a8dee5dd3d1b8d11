"""A real browser for the tests: Chromium, driven by Playwright.

``browser_page(url)`` opens a page of its own (so cookies and all are a new
person's), ``served(...)`` starts a server on a free loopback port and ends it,
``lab`` is a JupyterLab with the kernel of this environment. ``shot(page, name)``
keeps a picture in build/screenshots/, ``axe(page, selector)`` asks axe-core for
what shuts somebody out. Where there is no browser the tests are skipped with the
reason; with SELFPLAY_KIT_BROWSER=required they fail instead. That variable may
also name the browser's file.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ..conftest import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHOTS = ROOT / "build" / "screenshots"
PATIENCE = 180_000  # milliseconds: a slow machine is no failure
WIDE, NARROW = (1280, 900), (390, 844)  # pixels: a laptop's window, a phone's


def pytest_collection_modifyitems(items):
    """Everything in this folder carries the marker ``browser``."""
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


def chromium_path() -> str | None:
    """The browser's file: the one that the variable names, else one on the PATH."""
    named = os.environ.get("SELFPLAY_KIT_BROWSER", "required")
    if named != "required":
        return shutil.which(named)
    return next(filter(None, map(shutil.which, NAMES)), None)


def lacking() -> str | None:
    """Why there can be no browser test here, or ``None``."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright.sync_api  # noqa: F401
    except ImportError as e:
        return f"{e.name} is not installed: pip install -e '.[test]'"
    if chromium_path() is None:
        return (
            "no Chromium on the PATH: install one (Debian, Ubuntu: apt install "
            "chromium), or set SELFPLAY_KIT_BROWSER to its file"
        )
    return None


@pytest.fixture(scope="package")
def chromium():
    """The browser, one for all tests of this folder.

    Its scope is the folder, no more: while Playwright is on, an event loop runs in
    the main thread, and other tests start loops of their own.
    """
    reason = lacking()
    if reason and os.environ.get("SELFPLAY_KIT_BROWSER") == "required":
        pytest.fail(f"SELFPLAY_KIT_BROWSER=required, but {reason}")
    if reason:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium):
    """``browser_page(url, size=WIDE)`` opens a page; its ``.errors`` lists what the
    page's scripts threw. Every page is closed at the test's end."""
    contexts = []

    def open_page(url: str, size: tuple[int, int] = WIDE, **options):
        window = {"width": size[0], "height": size[1]}
        contexts.append(chromium.new_context(viewport=window, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def served(command, url: str, home: Path, *, seconds: float = 60, **env: str):
    """Run ``command`` until the block ends; yields once ``url`` answers.

    Jupyter's own folders lie in ``home``, so that neither the person's settings nor
    those of another test play a part. What the server says goes to home/server.log,
    and into the error if it does not answer.
    """
    own = {
        f"JUPYTER_{kind}_DIR": str(home / kind.lower())
        for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    own |= {"IPYTHONDIR": str(home / "ipython"), "PYTHONPATH": str(ROOT)}
    # Here somebody watches, although CI says of itself that nobody does.
    own |= {
        "CI": "",
        "SELFPLAY_KIT_QUIET": "",
        "MPLBACKEND": "",
        "OMP_NUM_THREADS": "1",
        **env,
    }
    log = home / "server.log"
    new_group = {"start_new_session": True} if os.name != "nt" else {}
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            cwd=home,
            env={k: v for k, v in (os.environ | own).items() if v},
            stdout=out,
            stderr=subprocess.STDOUT,
            **new_group,
        )
    try:
        until = time.monotonic() + seconds
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > until:
                said = log.read_text("utf-8", errors="replace")[-3000:]
                raise RuntimeError(f"{command[:4]} does not answer at {url}:\n{said}")
            time.sleep(0.1)
        yield server
    finally:
        if os.name == "nt":
            server.terminate()
        else:  # its kernels, too
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


class Lab:
    """A running JupyterLab: ``folder`` is what it serves."""

    def __init__(self, url: str, token: str, folder: Path):
        self.url, self.token, self.folder = url, token, folder

    def address(self, notebook: str) -> str:
        """Where ``notebook`` opens as a single document."""
        return f"{self.url}/doc/tree/{notebook}?reset&token={self.token}"


@pytest.fixture(scope="package")
def lab(chromium, tmp_path_factory):
    """A JupyterLab on an empty folder; tests write their notebooks into it."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    settings = {  # every cell in the page, whether it is in view or not; no news
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false"},
    }
    for name, value in settings.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")
    port, token = free_port(), secrets.token_hex(16)
    given = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "ServerApp.root_dir": folder,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": token,
        "LabApp.user_settings_dir": home / "settings",
        "LabApp.workspaces_dir": home / "workspaces",
        "LabApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab"]
    command += [f"--{name}={value}" for name, value in given.items()]
    url = f"http://127.0.0.1:{port}"
    with served(command, f"{url}/api", home):
        yield Lab(url, token, folder)


@pytest.fixture
def open_notebook(lab, browser_page):
    """``open_notebook("x.ipynb")`` opens a notebook of the lab's folder, runs all
    its cells and returns the page when the last one is done."""

    def opened(name: str, size: tuple[int, int] = WIDE, seconds: float = 180):
        page = browser_page(lab.address(name), size)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext"
            "?.session?.kernel?.connectionStatus === 'connected'"
        )
        page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
        )
        page.wait_for_function(_ALL_RUN, timeout=1000 * seconds)
        return page

    yield opened


_ALL_RUN = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.widgets;
  return cells.every(c => c.model.type !== 'code' || c.model.executionCount
                          || !c.model.sharedModel.getSource().trim());
}"""


def until(page, text: str) -> None:
    """Wait until the page says ``text``; a cell's error ends it, with its text."""
    error = page.locator(
        "[data-mime-type='application/vnd.jupyter.stderr'] :text('Traceback')"
    )
    page.get_by_text(text).or_(error).first.wait_for()
    if error.count():
        pytest.fail(error.first.inner_text())


def shot(page, name: str, selector: str | None = None) -> Path:
    """A picture of the page, or of the first that ``selector`` finds, as a file."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"]
    path = SHOTS / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{width}.png"
    (page.locator(selector).first if selector else page).screenshot(path=path)
    return path


def axe(
    page, selector: str, impacts=("serious", "critical"), leave: str = ""
) -> list[str]:
    """What axe-core finds wrong inside ``selector``, of these impacts and outside
    ``leave``: a sentence for each rule that is broken."""
    from axe_playwright_python.sync_playwright import Axe

    where = {"include": [selector], "exclude": [leave] if leave else []}
    found = Axe().run(page, context=where).response["violations"]
    return [
        f"{v['id']} ({v['impact']}): {v['help']}: "
        + "; ".join(n["html"][:200] for n in v["nodes"][:3])
        for v in found
        if v["impact"] in impacts
    ]
