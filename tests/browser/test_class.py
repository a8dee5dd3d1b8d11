"""The benchmark of a class, with two people and scripts: its checks see slips."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from selfplay_kit.games.deal.protocol import propose
from selfplay_study import Settings, Study

from ..conftest import ROOT
from .conftest import chromium_path

pytest.importorskip("voila")
FILE = ROOT / "benchmarks" / "class.py"


def benchmark():
    spec = importlib.util.spec_from_file_location("class_benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_people_at_once(chromium, tmp_path):
    out = tmp_path / "class.json"
    few = ["--people", "2", "--games", "2", "--partners", "fair,blind"]
    ran = subprocess.run(
        [sys.executable, str(FILE), *few, "--think", "0.1", "--out", str(out)],
        cwd=ROOT,
        env=os.environ
        | {"SELFPLAY_KIT_BROWSER": chromium_path(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(out.read_text("utf-8"))
    assert found["lost"] == found["mixed"] == found["errors"] == []
    assert found["codes"] == 2 and found["games"] == 4 and found["left"] == 0
    assert found["reply_seconds"]["n"] >= 4 and found["reply_seconds"]["median"] > 0
    assert found["server_bytes"]["peak"] > 5e7


@pytest.fixture
def played(tmp_path):
    """A study that two have finished, and what their pages would have said."""
    study = Study.new(tmp_path / "class", Settings(("fair",), games=1))
    people = []
    for _ in range(2):
        session = study.join()
        game = session.begin().game
        share = game.scenario.counts
        for text in ("[message] hello", propose(share), propose(share)):
            game = game.submit(text)
            session.move(game.moves[-1])
        session.end(game.transcript(("person", "fair"), "0"))
    for number, p in enumerate(study.participants()):
        (game,) = p.finished
        rewards = sum(game["end"]["transcript"]["points"][game["seat"] :][:1])
        told = {"total": f"Your total: {rewards:g} points", "games": [["You: "]]}
        people.append({"number": number, "code": p.code, "others": p.code, **told})
    return study, people


def test_all_is_well(played):
    found = benchmark().verdict(*played)
    assert found["lost"] == found["mixed"] == [] and found["games"] == 2


def test_what_is_lost_or_mixed_up_is_seen(played):
    study, people = played
    a, b = people
    verdict = benchmark().verdict
    shown = [a | {"games": [["You: never said"]]}, b]
    assert "from nowhere" in verdict(study, shown)["mixed"][0]
    assert verdict(study, [a | {"others": b["code"]}, b])["mixed"]
    assert verdict(study, [a | {"code": b["code"]}, b])["mixed"]
    assert verdict(study, [a | {"total": "Your total: 99 points"}, b])["mixed"]
    study.delete(a["code"])
    assert "nothing is kept" in verdict(study, people)["lost"][0]


def test_a_reply_is_from_the_tap_to_the_answer():
    seen = [
        [0, "tap", "1|Your turn."],
        [20, "saw", "2|Your partner is thinking …"],
        [250, "saw", "3|Your partner has proposed. Choose"],
        [900, "tap", "3|Your partner has proposed. Choose"],
        [990, "saw", "over|Deal"],
        [1500, "tap", "2|Your turn."],
        [1900, "saw", "over|No deal"],
    ]
    assert benchmark().replies(seen) == [0.25, 0.4]
