"""From a name to a loaded language model, with a report of what was given.

A model is a tokenizer, a chat template and a causal LM from ``transformers``;
the kit's own tiny model comes the same way. This module knows no game. What was
asked and what was given both stand in the :class:`Report`, which travels into
transcripts and run folders: there is no silent fallback.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from .. import data
from . import adapters, weights
from .chat import ChatFormat
from .precision import Machine, choose, keep_layout, loading
from .report import Report, make_report
from .report import weights_hash as weights_hash  # notebooks find it here, too

BUILT_IN = {
    "tiny": "tiny/weak",
    **{
        f"tiny-{config.parent.name}": f"tiny/{config.parent.name}"
        for config in sorted(data.path("tiny").glob("*/config.json"))
    },
    "smollm2-135m-q4_1-warm": "smollm2/adapter",
}
HUB = {
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M-Instruct"
    "@12fd25f77366fa6b3b4b768ec3050bf629380bac",
}


@dataclass
class LanguageModel:
    """A loaded model with its tokenizer, chat format and report."""

    model: Any
    tokenizer: Any
    report: Report
    style: str  # "short" or "long": the prompt style that it was made for
    max_new_tokens: int  # tokens a move
    temperature: float = 1.0
    base: str = ""  # the name or folder of its whole weights, for an adapter's card

    @property
    def name(self) -> str:
        """The name it was asked for by, with the precision unless that is full."""
        return self.report.name + self.precision

    @property
    def precision(self) -> str:
        """The precision as a remark behind a name; empty for fp32."""
        given = self.report.given
        return "" if given == "fp32" else f" ({given})"

    @cached_property
    def chat(self) -> ChatFormat:
        """The chat template in pieces."""
        return ChatFormat.of(self.tokenizer)

    @cached_property
    def stop(self) -> int:
        """The token that ends an assistant's turn."""
        ids = self.encode(self.chat.assistant_to_user)
        return ids[0] if ids else self.tokenizer.eos_token_id

    @cached_property
    def encode(self):
        """Text to a tuple of token ids, without special tokens of its own; cached."""

        @lru_cache(maxsize=50_000)
        def encode(text: str) -> tuple[int, ...]:
            return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

        return encode

    @cached_property
    def control(self) -> frozenset[int]:
        """The ids of the tokens that mark turns, roles and the like, never words."""
        t = self.tokenizer
        marks = {
            i
            for i, token in t.added_tokens_decoder.items()
            if token.special or re.search(r"[^\w\s]", token.content)
        }
        unknown = {t.unk_token_id} - {t.eos_token_id, t.bos_token_id}
        return frozenset(marks - unknown)  # an unknown word is still a word

    @cached_property
    def _marks(self) -> list[str]:
        """The texts of the chat template that mark roles without a control token, or
        beside one (`</s>### assistant:`) if they are more than a word."""
        added = self.tokenizer.added_tokens_decoder.items()
        control = [re.escape(t.content) for i, t in added if i in self.control]
        marks: set[str] = set()
        for piece in self.chat.pieces:
            parts = re.split("|".join(control) or "(?!)", piece)
            texts = {part.strip() for part in parts} - {""}
            if len(parts) > 1:
                texts = {t for t in texts if re.search(r"\w", t) and not t.isalnum()}
            marks |= texts
        return sorted(marks)

    @cached_property
    def plain(self):
        """Text to the same text without control tokens and marks of the chat
        template, so that nobody's words can end a turn or speak as somebody else;
        cached."""

        @lru_cache(maxsize=50_000)
        def plain(text: str) -> str:
            while any(mark in text for mark in self._marks):
                for mark in self._marks:
                    text = text.replace(mark, mark[1:])
            while self.control & set(self.encode(text)):
                before, text = text, self._blanked(text)
                if text == before:
                    return ""
            return text

        return plain

    def _blanked(self, text: str) -> str:
        """``text`` with a blank for each control token in it."""
        if not self.tokenizer.is_fast:  # it can't say where its tokens come from
            return re.sub(r"[^\w\s.,!?()=]", " ", text)
        read = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True
        )
        spans = zip(read["input_ids"], read["offset_mapping"], strict=True)
        for i, (start, end) in reversed(list(spans)):
            if i in self.control:
                text = f"{text[:start]} {text[end:]}"
        return text

    def decode(self, ids) -> str:
        """Token ids to text, special tokens left out."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def load_model(
    name: str | Path = "tiny",
    precision: str = "auto",
    *,
    device: str | None = None,
) -> LanguageModel:
    """Load a model by its name, from a folder or from the Hugging Face Hub.

    ``name`` is one of the kit's (:data:`BUILT_IN`, :data:`HUB`, ``weights.WHEELS``),
    a folder with a model or an adapter, or a Hub id with its revision
    (``owner/name@revision``). ``precision`` is ``auto``, ``fp32``,
    ``bf16``, ``fp16``, ``8bit`` or ``4bit``; what was given, and why, is in the
    report, and a warning says where it is not what was asked. Raises
    ``FileNotFoundError``, ``ValueError`` or ``weights.WeightsError`` with what to do.
    """
    machine = Machine.of(device)
    folder, origin = _find(str(name))
    card = adapters.read_card(folder)
    if not adapters.is_adapter(folder):
        return _load(folder, str(name), origin, card, precision, machine)
    lm = load_model(adapters.base_of(folder), precision, device=device)
    adapters.must_fit(folder, card, lm.base, lm.report.source)
    _must_speak_alike(folder, lm.tokenizer)
    lm.model = adapters.load(lm.model, folder)
    _must_fold(folder, lm)
    lm.report = make_report(
        lm.model,
        str(name),
        precision,
        lm.report.given,
        machine.device,
        lm.report.why,
        source=lm.report.source,
        origin=f"adapter of rank {adapters.rank(lm.model)} on {lm.report.origin}"
        + ("" if card else ", by the name in its configuration alone"),
        decoding=lm.report.decoding,
    )
    return _spoken(lm, card)


def is_tiny(name: str) -> bool:
    """Whether ``name`` is a model that the kit made from nothing, or an adapter on
    one; nothing is loaded or fetched to tell.

    >>> is_tiny("tiny-talk"), is_tiny("smollm2-135m-q4_1-warm")
    (True, False)
    """
    folder = data.path(BUILT_IN[name]) if name in BUILT_IN else Path(name)
    if adapters.is_adapter(folder):
        return is_tiny(adapters.base_of(folder))
    config = folder / "config.json"
    told = json.loads(config.read_text("utf-8")) if config.exists() else {}
    return bool(told.get("selfplay_kit_tiny"))


def _find(name: str) -> tuple[Path, str]:
    """The folder of ``name``, and where its weights come from."""
    if name in BUILT_IN:
        return data.path(BUILT_IN[name]), "the kit's own"
    if name in weights.WHEELS:
        return _dequantised(name), f"{name.rpartition('-')[2]} weights, dequantised"
    folder = Path(name).expanduser()
    if (folder / "config.json").exists() or adapters.is_adapter(folder):
        return folder, "a folder"
    if name and folder.exists():
        held = weights.contents(folder) if folder.is_dir() else "a file alone"
        raise FileNotFoundError(
            f"{name!r} is no folder of a model (with a config.json) or of an adapter "
            f"(with an adapter_config.json): it is or holds {held}"
        )
    repo, _, revision = (HUB.get(name) or name).partition("@")
    known = ", ".join([*BUILT_IN, *HUB, *weights.WHEELS])
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise FileNotFoundError(
            f"no model called {name!r}: it is not one of {known}, not a folder with a "
            "config.json, and not a Hub id (owner/name@revision)"
        )
    if not revision:
        raise FileNotFoundError(
            f"{name!r} is no folder here; as a Hub id it needs its revision, so that "
            f"a run can be repeated: {name}@<commit> (@main is whatever it is today). "
            f"The kit's own names are {known}"
        )
    return weights.from_hub(repo, revision), f"{repo}@{revision}"


def _load(folder, name, origin, card, precision, machine) -> LanguageModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        source = weights.content_hash(folder)
        numbers = weights.count_numbers(folder)
    except (ValueError, OSError) as e:
        raise _unreadable(folder, e) from e
    given, why = choose(precision, machine, numbers)
    if precision not in ("auto", given):
        warnings.warn(f"{name}: {why}; given {given}", stacklevel=3)
    try:
        with no_bars():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,  # nor does anybody wait for an answer
                output_loading_info=True,
                **loading(given, machine),
            )
        model, told = loaded
        tiny = getattr(model.config, "selfplay_kit_tiny", False)
        own = (folder / "tokenizer.json").exists() or not tiny
        tokenizer = AutoTokenizer.from_pretrained(
            folder if own else data.path("tiny/tokenizer"),
            local_files_only=True,
            trust_remote_code=False,
        )
    except Exception as e:
        raise _unreadable(folder, e) from e
    if given not in ("8bit", "4bit"):
        model.to(machine.device)
    keep_layout(model)
    _must_be_whole(name, told)
    route = _route(name, model.eval())
    lm = LanguageModel(
        model=model,
        tokenizer=tokenizer,
        report=make_report(
            model,
            name,
            precision,
            given,
            machine.device,
            why,
            source=source,
            origin=origin,
            decoding="" if route.play == "fast" and route.training else str(route),
        ),
        style="short" if tiny else "long",
        max_new_tokens=24 if tiny else 200,
        base=str(folder.resolve()) if origin == "a folder" else _lasting(name, origin),
    )
    return _spoken(lm, card)


def _must_speak_alike(folder: Path, tokenizer: Any) -> None:
    """``ValueError`` where a tokenizer beside an adapter is not its base's."""
    from transformers import AutoTokenizer

    if not (folder / "tokenizer_config.json").exists():
        return
    own = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for what, one, other in (
        ("vocabulary", own.get_vocab(), tokenizer.get_vocab()),
        ("chat template", own.chat_template, tokenizer.chat_template),
    ):
        if one != other:
            raise ValueError(
                f"the adapter in {folder} comes with another {what} than its base "
                f"has. {adapters.MERGE}, and its tokenizer into the same folder. (Or "
                "delete the tokenizer beside it, if it was trained with the base's.)"
            )


