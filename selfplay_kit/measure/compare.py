"""Two sets of transcripts on the same scenarios, and how many games a statement needs.

Scenarios differ in what can be had at all, by far more than two good players do. So
two players are compared on the same scenarios, and the difference is resampled by
scenario, both sets together. Left out: differences between seeds of training, for
which no number of games is enough (``metrics.seed_interval``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from ..games.base import Objective
from .metrics import by_scenario, draws, the_kind

if TYPE_CHECKING:
    import numpy as np


def paired(
    a: Sequence[Any],
    b: Sequence[Any],
    metric: str = "mean_points",
    *,
    objective: Objective | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """``metric`` of ``a`` less that of ``b``, games of the same scenarios.

    Returns ``value``, ``low`` and ``high`` (95 % bootstrap by scenario, a scenario
    and its mirror being one), ``n`` scenarios, the two values as ``a`` and ``b``,
    and ``deviation``, for :func:`games_needed` with ``sets=1``. Where a set has
    nothing to count (no deal), all are ``None``. Raises ``ValueError`` where the
    scenarios differ, for a metric that isn't in ``metrics``, for mixed objectives.
    """
    import numpy as np

    _same_scenarios(a, b)
    (keys, top, bottom), (keys_b, *of_b) = (
        _row(games, metric, objective) for games in (a, b)
    )
    place = {key: i for i, key in enumerate(keys_b)}
    order = [place[key] for key in keys]
    top_b, bottom_b = (rows[order] for rows in of_b)
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    if not (bottom.sum() and bottom_b.sum()):
        return nothing | {"a": None, "b": None, "deviation": None}
    values = [float(top.sum() / bottom.sum()), float(top_b.sum() / bottom_b.sum())]
    found: dict[str, Any] = {"value": values[0] - values[1], "low": None, "high": None}
    found |= {"n": len(keys), "a": values[0], "b": values[1], "deviation": None}
    if len(keys) > 1:
        often = draws(len(keys), seed)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = (often @ top) / (often @ bottom)
            drawn -= (often @ top_b) / (often @ bottom_b)
        drawn = drawn[np.isfinite(drawn)]
        found["low"], found["high"] = map(float, np.percentile(drawn, (2.5, 97.5)))
        gaps = _pulls(top, bottom) - _pulls(top_b, bottom_b)
        found["deviation"] = float(gaps.std(ddof=1))
    return found


def deviation(
    games: Sequence[Any], metric: str, objective: Objective | None = None
) -> float:
    """The standard deviation of ``metric`` over scenarios, in its own unit, such that
    its standard error is this over the root of the number of scenarios (the delta
    method, as most metrics are ratios). ``ValueError`` for fewer than two scenarios,
    or where there is nothing to count."""
    keys, top, bottom = _row(games, metric, objective)
    if len(keys) < 2 or not bottom.sum():
        raise ValueError(
            f"the deviation of {metric} needs two scenarios and something to count; "
            f"got {len(keys)} scenarios and {bottom.sum():g} counted"
        )
    return float(_pulls(top, bottom).std(ddof=1))


def games_needed(
    difference: float, deviation: float, *, sets: int = 2, power: float = 0.8
) -> int:
    """How many games, each of another scenario, show ``difference``.

    With so many (in each of two sets played on scenarios of their own; with
    ``sets=1`` in a paired comparison, or against a fixed number) a two-sided test at
    5 % finds a true difference of that size in a share ``power`` of all studies: the
    normal approximation, n = sets x ((1.960 + z_power) x deviation / difference)^2.
    ``deviation`` is :func:`deviation`'s or that of :func:`paired`.

    >>> games_needed(0.5, 3.0), games_needed(0.5, 3.0, sets=1)
    (566, 283)
    """
    from scipy.stats import norm

    if not difference or deviation < 0 or sets not in (1, 2) or not 0.05 < power < 1:
        raise ValueError(
            "games_needed wants a difference that isn't 0, a deviation of 0 or more, "
            f"1 or 2 sets and a power between 0.05 and 1; got {difference!r}, "
            f"{deviation!r}, {sets!r} and {power!r}"
        )
    z = float(norm.ppf(0.975) + norm.ppf(power))
    return max(1, ceil(sets * (z * deviation / difference) ** 2))


def _row(
    games: Sequence[Any], metric: str, objective: Objective | None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    names = tuple(the_kind(games).metrics)
    if metric not in names:
        raise ValueError(f"no metric called {metric!r}; there are {', '.join(names)}")
    keys, tops, bottoms = by_scenario(list(games), objective)
    at = names.index(metric)
    return keys, tops[at], bottoms[at]


def _pulls(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """How far each scenario pulls the ratio from its value, in the ratio's unit."""
    return (top - top.sum() / bottom.sum() * bottom) / bottom.mean()


def _same_scenarios(a: Sequence[Any], b: Sequence[Any]) -> None:
    ours, theirs = (Counter(t.task.key() for t in games) for games in (a, b))
    if ours != theirs:
        raise ValueError(
            "a paired comparison needs the same scenarios as often in both sets: "
            f"{sum((ours - theirs).values())} games of the first ({len(a)}) and "
            f"{sum((theirs - ours).values())} of the second ({len(b)}) have no "
            "counterpart. Play both on the same list of scenarios."
        )
