"""Hypothesis strategies: scenarios, shares, objectives, outputs, whole games.

One file for all tests. A game is driven by random outputs of a random mixture:
mostly valid ones (so that games end in deals), some of each kind of error, some
plain noise.
"""

from hypothesis import strategies as st

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import MESSAGE, PROPOSE, Move, propose
from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, Objective, all_scenarios


def scenarios():
    """Any legal scenario."""
    return st.sampled_from(all_scenarios())


def objectives():
    """The three named ones and everything between."""
    between = st.floats(-1, 1, allow_nan=False).map(Objective)
    return st.sampled_from([SEMI, COOP, STRICT]) | between


def shares(counts):
    """Any share of a pool."""
    return st.tuples(*(st.integers(0, n) for n in counts))


# Free text, with the signs that could mislead a parser, a JSON line or a table.
TEXT = st.text(max_size=40) | st.lists(
    st.sampled_from(
        "[message] [propose] [END] ( ) , . -1 0 1 2 99 0.5 1/2 ½ ² ٣ − book books "
        "hats ball balls and <script> <end> <me> \n \r \u2028 \x85 \t 'quoted'".split(
            " "
        )
    ),
    max_size=9,
).map(" ".join)

WORDS = st.text(st.characters(exclude_characters="[]", codec="utf-8"), max_size=30)


def messages():
    """Valid messages of any words."""
    return WORDS.map(lambda words: f"{MESSAGE} {words}")


def proposals(counts):
    """Valid proposals, in some of the forms that are allowed."""
    texts = shares(counts).map(propose)
    tails = st.sampled_from(["", " [END]", "\nand a second line", "  "])
    return st.builds(lambda text, tail: text + tail, texts, tails)


def invalid(counts):
    """Outputs that are wrong at any point of any game."""
    a, b, c = counts
    return st.sampled_from(
        [
            "",
            "hello",
            f"{MESSAGE} one {MESSAGE} two",
            f"{PROPOSE} (1 book)",
            f"{PROPOSE} (0 hats, 0 books, 0 balls)",
            f"{PROPOSE} (some books, 0 hats, 0 balls)",
            f"{PROPOSE} ({a + 1} books, {b} hats, {c} balls)",
            f"{PROPOSE} (-1 books, {b} hats, {c} balls)",
        ]
    )


def outputs(counts):
    """What a player may say: mostly something valid."""
    return st.one_of(
        messages(), proposals(counts), proposals(counts), invalid(counts), TEXT
    )


def moves(counts):
    """An output with or without the tokens of a language model."""
    tokens = st.none() | st.lists(st.integers(0, 999), max_size=5).map(tuple)
    return st.builds(Move, outputs(counts), tokens)


@st.composite
def games(draw, *, over=True, max_moves=40):
    """A game driven by random outputs; with ``over``, one that has ended."""
    scenario = draw(scenarios())
    game = Game(scenario, draw(objectives()), draw(st.integers(0, 1)))
    for move in draw(st.lists(moves(scenario.counts), max_size=max_moves)):
        if game.over:
            break
        game = game.submit(move)
    while over and not game.over:  # end it as the rules allow
        if game.accepted == 0:
            game = game.submit(draw(messages()))
        game = game.submit(draw(proposals(scenario.counts)))
    return game


def transcripts():
    """The record of a whole game."""
    names = st.tuples(st.text(max_size=9), st.text(max_size=9))
    seeds = st.none() | st.integers() | st.text(max_size=9)
    return st.builds(lambda g, n, s: g.transcript(n, s), games(), names, seeds)
