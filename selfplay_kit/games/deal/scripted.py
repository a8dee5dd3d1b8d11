"""Scripted negotiators: small, exact players of several tempers.

Each is a strategy class: what to ask for (:meth:`Negotiator.demand`), what to
take (:meth:`Negotiator.accepts`), what to say first (:meth:`Negotiator.preface`).
They share the turn-taking of :meth:`Negotiator.act`. A negotiator
keeps no state: all it knows is the position, and all its chance comes from the
seed and the position, so that a game can be replayed from any point.

``noise`` makes one clumsy: with that probability each decision is taken at
random. Left out: reading free English (see ``phrasebook``), learning.
"""

from __future__ import annotations

import random

from ..play import ScriptTable
from . import phrasebook as say
from .phrasebook import Heard, hear
from .protocol import MESSAGE, Position, propose
from .rules import Share, _allocations, blind_share, legal_partner_values, worth

DIRECT = 0.35  # how often an offer is accepted by proposing at once
PATIENCE = 6  # own messages after which a negotiator proposes what it asks for


class View:
    """A position as a negotiator reads it: who offered what, who said what."""

    def __init__(self, position: Position):
        self.counts, self.values = position.counts, position.values
        self.position = position
        self.spoken = sum(line.by == "mine" for line in position.lines)
        self.table: Share | None = None  # my share in the latest offer of either
        self.offered: Share | None = None  # my share in the partner's latest line
        self.accepted = False  # the partner's latest line accepts
        self.theirs: Share | None = None  # the values that the partner states
        for line in position.lines:
            if line.by not in ("mine", "theirs"):
                continue
            heard = hear(line.text)
            mine = line.by == "mine"
            share = self._my_share(heard, mine)
            self.table = share or self.table
            if not mine:
                self.offered, self.accepted = share, heard.accepts and bool(share)
                if self._possible(heard.values):
                    self.theirs = heard.values

    def _my_share(self, heard: Heard, mine: bool) -> Share | None:
        own, other = (heard.mine, heard.yours) if mine else (heard.yours, heard.mine)
        if own is None and other is not None:
            own = self.rest(other)
        fits = own and all(0 <= k <= n for k, n in zip(own, self.counts, strict=True))
        return own if fits else None

    def _possible(self, values: Share | None) -> bool:
        return values is not None and values in legal_partner_values(
            self.counts, self.values
        )

    def rest(self, share: Share) -> Share:
        """What ``share`` leaves of the pool."""
        return tuple(n - k for n, k in zip(self.counts, share, strict=True))

    def points(self, share: Share) -> int:
        """What ``share`` is worth to me."""
        return worth(self.values, share)

    def shares(self) -> list[Share]:
        """Every share that I could have."""
        return [mine for mine, _ in _allocations(self.counts)]


class Negotiator:
    """The turn-taking that all scripted players share; a subclass has the temper."""

    temper = ""
    tells = 0.0  # how often it opens by stating values

    def __init__(self, noise: float = 0.0, name: str | None = None):
        if not 0 <= noise <= 1:
            raise ValueError(f"noise is a probability from 0 to 1; got {noise!r}")
        self.noise = noise
        self.name = name or type(self).__name__.lower()

    def sit(self, games: int, *, seed: int | str) -> ScriptTable:
        """Sit down to a batch; nothing is kept between moves."""
        return ScriptTable(self, seed)

    def demand(self, view: View, rng: random.Random) -> Share:
        """The share to ask for now."""
        raise NotImplementedError

    def accepts(self, view: View, share: Share) -> bool:
        """Whether to take ``share``, which the partner offers."""
        raise NotImplementedError

    def stated(self, view: View) -> Share:
        """The values to state, if any are stated; the true ones by default."""
        return view.values

    def act(self, position: Position, rng: random.Random) -> str:
        """The next output for ``position``."""
        view = View(position)
        clumsy = rng.random() < self.noise
        if position.must_propose:
            return propose(self._final(view, rng, clumsy))
        if view.accepted and view.table and not clumsy:
            return propose(view.table)
        if view.offered and (
            rng.random() < 0.5 if clumsy else self.accepts(view, view.offered)
        ):
            share = self._share(view.offered, view, rng, clumsy)
            return (
                propose(share)
                if rng.random() < DIRECT
                else f"{MESSAGE} {say.say_accept(share, rng)}"
            )
        if view.spoken >= PATIENCE:
            return propose(self._share(self.demand(view, rng), view, rng, clumsy))
        return f"{MESSAGE} {self._talk(view, rng, clumsy)}"

    def _talk(self, view: View, rng: random.Random, clumsy: bool) -> str:
        if view.spoken == 0 and rng.random() < self.tells:
            values = self.stated(view)
            return say.say_values(rng.choice(_permuted(values)) if clumsy else values)
        if view.spoken == 0 and rng.random() < 0.1:
            return rng.choice(say.GREETINGS + say.QUESTIONS)
        demand = self._share(self.demand(view, rng), view, rng, clumsy)
        offer = say.say_offer(demand, view.counts, rng)
        refuse = view.offered is not None and rng.random() < 0.5
        return f"{rng.choice(say.REFUSALS)} {offer}" if refuse else offer

    def _final(self, view: View, rng: random.Random, clumsy: bool) -> Share:
        agreed = view.table or self.demand(view, rng)
        return self._share(agreed, view, rng, clumsy)

    @staticmethod
    def _share(share: Share, view: View, rng: random.Random, clumsy: bool) -> Share:
        return rng.choice(view.shares()) if clumsy else share


