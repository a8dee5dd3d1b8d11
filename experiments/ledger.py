"""The ledger: every claim of the paper beside our number, with a verdict by rule.

``data/reference/ledger.json`` is made from recorded files alone, without playing a
model, so it takes seconds and gives the same file each time. What it holds:

``sources``   each recorded file that was read: its commit, date and processor
``missing``   the recorded files that rows wait for
``counts``    how many rows have each verdict, of the ``paper``'s claims (and those of
              Lewis et al.) and of the kit's ``own`` questions; ``claims`` in each
``rows``      as :func:`selfplay_kit.measure.ledger.weigh` makes them, in the order of
              ``claims.toml``; a claim that two models speak to has two rows

A row's ``source`` holds ``paths``: the places of its numbers in the recorded files.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from selfplay_kit.measure.ledger import VERDICTS, Claim, read_claims, unweighed, weigh

from .ours import OURS, Ours
from .record import rounded, save
from .recorded import NotThere, Recorded, get
from .report import counted, ledger_picture, picture, stamp_all


def ledger(
    folder: Path,
    *,
    claims: Sequence[Claim] | None = None,
    ours: Mapping[str, Sequence[Ours]] = OURS,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The ledger from the recorded files in ``folder``.

    Raises ``ValueError`` for a claim that can be tested and has no side of ours, for
    a side of ours without a claim, and for files that don't fit together.
    """
    claims = read_claims() if claims is None else claims
    known = {c.id for c in claims}
    if lost := [i for i in ours if i not in known]:
        raise ValueError(f"claims.toml has no claim called {lost[0]!r}")
    recorded, rows, missing = Recorded(folder), [], set()
    for claim in claims:
        if bool(claim.cannot) == (claim.id in ours):
            raise ValueError(
                f"claim {claim.id!r} "
                + (
                    "can't be tested, and yet experiments/ours.py has a number"
                    if claim.cannot
                    else "has no number of ours in experiments/ours.py"
                )
            )
        for place, side in enumerate(ours.get(claim.id, [None])):
            try:
                rows.append(row(claim, side, recorded) if side else unweighed(claim))
            except NotThere as e:
                if place == 0:  # a second model that was not run is no row
                    missing.add(e.name)
                    rows.append(unweighed(claim, str(e), file=e.name))
    for name in sorted(missing):
        waiting = sum(r["source"].get("file") == name for r in rows)
        tell(f"{waiting} rows wait for python -m experiments {name}")
    counts = Counter((r["by"], r["verdict"]) for r in rows)
    by = dict.fromkeys(r["by"] for r in rows)
    return rounded(
        {
            "sources": recorded.provenance(),
            "missing": sorted(missing),
            "counts": {
                who: {"claims": len({r["id"] for r in rows if r["by"] == who})}
                | {v: counts[who, v] for v in VERDICTS}
                for who in by
            },
            "rows": rows,
        }
    )


def row(claim: Claim, ours: Ours, recorded: Recorded) -> dict[str, Any]:
    """One row. ``ValueError`` where what speaks to it is of several models."""
    recorded.read.clear()
    models = {m: recorded.at(m) if ":" in m else m for m in ours.models}
    if len(set(models.values())) != 1:
        raise ValueError(
            f"claim {claim.id!r} mixes models: "
            + ", ".join(f"{path} is {m!r}" for path, m in models.items())
        )
    games = get(recorded, ours.games)
    recorded.read.clear()
    after = get(recorded, ours.after)
    before = None if ours.before is None else get(recorded, ours.before)
    return weigh(
        claim,
        after,
        before,
        model=models[ours.models[0]],
        taught=ours.taught,
        ahead=ours.ahead,
        split=ours.split,
        games=games,
        over=ours.over,
        note=ours.note,
        source={"paths": list(dict.fromkeys(recorded.read))},
    )


def arguments(p: argparse.ArgumentParser) -> None:
    """What ``python -m experiments ledger`` takes."""
    p.add_argument("--reference", type=Path, default=Path("data/reference"))


def go(given: argparse.Namespace) -> None:
    """Make the file, the README's two pictures, and its blocks."""
    made = ledger(given.reference)
    save(made, given.reference / "ledger.json", compact=True)
    ledger_picture(made, given.reference / "ledger.svg")
    spine = given.reference / "spine.json"
    if spine.exists():
        picture(json.loads(spine.read_text("utf-8")), spine.with_suffix(".svg"))
    for line in counted(made):
        print(line.replace("*", ""))
    if Path("README.md").exists():
        stamp_all(Path("README.md"), given.reference)
