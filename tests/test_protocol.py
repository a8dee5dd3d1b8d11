"""The protocol: what is a move, what is an error, what a seat may read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal import rules
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import (
    ERRORS,
    LONG,
    SHORT,
    STYLES,
    Line,
    Position,
    parse,
    propose,
    share_text,
)
from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, Objective, Scenario

from . import strategies

POOL = (3, 1, 2)


def error(text, **state):
    return parse(text, POOL, **state).error


# Valid moves --------------------------------------------------------------------


def test_a_message_keeps_its_words():
    read = parse("[message] I take  2 books,\nok? ", POOL)
    assert (read.kind, read.text) == ("message", "I take  2 books,\nok?")
    assert read.share is None and read.error is None


@pytest.mark.parametrize(
    "text",
    [
        "[propose] (2 books, 0 hats, 1 ball)",
        "[propose] (2 books, 0 hats, 1 balls)",
        "[propose] 2 books, 0 hats, and 1 ball",
        "[propose] (2 books, 0 hats, 1 ball) [END]",
        "[propose] (2 books, 0 hats, 1 ball)[END]\n",
        "[propose] (2 books, 0 hats, 1 ball)\nThank you! [propose] (3 books",
        "[propose] (2 books, 0 hats, 1 ball) [END]\n[END] more",
        "  [Propose]  2 BOOKS 0 Hats 1 Ball",
        "[ propose ] ( 2 books , 0 hats , 1 ball )",
        "[propose] (+2 books, 0 hats, 01 ball)",
    ],
)
def test_forms_of_one_proposal(text):
    read = parse(text, POOL)
    assert read.error is None and read.share == (2, 0, 1)


@pytest.mark.parametrize("n", [1, 2])
def test_one_book_and_one_books(n):
    for item in ("book", "books"):
        share = parse(f"[propose] ({n} {item}, 1 hat, 0 balls)", POOL).share
        assert share == (n, 1, 0)


def test_a_trailing_end_is_cut_and_no_other():
    assert parse("[message] bye [END]", POOL).text == "bye"
    assert parse("[message] bye [END] now", POOL).text == "bye [END] now"


def test_a_proposal_is_cut_after_its_first_line_and_a_message_is_not():
    assert parse("[propose] (1 book, 1 hat, 1 ball)\n[message] hi", POOL).share
    assert error("[message] hi\n[propose] (1 book, 1 hat, 1 ball)") == "second_prefix"


# The seven errors ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "state", "kind"),
    [
        ("", {}, "no_prefix"),
        ("  \n", {}, "no_prefix"),
        ("[END]", {}, "no_prefix"),
        ("hello", {}, "no_prefix"),
        ("message] hello", {}, "no_prefix"),
        ("[offer] 1 book", {}, "no_prefix"),
        ("Sure! [message] hello", {}, "no_prefix"),
        ("[ABORT]", {}, "no_prefix"),
        ("[message] hi [message] again", {}, "second_prefix"),
        ("[message] hi [Propose] 1 book, 1 hat, 1 ball", {}, "second_prefix"),
        ("[propose] [propose] (1 book, 1 hat, 1 ball)", {}, "second_prefix"),
        ("[propose] (1 book, 1 hat, 1 ball)", {"opening": True}, "proposal_first"),
        ("[propose] nonsense", {"opening": True}, "proposal_first"),
        ("[message] and now?", {"must_propose": True}, "must_propose"),
        ("[propose]", {}, "bad_items"),
        ("[propose] (1 book, 1 hat)", {}, "bad_items"),
        ("[propose] (1 hat, 1 book, 1 ball)", {}, "bad_items"),
        ("[propose] (1 book, 1 book, 1 hat, 1 ball)", {}, "bad_items"),
        ("[propose] (1 book, 1 hat, 1 ball) and you 2 books", {}, "bad_items"),
        ("[propose] (1 bookshelf, 1 hat, 1 ball)", {}, "bad_items"),
        ("[propose] (1, 1, 1)", {}, "bad_items"),
        ("[propose]\n(1 book, 1 hat, 1 ball)", {}, None),
        ("[propose] (books, hats, balls)", {}, "bad_numbers"),
        ("[propose] (one book, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (1.5 books, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (1/2 books, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (.5 books, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (½ books, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (1 or 2 books, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (1 book, 1 hat, 1 ball) for 10 points", {}, "bad_numbers"),
        ("[propose] (books 1, hats 1, balls 1)", {}, "bad_numbers"),
        ("[propose] (1e0 books, 1 hat, 1 ball)", {}, "bad_numbers"),
        ("[propose] (4 books, 1 hat, 1 ball)", {}, "out_of_range"),
        ("[propose] (3 books, 2 hats, 1 ball)", {}, "out_of_range"),
        ("[propose] (-1 books, 1 hat, 1 ball)", {}, "out_of_range"),
        ("[propose] (1 book, 1 hat, -2 balls)", {}, "out_of_range"),
    ],
)
def test_each_error_kind(text, state, kind):
    assert error(text, **state) == kind


@pytest.mark.parametrize("digits", ["9" * 30, "9" * 5000, "0" * 5000 + "1"])
def test_huge_numbers_are_an_error_and_no_exception(digits):
    kind = error(f"[propose] ({digits} books, 1 hat, 1 ball)")
    assert kind in ("out_of_range", "bad_numbers")


@pytest.mark.parametrize(
    "count",
    ["- 1", "−1", "– 1", "~1", "<1", "½ 1", "(1)", "1!", "x1", "¼1", "1²", "not-1"],
)
def test_a_count_that_could_mean_something_else_is_not_guessed(count):
    assert error(f"[propose] ({count} books, 1 hat, 1 ball)") == "bad_numbers"
    assert error(f"[propose] (1 book, {count} hats, 1 ball)") == "bad_numbers"


def test_each_error_has_its_own_correction():
    assert len(ERRORS) == 7 == len(set(ERRORS.values()))
    for style in STYLES.values():
        told = {style.user(Line("correction", kind)) for kind in ERRORS}
        assert len(told) == 7


def test_several_errors_name_the_first_in_order():
    """Prefixes come before the turn's rules, those before the share."""
    text = "[propose] [message] (9 books)"
    assert error(text, opening=True, must_propose=True) == "second_prefix"
    assert error("[message] hi", opening=True, must_propose=True) == "must_propose"


