"""All that a run of self-play depends on, in one frozen record.

The command line makes its options of the same fields, so a field is described once,
in :data:`ABOUT`. What a partner is, no configuration says: see ``rounds.run``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from ..games.deal.rules import SPLITS, Objective
from ..lm.precision import PRECISIONS
from .cloning import FILTERS

RULES = ("clone", "policy_gradient")


@dataclass(frozen=True)
class Config:
    """All that a run depends on; with the base's weights, it decides every game.

    Each field's meaning is in :data:`ABOUT`. A value that can't be is refused with a
    ``ValueError``: what was given, what is expected.
    """

    base: str = "tiny"
    lam: float = 0.0
    rounds: int = 10
    games: int = 500
    group: int = 1
    temperature: float = 1.0
    filter: str = "above_mean"
    continue_from: str = "previous"
    epochs: float = 3
    lr: float = 1e-3
    batch: int = 16
    split: str = "train"
    seed: int = 0
    precision: str = "auto"
    rule: str = "clone"
    kl: float = 0.0
    at_once: int = 500
    lora: int = 0
    accumulate: int = 1
    checkpointing: bool = False
    partner_share: float = 1.0
    draw: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.draw, list):
            object.__setattr__(self, "draw", tuple(self.draw))
        for f in fields(self):
            _must_be(f.name, getattr(self, f.name), str(f.type))
        Objective(self.lam)
        choices = {
            "rule": RULES,
            "filter": tuple(FILTERS),
            "continue_from": ("previous", "base"),
            "split": SPLITS,
            "precision": ("auto", *PRECISIONS),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is one of {', '.join(known)}; got {getattr(self, name)!r}"
                )
        if self.games % self.group:
            raise ValueError(
                f"games ({self.games}) must be a multiple of group ({self.group}), the "
                "games per scenario"
            )
        within = "above_scenario_mean" if self.rule == "clone" else self.rule
        if self.group < 2 and within in (self.filter, "policy_gradient"):
            raise ValueError(
                f"{within} compares games of the same scenario, and with group=1 there "
                "is one each: give group=4, say, and games a multiple of it"
            )
        if self.rule == "policy_gradient" and not self.temperature:
            raise ValueError(
                "policy_gradient needs play by chance: at temperature 0 no move has "
                "an alternative. Give a temperature above 0."
            )
        drawing = self.rule == "clone" and self.filter == "drawn"
        if drawing and len(self.draw) < self.rounds:
            raise ValueError(
                "the filter 'drawn' needs in draw how many views to draw in each of "
                f"{self.rounds} rounds; got {len(self.draw)} numbers. "
                "rounds.kept_counts reads those of another run."
            )
        if self.draw and max(self.draw) > 2 * self.games:
            raise ValueError(
                f"draw asks for {max(self.draw)} views in a round, and {self.games} "
                f"games have {2 * self.games}: play as many games as the run that the "
                "numbers are of"
            )
        if self.draw and not drawing:
            raise ValueError("draw is for filter='drawn' and rule='clone' alone")


LEAST: dict[str, float] = dict.fromkeys(("games", "group", "batch", "accumulate"), 1)
LEAST |= {"at_once": 1}
LEAST |= dict.fromkeys(("rounds", "lora", "kl", "temperature", "seed"), 0)
ABOVE_0 = ("epochs", "lr", "partner_share")


def _must_be(name: str, value: Any, kind: str) -> None:
    """``ValueError`` unless ``value`` is of the kind and size that a field wants."""
    right = {
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "tuple[int, ...]": isinstance(value, tuple)
        and all(type(x) is int and x > 0 for x in value),
    }[kind]
    kinds = {
        "str": "text",
        "bool": "True or False",
        "int": "a whole number",
        "float": "a number",
        "tuple[int, ...]": "whole numbers above 0",
    }
    if not right:
        raise ValueError(f"{name} is {kinds[kind]}; got {value!r}")
    if kind not in ("int", "float"):
        return
    if not math.isfinite(value):
        raise ValueError(f"{name} is a finite number; got {value!r}")
    if name in LEAST and value < LEAST[name]:
        raise ValueError(f"{name} is {LEAST[name]:g} or more; got {value!r}")
    if name == "seed" and value >= 2**63:
        raise ValueError(f"{name} is below 2**63; got {value!r}")
    if name in ABOVE_0 and value <= 0:
        raise ValueError(f"{name} is above 0; got {value!r}")
    if name == "partner_share" and value > 1:
        raise ValueError(f"{name} is a share of the games, at most 1; got {value!r}")


ABOUT = {
    "base": "the model that round 0 plays: a name of the kit's (tiny, "
    "smollm2-135m-q4_1-warm, ...), a folder, or a Hub id with its revision "
    "(owner/name@revision)",
    "lam": "what a player is paid for: own points + this times the partner's",
    "rounds": "how many rounds learn; round 0 only plays",
    "games": "games per round (K in the paper)",
    "group": "games per scenario (1 in the paper)",
    "temperature": "of play while training",
    "filter": f"which views are imitated: {', '.join(FILTERS)}",
    "continue_from": "what each round trains: previous (the paper's) or base",
    "epochs": "passes over the kept views",
    "lr": "learning rate of the first step of a round; it falls to 0",
    "batch": "samples per training step",
    "split": f"the scenarios: {', '.join(SPLITS)}",
    "seed": "of everything that is drawn by chance",
    "precision": f"of the weights: auto, {', '.join(PRECISIONS)}",
    "rule": f"how it learns: {' or '.join(RULES)} (which heeds no filter)",
    "kl": "price of leaving the base, times KL(model || base) in nats per token",
    "at_once": "games played together: fewer take less memory, and other dice",
    "lora": "rank of an adapter to train (0: train what the base has)",
    "accumulate": "parts in which a batch is computed, for memory",
    "checkpointing": "compute activations twice: less memory, slower",
    "partner_share": "share of the games against the partner, where there is one",
    "draw": "for the filter drawn: how many views to draw in each round",
}
