"""``python -m selfplay_kit COMMAND``: long work without a notebook.

``rounds`` runs self-play into a folder, ``bases`` makes the tiny bases again,
``reference`` makes the recorded results again, ``talk`` those of the experiment on
talk that pays. ``--help`` after each says more.
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
    _bases(commands.add_parser("bases", help="make the tiny bases again"))
    _reference(commands.add_parser("reference", help="make recorded results again"))
    _talk(commands.add_parser("talk", help="the experiment on talk that pays"))
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


def _bases(p: argparse.ArgumentParser) -> None:
    p.add_argument("--out", type=Path, required=True, help="folder for the bases")
    p.add_argument(
        "--score-only", action="store_true", help="score the bases that are there"
    )
    p.set_defaults(go=_go_bases)


def _go_bases(given: argparse.Namespace) -> int:
    from .reference import score_bases
    from .tiny import make_bases

    if not given.score_only:
        make_bases(given.out, tell=lambda line: print(line, flush=True))
    score_bases(given.out)
    return 0


def _reference(p: argparse.ArgumentParser) -> None:
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--runs", type=Path, default=Path("runs/spine"))
    p.add_argument("--out", type=Path, default=Path("data/reference/spine.json"))
    p.set_defaults(go=_go_reference)


def _go_reference(given: argparse.Namespace) -> int:
    from .reference import spine
    from .report import picture, stamp_all

    made = spine(given.runs, given.out, seeds=given.seeds)
    picture(made, given.out.with_suffix(".svg"))
    if Path("README.md").exists():
        stamp_all(Path("README.md"), given.out.parent)
    return 0


def _talk(p: argparse.ArgumentParser) -> None:
    p.add_argument("--seeds", type=int, default=5, help="at most, of each arm")
    p.add_argument("--arms", nargs="+", metavar="ARM", help="these alone")
    p.add_argument("--runs", type=Path, default=Path("runs/talk"))
    p.add_argument("--out", type=Path, default=Path("data/reference/talk.json"))
    p.set_defaults(go=_go_talk)


def _go_talk(given: argparse.Namespace) -> int:
    from .talk_study import ARMS, study

    study(
        given.runs,
        given.out,
        seeds=given.seeds,
        arms=given.arms or tuple(ARMS),
        tell=lambda line: print(line, flush=True),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
