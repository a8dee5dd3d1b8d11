"""The viewer, the dashboard and the figures that follow, without a browser."""

import re
from html import unescape
from types import SimpleNamespace

import ipywidgets
import pytest

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import SEMI, Scenario, scenarios
from selfplay_kit.games.deal.scripted import Fair, Liar, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import summarise
from selfplay_kit.teach import shown, watch
from selfplay_kit.teach.notebook import show_game
from selfplay_kit.teach.watch import (
    Dashboard,
    Explorer,
    Viewer,
    explore_lambda,
    explore_temperature,
)

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
TALK = (
    "[message] for me books =1 hats =3 balls =4 .",
    "<script>alert(1)</script> 🎩",
    "[message] you can have 1 book 0 hats 1 ball , ok ?",
    "[message] ok deal , i get 1 book 0 hats 1 ball .",
    propose((2, 1, 0)),
    propose((1, 0, 1)),
)


def a_game():
    game = Game(S, SEMI)
    for text in TALK:
        game = game.submit(text)
    return game.transcript(("a", "b"))


def cells(html):
    """The rows of the last table, cell by cell, as they read."""
    last = html.rpartition("<tbody>")[2]
    return [
        [unescape(c) for c in re.findall(r"<td>(.*?)</td>", row)]
        for row in last.split("</tr>")[:-1]
    ]


def test_the_viewer_steps_through_what_each_seat_sees():
    viewer = Viewer([a_game()])
    assert "No move yet" in viewer._body.value and "<td>" not in viewer._body.value
    viewer.step(-1)
    for _ in range(50):
        assert ("5 points for player 0, 8" in viewer._body.value) == (
            viewer._move.value == len(TALK)  # the end is told at the end
        )
        viewer.step(1)
    assert viewer._move.value == viewer._move.max == len(TALK)
    body = viewer._body.value
    assert body == viewer.still() and "<script" not in body and "🎩" in body
    one, _, two = body.partition("<b>Player 1 sees</b>")
    assert "values: 1 for each book, 3 for each hat" in one
    assert "values: 2 for each book, 4 for each hat" in two
    assert "1 for each book" not in two
    left, right = one.partition("<b>Player 0 sees</b>")[2], two.partition("<table")[0]
    assert "You: for me books =1" in left and "Partner: for me books =1" in right
    assert "You tried" in right and "🎩" not in left  # a failed try is unseen
    assert "You propose, in private: (2 books" in right and "2 books, 1" not in left


def test_the_viewer_says_what_the_parser_saw_and_what_an_offer_pays():
    rows = cells(Viewer([a_game()]).still())
    assert [row[0] for row in rows] == ["0", "1", "1", "0", "1", "0"]
    assert rows[0][3] == "values (1, 3, 4): true"
    assert rows[1][2].startswith("no_prefix: An output must begin")
    assert rows[2][3:] == ["an offer", "5", "8"]
    assert rows[3][3:] == ["accepts", "5", "8"]
    assert rows[4][2] == "a proposal, to take 2 books, 1 hat, 0 balls"
    assert rows[5][4:] == ["5", "8"]


def test_an_offer_beyond_the_pool_pays_nothing():
    game = Game(S, SEMI).submit("[message] i take 9 books 0 hats 0 balls .")
    for share in (S.counts, S.counts):
        game = game.submit(propose(share))
    assert cells(Viewer([game.transcript()]).still())[0][3:] == ["an offer", "", ""]


def test_every_scripted_game_can_be_viewed():
    games = play_games((Teller(), Liar()), scenarios("development")[:40], SEMI, seed=0)
    viewer = Viewer(games)
    for i, t in enumerate(games):
        viewer._game.value = i
        assert viewer.transcript is t and viewer._move.value == 0
        assert viewer._move.max == len(t.moves)
        assert len(cells(viewer.still())) == len(t.moves)
    lies = [row for row in cells(viewer.still()) if row[3].endswith("not true")]
    assert {row[0] for row in lies} <= {"1"}


def test_no_transcripts():
    with pytest.raises(ValueError, match="nothing to step through"):
        Viewer([])


