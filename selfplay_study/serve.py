"""The study's page on the network, by Voilà.

Visitors get a page and a kernel of their own, no more. Voilà hands a kernel only the
messages of widgets, never code from outside (its list of message types; a test sends
code and sees it ignored). The folder that it serves holds nothing but the page; the
study folder is elsewhere. The page may load nothing from other hosts. On an open
network a word in the address keeps strangers out; what is typed travels unencrypted.
Left out: https, accounts, more than one machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from .address import clean_host, clean_word, is_loopback, page_address, same_word
from .folder import CODE_LETTERS, Study, StudyError
from .page import FOLDER
from .partners import VARIABLE, host, load

CODE = "from selfplay_study.page import page\n\npage()"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

DOOR = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The word, please</title><style>
body {font: 18px sans-serif; max-width: 30em; margin: 2em auto; padding: 0 1em}
input, button {font: inherit; padding: 10px; margin: 4px 0}
.trouble {border-left: 4px solid #d55e00; padding-left: 8px}
</style></head><body><main><h1>The word, please</h1>
{trouble}<form action="./"><p>It stands at the end of the address that you were given,
after <b>token=</b></p><p><label for="word">Word</label>
<input id="word" name="token" autocapitalize="none" autocomplete="off">
<button>Go on</button></p></form></main></body></html>"""
WRONG = '<p class="trouble" role="alert">That was not the word.</p>'
AMBIENT = ("JUPYTER_", "VOILA_", "JPY_")  # names of variables that Jupyter heeds
STARTUP = ("IPYTHONDIR", "PYTHONSTARTUP")
FULL = "All places are taken. Please try again later"


