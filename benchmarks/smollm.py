"""SmolLM2-135M-Instruct on a CPU, side by side: decoding, play, training, size.

    python benchmarks/smollm.py [--games 64] [--many 256] [--repeats 3] [--out FILE]

- *decode*: 64 positions in the middle of games, each sampled for as many tokens, by
  the kit's rows and by ``transformers.generate`` with padding on the left; the same
  model in bf16, with its adapter.
- *play*: games a minute of 64 and of 256 games at once, and of one game at a time
  that reads the whole dialogue again for each move, as a plain script would. Each
  repeat plays with other dice, as some draws hold longer games than others. (A few
  games go on long after the rest; the more games, the less their share.)
- *train*: tokens a second of the kit's loop and of TRL's ``SFTTrainer``: the same
  model, samples in batches of 8 of the same lengths, adapter and precision. TRL is
  no dependency of the kit (``pip install trl``); without it this part says so.
- *weights*: bytes in fp32 and in 4-bit.

Medians (of play: means, as the games differ); the repeats of two sides are
interleaved. One thread.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from experiments.record import provenance, save
from experiments.smollm import BASE, TEMPERATURE, WARM, lessons
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import Move
from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.play import play_games
from selfplay_kit.learn.training import fine_tune
from selfplay_kit.lm import adapters
from selfplay_kit.lm.decode.rows import Rows
from selfplay_kit.lm.dialogue import dialogue
from selfplay_kit.lm.models import load_model
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.lm.report import peak

TOKENS = 24


def interleaved(arms: dict[str, Any], repeats: int) -> dict[str, list[float]]:
    """Seconds of each arm, called with the number of the repeat; each repeat of all
    before the next."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(repeats):
        for name, arm in arms.items():
            started = time.perf_counter()
            arm(repeat)
            times[name].append(time.perf_counter() - started)
    return times


def prompts(lm, games) -> list[list[int]]:
    """The tokens of each game's dialogue up to its third move (or its last)."""
    found = []
    for t in games:
        game = Game(t.scenario, SEMI, t.first)
        for move in t.moves[: min(2, len(t.moves) - 1)]:
            game = game.submit(move.text)
        turns = dialogue(lm, game.position())
        found.append([x for turn in turns for x in turn.ids])
    return found


def by_rows(lm, asked):
    rows = Rows(lm.model, len(asked))
    rows.sample(
        range(len(asked)), asked, stop=-1, max_new=TOKENS, temperature=TEMPERATURE
    )


def by_generate(lm, asked):
    wide = max(map(len, asked))
    pad = lm.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (wide - len(a)) + a for a in asked])
    mask = torch.tensor([[0] * (wide - len(a)) + [1] * len(a) for a in asked])
    lm.model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=True,
        temperature=TEMPERATURE,
        top_k=0,
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
        pad_token_id=pad,
    )


class Rereading:
    """A player that reads the whole dialogue again for each move."""

    name = "rereading"

    def __init__(self, lm):
        self.lm = lm

    def sit(self, games, *, seed):
        return self

    def reply(self, positions):
        moves = []
        for p in positions:
            ids = [t for turn in dialogue(self.lm, p) for t in turn.ids]
            out = self.lm.model.generate(
                input_ids=torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                do_sample=True,
                temperature=TEMPERATURE,
                top_k=0,
                max_new_tokens=self.lm.max_new_tokens,
                eos_token_id=self.lm.stop,
                pad_token_id=self.lm.tokenizer.pad_token_id,
            )[0, len(ids) :]
            moves.append(Move(self.lm.decode(out), tokens=tuple(out.tolist())))
        return moves

    def close(self):
        pass


