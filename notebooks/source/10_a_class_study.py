# ---
# jupyter:
#   torch: true
# ---

# %% [markdown]
# # 10 · A study with your class
#
# **In this notebook you will**
#
# - *set up* a human study: consent, random codes, blind random assignment;
# - *rehearse* it with scripted "people", before anybody is asked to take part;
# - *draw* a figure like the paper's for a class: points before and after training;
# - *say* how many people a difference needs, and why games are not people;
# - *run* it with your class, on their phones, and read the result here.
#
# **You need** notebook 05 (rounds of self-play); notebook 02 helps.
# **Time**: about 45 minutes, 15 of them for the exercises (an estimate), and the
# class hour. What runs here trains two small models first. **Memory**: not measured
# by itself; the README's table ends with notebook 05, which trains the same model.

# %% tags=["parameters"]
PROFILE = "cpu"
SEED = 0
STUDY = ""  # the folder of a real study; empty: a simulated class

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE, torch=True)

# %% [markdown]
# ## Before people are asked
#
# Playing a bargaining game is harmless, and yet this is research with people.
#
# - Whether it needs **approval**, and by whom, is for your institution to say. Ask
#   before you start; this kit can't.
# - **Nobody is obliged** to take part. A student who says no must lose nothing: no
#   marks, no points, no explanations. Have something else ready to do.
# - **Collect little.** No name, no address, no account. A random code stands for a
#   person; with it, that person's games can be deleted at any time.
#
# The paper paid its partners (section 4 of the paper: ten cents a game, and more a
# point). A class plays for the points alone; that is another population with
# another motive, and its numbers are its own.

# %% [markdown]
# ### Predict
#
# The paper's models played people before training and after every second round of
# self-play. Points of the model (semi-competitive): 0.8 before, 4.9 in the best round.
# Joint points (cooperative): 4.6 before, 11.6 in the best round; they fell again before
# round 10.
#
# - A class of 30 plays six games each: half with the base, half with the trained
#   model. Is that enough to see a difference of one point? Of four?
# - Should one person play with both models, or half the class with each?

# %% [markdown]
# ## Two models to compare
#
# The base, and the same model after a few rounds of self-play under the reward
# that people will play for. Few rounds, so that it takes a minute or two; for a
# real study, take the last round of a longer run of yours. (Where `STUDY` names one
# that was held, its models are there, and nothing is trained.)

# %%
from pathlib import Path

from selfplay_kit.learn.rounds import Config, run
from selfplay_kit.lm.models import load_model

K, ROUNDS = here.pick(ci=(24, 1), cpu=(200, 3))
LAMBDA = {"semi": 0.0, "coop": 1.0}
mark = load_model("tiny-weak").report.weights_hash[:8]
home = here.runs / "10" / f"K{K}-seed{SEED}-{mark}"
for name, lam in () if STUDY else LAMBDA.items():
    config = Config(lam=lam, games=K, rounds=ROUNDS, seed=SEED)
    shown = notebook.progress(f"{name}, ")
    trained = run(config, home / name, progress=shown)[-1].metrics
    agreed = trained["agreement"]["value"]
    print(f"{name}: after {ROUNDS} rounds {agreed:.0%} deals with itself")

# %% [markdown]
# ## A study is a folder
#
# `settings.json` holds the texts, the partners and the seed; each participant
# gets a file of its own. `{objective}` in a partner's name becomes the
# participant's: people who play for the sum meet the model that was trained for it.

# %%
import tempfile

from selfplay_study import Settings, Study

BASE, TRAINED = "tiny-weak", f"{home.as_posix()}/{{objective}}@{ROUNDS}"
GAMES = here.pick(ci=4, cpu=6)
settings = Settings((BASE, TRAINED), tuple(LAMBDA), GAMES, seed=SEED)
if STUDY:
    study = Study(here.folder / STUDY)
else:
    study = Study.new(Path(tempfile.mkdtemp()) / "class", settings)
assert len(study.settings.partners) > 1, "one partner only: nothing to compare"
BASE, TRAINED = study.settings.partners[:2]
NAMES = (BASE, TRAINED) if STUDY else ("base", "trained")
GOALS = study.settings.objectives
print(study.settings.consent_text())

# %% [markdown]
# That is what a participant reads first, and may say no to. The teacher edits it
# in `settings.json`, before the first participant.
#
# ## Who meets whom
#
# By chance, from a seed, so that neither the teacher nor a participant chooses;
# balanced, so that the arms are of one size; and *blind*: the page never says
# which model it is. Exact:

# %%
rows = []
for place in range(6):
    objective, _ = study.settings.group(place)
    met = [p == TRAINED for p in study.settings.plan(place)]
    order = " ".join("trained" if t else "base" for t in met)
    rows.append((place + 1, objective, order))
