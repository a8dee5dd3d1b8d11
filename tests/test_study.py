"""A class's study: what is kept, who is dealt what, what the games say.

Nothing here needs a browser; the page in one is tested in browser/test_study.py.
"""

import concurrent.futures
import csv
import doctest
import json
import multiprocessing
import random
import re
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_kit.games.deal.protocol import Move, propose
from selfplay_kit.games.deal.rules import OBJECTIVES, Scenario, split_of
from selfplay_kit.games.deal.scripted import Blind, Fair, Greedy, RandomSplit, Teller
from selfplay_kit.games.play import play_games
from selfplay_study import (
    Settings,
    Study,
    StudyError,
    Superseded,
    folder,
    partners,
    plan,
    results,
    simulated,
)
from selfplay_study.__main__ import main

TWO = ("fair", "blind")
S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))


def made(where, **settings):
    return Study.new(where / "study", Settings(**{"partners": TWO, **settings}))


def play_one(session, person=None, partner=None, *, stop_after=None):
    """One game of a session between scripts, move by move, as the page does it."""
    deal = session.begin()
    if deal is None:
        return None
    players = [person or Fair(), partner or Blind()]
    tables = [p.sit(1, seed=deal.seed) for p in players]
    game = deal.game
    while not game.over:
        if stop_after is not None and len(game.moves) >= stop_after:
            return deal
        mover = tables[0 if game.turn == deal.seat else 1]
        game = game.submit(mover.reply([game.position()])[0])
        session.move(game.moves[-1])
    session.end(game.transcript(("person", deal.partner), deal.seed))
    return deal


# Settings and assignment -------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"partners": ()}, "one or more different names"),
        ({"partners": ("fair", "fair")}, "one or more different names"),
        ({"objectives": ("kind",)}, r"of semi, coop, strict; got \('kind',\)"),
        ({"games": 0}, "1 to 100; got 0"),
        ({"games": "5"}, "1 to 100; got '5'"),
        ({"partners": ["fair", None]}, "list of names; got None in it"),
        ({"design": "both"}, "within or between; got 'both'"),
        ({"games": 1}, "'within' needs a game for each of 2"),
        ({"split": "all"}, "split"),
        ({"weights": {"x": None}}, "a hash for each of"),
        ({"partners": "fair"}, "a list of names; got 'fair'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        Settings(**{"partners": TWO, **settings})


NO_NUMBERS = ["2", 2.0, True, None, [2], {}, float("nan"), float("inf"), -1, 10**4000]
ODD = {
    "games": NO_NUMBERS,
    "temperature": ["1", True, None, [1], -0.1, 1e9, float("nan"), float("inf")],
    "seed": ["0", 0.0, True, None, [0], float("nan"), 2**63, -(10**4000)],
    "show_points": [0, 1, "true", "", None, [], 1.0],
    "title": [None, 1, True, ["a"], {}, "half \ud83d"],
    "consent": [None, 2.5, ["a"], "\udc00"],
    "thanks": [False],
    "contact": [["Ada"]],
    "purpose": [0],
    "approval": [None],
    "design": [None, 1, ["within"], "Within", ""],
    "split": [None, 0, ["test"], "Test"],
    "partners": [None, "fair", 3, {"fair": 1}, ["fair", 1], ["fair", ""], [["fair"]]],
    "objectives": [None, "semi", True, [], ["semi", "semi"], [None], [["semi"]]],
    "weights": [None, [], "x", {"fair": 1, "blind": None}, {"fair": "a"}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, many in ODD.items() for value in many]
)
def test_a_setting_of_the_wrong_type_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(ValueError, match=name) as e:
        Settings(**{"partners": TWO, name: value})
    assert len(str(e.value)) < 300
    study = made(tmp_path)
    file = study.folder / "settings.json"
    given = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(given | {name: value}), "utf-8")
    with pytest.raises(StudyError, match=r"settings\.json"):
        Study(study.folder)


@pytest.mark.parametrize("name", ["games", "seed", "temperature"])
def test_a_number_too_long_to_be_printed_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}.*a number of \d+ bits"):
        Settings(**{"partners": TWO, name: 10**5000})


@pytest.mark.parametrize("text", ["[]", "null", "3", '"fair"', "{}", '{"game": 3}'])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text):
    (tmp_path / "settings.json").write_text(text, "utf-8")
    with pytest.raises(StudyError, match=r"settings\.json.*What may stand there"):
        Study(tmp_path)


@pytest.mark.parametrize("temperature", [0, 1, 0.3, 100])
@pytest.mark.parametrize("seed", [0, -3, 2**62])
def test_numbers_as_people_write_them_are_taken(temperature, seed):
    s = Settings(TWO, temperature=temperature, seed=seed)
    assert (s.temperature, s.seed) == (temperature, seed)


