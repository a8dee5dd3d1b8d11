"""The golden play-throughs, played again (``python -m tests.golden`` rewrites)."""

import pytest

from selfplay_kit.games.deal.game import Transcript
from selfplay_kit.games.deal.protocol import ERRORS

from . import golden

GAMES = dict(golden.games())


@pytest.mark.parametrize("name", GAMES)
def test_a_game_reads_as_it_did(name):
    kept = (golden.FOLDER / f"{name}.txt").read_text("utf-8")
    assert golden.trace(name, GAMES[name]) == kept


def test_no_trace_is_left_over():
    assert {f.stem for f in golden.FOLDER.glob("*.txt")} == set(GAMES)


@pytest.mark.parametrize("name", GAMES)
def test_the_record_in_the_file_replays(name):
    last = (golden.FOLDER / f"{name}.txt").read_text("utf-8").split("\n")[-2]
    assert Transcript.from_json(last).replay().moves == GAMES[name].moves


def test_the_traces_show_every_error_and_every_end():
    assert {m.error for g in GAMES.values() for m in g.moves} == {None, *ERRORS}
    assert {(g.agreed, g.aborted) for g in GAMES.values()} == {
        (True, False),
        (False, True),
        (False, False),
    }