def _permuted(values: Share) -> list[Share]:
    a, b, c = values
    return [(a, c, b), (b, a, c), (b, c, a), (c, a, b), (c, b, a)]


class RandomSplit(Negotiator):
    """Asks for a random share and takes anything: the floor of every comparison."""

    temper = "asks for a random share, takes anything"

    def demand(self, view, rng):
        return rng.choice(view.shares())

    def accepts(self, view, share):
        return True


class Greedy(Negotiator):
    """Asks for all that it values and gives way one point a turn, down to 7."""

    temper = "asks for everything it values, gives way slowly"
    start, floor, step = 10, 7, 1

    def demand(self, view, rng):
        return best_share(view, self._aim(view))

    def accepts(self, view, share):
        return view.points(share) >= self._aim(view)

    def _aim(self, view: View) -> int:
        return max(self.floor, self.start - self.step * view.spoken)


class Fair(Greedy):
    """The compromiser: aims at 8, gives way a point a turn to an even 5
    (a time-dependent concession, Faratin et al. 1998)."""

    temper = "starts at 8 points, gives way to an even split"
    start, floor = 8, 5


class Stubborn(Greedy):
    """Asks for one share worth at least 9, never moves, and proposes it."""

    temper = "one demand of 9 points or more, and never moves"
    start, floor = 9, 9


class Blind(Negotiator):
    """Asks for the split with the best expected joint score given its own values
    alone, and takes anything."""

    temper = "best joint split as far as its own values tell; takes anything"

    def demand(self, view, rng):
        return blind_share(view.counts, view.values)

    def accepts(self, view, share):
        return True


class Teller(Negotiator):
    """States its values, then asks for the best joint split of what was told."""

    temper = "tells its values, then takes the best joint split"
    tells = 1.0

    def demand(self, view, rng):
        if view.theirs is None:
            return blind_share(view.counts, view.values)
        return joint_share(view, view.theirs)

    def accepts(self, view, share):
        if view.theirs is None:  # the partner knows my values, I don't know its
            return True
        best = joint_share(view, view.theirs)
        gap = view.points(best) + worth(view.theirs, view.rest(best))
        gap -= view.points(share) + worth(view.theirs, view.rest(share))
        return gap <= 0 or view.spoken >= 4


class Liar(Teller):
    """Tells values that are not its own: the cheapest kind is said to be dear,
    then drives for its own points as :class:`Fair` does."""

    temper = "tells false values, then asks for its own good"

    def stated(self, view):
        others = legal_partner_values(view.counts, view.values)
        return min(others, key=lambda v: worth(v, view.values))

    def demand(self, view, rng):
        return best_share(view, max(6, 9 - view.spoken))

    def accepts(self, view, share):
        return view.points(share) >= max(6, 9 - view.spoken)


def best_share(view: View, aim: int) -> Share:
    """Of the shares worth at least ``aim`` to me, the one that takes least from
    the partner: by its stated values, else by the number of objects."""

    def taken(share: Share) -> tuple[int, int, int]:
        cost = worth(view.theirs, share) if view.theirs else sum(share)
        return cost, sum(share), -view.points(share)

    return min((s for s in view.shares() if view.points(s) >= aim), key=taken)


def joint_share(view: View, theirs: Share) -> Share:
    """My share of the best joint split; on a tie the more even one."""

    def joint(share: Share) -> tuple[int, int, Share]:
        x, y = view.points(share), worth(theirs, view.rest(share))
        return x + y, min(x, y), share

    return max(view.shares(), key=joint)


NEGOTIATORS: dict[str, type[Negotiator]] = {
    c.__name__.lower(): c
    for c in (RandomSplit, Greedy, Fair, Stubborn, Blind, Teller, Liar)
}
