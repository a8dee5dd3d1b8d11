"""Scripted players of repeated 2x2 games: small automata, known since Axelrod (1984).

A script has a state, cooperates (takes action 0) with a chance that depends on the
state, and steps to another state after each round. So ``rules.best_response`` can
compute what is best against it. Its chance comes from the seed and the position.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from ..play import ScriptTable
from .rules import Matrix
from .text import Position, choose


class Script:
    """What all scripts share; alone it is the one that always cooperates.

    ``noise`` is how often it takes an action at random instead of its own.
    """

    temper = ""
    start: Any = 0

    def __init__(self, noise: float = 0.0, name: str | None = None):
        if not 0 <= noise <= 1:
            raise ValueError(f"noise is a probability from 0 to 1; got {noise!r}")
        self.noise = noise
        self.name = name or NAMES.get(type(self), type(self).__name__.lower())

    def cooperates(self, state: Any) -> Fraction | int:
        """The chance of action 0 in ``state``; by default the state is the action."""
        return 1 - state

    def step(self, state: Any, own: int, other: int, task: Matrix, seat: int) -> Any:
        """The state after a round; ``seat`` is the script's own."""
        return state

    def chance(self, state: Any) -> Fraction:
        """The chance of action 0 with the noise."""
        noise = Fraction(str(self.noise))
        return (1 - noise) * self.cooperates(state) + noise / 2

    def act(self, p: Position, rng: random.Random) -> str:
        """The output for ``p``."""
        state = self.start
        for own, other in p.history:
            state = self.step(state, own, other, p.task, p.seat)
        return choose(p.task.labels[int(rng.random() >= self.chance(state))])

    def sit(self, games: int, *, seed: int | str) -> ScriptTable:
        """Sit down to a batch; nothing is kept between moves."""
        return ScriptTable(self, seed)


class AlwaysCooperate(Script):
    """Action 0 in every round."""

    temper = "cooperates in every round"


class AlwaysDefect(Script):
    """Action 1 in every round."""

    temper = "defects in every round"
    start = 1


class TitForTat(Script):
    """Rapoport's: cooperates first, then does what the other did last."""

    temper = "cooperates, then does what the other did last"

    def step(self, state, own, other, task, seat):
        return other


class GrimTrigger(Script):
    """Friedman's (1971): cooperates until the other defects once."""

    temper = "cooperates until the other defects, then never again"

    def step(self, state, own, other, task, seat):
        return max(state, other)


class Alternate(Script):
    """Action 0 and action 1 by turns, whatever the other does."""

    temper = "takes the two actions by turns"

    def step(self, state, own, other, task, seat):
        return 1 - state


class WinStayLoseShift(Script):
    """Nowak and Sigmund's (1993): repeats an action that paid at least the mean of its
    four payoffs, else takes the other action."""

    temper = "repeats what paid, else changes"

    def step(self, state, own, other, task, seat):
        pair = (own, other) if seat == 0 else (other, own)
        mean = Fraction(sum(c[seat] for row in task.payoffs for c in row), 4)
        return own if task.pays(*pair)[seat] >= mean else 1 - own


class Random(Script):
    """Each action with chance 1/2: the floor of every comparison."""

    temper = "chooses by a coin"

    def cooperates(self, state):
        return Fraction(1, 2)


SCRIPTS: dict[str, type[Script]] = {
    "tit_for_tat": TitForTat,
    "grim_trigger": GrimTrigger,
    "always_defect": AlwaysDefect,
    "always_cooperate": AlwaysCooperate,
    "alternate": Alternate,
    "win_stay_lose_shift": WinStayLoseShift,
    "random": Random,
}
NAMES = {script: name for name, script in SCRIPTS.items()}
