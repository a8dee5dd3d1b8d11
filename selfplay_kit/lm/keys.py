"""Keys and addresses of servers, and how no key gets into a message.

A key comes from an environment variable, a password or a key can also be part of an
address, a proxy's too. :class:`Secrets` hides them all in whatever is printed or kept.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import unicodedata
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from urllib.parse import parse_qsl, quote, unquote, urlsplit


class EndpointError(RuntimeError):
    """The server gave no answer that can be used; the message says what to do.

    Games that had ended before it were given to ``on_end`` and are not lost.
    """


PIECE = 8  # so many characters of a key in a row are hidden, too


class Secrets:
    """Hides keys and pieces of keys in a text, also quoted and escaped ones.

    >>> Secrets(["sk-SECRET123"]).hide("bad key sk-SECRET1... for localhost")
    'bad key [hidden]... for localhost'
    """

    def __init__(self, secrets: Iterable[str]):
        self.forms: set[str] = set()
        for s in filter(None, secrets):
            self.forms |= {s, quote(s, safe=""), html.escape(s)}
            self.forms |= {json.dumps(s)[1:-1], repr(s)[1:-1]}

    def hide(self, text: str, shortest: int = 1) -> str:
        """``text`` with ``[hidden]`` for each secret of ``shortest`` characters or
        more; one below 8 (a local server's "none") only where it is a whole word."""
        dark = bytearray(len(text))
        for form in self.forms:
            n = min(len(form), PIECE)
            pieces = {form[i : i + n] for i in range(len(form) - n + 1)}
            for i in range(len(text) - n + 1 if n >= shortest else 0):
                if text[i : i + n] in pieces:
                    beside = text[max(i - 1, 0) : i] + text[i + n : i + n + 1]
                    if n == PIECE or not re.search(r"\w", beside):
                        dark[i : i + n] = b"\1" * n
        runs = groupby(zip(text, dark, strict=True), key=lambda pair: pair[1])
        return "".join("[hidden]" if d else "".join(c for c, _ in r) for d, r in runs)


def read_key(variable: str) -> tuple[str, bool]:
    """The key in an environment variable, and whether characters that nobody sees
    were cut from its ends. :class:`EndpointError` for a key that can't be sent."""
    raw = os.environ.get(variable, "")
    first, last = 0, len(raw)
    while first < last and _unseen(raw[first]):
        first += 1
    while first < last and _unseen(raw[last - 1]):
        last -= 1
    key = raw[first:last]
    for place, c in enumerate(key, 1):
        if not "!" <= c <= "~":
            kind = (
                "a line break" if c in "\r\n"
                else "white space" if c.isspace()
                else "an invisible character" if _unseen(c)
                else "a character outside ASCII"
            )  # fmt: skip
            raise EndpointError(
                f"the key in {variable_words(variable)} can't be sent: it has {kind} "
                f"at place {place} of {len(key)}. Set it anew, the key alone, on one "
                "line. No server was asked."
            )
    return key, key != raw


def _unseen(c: str) -> bool:
    return c.isspace() or unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp")


def variable_words(variable: str) -> str:
    """The variable's name, unless it may be a key that was put in its place."""
    if variable in os.environ or re.fullmatch("[A-Z_][A-Z0-9_]{0,39}", variable):
        return f"the environment variable {variable}"
    return "the environment variable that key_from names"


@dataclass(frozen=True)
class Address:
    """An API's root in parts: ``root`` is the address alone, without name, password
    and query, and only it may be printed."""

    root: str
    query: dict[str, str] = field(repr=False)  # such as Azure's api-version
    user: str = field(repr=False)  # "name:password", or ""
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.root).hostname or ""

    @property
    def headers(self) -> dict[str, str]:
        """What a name and password in the address stand for."""
        coded = base64.b64encode(self.user.encode()).decode()
        return {"Authorization": f"Basic {coded}"} if self.user else {}

    @property
    def proxy(self) -> str:
        """The environment variable whose proxy is used for it, or ``""``."""
        parts = urlsplit(self.root)
        names = (
            () if urllib.request.proxy_bypass(parts.netloc) else (parts.scheme, "all")
        )
        variables = [v for n in names for v in (f"{n}_proxy", f"{n}_proxy".upper())]
        return next((v for v in variables if os.environ.get(v)), "")


def read_address(url: str) -> Address:
    """``url`` in parts; ``ValueError`` for what is no address of an API.

    >>> read_address("https://me:pass@host/v1?key=secret").root
    'https://host/v1'
    """
    root = bare_address(url)
    sample = "base_url is an address such as http://localhost:8000/v1"
    try:
        parts = urlsplit(url.strip())
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # half an IPv6 address, a port that is no number
        good = False
    if not good or parts.scheme not in ("http", "https"):
        raise ValueError(f"{sample}; got {root!r}")
    if re.search(r"/(chat/)?completions/?$", parts.path):
        raise ValueError(f"{sample}, without /chat/completions; got {root!r}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    coded, user = parts.netloc.rpartition("@")[0], ""
    secrets = [v for k, v in query.items() if k != "api-version"]
    if coded:
        user = unquote(coded)
        secrets += [coded, user, *filter(None, [user.partition(":")[2]])]
        secrets.append(base64.b64encode(user.encode()).decode())
    return Address(root, query, user, tuple(secrets))


def bare_address(url: str) -> str:
    """``url`` without name, password, query and fragment, however broken it is."""
    bare = re.sub(r"^(\s*(?:[a-z0-9+.-]+:)?/*)[^/?#]*@", r"\1", url, flags=re.I)
    return re.split("[?#]", bare)[0].strip()


def proxy_secrets() -> list[str]:
    """The passwords in the addresses of this machine's proxies."""
    users = [v.rpartition("@")[0] for v in urllib.request.getproxies().values()]
    users = [u.rpartition("/")[2] for u in users]
    return [part for u in users for part in (u, unquote(u), u.partition(":")[2])]
