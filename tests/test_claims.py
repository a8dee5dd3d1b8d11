"""Readers of messages: the kit's own English exactly, free English as labelled."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal import phrasebook as say
from selfplay_kit.games.deal.rules import all_scenarios
from selfplay_kit.measure.claims import Claims, exact, free

from . import strategies

POOL = (3, 1, 2)


@given(st.sampled_from(all_scenarios()), st.data(), st.integers(0, 10**6))
def test_exact_reads_back_all_that_the_scripts_say(s, data, seed):
    rng = random.Random(seed)
    share = data.draw(strategies.shares(s.counts))
    rest = s.complement(share)
    offer = exact(say.say_offer(share, s.counts, rng), s.counts)
    assert tuple(offer.share(s.counts).values()) == share
    assert tuple(offer.share(s.counts, listener=True).values()) == rest
    assert not (offer.values or offer.accepts)
    taken = exact(say.say_accept(share, rng), s.counts)
    assert taken.accepts and tuple(taken.mine.values()) == share
    stated = exact(say.say_values(s.values[0]), s.counts)
    assert tuple(stated.values.values()) == s.values[0] and not stated.mine


@given(st.sampled_from(all_scenarios()), st.data(), st.integers(0, 10**6))
def test_free_reads_the_scripts_offers_and_values_too(s, data, seed):
    """The approximation is right at least where the exact reader is."""
    rng = random.Random(seed)
    share = data.draw(strategies.shares(s.counts))
    offer = free(say.say_offer(share, s.counts, rng), s.counts)
    assert offer.share(s.counts) == dict(enumerate(share))
    stated = free(say.say_values(s.values[0]), s.counts)
    assert stated.values == dict(enumerate(s.values[0]))


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            "i you 2 all the of books hat balls for me , . worth rest 3 deal".split()
        ),
        max_size=14,
    ).map(" ".join)
)
def test_nothing_that_is_said_breaks_a_reader(text):
    for read in (exact, free):
        said = read(text, POOL)
        for part in (said.values, said.mine, said.yours, said.pool):
            assert set(part) <= {0, 1, 2} and all(n >= 0 for n in part.values())
        for listener in (False, True):
            assert set(said.share(POOL, listener=listener)) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "mine", "yours"),
    [
        ("I'd like two books and the hat.", {0: 2, 1: 1}, {}),
        ("You can have the books, I take both balls", {2: 2}, {0: 3}),
        ("2 books for me and a ball for you", {0: 2}, {2: 1}),
        ("give me a ball", {2: 1}, {}),
        ("I can let you have all the books", {}, {0: 3}),
        ("I can't give you the hat", {}, {}),
        ("no hats please", {}, {}),
        ("what do you think?", {}, {}),
        ("I'll give you the hat for the books", {0: 3}, {1: 1}),
        ("I need both the hat and a book", {1: 1, 0: 1}, {}),
        ("ok , take the hat , ill take the books", {0: 3}, {1: 1}),
        ("either the hat or a ball for me", {}, {}),
    ],
)
def test_who_is_to_get_what(text, mine, yours):
    said = free(text, POOL)
    assert (said.mine, said.yours) == (mine, yours)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("books are worth 2 to me, hats 4", {0: 2, 1: 4}),
        ("each ball is worth zero to me", {2: 0}),
        ("books =" + "9" * 5000, {0: 999999}),
        ("the hat is worthless", {1: 0}),
        ("I don't care about the balls", {2: 0}),
        ("are the books worth 3 to you?", {}),
        ("I take books, 2 of them", {}),
        ("I want 3 books 1 hat", {}),
        ("ball 2 books 2 hats 0", {0: 2, 1: 0, 2: 2}),
        ("I want the hats two", {}),
        ("that only gives me 3 points", {}),
    ],
)
def test_own_values(text, values):
    assert free(text, POOL).values == values


@pytest.mark.parametrize(
    ("text", "accepts"),
    [
        ("Deal!", True),
        ("ok, sounds good", True),
        ("I agree to that.", True),
        ("no deal", False),
        ("Sure, but I need the hat.", False),
        ("that works?", False),
        ("We have a deal if you give me the hat", False),
    ],
)
def test_acceptance(text, accepts):
    assert free(text, POOL).accepts == accepts


def test_what_an_offer_leaves_and_what_it_leaves_open():
    offer = Claims(mine={0: 2})
    assert offer.share(POOL) == {0: 2}, "nothing is said of hats and balls"
    assert offer.share(POOL, listener=True) == {0: 1}
    both = Claims(mine={0: 2}, yours={1: 1})
    assert both.share(POOL) == {0: 2, 1: 0}
    assert both.share(POOL, listener=True) == {0: 1, 1: 1}
    rest = Claims(mine={0: 2}, rest_yours=True)
    assert rest.share(POOL) == {0: 2, 1: 0, 2: 0}
    assert rest.share(POOL, listener=True) == {0: 1, 1: 1, 2: 2}
    assert Claims(rest_mine=True).share(POOL) == {}, "the rest of what?"
