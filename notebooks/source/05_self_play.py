# ---
# jupyter:
#   torch: true
# ---

# %% [markdown]
# # 05 · Rounds of self-play
#
# **In this notebook you will**
#
# - *run* the whole of the paper's Algorithm 1, live, under three rewards;
# - *draw* its main figure: score over rounds;
# - *compare* it with what would have happened anyway: as much training on views drawn
#   by chance, and no training but a lower temperature;
# - *explain* why the strict mean reward can't move, and what moves instead;
# - *say* what this shows about language models, and what it can't show.
#
# **You need** notebook 04 (one round taken apart). Notebook 03 helps.
# **Time**: about 30 minutes, 15 of them for the exercises (an estimate), and the
# run, which prints its own estimate first. **Memory**: the README's table has what
# was measured.

# %% tags=["parameters"]
PROFILE = "cpu"
SEED = 0
BASE = "tiny-weak"

# %%
from selfplay_kit import notebook

here = notebook.setup(PROFILE, torch=True)

# %% [markdown]
# ## What this model is, before any number
#
# The tiny model has 0.8 million parameters and has read nothing but this game.
# It was taught by *scripts that can already play it*, and then made clumsy, so
# that it starts where the paper's model starts: with a deal in a few games of a
# hundred. That start was chosen by us.
#
# So when its scores climb below, rounds of self-play are *selecting among, and
# sharpening, what it imitated*. You see how the algorithm works and what it
# depends on. You see no evidence about pre-trained models; for that, read the
# paper. Every claim below therefore stands beside its control.

# %% [markdown]
# ## The loop
#
# Each round: play K games of the model against itself; compute the reward of
# both sides of each game; keep the sides **strictly above the mean**; fine-tune
# the model on its own moves there; go on from that model. That is all of it.
# (`at_once` is no part of it: fewer games side by side take less memory.)

# %%
from selfplay_kit.rounds import Config

K = here.pick(ci=24, cpu=500)
ROUNDS = here.pick(ci=1, cpu=10)
LAMBDA = {"semi": 0.0, "coop": 1.0, "strict": -1.0}
configs = {
    name: Config(BASE, lam, ROUNDS, K, seed=SEED, at_once=125)
    for name, lam in LAMBDA.items()
}
configs["semi"]

# %% [markdown]
# ### Predict
#
# Before you run the next cell, write down for each objective: will the points
# go up? Up to what? Two players share a pool that is worth 10 points to each,
# and a perfect cooperative pair makes about 15 points together.
#
# - *semi* (λ = 0): each wants its own points. Points a player at the end?
# - *coop* (λ = 1): both want the sum. Joint points at the end?
# - *strict* (λ = −1): what one gains the other loses. Share of games that end
#   in a deal?

# %% [markdown]
# ### Run
#
# How long will it take? One small batch tells.

# %%
import random
import time

from selfplay_kit.lm_player import LMPlayer
from selfplay_kit.models import load_model
from selfplay_kit.play import play_games
from selfplay_kit.rules import SEMI, scenarios

