"""A run folder, as it is read: its whole rounds, their files, and what damages them.

What a folder holds is told in ``rounds``, which writes it. Files of other programs
(``.DS_Store``, a sync service's copies) are no part of a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..games.record import read_games
from ..lm.models import LanguageModel, load_model
from ..lm.weights import sha256
from .config import Config


@dataclass(frozen=True)
class Round:
    """A whole round, as read from its folder."""

    number: int
    folder: Path
    metrics: dict[str, Any]

    def games(self) -> list[Any]:
        """The round's transcripts."""
        return read_games(self.folder / "games.jsonl")

    def model(self, config: Config) -> LanguageModel:
        """The round's model (round 0: the base)."""
        if self.number == 0:
            return load_model(config.base, config.precision)
        if not (self.folder / "model").is_dir():
            raise RunError(
                f"{self.folder} was finished without its model (two programs that "
                "write one folder can leave it so). To play this round and the later "
                f"ones again, delete {self.folder.name} and those after it."
            )
        return load_model(self.folder / "model", config.precision)


class RunError(RuntimeError):
    """A run folder can't be used as asked; the message says why and what to do."""


def read_rounds(folder: str | Path, *, limit: int | None = None) -> list[Round]:
    """The whole rounds of a run folder, in order, up to the first that is missing.

    Raises :class:`RunError` where a finished round's files are not what was
    written. Files that aren't the kit's don't count, also where the first edition
    listed them in ``done``.
    """
    folder = Path(folder)
    rounds: list[Round] = []
    while limit is None or len(rounds) <= limit:
        here = folder / f"round-{len(rounds):02d}"
        if not (here / "done").exists():
            break
        try:
            written = dict(files.read_json(here / "done"))
        except (ValueError, TypeError):
            break  # "done" itself was cut short: the round is played again
        own = {name: h for name, h in written.items() if _is_own(name)}
        for name in ("games.jsonl", "metrics.json"):
            own.setdefault(name, "")
        there = hashes_of(here, (name for name in own if (here / name).is_file()))
        if changed := [name for name, h in own.items() if there.get(name) != h]:
            raise RunError(
                f"{here} was finished, but {', '.join(changed)} "
                f"{'is' if len(changed) == 1 else 'are'} not what was written then "
                "(damaged, or edited by hand). To play this round and the later ones "
                f"again, delete {here.name} and those after it; the rounds before it "
                "are whole."
            )
        rounds.append(Round(len(rounds), here, files.read_json(here / "metrics.json")))
    return rounds


def kept_counts(folder: str | Path) -> tuple[int, ...]:
    """How many views each round of a run learned from, round 1 first: what a control
    that is matched to that run draws (``Config(filter="drawn", draw=...)``)."""
    return tuple(r.metrics["training"]["kept"] for r in read_rounds(folder)[1:])


def _is_own(name: str) -> bool:
    """Whether a file of a round is the kit's, by its path in the round's folder."""
    folder, _, rest = name.partition("/")
    if rest:
        return folder == "model" and not any(map(files.foreign, rest.split("/")))
    return name in ("games.jsonl", "metrics.json")


def own_files(folder: Path) -> list[str]:
    """The kit's own files of a round, by their paths in its folder."""
    inside = (f for f in sorted(folder.rglob("*")) if f.is_file())
    return [n for f in inside if _is_own(n := f.relative_to(folder).as_posix())]


def hashes_of(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """The hash of each file of a round in ``names``, by default all of the kit's."""
    return {
        name: sha256(folder / name)
        for name in (own_files(folder) if names is None else names)
    }


def clear(here: Path) -> None:
    """Remove what a round that was cut short left; other programs' files stay."""
    for f in sorted(here.rglob("*"), reverse=True):  # a folder after what is in it
        if f.is_dir():
            with suppress(OSError):  # not empty
                f.rmdir()
        elif f.suffix == ".part" or (name := f.relative_to(here).as_posix()) == "done":
            f.unlink()
        elif _is_own(name):
            f.unlink()
