"""How a model learns: views, filters, learning rules, opponents, rounds."""

from __future__ import annotations
