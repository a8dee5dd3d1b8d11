"""Pictures of scenarios and metrics, in colours that everyone can tell apart.

Each function draws on an axes (its own by default) and returns it; each second
cue is a marker or a line style. matplotlib is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..games.deal.rules import Scenario, max_joint, pareto
from ..measure.metrics import SHARE, bounds_of

# Okabe and Ito (2008): distinguishable with every common colour vision.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PINK, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#E69F00", "#666666"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
STYLE: dict[Any, Any] = {
    "figure.figsize": (7.0, 4.2),
    "figure.dpi": 100,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.labelsize": 11,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "font.size": 10,
    "svg.fonttype": "path",
    "svg.hashsalt": "selfplay_kit",
    "savefig.bbox": "tight",
}


def _axes(ax: Any, **size: Any) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(**size)[1]


def share_axis(ax, *, whole: float = 1.0, axis: str = "y"):
    """End the ``axis`` of shares at 0 and at the ``whole`` (1, or 100 for per cent);
    marks on its ends are drawn in full."""
    ax.set(**{f"{axis}lim": (0, whole)})
    for line in ax.lines:
        if len(line.get_xdata()):  # an empty one, for a legend, would widen the axes
            line.set_clip_on(False)
    return ax


def frontier(scenario: Scenario, deals: Mapping[str, Any] | None = None, ax=None):
    """Every deal of ``scenario`` by the points of both, the Pareto frontier drawn.

    ``deals`` marks pairs of shares by name, for example ``{"ours": (a, b)}``.
    """
    ax = _axes(ax)
    dots = sorted({scenario.pays(p) for p in scenario.allocations()})
    best = sorted({scenario.pays(p) for p in pareto(scenario)})
    joint = max_joint(scenario)
    ax.plot(*zip(*dots, strict=True), "o", color="#BBBBBB", label="a possible deal")
    ax.plot(
        *zip(*best, strict=True), "D-", color=BLUE, label="Pareto-optimal", zorder=3
    )
    ax.axline(
        (0, joint), slope=-1, color=GREY, ls=":", label=f"best joint score, {joint}"
    )
    for i, (name, pair) in enumerate((deals or {}).items()):
        x, y = scenario.pays(pair)
        ax.plot(
            [x],
            [y],
            MARKERS[(i + 2) % 7],
            ms=13,
            mfc="none",
            mew=2,
            color=CYCLE[(i + 1) % 7],
            label=name,
            zorder=4,
        )
    ax.set(
        xlabel="player 0's points",
        ylabel="player 1's points",
        xlim=(-0.5, 10.5),
        ylim=(-0.5, 10.5),
        aspect="equal",
        title="What each deal is worth",
    )
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _floats(numbers: Iterable[float | None]) -> Any:
    """An array in which ``None`` is NaN, which matplotlib leaves out."""
    import numpy as np

    return np.array(list(numbers), float)


def curve(
    ax, y: Sequence[float], *, label: str, k: int = 0, x=None, low=None, high=None
):
    """One line over rounds, with a band from ``low`` to ``high`` where given. ``None``
    among the numbers (nothing to count, one scenario) leaves a gap."""
    ax, y = _axes(ax), _floats(y)
    x = list(range(len(y))) if x is None else x
    ax.plot(
        x,
        y,
        color=CYCLE[k % 7],
        ls=DASHES[(k + 2 * (k // 7)) % 7],  # an eighth line is no copy of the first
        marker=MARKERS[(k + 3 * (k // 7)) % 7],
        ms=4,
        label=label,
    )
    if low is not None and high is not None:
        band = {"color": CYCLE[k % 7], "alpha": 0.18, "lw": 0}
        ax.fill_between(x, _floats(low), _floats(high), **band)
    return ax


def over_rounds(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    metric: str = "mean_points",
    *,
    ax=None,
    ylabel: str | None = None,
    title: str | None = None,
):
    """``metric`` over rounds for each run (a list of metrics, one a round), with
    the bootstrap interval of each round as a band."""
    ax = _axes(ax)
    for k, (label, rounds) in enumerate(runs.items()):
        found = [r[metric] for r in rounds]
        curve(
            ax,
            [f["value"] for f in found],
            label=label,
            k=k,
            low=[f["low"] for f in found],
            high=[f["high"] for f in found],
        )
    ax.set(
        xlabel="round of self-play (0 is the base)",
        ylabel=ylabel or metric.replace("_", " "),
        title=title or f"{metric.replace('_', ' ')} over rounds",
    )
    if bounds_of(metric) == SHARE:
        share_axis(ax)
    else:
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
    ax.legend()
    return ax


def matrix(
    values,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    label: str,
    ax=None,
    half=None,
):
    """A matrix with its numbers written in: ``values[i][j]`` of row against column.

    ``half[i][j]``, where given, is half the width of that number's interval.
    """
    import numpy as np

    grid = np.asarray(values, float)
    ax = _axes(ax, figsize=(1.6 + 0.75 * len(columns), 1.2 + 0.55 * len(rows)))
    shown = ax.imshow(grid, cmap="cividis", aspect="auto")
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    for i in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            dark = grid[i, j] < middle
            ax.text(
                j,
                i,
                f"{grid[i, j]:.1f}" + ("" if half is None else f"\n±{half[i][j]:.1f}"),
                ha="center",
                va="center",
                color="white" if dark else "black",
                fontsize=9,
            )
    ax.set_xticks(range(len(columns)), columns, rotation=35, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(shown, ax=ax, label=label)
    ax.set_title(title)
    return ax


def dumbbells(rows: Sequence[Mapping[str, Any]], *, title: str, label: str, ax=None):
    """Rows of a ledger that hold a before and an after (where the row says so, the
    best round) of the paper and of ours: a dumbbell for the paper and for each model,
    open at before and filled at after, ours with intervals."""
    ids = list(dict.fromkeys(r["id"] for r in rows))
    models = list(dict.fromkeys(r["title"] for r in rows))
    ax = _axes(ax, figsize=(7.0, 0.8 + 0.5 * len(ids)))
    scale = 100 if all(r["unit"].startswith("share") for r in rows) else 1
    sides, apart, drawn = ("before", "after"), 0.7 / (1 + len(models)), set()
    for row in rows:
        k, at = models.index(row["title"]) + 1, ids.index(row["id"]) - 0.3
        ours = [row["ours"][s] for s in sides]
        if row["id"] not in drawn:
            _dumbbell(ax, at, [scale * row["paper"][s] for s in sides], 0)
        drawn.add(row["id"])
        _dumbbell(ax, at + k * apart, [scale * n["value"] for n in ours], k)
        for n in ours:
            if n["low"] is not None:
                x = [scale * n["low"], scale * n["high"]]
                look = {"lw": 5, "alpha": 0.35, "zorder": 0}
                ax.plot(x, [at + k * apart] * 2, color=CYCLE[k - 1], **look)
    for k, told in enumerate(("the paper's GPT-3.5", *models)):
        colour, marker = _dumbbell_look(k)
        ax.plot([], [], marker, color=colour, label=told)
    ax.set_yticks(range(len(ids)), ids)
    ax.set(xlabel=label, title=title, ylim=(len(ids) - 0.5, -0.5))
    if scale == 100:
        share_axis(ax, whole=100, axis="x")
    else:
        ax.set_xlim(0, None)
    ax.grid(axis="x", alpha=0.3)
    return ax


def _dumbbell(ax, y: float, x: Sequence[float], k: int) -> None:
    colour, marker = _dumbbell_look(k)
    ax.plot(x, [y, y], color=colour, ls="-" if k else ":", lw=1.5, zorder=1)
    for value, fill in zip(x, ("white", colour), strict=True):
        ax.plot([value], [y], marker, mfc=fill, mec=colour, ms=7)


def _dumbbell_look(k: int) -> tuple[str, str]:
    return (CYCLE[k - 1], MARKERS[k - 1]) if k else (GREY, "D")


LOOP = (
    "1  Play\nthe model plays\ngames against itself",
    "2  Score\neach player's view of\na game gets its reward",
    "3  Keep\nthe views strictly\nabove the mean reward",
    "4  Imitate\nfine-tune on the moves\nof the kept views",
)


def loop(steps: Sequence[str] = LOOP, *, title="One round of self-play", ax=None):
    """The steps of one round as boxes, with arrows that lead round and back."""
    ax = _axes(ax, figsize=(7.6, 3.8))
    places = ((0.22, 0.78), (0.78, 0.78), (0.78, 0.22), (0.22, 0.22))
    arrow = {"arrowstyle": "-|>", "lw": 2, "color": GREY}
    ends = (
        ((0.40, 0.78), (0.60, 0.78)),
        ((0.78, 0.61), (0.78, 0.39)),
        ((0.60, 0.22), (0.40, 0.22)),
        ((0.22, 0.39), (0.22, 0.61)),
    )
    for k, (step, (x, y), (start, end)) in enumerate(
        zip(steps, places, ends, strict=True)
    ):
        box = {"boxstyle": "round,pad=0.7", "fc": "white", "ec": CYCLE[k], "lw": 2}
        ax.text(x, y, step, ha="center", va="center", bbox=box)
        ax.annotate("", xy=end, xytext=start, arrowprops=arrow)
    ax.text(
        0.5, 0.5, "the next round plays\nwith the new model", ha="center", va="center"
    )
    ax.set(xlim=(0, 1), ylim=(0, 1), title=title)
    ax.axis("off")
    return ax


def token_strip(
    tokens: Sequence[str],
    kinds: Sequence[str],
    styles: Mapping[str, int],
    *,
    title: str,
    ax=None,
    wide: int = 78,
):
    """``tokens`` in reading order, each in a box whose colour and border say its
    kind. ``styles`` numbers the kinds: 0 is plain grey, the rest are of
    :data:`CYCLE`. A line holds ``wide`` characters."""
    places, x, y = [], 0.0, 0
    for token in tokens:
        size = len(token) + 1.4
        if x + size > wide:
            x, y = 0.0, y + 1
        places.append((x, y, size))
        x += size + 0.5
    ax = _axes(ax, figsize=(7.4, 0.38 * (y + 1)))
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    told: dict[str, Any] = {}
    for token, kind, (x, y, size) in zip(tokens, kinds, places, strict=True):
        k = styles[kind]
        colour = GREY if k == 0 else CYCLE[(k - 1) % 7]
        box = Rectangle((x, y + 0.1), size, 0.8, lw=1.2, ls=DASHES[k % 7])
        box.set(facecolor=(*to_rgb(colour), 0.12 if k == 0 else 0.4), edgecolor=colour)
        told.setdefault(kind, ax.add_patch(box))
        middle = {"ha": "center", "va": "center"}
        ax.text(x + size / 2, y + 0.52, token, family="monospace", size=8, **middle)
    ax.set(xlim=(-0.5, wide + 0.5), ylim=(y + 1.1, -0.1), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.set(title=title, xlabel="tokens, in reading order")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -1.1 / (y + 1))}
    ax.legend(told.values(), told.keys(), ncols=min(4, len(told)), **below)
    return ax


def intervals(
    found: Mapping[str, Mapping[str, Any]],
    *,
    ax=None,
    label: str | None = None,
    k: int = 0,
    shift: float = 0.0,
):
    """One line a name, from top to bottom: ``value`` as a marker and the interval
    from ``low`` to ``high`` as a bar, where there is one. ``shift`` moves a second set
    off the first."""
    ax = _axes(ax, figsize=(7.0, 1.2 + 0.5 * len(found)))
    rows = [(i, f) for i, f in enumerate(found.values()) if f["value"] is not None]
    value, low, high = (
        _floats(f[e] for _, f in rows) for e in ("value", "low", "high")
    )
    ax.errorbar(
        value,
        [i + shift for i, _ in rows],
        xerr=[value - low, high - value],
        fmt=MARKERS[k % 7],
        color=CYCLE[k % 7],
        ls="none",
        capsize=3,
        label=label,
    )
    ax.set_yticks(range(len(found)), list(found))
    ax.set_ylim(len(found) - 0.5, -0.5)
    return ax
