"""Who plays: from a name to a model, its chat format, its decoding, and servers."""

from __future__ import annotations
