# %% [markdown]
# # 00 · A five-minute tour
#
# Two players bargain over a few books, hats and balls. At first they are hopeless.
# Then they learn from nothing but their own better games, and the scores climb. This
# page shows the whole of it once, quickly; the other notebooks take it apart.
#
# **In this notebook you will**
#
# - **see** the game in one picture,
# - **read** one negotiation, move by move,
# - **measure** how well some players do,
# - **watch** self-play lift a very small learner, under three kinds of reward,
# - **choose** where to go next.
#
# **Before you start.** Necessary: nothing but being able to run a cell (Shift+Enter).
# Helpful: a little Python. No language model and no GPU is used here.
#
# **Time.** About 10 minutes, 5 of them for the exercises (an estimate). Running:
# seconds; the README's table has what was measured.

# %% tags=["parameters"]
PROFILE = "cpu"  # how large the runs are; "ci" is smaller and quicker

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE)

# %% [markdown]
# ## The game in one picture
#
# Here is a pool: three books, one hat, one ball. Two players divide it. Each has its
# own private values, and the whole pool is worth 10 points to each of them.
#
# **Predict.** Player 0 loves the ball; to player 1 the ball is worthless. Can both
# players get more than 5 points, the half of 10?
#
# **Run.** Each dot is one way to divide the pool: to the right is better for player
# 0, upwards is better for player 1.

# %% alt="All deals by the points of both players, the Pareto-optimal ones joined"
from selfplay_kit.games.deal import rules
from selfplay_kit.teach import plots

scenario = rules.Scenario(
    counts=(3, 1, 1),  # books, hats, balls
    values=((1, 3, 4), (2, 4, 0)),  # what one of each is worth
)
ax = plots.frontier(scenario)

# %% [markdown]
# *Figure: the possible deals as grey dots; the blue diamonds that lean out to the
# upper right are the Pareto-optimal ones; the dotted line marks the largest sum of
# points.*
#
# **Explain.** Yes, both can. The diamonds are the *Pareto-optimal* deals: nobody can
# gain without the other losing. The pool is no fixed cake: whoever gives away what is
# worth little to them, and takes what is worth much, makes the cake larger.
#
# **Try.** Change a value in the cell above (keep each player's pool worth 10) and run
# it again. A broken rule gives an error that names the rule.

# %% [markdown]
# ## One negotiation
#
# The players talk. Then each makes a *private* proposal: what it takes for itself. If
# the two proposals make up exactly the pool, there is a deal. If not, both get
# nothing.
#
# **Predict.** *Fair* starts high and gives way down to an even split. *Greedy* asks
# for everything that it values and gives way slowly. Who ends up with more?
#
# **Run.** Both are scripts, a few lines of Python each.

# %%
from selfplay_kit.games.deal.scripted import Fair, Greedy
from selfplay_kit.games.play import play_games

(game,) = play_games((Fair(), Greedy()), [scenario], rules.SEMI, seed=0)
notebook.show_game(game)

# %% alt="The same deals, with a mark round the one that was struck"
ax = plots.frontier(scenario, {"this deal": game.shares})

# %% [markdown]
# *Figure: the picture from before, with an open mark round the deal that was struck.*
#
# **Explain.** Both talked until one accepted; then both proposed, and the proposals
# fitted. The slower of the two to give way got more. Neither ever saw the other's
# values: whatever it knows of them, it was told, and one can be told anything.

# %% [markdown]
# ## What is measured
#
# One game says little. So each player plays itself many times, on scenarios drawn
# from all the legal ones, and we look at the *mean points per player*, with an
# interval.
#
# **Predict.** Which is best at playing with its own double: one that tells its true
# values, one that compromises, or one that never moves?

# %%
import random

from selfplay_kit.games.deal.scripted import NEGOTIATORS
from selfplay_kit.measure.metrics import summarise

GAMES = here.pick(ci=100, cpu=300)
drawn = random.Random(0).sample(rules.all_scenarios(), GAMES)
found = {}
for name, kind in NEGOTIATORS.items():
    games = play_games(kind(), drawn, rules.SEMI, seed=0)
    found[name] = summarise(games)["mean_points"]

