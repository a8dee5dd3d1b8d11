"""Before a long run: one small batch, and from it the minutes and the memory.

A few games are played and one batch of what they said goes through training (no
step is taken, nothing is written). Large batches are quicker for each game than the
small one here, so the minutes are rather too many than too few.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from ..games.base import Objective
from ..games.play import play_games
from ..lm import adapters
from ..lm.models import LanguageModel, load_model
from ..lm.player import LMPlayer
from ..lm.precision import Machine
from ..lm.report import peak
from .cloning import make_sample, views
from .rounds import Config, draw_scenarios
from .training import weighted_loss

GAMES = 4


@dataclass(frozen=True)
class Estimate:
    """What a run will take: seconds of a round, bytes at its peak, both about."""

    play: float
    train: float
    rounds: int
    memory: float
    there: float  # bytes that the device has
    model: str  # the model's report

    @property
    def minutes(self) -> float:
        """Of the whole run, the base's games included."""
        return ((self.rounds + 1) * self.play + self.rounds * self.train) / 60

    def __str__(self) -> str:
        said = (
            f"{self.model}\nup to about {self.play:.0f} s to play and "
            f"{self.train:.0f} s to train a round, {self.minutes:.0f} minutes for "
            f"{self.rounds} rounds; peak memory about {self.memory / 1e9:.1f} GB"
        )
        if self.memory > 0.9 * self.there:
            said += (
                f", and there are {self.there / 1e9:.1f} GB: play fewer games at once "
                "(at_once), raise accumulate, or load in 4bit"
            )
        return said


def preflight(config: Config) -> Estimate:
    """Try a small batch of what ``config`` asks for, and say what the run will take.

    Raises what the run would raise at once: a model or precision that can't be had.
    """
    lm = load_model(config.base, config.precision)
    if config.lora and not adapters.adapted(lm.model):
        lm.model = adapters.attach(lm.model, config.lora, seed=config.seed)
    few = replace(config, games=GAMES * config.group)
    drawn = draw_scenarios(few, 0)[:: config.group]
    player = LMPlayer(lm, temperature=config.temperature)
    started = time.perf_counter()
    played = play_games(player, drawn, Objective(config.lam), seed="preflight")
    play = (time.perf_counter() - started) / GAMES
    samples = [make_sample(v, lm) for v in views(played)]
    samples = [s for s in samples if len(s.ids)]
    train = _seconds_to_learn(lm, samples) / len(samples) if samples else 0.0
    rows = 2 * min(config.games, config.at_once)
    longest = max((len(s.ids) for s in samples), default=0)
    most = peak(lm.report.device) or lm.report.bytes
    return Estimate(
        play=play * config.games,
        train=train * config.games * config.epochs,  # about half of 2K views are kept
        rounds=config.rounds,
        memory=most + rows * longest * 1.5 * cache_bytes(lm),
        there=Machine.of(lm.report.device).memory,
        model=str(lm.report),
    )


def _seconds_to_learn(lm: LanguageModel, samples: list[Any]) -> float:
    started = time.perf_counter()
    loss, _ = weighted_loss(lm, samples)
    if loss.requires_grad:
        loss.backward()
    lm.model.zero_grad(set_to_none=True)
    return time.perf_counter() - started


def cache_bytes(lm: LanguageModel) -> int:
    """Bytes of keys and values of one token in one row."""
    c = lm.model.config
    dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    heads = getattr(c, "num_key_value_heads", None) or c.num_attention_heads
    return 2 * c.num_hidden_layers * heads * dim * lm.model.dtype.itemsize
