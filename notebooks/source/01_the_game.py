# %% [markdown]
# # 01 · The game
#
# Deal or No Deal is small enough to know completely. You can list every legal game of
# it, and say of each how well two players could do at best, and how well two who
# never listen do. All later scores are read against these numbers.
#
# **In this notebook you will**
#
# - **build** a scenario and score a deal,
# - **draw** the Pareto frontier, and find it yourself,
# - **turn** one game into a family of games with a single number, λ,
# - **enumerate** every legal scenario,
# - **compute** what a good, a fair and a thoughtless deal are worth.
#
# **Before you start.** Necessary: Python lists, loops and functions. Helpful:
# [00 A five-minute tour](00_tour.ipynb). No language model is used here.
#
# **Time.** About 55 minutes, 25 of them for the exercises (an estimate). Running:
# seconds; the README's table has what was measured.
#
# Everything in this notebook is **(exact)**: whole numbers and plain means over all
# scenarios. No dice are rolled, so you should see the very same digits.

# %% tags=["parameters"]
PROFILE = "cpu"

# %%
from selfplay_kit.teach import notebook

here = notebook.setup(PROFILE)

# %% [markdown]
# ## A pool and two private values
#
# There are books, hats and balls: 5 to 7 objects in all, 1 to 4 of each kind. Both
# players see the counts. What one object of a kind is *worth* is private to each.
#
# **Predict.** Look at the picture. Who should take the ball? Who the hat? And do you
# need to know *both* value functions to tell?
#
# **Run (exact).**

# %% alt="Bars: what one book, hat and ball is worth to each player"
import matplotlib.pyplot as plt

from selfplay_kit.games.deal.rules import ITEMS, Scenario, pareto
from selfplay_kit.teach import plots

scenario = Scenario(counts=(3, 1, 1), values=((1, 3, 4), (2, 4, 0)))
fig, ax = plt.subplots(figsize=(6.4, 3.2))
looks = [(plots.BLUE, ""), (plots.ORANGE, "//")]
for p, (colour, hatch) in enumerate(looks):
    places = [i + 0.38 * p - 0.19 for i in range(3)]
    heights = scenario.values[p]
    bars = ax.bar(places, heights, 0.36, color=colour, hatch=hatch)
    ax.bar_label(bars)
    bars.set_label(f"to player {p}")
pool = zip(scenario.counts, ITEMS, strict=True)
ax.set_xticks(range(3), [f"{n} x {item}" for n, item in pool])
ax.set(ylabel="points for one object", title="What one of each is worth")
ax.legend()
plt.show()

# %% [markdown]
# *Figure: for each kind of object two bars, what one of it is worth to player 0
# (blue) and to player 1 (orange, hatched). The ball is worth 4 points to one and 0 to
# the other.*
#
# **Explain.** Count times value, summed over the kinds, makes 10 for *both* players.
# That is a rule, and there are two more: somebody values each kind, and both value at
# least one kind in common. So there is always something to bargain about.
#
# **Try.** A scenario that breaks a rule is refused, with a sentence that says which.

# %%
try:
    Scenario(counts=(3, 1, 1), values=((1, 3, 4), (2, 3, 0)))
except ValueError as error:
    print(*str(error).split("; "), sep="\n")

# %% [markdown]
# ## What a deal is worth
#
# A *share* is a triple of counts: books, hats, balls. Two shares that together make
# up the whole pool are a *deal*, and then each player gets the points of its own
# share. Anything else is no deal: 0 points for both.
#
# ### Exercise 1.1: score a share · easy · 5 minutes
#
# Write the function that scores a share. For the scenario above, player 0 gets 5
# points from one book and the ball, `(1, 0, 1)`.
#
# <details><summary>Hint</summary>
#
# `scenario.values[player]` and `share` are two triples in the same order. `zip` walks
# through both at once; `sum` adds up the products.
#
# </details>


# %% tags=["exercise"]
def score(scenario, player, share):
    """Points that `player` gets from `share`."""
    return None  # your turn


# %% tags=["solution"]
def score(scenario, player, share):
    """Points that `player` gets from `share`."""
    values = scenario.values[player]
    return sum(value * count for value, count in zip(values, share, strict=True))


