"""What is stated is counted as it was said; an ablation changes that and no more."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal.game import lines_for
from selfplay_kit.games.deal.phrasebook import hear, say_values
from selfplay_kit.games.deal.protocol import Line, Position
from selfplay_kit.games.deal.rules import (
    COOP,
    Scenario,
    all_scenarios,
    blind_share,
    legal_partner_values,
    max_joint,
    scenarios,
)
from selfplay_kit.games.deal.scripted import Blind, Liar, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.talk import (
    ABLATIONS,
    SPEAKERS,
    Ablated,
    ablate,
    ablation,
    blind_joint,
    reference_joint,
    statement_metrics,
    statements,
)
from tests.strategies import transcripts

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
SAID = "for me books =1 hats =3 balls =4 ."


def hearer(*lines):
    """Seat 1 of ``S``, which has seen ``lines``."""
    return Position(0, 1, S.counts, S.values[1], COOP, tuple(lines))


def sample(n=60, split="development"):
    return random.Random(3).sample(scenarios(split), n)


# Statements


def test_tellers_tell_the_truth_and_liars_lie():
    tells = statement_metrics(play_games(Teller(), sample(), COOP, seed=1))
    assert tells["stated"]["value"] == tells["true"]["value"] == 1
    assert tells["by_opener"]["value"] == 1
    lies = statement_metrics(play_games(Liar(), sample(), COOP, seed=1))
    assert lies["stated"]["value"] == 1
    assert lies["true"]["value"] < 0.2
    assert lies["true"]["value"] < lies["numbers_true"]["value"] < 1


def test_who_states_nothing_has_no_truth():
    m = statement_metrics(play_games(Blind(), sample(), COOP, seed=1))
    assert m["stated"]["value"] == 0
    assert m["true"] == {"value": None, "low": None, "high": None, "n": 0}


def test_opener_and_other_are_told_apart():
    pair = (Teller(), Blind())
    games = play_games(pair, [S] * 8, COOP, seed=1, firsts=[0] * 8)
    m = statement_metrics(games)
    assert (m["by_opener"]["value"], m["by_other"]["value"]) == (1, 0)
    games = play_games(pair, [S] * 8, COOP, seed=1, firsts=[1] * 8)
    assert statement_metrics(games)["by_opener"]["value"] == 0


def test_the_first_statement_counts_and_failed_tries_do_not():
    (t,) = play_games(Teller(), [S], COOP, seed=1, firsts=[0])
    lie = replace(t.moves[0], text="[message] for me books =0 hats =0 balls =10 .")
    again = statements(replace(t, moves=(t.moves[0], lie, *t.moves[1:])))
    assert [x.true for x in again if x.seat == 0] == [True]
    failed = replace(lie, error="no_prefix")
    assert statements(replace(t, moves=(failed, *t.moves))) == statements(t)
    assert not statements(replace(t, moves=(lie, *t.moves)))[0].true


@given(transcripts())
def test_statements_of_any_game_are_at_most_one_a_seat(t):
    said = statements(t)
    assert len({x.seat for x in said}) == len(said) <= 2
    m = statement_metrics([t])
    assert m["stated"]["value"] == bool(said)
    assert m["true"]["n"] == len(said)


def test_no_games_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        statement_metrics([])


# Ablation


@given(st.sampled_from(all_scenarios()), st.integers(0, 10**6))
def test_replaced_values_are_other_values_that_could_be(s, seed):
    line = Line("theirs", say_values(s.values[0]))
    p = Position(0, 1, s.counts, s.values[1], COOP, (line,))
    heard = hear(ablate(p, "replace", seed=seed).lines[0].text).values
    legal = legal_partner_values(s.counts, s.values[1])
    assert heard in legal
    assert (heard == s.values[0]) == (len(legal) == 1)


@given(st.sampled_from(all_scenarios()), st.integers(0, 10**6))
def test_shuffled_values_are_the_same_numbers(s, seed):
    line = Line("theirs", say_values(s.values[0]))
    p = Position(0, 1, s.counts, s.values[1], COOP, (line,))
    heard = hear(ablate(p, "shuffle", seed=seed).lines[0].text).values
    assert sorted(heard) == sorted(s.values[0])
    assert (heard == s.values[0]) == (len(set(s.values[0])) == 1)


def test_silence_says_nothing_about_values():
    (line,) = ablate(hearer(Line("theirs", SAID)), "silence").lines
    assert line.by == "theirs"
    heard = hear(line.text)
    assert (heard.values, heard.mine, heard.yours) == (None, None, None)


@pytest.mark.parametrize("how", ABLATIONS)
def test_nothing_but_the_partners_statement_changes(how):
    (t,) = play_games(Teller(), [S], COOP, seed=1, firsts=[0])
    for seat in (0, 1):
        p = replace(hearer(), seat=seat, values=S.values[seat])
        p = replace(p, lines=lines_for(seat, t.moves))
        changed = ablate(p, how)
        differs = [
            (a, b) for a, b in zip(p.lines, changed.lines, strict=True) if a != b
        ]
        assert len(differs) == 1
        assert differs[0][0].by == "theirs" and hear(differs[0][0].text).values
        assert replace(changed, lines=p.lines) == p


def test_a_line_changes_alike_whenever_it_is_read():
    one = hearer(Line("theirs", SAID))
    more = hearer(Line("theirs", SAID), Line("mine", "hi !"), Line("theirs", "no ."))
    for seed in range(20):
        a, b = (ablate(p, "replace", seed=seed).lines[0] for p in (one, more))
        assert a == b
    drawn = {ablate(one, "replace", seed=seed).lines[0].text for seed in range(20)}
    assert len(drawn) > 1


def test_speakers_choose_whose_statements_change():
    opener = hearer(Line("theirs", SAID))
    second = hearer(Line("mine", "hi !"), Line("theirs", SAID))
    for speakers, changes in (("first", opener), ("second", second)):
        for p in (opener, second):
            same = ablate(p, "silence", speakers=speakers) == p
            assert same != (p is changes)
    assert set(SPEAKERS) == {"both", "first", "second"}


@pytest.mark.parametrize("wrong", [{"how": "mumble"}, {"speakers": "third"}])
def test_an_unknown_word_is_an_error(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        ablate(hearer(), **({"how": "silence"} | wrong))


def test_tellers_need_what_they_hear_and_the_deaf_do_not():
    pool = sample(120)
    tellers = ablation(Teller(), pool, COOP, seed=2)
    assert tellers["joint"]["value"] == sum(map(max_joint, pool)) / len(pool)
    assert tellers["drop"]["low"] > 0.5
    assert tellers["drop"]["value"] == pytest.approx(
        tellers["joint"]["value"] - tellers["ablated"]["value"]
    )
    deaf = ablation(Blind(), pool, COOP, seed=2)
    assert deaf["drop"]["value"] == deaf["drop"]["low"] == deaf["drop"]["high"] == 0


def test_plain_games_may_be_given():
    pool = sample(30)
    plain = play_games(Teller(), pool, COOP, seed=2)
    given_ = ablation(Teller(), pool, COOP, "silence", seed=2, plain=plain)
    assert given_ == ablation(Teller(), pool, COOP, "silence", seed=2)


def test_an_ablated_player_moves_as_before_where_nothing_is_stated():
    pool = sample(20)
    plain = play_games(Blind(), pool, COOP, seed=5)
    changed = play_games(Ablated(Blind(), "replace"), pool, COOP, seed=5)
    assert [t.moves for t in changed] == [t.moves for t in plain]


# References


@given(st.sampled_from(all_scenarios()), st.integers(0, 99))
def test_blind_is_the_mean_of_what_the_blind_scripts_get(s, seed):
    splits = []
    for seat in (0, 1):
        mine = blind_share(s.counts, s.values[seat])
        rest = s.complement(mine)
        splits.append(s.points(seat, mine) + s.points(1 - seat, rest))
    assert blind_joint(s) == sum(splits) / 2
    (t,) = play_games(Blind(), [s], COOP, seed=seed)
    assert sum(t.points) in splits  # a greeting can hand the first offer on


def test_references_are_means():
    two = sample(2)
    assert reference_joint(two) == {
        "blind": sum(map(blind_joint, two)) / 2,
        "optimum": sum(map(max_joint, two)) / 2,
    }
