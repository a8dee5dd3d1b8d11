"""Metrics on games small enough to count by hand, and their intervals."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import (
    COOP,
    SEMI,
    STRICT,
    Objective,
    Scenario,
    all_scenarios,
    maxmin_deal,
    nash_deal,
    scenarios,
)
from selfplay_kit.games.deal.scripted import Fair
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import (
    DEAL_METRICS,
    METRICS,
    RESAMPLES,
    SHARE,
    SIGNED,
    facts,
    pareto_points,
    ratio_interval,
    seed_interval,
    summarise,
    the_objective,
)

from . import strategies

# deals: (4, 10) (5, 8) (7, 6) (8, 4) (9, 2) (10, 0) are Pareto-optimal, best joint 14
S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
OTHER = Scenario((2, 2, 2), ((0, 3, 2), (1, 2, 2)))


def game(*texts, scenario=S, objective=SEMI, first=0):
    state = Game(scenario, objective, first)
    for text in texts:
        state = state.submit(text)
    return state.transcript()


def deal(share, *said, **how):
    """Seat 0 asks for ``share``, seat 1 for the rest, after what was said."""
    scenario = how.get("scenario", S)
    said = said or ("[message] one two", "[message] three")
    return game(*said, propose(share), propose(scenario.complement(share)), **how)


BEST = deal((0, 0, 1))  # (4, 10)
OPTIMAL = deal((1, 0, 1))  # (5, 8): on the frontier, joint 13
POOR = deal((0, 1, 0))  # (3, 6): dominated by (7, 6)
NO_DEAL = game("[message] hi", propose((3, 1, 1)), propose((3, 1, 1)))
ABORT = game("[message] a b c", *["?"] * 5)
STUMBLE = deal((1, 0, 1), "oops", "[message] one two", "[message] three")


def value(name, *games, **how):
    return summarise(games, **how)[name]["value"]


def test_every_metric_of_a_small_set_by_hand():
    """Deals (4, 10), (5, 8), (3, 6), (5, 8); no deal; an abort."""
    found = summarise([BEST, OPTIMAL, POOR, NO_DEAL, ABORT, STUMBLE])
    assert list(found) == [*METRICS, *DEAL_METRICS]
    assert {name: (found[name]["value"], found[name]["n"]) for name in METRICS} == {
        "mean_points": (49 / 12, 6),
        "mean_joint": (49 / 6, 6),
        "mean_reward": (49 / 12, 6),
        "agreement": (4 / 6, 6),
        "pareto_all": (3 / 6, 6),
        "pareto_agreed": (3 / 4, 4),
        "joint_optimal": (1 / 6, 6),
        "abort_rate": (1 / 6, 6),
        "error_rate": (2 / 6, 6),
        "messages": (10 / 6, 6),
        "words": ((4 * 3 + 1 + 3) / 10, 10),
    }


def test_what_the_deals_are_like_by_hand():
    """Nash and max-min are (7, 6), the optimum 14: (4, 10), (5, 8), (3, 6), (5, 8)."""
    found = summarise([BEST, OPTIMAL, POOR, NO_DEAL, ABORT, STUMBLE])
    far = (5 + 2 * 8**0.5 + 4) / 4
    assert {n: (found[n]["value"], found[n]["n"]) for n in DEAL_METRICS} == {
        "points_agreed": (49 / 8, 4),
        "gain_all": ((4 + 3 - 1 - 10 - 10 + 3) / 24, 6),
        "gain_agreed": ((4 + 3 - 1 + 3) / 16, 4),
        "nash_distance": (pytest.approx(far), 4),
        "maxmin_distance": (pytest.approx(far), 4),
        "first_mover": ((-6 - 3 - 3 - 3) / 4, 4),
    }


def test_gain_is_0_for_random_full_splits_and_1_at_the_optimum():
    """Over all splits of a pool the mean is 5 a player, exactly."""
    for s in (S, OTHER):
        every = [deal(a, scenario=s) for a, _ in s.allocations()]
        assert value("gain_all", *every) == value("gain_agreed", *every) == 0
    assert value("gain_all", BEST) == value("gain_agreed", BEST) == 1
    assert value("gain_all", NO_DEAL) == -10 / 4
    alike = Scenario((2, 2, 1), ((1, 2, 4), (1, 2, 4)))  # nothing to gain by talking
    found = summarise([deal((1, 1, 0), scenario=alike)])
    assert found["gain_all"] == {"value": None, "low": None, "high": None, "n": 0}


def test_who_moved_first_is_known_from_the_transcript():
    assert value("first_mover", OPTIMAL) == 5 - 8
    other = game(
        "[message] hi", propose((1, 0, 1)), propose((2, 1, 0)), first=1
    )  # the same deal, but seat 1 spoke first
    assert other.points == (5, 8) and value("first_mover", other) == 8 - 5


@given(strategies.scenarios())
def test_facts_agree_with_the_rules(s):
    f = facts(s)
    for points, pair in ((f.nash, nash_deal(s)), (f.maxmin, maxmin_deal(s))):
        assert (s.points(0, pair[0]), s.points(1, pair[1])) in points
        assert set(points) <= f.pareto
    other = facts(s.mirrored())
    assert other.key == f.key
    assert {(y, x) for x, y in other.nash} == set(f.nash)


@given(strategies.transcripts())
def test_mirrored_seats_change_no_metric(t):
    """Nothing depends on which seat is called 0, first_mover neither."""
    from dataclasses import replace

    moves = tuple(replace(m, seat=1 - m.seat) for m in t.moves)
    x, y = t.points
    mirror = replace(
        t, scenario=t.scenario.mirrored(), moves=moves, points=(y, x), first=1 - t.first
    )
    assert summarise([t]) == summarise([mirror])


def test_golden_means_of_the_reference_deals():
    """The averages over all scenarios that the rules' Nash deals have: distance 0."""
    some = all_scenarios()[::50]
    nash = [deal(nash_deal(s)[0], scenario=s) for s in some]
    fair = [deal(maxmin_deal(s)[0], scenario=s) for s in some]
    assert value("nash_distance", *nash) == value("maxmin_distance", *fair) == 0
    assert value("maxmin_distance", *nash) > 0 and value("nash_distance", *fair) > 0


