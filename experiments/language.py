"""What ten rounds of self-play do to the words, into ``language.json``.

Read from the run folders of ``spine`` (which makes them): each round's own play, at
temperature 1 on the training split. Nothing is trained here, and a rerun gives the
same numbers. What ``data/reference/language.json`` holds:

``config``      ``base``, ``rounds``, ``games`` a round, ``seeds``; ``rarefied``: to
                how many {words, messages, deals} the counts are
``objectives``  semi, coop, strict: {
                    ``rounds``: a list, one entry a round: {
                        ``round``: its number,
                        METRIC: {value, low, high, n, values}},
                    ``correlation``: {``all``, ``agreed``: {value, low, high, n,
                        values}}, Pearson's r of round and a game's score (both
                        players' points), over all games of all rounds and over
                        agreed ones}
``matched``     semi, coop: the same for the control, in which as many views are drawn
                by chance as the filtered run of the same seed kept
``labels``      template, free_development, free_test: how the readers of claims agree
                with the labelled messages of ``data/labels``: {``precision``,
                ``recall``: {value, low, high, n}} with the 95 % Wilson interval

A METRIC's ``value`` is the mean over seeds of training with the 95 % t interval
between them (of shares and correlations on the logit scale), ``n`` seeds, ``values``
by seed. Of ``metrics`` (see ``summarise``): agreement, mean_points, mean_joint,
error_rate, abort_rate, messages, words, points_agreed, gain_all, gain_agreed,
nash_distance, maxmin_distance, first_mover.
Of ``language``: vocabulary, entropy_1, entropy_2, distinct_messages,
distinct_deals, moves. Of ``consistency`` (claims that the exact reader can read):
inconsistent, claiming, false_values, false_counts, false_agreement. One that no
seed could count is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from selfplay_kit import data
from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.learn.rounds import Round, read_rounds
from selfplay_kit.measure.claims import Reader, exact, free
from selfplay_kit.measure.consistency import INCONSISTENCY, false_claims, inconsistency
from selfplay_kit.measure.language import DEALS, LANGUAGE, MESSAGES, WORDS, language
from selfplay_kit.measure.metrics import DEAL_METRICS, SIGNED, seed_interval, summarise

from .record import over_seeds, provenance, save

COUNTED = (
    "agreement",
    "mean_points",
    "mean_joint",
    "error_rate",
    "abort_rate",
    "messages",
    "words",
    *DEAL_METRICS,
    *LANGUAGE,
    "moves",
    *INCONSISTENCY,
)
ARMS = {
    "objectives": ("above_mean", ("semi", "coop", "strict")),
    "matched": ("drawn", ("semi", "coop")),
}


def collect(
    runs: Path, *, base: str = "tiny-weak", tell: Callable[[str], None] = print
) -> dict[str, Any]:
    """Count all that is in the run folders ``BASE-OBJECTIVE-FILTER-seedN`` of
    ``runs``. Raises ``ValueError`` where there is no such folder with rounds."""
    result: dict[str, Any] = {"provenance": provenance(), "config": {"base": base}}
    for arm, (kept, objectives) in ARMS.items():
        result[arm] = {}
        for objective in objectives:
            name = f"{base}-{objective}-{kept}"
            seeds = [read_rounds(f) for f in sorted(runs.glob(f"{name}-seed*"))]
            seeds = [rounds for rounds in seeds if rounds]
            if not seeds:
                raise ValueError(
                    f"{runs} has no run called {name}-seed0 or the like; "
                    "`python -m experiments spine` plays them"
                )
            result[arm][objective] = over_runs(seeds)
            tell(f"{arm}, {objective}: {len(seeds)} seeds")
    first = read_rounds(next(runs.glob(f"{base}-semi-above_mean-seed*")))
    result["config"] |= {
        "rounds": len(first) - 1,
        "games": len(first[0].games()),
        "seeds": {
            arm: {o: r["correlation"]["all"]["n"] for o, r in result[arm].items()}
            for arm in ARMS
        },
        "rarefied": {"words": WORDS, "messages": MESSAGES, "deals": DEALS},
    }
    return result | {"labels": score_labels()}


def over_runs(seeds: Sequence[Sequence[Round]]) -> dict[str, Any]:
    """Round by round over seeds, and the correlation of round and score."""
    rows: list[dict[str, Any]] = []
    scores: list[list[list[Transcript]]] = [[] for _ in seeds]
    for same in zip(*seeds, strict=True):
        found = []
        for games, r in zip(scores, same, strict=True):
            played = r.games()
            games.append(played)
            found.append(count(played))
        rows.append({"round": same[0].number} | over_seeds(found, COUNTED))
    return {
        "rounds": rows,
        "correlation": {
            "all": _over(correlation(games) for games in scores),
            "agreed": _over(correlation(games, agreed=True) for games in scores),
        },
    }


def count(games: Sequence[Transcript]) -> dict[str, dict[str, Any]]:
    """Every metric of :data:`COUNTED` for the games of one round."""
    return summarise(games) | language(games) | inconsistency(games)


def read_labels() -> list[dict[str, Any]]:
    """The labelled messages that ship; their card says what a line holds."""
    text = data.path("labels/inconsistency.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def score_labels() -> dict[str, dict[str, Any]]:
    """Precision and recall of ``exact`` on the templates, of ``free`` on the rest."""
    sets: dict[str, tuple[Reader, list[dict[str, Any]]]] = {
        "template": (exact, []),
        "free_development": (free, []),
        "free_test": (free, []),
    }
    for row in read_labels():
        form = "template" if row["form"] == "template" else f"free_{row['split']}"
        sets[form][1].append(row)
    return {form: _agreement(rows, read) for form, (read, rows) in sets.items()}


def _agreement(rows: Sequence[dict[str, Any]], read: Reader) -> dict[str, Any]:
    pairs = [(row["inconsistent"], found_false(row, read)) for row in rows]
    both = sum(true and found for true, found in pairs)
    return {
        "precision": share_of(both, sum(found for _, found in pairs)),
        "recall": share_of(both, sum(true for true, _ in pairs)),
    }


def found_false(row: dict[str, Any], read: Reader) -> bool:
    """Whether ``read`` finds a false claim in a labelled message."""
    counts, values = tuple(row["counts"]), tuple(row["values"])
    heard = read(row["heard"], counts) if row["heard"] else None
    then = tuple(row["then"]) if row["then"] else None
    said = read(row["text"], counts)
    return bool(false_claims(said, counts, values, heard=heard, then=then))


def share_of(k: int, n: int) -> dict[str, Any]:
    """``k`` of ``n`` as a share with the 95 % Wilson interval."""
    from scipy.stats import binomtest

    if not n:
        return {"value": None, "low": None, "high": None, "n": 0}
    ends = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return {"value": k / n, "low": float(ends.low), "high": float(ends.high), "n": n}


def correlation(
    rounds: Sequence[Sequence[Transcript]], *, agreed: bool = False
) -> float | None:
    """Pearson's r, over games, of the round and the score X + Y; ``None`` where
    one of them does not vary."""
    import numpy as np

    pairs = [
        (n, sum(t.points))
        for n, games in enumerate(rounds)
        for t in games
        if t.agreed or not agreed
    ]
    x, y = np.array(pairs, float).reshape(-1, 2).T
    if len(pairs) < 2 or not x.std() or not y.std():
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _over(found: Iterable[float | None]) -> dict[str, Any]:
    values = [v for v in found if v is not None]
    return seed_interval(values, bounds=SIGNED) | {"values": values}


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments language`` takes."""
    p.add_argument("--runs", type=Path, default=Path("runs/spine"))
    p.add_argument("--out", type=Path, default=Path("data/reference/language.json"))


def go(given: argparse.Namespace) -> None:
    """Count, and write the file."""
    save(collect(given.runs), given.out, compact=True)
