"""Cross-play and probes: exact facts of the matrix, a probe that resumes and learns
from its own side alone."""

import json
import random
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, scenarios
from selfplay_kit.games.deal.scripted import Blind, Fair, Greedy, Stubborn
from selfplay_kit.games.play import play_games
from selfplay_kit.learn import rounds as rounds_module
from selfplay_kit.learn.response import best_response, identity
from selfplay_kit.learn.rounds import Config, RunError, run
from selfplay_kit.learn.rules import clone
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.measure.crossplay import (
    Told,
    both_ways,
    matrix,
    meet,
    score,
)
from selfplay_kit.measure.search import search_games

SOME = random.Random(0).sample(scenarios("development"), 12)


def test_both_ways_lets_each_speak_first_once():
    played, firsts = both_ways(SOME)
    assert sorted(zip(map(str, played), firsts, strict=True)) == sorted(
        (str(s), f) for s in SOME for f in (0, 1)
    )


def test_a_score_by_hand():
    games = meet(Greedy(), Blind(), SOME, SEMI, seed=1)
    found = score(games)
    n = len(games)
    x, y = ([t.points[p] for t in games] for p in (0, 1))
    opened = [t.points[0] for t in games if t.first == 0]
    spread = [t.points[t.first] - t.points[1 - t.first] for t in games]
    wanted = {
        "row": sum(x) / n,
        "column": sum(y) / n,
        "joint": (sum(x) + sum(y)) / n,
        "margin": (sum(x) - sum(y)) / n,
        "agreement": sum(t.agreed for t in games) / n,
        "row_first": sum(opened) / len(opened),
        "row_second": (sum(x) - sum(opened)) / (n - len(opened)),
        "first_minus_second": sum(spread) / n,
    }
    assert {m: f["value"] for m, f in found.items()} == pytest.approx(wanted)
    assert all(f["low"] <= f["value"] <= f["high"] for f in found.values())
    assert found["row"]["n"] == n and found["row_first"]["n"] == n // 2


def test_a_score_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no games"):
        score([])
    with pytest.raises(ValueError, match="0 players"):
        matrix({}, SOME, SEMI, seed=0)
    with pytest.raises(ValueError, match="0 scenarios"):
        matrix({"a": Blind()}, [], SEMI, seed=0)


@pytest.fixture(scope="module")
def scripts():
    told = []
    players = {"blind": Blind(), "fair": Fair(), "greedy": Greedy()}
    found = matrix(
        players, SOME, SEMI, seed=0, on_pair=lambda a, b: told.append((a, b))
    )
    assert len(told) == 6  # every pair once
    return found


def test_a_cell_and_its_mirror_are_the_same_games(scripts):
    assert list(scripts) == [*scripts["fair"]] == ["blind", "fair", "greedy"]
    for a in scripts:
        for b in scripts:
            one, two = scripts[a][b], scripts[b][a]
            assert one["row"] == two["column"]
            assert one["margin"]["value"] == pytest.approx(-two["margin"]["value"])
            for same in ("joint", "agreement", "first_minus_second"):
                assert one[same] == two[same]
            assert one["joint"]["value"] == pytest.approx(
                one["row"]["value"] + one["column"]["value"]
            )


def test_on_the_diagonal_both_seats_are_one(scripts):
    for a in scripts:
        own = scripts[a][a]
        assert own["row"] == own["column"] and own["margin"]["value"] == 0
        assert own["row"]["n"] == 2 * len(SOME)
        gap = own["row_first"]["value"] - own["row_second"]["value"]
        assert own["first_minus_second"]["value"] == pytest.approx(gap)


def test_first_speakers_can_be_given():
    games = meet(Greedy(), Fair(), SOME, SEMI, seed=0, firsts=[1] * len(SOME))
    assert {t.first for t in games} == {1} and len(games) == len(SOME)
    assert score(games)["row_first"]["value"] is None


def test_who_is_told_another_objective_reads_it():
    class Listener(Blind):
        def act(self, position, rng):
            heard.append(position.objective)
            return super().act(position, rng)

    heard = []
    told = Told(Listener(), STRICT)
    games = meet(told, Fair(), SOME[:3], COOP, seed=0)
    assert set(heard) == {STRICT} and {t.objective for t in games} == {COOP}
    plain = meet(Blind(), Fair(), SOME[:3], COOP, seed=0)
    assert [t.moves for t in games] == [t.moves for t in plain]


def test_identity_changes_with_what_decides_the_play(lm):
    import torch

    player = LMPlayer(lm)
    names = [identity(p) for p in (Blind(), Blind(0.2), player, Told(player, COOP))]
    names.append(identity(LMPlayer(lm, temperature=0.5)))
    assert len(set(names)) == 5 and identity(LMPlayer(lm)) == names[2]
    with torch.no_grad():
        next(lm.model.parameters()).add_(1.0)
    assert identity(player) != names[2]


