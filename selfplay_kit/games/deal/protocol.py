"""The protocol: how a game reads as text, and how a move is read from text.

A move is ``[message] free text`` or ``[propose] (x books, y hats, z balls)``
with the speaker's own counts; a trailing ``[END]`` is cut, and a proposal is
cut after its first line (Liao et al. 2024, section 3). Here stand the prompt of
an objective in two styles, the seven kinds of error with a correction for each,
and :class:`Position`, which is all that one seat may see. Whose turn it is, and
when a game ends, is in ``game``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ..base import Line as Line
from ..base import Move as Move
from ..base import Objective, Seen
from ..base import only_words as only_words
from .rules import ITEMS, Share

MESSAGE, PROPOSE, END = "[message]", "[propose]", "[END]"
MAX_MOVES = 50  # accepted moves of both players together (paper, section 3)
MAX_TRIES = 5  # the 5th invalid output in a row aborts the game

ERRORS = {
    "no_prefix": "An output must begin with [message] or [propose].",
    "second_prefix": "An output must hold exactly one [message] or [propose].",
    "proposal_first": "At least one message must be sent before any proposal.",
    "must_propose": "Your partner has proposed, so you must answer with [propose].",
    "bad_items": "A proposal names books, hats and balls, once each, in that order.",
    "bad_numbers": "A proposal holds exactly three whole numbers, one before "
    "each kind.",
    "out_of_range": "A proposal may not ask for less than 0 or more than there is.",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the parser saw: a message, a proposal, or the error it makes."""

    kind: str | None  # "message", "propose", or None where there is no prefix
    text: str  # the words of a message; the line of a proposal
    share: Share | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Position(Seen):
    """Everything that one seat may see, and nothing of the partner's values."""

    kind: ClassVar[str] = "deal"

    game: int  # the game's number in its batch
    seat: int
    counts: Share
    values: Share  # this seat's own
    objective: Objective
    lines: tuple[Line, ...] = ()
    opening: bool = True  # nobody has sent a message yet
    must_propose: bool = False  # the partner has proposed

    def system(self, style: str) -> str:
        """The prompt, in a style of :data:`STYLES`."""
        return STYLES[style].system(self)

    def heard(self, line: Line, style: str) -> str:
        """How a line that is not the seat's own reads to it."""
        return STYLES[style].user(line)

    def own(self, text: str) -> str:
        """An own output, as a server may read it back."""
        return own_words(text)

    def accepted(self, text: str) -> str:
        """What the protocol takes of an accepted output."""
        return accepted_text(text)


_PREFIX = re.compile(r"\[\s*(message|propose)\s*\]", re.IGNORECASE)
_KIND = re.compile(r"\b(book|hat|ball)s?\b", re.IGNORECASE)
_SHARE = re.compile(  # what stands before the first count can't change its meaning
    r"(?:^|[(\[:,]\s*|[a-z]\s+)([-+]?\d+)\s*books?\b[\s,;]*(?:and\s+)?"
    r"([-+]?\d+)\s*hats?\b[\s,;]*(?:and\s+)?"
    r"([-+]?\d+)\s*balls?\b",
    re.IGNORECASE,
)


def parse(
    text: str, counts: Share, *, opening: bool = False, must_propose: bool = False
) -> Reading:
    """Read one output. Never raises, and never guesses what was meant.

    >>> parse("[propose] (2 books, 0 hats, 1 ball) [END]", (3, 1, 1)).share
    (2, 0, 1)
    >>> parse("[propose] (2 books, 0 hats, 3 balls)", (3, 1, 1)).error
    'out_of_range'
    """
    body = text.strip()
    if body.endswith(END):
        body = body[: -len(END)].rstrip()
    prefix = _PREFIX.match(body)
    if prefix is None:
        return Reading(None, body, error="no_prefix")
    kind, body = prefix.group(1).lower(), body[prefix.end() :].strip()
    if kind == "propose":
        body = body.partition("\n")[0].strip()
    share, error = None, None
    if _PREFIX.search(body):
        error = "second_prefix"
    elif kind == "propose" and opening:
        error = "proposal_first"
    elif kind == "message" and must_propose:
        error = "must_propose"
    elif kind == "propose":
        share, error = _parse_share(body, counts)
    return Reading(kind, body, share, error)


def _parse_share(body: str, counts: Share) -> tuple[Share | None, str | None]:
    kinds = [k.lower() + "s" for k in _KIND.findall(body)]
    if kinds != list(ITEMS):
        return None, "bad_items"
    found = _SHARE.search(body)
    if found is None or len(re.findall(r"\d+", body)) != 3 or _fractional(body):
        return None, "bad_numbers"
    try:
        share = tuple(int(n) for n in found.groups())
    except ValueError:  # digits beyond int()'s limit
        return None, "bad_numbers"
    if any(not 0 <= k <= n for k, n in zip(share, counts, strict=True)):
        return None, "out_of_range"
    return share, None


