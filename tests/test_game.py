"""One game: whose turn, when it ends, what each seat sees, what is recorded."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal.game import Game, Transcript
from selfplay_kit.games.deal.protocol import Line, Move, propose
from selfplay_kit.games.deal.rules import COOP, SEMI, Objective, Scenario

from . import strategies

SCENARIO = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
HI = "[message] hi"
BAD = "no prefix at all"


def played(*texts, first=0, objective=SEMI):
    game = Game(SCENARIO, objective, first=first)
    for text in texts:
        game = game.submit(text)
    return game


def deal():
    return played(HI, propose((2, 1, 0)), propose((1, 0, 1)))


# Turns and ends -------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_seats_alternate_from_the_first(first):
    game = played(HI, HI, HI, first=first)
    assert [m.seat for m in game.moves] == [first, 1 - first, first]
    assert game.turn == 1 - first


@pytest.mark.parametrize("first", [2, -1, None])
def test_first_is_a_seat(first):
    with pytest.raises(ValueError, match="seat 0 or 1"):
        Game(SCENARIO, SEMI, first=first)


def test_the_very_first_move_may_not_be_a_proposal():
    game = played(propose((1, 1, 1)))
    assert game.moves[-1].error == "proposal_first" and game.turn == 0
    assert not game.proposals
    game = game.submit(propose((1, 1, 1)))  # an invalid try does not lift the rule
    assert game.moves[-1].error == "proposal_first"
    game = game.submit(HI).submit(propose((1, 1, 1)))
    assert game.moves[-1].error is None  # it binds the very first mover alone


def test_after_a_proposal_only_a_proposal_counts_and_ends_the_game():
    game = played(HI, propose((1, 1, 1)))
    assert game.position().must_propose and not game.position(1).must_propose
    game = game.submit(HI)
    assert game.moves[-1].error == "must_propose" and not game.over
    game = game.submit(propose((0, 0, 0)))
    assert game.over and not game.agreed and game.points == (0, 0)


def test_a_deal_pays_each_its_own_values():
    game = deal()
    assert game.over and game.agreed and not game.aborted
    assert game.points == (1 * 1 + 4, 2 * 2 + 4)
    assert game.transcript().shares == ((1, 0, 1), (2, 1, 0))


def test_seats_are_not_mixed_up_when_seat_one_speaks_first():
    game = played(HI, propose((2, 1, 0)), propose((1, 0, 1)), first=1)
    assert game.points == (2 * 1 + 3, 1 * 2 + 0)


@pytest.mark.parametrize("other", [(0, 0, 1), (1, 0, 0), (2, 0, 1), (3, 1, 1)])
def test_the_sum_must_be_exact_an_under_claim_is_no_deal(other):
    game = played(HI, propose((2, 1, 0)), propose(other))
    assert game.over and not game.agreed and game.points == (0, 0)
    assert not game.aborted


def test_fifty_moves_end_the_game_without_points():
    game = played(*[HI] * 49)
    assert not game.over
    game = game.submit(HI)
    assert game.over and game.accepted == 50
    assert (game.points, game.agreed, game.aborted) == ((0, 0), False, False)


def test_invalid_tries_do_not_count_as_moves():
    game = played(*[BAD, HI] * 49)
    assert not game.over and game.accepted == 49
    assert game.submit(BAD).submit(HI).over


def test_a_deal_in_the_fiftieth_move_counts_and_half_a_one_does_not():
    assert played(*[HI] * 48, propose((2, 1, 0)), propose((1, 0, 1))).agreed
    late = played(*[HI] * 49, propose((2, 1, 0)))
    assert late.over and not late.agreed and late.points == (0, 0)


def test_the_fifth_error_in_a_row_aborts():
    game = played(HI, *[BAD] * 4)
    assert not game.over and game.tries == 4
    game = game.submit(BAD)
    assert game.over and game.aborted and not game.agreed
    assert game.points == (0, 0) and game.transcript().aborted


def test_a_valid_move_resets_the_tries():
    game = played(*[BAD] * 4, HI, *[BAD] * 4, HI, *[BAD] * 4)
    assert not game.over and game.tries == 4
    assert game.submit(BAD).aborted


def test_an_abort_after_a_proposal_is_no_deal():
    game = played(HI, propose((2, 1, 0)), *[HI] * 5)
    assert game.aborted and game.points == (0, 0)


@pytest.mark.parametrize("end", [deal, lambda: played(*[BAD] * 5)])
def test_a_game_that_is_over_takes_no_more(end):
    with pytest.raises(ValueError, match="over"):
        end().submit(HI)


def test_no_transcript_before_the_end():
    with pytest.raises(ValueError, match="not over yet"):
        played(HI).transcript()


def test_submit_changes_nothing_in_place():
    before = played(HI)
    same = replace(before)
    before.submit(propose((1, 1, 1)))
    assert before == same
    with pytest.raises(AttributeError):
        before.turn = 1


def test_a_player_can_not_choose_its_seat_or_error():
    game = played().submit(Move(HI, (1, 2), seat=1, error="no_prefix"))
    assert game.moves == (Move(HI, (1, 2), seat=0, error=None),)


# What each seat sees ----------------------------------------------------------------


def test_the_lines_of_both_seats():
    game = played(BAD, "[message] hello [END]", "[message] yes", propose((2, 1, 0)))
    mine = game.position(0)
    assert mine.lines == (
        Line("tried", BAD),
        Line("correction", "no_prefix"),
        Line("mine", "[message] hello [END]"),
        Line("theirs", "yes"),
        Line("mine", propose((2, 1, 0))),
    )
    theirs = game.position(1)
    assert theirs.lines == (
        Line("theirs", "hello"),
        Line("mine", "[message] yes"),
        Line("proposed", ""),
    )
    assert (mine.values, theirs.values) == SCENARIO.values
    assert theirs.must_propose and not mine.must_propose and not mine.opening


@given(strategies.games(over=False))
def test_a_seat_never_sees_the_partners_tries_or_tokens(game):
    for seat in (0, 1):
        lines = game.position(seat).lines
        own = [m for m in game.moves if m.seat == seat]
        theirs = [m for m in game.moves if m.seat != seat and not m.error]
        assert sum(x.by in ("mine", "tried") for x in lines) == len(own)
        assert sum(x.by in ("theirs", "proposed") for x in lines) == len(theirs)
        assert all(x.tokens is None for x in lines if x.by in ("theirs", "proposed"))


@given(strategies.games(over=False))
def test_lines_only_ever_grow(game):
    """What a seat has seen stays as it was: a model's row can be extended."""
    again = Game(game.scenario, game.objective, game.first)
    seen = [(), ()]
    for move in game.moves:
        again = again.submit(move)
        for seat in (0, 1):
            lines = again.position(seat).lines
            assert lines[: len(seen[seat])] == seen[seat]
            seen[seat] = lines