def _must_fold(folder: Path, lm: LanguageModel) -> None:
    """``ValueError`` where play, with the adapter folded into the weights, would not
    be what was trained. Only layers that the fast path can't run may do that."""
    from .decode import agreement
    from .decode import rows as decode

    if decode.route_of(lm.model).play == "fast":
        return
    half = lm.model.dtype.itemsize < 4
    near = agreement.alike if half else agreement.close
    if fault := agreement.folding_fault(lm.model, near):
        raise ValueError(
            f"the adapter in {folder} can't be played by this kit: {fault}. "
            f"{adapters.MERGE}."
        )


def _lasting(name: str, origin: str) -> str:
    """The name under which an adapter's weights are found again."""
    return origin if "@" in origin else name


def _route(name: str, model: Any) -> Any:
    """How ``model`` is run right, found out on a few tokens."""
    from .decode import rows as decode

    try:
        return decode.check(model)
    except ValueError as e:
        raise ValueError(f"{name} can't be played by this kit: {e}") from e


def _must_be_whole(name: str, told: dict[str, Any]) -> None:
    """``ValueError`` where weights are not in the files: they would be random."""
    if missing := sorted(told.get("missing_keys", ())):
        raise ValueError(
            f"{name} lacks {len(missing)} of its weights ({', '.join(missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}), which would be random numbers. "
            "It may have been saved without its head, or not as a causal language "
            "model: load a checkpoint of one."
        )