@given(
    st.integers(0, 5),
    st.integers(0, 10**6),
    st.sampled_from(plan.DESIGNS),
    st.integers(3, 9),
    st.sampled_from([("semi",), ("semi", "coop"), ("semi", "coop", "strict")]),
)
def test_assignment_is_balanced_in_every_block(block, seed, design, games, objectives):
    names = ("fair", "blind", "teller")
    s = Settings(names, objectives, games, design, seed=seed)
    size = len(objectives) * (3 if design == "between" else 1)
    groups = [s.group(block * size + i) for i in range(size)]
    assert len(set(groups)) == size
    for slot in range(block * size, block * size + size):
        partners_met = Counter(s.plan(slot))
        assert sum(partners_met.values()) == games
        if design == "between":
            assert set(partners_met) == {s.group(slot)[1]}
        else:
            met = [partners_met[n] for n in names]
            assert max(met) - min(met) <= 1


def test_assignment_depends_on_the_seed_and_the_place_alone():
    many = [
        tuple(Settings(TWO, ("semi", "coop"), 6, seed=seed).group(i) for i in range(12))
        for seed in range(20)
    ]
    again = Settings(TWO, ("semi", "coop"), 6, seed=3)
    assert tuple(again.group(i) for i in range(12)) == many[3]
    assert len(set(many)) > 10
    orders = {tuple(Settings(TWO, seed=s).plan(0)) for s in range(30)}
    assert len(orders) > 5


def test_who_is_met_once_more_takes_turns():
    s = Settings(TWO, games=5)
    more = Counter(Counter(s.plan(i)).most_common(1)[0][0] for i in range(10))
    assert more == {"fair": 5, "blind": 5}


def test_the_consent_text_says_what_it_must():
    s = Settings(TWO, games=5, contact="Ada", approval="the board, number 7")
    text = s.consent_text()
    assert "5 short games" in text and "10 minutes" in text and "asking Ada" in text
    assert "free to say no" in text and "stop at any moment" in text
    assert "no name" in text and "deleted" in text and "{" not in text
    assert text.endswith("Approved by: the board, number 7.")
    odd = Settings(TWO, consent="{braces} stay, {games} go, {0}")
    assert odd.consent_text() == "{braces} stay, 6 go, {0}"


def test_a_partner_may_be_another_player_under_each_objective(tmp_path):
    study = made(
        tmp_path, partners=("fair", "{objective}"), objectives=("semi", "coop")
    )
    players = {"fair": Fair(), "semi": Blind(name="s"), "coop": Blind(name="c")}
    assert study.settings.players() == list(players)
    simulated.simulate(study, simulated.scripted_people(4), players)
    for p in study.participants():
        for g in p.finished:
            t = results.transcript_of(g)
            name = t.players[1 - g["seat"]]
            assert (g["partner"] == "fair") == (name == "fair")
            assert name in ("fair", g["objective"][0])


# The folder --------------------------------------------------------------------------


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    made(tmp_path)
    before = (tmp_path / "study" / "settings.json").read_bytes()
    with pytest.raises(StudyError, match=r"not empty. Nothing was touched"):
        made(tmp_path, games=9)
    assert (tmp_path / "study" / "settings.json").read_bytes() == before


def test_a_folder_that_is_no_study_says_what_to_do(tmp_path):
    with pytest.raises(StudyError, match=r"no settings.json. Make one: .*study new"):
        Study(tmp_path)
    (tmp_path / "settings.json").write_text('{"partner": ["fair"]}', "utf-8")
    with pytest.raises(StudyError, match=r"'partner'.*What may stand there: partners"):
        Study(tmp_path)
    (tmp_path / "settings.json").write_text("{", "utf-8")
    with pytest.raises(StudyError, match=r"settings.json is not whole JSON .Expecting"):
        Study(tmp_path)


def test_settings_survive_the_folder(tmp_path):
    study = made(tmp_path, objectives=("coop", "semi"), title="Käse & <b>Brot</b> 🧀")
    assert Study(study.folder).settings == study.settings


def test_a_participant_plays_all_games_and_no_more(tmp_path):
    study = made(tmp_path, games=4, objectives=("coop",))
    session = study.join()
    deals = [play_one(session) for _ in range(4)]
    assert play_one(session) is None
    me = session.me()
    assert [g["place"] for g in me.finished] == [0, 1, 2, 3]
    assert Counter(d.partner for d in deals) == {"fair": 2, "blind": 2}
    assert me.consented.endswith("Z") and me.slot == 0 and not me.simulated
    for deal, game in zip(deals, me.finished, strict=True):
        t = results.transcript_of(game)
        assert t.replay().over and t.scenario == deal.game.scenario
        assert split_of(t.scenario) == "test" and t.objective == OBJECTIVES["coop"]
        assert t.first == deal.game.first


def test_the_same_place_is_dealt_the_same_games_whatever_the_code(tmp_path):
    first, second = (made(tmp_path / n) for n in "ab")
    deals = [s.join().begin() for s in (first, second)]
    assert deals[0] == deals[1]
    assert first.join().begin().game != deals[0].game