def test_pareto_over_all_games_and_over_agreed_ones():
    assert value("pareto_all", BEST, NO_DEAL) == 0.5
    assert value("pareto_agreed", BEST, NO_DEAL) == 1
    assert value("pareto_all", POOR) == value("pareto_agreed", POOR) == 0


def test_pareto_optimal_is_not_joint_optimal():
    assert value("pareto_all", OPTIMAL) == 1 and value("joint_optimal", OPTIMAL) == 0
    assert value("pareto_all", BEST) == 1 and value("joint_optimal", BEST) == 1


def test_no_deal_is_not_optimal_even_where_nothing_is_what_a_player_gets():
    """(10, 0) is on the frontier; (0, 0) without a deal never counts."""
    assert (10, 0) in pareto_points(S)
    assert value("pareto_all", deal((3, 1, 1))) == 1
    assert value("pareto_all", NO_DEAL, ABORT) == 0
    assert value("joint_optimal", NO_DEAL, ABORT) == 0


def test_players_are_not_mixed_up():
    """(8, 5) is (5, 8) the other way round, and is no possible deal."""
    assert (5, 8) in pareto_points(S) and (8, 5) not in pareto_points(S)
    assert pareto_points(S.mirrored()) == {(y, x) for x, y in pareto_points(S)}
    swapped = deal((2, 1, 0), scenario=S.mirrored())
    assert swapped.points == (8, 5) and value("pareto_all", swapped) == 1


