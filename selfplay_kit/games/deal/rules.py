"""The rules of Deal or No Deal: scenarios, points, objectives, allocations.

Two players split a pool of books, hats and balls. Both see the counts; each
has private whole-number values worth exactly 10 points over the whole pool
(Lewis et al. 2017; Liao et al. 2024, section 2). A *share* is a triple of
counts in the order of :data:`ITEMS`; players are numbered 0 and 1.

This module knows no text, no model, no file and no random state: it is the
arithmetic of the game, exact and enumerable. How it reads is in ``protocol``, the
course of one game in ``game``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import ClassVar

from ..base import COOP as COOP
from ..base import OBJECTIVES as OBJECTIVES
from ..base import SEMI as SEMI
from ..base import STRICT as STRICT
from ..base import Objective as Objective

ITEMS = ("books", "hats", "balls")
VALUE_OF_POOL = 10
MIN_OBJECTS, MAX_OBJECTS = 5, 7
MIN_COUNT, MAX_COUNT = 1, 4

Share = tuple[int, ...]  # three counts, in the order of ITEMS
Pair = tuple[Share, Share]


def _triple(what: str, given: Iterable[int]) -> Share:
    triple = tuple(given)
    if len(triple) != 3 or any(type(n) is not int for n in triple):
        raise ValueError(
            f"{what} must be three whole numbers (books, hats, balls); got {triple!r}"
        )
    return triple


@dataclass(frozen=True, slots=True)
class Scenario:
    """One pool and two private value functions.

    ``counts`` is the number of books, hats and balls; ``values[p]`` is what one
    book, hat and ball is worth to player ``p``, in points. Raises ``ValueError``
    naming the broken rule.

    >>> s = Scenario(counts=(3, 1, 1), values=((1, 3, 4), (2, 4, 0)))
    >>> s.points(0, (1, 0, 1)), s.points(1, (2, 1, 0))
    (5, 8)
    >>> Scenario(counts=(1, 1, 1), values=((1, 3, 6), (2, 4, 4)))
    Traceback (most recent call last):
    ValueError: a pool holds 5 to 7 objects; counts (1, 1, 1) make 3
    """

    kind: ClassVar[str] = "deal"

    counts: Share
    values: tuple[Share, Share]

    def __post_init__(self) -> None:
        counts = _triple("counts", self.counts)
        if len(tuple(self.values)) != 2:
            raise ValueError(
                f"values must be two triples, one a player; got {self.values!r}"
            )
        values = tuple(_triple(f"values[{p}]", v) for p, v in enumerate(self.values))
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "values", values)
        if any(not MIN_COUNT <= n <= MAX_COUNT for n in counts):
            raise ValueError(f"each kind has 1 to 4 objects; got counts {counts}")
        if not MIN_OBJECTS <= sum(counts) <= MAX_OBJECTS:
            raise ValueError(
                f"a pool holds 5 to 7 objects; counts {counts} make {sum(counts)}"
            )
        for p, v in enumerate(values):
            if any(not 0 <= n <= VALUE_OF_POOL for n in v):
                raise ValueError(f"values lie in 0..10; values[{p}] is {v}")
            if worth(v, counts) != VALUE_OF_POOL:
                raise ValueError(
                    "the whole pool is worth exactly 10 points to each player; "
                    f"to player {p} it is worth {worth(v, counts)}"
                )
        for item, a, b in zip(ITEMS, *values, strict=True):
            if a == 0 and b == 0:
                raise ValueError(f"at least one player must value {item}; neither does")
        if not any(a and b for a, b in zip(*values, strict=True)):
            raise ValueError("at least one kind must be valued by both players")

    def points(self, player: int, share: Share) -> int:
        """Points that ``player`` gets from ``share`` (no check that it fits)."""
        return worth(self.values[player], share)

    def pays(self, pair: Pair) -> tuple[int, int]:
        """Points (X, Y) of players 0 and 1 from the shares of ``pair``."""
        return self.points(0, pair[0]), self.points(1, pair[1])

    def complement(self, share: Share) -> Share:
        """What is left of the pool for the partner."""
        return tuple(n - k for n, k in zip(self.counts, share, strict=True))

    def allocations(self) -> tuple[Pair, ...]:
        """Every pair of complementary shares, (player 0's, player 1's).

        >>> len(Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0))).allocations())
        16
        """
        return _allocations(self.counts)

    def mirrored(self) -> Scenario:
        """The same scenario with the players' seats exchanged."""
        return Scenario(self.counts, (self.values[1], self.values[0]))

    def key(self) -> str:
        """A name that a scenario shares with its mirror: the *unordered* scenario."""
        low, high = sorted(self.values)
        return "|".join(",".join(map(str, t)) for t in (self.counts, low, high))


