"""Every architecture is played and trained by its own log-probabilities, or refused."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from selfplay_kit.learn import tiny  # noqa: E402
from selfplay_kit.learn.training import IGNORE, Sample, weighted_loss  # noqa: E402
from selfplay_kit.lm import adapters  # noqa: E402
from selfplay_kit.lm.decode import agreement, attention  # noqa: E402
from selfplay_kit.lm.decode import rows as decode  # noqa: E402
from selfplay_kit.lm.decode.rows import Rows  # noqa: E402
from selfplay_kit.lm.models import load_model, save_model  # noqa: E402

WORDS, NEAR, WINDOW = 61, 2e-3, 6
SIZE = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
HEADS = {"head_dim": 8}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
RIGHT = {  # the fast path has always been right for these
    "falcon": {},
    "gemma": HEADS,
    "glm4": HEADS,
    "gpt2": {},
    "gpt_neox": {},
    "llama": {},
    "olmo2": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "phi": {},
    "phi3": {},
    "qwen2": {},
    "qwen3": HEADS,
    "qwen3_moe": HEADS | EXPERTS | {"num_experts": 4},
    "smollm3": {},
    "stablelm": {},
}
OTHERS = {  # windows, caps, sinks, scales; layers that are no attention; other masks
    "bloom": {},
    "cohere": {"logit_scale": 0.0625},
    "cohere2": {"logit_scale": 0.0625, "sliding_window": WINDOW},
    "deepseek_v3": EXPERTS
    | {"q_lora_rank": 16, "kv_lora_rank": 16, "v_head_dim": 8, "n_group": 1}
    | {"qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "n_routed_experts": 4}
    | {"topk_group": 1, "first_k_dense_replace": 1, "num_key_value_heads": 4},
    "exaone4": {"sliding_window": WINDOW},
    "falcon_mamba": {},
    "gemma2": HEADS
    | {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 2.0}
    | {"query_pre_attn_scalar": 8, "sliding_window": WINDOW},
    "gemma3_text": HEADS | {"sliding_window": WINDOW},
    "gpt_neo": {"num_layers": 2, "window_size": WINDOW}
    | {"attention_types": [[["global", "local"], 1]]},
    "gpt_oss": HEADS | {"num_local_experts": 4, "sliding_window": WINDOW},
    "granite": {"logits_scaling": 8.0},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "llama4_text": HEADS
    | {"num_local_experts": 2, "intermediate_size_mlp": 48}
    | {"num_hidden_layers": 4, "attention_chunk_size": WINDOW},
    "mamba": {},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 16, "n_groups": 1},
    "mistral": {"sliding_window": WINDOW},
    "olmo3": {"sliding_window": WINDOW},
    "qwen2 windows": {"use_sliding_window": True, "sliding_window": WINDOW}
    | {"max_window_layers": 1},
    "qwen3_5_text": HEADS
    | {"layer_types": ["linear_attention", "full_attention"]}
    | {"linear_num_key_heads": 2, "linear_num_value_heads": 2}
    | {"linear_key_head_dim": 8, "linear_value_head_dim": 8},
    "recurrent_gemma": {"attention_window_size": WINDOW},
}


SLOW = {  # through `transformers`' own cache, or without one
    "bloom",
    "falcon_mamba",
    "gpt_neo",
    "lfm2",
    "llama4_text",
    "mamba",
    "mamba2",
    "qwen3_5_text",
    "recurrent_gemma",
}


def random_model(family, **more):
    """A model of ``family`` with weights that make windows, caps and scales felt."""
    kind = family.split()[0]
    config = transformers.AutoConfig.for_model(
        kind, **SIZE | {**RIGHT, **OTHERS}.get(family, {}) | more
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        with torch.no_grad():
            for p in model.parameters():
                if p.dim() > 1:
                    p.normal_(0, 0.3)
    return model


@pytest.fixture
def loaded(tmp_path):
    """A function from a family to its random model as ``load_model`` gives it."""

    def load(family, precision="fp32", change=None, **more):
        model = random_model(family, **more)
        if change:
            change(model)
        model.save_pretrained(tmp_path)
        tiny.make_tokenizer().save_pretrained(tmp_path)
        return load_model(tmp_path, precision)

    return load


@torch.inference_mode()
def own(model, ids):
    """The model's own logits after each token: no cache, no padding."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()


