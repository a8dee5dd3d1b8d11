"""What the commands share: an objective by name, tasks of a split, a row of a table."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any


def set_threads(given: argparse.Namespace, *models: str) -> None:
    from ..lm.models import is_tiny

    with contextlib.suppress(ImportError):  # scripts play without torch
        import torch

        if threads := given.threads or (1 if all(map(is_tiny, models)) else None):
            torch.set_num_threads(threads)


def objective_of(told: str):
    from ..games.base import OBJECTIVES, Objective

    if told in OBJECTIVES:
        return OBJECTIVES[told]
    try:
        return Objective(float(told))
    except ValueError as e:
        raise ValueError(
            f"an objective is {', '.join(OBJECTIVES)} or lambda, a number from -1 to "
            f"1; got {told!r}"
        ) from e


def tasks_of(given: argparse.Namespace) -> Any:
    """What the split holds; ``ValueError`` lists the splits that there are."""
    from ..games.base import kind

    game = kind(given.game)
    if given.split not in game.splits:
        raise ValueError(
            f"split must be one of {', '.join(game.splits)}; got {given.split!r}"
        )
    return game.tasks(given.split)


def row(metric: str, m: dict) -> str:
    """A line of the table: value, interval where there is one, how many."""
    if m["value"] is None:
        return f"{metric:18} {'–':>8}  {m.get('why', 'nothing to count')}"
    low, high = m.get("low"), m.get("high")
    between = "" if low is None else f"[{low:.3f}, {high:.3f}]"
    return f"{metric:18} {m['value']:8.3f}  {between:20} n {m['n']}"
