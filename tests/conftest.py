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


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A folder with a tiny model after a few lessons: it speaks in whole moves,
    agrees sometimes and errs sometimes. Made once a session, in some seconds."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from selfplay_kit import tiny

    lm = tiny.blank(3)
    tiny.literate(lm, 3, steps=80, lr=5e-3, lr_end=2e-3)
    folder = tmp_path_factory.mktemp("bases") / "lessons"
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def lm(tiny_base):
    """A fresh copy of :func:`tiny_base`, loaded: a test may train it."""
    from selfplay_kit.models import load_model

    return load_model(tiny_base)
