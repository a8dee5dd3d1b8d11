"""What a set of transcripts says, each number with its interval.

Each game says what is counted in it (``games.deal.metrics``, for instance); here
counts become numbers. Intervals are 95 % percentile bootstraps that resample *tasks*
(scenarios), so that several games of one scenario count as one draw; between seeds of
training they say nothing (:func:`seed_interval` does). Two sets on the same scenarios
are compared in ``compare``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..games.base import KINDS, Counts, Objective
from ..games.deal.metrics import DEAL_METRICS as DEAL_METRICS
from ..games.deal.metrics import METRICS as METRICS
from ..games.deal.metrics import Facts as Facts
from ..games.deal.metrics import facts as facts
from ..games.deal.metrics import pareto_points as pareto_points

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1000
# Shares of a whole, by the names that numbers have here, in ``consistency``, ``talk``
# and in the recorded files: no interval of theirs may leave 0 to 1.
SHARES = frozenset(
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


def summarise(
    transcripts: Iterable[Any],
    objective: Objective | None = None,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """The metrics of the games' kind: ``value``, ``low``, ``high`` and ``n`` of each.

    What is counted is said by the game (of Deal or No Deal in ``games.deal.metrics``).
    ``n`` is how many games (messages, for ``words``) a number is over; over none, it
    is ``None``. ``objective`` defaults to the games' own; mixed ones raise
    ``ValueError``, and so do transcripts of several games.
    """
    games = list(transcripts)
    _, top, bottom = by_scenario(games, objective)
    kind = the_kind(games)
    names = kind.metrics
    found = dict(zip(names, intervals(top, bottom, seed=seed), strict=True))
    for name, over in getattr(kind, "counted_like", {}).items():
        if found[name]["value"] is not None:
            found[name]["n"] = found[over]["n"]
    return found


def by_scenario(
    games: Sequence[Any], objective: Objective | None = None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The keys of the unordered scenarios of ``games``, in order of appearance, and
    each metric's numerators and denominators summed over the games of each: two
    arrays (metrics x scenarios). Raises as :func:`summarise` does."""
    if not games:
        raise ValueError("no transcripts to summarise: the set is empty")
    goal, kind = objective or the_objective(games), the_kind(games)
    counted = [kind.counts(t, goal) for t in games]
    rows = [{name: c[name] for name in kind.metrics} for c in counted]
    return _summed([t.task.key() for t in games], rows)


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
    scenarios: Iterable[Any], counts: Sequence[Counts], *, seed: int
) -> dict[str, dict[str, Any]]:
    """Numbers counted in games of ``scenarios``, ``counts`` of one game each: by name
    the sum of numerators over that of denominators, with the 95 % bootstrap interval
    over unordered scenarios, as :func:`intervals` gives it."""
    _, top, bottom = _summed([s.key() for s in scenarios], counts)
    return dict(zip(counts[0], intervals(top, bottom, seed=seed), strict=True))


def mean_interval(
    scenarios: Iterable[Any], values: Iterable[float], *, seed: int
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
    """What the metric called ``name`` can't leave: 0 to 1 for a share of a game's
    metrics or of :data:`SHARES`."""
    shares = SHARES.union(*(kind.shares for kind in KINDS.values()))
    return SHARE if name in shares else None


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


def the_objective(games: Sequence[Any]) -> Objective:
    """The one objective of ``games``; ``ValueError`` if they have several."""
    found = {t.objective for t in games}
    if len(found) != 1:
        names = ", ".join(sorted(o.name for o in found))
        raise ValueError(
            f"these transcripts mix objectives ({names}): their rewards are not of one "
            "kind. Summarise each objective by itself, or pass the one to score by."
        )
    return found.pop()


def the_kind(games: Sequence[Any]) -> Any:
    """The one kind of ``games``; ``ValueError`` if they have several."""
    names = sorted({t.kind for t in games})
    if len(names) != 1:
        raise ValueError(
            f"these transcripts are of several games ({', '.join(names)}): summarise "
            "each by itself"
        )
    return KINDS[names[0]]
