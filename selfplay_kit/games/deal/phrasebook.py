"""The small English that scripted negotiators speak and understand.

Four things can be said so that they can be read back exactly: an offer (a whole
split, from either side's point of view), an acceptance that restates one's own
share, a statement of values, and a question for the other's. Everything else is
small talk. :func:`hear` reads a message; what it can't read it leaves out, and
never guesses.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from .rules import ITEMS, Share

OFFERS_MINE = (
    "i take {s} .",
    "i would like {s} , ok ?",
    "can i have {s} ?",
    "how about {s} for me ?",
    "i need {s} and you get the rest .",
    "give me {s} please .",
)
OFFERS_YOURS = (
    "you take {s} .",
    "you can have {s} , ok ?",
    "how about {s} for you ?",
)
ACCEPTS = (
    "deal , i take {s} .",
    "ok deal , i get {s} .",
    "sounds good deal , {s} for me .",
)
REFUSALS = ("no .", "sorry , no .", "that is not enough .", "no thanks .")
GREETINGS = ("hi !", "hello !", "hello , let us talk .")
QUESTIONS = ("what do you want ?", "what is it to you ?")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message says: the speaker's share it asks for, whether that is an
    acceptance, and the speaker's stated values. ``None`` where it says nothing."""

    mine: Share | None = None  # the speaker's share
    yours: Share | None = None  # the listener's share
    accepts: bool = False
    values: Share | None = None


_TRIPLE = re.compile(
    r"(?<![\d.−-])(\d+) books?,? (?:and )?(\d+) hats?,? (?:and )?(\d+) balls?\b",
    re.IGNORECASE,
)
_VALUES = re.compile(r"books ?= ?(\d+),? hats ?= ?(\d+),? balls ?= ?(\d+)")
_YOURS = re.compile(r"\byou (?:take|can have|get)\W*$|^\W*for you\b", re.IGNORECASE)
_ACCEPT = re.compile(r"\bdeal\b", re.IGNORECASE)


@lru_cache(maxsize=100_000)  # little English is said often
def hear(text: str) -> Heard:
    """Read a message. Two different splits in one message are not guessed at.

    >>> hear("how about 2 books 0 hats 1 ball for me ?").mine
    (2, 0, 1)
    >>> hear("for me books =3 hats =1 balls =0 .").values
    (3, 1, 0)
    """
    stated = _VALUES.search(text)
    values = _numbers(stated) if stated else None
    found = list(_TRIPLE.finditer(text))
    if len(found) != 1:
        return Heard(values=values)
    before, after = text[: found[0].start()], text[found[0].end() :]
    share = _numbers(found[0])
    if _YOURS.search(before) or _YOURS.search(after):
        return Heard(yours=share, values=values)
    accepts = _ACCEPT.search(before) is not None
    return Heard(mine=share, accepts=accepts, values=values)


def _numbers(found: re.Match) -> Share:
    a, b, c = (int(n[:6]) for n in found.groups())
    return a, b, c


def split_words(share: Share) -> str:
    """A share as it is said in talk: no commas, zeros named.

    >>> split_words((2, 1, 0))
    '2 books 1 hat 0 balls'
    """
    return " ".join(
        f"{n} {i[:-1] if n == 1 else i}" for n, i in zip(share, ITEMS, strict=True)
    )


def say_offer(share: Share, counts: Share, rng: random.Random) -> str:
    """Ask for ``share``; one time in seven it is said as what the other gets."""
    if rng.random() < 0.15:
        rest = tuple(n - k for n, k in zip(counts, share, strict=True))
        return rng.choice(OFFERS_YOURS).format(s=split_words(rest))
    return rng.choice(OFFERS_MINE).format(s=split_words(share))


def say_accept(share: Share, rng: random.Random) -> str:
    """Accept, restating one's own ``share``."""
    return rng.choice(ACCEPTS).format(s=split_words(share))


def say_values(values: Share) -> str:
    """State ``values``, with the numbers in the form in which the prompt has them."""
    stated = " ".join(f"{i} ={v}" for i, v in zip(ITEMS, values, strict=True))
    return f"for me {stated} ."
