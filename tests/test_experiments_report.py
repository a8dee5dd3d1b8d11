"""The README and the page of results say what the recorded files say."""

import json
from pathlib import Path

import pytest

from experiments import report
from experiments.ledger import ledger
from selfplay_kit.measure.ledger import NOT_RUN

HERE = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", report.BLOCKS)
def test_the_pages_hold_what_the_recorded_files_say(name):
    file, write = report.BLOCKS[name]
    found = json.loads((HERE / f"data/reference/{file}.json").read_text("utf-8"))
    page = HERE / (report.RESULTS if name in report.FURTHER else "README.md")
    text = page.read_text("utf-8")
    block = text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
    assert block == write(found) + "\n"


def test_the_finding_is_worded_by_the_numbers():
    found = json.loads((HERE / "data/reference/spine.json").read_text("utf-8"))
    assert "ends below one that needs no words" in report.finding_block(found)
    for high, word in ((13.8, "below"), (13.9, "not clearly above"), (15, "not")):
        found["test"]["coop"]["last"]["mean_joint"]["high"] = high
        assert f"ends {word}" in report.finding_block(found)
    del found["test"]["semi"]["matched"]
    assert "by chance" not in report.finding_block(found)


def test_the_readme_holds_the_recorded_costs():
    files = [HERE / f"data/reference/{name}.json" for name in report.COSTS]
    found = [json.loads(file.read_text("utf-8")) for file in files]
    readme = (HERE / "README.md").read_text("utf-8")
    block = readme.partition("<!-- costs -->\n")[2].partition("<!-- /costs -->")[0]
    assert block == report.costs_block(*found) + "\n"


def test_a_control_that_is_not_matched_is_refused():
    found = json.loads((HERE / "data/reference/spine.json").read_text("utf-8"))
    told = report.kept_views(found)
    assert " semi, " in told and " coop per run" in told
    assert told in report.readme_block(found)
    for arm, seed, change in (("matched", 0, -1), ("runs", -1, 5), ("matched", 1, 99)):
        other = json.loads(json.dumps(found))
        other[arm]["coop"]["rounds"][2]["kept"][seed] += change
        with pytest.raises(ValueError, match="coop: the control is not matched"):
            report.kept_views(other)


def test_a_recording_of_the_first_edition_is_still_shown(tmp_path):
    found = json.loads((HERE / "data/reference/spine.json").read_text("utf-8"))
    found.pop("matched")
    for scores in found["test"].values():
        scores.pop("matched", None)
        scores.pop("matched_best", None)
    assert report.kept_views(found) == ""
    assert "Drawn by chance" not in report.readme_block(found)
    report.picture(found, tmp_path / "spine.svg")
    assert (tmp_path / "spine.svg").stat().st_size > 10_000
    (tmp_path / "spine.json").write_text(json.dumps(found))
    rows = {r["id"]: r for r in ledger(tmp_path, tell=list)["rows"]}
    assert rows["ask-filter-semi"]["verdict"] == NOT_RUN
    assert rows["semi-points"]["ours"]


def test_stamp_replaces_one_block_and_nothing_else(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n", encoding="utf-8")
    report.stamp(readme, "x", "new")
    assert readme.read_text("utf-8") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="no markers"):
        report.stamp(readme, "y", "new")
