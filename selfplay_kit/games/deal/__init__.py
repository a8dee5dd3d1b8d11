"""Deal or No Deal: two players split books, hats and balls by talking."""

from __future__ import annotations
