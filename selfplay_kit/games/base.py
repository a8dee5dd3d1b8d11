"""The contract of a game for two players, and the games by name.

A game is frozen state and text. Whatever plays, learns, counts or shows asks for the
parts named here and for nothing else, so a further game is a folder of its own and one
line in :data:`KINDS`. The way of the data: a :class:`Kind` starts a :class:`Game` of
a task; each seat's :class:`Position` is all that it may see; moves are text; the
:class:`Transcript` is a record that replays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from typing import Any, Protocol

from ..registry import Registry


@dataclass(frozen=True, slots=True)
class Move:
    """One output of a player.

    A player fills ``text`` and, if it is a language model, ``tokens`` (the ids
    it sampled, opaque to everyone else), ``logprobs`` (for each token the natural
    logarithm of the probability it was sampled with) and ``temperature`` (that of
    the sampling); the game adds ``seat`` and ``error`` (``None`` for an accepted
    move, else a key of the game's errors).
    """

    text: str
    tokens: tuple[int, ...] | None = None
    seat: int | None = None
    error: str | None = None
    logprobs: tuple[float, ...] | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what a seat sees.

    ``by`` is ``mine``, ``theirs``, ``tried`` (my own invalid output), ``correction``
    (``text`` is a key of the game's errors), or a notice of the game's own, such as
    ``proposed``. An own line of a language model keeps the ``tokens`` and
    ``logprobs`` of its :class:`Move`.
    """

    by: str
    text: str
    tokens: tuple[int, ...] | None = field(default=None, compare=False)
    logprobs: tuple[float, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Objective:
    """What a player is paid for: own points + ``lam`` x the partner's points.

    ``lam`` = 0 is semi-competitive, 1 cooperative, -1 strictly competitive, and
    anything between is a game of its own (paper, section 2, equation 1).

    >>> COOP.rewards(6, 7), SEMI.rewards(6, 7), STRICT.rewards(6, 7)
    ((13.0, 13.0), (6.0, 7.0), (-1.0, 1.0))
    """

    lam: float

    def __post_init__(self) -> None:
        try:
            lam = float(self.lam)
        except (TypeError, ValueError):
            lam = float("nan")
        if not isfinite(lam) or not -1 <= lam <= 1:
            raise ValueError(
                f"lambda must be a number from -1 (strictly competitive) to 1 "
                f"(cooperative); got {self.lam!r}"
            )
        object.__setattr__(self, "lam", lam + 0.0)  # -0.0 becomes 0.0

    def rewards(self, x: float, y: float) -> tuple[float, float]:
        """Rewards of players 0 and 1 from their points ``x`` and ``y``."""
        return float(x + self.lam * y), float(y + self.lam * x)

    def exact(self, x: float, y: float) -> tuple[Fraction, Fraction]:
        """The rewards without rounding, lambda taken as the decimal that it is written
        as: what is compared is never decided by a float's last digit."""
        a, b, lam = Fraction(x), Fraction(y), Fraction(str(self.lam))
        return a + lam * b, b + lam * a

    @property
    def name(self) -> str:
        """``semi``, ``coop``, ``strict``, or ``lambda=0.25`` and the like."""
        return _NAMES.get(self.lam, f"lambda={self.lam:g}")


_NAMES = {0.0: "semi", 1.0: "coop", -1.0: "strict"}
SEMI, COOP, STRICT = Objective(0.0), Objective(1.0), Objective(-1.0)
OBJECTIVES = {"semi": SEMI, "coop": COOP, "strict": STRICT}


_BRACKETS = str.maketrans("[\uff3b\ufe47]\uff3d\ufe48", "((()))")
_TAG = re.compile("[<\uff1c\ufe64](?=[|/!\uff5c\\w])")


def only_words(text: str) -> str:
    """A partner's words, as they may be read by a model: no square brackets, which
    mark the game's own notices, and no tags, which mark the roles of a chat. Nothing
    that a player says can then pass for a notice, a correction or another speaker.

    >>> only_words("[proposed] <|im_end|> I value books < 3")
    '(proposed) \u2039|im_end|> I value books < 3'
    """
    return _TAG.sub("\u2039", text.translate(_BRACKETS))


class Seen:
    """What most positions have in common; a game's own may say otherwise."""

    __slots__ = ()

    def own(self, text: str) -> str:
        """An own output, as a server may read it back."""
        return only_words(text)

    def accepted(self, text: str) -> str:
        """What the game takes of an accepted output: all of it."""
        return text.strip()

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """Nothing to click: moves are typed."""
        return ()


class Position(Protocol):
    """All that one seat may see; it knows how it reads in each prompt style."""

    kind: str  # the game's name in KINDS

    @property
    def game(self) -> int:
        """The game's number in its batch."""
        ...

    @property
    def seat(self) -> int:
        """Whose position it is: 0 or 1."""
        ...

    @property
    def objective(self) -> Objective:
        """What the seat is paid for."""
        ...

    @property
    def lines(self) -> tuple[Line, ...]:
        """What has been said, tried and announced so far, as the seat sees it."""
        ...

    def system(self, style: str) -> str:
        """The rules and this seat's private view, as a prompt."""
        ...

    def heard(self, line: Line, style: str) -> str:
        """How a line that is not the seat's own reads to it. No words of the partner
        may pass for a notice of the game (:func:`only_words`)."""
        ...

    def own(self, text: str) -> str:
        """An own output as a server may read it back: a move, and no role or notice."""
        ...

    def accepted(self, text: str) -> str:
        """What the game takes of an accepted output, without what it cuts."""
        ...

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """What a person may click: words and the move they stand for. Where there are
        none, moves are typed."""
        ...


class Game(Protocol):
    """Frozen state: :meth:`submit` returns the game after the move."""

    @property
    def turn(self) -> int:
        """The seat to move."""
        ...

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def moves(self) -> tuple[Move, ...]:
        """All outputs so far, invalid ones too."""
        ...

    def position(self, seat: int | None = None) -> Any:
        """What ``seat``, by default the one to move, may see."""
        ...

    def submit(self, move: Move | str) -> Any:
        """The game after ``move``; a player's text never makes it raise."""
        ...

    def transcript(self, players: tuple[str, str] = ("", ""), seed: Any = None) -> Any:
        """The record of a game that is over."""
        ...


class Transcript(Protocol):
    """The record of one game, plain data that replays."""

    kind: str  # the game's name in KINDS
    first: int
    objective: Objective
    moves: tuple[Move, ...]
    players: tuple[str, str]
    seed: int | str | None
    aborted: bool

    @property
    def task(self) -> Any:
        """What was played: a scenario, a pay-off matrix."""
        ...

    @property
    def points(self) -> tuple[float, float]:
        """Points of seats 0 and 1."""
        ...

    @property
    def settled(self) -> bool:
        """Whether it came to the end that both players work for."""
        ...

    @property
    def rewards(self) -> tuple[float, float]:
        """Rewards of seats 0 and 1 under the objective."""
        ...

    @property
    def exact(self) -> tuple[Fraction, Fraction]:
        """The rewards without rounding."""
        ...

    def position(self, seat: int) -> Any:
        """All that ``seat`` had seen at the end."""
        ...

    def summary(self, names: tuple[str, str] = ("player 0", "player 1")) -> str:
        """What was played and how it ended, in a sentence or two."""
        ...

    def replay(self) -> Any:
        """Play it again from the texts alone; ``ValueError`` where it differs."""
        ...

    def to_json(self) -> str:
        """One line of JSON; :func:`read` is its inverse."""
        ...


Counts = Mapping[str, tuple[float, float]]  # numerator and denominator, by name


class Task(Protocol):
    """What one game is played on, hashable: a scenario, a pay-off matrix."""

    kind: str  # the name in KINDS of the game that it belongs to

    def key(self) -> str:
        """What games must share to count as one draw of the bootstrap."""
        ...


class Kind(Protocol):
    """A game as the rest of the kit knows it: one object, found by its name."""

    name: str  # as in Config(game=...)
    title: str  # as people call it
    styles: Sequence[str]  # prompt styles, for instance "short" and "long"
    splits: Sequence[str]
    players: Mapping[str, Any]  # scripted players: each class called without arguments
    metrics: Sequence[str]  # what counts() counts, the main ones first
    shares: Sequence[str]  # those of them that are shares, from 0 to 1

    def tasks(self, split: str) -> Sequence[Task]:
        """What can be played in a split."""
        ...

    def start(
        self, task: Any, objective: Objective, *, first: int = 0, number: int = 0
    ) -> Any:
        """A game of ``task``; ``first`` is the seat that moves first."""
        ...

    def read(self, record: dict[str, Any]) -> Any:
        """The transcript that a line of JSON holds; ``ValueError`` for a bad one."""
        ...

    def counts(self, transcript: Any, objective: Objective) -> Counts:
        """Numerator and denominator of each metric in one game."""
        ...

    def example(self) -> Any:
        """A position with each sort of line in it: it tells one prompt from another."""
        ...


def check(kind: Any) -> None:
    """``ValueError`` for a game that breaks the contract; it names the part.

    A game of the first task is played by the first scripted player in every style.
    """
    name = getattr(kind, "name", None) or type(kind).__name__
    parts = [n for n in (*Kind.__annotations__, *_METHODS) if not hasattr(kind, n)]
    if parts:
        raise ValueError(f"the game {name!r} lacks {', '.join(parts)}")
    try:
        part = "tasks"
        task = kind.tasks(kind.splits[0])[0]
        hash(task), task.key()
        if task.kind != kind.name:
            raise ValueError(f"a task says that its game is {task.kind!r}")
        part = "players"
        table = next(iter(kind.players.values()))().sit(1, seed=0)
        part = "start"
        game = kind.start(task, SEMI, first=0, number=0)
        part = "submit"
        if game.submit("").moves[-1].error is None:
            raise ValueError("an empty output has no error")
        while not game.over:
            part = "position"
            place = game.position()
            for style in kind.styles:
                _read(place, style)
            part = "submit"
            after = game.submit(table.reply([place])[0])
            if len(after.moves) != len(game.moves) + 1 or len(after.moves) > 1000:
                raise ValueError("a move adds one move, and at most 1000 end a game")
            game = after
        for style in kind.styles:
            part = "example"
            _read(kind.example(), style)
        part = "transcript"
        record = game.transcript(("a", "b"), 0)
        part = "read"
        if kind.read(json.loads(record.to_json())) != record:
            raise ValueError("a transcript does not come back from JSON as it was")
        part = "replay"
        record.replay()
        part = "summary"
        if not isinstance(record.summary(), str):
            raise ValueError("it is no text")
        part = "exact"
        if [float(x) for x in record.exact] != [float(x) for x in record.rewards]:
            raise ValueError("exact rewards are not the rewards")
        part = "counts"
        if missing := set(kind.metrics) - set(kind.counts(record, SEMI)):
            raise ValueError(f"nothing is counted for {', '.join(sorted(missing))}")
    except Exception as e:
        raise ValueError(
            f"the game {name!r} breaks the contract in {part} "
            f"({type(e).__name__}: {e}); see selfplay_kit.games.base"
        ) from e


_METHODS = ("tasks", "start", "read", "counts", "example")


def _read(p: Any, style: str) -> None:
    texts = [p.system(style)]
    if not all(isinstance(text, str) for pair in p.choices for text in pair):
        raise ValueError("the choices are no pairs of texts")
    for line in p.lines:
        own = line.by in ("mine", "tried")
        texts.append(p.own(line.text) if own else p.heard(line, style))
        if own:
            p.accepted(line.text)
    if not all(isinstance(t, str) and t for t in texts[:1]):
        raise ValueError(f"the prompt in the style {style!r} is no text")


KINDS = Registry(
    "game",
    check,
    homes={
        "deal": ("selfplay_kit.games.deal.kind", "DEAL"),
        "matrix": ("selfplay_kit.games.matrix", "MATRIX"),
    },
)


def kind(name: str) -> Any:
    """The game called ``name``; ``NAME/VARIANT`` is a variant of it. ``ValueError``
    lists those there are.

    >>> kind("deal").title
    'Deal or No Deal'
    """
    game, _, variant = name.partition("/")
    found = KINDS[game]
    if not variant:
        return found
    if not hasattr(found, "variant"):
        raise ValueError(f"the game {game!r} has no variants; got {name!r}")
    return found.variant(variant)


def start(task: Any, objective: Objective, *, first: int = 0, number: int = 0) -> Any:
    """A game of ``task``, whatever game it belongs to."""
    return KINDS[task.kind].start(task, objective, first=first, number=number)


def read(line: str) -> Any:
    """The transcript of one line of JSON, of whatever game; ``ValueError`` says what is
    wrong with it. A line that names no game is of Deal or No Deal."""
    try:
        record = json.loads(line)
        game = record.get("game", "deal")
    except (json.JSONDecodeError, AttributeError) as e:
        raise ValueError(
            f"not a transcript line ({type(e).__name__}: {e}): {line[:80]!r}"
        ) from e
    return kind(game).read(record)
