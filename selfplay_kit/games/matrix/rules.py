"""The rules of 2x2 games: payoffs, the well-known games, equilibria, best responses.

``payoffs[a][b]`` are the points (x, y) of seats 0 and 1 when they choose the actions
``a`` and ``b``. In the named games action 0 is the one that is called cooperation,
where the game has one. No payoff is below 0, so that nobody gains by breaking off.
Everything is exact. Left out: how a game reads (``text``) and how it runs (``game``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, permutations, product
from typing import Any, ClassVar

from ..base import SEMI, Objective

Pair = tuple[int, int]
Payoffs = tuple[tuple[Pair, Pair], tuple[Pair, Pair]]

# The first two have the payoffs of Akata et al. 2025 (in their code: pd/ and bos/).
GAMES: dict[str, Payoffs] = {
    "prisoners_dilemma": (((8, 8), (0, 10)), ((10, 0), (5, 5))),
    "battle_of_the_sexes": (((10, 7), (0, 0)), ((0, 0), (7, 10))),
    "stag_hunt": (((10, 10), (1, 8)), ((8, 1), (5, 5))),
    "chicken": (((6, 6), (2, 7)), ((7, 2), (0, 0))),  # payoffs of Aumann (1974)
    "matching_pennies": (((10, 0), (0, 10)), ((0, 10), (10, 0))),
    "coordination": (((10, 10), (0, 0)), ((0, 0), (10, 10))),
}
DILEMMAS = ("prisoners_dilemma", "stag_hunt", "chicken")  # action 0 is cooperation
ROUNDS = 10
LETTERS = "FJKMQRVX"  # no initials of cooperate and defect, of yes and no, of A and B
SPLITS = ("train", "development", "test")


@dataclass(frozen=True, slots=True)
class Matrix:
    """What one repeated game is played on. ``labels`` name actions 0 and 1.

    >>> Matrix("chicken", GAMES["chicken"], ("J", "F")).pays(1, 0)
    (7, 2)
    """

    kind: ClassVar[str] = "matrix"

    name: str
    payoffs: Payoffs
    labels: tuple[str, str] = ("J", "F")
    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        cells = [n for row in self.payoffs for cell in row for n in cell]
        whole = all(type(n) is int and n >= 0 for n in cells)
        shape = [[len(cell) for cell in row] for row in self.payoffs]
        if shape != [[2, 2], [2, 2]] or not whole:
            raise ValueError(
                "payoffs are two rows of two pairs of whole numbers of 0 or more; "
                f"got {self.payoffs!r}"
            )
        if len(set(self.labels)) != 2 or not set(self.labels) <= set(LETTERS):
            raise ValueError(
                f"labels are two different letters of {LETTERS}; got {self.labels!r}"
            )
        if type(self.rounds) is not int or not 1 <= self.rounds <= 400:
            raise ValueError(f"rounds is from 1 to 400; got {self.rounds!r}")

    def pays(self, a: int, b: int) -> Pair:
        """The points (x, y) of one round in which seat 0 chose a, and seat 1 b."""
        return self.payoffs[a][b]

    def key(self) -> str:
        """One draw of the bootstrap: a game under its labels."""
        return f"{self.name}/{''.join(self.labels)}"


def ordinal() -> Iterator[Payoffs]:
    """The 144 games in which each player ranks the four cells from 1 to 4 without a
    tie, one of each set that differs in the order of rows and columns alone
    (Robinson and Goforth 2005): seat 0's best cell is put at the top left.

    >>> len(set(ordinal()))
    144
    """
    for rest, ys in product(permutations((1, 2, 3)), permutations((1, 2, 3, 4))):
        a, b, c, d = zip((4, *rest), ys, strict=True)
        yield (a, b), (c, d)


@cache
def tasks(game: str, split: str) -> tuple[Matrix, ...]:
    """The tasks of a named game in ``split``: under each pair of the split's labels, in
    both orders, so that a taste for a letter is no taste for an action. ``ordinal``
    is the 144 games, each in one split and under one pair of labels."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")
    part = {s: i for i, s in enumerate(SPLITS)}[split]
    cut = [0, 14, 19, 28], [0, 84, 108, 144]
    pairs = list(combinations(LETTERS, 2))
    random.Random(f"labels/{game}").shuffle(pairs)  # one game's test, another's train
    labels = [p for pair in pairs[cut[0][part] : cut[0][part + 1]] for p in _both(pair)]
    if game != "ordinal":
        return tuple(Matrix(game, GAMES[game], pair) for pair in labels)
    rng = random.Random("ordinal")
    numbered = list(enumerate(ordinal()))
    rng.shuffle(numbered)
    return tuple(
        Matrix(f"ordinal_{n:03}", payoffs, rng.choice(labels))
        for n, payoffs in numbered[cut[1][part] : cut[1][part + 1]]
    )


