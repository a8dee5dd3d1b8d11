"""Does it transfer? Cross-play of everybody with everybody.

Self-play can't tell "learned to bargain" from "learned to fit itself"; another
partner can. :func:`matrix` lets all players meet, and :func:`score` counts what the
games were worth to either. How far a player can be exploited is bounded from below by
``learn.response.best_response`` and, for scripts, from above by ``search``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..games.base import Counts, Objective
from ..games.play import Altered, Player, Table, play_games
from .metrics import over_scenarios


class Told:
    """``player``, told ``objective`` as its own, whatever the game's is: two models
    that were trained under two rewards each meet the prompt that they know."""

    def __init__(self, player: Player, objective: Objective):
        self.player, self.objective = player, objective
        self.name = f"{player.name}, told {objective.name}"

    def sit(self, games: int, *, seed: int | str) -> Table:
        """Sit down to a batch; with the same seed it samples as the player does."""
        table = self.player.sit(games, seed=seed)
        return Altered(table, lambda p: replace(p, objective=self.objective))


def both_ways(scenarios: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Each scenario twice, and who speaks first: seat 0 once, then seat 1 once."""
    n = len(scenarios)
    return [*scenarios, *scenarios], [0] * n + [1] * n


def meet(
    row: Player,
    column: Player,
    scenarios: Sequence[Any],
    objective: Objective,
    *,
    seed: int | str,
    firsts: Sequence[int] | None = None,
) -> list[Any]:
    """Games of ``row`` (seat 0) with ``column`` (seat 1): each scenario twice, so that
    each speaks first once, or each once with the ``firsts`` that are given."""
    played = list(scenarios)
    if firsts is None:
        played, firsts = both_ways(scenarios)
    pair = row if row is column else (row, column)
    return play_games(pair, played, objective, seed=seed, firsts=firsts)


def score(
    games: Sequence[Any], *, seats: Sequence[int] = (0,), seed: int = 0
) -> dict[str, dict[str, Any]]:
    """What ``games`` were worth to the player in ``seats`` and to its partner.

    Each with ``value``, ``low``, ``high`` (95 % bootstrap by
    scenario) and ``n`` games, in points over all games: ``row`` and ``column`` (the
    player's and its partner's), ``joint``, ``margin`` (row less column),
    ``row_first`` and ``row_second`` (where the player spoke first, second),
    ``first_minus_second`` (who spoke first less the other, whoever that was);
    ``agreement`` is a share. Two seats are pooled: the player against itself.
    Raises ``ValueError`` if there are no games.
    """
    if not games:
        raise ValueError("no games to score: the list is empty")
    sides = [(t, seat) for t in games for seat in seats]
    counts = [_counts(t, seat, weight=1 / len(seats)) for t, seat in sides]
    return over_scenarios([t.task for t, _ in sides], counts, seed=seed)


def _counts(t: Any, seat: int, weight: float) -> Counts:
    mine, theirs, first = t.points[seat], t.points[1 - seat], t.first == seat
    counts = {
        "row": (mine, 1),
        "column": (theirs, 1),
        "joint": (mine + theirs, 1),
        "margin": (mine - theirs, 1),
        "agreement": (t.settled, 1),
        "row_first": (mine * first, first),
        "row_second": (mine * (not first), not first),
        "first_minus_second": (mine - theirs if first else theirs - mine, 1),
    }
    return {name: (weight * a, weight * b) for name, (a, b) in counts.items()}


def matrix(
    players: Mapping[str, Player],
    scenarios: Sequence[Any],
    objective: Objective,
    *,
    seed: int | str,
    firsts: Sequence[int] | None = None,
    on_pair: Callable[[str, str], None] | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """``matrix(...)[row][column]``: :func:`score` of every ordered pair of ``players``.

    Every pair meets once (see :func:`meet`); the cell and its mirror are read from
    the same games, so ``m[a][b]["row"]`` is ``m[b][a]["column"]``. On the diagonal a
    player meets itself, both seats pooled. The same seed gives every pair the same
    scenarios and first speakers. ``on_pair(row, column)`` is called after each.
    Raises ``ValueError`` if there is nobody or nothing to play.
    """
    if not players or not scenarios:
        raise ValueError(
            f"a matrix needs players and scenarios; got {len(players)} players and "
            f"{len(scenarios)} scenarios"
        )
    found: dict[str, dict[str, Any]] = {name: {} for name in players}
    for i, a in enumerate(players):
        for b in list(players)[i:]:
            games = meet(
                players[a], players[b], scenarios, objective, seed=seed, firsts=firsts
            )
            found[a][b] = score(games, seats=(0, 1) if a == b else (0,))
            if a != b:
                found[b][a] = score(games, seats=(1,))
            if on_pair:
                on_pair(a, b)
    return {a: {b: found[a][b] for b in players} for a in players}
