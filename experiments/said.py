"""What players propose and accept, beside what the talk has put on the table.

Read are splits and acceptances in the scripts' English (``phrasebook.hear``); what
can't be read so, such as a "deal" without a split, is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from selfplay_kit.games.deal.game import Transcript, lines_for
from selfplay_kit.games.deal.phrasebook import hear
from selfplay_kit.games.deal.protocol import Position, Reading, parse
from selfplay_kit.games.deal.rules import SEMI, Share
from selfplay_kit.games.deal.scripted import View
from selfplay_kit.measure.metrics import bounds_of, seed_interval

FEW = 20  # of fewer acceptances no share is given


def _moves(t: Transcript):
    """Each valid move with its seat, its reading and the mover's view before it."""
    for i, move in enumerate(t.moves):
        if move.error or move.seat is None:
            continue
        reading: Reading = parse(move.text, t.scenario.counts)
        own, lines = t.scenario.values[move.seat], lines_for(move.seat, t.moves[:i])
        yield (
            move.seat,
            reading,
            Position(0, move.seat, t.scenario.counts, own, SEMI, lines),
        )


def proposed(games: Sequence[Transcript]) -> dict[str, float]:
    """Whose share do players propose? Shares of all proposals after an offer: that
    which the latest offer gives the proposer, the partner, or neither."""
    count = {"as said": 0, "partner's": 0, "other": 0}
    for t in games:
        for _, reading, position in _moves(t):
            if reading.share is None:
                continue
            view = View(position)
            if view.table is None:
                continue
            kind = "as said" if reading.share == view.table else "other"
            if kind == "other" and reading.share == view.rest(view.table):
                kind = "partner's"
            count[kind] += 1
    total = sum(count.values())
    return {k: n / total if total else 0.0 for k, n in count.items()}


@dataclass(frozen=True)
class Acceptance:
    """A message that accepts, in words, and states a split: whose, the speaker's
    ``share`` of it, whether it is *false* (other than what the partner's latest
    message offers, which may be nothing) and *new* (named in no message before)."""

    seat: int
    share: Share
    false: bool
    new: bool


def acceptances(t: Transcript) -> Iterator[Acceptance]:
    """The acceptances of a game that state a split, in order."""
    named = set()  # splits, as seat 0's share
    for seat, reading, position in _moves(t):
        if reading.kind != "message":
            continue
        heard, view = hear(reading.text), View(position)
        mine = heard.mine or (heard.yours and view.rest(heard.yours))
        if not mine:
            continue
        split = mine if seat == 0 else view.rest(mine)
        if heard.accepts:
            yield Acceptance(seat, mine, mine != view.offered, split not in named)
        named.add(split)


def accepting(games: Sequence[Transcript], seats: Sequence[int] = (0, 1)) -> dict:
    """How players in ``seats`` accept: ``messages`` and ``acceptances`` (that state a
    split) a game; shares of these that are ``false`` and ``new`` (``None`` of fewer
    than :data:`FEW`); ``false acceptance``, the share of games with a false one."""
    said = [[a for a in acceptances(t) if a.seat in seats] for t in games]
    every = [a for found in said for a in found]
    spoken = sum(
        seat in seats and reading.kind == "message"
        for t in games
        for seat, reading, _ in _moves(t)
    )
    few = len(every) < FEW
    return {
        "messages": spoken / len(games),
        "acceptances": len(every) / len(games),
        "false": None if few else sum(a.false for a in every) / len(every),
        "new": None if few else sum(a.new for a in every) / len(every),
        "false acceptance": sum(any(a.false for a in s) for s in said) / len(games),
    }


def sealed_falsely(games: Sequence[Transcript], seat: int = 0) -> float | None:
    """The share of deals that are, to the split, what ``seat`` last accepted in words,
    falsely; ``None`` without a deal."""
    deals = [t for t in games if t.agreed]
    count = 0
    for t in deals:
        own = [a for a in acceptances(t) if a.seat == seat]
        assert t.shares is not None
        count += bool(own) and own[-1].false and own[-1].share == t.shares[seat]
    return count / len(deals) if deals else None


def seeded(values: Sequence[float | None], name: str = "") -> dict[str, Any]:
    """The number called ``name`` over the seeds that have one, with every seed's
    value."""
    there = [v for v in values if v is not None]
    if not there:
        none = {"value": None, "low": None, "high": None, "n": 0}
        return none | {"values": list(values)}
    found = seed_interval(there, bounds=bounds_of(name))
    return found | {"values": list(values)}


def all_seeded(found: Sequence[dict[str, float | None]]) -> dict[str, Any]:
    """:func:`seeded` for each key of what was counted, a dict a seed."""
    return {k: seeded([f[k] for f in found], k) for k in found[0]}
