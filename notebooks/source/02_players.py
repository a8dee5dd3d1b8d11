# %% [markdown]
# # 02 · Players
#
# Who sits at the table? Before a language model does, let scripts play: each a few
# lines of Python with a temper of its own. They show what the protocol allows, how
# lies and stubbornness pay, and they give every later score something to stand
# beside.
#
# **In this notebook you will**
#
# - **read** moves as the parser does, with all seven ways to get one wrong,
# - **compare** what the two seats may see,
# - **unmask** a liar in a transcript,
# - **run** a tournament and read its matrix with its intervals,
# - **write** a negotiator of your own and rank it.
#
# **Before you start.** Necessary: [01 The game](01_the_game.ipynb), Python classes.
# Helpful: having met a confidence interval. No language model is used here.
#
# **Time.** About 70 minutes, 40 of them for the exercises (an estimate). Running:
# seconds; the README's table has what was measured.
#
# Marked **(exact)** is what comes out the same everywhere, **(statistical)** what is
# a sample: fixed seeds repeat it, but other seeds would move it within its interval.

# %% tags=["parameters"]
PROFILE = "cpu"
PLAY = False  # True: in the section "Play it yourself" you type

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE)

# %% [markdown]
# ## Moves, and seven ways to get one wrong
#
# A move is one line of text. It starts with `[message]`, then comes talk; or with
# `[propose]`, then the share that the speaker takes *for itself*. Nothing else
# counts.
#
# **Predict.** The pool is 3 books, 1 hat, 1 ball. Which of these ten lines pass? Some
# depend on the moment: the very first move of a game must be a message, and once your
# partner has proposed you must propose too.
#
# **Run (exact).** The parser never raises and never guesses what was meant.

# %%
from selfplay_kit.games.deal.protocol import ERRORS, parse, propose

NOW, FIRST, REPLY = {}, {"opening": True}, {"must_propose": True}
LINES = [
    ("[message] i would like the ball .", NOW),
    ("[propose] (2 books, 0 hats, 1 ball)", NOW),
    ("[propose] (2 books, 0 hats, 1 ball) [END]", NOW),
    ("give me the ball", NOW),
    ("[message] ok [propose] (2 books, 0 hats, 1 ball)", NOW),
    ("[propose] (2 books, 0 hats, 1 ball)", FIRST),
    ("[message] wait , one more thing .", REPLY),
    ("[propose] (2 books, 1 ball)", NOW),
    ("[propose] (two books, 0 hats, 1 ball)", NOW),
    ("[propose] (4 books, 0 hats, 1 ball)", NOW),
]
WHEN = {"opening": "first move", "must_propose": "partner proposed"}

# %%
rows = []
for text, moment in LINES:
    seen = parse(text, (3, 1, 1), **moment)
    verdict = f"ok: {seen.share or 'talk'}"
    if seen.error:
        verdict = f"{seen.error}: {ERRORS[seen.error]}"
    when = ", ".join(WHEN[m] for m in moment)
    rows.append((text, when, verdict))
head = ("the line", "moment", "what the parser says")
notebook.table(head, rows, "Ten lines and their readings")

# %% [markdown]
# **Explain.** Three lines pass; the other seven show one error each. Whoever errs is
# told the correction and tries again, unseen by the partner. The **fifth** error in a
# row aborts the game: 0 points for both, also for the partner, who did nothing wrong.
#
# To scripts this hardly matters, as they know the form. To a language model it is the
# first thing to learn: before its training, the paper's model had an error in 14 % of
# its semi-competitive games and in 56 % of its cooperative ones (Liao et al. 2024).
#
# ### Exercise 2.1: a strict parser · medium · 10 minutes
#
# Write a strict little parser: from a line and the counts of the pool, return the
# share as a triple, or `False` if the line is not a proposal that may stand. (Forget
# the moment; only the line counts.)
#
# The kit's own parser is milder: it reads over capitals, missing brackets and harmless
# words such as "and" or "please", but not over a second mark, another number or another
# item. Yours may refuse them all; no line of the check needs such mildness.
#
# <details><summary>Hint</summary>
#
# A regular expression such as `(\d+) books?, (\d+) hats?, (\d+) balls?` inside
# escaped brackets. Anchor it at both ends, so that nothing but an `[END]` may stand
# beside it. Then compare each number with what is in the pool.
#
# </details>

# %% tags=["exercise"]
import re


