"""A human study with a class: a folder, a page for phones, blind assignment, results.

``plan`` (settings, who is dealt what) → ``folder`` (what is kept) → ``results`` (CSV,
arms compared); ``partners`` holds the models in one process for everybody, ``page`` is
what a participant sees, ``serve`` puts it on the network, ``commands`` is
``python -m selfplay_study``.

It stands on ``selfplay_kit``, which knows nothing of it.

Whether a study needs approval, and by whom, is for the institution to say, and nobody
is obliged to take part.
"""

from __future__ import annotations

from .folder import Participant, Session, Study, StudyError, Superseded
from .plan import Settings

__all__ = [
    "Participant",
    "Session",
    "Settings",
    "Study",
    "StudyError",
    "Superseded",
]
