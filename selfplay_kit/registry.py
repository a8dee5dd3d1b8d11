"""Things by name: games, learning rules, filters, rewards, opponents.

A registry is a mapping that refuses what breaks its contract when it is registered,
and lists what there is when a name is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any


class Registry(Mapping[str, Any]):
    """Names and what they stand for; ``what`` is the word for one in messages.

    ``check(thing)`` raises ``ValueError`` for what breaks the contract. ``homes`` are
    modules that hold a thing of their own, imported when it is asked for: by name, a
    module and the name in it.

    >>> shapes = Registry("shape")
    >>> _ = shapes.register("disc", "round")
    >>> shapes["disc"], list(shapes)
    ('round', ['disc'])
    >>> shapes["cube"]
    Traceback (most recent call last):
    ValueError: there is no shape called 'cube'; there are: disc
    """

    def __init__(
        self,
        what: str,
        check: Callable[[Any], None] = lambda thing: None,
        homes: Mapping[str, tuple[str, str]] | None = None,
    ):
        self.what, self.check, self.homes = what, check, dict(homes or {})
        self._things: dict[str, Any] = {}

    def register(self, name: str, thing: Any) -> Any:
        """Add ``thing`` and return it. ``ValueError`` for a name that is taken or no
        name, and for a thing that breaks the contract."""
        if not isinstance(name, str) or not name.replace("_", "").isalnum():
            raise ValueError(
                f"the name of a {self.what} is made of letters, digits and _; "
                f"got {name!r}"
            )
        if name in self and self._things.get(name) is not thing:
            raise ValueError(f"there is a {self.what} called {name!r} already")
        before = dict(self._things)
        self._things[name] = thing  # a check may ask for it by name
        try:
            self.check(thing)
        except BaseException:
            self._things = before
            raise
        return thing

    def __getitem__(self, name: str) -> Any:
        if name in self.homes and name not in self._things:
            module, attribute = self.homes[name]
            self._things[name] = getattr(import_module(module), attribute)
        if name not in self._things:
            raise ValueError(
                f"there is no {self.what} called {name!r}; there are: {', '.join(self)}"
            )
        return self._things[name]

    def get(self, name: str, default: Any = None) -> Any:
        """What is called ``name``; ``default`` where nothing is."""
        return self[name] if name in self else default

    def __contains__(self, name: object) -> bool:
        return name in self._things or name in self.homes

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.homes, *self._things)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def plain_options(what: str, thing: Any) -> None:
    """``ValueError`` unless ``thing.options`` are names with defaults that a command
    line can read: text, a number, True or False."""
    options = getattr(thing, "options", None)
    if not isinstance(options, Mapping):
        raise ValueError(f"{what} has options, a mapping; {thing!r} has {options!r}")
    for name, default in options.items():
        if not str(name).isidentifier() or type(default) not in (bool, int, float, str):
            raise ValueError(
                f"an option of {what} is a name with a default, which is text, a "
                f"number or True or False; got {name!r}: {default!r}"
            )
