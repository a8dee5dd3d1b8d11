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
from selfplay_kit.teach import notebook

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

from selfplay_kit.learn.rounds import Config, run
from selfplay_kit.lm.models import load_model

K = here.pick(ci=24, cpu=200)
ROUNDS = here.pick(ci=1, cpu=3)
mark = load_model(BASE).report.weights_hash[:8]
home = here.runs / "07"
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

from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.deal.scripted import Blind, Fair, Stubborn
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.measure.crossplay import matrix

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

from selfplay_kit.teach import plots


def draw(cells, rows, columns, title, of="row", label="points of the row"):
    grid = [[cells[a][b] for b in columns] for a in rows]
    values = [[c[of]["value"] for c in line] for line in grid]
    half = [[(c[of]["high"] - c[of]["low"]) / 2 for c in line] for line in grid]
    told = {"title": title, "label": label, "half": half}
    ax = plots.matrix(values, rows, columns, **told)
    for text, c in zip(ax.texts, (c for line in grid for c in line)):
        if c.get("over") == "scenarios":
            text.set_text(text.get_text() + " *")
    return ax


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
# base, ten rounds of several seeds a reward, on scenarios that no round trained on.
# Rounds 2 and 5 were played over fewer seeds than round 10, as is printed here.

# %%
import json

from selfplay_kit import data

found = json.loads(data.path("reference/crossplay.json").read_text("utf-8"))
config, semi = found["config"], found["matrix"]["semi"]
few = semi["round 2"]["round 2"]["row"]["n"]
told = f"{config['seeds']} seeds a reward, {few} for rounds 2 and 5"
print(f"{told}; {config['scenarios']} scenarios, each played both ways")


def cell(f, percent=False, ends=None):
    """A mean; in brackets its 95 % interval, or lowest and highest seed."""
    low, high, form = f["low"], f["high"], "{:.0%}" if percent else "{:.2f}"
    values = [v for v in f.get("values", ()) if v is not None]
    if ends == "seeds":
        low, high = (min(values), max(values)) if values[1:] else (None, None)
    value = "–" if f["value"] is None else form.format(f["value"])
    shown = ends and low is not None
    return value + (f" [{form}, {form}]".format(low, high) if shown else "")


# %% alt="Recorded matrix, semi-competitive: rounds 0, 2, 5 and 10 against one another, another seed, and scripts"
ROWS = ["base", "round 2", "round 5", "round 10"]
SCRIPTS = [*found["search"]]
MODELS = [*ROWS, "round 10, other seed"]


def parts(ax):
    for x in (len(ROWS), len(MODELS)):
        ax.axvline(x - 0.5, color="white", lw=3)
    plt.show()


title = "Semi-competitive: points of the row player"
parts(draw(semi, ROWS, MODELS + SCRIPTS, title))

# %% alt="Recorded matrix, cooperative: joint points of the same pairs of players"
coop, both = found["matrix"]["coop"], "joint points"
title = "Cooperative: joint points of the pair"
parts(draw(coop, ROWS, MODELS + SCRIPTS, title, "joint", both))

# %% alt="Round 10 of three rewards with itself, others and scripts: points ahead of the partner, and games with a deal"
KINDS = ["semi", "coop", "strict"]
others = ["round 10", MODELS[-1], "base", *SCRIPTS]
fig, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True)
for k, name in enumerate(KINDS):
    met, shift = found["matrix"][name]["round 10"], 0.22 * (k - 1)
    line = {other: met[other]["margin"] for other in others}
    plots.intervals(line, ax=axes[0], label=name, k=k, shift=shift)
    look = {"color": plots.CYCLE[k], "marker": plots.MARKERS[k], "ls": "none"}
    for i, other in enumerate(others):
        shares = [100 * v for v in met[other]["agreement"]["values"]]
        y = [i + shift] * len(shares)
        axes[1].plot(shares, y, ms=4, alpha=0.7, **look)