# %% tags=["check"]
def test_score(score):
    s = Scenario(counts=(2, 1, 3), values=((3, 1, 1), (0, 4, 2)))
    for share in [(2, 0, 0), (0, 1, 0), (1, 0, 3), (2, 1, 3), (0, 0, 0)]:
        for player in (0, 1):
            got, wanted = score(s, player, share), s.points(player, share)
            if got is None:
                return notebook.NOT_SOLVED
            if got == s.points(1 - player, share) != wanted:
                return f"player {player} was scored with the other's values"
            if got != wanted:
                return (
                    f"{share} is worth {wanted} points under "
                    f"{s.values[player]}; your function says {got}"
                )


solved = notebook.check("Exercise 1.1", score, test_score)

# %% [markdown]
# ## Every deal at once
#
# **Predict.** The pool has 3 books, 1 hat and 1 ball. In how many ways can it be
# divided between two? (A player can take 0, 1, 2 or 3 of the books, and so on.)
#
# **Run (exact).** `allocations()` gives every pair of complementary shares; the
# picture has one dot for each pair of points, so two deals with equal points share a
# dot.

# %% alt="All deals by the points of both, the Pareto-optimal ones joined"
ax = plots.frontier(scenario)
ax.set_title(f"What the {len(scenario.allocations())} deals are worth")
plt.show()

# %% [markdown]
# *Figure: player 0's points to the right, player 1's upwards, each from 0 to 10. Grey
# dots are possible deals; blue diamonds, joined by a line, are the Pareto-optimal
# ones; the dotted line is where the sum of points is largest.*
#
# **Explain.** A deal is *Pareto-optimal* if no other deal is better for one player
# and at least as good for the other. Below the line of diamonds, value is left lying
# on the table. *Along* it, one player's gain is the other's loss.
#
# The frontier has many points, and they are not equally good *together*: only a deal
# that touches the dotted line is **joint-optimal**. Keep the two words apart.

# %% [markdown]
# ### Exercise 1.2: the frontier · medium · 10 minutes
#
# Find the frontier yourself: from a list of points `(x, y)`, keep those that no other
# point beats.
#
# <details><summary>Hint 1: when does one point beat another?</summary>
#
# `(a, b)` beats `(x, y)` if `a >= x` and `b >= y`, and the two are not the same
# point.
#
# </details>
# <details><summary>Hint 2: a shape for the code</summary>
#
# A list comprehension with `not any(... for a, b in points)`. Points number a few
# dozen, so comparing each with each is quick enough.
#
# </details>


# %% tags=["exercise"]
def frontier(points):
    """The points (x, y) of the list that no other point of it beats."""
    return None  # your turn


# %% tags=["solution"]
def frontier(points):
    """The points (x, y) of the list that no other point of it beats."""

    def beats(p, q):
        return p[0] >= q[0] and p[1] >= q[1] and p != q

    return [q for q in points if not any(beats(p, q) for p in points)]


# %% tags=["check"]
def test_frontier(frontier):
    for s in (scenario, Scenario((2, 1, 3), ((3, 1, 1), (0, 4, 2)))):

        def xy(pair, s=s):
            return s.points(0, pair[0]), s.points(1, pair[1])

        points = sorted({xy(p) for p in s.allocations()})
        wanted = {xy(p) for p in pareto(s)}
        got = frontier(list(points))
        if got is None:
            return notebook.NOT_SOLVED
        for extra in set(got) - wanted:
            return f"{extra} does not belong: another deal beats it"
        for missing in wanted - set(got):
            return f"{missing} is missing: no deal beats it"


solved = notebook.check("Exercise 1.2", frontier, test_frontier)

# %% [markdown]
# ## One number, a family of games: λ
#
# What should a player want? Its own points? Both players' points? To beat the other?
# One number holds all of these. With points X and Y the rewards are
#
# > **R₀ = X + λ·Y** and **R₁ = Y + λ·X**, for any λ from −1 to 1.
#
# λ = 0 is the **semi**-competitive game, λ = 1 the **coop**erative one, λ = −1 the
# **strict**ly competitive one. All between belongs to the family too.
#
# **Predict.** Player 0 may choose between a deal of (9, 2) and one of (5, 8). Which
# does it want at λ = 0? At λ = 1? From which λ on does it change its mind?

# %% alt="Reward of player 0 against lambda: a straight line for each deal"
import numpy as np

from selfplay_kit.games.deal.rules import Objective

lams = np.linspace(-1, 1, 41)
fig, ax = plt.subplots()
for k, (x, y) in enumerate([(9, 2), (5, 8), (4, 10), (0, 0)]):
    rewards = [Objective(lam).rewards(x, y)[0] for lam in lams]
    label = f"deal ({x}, {y})" if x else "no deal"
    line = {"color": plots.CYCLE[k], "ls": plots.DASHES[k], "lw": 2}
    ax.plot(lams, rewards, label=label, **line)