def parse_proposal(line, counts):
    """The share that `line` proposes, or False."""
    return None  # your turn


# %% tags=["solution"]
import re

FORM = r"\[propose\] \((\d+) books?, (\d+) hats?, (\d+) balls?\)( \[END\])?"


def parse_proposal(line, counts):
    """The share that `line` proposes, or False."""
    found = re.fullmatch(FORM, line.strip())
    if not found:
        return False
    share = tuple(int(n) for n in found.groups()[:3])
    return all(k <= n for k, n in zip(share, counts, strict=True)) and share


# %% tags=["check"]
from itertools import product


def test_parse(parse_proposal):
    lines = [text for text, _ in LINES] + ["[propose] (1 hat, 1 book, 1 ball)"]
    lines += [f"{lines[1]} {more}" for more in ("[message] ok ?", "or 3 books")]
    lines += map(propose, product(range(-1, 5), range(4), range(4)))
    if all(parse_proposal(line, (3, 1, 1)) is None for line in lines):
        return notebook.NOT_SOLVED
    for line, pool in product(lines, ((3, 1, 1), (1, 2, 3), (4, 1, 1))):
        got, wanted = parse_proposal(line, pool), parse(line, pool).share or False
        if got is None or got != wanted:
            told = f"with the pool {pool}, {line!r} must give {wanted}"
            return f"{told}; yours gives {got!r}"


solved = notebook.check("Exercise 2.1", parse_proposal, test_parse)

# %% [markdown]
# ## What a seat may see
#
# **Predict.** Player 0 proposes first. What does player 1 learn of it? And suppose it
# proposed something quite different from what it had promised?

# %%
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.rules import SEMI, Scenario, scenarios

scenario = Scenario(counts=(3, 1, 1), values=((1, 3, 4), (2, 4, 0)))
game = Game(scenario, SEMI, first=0)
for text in (
    "[message] you get the books and the hat , ok ?",
    "[message] deal , i take 3 books 1 hat 0 balls .",
    "[propose] (1 book, 0 hats, 1 ball)",
    "[propose] (3 books, 1 hat, 0 balls)",
):
    game = game.submit(text)
both = zip(game.position(0).lines, game.position(1).lines, strict=True)
rows = [(f"{a.by}: {a.text}", f"{b.by}: {b.text}") for a, b in both]
head = ("player 0 sees", "player 1 sees")
notebook.table(head, rows, f"Points of the two: {game.points}")

# %% [markdown]
# **Explain (exact).** Player 1 sees *that* there is a proposal, never *which*. So
# nobody can wait and see: a proposal is a promise kept or broken in the dark. Here
# player 0 took a book too many; the two shares add up to more than the pool; both go
# home with 0.
#
# **Try.** Let player 0 keep its word: change its share to `0 books`.
#
# ## Meet the negotiators
#
# Each answers two questions: *what do I ask for now?* and *do I take this offer?* One
# more may lie in its nature: whether to tell its values, and whether truly.

# %%
from selfplay_kit.games.deal.scripted import NEGOTIATORS

rows = [(name, kind.temper) for name, kind in NEGOTIATORS.items()]
notebook.table(("name", "what it does"), rows, "Seven negotiators")

# %% [markdown]
# Why these seven? **Randomsplit** is the floor: what does nobody home score?
# **Blind** shows how far one gets without listening, **teller** how far with plain
# honesty. **Greedy**, **fair** and **stubborn** differ in one thing, how fast they
# give way. **Liar** asks what honesty is worth to whom.
#
# **Predict.** Draw, by hand, what *greedy*, *fair* and *stubborn* insist on as they
# speak for the first, second, third … time.

# %% alt="Points insisted on: greedy falls to 7, fair to 5, stubborn stays at 9"
import matplotlib.pyplot as plt

from selfplay_kit.teach import plots

TURNS = range(7)
ax = None
for k, name in enumerate(("greedy", "fair", "stubborn")):
    kind = NEGOTIATORS[name]
    aims = [max(kind.floor, kind.start - kind.step * t) for t in TURNS]
    ax = plots.curve(ax, aims, label=name, k=k)
ax.set(
    xlabel="messages that it has sent so far",
    ylabel="least that it insists on (points)",
    title="How fast they give way",
    ylim=(0, 10.5),
)
ax.legend(loc="lower left")
plt.show()

