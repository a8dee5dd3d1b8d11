"""Policy gradient, the second learning rule behind the rounds loop.

Each view's own moves are made likelier or less likely in proportion to its
*advantage*: its reward minus the mean reward of the same seat in the same scenario
(REINFORCE with the group's mean as baseline, as in GRPO: Shao et al. 2024,
arXiv 2402.03300, section 4.1). A filter only imitates what went well; this also
unlearns what went badly.

The gradient is that of the policy that sampled: log-probabilities at the temperature
of play, in the context of play. From the second step on the policy is no longer the
one that sampled; :func:`ratio_loss` weighs each token by how much likelier it has
become, clipped as in PPO (Schulman et al. 2017, arXiv 1707.06347, equation 7).
Simplified: one advantage for all tokens of a view; invalid tries and moves that the
protocol cut are context and get no gradient. :func:`anchored` adds a price for
leaving the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from ...lm.models import LanguageModel
from ..cloning import View, by_scenario, make_sample
from ..filters import paid
from ..training import IGNORE, Sample, TrainingError
from . import Rule
from . import anchored as anchored

CLIP = 0.2  # a ratio is followed from 1 - CLIP to 1 + CLIP (PPO's value)


def advantages(all_views: Sequence[View], rewards: Any = None) -> list[float]:
    """For each view its reward minus the mean of the same scenario and seat, in
    standard deviations of these differences: free of unit, their mean is 0. All
    are 0 where no group has two different rewards."""
    reward = dict(zip(map(id, all_views), paid(all_views, rewards), strict=True))
    gaps: dict[int, float] = {}
    for group in by_scenario(all_views):
        mean = sum(reward[id(v)] for v in group) / len(group)
        gaps |= {id(v): float(reward[id(v)] - mean) for v in group}
    spread = fmean([g * g for g in gaps.values()]) ** 0.5 if gaps else 0.0
    return [gaps[id(v)] / spread if spread else 0.0 for v in all_views]


def advantage_samples(
    all_views: Sequence[View], lm: LanguageModel, rewards: Any = None
) -> list[Sample]:
    """A sample for each view whose advantage is not 0, weighted by it.

    Raises ``TrainingError`` where the views' moves have
    no log-probabilities: a script's, or games recorded before they were kept.
    """
    weighed = zip(all_views, advantages(all_views, rewards), strict=True)
    samples = [make_sample(v, lm, tries=True, weight=a) for v, a in weighed if a]
    without = sum(s.logprobs is None and _labelled(s) for s in samples)
    if without:
        raise TrainingError(
            f"{without} of {len(samples)} views hold moves without the "
            "log-probabilities that they were sampled with, which policy_gradient "
            "needs: play them again with a language model of this version, or learn "
            "by rule='clone'"
        )
    return samples


def _labelled(sample: Sample) -> bool:
    return any(x != IGNORE for x in sample.labels)


def ratio_loss(logits: Any, target: Any, weight: Any, chosen: Sequence[Sample]) -> Any:
    """The clipped surrogate of PPO, a mean over labelled tokens: minus
    min(ratio x weight, clip(ratio) x weight), where the ratio is the probability of
    the token now, at the temperature of its sampling, over that of then."""
    import torch

    at = [i for s in chosen for i, x in enumerate(s.labels) if i and x != IGNORE]
    of = [s for s in chosen for x in s.labels[1:] if x != IGNORE]
    pairs = zip(of, at, strict=True)
    then = logits.new_tensor([s.logprobs[i] for s, i in pairs])  # type: ignore[index]
    temperature = logits.new_tensor([s.temperature for s in of])
    now = torch.log_softmax(logits / temperature[:, None], -1)
    change = now.gather(1, target[:, None])[:, 0] - then
    ratio = change.clamp(max=20).exp()  # past the clip, and short of infinity
    clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
    return -torch.minimum(ratio * weight, clipped * weight).mean()


class PolicyGradient(Rule):
    """Every view counts, by its advantage."""

    def check(self, config: Any) -> None:
        """Several games per scenario, and moves that could have been others."""
        if config.group < 2:
            raise ValueError(
                "policy_gradient compares games of the same scenario, and with "
                "group=1 there is one each: give group=4, say, and games a multiple "
                "of it"
            )
        if not config.temperature:
            raise ValueError(
                "policy_gradient needs play by chance: at temperature 0 no move has "
                "an alternative. Give a temperature above 0."
            )

    def samples(self, lm, views, rewards, *, config, number):
        """A sample for each view whose advantage is not 0."""
        return advantage_samples(views, lm, rewards)

    def loss(self, config: Any) -> Any:
        """The clipped surrogate."""
        return ratio_loss


POLICY_GRADIENT = PolicyGradient()
