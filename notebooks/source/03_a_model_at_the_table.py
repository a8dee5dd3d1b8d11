# ---
# jupyter:
#   torch: true
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · A language model at the table
#
# *In this notebook you will*
#
# - **turn** a negotiation into the numbers that a model reads;
# - **draw** what it expects to come next, and bend that with the temperature;
# - **watch** it play, and break the protocol in up to seven ways;
# - **test** that the cache which makes it fast changes nothing it says;
# - **compare** three models that differ only in what they were taught.
#
# Necessary: [the game](01_the_game.ipynb). Helpful: [players](02_players.ipynb),
# and having met the words *logit* and *softmax*. About 45 minutes, 15 of them for
# the exercises (an estimate); for running it, the README's table has what was
# measured.

# %% tags=["parameters"]
PROFILE = "cpu"

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE, torch=True)

# %% [markdown]
# ## Whom you are about to meet
#
# The newcomer is a real language model, built like the large ones and thousands
# of times smaller. It has read nothing of the world. All it knows are games
# between **scripts that can already play**: the negotiators of notebook 02.
#
# So nothing here shows what a *pre-trained* model can do. When it improves in
# the next notebooks, a round picks out, and sharpens, something that it once
# imitated. It is a glass engine: good for seeing how the algorithm works.
#
# Two marks help you to read on. **(exact)**: rules, seeds, whole numbers, the
# same on any machine. **(statistical)**: samples; expect other digits elsewhere
# and look at the intervals.

# %%
from selfplay_kit.lm.models import load_model

lm = load_model("tiny")
print(lm.report)

# %% [markdown]
# ## Words become tokens
#
# **Predict.** A model reads whole numbers, one for each *token*. Into how many
# pieces would you cut the message below? Where would you put the seams?
#
# **Run** (exact). Here are the model's own seams.

# %% alt="A sentence as a row of boxes, one a token; the fused count-and-item tokens stand out"
import re

import matplotlib.pyplot as plt

from selfplay_kit.teach import plots

SAID = "[message] i take 2 books 1 hat 0 balls ."
KINDS = {"mark": 1, "count with its item": 2, "value": 3, "word": 0}


def kind_of(token):
    if re.match(r"\d+ ", token):
        return "count with its item"
    return {"[": "mark", "<": "mark", "=": "value"}.get(token[0], "word")


cut = lm.tokenizer.convert_ids_to_tokens(lm.encode(SAID))
kinds = [kind_of(t) for t in cut]
plots.token_strip(cut, kinds, KINDS, title="One message, cut into tokens")
plt.show()

# %% [markdown]
# Each box is one token. The odd ones are orange: **a count and its item are one
# token**, "2 books", although they are two words.
#
# **Explain.** A bargainer must bind a number to a thing: two *books*, one *hat*.
# If "2" were a token of its own, the same "2" would serve books, hats and balls,
# and the model would have to work out, at each reading, what it belongs to.
# Fused, "what is left of 3 books if you take 2 books" is a look-up.
#
# Large models learn the binding from oceans of text; this one has a puddle, so
# its tokens do that work for it. What it would do without, nobody recorded.

# %%
groups = {}
vocabulary = lm.tokenizer.get_vocab()
for token in sorted(vocabulary, key=vocabulary.get):
    groups.setdefault(kind_of(token), []).append(token)

notebook.table(
    ("kind", "how many", "tokens"),
    [(k, len(g), "  ".join(g)) for k, g in groups.items()],
    f"All {len(lm.tokenizer)} tokens that the tiny model knows",
)

# %% [markdown]
# That is its whole world: the talk of the scripts, a few marks, one token for
# each error. What is not in the table becomes `<unk>`, "something unknown".
#
# **Try.** Put other words into `SAID`. What does "3 cats" become?
#
# ## What a seat reads
#
# A model has no eyes on the table. It gets a text: the pool, *its own* values
# and what it is paid for. The kit writes that in two styles, a **long** one for
# models that follow instructions and a **short** one for the tiny model.
#
# **Predict.** Which facts must both styles hold? Which must neither?

# %%
from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import LONG, SHORT, Line
from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, Scenario

scenario = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
opening = Game(scenario, SEMI, first=0)
for style in (SHORT, LONG):
    text = style.system(opening.position(0))
    read = lm.encode(text)
    lost = read.count(lm.tokenizer.unk_token_id)
    print(f"--- {style.name}: {len(read)} tokens to the tiny model,")
    print(f"    of them {lost} unknown to it\n{text}\n")

