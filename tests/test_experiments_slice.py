"""A slice of the recorded runs is remade, exactly where the arithmetic is the same."""

import json

import pytest

torch = pytest.importorskip("torch")

from experiments import slice as part  # noqa: E402
from selfplay_kit import data  # noqa: E402
from selfplay_kit.learn.rounds import Config, draw_scenarios  # noqa: E402

EVERYWHERE = ("scenarios", "first")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def recorded():
    return json.loads(data.path("reference/slice.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def remade():
    return part.play()


def test_the_recorded_slice_is_of_the_configuration_that_is_remade(recorded):
    assert Config(**recorded["config"]) == part.CONFIG
    assert len(recorded["rounds"]) == part.CONFIG.rounds + 1


def test_what_is_drawn_is_the_same_on_every_machine(recorded, remade):
    for ours, theirs in zip(remade, recorded["rounds"], strict=True):
        assert [ours[k] for k in EVERYWHERE] == [theirs[k] for k in EVERYWHERE]
        assert len(ours["points"]) == part.CONFIG.games


def test_every_game_is_remade_where_the_arithmetic_is_the_same(recorded, remade):
    here = part.machine()
    differs = [k for k, v in recorded["machine"].items() if here[k] != v]
    if differs:
        pytest.skip(f"recorded on a machine with other {', '.join(differs)}")
    assert remade == recorded["rounds"]


def test_a_run_is_a_function_of_its_configuration():
    config = Config(base="tiny-weak", rounds=1, games=24, seed=3)
    once = part.play(config)
    assert once == part.play(config)
    other = draw_scenarios(Config(base="tiny-weak", games=24, seed=4), 0)
    assert part.digest(repr(s) for s in other) != once[0]["scenarios"]
