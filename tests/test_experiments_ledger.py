"""The ledger holds every claim, and says what the recorded files say."""

import json
import shutil
from pathlib import Path

import pytest

from experiments import recorded, report
from experiments.ledger import ledger
from experiments.ours import OURS, Ours
from selfplay_kit.measure.ledger import (
    DIFFERS,
    FIXED,
    HOLDS,
    NOT_RUN,
    VERDICTS,
    Claim,
    cells,
    read_claims,
)

HERE = Path(__file__).resolve().parent.parent
REFERENCE = HERE / "data" / "reference"
CLAIMS = {c.id: c for c in read_claims()}

# Every number of the paper's results, and of Lewis et al., entered a second time.
BEST = "best round"
EXPECTED = {
    "semi-points": (0.4, 5.8, BEST),
    "semi-points-level": (5.8, BEST),
    "semi-gain": (14, "to the best round"),
    "coop-points": (0.7, 12.1, BEST),
    "coop-points-level": (12.1, BEST),
    "coop-gain": (17, "to the best round"),
    "semi-human": (0.8, 4.9, BEST),
    "semi-human-gain": (6, "to the best round"),
    "coop-human": (4.6, 11.6, BEST),
    "coop-human-gain": (2.5, "to the best round"),
    "coop-human-falls": ("falls",),
    "human-partners": ("not reported",),
    "gpt4-semi": (4.3,),
    "gpt4-coop": (8.8,),
    "strict-flat": (0,),
    "strict-gpt4": ("none",),
    "strict-humans": (0.95,),
    "strict-share": ("observed",),
    "strict-useless": ("observed",),
    "semi-agreement": (0.068, 0.964),
    "semi-agreement-level": (0.964,),
    "semi-agreement-human": (0.133, 0.765),
    "coop-agreement": (0.068, 0.91),
    "coop-agreement-level": (0.91,),
    "coop-agreement-human": (0.327, 0.64),
    "semi-pareto": (0.022, 0.46),
    "semi-pareto-level": (0.46,),
    "semi-pareto-human": (0.089, 0.49),
    "coop-pareto": (0.058, 0.896),
    "coop-pareto-level": (0.896,),
    "coop-pareto-human": (0.163, 0.38),
    "semi-per-deal": (5.9, 6.0),
    "semi-per-deal-level": (6.0,),
    "coop-per-deal": (10.3, 13.3),
    "coop-per-deal-level": (13.3,),
    "warm-gpt4-coop": (0.7, 11.3, 11.0, 11.4, 10.8),
    "warm-gpt4-coop-human": (4.7, 11.0, 11.7, 11.7, 10.5),
    "warm-gpt4-semi": (0.4, 5.5, 5.5, 5.8, 5.6),
    "warm-gpt4-semi-human": (0.7, 4.2, 4.7, 5.8, 3.6),
    "warm-human-semi": (0.4, 5.3, 6.0, 6.2, 6.1),
    "warm-human-semi-human": (0.7, 4.8, 5.3, 5.7, 5.5),
    "semi-errors": (0.14, "under 1 %"),
    "coop-errors": (0.56, "under 1 %"),
    "semi-errors-level": ("under 1 %",),
    "coop-errors-level": ("under 1 %",),
    "semi-aborts": (0.01, "under 1 %"),
    "coop-aborts": (0.22, "under 1 %"),
    "semi-aborts-level": ("under 1 %",),
    "coop-aborts-level": ("under 1 %",),
    "semi-inconsistent": (0.27, 0.06),
    "coop-inconsistent": (0.24, 0.04),
    "semi-dialogues": ("shrink",),
    "coop-dialogues": ("grow",),
    "semi-vocabulary": ("shrinks",),
    "coop-vocabulary": ("kept",),
    "correlation-semi": (0.44,),
    "correlation-coop": (0.44,),
    "correlation-semi-agreed": (0.34,),
    "correlation-coop-agreed": (0.34,),
    "correlation-human": (0.29,),
    "correlation-human-agreed": (-0.04,),
    "prompts-semi": (0.382, 0.18, 0.52, 100),
    "prompts-coop": (0.636, 0.25, 1.17, 100),
    "study-size": (1175, 40),
    "study-pay": (0.10, 0.20, 0.10, 0.25),
    "lewis-dialogues": (5808,),
    "lewis-agreed": (0.801,),
    "lewis-points": (6.0,),
    "lewis-pareto": (0.769,),
    "lewis-turns": (6.6,),
    "lewis-words": (7.6,),
}
ASKED = {  # what readers asked, by the sections of the questions
    "λ",
    "other games",
    "open models",
    "seeds",
    "held-out scenarios",
    "trivial baselines",
    "controls",
    "exploitability",
    "cross-play",
    "first mover",
    "other learning rules",
    "population play",
    "wall time and cost",
    "why it starts",
}


