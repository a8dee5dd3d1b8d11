"""Every exercise's check: it passes the solution and catches wrong answers.

Nothing here executes a whole notebook. A check runs with the few statements of its
notebook that it needs, found by following names backwards from it. What would be
slow to compute there, such as played games, TABLE provides instead, small.
"""

import ast
import random
import symtable
import sys
from functools import cache
from pathlib import Path

import jupytext
import pytest

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import COOP, SEMI, Scenario, scenarios
from selfplay_kit.games.deal.scripted import NEGOTIATORS, Teller
from selfplay_kit.games.play import play_games

from .conftest import small_model

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))

import derive  # noqa: E402

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))


# What TABLE provides -----------------------------------------------------------------


@cache
def nothing():
    return {}


@cache
def a_field():
    """Eight scenarios, and what *randomsplit* earns there, as the notebook ranks."""
    field = random.Random(0).sample(scenarios("development"), 8)
    mine, points = NEGOTIATORS["randomsplit"](), []
    for kind in NEGOTIATORS.values():
        games = play_games((mine, kind(name="other")), field, SEMI, seed=0)
        points += [t.points[0] for t in games]
    ranking = {"randomsplit": {"value": sum(points) / len(points)}}
    return {"FIELD": field, "ranking": ranking}


@cache
def some_logits():
    import torch

    return {"counting": torch.linspace(-4, 4, 9)}


@cache
def a_batch():
    """Views as from a weak model: few deals, many quarrels, and a failed try."""
    from selfplay_kit.learn.cloning import above_mean, views

    def game(*moves):
        state = Game(S, SEMI)
        for move in moves:
            state = state.submit(move)
        return state.transcript()

    hello = "[message] i take 1 book 0 hats 1 ball ."
    deals = [(propose(mine), propose(S.complement(mine))) for mine in DEALS]
    slipped = game(hello, "i take the hat .", *deals[0])
    games = [slipped, *(game(hello, *deal) for deal in deals)]
    games += [game(hello, propose(S.counts), propose(S.counts))] * 18
    sides = views(games)
    slip = next(v for v in sides if v.seat == slipped.moves[1].seat)
    kept = above_mean(sides, random.Random(0))
    return {"sides": sides, "kept": kept, "slip": slip, "lm": small_model()}


DEALS = ((1, 0, 1), (0, 0, 1), (2, 1, 1))


@cache
def told_games():
    return {"heard": play_games(Teller(), scenarios("test")[:3], COOP, seed=0)}


WHAT_IS_LEFT = """\
mine = best_share(view, self.aim(view))
        return tuple(n - k for n, k in zip(view.counts, mine))"""
THE_WORST = "return min(view.shares(), key=view.points)"
THE_MEAN = "mean = sum(joint) / len(joint)"
ALL_VALUES = '(row["ours"] or {}).get("judged", {}).get("values", [])'
ALWAYS_VALUES = 'row["ours"]["judged"]["values"] if row["ours"] else []'
EVERY = "all(k <= n for k, n in zip(share, counts, strict=True))"


