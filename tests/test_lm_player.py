"""A language model at the table: rows hold what the dialogue says, seeds repeat."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.games.deal.game import Game  # noqa: E402
from selfplay_kit.games.deal.protocol import Move  # noqa: E402
from selfplay_kit.games.deal.rules import SEMI, scenarios  # noqa: E402
from selfplay_kit.games.deal.scripted import Fair  # noqa: E402
from selfplay_kit.games.play import play_games  # noqa: E402
from selfplay_kit.lm import player as lm_player  # noqa: E402
from selfplay_kit.lm.decode import rows as decode  # noqa: E402
from selfplay_kit.lm.dialogue import dialogue  # noqa: E402
from selfplay_kit.lm.player import LMPlayer  # noqa: E402

from .conftest import small_model  # noqa: E402

SOME = scenarios("train")[::200]


class Spied(decode.Rows):
    """Rows that note every token that they were given or that they sampled."""

    made = []

    def __init__(self, model, count, **how):
        super().__init__(model, count, **how)
        self.held = [[] for _ in range(count)]
        Spied.made.append(self)

    def sample(self, rows, chunks, **how):
        sampled = super().sample(rows, chunks, **how)
        for r, chunk, ids in zip(rows, chunks, sampled, strict=True):
            self.held[r] += [*chunk, *ids]
        return sampled


@pytest.fixture
def spy(monkeypatch):
    Spied.made = []
    monkeypatch.setattr(lm_player, "Rows", Spied)
    return Spied.made


def played(lm, seed=0, temperature=None, games=SOME):
    player = LMPlayer(lm, temperature=temperature)
    return play_games(player, games, SEMI, seed=seed)


def held_rows(games, lm):
    """The dialogue of each seat up to and with its last own move."""
    for i, t in enumerate(games):
        for seat in (0, 1):
            if not any(m.seat == seat for m in t.moves):
                continue
            turns = dialogue(lm, t.replay().position(seat))
            last = max(n for n, turn in enumerate(turns) if turn.own)
            yield (i, seat), [x for turn in turns[: last + 1] for x in turn.ids]


def test_a_row_holds_exactly_the_tokens_of_the_dialogue(lm, spy, monkeypatch):
    tables = []
    sit = LMPlayer.sit
    monkeypatch.setattr(
        LMPlayer, "sit", lambda *a, **k: tables.append(sit(*a, **k)) or tables[-1]
    )
    games = played(lm, temperature=1.5)
    assert any(m.error for t in games for m in t.moves), "tries are in it too"
    assert any(len(m.tokens) == 24 for t in games for m in t.moves), "and cut moves"
    assert any(m.text.startswith("[propose]") for t in games for m in t.moves)
    expected = dict(held_rows(games, lm))
    (table,) = tables
    found = {at: spy[0].held[row] for at, row in table.row_of.items()}
    assert found == expected


def test_against_a_script_too(lm, spy):
    games = play_games((Fair(), LMPlayer(lm)), SOME, SEMI, seed=1)
    expected = sorted(ids for (_, seat), ids in held_rows(games, lm) if seat == 1)
    assert sorted(h for h in spy[0].held if h) == expected


def test_the_transcript_has_the_sampled_tokens(lm):
    for t in played(lm):
        for m in t.moves:
            assert 1 <= len(m.tokens) <= lm.max_new_tokens
            assert lm.decode(m.tokens) == m.text
            assert lm.stop not in m.tokens[:-1]


def test_a_transcript_replays_and_reads_back_with_its_tokens(lm):
    for t in played(lm):
        assert t.replay().transcript(t.players, t.seed) == t
        assert type(t).from_json(t.to_json()) == t


def test_the_same_seed_gives_the_same_transcripts(lm):
    assert played(lm, 1) == played(lm, 1)
    assert [t.moves for t in played(lm, 1)] != [t.moves for t in played(lm, 2)]


def test_temperature_0_is_the_same_for_every_seed(lm):
    a, b = (
        play_games(
            LMPlayer(lm, temperature=0), SOME, SEMI, seed=s, firsts=[0] * len(SOME)
        )
        for s in (1, 2)
    )
    assert [t.moves for t in a] == [t.moves for t in b]


def test_temperature_defaults_to_the_models_own(lm):
    assert LMPlayer(lm).temperature == 1.0
    lm.temperature = 0.5
    assert LMPlayer(lm).temperature == 0.5
    assert LMPlayer(lm, temperature=0).temperature == 0


def test_a_model_that_knows_nothing_plays_legal_games_to_the_abort():
    games = played(small_model(), games=SOME[:4])
    assert all(t.aborted for t in games)
    assert all(t.replay().tries == 5 for t in games)


def test_where_the_window_is_full_the_move_is_empty_and_nothing_is_lost(lm, spy):
    """The seat can't speak, the game goes on by the rules, others play on."""
    lm.model.config.max_position_embeddings = 70
    player = LMPlayer(lm)
    table = player.sit(2, seed=0)
    long, short = (Game(s, SEMI, 0, number=i) for i, s in enumerate(SOME[:2]))
    for _ in range(2):
        for _ in range(2):
            long = long.submit("[message] " + "i take 1 book 1 hat 1 ball . " * 2)
    moves = table.reply([long.position(), short.position()])
    assert moves[0] == Move("") and moves[1].tokens
    long = long.submit(moves[0])
    assert long.moves[-1].error == "no_prefix"
    # its correction alone would fit; what it missed before would not
    assert table.reply([long.position()]) == [Move("")]
    assert table.rows.lengths.tolist().count(0) == 3
    table.close()