def made(folder, **more):
    said = []
    return ledger(folder, tell=said.append, **more), said


def test_every_result_of_the_paper_has_its_row_with_the_papers_numbers():
    results = {i: c for i, c in CLAIMS.items() if c.kind == "result"}
    assert {i: tuple(c.paper.values()) for i, c in results.items()} == EXPECTED


def test_every_question_has_a_row():
    asked = {c.section for c in CLAIMS.values() if c.kind == "question"}
    assert asked == {f"asked: {what}" for what in ASKED}
    assert not any(c.paper for c in CLAIMS.values() if c.kind != "result")


def test_no_number_of_ours_is_typed():
    for claim in CLAIMS.values():
        said = (claim.note + claim.cannot).replace("GPT-4", "").replace("λ = ", "")
        assert not any(c.isdigit() for c in said), claim.id


def test_the_committed_ledger_is_what_the_recorded_files_make():
    there = json.loads((REFERENCE / "ledger.json").read_text("utf-8"))
    found, _ = made(REFERENCE)
    assert json.loads(json.dumps(found)) == there


def test_each_row_is_complete():
    found, _ = made(REFERENCE)
    keys = [(r["id"], r["model"]) for r in found["rows"]]
    assert len(set(keys)) == len(keys) and {k[0] for k in keys} == set(CLAIMS)
    counts = found["counts"]
    assert list(counts) == ["paper", "own"]
    for who, by in counts.items():
        mine = [r for r in found["rows"] if r["by"] == who]
        assert by["claims"] == len({r["id"] for r in mine})
        assert sum(by[v] for v in VERDICTS) == len(mine)
    for row in found["rows"]:
        assert row["verdict"] in VERDICTS and row["sentence"]
        if row["ours"]:
            assert row["source"]["paths"] and row["games"] and row["split"]
            assert row["taught"] and isinstance(row["ahead"], bool)
            assert (row["interval"] is None) == (row["ours"]["judged"]["low"] is None)


def test_our_number_is_the_recorded_one():
    spine = json.loads((REFERENCE / "spine.json").read_text("utf-8"))["test"]
    rows = {r["id"]: r for r in made(REFERENCE)[0]["rows"] if r["model"] == "tiny-weak"}
    assert rows["semi-points"]["ours"]["after"] == spine["semi"]["last"]["mean_points"]
    per_deal = rows["coop-per-deal"]["ours"]["after"]["values"]
    last = spine["coop"]["last"]
    pairs = zip(last["mean_joint"]["values"], last["agreement"]["values"], strict=True)
    assert per_deal == pytest.approx([a / b for a, b in pairs], rel=1e-4)
    assert rows["ask-random-semi"]["ours"]["before"]["value"] == 5
    blind = rows["ask-blind-coop"]["ours"]["before"]["value"]
    assert blind < recorded.references()["optimum_joint"]


def test_without_recorded_files_nothing_is_guessed(tmp_path):
    found, said = made(tmp_path)
    assert all(r["ours"] is None for r in found["rows"])
    waiting = [r["id"] for r in found["rows"] if r["verdict"] == NOT_RUN]
    assert set(waiting) == {i for i, c in CLAIMS.items() if not c.cannot}
    assert "spine" in found["missing"]
    assert any("rows wait for python -m experiments spine" in line for line in said)


def test_a_file_of_another_shape_is_refused_by_its_place(tmp_path):
    (tmp_path / "spine.json").write_text('{"config": {"base": "tiny-weak"}}')
    with pytest.raises(ValueError, match=r"spine.json has nothing at config/test"):
        made(tmp_path)
    (tmp_path / "spine.json").write_text('{"config"')
    with pytest.raises(ValueError, match=r"damaged.*python -m experiments spine"):
        made(tmp_path)


def test_numbers_of_two_models_are_not_mixed(tmp_path):
    shutil.copy(REFERENCE / "talk.json", tmp_path)
    talk = json.loads((tmp_path / "talk.json").read_text("utf-8"))
    talk["arms"]["above_mean"]["base"] = "tiny-clean"
    (tmp_path / "talk.json").write_text(json.dumps(talk))
    with pytest.raises(ValueError, match="'ask-rule-group' mixes models"):
        made(tmp_path)


def test_an_arm_that_was_not_run_reads_so(tmp_path):
    talk = json.loads((REFERENCE / "talk.json").read_text("utf-8"))
    del talk["arms"]["above_mean"]
    (tmp_path / "talk.json").write_text(json.dumps(talk))
    rows = {r["id"]: r for r in made(tmp_path)[0]["rows"]}
    assert rows["ask-rule-group"]["verdict"] == NOT_RUN
    assert "no 'above_mean'" in rows["ask-rule-group"]["sentence"]
    assert rows["ask-blind-group"]["ours"]


