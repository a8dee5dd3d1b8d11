"""The cached ragged decoder against plain uncached logits."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.lm.decode import rows as decode  # noqa: E402
from selfplay_kit.lm.decode.rows import Rows  # noqa: E402

VOCABULARY, STOP, WINDOW, COUNT = 11, 2, 160, 8


@cache
def make(kind="llama", window=WINDOW):
    """A small random model; ``initializer_range`` makes its choices distinct."""
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": window,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "eos_token_id": STOP,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "qwen2":  # biases in attention, seven query heads would do too
            return Qwen2ForCausalLM(Qwen2Config(**sizes)).eval()
        return LlamaForCausalLM(LlamaConfig(**sizes)).eval()


@torch.inference_mode()
def plain(model, ids):
    """The logits of the next token, with no cache and no padding."""
    return model(input_ids=torch.tensor([ids])).logits[0, -1]


TOKENS = st.integers(0, VOCABULARY - 1)
CHUNK = st.lists(TOKENS, min_size=1, max_size=9)
PICK = st.sets(st.integers(0, COUNT - 1), min_size=1).map(sorted)
STEP = st.tuples(
    st.sampled_from(["extend", "sample", "greedy"]),
    PICK | PICK.flatmap(st.permutations),
    st.lists(CHUNK, min_size=COUNT, max_size=COUNT),
    st.integers(1, 7),
    st.booleans(),
)


def drive(model, rows, steps):
    """Run ``steps`` on ``rows``; after each, hold everything against plain logits.
    Returns what each row holds."""
    held = [[] for _ in range(COUNT)]
    generator = torch.Generator().manual_seed(0)
    for kind, chosen, chunks, max_new, empty in steps:
        chunks = [chunks[r] for r in chosen]
        if empty and all(rows.unread[r] for r in chosen):
            chunks = [[] for _ in chosen]
        for r, chunk in zip(chosen, chunks, strict=True):
            held[r] += chunk
        if kind == "extend":
            logits = rows.extend(chosen, chunks)
            for r, found in zip(chosen, logits, strict=True):
                assert (found - plain(model, held[r])).abs().max() < 1e-4
                rows_hold(rows, r, held[r])
            continue
        sampled = rows.sample(
            chosen,
            chunks,
            stop=STOP,
            max_new=max_new,
            temperature=0 if kind == "greedy" else 1,
            generator=generator,
        )
        for r, ids in zip(chosen, sampled, strict=True):
            assert 1 <= len(ids) <= max_new and STOP not in ids[:-1]
            assert len(ids) == max_new or ids[-1] == STOP
            for token in ids:
                if kind == "greedy":
                    likely = plain(model, held[r])
                    assert likely[token] >= likely.max() - 1e-4
                held[r].append(token)
            rows_hold(rows, r, held[r])
    return held


def rows_hold(rows, r, ids):
    assert int(rows.lengths[r]) + len(rows.unread[r]) == len(ids)
    assert rows.room(r) == rows.window - len(ids)


@given(st.lists(STEP, min_size=1, max_size=6), st.sampled_from([1, 4, 96]))
@settings(max_examples=40)
def test_cached_logits_equal_plain_ones(steps, capacity):
    """Any mixture of rows (close together: a view; apart: a copy), of chunks, and
    of sampling that stops at different times; the store grows on the way."""
    model = make()
    drive(model, Rows(model, COUNT, capacity=capacity), steps)


def test_equal_within_a_hundred_thousandth_over_long_rows():
    model = make()
    rows = Rows(model, 5, capacity=8)
    ids = [[(7 * r + i * (r + 3)) % VOCABULARY for i in range(150)] for r in range(5)]
    at = [0] * 5
    worst = 0.0
    for step in range(12):
        chosen = [r for r in range(5) if (r + step) % 3]
        sizes = [1 + (5 * r + step) % 13 for r in chosen]
        chunks = [ids[r][at[r] : at[r] + n] for r, n in zip(chosen, sizes, strict=True)]
        found = rows.extend(chosen, chunks)
        for r, n, logits in zip(chosen, sizes, found, strict=True):
            at[r] += n
            worst = max(worst, (logits - plain(model, ids[r][: at[r]])).abs().max())
    assert 0 < worst < 1e-5


def test_another_architecture():
    model = make("qwen2")
    rows = Rows(model, 3)
    a, b = [3, 1, 4, 1, 5], [9, 2, 6]
    found = rows.extend([0, 2], [a, b])
    assert (found[0] - plain(model, a)).abs().max() < 1e-5
    assert (found[1] - plain(model, b)).abs().max() < 1e-5


def test_an_adapter_is_heard():
    peft = pytest.importorskip("peft")
    import copy

    config = peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    torch.manual_seed(1)
    model = peft.get_peft_model(copy.deepcopy(make()), config).eval()
    ids = [3, 1, 4, 1, 5]
    found = Rows(model, 1).extend([0], [ids])[0]
    assert (found - plain(model, ids)).abs().max() < 1e-5
    assert (found - plain(make(), ids)).abs().max() > 1e-2


def test_both_ways_of_work_are_taken():
    """The property above would prove nothing if rows were never far apart."""
    rows = Rows(make(), COUNT)
    assert decode.Work(rows, range(COUNT)).span == slice(0, COUNT)
    assert decode.Work(rows, [0, 1, 3]).rows == [0, 1, 2, 3]
    assert decode.Work(rows, [0, 7]).span is None


def test_the_store_grows():
    rows = Rows(make(), 2, capacity=4)
    rows.extend([0, 1], [[1] * 3, [1]])
    before = rows.store.room
    rows.extend([0], [[1] * 40])
    assert rows.store.room >= 43 > before
    assert all(t.shape[2] == rows.store.room for p in rows.store.layers for t in p)


@torch.inference_mode()
def test_one_row_that_goes_on_does_not_widen_all():
    model = make()
    rows, held = Rows(model, 16, capacity=8), [[] for _ in range(16)]

    def extend(some, length):
        chunks = [[(r + i) % VOCABULARY for i in range(length)] for r in some]
        for r, chunk in zip(some, chunks, strict=True):
            held[r] += chunk
        logits = rows.extend(some, chunks)
        for r, ours in zip(some, logits, strict=True):
            torch.testing.assert_close(ours, plain(model, held[r]), rtol=0, atol=2e-5)

    extend(range(16), 6)
    room = rows.store.room
    for _ in range(6):
        extend([3], 9)
        extend([12, 3], 7)  # the second one outgrows them too
    assert rows.store.room == room and set(rows.store.over) == {3, 12}
    extend(range(4, 12), 1)  # close together, none of the two among them
    assert set(rows.store.over) == {3, 12}
    extend(range(0, 12), 1)  # the long one between the others
    extend(range(16), 5)  # all together: now there is room for each
    assert rows.store.room >= 6 * 16 and not rows.store.over
    extend([3, 12], 2)


# Sampling -------------------------------------------------------------------------


def sample(seed, temperature=1.0, count=4, model=None):
    rows = Rows(model or make(), count)
    return rows.sample(
        range(count),
        [[1, 3]] * count,
        stop=STOP,
        max_new=20,
        temperature=temperature,
        generator=torch.Generator().manual_seed(seed),
    )


def test_the_same_generator_gives_the_same_tokens():
    assert sample(1) == sample(1) != sample(2)


def test_temperature_0_needs_no_chance():
    assert sample(1, 0) == sample(2, 0)
    assert len({tuple(ids) for ids in sample(1, 0)}) == 1


def test_a_low_temperature_comes_close_to_the_likeliest():
    assert sample(1, 1e-6) == sample(1, 0)


@pytest.mark.parametrize("many", [VOCABULARY, 1])
@pytest.mark.parametrize("temperature", [1e-12, 1e-40, 5e-324])
def test_however_low_it_is_no_word_is_drawn_by_accident(many, temperature, monkeypatch):
    monkeypatch.setattr(decode, "MANY", many)
    assert sample(1, temperature) == sample(1, 0)


@pytest.mark.parametrize("temperature", [-0.1, float("inf"), float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be 0 or more"):
        sample(1, temperature)


def test_global_chance_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    sample(1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("many", [VOCABULARY, 1])  # of few words, and of many
def test_sampled_tokens_follow_the_models_odds(many, monkeypatch):
    monkeypatch.setattr(decode, "MANY", many)
    model = make()
    count = 4000
    rows = Rows(model, count)
    drawn = rows.sample(
        range(count),
        [[1, 3]] * count,
        stop=STOP,
        max_new=1,
        temperature=2.0,
        generator=torch.Generator().manual_seed(0),
    )
    found = torch.bincount(torch.tensor(drawn)[:, 0], minlength=VOCABULARY) / count
    assert (found - torch.softmax(plain(model, [1, 3]) / 2, -1)).abs().max() < 0.03


def test_a_word_without_a_chance_is_never_drawn(monkeypatch):
    monkeypatch.setattr(decode, "MANY", 1)
    logits = torch.full((5000, 4), -torch.inf)
    logits[:, 1], logits[:, 2] = 0.0, 1.0
    drawn, _ = decode._draw(logits, 1.0, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {1, 2}


# What is refused --------------------------------------------------------------------


def test_bad_input_is_refused():
    rows = Rows(make(), 2)
    with pytest.raises(ValueError, match="distinct"):
        rows.extend([0, 0], [[1], [1]])
    with pytest.raises(ValueError, match="empty"):
        rows.extend([0], [[]])
    with pytest.raises(ValueError, match="temperature"):
        rows.sample([0], [[1]], stop=STOP, max_new=1, temperature=-1)


def test_a_row_longer_than_the_window_is_refused():
    model = make(window=16)
    rows = Rows(model, 2)
    rows.extend([0], [[1] * 16])
    assert rows.room(0) == 0
    with pytest.raises(ValueError, match="window of 16"):
        rows.extend([0], [[1]])
    with pytest.raises(ValueError, match="window of 16"):
        Rows(model, 1).extend([0], [[1] * 17])


def test_a_full_row_does_not_stand_in_the_way_of_others():
    """Padding past a full row's end is no token of it."""
    model = make(window=16)
    rows = Rows(model, 3)
    rows.extend([0, 1, 2], [[1] * 15, [3] * 2, [4]])
    news = [[5], [6, 7, 8, 9, 1, 2], [3]]
    found = rows.extend([0, 1, 2], news)
    assert rows.room(0) == 0
    for logits, ids in zip(
        found, ([1] * 15 + [5], [3] * 2 + news[1], [4, 3]), strict=True
    ):
        assert (logits - plain(model, ids)).abs().max() < 1e-4
    found = rows.extend([1, 2], [[4], [4] * 9])  # the full row lies idle beside them
    assert (found[1] - plain(model, [4, 3] + [4] * 9)).abs().max() < 1e-4


def test_the_models_own_attention_is_back_after_the_work():
    model = make()
    before = model.config._attn_implementation
    Rows(model, 1).extend([0], [[1]])
    assert model.config._attn_implementation == before != "selfplay_grouped"
