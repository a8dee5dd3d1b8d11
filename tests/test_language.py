"""Words are counted alike however many there are."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.deal.scripted import Fair
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.language import (
    DEALS,
    LANGUAGE,
    deal_form,
    language,
    rarefied,
    spoken,
    words,
)
from selfplay_kit.measure.metrics import summarise

from . import strategies
from .test_metrics import ABORT, BEST, NO_DEAL, OPTIMAL, STUMBLE, deal


def expected_distinct(things, size):
    """Hurlbert (1971): the expectation over draws without replacement, exact."""
    n = len(things)
    ways = math.comb(n, size)
    return sum(1 - math.comb(n - k, size) / ways for k in Counter(things).values())


@given(st.lists(st.integers(0, 12), min_size=30, max_size=90), st.integers(1, 30))
@settings(max_examples=40)
def test_draws_find_the_exact_expectation(things, size):
    found = rarefied(things, size, draws=400)
    assert found["n"] == len(things)
    assert found["value"] == pytest.approx(expected_distinct(things, size), abs=0.6)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_a_draw_of_everything_is_everything(things):
    n = len(things)
    assert rarefied(things, n)["value"] == len(set(things))
    shares = [k / n for k in Counter(things).values()]
    bits = sum(p * math.log2(1 / p) for p in shares)
    assert rarefied(things, n, of="entropy")["value"] == pytest.approx(bits)


def test_more_of_the_same_words_is_no_larger_vocabulary():
    """What rarefying is for: the plain count grows with the text."""
    rng = random.Random(0)
    text = [int(rng.paretovariate(0.8)) for _ in range(20_000)]
    few, many = text[:2000], text
    assert len(set(many)) > 2 * len(set(few))
    a, b = (rarefied(t, 500)["value"] for t in (few, many))
    assert a == pytest.approx(b, rel=0.1)


def test_too_few_have_no_number_but_a_reason():
    found = rarefied("abc", 4)
    assert found == {"value": None, "n": 3, "why": "there are 3, too few to draw 4"}
    assert rarefied([], 1)["value"] is None
    few = language([BEST, NO_DEAL])
    assert all(few[name]["value"] is None and few[name]["why"] for name in LANGUAGE)
    assert few["distinct_deals"]["n"] == 1


@pytest.mark.parametrize("wrong", [{"of": "length"}, {"size": 0}])
def test_what_cannot_be_rarefied(wrong):
    with pytest.raises(ValueError, match="rarefied counts"):
        rarefied("abc", **({"size": 2} | wrong))


def test_the_seed_decides():
    things = [i % 17 for i in range(200)]
    one, again, other = (rarefied(things, 20, seed=s)["value"] for s in (1, 1, 2))
    assert one == again != other


def test_words():
    assert words("") == []
    assert words("Ok, I'd take 2 books =3!") == ["ok", "i'd", "take", "2", "books", "3"]


def test_forms_of_deals():
    assert deal_form(NO_DEAL) is None and deal_form(ABORT) is None
    assert deal_form(BEST) == (0, 0, 2), "of 3 books, a hat and a ball: the ball"
    assert deal_form(OPTIMAL) == (1, 0, 2)
    assert deal_form(deal((3, 1, 1))) == (2, 2, 2)


def test_what_is_spoken_is_the_accepted_messages():
    assert spoken(STUMBLE) == [(0, "one two"), (1, "three")]
    assert spoken(ABORT) == [(0, "a b c")]


@given(strategies.transcripts())
def test_spoken_agrees_with_the_metrics(t):
    found = summarise([t], SEMI)
    assert len(spoken(t)) == found["messages"]["value"]
    total = sum(len(text.split()) for _, text in spoken(t))
    w = found["words"]
    assert total == pytest.approx((w["value"] or 0) * w["n"])


def test_a_real_set():
    games = play_games(Fair(0.3), scenarios("development")[:200], SEMI, seed=1)
    found = language(games)
    assert set(found) == {*LANGUAGE, "moves"}
    assert 20 < found["vocabulary"]["value"] < 70
    assert found["entropy_1"]["value"] < math.log2(found["vocabulary"]["value"])
    assert found["entropy_1"]["value"] < found["entropy_2"]["value"]
    assert 2 < found["distinct_deals"]["value"] <= min(27, DEALS)
    m = found["moves"]
    assert m["low"] < m["value"] < m["high"] and m["n"] == 200
    moves = [sum(not x.error for x in t.moves) for t in games]
    assert m["value"] == sum(moves) / len(moves)
    with pytest.raises(ValueError, match="empty"):
        language([])