axes[0].axvline(0, color=plots.GREY, ls=":")
axes[0].set(xlabel="points, own less partner's", title="Ahead of the partner")
axes[1].set(xlabel="games, %", title="Games with a deal", xlim=(0, 100))
axes[0].legend(loc="best")
plt.show()

# %% [markdown]
# *The matrices: rows are a model after 0, 2, 5 and 10 rounds; columns are partners:
# the same run's rounds, round 10 of another seed, and the scripts. First the points
# of the row; then, for the cooperative reward, those of both. ± is half the 95 %
# interval over seeds; with a star, of a single pair, over scenarios.*
#
# A joint score hides who got it. *The last figure: round 10 of each reward, left its
# lead over the partner with a 95 % interval over seeds (with itself it is 0), right
# the share of games with a deal, a dot a seed.* The cooperative model has the most
# together with itself, and loses to greedy, fair, stubborn and liar, who give way least.
#
# ### Explain: how much survives another seed?
#
# Take the gain of self-play, from the base to round 10. The share of it that is
# there with *another seed's* round 10 is what was **kept**. Every seed's mean shares
# games with the others'; so the intervals leave out a seed with all its games, one
# at a time (a *jackknife*). If every seed had a language of its own, little would
# be kept. **Each** pair of seeds has less together than both have alone (asserted).
# How much is lost differs from seed to seed: for the cooperative reward the loss is
# above 0, just; for the other two, five seeds do not decide it.
#
# Mind what this control is: all seeds start from **one base**, which already
# shares a language with itself. Partners from other bases (the second table), and
# scripts, are further away.

# %%
HEADLINES = {"semi": "points", "coop": "joint points", "strict": "deals"}
rows = []
for name, told in HEADLINES.items():
    t, share = found["transfer"][name], name == "strict"
    shown = [cell(t[k], share) for k in ("base", "self", "cross")]
    shown += [cell(t["lost"], share, "95 %"), cell(t["kept"], True, "95 %")]
    rows.append((f"{name}: {told}", *shown))
    p = t["pairs"]  # p[i][j]: what seed i has with seed j
    for i in range(len(p)):
        for j in range(i):  # no pair of seeds has all that each has alone
            assert p[i][j] + p[j][i] < p[i][i] + p[j][j]
    assert (t["kept"]["low"] > 0.5) == (name != "strict")
    assert (t["lost"]["low"] > 0) == (name == "coop")
head = ("reward", "base", "itself", "another seed", "lost", "kept")
told = "Round 10 with itself and with another seed; brackets: 95 %, jackknife"
notebook.table(head, rows, told)

# %%
BASES = ("tiny-weak", "tiny-middling", "tiny-clean")
rows = []
for name in ("semi", "coop"):
    kinds = found["bases"][name]
    for other in BASES[1:]:
        f = kinds["tiny-weak"][other]
        shown = [cell(f[m], ends="seeds") for m in ("row", "column", "joint")]
        deals = cell(f["agreement"], True, "seeds")
        rows.append((name, other, *shown, deals))
head = ("reward", "partner's base", "ours", "partner's", "joint", "deals")
told = "Round 10 from the weak base with one of another; brackets: our seeds"
notebook.table(head, rows, told)

# %% [markdown]
# ## Partners trained for another reward
#
# Each is told its *own* reward, as it was in training. Who gets more?

# %% alt="Points of the row player, by the reward that row and column were trained for"
met = found["objectives"]
title = "Round 10: points of the row player"
draw(met, KINDS, KINDS, title)
plt.show()
# Decided over seeds: strict is ahead of semi, semi of coop, strict of coop.
for a, b in (("strict", "semi"), ("semi", "coop"), ("strict", "coop")):
    assert met[a][b]["margin"]["low"] > 0
for other in ("semi", "strict"):  # coop gets less of them than of its own kind
    assert met["coop"][other]["row"]["high"] < met["coop"]["coop"]["row"]["low"]