# One entry a check: what it is given, and wrong answers. A wrong answer is an edit of
# the solution (what, by what) and words that the check must say about it.
A_MEAN_OF_MEANS = (
    "(sum(g) / len(g) if within else "
    "sum(sum(h) / len(h) for h in groups) / len(groups))"
)
TABLE = {
    ("00_tour", "Exercise 0.1"): (
        nothing,
        [
            ("r > bar", "r >= bar", "*strictly*"),
            ("r > bar", "r < bar", "below the mean"),
            ("r > bar", "r > 8", "missing: [8]"),
            ("if r > bar]", "if r > bar] + [9]", "only rewards of the list"),
        ],
    ),
    ("00_tour", "Exercise 0.2"): (
        nothing,
        [
            ("(4, 10)", "(10, 4)", "other way round"),
            ("(4, 10)", "(10, 10)", "no division"),
            ("(4, 10)", "(7, 6)", "larger sum"),
        ],
    ),
    ("01_the_game", "Exercise 1.1"): (
        nothing,
        [
            ("values[player]", "values[1 - player]", "the other's values"),
            ("value * count", "value", "(2, 0, 0) is worth 6 points"),
            ("sum(", "max(", "is worth"),
        ],
    ),
    ("01_the_game", "Exercise 1.2"): (
        nothing,
        [
            ("p[0] >= q[0] and p[1] >= q[1]", "p[0] > q[0] and p[1] > q[1]", "belong"),
            ("q[0] and p[1]", "q[0] or p[1]", "missing"),
            (" and p != q", "", "missing"),
            ("return [q", "return points or [q", "belong"),
        ],
    ),
    ("01_the_game", "Exercise 1.3"): (
        nothing,
        [
            ("lam *", "0 *", "at λ = 1 "),
            ("lam *", "1 *", "at λ = 0 "),
            ("+ lam", "- lam", "at λ = 1 "),
            ("key=reward)", "key=reward)[0]", "no pair of shares"),
            ("lam *", "int(lam) *", "at λ = 0.9 "),
            ("lam *", "(lam == 1) *", "at λ = 0.9 "),
            ("def best_for_me(s", "def best_for_me(_", "values exchanged"),
        ],
    ),
    ("02_players", "Exercise 2.1"): (
        nothing,
        [
            ("fullmatch", "search", "'[message] ok [propose] (2 books, 0 hats"),
            ("fullmatch", "match", "1 ball) [message] ok ?' must give False"),
            ("FORM, line", "FORM + '.*', line", "[message] ok ?' must give False"),
            (r"(\d+) books?", "([0-3]) books?", "pool (4, 1, 1), '[propose] (4 books"),
            (r"(\d+) hats?", "([01]) hats?", "pool (1, 2, 3), '[propose] (0 books, 2"),
            (EVERY, "share[0] <= counts[0]", "0 hats, 2 balls)' must give False"),
            (EVERY, "share <= (3, 1, 1)", "must give"),
            ("all(k <= n", "all(k <= 4", "pool (1, 2, 3), '[propose] (2 books"),
            (r"( \[END\])?", "", "[END]' must give (2, 0, 1); yours gives False"),
            (r"\[propose\] ", ".*", "'[message]"),
            ("and share", "and (1, 1, 0)", "give (2, 0, 1); yours gives (1, 1, 0)"),
            ("return False", "return None", "must give False; yours gives None"),
        ],
    ),
    ("02_players", "Exercise 2.2"): (
        nothing,
        [
            ("tables[game.turn]", "tables[0]", "seat 0 needs its own position"),
            ("game.position()", "game.position(1)", "seat 0 needs its own position"),
            ("game = game", "_ = game", "each time anew"),
            ("while not", "if not", "1 moves were made, and it is not over"),
        ],
    ),
    ("02_players", "Exercise 2.3"): (
        a_field,
        [
            ("return best_share(view, self.aim(view))", WHAT_IS_LEFT, "randomsplit"),
            ("return best_share(view, self.aim(view))", THE_WORST, "randomsplit earns"),
            ("return best_share(view, self.aim(view))", "return (9, 9, 9)", "share of"),
        ],
    ),
    ("03_a_model_at_the_table", "Exercise 3.1"): (
        some_logits,
        [
            ("logits / temperature", "logits", "T = 0.3"),
            ("logits / temperature", "logits * temperature", "not the softmax's"),
            ("scaled - scaled.max()", "scaled", "overflow"),
            ("grown / grown.sum()", "grown", "not 1"),
        ],
    ),
    ("03_a_model_at_the_table", "Exercise 3.2"): (
        nothing,
        [
            ('"a": "proposal_first"', '"a": None', "about a: [propose]"),
            ('{"g": None', '{"g": "bad_items"', "about g: [PROPOSE]"),
            (', "h": "must_propose"', "", "h is missing"),
            ('"must_propose"', '"propose"', "'propose' (output h) is none of"),
        ],
    ),
    ("04_one_round", "Exercise 4.1"): (
        a_batch,
        [
            ("v.reward > mean", "v.reward >= mean", "you keep"),
            ("v.reward > mean", "v.reward < mean", "you keep"),
            ("v.reward > mean", "v.reward > 0", "you keep"),
            (
                "return [v for v in some",
                "return [v for v in some[::-1]",
                "not the same",
            ),
        ],
    ),
    ("04_one_round", "Exercise 4.2"): (
        nothing,
        [
            ("(1, 0), (1, 1), (2, 0)},\n}", "(2, 0)},\n}", "-1: look again at [(1, 0)"),
            ("(2, 0)},\n    -1", "(2, 0), (2, 1)},\n    -1", "+0: look again at [(2"),
            (", (2, 0), (2, 1)}", ", (2, 0)}", "+1: look again at [(2, 1)]"),
        ],
    ),
    ("04_one_round", "Exercise 4.3"): (
        a_batch,
        [
            ('turn.own == "mine"', "True", "labels; up to my"),
            ('own == "mine"', 'own != "mine"', "labels; up to my"),
            ("labels[-1] == IGNORE", "False", "labels; up to my"),
            ("turn.ids if mine", "[IGNORE, *turn.ids[1:]] if mine", "is mine"),
            (
                "turn.ids if mine",
                "[*turn.ids[:-1], IGNORE] if mine",
                "labels; up to my",
            ),
        ],
    ),
    ("04_one_round", "Exercise 4.4"): (
        a_batch,
        [
            ("logits[:-1], -1), labels[1:]", "logits, -1), labels", "nats: shift, or"),
            ("].mean()", "].sum()", "the sum over the labelled tokens"),
            ("at = aim != IGNORE", "at = aim > -200", "nats: shift, or IGNORE?"),
            ("-log_chances", "log_chances", "nats: shift, or"),
        ],
    ),
    ("05_self_play", "Exercise 5.1"): (
        nothing,
        [
            (">= level", "> level", "come in rounds"),
            ("return number", "return number + 1", "come in rounds 0, 1, 3"),
            ("return -1", "return None", "never reached"),
            ("return -1", "return len(rows)", "yours gives 4"),
        ],
    ),
    ("05_self_play", "Exercise 5.2"): (
        nothing,
        [
            ("points[0] / deals[0]", "points[1] / deals[1]", "yours gives 3.6"),
            (" - from_deals", "", "add up"),
            ("return from_deals, ", "return 0, from_deals + ", "yours gives 0"),
        ],
    ),
    ("06_a_quantised_model", "Exercise 6.1"): (
        nothing,
        [
            ("linear / 2", "linear", "32 + 4 = 36 bytes"),
            ("4 * linear / 64", "linear / 64", "32 + 4 = 36 bytes"),
            ("2 * other", "4 * other", "take 20 bytes, not 40"),
            ("2 * other", "(2 * other if not linear else other)", "72 + 20 bytes"),
        ],
    ),
    ("06_a_quantised_model", "Exercise 6.2"): (
        nothing,
        [
            ("(p + q) / 2", "p", "it is 0.786, not 0.714"),
            ("(p + q) / 2", "q", "it is 0.786"),
            (" / (b * q - a * p)", "", "it is 1.000, not 2.000"),
            ("(b - a) * (p + q)", "(q - p) * (a + b)", "it is 1.000, not 0.000"),
        ],
    ),
    ("07_does_it_transfer", "Exercise 7.1"): (
        nothing,
        [
            (
                "t.points[t.first] - t.points[1 - t.first]",
                "t.points[0] - t.points[1]",
                "the column speaks first",
            ),
            (
                "t.points[t.first] - t.points[1 - t.first]",
                "t.points[1 - t.first] - t.points[t.first]",
                "the row speaks first",
            ),
            (" for t in games]", " for t in games if t.agreed]", "yours gives"),
            (" - t.points[1 - t.first]", "", "yours gives"),
        ],
    ),
    ("07_does_it_transfer", "Exercise 7.2"): (
        nothing,
        [
            (">= floor", "> floor", "floor 6: it is 7, yours gives 5"),
            ("points(1, b) >=", "points(1, a) >=", "it is"),
            ("points(0, a)", "points(0, b)", "it is"),
            (
                "scenario.points(0, a)",
                "scenario.points(0, a) + scenario.points(1, b)",
                "it is 7",
            ),
        ],
    ),
    ("08_why_does_it_work", "Exercise 8.1"): (
        nothing,
        [
            ("needed - 1, K", "needed, K", "one deal in 500 games needs 0.006"),
            (">= 0.95", ">= 0.90", "one deal in 500 games needs 0.006"),
            ("binom.sf(needed - 1, K,", "binom.sf(0, 500,", "1000 games need less"),
            ("needed - 1, K", "0, K", "need [0.003, 0.056, 0.102]; yours"),
        ],
    ),
    ("08_why_does_it_work", "Exercise 8.2"): (
        nothing,
        [
            ("total > mean]", "total > mean and not v.seat]", "both sides of a game"),
            ("> mean", "> 0", "views 0 to 3 are above the mean"),
            (
                THE_MEAN,
                "from statistics import median; mean = median(joint)",
                "not the median",
            ),
            ("> mean", ">= mean", "where all games are alike"),
        ],
    ),
    ("09_the_ledger", "Exercise 9.1"): (
        nothing,
        [
            (
                "low is None:\n        return ledger.CANNOT",
                "low is None:\n        return ledger.NOT_ILLUSTRATES",
                "[None, None]",
            ),
            ("and high <= region[1]", "or high <= region[1]", "not 'illustrates'"),
            ("if not (inside or outside)", "if False", "not 'does not illustrate'"),
            ('if taught == "strategy"', 'if taught != "strategy"', "taught strategy"),
        ],
    ),
    ("09_the_ledger", "Exercise 9.2"): (
        nothing,
        [
            ("any(inside) and not all(inside)", "any(inside)", "['up', 'up', 'st"),
            ("low <= v <= high", "low < v < high", "(1, -1) is not"),
            ('(row["ours"] or {})', 'row["ours"]', "it raised AttributeError"),
            (ALL_VALUES, ALWAYS_VALUES, "it raised KeyError: 'values'"),
            ("not all(inside)", "all(inside)", "(1, -1) is torn"),
            ("any(inside) and not", "not", "['up', 'up', "),
        ],
    ),
    ("10_a_class_study", "Exercise 10.1"): (
        nothing,
        [
            (
                "for games in people]",
                "for games in people for g in games]",
                "5 people, 3",
            ),
            ("len(means) - 1", "len(means)", "2 people, 1 games"),
            ("/ len(means)) ** 0.5", ") ** 0.5", "2 people, 1 games"),
            (
                "[sum(games) / len(games) for games in people]",
                "[x for games in people for x in games]",
                "every game for a person",
            ),
        ],
    ),
    ("10_a_class_study", "Exercise 10.2"): (
        nothing,
        [
            ("math.ceil", "", "no whole number"),
            ("math.ceil", "math.floor", "20 people, not 19"),
            (") ** 2", ")", "(10, 1.0, 2.0): 20 people"),
            ("1.96 + 0.84", "1.96", "(10, 1.0, 2.0): 20 people"),
            ("error / aim", "error", "(10, 1.0, 2.0): 20 people"),
        ],
    ),
    ("11_talk_that_pays", "Exercise 11.1"): (
        nothing,
        [
            ("x > mean", "x >= mean", "look at"),
            ("g if within else every", "every", "within=True: look at"),
            ("g if within else every", "g", "within=False: look at"),
            ("sum(some) / len(some)", A_MEAN_OF_MEANS, "within=False: look at"),
        ],
    ),
    ("11_talk_that_pays", "Exercise 11.2"): (
        told_games,
        [
            ("values[s.seat]", "values[1 - s.seat]", "for tellers it is 1.000"),
            ("values[s.seat]", "values[0]", "for tellers it is 1.000"),
            ("s.values == t.scenario.values[s.seat]", "True", "for liars it is 0.000"),
            (" if right else 0", "", "ZeroDivisionError"),
            ("len(right)", "len(games)", "for tellers it is 1.000"),
            ("in statements(t)]", "in statements(t)[:1]]", "and lone tellers"),
        ],
    ),
}


