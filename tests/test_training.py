"""The training loop: parts of a batch make the same step; what stops it says why."""

from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selfplay_kit.games.deal.rules import SEMI, scenarios  # noqa: E402
from selfplay_kit.games.deal.scripted import Fair  # noqa: E402
from selfplay_kit.games.play import play_games  # noqa: E402
from selfplay_kit.learn import training  # noqa: E402
from selfplay_kit.learn.cloning import make_sample, views  # noqa: E402
from selfplay_kit.learn.training import (  # noqa: E402
    IGNORE,
    Sample,
    TrainingError,
    fine_tune,
    weighted_loss,
)
from selfplay_kit.lm import adapters  # noqa: E402
from selfplay_kit.lm.decode import attention  # noqa: E402
from selfplay_kit.lm.models import load_model, weights_hash  # noqa: E402


@pytest.fixture(scope="module")
def lessons(tiny_base):
    lm = load_model(tiny_base)
    played = play_games(Fair(), scenarios("train")[:16], SEMI, seed=7)
    return [make_sample(v, lm) for v in views(played)]


def state(lm):
    return torch.cat([p.detach().flatten() for p in lm.model.parameters()])


@pytest.mark.parametrize("parts", [2, 3, 8, 50])
def test_parts_of_a_batch_make_the_same_gradient(lm, lessons, parts):
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    found = []
    for accumulate in (1, parts):
        lm.model.zero_grad()
        loss, count = training._gradients(
            lm, lessons[:9], weighted_loss, accumulate, scaler
        )
        grad = torch.cat([p.grad.flatten() for p in lm.model.parameters()])
        found.append((loss, count, grad))
    (loss, count, grad), (loss2, count2, grad2) = found
    assert count == count2 == sum(x != IGNORE for s in lessons[:9] for x in s.labels)
    assert loss2 == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(grad2, grad, rtol=1e-3, atol=1e-5)


