"""``python -m selfplay_kit play``: a file is gone on with, or refused."""

import json
from dataclasses import replace

import pytest

from selfplay_kit import files
from selfplay_kit.cli import main
from selfplay_kit.games.deal.rules import SEMI, scenarios
from selfplay_kit.games.deal.scripted import Fair
from selfplay_kit.games.play import play_games
from selfplay_kit.learn.export import read_config
from selfplay_kit.learn.rounds import kept_counts, read_games

FAIR = ("fair", "fair", "--games", "6", "--seed", "3")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "games.jsonl"


def play(out, *words):
    return main(["play", *words, "--out", str(out)])


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_the_same_again_plays_nothing_and_more_goes_on(out, capsys):
    assert play(out, *FAIR) == 0
    first, said = out.read_bytes(), capsys.readouterr().out
    assert f"{out}: 6 games, 6 of them played now" in said
    assert play(out, *FAIR) == 0 and out.read_bytes() == first
    again = capsys.readouterr().out
    assert "6 games, 0 of them played now" in again
    assert again.splitlines()[1:] == said.splitlines()[1:]
    assert play(out, *FAIR[:2], "--games", "10", "--seed", "3") == 0
    assert out.read_bytes().startswith(first) and len(read_games(out)) == 10


CHANGES = [
    (("blind", "fair"), "player 0's name: fair there, blind asked"),
    (("fair", "stubborn"), "player 1's name: fair there, stubborn asked"),
    (("fair", "fair", "--objective", "coop"), "lambda: 0.0 there, 1.0 asked"),
    (("fair", "fair", "--objective", "0.25"), "lambda: 0.0 there, 0.25 asked"),
    (("fair", "fair", "--split", "test"), "split: development there, test asked"),
    (("fair", "fair", "--seed", "4"), "seed: 3 there, 4 asked"),
]


@pytest.mark.parametrize(("words", "told"), CHANGES)
@pytest.mark.parametrize("edition", [1, 2])
def test_what_was_decided_otherwise_is_refused(out, capsys, words, told, edition):
    assert play(out, *FAIR) == 0
    kept = out.with_name(out.name + ".config.json")
    if edition == 1:  # it kept no record beside the games
        kept.unlink()
    before = content(out.parent)
    capsys.readouterr()
    seed = () if "--seed" in words else ("--seed", "3")
    assert play(out, *words, "--games", "6", *seed) == 1
    said = capsys.readouterr()
    assert not said.out and "Choose another --out" in said.err
    if edition == 2:
        assert told in said.err
    else:
        assert "of game 1: " in said.err or "game 1: another split" in said.err
    assert content(out.parent) == before


def test_games_without_a_record_beside_them_go_on_and_it_is_said(out, capsys):
    assert play(out, *FAIR) == 0
    kept = out.with_name(out.name + ".config.json")
    kept.unlink()
    assert play(out, *FAIR[:2], "--games", "8", "--seed", "3") == 0
    assert "is not known" in capsys.readouterr().err and len(read_games(out)) == 8
    assert json.loads(kept.read_text("utf-8"))["games before this was kept"] == 6


def test_games_that_others_put_into_the_file_are_seen(out):
    assert play(out, *FAIR) == 0
    other = play_games(Fair(), scenarios("test")[:1], SEMI, seed=3)[0]
    with out.open("a", encoding="utf-8", newline="\n") as f:
        f.write(other.to_json() + "\n")
    assert play(out, *FAIR) == 1


@pytest.mark.parametrize("left", [b"", b"\n", b"\xef\xbb\xbf", b" \n\n"])
def test_a_file_without_games_is_nobodys(out, left):
    out.write_bytes(left)
    files.write_text(out.with_name(out.name + ".config.json"), '{"seed": 9}')
    assert play(out, *FAIR) == 0 and len(read_games(out)) == 6
    assert play(out, *FAIR) == 0


@pytest.mark.parametrize("cut", [2, 40, 90])
def test_a_last_line_that_was_cut_is_put_aside_and_played_again(out, capsys, cut):
    assert play(out, *FAIR) == 0
    whole = out.read_bytes()
    out.write_bytes(whole[:-cut])
    assert play(out, *FAIR) == 0
    assert "put aside in games.jsonl.cut" in capsys.readouterr().err
    lines = whole.splitlines(keepends=True)
    assert out.read_bytes().startswith(b"".join(lines[:5]))
    games = read_games(out)
    assert len(games) == 6
    assert games[-1].scenario == read_games_of(lines, out)[-1].scenario
    assert (out.parent / "games.jsonl.cut").read_bytes() == lines[5][:-cut] + b"\n"


def read_games_of(lines, out):
    path = out.with_name("whole.jsonl")
    path.write_bytes(b"".join(lines))
    return read_games(path)


def test_a_last_line_without_its_end_is_whole(out):
    assert play(out, *FAIR) == 0
    whole = out.read_bytes()
    out.write_bytes(whole[:-1])
    assert play(out, *FAIR[:2], "--games", "7", "--seed", "3") == 0
    assert out.read_bytes().startswith(whole) and len(read_games(out)) == 7


