"""The experiment on talk: its arms are fair, its file is whole, a rerun goes on."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments import talk as talk_study
from experiments.talk import ARMS, Arm, study
from selfplay_kit.games.deal.rules import scenarios
from selfplay_kit.learn.rounds import read_rounds
from selfplay_kit.learn.tiny import script_games
from selfplay_kit.measure.talk import statement_metrics


def test_arms_of_one_base_spend_as_many_games():
    spent = {"tiny-talk": 10_000, "tiny-weak": 5_000, "silent": 10_000}
    for name, arm in ARMS.items():
        config = arm.config(3)
        conflict = float(name.rpartition("λ = ")[2]) if "λ" in name else 1.0
        assert config.seed == 3 and config.lam == conflict, name
        trained_on = config.rounds * config.games
        assert trained_on == pytest.approx(spent[arm.base], rel=0.02), name
        alone = config.rule == "clone" and config.filter != "above_scenario_mean"
        assert alone or config.group > 1, f"{name}: nothing to compare with"


def test_the_two_main_arms_differ_in_the_filter_and_the_group_alone():
    one, two = (ARMS[n].config(0) for n in ("above_mean", "above_scenario_mean"))
    differ = {k for k in vars(one) if getattr(one, k) != getattr(two, k)}
    assert differ == {"filter", "group"}


def test_no_script_of_the_silent_base_states_a_value():
    (recipe,) = talk_study.OWN_BASES.values()
    games = script_games(60, "heard", tempers=recipe.tempers)
    assert statement_metrics(games)["stated"]["value"] == 0
    told = script_games(60, "heard", tempers=("teller",))
    assert statement_metrics(told)["stated"]["value"] > 0.5


@pytest.fixture
def small(monkeypatch, tiny_base):
    """A study of three arms of one round, on a few scenarios."""
    changes = {"lam": 1.0, "rounds": 1, "games": 80, "group": 8, "epochs": 1}
    arms = {
        "all": Arm(str(tiny_base), changes | {"filter": "everything"}),
        "gradient": Arm(str(tiny_base), changes | {"rule": "policy_gradient"}, 1),
        "frozen": Arm(str(tiny_base), changes, 1, frozen=True),
    }
    monkeypatch.setattr(talk_study, "ARMS", arms)
    monkeypatch.setattr(talk_study, "DEVELOPMENT_GAMES", 8)
    monkeypatch.setattr(talk_study, "TEMPERATURES", (1.0, 0.3))
    few = scenarios("test")[:6]
    monkeypatch.setattr(talk_study, "scenarios", lambda split: few)
    return arms


def test_a_study_is_whole_and_goes_on_where_it_stopped(small, tmp_path, monkeypatch):
    runs, out = tmp_path / "runs", tmp_path / "talk.json"
    said = []
    first = study(runs, out, seeds=3, arms=["all"], tell=said.append)
    assert sum("round 1" in line for line in said) == 3
    assert set(json.loads(out.read_text("utf-8"))["arms"]) == {"all"}
    arm = first["arms"]["all"]
    assert arm["games"] == [160] * 3 and min(arm["seconds"]) > 0
    assert [r["round"] for r in arm["rounds"]] == [0, 1]
    assert arm["config"]["seed"] == [0, 1, 2]
    assert len(arm["cross_play"]["mean_joint"]["values"]) == 3
    best = arm["test"][str(arm["temperature"])]
    assert {"mean_joint", "over_blind", "stated", "drop_replace"} <= set(best)
    assert len(best["seeds"]) == best["mean_joint"]["n"] == 3
    by = arm["development"]
    assert by[str(arm["temperature"])] == max(by.values())

    def no_games(*_, **__):
        raise AssertionError("played again what stands in the folders")

    monkeypatch.setattr(talk_study, "score", no_games)
    again = study(runs, out, seeds=3, arms=["all"], tell=said.append)
    assert again["arms"]["all"]["test"] == arm["test"]
    monkeypatch.undo()


def test_arms_are_added_to_what_is_there(small, tmp_path):
    runs, out = tmp_path / "runs", tmp_path / "talk.json"
    out.write_text(json.dumps({"bases": {}, "arms": {"older": 1}}), "utf-8")
    study(runs, out, seeds=2, arms=["gradient"], tell=lambda line: None)
    found = json.loads(out.read_text("utf-8"))
    assert set(found["arms"]) == {"older", "gradient"}
    assert found["arms"]["gradient"]["games"] == [160]  # at most one seed
    assert found["arms"]["gradient"]["cross_play"] == {}
    assert found["provenance"]["versions"]["torch"]
    assert set(found["reference"]) == {"blind", "optimum"}
    (base,) = found["bases"].values()
    assert "1.0" in base["test"]


def test_a_frozen_partner_is_the_base_and_teaches_nothing(small, tmp_path):
    runs, out = tmp_path / "runs", tmp_path / "talk.json"
    study(runs, out, arms=["frozen"], tell=lambda line: None)
    made = runs / "frozen-seed0"
    config = json.loads((made / "config.json").read_text("utf-8"))
    assert config["base_weights"][:16] in config["partner"]
    (first, second) = read_rounds(made)
    names = {t.players for t in first.games() + second.games()}
    assert len(names) == 2 and len({b for _, b in names}) == 1, "seat 1 never learns"
    assert second.metrics["training"]["of"] == len(first.games()), "one side a game"


def test_an_unknown_arm_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="above_mean"):
        study(tmp_path, tmp_path / "x.json", arms=["louder"])
    assert not (tmp_path / "x.json").exists()


# The lesson that the base tiny-talk was given


def test_the_drill_has_loss_on_the_three_counts_of_the_first_demand_alone(lm):
    from experiments import bases
    from selfplay_kit.games.deal.phrasebook import hear
    from selfplay_kit.learn import tiny
    from selfplay_kit.learn.cloning import IGNORE

    words = tiny.vocabulary()
    counts = {i for i, w in enumerate(words) if w[0].isdigit() and " " in w}
    games = tiny.script_games(20, "drill", tempers=("teller",), slip=0.0)
    for t in games:
        sample = bases._first_demand(t, lm, counts)
        learned = " ".join(words[x] for x in sample.labels if x != IGNORE)
        said = hear(t.moves[2].text)
        share = hear(learned).mine
        assert share is not None and share in (said.mine, said.yours)
        heard = [hear(m.text).values for m in t.moves[:2]]
        assert heard == [t.scenario.values[t.first], t.scenario.values[1 - t.first]]


def test_a_drill_trains_and_is_a_function_of_its_seed(tiny_base):
    from experiments import bases
    from selfplay_kit.lm.models import load_model, weights_hash

    found = set()
    for seed in (1, 1, 2):
        lm = load_model(tiny_base)
        training = bases.drill(lm, seed, steps=2, batch=8)
        assert len(training.losses) == 2
        found.add(weights_hash(lm.model))
    assert len(found) == 2 and load_model(tiny_base).report.weights_hash not in found


def test_every_arm_has_a_folder_of_its_own():
    folders = {talk_study._plain(name) for name in ARMS}
    assert len(folders) == len(ARMS)
    assert talk_study._plain("a, λ = -0.5") != talk_study._plain("a, λ = 0.5")
