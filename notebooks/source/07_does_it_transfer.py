# ---
# jupyter:
#   torch: true
# ---

# %% [markdown]
# # 07 · Does it transfer?
#
# **In this notebook you will**
#
# - *predict* how much of the gain of self-play survives another partner;
# - *play* a matrix of everybody against everybody, and read its diagonal;
# - *separate* what a player learned from who speaks first, and from noise;
# - *search* a scripted negotiator exactly, for the most it ever gives away;
# - *train* against a frozen player, to see how much it can be made to give.
#
# **You need** notebook 05 (rounds of self-play). Notebook 02 (the scripts) helps.
# **Time**: about 45 minutes, 15 of them for the exercises (an estimate); the live
# runs print how long they took.

# %% tags=["parameters"]
PROFILE = "cpu"
SEED = 0
BASE = "tiny-middling"

# %%
from selfplay_kit import notebook

here = notebook.setup(PROFILE, torch=True)

# %% [markdown]
# ## Two ways to score better with yourself
#
# After ten rounds a pair scores many times what it did. Two stories fit. It may
# have learned to **bargain**: to make offers that any sensible partner can
# accept. Or it may have learned to **fit itself**: a private habit, right only
# because the partner has it too. Self-play shows the same curve for both.
#
# Only another partner tells them apart. So everybody meets everybody.
#
# ### Predict
#
# Train the same base twice, with another seed. Each pair scores *S* with itself.
# What will the first score with the second: nearly *S*? Half? And with a script
# that never trained with either?
#
# ### Run: a small matrix, live
#
# Two short runs of self-play, that differ in the seed alone. Then each pair plays
# every scenario twice, so that each speaks first once. A cell of the matrix and
# its mirror are read from the same games: that is **exact**, and asserted.

# %%
import time
from pathlib import Path

from selfplay_kit.models import load_model
from selfplay_kit.rounds import Config, run

K = here.pick(ci=24, cpu=200)
ROUNDS = here.pick(ci=1, cpu=3)
mark = load_model(BASE).report.weights_hash[:8]
home = Path("..") / "runs" / "07"
started, models = time.perf_counter(), {}
for seed in (SEED, SEED + 1):
    config = Config(base=BASE, games=K, rounds=ROUNDS, seed=seed)
    folder = home / f"semi-K{K}-seed{seed}-{mark}"
    shown = notebook.progress(f"seed {seed}, ")
    done = run(config, folder, progress=shown)
    models[f"seed {seed}"] = done[-1].model(config)
print(f"{time.perf_counter() - started:.0f} s")

# %%
import random

from selfplay_kit.crossplay import matrix
from selfplay_kit.lm_player import LMPlayer
from selfplay_kit.rules import SEMI, scenarios
from selfplay_kit.scripted import Blind, Fair, Stubborn

n = here.pick(ci=4, cpu=30)
some = random.Random(SEED).sample(scenarios("development"), n)
players = {"base": LMPlayer(load_model(BASE))}
players |= {name: LMPlayer(lm) for name, lm in models.items()}
players |= {"fair": Fair(), "stubborn": Stubborn(), "blind": Blind()}
started = time.perf_counter()
live = matrix(players, some, SEMI, seed=SEED)
spent = time.perf_counter() - started
notebook.record("matrix_seconds", spent)
for a in live:  # exact: a cell and its mirror are the same games
    assert live[a][a]["row"] == live[a][a]["column"]
    assert all(live[a][b]["row"] == live[b][a]["column"] for b in live)
print(f"{len(live)} players, each with each: {spent:.0f} s; checked")

# %% alt="Points of the row player against each column player, live, six by six"
import matplotlib.pyplot as plt

from selfplay_kit import plots


def draw(cells, rows, columns, title):
    found = [[cells[a][b]["row"] for b in columns] for a in rows]
    wide = [[(f["high"] - f["low"]) / 2 for f in line] for line in found]
    values = [[f["value"] for f in line] for line in found]
    told = {"title": title, "label": "points of the row", "half": wide}
    return plots.matrix(values, rows, columns, **told)


