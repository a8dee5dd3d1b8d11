"""Filtered behaviour cloning, the paper's rule: imitate what went better than average.

Liao et al. 2024, Algorithm 1: a filter keeps views, and each kept view's own moves are
learned by cross-entropy.
"""

from __future__ import annotations

import random
from typing import Any

from ..cloning import View, make_sample
from ..filters import FILTERS, WITHIN, rewards_of
from . import Rule


class Clone(Rule):
    """Keep by the filter, then fine-tune on what was kept."""

    filters = True

    def check(self, config: Any) -> None:
        """What the filter needs: games to compare, or numbers to draw."""
        if config.group < 2 and config.filter in WITHIN:
            raise ValueError(
                f"{config.filter} compares games of the same scenario, and with "
                "group=1 there is one each: give group=4, say, and games a multiple "
                "of it"
            )
        if config.filter == "drawn" and len(config.draw) < config.rounds:
            raise ValueError(
                "the filter 'drawn' needs in draw how many views to draw in each of "
                f"{config.rounds} rounds; got {len(config.draw)} numbers. "
                "rounds.kept_counts reads those of another run."
            )

    def samples(self, lm, views, rewards, *, config, number):
        """A sample for each view that the filter keeps."""
        kept = keep(config, number, views, rewards)
        return [make_sample(v, lm) for v in kept]


def keep(config: Any, number: int, views: Any, rewards: Any = None) -> list[View]:
    """Those of ``views``, of the round before, that the filter keeps for round
    ``number`` to learn from; the same ones each time. Without ``rewards`` they are
    paid as ``config.reward`` says."""
    rewards = rewards_of(config.reward, views) if rewards is None else rewards
    rng = random.Random(f"{config.seed}/round {number}/filter")
    how = {"count": config.draw[number - 1]} if config.filter == "drawn" else {}
    return FILTERS[config.filter](views, rng, rewards=rewards, **how)


CLONE = Clone()