# Records ----------------------------------------------------------------------------


@given(strategies.games())
def test_games_of_random_outputs_keep_the_rules(game):
    assert game.over and 0 <= min(game.points) and max(game.points) <= 10
    assert game.accepted <= 50 and game.tries <= 5
    if game.agreed:
        a, b = game.transcript().shares
        total = tuple(x + y for x, y in zip(a, b, strict=True))
        assert total == game.scenario.counts and not game.aborted
        assert game.points == (game.scenario.points(0, a), game.scenario.points(1, b))
    else:
        assert game.points == (0, 0) and game.transcript().shares is None
    assert game.transcript().rewards == game.objective.rewards(*game.points)


@given(strategies.games(), st.text(), st.integers())
def test_a_transcript_replays_to_the_same_game(game, name, seed):
    assert game.transcript((name, ""), seed).replay() == game


@given(strategies.transcripts())
def test_json_round_trip_is_the_identity(t):
    line = t.to_json()
    assert "\n" not in line and "\r" not in line
    back = Transcript.from_json(line)
    assert back == t and back.to_json() == line
    assert [m.tokens for m in back.moves] == [m.tokens for m in t.moves]
    assert back.replay().points == t.points
    line.encode("utf-8")


def test_the_json_is_plain_data_for_other_languages():
    t = played(HI, propose((2, 1, 0)), propose((1, 0, 1)), objective=COOP)
    d = json.loads(t.transcript(("ann", "bob"), 7).to_json())
    assert d["counts"] == [3, 1, 1] and d["values"] == [[1, 3, 4], [2, 4, 0]]
    assert d["lambda"] == 1 and d["first"] == 0 and d["points"] == [5, 8]
    assert d["moves"][0] == {"seat": 0, "text": HI, "error": None}
    assert (d["agreed"], d["aborted"], d["players"], d["seed"]) == (
        True,
        False,
        ["ann", "bob"],
        7,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"points": (8, 5)},
        {"points": (0, 0), "agreed": False},
        {"aborted": True},
        {"first": 1},
        {"moves": deal().moves[:-1]},
        {"moves": (*deal().moves, Move(HI, seat=1))},
        {"moves": (replace(deal().moves[0], seat=1), *deal().moves[1:])},
        {"moves": (replace(deal().moves[0], error="no_prefix"), *deal().moves[1:])},
        {"moves": (replace(deal().moves[0], text=BAD), *deal().moves[1:])},
        {"moves": (*deal().moves[:-1], replace(deal().moves[-1], text=HI))},
        {"scenario": SCENARIO.mirrored()},
        {"moves": ()},
    ],
)
def test_a_tampered_transcript_does_not_replay(change):
    honest = deal().transcript()
    assert honest.replay().agreed
    with pytest.raises(ValueError):
        replace(honest, **change).replay()