names = list(players)
draw(live, names, names, "Live: who gets what")
plt.show()

# %% [markdown]
# *The figure: each cell holds the points of the row player against the column
# player, and half the width of its 95 % interval over scenarios.* The diagonal is
# self-play. Read along a row: the same player, other partners.
#
# ## The recorded matrix
#
# Live you have two short runs. *Recorded* are the runs of notebook 05: the weak
# base, ten rounds, five seeds a reward, on scenarios that no round trained on.

# %%
import json

from selfplay_kit import data

recorded = data.path("reference/crossplay.json").read_text("utf-8")
found = json.loads(recorded)
config = found["config"]
print(f"{config['seeds']} seeds, {config['scenarios']} scenarios")


def cell(f, percent=False):
    """A number with its interval; a share with the range of its seeds."""
    if not f or f["value"] is None:
        return "–"
    low, high = f["low"], f["high"]
    form = "{:.0%}" if percent else "{:.2f}"
    if percent and "values" in f:
        low, high = min(f["values"]), max(f["values"])
    ends = "" if low is None else f" [{form}, {form}]".format(low, high)
    return form.format(f["value"]) + ends


# %% alt="Recorded matrix, semi-competitive: rounds 0, 2, 5 and 10 against one another, another seed, and scripts"
ROWS = ["base", "round 2", "round 5", "round 10"]
SCRIPTS = [
    "randomsplit",
    "blind",
    "teller",
    "fair",
    "greedy",
    "liar",
    "stubborn",
]
MODELS = [*ROWS, "round 10, other seed"]
semi = found["matrix"]["semi"]
title = "Semi-competitive: points of the row player"
ax = draw(semi, ROWS, MODELS + SCRIPTS, title)
ax.axvline(len(ROWS) - 0.5, color="white", lw=3)
ax.axvline(len(MODELS) - 0.5, color="white", lw=3)
plt.show()

# %% [markdown]
# *The figure: rows are a model after 0, 2, 5 and 10 rounds; columns are partners:
# the same run's rounds, round 10 of another seed, and seven scripts.* Numbers are
# points of the row; ± is half the 95 % interval between seeds (for a single pair
# of players, over scenarios).
#
# ### Explain: how much survives another seed?
#
# Take the gain of self-play, from the base to round 10. The share of it that is
# there with *another seed's* round 10 is what transferred.


# %%
HEADLINES = {"semi": "points", "coop": "joint points", "strict": "deals"}
KEYS = ("base", "self", "cross", "lost")
rows = []
for name, told in HEADLINES.items():
    t, share = found["transfer"][name], name == "strict"
    shown = [cell(t[k], share) for k in KEYS]
    rows.append((f"{name}: {told}", *shown, cell(t["kept"], True)))
head = ("reward", "base", "itself", "another seed", "lost", "kept")
told = f"Round 10 with itself and with another, {config['seeds']} seeds"
notebook.table(head, rows, told)

# %% [markdown]
# Points have a 95 % interval, between seeds (the base's over scenarios); shares the
# range of the seeds where the file has each. *Kept*: if every seed had a language
# of its own, little would be.
#
# Mind what this control is: all seeds start from **one base**, which already
# shares a language with itself. Partners from other bases, and scripts, are
# further away:

# %%
BASES = ("tiny-weak", "tiny-middling", "tiny-clean")
rows = []
for name in ("semi", "coop"):
    kinds = found["bases"][name]
    for other in BASES[1:]:
        f = kinds["tiny-weak"][other]
        shown = [cell(f[m]) for m in ("row", "column", "joint")]
        rows.append((name, other, *shown, cell(f["agreement"], True)))
head = ("reward", "partner's base", "ours", "partner's", "joint", "deals")
notebook.table(
    head, rows, "Round 10 from the weak base with round 10 from others"
)

# %% [markdown]
# ## Partners trained for another reward
#
# Each is told its *own* reward, as it was in training. Who gets more?