def test_the_attention_of_play_teaches_what_the_ordinary_one_does(lm, lessons):
    some = sorted(lessons, key=lambda s: len(s.ids))[:: len(lessons) // 6]  # ragged
    found = []
    for within in (nullcontext, lambda: attention.grouped_attention(lm.model)):
        lm.model.zero_grad()
        with within():
            loss, _ = weighted_loss(lm, some)
            loss.backward()
        grads = torch.cat([p.grad.flatten() for p in lm.model.parameters()])
        found.append((loss.item(), grads))
    assert len({len(s.ids) for s in some}) > 1
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision, grouped", [("bf16", True), ("fp32", False)])
def test_half_precision_on_a_cpu_trains_by_the_attention_of_play(
    tiny_base, lessons, precision, grouped
):
    seen = []

    def loss_of(lm, chosen):
        seen.append(attention.attends_grouped(lm.model))
        return weighted_loss(lm, chosen)

    losses = []
    for checkpointing in (False, True):
        lm = load_model(tiny_base, precision)
        lm.model = adapters.attach(lm.model, 2, seed=0)
        how = {"epochs": 1, "checkpointing": checkpointing, "loss_of": loss_of}
        losses.append(fine_tune(lm, lessons, **how).losses)
        assert not attention.attends_grouped(lm.model)
    assert set(seen) == {grouped}
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_checkpointing_computes_the_same_and_is_left_as_it_was(tiny_base, lessons):
    one, two = load_model(tiny_base), load_model(tiny_base)
    before = state(one)
    a = fine_tune(one, lessons, epochs=1, lr=1e-3)
    b = fine_tune(two, lessons, epochs=1, lr=1e-3, checkpointing=True)
    assert a.losses == pytest.approx(b.losses, rel=1e-4)
    torch.testing.assert_close(state(one), state(two), rtol=1e-3, atol=1e-4)
    assert not torch.equal(state(one), before)
    assert not two.model.is_gradient_checkpointing and not two.model.training


def test_checkpointing_under_an_adapter(tiny_base, lessons):
    found = []
    for checkpointing in (False, True):
        lm = load_model(tiny_base)
        lm.model = adapters.attach(lm.model, 2, seed=0)
        fine_tune(lm, lessons, epochs=2, lr=1e-2, checkpointing=checkpointing)
        trained = [p for p in lm.model.parameters() if p.requires_grad]
        found.append(torch.cat([p.detach().flatten() for p in trained]))
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def scarce(room, error):
    """A loss that has no memory for more than ``room`` samples."""

    def loss_of(lm, chosen):
        if len(chosen) > room:
            raise error
        return weighted_loss(lm, chosen)

    return loss_of


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_names_the_batch_that_fits(lm, lessons, error):
    before = weights_hash(lm.model)
    with pytest.raises(TrainingError) as e:
        fine_tune(lm, lessons, batch=16, loss_of=scarce(5, error))
    assert "16 samples at once; 4 fit: accumulate=4" in str(e.value)
    assert weights_hash(lm.model) == before
    assert all(p.grad is None for p in lm.model.parameters())
    assert not lm.model.training
    done = fine_tune(lm, lessons, batch=16, accumulate=4, loss_of=scarce(5, error))
    assert done.losses


def test_out_of_memory_with_one_sample_says_so(lm, lessons):
    error = torch.OutOfMemoryError("out of memory")
    with pytest.raises(TrainingError, match="one alone does not fit either"):
        fine_tune(lm, lessons, batch=8, loss_of=scarce(0, error))


def test_another_error_is_not_taken_for_it(lm, lessons):
    with pytest.raises(RuntimeError, match="shapes") as e:
        fine_tune(lm, lessons, loss_of=scarce(0, RuntimeError("shapes differ")))
    assert not isinstance(e.value, TrainingError)


def test_a_loss_that_is_not_finite_in_a_part_takes_no_step(lm, lessons):
    before = weights_hash(lm.model)
    broken = Sample(lessons[0].ids, lessons[0].labels, float("nan"))
    with pytest.raises(TrainingError, match=r"loss is nan at step 0"):
        fine_tune(lm, [*lessons[:3], broken], batch=4, accumulate=2)
    assert weights_hash(lm.model) == before


def test_an_adapter_on_half_precision_learns_with_scaled_gradients(tiny_base, lessons):
    lm = load_model(tiny_base, "fp16")
    with pytest.raises(TrainingError, match=r"fp16 can't be trained .*lora=16"):
        fine_tune(lm, lessons)
    lm.model = adapters.attach(lm.model, 4, seed=0)
    done = fine_tune(lm, lessons, epochs=12, lr=1e-2)
    assert sum(done.losses[-4:]) < sum(done.losses[:4])
    assert {p.dtype for p in lm.model.parameters() if p.requires_grad} == {
        torch.float32
    }


@pytest.mark.parametrize("given", ["bf16", "fp16"])
def test_whole_weights_in_half_precision_are_refused_with_the_remedy(
    tiny_base, lessons, given
):
    lm = load_model(tiny_base, given)
    before = weights_hash(lm.model)
    with pytest.raises(TrainingError, match=rf"in {given} can't .*lora=16.*fp32"):
        fine_tune(lm, lessons, epochs=1)
    assert weights_hash(lm.model) == before
    lm.model = adapters.attach(lm.model, 2, seed=0)
    training.must_be_trainable(lm)


@pytest.mark.parametrize("lora", [0, 2])
def test_nearly_all_that_is_trained_moves(tiny_base, lessons, lora):
    """At the default rate, in fp32 whole and in bf16 by an adapter."""
    lm = load_model(tiny_base, "bf16" if lora else "fp32")
    if lora:
        lm.model = adapters.attach(lm.model, lora, seed=0)
    trained = [p for p in lm.model.parameters() if p.requires_grad and p.dim() > 1]
    before = [p.detach().clone() for p in trained]
    fine_tune(lm, lessons, epochs=1)
    moved = sum((p != b).sum().item() for p, b in zip(trained, before, strict=True))
    assert moved > 0.95 * sum(p.numel() for p in trained)
