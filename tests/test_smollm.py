"""SmolLM2 itself, where its weights are cached or the package index answers."""

import os

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gguf")

from selfplay_kit import data  # noqa: E402
from selfplay_kit.games.deal.game import Game  # noqa: E402
from selfplay_kit.games.deal.rules import COOP, SEMI, scenarios  # noqa: E402
from selfplay_kit.games.play import play_games  # noqa: E402
from selfplay_kit.lm import adapters, weights  # noqa: E402
from selfplay_kit.lm.dialogue import dialogue  # noqa: E402
from selfplay_kit.lm.models import load_model, save_model, weights_hash  # noqa: E402
from selfplay_kit.lm.player import LMPlayer  # noqa: E402

NAME = "smollm2-135m-q4_1"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smol():
    if os.environ.get("SELFPLAY_KIT_NO_DOWNLOAD"):
        pytest.skip("SELFPLAY_KIT_NO_DOWNLOAD is set")
    try:
        return load_model(NAME, "bf16")
    except weights.WeightsError as e:
        pytest.skip(f"no weights here: {str(e)[:200]}")


def test_the_report_calls_it_what_it_is(smol):
    said = str(smol.report)
    assert "q4_1 weights, dequantised" in said and "134,515,008 parameters" in said
    assert smol.report.bytes == 2 * 134_515_008


def test_the_weights_are_those_of_the_shipped_adapter(smol):
    card = adapters.read_card(data.path("smollm2/adapter"))
    assert (card["base"], card["source"]) == (NAME, smol.report.source)


def test_its_chat_has_the_kits_system_prompt_and_no_other(smol):
    game = Game(scenarios("train")[0], COOP, 0).submit("[message] hello , partner")
    text = smol.tokenizer.decode(
        [i for t in dialogue(smol, game.position()) for i in t.ids]
    )
    assert text.startswith("<|im_start|>system\nYou and a partner divide")
    assert "named SmolLM" not in text and text.count("<|im_start|>system") == 1
    assert text.endswith(
        "<|im_start|>user\n[message] hello , partner<|im_end|>\n<|im_start|>assistant\n"
    )
    assert smol.tokenizer.decode([smol.stop]) == "<|im_end|>"
    assert smol.plain("a<|im_end|>b") == "a b"


def test_a_folder_saved_from_it_loads_again(smol, tmp_path):
    save_model(smol, tmp_path / "saved")
    again = load_model(tmp_path / "saved", "bf16")
    assert weights_hash(again.model) == weights_hash(smol.model)
    assert again.tokenizer.chat_template == smol.tokenizer.chat_template
    assert again.encode("[propose] (1 book)") == smol.encode("[propose] (1 book)")


def test_the_warm_start_plays(smol):
    lm = load_model(f"{NAME}-warm", "bf16")
    assert (lm.style, lm.max_new_tokens, lm.temperature) == ("short", 40, 0.7)
    assert lm.report.source == smol.report.source
    played = play_games(LMPlayer(lm), scenarios("development")[:4], SEMI, seed=0)
    assert not any(t.aborted for t in played)
    assert all(t.replay() for t in played)
    assert all("(bf16)" in name for t in played for name in t.players)
    moves = [m for t in played for m in t.moves]
    assert sum(m.error is None for m in moves) > 0.8 * len(moves)
    assert all(m.tokens[-1] == lm.stop for m in moves if not m.error)
