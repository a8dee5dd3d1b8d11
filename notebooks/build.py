"""Notebooks from one source: write them, check them, execute them, show them.

    python notebooks/build.py make     write student and solutions notebooks
    python notebooks/build.py check    exit 1 where one differs from its source
    python notebooks/build.py run      execute them, write build/index.html

`derive.py` says what a source looks like, `tutorial.py` runs them, each by
`execute.py`, and `pages.py` makes the HTML.
"""

import argparse
import sys
from pathlib import Path

from derive import HERE, SourceError, drift, make


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="build.py",
        description="Notebooks from one source: write, check, execute, show them.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make", help="write the notebooks from their sources")
    commands.add_parser("check", help="exit 1 where a notebook is out of date")
    run = commands.add_parser("run", help="execute the notebooks, write the pages")
    run.add_argument("--profile", choices=["ci", "cpu", "gpu"], default="cpu")
    run.add_argument("--only", nargs="+", metavar="NN", default=[])
    run.add_argument(
        "--solutions",
        action="store_true",
        help="execute the solutions instead, checks strict, into OUT/solutions",
    )
    run.add_argument(
        "--no-torch",
        action="store_true",
        help="leave out notebooks that need torch; hide torch from the others",
    )
    run.add_argument("--force", action="store_true", help="run what is up to date too")
    run.add_argument("--out", type=Path, default=HERE.parent / "build")
    options = parser.parse_args(arguments)
    try:
        if options.command == "make":
            for path in make():
                print(f"wrote {path.relative_to(HERE.parent).as_posix()}")
            return 0
        if options.command == "check":
            said = drift()
            print("\n".join(said) or "Every notebook is what its source says.")
            return 1 if said else 0
        import tutorial  # not needed to make or check

        return tutorial.run(
            HERE,
            options.out,
            options.profile,
            only=options.only,
            solutions=options.solutions,
            torch=not options.no_torch,
            force=options.force,
        )
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    # A console that lacks a letter shows a question mark, not a traceback.
    sys.stdout.reconfigure(errors="replace")
    sys.exit(main())
