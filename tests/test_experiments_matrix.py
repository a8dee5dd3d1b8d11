"""The experiment on repeated games: its cells go on, and its numbers are the seat's."""

import json

import pytest

pytest.importorskip("torch")

from experiments import __main__ as command
from experiments import matrix
from selfplay_kit import data
from selfplay_kit.games.base import SEMI
from selfplay_kit.games.matrix.players import SCRIPTS
from selfplay_kit.games.play import play_games

FEW = {"games": ("prisoners_dilemma", "chicken"), "scripts": ("tit_for_tat", "random")}


def test_a_grim_player_does_not_forgive_and_its_cells_go_on(tmp_path):
    grim = SCRIPTS["grim_trigger"]()
    found = matrix.play_cells(grim, tmp_path, **FEW)
    dilemma = found["prisoners_dilemma"]
    assert dilemma["tit_for_tat"]["cooperates"]["value"] == 1
    assert dilemma["tit_for_tat"]["forgives"]["value"] is None
    assert dilemma["random"]["forgives"]["value"] == 0
    assert dilemma["tit_for_tat"]["first_letter"]["value"] == 0.5
    assert dilemma["tit_for_tat"]["of_best"]["value"] == pytest.approx(80 / 82)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jsonl")}
    next(iter(before)).unlink()
    assert matrix.play_cells(grim, tmp_path, **FEW) == found
    kept = [p for p, t in before.items() if p.stat().st_mtime_ns == t]
    assert len(before) == 4 and len(kept) == 3


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"count": 2}, {"player": SCRIPTS["random"]()}],
    ids=["seed", "count", "player"],
)
def test_cells_of_something_else_are_refused(tmp_path, other):
    matrix.play_cells(SCRIPTS["alternate"](), tmp_path, **FEW)
    player = other.pop("player", SCRIPTS["alternate"]())
    with pytest.raises(ValueError, match="Choose another --out"):
        matrix.play_cells(player, tmp_path, **FEW | other)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_swaps_need_an_even_number(tmp_path, count):
    with pytest.raises(ValueError, match="an even number"):
        matrix.play_cells(SCRIPTS["random"](), tmp_path, count=count)


def test_one_command_plays_a_model_with_and_without_a_prediction(tmp_path, capsys):
    few = ["--games", "chicken", "--scripts", "random", "--count", "2"]
    line = ["matrix", "tiny", "--out", str(tmp_path), *few]
    assert command.main(line) == 0
    told = json.loads((tmp_path / "matrix.json").read_text("utf-8"))
    for style in matrix.STYLES:
        invalid = told[style]["chicken"]["random"]["invalid"]
        assert 0 <= invalid["value"] <= 1
    assert "scot chicken random: points" in capsys.readouterr().out
    assert command.main([*line, "--seed", "1"]) == 1
    assert "decided by something else" in capsys.readouterr().err


@pytest.mark.parametrize("style", matrix.STYLES)
def test_a_model_held_to_the_form_makes_no_invalid_output(style):
    from selfplay_kit.games.matrix.rules import tasks
    from selfplay_kit.games.matrix.text import parse
    from selfplay_kit.lm.models import load_model

    lm = load_model(data.path("tiny/matrix"))
    lm.style = style
    some = tasks("chicken", "test")[:2]
    for temperature in (0.0, 1.0):
        pair = (matrix.Forced(lm, temperature), SCRIPTS["random"]())
        games = play_games(pair, some, SEMI, seed=0)
        assert games == play_games(pair, some, SEMI, seed=0)
        for t in games:
            own = [parse(m.text, t.task.labels) for m in t.moves if m.seat == 0]
            assert len(own) == 10 and not any(r.error for r in own)
            assert all((r.predicted is not None) == (style == "scot") for r in own)