def words(row, count):
    return [(row * 11 + i * (row + 5) + 1) % WORDS for i in range(count)]


def off(ours, theirs):
    return (ours.log_softmax(-1) - theirs.log_softmax(-1)).abs().max().item()


def plays_by_its_own(model):
    """Ragged rows, two turns, longer than any window; each sampled token's odds."""
    rows, held = Rows(model, 4), {r: [] for r in range(4)}
    generator = torch.Generator().manual_seed(0)
    turns = [((0, 1, 3), (4, 13, 1)), ((3, 0, 2), (15, 6, 2)), ((1, 3), (3, 1))]
    for n, (some, sizes) in enumerate(turns):
        chunks = [words(r + n, size) for r, size in zip(some, sizes, strict=True)]
        for r, chunk in zip(some, chunks, strict=True):
            held[r] += chunk
        logits = rows.extend(some, chunks)
        for r, ours in zip(some, logits, strict=True):
            assert off(ours, own(model, held[r])[-1]) < NEAR, (n, r)
        greedy = n == 1
        sampled = rows.sample(
            some,
            [[7]] * len(some),
            stop=WORDS,
            max_new=5,
            temperature=0 if greedy else 1,
            generator=generator,
        )
        for r, ids in zip(some, sampled, strict=True):
            ids = list(getattr(ids, "ids", ids))
            assert len(ids) == 5
            held[r] += [7, *ids]
            best = own(model, held[r]).log_softmax(-1)[-6:-1]
            if greedy:
                assert (best.max(-1)[0] - best[range(5), ids]).max() < NEAR
        assert all(
            int(rows.lengths[r]) + len(rows.unread[r]) == len(held[r]) for r in held
        )


def learns_by_its_own(lm):
    """The loss of a ragged batch is that of the model's own logits."""
    samples, wanted = [], []
    for row, length in enumerate((9, 17, 3)):
        ids = words(row, length)
        labels = [x if i % 3 else IGNORE for i, x in enumerate(ids)]
        samples.append(Sample(tuple(ids), tuple(labels)))
        nats = -own(lm.model, ids).log_softmax(-1)
        wanted += [nats[i - 1, x].item() for i, x in enumerate(labels) if x != IGNORE]
    loss, count = weighted_loss(lm, samples)
    assert count == len(wanted)
    assert loss.item() == pytest.approx(math.fsum(wanted) / count, abs=NEAR)
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in lm.model.parameters())
    lm.model.zero_grad()


@pytest.mark.parametrize("family", [*RIGHT, *OTHERS])
def test_a_model_is_played_and_trained_by_its_own_logits(family, loaded):
    lm = loaded(family)
    plays_by_its_own(lm.model)
    learns_by_its_own(lm)
    route = decode.route_of(lm.model)
    slow = route.play != "fast"
    assert slow == (family in SLOW)
    assert ("transformers' own" in str(lm.report)) == slow, "the report says so"
    assert slow == bool(route.why)


@pytest.mark.parametrize("family", ["mistral", "gemma2", "granite", "bloom"])
def test_under_an_adapter_too(family, loaded):
    lm = loaded(family)
    lm.model = adapters.attach(lm.model, 2, seed=0)
    with torch.no_grad():
        for n, p in lm.model.named_parameters():
            if "lora_B" in n:
                p.normal_(0, 0.1)
    plays_by_its_own(lm.model)
    learns_by_its_own(lm)


EXPERT = {
    "mixtral": {"num_local_experts": 4},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {},
}


