"""Why it works: one thing changed at a time, λ from -1 to 1, into ``sweep.json``.

What is played stands in :mod:`.variants`, what is counted in :mod:`.measure`; the
runs of a variant differ in the seed alone. A rerun goes on from the run folders, and
takes those of ``spine`` where the configuration is the same. What
``data/reference/sweep.json`` holds:

``config``    the standard run, and ``test_games``
``groups``    group: {label: name of a variant}; one variant may stand in several
``variants``  name: {
                  ``changes``: what differs from the standard run,
                  ``commit``: of the code that counted its games; they can be older,
                  ``seeds``: the seeds played,
                  ``stopped``: {seed: why it could learn no more}, mostly empty,
                  ``rounds``: {metric: one list for each seed, a value a round},
                  ``last``: {metric: {value, low, high, n}} of the last round's own
                      play (training split, temperature of the run),
                  ``test``: {metric: {value, low, high, n, values}} of the same
                      model on the test split at temperature 1,
                  ``test_own``: and at the run's temperature, where that isn't 1}
``exact``     λ as text: {random, nash, utilitarian}, see ``measure.references``
``bases``     name: {recipe, weights_hash} of the bases made for the sweep

Metrics are those of ``measure.metrics`` and of :mod:`.measure`. Intervals are
95 % between seeds (``n`` of them); one seed has ``low`` and ``high`` null.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.rules import Objective
from selfplay_kit.learn.rounds import Config, Round, evaluate, read_rounds, run
from selfplay_kit.learn.training import TrainingError
from selfplay_kit.lm.models import load_model
from selfplay_kit.measure.metrics import METRICS

from .measure import COUNTED, measure, references
from .record import over_seeds, provenance, save
from .variants import (
    HARD_BASES,
    LAMBDAS,
    Variant,
    folder_of,
    groups,
    make_base,
    name_of,
)

TEST_GAMES = 500


def named() -> dict[str, Variant]:
    """Every variant by its name."""
    return {name_of(v): v for by in groups().values() for v in by.values()}


def play(variant: Variant, seed: int, runs: Path, spine: Path) -> None:
    """Play one seed of a variant, or go on with it, and score its last round. A run
    that can learn no more ends there, and ``stopped`` in its folder says why."""
    if variant.changes.get("base") in HARD_BASES:
        make_base(variant.changes["base"], runs)
    config = variant.config(seed, runs, spine)
    folder = folder_of(config, runs, spine)
    if not (folder / "stopped").exists():
        try:
            run(config, folder)
        except TrainingError as e:
            (folder / "stopped").write_text(f"{e}\n", encoding="utf-8", newline="\n")
    last = read_rounds(folder, limit=config.rounds)[-1]
    for t in {1.0, config.temperature}:
        test_score(config, folder, last, t)


def test_score(config: Config, folder: Path, last: Round, t: float) -> dict[str, Any]:
    """The last round on the test split at temperature ``t``, scored once: it stands
    in ``test.json`` of the run's folder."""
    where, key = folder / "test.json", f"{last.number}@{t}"
    there = json.loads(where.read_text("utf-8")) if where.exists() else {}
    if key not in there:
        there[key] = evaluate(
            last.model(config),
            Objective(config.lam),
            games=TEST_GAMES,
            split="test",
            temperature=t,
            seed=config.seed,
        )
        save(there, where)
    return there[key]


def whole(config: Config, folder: Path) -> list[Round]:
    """The rounds of a run that is over, by its end or by ``stopped``; else none."""
    found = read_rounds(folder, limit=config.rounds)
    over = len(found) > config.rounds or (folder / "stopped").exists()
    return found if over and (folder / "test.json").exists() else []


