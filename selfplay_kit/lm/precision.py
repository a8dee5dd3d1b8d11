"""Which numbers the weights are held in: what was asked, what the machine can give.

The rules stand in :func:`choose`, a pure function of what was asked and of a
:class:`Machine`; a precision that can't be had is replaced by the nearest one and
the reason said in one line. No model is loaded here.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PRECISIONS = ("fp32", "bf16", "fp16", "8bit", "4bit")
SMALL = 20_000_000  # parameters up to which auto takes full precision
SHARE = 0.4  # of the memory, that auto fills with weights: caches need the rest


@dataclass(frozen=True)
class Machine:
    """What a device can do, as far as precision goes."""

    device: str
    memory: float  # bytes: free on a GPU, else what this process may use; or infinite
    bf16: bool  # computes bf16 in hardware
    bitsandbytes: bool
    capability: tuple[int, int] | None = None  # of an NVIDIA GPU
    limit: str = ""  # the file with the container's limit, where that is the memory

    @classmethod
    def of(cls, device: str | None) -> Machine:
        """This machine's ``device`` (``None``: a GPU if there is one). Raises
        ``ValueError`` where a GPU is asked for and there is none."""
        import torch

        gpu = torch.cuda.is_available()
        device = device or ("cuda" if gpu else "cpu")
        quant = find_spec("bitsandbytes") is not None
        if not device.startswith("cuda"):
            memory, limit = memory_and_limit()
            return cls(device, memory, _cpu_bf16(torch), quant, limit=limit)
        if not gpu:
            raise ValueError(
                f"device {device!r} was asked for, and torch {torch.__version__} sees "
                "no GPU here. Leave the device out to use the CPU; if there is an "
                "NVIDIA GPU, `nvidia-smi` shows it and this torch may be a CPU build."
            )
        capability = torch.cuda.get_device_capability(device)
        free = torch.cuda.mem_get_info(device)[0]
        return cls(device, free, capability >= (8, 0), quant, capability)

    @property
    def half(self) -> str:
        """The 16-bit precision that it computes well in, or ``fp32``."""
        if self.bf16:
            return "bf16"
        return "fp16" if self.capability else "fp32"


def choose(asked: str, machine: Machine, parameters: int) -> tuple[str, str]:
    """The precision given for ``asked``, and why, in one line.

    >>> t4 = Machine("cuda", 15e9, bf16=False, bitsandbytes=False, capability=(7, 5))
    >>> choose("bf16", t4, 10**9)
    ('fp16', 'bf16 asked, but compute capability 7.5 is below 8.0 and has none')
    """
    half = machine.half
    if asked == "auto":
        return _automatic(machine, parameters)
    if asked not in PRECISIONS:
        raise ValueError(
            f"precision must be auto, {', '.join(PRECISIONS[:-1])} or "
            f"{PRECISIONS[-1]}; got {asked!r}"
        )
    if asked in ("8bit", "4bit") and not machine.bitsandbytes:
        return half, (
            f"{asked} asked, but bitsandbytes is not installed: "
            "pip install 'selfplay-kit[quant]'"
        )
    if asked == "bf16" and machine.capability and not machine.bf16:
        a, b = machine.capability
        return half, (
            f"bf16 asked, but compute capability {a}.{b} is below 8.0 and has none"
        )
    return asked, "as asked"


def _automatic(machine: Machine, parameters: int) -> tuple[str, str]:
    if parameters <= SMALL:
        return "fp32", "auto: small enough for full precision"
    half = machine.half
    size = parameters * (4 if half == "fp32" else 2)
    said = f"{size / 1e9:.2f} GB of weights in {half}"
    if size <= SHARE * machine.memory:
        return half, f"auto: {said} fit, and {machine.device} computes in it"
    whose = (
        f"this container may use ({machine.limit})" if machine.limit else "there are"
    )
    said += f" are over {SHARE:.0%} of the {machine.memory / 1e9:.1f} GB {whose}"
    if machine.bitsandbytes:
        return "4bit", f"auto: {said}"
    return half, f"auto: {said}, and there is no bitsandbytes for 4 bits"


def loading(given: str, machine: Machine) -> dict[str, Any]:
    """The arguments of ``from_pretrained`` for a precision that was given."""
    import torch

    half = {
        "fp32": torch.float32,
        "bf16": torch.bfloat16,
        "fp16": torch.float16,
    }
    if given in half:
        return {"dtype": half[given]}
    from transformers import BitsAndBytesConfig

    # at import it says which of its optional kernels are not there
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    how = (
        BitsAndBytesConfig(load_in_8bit=True)
        if given == "8bit"
        else BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=half[machine.half],
        )
    )
    return {
        "dtype": half[machine.half],
        "quantization_config": how,
        "device_map": {"": machine.device},
    }


def keep_layout(model: Any) -> None:
    """Leave 4-bit weights as they were loaded. On processors that compute bf16,
    bitsandbytes (0.50) lays them out anew at the first forward pass that needs no
    gradient, for a quicker product without a backward pass: a model that had played
    would then be trained on wrong gradients, with no word of it."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def memory_and_limit(root: Path = Path("/")) -> tuple[float, str]:
    """The bytes of memory that this process may use (infinite if unknown), and the
    file that sets the limit if that is a container's or a job's and not the machine.

    What is free at the moment doesn't count: the same model on the same machine gets
    the same precision, so that a run can be resumed. Control groups of both versions
    are read below ``root``, this process's own and all above it
    (https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/memory.html).
    """
    limits = [(_physical(), "")]
    for file in _limit_files(root):
        try:
            text = file.read_text("ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdigit():  # and not "max"
            limits.append((float(text), str(file)))
    return min(limits, key=lambda limit: limit[0])


def _limit_files(root: Path) -> list[Path]:
    """Where limits of this process may be written, from its own group upwards."""
    try:
        groups = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except (OSError, ValueError):
        groups = []
    files = []
    # without a mount of its own, a container's paths start at the top: hence "0::/"
    for line in [*groups, "0::/", "0:memory:/"]:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers == "":
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        own = Path(path.strip("/"))
        files += [top / group / name for group in (own, *own.parents)]
    return files


def _physical() -> float:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        pass
    try:
        import psutil  # comes with Jupyter's kernel
    except ImportError:
        return float("inf")
    return psutil.virtual_memory().total


def _cpu_bf16(torch: Any) -> bool:
    """Whether the processor multiplies bf16 itself; without that bf16 is slow."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    found = [getattr(torch.cpu, name, None) for name in names]
    return any(ask() for ask in found if ask)
