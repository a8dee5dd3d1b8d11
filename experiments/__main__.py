"""``python -m experiments NAME``: make a recorded result again.

A command is a module of this folder with ``arguments(parser)`` and
``go(given) -> None``. ``--help`` after a name says more.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from selfplay_kit.files import plain_output

COMMANDS = (
    "bases",
    "binder",
    "crossplay",
    "downloads",
    "guide",
    "intervals",
    "language",
    "ledger",
    "matrix",
    "slice",
    "smollm",
    "spine",
    "sweep",
    "talk",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one experiment; returns the exit status."""
    plain_output()
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads of torch (default 1, the quickest for the tiny model)",
    )
    names = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        module = import_module(f".{name}", __package__)
        told = (module.__doc__ or "").partition("\n")[0]
        command = names.add_parser(name, help=told, description=module.__doc__)
        module.arguments(command)
        command.set_defaults(go=module.go)
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(given.threads)
    try:
        given.go(given)
    except (RuntimeError, ValueError, OSError) as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