# A run, as rounds.run tells of it


GAMES = play_games(Fair(), scenarios("development")[:8], SEMI, seed=0)


def a_round(number):
    metrics = summarise(GAMES) | {
        "training": {"kept": 6, "of": 16} if number else {},
        "seconds": {"train": 60.0 * bool(number), "play": 30.0},
    }
    return SimpleNamespace(number=number, metrics=metrics, games=lambda: GAMES)


@pytest.fixture
def placed(monkeypatch):
    """What was displayed."""
    import IPython.display

    found = []
    monkeypatch.setattr(IPython.display, "display", found.append)
    set_clock(monkeypatch, range(2, 10**6, 2))
    return found


def set_clock(monkeypatch, seconds):
    """The seconds that the dashboard reads from the clock, one after the other."""
    clock = SimpleNamespace(perf_counter=iter(seconds).__next__)
    monkeypatch.setattr(watch, "time", clock)


def test_the_dashboard_follows_a_run(placed):
    board = Dashboard(SimpleNamespace(rounds=3), label="semi, ", live=True)
    assert placed == []
    board.progress("round 0: play", 4, 8)
    assert placed == [board] and board._bar.value == 0.5
    assert "semi, round 0: play: 4 of 8. How long" in board._said.value
    board.on_round(a_round(0))
    board.progress("round 1: train", 1, 1)
    board.on_round(a_round(1))
    assert placed == [board]
    assert "No round" not in board._body.value
    table = board._body.value.partition("<table>")[2].partition("</table>")[0]
    deals = f"{100 * sum(t.agreed for t in GAMES) / 8:.0f} %"
    assert table.count(deals) == 2 and "<td>38 %</td>" in table
    assert "The first game of round 1" in board._body.value
    board.progress("round 2: train", 1, 2)  # 30 s, then 30, then 90
    assert "About 2.5 minutes left." in board._said.value
    board.progress("round 3: play", 8, 8)
    board.on_round(a_round(2))
    board.on_round(a_round(3))
    assert "Semi, the run is complete" in board._said.value and board._bar.value == 1


def test_progress_is_shown_a_few_times_a_second(placed, monkeypatch):
    board = Dashboard(SimpleNamespace(rounds=1), live=True)
    set_clock(monkeypatch, [1, 1.1, 1.2, 1.3, 1.31])
    seen = []
    for done in (1, 2, 3, 4, 5):
        board.progress("round 0: play", done, 5)
        seen.append(board._bar.value)
    assert seen == [0.2, 0.2, 0.2, 0.8, 1.0]


def test_where_nobody_watches_there_are_plain_lines(placed, capsys, monkeypatch):
    monkeypatch.setenv("SELFPLAY_KIT_QUIET", "1")
    board = Dashboard(SimpleNamespace(rounds=1), label="coop, ")
    for done in range(1, 9):
        board.progress("round 0: play", done, 8)
    board.on_round(a_round(1))
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("coop, round 0: play: 8 of 8")
    points = sum(sum(t.points) for t in GAMES) / 16
    assert second.startswith(f"coop, round 1: {points:.2f} points, deals ")
    assert second.endswith(", kept 38 %") and placed == []


def test_a_complete_run_folds_into_one_line(placed, capsys):
    live = Dashboard(SimpleNamespace(rounds=1), label="semi, ", live=True, fold=True)
    quiet = Dashboard(SimpleNamespace(rounds=1), label="semi, ", live=False, fold=True)
    for board in (live, quiet):
        board.progress("round 0: play", 8, 8)
        board.on_round(a_round(0))
        assert "<details" not in board._body.value and not capsys.readouterr().out
        board.progress("round 1: train", 1, 1)
        if board is live:
            board.on_round(a_round(1))
            assert not capsys.readouterr().out
    quiet.on_round(a_round(1))
    points = sum(sum(t.points) for t in GAMES) / 16
    line = f"rounds 0 to 1: mean points {points:.2f} → {points:.2f}, deals "
    (printed,) = capsys.readouterr().out.splitlines()
    assert printed.startswith(f"semi, {line}")
    body = live._body.value
    assert body.startswith(f"<details><summary>{line}") and "Rounds so far" in body
    assert placed == [live] and "<details" not in live.still()