def test_nothing_agreed_is_null_with_n_0():
    found = summarise([NO_DEAL, ABORT])
    none = {"value": None, "low": None, "high": None, "n": 0}
    assert found["pareto_agreed"] == none
    assert found["agreement"]["value"] == 0 and found["agreement"]["n"] == 2
    silent = summarise([game(*["?"] * 5)])
    assert silent["words"] == none and silent["messages"]["value"] == 0
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("objective", "reward"),
    [(SEMI, 6.5), (COOP, 13.0), (STRICT, 0.0), (Objective(0.5), 9.75)],
)
def test_reward_is_of_the_games_objective_points_are_not(objective, reward):
    t = deal((1, 0, 1), objective=objective)
    assert value("mean_reward", t) == reward
    assert value("mean_points", t) == 6.5 and value("mean_joint", t) == 13


def test_mixed_objectives_raise_unless_one_is_named():
    mixed = [deal((1, 0, 1), objective=o) for o in (SEMI, COOP)]
    with pytest.raises(ValueError, match="coop, semi"):
        summarise(mixed)
    assert value("mean_reward", *mixed, objective=STRICT) == 0
    assert the_objective(mixed[:1]) == SEMI


def test_nothing_to_summarise_raises():
    with pytest.raises(ValueError, match="empty"):
        summarise([])
    with pytest.raises(ValueError, match="empty"):
        summarise(iter(()))


def test_an_iterator_will_do():
    assert summarise(iter([BEST, POOR])) == summarise([BEST, POOR])


# Intervals ------------------------------------------------------------------------


@given(st.lists(strategies.transcripts(), min_size=1, max_size=8), st.integers(0, 99))
@settings(max_examples=25)
def test_values_lie_in_their_intervals_and_records_are_plain(games, seed):
    found = summarise(games, SEMI, seed=seed)
    assert found == summarise(games, SEMI, seed=seed), "a seed, an interval"
    for name, m in found.items():
        assert set(m) == {"value", "low", "high", "n"}, name
        assert type(m["n"]) is int
        if m["low"] is not None:
            assert m["low"] <= m["high"]
    json.dumps(found, allow_nan=False)


def test_intervals_of_a_real_set():
    games = play_games(Fair(0.3), scenarios("development")[:200], SEMI, seed=1)
    found = summarise(games, seed=1)
    for m in found.values():
        assert m["low"] <= m["value"] <= m["high"]
    for rate in ("agreement", "pareto_all", "pareto_agreed", "joint_optimal"):
        assert 0 <= found[rate]["low"] and found[rate]["high"] <= 1
    points = found["mean_points"]
    assert 0.1 < points["high"] - points["low"] < 1.5
    other = summarise(games, seed=2)
    assert other["mean_points"]["value"] == points["value"]
    assert other["mean_points"]["low"] != points["low"], "the seed is used"
    few = summarise(games[:20], seed=1)["mean_points"]
    assert few["high"] - few["low"] > 2 * (points["high"] - points["low"])


def test_the_bootstrap_draws_scenarios_not_games():
    """A hundred copies of two scenarios say no more than the two."""
    two = [deal((0, 0, 1)), deal((0, 1, 0), scenario=OTHER)]
    once, often = summarise(two), summarise(two * 100)
    for name in ("mean_points", "mean_joint"):
        a, b = once[name], often[name]
        assert [a[k] for k in ("value", "low", "high")] == pytest.approx(
            [b[k] for k in ("value", "low", "high")]
        )
        assert a["low"] < a["value"] < a["high"]


def test_a_scenario_and_its_mirror_are_one_draw_and_one_draw_has_no_interval():
    found = summarise([deal((1, 0, 1)), deal((2, 1, 0), scenario=S.mirrored())])
    assert found["mean_points"] == {"value": 6.5, "low": None, "high": None, "n": 2}


def test_ratio_interval():
    same = ratio_interval([1, 1, 1], [2, 2, 2], seed=0)
    assert same == {"value": 0.5, "low": 0.5, "high": 0.5, "n": 6}
    # weighted by the denominators, not a mean of ratios
    assert ratio_interval([1, 0], [1, 3], seed=0)["value"] == 0.25
    # resamples without any denominator are left out
    assert ratio_interval([1, 0], [1, 0], seed=0) == {
        "value": 1.0,
        "low": 1.0,
        "high": 1.0,
        "n": 1,
    }