notebook.table(("place", "objective", "partners, in order"), rows, "By chance")

# %% [markdown]
# Everybody plays with **both** models (design `within`), in an order of their own.
# So a person's talent counts on both sides of the comparison, and falls out.
#
# ## A simulated class
#
# Thirty scripts of several tempers take the seats. They go through the same folder
# as people do, some leave in mid-game and come back, and their files say
# *simulated*. **What follows shows that the analysis works. Of people it shows
# nothing.**

# %%
import time

from selfplay_study.results import rows as study_rows
from selfplay_study.simulated import scripted_people, simulate

if not STUDY:
    people = scripted_people(here.pick(ci=8, cpu=30), seed=SEED)
    started = time.perf_counter()
    simulate(study, people, seed=SEED, leave=0.03)
    print(f"simulated in {time.perf_counter() - started:.0f} s")
games = study_rows(study)
ended = [g for g in games if g["finished"]]
SIMULATED = any(g["simulated"] for g in games)
LABEL = "simulated class" if SIMULATED else "our class"
print(f"{LABEL}: {len({g['code'] for g in games})} participants, ", end="")
print(f"{len(ended)} games, {len(games) - len(ended)} left in the middle")

# %%
# Exact: what was left in the middle is kept, and does not count.
per_person = {}
for g in ended:
    per_person.setdefault(g["code"], []).append(g)
if SIMULATED:
    assert {len(some) for some in per_person.values()} == {GAMES}
    for some in per_person.values():
        assert sum(g["partner"] == BASE for g in some) == GAMES // 2
assert all(g["model_points"] == "" for g in games if not g["finished"])
print("checked")

# %% [markdown]
# ## The figure
#
# Blue: the class, with 95 % intervals over participants, for the first two partners
# of the study. Grey circles: the paper's GPT-3.5 with paid people before its training
# and in its **best** round, put there for scale: another model, other people. (Your
# trained model is one round, chosen before anybody played. The best of several rounds
# looks better for being chosen.)

# %%
from selfplay_kit.teach import plots
from selfplay_study import results

PAPER = {"semi": (0.8, 4.9), "coop": (4.6, 11.6)}
MEASURE = {"semi": "model_points", "coop": "joint", "strict": "model_points"}
TITLE = {"semi": "semi-competitive", "coop": "cooperative", "strict": "strict"}
AXIS = dict.fromkeys(GOALS, "points of the model") | {"coop": "joint points, X + Y"}


def arm(objective, partner, measure):
    some = [g for g in ended if g["objective"] == objective]
    some = [g for g in some if g["partner"] == partner]
    return results.mean(some, measure, seed=SEED)


def bars(f):
    """Down and up from the value; None for one participant, who has no interval."""
    if f["low"] is not None:
        return [[f["value"] - f["low"]], [f["high"] - f["value"]]]


# %% alt="A panel for each objective: the points of both partners with people, the class with intervals beside the paper's numbers before training and in the best round"
import matplotlib.pyplot as plt

wide = {"figsize": (4.5 * len(GOALS), 4), "layout": "constrained"}
fig, (axes,) = plt.subplots(1, len(GOALS), squeeze=False, **wide)
for ax, name in zip(axes, GOALS):
    found = [arm(name, p, MEASURE[name]) for p in (BASE, TRAINED)]
    shown = [(x, f) for x, f in enumerate(found) if f["value"] is not None]
    if name in PAPER:
        ax.plot([0.08, 1.08], PAPER[name], "o:", mfc="none", color=plots.GREY)
    for x, f in shown:
        ax.errorbar(x, f["value"], bars(f), fmt="s", color=plots.BLUE, capsize=4)
    ax.plot(*zip(*[(x, f["value"]) for x, f in shown]), color=plots.BLUE)
    ax.set_xticks([0, 1], NAMES)
    ax.set(xlim=(-0.4, 1.4), ylabel=AXIS[name], title=TITLE[name])
    ax.set_ylim(bottom=0)
