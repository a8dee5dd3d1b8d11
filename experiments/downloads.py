"""Measure what an installation fetches: files and bytes, by what is wanted.

For each set, `pip download` fetches into an empty folder what `run.py` would install
there, with the tested pins, and the files are counted. Torch is asked for as
`run.py` asks for it. Left out: other systems than this one.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .record import provenance, save

ROOT = Path(__file__).resolve().parent.parent


def arguments(parser: argparse.ArgumentParser) -> None:
    out = Path("data/reference/downloads.json")
    parser.add_argument("--out", type=Path, default=out)


def go(given: Any) -> None:
    """Fetch each set, count it, write ``given.out``."""
    launcher = load_launcher()
    everything = launcher.EXTRAS["tutorial"]
    wanted = {
        "notebooks 00 to 02 (`--no-torch`)": launcher.without_torch(everything),
        "all notebooks": everything,
        "a wheelhouse, with what the tests need": launcher.EXTRAS["test"],
    }
    sets = {}
    for told, extras in wanted.items():
        with tempfile.TemporaryDirectory() as folder:
            fetch(launcher, extras, Path(folder))
            sizes = [f.stat().st_size for f in Path(folder).iterdir()]
        sets[told] = {"files": len(sizes), "bytes": sum(sizes)}
        print(told, sets[told], flush=True)
    system = f"{platform.system()} {platform.machine()}"
    save({**provenance(), "system": system, "sets": sets}, given.out)


def load_launcher() -> Any:
    """run.py as a module."""
    spec = importlib.util.spec_from_file_location("launcher", ROOT / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fetch(launcher: Any, extras: tuple[str, ...], folder: Path) -> None:
    """Download all that ``extras`` need; ``RuntimeError`` if no way works."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "-d", str(folder)]
    pip += ["-c", str(launcher.PINS), "--find-links", str(folder)]
    if launcher.NEED_TORCH & set(extras):
        version = launcher.pinned_torch(launcher.PINS.read_text("utf-8"))
        system = platform.system(), platform.machine(), launcher.has_nvidia()
        ways = [way for _, way in launcher.torch_attempts(version, *system)]
        if not any(subprocess.run([*pip, *way]).returncode == 0 for way in ways):
            raise RuntimeError("torch can't be fetched: see what pip said above")
    wanted = launcher.requirements(extras)
    if subprocess.run([*pip, *wanted]).returncode:
        raise RuntimeError(f"{extras} can't be fetched: see what pip said above")
