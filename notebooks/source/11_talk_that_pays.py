# ---
# jupyter:
#   torch: true
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 · Talk that pays
#
# *In this notebook you will*
#
# - **predict** where talk dies under the paper's filter, and where it need not;
# - **change** one line, the filter or the temperature, and see what it does to talk;
# - **take** the words away from the listener, and watch the deals get worse;
# - **read** a game with its words and with others, and count how many are true;
# - **say** what this shows, and what it does not.
#
# Necessary: [one round, taken apart](04_one_round.ipynb). Helpful:
# [self-play](05_self_play.ipynb). About 45 minutes, 15 of them for the exercises (an
# estimate); the live runs print how long they will take before they start.

# %% tags=["parameters"]
PROFILE = "cpu"
BASE = "tiny-talk"
SEED = 1

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE, torch=True)

# %% [markdown]
# ## What is there to talk about?
#
# Two partners want the largest **sum** of points. Each knows only its own values.
# Without a word, the first can still ask for the split that is best *as far as
# its own values tell*, and the second can say yes: the **blind** pair. With both
# values on the table, they reach the best split of all. **(exact)** What is the
# difference worth, over all scenarios of the test split?

# %%
from selfplay_kit.games.deal.rules import max_joint, scenarios
from selfplay_kit.measure.talk import blind_joint, reference_joint

pool = scenarios("test")
worth = reference_joint(pool)
assert worth["blind"] == sum(map(blind_joint, pool)) / len(pool)
assert all(blind_joint(s) <= max_joint(s) for s in pool)
for name, points in worth.items():
    print(f"{name}: {points:.2f} joint points a game")
gain = worth["optimum"] - worth["blind"]
print(f"perfect talk is worth {gain:.2f} points in {len(pool)} scenarios")

# %% alt="A histogram of what talk could add in points over the scenarios"
import matplotlib.pyplot as plt

from selfplay_kit.teach import plots

gaps = [max_joint(s) - blind_joint(s) for s in pool]
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.hist(gaps, bins=[x / 2 - 0.25 for x in range(12)], color=plots.SKY)
told = f"mean, {gain:.2f}"
ax.axvline(gain, color=plots.ORANGE, ls="--", lw=2, label=told)
ax.set(xlabel="what perfect talk adds (joint points)", ylabel="scenarios")
ax.set_title("Where talk can pay")
ax.legend()
plt.show()

# %% [markdown]
# Bars count scenarios by the points that talk could add to a blind pair. **In
# many scenarios it adds nothing**: being lucky with the scenario matters more
# than anything that is said. Keep that in mind.
#
# ## Where talk dies
#
# **Predict.** Two bases train by the paper's filter: views above the mean of
# *all* games are kept. *Weak* can state its values, but what it hears makes no
# difference to it; *talk* was drilled to use what it hears. How many games in a
# hundred will hold a statement of values at the end, in each? **Run**: these
# were recorded before.

# %%
import json

from selfplay_kit import data

talk = json.loads(data.path("reference/talk.json").read_text("utf-8"))
ARMS = ("above_mean", "above_scenario_mean", "above_scenario_mean, T 0.7")


def recorded(ax, arm, metric, scale=1, k=0):
    """One thin line for each recorded seed."""
    rows = [r[metric]["values"] for r in talk["arms"][arm]["rounds"]]
    look = {"color": plots.CYCLE[k], "ls": plots.DASHES[k], "lw": 0.9}
    for n, y in enumerate(zip(*rows, strict=True)):
        label = None if n else f"{arm} ({len(rows[0])} recorded)"
        ax.plot([scale * v for v in y], label=label, **look)


# %% alt="The share of games with a statement of values over rounds, a line a recorded seed"
fig, ax = plt.subplots(figsize=(7, 4))
for k, arm in enumerate(("weak, above_mean", "above_mean")):
    recorded(ax, arm, "stated", 100, k)
plots.share_axis(ax, whole=100)
ax.set(xlabel="round of self-play (0 is the base)")
ax.set(ylabel="games with a statement, %", title="Two bases, one filter")
ax.legend()
plt.show()