def _unreadable(folder: Path, e: Exception) -> ValueError:
    """What keeps the model in ``folder`` from being loaded. Only a file that can't be
    read itself is called damaged."""
    if isinstance(e, ValueError) and "damaged" in str(e):  # by `weights`, which read it
        return ValueError(f"the model in {folder} can't be read: {e}")
    if broken := _damaged(folder):
        return ValueError(
            f"the model in {folder} can't be read: {broken}. The file may be damaged "
            "or cut short: fetch it again (in a checkout, `git checkout -- data`), or "
            "delete the folder or round that holds it and rerun."
        )
    if sys.flags.optimize > 1:
        return ValueError(
            f"the model in {folder} can't be loaded: transformers needs docstrings, "
            "and this Python runs without them (python -OO or PYTHONOPTIMIZE=2). Start "
            f"it without that ({type(e).__name__}: {e})"
        )
    if isinstance(e, ImportError):
        what = "a package that it needs can't be imported"
    elif isinstance(e, OSError):
        what = "a file is missing or can't be opened"
    else:
        what = (
            "this transformers doesn't load it as a causal language model, or needs "
            "something that is not there"
        )
    return ValueError(
        f"the model in {folder} can't be loaded: {what} ({type(e).__name__}: {e})"
    )


def _damaged(folder: Path) -> str:
    """The first file of ``folder`` that is not what its name says, and why; empty
    where all of them can be read."""
    from safetensors import SafetensorError, safe_open

    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_text("utf-8"))
        except ValueError as e:
            return f"{file.name}: {e}"
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, "pt"):
                pass
        except SafetensorError as e:
            return f"{file.name}: {e}"
    return ""


