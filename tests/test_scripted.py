"""The negotiators: legal, in character, and noise does what it says."""

import random
from itertools import product
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal import scripted
from selfplay_kit.games.deal.phrasebook import hear
from selfplay_kit.games.deal.protocol import Line, Position, parse
from selfplay_kit.games.deal.rules import (
    COOP,
    SEMI,
    blind_share,
    legal_partner_values,
    max_joint,
    scenarios,
)
from selfplay_kit.games.deal.scripted import (
    NEGOTIATORS,
    Blind,
    Fair,
    Greedy,
    Liar,
    RandomSplit,
    Stubborn,
    Teller,
    View,
)
from selfplay_kit.games.play import play_games

from . import strategies

SOME = scenarios("development")[::8]
NAMES = sorted(NEGOTIATORS)


def play(a, b, *, noise=0.0, games=SOME, seed=0):
    pair = NEGOTIATORS[a](noise), NEGOTIATORS[b](noise)
    return play_games(pair, games, SEMI, seed=seed)


def joint(games):
    return mean(sum(t.points) for t in games)


def test_there_are_at_least_six_and_each_says_what_it_does():
    assert len(NEGOTIATORS) >= 6
    assert len({n.temper for n in NEGOTIATORS.values()}) == len(NEGOTIATORS)
    for name, kind in NEGOTIATORS.items():
        assert kind.temper and kind.__doc__ and kind().name == name


@pytest.mark.parametrize(("a", "b"), list(product(NAMES, NAMES)))
def test_every_pair_plays_legal_games_without_errors(a, b):
    for noise in (0.0, 0.3):
        for t in play(a, b, noise=noise, games=SOME[:30]):
            assert not any(m.error for m in t.moves) and not t.aborted
            assert len(t.moves) < 50, "nobody talks until the limit"
            t.replay()


@given(strategies.games(over=False), st.sampled_from(NAMES), st.floats(0, 1))
def test_a_negotiator_has_a_legal_answer_to_anything(game, name, noise):
    """Whatever was said before, by whomever, its own output is valid."""
    if game.over:
        return
    (move,) = NEGOTIATORS[name](noise).sit(1, seed=0).reply([game.position()])
    assert game.submit(move).moves[-1].error is None


def test_chance_comes_from_the_seed_and_the_position_alone():
    p = Position(0, 0, (3, 1, 1), (1, 3, 4), SEMI)
    other = Position(1, 0, (3, 1, 1), (1, 3, 4), SEMI)
    for name in NAMES:
        table = NEGOTIATORS[name](0.5).sit(2, seed=1)
        both = table.reply([other, p])
        assert table.reply([p]) == both[1:]
        assert NEGOTIATORS[name](0.5).sit(9, seed=1).reply([p]) == both[1:]


@pytest.mark.parametrize("noise", [-0.1, 1.1, float("nan")])
def test_noise_is_a_probability(noise):
    with pytest.raises(ValueError, match="from 0 to 1"):
        Fair(noise)


def test_noise_ruins_a_good_negotiator():
    clean = play("teller", "teller")
    clumsy = play("teller", "teller", noise=0.5)
    noise = play("teller", "teller", noise=1.0)
    assert joint(clean) > joint(clumsy) + 2 > joint(noise) + 3
    agreed = [mean(t.agreed for t in games) for games in (clean, clumsy, noise)]
    assert agreed[0] > 0.99 and agreed[2] < 0.35


# Tempers ----------------------------------------------------------------------------


def test_tellers_come_close_to_the_best_joint_split():
    best = mean(map(max_joint, SOME))
    assert joint(play("teller", "teller")) > 0.97 * best
    assert joint(play("randomsplit", "randomsplit")) < 0.8 * best


def test_a_blind_pair_reaches_the_blind_number():
    """Whoever's demand is taken, the joint score is that of a blind split."""
    wanted = mean(
        s.points(0, b) + s.points(1, s.complement(b))
        for s in SOME
        for b in [blind_share(s.counts, s.values[0])]
    )
    assert abs(joint(play("blind", "blind")) - wanted) < 0.6


def test_random_splits_are_worth_about_ten_jointly():
    games = [t for t in play("randomsplit", "randomsplit") if t.agreed]
    assert abs(joint(games) - 10) < 0.8


def test_stubborn_players_do_not_agree_with_each_other_and_win_from_the_meek():
    assert mean(t.agreed for t in play("stubborn", "stubborn")) < 0.5
    games = [t for t in play("stubborn", "randomsplit") if t.agreed]
    x, y = (mean(t.points[p] for t in games) for p in (0, 1))
    assert x > y + 2


def test_the_greedy_get_more_than_the_fair():
    games = [t for t in play("greedy", "fair") if t.agreed]
    assert mean(t.points[0] for t in games) > mean(t.points[1] for t in games)


