"""What the README and its page of further results show, from recorded files alone.

A block between two markers is replaced; a test checks that it says what the files say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selfplay_kit.games.deal.rules import scenarios
from selfplay_kit.measure.ledger import cells, shown
from selfplay_kit.measure.talk import reference_joint

RESULTS = Path("notebooks/guide/results.md")  # beside the README, for its long tables

ROWS = {
    "base": "base, temperature 1",
    "base_best": "base, its best temperature",
    "matched": "10 rounds, as many views drawn by chance",
    "matched_best": "the same, at its best temperature",
    "last": "10 rounds, the paper's filter",
    "last_best": "10 rounds, the paper's filter, at its best temperature",
}
TABLES = (
    ("semi", "mean_points", "Semi-competitive, points per player"),
    ("coop", "mean_joint", "Cooperative, joint points"),
)


def finding_block(spine: dict[str, Any]) -> str:
    """The main finding in a few sentences, with the numbers of the test split."""
    test = spine["test"]

    def points(objective: str, player: str) -> str:
        metric = "mean_points" if objective == "semi" else "mean_joint"
        return f"{test[objective][player][metric]['value']:.2f}"

    blind = reference_joint(scenarios("test"))["blind"]
    below = test["coop"]["last"]["mean_joint"]["high"] < blind
    chance = ""
    if "matched" in test["semi"]:
        chance = (
            "; training on as many views drawn by chance leaves it at "
            f"{points('semi', 'matched')}"
        )
    return (
        "**The main finding.** Ten semi-competitive rounds raise the tiny model from "
        f"{points('semi', 'base')} to {points('semi', 'last')} points per player"
        f"{chance}. But the untrained model already makes "
        f"{points('semi', 'base_best')} at its best temperature, and a pair trained to "
        "cooperate ends "
        f"{'below' if below else 'not clearly above'} one that needs no words "
        f"({points('coop', 'last')} joint points against {blind:.2f})."
    )


def readme_block(spine: dict[str, Any]) -> str:
    """The README's table of results, from the recorded file alone."""
    lines = [f"| {' | '.join(('', *(title for *_, title in TABLES)))} |"]
    lines.append("|" + "---|" * (len(TABLES) + 1))
    for key, told in ROWS.items():
        cells = [_cell(spine["test"][o].get(key, {}), m) for o, m, _ in TABLES]
        lines.append(f"| {told} | {' | '.join(cells)} |")
    deals = [spine["runs"]["strict"]["rounds"][i]["agreement"] for i in (0, -1)]
    lines += [
        "",
        f"Test split, mean over {spine['config']['seeds']} seeds of training with the "
        "95 % t interval between seeds; the base's rows are one model scored on as "
        f"many draws of scenarios.{kept_views(spine)} Best temperatures were chosen on "
        "development. A t interval of points is symmetric and may reach below 0 where "
        "one seed is far from the others. Strictly competitive: "
        "mean reward is 0 by construction; "
        f"games with a deal go from {deals[0]['value']:.0%} to "
        f"{deals[1]['value']:.0%}.",
    ]
    return "\n".join(lines)


def kept_views(spine: dict[str, Any]) -> str:
    """What the control is, with how many views a run learned from in all its rounds
    (mean over seeds); empty for a recording of before it was matched. ``ValueError``
    where a seed of the control learned from another number of views."""
    if "matched" not in spine:
        return ""
    told = []
    for objective, _, _ in TABLES:
        both = []
        for arm in ("runs", "matched"):
            rows = [r["kept"] for r in spine[arm][objective]["rounds"][1:]]
            both.append([sum(seed) for seed in zip(*rows, strict=True)])
        if both[0] != both[1]:
            raise ValueError(
                f"{objective}: the control is not matched; views by seed, filtered "
                f"{both[0]}, drawn by chance {both[1]}"
            )
        told.append(f"{sum(both[0]) / len(both[0]):,.0f} {objective}")
    return (
        " *Drawn by chance*: in each round as many views as the filtered run of the "
        f"same seed kept ({', '.join(told)} per run)."
    )


