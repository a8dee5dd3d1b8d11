"""The compact fine-tuning loop: tokens with their labels in, a changed model out.

What it leaves out on purpose: validation during training, weight decay, early
stopping (the paper names it and does not report the criterion). A fresh optimiser
each time, and a cosine from ``lr`` to ``lr_end``. Where a model carries an adapter,
that alone is trained. Labels are masked by position, so a stop token that is also
the padding token is learned. Logits are the model's own, at labelled positions alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..lm import adapters
from ..lm.models import LanguageModel

IGNORE = -100  # the label of a token that carries no loss


@dataclass(frozen=True, slots=True)
class Sample:
    """Tokens with their labels: ``labels[i]`` is ``ids[i]`` where the model is to
    learn to say it, else :data:`IGNORE`. ``weight`` scales the view's loss. Where
    the ids were sampled, ``logprobs`` are those of the sampling, one for each id (of
    no meaning where it has no label), and ``temperature`` is its temperature."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    weight: float = 1.0
    logprobs: tuple[float, ...] | None = None
    temperature: float = 1.0


class TrainingError(RuntimeError):
    """Training can't go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Training:
    """What :func:`fine_tune` did: mean loss (nats per token) of each step, counts."""

    losses: tuple[float, ...]
    samples: int  # different ones
    passes: int  # how often a sample was learned from: epochs x samples
    tokens: int  # with loss, over all epochs
    kept: int = 0  # views that it was given, those with nothing to learn among them


Loss = Callable[[LanguageModel, Sequence[Sample]], tuple[Any, int]]


def fine_tune(
    lm: LanguageModel,
    samples: Sequence[Sample],
    *,
    epochs: float = 3,
    lr: float = 1e-3,
    lr_end: float = 0.0,
    batch: int = 16,
    accumulate: int = 1,
    checkpointing: bool = False,
    seed: int | str = 0,
    loss_of: Loss | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> Training:
    """Fine-tune ``lm`` in place on ``samples`` with AdamW.

    Every epoch is one pass over all samples in a fresh order, in batches of at most
    ``batch`` that differ in size by one at most; of a last, partial epoch that share
    of the samples is taken. The loss is :func:`weighted_loss`, or ``loss_of``. Memory
    is saved by computing each batch in ``accumulate`` parts (the same step, but for
    rounding) and by ``checkpointing`` (activations are computed again when they are
    needed). ``seed`` decides the order and torch's own chance (dropout), whose state
    outside is left as it was. ``on_step(step, steps, loss)`` is called after each
    step. Raises :class:`TrainingError` if there is nothing to learn from, the loss is
    not finite, the weights can't be trained in their precision, or memory runs out.
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
    must_be_trainable(lm)
    if not epochs > 0 or batch < 1 or accumulate < 1:
        raise ValueError(
            "epochs is above 0, batch and accumulate are 1 or more; got "
            f"{epochs}, {batch} and {accumulate}"
        )
    rng = random.Random(f"{seed}/order")
    batches = _batches(usable, epochs, batch, rng)
    weights = [p for p in lm.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=lr, weight_decay=0.0)
    half = lm.report.given == "fp16"  # its small gradients would round to nothing
    scaler = torch.amp.GradScaler(weights[0].device.type, enabled=half)
    losses, tokens = [], 0
    with _seeded(seed), _training(lm.model, checkpointing):
        for step, chosen in enumerate(batches):
            rate = lr_end + (lr - lr_end) * _cosine(step / len(batches))
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            some = [usable[i] for i in chosen]
            try:
                loss, count = _gradients(lm, some, loss_of, accumulate, scaler)
            except (MemoryError, RuntimeError) as e:
                if not _out_of_memory(e):
                    raise
                optimiser.zero_grad(set_to_none=True)
                fits = _fits(lm, some, loss_of)
                raise TrainingError(_too_much(fits, len(some), accumulate)) from e
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} at step {step} of {len(batches)}: "
                    "training stopped, the last whole round is kept. Try a lower "
                    f"learning rate than {lr:g}."
                )
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            scaler.step(optimiser)
            scaler.update()
            losses.append(loss)
            tokens += count
            if on_step:
                on_step(step + 1, len(batches), losses[-1])
    passes = sum(map(len, batches))
    return Training(tuple(losses), len(usable), passes, tokens, len(samples))


