"""``python -m selfplay_kit COMMAND``: see :mod:`selfplay_kit.cli`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