base = load_model(BASE)
print(base.report)
probe = random.Random(SEED).choices(scenarios("development"), k=K // 4)
play_games(LMPlayer(base), probe[:8], SEMI, seed=SEED)  # a warm-up
started = time.perf_counter()
play_games(LMPlayer(base), probe, SEMI, seed=SEED)
round_seconds = (time.perf_counter() - started) * 4 * 2.5  # 4 quarters; training
minutes = round_seconds * (ROUNDS + 1) * len(configs) / 60
print(f"expect about {minutes:.1f} minutes for the three runs below")

# %% [markdown]
# Each run goes into a folder of its own. If you stop it, run the cell again: it
# goes on after the last whole round. A dashboard shows each run while it goes on.

# %%
from selfplay_kit.rounds import run
from selfplay_kit.watch import Dashboard

mark = f"K{K}-seed{SEED}-{base.report.weights_hash[:8]}-125"
folders = {n: here.runs / "05" / f"{n}-{mark}" for n in configs}
live = {}
started = time.perf_counter()
for name, config in configs.items():
    board = Dashboard(config, label=f"{name}, ")
    told = {"progress": board.progress, "on_round": board.on_round}
    live[name] = run(config, folders[name], **told)
spent = time.perf_counter() - started
notebook.record("rounds_seconds", spent)
print(f"three runs of {ROUNDS} rounds of {K} games: {spent:.0f} s")

# %% [markdown]
# ## The main figure
#
# The coloured line is the run that you just made; its band is a 95 % bootstrap
# interval over scenarios (they are drawn again and again from those played, with
# repetition, and 95 in 100 such draws have their mean within the band). The grey, dotted line is *recorded*: the mean of
# several seeds that we ran before, with the t interval between seeds (of shares on the
# logit scale, so it never leaves 0 to 100 %). The two open
# circles are the paper's GPT-3.5 before training and in its best round, drawn at the
# right edge, whichever round that was: another model, put there for scale. The dashed line is a pair that needs no words **(exact)**: the
# first asks for what is best for both as far as its *own* values tell, the second
# says yes.

# %%
import json
from statistics import fmean

import matplotlib.pyplot as plt

from selfplay_kit import data, plots
from selfplay_kit.rules import scenarios
from selfplay_kit.talk import blind_joint

pool = scenarios("test")
spine = json.loads(data.path("reference/spine.json").read_text("utf-8"))
seeds = spine["config"]["seeds"]
ROUND = "round of self-play (0 is the base)"
PAPER = {"semi": (0.4, 5.8), "coop": (0.7, 12.1)}
WANTED = (
    ("semi", "mean_points", "points a player"),
    ("coop", "mean_joint", "joint points, X + Y"),
)


# %%
def draw(ax, rows, metric, scale=1, **look):
    """One curve: a metric over the rows of a run, with its band."""
    found = [r[metric] for r in rows]
    parts = {e: [scale * f[e] for f in found] for e in ("value", "low", "high")}
    plots.curve(ax, parts.pop("value"), **parts, **look)


def panels(legend="lower right"):
    """Two axes, and what belongs into each: (axis, objective, metric)."""
    axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")[1]
    for ax, (name, metric, label) in zip(axes, WANTED):
        yield ax, name, metric  # what follows is done when it is drawn
        ax.set(xlabel=ROUND, ylabel=label, title=f"{name}: {label}")
        ax.set_ylim(bottom=0)
        ax.legend(loc=legend)
    plt.show()


# %% alt="Points over rounds, live run and recorded seeds, semi-competitive and cooperative"
told = f"recorded, {seeds} seeds"
for k, (ax, name, metric) in enumerate(panels()):
    draw(ax, spine["runs"][name]["rounds"], metric, k=6, label=told)
    rows = [r.metrics for r in live[name]]
    draw(ax, rows, metric, k=k, label="live, one seed")
    blind = fmean(map(blind_joint, pool)) / (1 if name == "coop" else 2)
    ax.axhline(blind, color=plots.GREEN, ls="--", label="a blind pair, exact")
    look = {"mfc": "none", "ms": 9, "color": "black"}
    told = "the paper's GPT-3.5: before, best round"
    ax.plot([0, 10], PAPER[name], "o", label=told, **look)

# %% [markdown]
# *The figure: two panels, points over rounds. Left the points of a player under
# semi-competitive reward, right the joint points under cooperative reward.* Look
# where the curves end beside the dashed line.
#
# ### Explain
#
# What climbs? Points are (how often there is a deal) × (points in a deal). The
# table takes them apart, for the recorded seeds.


# %%
def cell(row, metric, percent=False):
    if metric not in row or row[metric]["low"] is None:
        return "–"
    scale = 100 if percent else 1
    a, b, c = (row[metric][k] * scale for k in ("value", "low", "high"))
    if percent:
        return f"{a:.0f} % [{b:.0f}, {c:.0f}]"
    return f"{a:.2f} [{b:.2f}, {c:.2f}]"


rows = []
for name in LAMBDA:
    for row in spine["runs"][name]["rounds"][::10]:
        shares = ("agreement", "pareto_agreed", "joint_optimal")
        percents = [cell(row, metric, True) for metric in shares]
        points = cell(row, "mean_points")
        rows.append((name, row["round"], points, *percents))
head = ("objective", "round", "points a player", "games with a deal")
head += ("Pareto-optimal, of deals", "best joint, of games")
notebook.table(head, rows, f"Before and after, {seeds} seeds, 95 % between seeds")

# %% [markdown]
# ## Controls: would it have climbed anyway?
#
# Two things could fool us. **Any** further training on its own output might help; so a
# control draws its views by chance, in each round **as many as the filtered run of the
# same seed kept**. And the base may *know* more than it shows at temperature 1; so we let
# the untrained base play at the temperature that suits it best, down to 0 (always the
# likeliest token), chosen on the development split.
#
# Matched is the number of views and of passes over them. Their length is not: a control
# whose talk changes trains on longer or shorter games. The cell counts.

# %% alt="Points over rounds with the filter, on as many views drawn by chance, and the untrained base at its best temperature"
ARMS = (
    ("runs", f"the filter, {seeds} seeds"),
    ("matched", f"as many by chance, {seeds} seeds"),
)
for arm, told in ARMS:
    for name in ("semi", "coop"):
        trained = spine[arm][name]["rounds"][1:]
        views = sum(sum(r["kept"]) for r in trained) / seeds
        tokens = sum(sum(r.get("tokens", [])) for r in trained) / seeds
        print(f"{name}, {told}: {views:,.0f} views and {tokens:,.0f} tokens per run")
for ax, name, metric in panels("best"):
    for k, (arm, told) in enumerate(ARMS):
        draw(ax, spine[arm][name]["rounds"], metric, k=k, label=told)
    best = spine["test"][name]["base_best"]
    told = f"untrained base, temperature {best['temperature']}"
    level = best[metric]["value"]
    ax.axhline(level, color=plots.GREEN, ls="-.", label=told)

# %% [markdown]
# *The figure: points over rounds with the filter, on as many views drawn by chance, and
# as a horizontal line the untrained base at its best temperature.* The gap between the
# two curves is what the filter does: on views drawn by chance the points stay near where
# they began. The gap between the line and the end of the climb is
# what the rounds added beyond making the base less noisy.
#
# The same on scenarios that no round has ever trained on, scored once:

# %%
NAMES = {
    "base": "base, temperature 1",
    "base_best": "base, best temperature",
    "matched": "last round, drawn by chance",
    "matched_best": "the same, best temperature",
    "last": "last round",
    "last_best": "last round, best temperature",
}
rows = []
for name in LAMBDA:
    for key in (key for key in NAMES if key in spine["test"][name]):
        row = spine["test"][name][key]
        points = [cell(row, metric) for metric in ("mean_points", "mean_joint")]
        rows.append((name, NAMES[key], *points, cell(row, "agreement", True)))
head = ("objective", "player", "points a player", "joint", "games with a deal")
notebook.table(head, rows, f"Test split, {seeds} seeds, 95 % between them")

# %% [markdown]
# ## The other two bases
#
# *Weak* is made to start where the paper's model starts. *Middling* was made
# less clumsy, *clean* not at all. How far does each get?

# %% alt="Points over rounds from the weak, the middling and the clean base"
for ax, name, metric in panels():
    ours = {BASE: spine["runs"][name]}
    ours |= {b: by[name] for b, by in spine["other_bases"].items()}
    for k, (b, found) in enumerate(ours.items()):
        rows = [r[metric]["value"] for r in found["rounds"]]
        plots.curve(ax, rows, k=k, label=b)

# %% [markdown]
# *The figure: points over rounds from three starts; weak is the mean of its seeds,
# the other two are one run each.* A base that shows its skill already has less to
# gain.
#
# ## The strict case
#
# Under λ = −1 your reward is your points minus your partner's. The mean over
# both sides is exactly 0, whatever the model does: the curve of mean reward is
# flat *by construction*, and says nothing. What can be seen is how often a deal
# is made.

# %% alt="Share of games with a deal over rounds under the three objectives"
fig, ax = plt.subplots(figsize=(7, 4))
for k, name in enumerate(LAMBDA):
    rows = spine["runs"][name]["rounds"]
    draw(ax, rows, "agreement", 100, k=k, label=name)
ax.set(xlabel=ROUND, ylabel="games with a deal, %")
plots.share_axis(ax, whole=100)
ax.set_title(f"Deals over rounds, {seeds} seeds")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# *The figure: share of games with a deal over rounds, for the three objectives.*
#
# Who is kept? The side that *won*, with more points than its partner, and both
# sides of an even deal. Losers are dropped.

# %%
from selfplay_kit.cloning import above_mean, views

games = live["strict"][0].games()
kept = above_mean(views(games), random.Random(SEED))
won, lost = sum(v.reward > 0 for v in kept), sum(v.reward < 0 for v in kept)
print(
    f"{len(kept)} of {2 * len(games)} sides kept: {won} winners, "
    f"{len(kept) - won - lost} sides of even deals, {lost} losers"
)
assert lost == 0
assert all(v.transcript.agreed for v in kept)

# %% [markdown]
# Notice what the last line of that cell asserts: **every kept side comes from a
# game with a deal**. A game without one has reward 0, which is not above the mean.
# So even here imitation teaches, first of all, to close deals. Yet the winner
# needs a loser who consents, and a player who wants to win should rather refuse:
# no deal is never worse than losing, whatever the partner does.
#
# Does it at least learn to win by more? With itself on both sides, it can't win
# on average; what can grow is the margin of whoever wins.


# %%
def margin(round_):
    deals = [t for t in round_.games() if t.agreed]
    gaps = [abs(t.points[0] - t.points[1]) for t in deals]
    return f"{sum(gaps) / len(gaps):.1f} ({len(gaps)} deals)" if gaps else "–"


rows = [(name, margin(live[name][0]), margin(live[name][-1])) for name in live]
head = ("objective", "round 0", "last round")
notebook.table(head, rows, "Mean gap in points between the sides of a deal, live")

# %% [markdown]
# The paper's authors report another way in which strict self-play went wrong. Their
# model came to propose the *partner's* share, which fits itself and is useless with
# anyone else; about 95 % of its games with people ended without a deal. They saw it
# because they let others play with it: self-play alone can't tell "I learned to win"
# from "I learned to fit myself".
#
# ## What changed in the words
#
# A deal of the first and a deal of the last round, of your own cooperative run
# (a game without one, where there was none).


# %%
def a_deal(rounds, at):
    games = rounds[at].games()
    return next((t for t in games if t.agreed), games[0])


notebook.show_game(a_deal(live["coop"], 0))

# %%
notebook.show_game(a_deal(live["coop"], -1))

# %% [markdown]
# ## Try
#
# ### Exercise 5.1: the rate of climb · easy · 5 minutes
#
# Write `rounds_to(level, rows)`: the first round of `rows` (a list of metrics, one a
# round) in which `mean_points` is at least `level`, or −1 if there is none.
#
# <details><summary>Hint</summary>
#
# `row["mean_points"]["value"]` is the number; `enumerate` counts rounds.
# </details>


# %% tags=["exercise"]
def rounds_to(level, rows): ...  # your code


# %% tags=["solution"]
def rounds_to(level, rows):
    for number, row in enumerate(rows):
        if row["mean_points"]["value"] >= level:
            return number
    return -1


# %% tags=["check"]
def test_rounds_to(f):
    rows = [{"mean_points": {"value": v}} for v in (0.5, 2.0, 1.0, 3.0)]
    got = [f(level, rows) for level in (0.1, 2.0, 2.5, 9)]
    if got == [None] * 4:
        return notebook.NOT_SOLVED
    if got[3] != -1:
        return f"a level that is never reached gives -1; yours gives {got[3]}"
    if got[:3] != [0, 1, 3]:
        return f"levels 0.1, 2.0, 2.5 come in rounds 0, 1, 3; yours: {got[:3]}"


solved = notebook.check("Exercise 5.1", rounds_to, test_rounds_to)

# %% [markdown]
# ### Exercise 5.2: agreement or bargaining? · medium · 10 minutes
#
# Points rise because deals get more frequent, or because deals get better. Write
# `gain(before, after)`, which returns a pair: the points gained if only agreement had
# changed (at the *before* points per deal), and the rest of the gain. Each argument is
# one row of metrics.
#
# <details><summary>Hint</summary>
#
# Points per deal are `mean_points / agreement`.
# </details>


# %% tags=["exercise"]
def gain(before, after): ...  # your code


# %% tags=["solution"]
def gain(before, after):
    points = [row["mean_points"]["value"] for row in (before, after)]
    deals = [row["agreement"]["value"] for row in (before, after)]
    from_deals = (deals[1] - deals[0]) * points[0] / deals[0]
    return from_deals, points[1] - points[0] - from_deals


# %% tags=["check"]
def test_gain(f):
    def row(points, deals):
        return {"mean_points": {"value": points}, "agreement": {"value": deals}}

    got = f(row(1.0, 0.2), row(4.8, 0.8))
    if got is None:
        return notebook.NOT_SOLVED
    if abs(sum(got) - 3.8) > 1e-9:
        return f"the parts must add up to the whole gain, 3.8; yours: {got}"
    if abs(got[0] - 3.0) > 1e-9:
        return (
            "0.2 of games at 5 points a deal became 0.8: that alone gives "
            f"3.0 points; yours gives {got[0]}"
        )


solved = notebook.check("Exercise 5.2", gain, test_gain)

# %% [markdown]
# ## Check: what is exact here
#
# The rounds are a function of the configuration and the seed: asking for the
# same run again plays nothing and returns the same rounds (exact). The height of
# the curves is statistical: it has intervals, and yours will differ from ours.

# %%
again = run(configs["semi"], folders["semi"])
assert [r.metrics["weights"] for r in again] == [
    r.metrics["weights"] for r in live["semi"]
]
if PROFILE != "ci":
    for name in ("semi", "coop"):
        points = [r.metrics["mean_points"]["value"] for r in live[name]]
        assert points[-1] - points[0] > 1, f"{name} should climb: {points}"
print("checked")

# %% [markdown]
# ## Recap
#
# - Play, keep what was above the mean, imitate it, repeat: the score climbs. The
#   control on as many views drawn by chance does not climb, so the filter does it.
# - Compare the gain with the base at its best temperature before you call it
#   learning; compare seeds before you call it a result.
# - Under strict competition the mean reward cannot move; look at deals instead.
#
# **Further reading**: Liao, Tomlin and Klein 2024, *Efficacy of Language Model
# Self-Play in Non-Zero-Sum Games*, arXiv:2406.18872 (sections 3 and 4: 30
# minutes); Lewis et al. 2017, arXiv:1706.05125 (the game: 20 minutes).
#
# **Next**: [a pre-trained model](06_a_quantised_model.ipynb); or, with this one,
# [does it transfer?](07_does_it_transfer.ipynb)