# %% [markdown]
# The share of games with a statement of values, over rounds; each line is one
# recorded seed. **Explain.** In *weak*, words bring no points, cost a turn and
# can go wrong: they are not kept *for* anything, and fade. Where they are of
# use, they need not.
#
# ## How much is noise?
#
# A word can only pay if it is *true* often enough to be worth hearing. The model
# samples its words, digits included; at temperature 1 it slips. **Predict**: of the
# statements of the untrained *talk*, how many are true at temperature 1, 0.7, 0.3?

# %%
import random

from selfplay_kit.games.deal.rules import COOP
from selfplay_kit.games.play import play_games
from selfplay_kit.lm.models import load_model
from selfplay_kit.lm.player import LMPlayer
from selfplay_kit.measure.talk import statement_metrics

base = load_model(BASE)
some = random.Random(SEED).sample(scenarios("development"), here.pick(ci=12, cpu=150))
rows = []
for t in (1.0, 0.7, 0.5, 0.3):
    games = play_games(LMPlayer(base, temperature=t), some, COOP, seed=SEED)
    said = statement_metrics(games, seed=SEED)
    joint = sum(sum(game.points) for game in games) / len(games)
    shares = (f"{said[m]['value'] or 0:.0%}" for m in ("stated", "true"))
    rows.append((t, *shares, f"{joint:.1f}"))
head = ("temperature", "games with a statement", "of them true", "joint points")
notebook.table(head, rows, f"The base before any round, {len(some)} games, live")

# %% [markdown]
# **Explain.** The skill is there, under noise. A listener in training sees about as
# many false statements as true ones at temperature 1, and has little reason to
# heed them. So there are *two* lines that one could change: the temperature of play
# while training, and the filter.
#
# ## One line, or the other
#
# Here are the paper's filter and ours. The one compares a game with *all* games;
# the other with games of **the same scenario**, so that luck is the same on both
# sides and what was *said and done* is all that differs. It needs several games
# of each scenario, so the same number of games covers fewer scenarios.

# %%
import inspect

from selfplay_kit.learn import cloning

print(inspect.getsource(cloning.above_mean))
print(inspect.getsource(cloning.above_scenario_mean))

# %% [markdown]
# ### Exercise 11.1: the line · medium · 10 minutes
#
# `groups` holds lists of rewards: all games of one scenario in each. Return what the
# filter keeps, as pairs (group, index), for each of the two filters. What happens to
# the *poor* scenario, where 4 is the best that anybody got?
#
# <details><summary>Hint</summary>
#
# One mean over everything for the first, one mean a list for the second. Both
# filters keep what is *strictly* above.
#
# </details>


# %% tags=["exercise"]
def kept_by(groups, within):
    """Pairs (group, index) above the mean of all, or within the group."""
    return None  # your code here


# %% tags=["solution"]
def kept_by(groups, within):
    """Pairs (group, index) above the mean of all, or within the group."""
    every = [x for g in groups for x in g]
    kept = set()
    for i, g in enumerate(groups):
        some = g if within else every
        mean = sum(some) / len(some)
        kept |= {(i, j) for j, x in enumerate(g) if x > mean}
    return kept


# %% tags=["check"]
GROUPS = [[18, 18, 17, 16], [12, 11, 10, 0], [4, 4, 0, 0]]


def check_kept(answer):
    for groups in (GROUPS, [[1, 2], [3, 4]], [[10, 4], [0, 0, 4, 0]], [[5, 5]]):
        everything = [x for g in groups for x in g]
        for within in (False, True):
            got = answer(groups, within)
            if got is None:
                return notebook.NOT_SOLVED
            for i, g in enumerate(groups):
                some = g if within else everything
                for j, x in enumerate(g):
                    if ((i, j) in got) != (x * len(some) > sum(some)):
                        where = f"{(i, j)} of {groups}"
                        return f"within={within}: look at {where}"
    return None


done = notebook.check("Exercise 11.1", kept_by, check_kept)

