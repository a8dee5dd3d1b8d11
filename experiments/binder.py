"""Rehearse Binder: its files in a fresh clone, then each notebook in the browser.

Binder itself (a container, made by repo2docker) can't run everywhere. What can: a
fresh clone of the commit, a fresh environment with what repo2docker's base brings,
``binder/postBuild`` in it, JupyterLab through ``binder/start``, and a browser that
opens each notebook and runs all of its cells. Recorded are the seconds and bytes of
each step. Left out: the image itself, Binder's network, its shared processors.

Needs the extra ``test`` (Playwright, psutil) and a Chromium; minutes, and 3 GB.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .record import provenance, save

ROOT = Path(__file__).resolve().parent.parent
# What environment.py-3.11.yml of repo2docker asks for, from the package index.
BASE = (
    "ipywidgets==8.*",
    "jupyter-resource-usage==1.*",
    "jupyter-server==2.*",
    "jupyterhub==5.*",
    "jupyterlab==4.*",
    "notebook==7.*",
)
NOTEBOOKS = ("00", "01", "02", "03", "04", "05", "11")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
MEMORY = (
    "largest sum of the proportional memory (PSS) of the server and its kernels, "
    "sampled every 0.5 s; the browser is the reader's"
)
# Where the cells stand: how many are code, have run, hold an error; the kernel.
STATE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  if (!panel?.content?.model || !panel.sessionContext) return null;
  const cells = [...panel.content.model.cells].filter(
    c => c.type === 'code' && c.sharedModel.getSource().trim());
  const outputs = cells.flatMap(c => c.outputs.toJSON());
  const kernel = panel.sessionContext.session?.kernel;
  return {code: cells.length, ran: cells.filter(c => c.executionCount).length,
    errors: outputs.filter(o => o.output_type === 'error')
      .map(o => `${o.ename}: ${o.evalue}`),
    kernel: kernel ? kernel.status : 'none'};
}"""


def arguments(parser: Any) -> None:
    out = Path("data/reference/binder.json")
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--only", nargs="+", metavar="NN", default=NOTEBOOKS)
    parser.add_argument(
        "--work", type=Path, help="build here and keep it; what is there is used again"
    )
    parser.add_argument("--limit-gb", type=float, default=2.0, help="memory allowed")