def test_a_game_left_open_is_kept_not_counted_and_another_is_dealt(tmp_path):
    study = made(tmp_path)
    session = study.join()
    play_one(session)
    left = play_one(session, stop_after=2)
    back = study.resume(f" {session.code[:3].lower()}-{session.code[3:]}")
    again = play_one(back)
    assert (again.place, again.attempt) == (1, 1) and again.partner == left.partner
    assert again.game != left.game
    me = back.me()
    assert [(g["place"], bool(g["end"])) for g in me.begun] == [
        (0, True),
        (1, False),
        (1, True),
    ]
    assert len(me.begun[1]["moves"]) == 2
    assert [r["finished"] for r in results.rows(study)] == [True, False, True]
    assert results.mean(results.rows(study), "agreement")["n"] == 2


def test_of_two_windows_with_one_code_the_latest_writes(tmp_path):
    study = made(tmp_path)
    old = study.join()
    deal = old.begin()
    new = study.resume(old.code)
    with pytest.raises(Superseded, match="another window"):
        old.move(Move("[message] hello"))
    play_one(new)
    # Even a line that slips in between does not count.
    sly = {"event": "end", "session": old.id, "transcript": {}, "time": "x"}
    folder._append(new.path, sly)
    me = new.me()
    assert [bool(g["end"]) for g in me.begun] == [False, True]
    assert me.begun[0]["counts"] == list(deal.game.scenario.counts)


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_line_that_was_cut_loses_nothing_before_or_after(tmp_path, cut):
    study = made(tmp_path)
    session = study.join()
    play_one(session)
    play_one(session, stop_after=2)
    whole = session.path.read_bytes()
    session.path.write_bytes(whole[:-cut])  # the machine stopped while it wrote
    back = study.resume(session.code)
    play_one(back)
    assert [bool(g["end"]) for g in back.me().begun] == [True, False, True]
    left = 2 if cut == 1 else 1  # without its line end a line is whole still
    assert len(back.me().begun[1]["moves"]) == left


def test_what_is_typed_comes_back_as_it_was(tmp_path):
    study = made(tmp_path)
    session = study.join()
    deal = session.begin()
    odd = '[message] <script>alert(1)</script> 🎩 \u2028 " \\ , ;\n=1+1'
    game = deal.game.submit(odd)
    session.move(game.moves[-1])
    assert session.me().begun[0]["moves"][0]["text"] == odd
    assert len(session.path.read_bytes().splitlines()) == 4


def test_deleting_removes_all_of_one_and_nothing_of_another(tmp_path):
    study = made(tmp_path)
    kept, gone = study.join(), study.join()
    play_one(kept)
    play_one(gone)
    before = kept.path.read_bytes()
    assert study.delete(gone.code.lower()) > 3
    for path in study.folder.rglob("*"):
        assert gone.code not in path.name
        assert not path.is_file() or gone.code.encode() not in path.read_bytes()
    assert kept.path.read_bytes() == before
    with pytest.raises(Superseded, match="deleted"):
        gone.move(Move("[message] late"))
    assert not gone.path.exists()
    for act in (study.delete, study.resume):
        with pytest.raises(StudyError, match=f"{gone.code[:3]}-{gone.code[3:]}"):
            act(gone.code)
    assert study.join().me().slot == 2  # a place is not given twice


def copies_of(path):
    """What sync services, editors and spreadsheets leave beside a file."""
    names = (
        f"{path.stem}-LAPTOP7.jsonl",
        f"{path.stem} (1).jsonl",
        f"{path.stem} (Ann's conflicted copy 2026-01-02).jsonl",
        f"{path.stem}.sync-conflict-20260102-0304-ABC.jsonl",
        f".{path.name}.swp",
        f"{path.name}.tmp",
        f"{path.name.lower()}~",
        "Untitled.jsonl",
        ".~tmp77",
    )
    return [path.with_name(name) for name in names]


def test_copies_of_a_sync_service_are_nobody_and_go_with_the_participant(tmp_path):
    study = made(tmp_path, games=2)
    kept, gone = study.join(), study.join()
    for session in (kept, gone):
        play_one(session)
    # the other one speaks of the code, and that is its own text
    deal = kept.begin()
    kept.move(deal.game.submit(f"[message] are you {gone.code} ?").moves[0])
    results.to_csv(study, study.folder / "csv")
    before = len(results.rows(study))
    for copy in copies_of(gone.path):
        copy.write_bytes(gone.path.read_bytes())
    games = study.folder / "csv" / "games.csv"
    rows = games.read_text("utf-8-sig")
    (study.folder / "csv" / "games (1).csv").write_text(rows, "utf-8")
    semicolons = rows.replace(",", ";")
    (study.folder / "excel.csv").write_text(semicolons, "utf-16")
    (study.folder / f"{gone.code}.txt").write_text("notes", "utf-8")
    assert [p.code for p in study.participants()] == [kept.code, gone.code]
    assert len(results.rows(study)) == before
    assert {p.name for p in study.copies()} == {
        p.name for p in copies_of(gone.path) if p.suffix == ".jsonl"
    }
    mine = kept.path.read_bytes()
    assert study.delete(gone.code) > 3
    assert study.mentions(gone.code) == [
        games.with_name("moves.csv"),  # where the other one speaks of it
        kept.path,
    ]
    assert kept.path.read_bytes() == mine and not study.copies()
    assert kept.code in games.read_text("utf-8-sig")
    assert "\ufeff" not in games.read_text("utf-8-sig")
    assert games.read_bytes().startswith(b"\xef\xbb\xbf")
    left = (study.folder / "excel.csv").read_text("utf-16").splitlines()
    assert len(left) == before and left[1].startswith(kept.code + ";")
    with pytest.raises(StudyError, match="nothing under the code"):
        study.delete(gone.code)