def test_what_can_not_be_gone_on_with_is_left_alone(out, capsys):
    assert play(out, *FAIR) == 0
    text = out.read_text("utf-8")
    for raw, told in (
        (text.encode("utf-16"), "UTF-16"),
        (text.replace("{", "(", 1).encode(), "line 1: not a transcript line"),
    ):
        out.write_bytes(raw)
        assert play(out, *FAIR) == 1 and told in capsys.readouterr().err
        assert out.read_bytes() == raw
    assert play(out.parent, *FAIR) == 1
    assert "is a folder" in capsys.readouterr().err
    assert play(out, "fair", "--games", "0") == 1


def test_one_program_writes_a_file_at_a_time(out, capsys):
    with files.one_writer(out):
        assert play(out, *FAIR) == 1
    assert "is being written by another program: process" in capsys.readouterr().err
    assert play(out, *FAIR) == 0


def test_a_model_is_known_by_its_weights_and_how_it_is_asked(tiny_base, out, capsys):
    import shutil

    from selfplay_kit.lm.models import load_model

    torch = pytest.importorskip("torch")
    base = shutil.copytree(tiny_base, out.parent / "base")
    words = (str(base), "fair", "--games", "2", "--temperature", "0.5")
    assert play(out, *words) == 0 and play(out, *words) == 0
    capsys.readouterr()
    assert play(out, *words[:-1], "0.7") == 1
    assert "player 0's temperature: 0.5 there, 0.7 asked" in capsys.readouterr().err
    lm = load_model(base)
    with torch.no_grad():
        next(lm.model.parameters())[7, 7] += 1
    lm.model.save_pretrained(base)
    assert play(out, *words) == 1
    assert "player 0's weights" in capsys.readouterr().err


def test_an_endpoint_is_known_by_its_address_and_settings_and_no_secret_is_kept(out):
    from selfplay_kit.cli import play as command
    from selfplay_kit.lm.endpoint import EndpointPlayer

    one = EndpointPlayer("m", "https://me:sk-secret@host:1/v1?key=sk-secret")
    told = command._decides(one)
    assert told["base_url"] == "https://host:1/v1" and "sk-secret" not in str(told)
    for change in ({"model": "n"}, {"temperature": 0.3}, {"style": "short"}):
        changed = {"model": "m", "base_url": "https://host:1/v1"} | change
        assert command._decides(EndpointPlayer(**changed)) != told
    same = EndpointPlayer("m", "https://host:1/v1", timeout=9, concurrency=1)
    assert command._decides(same) == told


def test_rounds_of_one_game_each_are_shown_without_an_interval(tiny_base, out, capsys):
    words = ["rounds", "--model", str(tiny_base), "--games", "1", "--rounds", "0"]
    assert main([*words, "--no-preflight", "--out", str(out.parent / "run")]) == 0
    said = capsys.readouterr().out
    assert "points per player, " in said and "[" not in said


@pytest.mark.parametrize("given", ["hard", "", "2", "nan", "1,5"])
def test_an_objective_that_is_none_is_refused_in_words(out, capsys, given):
    said = "objective is semi, coop, strict or lambda"
    assert play(out, "fair", "fair", "--objective", given) == 1
    assert said in " ".join(capsys.readouterr().err.split())
    with pytest.raises(SystemExit):
        main(["rounds", "--objective", given, "--out", str(out)])
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_numbers_of_views_that_are_none_are_refused_in_words(out, capsys):
    with pytest.raises(SystemExit):
        main(["rounds", "--draw", "3,x", "--out", str(out)])
    assert "one for each round; got '3,x'" in " ".join(capsys.readouterr().err.split())


def test_a_matched_control_takes_everything_from_its_run(tiny_base, tmp_path, capsys):
    run, control = tmp_path / "run", tmp_path / "control"
    words = ["--model", str(tiny_base), "--games", "12", "--rounds", "1", "--seed", "3"]
    words += ["--objective", "coop", "--filter", "top_quarter", "--no-preflight"]
    assert main(["rounds", *words, "--out", str(run)]) == 0
    matched = ["rounds", "--match", str(run), "--no-preflight", "--out", str(control)]
    assert main(matched) == 0
    there, made = (read_config(folder) for folder in (run, control))
    kept = kept_counts(run)
    assert made == replace(there, filter="drawn", draw=kept)
    assert kept_counts(control) == kept
    capsys.readouterr()
    assert main([*matched, "--objective", "strict", "--lr", "0.5"]) == 1
    said = capsys.readouterr().err
    assert "--objective, --lr asks for something else" in said
    assert main([*matched[:2], str(tmp_path / "none"), *matched[3:]]) == 1
    assert "nothing to match" in capsys.readouterr().err


def test_scripts_have_no_temperature(out, capsys):
    assert play(out, *FAIR, "--temperature", "0.5") == 1
    assert "--temperature is a language model's" in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_game_or_split_lists_those_there_are(tmp_path, capsys):
    out = ["--out", str(tmp_path / "games.jsonl")]
    assert main(["play", "fair", "--game", "chess", *out]) == 1
    assert "no game called 'chess'; there are: deal" in capsys.readouterr().err
    assert main(["play", "fair", "--split", "holdout", *out]) == 1
    assert "train, development, test; got 'holdout'" in capsys.readouterr().err
    assert not (tmp_path / "games.jsonl").exists()
