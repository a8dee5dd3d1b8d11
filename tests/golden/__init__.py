"""Golden play-throughs: whole games as a person would read them.

Each ``*.txt`` in this folder is the trace of one scripted game: what each seat
newly sees before it speaks, what it says, what the parser makes of it, and how it
ends. ``test_golden.py`` plays them again and compares. After a change that is
meant: ``python -m tests.golden`` writes them anew; read the diff.
"""

from pathlib import Path

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import LONG, SHORT, propose, share_text
from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, Objective, Scenario
from selfplay_kit.games.deal.scripted import NEGOTIATORS
from selfplay_kit.games.play import play_games

FOLDER = Path(__file__).resolve().parent
POOL = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
OTHER = Scenario((2, 2, 2), ((0, 3, 2), (1, 2, 2)))

# name: scenario, objective, first seat, outputs in their order
SPOKEN = {
    "deal": (
        POOL,
        SEMI,
        0,
        [
            "[message] The ball and one book for me, the rest for you? [END]",
            "[message] Fine with me.",
            "[propose] (1 book, 0 hats, 1 ball) [END]",
            "[propose] (2 books, 1 hat, 0 balls)\n[message] thanks!",
        ],
    ),
    "no_deal_under_claim": (
        POOL,
        COOP,
        1,
        ["[message] Hi.", propose((1, 0, 1)), propose((1, 1, 0))],
    ),
    "every_error": (
        POOL,
        STRICT,
        0,
        [
            "I want the ball.",
            propose((0, 0, 1)),
            "[message] I want the ball. [propose] (0 books, 0 hats, 1 ball)",
            "[message] I want the ball.",
            "[propose] (1 hat, 3 books, 0 balls)",
            "[propose] (three books, 1 hat, 0 balls)",
            "[propose] (4 books, 1 hat, 0 balls)",
            "[propose] (3 books, 1 hat, 0 balls)",
            "[message] Deal!",
            "[propose] (0 books, 0 hats, 1 ball)",
        ],
    ),
    "abort": (
        OTHER,
        Objective(0.5),
        1,
        ["[message] Hello?", "um", "", "[ABORT]", "[message", "(1 book)"],
    ),
    "move_limit": (
        OTHER,
        SEMI,
        0,
        [f"[message] Number {n}." for n in range(1, 51)],
    ),
}

# name: scenario, objective, the two tempers, their noise
NEGOTIATED = {
    "teller_teller": (OTHER, COOP, ("teller", "teller"), 0.0),
    "greedy_fair": (POOL, SEMI, ("greedy", "fair"), 0.0),
    "liar_blind_clumsy": (POOL, STRICT, ("liar", "blind"), 0.5),
}


def games():
    """Every golden game by its name, with its finished state."""
    for name, (scenario, objective, first, outputs) in SPOKEN.items():
        game = Game(scenario, objective, first)
        for text in outputs:
            game = game.submit(text)
        yield name, game
    for name, (scenario, objective, tempers, noise) in NEGOTIATED.items():
        players = tuple(NEGOTIATORS[t](noise) for t in tempers)
        (t,) = play_games(players, [scenario], objective, seed="golden")
        yield name, t.replay()


def trace(name: str, game: Game) -> str:
    """The game as text, step by step, from what each seat saw."""
    s = game.scenario
    out = [f"{name}: objective {game.objective.name}, seat {game.first} speaks first"]
    out.append(f"pool    {share_text(s.counts)}")
    out += [f"seat {p}  values {v}" for p, v in enumerate(s.values)]
    state, seen = Game(s, game.objective, game.first), [None, None]
    for n, move in enumerate(game.moves, 1):
        seat = state.turn
        position = state.position()
        if seen[seat] is None:
            style = LONG if name == "deal" else SHORT  # the long prompt once is enough
            out += ["", f"seat {seat} reads", *_indent(style.system(position))]
        for line in position.lines[seen[seat] or 0 :]:
            if line.by not in ("mine", "tried"):
                out += ["", f"seat {seat} reads", *_indent(LONG.user(line))]
        seen[seat] = len(position.lines)
        out += ["", f"{n}. seat {seat} says", *_indent(move.text)]
        read = state.read(move.text)
        out.append(f"   = {read.error or read.kind} {read.share or ''}".rstrip())
        state = state.submit(move.text)
    end = "deal" if state.agreed else "aborted" if state.aborted else "no deal"
    t = state.transcript(("a", "b"), "golden")
    out += ["", f"end: {end}, points {t.points}, rewards {t.rewards}", t.to_json()]
    return "\n".join(out) + "\n"


def _indent(text):
    return [f"   | {line}".rstrip() for line in text.split("\n")]


def write() -> None:
    """Write every trace anew."""
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, game in games():
        with (FOLDER / f"{name}.txt").open("w", encoding="utf-8", newline="\n") as f:
            f.write(trace(name, game))