def go(given: Any) -> None:
    """Rehearse, and write what was measured to ``given.out``."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        work = (given.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        environment = build(work)
        limit = int(given.limit_gb * 1e9)
        result = {
            **provenance(),
            "memory": MEMORY,
            "limit_bytes": limit,
            "environment": environment,
            "notebooks": browse(work, given.only, limit),
        }
    save(result, given.out)
    worst = max(n["peak_memory_bytes"] for n in result["notebooks"].values())
    print(f"largest peak: {worst / 1e9:.2f} GB; written to {given.out}")


def build(work: Path) -> dict[str, Any]:
    """A clone and an environment from the files in ``binder/``; seconds and bytes.

    What was built before into ``work`` is measured again, not built again.
    """
    clone, venv, done = work / "clone", work / "venv", work / "built"
    if not done.exists():
        for folder in (clone, venv):
            shutil.rmtree(folder, ignore_errors=True)
        seconds = {"clone": timed("git", "clone", "-q", "--no-hardlinks", ROOT, clone)}
        seconds["venv"] = timed(sys.executable, "-m", "venv", venv)
        pip = (venv / "bin/python", "-m", "pip", "install", "-q", "--no-cache-dir")
        seconds["base"] = timed(*pip, *BASE)
        base = size(venv)
        script = clone / "binder/postBuild"
        seconds["postBuild"] = timed("bash", script, cwd=clone, env=inside(venv))
        done.write_text(repr({"seconds": seconds, "base_bytes": base}))
    import ast

    kept = ast.literal_eval(done.read_text())
    versions = {}
    for name in ("python", "jupyterlab", "torch", "numpy", "ipywidgets"):
        versions[name] = version_in(venv, name)
    return {
        **kept,
        "whole_bytes": size(venv),
        "clone_bytes": size(clone),
        "versions": versions,
    }


def inside(venv: Path) -> dict[str, str]:
    """What a program sees that runs in this environment, and in no other."""
    lost = ("PYTHONPATH", "VIRTUAL_ENV", "MPLBACKEND", "JUPYTER_PATH", "CI")
    env = {k: v for k, v in os.environ.items() if k not in lost}
    return env | {"PATH": f"{venv / 'bin'}{os.pathsep}{env['PATH']}"}


def timed(*command: Any, **options: Any) -> float:
    """Run it; its seconds. ``RuntimeError`` with the end of what it said."""
    started = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, **options
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return time.perf_counter() - started


def size(folder: Path) -> int:
    """Bytes of the files below ``folder``."""
    return sum(f.lstat().st_size for f in folder.rglob("*") if not f.is_dir())


def version_in(venv: Path, name: str) -> str:
    code = f"from importlib.metadata import version as v; print(v({name!r}))"
    if name == "python":
        code = "import platform; print(platform.python_version())"
    ask = [str(venv / "bin/python"), "-c", code]
    return subprocess.run(ask, capture_output=True, text=True).stdout.strip()


@contextmanager
def server(work: Path) -> Iterator[tuple[str, Any]]:
    """JupyterLab as Binder starts it: (address, process). Settings of its own."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    env = inside(work / "venv")
    home = work / "jupyter"  # fresh, or JupyterLab would open what was open before
    shutil.rmtree(home, ignore_errors=True)
    for kind in ("CONFIG", "DATA", "RUNTIME"):
        env[f"JUPYTER_{kind}_DIR"] = str(home / kind.lower())
    command = ["bash", "binder/start", "jupyter", "lab", "--no-browser"]
    command += ["--allow-root", f"--port={port}", f"--IdentityProvider.token={token}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with (work / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=work / "clone", env=env, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{address}api", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise RuntimeError(f"no JupyterLab: see {work / 'server.log'}")
            yield f"{address}%s?token={token}", process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def peak_memory(process: Any, limit: int) -> Iterator[dict[str, Any]]:
    """{'bytes': peak} of a process and all below it; above ``limit`` kernels end, as
    Binder would end them."""
    import psutil

    peak: dict[str, Any] = {"bytes": 0, "killed": False}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            total, kernels = 0, []
            top = psutil.Process(process.pid)
            for p in [top, *top.children(recursive=True)]:
                try:
                    total += p.memory_full_info().pss
                    kernels += [p] if "ipykernel_launcher" in p.cmdline() else []
                except psutil.Error:
                    pass
            peak["bytes"] = max(peak["bytes"], total)
            if total > limit:
                peak["killed"] = True
                for p in kernels:
                    p.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def browse(work: Path, only: Any, limit: int) -> dict[str, Any]:
    """Open each notebook in the browser and run all its cells, by the menu."""
    from playwright.sync_api import sync_playwright

    file = next(filter(None, map(shutil.which, BROWSERS)), None)
    if file is None:
        raise RuntimeError("no Chromium on the PATH: install one")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=file, args=flags)
        for path in sorted((work / "clone/notebooks").glob("[0-9][0-9]_*.ipynb")):
            if path.name.startswith(tuple(only)):
                # A server each: a reader follows one link, and opens one notebook.
                with server(work) as (address, process):
                    page = browser.new_page()
                    with peak_memory(process, limit) as peak:
                        told = run_all(
                            page, address % f"lab/tree/notebooks/{path.name}"
                        )
                    page.close()
                told |= {"peak_memory_bytes": peak["bytes"], "killed": peak["killed"]}
                found[path.stem] = told
                print(path.stem, told, flush=True)
        browser.close()
    return found


def run_all(page: Any, address: str) -> dict[str, Any]:
    """Seconds to the first import's end and to the last cell's, cells, errors."""
    started = time.perf_counter()
    page.goto(address, timeout=120_000)
    page.wait_for_function("() => window.jupyterapp", timeout=120_000)
    wait(page, lambda s: s["kernel"] == "idle", 300)
    opened = time.perf_counter()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    # Three cells: what fetches the kit, the parameters, the import with the set-up.
    wait(page, lambda s: s["ran"] >= 3 or s["errors"], 300)
    first = time.perf_counter()
    state = wait(page, ended, 3600)
    told = {
        "open_seconds": opened - started,
        "first_cells_seconds": first - opened,
        "seconds": time.perf_counter() - opened,
        "code": state["code"],
        "ran": state["ran"],
        "errors": state["errors"],
    }
    return told


def ended(state: dict[str, Any]) -> bool:
    """Every cell has run, or one failed, or the kernel is gone."""
    gone = state["kernel"] in ("dead", "restarting", "autorestarting", "none")
    return gone or (
        state["kernel"] == "idle"
        and (state["ran"] == state["code"] or bool(state["errors"]))
    )


def wait(page: Any, good: Any, seconds: float) -> dict[str, Any]:
    """The state of the notebook once ``good`` holds of it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = page.evaluate(STATE)
        if state and good(state):
            return state
        time.sleep(0.2)
    raise RuntimeError(f"the notebook stands still: {state}")
