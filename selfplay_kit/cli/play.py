"""``play``: games between any two players, into a file that can be gone on with.

``FILE.config.json`` beside it keeps all that decided the games, so that the same
command goes on, and another is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from .. import files
from .common import objective_of, row, set_threads, tasks_of


def add_play(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "players",
        nargs="+",
        metavar="PLAYER",
        help="one (it plays itself) or two: a scripted negotiator (fair, teller, ...), "
        "a model's name or folder, or endpoint:MODEL",
    )
    from ..games.base import KINDS

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

    from ..games.base import kind
    from ..games.play import play_games
    from ..learn.rounds import read_games
    from ..measure.metrics import summarise

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
    set_threads(given, *(n for n in models if not n.startswith("endpoint:")))
    players = [_player(name, given) for name in given.players]
    pair = (players[0], players[-1])
    goal = objective_of(given.objective)
    rng = random.Random(f"{given.seed}/play")
    wanted = rng.choices(tasks_of(given), k=given.games)
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
        print(row(metric, m))
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
    from ..learn.rounds import read_games

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
    names, pool = (pair[0].name, pair[1].name), set(tasks_of(given))
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


def _decides(player: Any, game: str = "deal") -> dict[str, Any]:
    """All of a player that decides its games."""
    decides = {"name": player.name}
    if hasattr(player, "lm"):
        from ..lm.dialogue import prompt_digest

        lm, report = player.lm, player.lm.report
        decides |= {"weights": report.weights_hash, "precision": report.given}
        decides |= {"temperature": player.temperature, "limit": lm.max_new_tokens}
        decides |= {"prompt": prompt_digest(lm, game)}
    elif hasattr(player, "settings"):
        from ..games.base import SEMI, kind

        of = kind(game)
        place = of.start(of.tasks(of.splits[0])[0], SEMI).position()
        prompt = place.system(player.style)  # of any task: how it reads
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        decides |= player.settings | {"prompt": digest}
    return decides


def _mend(out: Path) -> None:
    """Put a last line that was cut aside, so that the file can be gone on with."""
    from ..games.base import read

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


def _player(name: str, given: argparse.Namespace):
    from ..games.base import kind

    if script := kind(given.game).players.get(name):
        return script()
    if name.startswith("endpoint:"):
        from ..lm.endpoint import EndpointPlayer

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
    from ..lm.models import load_model
    from ..lm.player import LMPlayer

    return LMPlayer(load_model(name), temperature=given.temperature)


def _endpoint_temperature(given: argparse.Namespace) -> float | None:
    if given.no_temperature and given.temperature is not None:
        raise ValueError("--temperature and --no-temperature exclude each other")
    asked = 1.0 if given.temperature is None else given.temperature
    return None if given.no_temperature else asked