# %% [markdown]
# *Figure: two falling lines and a level one. Greedy goes from 10 down to 7, fair from
# 8 down to 5, stubborn stays at 9.*
#
# **Explain (exact).** This is *time-dependent concession*, an old family of
# negotiating agents (Faratin et al. 1998). Each asks for the share that reaches its
# aim and takes least from the partner. Whoever gives way slowly hopes that the other
# is quicker.

# %% [markdown]
# ## One transcript, read closely
#
# **Predict.** Both players state their values, one of them falsely. From the talk
# alone, without peeking at the scenario above: who is it, and what gives it away?

# %%
from selfplay_kit.games.deal.scripted import Liar, Teller
from selfplay_kit.games.play import play_games

(t,) = play_games((Teller(), Liar()), [scenario], SEMI, seed=3, firsts=[0])
end = f"{t.points[0]} and {t.points[1]} points" if t.agreed else "no deal"
notebook.show_game(t, caption=f"The talk of two players; {end}")

# %%
# A detective, who knows the true values, goes through the talk.
from selfplay_kit.games.deal.phrasebook import hear

offers, rows = [], []
for m in t.moves:
    heard, finding = hear(m.text), ""
    own = heard.mine
    if heard.yours is not None:
        own = scenario.complement(heard.yours)
    if heard.values:
        true = heard.values == scenario.values[m.seat]
        finding = f"claims {heard.values}: {'true' if true else 'a LIE'}"
    elif own and "[message]" in m.text:
        pair = (own, scenario.complement(own))[:: 1 - 2 * m.seat]
        worth = tuple(scenario.points(p, pair[p]) for p in (0, 1))
        offers.append((m.seat, worth))
        finding = f"worth {worth[0]} and {worth[1]}"
    rows.append((f"player {m.seat}", m.text, finding))
notebook.table(("who", "said", "finding"), rows, "The same, examined")

# %% alt="Worth of each offer in turn, to player 0 and to player 1"
fig, ax = plt.subplots(figsize=(7, 3.4))
for p, colour in ((0, plots.BLUE), (1, plots.ORANGE)):
    line = [worth[p] for _, worth in offers]
    turns = range(1, len(line) + 1)
    look = {"ls": plots.DASHES[p], "marker": plots.MARKERS[p]}
    ax.plot(turns, line, c=colour, label=f"to player {p}", **look)
ax.set_xticks(turns, [f"by {s}" for s, _ in offers])
ax.set(
    xlabel="offers in order, by which player",
    ylabel="worth of the offer (points)",
    title="What is on the table",
    ylim=(-0.5, 10.5),
)
ax.legend()
plt.show()

# %% [markdown]
# *Figure: for each offer in turn two marks, what it would be worth to player 0 (blue,
# circles) and to player 1 (orange, squares).*
#
# **Explain (exact).** Player 1 says that the ball is worth much to it; in truth it is
# worth nothing. The give-away: having praised the ball, it never asks for it. Words
# are free, demands are not: watch what is *asked for*.
#
# And the honest one? It believes the claim, leaves the ball to the liar in all its
# offers and asks for books and hat: the very things that the liar wanted!
#
# **Did the lie pay?** Same scenario, same seed, but player 1 tells the truth.

# %%
honest, liar = Teller(), Liar()
pairs = {"player 1 lies": (honest, liar), "both honest": (honest, honest)}
rows = []
for name, pair in pairs.items():
    (g,) = play_games(pair, [scenario], SEMI, seed=3, firsts=[0])
    rows.append((name, *g.points, sum(g.points)))
head = ("who", "player 0", "player 1", "together")
notebook.table(head, rows, "Points with and without the lie")

# %% [markdown]
# One scenario proves nothing: here the pool and the partner made the lie cost its
# teller. To know whether lies pay *in general*, and against whom, we need many games.
#
# ### Exercise 2.2: play a game · medium · 10 minutes
#
# What does `play_games` do? Write it for one game. `tables[seat].reply([position])`
# gives a list with one move; `game.turn` is the seat whose turn it is. Play until
# `game.over`; return the game that is over.
#
# <details><summary>Hint</summary>
#
# A `while` loop of two lines. A game never changes: `game.submit(move)` gives you the
# *next* one, so write `game = game.submit(move)`. Which position? Of the seat whose
# turn it is: `game.position()`.
#
# </details>


# %% tags=["exercise"]
def play_on(game, tables):
    """The game after both have played to its end."""
    return None  # your turn


