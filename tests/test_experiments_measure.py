"""What is counted in a round, and the exact references, against first principles."""

import random
from collections import Counter
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from experiments.measure import COUNTED, entropy, measure, rarefied, references
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import SEMI, STRICT, Objective, Scenario, scenarios
from selfplay_kit.learn.rounds import Config

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
HELLO = "[message] i take 1 book 0 hats 1 ball ."


def game(*moves, objective=SEMI):
    state = Game(S, objective)
    for move in moves:
        state = state.submit(move)
    return state.transcript()


def deal(mine, objective=SEMI, hello=HELLO):
    return game(hello, propose(S.complement(mine)), propose(mine), objective=objective)


def quarrel(objective=SEMI):
    return game(HELLO, propose(S.counts), propose(S.counts), objective=objective)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.integers(1, 8))
def test_rarefied_is_the_mean_over_every_sample(things, size):
    if size > len(things):
        assert rarefied(things, size) is None
    else:
        every = [len(set(chosen)) for chosen in combinations(things, size)]
        assert rarefied(things, size) == pytest.approx(fmean(every))


@given(st.lists(st.integers(0, 4), min_size=1))
def test_entropy_lies_between_none_and_all_different(things):
    bits = entropy(things)
    assert 0 <= bits <= entropy(range(len(set(things)))) + 1e-9
    assert (bits == 0) == (len(set(things)) == 1)


def test_a_round_is_counted():
    games = [deal((3, 1, 1)), deal((0, 0, 1)), quarrel(), quarrel()]
    found = measure(games, Config(), 0)
    assert tuple(found) == COUNTED
    assert found["deals"] == 2
    assert found["gap"] == fmean([10, abs(4 - 10)])
    assert found["rational"] == 1.0  # no deal is worth 0, and no points are below
    assert found["message_entropy"] == 0.0  # one form, whatever the counts
    # the mean of (10, 0, 4, 10, 0, 0, 0, 0) is 3: three views are above it
    assert (found["kept"], found["kept_share"]) == (3, 3 / 8)
    assert found["margin"] == pytest.approx(8 - 3)
    assert found["distinct_messages"] is None and found["distinct_deals"] is None


def test_who_proposes_first_says_yes_to_what_was_asked():
    # seat 0 asks for (1, 0, 1), worth 5 to it; seat 1 proposes first
    asked = [deal((1, 0, 1)), deal((3, 1, 1)), quarrel()]
    found = measure(asked, Config(filter="everything"), 0)
    assert found["yes_asked"] == 0.5  # the other deal leaves everything
    assert found["yes_gap"] == fmean([8 - 5, 0 - 10])
    assert found["yes_kept"] == 0.5
    winners = measure(asked, Config(filter="above_mean"), 0)
    assert winners["kept"] == 3 and winners["yes_kept"] == pytest.approx(1 / 3)


def test_counts_of_items_make_no_new_form_and_other_words_do():
    one, two = (f"[message] i take {n} books 0 hats 1 ball ." for n in (1, 2))
    same = measure([deal((0, 0, 1), hello=h) for h in (one, two)], Config(), 0)
    other = [deal((0, 0, 1), hello=h) for h in (one, "[message] hello .")]
    assert same["message_entropy"] == 0.0
    assert measure(other, Config(), 0)["message_entropy"] == 1.0


def test_a_losing_side_makes_a_deal_irrational_where_it_is_paid_for_losing():
    lost = deal((3, 1, 1), objective=STRICT)
    assert measure([lost], Config(lam=-1.0), 0)["rational"] == 0.0


def test_nothing_agreed_leaves_the_means_of_deals_open():
    found = measure([quarrel()] * 3, Config(), 0)
    assert found["deals"] == found["kept"] == 0
    assert found["gap"] is None and found["margin"] is None


def test_the_kept_views_are_those_that_the_next_round_learns_from():
    games = [deal((3, 1, 1)), *[quarrel()] * 5]
    config = Config(filter="top_quarter", seed=3)
    found = measure(games, config, 4)
    assert found["kept"] == 3 and found == measure(games, config, 4)


@pytest.mark.parametrize("lam", [-1.0, -0.5, 0.0, 0.75, 1.0])
def test_references_are_the_games_arithmetic(lam):
    found, goal = references(lam, "development"), Objective(lam)
    pool = random.Random(0).sample(scenarios("development"), 40)
    assert found["random"]["mean_points"] == pytest.approx(5)
    for name, r in found.items():
        assert r["mean_reward"] == pytest.approx((1 + lam) * r["mean_points"]), name
        assert r["mean_joint"] <= found["utilitarian"]["mean_joint"] + 1e-9
    assert found["nash"]["rational"] == 1.0
    assert (found["nash"]["agreement"] == 1.0) == (lam >= 0)
    if lam == -1:
        assert found["nash"]["gap"] == 0 and found["nash"]["mean_reward"] == 0
    counted = Counter(
        min(goal.rewards(s.points(0, a), s.points(1, b))) >= 0
        for s in pool
        for a, b in s.allocations()
    )
    assert (counted[False] == 0) == (found["random"]["rational"] == 1.0)


def test_at_lambda_one_the_nash_deal_is_the_utilitarian_one():
    assert references(1.0)["nash"] == references(1.0)["utilitarian"]


def test_of_the_last_round_of_a_run_by_chance_nothing_is_drawn():
    games = [deal((3, 1, 1)), deal((0, 0, 1)), quarrel(), quarrel()]
    config = Config(filter="drawn", draw=(2, 3), rounds=2)
    assert [measure(games, config, n)["kept"] for n in (0, 1)] == [2, 3]
    last = measure(games, config, 2)
    assert tuple(last) == COUNTED and last["deals"] == 2
    assert last["kept"] is last["kept_share"] is last["margin"] is None
    assert last["yes_kept"] is None
