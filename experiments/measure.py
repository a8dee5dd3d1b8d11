"""What is counted in one round of self-play, and what is exact for each λ.

Exploration: how many different things the model still says and proposes.
Exploitation: how much of the round the filter keeps, and by how much that is better
than the rest. :func:`references` needs no model: it is the game's arithmetic.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from statistics import fmean
from typing import Any

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.games.deal.protocol import PROPOSE, parse
from selfplay_kit.games.deal.rules import Objective, max_joint, scenarios
from selfplay_kit.learn.cloning import views
from selfplay_kit.learn.rounds import Config, keep
from selfplay_kit.measure.language import deal_form, share_form

MESSAGES, DEALS = 100, 25  # to how many the counts of different ones are rarefied
NAMED = r"(\d+) (book|hat|ball)"
COUNTED = (
    "deals",
    "gap",
    "rational",
    "yes_gap",
    "yes_kept",
    "yes_asked",
    "distinct_messages",
    "message_entropy",
    "proposal_entropy",
    "distinct_deals",
    "kept",
    "kept_share",
    "margin",
)


def measure(games: Sequence[Transcript], config: Config, number: int) -> dict[str, Any]:
    """What one round's ``games`` show, by the names in :data:`COUNTED`.

    ``gap`` is the mean |X - Y| of deals in points; ``rational`` the share of deals
    in which neither side would have been paid more without a deal. Who proposes
    first says *yes* to what was asked for: ``yes_gap`` is the mean of its points less
    its partner's over deals, ``yes_kept`` the share of these sides among the kept
    views (half, for a filter that doesn't care), and ``yes_asked`` the share of deals
    in which it leaves just the counts that its partner named last. Entropies are in
    bits, of the games' first messages (counts left out) and first proposals (none,
    some or all of each kind: 27 in all); ``distinct_messages`` and
    ``distinct_deals`` are the different ones expected among :data:`MESSAGES`
    messages and :data:`DEALS` deals. ``kept`` are the views that the run's filter
    keeps of this round, ``margin`` is their mean reward less that of all views.
    What can't be counted is ``None``: so what a run by chance (the filter ``drawn``)
    keeps of its last round, from which nothing is drawn.
    """
    deals = [t for t in games if t.agreed]
    said = [_said(t) for t in games]
    messages = [text for s in said for kind, text in s if kind == "message"]
    opening = [_form(next(x for k, x in s if k == "message")) for s in said if s]
    proposed = [next((x for k, x in s if k == "propose"), None) for s in said]
    all_views = views(games)
    by_chance = config.filter == "drawn" and number >= len(config.draw)
    kept = [] if by_chance else keep(config, number + 1, all_views)
    mean = fmean(v.reward for v in all_views)
    return {
        "deals": len(deals),
        "gap": _mean(abs(t.points[0] - t.points[1]) for t in deals),
        "rational": _mean(min(t.rewards) >= 0 for t in deals),
        "yes_gap": _mean(t.points[_yes(t)] - t.points[1 - _yes(t)] for t in deals),
        "yes_kept": _mean(v.seat == _yes(v.transcript) for v in kept),
        "yes_asked": _mean(_left(t) == _asked(t) for t in deals),
        "distinct_messages": rarefied(messages, MESSAGES),
        "message_entropy": entropy(opening),
        "proposal_entropy": entropy([p for p in proposed if p]),
        "distinct_deals": rarefied([deal_form(t) for t in deals], DEALS),
        "kept": None if by_chance else len(kept),
        "kept_share": None if by_chance else len(kept) / len(all_views),
        "margin": fmean(v.reward for v in kept) - mean if kept else None,
    }


def entropy(things: Sequence[Hashable]) -> float | None:
    """Shannon entropy of ``things`` in bits, by the plug-in estimate.

    >>> entropy("aabb"), entropy("aaaa"), entropy("")
    (1.0, 0.0, None)
    """
    if not things:
        return None
    shares = [n / len(things) for n in Counter(things).values()]
    return sum(-p * math.log2(p) for p in shares) + 0.0


def rarefied(things: Sequence[Hashable], size: int) -> float | None:
    """How many different ones to expect among ``size`` of ``things``, drawn without
    replacement (Hurlbert 1971); ``None`` where there are fewer than ``size``.

    >>> rarefied("aabb", 4), round(rarefied("aabb", 2), 3), rarefied("ab", 3)
    (2.0, 1.667, None)
    """
    n = len(things)
    if n < size:
        return None
    ways = math.comb(n, size)
    return float(
        sum(1 - math.comb(n - k, size) / ways for k in Counter(things).values())
    )


def _said(t: Transcript) -> list[tuple[str, Any]]:
    """The accepted moves: messages as text, proposals as none/some/all of a kind."""
    found: list[tuple[str, Any]] = []
    for m in t.moves:
        if not m.error:
            r = parse(m.text, t.scenario.counts)
            said = r.text if r.share is None else share_form(r.share, t.scenario.counts)
            found.append((str(r.kind), said))
    return found


def _yes(t: Transcript) -> int:
    """The seat of the first proposal; -1 where there is none."""
    for m in t.moves:
        if not m.error and m.text.lstrip().lower().startswith(PROPOSE):
            return -1 if m.seat is None else m.seat
    return -1


def _left(t: Transcript) -> tuple[int, ...]:
    """What the first proposal of a deal leaves to the partner."""
    shares = t.shares
    assert shares is not None
    return shares[1 - _yes(t)]


def _asked(t: Transcript) -> tuple[int, ...] | None:
    """The last three counts that the partner of the first proposer named."""
    for m in reversed(t.moves):
        if not m.error and m.seat != _yes(t) and not m.text.lower().startswith(PROPOSE):
            named = {kind: int(n) for n, kind in re.findall(NAMED, m.text)}
            if len(named) == 3:
                return tuple(named[kind] for kind in ("book", "hat", "ball"))
    return None


def _form(text: str) -> str:
    return re.sub(r"=\d+|\d+( \w+)?", "#", text)


def _mean(some: Iterable[float]) -> float | None:
    found = list(some)
    return fmean(found) if found else None


def references(lam: float, split: str = "test") -> dict[str, dict[str, float]]:
    """Exact means over the scenarios of ``split``, for each kind of outcome.

    ``random``: a full split by chance, every allocation as likely; ``nash``: the
    deal with the largest product of *rewards* of those in which both are at least 0,
    the reward of no deal (none may be: then no deal); ``utilitarian``: the largest
    sum. Ties go to the larger sum, then to the smaller gap. For each:
    ``mean_points`` (a player's), ``mean_joint``, ``mean_reward``, ``gap`` (mean
    |X - Y| of deals), ``agreement``, and ``rational``, the share of deals that leave
    neither side below 0.
    """
    goal = Objective(lam)
    found: dict[str, list[list[tuple[int, int]]]] = {}
    for s in scenarios(split):
        deals = [s.pays(pair) for pair in s.allocations()]
        fair = [d for d in deals if min(goal.rewards(*d)) >= 0]
        best = [d for d in deals if sum(d) == max_joint(s)]
        nash = sorted(fair, key=lambda d: (math.prod(goal.rewards(*d)), *_even(d)))
        found.setdefault("random", []).append(deals)
        found.setdefault("nash", []).append(nash[-1:])
        found.setdefault("utilitarian", []).append([max(best, key=_even)])
    return {name: _means(goal, by) for name, by in found.items()}


def _even(deal: tuple[int, int]) -> tuple[int, int]:
    return sum(deal), -abs(deal[0] - deal[1])


def _means(goal: Objective, by: list[list[tuple[int, int]]]) -> dict[str, float]:
    """Means over scenarios of the mean over each one's outcomes."""
    made = [deals for deals in by if deals]
    joint = sum(fmean(x + y for x, y in deals) for deals in made) / len(by)
    return {
        "mean_points": joint / 2,
        "mean_joint": joint,
        "mean_reward": joint / 2 * (1 + goal.lam),
        "gap": fmean(fmean(abs(x - y) for x, y in deals) for deals in made),
        "agreement": len(made) / len(by),
        "rational": fmean(
            fmean(min(goal.rewards(*d)) >= 0 for d in deals) for deals in made
        ),
    }
