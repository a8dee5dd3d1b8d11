"""Deal or No Deal as the rest of the kit knows it: see ``games.base``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import Counts, Line, Objective
from .game import Game, Transcript
from .metrics import DEAL_METRICS, METRICS, counts
from .protocol import STYLES, Position
from .rules import SPLITS, Scenario, scenarios
from .scripted import NEGOTIATORS


class Deal:
    """The game of the paper, over its enumerated scenarios."""

    name = "deal"
    title = "Deal or No Deal"
    styles: Sequence[str] = tuple(STYLES)
    splits: Sequence[str] = SPLITS
    players: Mapping[str, Any] = NEGOTIATORS
    metrics: Sequence[str] = (*METRICS, *DEAL_METRICS)
    compared = METRICS  # between two players, by ``score --against``
    shares: Sequence[str] = (
        *("agreement", "pareto_all", "pareto_agreed", "joint_optimal"),
        *("abort_rate", "error_rate"),
    )
    # the number of games stands for n where the denominators are points
    counted_like = {"gain_all": "agreement", "gain_agreed": "points_agreed"}

    def tasks(self, split: str) -> Sequence[Scenario]:
        """The scenarios of a split."""
        return scenarios(split)

    def start(
        self, task: Scenario, objective: Objective, *, first: int = 0, number: int = 0
    ) -> Game:
        """A game of the scenario ``task``."""
        return Game(task, objective, first, number)

    def read(self, record: dict[str, Any]) -> Transcript:
        """The transcript that a line of JSON holds."""
        return Transcript.from_record(record)

    def counts(self, transcript: Transcript, objective: Objective) -> Counts:
        """Numerator and denominator of each metric."""
        return counts(transcript, objective)

    def example(self) -> Position:
        """A dialogue with each sort of line in it."""
        return Position(
            game=0,
            seat=0,
            counts=(3, 1, 1),
            values=(1, 3, 4),
            objective=Objective(0.5),
            lines=(
                Line("mine", "[message] hi"),
                Line("theirs", "hello"),
                Line("tried", "hm"),
                Line("correction", "no_prefix"),
                Line("mine", "[message] ok"),
                Line("proposed", ""),
            ),
        )


DEAL = Deal()
