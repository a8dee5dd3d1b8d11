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
from experiments.gaps import gaps, jackknife
from experiments.meetings import KEPT, Study, Who, pooled
from experiments.said import (
    FEW,
    acceptances,
    accepting,
    proposed,
    sealed_falsely,
    seeded,
)
from selfplay_kit import data
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.rules import SEMI, STRICT, Scenario
from selfplay_kit.learn.rounds import Config, run
from selfplay_kit.lm.models import load_model

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
        row = rows["round 1"]["blind"]["row"]
    assert row["n"] == 2 and row["value"] == pytest.approx(sum(row["values"]) / 2)


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
        assert t["by seed"]["cross"] == pytest.approx([mean, mean])
        assert t["cross"]["value"] == pytest.approx(mean)
        assert t["cross"]["low"] is None  # two seeds: without one, none is left
        if objective != "semi":  # joint points and deals belong to both
            assert pairs[0][1] == pairs[1][0]
    for shares in found["said"]["semi"].values():
        whose = [shares[k]["value"] for k in ("as said", "partner's", "other")]
        assert sum(whose) == pytest.approx(1)
        assert 0 <= shares["false acceptance"]["value"] <= 1
        assert shares["acceptances"]["value"] <= shares["messages"]["value"]
    assert set(found["against"]) == {"base", *GOALS}
    for script in SCRIPTS:
        met = found["against"]["strict"][script]
        assert len(met["points"]["values"]) == 2
        assert 0 <= met["above honest bound"]["value"] <= 1
    probe = found["probes"]["stubborn"]
    assert len(probe["rounds"]) == 2 and set(probe["said"]) == {"start", "last"}
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
    one["agreement"] = two["agreement"] = number | {"value": 0.5}  # a share
    assert pooled([one]) == one | {"over": "scenarios"}
    both = pooled([one, two])
    assert both["over"] == "seeds" and both["row"]["value"] == 1.5
    assert both["row"]["n"] == 2 and both["row"]["low"] < 1.0
    assert both["row"]["values"] == [1.0, 2.0]


def test_the_jackknife_of_a_mean_is_its_t_interval():
    values = [1.0, 2.0, 4.0, 9.0]
    found = jackknife(4, lambda seeds: sum(values[s] for s in seeds) / len(seeds))
    assert found["values"] == pytest.approx(values)
    for k, v in seeded(values).items():
        assert found[k] == pytest.approx(v)


def test_the_gaps_between_seeds():
    grid = [[6.0, 3.0, 4.0], [5.0, 6.0, 2.0], [4.0, 4.0, 6.0]]  # 4, 4, 3 a pair
    found = gaps(grid, 1.0)
    assert found["self"]["values"] == [6.0, 6.0, 6.0]
    assert found["cross"]["value"] == pytest.approx(11 / 3)
    assert found["lost"]["value"] == pytest.approx(6 - 11 / 3)
    assert found["kept"]["value"] == pytest.approx((11 / 3 - 1) / 5)
    assert found["by seed"]["cross"] == pytest.approx([4.0, 3.5, 3.5])
    # without seed 0 one pair is left, with 3; without seed 1 or 2 one with 4
    pseudo = [3 * 11 / 3 - 2 * x for x in (3, 4, 4)]
    assert found["cross"]["values"] == pytest.approx(pseudo)
    lost = [a - b for a, b in zip([6.0] * 3, pseudo, strict=True)]
    assert found["lost"]["values"] == pytest.approx(lost)
    naive = seeded(found["by seed"]["cross"])  # as if these were independent
    wide, narrow = (f["high"] - f["low"] for f in (found["cross"], naive))
    assert wide == pytest.approx(2 * 2 * narrow)


def test_one_seed_has_no_gaps_and_no_gain_nothing_kept():
    assert set(gaps([[3.0]], 1.0)) == {"self"}
    assert "kept" not in gaps([[1.0, 1.0], [1.0, 1.0]], 2.0)


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


S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
OFFER = "[message] i take 1 book 0 hats 1 ball ."  # seat 0 leaves (2, 1, 0)
END = ["[propose] (0 books, 0 hats, 0 balls)"] * 2


def said(*texts, end=END):
    game = Game(S, SEMI)
    for move in (*texts, *end):
        game = game.submit(move)
    return game.transcript()


def test_what_a_false_acceptance_is():
    cases = {  # what seat 1 says: (false, new), of an acceptance that states a split
        "[message] deal , i take 2 books 1 hat 0 balls .": (False, False),
        "[message] deal , i take 3 books 1 hat 0 balls .": (True, True),
        "[message] i take 3 books 1 hat 0 balls .": None,  # asks, accepts nothing
        "[message] deal !": None,  # states no split
    }
    for text, kind in cases.items():
        t = said(OFFER, text)
        found = [(a.seat, a.false, a.new) for a in acceptances(t)]
        assert found == ([(1, *kind)] if kind else [])
        falsely = bool(kind and kind[0])
        assert accepting([t])["false acceptance"] == falsely
        assert accepting([t], (1,))["acceptances"] == bool(kind)
        assert accepting([t], (0,))["acceptances"] == 0
        assert accepting([t])["messages"] == 2 and accepting([t], (1,))["messages"] == 1


def test_a_split_named_earlier_is_false_but_not_new():
    other = "[message] i take 3 books 1 hat 0 balls ."  # seat 1 leaves (0, 0, 1)
    back = "[message] deal , i take 1 book 0 hats 1 ball ."  # what seat 0 asked for
    found = list(acceptances(said(OFFER, other, back)))
    assert [(a.seat, a.share, a.false, a.new) for a in found] == [
        (0, (1, 0, 1), True, False)
    ]


def test_of_few_acceptances_no_share_is_given():
    t = said(OFFER, "[message] deal , i take 3 books 1 hat 0 balls .")
    few, many = accepting([t] * (FEW - 1)), accepting([t] * FEW)
    assert few["false"] is None and few["acceptances"] == 1
    assert many["false"] == many["new"] == 1.0
    assert seeded([None, 1.0, 2.0])["n"] == 2
    assert seeded([None])["value"] is None


def test_a_deal_that_a_false_acceptance_sealed():
    claim = "[message] deal , i take 3 books 1 hat 0 balls ."
    honest = "[message] deal , i take 2 books 1 hat 0 balls ."
    ends = {
        claim: ("(0 books, 0 hats, 1 ball)", "(3 books, 1 hat, 0 balls)"),
        honest: ("(1 book, 0 hats, 1 ball)", "(2 books, 1 hat, 0 balls)"),
    }
    for text, pair in ends.items():
        t = said(OFFER, text, end=[f"[propose] {x}" for x in pair])
        assert t.agreed and sealed_falsely([t], 1) == (text == claim)
        assert sealed_falsely([t], 0) == 0
    other = said(OFFER, claim, end=[f"[propose] {x}" for x in ends[honest]])
    assert other.agreed and sealed_falsely([other], 1) == 0
    assert sealed_falsely([said("[message] hi !")]) is None


def test_the_recorded_temperatures_are_those_of_the_spine():
    there = json.loads(data.path("reference/crossplay.json").read_text("utf-8"))
    spine = json.loads(SPINE.read_text("utf-8"))
    for objective, best in there["config"]["base_best_temperature"].items():
        assert best == spine["test"][objective]["base_best"]["temperature"]
        table = there["temperature"][objective]
        assert f"base@{best:g}" in table