axes[0].plot([], [], "s-", color=plots.BLUE, label=LABEL)
paper = {"label": "the paper: before, best round", "color": plots.GREY}
axes[0].plot([], [], "o:", mfc="none", **paper)
fig.legend(loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# The squares are the class, the interval is over *participants*. **Explain** before
# you read on: what in this figure could be due to the scripts that play the class?
#
# And all that was counted, for both arms:


# %%
def told(f, percent=False):
    if f["value"] is None:
        return "–"
    form = "{:.0%}" if percent else "{:.1f}"
    ends = [form.format(f[e]) for e in ("value", "low", "high") if f[e] is not None]
    return ends[0] + (f" [{ends[1]}, {ends[2]}]" if ends[1:] else "")


table = []
for name in GOALS:
    for label, partner in zip(NAMES, (BASE, TRAINED)):
        points = [told(arm(name, partner, m)) for m in results.MEASURES[:3]]
        shares = [told(arm(name, partner, m), True) for m in results.MEASURES[3:]]
        table.append((name, label, *points, *shares))
head = ("objective", "partner", "model", "person", "joint", "deals", "Pareto")
notebook.table(head, table, f"{LABEL}; 95 % over participants")

# %% [markdown]
# ## Games are not people
#
# Six games of one person resemble each other: somebody who gives in gives in six
# times. Who counts 180 games as 180 independent ones gets intervals that are too
# short, and finds differences that are none.
#
# ### Exercise 10.1: the standard error over people · medium · 10 minutes
#
# `people` is a list, for each person a list of that person's points, the same number
# of games each. Return the standard error of the class's mean with **people** as the
# unit.
#
# <details><summary>Hint</summary>
#
# One number for each person: the mean of that person's games. Then the standard
# error of the mean of those numbers: their standard deviation (with n − 1) over √n.
#
# </details>


# %% tags=["exercise"]
def error_over_people(people):
    """The standard error of the mean, people being the unit."""
    return None  # your code here


# %% tags=["solution"]
def error_over_people(people):
    """The standard error of the mean, people being the unit."""
    means = [sum(games) / len(games) for games in people]
    middle = sum(means) / len(means)
    spread = sum((m - middle) ** 2 for m in means) / (len(means) - 1)
    return (spread / len(means)) ** 0.5


# %% tags=["check"]
def check_error(answer):
    import numpy as np

    if answer([[1, 2], [3, 4]]) is None:
        return notebook.NOT_SOLVED
    rng = np.random.default_rng(0)
    for count, games in ((2, 1), (5, 3), (12, 6)):
        people = rng.normal(5, 2, (count, 1)) + rng.normal(0, 1, (count, games))
        right = people.mean(1).std(ddof=1) / np.sqrt(count)
        got = answer(people.tolist())
        every = people.std(ddof=1) / np.sqrt(people.size)
        if abs(got - every) < 1e-9 and games > 1:
            return "that takes every game for a person of its own"
        if abs(got - right) > 1e-9:
            return f"{count} people, {games} games: {right:.4f}, not {got:.4f}"


done = notebook.check("Exercise 10.1", error_over_people, check_error)

# %% [markdown]
# How much too short? The same games, once with people and once with games as the
# unit. Statistical; in the simulated class it depends on how unlike the scripts are.

# %%
some = [g for g in ended if g["objective"] == GOALS[0] and g["partner"] == TRAINED]
alone = [g | {"code": str(i)} for i, g in enumerate(some)]
for unit, rows in (("people", some), ("games", alone)):
    f = results.mean(rows, "person_points", seed=SEED)
    print(f"{unit:7} as the unit: {told(f)} ({f['people']})")

# %% [markdown]
# ## The difference, and how many people it needs
#
# The interval is over participants; where it holds 0, this class does not show a
# difference. *Needed* is how many participants would show a difference of the size
# found in four studies of five. It is itself uncertain, and the more so the fewer
# took part: it plans the next study, it is no verdict on this one.

# %%
rows, differences = [], {}
for name in GOALS:
    arms = [g for g in ended if g["objective"] == name]
    f = results.difference(arms, MEASURE[name], BASE, TRAINED, seed=SEED)
    differences[name] = f
    needed = f["needed"] if f["needed"] is not None else "–"
    rows.append((name, told(f), f["people"], needed))
    notebook.record(f"class_{name}_difference", f["value"])
head = ("objective", " − ".join(NAMES[::-1]), "participants", "needed")
notebook.table(head, rows, f"Points, {LABEL}; 95 % over participants")

# %% [markdown]
# ### Exercise 10.2: how many people? · easy · 5 minutes
#
# A class of `people` gave a difference with the standard error `error`. How many
# people does a difference of `aim` points need, so that a study shows it (5 %,
# two-sided) four times in five? Return a whole number.
#
# <details><summary>Hint</summary>
#
# The error falls with the root of the number of people. It must come down to
# aim / (1.96 + 0.84). Round up: `math.ceil`.
#
# </details>


# %% tags=["exercise"]
def people_needed(people, error, aim):
    """How many participants show a difference of `aim` points."""
    return None  # your code here


# %% tags=["solution"]
def people_needed(people, error, aim):
    """How many participants show a difference of `aim` points."""
    import math

    return math.ceil(people * ((1.96 + 0.84) * error / aim) ** 2)


# %% tags=["check"]
def check_needed(answer):
    if answer(10, 1.0, 2.8) is None:
        return notebook.NOT_SOLVED
    cases = {(10, 1.0, 2.0): 20, (30, 0.5, 1.0): 59, (30, 0.5, 4.1): 4}
    for case, right in cases.items():
        got = answer(*case)
        if got != int(got):
            return f"{case}: {got} is no whole number of people"
        if got != right:
            return f"{case}: {right} people, not {got}"


done = notebook.check("Exercise 10.2", people_needed, check_needed)

# %% alt="The number of participants needed over the size of the difference to be shown, one line an objective, the class's own size as a horizontal line"
fig, ax = plt.subplots(figsize=(7, 4))
aims = [0.5 + 0.1 * i for i in range(50)]
for k, name in enumerate(GOALS):
    arms = [g for g in ended if g["objective"] == name]
    pair = (MEASURE[name], BASE, TRAINED)
    y = [results.difference(arms, *pair, aim=a)["needed"] for a in aims[::7]]
    plots.curve(ax, y, x=aims[::7], label=f"{name}, {AXIS[name]}", k=k)
taken = len(per_person) / len(GOALS)
ax.axhline(taken, color=plots.GREY, ls="-.", label=f"{LABEL}, each objective")
ax.axvline(PAPER["semi"][1] - PAPER["semi"][0], color=plots.GREY, ls=":", zorder=0)
ax.set(xlabel="difference to be shown, points", ylabel="participants needed")
ax.set(yscale="log", title="Small differences need many people")
ax.legend(frameon=True)
plt.show()

# %% [markdown]
# Each line is one objective: how many participants a difference needs, from how
# much this class varied. Dash-dotted: how many took part; dotted: the paper's difference
# between the best round and the base under the semi-competitive reward. Compare with
# your prediction.
#
# ### Try
#
# Should everybody have met *one* model instead (design `between`)? The same
# scripts, the same number of games:

# %%
if not STUDY:
    other = Settings((BASE, TRAINED), ("semi",), GAMES, "between", seed=SEED)
    alone = Study.new(Path(tempfile.mkdtemp()) / "between", other)
    simulate(alone, people[: len(people) // 2], seed=SEED)
    split = study_rows(alone)
    f = results.difference(split, "model_points", BASE, TRAINED, seed=SEED)
    within = differences["semi"]
    for design, d in (("within", within), ("between", f)):
        print(f"{design:8} {d['people']} people, standard error {d['error']:.2f}")

# %% [markdown]
# One class each, so the two errors are estimates themselves. In general `within`
# needs fewer people; `between` is right where meeting one model would change how
# people play with the other.
#
# ## With your class
#
# In a terminal, in the folder of the checkout:
#
# ```
# python run.py study new runs/class --partners "tiny-weak,RUNFOLDER@10" --games 6
# python run.py study runs/class --host 0.0.0.0
# ```
#
# The second prints the address for the class; people open it on their phones.
# Ctrl-C stops it, the same command goes on. `study show`, `study csv` and
# `study delete runs/class CODE` do what they say.

# %% [markdown]
# - **The network.** Visitors get a page and nothing else: code that they send is not
#   run, no file is served, a word in the address keeps strangers out. But what is
#   typed travels *unencrypted*, and each visitor costs the machine a process. Use a
#   network that you trust, and stop it afterwards.
# - **Say** what the consent text says, aloud. Say that no is a fine answer.
# - **Do not look** at results before everybody has played: who knows them may
#   steer the class.
# - **Afterwards** tell people which models they met, show them this notebook, and
#   keep the folder no longer than you said.
#
# Then set `STUDY = "../runs/class"` at the top and run this notebook again.

# %% [markdown]
# ## What this does not show
#
# - The simulated class says nothing about people. Its "before" and "after" are
#   those of scripts that speak the tiny model's own few phrases.
# - People write what they like. The tiny model knows the words of its scripts and
#   reads the rest as unknown; with people expect lower points than with scripts.
# - Who takes part in a class is no sample of anybody else.
# - Games left in the middle are not counted. If more are left with one model, the
#   comparison is no longer fair: the CSV file has them all, with their partner.

# %% [markdown]
# ## Recap
#
# - Chance assigns, codes replace names, one file a person: that is what makes a
#   small study safe and its comparison fair.
# - People are the unit. Intervals over games are too short.
# - How many people are needed follows from how much they vary, and is worked out
#   *before* the study, from a rehearsal or a pilot.
#
# **Further reading**: Liao et al. 2024, section 4, arXiv:2406.18872 (the human
# study; 15 minutes); Lewis et al. 2017, arXiv:1706.05125 (people with people in
# this game; 30 minutes); Cameron and Miller 2015, *A practitioner's guide to
# cluster-robust inference* (why people are the unit; 60 minutes).
#
# **Next**: [talk that pays](11_talk_that_pays.ipynb).