# %% alt="Points of the row player, by the reward that row and column were trained for"
KINDS = ["semi", "coop", "strict"]
met = found["objectives"]
title = "Round 10: points of the row player"
draw(met, KINDS, KINDS, title)
plt.show()

# %% [markdown]
# *The figure: round 10 of three rewards, row against column, points of the row.*
#
# ## The strict case
#
# Of its strictly trained model the paper tells that it came to propose the
# **partner's** share: consistent with itself, useless with anybody else. **Predict**
# before you run: does ours? The talk has put some split on the table last; the
# proposal may follow it, or claim what that split gives to the *partner*.

# %%
WHOSE = ("as said", "partner's", "other")
rows = []
for name in KINDS:
    for r, f in found["said"][name].items():
        rows.append((name, r, *(cell(f[k], True) for k in WHOSE)))
head = ("reward", "round", "as said", "the partner's share", "neither")
notebook.table(
    head, rows, "Whose share is proposed, after an offer, in self-play"
)

# %%
strict = found["matrix"]["strict"]["round 10"]
rows = [
    (
        name,
        cell(strict[name]["agreement"], True),
        cell(strict[name]["margin"]),
    )
    for name in ("round 10", *MODELS[:1], MODELS[-1], *SCRIPTS)
]
head = ("partner", "games with a deal", "points ahead of the partner")
notebook.table(head, rows, "Strict, round 10: with itself and with others")

# %% [markdown]
# ## First or second?
#
# Both players are alike in self-play; who speaks first is all that differs. The
# marker is the points of the first speaker *less* those of the second, over all
# games.

# %% alt="Points of the first speaker less the second's, for base and round 10, three rewards, with intervals"
ahead = {}
for name in KINDS:
    table = found["matrix"][name]
    for a, b in (
        ("base", "base"),
        ("round 10", "round 10"),
        ("round 10", MODELS[-1]),
    ):
        ahead[f"{name}: {a} with {b}"] = table[a][b]["first_minus_second"]
ax = plots.intervals(ahead)
ax.axvline(0, color=plots.GREY, ls=":")
ax.set(
    xlabel="points, first less second", title="Does it pay to speak first?"
)
plt.show()

# %% [markdown]
# *The figure: a row a pair, its advantage of the first speaker with a 95 %
# interval; at the dotted line there is none.* Where the first offer is simply
# accepted, it pays to be the one who makes it.
#
# ### Exercise 7.1: the first speaker · easy · 5 minutes
#
# Write `first_ahead(games)`: the mean, over **all** games, of the points of who spoke
# first less those of the other. `t.first` is the seat that spoke first, `t.points` the
# points of seats 0 and 1.
#
# <details><summary>Hint</summary>
#
# The other seat is `1 - t.first`. A game without a deal counts, with 0.
# </details>


# %% tags=["exercise"]
def first_ahead(games): ...  # your code


# %% tags=["solution"]
def first_ahead(games):
    ahead = [t.points[t.first] - t.points[1 - t.first] for t in games]
    return sum(ahead) / len(ahead)


# %% tags=["check"]
def check_first(answer):
    from selfplay_kit.crossplay import meet, score
    from selfplay_kit.scripted import Greedy

    pool = scenarios("test")[:15]
    for pair in ((Stubborn(), Blind()), (Greedy(), Fair())):
        for firsts, who in (([0] * 15, "row"), ([1] * 15, "column")):
            games = meet(*pair, pool, SEMI, seed=0, firsts=firsts)
            got = answer(games)
            if got is None:
                return notebook.NOT_SOLVED
            right = score(games)["first_minus_second"]["value"]
            if abs(got - right) > 1e-9:
                names = " with ".join(p.name for p in pair)
                told = f"{names}, the {who} speaks first: {right:.2f}"
                return f"{told}; yours gives {got:.2f}"


done = notebook.check("Exercise 7.1", first_ahead, check_first)