# %% tags=["solution"]
def play_on(game, tables):
    """The game after both have played to its end."""
    while not game.over:
        (move,) = tables[game.turn].reply([game.position()])
        game = game.submit(move)
    return game


# %% tags=["check"]
from unittest.mock import Mock


def test_play_on(play_on):
    left = [[m for m in t.moves if m.seat == p] for p in (0, 1)]

    def reply(p, asked):
        if asked[0].seat != p or not left[p]:
            raise ValueError(f"seat {p} needs its own position, each time anew")
        return [left[p].pop(0)]

    tables = [Mock(reply=lambda asked, p=p: reply(p, asked)) for p in (0, 1)]
    game = play_on(Game(scenario, SEMI, first=t.first), tables)
    if game is None:
        return notebook.NOT_SOLVED
    if not game.over:
        return f"{len(game.moves)} moves were made, and it is not over"


solved = notebook.check("Exercise 2.2", play_on, test_play_on)

# %% [markdown]
# ## A tournament
#
# **Predict.** Everybody plays everybody, itself included, on the *development*
# scenarios under λ = 0. Who will have the best row? Who is best against its own
# double?

# %%
import random

import numpy as np

from selfplay_kit.measure.metrics import ratio_interval

coin = random.Random(0)
pairs = {s.key(): (s, s.mirrored()) for s in scenarios("development")}
drawn = coin.sample(list(pairs.values()), here.pick(ci=20, cpu=120))
FIELD = [coin.choice(pair) for pair in drawn]  # a fair coin seats them


def points_against(one, other, seed=0):
    """Points of `one`, in seat 0, in each scenario of FIELD."""
    games = play_games((one, other), FIELD, SEMI, seed=seed)
    return np.array([t.points[0] for t in games], float)


# %%
names = list(NEGOTIATORS)
won = {
    (a, b): points_against(NEGOTIATORS[a](), NEGOTIATORS[b](name="other"))
    for a in names
    for b in names
}
print(f"{len(won) * len(FIELD):,} games played")


# %% alt="Matrix of points, each negotiator against each, with intervals"
def interval(points):
    return ratio_interval(points, np.ones_like(points), seed=0)


cells = {pair: interval(points) for pair, points in won.items()}
value = {pair: c["value"] for pair, c in cells.items()}
half = {pair: (c["high"] - c["low"]) / 2 for pair, c in cells.items()}
fig, ax = plt.subplots(figsize=(8.4, 5.2))
plots.matrix(
    [[value[a, b] for b in names] for a in names],
    names,
    names,
    title="Who gets how much against whom",
    label="points of the row's player",
    half=[[half[a, b] for b in names] for a in names],
    ax=ax,
)
ax.set(xlabel="against (seat 1)", ylabel="player (seat 0)")
plt.show()

# %% [markdown]
# *Figure: a matrix of seven by seven. A row is what that player earns against each
# partner, in points; below it, half the width of the 95 % interval over scenarios.
# Dark is little, light is much.*
#
# **Explain (statistical).** Look along the *columns* first: randomsplit, blind and
# teller say yes to anything reasonable, and whoever is tough feasts on them. Then the
# corner where greedy meets stubborn: two that don't give way starve together.
#
# Did the lie pay? Compare the rows *liar* and *teller*, column by column, and mind
# the ±. Against which partners does it help, and against which does it not?
#
# Now the *diagonal*: there the honest are richest. Which temper is "good" depends on
# who else is in the room. Keep this in mind when a model is trained against *itself*
# only.


# %% alt="Mean points against the field with intervals, best at the top"
def dots(found, **labels):
    """A dot and an interval for each name, the largest on top."""
    order = sorted(found, key=lambda n: found[n]["value"])
    ax = plt.subplots(figsize=(7, 3.2))[1]
    for row, name in enumerate(order):
        r = found[name]
        ax.plot([r["low"], r["high"]], [row, row], color=plots.BLUE, lw=3)
        ax.plot(r["value"], row, "o", color=plots.BLUE)
    ax.set_yticks(range(len(order)), order)
    ax.set(**labels)
    return ax


ranking = {}
for a in names:
    ranking[a] = interval(np.mean([won[a, b] for b in names], axis=0))
label = "points against the whole field (mean, 95 % interval)"
ax = dots(ranking, title="The ranking", xlabel=label, xlim=(0, 10))