# %% [markdown]
# *The figure: round 10 of three rewards, row against column, points of the row, ±
# half the 95 % interval over seeds.*
#
# ### Explain
#
# The order is decided: strict is ahead of semi-competitive, and both are ahead of
# cooperative. The cooperative model has the best pair with its own kind and gets
# far less from the others. What it gives pays only where the partner gives too.
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
        rows.append((name, r, *(cell(f[k], True, "seeds") for k in WHOSE)))
head = ("reward", "round", "as said", "the partner's share", "neither")
assert max(found["said"]["strict"]["10"]["partner's"]["values"]) < 0.1
told = "Whose share is proposed after an offer, in self-play; brackets: seeds"
notebook.table(head, rows, told)

# %% [markdown]
# Ours comes to propose what was said. It makes deals with others too: see the
# figure on who is ahead.
#
# ## First or second?
#
# Both players are alike in self-play; who speaks first is all that differs. The
# marker is the points of the first speaker *less* those of the second, over all
# games.

# %% alt="Points of the first speaker less the second's, for base and round 10, three rewards, with intervals"
PAIRS = [("base", "base"), ("round 10", "round 10"), ("round 10", MODELS[-1])]
table = found["matrix"]
lead = {f"{n}: {a} with {b}": table[n][a][b] for n in KINDS for a, b in PAIRS}
fig, ax = plt.subplots(figsize=(7, 5))
for k, over in enumerate(("seeds", "scenarios")):
    line = {n: c["first_minus_second"] for n, c in lead.items()}
    line |= {n: {"value": None} for n, c in lead.items() if c["over"] != over}
    plots.intervals(line, ax=ax, k=k, label=f"95 % over {over}")
ax.axvline(0, color=plots.GREY, ls=":")
title = "Does it pay to speak first?"
ax.set(xlabel="points, first less second", title=title)
ax.legend(loc="best")
plt.show()
for n, c in lead.items():  # decided over seeds for the cooperative reward alone
    f = c["first_minus_second"]
    if c["over"] == "seeds":
        assert f["low"] > 0 if n.startswith("coop") else f["low"] < 0 < f["high"]

# %% [markdown]
# *The figure: a row a pair, its lead of the first speaker; at the dotted line there
# is none. The base is one model, with an interval over scenarios; round 10 has one
# over seeds.*
#
# ### Explain
#
# Only the **cooperative** reward makes a lead of whoever speaks first, and it holds
# with another seed's partner. Nothing there works against it: the reward is the
# sum. Over the semi-competitive and the strict seeds nothing is decided (asserted);
# the base's intervals are of one model, and so say nothing on rewards.
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
    from selfplay_kit.games.deal.scripted import Greedy
    from selfplay_kit.measure.crossplay import meet, score

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
# At a lower temperature a player does more often what it thinks best; at 0 it always
# says the likeliest. The base improves by that alone. So compare round 10 with the
# base at *its* best temperature (chosen on other scenarios, in notebook 05's runs),
# and let both meet partners that never trained with either.

# %% alt="Points with each script, for the base at its best temperature and round 10 at two temperatures"
low = config["low_temperature"]
best = config["base_best_temperature"]["semi"]
cold, calm = f"round 10@{low:g}", f"base@{best:g}"
table = found["temperature"]["semi"]
pool = {calm: table[calm], "round 10@1": semi["round 10"], cold: table[cold]}
lines = {n: {s: f[s]["row"] for s in SCRIPTS} for n, f in pool.items()}
fig, ax = plt.subplots(figsize=(7.5, 4.5))
for k, (name, line) in enumerate(lines.items()):
    over = pool[name][SCRIPTS[0]]["over"]
    told = {"label": f"{name}, 95 % over {over}", "shift": 0.2 * (k - 1)}
    plots.intervals(line, ax=ax, k=k, **told)
ax.set(xlabel="own points", title="Against scripts, semi-competitive")
ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.13), ncols=3)
plt.show()
calm, hot, _ = lines.values()
apart = {s for s in SCRIPTS if hot[s]["low"] > calm[s]["high"]}
assert apart == {"randomsplit", "blind", "teller"}

