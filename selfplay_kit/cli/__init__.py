"""``python -m selfplay_kit COMMAND``: long work without a notebook.

``play`` plays games between any two players, ``rounds`` runs self-play into a
folder, ``export`` writes what a round kept for a provider's fine-tuning, ``score``
counts what anybody's transcripts say. ``--help`` after each says more. (The recorded
results are made by another command, in a checkout: ``python -m experiments``.)
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from .. import files
from .play import add_play
from .rounds import add_export, add_rounds
from .score import add_score


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    files.plain_output()
    parser = argparse.ArgumentParser(prog="python -m selfplay_kit", description=__doc__)
    plugins = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    plugins.add_argument("--plugin", action="append", default=[])
    wanted, arguments = plugins.parse_known_args(arguments)
    parser.add_argument(
        "--plugin",
        metavar="FILE_OR_MODULE",
        help="import it first: it registers games, rules, filters, rewards or "
        "opponents (may be given several times, anywhere)",
    )
    try:
        _plug_in(wanted.plugin)
    except Exception as e:  # other people's code may raise anything
        print(f"--plugin: {type(e).__name__}: {e}", file=sys.stderr)
        return 1
    commands = parser.add_subparsers(dest="command", required=True)
    add_play(commands.add_parser("play", help="games between two players, into a file"))
    add_export(commands.add_parser("export", help="a round's kept games as chat JSONL"))
    add_rounds(commands.add_parser("rounds", help="self-play rounds into a folder"))
    add_score(commands.add_parser("score", help="the metrics of anybody's transcripts"))
    parser.add_argument(
        "--threads",
        type=int,
        help="CPU threads of torch (by default 1 for tiny models, the quickest for "
        "them, and torch's own choice for others)",
    )
    given = parser.parse_args(arguments)
    try:
        return given.go(given)
    except (RuntimeError, ValueError, OSError) as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        return 1


def _plug_in(names: list[str]) -> None:
    """Import what registers games, rules, filters, rewards or opponents: modules by
    name, or files. ``ValueError`` for what is neither."""
    import importlib
    import importlib.util

    for name in names:
        if not name.endswith(".py"):
            importlib.import_module(name)
            continue
        where = Path(name).resolve()
        if not where.is_file():
            raise ValueError(f"--plugin is a module or a file; there is no {where}")
        digest = hashlib.sha256(str(where).encode()).hexdigest()[:8]
        module = f"selfplay_plugin_{where.stem}_{digest}"
        if module in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(module, where)
        assert spec is not None and spec.loader is not None
        sys.modules[module] = made = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(made)
        except BaseException:
            del sys.modules[module]
            raise
