"""Numbers out of recorded files, each by its path, with what was asked for noted.

A path is ``"spine:test/semi/last/mean_points"``: the file's name, then keys. What
is combined of several is a function of :class:`Recorded`. The ledger reads so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from operator import truediv
from pathlib import Path
from statistics import correlation, fmean
from typing import Any

from selfplay_kit.games.deal.rules import COOP, SEMI, scenarios
from selfplay_kit.games.deal.scripted import Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import summarise
from selfplay_kit.measure.talk import reference_joint

SCRIPT_SEEDS = 5
FROM = ("commit", "date", "processor")
# Where parts of a file are made one at a time; of crossplay.json also those at its top.
PARTS: tuple[str, ...]
PARTS = ("arms", "variants", "test", "crossplay", "transfer", "matrix", "said")
PARTS += ("probes",)
LATER = ("warm_best", "last_best", "matched")  # what earlier recordings lack


class NotThere(Exception):
    """A recorded file, or a ``part`` of it, that has not been made yet. ``name`` is
    the file's and its command's."""

    def __init__(self, name: str, part: str = ""):
        what = f"{name}.json holds no {part!r}" if part else f"{name}.json is not there"
        super().__init__(f"{what}: python -m experiments {name}")
        self.name = name


class Recorded:
    """The recorded files of a folder. ``read`` are the paths that were asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.read: list[str] = []
        self._files: dict[str, Any] = {}

    def file(self, name: str) -> Any:
        """A whole recorded file; :class:`NotThere`, or ``ValueError`` if damaged."""
        if name not in self._files:
            where = self.folder / f"{name}.json"
            if not where.exists():
                raise NotThere(name)
            try:
                self._files[name] = json.loads(where.read_text("utf-8"))
            except ValueError as e:
                raise ValueError(
                    f"{where} is damaged ({e}). Make it again: "
                    f"python -m experiments {name}"
                ) from e
        return self._files[name]

    def provenance(self) -> dict[str, Any]:
        """Where each file that was read comes from."""
        return {
            name: {k: made.get("provenance", {}).get(k) for k in FROM}
            for name, made in sorted(self._files.items())
        }

    def at(self, path: str) -> Any:
        """What stands at ``FILE:key/key/...`` (a whole number counts in a list).

        :class:`NotThere` for an arm or a variant that has not been run yet, and for
        what was not counted yet in a round."""
        name, _, rest = path.partition(":")
        found, gone = self.file(name), [name]
        for key in rest.split("/"):
            gone.append(key)
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, TypeError, ValueError) as e:
                part = gone[-2] in PARTS or key in LATER
                if isinstance(found, dict) and (part or "round" in found):
                    raise NotThere(name, key) from e
                raise ValueError(
                    f"{name}.json has nothing at {'/'.join(gone[1:])}, where the "
                    f"ledger expects {path}: it was made by another version"
                ) from e
        self.read.append(path)
        return found


Get = Callable[[Recorded], Any]
What = str | Get


def get(recorded: Recorded, what: What) -> Any:
    """The number or values that ``what`` leads to."""
    return recorded.at(what) if isinstance(what, str) else what(recorded)


def per_deal(path: str, metric: str) -> Get:
    """``metric`` in games with a deal (the others count 0), seed by seed."""

    def per(recorded: Recorded) -> list[float]:
        x, y = (recorded.at(f"{path}/{m}")["values"] for m in (metric, "agreement"))
        if not all(y):
            raise ValueError(f"{path}: a seed without a deal has no points per deal")
        return [truediv(*pair) for pair in zip(x, y, strict=True)]

    return per


def at_round(path: str, number: int = -1) -> Get:
    """One round (the last) of lists with a value a round, one list for each seed."""
    return lambda recorded: [values[number] for values in recorded.at(path)]


def trend(paths: dict[float, str]) -> Get:
    """The correlation of the keys with the numbers at their paths, for each seed
    that all of them have."""

    def correlations(recorded: Recorded) -> list[float]:
        ends = [recorded.at(path)["values"] for path in paths.values()]
        return [correlation(list(paths), end) for end in zip(*ends, strict=False)]

    return correlations


def best_of(arm: str, metric: str) -> Get:
    """``metric`` of an arm of ``talk``, at the temperature chosen for it."""

    def chosen(recorded: Recorded) -> Any:
        temperature = recorded.at(f"talk:arms/{arm}/temperature")
        return recorded.at(f"talk:arms/{arm}/test/{temperature}/{metric}")

    return chosen


def round_seconds(path: str) -> Get:
    """Mean seconds of play and training in the rounds after the base's, by seed."""

    def seconds(recorded: Recorded) -> list[float]:
        rounds = recorded.at(path)[1:]
        return [
            fmean(sum(r["seconds"][s].values()) for r in rounds)
            for s in range(len(rounds[0]["seconds"]))
        ]

    return seconds


@cache
def references() -> dict[str, float]:
    """Mean points on the test split without any model: what a random full split, a
    blind pair and the optimum give (exact), and tell-your-values scripts with
    themselves (each scenario once in each of :data:`SCRIPT_SEEDS` games)."""
    pool = scenarios("test")
    exact = reference_joint(pool)
    worth = [
        sum(n * v for n, v in zip(s.counts, mine, strict=True))
        for s in pool
        for mine in s.values
    ]
    found = {"random_points": fmean(worth) / 2, "random_joint": fmean(worth)}
    found |= {"blind_joint": exact["blind"], "optimum_joint": exact["optimum"]}
    for objective, metric in ((SEMI, "mean_points"), (COOP, "mean_joint")):
        games = [
            t
            for seed in range(SCRIPT_SEEDS)
            for t in play_games(Teller(), pool, objective, seed=seed)
        ]
        name = f"teller_{metric.removeprefix('mean_')}"
        found[name] = summarise(games, objective)[metric]["value"]
    return found


def reference(name: str) -> Get:
    """One of :func:`references`."""

    def look_up(recorded: Recorded) -> float:
        recorded.read.append(f"references/{name}")
        return references()[name]

    return look_up