# %% [markdown]
# **Explain.** Neither holds the partner's values: those of player 1 are simply
# not in what player 0 is handed. The short style trusts that the rules were
# learned by practice; the long style states them. **The game is the same**: one
# parser, the same seven errors, whichever style was read. To the tiny model the
# long one would be mostly noise: see how much of it is unknown.
#
# And the objectives? Only the last line changes, and in the short style only
# one number, λ: how much a partner's point is worth to you.

# %%
rows = []
for objective in (SEMI, COOP, STRICT):
    position = Game(scenario, objective).position(0)
    long = LONG.system(position).splitlines()
    assert long[:-1] == LONG.system(opening.position(0)).splitlines()[:-1]
    short = SHORT.system(position).partition("reward ")[2]
    rows.append((objective.name, short, long[-1]))

notebook.table(
    ("objective", "end of the short style", "last line of the long style"),
    rows,
    "Three objectives: all that differs between their prompts (exact)",
)

# %% [markdown]
# ## What comes next?
#
# Player 0 opens: "i take 1 book 0 hats 1 ball .". Player 1 starts its answer
# with `[message]`. Then the model gives **every** token of its vocabulary a
# score, the *logit*; a softmax turns the scores into chances.
#
# **Predict.** Which words may follow? Name three before you run the cell.

# %%
import torch

from selfplay_kit.lm.dialogue import dialogue

game = opening.submit("[message] i take 1 book 0 hats 1 ball .")


def next_logits(position, begun):
    """A logit for each token, after what a seat sees and begins to say."""
    ids = [t for turn in dialogue(lm, position) for t in turn.ids]
    ids += lm.encode(begun)
    with torch.inference_mode():
        return lm.model(torch.tensor([ids])).logits[0, -1]


# %% alt="Bars of the twelve likeliest next tokens, logits left and chances right"
logits = next_logits(game.position(), "[message]")
top = logits.topk(12)
names = lm.tokenizer.convert_ids_to_tokens(top.indices)
chances = torch.softmax(logits, -1)[top.indices]
rest = f"the other {len(logits) - 12}: {1 - chances.sum():.1%}"
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.4, 4))
axes[0].barh(names, top.values, color=plots.GREY)
axes[0].set(xlabel="logit (no unit)", title="Scores …")
axes[0].set_ylabel("next token")
axes[1].barh(names, 100 * chances, color=plots.BLUE)
axes[1].set(xlabel="chance (%)", title="… and chances")
axes[1].text(0.98, 0.04, rest, transform=axes[1].transAxes, ha="right")
axes[1].invert_yaxis()
plt.show()

# %% [markdown]
# The twelve likeliest tokens, best on top: logits on the left, chances on the
# right. **Explain.** Small steps between logits are large ones between chances,
# since the softmax takes exponentials: one more on the left is a factor of
# e ≈ 2.7 on the right. No token's chance is ever quite nothing.
#
# ## Temperature
#
# Before the softmax, all logits may be divided by one number, the
# **temperature** T. Let us take a place where it matters: player 1 has said
# "[message] i take" and must now name a number of books. There are three.
#
# **Predict.** What do the chances look like when T is near 0? When T is huge?

# %% alt="The chances of the next number of books at three temperatures, as bars"
from selfplay_kit.teach.watch import explore_temperature

counting = next_logits(game.position(), "[message] i take")
books = [f"{n} book{'s' * (n != 1)}" for n in range(5)]
ids = lm.tokenizer.convert_tokens_to_ids(books)
fig, axes = plt.subplots(1, 3, sharey=True, figsize=(7.4, 3.2))
for k, (ax, t) in enumerate(zip(axes, (0.3, 1.0, 3.0), strict=True)):
    odds = 100 * torch.softmax(counting / t, -1)
    shown = [*odds[ids].tolist(), 100 - odds[ids].sum().item()]
    ax.bar([*"01234", "else"], shown, color=plots.CYCLE[k])
    ax.set(xlabel="books asked for", title=f"T = {t:g}")
axes[0].set_ylabel("chance (%)")
plt.show()
explore_temperature(dict(zip(books, counting[ids].tolist(), strict=True)))