def training(repeats: int, count: int) -> dict[str, Any]:
    """Tokens a second of the kit's loop and of TRL's trainer."""
    lm = load_model(BASE, "bf16")
    lm.style = "short"
    samples = lessons(lm, 60, "benchmark", slip=0.0)
    samples = sorted(samples, key=lambda s: len(s.ids))[20 : 20 + count]
    tokens = sum(len(s.ids) for s in samples)

    def kit():
        one = load_model(BASE, "bf16")
        one.model = adapters.attach(one.model, 8, seed=0)
        return lambda _: fine_tune(one, samples, epochs=1, batch=8)

    arms = {"kit": kit()}
    try:
        arms["trl"] = with_trl(samples)
    except ImportError as e:
        print(f"TRL is not here ({e}): not measured")
    times = interleaved(arms, repeats)
    rate = {k: tokens / statistics.median(t) for k, t in times.items()}
    result: dict[str, Any] = {"tokens": tokens, "seconds": times, "per_second": rate}
    if "trl" in rate:
        result["times_trl"] = rate["kit"] / rate["trl"]
    return result


def with_trl(samples):
    """A call that trains on ``samples`` by TRL's ``SFTTrainer``."""
    from datasets import Dataset
    from datasets.table import InMemoryTable
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    lm = load_model(BASE, "bf16")
    rows = {
        "input_ids": [list(s.ids) for s in samples],
        "labels": [list(s.labels) for s in samples],
    }
    how = SFTConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=8,
        num_train_epochs=1,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        dataset_kwargs={"skip_prepare_dataset": True},  # it is tokens already
        gradient_checkpointing=False,
        bf16=False,  # the weights are in bf16 already, as the kit's are
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    lora = LoraConfig(
        r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    trainer = SFTTrainer(
        model=lm.model,
        args=how,
        train_dataset=Dataset(InMemoryTable.from_pydict(rows), fingerprint="samples"),
        processing_class=lm.tokenizer,
        peft_config=lora,
    )
    return lambda _: trainer.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=64)
    parser.add_argument("--many", type=int, default=256, help="games at once, too")
    parser.add_argument("--single", type=int, default=16, help="games one at a time")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=32, help="to train on")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lm = load_model(WARM, "bf16")
    most_games = max(given.games, given.many)
    drawn = random.Random(0).choices(scenarios("development"), k=most_games)
    player = LMPlayer(lm, temperature=TEMPERATURE)
    played: list[Any] = []
    games = interleaved(
        {
            "together": lambda seed: played.extend(
                play_games(player, drawn[: given.games], SEMI, seed=seed)
            ),
            "many": lambda seed: play_games(
                player, drawn[: given.many], SEMI, seed=seed
            ),
            "rereading": lambda seed: play_games(
                Rereading(lm), drawn[: given.single], SEMI, seed=seed, batch=1
            ),
        },
        max(1, given.repeats - 1),
    )
    asked = prompts(lm, played[: given.games])
    decode = interleaved(
        {
            "rows": lambda _: by_rows(lm, asked),
            "generate": lambda _: by_generate(lm, asked),
        },
        given.repeats,
    )
    most = peak()
    minute = {
        "together": 60 * given.games / statistics.mean(games["together"]),
        "many": 60 * given.many / statistics.mean(games["many"]),
        "rereading": 60 * given.single / statistics.mean(games["rereading"]),
    }
    rate = {k: given.games * TOKENS / statistics.median(t) for k, t in decode.items()}
    size = {p: load_model(BASE, p).report.bytes for p in ("fp32", "4bit")}
    result = {
        "provenance": provenance(),
        "threads": 1,
        "games": {k: getattr(given, k) for k in ("games", "many", "single")},
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "decode": {
            "seconds": decode,
            "tokens_per_second": rate,
            "times_generate": rate["rows"] / rate["generate"],
        },
        "play": {
            "seconds": games,
            "games_per_minute": minute,
            "times_rereading": {
                k: minute[k] / minute["rereading"] for k in ("together", "many")
            },
            "peak": most,
        },
        "train": training(given.repeats, given.samples),
        "weights": size | {"share": size["4bit"] / size["fp32"]},
        "gpu": "not measured",
    }
    if given.out:
        save(result, given.out)
    print(result)


if __name__ == "__main__":
    main()
