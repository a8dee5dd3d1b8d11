"""How long the summary of 100,000 transcripts takes, side by side in one run.

    python benchmarks/summarise.py [--games 100000] [--repeats 3] [--out FILE]

Against the same values and intervals by pandas: a row a game, grouped by scenario,
resampled by `DataFrame.sample` (where pandas is installed), and against one pass of
the standard library without any interval, which is the least that reading all moves
can cost. Games are scripted, seeded, and played before the clock starts. Medians; the
repeats are interleaved; caches are emptied before each. All three must find the same
values. `seconds` are the wall's, `cpu_seconds` the process's own: on a machine that
others use too (`load`, the mean number of waiting processes), only these compare.

Part of the lead is that `summarise` reads a message that was said before only once.
Scripts and small models repeat themselves; free English does so less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from pathlib import Path

from experiments.record import provenance
from selfplay_kit.games.deal.protocol import parse
from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.deal.scripted import Fair
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import RESAMPLES, _length, facts, summarise

COMPARED = ("mean_joint", "agreement", "pareto_agreed", "messages", "words")


def rows(games):
    """Plain numbers of each game, by one pass over its moves."""
    for t in games:
        joint = sum(t.points)
        texts = [
            r.text
            for m in t.moves
            if not m.error and (r := parse(m.text, t.scenario.counts)).kind == "message"
        ]
        optimal = t.agreed and t.points in facts(t.scenario).pareto
        said = sum(len(text.split()) for text in texts)
        yield t.scenario.key(), joint, t.agreed, optimal, len(texts), said


def plain(games):
    """The values alone, by the standard library."""
    n, sums = 0, [0.0] * 5
    for _, *numbers in rows(games):
        n += 1
        sums = [a + b for a, b in zip(sums, numbers, strict=True)]
    joint, agreed, optimal, messages, words = sums
    return dict(
        zip(
            COMPARED,
            (joint / n, agreed / n, optimal / agreed, messages / n, words / messages),
            strict=True,
        )
    )


def by_pandas(games):
    """Values and intervals as one would write them with pandas."""
    import pandas as pd

    names = ["scenario", "joint", "agreed", "optimal", "messages", "words"]
    table = pd.DataFrame(list(rows(games)), columns=names)
    table["games"] = 1
    sums = table.groupby("scenario").sum().astype(float)

    def ratios(s):
        total = s.sum()
        return {
            "mean_joint": total["joint"] / total["games"],
            "agreement": total["agreed"] / total["games"],
            "pareto_agreed": total["optimal"] / total["agreed"],
            "messages": total["messages"] / total["games"],
            "words": total["words"] / total["messages"],
        }

    drawn = pd.DataFrame(
        [
            ratios(sums.sample(frac=1, replace=True, random_state=i))
            for i in range(RESAMPLES)
        ]
    )
    low, high = drawn.quantile(0.025), drawn.quantile(0.975)
    return {
        k: {"value": v, "low": low[k], "high": high[k]} for k, v in ratios(sums).items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    drawn = random.Random(0).choices(scenarios("train"), k=given.games)
    games = play_games(Fair(0.3), drawn, SEMI, seed=0)
    arms = {"summarise": summarise, "plain_no_intervals": plain}
    try:
        import pandas

        arms["pandas"] = by_pandas
        version = pandas.__version__
    except ImportError:
        version = None
    times: dict[str, list[float]] = {name: [] for name in arms}
    spent: dict[str, list[float]] = {name: [] for name in arms}
    found = {}
    for _ in range(given.repeats):
        for name, arm in arms.items():
            facts.cache_clear()
            _length.cache_clear()
            started, cpu = time.perf_counter(), time.process_time()
            found[name] = arm(games)
            times[name].append(time.perf_counter() - started)
            spent[name].append(time.process_time() - cpu)
    for name in COMPARED:
        ours = found["summarise"][name]
        same = abs(found["plain_no_intervals"][name] - ours["value"]) < 1e-9
        if version:
            theirs = found["pandas"][name]
            width = ours["high"] - ours["low"]
            same &= abs(theirs["value"] - ours["value"]) < 1e-9
            same &= abs(theirs["low"] - ours["low"]) < width / 5
        if not same:  # no assert: it would be skipped under python -O
            raise SystemExit(f"the arms differ in {name}")
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else None
    result = {
        "provenance": provenance(),
        "pandas": version,
        "games": given.games,
        "scenarios": len({t.scenario.key() for t in games}),
        "resamples": RESAMPLES,
        "metrics": {"summarise": len(found["summarise"]), "pandas": len(COMPARED)},
        "seconds": times,
        "cpu_seconds": spent,
        "median": {name: statistics.median(t) for name, t in times.items()},
        "cpu_median": {name: statistics.median(t) for name, t in spent.items()},
        "load": load,
        "reach": 10.0,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