# %% [markdown]
# Each panel is the same model at the same place; "else" is every token that is
# no number of books. Below, a T to choose, among the five numbers alone.
# **Explain.** A low temperature makes the likely likelier; a high one lifts the
# unlikely, nonsense included. T = 1, which the paper plays at, leaves the model's
# own chances as they are.
#
# There are only three books: whatever stands at "4" is the model's mistake.
#
# **Try.** Move T: from where on does the title hardly change? Five equal chances are
# log₂ 5 ≈ 2.32 bits, and no T gives more. (A page without a running notebook shows
# the figure at T = 1.)
#
# ### Exercise 3.1: soften · easy · 10 minutes
#
# Write the softmax with a temperature. It gets a tensor of logits and a T above 0,
# and returns as many chances.
#
# <details><summary>Hint</summary>
#
# Divide by the temperature, take exponentials (`torch.exp`), divide by their
# sum. `exp(1000)` is too large for a computer: subtract the largest number
# first. It cancels in the division.
#
# </details>


# %% tags=["exercise"]
def soften(logits, temperature):
    """Chances of the next token at this temperature, summing to 1."""
    return None  # your code here


# %% tags=["solution"]
def soften(logits, temperature):
    """Chances of the next token at this temperature, summing to 1."""
    scaled = logits / temperature
    grown = torch.exp(scaled - scaled.max())
    return grown / grown.sum()


# %% tags=["check"]
def check_soften(answer):
    for scores in (counting, 300 * counting):
        for t in (0.3, 1.0, 3.0):
            got = answer(scores, t)
            if got is None:
                return notebook.NOT_SOLVED
            if not torch.isfinite(got).all():
                return "large logits overflow: subtract the largest first"
            if abs(got.sum().item() - 1) > 1e-4:
                return f"at T = {t} they sum to {got.sum():.3f}, not 1"
            right = torch.softmax(scores / t, -1)
            if not torch.allclose(got, right, atol=1e-5):
                return f"at T = {t} they are not the softmax's chances"
    return None


done = notebook.check("Exercise 3.1", soften, check_soften)

# %% [markdown]
# ## From a token to a move
#
# Sampling is a loop: draw a token by its chance, append it, ask again, until
# the model draws its **stop token** `<end>`. That is one move.
#
# **Predict.** Eight answers to the same offer: how many different ones at T = 1,
# how many at T = 0.3? **Run** (statistical).

# %%
from dataclasses import replace

from selfplay_kit.lm.player import LMPlayer


def answers(temperature, seed, n=8):
    table = LMPlayer(lm, temperature=temperature).sit(n, seed=seed)
    asked = [replace(game.position(), game=i) for i in range(n)]
    return [move.text for move in table.reply(asked)]


assert answers(1, seed=1) == answers(1, seed=1) != answers(1, seed=2)
assert answers(0, seed=1) == answers(0, seed=2)
notebook.table(
    ("T = 1", "T = 0.3"),
    list(zip(answers(1, seed=1), answers(0.3, seed=1), strict=True)),
    "Eight answers each to 'i take 1 book 0 hats 1 ball .'",
)

# %% [markdown]
# **Check** (exact; the two `assert` lines above). Chance comes from the seed
# alone: the same seed gives the same answers, and at T = 0 no seed matters.
#
# ## A game, as each seat reads it
#
# Now let the model play **both** seats of many games; we'll need them below. It
# is called *tiny-weak*, and it was *made* weak: its last lessons were games of
# clumsy scripts, so that it starts about where the paper's model starts.

# %%
import random

from selfplay_kit.games.deal.rules import scenarios
from selfplay_kit.games.play import play_games

N_GAMES = here.pick(ci=60, cpu=400)
drawn = random.Random(3).choices(scenarios("development"), k=N_GAMES)
games = play_games(LMPlayer(lm), drawn, SEMI, seed=3)
deals = sum(t.agreed for t in games)
print(f"{len(games)} games played, {deals} with a deal")

# %%
from selfplay_kit.games.deal.game import lines_for

LABELS = {"mine": "I said", "theirs": "partner said", "proposed": "notice"}
LABELS |= {"tried": "I tried", "correction": "correction"}


def seen(t, seat, upto):
    """What a seat newly sees when move number `upto` has been made."""
    before = len(lines_for(seat, t.moves[:upto]))
    new = lines_for(seat, t.moves[: upto + 1])[before:]
    told = (f"{LABELS[x.by]}: {x.text or '[proposed]'}" for x in new)
    return "; ".join(told)


