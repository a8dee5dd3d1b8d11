"""``python -m selfplay_kit score``: anybody's transcripts from the command line."""

import json

import pytest

from selfplay_kit.cli import main
from selfplay_kit.games.deal.rules import COOP, SEMI, scenarios
from selfplay_kit.games.deal.scripted import Blind, Fair
from selfplay_kit.games.play import play_games
from selfplay_kit.measure.compare import paired
from selfplay_kit.measure.consistency import INCONSISTENCY
from selfplay_kit.measure.language import LANGUAGE
from selfplay_kit.measure.metrics import DEAL_METRICS, METRICS, summarise

from .test_readers import DEAL, DEALT, SAME, game, lewis, write

GAMES = play_games(Fair(0.2), scenarios("development")[:30], SEMI, seed=1)


def kit(tmp_path, games, name="games.jsonl"):
    path = tmp_path / name
    text = "".join(t.to_json() + "\n" for t in games)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def test_json_of_the_kits_own_lines(tmp_path, capsys):
    path = kit(tmp_path, GAMES)
    assert main(["score", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[str(path)]
    assert (found["format"], found["games"], found["claims"]) == ("kit", 30, "exact")
    names = {*METRICS, *DEAL_METRICS, *LANGUAGE, "moves", *INCONSISTENCY}
    assert names < set(found)
    assert {k: found[k] for k in summarise(GAMES)} == summarise(GAMES)


def test_the_three_formats_stand_in_one_table(tmp_path, capsys):
    human = lewis(tmp_path, DEAL, SAME)
    folder = tmp_path / "released"
    write(folder, "000", game(*DEALT))
    files = [str(kit(tmp_path, GAMES)), str(human), str(folder)]
    assert main(["score", *files]) == 0
    said = capsys.readouterr().out
    assert f"{human}: 1 games (lewis)" in said
    assert f"{folder}: 1 games (released)" in said
    line = next(x for x in said.splitlines() if x.startswith("mean_points"))
    points = summarise(GAMES)["mean_points"]
    assert f"{points['value']:.3f}" in line and f"{points['low']:.3f}" in line
    assert "too few to draw 1000" in said, "no number without its reason"
    assert "–  nothing to count" in said


def test_an_objective_can_be_named(tmp_path, capsys):
    mixed = [*GAMES[:5], *play_games(Fair(), scenarios("test")[:5], COOP, seed=1)]
    path = str(kit(tmp_path, mixed))
    assert main(["score", path]) == 1
    said = capsys.readouterr().err
    assert path in said and "mix objectives (coop, semi)" in said
    assert main(["score", path, "--objective", "coop", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[path]
    assert found["mean_reward"]["value"] == found["mean_joint"]["value"]


def test_a_transcript_that_does_not_replay_is_named(tmp_path, capsys):
    line = GAMES[1].to_json()
    x, y = GAMES[1].points
    false = line.replace(f'"points":[{x},{y}]', f'"points":[{x + 1},{y}]')
    assert false != line
    path = kit(tmp_path, GAMES[:1])
    path.write_text(path.read_text("utf-8") + false + "\n", "utf-8")
    assert main(["score", str(path)]) == 1
    said = capsys.readouterr().err
    assert f"{path}, line 2, does not replay" in said and "it replays as" in said


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "of no format that is known"),
        ("a,b\n1,2\n", "of no format that is known"),
        ('{"counts": [1, 2]}\n', "line 1: not a transcript line"),
        ("<input> 1 2 </input>\n", "line 1 is no dialogue of Lewis"),
    ],
)
def test_files_that_hold_no_transcripts(tmp_path, capsys, content, told):
    path = tmp_path / "some.txt"
    path.write_text(content, "utf-8")
    assert main(["score", str(path)]) == 1
    assert told in capsys.readouterr().err


def test_an_empty_folder_and_one_that_is_not_there(tmp_path, capsys):
    assert main(["score", str(tmp_path)]) == 1
    assert "of no format that is known" in capsys.readouterr().err
    assert main(["score", str(tmp_path), "--format", "released"]) == 1
    assert "it is empty" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "nowhere.jsonl")]) == 1
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_less_another_players_games_on_the_same_scenarios(tmp_path, capsys):
    blunt = play_games(Blind(), scenarios("development")[:30], SEMI, seed=1)
    files = [str(kit(tmp_path, blunt, "b.jsonl")), "--against"]
    files.append(str(kit(tmp_path, GAMES)))
    assert main(["score", *files, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[files[0]]
    for metric, d in found["against"].items():
        expected = paired(blunt, GAMES, metric)
        assert {k: d[k] for k in expected} == expected, metric
    words = found["against"]["words"]
    assert words["value"] < 0 < words["games_needed"] < 1000
    assert set(found["against"]) == set(METRICS)
    assert main(["score", *files]) == 0
    said = capsys.readouterr().out.split("less ")[1]
    line = next(x for x in said.splitlines() if x.startswith("words"))
    assert f"{words['value']:.3f}" in line
    assert f"{words['games_needed']} games each" in line


def test_against_games_on_other_scenarios(tmp_path, capsys):
    other = play_games(Fair(), scenarios("test")[:30], SEMI, seed=1)
    files = [kit(tmp_path, GAMES), kit(tmp_path, other, "other.jsonl")]
    assert main(["score", str(files[0]), "--against", str(files[1])]) == 1
    assert "needs the same scenarios" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mark", "end"), [("", "\n\n"), ("\ufeff", ""), ("", " \n\r\n")]
)
def test_marks_and_blank_lines_change_nothing(tmp_path, capsys, mark, end):
    plain = kit(tmp_path, GAMES)
    assert main(["score", str(plain)]) == 0
    said = capsys.readouterr().out.splitlines()[1:]
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(
        ("\n" * (not mark) + mark + plain.read_text("utf-8") + end).encode()
    )
    assert main(["score", str(odd)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == said


@pytest.mark.parametrize("text", [None, float("nan"), 3, {"a": 1}])
def test_a_text_that_is_none_is_named_by_its_line(tmp_path, capsys, text):
    line = json.loads(GAMES[1].to_json())
    line["moves"][1]["text"] = text
    path = kit(tmp_path, GAMES[:1])
    path.write_text("\n" + path.read_text("utf-8") + "\n" + json.dumps(line), "utf-8")
    assert main(["score", str(path)]) == 1
    said = capsys.readouterr().err
    assert f"{path}, line 4: the text of move 1 is {json.dumps(text)}" in said
    assert "The 1 before it can be read" in said and "cut" not in said


def test_powershells_redirection_is_explained(tmp_path, capsys):
    path = kit(tmp_path, GAMES)
    path.write_text(path.read_text("utf-8"), "utf-16")
    assert main(["score", str(path)]) == 1
    assert "Set-Content -Encoding utf8" in capsys.readouterr().err
