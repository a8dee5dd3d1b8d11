"""What a set of transcripts says, each number with its interval.

Everything is counted on points (X, Y) and whether there was a deal, never on
rewards of mixed objectives. Pareto shares are given over all games (as Liao et
al. 2024 do) and over agreed ones (as Lewis et al. 2017 do). Intervals are 95 %
percentile bootstraps that resample *scenarios*, so that several games of one
scenario count as one draw; between seeds of training they say nothing
(:func:`seed_interval` does). Two sets on the same scenarios are compared in
``compare``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import dist
from typing import TYPE_CHECKING, Any

from ..games.deal.game import Transcript
from ..games.deal.protocol import parse
from ..games.deal.rules import VALUE_OF_POOL, Objective, Scenario, max_joint, pareto

if TYPE_CHECKING:
    import numpy as np

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


# Shares of a whole, by the names that numbers have here, in ``consistency``, ``talk``
# and in the recorded files: no interval of theirs may leave 0 to 1.
SHARES = frozenset(
    "agreement pareto_all pareto_agreed joint_optimal abort_rate error_rate "
    "inconsistent claiming false_values false_counts false_agreement "
    "stated by_opener by_other true numbers_true "
    "rational yes_kept yes_asked kept_share".split()
) | {
    "as said",
    "partner's",
    "other",
    "false",
    "new",
    "false acceptance",
    "sealed falsely",
    "above honest bound",
}
SHARE, SIGNED = (0.0, 1.0), (-1.0, 1.0)  # bounds: of shares; of their differences

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
Counts = Mapping[str, tuple[float, float]]  # numerator and denominator, by name


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


def _counts(t: Transcript, objective: Objective) -> Counts:
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


def summarise(
    transcripts: Iterable[Transcript],
    objective: Objective | None = None,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """:data:`METRICS`, then :data:`DEAL_METRICS`: ``value``, ``low``, ``high``, ``n``.

    Points are a player's (``mean_points``, both seats pooled) or the pair's
    (``mean_joint``); rates are shares of all games (``pareto_agreed``: of agreed
    ones); ``messages`` are per game, ``words`` per message. Of agreed games:
    ``points_agreed``, a player's; ``nash_distance`` and ``maxmin_distance``, from
    (X, Y) to the nearest such deal (:class:`Facts`), a straight line in points;
    ``first_mover``, the points of who spoke first less the other's. ``gain_agreed``
    is 0 where deals are worth what a random full split is (5 a player) and 1 at the
    optimum: sums of (X + Y - 10) over sums of (best X + Y - 10); ``gain_all`` is
    over all games, no deal being 0 points, and so mostly below 0 where few agree.

    ``n`` is how many games (messages, for ``words``) a number is over; over none, it
    is ``None``. ``objective`` defaults to the games' own; mixed ones raise
    ``ValueError``.
    """
    games = list(transcripts)
    _, top, bottom = by_scenario(games, objective)
    names = (*METRICS, *DEAL_METRICS)
    found = dict(zip(names, intervals(top, bottom, seed=seed), strict=True))
    for name, over in (("gain_all", "agreement"), ("gain_agreed", "points_agreed")):
        if found[name]["value"] is not None:
            found[name]["n"] = found[over]["n"]
    return found


def by_scenario(
    games: Sequence[Transcript], objective: Objective | None = None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The keys of the unordered scenarios of ``games``, in order of appearance, and
    each metric's numerators and denominators summed over the games of each: two
    arrays (metrics x scenarios). Raises as :func:`summarise` does."""
    if not games:
        raise ValueError("no transcripts to summarise: the set is empty")
    goal = objective or the_objective(games)
    keys = [facts(t.scenario).key for t in games]
    return _summed(keys, [_counts(t, goal) for t in games])