# %% [markdown]
# Above the mean of **all** games are the whole lucky scenario, good play and bad,
# and *nearly* nothing tells the two apart; nothing of the poor one. **Within** its
# scenario, 18 beats 16, in the middling one 12 and 11 and 10 beat the quarrel, and
# in the poor one the two that found its 4 are kept. A scenario where all games end
# alike says nothing, and nothing of it is kept.
#
# ## Run them
#
# The same base, the same number of games, the same training. First the paper's
# filter; then one line changed, the filter (and with it how many games a scenario
# gets: 1 in the paper, 4 here); then one more, the temperature of play. The fourth
# cell of the square, the paper's filter at 0.7, is among the recorded runs: to see it
# live, add it to `ARMS` above. Fewer games side by side (`at_once`) take less memory;
# the dice are others than in the recorded runs.

# %%
from selfplay_kit.learn.rounds import Config, run

K = here.pick(ci=24, cpu=500)
ROUNDS = here.pick(ci=1, cpu=6)
same = {"base": BASE, "lam": 1.0, "games": K, "rounds": ROUNDS}
same |= {"epochs": 2, "lr": 5e-4, "seed": SEED, "at_once": 125}
changed = {"filter": "above_scenario_mean", "group": 4}
calm = {"temperature": 0.7}
square = {
    "above_mean": Config(**same),
    "above_scenario_mean": Config(**same, **changed),
    "above_mean, T 0.7": Config(**same, **calm),
    "above_scenario_mean, T 0.7": Config(**same, **changed, **calm),
}
configs = {name: square[name] for name in ARMS}
print(base.report)

# %%
import time

