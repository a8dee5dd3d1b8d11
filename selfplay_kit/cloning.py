"""Filtered behaviour cloning: which games to keep, and how to learn from them.

A *view* is one player's side of one game: 2K views from K games. A filter keeps
some of them; the model is then fine-tuned to say again what it said there, its
own accepted moves and nothing else (Liao et al. 2024, Algorithm 1).

What the loop leaves out on purpose: validation during training, weight decay,
early stopping (the paper names it and does not report the criterion). A fresh
optimiser each round, and a cosine from ``lr`` to nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .dialogue import dialogue
from .game import Transcript, lines_for
from .models import LanguageModel
from .protocol import END, Line, Position

IGNORE = -100  # the label of a token that carries no loss


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


FILTERS: dict[str, Filter] = {
    f.__name__: f
    for f in (
        above_mean,
        nonzero,
        top_quarter,
        everything,
        no_filter,
        above_scenario_mean,
    )
}


def _mean(some: Sequence[View]) -> float:
    return sum(v.reward for v in some) / len(some) if some else 0.0


def _strict_tie(v: View) -> bool:
    t = v.transcript
    return t.objective.lam == -1 and t.agreed and t.points[0] == t.points[1]


@dataclass(frozen=True, slots=True)
class Sample:
    """Tokens with their labels: ``labels[i]`` is ``ids[i]`` where the model is to
    learn to say it, else :data:`IGNORE`. ``weight`` scales the view's loss."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    weight: float = 1.0


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


class TrainingError(RuntimeError):
    """Training can't go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Training:
    """What :func:`fine_tune` did: mean loss (nats a token) of each step, counts."""

    losses: tuple[float, ...]
    samples: int
    tokens: int  # with loss, over all epochs


Loss = Callable[[LanguageModel, Sequence[Sample]], tuple[Any, int]]


def fine_tune(
    lm: LanguageModel,
    samples: Sequence[Sample],
    *,
    epochs: float = 3,
    lr: float = 1e-3,
    lr_end: float = 0.0,
    batch: int = 16,
    seed: int | str = 0,
    loss_of: Loss | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Training:
    """Fine-tune ``lm`` in place on ``samples`` with AdamW.

    Passes over the samples in a fresh order each epoch (a fraction takes part of
    one); the loss is :func:`weighted_loss`, or ``loss_of``. ``on_step(step, steps,
    loss)`` is called after each step. Raises :class:`TrainingError` if there is
    nothing to learn from or the loss is not finite.
    """
    import torch

    loss_of = loss_of or weighted_loss

    usable = [s for s in samples if any(x != IGNORE for x in s.labels)]
    if not usable:
        raise TrainingError(
            "no sample to learn from: the filter kept nothing, or no kept view has a "
            "move of its own. Play more games, start from a stronger base or raise "
            "the temperature."
        )
    rng = random.Random(f"{seed}/order")
    batches = _batches(usable, epochs, batch, rng)
    weights = [p for p in lm.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=lr, weight_decay=0.0)
    losses, tokens = [], 0
    lm.model.train()
    try:
        for step, chosen in enumerate(batches):
            rate = lr_end + (lr - lr_end) * _cosine(step / len(batches))
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss, count = loss_of(lm, [usable[i] for i in chosen])
            if not math.isfinite(loss.item()):
                raise TrainingError(
                    f"the loss is {loss.item()} at step {step} of {len(batches)}: "
                    "training stopped, the last whole round is kept. Try a lower "
                    f"learning rate than {lr:g}."
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            losses.append(loss.item())
            tokens += count
            if on_step:
                on_step(step + 1, len(batches), losses[-1])
    finally:
        lm.model.eval()
    return Training(tuple(losses), len(usable), tokens)


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


def _batches(samples, epochs: float, size: int, rng) -> list[list[int]]:
    """Orders of the samples, epoch by epoch; within 32 batches, like lengths go
    together, so that little is padded."""
    wanted = max(1, round(epochs * len(samples) / size))
    batches: list[list[int]] = []
    while len(batches) < wanted:
        order = rng.sample(range(len(samples)), len(samples))
        epoch = []
        for start in range(0, len(order), 32 * size):
            near = sorted(
                order[start : start + 32 * size], key=lambda i: len(samples[i].ids)
            )
            epoch += [near[i : i + size] for i in range(0, len(near), size)]
        rng.shuffle(epoch)
        batches += epoch
    return batches[:wanted]


def labelled_logits(lm: LanguageModel, chosen: Sequence[Sample]) -> tuple:
    """Logits (n, vocabulary), targets (n) and weights (n) at the n labelled tokens
    of a batch; the head is applied to those positions alone."""
    import torch

    model = lm.model
    device = next(model.parameters()).device
    wide = max(len(s.ids) for s in chosen)
    ids = torch.zeros((len(chosen), wide), dtype=torch.long)
    labels = torch.full((len(chosen), wide), IGNORE)
    mask = torch.zeros((len(chosen), wide), dtype=torch.long)
    for i, s in enumerate(chosen):
        n = len(s.ids)
        ids[i, :n], labels[i, :n] = torch.tensor(s.ids), torch.tensor(s.labels)
        mask[i, :n] = 1
    weight = torch.tensor([s.weight for s in chosen])[:, None].expand_as(labels)
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    states = base.base_model(
        input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False
    ).last_hidden_state[:, :-1]
    target = labels[:, 1:]
    at = target != IGNORE
    logits = model.get_output_embeddings()(states[at.to(device)]).float()
    return logits, target[at].to(device), weight[:, 1:][at].to(device)


def weighted_loss(lm: LanguageModel, chosen: Sequence[Sample]) -> tuple[Any, int]:
    """The mean over labelled tokens of weight x cross-entropy, and their number."""
    import torch

    logits, target, weight = labelled_logits(lm, chosen)
    each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    return (each * weight).mean(), len(target)
