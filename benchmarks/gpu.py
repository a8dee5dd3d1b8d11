"""SmolLM2 on a GPU, in one call: correctness, speed, memory, rounds; into one JSON.

    python benchmarks/gpu.py --out data/reference/gpu.json

On a GPU it plays 500 games x 10 rounds x {semi, coop, strict} x 3 seeds from the
shipped warm start. Where there is none it runs at a small size on the CPU, so that
the script itself is tried; its lines for a GPU then read *not measured*. Runs go on
where they stopped; the file is written after each.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from experiments.record import over_seeds, provenance, save
from experiments.smollm import TRAINING
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.rules import OBJECTIVES, SEMI, scenarios
from selfplay_kit.games.play import play_games
from selfplay_kit.learn.rounds import Config, run
from selfplay_kit.lm.decode.rows import Rows
from selfplay_kit.lm.dialogue import dialogue
from selfplay_kit.lm.models import LanguageModel, load_model
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.lm.report import peak

WARM = "smollm2-135m-q4_1-warm"
TOKENS = 24


def prompts(lm: LanguageModel, count: int) -> list[list[int]]:
    """Openings of ``count`` games, as tokens."""
    drawn = random.Random(0).choices(scenarios("development"), k=count)
    views = [dialogue(lm, Game(s, SEMI, 0).position()) for s in drawn]
    return [[t for turn in turns for t in turn.ids] for turns in views]


def correctness(model: str) -> dict[str, float]:
    """The largest difference between the logits of rows and of a plain forward pass,
    in fp32 and, told apart, in the half precision of this device."""
    found = {}
    for precision in ("fp32", "auto"):
        lm = load_model(model, precision)
        asked = prompts(lm, 8)
        ours = Rows(lm.model, len(asked)).extend(range(len(asked)), asked)
        with torch.inference_mode():
            device = ours.device
            plain = [lm.model(torch.tensor([a], device=device)).logits for a in asked]
        theirs = torch.stack([p[0, -1].float() for p in plain])
        found[lm.report.given] = (ours - theirs).abs().max().item()
    return found


def speed(model: str, precision: str, rows: int, repeats: int) -> dict[str, Any]:
    """Sampled tokens a second of ``rows`` rows at once, and the memory it took."""
    lm = load_model(model, precision)
    gpu = lm.report.device.startswith("cuda")
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    asked, times = prompts(lm, rows), []
    for _ in range(repeats + 1):  # the first warms up
        at = Rows(lm.model, rows)
        at.extend(range(rows), [a[:-1] for a in asked])
        last = [a[-1:] for a in asked]
        if gpu:
            torch.cuda.synchronize()
        started = time.perf_counter()
        at.sample(range(rows), last, stop=-1, max_new=TOKENS)
        if gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    seconds = statistics.median(times[1:] or times)
    return {
        "report": lm.report.as_dict(),
        "rows": rows,
        "tokens_per_second": rows * TOKENS / seconds,
        "peak": peak(lm.report.device),
    }


def play(model: str, games: int) -> dict[str, Any]:
    """Seconds for ``games`` games at once."""
    lm = load_model(model)
    drawn = random.Random(1).choices(scenarios("development"), k=games)
    started = time.perf_counter()
    played = play_games(LMPlayer(lm), drawn, SEMI, seed=0, batch=games)
    seconds = time.perf_counter() - started
    agreed = sum(t.agreed for t in played) / games
    return {"games": games, "seconds": seconds, "agreement": agreed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    gpu = torch.cuda.is_available()
    parser.add_argument("--model", default=WARM)
    parser.add_argument("--games", type=int, default=500 if gpu else 8)
    parser.add_argument("--rounds", type=int, default=10 if gpu else 1)
    parser.add_argument("--seeds", type=int, default=3 if gpu else 1)
    parser.add_argument("--rows", type=int, default=1000 if gpu else 8)
    parser.add_argument("--repeats", type=int, default=5 if gpu else 1)
    parser.add_argument("--runs", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, Any] = {
        "provenance": provenance(),
        "device": torch.cuda.get_device_name() if gpu else "CPU; GPU: not measured",
        "correctness": correctness(given.model),
        "speed": {
            p: speed(given.model, p, given.rows, given.repeats)
            for p in ("bf16", "8bit", "4bit")
        },
        "play": play(given.model, given.games),
        "runs": {},
    }
    save(result, given.out)
    for objective in OBJECTIVES:
        done = []
        for seed in range(given.seeds):
            config = Config(
                base=given.model,
                lam=OBJECTIVES[objective].lam,
                rounds=given.rounds,
                games=given.games,
                temperature=0.7,
                seed=seed,
                **TRAINING | {"accumulate": 1},
                filter="above_mean" if gpu else "everything",
            )
            done.append(run(config, given.runs / f"{objective}-seed{seed}"))
            result["runs"][objective] = [
                over_seeds([r.metrics for r in same])
                | {"seconds": [r.metrics["seconds"] for r in same]}
                for same in zip(*done, strict=False)
            ]
            save(result, given.out)
            print(f"{objective}, seed {seed}: done", flush=True)


if __name__ == "__main__":
    main()
