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
import socket
import tempfile
from pathlib import Path

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


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach ``address``."""
    return address in ("localhost", "::1") or address.startswith("127.")


def own_address() -> str:
    """This machine's address in its network, as far as can be told; asks nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing; picks the way out
            return s.getsockname()[0]
        except OSError:
            return "127.0.0.1"


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
    try:
        from voila.app import Voila
    except ImportError as e:
        raise StudyError(
            f"the page needs Voilà, and {e.name} is not installed: "
            "pip install 'selfplay-kit[notebooks]', or start it by run.py"
        ) from e
    study = Study(folder)
    where, stop = host(load(study.settings))
    here = str(Path(__file__).resolve().parents[1])  # the pages use this very copy
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ |= {VARIABLE: where, FOLDER: str(study.folder.resolve())}
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    if word is None:
        word = "".join(secrets.choice(CODE_LETTERS.lower()) for _ in range(6))
        word = "" if is_loopback(ip) else word
    print(told(study, ip, port, word), flush=True)
    with tempfile.TemporaryDirectory(prefix="study-page-") as home:
        os.environ["IPYTHONDIR"] = home  # nobody's start-up files
        profile = Path(home) / "profile_default" / "ipython_kernel_config.py"
        profile.parent.mkdir()
        profile.write_text('get_config().IPKernelApp.log_level = "ERROR"\n', "utf-8")
        page = Path(home) / "page.ipynb"
        page.write_text(notebook(study.settings.title), "utf-8")
        try:
            Voila.launch_instance(
                [str(page)],
                config=settings(Path(home), ip, port, word, people, ready),
            )
        finally:
            stop()


def told(study: Study, ip: str, port: int, word: str) -> str:
    """What to tell whoever starts it, with the address for the class."""
    at = own_address() if ip in ("0.0.0.0", "::", "") else ip
    address = f"http://{at}:{port}/" + (f"?token={word}" if word else "")
    s = study.settings
    lines = [
        f"Study: {study.folder}, {len(study.participants())} participants so far, "
        f"{s.games} games each.",
        f"The address for the class:  {address}",
    ]
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
