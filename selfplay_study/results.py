"""What a study's games say: a row for each, CSV files, and the arms compared.

Games of one person are not independent, so people are the unit: every interval
resamples *participants*, within the groups that they were assigned to (a stratified
cluster bootstrap), and is the estimate ± t x the standard error of the resampled
estimates, with as many degrees of freedom as there are participants beyond the
groups. Only games that were played to their end count.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.measure.metrics import RESAMPLES, pareto_points

from .folder import Participant, Study
from .plan import Settings

Row = dict[str, Any]
MEASURES = ("model_points", "person_points", "joint", "agreement", "pareto")
MOST = {
    "model_points": 10,
    "person_points": 10,
    "joint": 20,
    "agreement": 1,
    "pareto": 1,
}
COLUMNS = {
    "games.csv": (
        *("code", "simulated", "group", "objective", "partner", "place", "finished"),
        *("began", "ended", "books_hats_balls", "person_values", "model_values"),
        *("person_first", "moves", "aborted_by", *MEASURES),
    ),
    "moves.csv": ("code", "place", "finished", "move", "by", "text", "error"),
}
# Where a spreadsheet may begin a cell (separators differ by country), what it passes
# over there, and what begins a formula, in full width and small, too.
BREAKS = r"\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029"
UNSEEN = r"\x00-\x08\x0e-\x1b\x7f\u200b-\u200f\u202a-\u202e\u2060\ufeff"
FORMULA = re.compile(
    rf"""((?:^|[,;|{BREAKS}])(?:[^\S{BREAKS}]|["{UNSEEN}])*)('*[=+\-@＝＋－＠﹦﹢﹣﹫−])"""
)
POWER = 1.96 + 0.84  # z of a 5 % error of either side and of 80 % power


def rows(study: Study) -> list[Row]:
    """One row a game, begun or finished, in the order of the participants' places."""
    people = study.participants()
    return [_row(study.settings, p, game) for p in people for game in p.begun]


def _row(settings: Settings, who: Participant, game: dict[str, Any]) -> Row:
    seat, end = game["seat"], game["end"]
    row: Row = {
        "code": who.code,
        "simulated": who.simulated,
        "group": settings.group(who.slot)[1],
        "objective": game["objective"],
        "partner": game["partner"],
        "place": game["place"] + 1,
        "finished": bool(end),
        "began": game["time"],
        "ended": end["time"] if end else "",
        "books_hats_balls": " ".join(map(str, game["counts"])),
        "person_values": " ".join(map(str, game["values"][seat])),
        "model_values": " ".join(map(str, game["values"][1 - seat])),
        "person_first": game["first"] == seat,
        "moves": sum(not m["error"] for m in _moves(game)),
        "aborted_by": "",
    }
    if not end:
        return row | dict.fromkeys(MEASURES, "")
    t = transcript_of(game)
    if t.aborted:
        row["aborted_by"] = "person" if t.moves[-1].seat == seat else "model"
    optimal = t.agreed and t.points in pareto_points(t.scenario)
    points = (t.points[1 - seat], t.points[seat], sum(t.points))
    return row | dict(
        zip(MEASURES, (*points, int(t.agreed), int(optimal)), strict=True)
    )


def transcript_of(game: dict[str, Any]) -> Transcript:
    """The transcript of a finished game of :attr:`~.folder.Participant.begun`."""
    return Transcript.from_json(json.dumps(game["end"]["transcript"]))


def _moves(game: dict[str, Any]) -> list[dict[str, Any]]:
    return game["end"]["transcript"]["moves"] if game["end"] else game["moves"]


def to_csv(study: Study, folder: str | Path) -> list[Path]:
    """Write games.csv (a row a game) and moves.csv (a row a move, failed tries too)
    into ``folder``: UTF-8 with the mark that spreadsheets know it by. Texts
    went through :func:`cell`; half an emoji, which UTF-8 can't hold, reads
    ``\\ud83d``."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    moves: list[Row] = [
        {
            "code": p.code,
            "place": g["place"] + 1,
            "finished": bool(g["end"]),
            "move": i,
            "by": "person" if m["seat"] == g["seat"] else "model",
            "text": m["text"],
            "error": m["error"] or "",
        }
        for p in study.participants()
        for g in p.begun
        for i, m in enumerate(_moves(g), 1)
    ]
    tables = {"games.csv": rows(study), "moves.csv": moves}
    for name, table in tables.items():
        with (folder / name).open(
            "w", encoding="utf-8-sig", errors="backslashreplace", newline=""
        ) as f:
            out = csv.DictWriter(f, COLUMNS[name])
            out.writeheader()
            for row in table:
                safe = {k: cell(v) if type(v) is str else v for k, v in row.items()}
                out.writerow(safe)
    return [folder / name for name in tables]


def cell(text: str) -> str:
    """``text`` for a table that no spreadsheet takes for a formula, whatever it parts
    cells at: an apostrophe before each sign that begins a formula at the start of the
    text or after a separator or line break. :func:`original` takes them away again.

    >>> cell("fine;=1+1")
    "fine;'=1+1"
    """
    return FORMULA.sub(r"\1'\2", text)


def original(text: str) -> str:
    """The text that :func:`cell` was given.

    >>> original(cell("'=1\\n@x")) == "'=1\\n@x"
    True
    """
    return FORMULA.sub(lambda m: m[1] + m[2].removeprefix("'"), text)


def mean(games: Sequence[Row], measure: str, *, seed: int = 0) -> dict[str, Any]:
    """The mean of ``measure`` over games: ``value``, ``low``, ``high``, ``n`` games
    and ``people``. An interval ends where the measure does. One participant has none,
    and people who are all alike have one of no width: too few to tell."""
    games = [g for g in games if g["finished"]]
    found = _estimate(games, measure, [0] * len(games), (1,), seed)
    if found["low"] is not None and measure in MOST:
        found["low"] = max(found["low"], 0.0)
        found["high"] = min(found["high"], float(MOST[measure]))
    return found


def difference(
    games: Sequence[Row],
    measure: str,
    before: str,
    after: str,
    *,
    aim: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """How much more of ``measure`` there is with partner ``after`` than ``before``.

    Beside the interval, ``needed`` is how many participants would show a difference
    of ``aim`` (by default the one found, which is itself uncertain) in four studies
    of five, at 5 %, if they play as many games and vary as much as these did.
    ``None`` where that can't be told.
    """
    games = [g for g in games if g["finished"] and g["partner"] in (before, after)]
    if len({g["objective"] for g in games}) > 1:
        raise ValueError("these games have several objectives: compare within one")
    arms = [int(g["partner"] == after) for g in games]
    found = _estimate(games, measure, arms, (-1, 1), seed)
    wanted = found["value"] if aim is None else aim
    found["needed"] = None
    if found["error"] and wanted:
        found["needed"] = math.ceil(
            found["people"] * (POWER * found["error"] / wanted) ** 2
        )
    return found


def _estimate(
    games: Sequence[Row], measure: str, arms: Sequence[int], signs: Sequence[int], seed
) -> dict[str, Any]:
    """The sum over arms of sign x mean, with its interval over participants."""
    import numpy as np
    from scipy import stats

    group = {g["code"]: (g["objective"], g["group"]) for g in games}
    place = {code: i for i, code in enumerate(group)}
    top = np.zeros((len(place), len(signs)))
    bottom = np.zeros_like(top)
    for g, arm in zip(games, arms, strict=True):
        top[place[g["code"]], arm] += g[measure]
        bottom[place[g["code"]], arm] += 1
    found: dict[str, Any] = {"value": None, "low": None, "high": None, "error": None}
    found |= {"n": len(games), "people": len(place)}
    if not (bottom.sum(0) > 0).all():
        return found

    def combined(weights):
        n = weights @ bottom
        return (weights @ top / np.where(n > 0, n, np.nan)) @ np.array(signs)

    found["value"] = float(combined(np.ones(len(place))))
    strata = [
        [place[code] for code in group if group[code] == one]
        for one in dict.fromkeys(group.values())
    ]
    free = len(place) - len(strata)
    if free < 1:
        return found
    rng = np.random.default_rng(seed)
    drawn = np.zeros((RESAMPLES, len(place)))
    for people in strata:
        even = [1 / len(people)] * len(people)
        drawn[:, people] = rng.multinomial(len(people), even, RESAMPLES)
    error = float(np.nanstd(combined(drawn), ddof=1)) * math.sqrt(len(place) / free)
    half = error * float(stats.t.ppf(0.975, free))
    ends = {"low": found["value"] - half, "high": found["value"] + half}
    return found | ends | {"error": error}