# %% alt="A mean with its interval for each player against itself"
import matplotlib.pyplot as plt

ordered = sorted(found, key=lambda n: found[n]["value"])
fig, ax = plt.subplots(figsize=(7, 3.4))
for row, name in enumerate(ordered):
    m = found[name]
    ax.plot([m["low"], m["high"]], [row, row], color=plots.BLUE, lw=3)
    ax.plot(m["value"], row, "o", color=plots.BLUE)
best = sum(map(rules.max_joint, drawn)) / len(drawn) / 2
ax.axvline(best, ls=":", color=plots.GREY)
ax.text(best, 0.2, " best possible")
ax.set_yticks(range(len(ordered)), ordered)
ax.set(
    xlabel=f"points per player (mean of {GAMES} games, 95 % interval)",
    title="Each player against itself",
    xlim=(0, 10),
)
plt.show()

# %% [markdown]
# *Figure: one row for each scripted player, the best at the top; the dot is its mean
# when it plays itself, the bar the 95 % interval, the dotted line the most that any
# pair could reach on these scenarios.*
#
# **Explain.** Two that tell the truth get everything there is, or very nearly. Two
# stubborn ones get next to nothing: they hardly ever agree, and no deal pays 0.
# *Being tough* and *being good at the game together* are two different things.

# %% [markdown]
# ## What self-play does
#
# The paper that this kit reproduces asks: can a language model get better at this by
# playing against *itself*? Its answer is a loop of four steps, run ten times over.

# %% alt="Four boxes in a ring: play, score, keep, imitate"
ax = plots.loop()

# %% [markdown]
# *Figure: four boxes in a ring. Play: the model plays games against itself. Score:
# each player's view of a game gets its reward. Keep: the views strictly above the
# mean. Imitate: fine-tune on the moves of the kept views; then round again.*
#
# This is *filtered behaviour cloning*: imitate yourself, but only on your better
# days.
#
# You can run it right now, without a language model. Our learner is a bag of
# characters: in each game each seat is handed one, drawn from the bag. To *imitate*
# is to refill the bag with the characters that were kept. At the start three in four
# are so clumsy that every decision is a toss of dice.

# %%
sober = {name: kind() for name, kind in NEGOTIATORS.items()}
clumsy = {f"clumsy {n}": k(noise=1) for n, k in NEGOTIATORS.items()}
CHARACTERS = sober | clumsy
START = {name: 1 if name in sober else 3 for name in CHARACTERS}


def play_and_score(bag, objective, games, seed):
    """(character, reward, points) for each player's view of each game."""
    rng = random.Random(seed)
    views = []
    for i, s in enumerate(rng.sample(rules.scenarios("train"), games)):
        names = rng.choices(list(bag), list(bag.values()), k=2)
        pair = (CHARACTERS[names[0]], CHARACTERS[names[1]])
        (t,) = play_games(pair, [s], objective, seed=f"{seed}/{i}")
        views += zip(names, t.rewards, t.points, strict=True)
    return views


# %% [markdown]
# That was *play* and *score*. Now *keep*, *imitate* and *again*; it is this short.
#
# **Predict.** We run it under three rewards: *semi* (my points), *coop* (my points
# plus yours) and *strict* (my points minus yours). Which curve ends highest? Which
# lowest?

# %%
from collections import Counter
from statistics import mean


def self_play(objective, rounds, games, seed):
    """The mean points of each round, and the bag after the last."""
    bag, curve = START, []
    for k in range(rounds):
        views = play_and_score(bag, objective, games, f"{seed}/{k}")
        curve.append(mean(points for _, _, points in views))
        bar = mean(reward for _, reward, _ in views)
        bag = Counter(who for who, reward, _ in views if reward > bar)
    return curve, bag


ROUNDS, SIZE, SEEDS = here.pick(ci=(4, 60, 2), cpu=(6, 200, 3))
learnt = {
    name: [self_play(o, ROUNDS, SIZE, seed) for seed in range(SEEDS)]
    for name, o in rules.OBJECTIVES.items()
}

