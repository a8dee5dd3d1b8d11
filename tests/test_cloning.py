"""Filtered cloning: what is kept, what is learned, and what never is."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.games.deal.game import Game  # noqa: E402
from selfplay_kit.games.deal.protocol import Move, accepted_text, propose  # noqa: E402
from selfplay_kit.games.deal.rules import (  # noqa: E402
    COOP,
    SEMI,
    STRICT,
    Objective,
    Scenario,
    scenarios,
)
from selfplay_kit.games.deal.scripted import Fair  # noqa: E402
from selfplay_kit.games.play import play_games  # noqa: E402
from selfplay_kit.learn import training  # noqa: E402
from selfplay_kit.learn.cloning import (  # noqa: E402
    FILTERS,
    IGNORE,
    Sample,
    TrainingError,
    View,
    fine_tune,
    make_sample,
    views,
)
from selfplay_kit.lm.dialogue import dialogue  # noqa: E402
from selfplay_kit.lm.models import weights_hash  # noqa: E402
from selfplay_kit.lm.player import LMPlayer  # noqa: E402

from . import strategies  # noqa: E402
from .conftest import small_model  # noqa: E402

S = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
EVEN = Scenario((2, 2, 1), ((2, 2, 2), (2, 2, 2)))


def game(*moves, scenario=S, objective=SEMI, first=0):
    state = Game(scenario, objective, first)
    for move in moves:
        state = state.submit(move)
    return state.transcript()


def deal(share, **how):
    rest = how.get("scenario", S).complement(share)
    return game("[message] a", "[message] b", propose(share), propose(rest), **how)


NO_DEAL = game("[message] a", propose((3, 1, 1)), propose((3, 1, 1)))


def kept(name, *games):
    found = FILTERS[name](views(games), random.Random(0))
    return [(games.index(v.transcript), v.seat) for v in found]


# Filters, by hand -----------------------------------------------------------------

# rewards: (5, 8), (3, 6), (0, 0): mean 22 / 6 = 3.67
THREE = (deal((1, 0, 1)), deal((0, 1, 0)), NO_DEAL)


def test_views_are_both_sides_of_every_game():
    all_views = views(THREE)
    assert [v.reward for v in all_views] == [5, 8, 3, 6, 0, 0]
    assert [v.seat for v in all_views] == [0, 1] * 3


def test_above_mean_is_strict_and_pools_both_seats():
    assert kept("above_mean", *THREE) == [(0, 0), (0, 1), (1, 1)]
    same = deal((2, 1, 0), scenario=EVEN), deal((1, 1, 0), scenario=EVEN)
    assert [t.points for t in same] == [(6, 4), (4, 6)]
    assert kept("above_mean", *same) == [(0, 0), (1, 1)]
    assert kept("above_mean", NO_DEAL) == []
    tie = deal((1, 1, 0), scenario=S)  # (4, 4): nobody is above the mean of 4
    assert tie.points == (4, 4) and kept("above_mean", tie) == []


def test_above_mean_counts_rewards_not_points():
    games = [deal((1, 0, 1), objective=COOP), deal((0, 1, 0), objective=COOP)]
    assert kept("above_mean", *games) == [(0, 0), (0, 1)]  # 13, 13 against 9, 9


def test_the_strict_exception_keeps_agreed_ties():
    win = deal((1, 0, 1), objective=STRICT)  # -3, 3
    tie = deal((1, 1, 0), objective=STRICT)  # 4 and 4
    nothing = game("[message] a", *["?"] * 5, objective=STRICT)
    assert tie.points == (4, 4)
    assert kept("above_mean", win, tie, nothing) == [(0, 1), (1, 0), (1, 1)]
    # only under strict competition
    assert kept("above_mean", deal((1, 1, 0)), NO_DEAL) == [(0, 0), (0, 1)]
    loose = [deal((1, 0, 1)), deal((1, 1, 0))]  # 5, 8 and 4, 4: mean 5.25
    assert kept("above_mean", *loose) == [(0, 1)]


def test_nonzero():
    assert kept("nonzero", *THREE) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    win = deal((1, 0, 1), objective=STRICT)
    assert kept("nonzero", win) == [(0, 1)]


def test_top_quarter():
    four = (*THREE, deal((0, 0, 1)))  # and (4, 10)
    assert sorted(kept("top_quarter", *four)) == [(0, 1), (3, 1)]
    nothing = [NO_DEAL] * 8
    rng = random.Random(0)
    assert len(FILTERS["top_quarter"](views(nothing), rng)) == 4
    ends = propose((1, 0, 1)), propose((2, 1, 0))
    all_views = views([game(f"[message] {i}", *ends, objective=COOP) for i in range(8)])
    drawn = {
        tuple(all_views.index(v) for v in FILTERS["top_quarter"](all_views, rng))
        for rng in map(random.Random, range(5))
    }
    assert len(drawn) > 1, "ties are broken by chance"


def test_everything():
    assert kept("everything", *THREE) == [(i, p) for i in range(3) for p in (0, 1)]


def test_either_above_mean_keeps_the_winners_and_their_partners():
    lopsided = deal((0, 1, 0))  # (3, 6) beside (5, 8) and nothing
    assert kept("above_mean", *THREE) == [(0, 0), (0, 1), (1, 1)]
    both = [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert kept("either_above_mean", *THREE) == both
    assert kept("either_above_mean", lopsided) == [(0, 0), (0, 1)]
    assert kept("either_above_mean", NO_DEAL, NO_DEAL) == []


def test_drawn_keeps_as_many_as_it_is_told_by_chance():
    games = play_games(Fair(0.5), scenarios("train")[:60], SEMI, seed=0)
    all_views = views(games)
    wanted = FILTERS["above_mean"](all_views, random.Random(0))
    count = len(wanted)
    drawn = [FILTERS["drawn"](all_views, random.Random(s), count) for s in (1, 1, 2)]
    assert len(drawn[0]) == len(wanted) and drawn[0] == drawn[1] != drawn[2]
    assert len({(id(v.transcript), v.seat) for v in drawn[0]}) == len(drawn[0])
    mean = sum(v.reward for v in drawn[0]) / len(wanted)
    assert mean < sum(v.reward for v in wanted) / len(wanted) - 1


@pytest.mark.parametrize("count", [0, -1, 7])
def test_drawn_says_how_many_there_are(count):
    with pytest.raises(ValueError, match=f"draw {count} of 6 views"):
        FILTERS["drawn"](views(THREE), random.Random(0), count)


@pytest.mark.parametrize("lam", [-0.9, -0.3, -0.1, 0.1, 0.2, 0.3, 0.7, 0.9])
def test_equal_rewards_are_never_above_their_mean(lam):
    """In floats, the sum of equal rewards over their number may fall below them."""
    objective = Objective(lam)
    deals = [deal((1, 0, 1), objective=objective), deal((0, 1, 0), objective=objective)]
    for games in (deals[:1] * 3, deals[:1] * 7, deals[1:] * 11):
        one = [View(t, 0) for t in games]
        assert len({v.reward for v in one}) == 1 and one[0].reward
        for name in ("above_mean", "above_scenario_mean"):
            assert FILTERS[name](one, random.Random(0)) == []


def test_above_scenario_mean_compares_with_the_same_luck():
    low, high = deal((0, 1, 0)), deal((1, 0, 1))  # seat 0: 3 and 5; seat 1: 6 and 8
    other = deal((1, 1, 1), scenario=EVEN)
    assert kept("above_scenario_mean", low, high, other) == [(1, 0), (1, 1)]
    assert kept("above_scenario_mean", high, other) == []


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "drawn"])
@given(games=st.lists(strategies.transcripts(), max_size=6), seed=st.integers(0, 9))
@settings(max_examples=15)
def test_a_filter_chooses_among_the_views(name, games, seed):
    all_views = views(games)
    chosen = FILTERS[name](all_views, random.Random(seed))
    assert chosen == FILTERS[name](all_views, random.Random(seed))
    assert len(chosen) <= len(all_views) and all(v in all_views for v in chosen)


# Samples ----------------------------------------------------------------------------


def labelled(sample, lm):
    ids = [x for x in sample.labels if x != IGNORE]
    return " ".join(lm.tokenizer.convert_ids_to_tokens(ids))


def test_only_own_accepted_moves_carry_loss_with_their_stop_token():
    lm = small_model()
    t = game(
        "oops",
        "[message] hi !",
        "[message] no .",
        propose((1, 0, 1)),
        "[message] deal",
        propose((2, 1, 0)),
    )
    zero, one = (make_sample(View(t, seat), lm) for seat in (0, 1))
    assert labelled(zero, lm) == (
        "[message] hi ! <end> [propose] ( 1 book , 0 hats , 1 ball ) <end>"
    )
    assert labelled(one, lm) == (
        "[message] no . <end> [propose] ( 2 books , 1 hat , 0 balls ) <end>"
    )
    for sample in (zero, one):
        told = " ".join(lm.tokenizer.convert_ids_to_tokens(sample.ids))
        assert "[error" not in told and "oops" not in told
        assert sample.labels[-1] == sample.ids[-1] == lm.stop


def test_with_tries_they_stand_in_the_context_without_loss():
    lm = small_model()
    t = game("no .", "[message] hi !", propose((1, 0, 1)), propose((2, 1, 0)))
    sample = make_sample(View(t, 0), lm, tries=True, weight=0.5)
    told = " ".join(lm.tokenizer.convert_ids_to_tokens(sample.ids))
    assert "<me> no . <end> <you> [error no_prefix] <end> <me> [message] hi !" in told
    assert labelled(sample, lm).startswith("[message] hi ! <end>")
    assert sample.weight == 0.5


def test_a_side_that_never_spoke_well_has_nothing_to_learn():
    lm = small_model()
    sample = make_sample(View(game(*["?"] * 5), 0), lm)
    assert set(sample.labels) <= {IGNORE}
    assert make_sample(View(game(*["?"] * 5), 1), lm).ids == ()


LM = []


@given(strategies.transcripts(), st.integers(0, 1), st.booleans())
@settings(max_examples=60)
def test_samples_of_any_game(t, seat, tries):
    lm = LM[0] if LM else LM.append(small_model()) or LM[0]
    sample = make_sample(View(t, seat), lm, tries=tries)
    assert len(sample.ids) == len(sample.labels)
    assert all(x in (IGNORE, i) for i, x in zip(sample.ids, sample.labels, strict=True))
    mine = [m for m in t.moves if m.seat == seat and not m.error]
    if tries:  # then a sampled move that the protocol cut is context alone
        mine = [
            m for m in mine if not m.tokens or accepted_text(m.text) == m.text.strip()
        ]
    if accepted := len(mine):
        assert sample.labels[-1] == sample.ids[-1], "nothing ends in the partner's turn"
        runs = "".join("m" if x != IGNORE else " " for x in sample.labels).split()
        assert len(runs) == accepted
    else:
        assert sample.ids == ()


def without_tries(t):
    moves = tuple(m for m in t.moves if not m.error)
    return type(t)(**{f: getattr(t, f) for f in t.__slots__} | {"moves": moves})


def test_training_sees_what_was_sampled(lm):
    """The ids of a sample are the dialogue's, which are the row's."""
    games = play_games(LMPlayer(lm), scenarios("train")[::100], SEMI, seed=0)
    seen = 0
    for v in views(games):
        own = [m for m in v.transcript.moves if m.seat == v.seat]
        position = v.transcript.replay().position(v.seat)
        row = [i for turn in dialogue(lm, position) for i in turn.ids]
        with_tries = make_sample(v, lm, tries=True)
        assert list(with_tries.ids) == row[: len(with_tries.ids)]
        sample = make_sample(v, lm)
        if not any(m.error for m in own):
            assert list(sample.ids) == row[: len(sample.ids)]
        wanted = [x for m in own if not m.error for x in m.tokens]
        assert [x for x in sample.labels if x != IGNORE] == wanted
        seen += bool(wanted)
    assert seen > 20


def test_what_the_protocol_cut_is_not_learned():
    lm = small_model()
    end = lm.encode("[END]")
    said = propose((1, 0, 1))
    for text, learned in (
        (f"{said} [END]", said),
        (f"{said}\n[message] thanks", said),
        (f"{said} [END]\nmore", said),
        (f"[ Propose ] {said[10:]}\nthanks", f"[ Propose ] {said[10:]}"),
        (f"{said} <me> <sys>", said),  # control tokens, which are not in the text
    ):
        cut = text.partition("<")[0].strip()
        t = game(
            "[message] hi ! [END]",
            "[message] no .",
            Move(cut, (*lm.encode(text), *end, lm.stop)),
            propose((2, 1, 0)),
        )
        sample = make_sample(View(t, 0), lm)
        clean = make_sample(
            View(
                game("[message] hi !", "[message] no .", learned, propose((2, 1, 0))), 0
            ),
            lm,
        )
        assert sample == clean


# Fine-tuning ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lessons():
    games = play_games(Fair(), scenarios("train")[:24], SEMI, seed=0)
    lm = small_model()
    return [make_sample(v, lm) for v in views(games)]


def test_fine_tuning_lowers_the_loss_and_leaves_the_model_in_eval_mode(lessons):
    lm = small_model()
    before = weights_hash(lm.model)
    told = []
    done = fine_tune(
        lm, lessons, epochs=6, lr=5e-3, batch=8, on_step=lambda *a: told.append(a)
    )
    assert len(done.losses) == 36 and done.samples == len(lessons) == 48
    assert sum(done.losses[-4:]) < 0.7 * sum(done.losses[:4])
    assert done.losses[0] == pytest.approx(math.log(107), rel=0.25)
    assert not lm.model.training and weights_hash(lm.model) != before
    assert [(a, b) for a, b, _ in told] == [(i, 36) for i in range(1, 37)]
    assert [c for _, _, c in told] == list(done.losses)
    assert done.tokens == 6 * sum(x != IGNORE for s in lessons for x in s.labels)


def test_fine_tuning_is_deterministic_and_leaves_global_chance_alone(lessons):
    def tune(seed):
        lm = small_model()
        losses = fine_tune(lm, lessons, epochs=1, batch=8, seed=seed).losses
        return losses, weights_hash(lm.model)

    torch.manual_seed(1)
    random.seed(1)
    before = torch.get_rng_state(), random.getstate()
    once = tune("a")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    torch.manual_seed(2)
    assert once == tune("a")
    assert once[1] != tune("b")[1]


def test_the_loss_is_that_of_plain_logits():
    """The head at labelled positions alone, padding and all: the same number."""
    lm = small_model()
    samples = [
        Sample((5, 6, 7, 8, 9), (IGNORE, IGNORE, 7, IGNORE, 9)),
        Sample((5, 6, 7), (IGNORE, 6, 7)),
    ]
    loss, count = training.weighted_loss(lm, samples)
    each = []
    for s in samples:
        logits = lm.model(input_ids=torch.tensor([s.ids])).logits[0].log_softmax(-1)
        each += [
            -logits[i - 1, x].item() for i, x in enumerate(s.labels) if x != IGNORE
        ]
    assert count == len(each) == 4
    assert loss.item() == pytest.approx(sum(each) / 4, rel=1e-5)


def test_a_weight_scales_a_samples_loss():
    lm = small_model()
    plain = Sample((5, 6, 7), (IGNORE, 6, 7))
    half = Sample((5, 6, 7), (IGNORE, 6, 7), 0.5)
    a, b = (training.weighted_loss(lm, [s])[0].item() for s in (plain, half))
    assert b == pytest.approx(a / 2)


@pytest.mark.parametrize("size", [1, 5, 16, 17, 100])
@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 33, 531])
def test_each_sample_is_passed_over_as_often_as_there_are_epochs(count, size):
    samples = [Sample((0,) * (i % 7), ()) for i in range(count)]
    batches = training._batches(samples, 3, size, random.Random(0))
    passes = Counter(i for chosen in batches for i in chosen)
    assert passes == dict.fromkeys(range(count), 3)
    assert max(map(len, batches)) <= size
    within = batches[: math.ceil(count / size)]
    if count <= 32 * size:
        assert max(map(len, within)) - min(map(len, within)) <= 1


def test_training_has_a_chance_of_its_own(tmp_path, lessons):
    """A model with dropout comes to the same weights, and torch's own state outside
    is what it was."""
    found = []
    for seed, around in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(around)
        lm = small_model()
        for layer in lm.model.model.layers:
            layer.mlp.down_proj = torch.nn.Sequential(
                layer.mlp.down_proj, torch.nn.Dropout(0.3)
            )
        before = torch.random.get_rng_state()
        done = fine_tune(lm, lessons, epochs=1, batch=8, seed=seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        found.append((weights_hash(lm.model), done.losses))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"accumulate": 0}])
def test_training_that_can_not_be_is_refused(lessons, wrong):
    with pytest.raises(ValueError, match="epochs is above 0"):
        fine_tune(small_model(), lessons, **wrong)


@pytest.mark.parametrize("epochs", [0.5, 1, 2.5])
def test_epochs_are_passes_over_all_samples(lessons, epochs):
    seen = []
    for chosen in training._batches(lessons, epochs, 8, random.Random(0)):
        seen += chosen
    assert len(seen) == epochs * 48
    for start in range(0, len(seen) - 47, 48):
        assert sorted(seen[start : start + 48]) == list(range(48))


def test_the_rate_falls_as_a_cosine(lessons, monkeypatch):
    rates = []
    step = torch.optim.AdamW.step

    def noted(self, *a, **k):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *a, **k)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    fine_tune(small_model(), lessons, epochs=1, lr=1e-3, lr_end=1e-4, batch=12)
    wanted = [1e-4 + 9e-4 * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(4)]
    assert rates == pytest.approx(wanted)


@pytest.mark.parametrize("samples", [[], [Sample((), ())], [Sample((1,), (IGNORE,))]])
def test_nothing_to_learn_from_is_a_training_error(samples):
    with pytest.raises(TrainingError, match="no sample to learn from"):
        fine_tune(small_model(), samples)


def test_a_loss_that_is_not_finite_stops_before_the_step(lessons):
    lm = small_model()
    with torch.no_grad():
        lm.model.model.norm.weight[0] = float("nan")
    before = weights_hash(lm.model)
    with pytest.raises(TrainingError, match=r"step 0 of .*lower.* 0\.001"):
        fine_tune(lm, lessons)
    assert weights_hash(lm.model) == before and not lm.model.training


def test_what_is_cloned_is_said():
    """The point of it all: after cloning one game, the model plays it."""
    lm = small_model()
    t = game("[message] hi !", "[message] no .", propose((1, 0, 1)), propose((2, 1, 0)))
    samples = [make_sample(v, lm) for v in views([t])] * 4
    fine_tune(lm, samples, epochs=40, lr=5e-3, batch=8)
    player = LMPlayer(lm, temperature=0)
    (again,) = play_games(player, [S], SEMI, seed=0, firsts=[0])
    assert [m.text.split() for m in again.moves[:2]] == [
        ["[message]", "hi", "!"],
        ["[message]", "no", "."],
    ]
    assert again.points == t.points == (5, 8)
