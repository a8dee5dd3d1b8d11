"""False claims are found where they are, in messages and in whole games."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import COOP, SEMI, Scenario, scenarios
from selfplay_kit.games.deal.scripted import Blind, Fair, Liar, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.claims import exact, free
from selfplay_kit.measure.consistency import (
    INCONSISTENCY,
    false_claims,
    inconsistency,
    judged,
)

from . import strategies

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))


def played(*texts, first=0):
    game = Game(S, SEMI, first)
    for text in texts:
        game = game.submit(text)
    return game.transcript()


def wrong(t, read=exact):
    return [found for *_, found in judged(t, read)]


def test_each_kind_in_a_game():
    t = played(
        "[message] for me books =1 hats =3 balls =3 .",  # the ball is worth 4
        "[message] can i have 2 books 1 hat 0 balls ?",
        "[message] deal , i take 2 books 0 hats 1 ball .",  # 1 book is left
        "[message] i take 4 books 0 hats 0 balls .",  # of 3
        propose((1, 0, 1)),
        propose((2, 1, 0)),
    )
    assert wrong(t) == [{"values"}, set(), {"agreement"}, {"counts"}]
    m = inconsistency([t])
    assert {k: (v["value"], v["n"]) for k, v in m.items()} == {
        "inconsistent": (3 / 4, 4),
        "claiming": (1, 4),
        "false_values": (1, 1),
        "false_counts": (1 / 3, 3),
        "false_agreement": (1, 1),
    }


def test_to_accept_one_thing_and_propose_another():
    said = (
        "[message] can i have 2 books 1 hat 0 balls ?",
        "[message] deal , i take 1 book 0 hats 1 ball .",
    )
    kept = played(*said, propose((2, 1, 0)), propose((1, 0, 1)))
    broken = played(*said, propose((2, 1, 0)), propose((3, 0, 1)))
    assert wrong(kept) == [set(), set()]
    assert wrong(broken) == [set(), {"agreement"}]
    # where more was said before the proposal, a mind may have changed
    later = played(
        *said,
        "[message] no . i take 0 books 1 hat 0 balls .",
        propose((3, 0, 1)),
        propose((0, 1, 0)),
    )
    assert wrong(later) == [set(), set(), set()]


def test_failed_tries_claim_nothing():
    t = played(
        "[message] hi", "i take 9 books 0 hats 0 balls .", propose((1, 0, 0)),
        propose((2, 1, 1)),
    )  # fmt: skip
    assert wrong(t) == [set()]
    assert inconsistency([t])["claiming"]["value"] == 0
    none = {"value": None, "low": None, "high": None, "n": 0}
    assert inconsistency([t])["false_values"] == none


def test_honest_scripts_are_consistent_and_liars_are_not():
    pool = random.Random(5).sample(scenarios("development"), 60)
    for who in (Teller(), Blind(), Fair()):
        found = inconsistency(play_games(who, pool, COOP, seed=1))
        assert found["inconsistent"]["value"] == 0, who.name
        assert found["claiming"]["value"] > 0.5
    lies = inconsistency(play_games(Liar(), pool, COOP, seed=1))
    assert lies["false_values"]["value"] > 0.8
    assert lies["false_counts"]["value"] == lies["false_agreement"]["value"] == 0
    clumsy = inconsistency(play_games(Fair(0.8), pool, COOP, seed=1))
    assert clumsy["false_agreement"]["value"] > 0.5


@given(strategies.transcripts())
def test_any_game_can_be_judged(t):
    for read in (exact, free):
        found = judged(t, read)
        assert all(seat in (0, 1) for seat, *_ in found)
        m = inconsistency([t], read)
        assert tuple(m) == INCONSISTENCY
        assert m["inconsistent"]["n"] == m["claiming"]["n"] == len(found)
        for k in ("false_values", "false_counts", "false_agreement"):
            assert m[k]["n"] <= len(found)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_values_are_false_unless_all_three_are_right(a, b, c):
    said = exact(f"for me books ={a} hats ={b} balls ={c} .", S.counts)
    found = false_claims(said, S.counts, S.values[0])
    assert found == (set() if (a, b, c) == (1, 3, 4) else {"values"})


def test_what_is_worth_most():
    for text, best in (
        ("The ball is my favourite", True),
        ("The hat is my favourite", False),
    ):
        found = false_claims(free(text, S.counts), S.counts, S.values[0])
        assert found == (set() if best else {"values"})


def test_the_other_side_s_values_are_not_judged():
    t = played("[message] for me books =2 hats =4 balls =0 .", *["?"] * 5)
    assert wrong(t) == [{"values"}], "they are the partner's, not the speaker's"
    seat1 = replace(t, moves=tuple(replace(m, seat=1) for m in t.moves), first=1)
    assert wrong(seat1) == [set()]


def test_no_games_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        inconsistency([])
