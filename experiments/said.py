"""What players propose and accept, beside what the talk has put on the table.

Read are splits and acceptances in the scripts' English (``phrasebook.hear``); what
can't be read so is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfplay_kit.game import Transcript, lines_for
from selfplay_kit.phrasebook import hear
from selfplay_kit.protocol import Position, Reading, parse
from selfplay_kit.rules import SEMI
from selfplay_kit.scripted import View


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


def accepts_falsely(t: Transcript, seats: Sequence[int] = (0, 1)) -> bool:
    """Whether a player in ``seats`` says, in words of acceptance, a split that its
    partner's latest message did not offer."""
    for seat, reading, position in _moves(t):
        heard = hear(reading.text) if reading.kind == "message" else None
        if seat not in seats or heard is None or not heard.accepts:
            continue
        view = View(position)
        said = heard.mine or (heard.yours and view.rest(heard.yours))
        if said and said != view.offered:
            return True
    return False


def false_acceptance(games: Sequence[Transcript], seats=(0, 1)) -> float:
    """The share of games in which somebody in ``seats`` accepts falsely."""
    return sum(accepts_falsely(t, seats) for t in games) / len(games)
