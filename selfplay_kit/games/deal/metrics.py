"""What is counted in one game of Deal or No Deal.

Everything is counted on points (X, Y) and whether there was a deal, never on
rewards of mixed objectives. Pareto shares are given over all games (as Liao et
al. 2024 do) and over agreed ones (as Lewis et al. 2017 do).

Points are a player's (``mean_points``, both seats pooled) or the pair's
(``mean_joint``); rates are shares of all games (``pareto_agreed``: of agreed
ones); ``messages`` are per game, ``words`` per message. Of agreed games:
``points_agreed``, a player's; ``nash_distance`` and ``maxmin_distance``, from
(X, Y) to the nearest such deal (:class:`Facts`), a straight line in points;
``first_mover``, the points of who spoke first less the other's. ``gain_agreed``
is 0 where deals are worth what a random full split is (5 points per player) and 1 at
the optimum: sums of (X + Y - 10) over sums of (best X + Y - 10); ``gain_all`` is
over all games, no deal being 0 points, and so mostly below 0 where few agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from math import dist

from ..base import Counts, Objective
from .game import Transcript
from .protocol import parse
from .rules import VALUE_OF_POOL, Scenario, max_joint, pareto

METRICS = (
    "mean_points",
    "mean_joint",
    "mean_reward",
    "agreement",
    "pareto_all",
    "pareto_agreed",
    "joint_optimal",
    "abort_rate",
    "error_rate",
    "messages",
    "words",
)


# What the deals are like; recorded files of before these were counted hold none.
DEAL_METRICS = (
    "points_agreed",
    "gain_all",
    "gain_agreed",
    "nash_distance",
    "maxmin_distance",
    "first_mover",
)

Points = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the deals of a scenario are measured by, in points (X, Y)."""

    key: str
    pareto: frozenset[Points]
    max_joint: int
    nash: tuple[Points, ...]  # of largest product; ties: of largest joint score
    maxmin: tuple[Points, ...]  # best for the worse-off player; ties likewise


@cache
def facts(scenario: Scenario) -> Facts:
    """The :class:`Facts` of ``scenario``, exact.

    >>> f = facts(Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0))))
    >>> f.nash, f.maxmin, f.max_joint
    (((7, 6),), ((7, 6),), 14)
    """
    deals = {scenario.pays(pair) for pair in scenario.allocations()}
    product = max((x * y, x + y) for x, y in deals)
    worst = max((min(d), sum(d)) for d in deals)
    return Facts(
        key=scenario.key(),
        pareto=frozenset(scenario.pays(pair) for pair in pareto(scenario)),
        max_joint=max_joint(scenario),
        nash=tuple(sorted(d for d in deals if (d[0] * d[1], sum(d)) == product)),
        maxmin=tuple(sorted(d for d in deals if (min(d), sum(d)) == worst)),
    )


def pareto_points(scenario: Scenario) -> frozenset[Points]:
    """The points (X, Y) of the Pareto-optimal deals."""
    return facts(scenario).pareto


def counts(t: Transcript, objective: Objective) -> Counts:
    """Numerator and denominator of each metric in one game."""
    (x, y), deal, f = t.points, t.agreed, facts(t.scenario)
    joint, spread = x + y, x - y if t.first == 0 else y - x
    optimal = deal and (x, y) in f.pareto
    gain, room = joint - VALUE_OF_POOL, f.max_joint - VALUE_OF_POOL
    words = [n for m in t.moves if not m.error and (n := _length(m.text)) >= 0]
    return {
        "mean_points": (joint / 2, 1),
        "mean_joint": (joint, 1),
        "mean_reward": (sum(objective.rewards(x, y)) / 2, 1),
        "agreement": (deal, 1),
        "pareto_all": (optimal, 1),
        "pareto_agreed": (optimal, deal),
        "joint_optimal": (deal and joint == f.max_joint, 1),
        "abort_rate": (t.aborted, 1),
        "error_rate": (any(m.error for m in t.moves), 1),
        "messages": (len(words), 1),
        "words": (sum(words), len(words)),
        "points_agreed": (joint / 2, deal),
        "gain_all": (gain, room),
        "gain_agreed": (deal * gain, deal * room),
        "nash_distance": (deal and _nearest((x, y), f.nash), deal),
        "maxmin_distance": (deal and _nearest((x, y), f.maxmin), deal),
        "first_mover": (deal * spread, deal),
    }


@lru_cache(maxsize=100_000)  # little English is said often
def _length(text: str) -> int:
    """The number of words of an accepted message; -1 for a proposal."""
    reading = parse(text, (99, 99, 99))
    return len(reading.text.split()) if reading.kind == "message" else -1


def _nearest(deal: Points, others: Iterable[Points]) -> float:
    return min(dist(deal, o) for o in others)
