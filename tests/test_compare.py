"""Paired comparisons count what they say, and games_needed keeps its promise."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_kit.games.deal.rules import COOP, SEMI, scenarios
from selfplay_kit.games.deal.scripted import Blind, RandomSplit, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.compare import deviation, games_needed, paired
from selfplay_kit.measure.metrics import DEAL_METRICS, METRICS, summarise

from .test_metrics import ABORT, BEST, NO_DEAL, OTHER, POOR, S, deal

UNORDERED = list({s.key(): s for s in scenarios("development")}.values())
POOL = random.Random(0).sample(UNORDERED, 150)


@pytest.fixture(scope="module")
def blind():
    return play_games(Blind(), POOL, COOP, seed=1)


@pytest.fixture(scope="module")
def teller():
    return play_games(Teller(), POOL, COOP, seed=1)


def test_by_hand():
    m = paired(
        [BEST, deal((0, 1, 0), scenario=OTHER)],
        [POOR, deal((1, 1, 1), scenario=OTHER)],
        "mean_joint",
    )
    joint = {
        s: sum(deal(a, scenario=s).points)
        for s, a in ((S, (0, 0, 1)), (OTHER, (0, 1, 0)))
    }
    other = {S: 9, OTHER: sum(deal((1, 1, 1), scenario=OTHER).points)}
    assert m["a"] == sum(joint.values()) / 2 and m["b"] == sum(other.values()) / 2
    assert m["value"] == m["a"] - m["b"] and m["n"] == 2
    gaps = [joint[s] - other[s] for s in (S, OTHER)]
    assert (m["low"], m["high"]) == (min(gaps), max(gaps)), "two scenarios, two ends"
    assert m["deviation"] == pytest.approx(np.std(gaps, ddof=1))


@pytest.mark.parametrize("metric", [*METRICS, *DEAL_METRICS])
def test_every_metric_and_its_two_values(metric, blind, teller):
    m = paired(teller, blind, metric)
    assert m["a"] == summarise(teller)[metric]["value"]
    assert m["b"] == summarise(blind)[metric]["value"]
    assert m["low"] <= m["value"] <= m["high"]
    back = paired(blind, teller, metric)
    assert back["value"] == -m["value"] and back["low"] == pytest.approx(-m["high"])


def test_a_set_against_itself_differs_by_nothing_at_all(blind):
    shuffled = random.Random(3).sample(blind, len(blind))
    m = paired(blind, shuffled, "mean_joint")
    assert m["value"] == m["low"] == m["high"] == m["deviation"] == 0


def test_pairing_is_sharper_than_two_intervals(blind, teller):
    """A tenth of a point between players shows; the scenarios differ by points."""
    m = paired(teller, blind, "mean_joint")
    assert m["low"] > 0
    alone = [deviation(games, "mean_joint") for games in (teller, blind)]
    assert m["deviation"] < 0.8 * (alone[0] ** 2 + alone[1] ** 2) ** 0.5


def test_deviation_is_the_standard_deviation_of_a_mean(blind):
    joint = [sum(t.points) for t in blind]
    assert deviation(blind, "mean_joint") == pytest.approx(np.std(joint, ddof=1))
    rare = play_games(RandomSplit(0.5), POOL, SEMI, seed=0)
    m = summarise(rare)["points_agreed"]
    width = 2 * 1.96 * deviation(rare, "points_agreed") / len(POOL) ** 0.5
    assert m["high"] - m["low"] == pytest.approx(width, rel=0.2), "the delta method"


def test_other_scenarios_are_an_error(blind):
    other = play_games(Blind(), scenarios("development")[:150], COOP, seed=1)
    with pytest.raises(ValueError, match="same scenarios"):
        paired(blind, other)
    with pytest.raises(ValueError, match=r"1 games of the first \(150\)"):
        paired(blind, blind[:-1])


def test_a_scenario_and_its_mirror_are_the_same():
    a, b = [deal((1, 0, 1))], [deal((2, 1, 0), scenario=S.mirrored())]
    m = paired(a, b, "mean_joint")
    assert (m["value"], m["n"], m["low"], m["deviation"]) == (0, 1, None, None)


def test_nothing_to_count_is_none():
    m = paired([NO_DEAL], [ABORT], "points_agreed")
    assert m["value"] is None and m["n"] == 0 and m["a"] is None
    with pytest.raises(ValueError, match="something to count"):
        deviation([NO_DEAL, deal((3, 1, 1), scenario=S)], "points_agreed")


def test_unknown_metrics_and_mixed_objectives_are_errors(blind):
    with pytest.raises(ValueError, match=r"no metric called 'joy'.*mean_points"):
        paired(blind, blind, "joy")
    mixed = [deal((1, 0, 1), objective=o) for o in (SEMI, COOP)]
    with pytest.raises(ValueError, match="mix objectives"):
        paired(mixed, mixed, "mean_reward")
    assert paired(mixed, mixed, "mean_reward", objective=SEMI)["value"] == 0


@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_so_many_games_have_the_power_that_was_asked_for(sets, power):
    """4,000 studies of the size it names: the share that finds the difference."""
    rng = np.random.default_rng(0)
    n = games_needed(0.6, 2.5, sets=sets, power=power)
    a = rng.normal(0.6, 2.5, (4000, n))
    b = rng.normal(0, 2.5, (4000, n)) if sets == 2 else np.zeros((4000, n))
    gap = a.mean(1) - b.mean(1)
    error = ((a.var(1, ddof=1) + b.var(1, ddof=1)) / n) ** 0.5
    assert np.mean(gap / error > 1.96) == pytest.approx(power, abs=0.025)


@given(st.floats(0.01, 5), st.floats(0.01, 5))
@settings(max_examples=30)
def test_a_smaller_difference_needs_more(difference, spread):
    n = games_needed(difference, spread)
    assert n >= 1 and games_needed(-difference, spread) == n
    assert games_needed(difference / 2, spread) >= n
    assert games_needed(difference, spread, sets=1) <= n


@pytest.mark.parametrize(
    "wrong", [(0, 1, {}), (1, -1, {}), (1, 1, {"sets": 3}), (1, 1, {"power": 1})]
)
def test_what_cannot_be_needed(wrong):
    difference, spread, how = wrong
    with pytest.raises(ValueError, match="games_needed wants"):
        games_needed(difference, spread, **how)
