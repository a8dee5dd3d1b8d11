"""``python -m selfplay_study COMMAND``: make, serve, look at, export, delete."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .folder import Study, clean_code
from .plan import DESIGNS, Settings

MADE = """\
{folder} is made: {games} games a person, {objectives}; partners {partners} ({design}).
  texts and settings   {folder}/settings.json: edit them before the first participant
  the page             python run.py study {folder}
Before you ask people: whether this needs approval, and by whom, is for your institution
to say. Nobody is obliged to take part; give those who do not something else to do."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The commands and their options."""
    commands = parser.add_subparsers(dest="study", required=True)

    def add(name: str, text: str, go) -> argparse.ArgumentParser:
        p = commands.add_parser(name, help=text, description=text)
        p.add_argument("folder", type=Path, help="the study folder")
        p.set_defaults(go=go)
        return p

    new = add("new", "make a study folder", _new)
    new.add_argument(
        "--partners",
        required=True,
        help="with commas: a model (tiny-weak), RUNFOLDER@ROUND, a script (fair); "
        "{objective} in a name becomes the participant's",
    )
    new.add_argument("--objective", default="semi", help="semi,coop,strict: some")
    new.add_argument("--games", type=int, default=6, help="for each participant")
    new.add_argument("--design", choices=DESIGNS, default="within")
    new.add_argument("--seed", type=int, default=0)
    new.add_argument("--hide-points", action="store_true")
    new.add_argument("--title", default=Settings.title)
    serve = add("serve", "put the page on the network (Voilà)", _serve)
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for a class")
    serve.add_argument("--port", type=int, default=8866)
    serve.add_argument("--word", help="in the address; '' for none")
    serve.add_argument("--people", type=int, default=40, help="at once, at most")
    serve.add_argument("--ready", type=int, default=2, help="pages that wait")
    add("show", "the arms so far, with intervals", _show)
    out = add("csv", "write games.csv and moves.csv", _csv)
    out.add_argument("--out", type=Path, help="a folder; the study's own csv/")
    gone = add("delete", "remove all that is kept of one participant", _delete)
    gone.add_argument("code")


def _new(given: argparse.Namespace) -> int:
    from .partners import partner

    settings = Settings(
        partners=_listed(given.partners),
        objectives=_listed(given.objective),
        games=given.games,
        design=given.design,
        seed=given.seed,
        show_points=not given.hide_points,
        title=given.title,
    )
    weights = {name: partner(name)[1] for name in settings.players()}
    settings = replace(settings, weights=weights)
    Study.new(given.folder, settings)
    lists = {k: ", ".join(getattr(settings, k)) for k in ("partners", "objectives")}
    print(MADE.format(**asdict(settings) | lists, folder=given.folder))
    return 0


def _listed(names: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, names.split(","))))


def _serve(given: argparse.Namespace) -> int:
    from .serve import serve

    serve(
        given.folder,
        ip=given.host,
        port=given.port,
        word=given.word,
        people=given.people,
        ready=given.ready,
    )
    return 0


def _show(given: argparse.Namespace) -> int:
    from . import results

    study = Study(given.folder)
    games = results.rows(study)
    ended = [g for g in games if g["finished"]]
    simulated = any(g["simulated"] for g in games)
    people = len(study.participants())
    print(
        f"{people} participant{'s' * (people != 1)}{' (SIMULATED)' * simulated}, "
        f"{len(ended)} games, {len(games) - len(ended)} left in the middle."
    )
    if copies := [path.name for path in study.copies()]:
        print(f"Not counted, as no participant's file: {', '.join(copies)}")
    for objective in study.settings.objectives:
        some = [g for g in games if g["objective"] == objective]
        measure = "joint" if objective == "coop" else "model_points"
        points = "points of both" if objective == "coop" else "points of the program"
        print(f"\n{objective}: {points}, share of deals; [95 % over participants]")
        first = study.settings.partners[0]
        for name in study.settings.partners:
            arm = [g for g in some if g["partner"] == name]
            told = [_told(results.mean(arm, m)) for m in (measure, "agreement")]
            print(f"  {name}: {told[0]}; {told[1]}")
            if name != first:
                found = results.difference(some, measure, first, name)
                print(f"    beside {first}: {_compared(found)}")
    return 0


def _told(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "no games"
    low, high = found["low"], found["high"]
    interval = "no interval" if low is None else f"{low:.2f}, {high:.2f}"
    return f"{found['value']:.2f} [{interval}] ({found['n']} games)"


def _compared(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "not compared before both have games"
    if not found["needed"]:
        return f"{_told(found)} more; how many participants that needs is not known yet"
    people = f"{found['needed']} participants"
    return f"{_told(found)} more; a difference of that size needs {people}"


def _csv(given: argparse.Namespace) -> int:
    from .results import to_csv

    for path in to_csv(Study(given.folder), given.out or given.folder / "csv"):
        print(path)
    return 0


def _delete(given: argparse.Namespace) -> int:
    study = Study(given.folder)
    lines = study.delete(given.code)
    print(
        f"Deleted {lines} lines, their copies and their rows in the tables of "
        f"{given.folder}. What was copied elsewhere still holds them."
    )
    if left := study.mentions(clean_code(given.code)):
        print(f"The code is still in {', '.join(map(str, left))}: see to it by hand.")
    return 0
