"""The recorded file on words: made from run folders, the same each time."""

import json
import random

import pytest

pytest.importorskip("torch")

from experiments import language as lang
from selfplay_kit import data
from selfplay_kit.games.deal.rules import OBJECTIVES, scenarios
from selfplay_kit.games.deal.scripted import Fair
from selfplay_kit.games.play import play_games
from selfplay_kit.learn.folder import hashes_of

from .test_metrics import BEST, NO_DEAL, OPTIMAL, POOR

RECORDED = json.loads(data.path("reference/language.json").read_text("utf-8"))


def folder(where, noises, objective, seed):
    """A run folder of scripted play that gets less clumsy round by round."""
    for n, noise in enumerate(noises):
        here = where / f"round-{n:02d}"
        here.mkdir(parents=True)
        pool = random.Random(f"{seed}/{n}").sample(scenarios("train"), 30)
        games = play_games(Fair(noise), pool, OBJECTIVES[objective], seed=f"{seed}/{n}")
        lines = "".join(t.to_json() + "\n" for t in games)
        (here / "games.jsonl").write_text(lines, "utf-8")
        (here / "metrics.json").write_text("{}", "utf-8")
        (here / "done").write_text(json.dumps(hashes_of(here)), "utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    where = tmp_path_factory.mktemp("runs")
    for kept, objectives in lang.ARMS.values():
        for o in objectives:
            for seed in (0, 1):
                name = f"tiny-weak-{o}-{kept}-seed{seed}"
                folder(where / name, (0.9, 0.1), o, seed)
    return where


def test_what_is_made_of_run_folders(runs):
    found = lang.collect(runs, tell=lambda line: None)
    assert found["config"]["rounds"] == 1 and found["config"]["games"] == 30
    assert found["config"]["seeds"]["objectives"] == {"semi": 2, "coop": 2, "strict": 2}
    semi = found["objectives"]["semi"]
    first, last = semi["rounds"]
    assert (first["round"], last["round"]) == (0, 1)
    agreed = last["agreement"]
    assert agreed["n"] == len(agreed["values"]) == 2
    assert agreed["value"] > first["agreement"]["value"]
    assert semi["correlation"]["all"]["value"] > 0.2
    assert "distinct_deals" not in first, "too few deals to count are left out"
    again = lang.collect(runs, tell=lambda line: None)
    for arm in lang.ARMS:
        assert again[arm] == found[arm]


def test_a_folder_without_runs_says_what_plays_them(tmp_path):
    with pytest.raises(ValueError, match="experiments spine"):
        lang.collect(tmp_path)


def test_correlation_by_hand():
    """Joint scores 0, 9 in round 0 and 13, 14 in round 1."""
    rounds = [[NO_DEAL, POOR], [OPTIMAL, BEST]]
    x, y = [0, 0, 1, 1], [0, 9, 13, 14]
    mean = sum(y) / 4
    cov = sum((a - 0.5) * (b - mean) for a, b in zip(x, y, strict=True))
    r = cov / sum((a - 0.5) ** 2 for a in x) ** 0.5
    r /= sum((b - mean) ** 2 for b in y) ** 0.5
    assert lang.correlation(rounds) == pytest.approx(r)
    assert lang.correlation(rounds, agreed=True) > 0.9
    assert lang.correlation([[NO_DEAL], [NO_DEAL]]) is None
    assert lang.correlation([[NO_DEAL]], agreed=True) is None


def test_shares_have_wilson_intervals():
    m = lang.share_of(15, 15)
    assert m["value"] == m["high"] == 1 and 0.75 < m["low"] < 0.85
    assert lang.share_of(0, 0) == {"value": None, "low": None, "high": None, "n": 0}


def test_the_labels_are_whole_and_the_recorded_agreement_is_theirs():
    rows = lang.read_labels()
    assert len(rows) == len({r["id"] for r in rows}) == 120
    assert sum(r["inconsistent"] for r in rows) == 58
    for r in rows:
        assert (r["kind"] is not None) == r["inconsistent"]
        assert sum(a * b for a, b in zip(r["counts"], r["values"], strict=True)) == 10
    found = lang.score_labels()
    assert found["template"]["recall"]["value"] == 1, "exact is exact"
    assert found["template"]["precision"]["value"] == 1
    for form, scores in found.items():
        for name, m in scores.items():
            assert m == pytest.approx(RECORDED["labels"][form][name], rel=1e-4)


def test_the_recorded_file_is_what_its_docstring_says():
    assert set(RECORDED) == {
        "provenance", "config", "objectives", "matched", "labels"
    }  # fmt: skip
    assert set(RECORDED["objectives"]) == {"semi", "coop", "strict"}
    for arm in lang.ARMS:
        for found in RECORDED[arm].values():
            assert len(found["rounds"]) == RECORDED["config"]["rounds"] + 1
            for row in found["rounds"]:
                assert set(row) <= {"round", *lang.COUNTED}
            assert found["correlation"]["all"]["n"] == len(
                found["correlation"]["all"]["values"]
            )
    told = lang.__doc__
    assert all(name in told for name in lang.COUNTED)