# %% [markdown]
# *Figure: a dot and an interval for each negotiator, the best at the top.*
#
# **Explain (statistical).** Where two intervals overlap widely, don't call one the
# winner. And a ranking is of *this field*: take the soft ones out and the tough ones
# have nobody to feast on.
#
# **Try.** Remove `randomsplit`, `blind` and `teller` from `names` and run the last
# two figures again. Who leads now? (Put them
# back afterwards: the last exercise needs them.)

# %% [markdown]
# ## Noise: the same player, clumsier
#
# With `noise=0.3`, three decisions in ten are made by dice. Later, clumsy scripts
# teach the tiny language model, so this number sets where its learning starts.
#
# **Predict.** Two *fair* players with noise. Do points fall in a straight line, or
# all at once? Is it the deals that get worse, or do deals get rare?

# %% alt="Points and share of deals, both falling as noise grows"
from selfplay_kit.games.deal.scripted import Fair, View
from selfplay_kit.measure.metrics import summarise

levels = [0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1]
NOISE = here.pick(ci=[0, 0.5, 1], cpu=levels)
clumsy = [Fair(noise=p) for p in NOISE]
noisy = [summarise(play_games(c, FIELD, SEMI, seed=1)) for c in clumsy]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.3), layout="constrained")
for ax, metric in zip(axes, ("mean_points", "agreement"), strict=True):
    parts = ("value", "low", "high")
    band = {part: [m[metric][part] for m in noisy] for part in parts}
    plots.curve(ax, band.pop("value"), x=NOISE, label=metric, **band)
    ax.set_xlabel("noise (share of random decisions)")
    ax.set_ylim(bottom=0)
axes[0].set(title="Points", ylabel="points per player (mean)")
axes[1].set(title="Deals", ylabel="games with a deal (share)")
plt.show()

# %% [markdown]
# *Figure: two falling lines with 95 % bands against noise; on the left points, on the
# right the share of games that end in a deal.*
#
# **Explain (statistical).** Both fall together, and fast: one random proposal is
# enough to spoil a game, and a game has several decisions. *Points are lost by
# failing to agree.*
#
# There the paper's model starts: in semi-competitive play 6.8 % of its games ended in
# a deal before training, and 96.4 % after (Liao et al. 2024).

# %% [markdown]
# ## Does it pay to speak first?
#
# **Predict.** Two copies of the same player. One opens. Who gets more?
#
# **Run (statistical).** Each scenario is played twice, with the seats exchanged, so
# that no seat has the better values. What is left is the effect of the first word.

# %% alt="Lead of the first to speak, with an interval for each negotiator"
lead = {}
for name, kind in NEGOTIATORS.items():
    extra = 0
    for pool in (FIELD, [s.mirrored() for s in FIELD]):
        first = [0] * len(pool)
        games = play_games(kind(), pool, SEMI, seed=2, firsts=first)
        extra += np.array([t.points[0] - t.points[1] for t in games]) / 2
    lead[name] = interval(extra)
label = "points of the first to speak minus the other's"
ax = dots(lead, title="The first mover's lead", xlabel=label)
ax.axvline(0, ls=":", color=plots.GREY)
plt.show()

# %% [markdown]
# *Figure: a dot and an interval for each negotiator, to the right of the dotted line
# where the first to speak does better.*
#
# **Explain (statistical).** Where the partner takes the first offer that comes, the
# first word decides: look at *blind*. Between two that give way with time it is the
# other way round: whoever speaks first is also the first to give way. An interval
# that covers 0, as a wide one may, says only that these games cannot tell.
#
# ## Play it yourself
#
# Now you: against *fair*, which doesn't know your values, as you don't know its. Talk
# first. *Ask for this* says your choice in words that a script can read; *Propose
# this* is final, and hidden. Tab and Enter are enough.
#
# **Predict.** How many points will you make? And how many would be there to make?

# %%
from selfplay_kit.teach.widgets import Table

Table(Fair(), objective=SEMI, save_to=here.runs / "02")

# %% [markdown]
# Each game that you end is added to `runs/02/games.jsonl`, as plain as any transcript
# here. Another `partner` or `objective` makes another table.
#
# **Or by typing.** Set `PLAY = True` in the second cell from the top, run it, then
# run the next cell. Otherwise a stand-in types five lines, one of them wrong. While
# the box waits for you, no other cell runs. Type a whole line each time: `[message]
# …` or `[propose] (1 book, 0 hats, 1 ball)`.

