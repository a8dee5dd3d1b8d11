# ---
# jupyter:
#   torch: false
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · The ledger
#
# *In this notebook you will*
#
# - **read** every claim of the paper beside our number, or the reason why we
#   have none;
# - **make** a verdict: by a rule that sees an interval, and by nothing else;
# - **find** the claims that a single run could have told wrongly;
# - **add** a row of your own, from a run folder or from games played here;
# - **say** what *illustrates* does not mean.
#
# Necessary: [the game](01_the_game.ipynb). Helpful:
# [self-play](05_self_play.ipynb). About 50 minutes, 25 of them for the exercises (an
# estimate); it computes for seconds and needs no torch. All of it is **exact** (it
# reads recorded numbers) but for one section, which says so.

# %% tags=["parameters"]
PROFILE = "cpu"
SHOW = "does not illustrate"  # which verdict the long table shows
RUNS = []  # run folders of yours, one a seed, for a row of your own
TAUGHT = None  # what their base was taught; None: it is one of the kit's

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE)

# %% [markdown]
# ## A list that cannot look away
#
# It is easy to show the curve that came out well. So each claim of Liao et al.
# 2024, each number that they quote of Lewis et al. 2017, and each question that
# readers asked got a row *before* a verdict: nobody picks which claims count.
#
# **Predict.** The paper trains GPT-3.5 and lets people play against it. Of a
# hundred rows, how many can a laptop with a tiny model speak to? And how many of
# those come out as the paper says?

# %%
import json

from selfplay_kit import data
from selfplay_kit.measure import ledger

book = json.loads(data.path("reference/ledger.json").read_text("utf-8"))
rows = book["rows"]
for name, made in book["sources"].items():
    commit = (made["commit"] or "unknown")[:8]
    print(f"{name}.json: commit {commit}, {made['processor']}")
waiting = ", ".join(book["missing"]) or "none"
print(f"files that some rows still wait for: {waiting}")
WHO = {"paper": "the paper's claims", "own": "the kit's own questions"}
for who, counts in book["counts"].items():
    told = [f"{counts[v]} {v}" for v in ledger.VERDICTS if counts[v]]
    print(f"{WHO[who]}, {counts['claims']} of them: {', '.join(told)}")

# %% alt="For each section of the ledger, how many rows have each verdict, as stacked bars"
import matplotlib.pyplot as plt

from selfplay_kit.teach import plots

HATCH = ("", "//", "", "//", "--", "++", "..", "xx")
SHADE = (*plots.CYCLE[:4], "#FFF3C4", "white", "#DDDDDD", "white")
sections = list(dict.fromkeys(r["section"] for r in rows))
fig, ax = plt.subplots(figsize=(8, 6.5))
start = [0] * len(sections)
for v, hatch, shade in zip(ledger.VERDICTS, HATCH, SHADE):
    alike = [r["section"] for r in rows if r["verdict"] == v]
    n = [alike.count(s) for s in sections]
    look = {"color": shade, "hatch": hatch, "edgecolor": "black"}
    ax.barh(sections, n, left=start, lw=0.5, **look, label=v if alike else "")
    start = [a + b for a, b in zip(start, n)]
ax.invert_yaxis()
ax.set(xlabel="rows", title="The verdicts, section by section")
ax.set_xticks(range(0, 1 + max(start), 2))
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# One bar per section: how many of its rows have which verdict. Sections called *asked*
# hold the kit's own questions; the others hold claims of the paper, and a few rows to
# read beside them. **Explain.** The dotted rows have no number of ours, and say why:
# nobody played against our models, and GPT-4 was not run. Of what *was* tested, many
# rows are **not decided** with as many seeds as we have, and some come out as a *no*.
# Those are the most useful ones; you read them below.
#
# ## Side by side
#
# Open marks are before self-play, filled marks after. The diamonds are the paper's
# GPT-3.5: its points *after* are those of its best round, its shares those after ten
# rounds. Ours are always of the last round. The bars behind our marks are the 95 %
# interval between seeds.


# %% alt="Dumbbells from before to after self-play: points, the paper's beside ours"
def changed(row):
    """Whether paper and ours both hold a before and an after."""
    paper, ours = row["paper"], row["ours"] or {}
    if "before" not in ours or isinstance(paper, str):
        return False
    ends = [paper.get("before"), paper.get("after")]
    return all(isinstance(x, int | float) for x in ends)