@pytest.mark.slow
def test_the_dashboard_takes_what_a_real_run_tells(tiny_base, tmp_path, placed):
    from selfplay_kit.learn.rounds import Config, run

    board = Dashboard(
        config := Config(base=str(tiny_base), rounds=1, games=24, temperature=0.5),
        live=True,
    )
    run(config, tmp_path, progress=board.progress, on_round=board.on_round)
    assert [r.number for r in board.rounds] == [0, 1]
    again = Dashboard(config, live=True)
    run(config, tmp_path, progress=again.progress, on_round=again.on_round)
    assert [r.metrics for r in again.rounds] == [r.metrics for r in board.rounds]
    assert cells(again._body.value) == cells(board._body.value) != []
    assert "complete" in again._said.value


# Figures that follow


def test_a_figure_follows_its_control_and_an_error_is_a_sentence():
    def draw(ax, n):
        if n == 3:
            raise ValueError("<b>three</b> is too many")
        ax.plot(range(n))
        return f"{n} points"

    made = Explorer(draw, n=ipywidgets.IntSlider(value=1, max=5))
    assert 'alt="1 points"' in made.still()
    made.controls["n"].value = 2
    assert 'alt="2 points"' in made.still()
    made.controls["n"].value = 3
    assert "&lt;b&gt;three" in made.still() and "<img" not in made.still()


def test_lambda_changes_what_a_player_wants():
    made = explore_lambda(S)

    def told():
        return unescape(re.search('alt="(.*?)"', made.still())[1])

    both = sum(S.points(0, a) > 0 and S.points(1, b) > 0 for a, b in S.allocations())
    assert told().startswith(f"At λ = 0 {both} of 16 deals beat no deal for both")
    assert "player 0's choice, reward 10" in told()
    made.controls["lam"].value = 1.0
    assert "At λ = 1 16 of 16" in told() and "player 1's choice, reward 14" in told()
    made.controls["lam"].value = -1.0
    assert "At λ = -1 0 of 16" in told()
    made.controls["mine"].value = (0, 10, 0)
    made.controls["theirs"].value = (2, 0, 4)
    assert "at least one kind must be valued by both" in made.still()
    assert (1, 1, 1) not in made.controls["mine"].options  # worth 5, not 10


def test_temperature_flattens_and_sharpens():
    made = explore_temperature({"deal": 2.0, "no": 0.0})
    assert "temperature 1: 0.53 bits" in made.still()
    made.controls["temperature"].value = 0.05
    assert "0.00 bits" in made.still()
    flat = explore_temperature({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, 3)
    assert "2.00 bits" in flat.still()


def test_a_run_of_one_game_a_round_is_shown(placed):
    """One scenario has no interval, and without a deal some metrics have no value."""
    no_deal = Game(S, SEMI)
    for text in ("[message] no", propose((3, 1, 1)), propose((3, 1, 1))):
        no_deal = no_deal.submit(text)
    for games, told in (
        (GAMES[:1], "over scenarios: "),
        ([no_deal.transcript()], "none"),
    ):
        board = Dashboard(SimpleNamespace(rounds=1), "points_agreed", live=True)
        for number in (0, 1):
            r = a_round(number)
            r.metrics |= summarise(games)
            board.on_round(r)
        shows = board.still()
        assert "Rounds so far" in shows and told in shows
        assert "run is complete" in board._said.value


def test_half_an_emoji_can_be_shown(placed):
    game = Game(S, SEMI)
    for text in ("[message] hi \ud83d", "\udc00", "[propose] (3 books, 1 hat, 1 ball)"):
        game = game.submit(text)
    t = game.submit("[propose] (0 books, 0 hats, 0 balls)").transcript()
    shows = [Viewer([t]).still(), show_game(t), shown.ending(t), shown.ending(t, 1)]
    for html in shows:
        html.encode("utf-8")
    assert all("hi \ufffd" in html for html in shows)
