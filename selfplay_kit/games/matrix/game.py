"""The course of one repeated 2x2 game, as pure state, and its record.

In each round seat ``first`` answers first and then the other, and neither sees the
other's choice before both are made: the order is one of bookkeeping. A game that is
broken off by five invalid outputs in a row pays nothing to either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

from ...files import json_line, legible
from ..base import Counts, Line, Move, Objective
from ..record import Record, of_move, read_move
from .rules import DILEMMAS, Matrix, equilibria
from .text import ERRORS, Position, Reading, parse

MAX_TRIES = 5  # as in Deal or No Deal


@dataclass(frozen=True, slots=True)
class Game:
    """One repeated game between seats 0 and 1.

    >>> from .rules import GAMES
    >>> task = Matrix("pd", GAMES["prisoners_dilemma"], ("J", "F"), rounds=1)
    >>> g = Game(task, Objective(0)).submit("[choose] J").submit("[choose] F")
    >>> g.over, g.points
    (True, (0, 10))
    """

    task: Matrix
    objective: Objective
    first: int = 0
    number: int = 0
    moves: tuple[Move, ...] = ()
    played: tuple[tuple[int, int], ...] = ()  # actions of seats 0 and 1 in each round
    hidden: int | None = None  # the first seat's action in a round under way
    tries: int = 0  # invalid outputs of this turn so far

    def __post_init__(self) -> None:
        if self.first not in (0, 1):
            raise ValueError(f"first must be seat 0 or 1; got {self.first!r}")

    @property
    def turn(self) -> int:
        """The seat to move."""
        return self.first if self.hidden is None else 1 - self.first

    @property
    def aborted(self) -> bool:
        """Ended by five invalid outputs in a row."""
        return self.tries >= MAX_TRIES

    @property
    def over(self) -> bool:
        """All rounds are played, or it is broken off."""
        return self.aborted or len(self.played) == self.task.rounds

    @property
    def points(self) -> tuple[int, int]:
        """The points of seats 0 and 1 over all rounds; (0, 0) if it is broken off."""
        paid = [] if self.aborted else [self.task.pays(a, b) for a, b in self.played]
        return sum(x for x, _ in paid), sum(y for _, y in paid)

    def read(self, text: str) -> Reading:
        """What the parser makes of ``text``."""
        return parse(text, self.task.labels)

    def position(self, seat: int | None = None) -> Position:
        """What ``seat`` (by default the one to move) may see."""
        seat = self.turn if seat is None else seat
        lines = lines_for(seat, self.moves, self.task)
        return Position(self.number, seat, self.task, self.objective, lines)

    def submit(self, move: Move | str) -> Game:
        """The game after ``move`` of the seat to move. Raises ``ValueError`` if the
        game is over, and never for what the move says."""
        if self.over:
            raise ValueError("the game is over; it takes no more moves")
        move = Move(move) if isinstance(move, str) else move
        reading = self.read(move.text)
        moves = (*self.moves, replace(move, seat=self.turn, error=reading.error))
        if reading.choice is None:
            return replace(self, moves=moves, tries=self.tries + 1)
        if self.hidden is None:
            return replace(self, moves=moves, hidden=reading.choice, tries=0)
        pair = (self.hidden, reading.choice)
        both = pair if self.first == 0 else pair[::-1]
        played = (*self.played, both)
        return replace(self, moves=moves, played=played, hidden=None, tries=0)

    def transcript(self, players: tuple[str, str] = ("", ""), seed=None) -> Transcript:
        """The record of a game that is over (``ValueError`` before that)."""
        if not self.over:
            raise ValueError("the game is not over yet; a transcript is of a whole one")
        return Transcript(
            task=self.task,
            objective=self.objective,
            first=self.first,
            moves=self.moves,
            points=self.points,
            aborted=self.aborted,
            players=(players[0], players[1]),
            seed=seed,
        )


def lines_for(seat: int, moves: tuple[Move, ...], task: Matrix) -> tuple[Line, ...]:
    """The lines of ``moves`` that ``seat`` sees: its own outputs, and of each round
    that both have played the label of either."""
    lines: list[Line] = []
    chosen: dict[int | None, str] = {}
    number = 1
    for move in moves:
        if move.seat == seat:
            own = (legible(move.text), move.tokens, move.logprobs)
            lines.append(Line("tried" if move.error else "mine", *own))
            if move.error:
                lines.append(Line("correction", move.error))
        choice = parse(move.text, task.labels).choice
        if choice is not None:
            chosen[move.seat] = task.labels[choice]
        if len(chosen) == 2:
            lines.append(Line("played", f"{number} {chosen[seat]} {chosen[1 - seat]}"))
            chosen, number = {}, number + 1
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class Transcript(Record):
    """The record of one game. ``points`` are over all rounds."""

    kind: ClassVar[str] = "matrix"

    task: Matrix
    objective: Objective
    first: int
    moves: tuple[Move, ...]
    points: tuple[int, int]
    aborted: bool
    players: tuple[str, str] = ("", "")
    seed: int | str | None = None

    @property
    def settled(self) -> bool:
        """All rounds were played."""
        return not self.aborted

    @property
    def played(self) -> tuple[tuple[int, int], ...]:
        """The actions of seats 0 and 1 in each round."""
        index = self.task.labels.index
        rounds = (x.text.split() for x in self.position(0).lines if x.by == "played")
        return tuple((index(a), index(b)) for _, a, b in rounds)

    def position(self, seat: int) -> Position:
        """All that ``seat`` had seen at the end."""
        lines = lines_for(seat, self.moves, self.task)
        return Position(0, seat, self.task, self.objective, lines)

    def summary(self, names: tuple[str, str] = ("player 0", "player 1")) -> str:
        """Who chose what, and what it paid."""
        rows = (
            f"{names[s]}: "
            + " ".join(self.task.labels[pair[s]] for pair in self.played)
            for s in (0, 1)
        )
        end = "aborted, " if self.aborted else ""
        name = self.task.name.replace("_", " ")
        return (
            f"{name}, {'; '.join(rows)}. "
            f"{end}{self.points[0]} and {self.points[1]} points."
        )

    def to_json(self) -> str:
        """One line of JSON, which ``games.base.read`` reads."""
        task = {k: getattr(self.task, k) for k in Matrix.__slots__}
        moves = [of_move(m) for m in self.moves]
        head = {"game": self.kind, "task": task, "lambda": self.objective.lam}
        names = ("first", "points", "aborted", "players", "seed")
        return json_line(head | {"moves": moves} | {k: getattr(self, k) for k in names})


def read(d: dict[str, Any]) -> Transcript:
    """The transcript that a line of JSON holds; ``ValueError`` names what it is not."""
    try:
        given = d["task"]
        rows = [tuple(tuple(cell) for cell in row) for row in given["payoffs"]]
        labels, rounds = tuple(given["labels"]), given["rounds"]
        t = Transcript(
            task=Matrix(given["name"], tuple(rows), labels, rounds),  # type: ignore[arg-type]
            objective=Objective(d["lambda"]),
            first=d["first"],
            moves=tuple(read_move(m, n, ERRORS) for n, m in enumerate(d["moves"])),
            points=tuple(d["points"]),  # the replay tells whether they are right
            aborted=d["aborted"],
            players=tuple(d["players"]),
            seed=d["seed"],
        )
        t.replay()
    except (KeyError, TypeError, IndexError, AttributeError) as e:
        raise ValueError(
            f"not a transcript line of a repeated game ({type(e).__name__}: {e}): "
            f"{json.dumps(d)[:80]!r}"
        ) from e
    if [*map(type, t.players)] != [str, str]:
        raise ValueError(f"players are two names; got {t.players!r:.80}")
    return t


METRICS = (
    *("mean_points", "mean_joint", "mean_reward", "cooperation", "coordination"),
    *("joint_optimal", "alternation", "predicted", "abort_rate", "error_rate"),
)
SHARES = METRICS[3:]


def counts(t: Transcript, objective: Objective) -> Counts:
    """Numerator and denominator of each metric in one game.

    Points and rewards are per round, of a player (``mean_points``, ``mean_reward``) or
    of the pair; a game that is broken off has 0 in all of its rounds. Shares of the
    rounds that were played: ``cooperation``, of action 0, where the game has one that
    is called so; ``coordination``, of the pure equilibria, where there are several;
    ``joint_optimal``, of the largest sum; ``alternation``, of rounds that follow one
    equilibrium by another; ``predicted``, of the predictions that came true. Shares of
    the games: ``abort_rate``, and ``error_rate`` (at least one invalid output).
    """
    task, played, (x, y) = t.task, t.played, t.points
    pure = {
        (1 - int(p), 1 - int(q))
        for p, q in equilibria(task.payoffs)
        if {p, q} <= {0, 1}
    }
    several, dilemma = len(pure) > 1, task.name in DILEMMAS
    best = max(sum(cell) for row in task.payoffs for cell in row)
    turns = list(pairwise(played))
    right, guesses = _predictions(t)
    return {
        "mean_points": (x + y, 2 * task.rounds),
        "mean_joint": (x + y, task.rounds),
        "mean_reward": (sum(objective.rewards(x, y)), 2 * task.rounds),
        "cooperation": (
            dilemma * sum(pair.count(0) for pair in played),
            dilemma * 2 * len(played),
        ),
        "coordination": (
            several * sum(pair in pure for pair in played),
            several * len(played),
        ),
        "joint_optimal": (
            sum(sum(task.pays(*pair)) == best for pair in played),
            len(played),
        ),
        "alternation": (
            several * sum({a, b} <= pure and a != b for a, b in turns),
            several * len(turns),
        ),
        "predicted": (right, guesses),
        "abort_rate": (t.aborted, 1),
        "error_rate": (any(m.error for m in t.moves), 1),
    }


def _predictions(t: Transcript) -> tuple[int, int]:
    """How many predictions came true, and how many were made in rounds played."""
    readings: tuple[list[Reading], list[Reading]] = ([], [])
    for m in t.moves:
        if not m.error and m.seat is not None:
            readings[m.seat].append(parse(m.text, t.task.labels))
    pairs = list(zip(*readings, strict=False))
    told = [(a.predicted, b.choice) for a, b in pairs]
    told += [(b.predicted, a.choice) for a, b in pairs]
    made = [(guess, choice) for guess, choice in told if guess is not None]
    return sum(guess == choice for guess, choice in made), len(made)
