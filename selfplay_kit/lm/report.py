"""What a loaded model is: precision asked and given, size, hash, memory so far."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, dataclass
from typing import Any

from .adapters import alone


@dataclass(frozen=True)
class Report:
    """What was asked and what was given. ``bytes`` are those of the weights as they
    are held, ``weights_hash`` is of these, ``source`` of the file they were read from,
    whatever the precision (for an adapter, of the weights under it). ``decoding`` says
    where the kit's fast path is not right for the model, and what is done instead;
    ``chat``, what was chosen for its chat template, and the digits to know it by."""

    name: str
    asked: str
    given: str
    device: str
    why: str
    weights_hash: str
    parameters: int
    bytes: int
    source: str = ""
    origin: str = "made here"
    decoding: str = ""  # in words, which forward pass it is played by and why
    chat: str = ""  # what became of the chat template

    @property
    def peak(self) -> int | None:
        """The most memory so far, in bytes, of the GPU or of this process."""
        return peak(self.device)

    def __str__(self) -> str:
        return (
            f"{self.name}: asked {self.asked}, given {self.given} on {self.device}"
            f" ({self.why}); {self.parameters:,} parameters, "
            f"{self.bytes / 2**20:.1f} MiB of weights ({self.origin}), hash "
            f"{self.weights_hash[:12]}, peak so far "
            + (f"{self.peak / 1e9:.2f} GB" if self.peak else "not measured")
            + (f"; played by {self.decoding}" if self.decoding else "")
            + (f"; {self.chat}" if self.chat else "")
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a run folder."""
        return asdict(self)


def make_report(
    model: Any,
    name: str,
    asked: str,
    given: str,
    device: str,
    why: str,
    **more: str,
) -> Report:
    """The report of a loaded ``model``; ``more`` are ``source``, ``origin``
    and ``decoding``."""
    return Report(
        name=name,
        asked=asked,
        given=given,
        device=str(device),
        why=why,
        weights_hash=weights_hash(model),
        parameters=model.num_parameters(),  # of a 4-bit byte both
        bytes=bytes_of(model),
        **more,
    )


def weights_hash(model: Any) -> str:
    """SHA-256 over the names and bytes of all weights, in the order of the names."""
    import torch

    digest = hashlib.sha256()
    with alone(model):  # another thread may have an adapter folded into them
        for key, tensor in sorted(model.state_dict().items()):
            digest.update(key.encode())
            raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(raw.numpy().tobytes())
    return digest.hexdigest()


def bytes_of(model: Any) -> int:
    """Bytes of the weights as they are held, with the scales of 4-bit blocks."""
    total = 0
    for p in model.parameters():
        total += p.numel() * p.element_size()
        state = getattr(p, "quant_state", None)  # of 4-bit blocks
        scales = [getattr(p, "SCB", None)]  # of 8-bit rows
        scales += [getattr(state, name, None) for name in ("absmax", "code")]
        total += sum(t.numel() * t.element_size() for t in scales if t is not None)
    return total


def peak(device: str = "cpu") -> int | None:
    """The most memory so far in bytes: of the GPU, else of this whole process, with
    all its libraries; ``None`` where the system doesn't tell."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
