"""Learn, teach and reproduce language-model self-play.

The names most people need, each loaded when it is first used, so that importing the
package loads no torch:

>>> from selfplay_kit import COOP, Scenario
>>> scenario = Scenario((3, 1, 1), ((1, 3, 4), (2, 4, 0)))
>>> COOP.rewards(*scenario.pays(((1, 0, 1), (2, 1, 0))))
(13.0, 13.0)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import moved as moved

__version__ = "0.1.0"

_HOME = {
    "games.deal.rules": "Scenario Objective SEMI COOP STRICT all_scenarios pareto",
    "games.play": "play_games",
    "lm.models": "load_model",
    "lm.player": "LMPlayer",
    "lm.decode.rows": "Rows",
    "learn.training": "fine_tune",
    "learn.rounds": "Config run",
    "measure.metrics": "summarise",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}
__all__ = ["__version__", *_MODULE]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
