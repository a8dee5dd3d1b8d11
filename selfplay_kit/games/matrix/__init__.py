"""Repeated 2x2 games: rules, text, course of a game, scripted players, metrics.

They follow *Playing repeated games with large language models* (Akata et al. 2025):
ten rounds of simultaneous choices, by prompt, with or without a prediction first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..base import Counts, Line, Objective
from .game import METRICS, SHARES, Game, Transcript, counts, read
from .players import SCRIPTS
from .rules import GAMES, SPLITS, Matrix, tasks
from .text import STYLES, WORDS, Position, slip

VARIANTS = (*GAMES, "ordinal")


@dataclass(frozen=True)
class Matrices:
    """Repeated games as the rest of the kit knows them: those of ``played``."""

    played: tuple[str, ...] = tuple(GAMES)

    name = "matrix"
    styles = STYLES
    splits = SPLITS
    players = SCRIPTS
    metrics = METRICS
    shares = SHARES
    words = WORDS

    @property
    def title(self) -> str:
        """As people call it."""
        one = len(self.played) == 1
        return f"Repeated {self.played[0].replace('_', ' ') if one else '2x2 games'}"

    def variant(self, name: str) -> Matrices:
        """One of the games alone; ``ordinal`` is all 144 without ties."""
        if name not in VARIANTS:
            raise ValueError(
                f"there is no 2x2 game called {name!r}; there are: "
                f"{', '.join(VARIANTS)}"
            )
        return Matrices((name,))

    def tasks(self, split: str) -> Sequence[Matrix]:
        """The games of a split, under their labels."""
        return [task for name in self.played for task in tasks(name, split)]

    def start(
        self, task: Matrix, objective: Objective, *, first: int = 0, number: int = 0
    ) -> Game:
        """A game of ``task``."""
        return Game(task, objective, first, number)

    def read(self, record: dict[str, Any]) -> Transcript:
        """The transcript that a line of JSON holds."""
        return read(record)

    def counts(self, transcript: Transcript, objective: Objective) -> Counts:
        """Numerator and denominator of each metric."""
        return counts(transcript, objective)

    def slip(self, position: Position, rng: random.Random) -> str:
        """An invalid output, for lessons in what follows one."""
        return slip(position.task.labels, rng)

    def example(self) -> Position:
        """A position with each sort of line in it."""
        lines = (
            Line("tried", "hm"),
            Line("correction", "no_choice"),
            Line("mine", "[predict] F [choose] J"),
            Line("played", "1 J F"),
        )
        task = Matrix("chicken", GAMES["chicken"])
        return Position(0, 0, task, Objective(0.5), lines)


MATRIX = Matrices()
