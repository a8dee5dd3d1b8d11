"""Rounds of self-play under three objectives, with their controls.

``data/reference/spine.json`` holds what the README and notebook 05 quote: rounds
of self-play under three objectives over several seeds, with their controls,
scored once on the test split. What is chosen (the best temperatures of the base and
of the last round) is chosen on the development split. A rerun continues from the run
folders.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from selfplay_kit.games.deal.rules import OBJECTIVES
from selfplay_kit.learn.rounds import Config, Round, evaluate, run
from selfplay_kit.lm.models import LanguageModel, load_model

from .record import over_seeds, provenance, save
from .report import picture, stamp_all

TEMPERATURES = (1.0, 0.7, 0.5, 0.3, 0.1, 0.05, 0.02, 0.0)  # 0: the likeliest token
DEVELOPMENT_GAMES, TEST_GAMES = 500, 500


def spine(
    runs: Path,
    out: Path,
    *,
    seeds: int = 5,
    base: str = "tiny-weak",
    rounds: int = 10,
    games: int = 500,
    others: Sequence[str] = ("tiny-middling", "tiny-clean"),
    other_seeds: int = 1,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run, score and write the spine; returns what was written to ``out``."""
    result: dict[str, Any] = {
        "provenance": provenance(),
        "config": {
            "base": base,
            "rounds": rounds,
            "games": games,
            "seeds": seeds,
            "other_seeds": other_seeds,
            "test_games": TEST_GAMES,
        },
        "runs": {},
        "matched": {},
        "other_bases": {},
        "test": {},
    }

    def play(base: str, objective: str, chosen: str, count: int):
        lam = OBJECTIVES[objective].lam
        done = []
        for seed in range(count):
            config = Config(base, lam, rounds, games, filter=chosen, seed=seed)
            folder = folder_of(runs, base, objective, chosen, seed)
            done.append((config, run(config, folder)))
            last = done[-1][1][-1].metrics["mean_points"]["value"]
            tell(f"{folder.name}: {last:.2f} points per player at last")
        return done

    for objective in OBJECTIVES:
        played = play(base, objective, "above_mean", seeds)
        result["runs"][objective] = _merge_rounds([r for _, r in played])
        last = [whole[-1].model(config) for config, whole in played]
        best, by = best_temperature(last, objective, DEVELOPMENT_GAMES // seeds)
        tell(f"{objective}: the last round is best at temperature {best} (development)")
        score = result["test"][objective] = {
            "last": _score(played, objective, 1.0),
            "last_best": _score(played, objective, best) | {"temperature": best},
            "last_development": by,
        }
        score |= _base_scores(base, objective, seeds, tell)
        control = [
            (matched, run(matched, folder_of(runs, base, objective, "drawn", seed)))
            for seed, (config, whole) in enumerate(played)
            for matched in [match(config, whole)]
        ]
        result["matched"][objective] = _merge_rounds([r for _, r in control])
        last = [whole[-1].model(config) for config, whole in control]
        best, by = best_temperature(last, objective, DEVELOPMENT_GAMES // seeds)
        tell(f"{objective}: the control is best at temperature {best} (development)")
        score["matched"] = _score(control, objective, 1.0)
        score["matched_best"] = _score(control, objective, best) | {"temperature": best}
        score["matched_development"] = by
        for other in others if objective != "strict" else ():
            played = play(other, objective, "above_mean", other_seeds)
            by = result["other_bases"].setdefault(other, {})
            by[objective] = _merge_rounds([r for _, r in played])
        save(result | {"seconds": _seconds(result)}, out)
    return result


def folder_of(runs: Path, base: str, objective: str, chosen: str, seed: int) -> Path:
    """The folder of one run of the spine."""
    return runs / f"{base}-{objective}-{chosen}-seed{seed}"


def match(config: Config, whole: Sequence[Round]) -> Config:
    """The matched control of a filtered run: everything as there, but in each round
    as many views as that run kept are drawn by chance."""
    counts = tuple(r.metrics["training"]["kept"] for r in whole[1:])
    return replace(config, filter="drawn", draw=counts)


def _base_scores(base, objective, seeds, tell) -> dict[str, Any]:
    """The base on the test split, at 1 and at its best temperature."""
    goal = OBJECTIVES[objective]
    lm = load_model(base)
    best, by = best_temperature([lm], objective, DEVELOPMENT_GAMES)
    tell(f"{objective}: the base is best at temperature {best} (development)")
    scores = {
        t: over_seeds(
            [
                evaluate(
                    lm, goal, temperature=t, games=TEST_GAMES, split="test", seed=s
                )
                for s in range(seeds)
            ]
        )
        for t in {1.0, best}
    }
    return {
        "base": scores[1.0],
        "base_best": scores[best] | {"temperature": best},
        "base_development": by,
    }


def best_temperature(
    models: Sequence[LanguageModel], objective: str, games: int
) -> tuple[float, dict[str, float]]:
    """The temperature at which ``models`` earn the most points on the development
    split, ``games`` each, and the points at every one of :data:`TEMPERATURES`."""

    def points(t: float) -> float:
        scores = [
            evaluate(lm, OBJECTIVES[objective], temperature=t, games=games, seed=seed)
            for seed, lm in enumerate(models)
        ]
        return fmean(s["mean_points"]["value"] for s in scores)

    by = {t: points(t) for t in TEMPERATURES}
    return max(by, key=lambda t: by[t]), {str(t): v for t, v in by.items()}


def _score(played: list[tuple[Config, list[Round]]], objective: str, t: float):
    return over_seeds(
        [
            evaluate(
                whole[-1].model(config),
                OBJECTIVES[objective],
                games=TEST_GAMES,
                split="test",
                temperature=t,
                seed=config.seed,
            )
            for config, whole in played
        ]
    )


def _merge_rounds(runs: list[list[Round]]) -> dict[str, Any]:
    """Round by round, each metric over seeds; what was learned from and seconds too."""
    merged = []
    for same in zip(*runs, strict=True):
        row = {"round": same[0].number} | over_seeds([r.metrics for r in same])
        for count in ("kept", "passes", "steps", "tokens"):  # what went in
            row[count] = [r.metrics["training"].get(count) for r in same]
        row["seconds"] = [r.metrics["seconds"] for r in same]
        merged.append(row)
    return {"rounds": merged}


def _seconds(found: Any) -> float:
    """What all rounds took to play and train, whenever they were played."""
    if isinstance(found, dict) and set(found) == {"train", "play"}:
        return found["train"] + found["play"]
    inner = found.values() if isinstance(found, dict) else found
    return sum(map(_seconds, inner)) if isinstance(found, dict | list) else 0.0


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments spine`` takes."""
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--runs", type=Path, default=Path("runs/spine"))
    p.add_argument("--out", type=Path, default=Path("data/reference/spine.json"))


def go(given: argparse.Namespace) -> None:
    """Make the file, its picture, and the README's blocks."""
    made = spine(given.runs, given.out, seeds=given.seeds)
    picture(made, given.out.with_suffix(".svg"))
    if Path("README.md").exists():
        stamp_all(Path("README.md"), given.out.parent)
