"""What talk is worth: count what is stated, then take it away and count again.

That a pair talks and that it scores well does not show that talk did it. So an
:class:`Ablated` player's table changes what a *listener* hears of the speaker's
stated values, and nothing else; if the score does not fall, the words carried
nothing (*positive listening* of Lowe et al. 2019, arXiv 1903.05168). The speaker's
own memory of what it said stays as it was.

Read are statements of all three values in the form of ``phrasebook.say_values``.
Left out: meaning carried in any other way, an offer for instance. So a drop of 0
says that *stated values* carried nothing, not that no word did.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any

from ..games.deal.game import Transcript
from ..games.deal.phrasebook import GREETINGS, hear, say_values
from ..games.deal.protocol import Line, Position
from ..games.deal.rules import (
    Objective,
    Scenario,
    Share,
    blind_share,
    legal_partner_values,
    max_joint,
)
from ..games.play import Altered, Player, Table, play_games
from .language import spoken
from .metrics import Counts, over_scenarios

ABLATIONS = {
    "replace": "other values that the speaker could have had, drawn by chance",
    "shuffle": "the same three numbers in another order",
    "silence": "a greeting instead of the message",
}
SPEAKERS = ("both", "first", "second")


@dataclass(frozen=True, slots=True)
class Statement:
    """One player's first statement of all three values in a game."""

    seat: int
    opener: bool  # it was said by the player who spoke first in the game
    values: Share
    true: bool  # all three are what the speaker's prompt says


def statements(t: Transcript) -> list[Statement]:
    """The first statement of each player that makes one, in the order of speech.

    >>> from selfplay_kit.games.deal.protocol import Move
    >>> from selfplay_kit.games.deal.rules import COOP
    >>> s = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    >>> said = (Move("[message] for me books =1 hats =3 balls =4 .", seat=0),)
    >>> t = Transcript(s, COOP, 0, said, (0, 0), agreed=False, aborted=True)
    >>> [(x.seat, x.values, x.true) for x in statements(t)]
    [(0, (1, 3, 4), True)]
    """
    found: dict[int, Statement] = {}
    for seat, text in spoken(t):
        values = hear(text).values
        if values is not None and seat not in found:
            true = values == t.scenario.values[seat]
            found[seat] = Statement(seat, seat == t.first, values, true)
    return list(found.values())


