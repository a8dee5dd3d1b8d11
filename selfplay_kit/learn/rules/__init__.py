"""Learning rules by name, one file each: how a round's views change the model.

A rule says which tokens are learned with which weight (:meth:`Rule.samples`) and by
which loss (:meth:`Rule.loss`); one that needs more writes :meth:`Rule.learn`. To add
one, register an object: ``RULES.register("mine", Mine())``. ``Config(rule="mine")``
and the command line then know it, its options too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

from ...lm.models import LanguageModel, load_model
from ...registry import Registry, plain_options
from ..cloning import View
from ..training import (
    Loss,
    Sample,
    Training,
    fine_tune,
    labelled_logits,
    mean_loss,
)

if TYPE_CHECKING:
    from ..config import Config


class Rule:
    """What a rule has; a new one inherits from this, or has the same parts."""

    options: Mapping[str, Any] = {}  # its own: name and default, see Config.options
    filters = False  # whether it heeds Config.filter

    def check(self, config: Config) -> None:
        """``ValueError`` where the rule can't work with ``config``."""

    def samples(
        self,
        lm: LanguageModel,
        views: Sequence[View],
        rewards: Sequence[Any] | None,
        *,
        config: Config,
        number: int,
    ) -> list[Sample]:
        """What round ``number`` learns from: a sample for each view that counts.
        ``rewards`` are those of ``views``; ``None`` means the rules' own."""
        raise NotImplementedError

    def loss(self, config: Config) -> Any:
        """The loss of labelled logits, as ``training.mean_loss`` is one."""
        return mean_loss

    def learn(
        self,
        lm: LanguageModel,
        views: Sequence[View],
        rewards: Sequence[Any] | None,
        *,
        config: Config,
        number: int,
        seed: str,
        on_step: Callable[[int, int, float], None] | None = None,
    ) -> Training:
        """Change ``lm`` in place; returns what was done."""
        kept = self.samples(lm, views, rewards, config=config, number=number)
        base = load_model(config.base, config.precision) if config.kl else None
        return fine_tune(
            lm,
            kept,
            epochs=config.epochs,
            lr=config.lr,
            batch=config.batch,
            accumulate=config.accumulate,
            checkpointing=config.checkpointing,
            seed=seed,
            loss_of=anchored(base, config.kl, self.loss(config)),
            on_step=on_step,
        )


def anchored(base: LanguageModel | None, kl: float, by: Any = mean_loss) -> Loss:
    """The loss ``by``, of labelled logits, plus ``kl`` times the mean over labelled
    tokens of KL(model || base), in nats, exact over the vocabulary. Without a
    ``base`` it is the loss alone."""
    import torch

    def loss_of(lm: LanguageModel, chosen: Sequence[Sample]) -> tuple[Any, int]:
        logits, target, weight = labelled_logits(lm, chosen)
        loss = by(logits, target, weight, chosen)
        if base is None:
            return loss, len(target)
        ours = torch.log_softmax(logits, -1)
        with torch.no_grad():
            theirs = torch.log_softmax(labelled_logits(base, chosen)[0], -1)
        distance = (ours.exp() * (ours - theirs)).sum(-1).mean()
        return loss + kl * distance, len(target)

    return loss_of


LEARN = {"config", "number", "seed", "on_step"}  # what learn() is called with, by name


def _is_rule(thing: Any) -> None:
    lacks = [n for n in ("options", "check", "learn") if not hasattr(thing, n)]
    if lacks:
        raise ValueError(f"a rule has {', '.join(lacks)}; {thing!r} lacks it")
    plain_options("a rule", thing)
    names = signature(thing.learn).parameters
    if missing := LEARN - set(names):
        raise ValueError(f"a rule's learn() takes {', '.join(sorted(missing))} by name")
    inherits = isinstance(thing, Rule) and type(thing).learn is Rule.learn
    if inherits and type(thing).samples is Rule.samples:
        raise ValueError(f"a rule has its own samples() or learn(); {thing!r} has none")


_HERE = "selfplay_kit.learn.rules"
RULES = Registry(
    "rule",
    _is_rule,
    homes={
        "clone": (f"{_HERE}.clone", "CLONE"),
        "policy_gradient": (f"{_HERE}.policy_gradient", "POLICY_GRADIENT"),
    },
)