both = [r for r in rows if changed(r)]
shares = [r for r in both if r["unit"].startswith("share")]
points = [r for r in both if r not in shares]
ax = plots.dumbbells(points, title="Points", label="points")
side = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
ax.legend(title="open: before, filled: after", **side)
plt.show()

# %% alt="Dumbbells from before to after self-play: shares of games, the paper's beside ours"
ax = plots.dumbbells(shares, title="Shares", label="% of games")
ax.legend(title="open: before, filled: after", **side)
plt.show()

# %% [markdown]
# The first figure is in points (of a player under *semi*, of the pair under *coop*),
# the second in per cent. The left ends of *tiny-weak* all but meet the paper's: **we
# made that base to start there**. Both models of ours were taught by scripts, so what
# the scripts can do bounds where they end; see the control below.
#
# ## Row by row
#
# Set `SHOW` at the top to another verdict. The last column is the rule that was
# put to the number, and what it said.


# %%
def listed(wanted, section=""):
    """The rows with a verdict, of all sections or one, as a table."""
    some = [r for r in rows if r["verdict"] == wanted]
    some = [r for r in some if section in r["section"]]
    cells = [(r["id"], *ledger.cells(r)[:3], r["sentence"]) for r in some]
    head = ("row", "claim", "paper", "ours", "the rule, and its answer")
    return notebook.table(head, cells, f"{len(some)} rows: {wanted}")


listed(SHOW)

# %% [markdown]
# With `SHOW` as it was, each of these is a plain *no*: cooperative dialogues grow in
# the paper, and ours shrink to one message and two proposals. The rows *not decided*
# are others: their interval reaches across the edge, and they claim nothing.
#
# An interval is a *t interval* over seeds. Of a share it is taken on the logit scale
# (the logit of p is log(p / (1 − p))), so it never leaves 0 to 100 %; where few seeds
# differ wildly it covers most of that range, which is a warning. A share that is 0 or
# 100 % in every seed gets the exact binomial end for as many games.
#
# **Every number has an address.** One row in full, and its number looked up where
# it comes from (exact):

# %%
row = next(r for r in rows if r["id"] == "coop-points")
for key in ("model", "seeds", "games", "split", "interval", "rule"):
    print(f"{key}: {row[key]}")
for path in row["source"]["paths"]:
    name, _, keys = path.partition(":")
    text = data.path(f"reference/{name}.json").read_text("utf-8")
    number = json.loads(text)
    for key in keys.split("/"):
        number = number[key]
    print(path, number["values"])
    assert number in row["ours"].values()

# %% [markdown]
# `games` are those of one seed. `python -m experiments spine` plays them again and
# writes that file; `python -m experiments ledger` makes this row of it.
#
# ## The questions that nobody had answered
#
# Readers asked for baselines, seeds, held-out scenarios and more, and we asked what the
# figures made us ask. Each is put as a statement that a number can decide. They are the
# kit's questions, so they are counted apart from the paper's claims.

# %%
asked = [r for r in rows if r["kind"] == "question"]
cells = []
for r in asked:
    statement, _, ours, said = ledger.cells(r)
    what = r["section"].removeprefix("asked: ")
    cells.append((what, statement, ours, said))
head = ("asked", "as a statement", "ours", "verdict")
notebook.table(head, cells, f"{len(asked)} questions")

