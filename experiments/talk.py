"""The experiment on talk that pays, by one command into ``data/reference/talk.json``.

Every arm trains on the same number of games from the same base; what differs
stands in its :class:`Arm`. The temperature of play is chosen for each arm on the
development split, then every seed plays each test scenario once: joint points
beside a blind first speaker and the optimum, both exact on the same scenarios,
statements and their truth, and the drop when stated values are ablated. A rerun
goes on from the run folders, where the scores of a run stand too.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from selfplay_kit.files import write_text
from selfplay_kit.games.deal.rules import COOP, Objective, scenarios
from selfplay_kit.games.play import play_games
from selfplay_kit.learn.response import best_response
from selfplay_kit.learn.rounds import Config, Round, evaluate, run
from selfplay_kit.lm.models import LanguageModel, load_model
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.measure.metrics import (
    METRICS,
    mean_interval,
    seed_interval,
    summarise,
)
from selfplay_kit.measure.talk import (
    ablation,
    blind_joint,
    reference_joint,
    statement_metrics,
)

from .bases import Recipe, make_once
from .record import over_seeds, provenance, save

TEMPERATURES = (1.0, 0.5, 0.3, 0.1, 0.02)
DEVELOPMENT_GAMES = 200
ABLATED = {  # name: (how, whose statements)
    "replace": ("replace", "both"),
    "silence": ("silence", "both"),
    "replace_first": ("replace", "first"),
    "replace_second": ("replace", "second"),
}
STATED = ("stated", "by_opener", "by_other", "true", "numbers_true")
CLONING: dict[str, Any] = {
    "lam": 1.0,
    "rounds": 20,
    "games": 500,
    "epochs": 2,
    "lr": 5e-4,
}
WITHIN = CLONING | {"filter": "above_scenario_mean", "group": 4}
GRADIENT: dict[str, Any] = {
    "lam": 1.0,
    "rounds": 39,
    "games": 256,
    "group": 8,
    "epochs": 1,
}
GRADIENT |= {"rule": "policy_gradient", "lr": 1e-4, "batch": 64, "kl": 0.05}


@dataclass(frozen=True)
class Arm:
    """What is trained: a base, what differs in the configuration, how many seeds at
    most, and whether with itself or with its base, which stays as it is (then it
    learns from one side of each game)."""

    base: str
    changes: dict[str, Any] = field(default_factory=dict)
    seeds: int = 5
    frozen: bool = False

    def config(self, seed: int) -> Config:
        """The configuration of one seed."""
        return Config(base=self.base, seed=seed, **self.changes)


SHORT: dict[str, Any] = {"epochs": 3, "lr": 1e-3, "rounds": 10}  # as the spine's

# Taught from nothing, by scripts of which none ever states a value.
OWN_BASES = {
    "silent": Recipe("silent/0", tempers=("fair", "greedy", "stubborn", "blind"))
}

CALM, COLD = {"temperature": 0.7}, {"temperature": 0.4}  # play while training

ARMS = {
    "above_mean": Arm("tiny-talk", CLONING),
    "above_scenario_mean": Arm("tiny-talk", WITHIN),
    "above_mean, T 0.7": Arm("tiny-talk", CLONING | CALM),
    "above_scenario_mean, T 0.7": Arm("tiny-talk", WITHIN | CALM),
    "above_mean, group 4": Arm("tiny-talk", CLONING | {"group": 4}, 3),
    "above_scenario_mean, group 2": Arm("tiny-talk", WITHIN | {"group": 2}, 3),
    "above_scenario_mean, group 10": Arm("tiny-talk", WITHIN | {"group": 10}, 3),
    "above_scenario_mean, KL 0.3": Arm("tiny-talk", WITHIN | {"kl": 0.3}, 3),
    "above_scenario_mean, frozen partner": Arm("tiny-talk", WITHIN, 3, frozen=True),
    "above_scenario_mean, frozen in half": Arm(
        "tiny-talk", WITHIN | {"partner_share": 0.5}, 3, frozen=True
    ),
    "weak, above_mean": Arm("tiny-weak", CLONING | SHORT, 3),
    "weak, above_scenario_mean": Arm("tiny-weak", WITHIN | SHORT, 3),
    "weak, above_mean, T 0.4": Arm("tiny-weak", CLONING | SHORT | COLD, 3),
    "weak, above_scenario_mean, T 0.4": Arm("tiny-weak", WITHIN | SHORT | COLD, 3),
    "policy_gradient, T 0.7": Arm("tiny-talk", GRADIENT | CALM, 3),
    "silent, above_mean, T 0.7": Arm("silent", CLONING | CALM, 2),
    "silent, above_scenario_mean, T 0.7": Arm("silent", WITHIN | CALM, 2),
} | {
    f"above_scenario_mean, T 0.7, λ = {lam:g}": Arm(
        "tiny-talk", WITHIN | CALM | {"lam": lam}, 3
    )
    for lam in (0.5, 0.0, -0.5)
}


def study(
    runs: Path,
    out: Path,
    *,
    seeds: int = 5,
    arms: Sequence[str] = tuple(ARMS),
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run, score and write ``arms``; returns what was written to ``out``.

    What ``out`` holds of other arms stays. Raises ``ValueError`` for an arm that
    is not in :data:`ARMS`.
    """
    unknown = [a for a in arms if a not in ARMS]
    if unknown:
        raise ValueError(f"no arm called {unknown[0]!r}; there are {', '.join(ARMS)}")
    result: dict[str, Any] = {"bases": {}, "arms": {}}
    if out.exists():
        result |= json.loads(out.read_text("utf-8"))
    result["provenance"] = provenance()
    result["config"] = {
        "temperatures": TEMPERATURES,
        "development_games": DEVELOPMENT_GAMES,
        "test_games": len(scenarios("test")),
    }
    result["reference"] = reference_joint(scenarios("test"))
    for name in arms:
        arm = ARMS[name]
        if arm.base not in result["bases"]:
            result["bases"][arm.base] = _score_base(arm.base, runs, tell)
        made = _score_arm(name, arm, runs, min(seeds, arm.seeds), tell)
        result["arms"][name] = made | {"commit": result["provenance"]["commit"]}
        save(result | {"written": time.strftime("%Y-%m-%d")}, out)
    return result


