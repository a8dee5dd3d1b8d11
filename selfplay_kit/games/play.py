"""Many games between two players, at once.

A *player* is anything with ``name`` and ``sit(games, seed=...)``, which returns a
*table*: ``table.reply(positions)`` gives one ``Move``
for each position, and ``table.close()`` lets go of what it held. A table is
stateful over its batch; a position's ``game`` says which game of the batch it is.
This module imports no player.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .base import Move, Objective, start


class Table(Protocol):
    """One player at a batch of games."""

    def reply(self, positions: Sequence[Any]) -> list[Move]:
        """One move for each position, in their order."""
        ...

    def close(self) -> None:
        """Let go of what the table holds."""
        ...


class Player(Protocol):
    """Whoever can sit down to a batch of games."""

    name: str

    def sit(self, games: int, *, seed: int | str) -> Table:
        """Sit down to ``games`` games, numbered from 0."""
        ...


class Script(Protocol):
    """A scripted player: what it does follows from a position and its dice."""

    def act(self, position: Any, rng: random.Random) -> str:
        """The output for ``position``."""
        ...


class ScriptTable:
    """A script at a batch of games; it keeps nothing between moves."""

    def __init__(self, who: Script, seed: int | str):
        self.who, self.seed = who, seed

    def reply(self, positions: Sequence[Any]) -> list[Move]:
        """One move for each position; its chance depends on that position alone."""
        return [
            Move(
                self.who.act(
                    p, random.Random(f"{self.seed}/{p.game}/{p.seat}/{len(p.lines)}")
                )
            )
            for p in positions
        ]

    def close(self) -> None:
        """Nothing to let go of."""


class Altered:
    """A player's ``table`` that sees each position as ``change`` makes it."""

    def __init__(self, table: Table, change: Callable[[Any], Any]):
        self.table, self.change = table, change

    def reply(self, positions: Sequence[Any]) -> list[Move]:
        """The table's moves at the changed positions."""
        return self.table.reply([self.change(p) for p in positions])

    def close(self) -> None:
        """Let go of the table."""
        self.table.close()


def play_games(
    players: Player | tuple[Player, Player],
    scenarios: Sequence[Any],
    objective: Objective,
    *,
    seed: int | str,
    on_end: Callable[[int, Any], None] | None = None,
    firsts: Sequence[int] | None = None,
    batch: int = 500,
) -> list[Any]:
    """Play one game for each scenario (the task of whatever game); transcripts in the
    order of the scenarios.

    ``players`` are the players of seats 0 and 1; one player alone plays itself.
    Who speaks first is a fair coin for each game (paper, section 3) unless
    ``firsts`` says. ``on_end(i, transcript)`` is called as each game ends, so
    that nothing finished is lost; ``batch`` games are played at a time. The
    same arguments give the same transcripts.
    """
    pair = players if isinstance(players, tuple) else (players, players)
    if firsts is None:
        coin = random.Random(f"{seed}/first")
        firsts = [coin.randrange(2) for _ in scenarios]
    done: list[Any] = []
    for at in range(0, len(scenarios), batch):
        part = slice(at, at + batch)
        done += _play_batch(
            pair,
            [
                start(s, objective, first=f, number=i)
                for i, (s, f) in enumerate(
                    zip(scenarios[part], firsts[part], strict=True)
                )
            ],
            seed=f"{seed}/{at}",
            on_end=(lambda i, t, at=at: on_end(at + i, t)) if on_end else None,
        )
    return done


def on_end(report: Callable[[str, int, int], None], what: str, of: int):
    """A callback for ``play_games(on_end=...)`` that counts ended games and tells
    ``report(what, ended, of)``."""
    ended = 0

    def count(i: int, transcript: Any) -> None:
        nonlocal ended
        ended += 1
        report(what, ended, of)

    return count


def _play_batch(pair, games, *, seed, on_end) -> list[Any]:
    names = (pair[0].name, pair[1].name)
    tables = [pair[0].sit(len(games), seed=f"{seed}/0")]
    tables += (
        tables if pair[1] is pair[0] else [pair[1].sit(len(games), seed=f"{seed}/1")]
    )
    done: list[Any] = [None] * len(games)
    waiting = list(range(len(games)))
    try:
        while waiting:
            for table in dict.fromkeys(tables):
                asked = [i for i in waiting if tables[games[i].turn] is table]
                positions = [games[i].position() for i in asked]
                replies = table.reply(positions) if asked else []
                for i, move in zip(asked, replies, strict=True):
                    games[i] = games[i].submit(move)
                    if games[i].over:
                        done[i] = games[i].transcript(names, seed)
                        if on_end:
                            on_end(i, done[i])
                waiting = [i for i in waiting if not games[i].over]
    finally:
        for table in dict.fromkeys(tables):
            table.close()
    return [t for t in done if t is not None]