def _cell(scores: dict[str, Any], metric: str) -> str:
    if metric not in scores:
        return "–"
    f = scores[metric]
    if f["low"] is None:
        return f"{f['value']:.2f}"
    return f"{f['value']:.2f} [{f['low']:.2f}, {f['high']:.2f}]"


TALK = {  # arms of talk.json, and what the README calls them
    "above_mean": "the paper's filter, played at temperature 1",
    "above_mean, group 4": "the same, four games of each scenario",
    "above_scenario_mean": "within the scenario, 1",
    "above_mean, T 0.7": "the paper's filter, 0.7",
    "above_scenario_mean, T 0.7": "within the scenario, 0.7",
    "policy_gradient, T 0.7": "policy gradient within the scenario, 0.7",
}


def talk_block(talk: dict[str, Any]) -> str:
    """What talk is worth, arm by arm, at each arm's best temperature."""
    head = ("trained with", "seeds", "joint points", "above blind", "stated", "true")
    lines = [f"| {' | '.join((*head, 'lost when replaced'))} |"]
    lines.append("|" + "---|" * (len(head) + 1))
    base = talk["bases"]["tiny-talk"]
    rows = [("no training", "–", base["test"][str(base["temperature"])])]
    for name, told in TALK.items():
        if name in talk["arms"]:
            arm = talk["arms"][name]
            found = arm["test"][str(arm["temperature"])]
            rows.append((told, str(len(arm["games"])), found))
    for told, seeds, f in rows:
        points = [_cell(f, m) for m in ("mean_joint", "over_blind")]
        shares = [f"{f[m]['value']:.0%}" for m in ("stated", "true")]
        cells = (told, seeds, *points, *shares, _cell(f, "drop_replace"))
        lines.append(f"| {' | '.join(cells)} |")
    ends = talk["reference"]
    return "\n".join(
        [
            *lines,
            "",
            f"Test split; a blind pair makes {ends['blind']:.2f}, the optimum is "
            f"{ends['optimum']:.2f}. Each row is scored at its best temperature "
            "(development). 95 % between seeds; without training over scenarios. "
            "*True*: all three values of a statement. *Lost*: joint points, when the "
            "listener hears other values than were stated.",
        ]
    )


SMOLLM = {
    "semi-above_mean": "semi-competitive",
    "coop-above_mean": "cooperative",
    "semi-drawn": "semi-competitive, as many views drawn by chance",
    "coop-drawn": "cooperative, as many views drawn by chance",
    "coop-above_scenario_mean": "cooperative, filter within the scenario",
}
SMOL_METRICS = {"agreement": "share", "mean_points": "", "points_agreed": ""}
SMOL_TEST = {
    "warm": "warm start",
    "warm_best": "warm start, its best temperature",
    "last": "last round",
    "last_best": "last round, its best temperature",
}


def smollm_block(smol: dict[str, Any]) -> str:
    """The rounds of SmolLM2-135M-Instruct, warm start to last round, then the test
    split, as far as they are recorded."""
    head = "| seeds | games with a deal | points per player | in a deal |"
    lines = [f"| arm {head}", "|---|---|---|---|---|"]
    for arm, told in SMOLLM.items():
        rounds = smol["runs"].get(arm, {}).get("rounds")
        if rounds:
            pairs = [
                " → ".join(shown(r[m], unit) for r in (rounds[0], rounds[-1]))
                for m, unit in SMOL_METRICS.items()
            ]
            seeds = str(smol["runs"][arm]["seeds"])
            lines.append(f"| {' | '.join((told, seeds, *pairs))} |")
    c = smol["config"]
    return "\n".join(
        [
            *lines,
            "",
            f"Warm start → round {c['rounds']}, {c['games']} games per round on "
            f"training scenarios at temperature {c['temperature']:g}; 95 % t intervals "
            "between seeds, of shares on the logit scale. On the test split, at that "
            "temperature and, where recorded, at the best one (development):",
            "",
            f"| player {head}",
            "|---|---|---|---|---|",
            *_smol_test(smol),
        ]
    )


