"""The tiny model: its words cover what is said, its shape, its lessons."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from experiments import bases  # noqa: E402
from selfplay_kit.games.deal import phrasebook, scripted  # noqa: E402
from selfplay_kit.games.deal.kind import DEAL  # noqa: E402
from selfplay_kit.games.deal.protocol import ERRORS, parse, propose  # noqa: E402
from selfplay_kit.games.deal.rules import SEMI, scenarios  # noqa: E402
from selfplay_kit.games.play import play_games  # noqa: E402
from selfplay_kit.learn import tiny  # noqa: E402
from selfplay_kit.lm.models import load_model, weights_hash  # noqa: E402

from . import strategies  # noqa: E402


@pytest.fixture(scope="module")
def words():
    return tiny.make_tokenizer()


def tokens(words, text):
    return words.convert_ids_to_tokens(words(text, add_special_tokens=False).input_ids)


def test_the_vocabulary_is_small_and_without_doubles():
    found = tiny.vocabulary()
    assert len(found) == len(set(found)) and 100 <= len(found) <= 130
    assert found[:6] == tiny.SPECIAL
    for word in ("2 books", "1 book", "0 hats", "4 balls", "=10", "[error no_prefix]"):
        assert word in found
    assert not {"1 books", "2 book", "5 books"} & set(found)


def test_a_count_and_its_item_are_one_token(words):
    found = tokens(words, "[propose] (2 books, 1 hat, 0 balls)")
    assert found == ["[propose]", "(", "2 books", ",", "1 hat", ",", "0 balls", ")"]


@given(st.data())
def test_a_proposal_survives_the_tokens(data):
    words = tiny.make_tokenizer()
    s = data.draw(strategies.scenarios())
    share = data.draw(strategies.shares(s.counts))
    ids = words(propose(share), add_special_tokens=False).input_ids
    assert parse(words.decode(ids), s.counts).share == share


def test_every_phrase_survives_the_tokens(words):
    said = []
    for share in [(0, 0, 1), (1, 1, 1), (2, 1, 0), (4, 1, 2)]:
        split = phrasebook.split_words(share)
        for phrase in (
            phrasebook.OFFERS_MINE + phrasebook.OFFERS_YOURS + phrasebook.ACCEPTS
        ):
            said.append(phrase.format(s=split))
        said.append(phrasebook.say_values((share[0] + 6, share[1], share[2])))
    said += phrasebook.REFUSALS + phrasebook.GREETINGS + phrasebook.QUESTIONS
    for text in said:
        ids = words(f"[message] {text}", add_special_tokens=False).input_ids
        assert words.unk_token_id not in ids, text
        back = words.decode(ids, skip_special_tokens=True)
        assert back.split() == f"[message] {text}".split(), text
        assert phrasebook.hear(back) == phrasebook.hear(text)


def test_nothing_that_the_scripts_say_is_unknown(words):
    for noise in (0.0, 0.7):
        games = tiny.script_games(
            150, seed=1, noise=noise, slip=0.3, tempers=tuple(scripted.NEGOTIATORS)
        )
        texts = {m.text for t in games for m in t.moves}
        assert len(texts) > 300
        for text in texts:
            assert tiny.UNKNOWN not in tokens(words, text), text


def test_moves_fit_into_a_move_and_games_into_the_window(words):
    lm = tiny.blank(0)
    games = tiny.script_games(100, seed=2, tempers=tuple(scripted.NEGOTIATORS))
    longest = max(len(tokens(words, m.text)) for t in games for m in t.moves)
    assert longest + 1 <= lm.max_new_tokens
    window = lm.model.config.max_position_embeddings
    assert window > 50 * (2 * lm.max_new_tokens + 4)


def test_the_shape():
    lm = tiny.blank(0)
    assert 0.7e6 < lm.report.parameters < 0.9e6
    assert lm.model.config.vocab_size == len(tiny.vocabulary())
    assert lm.style == "short" and lm.max_new_tokens == 24


def test_a_blank_model_is_its_seed():
    torch.manual_seed(0)
    a = weights_hash(tiny.make_model(1))
    torch.manual_seed(7)
    before = torch.get_rng_state()
    assert a == weights_hash(tiny.make_model(1)) != weights_hash(tiny.make_model(2))
    assert torch.equal(before, torch.get_rng_state())


# Script games -------------------------------------------------------------------------


def test_script_games_are_of_the_training_split_and_reproducible():
    games = tiny.script_games(60, seed=5)
    train = set(scenarios("train"))
    assert len(games) == 60 and all(t.scenario in train for t in games)
    assert games == tiny.script_games(60, seed=5) != tiny.script_games(60, seed=6)
    assert len({t.objective for t in games}) > 5
    assert {-1, 0, 1} <= {t.objective.lam for t in games}
    assert {n for t in games for n in t.players} == set(tiny.TEMPERS)


def test_slips_make_every_error_and_games_go_on():
    games = tiny.script_games(300, seed=5, slip=0.3)
    errors = {m.error for t in games for m in t.moves}
    assert errors == {None, *ERRORS}
    assert not any(t.aborted for t in games)
    clean = tiny.script_games(50, seed=5, slip=0)
    assert not any(m.error for t in clean for m in t.moves)


def test_slips_come_about_as_often_as_asked():
    games = tiny.script_games(200, seed=5, slip=0.1)
    moves = [m for t in games for m in t.moves]
    assert 0.05 < sum(bool(m.error) for m in moves) / len(moves) < 0.13


def test_a_slipping_player_is_never_wrong_twice_running():
    player = tiny.Slipping(scripted.Fair(), 1.0)
    games = play_games(player, scenarios("train")[:20], SEMI, seed=0)
    for t in games:
        for a, b in zip(t.moves, t.moves[1:], strict=False):
            assert not (a.error and b.error)


@given(strategies.games(over=False), st.integers(0, 99))
def test_a_slip_is_an_output(game, seed):
    if not game.over:
        text = DEAL.slip(game.position(), random.Random(seed))
        assert isinstance(text, str) and game.submit(text)


# Lessons and files --------------------------------------------------------------------


def test_lessons_lower_the_loss_and_are_reproducible():
    from .conftest import small_model

    done = [bases.literate(lm, 1, steps=12, batch=8) for lm in map(small_model, (0, 0))]
    assert done[0] == done[1] and len(done[0].losses) == 12
    assert done[0].losses[-1] < 0.8 * done[0].losses[0]


def test_a_base_is_saved_in_half_precision_and_loads_as_it_was(tmp_path):
    lm = tiny.blank(4)
    before = weights_hash(lm.model)
    bases.save_base(lm, tmp_path / "base")
    lm.tokenizer.save_pretrained(tmp_path / "base")
    assert weights_hash(lm.model) == before, "saving changes nothing"
    back = load_model(tmp_path / "base")
    for name, weight in lm.model.state_dict().items():
        kept = back.model.state_dict()[name]
        assert kept.dtype == torch.float32
        assert torch.equal(kept, weight.half().float())
    size = (tmp_path / "base" / "model.safetensors").stat().st_size
    assert size < 2.1 * lm.report.parameters + 20_000
    bases.save_base(back, tmp_path / "again")
    again = (tmp_path / "again" / "model.safetensors").read_bytes()
    assert again == (tmp_path / "base" / "model.safetensors").read_bytes()


def test_every_recipe_can_be_followed():
    names = list(bases.RECIPES)
    for i, (name, recipe) in enumerate(bases.RECIPES.items()):
        assert recipe.start is None or recipe.start in names[:i], name
        assert 0 <= recipe.noise <= 1 and 0 <= recipe.slip <= 1 and recipe.steps > 0