def _summed(
    keys: Sequence[str], counts: Sequence[Counts]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The different ``keys``; numerators and denominators summed over each."""
    import numpy as np

    place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    rows = np.array([list(c.values()) for c in counts], float)
    sums = np.zeros((len(place), *rows.shape[1:]))
    np.add.at(sums, [place[key] for key in keys], rows)
    return list(place), sums[..., 0].T, sums[..., 1].T


def over_scenarios(
    scenarios: Iterable[Scenario], counts: Sequence[Counts], *, seed: int
) -> dict[str, dict[str, Any]]:
    """Numbers counted in games of ``scenarios``, ``counts`` of one game each: by name
    the sum of numerators over that of denominators, with the 95 % bootstrap interval
    over unordered scenarios, as :func:`intervals` gives it."""
    _, top, bottom = _summed([s.key() for s in scenarios], counts)
    return dict(zip(counts[0], intervals(top, bottom, seed=seed), strict=True))


def mean_interval(
    scenarios: Iterable[Scenario], values: Iterable[float], *, seed: int
) -> dict[str, Any]:
    """The mean of ``values``, one for each game of ``scenarios``, with the interval
    of :func:`over_scenarios`."""
    counts = [{"mean": (value, 1)} for value in values]
    return over_scenarios(scenarios, counts, seed=seed)["mean"]


def ratio_interval(top: Sequence, bottom: Sequence, *, seed: int) -> dict[str, Any]:
    """sum(top) / sum(bottom) with the 95 % bootstrap interval over their pairs."""
    import numpy as np

    return intervals(np.array([top], float), np.array([bottom], float), seed=seed)[0]


def draws(count: int, seed: int) -> np.ndarray:
    """How often each of ``count`` things is drawn in each of the resamples."""
    import numpy as np

    at = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    flat = (at + count * np.arange(RESAMPLES)[:, None]).ravel()
    return np.bincount(flat, minlength=at.size).reshape(at.shape).astype(float)


def intervals(
    tops: np.ndarray, bottoms: np.ndarray, *, seed: int
) -> list[dict[str, Any]]:
    """A ratio of sums and its interval for each row, all with the same resamples; one
    without any denominator is left out."""
    import numpy as np

    many = tops.shape[1] > 1
    often = draws(tops.shape[1], seed) if many else np.ones((1, 1))
    above, below = often @ tops.T, often @ bottoms.T
    found = []
    for m, (a, b) in enumerate(zip(tops, bottoms, strict=True)):
        n, low, high = float(b.sum()), None, None
        if n and many:
            there = below[:, m] > 0
            drawn = above[there, m] / below[there, m]
            low, high = (float(q) for q in np.percentile(drawn, (2.5, 97.5)))
        value = float(a.sum() / n) if n else None
        found.append({"value": value, "low": low, "high": high, "n": int(n)})
    return found


def bounds_of(name: str) -> tuple[float, float] | None:
    """What the metric called ``name`` can't leave: 0 to 1 for :data:`SHARES`."""
    return SHARE if name in SHARES else None


def seed_interval(
    values: Sequence[float],
    *,
    bounds: tuple[float, float] | None = None,
    games: int | None = None,
    fresh: bool = False,
) -> dict[str, Any]:
    """Mean over training seeds with its 95 % t interval; one seed has none.

    ``bounds`` (:data:`SHARE`, or :data:`SIGNED` for correlations and differences of
    shares) keep the interval inside, see :func:`t_interval`, which ``games`` is for.
    ``fresh`` gives the interval for the value of one more seed, not for the mean.
    ``ValueError`` for no values, one that is not finite, or one outside ``bounds``.
    """
    import numpy as np
    from scipy import stats

    low, high = bounds or (-np.inf, np.inf)
    odd = [x for x in values if not (np.isfinite(x) and low - 1e-9 <= x <= high + 1e-9)]
    if odd or not len(values):
        within = f" from {low:g} to {high:g}" if bounds else ""
        raise ValueError(
            f"an interval over seeds needs a finite number{within} of each seed; got "
            f"{', '.join(map(str, odd)) or 'no seed'}"
        )
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return {"value": mean, "low": None, "high": None, "n": n}
    error = float(stats.sem(values)) * ((n + 1) ** 0.5 if fresh else 1)
    return t_interval(mean, error, n, bounds=bounds, games=games)


def t_interval(
    mean: float,
    error: float,
    n: int,
    *,
    bounds: tuple[float, float] | None = None,
    games: int | None = None,
) -> dict[str, Any]:
    """The 95 % t interval of a mean of ``n`` values with this standard ``error``.

    Between ``bounds`` it is taken on the logit scale, as Stata's ``proportion`` and
    ``svyciprop`` of R's ``survey`` do: logit(p) ± t error / (p (1 - p)), p being where
    the mean lies between the bounds. It holds the mean and never leaves the bounds. A
    share that is 0 (or 1) in every seed has no spread: with ``games``, how many there
    were in all, its other end is the exact binomial one (Clopper and Pearson),
    without them the interval has no width.

    >>> ends = t_interval(0.95, 0.03, 5, bounds=SHARE)
    >>> round(ends["low"], 2), round(ends["high"], 2)
    (0.77, 0.99)
    """
    from math import exp, log

    from scipy import stats

    found = {"value": mean, "low": mean, "high": mean, "n": n}
    width = error * float(stats.t.ppf(0.975, n - 1))
    if bounds is None:
        return found | {"low": mean - width, "high": mean + width}
    low, high = bounds
    p = (mean - low) / (high - low)
    if not 0 < p < 1:
        if games and bounds == SHARE:
            ends = stats.binomtest(round(mean) * games, games).proportion_ci(0.95)
            found |= {"low": float(ends.low), "high": float(ends.high)}
        return found
    middle, width = log(p / (1 - p)), width / (high - low) / (p * (1 - p))

    def back(x: float) -> float:
        x = max(-700.0, min(700.0, x))  # exp overflows beyond
        return low + (high - low) / (1 + exp(-x))

    return found | {"low": back(middle - width), "high": back(middle + width)}


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