# A check and the statements that it needs --------------------------------------------


@cache
def code_cells(stem):
    text = (NOTEBOOKS / "source" / f"{stem}.py").read_text(encoding="utf-8")
    cells = jupytext.reads(text, fmt="py:percent").cells
    return [c for c in cells if c.cell_type == "code"]


def checked(cell):
    """What a check cell calls its exercise."""
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "notebook.check":
            return ast.literal_eval(node.args[0])
    return None


def names(statement):
    """The names that a statement binds, and those that it or its insides look up."""
    top = symtable.symtable(ast.unparse(statement), "", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned()}
    bound |= {s.get_name() for s in top.get_symbols() if s.is_imported()}
    used = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    if isinstance(statement, ast.AugAssign):
        used |= bound  # what is there already counts too
    inner = top.get_children()
    while inner:
        table = inner.pop()
        inner += table.get_children()
        used |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return bound, used


def run(stem, name, kind, old="", new=""):
    """Run a check over the exercise's cell of a `kind`: its stub or its solution,
    in which `old` becomes `new`."""
    if any("torch=True" in cell.source for cell in code_cells(stem)):
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
    space = dict(TABLE[stem, name][0]())
    given = set(space)
    other = {"exercise": "solution", "solution": "exercise"}[kind]
    chosen, wanted, ours = [], set(), False
    for cell in reversed(code_cells(stem)):
        check = derive.has_tag(cell, "check") and checked(cell) == name
        source = cell.source
        if derive.has_tag(cell, kind) and ours:
            if old not in source:
                raise ValueError(f"the solution of {name} no longer says {old!r}")
            source, ours = source.replace(old, new) if old else source, False
        ours = ours or check
        for statement in reversed(ast.parse(source).body):
            bound, used = names(statement)
            if check or (bound & wanted and not derive.has_tag(cell, other)):
                chosen.append(statement)
                wanted = (wanted - bound | used) - given
    module = ast.Module(chosen[::-1], type_ignores=[])
    exec(compile(module, f"{stem}, {name}", "exec"), space)


