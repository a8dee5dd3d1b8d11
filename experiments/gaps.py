"""How much of the gain of self-play survives a partner of another seed.

Each seed's mean over the others shares games with theirs, so these means are not
independent: the intervals are jackknives that leave out a seed and all its games.
Left out: the error of the base, which is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from selfplay_kit.measure.metrics import SHARE, SIGNED, bounds_of, t_interval

from .said import seeded


def gaps(
    grid: Sequence[Sequence[float]], base: float, metric: str = ""
) -> dict[str, Any]:
    """``self``, ``cross``, ``lost`` and ``kept`` of ``transfer`` from what each seed
    has with each of ``metric``, and ``by seed``."""

    def both(i: int, j: int) -> float:
        return (grid[i][j] + grid[j][i]) / 2

    def cross(seeds: Sequence[int]) -> float:
        return fmean(both(i, j) for i in seeds for j in seeds if i != j)

    def own(seeds: Sequence[int]) -> float:
        return fmean(grid[i][i] for i in seeds)

    def lost(seeds: Sequence[int]) -> float:
        return own(seeds) - cross(seeds)

    def kept(seeds: Sequence[int]) -> float:
        return (cross(seeds) - base) / (own(seeds) - base)

    count, every = len(grid), range(len(grid))
    found: dict[str, Any] = {}
    if count > 1:
        made = {"cross": cross, "lost": lost}
        if own(every) > base:
            made["kept"] = kept
        ends = {"cross": SHARE, "lost": SIGNED} if bounds_of(metric) else {}
        found = {n: jackknife(count, f, ends.get(n)) for n, f in made.items()}
        each = [fmean(both(i, j) for j in every if j != i) for i in every]
        found["by seed"] = {
            "cross": each,
            "lost": [grid[i][i] - each[i] for i in every],
            "kept": [
                (each[i] - base) / (grid[i][i] - base) if grid[i][i] > base else None
                for i in every
            ],
        }
    return {"self": seeded([grid[i][i] for i in every], metric)} | found


def jackknife(
    count: int,
    f: Callable[[Sequence[int]], float],
    bounds: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """``f(seeds)`` of all ``count`` seeds, with the 95 % t interval of the jackknife:
    each seed is left out once. ``values`` are the pseudo-values. Where two seeds
    leave one, there is no interval."""
    from scipy.stats import sem

    value = f(range(count))
    if count < 3:
        return {"value": value, "low": None, "high": None, "n": count}
    without = [f([s for s in range(count) if s != i]) for i in range(count)]
    pseudo = [count * value - (count - 1) * x for x in without]
    found = t_interval(value, float(sem(pseudo)), count, bounds=bounds)
    return found | {"values": pseudo}
