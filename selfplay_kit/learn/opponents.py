"""Opponents by name: whom the learner meets in a round.

An opponent says for each round who sits opposite, in how many scenarios. The learner's
seat alternates from scenario to scenario and is recorded with the round; only its own
views are learned from. To add one, register an object:
``OPPONENTS.register("mine", Mine())``. ``Config(opponent="mine")`` and the command line
then know it, its options too.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Protocol

from ..games.base import kind
from ..games.play import Player
from ..lm.models import load_model
from ..lm.player import LMPlayer
from ..registry import Registry, plain_options


class Opponents(Protocol):
    """Who sits opposite, chosen by name in ``Config(opponent=...)``."""

    options: Mapping[str, Any]  # its own: name and default
    # check(config) may be left out: ValueError where it can't play under ``config``

    def pairings(
        self, config: Any, number: int, rounds: Sequence[Any], rng: random.Random
    ) -> list[tuple[Player | None, int]]:
        """The players opposite in round ``number``, and in how many scenarios each;
        ``None`` is the learner itself, and then both sides are learned from. ``rounds``
        are the whole rounds so far, 0 first. The numbers add up to
        ``config.games / config.group``."""
        ...


class Itself:
    """The learner meets itself, as in the paper."""

    options: Mapping[str, Any] = {}

    def pairings(self, config, number, rounds, rng):
        """All games with itself."""
        return [(None, config.games // config.group)]


class Script:
    """A scripted player of the game, ``script``: it never learns."""

    options: Mapping[str, Any] = {"script": ""}

    def check(self, config):
        """The script must be one of the game's."""
        players, name = kind(config.game).players, config.option("script")
        if name and name not in players:
            raise ValueError(
                f"the game {config.game!r} has no script called {name!r}; there are: "
                f"{', '.join(players)}"
            )

    def pairings(self, config, number, rounds, rng):
        """All games against the script (by default the first that the game has)."""
        players = kind(config.game).players
        name = config.option("script") or next(iter(players))
        return [(players[name](), config.games // config.group)]


class Base:
    """The base that the run started from, frozen."""

    options: Mapping[str, Any] = {}

    def pairings(self, config, number, rounds, rng):
        """All games against the base, at the temperature of play."""
        lm = load_model(config.base, config.precision)
        player = LMPlayer(lm, temperature=config.temperature, name=f"{lm.name}, frozen")
        return [(player, config.games // config.group)]


class Past:
    """Past selves. The scenarios are shared out to ``snapshots`` opponents, and each
    is the model of an earlier round, drawn by chance with equal weights (*fictitious*
    self-play)."""

    options: Mapping[str, Any] = {"snapshots": 3}

    def check(self, config):
        """There is at least one."""
        if config.option("snapshots") < 1:
            raise ValueError(
                f"snapshots is 1 or more; got {config.option('snapshots')}"
            )

    def pairings(self, config, number, rounds, rng):
        """Parts of nearly equal size; in round 0 the learner meets itself."""
        count = config.games // config.group
        if not rounds:
            return [(None, count)]
        parts = min(int(config.option("snapshots")), count)
        drawn = sorted(rng.choices(range(len(rounds)), k=parts))
        sizes = [count * (i + 1) // parts - count * i // parts for i in range(parts)]
        players = {}
        for r in drawn:
            lm = rounds[r].model(config)
            name = f"{config.base}@{r}, frozen"
            players[r] = LMPlayer(lm, temperature=config.temperature, name=name)
        return [(players[r], n) for r, n in zip(drawn, sizes, strict=True)]


CALLED = ("config", "number", "rounds", "rng")


def _is_opponent(thing: Any) -> None:
    plain_options("an opponent", thing)
    if not callable(getattr(thing, "pairings", None)):
        raise ValueError(f"an opponent has pairings(); {thing!r} has none")
    if len(signature(thing.pairings).parameters) != len(CALLED):
        raise ValueError(f"an opponent's pairings() takes {', '.join(CALLED)}")


OPPONENTS = Registry("opponent", _is_opponent)
for _name, _one in {
    "itself": Itself(),
    "script": Script(),
    "base": Base(),
    "past": Past(),
}.items():
    OPPONENTS.register(_name, _one)


def pairings(
    config: Any, number: int, rounds: Sequence[Any]
) -> list[tuple[Player | None, int]]:
    """Those of the opponent that ``config`` names. ``ValueError`` where the numbers of
    games do not add up."""
    rng = random.Random(f"{config.seed}/round {number}/opponents")
    found = OPPONENTS[config.opponent].pairings(config, number, rounds, rng)
    wanted, got = config.games // config.group, sum(n for _, n in found)
    if wanted != got or any(n < 0 for _, n in found):
        raise ValueError(
            f"the opponent {config.opponent!r} shares out {got} scenarios, and the "
            f"round has {wanted}"
        )
    return found
