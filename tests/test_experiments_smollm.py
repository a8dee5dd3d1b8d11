"""The recorded experiment at a small size, on the tiny model in SmolLM2's place."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from experiments import smollm  # noqa: E402
from experiments.__main__ import main  # noqa: E402
from selfplay_kit.lm import adapters  # noqa: E402
from selfplay_kit.lm.models import load_model  # noqa: E402


@pytest.fixture
def small(monkeypatch, tiny_base, tmp_path):
    """Everything small; rounds keep all views, as so few games may all fail."""
    for name, value in {
        "BASE": str(tiny_base),
        "WARM": str(tiny_base),
        "GAMES": 8,
        "ROUNDS": 1,
        "SEEDS": 2,
        "PRECISION": "fp32",
        "PRECISIONS": ("fp32",),
        "TEMPERATURES": (0.7, 0.3),
    }.items():
        monkeypatch.setattr(smollm, name, value)
    usual = smollm.config_of

    def config_of(*asked):
        from dataclasses import replace

        return replace(usual(*asked), filter="everything", draw=())

    monkeypatch.setattr(smollm, "config_of", config_of)
    return tmp_path


def test_positions_are_those_of_a_player_to_move():
    found = smollm.positions(6, "x")
    assert [p.game for _, p in found] == list(range(6))
    assert [p.opening for _, p in found][::3] == [True, True]
    assert [p.must_propose for _, p in found][2::3] == [True, True]
    for game, p in found:
        assert not game.over and p.seat == game.turn
        assert p.lines == game.position().lines


@pytest.mark.slow
def test_every_part_and_what_is_merged(small, capsys):
    runs = small / "runs"
    runs.mkdir()
    for name in smollm.parts(runs):
        asked = ["smollm", "--runs", str(runs), "--part", name]
        assert main(asked) == 0
        assert json.loads((runs / f"{name}.json").read_text("utf-8"))["cpu"] > 0
    out = small / "smollm.json"
    assert main(["smollm", "--merge", "--runs", str(runs), "--out", str(out)]) == 0
    made = json.loads(out.read_text("utf-8"))
    assert set(made["parts"]) == set(smollm.parts(runs))
    for arm in smollm.RECORDED:
        run = made["runs"][arm]
        assert run["seeds"] == 2 and len(run["rounds"]) == 2
        assert len(run["rounds"][1]["agreement"]["values"]) == 2
        assert all(x > 1e8 for x in run["peak"])
    assert sum(made["precision"]["fp32"]["zero_shot"]["short"].values()) == 36
    assert made["test"]["coop"]["warm"]["agreement"]["n"] == 2
    for scores in made["test"].values():
        assert set(smollm.SCORES) < set(scores)
        for who in ("warm", "last"):
            points = scores[f"{who}_development"]
            best = max(points, key=points.get)
            assert scores[f"{who}_best"]["temperature"] == float(best)
    assert len(made["scripts"]["samples"]) == 2
    games = (small / "smollm_games.jsonl").read_text("utf-8").splitlines()
    assert len(games) == 3 * 2 * 4 and "tokens" not in games[0]


def test_the_control_draws_what_the_filtered_run_of_its_seed_kept(
    tmp_path, monkeypatch
):
    counts = {"semi-above_mean-1": (9, 8, 7)}
    monkeypatch.setattr(smollm, "kept_counts", lambda run: counts.get(run.name, ()))
    control = smollm.config_of("semi", "drawn", 1, tmp_path)
    assert control.draw == (9, 8, 7) and control.seed == 1
    assert smollm.config_of("semi", "above_mean", 1, tmp_path).draw == ()


def test_the_warm_start_is_an_adapter_in_half_precision(small):
    out = small / "adapter"
    smollm.warm_start(out, games=6, rank=2, tell=lambda line: None)
    lm = load_model(out)
    assert adapters.rank(lm.model) == 2
    assert (lm.style, lm.max_new_tokens, lm.temperature) == ("short", 40, 0.7)
    from safetensors.torch import load_file

    kinds = {t.dtype for t in load_file(out / "adapter_model.safetensors").values()}
    assert kinds == {torch.float16}
    made = json.loads((out / "made.json").read_text("utf-8"))
    assert made["games"] == 6 and made["steps"] == 2 and len(made["losses"]) == 1


def test_the_recorded_file_if_it_is_there():
    from selfplay_kit import data

    try:
        where = data.path("reference/smollm.json")
    except FileNotFoundError:
        pytest.skip("not recorded yet")
    made = json.loads(where.read_text("utf-8"))
    assert where.stat().st_size < 300_000
    sizes = {p: r["report"]["bytes"] for p, r in made["precision"].items() if r}
    assert sizes["bf16"] == 2 * 134_515_008
    if {"4bit", "fp32"} <= set(sizes):
        assert sizes["4bit"] <= sizes["fp32"] / 4