# %% [markdown]
# ## Where we deviate from the paper
#
# What is the same: the game, its seven checks, who starts, hidden proposals, 50 moves;
# 2K views, the filter and its exception for ties; training from the previous round's
# model on a player's own accepted moves. What is not:
#
# | | the paper | tiny model | SmolLM2-135M-Instruct | why | effect |
# |---|---|---|---|---|---|
# | model | gpt-3.5-turbo-0125 | 0.8 million parameters | 135 million, weights of 4 bits | it runs on a laptop | unknown; the main limit of all rows |
# | start | zero-shot (warm starts apart) | cloned scripts, then made clumsy | an adapter that cloned 640 games of scripts | neither can play otherwise | large: see the untrained base at its best temperature, and the words *illustrates* and *holds* |
# | prompt | zero-shot rules in English | the same facts in about twenty words | the short one, too | few words, fewer tokens | unknown (notebook 06 compares the two prompts) |
# | games and rounds | K = 500, 10 | the same | K = 64, 3 | time | K = 125: a row below; rounds: unknown |
# | temperature | 1 | 1 (notebook 11: 0.7 too) | 0.7 | more valid moves | large in notebook 11; of SmolLM2: unknown |
# | tokens per move | 200 at most | 24 at most | 40 at most | its moves are short | unknown |
# | full window | not reported | counts as an invalid move | the same | a rule is needed | unknown |
# | epochs | 3 | 3 | 1 | time | one epoch: notebook 08 |
# | batch | 1 | 16 | 4 | time | unknown |
# | learning rate | multiplier 8 of the provider's (2, the default, failed) | 0.001, falling to 0 | 0.0005, falling to 0 | a multiplier of an unknown rate can't be copied | notebook 08, as far as recorded |
# | what is trained | not reported | all weights | the adapter | memory | unknown |
# | early stopping | named; criterion not reported | none | none | no criterion to follow | unknown |
# | round that is quoted | the best for points, the tenth for shares | the last | the last | choosing the best of ten favours the result | the paper's points, in its favour |
# | scenarios | none held out | 4,287 of the 5,295 legal ones; 466 for choices, 542 for scores | the same | to score what was not trained on | the rows on held-out scenarios |
# | seeds | no spread reported | 5, of some variants fewer | 3 | intervals | every interval here |
# | contradictions | judged by GPT-4 | read by known forms | not counted | no paid judge | two different quantities |
# | partners | itself, GPT-4, people | itself, other seeds, scripts | itself | nobody was asked to play | with people: *cannot be tested here* |
#
# *Not reported*: our notes on the paper hold no value, and we did not guess one.

# %% [markdown]
# ## How a verdict is made
#
# By a few lines of code and a margin that stands in a file. First: does the
# *whole* interval lie where the claim says?

# %%
import inspect

print(inspect.getsource(ledger.lies))

# %% [markdown]
# Then: what may that be called? It depends on what the model was **taught** before
# self-play. A model that cloned players with a *strategy* had seen how to play well. What
# it does later shows how the algorithm works, and is no evidence that a model finds such
# play by itself. So the words *holds* and *differs* are closed to it, whatever its number
# and its name: the tiny models and SmolLM2-135M-Instruct with its warm start alike. They
# are open to a model that was taught *nothing*, or only the *format* of a move. A number
# that the rules fix for any two players reads *by construction*.

# %%
print(inspect.getsource(ledger.verdict))

# %% alt="Four intervals and a region from 5.2 to 6.4, each with the word for a model that was taught a strategy and for one that was not"
theirs = {"after": 5.8}
claim = ledger.Claim("a", "-", "Near 5.8.", paper=theirs, near=0.1)
ENDS = ((5.4, 6.1), (4.9, 5.7), (3.1, 4.6), (5.7, None))
fig, ax = plt.subplots(figsize=(7.6, 2.8))
ax.axvspan(*claim.region, color=plots.SKY, alpha=0.3, label="the region")
for y, (low, high) in enumerate(ENDS):
    value = low if high is None else (low + high) / 2
    number = {"value": value, "low": high and low, "high": high}
    cloned = ledger.verdict(number, claim, taught="strategy")
    other = ledger.verdict(number, claim, taught="format")
    ax.plot([value], [y], "o", color=plots.BLUE)
    ax.plot([low, high or low], [y, y], lw=4, alpha=0.4, color=plots.BLUE)
    ax.text(6.6, y, f"strategy: {cloned}\nformat: {other}", va="center")
ax.set(yticks=[], xlim=(3, 9.6), ylim=(3.6, -0.6), xlabel="points per player")
ax.set_title("Inside, across, outside, and one seed alone")
ax.legend(loc="lower left", fontsize=8)
plt.show()

# %% [markdown]
# Four intervals beside a region: inside; across its edge; outside; one seed, and
# so no interval. Across the edge nothing is decided, for want of seeds. The upper word
# is for a model that was taught a strategy, the lower for one that was taught the format.
#
# ### Exercise 9.1: the rule · easy · 10 minutes
#
# Write the verdict. `low` and `high` are the ends of the interval (`None` for one seed),
# `region` is a pair of numbers, `taught` is `"strategy"`, `"format"` or `"nothing"`.
#
# <details><summary>Hint</summary>
#
# Three cases for the interval (inside, outside, neither). The first two have one word
# for models that were taught a strategy and another for the rest. For neither, and for
# no interval, there is one word each, whatever the model.
#
# </details>