# %%
rows = []
for name in ("semi", "coop"):
    table = found["temperature"][name]
    calm = f"base@{config['base_best_temperature'][name]:g}"
    pairs = [(calm, calm), (calm, "round 10@1"), (calm, cold), (cold, cold)]
    pairs += [("round 10@1", cold), (cold, f"{cold}, other seed")]
    for a, b in pairs:
        f = table[a][b]
        shown = [cell(f[m], ends="seeds") for m in ("row", "column", "joint")]
        rows.append((name, a, b, *shown, cell(f["agreement"], True, "seeds")))
    f, hot = table[calm][calm]["joint"], found["matrix"][name]["round 10"]
    above = hot["round 10"]["joint"]["low"] > f["high"]
    assert above == (name == "coop")  # semi: the intervals overlap
    assert table["round 10@1"][calm]["margin"]["low"] > 0  # face to face
head = ("reward", "row", "column", "row's", "column's", "joint", "deals")
told = "Temperatures; points and deals; brackets: seeds (one model has none)"
notebook.table(head, rows, told)

# %% [markdown]
# *The figure: own points against each script; the name has the temperature.* The
# table has the models among themselves.
#
# ### Explain
#
# Under the semi-competitive reward the base at its best temperature has **with
# itself** about what round 10 has at 1 (the intervals overlap): this picture doesn't
# show that the rounds added more than certainty. Seed by seed, both at their best
# temperature, it does: a little (notebook 09). Other partners show more. Face to face
# round 10 is ahead. It gets more from the scripts that give way (RandomSplit, Blind and
# Teller); with Greedy, Fair, Stubborn and Liar the intervals overlap. Under the
# cooperative reward round 10 has more with itself, too.
#
# ## How much can be taken from a player? Exact search
#
# A good score against a partner says nothing about what was *possible*. For a
# script that can be known: it hears only splits, acceptances and values, so all
# that it can hear can be tried. **Exact**, for one who sees the script's values and
# dice; a player sees neither, so for players it is an **upper bound**.

# %%
from selfplay_kit.games.deal.rules import Scenario
from selfplay_kit.measure.search import search

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
for who in (Fair(), Blind(), Stubborn()):
    honest = search(who, S, first=0, seed=SEED)
    free = search(who, S, first=0, seed=SEED, honest=False)
    print(f"{who.name}: {honest.points} points if honest,", end=" ")
    print(f"{free.points} if not")
print("To stubborn, if not:", *free.line, sep="\n")

# %% [markdown]
# *Honest* means: no acceptance of another split than the script's latest offer, no
# false values. Read the last line: whoever says "deal" and names any split is
# believed, and **every script gives away everything**. It is a hole in our scripts, for which nobody had
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
            return f"{said}, floor {floor}: it is {right}, yours gives {got}"


done = notebook.check("Exercise 7.2", most, check_most)

# %% [markdown]
# ## The best-response probe
#
# Against a *model* nothing can be enumerated; but one can **train**. Freeze one
# player. The other plays it, keeps its own sides above the mean of its own sides,
# imitates them, and plays again. What it takes is a **lower bound**.
#
# Live, against Stubborn, who asks for nine points or more and never moves.
# **Predict**: what will the learner get? Its best game of the last round is shown
# (it is player 0). How did it get *that* from someone who never moves?

# %%
from selfplay_kit.learn.response import best_response

K = here.pick(ci=24, cpu=200)
learner = Config(base=BASE, games=K, rounds=here.pick(ci=1, cpu=4), seed=SEED)
folder = home / f"probe-stubborn-K{K}-seed{SEED}-{mark}"
shown = notebook.progress("against stubborn, ")
probe = best_response(Stubborn(), learner, folder, progress=shown)
for r in probe:
    took, left = r.metrics["row"], r.metrics["column"]
    takes, leaves = (cell(f, ends="95 %") for f in (took, left))
    print(f"round {r.number}: takes {takes}, leaves {leaves} (scenarios)")

