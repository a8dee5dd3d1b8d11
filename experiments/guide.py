"""Stamp the guide for teachers with what was measured, from recorded files.

The seconds of the notebooks (tutorial.json), the sizes of downloads
(downloads.json) and the rehearsal of Binder (binder.json) go between their markers
in notebooks/guide/teaching.md, a class at once (benchmark_class.json) into study.md.
Nothing is measured here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .report import minutes_block, stamp

GUIDE = Path("notebooks/guide")
NOT_YET = "*Not measured yet.*"


def arguments(parser: Any) -> None:
    parser.add_argument("--guide", type=Path, default=GUIDE)
    parser.add_argument("--reference", type=Path, default=Path("data/reference"))


def go(given: Any) -> None:
    """Stamp every block; one whose file is missing says so."""
    for name, block in blocks(given.reference).items():
        stamp(given.guide / f"{MADE[name][0]}.md", name, block)


def blocks(reference: Path) -> dict[str, str]:
    """Name of a marker → what stands between it and its end."""
    made = {}
    for name, (_, file, write) in MADE.items():
        there = reference / f"{file}.json"
        made[name] = NOT_YET
        if there.exists():
            made[name] = write(json.loads(there.read_text("utf-8")))
    return made


def downloads_block(found: dict[str, Any]) -> str:
    """What each installation fetches, as a table."""
    lines = ["| what | files | download |", "|---|---|---|"]
    for told, size in found["sets"].items():
        lines.append(f"| {told} | {size['files']} | {size['bytes'] / 1e6:.0f} MB |")
    lines += [
        "",
        f"{found['system']}, Python {found['python']}; elsewhere *not measured*. With "
        "an NVIDIA card on Linux, torch brings several GB more.",
    ]
    return "\n".join(lines)


def binder_block(found: dict[str, Any]) -> str:
    """Seconds and memory of each notebook in the rehearsal, as a table."""
    lines = [
        "| notebook | first cells, seconds | all cells, seconds | peak memory |",
        "|---|---|---|---|",
    ]
    for name, n in found["notebooks"].items():
        peak = f"{n['peak_memory_bytes'] / 1e9:.2f} GB"
        told = f"{n['seconds']:.0f}"
        if n["killed"] or n["errors"] or n["ran"] < n["code"]:
            told += " (stopped)"
        lines.append(f"| {name} | {n['first_cells_seconds']:.1f} | {told} | {peak} |")
    env = found["environment"]
    added = (env["whole_bytes"] - env["base_bytes"]) / 1e9
    lines += [
        "",
        f"The kit and what it needs add {added:.1f} GB to the image. Memory is the "
        f"server's and the kernel's together, {found['limit_bytes'] / 1e9:g} GB "
        f"allowed. {found['cores']} cores ({found['processor']}), JupyterLab "
        f"{env['versions']['jupyterlab']} in Chromium; on Binder *not measured*.",
    ]
    return "\n".join(lines)


def class_block(found: dict[str, Any]) -> str:
    """How a class at once went, in sentences."""
    reply, page = found["reply_seconds"], found["page_seconds"]
    slips = {"lost": len(found["lost"]), "mixed up": len(found["mixed"])}
    kept = ", ".join(f"{n or 'nothing'} {what}" for what, n in slips.items())
    made, used = found["provenance"], found["server_bytes"]["peak"] / 1e9
    return (
        f"Measured: {found['people']} people at once, each in a browser of its own, "
        f"{found['games']} games: {kept}. Half of the answers were there within "
        f"{reply['median']:.1f} s, 95 % within {reply['p95']:.1f} s. A page took "
        f"{page['median']:.0f} s to open (median), the server with all pages took "
        f"{used:.1f} GB of memory. {made['cores']} cores ({made['processor']}), which "
        "the browsers and other work shared: "
        f"{max(found['load']):.0f} processes waited on average. Elsewhere "
        "*not measured*."
    )


# The marker: the page that holds it, the recorded file, and what makes the text.
MADE = {
    "minutes": ("teaching", "tutorial", minutes_block),
    "downloads": ("teaching", "downloads", downloads_block),
    "binder": ("teaching", "binder", binder_block),
    "class": ("study", "benchmark_class", class_block),
}
