"""The small English: what is said is heard, and nothing is guessed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal import phrasebook as book
from selfplay_kit.games.deal.phrasebook import Heard, hear

from . import strategies

SEEDS = st.integers(0, 10_000).map(random.Random)


@st.composite
def pool_and_share(draw):
    counts = draw(strategies.scenarios()).counts
    return counts, draw(strategies.shares(counts))


@given(pool_and_share(), SEEDS, st.sampled_from([*book.REFUSALS, ""]))
def test_an_offer_is_heard_as_it_was_meant(given, rng, refusal):
    counts, share = given
    heard = hear(f"{refusal} {book.say_offer(share, counts, rng)}")
    rest = tuple(n - k for n, k in zip(counts, share, strict=True))
    assert (heard.mine, heard.yours) in {(share, None), (None, rest)}
    assert not heard.accepts and heard.values is None


@pytest.mark.parametrize("phrase", book.OFFERS_MINE)
@given(share=pool_and_share().map(lambda x: x[1]))
def test_every_phrase_for_oneself(phrase, share):
    said = phrase.format(s=book.split_words(share))
    assert hear(said) == Heard(mine=share)


@pytest.mark.parametrize("phrase", book.OFFERS_YOURS)
@given(share=pool_and_share().map(lambda x: x[1]))
def test_every_phrase_for_the_other(phrase, share):
    said = phrase.format(s=book.split_words(share))
    assert hear(said) == Heard(yours=share)


@pytest.mark.parametrize("phrase", book.ACCEPTS)
@given(share=pool_and_share().map(lambda x: x[1]))
def test_every_phrase_that_accepts(phrase, share):
    said = phrase.format(s=book.split_words(share))
    assert hear(said) == Heard(mine=share, accepts=True)


@given(strategies.scenarios(), st.integers(0, 1))
def test_values_are_heard_as_stated(s, seat):
    assert hear(book.say_values(s.values[seat])) == Heard(values=s.values[seat])


def test_both_kinds_of_offer_are_said():
    rng = random.Random(0)
    heard = [hear(book.say_offer((1, 0, 2), (3, 1, 2), rng)) for _ in range(400)]
    mine = sum(h.mine == (1, 0, 2) for h in heard)
    yours = sum(h.yours == (2, 1, 0) for h in heard)
    assert mine + yours == 400 and 60 < yours < 140


@pytest.mark.parametrize("text", book.REFUSALS + book.GREETINGS + book.QUESTIONS)
def test_small_talk_says_nothing(text):
    assert hear(text) == Heard()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deal",
        "i take 2 books 1 hat",
        "2 books 1 hat 0 balls or 1 book 1 hat 0 balls ?",
        "i take the books",
        "i take -1 books 1 hat 0 balls",
        "i take 0.5 books 1 hat 0 balls",
        "books = 3 , hats = 1",
    ],
)
def test_what_can_not_be_read_is_left_out(text):
    assert hear(text) == Heard()


def test_how_people_write_it():
    assert hear("I'd like 2 books, 1 hat and 0 balls, please").mine == (2, 1, 0)
    assert hear("you get 2 books, 1 hat, and 0 balls").yours == (2, 1, 0)


@given(strategies.TEXT)
def test_hearing_never_raises(text):
    hear(text)
    hear(f"{text} 2 books 1 hat 0 balls {text}")


def test_huge_numbers_are_no_trouble():
    hear(f"{'9' * 50_000} books {'9' * 50_000} hats {'9' * 50_000} balls")
    hear("9" * 50_000)
