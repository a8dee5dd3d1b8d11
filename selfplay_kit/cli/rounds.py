"""``rounds`` and ``export``: self-play into a folder, and what a round kept.

The options of ``rounds`` are the fields of ``Config`` and the options of whatever is
registered.
"""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from .common import objective_of, set_threads

OPTIONS = {"base": "model", "lam": "objective"}  # the others are called as fields are


def add_rounds(p: argparse.ArgumentParser) -> None:
    from ..games.base import OBJECTIVES
    from ..learn.config import ABOUT, NAMED, TAKEN, Config, every_option

    kinds = {"int": int, "float": float, "tuple[int, ...]": _counts}
    more = {"lam": f" ({', '.join(OBJECTIVES)} or a number from -1 to 1; default semi)"}
    for f in fields(Config):
        if f.name == "options":
            continue
        name = OPTIONS.get(f.name, f.name).replace("_", "-")
        how: dict = {"dest": f.name, "default": f.default}
        if f.type == "bool":
            how["action"] = "store_true"
        else:
            how["type"] = _lam if f.name == "lam" else kinds.get(str(f.type), str)
            how["metavar"] = name.rpartition("-")[2].upper()
        note = more.get(f.name) or (f" (default {f.default})" if f.default else "")
        about = ABOUT[f.name].replace("%", "%%")
        if f.name in NAMED:
            about += f": {', '.join(NAMED[f.name])}"
        p.add_argument(f"--{name}", help=about + note, **how)
    owners: dict[str, list[str]] = {}
    for what, thing, its in every_option():
        for name, usual in its.items():
            owner = f"of the {what} {thing} (default {usual!r})".replace("%", "%%")
            owners.setdefault(name, []).append(owner)
    for name in set(owners) - TAKEN:  # Config refuses the others, and says why
        p.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"option_{name}",
            metavar=name.upper(),
            help="; ".join(owners[name]),
        )
    p.add_argument(
        "--match",
        type=Path,
        metavar="RUN",
        help="the matched control of that run: everything as there, but in each round "
        "as many views as it kept are drawn by chance; no other option is needed",
    )
    p.add_argument("--no-preflight", action="store_true", help="start at once")
    p.add_argument("--out", type=Path, required=True, help="the run folder")
    p.set_defaults(go=_go_rounds)


def _own_options(given: argparse.Namespace) -> dict[str, Any]:
    """The options of rules and opponents that were given, read as the chosen ones'
    defaults are; those that nobody chosen has stay text, and ``Config`` says whose."""
    from ..learn.config import WITH_OPTIONS

    usual: dict[str, Any] = {}
    for what, known in WITH_OPTIONS.items():
        if (name := getattr(given, what)) in known:
            usual |= known[name].options
    options: dict[str, Any] = {}
    for key, text in vars(given).items():
        name = key.removeprefix("option_")
        if name == key or text is None:
            continue
        sort = type(usual.get(name, ""))
        try:
            options[name] = _SWITCH[text.lower()] if sort is bool else sort(text)
        except (KeyError, ValueError) as e:
            raise ValueError(
                f"--{name.replace('_', '-')} is like {usual[name]!r}, its default; got "
                f"{text!r}"
            ) from e
    return options


_SWITCH = {"true": True, "false": False}


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError as e:
        told = f"whole numbers with commas, one for each round; got {text!r}"
        raise argparse.ArgumentTypeError(told) from e


def _lam(text: str) -> float:
    try:
        return objective_of(text).lam
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


def _go_rounds(given: argparse.Namespace) -> int:
    from ..games.base import kind
    from ..learn.preflight import preflight
    from ..learn.rounds import Config, run

    named: dict[str, Any]
    named = {f.name: getattr(given, f.name, None) for f in fields(Config)}
    named["options"] = _own_options(given)
    config = Config(**named)
    if given.match:
        config = _matched(given.match, config)
    set_threads(given, config.base)
    if not given.no_preflight and not (given.out / "config.json").exists():
        print(preflight(config), flush=True)

    def show(r) -> None:
        m = r.metrics
        share = kind(config.game).shares[0]
        points, deals = m["mean_points"], m[share]
        between = ""  # one scenario has no interval
        if points["low"] is not None:
            between = f" [{points['low']:.2f}, {points['high']:.2f}]"
        print(
            f"round {r.number:2d}: {points['value']:.2f} points per player{between}, "
            f"{deals['value']:.0%} {'deals' if share == 'agreement' else share}, "
            f"{sum(m['seconds'].values()):.0f} s",
            flush=True,
        )

    run(config, given.out, on_round=show)
    return 0


def _matched(run: Path, asked):
    """The control of a run: all as there, but as many views as it kept are drawn by
    chance. ``ValueError`` where an option asks for something else."""
    from ..learn.config import Config
    from ..learn.export import read_config
    from ..learn.rounds import kept_counts

    counts = kept_counts(run)
    if not counts:
        raise ValueError(
            f"{run} holds no round that learned: there is nothing to match"
        )
    control = replace(read_config(run), filter="drawn", draw=counts, rounds=len(counts))
    usual = Config()
    differs = [
        f"--{OPTIONS.get(f.name, f.name).replace('_', '-')}"
        for f in fields(Config)
        if getattr(asked, f.name)
        not in (getattr(usual, f.name), getattr(control, f.name))
    ]
    if differs:
        raise ValueError(
            f"--match takes everything from {run}, and {', '.join(differs)} asks for "
            "something else: leave that out"
        )
    return control


def add_export(p: argparse.ArgumentParser) -> None:
    p.add_argument("run", type=Path, help="a run folder")
    p.add_argument("--round", type=int, default=0, help="whose kept games")
    p.add_argument("--style", default="long", help="the prompt: long or short")
    p.add_argument("--out", type=Path, required=True)
    p.set_defaults(go=_go_export)


def _go_export(given: argparse.Namespace) -> int:
    from ..learn.export import kept_views, write_chat

    written = write_chat(kept_views(given.run, given.round), given.out, given.style)
    print(f"{written} views of round {given.round} written to {given.out}")
    return 0