ax.set(
    xlabel="λ (−1 strict, 0 semi, 1 coop)",
    ylabel="player 0's reward",
    title="Which deal is best depends on λ",
)
ax.legend()
plt.show()

# %% [markdown]
# *Figure: player 0's reward against λ. Each deal is a straight line: its height at λ
# = 0 is player 0's points, its slope the partner's. (9, 2) is highest on the left,
# (4, 10) at the right edge; no deal is flat at zero.*
#
# **Explain.** Solve 9 + 2λ = 5 + 8λ: beyond λ = 2/3, player 0 would rather see the
# partner well. On the far left, two of the three deals are *worse than no deal*,
# because they give the partner more than oneself.
#
# **Try.** Add a deal of your own to the list, say (7, 6), and find its λ.
#
# Now all deals of our scenario at once. Move λ, or choose other values: which deal
# would each player pick if it could, and how many deals do both like better than
# none? (A page without a running notebook shows the figure at λ = 0.5.)

# %%
from selfplay_kit.teach.watch import explore_lambda

explore_lambda(scenario, lam=0.5)

# %% [markdown]
# *Figure: the deals as above; open marks show the deal with the highest reward for
# each player.* At λ = 1 the two marks fall together. At λ = −1 they stand in opposite
# corners, and no deal is liked by both.

# %% [markdown]
# ## Why refusing is an equilibrium at λ = −1
#
# At λ = −1 the rewards add up to zero: what I win, you lose. No deal pays 0 to both.
#
# **Predict.** Of all deals in all scenarios, what share do *both* players like better
# than no deal at λ = 0? And as λ falls to −1?
#
# **Run (exact).** First, every legal scenario; then every deal of each, counted by
# its points.

# %%
from selfplay_kit.games.deal.rules import all_scenarios

scenarios = all_scenarios()
deals = np.zeros((11, 11))  # deals[x, y]: how many deals pay x and y
for s in scenarios:
    for mine, yours in s.allocations():
        deals[s.points(0, mine), s.points(1, yours)] += 1
print(f"{len(scenarios):,} legal scenarios, {int(deals.sum()):,} deals")

# %% alt="Share of deals that both like, from all at 1 down to none at -1"
x, y = np.indices((11, 11))
liked = []
for lam in lams:
    both = (x + lam * y > 1e-9) & (y + lam * x > 1e-9)
    liked.append(100 * deals[both].sum() / deals.sum())
fig, ax = plt.subplots()
ax.plot(lams, liked, color=plots.BLUE, lw=2)
ax.set(
    xlabel="λ (−1 strict, 0 semi, 1 coop)",
    ylabel="deals that both prefer to no deal (%)",
    title="The room for agreement shrinks to nothing",
    ylim=(0, 100),
)
plt.show()

# %%
for lam in (-1, 0, 1):
    i = int(np.argmin(abs(lams - lam)))
    print(f"λ = {lam:2d}: both like {liked[i]:5.1f} % of the deals better")

# %% [markdown]
# *Figure: the share of deals that both players strictly prefer to no deal, against λ.
# It is all of them at λ = 1 and falls to exactly none at λ = −1.*
#
# **Explain.** With any goodwill at all (λ > 0) every deal beats no deal. At λ = 0 the
# deals drop out that give one of the two nothing: hence the jump. From there on, each
# step to the left makes more deals a nuisance to somebody.
#
# At λ = −1 a deal that I like is a deal that you dislike, and you can
# always refuse, by a proposal that does not fit. So can I. If my partner refuses,
# nothing that I do changes my reward of 0: refusing against refusing is an
# **equilibrium**.
#
# No player can be held below 0, so by the zero sum none can hope for more from a
# partner who knows the game. In the paper, some 95 % of the strict games with people
# ended without a deal (Liao et al. 2024). Notebook 05 looks at what a model learns
# there.

# %% [markdown]
# ## All legal scenarios
#
# Since the rules are finite, we need no data file: the loop above went through
# *every* scenario. Most occur twice: as they are, and mirrored, with the seats
# exchanged.
#
# **Predict.** How many ways to divide has a typical pool? How large is the best joint
# score: nearer to 10 (a fixed cake) or to 20 (everybody gets all that they want)?

# %% alt="Histograms: deals, optimal deals and best joint score of scenarios"
from selfplay_kit.games.deal.rules import max_joint

