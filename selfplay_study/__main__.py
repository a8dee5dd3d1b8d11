"""``python -m selfplay_study``: a human study with a class."""

from __future__ import annotations

import argparse
import sys

from selfplay_kit.files import plain_output

from .commands import arguments


def main(given: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    plain_output()
    parser = argparse.ArgumentParser(
        prog="python -m selfplay_study",
        description="A human study with a class: make, serve, look at, export, delete.",
    )
    arguments(parser)
    chosen = parser.parse_args(given)
    try:
        return chosen.go(chosen)
    except (RuntimeError, ValueError, OSError) as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
