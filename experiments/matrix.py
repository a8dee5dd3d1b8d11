"""Who forgives, who coordinates: a model plays the repeated 2x2 games against scripts.

It sits opposite each script in each named game, with and without a prediction first
(the styles ``scot`` and ``long``; Akata et al. 2025). Each task is played under its two
labels and their swap, so that a taste for a letter shows as ``first_letter``, not as
cooperation. ``--forced`` lets a small local model that keeps to no form draw between
the two letters. A cell's games are a file of their own: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import product
from math import exp
from pathlib import Path
from typing import Any

from selfplay_kit.files import write_text
from selfplay_kit.games.base import SEMI, Move
from selfplay_kit.games.matrix.game import Transcript
from selfplay_kit.games.matrix.players import SCRIPTS
from selfplay_kit.games.matrix.rules import DILEMMAS, GAMES, best_response, tasks
from selfplay_kit.games.matrix.text import CHOOSE, PREDICT, parse
from selfplay_kit.games.play import Player, play_games
from selfplay_kit.learn.rounds import read_games
from selfplay_kit.lm.dialogue import dialogue
from selfplay_kit.measure.metrics import over_scenarios

from .record import provenance, save

STYLES = ("long", "scot")
_DECIDES = ("model", "temperature", "max_tokens", "forced")


def play_cells(
    player: Player,
    out: Path,
    *,
    games: tuple[str, ...] = tuple(GAMES),
    scripts: tuple[str, ...] = tuple(SCRIPTS),
    style: str = "long",
    count: int = 4,
    seed: int = 0,
) -> dict[str, Any]:
    """Numbers of ``player`` (seat 0) by game and script: ``count`` test tasks of each,
    every second one with its labels swapped. Games are kept under ``out / style``;
    a cell whose file is whole is not played again, and one that was decided by
    something else is refused with a ``ValueError``."""
    if count % 2 or count < 2:
        raise ValueError(f"games per cell: an even number, for swaps; got {count}")
    found: dict[str, Any] = {}
    for game, script in product(games, scripts):
        path = out / style / game / f"{script}.jsonl"
        some = list(tasks(game, "test"))[:count]
        if path.exists():
            played = read_games(path)
            differs = [t.task for t in played] != some or any(
                (t.players, t.seed) != ((player.name, script), f"{seed}/0")
                for t in played
            )
            if differs:
                raise ValueError(
                    f"{path} holds games of other tasks, players or another seed. "
                    "Nothing was played. Choose another --out, or ask for those."
                )
        else:
            firsts = [0] * len(some)
            pair = (player, SCRIPTS[script]())
            played = play_games(pair, some, SEMI, seed=seed, firsts=firsts)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, "".join(t.to_json() + "\n" for t in played))
        found.setdefault(game, {})[script] = over_scenarios(
            [t.task for t in played],
            [numbers(t, SCRIPTS[script]()) for t in played],
            seed=seed,
        )
    return found


def numbers(t: Transcript, script: Any) -> dict[str, tuple[float, float]]:
    """Seat 0's own numbers in a game with ``script``, numerator and denominator:
    ``points`` per round; ``of_best``, they as a share of the exact best response's;
    ``cooperates``; ``forgives``, cooperation right after the other's first defection
    or later; ``together``, the same equilibrium or best cell as the other;
    ``first_letter``; ``predicted``, true predictions; ``invalid`` outputs."""
    played, dilemma = t.played, t.task.name in DILEMMAS
    own = [m for m in t.moves if m.seat == 0]
    read = [parse(m.text, t.task.labels) for m in own if not m.error]
    guesses = [
        (r.predicted, other)
        for r, (_, other) in zip(read, played, strict=False)
        if r.predicted is not None
    ]
    letters = [t.task.labels[a] for a, _ in played]
    best = max(sum(cell) for row in t.task.payoffs for cell in row)
    wronged = [i for i, (_, b) in enumerate(played) if b == 1][:1]
    after = played[wronged[0] + 1 :] if wronged and dilemma else ()
    return {
        "points": (t.points[0], t.task.rounds),
        "of_best": (t.points[0], float(best_response(t.task, script))),
        "cooperates": (
            dilemma * sum(a == 0 for a, _ in played),
            dilemma * len(played),
        ),
        "forgives": (sum(a == 0 for a, _ in after), len(after)),
        "together": (sum(sum(t.task.pays(*p)) == best for p in played), len(played)),
        "first_letter": (sum(x == min(t.task.labels) for x in letters), len(letters)),
        "predicted": (sum(g == b for g, b in guesses), len(guesses)),
        "invalid": (sum(m.error is not None for m in own), len(own)),
    }


class Forced:
    """A language model that is held to the form: it reads ``[choose]`` as if it had
    written it, and draws one of the two letters, by the likelihood of the next token
    alone (in the style ``scot``: a prediction first, likewise). Small models answer
    this prompt with anything but a choice; so they show at least which they lean to.
    """

    def __init__(self, lm: Any, temperature: float):
        self.lm, self.temperature, self.name = lm, temperature, f"{lm.name} forced"

    def sit(self, games: int, *, seed: int | str) -> Forced:
        """Sit down to a batch; the chance of a move comes from seed and position."""
        self.seed = seed
        return self

    def close(self) -> None:
        """Nothing to let go of."""

    def reply(self, positions: Any) -> list[Move]:
        """One move for each position."""
        return [Move(self._answer(p)) for p in positions]

    def _answer(self, p: Any) -> str:
        chance = random.Random(f"{self.seed}/{p.game}/{p.seat}/{len(p.lines)}")
        said = [t for turn in dialogue(self.lm, p) for t in turn.ids]
        text = ""
        for mark in (PREDICT, CHOOSE)[self.lm.style != "scot" :]:
            text = f"{text} {mark}".lstrip()
            text += f" {self._letter(said, text, sorted(p.task.labels), chance)}"
        return text

    def _letter(self, said: list[int], text: str, labels: list[str], chance) -> str:
        import torch

        ids = [*said, *self.lm.encode(text)]
        ends = [self.lm.encode(f"{text} {x}")[-1] for x in labels]
        with torch.inference_mode():
            row = torch.tensor([ids], device=self.lm.model.device)
            one, two = self.lm.model(row, logits_to_keep=1).logits[0, -1, ends].tolist()
        if not self.temperature:
            return labels[two > one]
        gap = max(-700.0, min(700.0, (two - one) / self.temperature))
        return labels[chance.random() >= 1 / (1 + exp(gap))]


def sit(model: str, style: str, given: argparse.Namespace) -> Any:
    """The player called ``model``: a model of the kit, or ``endpoint:NAME`` at
    ``--url``; it reads the prompt in ``style``."""
    if model.startswith("endpoint:"):
        from selfplay_kit.lm.endpoint import EndpointPlayer

        return EndpointPlayer(
            model.removeprefix("endpoint:"),
            given.url,
            style=style,
            temperature=given.temperature,
            max_tokens=given.max_tokens,
        )
    from selfplay_kit.lm.models import load_model
    from selfplay_kit.lm.player import LMPlayer

    lm = load_model(model)
    lm.style, lm.max_new_tokens = style, given.max_tokens
    if given.forced:
        return Forced(lm, given.temperature)
    return LMPlayer(lm, temperature=given.temperature)


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments matrix`` takes."""
    p.add_argument("model", nargs="?", default="smollm2-135m-q4_1")
    p.add_argument("--out", type=Path, required=True, help="folder for the games")
    p.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES))
    p.add_argument("--scripts", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    p.add_argument("--styles", nargs="+", choices=STYLES, default=list(STYLES))
    p.add_argument("--count", type=int, default=4, help="games per cell")
    p.add_argument("--temperature", type=float, default=0.7)
    p.add_argument("--max-tokens", type=int, default=16)
    p.add_argument("--forced", action="store_true", help="one of the letters, always")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--url", default="http://localhost:8000/v1", help="of an endpoint")


def go(given: argparse.Namespace) -> None:
    """Play what is missing and write ``matrix.json``; print it as rows."""
    decides = {k: getattr(given, k) for k in _DECIDES}
    decides |= {"seed": given.seed, "count": given.count}
    where = given.out / "config.json"
    if where.exists() and json.loads(where.read_text("utf-8")) != decides:
        raise ValueError(
            f"{given.out} holds games that were decided by something else "
            f"({where.read_text('utf-8').strip()}). Choose another --out."
        )
    given.out.mkdir(parents=True, exist_ok=True)
    write_text(where, json.dumps(decides) + "\n")
    found: dict[str, Any] = {"provenance": provenance(), "config": decides}
    for style in given.styles:
        cells = play_cells(
            sit(given.model, style, given),
            given.out,
            games=tuple(given.games),
            scripts=tuple(given.scripts),
            style=style,
            count=given.count,
            seed=given.seed,
        )
        found[style] = cells
        for (game, row), script in product(cells.items(), given.scripts):
            told = ", ".join(
                f"{k} {v['value']:.2f} [{v['low']:.2f}, {v['high']:.2f}]"
                for k, v in row[script].items()
                if v["value"] is not None
            )
            print(f"{style} {game} {script}: {told}", flush=True)
    save(found, given.out / "matrix.json")
