"""The tiny model, made from nothing: its words, its shape, the games of its lessons.

A word-level tokenizer whose vocabulary is written out by hand, with a count and
its item fused into one token ("2 books"), and a Llama of 0.8 M parameters. The
shipped bases learned from games between scripted players (``experiments.bases``
makes them again). None is a pre-trained model: each learned one game from scripts
that can already play it.
"""

from __future__ import annotations

import random
import re
from typing import Any

from ..games.base import kind
from ..games.deal import phrasebook
from ..games.deal.protocol import ERRORS, MESSAGE, PROPOSE, Move
from ..games.deal.rules import ITEMS, MAX_COUNT, VALUE_OF_POOL, Objective
from ..games.play import play_games
from ..lm.models import LanguageModel
from ..lm.report import make_report

SPECIAL = ["<pad>", "<unk>", "<end>", "<sys>", "<me>", "<you>"]
PAD, UNKNOWN, STOP, SYSTEM, ME, YOU = SPECIAL
PATTERN = r"\[[a-z_ ]+\]|<[a-z]+>|\d+ (?:book|hat|ball)s?|=\d+|[a-z]+|\d|[^\s\w]"
TEMPLATE = (
    "{% for m in messages %}"
    "{{ {'system': '<sys>', 'user': '<you>', 'assistant': '<me>'}[m['role']] }}"
    " {{ m['content'] }} <end> {% endfor %}"
    "{% if add_generation_prompt %}<me> {% endif %}"
)


def vocabulary(game: str = "deal") -> list[str]:
    """Every token, in the order of its id; another game's own ``words`` come last.

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
    own = getattr(kind(game), "words", ())
    return list(dict.fromkeys([*tokens, *prompt, *"0123456789", *words, *own]))


def make_tokenizer(game: str = "deal") -> Any:
    """The tokenizer of all tiny models of ``game``, as ``transformers`` has it."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {w: i for i, w in enumerate(vocabulary(game))}
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


def make_model(seed: int, words: int | None = None) -> Any:
    """A tiny Llama with random weights drawn from ``seed``; ``words`` is the size of
    its vocabulary, by default that of Deal or No Deal."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(  # type: ignore[call-arg]  # one field is ours
        vocab_size=words or len(vocabulary()),
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


def blank(seed: int, game: str = "deal") -> LanguageModel:
    """A tiny model with the words of ``game`` that has learned nothing yet."""
    model = make_model(seed, len(vocabulary(game)))
    report = make_report(model, "tiny-blank", "fp32", "fp32", "cpu", "made from seed")
    return LanguageModel(model, make_tokenizer(game), report, "short", 24)


class Slipping:
    """A scripted player whose outputs are invalid with probability ``slip``: it
    makes every kind of error, hears the correction, and then plays on."""

    def __init__(self, player: Any, slip: float):
        self.player, self.slip, self.name = player, slip, player.name

    def sit(self, games: int, *, seed: int | str) -> Slipping.Table:
        """Sit down to a batch of games."""
        return self.Table(self, games, seed)

    class Table:
        """The player's table, with slips; never two in a row."""

        def __init__(self, who: Slipping, games: int, seed: int | str):
            self.table = who.player.sit(games, seed=seed)
            self.slip, self.rng = who.slip, random.Random(f"{seed}/slips")

        def reply(self, positions) -> list[Move]:
            """The script's move, or a slip instead of it."""
            return [
                Move(kind(p.kind).slip(p, self.rng))
                if self.rng.random() < self.slip
                and not (p.lines and p.lines[-1].by == "correction")
                else move
                for p, move in zip(positions, self.table.reply(positions), strict=True)
            ]

        def close(self) -> None:
            """Let go of the player's table."""
            self.table.close()


TEMPERS = ("fair", "greedy", "stubborn", "blind", "teller", "liar")


def script_games(
    count: int,
    seed: int | str,
    *,
    game: str = "deal",
    tempers: tuple[str, ...] = TEMPERS,
    noise: float = 0.0,
    slip: float = 0.03,
) -> list[Any]:
    """``count`` games between scripted players of ``game`` on training scenarios.

    The tempers of both seats are drawn from ``tempers``, and lambda from -1 to 1
    (the scripts don't heed it; the model shall have read every such prompt).
    """
    rng = random.Random(f"{seed}/script games")
    train, players = kind(game).tasks("train"), kind(game).players
    tables: dict[tuple, list[Any]] = {}
    for _ in range(count):
        lam = rng.choice((-1, 0, 1, round(rng.uniform(-1, 1), 2)))
        table = (rng.choice(tempers), rng.choice(tempers), lam)
        tables.setdefault(table, []).append(rng.choice(train))
    games = []
    for (a, b, lam), chosen in tables.items():
        one, two = (Slipping(players[name](noise), slip) for name in (a, b))
        games += play_games(
            (one, two), chosen, Objective(lam), seed=f"{seed}/{a}/{b}/{lam}"
        )
    rng.shuffle(games)
    return games
