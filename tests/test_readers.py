"""Other people's transcripts: human dialogues of 2017, released code of 2024."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from selfplay_kit.games.deal.game import Game
from selfplay_kit.games.deal.protocol import propose
from selfplay_kit.games.deal.rules import COOP, SEMI, STRICT, Scenario
from selfplay_kit.measure.language import spoken
from selfplay_kit.measure.metrics import summarise
from selfplay_kit.measure.readers import format_of, read_lewis, read_released

from . import strategies
from .conftest import ROOT

# Lewis et al. -----------------------------------------------------------------------

DEAL = (
    "<input> 3 1 1 3 1 4 </input> <dialogue> YOU: books ? <eos> THEM: two of them "
    "<eos> YOU: ok deal <eos> THEM: <selection> </dialogue> <output> item0=1 "
    "item1=0 item2=1 item0=2 item1=1 item2=0 "
    "</output> <partner_input> 3 2 1 4 1 0 </partner_input>"
)
SAME = (  # the same dialogue, as the partner sees it
    "<input> 3 2 1 4 1 0 </input> <dialogue> THEM: books ? <eos> YOU: two of them "
    "<eos> THEM: ok deal <eos> YOU: <selection> </dialogue> <output> item0=2 "
    "item1=1 item2=0 item0=1 item1=0 item2=1 "
    "</output> <partner_input> 3 1 1 3 1 4 </partner_input>"
)


def ended(how):
    head = DEAL.partition("<output>")[0]
    tail = DEAL.partition("</output>")[2]
    return f"{head}<output> {' '.join([how] * 6)} </output>{tail}"


def lewis(tmp_path, *lines):
    path = tmp_path / "some.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_dialogue_as_either_player_saw_it(tmp_path):
    for line in (DEAL, SAME):
        (t,) = read_lewis(lewis(tmp_path, line))
        assert t.scenario == Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
        assert t.points == (5, 8) and t.agreed and not t.aborted
        assert t.first == 0 and t.objective == SEMI and t.players == ("human", "human")
        assert spoken(t) == [(0, "books ?"), (1, "two of them"), (0, "ok deal")]
        assert t.shares == ((1, 0, 1), (2, 1, 0))
        assert [m.seat for m in t.moves[3:]] == [1, 0], "who selects ends the talk"
        t.replay()


def test_plainer_spacing_is_read_too(tmp_path):
    """As in the files that come with the released code."""
    (t,) = read_lewis(lewis(tmp_path, DEAL.replace("books ?", "books? it's: yes")))
    assert spoken(t)[0] == (0, "books? it's: yes")


def test_two_views_are_one_dialogue_and_two_alike_are_two(tmp_path):
    for lines, dialogues in (
        ([DEAL, SAME], 1),
        ([SAME, DEAL], 1),
        ([DEAL, DEAL], 2),
        ([DEAL, SAME, SAME, DEAL], 2),
        ([DEAL, SAME, DEAL], 2),
    ):
        path = lewis(tmp_path, *lines)
        assert len(read_lewis(path)) == dialogues, lines
        assert len(read_lewis(path, perspectives=True)) == len(lines)


@pytest.mark.parametrize("how", ["<disagree>", "<no_agreement>", "<disconnect>"])
def test_ways_to_end_without_a_deal(tmp_path, how):
    (t,) = read_lewis(lewis(tmp_path, ended(how)))
    assert t.points == (0, 0) and not t.agreed
    assert t.aborted == (how == "<disconnect>")
    assert len(t.moves) == 3, "what was selected isn't in the file"
    m = summarise([t])
    assert m["agreement"]["value"] == 0 and m["messages"]["value"] == 3


def test_the_readers_transcripts_are_counted_as_the_kits_own(tmp_path):
    path = lewis(tmp_path, DEAL, SAME, ended("<disagree>"))
    m = summarise(read_lewis(path))
    assert m["agreement"] == m["agreement"] | {"value": 0.5, "n": 2}
    assert m["mean_points"]["value"] == 13 / 4 and m["points_agreed"]["value"] == 6.5
    assert m["first_mover"]["value"] == 5 - 8


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello", "no <input>"),
        (DEAL.replace("THEM: <selection>", "THEM: bye"), "the last is a <selection>"),
        (DEAL.replace("YOU: books", "HE: books"), "turns are YOU"),
        (DEAL.replace("item0=1", "item0=2"), "don't make up"),
        (DEAL.replace("item0=1", "item0=x"), "invalid literal"),
        (DEAL.replace("<input> 3 1 1 3 1 4", "<input> 3 1 1 3 1 5"), "exactly 10"),
        (DEAL.replace("<input> 3 1", "<input> 2 1"), "different pools"),
        (DEAL.replace("<input> 3 1 1 3 1 4", "<input> 3 1"), "."),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path, line, message):
    with pytest.raises(ValueError, match=rf"line 2 is no dialogue.*{message}"):
        read_lewis(lewis(tmp_path, DEAL, line))


def test_an_empty_file_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="empty"):
        read_lewis(lewis(tmp_path, "", ""))


PUBLIC = ROOT.parent / "shared" / "lewis2017" / "val.txt"


@pytest.mark.skipif(not PUBLIC.exists(), reason="needs val.txt of Lewis et al. (2017)")
def test_golden_values_of_the_public_file():
    """Counted once by other means; the paper's are over all files: 80.1 % agreed,
    6.0 points, 76.9 % of deals Pareto-optimal, and lie in these intervals."""
    views = read_lewis(PUBLIC, perspectives=True)
    assert (len(views), sum(t.agreed for t in views)) == (1087, 844)
    assert sum(t.aborted for t in views) == 6
    m = summarise(views)
    assert round(m["mean_points"]["value"], 2) == 5.81
    assert round(100 * m["pareto_agreed"]["value"], 1) == 81.3
    for name, paper in (
        ("agreement", 0.801),
        ("mean_points", 6.0),
        ("pareto_agreed", 0.769),
    ):
        assert m[name]["low"] < paper < m[name]["high"], name
    once = read_lewis(PUBLIC)
    assert (len(once), sum(t.agreed for t in once)) == (562, 422)
    for t in once:
        if t.agreed:
            t.replay()


# The released code --------------------------------------------------------------------

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
CORRECTION = {
    "no_prefix": "Your output should either begin with ...",
    "second_prefix": "Do not include any mentions ...",
    "proposal_first": "Please begin the dialogue by ...",
    "must_propose": "Opponent's proposal must be ...",
    "bad_items": "Item counts must be ...",
    "bad_numbers": "There should only be ...",
    "out_of_range": "Item counts suggested ...",
}


def named(triple):
    return (
        None
        if triple is None
        else dict(zip(("book", "hat", "ball"), triple, strict=True))
    )


def write(folder, name, t, **changes):
    """Files of one game, of the shape that the released code gives them."""
    for part in ("results", "json_logs", "text_logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    chats = [[{"role": "system", "content": "rules"}] for _ in (0, 1)]
    logs = ["Books are worth 1 points ...\n\n\n" for _ in (0, 1)]
    shares = [None, None]
    game = Game(t.scenario, t.objective, t.first)
    for move in t.moves:
        seat, text = move.seat, move.text.strip()
        game = game.submit(move)
        logs[seat] += text + "\n"
        if move.error:
            logs[seat] += f"Error: {CORRECTION[move.error]}\n"
            if game.over:
                text = "[ABORT]"
            else:
                continue
        elif share := dict(game.proposals).get(seat):
            shares[seat] = share
        notice = "[propose] made" if text.startswith("[propose]") else text
        chats[seat].append({"role": "assistant", "content": text})
        chats[1 - seat].append({"role": "user", "content": notice})
    x, y = t.rewards
    result = {
        "counts": named(t.scenario.counts),
        "p0_values": named(t.scenario.values[0]),
        "p1_values": named(t.scenario.values[1]),
        "p0_allocation": named(shares[0]),
        "p1_allocation": named(shares[1]),
        "p0_score": int(x),
        "p1_score": int(y),
        "message_count": 3,
        "token_count": 30,
        "is_valid_deal": t.agreed,
    } | changes
    (folder / "results" / f"{name}.json").write_text(json.dumps(result), "utf-8")
    for p in (0, 1):
        chat, log = json.dumps(chats[p]), logs[p]
        (folder / "json_logs" / f"{name}_p{p}.json").write_text(chat, "utf-8")
        (folder / "text_logs" / f"{name}_p{p}.txt").write_text(log, "utf-8")


def game(*texts, objective=SEMI, first=0):
    state = Game(S, objective, first)
    for text in texts:
        state = state.submit(text)
    return state.transcript(seed="000")


OFFER = "[message] The ball and a book for me?\nYou get the rest."
DEALT = (OFFER, "[message] Fine.", propose((1, 0, 1)), propose((2, 1, 0)))


@pytest.mark.parametrize("objective", [SEMI, COOP, STRICT])
def test_points_come_from_allocations_whatever_the_scores_are(tmp_path, objective):
    write(tmp_path, "000", game(*DEALT, objective=objective))
    (t,) = read_released(tmp_path)
    assert t == game(*DEALT, objective=objective)
    t.replay()


def test_failed_tries_are_found_between_accepted_moves(tmp_path):
    t = game(
        "hello\nthere",
        propose((1, 0, 1)),
        OFFER,
        "[message] Fine. [propose] (2 books, 1 hat, 0 balls)",
        "[message] Fine.",
        "[propose] (9 books, 0 hats, 1 ball)",
        propose((1, 0, 1)),
        "[message] wait",
        propose((2, 1, 0)),
        first=1,
    )
    assert [m.error for m in t.moves if m.error] == [
        "no_prefix", "proposal_first", "second_prefix", "out_of_range", "must_propose"
    ]  # fmt: skip
    write(tmp_path, "000", t)
    (read,) = read_released(tmp_path)
    assert read == t
    assert summarise([read])["error_rate"]["value"] == 1


def test_an_abort(tmp_path):
    t = game("[message] hi", *["?"] * 5)
    write(tmp_path, "000", t)
    with pytest.raises(
        ValueError, match=r"fits coop, semi, strict; name the objective"
    ):
        read_released(tmp_path)
    (read,) = read_released(tmp_path, COOP)
    assert read.aborted and read.objective == COOP
    assert [(m.text, m.error) for m in read.moves] == [
        (m.text, m.error) for m in t.moves
    ]


@given(strategies.games())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_points_and_deals_of_any_game(tmp_path_factory, g):
    """Random talk can fool the search for failed tries, never the result."""
    folder = tmp_path_factory.mktemp("released")
    t = g.transcript()
    if t.objective not in (SEMI, COOP, STRICT):
        return
    write(folder, "000", t)
    try:
        (read,) = read_released(folder, t.objective)
    except ValueError as e:
        assert "partner read" in str(e)  # a message that looks like the notice
        return
    assert (read.points, read.agreed, read.scenario) == (t.points, t.agreed, t.scenario)
    assert (read.first, read.aborted) == (t.first, t.aborted)


def test_several_games_have_one_objective(tmp_path):
    write(tmp_path, "000", game("[message] hi", *["?"] * 5))
    write(tmp_path, "001", game(*DEALT, objective=COOP))
    assert {t.objective for t in read_released(tmp_path)} == {COOP}
    write(tmp_path, "002", game(*DEALT, objective=SEMI))
    with pytest.raises(
        ValueError, match=r"002.json: scores \(5.0, 8.0\).*one objective"
    ):
        read_released(tmp_path)
    with pytest.raises(ValueError, match=r"001.json.*are not of semi"):
        read_released(tmp_path, SEMI)


def test_a_proposal_in_a_form_that_the_kit_does_not_take(tmp_path):
    odd = "[propose] (book: 1, hat: 0, ball: 1)"
    write(tmp_path, "000", game(*DEALT))
    for p in (0, 1):
        file = tmp_path / "json_logs" / f"000_p{p}.json"
        file.write_text(
            file.read_text("utf-8").replace(propose((1, 0, 1)), odd), "utf-8"
        )
    (t,) = read_released(tmp_path)
    assert t.moves[2].text == propose((1, 0, 1))
    t.replay()


def test_what_contradicts_itself_is_an_error(tmp_path):
    write(tmp_path, "000", game(*DEALT), is_valid_deal=False)
    with pytest.raises(ValueError, match=r"000.json: is_valid_deal is False.*make up"):
        read_released(tmp_path)
    write(tmp_path, "000", game(*DEALT), p0_score=6)
    with pytest.raises(ValueError, match=r"scores \(6.0, 8.0\) for points \(5, 8\)"):
        read_released(tmp_path)
    write(tmp_path, "000", game(*DEALT))
    file = tmp_path / "json_logs" / "000_p1.json"
    file.write_text(file.read_text("utf-8").replace("Fine.", "Never."), "utf-8")
    with pytest.raises(ValueError, match=r"player 1 said '\[message\] Never"):
        read_released(tmp_path)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no results/\*.json: it is empty"):
        read_released(tmp_path)
    write(tmp_path, "000", game(*DEALT))
    (tmp_path / "text_logs" / "000_p1.txt").unlink()
    with pytest.raises(ValueError, match=r"FileNotFoundError.*000_p1.txt"):
        read_released(tmp_path)
    (tmp_path / "results" / "000.json").write_text('{"counts": {"book": 1}}', "utf-8")
    with pytest.raises(ValueError, match=r"000.json: KeyError"):
        read_released(tmp_path)


# Formats ------------------------------------------------------------------------------


def test_formats_are_told_apart(tmp_path):
    assert format_of(lewis(tmp_path, DEAL)) == "lewis"
    own = tmp_path / "games.jsonl"
    own.write_text(game(*DEALT).to_json() + "\n", "utf-8")
    assert format_of(own) == "kit"
    with pytest.raises(ValueError, match=r"of no format that is known: expected"):
        format_of(tmp_path)
    write(tmp_path, "000", game(*DEALT))
    assert format_of(tmp_path) == "released"
    other = tmp_path / "other.csv"
    other.write_text("a,b\n", "utf-8")
    with pytest.raises(ValueError, match="no format that is known"):
        format_of(other)
    with pytest.raises(FileNotFoundError):
        format_of(tmp_path / "nowhere")


def test_nothing_but_the_command_line_imports_the_readers():
    """import-linter holds it; here is that the contract is there."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = [
        c for c in project["tool"]["importlinter"]["contracts"] if c["id"] == "readers"
    ]
    assert contract["protected_modules"] == ["selfplay_kit.measure.readers"]
    assert contract["allowed_importers"] == ["selfplay_kit.cli.score"]


