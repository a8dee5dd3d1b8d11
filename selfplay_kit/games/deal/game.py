"""The course of one game, as pure state, and its record.

A :class:`Game` never changes: :meth:`Game.submit` returns the game after the
move. :meth:`Game.position` is what one seat may see. When it has ended,
:meth:`Game.transcript` is its record: plain data that another language could
read, and that replays to the same result. The players are in modules of their own,
and ``games.play`` plays many games at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ...files import json_line, legible
from ..base import Line, Move, Objective
from ..record import Record, is_a, numbers, of_move, read_move, read_seat
from .protocol import ERRORS, MAX_MOVES, MAX_TRIES, Position, Reading, parse, share_text
from .rules import Scenario, Share


@dataclass(frozen=True, slots=True)
class Game:
    """One game of Deal or No Deal between seats 0 and 1.

    ``first`` is the seat that speaks first; ``number`` is the game's place in
    its batch (0 for a game of its own).

    >>> g = Game(Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0))), Objective(0), first=0)
    >>> for text in ("[message] I take the ball and a book, ok?",
    ...              "[propose] (2 books, 1 hat, 0 balls)",
    ...              "[propose] (1 book, 0 hats, 1 ball)"):
    ...     g = g.submit(text)
    >>> g.over, g.agreed, g.points
    (True, True, (5, 8))
    """

    scenario: Scenario
    objective: Objective
    first: int = 0
    number: int = 0
    moves: tuple[Move, ...] = ()
    turn: int = -1  # the seat to move; -1 is "first" before the game is set up
    accepted: int = 0
    tries: int = 0  # invalid outputs of this turn so far
    proposals: tuple[tuple[int, Share], ...] = ()
    over: bool = False

    def __post_init__(self) -> None:
        if self.first not in (0, 1):
            raise ValueError(f"first must be seat 0 or 1; got {self.first!r}")
        if self.turn == -1:
            object.__setattr__(self, "turn", self.first)

    def position(self, seat: int | None = None) -> Position:
        """What ``seat`` (by default the one to move) may see of the game."""
        seat = self.turn if seat is None else seat
        return Position(
            game=self.number,
            seat=seat,
            counts=self.scenario.counts,
            values=self.scenario.values[seat],
            objective=self.objective,
            lines=lines_for(seat, self.moves),
            opening=self.accepted == 0,
            must_propose=bool(self.proposals) and self.proposals[0][0] != seat,
        )

    def read(self, text: str) -> Reading:
        """What the parser makes of ``text`` as the next output of this game."""
        return parse(
            text,
            self.scenario.counts,
            opening=self.accepted == 0,
            must_propose=bool(self.proposals),
        )

    def submit(self, move: Move | str) -> Game:
        """The game after ``move`` of the seat to move. An invalid one counts as a
        try; the fifth in a row aborts. Raises ``ValueError`` if the game is over.
        """
        if self.over:
            raise ValueError("the game is over; it takes no more moves")
        move = Move(move) if isinstance(move, str) else move
        reading = self.read(move.text)
        played = replace(move, seat=self.turn, error=reading.error)
        if reading.error:
            tries = self.tries + 1
            return replace(
                self,
                moves=(*self.moves, played),
                tries=tries,
                over=tries >= MAX_TRIES,
            )
        proposals = self.proposals
        if reading.share is not None:
            proposals = (*proposals, (self.turn, reading.share))
        accepted = self.accepted + 1
        return replace(
            self,
            moves=(*self.moves, played),
            turn=1 - self.turn,
            accepted=accepted,
            tries=0,
            proposals=proposals,
            over=len(proposals) == 2 or accepted >= MAX_MOVES,
        )

    @property
    def aborted(self) -> bool:
        """Ended by five invalid outputs in a row."""
        return self.tries >= MAX_TRIES

    @property
    def agreed(self) -> bool:
        """Both proposed, and the two shares make up exactly the pool."""
        if len(self.proposals) != 2:
            return False
        a, b = dict(self.proposals)[0], dict(self.proposals)[1]
        return self.scenario.complement(a) == b

    @property
    def points(self) -> tuple[int, int]:
        """Points (X, Y) of seats 0 and 1; (0, 0) without a deal."""
        if not self.agreed:
            return 0, 0
        shares = dict(self.proposals)
        return self.scenario.pays((shares[0], shares[1]))

    def transcript(self, players: tuple[str, str] = ("", ""), seed=None) -> Transcript:
        """The record of a game that is over (``ValueError`` before that)."""
        if not self.over:
            raise ValueError("the game is not over yet; a transcript is of a whole one")
        return Transcript(
            scenario=self.scenario,
            objective=self.objective,
            first=self.first,
            moves=self.moves,
            points=self.points,
            agreed=self.agreed,
            aborted=self.aborted,
            players=(players[0], players[1]),
            seed=seed,
        )


def lines_for(seat: int, moves: tuple[Move, ...]) -> tuple[Line, ...]:
    """The lines of ``moves`` that ``seat`` sees, as it sees them."""
    lines = []
    for move in moves:
        if move.seat == seat:
            own = (legible(move.text), move.tokens, move.logprobs)
            if move.error:
                lines.append(Line("tried", *own))
                lines.append(Line("correction", move.error))
            else:
                lines.append(Line("mine", *own))
        elif not move.error:
            reading = parse(legible(move.text), (99, 99, 99))
            proposed = reading.kind == "propose"
            lines.append(
                Line("proposed", "") if proposed else Line("theirs", reading.text)
            )
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class Transcript(Record):
    """The record of one game. ``points`` are (X, Y); rewards follow from them."""

    kind: ClassVar[str] = "deal"
    outcome: ClassVar[tuple[str, ...]] = ("points", "agreed", "aborted")

    scenario: Scenario
    objective: Objective
    first: int
    moves: tuple[Move, ...]
    points: tuple[int, int]
    agreed: bool
    aborted: bool
    players: tuple[str, str] = ("", "")
    seed: int | str | None = field(default=None)

    @property
    def task(self) -> Scenario:
        """The scenario, under the name that every game has for it."""
        return self.scenario

    @property
    def settled(self) -> bool:
        """Whether there was a deal."""
        return self.agreed

    def position(self, seat: int) -> Position:
        """All that ``seat`` had seen at the end."""
        return Position(
            game=0,
            seat=seat,
            counts=self.scenario.counts,
            values=self.scenario.values[seat],
            objective=self.objective,
            lines=lines_for(seat, self.moves),
        )

    @property
    def shares(self) -> tuple[Share, Share] | None:
        """The shares (seat 0's, seat 1's) of a deal; ``None`` without one."""
        if not self.agreed:
            return None
        found: dict[int, Share] = {}
        for move in self.moves:
            share = None if move.error else parse(move.text, self.scenario.counts).share
            if share is not None and move.seat is not None:
                found[move.seat] = share
        return found[0], found[1]

    def summary(self, names: tuple[str, str] = ("player 0", "player 1")) -> str:
        """The pool, what it was worth to whom, and how the game ended."""
        end = "deal" if self.agreed else "aborted" if self.aborted else "no deal"
        return (
            f"Pool: {share_text(self.scenario.counts)}. Values: "
            f"{self.scenario.values[0]} ({names[0]}) and "
            f"{self.scenario.values[1]} ({names[1]}). "
            f"{end}, {self.points[0]} and {self.points[1]} points."
        )

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` is its inverse."""
        return json_line(
            {
                "counts": self.scenario.counts,
                "values": self.scenario.values,
                "lambda": self.objective.lam,
                "first": self.first,
                "moves": [of_move(m) for m in self.moves],
                "points": self.points,
                "agreed": self.agreed,
                "aborted": self.aborted,
                "players": self.players,
                "seed": self.seed,
            }
        )

    @classmethod
    def from_json(cls, line: str) -> Transcript:
        """Read one line; ``ValueError`` says what is wrong with it."""
        try:
            return cls.from_record(json.loads(line))
        except json.JSONDecodeError as e:
            raise ValueError(
                f"not a transcript line ({type(e).__name__}: {e}): {line[:80]!r}"
            ) from e

    @classmethod
    def from_record(cls, d: dict[str, Any]) -> Transcript:
        """Read what a line of JSON holds; ``ValueError`` says what is wrong with it."""
        try:
            a, b = (numbers(d, "values", some) for some in d["values"])
            x, y = numbers(d, "points")
            names = tuple(is_a(n, str, "a name in players") for n in d["players"])
            return cls(
                scenario=Scenario(numbers(d, "counts"), (a, b)),
                objective=Objective(is_a(d["lambda"], (int, float), "lambda")),
                first=read_seat(d["first"], "first"),
                moves=tuple(read_move(m, n, ERRORS) for n, m in enumerate(d["moves"])),
                points=(x, y),
                agreed=is_a(d["agreed"], bool, "agreed"),
                aborted=is_a(d["aborted"], bool, "aborted"),
                players=(names[0], names[1]),
                seed=d["seed"],
            )
        except (KeyError, TypeError, IndexError) as e:
            given = json.dumps(d)[:80]
            raise ValueError(
                f"not a transcript line ({type(e).__name__}: {e}): {given!r}"
            ) from e