@pytest.mark.parametrize("family", EXPERT)
def test_an_adapter_on_fused_experts_is_folded_saved_and_read_again(
    family, loaded, tmp_path
):
    """``peft`` adapts experts by the name of a parameter, not as linear layers."""
    lm = loaded(family, **EXPERT[family])
    lm.model = adapters.attach(lm.model, 2, seed=0)
    with torch.no_grad():
        for n, p in lm.model.named_parameters():
            if "lora_B" in n:
                p.normal_(0, 0.1)
    names = {getattr(m, "parameter_name", None) for m in lm.model.modules()}
    assert {"down_proj", "gate_up_proj"} <= names
    plays_by_its_own(lm.model)
    learns_by_its_own(lm)
    assert not agreement.folding_fault(lm.model, agreement.equal)
    save_model(lm, tmp_path / "adapter")
    again = load_model(tmp_path / "adapter", "fp32")
    ids = words(0, 9)
    assert off(own(lm.model, ids), own(again.model, ids)) < NEAR


@pytest.mark.parametrize(
    "family, said",
    [
        ("jamba", "read their weights past it"),
        ("llama4_text", "fails"),
        ("mamba", "incompatible with Mamba"),
        ("qwen3", ""),
        ("mistral", ""),
    ],
)
def test_an_adapter_that_would_play_otherwise_than_it_trains_is_noticed(family, said):
    more = {"num_experts": 2} if family == "jamba" else {}
    fault = agreement.adapter_fault(random_model(family, **more))
    assert said in fault and bool(said) == bool(fault)


def test_an_adapter_that_would_play_otherwise_than_it_trained_is_refused(
    loaded, tmp_path
):
    lm = loaded("jamba", num_experts=2)
    lm.model = adapters.attach(lm.model, 2, seed=0)
    with torch.no_grad():
        for n, p in lm.model.named_parameters():
            if "lora_B" in n:
                p.normal_(0, 0.1)
    save_model(lm, tmp_path / "adapter")
    with pytest.raises(ValueError, match=r"can't be played.*past it.*Merge"):
        load_model(tmp_path / "adapter", "fp32")


@pytest.mark.parametrize("family, window", [("mistral", 50), ("gpt_neo", 96)])
def test_a_window_wider_than_any_check_is_noticed(family, window):
    """Nothing that is read at load fills these windows."""
    name = "window_size" if family == "gpt_neo" else "sliding_window"
    model = random_model(family, **{name: window}, max_position_embeddings=5000)
    length = min(window + 9, 120)
    ids = words(0, length)
    ours = Rows(model, 1).extend([0], [ids])[0]
    assert off(ours, own(model, ids)[-1]) < NEAR
    assert agreement.small_copy(model).config.to_dict()[name] == agreement.WINDOW


