"""What the transcripts of all games share: rewards, replay, moves as JSON, files.

A recorded value that has another type than it was written with (``null``, NaN after a
way through a table) is named in a ``ValueError``.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from ..files import read_text
from .base import Move, Objective, read, start


class Record:
    """A transcript inherits from this; ``outcome`` are the names of what it records of
    how the game ended, which its game has too."""

    __slots__ = ()
    outcome: ClassVar[tuple[str, ...]] = ("points", "aborted")
    task: Any
    objective: Objective
    first: int
    moves: tuple[Move, ...]
    points: tuple[float, float]

    @property
    def rewards(self) -> tuple[float, float]:
        """Rewards (R1, R2) under this game's objective."""
        return self.objective.rewards(*self.points)

    @property
    def exact(self) -> tuple[Fraction, Fraction]:
        """The rewards without rounding."""
        return self.objective.exact(*self.points)

    def replay(self) -> Any:
        """Play the recorded outputs again, from nothing but their texts.

        Returns the game that is over. Raises ``ValueError`` if they don't lead to the
        recorded result.
        """
        game = start(self.task, self.objective, first=self.first)
        for i, move in enumerate(self.moves):
            if game.over:
                raise ValueError(f"move {i} comes after the end of the game")
            game = game.submit(replace(move, seat=None, error=None))
            last = game.moves[-1]
            if (last.seat, last.error) != (move.seat, move.error):
                raise ValueError(
                    f"move {i} is recorded as seat {move.seat}, error {move.error}; "
                    f"it replays as seat {last.seat}, error {last.error}"
                )
        recorded = (True, *(getattr(self, name) for name in self.outcome))
        got = (game.over, *(getattr(game, name) for name in self.outcome))
        if got != recorded:
            raise ValueError(
                f"the transcript records (over, {', '.join(self.outcome)}) = "
                f"{recorded}; it replays as {got}"
            )
        return game


def read_games(path: str | Path) -> list[Any]:
    """The transcripts of a JSON-lines file; ``ValueError`` names a damaged line. Blank
    lines and byte order marks are passed over."""
    return [t for _, t in numbered_games(path)]


def numbered_games(path: str | Path) -> list[tuple[int, Any]]:
    """:func:`read_games`, each with the number of its line."""
    games: list[tuple[int, Any]] = []
    lines = read_text(path).split("\n")  # a message may hold U+2028
    for n, line in enumerate(lines, 1):
        if not (line := line.strip("\ufeff \t")):
            continue
        try:
            games.append((n, read(line)))
        except ValueError as e:
            last = not any(rest.strip() for rest in lines[n:])
            cut = last and isinstance(e.__cause__, json.JSONDecodeError)
            whole = f". The {len(games)} before it can be read" if games else ""
            told = ". A cut last line means that writing was interrupted" if cut else ""
            raise ValueError(f"{path}, line {n}: {e}{whole}{told}.") from e
    return games


def of_move(move: Move) -> dict[str, Any]:
    """A move as JSON; what only a language model's has is left out of the others'."""
    sampled = ("tokens", "logprobs", "temperature")
    said = {"seat": move.seat, "text": move.text, "error": move.error}
    return said | {n: v for n in sampled if (v := getattr(move, n)) is not None}


def read_move(m: dict[str, Any], number: int, errors: Container[str]) -> Move:
    """The move that :func:`of_move` wrote, the one of this ``number`` in its game;
    ``errors`` are those that the game knows."""
    place, error = f"move {number}", m["error"]
    if error is not None and error not in errors:
        raise ValueError(f"the error of {place} is {json.dumps(error)}, no known one")
    tokens, by = m.get("tokens"), m["seat"]
    return Move(
        text=is_a(m["text"], str, f"the text of {place}"),
        tokens=None if tokens is None else numbers(m, "tokens"),
        seat=None if by is None else read_seat(by, f"the seat of {place}"),
        error=error,
        logprobs=_optional(m, "logprobs", place),
        temperature=_optional(m, "temperature", place),
    )


def _optional(m: dict[str, Any], name: str, place: str) -> Any:
    """What only a language model's move has: a number, or as many as tokens."""
    value = m.get(name)
    if not isinstance(value, list):
        what = f"{name} of {place}"
        return None if value is None else is_a(value, (int, float), what)
    what = f"one of the {name} of {place}"
    each = tuple(is_a(x, (int, float), what) for x in value)
    if len(each) != len(m.get("tokens") or ()):
        raise ValueError(f"{place} has {len(each)} {name}, not one for each token")
    return each


_KINDS = {str: "text", bool: "true or false", (int, float): "a number"}


def is_a(value: Any, kind: Any, what: str) -> Any:
    """``value``, if it is of ``kind`` (``str``, ``bool`` or ``(int, float)``)."""
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        given = json.dumps(value)
        raise ValueError(f"{what} is {given[:40]}, where {_KINDS[kind]} is expected")
    return value


def read_seat(value: Any, what: str) -> int:
    """``value``, if it is a seat."""
    if value not in (0, 1):
        raise ValueError(
            f"{what} is {json.dumps(value)[:40]}, where seat 0 or 1 is expected"
        )
    return int(value)


def numbers(d: dict[str, Any], key: str, some: Iterable[Any] | None = None) -> tuple:
    """The whole numbers at ``key``, also where a table made 3.0 of 3."""
    found = tuple(d[key] if some is None else some)
    for n in found:
        if n != is_a(n, (int, float), f"a number in {key}") // 1:
            raise ValueError(f"{key} holds {n}, where whole numbers are expected")
    return tuple(map(int, found))