def _weights(base: str, runs: Path) -> str:
    """What to load for ``base``: one of ours is made first, where it isn't there."""
    if base not in OWN_BASES:
        return base
    make_once(OWN_BASES[base], runs / "bases" / base)
    return (runs / "bases" / base).as_posix()


def _score_base(base: str, runs: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    lm = load_model(_weights(base, runs))
    chosen, by = _temperature([lm])
    tell(f"{base}: best at temperature {chosen} (development)")
    cache = runs / f"{_plain(base)}.json"
    return {
        "development": by,
        "temperature": chosen,
        "test": {
            str(t): _cached(cache, lm, t, ablated=t == chosen)
            for t in sorted({1.0, chosen})
        },
    }


def _score_arm(name, arm, runs, seeds, tell) -> dict[str, Any]:
    played: list[tuple[Path, list[Round], LanguageModel]] = []
    for seed in range(seeds):
        folder = runs / f"{_plain(name)}-seed{seed}"
        config = replace(arm.config(seed), base=_weights(arm.base, runs))
        train = partial(best_response, _base(config)) if arm.frozen else run
        whole = train(config, folder, on_round=_teller(folder.name, tell))
        played.append((folder, whole, whole[-1].model(config)))
    objective = Objective(arm.config(0).lam)
    chosen, by = _temperature([lm for *_, lm in played], objective)
    tell(f"{name}: best at temperature {chosen} (development)")
    test = {}
    for t in sorted({1.0, chosen}):
        found = [
            _cached(f / "test.json", lm, t, objective, ablated=t == chosen)
            for f, _, lm in played
        ]
        test[str(t)] = _over(found) | {"seeds": found}
    return {
        "base": arm.base,
        "config": asdict(arm.config(0)) | {"seed": list(range(seeds))},
        "rounds": _rounds([whole for _, whole, _ in played]),
        "games": [sum(_games(r) for r in whole) for _, whole, _ in played],
        "seconds": [
            sum(sum(r.metrics["seconds"].values()) for r in whole)
            for _, whole, _ in played
        ],
        "development": by,
        "temperature": chosen,
        "test": test,
        "cross_play": _cross_play([lm for *_, lm in played], chosen, objective),
    }


def _base(config: Config) -> LMPlayer:
    """The base of ``config`` as the partner that stays as it is."""
    lm = load_model(config.base, config.precision)
    return LMPlayer(lm, temperature=config.temperature)


def _plain(name: str) -> str:
    """``name`` as the name of a file."""
    return re.sub(r"[^\w.-]+", "-", name)


def _teller(name: str, tell: Callable[[str], None]) -> Callable[[Round], None]:
    def on_round(r: Round) -> None:
        said = statement_metrics(r.games())
        tell(
            f"{name}, round {r.number}: joint {r.metrics['mean_joint']['value']:.2f}, "
            f"stated in {said['stated']['value']:.0%} of games, true "
            f"{said['true']['value'] or 0:.0%}, "
            f"{sum(r.metrics['seconds'].values()):.0f} s"
        )

    return on_round


def _games(r: Round) -> int:
    return int(r.metrics["mean_joint"]["n"])


def _temperature(
    models: Sequence[LanguageModel], objective: Objective = COOP
) -> tuple[float, dict[str, float]]:
    """The temperature with the best mean joint score on the development split."""
    by = {
        t: fmean(
            evaluate(lm, objective, games=DEVELOPMENT_GAMES, temperature=t)[
                "mean_joint"
            ]["value"]
            for lm in models
        )
        for t in TEMPERATURES
    }
    return max(by, key=lambda t: by[t]), {str(t): v for t, v in by.items()}


def _cached(
    where: Path,
    lm: LanguageModel,
    temperature: float,
    objective: Objective = COOP,
    *,
    ablated: bool,
) -> dict[str, Any]:
    """The test scores of ``lm``, from ``where`` if they stand there."""
    key = f"{lm.report.weights_hash}/{temperature}/{ablated}"
    there = json.loads(where.read_text("utf-8")) if where.exists() else {}
    if key not in there:
        there[key] = score(lm, temperature, objective, ablated=ablated)
        where.parent.mkdir(parents=True, exist_ok=True)
        write_text(where, json.dumps(there))
    return there[key]


def score(
    lm: LanguageModel,
    temperature: float,
    objective: Objective = COOP,
    *,
    ablated: bool = True,
    split: str = "test",
    seed: int = 0,
) -> dict[str, Any]:
    """``lm`` with itself, each scenario of ``split`` once, under ``objective``.

    Returns the metrics of :func:`~selfplay_kit.measure.metrics.summarise` and
    ``statement_metrics``, ``over_blind`` (joint points above
    a blind first speaker, paired) and, if ``ablated``, ``drop_NAME`` for each of
    :data:`ABLATED`.
    """
    pool = scenarios(split)
    player = LMPlayer(lm, temperature=temperature)
    plain = play_games(player, pool, objective, seed=seed)
    over = [sum(t.points) - blind_joint(t.scenario) for t in plain]
    found = summarise(plain, objective, seed=seed) | statement_metrics(plain, seed=seed)
    found["over_blind"] = mean_interval(pool, over, seed=seed)
    for name, (how, speakers) in ABLATED.items() if ablated else ():
        changed = ablation(
            player, pool, objective, how, speakers=speakers, seed=seed, plain=plain
        )
        found[f"drop_{name}"] = changed["drop"]
    return found


def _over(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = (*METRICS, *STATED, "over_blind", *(f"drop_{name}" for name in ABLATED))
    return over_seeds(found, [n for n in names if n in found[0]])


def _rounds(runs: Sequence[Sequence[Round]]) -> list[dict[str, Any]]:
    """Round by round, over seeds: joint score, deals, messages, statements."""
    names = ("mean_joint", "agreement", "messages", *STATED)
    return [
        {"round": same[0].number}
        | over_seeds([r.metrics | statement_metrics(r.games()) for r in same], names)
        for same in zip(*runs, strict=True)
    ]


def _cross_play(
    models: Sequence[LanguageModel], temperature: float, objective: Objective = COOP
) -> dict[str, Any]:
    """Each seed with the next: do they share a language? Joint points, test."""
    if len(models) < 3:
        return {}
    pairs = zip(models, [*models[1:], models[0]], strict=True)
    joint = []
    for a, b in pairs:
        players = [LMPlayer(lm, temperature=temperature) for lm in (a, b)]
        both, pool = (players[0], players[1]), scenarios("test")
        games = play_games(both, pool, objective, seed=0)
        joint.append(fmean(sum(t.points) for t in games))
    return {"mean_joint": seed_interval(joint) | {"values": joint}}


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments talk`` takes."""
    p.add_argument("--seeds", type=int, default=5, help="at most, of each arm")
    p.add_argument("--arms", nargs="+", metavar="ARM", help="these alone")
    p.add_argument("--runs", type=Path, default=Path("runs/talk"))
    p.add_argument("--out", type=Path, default=Path("data/reference/talk.json"))


def go(given: argparse.Namespace) -> None:
    """Run the arms and write the file."""
    study(
        given.runs,
        given.out,
        seeds=given.seeds,
        arms=given.arms or tuple(ARMS),
        tell=lambda line: print(line, flush=True),
    )