def statement_metrics(
    transcripts: Sequence[Transcript], *, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """How often values are stated, and how truly: ``value``, ``low``, ``high``, ``n``.

    ``stated`` is the share of games with a statement, ``by_opener`` and
    ``by_other`` with one of the player who spoke first and of the other; ``true``
    the share of statements with all three values right, ``numbers_true`` the share
    of right numbers in them. 95 % bootstrap over scenarios; ``n`` counts games, or
    statements, or numbers. Raises ``ValueError`` if there are no games.
    """
    if not transcripts:
        raise ValueError("no transcripts: the set is empty")
    counts = [_counts(t) for t in transcripts]
    return over_scenarios([t.scenario for t in transcripts], counts, seed=seed)


def _counts(t: Transcript) -> Counts:
    said = statements(t)
    right = sum(
        a == b
        for x in said
        for a, b in zip(x.values, t.scenario.values[x.seat], strict=True)
    )
    return {
        "stated": (bool(said), 1),
        "by_opener": (any(x.opener for x in said), 1),
        "by_other": (any(not x.opener for x in said), 1),
        "true": (sum(x.true for x in said), len(said)),
        "numbers_true": (right, 3 * len(said)),
    }


def ablate(
    p: Position, how: str, *, speakers: str = "both", seed: int | str = 0
) -> Position:
    """``p`` with the partner's statements of values replaced, shuffled or silenced.

    ``how`` is one of :data:`ABLATIONS`; ``speakers`` says whose statements are
    changed: those of ``both``, or of the ``first`` or the ``second`` speaker of the
    game alone. A line is changed in the same way whenever it is read. Where there
    is no other legal triple, or no other order, the line stays as it is. Raises
    ``ValueError`` for another word.

    >>> from selfplay_kit.games.deal.rules import COOP
    >>> said = (Line("theirs", "for me books =1 hats =3 balls =4 ."),)
    >>> p = Position(0, 1, (3, 1, 1), (2, 4, 0), COOP, said)
    >>> ablate(p, "silence").lines[0].text
    'hi !'
    >>> ablate(p, "silence", speakers="second") == p
    True
    """
    if how not in ABLATIONS or speakers not in SPEAKERS:
        raise ValueError(
            f"how is one of {', '.join(ABLATIONS)} and speakers one of "
            f"{', '.join(SPEAKERS)}; got {how!r} and {speakers!r}"
        )
    partner_first = bool(p.lines) and p.lines[0].by == "theirs"
    if speakers != "both" and partner_first != (speakers == "first"):
        return p
    lines = tuple(
        _changed(line, p, how, f"{seed}/{p.game}/{p.seat}/{i}")
        for i, line in enumerate(p.lines)
    )
    return replace(p, lines=lines)


def _changed(line: Line, p: Position, how: str, seed: str) -> Line:
    values = hear(line.text).values if line.by == "theirs" else None
    if values is None:
        return line
    if how == "silence":
        return Line("theirs", GREETINGS[0])
    others: Sequence[Share] = legal_partner_values(p.counts, p.values)
    if how == "shuffle":
        others = sorted({(a, b, c) for a, b, c in permutations(values)})
    others = [v for v in others if v != values]
    if not others:
        return line
    return Line("theirs", say_values(random.Random(seed).choice(others)))


class Ablated:
    """``player``, but what it hears of its partner's stated values is ablated."""

    def __init__(self, player: Player, how: str, *, speakers: str = "both"):
        self.player, self.how, self.speakers = player, how, speakers
        self.name = f"{player.name}, {how} ({speakers})"

    def sit(self, games: int, *, seed: int | str) -> Table:
        """Sit down to a batch; with the same seed it samples as the player does."""
        table = self.player.sit(games, seed=seed)
        heard = partial(ablate, how=self.how, speakers=self.speakers, seed=seed)
        return Altered(table, heard)


def ablation(
    player: Player,
    scenarios: Sequence[Scenario],
    objective: Objective,
    how: str = "replace",
    *,
    speakers: str = "both",
    seed: int = 0,
    plain: Sequence[Transcript] | None = None,
) -> dict[str, Any]:
    """Play ``scenarios`` twice, once ablated, with the same first speakers.

    Returns ``joint``, ``ablated`` and ``drop``, the fall of the mean joint score in
    points, each with its 95 % bootstrap over scenarios (the drop is paired).
    ``plain`` are the games without ablation, where they have been played with this
    ``seed``.
    """
    plain = plain or play_games(player, scenarios, objective, seed=seed)
    changed = play_games(
        Ablated(player, how, speakers=speakers), scenarios, objective, seed=seed
    )
    counts = []
    for before, after in zip(plain, changed, strict=True):
        joint, ablated = sum(before.points), sum(after.points)
        counts.append(
            {"joint": (joint, 1), "ablated": (ablated, 1), "drop": (joint - ablated, 1)}
        )
    return over_scenarios(scenarios, counts, seed=seed)


def blind_joint(scenario: Scenario) -> float:
    """The joint score of a blind first speaker that is simply accepted, in points:
    exact, the mean over who speaks first.

    >>> blind_joint(Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0))))
    12.5
    """
    total = 0
    for seat in (0, 1):
        mine = blind_share(scenario.counts, scenario.values[seat])
        total += scenario.points(seat, mine)
        total += scenario.points(1 - seat, scenario.complement(mine))
    return total / 2


def reference_joint(scenarios: Sequence[Scenario]) -> dict[str, float]:
    """Mean joint scores over ``scenarios``, exact: ``blind`` (:func:`blind_joint`)
    and ``optimum``, what a pair that knew both values would get.

    >>> from selfplay_kit.games.deal.rules import all_scenarios
    >>> {k: round(v, 3) for k, v in reference_joint(all_scenarios()).items()}
    {'blind': 13.947, 'optimum': 15.058}
    """
    n = len(scenarios)
    return {
        "blind": sum(map(blind_joint, scenarios)) / n,
        "optimum": sum(map(max_joint, scenarios)) / n,
    }
