"""Deal or No Deal as the rest of the kit knows it: see ``games.base``."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import Counts, Line, Objective
from .game import Game, Transcript
from .metrics import DEAL_METRICS, METRICS, counts
from .protocol import MESSAGE, PROPOSE, STYLES, Position, propose
from .rules import MAX_COUNT, SPLITS, Scenario, scenarios
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
    # where denominators are points, n counts games
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

    def slip(self, p: Position, rng: random.Random) -> str:
        """An invalid output, for lessons in what follows one: every kind of error."""
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
