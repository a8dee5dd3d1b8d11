"""The table to play at, without a browser: clicks and events are simulated."""

import random
import re
import threading

import ipywidgets as w
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import Move, propose
from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, Objective, Scenario
from selfplay_kit.games.deal.scripted import NEGOTIATORS, Fair
from selfplay_kit.learn.rounds import read_games
from selfplay_kit.teach import shown, watch, widgets
from selfplay_kit.teach.widgets import Table

from . import strategies

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
RUDE = "<script>alert(1)</script> 🎩 & <b>deal</b>"


class Parrot:
    """Says its lines in turn; one that is an exception is raised, an event awaited."""

    name = "<i>parrot</i>"

    def __init__(self, *lines):
        self.lines, self.sat, self.closed = list(lines), [], 0

    def sit(self, games, *, seed):
        self.sat.append((games, seed))
        return self

    def reply(self, positions):
        line = self.lines.pop(0)
        if isinstance(line, threading.Event):
            assert line.wait(10)
            line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return [Move(line)]

    def close(self):
        self.closed += 1


def press_enter(table, typed):
    """As the browser does it: first that Enter was pressed, then the text."""
    table._box._handle_custom_msg({"event": "submit"}, [])
    table._box.value = typed


def pick(table, share):
    for count, n in zip(table._counts, share, strict=True):
        count.value = n


def test_a_whole_game_by_clicks_is_saved_and_replays(tmp_path):
    told = []
    table = Table(
        Fair(), S, COOP, first=0, save_to=tmp_path / "new", on_end=told.append
    )
    assert table._propose.disabled and not table._send_button.disabled
    press_enter(table, "hello there")
    table.wait()
    pick(table, (0, 0, 1))
    table._ask.click()
    table.wait()
    assert table.game.moves[2].text == "[message] i take 0 books 0 hats 1 ball ."
    table._propose.click()
    table.wait()
    (t,) = table.transcripts
    assert told == [t] and read_games(tmp_path / "new" / "games.jsonl") == [t]
    assert t.replay().points == t.points and t.players == ("person", "fair")
    assert t.agreed and t.points == (4, 10)
    assert table._play.layout.display == "none" and table._again.layout.display == ""
    assert "Deal: 4 points for you, 10 for your partner" in table._end.value
    assert "values were 2 for each book, 4 for each hat, 0" in table._end.value
    assert "It is Pareto-optimal" in table._end.value
    assert "Your reward: 14 (λ = 1)" in table._end.value

    table._again.click()
    assert table.game.scenario != S and table._end.value == ""
    assert table._play.layout.display == ""
    table.wait()
    if table.game.accepted == 0:
        table.say("hi")
        table.wait()
    table._give_up.click()
    assert [t.aborted for t in read_games(tmp_path / "new" / "games.jsonl")] == [
        False,
        True,
    ]
    assert table.transcripts[1].replay().points == (0, 0)
    assert "No deal: five invalid outputs in a row." in table._end.value


@settings(max_examples=10, deadline=None)
@given(
    strategies.scenarios(),
    st.sampled_from(sorted(NEGOTIATORS)),
    st.integers(0, 1),
    st.integers(0, 10**6),
)
def test_whatever_a_person_does_the_record_replays(scenario, name, seat, seed):
    rng = random.Random(seed)
    table = Table(NEGOTIATORS[name](), scenario, SEMI, seat=seat, seed=seed)
    while not table.game.over:
        table.wait()
        if not table.may_move:
            continue
        pick(table, [rng.randint(0, n) for n in scenario.counts])
        what = rng.choice(
            (table._ask, table._propose, table._send_button, table._give_up)
        )
        table._box.value = rng.choice(("ok", "[propose] (9 books)", RUDE, "  "))
        what.click()
    (t,) = table.transcripts
    assert t.replay().points == t.points == table.game.points
    assert t.players[seat] == "person"


def test_nobody_sends_twice_and_the_kernel_is_free():
    gate = threading.Event()
    table = Table(Parrot(gate, "[message] well", "[message] hm"), S, first=0)
    assert table.say("first") and not table.may_move
    assert "thinking" in table._note.value
    assert not table.say("second") and not table.propose((1, 0, 0))
    assert not table.give_up()
    table.new_game()
    press_enter(table, "third")
    assert table._box.value == "third"  # kept, to be sent later
    assert len(table.game.moves) == 1
    gate.set()
    table.wait()
    assert [m.text for m in table.game.moves] == ["[message] first", "[message] well"]
    assert "Your turn" in table._note.value
    table._send_button.click()
    table.wait()
    assert table.game.moves[2].text == "[message] third" and table._box.value == ""


