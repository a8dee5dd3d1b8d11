"""The address of a study's page: who can reach it, and how it is printed.

An address is for people who open it exactly as it is printed, so the word and an IPv6
address are written as a URL wants them. Left out: finding out whether a firewall or
the network lets anybody through.
"""

from __future__ import annotations

import ipaddress
import socket
import unicodedata
from urllib.parse import quote, unquote

from .folder import StudyError

Numeric = ipaddress.IPv4Address | ipaddress.IPv6Address
# Nobody's addresses (RFC 5737, RFC 3849): they only show which way leads out.
OUTSIDE = {4: "192.0.2.1", 6: "2001:db8::1"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def numeric(host: str) -> Numeric | None:
    """The IP address that ``host`` is written as, without its scope; ``None`` for a
    name. Short forms that the system takes, such as ``127.1``, are addresses, too."""
    try:
        found = socket.getaddrinfo(
            host.partition("%")[0], None, flags=socket.AI_NUMERICHOST
        )
        address = ipaddress.ip_address(found[0][4][0])
    except (OSError, ValueError):
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at ``host``.

    >>> [is_loopback(h) for h in ("127.0.0.1", "::1", "0.0.0.0", "127.example.org")]
    [True, True, False, False]
    """
    address = numeric(host) if host else None
    if address is None:
        return host.lower().rstrip(".") == "localhost"
    return address.is_loopback


def own_address(version: int = 4) -> str:
    """This machine's address in its network, as far as can be told; asks nobody."""
    try:
        with socket.socket(FAMILY[version], socket.SOCK_DGRAM) as s:
            s.connect((OUTSIDE[version], 9))  # sends nothing; picks the way out
            return s.getsockname()[0]
    except OSError:
        return "127.0.0.1" if version == 4 else "::1"


def page_address(host: str, port: int, word: str) -> str:
    """The URL of the page of a server at ``host``, with the word in it.

    >>> page_address("::1", 8866, "R&D")
    'http://[::1]:8866/?token=R%26D'
    """
    address = numeric(host) if host else ipaddress.IPv4Address(0)
    if address is not None and address.is_unspecified:  # every address of its kind
        host = own_address(address.version)
    if ":" in host:  # RFC 3986; a scope is written with %25 (RFC 6874)
        host = f"[{quote(host, safe=':')}]"
    return f"http://{host}:{port}/" + (f"?token={quote(word, safe='')}" if word else "")


def clean_host(host: str) -> str:
    """``host`` as a server takes it: without the brackets of a URL. Raises
    :class:`~.folder.StudyError` for what is no address."""
    bare = host.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if not all(c.isalnum() or c in ".:-_%" for c in bare):
        raise StudyError(
            f"--host is an address or a name of this machine, such as 127.0.0.1, "
            f"0.0.0.0 or ::1, without port or path; got {host!r}"
        )
    return bare


def clean_word(word: str) -> str:
    """``word`` as it is compared: without spaces around it, in one Unicode form
    (NFC), as browsers and Jupyter hand it on. Raises :class:`~.folder.StudyError` for
    one that no address can carry; the message does not repeat it."""
    clean = unicodedata.normalize("NFC", word.strip())
    wrong = None
    if word and not clean:
        wrong = "it is nothing but spaces; '' is for none"
    elif not all(c.isprintable() for c in clean):  # no half of an emoji, no line break
        wrong = "it holds a character that can't be typed or sent"
    elif len(clean) > 200:
        wrong = f"it has {len(clean)} characters; 200 are the most"
    if wrong:
        raise StudyError(f"--word can't be in an address: {wrong}. Choose another.")
    return clean


def same_word(typed: str, word: str) -> bool:
    """Whether a visitor's word is the one, also if it was copied from the address,
    where some characters are written as ``%2B``."""
    return any(
        unicodedata.normalize("NFC", t.strip()) == word for t in (typed, unquote(typed))
    )