def test_files_that_editors_and_finders_touched(tmp_path):
    path = lewis(tmp_path, "", DEAL, SAME, "", "")
    path.write_text(path.read_text("utf-8").replace("\n", "\r\n"), "utf-8-sig")
    assert format_of(path) == "lewis" and len(read_lewis(path)) == 1
    folder = tmp_path / "released"
    write(folder, "000", game(*DEALT))
    for file in folder.rglob("*.*"):
        file.write_text(file.read_text("utf-8"), "utf-8-sig")
    for name in (".DS_Store", "._000.json", "000 (1).json", "desktop.ini"):
        (folder / "results" / name).write_bytes(b"\0\1")
    assert read_released(folder) == [game(*DEALT)]


@pytest.mark.parametrize("value", [None, 3, ["x"]])
def test_a_message_that_is_no_text_is_named(tmp_path, value):
    write(tmp_path, "000", game(*DEALT))
    path = tmp_path / "json_logs" / "000_p1.json"
    chat = json.loads(path.read_text("utf-8"))
    chat[2]["content"] = value
    path.write_text(json.dumps(chat), "utf-8")
    with pytest.raises(ValueError, match=r"000.json: message 2 of json_logs/000_p1"):
        read_released(tmp_path)


def test_a_file_of_another_encoding_is_explained(tmp_path):
    path = lewis(tmp_path, DEAL)
    path.write_text(DEAL, "utf-16")
    for read in (format_of, read_lewis):
        with pytest.raises(ValueError, match="Save it as UTF-8"):
            read(path)