# %% tags=["exercise"]
def my_verdict(low, high, region, taught):
    """One of the words of ledger.VERDICTS: ledger.ILLUSTRATES, ..."""
    return None  # your code here


# %% tags=["solution"]
def my_verdict(low, high, region, taught):
    """One of the words of ledger.VERDICTS: ledger.ILLUSTRATES, ..."""
    if low is None:
        return ledger.CANNOT
    inside = region[0] <= low and high <= region[1]
    outside = high < region[0] or region[1] < low
    if not (inside or outside):
        return ledger.UNDECIDED
    if taught == "strategy":
        return ledger.ILLUSTRATES if inside else ledger.NOT_ILLUSTRATES
    return ledger.HOLDS if inside else ledger.DIFFERS


# %% tags=["check"]
from itertools import product


def test_my_verdict(answer):
    free = float("inf")
    tries = ((None, None), (1, 2), (-2, -1), (-1, 1), (0, 3), (2, 9))
    regions = ((0, free), (-free, 0), (-0.5, 2.5))
    for (low, high), region, taught in product(tries, regions, ledger.TAUGHT):
        got = answer(low, high, region, taught)
        if got is None:
            return notebook.NOT_SOLVED
        c = ledger.Claim("c", "s", "So.", between=region)
        want = ledger.verdict({"low": low, "high": high}, c, taught=taught)
        if got != want:
            case = f"[{low}, {high}] and {region}, taught {taught}"
            return f"{case}: {want!r}, not {got!r}"


solved = notebook.check("Exercise 9.1", my_verdict, test_my_verdict)

# %% [markdown]
# ## What *illustrates* does not mean
#
# Take the headline: points per player, semi-competitive. It illustrates the paper's
# claim. How much of the climb did self-play *teach*? A control: the base without any
# training, sampled at the temperature that suits it best; for SmolLM2-135M-Instruct the
# warm start, as far as that is recorded.

# %%
by_id = {r["id"]: r for r in reversed(rows)}  # the first model of each row
climbs = {r["title"]: r["ours"] for r in rows if r["id"] == "semi-points"}
cold = {r["title"]: r["ours"] for r in rows if r["id"] == "ask-temperature-semi"}
for model in (name for name in climbs if name in cold):
    start, end = (climbs[model][s]["value"] for s in ("before", "after"))
    base = cold[model]["before"]["value"]
    part = (base - start) / (end - start)
    print(f"{model}: from {start:.2f} to {end:.2f} points per player")
    print(f"    untrained, at its best temperature, it makes {base:.2f}: ", end="")
    print(f"{part:.0%} of the climb")

# %% [markdown]
# - It does not mean that *language models* do this by themselves. The scripts that
#   taught our models can play; rounds of self-play sharpen what was imitated.
# - It does not mean that the *size* agrees. That is another row (`-level`,
#   `-gain`), and some of them fail.
# - It does not mean that the claim's *reason* is right: a score that climbs while
#   talk dies out is not better talk.
# - And it may be luck: see the end.
#
# ## One seed
#
# **Predict.** With how many seeds would the row above have been decided? The
# interval of the climb, from its first two, three, ... seeds:

# %% alt="The interval of the climb from the first 1 to 5 seeds; one seed is a dot without an interval"
from textwrap import fill

claims = {c.id: c for c in ledger.read_claims()}
SEEDED = ("semi-points", "ask-temperature-coop", "ask-seed-strict")
fig, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for ax, name in zip(axes, SEEDED):
    sides = [by_id[name]["ours"][side]["values"] for side in ("after", "before")]
    for n in range(1, len(sides[0]) + 1):
        number = ledger.judged(claims[name], *(side[:n] for side in sides))
        ax.plot([n], [number["value"]], "o", color=plots.BLUE)
        ends = [number["low"], number["high"]]
        if None not in ends:
            ax.plot([n, n], ends, color=plots.BLUE, lw=4, alpha=0.4)
    ax.axhline(0, color=plots.GREY, ls=":")
    ax.set(xlabel="seeds", ylabel="change", xticks=(1, 3, 5))
    ax.set_title(fill(claims[name].claim, 34), fontsize=9)