def collect(variant: Variant, runs: Path, spine: Path) -> dict[str, Any] | None:
    """What the finished seeds of a variant show; ``None`` where there is none."""
    made: dict[str, Any] = {"changes": variant.changes, "seeds": [], "stopped": {}}
    rows, tests, own = [], [], []
    for seed in range(variant.seeds):
        try:
            config = variant.config(seed, runs, spine)
        except ValueError:  # a control, and the run that it is matched to isn't there
            continue
        folder = folder_of(config, runs, spine)
        rounds = whole(config, folder)
        if not rounds:
            continue
        made["seeds"].append(seed)
        if len(rounds) <= config.rounds:
            made["stopped"][str(seed)] = (folder / "stopped").read_text("utf-8").strip()
        rows.append([_row(r, config) for r in rounds])
        tests.append(test_score(config, folder, rounds[-1], 1.0))
        own.append(test_score(config, folder, rounds[-1], config.temperature))
    if not rows:
        return None
    names = (*METRICS, *COUNTED)
    made["rounds"] = {n: [[row[n] for row in run] for run in rows] for n in names}
    last = over_seeds([_values(run[-1]) for run in rows], names)
    for f in last.values():
        del f["values"]  # they are the ends of the lists in "rounds"
    made["last"] = last
    made["test"] = over_seeds(tests)
    if variant.changes.get("temperature", 1) != 1:
        made["test_own"] = over_seeds(own)
    return made


def _row(r: Round, config: Config) -> dict[str, Any]:
    counted = measure(r.games(), config, r.number)
    return {name: r.metrics[name]["value"] for name in METRICS} | counted


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in row.items()}


def sweep(
    runs: Path,
    spine: Path,
    out: Path,
    *,
    only: Iterable[str] = (),
    seeds: int = 5,
    recorded: bool = False,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Play what is missing of the groups in ``only`` (all by default; nothing if
    ``recorded``), at most ``seeds`` seeds of each variant, then write all that is
    there to ``out`` and return it. What ``out`` holds of variants of which fewer seeds
    are there stays, with the commit that it was made on."""
    known = groups()
    if unknown := set(only) - set(known):
        raise ValueError(
            f"no group called {', '.join(sorted(unknown))}; "
            f"there are {', '.join(known)}"
        )
    for group in [] if recorded else only or known:
        for label, variant in known[group].items():
            for seed in range(min(seeds, variant.seeds)):
                play(variant, seed, runs, spine)
                tell(f"{group}, {label}: seed {seed}")
    made = provenance()
    before = json.loads(out.read_text("utf-8")) if out.exists() else {}
    found = _earlier(before)
    for name, v in named().items():
        collected = collect(v, runs, spine) or {"seeds": []}
        if len(collected["seeds"]) >= max(1, len(found.get(name, {}).get("seeds", ()))):
            found[name] = collected | {"commit": made["commit"]}
    result = {
        "provenance": made,
        "config": asdict(Variant().config(0, runs, spine)) | {"test_games": TEST_GAMES},
        "groups": {
            g: {label: n for label, v in by.items() if (n := name_of(v)) in found}
            for g, by in known.items()
        },
        "variants": {name: found[name] for name in named() if name in found},
        "exact": {f"{lam:g}": references(lam) for lam in LAMBDAS},
        "bases": before.get("bases", {}) | _bases(runs),
    }
    save(result, out, compact=True)
    return result


def _earlier(before: dict[str, Any]) -> dict[str, Any]:
    """The variants of a file that was recorded before, each with its commit; those
    that are no longer played are left out."""
    commit = before.get("provenance", {}).get("commit")
    variants = before.get("variants", {})
    return {n: {"commit": commit} | v for n, v in variants.items() if n in named()}


def _bases(runs: Path) -> dict[str, Any]:
    made = {}
    for name, recipe in HARD_BASES.items():
        if (runs / "bases" / name / "config.json").exists():
            lm = load_model(runs / "bases" / name)
            made[name] = {
                "recipe": asdict(recipe),
                "weights_hash": lm.report.weights_hash,
            }
    return made


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments sweep`` takes."""
    p.add_argument("--only", nargs="+", default=(), metavar="GROUP", help=_groups())
    p.add_argument("--seeds", type=int, default=5, help="at most so many a variant")
    p.add_argument(
        "--recorded", action="store_true", help="play nothing; write what is there"
    )
    p.add_argument("--runs", type=Path, default=Path("runs/sweep"))
    p.add_argument("--spine", type=Path, default=Path("runs/spine"))
    p.add_argument("--out", type=Path, default=Path("data/reference/sweep.json"))


def _groups() -> str:
    return f"play only these groups: {', '.join(groups())}"


def go(given: argparse.Namespace) -> None:
    """Play, and make the file."""
    sweep(
        given.runs,
        given.spine,
        given.out,
        only=given.only,
        seeds=given.seeds,
        recorded=given.recorded,
    )
