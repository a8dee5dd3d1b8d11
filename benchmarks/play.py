"""How fast the tiny model plays itself, on one thread, side by side in one run.

    python benchmarks/play.py [--games 500] [--repeats 3] [--out FILE]

Against: one game at a time with the same caches; one game at a time reading the
whole dialogue again for each move by `generate`, as a plain script would; and the
matrix products alone, of the very shapes that the batch went through, which no
decoder of this model can beat. Medians; the repeats are interleaved.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import Counter
from pathlib import Path

import torch

from experiments.record import provenance
from selfplay_kit.games.deal.protocol import Move
from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.play import play_games
from selfplay_kit.lm.decode import rows as decode
from selfplay_kit.lm.dialogue import dialogue
from selfplay_kit.lm.models import load_model
from selfplay_kit.lm.player import LMPlayer


class Rereading:
    """A player that reads the whole dialogue again for each move."""

    name = "rereading"

    def __init__(self, lm):
        self.lm = lm

    def sit(self, games, *, seed):
        torch.manual_seed(0)
        return self

    def reply(self, positions):
        moves = []
        for p in positions:
            ids = [t for turn in dialogue(self.lm, p) for t in turn.ids]
            out = self.lm.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                do_sample=True,
                max_new_tokens=self.lm.max_new_tokens,
                eos_token_id=self.lm.stop,
                pad_token_id=0,
            )[0, len(ids) :]
            moves.append(Move(self.lm.decode(out), tokens=tuple(out.tolist())))
        return moves

    def close(self):
        pass


def seconds(what) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def shapes_of(play) -> Counter:
    """How many forward passes of each (rows, steps) ``play`` makes."""
    seen: Counter = Counter()
    forward = decode.Rows._forward

    def noted(self, work, chunks):
        seen[len(chunks), max(map(len, chunks))] += 1
        return forward(self, work, chunks)

    decode.Rows._forward = noted
    try:
        play()
    finally:
        decode.Rows._forward = forward
    return seen


def products(lm, shapes: Counter) -> float:
    """Seconds of the linear layers alone over ``shapes``."""
    layers = [m for m in lm.model.modules() if isinstance(m, torch.nn.Linear)]
    total = 0.0
    with torch.inference_mode():
        for (rows, steps), count in shapes.items():
            inputs = {
                m.in_features: torch.randn(rows * steps, m.in_features) for m in layers
            }
            started = time.perf_counter()
            for m in layers:
                # the head reads one place a row, the others every place
                head = m.out_features == lm.model.config.vocab_size
                m(inputs[m.in_features][: rows if head else None])
            total += count * (time.perf_counter() - started)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_model("tiny-weak", "fp32")
    drawn = random.Random(0).choices(scenarios("development"), k=given.games)

    def together():
        play_games(LMPlayer(lm), drawn, SEMI, seed=0, batch=given.games)

    few, fewer = drawn[: given.games // 20], drawn[: given.games // 50]
    arms = {
        "together": (given.games, together),
        "one_at_a_time": (
            len(few),
            lambda: play_games(LMPlayer(lm), few, SEMI, seed=0, batch=1),
        ),
        "one_at_a_time_rereading": (
            len(fewer),
            lambda: play_games(Rereading(lm), fewer, SEMI, seed=0, batch=1),
        ),
    }
    shapes = shapes_of(together)  # also the warm-up
    times: dict[str, list[float]] = {name: [] for name in (*arms, "products")}
    for _ in range(given.repeats):
        for name, (_, arm) in arms.items():
            times[name].append(seconds(arm))
        times["products"].append(products(lm, shapes))
    median = {name: statistics.median(t) for name, t in times.items()}
    rate = {name: n / median[name] for name, (n, _) in arms.items()}
    result = {
        "provenance": provenance(),
        "threads": 1,
        "games": given.games,
        "seconds": times,
        "games_per_second": rate,
        "times_one_at_a_time": rate["together"] / rate["one_at_a_time"],
        "times_rereading": rate["together"] / rate["one_at_a_time_rereading"],
        "times_matrix_products": median["together"] / median["products"],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
