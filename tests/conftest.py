"""What all tests share: no network, one thread, the public data where it is."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks a hub for anything
for name in ("SELFPLAY_KIT_STRICT", "SELFPLAY_KIT_RESULTS"):
    os.environ.pop(name, None)  # a build may have set them; tests set their own

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "kit",
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("kit")

try:
    import torch
except ImportError:  # everything but the language models is tested without it
    pass
else:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def lewis2017():
    """The folder of Lewis et al.'s public data, which is never shipped."""
    folder = ROOT.parent / "shared" / "lewis2017"
    if not (folder / "selfplay.txt").exists():
        pytest.skip(f"no public data of Lewis et al. 2017 at {folder} (CC BY-NC 4.0)")
    return folder


def small_model(seed=3):
    """The tiny model's shape, smaller still: fifty thousand random weights."""
    from transformers import LlamaForCausalLM

    from selfplay_kit.learn import tiny
    from selfplay_kit.lm.models import LanguageModel, make_report

    config = tiny.make_model(0).config
    config.hidden_size, config.intermediate_size, config.head_dim = 64, 128, 16
    config.num_hidden_layers, config.initializer_range = 2, 0.1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
    report = make_report(model, "small", "fp32", "fp32", "cpu", "made from seed")
    return LanguageModel(model, tiny.make_tokenizer(), report, "short", 24)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A folder with a small model after a few lessons: it speaks in whole moves,
    agrees sometimes and errs sometimes. Made once a session, in some seconds."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from selfplay_kit.games.deal.rules import SEMI, scenarios
    from selfplay_kit.games.deal.scripted import Blind
    from selfplay_kit.games.play import play_games
    from selfplay_kit.learn.cloning import fine_tune, make_sample, views

    lm = small_model()
    games = play_games(Blind(), scenarios("train")[:100] * 2, SEMI, seed=0)
    lessons = [make_sample(v, lm) for v in views(games)]
    fine_tune(lm, lessons, epochs=4, lr=1.5e-2, lr_end=1e-3)
    folder = tmp_path_factory.mktemp("bases") / "lessons"
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def lm(tiny_base):
    """A fresh copy of :func:`tiny_base`, loaded: a test may train it."""
    from selfplay_kit.lm.models import load_model

    return load_model(tiny_base)