# %%
# Exact: it learns from its own sides alone, and stopping costs nothing.
own = [t.points[0] for t in probe[0].games()]
kept = sum(x > sum(own) / len(own) for x in own)
assert probe[1].metrics["training"]["of"] == len(own)
assert probe[1].metrics["training"]["kept"] == kept
again = best_response(Stubborn(), learner, folder)
weights = [r.metrics["weights"] for r in probe]
assert [r.metrics["weights"] for r in again] == weights
print(f"checked: {kept} of {len(own)} own sides kept; a rerun plays nothing")

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
# (round 10 of each reward, told its own, and the base), right against scripts; a
# line a seed. The large open marker at the right edge is the exact honest bound of
# that script.* The learner starts as round 10 of the semi-competitive run.

# %%
rows = []
for name, p in found["probes"].items():
    f, none = p["test"], {"value": None, "low": None, "high": None}
    shown = [cell(f["start"]["row"]), cell(f["last"]["row"])]
    shown += [cell(f["rise"], ends="95 %"), cell(p.get("honest bound", none))]
    shown += [cell(p.get("above honest bound", none), True)]
    told = p["said"]["last"]
    shown += [cell(told["acceptances"]), cell(told["false"], True)]
    rows.append((name, *shown))
head = ("frozen", "takes at first", "at last", "rise", "honest bound")
head += ("games above it", "acceptances a game", "of them false")
rise = {name: p["test"]["rise"]["low"] > 0 for name, p in found["probes"].items()}
assert [n for n in ("base", *KINDS) if rise[n]] == ["semi", "coop"]
seeds = config["probe"]["seeds"]
told = f"Probes on the test split, {seeds} seeds; brackets: 95 % over seeds"
notebook.table(head, rows, told)

# %% [markdown]
# ## What was learned: read the words
#
# Where the learner takes more than the honest bound, it can't have bargained
# honestly. How, then? Read the **acceptances** that state a split ("deal , i take
# ..."). *False* is one that states a split other than the partner's latest offer;
# *new*, one that neither has named before in the game. First in self-play; then with
# the scripts, in the games in which these were searched.

# %% alt="Acceptances a game, share of them false, and share of them new, over rounds of self-play, for three rewards"
fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.8), layout="constrained")
for ax, what in zip(axes, ("acceptances", "false", "new")):
    scale = 1 if what == "acceptances" else 100
    unit = "a game" if scale == 1 else "% of acceptances"
    for k, name in enumerate(KINDS):
        told = {r: f[what] for r, f in found["said"][name].items()}
        told = {int(r): f for r, f in told.items() if f["value"] is not None}
        ends = {
            e: [scale * f[e] for f in told.values()] for e in ("value", "low", "high")
        }
        plots.curve(ax, ends.pop("value"), k=k, label=name, x=[*told], **ends)
    ax.set(xlabel="round of self-play", ylabel=unit, title=what.capitalize())
    ax.set_ylim(0, None if scale == 1 else 100)
axes[0].legend(loc="best")
plt.show()

# %% alt="Points of round 10 of three rewards against each script beside the honest bound, and the share of deals sealed by a false acceptance"
fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
for k, name in enumerate(KINDS):
    look = {"color": plots.CYCLE[k], "marker": plots.MARKERS[k], "ls": "none"}
    for i, script in enumerate(SCRIPTS):
        f = found["against"][name][script]
        sealed = [100 * v for v in f["sealed falsely"]["values"]]
        for ax, x in zip(axes, (f["points"]["values"], sealed)):
            told = {"label": None if i else name, "ms": 5, "alpha": 0.7}
            ax.plot(x, [i + 0.2 * (k - 1)] * len(x), **told, **look)
bounds = [found["search"][script]["honest"]["value"] for script in SCRIPTS]
look = {"ms": 11, "mfc": "none", "color": "black", "label": "honest bound"}
axes[0].plot(bounds, range(len(SCRIPTS)), "D", **look)
axes[0].set_yticks(range(len(SCRIPTS)), SCRIPTS)
axes[0].set(xlabel="own points", ylim=(len(SCRIPTS) - 0.5, -0.5))
axes[1].set(xlabel="deals, %", title="Sealed by a false acceptance")
axes[0].set_title("Points, and the most an honest one could have")
axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4)
plt.show()

