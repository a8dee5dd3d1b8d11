"""What the sweep plays: the variants of the standard run, by groups.

Each :class:`Variant` changes one thing of the paper's loop from the weak tiny base.
A run is a function of its ``Config``, and so is its folder.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.rules import OBJECTIVES
from selfplay_kit.learn.rounds import Config, kept_counts

from .bases import Recipe, make_once

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

    def config(self, seed: int, runs: Path, spine: Path) -> Config:
        """The configuration of one seed; our own bases are under ``runs``. A control
        draws what the filtered run of the same seed kept, which must be there."""
        changes: dict[str, Any] = {"base": "tiny-weak", "seed": seed} | self.changes
        if changes["base"] in HARD_BASES:
            changes["base"] = (runs / "bases" / changes["base"]).as_posix()
        if changes.get("filter") != "drawn":
            return Config(**changes)
        filtered = Config(**changes | {"filter": "above_mean"})
        counts = kept_counts(folder_of(filtered, runs, spine))
        return Config(**changes, draw=counts)


def groups() -> dict[str, dict[str, Variant]]:
    """Every group of variants, by the label that a figure gives them. What several
    groups hold alike is one variant, see :func:`name_of`."""
    standard = Variant(seeds=5)
    found: dict[str, dict[str, Variant]] = {
        "lambda": {
            f"{lam:g}": Variant({"lam": lam} if lam else {}, 5) for lam in LAMBDAS
        },
        "filter": {"above_mean": standard, "drawn": _one("filter", "drawn", 5)}
        | {f: _one("filter", f, 2) for f in ("nonzero", "top_quarter", "everything")},
        "intervention": {
            "winners": Variant({"lam": -0.5}, 5),
            "winners and their partners": Variant(
                {"lam": -0.5, "filter": "either_above_mean"}, 3
            ),
        },
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


def folder_of(config: Config, runs: Path, spine: Path) -> Path:
    """The folder of a run; the spine's, where ``spine`` makes the same run."""
    named = {o.lam: name for name, o in OBJECTIVES.items()}
    how: dict[str, Any] = {"filter": config.filter, "draw": config.draw}
    plain = Config(config.base, config.lam, seed=config.seed, **how)
    if config == plain and config.lam in named and "/" not in config.base:
        if config.filter in ("above_mean", "drawn"):
            name = f"{config.base}-{named[config.lam]}-{config.filter}"
            return spine / f"{name}-seed{config.seed}"
    usual = asdict(Config(base="tiny-weak")) | {"seed": config.seed}
    differs = {k: v for k, v in asdict(config).items() if v != usual[k] and k != "draw"}
    if "base" in differs:
        differs["base"] = Path(differs["base"]).name
    name = "-".join(f"{k}={v}" for k, v in differs.items()) or "standard"
    return runs / f"{name}-seed{config.seed}"


def make_base(name: str, runs: Path) -> None:
    """Make the base ``name`` of :data:`HARD_BASES`, where it isn't there."""
    make_once(HARD_BASES[name], runs / "bases" / name)
