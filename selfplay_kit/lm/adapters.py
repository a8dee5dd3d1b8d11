"""LoRA adapters: a few million weights beside a model that stays as it is.

Low-rank updates of every linear layer (Hu et al. 2021, arXiv 2106.09685), by
``peft``. A *card* beside each adapter, and beside each model the kit saves, says
which weights it belongs to and how it is to be spoken to.
"""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

CARD = "selfplay_kit.json"
MERGE = (
    "Merge it into its base with peft (merge_and_unload, then save_pretrained) and "
    "load the whole model that this writes"
)
# what an adapter's configuration may say; everything else in it must be off, as it
# would change more than W to W + BA and be lost at play
PLAIN = set(
    "peft_type task_type base_model_name_or_path revision peft_version auto_mapping "
    "inference_mode r lora_alpha lora_dropout target_modules exclude_modules "
    "fan_in_fan_out use_rslora layers_to_transform layers_pattern rank_pattern "
    "alpha_pattern megatron_core qalora_group_size init_lora_weights "
    "target_parameters".split()
)
OFF: tuple = (None, False, "none", [], {})


def adapted(model: Any) -> bool:
    """Whether ``model`` carries an adapter."""
    return hasattr(model, "peft_config")


def rank(model: Any) -> int:
    """The rank of the model's adapter; 0 without one."""
    return model.peft_config["default"].r if adapted(model) else 0


