"""What the words of a set of transcripts are like: how many different ones, how
evenly used, how long the dialogues.

A longer text has more different words, and a round with more deals more different
deals. So everything counted here is *rarefied*: the mean over seeded draws of a
fixed number of words (messages, deals) without replacement, as ecologists compare
the species in samples of unequal size (Hurlbert 1971). Where there are fewer than
that, there is no number, and the reason is given. Left out: what the words mean
(``consistency``) and what they are worth (``talk``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from ..games.deal.game import Transcript
from ..games.deal.protocol import PROPOSE, parse
from ..games.deal.rules import Share
from .metrics import mean_interval

WORDS, MESSAGES, DEALS = 1000, 100, 30  # rarefied to so many
DRAWS = 50
LANGUAGE = (
    "vocabulary",
    "entropy_1",
    "entropy_2",
    "distinct_messages",
    "distinct_deals",
)

_WORD = re.compile(r"\w+(?:['’]\w+)?")


def words(text: str) -> list[str]:
    """The words of ``text`` in lower case: runs of letters or digits, no signs.

    >>> words("I'd take 2 books, ok?")
    ["i'd", 'take', '2', 'books', 'ok']
    """
    return _WORD.findall(text.lower())


def spoken(t: Transcript) -> list[tuple[int, str]]:
    """(seat, words) of each accepted message of ``t``, in the order of speech."""
    return [
        (m.seat, r.text)
        for m in t.moves
        if not (m.error or m.seat is None or m.text.startswith(PROPOSE))
        and (r := parse(m.text, t.scenario.counts)).kind == "message"
    ]


def share_form(share: Share, counts: Share) -> tuple[int, ...]:
    """Of each kind, whether ``share`` has none (0), some (1) or all (2) of it: 27
    forms that shares of different pools have in common."""
    pairs = zip(share, counts, strict=True)
    return tuple(0 if k == 0 else 2 if k == n else 1 for k, n in pairs)


def deal_form(t: Transcript) -> tuple[int, ...] | None:
    """The :func:`share_form` of what who spoke first got; ``None`` without a deal."""
    shares = t.shares
    return None if shares is None else share_form(shares[t.first], t.scenario.counts)


def language(transcripts: Sequence[Transcript], *, seed: int = 0) -> dict[str, Any]:
    """What the words are like: ``value``, ``n`` and, where there is none, ``why``.

    ``vocabulary`` is the number of different words among :data:`WORDS`;
    ``entropy_1`` and ``entropy_2`` are the entropies in bits of as many words, and
    of as many pairs of neighbours within a message. ``distinct_messages`` are the
    different ones among :data:`MESSAGES`, ``distinct_deals`` the different
    :func:`deal_form` among :data:`DEALS`. ``n`` is how many there are to draw from.
    ``moves`` is the mean number of accepted moves of a game, with its 95 % bootstrap
    over scenarios. Raises ``ValueError`` if there are no games.
    """
    if not transcripts:
        raise ValueError("no transcripts: the set is empty")
    texts = [text for t in transcripts for _, text in spoken(t)]
    messages = [words(text) for text in texts]
    singles = [w for message in messages for w in message]
    pairs = [p for message in messages for p in pairwise(message)]
    deals = [form for t in transcripts if (form := deal_form(t)) is not None]
    found = {
        "vocabulary": rarefied(singles, WORDS, seed=seed),
        "entropy_1": rarefied(singles, WORDS, of="entropy", seed=seed),
        "entropy_2": rarefied(pairs, WORDS, of="entropy", seed=seed),
        "distinct_messages": rarefied(map(tuple, messages), MESSAGES, seed=seed),
        "distinct_deals": rarefied(deals, DEALS, seed=seed),
    }
    moves = [sum(not m.error for m in t.moves) for t in transcripts]
    found["moves"] = mean_interval([t.scenario for t in transcripts], moves, seed=seed)
    return found


def rarefied(
    things: Iterable[Hashable],
    size: int,
    *,
    of: str = "distinct",
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """How many ``distinct`` things there are among ``size`` of ``things`` drawn
    without replacement, or their ``entropy`` in bits: ``value``, the mean over
    ``draws``, and ``n``, how many things there are. With fewer than ``size``,
    ``value`` is ``None`` and ``why`` says so.

    >>> rarefied("aabb", 4), rarefied("aabb", 4, of="entropy")["value"]
    ({'value': 2.0, 'n': 4}, 1.0)
    >>> rarefied("ab", 4)["why"]
    'there are 2, too few to draw 4'
    """
    import numpy as np

    if of not in ("distinct", "entropy") or size < 1:
        raise ValueError(
            f"rarefied counts 'distinct' things or their 'entropy' in draws of 1 or "
            f"more; got {of!r} and {size}"
        )
    counts = list(Counter(things).values())
    n = sum(counts)
    if n < size:
        return {"value": None, "n": n, "why": f"there are {n}, too few to draw {size}"}
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(counts, size, draws, method="marginals")
    if of == "distinct":
        return {"value": float((drawn > 0).sum(1).mean()), "n": n}
    shares = drawn / size
    bits = -shares * np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    return {"value": float(bits.sum(1).mean()) + 0.0, "n": n}