def _smol_test(smol: dict[str, Any]) -> list[str]:
    lines = []
    for objective, scores in smol["test"].items():
        for key in (key for key in SMOL_TEST if key in scores):
            told, f = SMOL_TEST[key], scores[key]
            if "temperature" in f:
                told += f" ({f['temperature']:g})"
            cells = [shown(f[m], unit) for m, unit in SMOL_METRICS.items()]
            cells = [f"{objective}, {told}", str(f["agreement"]["n"]), *cells]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def picture(spine: dict[str, Any], out: Path) -> None:
    """The main figure with its controls, as an SVG for the README."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from selfplay_kit.teach import plots

    with matplotlib.rc_context(plots.STYLE):
        fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for ax, (objective, metric, title) in zip(axes, TABLES, strict=True):
            arms = {"runs": "the paper's filter", "matched": "as many, by chance"}
            for k, arm in enumerate(arm for arm in arms if arm in spine):
                found = [r[metric] for r in spine[arm][objective]["rounds"]]
                plots.curve(
                    ax,
                    [f["value"] for f in found],
                    k=k,
                    label=arms[arm],
                    low=[f["low"] for f in found],
                    high=[f["high"] for f in found],
                )
            best = spine["test"][objective]["base_best"]
            ax.axhline(
                best[metric]["value"],
                color=plots.GREEN,
                ls="-.",
                label=f"no training, temperature {best['temperature']}",
            )
            ax.set(xlabel="round of self-play", title=title, ylim=(0, None))
            ax.set_ylabel("points")
            ax.legend(loc="best")
        fig.savefig(out, metadata={"Date": None})
        plt.close(fig)


def stamp(readme: Path, name: str, block: str) -> None:
    """Put ``block`` between the markers ``<!-- name -->`` and ``<!-- /name -->``."""
    text = readme.read_text("utf-8")
    head, start, rest = text.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise ValueError(
            f"{readme} has no markers <!-- {name} --> and <!-- /{name} -->"
        )
    readme.write_text(
        f"{head}{start}{block}\n{end}{tail}", encoding="utf-8", newline="\n"
    )


def minutes_block(results: dict[str, Any]) -> str:
    """The README's table of notebooks' times, from a tutorial's results."""
    lines = ["| notebook | profile | seconds | peak memory |", "|---|---|---|---|"]
    for name, entry in sorted(results["notebooks"].items()):
        memory = f"{entry['peak_memory_bytes'] / 1e9:.2f} GB"
        lines.append(
            f"| {name} | {entry['profile']} | {entry['seconds']:.0f} | {memory} |"
        )
    first = next(iter(results["notebooks"].values()))
    total = sum(entry["seconds"] for entry in results["notebooks"].values())
    lines += [
        "",
        f"Together {total / 60:.1f} minutes without the installation, on "
        f"{first['cores']} cores ({first['processor']}); elsewhere *not measured*.",
    ]
    return "\n".join(lines)


COSTS = ("tutorial", "downloads", "binder")


def costs_block(
    results: dict[str, Any], downloads: dict[str, Any], binder: dict[str, Any]
) -> str:
    """What `run.py tutorial` takes: download, disk, minutes and memory."""
    notebooks = results["notebooks"].values()
    sizes = {
        name: f"{s['bytes'] / 1e6:.0f} MB" for name, s in downloads["sets"].items()
    }
    disk = binder["environment"]["whole_bytes"] / 1e9
    minutes = sum(entry["seconds"] for entry in notebooks) / 60
    peak = max(entry["peak_memory_bytes"] for entry in notebooks) / 1e9
    return (
        f"Recorded ({downloads['system']}, no GPU): the tutorial downloads "
        f"{sizes['all notebooks']}, then runs {minutes:.1f} minutes and takes up to "
        f"{peak:.2f} GB of memory; such an environment took {disk:.1f} GB of disk. "
        f"Without torch the download is {sizes['notebooks 00 to 02 (`--no-torch`)']}."
    )


