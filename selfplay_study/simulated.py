"""A class of scripted "people", to try a study before anybody is asked to take part.

They go through the same folder as people do and are marked as simulated there, in the
CSV files and in ``study show``. What they show is how the analysis works and how many
people it needs; of people they show nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.games.deal.protocol import Move, Position
from selfplay_kit.games.deal.scripted import Blind, Fair, Greedy, Negotiator, Teller
from selfplay_kit.games.play import Player, Table, play_games

from .folder import Deal, Session, Study
from .partners import load


def scripted_people(count: int, *, seed: int = 0) -> list[Negotiator]:
    """``count`` scripts of several tempers, each more or less clumsy: so the games of
    one are alike, as those of one person are."""
    rng = random.Random(f"{seed}/people")
    kinds = (Fair, Greedy, Teller, Blind)
    return [rng.choice(kinds)(noise=rng.choice((0.0, 0.1, 0.3))) for _ in range(count)]


def simulate(
    study: Study,
    people: Sequence[Player],
    players: Mapping[str, Player] | None = None,
    *,
    seed: int = 0,
    leave: float = 0.0,
) -> list[Session]:
    """Each of ``people`` joins ``study`` and plays all its games; their sessions.

    All first games are played at once, then all second ones. With probability
    ``leave`` a game is left in the middle, and its player comes back for another.
    """
    players = load(study.settings) if players is None else players
    sessions = [study.join(simulated=True) for _ in people]
    rng = random.Random(f"{seed}/leave")
    for number in range(study.settings.games):
        seats: dict[tuple[str, str], list[tuple[Session, Deal, Player]]]
        seats = defaultdict(list)
        for i, person in enumerate(people):
            if rng.random() < leave:
                sessions[i].begin()
                sessions[i] = study.resume(sessions[i].code)
            deal = sessions[i].begin()
            if deal is not None:
                key = deal.player, deal.game.objective.name
                seats[key].append((sessions[i], deal, person))
        for (player, _), some in seats.items():
            _play(players[player], some, seed=f"{seed}/{number}")
    return sessions


def _play(partner: Player, some: list[tuple[Session, Deal, Player]], seed: str) -> None:
    deals = [deal for _, deal, _ in some]
    play_games(
        _Room(partner, some),
        [d.game.scenario for d in deals],
        deals[0].game.objective,
        seed=seed,
        firsts=[d.game.first for d in deals],
        batch=len(deals),
        on_end=lambda i, t: some[i][0].end(_named(t, some[i], partner)),
    )


def _named(t: Transcript, who: tuple[Session, Deal, Player], partner: Player):
    """``t`` with the names in their seats, as the page writes them."""
    names = ("person", partner.name)
    return replace(t, players=names if who[1].seat == 0 else names[::-1])


class _Room:
    """Both sides of many games: each person in its seat, the partner in the other."""

    def __init__(self, partner: Player, some: list[tuple[Session, Deal, Player]]):
        self.partner, self.some, self.name = partner, some, partner.name

    def sit(self, games: int, *, seed: int | str) -> _Room:
        self.other: Table = self.partner.sit(games, seed=f"{seed}/partner")
        self.tables: list[Table] = [
            person.sit(games, seed=f"{seed}/{i}")
            for i, (_, _, person) in enumerate(self.some)
        ]
        return self

    def reply(self, positions: Sequence[Position]) -> list[Move]:
        mine = [p for p in positions if p.seat == self.some[p.game][1].seat]
        theirs = [p for p in positions if p.seat != self.some[p.game][1].seat]
        moves = {p.game: self.tables[p.game].reply([p])[0] for p in mine}
        answers = self.other.reply(theirs) if theirs else []
        moves |= {p.game: m for p, m in zip(theirs, answers, strict=True)}
        return [moves[p.game] for p in positions]

    def close(self) -> None:
        for table in (*self.tables, self.other):
            table.close()
