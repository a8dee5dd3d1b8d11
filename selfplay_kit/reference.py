"""The recorded results, made by one command from run folders.

``data/reference/spine.json`` holds what the README and notebook 05 quote: rounds
of self-play under three objectives over several seeds, with their controls,
scored once on the test split. What is chosen (the base's best temperature) is
chosen on the development split. A rerun continues from the run folders.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .metrics import METRICS, seed_interval
from .models import load_model
from .rounds import Config, Round, evaluate, run
from .rules import OBJECTIVES
from .tiny import RECIPES

TEMPERATURES = (1.0, 0.7, 0.5, 0.3, 0.1)
TEST_GAMES = 500


def provenance() -> dict[str, Any]:
    """Commit, versions, processor and threads: where a number comes from."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = None
    versions: dict[str, str | None] = {}
    for name in ("selfplay-kit", "torch", "transformers", "numpy", "scipy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "commit": commit,
        "python": platform.python_version(),
        "versions": versions,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def over_seeds(found: Sequence[dict[str, Any]], names=METRICS) -> dict[str, Any]:
    """For each metric the mean over seeds, its 95 % t interval, and every value."""
    merged = {}
    for name in names:
        values = [f[name]["value"] for f in found if f[name]["value"] is not None]
        if values:
            merged[name] = seed_interval(values) | {"values": values}
    return merged


def spine(
    runs: Path,
    out: Path,
    *,
    seeds: int = 5,
    base: str = "tiny-weak",
    rounds: int = 10,
    games: int = 500,
    others: Sequence[str] = ("tiny-middling", "tiny-clean"),
    other_seeds: int = 1,
    control_seeds: int = 3,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run, score and write the spine; returns what was written to ``out``."""
    began = time.perf_counter()
    result: dict[str, Any] = {
        "provenance": provenance(),
        "config": {
            "base": base,
            "rounds": rounds,
            "games": games,
            "seeds": seeds,
            "other_seeds": other_seeds,
            "control_seeds": control_seeds,
            "test_games": TEST_GAMES,
        },
        "runs": {},
        "no_filter": {},
        "other_bases": {},
        "test": {},
    }

    def play(base: str, objective: str, chosen: str, count: int):
        lam = OBJECTIVES[objective].lam
        done = []
        for seed in range(count):
            config = Config(base, lam, rounds, games, filter=chosen, seed=seed)
            folder = runs / f"{base}-{objective}-{chosen}-seed{seed}"
            done.append((config, run(config, folder)))
            last = done[-1][1][-1].metrics["mean_points"]["value"]
            tell(f"{folder.name}: {last:.2f} points a player in the last round")
        return done

    for objective in OBJECTIVES:
        played = play(base, objective, "above_mean", seeds)
        result["runs"][objective] = _merge_rounds([r for _, r in played])
        score = result["test"][objective] = {
            "last": _score(played, objective, 1.0),
            "last_at_0.3": _score(played, objective, 0.3),
        }
        score |= _base_scores(base, objective, seeds, tell)
        if objective != "strict":
            played = play(base, objective, "no_filter", control_seeds)
            result["no_filter"][objective] = _merge_rounds([r for _, r in played])
            score["no_filter"] = _score(played, objective, 1.0)
            for other in others:
                played = play(other, objective, "above_mean", other_seeds)
                by = result["other_bases"].setdefault(other, {})
                by[objective] = _merge_rounds([r for _, r in played])
        _save(result, began, out)
    return result


def _base_scores(base, objective, seeds, tell) -> dict[str, Any]:
    """The base on the test split, at 1 and at its best temperature, which is
    chosen by the mean reward on the development split."""
    goal = OBJECTIVES[objective]
    lm = load_model(base)
    by = {
        t: evaluate(lm, goal, temperature=t, games=TEST_GAMES)["mean_points"]["value"]
        for t in TEMPERATURES
    }
    best = max(by, key=lambda t: by[t])
    tell(f"{objective}: the base is best at temperature {best} (development)")
    scores = {
        t: over_seeds(
            [
                evaluate(
                    lm, goal, temperature=t, games=TEST_GAMES, split="test", seed=s
                )
                for s in range(seeds)
            ]
        )
        for t in {1.0, best}
    }
    return {
        "base": scores[1.0],
        "base_best": scores[best] | {"temperature": best},
        "base_development": {str(t): v for t, v in by.items()},
    }


def _score(played: list[tuple[Config, list[Round]]], objective: str, t: float):
    return over_seeds(
        [
            evaluate(
                whole[-1].model(config),
                OBJECTIVES[objective],
                games=TEST_GAMES,
                split="test",
                temperature=t,
                seed=config.seed,
            )
            for config, whole in played
        ]
    )


def _merge_rounds(runs: list[list[Round]]) -> dict[str, Any]:
    """Round by round, each metric over seeds; kept views and seconds too."""
    merged = []
    for same in zip(*runs, strict=True):
        row = {"round": same[0].number} | over_seeds([r.metrics for r in same])
        row["kept"] = [r.metrics["training"].get("kept") for r in same]
        row["seconds"] = [r.metrics["seconds"] for r in same]
        merged.append(row)
    return {"rounds": merged}


def score_bases(folder: Path, *, games: int = 500) -> dict[str, Any]:
    """Score every tiny base in ``folder`` on the development split, at temperatures
    1 and 0.3, and write ``bases.json`` there: what its card quotes."""
    found: dict[str, Any] = {"provenance": provenance(), "games": games, "bases": {}}
    for name, recipe in RECIPES.items():
        lm = load_model(folder / name)
        found["bases"][name] = {
            "recipe": asdict(recipe),
            "weights_hash": lm.report.weights_hash,
            "development": {
                str(t): evaluate(lm, OBJECTIVES["semi"], games=games, temperature=t)
                for t in (1.0, 0.3)
            },
        }
    text = json.dumps(rounded(found), indent=1) + "\n"
    (folder / "bases.json").write_text(text, encoding="utf-8", newline="\n")
    return found


def _save(result: dict[str, Any], began: float, out: Path) -> None:
    result["seconds"] = time.perf_counter() - began
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(result), indent=1, ensure_ascii=False)
    out.write_text(text + "\n", encoding="utf-8", newline="\n")


def rounded(x: Any) -> Any:
    """Floats to five significant digits, so that a file stays small and readable."""
    if isinstance(x, float):
        return float(f"{x:.5g}")
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    return [rounded(v) for v in x] if isinstance(x, list) else x


ROWS = {
    "base": "base, temperature 1",
    "base_best": "base, its best temperature",
    "no_filter": "10 rounds, no filter",
    "last": "10 rounds, the paper's filter",
}
TABLES = (
    ("semi", "mean_points", "Semi-competitive, points a player"),
    ("coop", "mean_joint", "Cooperative, joint points"),
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
        "95 % interval between seeds "
        f"(no filter: {spine['config']['control_seeds']}); the base's rows are one "
        "model scored on as many draws of scenarios. Strictly competitive: mean "
        "reward is 0 by construction; "
        f"games with a deal go from {deals[0]['value']:.0%} to "
        f"{deals[1]['value']:.0%}.",
    ]
    return "\n".join(lines)


def _cell(scores: dict[str, Any], metric: str) -> str:
    if metric not in scores:
        return "–"
    f = scores[metric]
    return f"{f['value']:.2f} [{f['low']:.2f}, {f['high']:.2f}]"


def picture(spine: dict[str, Any], out: Path) -> None:
    """The main figure with its controls, as an SVG for the README."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from . import plots

    with matplotlib.rc_context(plots.STYLE):
        fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for ax, (objective, metric, title) in zip(axes, TABLES, strict=True):
            for k, (arm, told) in enumerate(
                (("runs", "the paper's filter"), ("no_filter", "no filter"))
            ):
                found = [r[metric] for r in spine[arm][objective]["rounds"]]
                plots.curve(
                    ax,
                    [f["value"] for f in found],
                    k=k,
                    label=told,
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