def view(counts=(3, 1, 1), values=(1, 3, 4), lines=()):
    return View(Position(0, 0, counts, values, COOP, tuple(lines)))


def test_what_greedy_fair_and_stubborn_ask_for():
    rng = random.Random(0)
    turns = [Line("mine", "[message] hi")] * 9
    for kind, first, last in ((Greedy, 10, 7), (Fair, 8, 5), (Stubborn, 9, 9)):
        asked = [
            (v := view(lines=turns[:n])).points(kind().demand(v, rng))
            for n in range(10)
        ]
        assert asked[0] >= first and asked[-1] >= last
        assert asked == sorted(asked, reverse=True)
        v = view(lines=turns)
        assert kind().accepts(v, (3, 1, 1))
        for share in v.shares():
            assert kind().accepts(v, share) == (v.points(share) >= last)


@given(strategies.scenarios(), st.integers(0, 10))
def test_best_share_reaches_its_aim_and_takes_least(s, aim):
    v = view(s.counts, s.values[0])
    share = scripted.best_share(v, aim)
    enough = [x for x in v.shares() if v.points(x) >= aim]
    assert share in enough and sum(share) == min(map(sum, enough))


@given(strategies.scenarios())
def test_joint_share_is_the_best_joint_split(s):
    v = view(s.counts, s.values[0])
    share = scripted.joint_share(v, s.values[1])
    got = s.points(0, share) + s.points(1, s.complement(share))
    assert got == max_joint(s)


@given(strategies.scenarios())
def test_the_teller_tells_the_truth_and_the_liar_a_legal_lie(s):
    v = view(s.counts, s.values[0])
    assert Teller().stated(v) == s.values[0]
    lie = Liar().stated(v)
    assert lie in legal_partner_values(s.counts, s.values[0])
    own = s.values[0]
    others = legal_partner_values(s.counts, own)
    assert scripted.worth(lie, own) == min(scripted.worth(v, own) for v in others)
    assert lie != own or others == (own,), "where it can lie, it does"


def test_the_first_word_of_teller_and_liar_states_values():
    opening = Position(0, 0, (3, 1, 1), (1, 3, 4), SEMI)
    (told,) = Teller().sit(1, seed=0).reply([opening])
    assert hear(told.text).values == (1, 3, 4)
    (lied,) = Liar().sit(1, seed=0).reply([opening])
    assert hear(lied.text).values not in (None, (1, 3, 4))


# What a negotiator understands --------------------------------------------------------


def test_a_view_reads_offers_from_both_sides():
    v = view(
        lines=[
            Line("theirs", "i take 2 books 0 hats 0 balls ."),
            Line("mine", "[message] i take 1 book 1 hat 1 ball ."),
        ]
    )
    assert v.offered == (1, 1, 1) and v.table == (1, 1, 1) and v.spoken == 1
    v = view(lines=[Line("theirs", "you take 2 books 0 hats 0 balls .")])
    assert v.offered == v.table == (2, 0, 0) and not v.accepted
    v = view(lines=[Line("theirs", "deal , i take 2 books 0 hats 0 balls .")])
    assert v.accepted and v.table == (1, 1, 1)


def test_a_view_ignores_what_can_not_be():
    v = view(lines=[Line("theirs", "i take 4 books 0 hats 0 balls .")])
    assert v.offered is None and v.table is None
    v = view(lines=[Line("theirs", "for me books =9 hats =9 balls =9 .")])
    assert v.theirs is None
    v = view(lines=[Line("theirs", "for me books =2 hats =4 balls =0 .")])
    assert v.theirs == (2, 4, 0)
    v = view(lines=[Line("tried", "[message] i take 1 book 1 hat 1 ball .")])
    assert v.table is None and v.spoken == 0


def test_after_a_proposal_they_propose_what_is_on_the_table():
    lines = (
        Line("mine", "[message] i take 1 book 1 hat 0 balls ."),
        Line("theirs", "deal , i take 2 books 0 hats 1 ball ."),
        Line("proposed", ""),
    )
    p = Position(0, 0, (3, 1, 1), (1, 3, 4), SEMI, lines, False, True)
    for name in NAMES:
        (move,) = NEGOTIATORS[name]().sit(1, seed=0).reply([p])
        assert parse(move.text, p.counts).share == (1, 1, 0)


def test_the_meek_take_anything():
    for kind in (RandomSplit, Blind):
        assert all(kind().accepts(view(), x) for x in view().shares())


def test_talk_is_varied():
    texts = {m.text for t in play("fair", "fair") for m in t.moves}
    starts = {" ".join(x.split()[1:3]) for x in texts if x.startswith("[message]")}
    assert len(starts) >= 10