t = max(games, key=lambda t: (t.agreed, len(t.moves) <= 6, len(t.moves)))
notebook.table(
    ("player 0's row gets", "player 1's row gets"),
    [(seen(t, 0, i), seen(t, 1, i)) for i in range(len(t.moves))],
    f"One game, move by move. Deal: {t.agreed}. Points: {t.points}",
)

# %% [markdown]
# **Explain.** One model, two *rows* of tokens. What one row says reaches the
# other without the mark in front, and a proposal does not reach it at all: only
# the notice `[proposed]`. An empty place means that the seat saw nothing, as
# when its partner stumbled and tried again.
#
# **Try.** Change the key of `max` to find the longest game, or an aborted one.
#
# ## Seven ways to break the protocol
#
# An output that the parser can't read as one clean move is *invalid*. Its author
# alone gets a correction and tries again; the fifth failure in a row aborts the
# game. The parser never guesses what was meant.
#
# ### Exercise 3.2: be the parser · easy · 5 minutes
#
# The pool is 3 books, 1 hat, 1 ball. Name the error of each output, or `None` if it
# is fine. The partner has proposed in the last case alone, and only in the first
# has nobody spoken yet.
#
# <details><summary>Hint</summary>
#
# The cell prints the seven kinds. Ask in this order: one mark, and at the front?
# Is it the right time for it? Three kinds in order? Three whole numbers? Enough
# in the pool?
#
# </details>

# %% tags=["exercise"]
from selfplay_kit.games.deal.protocol import ERRORS

outputs = {
    "a": "[propose] (2 books, 1 hat, 1 ball)",  # nobody has spoken yet
    "b": "i take the hat .",
    "c": "[propose] (2 books, 1 ball, 1 hat)",
    "d": "[propose] (2 books, 1 hat, 2 balls)",
    "e": "[message] deal ! [propose] (2 books, 1 hat, 1 ball)",
    "f": "[propose] (two books, 1 hat, 1 ball)",
    "g": "[PROPOSE] 2 books and 1 hat and 1 ball [END]",
    "h": "[message] sounds good .",  # the partner has proposed
}
my_errors = None  # for example {"a": "no_prefix", "b": None, ...}
ERRORS

# %% tags=["solution"]
from selfplay_kit.games.deal.protocol import ERRORS

outputs = {
    "a": "[propose] (2 books, 1 hat, 1 ball)",  # nobody has spoken yet
    "b": "i take the hat .",
    "c": "[propose] (2 books, 1 ball, 1 hat)",
    "d": "[propose] (2 books, 1 hat, 2 balls)",
    "e": "[message] deal ! [propose] (2 books, 1 hat, 1 ball)",
    "f": "[propose] (two books, 1 hat, 1 ball)",
    "g": "[PROPOSE] 2 books and 1 hat and 1 ball [END]",
    "h": "[message] sounds good .",  # the partner has proposed
}
my_errors = {"a": "proposal_first", "b": "no_prefix", "c": "bad_items"}
my_errors |= {"d": "out_of_range", "e": "second_prefix", "f": "bad_numbers"}
my_errors |= {"g": None, "h": "must_propose"}
ERRORS

# %% tags=["check"]
from selfplay_kit.games.deal.protocol import parse


def check_errors(answer):
    for key, text in outputs.items():
        if key not in answer:
            return f"output {key} is missing"
        states = {"opening": key == "a", "must_propose": key == "h"}
        yours, its = answer[key], parse(text, (3, 1, 1), **states).error
        if yours is not None and yours not in ERRORS:
            return f"{yours!r} (output {key}) is none of {', '.join(ERRORS)}"
        if yours != its:
            more = "it finds nothing wrong" if its is None else "look at the list"
            return f"the parser disagrees about {key}: {text} ({more})"
    return None


done = notebook.check("Exercise 3.2", my_errors, check_errors)

# %% [markdown]
# **Predict.** Which kinds does the weak model make most often? It knows well
# how a move begins … **Run** (statistical): every invalid output of the games
# above, by kind.

# %% alt="Bars counting the invalid outputs of each of the seven kinds"
from collections import Counter

made = Counter(m.error for t in games for m in t.moves if m.error)
fig, ax = plt.subplots(figsize=(7, 3.2))
bars = ax.barh(list(ERRORS), [made[k] for k in ERRORS], color=plots.ORANGE)
ax.bar_label(bars, padding=3)
ax.invert_yaxis()
ax.set(xlabel=f"invalid outputs in {len(games)} games", ylabel="kind")
ax.set_title("How the weak model breaks the protocol")
plt.show()