def test_enter_with_a_text_that_the_kernel_has_already():
    table = Table(Parrot("[message] yes"), S, first=0)
    table._box.value = "typed, and then the box was left"
    assert table.game.moves == ()
    table._box._handle_custom_msg({"event": "submit"}, [])
    for timer in threading.enumerate():
        if isinstance(timer, threading.Timer):
            timer.join(10)
    table.wait()
    assert len(table.game.moves) == 2


def test_corrections_are_shown_and_the_fifth_error_ends_the_game():
    table = Table(Parrot("[message] yes"), S, first=0)
    table.say("[propose] (1 book, 0 hats, 1 ball)")
    assert "At least one message must be sent" in table._talk.value
    assert "You tried: [propose] (1 book" in table._talk.value
    assert table.say("") is False and table.say("  \n ") is False
    for _ in range(4):
        assert table.may_move
        table.say("hm [propose] (1 book, 0 hats, 1 ball)")
    assert table.game.aborted and "five invalid outputs" in table._end.value


def test_after_the_partners_proposal_only_a_proposal_is_left():
    table = Table(Parrot("[propose] (3 books, 1 hat, 1 ball)"), S, first=0)
    table.say("hello")
    table.wait()
    assert table._send_button.disabled and table._ask.disabled and table._box.disabled
    assert not table._propose.disabled
    assert "Your partner has proposed" in table._note.value
    assert "3 books" not in table._talk.value  # it is hidden
    pick(table, (1, 0, 0))
    table._propose.click()
    assert "you took 1 book, 0 hats, 0 balls, your partner 3 books" in table._end.value


def test_a_partner_that_fails_is_reported_and_a_new_game_starts(tmp_path):
    parrot = Parrot(RuntimeError("<b>no memory</b>"), "[message] back", "[message] ok")
    table = Table(parrot, S, first=0, save_to=tmp_path)
    table.say("hello")
    table.wait()
    assert "RuntimeError: &lt;b&gt;no memory" in table._note.value
    assert not table.may_move and parrot.closed == 1 and table.transcripts == []
    assert list(tmp_path.iterdir()) == []
    table._again.click()
    table.say("again")
    table.wait()
    assert table.game.accepted == 2
    assert [seed for _, seed in parrot.sat] == ["0/0", "0/1"]


def test_a_folder_that_cannot_be_written_loses_no_ending(tmp_path):
    (tmp_path / "file").write_text("")
    table = Table(Fair(), S, first=0, save_to=tmp_path / "file")
    table.give_up()
    assert "could not be saved" in table._note.value
    assert len(table.transcripts) == 1 and "No deal" in table._end.value
    table.new_game()
    assert table.number == 2


@pytest.mark.parametrize("seat", [0, 1])
def test_what_is_written_is_never_markup(seat):
    partner = Parrot(*[f"[message] {RUDE}"] * 2, f"[propose] {RUDE}", propose(S.counts))
    table = Table(partner, S, seat=seat, first=0)
    table.wait()
    table.say(RUDE)
    table.wait()
    table.say(f"[propose] {RUDE}")
    table.give_up()
    everything = "".join(
        x.value for x in (table._head, table._talk, table._note, table._end)
    )
    everything += table.still()
    assert "&lt;script&gt;" in everything and "🎩" in everything
    allowed = "p div table caption thead tbody tr th td style img details summary"
    assert set(re.findall(r"</?([a-z]+)", everything)) <= set(allowed.split())
    assert "alert(1)</" not in everything


def test_the_same_seed_gives_the_same_games():
    games = [Table(Fair(), seed=7).game for _ in range(2)]
    assert games[0].scenario == games[1].scenario and games[0].first == games[1].first
    assert Table(Fair(), seed=8).game.scenario != games[0].scenario


@pytest.mark.slow
def test_a_language_model_answers_from_its_thread(lm):
    from selfplay_kit.lm.player import LMPlayer

    table = Table(LMPlayer(lm), S, first=0, seed=1)
    while not table.game.over:
        assert table.say("i take 1 book 0 hats 1 ball .") or table.propose((1, 0, 1))
        table.wait()
        if table.game.position(0).must_propose:
            assert table.propose((1, 0, 1))
    (t,) = table.transcripts
    assert t.replay().points == t.points
    assert all(m.tokens for m in t.moves if m.seat == 1) and table.trouble == ""


def test_nothing_of_ours_hides_a_method_of_the_widget():
    for panel in (Table(Fair(), S), watch.Viewer([a_transcript()])):
        hidden = [n for n in vars(panel) if callable(getattr(w.VBox, n, None))]
        assert hidden == []


