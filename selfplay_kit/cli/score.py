"""``score``: the metrics of anybody's transcripts, with intervals."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .common import objective_of, row


def add_score(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "files",
        nargs="+",
        type=Path,
        help="the kit's JSON lines, files of Lewis et al., or output folders of the "
        "paper's released code",
    )
    p.add_argument("--format", choices=("kit", "lewis", "released"))
    p.add_argument("--objective", help="a name or lambda, where a file doesn't say")
    p.add_argument("--claims", choices=("exact", "free"), help="how words are read")
    p.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="games on the same scenarios: show each metric less theirs, too, with the "
        "interval of the paired difference and how many games would show it",
    )
    p.add_argument("--json", action="store_true", help="instead of a table")
    p.set_defaults(go=_go_score)


def _go_score(given: argparse.Namespace) -> int:
    from ..measure.claims import exact, free
    from ..measure.consistency import inconsistency
    from ..measure.language import language
    from ..measure.metrics import summarise

    goal = objective_of(given.objective) if given.objective else None
    base = _read(given.against, given, goal)[1] if given.against else []
    scores: dict[str, dict] = {}
    for file in given.files:
        told, games = _read(file, given, goal)
        claims = given.claims or ("exact" if told == "kit" else "free")
        read = exact if claims == "exact" else free
        try:
            found = {"format": told, "games": len(games), "claims": claims} | summarise(
                games, goal
            )
            if games[0].kind == "deal":  # what is read from free talk about a deal
                found |= language(games) | inconsistency(games, read)
            if base:
                found["against"] = _against(games, base, goal)
        except ValueError as e:
            raise ValueError(f"{file}: {e}") from e
        scores[str(file)] = found
    if given.json:
        print(json.dumps(scores, indent=1))
        return 0
    for name, found in scores.items():
        print(f"{name}: {found['games']} games ({found['format']})")
        for metric, m in found.items():
            if isinstance(m, dict) and metric != "against":
                print(row(metric, m))
        if base:
            print(f"less {given.against}, scenario by scenario:")
        for metric, m in found.get("against", {}).items():
            n = m["games_needed"]
            print(row(metric, m) + (f"; {n} games each would show it" if n else ""))
    return 0


def _read(file: Path, given: argparse.Namespace, goal) -> tuple[str, list]:
    """The format of ``file`` and its games; the kit's own are replayed."""
    from ..learn.rounds import numbered_games
    from ..measure.readers import format_of, read_lewis, read_released

    told = given.format or format_of(file)
    if told == "lewis":
        return told, read_lewis(file)
    if told == "released":
        return told, read_released(file, goal)
    games = numbered_games(file)
    for n, t in games:
        try:
            t.replay()
        except ValueError as e:
            raise ValueError(f"{file}, line {n}, does not replay: {e}") from e
    return told, [t for _, t in games]


def _against(games: list, base: list, goal) -> dict[str, dict]:
    """Each metric's paired difference, and how many games would show it."""
    from ..measure.compare import games_needed, paired
    from ..measure.metrics import the_kind

    found, kind = {}, the_kind(games)
    for metric in getattr(kind, "compared", kind.metrics):
        d = found[metric] = paired(games, base, metric, objective=goal)
        d["games_needed"] = None
        if d["value"] and d["deviation"]:
            d["games_needed"] = games_needed(d["value"], d["deviation"], sets=1)
    return found