@contextmanager
def _seeded(seed: int | str) -> Iterator[None]:
    """torch's own chance within this block comes from ``seed``."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(random.Random(f"{seed}/torch").getrandbits(63))
        yield


def must_be_trainable(lm: LanguageModel) -> None:
    """:class:`TrainingError` for whole weights in a precision that can't learn.

    bf16 keeps 8 bits of a number, so it drops an update that is smaller than about
    1/250 of its weight: at the usual rates most of them. Copies in fp32 would only
    help within a round, as the model is rounded again to be saved and played
    (Micikevicius et al. 2018, section 3.1, on such copies).
    """
    from ..lm.decode.rows import route_of

    given = lm.report.given
    if not route_of(lm.model).training:
        raise TrainingError(
            f"{lm.report.name} can't be trained by this kit: in training its forward "
            "pass fails, or gives other logits than in play. It can be played."
        )
    if given == "fp32" or adapters.adapted(lm.model):
        return
    why = {"bf16": "most updates are smaller than its rounding and would be lost"}
    raise TrainingError(
        f"{lm.report.name}: whole weights in {given} can't be trained themselves"
        f" ({why.get(given, 'its numbers are too coarse for updates')}). Train an "
        "adapter (lora=16, or --lora 16), or load in fp32 (precision='fp32', or "
        "--precision fp32)."
    )


@contextmanager
def _training(model: Any, checkpointing: bool) -> Iterator[None]:
    from ..lm.decode.attention import grouped_attention
    from ..lm.decode.rows import route_of

    base = adapters.bare(model)
    # on a CPU, in half precision, torch's own attention has a slow way back
    slow = model.device.type == "cpu" and model.dtype.itemsize == 2
    route = route_of(model)
    grouped = slow and route.play == "fast" and route.training != "alone"
    with adapters.alone(model):
        adapters.forget(model)
        try:
            model.train()
            if checkpointing:
                base.gradient_checkpointing_enable({"use_reentrant": False})
            with grouped_attention(model) if grouped else nullcontext():
                yield
        finally:
            model.eval()
            if checkpointing:
                base.gradient_checkpointing_disable()


def _gradients(lm, samples, loss_of: Loss, accumulate: int, scaler):
    """Add up the gradients of a batch in ``accumulate`` parts; returns the batch's
    loss and its number of labelled tokens."""
    size = math.ceil(len(samples) / accumulate)
    whole = sum(map(_labelled, samples))
    total = 0.0
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        loss, count = loss_of(lm, part)
        loss = loss * (count / whole)
        total += loss.item()
        if not math.isfinite(total):
            break
        scaler.scale(loss).backward()
    return total, whole


def _labelled(sample: Sample) -> int:
    return sum(x != IGNORE for x in sample.labels[1:])


def _out_of_memory(e: BaseException) -> bool:
    import torch

    return (
        isinstance(e, (MemoryError, torch.OutOfMemoryError))
        or "can't allocate memory" in str(e)
        or "out of memory" in str(e).lower()
    )


def _fits(lm, samples, loss_of: Loss) -> int:
    """The most of ``samples``, by halving, whose gradients fit at once; 0 if none."""
    import torch

    size = len(samples) // 2
    while size:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            loss_of(lm, samples[:size])[0].backward()
            return size
        except (MemoryError, RuntimeError) as e:
            if not _out_of_memory(e):
                raise
            size //= 2
        finally:
            lm.model.zero_grad(set_to_none=True)
    return 0


def _too_much(fits: int, size: int, accumulate: int) -> str:
    said = f"out of memory with {math.ceil(size / accumulate)} samples at once"
    if not fits:
        return (
            f"{said}, and one alone does not fit either: take a smaller model, "
            "precision 4bit, or checkpointing"
        )
    return (
        f"{said}; {fits} fit: accumulate={math.ceil(size / fits)} makes the same steps "
        "in parts of that size, checkpointing takes less for each"
    )


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


def _batches(samples, epochs: float, size: int, rng) -> list[list[int]]:
    """Orders of the samples, epoch by epoch; within 32 batches, like lengths go
    together, so that little is padded."""
    batches: list[list[int]] = []
    left = max(1, round(epochs * len(samples)))  # passes of one sample
    while left:
        order = rng.sample(range(len(samples)), min(left, len(samples)))
        left -= len(order)
        epoch = []
        for start in range(0, len(order), 32 * size):
            near = sorted(
                order[start : start + 32 * size], key=lambda i: len(samples[i].ids)
            )
            count = math.ceil(len(near) / size)
            cuts = [len(near) * i // count for i in range(count + 1)]
            epoch += [near[a:b] for a, b in pairwise(cuts)]
        rng.shuffle(epoch)
        batches += epoch
    return batches


def labelled_logits(lm: LanguageModel, chosen: Sequence[Sample]) -> tuple:
    """The model's own logits (n, vocabulary), targets (n) and weights (n) at the n
    labelled tokens of a batch."""
    import torch

    from ..lm.decode.rows import logits_at

    device = next(lm.model.parameters()).device
    wide = max(len(s.ids) for s in chosen)
    ids = torch.zeros((len(chosen), wide), dtype=torch.long)
    labels = torch.full((len(chosen), wide), IGNORE)
    mask = torch.zeros((len(chosen), wide), dtype=torch.long)
    for i, s in enumerate(chosen):
        n = len(s.ids)
        ids[i, :n], labels[i, :n] = torch.tensor(s.ids), torch.tensor(s.labels)
        mask[i, :n] = 1
    weight = torch.tensor([s.weight for s in chosen])[:, None].expand_as(labels)
    target = labels[:, 1:]
    said = target != IGNORE
    before = torch.nn.functional.pad(said, (0, 1))  # a token comes after these
    logits = logits_at(lm.model, ids.to(device), mask.to(device), before.to(device))
    return logits, target[said].to(device), weight[:, 1:][said].to(device)


def weighted_loss(lm: LanguageModel, chosen: Sequence[Sample]) -> tuple[Any, int]:
    """The mean over labelled tokens of weight x cross-entropy, and their number."""
    logits, target, weight = labelled_logits(lm, chosen)
    return mean_loss(logits, target, weight, chosen), len(target)


def mean_loss(logits: Any, target: Any, weight: Any, chosen: Sequence[Sample]) -> Any:
    """The mean over labelled tokens of weight x cross-entropy, from what
    :func:`labelled_logits` gives for ``chosen``."""
    import torch

    each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    return (each * weight).mean()
