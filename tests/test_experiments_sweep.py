"""The sweep: a rerun plays nothing again, and a run that can learn no more is
recorded as that."""

import json
import shutil

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments import sweep as module
from experiments.measure import COUNTED
from experiments.sweep import sweep
from experiments.variants import Variant, name_of
from selfplay_kit.learn.tiny import blank


@pytest.fixture
def small(monkeypatch, tiny_base, tmp_path):
    """A sweep of one round: a base that can play, two seeds, and one that can't."""
    mute = tmp_path / "mute"
    lm = blank(seed=0)
    lm.model.save_pretrained(mute)
    changes = {"rounds": 1, "games": 16, "filter": "everything"}
    able = Variant(changes | {"base": str(tiny_base)}, 2)
    unable = Variant({"base": str(mute), "rounds": 1, "games": 4})
    table = {"able": {"yes": able}, "both": {"yes": able, "no": unable}}
    monkeypatch.setattr(module, "groups", lambda: table)
    monkeypatch.setattr(module, "TEST_GAMES", 8)
    return able, unable


def test_a_sweep_is_whole_and_goes_on_where_it_stopped(small, tmp_path, monkeypatch):
    able, unable = map(name_of, small)
    out, runs = tmp_path / "sweep.json", tmp_path / "runs"

    def made(**given):
        return sweep(runs, tmp_path / "spine", out, tell=lambda line: None, **given)

    first = made(only=["able"])
    assert first["groups"]["both"] == {"yes": able}  # "no" was not played
    whole = made()
    monkeypatch.setattr(module, "run", lambda *a: pytest.fail("played again"))
    monkeypatch.setattr(module, "evaluate", lambda *a, **k: pytest.fail("scored again"))
    assert made(recorded=True)["variants"] == whole["variants"]
    written = json.loads(out.read_text("utf-8"))
    assert written["groups"]["both"] == {"yes": able, "no": unable}
    v = written["variants"][able]
    assert v["seeds"] == [0, 1] and v["stopped"] == {}
    assert {len(per) for per in v["rounds"]["mean_points"]} == {2}
    assert set(COUNTED) < set(v["rounds"])
    assert v["test"]["agreement"]["n"] == 2 and "low" in v["test"]["agreement"]
    assert set(written["exact"]["-1"]) == {"random", "nash", "utilitarian"}


def test_variants_whose_runs_are_not_there_stay_with_their_commit(small, tmp_path):
    able, _ = map(name_of, small)
    out, runs = tmp_path / "sweep.json", tmp_path / "runs"
    played = sweep(runs, tmp_path, out, only=["able"], tell=lambda line: None)
    earlier = {"seeds": [0], "last": {}}
    there = json.loads(out.read_text("utf-8"))
    there["variants"] = {
        able: there["variants"][able] | {"seeds": [0], "commit": "old"},
        name_of(small[1]): earlier,
        "filter=forgotten": earlier,
    }
    there["provenance"]["commit"] = "older"
    out.write_text(json.dumps(there), "utf-8")
    found = sweep(runs, tmp_path, out, recorded=True)["variants"]
    assert set(found) == {able, name_of(small[1])}
    assert found[able] == played["variants"][able]
    assert found[name_of(small[1])] == earlier | {"commit": "older"}
    shutil.rmtree(runs)
    again = sweep(runs, tmp_path, out, recorded=True)["variants"]
    for name, v in found.items():
        assert again[name]["commit"] == v["commit"] is not None
        assert again[name]["seeds"] == v["seeds"]


def test_a_run_that_can_learn_no_more_is_recorded_as_that(small, tmp_path):
    found = sweep(tmp_path, tmp_path, tmp_path / "s.json", tell=lambda line: None)
    v = found["variants"][name_of(small[1])]
    assert "no sample to learn from" in v["stopped"]["0"]
    assert v["rounds"]["kept"] == [[0]] and v["rounds"]["margin"] == [[None]]
    assert v["test"]["mean_points"]["low"] is None  # one seed has no interval


def test_an_unknown_group_is_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match="no group called colour; there are lambda"):
        sweep(tmp_path, tmp_path, tmp_path / "s.json", only=["colour"])
