"""From a name to a model: what was given, what is refused, what a hash holds."""

import json
import shutil
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit import data  # noqa: E402
from selfplay_kit.cli import main  # noqa: E402
from selfplay_kit.learn import tiny  # noqa: E402
from selfplay_kit.lm import adapters  # noqa: E402
from selfplay_kit.lm.models import is_tiny, load_model, save_model, weights_hash  # noqa: E402

from .conftest import small_model  # noqa: E402


def test_a_loaded_model_is_the_saved_one(tiny_base):
    lm = load_model(tiny_base)
    again = load_model(str(tiny_base))
    assert weights_hash(lm.model) == weights_hash(again.model)
    assert lm.report.weights_hash == weights_hash(lm.model)
    assert not lm.model.training and (lm.style, lm.max_new_tokens) == ("short", 24)
    assert lm.tokenizer.get_vocab() == tiny.make_tokenizer().get_vocab()


def test_the_report_says_what_was_asked_and_given(tiny_base):
    report = load_model(tiny_base).report
    assert (report.asked, report.given, report.device) == ("auto", "fp32", "cpu")
    numbers = sum(t.numel() for t in load_model(tiny_base).model.parameters())
    assert report.parameters == numbers and report.bytes == 4 * numbers
    for told in ("auto", "fp32", "cpu", report.weights_hash[:12], str(tiny_base)):
        assert told in str(report)
    assert json.loads(json.dumps(report.as_dict()))["given"] == "fp32"


def test_precision_is_as_asked(tiny_base):
    lm = load_model(tiny_base, "bf16")
    assert {t.dtype for t in lm.model.parameters()} == {torch.bfloat16}
    assert (lm.report.asked, lm.report.given) == ("bf16", "bf16")
    assert lm.report.bytes == 2 * lm.report.parameters


def test_bad_precision_is_refused(tiny_base):
    with pytest.raises(ValueError, match=r"auto, fp32.* or 4bit; got 'int3'"):
        load_model(tiny_base, "int3")


@pytest.mark.parametrize("name", ["tinny", "no/such/folder", ""])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(FileNotFoundError, match=r"tiny-middling.*folder"):
        load_model(name)


@pytest.fixture
def copied(tiny_base, tmp_path):
    return shutil.copytree(tiny_base, tmp_path / "copy")


def test_truncated_weights_are_refused(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged or cut short"):
        load_model(copied)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_a_damaged_file_is_refused(copied, file):
    (copied / file).write_text((copied / file).read_text("utf-8")[:40], "utf-8")
    with pytest.raises(ValueError, match=r"can't be read.*copy|copy.*can't be read"):
        load_model(copied)


@pytest.mark.parametrize(
    "fault, told",
    [
        (ImportError("No module named 'mamba_ssm'"), "package .*mamba_ssm"),
        (RuntimeError("CUDA driver version is insufficient"), "CUDA driver"),
        (ValueError("Unrecognized configuration class T5Config"), "T5Config"),
        (OSError("no file named tokenizer.json"), "tokenizer.json"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_only_a_damaged_file_is_called_damaged(tiny_base, monkeypatch, fault, told):
    def fails(*args, **more):
        raise fault

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fails)
    with pytest.raises(ValueError, match=f"can't be loaded: .*{told}") as e:
        load_model(tiny_base)
    assert "damaged" not in str(e.value) and "git checkout" not in str(e.value)


def test_an_architecture_that_transformers_has_not_is_no_damage(copied):
    config = json.loads((copied / "config.json").read_text("utf-8"))
    config |= {"model_type": "of-tomorrow", "architectures": ["OfTomorrow"]}
    (copied / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match="of-tomorrow") as e:
        load_model(copied)
    assert "damaged" not in str(e.value)


def test_without_docstrings_python_is_blamed_and_no_file(tiny_base):
    code = (
        f"from selfplay_kit.lm.models import load_model; load_model({str(tiny_base)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], capture_output=True, text=True
    )
    said = done.stderr.strip().splitlines()[-1] if done.returncode else "loaded"
    assert "damaged" not in said
    assert said == "loaded" or "PYTHONOPTIMIZE" in said


def test_the_hash_changes_with_one_weight(lm):
    before = weights_hash(lm.model)
    weight = dict(lm.model.named_parameters())["model.layers.1.mlp.up_proj.weight"]
    with torch.no_grad():
        kept = weight[3, 5].item()
        weight[3, 5] += 1e-4
        assert weights_hash(lm.model) != before
        weight[3, 5] = kept
    assert weights_hash(lm.model) == before


def test_the_hash_holds_names_and_not_only_bytes(lm):
    state = lm.model.state_dict()
    a, b = (f"model.layers.{i}.input_layernorm.weight" for i in (0, 1))

    class Renamed:
        def state_dict(self):
            return {**state, a: state[b], b: state[a]}

    assert not torch.equal(state[a], state[b])
    assert weights_hash(Renamed()) != weights_hash(lm.model)


def test_the_tiny_models_chat():
    lm = small_model()
    assert lm.decode([lm.stop]) == "" and lm.tokenizer.decode([lm.stop]) == "<end>"
    assert lm.encode("[message] hi !") is lm.encode("[message] hi !"), "cached"


def test_a_tiny_model_is_known_by_its_name_its_folder_and_its_adapters(
    tiny_base, tmp_path
):
    lm = load_model(tiny_base)
    lm.model = adapters.attach(lm.model, 2, seed=0)
    save_model(lm, tmp_path / "adapter")
    for name in ("tiny", "tiny-clean", str(tiny_base), str(tmp_path / "adapter")):
        assert is_tiny(name), name
    lm = load_model(tiny_base)
    lm.model.config.selfplay_kit_tiny = False
    lm.model.save_pretrained(tmp_path / "other")
    names = ("smollm2-135m-q4_1-warm", "smollm2-135m", "owner/name@main", "no/such")
    for name in (*names, str(tmp_path / "other")):
        assert not is_tiny(name), name


@pytest.mark.parametrize(
    "players, asked, told",
    [
        (["tiny"], [], [1]),
        (["fair", "tiny-weak"], [], [1]),
        (["fair"], ["--threads", "2"], [2]),
        (["fair", "no-such-model"], [], []),  # may be large: torch's own choice
    ],
)
def test_the_command_takes_one_thread_for_tiny_models_alone(
    players, asked, told, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    out = ["--games", "1", "--out", str(tmp_path / "games.jsonl")]
    assert main([*asked, "play", *players, *out]) == ("no-such-model" in players)
    assert seen == told


def test_every_shipped_tiny_base_has_a_name():
    shipped = {f.parent.name for f in data.path("tiny").glob("*/config.json")}
    assert len(shipped) >= 5
    for name in shipped:
        assert load_model(f"tiny-{name}").report.origin == "the kit's own"
