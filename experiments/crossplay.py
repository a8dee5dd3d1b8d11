"""Does it transfer? Cross-play, best-response probes and exact search, recorded.

From the spine's run folders to ``data/reference/crossplay.json``. Each pair of
players meets on the same scenarios of the test split, twice each, so that each speaks
first once; models of different objectives are each told their own. A score is kept
for each pair in the folder of runs, and a rerun goes on from there.

The file. A *number* is ``{value, low, high, n}``. A *cell* holds a number for each of
:data:`KEPT` (see ``selfplay_kit.crossplay.score``: points over all games;
``agreement`` a share),
``over`` (``seeds``: mean over n training seeds, 95 % t interval; ``scenarios``: one
pair, n games, bootstrap) and ``games``, how many were played.

``matrix``      objective → row → column → cell. Models: ``base``, ``round 2``,
                ``round 5``, ``round 10`` of one run meet one another; ``round 10,
                other seed`` is another run's. Scripts by their names
``transfer``    objective → ``metric``, and numbers: ``base``, ``self`` (round 10 with
                itself), ``cross`` (with the other seeds', mean over them), ``lost``
                (self - cross), ``kept`` ((cross - base) / (self - base), of seeds that
                gained), paired by seed, with ``values``; ``pairs``: what
                each seed (row) has with each (column)
``objectives``  row objective → column objective → cell, round 10, own prompt each
``bases``       objective → row → column → cell: round 10 from other bases
``temperature`` objective → row → column → cell: names end in ``@temperature``
``scripts``     row → column → cell: scripts among themselves
``proposals``   objective → round → shares of proposals (numbers over seeds): ``as
                said`` (the share that the latest offer gives the proposer),
                ``partner's`` (what it gives the partner), ``other``
``search``      script → ``honest`` and ``any``: number; points of a searcher
``probes``      partner → ``from``, ``rounds`` (list of cells over seeds, training
                games), ``test`` → ``start``, ``last`` (cells; test split), ``rise``
                (number: last - start), for scripts ``honest bound`` (number) and
                ``above honest bound`` (share of the last round's games)
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from selfplay_kit.crossplay import (
    Told,
    best_response,
    both_ways,
    identity,
    meet,
    score,
)
from selfplay_kit.game import Transcript, lines_for
from selfplay_kit.lm_player import LMPlayer
from selfplay_kit.metrics import ratio_interval, seed_interval
from selfplay_kit.models import LanguageModel, load_model
from selfplay_kit.play import Player
from selfplay_kit.protocol import Position, parse
from selfplay_kit.rounds import Config, read_rounds
from selfplay_kit.rules import OBJECTIVES, SEMI, scenarios
from selfplay_kit.scripted import NEGOTIATORS, View
from selfplay_kit.search import search_games

from .record import provenance, save

SCENARIOS, SEARCHED = 100, 40  # of the test split, each played both ways
ROUNDS = (2, 5, 10)
SEEDS_OF = {2: 3, 5: 3}  # the rounds between are scored over fewer seeds
LOW = 0.3  # the temperature of the control
PROBED = ("base", "semi", "coop", "strict", "stubborn", "greedy", "fair", "teller")
KEPT = ("row", "column", "joint", "margin", "agreement", "first_minus_second")
HEADLINE = {"semi": "row", "coop": "joint", "strict": "agreement"}
OTHERS = ("tiny-middling", "tiny-clean")


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
        where.write_text(json.dumps({"mark": mark, "scores": scores}), "utf-8")
        return scores

    def cells(self, pairs: Sequence[tuple[Who, Who]], objective: str) -> list[dict]:
        """The cell of pairs that are alike but for the seed, and its mirror."""
        found = [self.pair(a, b, objective) for a, b in dict.fromkeys(pairs)]
        return [
            pooled([f[side] for f in found])
            | {"games": 2 * len(self.some) * len(found)}
            for side in (0, 1)
        ]

    def bound(self, name: str, kind: str) -> list[int]:
        """Points of a searcher against a script, game by game, kept in the folder."""
        where = self.home / "search" / f"{name}-{kind}-{SEARCHED}.json"
        if not where.exists():
            played, firsts = both_ways(self.some[:SEARCHED])
            script, honest = NEGOTIATORS[name](), kind == "honest"
            found = search_games(script, played, seed=0, firsts=firsts, honest=honest)
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(json.dumps([b.points for b in found]), "utf-8")
        return json.loads(where.read_text("utf-8"))

    def searched(self, name: str, kind: str) -> dict[str, Any]:
        """The mean of :meth:`bound` with its interval by scenario."""
        sums: dict[str, list[float]] = {}
        played = both_ways(self.some[:SEARCHED])[0]
        for s, x in zip(played, self.bound(name, kind), strict=True):
            place = sums.setdefault(s.key(), [0.0, 0.0])
            place[0] += x
            place[1] += 1
        return ratio_interval(*zip(*sums.values(), strict=True), seed=0)

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
    cell = {m: seed_interval([s[m]["value"] for s in scores]) for m in KEPT}
    return cell | {"over": "seeds"}


def ends(study: Study, objective: str, temperature: float = 1.0) -> list[Who]:
    """Round 10 of every seed."""
    o, t = objective, temperature
    return [Who("tiny-weak", o, s, ROUNDS[-1], t) for s in range(study.seeds)]


def shifted(players: Sequence[Who]) -> list[Who]:
    """Each player's place is taken by that of the next seed."""
    return [*players[1:], players[0]]


