"""Intervals between seeds of recorded files, derived again from each seed's value.

Nothing is played. Every number with its ``values`` gets the interval that
``metrics.seed_interval`` gives today: of shares and correlations on the logit scale,
so that none leaves its bounds. A file's ``provenance`` says that this was done.
Intervals over scenarios (without ``values``) stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfplay_kit.measure.metrics import SIGNED, bounds_of, seed_interval

from .gaps import gaps
from .record import provenance, rounded, save, text_of

BY_GAME = (  # shares of all games, whose number the file's config tells
    "agreement",
    "pareto_all",
    "joint_optimal",
    "abort_rate",
    "error_rate",
    "stated",
    "by_opener",
    "by_other",
)
ROUNDING = 2e-4  # what five significant digits of the values may do to an end
Way = tuple[tuple[str, Any], ...]  # from the top down: key, and what it is a key of


def numbers(made: Any, path: Way = ()) -> Iterator[tuple[Way, dict[str, Any]]]:
    """Every number over seeds in a recorded file, with its way from the top."""
    inner: Any = ()
    if isinstance(made, dict | list):
        inner = made.items() if isinstance(made, dict) else enumerate(made)
    for key, x in inner:
        here = (*path, (str(key), made))
        if isinstance(x, dict) and {"low", "high", "values"} <= set(x):
            yield here, x
        yield from numbers(x, here)


def games_behind(path: Way, seeds: int) -> int | None:
    """How many games are behind a share of all games; ``None`` if nothing tells."""
    name, parent = path[-1]
    scored = parent.get("seeds")
    if isinstance(scored, list) and scored and isinstance(scored[0], dict):
        return sum(s[name]["n"] for s in scored)
    keys = [key for key, _ in path]
    config: Any = next((x["config"] for _, x in reversed(path) if "config" in x), {})
    if name not in BY_GAME or not isinstance(config, dict):
        return None
    each = config.get("games")
    if "rounds" not in keys and "test_games" in config:
        each = config["test_games"]
    return each * seeds if isinstance(each, int) else None


def derived(made: dict[str, Any]) -> dict[str, Any]:
    """``made`` with the intervals of its shares and correlations between seeds as they
    are derived today; means, and all other numbers, are left as they are."""
    for found in made.get("transfer", {}).values():
        if bounds_of(found["metric"]):
            again = gaps(found["pairs"], found["base"]["value"], found["metric"])
            for name in ("self", "cross", "lost"):
                _update(found[name], again[name])
    for variant in made.get("variants", {}).values():  # of the sweep
        for name, lists in variant["rounds"].items():
            ends = [run[-1] for run in lists if run[-1] is not None]
            if len(ends) > 1 and (bounds := bounds_of(name)):
                _update(variant["last"][name], seed_interval(ends, bounds=bounds))
    for path, number in numbers(made):
        values = [v for v in number["values"] if v is not None]
        keys = [key for key, _ in path]
        bounds = SIGNED if "correlation" in keys else bounds_of(keys[-1])
        if bounds and len(values) > 1 and "transfer" not in keys:
            games = games_behind(path, len(values))
            if games or len(set(values)) > 1 or values[0] not in bounds:
                again = seed_interval(values, bounds=bounds, games=games)
                _update(number, again)
    return made


def _update(number: dict[str, Any], again: dict[str, Any]) -> None:
    """The ends of ``again``, unless they differ by the rounding of the values alone."""
    for end in ("low", "high"):
        if number[end] is None or abs(number[end] - again[end]) > ROUNDING:
            number[end] = again[end]


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments intervals`` takes."""
    p.add_argument("files", nargs="+", type=Path, help="data/reference/talk.json, ...")


def go(given: argparse.Namespace) -> None:
    """Write each file again, where an interval has changed."""
    for file in given.files:
        before = file.read_text("utf-8")
        old, made = json.loads(before), derived(json.loads(before))
        if rounded(made) == old:
            print(f"{file}: nothing changed")
            continue
        now = provenance()
        made["provenance"]["intervals"] = {k: now[k] for k in ("commit", "date")}
        save(made, file, compact=before == text_of(old, compact=True))
        print(f"{file}: intervals derived again")
