"""Learning rules, one file each."""

from __future__ import annotations
