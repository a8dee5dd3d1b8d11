"""Views: one player's side of a game each, and how one becomes tokens to learn.

A *view* is one player's side of one game: 2K views from K games. A filter keeps some
of them (``filters``); the model is then fine-tuned to say again what it said there, its
own accepted moves and nothing else (Liao et al. 2024, Algorithm 1). The fine-tuning
itself is in ``training``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..games.base import Line
from ..lm.dialogue import dialogue
from ..lm.models import LanguageModel
from .training import IGNORE, Sample
from .training import TrainingError as TrainingError  # notebooks find both here, too
from .training import fine_tune as fine_tune


@dataclass(frozen=True, slots=True)
class View:
    """One player's side of one game."""

    transcript: Any
    seat: int

    @property
    def reward(self) -> float:
        """This player's reward under the game's objective."""
        return self.transcript.rewards[self.seat]

    @property
    def exact(self) -> Fraction:
        """The reward without rounding: what is compared is never decided by a float's
        last digit."""
        return self.transcript.exact[self.seat]

    @property
    def spoke(self) -> bool:
        """Whether an accepted move of the game is this player's."""
        return any(m.seat == self.seat and not m.error for m in self.transcript.moves)


def views(transcripts: Sequence[Any]) -> list[View]:
    """Both sides of every game: 2K views of K games."""
    return [View(t, seat) for t in transcripts for seat in (0, 1)]


def by_scenario(all_views: Sequence[View]) -> list[list[View]]:
    """The views in groups of the same scenario, objective and seat."""
    groups: dict[Any, list[View]] = {}
    for v in all_views:
        key = (v.transcript.task, v.transcript.objective, v.seat)
        groups.setdefault(key, []).append(v)
    return list(groups.values())


def make_sample(
    view: View, lm: LanguageModel, *, tries: bool = False, weight: float = 1.0
) -> Sample:
    """One view as tokens. Its own accepted moves carry loss, up to and with the
    stop token; failed tries and corrections are left out, as in the paper, and of a
    move that the protocol cut only what it took is learned. With ``tries`` the
    context is what the player read and wrote, tries and all, and neither a try nor a
    move that was cut carries loss. What follows the last own move is cut: nothing
    ends in the partner's turn.
    """
    ids: list[int] = []
    labels: list[int] = []
    logprobs: list[float] = []
    sampled = True
    end = 0
    for turn in dialogue(lm, read_back(view, tries=tries, control=lm.control)):
        mine = turn.own == "mine"
        ids += turn.ids
        labels += turn.ids if mine else [IGNORE] * len(turn.ids)
        logprobs += turn.logprobs or [0.0] * len(turn.ids)
        sampled = sampled and (not mine or turn.logprobs is not None)
        end = len(ids) if mine else end
    return Sample(
        tuple(ids[:end]),
        tuple(labels[:end]),
        weight,
        tuple(logprobs[:end]) if sampled else None,
        _temperature(view),
    )


def read_back(
    view: View, *, tries: bool = False, control: frozenset[int] = frozenset()
) -> Any:
    """The whole game as the view's player read it, for learning: its moves as the
    protocol took them and without its failed tries, or with ``tries`` all that it
    said, as it said it. ``control`` are the ids of tokens that are no words."""
    whole = view.transcript.position(view.seat)
    if tries:
        lines = tuple(_unlearned(whole, ln, control) for ln in whole.lines)
    else:
        kept = (ln for ln in whole.lines if ln.by not in ("tried", "correction"))
        lines = tuple(_tidy(whole, ln, control) for ln in kept)
    return replace(whole, lines=lines)


def _temperature(view: View) -> float:
    mine = (m.temperature for m in view.transcript.moves if m.seat == view.seat)
    return next((t for t in mine if t is not None), 1.0)


def _cut(p: Any, line: Line, control: frozenset[int]) -> bool:
    """Whether the game took less of an own move than was said."""
    unread = control & set((line.tokens or ())[:-1])
    return line.by == "mine" and bool(
        unread or p.accepted(line.text) != line.text.strip()
    )


def _tidy(p: Any, line: Line, control: frozenset[int]) -> Line:
    """An own move of which the game cut something loses its sampled tokens."""
    cut = _cut(p, line, control)
    return Line(line.by, p.accepted(line.text)) if cut else line


def _unlearned(p: Any, line: Line, control: frozenset[int]) -> Line:
    """An own move of which the game cut something is context, as it was said."""
    cut = bool(line.tokens) and _cut(p, line, control)
    return replace(line, by="tried") if cut else line


def __getattr__(name: str) -> Any:  # the filters, which the first edition had here
    from . import filters

    return getattr(filters, name)
