"""Adapters: nothing until trained, back as they were, and only on their weights."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from selfplay_kit.games.deal.rules import SEMI, scenarios  # noqa: E402
from selfplay_kit.games.deal.scripted import Blind  # noqa: E402
from selfplay_kit.games.play import play_games  # noqa: E402
from selfplay_kit.learn.cloning import make_sample, views  # noqa: E402
from selfplay_kit.learn.rounds import Config, RunError, run  # noqa: E402
from selfplay_kit.learn.training import TrainingError, fine_tune, weighted_loss  # noqa: E402
from selfplay_kit.lm import adapters, models  # noqa: E402
from selfplay_kit.lm.decode import attention  # noqa: E402
from selfplay_kit.lm.models import is_tiny, load_model, save_model, weights_hash  # noqa: E402
from selfplay_kit.lm.player import LMPlayer  # noqa: E402


@pytest.fixture(scope="module")
def lessons(tiny_base):
    lm = load_model(tiny_base)
    played = play_games(Blind(), scenarios("train")[:12], SEMI, seed=7)
    return [make_sample(v, lm) for v in views(played)]


def adapted(tiny_base, r=3, seed=0):
    lm = load_model(tiny_base)
    lm.model = adapters.attach(lm.model, r, seed=seed)
    return lm


def loss(lm, samples):
    with torch.no_grad():
        return weighted_loss(lm, samples)[0].item()


def test_an_adapter_changes_nothing_until_it_is_trained(tiny_base, lessons):
    plain, lm = load_model(tiny_base), adapted(tiny_base)
    assert loss(plain, lessons) == loss(lm, lessons)
    fine_tune(lm, lessons, epochs=1, lr=1e-2, batch=8)
    assert loss(lm, lessons) < loss(plain, lessons)
    below = weights_hash(lm.model.unload())
    assert below == plain.report.weights_hash, "the weights under it stay"


def test_only_the_adapter_is_trained_on_every_layer_but_the_head(tiny_base):
    lm = adapted(tiny_base, r=3)
    trained = [n for n, p in lm.model.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in n for n in trained)
    assert len(trained) == 2 * 7 * lm.model.config.num_hidden_layers
    assert not any("lm_head" in n or "embed" in n for n in trained)
    assert (
        adapters.rank(lm.model) == 3 and adapters.rank(load_model(tiny_base).model) == 0
    )


def test_the_first_factor_comes_from_the_seed(tiny_base):
    a, b, c = (weights_hash(adapted(tiny_base, seed=s).model) for s in (1, 1, 2))
    assert a == b != c
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    adapted(tiny_base)
    assert torch.rand(1) == before, "the global dice are not touched"


@pytest.fixture
def saved(tiny_base, lessons, tmp_path):
    lm = adapted(tiny_base)
    fine_tune(lm, lessons, epochs=1, lr=1e-2, batch=8)
    lm.temperature = 0.25
    save_model(lm, tmp_path / "adapter")
    return lm, tmp_path / "adapter"


def test_an_adapter_reads_back_as_it_was(saved, lessons):
    lm, folder = saved
    again = load_model(folder)
    assert weights_hash(again.model) == weights_hash(lm.model)
    assert loss(again, lessons) == loss(lm, lessons)
    assert again.temperature == 0.25
    assert "adapter of rank 3" in str(again.report)
    assert again.report.source == lm.report.source
    trained = [p for p in again.model.parameters() if p.requires_grad]
    assert trained and {p.dtype for p in trained} == {torch.float32}


def test_only_the_adapter_is_written(saved):
    _, folder = saved
    assert {f.name for f in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "selfplay_kit.json",
    }
    card = json.loads((folder / "selfplay_kit.json").read_text("utf-8"))
    assert len(card["source"]) == 64 and card["trained_in"] == "fp32"


def test_an_adapter_of_other_weights_is_refused(saved, tiny_base, tmp_path, lessons):
    _, folder = saved
    other = load_model(tiny_base)
    fine_tune(other, lessons[:4], epochs=1)
    save_model(other, tmp_path / "other")
    card = json.loads((folder / "selfplay_kit.json").read_text("utf-8"))
    adapters.write_card(folder, **card | {"base": str(tmp_path / "other")})
    with pytest.raises(
        ValueError, match=r"belongs to weights .* only fits the weights"
    ):
        load_model(folder)


def test_the_source_does_not_depend_on_precision(tiny_base, saved, lessons):
    full, half = (load_model(tiny_base, p).report for p in ("fp32", "bf16"))
    assert full.source == half.source and full.weights_hash != half.weights_hash
    _, folder = saved
    lm = load_model(folder, "bf16")
    assert lm.report.given == "bf16" and lm.name.endswith("(bf16)")
    kinds = {p.dtype for n, p in lm.model.named_parameters() if "lora_" in n}
    assert kinds == {torch.float32}
    assert abs(loss(lm, lessons) - loss(load_model(folder), lessons)) < 0.05


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_damaged_adapter_is_refused(saved, file):
    _, folder = saved
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged or cut short"):
        load_model(folder)


def test_a_damaged_card_is_refused(saved):
    _, folder = saved
    (folder / "selfplay_kit.json").write_text("{", "utf-8")
    with pytest.raises(ValueError, match=r"selfplay_kit.json can't be read"):
        load_model(folder)


def test_threads_take_turns_with_one_model(saved):
    """Each plays as if alone, and afterwards weights and attention are as before."""
    lm = load_model(saved[1])
    config = adapters.bare(lm.model).config
    before = weights_hash(lm.model), config._attn_implementation
    games = [scenarios("development")[n : n + 3] for n in range(4)]

    def play(n):
        played = play_games(LMPlayer(lm), games[n], SEMI, seed=n)
        return (
            [t.as_dict() for t in played] if hasattr(played[0], "as_dict") else played
        )

    alone = [play(n) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(play, range(4)))
    assert together == alone
    assert (weights_hash(lm.model), config._attn_implementation) == before


def test_another_thread_never_sees_the_model_at_work(saved):
    lm = load_model(saved[1])
    before = weights_hash(lm.model)
    with ThreadPoolExecutor(1) as pool:
        with adapters.at_work(lm.model), attention.grouped_attention(lm.model):
            seen = pool.submit(weights_hash, lm.model)
            with pytest.raises(TimeoutError):
                seen.result(timeout=0.05)
        assert seen.result() == before


def test_work_within_work_and_faults_leave_the_model_as_it_was(saved):
    lm = load_model(saved[1])
    config = adapters.bare(lm.model).config
    before = weights_hash(lm.model), config._attn_implementation
    with adapters.at_work(lm.model):
        folded = weights_hash(lm.model)
        with adapters.at_work(lm.model):
            assert weights_hash(lm.model) == folded
        assert weights_hash(lm.model) == folded != before[0]
        assert lm.model.base_model.model.model.layers[0].mlp.up_proj.merged
    for block in (adapters.at_work, attention.grouped_attention):
        with pytest.raises(KeyError), block(lm.model), block(lm.model):
            raise KeyError
    assert (weights_hash(lm.model), config._attn_implementation) == before
    assert not lm.model.base_model.model.model.layers[0].mlp.up_proj.merged


@pytest.mark.parametrize("given, near", [("fp32", 1e-5), ("bf16", 0.02)])
def test_at_play_the_adapter_is_folded_into_the_weights(saved, lessons, given, near):
    _, folder = saved
    lm = load_model(folder, given)
    before, hash_before = loss(lm, lessons), weights_hash(lm.model)
    with adapters.at_work(lm.model):
        assert loss(lm, lessons) == pytest.approx(before, abs=near)
        assert weights_hash(lm.model) != hash_before
    assert (weights_hash(lm.model), loss(lm, lessons)) == (hash_before, before)
    assert not any(getattr(m, "merged", False) for m in lm.model.modules())


def test_what_was_folded_follows_the_adapter(saved, lessons):
    _, folder = saved
    lm = load_model(folder)

    def played():
        with adapters.at_work(lm.model):
            return loss(lm, lessons)

    first = played()
    assert played() == first
    fine_tune(lm, lessons, epochs=1, lr=1e-2)
    assert played() == pytest.approx(loss(lm, lessons), abs=1e-5) != first
    with torch.no_grad():
        for n, p in lm.model.named_parameters():
            if "lora_B" in n:
                p.zero_()
    assert played() == pytest.approx(loss(lm, lessons), abs=1e-5)


def test_an_adapter_learns_after_it_played(saved, lessons):
    _, folder = saved
    lm, same = load_model(folder), load_model(folder)
    play_games(LMPlayer(lm), scenarios("train")[:2], SEMI, seed=0)
    for one in (lm, same):
        fine_tune(one, lessons, epochs=1, lr=1e-2)
    assert weights_hash(lm.model) == weights_hash(same.model)


def test_a_rank_below_1_is_refused(tiny_base):
    with pytest.raises(ValueError, match="rank of an adapter must be 1 or more"):
        adapters.attach(load_model(tiny_base).model, 0, seed=0)


# Other models than the tiny one ---------------------------------------------------


# Adapters that another program made -----------------------------------------------


@pytest.fixture
def plain(saved, tiny_base):
    """An adapter as peft alone writes it: with no card."""
    _, folder = saved
    (folder / "selfplay_kit.json").unlink()
    return configure(folder, base_model_name_or_path=str(tiny_base))


def configure(folder, **how):
    where = folder / "adapter_config.json"
    where.write_text(json.dumps(json.loads(where.read_text("utf-8")) | how), "utf-8")
    return folder


def pickled(folder):
    from safetensors.torch import load_file

    file = folder / "adapter_model.safetensors"
    torch.save(load_file(file), folder / "adapter_model.bin")
    file.unlink()
    return folder


@pytest.mark.parametrize("change", [lambda f: f, pickled])
def test_an_adapter_without_a_card_goes_on_the_base_that_it_names(
    plain, saved, tiny_base, lessons, change, tmp_path
):
    lm = load_model(change(plain))
    assert loss(lm, lessons) == loss(saved[0], lessons)
    assert lm.report.source == load_model(tiny_base).report.source
    assert "by the name in its configuration alone" in str(lm.report)
    assert is_tiny(str(plain))
    save_model(lm, tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert weights_hash(again.model) == weights_hash(lm.model)
    assert "alone" not in str(again.report), "from now on the weights are recorded"


@pytest.mark.parametrize(
    "how, told",
    [
        ({"base_model_name_or_path": None}, "does not say on which weights"),
        ({"base_model_name_or_path": "owner/name"}, "needs its revision"),
        ({"peft_type": "IA3"}, "of type 'IA3', and this kit plays LORA"),
        (
            {"use_dora": True},
            r"more than plain LoRA \(use_dora=True\).*merge_and_unload",
        ),
        (
            {"lora_bias": True, "bias": "all"},
            r"bias='all', lora_bias=True|lora_bias=True",
        ),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"something_new": {"a": 1}}, "something_new"),
    ],
)
def test_an_adapter_that_would_play_otherwise_is_refused(plain, how, told):
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        load_model(configure(plain, **how))


def test_the_revision_of_the_base_is_asked_for(plain, monkeypatch, tiny_base, tmp_path):
    asked = []

    def from_hub(repo, revision):
        asked.append((repo, revision))
        return tiny_base

    monkeypatch.setattr(models.weights, "from_hub", from_hub)
    configure(plain, base_model_name_or_path="owner/name", revision="abc")
    lm = load_model(plain)
    save_model(lm, tmp_path / "again")
    load_model(tmp_path / "again")
    assert asked == [("owner/name", "abc")] * 2
    told = adapters.read_config(tmp_path / "again")
    assert (told["base_model_name_or_path"], told["revision"]) == ("owner/name", "abc")


def test_an_adapter_of_another_shape_or_with_parts_missing_is_refused(plain):
    from safetensors.torch import load_file, save_file

    file = plain / "adapter_model.safetensors"
    whole = load_file(file)
    less = dict(list(whole.items())[:-2])
    more = {n.replace("layers.1", "layers.7"): t.clone() for n, t in whole.items()}
    for other in (less, more | whole):
        save_file(other, file)
        with pytest.raises(ValueError, match="made for another architecture or is cut"):
            load_model(plain)
    save_file({n: t[:, :-1].contiguous() for n, t in whole.items()}, file)
    with pytest.raises(ValueError, match="can't be put on this model"):
        load_model(plain)
    file.unlink()
    with pytest.raises(ValueError, match=r"and no adapter_model\.safetensors"):
        load_model(plain)


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_an_adapter_on_the_embeddings_is_refused(lm, tiny_base, tmp_path, target):
    from peft import LoraConfig, get_peft_model

    how = LoraConfig(r=2, target_modules=[target], task_type="CAUSAL_LM")
    get_peft_model(lm.model, how).save_pretrained(
        tmp_path / "adapter", save_embedding_layers=False
    )
    configure(tmp_path / "adapter", base_model_name_or_path=str(tiny_base))
    assert lm.model.config.tie_word_embeddings
    with pytest.raises(ValueError, match=r"changes the embeddings .*merge_and_unload"):
        load_model(tmp_path / "adapter")


def test_an_adapter_on_an_adapter_is_refused(plain, tmp_path):
    shutil.copytree(plain, tmp_path / "under")
    for base in (str(tmp_path / "under"), str(plain)):
        with pytest.raises(ValueError, match="and that is an adapter itself"):
            load_model(configure(plain, base_model_name_or_path=base))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_an_adapter_beside_whole_weights_is_refused(plain, tiny_base, name):
    shutil.copy(tiny_base / "model.safetensors", plain / name)
    with pytest.raises(ValueError, match="holds an adapter and whole weights"):
        load_model(plain)


def test_a_tokenizer_beside_an_adapter_must_be_its_bases(plain, lm):
    lm.tokenizer.save_pretrained(plain)
    load_model(plain)
    lm.tokenizer.chat_template += "{# more #}"
    lm.tokenizer.save_pretrained(plain)
    with pytest.raises(ValueError, match="another chat template than its base has"):
        load_model(plain)
    lm.tokenizer.add_tokens(["<new>"])
    lm.tokenizer.save_pretrained(plain)
    with pytest.raises(ValueError, match="another vocabulary than its base has"):
        load_model(plain)


# Whole models in other formats -----------------------------------------------------


def as_pickle(folder):
    from safetensors.torch import load_file

    file = folder / "model.safetensors"
    torch.save(load_file(file), folder / "pytorch_model.bin")
    file.unlink()


def as_shards(folder):
    lm = load_model(folder)
    (folder / "model.safetensors").unlink()
    lm.model.save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("*.safetensors"))) > 1


def as_shards_beside_another_format(folder):
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    as_shards(folder)


@pytest.mark.parametrize(
    "change", [as_pickle, as_shards, as_shards_beside_another_format]
)
def test_a_model_in_another_format_is_the_same_model(tiny_base, tmp_path, change):
    folder = shutil.copytree(tiny_base, tmp_path / "copy")
    change(folder)
    lm, same = load_model(folder), load_model(tiny_base)
    assert weights_hash(lm.model) == weights_hash(same.model)
    assert lm.report.source == same.report.source
    assert lm.report.why == same.report.why, "counted the same"


def test_a_folder_in_half_precision_is_counted_and_given_as_asked(tiny_base, tmp_path):
    lm = load_model(tiny_base)
    lm.model.half().save_pretrained(tmp_path / "half")
    lm.tokenizer.save_pretrained(tmp_path / "half")
    again = load_model(tmp_path / "half")
    assert again.report.given == "fp32" and again.model.dtype == torch.float32
    assert again.report.parameters == lm.report.parameters
    assert again.report.source != lm.report.source, "these are other numbers"


@pytest.mark.parametrize("what", ["AutoModelForCausalLM", "AutoConfig"])
def test_code_beside_a_model_is_not_run_and_not_asked_for(
    tiny_base, tmp_path, what, monkeypatch
):
    folder = shutil.copytree(tiny_base, tmp_path / "copy")
    about = json.loads((folder / "config.json").read_text("utf-8"))
    about |= {"model_type": "of_their_own", "auto_map": {what: "own.Own"}}
    (folder / "config.json").write_text(json.dumps(about), "utf-8")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", "utf-8")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it waits"))
    with pytest.raises(ValueError, match=r"copy can't be (read|loaded)") as e:
        load_model(folder)
    assert not (tmp_path / "ran").exists() and "damaged" not in str(e.value)


@pytest.mark.parametrize(
    "kept, told",
    [
        ([], "it is or holds nothing"),
        (["tokenizer.json", "tokenizer_config.json"], "a tokenizer and no model"),
        (["model.safetensors"], "not the config.json"),
        (["config.json", "tokenizer.json"], "a configuration and no weights|tokenizer"),
    ],
)
def test_a_folder_that_is_no_model_is_described(tiny_base, tmp_path, kept, told):
    (tmp_path / "part").mkdir()
    for name in kept:
        shutil.copy(tiny_base / name, tmp_path / "part")
    with pytest.raises((FileNotFoundError, models.weights.WeightsError), match=told):
        load_model(tmp_path / "part")


def test_a_file_and_a_round_are_no_folder_of_a_model(tiny_base, tmp_path):
    with pytest.raises(FileNotFoundError, match="a file alone"):
        load_model(tiny_base / "model.safetensors")
    shutil.copytree(tiny_base, tmp_path / "round-01" / "model")
    with pytest.raises(FileNotFoundError, match=r"a folder `model` .*model/config"):
        load_model(tmp_path / "round-01")


@pytest.fixture
def other_model(tmp_path, tiny_base):
    """A folder with a random Llama that is not the tiny one, in bf16."""
    lm = load_model(tiny_base)
    lm.model.config.selfplay_kit_tiny = False
    lm.model.to(torch.bfloat16).save_pretrained(tmp_path / "other")
    lm.tokenizer.save_pretrained(tmp_path / "other")
    return tmp_path / "other"


def test_a_saved_model_keeps_how_it_is_spoken_to(other_model, tmp_path):
    lm = load_model(other_model)
    assert (lm.style, lm.max_new_tokens, lm.temperature) == ("long", 200, 1.0)
    lm.style, lm.max_new_tokens, lm.temperature = "short", 33, 0.7
    save_model(lm, tmp_path / "again")
    again = load_model(tmp_path / "again")
    assert (again.style, again.max_new_tokens, again.temperature) == ("short", 33, 0.7)
    assert weights_hash(again.model) == weights_hash(lm.model)


def gradient_agrees(lm, folder, samples):
    """The gradient points where it points in full precision."""
    full = load_model(folder, "fp32")
    full.style = lm.style
    full.model = adapters.attach(full.model, 2, seed=0)
    found = []
    for one in (lm, full):
        weighted_loss(one, samples)[0].backward()
        weights = [p for p in one.model.parameters() if p.requires_grad]
        found.append(torch.cat([p.grad.float().flatten() for p in weights]))
        one.model.zero_grad()
    return torch.cosine_similarity(*found, dim=0) > 0.8


@pytest.mark.parametrize("given", ["8bit", "4bit"])
def test_quantised_weights_load_learn_an_adapter_and_reload(
    other_model, given, lessons, tmp_path
):
    pytest.importorskip("bitsandbytes")
    lm = load_model(other_model, given)
    assert (lm.report.given, lm.report.why) == (given, "as asked")
    full = load_model(other_model, "fp32").report
    assert lm.report.parameters == full.parameters
    assert lm.report.bytes < full.bytes / 2
    with pytest.raises(ValueError, match="don't read back as they were"):
        save_model(lm, tmp_path / "whole")
    with pytest.raises(TrainingError, match=r"weights in .bit can't be trained"):
        fine_tune(lm, lessons)
    lm.style, lm.max_new_tokens = "short", 24
    lm.model = adapters.attach(lm.model, 2, seed=0)
    assert gradient_agrees(lm, other_model, lessons)
    played = play_games(LMPlayer(lm), scenarios("train")[:2], SEMI, seed=0)
    assert len(played) == 2  # and playing has changed nothing of that:
    assert gradient_agrees(lm, other_model, lessons)
    before = loss(lm, lessons)
    fine_tune(lm, lessons, epochs=3, lr=1e-2, batch=8)
    assert loss(lm, lessons) < before
    save_model(lm, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter", given)
    assert again.style == "short"
    assert loss(again, lessons) == pytest.approx(loss(lm, lessons), abs=0.02)


def test_asked_but_impossible_is_said_and_recorded(other_model, monkeypatch):
    monkeypatch.setattr("selfplay_kit.lm.precision.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"4bit asked, but bitsandbytes is not"):
        lm = load_model(other_model, "4bit")
    assert lm.report.asked == "4bit" and lm.report.given in ("bf16", "fp32")
    assert "bitsandbytes is not installed" in lm.report.why


# Rounds ---------------------------------------------------------------------------


def config(base, **how):
    how |= {"rounds": 2, "games": 12, "epochs": 1, "filter": "everything"}
    return Config(base=str(base), lora=2, **how)


def test_a_run_with_an_adapter_saves_adapters_and_resumes_to_the_same(
    tiny_base, tmp_path
):
    whole = run(config(tiny_base), tmp_path / "whole")
    assert (tmp_path / "whole" / "round-01" / "model" / "adapter_config.json").exists()
    assert not list((tmp_path / "whole").rglob("model.safetensors"))
    shutil.copytree(tmp_path / "whole", tmp_path / "part")
    shutil.rmtree(tmp_path / "part" / "round-02")
    again = run(config(tiny_base), tmp_path / "part")
    assert [r.metrics["weights"] for r in again] == [
        r.metrics["weights"] for r in whole
    ]
    assert again[2].games() == whole[2].games()
    last = whole[2].model(config(tiny_base))
    assert weights_hash(last.model) == whole[2].metrics["weights"]


def test_a_run_goes_on_with_the_adapter_of_its_base(saved, tmp_path):
    _, folder = saved
    asked = Config(str(folder), rounds=1, games=12, filter="everything")
    done = run(asked, tmp_path / "run")
    model = done[1].model(Config(base=str(folder)))
    assert adapters.rank(model.model) == 3
    card = adapters.read_card(done[1].folder / "model")
    assert card["source"] == load_model(folder).report.source
    with pytest.raises(RunError, match=r"rank 3.*leave lora out or ask for 3; got 2"):
        run(config(folder), tmp_path / "other")


def test_the_precision_stands_in_transcripts_and_run_folder(other_model, tmp_path):
    adapters.write_card(other_model, style="short", max_new_tokens=24)
    asked = Config(base=str(other_model), rounds=0, games=4, precision="bf16")
    done = run(asked, tmp_path / "run")
    assert all("@0 (bf16)" in name for t in done[0].games() for name in t.players)
    written = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert (written["precision"], written["model"]["given"]) == ("bf16", "bf16")


def test_a_run_that_cannot_learn_is_refused_before_it_plays(other_model, tmp_path):
    asked = Config(base=str(other_model), rounds=1, games=4, precision="fp16")
    with pytest.raises(RunError, match=r"fp16 can't be trained.*lora=16"):
        run(asked, tmp_path / "run")
    assert not list(tmp_path.glob("run/*"))


@pytest.mark.parametrize(
    "name, told",
    [
        ("owner/name", "needs its revision"),
        ("a/b/c", "no model called 'a/b/c'"),
        ("smollm3", "smollm2-135m-q4_1"),
    ],
)
def test_a_hub_id_needs_its_revision(name, told):
    with pytest.raises(FileNotFoundError, match=told):
        load_model(name)


def test_a_hub_id_is_asked_for_at_its_revision(monkeypatch, other_model):
    asked = []

    def from_hub(repo, revision):
        asked.append((repo, revision))
        return other_model

    monkeypatch.setattr(models.weights, "from_hub", from_hub)
    assert load_model("owner/name@abc").report.origin == "owner/name@abc"
    load_model("smollm2-135m")
    pinned = ("HuggingFaceTB/SmolLM2-135M-Instruct", models.HUB["smollm2-135m"][-40:])
    assert asked == [("owner/name", "abc"), pinned]
