"""Why it works: one thing changed at a time, λ from -1 to 1, into ``sweep.json``.

A *variant* is a :class:`~selfplay_kit.rounds.Config` with something changed; its
runs differ in the seed alone. A rerun goes on from the run folders, and takes those
of ``spine`` where the configuration is the same. What ``data/reference/sweep.json``
holds:

``config``    the standard run, and ``test_games``
``groups``    group: {label: name of a variant}; one variant may stand in several
``variants``  name: {
                  ``changes``: what differs from the standard run,
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

Metrics are those of ``selfplay_kit.metrics`` and of :mod:`.measure`. Intervals are
95 % between seeds (``n`` of them); one seed has ``low`` and ``high`` null.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from selfplay_kit.cloning import TrainingError
from selfplay_kit.models import load_model
from selfplay_kit.rounds import Config, Round, evaluate, read_rounds, run
from selfplay_kit.rules import OBJECTIVES, Objective
from selfplay_kit.tiny import Recipe, blank, literate, save_base

from .measure import COUNTED, measure, references
from .record import over_seeds, provenance, save

TEST_GAMES = 500
METRICS = (  # of selfplay_kit.metrics, as every run folder has them
    "mean_points",
    "mean_joint",
    "mean_reward",
    "agreement",
    "pareto_all",
    "pareto_agreed",
    "joint_optimal",
    "abort_rate",
    "error_rate",
    "messages",
    "words",
)
LAMBDAS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)

# Bases that start from too little: made clumsier than the weak one, or taught for
# so few steps that they hardly write a legal move.
HARD_BASES = {
    "clumsy": Recipe("clumsy/0", "clean", 0.9, steps=250, lr=1e-3, lr_end=0.0),
    "clumsier": Recipe("clumsier/0", "clean", 1.0, steps=500, lr=1e-3, lr_end=0.0),
    "steps-100": Recipe("literate/0", steps=100),
    "steps-200": Recipe("literate/0", steps=200),
    "steps-400": Recipe("literate/0", steps=400),
}


@dataclass(frozen=True)
class Variant:
    """What is changed of the standard run, and how many seeds are played."""

    changes: dict[str, Any] = field(default_factory=dict)
    seeds: int = 1

    def config(self, seed: int, runs: Path) -> Config:
        """The configuration of one seed; the bases of ours stand under ``runs``."""
        changes: dict[str, Any] = {"base": "tiny-weak", "seed": seed} | self.changes
        if changes["base"] in HARD_BASES:
            changes["base"] = (runs / "bases" / changes["base"]).as_posix()
        return Config(**changes)


def groups() -> dict[str, dict[str, Variant]]:
    """Every group of variants, by the label that a figure gives them. What several
    groups hold alike is one variant, see :func:`name_of`."""
    standard = Variant(seeds=5)
    found: dict[str, dict[str, Variant]] = {
        "lambda": {
            f"{lam:g}": Variant({"lam": lam} if lam else {}, 3 if lam % 1 else 5)
            for lam in LAMBDAS
        },
        "filter": {"above_mean": standard, "no_filter": _one("filter", "no_filter", 3)}
        | {f: _one("filter", f, 2) for f in ("nonzero", "top_quarter", "everything")},
        "games": {str(k): _one("games", k, n) for k, n in ((125, 2), (250, 2))}
        | {"500": standard, "1000": _one("games", 1000)},
        "continue_from": {
            "previous": standard,
            "base": _one("continue_from", "base", 2),
        },
        "training": {
            "3 epochs, lr 1e-3": standard,
            "1 epoch": _one("epochs", 1, 2),
            "lr 3e-4": _one("lr", 3e-4),
            "lr 3e-3": _one("lr", 3e-3),
        },
        "temperature": {"1": standard}
        | {f"{t:g}": _one("temperature", t) for t in (0.7, 1.3, 2.0)},
        "base": {"tiny-weak": standard}
        | {b: _one("base", b) for b in ("tiny-middling", "tiny-clean", *HARD_BASES)},
    }
    return found


def _one(what: str, value: Any, seeds: int = 1) -> Variant:
    return Variant({what: value}, seeds)


def name_of(variant: Variant) -> str:
    """A variant's name: what it changes.

    >>> name_of(Variant({"games": 125})), name_of(Variant())
    ('games=125', 'standard')
    """
    return ",".join(f"{k}={_plain(v)}" for k, v in variant.changes.items()) or (
        "standard"
    )


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def variants() -> dict[str, Variant]:
    """Every variant by its name."""
    return {name_of(v): v for by in groups().values() for v in by.values()}


def folder_of(config: Config, runs: Path, spine: Path) -> Path:
    """The folder of a run; the spine's, where ``spine`` makes the same run."""
    named = {o.lam: name for name, o in OBJECTIVES.items()}
    plain = Config(config.base, config.lam, filter=config.filter, seed=config.seed)
    if config == plain and config.lam in named and "/" not in config.base:
        if config.filter in ("above_mean", "no_filter"):
            name = f"{config.base}-{named[config.lam]}-{config.filter}"
            return spine / f"{name}-seed{config.seed}"
    usual = asdict(Config(base="tiny-weak"))
    differs = {k: v for k, v in asdict(config).items() if v != usual[k] and k != "seed"}
    if "base" in differs:
        differs["base"] = Path(differs["base"]).name
    name = "-".join(f"{k}={v}" for k, v in differs.items()) or "standard"
    return runs / f"{name}-seed{config.seed}"


def make_base(name: str, runs: Path) -> None:
    """Make the base ``name`` of :data:`HARD_BASES`, where it isn't there."""
    folder, recipe = runs / "bases" / name, HARD_BASES[name]
    if (folder / "config.json").exists():
        return
    start = recipe.start
    lm = load_model(f"tiny-{start}", "fp32") if start else blank(seed=0)
    literate(
        lm,
        recipe.seed,
        steps=recipe.steps,
        lr=recipe.lr,
        lr_end=recipe.lr_end,
        tempers=recipe.tempers,
        noise=recipe.noise,
        slip=recipe.slip,
    )
    save_base(lm, folder)


def play(variant: Variant, seed: int, runs: Path, spine: Path) -> None:
    """Play one seed of a variant, or go on with it, and score its last round. A run
    that can learn no more ends there, and ``stopped`` in its folder says why."""
    if variant.changes.get("base") in HARD_BASES:
        make_base(variant.changes["base"], runs)
    config = variant.config(seed, runs)
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
        config = variant.config(seed, runs)
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
    recorded: bool = False,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Play what is missing of the groups in ``only`` (all by default; nothing if
    ``recorded``), then write all that is there to ``out`` and return it."""
    known = groups()
    if unknown := set(only) - set(known):
        raise ValueError(
            f"no group called {', '.join(sorted(unknown))}; "
            f"there are {', '.join(known)}"
        )
    for group in [] if recorded else only or known:
        for label, variant in known[group].items():
            for seed in range(variant.seeds):
                play(variant, seed, runs, spine)
                tell(f"{group}, {label}: seed {seed}")
    found = {name: collect(v, runs, spine) for name, v in variants().items()}
    result = {
        "provenance": provenance(),
        "config": asdict(Variant().config(0, runs)) | {"test_games": TEST_GAMES},
        "groups": {
            g: {label: n for label, v in by.items() if found[n := name_of(v)]}
            for g, by in known.items()
        },
        "variants": {name: f for name, f in found.items() if f},
        "exact": {f"{lam:g}": references(lam) for lam in LAMBDAS},
        "bases": _bases(runs),
    }
    save(result, out, compact=True)
    return result


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
        recorded=given.recorded,
    )
