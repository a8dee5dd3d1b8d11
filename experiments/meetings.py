"""Who meets whom: the players of ``experiments crossplay``, and their kept scores.

A pair's score stands in the folder of runs under both names, with what identifies
the two players; where either is another one by now, the pair plays again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from selfplay_kit.files import write_text
from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.games.deal.rules import OBJECTIVES, SEMI, scenarios
from selfplay_kit.games.deal.scripted import NEGOTIATORS
from selfplay_kit.games.play import Player
from selfplay_kit.learn.response import identity
from selfplay_kit.lm.models import LanguageModel, load_model
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.measure.crossplay import Told, both_ways, meet, score
from selfplay_kit.measure.metrics import mean_interval
from selfplay_kit.measure.search import search_games

from .said import accepting, sealed_falsely, seeded

SCENARIOS, SEARCHED = 100, 40  # of the test split, each played both ways
KEPT = ("row", "column", "joint", "margin", "agreement", "first_minus_second")


@dataclass(frozen=True)
class Who:
    """A player of the study: a script by name, or a model by base, objective, seed,
    round and temperature."""

    name: str = "tiny-weak"
    objective: str = ""
    seed: int = 0
    round: int = 0
    temperature: float = 1.0

    def slug(self) -> str:
        """A name for a file."""
        if self.name in NEGOTIATORS:
            return self.name
        run = f"-{self.objective}{self.seed}-{self.round}" if self.round else ""
        return f"{self.name.removeprefix('tiny-')}{run}-{self.temperature:g}"

    def folder(self, spine: Path) -> Path:
        """The run folder that it comes from."""
        return spine / f"{self.name}-{self.objective}-above_mean-seed{self.seed}"

    def path(self, spine: Path) -> str | Path:
        """What ``load_model`` needs."""
        if not self.round:
            return self.name
        return self.folder(spine) / f"round-{self.round:02d}" / "model"

    def player(self, spine: Path) -> Player:
        """The player, told the objective that it was trained under."""
        if self.name in NEGOTIATORS:
            return NEGOTIATORS[self.name]()
        lm = _model(self.path(spine))
        player = LMPlayer(lm, temperature=self.temperature, name=self.slug())
        return Told(player, OBJECTIVES[self.objective]) if self.objective else player


@lru_cache(maxsize=80)
def _model(path: str | Path) -> LanguageModel:
    return load_model(path)


@dataclass
class Study:
    """Where runs and scores stand, and what is asked of them."""

    spine: Path
    home: Path
    seeds: int = 5
    probe_seeds: int = 3
    probe_rounds: int = 5
    probe_games: int = 300
    tell: Callable[[str], None] = print

    def __post_init__(self) -> None:
        pool = scenarios("test")
        self.some = random.Random(0).sample(pool, min(SCENARIOS, len(pool)))

    def pair(self, a: Who, b: Who, objective: str) -> list[dict[str, Any]]:
        """Scores of ``a`` and of ``b`` in their games, from the folder if there."""
        where = self.home / "cells" / f"{objective}--{a.slug()}--{b.slug()}.json"
        one, two = (who.player(self.spine) for who in (a, b))
        mark = [identity(one), identity(two), len(self.some)]
        if where.exists():
            there = json.loads(where.read_text("utf-8"))
            if there["mark"] == mark:
                return there["scores"]
        two = one if a == b else two
        games = meet(one, two, self.some, OBJECTIVES[objective], seed=0)
        sides = ((0, 1), (0, 1)) if a == b else ((0,), (1,))
        scores = [score(games, seats=seats) for seats in sides]
        where.parent.mkdir(parents=True, exist_ok=True)
        write_text(where, json.dumps({"mark": mark, "scores": scores}))
        return scores

    def cells(self, pairs: Sequence[tuple[Who, Who]], objective: str) -> list[dict]:
        """The cell of pairs that are alike but for the seed, and its mirror."""
        found = [self.pair(a, b, objective) for a, b in dict.fromkeys(pairs)]
        return [
            pooled([f[side] for f in found])
            | {"games": 2 * len(self.some) * len(found)}
            for side in (0, 1)
        ]

    def searched_games(self, player: Player, script: str) -> list[Transcript]:
        """Games of ``player`` with a script, in which :meth:`bound` was searched."""
        played, firsts = both_ways(self.some[:SEARCHED])
        partner = NEGOTIATORS[script]()
        return meet(player, partner, played, SEMI, seed=0, firsts=firsts)

    def against(self, who: Who, script: str) -> dict[str, Any]:
        """Points of ``who`` in those games, one by one, and how it accepts in them;
        kept in the folder as the scores are."""
        where = self.home / "against" / f"{who.slug()}--{script}.json"
        player = who.player(self.spine)
        mark = [identity(player), script, SEARCHED]
        if where.exists():
            there = json.loads(where.read_text("utf-8"))
            if there["mark"] == mark:
                return there["found"]
        games = self.searched_games(player, script)
        found = {
            "points": [t.points[0] for t in games],
            "agreement": sum(t.agreed for t in games) / len(games),
            "sealed falsely": sealed_falsely(games),
        } | accepting(games, (0,))
        where.parent.mkdir(parents=True, exist_ok=True)
        write_text(where, json.dumps({"mark": mark, "found": found}))
        return found

    def bound(self, name: str, kind: str) -> list[int]:
        """Points of a searcher against a script, game by game, kept in the folder."""
        where = self.home / "search" / f"{name}-{kind}-{SEARCHED}.json"
        if not where.exists():
            played, firsts = both_ways(self.some[:SEARCHED])
            script, honest = NEGOTIATORS[name](), kind == "honest"
            found = search_games(script, played, seed=0, firsts=firsts, honest=honest)
            where.parent.mkdir(parents=True, exist_ok=True)
            write_text(where, json.dumps([b.points for b in found]))
        return json.loads(where.read_text("utf-8"))

    def searched(self, name: str, kind: str) -> dict[str, Any]:
        """The mean of :meth:`bound` with its interval by scenario."""
        played = both_ways(self.some[:SEARCHED])[0]
        return mean_interval(played, self.bound(name, kind), seed=0)

    def table(self, pairs: Mapping[tuple[str, str], Sequence], objective: str) -> dict:
        """``{(row, column): pairs of players}`` as row → column → cell; where the
        column is also a row, the mirrored cell too."""
        rows = {a for a, _ in pairs}
        found: dict[str, dict[str, Any]] = {}
        for (a, b), players in pairs.items():
            cells = self.cells(players, objective)
            found.setdefault(a, {})[b] = cells[0]
            if b in rows and a != b:
                found.setdefault(b, {})[a] = cells[1]
        self.tell(f"{objective}: {len(found)} rows, {len(pairs)} kinds of pairs")
        return found


def pooled(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One cell from the scores of several seeds, or of one."""
    if len(scores) == 1:
        return {m: scores[0][m] for m in KEPT} | {"over": "scenarios"}
    cell = {m: seeded([s[m]["value"] for s in scores], m) for m in KEPT}
    return cell | {"over": "seeds"}