# Properties ---------------------------------------------------------------------


@given(strategies.TEXT, st.booleans(), st.booleans(), strategies.scenarios())
def test_the_parser_never_raises(text, opening, must_propose, s):
    for start in ("", "[message]", "[propose] "):
        state = {"opening": opening, "must_propose": must_propose}
        read = parse(start + text, s.counts, **state)
        assert read.error is None or read.error in ERRORS
        assert (read.kind is None) == (read.error == "no_prefix")
        valid_proposal = read.kind == "propose" and read.error is None
        assert (read.share is not None) == valid_proposal
        if read.share:
            assert all(0 <= k <= n for k, n in zip(read.share, s.counts, strict=True))


@given(st.data())
def test_a_proposal_reads_back_as_its_share(data):
    s = data.draw(strategies.scenarios())
    share = data.draw(strategies.shares(s.counts))
    for text in (propose(share), propose(share) + " [END]", propose(share).upper()):
        assert parse(text, s.counts).share == share
    assert parse(f"[propose] {share_text(share)}", s.counts).share == share


@given(st.data())
def test_invalid_outputs_of_the_strategies_are_invalid(data):
    s = data.draw(strategies.scenarios())
    assert parse(data.draw(strategies.invalid(s.counts)), s.counts).error
    assert not parse(data.draw(strategies.messages()), s.counts).error
    assert not parse(data.draw(strategies.proposals(s.counts)), s.counts).error


