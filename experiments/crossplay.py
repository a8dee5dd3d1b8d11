"""Does it transfer? Cross-play, best-response probes and exact search, recorded.

From the spine's run folders to ``data/reference/crossplay.json``. Each pair of
players meets on the same scenarios of the test split, twice each, so that each speaks
first once; models of different objectives are each told their own. A score is kept
for each pair in the folder of runs, and a rerun goes on from there.

The file. A *number* is ``{value, low, high, n}``; over seeds it is their mean with a
95 % t interval (of shares on the logit scale), and ``values`` holds each seed's
(``null`` where it has none). A *cell* holds a number for each of ``meetings.KEPT``
(see ``crossplay.score``: points over all games; ``agreement`` a share),
``over`` (``seeds``, or ``scenarios``: one pair, n games, bootstrap) and ``games``,
how many were played.

``matrix``      objective → row → column → cell. Models: ``base``, ``round 2``,
                ``round 5``, ``round 10`` of one run meet one another; ``round 10,
                other seed`` is another run's. Scripts by their names
``transfer``    objective → ``metric``, and numbers: ``base``, ``self`` (round 10 with
                itself), ``cross`` (with the other seeds', mean over them and over
                both players), ``lost`` (self - cross), ``kept`` ((cross - base) /
                (self - base)); ``pairs``: what each seed (row) has with each
                (column); ``by seed``: each seed's own ``cross``, ``lost``, ``kept``.
                Those share games, so the intervals of the three are jackknives that
                leave out a seed and all its games, the base taken as it is; their
                ``values`` are the jackknife's pseudo-values
``objectives``  row objective → column objective → cell, round 10, own prompt each
``bases``       objective → row → column → cell: round 10 from other bases
``temperature`` objective → row → column → cell: names end in ``@temperature``
``scripts``     row → column → cell: scripts among themselves
``said``        objective → round → numbers over seeds, in self-play. Of proposals
                after an offer: ``as said`` (the share that the latest offer gives
                the proposer), ``partner's`` (what it gives the partner), ``other``.
                Of acceptances that state a split (``said.accepting``): ``messages``
                and ``acceptances`` a game, shares that are ``false`` (other than
                the partner's latest offer) and ``new`` (named by nobody before),
                and the share of games with a ``false acceptance``
``search``      script → ``honest`` and ``any``: number; points of a searcher
``against``     objective (or ``base``) → script → numbers over seeds: round 10 in the
                games that were searched. ``points``, ``agreement``, how the model
                accepts (as in ``said``), ``sealed falsely`` (of deals, those on a
                split that it last accepted falsely), ``above honest bound`` (share
                of games)
``probes``      partner → ``from``; ``rounds``, a list of cells (the training games);
                ``test`` → ``start`` and ``last`` (cells) and ``rise`` (a number: last -
                start); ``said``, the learner's, → ``start`` and ``last``, in training
                games; for scripts ``honest bound`` (a number) and ``above honest
                bound``, the share of test games at last
``seconds``     of the last pass alone: scores that were there are not played again
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from selfplay_kit.files import write_text
from selfplay_kit.games.deal.rules import OBJECTIVES, SEMI
from selfplay_kit.games.deal.scripted import NEGOTIATORS
from selfplay_kit.learn.response import best_response
from selfplay_kit.learn.rounds import Config, read_rounds
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.measure.crossplay import meet, score

from . import meetings
from .gaps import gaps
from .meetings import KEPT, Study, Who, pooled
from .record import provenance, save
from .said import accepting, all_seeded, proposed, seeded

ROUNDS = (2, 5, 10)
SEEDS_OF = {2: 3, 5: 3}  # the rounds between are scored over fewer seeds
LOW = 0.3  # the temperature of the control
PROBED = ("base", "semi", "coop", "strict", "stubborn", "greedy", "fair", "teller")
HEADLINE = {"semi": "row", "coop": "joint", "strict": "agreement"}
OTHERS = ("tiny-middling", "tiny-clean")


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
    told = {"metric": metric, "base": base, "pairs": grid}
    return told | gaps(grid, base["value"], metric)


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
    for script in NEGOTIATORS if objective == "semi" else ():
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


def the_talk(study: Study, objective: str) -> dict[str, Any]:
    """``said`` of one objective, in self-play, from the recorded rounds."""
    found: dict[str, list[dict[str, float | None]]] = {}
    for who in ends(study, objective):
        rounds = read_rounds(who.folder(study.spine))
        for r in (0, *ROUNDS):
            games = rounds[r].games()
            found.setdefault(str(r), []).append(proposed(games) | accepting(games))
    return {r: all_seeded(fs) for r, fs in found.items()}


def against_scripts(study: Study, objective: str) -> dict[str, Any]:
    """``against`` of one objective, or of the base."""
    players = [Who()] if objective == "base" else ends(study, objective)
    result = {}
    for script in NEGOTIATORS:
        found = [study.against(who, script) for who in players]
        bound = study.bound(script, "honest")
        for f in found:
            f["above honest bound"] = above(f["points"], bound)
            f["points"] = fmean(f["points"])
        result[script] = all_seeded(found)
    study.tell(f"against scripts: {objective}")
    return result


def above(points: Sequence[int], bound: Sequence[int]) -> float:
    """The share of games in which there are more points than the bound."""
    return fmean(p > b for p, b in zip(points, bound, strict=True))


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
        for name, r in (("start", rounds[0]), ("last", rounds[-1])):
            mine = LMPlayer(r.model(config))
            partner = frozen.player(study.spine)
            found[name] = score(meet(mine, partner, study.some, SEMI, seed=0))
            if target in NEGOTIATORS:
                games = study.searched_games(mine, target)
                found[f"{name} points"] = [t.points[0] for t in games]
        write_text(where, json.dumps(found))
    return {
        "rounds": [{m: r.metrics[m] for m in KEPT} for r in rounds],
        "said": [accepting(r.games(), (0,)) for r in (rounds[0], rounds[-1])],
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
        | {"rise": seeded(rise)},
    }
    result["said"] = {
        k: all_seeded(v)
        for k, *v in zip(("start", "last"), *(f["said"] for f in found), strict=True)
    }
    if target in NEGOTIATORS:
        bound = study.bound(target, "honest")
        result["honest bound"] = study.searched(target, "honest")
        result["above honest bound"] = seeded(
            [above(f["test"]["last points"], bound) for f in found],
            "above honest bound",
        )
    last = result["test"]["last"]["row"]["value"]
    study.tell(f"probe against {target}: {fmean(rise):+.2f} points, to {last:.2f}")
    return result


def crossplay(study: Study, out: Path, spine_file: Path) -> dict[str, Any]:
    """Everything, written to ``out`` part by part; returns what was written."""
    began = time.perf_counter()
    recorded = json.loads(spine_file.read_text("utf-8"))
    best = {
        o: recorded["test"][o]["base_best"]["temperature"]
        for o in OBJECTIVES
        if o != "strict"
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
            "searched": meetings.SEARCHED,
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
            seconds = {"seconds": time.perf_counter() - began}
            save(result | seconds, out, compact=True)

    part("transfer", transfer, *OBJECTIVES)
    part("matrix", the_matrix, *OBJECTIVES)
    part("said", the_talk, *OBJECTIVES)
    part("bases", the_bases, *best)
    part("temperature", lambda s, o: the_temperatures(s, o, best[o]), *best)
    result["objectives"] = the_objectives(study)
    result["scripts"] = the_scripts(study)
    part("search", the_search, *NEGOTIATORS)
    part("against", against_scripts, "base", *OBJECTIVES)
    part("probes", the_probes, *PROBED)
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
