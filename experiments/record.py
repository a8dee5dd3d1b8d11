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

from selfplay_kit.metrics import METRICS, seed_interval


def provenance() -> dict[str, Any]:
    """Commit, versions, processor and threads: where a number comes from."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = None
    versions: dict[str, str | None] = {}
    for name in ("selfplay-kit", "torch", "transformers", "numpy", "scipy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "commit": commit,
        "python": platform.python_version(),
        "versions": versions,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def over_seeds(found: Sequence[dict[str, Any]], names=METRICS) -> dict[str, Any]:
    """For each metric the mean over seeds, its 95 % t interval, and every value."""
    merged = {}
    for name in names:
        values = [f[name]["value"] for f in found if f[name]["value"] is not None]
        if values:
            merged[name] = seed_interval(values) | {"values": values}
    return merged


def save(result: dict[str, Any], out: Path, *, compact: bool = False) -> None:
    """Write ``result`` to ``out`` as JSON, whole or not at all; ``compact`` puts
    innermost lists and objects on one line each."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(result), indent=1, ensure_ascii=False)
    if compact:
        for inner in (r"\[[^][{}\"]*\]", r"\{[^{}]{,400}\}"):
            text = re.sub(inner, lambda m: re.sub(r"\n\s*", " ", m[0]), text)
    part = out.with_name(out.name + ".part")
    part.write_text(text + "\n", encoding="utf-8", newline="\n")
    part.replace(out)


def rounded(x: Any) -> Any:
    """Floats to five significant digits, so that a file stays small and readable."""
    if isinstance(x, float):
        return float(f"{x:.5g}")
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    return [rounded(v) for v in x] if isinstance(x, list) else x