plt.show()

# %% [markdown]
# The mean change and its interval, by the number of seeds. Two seeds that happen
# to agree look sure of themselves and two that do not look hopeless: with two, the
# interval is mostly luck. One has none, and the ledger says nothing of it.
#
# ### Exercise 9.2: what one seed can't carry · medium · 15 minutes
#
# Return the ids of the rows of which **one seed alone could have said the opposite of
# another**: among the values of the number that is judged, some lie in the claim's
# region and some do not.
#
# <details><summary>Hint</summary>
#
# `row["ours"]["judged"].get("values")` are the values; a row without them is not
# asked. `claims[row["id"]].region` is the region, its ends included.
#
# </details>

# %%
print(len(claims), "claims")
print("the region of semi-per-deal:", claims["semi-per-deal"].region)


# %% tags=["exercise"]
def torn(rows, claims):
    """The ids of rows whose seeds disagree, in the order of the rows."""
    return None  # your code here


# %% tags=["solution"]
def torn(rows, claims):
    """The ids of rows whose seeds disagree, in the order of the rows."""
    found = []
    for row in rows:
        values = (row["ours"] or {}).get("judged", {}).get("values", [])
        if values:
            low, high = claims[row["id"]].region
            inside = [low <= v <= high for v in values]
            if any(inside) and not all(inside):
                found.append(row["id"])
    return found


# %% tags=["check"]
def test_torn(answer):
    def row(name, *values):
        return {"id": name, "ours": {"judged": {"values": list(values)}}}

    up = ledger.Claim("up", "s", "Up.", of="change", above=0)
    still = ledger.Claim("still", "s", "Still.", between=(-1, 1))
    none = {"id": "up", "ours": None}, {"id": "up", "ours": {"judged": {"value": 1}}}
    some = [row("up", 1, 2), row("up", -1, -2), row("up", 1, -1), *none]
    some += [row("still", 1, -1), row("still", 0, 5), row("up", 0, 3)]
    got = answer(some, {"up": up, "still": still})
    if got is None:
        return notebook.NOT_SOLVED
    if list(got) != ["up", "still"]:
        return (
            "for 'above 0', (1, -1) is torn and (1, 2) and (0, 3) are not; for 'between"
            f" -1 and 1', (0, 5) is and (1, -1) is not. You return {got}"
        )


done = notebook.check("Exercise 9.2", torn, test_torn)

# %%
if done:
    names = torn([*by_id.values()], claims)
    print(f"{len(names)} rows of our models that one seed could have told wrongly:")
    hit = [by_id[i] for i in names]
    values = [r["ours"]["judged"]["values"] for r in hit]
    cells = [(r["id"], v, r["verdict"]) for r, v in zip(hit, values)]
    head = ("row", "values", "verdict")
    shown = notebook.table(head, cells, "Torn seeds")
else:
    shown = "solve exercise 9.2 to see them"
shown

# %% [markdown]
# ## Add a row of your own
#
# **From your runs.** Put the folders of runs that differ in the seed alone into
# `RUNS` at the top (`python -m selfplay_kit rounds` makes them, notebook 05 too), and
# what their base was taught into `TAUGHT`, unless it is one of the kit's. Until then the
# recorded values of the seeds take their place.


# %%
from pathlib import Path


