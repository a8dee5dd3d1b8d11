"""A claim, our number for it, and the verdict that follows: by rule, never by hand.

A :class:`Claim` says where our number would have to lie. The verdict asks where the
number's whole 95 % interval lies: inside, outside, or neither, which is *not decided*.
What the first two may be called depends on what the model was ``taught`` before
self-play, and not on its name. A model that cloned players with a *strategy* (the
scripts) had seen how to play well, so it can show how the algorithm works and no
more: *illustrates* or *does not illustrate*. A model that was taught *nothing*, or
the *format* of moves alone, had to find the play itself: *holds* or *differs*, of
that model. Where a number is fixed by the rules, the row reads *by construction*;
where nothing can be said, it says so and why.

>>> rise = Claim("rise", "scores", "Points rise.", of="change", above=0)
>>> after, before = [5.1, 5.4, 5.2], [0.5, 0.6, 0.4]
>>> weigh(rise, after, before, model="tiny-weak")["verdict"]
'illustrates'
>>> weigh(rise, after, before, model="my-base", taught="format")["verdict"]
'holds'
>>> weigh(rise, [5.1], [0.5], model="tiny-weak")["verdict"]
'cannot be tested here'

Left out: whether a claim is worth making, and tests of several claims at once (of
forty 95 % intervals two miss by chance).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .. import data
from .metrics import SHARE, SIGNED, seed_interval

ILLUSTRATES, NOT_ILLUSTRATES = "illustrates", "does not illustrate"
HOLDS, DIFFERS, UNDECIDED = "holds", "differs", "not decided"
FIXED = "by construction"
CANNOT, NOT_RUN = "cannot be tested here", "not run yet"
VERDICTS = (
    *(ILLUSTRATES, NOT_ILLUSTRATES, HOLDS, DIFFERS),
    *(UNDECIDED, FIXED, CANNOT, NOT_RUN),
)
KINDS = ("result", "beside", "question")
# Who makes a claim: the authors (and Lewis et al.), or this kit and its readers.
SOURCES = {"result": "paper", "beside": "own", "question": "own"}
QUANTITIES = {
    "after": "the number",
    "change": "the change",
    "factor": "the factor",
    "new seed": "the change that one more seed would show",
}
# What a model was taught before self-play decides what may be said of it.
TAUGHT = ("strategy", "format", "nothing")
SHIPPED = {  # the kit's own models, by name
    "smollm2-135m": "nothing",
    "smollm2-135m-q4_1": "nothing",
    "smollm2-135m-q4_1-warm": "strategy",  # cloned the scripts' games
    **dict.fromkeys(
        ("tiny", "tiny-clean", "tiny-middling", "tiny-weak", "tiny-talk"), "strategy"
    ),
}

TITLES = {  # what a reader knows a model by, where that is not the kit's name
    "smollm2-135m-q4_1-warm": "SmolLM2-135M-Instruct, warm start",
}

Number = dict[str, Any]  # value, low, high, n; over seeds their values, too


@dataclass(frozen=True)
class Claim:
    """One claim, and where our number would have to lie for it.

    ``of`` is the number that is judged: ``after`` alone, its ``change`` from before
    or its ``factor`` (per seed), or the change in a ``new seed`` (a prediction
    interval). It has to lie ``above``, ``below``, ``between`` or ``near`` (within
    that share of the paper's number); or ``cannot`` says why no model of ours can
    speak to it. ``fixed``: by the rules it lies there, whoever plays. ``ahead``: the
    rule was written before a number of ours was known. ``kind``: a ``result`` of the
    paper, something to read ``beside`` it, or a ``question`` that readers asked.
    ``sides`` name before and after.
    """

    id: str
    section: str
    claim: str
    kind: str = "result"
    paper: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    of: str = "after"
    above: float | None = None
    below: float | None = None
    between: Sequence[float] | None = None
    near: float | None = None
    fixed: bool = False
    ahead: bool = False
    sides: Sequence[str] = ("before", "after")
    note: str = ""
    cannot: str = ""

    def __post_init__(self) -> None:
        tests = (self.above, self.below, self.between, self.near, self.cannot or None)
        if len(tests) - tests.count(None) != 1:
            raise ValueError(
                f"claim {self.id!r} needs exactly one of above, below, between, near "
                f"and cannot; it has {len(tests) - tests.count(None)}"
            )
        if self.kind not in KINDS or self.of not in QUANTITIES:
            raise ValueError(
                f"claim {self.id!r}: kind is one of {', '.join(KINDS)} (got "
                f"{self.kind!r}), of is one of {', '.join(QUANTITIES)} (got "
                f"{self.of!r})"
            )

    @property
    def region(self) -> tuple[float, float]:
        """Where the number has to lie, from and to."""
        if self.between is not None:
            return self.between[0], self.between[1]
        if self.near is not None:
            theirs = self.paper["factor" if self.of == "factor" else "after"]
            return theirs * (1 - self.near), theirs * (1 + self.near)
        low = float("-inf") if self.above is None else self.above
        return low, float("inf") if self.below is None else self.below

    @property
    def rule(self) -> str:
        """The region in words; empty where nothing can be tested."""
        low, high = self.region
        where = f"below {high:g}" if self.above is None else f"above {low:g}"
        if self.near is not None:
            where = f"within {100 * self.near:g} % of the paper's"
        elif self.between is not None:
            where = f"between {low:g} and {high:g}"
        return "" if self.cannot else f"{QUANTITIES[self.of]} lies {where}"

    def bounds(self, of: str = "after") -> tuple[float, float] | None:
        """What the number, or another quantity ``of`` it, can't leave."""
        if self.unit.startswith("share"):
            return {"after": SHARE, "change": SIGNED, "new seed": SIGNED}.get(of)
        return SIGNED if of == "after" and "correlation" in self.unit else None


def read_claims(path: str | Path | None = None) -> list[Claim]:
    """The claims of a TOML file (the shipped one by default), in its order.

    Raises ``ValueError`` for a file that is no list of claims, for unknown keys and
    for an id that stands twice.
    """
    path = Path(path or data.path("reference/claims.toml"))
    try:
        entries = tomllib.loads(path.read_text("utf-8"))["claim"]
    except (tomllib.TOMLDecodeError, KeyError) as e:
        raise ValueError(f"{path} is no list of [[claim]] tables: {e}") from e
    known, claims = {f.name for f in fields(Claim)}, {}
    for entry in entries:
        if strange := set(entry) - known:
            raise ValueError(
                f"{path}, claim {entry.get('id')!r}: unknown {sorted(strange)}; "
                f"a claim has {', '.join(sorted(known))}"
            )
        if entry.get("id") in claims:
            raise ValueError(f"{path}: two claims are called {entry['id']!r}")
        claims[entry.get("id")] = Claim(**entry)
    return list(claims.values())


def what_taught(model: str) -> str:
    """What the kit's own ``model`` was taught, one of :data:`TAUGHT`; ``ValueError``
    for any other (then tell :func:`weigh`)."""
    if model in SHIPPED:
        return SHIPPED[model]
    raise ValueError(
        f"what was {model!r} taught before self-play? The kit knows this of its own "
        f"models ({', '.join(SHIPPED)}). Pass taught='strategy' if it cloned players "
        "that can play, 'format' if it learned only how a move is written, "
        "'nothing' if it had no lesson."
    )


def lies(number: Number, low: float, high: float) -> bool | None:
    """Whether the whole interval of ``number`` lies in [low, high]: ``True``, or
    ``False`` if it lies wholly outside, else ``None`` (no interval, too, and a number
    without width on the edge: no change is neither a rise nor a fall).

    >>> lies({"low": 0.5, "high": 1.5}, 0, 9), lies({"low": -2, "high": -1}, 0, 9)
    (True, False)
    >>> lies({"low": -0.5, "high": 1.5}, 0, 9) is None
    True
    """
    if number["low"] is None or number["high"] is None:
        return None
    if number["low"] == number["high"] and number["low"] in (low, high):
        return None
    if low <= number["low"] and number["high"] <= high:
        return True
    return False if number["high"] < low or high < number["low"] else None


def verdict(number: Number, claim: Claim, *, taught: str) -> str:
    """What ``number`` lets us say of ``claim``: the rule of this module."""
    if taught not in TAUGHT:
        raise ValueError(f"taught is one of {', '.join(TAUGHT)}; got {taught!r}")
    if claim.fixed:
        return FIXED
    found = lies(number, *claim.region)
    if number["low"] is None:
        return CANNOT
    if found is None:
        return UNDECIDED
    own = taught != "strategy"
    yes, no = (HOLDS, DIFFERS) if own else (ILLUSTRATES, NOT_ILLUSTRATES)
    return yes if found else no


def judged(claim: Claim, after: Any, before: Any = None) -> Number:
    """The number that ``claim`` is about, with its interval.

    ``after`` and ``before`` are the values of seeds 0, 1, ... (change and factor are
    taken seed by seed; where one side has more, its first ones), or a recorded
    number that holds them. An exact ``before`` is a plain number. The change between
    two intervals without values reaches from end to end: above 0, they lie apart.
    """
    bounds = claim.bounds(claim.of)
    if claim.of == "after":
        return as_number(after, bounds)
    if claim.of == "change" and not (_seeded(after) and _seeded(before)):
        return _apart(as_number(after), as_number(before))
    values = _values(after, claim, "after")
    exact = isinstance(before, int | float)
    start = [before] * len(values) if exact else _values(before, claim, "before")
    pairs = list(zip(values, start, strict=False))
    if claim.of == "factor":
        if not all(b for _, b in pairs):
            raise ValueError(f"claim {claim.id!r}: no factor from a start of 0")
        return as_number([a / b for a, b in pairs])
    changes = [a - b for a, b in pairs]
    found = seed_interval(changes, bounds=bounds, fresh=claim.of == "new seed")
    return found | {"values": changes}


def _seeded(x: Any) -> bool:
    return not isinstance(x, Mapping) or "values" in x or "low" not in x


def _apart(after: Number, before: Number) -> Number:
    pairs = (("low", "high"), ("value", "value"), ("high", "low"))
    ends = [(after[a], before[b]) for a, b in pairs]
    low, value, high = (None if None in e else e[0] - e[1] for e in ends)
    return {"value": value, "low": low, "high": high, "n": after["n"]}


def as_number(x: Any, bounds: tuple[float, float] | None = None) -> Number:
    """Values over seeds as a number with its t interval (within ``bounds``), an exact
    number as one without width; a recorded number as it is."""
    if isinstance(x, Mapping):
        return dict(x)
    if isinstance(x, int | float):
        return {"value": float(x), "low": float(x), "high": float(x), "n": None}
    return seed_interval(x, bounds=bounds) | {"values": list(x)}


def _values(x: Any, claim: Claim, which: str) -> list[float]:
    values = x.get("values") if isinstance(x, Mapping) else x
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ValueError(
            f"claim {claim.id!r} is about {QUANTITIES[claim.of]}: {which!r} has to be "
            f"the values of the seeds, one each; got {x!r}"
        )
    return list(values)


def weigh(
    claim: Claim,
    after: Any,
    before: Any = None,
    *,
    model: str,
    taught: str | None = None,
    ahead: bool | None = None,
    over: str = "seeds",
    note: str = "",
    **about: Any,
) -> dict[str, Any]:
    """The row of ``claim`` for ``model``: paper, ours, verdict, a sentence.

    ``after`` and ``before`` as in :func:`judged`; ``taught`` is what the model was
    taught before self-play, one of :data:`TAUGHT` (the kit knows it of its own);
    ``ahead``, whether the rule was written before this number was known (the claim's
    own word by default); ``over`` is what the interval is over (``seeds`` or
    ``scenarios``), ``note`` is said after the answer. ``about`` are ``split``,
    ``games`` (of each seed) and ``source``. ``ValueError`` for a claim that can't be
    tested here, for a model of which nobody says what it was taught, and for a number
    that is ``fixed`` and yet lies elsewhere.
    """
    if claim.cannot:
        raise ValueError(f"claim {claim.id!r} can't be tested here: {claim.cannot}")
    taught = what_taught(model) if taught is None else taught
    number = judged(claim, after, before)
    ours = {"after": as_number(after, claim.bounds()), "judged": number}
    if before is not None:
        ours["before"] = as_number(before, claim.bounds())
    decided = {True: "yes", False: "no", None: "the interval does not decide"}
    said = f"{claim.rule.capitalize()}: {decided[lies(number, *claim.region)]}."
    if number["low"] is None:
        said = "One seed has no interval, so nothing is claimed."
    if claim.fixed:
        said = _fixed(claim, number)
    return _row(claim) | {
        "model": model,
        "title": TITLES.get(model, model),
        "taught": taught,
        "ahead": claim.ahead if ahead is None else ahead,
        "ours": ours,
        "interval": None if number["low"] is None else f"95 % over {over}",
        "seeds": number["n"] if over == "seeds" else None,
        **about,
        "verdict": verdict(number, claim, taught=taught),
        "sentence": " ".join(s for s in (said, claim.note, note) if s),
    }


def _fixed(claim: Claim, number: Number) -> str:
    low, high = claim.region
    ends = [number[k] for k in ("value", "low", "high") if number[k] is not None]
    if not all(low - 1e-9 <= x <= high + 1e-9 for x in ends):
        raise ValueError(
            f"claim {claim.id!r} is true by construction, with {claim.rule}, and yet "
            f"our number is {number['value']:g}: the games were scored wrongly"
        )
    return f"{claim.rule.capitalize()} by the rules of the game."


def unweighed(claim: Claim, why: str = "", **source: Any) -> dict[str, Any]:
    """The row of a claim without a number of ours: *cannot be tested here* for the
    claim's own reason, else *not run yet* for ``why``."""
    said = {"verdict": CANNOT if claim.cannot else NOT_RUN}
    return _row(claim) | said | {"source": source, "sentence": claim.cannot or why}


def _row(claim: Claim) -> dict[str, Any]:
    ours = (
        "model",
        "title",
        "taught",
        "ahead",
        "ours",
        "interval",
        "seeds",
        "games",
        "split",
    )
    return {
        "id": claim.id,
        "kind": claim.kind,
        "by": SOURCES[claim.kind],
        "section": claim.section,
        "claim": claim.claim,
        "paper": dict(claim.paper) or "not reported",
        "unit": claim.unit,
        "of": claim.of,
        "rule": claim.rule,
        "sides": list(claim.sides),
        **dict.fromkeys(ours),
        "source": {},
    }


def cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """A row as text: claim, paper, ours (before → after, or the factor), verdict.
    ``at`` in the paper's numbers says which round *after* is of, if not the last."""
    paper, ours, unit = row["paper"], row["ours"], row["unit"]
    if not isinstance(paper, str):
        at = f" ({paper['at']})" if "at" in paper else ""
        told = {
            k: v if isinstance(v, str) else shown(v, unit)
            for k, v in paper.items()
            if k != "at"
        }
        if set(told) == {"before", "after"}:
            paper = f"{told['before']} → {told['after']}" + at
        else:
            named = ("after", "factor", "trend")
            paper = ", ".join(v if k in named else f"{k}: {v}" for k, v in told.items())
            paper += at
    sides = ("judged",) if row["of"] == "factor" else ("before", "after")
    mine = " → ".join(shown(ours[s], unit) for s in sides if s in ours) if ours else "–"
    return row["claim"], paper, mine, row["verdict"]


def shown(number: Any, unit: str = "") -> str:
    """A number with its interval as text; shares of a whole in per cent.

    >>> shown({"value": 0.5, "low": 0.4, "high": 0.61}, "share of games"), shown(5.8)
    ('50 % [40, 61]', '5.8')
    """
    share = unit.startswith("share")
    scale = 100 if share else 1
    if not isinstance(number, Mapping):
        return f"{scale * number:,.10g}" + (" %" if share else "")
    value, *ends = (number[k] for k in ("value", "low", "high"))
    digits = (0 if abs(scale * value) >= 10 else 1) if share else 2
    told = [
        "" if x is None else f"{round(scale * x, digits) + 0.0:.{digits}f}"
        for x in (value, *ends)
    ]
    text = told[0] + (" %" if share else "")
    exact = None in ends or ends[0] == ends[1]
    return text if exact else f"{text} [{told[1]}, {told[2]}]"
