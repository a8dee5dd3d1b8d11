"""Our side of each claim of the ledger: which recorded numbers speak to it.

A claim's id leads to one :class:`Ours` for each model that speaks to it. What is
read is a path into a recorded file, or a function of several (see ``recorded``).
The paper's side is ``data/reference/claims.toml``. No number of ours stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from selfplay_kit.games.deal.rules import OBJECTIVES

from .recorded import (
    Get,
    Recorded,
    What,
    at_round,
    best_of,
    per_deal,
    reference,
    round_seconds,
    trend,
)
from .variants import HARD_BASES, LAMBDAS


@dataclass(frozen=True)
class Ours:
    """What speaks to a claim. ``models`` are the paths at which the name of the
    model stands (or a name): where there are several, they have to agree. ``taught``
    is what it was taught before (the kit's own models are known by name), ``ahead``
    whether the rule is older than this number (else as the claim says). ``games``
    leads to the number of games of a seed."""

    after: What
    before: What | None = None
    models: tuple[str, ...] = ("spine:config/base",)
    taught: str | None = None
    ahead: bool | None = None
    games: What = "spine:config/test_games"
    split: str = "test"
    over: str = "seeds"
    note: str = ""


START = "The tiny base was made to start where the paper's model starts."
FACTOR = "A factor depends most on the start, and the tiny base's start was chosen."
ABORTS = "The tiny base hardly ever aborts, so there is nothing to lower."
WARM = (
    "Few rounds of few games, at a lower temperature, from a warm start that cloned "
    "scripts; the paper's main runs start without one."
)
METRIC = {"semi": "mean_points", "coop": "mean_joint"}
REWARD = {"semi": "points", "coop": "joint"}
CHANGED = {  # of these the change is a claim, from the base to the last round
    "agreement": "agreement",
    "pareto": "pareto_all",
    "pareto-agreed": "pareto_agreed",
    "joint-optimal": "joint_optimal",
    "errors": "error_rate",
    "aborts": "abort_rate",
    "dialogues": "messages",
}
LEVELS = ("agreement", "pareto", "errors", "aborts")  # and of these where it ends


def change(objective: str, metric: str, after="last", before="base") -> Ours:
    """Two rows of the spine's test scores."""
    path = f"spine:test/{objective}"
    return Ours(f"{path}/{after}/{metric}", f"{path}/{before}/{metric}")


def spine(o: str) -> dict[str, Ours]:
    """What the spine says under one objective, semi or coop."""
    metric, test, played = METRIC[o], f"spine:test/{o}", f"spine:runs/{o}/rounds"
    last, points = f"{test}/last/{metric}", change(o, metric)
    per, start = per_deal(f"{test}/last", metric), per_deal(f"{test}/base", metric)
    time = round_seconds(played)
    return {
        f"{o}-points": replace(points, note=START),
        f"{o}-points-level": Ours(last),
        f"{o}-gain": replace(points, note=FACTOR),
        **{f"{o}-{k}": change(o, name) for k, name in CHANGED.items()},
        f"{o}-aborts": replace(change(o, "abort_rate"), note=ABORTS),
        **{f"{o}-{k}-level": Ours(f"{test}/last/{CHANGED[k]}") for k in LEVELS},
        f"{o}-per-deal": Ours(per, start),
        f"{o}-per-deal-level": Ours(per),
        f"ask-seed-{o}": points,
        f"ask-held-out-{o}": Ours(last, f"{played}/-1/{metric}"),
        f"ask-random-{o}": Ours(last, reference(f"random_{REWARD[o]}")),
        f"ask-teller-{o}": Ours(last, reference(f"teller_{REWARD[o]}")),
        f"ask-filter-{o}": change(o, metric, after="matched"),
        f"ask-filter-gain-{o}": change(o, metric, before="matched"),
        f"ask-filter-dialogues-{o}": change(o, "messages", after="matched"),
        f"ask-temperature-{o}": change(o, metric, before="base_best"),
        f"ask-temperature-both-{o}": change(o, metric, "last_best", "base_best"),
        f"ask-time-{o}": Ours(time, games="spine:config/games", split="train"),
    }


def words(path: str, before: str | None = None) -> Ours:
    """What ``language`` counted in the rounds' own play."""
    at = "language:objectives/"
    return Ours(
        at + path,
        at + before if before else None,
        models=("language:config/base",),
        games="language:config/games",
        split="train",
    )


def language(o: str) -> dict[str, Ours]:
    """What ``language`` says under one objective, semi or coop."""
    rounds, of = f"{o}/rounds", f"{o}/correlation"
    return {
        f"{o}-vocabulary": words(f"{rounds}/-1/vocabulary", f"{rounds}/0/vocabulary"),
        f"{o}-inconsistent": words(
            f"{rounds}/-1/inconsistent", f"{rounds}/0/inconsistent"
        ),
        f"correlation-{o}": words(f"{of}/all"),
        f"correlation-{o}-agreed": words(f"{of}/agreed"),
        f"ask-first-{o}": words(f"{rounds}/-1/first_mover"),
    }


def talk(after: str, before: str | Get) -> Ours:
    """The joint points of one arm of ``talk`` beside another's, or a reference."""
    arms = [f"talk:arms/{a}/base" for a in (after, before) if isinstance(a, str)]
    return Ours(
        best_of(after, "mean_joint"),
        best_of(before, "mean_joint") if isinstance(before, str) else before,
        models=tuple(arms),
        games="talk:config/test_games",
    )


SWEPT: dict[str, Any] = {
    "models": ("sweep:config/base",),
    "games": "sweep:config/test_games",
}


def swept(after: str, before: str = "standard", metric: str = "mean_points") -> Ours:
    """One variant of the sweep beside another, on the test split."""
    path = "sweep:variants/{}/test/" + metric
    return Ours(path.format(after), path.format(before), **SWEPT)


PLAYED = SWEPT | {"games": "sweep:config/games", "split": "train"}


def climbed(variant: str, metric="mean_points", to=-1) -> Ours:
    """A variant of the sweep: a round (the last) beside its base, in its own play."""
    path = f"sweep:variants/{variant}/rounds/{metric}"
    return Ours(at_round(path, to), at_round(path, 0), **PLAYED)


def smollm(o: str) -> dict[str, Ours]:
    """What the rounds of SmolLM2-135M-Instruct say, from the warm start to the last
    round, and beside the warm start at its best temperature."""
    test, metric = f"smollm:test/{o}", METRIC[o]
    about: dict[str, Any] = {
        "models": ("smollm2-135m-q4_1-warm",),
        "ahead": True,
        "games": "smollm:config/games",
        "note": WARM,
    }

    def pair(name: str) -> Ours:
        return Ours(f"{test}/last/{name}", f"{test}/warm/{name}", **about)

    per, start = per_deal(f"{test}/last", metric), per_deal(f"{test}/warm", metric)
    best = f"{test}/warm_best/{metric}"
    return {
        f"ask-temperature-{o}": Ours(f"{test}/last/{metric}", best, **about),
        f"ask-temperature-both-{o}": Ours(f"{test}/last_best/{metric}", best, **about),
        f"{o}-points": pair(metric),
        f"ask-open-{o}": pair(metric),
        **{f"{o}-{k}": pair(name) for k, name in CHANGED.items()},
        f"{o}-per-deal": Ours(per, start, **about),
        f"ask-random-{o}": replace(
            pair(metric), before=reference(f"random_{REWARD[o]}")
        ),
    }


def hard_bases(recorded: Recorded) -> list[float]:
    """Points per player after all rounds from each hard base of the sweep, the mean
    over its seeds."""
    path = "sweep:variants/base={}/test/mean_points"
    return [recorded.at(path.format(b))["value"] for b in HARD_BASES]


def other_base(o: str, base: str) -> Ours:
    """The spine's runs from another base, in their own play."""
    path = f"spine:other_bases/{base}/{o}/rounds"
    return Ours(
        f"{path}/-1/{METRIC[o]}",
        f"{path}/0/{METRIC[o]}",
        models=(base,),
        games="spine:config/games",
        split="train",
    )


def crossed(after: str, before: str | None = None) -> Ours:
    """Two numbers of ``crossplay``: each scenario is played both ways."""
    return Ours(
        f"crossplay:{after}",
        f"crossplay:{before}" if before else None,
        models=("crossplay:config/base",),
        games=lambda recorded: 2 * recorded.at("crossplay:config/scenarios"),
    )


def partner(o: str, name: str, score: str) -> Ours:
    """The last round with a partner beside the base with the same partner."""
    cell = f"matrix/{o}/{{}}/{name}/{score}"
    return crossed(cell.format("round 10"), cell.format("base"))


def at_lambda(lam: float) -> str:
    """The name of the variant with that λ."""
    return f"lam={lam:g}" if lam else "standard"


JOINT_BY_LAMBDA = {x: f"sweep:variants/{at_lambda(x)}/test/mean_joint" for x in LAMBDAS}


ONE: dict[str, Ours] = {
    **spine("semi"),
    **spine("coop"),
    **language("semi"),
    **language("coop"),
    "strict-flat": Ours("spine:test/strict/last/mean_reward"),
    "ask-seed-strict": change("strict", "agreement"),
    "ask-blind-coop": Ours("spine:test/coop/last/mean_joint", reference("blind_joint")),
    "ask-blind-group": talk("above_scenario_mean", reference("blind_joint")),
    "ask-blind-calm": talk("above_mean, T 0.7", reference("blind_joint")),
    "ask-rule-group": talk("above_scenario_mean", "above_mean"),
    "ask-rule-group-four": talk("above_scenario_mean", "above_mean, group 4"),
    "ask-rule-group-calm": talk("above_scenario_mean, T 0.7", "above_mean, T 0.7"),
    "ask-rule-gradient": talk("policy_gradient, T 0.7", "above_mean, T 0.7"),
    "ask-lambda-trend": Ours(trend(JOINT_BY_LAMBDA), **SWEPT),
    "ask-lambda-half": swept("lam=0.5", metric="mean_joint"),
    "ask-lambda-one": swept("lam=1", "lam=0.5", "mean_joint"),
    "ask-lambda-minus-half": swept("lam=-0.5", metric="mean_joint"),
    "ask-lambda-collapse": swept("lam=-1", metric="agreement"),
    "ask-first-change": words(
        "semi/rounds/-1/first_mover", "semi/rounds/0/first_mover"
    ),
    "ask-why-everything": climbed("filter=everything"),
    "ask-why-nonzero": climbed("filter=nonzero"),
    "ask-why-from-base": swept("continue_from=base"),
    "ask-why-games": swept("games=125"),
    "ask-why-yes": climbed("standard", "yes_asked", to=1),
    "ask-why-askers": Ours(
        at_round("sweep:variants/standard/rounds/yes_kept"), **PLAYED
    ),
    "ask-why-hard-bases": Ours(
        hard_bases,
        models=("tiny, made too clumsy or taught too little",),
        taught="strategy",
        games="sweep:config/test_games",
        over="bases",
    ),
    "warm-clean-semi": other_base("semi", "tiny-clean"),
    "warm-clean-coop": other_base("coop", "tiny-clean"),
    "strict-share": replace(
        crossed("said/strict/10/partner's", "said/strict/0/partner's"),
        games="spine:config/games",
        split="train",
    ),
    "strict-useless": crossed("transfer/strict/cross"),
    "strict-others": crossed("transfer/strict/cross", "transfer/strict/self"),
    "ask-cross-semi": crossed("transfer/semi/cross", "transfer/semi/self"),
    "ask-cross-coop": crossed("transfer/coop/cross", "transfer/coop/self"),
    "ask-cross-base-semi": partner("semi", "base", "row"),
    "ask-script-fair-semi": partner("semi", "fair", "row"),
    "ask-script-stubborn-semi": partner("semi", "stubborn", "row"),
    "ask-script-teller-coop": partner("coop", "teller", "joint"),
    **{f"ask-exploit-{o}": crossed(f"probes/{o}/test/rise") for o in OBJECTIVES},
}
OURS: dict[str, list[Ours]] = {name: [ours] for name, ours in ONE.items()}
for name, also in (smollm("semi") | smollm("coop")).items():
    OURS.setdefault(name, []).append(also)