def test_only_a_copy_is_left_of_a_participant(tmp_path):
    study = made(tmp_path)
    session = study.join()
    session.path.rename(session.path.with_name(f"{session.code}-LAPTOP7.jsonl"))
    assert study.participants() == [] and len(study.copies()) == 1
    study.delete(session.code)
    assert study.copies() == [] and study.mentions(session.code) == []


@pytest.mark.parametrize("name", [".DS_Store", "0000 (1)", "0001-LAPTOP7", "x.tmp"])
def test_other_files_among_the_places_take_none(tmp_path, name):
    study = made(tmp_path)
    (study.folder / "slots" / name).write_bytes(b"")
    assert [study.join().me().slot for _ in range(3)] == [0, 1, 2]


def test_a_new_folder_that_somebody_has_looked_into_is_empty(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / ".DS_Store").write_bytes(b"x")
    assert made(tmp_path).participants() == []
    with pytest.raises(StudyError, match="not empty"):
        made(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_settings_that_an_editor_saved(tmp_path, encoding):
    study = made(tmp_path, title="Spiel – ü")
    where = study.folder / "settings.json"
    where.write_text(where.read_text("utf-8").replace("\n", "\r\n"), encoding)
    if encoding == "utf-8-sig":
        assert Study(study.folder).settings == study.settings
    else:
        with pytest.raises(StudyError, match=r"UTF-16 text.*Save it as UTF-8"):
            Study(study.folder)


def test_half_an_emoji_is_kept_and_exported(tmp_path):
    study = made(tmp_path)
    session = study.join()
    deal = session.begin()
    session.move(deal.game.submit("[message] hi \ud83d").moves[0])
    assert session.me().begun[0]["moves"][0]["text"] == "[message] hi \ud83d"
    results.to_csv(study, tmp_path / "csv")
    assert "hi" in (tmp_path / "csv" / "moves.csv").read_text("utf-8-sig")


def test_scripted_people_are_named_in_their_seats(tmp_path):
    study = made(tmp_path, games=4)
    simulated.simulate(study, simulated.scripted_people(4))
    for p in study.participants():
        for g in p.finished:
            t = results.transcript_of(g)
            assert t.players[g["seat"]] == "person"
            assert t.players[1 - g["seat"]] == g["partner"]


@pytest.mark.parametrize("typed", ["", "abc", "../../x", "K7M4T0", "K7M4TPP", "💥" * 6])
def test_what_can_be_no_code_is_refused(tmp_path, typed):
    study = made(tmp_path)
    for act in (study.resume, study.delete):
        with pytest.raises(StudyError, match="6 letters and digits"):
            act(typed)


def test_codes_are_not_guessed_from_one_another(tmp_path):
    study = made(tmp_path)
    codes = {study.join().code for _ in range(50)}
    assert len(codes) == 50
    assert all(set(c) <= set(folder.CODE_LETTERS) for c in codes)
    assert not set("01OIL") & set(folder.CODE_LETTERS)


def _a_person(where, number):
    """Another process: joins and plays, once leaving in mid-game."""
    study = Study(where)
    session = study.join()
    play_one(session, person=(Fair, Greedy, Teller)[number % 3]())
    if number % 5 == 0:
        play_one(session, stop_after=1)
        session = study.resume(session.code)
    while play_one(session):
        pass
    return session.code


def test_thirty_people_at_once_nothing_lost_nothing_mixed_up(tmp_path):
    study = made(tmp_path, games=3, objectives=("semi", "coop"))
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=spawn) as processes:
        with concurrent.futures.ThreadPoolExecutor(12) as threads:
            some = [processes.submit(_a_person, study.folder, i) for i in range(12)]
            some += [threads.submit(_a_person, study.folder, i) for i in range(12, 30)]
            codes = [f.result(120) for f in some]
    people = study.participants()
    assert sorted(codes) == sorted(p.code for p in people) and len(set(codes)) == 30
    assert [p.slot for p in people] == list(range(30))
    assert Counter(study.settings.group(p.slot)[0] for p in people) == {
        "semi": 15,
        "coop": 15,
    }
    for p in people:
        assert len(p.finished) == 3
        assert [g["partner"] for g in p.finished] == study.settings.plan(p.slot)
        for g in p.finished:
            results.transcript_of(g).replay()
    rows = results.rows(study)
    assert len(rows) == 96 and sum(r["finished"] for r in rows) == 90
    assert sum(not r["finished"] for r in rows) == 6


# CSV ---------------------------------------------------------------------------------


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as f:
        return list(csv.DictReader(f))