def bare(model: Any) -> Any:
    """``model`` without the wrapper that an adapter puts around it; the adapted
    layers stay in it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def attach(model: Any, r: int, *, seed: int) -> Any:
    """``model`` with a new adapter of rank ``r`` on all linear layers but the head.

    It changes nothing until it is trained: its second factor is 0, its first is
    drawn from ``seed``. Its updates are scaled by 2. Only it is trained from now on.
    """
    import torch

    with _quiet():
        from peft import LoraConfig, get_peft_model

    if r < 1:
        raise ValueError(f"the rank of an adapter must be 1 or more; got {r}")
    how = LoraConfig(
        r=r, lora_alpha=2 * r, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with _quiet():
            return get_peft_model(model, how).eval()


@dataclass
class _Guard:
    """Who may change the state of a model: one thread at a time."""

    lock: Any = field(default_factory=threading.RLock)
    depth: int = 0  # blocks of at_work within each other


_guards: WeakKeyDictionary[Any, _Guard] = WeakKeyDictionary()
_any_guard = threading.Lock()


def _guard(model: Any) -> _Guard:
    with _any_guard:
        return _guards.setdefault(bare(model), _Guard())


@contextmanager
def alone(model: Any) -> Iterator[None]:
    """Within this block no other thread plays with ``model``, trains it, or changes
    its weights or attention; a second one waits. Blocks may lie within each other."""
    with _guard(model).lock:
        yield


@contextmanager
def at_work(model: Any) -> Iterator[None]:
    """Within this block the adapter is folded into the weights, for play; it is
    trained beside them, and is again what it was afterwards. One thread at a time.

    The folded weights are kept until the adapter changes or :func:`forget`. Over
    8- and 4-bit weights it stays beside them, in their precision of computing.
    """
    guard = _guard(model)
    with guard.lock:
        guard.depth += 1
        try:
            with _swapped(model) if guard.depth == 1 else nullcontext():
                yield
        finally:
            guard.depth -= 1


@contextmanager
def _swapped(model: Any) -> Iterator[None]:
    layers = _layers(model)
    trained = [p for n, p in model.named_parameters() if "lora_" in n]
    weights = [_weight(m) for m in layers]
    fold = all(w.is_floating_point() for w in weights)
    swapped = weights if fold else trained
    kept = [p.data for p in swapped]
    folded = _folded(model, layers, trained, fold)
    try:
        for p, t in zip(swapped, folded, strict=True):
            p.data = t
        for m in layers:
            m.merged_adapters += ["default"] if fold else []
        yield
    finally:
        for p, t in zip(swapped, kept, strict=True):
            p.data = t
        for m in layers:
            m.merged_adapters.clear()


def _folded(model: Any, layers: list, trained: list, fold: bool) -> list:
    if not fold:
        return [p.data.to(model.dtype) for p in trained]
    state = [(id(p), p._version) for p in trained]
    if model.__dict__.get("_folded", (None,))[0] != state:
        forget(model)
        made = []
        for m in layers:
            w = _weight(m).data
            made.append((w.float() + m.get_delta_weight("default")).to(w.dtype))
        model.__dict__["_folded"] = (state, made)
    return model.__dict__["_folded"][1]


def forget(model: Any) -> None:
    """Let go of folded weights, so that training has the memory."""
    model.__dict__.pop("_folded", None)


def save(model: Any, folder: Path, base: str) -> None:
    """Write the adapter alone; ``base`` is the name of the weights under it."""
    name, _, revision = ("" if Path(base).exists() else base).partition("@")
    model.peft_config["default"].base_model_name_or_path = name or base
    model.peft_config["default"].revision = revision or None
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form that nobody filled in


def load(model: Any, folder: Path) -> Any:
    """``model`` with the adapter in ``folder``, in fp32, to be trained further.
    ``ValueError`` where it can't be read, does not fit, or changes more than linear
    layers."""
    with _quiet():
        from peft import PeftModel, get_peft_model_state_dict, load_peft_weights

    if adapted(model):
        raise ValueError(f"the adapter in {folder} belongs on another one. {MERGE}.")
    _must_be_plain(folder)
    try:
        with _quiet():
            lora = PeftModel.from_pretrained(model, str(folder), is_trainable=True)
        held = set(load_peft_weights(str(folder), device="cpu"))
    except MemoryError:
        raise
    except Exception as e:
        raise ValueError(
            f"the adapter in {folder} can't be put on this model ({type(e).__name__}: "
            f"{e}). It may be damaged or cut short, or made for another architecture."
        ) from e
    wanted = set(get_peft_model_state_dict(lora, save_embedding_layers=False))
    if odd := sorted(held ^ wanted):
        raise ValueError(
            f"the adapter in {folder} was made for another architecture or is cut "
            f"short: {len(odd)} of its {len(held)} tensors have no layer here, or the "
            f"layer no tensor ({odd[0]}, ...)"
        )
    words = bare(lora).get_input_embeddings().weight
    if any(_weight(m) is words for m in _layers(lora)):
        raise ValueError(
            f"the adapter in {folder} changes the embeddings (or a head that shares "
            f"their weights), and this kit folds in linear layers alone. {MERGE}."
        )
    return lora.eval()


def _layers(model: Any) -> list[Any]:
    return [m for m in model.modules() if hasattr(m, "lora_A")]


def _weight(layer: Any) -> Any:
    """What an adapted layer updates: a linear layer's weight, or by its name a
    parameter that holds the experts of a mixture (``peft``'s ``ParamWrapper``)."""
    if name := getattr(layer, "parameter_name", None):
        return getattr(layer.get_base_layer(), name)
    return layer.base_layer.weight


def _must_be_plain(folder: Path) -> None:
    config = read_config(folder)
    if config.get("peft_type") != "LORA":
        raise ValueError(
            f"the adapter in {folder} is of type {config.get('peft_type')!r}, and this "
            f"kit plays LORA. {MERGE}, if its type can be merged."
        )
    odd = [k for k, v in config.items() if k not in PLAIN and v not in OFF]
    if config.get("init_lora_weights") not in (None, True, False, "gaussian"):
        odd.append("init_lora_weights")
    if odd:
        said = ", ".join(f"{k}={config[k]!r}" for k in odd)
        raise ValueError(
            f"the adapter in {folder} is more than plain LoRA ({said}), and this kit "
            f"would play it otherwise than it was trained. {MERGE}."
        )
    if not list(folder.glob("adapter_model.*")):
        raise ValueError(
            f"{folder} holds an adapter_config.json and no adapter_model.safetensors "
            "(or .bin): fetch or make it again"
        )
    whole = ["model.safetensors*", "pytorch_model*.bin", "model-*.safetensors"]
    if found := [f.name for pattern in whole for f in folder.glob(pattern)]:
        raise ValueError(
            f"{folder} holds an adapter and whole weights ({found[0]}): give each a "
            "folder of its own, so that it is clear which is meant"
        )


def read_config(folder: Path) -> dict[str, Any]:
    """``peft``'s own configuration of the adapter in ``folder``."""
    where = folder / "adapter_config.json"
    try:
        return json.loads(where.read_text("utf-8"))
    except ValueError as e:
        raise ValueError(
            f"{where} can't be read ({e}): it is damaged or cut short"
        ) from e


def base_of(folder: Path) -> str:
    """The name of the weights under the adapter in ``folder``: by its card, else by
    ``peft``'s configuration, with the revision that this names. ``ValueError`` where
    neither names them."""
    if base := read_card(folder).get("base"):
        return base
    config = read_config(folder)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not base:
        raise ValueError(
            f"the adapter in {folder} does not say on which weights it was trained: "
            "write their name into its adapter_config.json (base_model_name_or_path, "
            "and the commit as revision)"
        )
    if is_adapter(Path(base)):
        raise ValueError(
            f"the adapter in {folder} names {base} as its base, and that is an adapter "
            "itself: write the name of the whole model there"
        )
    return f"{base}@{revision}" if revision and not Path(base).is_dir() else base


def write_card(folder: Path, **about: Any) -> None:
    """Write the card."""
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8", newline="\n")


def read_card(folder: Path) -> dict[str, Any]:
    """The card of ``folder``, empty where there is none; ``ValueError`` if it can't
    be read."""
    where = folder / CARD
    if not where.exists():
        return {}
    try:
        return json.loads(where.read_text("utf-8"))
    except ValueError as e:
        raise ValueError(f"{where} can't be read ({e}): restore it") from e


def is_adapter(folder: Path) -> bool:
    """Whether ``folder`` holds an adapter and not a whole model."""
    return (folder / "adapter_config.json").exists()


def must_fit(folder: Path, card: dict[str, Any], base: str, source: str) -> None:
    """``ValueError`` unless the adapter in ``folder`` was made for these weights, as
    far as its card says; one without a card says nothing of the kind."""
    if card and card.get("source") != source:
        raise ValueError(
            f"the adapter in {folder} belongs to weights "
            f"{str(card.get('source'))[:12]} ({card.get('base') or 'unnamed'}); "
            f"{base} has {source[:12]}. An adapter only fits the weights that it was "
            "trained on: load those, or train a new one."
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what libraries say to each other: bitsandbytes, at import, which of
    its optional kernels are not there; peft, that it asks for a name of yesterday."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "Found missing adapter keys")  # an error here
        yield
