"""All that a run of self-play depends on, in one frozen record.

The command line makes its options of the same fields, so a field is described once,
in :data:`ABOUT`. What a partner is, no configuration says: see ``rounds.run``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..games.base import KINDS, Objective, kind
from ..lm.precision import PRECISIONS
from .filters import FILTERS, REWARDS
from .opponents import OPPONENTS
from .rules import RULES


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
    game: str = "deal"
    reward: str = "game"
    opponent: str = "itself"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.game.partition("/")[0] not in KINDS:
            raise ValueError(f"game is one of {', '.join(KINDS)}; got {self.game!r}")
        if isinstance(self.draw, list):
            object.__setattr__(self, "draw", tuple(self.draw))
        for f in fields(self):
            _must_be(f.name, getattr(self, f.name), str(f.type))
        Objective(self.lam)
        choices = {
            "continue_from": ("previous", "base"),
            "split": tuple(kind(self.game).splits),
            "precision": ("auto", *PRECISIONS),
        } | {name: tuple(known) for name, known in NAMED.items()}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is one of {', '.join(known)}; got {getattr(self, name)!r}"
                )
        self._check_options()
        if self.games % self.group:
            raise ValueError(
                f"games ({self.games}) must be a multiple of group ({self.group}), the "
                "games per scenario"
            )
        RULES[self.rule].check(self)
        if hasattr(OPPONENTS[self.opponent], "check"):
            OPPONENTS[self.opponent].check(self)
        if self.draw and max(self.draw) > 2 * self.games:
            raise ValueError(
                f"draw asks for {max(self.draw)} views in a round, and {self.games} "
                f"games have {2 * self.games}: play as many games as the run that the "
                "numbers are of"
            )
        drawing = getattr(RULES[self.rule], "filters", False)
        if self.draw and not (drawing and self.filter == "drawn"):
            raise ValueError("draw is for filter='drawn' and rule='clone' alone")

    def option(self, name: str) -> Any:
        """The value of an option of the rule's or the opponent's own."""
        return self.options[name] if name in self.options else options_of(self)[name]

    def _check_options(self) -> None:
        mine = options_of(self)
        if clash := set(mine) & TAKEN:
            raise ValueError(
                f"rule={self.rule!r} or opponent={self.opponent!r} has an option "
                f"called {', '.join(sorted(clash))}, and so has every run: rename it"
            )
        for name, value in self.options.items():
            if name not in mine:
                owners = [
                    f"the {field} {thing!r}"
                    for field, thing, its in every_option()
                    if name in its
                ]
                whose = f" ({name} is of {' and '.join(owners)})" if owners else ""
                raise ValueError(
                    f"rule={self.rule!r} with opponent={self.opponent!r} has no option "
                    f"{name!r}{whose}; it has: {', '.join(mine) or 'none'}"
                )
            kinds = (int, float) if isinstance(mine[name], float) else type(mine[name])
            if (
                not isinstance(value, kinds)
                or (isinstance(value, bool) and not isinstance(mine[name], bool))
                or (isinstance(value, float) and not math.isfinite(value))
            ):
                raise ValueError(
                    f"the option {name} is like {mine[name]!r}, its default; got "
                    f"{value!r}"
                )


NAMED = {"rule": RULES, "filter": FILTERS, "reward": REWARDS, "opponent": OPPONENTS}
TAKEN = {f.name for f in fields(Config)}  # no rule or opponent may call its own so
TAKEN |= set("model objective match out no_preflight plugin threads help".split())
WITH_OPTIONS = {"rule": RULES, "opponent": OPPONENTS}


def options_of(config: Config) -> dict[str, Any]:
    """The options that the rule and the opponent of ``config`` have, with defaults."""
    found: dict[str, Any] = {}
    for name, known in WITH_OPTIONS.items():
        found |= known[getattr(config, name)].options
    return found


def chosen(config: Config) -> list[tuple[str, Any]]:
    """What the names in ``config`` stand for, by the field: the game, the rule, ..."""
    named = [(name, known[getattr(config, name)]) for name, known in NAMED.items()]
    return [("game", kind(config.game)), *named]


def every_option() -> list[tuple[str, str, dict[str, Any]]]:
    """What each registered rule and opponent has for options: field, name, options."""
    return [
        (field, name, dict(thing.options))
        for field, known in WITH_OPTIONS.items()
        for name, thing in known.items()
    ]


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
        "Mapping[str, Any]": isinstance(value, Mapping),
        "tuple[int, ...]": isinstance(value, tuple)
        and all(type(x) is int and x > 0 for x in value),
    }[kind]
    kinds = {
        "str": "text",
        "bool": "True or False",
        "int": "a whole number",
        "float": "a number",
        "Mapping[str, Any]": "names and values",
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
    "filter": "which views are imitated",
    "continue_from": "what each round trains: previous (the paper's) or base",
    "epochs": "passes over the kept views",
    "lr": "learning rate of the first step of a round; it falls to 0",
    "batch": "samples per training step",
    "split": "the scenarios: train, development or test",
    "seed": "of everything that is drawn by chance",
    "precision": f"of the weights: auto, {', '.join(PRECISIONS)}",
    "rule": "how it learns",
    "kl": "price of leaving the base, times KL(model || base) in nats per token",
    "at_once": "games played together: fewer take less memory, and other dice",
    "lora": "rank of an adapter to train (0: train what the base has)",
    "accumulate": "parts in which a batch is computed, for memory",
    "checkpointing": "compute activations twice: less memory, slower",
    "partner_share": "share of the games against the partner, where there is one",
    "draw": "for the filter drawn: how many views to draw in each round",
    "game": "what is played",
    "reward": "what a view is paid (game: by the rules)",
    "opponent": "whom the learner meets",
    "options": "of the rule's or the opponent's own",
}