def test_the_tables_hold_what_was_played(tmp_path):
    study = made(tmp_path)
    session = study.join()
    deal = session.begin()
    game, mine = deal.game, deal.game.scenario.counts
    texts = ["[message] <script>alert(1)</script> 🎩", '=HYPERLINK("x")']
    texts += ["[message] fine, then"]
    while game.turn != deal.seat:
        game = game.submit("[message] hello")
    for text in texts:
        game = game.submit(text)
    share = (0, 0, 0) if game.turn == deal.seat else mine
    game = game.submit(propose(share))
    game = game.submit(propose(game.scenario.complement(share)))
    for move in game.moves:
        session.move(move)
    session.end(game.transcript(("person", deal.partner), deal.seed))
    games, moves = map(read_csv, results.to_csv(study, tmp_path / "out"))
    (row,) = games
    assert row["code"] == session.code and row["partner"] == deal.partner
    assert row["agreement"] == "1" and row["finished"] == "True"
    assert {row["person_points"], row["model_points"]} == {"0", "10"}
    assert row["joint"] == "10" and row["simulated"] == "False"
    said = [m["text"] for m in moves]
    assert texts[0] in said and "'" + texts[1] in said  # no formula for a spreadsheet
    assert Counter(m["by"] for m in moves) == Counter(
        "person" if m.seat == deal.seat else "model" for m in game.moves
    )
    assert [m["error"] for m in moves if m["text"] == "'" + texts[1]] == ["no_prefix"]


SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫−"


def begins_a_formula(text):
    """Whether any piece of ``text`` could be one, wherever a cell may begin."""
    pieces = re.split(r"[,;|\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]", text)
    unseen = ' "\xa0\u3000\x00\x1f\u200b\ufeff'
    return any(p.lstrip(unseen)[:1] in tuple(SIGNS) for p in pieces)


@given(st.text(st.sampled_from(SIGNS + ",;|\t\n\r\u2028 \"\xa0\x00\ufeff'a1")))
def test_no_cell_begins_a_formula_and_every_text_comes_back(text):
    safe = results.cell(text)
    assert not begins_a_formula(safe) and results.original(safe) == text


@given(st.text())
def test_any_text_comes_back_from_a_cell(text):
    assert results.original(results.cell(text)) == text


@pytest.mark.parametrize("text", ["1 book - 2 hats", "a@b", "x = y", "it's", "(-1)"])
def test_a_sign_inside_a_text_stays_as_it_is(text):
    assert results.cell(text) == text


def test_a_table_has_no_formula_at_any_separator(tmp_path):
    study = made(tmp_path, partners=("fair", "blind"))
    session = study.join()
    deal = session.begin()
    game = deal.game
    typed = [f"[message] hi{gap}{sign}1+1" for sign in SIGNS for gap in ";\t\n\r,"]
    typed += [" =1", "\t@x", '\n"=1"', "'=1", "🎩"]
    for text in typed:
        session.move(game.submit(text).moves[-1])
    _, moves = results.to_csv(study, tmp_path / "out")
    raw = moves.read_text("utf-8-sig")
    assert not begins_a_formula(raw.replace('""', '"'))
    for separator in ",;\t":
        for line in csv.reader(raw.splitlines(), delimiter=separator):
            assert not any(c.lstrip()[:1] in tuple(SIGNS) for c in line)
    assert [results.original(m["text"]) for m in read_csv(moves)] == typed


def test_an_aborted_game_says_who_gave_up(tmp_path):
    study = made(tmp_path)
    session = study.join()
    deal = session.begin()
    game = deal.game
    while not game.over:
        game = game.submit("[message] hm" if game.turn != deal.seat else "")
    session.end(game.transcript(("person", deal.partner)))
    (row,) = results.rows(study)
    assert row["aborted_by"] == "person" and row["agreement"] == 0


def test_tables_of_nobody_are_empty(tmp_path):
    for path in results.to_csv(made(tmp_path), tmp_path / "out"):
        assert read_csv(path) == []


# Analysis ----------------------------------------------------------------------------


def people(count, *, effect=0.0, spread=1.0, games=6, design="within", rng):
    """Rows of a made-up class: each person has a level of its own."""
    rows = []
    for i in range(count):
        level = 5 + rng.gauss(0, spread)
        group = "all" if design == "within" else TWO[i % 2]
        for k in range(games):
            partner = TWO[k % 2] if design == "within" else group
            points = level + effect * (partner == "blind") + rng.gauss(0, 1)
            row = {"code": str(i), "group": group, "objective": "semi"}
            rows.append(row | {"partner": partner, "points": points, "finished": True})
    return rows