# %% alt="Points over rounds: semi and coop climb, strict rises and sinks"
ax = None
for k, (name, runs) in enumerate(learnt.items()):
    rounds = list(zip(*(curve for curve, _ in runs), strict=True))
    band = {"low": list(map(min, rounds)), "high": list(map(max, rounds))}
    ax = plots.curve(ax, list(map(mean, rounds)), label=name, k=k, **band)
ax.set(
    xlabel="round of self-play (0 is the start)",
    ylabel="points per player (mean)",
    title="A bag of characters learns from its own better games",
    ylim=(0, 7.6),
)
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# *Figure: three lines over the rounds, each the mean of a few runs with other seeds,
# the band from the lowest to the highest. All begin near zero; semi (solid, circles)
# and coop (dashed, squares) climb steeply; strict (dash-dotted, triangles) rises,
# then sinks.*
#
# **Explain.** At first the clumsy fail to agree, so what is kept is whoever got a
# deal at all. Then *which* character is kept depends on the reward, as the next cell
# shows.

# %%
rows = []
for name, runs in learnt.items():
    bag = sum((bag for _, bag in runs), Counter())
    top = bag.most_common(3)
    total = sum(bag.values())
    parts = [f"{who} {n / total:.0%}" for who, n in top]
    rows.append((name, ", ".join(parts)))
notebook.table(
    ("reward", "most frequent in the bag at the end"),
    rows,
    "Who is left after the last round",
)

# %% [markdown]
# **Explain.** Paid for its own points, the bag fills with those who hold out, mislead
# or haggle, but give way in the end. Paid for both, the tellers come to the front.
# Paid for the *difference*, those who give way least, and there are fewer
# deals. Notebook 01 says why: there no deal is as good as any.
#
# **Try.** In the cell that fills `START`, write `else 9` for `else 3`: nine in ten are
# clumsy then. Run from there. The first rounds now hang on a handful of lucky deals,
# and a character that dies out never comes back. What does that say about starting
# self-play from a weak model?
#
# **What this is no evidence of.** The bag can only pick among characters that we
# wrote. A language model writes its own words, so it might find something new, or
# lose its English on the way. That question takes notebooks 03 to 05.

# %% [markdown]
# ## The same with a language model
#
# The true loop has been run with a small language model, ten rounds of it, and
# recorded. If the record is part of your copy, here is its curve.

# %% alt="Recorded points over ten rounds, a line for each reward"
import json

from selfplay_kit import data

try:
    spine = json.loads(data.path("reference/spine.json").read_text("utf-8"))
    recorded = {name: run["rounds"] for name, run in spine["runs"].items()}
    ax = plots.over_rounds(
        recorded,
        ylabel="points per player (mean over seeds, 95 %)",
        title="Recorded: self-play of the tiny language model",
    )
    plt.show()
except FileNotFoundError:
    print("This copy of the kit holds no recorded runs; notebook 05 makes")
    print("such a curve live, on your own machine.")

# %% [markdown]
# *Figure, where there is a record: points per player over ten rounds of self-play, a
# line for each reward, the mean of several runs with other seeds; the band is the
# 95 % interval of that mean.*
#
# For comparison, the paper: GPT-3.5 went from 0.4 points per player to 5.8 in its best
# round when each was paid for its own points, and from 0.7 points *together* to 12.1 in
# its best round when both were paid for the sum (Liao, Tomlin & Klein 2024).

# %% [markdown]
# ## Check yourself
#
# ### Exercise 0.1: what is kept · easy · 2 minutes
#
# Six views of a round earned these rewards. Which of them does the loop keep? Give
# the list of the *rewards* that are kept.
#
# <details><summary>Hint</summary>
#
# Work out the mean first. Is a view that lies exactly *on* the mean kept?
#
# </details>

# %% tags=["exercise"]
rewards = [0, 0, 8, 5, 5, 12]
kept = None  # your answer: a list of numbers

