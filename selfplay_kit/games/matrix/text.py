"""How a repeated 2x2 game reads, and how a choice is read from text.

An answer is ``[choose] J``, or ``[predict] F [choose] J`` with a prediction of the
other's choice first: the social chain of thought of Akata et al. (2025), in one output
where they ask twice. A bare ``J``
or ``Option J`` is taken too. The first line counts alone. Labels are letters without
a meaning, and the prompt lists them by the alphabet: neither a letter nor a place in
the list tells which action is the cooperative one. The wording is the kit's own.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import ClassVar

from ..base import Line, Objective, Seen, only_words
from .rules import LETTERS, Matrix

CHOOSE, PREDICT = "[choose]", "[predict]"
STYLES = ("long", "scot", "short")
ERRORS = {
    "no_choice": "An answer is [choose] and one of the two options, and nothing else.",
    "no_option": "What is named is none of the two options.",
    "second_choice": "An answer holds exactly one choice.",
    "no_prediction": "A prediction is [predict] and one of the two options, and then "
    "comes [choose].",
}
WORDS = (  # of the style "short", for a model whose vocabulary is written out by hand
    *(CHOOSE, PREDICT, "[played]", "rounds", *LETTERS.lower()),
    *(f"[error {error}]" for error in ERRORS),
)
_PREFIX = re.compile(r"\[\s*(choose|predict)\s*\]", re.IGNORECASE)
_ANSWER = re.compile(
    r"(?:\[\s*predict\s*\]\s*(?:option\s+)?(?P<predict>\w+)[^\w\[]*"
    r"(?=\[\s*choose))?"
    r"(?:\[\s*choose\s*\]\s*)?(?:option\s+)?(?P<choose>\w+)[^\w\[]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the parser saw: actions 0 or 1, or the error it makes."""

    choice: int | None = None
    predicted: int | None = None
    error: str | None = None


def parse(text: str, labels: tuple[str, str]) -> Reading:
    """Read one output. Never raises, and never guesses what was meant.

    >>> parse("[predict] F [choose] J", ("J", "F"))
    Reading(choice=0, predicted=1, error=None)
    >>> parse("J or F", ("J", "F")).error
    'second_choice'
    """
    line = first_line(text)
    answer = _ANSWER.fullmatch(line)
    if answer is None:
        named = [w for w in re.findall(r"\w+", line) if w.upper() in labels]
        prefixes = [p.lower() for p in _PREFIX.findall(line)]
        if prefixes.count("choose") > 1 or (len(named) > 1 and not prefixes):
            return Reading(error="second_choice")
        return Reading(error="no_prediction" if "predict" in prefixes else "no_choice")
    choice, predicted = (_action(answer[g], labels) for g in ("choose", "predict"))
    if choice is None:
        return Reading(error="no_option")
    if answer["predict"] and predicted is None:
        return Reading(error="no_prediction")
    return Reading(choice, predicted)


def first_line(text: str) -> str:
    """The line that counts."""
    return text.strip().partition("\n")[0].strip()


def _action(word: str | None, labels: tuple[str, str]) -> int | None:
    return labels.index(word.upper()) if word and word.upper() in labels else None


def choose(label: str, predicted: str | None = None) -> str:
    """The text of a choice, behind a prediction if there is one."""
    return (f"{PREDICT} {predicted} " if predicted else "") + f"{CHOOSE} {label}"


def slip(labels: tuple[str, str], rng: random.Random) -> str:
    """An invalid output of one of the kinds that there are."""
    one, two = labels
    wrong = rng.choice([x for x in LETTERS if x not in labels])
    slips = ("", CHOOSE, choose(wrong), f"{one} {two}", f"{PREDICT} {choose(one)}")
    return rng.choice(slips)