sizes = [len(s.allocations()) for s in scenarios]
joint = [max_joint(s) for s in scenarios]
optimal = [len(pareto(s)) for s in scenarios]
panels = [
    (sizes, "possible deals", "How many deals?"),
    (optimal, "Pareto-optimal deals", "How many are optimal?"),
    (joint, "best joint score (points)", "How good at best?"),
]
fig, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
for ax, (numbers, label, title) in zip(axes, panels, strict=True):
    values, counts = np.unique(numbers, return_counts=True)
    ax.bar(values, counts, 0.8, color=plots.BLUE)
    ax.axvline(np.mean(numbers), color=plots.ORANGE, ls="--")
    ax.set(xlabel=label, ylabel="scenarios", title=title)
plt.show()

# %% [markdown]
# *Figure: three histograms over all scenarios, the dashed line is the mean. Possible
# deals lie between 16 and 36; mostly a handful of them are Pareto-optimal; the best
# joint score lies between 10 and 19, most often at 14 or 16.*

# %%
share = [100 * k / n for k, n in zip(optimal, sizes, strict=True)]
pairs = len({s.key() for s in scenarios})
twins = sum(s.values[0] == s.values[1] for s in scenarios)
rows = [
    ("scenarios", f"{len(scenarios):,}"),
    ("without counting mirrors", f"{pairs:,}"),
    ("scenarios in which both have the same values", f"{twins}"),
    ("deals in a scenario (mean)", f"{np.mean(sizes):.2f}"),
    ("Pareto-optimal deals (mean)", f"{np.mean(optimal):.2f}"),
    ("their share (mean)", f"{np.mean(share):.1f} %"),
    ("best joint score (mean)", f"{np.mean(joint):.2f} points"),
    ("smallest and largest", f"{min(joint)} and {max(joint)} points"),
]
notebook.table(("what", "how much"), rows, "All legal scenarios")

# %% [markdown]
# **Explain.** Hitting the frontier by chance is not that rare: about one deal in four
# or five lies on it. So "Pareto-optimal" alone is a weak compliment; always ask of
# *which* games, and what the points were.
#
# The long tail in the middle picture are players with *the same* values. Then the
# cake is fixed at 10, every deal is optimal, and the word says nothing at all.
#
# **How the kit uses them.** Scenarios are parted into *train*, *development* and
# *test*, so that nobody is scored on what they practised on. Mirrors stay together.

# %%
from collections import Counter

from selfplay_kit.games.deal.rules import split_of

parts = Counter(map(split_of, scenarios))
rows = [(name, f"{n:,}") for name, n in parts.most_common()]
notebook.table(("split", "scenarios"), rows, "Who may see which scenarios")

# %% [markdown]
# ## What is a good score?
#
# Is 6 points per player good? That needs rulers. Each of these is a *rule for picking a
# deal*, computed for all scenarios:
#
# - **random**: any division, all equally likely;
# - **blind**: player 0 sees its own values only, and takes the share with the best
#   *expected* joint score; the partner simply says yes;
# - **any optimal**: a Pareto-optimal deal picked at random;
# - **max-min**: the worse-off player gets as much as can be;
# - **Nash**: the product X · Y is largest, a classic notion of a fair bargain;
# - **best joint**: X + Y is largest.
#
# **Predict.** Write down a number for each. How much does it help to *know* the
# other's values: how far apart are *blind* and *best joint*?

# %%
from selfplay_kit.games.deal.rules import blind_share, maxmin_deal, nash_deal


def total(s, deal):
    return s.points(0, deal[0]) + s.points(1, deal[1])


def blind_deal(s):
    mine = blind_share(s.counts, s.values[0])
    return mine, s.complement(mine)


def mean_of(s, deals):
    return sum(total(s, d) for d in deals) / len(deals)


# %%
RULES = {
    "random": lambda s: mean_of(s, s.allocations()),
    "any optimal": lambda s: mean_of(s, pareto(s)),
    "blind": lambda s: total(s, blind_deal(s)),
    "max-min": lambda s: total(s, maxmin_deal(s)),
    "Nash": lambda s: total(s, nash_deal(s)),
    "best joint": max_joint,
}
means = {  # points per player, over all scenarios
    name: float(np.mean([rule(s) for s in scenarios])) / 2
    for name, rule in RULES.items()
}
PEOPLE, MODEL = 6.0, 5.8  # Lewis et al. 2017; Liao et al. 2024

