"""Pictures of scenarios and metrics, in colours that everyone can tell apart.

Each function draws on an axes (its own by default) and returns it; each second
cue is a marker or a line style. matplotlib is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .rules import Scenario, max_joint, pareto

# Okabe and Ito (2008): distinguishable with every common colour vision.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PINK, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#E69F00", "#666666"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
STYLE = {
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


def frontier(scenario: Scenario, deals: Mapping[str, Any] | None = None, ax=None):
    """Every deal of ``scenario`` by the points of both, the Pareto frontier drawn.

    ``deals`` marks pairs of shares by name, for example ``{"ours": (a, b)}``.
    """
    ax = _axes(ax)

    def xy(pair):
        return scenario.points(0, pair[0]), scenario.points(1, pair[1])

    dots = sorted({xy(p) for p in scenario.allocations()})
    best = sorted({xy(p) for p in pareto(scenario)})
    joint = max_joint(scenario)
    ax.plot(*zip(*dots, strict=True), "o", color="#BBBBBB", label="a possible deal")
    ax.plot(
        *zip(*best, strict=True), "D-", color=BLUE, label="Pareto-optimal", zorder=3
    )
    ax.axline(
        (0, joint), slope=-1, color=GREY, ls=":", label=f"best joint score, {joint}"
    )
    for i, (name, pair) in enumerate((deals or {}).items()):
        x, y = xy(pair)
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


def curve(
    ax, y: Sequence[float], *, label: str, k: int = 0, x=None, low=None, high=None
):
    """One line over rounds, with a band from ``low`` to ``high`` where given."""
    ax = _axes(ax)
    x = list(range(len(y))) if x is None else x
    ax.plot(
        x,
        y,
        color=CYCLE[k % 7],
        ls=DASHES[k % 7],
        marker=MARKERS[k % 7],
        ms=4,
        label=label,
    )
    if low is not None and high is not None:
        ax.fill_between(x, low, high, color=CYCLE[k % 7], alpha=0.18, lw=0)
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
    fmt: str = "{:.1f}",
):
    """A matrix with its numbers written in: ``values[i][j]`` of row against column."""
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
                fmt.format(grid[i, j]),
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
