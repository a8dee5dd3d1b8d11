"""Pictures: drawn from records, labelled, told apart without colour."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest

from selfplay_kit.games.deal.rules import Scenario, max_joint, nash_deal, pareto
from selfplay_kit.teach import plots

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def labelled(ax):
    return ax.get_xlabel() and ax.get_ylabel() and ax.get_title()


def test_the_frontier_is_the_scenarios():
    ax = plots.frontier(S, {"Nash": nash_deal(S)})
    drawn = {line.get_label(): line for line in ax.lines}
    points = {(S.points(0, a), S.points(1, b)) for a, b in S.allocations()}
    best = {(S.points(0, a), S.points(1, b)) for a, b in pareto(S)}
    assert set(zip(*drawn["a possible deal"].get_data(), strict=True)) == points
    assert set(zip(*drawn["Pareto-optimal"].get_data(), strict=True)) == best
    assert f"best joint score, {max_joint(S)}" in drawn and "Nash" in drawn
    assert labelled(ax) and ax.get_legend()


def test_rounds_with_their_band():
    def rounds(*values):
        return [
            {"mean_points": {"value": v, "low": v - 1, "high": v + 1}} for v in values
        ]

    ax = plots.over_rounds({"a": rounds(1, 2, 3), "b": rounds(3, 2, 1)})
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 2, 3], [3, 2, 1]]
    assert len(ax.collections) == 2 and labelled(ax)
    one, other = ax.lines
    assert one.get_linestyle() != other.get_linestyle()
    assert one.get_marker() != other.get_marker()
    assert ax.get_ylim()[0] <= 0


def test_a_matrix_has_its_numbers_written_in():
    ax = plots.matrix(
        [[1.25, 2], [3, 4]], ["a", "b"], ["c", "d"], title="t", label="points"
    )
    assert {"1.2", "2.0", "3.0", "4.0"} <= {t.get_text() for t in ax.texts}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["c", "d"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_colours_markers_and_dashes_are_distinct():
    assert len(set(plots.CYCLE)) == len(set(plots.MARKERS)) == len(set(plots.DASHES))


@pytest.mark.parametrize("axis, whole", [("y", 1.0), ("y", 100), ("x", 100)])
def test_an_axis_of_shares_ends_at_0_and_at_the_whole(axis, whole):
    ax = plt.subplots()[1]
    ax.plot([0, whole], [0, whole], "o")
    assert plots.share_axis(ax, whole=whole, axis=axis) is ax
    assert getattr(ax, f"get_{axis}lim")() == (0, whole)
    assert not ax.lines[0].get_clip_on()


def test_an_empty_line_for_a_legend_leaves_the_axes_their_room():
    fig, (left, right) = plt.subplots(1, 2, layout="constrained")
    left.plot([0, 1], [0, 1])
    right.plot([0, 1], [0, 1])
    right.plot([], [], "o", label="what a marker means")
    plots.share_axis(right, axis="x")
    fig.canvas.draw()
    assert min(ax.get_position().width for ax in (left, right)) > 0.3


def test_rounds_of_a_share_are_drawn_from_0_to_1():
    rows = [{"agreement": {"value": v, "low": v, "high": v}} for v in (0.1, 0.6)]
    ax = plots.over_rounds({"run": rows}, "agreement")
    assert ax.get_ylim() == (0, 1)


ALONE = {"value": 4.0, "low": None, "high": None, "n": 1}
NOTHING = {"value": None, "low": None, "high": None, "n": 0}
WHOLE = {"value": 4.0, "low": 3.0, "high": 6.0, "n": 9}


@pytest.mark.parametrize("found", [[ALONE], [ALONE, WHOLE], [NOTHING, ALONE, WHOLE]])
def test_a_number_without_an_interval_is_drawn_without_one(found):
    ax = plots.over_rounds({"run": [{"mean_points": f} for f in found]})
    drawn = [y for y in ax.lines[0].get_ydata() if y == y]
    assert drawn == [f["value"] for f in found if f["value"] is not None]
    plt.figure()
    ax = plots.intervals(dict(zip("abc", found, strict=False)))
    assert [t.get_text() for t in ax.get_yticklabels()] == list("abc")[: len(found)]
    ax.figure.canvas.draw()


def test_no_two_curves_of_a_figure_look_alike():
    ax = plots.curve(None, [0, 1], label="0")
    for k in range(1, 14):
        plots.curve(ax, [0, 1], k=k, label=str(k))
    assert len({(x.get_color(), x.get_marker()) for x in ax.lines}) == 14