def the_matrix(study: Study, objective: str) -> dict[str, Any]:
    """``matrix`` of one objective."""
    weak, last = Who(), ends(study, objective)
    runs = {
        f"round {r}": [
            Who("tiny-weak", objective, w.seed, r) for w in last[: SEEDS_OF.get(r)]
        ]
        for r in ROUNDS
    }
    named = {"base": [weak] * len(last)} | runs
    other = f"round {ROUNDS[-1]}, other seed"
    pairs: dict[tuple[str, str], Sequence] = {}
    for i, a in enumerate(named):
        for b in list(named)[i:]:
            pairs[a, b] = list(zip(named[a], named[b], strict=False))
        if len(last) > 1:
            pairs[a, other] = list(zip(named[a], shifted(last), strict=False))
        for script in NEGOTIATORS:
            pairs[a, script] = [(who, Who(script)) for who in named[a]]
    return study.table(pairs, objective)


def transfer(study: Study, objective: str) -> dict[str, Any]:
    """How much of the gain of self-play survives a partner of another seed."""
    metric, last = HEADLINE[objective], ends(study, objective)
    base = study.pair(Who(), Who(), objective)[0][metric]
    grid = [[0.0] * len(last) for _ in last]
    for i, a in enumerate(last):
        for j, b in enumerate(last[i:], i):
            found = study.pair(a, b, objective)
            grid[i][j], grid[j][i] = (f[metric]["value"] for f in found)
    own = [grid[i][i] for i in range(len(last))]
    cross = [fmean(x for j, x in enumerate(r) if j != i) for i, r in enumerate(grid)]
    gaps = {
        "self": own,
        "cross": cross,
        "lost": [a - b for a, b in zip(own, cross, strict=True)],
        "kept": [
            (b - base["value"]) / (a - base["value"])
            for a, b in zip(own, cross, strict=True)
            if a > base["value"]
        ],
    }
    return {"metric": metric, "base": base, "pairs": grid} | {
        name: seed_interval(v) | {"values": v} for name, v in gaps.items() if v
    }


def the_objectives(study: Study) -> dict[str, Any]:
    """``objectives``: who was trained under which reward, against whom."""
    pairs: dict[tuple[str, str], Sequence] = {}
    for i, a in enumerate(OBJECTIVES):
        for b in list(OBJECTIVES)[i:]:
            pairs[a, b] = list(zip(ends(study, a), ends(study, b), strict=True))
    return study.table(pairs, "semi")


def the_bases(study: Study, objective: str) -> dict[str, Any]:
    """``bases``: round 10 of runs that began from other bases."""
    last = ends(study, objective)
    others = {b: Who(b, objective, 0, ROUNDS[-1]) for b in OTHERS}
    pairs: dict[tuple[str, str], Sequence] = {
        ("tiny-weak", b): [(a, who) for a in last] for b, who in others.items()
    }
    names = list(others)
    for i, a in enumerate(names):
        for b in names[i:]:
            pairs[a, b] = [(others[a], others[b])]
    return study.table(pairs, objective)


