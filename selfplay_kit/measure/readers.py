"""Other people's transcripts, read so that ``metrics`` works on them.

:func:`read_lewis` reads the human dialogues of Lewis et al. (2017),
:func:`read_released` the output folders of the code that Liao et al. (2024) released.
You bring the files; the kit ships none. Points come from the files' own allocations
and values, and are held against what the files say of them; nothing is guessed. The
kit's own JSON lines are read by ``rounds.read_games``. Nothing in the kit imports
this module but the command line (``python -m selfplay_kit score``).

What a file doesn't tell is left out of the transcript: the selections of a human game
without a deal, for instance. Such a transcript can be counted but not replayed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ..files import foreign, read_json, read_text
from ..games.deal.game import Transcript
from ..games.deal.protocol import MESSAGE, PROPOSE, Move, parse, propose
from ..games.deal.rules import COOP, ITEMS, SEMI, STRICT, Objective, Scenario, Share

FORMATS = ("kit", "lewis", "released")


def format_of(path: str | Path) -> str:
    """Which of :data:`FORMATS` a file or folder looks like; ``ValueError`` if none."""
    path = Path(path)
    if path.is_dir():
        if (path / "results").is_dir():
            return "released"
    else:
        start = read_text(path).lstrip("\ufeff\n\t ")[:10]
        if start.startswith("{"):
            return "kit"
        if start.startswith("<input>"):
            return "lewis"
    raise ValueError(
        f"{path} is of no format that is known: expected the kit's JSON lines, a file "
        "of Lewis et al. (lines that begin with <input>), or an output folder of the "
        "paper's released code (with results/, json_logs/ and text_logs/)"
    )


# Lewis et al. 2017 ----------------------------------------------------------------

_PARTS = ("input", "dialogue", "output", "partner_input")
_ENDS = ("<disagree>", "<no_agreement>", "<disconnect>")


def read_lewis(path: str | Path, *, perspectives: bool = False) -> list[Transcript]:
    """The dialogues of a file of Lewis et al. (``train.txt``, ``val.txt``, ...), or of
    the same lines with plainer spacing that come with the released code of 2024.

    A line is one player's view, and most dialogues stand there twice: both views are
    made one transcript, unless ``perspectives`` asks for one for each line (which is
    how the published counts are made). Seat 0 is who spoke first. A deal ends in the
    two selections, as proposals; without one they aren't in the file. ``aborted``
    means that a player left. People were paid their own points, so the objective is
    semi-competitive. ``ValueError`` names a line that can't be read.

    The paper reports 5,808 dialogues, 80.1 % of them agreed, over all files together.
    """
    path, found = Path(path), []
    views: Counter[tuple] = Counter()
    lines = read_text(path).split("\n")
    for n, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told, you_first = _lewis_line(line)
        except (ValueError, KeyError) as e:
            raise ValueError(
                f"{path}, line {n} is no dialogue of Lewis et al. ({e}): {line[:60]!r}"
            ) from e
        views[told, you_first] += 1
        if perspectives or views[told, you_first] > views[told, not you_first]:
            found.append(_lewis_transcript(told, f"{path.name}:{n}"))
    if not found:
        raise ValueError(f"{path} is empty: no dialogue in it")
    return found


def _lewis_line(line: str) -> tuple[tuple, bool]:
    """What a line tells, as seen by who speaks first, and whether that is YOU."""
    parts = {p: re.search(rf"<{p}> (.*?) </{p}>", line) for p in _PARTS}
    if missing := [p for p, m in parts.items() if m is None]:
        raise ValueError(f"no <{missing[0]}> … </{missing[0]}>")
    text = {p: m[1] for p, m in parts.items() if m}
    mine, theirs = ([int(x) for x in text[p].split()] for p in _PARTS[::3])
    turns = [t.partition(": ")[::2] for t in text["dialogue"].split(" <eos> ")]
    if turns[-1][1] != "<selection>" or {who for who, _ in turns} - {"YOU", "THEM"}:
        raise ValueError("turns are YOU: … or THEM: …, and the last is a <selection>")
    if mine[::2] != theirs[::2]:
        raise ValueError(f"the players see different pools, {mine} and {theirs}")
    you_first = turns[0][0] == "YOU"
    order = 1 if you_first else -1
    scenario = Scenario(tuple(mine[::2]), (tuple(mine[1::2]), tuple(theirs[1::2])))
    said = tuple(((who == "YOU") != you_first, words) for who, words in turns)
    end, shares = text["output"].split(), None
    if end[0] not in _ENDS:
        taken = [
            tuple(int(x.partition("=")[2]) for x in end[i : i + 3]) for i in (0, 3)
        ]
        if scenario.complement(taken[0]) != taken[1]:
            raise ValueError(f"the shares {taken} don't make up {scenario.counts}")
        shares = tuple(taken[::order])
    scenario = scenario if you_first else scenario.mirrored()
    return (scenario, said, shares, end[0] == "<disconnect>"), you_first


def _lewis_transcript(told: tuple, name: str) -> Transcript:
    scenario, said, shares, left = told
    moves = [Move(f"{MESSAGE} {words}", seat=int(who)) for who, words in said[:-1]]
    points = (0, 0)
    if shares:
        chose = int(said[-1][0])
        moves += [Move(propose(shares[p]), seat=p) for p in (chose, 1 - chose)]
        points = scenario.pays(shares)
    human = ("human", "human")
    return Transcript(
        scenario, SEMI, 0, tuple(moves), points, bool(shares), left, human, name
    )


# The released code of Liao et al. 2024 ----------------------------------------------

_TOLD = {  # how its corrections begin
    "Your output should either": "no_prefix",
    "Messages must begin": "no_prefix",
    "Proposals must begin": "no_prefix",
    "Do not include any": "second_prefix",
    "Please begin the dialogue": "proposal_first",
    "Opponent's proposal must": "must_propose",
    "Item counts must be": "bad_items",
    "There should only be": "bad_numbers",
    "Item counts suggested": "out_of_range",
}
_ERROR = re.compile(rf"^Error: ({'|'.join(_TOLD)}).*\n?", re.MULTILINE)
_ABORT = "[ABORT]"


def read_released(
    folder: str | Path, objective: Objective | None = None
) -> list[Transcript]:
    """The games in an output folder of the released code (``play.py --output_dir``,
    github.com/nickatomlin/lm-selfplay, as of 2024).

    Of each game it writes ``results/NNN.json`` (pool, values, allocations, scores),
    ``json_logs/NNN_p0.json`` and ``_p1.json`` (the accepted moves as each player's
    chat) and ``text_logs/NNN_p0.txt`` and ``_p1.txt`` (every output, with the
    corrections of the failed ones). All are needed. It doesn't write the objective:
    this is the one of semi, coop and strict under which every score is what the
    allocations are worth. Where several fit (no deals), name it. ``ValueError`` for
    an empty folder, a file that is missing, scores that no objective explains or
    that mix two, and logs that contradict each other. A proposal that the kit's
    parser would read otherwise than it was recorded stands in the kit's form. The
    logs of its web interface have another form and are not read.
    """
    folder = Path(folder)
    found = sorted((folder / "results").glob("*.json"))
    files = [f for f in found if not foreign(f.name)]
    if not files:
        raise ValueError(
            f"{folder} has no results/*.json: it is empty, or no output folder of the "
            "released code"
        )
    games, fits = [], {SEMI, COOP, STRICT} if objective is None else {objective}
    for file in files:
        try:
            game, scores = _released_game(folder, file.stem)
        except (KeyError, IndexError, TypeError, FileNotFoundError) as e:
            raise ValueError(f"{file}: {type(e).__name__}: {e}") from e
        except ValueError as e:
            raise ValueError(f"{file}: {e}") from e
        before = fits
        fits = {o for o in fits if o.rewards(*game["points"]) == scores}
        if not fits:
            raise ValueError(
                f"{file}: scores {scores} for points {game['points']} are not of "
                f"{' or '.join(sorted(o.name for o in before))}, which the games "
                "before are: one folder holds games of one objective"
            )
        games.append(game)
    if len(fits) > 1:
        names = ", ".join(sorted(o.name for o in fits))
        raise ValueError(f"{folder}: every score fits {names}; name the objective")
    (goal,) = fits
    return [Transcript(objective=goal, **g) for g in games]


def _released_game(
    folder: Path, name: str
) -> tuple[dict[str, Any], tuple[float, float]]:
    r = read_json(folder / "results" / f"{name}.json")
    values = (_triple(r["p0_values"]), _triple(r["p1_values"]))
    scenario = Scenario(_triple(r["counts"]), values)
    shares = [r[f"p{p}_allocation"] and _triple(r[f"p{p}_allocation"]) for p in (0, 1)]
    agreed = all(shares) and scenario.complement(shares[0]) == shares[1]
    if agreed != r["is_valid_deal"]:
        raise ValueError(
            f"is_valid_deal is {r['is_valid_deal']}, but the allocations {shares} "
            f"{'make' if agreed else 'do not make'} up the pool {scenario.counts}"
        )
    chats = [read_json(folder / "json_logs" / f"{name}_p{p}.json") for p in (0, 1)]
    for file, chat in zip(("p0", "p1"), chats, strict=True):
        for n, m in enumerate(chat):
            if not isinstance(m["content"], str):
                raise ValueError(
                    f"message {n} of json_logs/{name}_{file}.json has the content "
                    f"{json.dumps(m['content'])[:40]}, where text is expected"
                )
    said = [[m["content"] for m in c if m["role"] == "assistant"] for c in chats]
    heard = [[m["content"] for m in c if m["role"] == "user"] for c in chats]
    tries = [
        _tries(read_text(folder / "text_logs" / f"{name}_p{p}.txt"), said[p])
        for p in (0, 1)
    ]
    order = [int(m["role"] == "user") for m in chats[0] if m["role"] != "system"]
    moves: list[Move] = []
    taken = [0, 0]
    for seat in order:
        at = taken[seat]
        text, told = said[seat][at], heard[1 - seat][at]
        if text != told and not text.startswith(PROPOSE):
            raise ValueError(f"player {seat} said {text!r}, its partner read {told!r}")
        moves += [Move(t, seat=seat, error=e) for t, e in tries[seat].get(at, [])]
        if text != _ABORT:
            moves.append(Move(_own_form(text, shares[seat], scenario), seat=seat))
        taken[seat] += 1
    if taken != [len(said[0]), len(said[1])]:
        raise ValueError(f"the players' logs hold {list(map(len, said))} moves")
    game = {
        "scenario": scenario,
        "first": order[0],
        "moves": tuple(moves),
        "points": tuple(scenario.points(p, shares[p]) if agreed else 0 for p in (0, 1)),
        "agreed": agreed,
        "aborted": _ABORT in said[0] + said[1],
        "seed": name,
    }
    return game, (float(r["p0_score"]), float(r["p1_score"]))


def _own_form(text: str, share: Share | None, scenario: Scenario) -> str:
    if share is None or not text.startswith(PROPOSE):
        return text
    return text if parse(text, scenario.counts).share == share else propose(share)


def _tries(log: str, accepted: list[str]) -> dict[int, list[tuple[str, str]]]:
    """The failed outputs and their errors, by the accepted move that they precede.

    Between two corrections stand accepted outputs, which are known, then the one that
    failed."""
    found: dict[int, list[tuple[str, str]]] = {}
    at, start = 0, log.find("\n") + 1  # the first line tells the values
    for error in _ERROR.finditer(log):
        block = log[start : error.start()].strip()
        while at < len(accepted) and block.startswith(accepted[at]):
            rest = block[len(accepted[at]) :]
            if not re.match(r"\s*(?:\[END\].*)?\n", rest, re.IGNORECASE):
                break
            block, at = rest.partition("\n")[2].strip(), at + 1
        found.setdefault(at, []).append((block, _TOLD[error[1]]))
        start = error.end()
    return found


def _triple(d: dict[str, int]) -> Share:
    return tuple(d[i[:-1]] if i[:-1] in d else d[i] for i in ITEMS)