def test_a_long_row_ends_before_its_positions_would_turn_otherwise():
    """Past some length LongRoPE turns the positions of the whole row otherwise: what
    was kept of it would be wrong."""
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "factor": 8.0}
    rope |= {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    start = {"original_max_position_embeddings": 16}
    model = random_model("phi3", rope_parameters=rope | start, **start)
    a, b = words(0, 20), words(0, 16)
    rows = Rows(model, 1)
    assert rows.window == rows.room(0) == 16
    assert off(rows.extend([0], [b])[0], own(model, b)[-1]) < NEAR
    with pytest.raises(ValueError, match="window of 16"):
        Rows(model, 1).extend([0], [a])


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gpt_oss", "granite", "llama"])
def test_the_attention_of_play_trains_the_same(family, loaded):
    lm = loaded(family)
    with attention.grouped_attention(lm.model):
        loss = weighted_loss(lm, [Sample(tuple(words(0, 15)), tuple(words(0, 15)))] * 2)
    again = weighted_loss(lm, [Sample(tuple(words(0, 15)), tuple(words(0, 15)))] * 2)
    assert loss[0].item() == pytest.approx(again[0].item(), abs=NEAR)


def test_an_architecture_is_tried_once(monkeypatch):
    decode.route_of(random_model("llama"))
    monkeypatch.setattr(agreement, "small_copy", lambda model: pytest.fail("again"))
    model = random_model("llama")
    route = decode.route_of(model)
    assert route == decode.route_of(copy.deepcopy(model)) and route.play == "fast"


def test_finding_out_leaves_global_chance_and_the_model_alone():
    model = random_model("qwen2", hidden_size=16)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(5)
    chance, config = torch.get_rng_state(), model.config.to_dict()
    decode.check(model)
    assert torch.equal(chance, torch.get_rng_state())
    assert model.config.to_dict() == config and not model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_where_no_copy_can_be_made_only_the_plain_way_is_taken(monkeypatch):
    monkeypatch.setattr(agreement, "small_copy", lambda model: None)
    model = random_model("llama", intermediate_size=52)
    route = decode.route_of(model)
    assert (route.play, route.training) == ("uncached", "alone")
    plays_by_its_own(model)


def test_real_weights_overrule_the_copy():
    """Another head than the architecture's own is not in the copy."""
    model = random_model("llama", intermediate_size=44)
    assert decode.route_of(model) == decode.Route("fast", True, "head")

    def doubled(module, given, out):
        out.logits = out.logits * 2

    model.register_forward_hook(doubled)
    assert decode.check(model) == decode.Route("fast", False, "logits")
    plays_by_its_own(model)
    fresh = decode.route_of(random_model("llama", intermediate_size=44))
    assert fresh.head, "what is true of one model is not held against others"


# What is refused ------------------------------------------------------------------


def test_a_model_that_reads_ahead_is_refused(loaded):
    with pytest.raises(ValueError, match="not a causal language model"):
        loaded("bert")


@pytest.mark.parametrize("family", ["t5", "vit", "clip"])
def test_what_is_no_language_model_is_refused_by_its_kind(family, tmp_path):
    config = transformers.AutoConfig.for_model(family)
    config.save_pretrained(tmp_path)
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="causal language model") as e:
        load_model(tmp_path, "fp32")
    assert "damaged" not in str(e.value)


def test_a_forward_pass_that_fails_is_refused_with_its_reason(loaded, monkeypatch):
    def needs_more(self, *args, **kwargs):
        raise RuntimeError("the kernels of selective_scan are not installed")

    monkeypatch.setattr(transformers.MambaModel, "forward", needs_more)
    with pytest.raises(ValueError, match="selective_scan") as e:
        loaded("mamba", hidden_size=16)
    assert "damaged" not in str(e.value)


def test_missing_weights_are_refused(loaded, tmp_path):
    from safetensors.torch import load_file, save_file

    loaded("llama")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 of its weights \(lm_head.weight\)"):
        load_model(tmp_path, "fp32")


# Numbers that are none --------------------------------------------------------------


def too_large(model):
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(1e30)


@pytest.mark.parametrize("vocabulary", [WORDS, 5000])
@pytest.mark.parametrize("temperature", [0, 1.0])
@pytest.mark.parametrize("family", ["llama", "mistral"])
@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_logits_that_are_no_numbers_are_an_error(
    vocabulary, temperature, family, number
):
    model = random_model(family, vocab_size=vocabulary)
    rows = Rows(model, 2)
    with torch.no_grad():
        model.get_output_embeddings().weight[3] = number
    with pytest.raises(ValueError, match=r"(?s)llama|mistral.*float32.*not finite"):
        rows.sample([0, 1], [[1], [2, 3]], stop=0, max_new=3, temperature=temperature)
    with pytest.raises(ValueError, match="not finite"):
        rows.extend([0], [[4]])


@pytest.mark.parametrize("family", ["llama", "mamba", "gemma2"])
def test_overflow_in_half_precision_is_an_error(family, loaded):
    def large(model):
        with torch.no_grad():
            model.get_output_embeddings().weight.mul_(6e4)

    more = {"tie_word_embeddings": False, "final_logit_softcapping": None}
    lm = loaded(family, "fp16", change=large, **more)
    with pytest.raises(ValueError, match="float16 are not finite"):
        Rows(lm.model, 1).sample([0], [[1, 2]], stop=0, max_new=3)