@pytest.fixture(scope="module")
def probe(tiny_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probes") / "blind"
    config = Config(str(tiny_base), rounds=1, games=40, seed=4, epochs=1)
    told = []
    done = best_response(Blind(), config, folder, on_round=told.append)
    assert [r.number for r in told] == [r.number for r in done] == [0, 1]
    return config, folder, done


def test_a_probe_scores_its_own_seat(probe):
    _, _, done = probe
    for r in done:
        games = r.games()
        row = sum(t.points[0] for t in games) / len(games)
        assert r.metrics["row"]["value"] == pytest.approx(row)
        assert r.metrics["row"]["low"] <= row <= r.metrics["row"]["high"]


def test_a_probe_learns_from_its_own_side_alone(probe, tmp_path, monkeypatch):
    config, _, done = probe
    assert done[1].metrics["training"]["of"] == config.games
    games = done[0].games()
    mean = sum(t.points[0] for t in games) / len(games)
    kept = sum(t.points[0] > mean for t in games)
    assert done[1].metrics["training"]["kept"] == kept > 0
    seen = []
    real = clone.make_sample
    monkeypatch.setattr(
        clone, "make_sample", lambda v, lm: seen.append(v) or real(v, lm)
    )
    again = best_response(Blind(), config, tmp_path / "again")
    assert {v.seat for v in seen} == {0} and len(seen) == kept
    assert again[1].metrics["weights"] == done[1].metrics["weights"]


def test_the_partner_is_the_frozen_one(probe):
    config, _, done = probe
    game = done[1].games()[0]
    assert game.players[1] == "blind, noise 0" and "@1" in game.players[0]
    played = done[1].games()[:8]
    mine = LMPlayer(done[1].model(config))
    again = play_games(
        (mine, Blind()),
        rounds_module.draw_scenarios(config, 1),
        SEMI,
        seed=f"{config.seed}/round 1",
    )
    assert [t.moves for t in again[:8]] == [t.moves for t in played]


def test_a_partner_in_half_of_the_games(tiny_base, tmp_path):
    config = Config(
        str(tiny_base), rounds=1, games=16, group=4, filter="everything", epochs=1
    )
    half = replace(config, partner_share=0.5)
    done = best_response(Blind(), half, tmp_path / "half")
    for r in done:
        told = [t.players for t in r.games()]
        assert {b for _, b in told[:8]} == {"blind, noise 0"}
        assert all(a == b for a, b in told[8:]) and len(told) == 16
        mine, scored = r.games(), r.metrics["row"]["value"]
        assert scored == pytest.approx(sum(t.points[0] for t in mine) / 16)
    # its own sides: one of each game with the partner, both of each with itself
    assert done[1].metrics["training"]["of"] == 8 + 2 * 8
    with pytest.raises(RunError, match=r"partner_share: 0\.5 there"):
        best_response(Blind(), config, tmp_path / "half")
    with pytest.raises(ValueError, match="partner_share is above 0"):
        replace(config, partner_share=0.0)


def test_a_probe_resumes(probe):
    config, folder, done = probe
    (folder / "round-01" / "done").unlink()
    again = best_response(Blind(), config, folder)
    assert [r.metrics["weights"] for r in again] == [r.metrics["weights"] for r in done]
    assert [t.to_json() for t in again[1].games()] == [
        t.to_json() for t in done[1].games()
    ]


def test_another_partner_is_another_folder(probe, tmp_path):
    config, folder, _ = probe
    assert json.loads((folder / "config.json").read_text("utf-8"))["partner"]
    with pytest.raises(RunError, match="partner: 'blind, noise 0' there"):
        best_response(Stubborn(), config, folder)
    with pytest.raises(RunError, match="partner"):
        run(config, folder)  # self-play in the folder of a probe
    alone = Config(config.base, rounds=0, games=4)
    run(alone, tmp_path / "alone")
    kept = json.loads((tmp_path / "alone" / "config.json").read_text("utf-8"))
    assert "partner" not in kept  # as folders of before there were partners
    with pytest.raises(RunError, match="partner: None there"):
        best_response(Blind(), alone, tmp_path / "alone")


@pytest.mark.slow
def test_a_probe_gains_on_who_takes_anything(tmp_path):
    # What can be had from Blind is 10 points, exactly: the learner moves towards it.
    bound = search_games(Blind(), SOME[:3], seed=0, firsts=[0, 1, 0])
    assert [b.points for b in bound] == [10, 10, 10]
    config = Config("tiny-clean", rounds=3, games=100, seed=0)
    done = best_response(Blind(), config, tmp_path / "probe")
    took = [r.metrics["row"]["value"] for r in done]
    assert took[-1] > took[0] + 0.5 and max(took) <= 10, took
