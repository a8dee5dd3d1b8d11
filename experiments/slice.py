"""A small slice of the recorded runs, remade whole by the tests.

Two rounds of 40 games from the weak base, seed 0, on one thread: seconds. What is
drawn (scenarios, who speaks first) is the same on every machine. What the model says
is the same only where the arithmetic is, to the last bit: :func:`machine` tells, and
``tests/test_experiments_slice.py`` compares the games one by one where it agrees.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.learn.cloning import make_sample, views
from selfplay_kit.learn.rounds import Config, draw_scenarios, run
from selfplay_kit.learn.tiny import script_games
from selfplay_kit.learn.training import weighted_loss
from selfplay_kit.lm.models import load_model

from .measure import measure
from .record import provenance, save

CONFIG = Config(base="tiny-weak", rounds=2, games=40, seed=0)


def play(config: Config = CONFIG) -> list[dict[str, Any]]:
    """Play ``config`` in a folder that is thrown away; for each round what is
    recorded of it: the points and texts of every game, and what was kept."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = run(config, folder)
        return [_row(r.games(), config, r.number) for r in rounds]


def _row(games: Sequence[Transcript], config: Config, number: int) -> dict[str, Any]:
    counted = measure(games, config, number)
    return {
        "scenarios": digest(repr(s) for s in draw_scenarios(config, number)),
        "first": [t.first for t in games],
        "points": [list(t.points) for t in games],
        "texts": digest(m.text for t in games for m in t.moves),
        "deals": counted["deals"],
        "kept": counted["kept"],
    }


def digest(texts: Any) -> str:
    """A hash of ``texts`` in their order."""
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\0")
    return found.hexdigest()


def machine() -> dict[str, Any]:
    """What the last bit of a sum depends on: processor, version of torch, its
    instruction set, and ``bits``, a hash of a forward and a backward pass."""
    import torch

    lm = load_model(CONFIG.base)
    samples = [make_sample(v, lm) for v in views(script_games(16, "slice"))]
    found = hashlib.sha256()
    for chosen in (samples[:1], samples[:16], samples):
        lm.model.zero_grad()
        loss, _ = weighted_loss(lm, chosen)
        loss.backward()
        for p in lm.model.parameters():
            found.update(p.grad.numpy().tobytes())
    return {
        "processor": provenance()["processor"],
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bits": found.hexdigest(),
    }


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments slice`` takes."""
    p.add_argument("--out", type=Path, default=Path("data/reference/slice.json"))


def go(given: argparse.Namespace) -> None:
    """Play the slice and make the file."""
    made = {
        "provenance": provenance(),
        "config": asdict(CONFIG),
        "machine": machine(),
        "rounds": play(),
    }
    save(made, given.out, compact=True)
