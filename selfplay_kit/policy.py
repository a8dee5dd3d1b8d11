"""Policy gradient, the second learning rule behind the rounds loop.

Each view's own moves are made likelier or less likely in proportion to its
*advantage*: its reward minus the mean reward of the same seat in the same scenario
(REINFORCE with the group's mean as baseline, as in GRPO: Shao et al. 2024,
arXiv 2402.03300, section 4.1). A filter only imitates what went well; this also
unlearns what went badly.

Left out, as a batch is used once and is as good as fresh: importance ratios and
their clipping. :func:`anchored` adds a price for leaving the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from .cloning import View, make_sample
from .models import LanguageModel
from .training import Loss, Sample, labelled_logits, weighted_loss


def advantages(all_views: Sequence[View]) -> list[float]:
    """For each view its reward minus the mean of the same scenario and seat, in
    standard deviations of these differences: free of unit, their mean is 0. All
    are 0 where no group has two different rewards."""
    groups: dict[Any, list[float]] = {}
    for v in all_views:
        groups.setdefault((v.transcript.scenario, v.seat), []).append(v.reward)
    means = {group: fmean(rewards) for group, rewards in groups.items()}
    gaps = [v.reward - means[v.transcript.scenario, v.seat] for v in all_views]
    spread = fmean([g * g for g in gaps]) ** 0.5 if gaps else 0.0
    return [g / spread if spread else 0.0 for g in gaps]


def advantage_samples(all_views: Sequence[View], lm: LanguageModel) -> list[Sample]:
    """A sample for each view whose advantage is not 0, weighted by it."""
    weighed = zip(all_views, advantages(all_views), strict=True)
    return [make_sample(v, lm, weight=a) for v, a in weighed if a]


def anchored(base: LanguageModel, kl: float) -> Loss:
    """:func:`~selfplay_kit.training.weighted_loss` plus ``kl`` times the mean over
    labelled tokens of KL(model || base), in nats, exact over the vocabulary."""
    import torch

    def loss_of(lm: LanguageModel, chosen: Sequence[Sample]) -> tuple[Any, int]:
        loss, count = weighted_loss(lm, chosen)
        ours = torch.log_softmax(labelled_logits(lm, chosen)[0], -1)
        with torch.no_grad():
            theirs = torch.log_softmax(labelled_logits(base, chosen)[0], -1)
        return loss + kl * (ours.exp() * (ours - theirs)).sum(-1).mean(), count

    return loss_of