def test_a_second_model_has_rows_of_its_own(tmp_path):
    spine = json.loads((REFERENCE / "spine.json").read_text("utf-8"))["test"]
    test = {
        o: {"warm": spine[o]["base"], "last": spine[o]["last"]}
        for o in ("semi", "coop")
    }
    made_up = {"config": {"games": 64}, "test": test}
    (tmp_path / "smollm.json").write_text(json.dumps(made_up))
    found, _ = made(tmp_path)
    rows = {(r["id"], r["model"]): r for r in found["rows"]}
    warm = "smollm2-135m-q4_1-warm"
    assert rows["semi-points", None]["verdict"] == NOT_RUN
    assert rows["semi-points", warm]["verdict"] == "illustrates"
    assert rows["coop-dialogues", warm]["verdict"] == "does not illustrate"
    assert "warm start" in rows["semi-points", warm]["sentence"]
    assert rows["semi-points", warm]["taught"] == "strategy"
    assert rows["semi-points", warm]["title"].startswith("SmolLM2-135M-Instruct")
    assert rows["ask-open-coop", warm]["games"] == 64
    assert ("semi-points-level", warm) not in rows  # not as many rounds as the paper
    assert ("ask-temperature-semi", warm) not in rows  # its control was not recorded
    for o in ("semi", "coop"):
        best = {"temperature": 0.3}
        test[o] |= {"warm_best": spine[o]["base_best"] | best}
        test[o] |= {"last_best": spine[o]["last_best"] | best}
    (tmp_path / "smollm.json").write_text(json.dumps(made_up))
    found, _ = made(tmp_path)
    rows = {(r["id"], r["model"]): r for r in found["rows"]}
    row = rows["ask-temperature-both-coop", warm]
    assert row["ours"]["before"] == spine["coop"]["base_best"]["mean_joint"]
    assert (
        rows["ask-temperature-coop", warm]["ours"]["after"]
        == (spine["coop"]["last"]["mean_joint"])
    )


def test_no_model_that_cloned_scripts_holds_or_differs():
    rows = [r for r in made(REFERENCE)[0]["rows"] if r["ours"]]
    assert {r["taught"] for r in rows} <= {"strategy", "format", "nothing"}
    cloned = {r["verdict"] for r in rows if r["taught"] == "strategy"}
    assert cloned and not cloned & {HOLDS, DIFFERS}
    fixed = [r["id"] for r in rows if r["verdict"] == FIXED]
    assert fixed == ["strict-flat"]


def test_no_share_in_the_ledger_leaves_its_bounds():
    for row in made(REFERENCE)[0]["rows"]:
        if row["ours"] and row["unit"].startswith("share"):
            for side in ("before", "after"):
                ends = row["ours"].get(side, {"low": None})
                if ends["low"] is not None:
                    assert 0 <= ends["low"] <= ends["high"] <= 1, row["id"]
            if row["ours"]["judged"]["low"] is not None:
                judged = row["ours"]["judged"]
                assert -1 <= judged["low"] <= judged["high"] <= 1, row["id"]


def test_a_claim_and_its_number_have_to_go_together(tmp_path):
    claim = Claim("a", "s", "It is so.", above=0)
    closed = Claim("a", "s", "It is so.", cannot="No.")
    with pytest.raises(ValueError, match="no number of ours"):
        made(tmp_path, claims=[claim], ours={})
    with pytest.raises(ValueError, match="and yet"):
        made(tmp_path, claims=[closed], ours={"a": (Ours("spine:x"),)})
    with pytest.raises(ValueError, match="no claim called 'b'"):
        made(tmp_path, claims=[claim], ours={"b": ()})


def test_the_readme_rows_are_of_the_ledger():
    there = json.loads((REFERENCE / "ledger.json").read_text("utf-8"))
    block = report.ledger_block(there)
    assert 8 <= len(report.HEADLINES) <= 10
    for row in there["rows"]:  # the undecided ones, too
        shown = " | ".join(cells(row)[1:]) in block
        assert shown or row["id"] not in report.HEADLINES
    for line, by in zip(report.counted(there), there["counts"].values(), strict=True):
        assert f"({by['claims']} in " in line and f"- {line}\n" in block
        for verdict in VERDICTS:
            assert (f" {by[verdict]} *{verdict}*" in line) == bool(by[verdict])


def test_every_side_of_ours_is_of_a_claim():
    assert set(OURS) == {i for i, c in CLAIMS.items() if not c.cannot}


def test_the_picture_draws_each_row_that_has_both_changes(tmp_path):
    there = json.loads((REFERENCE / "ledger.json").read_text("utf-8"))
    report.ledger_picture(there, tmp_path / "l.svg")
    drawn = [r["id"] for r in there["rows"] if report.both_changed(r)]
    assert "semi-points" in drawn and "semi-errors" not in drawn
    assert (tmp_path / "l.svg").stat().st_size > 10_000
