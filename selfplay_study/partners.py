"""The partners of a study: from names to players, held once for everybody.

A page is a process of its own. If each loaded the models, thirty people would need
thirty times their memory; so :func:`host` holds them in one process, and a page's
:class:`Guest` asks it over the loopback interface, in JSON (nothing is unpickled),
after both have shown that they know a key. Left out: other machines.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.protocol import Line, Move, Position
from selfplay_kit.games.deal.rules import Objective
from selfplay_kit.games.deal.scripted import NEGOTIATORS
from selfplay_kit.games.play import Player

from .folder import StudyError
from .plan import Settings

VARIABLE = "SELFPLAY_KIT_STUDY_HOST"  # port:key, for the pages


def partner(name: str, temperature: float = 1.0) -> tuple[Player, str | None]:
    """The player that ``name`` stands for, and the hash of its weights, if any.

    ``name`` is a scripted negotiator (``fair``), ``RUNFOLDER@10`` (that round of a
    run), or a model's name or folder. Raises ``ValueError`` where there is none.
    """
    if name in NEGOTIATORS:
        return NEGOTIATORS[name](), None
    try:
        from selfplay_kit.lm.models import load_model
        from selfplay_kit.lm.player import LMPlayer
    except ImportError as e:
        raise ValueError(
            f"{name!r} is a model, and {e.name} is not installed: install it (python "
            "run.py study, without --no-torch), or take scripts: "
            f"{', '.join(NEGOTIATORS)}"
        ) from e

    folder, at, number = name.rpartition("@")
    if not at:
        lm = load_model(name)
    elif not number.isdigit() or not Path(folder).is_dir():
        raise ValueError(
            f"{name!r}: RUNFOLDER@ROUND is a run folder that is there and a number, "
            "such as runs/mine@10"
        )
    else:
        lm = _round_model(Path(folder), int(number))
    player = LMPlayer(lm, temperature=temperature, name=name)
    return player, lm.report.weights_hash


def _round_model(folder: Path, number: int):
    from selfplay_kit.files import read_json
    from selfplay_kit.learn.rounds import read_rounds
    from selfplay_kit.lm.models import load_model

    rounds = read_rounds(folder)
    if number >= len(rounds):
        raise ValueError(
            f"{folder} has whole rounds 0 to {len(rounds) - 1}; asked for {number}"
        )
    if number == 0:
        return load_model(read_json(folder / "config.json")["base"])
    return load_model(rounds[number].folder / "model")


def load(settings: Settings) -> dict[str, Player]:
    """The study's players by name. :class:`StudyError` if one is no longer the one
    that the study was made with."""
    players: dict[str, Player] = {}
    for name in settings.players():
        players[name], found = partner(name, settings.temperature)
        wanted = settings.weights.get(name, found)
        if found != wanted:
            raise StudyError(
                f"{name} has other weights now ({str(found)[:12]}) than when the study "
                f"was made ({str(wanted)[:12]}). Put the old ones back, or make a new "
                "study: games with two models are not of one arm."
            )
    return players


def host(players: Mapping[str, Player]) -> tuple[str, Callable[[], None]]:
    """Hold ``players`` for the pages: (what :data:`VARIABLE` must say, how to stop).

    Answers in threads of this process, one reply at a time.
    """
    key = secrets.token_bytes(32)
    listener = Listener(("127.0.0.1", 0), authkey=key, backlog=128)
    lock, closing = threading.Lock(), threading.Event()

    def listen() -> None:
        with listener:  # who still waits when it ends is refused
            while not closing.is_set():
                try:
                    guest = listener.accept()
                except (AuthenticationError, OSError, EOFError):
                    continue  # a stranger; the next may know the key
                threading.Thread(target=answer, args=(guest,), daemon=True).start()

    def answer(guest: Connection) -> None:
        tables: list[Any] = []
        with guest:
            try:
                asked = json.loads(guest.recv_bytes())
                with lock:
                    tables.append(players[asked["partner"]].sit(1, seed=asked["seed"]))
                while True:
                    position = _position(json.loads(guest.recv_bytes()))
                    with lock:
                        move = tables[0].reply([position])[0]
                    guest.send_bytes(json.dumps(asdict(move)).encode())
            except (EOFError, OSError):
                pass  # the game has ended, or its page was closed
            finally:
                for table in tables:
                    table.close()

    def stop() -> None:
        closing.set()
        with contextlib.suppress(OSError, EOFError):  # wakes it, to hear of it
            Client(listener.address, authkey=key).close()
        listening.join()

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    return f"{listener.address[1]}:{key.hex()}", stop


def _position(d: dict[str, Any]) -> Position:
    lines = tuple(
        Line(x["by"], x["text"], None if x["tokens"] is None else tuple(x["tokens"]))
        for x in d["lines"]
    )
    triples = {name: tuple(d[name]) for name in ("counts", "values")}
    objective = Objective(d["objective"]["lam"])
    return Position(**d | triples | {"lines": lines, "objective": objective})


class Guest:
    """A partner that is held elsewhere, as a player."""

    def __init__(self, name: str, where: str):
        self.name, self.where = name, where

    def sit(self, games: int, *, seed: int | str) -> GuestTable:
        """Sit down to one game (``ValueError`` for more)."""
        if games != 1:
            raise ValueError(f"a page plays one game at a time; got {games}")
        return GuestTable(self, seed)


class GuestTable:
    """One game with a partner that is held elsewhere."""

    def __init__(self, player: Guest, seed: int | str):
        port, _, key = player.where.partition(":")
        try:
            self.host = Client(("127.0.0.1", int(port)), authkey=bytes.fromhex(key))
            self._tell({"partner": player.name, "seed": seed})
        except (OSError, EOFError, AuthenticationError) as e:
            raise StudyError(f"the partner does not answer ({type(e).__name__})") from e

    def _tell(self, what: dict[str, Any]) -> None:
        self.host.send_bytes(json.dumps(what).encode())

    def reply(self, positions: Sequence[Position]) -> list[Move]:
        """One move for each position."""
        moves = []
        for position in positions:
            try:
                self._tell(asdict(position))
                found = json.loads(self.host.recv_bytes())
            except (OSError, EOFError) as e:
                raise StudyError("the partner does not answer any more") from e
            lists = {k: tuple(v) for k, v in found.items() if type(v) is list}
            moves.append(Move(**found | lists))
        return moves

    def close(self) -> None:
        """Leave the table."""
        self.host.close()


def players_of(settings: Settings) -> dict[str, Player]:
    """The partners for a page: asked of the host that the environment names, or
    loaded here."""
    where = os.environ.get(VARIABLE)
    if where:
        return {name: Guest(name, where) for name in settings.players()}
    return load(settings)