# Prompts ------------------------------------------------------------------------


def position(objective=SEMI, **other):
    told = {"game": 0, "seat": 0, "counts": (3, 1, 1), "values": (1, 3, 4)} | other
    return Position(**told, objective=objective)


def test_the_long_prompts_differ_in_the_goal_alone():
    prompts = [LONG.system(position(o)) for o in (SEMI, COOP, STRICT)]
    heads = {p.rpartition("\n\n")[0] for p in prompts}
    goals = [p.rpartition("\n\n")[2] for p in prompts]
    assert len(heads) == 1 and len(set(goals)) == 3
    assert "your own share" in goals[0]
    assert "plus your partner's" in goals[1] and "minus your partner's" in goals[2]
    ends = {(g.partition(" is ")[0], g.partition(". ")[2]) for g in goals}
    assert ends == {("Your reward", "Make it as large as you can.")}


def test_the_short_prompts_differ_in_lambda_alone():
    prompts = [SHORT.system(position(o)) for o in (SEMI, COOP, STRICT)]
    assert {p.partition("reward mine")[0] for p in prompts} == {
        "pool 3 books 1 hat 1 ball values books =1 hats =3 balls =4 "
    }
    assert [p.split()[-2] for p in prompts] == ["+0.00", "+1.00", "-1.00"]


def test_a_lambda_between_is_told_with_its_size():
    assert "plus 0.25 times" in LONG.system(position(Objective(0.25)))
    assert "minus 0.25 times" in LONG.system(position(Objective(-0.25)))


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_prompt_has_the_pool_and_the_seats_own_values(style):
    one = style.system(position())
    assert one != style.system(position(values=(1, 4, 3)))
    assert one != style.system(position(counts=(4, 1, 1)))
    assert one == style.system(position(seat=1, game=7, opening=False))


def test_the_long_prompt_leaves_no_placeholder():
    text = LONG.system(position())
    assert "{" not in text and "3 books, 1 hat, 1 ball" in text
    assert "1 for each book, 3 for each hat, 4 for each ball" in text


def test_the_notice_of_a_proposal_is_fixed():
    for style in STYLES.values():
        assert style.user(Line("proposed", "")) == style.user(
            Line("proposed", "(3 books, 0 hats, 0 balls)")
        )


# What a position tells ------------------------------------------------------------


@given(strategies.games(over=False), st.data())
def test_nothing_of_the_partners_values_reaches_a_position_or_prompt(game, data):
    """Change the partner's values to any other legal ones, submit the same outputs:
    the seat sees the same at every move."""
    seat = data.draw(st.integers(0, 1))
    own = game.scenario.values[seat]
    others = rules.legal_partner_values(game.scenario.counts, own)
    other = data.draw(st.sampled_from(others))
    values = (own, other) if seat == 0 else (other, own)
    changed = replace(game, scenario=Scenario(game.scenario.counts, values))
    a = Game(game.scenario, game.objective, game.first)
    b = Game(changed.scenario, game.objective, game.first)
    for move in (None, *game.moves):
        if move is not None:
            a, b = a.submit(move.text), b.submit(move.text)
        assert a.position(seat) == b.position(seat)
        for style in STYLES.values():
            told = [
                [style.system(p), *(style.user(x) for x in p.lines)]
                for p in (a.position(seat), b.position(seat))
            ]
            assert told[0] == told[1]


@given(strategies.games(over=False), st.data())
def test_nothing_of_a_proposal_reaches_the_partner(game, data):
    """Whatever share is proposed, the partner's position is the same."""
    if game.over or game.accepted == 0 or game.proposals:
        return
    share = strategies.shares(game.scenario.counts)
    seen = {
        game.submit(propose(data.draw(share))).position(1 - game.turn) for _ in range(3)
    }
    assert len(seen) == 1
    assert seen.pop().lines[-1] == Line("proposed", "")