# %%
alike = [s for s in scenarios("train") if s.counts == (3, 1, 1)]
secret = random.Random(9).choice(alike)
typed = [
    "[message] i take 1 book 1 hat 1 ball .",
    "i really want the hat",
    "[message] how about 1 book 1 hat 0 balls for me ?",
    "[message] i need 1 book 1 hat 0 balls and you get the rest .",
    "[propose] (1 book, 1 hat, 0 balls)",
]


def stand_in(prompt):
    print(prompt + typed[0])
    return typed.pop(0)


ask = input if PLAY and PROFILE != "ci" else stand_in
mine = notebook.play_by_typing(Fair(), secret, SEMI, ask=ask)

# %% [markdown]
# **Explain.** When it is over the partner's values lie open; while you talked you
# could not know them. Was there a deal that both of you would have liked better?
#
# ## Your own negotiator
#
# ### Exercise 2.3: a negotiator · hard · 20 minutes
#
# Write one that earns more against the seven than *randomsplit* does; then climb. In
# `view` you find `view.values` (yours), `view.counts`, `view.theirs` (what the partner
# claims, or `None`), `view.spoken` (your messages so far), `view.shares()` and
# `view.points(share)`.
#
# <details><summary>Hint 1: a start</summary>
#
# Ask for the share with the most points, `max(view.shares(), key=view.points)`, and
# accept 6 points or more. Then look at where the points get lost.
#
# </details>
# <details><summary>Hint 2: climbing</summary>
#
# `from selfplay_kit.games.deal.scripted import best_share` and try `best_share(view, aim)`: it
# reaches the aim and takes least from the partner. Let the aim fall with
# `view.spoken`.
#
# </details>

# %% tags=["exercise"]
from selfplay_kit.games.deal.scripted import Negotiator


class Mine(Negotiator):
    """Describe its temper here."""

    def demand(self, view, rng):
        return None  # your turn: the share to ask for now

    def accepts(self, view, share):
        return view.points(share) >= 5  # change this too


# %% tags=["solution"]
from selfplay_kit.games.deal.scripted import Negotiator, best_share


class Mine(Negotiator):
    """Starts at 9, gives way a point a message, but not below 6."""

    def aim(self, view):
        return max(6, 9 - view.spoken)

    def demand(self, view, rng):
        return best_share(view, self.aim(view))

    def accepts(self, view, share):
        return view.points(share) >= self.aim(view)


# %% tags=["check"]
def test_mine(Mine):
    view = View(Game(scenario, SEMI).position(0))
    share = Mine().demand(view, random.Random(0))
    if share is None:
        return notebook.NOT_SOLVED
    if share not in view.shares():
        return f"demand() must return a share of the pool, not {share!r}"
    field = [kind(name="other") for kind in NEGOTIATORS.values()]
    earned = np.mean([points_against(Mine(), other) for other in field])
    ahead = sum(r["value"] > earned for r in ranking.values())
    print(f"{earned:.2f} points against the field: place {ahead + 1} of 8")
    floor = ranking["randomsplit"]["value"]
    if earned <= floor:
        return f"randomsplit earns {floor:.2f}; where do you lose points?"


solved = notebook.check("Exercise 2.3", Mine, test_mine)

# %% [markdown]
# Your rank was measured on the *development* scenarios, and you may look at it as
# often as you like. Just because of that it flatters: the best of twenty attempts is
# partly luck. What counts in the end is the *test* split, scored once.
#
# ## Recap
#
# - A move is a message or a hidden proposal; seven kinds of error, the fifth in a row
#   ends the game at 0.
# - Toughness earns from the soft and starves among the tough; honesty is best at
#   home.
# - Points are lost mostly by failing to agree, and a little noise is enough for that.
#
# ## Further reading
#
# - Liao, Tomlin & Klein (2024),
#   [arXiv:2406.18872](https://arxiv.org/abs/2406.18872): section 3, the protocol, 15
#   minutes.
# - Lewis et al. (2017), [arXiv:1706.05125](https://arxiv.org/abs/1706.05125): section
#   6 on what their agents learnt to do, deceit included, 10 minutes.
# - Faratin, Sierra & Jennings (1998), *Negotiation decision functions for autonomous
#   agents*: where the concession curves come from, 30 minutes.
#
# **Next:** [03 A language model at the table](03_a_model_at_the_table.ipynb).