HEADLINES = (  # claims of the ledger that the page of results shows
    "semi-points",
    "coop-points",
    "semi-gain",
    "coop-gain",
    "semi-agreement",
    "coop-agreement",
    "coop-pareto-level",
    "semi-per-deal",
    "coop-dialogues",
    "ask-blind-coop",
)


BY = {"paper": "The paper's claims", "own": "The kit's own questions"}


def counted(ledger: dict[str, Any]) -> list[str]:
    """How many rows have each verdict, the paper's claims and our questions apart."""
    lines = []
    for who, counts in ledger["counts"].items():
        of = {v: n for v, n in counts.items() if v != "claims"}
        told = ", ".join(f"{n} *{v}*" for v, n in of.items() if n)
        rows = f"{counts['claims']} in {sum(of.values())} rows"
        lines.append(f"{BY[who]} ({rows}, one for each model): {told}.")
    return lines


def ledger_block(ledger: dict[str, Any]) -> str:
    """The short ledger: how many rows have each verdict, a few rows."""
    lines = [
        *(f"- {line}" for line in counted(ledger)),
        "",
        "A few of them:",
        "",
        "| claim | paper | ours | verdict |",
        "|---|---|---|---|",
    ]
    for row in ledger["rows"]:
        if row["id"] in HEADLINES:
            told, *rest = cells(row)
            other = row["title"] if row["title"] != row["model"] else ""
            model = f" ({other})" if other else ""
            lines.append(f"| {' | '.join((told + model, *rest))} |")
    return "\n".join(lines)


def both_changed(row: dict[str, Any]) -> bool:
    """Whether the paper's and our number both have a before and an after."""
    paper, ours = row["paper"], row["ours"]
    if ours is None or isinstance(paper, str):
        return False
    theirs = [paper.get(s) for s in ("before", "after")]
    return "before" in ours and all(isinstance(x, int | float) for x in theirs)


def ledger_picture(ledger: dict[str, Any], out: Path) -> None:
    """The paper's numbers beside ours, before and after, as an SVG."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from selfplay_kit.teach import plots

    rows = [r for r in ledger["rows"] if both_changed(r)]
    shares = [r for r in rows if r["unit"].startswith("share")]
    points = [r for r in rows if r not in shares]
    with matplotlib.rc_context(plots.STYLE):
        fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
        plots.dumbbells(points, title="Points", label="points", ax=axes[0])
        plots.dumbbells(shares, title="Shares", label="%", ax=axes[1])
        lines, told = axes[0].get_legend_handles_labels()
        below: dict[str, Any] = {"loc": "outside lower center", "ncols": len(told)}
        fig.legend(lines, told, title="open: before, filled: after", **below)
        fig.savefig(out, metadata={"Date": None})
        plt.close(fig)


BLOCKS = {  # name of the markers → recorded file, what writes the block
    "finding": ("spine", finding_block),
    "spine": ("spine", readme_block),
    "tutorial": ("tutorial", minutes_block),
    "talk": ("talk", talk_block),
    "smollm": ("smollm", smollm_block),
    "ledger": ("ledger", ledger_block),
}
FURTHER = ("talk", "smollm", "ledger")  # on the page of further results


def stamp_all(readme: Path, reference: Path) -> None:
    """Stamp every block of ``readme`` and of its page of further results whose
    recorded file is in ``reference``."""
    for name, (file, block) in BLOCKS.items():
        path = reference / f"{file}.json"
        if path.exists():
            page = readme.parent / RESULTS if name in FURTHER else readme
            stamp(page, name, block(json.loads(path.read_text("utf-8"))))
    files = [reference / f"{name}.json" for name in COSTS]
    if all(file.exists() for file in files):
        read = (json.loads(file.read_text("utf-8")) for file in files)
        stamp(readme, "costs", costs_block(*read))
