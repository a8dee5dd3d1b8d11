"""The tiny model, made from nothing: its words, its shape, its first lessons.

A word-level tokenizer whose vocabulary is written out by hand, with a count and
its item fused into one token ("2 books"), and a Llama of 0.8 M parameters. A base
is made *literate* by cloning scripted negotiators, first clean games and then
clumsy ones, whose noise sets where self-play starts. It is no pre-trained model:
it learned this one game from scripts that can already play it.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

from . import phrasebook, scripted
from .models import LanguageModel, make_report
from .protocol import ERRORS, MESSAGE, PROPOSE, Move, propose
from .rules import ITEMS, MAX_COUNT, VALUE_OF_POOL

PAD, UNKNOWN, STOP, SYSTEM, ME, YOU = "<pad>", "<unk>", "<end>", "<sys>", "<me>", "<you>"
SPECIAL = [PAD, UNKNOWN, STOP, SYSTEM, ME, YOU]
PATTERN = r"\[[a-z_ ]+\]|<[a-z]+>|\d+ (?:book|hat|ball)s?|=\d+|[a-z]+|\d|[^\s\w]"
TEMPLATE = (
    "{% for m in messages %}"
    "{{ {'system': '<sys>', 'user': '<you>', 'assistant': '<me>'}[m['role']] }}"
    " {{ m['content'] }} <end> {% endfor %}"
    "{% if add_generation_prompt %}<me> {% endif %}"
)


def vocabulary() -> list[str]:
    """Every token, in the order of its id.

    >>> words = vocabulary()
    >>> words.index("<end>"), "2 books" in words, "=10" in words
    (2, True, True)
    """
    fused = [
        f"{n} {i[:-1] if n == 1 else i}" for i in ITEMS for n in range(MAX_COUNT + 1)
    ]
    marks = [MESSAGE, PROPOSE, "[proposed]", *(f"[error {e}]" for e in ERRORS)]
    prompt = ["pool", "values", "reward", "mine", "theirs", "+", "-", "."]
    said = " ".join(
        phrasebook.OFFERS_MINE
        + phrasebook.OFFERS_YOURS
        + phrasebook.ACCEPTS
        + phrasebook.REFUSALS
        + phrasebook.GREETINGS
        + phrasebook.QUESTIONS
    ).replace("{s}", "")
    words = re.findall(PATTERN, f"{said} for me ( ) {' '.join(ITEMS)}")
    tokens = [*SPECIAL, *marks, *fused, *(f"={v}" for v in range(VALUE_OF_POOL + 1))]
    return list(dict.fromkeys([*tokens, *prompt, *"0123456789", *words]))


def make_tokenizer() -> Any:
    """The tokenizer of all tiny models, as ``transformers`` has it."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {w: i for i, w in enumerate(vocabulary())}
    core = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Split(
        Regex(PATTERN), behavior="removed", invert=True
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=STOP,
        additional_special_tokens=[SYSTEM, ME, YOU],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(seed: int) -> Any:
    """A tiny Llama with random weights drawn from ``seed``."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(vocabulary()),
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=384,
        max_position_embeddings=4096,
        initializer_range=0.06,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=2,
        selfplay_kit_tiny=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def blank(seed: int) -> LanguageModel:
    """A tiny model that has learned nothing yet."""
    model = make_model(seed)
    report = make_report(model, "tiny-blank", "fp32", "fp32", "cpu", "made from seed")
    return LanguageModel(model, make_tokenizer(), report, "short", 24)
