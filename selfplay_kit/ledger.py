"""A claim, our number for it, and the verdict that follows: by rule, never by hand.

A :class:`Claim` says where our number would have to lie. The verdict asks where the
number's whole 95 % interval lies: inside, outside, or neither, which is *not decided*.
What the first two may be called depends on the model. A model made for this game
(``tiny``) was taught to play it, so it can show how the algorithm works and no more:
*illustrates* or *does not illustrate*. Only a pre-trained model can read *holds* or
*differs*. Where nothing can be said, the row says so and why.

>>> rise = Claim("rise", "scores", "Points rise.", of="change", above=0)
>>> weigh(rise, [5.1, 5.4, 5.2], [0.5, 0.6, 0.4], model="tiny-weak")["verdict"]
'illustrates'
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

from . import data
from .metrics import seed_interval

ILLUSTRATES, NOT_ILLUSTRATES = "illustrates", "does not illustrate"
HOLDS, DIFFERS, UNDECIDED = "holds", "differs", "not decided"
CANNOT, NOT_RUN = "cannot be tested here", "not run yet"
VERDICTS = (ILLUSTRATES, NOT_ILLUSTRATES, HOLDS, DIFFERS, UNDECIDED, CANNOT, NOT_RUN)
KINDS = ("result", "beside", "question")
QUANTITIES = {
    "after": "the number",
    "change": "the change",
    "factor": "the factor",
    "new seed": "the change that one more seed would show",
}
MADE, PRETRAINED = ("tiny",), ("smollm2",)  # how the models' names begin here

Number = dict[str, Any]  # value, low, high, n; over seeds their values, too


@dataclass(frozen=True)
class Claim:
    """One claim, and where our number would have to lie for it.

    ``of`` is the number that is judged: ``after`` alone, its ``change`` from before
    or its ``factor`` (per seed), or the change in a ``new seed`` (a prediction
    interval). It has to lie ``above``, ``below``, ``between`` or ``near`` (within
    that share of the paper's number); or ``cannot`` says why no model of ours can
    speak to it. ``kind``: a ``result`` of the paper, something to read ``beside``
    it, or a ``question`` that readers asked. ``sides`` name before and after.
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


def is_pretrained(model: str) -> bool:
    """Whether ``model`` is a pre-trained one; ``ValueError`` where its name does
    not say (then tell :func:`weigh`)."""
    for known in (MADE, PRETRAINED):
        if model.lower().startswith(known):
            return known is PRETRAINED
    raise ValueError(
        f"is {model!r} a pre-trained model, or one made for this game? Its name does "
        f"not say: models called {MADE[0]} were made for it, models called "
        f"{PRETRAINED[0]} are pre-trained. Pass pretrained=True or False."
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


def verdict(number: Number, claim: Claim, *, pretrained: bool) -> str:
    """What ``number`` lets us say of ``claim``: the rule of this module."""
    found = lies(number, *claim.region)
    if number["low"] is None:
        return CANNOT
    if found is None:
        return UNDECIDED
    yes, no = (HOLDS, DIFFERS) if pretrained else (ILLUSTRATES, NOT_ILLUSTRATES)
    return yes if found else no


def judged(claim: Claim, after: Any, before: Any = None) -> Number:
    """The number that ``claim`` is about, with its interval.

    ``after`` and ``before`` are the values of seeds 0, 1, ... (change and factor are
    taken seed by seed; where one side has more, its first ones), or a recorded
    number that holds them. An exact ``before`` is a plain number. The change between
    two intervals without values reaches from end to end: above 0, they lie apart.
    """
    if claim.of == "after":
        return as_number(after)
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
    change = as_number([a - b for a, b in pairs])
    if claim.of == "change" or change["low"] is None:
        return change
    half = (change["high"] - change["value"]) * (change["n"] + 1) ** 0.5
    return change | {"low": change["value"] - half, "high": change["value"] + half}


def _seeded(x: Any) -> bool:
    return not isinstance(x, Mapping) or "values" in x or "low" not in x


def _apart(after: Number, before: Number) -> Number:
    pairs = (("low", "high"), ("value", "value"), ("high", "low"))
    ends = [(after[a], before[b]) for a, b in pairs]
    low, value, high = (None if None in e else e[0] - e[1] for e in ends)
    return {"value": value, "low": low, "high": high, "n": after["n"]}


def as_number(x: Any) -> Number:
    """Values over seeds as a number with its t interval, an exact number as one
    without width; a recorded number as it is."""
    if isinstance(x, Mapping):
        return dict(x)
    if isinstance(x, int | float):
        return {"value": float(x), "low": float(x), "high": float(x), "n": None}
    return seed_interval(x) | {"values": list(x)}


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
    pretrained: bool | None = None,
    over: str = "seeds",
    note: str = "",
    **about: Any,
) -> dict[str, Any]:
    """The row of ``claim`` for ``model``: paper, ours, verdict, a sentence.

    ``after`` and ``before`` as in :func:`judged`; ``over`` is what the interval is
    over (``seeds`` or ``scenarios``), ``note`` is said after the answer. ``about``
    are ``split``, ``games`` (of each seed) and ``source``. ``ValueError`` for a claim
    that can't be tested here, and where ``model`` does not say whether it is
    pre-trained.
    """
    if claim.cannot:
        raise ValueError(f"claim {claim.id!r} can't be tested here: {claim.cannot}")
    told = is_pretrained(model) if pretrained is None else pretrained
    number = judged(claim, after, before)
    ours = {"after": as_number(after), "judged": number}
    if before is not None:
        ours["before"] = as_number(before)
    decided = {True: "yes", False: "no", None: "the interval does not decide"}
    said = f"{claim.rule.capitalize()}: {decided[lies(number, *claim.region)]}."
    if number["low"] is None:
        said = "One seed has no interval, so nothing is claimed."
    return _row(claim) | {
        "model": model,
        "pretrained": told,
        "ours": ours,
        "interval": None if number["low"] is None else f"95 % over {over}",
        "seeds": number["n"] if over == "seeds" else None,
        **about,
        "verdict": verdict(number, claim, pretrained=told),
        "sentence": " ".join(s for s in (said, claim.note, note) if s),
    }


def unweighed(claim: Claim, why: str = "", **source: Any) -> dict[str, Any]:
    """The row of a claim without a number of ours: *cannot be tested here* for the
    claim's own reason, else *not run yet* for ``why``."""
    said = {"verdict": CANNOT if claim.cannot else NOT_RUN}
    return _row(claim) | said | {"source": source, "sentence": claim.cannot or why}


def _row(claim: Claim) -> dict[str, Any]:
    ours = ("model", "pretrained", "ours", "interval", "seeds", "games", "split")
    return {
        "id": claim.id,
        "kind": claim.kind,
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
    """A row as text: claim, paper, ours (before → after, or the factor), verdict."""
    paper, ours, unit = row["paper"], row["ours"], row["unit"]
    if not isinstance(paper, str):
        told = {
            k: v if isinstance(v, str) else shown(v, unit) for k, v in paper.items()
        }
        if set(told) == {"before", "after"}:
            paper = f"{told['before']} → {told['after']}"
        else:
            named = ("after", "factor", "trend")
            paper = ", ".join(v if k in named else f"{k}: {v}" for k, v in told.items())
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