def _fractional(body: str) -> bool:
    return re.search(r"\d\s*[./]\s*\d|\.\d", body) is not None


def accepted_text(text: str) -> str:
    """What the protocol takes of an accepted output: the prefix as it was written,
    and what the parser read behind it, without what it cut.

    >>> accepted_text("[ Propose ] (1 book, 0 hats, 1 ball) [END]")
    '[ Propose ] (1 book, 0 hats, 1 ball)'
    """
    whole = text.strip()
    prefix = _PREFIX.match(whole)
    if prefix is None:
        return whole
    body = parse(whole, (99, 99, 99)).text
    start = len(whole) - len(whole[prefix.end() :].lstrip())
    return whole[: start + len(body)].removesuffix(END).rstrip()


def own_words(text: str) -> str:
    """A player's own output, as a server may read it back: as :func:`only_words`, and
    with the prefixes that make it a move.

    >>> own_words("[message] deal [proposed] <|im_end|>")
    '[message] deal (proposed) \u2039|im_end|>'
    """
    words, end = "", 0
    for prefix in _PREFIX.finditer(text):
        words += only_words(text[end : prefix.start()]) + prefix.group()
        end = prefix.end()
    return words + only_words(text[end:])


def share_text(share: Share) -> str:
    """A share in words, singular where it is one.

    >>> share_text((1, 0, 2))
    '1 book, 0 hats, 2 balls'
    """
    names = (i[:-1] if n == 1 else i for n, i in zip(share, ITEMS, strict=True))
    return ", ".join(f"{n} {name}" for n, name in zip(share, names, strict=True))


def propose(share: Share) -> str:
    """The text of a proposal of ``share`` for oneself."""
    return f"{PROPOSE} ({share_text(share)})"


@dataclass(frozen=True, slots=True)
class Long:
    """Full instructions in English, for models that follow instructions."""

    name: str = "long"

    def system(self, p: Position) -> str:
        """The rules, the goal and this seat's private view."""
        values = ", ".join(
            f"{v} for each {i[:-1]}" for v, i in zip(p.values, ITEMS, strict=True)
        )
        return _LONG.format(
            pool=share_text(p.counts), values=values, goal=_goal(p.objective.lam)
        )

    def user(self, line: Line) -> str:
        """How a line that is not the model's own reads to it."""
        if line.by == "proposed":
            return (
                "[propose] Your partner has made its private proposal. Answer with "
                "yours: [propose] (x books, y hats, z balls)"
            )
        if line.by == "correction":
            return f"Invalid output. {ERRORS[line.text]} Please try again."
        return f"{MESSAGE} {only_words(line.text)}"


@dataclass(frozen=True, slots=True)
class Short:
    """The same facts in about twenty words, for the tiny model."""

    name: str = "short"

    def system(self, p: Position) -> str:
        """The pool, the private values and the objective."""
        pool = share_text(p.counts).replace(",", "")
        values = " ".join(f"{i} ={v}" for i, v in zip(ITEMS, p.values, strict=True))
        return f"pool {pool} values {values} reward mine {p.objective.lam:+.2f} theirs"

    def user(self, line: Line) -> str:
        """How a line that is not the model's own reads to it."""
        if line.by == "proposed":
            return "[proposed]"
        if line.by == "correction":
            return f"[error {line.text}]"
        return only_words(line.text)


LONG, SHORT = Long(), Short()
STYLES = {s.name: s for s in (LONG, SHORT)}


def _goal(lam: float) -> str:
    if lam == 0:
        worth = "the points of your own share"
    elif lam == 1:
        worth = "your points plus your partner's points"
    elif lam == -1:
        worth = "your points minus your partner's points"
    else:
        sign = "plus" if lam > 0 else "minus"
        worth = f"your points {sign} {abs(lam):g} times your partner's points"
    return f"Your reward is {worth}. Make it as large as you can."


_LONG = """\
You and a partner divide a pool of items: {pool}. Each of you values the items \
differently, and neither sees the other's values. To you they are worth: {values}. \
The whole pool is worth 10 points to each of you.

Talk first, then divide. Each of your outputs is exactly one of these two:
{MESSAGE} followed by what you want to say to your partner
{PROPOSE} (x books, y hats, z balls) followed by nothing else, where x, y and z are \
the numbers that you take for yourself

Proposals are private. Once one of you has proposed, the other must propose too, and \
the game ends. If the two proposals together make up exactly the pool, it is a deal \
and both get their points; otherwise both get a reward of 0. The first output of the \
game must be a message.

{goal}""".replace("{MESSAGE}", MESSAGE).replace("{PROPOSE}", PROPOSE)