LINE = deal().transcript().to_json()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "7",
        "{}",
        LINE[:-1],
        LINE[: len(LINE) // 2],
        LINE.replace('"moves"', '"mooves"'),
        LINE.replace('"tokens"', "x").replace('"text"', '"txt"'),
        LINE.replace("[3,1,1]", "[3,1,9]"),
        LINE.replace("[3,1,1]", "null"),
        LINE.replace('"lambda":0.0', '"lambda":2'),
        LINE.replace('"lambda":0.0', '"lambda":NaN'),
        LINE.replace('"points":[5,8]', '"points":[5]'),
        LINE.replace('"points":[5,8]', '"points":7'),
        LINE.replace("[[1,3,4],[2,4,0]]", "[[1,3,4]]"),
    ],
)
def test_a_damaged_line_is_a_value_error(line):
    assert line != LINE
    with pytest.raises(ValueError):
        Transcript.from_json(line)


def test_the_objective_of_a_record_is_its_own():
    t = Transcript.from_json(LINE.replace('"lambda":0.0', '"lambda":-0.5'))
    assert t.objective == Objective(-0.5) and t.rewards == (1.0, 5.5)


NAN = float("nan")
WRONG = [  # what a table, a hand or another program makes of a record
    ("text", None, "the text of move 1 is null"),
    ("text", NAN, "the text of move 1 is NaN"),
    ("text", 3, "the text of move 1 is 3"),
    ("text", ["[message] hi"], "the text of move 1 is "),
    ("text", True, "the text of move 1 is true"),
    ("error", NAN, "the error of move 1 is NaN"),
    ("error", "", 'the error of move 1 is ""'),
    ("error", "typo", 'the error of move 1 is "typo"'),
    ("seat", "1", 'the seat of move 1 is "1"'),
    ("seat", 2, "the seat of move 1 is 2"),
    ("seat", NAN, "the seat of move 1 is NaN"),
    ("tokens", [1, None], "a number in tokens is null"),
    ("tokens", [1.5], "tokens holds 1.5"),
]


@pytest.mark.parametrize(("key", "value", "told"), WRONG)
def test_a_move_of_the_wrong_type_is_named(key, value, told):
    record = json.loads(deal().transcript().to_json())
    record["moves"][1][key] = value
    with pytest.raises(ValueError, match=re.escape(told)):
        Transcript.from_json(json.dumps(record))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("counts", [3, 1, None], "a number in counts is null"),
        ("values", [[1, 3, "4"], [2, 4, 0]], 'a number in values is "4"'),
        ("points", [5.5, 8], "points holds 5.5"),
        ("points", [NAN, 8], "points holds nan"),
        ("agreed", None, "agreed is null, where true or false is expected"),
        ("aborted", 0, "aborted is 0"),
        ("players", [None, "b"], "a name in players is null"),
        ("lambda", None, "lambda is null, where a number is expected"),
        ("lambda", NAN, "lambda"),
        ("first", None, "first is null"),
        ("moves", None, "not a transcript line (TypeError"),
        ("moves", [None], "not a transcript line (TypeError"),
    ],
)
def test_a_record_of_the_wrong_type_is_named(key, value, told):
    record = json.loads(deal().transcript().to_json()) | {key: value}
    with pytest.raises(ValueError, match=re.escape(told)):
        Transcript.from_json(json.dumps(record))


@pytest.mark.parametrize("line", ["null", "3", "[]", '"x"', "{}", "{", ""])
def test_what_is_no_record_at_all_is_said_to_be_none(line):
    with pytest.raises(ValueError, match="not a transcript line"):
        Transcript.from_json(line)


def test_whole_numbers_that_a_table_wrote_with_a_point_are_taken():
    t = deal().transcript(seed=1)
    record = json.loads(t.to_json())
    record |= {"points": [5.0, 8.0], "first": 0.0, "counts": [3.0, 1.0, 1.0]}
    record["points"] = [float(x) for x in t.points]
    record["moves"][0] |= {"seat": 0.0, "tokens": None}
    again = Transcript.from_json(json.dumps(record))
    assert again == t and again.to_json() == t.to_json()
