"""What every recorded file holds beside its numbers: where they come from.

A recorded file under ``data/reference/`` says on which commit, versions and
processor it was made, and is written with five significant digits.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from selfplay_kit.files import write_text
from selfplay_kit.measure.metrics import METRICS, bounds_of, seed_interval

ROOT = Path(__file__).resolve().parents[1]
DECIDES = [  # what can change a number
    *("--untracked-files=all", "--", "selfplay_kit", "selfplay_study", "experiments"),
    *("data", ":(exclude)data/reference", "pyproject.toml", "constraints.txt"),
]


def provenance() -> dict[str, Any]:
    """Commit, versions, processor and threads: where a number comes from. ``dirty``
    says whether what can change a number differed from the commit: code, shipped data
    or pins, untracked files among them too; not runs, records or texts."""
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", *DECIDES)
    versions: dict[str, str | None] = {}
    for name in ("selfplay-kit", "torch", "transformers", "numpy", "scipy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "commit": commit and commit.strip(),
        "dirty": None if changed is None else bool(changed),
        "python": platform.python_version(),
        "versions": versions,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _git(*words: str) -> str | None:
    """What git says of this checkout; ``None`` where there is no git or no checkout."""
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def over_seeds(found: Sequence[dict[str, Any]], names=METRICS) -> dict[str, Any]:
    """For each metric the mean over seeds, its 95 % t interval (of shares on the logit
    scale, see ``metrics.t_interval``), and every value."""
    merged = {}
    for name in names:
        there = [f[name] for f in found if f[name]["value"] is not None]
        if there:
            values = [x["value"] for x in there]
            games = sum(x.get("n") or 0 for x in there)
            merged[name] = seed_interval(
                values, bounds=bounds_of(name), games=games
            ) | {"values": values}
    return merged


def text_of(result: dict[str, Any], *, compact: bool = False) -> str:
    """``result`` as JSON; ``compact`` puts innermost lists and objects on one line."""
    text = json.dumps(rounded(result), indent=1, ensure_ascii=False)
    if compact:
        for inner in (r"\[[^][{}\"]*\]", r"\{[^{}]{,400}\}"):
            text = re.sub(inner, lambda m: re.sub(r"\n\s*", " ", m[0]), text)
    return text + "\n"


def save(result: dict[str, Any], out: Path, *, compact: bool = False) -> None:
    """Write ``result`` to ``out`` as :func:`text_of`, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text_of(result, compact=compact))


def rounded(x: Any) -> Any:
    """Floats to five significant digits, so that a file stays small and readable."""
    if isinstance(x, float):
        return float(f"{x:.5g}")
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    return [rounded(v) for v in x] if isinstance(x, list) else x