def test_the_bootstrap_covers():
    """About 95 of 100 intervals hold the truth (here: at least 85 of 100)."""
    import numpy as np

    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        top = (rng.random(80) < 0.3).astype(float)
        m = ratio_interval(top, np.ones(80), seed=0)
        held += m["low"] <= 0.3 <= m["high"]
    assert 85 <= held <= 100


def test_the_bootstrap_is_scipys():
    """Four lines of numpy, held against scipy.stats.bootstrap: as both draw by
    chance, the ends agree to a tenth of the interval's width."""
    import numpy as np
    from scipy import stats

    rng = np.random.default_rng(1)
    bottom = rng.integers(1, 4, 300).astype(float)
    top = rng.binomial(bottom.astype(int), 0.3).astype(float)
    ours = ratio_interval(top, bottom, seed=0)
    theirs = stats.bootstrap(
        (top, bottom),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert 0.05 < width < 0.2
    assert ours["low"] == pytest.approx(theirs.low, abs=width / 10)
    assert ours["high"] == pytest.approx(theirs.high, abs=width / 10)


def test_seed_interval_by_hand():
    m = seed_interval([1.0, 2.0, 3.0])
    assert m["value"] == 2 and m["n"] == 3
    assert m["high"] - 2 == pytest.approx(4.3027 / 3**0.5, abs=1e-3)
    assert 2 - m["low"] == pytest.approx(m["high"] - 2)
    assert seed_interval([5.0]) == {"value": 5.0, "low": None, "high": None, "n": 1}


SHARES = st.lists(st.floats(0, 1, allow_nan=False), min_size=2, max_size=6)


@given(SHARES)
def test_an_interval_of_shares_holds_the_mean_and_stays_between_its_bounds(values):
    m = seed_interval(values, bounds=SHARE)
    assert m["value"] == pytest.approx(sum(values) / len(values))
    assert 0 <= m["low"] <= m["value"] + 1e-9 and m["value"] - 1e-9 <= m["high"] <= 1
    mirrored = seed_interval([1 - v for v in values], bounds=SHARE)
    assert mirrored["low"] == pytest.approx(1 - m["high"], abs=1e-6)
    signed = seed_interval([2 * v - 1 for v in values], bounds=SIGNED)
    assert signed["low"] == pytest.approx(2 * m["low"] - 1, abs=1e-6)
    wider = seed_interval(values, bounds=SHARE, fresh=True)
    assert wider["low"] <= m["low"] + 1e-9 and m["high"] - 1e-9 <= wider["high"]


def test_far_from_its_bounds_a_share_has_nearly_the_plain_t_interval():
    values = [0.50, 0.51, 0.52, 0.49]
    plain, m = seed_interval(values), seed_interval(values, bounds=SHARE)
    for end in ("low", "high"):
        assert m[end] == pytest.approx(plain[end], abs=1e-4)


@pytest.mark.parametrize("whole, n", [(0, 10), (1, 10), (0, 1500), (1, 1500)])
def test_what_every_seed_agrees_on_is_as_sure_as_there_are_games(whole, n):
    m = seed_interval([whole] * 3, bounds=SHARE, games=n)
    other = 1 - 0.025 ** (1 / n)  # Clopper and Pearson for 0 of n
    ends = (0, other) if whole == 0 else (1 - other, 1)
    assert (m["low"], m["high"]) == pytest.approx(ends, abs=1e-9)
    bare = seed_interval([whole] * 3, bounds=SHARE)
    assert bare["low"] == bare["high"] == whole


@pytest.mark.parametrize("games", [None, 30])
@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([], None),
        ([math.nan], None),
        ([math.nan, 1.0], SHARE),
        ([0.1, math.inf], SHARE),
        ([2.0, 2.0], SHARE),
        ([-0.5, 0.2], SHARE),
        ([-1.5, 0.2], SIGNED),
    ],
)
def test_an_interval_over_seeds_wants_numbers_that_can_be(values, bounds, games):
    with pytest.raises(ValueError, match="interval over seeds needs a finite number"):
        seed_interval(values, bounds=bounds, games=games)