# %% alt="Points a player under six rules, random lowest, best joint highest"
ordered = sorted(means, key=means.get)
fig, ax = plt.subplots(figsize=(7.6, 3.4))
ax.hlines(range(6), 0, [means[n] for n in ordered], color="#CCCCCC")
ax.plot([means[n] for n in ordered], range(6), "o", ms=8, color=plots.BLUE)
for row, name in enumerate(ordered):
    ax.text(means[name] + 0.12, row, f"{means[name]:.3f}", va="center")
ax.axvline(PEOPLE, color=plots.ORANGE, ls="--", label="people (Lewis 2017)")
ax.axvline(MODEL, color=plots.GREEN, ls=":", label="self-play (Liao 2024)")
ax.set_yticks(range(6), ordered)
ax.set(
    xlabel="points per player (mean over all scenarios)",
    xlim=(0, 10),
    title="What different rules are worth",
)
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# *Figure: one dot a rule, in points per player. Random lies at 5; all others between
# 6.5 and 7.6. Two vertical lines for comparison: people playing people (dashed, 6.0)
# and the paper's best self-play at λ = 0 (dotted, 5.8), as reported, each on its own
# selection of scenarios.*

# %%
better = 2 * (means["best joint"] - means["blind"])
print(f"best joint, together: {2 * means['best joint']:.3f} points")
print(f"blind, together:      {2 * means['blind']:.3f} points")
print(f"so perfect talk about values is worth {better:.2f} joint points")

# %% [markdown]
# **Explain.** A random division gives 5 each, *exactly*: for each division there is
# the one with the shares exchanged, and the two together pay each player 10.
#
# A player who never listens, with a partner who nods, scores above what is reported
# for people. Its secret: it always gets a deal, and people agreed in 80.1 % of their
# talks (Lewis et al. 2017). Most of what there is to win lies in **agreeing at all**,
# a little in *what* to agree on. Remember this when a curve climbs in notebook 05.
#
# A deal picked at random *from the frontier* is worth less than a blind one: the
# frontier holds lopsided deals too, such as everything for me.
#
# Max-min and Nash cost almost nothing against the best joint score: being fair is
# cheap in this game.

# %% [markdown]
# ### Exercise 1.3: the best deal for me · medium · 10 minutes
#
# Under a given λ, which deal has the largest reward for *player 0*? Return the deal
# as a pair of shares.
#
# <details><summary>Hint</summary>
#
# `max(scenario.allocations(), key=...)`, where the key of a pair `(mine, yours)` is
# `scenario.points(0, mine) + lam * scenario.points(1, yours)`.
#
# </details>


# %% tags=["exercise"]
def best_for_me(scenario, lam):
    """The deal (my share, yours) with player 0's largest reward."""
    return None  # your turn


# %% tags=["solution"]
def best_for_me(scenario, lam):
    """The deal (my share, yours) with player 0's largest reward."""

    def reward(deal):
        mine, yours = deal
        return scenario.points(0, mine) + lam * scenario.points(1, yours)

    return max(scenario.allocations(), key=reward)


# %% tags=["check"]
def test_best_for_me(best_for_me):
    both = (scenario, scenario.mirrored())
    for s, lam in [(s, x) for s in both for x in (0, 1, -1, 0.5, 0.9)]:
        deal = best_for_me(s, lam)
        if deal is None:
            return notebook.NOT_SOLVED
        if deal not in s.allocations():
            return f"{deal} is no pair of shares that make up the pool"

        def reward(d, s=s, lam=lam):
            x, y = s.points(0, d[0]), s.points(1, d[1])
            return Objective(lam).rewards(x, y)[0]

        best = max(map(reward, s.allocations()))
        if reward(deal) < best:
            who = "" if s is scenario else ", with both players' values exchanged,"
            return f"at λ = {lam}{who} there is a reward of {best:g}, not yours"


solved = notebook.check("Exercise 1.3", best_for_me, test_best_for_me)

# %% [markdown]
# ## Recap
#
# - A scenario is a pool and two private values worth 10 each; there are few enough to
#   look at every one, so "how good is that?" has exact answers.
# - λ turns one game into a family; at λ = −1 refusing every deal is an equilibrium.
# - Agreeing always, though blindly, scores well: arriving at a deal comes first.
#
# ## Further reading
#
# - Lewis et al. (2017), *Deal or No Deal?*,
#   [arXiv:1706.05125](https://arxiv.org/abs/1706.05125): sections 2 and 3, the game
#   and how people played it, 20 minutes.
# - Liao, Tomlin & Klein (2024),
#   [arXiv:2406.18872](https://arxiv.org/abs/2406.18872): section 2, the game and its
#   objectives, 15 minutes.
#
# **Next:** [02 Players](02_players.ipynb).
