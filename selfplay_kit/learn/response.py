"""A best response to a player that stays as it is.

:func:`best_response` trains a model against a frozen player: what it takes is a
*lower* bound on how far that player can be exploited. For scripts, ``measure.search``
gives the exact *upper* bound. Opponents that a configuration names are in
``opponents``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..games.play import Player, Table
from ..lm.report import weights_hash
from ..measure.crossplay import Told, score
from .config import Config
from .rounds import Progress, Round, run


@dataclass
class _Frozen:
    """A player under a name that says all that its play depends on."""

    name: str
    player: Player

    def sit(self, games: int, *, seed: int | str) -> Table:
        return self.player.sit(games, seed=seed)


def identity(player: Player) -> str:
    """Who ``player`` is, in words that change when its play does: weights and
    temperature of a model, noise of a script, what it is told."""
    if isinstance(player, Told):
        return f"{identity(player.player)}, told {player.objective.name}"
    if hasattr(player, "lm"):
        weights = weights_hash(player.lm.model)[:16]
        return f"weights {weights}, temperature {player.temperature:g}"  # type: ignore[attr-defined]
    return f"{player.name}, noise {getattr(player, 'noise', 0):g}"


def best_response(
    frozen: Player,
    config: Config,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    on_round: Callable[[Round], None] | None = None,
) -> list[Round]:
    """Train ``config.base`` against ``frozen``, which stays as it is: how much can it
    take?

    Rounds as in ``run``, into ``folder``, resumed there; the
    learner has seat 0, and only its own sides are filtered (by its own reward, above
    the mean of its own sides) and cloned. Each round's ``metrics`` hold the scores of
    :func:`score` too, ``row`` being the learner. What it takes is a lower bound on
    what can be taken. Raises ``RunError`` for a folder of
    another configuration or partner.
    """

    def scored(r: Round) -> Round:
        return replace(r, metrics=r.metrics | score(r.games(), seed=config.seed))

    def tell(r: Round) -> None:
        if on_round:
            on_round(scored(r))

    partner = _Frozen(identity(frozen), frozen)
    rounds = run(config, folder, partner=partner, progress=progress, on_round=tell)
    return [scored(r) for r in rounds]
