"""The tiny bases, made again from nothing, and the scores that their card quotes."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.rules import OBJECTIVES
from selfplay_kit.learn.rounds import evaluate
from selfplay_kit.learn.tiny import (
    RECIPES,
    Recipe,
    blank,
    make_base_of,
    make_bases,
    save_base,
    teach,
)
from selfplay_kit.lm.models import load_model

from .record import provenance, save


def score_bases(folder: Path, *, games: int = 500) -> dict[str, Any]:
    """Score every tiny base in ``folder`` on the development split, at temperatures
    1 and 0.3, and write ``bases.json`` there: what its card quotes."""
    found: dict[str, Any] = {"provenance": provenance(), "games": games, "bases": {}}
    for name, recipe in RECIPES.items():
        lm = load_model(folder / name)
        found["bases"][name] = {
            "recipe": asdict(recipe),
            "weights_hash": lm.report.weights_hash,
            "development": {
                str(t): evaluate(lm, OBJECTIVES["semi"], games=games, temperature=t)
                for t in (1.0, 0.3)
            },
        }
    save(found, folder / "bases.json")
    return found


def make_once(recipe: Recipe, folder: Path) -> None:
    """Make a base that does not ship into ``folder``, unless it is there."""
    if (folder / "config.json").exists():
        return
    start = recipe.start
    lm = load_model(f"tiny-{start}", "fp32") if start else blank(seed=0)
    teach(lm, recipe)
    save_base(lm, folder)


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments bases`` takes."""
    p.add_argument("--out", type=Path, required=True, help="folder for the bases")
    p.add_argument("--game", help="a base of this game alone, into --out itself")
    p.add_argument(
        "--score-only", action="store_true", help="score the bases that are there"
    )


def go(given: argparse.Namespace) -> None:
    """Make the bases (unless they are only to be scored) and score them."""
    if given.game:
        make_base_of(given.game, given.out)
        return
    if not given.score_only:
        make_bases(given.out, tell=lambda line: print(line, flush=True))
    score_bases(given.out)