def a_transcript():
    game = Game(S, SEMI)
    for text in ("[message] x", propose((0, 0, 1)), propose((3, 1, 0))):
        game = game.submit(text)
    return game.transcript()


def test_a_seat_that_is_none():
    with pytest.raises(ValueError, match="seat must be 0 or 1; got 2"):
        Table(Fair(), seat=2)


def test_a_page_without_a_kernel_shows_pool_and_talk():
    bundle = Table(Fair(), S, first=0)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Divide these" in bundle["text/html"]
    assert "a table to play at" in bundle["text/html"]


def test_who_draws_neither_widgets_nor_html_gets_a_sentence():
    from IPython.core.formatters import DisplayFormatter

    for panel in (Table(Fair(), S), watch.Viewer([a_transcript()])):
        data, _ = DisplayFormatter().format(panel)
        assert data["text/plain"] == panel.words and "draws" in panel.words
        assert data["text/html"] == panel.still()
        assert data[widgets.VIEW]["model_id"] == panel.model_id
    assert "play_by_typing" in Table.words


def test_what_ipywidgets_7_lacks_is_done_without(monkeypatch):
    old = w.ButtonStyle.class_trait_names
    monkeypatch.setattr(
        w.ButtonStyle,
        "class_trait_names",
        lambda: [n for n in old() if n != "text_color"],
    )
    assert widgets.button("Send", print, **widgets.MAIN).button_style == "primary"
    assert widgets.button("Back", print).button_style == ""
    widgets.focus(object())  # a control without a way to focus it


# What is shown


@given(strategies.scenarios(), st.floats(-1, 1), st.data())
def test_the_reward_lies_in_the_range_that_is_told(scenario, lam, data):
    objective = Objective(round(lam, 2))
    share, rest = data.draw(st.sampled_from(scenario.allocations()))
    told = shown.worth(Game(scenario, objective).position(0), share)
    points = scenario.points(0, share), scenario.points(1, rest)
    assert f"worth {points[0]} of 10 points" in told
    if objective.lam:
        low, high = re.search(r"between (\S+) and (\S+),", told).groups()
        reward = objective.rewards(*points)[0]
        assert float(low) - 1e-4 <= reward <= float(high) + 1e-4


def test_the_reward_in_words():
    def paid(objective):
        return shown.head(Game(S, objective).position(0)).partition("Your reward: ")[2]

    assert paid(SEMI).startswith("your own points;")
    assert paid(COOP).startswith("your points + your partner&#x27;s points;")
    assert paid(STRICT).startswith("your points − your partner&#x27;s points;")
    assert paid(Objective(0.5)).startswith("your points + 0.5 × your partner")


@pytest.mark.parametrize("seat", [0, 1])
def test_an_ending_is_told_from_ones_own_seat(seat):
    game = Game(S, SEMI, first=1)
    for text in ("[message] x", propose((1, 0, 1)), propose((2, 1, 0))):
        game = game.submit(text)
    told = shown.ending(game.transcript(), seat)
    assert f"Deal: {(5, 8)[seat]} points for you, {(8, 5)[seat]} for your" in told
    assert "It is Pareto-optimal" in told
    assert 'alt="Every deal by your points' in told
    said = ("you", "your partner") if seat == 1 else ("your partner", "you")
    assert f"<td>{said[0]}</td><td>[message] x</td>" in told  # seat 1 spoke first
    mine, theirs = ("(1, 3, 4)", "(2, 4, 0)")[:: 1 - 2 * seat]
    assert f"{mine} (you)" in told and f"{theirs} (your partner)" in told


def test_a_deal_that_is_not_optimal_says_what_would_be():
    t = a_transcript()
    assert t.points == (6, 0)
    assert (
        "not Pareto-optimal: another deal pays you 7 and your partner 6"
        in shown.ending(t)
    )
    assert "another deal pays you 6 and your partner 7" in shown.ending(t, 1)


def test_a_game_of_too_many_moves():
    game = Game(S, SEMI)
    while not game.over:
        game = game.submit("[message] hm")
    assert "No deal: too many moves." in shown.ending(game.transcript())


def test_a_picture_has_words_and_no_pyplot():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    made = shown.picture(lambda f: f.subplots().plot([1, 2]) and 'a "line"')
    assert 'alt="a &quot;line&quot;"' in made and "data:image/svg+xml;base64," in made
    assert plt.get_fignums() == before
    assert widgets.Panel().still() == ""