def _spoken(lm: LanguageModel, card: dict[str, Any]) -> LanguageModel:
    """``lm``, spoken to as its card says."""
    lm.style = card.get("style", lm.style)
    lm.max_new_tokens = card.get("max_new_tokens", lm.max_new_tokens)
    lm.temperature = card.get("temperature", lm.temperature)
    try:
        chat = str(ChatFormat.of(lm.tokenizer))
    except ValueError as e:  # an error once it is played
        chat = f"no chat template to play by: {e}"
    lm.report = replace(lm.report, chat=chat)
    return lm


def save_model(lm: LanguageModel, folder: Path) -> None:
    """Write ``lm`` so that :func:`load_model` reads it again: its adapter alone if it
    has one, else weights and tokenizer. ``ValueError`` for whole 8- or 4-bit weights,
    which would not read back as what they were."""
    spoken = {
        "style": lm.style,
        "max_new_tokens": lm.max_new_tokens,
        "temperature": lm.temperature,
    }
    with no_bars(), adapters.alone(lm.model):
        if adapters.adapted(lm.model):
            adapters.save(lm.model, folder, lm.base)
            about = {"base": lm.base, "source": lm.report.source}
            adapters.write_card(folder, **about, trained_in=lm.report.given, **spoken)
        elif lm.report.given in ("8bit", "4bit"):
            raise ValueError(
                f"{lm.name}: whole weights in {lm.report.given} are not saved, as they "
                "don't read back as they were. Save an adapter, or load in bf16."
            )
        else:
            lm.model.save_pretrained(folder)
            lm.tokenizer.save_pretrained(folder)
            if not getattr(lm.model.config, "selfplay_kit_tiny", False):
                adapters.write_card(folder, **spoken)


def _dequantised(name: str) -> Path:
    """The weights of a wheel as an ordinary fp32 model in the cache. Reading a GGUF
    file takes many times longer than reading that."""
    folder = weights.cache() / f"{name}-fp32"
    if (folder / "config.json").exists():
        return folder
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = weights.fetch(name)
    weights.must_have_room(6 * file.stat().st_size)
    try:
        with no_bars(), tempfile.TemporaryDirectory(dir=weights.cache()) as part:
            how: Any = {"gguf_file": file.name, "local_files_only": True}
            model: Any = AutoModelForCausalLM.from_pretrained(
                file.parent, dtype=torch.float32, **how
            )
            del model.config.quantization_config  # with it nothing can be saved
            model.is_quantized = False
            del model.hf_quantizer
            model.save_pretrained(Path(part) / "model")
            AutoTokenizer.from_pretrained(file.parent, **how).save_pretrained(
                Path(part) / "model"
            )
            with contextlib.suppress(OSError):  # somebody else made it meanwhile
                (Path(part) / "model").replace(folder)
        if not (folder / "config.json").exists():
            raise weights.WeightsError(
                f"{folder} holds {weights.contents(folder)} where a model belongs: "
                "delete it and try again"
            )
    except ImportError as e:
        raise weights.WeightsError(
            f"{file.name} needs the package gguf: pip install 'selfplay-kit[quant]'"
        ) from e
    return folder


@contextlib.contextmanager
def no_bars() -> Iterator[None]:
    """Within this block ``transformers`` draws no progress bars of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