# %% [markdown]
# ## Is it skill, or only less noise?
#
# At a lower temperature a player does more often what it thinks best. The base
# improves by that alone. So compare round 10 with the base at *its* best
# temperature, and let both meet partners that never trained with either.

# %% alt="Points with each partner, for the base at its best temperature and round 10 at two temperatures"
best = config["base_best_temperature"]["semi"]
low = config["low_temperature"]
cold, calm = f"round 10@{low:g}", f"base@{best:g}"
table = found["temperature"]["semi"]
lines = {
    calm: {s: table[calm][s]["row"] for s in SCRIPTS},
    "round 10@1": {s: semi["round 10"][s]["row"] for s in SCRIPTS},
    cold: {s: table[cold][s]["row"] for s in SCRIPTS},
}
fig, ax = plt.subplots(figsize=(7.5, 4.5))
for k, (name, line) in enumerate(lines.items()):
    plots.intervals(line, ax=ax, label=name, k=k, shift=0.2 * (k - 1))
ax.set(xlabel="own points", title="Against scripts, semi-competitive")
ax.legend(loc="best")
plt.show()

# %%
rows = []
for name in ("semi", "coop"):
    table = found["temperature"][name]
    t = config["base_best_temperature"][name]
    calm = f"base@{t:g}"
    pairs = [(calm, calm), (calm, "round 10@1"), (calm, cold), (cold, cold)]
    for a, b in [
        *pairs,
        ("round 10@1", cold),
        (cold, f"{cold}, other seed"),
    ]:
        f = table[a][b]
        shown = [cell(f[m]) for m in ("row", "column", "joint")]
        rows.append((name, a, b, *shown, cell(f["agreement"], True)))
head = ("reward", "row", "column", "row's", "column's", "joint", "deals")
notebook.table(
    head, rows, "Temperatures; own points, partner's, joint, deals"
)

# %% [markdown]
# *The figure: own points against each script.* The table has the models among
# themselves. Where the base at its best temperature stands level with round 10,
# the rounds have added nothing but certainty.
#
# ## How much can be taken from a player? Exact search
#
# A good score against a partner says nothing about what was *possible*. For a
# script that can be known: it hears only splits, acceptances and values, so all
# that it can hear can be tried. **Exact**, for one who sees the script's values and
# dice; a player sees neither, so for players it is an **upper bound**.

# %%
from selfplay_kit.rules import Scenario
from selfplay_kit.search import search

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
for who in (Fair(), Blind(), Stubborn()):
    honest = search(who, S, first=0, seed=SEED)
    free = search(who, S, first=0, seed=SEED, honest=False)
    print(f"{who.name}: {honest.points} points if honest,", end=" ")
    print(f"{free.points} if not")
print("To stubborn, if not:", *free.line, sep="\n")

# %% [markdown]
# *Honest* means: no acceptance of what was never offered, no false values. Read
# the last line: who says "deal" to what nobody offered is believed, and **every
# script gives away everything**. It is a hole in our scripts, for which nobody had
# looked; search found it at once. Does *training* find it?
#
# ### Exercise 7.2: what can be had from a floor · medium · 10 minutes
#
# A partner takes any deal that gives it at least `floor` points, and no other. Write
# `most(scenario, floor)`: the most points that player 0 can get.
#
# `scenario.allocations()` gives pairs of shares, `scenario.points(player, share)`
# what a share is worth.
#
# <details><summary>Hint</summary>
#
# Of the pairs `(a, b)` with `scenario.points(1, b)` at the floor or above, the
# largest `scenario.points(0, a)`. There always is one: the partner may have all.
# </details>


# %% tags=["exercise"]
def most(scenario, floor): ...  # your code


# %% tags=["solution"]
def most(scenario, floor):
    return max(
        scenario.points(0, a)
        for a, b in scenario.allocations()
        if scenario.points(1, b) >= floor
    )


