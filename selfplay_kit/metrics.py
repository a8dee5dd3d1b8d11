"""What a set of transcripts says, each number with its interval.

Everything is counted on points (X, Y) and whether there was a deal, never on
rewards of mixed objectives. Pareto shares are given over all games (as Liao et
al. 2024 do) and over agreed ones (as Lewis et al. 2017 do). Intervals are 95 %
percentile bootstraps that resample *scenarios*, so that several games of one
scenario count as one draw; between seeds of training they say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from .game import Transcript
from .protocol import parse
from .rules import Objective, Scenario, max_joint, pareto

RESAMPLES = 1000
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


@cache
def pareto_points(scenario: Scenario) -> frozenset[tuple[int, int]]:
    """The points (X, Y) of the Pareto-optimal deals."""
    return frozenset(
        (scenario.points(0, a), scenario.points(1, b)) for a, b in pareto(scenario)
    )


def _counts(t: Transcript, objective: Objective) -> dict[str, tuple[float, float]]:
    """Numerator and denominator of each metric in one game."""
    x, y = t.points
    optimal = t.agreed and t.points in pareto_points(t.scenario)
    words = [
        len(r.text.split())
        for m in t.moves
        if not m.error and (r := parse(m.text, t.scenario.counts)).kind == "message"
    ]
    return {
        "mean_points": ((x + y) / 2, 1),
        "mean_joint": (x + y, 1),
        "mean_reward": (sum(objective.rewards(x, y)) / 2, 1),
        "agreement": (t.agreed, 1),
        "pareto_all": (optimal, 1),
        "pareto_agreed": (optimal, t.agreed),
        "joint_optimal": (t.agreed and x + y == max_joint(t.scenario), 1),
        "abort_rate": (t.aborted, 1),
        "error_rate": (any(m.error for m in t.moves), 1),
        "messages": (len(words), 1),
        "words": (sum(words), len(words)),
    }


def summarise(
    transcripts: Iterable[Transcript],
    objective: Objective | None = None,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Every metric of :data:`METRICS`: ``value``, ``low``, ``high`` and ``n``.

    Points are a player's (``mean_points``, both seats pooled) or the pair's
    (``mean_joint``); rates are shares of all games (``pareto_agreed``: of agreed
    ones); ``messages`` are per game, ``words`` per message. ``n`` is how many
    games (messages, for ``words``) a number is over; over none, it is ``None``.
    ``objective`` defaults to the games' own; mixed ones raise ``ValueError``.
    """
    import numpy as np

    games = list(transcripts)
    if not games:
        raise ValueError("no transcripts to summarise: the set is empty")
    objective = objective or the_objective(games)
    place = {key: i for i, key in enumerate({t.scenario.key(): 0 for t in games})}
    top = np.zeros((len(METRICS), len(place)))
    bottom = np.zeros_like(top)
    for t in games:
        at = place[t.scenario.key()]
        for m, (a, b) in enumerate(_counts(t, objective).values()):
            top[m, at] += a
            bottom[m, at] += b
    return {
        name: ratio_interval(top[m], bottom[m], seed=seed)
        for m, name in enumerate(METRICS)
    }


def ratio_interval(top: Sequence, bottom: Sequence, *, seed: int) -> dict[str, Any]:
    """sum(top) / sum(bottom) with the 95 % bootstrap interval over their pairs."""
    import numpy as np

    a, b = np.asarray(top, float), np.asarray(bottom, float)
    n = float(b.sum())
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0}
    value = float(a.sum() / n)
    low = high = None
    if len(a) > 1:
        rng = np.random.default_rng(seed)
        at = rng.integers(len(a), size=(RESAMPLES, len(a)))
        above, below = a[at].sum(1), b[at].sum(1)
        drawn = above[below > 0] / below[below > 0]
        low, high = (float(q) for q in np.percentile(drawn, (2.5, 97.5)))
    return {"value": value, "low": low, "high": high, "n": int(n)}


def seed_interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean over training seeds with the 95 % t interval; one seed has none."""
    import numpy as np
    from scipy import stats

    mean = float(np.mean(values))
    if len(values) < 2:
        return {"value": mean, "low": None, "high": None, "n": len(values)}
    error = float(stats.sem(values)) * float(stats.t.ppf(0.975, len(values) - 1))
    return {
        "value": mean,
        "low": mean - error,
        "high": mean + error,
        "n": len(values),
    }


def the_objective(games: Sequence[Transcript]) -> Objective:
    """The one objective of ``games``; ``ValueError`` if they have several."""
    found = {t.objective for t in games}
    if len(found) != 1:
        names = ", ".join(sorted(o.name for o in found))
        raise ValueError(
            f"these transcripts mix objectives ({names}): their rewards are not of one "
            "kind. Summarise each objective by itself, or pass the one to score by."
        )
    return found.pop()