def read_run(folder):
    """A run's base, its λ, and the score of its first and last round."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    metric = "mean_joint" if config["lam"] == 1 else "mean_points"
    scores = []
    for done in sorted(folder.glob("round-*/done")):
        text = (done.parent / "metrics.json").read_text("utf-8")
        scores.append(json.loads(text)[metric]["value"])
    return config["base"], config["lam"], scores[0], scores[-1]


recorded = by_id["semi-points"]["ours"]
pairs = zip(recorded["before"]["values"], recorded["after"]["values"])
ours = [("tiny-weak", 0, *pair) for pair in pairs]
found = [read_run(here.folder / r) for r in RUNS] or ours


# %%
HEADLINE = {0: "semi-points", 1: "coop-points"}  # the claim for each λ


def my_row(found):
    """The row of the headline claim for runs that differ in the seed."""
    if len({f[:2] for f in found}) != 1:
        kinds = sorted({f[:2] for f in found})
        raise ValueError(f"one row is of one base and λ; these: {kinds}")
    base, lam = found[0][:2]
    if lam not in HEADLINE:
        raise ValueError(f"the paper has no claim for λ = {lam}")
    before, after = [f[2] for f in found], [f[3] for f in found]
    about = {"model": base, "taught": TAUGHT}
    return ledger.weigh(claims[HEADLINE[lam]], after, before, **about)


for n in (1, 2, len(found)):
    row = my_row(found[:n])
    print(n, "seed(s):", row["verdict"], "|", row["sentence"])

# %% [markdown]
# **From a claim of yours, live** (statistical: other seeds, other numbers). Two
# *tell-your-values* scripts should make more joint points than two *blind* ones,
# which ask for what is best as far as they know. A claim, games, a row:

# %%
from selfplay_kit.games.deal.rules import COOP, scenarios
from selfplay_kit.games.deal.scripted import Blind, Teller
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.metrics import summarise

pool = scenarios("development")[: here.pick(ci=10, cpu=100)]


def joint(player, seed):
    games = play_games(player, pool, COOP, seed=seed)
    return summarise(games)["mean_joint"]["value"]


said = "Telling beats asking blindly."
rule = {"of": "change", "above": 0, "unit": "joint points"}
mine = ledger.Claim("mine", "my own", said, **rule)
told, blind = ([joint(p, s) for s in range(5)] for p in (Teller(), Blind()))
row = ledger.weigh(mine, told, blind, model="scripts", taught="strategy")
print(*ledger.cells(row), sep="\n")

# %% [markdown]
# Try a claim that you believe, and write its margin down **before** you play. In
# the repository a claim goes into `data/reference/claims.toml`, the path of its
# number into `experiments/ours.py`; `python -m experiments ledger` does the
# rest.
#
# ## How many are wrong by chance?
#
# A 95 % interval misses in one case of twenty. Where many rows are tested, some
# mislead, and nobody can tell which. Rows that share a run are not independent, either.
# And **most of our margins were written when the number was known**: in the
# repository's history the first runs come more than an hour before the first margins. In
# a row with `ahead` the margin is the older of the two, as far as that history tells. The
# right order is the one that you followed above.

# %%
tested = [r for r in rows if r["interval"]]
missed = len(tested) / 20
print(f"{len(tested)} intervals: expect about {missed:.0f} to miss")
ahead = sum(r["ahead"] for r in tested)
print(f"margin older than the number: {ahead}, younger: {len(tested) - ahead}")

# %% [markdown]
# ## Check
#
# Exact: every verdict follows again from its number, its claim and what the model was
# taught; no model that was taught a strategy reads *holds* or *differs*; every claim has
# its row.

# %%
for r in rows:
    if r["ours"]:
        n, c = r["ours"]["judged"], claims[r["id"]]
        taught = r["taught"]
        assert r["verdict"] == ledger.verdict(n, c, taught=taught)
        if taught == "strategy":
            assert r["verdict"] not in (ledger.HOLDS, ledger.DIFFERS)
    else:
        assert r["verdict"] in (ledger.CANNOT, ledger.NOT_RUN)
assert {r["id"] for r in rows} == set(claims)
counted = [by[v] for by in book["counts"].values() for v in ledger.VERDICTS]
assert sum(counted) == len(rows)
assert my_row(found[:1])["verdict"] == ledger.CANNOT
notebook.record("ledger_rows", len(rows))
print("checked")

# %% [markdown]
# ## Recap
#
# - Write down every claim, and where its number would have to lie, before you
#   look; then let a rule speak.
# - An interval decides, not a mean; a seed alone decides nothing; across the edge
#   is not a *no*.
# - What a model was taught bounds what it can show: *illustrates* is a word about
#   an algorithm; *holds* needs a model that nobody taught how to play well.
#
# **Further reading**: Agarwal et al. 2021, *Deep reinforcement learning at the
# edge of the statistical precipice*, arXiv:2108.13264 (few seeds; 40 minutes);
# Henderson et al. 2018, *Deep reinforcement learning that matters*,
# arXiv:1709.06560 (30 minutes).
#
# **Next**: [talk that pays](11_talk_that_pays.ipynb), where a row that failed
# (a pair below the blind one) is made to come out, and what that took.
