"""What a message claims that could be checked: values, counts, shares, acceptance.

:func:`exact` reads the kit's own small English (``phrasebook``) and leaves out what it
can't read. :func:`free` reads other people's by regular expressions, and can be wrong
both ways: its agreement with labelled messages is measured (``data/labels``). Whether
a claim is true is decided in ``consistency``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ..games.deal.phrasebook import hear
from ..games.deal.rules import ITEMS, Share


@dataclass(frozen=True)
class Claims:
    """What a message claims, each by kind (0 books, 1 hats, 2 balls)."""

    values: Mapping[int, int] = field(default_factory=dict)  # one is worth, to me
    best: int | None = None  # the kind said to be worth most to me
    mine: Mapping[int, int] = field(default_factory=dict)  # the speaker's share
    yours: Mapping[int, int] = field(default_factory=dict)  # the listener's
    pool: Mapping[int, int] = field(default_factory=dict)  # how many there are
    rest_mine: bool = False  # the speaker gets what isn't named
    rest_yours: bool = False
    accepts: bool = False

    def share(self, counts: Share, *, listener: bool = False) -> dict[int, int]:
        """By kind, what the speaker (or the ``listener``) is to get, as far as is
        said: what one side asks for of a kind, the other can't have.

        >>> Claims(mine={0: 2}).share((3, 1, 1), listener=True)
        {0: 1}
        """
        own, other = self.mine, self.yours
        all_own, all_other = self.rest_mine, self.rest_yours
        if listener:
            own, other, all_own, all_other = other, own, all_other, all_own
        if not (own or other):
            return {}
        share = {k: counts[k] - n for k, n in other.items()} | dict(own)
        if all_own:
            return dict(enumerate(counts)) | share
        return dict.fromkeys(range(3), 0) | share if all_other else share


Reader = Callable[[str, Share], Claims]  # of a message, and of the pool's counts


@lru_cache(maxsize=100_000)
def exact(text: str, counts: Share) -> Claims:
    """The claims of a message in the kit's own English.

    >>> exact("deal , i take 2 books 0 hats 1 ball .", (3, 1, 1)).mine
    {0: 2, 1: 0, 2: 1}
    """
    heard = hear(text)
    values, mine, yours = (
        dict(enumerate(x)) if x else {} for x in (heard.values, heard.mine, heard.yours)
    )
    return Claims(values, mine=mine, yours=yours, accepts=heard.accepts)


# Free English ---------------------------------------------------------------------

_DIGIT = {
    word: str(n)
    for n, word in enumerate(
        "zero one two three four five six seven eight nine ten".split()
    )
}
_ITEM = r"\b(book|hat|ball)(s?)\b"
_NOT = re.compile(r"\b(?:no|not|never|dont|cant|wont|\w+n't)\b")
_ACCEPT = re.compile(
    r"\W*(?:(?:ok|okay|great|perfect|well|yes|sure)\W+)?(?:deal|(?:i )?agreed?|ok|okay|"
    r"(?:that )?sounds (?:good|great|fair)|that works|works for me|that's (?:fine|"
    r"fair|good|acceptable)|sure|fine|yes|yeah|yep|alright|all right|perfect|great)\b"
)
_VAGUE = re.compile(  # no division can be read from it
    r"\b(?:split (?:the|them|it|those|up)|share|at least|or|either|extra|"
    r"more|another|choice|whichever)\b"
)
_COUNTER = re.compile(r"\b(?:but|however|instead|rather|unless|only if)\b")
_VALUE = re.compile(
    _ITEM + r"(?:\s*(?:[=:]|\b(?:are|is|were|they|they're|it's|only|just|worth|valued|"
    r"at|each|(?:to|for) me|(?:get|give)s? me|points?)\b))*\s*"
    r"((?<=[=:])\d+|(?<=[=:]\s)\d+|\d+\b(?!\s*(?:(?:out )?of|books?|hats?|balls?)\b)|"
    r"worthless|useless|nothing)"
)
_CUE = re.compile(r"worth|valu|point|[=:]|\b(?:(?:to|for) me|is|are)\b|less\b|\b0\b")
_LIST = re.compile(r"\W+".join([_ITEM + r"\s*(\d+)\b"] * 3) + r"(?!\s*[a-z])")
_CARELESS = re.compile(
    r"(?:n't|not|dont) (?:value|care (?:about|for)) (?:the |any )?" + _ITEM
)
_BEST = re.compile(
    _ITEM + r"[^.!?,]*?\b(?:my (?:most valuable|highest|favou?rite|top|best)|"
    r"(?:worth|valued?|matters?) (?:the )?most to me)"
)
_THERE = re.compile(r"\bthere(?:'s| is| are)(?: only| just)? (\d+) " + _ITEM)
_MENTION = re.compile(
    r"(?P<mine>\b(?:i|i'?d|i'?ll|i'?m|me|my|mine|myself)\b|^\W*(?:please )?give\b)|"
    r"(?P<yours>\b(?:you|you'd|you'll|your|yours|yourself)\b|"
    r"(?<!you )\b(?:give|offer|cede)(?: up)?\b(?! me)|"
    r"(?:^|,|\b(?:ok|okay|fine|then|sure|well|yes)\b)[\s,]*take\b)|"
    r"(?P<swap>\b(?:in exchange )?for (?=(?:the|all|both|\d|an?)\b))|"
    r"(?P<we>\b(?:we|us|our|each|every)\b)|"
    r"(?P<rest>\b(?:the rest|everything else|all else|the others?|what's left)\b)|"
    r"(?:\b(?P<part>\d+|an?) of (?:the |those |these )?)?"
    r"(?P<how>(?:\b(?:all|both|the|those|these|an?)\s+)*)(?:of )?(?:the )?"
    r"(?P<n>\d+)?\s*\b(?P<item>book|hat|ball)(?P<many>s?)\b(?P<end>)"
)
_AFTER = re.compile(
    r"(?:[\s,]|and|too|would|will|could|can|are|is|be|go(?:es)?)*\b(?:"
    r"(?P<mine>(?:for|to) me\b|mine\b)|(?P<yours>(?:for|to) you\b|yours\b))"
)


@lru_cache(maxsize=100_000)
def free(text: str, counts: Share) -> Claims:
    """The claims of a message in free English, approximately.

    >>> said = free("Deal! You get both books, the hats are worth 2 to me.", (2, 2, 1))
    >>> said.accepts, said.yours, said.values
    (True, {0: 2}, {1: 2})
    """
    t = re.sub(r"[a-z]+", lambda m: _DIGIT.get(m[0], m[0]), text.lower())
    t = re.sub("[’`]", "'", t)
    accepts = bool(_ACCEPT.match(t)) and not (_NOT.search(t) or _COUNTER.search(t))
    accepts = accepts and not t.rstrip().endswith("?")
    values: dict[int, int] = {}
    pool: dict[int, int] = {}
    shares: dict[str, dict[int, int]] = {"mine": {}, "yours": {}}
    rest = {"mine": False, "yours": False}
    best = None
    for sentence in re.split(r"[.!?;]|\bwhile\b|\bbut\b", t):
        about_me = not re.search(r"\b(?:to|for) you\b|\byou value\b", sentence)
        if about_me and (found := _BEST.search(sentence)):
            best = _kind(found[1])
            sentence = sentence.replace(found[0], " ")
        if about_me and (found := _LIST.search(sentence)):
            values |= {_kind(found[i]): _number(found[i + 2]) for i in (1, 4, 7)}
            sentence = sentence.replace(found[0], " ")
        cue = about_me and _CUE.search(sentence)  # "the hats 2" may be two hats
        for found in _VALUE.finditer(sentence) if cue else ():
            values[_kind(found[1])] = _number(found[3])
        for found in _CARELESS.finditer(sentence):
            values[_kind(found[1])] = 0
        sentence = _VALUE.sub(" ", sentence) if about_me else sentence
        for found in _THERE.finditer(sentence):
            pool[_kind(found[2])] = _number(found[1])
        sentence = _THERE.sub(" ", sentence)
        for clause in re.split(
            r"(?<=[a-z])\s*,(?=\s*(?:so|and you|you|i)\b)", sentence
        ):
            if not (_NOT.search(clause) or _VAGUE.search(t)):
                _divide(clause, counts, shares, rest, pool)
    return Claims(
        values,
        best,
        shares["mine"],
        shares["yours"],
        pool,
        rest["mine"],
        rest["yours"],
        accepts,
    )


def _number(word: str) -> int:
    """A number in digits (the first six of them); other words say that it is 0."""
    return int(word[:6]) if word[0].isdigit() else 0


def _kind(name: str) -> int:
    return ITEMS.index(name + "s")


def _divide(
    clause: str,
    counts: Share,
    shares: dict[str, dict[int, int]],
    rest: dict[str, bool],
    pool: dict[int, int],
) -> None:
    """Who is to get what: a mention belongs to who is named last before it, or to
    who is named right after it ("2 balls for me")."""
    owner: str | None = None
    waiting: list[re.Match] = []
    for m in _MENTION.finditer(clause):
        if m.lastgroup in ("mine", "yours", "we"):
            owner, waiting = m.lastgroup, []
        elif m.lastgroup == "swap":  # "the hats for the ball"
            owner, waiting = {"mine": "yours", "yours": "mine"}.get(owner or ""), []
        else:
            after = _AFTER.match(clause, m.end())
            whose = after.lastgroup if after else owner
            waiting = [*waiting, m] if owner is None else [m]
            for told in waiting if after else [m]:
                _note(told, counts, shares.get(whose or "", {}), pool)
                if told["rest"] and whose in rest:
                    rest[whose] = True
            owner = None if after else owner


def _note(m: re.Match, counts: Share, share: dict[int, int], pool: dict) -> None:
    if m["rest"]:
        return
    kind, how = _kind(m["item"]), m["how"].split()
    both = "both" in how and m["many"]  # but not "both the hat and the ball"
    all_of_it = "all" in how or both
    told = m["n"] or ("2" if both else None)
    if m["part"]:
        amount = _number(m["part"]) or 1
    elif told:
        amount = _number(told)
    else:
        amount = counts[kind] if m["many"] or all_of_it else 1
    if told and (all_of_it or m["part"]):
        pool[kind] = _number(told)
    if amount > counts[kind]:
        pool[kind] = amount
    share[kind] = amount