def _both(pair: Any) -> tuple[Any, Any]:
    return pair, pair[::-1]


Mixed = tuple[Fraction, Fraction]  # the two players' probabilities of action 0


def equilibria(payoffs: Payoffs, objective: Objective = SEMI) -> tuple[Mixed, ...]:
    """The Nash equilibria of one round when each is paid by ``objective``: where there
    are infinitely many, the extreme ones. Exact, by enumeration: a player mixes only
    where the other is indifferent.

    >>> [(str(p), str(q)) for p, q in equilibria(GAMES["chicken"])]
    [('0', '1'), ('2/3', '2/3'), ('1', '0')]
    """
    paid = [[objective.exact(*cell) for cell in row] for row in payoffs]
    mine = [[paid[a][b][0] for b in (0, 1)] for a in (0, 1)]
    theirs = [[paid[a][b][1] for a in (0, 1)] for b in (0, 1)]
    ps, qs = _indifferent(theirs), _indifferent(mine)
    return tuple(
        (p, q) for p in ps for q in qs if _best(mine, p, q) and _best(theirs, q, p)
    )


def _gains(table: list[list[Fraction]], other: Fraction) -> Fraction:
    """What action 0 pays more than action 1, where the other plays 0 by ``other``."""
    (a, b), (c, d) = table
    return other * (a - c) + (1 - other) * (b - d)


def _indifferent(table: list[list[Fraction]]) -> list[Fraction]:
    """0, 1 and the mixture between at which ``table``'s owner is indifferent."""
    low, high = _gains(table, Fraction(0)), _gains(table, Fraction(1))
    between = {low / (low - high)} if low * high < 0 else set()
    return sorted({Fraction(0), Fraction(1)} | between)


def _best(table: list[list[Fraction]], own: Fraction, other: Fraction) -> bool:
    gain = _gains(table, other)
    return gain == 0 or own == (1 if gain > 0 else 0)


def best_response(
    task: Matrix, script: Any, seat: int = 0, objective: Objective = SEMI
) -> Fraction:
    """The largest expected reward of ``seat`` against ``script`` (``players``) in the
    other seat, over all rounds: dynamic programming over the script's states.

    >>> from .players import TitForTat
    >>> pd = Matrix("pd", GAMES["prisoners_dilemma"])
    >>> int(best_response(pd, TitForTat()))  # nine times 8, and 10 in the last round
    82
    """

    @cache
    def value(state: Any, left: int) -> Fraction:
        if not left:
            return Fraction(0)
        chance = script.chance(state)
        return max(
            sum(
                (share * (reward(a, b) + value(after(state, b, a), left - 1)))
                for b, share in ((0, chance), (1, 1 - chance))
                if share
            )
            for a in (0, 1)
        )

    def reward(mine: int, theirs: int) -> Fraction:
        pair = (mine, theirs) if seat == 0 else (theirs, mine)
        return objective.exact(*task.pays(*pair))[seat]

    def after(state: Any, own: int, other: int) -> Any:
        return script.step(state, own, other, task, 1 - seat)

    return value(script.start, task.rounds)