def the_temperatures(study: Study, objective: str, best: float) -> dict[str, Any]:
    """``temperature``: the last round at 0.3, the base at its best temperature."""
    hot, cold = ends(study, objective), ends(study, objective, LOW)
    base = Who(temperature=best)
    b, h, c = f"base@{best:g}", f"round {ROUNDS[-1]}@1", f"round {ROUNDS[-1]}@{LOW:g}"
    pairs: dict[tuple[str, str], Sequence] = {
        (b, b): [(base, base)],
        (b, h): [(base, x) for x in hot],
        (b, c): [(base, x) for x in cold],
        (c, c): [(x, x) for x in cold],
        (h, c): list(zip(hot, cold, strict=True)),
    }
    if len(cold) > 1:
        pairs[c, f"{c}, other seed"] = list(zip(cold, shifted(cold), strict=True))
    for script in NEGOTIATORS:
        pairs[b, script] = [(base, Who(script))]
        pairs[c, script] = [(x, Who(script)) for x in cold]
    return study.table(pairs, objective)


def the_scripts(study: Study) -> dict[str, Any]:
    """``scripts``: the negotiators among themselves."""
    names = list(NEGOTIATORS)
    return study.table(
        {(a, b): [(Who(a), Who(b))] for i, a in enumerate(names) for b in names[i:]},
        "semi",
    )


def proposed(games: Sequence[Transcript]) -> dict[str, float]:
    """Whose share do players propose? Shares of all proposals after an offer: that
    which the latest offer gives the proposer, the partner, or neither."""
    count = {"as said": 0, "partner's": 0, "other": 0}
    for t in games:
        for i, move in enumerate(t.moves):
            share = None if move.error else parse(move.text, t.scenario.counts).share
            if share is None or move.seat is None:
                continue
            own, lines = t.scenario.values[move.seat], lines_for(move.seat, t.moves[:i])
            view = View(Position(0, move.seat, t.scenario.counts, own, SEMI, lines))
            if view.table is None:
                continue
            rest = view.rest(view.table)
            kind = "as said" if share == view.table else "other"
            count["partner's" if kind == "other" and share == rest else kind] += 1
    total = sum(count.values())
    return {k: n / total if total else 0.0 for k, n in count.items()}


def the_proposals(study: Study, objective: str) -> dict[str, Any]:
    """``proposals`` of one objective, in self-play, from the recorded rounds."""
    found: dict[str, list[dict[str, float]]] = {}
    for who in ends(study, objective):
        rounds = read_rounds(who.folder(study.spine))
        for r in (0, *ROUNDS):
            found.setdefault(str(r), []).append(proposed(rounds[r].games()))
    return {
        r: {k: seed_interval([f[k] for f in fs]) for k in fs[0]}
        for r, fs in found.items()
    }


def the_search(study: Study, name: str) -> dict[str, Any]:
    """``search``: the most that can be had from a script, exactly."""
    found = {k: study.searched(name, k) for k in ("honest", "any")}
    study.tell(f"search against {name}: {found['honest']['value']:.2f} if honest")
    return found


def probe(study: Study, target: str, seed: int) -> dict[str, Any]:
    """One best-response probe: round 10 of the semi-competitive run learns against
    ``target``, for its own points alone."""
    start = Who("tiny-weak", "semi", seed, ROUNDS[-1])
    if target in NEGOTIATORS:
        frozen = Who(target)
    elif target == "base":
        frozen = Who()
    else:
        frozen = Who("tiny-weak", target, seed, ROUNDS[-1])
    config = Config(
        base=str(start.path(study.spine)),
        rounds=study.probe_rounds,
        games=study.probe_games,
        seed=seed,
    )
    folder = study.home / "probes" / f"{target}-seed{seed}"
    rounds = best_response(frozen.player(study.spine), config, folder)
    where = folder / "test.json"
    if not where.exists():
        found: dict[str, Any] = {}
        played, firsts = both_ways(study.some[:SEARCHED])
        for name, r in (("start", rounds[0]), ("last", rounds[-1])):
            mine = LMPlayer(r.model(config))
            partner = frozen.player(study.spine)
            found[name] = score(meet(mine, partner, study.some, SEMI, seed=0))
            games = meet(mine, partner, played, SEMI, seed=0, firsts=firsts)
            found[f"{name} points"] = [t.points[0] for t in games]
        where.write_text(json.dumps(found), "utf-8")
    return {
        "rounds": [{m: r.metrics[m] for m in KEPT} for r in rounds],
        "test": json.loads(where.read_text("utf-8")),
    }


