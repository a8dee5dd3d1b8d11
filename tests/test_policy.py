"""Policy gradient: advantages are within the scenario; the KL term is a distance."""

import math
import random
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.games.deal.rules import COOP, SEMI, scenarios
from selfplay_kit.games.deal.scripted import Fair, RandomSplit, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.learn.cloning import IGNORE, Sample, View, make_sample, views
from selfplay_kit.learn.rounds import Config, RunError, read_rounds, run
from selfplay_kit.learn.rules.policy_gradient import (
    advantage_samples,
    advantages,
    anchored,
    ratio_loss,
)
from selfplay_kit.learn.training import (
    TrainingError,
    fine_tune,
    labelled_logits,
    weighted_loss,
)
from selfplay_kit.lm.models import load_model
from selfplay_kit.lm.player import LMPlayer


def games(count=12, group=4, seed=1, objective=SEMI):
    drawn = random.Random(seed).sample(scenarios("train"), count)
    pool = [s for s in drawn for _ in range(group)]
    return play_games((RandomSplit(), Fair()), pool, objective, seed=seed)


def test_advantages_sum_to_nothing_in_every_group_and_have_unit_spread():
    sides = views(games())
    found = advantages(sides)
    groups = {}
    for v, a in zip(sides, found, strict=True):
        groups.setdefault((v.transcript.scenario, v.seat), []).append(a)
    assert len(groups) == 24
    assert all(sum(g) == pytest.approx(0, abs=1e-9) for g in groups.values())
    assert sum(a * a for a in found) / len(found) == pytest.approx(1)


def test_advantages_rank_a_group_by_reward():
    sides = views(games())
    ranked = list(zip(sides, advantages(sides), strict=True))
    compared = 0
    for v, a in ranked:
        for w, b in ranked:
            if (v.transcript.scenario, v.seat) == (w.transcript.scenario, w.seat):
                assert (v.reward > w.reward) == (a > b + 1e-12)
                compared += v.reward > w.reward
    assert compared > 10


def test_a_rich_scenario_is_no_advantage():
    sides = views(play_games(Teller(), list(scenarios("test"))[:9] * 3, COOP, seed=1))
    assert len({v.reward for v in sides}) > 1  # scenarios differ, outcomes don't
    assert set(advantages(sides)) == {0.0}
    assert advantages([]) == []


def own_games(lm, temperature=1.0, count=12, group=4):
    """Games of ``lm`` with itself, read back from their records."""
    drawn = random.Random(1).sample(scenarios("train"), count)
    player = LMPlayer(lm, temperature=temperature)
    pool = [s for s in drawn for _ in range(group)]
    return [
        Transcript.from_json(t.to_json())
        for t in play_games(player, pool, SEMI, seed=3)
    ]


@pytest.fixture(scope="module")
def weak():
    return load_model("tiny-weak")


def test_samples_carry_the_advantage_and_leave_out_the_rest(weak):
    sides = views(own_games(weak, 0.7))
    samples = advantage_samples(sides, weak)
    wanted = [a for a in advantages(sides) if a]
    assert [s.weight for s in samples] == wanted
    assert min(wanted) < 0 < max(wanted)
    assert len(samples) < len(sides)


def test_games_without_log_probabilities_are_refused(lm):
    with pytest.raises(TrainingError, match=r"20 of 20 views.*policy_gradient"):
        advantage_samples(views(games()), lm)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_a_sample_knows_the_log_probabilities_that_it_was_sampled_with(
    weak, temperature
):
    """What play recorded is what training computes, tries and cut moves in between,
    so before the first step every ratio is 1."""
    played = own_games(weak, temperature)
    assert temperature < 1 or any(m.error for t in played for m in t.moves)
    samples = [
        replace(make_sample(v, weak, tries=True), weight=1.0) for v in views(played)
    ]
    chosen = [s for s in samples if any(x != IGNORE for x in s.labels)]
    assert {s.temperature for s in chosen} == {temperature}
    with torch.no_grad():
        logits, target, _ = labelled_logits(weak, chosen)
        now = torch.log_softmax(logits / temperature, -1)
        now = now.gather(1, target[:, None])[:, 0]
        ratios = ratio_loss(logits, target, torch.ones(len(target)), chosen)
    then = [
        p
        for s in chosen
        for p, x in zip(s.logprobs, s.labels, strict=True)
        if x != IGNORE
    ]
    assert len(then) > 200
    assert torch.tensor(then).numpy() == pytest.approx(now.numpy(), abs=1e-3)
    assert ratios.item() == pytest.approx(-1, abs=1e-4)


def test_the_first_step_is_the_gradient_of_the_policy_that_sampled(weak):
    """d/dw of the surrogate at ratio 1 is that of weight x log pi at the temperature
    of play, which is not the one at temperature 1."""
    sides = views(own_games(weak, 0.5))
    chosen = advantage_samples(sides, weak)[:12]
    logits, target, weight = labelled_logits(weak, chosen)
    logits = logits.detach().requires_grad_()
    (ours,) = torch.autograd.grad(ratio_loss(logits, target, weight, chosen), logits)

    def reinforce(temperature):
        scaled = logits / temperature
        each = torch.nn.functional.cross_entropy(scaled, target, reduction="none")
        return torch.autograd.grad((each * weight).mean(), logits)[0]

    assert torch.allclose(ours, reinforce(0.5), atol=2e-5)
    assert not torch.allclose(ours, reinforce(1.0), atol=2e-4)


