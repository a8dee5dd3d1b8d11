"""Many games at once: order, seeds, who sits where, what ends when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal.protocol import Move, propose
from selfplay_kit.games.deal.rules import COOP, SEMI, all_scenarios
from selfplay_kit.games.deal.scripted import NEGOTIATORS, Fair, Greedy, Teller
from selfplay_kit.games.play import play_games

SOME = list(all_scenarios()[::250])  # 22 scenarios


class Asker:
    """Sends ``messages`` messages, then asks for everything; notes what it saw."""

    def __init__(self, name, messages=1):
        self.name, self.messages = name, messages
        self.sat, self.seen, self.closed = [], [], 0

    def sit(self, games, *, seed):
        self.sat.append((games, seed))
        return self

    def reply(self, positions):
        self.seen += positions
        return [
            Move(propose(p.counts))
            if p.must_propose or sum(x.by == "mine" for x in p.lines) >= self.messages
            else Move(f"[message] {self.name}")
            for p in positions
        ]

    def close(self):
        self.closed += 1


class Late(Asker):
    """Like :class:`Asker`, but the later a game stands the sooner it ends."""

    def reply(self, positions):
        spoken = [sum(x.by == "mine" for x in p.lines) for p in positions]
        return [
            Move(propose(p.counts))
            if p.must_propose or n >= 20 - p.game
            else Move("[message] on")
            for p, n in zip(positions, spoken, strict=True)
        ]


def test_transcripts_come_in_the_order_of_the_scenarios():
    ended = []
    games = play_games(
        Late("late"), SOME[:20], SEMI, seed=1, on_end=lambda i, t: ended.append((i, t))
    )
    assert [t.scenario for t in games] == SOME[:20] and len(games) == 20
    # each ends exactly once, and is told as it ends: the last game first
    assert sorted(i for i, _ in ended) == list(range(20))
    assert all(games[i] is t for i, t in ended)
    assert ended[0][0] == 19 and ended[-1][0] == 0


def test_on_end_counts_over_batches():
    ended = []
    games = play_games(
        Asker("a"), SOME, SEMI, seed=1, batch=5, on_end=lambda i, t: ended.append(i)
    )
    assert sorted(ended) == list(range(len(SOME)))
    assert max(ended[:5]) == 4 and [t.scenario for t in games] == SOME


@pytest.mark.parametrize("batch", [1, 5, 22, 500])
def test_batches_sit_down_and_are_closed(batch):
    a, b = Asker("a"), Asker("b")
    play_games((a, b), SOME, SEMI, seed=3, batch=batch)
    sizes = [n for n, _ in a.sat]
    assert sum(sizes) == len(SOME) and max(sizes) <= batch
    assert a.closed == b.closed == len(sizes) == len({seed for _, seed in a.sat})
    assert not {s for _, s in a.sat} & {s for _, s in b.sat}, "a seed each"
    assert {p.game for p in a.seen} == set(range(min(batch, len(SOME))))


def test_each_player_keeps_its_seat():
    a, b = Asker("a"), Asker("b")
    games = play_games((a, b), SOME, COOP, seed=3)
    assert {p.seat for p in a.seen} == {0} and {p.seat for p in b.seen} == {1}
    for t in games:
        assert t.players == ("a", "b") and t.objective == COOP
        said = {m.seat: m.text for m in t.moves if m.text.startswith("[message]")}
        assert all(text == f"[message] {'ab'[seat]}" for seat, text in said.items())


def test_one_player_sits_on_both_sides_at_one_table():
    a = Asker("a")
    games = play_games(a, SOME, SEMI, seed=3)
    assert len(a.sat) == 1 and a.closed == 1
    assert {p.seat for p in a.seen} == {0, 1}
    assert {t.players for t in games} == {("a", "a")}


def test_a_position_shows_the_seats_own_side():
    a, b = Asker("a", 3), Asker("b", 3)
    play_games((a, b), SOME, SEMI, seed=3)
    for seat, player in enumerate((a, b)):
        for p in player.seen:
            assert p.values == SOME[p.game].values[seat]
            assert p.counts == SOME[p.game].counts


def test_who_speaks_first_is_a_fair_coin_or_as_said():
    many = all_scenarios()[:400]
    coin = [t.first for t in play_games(Asker("a"), many, SEMI, seed=5)]
    assert 160 < sum(coin) < 240
    other = [t.first for t in play_games(Asker("a"), many, SEMI, seed=6)]
    assert coin != other
    firsts = [i % 2 for i in range(len(SOME))]
    games = play_games(Asker("a"), SOME, SEMI, seed=5, firsts=firsts)
    assert [t.first for t in games] == firsts
    assert [t.moves[0].seat for t in games] == firsts
    with pytest.raises(ValueError):
        play_games(Asker("a"), SOME, SEMI, seed=5, firsts=[0])


@given(
    st.sampled_from(sorted(NEGOTIATORS)),
    st.sampled_from(sorted(NEGOTIATORS)),
    st.floats(0, 1),
    st.integers(),
)
def test_a_seed_reproduces_every_transcript(a, b, noise, seed):
    pair = NEGOTIATORS[a](noise), NEGOTIATORS[b](noise)
    once = play_games(pair, SOME[:6], SEMI, seed=seed)
    again = play_games(pair, SOME[:6], SEMI, seed=seed)
    assert once == again
    assert all(t.replay().over for t in once)


def test_another_seed_gives_other_games():
    games = [play_games((Fair(), Greedy()), SOME, SEMI, seed=s) for s in (1, 2)]
    assert [t.moves for t in games[0]] != [t.moves for t in games[1]]


def test_a_table_is_closed_when_play_is_interrupted():
    a, b = Asker("a"), Teller()

    def stop(i, t):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_games((a, b), SOME, SEMI, seed=1, on_end=stop)
    assert a.closed == 1


def test_a_player_that_gives_too_few_moves_is_an_error():
    a = Asker("a")
    a.reply = lambda positions: []
    with pytest.raises(ValueError):
        play_games(a, SOME, SEMI, seed=1)


def test_no_scenarios_no_games():
    assert play_games(Asker("a"), [], SEMI, seed=1) == []