# %% [markdown]
# *First figure: acceptances that state a split, a game; the share of them that is
# false; the share that is new; with 95 % intervals over seeds. The last cooperative
# round has too few to give a share.* How often "deal" is said changed, much more
# than how true it is.
#
# *Second figure, a dot a seed: left, own points in the games that were searched, and
# as an open diamond the mean of their exact honest bounds; right, the share of the
# deals that are on a split which the model last accepted falsely.*
#
# ## What it means
#
# - **Most of the gain transfers** to another seed under the semi-competitive and the
#   cooperative reward; under the strict one these seeds don't settle it. So little of
#   what was learned is a private code, though cooperative pairs lose something when
#   their seeds differ. But all seeds share a base, and its language.
# - **It transfers to scripts, and not as bargaining alone.** Strict models are ahead
#   of every script: with hard ones most deals are sealed by a false acceptance (of
#   Greedy and Stubborn they have more than an honest player could), with Teller few
#   are. Cooperative models lose to hard scripts.
# - **The reward decides how often "deal" is said**, not how true it is. Of the base's
#   acceptances most are false already, clumsy as we made it. Each strict seed says it
#   more often than the base does, some many times as often; cooperative ones hardly
#   ever, and they talk less altogether; for the semi-competitive reward nothing is
#   decided. No model intends anything by it.
# - **Our strict model is not the paper's.** It proposes what was said, and makes
#   deals with others. It need not match: ours is another model, and the paper's
#   partners were people.
# - **A learner takes more from** the semi-competitive and the cooperative model than
#   it got at first: that is decided. For the base and the strict model it is not,
#   with these seeds.
#
# ### Check
#
# What these sentences rest on, as assertions about the recorded file.

# %%
said, met = found["said"], found["against"]["strict"]
start, end = ({n: said[n][r] for n in KINDS} for r in ("0", "10"))
lies = [f["false"] for f in (*start.values(), end["semi"], end["strict"])]
first, last = ({n: f["acceptances"] for n, f in x.items()} for x in (start, end))
assert all(f["low"] > 0.8 for f in lies)
assert min(last["strict"]["values"]) > 1.5 * max(first["strict"]["values"])
assert last["coop"]["high"] < first["coop"]["low"] / 10
assert last["semi"]["low"] < first["semi"]["value"] < last["semi"]["high"]
assert end["coop"]["messages"]["high"] < start["coop"]["messages"]["low"]
hard, seal = ("greedy", "fair", "stubborn", "liar"), "sealed falsely"
for s in SCRIPTS:
    assert found["matrix"]["strict"]["round 10"][s]["margin"]["low"] > 0
    assert s not in hard or met[s][seal]["low"] > 0.5
    assert s not in hard or coop["round 10"][s]["margin"]["high"] < 0
assert met["teller"][seal]["high"] < 0.5
for s in ("greedy", "stubborn"):
    assert met[s]["points"]["low"] > found["search"][s]["honest"]["value"]
print("checked")

# %% [markdown]
# ## Recap
#
# - Self-play can't tell skill from habit, nor from a trick. Another seed, another
#   base, a script, a player trained to exploit: each asks more.
# - Search gives an upper bound, a probe a lower one. Between them lies what a
#   player can be made to give.
# - Training keeps what pays, a "deal" on terms that nobody offered included where
#   partners believe it. Read the games, and count messages, not only games.
#
# **Further reading**: Lanctot et al. 2017, *A unified game-theoretic approach to
# multiagent reinforcement learning*, arXiv:1711.00832 (section 3, cross-play of
# seeds: 20 minutes); Hu et al. 2020, *"Other-play" for zero-shot coordination*,
# arXiv:2003.02979 (30 minutes); Timbers et al. 2020, *Approximate exploitability*,
# arXiv:2004.09677 (best response by training: 30 minutes).
#
# **Next**: [why does it work?](08_why_does_it_work.ipynb)
