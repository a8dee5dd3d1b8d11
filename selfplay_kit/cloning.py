"""Filtered behaviour cloning: which games to keep, and how to learn from them.

A *view* is one player's side of one game: 2K views from K games. A filter keeps
some of them; the model is then fine-tuned to say again what it said there, its
own accepted moves and nothing else (Liao et al. 2024, Algorithm 1).

How the model learns from them stands in ``training``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .dialogue import dialogue
from .game import Transcript, lines_for
from .models import LanguageModel
from .protocol import END, Line, Position
from .training import IGNORE, Sample
from .training import TrainingError as TrainingError  # notebooks find both here, too
from .training import fine_tune as fine_tune


@dataclass(frozen=True, slots=True)
class View:
    """One player's side of one game."""

    transcript: Transcript
    seat: int

    @property
    def reward(self) -> float:
        """This player's reward under the game's objective."""
        return self.transcript.rewards[self.seat]


def views(transcripts: Sequence[Transcript]) -> list[View]:
    """Both sides of every game: 2K views of K games."""
    return [View(t, seat) for t in transcripts for seat in (0, 1)]


Filter = Callable[[Sequence[View], random.Random], list[View]]


def above_mean(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """The paper's filter: reward strictly above the mean of all 2K views.

    Under strict competition the mean is always 0, and both sides of an agreed
    game with X = Y are kept as well (paper, section 4).
    """
    mean = _mean(all_views)
    return [v for v in all_views if v.reward > mean or _strict_tie(v)]


def nonzero(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """Views with a reward above 0."""
    return [v for v in all_views if v.reward > 0]


def top_quarter(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """The quarter of the views with the highest rewards, ties broken by chance."""
    shuffled = rng.sample(list(all_views), len(all_views))
    best = sorted(shuffled, key=lambda v: v.reward, reverse=True)
    return best[: len(all_views) // 4]


def everything(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """All views."""
    return list(all_views)


def no_filter(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """The control: as many views as :func:`above_mean` keeps, drawn by chance."""
    return rng.sample(list(all_views), len(above_mean(all_views, rng)))


def above_scenario_mean(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """Reward strictly above the mean of the same scenario, objective and seat.

    With several games a scenario this asks what was done better with the same
    luck; with one game a scenario it keeps nothing.
    """
    groups: dict[Any, list[View]] = {}
    for v in all_views:
        groups.setdefault((v.transcript.scenario, v.seat), []).append(v)
    return [v for g in groups.values() for v in g if v.reward > _mean(g)]


def either_above_mean(all_views: Sequence[View], rng: random.Random) -> list[View]:
    """Both sides of every game that has a side above the mean of all views: the
    winners of :func:`above_mean`, and whoever they won from."""
    winners = {id(v.transcript) for v in above_mean(all_views, rng)}
    return [v for v in all_views if id(v.transcript) in winners]


FILTERS: dict[str, Filter] = {
    f.__name__: f
    for f in (
        above_mean,
        nonzero,
        top_quarter,
        everything,
        no_filter,
        above_scenario_mean,
        either_above_mean,
    )
}


def _mean(some: Sequence[View]) -> float:
    return sum(v.reward for v in some) / len(some) if some else 0.0


def _strict_tie(v: View) -> bool:
    t = v.transcript
    return t.objective.lam == -1 and t.agreed and t.points[0] == t.points[1]


def make_sample(
    view: View, lm: LanguageModel, *, tries: bool = False, weight: float = 1.0
) -> Sample:
    """One view as tokens. Its own accepted moves carry loss, up to and with the
    stop token; failed tries and corrections are left out, as in the paper, or with
    ``tries`` stand in the context without loss. What follows the last own move is
    cut: nothing ends in the partner's turn.
    """
    ids: list[int] = []
    labels: list[int] = []
    end = 0
    for turn in dialogue(lm, read_back(view, tries=tries)):
        mine = turn.own == "mine"
        ids += turn.ids
        labels += turn.ids if mine else [IGNORE] * len(turn.ids)
        end = len(ids) if mine else end
    return Sample(tuple(ids[:end]), tuple(labels[:end]), weight)


def read_back(view: View, *, tries: bool = False) -> Position:
    """The whole game as the view's player read it, for learning: its moves as the
    protocol took them, and without its failed tries unless ``tries``."""
    t, seat = view.transcript, view.seat
    lines = lines_for(seat, t.moves)
    if not tries:
        lines = tuple(ln for ln in lines if ln.by not in ("tried", "correction"))
    return Position(
        game=0,
        seat=seat,
        counts=t.scenario.counts,
        values=t.scenario.values[seat],
        objective=t.objective,
        lines=tuple(_tidy(ln) for ln in lines),
    )


def _tidy(line: Line) -> Line:
    """An own move of which the protocol cut something loses its sampled tokens."""
    text = line.text.strip()
    if line.by != "mine":
        return line
    if text.lower().startswith("[propose]"):
        cut = text.partition("\n")[0]
    else:
        cut = text[: -len(END)] if text.endswith(END) else text
    cut = cut.removesuffix(END).strip()
    return line if cut == text else Line(line.by, cut)
