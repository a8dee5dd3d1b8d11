"""The first edition's modules under their old names, for programs written then.

``selfplay_kit.rounds`` and ``selfplay_kit.learn.rounds`` are one module. An old name is
found only when it is imported; nothing of the kit itself uses one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from typing import Any

ROOMS = {
    "games": "play",
    "games.deal": "rules protocol game phrasebook scripted",
    "lm": "models weights precision adapters chat report dialogue endpoint servers "
    "keys",
    "lm.decode": "cache attention own agreement",
    "learn": "cloning training config rounds tiny export preflight",
    "measure": "metrics claims consistency language compare search crossplay talk "
    "ledger readers",
    "teach": "notebook shown widgets watch plots",
}
MOVED = {
    name: f"{room}.{name}" for room, names in ROOMS.items() for name in names.split()
}
MOVED |= {
    "lm_player": "lm.player",
    "decode": "lm.decode.rows",
    "policy": "learn.rules.policy_gradient",
}

# What has left its module for another room, and where it is now.
SPLIT = {"crossplay": ("learn.response", ("best_response", "identity"))}


class Moved(MetaPathFinder, Loader):
    """Finds a module of the first edition where it is now."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The spec of an old name; ``None`` for every other."""
        package, _, old = name.partition(".")
        known = package == __package__ and old in MOVED
        return spec_from_loader(name, self) if known else None

    def create_module(self, spec: ModuleSpec) -> Any:
        """The module itself, not a copy."""
        old = spec.name.partition(".")[2]
        module = import_module(f"{__package__}.{MOVED[old]}")
        home, names = SPLIT.get(old, ("", ()))
        for name in names:
            setattr(module, name, getattr(import_module(f"{__package__}.{home}"), name))
        self.own = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        """It has run already; it keeps its own name."""
        module.__spec__ = self.own


if not any(type(finder).__qualname__ == "Moved" for finder in sys.meta_path):
    sys.meta_path.append(Moved())
