"""Text files as they are on other people's machines.

Reading puts up with what editors and shells add (byte order marks, CRLF) and explains
what it can't read. Writing is whole or not at all, by one writer at a time. Names that
file managers and sync services make are told from the kit's own. Left out: what the
files hold.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

# What Finder, Explorer, editors and sync services leave in a folder (lower case).
_FOREIGN = re.compile(
    r"^[.~]|^(eh)?thumbs\.db$|^desktop\.ini$|^icon\r|~$|\.(te?mp|bak|sw[op]|part"
    r"|partial|crdownload|lock)$|conflict|\(\d+\)| - copy| copy( \d+)?(\.|$)"
)
_NO_LOCKS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL)
_ASCII = {"–": "-", "−": "-", "—": "-", "→": "->", "λ": "lambda", "×": "x", "…": "..."}
_ASCII |= {"±": "+-", "·": "-", "’": "'", "“": '"', "”": '"', "≥": ">=", "≤": "<="}


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, without a byte order mark and with ``\\n`` line ends.
    ``ValueError`` says how to save a file of another encoding."""
    raw = Path(path).read_bytes()
    remedy = (
        "Save it as UTF-8: in an editor by 'Save as', in PowerShell by "
        "Get-Content FILE | Set-Content -Encoding utf8 NEWFILE"
    )
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(
            f"{path} is UTF-16 text, as PowerShell's > writes it, and UTF-8 is "
            f"expected. {remedy}."
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        bad = f"byte 0x{raw[e.start]:02x} is not UTF-8 text"
        raise ValueError(f"{path}, line {line}: {bad}. {remedy}.") from e
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path) -> Any:
    """What a JSON file holds; ``ValueError`` names the file and the place."""
    text = read_text(path)
    try:
        return json.loads(text)
    except ValueError as e:
        raise ValueError(f"{path} is not whole JSON ({e})") from e


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file to be written in place of ``path``: a reader never sees half of it, and
    after an error the old one is still there."""
    part = path.with_name(path.name + ".part")
    form: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    with part.open(mode, **form) as f:
        yield f
    part.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all (see :func:`replacing`)."""
    with replacing(path) as f:
        f.write(text)


def json_line(data: Any) -> str:
    """``data`` as one line of compact JSON that any UTF-8 file can hold: half an emoji
    (a lone surrogate) is written as its escape, everything else as itself.

    >>> json_line({"text": "né \\ud83d"})
    '{"text":"né \\\\ud83d"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text)


def legible(text: str) -> str:
    """``text`` for those who take only valid Unicode (tokenizers, browsers, servers):
    half an emoji becomes the replacement character.

    >>> legible("\\ud83d!") == "\\ufffd!"
    True
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def foreign(name: str) -> bool:
    """Whether a file of that name was made by a file manager, an editor or a sync
    service and not by the kit.

    >>> [foreign(n) for n in (".DS_Store", "metrics (1).json", "games.jsonl")]
    [True, True, False]
    """
    return bool(_FOREIGN.search(name.lower()))


@contextmanager
def one_writer(target: Path, error: type[Exception] = RuntimeError) -> Iterator[None]:
    """Within this block no other program writes ``target``, a folder or a file.

    ``error`` is raised where one does; it says who. The lock is the operating
    system's, so that of a process that has died is free. Where the file system knows
    no locks a warning says so. A sync service's other machines are not held off.
    """
    from filelock import FileLock, Timeout

    inside = target.is_dir()
    path = target / ".lock" if inside else target.with_name(f".{target.name}.lock")
    holder = path.with_name(path.name + ".json")  # Windows lets nobody read the lock
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as e:
        raise error(
            f"{target} is being written by another program: {_who(holder)}. Two "
            "writers would spoil each other's files, so nothing was touched. Wait "
            "until it has ended, or stop it (in Jupyter: shut that kernel down)."
        ) from e
    except (OSError, NotImplementedError) as e:
        if isinstance(e, OSError) and e.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"the file system of {target} knows no locks ({e}): make sure that only "
            "one program writes there",
            stacklevel=3,
        )
    try:
        since = datetime.now().astimezone().isoformat(" ", timespec="seconds")
        who = {"pid": os.getpid(), "host": platform.node(), "since": since}
        write_text(holder, json.dumps(who))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        who = read_json(holder)
        return f"process {who['pid']} on {who['host']}, since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which one is not known"


def plain_output() -> None:
    """From here on a terminal or file whose code page lacks a sign (``–``, λ) gets one
    that it has, where printing would have failed. For the start of a command."""
    codecs.register_error("selfplay_kit.ascii", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not in a notebook, nor under some tests
            stream.reconfigure(errors="selfplay_kit.ascii")


def _in_ascii(e: UnicodeError) -> tuple[str, int]:
    if not isinstance(e, UnicodeEncodeError):
        raise e
    return "".join(_ASCII.get(c, "?") for c in e.object[e.start : e.end]), e.end