# %% tags=["check"]
def check_most(answer):
    cases = ((S, 5, 7), (S, 6, 7), (S, 0, 10), (S, 10, 4), (S, 9, 4))
    told = Scenario((1, 2, 3), ((4, 0, 2), (1, 3, 1)))
    cases += ((told, 6, 10), (told, 7, 8), (told, 10, 0), (told, 9, 4))
    for scenario, floor, right in cases:
        got = answer(scenario, floor)
        if got is None:
            return notebook.NOT_SOLVED
        if got != right:
            said = f"counts {scenario.counts}, values {scenario.values}"
            return (
                f"{said}, floor {floor}: it is {right}, yours gives {got}"
            )


done = notebook.check("Exercise 7.2", most, check_most)

# %% [markdown]
# ## The best-response probe
#
# Against a *model* nothing can be enumerated; but one can **train**. Freeze one
# player. The other plays it, keeps its own sides above the mean of its own sides,
# imitates them, and plays again. What it takes is a **lower bound**.
#
# Live, against Stubborn, who asks for nine points or more and never moves.
# **Predict**: what will the learner get?

# %%
from selfplay_kit.crossplay import best_response

K = here.pick(ci=24, cpu=200)
learner = Config(
    base=BASE, games=K, rounds=here.pick(ci=1, cpu=4), seed=SEED
)
folder = home / f"probe-stubborn-K{K}-seed{SEED}-{mark}"
shown = notebook.progress("against stubborn, ")
probe = best_response(Stubborn(), learner, folder, progress=shown)
for r in probe:
    took, left = r.metrics["row"], r.metrics["column"]
    print(f"round {r.number}: takes {cell(took)}, leaves {cell(left)}")

# %%
# Exact: it learns from its own sides alone, and stopping costs nothing.
own = [t.points[0] for t in probe[0].games()]
kept = sum(x > sum(own) / len(own) for x in own)
assert probe[1].metrics["training"]["of"] == len(own)
assert probe[1].metrics["training"]["kept"] == kept
again = best_response(Stubborn(), learner, folder)
weights = [r.metrics["weights"] for r in probe]
assert [r.metrics["weights"] for r in again] == weights
print(
    f"checked: {kept} of {len(own)} own sides kept; a rerun plays nothing"
)

# %% [markdown]
# The learner's best game of the last round (it is player 0). How did it get
# *that* from someone who never moves?

# %%
last = probe[-1].games()
notebook.show_game(max(last, key=lambda t: (t.points[0], -len(t.moves))))

# %% alt="Points that a learner takes from each frozen partner, round by round, with the exact bound for scripts"
fig, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
for k, (name, p) in enumerate(found["probes"].items()):
    script = name in found["search"]
    look = {"color": plots.CYCLE[k % 4], "marker": plots.MARKERS[k % 4]}
    lines = zip(*(r["row"]["values"] for r in p["rounds"]))
    for n, line in enumerate(lines):  # a line a seed
        told = {"label": None if n else name, "lw": 1, "ms": 4}
        axes[int(script)].plot(line, **look, **told)
    if script:
        bound = found["search"][name]["honest"]["value"]
        axes[1].plot([5.5], [bound], ms=11, mfc="none", mew=2, **look)
for ax, title in zip(axes, ("A frozen model", "A frozen script")):
    ax.set(xlabel="round of the probe", ylabel="points taken")
    ax.set(title=title, ylim=(0, 10.6))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4)
plt.show()

# %% [markdown]
# ### Recorded: models and scripts, frozen
#
# *The figure: recorded probes. Left the learner's points against frozen models
# (round 10 of each reward, told its own, and the base), right against scripts; a line a seed. The
# large open marker at the right edge is the exact honest bound of that script.* The
# learner starts as round 10 of the semi-competitive run.

# %%
rows = []
for name, p in found["probes"].items():
    f, lied = p["test"], p["false acceptance"]
    shown = [cell(f[k]["row"]) for k in ("start", "last")]
    shown += [cell(f["last"]["column"]), cell(p.get("honest bound"))]
    shown += [cell(p.get("above honest bound"), True)]
    rows.append((name, *shown, cell(lied["last"], True)))