# %% tags=["solution"]
rewards = [0, 0, 8, 5, 5, 12]
bar = sum(rewards) / len(rewards)  # 5.0
kept = [r for r in rewards if r > bar]


# %% tags=["check"]
def test_kept(kept):
    if 5 in kept:
        return "the mean is 5; *strictly* above it means that 5 is out"
    if 0 in kept:
        return "a view below the mean is not kept"
    missing = [r for r in (8, 12) if r not in kept]
    if missing:
        return f"above the mean, but missing: {missing}"
    if sorted(kept) != [8, 12]:
        return f"only rewards of the list can be kept; got {kept}"


solved = notebook.check("Exercise 0.1", kept, test_kept)

# %% [markdown]
# ### Exercise 0.2: the largest sum · easy · 3 minutes
#
# Look at the first picture again. Give the points `(X, Y)` of the deal with the best
# *joint* score: it touches the dotted line.
#
# <details><summary>Hint</summary>
#
# Who values books more? Give them all the books. Then the same for hats and balls.
#
# </details>

# %% tags=["exercise"]
best_joint = None  # your answer: a pair such as (3, 3)

# %% tags=["solution"]
best_joint = (4, 10)  # player 1 takes books and hat, player 0 the ball


# %% tags=["check"]
def test_best_joint(answer):
    s = rules.Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
    deals = {(s.points(0, a), s.points(1, b)) for a, b in s.allocations()}
    x, y = answer
    if (x, y) not in deals and (y, x) in deals:
        return "the other way round: player 0's points come first"
    if (x, y) not in deals:
        return f"no division of the pool gives {x} and {y} points"
    if x + y < rules.max_joint(s):
        return f"{x} + {y} = {x + y}; there is a deal with a larger sum"


solved = notebook.check("Exercise 0.2", best_joint, test_best_joint)

# %% [markdown]
# ## Where each notebook goes
#
# | notebook | what you will do there | needs |
# |---|---|---|
# | [01 The game](01_the_game.ipynb) | the rules, what a deal is worth | Python |
# | [02 Players](02_players.ipynb) | scripted players, a tournament | Python |
# | [03 A model at the table](03_a_model_at_the_table.ipynb) | tokens | PyTorch |
# | [04 One round](04_one_round.ipynb) | play, mean, filter, masks, loss | PyTorch |
# | [05 Self-play](05_self_play.ipynb) | the paper's main figure | PyTorch |
#
# After these six, in any order, all with PyTorch but 09:
#
# | notebook | the question |
# |---|---|
# | [06 A quantised model](06_a_quantised_model.ipynb) | and with a pre-trained one? |
# | [07 Does it transfer?](07_does_it_transfer.ipynb) | with whom does it agree? |
# | [08 Why does it work?](08_why_does_it_work.ipynb) | what is needed, what not? |
# | [09 The ledger](09_the_ledger.ipynb) | claim by claim: the paper's, and ours |
# | [10 A class study](10_a_class_study.ipynb) | people at the table |
# | [11 Talk that pays](11_talk_that_pays.ipynb) | when are words worth anything? |
#
# In this notebook the rules and the picture of the deals are *exact*: they come out
# the same everywhere. Means of games are *statistical*: with another seed they move,
# within their intervals. All seeds are fixed, so your numbers should be the ones
# shown here.
#
# ## Recap
#
# - A deal is worth what the two private values say; trading well makes the sum grow.
# - Self-play here is four steps: play, score, keep what beats the mean, imitate.
# - What it breeds depends on the reward: bargainers, sharers, or refusers.
#
# ## Further reading
#
# - Liao, Tomlin & Klein (2024), *Efficacy of Language Model Self-Play in Non-Zero-Sum
#   Games*, [arXiv:2406.18872](https://arxiv.org/abs/2406.18872): abstract and figure
#   1, 10 minutes.
# - Lewis et al. (2017), *Deal or No Deal? End-to-End Learning for Negotiation
#   Dialogues*, [arXiv:1706.05125](https://arxiv.org/abs/1706.05125): section 2, where
#   the game comes from, 15 minutes.
#
# **Next:** [01 The game](01_the_game.ipynb).
