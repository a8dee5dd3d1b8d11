"""The contract of a game, held by every game there is, and what breaks it."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from selfplay_kit.games import base
from selfplay_kit.games.deal.kind import Deal
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import bounds_of, summarise
from selfplay_kit.registry import Registry


@pytest.mark.parametrize("name", list(base.KINDS))
def test_every_game_holds_the_contract(name):
    kind = base.kind(name)
    base.check(kind)
    assert kind.name == name and set(kind.shares) <= set(kind.metrics)
    assert all(bounds_of(share) == (0.0, 1.0) for share in kind.shares)


@pytest.mark.parametrize("name", list(base.KINDS))
def test_every_game_is_played_read_back_and_counted(name):
    kind = base.kind(name)
    tasks = list(kind.tasks(kind.splits[0]))[:6]
    for player in kind.players.values():
        games = play_games(player(), tasks, base.COOP, seed=1)
        assert [base.read(t.to_json()) for t in games] == games
        assert [t.task for t in games] == tasks
        for t in games:
            t.replay()
            assert [float(x) for x in t.exact] == list(t.rewards)
        assert set(summarise(games)) == set(kind.metrics)


def test_rewards_are_exact_for_any_lambda():
    assert base.Objective(0.1).exact(3, 7) == (Fraction(37, 10), Fraction(73, 10))
    assert base.Objective(-0.7).exact(1, 1) == (Fraction(3, 10), Fraction(3, 10))


class Broken(Deal):
    name = "broken"


def no_key(self, split):
    return [(1, 2, 3)]


def never_invalid(self, task, objective, *, first=0, number=0):
    class Deaf:
        def submit(self, move):
            return self

        moves = (base.Move("", error=None),)

    return Deaf()


BREAKS = {
    "lacks shares": {"shares": property(lambda self: self.missing)},
    "contract in tasks": {"tasks": no_key},
    "contract in players": {"players": {}},
    "contract in submit": {"start": never_invalid},
    "contract in position": {"styles": ("long", "verse")},
    "contract in read": {"read": lambda self, record: None},
    "contract in counts": {"metrics": (*Deal.metrics, "charm")},
}


@pytest.mark.parametrize("message", BREAKS)
def test_what_breaks_the_contract_is_named_when_it_is_registered(message):
    kind = type("Broken", (Broken,), BREAKS[message])()
    kind.name = "deal"  # as its tasks say
    with pytest.raises(ValueError, match=message):
        base.check(kind)


def test_a_task_of_another_game_is_refused():
    with pytest.raises(ValueError, match="its game is 'deal'"):
        base.KINDS.register("broken", Broken())
    assert "broken" not in base.KINDS


def test_an_unknown_game_lists_those_there_are():
    with pytest.raises(
        ValueError, match="no game called 'chess'; there are: deal, matrix"
    ):
        base.kind("chess")
    with pytest.raises(ValueError, match="no game called 'go'"):
        base.read(json.dumps({"game": "go"}))
    for line in ("", "[1]", "null", "{"):
        with pytest.raises(ValueError, match="not a transcript line"):
            base.read(line)
    with pytest.raises(ValueError, match="has no variants"):
        base.kind("deal/odd")


@pytest.mark.parametrize("name", ["", "two words", "a/b", None, 3])
def test_a_registry_wants_a_name(name):
    with pytest.raises(ValueError, match="letters, digits and _"):
        Registry("thing").register(name, object())


def test_a_name_is_given_once():
    things = Registry("thing", homes={"path": ("pathlib", "Path")})
    one = things.register("one", object())
    assert things.register("one", one) is one and list(things) == ["path", "one"]
    with pytest.raises(ValueError, match="called 'one' already"):
        things.register("one", object())
    with pytest.raises(ValueError, match="called 'path' already"):
        things.register("path", object())
    assert things["path"].__name__ == "Path" and len(things) == 2
    assert things.get("one") is one and things.get("two", 2) == 2


@pytest.mark.parametrize("name", list(base.KINDS))
def test_cross_play_comparison_and_viewer_work_for_every_game(name):
    pytest.importorskip("ipywidgets")
    from selfplay_kit.measure.compare import paired
    from selfplay_kit.measure.crossplay import matrix
    from selfplay_kit.teach.watch import Viewer
    from selfplay_kit.teach.widgets import Seat

    kind = base.kind(name)
    one, two = (kind.players[n]() for n in list(kind.players)[:2])
    tasks = list(kind.tasks(kind.splits[0]))[:4]
    met = matrix({"one": one, "two": two}, tasks, base.SEMI, seed=0)
    assert met["one"]["two"]["row"]["value"] == met["two"]["one"]["column"]["value"]
    games = [play_games((one, p), tasks, base.SEMI, seed=0) for p in (one, two)]
    found = paired(*games, kind.metrics[0])
    assert found["value"] == pytest.approx(found["a"] - found["b"])
    seen = Viewer(games[0])
    seen.step(2)
    assert "Moves 1 to 2" in seen._body.value
    assert games[0][0].summary().splitlines()[0][:20] in seen.still()
    seat = Seat(two, tasks[0], base.COOP, first=1)
    seat.wait()
    assert seat.game.moves[0].seat == 1
    seat.give_up()
    assert len(seat.transcripts) == 1 and seat.transcripts[0].aborted
