"""The most that can be had from a scripted negotiator, by exact search.

A script's reply depends on its dice, on how many lines there are, and on what it
hears in them. All that it can hear is tried, and what looks alike to it is searched
once; so the result is exact for whoever sees the script's values and dice. A player
sees neither: for players it is an upper bound. Left out: search against a language
model, whose replies are a distribution over all texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..games.deal.game import Game
from ..games.deal.phrasebook import (
    ACCEPTS,
    GREETINGS,
    OFFERS_MINE,
    say_values,
    split_words,
)
from ..games.deal.protocol import MESSAGE, propose
from ..games.deal.rules import (
    VALUE_OF_POOL,
    Objective,
    Scenario,
    Share,
    legal_partner_values,
)
from ..games.deal.scripted import Negotiator, View


@dataclass(frozen=True, slots=True)
class Best:
    """The most points that can be had in a game, and a line of own moves to them."""

    points: int
    line: tuple[str, ...]


def search(
    script: Negotiator,
    scenario: Scenario,
    *,
    first: int,
    seed: int | str,
    game: int = 0,
    honest: bool = True,
) -> Best:
    """The best of all lines of play by seat 0 against ``script`` in seat 1.

    **Exact**, given the script's dice: a script's reply depends on ``seed``,
    ``game``, how many lines there are, and on what ``phrasebook.hear`` makes of them
    (a split, an acceptance, values). All of these are tried; positions that look
    alike to the script are searched once. ``honest`` leaves out acceptances of what
    was not offered and statements of other values than one's own.

    **A bound** for players: the searcher sees the script's values, proposals and
    dice. Of a script that holds more in mind than its ``View`` shows, it is neither.

    >>> from selfplay_kit.games.deal.scripted import Stubborn
    >>> s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    >>> search(Stubborn(), s, first=0, seed=0).points
    4
    >>> search(Stubborn(), s, first=0, seed=0, honest=False)
    Best(points=10, line=('[message] deal , i take 3 books 1 hat 1 ball .', \
'[propose] (3 books, 1 hat, 1 ball)'))
    """
    table, known = script.sit(game + 1, seed=seed), {}

    def answered(g: Game) -> Game:
        while not g.over and g.turn == 1:
            g = g.submit(table.reply([g.position()])[0])
        return g

    def best(g: Game) -> Best:
        if g.proposals:  # the script has proposed: take the rest
            return _proposed(g, scenario.complement(g.proposals[0][1]))
        view = View(g.position(1))
        key = (len(view.position.lines), view.spoken, view.table, view.theirs)
        if key not in known:
            known[key] = options(g)
        return known[key]

    def options(g: Game) -> Best:
        found = Best(0, ())
        if g.accepted:  # the script's answer to a proposal knows nothing of it
            last = answered(g.submit(propose(scenario.counts)))
            found = _proposed(g, scenario.complement(dict(last.proposals)[1]))
        for text in _messages(g, honest, View(g.position(1)).theirs):
            if found.points == VALUE_OF_POOL:
                break
            after = answered(g.submit(text))
            then = best(after) if not after.over else Best(0, ())
            if then.points > found.points:
                found = Best(then.points, (text, *then.line))
        return found

    start = Game(scenario, Objective(0.0), first=first, number=game)
    return best(answered(start))


def _proposed(g: Game, share: Share) -> Best:
    return Best(g.scenario.points(0, share), (propose(share),))


def _messages(g: Game, honest: bool, stated: Share | None) -> Iterator[str]:
    """One message for each thing that a script can hear from seat 0, who has
    ``stated`` values before; dear shares are asked for first."""
    s = g.scenario
    offered = View(g.position(0)).offered
    wanted = sorted((a for a, _ in s.allocations()), key=lambda a: -s.points(0, a))
    shares = [split_words(a) for a in wanted]
    accepted = [split_words(offered)] if offered else []
    values = [s.values[0]]
    if not honest:
        accepted = shares
        values += legal_partner_values(s.counts, s.values[1])
    splits = [ACCEPTS[0].format(s=x) for x in accepted]
    splits += [OFFERS_MINE[0].format(s=x) for x in shares]
    for said in ("", *(say_values(v) for v in dict.fromkeys(values) if v != stated)):
        for split in (*splits, "" if said else GREETINGS[0]):
            yield f"{MESSAGE} {f'{said} {split}'.strip()}"


def search_games(
    script: Negotiator,
    scenarios: Sequence[Scenario],
    *,
    seed: int | str,
    firsts: Sequence[int],
    honest: bool = True,
    batch: int = 500,
) -> list[Best]:
    """:func:`search` in each game of ``play_games((player, script), scenarios, ...,
    seed=seed, firsts=firsts, batch=batch)``, with the same dice: in none of those
    games can a player have more points (with ``honest``, an honest one)."""
    found = []
    for i, (s, f) in enumerate(zip(scenarios, firsts, strict=True)):
        start = i // batch * batch
        dice = f"{seed}/{start}/1"
        found.append(
            search(script, s, first=f, seed=dice, game=i - start, honest=honest)
        )
    return found
