"""The recording of cross-play: its file is whole, its numbers add up, a rerun plays
nothing."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments import crossplay as study_module
from experiments import meetings
from experiments.crossplay import crossplay
from experiments.meetings import KEPT, Study, Who, pooled
from experiments.said import accepts_falsely, false_acceptance, proposed
from selfplay_kit import data
from selfplay_kit.game import Game
from selfplay_kit.models import load_model
from selfplay_kit.rounds import Config, run
from selfplay_kit.rules import SEMI, STRICT, Scenario

SPINE = data.path("reference/spine.json")
SCRIPTS = ("blind", "stubborn")
GOALS = {"semi": SEMI, "strict": STRICT}


@pytest.fixture(scope="module")
def patched(tiny_base):
    with pytest.MonkeyPatch.context() as patch:
        scripts = {n: meetings.NEGOTIATORS[n] for n in SCRIPTS}
        for module in (study_module, meetings):
            patch.setattr(module, "NEGOTIATORS", scripts)
            patch.setattr(module, "OBJECTIVES", GOALS)
        patch.setattr(meetings, "SCENARIOS", 2)
        patch.setattr(meetings, "SEARCHED", 1)
        patch.setattr(study_module, "ROUNDS", (1,))
        patch.setattr(study_module, "OTHERS", ("tiny-weak",))
        patch.setattr(study_module, "PROBED", ("base", "stubborn"))
        patch.setattr(
            meetings,
            "load_model",
            lambda path: load_model(tiny_base if path == "tiny-weak" else path),
        )
        meetings._model.cache_clear()
        yield
        meetings._model.cache_clear()


@pytest.fixture(scope="module")
def recorded(patched, tiny_base, tmp_path_factory):
    home = tmp_path_factory.mktemp("crossplay")
    name = "tiny-weak-{}-above_mean-seed{}"
    for seed in (0, 1):
        config = Config(
            str(tiny_base), rounds=1, games=8, seed=seed, filter="everything", epochs=1
        )
        run(config, home / name.format("semi", seed))
        strict = home / name.format("strict", seed)  # it holds the same here
        shutil.copytree(home / name.format("semi", seed), strict)
    study = Study(home, home / "out", 2, 1, 1, 24, tell=lambda line: None)
    return study, crossplay(study, home / "crossplay.json", SPINE), home


def test_the_file_is_whole(recorded):
    _, found, home = recorded
    there = json.loads((home / "crossplay.json").read_text("utf-8"))
    assert set(there) == set(found) | {"seconds"}
    told = study_module.__doc__
    assert all(f"``{part}``" in told for part in set(found) - {"provenance", "config"})
    for objective in GOALS:
        rows = found["matrix"][objective]
        assert set(rows) == {"base", "round 1"}
        wanted = {"base", "round 1", "round 1, other seed", *SCRIPTS}
        assert all(set(row) == wanted for row in rows.values())
        for row in rows.values():
            for cell in row.values():
                assert set(cell) == {*KEPT, "over", "games"}
        assert rows["base"]["base"]["over"] == "scenarios"
        assert rows["round 1"]["blind"]["over"] == "seeds"
        assert rows["round 1"]["blind"]["row"]["n"] == 2


def test_the_numbers_add_up(recorded):
    _, found, _ = recorded
    cell = found["matrix"]["strict"]["round 1"]["stubborn"]
    one, two = (cell[m]["value"] for m in ("row", "column"))
    assert cell["joint"]["value"] == pytest.approx(one + two)
    assert cell["margin"]["value"] == pytest.approx(one - two)
    for objective, t in found["transfer"].items():
        pairs = t["pairs"]
        assert t["self"]["values"] == [pairs[0][0], pairs[1][1]]
        mean = (pairs[0][1] + pairs[1][0]) / 2
        assert t["cross"]["values"] == pytest.approx([mean, mean])
        if objective != "semi":  # joint points and deals belong to both
            assert pairs[0][1] == pairs[1][0]
    for shares in found["said"]["semi"].values():
        whose = [shares[k]["value"] for k in ("as said", "partner's", "other")]
        assert sum(whose) == pytest.approx(1)
        assert 0 <= shares["false acceptance"]["value"] <= 1
    probe = found["probes"]["stubborn"]
    assert len(probe["rounds"]) == 2 and set(probe["false acceptance"]) == {
        "start",
        "last",
    }
    rise = [probe["test"][k]["row"]["value"] for k in ("last", "start")]
    assert probe["test"]["rise"]["value"] == pytest.approx(rise[0] - rise[1])


def test_a_rerun_plays_nothing(recorded, monkeypatch):
    study, found, home = recorded

    def nothing(*args, **kwargs):
        raise AssertionError("played again")

    monkeypatch.setattr(study_module, "meet", nothing)
    monkeypatch.setattr(meetings, "meet", nothing)
    monkeypatch.setattr(meetings, "search_games", nothing)
    again = crossplay(study, home / "again.json", SPINE)
    again["provenance"] = found["provenance"]
    assert again == found


def test_another_model_under_the_same_name_is_played_again(recorded, monkeypatch):
    study, _, _ = recorded
    monkeypatch.setattr(meetings, "identity", lambda player: "somebody else")
    played = []
    monkeypatch.setattr(
        meetings, "meet", lambda *a, **k: played.append(a) or real(*a, **k)
    )
    study.pair(Who(), Who("blind"), "semi")
    assert len(played) == 1


real = meetings.meet


def test_one_pair_has_an_interval_over_scenarios_and_several_over_seeds():
    number = {"value": 1.0, "low": 0.5, "high": 1.5, "n": 9}
    other = number | {"value": 2.0}
    one, two = dict.fromkeys(KEPT, number), dict.fromkeys(KEPT, other)
    assert pooled([one]) == one | {"over": "scenarios"}
    both = pooled([one, two])
    assert both["over"] == "seeds" and both["row"]["value"] == 1.5
    assert both["row"]["n"] == 2 and both["row"]["low"] < 1.0


def test_whose_share_is_proposed():
    s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    said = "[message] i take 1 book 0 hats 1 ball ."
    cases = {
        "as said": ("1 book, 0 hats, 1 ball", "2 books, 1 hat, 0 balls"),
        "partner's": ("2 books, 1 hat, 0 balls", "1 book, 0 hats, 1 ball"),
        "other": ("3 books, 0 hats, 0 balls", "0 books, 0 hats, 0 balls"),
    }
    for kind, (first, second) in cases.items():
        game = Game(s, SEMI)
        for text in (said, f"[propose] ({second})", f"[propose] ({first})"):
            game = game.submit(text)
        assert proposed([game.transcript()])[kind] == 1.0
    silent = Game(s, SEMI)
    for text in ("[message] hi !", *(f"[propose] ({x})" for x in cases["other"])):
        silent = silent.submit(text)
    assert set(proposed([silent.transcript()]).values()) == {0.0}


def test_the_folders_of_a_player():
    who = Who("tiny-weak", "semi", 3, 10, 0.3)
    assert who.slug() == "weak-semi3-10-0.3"
    spine = Path("spine")
    assert who.path(spine).parts[-3:] == (
        "tiny-weak-semi-above_mean-seed3",
        "round-10",
        "model",
    )
    assert Who().path(spine) == "tiny-weak"


def test_what_a_false_acceptance_is():
    s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    offer = "[message] i take 1 book 0 hats 1 ball ."  # seat 0 leaves (2, 1, 0)
    cases = {
        "[message] deal , i take 2 books 1 hat 0 balls .": False,  # what was offered
        "[message] deal , i take 3 books 1 hat 0 balls .": True,
        "[message] i take 3 books 1 hat 0 balls .": False,  # asks, accepts nothing
        "[message] deal !": False,  # which no one could read wrongly
    }
    for text, falsely in cases.items():
        game = Game(s, SEMI)
        for move in (offer, text, *["[propose] (0 books, 0 hats, 0 balls)"] * 2):
            game = game.submit(move)
        t = game.transcript()
        assert accepts_falsely(t) == accepts_falsely(t, (1,)) == falsely
        assert not accepts_falsely(t, (0,))
        assert false_acceptance([t]) == falsely