ENTRIES = [pytest.param(*key, id=f"{key[0][:2]}-{key[1]}") for key in TABLE]
WRONG = [
    pytest.param(*key, *wrong, id=f"{key[0][:2]}-{key[1]}-{i}")
    for key, (_, answers) in TABLE.items()
    for i, wrong in enumerate(answers)
]


def test_every_check_has_an_entry_with_a_wrong_answer():
    stems = [path.stem for path in derive.sources(NOTEBOOKS)]
    cells = [(stem, cell) for stem in stems for cell in code_cells(stem)]
    found = [(s, checked(c)) for s, c in cells if derive.has_tag(c, "check")]
    assert sorted(map(str, found)) == sorted(map(str, TABLE))
    assert [key for key, (_, answers) in TABLE.items() if not answers] == []


@pytest.mark.parametrize("stem", [path.stem for path in derive.sources(NOTEBOOKS)])
def test_an_answer_is_used_only_where_its_check_said_right(stem):
    answers, loose = set(), []
    for cell in code_cells(stem):
        statements = ast.parse(cell.source).body
        if derive.has_tag(cell, "exercise"):
            stub = {ast.unparse(s): names(s)[0] for s in statements}
        elif derive.has_tag(cell, "solution"):
            given = {ast.unparse(s) for s in statements}
            answers |= set().union(*(stub[s] for s in stub if s not in given))
        elif not derive.has_tag(cell, "check"):
            for statement in statements:
                bound, used = names(statement)
                sure = isinstance(statement, ast.If)
                sure = sure and {"solved", "done"} & names(statement)[1]
                loose += [] if sure else sorted(used & answers)
                answers -= bound
    assert loose == []


@pytest.mark.parametrize(("stem", "name"), ENTRIES)
def test_the_solution_is_right(stem, name, monkeypatch, capsys):
    monkeypatch.setenv("SELFPLAY_KIT_STRICT", "1")
    run(stem, name, "solution")
    assert f"{name}: right!" in capsys.readouterr().out


@pytest.mark.parametrize(("stem", "name", "old", "new", "told"), WRONG)
def test_a_wrong_answer_is_caught(stem, name, old, new, told, monkeypatch, capsys):
    monkeypatch.setenv("SELFPLAY_KIT_STRICT", "1")
    with pytest.raises(AssertionError) as caught:
        run(stem, name, "solution", old, new)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == str(caught.value) and told in said


@pytest.mark.parametrize(("stem", "name"), ENTRIES)
def test_an_open_exercise_is_not_solved_yet(stem, name, capsys):
    run(stem, name, "exercise")
    assert capsys.readouterr().out == f"{name}: not solved yet\n"
