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
from selfplay_kit.teach import notebook

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
# paper. That is why every claim below comes with its control.
#
# ## The loop
#
# Each round: play K games of the model against itself; compute the reward of
# both sides of each game; keep the sides **strictly above the mean**; fine-tune
# the model on its own moves there; go on from that model. That is all of it.
# (`at_once` is no part of it: fewer games side by side take less memory.)

# %%
from selfplay_kit.learn.rounds import Config

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
# - *semi* (λ = 0): each wants its own points. How many points per player at the
#   end?
# - *coop* (λ = 1): both want the sum. How many joint points? More, or fewer, than
#   a pair that exchanges no information makes?
# - *strict* (λ = −1): what one gains the other loses. How many of a hundred games
#   end in a deal?
#
# ### Run
#
# The first cell plays one small batch and says how long the runs will take. Each run
# goes into a folder of its own. If you stop it, run the cell again: it goes on after
# the last whole round. A dashboard shows each run while it goes on, and folds into
# one line when the run is complete.

# %%
import random
import time

from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.play import play_games
from selfplay_kit.lm.models import load_model
from selfplay_kit.lm.player import LMPlayer

base = load_model(BASE)
print(base.report)
probe = random.Random(SEED).choices(scenarios("development"), k=K // 4)
play_games(LMPlayer(base), probe[:8], SEMI, seed=SEED)  # a warm-up
started = time.perf_counter()
play_games(LMPlayer(base), probe, SEMI, seed=SEED)
round_seconds = (time.perf_counter() - started) * 4 * 2.5  # 4 quarters; training
minutes = round_seconds * (ROUNDS + 1) * len(configs) / 60
print(f"expect about {minutes:.1f} minutes for the three runs below")

# %%
from selfplay_kit.learn.rounds import run
from selfplay_kit.teach.watch import Dashboard

mark = f"K{K}-seed{SEED}-{base.report.weights_hash[:8]}-125"
folders = {n: here.runs / "05" / f"{n}-{mark}" for n in configs}
live = {}
started = time.perf_counter()
for name, config in configs.items():
    board = Dashboard(config, label=f"{name}, ", fold=True)
    hooks = {"progress": board.progress, "on_round": board.on_round}
    live[name] = run(config, folders[name], **hooks)
spent = time.perf_counter() - started
notebook.record("rounds_seconds", spent)
print(f"three runs of {ROUNDS} rounds of {K} games: {spent:.0f} s")

# %% [markdown]
# ## The main figure
#
# - *Coloured*: the run that you just made, with a 95 % bootstrap interval over
#   scenarios (they are drawn again and again from those played, with repetition;
#   95 in 100 such draws have their mean within the band).
# - *Grey, dotted*: **recorded**, the mean of several seeds that we ran before,
#   with the t interval between seeds (for shares on the logit scale, so that it
#   never leaves 0 to 100 %).
# - *Green, dashed*: a **blind pair**, which needs no words **(exact)**. The first
#   player asks for what is best for both as far as its *own* values tell; the
#   second says yes.
# - *Open circles*: the paper's GPT-3.5, before training and in its best round,
#   drawn at the right edge whichever round that was. It is another model, put
#   there for scale.

# %%
import json
from statistics import fmean, mode

import matplotlib.pyplot as plt

from selfplay_kit import data
from selfplay_kit.games.deal.rules import scenarios
from selfplay_kit.measure.talk import blind_joint
from selfplay_kit.teach import plots

spine = json.loads(data.path("reference/spine.json").read_text("utf-8"))
seeds = spine["config"]["seeds"]
blind = fmean(map(blind_joint, scenarios("test")))  # of the pair, exact
ROUND = "round of self-play (0 is the base)"
PAPER = {"semi": (0.4, 5.8), "coop": (0.7, 12.1)}
WANTED = (
    ("semi", "mean_points", "points per player"),
    ("coop", "mean_joint", "joint points, X + Y"),
)


# %%
def draw(ax, rows, metric, scale=1, **look):
    """One curve: a metric over the rows of a run, with its band."""
    cells = [r[metric] for r in rows]
    parts = {e: [scale * c[e] for c in cells] for e in ("value", "low", "high")}
    plots.curve(ax, parts.pop("value"), **parts, **look)


def panels(wanted=WANTED, legend="lower right"):
    """Two axes, and what belongs into each: (axis, objective, metric)."""
    axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")[1]
    for ax, (name, metric, label) in zip(axes, wanted):
        yield ax, name, metric  # what follows is done when it is drawn
        ax.set(xlabel=ROUND, ylabel=label, title=f"{name}: {label}")
        ax.set_ylim(bottom=0)
        ax.legend(loc=legend)
    plt.show()


# %% alt="Points over rounds, live run and recorded seeds, semi-competitive and cooperative"
for k, (ax, name, metric) in enumerate(panels()):
    label = f"recorded, {seeds} seeds"
    draw(ax, spine["runs"][name]["rounds"], metric, k=6, label=label)
    rows = [r.metrics for r in live[name]]
    draw(ax, rows, metric, k=k, label="live, one seed")
    level = blind if name == "coop" else blind / 2
    ax.axhline(level, color=plots.GREEN, ls="--", label="a blind pair, exact")
    look = {"mfc": "none", "ms": 9, "color": "black"}
    label = "the paper's GPT-3.5: before, best round"
    ax.plot([0, 10], PAPER[name], "o", label=label, **look)

# %% [markdown]
# *The figure: two panels, points over rounds. Left the points of a player under
# semi-competitive reward, right the joint points under cooperative reward.* Look
# where the curves end beside the dashed line.
#
# ### Explain
#
# What you predicted, and what happened in the recorded runs, on test scenarios
# that no round has trained on:

# %%
from IPython.display import Markdown, display

from selfplay_kit.measure.ledger import shown

test = spine["test"]
for player in ("last", "last_best"):  # or the sentence below would be wrong
    assert test["coop"][player]["mean_joint"]["high"] < blind


def change(name, metric, unit=""):
    """From the base to the last round of a run, on the test split."""
    return " to ".join(shown(test[name][k][metric], unit) for k in ("base", "last"))


Markdown(f"""
- **Semi** climbs from {change("semi", "mean_points")} points per player.
- **Coop** climbs from {change("coop", "mean_joint")} joint points: *below* the
  blind pair, which needs no words and makes {blind:.2f}.
- **Strict**: a deal in {change("strict", "agreement", "share")} of games.
""")

# %% [markdown]
# (Means of the seeds; in brackets the 95 % interval between them.) So ten rounds of
# cooperation end with a pair that earns *less* than one whose first player asks
# blindly and whose second obeys. That holds at its best temperature, too: see the
# table of the controls.
#
# What was it that climbed? Points are (how often there is a deal) × (points in a
# deal). The table takes them apart, on the games that the recorded runs played
# while training.

# %%
rows = []
for name in LAMBDA:
    for row in spine["runs"][name]["rounds"][::10]:
        shares = ("agreement", "pareto_agreed", "joint_optimal")
        percents = [shown(row[metric], "share") for metric in shares]
        points = shown(row["mean_points"])
        rows.append((name, row["round"], points, *percents))
head = ("objective", "round", "points per player", "games with a deal")
head += ("Pareto-optimal, of deals", "best joint, of games")
notebook.table(head, rows, f"Before and after, {seeds} seeds, 95 % between seeds")

# %% [markdown]
# Most of the gain is in how often they reach a deal (exercise 5.2 asks how much).
# Deals get better, too, but far from all of them are the best for both.
#
# ## Controls: would it have climbed anyway?
#
# Two things could fool us.
#
# 1. **Any** further training on its own games might help. So a control draws its
#    views by chance: in each round exactly as many as the filtered run of the same
#    seed kept, with as many passes over them and as many training steps.
# 2. The base may *know* more than it shows at temperature 1. So we let the
#    untrained base play at the temperature that suits it best, down to 0 (always
#    the likeliest token), chosen on the development split.
#
# ### Predict
#
# Under semi-competitive reward the filtered runs end near 6 points per player.
# Where does the control on views drawn by chance end? And the untrained base at
# its best temperature?
#
# ### Run

# %% alt="Points over rounds with the filter, on as many views drawn by chance, and the untrained base at its best temperature"
ARMS = (
    ("runs", f"the filter, {seeds} seeds"),
    ("matched", f"as many by chance, {seeds} seeds"),
)
for ax, name, metric in panels(legend="best"):
    for k, (arm, label) in enumerate(ARMS):
        draw(ax, spine[arm][name]["rounds"], metric, k=k, label=label)
    best = spine["test"][name]["base_best"]
    label = f"untrained base, temperature {best['temperature']:g}"
    level = best[metric]["value"]
    ax.axhline(level, color=plots.GREEN, ls="-.", label=label)

# %% [markdown]
# *The figure: points over rounds with the filter, on as many views drawn by chance,
# and as a horizontal line the untrained base at its best temperature.* The gap
# between the two curves is what the filter does. The gap between the line and the
# end of the climb is what the rounds added beyond making the base less noisy.
#
# The same on test scenarios, with the last rounds at *their* best temperatures, too:

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
    for key in (key for key in NAMES if key in test[name]):
        row = test[name][key]
        points = [shown(row[metric]) for metric in ("mean_points", "mean_joint")]
        rows.append((name, NAMES[key], *points, shown(row["agreement"], "share")))
head = ("objective", "player", "points per player", "joint", "games with a deal")
notebook.table(head, rows, f"Test split, {seeds} seeds, 95 % between them")

# %% [markdown]
# ### Explain
#
# Is the control fair? What was to be equal can be counted **(exact)**. One thing
# can't be held equal: where games get shorter, as many views hold fewer tokens.


# %%
def total(arm, name, count):
    """A count, summed over rounds, for each seed."""
    trained = spine[arm][name]["rounds"][1:]
    return [sum(seed) for seed in zip(*(row[count] for row in trained))]


rows = []
for name in LAMBDA:
    for count in ("kept", "passes", "steps"):
        assert total("runs", name, count) == total("matched", name, count)
    for arm, label in ARMS:
        counts = ("kept", "passes", "steps", "tokens")
        means = [f"{fmean(total(arm, name, count)):,.0f}" for count in counts]
        rows.append((name, label, *means))
head = ("objective", "trained on", "views", "passes", "steps", "tokens")
notebook.table(head, rows, "Training per run, all rounds together")


# %%
def score(name, player, metric="mean_points"):
    return shown(test[name][player][metric])


assert test["semi"]["matched"]["mean_points"]["value"] < 1.5  # "nothing climbs"
Markdown(f"""
- **Drawn by chance, nothing climbs**: {score("semi", "matched")} points per player,
  {score("semi", "matched_best")} at its best temperature. The filter makes the
  difference, not the training as such.
- **The untrained base at its best temperature nearly equals ten semi-competitive
  rounds**: {score("semi", "base_best")} against {score("semi", "last")}, or
  {score("semi", "last_best")} at their best temperature. Most of this climb can be
  had without training: the base already knew how to agree.
- **Cooperative rounds add more**: {score("coop", "base_best", "mean_joint")} joint
  points without training, {score("coop", "last", "mean_joint")} after ten rounds.
""")

# %% [markdown]
# A t interval between five seeds is symmetric. Where one seed is far from the
# others, it may reach below 0 points, which no player can make.
#
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
# the other two are one run each.* A base that already shows its skill has less to
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
from selfplay_kit.learn.cloning import above_mean, views

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
# ### Predict
#
# A cooperative pair could tell each other its values and then find the best split.
# After ten rounds, does it say more, or less, than before? And the pair that learned
# from views drawn by chance?
#
# ### Run
#
# First the numbers; then a typical deal of the first and of the last round of your
# own cooperative run (one with as many messages as most deals have there).

# %% alt="Messages per game over rounds, with the filter and on as many views drawn by chance, semi-competitive and cooperative"
WORDS = [(name, "messages", "messages per game") for name in ("semi", "coop")]
for ax, name, metric in panels(WORDS, "upper right"):
    for k, (arm, label) in enumerate(ARMS):
        draw(ax, spine[arm][name]["rounds"], metric, k=k, label=label)


# %%
def typical(round_):
    """A deal with the commonest number of messages; without deals, any game."""
    games = [t for t in round_.games() if t.agreed] or round_.games()
    spoken = [sum(m.text.startswith("[message]") for m in t.moves) for t in games]
    return games[spoken.index(mode(spoken))]


for round_ in (live["coop"][0], live["coop"][-1]):
    display(Markdown(f"**Round {round_.number}**"), notebook.show_game(typical(round_)))

# %% [markdown]
# ### Explain

# %%
Markdown(f"""
- **Talk died out** in cooperative games, from {change("coop", "messages")}
  messages, and shrank in semi-competitive ones, from {change("semi", "messages")}.
- **The filter did not kill it**: on views drawn by chance it dies out as well,
  to {score("coop", "matched", "messages")} messages per cooperative and
  {score("semi", "matched", "messages")} per semi-competitive game.
- Strict games went from {change("strict", "messages")} messages: the seeds
  differ too much for a verdict.
""")

# %% [markdown]
# Read your two games again. In a typical deal of the first round both sides make
# demands, and the deal that follows may be a lucky one. In one of the last round
# (of ten: the profile `ci` plays only one) the first speaker names what it wants,
# and the second proposes the rest without a word. Nobody states a value, so nobody
# can find the trade that is best for both. That is the blind pair's plan, played
# less well, and so the points end below the dashed line.
#
# Why imitating one's own games shortens them, we did not test. When words do pay,
# and how a run keeps them, is the question of
# [notebook 11](11_talk_that_pays.ipynb).
#
# ## Try
#
# ### Exercise 5.1: the rate of climb · easy · 5 minutes
#
# Write `rounds_to(level, rows)`: the first round of `rows` (a list of metrics, one per
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
            "0.2 of games at 5 points per deal became 0.8: that alone gives "
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
# - Play, keep what was above the mean, imitate it, repeat: the score climbs. On as
#   many views drawn by chance it does not, so the filter does it.
# - The gain is in how often there is a deal. The untrained base at its best
#   temperature comes close to it, talk dies out, and a cooperative pair ends below
#   one that needs no words.
# - Under strict competition the mean reward cannot move; look at deals instead.
#
# **Further reading**: Liao, Tomlin and Klein 2024, *Efficacy of Language Model
# Self-Play in Non-Zero-Sum Games*, arXiv:2406.18872 (sections 3 and 4: 30
# minutes); Lewis et al. 2017, arXiv:1706.05125 (the game: 20 minutes).
#
# **Next**: [a pre-trained model](06_a_quantised_model.ipynb); or, with this one,
# [does it transfer?](07_does_it_transfer.ipynb)
