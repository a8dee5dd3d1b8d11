"""Repeated 2x2 games: payoffs, equilibria, best responses, hidden choices, text."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games import base
from selfplay_kit.games.base import COOP, SEMI, STRICT, Objective
from selfplay_kit.games.matrix import MATRIX, VARIANTS
from selfplay_kit.games.matrix.game import Game
from selfplay_kit.games.matrix.players import SCRIPTS, TitForTat
from selfplay_kit.games.matrix.rules import (
    GAMES,
    SPLITS,
    Matrix,
    best_response,
    equilibria,
    ordinal,
    tasks,
)
from selfplay_kit.games.matrix.text import ERRORS, STYLES, choose, parse
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import summarise

from .strategies import TEXT

PD = Matrix("prisoners_dilemma", GAMES["prisoners_dilemma"])
JF = ("J", "F")


def play(task, *labels, first=0, objective=SEMI):
    game = Game(task, objective, first)
    for label in labels:
        game = game.submit(choose(label))
    return game


def test_what_the_prisoners_dilemma_pays():
    assert [PD.pays(a, b) for a, b in product((0, 1), repeat=2)] == [
        (8, 8),
        (0, 10),
        (10, 0),
        (5, 5),
    ]


@pytest.mark.parametrize(
    ("name", "pure"),
    {
        "prisoners_dilemma": {(1, 1)},
        "battle_of_the_sexes": {(0, 0), (1, 1)},
        "stag_hunt": {(0, 0), (1, 1)},
        "chicken": {(0, 1), (1, 0)},
        "matching_pennies": set(),
        "coordination": {(0, 0), (1, 1)},
    }.items(),
)
def test_the_named_games_have_their_pure_equilibria(name, pure):
    points = [(1 - p, 1 - q) for p, q in equilibria(GAMES[name])]
    assert {pair for pair in points if set(pair) <= {0, 1}} == pure


def expected(payoffs, p, q, objective, seat):
    """What ``seat`` is paid where both mix."""
    return sum(
        (p if a == 0 else 1 - p)
        * (q if b == 0 else 1 - q)
        * objective.exact(*payoffs[a][b])[seat]
        for a, b in product((0, 1), repeat=2)
    )


def is_equilibrium(payoffs, p, q, objective):
    x, y = (expected(payoffs, p, q, objective, seat) for seat in (0, 1))
    return all(
        expected(payoffs, Fraction(d), q, objective, 0) <= x
        and expected(payoffs, p, Fraction(d), objective, 1) <= y
        for d in (0, 1)
    )


CELL = st.tuples(st.integers(0, 6), st.integers(0, 6))
ROW = st.tuples(CELL, CELL)
LAMBDAS = st.sampled_from([SEMI, COOP, STRICT, Objective(0.5), Objective(-0.3)])


@given(st.tuples(ROW, ROW), LAMBDAS)
def test_equilibria_are_those_of_a_brute_search(payoffs, objective):
    found = equilibria(payoffs, objective)
    assert found  # Nash (1950)
    assert all(is_equilibrium(payoffs, p, q, objective) for p, q in found)
    grid = [Fraction(n, 4) for n in range(5)]
    isolated = {p for p, _ in found}, {q for _, q in found}
    for p, q in product(grid, grid):
        if is_equilibrium(payoffs, p, q, objective):  # lies between extreme ones
            assert min(isolated[0]) <= p <= max(isolated[0])
            assert min(isolated[1]) <= q <= max(isolated[1])
            if {p, q} <= {0, 1}:
                assert (p, q) in found


def test_the_144_games_are_all_different_in_every_order_of_rows_and_columns():
    games = list(ordinal())
    orders = {
        (
            ((t[a][b]), t[a][1 - b]),
            ((t[1 - a][b]), t[1 - a][1 - b]),
        )
        for t in games
        for a, b in product((0, 1), repeat=2)
    }
    assert len(games) == 144 and len(orders) == 576  # 24 x 24 rankings
    assert all(
        sorted(cell[s] for row in t for cell in row) == [1, 2, 3, 4]
        for t in games
        for s in (0, 1)
    )


def brute(task, script, seat, objective):
    """The best reward of all sequences of own actions, against a script without
    chance (it then sees nothing that the sequence does not decide)."""
    best = []
    for mine in product((0, 1), repeat=task.rounds):
        game = Game(task, objective, first=0)
        table = script.sit(1, seed=0)
        for action in mine:
            for _ in (0, 1):
                if game.turn == seat:
                    game = game.submit(choose(task.labels[action]))
                else:
                    game = game.submit(table.reply([game.position()])[0])
        best.append(objective.exact(*game.points)[seat])
    return max(best)


@pytest.mark.parametrize("name", [n for n in SCRIPTS if n != "random"])
@pytest.mark.parametrize("game", GAMES)
def test_best_responses_are_those_of_a_brute_search(name, game):
    task = Matrix(game, GAMES[game], JF, rounds=4)
    for seat, objective in ((0, SEMI), (1, Objective(0.5)), (1, STRICT)):
        exact = best_response(task, SCRIPTS[name](), seat, objective)
        assert exact == brute(task, SCRIPTS[name](), seat, objective)


def test_best_responses_to_chance():
    coin = SCRIPTS["random"]()
    assert best_response(PD, coin) == 10 * Fraction(15, 2)  # defects: (10 + 5) / 2
    noisy = TitForTat(noise=0.1)
    one = Matrix("pd", PD.payoffs, JF, rounds=1)
    assert best_response(one, noisy) == Fraction(95, 100) * 10 + Fraction(5, 100) * 5


KNOWN = {  # of ten rounds of the prisoner's dilemma: points of the first and second
    ("tit_for_tat", "tit_for_tat"): (80, 80),
    ("tit_for_tat", "always_defect"): (45, 55),
    ("grim_trigger", "alternate"): (
        68,
        38,
    ),  # 8 + 0 + 4 x 10 + 4 x 5, and 8 + 10 + 4 x 5
    ("always_cooperate", "always_defect"): (0, 100),
    ("win_stay_lose_shift", "always_defect"): (25, 75),
    ("win_stay_lose_shift", "win_stay_lose_shift"): (80, 80),
}


@pytest.mark.parametrize("pair", KNOWN)
def test_known_meetings_of_scripts(pair):
    players = tuple(SCRIPTS[name]() for name in pair)
    for first in (0, 1):
        t = play_games(players, [PD], SEMI, seed=0, firsts=[first])[0]
        assert t.points == KNOWN[pair]


@pytest.mark.parametrize("a", SCRIPTS)
@pytest.mark.parametrize("b", SCRIPTS)
def test_every_script_plays_every_script_in_every_game(a, b):
    some = [ts[0] for ts in (tasks(name, "test") for name in VARIANTS)]
    pair = (SCRIPTS[a](), SCRIPTS[b](noise=0.2))
    games = play_games(pair, some, COOP, seed=3)
    assert games == play_games(pair, some, COOP, seed=3)
    for t in games:
        assert t.settled and len(t.played) == 10 and t.replay().over
        assert base.read(t.to_json()) == t
        limit = best_response(t.task, pair[1], 0)
        if a != "random":
            assert t.points[0] >= 0 and limit >= 0


@given(st.permutations(["J", "F"]), st.integers(0, 1), st.lists(st.booleans()))
def test_a_hidden_choice_is_seen_by_nobody_else(pair, first, earlier):
    labels = [JF[b] for b in earlier[:9]]
    game = play(PD, *(x for x in labels for _ in (0, 1)), first=first)
    one, two = (game.submit(choose(label)) for label in pair)
    assert one.turn == two.turn == 1 - first
    assert one.position() == two.position() == game.position(1 - first)
    for style in STYLES:
        seen = [[p.position().system(style)] for p in (one, two)]
        assert seen[0] == seen[1]
    stumbled = one.submit("hm"), two.submit("hm")
    assert stumbled[0].position() == stumbled[1].position()
    assert game.submit("hm").position(1 - first) == game.position(1 - first)


def test_both_seats_see_the_round_from_their_side():
    game = play(PD, "J", "F")
    views = [game.position(seat).lines[-1] for seat in (0, 1)]
    assert [v.text for v in views] == ["1 J F", "1 F J"]
    heard = [game.position(s).heard(views[s], "long") for s in (0, 1)]
    assert "you chose J and got 0 points" in heard[0] and "F and got 10" in heard[0]
    assert "you chose F and got 10 points" in heard[1]
    assert game.position(1).heard(views[1], "short") == "[played] f j =10 =0"
    assert [game.position(s).history for s in (0, 1)] == [((0, 1),), ((1, 0),)]


READINGS = {
    "[choose] J": (0, None, None),
    " [ Choose ]  f.\nbecause": (1, None, None),
    "[predict] F [choose] J": (0, 1, None),
    "[predict] Option F, [choose] Option F!": (1, 1, None),
    "j": (0, None, None),
    "Option F.": (1, None, None),
    "": (None, None, "no_choice"),
    "\n": (None, None, "no_choice"),
    "[choose]": (None, None, "no_choice"),
    "I think J": (None, None, "no_choice"),
    "[predict] J": (None, None, "no_prediction"),
    "[predict] [choose] J": (None, None, "no_prediction"),
    "[predict] K [choose] J": (None, None, "no_prediction"),
    "[choose] K": (None, None, "no_option"),
    "cooperate": (None, None, "no_option"),
    "J or F": (None, None, "second_choice"),
    "[choose] J [choose] F": (None, None, "second_choice"),
    "[choose] JF": (None, None, "no_option"),
}


@pytest.mark.parametrize("text", READINGS)
def test_what_the_parser_reads(text):
    r = parse(text, JF)
    assert (r.choice, r.predicted, r.error) == READINGS[text]


@given(TEXT | st.text(alphabet="[]choseprdit JFjf\n.,0", max_size=30))
def test_any_text_is_a_move_or_a_try(text):
    game = Game(PD, SEMI).submit(text)
    last = game.moves[-1]
    assert last.error is None or last.error in ERRORS
    assert (game.hidden is None) == (last.error is not None)
    for seat in (0, 1):
        p = game.position(seat)
        for style in STYLES:
            for line in p.lines:
                assert p.heard(line, style) if line.by == "correction" else True
                assert "<|" not in p.own(line.text)
    while not game.over:
        game = game.submit(text)
    t = game.transcript()
    assert base.read(t.to_json()) == t and t.replay().over


def test_the_fifth_invalid_output_in_a_row_aborts_and_pays_nothing():
    game = play(PD, "J", "F", "F")
    for _ in range(4):
        game = game.submit("what?")
    assert not game.over and game.submit("[choose] J").tries == 0
    game = game.submit("")
    assert game.over and game.aborted and game.points == (0, 0)
    t = game.transcript()
    assert not t.settled and base.read(t.to_json()) == t
    with pytest.raises(ValueError, match="is over"):
        game.submit("[choose] J")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", GAMES)
def test_labels_tell_nothing_of_the_actions(name, split):
    pairs = [t.labels for t in tasks(name, split)]
    assert {(b, a) for a, b in pairs} == set(pairs)  # each letter names each action
    for t in tasks(name, split):
        prompts = [base.start(t, SEMI).position().system(s) for s in ("long", "scot")]
        one, two = sorted(t.labels)
        for prompt in prompts:
            assert (
                f"choose {one} or {two}" in prompt and f"{two} or {one}" not in prompt
            )


def test_splits_share_no_task():
    for name in VARIANTS:
        parts = [set(base.kind(f"matrix/{name}").tasks(s)) for s in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts)) > 0
    keys = {t.name for s in SPLITS for t in tasks("ordinal", s)}
    assert len(keys) == 144


def test_a_player_of_one_letter_cooperates_in_half_of_its_rounds():
    class First:
        name = "first"

        def sit(self, games, *, seed):
            return self

        def reply(self, positions):
            return [base.Move(min(p.task.labels)) for p in positions]

        def close(self):
            pass

    games = play_games(First(), tasks("prisoners_dilemma", "test"), SEMI, seed=0)
    assert summarise(games)["cooperation"]["value"] == 0.5


def test_what_is_counted():
    bos = Matrix("battle_of_the_sexes", GAMES["battle_of_the_sexes"], JF, rounds=4)
    t = play(bos, *"JJFFFFJF").transcript()  # 10 7, 7 10, 7 10, 0 0
    c = MATRIX.counts(t, Objective(0.5))
    assert c["mean_points"] == (51, 8) and c["mean_joint"] == (51, 4)
    assert c["mean_reward"] == (51 * 1.5, 8)
    assert c["coordination"] == (3, 4) and c["joint_optimal"] == (3, 4)
    assert c["alternation"] == (1, 3) and c["cooperation"] == (0, 0)
    pd = Matrix("prisoners_dilemma", PD.payoffs, JF, rounds=2)
    game = Game(pd, SEMI, first=1)
    for text in ("[predict] F [choose] J", "hm", "J", "[choose] J", "F"):
        game = game.submit(text)
    c = MATRIX.counts(game.transcript(), SEMI)
    assert c["cooperation"] == (3, 4) and c["predicted"] == (0, 1)
    assert c["error_rate"] == (1, 1) and c["abort_rate"] == (0, 1)
    assert c["coordination"] == (0, 0)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_holds_the_contract(name):
    base.check(base.kind(f"matrix/{name}"))


def test_an_unknown_variant_lists_those_there_are():
    with pytest.raises(ValueError, match="called 'poker'; there are: prisoners_dil"):
        base.kind("matrix/poker")


BAD_TASKS = [
    {"payoffs": (((1, 1), (0, 0)),)},
    {"payoffs": (((1, 1), (0, -1)), ((0, 0), (1, 1)))},
    {"payoffs": (((1, 1), (0, 0.5)), ((0, 0), (1, 1)))},
    {"payoffs": (((1, 1), (0, 0, 0)), ((0,), (1, 1)))},
    {"labels": ("J", "J")},
    {"labels": ("C", "D")},
    {"labels": ("j", "f")},
    {"rounds": 0},
    {"rounds": 2.0},
    {"rounds": True},
]


@pytest.mark.parametrize("wrong", BAD_TASKS, ids=str)
def test_a_task_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        Matrix(**{"name": "x", "payoffs": PD.payoffs} | wrong)


BAD_LINES = [
    {"task": None},
    {"task": {"name": "pd"}},
    {"lambda": 2},
    {"first": 2},
    {"first": "0"},
    {"moves": [{"text": "J"}]},
    {"moves": [{"text": None, "seat": 0}]},
    {"moves": [{"text": "J", "seat": 1}]},
    {"moves": 3},
    {"points": [1, 2]},
    {"points": None},
    {"aborted": True},
    {"players": ["a"]},
    {"players": [1, 2]},
]


@pytest.mark.parametrize("wrong", BAD_LINES, ids=str)
def test_a_line_that_is_damaged_is_refused(wrong):
    t = play(Matrix("pd", PD.payoffs, JF, 1), "J", "F").transcript(("a", "b"), 7)
    record = json.loads(t.to_json())
    assert base.read(json.dumps(record)) == t and record["game"] == "matrix"
    with pytest.raises(ValueError, match=r"\w"):
        base.read(json.dumps(record | wrong))
    for key in set(record) - {"game"}:
        with pytest.raises(ValueError, match="not a transcript line"):
            base.read(json.dumps({k: v for k, v in record.items() if k != key}))


def test_an_endpoint_reads_the_same_prompt():
    endpoint = pytest.importorskip("selfplay_kit.lm.endpoint")
    game = Game(PD, SEMI).submit("hm").submit("[choose] J").submit("F")
    messages = endpoint.chat_messages(game.position(0), "scot")
    assert [m["role"] for m in messages] == [
        *("system", "assistant", "user", "assistant", "user")
    ]
    assert "First predict" in messages[0]["content"]
    assert messages[2]["content"].startswith("Invalid output. What is named is none")
    assert messages[-1]["content"].startswith("Round 1: you chose J and got 0 points")
    assert endpoint.EndpointPlayer("m", "http://localhost:1/v1", style="scot").style


def test_a_language_model_plays_it_whatever_it_says():
    pytest.importorskip("torch")
    from selfplay_kit.lm.models import load_model
    from selfplay_kit.lm.player import LMPlayer

    player = LMPlayer(load_model("tiny"))
    some = tasks("chicken", "test")[:3]
    games = play_games((player, TitForTat()), some, SEMI, seed=0)
    for t in games:
        assert t.replay().over and base.read(t.to_json()) == t
        assert all(m.tokens for m in t.moves if m.seat == 0)


def test_no_other_file_knows_the_game():
    package = Path(base.__file__).parents[1]
    knowing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(
            r"games.matrix|prisoner|[\"\']matrix[\"\']", path.read_text("utf-8")
        )
    }
    inside = {path for path in knowing if path.startswith("games/matrix/")}
    assert knowing - inside == {"games/base.py"} and len(inside) >= 4


def test_the_tiny_models_words_cover_all_that_is_said():
    pytest.importorskip("torch")
    from selfplay_kit.learn import tiny

    words = tiny.make_tokenizer("matrix")
    plain = tiny.vocabulary()
    assert tiny.vocabulary("matrix")[: len(plain)] == plain
    games = tiny.script_games(
        60, 1, game="matrix", tempers=tuple(SCRIPTS), noise=0.3, slip=0.3
    )
    said = [m.text for t in games for m in t.moves if m.text]
    read = [t.position(seat).system("short") for t in games for seat in (0, 1)]
    for t in games:
        p = t.position(1)
        read += [
            p.heard(x, "short") for x in p.lines if x.by in ("played", "correction")
        ]
    assert {m.error for t in games for m in t.moves} == {None, *ERRORS}
    for text in {*said, *read}:
        ids = words(text, add_special_tokens=False).input_ids
        assert words.unk_token_id not in ids, text
        for labels in {t.task.labels for t in games}:
            assert parse(words.decode(ids), labels) == parse(text, labels)


def test_a_base_of_the_game_is_made_and_read_back(tmp_path):
    pytest.importorskip("torch")
    from experiments.bases import make_base_of
    from selfplay_kit.lm.models import load_model
    from selfplay_kit.lm.player import LMPlayer

    make_base_of("matrix/chicken", tmp_path, steps=12)
    lm = load_model(tmp_path)
    assert lm.encode("[choose] j") == (*lm.encode("[choose]"), *lm.encode("j"))
    games = play_games(LMPlayer(lm), tasks("chicken", "train")[:4], SEMI, seed=0)
    assert all(t.replay().over for t in games)


def test_the_shipped_base_plays_rounds_like_any_other(tmp_path):
    torch = pytest.importorskip("torch")
    from selfplay_kit import data
    from selfplay_kit.learn.rounds import Config, run

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    config = Config(
        game="matrix/stag_hunt",
        base=str(data.path("tiny/matrix")),
        rounds=1,
        games=24,
        epochs=1,
        lam=1.0,
    )
    first, last = run(config, tmp_path)
    torch.set_num_threads(before)
    assert 0.2 < first.metrics["cooperation"]["value"] < 0.8
    assert first.metrics["abort_rate"]["value"] < 0.2
    assert {t.task.name for t in last.games()} == {"stag_hunt"}
    assert all(t.replay().over for t in last.games())


def test_a_person_plays_it_at_the_same_table(tmp_path):
    pytest.importorskip("ipywidgets")
    from selfplay_kit.teach.widgets import Seat

    seat = Seat(TitForTat(), game="matrix/chicken", first=1, save_to=tmp_path)
    for _ in range(10):
        seat.wait()
        clicks = seat._chosen.children
        assert [c.description for c in clicks] == sorted(seat.game.task.labels)
        clicks[0].click()
    seat.wait()
    (t,) = seat.transcripts
    assert t.settled and t.first == 1 and t.task.name == "chicken"
    line = (tmp_path / "games.jsonl").read_text("utf-8")
    assert base.read(line) == t


def test_a_server_plays_it_with_a_prediction_first():
    pytest.importorskip("openai")
    from selfplay_kit.lm.endpoint import EndpointPlayer

    from .test_endpoint import Server, said

    def copy(n, body):  # what the other chose last, and on the first turn any letter
        last = body["messages"][-1]["content"]
        heard = re.search(r"the other player chose (\w)", last)
        label = heard[1] if heard else re.search(r"choose (\w) or", last)[1]
        return said(f"[predict] {label} [choose] {label}")

    server = Server(copy)
    try:
        player = EndpointPlayer("m", server.url, style="scot", retries=0, timeout=10)
        pair = (player, SCRIPTS["always_defect"]())
        games = play_games(pair, tasks("prisoners_dilemma", "test")[:2], SEMI, seed=0)
    finally:
        server.close()
    for t in games:
        assert t.settled and [a for a, _ in t.played][1:] == [1] * 9
        right, made = MATRIX.counts(t, SEMI)["predicted"]
        assert made == 10 and right >= 9
    assert "First predict" in server.asked[0]["messages"][0]["content"]
