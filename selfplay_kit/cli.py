"""``python -m selfplay_kit COMMAND``: long work without a notebook.

``play`` plays games between any two players, ``rounds`` runs self-play into a
folder, ``export`` writes what a round kept for a provider's fine-tuning, ``score``
counts what anybody's transcripts say. ``--help`` after each says more. (What made
the recorded results stands in a checkout: ``python -m experiments``.)
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from . import files


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
    _play(commands.add_parser("play", help="games between two players, into a file"))
    _export(commands.add_parser("export", help="a round's kept games as chat JSONL"))
    _rounds(commands.add_parser("rounds", help="self-play rounds into a folder"))
    _score(commands.add_parser("score", help="the metrics of anybody's transcripts"))
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


def _set_threads(given: argparse.Namespace, *models: str) -> None:
    from .lm.models import is_tiny

    with contextlib.suppress(ImportError):  # scripts play without torch
        import torch

        if threads := given.threads or (1 if all(map(is_tiny, models)) else None):
            torch.set_num_threads(threads)


OPTIONS = {"base": "model", "lam": "objective"}  # the others are called as fields are


def _rounds(p: argparse.ArgumentParser) -> None:
    from .games.base import OBJECTIVES
    from .learn.config import ABOUT, NAMED, TAKEN, Config, every_option

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
    from .learn.config import WITH_OPTIONS

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


def _counts(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError as e:
        told = f"whole numbers with commas, one for each round; got {text!r}"
        raise argparse.ArgumentTypeError(told) from e


def _lam(text: str) -> float:
    try:
        return _objective(text).lam
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


def _go_rounds(given: argparse.Namespace) -> int:
    from .games.base import kind
    from .learn.preflight import preflight
    from .learn.rounds import Config, run

    named: dict[str, Any]
    named = {f.name: getattr(given, f.name, None) for f in fields(Config)}
    named["options"] = _own_options(given)
    config = Config(**named)
    if given.match:
        config = _matched(given.match, config)
    _set_threads(given, config.base)
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
    from .learn.config import Config
    from .learn.export import read_config
    from .learn.rounds import kept_counts

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


def _play(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "players",
        nargs="+",
        metavar="PLAYER",
        help="one (it plays itself) or two: a scripted negotiator (fair, teller, ...), "
        "a model's name or folder, or endpoint:MODEL",
    )
    from .games.base import KINDS

    p.add_argument("--game", default="deal", help=f"{', '.join(KINDS)}")
    p.add_argument("--games", type=int, default=20)
    p.add_argument("--objective", default="semi", help="a name, or lambda")
    p.add_argument("--split", default="development")
    p.add_argument("--temperature", type=float)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True, help="a file of JSON lines")
    p.add_argument("--url", default="http://localhost:8000/v1", help="the endpoint's")
    p.add_argument("--key-from", default="OPENAI_API_KEY", metavar="VARIABLE")
    p.add_argument("--style", default="long", help="the endpoint's prompt")
    p.add_argument("--opening", default="", help="said to who speaks first, if given")
    p.add_argument("--concurrency", type=int, default=8)
    p.add_argument("--max-tokens", type=int, default=200)
    p.add_argument(
        "--token-field",
        default="auto",
        metavar="NAME",
        help="what the endpoint calls that limit: max_tokens, max_completion_tokens, "
        "... (auto: the first, and where it is refused the second)",
    )
    p.add_argument("--no-seed", action="store_true", help="send the endpoint no seed")
    p.add_argument("--no-temperature", action="store_true", help="nor a temperature")
    p.add_argument(
        "--no-system", action="store_true", help="the rules in the first user turn"
    )
    p.add_argument("--timeout", type=float, default=120.0, help="seconds a request")
    p.add_argument("--retries", type=int, default=5, help="of what may pass by itself")
    p.set_defaults(go=_go_play)


def _go_play(given: argparse.Namespace) -> int:
    import random
    from collections import Counter

    from .games.base import kind
    from .games.play import play_games
    from .learn.rounds import read_games
    from .measure.metrics import summarise

    if len(given.players) > 2:
        raise ValueError(f"one or two players; got {len(given.players)}")
    if given.games < 1:
        raise ValueError(f"--games is 1 or more; got {given.games}")
    game = kind(given.game)
    models = [n for n in given.players if n not in game.players]
    if given.temperature is not None and not models:
        raise ValueError(
            "--temperature is a language model's; these players are scripts, which "
            "have none: leave it out"
        )
    _set_threads(given, *(n for n in models if not n.startswith("endpoint:")))
    players = [_player(name, given) for name in given.players]
    pair = (players[0], players[-1])
    goal = _objective(given.objective)
    rng = random.Random(f"{given.seed}/play")
    wanted = rng.choices(_tasks(given), k=given.games)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    if given.out.is_dir():
        raise ValueError(f"--out is a file of JSON lines; {given.out} is a folder")
    with files.one_writer(given.out):
        there = _resumed(given, pair, goal)
        already = Counter(t.task for t in there)
        left = [s for s in wanted if not already[s] or already.subtract([s])]
        with given.out.open("a", encoding="utf-8", newline="\n") as f:

            def keep(i, t) -> None:
                f.write(t.to_json() + "\n")
                f.flush()

            try:
                seed = f"{given.seed}/{len(there)}"
                play_games(pair, left, goal, seed=seed, on_end=keep)
            except RuntimeError:
                print(f"{given.out} keeps what was played; the same command goes on")
                raise
            finally:
                _report_usage(players, given.out)
        there = read_games(given.out)  # in their order there, now and the next time
    print(f"{given.out}: {len(there)} games, {len(left)} of them played now")
    for metric, m in summarise(there).items():
        print(_row(metric, m))
    return 0


def _report_usage(players: list, out: Path) -> None:
    """Print what servers were asked and what they gave, and add it to the record."""
    where = out.with_name(out.name + ".config.json")
    for player in dict.fromkeys(players):
        if hasattr(player, "usage"):
            told = [str(player.usage), *player.notes()]
            print("\n  ".join([f"{player.name}: {told[0]}", *told[1:]]))
            if player.usage.requests or player.usage.changes:
                kept = files.read_json(where)
                given = {"player": player.name, "sent": sorted(player.sent)}
                kept.setdefault("servers", []).append(given | {"usage": told})
                files.write_text(where, json.dumps(kept, indent=1) + "\n")


def _resumed(given: argparse.Namespace, pair: tuple[Any, Any], goal) -> list:
    """The games that ``--out`` holds, if all that decided them is what is asked for
    now; ``ValueError`` says what differs. ``FILE.config.json`` keeps it; a file of the
    first edition has none and is held against what its games tell."""
    from .learn.rounds import read_games

    out = given.out
    where = out.with_name(out.name + ".config.json")
    wanted: dict[str, Any] = {"game": given.game, "lambda": goal.lam}
    wanted |= {"split": given.split, "seed": given.seed}
    for seat, player in enumerate(pair):
        wanted |= {
            f"player {seat}'s {k}": v for k, v in _decides(player, given.game).items()
        }
    _mend(out)
    there = read_games(out) if out.exists() else []
    asked = json.loads(json.dumps(wanted))
    kept = files.read_json(where) if there and where.exists() else {}
    differs = {k: (kept[k], v) for k, v in asked.items() if kept.get(k, v) != v}
    names, pool = (pair[0].name, pair[1].name), set(_tasks(given))
    for n, t in enumerate(there, 1):
        if t.players != names:
            differs.setdefault(f"players of game {n}", (t.players, names))
        if t.objective != goal:
            differs.setdefault(f"lambda of game {n}", (t.objective.lam, goal.lam))
        if not str(t.seed).startswith(f"{given.seed}/"):
            differs.setdefault(f"seed of game {n}", (t.seed, given.seed))
        if t.task not in pool:
            differs.setdefault(f"game {n}", ("another split", given.split))
        if differs:
            told = "; ".join(
                f"{k}: {a} there, {b} asked" for k, (a, b) in differs.items()
            )
            raise ValueError(
                f"{out} holds {len(there)} games that were decided by something else "
                f"({told}). Nothing was played. Choose another --out, or ask for what "
                f"is there{f' (kept in {where.name})' * bool(kept)}."
            )
    if not kept:
        if there:
            print(
                f"{out} has no {where.name}: that its games had the same temperature, "
                "weights and prompt is not known",
                file=sys.stderr,
            )
            wanted["games before this was kept"] = len(there)
        files.write_text(where, json.dumps(wanted, indent=1) + "\n")
    return there


def _tasks(given: argparse.Namespace) -> Any:
    """What the split holds; ``ValueError`` lists the splits that there are."""
    from .games.base import kind

    game = kind(given.game)
    if given.split not in game.splits:
        raise ValueError(
            f"split must be one of {', '.join(game.splits)}; got {given.split!r}"
        )
    return game.tasks(given.split)


def _decides(player: Any, game: str = "deal") -> dict[str, Any]:
    """All of a player that decides its games."""
    decides = {"name": player.name}
    if hasattr(player, "lm"):
        from .lm.dialogue import prompt_digest

        lm, report = player.lm, player.lm.report
        decides |= {"weights": report.weights_hash, "precision": report.given}
        decides |= {"temperature": player.temperature, "limit": lm.max_new_tokens}
        decides |= {"prompt": prompt_digest(lm, game)}
    elif hasattr(player, "settings"):
        from .games.base import SEMI, kind

        of = kind(game)
        place = of.start(of.tasks(of.splits[0])[0], SEMI).position()
        prompt = place.system(player.style)  # of any task: how it reads
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        decides |= player.settings | {"prompt": digest}
    return decides


def _mend(out: Path) -> None:
    """Put a last line that was cut aside, so that the file can be gone on with."""
    from .games.base import read

    raw = out.read_bytes() if out.exists() else b""
    whole, end, tail = raw.rpartition(b"\n")
    if not tail.strip() or raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return  # UTF-16 is explained by who reads it
    try:
        read(tail.decode("utf-8-sig"))
        tail += b"\n"
        whole, aside = whole + end + tail, ""
    except ValueError:
        aside = f"{out.name}.cut"
        with out.with_name(aside).open("ab") as f:
            f.write(tail + b"\n")
        whole += end
        print(
            f"the last line of {out} was cut when writing was interrupted: it is put "
            f"aside in {aside}, and its game is played again",
            file=sys.stderr,
        )
    with files.replacing(out, "wb") as f:
        f.write(whole)


def _objective(told: str):
    from .games.base import OBJECTIVES, Objective

    if told in OBJECTIVES:
        return OBJECTIVES[told]
    try:
        return Objective(float(told))
    except ValueError as e:
        raise ValueError(
            f"an objective is {', '.join(OBJECTIVES)} or lambda, a number from -1 to "
            f"1; got {told!r}"
        ) from e


def _player(name: str, given: argparse.Namespace):
    from .games.base import kind

    if script := kind(given.game).players.get(name):
        return script()
    if name.startswith("endpoint:"):
        from .lm.endpoint import EndpointPlayer

        return EndpointPlayer(
            name.removeprefix("endpoint:"),
            given.url,
            key_from=given.key_from,
            temperature=_endpoint_temperature(given),
            max_tokens=given.max_tokens,
            style=given.style,
            opening=given.opening,
            concurrency=given.concurrency,
            timeout=given.timeout,
            retries=given.retries,
            token_field=given.token_field,
            send_seed=not given.no_seed,
            system=not given.no_system,
        )
    from .lm.models import load_model
    from .lm.player import LMPlayer

    return LMPlayer(load_model(name), temperature=given.temperature)


def _endpoint_temperature(given: argparse.Namespace) -> float | None:
    if given.no_temperature and given.temperature is not None:
        raise ValueError("--temperature and --no-temperature exclude each other")
    asked = 1.0 if given.temperature is None else given.temperature
    return None if given.no_temperature else asked


def _export(p: argparse.ArgumentParser) -> None:
    p.add_argument("run", type=Path, help="a run folder")
    p.add_argument("--round", type=int, default=0, help="whose kept games")
    p.add_argument("--style", default="long", help="the prompt: long or short")
    p.add_argument("--out", type=Path, required=True)
    p.set_defaults(go=_go_export)


def _go_export(given: argparse.Namespace) -> int:
    from .learn.export import kept_views, write_chat

    written = write_chat(kept_views(given.run, given.round), given.out, given.style)
    print(f"{written} views of round {given.round} written to {given.out}")
    return 0


def _score(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "files",
        nargs="+",
        type=Path,
        help="the kit's JSON lines, files of Lewis et al., or output folders of the "
        "paper's released code",
    )
    p.add_argument("--format", choices=("kit", "lewis", "released"))
    p.add_argument("--objective", help="a name or lambda, where a file doesn't say")
    p.add_argument("--claims", choices=("exact", "free"), help="how words are read")
    p.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="games on the same scenarios: show each metric less theirs, too, with the "
        "interval of the paired difference and how many games would show it",
    )
    p.add_argument("--json", action="store_true", help="instead of a table")
    p.set_defaults(go=_go_score)


def _go_score(given: argparse.Namespace) -> int:
    from .measure.claims import exact, free
    from .measure.consistency import inconsistency
    from .measure.language import language
    from .measure.metrics import summarise

    goal = _objective(given.objective) if given.objective else None
    base = _read(given.against, given, goal)[1] if given.against else []
    scores: dict[str, dict] = {}
    for file in given.files:
        told, games = _read(file, given, goal)
        claims = given.claims or ("exact" if told == "kit" else "free")
        read = exact if claims == "exact" else free
        try:
            found = {"format": told, "games": len(games), "claims": claims} | summarise(
                games, goal
            )
            if games[0].kind == "deal":  # what is read from free talk about a deal
                found |= language(games) | inconsistency(games, read)
            if base:
                found["against"] = _against(games, base, goal)
        except ValueError as e:
            raise ValueError(f"{file}: {e}") from e
        scores[str(file)] = found
    if given.json:
        print(json.dumps(scores, indent=1))
        return 0
    for name, found in scores.items():
        print(f"{name}: {found['games']} games ({found['format']})")
        for metric, m in found.items():
            if isinstance(m, dict) and metric != "against":
                print(_row(metric, m))
        if base:
            print(f"less {given.against}, scenario by scenario:")
        for metric, m in found.get("against", {}).items():
            n = m["games_needed"]
            print(_row(metric, m) + (f"; {n} games each would show it" if n else ""))
    return 0


def _read(file: Path, given: argparse.Namespace, goal) -> tuple[str, list]:
    """The format of ``file`` and its games; the kit's own are replayed."""
    from .learn.rounds import numbered_games
    from .measure.readers import format_of, read_lewis, read_released

    told = given.format or format_of(file)
    if told == "lewis":
        return told, read_lewis(file)
    if told == "released":
        return told, read_released(file, goal)
    games = numbered_games(file)
    for n, t in games:
        try:
            t.replay()
        except ValueError as e:
            raise ValueError(f"{file}, line {n}, does not replay: {e}") from e
    return told, [t for _, t in games]


def _against(games: list, base: list, goal) -> dict[str, dict]:
    """Each metric's paired difference, and how many games would show it."""
    from .measure.compare import games_needed, paired
    from .measure.metrics import the_kind

    found, kind = {}, the_kind(games)
    for metric in getattr(kind, "compared", kind.metrics):
        d = found[metric] = paired(games, base, metric, objective=goal)
        d["games_needed"] = None
        if d["value"] and d["deviation"]:
            d["games_needed"] = games_needed(d["value"], d["deviation"], sets=1)
    return found


def _row(metric: str, m: dict) -> str:
    """A line of the table: value, interval where there is one, how many."""
    if m["value"] is None:
        return f"{metric:18} {'–':>8}  {m.get('why', 'nothing to count')}"
    low, high = m.get("low"), m.get("high")
    between = "" if low is None else f"[{low:.3f}, {high:.3f}]"
    return f"{metric:18} {m['value']:8.3f}  {between:20} n {m['n']}"