def the_probes(study: Study, target: str) -> dict[str, Any]:
    """``probes`` against one partner."""
    found = [probe(study, target, s) for s in range(study.probe_seeds)]
    rise = [
        f["test"]["last"]["row"]["value"] - f["test"]["start"]["row"]["value"]
        for f in found
    ]
    result: dict[str, Any] = {
        "from": "round 10, semi, of the same seed",
        "rounds": [
            pooled(same) for same in zip(*(f["rounds"] for f in found), strict=True)
        ],
        "test": {n: pooled([f["test"][n] for f in found]) for n in ("start", "last")}
        | {"rise": seed_interval(rise) | {"values": rise}},
    }
    if target in NEGOTIATORS:
        bound = study.bound(target, "honest")
        result["honest bound"] = study.searched(target, "honest")
        above = [
            fmean(p > b for p, b in zip(f["test"]["last points"], bound, strict=True))
            for f in found
        ]
        result["above honest bound"] = seed_interval(above) | {"values": above}
    last = result["test"]["last"]["row"]["value"]
    study.tell(f"probe against {target}: {fmean(rise):+.2f} points, to {last:.2f}")
    return result


def crossplay(study: Study, out: Path, spine_file: Path) -> dict[str, Any]:
    """Everything, written to ``out`` part by part; returns what was written."""
    began = time.perf_counter()
    recorded = json.loads(spine_file.read_text("utf-8"))
    best = {
        o: recorded["test"][o]["base_best"]["temperature"] for o in ("semi", "coop")
    }
    result: dict[str, Any] = {
        "provenance": provenance(),
        "config": {
            "base": "tiny-weak",
            "split": "test",
            "scenarios": len(study.some),
            "seeds": study.seeds,
            "rounds": ROUNDS,
            "temperature": 1.0,
            "low_temperature": LOW,
            "base_best_temperature": best,
            "searched": SEARCHED,
            "probe": {
                "seeds": study.probe_seeds,
                "rounds": study.probe_rounds,
                "games": study.probe_games,
            },
        },
    }

    def part(name: str, made: Callable[..., Any], *keys: str) -> None:
        for key in keys:
            result.setdefault(name, {})[key] = made(study, key)
            save(result | {"seconds": time.perf_counter() - began}, out)

    part("transfer", transfer, *OBJECTIVES)
    part("matrix", the_matrix, *OBJECTIVES)
    part("proposals", the_proposals, *OBJECTIVES)
    part("bases", the_bases, *best)
    part("temperature", lambda s, o: the_temperatures(s, o, best[o]), *best)
    part("search", the_search, *NEGOTIATORS)
    part("probes", the_probes, *PROBED)
    result["objectives"] = the_objectives(study)
    result["scripts"] = the_scripts(study)
    save(result | {"seconds": time.perf_counter() - began}, out)
    return result


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments crossplay`` takes."""
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--probe-seeds", type=int, default=3)
    p.add_argument("--spine", type=Path, default=Path("runs/spine"))
    p.add_argument("--runs", type=Path, default=Path("runs/crossplay"))
    p.add_argument("--out", type=Path, default=Path("data/reference/crossplay.json"))
    p.add_argument(
        "--results",
        type=Path,
        default=Path("data/reference/spine.json"),
        help="where the base's best temperature stands",
    )


def go(given: argparse.Namespace) -> None:
    """Play, train, search, and write the file."""
    study = Study(
        given.spine,
        given.runs,
        seeds=given.seeds,
        probe_seeds=given.probe_seeds,
        tell=lambda line: print(line, flush=True),
    )
    crossplay(study, given.out, given.results)