@dataclass(frozen=True, slots=True)
class Position(Seen):
    """What one seat may see: the payoffs, and the rounds that both have played."""

    kind: ClassVar[str] = "matrix"

    game: int  # the game's number in its batch
    seat: int
    task: Matrix
    objective: Objective
    lines: tuple[Line, ...] = ()

    @property
    def history(self) -> tuple[tuple[int, int], ...]:
        """My action and the other's in each round that has been played."""
        played = (x.text.split() for x in self.lines if x.by == "played")
        index = self.task.labels.index
        return tuple((index(mine), index(theirs)) for _, mine, theirs in played)

    def pays(self, mine: int, theirs: int) -> tuple[int, int]:
        """My points and the other's in one round."""
        x, y = self.task.pays(*((mine, theirs) if self.seat == 0 else (theirs, mine)))
        return (x, y) if self.seat == 0 else (y, x)

    def cells(self) -> list[tuple[str, str, int, int]]:
        """My label, the other's, my points, the other's: by the alphabet."""
        labels = self.task.labels
        places = [(a, b) for a in (0, 1) for b in (0, 1)]
        return sorted((labels[a], labels[b], *self.pays(a, b)) for a, b in places)

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """What can be clicked: a label and the move that it makes."""
        return tuple((label, choose(label)) for label in sorted(self.task.labels))

    def system(self, style: str) -> str:
        """The prompt, in a style of :data:`STYLES`."""
        if style not in STYLES:
            raise ValueError(f"style is one of {', '.join(STYLES)}; got {style!r}")
        one, two = sorted(self.task.labels)
        if style == "short":
            cells = " ".join(f"{a} {b} ={x} ={y}" for a, b, x, y in self.cells())
            lam = f"{self.objective.lam:+.2f}"
            return f"rounds {self.task.rounds} {cells} reward mine {lam} theirs".lower()
        cells = "\n".join(
            f"If you choose {a} and the other player chooses {b}, you get {x} points "
            f"and the other player gets {y} points."
            for a, b, x, y in self.cells()
        )
        answer = _SCOT if style == "scot" else _PLAIN
        return _LONG.format(
            rounds=self.task.rounds,
            cells=cells,
            goal=_goal(self.objective.lam),
            answer=answer.format(one=one, two=two),
            one=one,
            two=two,
        )

    def heard(self, line: Line, style: str) -> str:
        """How a line that is not the seat's own reads to it: no word of it is the
        other player's, who has two labels to choose from and no more."""
        if line.by == "correction":
            if style == "short":
                return f"[error {line.text}]"
            return f"Invalid output. {ERRORS[line.text]} Please try again."
        number, a, b = line.text.split()
        index = self.task.labels.index
        x, y = self.pays(index(a), index(b))
        if style == "short":
            return f"[played] {a} {b} ={x} ={y}".lower()
        left = self.task.rounds - int(number)
        return (
            f"Round {number}: you chose {a} and got {x} points; the other player chose "
            f"{b} and got {y} points. "
            + (f"Rounds left: {left}." if left else "The game is over.")
        )

    def own(self, text: str) -> str:
        """An own output, as a server may read it back."""
        words, end = "", 0
        for prefix in _PREFIX.finditer(text):
            words += only_words(text[end : prefix.start()]) + prefix.group()
            end = prefix.end()
        return words + only_words(text[end:])

    def accepted(self, text: str) -> str:
        """What the game takes of an accepted output: its first line."""
        return first_line(text)


_LONG = """\
You and another player play {rounds} rounds of a game. In each round both of you \
choose {one} or {two} at the same time: neither sees the other's choice before both \
are made.

{cells}

{goal}

{answer}"""
_PLAIN = "Answer with [choose] and then {one} or {two}, and nothing else."
_SCOT = (
    "First predict what the other player will choose in this round, then choose. "
    "Answer with [predict], then {one} or {two}, then [choose], then {one} or {two}, "
    "and nothing else."
)


def _goal(lam: float) -> str:
    worth: dict[float, str] = {
        0: "your own points",
        1: "your points plus the other player's points",
        -1: "your points minus the other player's points",
    }
    sign = "plus" if lam > 0 else "minus"
    mixed = f"your points {sign} {abs(lam):g} times the other player's points"
    what = worth.get(lam, mixed)
    return f"Your reward is {what}, over all rounds. Make it as large as you can."
