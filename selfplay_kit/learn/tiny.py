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
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..games.base import kind
from ..games.deal import phrasebook
from ..games.deal.protocol import ERRORS, MESSAGE, PROPOSE, Move, propose
from ..games.deal.rules import ITEMS, MAX_COUNT, VALUE_OF_POOL, Objective
from ..games.play import play_games
from ..lm.models import LanguageModel, load_model, no_bars
from ..lm.report import make_report
from .cloning import View, make_sample, views
from .training import IGNORE, fine_tune

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
                Move(_slip(p, self.rng))
                if self.rng.random() < self.slip
                and not (p.lines and p.lines[-1].by == "correction")
                else move
                for p, move in zip(positions, self.table.reply(positions), strict=True)
            ]

        def close(self) -> None:
            """Let go of the player's table."""
            self.table.close()


def _slip(p, rng: random.Random) -> str:
    if hasattr(kind(p.kind), "slip"):
        return kind(p.kind).slip(p, rng)
    share = tuple(rng.randint(0, n) for n in p.counts)
    said = propose(share).removeprefix(PROPOSE).strip(" ()")
    kinds = said.split(", ")
    too_many = tuple(MAX_COUNT if i == 0 else k for i, k in enumerate(share))
    slips = [
        f"i take {said} .",  # no_prefix
        f"{MESSAGE} ok . {PROPOSE} ( {said} )",  # second_prefix
        f"{PROPOSE} ( {kinds[1]} , {kinds[0]} , {kinds[2]} )",  # bad_items
        f"{PROPOSE} ( {kinds[0]} , hats , {kinds[2]} )",  # bad_numbers
        propose(too_many),  # out_of_range, where there are fewer than four books
    ]
    if p.must_propose:
        slips.append(f"{MESSAGE} ok .")
    return rng.choice(slips)


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


def literate(
    lm: LanguageModel,
    seed: int | str,
    *,
    steps: int = 2500,
    batch: int = 16,
    lr: float = 3e-3,
    lr_end: float = 3e-4,
    **games,
) -> Any:
    """Clone fresh script games for ``steps`` steps; ``games`` goes to
    :func:`script_games`. Returns the :class:`~selfplay_kit.learn.training.Training`."""
    played = script_games(steps * batch // 2, seed, **games)
    samples = [make_sample(v, lm, tries=True) for v in views(played)]
    epochs = steps * batch / len(samples)
    return fine_tune(
        lm, samples, epochs=epochs, lr=lr, lr_end=lr_end, batch=batch, seed=seed
    )


def drill(lm: LanguageModel, seed: int | str, *, steps: int, batch: int = 64) -> Any:
    """A lesson in using what was stated: the first share asked for after both have
    told their values, with loss on its three counts alone. In whole games those
    are a few tokens of a hundred, and what they depend on is hardly learned.

    One sample in four is of an ordinary game, so that the rest is not forgotten.
    """
    counts = {i for i, w in enumerate(vocabulary()) if re.fullmatch(r"\d \w+", w)}
    quarter = steps * batch // 4
    told = script_games(3 * quarter, f"{seed}/told", tempers=("teller",), slip=0.0)
    samples = [_first_demand(t, lm, counts) for t in told]
    plain = script_games(quarter // 2, f"{seed}/plain", tempers=TALKERS)
    samples += [make_sample(v, lm, tries=True) for v in views(plain)]
    epochs = steps * batch / len(samples)
    return fine_tune(
        lm, samples, epochs=epochs, lr=3e-3, lr_end=6e-4, batch=batch, seed=seed
    )


def _first_demand(t: Any, lm: LanguageModel, counts: set[int]) -> Any:
    """The opener's view of the first three moves, loss on the third's ``counts``."""
    s = make_sample(View(replace(t, moves=t.moves[:3]), t.first), lm)
    return replace(s, labels=tuple(x if x in counts else IGNORE for x in s.labels))


def save_base(lm: LanguageModel, folder: Path) -> None:
    """Write the weights in half precision (they are read back into fp32)."""
    import copy

    import torch

    folder.mkdir(parents=True, exist_ok=True)
    with no_bars():
        copy.deepcopy(lm.model).to(torch.float16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


LITERACY = ("fair", "fair", "blind", "teller", "teller", "greedy", "stubborn", "liar")
TALKERS = ("teller", "teller", "teller", "teller", "blind", "fair")


@dataclass(frozen=True)
class Recipe:
    """How one base is made: clean games for literacy, or another base and then
    clumsy games, whose ``noise`` sets where it starts. ``seed`` names the games."""

    seed: str
    start: str | None = None  # the base it goes on from
    noise: float = 0.0
    steps: int = 3000
    lr: float = 3e-3
    lr_end: float = 1e-3
    slip: float = 0.03
    tempers: tuple[str, ...] = LITERACY
    drill: int = 0  # steps of :func:`drill` before the games
    game: str = "deal"


RECIPES = {
    "clean": Recipe("literate/0"),
    "middling": Recipe("mid/0", "clean", 0.35, steps=125, lr=1e-3, lr_end=0.0),
    "weak": Recipe("weak/0", "clean", 0.65, steps=125, lr=1e-3, lr_end=0.0, slip=0.05),
    "talk": Recipe("talk/0", "clean", 0.3, 125, 1e-3, 0.0, tempers=TALKERS, drill=600),
}


def make_base(name: str, folder: Path) -> None:
    """Make the base ``name`` of :data:`RECIPES` into ``folder / name``; the base
    that it goes on from must stand in ``folder`` already."""
    recipe = RECIPES[name]
    lm = load_model(folder / recipe.start, "fp32") if recipe.start else blank(seed=0)
    teach(lm, recipe)
    save_base(lm, folder / name)


def teach(lm: LanguageModel, recipe: Recipe) -> None:
    """Give ``lm`` the lessons of ``recipe``: its drill, if any, then its games."""
    if recipe.drill:
        drill(lm, recipe.seed, steps=recipe.drill)
    literate(
        lm,
        recipe.seed,
        game=recipe.game,
        steps=recipe.steps,
        lr=recipe.lr,
        lr_end=recipe.lr_end,
        tempers=recipe.tempers,
        noise=recipe.noise,
        slip=recipe.slip,
    )


def make_base_of(game: str, folder: Path, **changes: Any) -> LanguageModel:
    """A base that plays ``game`` as a mixture of its scripted players, written into
    ``folder`` with a tokenizer of its own; ``changes`` go to the :class:`Recipe`."""
    recipe = replace(
        Recipe(f"{game}/0", noise=0.3, steps=400, game=game),
        **{"tempers": tuple(kind(game).players)} | changes,
    )
    lm = blank(0, game)
    teach(lm, recipe)
    save_base(lm, folder)
    lm.tokenizer.save_pretrained(folder)
    return lm


def make_bases(folder: Path, tell: Callable[[str], None] = print) -> None:
    """Make every base of :data:`RECIPES` into ``folder``, with the tokenizer."""
    make_tokenizer().save_pretrained(folder / "tokenizer")
    for name in RECIPES:
        started = time.perf_counter()
        make_base(name, folder)
        tell(f"{name}: made in {time.perf_counter() - started:.0f} s")
