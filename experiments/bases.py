"""The tiny bases, made again from nothing, and the scores that their card quotes.

A base is made *literate* by cloning scripted players, first clean games and then
clumsy ones, whose noise sets where self-play starts. What a tiny model is made of, its
words and its shape, is in ``selfplay_kit.learn.tiny``.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from selfplay_kit.games.base import OBJECTIVES, kind
from selfplay_kit.learn.cloning import View, make_sample, views
from selfplay_kit.learn.rounds import evaluate
from selfplay_kit.learn.tiny import blank, make_tokenizer, script_games, vocabulary
from selfplay_kit.learn.training import IGNORE, fine_tune
from selfplay_kit.lm.models import LanguageModel, load_model, no_bars

from .record import provenance, save


def literate(
    lm: LanguageModel,
    seed: int | str,
    *,
    steps: int = 2500,
    batch: int = 16,
    lr: float = 3e-3,
    lr_end: float = 3e-4,
    **games,
) -> Any:
    """Clone fresh script games for ``steps`` steps; ``games`` goes to
    ``script_games``. Returns the ``Training``."""
    played = script_games(steps * batch // 2, seed, **games)
    samples = [make_sample(v, lm, tries=True) for v in views(played)]
    epochs = steps * batch / len(samples)
    return fine_tune(
        lm, samples, epochs=epochs, lr=lr, lr_end=lr_end, batch=batch, seed=seed
    )


def drill(lm: LanguageModel, seed: int | str, *, steps: int, batch: int = 64) -> Any:
    """A lesson in using what was stated: the first share asked for after both have
    told their values, with loss on its three counts alone. In whole games those
    are a few tokens of a hundred, and what they depend on is hardly learned.

    One sample in four is of an ordinary game, so that the rest is not forgotten.
    """
    counts = {i for i, w in enumerate(vocabulary()) if re.fullmatch(r"\d \w+", w)}
    quarter = steps * batch // 4
    told = script_games(3 * quarter, f"{seed}/told", tempers=("teller",), slip=0.0)
    samples = [_first_demand(t, lm, counts) for t in told]
    plain = script_games(quarter // 2, f"{seed}/plain", tempers=TALKERS)
    samples += [make_sample(v, lm, tries=True) for v in views(plain)]
    epochs = steps * batch / len(samples)
    return fine_tune(
        lm, samples, epochs=epochs, lr=3e-3, lr_end=6e-4, batch=batch, seed=seed
    )


def _first_demand(t: Any, lm: LanguageModel, counts: set[int]) -> Any:
    """The opener's view of the first three moves, loss on the third's ``counts``."""
    s = make_sample(View(replace(t, moves=t.moves[:3]), t.first), lm)
    return replace(s, labels=tuple(x if x in counts else IGNORE for x in s.labels))


def save_base(lm: LanguageModel, folder: Path) -> None:
    """Write the weights in half precision (they are read back into fp32)."""
    import copy

    import torch

    folder.mkdir(parents=True, exist_ok=True)
    with no_bars():
        copy.deepcopy(lm.model).to(torch.float16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


LITERACY = ("fair", "fair", "blind", "teller", "teller", "greedy", "stubborn", "liar")
TALKERS = ("teller", "teller", "teller", "teller", "blind", "fair")


@dataclass(frozen=True)
class Recipe:
    """How one base is made: clean games for literacy, or another base and then
    clumsy games, whose ``noise`` sets where it starts. ``seed`` names the games."""

    seed: str
    start: str | None = None  # the base it goes on from
    noise: float = 0.0
    steps: int = 3000
    lr: float = 3e-3
    lr_end: float = 1e-3
    slip: float = 0.03
    tempers: tuple[str, ...] = LITERACY
    drill: int = 0  # steps of :func:`drill` before the games
    game: str = "deal"


RECIPES = {
    "clean": Recipe("literate/0"),
    "middling": Recipe("mid/0", "clean", 0.35, steps=125, lr=1e-3, lr_end=0.0),
    "weak": Recipe("weak/0", "clean", 0.65, steps=125, lr=1e-3, lr_end=0.0, slip=0.05),
    "talk": Recipe("talk/0", "clean", 0.3, 125, 1e-3, 0.0, tempers=TALKERS, drill=600),
}


def make_base(name: str, folder: Path) -> None:
    """Make the base ``name`` of :data:`RECIPES` into ``folder / name``; the base
    that it goes on from must stand in ``folder`` already."""
    recipe = RECIPES[name]
    lm = load_model(folder / recipe.start, "fp32") if recipe.start else blank(seed=0)
    teach(lm, recipe)
    save_base(lm, folder / name)


def teach(lm: LanguageModel, recipe: Recipe) -> None:
    """Give ``lm`` the lessons of ``recipe``: its drill, if any, then its games."""
    if recipe.drill:
        drill(lm, recipe.seed, steps=recipe.drill)
    literate(
        lm,
        recipe.seed,
        game=recipe.game,
        steps=recipe.steps,
        lr=recipe.lr,
        lr_end=recipe.lr_end,
        tempers=recipe.tempers,
        noise=recipe.noise,
        slip=recipe.slip,
    )


def make_base_of(game: str, folder: Path, **changes: Any) -> LanguageModel:
    """A base that plays ``game`` as a mixture of its scripted players, written into
    ``folder`` with a tokenizer of its own; ``changes`` go to the :class:`Recipe`."""
    recipe = replace(
        Recipe(f"{game}/0", noise=0.3, steps=400, game=game),
        **{"tempers": tuple(kind(game).players)} | changes,
    )
    lm = blank(0, game)
    teach(lm, recipe)
    save_base(lm, folder)
    lm.tokenizer.save_pretrained(folder)
    return lm


def make_bases(folder: Path, tell: Callable[[str], None] = print) -> None:
    """Make every base of :data:`RECIPES` into ``folder``, with the tokenizer."""
    make_tokenizer().save_pretrained(folder / "tokenizer")
    for name in RECIPES:
        started = time.perf_counter()
        make_base(name, folder)
        tell(f"{name}: made in {time.perf_counter() - started:.0f} s")


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