probe = random.Random(SEED).choices(scenarios("train"), k=K // 4)
started = time.perf_counter()
play_games(LMPlayer(base), probe, COOP, seed=SEED)
a_round = (time.perf_counter() - started) * 4 * 1.7  # 4 quarters; training
minutes = a_round * (ROUNDS + 1) * len(configs) / 60
print(f"expect about {minutes:.1f} minutes for the {len(configs)} runs below")

# %%
home = here.runs / "11"
mark = base.report.weights_hash[:8]
live, started = {}, time.perf_counter()
for name, config in configs.items():
    plain = name.replace(", ", "-").replace(" ", "")
    folder = home / f"{plain}-K{K}-seed{SEED}-{mark}-125"
    shown = notebook.progress(f"{name}, ")
    live[name] = run(config, folder, progress=shown)
spent = time.perf_counter() - started
notebook.record("talk_seconds", spent)
print(f"{len(live)} runs of {ROUNDS} rounds of {K} games: {spent:.0f} s")

# %%
# Exact: each scenario comes four times (or eight, if drawn twice), and what
# is kept lies above the mean of its own games.
from collections import Counter

games = live["above_scenario_mean"][0].games()
assert set(Counter(t.scenario for t in games).values()) <= {4, 8, 12}
kept = cloning.above_scenario_mean(cloning.views(games), None)
for v in kept:
    alike = [t for t in games if t.scenario == v.transcript.scenario]
    four = [t.rewards[v.seat] for t in alike]
    assert v.reward * len(four) > sum(four)
print(f"{len(kept)} of {2 * len(games)} views kept in the first round")

# %% [markdown]
# ## What became of talk
#
# Lines with markers are yours, just made; the thin ones are *recorded*, one for
# each seed that we ran before.

# %% alt="Left the joint points over rounds, right the share of games with a statement, for each run"
told = {n: [statement_metrics(r.games()) for r in live[n]] for n in ARMS}
fig, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for k, name in enumerate(ARMS):
    joint = [r.metrics["mean_joint"]["value"] for r in live[name]]
    stated = [100 * m["stated"]["value"] for m in told[name]]
    recorded(axes[0], name, "mean_joint", 1, k)
    recorded(axes[1], name, "stated", 100, k)
    plots.curve(axes[0], joint, k=k, label=f"{name}, live")
    plots.curve(axes[1], stated, k=k, label=f"{name}, live")
axes[0].axhline(worth["blind"], color=plots.GREY, ls=":")
axes[0].axhline(worth["optimum"], color=plots.GREY, ls="-.")
axes[0].set(ylabel="joint points, X + Y", title="Points")
axes[1].set(ylabel="games with a statement, %", title="Talk")
plots.share_axis(axes[1], whole=100)
for ax in axes:
    ax.set_xlabel("round of self-play (0 is the base)")
below = {"loc": "outside lower center", "ncols": 3, "fontsize": 8}
fig.legend(*axes[0].get_legend_handles_labels(), **below)
plt.show()

# %% [markdown]
# Left the joint points of the games that were just played, over rounds, with the
# blind pair (dotted) and the optimum (dash-dotted); right the share of games in
# which somebody states its values. **Explain** what you see before you read on:
# who still talks, and does it show in the points?
#
# And the trained models on the **test** split, each scenario once, at the
# temperature that was best for that arm on the development split.


# %%
def cell(found, percent=False):
    """A number with its interval (shares: the range of the seeds) as a cell."""
    if not found or found["value"] is None:
        return "–"
    if percent and len(found.get("values", [])) > 1:
        low, high = min(found["values"]), max(found["values"])
        return f"{found['value']:.0%} ({low:.0%} to {high:.0%})"
    ends = [found["value"], found["low"], found["high"]]
    form = "{:.0%}" if percent else "{:.2f}"
    a, b, c = (form.format(x) if x is not None else "" for x in ends)
    return f"{a} [{b}, {c}]" if b else a


def at_best(arm):
    found = talk["arms"][arm]
    return found["test"][str(found["temperature"])]


# %%
POINTS = ("mean_joint", "over_blind", "drop_replace")
SHARES = ("stated", "true")
HEAD = ("joint", "above blind", "drop when replaced", "stated", "true")


def row(f):
    points = [cell(f.get(name)) for name in POINTS]
    return (*points, *(cell(f.get(name), True) for name in SHARES))


rows = []
for name, a in talk["arms"].items():
    apart = cell(a["cross_play"].get("mean_joint"))
    rows.append((name, len(a["games"]), a["temperature"], *row(at_best(name)), apart))
head = ("arm", "seeds", "temperature", *HEAD, "joint with the next seed")
told_how = "95 % interval between seeds; of shares, the seeds' range"
notebook.table(head, rows, f"Test split, mean; {told_how}")

# %% alt="Joint points of each trained seed, with a marker for whether its talk lives, and the blind line"
GROUPED = [f"above_scenario_mean, group {n}" for n in (2, 10)]
SQUARE = [*square, "above_mean, group 4", *GROUPED]
fig, ax = plt.subplots(figsize=(7, 4))
for k, name in enumerate(SQUARE):
    seeds = at_best(name)["seeds"]
    x = [100 * f["stated"]["value"] for f in seeds]
    y = [f["mean_joint"]["value"] for f in seeds]
    told_half = sum(share >= 50 for share in x)
    label = f"{name}: talk lives in {told_half} of {len(x)}"
    colour, mark = plots.CYCLE[k], plots.MARKERS[k]
    ax.plot(x, y, mark, color=colour, ms=9, alpha=0.8, label=label)
ax.axhline(worth["blind"], color=plots.GREY, ls=":", label="blind")
ax.axhline(worth["optimum"], color=plots.GREY, ls="-.", label="optimum")
ax.set(xlabel="games with a statement, %", ylabel="joint points, X + Y")
ax.set(title="Each seed: talk and points, test split")
plots.share_axis(ax, whole=100, axis="x")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# A marker is one trained seed; talk *lives* where half of its games or more have
# a statement. **Explain.** Where talk lives, the pair lies well above the blind line;
# where it died, below it, or in one seed a little above (offers may tell something).
# At temperature 1, with nearly as many false statements as true ones, a filter over
# all games may go either way, as chance has it: in the mean over seeds the filter
# within the scenario is ahead, but the intervals overlap. The paper's filter at
# temperature 1 was recorded before training made whole passes: a small difference more.
#
# Is it the filter or its four games a scenario? *above_mean, group 4* gives the paper's
# filter four as well, and then talk dies in every seed: fewer scenarios a round, and
# more luck in each mean. So with equal draws it is the filter. And four are not too
# few: with *two*, each game is held against one other, which is mostly luck again, and
# a seed loses its talk; ten do no better than four.
#
# At 0.7 **both** come near the optimum, and talk lives in every seed: what is said is
# mostly true from the start, and a listener who heeds it earns more. The filter within
# the scenario is a little ahead here, by less than half a point in each seed. So most of
# this is the *temperature's* doing.
#
# Your live runs have seed 1. Do not expect the two filters to part in them: they are
# shorter than the recorded runs and use other random numbers. In the recorded runs of
# that seed talk dies under one filter and lives under the other, but only after more
# rounds than you ran. The recorded seeds carry the comparison, and no single seed does.
#
# Is it a language of two, or one that a stranger understands? In the last column of
# the table each seed plays with the next one. Where that is as much as the first
# column, the language is shared. It need not surprise: all seeds had the same scripts
# for teachers.
#
# ## Take the words away
#
# A pair can chatter and score well without the one being due to the other. So we
# change what the **listener** hears: wherever its partner states values, it reads
# *other* values that could have been. The speaker knows nothing of it. If the
# points do not fall, the words carried nothing. **Predict**: for which of your runs
# will they fall, on scenarios that no round has trained on?

# %%
from selfplay_kit.games.deal.protocol import Line, Position
from selfplay_kit.measure.talk import ABLATIONS, ablate

said = Line("theirs", "for me books =1 hats =3 balls =4 .")
hearer = Position(0, 1, (3, 1, 1), (2, 4, 0), COOP, (said,))
for how, what in ABLATIONS.items():
    line = ablate(hearer, how, seed=SEED).lines[0]
    assert line != said and line.by == "theirs"
    print(f"{how:8} ({what}):\n    {line.text}")

# %% alt="The points lost when stated values are replaced, one row a model, with intervals"
from selfplay_kit.measure.talk import ablation

some = random.Random(SEED).sample(scenarios("development"), K // 2)
models = {n: live[n][-1].model(configs[n]) for n in ARMS}
players = {n: LMPlayer(lm, temperature=0.3) for n, lm in models.items()}
drops = {}
for name, player in players.items():
    found = ablation(player, some, COOP, "replace", seed=SEED)
    drops[f"{name}, live"] = found["drop"]
    drops[f"{name}, recorded"] = at_best(name)["drop_replace"]
drops = {n: {"low": None, "high": None} | d for n, d in drops.items()}
for d in drops.values():
    d |= {e: d["value"] if d[e] is None else d[e] for e in ("low", "high")}
ax = plots.intervals(drops)
ax.axvline(0, color=plots.GREY, ls=":")
ax.set(xlabel="joint points lost when stated values are replaced")
ax.set_title("What the words were worth")
plt.show()

# %% [markdown]
# Each row is a model, the marker the points lost, the bar its 95 % interval:
# live, over scenarios; recorded, between seeds. At the dotted line words are
# worth nothing.
#
# ## One game, twice
#
# The same scenario, the same first speaker, the same dice. In the second game
# the listener is told other values. Read what it then asks for.

# %%
from selfplay_kit.measure.talk import Ablated, statements

talker = players[ARMS[-1]]
heard = play_games(talker, some, COOP, seed=SEED)
misled = play_games(Ablated(talker, "replace"), some, COOP, seed=SEED)


def loss(i):
    """Deals that only got worse come before quarrels."""
    said = bool(statements(heard[i]))
    lost = sum(heard[i].points) - sum(misled[i].points)
    return said, misled[i].agreed, lost


at = max(range(len(some)), key=loss)
notebook.show_game(heard[at])

# %%
notebook.show_game(misled[at])

# %% [markdown]
# ### Exercise 11.2: is it true? · easy · 5 minutes
#
# Return the share of statements in which all three values are the speaker's own.
# `statements(t)` gives those of one game, each with `.seat` and `.values`;
# `t.scenario.values[seat]` is the truth. If there is none, return 0. Do not use
# `.true`.
#
# <details><summary>Hint</summary>
#
# A list of `True` and `False` over all games; its `sum` counts the `True`.
#
# </details>


# %% tags=["exercise"]
def share_true(games):
    """The share of statements that are true, over all games."""
    return None  # your code here


# %% tags=["solution"]
def share_true(games):
    """The share of statements that are true, over all games."""
    said = [(t, s) for t in games for s in statements(t)]
    right = [s.values == t.scenario.values[s.seat] for t, s in said]
    return sum(right) / len(right) if right else 0


# %% tags=["check"]
def check_true(answer):
    from selfplay_kit.games.deal.scripted import Blind, Liar, Teller

    if answer(heard) is None:
        return notebook.NOT_SOLVED

    def played(who):
        return play_games(who, scenarios("test")[:20], COOP, seed=1)

    liars, lone = played(Liar()), played((Teller(), Blind()))
    tales = {"tellers": played(Teller()), "the silent": played(Blind())}
    tales |= {"liars": liars, "liars and lone tellers": liars + lone}
    for name, games in tales.items():
        right = statement_metrics(games)["true"]["value"] or 0
        got = answer(games)
        if abs(got - right) > 1e-9:
            return f"for {name} it is {right:.3f}, not {got:.3f}"


done = notebook.check("Exercise 11.2", share_true, check_true)

# %% [markdown]
# ## What the optimum needs
#
# One statement is enough: if the one who makes the offer knows both values, its
# offer is optimal and the other need only accept. So who has to be heard? The
# recorded models, with the statements of **one** speaker replaced:

# %%
rows = []
for name in ARMS:
    f = at_best(name)
    states = [cell(f[who], True) for who in ("by_opener", "by_other")]
    drop = [cell(f[f"drop_replace_{who}"]) for who in ("first", "second")]
    way = f"{f['over_blind']['value'] / gain:.0%}"
    rows.append((name, *states, *drop, way))
head = ("arm", "the opener states", "the other states")
head += ("drop: opener's words", "drop: the other's", "way to optimum")
notebook.table(head, rows, f"Whose words matter; test split; {told_how}")

# %% [markdown]
# **Explain.** It is the answer that counts: the opener offers *after* it has heard, and
# replacing what the other states costs most of all that words are worth, replacing the
# opener's own nearly nothing.
#
# ## A conflict of interest
#
# At λ = 1 both want the same, and who lies to a partner lies to itself. Below 1 a
# statement can be turned against the one who made it. Crawford and Sobel (1982) show
# that talk without a price tells less, the further interests lie apart. **Predict**
# for λ = 0.5, 0 and -0.5: are values still stated, are they true, are they heeded?
# The same base and training (filter within the scenario, temperature 0.7), recorded:

# %% alt="Over λ: the share of games with a statement, the share of statements that are true, and the joint points lost when stated values are replaced; a mark for each seed"
CALM = "above_scenario_mean, T 0.7"
conflict = {1.0: CALM} | {
    float(name.rpartition("= ")[2]): name for name in talk["arms"] if "λ" in name
}
WANTED = (
    ("stated", 100, "games with a statement, %"),
    ("true", 100, "statements all true, %"),
    ("drop_replace", 1, "joint points lost when replaced"),
)
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for k, (ax, (metric, scale, label)) in enumerate(zip(axes, WANTED)):
    lams = sorted(conflict)
    found = [[scale * v for v in at_best(conflict[x])[metric]["values"]] for x in lams]
    means = [sum(seeds) / len(seeds) for seeds in found]
    ax.plot(lams, means, color=plots.CYCLE[k])
    for x, seeds in zip(lams, found):
        ax.plot([x] * len(seeds), seeds, plots.MARKERS[k], color=plots.CYCLE[k])
    ax.set(xlabel="λ, the partner's weight", ylabel=label, xticks=lams)
    ax.set_ylim(*((0, 100) if scale > 1 else (-0.25, None)))
plt.show()

# %% [markdown]
# One mark a seed, the line their mean; test split, each arm at its best temperature.
# **Explain.** The base came honest, and rounds of imitation made no liar of it; but
# below λ = 1 the *pair* makes less of what it hears, the less the further interests lie
# apart. At λ = -0.5, where what helps one harms the other, other values in the
# statements cost the pair next to nothing. Whether one player takes from the other by
# them, joint points can't tell. Three seeds below 1 are a hint, no proof.
#
# ## Where it fails, and what was not shown
#
# - **The base can already do it.** It was taught to state values and to use them,
#   by scripts, with a drill made for that. The filter *selects and sharpens*; it
#   invented nothing here. The arms that begin with *weak* start from a base
#   without that drill: read them before you believe the others.
# - **At its best temperature** the base does well before any training. Compare:

# %%
rows = [
    (name, t, *row(f))
    for name, b in talk["bases"].items()
    for t, f in b["test"].items()
]
head = ("base, untrained", "temperature", *HEAD)
notebook.table(head, rows, "Test split, 95 % over scenarios")

# %% [markdown]
# - Few seeds, and not as many for each arm: the table counts them; an arm with one
#   seed shows what can happen, no more.
# - Another rule, `Config(rule="policy_gradient")`, with 8 games a scenario and a price
#   for leaving the base, gets about as far. It was tuned least.
# - What keeps words *true*? A price for leaving the base (*KL 0.3*) does, in every
#   seed, for about as many points. A partner that stays the base (*frozen partner*)
#   does not: the learner then has nobody whose words are worth hearing, talk dies, and
#   the pair ends below the blind line. With such a partner in half of the games
#   (*frozen in half*) it is little better.
# - Of a base that does not *heed* what it hears (*weak*) neither filter makes one that
#   does. Trained at temperature 0.4 it keeps stating values, a third or more of them
#   false, and replacing them costs next to nothing: there, words without effect stay.
# - A tiny model and one game, and **nothing emerged**. *silent* starts from a base
#   whose lessons never state a value: by the same training it climbs to the blind
#   line and no further, and no statement ever appears, with either filter.
# - Only statements in one fixed form were counted and ablated. Offers talk too: a
#   drop of 0 does not say that *no* word mattered.
# - Whether it helps a pre-trained model was not shown: SmolLM2, whose lessons state no
#   values, was run with it once (notebook 06).
#
# ## Try
#
# Change `filter` to `"top_quarter"`, or `group` to 2 or 8, and run again. Before
# you do: which of them compares like with like?
#
# ## Check
#
# Exact: asking for a run again plays nothing, and returns the same weights. And of
# the recorded seeds: the paper's filter with four games a scenario loses its talk in
# each, the scenario's filter with two games in one at least, with four in none.

# %%
again = run(config, folder)  # the last run, as it stands in its folder
weights = [r.metrics["weights"] for r in again]
assert weights == [r.metrics["weights"] for r in live[name]]
share = {n: [f["stated"]["value"] for f in at_best(n)["seeds"]] for n in SQUARE}
assert max(share["above_mean, group 4"]) < 0.5
assert min(share["above_scenario_mean, group 2"]) < 0.5
assert min(share["above_scenario_mean"]) > 0.5
print("checked")

# %% [markdown]
# ## Recap
#
# - Words pay where they are true often enough to be heeded: less noise while
#   training does most here. A mean within the scenario rewards what was said and done
#   there, a mean over all games lucky scenarios too; at temperature 0.7 it helps a little.
# - Points alone do not show that talk pays. Ablate it: change what the listener
#   hears, and see whether the points fall.
# - Talk that nobody can use dies. What was selected must have been there to
#   select; say where it came from.
#
# **Further reading**: Lowe et al. 2019, *On the pitfalls of measuring emergent
# communication*, arXiv:1903.05168 (why ablate; 30 minutes); Shao et al. 2024,
# *DeepSeekMath*, arXiv:2402.03300 (section 4: the mean within a group; 15
# minutes); Crawford and Sobel 1982, *Strategic information transmission*
# (when talk is cheap; 60 minutes).
#
# **Next**: [one round, taken apart](04_one_round.ipynb) again, with a filter of
# your own.
