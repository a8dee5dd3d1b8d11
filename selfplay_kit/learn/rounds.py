"""Rounds of self-play: play, filter, clone, and again, in a folder that survives.

Algorithm 1 of Liao et al. 2024. Round 0 is the base and the games it plays; round
k is the model fine-tuned on the kept games of round k-1, starting from that
round's model, and the games *it* plays. So the last round is scored by its own
play, and only the round just played is ever trained on.

A run is a function of its :class:`Config`, into a folder of its own::

    config.json
    round-03/games.jsonl  metrics.json  model/  done

``done`` is written last and holds the hashes of the kit's own files. A round without
it is played again from the whole round before; the outcome is the same. Files of other
programs (``.DS_Store``, a sync service's copies) are no part of a run and are left
alone. One program writes at a time.
"""

from __future__ import annotations

import inspect
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from .. import files
from ..games.base import Objective, kind
from ..games.play import Player, on_end, play_games
from ..games.record import numbered_games as numbered_games
from ..games.record import read_games as read_games
from ..lm import adapters
from ..lm.decode import agreement
from ..lm.dialogue import prompt_digest
from ..lm.models import LanguageModel, load_model, save_model
from ..lm.player import LMPlayer
from ..lm.report import weights_hash
from ..lm.weights import sha256
from ..measure.metrics import summarise
from .cloning import View, views
from .config import Config, chosen
from .filters import rewards_of
from .folder import Round as Round
from .folder import RunError as RunError
from .folder import clear, hashes_of, own_files
from .folder import kept_counts as kept_counts
from .folder import read_rounds as read_rounds
from .opponents import pairings
from .rules import RULES
from .rules.clone import keep as keep
from .training import TrainingError, must_be_trainable

Progress = Callable[[str, int, int], None]  # what, done, of


