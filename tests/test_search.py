"""Exact search: it equals brute force, its lines play out, no player beats it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.phrasebook import hear, split_words
from selfplay_kit.games.deal.protocol import MESSAGE, Move, propose
from selfplay_kit.games.deal.rules import SEMI, Scenario, scenarios
from selfplay_kit.games.deal.scripted import (
    NEGOTIATORS,
    Greedy,
    Stubborn,
    View,
    best_share,
)
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.search import search, search_games

from .strategies import scenarios as any_scenario

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
SMALL = [s for s in scenarios("test") if len(s.allocations()) <= 16]
names = st.sampled_from(sorted(NEGOTIATORS))


class Follower:
    """Says the moves of one line, then nothing valid."""

    name = "follower"

    def __init__(self, line):
        self.line = line

    def sit(self, games, *, seed):
        return self

    def reply(self, positions):
        said = sum(x.by == "mine" for x in positions[0].lines)
        return [Move(self.line[said] if said < len(self.line) else "") for _ in "1"]

    def close(self):
        pass


class Hasty(Greedy):
    """Greedy that proposes its demand at its second turn: a game that can be
    enumerated whole."""

    start, floor, step = 10, 6, 3

    def act(self, position, rng):
        if not position.must_propose and sum(x.by == "mine" for x in position.lines):
            return propose(best_share(View(position), self.floor))
        return super().act(position, rng)


def brute(script, scenario, first, seed):
    """Every line of play with honest offers, acceptances, values and silence, without
    memory and without short cuts."""
    table = script.sit(1, seed=seed)

    def answer(g):
        while not g.over and g.turn == 1:
            g = g.submit(table.reply([g.position()])[0])
        return g

    def best(g):
        if g.over:
            return g.points[0]
        found = [0]
        if g.accepted:
            tries = (propose(mine) for mine, _ in scenario.allocations())
            found += [best(answer(g.submit(text))) for text in tries]
        if g.proposals:
            return max(found)
        heard = View(g.position(0)).offered
        says = ["hello !"]
        says += [f"i take {split_words(a)} ." for a, _ in scenario.allocations()]
        if heard is not None:
            says.append(f"deal , i take {split_words(heard)} .")
        told = "for me books ={} hats ={} balls ={} .".format(*scenario.values[0])
        says += [f"{told} {x}" for x in says]
        found += [best(answer(g.submit(f"{MESSAGE} {x}"))) for x in says]
        return max(found)

    return best(answer(Game(scenario, SEMI, first=first)))


@pytest.mark.parametrize("first", [0, 1])
def test_search_is_brute_force_without_the_work(first):
    small = random.Random(1).sample(SMALL, 2)
    for i, s in enumerate(small):
        assert search(Hasty(), s, first=first, seed=i).points == brute(
            Hasty(), s, first, i
        )


@settings(max_examples=15)
@given(any_scenario(), names, st.integers(0, 1), st.integers(0, 9), st.booleans())
def test_the_line_that_is_found_plays_out(scenario, name, first, seed, honest):
    script = NEGOTIATORS[name]()
    dice = f"{seed}/0/1"  # what play_games gives to seat 1 of its first batch
    found = search(script, scenario, first=first, seed=dice, honest=honest)
    if not found.points:
        return
    players = (Follower(found.line), script)
    (game,) = play_games(players, [scenario], SEMI, seed=seed, firsts=[first])
    assert game.agreed and game.points[0] == found.points


def test_no_player_beats_the_search():
    some = random.Random(2).sample(SMALL, 3)
    firsts = [0, 1, 0]
    for script in ("greedy", "stubborn", "teller"):
        bound = search_games(NEGOTIATORS[script](), some, seed=3, firsts=firsts)
        for player in NEGOTIATORS.values():
            pair = (player(), NEGOTIATORS[script](name="other"))
            games = play_games(pair, some, SEMI, seed=3, firsts=firsts)
            for t, b in zip(games, bound, strict=True):
                assert t.points[0] <= b.points


def test_the_dice_are_those_of_the_games_in_any_batch():
    some, firsts = SMALL[:4], [0, 1, 1, 0]
    found = search_games(Stubborn(), some, seed=5, firsts=firsts, batch=3)
    for start, stop in ((0, 3), (3, 4)):
        for i in range(start, stop):
            dice = f"5/{start}/1"
            alone = search(
                Stubborn(), some[i], first=firsts[i], seed=dice, game=i - start
            )
            assert alone == found[i]


def test_what_stubborn_leaves_is_all_an_honest_player_gets():
    # Stubborn asks for the share of 9 points or more that takes least; by the way
    # it speaks (never a greeting with these dice) nothing else is ever on the table.
    found = search(Stubborn(), S, first=0, seed=0)
    table = Stubborn().sit(1, seed=0)
    g = Game(S, SEMI).submit(f"{MESSAGE} hello !")
    demand = hear(table.reply([g.position()])[0].text)
    left = S.complement(demand.mine) if demand.mine else demand.yours
    assert found.points == S.points(0, left)


def test_a_false_acceptance_takes_everything_from_every_script():
    for kind in NEGOTIATORS.values():
        found = search(kind(), S, first=0, seed=1, honest=False)
        assert found.points == 10


def test_honesty_never_pays_more():
    for kind in NEGOTIATORS.values():
        honest, free = (
            search(kind(), SMALL[0], first=1, seed=1, honest=h) for h in (1, 0)
        )
        assert 0 <= honest.points <= free.points <= 10


def test_a_clumsy_script_is_searched_with_its_dice():
    a = search(Greedy(noise=0.5), S, first=0, seed=1)
    assert a == search(Greedy(noise=0.5), S, first=0, seed=1)
    assert len({search(Greedy(0.9), S, first=0, seed=x).points for x in range(6)}) > 1
