"""``python -m selfplay_kit COMMAND``: long work without a notebook.

``rounds`` runs self-play into a folder. ``--help`` after it says more. (What made
the recorded results stands in a checkout: ``python -m experiments``.)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m selfplay_kit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _rounds(commands.add_parser("rounds", help="self-play rounds into a folder"))
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads of torch (default 1, the quickest for the tiny model)",
    )
    given = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(given.threads)
    try:
        return given.go(given)
    except (RuntimeError, ValueError, OSError) as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        return 1


def _rounds(p: argparse.ArgumentParser) -> None:
    from .rules import OBJECTIVES

    p.add_argument("--model", default="tiny", help="a name of the kit's, or a folder")
    p.add_argument(
        "--objective",
        default="semi",
        help=f"{', '.join(OBJECTIVES)}, or lambda as a number from -1 to 1",
    )
    p.add_argument("--games", type=int, default=500, help="K, games a round")
    p.add_argument("--group", type=int, default=1, help="games per scenario")
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--filter", default="above_mean")
    p.add_argument("--rule", default="clone", help="or policy_gradient")
    p.add_argument("--kl", type=float, default=0.0, help="price of leaving the base")
    p.add_argument("--temperature", type=float, default=1.0)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True, help="the run folder")
    p.set_defaults(go=_go_rounds)


def _go_rounds(given: argparse.Namespace) -> int:
    from .rounds import Config, run
    from .rules import OBJECTIVES

    named = OBJECTIVES.get(given.objective)
    config = Config(
        base=given.model,
        lam=named.lam if named else float(given.objective),
        games=given.games,
        group=given.group,
        rounds=given.rounds,
        filter=given.filter,
        rule=given.rule,
        kl=given.kl,
        temperature=given.temperature,
        seed=given.seed,
    )

    def show(r) -> None:
        m = r.metrics
        points, deals = m["mean_points"], m["agreement"]
        print(
            f"round {r.number:2d}: {points['value']:.2f} points a player "
            f"[{points['low']:.2f}, {points['high']:.2f}], "
            f"{deals['value']:.0%} deals, {sum(m['seconds'].values()):.0f} s",
            flush=True,
        )

    run(config, given.out, on_round=show)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