def run(
    config: Config,
    folder: str | Path,
    *,
    partner: Player | None = None,
    progress: Progress | None = None,
    on_round: Callable[[Round], None] | None = None,
) -> list[Round]:
    """Play ``config.rounds`` rounds into ``folder``; whole rounds that are there
    are kept. Returns all rounds, 0 to ``config.rounds``.

    With a ``partner`` the model plays seat 0 against it (in ``partner_share`` of the
    games) and learns from its own sides alone; the partner stays as it is, and its
    name, which the folder is held against, must say who it is (see
    ``response.best_response``).
    ``progress(what, done, of)`` is told of each game and training step,
    ``on_round`` of each round that is whole, those found in the folder too. Raises
    :class:`RunError` for a folder of another configuration, one that another program
    is writing or one with damaged files, and
    :class:`~selfplay_kit.learn.training.TrainingError` when training can't go on; what
    was finished stays.
    """
    folder = Path(folder)
    base = load_model(config.base, config.precision)
    _can_learn(config, base)
    if partner is None and config.partner_share != 1:
        raise RunError(
            f"partner_share is {config.partner_share}, and this run has no partner"
        )
    if partner is not None and config.opponent != "itself":
        raise RunError(
            f"a run meets its partner or the opponent {config.opponent!r}: leave one "
            "of them out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    whole: list[Round] = []
    if (folder / "config.json").exists():
        _claim(config, folder, base, partner)
        whole = read_rounds(folder, limit=config.rounds)
    if len(whole) <= config.rounds:  # one that is complete is only read
        with files.one_writer(folder, RunError):
            _claim(config, folder, base, partner)
            return _go_on(config, folder, base, partner, progress, on_round)
    for one in whole:
        if on_round:
            on_round(one)
    return whole


def _go_on(config, folder, base, partner, progress, on_round) -> list[Round]:
    done = read_rounds(folder, limit=config.rounds)
    if on_round:
        for whole in done:
            on_round(whole)
    lm = base if len(done) < 2 else done[-1].model(config)
    for number in range(len(done), config.rounds + 1):
        here = folder / f"round-{number:02d}"
        clear(here)
        here.mkdir(exist_ok=True)
        started = time.perf_counter()
        training: dict[str, Any] = {}
        if number:
            if config.continue_from == "base":
                lm = load_model(config.base, config.precision)
            sides = learners(done[-1])
            if config.lora and not adapters.adapted(lm.model):
                lm.model = adapters.attach(lm.model, config.lora, seed=config.seed)
            training = _learn(config, number, lm, sides, progress)
            save_model(lm, here / "model")
        model = own_files(here)  # now: what appears while it plays is not the kit's
        trained = time.perf_counter()
        games, seats = _play(config, number, lm, partner, done, progress)
        played = time.perf_counter()
        lines = "".join(t.to_json() + "\n" for t in games)
        files.write_text(here / "games.jsonl", lines)
        metrics = summarise(games, Objective(config.lam), seed=config.seed) | {
            "round": number,
            "training": training,
            "seconds": {"train": trained - started, "play": played - trained},
            "weights": weights_hash(lm.model),
        }
        if any(seat is not None for seat in seats):
            metrics["seats"] = seats
        files.write_text(here / "metrics.json", json.dumps(metrics, indent=1))
        hashes = hashes_of(here, ("games.jsonl", "metrics.json", *model))
        files.write_text(here / "done", json.dumps(hashes, indent=1))
        done.append(Round(number, here, metrics))
        if on_round:
            on_round(done[-1])
    return done


def draw_scenarios(config: Config, number: int) -> list[Any]:
    """The scenarios of one round: ``games / group`` draws, each ``group`` times."""
    pool = kind(config.game).tasks(config.split)
    rng = random.Random(f"{config.seed}/round {number}/scenarios")
    drawn = rng.choices(pool, k=config.games // config.group)
    return [s for s in drawn for _ in range(config.group)]


def _play(config, number, lm, partner, done, progress) -> tuple[list, list]:
    """The games of a round, and the learner's seat in each: ``None`` where it met
    itself and both sides are its own."""
    name = f"{config.base}@{number}{lm.precision}"
    mine = LMPlayer(lm, temperature=config.temperature, name=name)
    drawn = draw_scenarios(config, number)
    seed = f"{config.seed}/round {number}"
    play = partial(
        play_games,
        objective=Objective(config.lam),
        on_end=progress and on_end(progress, f"round {number}: play", config.games),
        batch=config.at_once,
    )
    games: list[Any] = []
    seats: list[int | None] = []
    start = 0
    if partner is not None:  # the learner has seat 0
        shared = round(config.partner_share * len(drawn) / config.group) * config.group
        games += play((mine, partner), drawn[:shared], seed=seed)
        games += play(mine, drawn[shared:], seed=f"{seed}/itself")
        return games, [0] * shared + [None] * (len(drawn) - shared)
    for part, (other, count) in enumerate(pairings(config, number, done)):
        some = drawn[start : start + count * config.group]
        start += len(some)
        where = f"{seed}/part {part}" if part else seed
        if other is None:
            games += play(mine, some, seed=where)
            seats += [None] * len(some)
            continue
        # by group: games that are compared have the learner in the same seat
        mine_at = [i // config.group % 2 for i in range(len(some))]
        pairs = list(zip(some, mine_at, strict=True))
        first, second = ([s for s, at in pairs if at == seat] for seat in (0, 1))
        played = (
            iter(play((mine, other), first, seed=f"{where}/seat 0")),
            iter(play((other, mine), second, seed=f"{where}/seat 1")),
        )
        games += [next(played[at]) for at in mine_at]
        seats += mine_at
    return games, seats


def learners(played: Round) -> list[View]:
    """The views of a round that are the learner's. Which seat was its is recorded;
    where it isn't, it met itself, or in the first edition a partner in seat 1."""
    games = played.games()
    seats = played.metrics.get("seats")
    if seats is None:
        sides = [(v, v.transcript.players) for v in views(games)]
        return [v for v, names in sides if names[v.seat] == names[0]]
    return [
        View(t, seat)
        for t, mine in zip(games, seats, strict=True)
        for seat in (0, 1)
        if mine is None or mine == seat
    ]


def _learn(config, number, lm, sides, progress) -> dict[str, Any]:
    rewards = rewards_of(config.reward, sides)
    training = RULES[config.rule].learn(
        lm,
        sides,
        rewards,
        config=config,
        number=number,
        seed=f"{config.seed}/round {number}",
        on_step=lambda step, steps, loss: (
            progress and progress(f"round {number}: train", step, steps)
        ),
    )
    return {
        "kept": training.kept,
        "of": len(sides),
        "steps": len(training.losses),
        "passes": training.passes,
        "tokens": training.tokens,
        "loss_first": training.losses[0],
        "loss_last": training.losses[-1],
    }


def _can_learn(config: Config, base: LanguageModel) -> None:
    """:class:`RunError` for what would fail only after a round of play."""
    have = adapters.rank(base.model)
    if have and config.lora not in (0, have):
        raise RunError(
            f"{config.base} carries an adapter of rank {have}, and a run goes on with "
            f"that one: leave lora out or ask for {have}; got {config.lora}"
        )
    if config.rounds and config.lora and not have:
        if fault := agreement.adapter_fault(base.model):
            raise RunError(
                f"{config.base} can't be trained by an adapter (lora={config.lora}): "
                f"{fault}. Train whole weights (lora=0, precision='fp32')."
            )
    if config.rounds and not config.lora:
        try:
            must_be_trainable(base)
        except TrainingError as e:
            raise RunError(str(e)) from e


def _claim(
    config: Config, folder: Path, base: LanguageModel, partner: Player | None = None
) -> None:
    """Write the configuration, or hold the one that is there against ours."""
    wanted = json.loads(json.dumps(asdict(config)))  # as it is read back
    wanted["base_weights"] = base.report.weights_hash
    wanted["prompt"] = prompt_digest(base, config.game)
    wanted["max_new_tokens"] = base.max_new_tokens
    if plugins := own_code(config):
        wanted["plugins"] = plugins
    if partner is not None:
        wanted["partner"] = partner.name
    where = folder / "config.json"
    if not where.exists():
        text = json.dumps(wanted | {"model": base.report.as_dict()}, indent=1)
        files.write_text(where, text)
        return
    try:
        there = files.read_json(where)
        if not isinstance(there, dict):
            raise ValueError(f"it holds {json.dumps(there)[:40]}, no configuration")
    except ValueError as e:
        raise RunError(
            f"{where} can't be read ({e}), so what this folder holds is not known. "
            "Move the folder away and run into a new one."
        ) from e
    free = {"rounds"}  # a run may be made longer
    usual = json.loads(json.dumps(asdict(Config())))
    later = ("prompt", "max_new_tokens")  # the first edition did not write them
    there = usual | {name: wanted[name] for name in later} | there
    differs = [
        f"{key}: {there.get(key)!r} there, {value!r} asked"
        for key, value in ({"partner": None, "plugins": None} | wanted).items()
        if key not in free and there.get(key) != value
    ]
    if differs:
        raise RunError(
            f"{folder} holds a run of another configuration ({'; '.join(differs)}). "
            "Nothing was touched. Choose another folder, or ask for the "
            "configuration that is there."
        )


def own_code(config: Config) -> dict[str, str]:
    """What of ``config`` is not the kit's, with the hash of the file that it is from:
    with that, too, a folder is held against what is asked. A thing without a file, as
    in a notebook, has no hash."""
    things = {
        f"{what} {getattr(config, what)}": named for what, named in chosen(config)
    }
    plugins = {}
    for name, thing in things.items():
        code = thing if hasattr(thing, "__qualname__") else type(thing)
        if code.__module__.partition(".")[0] == __name__.partition(".")[0]:
            continue
        try:
            plugins[name] = sha256(Path(inspect.getfile(code)))
        except (TypeError, OSError):
            plugins[name] = "no file"
    return plugins


def evaluate(
    lm: LanguageModel,
    objective: Objective,
    *,
    games: int = 500,
    split: str = "development",
    temperature: float = 1.0,
    seed: int = 0,
    game: str = "deal",
) -> dict[str, Any]:
    """The metrics of ``lm`` in self-play on scenarios of ``split``."""
    rng = random.Random(f"{seed}/evaluate/{split}")
    drawn = rng.choices(kind(game).tasks(split), k=games)
    player = LMPlayer(lm, temperature=temperature)
    played = play_games(player, drawn, objective, seed=f"{seed}/evaluate/{split}")
    return summarise(played, objective, seed=seed)