# %% [markdown]
# The bars count the invalid outputs of each kind; a kind without a bar never
# happened. **Explain.** The longest bar is a share that can't be had, more of a kind
# than there is: form is learned before arithmetic. Do the corrections help? The next cell asks what follows each one.

# %%
from selfplay_kit.measure.metrics import summarise


def percent(found):
    ends = f"{100 * found['low']:.0f} to {100 * found['high']:.0f}"
    return f"{100 * found['value']:.0f} % (95 % interval {ends})"


pairs = [p for t in games for p in zip(t.moves, t.moves[1:], strict=False)]
retries = [b for a, b in pairs if a.error]
mended = sum(b.error is None for b in retries)
weak = summarise(games)
print("games with at least one error:", percent(weak["error_rate"]))
print("aborted:", percent(weak["abort_rate"]))
print(f"a retry was valid {mended} times out of {len(retries)}")

# %% [markdown]
# Now one of each: **error → correction → retry**. Where the model made the
# error in our games, you see it as it happened. Where it never did, we write
# the bad output *by hand* and let the model, live, answer the correction.

# %%
TALK = "[message] i take 1 book 0 hats 1 ball ."
FINE = "[propose] ( 1 book , 0 hats , 1 ball )"
FOULS = {
    "no_prefix": ([TALK], "i take 2 books ."),
    "second_prefix": ([TALK], "[message] ok . " + FINE),
    "proposal_first": ([], FINE),
    "must_propose": ([TALK, FINE], "[message] ok ."),
    "bad_items": ([TALK], "[propose] ( 1 hat , 2 books , 0 balls )"),
    "bad_numbers": ([TALK], "[propose] ( 2 books , hats , 0 balls )"),
    "out_of_range": ([TALK], "[propose] ( 4 books , 1 hat , 0 balls )"),
}


def by_hand(kind):
    """A game in which someone makes this error."""
    game = Game(scenario, SEMI)
    for text in (*FOULS[kind][0], FOULS[kind][1]):
        game = game.submit(text)
    return game


# %%
rows = []
for kind in ERRORS:
    met = [p for p in pairs if p[0].error == kind]
    if met:  # a mended one if there is one
        foul, retry = min(met, key=lambda p: p[1].error is not None)
    else:
        fouled = by_hand(kind)
        answer = LMPlayer(lm).sit(1, seed=7).reply([fouled.position()])[0]
        foul, retry = fouled.moves[-1], fouled.submit(answer).moves[-1]
    assert foul.error == kind
    told = SHORT.user(Line("correction", kind))
    who = "the model" if met else "by hand"
    rows.append((who, foul.text, told, retry.text, retry.error or "valid"))

head = ("error made by", "invalid output", "correction", "retry", "is")
notebook.table(head, rows, "Seven errors, as the tiny model reads them")

# %% [markdown]
# **Explain.** The short style's correction is one token; a model that reads the
# long style gets the sentence printed above. Where the model's own error was
# mended at least once, we show such a case, so the last column flatters it. The
# honest count stands above the table.
#
# ## The cache: what is read again, and what isn't
#
# To draw one more token, a model needs all the tokens before it. Reading them
# all afresh for each token would be slow. What a layer computed for a token (its
# *keys and values*) never changes later, so it is kept: the **cache**.
#
# **Predict.** How many times more tokens would one game read without it?


# %%
def reading(turns):
    """Tokens read with and without the cache, after each token said."""
    length, kept, afresh = 0, [0], [0]
    for turn in turns:
        if turn.own is None:  # heard: read when the next token is drawn
            length += len(turn.ids)
            continue
        for _ in turn.ids:  # said: one by one
            afresh.append(afresh[-1] + length)
            kept.append(length)
            length += 1
    return kept, afresh


rows_read = [dialogue(lm, t.replay().position(seat)) for seat in (0, 1)]
kept, afresh = reading(rows_read[t.first])

# %% alt="Tokens read over the tokens drawn, with the cache and without it"
times = f"without it: {afresh[-1]} tokens read"
ax = plots.curve(None, afresh, label=times, k=1)
plots.curve(ax, kept, label=f"with the cache: {kept[-1]} tokens read", k=0)
ax.set(xlabel="tokens that this seat has said", ylabel="tokens read so far")
ax.set_title("What one seat reads in one game")
ax.legend()
plt.show()