head = ("frozen", "takes at first", "at last", "leaves", "honest bound")
head += ("games above it", "games with a false acceptance")
seeds = config["probe"]["seeds"]
notebook.table(head, rows, f"Probes on the test split, {seeds} seeds")

# %% [markdown]
# ## What was learned: read the words
#
# Where the learner takes more than the honest bound, it can't have bargained
# honestly. Count the games in which an *acceptance* states a split that nobody had
# offered: in self-play, and by the learner of each probe.

# %% alt="Share of games with a false acceptance over rounds of self-play, for three rewards"
fig, ax = plt.subplots(figsize=(7, 4))
for k, name in enumerate(KINDS):
    f = found["said"][name]
    line = [f[r]["false acceptance"] for r in f]
    ends = {e: [100 * x[e] for x in line] for e in ("low", "high")}
    y = [100 * x["value"] for x in line]
    plots.curve(ax, y, k=k, label=name, x=[int(r) for r in f], **ends)
ax.set(xlabel="round of self-play (0 is the base)", ylim=(0, 102))
ax.set(ylabel="games, %", title="Accepting what was not offered")
ax.legend(loc="best")
plt.show()

# %% [markdown]
# *The figure: share of self-play games with a false acceptance over rounds, by
# reward.*
#
# ## What it means
#
# - **Most of the gain transfers** to another seed, and something is lost. What was
#   learned is no private code. But all seeds share a base, and its language.
# - **It transfers to scripts, and not as bargaining alone.** Strict models make deals
#   with every script and win them, by accepting what was never offered. Scripts
#   believe that. Cooperative training drops the lie, and loses to hard scripts.
# - **The reward decides.** The base, clumsy as we made it, accepts falsely by
#   chance. Under one reward that pays and is kept, under the other it fades. It was
#   *selected*, not invented; the model intends nothing.
# - **Our strict model is not the paper's.** It proposes what was said, and makes
#   deals with others. Nor need it be alike: another model, people as partners.
# - **A partner that learns takes more.** Ten rounds with itself had not taught a
#   model to refuse; the cooperative one gave most. (Few seeds: wide intervals.)
#
# ### Check
#
# What these sentences rest on, as assertions about the recorded file.

# %%
kept = {name: t["kept"] for name, t in found["transfer"].items()}
lies = {n: found["said"][n]["10"]["false acceptance"] for n in KINDS}
rise = {n: found["probes"][n]["test"]["rise"] for n in KINDS}
bound = found["search"]["stubborn"]["honest"]
assert all(f["low"] > 0.5 and f["high"] < 1 for f in kept.values())
assert lies["coop"]["high"] < lies["semi"]["low"]
assert lies["semi"]["high"] < lies["strict"]["low"]
assert all(strict[s]["margin"]["low"] > 0 for s in SCRIPTS)
hard = found["matrix"]["coop"]["round 10"]["stubborn"]["margin"]
assert hard["high"] < 0 < bound["value"] < strict["stubborn"]["row"]["low"]
assert found["said"]["strict"]["10"]["partner's"]["high"] < 0.1
assert rise["coop"]["low"] > 0 and min(rise["semi"]["values"]) > 0
print("checked")

# %% [markdown]
# ## Recap
#
# - Self-play can't tell skill from habit, nor from a trick. Another seed, another
#   base, a script, a player trained to exploit: each asks more.
# - Search gives an upper bound, a probe a lower one. Between them lies what a
#   player can be made to give.
# - Whatever pays is learned, a lie that is believed included. Read the games.
#
# **Further reading**: Lanctot et al. 2017, *A unified game-theoretic approach to
# multiagent reinforcement learning*, arXiv:1711.00832 (section 3, cross-play of
# seeds: 20 minutes); Hu et al. 2020, *"Other-play" for zero-shot coordination*,
# arXiv:2003.02979 (30 minutes); Timbers et al. 2020, *Approximate exploitability*,
# arXiv:2004.09677 (best response by training: 30 minutes).
#
# **Next**: [why does it work?](08_why_does_it_work.ipynb)