def notebook(title: str) -> str:
    """The page as a notebook of one cell."""
    cell = {"cell_type": "code", "id": "page", "metadata": {}, "source": CODE}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {
            "cells": [cell | {"outputs": [], "execution_count": None}],
            "metadata": {"kernelspec": kernel, "title": title},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def isolate(home: Path) -> None:
    """Leave out what the person, the folder or the machine has set for Jupyter: no
    settings, template, kernel or start-up file of theirs plays a part here or in a
    page's kernel, only what was installed beside this Python."""
    for name in list(os.environ):
        if name.upper().startswith(AMBIENT) or name.upper() in STARTUP:
            del os.environ[name]
    folders = {f"JUPYTER_{kind}_DIR": kind.lower() for kind in ("DATA", "RUNTIME")}
    os.environ |= {name: str(home / "jupyter" / at) for name, at in folders.items()}
    os.environ |= {"JUPYTER_NO_CONFIG": "1", "JUPYTER_PREFER_ENV_PATH": "1"}
    os.environ |= dict.fromkeys(("IPYTHONDIR", "TMPDIR", "TEMP", "TMP"), str(home))
    tempfile.tempdir = None  # heeds them from now on
    profile = home / "profile_default" / "ipython_kernel_config.py"
    profile.parent.mkdir()
    profile.write_text('get_config().IPKernelApp.log_level = "ERROR"\n', "utf-8")


def voila_app():
    """Voilà's application, which reads no settings from files."""
    path = sys.path  # without a voila.py of settings, as in the working folder
    sys.path = [p for p in path if not Path(p or ".", "voila.py").is_file()]
    try:
        from voila.app import Voila
    except ImportError as e:
        raise StudyError(
            f"the page needs Voilà, and {e.name} is not installed: "
            "pip install 'selfplay-kit[notebooks]', or start it by run.py"
        ) from e
    finally:
        sys.path = path

    class Server(Voila):
        def load_config_file(self, *args, **options) -> None:
            pass  # what `serve` says holds, and nothing beside it

    return Server


def settings(home: Path, ip: str, port: int, word: str, people: int, ready: int):
    """Voilà's configuration: what it may serve, to how many."""
    from jupyter_server.auth.identity import PasswordIdentityProvider
    from jupyter_server.auth.login import LoginFormHandler
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
    from tornado.web import HTTPError
    from traitlets.config import Config

    class Word(LoginFormHandler):
        def _render(self, message=None) -> None:
            wrong = "token=" in self.get_argument("next", "")
            self.finish(DOOR.replace("{trouble}", WRONG if wrong else ""))

        def post(self) -> None:  # Jupyter's own form, and with it new passwords
            raise HTTPError(404)

    class Door(PasswordIdentityProvider):
        def get_handlers(self) -> list[tuple[str, object]]:
            return [("/login", Word)]

        def get_token(self, handler) -> str | None:
            typed = super().get_token(handler)
            return self.token if typed and same_word(typed, self.token) else None

    class Rooms(AsyncMappingKernelManager):
        def __init__(self, **options):
            # Kernels whose page has gone, the longest first; those that are ending.
            self.left: dict[str, None] = {}
            self.ending: set[str] = set()
            super().__init__(**options)

        def notify_connect(self, kernel_id) -> None:
            super().notify_connect(kernel_id)
            self.left.pop(kernel_id, None)

        def notify_disconnect(self, kernel_id) -> None:
            super().notify_disconnect(kernel_id)
            gone = self._kernel_connections.get(kernel_id) == 0
            if gone and kernel_id not in self.ending:
                self.left[kernel_id] = None

        async def shutdown_kernel(self, kernel_id, *args, **options):  # type: ignore[override]
            self.left.pop(kernel_id, None)
            self.ending.add(kernel_id)
            try:
                return await super().shutdown_kernel(kernel_id, *args, **options)
            finally:
                self.ending.discard(kernel_id)

        async def start_kernel(self, **options):  # type: ignore[override]
            # Those that wait count, too.
            if len(self) - len(self.ending) >= max(people, ready):
                if not self.left:
                    asyncio.get_running_loop().call_soon(self._forget_failed)
                    raise HTTPError(503, reason=FULL)
                await self.shutdown_kernel(next(iter(self.left)), now=True)
            return await super().start_kernel(**options)

        def _forget_failed(self) -> None:
            """Voilà keeps a waiting page that could not start, and hands its error
            to the next who comes, although there may be room by then."""
            for pool in self._pools.values() if ready else ():  # type: ignore[attr-defined]
                pool[:] = [f for f in pool if not (f.done() and f.exception())]

    c = Config()
    c.Voila.ip, c.Voila.port, c.Voila.open_browser = ip, port, False
    c.Voila.port_retries, c.Voila.log_level = 0, "ERROR"  # and no address is logged
    c.Voila.token = word
    c.Voila.identity_provider_class = Door
    # All that a page may post is that it has closed, which frees its place. Only it
    # knows its kernel's id; the cookie that is checked besides, Voilà never sets.
    c.Voila.tornado_settings = {"headers": HEADERS, "disable_check_xsrf": True}
    c.Voila.root_dir = str(home)
    c.VoilaConfiguration.file_allowlist = [r"(?!)"]  # serves no file
    c.VoilaConfiguration.strip_sources = True
    c.VoilaConfiguration.show_tracebacks = False
    c.VoilaConfiguration.allow_template_override = "NO"
    c.VoilaConfiguration.allow_theme_override = "NO"
    c.VoilaConfiguration.show_margins = False
    c.VoilaConfiguration.multi_kernel_manager_class = Rooms
    c.VoilaConfiguration.preheat_kernel = ready > 0
    c.VoilaConfiguration.default_pool_size = ready
    c.MappingKernelManager.cull_idle_timeout = 1200  # seconds; a page left open stays
    c.MappingKernelManager.cull_interval = 60
    return c


def serve(
    folder: str | Path,
    *,
    ip: str = "127.0.0.1",
    port: int = 8866,
    word: str | None = None,
    people: int = 40,
    ready: int = 2,
) -> None:
    """Serve the study until Ctrl-C. ``people`` may be there at once, ``ready`` pages
    wait for the next to come. ``word`` stands in the address; by default a random one
    where others can reach it, none (``""``) on this machine alone."""
    ip, word = clean_host(ip), None if word is None else clean_word(word)
    for what, value, least, most in (
        ("port", port, 1, 65535),
        ("people", people, 1, 1000),
        ("ready", ready, 0, 100),
    ):
        if type(value) is not int or not least <= value <= most:
            raise StudyError(f"{what} is {least} to {most}; got {value!r}")
    study = Study(folder)
    if word is None:
        word = "".join(secrets.choice(CODE_LETTERS.lower()) for _ in range(6))
        word = "" if is_loopback(ip) else word
    with tempfile.TemporaryDirectory(
        prefix="study-page-", ignore_cleanup_errors=True
    ) as home:
        isolate(Path(home))
        server = voila_app()
        where, stop = host(load(study.settings))
        here = str(Path(__file__).resolve().parents[1])  # pages use this very copy
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ |= {VARIABLE: where, FOLDER: str(study.folder.resolve())}
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        page = Path(home) / "page.ipynb"
        page.write_text(notebook(study.settings.title), "utf-8")
        print(told(study, ip, port, word), flush=True)
        config = settings(Path(home), ip, port, word, people, ready)
        try:
            server.launch_instance([str(page)], config=config)
        finally:
            stop()


def told(study: Study, ip: str, port: int, word: str) -> str:
    """What to tell whoever starts it, with the address for the class."""
    address = page_address(ip, port, word)
    s = study.settings
    lines = [
        f"Study: {study.folder}, {len(study.participants())} participants so far, "
        f"{s.games} games each.",
        f"The address for the class:  {address}",
    ]
    if quote(word, safe="") != word:
        lines.append(f"The word, for those who type it:  {word}")
    if "%" in ip:
        lines.append(
            "Browsers open no address with a scope (the part after %): take another "
            "one of this machine, or --host ::"
        )
    if is_loopback(ip):
        lines.append("Only this machine can open it. For a class: --host 0.0.0.0")
    else:
        lines.append(
            "Everyone in this network who has the address can open it, and what is "
            "typed travels unencrypted: use a network that you trust, stop it "
            "afterwards (Ctrl-C)."
        )
    lines.append(
        "Whether this needs approval is for your institution to say. Nobody is "
        "obliged to take part."
    )
    return "\n".join(lines)