# %% [markdown]
# Orange, dashed: each token drawn means reading the row from its start. Blue:
# each token is read once; what the partner says is appended and read then. The
# gap widens with the length of the talk (exact counts, from the game above).
#
# **Check** (exact). Speed is worth nothing if it changes what is said. Both seats
# lie in one cache as rows of different lengths. We extend them piece by piece
# and hold each answer against the plain model, which reads all from the start.
# Only rounding may differ, and the likeliest token must be the same.

# %%
from selfplay_kit.lm.decode.rows import Rows

rows, read, worst = Rows(lm.model, 2), {0: [], 1: []}, 0.0
for k in range(max(map(len, rows_read))):
    for seat in (s for s in (0, 1) if k < len(rows_read[s])):
        piece = list(rows_read[seat][k].ids)
        read[seat] += piece
        cached = rows.extend([seat], [piece])[0]
        with torch.inference_mode():
            plain = lm.model(torch.tensor([read[seat]])).logits[0, -1]
        assert plain.argmax() == cached.argmax()
        worst = max(worst, (plain - cached).abs().max().item())

assert worst < 1e-3
print(f"logits reach {plain.max():.0f}; largest difference: {worst:.1e}")

# %% [markdown]
# ## Three bases side by side
#
# Here are three models of one shape. **clean** cloned scripts that play as
# well as they can. **middling** and **weak** went on to clone clumsy ones. Weak
# is where the paper's untrained model is: few games end in a deal.
#
# **Predict.** At T = 0.3, which of them gains? Remember the bars: cold sampling
# hides rare slips, but it can't show a skill that isn't there.

# %%
from selfplay_kit.learn.rounds import evaluate

BASES = ("clean", "middling", "weak")
n = here.pick(ci=30, cpu=200)
found = {}
for base in BASES:
    model = load_model(f"tiny-{base}")
    for t in (1.0, 0.3):
        asked = {"games": n, "temperature": t, "seed": 4}
        found[base, t] = evaluate(model, SEMI, **asked)
    deals = found[base, 1.0]["agreement"]
    notebook.record(f"agreement {base}", deals)
    print(f"{base} agrees at T = 1 in {percent(deals)}")

if here.profile != "ci":  # bands, wide enough for any machine
    rate = {b: found[b, 1.0]["agreement"]["value"] for b in BASES}
    assert rate["clean"] > rate["middling"] > rate["weak"], rate

# %% alt="Agreement and points of the three bases at two temperatures, with intervals"
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.4, 3.4))
for ax, metric in zip(axes, ("agreement", "mean_points"), strict=True):
    for k, t in enumerate((1.0, 0.3)):
        points = {b: found[b, t][metric] for b in BASES}
        away = 0.3 * k - 0.15
        plots.intervals(points, ax=ax, k=k, shift=away, label=f"T = {t:g}")
axes[0].set(xlabel="games with a deal (share of all)", ylabel="base")
axes[0].set(title="Do they agree?", xlim=(0, 1))
axes[1].set(xlabel="points per player (0 without a deal)", xlim=(-0.2, 8))
axes[1].set_title("Is it worth it?")
axes[1].legend(loc="lower right")
plt.show()

# %% [markdown]
# Markers are means, bars 95 % intervals over scenarios (statistical). **Explain.**
# All three speak the same English by the same rules; what differs is how often
# two proposals *match*. Where the T = 0.3 marker stands far to the right, the
# skill was there and T = 1 drowned it.
#
# Keep that for notebook 05: a rise that the temperature alone can give is no
# proof of learning.
#
# ## Recap
#
# - A model sees a row of tokens: its prompt, its own moves, what reaches it of
#   its partner's. It gives each next token a chance; T bends the chances.
# - Whatever it says goes through one parser; errors are corrected, counted and
#   never guessed away. The cache makes it fast and changes nothing.
# - The tiny model imitates scripts that can play. *Weak* was made to start low.
#   What follows shows how self-play works, not what pre-trained models can do.
#
# ## Further reading
#
# - [Liao, Tomlin & Klein 2024](https://arxiv.org/abs/2406.18872), sections 2
#   and 3: this protocol, and the model that started weak (20 minutes).
# - [Holtzman et al. 2020](https://arxiv.org/abs/1904.09751): what sampling does
#   to text (30 minutes).
# - [minbpe](https://github.com/karpathy/minbpe): how large models get their
#   tokens, in a few short files (40 minutes).
#
# ## Next
#
# [One round of filtered behaviour cloning, taken apart](04_one_round.ipynb): the
# model learns from its own better games.
