"""Filters: which views are imitated. A new one is a function of its own, by name.

A filter gets all views of a round, a ``random.Random`` and what each view was paid, and
returns those that it keeps. What views are paid comes from a *reward*
(:data:`REWARDS`): by default the rules' own, exact.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from inspect import signature
from typing import Any

from ..registry import Registry
from .cloning import View, by_scenario

Rewards = Sequence[Any] | None  # a number for each view; None: the rules' own
Filter = Callable[..., list[View]]  # of views, a random.Random and rewards=


def _is_filter(thing: Any) -> None:
    if not callable(thing) or not {"rewards"} <= set(signature(thing).parameters):
        raise ValueError(
            "a filter is a function of (views, rng, *, rewards=None) that returns the "
            f"views it keeps; got {thing!r}"
        )


def _is_reward(thing: Any) -> None:
    if not callable(thing) or len(signature(thing).parameters) != 1:
        raise ValueError(
            f"a reward is a function of the views that returns a number for each; got "
            f"{thing!r}"
        )


FILTERS = Registry("filter", _is_filter)
REWARDS = Registry("reward", _is_reward)


def _filter(function: Filter) -> Filter:
    return FILTERS.register(function.__name__, function)


def _rewards(all_views: Sequence[View]) -> list[Fraction]:
    """What the rules pay each view, without rounding."""
    return [v.exact for v in all_views]


REWARDS.register("game", _rewards)


def paid(all_views: Sequence[View], rewards: Rewards) -> list[Any]:
    """A finite number for each view: ``rewards``, or what the rules pay."""
    found = _rewards(all_views) if rewards is None else list(rewards)
    if len(found) != len(all_views):
        raise ValueError(f"{len(found)} rewards for {len(all_views)} views")
    for x in found:
        if not isinstance(x, int | float | Fraction) or x - x != 0:
            raise ValueError(f"a reward is a finite number; got {x!r}")
    return [x if isinstance(x, Fraction) else Fraction(x) for x in found]


def rewards_of(name: str, all_views: Sequence[View]) -> Rewards:
    """What the reward ``name`` pays each view; ``None`` for the rules' own.
    ``ValueError`` where it is not a finite number for each."""
    return None if name == "game" else paid(all_views, REWARDS[name](all_views))


@_filter
def above_mean(
    all_views: Sequence[View], rng: random.Random, *, rewards: Rewards = None
) -> list[View]:
    """The paper's filter: reward strictly above the mean of all 2K views.

    Under strict competition the mean is always 0, and both sides of an agreed
    game with X = Y are kept as well (paper, section 4).
    """
    each = paid(all_views, rewards)
    mean = _mean(each)
    pairs = zip(all_views, each, strict=True)
    return [v for v, x in pairs if x > mean or (rewards is None and _strict_tie(v))]


@_filter
def nonzero(
    all_views: Sequence[View], rng: random.Random, *, rewards: Rewards = None
) -> list[View]:
    """Views with a reward above 0."""
    each = paid(all_views, rewards)
    return [v for v, x in zip(all_views, each, strict=True) if x > 0]


@_filter
def top_quarter(
    all_views: Sequence[View], rng: random.Random, *, rewards: Rewards = None
) -> list[View]:
    """The quarter of the views with the highest rewards, ties broken by chance."""
    reward = dict(zip(map(id, all_views), paid(all_views, rewards), strict=True))
    shuffled = rng.sample(list(all_views), len(all_views))
    best = sorted(shuffled, key=lambda v: reward[id(v)], reverse=True)
    return best[: len(all_views) // 4]


@_filter
def everything(
    all_views: Sequence[View], rng: random.Random, *, rewards: Rewards = None
) -> list[View]:
    """All views."""
    return list(all_views)


@_filter
def drawn(
    all_views: Sequence[View],
    rng: random.Random,
    count: int = 0,
    *,
    rewards: Rewards = None,
) -> list[View]:
    """``count`` views, drawn by chance: the control without a filter. It matches a
    filtered run when it draws, round by round, as many views as that run kept
    (``Config.draw``). Views without an accepted move of their own, in which there is
    nothing to learn, are not drawn. ``ValueError`` where there are fewer."""
    spoke = [v for v in all_views if v.spoke]
    if not 0 < count <= len(spoke):
        raise ValueError(
            f"the filter 'drawn' is to draw {count} of {len(spoke)} views: give "
            "Config.draw a number from 1 to that for each round (rounds.kept_counts "
            "reads those of another run)"
        )
    return rng.sample(spoke, count)


@_filter
def above_scenario_mean(
    all_views: Sequence[View], rng: random.Random, *, rewards: Rewards = None
) -> list[View]:
    """Reward strictly above the mean of the same scenario, objective and seat.

    With several games per scenario this asks what was done better with the same
    luck. With one game per scenario it compares nothing but scenarios that were
    drawn twice by coincidence, so ``Config`` refuses that.
    """
    reward = dict(zip(map(id, all_views), paid(all_views, rewards), strict=True))
    kept = []
    for group in by_scenario(all_views):
        mean = _mean([reward[id(v)] for v in group])
        kept += [v for v in group if reward[id(v)] > mean]
    return kept


@_filter
def either_above_mean(
    all_views: Sequence[View], rng: random.Random, *, rewards: Rewards = None
) -> list[View]:
    """Both sides of every game that has a side above the mean of all views: the
    winners of :func:`above_mean`, and whoever they won from."""
    winners = {id(v.transcript) for v in above_mean(all_views, rng, rewards=rewards)}
    return [v for v in all_views if id(v.transcript) in winners]


WITHIN = ("above_scenario_mean",)  # filters that need several games per scenario


def _mean(some: Sequence[Fraction]) -> Fraction:
    return sum(some, Fraction()) / max(1, len(some))


def _strict_tie(v: View) -> bool:
    t = v.transcript
    return t.objective.lam == -1 and t.settled and t.points[0] == t.points[1]