def worth(values: Share, share: Share) -> int:
    """Points of ``share`` under ``values``."""
    return values[0] * share[0] + values[1] * share[1] + values[2] * share[2]


@cache
def _allocations(counts: Share) -> tuple[Pair, ...]:
    shares = product(*(range(n + 1) for n in counts))
    return tuple(
        (s, (counts[0] - s[0], counts[1] - s[1], counts[2] - s[2])) for s in shares
    )


def pareto(scenario: Scenario) -> tuple[Pair, ...]:
    """The Pareto-optimal allocations: nobody can gain without the other losing.

    >>> s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    >>> sorted(s.pays(pair) for pair in pareto(s))
    [(4, 10), (5, 8), (7, 6), (8, 4), (9, 2), (10, 0)]
    """
    pairs = scenario.allocations()
    scored = [scenario.pays(pair) for pair in pairs]
    best: dict[int, int] = {}  # player 1's best points for each of player 0's
    for x, y in scored:
        best[x] = max(y, best.get(x, -1))
    optimal, ceiling = set(), -1
    for x in sorted(best, reverse=True):
        if best[x] > ceiling:
            ceiling = best[x]
            optimal.add((x, ceiling))
    return tuple(p for p, xy in zip(pairs, scored, strict=True) if xy in optimal)


def max_joint(scenario: Scenario) -> int:
    """The best joint score X + Y that any deal reaches, in points."""
    return sum(
        n * max(a, b) for n, a, b in zip(scenario.counts, *scenario.values, strict=True)
    )


def nash_deal(scenario: Scenario) -> Pair:
    """The Nash bargaining deal: the largest product X x Y; ties go to the larger
    joint score, then to the first in the order of the allocations."""

    def product_then_joint(pair: Pair) -> tuple[int, int]:
        x, y = scenario.pays(pair)
        return x * y, x + y

    return max(scenario.allocations(), key=product_then_joint)


def maxmin_deal(scenario: Scenario) -> Pair:
    """The deal whose worse-off player gets most; ties go to the larger joint."""

    def worst_then_joint(pair: Pair) -> tuple[int, int]:
        x, y = scenario.pays(pair)
        return min(x, y), x + y

    return max(scenario.allocations(), key=worst_then_joint)


@cache
def legal_partner_values(counts: Share, own: Share) -> tuple[Share, ...]:
    """Every value triple that a partner of ``own`` may have over this pool."""
    return tuple(v for v in _value_triples(counts) if _compatible(own, v))


@cache
def blind_share(counts: Share, own: Share) -> Share:
    """The share with the best expected joint score, given one's own values alone.

    The partner's values are uniform over the legal ones; ties go to the share
    worth most to oneself, then to the larger share in the order of the items.
    """
    others = legal_partner_values(counts, own)

    def expected(pair: Pair) -> tuple[float, int, Share]:
        mine, theirs = pair
        joint = len(others) * worth(own, mine) + sum(worth(v, theirs) for v in others)
        return joint, worth(own, mine), mine

    return max(_allocations(counts), key=expected)[0]


def _compatible(a: Share, b: Share) -> bool:
    each_valued = all(x or y for x, y in zip(a, b, strict=True))
    return each_valued and any(x and y for x, y in zip(a, b, strict=True))


@cache
def _value_triples(counts: Share) -> tuple[Share, ...]:
    grid = product(*(range(VALUE_OF_POOL // n + 1) for n in counts))
    return tuple(v for v in grid if worth(v, counts) == VALUE_OF_POOL)


@lru_cache(maxsize=1)
def all_scenarios() -> tuple[Scenario, ...]:
    """Every legal scenario, in a fixed order: 5,295 of them.

    >>> len(all_scenarios()), len({s.key() for s in all_scenarios()})
    (5295, 2706)
    """
    return tuple(
        Scenario(counts, (a, b))
        for counts in product(range(MIN_COUNT, MAX_COUNT + 1), repeat=3)
        if MIN_OBJECTS <= sum(counts) <= MAX_OBJECTS
        for a in _value_triples(counts)
        for b in legal_partner_values(counts, a)
    )


SPLITS = ("train", "development", "test")


def split_of(scenario: Scenario) -> str:
    """``train`` (80 %), ``development`` or ``test`` (10 % each), by a hash.

    The hash is of the *unordered* scenario, so a scenario and its mirror never
    stand on two sides.
    """
    digest = hashlib.sha256(scenario.key().encode()).digest()
    bucket = int.from_bytes(digest[:8], "big") % 10
    return "development" if bucket == 0 else "test" if bucket == 1 else "train"


@cache
def scenarios(split: str = "train") -> tuple[Scenario, ...]:
    """The legal scenarios of one split, in the order of :func:`all_scenarios`."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")
    return tuple(s for s in all_scenarios() if split_of(s) == split)