@pytest.mark.parametrize(("design", "count"), [("within", 12), ("between", 24)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(design, count):
    rng = random.Random(design)
    hit = {"difference": 0, "mean": 0}
    for trial in range(200):
        rows = people(count, effect=1.0, design=design, rng=rng)
        d = results.difference(rows, "points", *TWO, seed=trial)
        hit["difference"] += d["low"] <= 1 <= d["high"]
        m = results.mean(
            [r for r in rows if r["partner"] == "fair"], "points", seed=trial
        )
        hit["mean"] += m["low"] <= 5 <= m["high"]
    assert all(181 <= n <= 199 for n in hit.values()), hit  # 95 % of 200 is 190


def test_games_of_one_person_are_not_taken_for_those_of_many():
    """With games as the unit the interval would be far too short."""
    rows = people(10, spread=3, games=20, rng=random.Random(0))
    found = results.mean(rows, "points")
    alone = [r | {"code": str(i)} for i, r in enumerate(rows)]
    naive = results.mean(alone, "points")
    assert found["value"] == pytest.approx(naive["value"])
    assert found["error"] > 2.5 * naive["error"]


def test_the_within_design_takes_the_level_of_each_person_out():
    rng = random.Random(1)
    within = results.difference(people(20, spread=4, rng=rng), "points", *TWO)
    rows = people(20, spread=4, design="between", rng=rng)
    between = results.difference(rows, "points", *TWO)
    assert between["error"] > 3 * within["error"]
    assert between["needed"] is not None


def test_the_number_needed_has_the_power_that_it_promises():
    rng = random.Random(2)
    pilot = people(200, effect=0.5, games=4, rng=rng)
    needed = results.difference(pilot, "points", *TWO, aim=0.5)["needed"]
    shown = 0
    for trial in range(200):
        rows = people(needed, effect=0.5, games=4, rng=rng)
        shown += results.difference(rows, "points", *TWO, seed=trial)["low"] > 0
    assert 135 <= shown <= 180  # four in five of 200 is 160
    twice = results.difference(pilot, "points", *TWO, aim=1.0)["needed"]
    assert needed / 4 - 1 <= twice <= needed / 4 + 1


def test_an_interval_ends_where_the_measure_does():
    some = {"group": "all", "objective": "semi", "partner": "fair", "finished": True}
    rows = [some | {"code": str(i), "agreement": i == 0} for i in range(6)]
    found = results.mean(rows, "agreement")
    assert found["value"] == pytest.approx(1 / 6) and found["low"] == 0.0
    full = results.mean(
        [r | {"agreement": not r["agreement"]} for r in rows], "agreement"
    )
    assert full["high"] == 1.0 and full["low"] == pytest.approx(1 - found["high"])


def test_what_cannot_be_told_is_none():
    rows = people(1, rng=random.Random(0))
    one = results.difference(rows, "points", *TWO)
    assert one["value"] is not None
    assert one["low"] is one["high"] is one["needed"] is None and one["people"] == 1
    none = results.difference([], "points", *TWO)
    assert none["value"] is None and none["n"] == 0
    lone = [r for r in rows if r["partner"] == "fair"]
    assert results.difference(lone, "points", *TWO)["value"] is None
    assert results.mean([], "points")["value"] is None
    with pytest.raises(ValueError, match="several objectives"):
        results.difference(rows + [rows[0] | {"objective": "coop"}], "points", *TWO)


def test_a_simulated_class_shows_a_planted_difference_and_no_other(tmp_path):
    """*greedy* gets more than *randomsplit*; *blind* is *blind* under any name."""
    study = made(tmp_path, partners=("randomsplit", "greedy"), games=4)
    sessions = simulated.simulate(study, simulated.scripted_people(24), leave=0.2)
    rows = results.rows(study)
    assert len(sessions) == 24 and all(r["simulated"] for r in rows)
    assert sum(r["finished"] for r in rows) == 96 < len(rows)
    found = results.difference(rows, "model_points", "randomsplit", "greedy")
    assert found["low"] > 0 and found["people"] == 24
    players = {"one": Blind(name="one"), "other": Blind(name="other")}
    same = made(tmp_path / "same", partners=("one", "other"), games=4)
    simulated.simulate(same, simulated.scripted_people(24), players)
    nothing = results.difference(results.rows(same), "model_points", *players)
    assert nothing["low"] < 0 < nothing["high"]


def test_a_simulated_class_is_the_same_again(tmp_path):
    def points(where):
        study = made(where, games=2)
        simulated.simulate(study, simulated.scripted_people(6, seed=1), seed=5)
        return [(r["partner"], r["model_points"]) for r in results.rows(study)]

    assert points(tmp_path / "a") == points(tmp_path / "b")


# Partners ----------------------------------------------------------------------------


def test_a_partner_by_name(tmp_path):
    player, weights = partners.partner("fair")
    assert player.name == "fair" and weights is None
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"RUNFOLDER@ROUND is a run folder"):
        partners.partner(f"{tmp_path}@x")
    with pytest.raises(ValueError, match="RUNFOLDER@ROUND"):
        partners.partner("nowhere@3")


def test_a_round_of_a_run_is_a_partner(tiny_base, tmp_path):
    pytest.importorskip("torch")
    from selfplay_kit.learn.rounds import Config, run

    rounds = run(Config(base=str(tiny_base), rounds=1, games=60), tmp_path / "run")
    names = tuple(f"{tmp_path / 'run'}@{k}" for k in range(2))
    found = [partners.partner(n) for n in names]
    assert [w for _, w in found] == [r.metrics["weights"] for r in rounds]
    assert found[0][1] != found[1][1]
    with pytest.raises(ValueError, match="whole rounds 0 to 1; asked for 7"):
        partners.partner(f"{tmp_path / 'run'}@7")
    weights = dict(zip(names, (w for _, w in found), strict=True))
    assert set(partners.load(Settings(names, weights=weights))) == set(names)
    swapped = dict(zip(names, reversed(weights.values()), strict=True))
    with pytest.raises(StudyError, match="has other weights now"):
        partners.load(Settings(names, weights=swapped))


def test_a_partner_that_is_held_elsewhere_plays_the_same(tiny_base):
    """The guest's moves are the ones that the player itself makes, words and tokens."""
    pytest.importorskip("torch")
    player, _ = partners.partner(str(tiny_base))
    where, stop = partners.host({"model": player, "fair": Fair()})
    try:
        for name, here in (("model", player), ("fair", Fair())):
            guest = partners.Guest(name, where)
            games = [
                play_games(
                    (who, RandomSplit()),
                    [S],
                    OBJECTIVES["coop"],
                    seed=4,
                )[0]
                for who in (guest, here)
            ]
            assert games[0].moves == games[1].moves
    finally:
        stop()
    with pytest.raises(StudyError, match="does not answer"):
        partners.Guest("fair", where).sit(1, seed=0)


def test_a_stranger_is_not_answered():
    where, stop = partners.host({"fair": Fair()})
    try:
        port = where.partition(":")[0]
        with pytest.raises(StudyError, match="does not answer"):
            partners.Guest("fair", f"{port}:{'00' * 32}").sit(1, seed=0)
        table = partners.Guest("fair", where).sit(1, seed=0)  # and goes on for others
        table.close()
    finally:
        stop()


# The page, without a browser ---------------------------------------------------------


def tap(page, name):
    (found,) = [b for b in page._body.children if getattr(b, "description", "") == name]
    found.click()
    return found


def words(page):
    return page._top.value + "".join(
        getattr(c, "value", "") for c in page._body.children
    )


def a_page(tmp_path, **settings):
    pytest.importorskip("ipywidgets")
    from selfplay_study.page import Page

    study = made(tmp_path, **settings)
    return Page(study, {"fair": Fair(), "blind": Blind()})


def start(page):
    tap(page, "I have read this and take part")
    tap(page, "I have written it down")
    return tap(page, "Start the first game")


def finish_game(seat):
    seat.wait()
    while not seat.game.over:
        position = seat.game.position(seat.seat)
        if position.opening:
            seat.say("hello")
        else:
            seat.propose(position.counts)
        seat.wait()


def test_a_page_tells_nothing_of_partner_values_or_others(tmp_path):
    from ipywidgets import embed

    page = a_page(tmp_path)
    other = page.study.join()
    start(page)
    seat = page.seat
    seat.wait()
    theirs = seat.game.scenario.values[1 - seat.seat]
    own = embed.dependency_state([page])  # not the widgets of other tests
    state = str(embed.embed_data([page], state=own)["manager_state"]).lower()
    assert page.session.code.lower() in state.replace("-", "")
    for secret in (
        "fair",
        "blind",
        other.code.lower(),
        str(theirs),
        "partner's values",
    ):
        assert secret not in state.replace("-", "")


def test_the_rules_can_be_read_again_in_a_game(tmp_path):
    page = a_page(tmp_path)
    start(page)
    again = page._body.children[-1].value
    assert "<details>" in again and "in private, what you take" in again
    assert "Propose</b> is private and final" in page.seat._play.children[-1].value


def test_a_second_tap_begins_no_second_game(tmp_path):
    page = a_page(tmp_path)
    first = start(page)
    first.click()
    finish_game(page.seat)
    again = tap(page, "Next game")
    again.click()
    assert len(page.session.me().begun) == 2
    assert f"game 2 of {page.settings.games}" in words(page)


def test_a_game_is_ended_by_a_second_press_alone(tmp_path):
    page = a_page(tmp_path)
    start(page)
    seat = page.seat
    seat.wait()
    button = seat._give_up
    button.click()
    assert not seat.game.over and "press again" in button.description
    seat.say("hello")  # it was a slip: the game goes on, and the button forgets
    seat.wait()
    assert not seat.game.over and button.description == "End without a deal"
    button.click()
    button.click()
    assert seat.game.over and seat.game.points == (0, 0)


def test_a_page_whose_code_went_on_elsewhere_says_so(tmp_path):
    page = a_page(tmp_path)
    start(page)
    page.seat.wait()
    code = page.session.code
    page.study.resume(code)
    page.seat.say("hello")
    assert "another window" in words(page) and folder.show_code(code) in words(page)
    tap(page, "Go on with my code")
    assert "free to say no" in words(page)


def test_who_comes_back_may_delete_or_go_on(tmp_path):
    page = a_page(tmp_path)
    start(page)
    page.session = page.study.resume(page.session.code)
    page.between()
    assert "does not count" in words(page)
    tap(page, "Delete my games")
    tap(page, "No, keep them")
    assert "Welcome back" in words(page)
    tap(page, "Delete my games")
    tap(page, "Yes, delete them")
    assert page.study.participants() == [] and "no longer kept" in words(page)


def test_points_can_be_hidden(tmp_path):
    page = a_page(tmp_path, show_points=False, games=2)
    start(page)
    finish_game(page.seat)
    assert "It is saved" in words(page) and "point" not in words(page)
    tap(page, "Next game")
    finish_game(page.seat)
    assert "last game" in words(page) and "points" not in words(page)


def test_what_is_said_to_whoever_starts_it(tmp_path):
    pytest.importorskip("ipywidgets")
    from selfplay_study import serve

    study = made(tmp_path)
    here = serve.told(study, "127.0.0.1", 8866, "")
    assert "http://127.0.0.1:8866/\n" in here and "Only this machine" in here
    room = serve.told(study, "0.0.0.0", 80, "k3f9qx")
    assert ":80/?token=k3f9qx" in room and "0.0.0.0" not in room
    assert "unencrypted" in room and "network that you trust" in room
    for text in (here, room):
        assert "approval" in text and "obliged" in text
    assert "page()" in serve.notebook('a "title"')


# Commands ----------------------------------------------------------------------------


def test_a_model_without_torch_is_told_of(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "selfplay_kit.lm.player", raising=False)
    where = str(tmp_path / "class")
    assert main(["new", where, "--partners", "tiny-weak,fair"]) == 1
    said = capsys.readouterr().err
    assert "'tiny-weak' is a model" in said and "greedy" in said
    assert not (tmp_path / "class").exists()


@pytest.mark.parametrize(
    "options",
    ["--games 2.0", "--games two", "--games 0", "--seed 1.5", "--objective kind"]
    + ["--games 1000000000000", "--design both", "--seed nan", "--objective ,"],
)
def test_an_option_of_the_wrong_kind_makes_no_folder(tmp_path, capsys, options):
    where = tmp_path / "class"
    try:
        status = main(["new", str(where), "--partners", "fair", *options.split()])
    except SystemExit as e:
        status = e.code
    said, name = capsys.readouterr().err, options.split()[0].removeprefix("--")
    assert status in (1, 2) and name in said and not where.exists()


@pytest.mark.parametrize(
    "options", ["--port x", "--port 0", "--people 2.5", "--ready -1"]
)
def test_a_page_of_impossible_numbers_is_not_served(tmp_path, capsys, options):
    study = made(tmp_path)
    try:
        status = main(["serve", str(study.folder), *options.split()])
    except SystemExit as e:
        status = e.code
    assert status in (1, 2)
    assert options.split()[0].removeprefix("--") in capsys.readouterr().err


def test_the_commands(tmp_path, capsys):
    where = str(tmp_path / "class")
    new = ["new", where, "--partners", "fair,stubborn", "--games", "2"]
    assert main([*new, "--objective", "semi,coop"]) == 0
    said = capsys.readouterr().out
    assert "2 games a person, semi, coop" in said and "fair, stubborn" in said
    assert "for your institution\nto say" in said and "Nobody is obliged" in said
    assert main(["show", where]) == 0
    assert "beside fair: not compared before both" in capsys.readouterr().out
    study = Study(where)
    simulated.simulate(study, simulated.scripted_people(8))
    assert main(["show", where]) == 0
    said = capsys.readouterr().out
    assert "8 participants (SIMULATED), 16 games, 0 left" in said
    assert "coop: points of both, share of deals" in said and "beside fair: " in said
    assert main(["csv", where]) == 0
    assert len(read_csv(tmp_path / "class" / "csv" / "games.csv")) == 16
    code = study.participants()[0].code
    capsys.readouterr()
    assert main(["delete", where, code]) == 0
    assert "What was copied elsewhere still holds them" in capsys.readouterr().out
    assert len(read_csv(tmp_path / "class" / "csv" / "games.csv")) == 14
    for p in study.participants():
        study.delete(p.code)
    assert main(["csv", where]) == 0
    for name, columns in results.COLUMNS.items():
        text = (tmp_path / "class" / "csv" / name).read_text("utf-8-sig")
        assert text.splitlines() == [",".join(columns)], "no game, but a head"
    assert main(["delete", where, code]) == 1
    assert "nothing under the code" in capsys.readouterr().err
    assert main(new) == 1
    assert "Nothing was touched" in capsys.readouterr().err


@pytest.mark.parametrize("module", [folder, plan, results, partners])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_a_page_is_not_hung_up_on_before_it_could_answer(tmp_path):
    # A timeout no longer than the interval ends every connection at the first ping.
    pytest.importorskip("voila")
    from jupyter_server.base.websocket import WebSocketMixin

    from selfplay_study import serve

    class Socket(WebSocketMixin):
        settings = serve.settings(tmp_path, "", 1, "", 2, 1).Voila.tornado_settings

    assert Socket().ping_timeout >= 2 * Socket().ping_interval > 0
