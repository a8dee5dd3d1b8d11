"""What a study is: its settings, its texts, and who is dealt what, by chance.

Assignment is a function of the settings and of a participant's *place* (0, 1, 2, … in
the order of consent), so nothing has to be looked up or shared between processes.
"""

from __future__ import annotations

import random
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from selfplay_kit.games.deal.rules import OBJECTIVES, SPLITS

DESIGNS = ("within", "between")

CONSENT = """\
This is a small study of how people and computer programs bargain. If you take part, \
you play {games} short games with a program, in about {minutes} minutes.

You are free to say no, and free to stop at any moment: just close the page. Nothing \
follows from it, for your marks or for anything else.

We keep what you write in the games, your proposals, your points and the times. We \
ask for no name and nothing about you: a random code stands for your games. Please \
write nothing in a game that tells who you are.

With your code you can go on later, and you can have your games deleted, here or by \
asking {contact}. They are used {purpose}."""
THANKS = "Thank you for playing. Your games are saved under your code."


TEXTS = ("title", "consent", "thanks", "contact", "purpose", "approval")


def _shown(value: Any) -> str:
    """A value that is refused, cut where it is long."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of thousands of digits has no text
        return f"a number of {value.bit_length()} bits"


def _names(what: str, given: Any) -> tuple[str, ...]:
    """A list of names as a tuple."""
    if not isinstance(given, list | tuple):
        raise ValueError(f"{what} is a list of names; got {_shown(given)}")
    if odd := [n for n in given if type(n) is not str or not n.strip()]:
        raise ValueError(f"{what} is a list of names; got {_shown(odd[0])} in it")
    return tuple(given)


@dataclass(frozen=True)
class Settings:
    """What a study is, as it stands in settings.json.

    ``partners`` name players (see ``partners.partner``); {objective} in a name becomes
    the participant's, as in ``runs/{objective}@10``. ``weights`` holds the hash of each
    player, checked before anybody plays. ``design`` is ``within`` (each participant
    meets every partner, in an order of its own) or ``between`` (one each). Scenarios
    are of ``split``, which no model was trained on. {games}, {minutes}, {contact} and
    {purpose} in ``consent`` are filled in.
    """

    partners: tuple[str, ...]
    objectives: tuple[str, ...] = ("semi",)
    games: int = 6
    design: str = "within"
    show_points: bool = True
    temperature: float = 1.0
    split: str = "test"
    seed: int = 0
    title: str = "A bargaining game"
    consent: str = CONSENT
    thanks: str = THANKS
    contact: str = "the person who runs this study"
    purpose: str = "in this course, to compare programs"
    approval: str = ""  # who approved it, shown with the consent; empty: nobody yet
    weights: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("partners", "objectives"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        if wrong := self._wrong_type() or self._wrong():
            raise ValueError(wrong)

    @classmethod
    def of(cls, data: Any) -> Settings:
        """The settings in ``data``, as read from JSON. Raises ``ValueError``."""
        if not isinstance(data, dict):
            raise ValueError(f"settings are an object, {{...}}; got {_shown(data)}")
        names = [f.name for f in fields(cls)]
        if unknown := [k for k in data if k not in names]:
            raise ValueError(f"no setting is called {', '.join(map(repr, unknown))}")
        if "partners" not in data:
            raise ValueError("partners are missing")
        return cls(**data)

    def _wrong_type(self) -> str | None:
        """What is no text, no number, ... where there must be one."""
        for name in TEXTS:
            text = getattr(self, name)
            if type(text) is not str:
                return f"{name} is a text; got {_shown(text)}"
            if any("\ud800" <= c <= "\udfff" for c in text):
                return f"{name} holds half an emoji, which no page can show: {text!a}"
        if type(self.show_points) is not bool:
            return f"show_points is true or false; got {_shown(self.show_points)}"
        if type(self.seed) is not int or abs(self.seed) >= 2**63:
            return f"seed is a whole number of up to 18 digits; got {_shown(self.seed)}"
        t = self.temperature
        if type(t) not in (int, float) or not 0 <= t <= 100:
            return f"temperature is a number from 0 to 100; got {_shown(t)}"
        if not isinstance(self.weights, Mapping) or not all(
            type(k) is str and type(v) in (str, type(None))
            for k, v in self.weights.items()
        ):
            return f"weights holds a text or null each; got {_shown(self.weights)}"
        return None

    def _wrong(self) -> str | None:
        """What can't be, although its type may."""
        if not self.partners or len(set(self.partners)) < len(self.partners):
            return f"partners are one or more different names; got {self.partners}"
        if not set(self.objectives) <= set(OBJECTIVES):
            return f"objectives are of {', '.join(OBJECTIVES)}; got {self.objectives}"
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            return f"objectives are one or more, each once; got {self.objectives}"
        if type(self.games) is not int or not 1 <= self.games <= 100:
            return (
                f"games, for each participant, are 1 to 100; got {_shown(self.games)}"
            )
        if self.design not in DESIGNS:
            return f"design is {' or '.join(DESIGNS)}; got {_shown(self.design)}"
        if self.design == "within" and self.games < len(self.partners):
            return (
                f"design 'within' needs a game for each of {len(self.partners)} "
                f"partners; games is {self.games}. Ask for more, or for 'between'"
            )
        if self.split not in SPLITS:
            return f"split is one of {', '.join(SPLITS)}; got {_shown(self.split)}"
        if self.weights and set(self.weights) != set(self.players()):
            return f"weights has a hash for each of {self.players()}"
        return None

    def player(self, partner: str, objective: str) -> str:
        """The name of the player that is ``partner`` under an objective."""
        return partner.replace("{objective}", objective)

    def players(self) -> list[str]:
        """The names of all players, each once."""
        pairs = ((p, o) for p in self.partners for o in self.objectives)
        return list(dict.fromkeys(self.player(*pair) for pair in pairs))

    def group(self, slot: int) -> tuple[str, str]:
        """(objective, partner or ``"all"``) of a place: balanced in each block of
        as many places as there are groups, in a random order."""
        ones = self.partners if self.design == "between" else ("all",)
        groups = [(o, p) for o in self.objectives for p in ones]
        block, at = divmod(slot, len(groups))
        random.Random(f"{self.seed}/block {block}").shuffle(groups)
        return groups[at]

    def plan(self, slot: int) -> list[str]:
        """The partner of each game of a place: as equal in number as can be, in a
        random order."""
        partner = self.group(slot)[1]
        if partner != "all":
            return [partner] * self.games
        turn = slot // len(self.objectives)  # who is met once more than the others
        some = [
            self.partners[(turn + i) % len(self.partners)] for i in range(self.games)
        ]
        random.Random(f"{self.seed}/slot {slot}").shuffle(some)
        return some

    def consent_text(self) -> str:
        """The consent text with its blanks filled in."""
        filled: dict[str, Any] = {"games": self.games, "minutes": 2 * self.games}
        filled |= {"contact": self.contact, "purpose": self.purpose}
        text = self.consent
        for name, value in filled.items():
            text = text.replace("{" + name + "}", str(value))
        return text + (f"\n\nApproved by: {self.approval}." if self.approval else "")