def test_a_ratio_past_its_clip_is_followed_no_further():
    sample = Sample((1, 0), (IGNORE, 0), 1.0, (0.0, math.log(0.2)))
    target = torch.tensor([0])

    def slope(weight, odds):
        logits = torch.tensor([[math.log(odds), math.log(1 - odds)]]).requires_grad_()
        loss = ratio_loss(logits, target, torch.tensor([weight]), [sample])
        return torch.autograd.grad(loss, logits)[0].abs().sum().item()

    assert slope(1.0, 0.21) > 0 and slope(1.0, 0.3) == 0
    assert slope(-1.0, 0.3) > 0 and slope(-1.0, 0.1) == 0
    far = ratio_loss(
        torch.tensor([[0.0, -99.0]]),
        target,
        torch.tensor([-1.0]),
        [replace(sample, logprobs=(0.0, -90.0))],
    )
    assert torch.isfinite(far)


def test_policy_gradient_runs_as_a_rule(tmp_path):
    config = Config(
        base="tiny-weak", rounds=1, games=16, group=4, rule="policy_gradient",
        temperature=0.7, lr=1e-4, kl=0.05, batch=8,
    )  # fmt: skip
    done = run(config, tmp_path)
    training = done[1].metrics["training"]
    assert 0 < training["kept"] <= 32 and training["passes"] == 3 * training["kept"]
    assert done[0].metrics["weights"] != done[1].metrics["weights"]


def test_a_step_makes_good_moves_likelier_and_bad_ones_less(lm):
    (t,) = games(1, 1)
    good, bad = View(t, 0), View(t, 1)
    samples = [make_sample(good, lm, weight=1.0), make_sample(bad, lm, weight=-1.0)]
    plain = [replace(s, weight=1.0) for s in samples]

    def nats():
        with torch.no_grad():
            return [weighted_loss(lm, [s])[0].item() for s in plain]

    before = nats()
    fine_tune(lm, samples, epochs=3, lr=1e-4, batch=2)
    after = nats()
    assert after[0] < before[0]
    assert after[1] > before[1]


def test_the_anchor_costs_nothing_at_the_base_and_something_elsewhere(lm):
    from copy import deepcopy

    base = replace(lm, model=deepcopy(lm.model))
    chosen = [make_sample(v, lm) for v in views(games(4, 1))]
    with torch.no_grad():
        plain, count = weighted_loss(lm, chosen)
        anchored_loss, same = anchored(base, 2.0)(lm, chosen)
    assert count == same == len(labelled_logits(lm, chosen)[1])
    assert anchored_loss.item() == pytest.approx(plain.item(), abs=1e-6)
    fine_tune(lm, chosen, epochs=4, lr=1e-3)
    with torch.no_grad():
        plain = weighted_loss(lm, chosen)[0].item()
        once, twice = (anchored(base, k)(lm, chosen)[0].item() for k in (1.0, 2.0))
    assert once - plain > 1e-3
    assert twice - plain == pytest.approx(2 * (once - plain), rel=1e-3)


def test_the_anchor_holds_the_model_back(lm, tiny_base):
    from selfplay_kit.lm.models import load_model

    base, free = load_model(tiny_base), load_model(tiny_base)
    samples = [make_sample(v, lm) for v in views(games(8, 1))]
    fine_tune(free, samples, epochs=4, lr=1e-3)
    fine_tune(lm, samples, epochs=4, lr=1e-3, loss_of=anchored(base, 5.0))

    def away(model):
        with torch.no_grad():
            ours, theirs = (
                torch.log_softmax(labelled_logits(m, samples)[0], -1)
                for m in (model, base)
            )
        return (ours.exp() * (ours - theirs)).sum(-1).mean().item()

    assert away(lm) < 0.5 * away(free)


GRADIENT = {"rule": "policy_gradient", "games": 80, "group": 8, "rounds": 1}
GRADIENT |= {"lam": 1.0, "epochs": 1, "lr": 1e-4}


def test_rounds_run_under_policy_gradient(tiny_base, tmp_path):
    config = Config(base=str(tiny_base), kl=0.1, **GRADIENT)
    first, last = run(config, tmp_path / "a")  # the base makes a deal or two
    uneven = [a for a in advantages(views(first.games())) if a]
    assert last.metrics["training"]["kept"] == len(uneven) > 0
    assert last.metrics["weights"] != first.metrics["weights"]
    again = run(config, tmp_path / "b")
    assert again[1].metrics["weights"] == last.metrics["weights"]
    with pytest.raises(RunError, match="rule"):
        run(Config(base=str(tiny_base), **GRADIENT | {"rule": "clone"}), tmp_path / "a")


def test_a_folder_of_before_the_rule_was_added_is_still_good(tiny_base, tmp_path):
    import json

    config = Config(base=str(tiny_base), rounds=0, games=4)
    run(config, tmp_path)
    where = tmp_path / "config.json"
    there = json.loads(where.read_text("utf-8"))
    del there["rule"], there["kl"]
    where.write_text(json.dumps(there), "utf-8")
    assert len(run(config, tmp_path)) == len(read_rounds(tmp_path)) == 1
    with pytest.raises(RunError, match="policy_gradient"):
        run(replace(config, rule="policy_gradient", group=2), tmp_path)
